"""Records in, observations out: the letters of a sample at each site, or why there are none."""

from pgx.observe.model import (
    DETERMINED_STATES,
    EvidenceKind,
    Finding,
    GenotypeEvidence,
    Observation,
    ObserveOptions,
    Phase,
    PhaseSource,
    ReadSummary,
    SiteRecord,
    SiteState,
)
from pgx.observe.pile import SitePile, pile_up, record_evidence
from pgx.observe.site import ReadContext, observe

__all__ = [
    "DETERMINED_STATES",
    "EvidenceKind",
    "Finding",
    "GenotypeEvidence",
    "Observation",
    "ObserveOptions",
    "Phase",
    "PhaseSource",
    "ReadContext",
    "ReadSummary",
    "SitePile",
    "SiteRecord",
    "SiteState",
    "observe",
    "pile_up",
    "record_evidence",
]
