"""Which stored results of a cohort this release, other evidence or other options would change, and why.

Nothing is read again: what was read of each input is stored, and goes through the same code as when it was
read. What nothing can have changed (same release, reference data, evidence and options) is not computed.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from pgx import reference
from pgx.cohort.estimate import Group
from pgx.cohort.jobs import Failure, Job, Known, Plan, Result, Slice, StoredInput, group_of, text_digest
from pgx.cohort.manifest import has_birth_dates
from pgx.cohort.results import names_of, passed_over
from pgx.cohort.store import PlannedRow, State
from pgx.cohort.tables.finalise import COMPARED_CELLS, Outcome, born_minors, finish, with_minors
from pgx.cohort.tables.reports import REPORTS_INDEX, Asked, Wanted
from pgx.cohort.tables.table import FACT_SCHEMA, fact_table, from_bytes
from pgx.cohort.worker import StoredReport, decode_input, failure_by, recipe, result_of_content
from pgx.errors import FormatError, UsageError
from pgx.executors import Processes, cpus, run_all
from pgx.genome import AssemblyDecision, find_assembly
from pgx.inputs import Input
from pgx.observe import SiteRecord
from pgx.options import Options, PageOptions, Rechecked
from pgx.render.tsv import Cell, cell_text
from pgx.single import check_options
from pgx.vcf import Columns, VcfContent

if TYPE_CHECKING:
    from pgx.reads.open import ReadsContent

#: Why a result would change, in the order of its weight, and the columns that tell it.
WHY = {
    "genotype": (
        "rs429358",
        "rs7412",
        "diplotype",
        "e4_status",
        "e4_copies",
        "phase",
        "neighbours_diplotype",
    ),
    "probability": ("diplotype_probability", "e4_carrier_probability", "neighbours_probability"),
    "flag": ("flags",),
    "evidence": ("conclusion",),
    "wording": (),
}
_ROWS = 5000
_BATCH = 100
_ALONE = 500  # inputs that each process must have to be worth its start
Flags = npt.NDArray[np.bool_]
Tell = Callable[[Sequence[Cell]], object]


class Rechecking(Struct, frozen=True, kw_only=True):
    """What became of the stored results.

    Attributes
    ----------
    results, changed
        People; of these, whose result would change (or has been renewed).
    why
        Of the latter, by the keys of `WHY`; a person counts in each that holds.
    unread
        Inputs of which what is stored does not suffice, and why.
    outcome
        What was written; None where nothing was to be.
    """

    results: int
    changed: int
    why: Mapping[str, int]
    unread: tuple[Failure, ...]
    outcome: Outcome | None = None


def recheck(
    folder: Path,
    options: Rechecked,
    *,
    write: bool,
    tell: Tell | None,
    command: str = "",
    jobs: int | None = None,
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
            raise UsageError(
                "is a slice of a cohort",
                where=str(folder),
                cure="Join the slices with pgx merge, and recheck that",
            )
        work.changes = []
        page = state.meta("page", PageOptions)
        if page is None:  # it may have been one for sharing
            raise state.lacks_rows("meta")
        state.renew(work.rows, work.results(), functools.partial(work.close, folder))
        last_reports = state.meta("reports", Wanted) if (folder / REPORTS_INDEX).is_file() else None
        asked = Asked(command=command, reports=last_reports)
        outcome = finish(state, folder, page, asked)
        return work.summary(outcome)


def _whole(state: State, rows: Sequence[PlannedRow]) -> Slice:
    """Return what the folder holds now: all inputs, under the options of `rows`."""
    plan = Plan(
        jobs=tuple(row.job for row in rows),
        carried=state.meta("carried", tuple[str, ...]) or (),
        pedigree=state.meta("pedigree", tuple[tuple[str, str, str, str], ...]) or (),
    )
    made_with = sorted({recipe(job.options) for job in plan.jobs})
    return Slice(
        number=1, of=1, plan_digest=plan.digest, plan_size=len(rows), conditions=text_digest(*made_with)
    )


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

    def __init__(self, state: State, given: Mapping[str, Any], tell: Tell | None, jobs: int | None) -> None:
        self._state, self._tell_of, self._jobs = state, tell, jobs
        plan = list(state.plan())
        self._known = state.known()
        part = state.meta("slice", Slice)
        if part is None or len(plan) != len(range(part.number - 1, part.plan_size, part.of)):
            raise state.lacks_rows("plan")
        if not all(row.key in self._known for row in plan):
            raise state.lacks_rows("result")
        self._silent = passed_over(plan, self._known)
        self.rows = [_under(row, given) for row in plan]
        self._keys = {row.key: new for row, new in zip(plan, self.rows, strict=True)}
        self._day = reference.now()[:10]
        self.changes: list[tuple[str, str, str]] | None = None
        self.count = Counter[str]()
        self.unread: list[Failure] = []

    def close(self, folder: Path) -> None:
        """Note who changed, and what the folder holds now, before anything of it holds.

        Raises
        ------
        FormatError
            An input must be read again.
        """
        if self.unread:
            more = f" and {len(self.unread) - 1} other inputs" if len(self.unread) > 1 else ""
            raise FormatError(
                f"cannot be renewed: {self.unread[0].input}{more} must be read again",
                where=str(folder),
                cure="Run pgx cohort again, with the options and the release that are wanted",
            )
        self._state.add_changes(self.changes or ())
        estimates = self._state.meta("estimates", list[Group]) or []
        named = {row.job.options.population for row in self.rows}
        tried = {group_of(row.job.options) for row in self.rows}  # of too few people
        kept = [
            item
            for item in estimates
            if (item.population in named if item.frequencies else item.group in tried)
        ]
        self._state.set_meta(slice=_whole(self._state, self.rows), estimates=kept)

    def summary(self, outcome: Outcome | None = None) -> Rechecking:
        """Return the counts."""
        return Rechecking(
            results=self.count["results"],
            changed=self.count["changed"],
            why={name: self.count[name] for name in WHY if self.count[name]},
            unread=tuple(self.unread),
            outcome=outcome,
        )

    def results(self) -> Iterator[Result]:
        """Yield the new result of each input, and note what it changes; what cannot change is not yielded."""
        waiting: list[_Different] = []
        todo: list[tuple[str, Job]] = []
        for key, row in self._keys.items():
            known = self._known.get(key)
            if known is None:
                continue
            current = known.recipe == recipe(row.job.options) and row.key == key
            if known.failure is not None or not known.samples:
                if not current:
                    yield Result(
                        **msgspec.structs.asdict(known) | {"key": row.key, "recipe": recipe(row.job.options)}
                    )
                continue
            self.count["results"] += 0 if key in self._silent else known.samples
            if not current:
                todo.append((key, row.job))
        for key, result in self._remade(todo):
            if isinstance(result, Failure):
                self.unread.append(result)
                continue
            if key not in self._silent:
                self._compare(key, result, waiting)
            yield result
        self._tell(waiting)

    def _remade(self, todo: Sequence[tuple[str, Job]]) -> Iterator[tuple[str, Result | Failure]]:
        """Yield key and outcome of these inputs in order; many are done side by side."""
        width = min(self._jobs or cpus(), len(todo) // _ALONE)
        if width <= 1:
            for key, job in todo:
                yield key, remade(self._kept(key, job))
            return

        def batches() -> Iterator[tuple[int, list[_Kept]]]:
            for start in range(0, len(todo), _BATCH):
                yield start, [self._kept(key, job) for key, job in todo[start : start + _BATCH]]

        done: dict[int, Sequence[Result | Failure]] = {}
        start = 0
        with closing(Processes(width)) as engine:
            for (number, batch), outcome in run_all(engine, _all_remade, batches()):
                died = [_unread(one.job, "the worker died over it") for one in batch]
                done[number] = died if isinstance(outcome, Exception) else outcome
                while start in done:
                    keys = (key for key, _ in todo[start : start + _BATCH])
                    yield from zip(keys, done.pop(start), strict=True)
                    start += _BATCH

    def _kept(self, key: str, job: Job) -> _Kept:
        return _Kept(
            job=replace(job, carried={}, meta={}),
            known=self._known[key],
            run=self._state.run_of(key),
            blocks=tuple(self._state.blocks(key, "texts")),
        )

    def _compare(self, key: str, result: Result, waiting: list[_Different]) -> None:
        if result.blocks:
            self._tell(waiting)
            self._compare_blocks(key, result)
            return
        before = self._state.samples(key)
        if len(before) != len(result.rows):
            raise self._state.lacks_rows("sample")
        reports = self._state.reports(key)
        minors = zip(*self._minors(key, result, [name for name, _ in before]), strict=True)
        for (_, facts), (_, report), row, minor in zip(before, reports, result.rows, minors, strict=True):
            if report != row.report or facts != row.facts or minor[0] != minor[1]:
                said, reworded = _differences(report, row.report)
                waiting.append(_Different(facts, row.facts, minor[0], minor[1], said, reworded))
        if len(waiting) >= _ROWS:
            self._tell(waiting)

    def _compare_blocks(self, key: str, result: Result) -> None:
        before, now = decode_input(self._state.run_of(key)), decode_input(result.run)
        parts = zip(self._state.blocks(key, "facts"), names_of(self._state, key), result.blocks, strict=True)
        for data, names, block in parts:
            minors = self._minors(key, result, names)
            old, new = (
                with_minors(from_bytes(facts), own)
                for facts, own in zip((data, block.facts), minors, strict=True)
            )
            said = _said(old, before.said) != _said(new, now.said)
            self._note(old, new, said, _reworded(old, before.sentences, now.sentences))

    def _minors(self, key: str, result: Result, names: Sequence[str]) -> list[list[bool]]:
        """Return which samples of an input were minors when it was read, and which are now."""
        job = self._keys[key].job
        if not has_birth_dates(job):
            return [[False] * len(names)] * 2
        runs = (decode_input(run).run for run in (self._state.run_of(key), result.run))
        return [born_minors(job, names, run.created) for run in runs]

    def _tell(self, waiting: list[_Different]) -> None:
        """Note the people of `waiting`, who then wait no longer."""
        if not waiting:
            return
        before, now, minors_before, minors_now, said, reworded = zip(*waiting, strict=True)
        old, new = (
            with_minors(fact_table([msgspec.json.decode(row) for row in rows]), minors)
            for rows, minors in ((before, minors_before), (now, minors_now))
        )
        self._note(old, new, np.array(said), np.array(reworded))
        waiting.clear()

    def _note(self, old: pa.Table, new: pa.Table, said: Flags, other: Flags) -> None:
        """Tell and count the rows of two tables that differ."""
        why = {name: _any_differs(old, new, columns) for name, columns in WHY.items()}
        why["evidence"] |= said
        why["wording"] = other & ~np.logical_or.reduce([why[name] for name in WHY if name != "wording"])
        places = np.flatnonzero(np.logical_or.reduce(list(why.values())))
        self.count["changed"] += len(places)
        self.count.update({name: int(found.sum()) for name, found in why.items()})
        if len(places) and (self._tell_of is not None or self.changes is not None):
            self._list(old.take(places), new.take(places), [why[name][places] for name in WHY])

    def _list(self, old: pa.Table, new: pa.Table, why: Sequence[Flags]) -> None:
        """Tell and keep the cells of each change."""
        weights = 1 << np.arange(len(WHY))
        bits = sum(flags * weight for flags, weight in zip(why, weights, strict=True))
        reasons = {
            number: ",".join(name for place, name in enumerate(WHY) if number >> place & 1)
            for number in np.unique(bits).tolist()
        }
        shown = [table.column(name).to_pylist() for name in COMPARED_CELLS for table in (old, new)]
        who = [old.column(name).to_pylist() for name in ("sample", "input")]
        for sample, source, number, *pairs in zip(*who, bits.tolist(), *shown, strict=True):
            cells = (self._day, sample, source, reasons[number], *pairs)
            if self._tell_of is not None:
                self._tell_of(cells)
            if self.changes is not None:
                self.changes.append((source, sample, msgspec.json.encode(cells).decode()))


class _Kept(Struct, frozen=True, kw_only=True):
    """What is kept of an input, and the job under which it is to be annotated; `blocks` are its texts."""

    job: Job
    known: Known
    run: bytes
    blocks: tuple[bytes, ...]


def _all_remade(batch: tuple[int, Sequence[_Kept]]) -> list[Result | Failure]:
    return [remade(kept) for kept in batch[1]]


def remade(kept: _Kept) -> Result | Failure:
    """Return what becomes of an input from what is stored of it, or why it must be read again."""
    stored, job, known = decode_input(kept.run), kept.job, kept.known
    if stored.content is None:
        return _unread(job, "holds text that is not UTF-8")
    content, around = _whole_content(stored, kept.blocks) if kept.blocks else (stored.content, stored.around)
    source = Input(
        content=content,
        decision=AssemblyDecision(
            assembly=find_assembly(stored.run.input.assembly), evidence=stored.run.input.assembly_evidence
        ),
        reads=_reads_of(stored),
        beside=stored.beside,
    )

    missed = []

    def neighbours() -> tuple[SiteRecord, ...]:
        if around is None:
            missed.append(job.path)
        return around or ()

    # Of one sample of several a second was kept that has no name, see `worker`.
    named = tuple(name for name in content.samples if name)
    options = job.options if len(named) == len(content.samples) else replace(job.options, samples=named)
    chosen = replace(job, options=options, without=())
    arrays_from = 1 if kept.blocks else len(content.samples) + 1
    try:
        result = result_of_content(chosen, source, neighbours, arrays_from=arrays_from)
    except Exception as error:  # noqa: BLE001 - as in a run: no input ends the others
        return failure_by(job, error)
    if missed or result.samples != known.samples:
        why = "needs its neighbours, which were not read" if missed else "is read in another way now"
        return _unread(job, why)
    same = {name: getattr(known, name) for name in ("fingerprint", "digest", "name_digest", "problems")}
    return replace(result, key=job.key, recipe=recipe(job.options), **same)


def _unread(job: Job, why: str) -> Failure:
    return Failure(input=job.path, error=why, cure="Read it again")


class _Different(NamedTuple):
    """A person of a small input of whom anything differs: facts before and now, and what tells why."""

    before: bytes
    now: bytes
    minor_before: bool
    minor_now: bool
    said: bool
    reworded: bool


def _under(row: PlannedRow, given: Mapping[str, Any]) -> PlannedRow:
    """Return a row under the options that are given, but for those that the manifest states."""
    own = {name: value for name, value in given.items() if name not in row.job.chosen}
    job = replace(row.job, options=replace(row.job.options, **own))
    return PlannedRow(position=row.position, key=job.key, job=job)


def _reads_of(stored: StoredInput) -> ReadsContent | None:
    """Return the aligned reads of an input; their letters are weighed anew, not what was made of them."""
    if bytes(stored.reads) == b"null":
        return None
    from pgx.reads.open import ReadsContent  # noqa: PLC0415 - few inputs are such

    return msgspec.json.decode(stored.reads, type=ReadsContent)


def _whole_content(
    stored: StoredInput, blocks: Sequence[bytes]
) -> tuple[VcfContent, tuple[SiteRecord, ...] | None]:
    """Return the content of a large input, and the records around the sites, with all columns."""
    from pgx.cohort.biobank import content_of, stored_records, unpack_lines  # noqa: PLC0415

    names, *columns = (b"\n".join(parts) for parts in zip(*map(unpack_lines, blocks), strict=True))
    samples = tuple(names.decode(errors="surrogateescape").split("\n"))
    records = []
    for record, texts in zip(stored_records(stored), columns, strict=True):
        fixed = record.fixed.encode(errors="surrogateescape") + b"\t"
        line = fixed + texts.replace(b"\n", b"\t") + b"\n"
        records.append(replace(record, samples=Columns(line, len(fixed), len(samples))))
    content = content_of(stored)
    count = len(content.records)
    around = None if stored.around is None else tuple(records[count:])
    return replace(content, samples=samples, records=tuple(records[:count])), around


def _differences(before: bytes, now: bytes) -> tuple[bool, bool]:
    """Return whether the evidence of two stored reports differs, and whether anything else does."""
    one, other = (msgspec.json.decode(data, type=StoredReport) for data in (before, now))
    return one.shared != other.shared, one.report != other.report


def _said(table: pa.Table, said: Mapping[str, str]) -> npt.NDArray[np.object_]:
    """Return a digest of what the evidence says of each person."""
    statuses, diplotypes = (table.column(name).to_pylist() for name in ("e4_status", "diplotype"))
    found = [
        said.get(f"{status} {diplotype}", "") for status, diplotype in zip(statuses, diplotypes, strict=True)
    ]
    return np.array(found, dtype=object)


def _reworded(table: pa.Table, before: Mapping[str, str], now: Mapping[str, str]) -> Flags:
    """Return of whom a sentence is another: of a flag that they have, or of the limits, which all have."""
    changed = {code for code in {*before, *now} if before.get(code) != now.get(code)}
    texts = table.column("flags").to_pylist()
    found = {
        text: "" in changed or bool(changed.intersection((text or "").split(";"))) for text in set(texts)
    }
    return np.array([found[text] for text in texts], dtype=bool)


def _any_differs(old: pa.Table, new: pa.Table, names: Iterable[str]) -> Flags:
    found = np.zeros(old.num_rows, dtype=bool)
    for name in names:
        kind = FACT_SCHEMA.field(name).type
        one, other = (table.column(name) for table in (old, new))
        if pa.types.is_dictionary(kind):
            one, other = one.cast(pa.string()), other.cast(pa.string())
        unequal = pc.coalesce(pc.not_equal(one, other), pc.xor(pc.is_null(one), pc.is_null(other)))
        differs = np.array(unequal.combine_chunks().to_numpy(zero_copy_only=False), dtype=bool)
        if pa.types.is_floating(kind):  # as the tables print them: the order of a sum never shows
            places = np.flatnonzero(differs)
            cells = zip(*(column.take(places).to_pylist() for column in (one, other)), strict=True)
            differs[places] = [cell_text(was) != cell_text(now) for was, now in cells]
        found |= differs
    return found
