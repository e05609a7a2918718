"""Right and wrong: replies of pgx beside the truth of simulated people, and sums over groups of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields

import numpy as np
from asked import Phred, Reply, phred_pair
from numpy.typing import NDArray
from simulate import Ints

from pgx.genome import counted_haplotype, haplotypes

NAMES = tuple(haplotype.name for haplotype in haplotypes())
#: Upper ends of the stated error probability (1 - probability) of the reliability table.
EDGES = (1e-5, 1e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
Bits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One group of people, a value a person; `warned` is the flag prior-dependent."""

    people: Ints
    diplotype: Bits
    diplotype_wrong: Bits
    status: Bits
    status_wrong: Bits
    warned: Bits
    best_error: NDArray[np.float64]
    best_wrong: Bits


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts over a group: determined, wrong, and how many of each carry the flag prior-dependent."""

    people: int = 0
    diplotype: int = 0
    diplotype_wrong: int = 0
    diplotype_wrong_warned: int = 0
    diplotype_warned: int = 0
    status: int = 0
    status_wrong: int = 0
    status_wrong_warned: int = 0
    status_warned: int = 0
    warned: int = 0

    def add(self, other: Tally) -> None:
        """Add the counts of another group."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))


@dataclass(slots=True)
class Reliability:
    """Stated against observed error of the most probable diplotype, by class of stated error."""

    people: list[int] = field(default_factory=lambda: [0] * len(EDGES))
    wrong: list[int] = field(default_factory=lambda: [0] * len(EDGES))
    stated: list[float] = field(default_factory=lambda: [0.0] * len(EDGES))

    def join(self, other: Reliability) -> None:
        """Add the sums of another."""
        self.people = [one + two for one, two in zip(self.people, other.people, strict=True)]
        self.wrong = [one + two for one, two in zip(self.wrong, other.wrong, strict=True)]
        self.stated = [one + two for one, two in zip(self.stated, other.stated, strict=True)]

    def add(self, group: Scored) -> None:
        """Add the people of a group."""
        classes = np.searchsorted(EDGES, group.best_error, side="left")
        for number in range(len(EDGES)):
            inside = classes == number
            self.people[number] += int(inside.sum())
            self.wrong[number] += int((inside & group.best_wrong).sum())
            self.stated[number] += float(group.best_error[inside].sum())


def score(people: Ints, reads: Ints, error: float, ask: Callable[[Phred, Phred], Reply]) -> Scored:
    """Ask for every distinct pair of PL and compare with the truth."""
    return score_rows(people, reads, lambda row: ask(*phred_pair(row, error)))


def score_rows(people: Ints, reads: Ints, ask: Callable[[list[int]], Reply]) -> Scored:
    """Ask for every distinct row of reads and compare with the truth."""
    rows, places = np.unique(reads, axis=0, return_inverse=True)
    replies = [ask(row) for row in rows.tolist()]
    places = places.reshape(-1)

    def column(take: Callable[[Reply], object]) -> NDArray[np.object_]:
        values = np.empty(len(replies), dtype=object)
        values[:] = [take(reply) for reply in replies]
        return values[places]

    truth = names_of(people)
    copies = (people == NAMES.index(counted_haplotype())).sum(axis=1)
    diplotype, status = column(lambda reply: reply.diplotype), column(lambda reply: reply.status)
    return Scored(
        people=people,
        diplotype=diplotype != None,  # noqa: E711 - element by element
        diplotype_wrong=(diplotype != None) & (diplotype != truth),  # noqa: E711
        status=status != None,  # noqa: E711
        status_wrong=_status_wrong(status, copies),
        warned=column(lambda reply: reply.warned).astype(bool),
        best_error=1 - column(lambda reply: reply.probability).astype(float),
        best_wrong=column(lambda reply: reply.best) != truth,
    )


def names_of(people: Ints) -> NDArray[np.object_]:
    """Return "e3/e4" a person."""
    table = np.array([[f"{NAMES[min(a, b)]}/{NAMES[max(a, b)]}" for b in range(4)] for a in range(4)], object)
    return table[people[:, 0], people[:, 1]]


def _status_wrong(status: NDArray[np.object_], copies: Ints) -> Bits:
    wrong = np.zeros(len(status), dtype=bool)
    for name, holds in {
        "non-carrier": copies == 0,
        "heterozygous": copies == 1,
        "homozygous": copies == 2,
        "carrier": copies >= 1,
    }.items():
        wrong |= (status == name) & ~holds
    return wrong


def tally(group: Scored) -> Tally:
    """Count a group."""
    return Tally(
        people=len(group.people),
        diplotype=int(group.diplotype.sum()),
        diplotype_wrong=int(group.diplotype_wrong.sum()),
        diplotype_wrong_warned=int((group.diplotype_wrong & group.warned).sum()),
        diplotype_warned=int((group.diplotype & group.warned).sum()),
        status=int(group.status.sum()),
        status_wrong=int(group.status_wrong.sum()),
        status_wrong_warned=int((group.status_wrong & group.warned).sum()),
        status_warned=int((group.status & group.warned).sum()),
        warned=int(group.warned.sum()),
    )
