"""From the alleles of a record to letters at one base. REF and ALT are left behind here."""

from __future__ import annotations

import functools
import re
from enum import Enum

from pgx.observe import SiteRecord

#: With the letters for "one of several bases": such an allele is spelled, and is none of ours.
_BASES = frozenset("ACGTNRYSWKMBDHV")
#: The base is missing because of a deletion that another record describes; GATK 3 wrote <*:DEL>.
_SPANNING = frozenset({"*", "<*:DEL>"})
#: Fields that only a caller of copy numbers or of ploidy writes: DRAGEN, GATK gCNV, Canvas, CNVkit, cn.MOPS,
#: Delly, Genome STRiP.
SEGMENT_FIELDS = frozenset(
    {"BAF", "BC", "CN", "CNF", "CNL", "CNLP", "CNP", "CNQ", "FC", "LFC", "LOG2", "LRR", "MCC", "MCN"}
    | {"MCNF", "MCNQ", "NCN", "NDC", "QSE", "QSS", "RDCN", "RDSD", "SD", "SM"}
)
_SEGMENT_INFO = {"CIEND", "CIPOS", "CN", "CNCLASS", "CNVLEN", "FOLD_CHANGE", "FOLD_CHANGE_LOG", "IMPRECISE"}
_SEGMENT_INFO |= {"LOG2", "NUM_BINS", "NUM_PROBES", "PROBES", "REFLEN", "SEGID", "SVLEN", "SVTYPE"}
#: Fields that state the reads, the likelihoods or the quality of a sequence. A tool that fills gaps with 0/0
#: leaves them out.
_OF_READS = frozenset(
    {"GQ", "GQX", "RGQ", "DP", "DPI", "MIN_DP", "MinDP", "AD", "PL", "LPL", "GL", "GP", "DS", "RO"}
)
MEASURED_FIELDS = _OF_READS | {"AO", "RD"}
_OF_SEQUENCE = _OF_READS | {"GT", "LGT", "MIN"}


class Other(Enum):
    """An allele that shows no single letter at the site."""

    DELETED = "deleted"  # the base is missing on that chromosome
    UNSEEN = "unseen"  # <NON_REF>, <*>: any allele that was not named
    STRUCTURAL = "structural"  # <CNV>, <DUP>, a breakend: the letter is not stated
    UNCLEAR = "unclear"  # a complex replacement in which the base has no counterpart
    UNKNOWN = "unknown"  # the base of the assembly, where neither the record nor pgx knows it


Letter = str | Other
#: The letters of a genotype, None for one that was not called.
Shown = tuple[Letter | None, ...]


def is_sequence(allele: str) -> bool:
    """Return whether an allele is spelled in bases."""
    return bool(allele) and _BASES.issuperset(allele.upper())


def is_unseen(allele: str) -> bool:
    """Return whether an allele stands for "any other" in a gVCF."""
    # Complete Genomics calls nothing at <CGA_NOCALL>; <X> is of samtools 1.0 to 1.2, X of those before.
    return allele in {"<NON_REF>", "<*>", "<CGA_NOCALL>", "<X>", "X"}


def is_deleted(allele: str) -> bool:
    """Return whether an allele says that the base is missing: "*" in its spellings, or <DEL>."""
    return allele in _SPANNING or allele.upper().startswith("<DEL")


def covers_with_bases(record: SiteRecord, position: int) -> bool:
    """Return whether the REF of a record spells the base at `position` (1-based)."""
    covers = record.position <= position < record.position + len(record.reference)
    return covers and is_sequence(record.reference)


def is_block(record: SiteRecord) -> bool:
    """Return whether a record is a reference block of a gVCF: no real ALT, and an end of its own."""
    # Octopus writes "*" for what is not named (with END); a single base with "*" is a spanning deletion.
    beyond = record.end > record.position + len(record.reference) - 1
    named = [allele for allele in record.alternates if not is_unseen(allele)]
    if named and not (beyond and "END" in record.info and all(allele in _SPANNING for allele in named)):
        return False
    return "END" in record.info or beyond or "LEN" in record.format


def is_segment(record: SiteRecord) -> bool:
    """Return whether a record without an ALT is a segment of a copy-number or ploidy caller, and no block."""
    # By fields of such callers or a REF that is no base, by a name made of its own coordinates, or because it
    # states no genotype, reads or quality of the sequence. (Their QUAL and GQ speak of the copy number.)
    has_fields = SEGMENT_FIELDS.intersection(record.format) or record.info.keys() & _SEGMENT_INFO
    if has_fields or not set(record.reference.upper()) <= set("ACGT"):
        return True
    starts = {record.position - 1, record.position, record.position + 1}  # an ID may count from 0
    names = ({int(digits) for digits in re.findall(r"[0-9]{1,12}", name)} for name in record.identifiers)
    if any(record.end in numbers and not numbers.isdisjoint(starts) for numbers in names):
        return True
    return not _OF_SEQUENCE.intersection(record.format) and not record.info.keys() & _OF_SEQUENCE


def letters_of(record: SiteRecord, position: int) -> tuple[Letter, ...]:
    """Return the letter of each allele, REF first, at a `position` (1-based) that the record spells."""
    spelled = record.reference, record.alternates, position - record.position
    is_short = len(record.fixed) < 1000  # what is longer is not kept
    return _letters(*spelled) if is_short else _letters.__wrapped__(*spelled)


@functools.lru_cache(maxsize=1024)
def _letters(reference: str, alternates: tuple[str, ...], offset: int) -> tuple[Letter, ...]:
    reference = reference.upper()
    return (reference[offset], *(_letter(reference, allele, offset) for allele in alternates))


def _letter(reference: str, allele: str, offset: int) -> Letter:
    if is_unseen(allele):
        return Other.UNSEEN
    if allele in _SPANNING or (is_deleted(allele) and offset > 0):
        return Other.DELETED
    if not is_sequence(allele):
        # The base before a symbolic deletion belongs to REF and stays.
        return reference[offset] if is_deleted(allele) else Other.STRUCTURAL
    alternate = allele.upper()
    if len(alternate) == len(reference):
        return alternate[offset]
    prefix = _shared(reference, alternate)
    suffix = _shared(reference[prefix:][::-1], alternate[prefix:][::-1])
    if offset < prefix or offset >= len(reference) - suffix:
        return reference[offset]
    return Other.DELETED if len(alternate) == prefix + suffix else Other.UNCLEAR


def _shared(left: str, right: str) -> int:
    """Return the length of the shared start of two sequences."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((count for count, (one, other) in pairs if one != other), min(len(left), len(right)))


def is_base_change(record: SiteRecord, position: int) -> bool:
    """Return whether a record speaks of the base itself: without an ALT, or with more than indels."""
    if not record.alternates:
        return True
    length, own = len(record.reference), record.reference[position - record.position].upper()
    changes = (is_sequence(allele) and len(allele) == length for allele in record.alternates)
    if any(changes) or any(is_unseen(allele) or allele in _SPANNING for allele in record.alternates):
        return True
    mute = (Other.STRUCTURAL, Other.DELETED, own)
    return any(letter not in mute for letter in letters_of(record, position)[1:])


def variant_keys(record: SiteRecord) -> frozenset[tuple[int, str, str]]:
    """Return the variants of a record in their shortest form: (1-based position, REF, ALT), upper case."""
    keys = set()
    for allele in record.alternates:
        position, reference, alternate = record.position, record.reference.upper(), allele
        if is_sequence(allele):
            alternate = allele.upper()
            if suffix := _shared(reference[:0:-1], alternate[:0:-1]):
                reference, alternate = reference[:-suffix], alternate[:-suffix]
            prefix = min(_shared(reference, alternate), len(reference) - 1, len(alternate) - 1)
            position, reference, alternate = position + prefix, reference[prefix:], alternate[prefix:]
        keys.add((position, reference, alternate))
    return frozenset(keys)
