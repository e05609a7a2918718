"""An input with very many samples: all of them at once, as arrays.

Samples are put into classes, site by site (`sample_classes`); the posterior is computed for all
(`calling.arrays`); samples of one class with one answer have the same cells, so the scalar code writes
those once, for one sample of them. A full report is made on demand, by the scalar code, from the sample's
columns as they stand in the file. Arrow and numpy let go of Python's lock, so that pieces are worked on
side by side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace

from pgx.calling import CallOptions, diplotypes
from pgx.calling.arrays import (
    STATUSES,
    Likelihoods,
    SiteLikelihoods,
    answers,
    differs_elsewhere,
    diplotype_likelihoods,
    same_everywhere,
)
from pgx.calling.posterior import PhaseEvidence, doubtful_diplotypes, phase_evidence
from pgx.cohort.biobank.format_parser import between
from pgx.cohort.biobank.sample_classes import (
    Floats,
    SiteArrays,
    columns_of,
    neighbour_codes,
    read_site,
    text_codes,
)
from pgx.cohort.jobs import Result, StoredBlock, StoredInput, without_shared
from pgx.cohort.tables import arrow
from pgx.cohort.tables.arrow import Codes, compact, first_of, joined_codes
from pgx.cohort.tables.table import CHUNK, FACTS, fact_table, fact_type, facts_of, to_bytes
from pgx.observe import SiteRecord
from pgx.observe.site import observe
from pgx.options import Options
from pgx.render.tsv import safe_cell
from pgx.report import Run, SampleReport
from pgx.single import Prepared, prepare
from pgx.vcf import VcfContent

#: Samples whose posteriors are computed at a time: the arrays stay in the cache of the processor.
_PIECE = 1 << 14
_LONGEST_NAME = 1000
_THREADS = 2
_FORMULA_STARTS = tuple("=+-@")
#: How many answers a class may have: the numbers that `_Posteriors` gives them are below it.
_ANSWERS = len(diplotypes()) * len(STATUSES) * 2 * 2
Rows = npt.NDArray[np.intp]


class _Found(Struct):
    """What becomes of all samples: a class each, and numbers."""

    classes: npt.NDArray[np.int64]
    probability: Floats
    carrier: Floats


class _Kind(Struct, frozen=True):
    """What the posterior of a class depends on beside likelihoods; `half`: for each site, see posterior."""

    half: tuple[bool, ...]
    doubtful: tuple[bool, ...]
    phase: PhaseEvidence | None


def observe_arrays(result: Result, ready: Prepared) -> Result:
    """Return `result` with the likelihoods of all samples, as classes, and nothing else."""
    from pgx.cohort.estimate import classes_of  # noqa: PLC0415 - few runs need it

    rows = np.empty((len(ready.columns), len(diplotypes())))
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        sites = _read_sites(pool, ready)
        for kind, group in _by_kind(joined_codes([site.codes for site in sites]), ready):
            for piece in _pieces(group):
                rows[piece] = diplotype_likelihoods(_given(sites, kind, piece), ready.rules.population).T
    return replace(result, run=classes_of(rows).packed())


def _read_sites(pool: ThreadPoolExecutor, ready: Prepared) -> list[SiteArrays]:
    return list(pool.map(lambda place: read_site(place, ready), range(len(ready.records))))


def annotate_arrays(result: Result, ready: Prepared) -> Result:
    """Return `result` with the facts and columns of all samples."""
    content = ready.source.content
    reader = ready.around.reader if ready.around else None
    around = reader.records if reader else ()
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        sites = _read_sites(pool, ready)
        found = _answered(pool, sites, ready)
        texts = _packed_texts(pool, (*content.records, *around), ready)
        if reader is not None:
            # by what they show, and by the texts at the sites beside them
            parts = [found.classes, neighbour_codes(reader, ready)]
            if content.records:
                parts.append(text_codes(content.records, ready))
            found.classes = joined_codes(parts)
        firsts = first_of(found.classes).tolist()
        reports = (ready.report(ready.columns[row], ready.names[row]) for row in firsts)
        classes = fact_table([facts_of(ready.run, report) for report in reports])
        facts = _packed_facts(pool, found, sites, ready, classes)
        blocks = tuple(
            StoredBlock(facts=one.result(), texts=other.result())
            for one, other in zip(facts, texts, strict=True)
        )
    run, (digest, part) = without_shared(ready.run)
    stored = StoredInput(
        run=run,
        shared=(digest,),
        content=replace(content, samples=(), records=_without_columns(content.records)),
        around=_without_columns(around) if reader else None,
    )
    return replace(
        result,
        run=msgspec.json.encode(stored),
        statuses=_statuses(found, classes),
        blocks=blocks,
        parts={digest: part},
    )


def _without_columns(records: Sequence[SiteRecord]) -> tuple[SiteRecord, ...]:
    return tuple(replace(record, samples=()) for record in records)


def _answered(pool: ThreadPoolExecutor, sites: Sequence[SiteArrays], ready: Prepared) -> _Found:
    """Compute what all samples are: populations are compared only where bounds do not settle that."""
    pairs = joined_codes([site.codes for site in sites])
    found = _Found(pairs * _ANSWERS, np.empty(len(pairs)), np.empty(len(pairs)))
    for kind, group in _by_kind(pairs, ready):
        work = _Posteriors(sites, kind, ready.rules, found)
        unsettled = np.concatenate(list(pool.map(work.answer, _pieces(group))))
        for _ in pool.map(work.compare, _pieces(unsettled)):
            pass
    found.classes = compact(found.classes)
    return found


def _by_kind(pairs: Codes, ready: Prepared) -> Iterator[tuple[_Kind, Rows]]:
    """Yield each kind with its samples; `pairs` are their classes at both sites."""
    kinds = [_kind(ready.columns[row], ready) for row in first_of(pairs).tolist()]
    different = list(dict.fromkeys(kinds))
    by_class = np.array([different.index(kind) for kind in kinds])[pairs]
    for number, kind in enumerate(different):
        yield kind, np.flatnonzero(by_class == number)


def _given(sites: Sequence[SiteArrays], kind: _Kind, rows: Rows) -> Likelihoods:
    """Return the likelihoods of some samples of one kind."""
    return Likelihoods(
        sites=tuple(
            SiteLikelihoods(values=site.likelihoods, chances=site.chances, half=half).part(rows)
            for site, half in zip(sites, kind.half, strict=True)
        ),
        doubtful=kind.doubtful,
        phase=kind.phase,
    )


def _pieces(rows: Rows) -> list[Rows]:
    return [rows[start : start + _PIECE] for start in range(0, len(rows), _PIECE)]


def _kind(column: int, ready: Prepared) -> _Kind:
    observations = observe(ready.records, column, ready.context)
    evidence = [seen.evidence for seen in observations]
    phase = phase_evidence(observations)
    return _Kind(
        half=tuple(item is not None and item.seen is not None for item in evidence),
        doubtful=doubtful_diplotypes(evidence, phase),
        phase=phase,
    )


class _Posteriors(Struct, frozen=True):
    """The posteriors of the samples of one kind; pieces of them may be computed side by side."""

    sites: Sequence[SiteArrays]
    kind: _Kind
    rules: CallOptions
    found: _Found

    def answer(self, rows: Rows) -> Rows:
        """Record what these samples are; return those of them that another population might change."""
        given = _given(self.sites, self.kind, rows)
        answer = answers(given, self.rules)
        self.found.probability[rows] = answer.probability
        self.found.carrier[rows] = answer.carrier_probability
        which = (answer.best * len(STATUSES) + answer.status) * 2 + answer.determined
        self.found.classes[rows] += which * 2
        return rows[~same_everywhere(given, answer, self.rules)]

    def compare(self, rows: Rows) -> None:
        """Record which of these samples another population does change."""
        given = _given(self.sites, self.kind, rows)
        self.found.classes[rows] += differs_elsewhere(given, answers(given, self.rules), self.rules)


def _statuses(found: _Found, classes: pa.Table) -> Counter[str]:
    """Return samples by e4 status."""
    counts: Counter[str] = Counter()
    sizes = np.bincount(found.classes, minlength=classes.num_rows).tolist()
    for status, size in zip(classes.column("e4_status").to_pylist(), sizes, strict=True):
        counts[status] += size
    return counts


def _packed_facts(
    pool: ThreadPoolExecutor,
    found: _Found,
    sites: Sequence[SiteArrays],
    ready: Prepared,
    classes: pa.Table,
) -> list[Future[bytes]]:
    """Begin to pack the facts of each block: the cells of a class from one report, numbers from arrays."""
    numbers = {
        "diplotype_probability": found.probability,
        "e4_carrier_probability": found.carrier,
        "depth_1": sites[0].depth,
        "depth_2": sites[1].depth,
        "quality_1": sites[0].quality,
        "quality_2": sites[1].quality,
    }

    def packed(start: int, stop: int) -> bytes:
        """Return the facts of the samples from `start` to before `stop`."""
        table = classes.take(arrow.numbers(found.classes[start:stop], pa.int64()))
        own = {name: arrow.numbers(all_[start:stop], fact_type(name)) for name, all_ in numbers.items()}
        own["sample"] = _cells(ready.names[start:stop]).cast(pa.string())
        for name, column in own.items():
            table = table.set_column(FACTS.index(name), name, column)
        return to_bytes(table)

    return _by_block(pool, packed, len(ready.names))


def _cells(names: Sequence[str]) -> pa.Array:
    """Return sample names as cells of the table; most are cells as they are."""
    letters = "".join(names)
    usual = (
        letters.isascii()
        and letters.isprintable()
        and max(map(len, names), default=0) <= _LONGEST_NAME
        and not any(name.startswith(_FORMULA_STARTS) for name in names)
    )
    return arrow.texts(names if usual else [safe_cell(name) for name in names])


def _packed_texts(
    pool: ThreadPoolExecutor, records: Sequence[SiteRecord], ready: Prepared
) -> list[Future[bytes]]:
    """Begin to pack the names and the columns of each block."""
    names = ready.names
    lines = [columns_of(record, ready) for record in records]

    def joined(start: int, stop: int) -> bytes:
        texts = ["\n".join(names[start:stop]).encode(errors="surrogateescape")]
        texts += [between(line, start, stop).replace(b"\t", b"\n") for line in lines]
        data = b"\0".join(texts)
        packed: bytes = pa.compress(data, codec="zstd", asbytes=True)
        return len(data).to_bytes(8, "little") + packed

    return _by_block(pool, joined, len(names))


def _by_block(pool: ThreadPoolExecutor, work: Callable[[int, int], bytes], count: int) -> list[Future[bytes]]:
    return [pool.submit(work, start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]


def unpack_texts(data: bytes) -> list[list[str]]:
    """Return the names of a block's samples and, record by record, their columns."""
    return [part.decode("utf-8", errors="surrogateescape").split("\n") for part in unpack_lines(data)]


def unpack_lines(data: bytes) -> list[bytes]:
    """Return the names of a block's samples and, record by record, their columns, each a line."""
    size = int.from_bytes(data[:8], "little")
    text: bytes = pa.decompress(data[8:], decompressed_size=size, codec="zstd", asbytes=True)
    return text.split(b"\0")


def content_of(stored: StoredInput) -> VcfContent:
    """Return the content of a large input, which is always kept."""
    assert stored.content is not None  # noqa: S101 - `annotate_arrays` stores it
    return stored.content


def stored_records(stored: StoredInput) -> tuple[SiteRecord, ...]:
    """Return the records of a large input, without columns, in the order of the texts of its blocks."""
    return (*content_of(stored).records, *(stored.around or ()))


def report_of(
    stored: StoredInput, options: Options, name: str, texts: Sequence[str]
) -> tuple[Run, SampleReport]:
    """Make the report of one sample from its columns, record by record.

    It is that of the run only where all that the run was made with is the same (`work.recipe`).
    """
    # Twice: what a record says of all its samples together must not be taken for this one's.
    every = tuple(
        replace(record, samples=(text, text))
        for record, text in zip(stored_records(stored), texts, strict=True)
    )
    kept = content_of(stored)
    count = len(kept.records)
    content = replace(kept, samples=(name, ""), records=every[:count])
    ready = prepare(content, replace(options, samples=(), digest=False), lambda: every[count:])
    return stored.run, ready.report(0, name)
