"""Simulated people and their reads at the two sites, and what a variant caller would state of them (PL).

The model: two haplotypes are drawn independently by the frequencies of a population. The reads at each
site are Poisson in number; each comes from one of the two chromosomes with equal probability, and shows
the other letter with the probability of a base error. PL is the exact likelihood of those reads, given
the same base error, Phred-scaled and rounded. Disturbances that the likelihood does not know of:

- dropout: with this probability a site loses all reads of one of its two chromosomes;
- contamination: this share of the reads comes from one other person of the same population;
- bias: of a heterozygote this share of the reads shows the ALT, instead of one half.

Arrays have a row a person. Reads: columns (reads, reads with C) of rs429358, then of rs7412.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pgx.calling import haplotype_frequencies
from pgx.genome import definitions, haplotypes, letters

Ints = NDArray[np.int64]
_MOST_PHRED = 255
NAMES_OF_READS = ("reads 1", "C 1", "reads 2", "C 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How the reads of a group of people come about. All but `depth` are probabilities."""

    depth: float
    error: float
    dropout: float = 0.0
    contamination: float = 0.0
    bias: float = 0.5


def draw_people(dice: np.random.Generator, population: str, size: int) -> Ints:
    """Return two haplotypes a person, as indices into `pgx.genome.haplotypes`, lower first."""
    frequencies = np.array(haplotype_frequencies(population))
    pairs = dice.choice(len(frequencies), size=(size, 2), p=frequencies / frequencies.sum())
    return np.sort(pairs, axis=1)


def people_of(first: int, second: int, size: int) -> Ints:
    """Return `size` people of one diplotype."""
    return np.tile(np.array([[first, second]]), (size, 1))


def carries_c() -> Ints:
    """Return a row a haplotype: 1 where it carries C at the site."""
    return np.array([[int(letter == letters()[1]) for letter in h.letters] for h in haplotypes()])


def draw_reads(dice: np.random.Generator, people: Ints, others: Ints, how: Conditions) -> Ints:
    """Return reads and reads with C at both sites; `others` contaminate, a row a person."""
    table = carries_c()
    columns = []
    for site in range(2):
        own = table[people, site]
        shown = how.bias if definitions()[site].alt == letters()[1] else 1 - how.bias
        mean = np.where(own[:, 0] == own[:, 1], own[:, 0], shown)
        lost = dice.random(len(people)) < how.dropout
        kept = dice.integers(2, size=len(people))
        chance = np.where(lost, own[np.arange(len(people)), kept], mean)
        foreign = table[others, site].mean(axis=1)
        chance = (1 - how.contamination) * chance + how.contamination * foreign
        chance = chance * (1 - how.error) + (1 - chance) * how.error
        reads = dice.poisson(how.depth, size=len(people))
        columns += [reads, dice.binomial(reads, chance)]
    return np.stack(columns, axis=1)


def phred(reads: int, with_c: int, error: float) -> tuple[int, int, int] | None:
    """Return PL by 0, 1, 2 copies of C, as a caller rounds it; None without reads."""
    if reads == 0:
        return None
    right, wrong = np.log10(1 - error), np.log10(error)
    logs = np.array(
        [
            with_c * wrong + (reads - with_c) * right,
            reads * np.log10(0.5),
            with_c * right + (reads - with_c) * wrong,
        ]
    )
    zero, one, two = np.minimum(np.rint(10 * (logs.max() - logs)), _MOST_PHRED).astype(int).tolist()
    return zero, one, two
