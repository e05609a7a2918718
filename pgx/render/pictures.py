"""What the pictures show, worked out from the report without a word or a line of drawing.

Letters are those that were read: an unread letter is None and stays unknown, whatever the call deduced.
"""

from __future__ import annotations

import re

from msgspec import Struct

from pgx.evidence import Response
from pgx.genome.sites import counted_haplotype, haplotypes
from pgx.observe import SiteState
from pgx.report import SampleReport

_NEGLIGIBLE = 1e-4
_MOST_BARS = 4
_SIDES = {"for-lower-response": -1, "for-higher-response": 1, "for-no-difference": 0}
_COUNT = re.compile(r"\d[\d,]*")


class Chromosome(Struct, frozen=True, kw_only=True):
    """One chromosome: a letter a site or None, and the haplotypes it can be (ASCII); none where all are."""

    letters: tuple[str | None, str | None]
    names: tuple[str, ...]


class Chromosomes(Struct, frozen=True, kw_only=True):
    """Both chromosomes.

    certain
        The diplotype is determined.
    both_heterozygous
        Both sites are heterozygous, and the call could not tell the arrangement.
    assumed
        For each site: its letters were assumed.
    """

    pair: tuple[Chromosome, Chromosome]
    certain: bool
    both_heterozygous: bool
    assumed: tuple[bool, bool]


class Bar(Struct, frozen=True, kw_only=True):
    """One answer and its probability; `copies` for an answer on the number of ε4, else `diplotype`."""

    copies: int | None = None
    diplotype: str | None = None
    probability: float


class Mark(Struct, frozen=True, kw_only=True):
    """One finding on the map, seen from ε4 carriers: side -1 less, 0 none, 1 more; `people` None: unknown."""

    letter: str
    claim_id: str
    side: int
    people: int | None
    biomarker: bool
    counted: bool


def chromosomes(report: SampleReport) -> Chromosomes:
    """Return what is known of each chromosome."""
    first, second = report.sites
    genotype = report.genotype
    read = [_letters(site.alleles, site.seen) for site in (first, second)]
    mixed = [None not in pair and pair[0] != pair[1] for pair in read]
    unarranged = all(mixed) and genotype.diplotype is None
    if genotype.diplotype is not None:
        read = _arranged(read, genotype.diplotype)
    elif unarranged:
        read[1] = (None, None)
    pair = tuple(
        Chromosome(
            letters=(read[0][side], read[1][side]), names=_names((read[0][side], read[1][side]), report, side)
        )
        for side in (0, 1)
    )
    assumed = tuple(site.state == SiteState.ASSUMED_REFERENCE for site in (first, second))
    return Chromosomes(
        pair=(pair[0], pair[1]),
        certain=genotype.diplotype is not None,
        both_heterozygous=unarranged,
        assumed=(assumed[0], assumed[1]),
    )


_Pair = tuple[str | None, str | None]


def _letters(alleles: tuple[str, ...] | None, seen: tuple[str, ...]) -> _Pair:
    if alleles is not None and len(alleles) == 2:
        return alleles[0], alleles[1]
    return (seen[0], None) if len(seen) == 1 else (None, None)


def _arranged(read: list[_Pair], diplotype: str) -> list[_Pair]:
    """Lay the letters that were read on the chromosomes of a diplotype; unread ones stay unknown."""
    letters = {item.name: item.letters for item in haplotypes()}
    wanted = [letters[name] for name in diplotype.split("/")]
    return [pair if None in pair else (wanted[0][site], wanted[1][site]) for site, pair in enumerate(read)]


def _names(letters: _Pair, report: SampleReport, side: int) -> tuple[str, ...]:
    if report.genotype.diplotype is not None:
        return (report.genotype.diplotype.split("/")[side],)
    if letters == (None, None):
        return ()
    return tuple(
        item.name
        for item in haplotypes()
        if all(known is None or known == letter for known, letter in zip(letters, item.letters, strict=True))
    )


def bars(report: SampleReport) -> tuple[Bar, ...]:
    """Return the answers to draw: the copies of ε4, then the diplotypes that are not negligible."""
    genotype = report.genotype
    copies = [Bar(copies=int(count), probability=p) for count, p in genotype.e4_copies_posterior.items()]
    ranked = sorted(genotype.diplotype_posterior.items(), key=lambda item: -item[1])
    kept = [item for item in ranked if item[1] >= _NEGLIGIBLE][:_MOST_BARS]
    return (*copies, *(Bar(diplotype=name, probability=p) for name, p in kept))


def evidence_marks(response: Response) -> tuple[Mark, ...]:
    """Return one mark a finding on the response of ε4 carriers, lettered in the order of the common table."""
    rows = [row for row in response.by_status if row.group == "carrier" and row.side in _SIDES]
    return tuple(
        Mark(
            letter=chr(ord("A") + number),
            claim_id=row.claim_id,
            side=_SIDES[row.side],
            people=_people(row.sample_size),
            biomarker=row.endpoint_kind == "biomarker",
            counted=row.applicable,
        )
        for number, row in enumerate(rows)
    )


def _people(text: str) -> int | None:
    found = _COUNT.search(text)
    return int(found.group().replace(",", "")) if found else None


def carries_counted(name: str) -> int:
    """Return how many copies of the counted haplotype a diplotype has."""
    return name.split("/").count(counted_haplotype())
