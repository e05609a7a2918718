"""All records that touch one site, sorted by what they can say. The same for every sample of an input."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from pgx.genome.assemblies import Assembly, AssemblyEvidence, EvidenceKind, assemblies
from pgx.genome.sites import Site, sites_on
from pgx.observe.letters import covers_with_bases, is_base_change, is_block, letters_of
from pgx.observe.model import Finding, SiteRecord

#: A record on the other strand spells exactly these two letters.
_REVERSE_STRAND = frozenset("AG")


class SitePile(Struct, frozen=True, kw_only=True):
    """The records at one site.

    Attributes
    ----------
    bases
        Records whose alleles spell the base at the site.
    blocks
        Reference blocks that span it.
    lengths
        Insertions, deletions and structural records over it: they can only say that the base is missing.
    misplaced
        Records that carry the rsID of the site and do not cover it.
    faults
        Why the records must not be read, if so.
    findings
        What to tell of records that may be read.
    """

    site: Site
    bases: tuple[SiteRecord, ...]
    blocks: tuple[SiteRecord, ...]
    lengths: tuple[SiteRecord, ...]
    misplaced: tuple[SiteRecord, ...]
    faults: tuple[Finding, ...]
    findings: tuple[Finding, ...]


def pile_up(records: Iterable[SiteRecord], site: Site, contigs: Collection[str]) -> SitePile:
    """Sort the records of an input for one site; `contigs` are the names of its chromosome."""
    bases: list[SiteRecord] = []
    blocks: list[SiteRecord] = []
    lengths: list[SiteRecord] = []
    misplaced: list[SiteRecord] = []
    for record in records:
        if record.contig not in contigs or not record.position <= site.position <= record.end:
            if _has_id(record, site.rsid):
                misplaced.append(record)
        elif is_block(record):
            blocks.append(record)
        elif covers_with_bases(record, site.position) and is_base_change(record, site.position):
            bases.append(record)
        else:
            lengths.append(record)
    readable = [*bases, *(record for record in blocks if covers_with_bases(record, site.position))]
    return SitePile(
        site=site,
        bases=tuple(bases),
        blocks=tuple(blocks),
        lengths=tuple(lengths),
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
            found.append(_evidence(EvidenceKind.RECORDS, assembly, f"{site.rsid} stands at", [record]))
        elif all(spelled):
            text = "both sites have their letters, at"
            found.append(_evidence(EvidenceKind.RECORD_LETTERS, assembly, text, [s[0] for s in spelled]))
    return tuple(found)


def _evidence(
    kind: EvidenceKind, assembly: Assembly, text: str, records: Sequence[SiteRecord]
) -> AssemblyEvidence:
    where = " and ".join(f"{record.contig}:{record.position}" for record in records)
    return AssemblyEvidence(kind=kind, assembly=assembly.name, detail=f"{text} {where}")


def _stands_at(record: SiteRecord, site: Site, contigs: Collection[str]) -> bool:
    """Say whether a record carries the rsID of the site, covers it, and has a letter of it as REF."""
    if record.contig not in contigs or not covers_with_bases(record, site.position):
        return False
    return _has_id(record, site.rsid) and letters_of(record, site.position)[0] in site.letters


def _has_both_letters(record: SiteRecord, site: Site, contigs: Collection[str]) -> bool:
    if record.contig not in contigs or not covers_with_bases(record, site.position):
        return False
    spelled = letters_of(record, site.position)
    return spelled[0] in site.letters and set(site.letters) <= set(spelled)
