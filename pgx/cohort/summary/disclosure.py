"""What of a count is shown: all of it, or, on a page that is shared, what tells nothing of few people.

A page for sharing hides every count below N, zero too, and rounds all others to multiples of N; shares,
intervals and tests are made from the rounded counts. Hiding alone would not do: totals, other tables and
strata would give hidden counts away by subtraction. Of a group of few times N samples nothing is shown: so
few counts leave too little room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from pgx.cohort.limits import least_group
from pgx.cohort.summary.statistics import hardy_weinberg, wilson

Object = dict[str, Any]


def rounded(value: float) -> float:
    """Return a number with six digits."""
    return float(f"{value:.6g}")


class Cells(Struct, frozen=True):
    """How counts are shown.

    Attributes
    ----------
    least
        Counts below it are hidden; 0 for none.
    nothing
        Hide all of them: the group is too small for any to be shown.
    """

    least: int = 0
    nothing: bool = False

    def of(self, samples: int) -> Cells:
        """Return how counts of a group of so many samples are shown."""
        return Cells(self.least, nothing=samples < least_group(self.least))

    def count(self, number: int) -> int | None:
        """Return a count as it is shown; None where it is hidden. Zero is a small count like any."""
        if self.least == 0:
            return number
        if self.nothing or number < self.least:
            return None
        return max(self.least, (number + self.least // 2) // self.least * self.least)

    def row(self, name: str, number: int, total: int) -> Object:
        """Return a count with its share of `total` and the 95 % Wilson interval of the share."""
        shown, whole = self.count(number), self.count(total)
        if shown is None or whole is None:
            return {"name": name, "count": shown, "share": None, "low": None, "high": None}
        part = min(shown, whole)
        low, high = wilson(part, whole)
        share = rounded(part / whole) if whole else None
        return {"name": name, "count": shown, "share": share, "low": rounded(low), "high": rounded(high)}

    def rows(
        self, counts: Mapping[str, int], order: Sequence[str] = (), total: int | None = None
    ) -> list[Object]:
        """Return rows in the order that is given, else the most frequent first and no hidden one.

        `total` is the sum of the counts unless it is given.
        """
        whole = sum(counts.values()) if total is None else total
        shown = {name: self.count(number) for name, number in counts.items()}
        names = order or sorted(counts, key=lambda name: (-(shown[name] or 0), name))
        rows = [self.row(name, counts.get(name, 0), whole) for name in names]
        return rows if order else [row for row in rows if row["count"] is not None]

    def weighted(self, name: str, counts: Sequence[tuple[int, int]], of: Sequence[tuple[int, int]]) -> Object:
        """Return the row of a sum of counts, each times its weight, out of another such sum.

        Made from counts as they are shown, a hidden one as none: sums of the counts themselves, rounded
        anew, would tell more of them. A sum of nothing but hidden counts is hidden.
        """
        shown = [(self.count(number), weight) for number, weight in counts if weight]
        total = sum(weight * (self.count(number) or 0) for number, weight in of)
        found = sum(weight * (number or 0) for number, weight in shown)
        if not found and any(number is None for number, _ in shown):
            return {"name": name, "count": None, "share": None, "low": None, "high": None}
        return Cells().row(name, found, total)

    def hardy_weinberg(self, genotypes: Iterable[int]) -> float | None:
        """Return the exact P of genotype counts as they are shown."""
        shown = [self.count(number) for number in genotypes]
        known = [number for number in shown if number is not None]
        if len(known) < len(shown) or not sum(known):
            return None
        return rounded(hardy_weinberg(*known))


def flat(counts: Mapping[tuple[str, ...], int]) -> Counter[str]:
    """Return counts by one value as counts by its text."""
    return Counter({name: number for (name,), number in counts.items()})


def parts(counts: Mapping[tuple[str, ...], int]) -> Counter[str]:
    """Return how often each part of texts joined by ";" occurs."""
    found: Counter[str] = Counter()
    for (text,), number in counts.items():
        for part in text.split(";") if text else ():
            found[part] += number
    return found
