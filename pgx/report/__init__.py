"""The one report object: assembled here, projected by every format."""

from pgx.report.appendix import appendix
from pgx.report.assemble import assemble, general_limits
from pgx.report.minors import is_minor, mark_minors
from pgx.report.model import (
    SCHEMA_VERSION,
    AppendixItem,
    AssemblyClue,
    CalculationRow,
    Document,
    Flag,
    GenotypeReport,
    InputReport,
    LoadedFile,
    PatientReport,
    PopulationResult,
    ReferenceData,
    Run,
    SampleReport,
    SiteReport,
    Tool,
)
from pgx.report.serialise import from_json, to_dict

__all__ = [
    "SCHEMA_VERSION",
    "AppendixItem",
    "AssemblyClue",
    "CalculationRow",
    "Document",
    "Flag",
    "GenotypeReport",
    "InputReport",
    "LoadedFile",
    "PatientReport",
    "PopulationResult",
    "ReferenceData",
    "Run",
    "SampleReport",
    "SiteReport",
    "Tool",
    "appendix",
    "assemble",
    "from_json",
    "general_limits",
    "is_minor",
    "mark_minors",
    "to_dict",
]
