"""From the stored results to the files of the cohort folder, in input order, whatever order they came in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
from msgspec import Struct

from pgx.cohort.beside import Minors, PlanCells
from pgx.cohort.files import replacing, write_text
from pgx.cohort.model import Failure, Summary
from pgx.cohort.options import PageOptions
from pgx.cohort.rules import page_limits
from pgx.cohort.state import PlannedRow, State
from pgx.cohort.stored import Source, sources
from pgx.cohort.strata import OF_FILES, Dividing, Planned, choose, common_folder
from pgx.cohort.summary import Overview, summarise
from pgx.cohort.table import TableWriter, chunked, fact_table, from_bytes, write_failures
from pgx.cohort.tally import Tally
from pgx.render import cohort_html

_ROWS = 5000
_NOT_DONE = Failure(input="", error="was not annotated yet", cure="Give the same command again")


class Outcome(Struct, frozen=True, kw_only=True):
    """What a run left.

    Attributes
    ----------
    kept
        Inputs whose stored result still held.
    joined
        Sets of inputs that were joined by sample, each a text that names them.
    duplicates
        Names of samples that came more than once, the first of them.
    alarms
        Sentences by code.
    """

    inputs: int
    kept: int
    failed: int
    samples: int
    joined: tuple[str, ...]
    duplicated: int
    duplicates: tuple[str, ...]
    alarms: Mapping[str, Sequence[str]]


def finish(state: State, folder: Path, page: PageOptions, *, kept: int = 0) -> Outcome:
    """Write all tables and the page from what is stored.

    Raises
    ------
    OutputError
        A file cannot be written; the stored results stay.
    """
    plan = list(state.plan())
    known = state.summaries()
    carried = state.carried()
    failures = [item for row in plan if (item := _failure(row, known.get(row.key))) is not None]
    failures += state.join_failures()
    shown = list(sources(state, plan, known))
    dividing = _dividing(plan, known, carried, page)
    tally = Tally(
        dividing,
        inputs=len(plan),
        rows=page_limits().max_table if page.sample_table and not page.min_cell else 0,
    )
    _write_tables(folder, _tables(state, shown, carried, dividing), carried, tally)
    write_failures(folder / "failures.tsv", ((item.input, item.error, item.cure) for item in failures))
    joined = tuple(known[source.key].path for source in shown if source.is_joined)
    overview = Overview(
        inputs=len(plan), failures=failures, joined=joined, shard=state.meta("shard") or "1/1"
    )
    summary = summarise(tally, overview, least=page.min_cell)
    write_text(folder / "summary.json", _pretty(summary))
    write_text(folder / "pgx_mqc.json", _pretty(cohort_html.multiqc(summary)))
    write_text(folder / "index.html", cohort_html.page(summary))
    return Outcome(
        inputs=len(plan),
        kept=kept,
        failed=len(failures),
        samples=tally.samples,
        joined=joined,
        duplicated=tally.duplicated,
        duplicates=tuple(dict.fromkeys(item.sample for item in tally.duplicates)),
        alarms=_by_code(summary["alarms"]),
    )


def _by_code(alarms: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for alarm in alarms:
        found.setdefault(alarm["code"], []).append(alarm["message"])
    return found


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode() + "\n"


def _failure(row: PlannedRow, known: Summary | None) -> Failure | None:
    if known is None:
        return msgspec.structs.replace(_NOT_DONE, input=row.job.path)
    return known.failure


def _dividing(
    plan: Sequence[PlannedRow], known: dict[str, Summary], carried: Sequence[str], page: PageOptions
) -> tuple[Dividing, ...]:
    """Return the columns that divide the cohort; names of files divide no page that is shared."""
    inputs = [
        Planned(job=row.job, samples=result.samples, assembly=result.assembly)
        for row in plan
        if (result := known.get(row.key)) is not None and result.failure is None
    ]
    found = choose(inputs, carried, page.by)
    return tuple(item for item in found if not (page.min_cell and item.column in OF_FILES))


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
    state: State, shown: Sequence[Source], carried: Sequence[str], dividing: Sequence[Dividing]
) -> Iterator[pa.Table]:
    """Yield the facts of all samples with the columns that come from the plan, in order."""
    cells = PlanCells(
        carried, [item.column for item in dividing], common_folder(source.job for source in shown)
    )
    rows: list[list[object]] = []
    parts: list[tuple[Source, int]] = []
    for source in shown:
        small = [msgspec.json.decode(data) for data in state.facts(source.key)]
        if small:
            rows += Minors(state, source).in_rows(small)
            parts.append((source, len(small)))
        if rows and (len(rows) >= _ROWS or not small):
            yield cells.beside(fact_table(rows), parts)
            rows, parts = [], []
        if not small:
            minors = Minors(state, source)
            for data in state.block_facts(source.key):
                table = minors.in_table(from_bytes(data))
                yield cells.beside(table, [(source, table.num_rows)])
    yield cells.beside(fact_table(rows), parts)
