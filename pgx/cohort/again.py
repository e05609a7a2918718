"""An input of a cohort annotated again from what is kept of it, without reading it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pgx.calling.posterior import site_data, sure_answer
from pgx.cohort.biobank import content_of, stored_records, unpack_lines
from pgx.cohort.biobank.sample_classes import without_numbers
from pgx.cohort.jobs import Failure, Job, Known, Result, StoredInput
from pgx.cohort.tables.table import FACTS, facts_of
from pgx.cohort.worker import decode_input, failure_by, recipe, result_of_content
from pgx.genome import AssemblyDecision, find_assembly
from pgx.inputs import Input
from pgx.observe import EvidenceKind, Observation, SiteRecord, observe
from pgx.options import Options
from pgx.render.tsv import Cell, safe_cell
from pgx.single import Prepared, is_copy_number, prepare
from pgx.vcf import Columns, VcfContent

if TYPE_CHECKING:
    from pgx.reads.open import ReadsContent


class Kept(Struct, frozen=True, kw_only=True):
    """What is kept of an input, and the job and key under which it is to be annotated.

    Attributes
    ----------
    facts
        Of each sample of a small input, of each block of a large one.
    texts
        Of the blocks.
    names
        Of the samples of a small input, or of each block; only where somebody's birth date is stated.
    is_silent
        Whether nobody is counted in it.
    place
        Where the state is.
    """

    job: Job
    key: str
    known: Known
    run: bytes = b""
    facts: tuple[bytes, ...] = ()
    texts: tuple[bytes, ...] = ()
    names: tuple[list[str], ...] = ()
    is_silent: bool = False
    place: str = ""


def _source_of(kept: Kept, stored: StoredInput) -> tuple[Input, Options, tuple[SiteRecord, ...] | None]:
    """Return an input as it was read, the options under which it is annotated, and the records around."""
    content, around = (
        _whole_content(stored, kept.texts) if kept.texts else (content_of(stored), stored.around)
    )
    read = stored.run.input
    decision = AssemblyDecision(assembly=find_assembly(read.assembly), evidence=read.assembly_evidence)
    # Of one sample of several a second was kept that has no name, see `worker`.
    named = tuple(name for name in content.samples if name)
    options = kept.job.options
    options = options if len(named) == len(content.samples) else replace(options, samples=named)
    return (
        Input(content=content, decision=decision, reads=_reads_of(stored), beside=stored.beside),
        options,
        around,
    )


def remade(kept: Kept) -> Result | Failure:
    """Return what becomes of an input from what is stored of it, or why it must be read again."""
    stored, job, known = decode_input(kept.run), kept.job, kept.known
    if stored.content is None:
        return unread(job, "holds text that is not UTF-8")
    source, options, around = _source_of(kept, stored)
    missed = []

    def neighbours() -> tuple[SiteRecord, ...]:
        if around is None:
            missed.append(job.path)
        return around or ()

    chosen = replace(job, options=options, without=())
    arrays_from = 1 if kept.texts else len(source.content.samples) + 1
    try:
        result = result_of_content(chosen, source, neighbours, arrays_from=arrays_from)
    except Exception as error:  # noqa: BLE001 - as in a run: no input ends the others
        return failure_by(job, error)
    if missed or result.samples != known.samples:
        why = "needs its neighbours, which were not read" if missed else "is read in another way now"
        return unread(job, why)
    same = {name: getattr(known, name) for name in ("fingerprint", "digest", "name_digest", "problems")}
    return replace(result, key=kept.key, recipe=recipe(job.options), **same)


_MOST = 100_000  # of half a kilobyte
Row = Sequence[Cell]
#: Facts by what they were made from, and by class and answer; names and numbers are put in.
_by_records: dict[object, Row] = {}
_by_class: dict[object, Row] = {}


def facts_again(kept: Kept) -> list[bytes] | None:
    """Return the facts of each sample of a small input as `remade` has them, without the reports.

    None where there is more to it: then they must be taken from the reports.
    """
    if kept.texts or kept.job.options.neighbours != "off":
        return None
    stored = decode_input(kept.run)
    if stored.content is None or stored.beside or bytes(stored.reads) != b"null":
        return None
    made_with = recipe(kept.job.options)
    key = _records_key(stored.content, stored.run.input.assembly, made_with)
    try:
        row = _by_records.get(key)
        rows = [row] if row is not None else _all_facts(kept, stored, key, made_with)
    except Exception:  # noqa: BLE001 - `remade` meets it again, and says what it is
        return None
    names = [name for name in stored.content.samples if name]
    if len(rows) != kept.known.samples or len(rows) != len(names):
        return None
    path = safe_cell(stored.content.facts.path)
    return [
        msgspec.json.encode((safe_cell(name), path, *row[2:])) for name, row in zip(names, rows, strict=True)
    ]


def _records_key(content: VcfContent, assembly: str, made_with: str) -> bytes:
    """Return all that the facts of an input of one sample depend on, but for its name and path.

    QUAL is left out beside PL, which says more; where it counts nevertheless, nothing is kept (`_all_facts`).
    """
    facts, records = content.facts, []
    for record in content.records if len(content.samples) == 1 else ():
        fixed = record.fixed.split("\t")
        quality = None if "PL" in record.format else record.quality
        records.append(replace(record, quality=quality, fixed=fixed[6] if len(fixed) > 6 else ""))
    said = (records, content.header, content.contigs, content.gl_is_phred)
    about = (facts.kind, facts.stale_index, facts.unsorted, facts.read_as_text)
    whole = made_with, assembly, len(content.samples), said, about
    return hashlib.blake2b(msgspec.msgpack.encode(whole), digest_size=16).digest()


def _all_facts(kept: Kept, stored: StoredInput, key: object, made_with: str) -> list[Row]:
    """Return the facts of all samples of an input, and keep those of the only one under `key`."""
    source, options, _ = _source_of(kept, stored)
    if is_copy_number(source.content):
        return []
    ready = prepare(source, options)
    rows = []
    for column, name in zip(ready.columns, ready.names, strict=True):
        seen = ready.source.settle(name, observe(ready.records, column, ready.context)).observations
        rows.append(_facts(ready, column, name, seen, made_with))
        by_likelihood = all(one.evidence and one.evidence.kind is EvidenceKind.PL for one in seen)
        with_quality = not any("PL" in record.format for record in source.content.records)
        if len(source.content.samples) == 1 and (by_likelihood or with_quality):
            _keep(_by_records, key, rows[0])
    return rows


def _facts(ready: Prepared, column: int, name: str, seen: tuple[Observation, ...], made_with: str) -> Row:
    """Return the facts of a sample.

    As of a large input, samples of one class with one sure answer have the same cells but for numbers and
    names, so the report is made once, for one of them.
    """
    sure = sure_answer(site_data(seen), ready.rules)
    if sure is None:
        return facts_of(ready.run, ready.report(column, name))
    findings = msgspec.msgpack.encode(ready.findings)
    read = ready.run.input
    key = (made_with, read.kind, read.assembly, findings, sure.best, *map(without_numbers, seen))
    row = _by_class.get(key) or _keep(_by_class, key, facts_of(ready.run, ready.report(column, name)))
    cells = dict(zip(FACTS, row, strict=True))
    cells["diplotype_probability"] = sure.probability
    cells["e4_carrier_probability"] = sure.copies[1] + sure.copies[2]
    for number, one in enumerate(seen, start=1):
        cells[f"depth_{number}"], cells[f"quality_{number}"] = one.depth, one.genotype_quality
    return tuple(cells.values())


def _keep(rows: dict[object, Row], key: object, row: Row) -> Row:
    if len(rows) >= _MOST:
        rows.clear()
    rows[key] = row
    return row


def unread(job: Job, why: str) -> Failure:
    """Return what is said of an input that must be read again."""
    return Failure(input=job.path, error=why, cure="Read it again")


def _reads_of(stored: StoredInput) -> ReadsContent | None:
    """Return the aligned reads of an input; their letters are weighed anew, not what was made of them."""
    if bytes(stored.reads) == b"null":
        return None
    from pgx.reads.open import ReadsContent  # noqa: PLC0415 - few inputs are such

    return msgspec.json.decode(stored.reads, type=ReadsContent)


def _whole_content(
    stored: StoredInput, blocks: Sequence[bytes]
) -> tuple[VcfContent, tuple[SiteRecord, ...] | None]:
    """Return the content of a large input, and the records around the sites, with all columns."""
    names, *columns = (b"\n".join(parts) for parts in zip(*map(unpack_lines, blocks), strict=True))
    samples = tuple(names.decode(errors="surrogateescape").split("\n"))
    records = []
    for record, texts in zip(stored_records(stored), columns, strict=True):
        fixed = record.fixed.encode(errors="surrogateescape") + b"\t"
        line = fixed + texts.replace(b"\n", b"\t") + b"\n"
        records.append(replace(record, samples=Columns(line, len(fixed), len(samples))))
    content = content_of(stored)
    count = len(content.records)
    around = None if stored.around is None else tuple(records[count:])
    return replace(content, samples=samples, records=tuple(records[:count])), around
