"""Count a cohort while its tables are written: nothing is kept but counts and a few names."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct

from pgx.cohort.jobs import page_limits
from pgx.cohort.manifest import MINOR, is_flagged_minor
from pgx.cohort.summary.strata import POPULATION, Dividing
from pgx.cohort.tables import arrow
from pgx.cohort.tables.arrow import compact, first_of
from pgx.genome import rsids

#: What a sample is counted by, before the columns that divide the cohort.
PROFILE = (
    *rsids(), "diplotype", "e4_status", "state_1", "state_2", "assembly", "conclusion", "flags", "reasons",
    POPULATION, "neighbours_agree",
)  # fmt: skip
#: Columns of the page's sample table, before those that divide the cohort; of a minor only `_OF_MINORS`.
SHOWN = ("sample", "diplotype", "diplotype_probability", "e4_status", *rsids(), "flags", POPULATION)
#: Numbers of quality that MultiQC gets a row a sample of.
QUALITY = ("best", "diplotype_probability", "depth_1", "depth_2", "quality_1", "quality_2")
_OF_MINORS = frozenset({"sample", "input", "report"})
_OPEN = (
    "sample", "input", "best", "diplotype_probability", "e4_status", "reasons", "state_1", "state_2", "report"
)  # fmt: skip
NUMBERS = ("depth_1", "depth_2", "quality_1", "quality_2", "diplotype_probability")
_KINDS: dict[pa.DataType, type[np.generic]] = {pa.float64(): np.float64, pa.int32(): np.int32}


class Open(Struct, frozen=True, kw_only=True):
    """A sample whose diplotype or status is not determined, or could be read in another way."""

    sample: str
    input: str
    best: str | None  # None where no site could be used: only a prior would speak
    diplotype_probability: float | None  # of the best
    e4_status: str
    reasons: tuple[str, ...]
    states: tuple[str, str]
    report: str | None


class Duplicate(Struct, frozen=True, kw_only=True):
    """A sample name that came again; whether with the same genotypes is not said where one is a minor."""

    sample: str
    inputs: tuple[str, str]
    same_genotypes: bool | None


class Tally:
    """Counts over all samples."""

    def __init__(self, dividing: Sequence[Dividing], *, inputs: int, rows: int = 0) -> None:
        self.dividing = tuple(dividing)
        self.samples = 0
        self.profiles: Counter[tuple[str, ...]] = Counter()  # by the values of `_columns`
        self.bins: dict[str, npt.NDArray[np.int64]] = {}  # of each of `NUMBERS`
        self.unstated: Counter[str] = Counter()
        self.open: list[Open] = []  # the first that are not determined
        self.ambiguous: list[Open] = []  # the first that are, but have another reading
        self._first: list[pa.Table] = []
        self._columns = tuple(dict.fromkeys([*PROFILE, *(item.column for item in dividing)]))
        self._wanted_rows = rows
        self._named: list[pa.Table] = []
        self._may_repeat = inputs > 1

    def add(self, table: pa.Table) -> None:
        """Count the samples of a chunk."""
        self.samples += table.num_rows
        joined = np.zeros(table.num_rows, dtype=np.int64)
        columns = [arrow.single(table.column(name)) for name in self._columns]
        for column in columns:
            nulls = column.null_count
            if (len(column.dictionary) == 1 and not nulls) or 0 < nulls == len(column):
                continue  # all is the same
            indices = column.indices
            codes = np.where(arrow.valid(indices), arrow.values(indices, np.int32).astype(np.int64) + 1, 0)
            joined = compact(joined * (len(column.dictionary) + 1) + codes)
        joined = compact(joined)
        for row, count in zip(first_of(joined).tolist(), np.bincount(joined).tolist(), strict=True):
            self.profiles[tuple(column[row].as_py() or "" for column in columns)] += count
        for name in NUMBERS:
            edges, column = bin_edges(name), arrow.single(table.column(name))
            valid = arrow.valid(column)
            if name == "diplotype_probability":  # without a site in use it is a prior, which tells of nobody
                valid &= _having(table, "best", bool)
            known = arrow.values(column, _KINDS[column.type])[valid]
            self.unstated[name] += table.num_rows - len(known)
            places = np.searchsorted(np.array(edges), known, side="right") - 1
            counted = np.bincount(np.maximum(places, 0), minlength=len(edges))
            self.bins[name] = self.bins.get(name, np.zeros(len(edges), dtype=np.int64)) + counted
        reasons = _having(table, "reasons", bool)
        flagged = _having(table, "flags", lambda text: "ambiguous-phase" in text.split(";"))
        self._note(self.open, table, reasons)
        self._note(self.ambiguous, table, flagged & ~reasons)
        if (wanted := self._wanted_rows - sum(part.num_rows for part in self._first)) > 0:
            own = dict.fromkeys((*SHOWN, *QUALITY, *self._columns, "input", "report"))
            self._first.append(table.slice(0, wanted).select(list(own)))
        if self._may_repeat:
            self._named.append(table.select(["sample", "input", "flags", *rsids()]))

    def _note(self, found: list[Open], table: pa.Table, rows: npt.NDArray[np.bool_]) -> None:
        """Record samples by name up to the limit; nothing of a minor."""
        for row in np.flatnonzero(rows).tolist():
            if len(found) >= page_limits().max_listed:
                return
            if is_flagged_minor(table.column("flags")[row].as_py()):
                continue
            cells = {name: table.column(name)[row].as_py() for name in _OPEN}
            number, states = cells.pop("diplotype_probability"), (cells.pop("state_1"), cells.pop("state_2"))
            reasons = tuple(part for part in (cells.pop("reasons") or "").split(";") if part)
            known = None if cells["best"] is None else float(f"{number:.10g}")
            found.append(Open(**cells, diplotype_probability=known, reasons=reasons, states=states))

    @functools.cached_property
    def _repeated(self) -> list[tuple[int, int]]:
        """Rows of `_named` whose name an earlier one has, each with the first that has it."""
        if not self._named:
            return []
        self._named = [pa.concat_tables(self._named).unify_dictionaries()]
        codes = arrow.indices(self._named[0].column("sample").combine_chunks())
        first = first_of(codes)[codes]
        again = np.flatnonzero(first != np.arange(len(first)))
        return list(zip(first[again].tolist(), again.tolist(), strict=True))

    @property
    def duplicated(self) -> int:
        """How many samples have a name that came before."""
        return len(self._repeated)

    @property
    def duplicates(self) -> list[Duplicate]:
        """The first of them."""
        found = []
        for pair in self._repeated[: page_limits().max_listed]:
            rows = self._named[0].take(arrow.numbers(np.array(pair), pa.int64()))
            name, inputs, flags, *genotypes = (column.to_pylist() for column in rows.columns)
            alike = all(one == other for one, other in genotypes)
            same = None if any(map(is_flagged_minor, flags)) else alike
            found.append(Duplicate(sample=name[0], inputs=tuple(inputs), same_genotypes=same))
        return found

    def first(self, names: Sequence[str], most: int) -> dict[str, list[Any]]:
        """Return columns of the first samples, `flags` among them; of a minor name, files and that flag."""
        wanted = dict.fromkeys((*names, "flags"))
        sizes = [part.num_rows for part in self._first]
        kept = [part.slice(0, max(0, most - sum(sizes[:place]))) for place, part in enumerate(self._first)]
        found = {name: [cell for part in kept for cell in arrow.cells(part.column(name))] for name in wanted}
        minors = [place for place, flags in enumerate(found["flags"]) if is_flagged_minor(flags)]
        for name, place in itertools.product(found.keys() - _OF_MINORS, minors):
            found[name][place] = MINOR if name == "flags" else None
        return found

    def count(self, *names: str) -> Counter[tuple[str, ...]]:
        """Return samples by the values of some columns of the profile."""
        places = [self._columns.index(name) for name in names]
        found: Counter[tuple[str, ...]] = Counter()
        for profile, number in self.profiles.items():
            found[tuple(profile[place] for place in places)] += number
        return found


def bin_edges(name: str) -> tuple[float, ...]:
    """Return the lower edges of the bins of a number."""
    limits = page_limits()
    if name.startswith("depth"):
        return limits.depth_bins
    return limits.quality_bins if name.startswith("quality") else limits.probability_bins


def _having(table: pa.Table, name: str, wanted: Callable[[str], bool]) -> npt.NDArray[np.bool_]:
    column = arrow.single(table.column(name))
    good = np.array([bool(text) and wanted(text) for text in column.dictionary.to_pylist()] or [False])
    indices = column.indices
    codes = np.where(arrow.valid(indices), arrow.values(indices, np.int32), 0)
    return np.asarray(good[codes] & arrow.valid(indices))
