"""Observations of the two sites in, a diplotype call out, with all that must be said of it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

from pgx import calling
from pgx.calling import E4_COPIES, CallOptions, DiplotypeCall, E4Status, PhaseState, Reason, diplotype_names
from pgx.calling.posterior import Answer, SiteData, answers, calculation, has_half_call, has_rare, site_data
from pgx.genome import gene
from pgx.observe import EvidenceKind, Finding, GenotypeEvidence, Observation, SiteState


def call(observations: tuple[Observation, ...], options: CallOptions) -> DiplotypeCall:
    """Call the diplotype and e4 status of one sample from its observations, in the order of the sites."""
    data = site_data(observations)
    result, others = answers(data, options)
    findings = tuple(_findings(result, others, observations, data, options))
    known = [item.is_heterozygous for item in observations if item.alleles is not None]
    phase = PhaseState.UNPHASED if known and all(known) else PhaseState.NOT_NEEDED
    return DiplotypeCall(
        gene=gene(),
        diplotype=result.diplotype,
        best_diplotype=result.best,
        diplotype_probability=result.probability,
        diplotype_posterior=dict(zip(diplotype_names(), result.posterior, strict=True)),
        by_population=others,
        e4_status=result.status,
        e4_copies=E4_COPIES.get(result.status),
        e4_copies_posterior={str(copies): p for copies, p in enumerate(result.copies)},
        phase=phase if data.phase is None else PhaseState.PHASED,
        assumed=any(item.basis is EvidenceKind.ASSUMED for item in observations),
        not_determined_because=_reasons(result, observations, findings),
        calculation=calculation(data, result, options),
        findings=findings,
    )


@functools.cache
def _unphased_names(letters: tuple[tuple[str, str] | None, ...]) -> tuple[str, ...]:
    return tuple(
        calling.diplotype_name(pair) for pair in calling.diplotypes() if calling.shows(pair, letters)
    )


def _rare(result: Answer, observations: tuple[Observation, ...], data: SiteData) -> str | None:
    """Return a rare diplotype: the most probable, or where letters and phase spell none but rare ones."""
    if has_rare(result.best):
        return result.best
    shown = tuple(item.alleles for item in observations)
    if None in shown:
        return None
    spelled = _unphased_names(shown) if data.phase is None else (data.phase.diplotype,)
    return min(spelled) if spelled and all(map(has_rare, spelled)) else None


def _findings(
    result: Answer,
    others: Mapping[str, calling.PopulationResult],
    observations: tuple[Observation, ...],
    data: SiteData,
    options: CallOptions,
) -> Iterator[Finding]:
    rare = _rare(result, observations, data)
    if weak := () if rare else _weak_sites(result, observations, data, options):
        yield Finding(code="low-certainty", values={"sites": ", ".join(weak)})
    if rare is not None:
        yield Finding(code="rare-haplotype", values={"diplotype": rare})
    pair = calling.double_heterozygotes()
    if result.best in pair and (data.phase is None or result.diplotype is None):
        chance = dict(zip(diplotype_names(), result.posterior, strict=True))
        other = next(name for name in pair if name != result.best)
        values = {"best": result.best, "other": other, "best_probability": str(chance[result.best])}
        values["other_probability"] = str(chance[other])
        yield Finding(code="ambiguous-phase", values=values)
    same, asked = (result.diplotype, result.status), options.population
    said = {name: (it.diplotype, it.e4_status) for name, it in others.items() if name != asked}
    different = ", ".join(name for name, answer in said.items() if answer != same)
    if different and asked != calling.FLAT:
        yield Finding(code="prior-dependent", values={"population": asked, "others": different})
    used = [item for item in observations if item.evidence is not None]
    if result.status is not E4Status.CARRIER:  # the allele of a half call supports no more than that
        used = [item for item in used if item.state is not SiteState.PARTIAL_CALL]
    if len(used) == 1 and (result.diplotype is not None or result.status is not E4Status.INDETERMINATE):
        yield Finding(code="one-site-inference", values={"rsid": used[0].rsid})


def _is_open(result: Answer) -> bool:
    return result.diplotype is None or result.status in {E4Status.INDETERMINATE, E4Status.CARRIER}


def _weak_sites(
    result: Answer, observations: tuple[Observation, ...], data: SiteData, options: CallOptions
) -> tuple[str, ...]:
    """Return the sites at which a sure genotype would settle what is open: one, unless it takes both."""
    if not _is_open(result) or has_half_call(data):
        return ()
    used = [place for place, item in enumerate(data.evidence) if item is not None]
    copies = {place: calling.copies_at(place)[diplotype_names().index(result.best)] for place in used}
    sure = {i: GenotypeEvidence(kind=EvidenceKind.ASSUMED, copies=count) for i, count in copies.items()}

    def settles(*places: int) -> bool:
        evidence = tuple(sure[i] if i in places else item for i, item in enumerate(data.evidence))
        other = answers(SiteData(evidence=evidence, phase=data.phase), options)[0]
        return not _is_open(other) if len(used) == len(observations) else other.status in E4_COPIES

    if len(used) < len(observations) and result.status in E4_COPIES:
        return ()
    found = [place for place in used if settles(place)] or (used if settles(*used) else [])
    return tuple(observations[place].rsid for place in found)


def _reasons(
    result: Answer, observations: tuple[Observation, ...], findings: tuple[Finding, ...]
) -> tuple[Reason, ...]:
    if not _is_open(result):
        return ()
    notes = [item for seen in observations for item in seen.findings]
    mismatch = any(item.code == "rsid-mismatch" and item.critical for item in notes)
    said = {finding.code for finding in findings}
    known = {
        Reason.COORDINATES: mismatch,
        Reason.SITE_UNUSED: not mismatch and any(item.evidence is None for item in observations),
        Reason.HALF_CALL: any(item.state is SiteState.PARTIAL_CALL for item in observations),
        Reason.PHASE: "ambiguous-phase" in said,
        Reason.RARE_HAPLOTYPE: "rare-haplotype" in said,
        Reason.LOW_CERTAINTY: "low-certainty" in said,
    }
    return tuple(reason for reason, holds in known.items() if holds) or (Reason.LOW_CERTAINTY,)
