"""An input of a cohort annotated again from what is kept of it, without reading it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pgx.calling.posterior import site_data, sure_answer
from pgx.cohort.biobank import content_of, stored_records, unpack_lines
from pgx.cohort.biobank.sample_classes import without_numbers
from pgx.cohort.jobs import Failure, Job, Known, Result, StoredInput
from pgx.cohort.tables.table import FACTS, facts_of
from pgx.cohort.worker import decode_input, failure_by, result_of_content
from pgx.genome import AssemblyDecision, find_assembly
from pgx.inputs import Input
from pgx.observe import EvidenceKind, Observation, SiteRecord, SiteRecords
from pgx.observe.site import observe
from pgx.options import Options
from pgx.render.tsv import Cell, safe_cell
from pgx.single import Prepared, is_copy_number, prepare
from pgx.vcf import Columns, VcfContent

_Value = TypeVar("_Value")


class Kept(Struct, frozen=True):
    """What is kept of an input, and the job and key under which it is to be annotated."""

    job: Job
    key: str
    known: Known
    recipe: str  # of the job
    run: bytes = b""
    facts: tuple[bytes, ...] = ()  # of each sample of a small input, of each block of a large one
    texts: tuple[bytes, ...] = ()  # of the blocks
    names: tuple[list[str], ...] = ()  # of the samples, or of each block; only where a birth date is stated
    is_silent: bool = False  # whether nobody is counted in it
    place: str = ""  # where the state is


def _source_of(kept: Kept, stored: StoredInput) -> tuple[Input, Options, tuple[SiteRecord, ...] | None]:
    """Return an input as it was read, the options under which it is annotated, and the records around.

    Letters of its aligned reads are weighed anew, not what was made of them.
    """
    content, around = content_of(stored), stored.around
    if kept.texts:  # of a large input: with all columns
        names, *columns = (b"\n".join(parts) for parts in zip(*map(unpack_lines, kept.texts), strict=True))
        samples = tuple(names.decode(errors="surrogateescape").split("\n"))
        records = []
        for record, texts in zip(stored_records(stored), columns, strict=True):
            fixed = record.fixed.encode(errors="surrogateescape") + b"\t"
            line = fixed + texts.replace(b"\n", b"\t") + b"\n"
            records.append(replace(record, samples=Columns(line, len(fixed), len(samples))))
        count = len(content.records)
        around = None if around is None else tuple(records[count:])
        content = replace(content, samples=samples, records=tuple(records[:count]))
    reads = None
    if bytes(stored.reads) != b"null":
        from pgx.reads.open import ReadsContent  # noqa: PLC0415 - few inputs are such

        reads = msgspec.json.decode(stored.reads, type=ReadsContent)
    read = stored.run.input
    decision = AssemblyDecision(assembly=find_assembly(read.assembly), evidence=read.assembly_evidence)
    # Of one sample of several a second was kept that has no name, see `worker`.
    named = tuple(name for name in content.samples if name)
    options = kept.job.options
    options = options if len(named) == len(content.samples) else replace(options, samples=named)
    return Input(content=content, decision=decision, reads=reads, beside=stored.beside), options, around


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
    return replace(result, key=kept.key, recipe=kept.recipe, **same)


Row = Sequence[Cell]
_MOST = 50_000  # of a kilobyte
#: INFO of GATK that nothing of `pgx.observe` asks for, and that is another in nearly each file.
UNREAD_INFO = frozenset(
    {"AC", "AF", "AN", "BaseQRankSum", "ClippingRankSum", "ExcessHet", "FS", "HaplotypeScore"}
    | {"InbreedingCoeff", "MLEAC", "MLEAF", "MQRankSum", "QD", "RAW_MQ", "RAW_MQandDP", "ReadPosRankSum"}
    | {"SOR", "VQSLOD", "culprit"}
)
_KINDS = ("bases", "blocks", "lengths", "segments", "misplaced")  # of records at a site


class _Shape(Struct, frozen=True, kw_only=True):
    """What inputs share whose records stand at the same places and are laid out in the same way."""

    ready: Prepared  # one of these inputs
    places: tuple[tuple[tuple[int, ...], ...], ...]  # of its records at each site, by `_KINDS`
    #: What a row of facts depends on beside observations and answer: options, release, kind, findings.
    about: tuple[str | bytes, ...]


class _Seen(Struct, frozen=True):
    """What is observed at a site, and without numbers; `key`: the same for equal ones, None if not kept."""

    observation: Observation
    bare: bytes
    key: bytes | None


#: Each thing once for all inputs that are alike in what it depends on, see `facts_again`.
_shapes: dict[bytes, _Shape] = {}
_by_records: dict[bytes, _Seen] = {}
_by_class: dict[object, Row] = {}
_by_sites: dict[object, Row] = {}


def facts_again(kept: Kept) -> list[bytes] | None:
    """Return the facts of each sample of a small input as `remade` has them, without the reports.

    Three things are done once for all inputs that are alike in what they depend on: the records are sorted by
    site (`_Shape`), a site is observed (`_Seen`), and a row of facts is made of a report (`_Again._facts`).
    None where there is more to it: then they must be taken from the reports.
    """
    if kept.texts or kept.job.options.neighbours != "off":
        return None
    content = (stored := decode_input(kept.run)).content
    if content is None or stored.beside or bytes(stored.reads) != b"null":
        return None
    columns = [column for column, name in enumerate(content.samples) if name]
    if len(columns) != kept.known.samples:
        return None
    try:
        again = _Again(kept, stored, content)
        rows = [again.facts(column) for column in columns]
    except Exception:  # noqa: BLE001 - `remade` meets it again, and says what it is
        return None
    path = safe_cell(content.facts.path)
    return [
        msgspec.json.encode((safe_cell(content.samples[column]), path, *row[2:]))
        for column, row in zip(columns, rows, strict=True)
    ]


class _Again:
    """A small input whose samples are observed again."""

    def __init__(self, kept: Kept, stored: StoredInput, content: VcfContent) -> None:
        self._content = content
        infos = (record.info.items() for record in content.records)
        self._info = [{key: value for key, value in info if key not in UNREAD_INFO} for info in infos]
        # All that tells into which kinds records are sorted, and how they are to be read. Of INFO the names
        # suffice for that: whether it has END, fields of segments or of an imputation.
        records = [
            (
                *(one.contig, one.position, one.end, one.identifiers, one.reference, one.alternates),
                *(one.format, len(one.samples), list(info)),
            )
            for one, info in zip(content.records, self._info, strict=True)
        ]
        facts, samples = content.facts, len(content.samples)
        about = (facts.kind, facts.stale_index, facts.unsorted, facts.read_as_text)
        said = (content.header, content.contigs, content.gl_is_phred)
        self._key = _digest(kept.recipe, stored.run.input.assembly, samples, records, about, said)
        if (shape := _shapes.get(self._key)) is None:
            source, options, _ = _source_of(kept, stored)
            if is_copy_number(source.content):
                raise ValueError("nobody is counted in it")
            ready = prepare(source, options)
            place_of = {id(record): place for place, record in enumerate(content.records)}
            places = tuple(
                tuple(tuple(place_of[id(record)] for record in getattr(at, kind)) for kind in _KINDS)
                for at in ready.records
            )
            read, findings = ready.run.input, msgspec.msgpack.encode(ready.findings)
            alike = (kept.recipe, read.kind, read.assembly, findings)
            shape = _keep(_shapes, self._key, _Shape(ready=ready, places=places, about=alike))
        self._shape = shape

    def _records(self, site: int) -> SiteRecords:
        """Return the records of this input at a site, sorted as the shape has them."""
        records, at = self._content.records, self._shape.ready.records[site]
        own = zip(_KINDS, self._shape.places[site], strict=True)
        return replace(at, **{kind: tuple(records[place] for place in some) for kind, some in own})

    def facts(self, column: int) -> Row:
        """Return the facts of the sample in the 0-based `column`; name and path may be those of another."""
        seen = [self._seen(site, column) for site in range(len(self._shape.places))]
        keys = tuple(one.key for one in seen)
        if None in keys:
            return self._facts(column, seen)
        return _by_sites.get(keys) or _keep(_by_sites, keys, self._facts(column, seen))

    def _seen(self, site: int, column: int) -> _Seen:
        """Return what is observed of a sample at a site, by what the records of the site say.

        It depends on nothing else but the shape: also whether an rsID is misplaced is of the shape. QUAL is
        left out where the only record of a site has PL in FORMAT: likelihoods count before all else, and QUAL
        is asked for only where none can be used (`FieldReader.evidence`), which the text of PL tells. So what
        is seen is kept only where it is PL that counts: nobody with this key asked for the QUAL.
        """
        places = [place for some in self._shape.places[site] for place in some]
        leaves_out = len(places) == 1 and "PL" in self._content.records[places[0]].format
        key = _digest(self._key, site, [self._said(place, column, leaves_out) for place in places])
        if (found := _by_records.get(key)) is not None:
            return found
        ready = self._shape.ready
        every = [*ready.records]
        every[site] = self._records(site)
        if not any(other.misplaced for other in every):  # else no site can be seen without the others
            every, site = [every[site]], 0
        seen = replace(observe(every, column, ready.context)[site], record=None)
        is_kept = not leaves_out or (seen.evidence is not None and seen.evidence.kind is EvidenceKind.PL)
        equal = _digest(self._shape.about, seen) if is_kept else None
        found = _Seen(seen, without_numbers(seen), equal)
        return _keep(_by_records, key, found) if is_kept else found

    def _said(self, place: int, column: int, leaves_out_quality: bool) -> tuple[object, ...]:
        """Return all that a record says of a sample, beside its shape."""
        record, info = self._content.records[place], list(self._info[place].values())
        quality, passed = None if leaves_out_quality else record.quality, record.fixed.split("\t", 7)[6:7]
        return (record.samples[column] if record.samples else "", quality, record.filters, passed, info)

    def _facts(self, column: int, seen: Sequence[_Seen]) -> Row:
        """Return the facts of a sample of whom this is seen.

        Where the answer is sure, people of one class have the same row but for names and numbers, and the
        report is made for one of them. Of observations a row has what `without_numbers` leaves, and depth and
        quality; of the call it has the two probabilities, and what follows from the class: a sure answer
        (`sure_answer`) is determined, the same under every population, and raises no flag on what is open or
        weak. All else that a call tells rests on letters, phase and kind of evidence, which are no numbers.
        """
        observations = tuple(one.observation for one in seen)
        sure = sure_answer(site_data(observations), self._shape.ready.rules)
        if sure is None:
            return self._from_report(column)
        key = (*self._shape.about, sure.best, *(one.bare for one in seen))
        row = _by_class.get(key) or _keep(_by_class, key, self._from_report(column))
        cells = dict(zip(FACTS, row, strict=True))
        cells["diplotype_probability"] = sure.probability
        cells["e4_carrier_probability"] = sure.copies[1] + sure.copies[2]
        for number, one in enumerate(observations, start=1):
            cells[f"depth_{number}"], cells[f"quality_{number}"] = one.depth, one.genotype_quality
        return tuple(cells.values())

    def _from_report(self, column: int) -> Row:
        ready = self._shape.ready
        own = replace(ready, records=tuple(map(self._records, range(len(ready.records)))))
        return facts_of(own.run, own.report(column, self._content.samples[column]))


def _digest(*values: object) -> bytes:
    return hashlib.blake2b(msgspec.msgpack.encode(values), digest_size=16).digest()


def _keep(found: dict[Any, _Value], key: object, value: _Value) -> _Value:
    if len(found) >= _MOST:
        found.clear()
    found[key] = value
    return value


def unread(job: Job, why: str) -> Failure:
    """Return what is said of an input that must be read again."""
    return Failure(input=job.path, error=why, cure="Read it again")
