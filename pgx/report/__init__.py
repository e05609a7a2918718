"""The one report object: assembled here, projected by every format."""

from pgx.calling import CalculationRow, GenotypeReport, PopulationResult
from pgx.observe import SiteReport
from pgx.report.model import (
    SCHEMA_VERSION,
    AppendixItem,
    Document,
    Flag,
    InputReport,
    LoadedFile,
    PatientReport,
    ReferenceData,
    Run,
    SampleReport,
    Tool,
    appendix,
    assemble,
    general_limits,
    is_minor,
    mark_minors,
)

__all__ = [
    "SCHEMA_VERSION",
    "AppendixItem",
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
    "general_limits",
    "is_minor",
    "mark_minors",
]
