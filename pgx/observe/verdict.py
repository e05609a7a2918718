"""What the records of a site say together, turned into the observation that the caller gets."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from pgx.genome.sites import Site, letters
from pgx.observe.combine import Combined
from pgx.observe.letters import Other
from pgx.observe.model import (
    EvidenceKind,
    Finding,
    GenotypeEvidence,
    Observation,
    ObserveOptions,
    SiteRecord,
    SiteState,
)
from pgx.observe.pile import SitePile
from pgx.observe.reading import Reading, allele_depths, phase_set

#: The flag that a state carries, where the state alone decides on it.
_STATE_FLAGS = {
    SiteState.ABSENT: "absent-site",
    SiteState.ASSUMED_REFERENCE: "assumed-reference",
    SiteState.CALLABLE_REGION: "callable-region",
    SiteState.NO_CALL: "no-call",
    SiteState.PARTIAL_CALL: "partial-call",
    SiteState.LOW_QUALITY: "low-quality",
    SiteState.CONFLICTING: "conflicting-records",
}


def spanning(site: Site) -> Finding:
    """Return the finding that a deletion covers the site."""
    return Finding(code="spanning-deletion", values={"rsid": site.rsid})


def blank(
    pile: SitePile,
    sample: int,
    state: SiteState,
    findings: Sequence[Finding],
    *,
    records: Sequence[SiteRecord] | None = None,
) -> Observation:
    """Return an observation without letters, with the records (those of the pile if not given) to show."""
    shown = (*pile.bases, *pile.blocks) if records is None else tuple(records)
    return Observation(
        rsid=pile.site.rsid,
        contig=shown[0].contig if shown else None,
        position=pile.site.position,
        ref=pile.site.ref,
        alt=pile.site.alt,
        state=state,
        record="\n".join(record.line(sample) for record in shown) or None,
        findings=tuple(findings),
    )


def without_record(site: Site, options: ObserveOptions) -> Observation:
    """Return what a site without a record is: absent, or reference at the user's word.

    Where the base of the assembly is not known nobody can say that it is there: the site stays absent.
    """
    base = Observation(
        rsid=site.rsid,
        contig=None,
        position=site.position,
        ref=site.ref,
        alt=site.alt,
        state=SiteState.ABSENT,
    )
    is_callable = site.rsid in options.callable_sites
    if site.ref is None or not (is_callable or options.assume_reference):
        return replace(base, findings=_state_findings(SiteState.ABSENT, site))
    state = SiteState.CALLABLE_REGION if is_callable else SiteState.ASSUMED_REFERENCE
    kind = EvidenceKind.GT if is_callable else EvidenceKind.ASSUMED
    return replace(
        base,
        state=state,
        alleles=(site.ref, site.ref),
        seen=(site.ref,),
        evidence=GenotypeEvidence(kind=kind, copies=2 * (site.ref == letters()[1])),
        findings=_state_findings(state, site),
    )


def _state_findings(state: SiteState, site: Site) -> tuple[Finding, ...]:
    code = _STATE_FLAGS.get(state)
    return (Finding(code=code, values={"rsid": site.rsid}),) if code else ()


def verdict(
    pile: SitePile,
    sample: int,
    readings: Sequence[Reading],
    combined: Combined,
    findings: Sequence[Finding],
    *,
    state: SiteState | None = None,
    called: SiteState = SiteState.CALLED,
) -> Observation:
    """Turn what the records say together into an observation.

    `state` is given where it is already known; `called` is the state where the letters may be used.
    """
    site, primary = pile.site, combined.primary
    if state is None:
        state, more = _judge(combined, site, called)
        findings = (*findings, *more)
    findings = (*findings, *_state_findings(state, site))
    alleles = _ordered(combined, site) if state is called else None
    seen: tuple[object, ...] = alleles or ()
    if state is SiteState.PARTIAL_CALL:
        seen = tuple(letter for letter in combined.shown if letter in letters())
    evidence = _evidence(combined, state, seen, called)
    if evidence is not None and evidence.kind is EvidenceKind.GT:
        findings = (*findings, Finding(code="no-genotype-quality", values={"rsid": site.rsid}))
    return Observation(
        rsid=site.rsid,
        contig=primary.record.contig,
        position=site.position,
        ref=site.ref,
        alt=site.alt,
        state=state,
        alleles=alleles,
        seen=tuple(dict.fromkeys(str(letter) for letter in seen)),
        evidence=evidence,
        phase=combined.phase if alleles is not None else None,
        depth=primary.depth,
        allele_depths=allele_depths(primary.fields),
        genotype_quality=primary.quality,
        filter=primary.filter or ("PASS" if primary.record.fixed.split("\t")[6:7] == ["PASS"] else None),
        phase_set=phase_set(primary.fields),
        record="\n".join(reading.record.line(sample) for reading in readings),
        findings=tuple(findings),
    )


def _judge(combined: Combined, site: Site, called: SiteState) -> tuple[SiteState, tuple[Finding, ...]]:
    """Return the state that a genotype leads to, with what makes it so."""
    shown = combined.shown
    if combined.conflict:
        return SiteState.CONFLICTING, ()
    if Other.UNKNOWN in shown:
        return SiteState.UNSUPPORTED, (Finding(code="reference-base-unknown", values={"rsid": site.rsid}),)
    if all(letter is None for letter in shown):
        return called, ()  # likelihoods without a genotype; without either it was a no-call before
    if any(letter not in (*letters(), Other.DELETED, None) for letter in shown):
        values = {"rsid": site.rsid, "expected": "/".join(site.letters)}
        return SiteState.UNSUPPORTED, (Finding(code="unexpected-allele", values=values),)
    if Other.DELETED in shown:
        known = any(letter in letters() for letter in shown)
        return SiteState.PARTIAL_CALL if known else SiteState.UNSUPPORTED, (spanning(site),)
    return SiteState.PARTIAL_CALL if None in shown else called, ()


def _ordered(combined: Combined, site: Site) -> tuple[str, str] | None:
    """Return both letters: as phased, else the assembly's own letter first. None without a genotype."""
    if len(combined.shown) != 2 or None in combined.shown:
        return None
    first, second = (str(letter) for letter in combined.shown)
    if combined.phase is None and site.letters.index(first) > site.letters.index(second):
        return second, first
    return first, second


def _evidence(
    combined: Combined, state: SiteState, seen: Sequence[object], called: SiteState
) -> GenotypeEvidence | None:
    if state is SiteState.PARTIAL_CALL:
        primary = combined.primary
        # Beside likelihoods GQ speaks of a whole genotype, and none was called.
        stated = primary.quality is not None and primary.evidence is None
        values = (primary.quality,) if stated else ()
        return GenotypeEvidence(kind=EvidenceKind.PARTIAL, seen=str(seen[0]), values=values)
    if state is not called:
        return None
    if combined.own_evidence:
        return combined.primary.evidence
    copies = sum(letter == letters()[1] for letter in combined.shown)
    return GenotypeEvidence(kind=EvidenceKind.GT, copies=copies)
