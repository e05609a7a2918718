"""What the reading rooms want from the door (SiteRecord), and what they make of it (Observation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from pgx.genome import Site

MISSING = "."
Fields = Mapping[str, str]


class SiteRecord(Struct, frozen=True, kw_only=True):
    """One VCF record that covers a site, or carries the rsID of one. Plain text, picklable."""

    contig: str
    position: int  # 1-based
    end: int  # 1-based, inclusive; what the record claims to cover (REF, END, SVLEN)
    identifiers: tuple[str, ...]  # without "."
    reference: str
    alternates: tuple[str, ...]  # empty for ALT "."
    quality: float | None  # QUAL, Phred-scaled
    filters: tuple[str, ...]  # without "." and PASS
    info: Mapping[str, str]  # keys and values as text; a flag has the value ""
    format: tuple[str, ...]
    samples: Sequence[str]  # the columns as text, in the order of the header
    fixed: str  # the first nine columns as text

    def fields(self, sample: int) -> dict[str, str]:
        """Return the FORMAT fields of one sample; trailing fields that were dropped are absent."""
        return dict(zip(self.format, self.samples[sample].split(":"), strict=False)) if self.format else {}

    def line(self, sample: int) -> str:
        """Return the raw record with the column of this sample only."""
        return f"{self.fixed}\t{self.samples[sample]}" if self.samples else self.fixed


class SiteState(StrEnum):
    """What an input says at a site for a sample, or why it says nothing."""

    CALLED, REFERENCE_BLOCK, CALLABLE_REGION = "called", "reference-block", "callable-region"
    ASSUMED_REFERENCE, ABSENT, NO_CALL = "assumed-reference", "absent", "no-call"
    PARTIAL_CALL, FILTERED, LOW_QUALITY = "partial-call", "filtered", "low-quality"
    CONFLICTING, UNSUPPORTED, NO_READS = "conflicting", "unsupported", "no-reads"


#: States in which both letters are known.
DETERMINED_STATES = frozenset(
    {SiteState.CALLED, SiteState.REFERENCE_BLOCK, SiteState.CALLABLE_REGION, SiteState.ASSUMED_REFERENCE}
)


class Finding(Struct, frozen=True, kw_only=True):
    """Something to tell the reader: a flag code of reference/flags.toml, and values for its sentence."""

    code: str
    values: Mapping[str, str] = msgspec.field(default_factory=dict)
    critical: bool | None = None


def site_finding(code: str, site: Site, **values: str) -> Finding:
    """Return a finding on one site."""
    return Finding(code=code, values={"rsid": site.rsid, **values})


class EvidenceKind(StrEnum):
    """In which form the input states how sure it is of a genotype."""

    PL, GL, GP, DS, GQ, AD, GT, DEPTH, QUAL = "PL", "GL", "GP", "DS", "GQ", "AD", "GT", "depth", "QUAL"
    PARTIAL, READS, ASSUMED = "partial", "reads", "assumed"


class GenotypeEvidence(Struct, frozen=True, kw_only=True):
    """The quality statement of a record, by copies (0, 1, 2) of the counted letter C; nothing converted yet.

    `values`: PL, READS: Phred-scaled, GL: log10, GP: linear and summing to about 1, each by 0, 1, 2 copies of
    C; None for a class that the record does not speak of. DS: the expected copies of C, one value. GQ: one
    Phred-scaled value. AD: reads with each of the two letters. DEPTH: reads, one value. QUAL: Phred-scaled,
    and the copies of C without any ALT. PARTIAL: one Phred-scaled value, or empty. Otherwise empty.
    """

    kind: EvidenceKind
    values: tuple[float | None, ...] = ()
    copies: int | None = None  # of C as read; None where only likelihoods were given, or for PARTIAL
    seen: str | None = None  # PARTIAL only: the one letter that was read
    imputed: bool = False
    limits: tuple[GenotypeEvidence, ...] = ()  # AD, DEPTH or QUAL beside it: it cannot be surer


class PhaseSource(StrEnum):
    """Who says how the alleles of two sites lie on the chromosomes."""

    READ_BACKED, STATISTICAL = "read-backed", "statistical"


class Phase(Struct, frozen=True):
    """The phase of one genotype."""

    phase_set: str  # sites with equal ones are phased with each other; "" where the file names none
    source: PhaseSource
    quality: float | None = None  # Phred-scaled probability that the order is wrong (PQ)


class SiteReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the input says at one site. Field names are those of the JSON.

    `position`: 1-based, on the assembly of the input. `alleles`: both letters, in phase order where phased,
    else the assembly's own letter first; None unless both are known. `seen`: the letters that were read for
    certain, also of a half call. `basis`: the field that says how sure the genotype is; None where the site
    was not used. `depth` to `phase_set`: as the record states them. `record`: raw lines, this sample's column
    only, joined by a newline. `notes`: sentences on the site, filled in when the report is assembled.
    """

    rsid: str
    contig: str
    position: int
    ref: str | None
    alt: str | None
    state: SiteState
    alleles: tuple[str, str] | None
    phased: bool
    seen: tuple[str, ...]
    basis: EvidenceKind | None
    depth: int | None
    allele_depths: tuple[int, ...] | None
    genotype_quality: float | None
    filter: str | None
    phase_set: str | None
    record: str | None
    notes: tuple[str, ...]

    @property
    def genotype(self) -> str:
        """Return the letters as "T/C", or "T|C" where they are phased; nothing where none is known."""
        return ("|" if self.phased else "/").join(self.alleles or ())


class Observation(SiteReport, frozen=True, kw_only=True):
    """A site of one sample as it is reported, each field with a default, and what the caller needs."""

    alleles: tuple[str, str] | None = None
    phased: bool = False
    seen: tuple[str, ...] = ()
    basis: EvidenceKind | None = None
    depth: int | None = None
    allele_depths: tuple[int, ...] | None = None
    genotype_quality: float | None = None
    filter: str | None = None
    phase_set: str | None = None
    record: str | None = None
    notes: tuple[str, ...] = ()
    evidence: GenotypeEvidence | None = None  # None where the site says nothing that may be used
    phase: Phase | None = None
    #: From reads, the same at both sites: the likelihood of each diplotype, the highest being 1. It stands
    #: for `evidence` and `phase` of both, which then only tell of it.
    joint: tuple[float, ...] | None = None
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        """Derive what is reported of evidence and phase."""
        force_setattr(self, "phased", self.phase is not None)
        force_setattr(self, "basis", self.evidence.kind if self.evidence else None)

    @property
    def is_heterozygous(self) -> bool:
        """Return whether both letters are known and differ."""
        return self.alleles is not None and self.alleles[0] != self.alleles[1]


class ReadSummary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the aligned reads of one sample show; `samples[].reads` of the JSON.

    A template is a read or a pair. `depth`: templates that show a letter, by rsID; `letters`: by rsID and
    letter. `templates_both`: those that show both sites; `haplotypes`: of these, how many show each two
    letters ("TC": T at the first site, C at the second). `reads`: those over the known stretch that were
    used; `dropped`: reads, bases and templates that were not, by reason. `contamination`, `damage`: share of
    the reads of another person, and of C read as T: expected, and the ends of the 90 % interval.
    `mismatches`: share of all others against the known sequence. `decided`: rsIDs that the reads decided,
    where there is a VCF too; both where there is none.
    """

    path: str
    depth: Mapping[str, int]
    letters: Mapping[str, Mapping[str, int]]
    templates_both: int
    haplotypes: Mapping[str, int]
    reads: int
    dropped: Mapping[str, int]
    contamination: tuple[float, float, float]
    damage: tuple[float, float, float]
    mismatches: float
    decided: tuple[str, ...] = ()


class ReadContext(Struct, frozen=True, kw_only=True):
    """What reading a sample needs beside its records: options of the user, and facts of the input."""

    contig: str  # the name of the chromosome, for sites without a record
    gl_is_phred: bool = False  # GL is negative Phred (Complete Genomics declares an integer), not log10
    absence_is_stated: bool = False  # a tool wrote 0/0 where the file had nothing, as its header line says
    is_lifted: bool = False  # the header says that coordinates were lifted over
    assume_reference: bool = False  # take a site without a record for reference (--absent-sites reference)
    #: rsIDs that lie in a region of --callable, with the reads that it states there or None.
    callable_sites: Mapping[str, float | None] = msgspec.field(default_factory=dict)
    keep_filtered: bool = False
    min_gq: float = 0  # Phred-scaled; a site below is not used
    min_dp: int = 0  # reads; a site below is not used


class SiteRecords(Struct, frozen=True, kw_only=True):
    """All records that touch one site, sorted by what they can say; the same for every sample of an input."""

    site: Site
    bases: tuple[SiteRecord, ...]  # their alleles spell the base at the site
    blocks: tuple[SiteRecord, ...]  # reference blocks that span it
    lengths: tuple[SiteRecord, ...]  # indels, structural records: they can only say that the base is missing
    segments: tuple[SiteRecord, ...]  # of copy number and ploidy; they say nothing of the base
    misplaced: tuple[SiteRecord, ...]  # they carry the rsID of the site and do not cover it
    faults: tuple[Finding, ...]  # why the records must not be read, if so
    findings: tuple[Finding, ...]  # what to tell of records that may be read
