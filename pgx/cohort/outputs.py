"""From the stored results to the files of the cohort folder, in input order, whatever order they came in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
from msgspec import Struct

from pgx.cohort import arrow
from pgx.cohort.files import replacing, write_text
from pgx.cohort.plan import Failure
from pgx.cohort.rules import page_limits
from pgx.cohort.state import PlannedRow, State, Summary
from pgx.cohort.summary import summarise
from pgx.cohort.table import (
    TableWriter,
    chunked,
    fact_table,
    from_bytes,
    write_failures,
)
from pgx.cohort.tally import Tally
from pgx.render import cohort_html
from pgx.render.tsv import safe_cell

_ROWS = 5000
_NOT_DONE = Failure(input="", error="was not annotated yet", cure="Give the same command again")


class PageOptions(Struct, frozen=True, kw_only=True):
    """What the page shows; nothing here changes the tables.

    Attributes
    ----------
    by
        Manifest columns that divide the cohort; empty for all with few enough values.
    min_cell
        Counts below it are hidden, and everything about single samples is left out; 0 for no limit.
    population
        The one whose frequencies are expected; None for the default.
    """

    by: tuple[str, ...] = ()
    sample_table: bool = False
    min_cell: int = 0
    population: str | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """What a run left.

    Attributes
    ----------
    kept
        Inputs whose stored result still held.
    duplicates
        Names of samples that came more than once, the first of them.
    """

    inputs: int
    kept: int
    failed: int
    samples: int
    duplicated: int
    duplicates: tuple[str, ...]
    alarms: tuple[str, ...]


def finish(state: State, folder: Path, page: PageOptions, *, kept: int = 0) -> Outcome:
    """Write all tables and the page from what is stored.

    Raises
    ------
    OutputError
        A file cannot be written; the stored results stay.
    """
    plan = list(state.plan())
    known = state.summaries()
    joined = msgspec.json.decode(state.meta("joined") or "{}", type=dict[str, str])
    carried = state.carried()
    failures = [item for row in plan if (item := _failure(row, known.get(row.key))) is not None]
    tally = Tally(
        _dividing(plan, carried, page.by),
        inputs=len(plan),
        rows=page_limits().max_table if page.sample_table and not page.min_cell else 0,
    )
    _write_tables(folder, _tables(state, plan, known, joined, carried), carried, tally)
    write_failures(folder / "failures.tsv", ((item.input, item.error, item.cure) for item in failures))
    summary = summarise(tally, failures, inputs=len(plan), shard=state.meta("shard") or "1/1", page=page)
    write_text(folder / "summary.json", _pretty(summary))
    write_text(folder / "pgx_mqc.json", _pretty(cohort_html.multiqc(summary)))
    write_text(folder / "index.html", cohort_html.page(summary))
    return Outcome(
        inputs=len(plan),
        kept=kept,
        failed=len(failures),
        samples=tally.samples,
        duplicated=tally.duplicated,
        duplicates=tuple(dict.fromkeys(item.sample for item in tally.duplicates)),
        alarms=tuple(alarm["message"] for alarm in summary["alarms"]),
    )


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode() + "\n"


def _failure(row: PlannedRow, known: Summary | None) -> Failure | None:
    if known is None:
        return msgspec.structs.replace(_NOT_DONE, input=row.job.path)
    return known.failure


def _dividing(plan: Sequence[PlannedRow], carried: Sequence[str], by: Sequence[str]) -> tuple[str, ...]:
    """Return the manifest columns that divide the cohort: those asked for, else all with few values."""
    if by:
        return tuple(name for name in by if name in carried)
    values: dict[str, set[str]] = {name: set() for name in carried}
    limit = page_limits().max_strata
    for row in plan:
        for cells in row.job.carried.values():
            for name, found in values.items():
                if len(found) <= limit:
                    found.add(cells.get(name, ""))
    return tuple(name for name, found in values.items() if 1 < len(found) <= limit)


def _write_tables(folder: Path, tables: Iterator[pa.Table], carried: Sequence[str], tally: Tally) -> None:
    tsv, parquet = folder / "samples.tsv", folder / "samples.parquet"
    with (
        replacing(tsv) as text,
        replacing(parquet) as binary,
        contextlib.closing(TableWriter(text, binary, carried)) as writer,
    ):
        for table in chunked(tables):
            tally.add(table)
            writer.write(table)


def _tables(
    state: State,
    plan: Sequence[PlannedRow],
    known: Mapping[str, Summary],
    joined: Mapping[str, str],
    carried: Sequence[str],
) -> Iterator[pa.Table]:
    """Yield the facts of all samples with the carried columns, in order."""
    rows: list[list[object]] = []
    extra: list[tuple[str, ...]] = []
    shown: set[str] = set()
    for planned in plan:
        key = joined.get(planned.key, planned.key)
        result = known.get(key)
        if result is None or result.failure is not None or key in shown:
            continue
        if key != planned.key:
            shown.add(key)
        small = [msgspec.json.decode(data) for data in state.facts(key)]
        if small:
            rows += small
            extra += [_cells(planned, str(row[0]), carried) for row in small]
        if rows and (len(rows) >= _ROWS or not small):
            yield _with_carried(fact_table(rows), extra, carried)
            rows, extra = [], []
        if not small:
            for data in state.block_facts(key):
                table = from_bytes(data)
                names = table.column("sample").to_pylist() if carried else ()
                yield _with_carried(table, [_cells(planned, name, carried) for name in names], carried)
    yield _with_carried(fact_table(rows), extra, carried)


def _cells(planned: PlannedRow, name: str, carried: Sequence[str]) -> tuple[str, ...]:
    cells = planned.job.carried.get(name) or planned.job.carried.get("") or {}
    return tuple(safe_cell(cells.get(column, "")) for column in carried)


def _with_carried(table: pa.Table, cells: Sequence[tuple[str, ...]], carried: Sequence[str]) -> pa.Table:
    for index, name in enumerate(carried):
        table = table.append_column(name, arrow.coded([row[index] for row in cells]))
    return table
