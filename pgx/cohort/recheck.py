"""Which stored results of a cohort this release, other evidence or other options would change, and why.

Nothing is read again: what was read of each input is stored, and goes through the same code as when it was
read. What nothing can have changed (same release, reference data, evidence and options) is not computed.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace

from pgx import reference
from pgx.cohort.again import Kept, facts_again, remade, unread
from pgx.cohort.estimate import Group
from pgx.cohort.jobs import Failure, Plan, Result, Slice, group_of, text_digest
from pgx.cohort.manifest import has_birth_dates
from pgx.cohort.results import Asked, Outcome, Wanted, names_of, passed_over
from pgx.cohort.store import ANEW, PlannedRow, State, planned_row
from pgx.cohort.tables.finalise import born_minors, finish, with_minor, with_minors
from pgx.cohort.tables.reports import COMPARED_CELLS, REPORTS_INDEX
from pgx.cohort.tables.table import FACTS, any_differs, from_bytes
from pgx.cohort.worker import decode_input, recipe
from pgx.errors import FormatError, UsageError
from pgx.executors import Processes, cpus, run_all
from pgx.options import Options, PageOptions, Rechecked
from pgx.render.tsv import Cell, cell_text
from pgx.single import check_options

#: Why a result would change, in the order of its weight, and the columns that tell it.
WHY = {
    "genotype": ("rs429358", "rs7412", "diplotype", "e4_status", "e4_copies", "phase",
                 "neighbours_diplotype"),
    "probability": ("diplotype_probability", "e4_carrier_probability", "neighbours_probability"),
    "flag": ("flags",),
    "evidence": ("conclusion", "said"),
    "wording": ("worded", "state_1", "state_2", "depth_1", "depth_2", "quality_1", "quality_2", "reasons"),
}  # fmt: skip
_BATCH = 500  # samples
_ALONE = 4  # batches from which on it is worth to start processes
_Batch = tuple[int, bool, bool, list[Kept]]  # number, whether results and cells are wanted, inputs
Tell = Callable[[Sequence[Cell]], object] | None


class Rechecking(Struct, frozen=True, kw_only=True):
    """What became of the stored results."""

    results: int  # people
    changed: int  # of these, whose result would change, or has been renewed
    why: Mapping[str, int]  # of the latter, by the keys of `WHY`; a person counts in each that holds
    unread: tuple[Failure, ...]  # inputs of which what is stored does not suffice, and why
    outcome: Outcome | None = None  # what was written; None where nothing was to be


def recheck(
    folder: Path, options: Rechecked, *, write: bool, tell: Tell, command: str = "", jobs: int | None = None
) -> Rechecking:
    """Recheck the results of a cohort folder; `tell` takes the cells of each change, see `CHANGED`.

    With `write` results, reports, tables and page are renewed, and the changes are added to changed.tsv.

    Raises
    ------
    FormatError
        It is no folder of a cohort, its run is not finished; or, with `write`, an input must be read again.
    UsageError
        An option cannot be; or, with `write`, the folder is a slice.
    OutputError
        The folder cannot be written. What was stored stays.
    """
    _check_folder(folder)
    with State(folder, create=False) as state:
        if not state.meta("renewed", bool):
            state.check_finished()
    stated = _stated(options)
    with State(folder, create=write) as state:
        work = _Work(state, stated, tell, jobs)
        if not write:
            for _ in work.results():
                pass
            return work.summary()
        part = state.meta("slice", Slice)
        if part is not None and part.of > 1:
            cure = "Join the slices with pgx merge, and recheck that"
            raise UsageError("is a slice of a cohort", where=str(folder), cure=cure)
        work.writes, rows = True, [work.under(row) for row in state.plan()]
        page = state.meta("page", PageOptions)
        if page is None:  # it may have been one for sharing
            raise state.lacks_rows("meta")
        state.renew(rows, work.results(), functools.partial(work.close, folder, rows))
        last_reports = state.meta("reports", Wanted) if (folder / REPORTS_INDEX).is_file() else None
        asked = Asked(command=command, reports=last_reports)
        return work.summary(finish(state, folder, page, asked))


def _check_folder(folder: Path) -> None:
    """Tell who gives a report, or a folder of reports, what to do; what else is none, `State` says."""
    if State.is_in(folder):
        return
    if State.is_in(folder.parent):
        what, cure = "is part of the folder of a cohort", f"Give that folder: {folder.parent}"
        raise FormatError(what, where=str(folder), cure=cure)
    if folder.is_file() or next(folder.glob("*.json"), None):
        what = "is no folder of a cohort, and reports alone do not hold what was read"
        cure = "Annotate the input again, or give the inputs to pgx cohort: its folder can be rechecked"
        raise FormatError(what, where=str(folder), cure=cure)


def _stated(options: Rechecked) -> dict[str, Any]:
    """Return the options that are given, and check them."""
    given = {
        name: value
        for name, value in msgspec.structs.asdict(options).items()
        if value is not None and value is not False and value != ()  # 0 takes a filter back
    }
    check_options(replace(Options(), **given))
    return given


class _Work:
    """Goes through the inputs of a folder in order."""

    def __init__(self, state: State, given: Mapping[str, Any], tell: Tell, jobs: int | None) -> None:
        self._state, self._given, self._tell, self._jobs = state, given, tell, jobs
        part = state.meta("slice", Slice)
        if part is None or state.plan_size() != len(range(part.number - 1, part.plan_size, part.of)):
            raise state.lacks_rows("plan")
        may_be_silent = any(not known.has_records for known in state.results())
        self._silent = passed_over(state.planned_results()) if may_be_silent else {}
        # equal options are to be one object: it goes to a worker once a batch
        self._options = functools.lru_cache(maxsize=4096)(self._options_now)
        self.writes = False
        self.count = Counter[str]()
        self.unread: list[Failure] = []

    def under(self, row: PlannedRow) -> PlannedRow:
        """Return a row under the options that are given, but for those that the manifest states."""
        job = replace(row.job, options=self._options(row.job.options, row.job.chosen))
        return planned_row(row.position, job)

    def _options_now(self, options: Options, chosen: tuple[str, ...]) -> Options:
        own = {name: value for name, value in self._given.items() if name not in chosen}
        return replace(options, **own)

    def close(self, folder: Path, rows: Sequence[PlannedRow]) -> None:
        """Note what the folder will hold, before any of it holds; refuse if an input must be read again."""
        if self.unread:
            more = f" and {len(self.unread) - 1} other inputs" if len(self.unread) > 1 else ""
            what = f"cannot be renewed: {self.unread[0].input}{more} must be read again"
            cure = "Run pgx cohort again, with the options and the release that are wanted"
            raise FormatError(what, where=str(folder), cure=cure)
        meta = self._state.meta
        carried = meta("carried", tuple[str, ...]) or ()
        pedigree = meta("pedigree", tuple[tuple[str, str, str, str], ...]) or ()
        plan = Plan(jobs=tuple(row.job for row in rows), carried=carried, pedigree=pedigree)
        own = {row.job.options for row in rows}
        named, tried = {one.population for one in own}, {group_of(one) for one in own}  # of too few people
        known = meta("estimates", list[Group]) or []
        kept = [one for one in known if (one.population in named if one.frequencies else one.group in tried)]
        made_with = text_digest(*sorted({recipe(one) for one in own}))
        whole = Slice(number=1, of=1, plan_digest=plan.digest, plan_size=len(rows), conditions=made_with)
        self._state.set_meta(slice=whole, estimates=kept)

    def summary(self, outcome: Outcome | None = None) -> Rechecking:
        """Return the counts."""
        people = {"results": self.count["results"], "changed": self.count["changed"]}
        why = {name: self.count[name] for name in WHY if self.count[name]}
        return Rechecking(**people, why=why, unread=tuple(self.unread), outcome=outcome)

    def results(self) -> Iterator[Result]:
        """Tell what changes, and yield what is to be stored, if that is asked for."""
        day = reference.now()[:10]
        for batch, outcome in self._remade():
            if isinstance(outcome, Exception):
                self.unread += [unread(one.job, "the worker died over it") for one in batch]
                continue
            self.count.update(outcome.count)
            self.unread += outcome.unread
            changed = [(day, *cells) for cells in outcome.changed]
            if self._tell is not None:
                for cells in changed:
                    self._tell(cells)
            if self.writes:
                noted = ((str(one[2]), str(one[1]), msgspec.json.encode(one).decode()) for one in changed)
                self._state.add_changes(noted)
            yield from outcome.results

    def _batches(self) -> Iterator[_Batch]:
        """Yield what must be computed anew, numbered, some inputs at a time, and count all that there are."""
        due: list[tuple[str | None, Kept]] = []  # by the key of what is stored, None: there are no rows
        place, tells = str(self._state.path), self.writes or self._tell is not None
        number = size = 0
        for row, known in self._state.planned_results():
            new = self.under(row)
            made_with = recipe(new.job.options)
            has_rows = known.failure is None and known.samples > 0
            silent = row.key in self._silent
            self.count["results"] += known.samples if has_rows and not silent else 0
            if row.key == new.key and known.recipe == made_with:
                continue
            if has_rows or self.writes:
                kept = Kept(new.job, new.key, known, made_with, is_silent=silent, place=place)
                due.append((row.key if has_rows else None, kept))
            size += known.samples
            if size >= _BATCH:
                yield number, self.writes, tells, self._kept(due)
                due, number, size = [], number + 1, 0
        if due:
            yield number, self.writes, tells, self._kept(due)

    def _remade(self) -> Iterator[tuple[list[Kept], _Found | Exception]]:
        """Yield inputs, some at a time and in order, and what becomes of them; many are done side by side."""
        batches = self._batches()
        first = list(itertools.islice(batches, _ALONE))
        width = self._jobs or cpus()
        if len(first) < _ALONE or width == 1:
            for batch in itertools.chain(first, batches):
                yield batch[3], _recheck_batch(batch)
            return
        done: dict[int, tuple[list[Kept], _Found | Exception]] = {}
        place = 0
        with closing(Processes(width, fork=True)) as engine:
            for batch, outcome in run_all(engine, _recheck_batch, itertools.chain(first, batches)):
                done[batch[0]] = batch[3], outcome
                while place in done:
                    yield done.pop(place)
                    place += 1

    def _kept(self, due: Sequence[tuple[str | None, Kept]]) -> list[Kept]:
        """Return what is kept of some inputs; of those without rows nothing is needed."""
        state = self._state
        keys = [key for key, _ in due if key is not None]
        runs, small = state.runs(keys), state.samples_of(keys)
        found = []
        for key, item in due:
            born = key is not None and has_birth_dates(item.job)
            kept = item if born else replace(item, job=replace(item.job, carried={}, meta={}, lines={}))
            if key is not None:
                rows = small.get(key, [])
                facts = tuple(data for _, data in rows) or tuple(state.blocks(key, "facts"))
                texts = () if rows else tuple(state.blocks(key, "texts"))
                names = tuple(names_of(state, key)) if born else ()
                kept = replace(kept, run=runs.get(key, b""), facts=facts, texts=texts, names=names)
            found.append(kept)
        return found


class _Found(Struct, kw_only=True):
    """What became of some inputs; `changed` has the cells of each change but for the day."""

    tells: bool  # whether these cells are wanted
    results: list[Result] = []
    unread: list[Failure] = []
    count: Counter[str] = msgspec.field(default_factory=Counter)
    changed: list[tuple[Cell, ...]] = []


def _recheck_batch(batch: _Batch) -> _Found:
    """Annotate inputs from what is kept of them, and say what differs."""
    _, writes, tells, inputs = batch
    found = _Found(tells=tells)
    for kept in inputs:
        if not kept.run:
            same = msgspec.structs.asdict(kept.known) | {"key": kept.key, "recipe": kept.recipe}
            found.results.append(Result(**same))
            continue
        now = (None if writes else facts_again(kept)) or remade(kept)
        if isinstance(now, Failure):
            found.unread.append(now)
            continue
        if isinstance(now, Result):
            found.results += [now] if writes else []
            now = [row.facts for row in now.rows or now.blocks]
        if not kept.is_silent:
            _compare(kept, now, found)
    return found


def _compare(kept: Kept, now: Sequence[bytes], found: _Found) -> None:
    if len(now) != len(kept.facts):
        raise FormatError("is damaged: rows of its table sample are missing", where=kept.place, cure=ANEW)
    days = (decode_input(kept.run).run.created, reference.now()) if kept.names else ()
    minors = [tuple(born_minors(kept.job, names, day) for day in days) for names in kept.names]
    if kept.texts:
        for place, pair in enumerate(zip(kept.facts, now, strict=True)):
            tables = [from_bytes(data) for data in pair]
            if minors:
                tables = [*map(with_minors, tables, minors[place])]
            _note(tables[0], tables[1], found)
        return
    by_sample = zip(*minors[0], strict=True) if minors else itertools.repeat((False, False))
    for before, after, (was, is_now) in zip(kept.facts, now, by_sample, strict=False):
        if before != after or was != is_now:
            _note_person(_cells(before, minor=was), _cells(after, minor=is_now), found)


def _cells(facts: bytes, *, minor: bool) -> dict[str, Cell]:
    """Return the facts of a person by name, as samples.tsv has them."""
    cells = dict(zip(FACTS, msgspec.json.decode(facts), strict=True))
    return cells | {"flags": with_minor(cells["flags"])} if minor else cells


def _note_person(old: Mapping[str, Cell], new: Mapping[str, Cell], found: _Found) -> None:
    """Count what differs of a person, and keep the cells if they are to be told: `_note` of a single row."""
    unlike = {name for name in FACTS if old[name] != new[name] and not _printed_alike(old[name], new[name])}
    why = [name for name, columns in WHY.items() if not unlike.isdisjoint(columns)]
    why = [name for name in why if name != "wording"] or why
    if not why:
        return
    found.count.update(["changed", *why])
    if found.tells:
        shown = (cells[name] for name in COMPARED_CELLS for cells in (old, new))
        found.changed.append((old["sample"], old["input"], ",".join(why), *shown))


def _printed_alike(one: Cell, other: Cell) -> bool:
    """Return whether two numbers have the same digits in the tables: the order of a sum never shows."""
    return isinstance(one, float) and isinstance(other, float) and cell_text(one) == cell_text(other)


def _note(old: pa.Table, new: pa.Table, found: _Found) -> None:
    """Count the rows of two tables that differ, and keep their cells if they are to be told."""
    why = {name: any_differs(old, new, columns) for name, columns in WHY.items()}
    why["wording"] &= ~np.logical_or.reduce([why[name] for name in WHY if name != "wording"])
    places = np.flatnonzero(np.logical_or.reduce(list(why.values())))
    found.count["changed"] += len(places)
    found.count.update({name: int(flags.sum()) for name, flags in why.items()})
    if not len(places) or not found.tells:
        return
    each = zip(*(why[name][places].tolist() for name in WHY), strict=True)
    reasons = [",".join(itertools.compress(WHY, flags)) for flags in each]
    old, new = old.take(places), new.take(places)
    shown = [table.column(name).to_pylist() for name in COMPARED_CELLS for table in (old, new)]
    who = [old.column(name).to_pylist() for name in ("sample", "input")]
    found.changed += zip(*who, reasons, *shown, strict=True)
