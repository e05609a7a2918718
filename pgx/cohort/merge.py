"""Join the slices of a cohort that were done apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from pgx.cohort.blocks import join_blocks
from pgx.cohort.model import Job
from pgx.cohort.options import PageOptions
from pgx.cohort.outputs import Outcome, finish
from pgx.cohort.state import State
from pgx.cohort.strata import check_columns
from pgx.cohort.work import ARRAYS_FROM
from pgx.errors import UsageError


def merge(folders: Sequence[Path], output: Path, page: PageOptions) -> Outcome:
    """Join folders that `pgx cohort --shard` wrote into the folder `output`, and write its tables.

    Raises
    ------
    UsageError
        The folders are not slices of the same inputs, one is missing, or a column cannot divide the cohort.
    OutputError
        `output` cannot be written.
    """
    rows: dict[int, tuple[object, ...]] = {}
    jobs: list[Job] = []
    plans: set[str | None] = set()
    carried = "[]"
    size = 0
    for folder in folders:
        if folder.resolve() == output.resolve():
            raise UsageError("is a slice itself", where=str(output), cure="Give another folder after -o")
        with State(folder, create=False) as state:
            plans.add(state.meta("plan_digest"))
            size = int(state.meta("plan_size") or 0)
            carried = state.meta("carried") or "[]"
            rows |= {int(str(row[0])): row for row in state.plan_rows()}
            jobs += [row.job for row in state.plan()]
    if len(plans) != 1:
        raise UsageError(
            "the folders are slices of different inputs or options",
            where=", ".join(map(str, folders)),
            cure="Give slices of one command line",
        )
    missing = sorted(set(range(size)) - set(rows))
    if missing:
        raise UsageError(
            f"{len(missing)} of {size} inputs belong to slices that were not given",
            where=", ".join(map(str, folders)),
            cure="Give all slices, 1/N to N/N",
        )
    check_columns(page.by, jobs, msgspec.json.decode(carried))
    with State(output) as state:
        meta = {
            "shard": "1/1",
            "plan_digest": str(plans.pop()),
            "plan_size": str(size),
            "carried": carried,
        }
        state.set_rows([rows[position] for position in sorted(rows)], meta)
        for folder in folders:
            state.take_over(State.file_of(folder))
        join_blocks(state, [row.job for row in state.plan()], arrays_from=ARRAYS_FROM)
        return finish(state, output, page, kept=len(rows))
