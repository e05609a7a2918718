"""The posterior over the ten diplotypes: Hardy-Weinberg prior x likelihood of each site x phase."""

from __future__ import annotations

import functools

from msgspec import Struct

from pgx.calling.likelihood import genotype_likelihood
from pgx.calling.model import E4_COPIES, CallOptions, DiplotypeRow, E4Status
from pgx.calling.populations import (
    copies_at,
    diplotype_name,
    diplotype_prior,
    diplotypes,
    genotype_prior,
)
from pgx.genome.sites import counted_haplotype, rare_haplotypes
from pgx.observe import EvidenceKind, GenotypeEvidence, Observation, PhaseSource
from pgx.reference import threshold


class PhaseEvidence(Struct, frozen=True, kw_only=True):
    """The diplotype that two phased heterozygous sites spell, and how likely the phase is wrong.

    `stated` says whether the file states that error (PQ), or a rate was assumed.
    """

    diplotype: str
    error: float
    stated: bool = True


class SiteData(Struct, frozen=True, kw_only=True):
    """All of the observations that the posterior depends on; equal data give equal calls."""

    evidence: tuple[GenotypeEvidence | None, ...]
    phase: PhaseEvidence | None


class Answer(Struct, frozen=True, kw_only=True):
    """What a posterior determines, and with which probability."""

    diplotype: str | None
    best: str
    probability: float
    status: E4Status
    copies: tuple[float, float, float]
    rows: tuple[DiplotypeRow, ...]


def phase_evidence(observations: tuple[Observation, ...]) -> PhaseEvidence | None:
    """Return what phase says, or None where the sites are not both heterozygous and phased together."""
    first, second = observations
    if not (first.is_heterozygous and second.is_heterozygous and first.phase and second.phase):
        return None
    if first.phase.phase_set != second.phase.phase_set:
        return None
    qualities = [phase.quality for phase in (first.phase, second.phase) if phase.quality is not None]
    if qualities:
        error = 10 ** (-max(min(qualities), 0.0) / 10)
    elif PhaseSource.STATISTICAL in {first.phase.source, second.phase.source}:
        error = threshold("switch_error_statistical")
    else:
        error = threshold("switch_error_read_backed")
    spelled = sorted(zip(first.alleles or (), second.alleles or (), strict=True))
    name = next(
        diplotype_name(pair)
        for pair in diplotypes()
        if sorted(haplotype.letters for haplotype in pair) == spelled
    )
    return PhaseEvidence(diplotype=name, error=min(error, 0.5), stated=bool(qualities))


def _phase_factor(diplotype: str, phase: PhaseEvidence | None, both_heterozygous: bool) -> float:
    """Return the probability of the stated order; one half where the diplotype has no order to state."""
    if phase is None or not both_heterozygous:
        return 0.5
    return 1 - phase.error if diplotype == phase.diplotype else phase.error


@functools.lru_cache(maxsize=8192)
def answer(data: SiteData, options: CallOptions) -> Answer:
    """Return what `data` determines under the population of `options`."""
    rows = _rows(data, options)
    prior = _copies_of(rows, [row.prior for row in rows])
    posterior = _copies_of(rows, [row.posterior for row in rows])
    half_called = any(item is not None and item.seen is not None for item in data.evidence)
    best = max(rows, key=lambda row: row.posterior)
    doubtful = _is_doubtful(best.diplotype, data)
    determined = not (half_called or doubtful) and _is_determined(best.posterior, best.prior, options)
    exact = (0.0, 0.0, 0.0) if doubtful else posterior
    if half_called and not doubtful:
        # The one allele of a half call may show a carrier, never a number of copies.
        whole = tuple(None if item is not None and item.seen is not None else item for item in data.evidence)
        bare = _rows(SiteData(evidence=whole, phase=data.phase), options)
        exact = _copies_of(bare, [row.posterior for row in bare])
    status = _status(posterior, exact, prior, options)
    return Answer(
        # Two haplotypes make a number of copies: what does not determine that does not determine them.
        diplotype=best.diplotype if determined and status in E4_COPIES else None,
        best=best.diplotype,
        probability=best.posterior,
        status=status,
        copies=posterior,
        rows=rows,
    )


def _is_doubtful(best: str, data: SiteData) -> bool:
    """Say whether a rare haplotype rests on a quality or a phase that was assumed, not stated.

    An error is then as likely as the haplotype, whatever its frequency is said to be: neither the diplotype
    nor a number of e4 copies is determined, only that there is a copy at all where every reading has one.
    """
    unstated = any(item is not None and item.kind is EvidenceKind.GT for item in data.evidence)
    return (unstated and has_rare(best)) or (
        data.phase is not None and not data.phase.stated and has_rare(data.phase.diplotype)
    )


def has_rare(diplotype: str) -> bool:
    """Say whether a diplotype contains a haplotype that is flagged wherever it is called."""
    return any(name in rare_haplotypes() for name in diplotype.split("/"))


def _rows(data: SiteData, options: CallOptions) -> tuple[DiplotypeRow, ...]:
    by_site = [
        genotype_likelihood(evidence, genotype_prior(options.population, site), options.allele_error_rate)
        for site, evidence in enumerate(data.evidence)
    ]
    priors = diplotype_prior(options.population)
    names = _names()
    products = []
    for index, name in enumerate(names):
        copies = copies_at(0)[index], copies_at(1)[index]
        factor = _phase_factor(name, data.phase, copies == (1, 1))
        products.append((priors[index], by_site[0][copies[0]], by_site[1][copies[1]], factor))
    weights = [prior * first * second * factor for prior, first, second, factor in products]
    total = sum(weights)
    return tuple(
        DiplotypeRow(
            diplotype=name,
            prior=prior,
            likelihood_first=first,
            likelihood_second=second,
            phase_factor=factor,
            posterior=weight / total,
        )
        for name, (prior, first, second, factor), weight in zip(names, products, weights, strict=True)
    )


@functools.cache
def _names() -> tuple[str, ...]:
    """Return the names of all diplotypes."""
    return tuple(diplotype_name(pair) for pair in diplotypes())


@functools.cache
def _e4_copies(diplotype: str) -> int:
    return diplotype.split("/").count(counted_haplotype())


def _copies_of(rows: tuple[DiplotypeRow, ...], weights: list[float]) -> tuple[float, float, float]:
    """Sum weights by copies of e4."""
    totals = [0.0, 0.0, 0.0]
    for row, weight in zip(rows, weights, strict=True):
        totals[_e4_copies(row.diplotype)] += weight
    return totals[0], totals[1], totals[2]


def _is_determined(posterior: float, prior: float, options: CallOptions) -> bool:
    """Say whether an answer reaches the threshold, and the data rather than the prior brought it there."""
    if posterior < options.min_probability:
        return False
    against = (1 - posterior) * prior
    return posterior * (1 - prior) >= threshold("min_bayes_factor") * against


def _status(
    posterior: tuple[float, float, float],
    exact: tuple[float, float, float],
    prior: tuple[float, float, float],
    options: CallOptions,
) -> E4Status:
    for status, copies in E4_COPIES.items():
        if _is_determined(exact[copies], prior[copies], options):
            return status
    if _is_determined(posterior[1] + posterior[2], prior[1] + prior[2], options):
        return E4Status.CARRIER
    return E4Status.INDETERMINATE
