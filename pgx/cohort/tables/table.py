"""The facts of a sample (the cells of `pgx.render.tsv` first) for tables and summary, and the tables."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec.structs import astuple

from pgx.calling import E4Status, Reason, diplotype_names, diplotype_prior, populations
from pgx.cohort.jobs import Failure, shared_part, text_digest
from pgx.cohort.manifest import MINOR
from pgx.cohort.summary.strata import column_of
from pgx.cohort.tables import arrow
from pgx.observe import EvidenceKind, SiteState
from pgx.reference import load, threshold
from pgx.render.tsv import COLUMNS, Cell, Row, cell_text, cells_of, kinds, safe_cell
from pgx.report import PatientReport, Run, SampleReport, severities
from pgx.wording import percent, rounded_percent, wording


class Facts(Row, frozen=True, kw_only=True):
    """A row with what the summary (of the first site `_1`, of the second `_2`) or `pgx recheck` needs."""

    state_1: str
    state_2: str
    depth_1: int | None
    depth_2: int | None
    quality_1: float | None
    quality_2: float | None
    best: str | None  # None where no site was used: it is then that of the population
    reasons: str  # why something is not determined
    said: str  # digest of what the evidence says
    worded: str  # digest of all else that is read in a report, see `_told`


_KINDS = kinds(Facts)
FACTS = Facts.__struct_fields__
CHUNK = 1 << 17  # samples of a block as a large input is stored, and of a chunk as the tables are written
_LINES = 1 << 14  # that are made at a time: what is worked on stays in the cache of the processor
_CODED = pa.dictionary(pa.int32(), pa.string())


def fact_type(name: str) -> pa.DataType:
    """Return the Arrow type of a fact; texts of few values are coded."""
    if _KINDS[name] is str:
        return pa.string() if name == "sample" else _CODED
    if _KINDS[name] is float:
        return pa.float64()
    return pa.int8() if name in COLUMNS else pa.int32()


FACT_SCHEMA = pa.schema([(name, fact_type(name)) for name in FACTS])


def facts_of(run: Run, report: SampleReport) -> tuple[Cell, ...]:
    """Return the facts of one sample, in the order of `FACTS`."""
    (first, second), genotype = report.sites, report.genotype
    facts = Facts(
        **cells_of(run, report),
        state_1=first.state,
        state_2=second.state,
        depth_1=first.depth,
        depth_2=second.depth,
        quality_1=first.genotype_quality,
        quality_2=second.genotype_quality,
        best=genotype.best_diplotype if any(site.basis is not None for site in report.sites) else None,
        reasons=";".join(genotype.not_determined_because),
        said=_said(shared_part(report.response)[0], shared_part(report.context)[0], report.patient),
        worded=_told(run, report),
    )
    return astuple(facts)


@functools.lru_cache(maxsize=1024)
def _said(response: str, context: str, patient: PatientReport) -> str:
    return text_digest(response, context, msgspec.json.encode(patient).decode())


#: Flags whose words name what the prior decides: other populations, sites, probabilities.
_OF_THE_PRIOR = frozenset({"prior-dependent", "low-certainty", "ambiguous-phase"})
_read_of_site = operator.attrgetter(
    *("contig", "position", "ref", "alt", "alleles", "phased", "seen", "filter", "phase_set")
)
_read_of_reads = operator.attrgetter("depth", "letters", "templates_both", "haplotypes", "decided")
_read_of_neighbours = operator.attrgetter(
    *("panel", "markers_used", "markers_panel", "sites_used", "fit", "lowest_fit", "agrees"),
    *("read_probability", "diplotype_posterior", "e4_copies_posterior"),
    *("neighbours_alone", "phase_posterior"),
)


def _told(run: Run, report: SampleReport) -> str:
    """Return a digest of what is read in a report and stands in no other fact: sentences and values."""
    # All of it is the same for people of one class, as large inputs have them. So values that numbers of a
    # person decide are left out: of the probabilities these are in facts; of flags of the prior it is what
    # they rest on that is taken. Left out are also records, and which diplotypes they exclude.
    genotype, rules = report.genotype, run.parameters
    codes = codes_of(report)
    depends = not _OF_THE_PRIOR.isdisjoint(codes)
    others = [flag for flag in report.flags if flag.code not in _OF_THE_PRIOR]
    words = [{k: v for k, v in flag.values.items() if not k.endswith("probability")} for flag in others]
    values = (
        [*map(_read_of_site, report.sites)],
        [(flag.code, flag.severity, own) for flag, own in zip(others, words, strict=True)],
        (report.limitations, genotype.assumed, genotype.source),
        report.neighbours and _rounded(_read_of_neighbours(report.neighbours)),
        report.reads and _read_of_reads(report.reads),
        genotype.diplotype and _of_answer(genotype.diplotype, rules.population, rules.min_probability),
        _of_the_prior(rules.population, rules.min_probability) if depends else "",
    )
    sentences = _worded(codes, shared_part(run.appendix)[0])
    return text_digest(sentences, msgspec.json.encode(values).decode())


def codes_of(report: SampleReport) -> tuple[str, ...]:
    """Return what decides which sentences a report has, see `sentence_digests`."""
    genotype = report.genotype
    codes = [flag.code for flag in report.flags]
    if "ambiguous-phase" in codes:
        codes.append("phase")  # what to do next is the same
    for site in report.sites:
        codes += (site.state, site.basis or "")
    around = (_NEIGHBOURS,) if report.neighbours else ()
    return (*codes, *genotype.not_determined_because, genotype.e4_status, *around)


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return percent(value) if 0 <= value <= 1 else f"{value:.1f}"
    return value


@functools.lru_cache(maxsize=256)
def _of_answer(diplotype: str, population: str, min_probability: float) -> tuple[str, str]:
    prior = diplotype_prior(population)[diplotype_names().index(diplotype)]
    return percent(min_probability), rounded_percent(prior)


@functools.lru_cache(maxsize=256)
def _of_the_prior(population: str, min_probability: float) -> str:
    names = dict.fromkeys((population, *(item.name for item in populations())))
    priors = {name: diplotype_prior(name) for name in names}
    given = (priors, min_probability, threshold("min_bayes_factor"))
    return text_digest(msgspec.json.encode(given).decode())


@functools.lru_cache(maxsize=4096)
def _worded(codes: tuple[str, ...], appendix: str) -> str:
    sentences = sentence_digests()
    return text_digest(appendix, *(sentences.get(code, "") for code in ("", *sorted({*codes}))))


_NEIGHBOURS = "neighbours"  # a topic, and the code of those of whom they say something
#: Topics that no report has: those of other commands, and of the sheet for the patient.
_OF_OTHERS = frozenset({"inspect", "cohort", "verify", "handout"})
#: Topics whose keys name a flag, the state of a site, what it rests on, a reason or a status.
_OF_CODES = ("flag", "flag_open", "flag_name", "caveat", "state", "basis", "reason", "cohort_reason", "next")


@functools.cache
def sentence_digests() -> dict[str, str]:
    """Return a digest of what reports say because of each code, and under "" of all else they may say."""
    # A report may lack a sentence of "": a change of it is told of more people than it concerns, never less.
    found: dict[str, list[str]] = {"": [], **{code: [severity] for code, severity in severities().items()}}
    for topic, sentences in sorted(wording().topics.items()):
        for key, sentence in sorted(sentences.items()) if topic not in _OF_OTHERS else ():
            found.setdefault(code_of(topic, key), []).extend((topic, key, sentence))
    for name in ("report.toml", "counsel.toml"):
        facts = load(name, dict[str, object])
        found[""].append(repr(sorted((key, facts[key]) for key in facts.keys() - {"provenance"})))
    return {code: text_digest(*texts) for code, texts in found.items()}


def code_of(topic: str, key: str) -> str:
    """Return the code without which no report has this sentence; "" if any may have it."""
    if topic == _NEIGHBOURS:
        return topic
    known = _codes() if topic in _OF_CODES else E4Status if topic in {"family", "counsel"} else ()
    own = key.removeprefix("found_")
    whose = [code for code in known if own == code or own.startswith((f"{code}-", f"{code}_"))]
    return max(whose, key=len, default="")


@functools.cache
def _codes() -> frozenset[str]:
    """Return all codes; who is a minor is not known where facts are made."""
    return frozenset({*severities(), *SiteState, *Reason, *EvidenceKind} - {MINOR})


def fact_table(rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Return fact rows as a table of `FACT_SCHEMA`."""
    columns = list(zip(*rows, strict=True)) or [()] * len(FACTS)
    arrays = []
    for values, kind in zip(columns, FACT_SCHEMA.types, strict=True):
        if pa.types.is_dictionary(kind):
            arrays.append(arrow.coded(values))
        elif pa.types.is_string(kind):
            arrays.append(arrow.texts(values).cast(pa.string()))
        else:
            known = [np.nan if value is None else value for value in values]
            arrays.append(arrow.numbers(np.array(known, dtype=np.float64), kind))
    return pa.table(arrays, schema=FACT_SCHEMA)


def to_bytes(table: pa.Table) -> bytes:
    """Return a table as an Arrow stream, packed."""
    sink, options = pa.BufferOutputStream(), pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def from_bytes(data: bytes) -> pa.Table:
    """Return the table that `to_bytes` packed."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


def chunked(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the same rows in pieces of equal size: how the results arrived must not show in the files."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += table.num_rows
        while count >= CHUNK:
            waiting = [_joined(waiting)]  # what was joined is let go of before the chunk is written
            yield waiting[0].slice(0, CHUNK)
            waiting = [waiting[0].slice(CHUNK)]
            count -= CHUNK
    if count:
        waiting = [_joined(waiting)]
        yield waiting[0]


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    if len(tables) == 1:
        return tables[0]
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


class TableWriter:
    """Writes samples.tsv and samples.parquet, chunk by chunk, each beside the other and the caller's work."""

    def __init__(self, tsv: Path, parquet: Path, carried: Sequence[str]) -> None:
        self._columns = (*COLUMNS, *map(column_of, carried))
        kinds = {name: fact_type(name) for name in COLUMNS} | dict.fromkeys(carried, _CODED)
        self._schema = pa.schema(kinds)
        self._pool = ThreadPoolExecutor(max_workers=2)
        self._pending: list[Future[None]] = []
        self._text = tsv.open("wb")
        self._text.write(("\t".join([*COLUMNS, *map(safe_cell, carried)]) + "\n").encode())
        coded = [field.name for field in self._schema if pa.types.is_dictionary(field.type)]
        packed = {"compression": "zstd", "compression_level": 1}
        self._parquet = pq.ParquetWriter(parquet, self._schema, use_dictionary=coded, **packed)

    def write(self, table: pa.Table) -> None:
        """Add the rows of `table`, which has the columns of both files at least."""
        columns = [arrow.single(table.column(name)) for name in self._columns]
        texts = [_float_texts(each) if pa.types.is_floating(each.type) else each for each in columns]
        self._wait()
        self._pending = [self._pool.submit(write, texts) for write in (self._write_parquet, self._write_text)]

    def _wait(self) -> None:
        pending, self._pending = self._pending, []
        for written in pending:
            written.result()

    def _write_text(self, texts: Sequence[pa.Array]) -> None:
        tab, newline, nothing = (arrow.texts([text])[0] for text in ("\t", "\n", ""))
        for start in range(0, len(texts[0]), _LINES):
            cells = [text.slice(start, _LINES).cast(pa.large_string()) for text in texts]
            # a missing cell would lose the whole line
            cells = [pc.coalesce(cell, nothing) if cell.null_count else cell for cell in cells]
            cells[-1] = pc.binary_join_element_wise(cells[-1], newline, nothing)
            self._text.write(memoryview(pc.binary_join_element_wise(*cells, tab).buffers()[2]))

    def _write_parquet(self, texts: Sequence[pa.Array]) -> None:
        columns = []
        for text, field in zip(texts, self._schema, strict=True):
            if pa.types.is_floating(field.type):
                columns.append(text.dictionary.cast(pa.string()).cast(pa.float64()).take(text.indices))
            elif pa.types.is_dictionary(text.type):  # its own dictionary, whatever it was joined from
                codes = text.indices.dictionary_encode()
                own = text.dictionary.take(codes.dictionary)
                columns.append(pa.DictionaryArray.from_arrays(codes.indices, own))
            else:
                columns.append(text)
        self._parquet.write_table(pa.table(columns, schema=self._schema))

    def close(self) -> None:
        """Finish both files."""
        with self._text, self._parquet, self._pool:
            self._wait()


def _float_texts(array: pa.Array) -> pa.DictionaryArray:
    coded = array.dictionary_encode()
    values = arrow.values(coded.dictionary, np.float64).tolist()
    printed = arrow.split_lines((("%.10g\n" * len(values)) % tuple(values)).encode("ascii"))
    return pa.DictionaryArray.from_arrays(coded.indices, printed)


def write_failures(path: Path, failures: Iterable[Failure]) -> None:
    """Write failures.tsv: input, error, cure."""
    lines = ("\t".join(map(safe_cell, (item.input, item.error, item.cure))) + "\n" for item in failures)
    path.write_bytes("".join(["input\terror\tcure\n", *lines]).encode())


def any_differs(old: pa.Table, new: pa.Table, names: Iterable[str]) -> npt.NDArray[np.bool_]:
    """Return which rows of two tables of facts differ in any of these columns, as samples.tsv prints them."""
    found = np.zeros(old.num_rows, dtype=bool)
    for name in names:
        kind = FACT_SCHEMA.field(name).type
        one, other = (table.column(name) for table in (old, new))
        if pa.types.is_dictionary(kind):
            one, other = one.cast(pa.string()), other.cast(pa.string())
        unequal = pc.coalesce(pc.not_equal(one, other), pc.xor(pc.is_null(one), pc.is_null(other)))
        differs = np.array(unequal.combine_chunks().to_numpy(zero_copy_only=False), dtype=bool)
        if pa.types.is_floating(kind):  # as the tables print them: the order of a sum never shows
            places = np.flatnonzero(differs)
            cells = zip(*(column.take(places).to_pylist() for column in (one, other)), strict=True)
            differs[places] = [cell_text(was) != cell_text(now) for was, now in cells]
        found |= differs
    return found
