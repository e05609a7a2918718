"""Join the slices of a cohort that were done apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from pgx.cohort.jobs import Slice
from pgx.cohort.store import PlannedRow, State
from pgx.cohort.summary.strata import check_columns
from pgx.cohort.tables.finalise import Outcome, finish, refuse_foreign
from pgx.errors import UsageError
from pgx.options import PageOptions

_SAME = "Give slices of one command line, made with the same files of options, evidence and version"


def merge(folders: Sequence[Path], output: Path, page: PageOptions) -> Outcome:
    """Join folders that `pgx cohort --shard` wrote into the folder `output`, and write its tables.

    Raises
    ------
    UsageError
        The folders are not slices of the same inputs under the same conditions, one is missing or not done,
        two hold the same, or a column cannot divide the cohort.
    OutputError
        `output` cannot be written.
    """
    rows: dict[int, PlannedRow] = {}
    slices: list[Slice] = []
    carried: tuple[str, ...] = ()
    pedigree: tuple[tuple[str, str, str, str], ...] = ()
    for folder in folders:
        if folder.resolve() == output.resolve():
            raise UsageError("is a slice itself", where=str(output), cure="Give another folder after -o")
        with State(folder, create=False) as state:
            slices.append(_slice_of(state, folder))
            carried = state.meta("carried", tuple[str, ...]) or ()
            pedigree = state.meta("pedigree", tuple[tuple[str, str, str, str], ...]) or ()
            own = {row.position: row for row in state.plan()}
        if rows.keys() & own.keys():
            raise UsageError("holds inputs that another slice has too", where=str(folder), cure=_SAME)
        rows |= own
    _check_slices(slices, rows, folders)
    jobs = [rows[position].job for position in sorted(rows)]
    check_columns(page.by, jobs, carried)
    refuse_foreign(output)
    with State(output) as state:
        whole = replace(slices[0], number=1, of=1)
        ordered = (rows[position] for position in sorted(rows))
        state.set_plan(ordered, slice=whole, carried=carried, pedigree=pedigree)
        for folder in folders:
            with State(folder, create=False) as other:
                state.take_over(other, {row.key for row in other.plan()})
        known = state.known()
        kept = sum(not known[row.key].failures for row in rows.values())
        return finish(state, output, page, kept=kept)


def _slice_of(state: State, folder: Path) -> Slice:
    found = state.meta("slice", Slice)
    if found is None or not state.meta("finished", bool):
        raise UsageError("is not done yet", where=str(folder), cure="Give the command of this slice again")
    return found


def _check_slices(slices: Sequence[Slice], rows: dict[int, PlannedRow], folders: Sequence[Path]) -> None:
    where = ", ".join(map(str, folders))
    if len({(item.plan_digest, item.plan_size) for item in slices}) != 1:
        raise UsageError("the folders are slices of different inputs or options", where=where, cure=_SAME)
    if len({item.conditions for item in slices}) != 1:
        raise UsageError(
            "the slices were made with different evidence, reference data, BED file or version of pgx",
            where=where,
            cure="Give the commands of the older slices again",
        )
    size = slices[0].plan_size
    missing = size - len(rows)
    if missing:
        raise UsageError(
            f"{missing} of {size} inputs belong to slices that were not given",
            where=where,
            cure="Give all slices, 1/N to N/N",
        )
