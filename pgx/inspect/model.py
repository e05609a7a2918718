"""What `pgx inspect` finds. Field names are those of its JSON."""

from __future__ import annotations

from msgspec import Struct


class Clue(Struct, frozen=True, kw_only=True):
    """One reason to think that the input uses an assembly."""

    kind: str
    assembly: str
    detail: str


class FileFacts(Struct, frozen=True, kw_only=True):
    """The input itself.

    Attributes
    ----------
    kind
        "VCF" or "BCF".
    reference_blocks
        A reference block of a gVCF stands at a site.
    compression
        "plain", "gzip" (cannot be indexed) or "bgzip".
    size
        Bytes; None for a stream or a URL.
    index
        Path of the index beside it, or None; `index_is_stale` where it is older than the data.
    access
        "index" or "scan": how the sites were found this time.
    """

    path: str
    kind: str
    reference_blocks: bool
    compression: str
    size: int | None
    modified: str | None
    index: str | None
    index_is_stale: bool
    access: str
    unsorted: bool


class AssemblyLook(Struct, frozen=True, kw_only=True):
    """The assembly; `name` is None where it is unknown or contradicted, and `problem` then says why."""

    name: str | None
    problem: str | None
    evidence: tuple[Clue, ...]


class SiteLook(Struct, frozen=True, kw_only=True):
    """What stands at one site for one sample.

    Attributes
    ----------
    assembly
        The one on which the site was looked up; several where it is not decided.
    position
        1-based.
    alleles
        Both letters, or None.
    basis
        The field that says how sure the genotype is (PL, GQ, GT ...), or None.
    records
        The raw lines, shortened, with this sample's column only.
    """

    rsid: str
    assembly: str
    contig: str | None
    position: int
    state: str
    alleles: tuple[str, str] | None
    phased: bool
    basis: str | None
    depth: int | None
    genotype_quality: float | None
    filter: str | None
    records: tuple[str, ...]
    notes: tuple[str, ...]


class SampleLook(Struct, frozen=True, kw_only=True):
    """The sites of one sample."""

    sample: str
    sites: tuple[SiteLook, ...]


class Need(Struct, frozen=True, kw_only=True):
    """Something that a call would still need, or that would make reading easier.

    Attributes
    ----------
    code
        A state of a site, a reason of a call, or a fact of the file ("index", "assembly" ...).
    optional
        The call can be made without it.
    command
        What to type, or None where no program can help.
    samples
        Whom of the samples shown it concerns; empty for the whole file.
    """

    code: str
    optional: bool
    what: str
    command: str | None
    samples: tuple[str, ...] = ()


class Inspection(Struct, frozen=True, kw_only=True):
    """All of it. `sample_names` are the first few of `sample_count`; `samples` those that were looked at."""

    schema_version: str
    file: FileFacts
    assembly: AssemblyLook
    sample_count: int
    sample_names: tuple[str, ...]
    samples: tuple[SampleLook, ...]
    needs: tuple[Need, ...]
