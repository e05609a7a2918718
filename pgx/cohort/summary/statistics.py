"""Intervals, the exact Hardy-Weinberg test, and what populations expect: each sample counts with its own."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from pgx.calling import diplotype_prior, estimated, haplotype_frequencies, population_name, populations
from pgx.cohort.jobs import least_group

_Z95 = 1.959963984540054


def wilson(count: float, total: float) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share; (0, 1) where nothing was counted."""
    if total == 0:
        return 0.0, 1.0
    share, z2 = count / total, _Z95**2
    centre = share + z2 / (2 * total)
    reach = _Z95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    low, high = (centre - reach) / (1 + z2 / total), (centre + reach) / (1 + z2 / total)
    return (0.0 if count == 0 else low), (1.0 if count == total else high)


def hardy_weinberg(first: int, het: int, second: int) -> float:
    """Return the two-sided exact P of genotype counts (AA, Aa, aa); 1 where only one allele was seen."""
    # The sum over all heterozygote counts that are at most as probable as the one that was seen
    # (Wigginton and others 2005, doi 10.1086/429864).
    total = first + het + second
    minor = min(2 * first + het, 2 * second + het)
    if minor == 0:
        return 1.0
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total + 1)))])
    hets = np.arange(minor % 2, minor + 1, 2)
    rare = (minor - hets) // 2
    common = total - hets - rare
    weight = hets * math.log(2) - log_factorial[hets] - log_factorial[rare] - log_factorial[common]
    weight = np.exp(weight - weight.max())
    seen = weight[(het - hets[0]) // 2]
    return float(min(1.0, weight[weight <= seen * (1 + 1e-7)].sum() / weight.sum()))  # up to rounding


def benjamini_hochberg(found: Sequence[float]) -> list[float]:
    """Return P values corrected for their number, in the same order: of those up to q, q may be false."""
    # Benjamini and Hochberg 1995, doi 10.1111/j.2517-6161.1995.tb02031.x
    order = np.argsort(found)[::-1]
    ranks = np.arange(len(found), 0, -1)
    corrected = np.empty(len(found))
    corrected[order] = np.minimum.accumulate(np.minimum(1.0, np.asarray(found)[order] * len(found) / ranks))
    return corrected.tolist()


class Expected(Struct, frozen=True, kw_only=True):
    """Expected shares of a population, or "mixed", in the order of `diplotypes()` and `haplotypes()`."""

    name: str
    label: str
    diplotypes: Sequence[float]
    haplotypes: Sequence[float]


def expected_of(counts: Mapping[str, int]) -> Expected:
    """Return the shares that samples of these populations (by count) would have under Hardy-Weinberg."""
    total = sum(counts.values())
    names = sorted(counts, key=population_label) if total else [population_name(None)]
    weights = [counts[name] / total for name in names] if total else [1.0]
    labels = {item.name: item.label for item in populations()}

    def mean(rows: Iterable[Sequence[float]]) -> list[float]:
        return [sum(map(operator.mul, weights, shares)) for shares in zip(*rows, strict=True)]

    return Expected(
        name=names[0] if len(names) == 1 else "mixed",
        label="; ".join(labels.get(name, population_label(name)) for name in names),
        diplotypes=mean(map(diplotype_prior, names)),
        haplotypes=mean(map(haplotype_frequencies, names)),
    )


def population_label(name: str) -> str:
    """Return a name that a page has room for: of an estimate without its figures."""
    found = estimated(name)
    return found.short_name if found else name


Object = dict[str, Any]


def rounded(value: float) -> float:
    """Return a number with six digits."""
    return float(f"{value:.6g}")


class Cells(Struct, frozen=True):
    """How counts are shown."""

    least: int = 0  # those below are hidden; 0 for none
    nothing: bool = False  # all are: the group is too small for any to be shown

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
        """Return rows in the order that is given, else the most frequent first and no hidden one."""
        whole = sum(counts.values()) if total is None else total
        shown = {name: self.count(number) for name, number in counts.items()}
        names = order or sorted(counts, key=lambda name: (-(shown[name] or 0), name))
        rows = [self.row(name, counts.get(name, 0), whole) for name in names]
        return rows if order else [row for row in rows if row["count"] is not None]

    def weighted(self, name: str, counts: Sequence[tuple[int, int]], of: Sequence[tuple[int, int]]) -> Object:
        """Return the row of a sum of counts, each times its weight, out of another such sum."""
        # Made from counts as they are shown, a hidden one as none: sums of the counts themselves, rounded
        # anew, would tell more of them. A sum of nothing but hidden counts is hidden.
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
        return rounded(hardy_weinberg(*known)) if len(known) == len(shown) and any(known) else None


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
