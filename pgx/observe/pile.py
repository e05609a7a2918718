"""All records that touch one site, sorted by what they can say. The same for every sample of an input."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from pgx.builds import Assembly, AssemblyEvidence, EvidenceKind, assemblies
from pgx.observe.letters import covers_with_bases, is_base_change, is_block, letters_of
from pgx.observe.model import Finding, SiteRecord
from pgx.sites import Site, rsids, sites_on

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
    spelled = letters_of(record, site.position)
    reference = spelled[0]
    if reference in site.letters:
        return None
    named = {letter for letter in spelled if isinstance(letter, str)}
    code = "reverse-strand" if named == _REVERSE_STRAND else "reference-mismatch"
    return Finding(
        code=code, values={"rsid": site.rsid, "found": str(reference), "expected": "/".join(site.letters)}
    )


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
    """Return which assemblies the records speak for.

    A record does where it stands on a site of the assembly and carries that site's rsID with a
    letter of the site as REF, or has both letters of the site as REF and ALT.
    """
    found = []
    for assembly in assemblies():
        for site in sites_on(assembly):
            for record in records:
                detail = _speaks_for(record, site, contigs)
                if detail:
                    found.append(
                        AssemblyEvidence(kind=EvidenceKind.RECORDS, assembly=assembly.name, detail=detail)
                    )
    return tuple(found)


def _speaks_for(record: SiteRecord, site: Site, contigs: Collection[str]) -> str:
    if record.contig not in contigs or not covers_with_bases(record, site.position):
        return ""
    spelled = letters_of(record, site.position)
    if spelled[0] not in site.letters:
        return ""
    if _has_id(record, site.rsid):
        return f"{site.rsid} stands at {record.contig}:{record.position} with REF {record.reference[:10]}"
    if set(site.letters) <= set(spelled):
        return f"a record at {record.contig}:{record.position} has the letters of {site.rsid}"
    return ""


def misplaced_ids(
    records: Iterable[SiteRecord], assembly: Assembly, contigs: Collection[str]
) -> tuple[str, ...]:
    """Return the rsIDs of sites that stand in a record which does not cover the site on `assembly`."""
    piles = (pile_up(records, site, contigs) for site in sites_on(assembly))
    wrong = {pile.site.rsid for pile in piles if pile.misplaced}
    return tuple(rsid for rsid in rsids() if rsid in wrong)
