"""Records in, observations out: the letters of a sample at each site, or why there are none."""

from pgx.observe.model import (
    DETERMINED_STATES,
    EvidenceKind,
    Finding,
    GenotypeEvidence,
    Observation,
    Phase,
    PhaseSource,
    ReadContext,
    ReadSummary,
    SiteRecord,
    SiteRecords,
    SiteReport,
    SiteState,
)
from pgx.observe.site import SMALL_VARIANTS, input_kind, observe, record_evidence, records_at

__all__ = [
    "DETERMINED_STATES",
    "SMALL_VARIANTS",
    "EvidenceKind",
    "Finding",
    "GenotypeEvidence",
    "Observation",
    "Phase",
    "PhaseSource",
    "ReadContext",
    "ReadSummary",
    "SiteRecord",
    "SiteRecords",
    "SiteReport",
    "SiteState",
    "input_kind",
    "observe",
    "record_evidence",
    "records_at",
]
