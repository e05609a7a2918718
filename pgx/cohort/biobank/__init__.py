"""An input with very many samples: all of them at once, as arrays (see docs/architecture.md)."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec.structs import replace

from pgx.calling import arrays, diplotypes
from pgx.calling.arrays import STATUSES
from pgx.calling.posterior import doubtful_diplotypes, phase_evidence
from pgx.cohort.biobank.format_parser import between
from pgx.cohort.biobank.sample_classes import SiteArrays, columns_of, neighbour_codes, read_site, text_codes
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

_PIECE = 1 << 14  # samples whose posteriors are computed at a time: it stays in the cache of the processor
_THREADS = 2  # Arrow and numpy let go of Python's lock
#: Names, each with its line break, that are cells of the table as they are.
_USUAL_NAMES = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,900}\n)+")
_ANSWERS = len(diplotypes()) * len(STATUSES) * 2 * 2  # the numbers that `_answered` gives are below it
Rows = npt.NDArray[np.intp]


def observe_arrays(result: Result, ready: Prepared) -> Result:
    """Return `result` with the likelihoods of all samples, as classes, and nothing else."""
    from pgx.cohort.estimate import classes_of  # noqa: PLC0415 - few runs need it

    rows = np.empty((len(ready.columns), len(diplotypes())))
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        sites = list(pool.map(read_site, range(len(ready.records)), itertools.repeat(ready)))
    for given, group in _by_kind(joined_codes([site.codes for site in sites]), sites, ready):
        for piece in _pieces(group):
            rows[piece] = arrays.diplotype_likelihoods(given.part(piece), ready.rules.population).T
    return replace(result, run=classes_of(rows).packed())


def annotate_arrays(result: Result, ready: Prepared) -> Result:
    """Return `result` with the facts and columns of all samples."""
    content = ready.source.content
    reader = ready.around.reader if ready.around else None
    records = (*content.records, *(reader.records if reader else ()))
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        sites = list(pool.map(read_site, range(len(ready.records)), itertools.repeat(ready)))
        people, *chances = _answered(pool, sites, ready)
        texts = _packed_texts(pool, records, ready)
        if reader is not None:
            # by what they show, and by the texts at the sites beside them
            beside = [text_codes(content.records, ready)] if content.records else []
            people = joined_codes([people, neighbour_codes(reader, ready), *beside])
        firsts = first_of(people).tolist()
        reports = (ready.report(ready.columns[row], ready.names[row]) for row in firsts)
        classes = fact_table([facts_of(ready.run, report) for report in reports])
        numbers = dict(zip(("diplotype_probability", "e4_carrier_probability"), chances, strict=True))
        numbers |= {f"depth_{place}": site.depth for place, site in enumerate(sites, 1)}
        numbers |= {f"quality_{place}": site.quality for place, site in enumerate(sites, 1)}
        pairs = zip(_packed_facts(pool, people, numbers, ready, classes), texts, strict=True)
        blocks = tuple(StoredBlock(facts=one.result(), texts=other.result()) for one, other in pairs)
    statuses: Counter[str] = Counter()
    for status, count in zip(classes["e4_status"].to_pylist(), np.bincount(people).tolist(), strict=True):
        statuses[status] += count
    run, (digest, part) = without_shared(ready.run)
    bare, own = tuple(replace(record, samples=()) for record in records), len(content.records)
    kept, around = replace(content, samples=(), records=bare[:own]), bare[own:] if reader else None
    whole = msgspec.json.encode(StoredInput(run=run, shared=(digest,), content=kept, around=around))
    return replace(result, run=whole, statuses=statuses, blocks=blocks, parts={digest: part})


def _answered(
    pool: ThreadPoolExecutor, sites: Sequence[SiteArrays], ready: Prepared
) -> tuple[Codes, arrays.Floats, arrays.Floats]:
    pairs, rules = joined_codes([site.codes for site in sites]), ready.rules
    classes, probability, carrier = pairs * _ANSWERS, np.empty(len(pairs)), np.empty(len(pairs))

    def settle(every: arrays.Likelihoods, rows: Rows) -> Rows:
        given = every.part(rows)
        answer = arrays.answers(given, rules)
        probability[rows], carrier[rows] = answer.probability, answer.carrier_probability
        classes[rows] += ((answer.best * len(STATUSES) + answer.status) * 2 + answer.determined) * 2
        return rows[~arrays.same_everywhere(given, answer, rules)]

    def compare(every: arrays.Likelihoods, rows: Rows) -> None:
        given = every.part(rows)
        classes[rows] += arrays.differs_elsewhere(given, arrays.answers(given, rules), rules)

    for every, group in _by_kind(pairs, sites, ready):
        unsettled = np.concatenate(list(pool.map(settle, itertools.repeat(every), _pieces(group))))
        list(pool.map(compare, itertools.repeat(every), _pieces(unsettled)))
    return compact(classes), probability, carrier


def _by_kind(
    pairs: Codes, sites: Sequence[SiteArrays], ready: Prepared
) -> Iterator[tuple[arrays.Likelihoods, Rows]]:
    # samples that are alike in what a posterior depends on beside likelihoods, and those of everybody
    kinds = []
    for row in first_of(pairs).tolist():
        observations = observe(ready.records, ready.columns[row], ready.context)
        evidence = [seen.evidence for seen in observations]
        phase = phase_evidence(observations)
        half = tuple(item is not None and item.seen is not None for item in evidence)
        kinds.append((half, doubtful_diplotypes(evidence, phase), phase))
    different = list(dict.fromkeys(kinds))
    by_class = np.array([different.index(kind) for kind in kinds])[pairs]
    for number, (half, doubtful, phase) in enumerate(different):
        given = (
            arrays.SiteLikelihoods(values=site.likelihoods, chances=site.chances, half=is_half)
            for site, is_half in zip(sites, half, strict=True)
        )
        every = arrays.Likelihoods(sites=tuple(given), doubtful=doubtful, phase=phase)
        yield every, np.flatnonzero(by_class == number)


def _pieces(rows: Rows) -> list[Rows]:
    return [rows[start : start + _PIECE] for start in range(0, len(rows), _PIECE)]


def _packed_facts(
    pool: ThreadPoolExecutor,
    people: Codes,
    numbers: Mapping[str, arrays.Floats],
    ready: Prepared,
    classes: pa.Table,
) -> list[Future[bytes]]:
    def packed(start: int, stop: int) -> bytes:
        table = classes.take(arrow.numbers(people[start:stop], pa.int64()))
        own = {name: arrow.numbers(all_[start:stop], fact_type(name)) for name, all_ in numbers.items()}
        names = ready.names[start:stop]
        usual = _USUAL_NAMES.fullmatch("\n".join((*names, "")))
        own["sample"] = arrow.texts(names if usual else [safe_cell(name) for name in names]).cast(pa.string())
        for name, column in own.items():
            table = table.set_column(FACTS.index(name), name, column)
        return to_bytes(table)

    return _by_block(pool, packed, len(ready.names))


def _packed_texts(
    pool: ThreadPoolExecutor, records: Sequence[SiteRecord], ready: Prepared
) -> list[Future[bytes]]:
    names = ready.names
    lines = [columns_of(record, ready) for record in records]

    def joined(start: int, stop: int) -> bytes:
        texts = ["\n".join(names[start:stop]).encode(errors="surrogateescape")]
        texts += [between(line, start, stop).replace(b"\t", b"\n") for line in lines]
        data = b"\0".join(texts)
        return len(data).to_bytes(8, "little") + bytes(pa.compress(data, codec="zstd", asbytes=True))

    return _by_block(pool, joined, len(names))


def _by_block(pool: ThreadPoolExecutor, work: Callable[[int, int], bytes], count: int) -> list[Future[bytes]]:
    return [pool.submit(work, start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]


def unpack_texts(data: bytes) -> list[list[str]]:
    """Return the names of a block's samples and, record by record, their columns."""
    return [part.decode("utf-8", errors="surrogateescape").split("\n") for part in unpack_lines(data)]


def unpack_lines(data: bytes) -> list[bytes]:
    """Return the names of a block's samples and, record by record, their columns, each a line."""
    size = int.from_bytes(data[:8], "little")
    return bytes(pa.decompress(data[8:], decompressed_size=size, codec="zstd", asbytes=True)).split(b"\0")


def content_of(stored: StoredInput) -> VcfContent:
    """Return the content of a large input."""
    assert stored.content is not None  # noqa: S101 - `annotate_arrays` stores it
    return stored.content


def stored_records(stored: StoredInput) -> tuple[SiteRecord, ...]:
    """Return the records of a large input, without columns, in the order of the texts of its blocks."""
    return (*content_of(stored).records, *(stored.around or ()))


def report_of(
    stored: StoredInput, options: Options, name: str, texts: Sequence[str]
) -> tuple[Run, SampleReport]:
    """Make the report of one sample from its columns; that of the run where `work.recipe` is the same."""
    # Twice: what a record says of all its samples together must not be taken for this one's.
    pairs = zip(stored_records(stored), texts, strict=True)
    every = tuple(replace(record, samples=(text, text)) for record, text in pairs)
    kept, count = content_of(stored), len(content_of(stored).records)
    content = replace(kept, samples=(name, ""), records=every[:count])
    ready = prepare(content, replace(options, samples=(), digest=False), lambda: every[count:])
    return stored.run, ready.report(0, name)
