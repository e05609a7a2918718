"""What an appendix holds: mechanism, composition, animal studies, other products; alike for all samples."""

from __future__ import annotations

from pgx.evidence import EvidenceBase
from pgx.evidence.cite import cite
from pgx.evidence.context import appendix_kind
from pgx.report.model import AppendixItem

KINDS = ("mechanism", "composition", "background", "comparison", "animal", "related-product")


def appendix(base: EvidenceBase, drug: str | None = None) -> tuple[AppendixItem, ...]:
    """Return the statements of the appendix on the drugs reported, by kind, in the order of the evidence."""
    others = {item.name for item in base.subjects()} - {item.name for item in base.reported(drug)}
    found = [
        (kind, claim)
        for claim in base.claims.values()
        if claim.drug not in others and (kind := appendix_kind(base, claim))
    ]
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
