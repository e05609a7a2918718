"""The posterior of `pgx.calling.posterior` for many samples at once.

Arrays of likelihoods have the shape (3, n): by copies of the counted letter, then by sample. The order of
every product and sum is that of the scalar code, which is the oracle of this module in tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import astuple, replace

from pgx import calling
from pgx.calling import E4_COPIES, CallOptions, E4Status, copies_at, diplotype_prior, genotype_prior
from pgx.calling.posterior import PhaseEvidence, e4_copies, phase_factors, prior_bounds
from pgx.reference import threshold

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]

STATUSES = tuple(E4Status)


class SiteLikelihoods(Struct, frozen=True, kw_only=True):
    """The likelihoods of one site."""

    values: Floats  # scaled to a maximum of 1
    #: Probabilities (GP, DS) from which the population's own is still to be taken out, of the same shape; NaN
    #: where `values` holds, None where it holds for all.
    chances: Floats | None = None
    half: bool = False  # whether half of a genotype is known, of all or none

    def part(self, rows: Places) -> SiteLikelihoods:
        """Return the same for some samples only."""
        chances = None if self.chances is None else self.chances.take(rows, axis=1)
        return replace(self, values=self.values.take(rows, axis=1), chances=chances)

    def under(self, marginal: tuple[float, float, float]) -> Floats:
        """Return likelihoods where the genotypes have these frequencies, as `pgx.calling.likelihood` does."""
        if self.chances is None:
            return self.values
        shares = np.maximum(self.chances, threshold("posterior_floor")) / np.array(marginal)[:, None]
        return np.where(np.isnan(self.chances), self.values, shares / shares.max(axis=0))


class Likelihoods(Struct, frozen=True, kw_only=True):
    """The likelihoods of both sites, and what else a posterior depends on, the same for all samples."""

    sites: tuple[SiteLikelihoods, ...]
    doubtful: tuple[bool, ...]  # the diplotypes that no answer may be: see `posterior.doubtful_diplotypes`
    phase: PhaseEvidence | None

    @property
    def half_called(self) -> bool:
        """Return whether half a genotype is missing somewhere."""
        return any(site.half for site in self.sites)

    def part(self, rows: Places) -> Likelihoods:
        """Return the same for some samples only."""
        return replace(self, sites=tuple(site.part(rows) for site in self.sites))

    def under(self, population: str) -> list[Floats]:
        """Return the likelihoods of each site in a population."""
        return [site.under(genotype_prior(population, place)) for place, site in enumerate(self.sites)]


class Answers(Struct, frozen=True):
    """What the posteriors determine, each of shape (n,)."""

    best: Whole  # index of the most probable diplotype
    determined: Flags  # whether it reaches the threshold
    status: Whole  # index in `STATUSES`
    probability: Floats  # of `best`
    carrier_probability: Floats  # of one or two copies of e4


def answers(given: Likelihoods, options: CallOptions) -> Answers:
    """Return what each sample's likelihoods determine under the population of `options`."""
    prior = np.array(diplotype_prior(options.population))
    likelihoods = given.under(options.population)
    rows = _posterior(likelihoods, prior, given.phase)
    best, probability = np.zeros(rows.shape[1], dtype=np.int64), rows[0].copy()
    for index in range(1, len(rows)):  # of several greatest ones the first
        np.putmask(best, rows[index] > probability, index)
        np.maximum(probability, rows[index], out=probability)
    copies = _by_copies(rows)
    doubtful = np.array(given.doubtful)[best]
    exact = copies
    if given.half_called:
        pairs = zip(given.sites, likelihoods, strict=True)
        whole = [np.ones_like(values) if site.half else values for site, values in pairs]
        exact = _by_copies(_posterior(whole, prior, given.phase))
    if doubtful.any():
        exact = np.where(doubtful, 0.0, exact)
    determined = _is_determined(probability, prior[best], options) & ~doubtful
    by_number = _by_copies(prior[:, None])[:, 0]
    status = np.full(copies.shape[1], STATUSES.index(E4Status.INDETERMINATE))
    carrier = _is_determined(copies[1] + copies[2], by_number[1] + by_number[2], options)
    status[carrier] = STATUSES.index(E4Status.CARRIER)
    for name, count in reversed(E4_COPIES.items()):
        status[_is_determined(exact[count], by_number[count], options)] = STATUSES.index(name)
    determined &= np.array([name in E4_COPIES for name in STATUSES])[status]
    if given.half_called:
        determined = np.zeros_like(determined)
    return Answers(best, determined, status, probability, copies[1] + copies[2])


def diplotype_likelihoods(given: Likelihoods, population: str) -> Floats:
    """Return the likelihood of each diplotype, shape (10, n), as `posterior.diplotype_likelihoods` does."""
    return _weights(given.under(population), np.ones(len(calling.diplotypes())), given.phase)


def _posterior(likelihoods: Sequence[Floats], prior: Floats, phase: PhaseEvidence | None) -> Floats:
    weights = _weights(likelihoods, prior, phase)
    weights /= _sum(weights)
    return weights


def _sum(rows: Sequence[Floats] | Floats) -> Floats:
    total = np.zeros_like(rows[0])
    for row in rows:
        total += row
    return total


def _by_copies(rows: Floats) -> Floats:
    counts = e4_copies()
    return np.stack([_sum([rows[i] for i, n in enumerate(counts) if n == copies]) for copies in range(3)])


def _is_determined(posterior: Floats, prior: Floats | float, options: CallOptions) -> Flags:
    enough = posterior * (1 - prior) >= threshold("min_bayes_factor") * ((1 - posterior) * prior)
    return np.asarray((posterior >= options.min_probability) & enough)


def differs_elsewhere(given: Likelihoods, found: Answers, options: CallOptions) -> Flags:
    """Return for each sample whether diplotype or status would differ under another population that ships."""
    result, rows = np.zeros(len(found.best), dtype=bool), np.arange(len(found.best))
    for name in _others(options):
        if not len(rows):
            break
        here = Answers(*(values[rows] for values in astuple(found)))
        other = answers(given.part(rows), replace(options, population=name))
        different = (other.determined != here.determined) | (other.status != here.status)
        different |= other.determined & (other.best != here.best)
        result[rows[different]] = True
        rows = rows[~different]
    return result


def _others(options: CallOptions) -> list[str]:
    shipped = () if options.population == calling.FLAT else calling.populations()
    return [item.name for item in shipped if item.name != options.population]


def same_everywhere(given: Likelihoods, found: Answers, options: CallOptions) -> Flags:
    """Return where bounds prove that diplotype and status are the same under every population."""
    names = _others(options)
    if not names:
        return np.ones(len(found.best), dtype=bool)
    if given.half_called or any(site.chances is not None for site in given.sites):
        return np.zeros(len(found.best), dtype=bool)
    likelihoods = given.under(options.population)
    (least, most, odds), columns = map(np.array, prior_bounds(options)), np.arange(len(found.best))
    low = _weights(likelihoods, least, given.phase)[found.best, columns]
    high = _weights(likelihoods, most, given.phase)
    high[found.best, columns] = 0
    return np.asarray(found.determined & (low >= odds[found.best] * _sum(high)))


def _weights(likelihoods: Sequence[Floats], prior: Floats, phase: PhaseEvidence | None) -> Floats:
    first, second = likelihoods
    weights = np.empty((len(prior), first.shape[1]))
    copies = zip(copies_at(0), copies_at(1), phase_factors(phase), strict=True)
    for index, (one, two, factor) in enumerate(copies):
        np.multiply(prior[index] * first[one], second[two], out=weights[index])
        weights[index] *= factor
    return weights
