"""The one report object. Every format is a projection of it, and `to_dict` of it is the JSON of the contract.

Field names are those of the JSON. Haplotypes are ASCII here ("e3/e4"); readable formats write ε.
"""

from __future__ import annotations

from msgspec import Struct

from pgx.calling import GenotypeReport
from pgx.evidence import ContextItem, Response, SourceCitation
from pgx.genome.assemblies import AssemblyEvidence
from pgx.neighbours.model import NeighbourReport
from pgx.observe import ReadSummary, SiteReport
from pgx.options import Parameters

SCHEMA_VERSION = "1.0"


class Tool(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The program."""

    name: str
    version: str


class LoadedFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of evidence that was loaded, with its digest."""

    name: str
    digest: str


class ReferenceData(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The release and digest of reference/, and of each evidence file in use."""

    release: str
    digest: str
    evidence: tuple[LoadedFile, ...]


class InputReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input: `size` in bytes (None for a stream), `access` "index" or "scan".

    kind
        "vcf", "gvcf", "bcf" or "copy-number"; "VCF" and "BCF" in results of version 0.1.
    """

    path: str
    size: int | None
    modified: str | None
    kind: str
    header_digest: str
    digest: str | None
    assembly: str
    assembly_evidence: tuple[AssemblyEvidence, ...]
    access: str


class Flag(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something the reader must know: severity "info", "warning" or "critical"; `values` fill its words."""

    code: str
    severity: str
    message: str
    values: dict[str, str] = {}


class PatientReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the patient context (--taking, --history, --age) brought up.

    Attributes
    ----------
    warnings
        Ids of the items of `context` that stand in front because of it.
    unrecognised
        Names that the tables do not know; nothing was looked up for them.
    contraindications
        What the drug has contraindications on, in a few words each, whoever the person is.
    """

    warnings: tuple[str, ...]
    unrecognised: tuple[str, ...]
    notes: tuple[str, ...]
    minor: bool
    contraindications: tuple[str, ...] = ()


class SampleReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is said of one sample. `neighbours` is an estimate, and no part of the genotype."""

    sample: str
    genotype: GenotypeReport
    sites: tuple[SiteReport, ...]
    flags: tuple[Flag, ...]
    response: tuple[Response, ...]
    context: tuple[ContextItem, ...]
    patient: PatientReport
    limitations: tuple[str, ...]
    neighbours: NeighbourReport | None = None
    reads: ReadSummary | None = None

    def has_flag(self, code: str) -> bool:
        """Return whether a flag of this code is set."""
        return any(flag.code == code for flag in self.flags)


class AppendixItem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A statement for the appendix.

    `kind` is "mechanism", "composition", "background", "comparison", "animal" or "related-product".
    """

    id: str
    kind: str
    drug: str
    statement: str
    certainty: str
    sources: tuple[SourceCitation, ...]


class Run(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all samples of one input share."""

    schema_version: str
    tool: Tool
    reference: ReferenceData
    created: str
    input: InputReport
    parameters: Parameters
    appendix: tuple[AppendixItem, ...] = ()


class Document(Run, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run with some or all of its samples: one JSON document."""

    samples: tuple[SampleReport, ...]

    @classmethod
    def of(cls, run: Run, samples: tuple[SampleReport, ...]) -> Document:
        """Return the document of a run with these samples."""
        return cls(**{name: getattr(run, name) for name in Run.__struct_fields__}, samples=samples)
