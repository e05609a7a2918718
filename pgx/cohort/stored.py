"""Any report of a cohort again, from what is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pgx.cohort.blocks import Joining
from pgx.cohort.model import JOINT, Job, Known
from pgx.cohort.people import born_of, has_birth_dates, meta_of
from pgx.cohort.state import PlannedRow, State
from pgx.cohort.work import decode_run, recipe, shared_parts, unpack
from pgx.errors import FormatError, SampleError, printable
from pgx.render.form import PatientMeta
from pgx.report import Run, SampleReport, mark_minors

_LISTED = 5


class Source(Struct, frozen=True, kw_only=True):
    """An input, or a set of inputs that were joined by sample, that has results.

    Attributes
    ----------
    key
        What its results are stored under.
    path
        As samples.tsv has it; of a joined set all that were read, with " + " between them.
    job
        The input; the first of a joined set, with what the manifest says of all of them.
    recipe
        What its results were made with.
    created
        When they were made, as `Run.created`; "" where no birth date makes it matter.
    """

    key: str
    path: str
    job: Job
    is_joined: bool
    recipe: str
    created: str


class StoredSampleReport(Struct, frozen=True, kw_only=True):
    """A report with what it shares with its input, and what the manifest states for its head."""

    run: Run
    report: SampleReport
    meta: PatientMeta | None


def sources(state: State, plan: Sequence[PlannedRow], known: Mapping[str, Known]) -> Iterator[Source]:
    """Yield what has results, in order; a joined set where its first input stands."""
    joined = (state.meta("joining", Joining) or Joining()).joined
    by_key: defaultdict[str, list[Job]] = defaultdict(list)
    for planned in plan:
        by_key[joined.get(planned.key, planned.key)].append(planned.job)
    keys = set(joined.values())
    for key, jobs in by_key.items():
        result = known.get(key)
        if result is not None and result.failure is None and result.samples:
            yield Source(
                key=key,
                path=result.path,
                job=_together(jobs),
                is_joined=key in keys,
                recipe=result.recipe,
                created=run_of(state, key).created if any(map(has_birth_dates, jobs)) else "",
            )


def _together(jobs: Sequence[Job]) -> Job:
    """Return the job of a joined set: of what the manifest says of each, the first row counts."""
    if len(jobs) == 1:
        return jobs[0]
    carried: dict[str, dict[str, str]] = {}
    meta: dict[str, PatientMeta] = {}
    for job in reversed(jobs):
        for name, cells in job.carried.items():
            carried.setdefault(name, {}).update({key: cell for key, cell in cells.items() if cell})
        for name, stated in job.meta.items():
            fields = {key: getattr(stated, key) for key in stated.__struct_fields__}
            before = meta.get(name, PatientMeta())
            meta[name] = replace(before, **{key: text for key, text in fields.items() if text is not None})
    return replace(jobs[0], carried=carried, meta=meta)


def run_of(state: State, key: str) -> Run:
    """Return what the samples of an input share."""
    data = state.run_of(key)
    if not state.has_blocks(key):
        return decode_run(data)
    from pgx.cohort.biobank import StoredInput  # noqa: PLC0415 - small inputs need no arrays

    return msgspec.json.decode(data, type=StoredInput).run


def reports(
    state: State, wanted: frozenset[str] | None = None, source_path: str | None = None
) -> Iterator[StoredSampleReport]:
    """Yield the reports of the cohort in order: all, or those of the samples (and the input) called so."""
    for source in sources(state, list(state.plan()), state.known()):
        if source_path is not None and source_path not in {source.path, *source.path.split(JOINT)}:
            continue
        for run, report in _of_input(state, source, wanted):
            born = born_of(source.job, report.sample)
            dates = {} if born is None else {report.sample: born}
            (marked,) = mark_minors([report], dates, created=run.created)
            yield StoredSampleReport(run=run, report=marked, meta=meta_of(source.job, report.sample))


def _of_input(
    state: State, source: Source, wanted: frozenset[str] | None
) -> Iterator[tuple[Run, SampleReport]]:
    data = state.run_of(source.key)
    if state.has_blocks(source.key):
        yield from _of_blocks(state, source, data, wanted)
        return
    for name in [None] if wanted is None else sorted(wanted):
        for _, stored in state.reports(source.key, name):
            yield decode_run(data), unpack(stored, map(state.part, shared_parts(stored)))


def _of_blocks(
    state: State, source: Source, data: bytes, wanted: frozenset[str] | None
) -> Iterator[tuple[Run, SampleReport]]:
    """Make reports of a large input anew, from its columns: with what its results were made with, or not."""
    from pgx.cohort.biobank import StoredInput, report_of, unpack_texts  # noqa: PLC0415

    stored = msgspec.json.decode(data, type=StoredInput)
    for block in state.blocks(source.key, "texts"):
        names, *columns = unpack_texts(block)
        for place, name in enumerate(names):
            if wanted is None or name in wanted:
                _check_recipe(source)
                yield report_of(stored, source.job.options, name, [texts[place] for texts in columns])


def _is_text(name: str) -> bool:
    """Say whether a name can be looked up: what is no UTF-8 is the name of no stored sample."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_recipe(source: Source) -> None:
    if recipe(source.job.options) != source.recipe:
        raise FormatError(
            "was made with another version of pgx, other reference data, evidence or BED file",
            where=source.path,
            cure="Run pgx cohort again",
        )


def names_of(state: State, key: str) -> Iterator[list[str]]:
    """Yield the names of the samples of a large input as the file has them, block by block."""
    from pgx.cohort.biobank import unpack_texts  # noqa: PLC0415

    for block in state.blocks(key, "texts"):
        yield unpack_texts(block)[0]


def one_report(folder: Path, sample: str, source_path: str | None = None) -> StoredSampleReport:
    """Return the report of one sample of a cohort folder; `source_path` as samples.tsv has it in `input`.

    Raises
    ------
    SampleError
        There is no such sample, or more than one input has it.
    FormatError
        It is no folder of a cohort, or its run is not finished.
    """
    wanted = printable(sample)
    with State(folder, create=False) as state:
        state.check_finished()
        found = list(reports(state, frozenset({sample}), source_path)) if _is_text(sample) else []
    if not found:
        beside = "" if source_path is None else f" from '{source_path}'"
        raise SampleError(f"no sample '{wanted}'{beside}", where=str(folder), cure="See samples.tsv")
    if len(found) > 1:
        paths = list(dict.fromkeys(item.run.input.path for item in found))
        raise SampleError(
            f"the sample '{wanted}' comes {len(found)} times ({', '.join(paths[:_LISTED])})",
            where=str(folder),
            cure="Name its input with --input"
            if len(paths) > 1
            else "Its input was run with several options: annotate it with pgx annotate",
        )
    return found[0]
