"""The posterior over the ten diplotypes: Hardy-Weinberg prior x likelihood of each site x phase."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from operator import mul, truediv

from msgspec import Struct
from msgspec.structs import replace

from pgx import calling
from pgx.calling import E4_COPIES, CallOptions, E4Status, copies_at, diplotype_names, diplotype_prior
from pgx.calling.likelihood import contains_prior, genotype_likelihood
from pgx.genome import counted_haplotype, rare_haplotypes, rsids
from pgx.observe import EvidenceKind, GenotypeEvidence, Observation, PhaseSource
from pgx.reference import threshold

#: By 0, 1 and 2 copies of e4.
Copies = tuple[float, float, float]


class PhaseEvidence(Struct, frozen=True, kw_only=True):
    """The diplotype that two phased heterozygous sites spell, and how likely the phase is wrong."""

    diplotype: str
    error: float
    stated: bool = True  # whether the file states that error (PQ), or a rate was assumed


class SiteData(Struct, frozen=True):
    """All of the observations that the posterior depends on; equal data give equal calls."""

    evidence: tuple[GenotypeEvidence | None, ...]
    phase: PhaseEvidence | None
    joint: tuple[float, ...] | None = None  # of each diplotype, from reads; it stands for the others


class Answer(Struct, frozen=True):
    """What a posterior (of each diplotype, in order) determines, and with which probability."""

    diplotype: str | None
    best: str
    probability: float
    status: E4Status
    copies: Copies  # posterior probabilities
    posterior: tuple[float, ...]


def phase_evidence(observations: tuple[Observation, ...]) -> PhaseEvidence | None:
    """Return what phase says, or None where the sites are not both heterozygous and phased together."""
    first, second = observations
    if not (first.is_heterozygous and second.is_heterozygous and first.phase and second.phase):
        return None
    if first.phase.phase_set != second.phase.phase_set:
        return None
    qualities = [phase.quality for phase in (first.phase, second.phase) if phase.quality is not None]
    is_statistical = PhaseSource.STATISTICAL in {first.phase.source, second.phase.source}
    error = threshold("switch_error_statistical" if is_statistical else "switch_error_read_backed")
    if qualities:
        error = 10 ** (-max(min(qualities), 0.0) / 10)
    spelled = sorted(zip(first.alleles or (), second.alleles or (), strict=True))
    pair = next(pair for pair in calling.diplotypes() if sorted(one.letters for one in pair) == spelled)
    name = calling.diplotype_name(pair)
    return PhaseEvidence(diplotype=name, error=min(error, 0.5), stated=bool(qualities))


def site_data(observations: tuple[Observation, ...]) -> SiteData:
    """Return what of the observations, in the order of the sites, the posterior depends on."""
    joint = observations[0].joint or observations[1].joint
    return SiteData(tuple(item.evidence for item in observations), phase_evidence(observations), joint)


#: The likelihood of the first and of the second site, and the factor of the phase, each by diplotype.
_Factors = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]


def _factors(data: SiteData, population: str, options: CallOptions) -> _Factors:
    error, share = options.allele_error_rate, options.stray_share
    priors = (calling.genotype_prior(population, site) for site in range(2))
    items = zip(data.evidence, priors, strict=True)
    first, second = (genotype_likelihood(item, prior, error, share) for item, prior in items)
    firsts, seconds = tuple(first[n] for n in copies_at(0)), tuple(second[n] for n in copies_at(1))
    if data.joint is not None:  # what the sites do not say one by one is the factor of both together
        whole = zip(data.joint, firsts, seconds, strict=True)
        return firsts, seconds, tuple(joint / (one * two) for joint, one, two in whole)
    return firsts, seconds, phase_factors(data.phase)


@functools.lru_cache(maxsize=8192)
def diplotype_likelihoods(data: SiteData, options: CallOptions) -> tuple[float, ...]:
    """Return the likelihood of each diplotype: all equal where nothing is known, GP and DS without prior."""
    factors = _factors(data, options.population, options)
    return tuple(first * second * phase for first, second, phase in zip(*factors, strict=True))


@functools.lru_cache(maxsize=1024)
def phase_factors(phase: PhaseEvidence | None) -> tuple[float, ...]:
    """Return the probability of the stated order; one half where a diplotype has no order to state."""
    if phase is None:
        return (0.5,) * len(calling.diplotypes())
    stated = dict.fromkeys(calling.double_heterozygotes(), phase.error) | {phase.diplotype: 1 - phase.error}
    return tuple(stated.get(name, 0.5) for name in diplotype_names())


def _posterior(priors: tuple[float, ...], factors: _Factors) -> tuple[float, ...]:
    # done for every population, so it has to be fast
    firsts, seconds, phases = factors
    weights = [*map(mul, map(mul, map(mul, priors, firsts), seconds), phases)]
    return tuple(map(truediv, weights, itertools.repeat(sum(weights))))


@functools.lru_cache(maxsize=8192)
def answers(data: SiteData, options: CallOptions) -> tuple[Answer, dict[str, calling.PopulationResult]]:
    """Return what `data` determines under the population asked for, and under each that ships, by name."""
    # The second is the same object for all samples with these data: not to be changed.
    whole = data
    if has_half_call(data):  # without the sites of which one allele only is known
        kept = tuple(None if item is None or item.seen is not None else item for item in data.evidence)
        whole = replace(data, evidence=kept)
    doubtful = doubtful_diplotypes(data.evidence, data.phase)
    has_prior = contains_prior(data.evidence)  # only then the likelihood differs between populations

    def factors_under(population: str) -> tuple[_Factors, _Factors]:
        factors = _factors(data, population, options)
        return factors, factors if whole is data else _factors(whole, population, options)

    factors = factors_under(options.population)
    asked = _answer(options.population, *factors, doubtful, options)
    others = {}
    for name in (population.name for population in calling.populations()):
        found = _answer(name, *(factors_under(name) if has_prior else factors), doubtful, options)
        others[name] = calling.PopulationResult(found.diplotype, found.status, found.probability)
    return asked, others


def sure_answer(data: SiteData, options: CallOptions) -> Answer | None:
    """Return the answer where bounds prove it the same under every population; else ask `answers` (slow)."""
    if data.joint is not None or has_half_call(data) or contains_prior(data.evidence):
        return None
    factors = _factors(data, options.population, options)
    doubtful = doubtful_diplotypes(data.evidence, data.phase)
    found = _answer(options.population, factors, factors, doubtful, options)
    if found.diplotype is None:
        return None
    least, most, odds = prior_bounds(options)
    index = diplotype_names().index(found.best)
    weights = [*map(mul, map(mul, *factors[:2]), factors[2])]
    others = sum(prior * weight for prior, weight in zip(most, weights, strict=True) if prior)
    others -= most[index] * weights[index]
    return found if least[index] * weights[index] >= odds[index] * others else None


@functools.lru_cache(maxsize=256)
def prior_bounds(options: CallOptions) -> tuple[tuple[float, ...], ...]:
    """Return, by diplotype, its least and greatest prior under any population, and odds that prove an answer.

    Where the likelihood of a diplotype times its least prior is at least these odds times the sum of those of
    all others times their greatest, it and its number of e4 copies are determined under the population of
    `options` and all that ship.
    """
    names = dict.fromkeys((options.population, *(item.name for item in calling.populations())))
    priors = [diplotype_prior(name) for name in names]
    least, most = (tuple(map(extreme, *priors)) for extreme in (min, max))
    by_number = [max(found) for found in zip(*map(by_copies, priors), strict=True)]
    room = 1e-6  # relative; rounding cannot fill it
    bound = options.min_probability + room * (1 - options.min_probability)
    factor = (1 + room) * threshold("min_bayes_factor")
    greatest = [max(prior, by_number[copies]) for prior, copies in zip(most, e4_copies(), strict=True)]
    odds = (max(bound / (1 - bound), factor * one / max(1 - one, room)) for one in greatest)
    return least, most, tuple(odds)


def has_half_call(data: SiteData) -> bool:
    """Return whether there is a site of which one allele only is known."""
    return any(item is not None and item.seen is not None for item in data.evidence)


def _answer(
    population: str, factors: _Factors, bare: _Factors, doubted: tuple[bool, ...], options: CallOptions
) -> Answer:
    priors = diplotype_prior(population)
    posterior = _posterior(priors, factors)
    copies = by_copies(posterior)
    probability = max(posterior)
    index = posterior.index(probability)
    best = diplotype_names()[index]
    half_called = bare is not factors
    doubtful = doubted[index]
    determined = not (half_called or doubtful) and is_determined(probability, priors[index], options)
    exact = (0.0, 0.0, 0.0) if doubtful else copies
    if half_called and not doubtful:
        # The one allele of a half call may show a carrier, never a number of copies.
        exact = by_copies(_posterior(priors, bare))
    status = status_of(copies, exact, _prior_by_copies(population), options)
    # Two haplotypes make a number of copies: what does not determine that does not determine them.
    diplotype = best if determined and status in E4_COPIES else None
    return Answer(diplotype, best, probability, status, copies, posterior)


def calculation(data: SiteData, found: Answer, options: CallOptions) -> tuple[calling.CalculationRow, ...]:
    """Return how the posterior of `found` came about, a row a diplotype."""
    priors = diplotype_prior(options.population)
    factors = _factors(data, options.population, options)
    columns = zip(diplotype_names(), priors, *factors, found.posterior, strict=True)
    return tuple(
        calling.CalculationRow(name, prior, dict(zip(rsids(), both, strict=True)), phase, chance)
        for name, prior, *both, phase, chance in columns
    )


def doubtful_diplotypes(
    evidence: Sequence[GenotypeEvidence | None], phase: PhaseEvidence | None
) -> tuple[bool, ...]:
    """Return for each diplotype whether an answer must not be it, however probable it is.

    A rare haplotype may rest on a quality or a phase that was assumed, not stated: an error is then as likely
    as the haplotype, whatever its frequency is said to be. And where a genotype comes without a quality, or
    with a number of reads only, frequencies may make another one the more probable: what the file calls is
    then wrong, and why is not known. No number of e4 copies is determined then, only that there is one.
    """
    unstated = any(item is not None and item.kind is EvidenceKind.GT for item in evidence)
    guessed = phase is not None and not phase.stated and has_rare(phase.diplotype)
    bare = [  # a genotype alone, or with nothing but a number of reads
        (copies_at(place), item.copies)
        for place, item in enumerate(evidence)
        if item is not None and item.kind in {EvidenceKind.GT, EvidenceKind.DEPTH} and item.copies is not None
    ]
    if not (guessed or unstated or bare):
        return (False,) * len(diplotype_names())
    return tuple(
        guessed or (unstated and has_rare(name)) or any(own[index] != copies for own, copies in bare)
        for index, name in enumerate(diplotype_names())
    )


def has_rare(diplotype: str) -> bool:
    """Return whether a diplotype contains a haplotype that is flagged wherever it is called."""
    return any(name in rare_haplotypes() for name in diplotype.split("/"))


@functools.cache
def e4_copies() -> tuple[int, ...]:
    """Return the copies of e4 of each diplotype."""
    return tuple(name.split("/").count(counted_haplotype()) for name in diplotype_names())


def by_copies(weights: Sequence[float]) -> Copies:
    """Return the sums of weights of the ten diplotypes by copies of e4."""
    totals = [0.0, 0.0, 0.0]
    for place, copies in enumerate(e4_copies()):
        totals[copies] += weights[place]
    return totals[0], totals[1], totals[2]


@functools.cache
def _prior_by_copies(population: str) -> Copies:
    return by_copies(diplotype_prior(population))


def is_determined(posterior: float, prior: float, options: CallOptions) -> bool:
    """Return whether an answer reaches the threshold, and the data rather than the prior brought it there."""
    return posterior >= options.min_probability and (
        posterior * (1 - prior) >= threshold("min_bayes_factor") * ((1 - posterior) * prior)
    )


def status_of(posterior: Copies, exact: Copies, prior: Copies, options: CallOptions) -> E4Status:
    """Return the status by the probabilities of 0, 1 and 2 copies; `exact` are those without half calls."""
    for status, copies in E4_COPIES.items():
        if is_determined(exact[copies], prior[copies], options):
            return status
    carrier = is_determined(posterior[1] + posterior[2], prior[1] + prior[2], options)
    return E4Status.CARRIER if carrier else E4Status.INDETERMINATE
