"""Haplotype frequencies of a group of people, from the likelihoods of their own genotypes.

The model: unrelated people whose two haplotypes are drawn independently (Hardy-Weinberg), each person's data
given by a likelihood of the ten diplotypes. The prior is one of its own (`_Prior`). The mode of the posterior
is found by expectation maximisation; steps of Newton's method, taken only where they climb, finish it where
few people say anything of a haplotype and expectation maximisation alone would creep.
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
_CONVERGED = 1e-10  # of a frequency
_MOST_STEPS = 2000
_TINY = 1e-300  # no class is impossible: a likelihood may have been rounded to zero


class Estimate(Struct, frozen=True, kw_only=True):
    """Estimated `frequencies`, in the order of `pgx.genome.haplotypes`, summing to 1, after so many `steps`.

    `worth` is, for each haplotype, how many haplotypes read without doubt would leave the same uncertainty:
    f (1 - f) over the variance, which is that of the curvature of the log posterior at its mode.
    """

    frequencies: tuple[float, ...]
    worth: tuple[float, ...]
    steps: int


class _Prior(Struct, frozen=True):
    """Common haplotypes share what the rare one leaves as in `centre`, with the weight of some haplotypes.

    The rare one has a prior by itself, worth as many haplotypes as its shipped figure rests on. `powers` are
    those of the frequencies in the density, `rest` that of one less the frequency of the rare haplotype.
    """

    centre: Floats
    rare: int
    rare_weight: float
    powers: Floats
    rest: float

    def added(self, counts: Floats) -> Floats:
        """Return the frequencies that are most probable after these haplotypes were counted."""
        found: Floats = counts + self.powers
        share = found[self.rare] / (self.rare_weight + counts.sum())
        found[self.rare] = 0
        found *= (1 - share) / found.sum()
        found[self.rare] = share
        return found

    def log(self, frequencies: Floats) -> float:
        """Return the log density, up to a constant."""
        return float(self.powers @ np.log(frequencies) + self.rest * np.log1p(-frequencies[self.rare]))

    def slope(self, frequencies: Floats) -> tuple[Floats, Floats]:
        """Return gradient and negative Hessian of the log density."""
        gradient, curvature = self.powers / frequencies, np.diag(self.powers / frequencies**2)
        gradient[self.rare] -= self.rest / (1 - frequencies[self.rare])
        curvature[self.rare, self.rare] += self.rest / (1 - frequencies[self.rare]) ** 2
        return gradient, curvature


def _prior() -> _Prior:
    (rare,) = (place for place, item in enumerate(haplotypes()) if item.name in rare_haplotypes())
    centre = np.array(haplotype_frequencies(default_population()))
    weight, rare_weight = threshold("estimate_prior_weight"), threshold("estimate_rare_weight")
    powers = weight * centre / (1 - centre[rare])
    powers[rare] = rare_weight * centre[rare]
    rest = rare_weight - powers[rare] - weight
    return _Prior(centre=centre, rare=rare, rare_weight=rare_weight, powers=powers, rest=rest)


@functools.cache
def _copies() -> Floats:
    """Return how often each diplotype has each haplotype, shape (10, 4)."""
    return np.array([[pair.count(item) for item in haplotypes()] for pair in diplotypes()], dtype=np.float64)


def _diplotype_shares(frequencies: Floats) -> Floats:
    """Return the Hardy-Weinberg probabilities of the ten diplotypes."""
    copies = _copies()
    ways = np.where(copies.max(axis=1) == 2, 1.0, 2.0)
    return np.asarray(ways * np.prod(np.power(frequencies, copies), axis=1))


def estimate(likelihoods: Floats, people: Counts) -> Estimate:
    """Return the most probable haplotype frequencies of a group.

    `likelihoods` are of the ten diplotypes for each class of people with the same data, shape (k, 10), in any
    scale, all equal for people of whom nothing is known; `people` says how many each class has, shape (k,).
    """
    prior = _prior()
    model = _Model(likelihoods, people.astype(np.float64), prior)
    found, steps = prior.centre, 0
    while steps < _MOST_STEPS:
        steps += 1
        before = found
        found = model.climbed(model.expected(found))
        if np.abs(found - before).max() < _CONVERGED:
            break
    variance = np.diag(model.covariance(found))
    return Estimate(
        frequencies=tuple(found.tolist()), worth=tuple((found * (1 - found) / variance).tolist()), steps=steps
    )


class _Model:
    """The log posterior of the frequencies, and two ways to climb it."""

    def __init__(self, likelihoods: Floats, people: Floats, prior: _Prior) -> None:
        self._likelihoods, self._people, self._prior = likelihoods, people, prior
        copies = _copies()
        # the second derivatives of the diplotypes' shares: 2 for both haplotypes of each
        self._bends = np.einsum("di,dj->dij", copies, copies)
        self._bends[copies.max(axis=1) == 2] /= 2
        self._bends[copies.max(axis=1) == 1] *= 2 - 2 * np.eye(len(haplotypes()))

    def _chances(self, frequencies: Floats) -> Floats:
        return np.maximum(self._likelihoods @ _diplotype_shares(frequencies), _TINY)

    def expected(self, frequencies: Floats) -> Floats:
        """Return the frequencies after one step of expectation maximisation."""
        shares = _diplotype_shares(frequencies)
        weights = self._people / self._chances(frequencies)
        return self._prior.added((shares * (weights @ self._likelihoods)) @ _copies())

    def _log(self, frequencies: Floats) -> float:
        return float(self._people @ np.log(self._chances(frequencies))) + self._prior.log(frequencies)

    def _slope(self, frequencies: Floats) -> tuple[Floats, Floats, Floats]:
        """Return gradient and negative Hessian along the directions that keep the sum, and these."""
        first = np.einsum("dij,j->di", self._bends, frequencies)  # a share is half of (bend x f) x f
        chances = self._chances(frequencies)
        weights = self._people / chances
        scores = (self._likelihoods @ first) / chances[:, None]
        gradient, curvature = self._prior.slope(frequencies)
        gradient = gradient + self._people @ scores
        curvature = curvature + (scores * self._people[:, None]).T @ scores
        curvature -= np.einsum("d,dij->ij", weights @ self._likelihoods, self._bends)
        most = int(frequencies.argmax())
        ways = np.delete(np.eye(len(frequencies)), most, axis=1)
        ways[most] = -1
        return ways.T @ gradient, ways.T @ curvature @ ways, ways

    def climbed(self, frequencies: Floats) -> Floats:
        """Return the frequencies after a step of Newton's method, or unchanged where it does not climb."""
        gradient, curvature, ways = self._slope(frequencies)
        try:
            np.linalg.cholesky(curvature)
        except np.linalg.LinAlgError:
            return frequencies
        further: Floats = frequencies + ways @ np.linalg.solve(curvature, gradient)
        if further.min() <= 0 or self._log(further) < self._log(frequencies):
            return frequencies
        return further

    def covariance(self, frequencies: Floats) -> Floats:
        """Return the covariance of the frequencies, shape (4, 4)."""
        _, curvature, ways = self._slope(frequencies)
        return np.asarray(ways @ np.linalg.inv(curvature) @ ways.T)


def read_at_both(likelihoods: Floats) -> npt.NDArray[np.bool_]:
    """Return for each class of people (a row of ten likelihoods) whether both sites say something."""
    table = np.empty((len(likelihoods), 3, 3))  # by copies at each site; phase tells two diplotypes apart
    for one, other in product(range(3), repeat=2):
        same = (np.array(copies_at(0)) == one) & (np.array(copies_at(1)) == other)
        table[:, one, other] = likelihoods[:, same].mean(axis=1)
    return np.asarray(np.logical_and(*(np.ptp(table, axis=site).max(axis=1) > 0 for site in (1, 2))))
