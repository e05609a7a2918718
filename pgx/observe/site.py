"""Records in, one observation a site out: which records speak for a site, and what they say together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pgx.genome import AssemblyEvidence, AssemblyEvidenceKind, Site, assemblies, definitions, sites_on
from pgx.observe import (
    MISSING,
    EvidenceKind,
    Finding,
    GenotypeEvidence,
    Observation,
    Phase,
    ReadContext,
    SiteRecord,
    SiteRecords,
    SiteState,
    site_finding,
)
from pgx.observe import alleles as spelling
from pgx.observe.alleles import Other, Shown, covers_with_bases, letters_of, variant_keys
from pgx.observe.fields import numbers
from pgx.observe.sample_record import Reading, read
from pgx.reference import threshold

#: FORMAT fields of callers of small variants, and of no caller of copy numbers.
SMALL_VARIANTS = frozenset({"AD", "PL", "LPL", "GP", "RO", "MIN_DP"})


def records_at(records: Iterable[SiteRecord], site: Site, contigs: Collection[str]) -> SiteRecords:
    """Sort the records of an input for one site; `contigs` are the names of its chromosome."""
    kinds = ("bases", "blocks", "lengths", "segments", "misplaced")
    found: dict[str, list[SiteRecord]] = {kind: [] for kind in kinds}
    for record in records:
        if record.contig not in contigs or not record.position <= site.position <= record.end:
            if _has_id(record, site.rsid):
                found["misplaced"].append(record)
        elif spelling.is_block(record):
            found["segments" if spelling.is_segment(record) else "blocks"].append(record)
        else:
            spells = covers_with_bases(record, site.position)
            on_base = spells and spelling.is_base_change(record, site.position)
            found["bases" if on_base else "lengths"].append(record)
    blocks = [record for record in found["blocks"] if covers_with_bases(record, site.position)]
    return SiteRecords(
        site=site,
        **{kind: tuple(some) for kind, some in found.items()},
        faults=tuple(fault for record in (*found["bases"], *blocks) if (fault := _fault(record, site))),
        findings=tuple(note for record in found["bases"] for note in _remarks(record, site)),
    )


def _has_id(record: SiteRecord, rsid: str) -> bool:
    return any(identifier.lower() == rsid for identifier in record.identifiers)


def _fault(record: SiteRecord, site: Site) -> Finding | None:
    """Return why the reference base of a record forbids to read it."""
    # The other letter may stand in REF only where REF and ALT are exchanged, else it is of another assembly.
    spelled = letters_of(record, site.position)
    named = {letter for letter in spelled if isinstance(letter, str)}
    if spelled[0] in site.letters and (site.ref is None or site.ref in named):
        return None
    code = "reverse-strand" if named == {"A", "G"} else "reference-mismatch"
    return site_finding(code, site, found=str(spelled[0]), expected=site.ref or "/".join(site.letters))


def _remarks(record: SiteRecord, site: Site) -> Iterator[Finding]:
    if site.ref is not None and letters_of(record, site.position)[0] == site.alt:
        yield site_finding("swapped-alleles", site, expected=site.ref)
    names = ", ".join(name for name in record.identifiers if name.lower().startswith("rs"))
    if names and not _has_id(record, site.rsid):
        yield Finding(code="rsid-mismatch", values={"rsid": site.rsid, "found": names}, critical=False)


def record_evidence(records: Sequence[SiteRecord], contigs: Collection[str]) -> tuple[AssemblyEvidence, ...]:
    """Return which assemblies the records speak for, one piece of evidence each at most.

    One with the rsID and a letter as REF on a site does; or one on each of both sites with both letters as
    REF and ALT. Both letters at one site alone are no evidence: such a variant stands somewhere by chance.
    """
    found = []
    for assembly in assemblies():
        spelled = [
            (site, record, letters_of(record, site.position))
            for site in sites_on(assembly)
            for record in records
            if record.contig in contigs and covers_with_bases(record, site.position)
        ]
        fitting = [item for item in spelled if item[2][0] in item[0].letters]
        named = [(site, record) for site, record, _ in fitting if _has_id(record, site.rsid)]
        both = {site: record for site, record, shown in reversed(fitting) if set(site.letters) <= set(shown)}
        if named:
            site, record = named[0]
            kind, text, shown = AssemblyEvidenceKind.RECORDS, f"{site.rsid} stands at", [record]
        elif len(both) == len(sites_on(assembly)):
            kind, text = AssemblyEvidenceKind.RECORD_LETTERS, "both sites have their letters, at"
            shown = [both[site] for site in sites_on(assembly)]
        else:
            continue
        where = " and ".join(f"{record.contig}:{record.position}" for record in shown)
        found.append(AssemblyEvidence(kind=kind, assembly=assembly.name, detail=f"{text} {where}"))
    return tuple(found)


def input_kind(container: str, fields: Collection[str], sites: Iterable[SiteRecords]) -> str:
    """Return "vcf", "bcf", "gvcf" or "copy-number"; `fields`: IDs that the header declares for FORMAT.

    It is a file of copy numbers or ploidy where nothing at the sites is a variant or a reference block, and
    segments lie there or their fields are declared, but none of a caller of small variants.
    """
    found = list(sites)
    if any(at.blocks for at in found):
        return "gvcf"
    is_segmented = any(at.segments for at in found) or spelling.SEGMENT_FIELDS.intersection(fields)
    if is_segmented and not SMALL_VARIANTS.intersection(fields) and not any(at.bases for at in found):
        return "copy-number"
    return container.lower()


def observe(sites: Sequence[SiteRecords], sample: int, context: ReadContext) -> tuple[Observation, ...]:
    """Observe one sample (its 0-based column) at every site."""
    # An rsID that sits elsewhere puts all coordinates of the input in doubt: then no site is used.
    doubted = [at.site.rsid for at in sites if at.misplaced]
    return tuple(_observe_site(_View(at, sample, context), doubted) for at in sites)


def _observe_site(view: _View, doubted: Sequence[str]) -> Observation:
    at, site, sample, context = view.at, view.at.site, view.sample, view.context
    if doubted:
        found = ", ".join([f"{record.contig}:{record.position}" for record in at.misplaced] or doubted)
        values = {"rsid": site.rsid, "found": found, "position": str(site.position)}
        doubt = Finding(code="rsid-mismatch", values=values, critical=True)
        return _blank(view, SiteState.UNSUPPORTED, [doubt], (*at.misplaced, *at.bases, *at.blocks))
    if at.faults:
        return _blank(view, SiteState.UNSUPPORTED, at.faults, (*at.bases, *at.blocks))
    bases = [read(record, sample, site, context, block=False) for record in at.bases]
    spanning = [record for record in at.blocks if _spans(record, sample, site)]
    blocks = [read(record, sample, site, context, block=True) for record in spanning]
    empty = [reading.record for reading in (*bases, *blocks) if reading.problem is SiteState.ABSENT]
    bases, blocks = ([it for it in some if it.problem is not SiteState.ABSENT] for some in (bases, blocks))
    missing = 0  # chromosomes (0, 1 or 2) of which other records say that the base is deleted
    for record in at.lengths:
        deletes = any(spelling.is_deleted(allele) for allele in record.alternates)
        if deletes or covers_with_bases(record, site.position):
            reading = read(record, sample, site, context, block=False)
            missing = max(missing, reading.shown.count(Other.DELETED) if reading.filter is None else 0)
    if bases:
        return _observation(view, bases, _from_bases(at, bases, blocks, min(2, missing)))
    if missing:
        return _blank(view, SiteState.UNSUPPORTED, [site_finding("spanning-deletion", site)], at.lengths)
    return _observation(view, blocks, _from_blocks(view, blocks)) if blocks else _without_record(view, empty)


def _length(record: SiteRecord, sample: int) -> int | None:
    # FORMAT/LEN of VCF 4.5: the bases of a block from POS on
    text = record.fields(sample).get("LEN", "") if "LEN" in record.format else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else None


def _spans(record: SiteRecord, sample: int, site: Site) -> bool:
    if (length := _length(record, sample)) is not None:
        return site.position < record.position + length
    return "LEN" not in record.format or "END" in record.info or covers_with_bases(record, site.position)


def _from_bases(
    at: SiteRecords, bases: Sequence[Reading], blocks: Sequence[Reading], missing: int
) -> _Combined:
    """Decide from the records that spell the base; blocks can only contradict them."""
    usable = [reading for reading in bases if reading.problem is not SiteState.FILTERED] or list(bases)
    dropped = [reading for reading in bases if reading not in usable and _shows_other(reading, usable)]
    problems = [reading for reading in usable if reading.problem is not None]
    no_call = SiteState.NO_CALL in [reading.problem for reading in problems]
    if no_call and not dropped and len(problems) < len(usable):
        return _conflicting(usable[0])
    if dropped or problems:
        return _alone(first := (*dropped, *problems)[0], first.findings, first.problem)
    combined = _combine(usable, at.site)
    notes = [note for reading in usable for note in reading.findings]
    covered = [block for block in blocks if block.problem is None and block.evidence is not None]
    if any(set(block.shown) != set(combined.shown) for block in covered):
        combined = replace(combined, state=SiteState.CONFLICTING)
    if missing and combined.state is None and Other.DELETED not in combined.shown:
        # A caller that writes the deletion on a line of its own writes 0 for that chromosome here.
        shown = combined.shown
        alternates = [letter for letter in shown if letter != at.site.ref]
        left = Other.DELETED if missing == 2 or len(shown) != 2 else (*alternates, *shown)[0]
        combined = replace(combined, shown=(left, Other.DELETED), phase=None)
    return replace(combined, findings=(*at.findings, *combined.findings, *notes))


def _from_blocks(view: _View, blocks: Sequence[Reading]) -> _Combined:
    problems = [block for block in blocks if block.problem is not None]
    if problems and len(problems) < len(blocks):
        return _conflicting(blocks[0])
    if problems:
        return _alone(problems[0], problems[0].findings, problems[0].problem)
    findings = tuple(note for block in blocks for note in block.findings)
    if _are_doubtful(blocks, view):
        untrusted = site_finding("untrusted-block", view.at.site)
        return _alone(blocks[0], (*findings, untrusted), SiteState.UNSUPPORTED)
    combined = _combine(blocks, view.at.site)
    return replace(combined, called=SiteState.REFERENCE_BLOCK, findings=findings)


def _are_doubtful(blocks: Sequence[Reading], view: _View) -> bool:
    # Blocks of one sample do not overlap, and none is as long as those whose end was not lifted over with
    # their start: such a block is a little longer than the region has moved between two assemblies.
    spans = set()
    for record in (block.record for block in blocks):
        length = _length(record, view.sample)
        spans.add((record.position, record.end if length is None else record.position + length - 1))
    (start, end), *others = spans
    longest = threshold("longest_lifted_block" if view.context.is_lifted else "longest_block")
    pairs = itertools.combinations(definitions()[0].positions.values(), 2)
    beyond = (end - start - abs(one - other) for one, other in pairs)
    rest = threshold("lifted_block_rest")
    return bool(others) or end - start >= longest or any(0 <= more < rest for more in beyond)


#: Flags that the state alone decides on.
_STATE_FLAGS = {
    SiteState.ABSENT: "absent-site",
    SiteState.ASSUMED_REFERENCE: "assumed-reference",
    SiteState.CALLABLE_REGION: "callable-region",
    SiteState.NO_CALL: "no-call",
    SiteState.PARTIAL_CALL: "partial-call",
    SiteState.LOW_QUALITY: "low-quality",
    SiteState.CONFLICTING: "conflicting-records",
}


class _Combined(Struct, frozen=True):
    """What the records of a site say together."""

    primary: Reading  # its quality, depth and evidence stand for the site
    shown: Shown = ()  # two letters, None for one that was not called; empty without a genotype
    phase: Phase | None = None
    own_evidence: bool = True  # whether the evidence of `primary` is about exactly these letters
    state: SiteState | None = None  # where it does not depend on the letters
    called: SiteState = SiteState.CALLED  # the state where the letters may be used
    findings: tuple[Finding, ...] = ()


class _View(Struct, frozen=True):
    """The records at a site, and the sample (its 0-based column) of which they are read."""

    at: SiteRecords
    sample: int
    context: ReadContext


def _alone(reading: Reading, findings: tuple[Finding, ...] = (), state: SiteState | None = None) -> _Combined:
    return _Combined(reading, reading.shown, reading.phase, state=state, findings=findings)


def _conflicting(primary: Reading) -> _Combined:
    return _Combined(primary, state=SiteState.CONFLICTING)


def _combine(readings: Sequence[Reading], site: Site) -> _Combined:
    """Join the readings of all records that spell the site; there is at least one, none has a problem."""
    distinct: list[Reading] = []
    for reading in readings:
        twin = next((kept for kept in distinct if _same_variant(kept, reading)), None)
        if twin is None:
            distinct.append(reading)
        elif twin.phase and reading.phase and twin.phase.phase_set == reading.phase.phase_set:
            if twin.shown != reading.shown:
                return _conflicting(readings[0])
        elif sorted(map(str, twin.shown)) != sorted(map(str, reading.shown)):
            return _conflicting(readings[0])
    findings = (site_finding("duplicate-records", site),) if len(distinct) < len(readings) else ()
    if len(distinct) > 1:
        return _merge_split(distinct, site, findings)
    # Of repeated records that agree, the more doubtful one counts.
    return _alone(min(readings, key=lambda it: math.inf if it.quality is None else it.quality), findings)


def _same_variant(one: Reading, other: Reading) -> bool:
    """Return whether two records describe the same variant, or one says "reference" without naming an ALT."""
    if any(all(name.startswith("<") for name in item.record.alternates) for item in (one, other)):
        return True
    return bool(variant_keys(one.record) & variant_keys(other.record))


def _shows_other(reading: Reading, others: Sequence[Reading]) -> bool:
    """Return whether a record shows an ALT that none of the others is about: they only say "not mine"."""
    has_alternate = any(letter not in (None, reading.spelled[0]) for letter in reading.shown)
    return has_alternate and not any(_same_variant(reading, other) for other in others)


def _merge_split(readings: Sequence[Reading], site: Site, findings: tuple[Finding, ...]) -> _Combined:
    """Join the lines of a split multi-allelic site, where 0 means "not this ALT"."""
    if not all(reading.shown for reading in readings):
        return _conflicting(readings[0])  # without a genotype on each line nothing can be summed
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
            return _conflicting(readings[0])
        shown += [*alternates, *([None if None in group else reference] * (size - len(alternates)))]
    primary = next((it for it in readings if set(site.counted) <= set(it.spelled)), readings[0])
    own = sorted(map(str, primary.shown)) == sorted(map(str, shown))
    return _Combined(primary, tuple(shown), phase, own, findings=findings)


def _blank(
    view: _View, state: SiteState, findings: Sequence[Finding], records: Sequence[SiteRecord]
) -> Observation:
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


def _without_record(view: _View, empty: Sequence[SiteRecord]) -> Observation:
    # Reference at the user's word; where the base of the assembly is not known nobody can say it is there.
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
    base = _blank(view, state, findings, (*empty, *segments))
    seen = alleles[:1] if alleles else ()
    return replace(base, contig=context.contig, alleles=alleles, seen=seen, depth=depth, evidence=evidence)


def _observation(view: _View, readings: Sequence[Reading], combined: _Combined) -> Observation:
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
        phase_set=None if phase_set in {"", MISSING} else phase_set,
        record="\n".join(reading.record.line(view.sample) for reading in readings),
        findings=findings,
    )


def _judge(combined: _Combined, site: Site) -> tuple[SiteState, tuple[Finding, ...]]:
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
    combined: _Combined, site: Site, state: SiteState, seen: Sequence[object]
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
