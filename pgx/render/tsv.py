"""A table with one row a sample, safe to open in a spreadsheet; `pgx.report.row` has its columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import astuple

from pgx.report import Run, SampleReport
from pgx.report.row import COLUMNS, cell_text, row_of


def stream(run: Run, samples: Iterable[SampleReport]) -> Iterator[str]:
    """Yield the header line and one line a sample."""
    yield "\t".join(COLUMNS) + "\n"
    for report in samples:
        yield "\t".join(map(cell_text, astuple(row_of(run, report)))) + "\n"
