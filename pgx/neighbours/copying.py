"""Li and Stephens' copying model of two haplotypes over the classes of a panel, from both sides.

Each haplotype of a person is a mosaic of classes: along the chromosome it stays with a class, or jumps to
another, drawn by how common the classes are. Both haplotypes are followed together, so phase is not needed.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from pgx.neighbours.panel import centre, panel, settings

Floats = NDArray[np.float64]
_Single = NDArray[np.float32]
_Numbers = NDArray[np.intp]
_Alleles = NDArray[np.uint8]

#: Classes that differ only on markers further on are followed as one. They are parted once their number has
#: grown by this much, since parting costs as much as a step.
_GROWTH = 1.3


class _Step(Struct, frozen=True):
    """One marker on the way to the centre, over g groups of classes."""

    marker: int
    jump: float  # probability that one haplotype jumps between the marker before and this one
    shares: _Single  # of each group in the panel, shape (g,)
    alleles: _Single  # one-hot, whether a group carries ref (0) or alt (1), shape (2, g)
    parents: _Numbers | None  # where groups were parted, the one of the step before of each, shape (g,)
    fractions: _Single | None  # and its share of it, shape (g,)


class _Side:
    """The walk over the markers of one side, from the outermost inwards."""

    def __init__(
        self, alleles: _Alleles, shares: Floats, positions: _Numbers, order: list[int], middle: int
    ) -> None:
        """Plan the walk over the markers `order`; arguments as of `CopyingModel`."""
        self.steps: list[_Step] = []
        self.group: _Numbers = np.zeros(len(shares), np.intp)
        self.shares: _Single = np.ones(1, np.float32)
        #: For each marker the group of each class: equal so far, equal number.
        prefixes: list[_Numbers] = []
        group = self.group
        for marker in order:
            code = 2 * group + alleles[:, marker]
            group = (np.cumsum(np.bincount(code) > 0) - 1)[code]
            prefixes.append(group)
        rate = settings().jump_rate.value
        here = 0
        while here < len(order):
            # Up to this marker the groups need not be parted again.
            limit = max(_GROWTH * (prefixes[here].max() + 1), prefixes[here].max() + 5)
            grown = (number for number in range(here + 1, len(order)) if prefixes[number].max() + 1 > limit)
            stop = next(grown, len(order))
            group = prefixes[stop - 1]
            example = np.unique(group, return_index=True)[1]
            own = np.bincount(group, shares)
            parents = self.group[example]
            fractions = (own / self.shares[parents]).astype(np.float32)
            for number in range(here, stop):
                marker = order[number]
                gap = abs(positions[marker] - positions[order[number - 1]]) if number else 0
                jump = -math.expm1(-rate * gap)
                shown = np.eye(2, dtype=np.float32)[:, alleles[example, marker]]
                parted = (parents, fractions) if number == here and number else (None, None)
                self.steps.append(_Step(marker, jump, own.astype(np.float32), shown, *parted))
            self.group, self.shares = group, own.astype(np.float32)
            here = stop
        self.last_jump = -math.expm1(-rate * abs(positions[order[-1]] - middle)) if order else 0.0

    def walk(self, emissions: Floats) -> tuple[_Single, float]:
        """Return the joint of data and both groups at the centre, shape (g, g), and the log of its scale."""
        joint = np.outer(self.steps[0].shares, self.steps[0].shares)
        spare = np.empty_like(joint)
        scale = 0.0
        for step in self.steps:
            if step.parents is not None and step.fractions is not None:
                joint = joint.take(step.parents, axis=0).take(step.parents, axis=1)
                joint *= step.fractions[:, None]
                joint *= step.fractions
                spare = np.empty_like(joint)
            if step.jump:
                scale += math.log(_moved(joint, step.shares, step.jump, spare))
            none, one, two = emissions[step.marker]
            by_alleles = np.array([[none, one], [one, two]], np.float32)
            joint *= np.matmul(step.alleles.T @ by_alleles, step.alleles, out=spare)
        return joint, scale + math.log(_moved(joint, self.shares, self.last_jump, spare))


def _moved(joint: _Single, shares: _Single, jump: float, spare: _Single) -> float:
    """Move `joint` on in place, scaled to a sum of 1; return the sum it had. `spare` is overwritten."""
    rows = joint @ np.ones(len(joint), np.float32)
    total = float(rows.sum())
    one_jumps = (jump * (1 - jump) / total) * rows + (jump**2 / 2) * shares
    tall, wide = np.empty((len(rows), 2), np.float32), np.empty((2, len(rows)), np.float32)
    tall[:, 0] = wide[1] = one_jumps
    tall[:, 1] = wide[0] = shares
    joint *= np.float32((1 - jump) ** 2 / total)
    joint += np.matmul(tall, wide, out=spare)
    return total


class CopyingModel:
    """The model over a panel of k classes and m markers."""

    def __init__(
        self,
        alleles: _Alleles,  # 0 for ref, 1 for alt, shape (k, m), markers in order of position
        counts: _Numbers,  # copies of each APOE haplotype by class, shape (k, 4)
        positions: _Numbers,  # 1-based, shape (m,)
        middle: int,  # midway between the sites
    ) -> None:
        """Plan both walks."""
        copies = counts.sum(axis=1)
        shares = copies / copies.sum()
        left = [number for number, place in enumerate(positions) if place < middle]
        right = [number for number, place in enumerate(positions) if place >= middle]
        orders = [order for order in (left, right[::-1]) if order]
        self._sides = [_Side(alleles, shares, positions, order, middle) for order in orders]
        # A haplotype that no class carries is never impossible.
        of_panel = counts.sum(axis=0) + np.where(counts.sum(axis=0) == 0, settings().unseen_copies.value, 0.0)
        self.frequencies: Floats = of_panel / of_panel.sum()
        error = settings().label_error.value
        labels = (1 - error) * counts / copies[:, None] + error * self.frequencies
        weight = shares.copy()
        for side in self._sides:
            weight /= side.shares[side.group]
        self._labels = (weight[:, None] * labels).astype(np.float32)

    def pairs(self, emissions: Floats) -> tuple[Floats, float]:
        """Return the probability of each ordered pair of haplotypes, shape (4, 4), and the log likelihood.

        `emissions`: of 0, 1 and 2 copies of alt at each marker, shape (m, 3); ones where it is unknown.
        """
        joint: _Single | None = None
        scale = 0.0
        for side in self._sides:
            part, more = side.walk(emissions)
            scale += more
            part = part.take(side.group, axis=0).take(side.group, axis=1)
            joint = part if joint is None else np.multiply(joint, part, out=joint)
        if joint is None:
            return np.outer(self.frequencies, self.frequencies), 0.0
        found = (self._labels.T @ joint @ self._labels).astype(np.float64)
        total = float(found.sum())
        return (found + found.T) / (2 * total), scale + math.log(total)


def misread() -> Floats:
    """Return the probability of reading g copies where the classes have d, shape (3, 3): [g, d]."""
    error = settings().allele_misread.value
    found = np.zeros((3, 3))
    for copies in range(3):
        first, second = (error if copies < 1 else 1 - error), (error if copies < 2 else 1 - error)
        found[:, copies] = (1 - first) * (1 - second), first + second - 2 * first * second, first * second
    return found


@functools.lru_cache(maxsize=64)
def shipped(known: tuple[int, ...]) -> CopyingModel:
    """Return the model of the shipped panel over the markers `known` (their numbers, ascending) alone."""
    source = panel()
    digits = np.frombuffer("".join(source.alleles).encode(), np.uint8) - ord("0")
    alleles = digits.reshape(len(source.alleles), -1)[:, list(known)]
    kept, number = np.unique(alleles, axis=0, return_inverse=True)  # classes equal on these are one class
    together = np.zeros((len(kept), len(source.counts[0])), np.intp)
    np.add.at(together, number.ravel(), np.array(source.counts, np.intp))
    positions = np.array([source.markers[place].positions["GRCh37"] for place in known], np.intp)
    return CopyingModel(kept, together, positions, centre("GRCh37"))
