"""Haplotype frequencies of a group of people, from the likelihoods of their own genotypes.

The model: unrelated people whose two haplotypes are drawn independently (Hardy-Weinberg), each person's data
given by a likelihood of the ten diplotypes. The mode of the posterior is found by expectation maximisation;
steps of Newton's method, taken only where they climb, finish it where few people say anything of a haplotype
and expectation maximisation alone would creep.
"""

from __future__ import annotations

import functools
from itertools import product

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from pgx.calling import copies_at, default_population, diplotypes, haplotype_frequencies
from pgx.genome import haplotypes, rare_haplotypes
from pgx.reference import threshold

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


class Estimate(Struct, frozen=True, kw_only=True):
    """Estimated frequencies."""

    frequencies: tuple[float, ...]  # in the order of `pgx.genome.haplotypes`, summing to 1
    #: For each, how many haplotypes read without doubt would leave the same uncertainty: f (1 - f) over the
    #: variance, which is that of the curvature of the log posterior at its mode.
    worth: tuple[float, ...]
    steps: int


@functools.cache
def _copies() -> Floats:
    """Return how often each diplotype has each haplotype, shape (10, 4)."""
    return np.array([[pair.count(item) for item in haplotypes()] for pair in diplotypes()], dtype=np.float64)


def _diplotype_shares(frequencies: Floats) -> Floats:
    copies = _copies()
    ways = np.where(copies.max(axis=1) == 2, 1.0, 2.0)
    return np.asarray(ways * np.prod(np.power(frequencies, copies), axis=1))


def estimate(likelihoods: Floats, people: Counts) -> Estimate:
    """Return the most probable haplotype frequencies of a group.

    `likelihoods` are of the ten diplotypes for each class of people with the same data, shape (k, 10), in any
    scale, all equal for people of whom nothing is known; `people` says how many each class has, shape (k,).
    """
    model = _Model(likelihoods, people.astype(np.float64))
    found, before, steps = model.centre, np.zeros_like(model.centre), 0
    while steps < 2000 and np.abs(found - before).max() >= 1e-10:  # of a frequency
        steps, before = steps + 1, found
        found = model.climbed(model.expected(found))
    _, curvature, ways = model.slope(found)
    worth = found * (1 - found) / np.diag(ways @ np.linalg.inv(curvature) @ ways.T)
    return Estimate(frequencies=tuple(found.tolist()), worth=tuple(worth.tolist()), steps=steps)


class _Model:
    """The log posterior of the frequencies, and two ways to climb it.

    The prior: common haplotypes share what the rare one leaves as in `centre`, with the weight of some
    haplotypes. The rare one has a prior by itself, worth as many as its shipped figure rests on.
    """

    def __init__(self, likelihoods: Floats, people: Floats) -> None:
        self._likelihoods, self._people = likelihoods, people
        (rare,) = (place for place, item in enumerate(haplotypes()) if item.name in rare_haplotypes())
        weight, rare_weight = threshold("estimate_prior_weight"), threshold("estimate_rare_weight")
        self._rare, self._rare_weight = rare, rare_weight
        self.centre: Floats = np.array(haplotype_frequencies(default_population()))
        # the powers of the frequencies in the prior's density, and of one less that of the rare haplotype
        self._powers = weight * self.centre / (1 - self.centre[rare])
        self._powers[rare] = rare_weight * self.centre[rare]
        self._rest = rare_weight - self._powers[rare] - weight
        copies = _copies()
        # the second derivatives of the diplotypes' shares: 2 for both haplotypes of each
        self._bends = np.einsum("di,dj->dij", copies, copies)
        self._bends[copies.max(axis=1) == 2] /= 2
        self._bends[copies.max(axis=1) == 1] *= 2 - 2 * np.eye(len(haplotypes()))

    def _chances(self, frequencies: Floats) -> Floats:
        # No class is impossible: a likelihood may have been rounded to zero.
        return np.maximum(self._likelihoods @ _diplotype_shares(frequencies), 1e-300)

    def expected(self, frequencies: Floats) -> Floats:
        """Return the frequencies after one step of expectation maximisation."""
        shares = _diplotype_shares(frequencies)
        counts = (shares * ((self._people / self._chances(frequencies)) @ self._likelihoods)) @ _copies()
        found: Floats = counts + self._powers
        share = found[self._rare] / (self._rare_weight + counts.sum())
        found[self._rare] = 0
        found *= (1 - share) / found.sum()
        found[self._rare] = share
        return found

    def _log(self, frequencies: Floats) -> float:
        prior = self._powers @ np.log(frequencies) + self._rest * np.log1p(-frequencies[self._rare])
        return float(self._people @ np.log(self._chances(frequencies))) + float(prior)

    def slope(self, frequencies: Floats) -> tuple[Floats, Floats, Floats]:
        """Return gradient and negative Hessian along the directions that keep the sum, and these."""
        first = np.einsum("dij,j->di", self._bends, frequencies)  # a share is half of (bend x f) x f
        chances = self._chances(frequencies)
        weights = self._people / chances
        scores = (self._likelihoods @ first) / chances[:, None]
        gradient, curvature = self._powers / frequencies, np.diag(self._powers / frequencies**2)
        gradient[self._rare] -= self._rest / (1 - frequencies[self._rare])
        curvature[self._rare, self._rare] += self._rest / (1 - frequencies[self._rare]) ** 2
        gradient = gradient + self._people @ scores
        curvature = curvature + (scores * self._people[:, None]).T @ scores
        curvature -= np.einsum("d,dij->ij", weights @ self._likelihoods, self._bends)
        most = int(frequencies.argmax())
        ways = np.delete(np.eye(len(frequencies)), most, axis=1)
        ways[most] = -1
        return ways.T @ gradient, ways.T @ curvature @ ways, ways

    def climbed(self, frequencies: Floats) -> Floats:
        """Return the frequencies after a step of Newton's method, or unchanged where it does not climb."""
        gradient, curvature, ways = self.slope(frequencies)
        try:
            np.linalg.cholesky(curvature)
        except np.linalg.LinAlgError:
            return frequencies
        further: Floats = frequencies + ways @ np.linalg.solve(curvature, gradient)
        climbs = further.min() > 0 and not self._log(further) < self._log(frequencies)
        return further if climbs else frequencies


def read_at_both(likelihoods: Floats) -> npt.NDArray[np.bool_]:
    """Return for each class of people (a row of ten likelihoods) whether both sites say something."""
    table = np.empty((len(likelihoods), 3, 3))  # by copies at each site; phase tells two diplotypes apart
    for one, other in product(range(3), repeat=2):
        same = (np.array(copies_at(0)) == one) & (np.array(copies_at(1)) == other)
        table[:, one, other] = likelihoods[:, same].mean(axis=1)
    return np.asarray(np.logical_and(*(np.ptp(table, axis=site).max(axis=1) > 0 for site in (1, 2))))
