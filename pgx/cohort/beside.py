"""What stands beside the stored facts of a sample: columns of the manifest, and minors by birth date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa
from msgspec import Struct

from pgx.cohort import arrow
from pgx.cohort.model import Job
from pgx.cohort.people import EVERYBODY, MINOR, born_of, has_birth_dates, is_flagged_minor
from pgx.cohort.stored import Source
from pgx.cohort.strata import column_of, plan_cells
from pgx.report import is_minor
from pgx.report.row import COLUMNS, Cell, safe_cell

_FLAGS = COLUMNS.index("flags")


class Part(Struct, frozen=True, kw_only=True):
    """Rows of a table that come from one input; `names` are those of the file, empty where nobody asks."""

    source: Source
    names: Sequence[str]
    count: int


def needs_names(job: Job) -> bool:
    """Say whether the manifest says anything by sample of an input."""
    return any(job.carried.values()) or bool(job.meta)


class PlanCells:
    """The columns that come from the plan: carried ones by sample, others the same for a whole input."""

    def __init__(self, carried: Sequence[str], dividing: Iterable[str], root: str) -> None:
        self._carried = carried
        self._plan = [name for name in dividing if name.startswith("plan:")]
        self._root = root

    def beside(self, table: pa.Table, parts: Sequence[Part]) -> pa.Table:
        """Return `table` with the columns beside it; `parts` are its rows, in order."""
        if self._carried:
            cells = [row for part in parts for row in self._cells(part)]
            for index, name in enumerate(self._carried):
                table = table.append_column(column_of(name), arrow.coded([row[index] for row in cells]))
        shared = [plan_cells(part.source.job, self._root) for part in parts]
        counts = [part.count for part in parts]
        for name in self._plan:
            table = table.append_column(name, arrow.repeated([cells[name] for cells in shared], counts))
        return table

    def _cells(self, part: Part) -> list[tuple[str, ...]]:
        carried = part.source.job.carried
        known = {
            name: tuple(safe_cell(cells.get(column, "")) for column in self._carried)
            for name, cells in carried.items()
        }
        nothing = known.get(EVERYBODY, ("",) * len(self._carried))
        return [known.get(name, nothing) for name in part.names] or [nothing] * part.count


def flagged_rows(rows: list[list[Cell]], part: Part) -> list[list[Cell]]:
    """Return fact rows, with the flag of a minor where the birth date in the manifest makes one."""
    if has_birth_dates(part.source.job):
        for row, name in zip(rows, part.names, strict=True):
            row[_FLAGS] = _flagged(part.source, name, str(row[_FLAGS] or ""))
    return rows


def flagged_table(table: pa.Table, part: Part) -> pa.Table:
    """Return a table of facts, with the flags of `flagged_rows`."""
    if not has_birth_dates(part.source.job):
        return table
    pairs = zip(part.names, table.column("flags").to_pylist(), strict=True)
    flags = arrow.coded([_flagged(part.source, name, found or "") for name, found in pairs])
    return table.set_column(table.schema.get_field_index("flags"), "flags", flags)


def _flagged(source: Source, name: str, flags: str) -> str:
    born = born_of(source.job, name)
    if born is None or is_flagged_minor(flags) or not is_minor(born, created=source.created):
        return flags
    return f"{MINOR};{flags}" if flags else MINOR
