"""From the claims that apply to one conclusion, by a stated rule whose thresholds are data.

1. No status: "indeterminate-genotype". No claim that applies: "no-evidence".
2. Claims that point to different sides: "conflicting", whatever their number or kind.
3. One side: it is a direction only with enough independent, controlled studies with a clinical endpoint
   (for a risk: or a label that states it). Fewer: "insufficient".
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from pgx.evidence.base import EvidenceBase
from pgx.evidence.model import Claim, Source
from pgx.evidence.terms import Direction


class Conclusion(StrEnum):
    """What can be said of a drug and indication for a status."""

    CONFLICTING = "conflicting"
    INSUFFICIENT = "insufficient"
    DECREASED_RESPONSE = "decreased-response"
    INCREASED_RESPONSE = "increased-response"
    NO_DIFFERENCE = "no-difference"
    INCREASED_RISK = "increased-risk"
    DECREASED_RISK = "decreased-risk"
    NO_EVIDENCE = "no-evidence"
    INDETERMINATE = "indeterminate-genotype"


class Voice(Struct, frozen=True, kw_only=True):
    """A claim that applies, with the direction that it has for this person's status."""

    claim: Claim
    direction: Direction


def conclude(base: EvidenceBase, voices: Sequence[Voice]) -> Conclusion:
    """Return the conclusion from the claims that apply to a person whose status is known."""
    if not voices:
        return Conclusion.NO_EVIDENCE
    table = base.rules.directions
    pointing = [voice for voice in voices if voice.direction in table and table[voice.direction].conclusion]
    live = [voice for voice in pointing if not voice.claim.superseded_by]
    outcomes = {table[voice.direction].conclusion for voice in live}
    if len(outcomes) > 1:
        return Conclusion.CONFLICTING
    if not outcomes:
        return Conclusion.INSUFFICIENT
    outcome = Conclusion(outcomes.pop())
    return outcome if _enough(base, outcome, [voice.claim for voice in live]) else Conclusion.INSUFFICIENT


def _enough(base: EvidenceBase, outcome: Conclusion, claims: Sequence[Claim]) -> bool:
    rule = base.rules.conclusion
    if outcome in {Conclusion.INCREASED_RISK, Conclusion.DECREASED_RISK}:
        labels = {
            source.data_set or source.key
            for claim in claims
            for source in _known_sources(base, claim)
            if source.kind in rule.label_kinds
        }
        if len(labels) >= rule.min_labels_for_risk:
            return True
    return len(countable_studies(base, claims)) >= rule.min_studies


def countable_studies(base: EvidenceBase, claims: Sequence[Claim]) -> frozenset[str]:
    """Return the independent data sets behind those claims that are controlled, clinical and were seen."""
    rule = base.rules.conclusion
    return frozenset(
        source.data_set or source.key
        for claim in claims
        if claim.control in rule.controls and claim.endpoint_kind in rule.endpoints
        for source in _known_sources(base, claim)
        if source.kind not in rule.label_kinds
    )


def _known_sources(base: EvidenceBase, claim: Claim) -> list[Source]:
    rule = base.rules.conclusion
    sources = [base.sources[key] for key in claim.sources]
    return [item for item in sources if item.identity in rule.identities and item.seen not in rule.not_seen]
