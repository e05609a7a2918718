"""How likely the templates are under each of the ten diplotypes: genotype and phase at once.

The likelihood of a diplotype is the product over templates of the mean over its two haplotypes. What may
have happened to the reads is part of it: errors of bases and of mapping, ends of two molecules joined, C
that was damaged to T, and reads of another person. Damage is estimated from the bases away from the sites;
how much of it there is, and how many reads are another person's, is integrated over, so that a slice that
cannot show them leaves the answer open.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from pgx.calling import diplotype_prior, diplotypes
from pgx.genome import haplotypes, letters
from pgx.reads import Base, Tally, Template, change_kind, facts

#: Where the distribution of a rate is looked at, in standard deviations, and the weights (Gauss-Hermite).
_NODES = ((-1.7320508, 1 / 6), (0.0, 2 / 3), (1.7320508, 1 / 6))
_ENOUGH = 0.004  # a rate that is known as well as this (standard deviation) is not integrated over


class Damage(Struct, frozen=True, kw_only=True):
    """The share of damaged C: highest of the kinds, with its 90 % interval, and of all other mismatches."""

    share: float
    low: float
    high: float
    other_mismatches: float
    bases: int


class Contamination(Struct, frozen=True, kw_only=True):
    """The share of reads of another person: expected, with its 90 % interval."""

    share: float
    low: float
    high: float


class Joint(Struct, frozen=True, kw_only=True):
    """The likelihood of each diplotype in the order of `pgx.calling.diplotypes`, the highest being 1."""

    likelihood: tuple[float, ...]
    damage: Damage
    contamination: Contamination


def joint_likelihood(templates: Sequence[Template], tally: Tally, population: str) -> Joint:
    """Return the likelihood of the ten diplotypes.

    Parameters
    ----------
    population
        Whose haplotype frequencies the person has from whom reads may stem; also weighs the diplotypes where
        the contamination is estimated, nowhere else.
    """
    rates = [_Rate(damaged, exposed) for damaged, exposed in zip(tally.damaged, tally.exposed, strict=True)]
    error = (tally.wrong + 0.5) / (tally.compared + 1000)
    prior = diplotype_prior(population)
    grouped = Counter(_key(template) for template in templates)
    known = facts().contamination
    terms: list[tuple[float, list[float]]] = []  # weight, log likelihoods
    shares: list[float] = []
    sure = all(rate.spread < _ENOUGH for rate in rates)
    for node, weight in ((0.0, 1.0),) if sure else _NODES:
        damage = [rate.at(node) for rate in rates]
        seen = [(number, _by_haplotype(key, damage, error)) for key, number in grouped.items()]
        own = [(number, _of_diplotypes(chances, _rate("chimera_rate"))) for number, chances in seen]
        for share, chance in zip(known.shares, known.weights, strict=True):
            logs = _with_share(own, share, prior)
            terms.append((weight * chance, logs))
            shares.append(share)
    top = max(max(logs) for _, logs in terms)
    sums = [0.0] * len(prior)
    by_share = dict.fromkeys(known.shares, 0.0)
    for (weight, logs), share in zip(terms, shares, strict=True):
        values = [weight * math.exp(value - top) for value in logs]
        sums = [before + value for before, value in zip(sums, values, strict=True)]
        by_share[share] += sum(value * p for value, p in zip(values, prior, strict=True))
    most = max(sums)
    return Joint(
        likelihood=tuple(value / most for value in sums),
        damage=_damage(rates, tally),
        contamination=_contamination(by_share),
    )


def site_likelihood(joint: Sequence[float], copies: Sequence[int]) -> tuple[float, float, float]:
    """Return the likelihood of 0, 1 and 2 copies at a site: the mean over diplotypes, scaled."""
    sums, numbers = [0.0, 0.0, 0.0], [0, 0, 0]
    for value, count in zip(joint, copies, strict=True):
        sums[count] += value
        numbers[count] += 1
    means = [total / number for total, number in zip(sums, numbers, strict=True)]
    zero, one, two = (mean / max(means) for mean in means)
    return zero, one, two


class _Rate:
    """A share of damaged bases, and how well it is known: a beta distribution, taken as lognormal."""

    def __init__(self, damaged: int, exposed: int) -> None:
        weight = _rate("damage_prior_weight")
        alpha = damaged + weight * _rate("damage_prior")
        beta = exposed - damaged + weight * (1 - _rate("damage_prior"))
        self.mean = alpha / (alpha + beta)
        deviation = math.sqrt(alpha * beta / (alpha + beta + 1)) / (alpha + beta)
        self.spread = deviation
        self.log_deviation = math.sqrt(math.log1p((deviation / self.mean) ** 2))

    def at(self, node: float) -> float:
        """Return the rate at `node` standard deviations; the mean of a lognormal stays what it was."""
        wide = self.log_deviation
        return min(self.mean * math.exp(node * wide - wide * wide / 2), 0.95)


def _rate(name: str) -> float:
    return float(getattr(facts(), name).value)


_Key = tuple[tuple[Base | None, Base | None], int]


def _key(template: Template) -> _Key:
    return template.bases, template.mapping_quality


def _by_haplotype(key: _Key, damage: Sequence[float], error: float) -> list[float]:
    """Return the probability of what a template shows under each haplotype.

    Four values (in the order of haplotypes) for the whole template, four for each site, the probability that
    the template lies elsewhere, and that of its letters if it does.
    """
    bases, mapping = key
    lost = 10 ** (-mapping / 10)
    by_site = [_of_base(base, site, damage, error) for site, base in enumerate(bases)]
    whole = [first * second for first, second in zip(*by_site, strict=True)]
    return [*whole, *by_site[0], *by_site[1], lost, 0.5 ** sum(base is not None for base in bases)]


def _of_base(base: Base | None, site: int, damage: Sequence[float], error: float) -> list[float]:
    if base is None:
        return [1.0] * len(haplotypes())
    thymine, cytosine = letters()
    wrong = max(10 ** (-base.quality / 10), error)
    rate = damage[change_kind(guanine=base.reverse, second=base.second)]
    as_t = wrong + (1 - wrong) * rate  # a C that is read as T
    chance = {
        thymine: 1 - wrong if base.letter == thymine else wrong,
        cytosine: as_t if base.letter == thymine else 1 - as_t,
    }
    return [chance[haplotype.letters[site]] for haplotype in haplotypes()]


@functools.cache
def _pairs() -> tuple[tuple[int, int], ...]:
    place = {haplotype.name: index for index, haplotype in enumerate(haplotypes())}
    return tuple((place[one.name], place[other.name]) for one, other in diplotypes())


def _of_diplotypes(chances: Sequence[float], chimera: float) -> list[float]:
    """Return the probability of a template under each diplotype."""
    whole, first, second = chances[:4], chances[4:8], chances[8:12]
    lost, anything = chances[12:]
    found = []
    for one, other in _pairs():
        straight = (whole[one] + whole[other]) / 2
        crossed = (first[one] + first[other]) * (second[one] + second[other]) / 4
        found.append((1 - lost) * ((1 - chimera) * straight + chimera * crossed) + lost * anything)
    return found


def _with_share(own: Sequence[tuple[int, list[float]]], share: float, prior: Sequence[float]) -> list[float]:
    """Return the log likelihood of each diplotype where `share` of the reads are one other person's."""
    count = len(prior)
    if share == 0:
        return [
            math.fsum(number * math.log(values[index]) for number, values in own) for index in range(count)
        ]
    rest, log = 1 - share, math.log
    totals: list[float] = []
    for index in range(count):
        logs = [
            sum([number * log(rest * values[index] + share * values[other]) for number, values in own])
            for other in range(count)
        ]
        top = max(logs)
        totals.append(top + log(sum(p * math.exp(value - top) for p, value in zip(prior, logs, strict=True))))
    return totals


def _damage(rates: Sequence[_Rate], tally: Tally) -> Damage:
    worst = max(rates, key=lambda rate: rate.at(-1.645))
    return Damage(
        share=worst.mean,
        low=worst.at(-1.645),
        high=max(rate.at(1.645) for rate in rates),
        other_mismatches=tally.wrong / tally.compared if tally.compared else 0.0,
        bases=sum(tally.exposed),
    )


def _contamination(by_share: dict[float, float]) -> Contamination:
    total = sum(by_share.values())
    run, low, high = 0.0, 0.0, max(by_share)
    found_low = found_high = False
    for share, weight in by_share.items():
        run += weight / total
        if not found_low and run >= 0.05:
            low, found_low = share, True
        if not found_high and run >= 0.95:
            high, found_high = share, True
    return Contamination(
        share=sum(share * weight for share, weight in by_share.items()) / total, low=low, high=high
    )
