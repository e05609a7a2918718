"""Any report of a cohort again, from what is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pgx.cohort.model import Job, Summary
from pgx.cohort.people import born_of, meta_of
from pgx.cohort.state import PlannedRow, State
from pgx.cohort.work import decode_run, shared_parts, unpack
from pgx.errors import SampleError
from pgx.render.form import PatientMeta
from pgx.report import Run, SampleReport, mark_minors
from pgx.single import Options

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
        The input; the first of a joined set.
    """

    key: str
    path: str
    job: Job
    is_joined: bool


class StoredSampleReport(Struct, frozen=True, kw_only=True):
    """A report with what it shares with its input, and what the manifest states for its head."""

    run: Run
    report: SampleReport
    meta: PatientMeta | None


def sources(state: State, plan: Sequence[PlannedRow], known: Mapping[str, Summary]) -> Iterator[Source]:
    """Yield what has results, in order; a joined set where its first input stands."""
    joined = state.joined()
    by_key: defaultdict[str, list[Job]] = defaultdict(list)
    for planned in plan:
        by_key[joined.get(planned.key, planned.key)].append(planned.job)
    for key, jobs in by_key.items():
        result = known.get(key)
        if result is not None and result.failure is None:
            yield Source(key=key, path=result.path, job=_together(jobs), is_joined=key in joined.values())


def _together(jobs: Sequence[Job]) -> Job:
    """Return the job of a joined set: of what the manifest says of each, the first row counts."""
    if len(jobs) == 1:
        return jobs[0]
    carried: dict[str, dict[str, str]] = {}
    meta: dict[str, PatientMeta] = {}
    for job in reversed(jobs):
        for name, cells in job.carried.items():
            carried.setdefault(name, {}).update({key: cell for key, cell in cells.items() if cell})
        meta |= job.meta
    return replace(jobs[0], carried=carried, meta=meta)


def run_of(state: State, source: Source) -> Run:
    """Return what the samples of an input share."""
    data = state.run_of(source.key)
    if not state.has_blocks(source.key):
        return decode_run(data)
    from pgx.cohort.biobank import StoredInput  # noqa: PLC0415 - small inputs need no arrays

    return msgspec.json.decode(data, type=StoredInput).run


def reports(
    state: State, wanted: frozenset[str] | None = None, source_path: str | None = None
) -> Iterator[StoredSampleReport]:
    """Yield the reports of the cohort in order: all, or those of the samples (and the input) called so."""
    for source in sources(state, list(state.plan()), state.summaries()):
        if source_path is not None and source_path not in {source.path, *source.path.split(" + ")}:
            continue
        for run, report in _of_input(state, source.key, wanted):
            born = born_of(source.job, report.sample)
            dates = {} if born is None else {report.sample: born}
            for marked in mark_minors([report], dates, created=run.created):
                yield StoredSampleReport(run=run, report=marked, meta=meta_of(source.job, report.sample))


def _of_input(state: State, key: str, wanted: frozenset[str] | None) -> Iterator[tuple[Run, SampleReport]]:
    data = state.run_of(key)
    if state.has_blocks(key):
        yield from _of_blocks(state, key, data, wanted)
        return
    for name in [None] if wanted is None else sorted(wanted):
        for _, stored in state.reports(key, name):
            yield decode_run(data), unpack(stored, map(state.part, shared_parts(stored)))


def _of_blocks(
    state: State, key: str, data: bytes, wanted: frozenset[str] | None
) -> Iterator[tuple[Run, SampleReport]]:
    from pgx.cohort.biobank import StoredInput, report_of, unpack_texts  # noqa: PLC0415

    stored = msgspec.json.decode(data, type=StoredInput)
    parameters = stored.run.parameters
    options = Options(
        **{
            name: getattr(parameters, name)
            for name in Options.__struct_fields__
            if name in parameters.__struct_fields__ and name != "evidence"
        },
        callable_bed=Path(parameters.callable) if parameters.callable else None,
        evidence=tuple(Path(item) for item in parameters.evidence),
    )
    for block in state.block_texts(key):
        names, *columns = unpack_texts(block)
        for place, name in enumerate(names):
            if wanted is None or name in wanted:
                yield report_of(stored, options, name, [texts[place] for texts in columns])


def one_report(folder: Path, sample: str, source_path: str | None = None) -> StoredSampleReport:
    """Return the report of one sample of a cohort folder; `source_path` as samples.tsv has it in `input`.

    Raises
    ------
    SampleError
        There is no such sample, or more than one input has it.
    """
    with State(folder, create=False) as state:
        found = list(reports(state, frozenset({sample}), source_path))
    if not found:
        beside = "" if source_path is None else f" from '{source_path}'"
        raise SampleError(f"no sample '{sample}'{beside}", where=str(folder), cure="See samples.tsv")
    if len(found) > 1:
        paths = list(dict.fromkeys(item.run.input.path for item in found))
        raise SampleError(
            f"the sample '{sample}' comes {len(found)} times ({', '.join(paths[:_LISTED])})",
            where=str(folder),
            cure="Name its input with --input"
            if len(paths) > 1
            else "Its input was run with several options: annotate it with pgx annotate",
        )
    return found[0]
