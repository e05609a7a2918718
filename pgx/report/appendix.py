"""What an appendix holds: mechanism, composition, animal studies, other products; alike for all samples."""

from __future__ import annotations

from pgx.evidence import EvidenceBase
from pgx.evidence.cite import cite
from pgx.evidence.schema import Claim, Species, Topic
from pgx.report.model import AppendixItem

KINDS = ("mechanism", "composition", "animal", "related-product")
_ANIMALS = frozenset({Species.RAT, Species.MOUSE})


def appendix(base: EvidenceBase) -> tuple[AppendixItem, ...]:
    """Return the statements of the appendix, by kind and then in the order of the evidence."""
    found = [(kind, claim) for claim in base.claims.values() if (kind := _kind(base, claim))]
    ordered = sorted(found, key=lambda item: KINDS.index(item[0]))
    return tuple(
        AppendixItem(
            id=claim.id,
            kind=kind,
            drug=claim.drug,
            statement=claim.statement,
            certainty=claim.certainty.level.value,
            sources=cite(base, claim),
        )
        for kind, claim in ordered
    )


def _kind(base: EvidenceBase, claim: Claim) -> str | None:
    if claim.topic is Topic.RELATED_PRODUCT or base.drugs[claim.drug].role == "related-product":
        return "related-product"
    if base.drugs[claim.drug].role != "subject":
        return None
    if claim.species in _ANIMALS:
        return "animal"
    return claim.topic.value if claim.topic in {Topic.MECHANISM, Topic.COMPOSITION} else None
