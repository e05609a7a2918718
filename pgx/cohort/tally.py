"""Count a cohort while its tables are written: nothing is kept but counts and a few names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct

from pgx.cohort import arrow
from pgx.cohort.rules import page_limits
from pgx.cohort.siteread import compact, first_of
from pgx.sites import rsids

#: What a sample is counted by, before the columns that divide the cohort.
PROFILE = (
    *rsids(), "diplotype", "e4_status", "state_1", "state_2", "assembly", "conclusion", "flags", "reasons"
)  # fmt: skip
_SHOWN = (
    "sample", "input", "best", "diplotype", "diplotype_probability", "e4_status", "reasons", *rsids(), "flags"
)  # fmt: skip

_KINDS: dict[pa.DataType, type[np.generic]] = {pa.float64(): np.float64, pa.int32(): np.int32}


class Open(Struct, frozen=True, kw_only=True):
    """A sample whose diplotype or status is not determined."""

    sample: str
    input: str
    best: str
    diplotype_probability: float
    e4_status: str
    reasons: tuple[str, ...]


class Duplicate(Struct, frozen=True, kw_only=True):
    """A sample name that came again."""

    sample: str
    inputs: tuple[str, str]
    same_genotypes: bool


def _is_minor(flags: str | None) -> bool:
    return "minor" in (flags or "").split(";")


def _without_minor(row: dict[str, object]) -> dict[str, object]:
    """Return a row of the page's sample table; of a minor only the name, the input and the flag."""
    if not _is_minor(str(row["flags"] or "")):
        return row
    kept = {"sample": row["sample"], "input": row["input"], "flags": "minor"}
    return {name: kept.get(name) for name in row}


class Tally:
    """Counts over all samples.

    Attributes
    ----------
    profiles
        Samples by the values of `PROFILE` and the dividing columns.
    bins
        For depth and quality of each site, and for the probability: samples a bin.
    """

    def __init__(self, dividing: Sequence[str], *, inputs: int, rows: int = 0) -> None:
        self.dividing = tuple(dividing)
        self.samples = 0
        self.profiles: Counter[tuple[str, ...]] = Counter()
        self.bins: dict[str, npt.NDArray[np.int64]] = {}
        self.unstated: Counter[str] = Counter()
        self.open: list[Open] = []
        self.duplicates: list[Duplicate] = []
        self.duplicated = 0
        self.rows: list[dict[str, object]] = []
        self._wanted_rows = rows
        self._seen: dict[str, tuple[str, str]] | None = {} if inputs > 1 else None

    def add(self, table: pa.Table) -> None:
        """Count the samples of a chunk."""
        self.samples += table.num_rows
        self._profile(table)
        limits = page_limits()
        for name in ("depth_1", "depth_2"):
            self._bin(name, table, limits.depth_bins)
        for name in ("quality_1", "quality_2"):
            self._bin(name, table, limits.quality_bins)
        self._bin("diplotype_probability", table, limits.probability_bins)
        self._note_open(table, limits.max_listed)
        if len(self.rows) < self._wanted_rows:
            more = table.slice(0, self._wanted_rows - len(self.rows)).select(list(_SHOWN))
            self.rows += [_without_minor(row) for row in more.to_pylist()]
        if self._seen is not None:
            self._note_names(table, limits.max_listed)

    def _profile(self, table: pa.Table) -> None:
        joined = np.zeros(table.num_rows, dtype=np.int64)
        columns = [_single(table.column(name)) for name in (*PROFILE, *self.dividing)]
        for column in columns:
            indices = column.indices
            codes = np.where(arrow.valid(indices), arrow.values(indices, np.int32).astype(np.int64) + 1, 0)
            joined = compact(joined * (len(column.dictionary) + 1) + codes)
        joined = compact(joined)
        for row, count in zip(first_of(joined).tolist(), np.bincount(joined).tolist(), strict=True):
            self.profiles[tuple(column[row].as_py() or "" for column in columns)] += count

    def _bin(self, name: str, table: pa.Table, edges: Sequence[float]) -> None:
        column = _single(table.column(name))
        known = arrow.values(column, _KINDS[column.type])[arrow.valid(column)]
        self.unstated[name] += column.null_count
        places = np.searchsorted(np.array(edges), known, side="right") - 1
        counted = np.bincount(np.maximum(places, 0), minlength=len(edges))
        self.bins[name] = self.bins.get(name, np.zeros(len(edges), dtype=np.int64)) + counted

    def _note_open(self, table: pa.Table, limit: int) -> None:
        if len(self.open) >= limit:
            return
        reasons = _single(table.column("reasons"))
        stated = np.array([bool(text) for text in reasons.dictionary.to_pylist()] or [False])
        rows = np.flatnonzero(stated[arrow.values(reasons.indices, np.int32)])
        for row in rows[: limit - len(self.open)].tolist():
            if _is_minor(table.column("flags")[row].as_py()):
                continue
            cells = {name: table.column(name)[row].as_py() for name in Open.__struct_fields__}
            cells["reasons"] = tuple(cells["reasons"].split(";"))
            cells["diplotype_probability"] = float(f"{cells['diplotype_probability']:.10g}")
            self.open.append(Open(**cells))

    def _note_names(self, table: pa.Table, limit: int) -> None:
        seen = self._seen
        if seen is None:
            return
        columns = [table.column(name).to_pylist() for name in ("sample", "input", *rsids())]
        for name, source, first, second in zip(*columns, strict=True):
            genotypes = f"{first} {second}"
            before = seen.setdefault(name, (source, genotypes))
            if before[0] is source and before[1] is genotypes:
                continue
            self.duplicated += 1
            if len(self.duplicates) < limit:
                self.duplicates.append(
                    Duplicate(sample=name, inputs=(before[0], source), same_genotypes=before[1] == genotypes)
                )

    def count(self, *names: str) -> Counter[tuple[str, ...]]:
        """Return samples by the values of some columns of the profile."""
        places = [(*PROFILE, *self.dividing).index(name) for name in names]
        found: Counter[tuple[str, ...]] = Counter()
        for profile, number in self.profiles.items():
            found[tuple(profile[place] for place in places)] += number
        return found


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
