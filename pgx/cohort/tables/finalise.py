"""From the stored results to the files of the cohort folder, in input order, whatever order they came in."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct
from msgspec.structs import astuple, replace

from pgx.cohort import manifest, pedigree, results, swaps
from pgx.cohort.estimate import Group, first_reading
from pgx.cohort.jobs import Failure, Job, Slice, page_limits
from pgx.cohort.known import Compared, compare, people, write_known
from pgx.cohort.pedigree import Child, Member, families, write_families
from pgx.cohort.results import Asked, Outcome, Source
from pgx.cohort.store import State
from pgx.cohort.summary import Overview, strata, summarise
from pgx.cohort.summary.strata import Dividing
from pgx.cohort.summary.tally import Tally
from pgx.cohort.swaps import OPINION, Exchange, explained
from pgx.cohort.tables import arrow, reports
from pgx.cohort.tables.reports import Files
from pgx.cohort.tables.table import TableWriter, chunked, fact_table, from_bytes, write_failures
from pgx.cohort.worker import shared_parts
from pgx.files import Staged
from pgx.options import Options, PageOptions
from pgx.render.tsv import Cell, safe_cell, write_rows
from pgx.report import is_minor
from pgx.wording import wording

_ROWS = 5000
_NOT_DONE = Failure(input="", error="was not annotated yet", cure="Give the same command again")


def finish(state: State, folder: Path, page: PageOptions, asked: Asked, *, kept: int = 0) -> Outcome:
    """Write the reports that are asked for, and then all tables and the page, from what is stored.

    A file that cannot be written is an `OutputError`; the stored results stay.
    """
    carried = state.meta("carried", tuple[str, ...]) or ()
    found = _results(state, carried, page)
    shown, failures, tally = found.shown, found.failures, found.tally
    files = _reports(state, found, folder, asked)
    are_known = manifest.KNOWN_RESULT in carried
    compared = compare(people(state, shown, [manifest.KNOWN_RESULT])) if are_known else None
    changes = reports.changes_of(state)
    children = _children(state, shown, carried)
    kin = frozenset(name for child in children for name in child[1:] if name)
    members = families(children, list(people(state, shown, (), kin))) if children else []
    with Staged(folder, exclusive=True) as staged:
        tables = _tables(state, shown, carried, tally.dividing, files)
        around = _write_tables(staged, tables, carried, tally)
        exchanges = explained(state, shown, compared, around)
        write_failures(staged.path("failures.tsv"), failures)
        of_people, people_counts = _write_people(staged, compared, exchanges, members, len(children))
        part = state.meta("slice", Slice)
        overview = Overview(
            people=people_counts,
            inputs=found.inputs,
            failures=failures,
            passed_over=(*found.passed_over, *found.copy_number),
            shard="1/1" if part is None else f"{part.number}/{part.of}",
            estimates=state.meta("estimates", list[Group]) or [],
        )
        if tally.samples and not page.min_cell:
            of_people.append(results.MULTIQC_SAMPLES)
        if changes:
            reports.write_changes(changes, staged.path(results.CHANGED_FILE), shown, files)
            of_people.append(results.CHANGED_FILE)
        summary = summarise(tally, overview, least=page.min_cell)
        reports.write_json(staged, "summary.json", summary)
        beside = [*results.OUTPUTS, *of_people, *([reports.REPORTS_INDEX] if files else [])]
        reports.write_page(staged, summary, tally, found.first_paths, found.options, page, beside, asked)
    _tidy(state, folder, of_people, page)
    wanted = (asked.reports.names if asked.reports is not None else None) or frozenset()
    return Outcome(
        inputs=found.inputs,
        kept=kept,
        failed=len(failures),
        samples=tally.samples,
        passed_over=found.passed_over,
        copy_number=found.copy_number,
        duplicated=tally.duplicated,
        duplicates=tuple(dict.fromkeys(item.sample for item in tally.duplicates)),
        alarms=tuple(dict.fromkeys(alarm["code"] for alarm in summary["alarms"])),
        reports=sum(map(len, files.values())),
        without_report=tuple(sorted(wanted - {sample for _, sample in files})),
    )


def _reports(state: State, found: _Results, folder: Path, asked: Asked) -> Files:
    if asked.reports is None:
        return {}
    files, unmade = reports.write_reports(state, found.shown, folder, asked.reports)
    found.failures.extend(unmade)
    state.set_meta(reports=asked.reports)  # so that they can be renewed
    return files


def _tidy(state: State, folder: Path, written: Sequence[str], page: PageOptions) -> None:
    for name in {*results.OF_PEOPLE}.difference(written):
        (folder / name).unlink(missing_ok=True)
    estimates = state.meta("estimates", list[Group]) or []
    first = first_reading((row.job for row in state.plan()), estimates) if estimates else ()
    state.keep_only({*state.plan_keys(), *first}, shared_parts)
    state.set_meta(finished=True, renewed=False, page=page)


class _Results(Struct, frozen=True, kw_only=True):
    """What became of the inputs: those that have results, and why others have none."""

    inputs: int  # one with several rows counts once
    first_paths: Sequence[str]
    options: Set[Options]
    shown: results.Sources
    failures: list[Failure]
    passed_over: tuple[str, ...]
    copy_number: tuple[str, ...]
    tally: Tally


def _results(state: State, carried: Sequence[str], page: PageOptions) -> _Results:
    places: set[str] = set()
    paths: dict[str, None] = {}
    options: set[Options] = set()
    failures: list[Failure] = []
    copy_number: dict[str, str] = {}
    planned: list[tuple[Job, int, str]] = []
    may_be_silent = False
    for row, known in state.plan_with_results():
        job = row.job
        places.add(manifest.place_of(job.path))
        if len(paths) < reports.NAMED_INPUTS:
            paths[job.path] = None
        options.add(job.options)
        failed = (replace(_NOT_DONE, input=job.path),) if known is None else known.failures
        failures += [replace(bad, error=job.with_line(bad.error, bad.sample), sample="") for bad in failed]
        if known is None:
            continue
        may_be_silent |= not known.has_records
        if known.is_copy_number:
            copy_number[row.key] = known.path
        if known.samples:
            planned.append((job, known.samples, known.assembly))
    left_out = results.passed_over(state.plan_with_results()) if may_be_silent else {}
    # a page for sharing names no files and nobody's kin
    hidden = {*strata.OF_FILES, *map(strata.column_of, manifest.COMPARED)} if page.min_cell else set()
    dividing = [item for item in strata.choose(planned, carried, page.by) if item.column not in hidden]
    listed = page_limits().max_table if page.sample_table else page_limits().multiqc_samples
    return _Results(
        inputs=len(places),
        first_paths=tuple(paths),
        options=options,
        shown=results.Sources(state, left_out),
        failures=failures,
        passed_over=tuple(left_out.values()),
        copy_number=tuple(copy_number.values()),
        tally=Tally(dividing, inputs=len(places), rows=0 if page.min_cell else listed),
    )


def _write_people(
    staged: Staged,
    known: Sequence[Compared] | None,
    exchanges: Sequence[Exchange] | None,
    members: Sequence[Member],
    children: int,
) -> tuple[list[str], dict[str, object]]:
    counts = swaps.counts_of(known or (), exchanges or ())
    if known is not None:
        write_known(known, staged.path(results.KNOWN_FILE))
    if exchanges is not None:
        write_rows(staged.path(results.SWAPS_FILE), Exchange.__struct_fields__, map(astuple, exchanges))
    if members:
        write_families(members, staged.path(results.FAMILIES_FILE), wording().say("cohort", "not_consistent"))
    if children:
        counts["families"] = pedigree.counts_of(members, children)
    there = (known is not None, exchanges is not None, bool(members))
    return [*itertools.compress(results.OF_PEOPLE, there)], counts


def _children(state: State, shown: Iterable[Source], carried: Sequence[str]) -> list[Child]:
    children = [*(state.meta("pedigree", tuple[Child, ...]) or ())]
    if {"father", "mother"} & set(carried):
        for person in people(state, shown, ("father", "mother")):
            family, *parents = (person.cells.get(name, "") for name in manifest.KINSHIP)
            father, mother = map(manifest.parent_in, parents)
            if father or mother:
                children.append(Child(family=family, sample=person.sample, father=father, mother=mother))
    return list(dict.fromkeys(children))


def _write_tables(
    staged: Staged, tables: Iterator[pa.Table], carried: Sequence[str], tally: Tally
) -> dict[str, list[Any]]:
    """Write and count the tables; return `OPINION` and what is carried if neighbours contradict anybody."""
    text, binary = staged.path("samples.tsv"), staged.path("samples.parquet")
    names = {name: name if name in OPINION else strata.column_of(name) for name in (*OPINION, *carried)}
    kept: list[pa.Table] = []
    with contextlib.closing(TableWriter(text, binary, carried)) as writer:
        for table in chunked(tables):
            tally.add(table)
            writer.write(table)
            if table.column("neighbours_agree").null_count < table.num_rows:
                kept.append(table.select(list(names.values())))
    if ("no",) not in tally.count("neighbours_agree"):
        return {}
    return {name: [c for part in kept for c in arrow.cells(part.column(own))] for name, own in names.items()}


def _tables(
    state: State, shown: Iterable[Source], carried: Sequence[str], dividing: Sequence[Dividing], files: Files
) -> Iterator[pa.Table]:
    columns = [item.column for item in dividing]
    root = strata.common_folder(source.job for source in shown) if strata.FOLDER_COLUMN in columns else ""
    cells = PlanCells(carried, columns, root, files)
    rows: list[list[Cell]] = []
    parts: list[Part] = []
    for source in shown:
        small = state.samples(source.key)
        if small and len(small) != source.samples:
            raise state.lacks_rows("sample")
        if small:
            rows += [msgspec.json.decode(data) for _, data in small]
            parts.append(Part(source=source, names=[name for name, _ in small], count=len(small)))
        if rows and (len(rows) >= _ROWS or not small):
            yield cells.added_to(fact_table(rows), parts)
            rows, parts = [], []
        if small:
            continue
        left, carry = source.samples, any(source.job.carried.values()) or source.job.meta
        by_block = results.names_of(state, source.key) if cells.files or carry else itertools.repeat([])
        for data, names in zip(state.blocks(source.key, "facts"), by_block, strict=False):
            table = from_bytes(data)
            left -= table.num_rows
            yield cells.added_to(table, [Part(source=source, names=names, count=table.num_rows)])
        if left:
            raise state.lacks_rows("block, or sample,")
    yield cells.added_to(fact_table(rows), parts)


class Part(Struct, frozen=True, kw_only=True):
    """Rows of a table that come from one input."""

    source: Source
    names: Sequence[str]  # those of the file, or empty if not needed
    count: int


class PlanCells:
    """The columns that come from the plan: carried ones by sample, others the same for a whole input."""

    def __init__(self, carried: Sequence[str], dividing: Iterable[str], root: str, files: Files) -> None:
        self.files = {whose: deque(names) for whose, names in files.items()}
        self._carried = carried
        self._plan = [name for name in dividing if name.startswith("plan:")]
        self._root = root

    def added_to(self, table: pa.Table, parts: Sequence[Part]) -> pa.Table:
        """Return `table` with these columns and the flags of minors; `parts` are its rows, in order."""
        if any(manifest.has_birth_dates(part.source.job) for part in parts):
            named = ((part, part.names or [manifest.EVERYBODY] * part.count) for part in parts)
            born = (born_minors(part.source.job, names, part.source.created) for part, names in named)
            table = with_minors(table, [*itertools.chain(*born)])
        if self.files:
            place = table.schema.get_field_index("report")
            left = (self.files.get((part.source.key, name)) for part in parts for name in part.names)
            paths = [f"{reports.FOLDER}/{names.popleft()}" if names else None for names in left]
            table = table.set_column(place, "report", arrow.coded(paths))
        if self._carried:
            cells: list[tuple[str, ...]] = []
            for part in parts:
                job = part.source.job
                options = {name: manifest.option_cell(job.options, name) for name in manifest.CARRIED_OPTIONS}
                known = {
                    name: tuple(safe_cell(own.get(c, options.get(c, ""))) for c in self._carried)
                    for name, own in {manifest.EVERYBODY: {}, **job.carried}.items()
                }
                nothing = known[manifest.EVERYBODY]
                cells += [known.get(name, nothing) for name in part.names] or [nothing] * part.count
            for index, name in enumerate(self._carried):
                column = arrow.coded([row[index] for row in cells])
                table = table.append_column(strata.column_of(name), column)
        shared = [strata.plan_cells(part.source.job, self._root) for part in parts]
        counts = [part.count for part in parts]
        for name in self._plan:
            table = table.append_column(name, arrow.repeated([row[name] for row in shared], counts))
        return table


def born_minors(job: Job, names: Sequence[str], created: str) -> list[bool]:
    """Return of which samples the manifest states a birth date that made a minor at the time of a run."""
    born = [manifest.born_of(job, name) for name in names]
    return [day is not None and is_minor(day, created=created) for day in born]


def with_minor(flags: str | None) -> str:
    """Return the flags of a sample with that of a minor."""
    if flags and manifest.is_flagged_minor(flags):
        return flags
    return ";".join(filter(None, (manifest.MINOR, flags)))


def with_minors(table: pa.Table, minors: Sequence[bool]) -> pa.Table:
    """Return a table of facts with the flag of a minor in these rows, as samples.tsv has it."""
    if not any(minors):
        return table
    each = zip(table.column("flags").to_pylist(), minors, strict=True)
    flags = [with_minor(own) if minor else own or "" for own, minor in each]
    return table.set_column(table.schema.get_field_index("flags"), "flags", arrow.coded(flags))
