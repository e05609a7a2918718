"""Run a cohort: what is missing is annotated, what is there is kept, and the tables are made at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from pgx.cohort.blocks import join_blocks
from pgx.cohort.outputs import Outcome, PageOptions, finish
from pgx.cohort.plan import Failure, Job, Plan
from pgx.cohort.state import Result, State, Summary
from pgx.cohort.work import ARRAYS_FROM, Batch, failed, file_digest, fingerprint, recipe, work
from pgx.errors import InputError, UsageError
from pgx.executors import Dask, Engine, Processes, Serial, Slurm, cpus, read_settings, run_all, run_alone
from pgx.single import check_options

_BATCH_MAX = 200
_BATCHES_PER_WORKER = 8
_COMMIT_EVERY = 2.0  # seconds
_BIG_FILE = 4 << 20  # bytes: such a file is a batch of its own


class CohortOptions(Struct, frozen=True, kw_only=True):
    """How a cohort is run; nothing here changes a result.

    Attributes
    ----------
    jobs
        Processes; None for all processors.
    shard
        (I, N): do the I-th of N slices of the inputs, 1-based.
    """

    engine: Literal["local", "dask"] = "local"
    jobs: int | None = None
    scheduler: str | None = None
    slurm: dict[str, str] | None = None
    shard: tuple[int, int] = (1, 1)
    verify: bool = False
    fail_fast: bool = False
    arrays_from: int = ARRAYS_FROM
    page: PageOptions = PageOptions()


class Progress(Struct, frozen=True, kw_only=True):
    """How far a run is: inputs to do in all, done before, done now, of those failed; samples so far.

    `waiting` is a line on what is awaited while no worker is there.
    """

    total: int
    kept: int
    done: int
    failed: int
    samples: int
    waiting: str = ""


def run_cohort(
    plan: Plan,
    folder: Path,
    options: CohortOptions,
    *,
    tell: Callable[[Progress], None] = lambda _: None,
    engine: Engine | None = None,
) -> Outcome:
    """Annotate all inputs of `plan` into `folder`, and write its tables.

    Raises
    ------
    OutputError
        The folder cannot be written, or another run works in it. What was done stays stored.
    InputError
        With `fail_fast`: the first input that fails.
    """
    number, of = options.shard
    if not 1 <= number <= of:
        raise UsageError("no such slice", where=f"--shard {number}/{of}", cure="Give 1/N to N/N")
    _check_engine(options)
    for job in plan.jobs:
        if job.failure is None:
            check_options(job.options)
    positions = range(number - 1, len(plan.jobs), of)
    with State(folder) as state:
        _check_same_shard(state, plan, number, of)
        meta = {
            "shard": f"{number}/{of}",
            "plan_digest": plan.digest,
            "plan_size": str(len(plan.jobs)),
        }
        state.set_plan(plan, positions, meta)
        jobs = [plan.jobs[position] for position in positions]
        kept = _annotate_missing(state, jobs, options, tell, engine)
        join_blocks(state, jobs, arrays_from=options.arrays_from)
        return finish(state, folder, options.page, kept=kept)


def _check_same_shard(state: State, plan: Plan, number: int, of: int) -> None:
    before = state.meta("shard")
    if before not in {None, f"{number}/{of}"} and state.meta("plan_digest") == plan.digest and of > 1:
        raise UsageError(
            f"the folder holds slice {before} of these inputs",
            where=str(state.path.parent),
            cure="Give each slice a folder of its own, and join them with pgx merge",
        )


def _annotate_missing(
    state: State,
    jobs: Sequence[Job],
    options: CohortOptions,
    tell: Callable[[Progress], None],
    engine: Engine | None,
) -> int:
    known = state.summaries()
    missing = [job for job in jobs if not _is_current(job, known.get(job.key), verify=options.verify)]
    kept = len(jobs) - len(missing)
    counts = {"done": 0, "failed": 0, "samples": sum(known[j.key].samples for j in jobs if j.key in known)}

    def progress(waiting: str = "") -> Progress:
        return Progress(total=len(jobs), kept=kept, waiting=waiting, **counts)

    def tell_waiting(line: str) -> None:
        tell(progress(line))

    tell(progress())
    if not missing:
        return kept
    own = engine is None
    started = engine or _engine(options, missing)
    pending: list[Result] = []
    last = time.monotonic()
    try:
        batches = _batches(missing, started, options)
        for batch, outcome in run_all(started, work, batches, tell=tell_waiting):
            results = (
                [failed(job, _death(job, outcome)) for job in batch.jobs]
                if isinstance(outcome, Exception)
                else outcome
            )
            if isinstance(outcome, Exception) and len(batch.jobs) > 1:
                results = _singly(started, batch, tell_waiting)
            pending += results
            counts["done"] += len(results)
            counts["failed"] += sum(result.failure is not None for result in results)
            counts["samples"] += sum(result.samples for result in results)
            first_bad = next((result for result in results if result.failure is not None), None)
            if time.monotonic() - last > _COMMIT_EVERY or (options.fail_fast and first_bad):
                state.store(pending)
                pending.clear()
                last = time.monotonic()
            tell(progress())
            if options.fail_fast and first_bad is not None and first_bad.failure is not None:
                raise InputError(
                    first_bad.failure.error, where=first_bad.failure.input, cure=first_bad.failure.cure
                )
    finally:
        state.store(pending)
        if own:
            started.close()
    return kept


def _singly(engine: Engine, batch: Batch, tell: Callable[[str], None]) -> list[Result]:
    """Do a batch whose worker died input by input, so that only the culprit fails."""
    results: list[Result] = []
    for job in batch.jobs:
        outcome = run_alone(engine, work, msgspec.structs.replace(batch, jobs=(job,)), tell=tell)
        results += [failed(job, _death(job, outcome))] if isinstance(outcome, Exception) else outcome
    return results


def _death(job: Job, error: Exception) -> Failure:
    return Failure(
        input=job.path,
        error=f"the worker died over it ({type(error).__name__})",
        cure="Check the memory of the machine, and give the same command again",
    )


def _is_current(job: Job, known: Summary | None, *, verify: bool) -> bool:
    """Say whether a stored result still holds. A failure is tried again each time."""
    if known is None or known.failure is not None or known.recipe != recipe(job.options):
        return False
    if known.fingerprint != fingerprint(job.path):
        return False
    return not verify or (known.digest != "" and known.digest == file_digest(job.path))


def _check_engine(options: CohortOptions) -> None:
    """Refuse what cannot work before anything is written."""
    if options.slurm is None:
        return
    if options.scheduler or options.jobs is not None:
        other = "--scheduler" if options.scheduler else "--jobs"
        raise UsageError(
            f"says something else than {other}", where="--slurm", cure="Give one; jobs=N is how many jobs"
        )
    read_settings(options.slurm)


def _engine(options: CohortOptions, missing: Sequence[Job]) -> Engine:
    if options.slurm is not None:
        return Slurm(options.slurm)
    if options.engine == "dask" or options.scheduler:
        return Dask(jobs=options.jobs, scheduler=options.scheduler)
    jobs = min(options.jobs or cpus(), len(missing))
    return Serial() if jobs <= 1 else Processes(jobs)


def _batches(jobs: Sequence[Job], engine: Engine, options: CohortOptions) -> Iterator[Batch]:
    """Cut the inputs into batches: few enough to cost little, many enough to keep every worker busy."""

    def fitting() -> int:  # anew for each batch: workers may join later
        return max(1, min(_BATCH_MAX, -(-len(jobs) // (engine.width * _BATCHES_PER_WORKER))))

    size = fitting()
    small: list[Job] = []
    for job in jobs:
        if _size(job.path) >= _BIG_FILE:
            yield Batch(jobs=(job,), verify=options.verify, arrays_from=options.arrays_from)
            continue
        small.append(job)
        if len(small) == size:
            yield Batch(jobs=tuple(small), verify=options.verify, arrays_from=options.arrays_from)
            small.clear()
            size = fitting()
    if small:
        yield Batch(jobs=tuple(small), verify=options.verify, arrays_from=options.arrays_from)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
