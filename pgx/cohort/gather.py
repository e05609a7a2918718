"""Do what no stored result answers: cut it into batches, hand them to workers, store what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from pgx.cohort.model import Failure, Job, Known, Result
from pgx.cohort.people import unclear_person
from pgx.cohort.progress import Count, Progress
from pgx.cohort.state import State
from pgx.cohort.work import ARRAYS_FROM, Batch, failed, file_digest, fingerprint, recipe, work
from pgx.errors import InputError
from pgx.executors import Engine, cpus, run_all, run_alone
from pgx.options import CohortOptions

Tell = Callable[[str], None]
_BATCH_MAX = 200
_BATCHES_PER_WORKER = 8
_COMMIT_EVERY = 2.0  # seconds
_BIG_FILE = 4 << 20  # bytes: such a file is a batch of its own


def annotate_missing(
    state: State,
    jobs: Sequence[Job],
    options: CohortOptions,
    tell: Callable[[Progress], None],
    start: Callable[[int], AbstractContextManager[Engine]],
) -> int:
    """Annotate and store all inputs that have no stored result that holds, and return how many had one.

    `start` gives an engine for so many inputs.

    Raises
    ------
    InputError
        With `fail_fast`: the first input that fails.
    PgxError
        The engine cannot go on. What was done is stored.
    """
    known = state.known()
    current = _current(jobs, known, verify=options.verify)
    missing = [job for job in jobs if job.key not in current]
    kept = len(jobs) - len(missing)
    count = Count(len(jobs), [known[job.key] for job in jobs if job.key in current])
    tell(count.progress())
    if options.fail_fast:
        _stop_at([failure for key in current for failure in known[key].failures])
    if not missing:
        return kept
    with start(len(missing)) as engine, _Storing(state) as storing:
        for results in _results(engine, missing, options, lambda line: tell(count.progress(line))):
            storing.add(results)
            count.add(results)
            tell(count.progress())
            if options.fail_fast:
                _stop_at([failure for result in results for failure in result.failures])
    return kept


def _stop_at(failures: Sequence[Failure]) -> None:
    for bad in failures:
        raise InputError(bad.error, where=bad.input, cure=bad.cure)


class _Storing:
    """Stores results every few seconds, and at the end, whatever ends the run."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pending: list[Result] = []
        self._last = time.monotonic()

    def __enter__(self) -> _Storing:
        return self

    def __exit__(self, *_: object) -> None:
        self._state.store(self._pending)

    def add(self, results: Sequence[Result]) -> None:
        """Take results in."""
        self._pending += results
        if time.monotonic() - self._last > _COMMIT_EVERY:
            self._state.store(self._pending)
            self._pending.clear()
            self._last = time.monotonic()


def _current(jobs: Sequence[Job], known: Mapping[str, Known], *, verify: bool) -> set[str]:
    """Return the keys of inputs whose stored result still holds. A failure is tried again each time."""
    current = {job.key: job for job in jobs if _is_current(job, known.get(job.key))}
    if not verify:
        return set(current)
    before = {key: known[key].digest for key in current if known[key].digest}
    with ThreadPoolExecutor(max_workers=cpus()) as pool:  # hashing lets go of the lock
        digests = pool.map(file_digest, (current[key].path for key in before))
        return {key for key, digest in zip(before, digests, strict=True) if digest == before[key]}


def _is_current(job: Job, known: Known | None) -> bool:
    return (
        known is not None
        and known.failure is None
        and known.recipe == recipe(job.options)
        and known.fingerprint == fingerprint(job.path)
        and unclear_person(job, known.samples) is None
    )


def _results(
    engine: Engine, missing: Sequence[Job], options: CohortOptions, tell: Tell
) -> Iterator[list[Result]]:
    """Yield what becomes of the inputs, some at a time, in any order."""
    by_key = {job.key: job for job in missing}
    for batch, outcome in run_all(engine, work, _batches(missing, engine, options), tell=tell):
        if not isinstance(outcome, Exception):
            results = outcome
        elif len(batch.jobs) > 1:
            results = _singly(engine, batch, tell)
        else:
            results = [failed(job, _death(job, outcome)) for job in batch.jobs]
        yield [_checked(by_key[result.key], result) for result in results]


def _checked(job: Job, result: Result) -> Result:
    unclear = unclear_person(job, result.samples)
    return result if unclear is None else failed(job, unclear)


def _singly(engine: Engine, batch: Batch, tell: Tell) -> list[Result]:
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


def _batches(jobs: Sequence[Job], engine: Engine, options: CohortOptions) -> Iterator[Batch]:
    """Cut the inputs into batches: few enough to cost little, many enough to keep every worker busy."""

    def batch(*some: Job) -> Batch:
        # what only goes with an input (columns of the manifest) need not travel
        bare = tuple(msgspec.structs.replace(job, carried={}, meta={}) for job in some)
        return Batch(jobs=bare, verify=options.verify, arrays_from=options.arrays_from or ARRAYS_FROM)

    def fitting() -> int:  # anew for each batch: workers may join later
        return max(1, min(_BATCH_MAX, -(-len(jobs) // (engine.width * _BATCHES_PER_WORKER))))

    size = fitting()
    small: list[Job] = []
    for job in jobs:
        if _size(job.path) >= _BIG_FILE:
            yield batch(job)
            continue
        small.append(job)
        if len(small) == size:
            yield batch(*small)
            small.clear()
            size = fitting()
    if small:
        yield batch(*small)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return 0
