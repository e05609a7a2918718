"""From a quality statement to the likelihood of 0, 1 and 2 copies of the counted letter."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pgx.genome.sites import letters
from pgx.observe import EvidenceKind, GenotypeEvidence
from pgx.reference import threshold

Likelihood = tuple[float, float, float]
UNINFORMATIVE: Likelihood = (1.0, 1.0, 1.0)
_POSTERIORS = frozenset({EvidenceKind.GP, EvidenceKind.DS})
_PHRED = frozenset({EvidenceKind.PL, EvidenceKind.READS})
_BY_GENOTYPE = _PHRED | {EvidenceKind.GL} | _POSTERIORS
_NO_KNOWLEDGE = 2 / 3  # an error probability that leaves all three genotypes equal


def genotype_likelihood(
    evidence: GenotypeEvidence | None, marginal: Likelihood, allele_error_rate: float
) -> Likelihood:
    """Return the likelihood of 0, 1 and 2 copies of the counted letter, scaled to a maximum of 1.

    Parameters
    ----------
    evidence
        None gives a flat likelihood.
    marginal
        Genotype frequencies of the population at the site: GP and DS are posteriors of an imputation
        already, and dividing by them takes the site's own prior out again.
    allele_error_rate
        For a genotype without quality.
    """
    if evidence is None:
        return UNINFORMATIVE
    if evidence.kind in _BY_GENOTYPE:
        return _from_values(evidence, marginal)
    if evidence.kind is EvidenceKind.PARTIAL:
        stated = [10 ** (-_known(value) / 10) for value in evidence.values]
        return _one_allele(evidence.seen == letters()[1], min(max(allele_error_rate, *stated, 0.0), 0.5))
    if evidence.copies is None:
        return UNINFORMATIVE
    return _from_reading(evidence, evidence.copies, allele_error_rate)


def _from_values(evidence: GenotypeEvidence, marginal: Likelihood) -> Likelihood:
    """Return the likelihood from numbers for each genotype (or their mean, DS)."""
    values = [_known(value) for value in evidence.values]
    if evidence.kind in _PHRED:
        return _scaled(*(10 ** (-(value - min(values)) / 10) for value in values))
    if evidence.kind is EvidenceKind.GL:
        return _scaled(*(10 ** (value - max(values)) for value in values))
    return _without_prior(imputed_probabilities(evidence), marginal)


def _from_reading(evidence: GenotypeEvidence, copies: int, error: float) -> Likelihood:
    """Return the likelihood from a genotype and how sure it is."""
    number = _known(evidence.values[0]) if evidence.values else None
    if evidence.kind is EvidenceKind.ASSUMED:
        return _scaled(*(float(other == copies) for other in range(3)))
    if evidence.kind is EvidenceKind.GQ and number is not None:
        return _from_quality(copies, number)
    if evidence.kind is EvidenceKind.DEPTH and number is not None:
        return _from_depth(copies, number)
    return _from_genotype(copies, error, number)


def _known(value: float | None) -> float:
    if value is None:
        raise ValueError("a likelihood with a gap must not reach the caller")
    return value


def _scaled(*values: float) -> Likelihood:
    top = max(values)
    zero, one, two = (value / top for value in values)
    return zero, one, two


def contains_prior(evidence: Iterable[GenotypeEvidence | None]) -> bool:
    """Return whether a likelihood depends on the population, because GP or DS are posteriors already."""
    return any(item is not None and item.kind in _POSTERIORS for item in evidence)


def imputed_probabilities(evidence: GenotypeEvidence) -> list[float]:
    """Return the probabilities of 0, 1 and 2 copies that GP or DS state: they contain a prior."""
    values = [_known(value) for value in evidence.values]
    return dosage_probabilities(values[0]) if evidence.kind is EvidenceKind.DS else values


def dosage_probabilities(dose: float) -> list[float]:
    """Return the probabilities of 0, 1 and 2 copies for an expected number of copies `dose`.

    The stated rule: both chromosomes carry the letter independently with probability dose / 2. Of all
    rules with that mean it is the one that assumes least, so a dose of 1 is a 50 % heterozygote.
    """
    share = dose / 2
    return [(1 - share) ** 2, 2 * share * (1 - share), share**2]


def _without_prior(probabilities: list[float], marginal: Likelihood) -> Likelihood:
    floor = threshold("posterior_floor")
    return _scaled(*(max(p, floor) / m for p, m in zip(probabilities, marginal, strict=True)))


def _one_allele(is_counted: bool, error: float) -> Likelihood:
    """Return the likelihood when one allele, drawn from two, was read."""
    shares = (0.0, 0.5, 1.0) if is_counted else (1.0, 0.5, 0.0)
    return _scaled(*(share * (1 - error) + (1 - share) * error for share in shares))


def _from_quality(copies: int, quality: float) -> Likelihood:
    """Share out the error of GQ: a genotype two alleles away is as unlikely as two such errors."""
    error = min(10 ** (-max(quality, 0.0) / 10), _NO_KNOWLEDGE)
    odds = error / (1 - error)
    if copies == 1:
        return _scaled(odds / 2, 1.0, odds / 2)
    one_away = (-1 + (1 + 4 * odds) ** 0.5) / 2
    return _around(copies, one_away, one_away**2)


def _from_genotype(copies: int, error: float, reads: float | None) -> Likelihood:
    """Errors of single alleles, independent; reads, where counted, limit how sure a homozygote can be."""
    right, wrong = 1 - error, error
    if copies == 1:
        homozygous = 2 * right * wrong / (right**2 + wrong**2)
        if reads is not None:
            homozygous = max(homozygous, _misread(reads))
        return _scaled(homozygous, 1.0, homozygous)
    one_away, two_away = right * wrong / right**2, wrong**2 / right**2
    if reads is not None:
        one_away = max(one_away, 0.5**reads)
        two_away = max(two_away, threshold("base_error_rate") ** reads)
    return _around(copies, one_away, two_away)


def _misread(reads: float) -> float:
    """Return the likelihood of a homozygote when half of `reads` show the other letter; a heterozygote has 1.

    Without allele depths the even split is the most that can be assumed; of an odd number the smaller half.
    """
    error = threshold("base_error_rate")
    other = reads // 2
    exponent = other * math.log(error / 0.5) + (reads - other) * math.log((1 - error) / 0.5)
    return math.exp(min(exponent, 0.0))


def _from_depth(copies: int, reads: float) -> Likelihood:
    error = threshold("base_error_rate")
    return _around(copies, (0.5 / (1 - error)) ** reads, (error / (1 - error)) ** reads)


def _around(copies: int, one_away: float, two_away: float) -> Likelihood:
    """Return the likelihood of a homozygous reading (copies 0 or 2)."""
    return (1.0, one_away, two_away) if copies == 0 else (two_away, one_away, 1.0)
