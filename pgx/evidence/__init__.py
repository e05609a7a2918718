"""The evidence: claims with their sources, matched to a person's status without saying more than they do."""

from __future__ import annotations

from pgx.evidence.answer import ConflictNote, MatchedClaim, Response, StatusRow, Subject
from pgx.evidence.base import EvidenceBase
from pgx.evidence.citation import SourceCitation
from pgx.evidence.conclusion import Conclusion
from pgx.evidence.context import ContextItem, ContextReport, PatientContext, context
from pgx.evidence.loading import load
from pgx.evidence.matching import respond

__all__ = [
    "Conclusion",
    "ConflictNote",
    "ContextItem",
    "ContextReport",
    "EvidenceBase",
    "MatchedClaim",
    "PatientContext",
    "Response",
    "SourceCitation",
    "StatusRow",
    "Subject",
    "context",
    "load",
    "respond",
]
