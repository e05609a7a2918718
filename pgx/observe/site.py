"""Records in, one observation a site out: which records speak for a site, and what they say together."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec.structs import replace

from pgx.genome import AssemblyEvidence, AssemblyEvidenceKind, Site, assemblies, definitions, sites_on
from pgx.observe import Finding, Observation, ReadContext, SiteRecord, SiteRecords, SiteState, site_finding
from pgx.observe import alleles as spelling
from pgx.observe.alleles import Other, covers_with_bases, letters_of
from pgx.observe.combine import (
    Combined,
    View,
    alone,
    blank,
    combine,
    conflicting,
    observation,
    shows_other,
    without_record,
)
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
    """Return why the reference base of a record forbids to read it.

    The other letter of the site may stand in REF only where REF and ALT are exchanged. Alone it is what
    a record of another assembly looks like.
    """
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

    Records do where one stands on a site of the assembly, carries the rsID of that site and has a letter of
    it as REF; or where both sites have a record with both letters as REF and ALT. Both letters at one site
    alone are no evidence: such a variant stands somewhere by chance.
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
    """Return what an input is: "vcf", "bcf", "gvcf" or "copy-number".

    It is a file of copy numbers or ploidy where nothing at the sites is a variant or a reference block, and
    segments lie there or their fields are declared, but none of a caller of small variants. `container`:
    "VCF" or "BCF"; `fields`: IDs that the header declares for FORMAT.
    """
    found = list(sites)
    if any(at.blocks for at in found):
        return "gvcf"
    is_segmented = any(at.segments for at in found) or spelling.SEGMENT_FIELDS.intersection(fields)
    if is_segmented and not SMALL_VARIANTS.intersection(fields) and not any(at.bases for at in found):
        return "copy-number"
    return container.lower()


def observe(sites: Sequence[SiteRecords], sample: int, context: ReadContext) -> tuple[Observation, ...]:
    """Observe one sample (its 0-based column) at every site.

    An rsID that sits elsewhere puts all coordinates of the input in doubt: then no site is used.
    """
    doubted = [at.site.rsid for at in sites if at.misplaced]
    return tuple(_observe_site(View(at, sample, context), doubted) for at in sites)


def _observe_site(view: View, doubted: Sequence[str]) -> Observation:
    at, site, sample, context = view.at, view.at.site, view.sample, view.context
    if doubted:
        found = ", ".join([f"{record.contig}:{record.position}" for record in at.misplaced] or doubted)
        values = {"rsid": site.rsid, "found": found, "position": str(site.position)}
        doubt = Finding(code="rsid-mismatch", values=values, critical=True)
        return blank(view, SiteState.UNSUPPORTED, [doubt], (*at.misplaced, *at.bases, *at.blocks))
    if at.faults:
        return blank(view, SiteState.UNSUPPORTED, at.faults, (*at.bases, *at.blocks))
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
        return observation(view, bases, _from_bases(at, bases, blocks, min(2, missing)))
    if missing:
        return blank(view, SiteState.UNSUPPORTED, [site_finding("spanning-deletion", site)], at.lengths)
    return observation(view, blocks, _from_blocks(view, blocks)) if blocks else without_record(view, empty)


def _length(record: SiteRecord, sample: int) -> int | None:
    """Return FORMAT/LEN of VCF 4.5, the bases of a block from POS on, or None."""
    text = record.fields(sample).get("LEN", "") if "LEN" in record.format else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else None


def _spans(record: SiteRecord, sample: int, site: Site) -> bool:
    if (length := _length(record, sample)) is not None:
        return site.position < record.position + length
    return "LEN" not in record.format or "END" in record.info or covers_with_bases(record, site.position)


def _from_bases(
    at: SiteRecords, bases: Sequence[Reading], blocks: Sequence[Reading], missing: int
) -> Combined:
    """Decide from the records that spell the base; blocks can only contradict them."""
    usable = [reading for reading in bases if reading.problem is not SiteState.FILTERED] or list(bases)
    dropped = [reading for reading in bases if reading not in usable and shows_other(reading, usable)]
    problems = [reading for reading in usable if reading.problem is not None]
    no_call = SiteState.NO_CALL in [reading.problem for reading in problems]
    if no_call and not dropped and len(problems) < len(usable):
        return conflicting(usable[0])
    if dropped or problems:
        return alone(first := (*dropped, *problems)[0], first.findings, first.problem)
    combined = combine(usable, at.site)
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


def _from_blocks(view: View, blocks: Sequence[Reading]) -> Combined:
    problems = [block for block in blocks if block.problem is not None]
    if problems and len(problems) < len(blocks):
        return conflicting(blocks[0])
    if problems:
        return alone(problems[0], problems[0].findings, problems[0].problem)
    findings = tuple(note for block in blocks for note in block.findings)
    if _are_doubtful(blocks, view):
        untrusted = site_finding("untrusted-block", view.at.site)
        return alone(blocks[0], (*findings, untrusted), SiteState.UNSUPPORTED)
    combined = combine(blocks, view.at.site)
    return replace(combined, called=SiteState.REFERENCE_BLOCK, findings=findings)


def _are_doubtful(blocks: Sequence[Reading], view: View) -> bool:
    """Return whether blocks cannot have the ends that they state.

    Blocks of one sample do not overlap, and none is as long as those whose end was not lifted over with
    their start: such a block is a little longer than the region has moved between two assemblies.
    """
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
