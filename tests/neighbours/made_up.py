"""People made up from the panel that ships: each chromosome a mosaic of its classes, as the model has it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pgx.calling import diplotype_name, diplotypes
from pgx.neighbours.panel import centre, panel, settings


@dataclass(frozen=True, slots=True)
class MadeUp:
    """Copies of alt at each marker, and the true diplotype."""

    copies: tuple[int, ...]
    diplotype: str


def people(count: int, seed: int) -> list[MadeUp]:
    """Return `count` people; the same seed makes the same ones."""
    rng = np.random.default_rng(seed)
    return [_person(rng) for _ in range(count)]


def _person(rng: np.random.Generator) -> MadeUp:
    (one, first), (other, second) = _chromosome(rng), _chromosome(rng)
    pair = diplotypes_by_number()[min(first, second), max(first, second)]
    return MadeUp(copies=tuple((one + other).tolist()), diplotype=pair)


def diplotypes_by_number() -> dict[tuple[int, int], str]:
    """Return the name of each diplotype by the numbers of its two haplotypes."""
    names = ("e1", "e2", "e3", "e4")
    return {
        (names.index(pair[0].name), names.index(pair[1].name)): diplotype_name(pair) for pair in diplotypes()
    }


def _chromosome(rng: np.random.Generator) -> tuple[NDArray[np.int_], int]:
    """Return the alleles of one chromosome, shape (m,), and the number of its APOE haplotype."""
    source = panel()
    counts = np.array(source.counts)
    shares = counts.sum(axis=1) / counts.sum()
    alleles = np.array([list(map(int, digits)) for digits in source.alleles])
    places = np.array([marker.positions["GRCh37"] for marker in source.markers])
    middle = centre("GRCh37")
    here = rng.choice(len(shares), p=shares)
    label = rng.choice(4, p=counts[here] / counts[here].sum())
    found = np.zeros(len(places), int)
    for side in (range(len(places)), range(len(places) - 1, -1, -1)):
        current, before = here, middle
        for marker in side:
            if (places[marker] >= middle) != (side.step > 0):
                continue
            if rng.random() < -math.expm1(-settings().jump_rate.value * abs(places[marker] - before)):
                current = rng.choice(len(shares), p=shares)
            before = places[marker]
            misread = rng.random() < settings().allele_misread.value
            found[marker] = alleles[current, marker] ^ misread
    return found, int(label)
