"""The facts of a sample for tables and summary, and the tables themselves: text and Parquet, in input order.

A fact row is a list: the cells of `pgx.render.tsv` and, behind them, what only the summary needs.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec.structs import astuple

from pgx.cohort.jobs import Failure, shared_part, text_digest
from pgx.cohort.summary.strata import column_of
from pgx.cohort.tables import arrow
from pgx.render.tsv import COLUMNS, Cell, Row, cell_text, cells_of, kinds, safe_cell
from pgx.report import PatientReport, Run, SampleReport, severities
from pgx.wording import wording


class Facts(Row, frozen=True, kw_only=True):
    """A row with what only the summary needs.

    Attributes
    ----------
    state_1, depth_1, quality_1
        Of the first site; `_2` of the second.
    best
        The most probable diplotype; None where no site was used: it is then that of the population.
    reasons
        Why something is not determined.
    said, worded
        Digests of what the evidence says, and of the sentences of the flags and limits: `pgx recheck` tells
        by them what else of a report is another.
    """

    state_1: str
    state_2: str
    depth_1: int | None
    depth_2: int | None
    quality_1: float | None
    quality_2: float | None
    best: str | None
    reasons: str
    said: str
    worded: str


_KINDS = kinds(Facts)
FACTS = Facts.__struct_fields__
#: Samples of a block as a large input is stored, and of a chunk as the tables are written.
CHUNK = 1 << 17
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
    first, second = report.sites
    genotype = report.genotype
    cells = cells_of(run, report)
    facts = Facts(
        **cells,
        state_1=first.state,
        state_2=second.state,
        depth_1=first.depth,
        depth_2=second.depth,
        quality_1=first.genotype_quality,
        quality_2=second.genotype_quality,
        best=genotype.best_diplotype if any(site.basis is not None for site in report.sites) else None,
        reasons=";".join(genotype.not_determined_because),
        said=_said(shared_part(report.response)[0], shared_part(report.context)[0], report.patient),
        worded=_worded(cells["flags"]),
    )
    return astuple(facts)


@functools.lru_cache(maxsize=1024)
def _said(response: str, context: str, patient: PatientReport) -> str:
    return text_digest(response, context, msgspec.json.encode(patient).decode())


@functools.lru_cache(maxsize=4096)
def _worded(flags: str) -> str:
    """Return a digest of the sentences of flag codes, joined by ";", and of the limits that reports state."""
    sentences = sentence_digests()
    return text_digest(*(sentences[code] for code in ("", *filter(None, flags.split(";")))))


@functools.cache
def sentence_digests() -> dict[str, str]:
    """Return a digest of what reports say of each flag code, and under "" of the limits that they state."""
    flags, limits = (wording().topics[topic] for topic in ("flag", "limits"))
    said = {
        code: (severity, *(flags.get(code + ending, "") for ending in ("", "-info")))
        for code, severity in severities().items()
    }
    return {code: text_digest(*texts) for code, texts in {**said, "": tuple(limits.values())}.items()}


def fact_table(rows: Sequence[Sequence[object]]) -> pa.Table:
    """Return fact rows as a table of `FACT_SCHEMA`."""
    columns = list(zip(*rows, strict=True)) or [()] * len(FACTS)
    return pa.table(
        [_array(column, fact_type(name)) for name, column in zip(FACTS, columns, strict=True)],
        schema=FACT_SCHEMA,
    )


def _array(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return arrow.coded(cast("Sequence[str | None]", values))
    if pa.types.is_string(kind):
        return arrow.texts(cast("Sequence[str]", values)).cast(pa.string())
    return arrow.optional_numbers(cast("Sequence[float | None]", values), kind)


def to_bytes(table: pa.Table) -> bytes:
    """Return a table as an Arrow stream, packed."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def from_bytes(data: bytes) -> pa.Table:
    """Return the table that `to_bytes` packed."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


def output_schema(carried: Sequence[str]) -> pa.Schema:
    """Return the schema of samples.parquet."""
    fields = [(name, fact_type(name)) for name in COLUMNS]
    return pa.schema([*fields, *((name, _CODED) for name in carried)])


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
        self._schema = output_schema(carried)
        self._pool = ThreadPoolExecutor(max_workers=2)
        self._pending: list[Future[None]] = []
        self._text = tsv.open("wb")
        self._text.write(("\t".join([*COLUMNS, *map(safe_cell, carried)]) + "\n").encode())
        coded = [field.name for field in self._schema if pa.types.is_dictionary(field.type)]
        self._parquet = pq.ParquetWriter(
            parquet, self._schema, compression="zstd", compression_level=1, use_dictionary=coded
        )

    def write(self, table: pa.Table) -> None:
        """Add the rows of `table`, which has the columns of both files at least."""
        columns = [arrow.single(table.column(name)) for name in self._columns]
        texts = [_float_texts(each) if pa.types.is_floating(each.type) else each for each in columns]
        self._wait()
        self._pending = [self._pool.submit(write, texts) for write in (self._write_parquet, self._write_text)]

    def _wait(self) -> None:
        """Wait until the chunk before is written; raise what went wrong with it."""
        pending, self._pending = self._pending, []
        for written in pending:
            written.result()

    def _write_text(self, texts: Sequence[pa.Array]) -> None:
        for start in range(0, len(texts[0]), _LINES):
            self._text.write(_lines(text.slice(start, _LINES) for text in texts))

    def _write_parquet(self, texts: Sequence[pa.Array]) -> None:
        columns = [
            text.dictionary.cast(pa.string()).cast(pa.float64()).take(text.indices)
            if pa.types.is_floating(field.type)
            else _recoded(text)
            for text, field in zip(texts, self._schema, strict=True)
        ]
        self._parquet.write_table(pa.table(columns, schema=self._schema))

    def close(self) -> None:
        """Finish both files."""
        with self._text, self._parquet, self._pool:
            self._wait()


def _recoded(array: pa.Array) -> pa.Array:
    """Return a column with its own dictionary in order of appearance, whatever it was joined from."""
    if not pa.types.is_dictionary(array.type):
        return array
    codes = array.indices.dictionary_encode()
    return pa.DictionaryArray.from_arrays(codes.indices, array.dictionary.take(codes.dictionary))


def _float_texts(array: pa.Array) -> pa.DictionaryArray:
    """Return numbers as the table prints them, each different one once."""
    coded = array.dictionary_encode()
    values = arrow.values(coded.dictionary, np.float64).tolist()
    printed = arrow.split_lines((("%.10g\n" * len(values)) % tuple(values)).encode("ascii"))
    return pa.DictionaryArray.from_arrays(coded.indices, printed)


def _lines(columns: Iterable[pa.Array]) -> memoryview:
    """Return columns as the lines of a table; null is empty."""
    tab, newline, nothing = (arrow.texts([text])[0] for text in ("\t", "\n", ""))
    cells = [column.cast(pa.large_string()) for column in columns]
    # a missing cell would lose the whole line
    cells = [pc.coalesce(cell, nothing) if cell.null_count else cell for cell in cells]
    cells[-1] = pc.binary_join_element_wise(cells[-1], newline, nothing)
    return memoryview(pc.binary_join_element_wise(*cells, tab).buffers()[2])


def write_failures(path: Path, failures: Iterable[Failure]) -> None:
    """Write failures.tsv: input, error, cure."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        handle.write("input\terror\tcure\n")
        for item in failures:
            handle.write("\t".join(safe_cell(cell) for cell in (item.input, item.error, item.cure)) + "\n")


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
