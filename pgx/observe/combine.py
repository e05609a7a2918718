"""What the records of a site say together of one sample, turned into the observation that the caller gets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from pgx import observe
from pgx.genome import Site
from pgx.observe import EvidenceKind, Finding, GenotypeEvidence, Observation, SiteState, site_finding
from pgx.observe.alleles import Other, Shown, variant_keys
from pgx.observe.fields import numbers
from pgx.observe.sample_record import Reading

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


class Combined(Struct, frozen=True):
    """What the records of a site say together."""

    primary: Reading  # its quality, depth and evidence stand for the site
    shown: Shown = ()  # two letters, None for one that was not called; empty without a genotype
    phase: observe.Phase | None = None
    own_evidence: bool = True  # whether the evidence of `primary` is about exactly these letters
    state: SiteState | None = None  # where it does not depend on the letters
    called: SiteState = SiteState.CALLED  # the state where the letters may be used
    findings: tuple[Finding, ...] = ()


class View(Struct, frozen=True):
    """The records at a site, and the sample (its 0-based column) of which they are read."""

    at: observe.SiteRecords
    sample: int
    context: observe.ReadContext


def alone(reading: Reading, findings: tuple[Finding, ...] = (), state: SiteState | None = None) -> Combined:
    """Return what one record says by itself."""
    return Combined(reading, reading.shown, reading.phase, state=state, findings=findings)


def conflicting(primary: Reading) -> Combined:
    """Return that records contradict each other."""
    return Combined(primary, state=SiteState.CONFLICTING)


def combine(readings: Sequence[Reading], site: Site) -> Combined:
    """Join the readings of all records that spell the site; there is at least one, none has a problem."""
    distinct: list[Reading] = []
    for reading in readings:
        twin = next((kept for kept in distinct if _same_variant(kept, reading)), None)
        if twin is None:
            distinct.append(reading)
        elif not _agree(twin, reading):
            return conflicting(readings[0])
    findings = (site_finding("duplicate-records", site),) if len(distinct) < len(readings) else ()
    if len(distinct) > 1:
        return _merge_split(distinct, site, findings)
    # Of repeated records that agree, the more doubtful one counts.
    return alone(min(readings, key=lambda it: math.inf if it.quality is None else it.quality), findings)


def _same_variant(one: Reading, other: Reading) -> bool:
    """Return whether two records describe the same variant, or one says "reference" without naming an ALT."""
    if any(all(name.startswith("<") for name in item.record.alternates) for item in (one, other)):
        return True
    return bool(variant_keys(one.record) & variant_keys(other.record))


def shows_other(reading: Reading, others: Sequence[Reading]) -> bool:
    """Return whether a record shows an ALT that none of the other records is about.

    On split lines the others then say "not my ALT" of a chromosome that need not be reference.
    """
    has_alternate = any(letter not in (None, reading.spelled[0]) for letter in reading.shown)
    return has_alternate and not any(_same_variant(reading, other) for other in others)


def _agree(one: Reading, other: Reading) -> bool:
    if one.phase and other.phase and one.phase.phase_set == other.phase.phase_set:
        return one.shown == other.shown
    return sorted(map(str, one.shown)) == sorted(map(str, other.shown))


def _merge_split(readings: Sequence[Reading], site: Site, findings: tuple[Finding, ...]) -> Combined:
    """Join the lines of a split multi-allelic site, where 0 means "not this ALT"."""
    if not all(reading.shown for reading in readings):
        return conflicting(readings[0])  # without a genotype on each line nothing can be summed
    reference = readings[0].spelled[0]
    phases = {reading.phase for reading in readings}
    phase = next(iter(phases)) if len(phases) == 1 else None
    lines = [reading.shown for reading in readings]
    # Phased lines are joined chromosome by chromosome, others in any order.
    groups = [tuple(itertools.chain(*lines))] if phase is None else [*zip(*lines, strict=True)]
    size, shown = 2 // len(groups), []
    for group in groups:
        alternates = [letter for letter in group if letter is not None and letter != reference]
        if len(alternates) > size:
            return conflicting(readings[0])
        shown += [*alternates, *([None if None in group else reference] * (size - len(alternates)))]
    primary = next((it for it in readings if set(site.counted) <= set(it.spelled)), readings[0])
    own = sorted(map(str, primary.shown)) == sorted(map(str, shown))
    return Combined(primary, tuple(shown), phase, own, findings=findings)


def blank(
    view: View, state: SiteState, findings: Sequence[Finding], records: Sequence[observe.SiteRecord]
) -> Observation:
    """Return an observation without letters, with the records to show."""
    site = view.at.site
    return Observation(
        rsid=site.rsid,
        contig=records[0].contig if records else view.context.contig,
        position=site.position,
        ref=site.ref,
        alt=site.alt,
        state=state,
        record="\n".join(record.line(view.sample) for record in records) or None,
        findings=tuple(findings),
    )


def _state_findings(state: SiteState, site: Site) -> tuple[Finding, ...]:
    code = _STATE_FLAGS.get(state)
    return (site_finding(code, site),) if code else ()


def without_record(view: View, empty: Sequence[observe.SiteRecord]) -> Observation:
    """Return what a site is of which no record says anything, with the records (`empty`) that seem to.

    It is absent, or reference at the user's word. Where the base of the assembly is not known nobody can say
    that it is there: the site stays absent.
    """
    site, segments, context = view.at.site, view.at.segments, view.context
    reads = context.callable_sites.get(site.rsid)
    is_callable = site.rsid in context.callable_sites and reads != 0
    state, evidence, alleles, depth = SiteState.ABSENT, None, None, None
    if site.ref is not None and (is_callable or context.assume_reference):
        state = SiteState.CALLABLE_REGION if is_callable else SiteState.ASSUMED_REFERENCE
        kind = EvidenceKind.GT if is_callable else EvidenceKind.ASSUMED
        values: tuple[float, ...] = ()
        if is_callable and reads is not None:
            kind, values, depth = EvidenceKind.DEPTH, (reads,), int(reads)
        evidence = GenotypeEvidence(kind=kind, values=values, copies=2 * (site.ref == site.counted[1]))
        alleles = (site.ref, site.ref)
    findings = [*_state_findings(state, site)]
    findings += [site_finding("stated-absence", site)] if empty else []
    findings += [site_finding("copy-number-file", site)] if segments else []
    base = blank(view, state, findings, (*empty, *segments))
    seen = alleles[:1] if alleles else ()
    return replace(base, contig=context.contig, alleles=alleles, seen=seen, depth=depth, evidence=evidence)


def observation(view: View, readings: Sequence[Reading], combined: Combined) -> Observation:
    """Turn what the records say together into an observation."""
    site, primary, shown = view.at.site, combined.primary, combined.shown
    state, reasons = _judge(combined, site)
    findings = (*combined.findings, *reasons, *_state_findings(state, site))
    alleles = None
    if state is combined.called and len(shown) == 2 and None not in shown:
        first, second = map(str, shown)  # as phased, else the assembly's own letter first
        swapped = combined.phase is None and site.letters.index(first) > site.letters.index(second)
        alleles = (second, first) if swapped else (first, second)
    seen: tuple[object, ...] = alleles or ()
    if state is SiteState.PARTIAL_CALL:
        seen = tuple(letter for letter in shown if letter in site.counted)
    evidence = _evidence(combined, site, state, seen)
    if evidence is not None and evidence.kind is EvidenceKind.GT:
        findings = (*findings, site_finding("no-genotype-quality", site))
    depths, phase_set = numbers(primary.fields.get("AD")), primary.fields.get("PS")
    whole = tuple(int(value) for value in depths if value is not None)
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
        allele_depths=whole if whole and len(whole) == len(depths) else None,
        genotype_quality=primary.quality,
        filter=primary.filter or ("PASS" if primary.record.fixed.split("\t", 7)[6:7] == ["PASS"] else None),
        phase_set=None if phase_set in {"", observe.MISSING} else phase_set,
        record="\n".join(reading.record.line(view.sample) for reading in readings),
        findings=findings,
    )


def _judge(combined: Combined, site: Site) -> tuple[SiteState, tuple[Finding, ...]]:
    """Return the state that a genotype leads to, with what makes it so."""
    shown, called = combined.shown, combined.called
    if combined.state is not None:
        return combined.state, ()
    if Other.UNKNOWN in shown:
        return SiteState.UNSUPPORTED, (site_finding("reference-base-unknown", site),)
    if all(letter is None for letter in shown):
        return called, ()  # likelihoods without a genotype; without either it was a no-call before
    if any(letter not in (*site.counted, Other.DELETED, None) for letter in shown):
        finding = site_finding("unexpected-allele", site, expected="/".join(site.letters))
        return SiteState.UNSUPPORTED, (finding,)
    if Other.DELETED in shown:
        known = any(letter in site.counted for letter in shown)
        state = SiteState.PARTIAL_CALL if known else SiteState.UNSUPPORTED
        return state, (site_finding("spanning-deletion", site),)
    return SiteState.PARTIAL_CALL if None in shown else called, ()


def _evidence(
    combined: Combined, site: Site, state: SiteState, seen: Sequence[object]
) -> GenotypeEvidence | None:
    if state is SiteState.PARTIAL_CALL:
        # Beside likelihoods GQ speaks of a whole genotype, and none was called.
        quality = combined.primary.quality if combined.primary.evidence is None else None
        values = () if quality is None else (quality,)
        return GenotypeEvidence(kind=EvidenceKind.PARTIAL, seen=str(seen[0]), values=values)
    if state is not combined.called:
        return None
    if combined.own_evidence:
        return combined.primary.evidence
    return GenotypeEvidence(kind=EvidenceKind.GT, copies=combined.shown.count(site.counted[1]))
