"""Run a cohort: what is missing is annotated, what is there is kept, and the tables are made at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from pgx.cohort.blocks import join_blocks
from pgx.cohort.model import Failure, Job, Plan, Result, Summary
from pgx.cohort.outputs import Outcome, PageOptions, finish
from pgx.cohort.people import whose_is_unclear
from pgx.cohort.state import State
from pgx.cohort.strata import check_columns
from pgx.cohort.work import ARRAYS_FROM, Batch, failed, file_digest, fingerprint, recipe, work
from pgx.errors import InputError, UsageError
from pgx.executors import Dask, Engine, Processes, Serial, cpus, run_all
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
    """How far a run is.

    Attributes
    ----------
    total, kept, done, failed
        Inputs: in all, done before, done now, and of the latter failed.
    samples
        Samples so far.
    statuses
        Of these, by e4 status.
    """

    total: int
    kept: int
    done: int = 0
    failed: int = 0
    samples: int = 0
    statuses: Mapping[str, int] = msgspec.field(default_factory=dict)


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
    for own in {job.options for job in plan.jobs if job.failure is None}:
        check_options(own)
    check_columns(options.page.by, plan.jobs, plan.carried)
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
    """Do what no stored result answers, store it as it comes, and return how many inputs were kept."""
    known = state.summaries()
    current = _current(jobs, known, verify=options.verify)
    missing = [job for job in jobs if job.key not in current]
    kept = len(jobs) - len(missing)
    count = _Count(len(jobs), [known[job.key] for job in jobs if job.key in current])
    tell(count.progress())
    if not missing:
        return kept
    started = engine or _engine(options, missing)
    pending: list[Result] = []
    last = time.monotonic()
    try:
        for results in _results(started, missing, options):
            pending += results
            count.add(results)
            bad = next((result.failure for result in results if result.failure is not None), None)
            stop = options.fail_fast and bad is not None
            if stop or time.monotonic() - last > _COMMIT_EVERY:
                state.store(pending)
                pending.clear()
                last = time.monotonic()
            tell(count.progress())
            if stop and bad is not None:
                raise InputError(bad.error, where=bad.input, cure=bad.cure)
    finally:
        state.store(pending)
        if engine is None:
            started.close()
    return kept


class _Count:
    """How far a run is, while it goes on."""

    def __init__(self, total: int, kept: Sequence[Summary]) -> None:
        self._total, self._kept = total, len(kept)
        self._done = self._failed = 0
        self._samples = sum(item.samples for item in kept)
        self._statuses: Counter[str] = Counter()
        for item in kept:
            self._statuses.update(item.statuses)

    def add(self, results: Sequence[Result]) -> None:
        """Count results that came."""
        self._done += len(results)
        for result in results:
            self._failed += result.failure is not None
            self._samples += result.samples
            self._statuses.update(result.statuses)

    def progress(self) -> Progress:
        """Return the counts."""
        return Progress(
            total=self._total,
            kept=self._kept,
            done=self._done,
            failed=self._failed,
            samples=self._samples,
            statuses=dict(self._statuses),
        )


def _results(engine: Engine, missing: Sequence[Job], options: CohortOptions) -> Iterator[list[Result]]:
    """Yield what becomes of the inputs, some at a time, in any order."""
    by_key = {job.key: job for job in missing}
    for batch, outcome in run_all(engine, work, _batches(missing, engine.width, options)):
        if not isinstance(outcome, Exception):
            results = outcome
        elif len(batch.jobs) > 1:
            results = _singly(engine, batch)
        else:
            results = [failed(job, _death(job, outcome)) for job in batch.jobs]
        yield [_checked(by_key[result.key], result) for result in results]


def _checked(job: Job, result: Result) -> Result:
    unclear = whose_is_unclear(job, result.samples)
    return result if unclear is None else failed(job, unclear)


def _singly(engine: Engine, batch: Batch) -> list[Result]:
    """Do a batch whose worker died input by input, so that only the culprit fails."""
    results: list[Result] = []
    for job in batch.jobs:
        alone = msgspec.structs.replace(batch, jobs=(job,))
        for _, outcome in run_all(engine, work, [alone]):
            results += [failed(job, _death(job, outcome))] if isinstance(outcome, Exception) else outcome
    return results


def _death(job: Job, error: Exception) -> Failure:
    return Failure(
        input=job.path,
        error=f"the worker died over it ({type(error).__name__})",
        cure="Check the memory of the machine, and give the same command again",
    )


def _current(jobs: Sequence[Job], known: Mapping[str, Summary], *, verify: bool) -> set[str]:
    """Return the keys of inputs whose stored result still holds. A failure is tried again each time."""
    current = {job.key: job for job in jobs if _is_current(job, known.get(job.key))}
    if not verify:
        return set(current)
    before = {key: known[key].digest for key in current if known[key].digest}
    with ThreadPoolExecutor(max_workers=cpus()) as pool:  # hashing lets go of the lock
        digests = pool.map(file_digest, (current[key].path for key in before))
        return {key for key, digest in zip(before, digests, strict=True) if digest == before[key]}


def _is_current(job: Job, known: Summary | None) -> bool:
    return (
        known is not None
        and known.failure is None
        and known.recipe == recipe(job.options)
        and known.fingerprint == fingerprint(job.path)
        and whose_is_unclear(job, known.samples) is None
    )


def _engine(options: CohortOptions, missing: Sequence[Job]) -> Engine:
    if options.engine == "dask" or options.scheduler or options.slurm:
        return Dask(jobs=options.jobs, scheduler=options.scheduler, slurm=options.slurm)
    jobs = min(options.jobs or cpus(), len(missing))
    return Serial() if jobs <= 1 else Processes(jobs)


def _batches(jobs: Sequence[Job], width: int, options: CohortOptions) -> Iterator[Batch]:
    """Cut the inputs into batches: few enough to cost little, many enough to keep every worker busy."""
    size = max(1, min(_BATCH_MAX, -(-len(jobs) // (width * _BATCHES_PER_WORKER))))
    small: list[Job] = []
    for job in jobs:
        bare = msgspec.structs.replace(job, carried={}, meta={})  # no worker needs what only goes with it
        if _size(job.path) >= _BIG_FILE:
            yield Batch(jobs=(bare,), verify=options.verify, arrays_from=options.arrays_from)
            continue
        small.append(bare)
        if len(small) == size:
            yield Batch(jobs=tuple(small), verify=options.verify, arrays_from=options.arrays_from)
            small.clear()
    if small:
        yield Batch(jobs=tuple(small), verify=options.verify, arrays_from=options.arrays_from)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
