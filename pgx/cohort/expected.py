"""What the populations of a cohort expect: each sample counts with the one that it was called under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from pgx.calling import diplotype_prior, haplotype_frequencies, population_name, populations
from pgx.calling.frequencies import diplotypes
from pgx.genome.sites import haplotypes

MIXED = "mixed"


class Expected(Struct, frozen=True, kw_only=True):
    """Expected shares, in the order of `diplotypes()` and `haplotypes()`.

    Attributes
    ----------
    name
        Of the population; "mixed" for several.
    label
        In words.
    """

    name: str
    label: str
    diplotypes: Sequence[float]
    haplotypes: Sequence[float]


def expected_of(counts: Mapping[str, int]) -> Expected:
    """Return the shares that samples of these populations (by count) would have under Hardy-Weinberg."""
    total = sum(counts.values())
    names = sorted(counts) if total else [population_name(None)]
    weights = [counts[name] / total for name in names] if total else [1.0]
    return Expected(
        name=names[0] if len(names) == 1 else MIXED,
        label="; ".join(_label(name) for name in names),
        diplotypes=_mean([diplotype_prior(name) for name in names], weights, len(diplotypes())),
        haplotypes=_mean([haplotype_frequencies(name) for name in names], weights, len(haplotypes())),
    )


def _label(name: str) -> str:
    return next((item.label for item in populations() if item.name == name), name)


def _mean(shares: Sequence[Sequence[float]], weights: Sequence[float], length: int) -> list[float]:
    return [
        sum(weight * row[place] for weight, row in zip(weights, shares, strict=True))
        for place in range(length)
    ]
