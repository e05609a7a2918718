"""Records in, one observation a site out: the letters of a sample, or why there are none."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from pgx.observe.combine import Combined, combine, deleted_copies
from pgx.observe.letters import Letter, Other, covers_with_bases
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
from pgx.observe.reading import Reading, allele_depths, phase_set, read
from pgx.sites import Site, letters

#: The flag that a state carries, where the state alone decides on it.
_STATE_FLAGS = {
    SiteState.ABSENT: "absent-site",
    SiteState.ASSUMED_REFERENCE: "assumed-reference",
    SiteState.NO_CALL: "no-call",
    SiteState.PARTIAL_CALL: "partial-call",
    SiteState.LOW_QUALITY: "low-quality",
    SiteState.CONFLICTING: "conflicting-records",
}


class ReadContext(Struct, frozen=True, kw_only=True):
    """What reading a sample needs beside its records.

    gl_is_phred
        GL of this input holds negative Phred values, see `genotype_evidence`.
    """

    options: ObserveOptions
    gl_is_phred: bool = False


def observe(piles: Sequence[SitePile], sample: int, context: ReadContext) -> tuple[Observation, ...]:
    """Observe one sample (its 0-based column) at every site.

    An rsID that sits elsewhere puts all coordinates of the input in doubt: then no site is used.
    """
    doubted = [pile.site.rsid for pile in piles if pile.misplaced]
    return tuple(_observe_pile(pile, sample, context, doubted) for pile in piles)


def _observe_pile(pile: SitePile, sample: int, context: ReadContext, doubted: Sequence[str]) -> Observation:
    if doubted:
        return _doubted(pile, sample, doubted)
    if pile.faults:
        return _blank(pile, sample, SiteState.UNSUPPORTED, pile.faults)
    bases = [_read(record, sample, pile.site, context, block=False) for record in pile.bases]
    blocks = [
        _read(record, sample, pile.site, context, block=True)
        for record in pile.blocks
        if _spans(record, sample, pile.site)
    ]
    lengths = [
        _read(record, sample, pile.site, context, block=False)
        for record in pile.lengths
        if _spelled(record, pile.site)
    ]
    missing = deleted_copies([reading for reading in lengths if reading.filter is None])
    if bases:
        return _from_bases(pile, sample, bases, blocks, missing)
    if missing:
        return _blank(pile, sample, SiteState.UNSUPPORTED, (_spanning(pile.site),), records=pile.lengths)
    if blocks:
        return _from_blocks(pile, sample, blocks)
    return _without_record(pile.site, context.options)


def _read(record: SiteRecord, sample: int, site: Site, context: ReadContext, *, block: bool) -> Reading:
    return read(record, sample, site, context.options, gl_is_phred=context.gl_is_phred, block=block)


def _spelled(record: SiteRecord, site: Site) -> bool:
    """Say whether the alleles of a length record can be followed to the site."""
    return covers_with_bases(record, site.position) or any(
        allele.upper().startswith("<DEL") for allele in record.alternates
    )


def _spans(record: SiteRecord, sample: int, site: Site) -> bool:
    """Say whether a block reaches the site for this sample (FORMAT/LEN of VCF 4.5 counts from POS)."""
    length = record.fields(sample).get("LEN", "")
    if length.isdecimal():
        return site.position < record.position + int(length)
    return True


def _doubted(pile: SitePile, sample: int, doubted: Sequence[str]) -> Observation:
    where = [f"{record.contig}:{record.position}" for record in pile.misplaced]
    finding = Finding(
        code="rsid-mismatch",
        values={
            "rsid": pile.site.rsid,
            "found": ", ".join(where) or ", ".join(doubted),
            "position": str(pile.site.position),
        },
        critical=True,
    )
    records = (*pile.misplaced, *pile.bases, *pile.blocks)
    return _blank(pile, sample, SiteState.UNSUPPORTED, (finding,), records=records)


def _blank(
    pile: SitePile,
    sample: int,
    state: SiteState,
    findings: Sequence[Finding],
    *,
    records: Sequence[SiteRecord] | None = None,
) -> Observation:
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


def _spanning(site: Site) -> Finding:
    return Finding(code="spanning-deletion", values={"rsid": site.rsid})


def _without_record(site: Site, options: ObserveOptions) -> Observation:
    state = SiteState.ABSENT
    if site.ref is not None and site.rsid in options.callable_sites:
        state = SiteState.CALLABLE_REGION
    elif site.ref is not None and options.assume_reference:
        state = SiteState.ASSUMED_REFERENCE
    base = Observation(
        rsid=site.rsid, contig=None, position=site.position, ref=site.ref, alt=site.alt, state=state
    )
    code = _STATE_FLAGS.get(state)
    findings = (Finding(code=code, values={"rsid": site.rsid}),) if code else ()
    if state is SiteState.ABSENT or site.ref is None:
        return replace(base, findings=findings)
    kind = EvidenceKind.GT if state is SiteState.CALLABLE_REGION else EvidenceKind.ASSUMED
    copies = 2 * (site.ref == letters()[1])
    return replace(
        base,
        alleles=(site.ref, site.ref),
        seen=(site.ref,),
        evidence=GenotypeEvidence(kind=kind, copies=copies),
        findings=findings,
    )


def _from_bases(
    pile: SitePile, sample: int, bases: Sequence[Reading], blocks: Sequence[Reading], missing: int
) -> Observation:
    unfiltered = [reading for reading in bases if reading.problem is not SiteState.FILTERED]
    usable = unfiltered or list(bases)
    problems = [reading for reading in usable if reading.problem is not None]
    if len(usable) > 1 and any(reading.problem is SiteState.NO_CALL for reading in problems):
        problems = [] if len(problems) < len(usable) else problems
        if not problems:
            return _finish(
                pile,
                sample,
                bases,
                Combined(primary=usable[0], shown=(), phase=None, own_evidence=False, conflict=True),
                (),
            )
    if problems:
        worst = problems[0]
        return _finish(pile, sample, bases, _alone(worst), worst.findings, state=worst.problem)
    combined = combine(usable, pile.site)
    findings = (
        *pile.findings,
        *combined.findings,
        *(note for reading in usable for note in reading.findings),
    )
    if not combined.conflict and _contradicted(combined, blocks, pile.site):
        combined = replace(combined, conflict=True)
    if missing and Other.DELETED not in combined.shown:
        combined = replace(combined, shown=_without_deleted(combined.shown, missing, pile.site), phase=None)
        findings = (*findings, _spanning(pile.site))
    return _finish(pile, sample, bases, combined, findings)


def _alone(reading: Reading) -> Combined:
    return Combined(primary=reading, shown=reading.shown, phase=reading.phase, own_evidence=True)


def _contradicted(combined: Combined, blocks: Sequence[Reading], site: Site) -> bool:
    """Say whether a block with coverage calls reference what a record of its own calls a variant."""
    letters_shown = set(combined.shown)
    return letters_shown != {site.ref} and any(
        block.problem is None and block.evidence is not None for block in blocks
    )


def _without_deleted(shown: tuple[Letter | None, ...], missing: int, site: Site) -> tuple[Letter | None, ...]:
    """Return what is left of a genotype when the base is missing on one or both chromosomes.

    A caller that writes the deletion on a line of its own writes 0 for that chromosome here.
    """
    if missing == 2 or len(shown) != 2:
        return (Other.DELETED, Other.DELETED)
    alternates = [letter for letter in shown if letter != site.ref]
    return (alternates[0] if alternates else shown[0], Other.DELETED)


def _from_blocks(pile: SitePile, sample: int, blocks: Sequence[Reading]) -> Observation:
    problems = [block for block in blocks if block.problem is not None]
    if problems and len(problems) < len(blocks):
        conflict = Combined(primary=blocks[0], shown=(), phase=None, own_evidence=False, conflict=True)
        return _finish(pile, sample, blocks, conflict, ())
    if problems:
        return _finish(
            pile, sample, blocks, _alone(problems[0]), problems[0].findings, state=problems[0].problem
        )
    if pile.site.ref is None and not blocks[0].spelled:
        unknown = Finding(code="reference-base-unknown", values={"rsid": pile.site.rsid})
        return _finish(pile, sample, blocks, _alone(blocks[0]), (unknown,), state=SiteState.UNSUPPORTED)
    combined = combine(blocks, pile.site)
    return _finish(pile, sample, blocks, combined, blocks[0].findings, called=SiteState.REFERENCE_BLOCK)


def _finish(
    pile: SitePile,
    sample: int,
    readings: Sequence[Reading],
    combined: Combined,
    findings: Sequence[Finding],
    *,
    state: SiteState | None = None,
    called: SiteState = SiteState.CALLED,
) -> Observation:
    """Turn what the records say together into an observation; `state` is given where it is already known."""
    site, primary = pile.site, combined.primary
    if state is None:
        state, more = _judge(combined, site, called)
        findings = (*findings, *more)
    if state in _STATE_FLAGS:
        findings = (*findings, Finding(code=_STATE_FLAGS[state], values={"rsid": site.rsid}))
    alleles = _ordered(combined, site) if state is called else None
    seen = (
        tuple(letter for letter in combined.shown if letter in letters())
        if alleles is None and state is SiteState.PARTIAL_CALL
        else alleles or ()
    )
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
        filter=primary.filter or ("PASS" if "\tPASS\t" in primary.record.fixed else None),
        phase_set=phase_set(primary.fields),
        record="\n".join(reading.record.line(sample) for reading in readings),
        findings=tuple(findings),
    )


def _judge(combined: Combined, site: Site, called: SiteState) -> tuple[SiteState, tuple[Finding, ...]]:
    """Return the state that a genotype leads to, with what makes it so."""
    shown = combined.shown
    if combined.conflict:
        return SiteState.CONFLICTING, ()
    if not shown or all(letter is None for letter in shown):
        return called, ()  # likelihoods without a genotype; without either it was a no-call before
    strange = [letter for letter in shown if letter is not None and letter not in (*letters(), Other.DELETED)]
    if strange:
        return SiteState.UNSUPPORTED, (
            Finding(code="unexpected-allele", values={"rsid": site.rsid, "expected": "/".join(site.letters)}),
        )
    if Other.DELETED in shown:
        known = any(letter in letters() for letter in shown)
        state = SiteState.PARTIAL_CALL if known else SiteState.UNSUPPORTED
        return state, (_spanning(site),)
    if None in shown:
        return SiteState.PARTIAL_CALL, ()
    return called, ()


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
        return GenotypeEvidence(kind=EvidenceKind.PARTIAL, seen=str(seen[0]))
    if state is not called:
        return None
    if combined.own_evidence:
        return combined.primary.evidence
    copies = sum(letter == letters()[1] for letter in combined.shown)
    return GenotypeEvidence(kind=EvidenceKind.GT, copies=copies)
