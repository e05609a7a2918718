"""Run a cohort: annotate what is missing, keep what is there, join slices, and make the tables at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pgx.cohort.jobs import Failure, Job, Known, Plan, Result, Slice, group_of, provisional, text_digest
from pgx.cohort.manifest import unclear_person
from pgx.cohort.results import NOTHING_ASKED, OF_PEOPLE, OUTPUTS, Asked, Outcome
from pgx.cohort.store import PlannedRow, State, planned_row
from pgx.cohort.worker import ARRAYS_FROM, Batch, failed, file_digest, fingerprint, recipe, work
from pgx.errors import InputError, UsageError, printable
from pgx.executors import Dask, Engine, Processes, cpus, run_all, run_alone
from pgx.options import CohortOptions, PageOptions
from pgx.single import check_options


def run_cohort(
    plan: Plan,
    folder: Path,
    options: CohortOptions,
    *,
    asked: Asked = NOTHING_ASKED,
    tell: Callable[[Progress], None] = lambda _: None,
    engine: Engine | None = None,
) -> Outcome:
    """Annotate all inputs of `plan` into `folder`, and write its tables.

    `engine` does the work instead of the one that `options` ask for; it is the caller's to close.
    Raises `UsageError` for options that cannot be, before anything is written; `OutputError` where the folder
    cannot be written, or another run works in it; with `fail_fast`, `InputError` over the first that fails.
    What was done stays stored.
    """
    _check(plan, options)
    _refuse_foreign(folder)
    number, of = options.shard
    with State(folder) as state:
        there = state.meta("slice", Slice) if of > 1 else None
        if there and there.plan_digest == plan.digest and (there.number, there.of) != (number, of):
            what = f"the folder holds slice {there.number}/{there.of} of these inputs"
            cure = "Give each slice a folder of its own, and join them with pgx merge"
            raise UsageError(what, where=str(folder), cure=cure)
        size, positions = len(plan.jobs), range(number - 1, len(plan.jobs), of)
        conditions = text_digest(*sorted({recipe(job.options) for job in plan.jobs}))
        own = Slice(number=number, of=of, plan_digest=plan.digest, plan_size=size, conditions=conditions)
        also = {"slice": own, "carried": plan.carried, "pedigree": plan.pedigree, "estimates": []}
        jobs = [plan.jobs[place] for place in positions]
        state.set_plan(map(planned_row, positions, jobs), **also)
        if any(group_of(job.options) is not None for job in jobs):
            from pgx.cohort.estimate import estimate_groups, settled  # noqa: PLC0415 - few runs estimate

            annotate_missing(state, jobs, options, tell, engine)
            known = state.known()
            groups = estimate_groups(state, jobs, known)
            named = {item.group: item for item in groups}
            jobs = [settled(job, known.get(job.key), named) for job in jobs]
            state.set_plan(map(planned_row, positions, jobs), **also | {"estimates": groups})
        kept = annotate_missing(state, jobs, options, tell, engine)
        from pgx.cohort.tables.finalise import finish  # noqa: PLC0415 - see `_import_tables`

        return finish(state, folder, options.page, asked, kept=kept)


def _check(plan: Plan, options: CohortOptions) -> None:
    number, of = options.shard
    if not 1 <= number <= of:
        raise UsageError("no such slice", where=f"--shard {number}/{of}", cure="Give 1/N to N/N")
    for own in {job.options for job in plan.jobs if job.failure is None}:
        check_options(provisional(own))
        if of > 1 and group_of(own) is not None:
            what = "needs the whole cohort, and a slice is a part of it"
            cure = "Leave --shard out; --jobs and --engine dask share the work"
            raise UsageError(what, where="--population estimate", cure=cure)
    _check_columns(options.page, plan.jobs, plan.carried)


def _check_columns(page: PageOptions, jobs: Sequence[Job], carried: Sequence[str]) -> None:
    if page.by:
        from pgx.cohort.summary.strata import check_columns  # noqa: PLC0415 - see `_import_tables`

        check_columns(page.by, jobs, carried)


def _import_tables() -> None:
    """Import what writes tables and page: half a second of a run, while the first input is read."""
    from pgx.cohort.tables import finalise  # noqa: F401, PLC0415
    from pgx.render import cohort_page  # noqa: PLC0415

    cohort_page.template()


def _refuse_foreign(folder: Path) -> None:
    """Refuse to write over files of these names that are not from a cohort."""
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise UsageError("is not UTF-8", where=printable(str(folder)), cure="Give another folder") from error
    found = [name for name in (*OUTPUTS, *OF_PEOPLE, "reports") if (folder / name).exists()]
    if found and not State.is_in(folder):
        what = f"holds what is not of a cohort and would be lost ({found[0]})"
        raise UsageError(what, where=str(folder), cure="Give another folder")


Tell = Callable[[str], None]
_BATCH_MAX, _BATCHES_PER_WORKER = 200, 8
_COMMIT_EVERY = 2.0  # seconds
_BIG_FILE = 4 << 20  # bytes: such a file is a batch of its own


def annotate_missing(
    state: State,
    jobs: Sequence[Job],
    options: CohortOptions,
    tell: Callable[[Progress], None],
    engine: Engine | None,
) -> int:
    """Annotate and store all inputs that have no stored result that holds, and return how many had one.

    `jobs` are those of the plan in order, or the first of them. What was done stays stored where the engine
    cannot go on (`PgxError`), or where with `fail_fast` an input fails (`InputError`).
    """
    current = _current(jobs, state, verify=options.verify)
    missing = [job for place, job in enumerate(jobs) if place not in current]

    def held() -> Iterator[Known]:
        return (known for place, known in enumerate(state.known_of_plan()) if known and place in current)

    progress = Progress(total=len(jobs), kept=len(current)).after(held(), now=False)
    tell(progress)
    if options.fail_fast:
        _stop_at_failure(held())
    if not missing:
        return len(current)

    def wait(line: str) -> None:
        tell(replace(progress, waiting=line))

    if engine is not None:
        own: AbstractContextManager[Engine] = nullcontext(engine)
    elif options.engine == "dask" or options.scheduler:
        own = closing(Dask(jobs=options.jobs, scheduler=options.scheduler))
    else:
        own = closing(Processes(min(options.jobs or cpus(), len(missing)), fork=True))
    pending: list[Result] = []
    last = time.monotonic()
    with own as at_work:
        try:
            for results in _done(at_work, missing, options, wait):
                pending += results
                if time.monotonic() - last > _COMMIT_EVERY:
                    state.store(pending)
                    pending.clear()
                    last = time.monotonic()
                progress = progress.after(results)
                tell(progress)
                if options.fail_fast:
                    _stop_at_failure(results)
        finally:  # whatever ends the run
            state.store(pending)
    return len(current)


def _stop_at_failure(results: Iterable[Known]) -> None:
    for bad in (failure for result in results for failure in result.failures):
        raise InputError(bad.error, where=bad.input, cure=bad.cure)


def _current(jobs: Sequence[Job], state: State, *, verify: bool) -> set[int]:
    """Return the places of jobs whose stored result still holds. A failure is tried again each time."""
    current = {
        place: known.digest
        for place, (job, known) in enumerate(zip(jobs, state.known_of_plan(), strict=False))
        if known is not None
        and known.failure is None
        and known.recipe == recipe(job.options)
        and known.fingerprint == fingerprint(job.place)
        and unclear_person(job, known.samples) is None
    }
    if not verify:
        return set(current)
    before = {place: digest for place, digest in current.items() if digest}
    with ThreadPoolExecutor(max_workers=cpus()) as pool:  # hashing lets go of the lock
        digests = pool.map(file_digest, (jobs[place].place for place in before))
        return {place for place, digest in zip(before, digests, strict=True) if digest == before[place]}


def _done(engine: Engine, jobs: Sequence[Job], options: CohortOptions, tell: Tell) -> Iterator[list[Result]]:
    stated = {job.key: job for job in jobs if job.meta}
    batches = _batches(jobs, engine, options)
    for batch, outcome in run_all(engine, work, batches, tell=tell, meanwhile=_import_tables):
        results = _singly(engine, batch, outcome, tell) if isinstance(outcome, Exception) else outcome
        for place, result in enumerate(results):  # the manifest may state facts of one person of several
            job = stated.get(result.key)
            if job is not None and (unclear := unclear_person(job, result.samples)) is not None:
                results[place] = failed(job, unclear)
        yield results


def _singly(engine: Engine, batch: Batch, error: Exception, tell: Tell) -> list[Result]:
    """Do a batch whose worker died (`error`) input by input, so that only the culprit fails."""
    results: list[Result] = []
    for job in batch.jobs:
        alone = replace(batch, jobs=(job,))
        outcome = run_alone(engine, work, alone, tell=tell) if len(batch.jobs) > 1 else error
        if isinstance(outcome, Exception):
            what = f"the worker died over it, or stood still for too long ({type(outcome).__name__})"
            cure = "Check the file, and the memory of the machine; --stall gives more time"
            outcome = [failed(job, Failure(input=job.path, error=what, cure=cure))]
        results += outcome
    return results


def _batches(jobs: Sequence[Job], engine: Engine, options: CohortOptions) -> Iterator[Batch]:
    def batch(*some: Job) -> Batch:
        # what only goes with an input (columns of the manifest) need not travel
        bare = tuple(replace(job, carried={}, meta={}, lines={}) for job in some)
        least = options.arrays_from or ARRAYS_FROM
        return Batch(jobs=bare, verify=options.verify, arrays_from=least, stall=options.stall)

    def fitting() -> int:  # anew for each batch: workers may join later
        return max(1, min(_BATCH_MAX, -(-len(jobs) // (engine.width * _BATCHES_PER_WORKER))))

    size = fitting()
    small: list[Job] = []
    for job in jobs:
        if _size(job.place) >= _BIG_FILE:
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


class Progress(Struct, frozen=True, kw_only=True):
    """How far a run is: samples so far, inputs in all, done before, done now, and of the latter failed."""

    total: int
    kept: int
    done: int = 0
    failed: int = 0
    samples: int = 0
    statuses: Mapping[str, int] = msgspec.field(default_factory=dict)
    waiting: str = ""  # a line on what is awaited while no worker is there

    def after(self, results: Iterable[Known], *, now: bool = True) -> Progress:
        """Return how far the run is when these results have come, or were there before."""
        samples, statuses, done, bad = self.samples, Counter(self.statuses), self.done, self.failed
        for result in results:
            samples += result.samples
            statuses.update(result.statuses)
            done += now
            bad += now and bool(result.failures)
        return replace(self, samples=samples, statuses=dict(statuses), done=done, failed=bad)


_SAME = "Give slices of one command line, made with the same files of options, evidence and version"


def merge(folders: Sequence[Path], output: Path, page: PageOptions, asked: Asked = NOTHING_ASKED) -> Outcome:
    """Join folders that `pgx cohort --shard` wrote into the folder `output`, and write its tables.

    `UsageError` where they are not slices of the same inputs under the same conditions, one is missing or not
    done, two hold the same, or a column cannot divide the cohort; `OutputError` as for `run_cohort`.
    """
    rows: dict[int, PlannedRow] = {}
    slices: list[Slice] = []
    carried: tuple[str, ...] = ()
    pedigree: tuple[tuple[str, str, str, str], ...] = ()
    for folder in folders:
        if folder.resolve() == output.resolve():
            raise UsageError("is a slice itself", where=str(output), cure="Give another folder after -o")
        with State(folder, create=False) as state:
            found = state.meta("slice", Slice)
            if found is None or not state.meta("finished", bool):
                again = "Give the command of this slice again"
                raise UsageError("is not done yet", where=str(folder), cure=again)
            slices.append(found)
            carried = state.meta("carried", tuple[str, ...]) or ()
            pedigree = state.meta("pedigree", tuple[tuple[str, str, str, str], ...]) or ()
            own = {row.position: row for row in state.plan()}
        if rows.keys() & own.keys():
            raise UsageError("holds inputs that another slice has too", where=str(folder), cure=_SAME)
        rows |= own
    _check_slices(slices, rows, folders)
    ordered = [rows[position] for position in sorted(rows)]
    _check_columns(page, [row.job for row in ordered], carried)
    _refuse_foreign(output)
    with State(output) as state:
        whole = replace(slices[0], number=1, of=1)
        state.set_plan(ordered, slice=whole, carried=carried, pedigree=pedigree)
        for folder in folders:
            with State(folder, create=False) as other:
                state.take_over(other, {row.key for row in other.plan()})
        known = state.known()
        kept = sum(not known[row.key].failures for row in ordered)
        from pgx.cohort.tables.finalise import finish  # noqa: PLC0415 - see `_import_tables`

        return finish(state, output, page, asked, kept=kept)


def _check_slices(slices: Sequence[Slice], rows: dict[int, PlannedRow], folders: Sequence[Path]) -> None:
    where = ", ".join(map(str, folders))
    if len({(item.plan_digest, item.plan_size) for item in slices}) != 1:
        raise UsageError("the folders are slices of different inputs or options", where=where, cure=_SAME)
    if len({item.conditions for item in slices}) != 1:
        what = "the slices were made with different evidence, reference data, BED file or version of pgx"
        raise UsageError(what, where=where, cure="Give the commands of the older slices again")
    size = slices[0].plan_size
    if missing := size - len(rows):
        what = f"{missing} of {size} inputs belong to slices that were not given"
        raise UsageError(what, where=where, cure="Give all slices, 1/N to N/N")
