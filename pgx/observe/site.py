"""Records in, one observation a site out: which records speak for a site, and what they say together."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from pgx.genome import Assembly, AssemblyEvidence, AssemblyEvidenceKind, Site, assemblies, sites_on
from pgx.observe.alleles import (
    SEGMENT_FIELDS,
    Letter,
    Other,
    covers_with_bases,
    is_base_change,
    is_block,
    is_deleted,
    is_segment,
    letters_of,
)
from pgx.observe.combine import (
    Combined,
    blank,
    combine,
    deleted_copies,
    observation,
    shows_other,
    spanning,
    without_record,
)
from pgx.observe.model import Finding, Observation, ReadContext, SiteRecord, SiteRecords, SiteState
from pgx.observe.sample_record import Reading, read
from pgx.reference import threshold

#: A record on the other strand spells exactly these two letters.
_REVERSE_STRAND = frozenset("AG")
_LENGTH_DIGITS = 12
#: FORMAT fields of callers of small variants, and of no caller of copy numbers.
_SMALL_VARIANTS = frozenset({"AD", "PL", "LPL", "GP", "RO", "MIN_DP"})


def records_at(records: Iterable[SiteRecord], site: Site, contigs: Collection[str]) -> SiteRecords:
    """Sort the records of an input for one site; `contigs` are the names of its chromosome."""
    bases: list[SiteRecord] = []
    blocks: list[SiteRecord] = []
    lengths: list[SiteRecord] = []
    segments: list[SiteRecord] = []
    misplaced: list[SiteRecord] = []
    for record in records:
        if record.contig not in contigs or not record.position <= site.position <= record.end:
            if _has_id(record, site.rsid):
                misplaced.append(record)
        elif is_block(record):
            (segments if is_segment(record) else blocks).append(record)
        elif covers_with_bases(record, site.position) and is_base_change(record, site.position):
            bases.append(record)
        else:
            lengths.append(record)
    readable = [*bases, *(record for record in blocks if covers_with_bases(record, site.position))]
    return SiteRecords(
        site=site,
        bases=tuple(bases),
        blocks=tuple(blocks),
        lengths=tuple(lengths),
        segments=tuple(segments),
        misplaced=tuple(misplaced),
        faults=tuple(fault for record in readable if (fault := _fault(record, site))),
        findings=tuple(note for record in bases for note in _remarks(record, site)),
    )


def _has_id(record: SiteRecord, rsid: str) -> bool:
    return rsid.lower() in {identifier.lower() for identifier in record.identifiers}


def _fault(record: SiteRecord, site: Site) -> Finding | None:
    """Return why the reference base of a record forbids to read it.

    The other letter of the site may stand in REF only where REF and ALT are exchanged. Alone it is what
    a record of another assembly looks like.
    """
    spelled = letters_of(record, site.position)
    reference = spelled[0]
    named = {letter for letter in spelled if isinstance(letter, str)}
    if reference in site.letters and (site.ref is None or site.ref in named):
        return None
    code = "reverse-strand" if named == _REVERSE_STRAND else "reference-mismatch"
    expected = site.ref or "/".join(site.letters)
    return Finding(code=code, values={"rsid": site.rsid, "found": str(reference), "expected": expected})


def _remarks(record: SiteRecord, site: Site) -> Iterable[Finding]:
    if site.ref is not None and letters_of(record, site.position)[0] == site.alt:
        yield Finding(code="swapped-alleles", values={"rsid": site.rsid, "expected": site.ref})
    others = [
        name for name in record.identifiers if name.lower().startswith("rs") and name.lower() != site.rsid
    ]
    if others and not _has_id(record, site.rsid):
        yield Finding(
            code="rsid-mismatch", values={"rsid": site.rsid, "found": ", ".join(others)}, critical=False
        )


def record_evidence(records: Sequence[SiteRecord], contigs: Collection[str]) -> tuple[AssemblyEvidence, ...]:
    """Return which assemblies the records speak for, one piece of evidence each at most.

    Records do where one stands on a site of the assembly, carries the rsID of that site and has a letter of
    it as REF; or where both sites have a record with both letters as REF and ALT. Both letters at one site
    alone are no evidence: such a variant stands somewhere by chance.
    """
    found = []
    for assembly in assemblies():
        sites = sites_on(assembly)
        named = [(site, record) for site in sites for record in records if _stands_at(record, site, contigs)]
        spelled = [[r for r in records if _has_both_letters(r, site, contigs)] for site in sites]
        if named:
            site, record = named[0]
            found.append(
                _evidence(AssemblyEvidenceKind.RECORDS, assembly, f"{site.rsid} stands at", [record])
            )
        elif all(spelled):
            text = "both sites have their letters, at"
            found.append(
                _evidence(AssemblyEvidenceKind.RECORD_LETTERS, assembly, text, [s[0] for s in spelled])
            )
    return tuple(found)


def _evidence(
    kind: AssemblyEvidenceKind, assembly: Assembly, text: str, records: Sequence[SiteRecord]
) -> AssemblyEvidence:
    where = " and ".join(f"{record.contig}:{record.position}" for record in records)
    return AssemblyEvidence(kind=kind, assembly=assembly.name, detail=f"{text} {where}")


def _stands_at(record: SiteRecord, site: Site, contigs: Collection[str]) -> bool:
    """Return whether a record carries the rsID of the site, covers it, and has a letter of it as REF."""
    if record.contig not in contigs or not covers_with_bases(record, site.position):
        return False
    return _has_id(record, site.rsid) and letters_of(record, site.position)[0] in site.letters


def _has_both_letters(record: SiteRecord, site: Site, contigs: Collection[str]) -> bool:
    if record.contig not in contigs or not covers_with_bases(record, site.position):
        return False
    spelled = letters_of(record, site.position)
    return spelled[0] in site.letters and set(site.letters) <= set(spelled)


def input_kind(container: str, fields: Collection[str], sites: Iterable[SiteRecords]) -> str:
    """Return what an input is: "vcf", "bcf", "gvcf" or "copy-number".

    It is a file of copy numbers or ploidy where nothing at the sites is a variant or a reference block, and
    segments lie there or their fields are declared, but none of a caller of small variants.

    Parameters
    ----------
    container
        "VCF" or "BCF".
    fields
        IDs that the header declares for FORMAT.
    """
    found = list(sites)
    if any(at.blocks for at in found):
        return "gvcf"
    is_segmented = any(at.segments for at in found) or SEGMENT_FIELDS.intersection(fields)
    if is_segmented and not _SMALL_VARIANTS.intersection(fields) and not any(at.bases for at in found):
        return "copy-number"
    return container.lower()


def observe(sites: Sequence[SiteRecords], sample: int, context: ReadContext) -> tuple[Observation, ...]:
    """Observe one sample (its 0-based column) at every site.

    An rsID that sits elsewhere puts all coordinates of the input in doubt: then no site is used.
    """
    doubted = [at.site.rsid for at in sites if at.misplaced]
    return tuple(_observe_site(at, sample, context, doubted) for at in sites)


def _observe_site(at: SiteRecords, sample: int, context: ReadContext, doubted: Sequence[str]) -> Observation:
    if doubted:
        return _doubted(at, sample, context, doubted)
    if at.faults:
        return blank(at, sample, context, SiteState.UNSUPPORTED, at.faults)
    bases = [_read(record, sample, at.site, context, block=False) for record in at.bases]
    spanning_blocks = [record for record in at.blocks if _spans(record, sample, at.site)]
    blocks = [_read(record, sample, at.site, context, block=True) for record in spanning_blocks]
    empty = [reading for reading in (*bases, *blocks) if reading.problem is SiteState.ABSENT]
    bases = [reading for reading in bases if reading not in empty]
    blocks = [reading for reading in blocks if reading not in empty]
    missing = _missing_copies(at, sample, context)
    if bases:
        return _from_bases(at, sample, bases, blocks, missing)
    if missing:
        return blank(at, sample, context, SiteState.UNSUPPORTED, (spanning(at.site),), records=at.lengths)
    if blocks:
        return _from_blocks(at, sample, blocks, context)
    return _without_record(at, sample, context, [reading.record for reading in empty])


def _without_record(
    at: SiteRecords, sample: int, context: ReadContext, empty: Sequence[SiteRecord]
) -> Observation:
    """Return what a site is of which no record says anything, with the records (`empty`) that seem to."""
    values = {"rsid": at.site.rsid}
    findings = [Finding(code="stated-absence", values=values)] if empty else []
    findings += [Finding(code="copy-number-file", values=values)] if at.segments else []
    seen = without_record(at.site, context)
    shown = [record.line(sample) for record in (*empty, *at.segments)]
    return replace(seen, findings=(*seen.findings, *findings), record="\n".join(shown) or None)


def _read(record: SiteRecord, sample: int, site: Site, context: ReadContext, *, block: bool) -> Reading:
    return read(record, sample, site, context, block=block)


def _missing_copies(at: SiteRecords, sample: int, context: ReadContext) -> int:
    """Return on how many chromosomes other records say that the base is deleted."""
    spelled = [record for record in at.lengths if _can_be_followed(record, at.site)]
    lengths = [_read(record, sample, at.site, context, block=False) for record in spelled]
    return deleted_copies([reading for reading in lengths if reading.filter is None])


def _can_be_followed(record: SiteRecord, site: Site) -> bool:
    """Return whether the alleles of a length record can be followed to the site."""
    return covers_with_bases(record, site.position) or any(is_deleted(allele) for allele in record.alternates)


def _spans(record: SiteRecord, sample: int, site: Site) -> bool:
    """Return whether a block reaches the site for this sample (FORMAT/LEN of VCF 4.5 counts from POS)."""
    if "LEN" not in record.format:
        return True
    length = record.fields(sample).get("LEN", "")
    if _is_length(length):
        return site.position < record.position + int(length)
    return "END" in record.info or covers_with_bases(record, site.position)


def _doubted(at: SiteRecords, sample: int, context: ReadContext, doubted: Sequence[str]) -> Observation:
    where = [f"{record.contig}:{record.position}" for record in at.misplaced]
    values = {
        "rsid": at.site.rsid,
        "found": ", ".join(where) or ", ".join(doubted),
        "position": str(at.site.position),
    }
    finding = Finding(code="rsid-mismatch", values=values, critical=True)
    records = (*at.misplaced, *at.bases, *at.blocks)
    return blank(at, sample, context, SiteState.UNSUPPORTED, (finding,), records=records)


def _from_bases(
    at: SiteRecords, sample: int, bases: Sequence[Reading], blocks: Sequence[Reading], missing: int
) -> Observation:
    """Decide from the records that spell the base; blocks can only contradict them."""
    usable = [reading for reading in bases if reading.problem is not SiteState.FILTERED] or list(bases)
    dropped = [reading for reading in bases if reading not in usable and shows_other(reading, usable)]
    if dropped:
        return observation(
            at, sample, bases, _alone(dropped[0]), dropped[0].findings, state=SiteState.FILTERED
        )
    problems = [reading for reading in usable if reading.problem is not None]
    no_calls = [reading for reading in problems if reading.problem is SiteState.NO_CALL]
    if no_calls and len(problems) < len(usable):
        return observation(at, sample, bases, _conflict(usable[0]), ())
    if problems:
        worst = problems[0]
        return observation(at, sample, bases, _alone(worst), worst.findings, state=worst.problem)
    combined = combine(usable, at.site)
    findings = (
        *at.findings,
        *combined.findings,
        *(note for reading in usable for note in reading.findings),
    )
    if any(_contradicts(block, combined) for block in blocks):
        combined = replace(combined, conflict=True)
    if missing and not combined.conflict and Other.DELETED not in combined.shown:
        combined = replace(combined, shown=_without_deleted(combined.shown, missing, at.site), phase=None)
    return observation(at, sample, bases, combined, findings)


def _alone(reading: Reading) -> Combined:
    return Combined(primary=reading, shown=reading.shown, phase=reading.phase, own_evidence=True)


def _conflict(primary: Reading) -> Combined:
    return Combined(primary=primary, shown=(), phase=None, own_evidence=False, conflict=True)


def _contradicts(block: Reading, combined: Combined) -> bool:
    """Return whether a block with coverage shows other letters than a record of its own at the site."""
    known = block.problem is None and block.evidence is not None
    return known and set(block.shown) != set(combined.shown)


def _without_deleted(shown: tuple[Letter | None, ...], missing: int, site: Site) -> tuple[Letter | None, ...]:
    """Return what is left of a genotype when the base is missing on one or both chromosomes.

    A caller that writes the deletion on a line of its own writes 0 for that chromosome here.
    """
    if missing == 2 or len(shown) != 2:
        return (Other.DELETED, Other.DELETED)
    alternates = [letter for letter in shown if letter != site.ref]
    return (alternates[0] if alternates else shown[0], Other.DELETED)


def _from_blocks(
    at: SiteRecords, sample: int, blocks: Sequence[Reading], context: ReadContext
) -> Observation:
    problems = [block for block in blocks if block.problem is not None]
    if problems and len(problems) < len(blocks):
        return observation(at, sample, blocks, _conflict(blocks[0]), ())
    if problems:
        first = problems[0]
        return observation(at, sample, blocks, _alone(first), first.findings, state=first.problem)
    findings = tuple(note for block in blocks for note in block.findings)
    if _are_doubtful(blocks, sample, context):
        doubt = Finding(code="untrusted-block", values={"rsid": at.site.rsid})
        return observation(
            at, sample, blocks, _alone(blocks[0]), (*findings, doubt), state=SiteState.UNSUPPORTED
        )
    combined = combine(blocks, at.site)
    return observation(at, sample, blocks, combined, findings, called=SiteState.REFERENCE_BLOCK)


def _are_doubtful(blocks: Sequence[Reading], sample: int, context: ReadContext) -> bool:
    """Return whether blocks cannot have the ends that they state.

    Blocks of one sample do not overlap, and none is as long as those whose end was not lifted over with
    their start: such a block is a little longer than the region has moved between two assemblies.
    """
    spans = {(block.record.position, _end_of(block.record, sample)) for block in blocks}
    longest = threshold("longest_lifted_block" if context.is_lifted else "longest_block")
    rest = threshold("lifted_block_rest")
    return len(spans) > 1 or any(
        end - start >= longest or any(0 <= end - start - shift < rest for shift in _shifts())
        for start, end in spans
    )


@functools.cache
def _shifts() -> frozenset[int]:
    """Return by how many bases the region moves between two assemblies."""
    places = [sites_on(assembly)[0].position for assembly in assemblies()]
    return frozenset(abs(one - other) for one, other in itertools.combinations(places, 2))


def _end_of(record: SiteRecord, sample: int) -> int:
    """Return the last base of a block for this sample, 1-based."""
    length = record.fields(sample).get("LEN", "") if "LEN" in record.format else ""
    return record.position + int(length) - 1 if _is_length(length) else record.end


def _is_length(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _LENGTH_DIGITS
