"""Run a cohort: what is missing is annotated, what is there is kept, and the tables are made at the end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

from pgx.cohort.gather import annotate_missing
from pgx.cohort.model import Plan, Slice, text_digest
from pgx.cohort.outputs import Outcome, finish, refuse_foreign
from pgx.cohort.progress import Progress
from pgx.cohort.state import State, planned
from pgx.cohort.strata import check_columns
from pgx.cohort.work import recipe
from pgx.errors import UsageError
from pgx.executors import Dask, Engine, Processes, Serial, cpus
from pgx.options import CohortOptions
from pgx.single import check_options


def run_cohort(
    plan: Plan,
    folder: Path,
    options: CohortOptions,
    *,
    tell: Callable[[Progress], None] = lambda _: None,
    engine: Engine | None = None,
) -> Outcome:
    """Annotate all inputs of `plan` into `folder`, and write its tables.

    `engine` does the work instead of the one that `options` ask for; it is the caller's to close.

    Raises
    ------
    UsageError
        Options that cannot be, before anything is written.
    OutputError
        The folder cannot be written, or another run works in it. What was done stays stored.
    InputError
        With `fail_fast`: the first input that fails.
    """
    _check(plan, options)
    refuse_foreign(folder)
    number, of = options.shard
    with State(folder) as state:
        _check_same_shard(state, plan, number, of)
        rows = list(planned(plan, range(number - 1, len(plan.jobs), of)))
        made_with = sorted({recipe(job.options) for job in plan.jobs})
        slice_ = Slice(
            number=number,
            of=of,
            plan_digest=plan.digest,
            plan_size=len(plan.jobs),
            conditions=text_digest(*made_with),
        )
        state.set_plan(rows, slice=slice_, carried=plan.carried)
        jobs = [row.job for row in rows]

        def started(inputs: int) -> AbstractContextManager[Engine]:
            return nullcontext(engine) if engine is not None else closing(_engine(options, inputs))

        kept = annotate_missing(state, jobs, options, tell, started)
        return finish(state, folder, options.page, kept=kept)


def _check(plan: Plan, options: CohortOptions) -> None:
    """Refuse what cannot work before anything is written."""
    number, of = options.shard
    if not 1 <= number <= of:
        raise UsageError("no such slice", where=f"--shard {number}/{of}", cure="Give 1/N to N/N")
    for own in {job.options for job in plan.jobs if job.failure is None}:
        check_options(own)
    check_columns(options.page.by, plan.jobs, plan.carried)


def _check_same_shard(state: State, plan: Plan, number: int, of: int) -> None:
    before = state.meta("slice", Slice)
    if before is None or before.plan_digest != plan.digest or of == 1:
        return
    if (before.number, before.of) != (number, of):
        raise UsageError(
            f"the folder holds slice {before.number}/{before.of} of these inputs",
            where=str(state.path.parent),
            cure="Give each slice a folder of its own, and join them with pgx merge",
        )


def _engine(options: CohortOptions, inputs: int) -> Engine:
    if options.engine == "dask" or options.scheduler:
        return Dask(jobs=options.jobs, scheduler=options.scheduler)
    jobs = min(options.jobs or cpus(), inputs)
    return Serial() if jobs <= 1 else Processes(jobs)
