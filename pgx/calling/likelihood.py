"""From a quality statement to the likelihood of 0, 1 and 2 copies of the counted letter."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

from pgx.genome import letters
from pgx.observe import EvidenceKind, GenotypeEvidence
from pgx.observe.evidence_fields import dosage_probabilities, phred_by_copies, reads_phred
from pgx.reference import threshold

Likelihood = tuple[float, float, float]
UNINFORMATIVE: Likelihood = (1.0, 1.0, 1.0)
_POSTERIORS = frozenset({EvidenceKind.GP, EvidenceKind.DS})
_BY_DISTANCE = frozenset({EvidenceKind.PL, EvidenceKind.GL, EvidenceKind.AD})


def genotype_likelihood(
    evidence: GenotypeEvidence | None, marginal: Likelihood, error_rate: float, share: float | None = None
) -> Likelihood:
    """Return the likelihood of 0, 1, 2 copies of the counted letter, scaled to a maximum of 1; flat for None.

    Of several statements the weakest counts: a genotype is as likely as any of them leaves it. `marginal` are
    the genotype frequencies of the population at the site: GP and DS are posteriors of an imputation already,
    and dividing by them takes the site's own prior out. `error_rate` is of an allele of a genotype without
    quality; `share` is the `stray_share` of `phred_likelihood`.
    """
    if evidence is None:
        return UNINFORMATIVE
    if evidence.kind is EvidenceKind.PARTIAL:  # one allele, drawn from two, was read
        stated = [10 ** (-_known(value) / 10) for value in evidence.values]
        error = min(max(error_rate, *stated, 0.0), 0.5)
        shares = (0.0, 0.5, 1.0) if evidence.seen == letters()[1] else (1.0, 0.5, 0.0)
        return _scaled(*(part * (1 - error) + (1 - part) * error for part in shares))
    found = [_own(evidence, marginal, error_rate, share)]
    limits = [limit for limit in evidence.limits if limit.copies is not None]
    found += [_limit(limit, evidence.kind, share) for limit in limits]
    return found[0] if len(found) == 1 else _scaled(*map(max, zip(*found, strict=True)))


def _own(evidence: GenotypeEvidence, marginal: Likelihood, error: float, share: float | None) -> Likelihood:
    kind, copies, values = evidence.kind, evidence.copies, [_known(value) for value in evidence.values]
    if kind is EvidenceKind.READS:  # these reckon with another person already, read by read
        return _scaled(*(10 ** (-(value - min(values)) / 10) for value in values))
    if kind in _POSTERIORS:
        floor, stated = (
            threshold("posterior_floor"),
            zip(imputed_probabilities(evidence), marginal, strict=True),
        )
        return _scaled(*(max(probability, floor) / prior for probability, prior in stated))
    if kind in _BY_DISTANCE:
        return phred_likelihood(phred_by_copies(evidence) or (), share)
    if copies is None:
        return UNINFORMATIVE
    if kind in {EvidenceKind.GQ, EvidenceKind.DEPTH}:
        is_quality = kind is EvidenceKind.GQ
        return _from_quality(copies, values[0]) if is_quality else _from_number_of_reads(copies, values[0])
    # Errors of single alleles are independent; what is assumed has none.
    right, wrong = (1.0, 0.0) if kind is EvidenceKind.ASSUMED else (1 - error, error)
    both = right**2 + wrong**2 if copies == 1 else right**2
    return _around(copies, right * wrong * (2 if copies == 1 else 1) / both, wrong**2 / right**2)


def _limit(limit: GenotypeEvidence, kind: EvidenceKind, share: float | None) -> Likelihood:
    copies, values = limit.copies or 0, [_known(value) for value in limit.values]
    if limit.kind is EvidenceKind.AD:
        return phred_likelihood(reads_phred(*values), share)
    if limit.kind is EvidenceKind.QUAL:
        return _from_quality(copies, values[0], int(values[1]))
    if kind is EvidenceKind.GT:
        return _from_number_of_reads(copies, values[0])
    # The most that a number of reads allows: all agree, or half of them (the smaller) show the other letter.
    reads, error = values[0], threshold("base_error_rate")
    if copies == 1:
        exponent = reads // 2 * math.log(error / 0.5) + (reads - reads // 2) * math.log((1 - error) / 0.5)
        return _around(copies, math.exp(min(exponent, 0.0)), 0.0)
    return _around(copies, (0.5 / (1 - error)) ** reads, (error / (1 - error)) ** reads)


def phred_likelihood(away: Sequence[float], stray_share: float | None = None) -> Likelihood:
    """Return the likelihood from how far 0, 1, 2 copies are from the best, Phred-scaled.

    A few reads of another person make a heterozygote of a homozygote, and no caller counts with them: what
    speaks against both homozygotes counts in part (`stray_share`; None for `stray_read_share`).
    """
    share = 1.0
    if away[1] == 0:
        share = threshold("stray_read_share") if stray_share is None else stray_share
    zero, one, two = (10 ** (-(share * value) / 10) for value in away)
    return zero, one, two


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


def _from_quality(copies: int, quality: float, none: int | None = None) -> Likelihood:
    # The error of GQ is shared out: a genotype two alleles away is as unlikely as two such errors.
    # Of QUAL of a called ALT, beside a heterozygote, all error is that of no ALT: of `none` copies.
    error = min(10 ** (-max(quality, 0.0) / 10), 2 / 3)  # which leaves all three genotypes equal
    odds = error / (1 - error)
    if copies == 1 and none is not None:
        return _scaled(odds if none == 0 else 0.0, 1.0, odds if none == 2 else 0.0)
    one_away = odds / 2 if copies == 1 else (-1 + (1 + 4 * odds) ** 0.5) / 2
    return _around(copies, one_away, one_away**2)


@functools.lru_cache(maxsize=1024)
def _from_number_of_reads(copies: int, reads: float) -> Likelihood:
    # Which letters they show was for the caller to see: a homozygote may hide a few other reads, and a
    # heterozygote may rest on the fewest that make it the likelier.
    error = threshold("base_error_rate")
    count = min(int(reads), 500)  # more make nothing surer that is compared here
    hidden = math.floor(count * math.log(2 * (1 - error)) / math.log((1 - error) / error))
    other = range(min(max(hidden, int(threshold("hidden_reads"))), count) + 1)
    if copies == 1:
        other = range(hidden + 1, count - hidden)
    wrong = threshold("unseen_error_rate")
    shares = (1 - wrong, 0.5, wrong) if copies == 2 else (wrong, 0.5, 1 - wrong)
    if not other:
        return UNINFORMATIVE
    ways = [(k, math.comb(count, k)) for k in other]
    return _scaled(*(sum(n * share**k * (1 - share) ** (count - k) for k, n in ways) for share in shares))


def _around(copies: int, one_away: float, two_away: float) -> Likelihood:
    """Return the likelihood by how many alleles a genotype is away from the reading, `copies`."""
    if copies == 1:
        return one_away, 1.0, one_away
    return (1.0, one_away, two_away) if copies == 0 else (two_away, one_away, 1.0)
