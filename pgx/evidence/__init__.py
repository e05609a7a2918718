"""The evidence: claims with their sources, matched to a person's status without saying more than they do."""

from __future__ import annotations

from pgx.evidence.cite import SourceCitation
from pgx.evidence.context import ContextItem, ContextReport, PatientContext, context
from pgx.evidence.load import EvidenceBase, load
from pgx.evidence.match import ConflictNote, MatchedClaim, Response, StatusRow, Subject, respond
from pgx.evidence.rules import Conclusion

__all__ = [
    "Conclusion", "ConflictNote", "ContextItem", "ContextReport", "EvidenceBase", "MatchedClaim",
    "PatientContext", "Response", "SourceCitation", "StatusRow", "Subject", "context", "load", "respond",
]  # fmt: skip
