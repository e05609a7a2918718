"""What stands beside the stored facts of a sample: columns of the manifest, and minors by birth date.

Samples are found by their cell in samples.tsv, for large and small inputs alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from pgx.cohort import arrow
from pgx.cohort.model import Job
from pgx.cohort.people import births_by_cell
from pgx.cohort.state import State
from pgx.cohort.stored import Source, run_of
from pgx.cohort.strata import POPULATION, column_of, plan_cells
from pgx.render.tsv import COLUMNS, safe_cell
from pgx.report import is_minor

_FLAGS = COLUMNS.index("flags")
_MINOR = "minor"


class PlanCells:
    """The columns that come from the plan: carried ones by sample, others the same for a whole input."""

    def __init__(self, carried: Sequence[str], dividing: Iterable[str], root: str) -> None:
        self._carried = carried
        self._plan = dict.fromkeys([POPULATION, *(name for name in dividing if name.startswith("plan:"))])
        self._root = root

    def beside(self, table: pa.Table, parts: Sequence[tuple[Source, int]]) -> pa.Table:
        """Return `table` with the columns beside it; `parts` are the inputs of its rows, in order."""
        if self._carried:
            names = table.column("sample").to_pylist()
            cells = self._cells(names, parts)
            for index, name in enumerate(self._carried):
                table = table.append_column(column_of(name), arrow.coded([row[index] for row in cells]))
        shared = [plan_cells(source.job, self._root) for source, _ in parts]
        counts = [count for _, count in parts]
        for name in self._plan:
            table = table.append_column(name, arrow.repeated([cells[name] for cells in shared], counts))
        return table

    def _cells(self, names: Sequence[str], parts: Sequence[tuple[Source, int]]) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = []
        for source, count in parts:
            known = _carried_by_cell(source.job, self._carried)
            nothing = known.get("", ("",) * len(self._carried))
            found += [known.get(name, nothing) for name in names[len(found) : len(found) + count]]
        return found


def _carried_by_cell(job: Job, carried: Sequence[str]) -> dict[str, tuple[str, ...]]:
    return {
        safe_cell(name): tuple(safe_cell(cells.get(column, "")) for column in carried)
        for name, cells in job.carried.items()
    }


class Minors:
    """Who of an input is a minor by the birth dates of the manifest, on the day of the annotation."""

    def __init__(self, state: State, source: Source) -> None:
        births = births_by_cell(source.job)
        created = run_of(state, source).created if births else ""
        self._minor = {cell for cell, born in births.items() if is_minor(born, created=created)}
        self._everybody = "" in self._minor

    def __bool__(self) -> bool:
        return bool(self._minor)

    def flagged(self, sample: str, flags: str) -> str:
        """Return the flags of a sample, with the one that its birth date gives it."""
        if not (self._everybody or sample in self._minor) or _MINOR in flags.split(";"):
            return flags
        return f"{_MINOR};{flags}" if flags else _MINOR

    def in_rows(self, rows: list[list[object]]) -> list[list[object]]:
        """Return fact rows with these flags."""
        if self:
            for row in rows:
                row[_FLAGS] = self.flagged(str(row[0]), str(row[_FLAGS] or ""))
        return rows

    def in_table(self, table: pa.Table) -> pa.Table:
        """Return a table of facts with these flags."""
        if not self:
            return table
        pairs = zip(table.column("sample").to_pylist(), table.column("flags").to_pylist(), strict=True)
        flags = arrow.coded([self.flagged(name, found or "") for name, found in pairs])
        return table.set_column(table.schema.get_field_index("flags"), "flags", flags)
