"""What a cohort leaves: the names of its files, and any report again, from what is stored."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pgx.cohort.jobs import Job, Known, StoredInput, least_same_people, with_shared
from pgx.cohort.manifest import born_of, has_birth_dates, meta_of
from pgx.cohort.store import PlannedRow, State
from pgx.cohort.worker import decode_input, recipe, shared_parts, unpack
from pgx.errors import FormatError, SampleError, printable
from pgx.render.form import PatientMeta
from pgx.report import Run, SampleReport, mark_minors

_ALIKE = 1 << 12  # different columns of a large input of which the report is kept while others are made
PAGE = "index.html"
#: What is written into the folder, beside the state and reports/.
OUTPUTS = ("samples.tsv", "samples.parquet", "failures.tsv", "summary.json", "pgx_mqc.json", PAGE)
KNOWN_FILE, SWAPS_FILE, FAMILIES_FILE = "known.tsv", "swaps.tsv", "families.tsv"
MULTIQC_SAMPLES, CHANGED_FILE = "pgx_samples_mqc.json", "changed.tsv"
#: Beside them where the manifest has what they need, or results were renewed; they name people, and are
#: never shared.
OF_PEOPLE = (KNOWN_FILE, SWAPS_FILE, FAMILIES_FILE, MULTIQC_SAMPLES, CHANGED_FILE)


Names = frozenset[str] | None  # of samples, as their files have them; None for all


class Wanted(Struct, frozen=True, kw_only=True):
    """Which reports are to be written."""

    form: str
    names: Names = None


class Asked(Struct, frozen=True, kw_only=True):
    """What was asked of a run beside its inputs and options: the words of the command, and reports."""

    command: str = ""
    reports: Wanted | None = None


NOTHING_ASKED = Asked()


class Outcome(Struct, frozen=True, kw_only=True):
    """What a run left."""

    inputs: int
    kept: int  # pieces of work whose stored result still held
    failed: int  # rows of failures.tsv
    samples: int
    passed_over: tuple[
        str, ...
    ]  # without any record near the sites, of people whom another input has with some
    copy_number: tuple[str, ...]  # of copy numbers or ploidy; summary.json has them among those passed over
    duplicated: int
    duplicates: tuple[str, ...]  # names of samples that came more than once, the first of them
    alarms: tuple[str, ...]
    reports: int = 0
    without_report: tuple[str, ...] = ()  # samples of the list of reports that the cohort does not have


class Source(Struct, frozen=True):
    """An input that has results."""

    key: str
    path: str  # as samples.tsv has it
    job: Job
    recipe: str
    created: str  # when they were made, as `Run.created`; "" where no birth date makes it matter
    samples: int


class StoredSampleReport(Struct, frozen=True, kw_only=True):
    """A report with what it shares with its input, and what the manifest states for its head."""

    key: str  # of its `Source`
    run: Run
    report: SampleReport
    meta: PatientMeta | None


class Sources(Struct, frozen=True):
    """The inputs that have results, in order, once each; there may be very many, so each time read anew."""

    state: State
    left_out: Container[str]  # keys

    def __iter__(self) -> Iterator[Source]:
        seen = set()
        for row, result in self.state.plan_with_results():
            key, job = row.key, row.job
            if result is None or result.failure is not None or not result.samples or key in self.left_out:
                continue
            if key not in seen:
                seen.add(key)
                created = decode_input(self.state.run_of(key)).run.created if has_birth_dates(job) else ""
                yield Source(key, result.path, job, result.recipe, created, result.samples)


def passed_over(results: Iterable[tuple[PlannedRow, Known | None]]) -> dict[str, str]:
    """Return key and path of each input that says nothing, of people of whom another input says something.

    It has no record near the sites, as the files of all chromosomes but one. Few equal names do not make the
    people equal (tumour and normal, families), nor do equal names of whom the manifest says different things.
    """
    groups: defaultdict[object, list[tuple[Job, Known]]] = defaultdict(list)
    for row, found in results:
        if found is not None and found.failure is None and found.samples >= least_same_people():
            same = found.name_digest, found.recipe, found.assembly, row.job.without
            groups[same].append((row.job, found))

    def agree(silent: Job, other: Job) -> bool:  # of a silent one the manifest may say nothing
        nothing = not silent.meta and not any(any(cells.values()) for cells in silent.carried.values())
        return nothing or (silent.carried, silent.meta) == (other.carried, other.meta)

    left_out: dict[str, str] = {}
    for group in groups.values():
        speaking = [job for job, found in group if found.has_records]
        for job, found in group:
            if not found.has_records and any(agree(job, other) for other in speaking):
                left_out[found.key] = found.path
    return left_out


def reports(state: State, wanted: Names = None, path: str | None = None) -> Iterator[StoredSampleReport]:
    """Yield the reports of the cohort in order: all, or those of the samples (and the input) called so."""
    for source in Sources(state, passed_over(state.plan_with_results())):
        for run, report in reports_of(state, source, wanted) if path in {None, source.path} else ():
            born = born_of(source.job, report.sample)
            dates = {} if born is None else {report.sample: born}
            (marked,) = mark_minors([report], dates, created=run.created)
            meta = meta_of(source.job, report.sample)
            yield StoredSampleReport(key=source.key, run=run, report=marked, meta=meta)


def reports_of(state: State, source: Source, wanted: Names) -> Iterator[tuple[Run, SampleReport]]:
    """Yield the reports of one input, with its whole run: all, or those of the samples called so."""
    stored = decode_input(state.run_of(source.key))
    run = with_shared(stored.run, state.part(*stored.shared))
    if state.has_blocks(source.key):
        for report in _of_blocks(state, source, stored, wanted):
            yield run, report
        return
    for name in [None] if wanted is None else sorted(wanted):
        for data in state.reports(source.key, name):
            yield run, unpack(data, map(state.part, shared_parts(data)))


def _of_blocks(state: State, source: Source, stored: StoredInput, wanted: Names) -> Iterator[SampleReport]:
    """Make reports of a large input anew, from its columns: with what its results were made with, or not."""
    from pgx.cohort.biobank import report_of, unpack_texts  # noqa: PLC0415

    @functools.lru_cache(maxsize=_ALIKE)
    def made(texts: tuple[str, ...]) -> SampleReport:
        if recipe(source.job.options) != source.recipe:
            what = "was made with another version of pgx, other reference data, evidence or BED file"
            raise FormatError(what, where=source.path, cure="Run pgx cohort again")
        return report_of(stored, source.job.options, "", texts)[1]

    for block in state.blocks(source.key, "texts"):
        names, *columns = unpack_texts(block)
        for place, name in enumerate(names):
            if wanted is None or name in wanted:
                yield replace(made(tuple(texts[place] for texts in columns)), sample=name)


def names_of(state: State, key: str) -> Iterator[list[str]]:
    """Yield the names of the samples of an input as the file has them; of a large one block by block."""
    if not state.has_blocks(key):
        yield [name for name, _ in state.samples(key)]
        return
    from pgx.cohort.biobank import unpack_texts  # noqa: PLC0415

    for block in state.blocks(key, "texts"):
        yield unpack_texts(block)[0]


def one_report(folder: Path, sample: str, source_path: str | None = None) -> StoredSampleReport:
    """Return the report of one sample of a cohort folder; `source_path` as samples.tsv has it in `input`.

    Raises `SampleError` where no or more than one input has it, `FormatError` where there is no finished run.
    """
    wanted = printable(sample)
    is_text = sample.encode(errors="ignore").decode() == sample  # else it is the name of no stored sample
    with State(folder, create=False) as state:
        state.check_finished()
        found = list(reports(state, frozenset({sample}), source_path)) if is_text else []
    if not found:
        origin = "" if source_path is None else f" from '{source_path}'"
        raise SampleError(f"no sample '{wanted}'{origin}", where=str(folder), cure="See samples.tsv")
    if len(found) > 1:
        paths = list(dict.fromkeys(item.run.input.path for item in found))
        what = f"the sample '{wanted}' comes {len(found)} times ({', '.join(paths[:5])})"
        cure = "Its input was run with several options: annotate it with pgx annotate"
        raise SampleError(what, where=str(folder), cure="Name its input with --input" if paths[1:] else cure)
    return found[0]
