"""Records in, one observation a site out: which records speak for the site, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from pgx.genome.sites import Site
from pgx.observe.combine import Combined, combine, deleted_copies, shows_other
from pgx.observe.letters import Letter, Other, covers_with_bases
from pgx.observe.model import Finding, Observation, ObserveOptions, SiteRecord, SiteState
from pgx.observe.pile import SitePile
from pgx.observe.reading import Reading, read
from pgx.observe.verdict import blank, spanning, verdict, without_record


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
        return blank(pile, sample, SiteState.UNSUPPORTED, pile.faults)
    bases = [_read(record, sample, pile.site, context, block=False) for record in pile.bases]
    blocks = [
        _read(record, sample, pile.site, context, block=True)
        for record in pile.blocks
        if _spans(record, sample, pile.site)
    ]
    missing = _missing_copies(pile, sample, context)
    if bases:
        return _from_bases(pile, sample, bases, blocks, missing)
    if missing:
        return blank(pile, sample, SiteState.UNSUPPORTED, (spanning(pile.site),), records=pile.lengths)
    if blocks:
        return _from_blocks(pile, sample, blocks)
    return without_record(pile.site, context.options)


def _read(record: SiteRecord, sample: int, site: Site, context: ReadContext, *, block: bool) -> Reading:
    return read(record, sample, site, context.options, gl_is_phred=context.gl_is_phred, block=block)


def _missing_copies(pile: SitePile, sample: int, context: ReadContext) -> int:
    """Return on how many chromosomes other records say that the base is deleted."""
    spelled = [record for record in pile.lengths if _can_be_followed(record, pile.site)]
    lengths = [_read(record, sample, pile.site, context, block=False) for record in spelled]
    return deleted_copies([reading for reading in lengths if reading.filter is None])


def _can_be_followed(record: SiteRecord, site: Site) -> bool:
    """Say whether the alleles of a length record can be followed to the site."""
    return covers_with_bases(record, site.position) or any(
        allele.upper().startswith("<DEL") for allele in record.alternates
    )


def _spans(record: SiteRecord, sample: int, site: Site) -> bool:
    """Say whether a block reaches the site for this sample (FORMAT/LEN of VCF 4.5 counts from POS)."""
    if "LEN" not in record.format:
        return True
    length = record.fields(sample).get("LEN", "")
    if length.isdecimal():
        return site.position < record.position + int(length)
    return "END" in record.info or covers_with_bases(record, site.position)


def _doubted(pile: SitePile, sample: int, doubted: Sequence[str]) -> Observation:
    where = [f"{record.contig}:{record.position}" for record in pile.misplaced]
    values = {
        "rsid": pile.site.rsid,
        "found": ", ".join(where) or ", ".join(doubted),
        "position": str(pile.site.position),
    }
    finding = Finding(code="rsid-mismatch", values=values, critical=True)
    records = (*pile.misplaced, *pile.bases, *pile.blocks)
    return blank(pile, sample, SiteState.UNSUPPORTED, (finding,), records=records)


def _from_bases(
    pile: SitePile, sample: int, bases: Sequence[Reading], blocks: Sequence[Reading], missing: int
) -> Observation:
    """Decide from the records that spell the base; blocks can only contradict them."""
    usable = [reading for reading in bases if reading.problem is not SiteState.FILTERED] or list(bases)
    dropped = [reading for reading in bases if reading not in usable and shows_other(reading, usable)]
    if dropped:
        return verdict(pile, sample, bases, _alone(dropped[0]), dropped[0].findings, state=SiteState.FILTERED)
    problems = [reading for reading in usable if reading.problem is not None]
    no_calls = [reading for reading in problems if reading.problem is SiteState.NO_CALL]
    if no_calls and len(problems) < len(usable):
        return verdict(pile, sample, bases, _conflict(usable[0]), ())
    if problems:
        worst = problems[0]
        return verdict(pile, sample, bases, _alone(worst), worst.findings, state=worst.problem)
    combined = combine(usable, pile.site)
    findings = (
        *pile.findings,
        *combined.findings,
        *(note for reading in usable for note in reading.findings),
    )
    if any(_contradicts(block, combined) for block in blocks):
        combined = replace(combined, conflict=True)
    if missing and not combined.conflict and Other.DELETED not in combined.shown:
        combined = replace(combined, shown=_without_deleted(combined.shown, missing, pile.site), phase=None)
    return verdict(pile, sample, bases, combined, findings)


def _alone(reading: Reading) -> Combined:
    return Combined(primary=reading, shown=reading.shown, phase=reading.phase, own_evidence=True)


def _conflict(primary: Reading) -> Combined:
    return Combined(primary=primary, shown=(), phase=None, own_evidence=False, conflict=True)


def _contradicts(block: Reading, combined: Combined) -> bool:
    """Say whether a block with coverage shows other letters than a record of its own at the site."""
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


def _from_blocks(pile: SitePile, sample: int, blocks: Sequence[Reading]) -> Observation:
    problems = [block for block in blocks if block.problem is not None]
    if problems and len(problems) < len(blocks):
        return verdict(pile, sample, blocks, _conflict(blocks[0]), ())
    if problems:
        first = problems[0]
        return verdict(pile, sample, blocks, _alone(first), first.findings, state=first.problem)
    combined = combine(blocks, pile.site)
    findings = tuple(note for block in blocks for note in block.findings)
    return verdict(pile, sample, blocks, combined, findings, called=SiteState.REFERENCE_BLOCK)
