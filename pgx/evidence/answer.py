"""What matching hands out: plain frozen values that a report can hold and print."""

from __future__ import annotations

from msgspec import Struct

from pgx.calling import E4Status
from pgx.evidence.citation import SourceCitation


class Subject(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom the evidence is matched for: an e4 status, and the diplotype (`e2/e4`) where determined."""

    status: E4Status
    diplotype: str | None = None


class ConflictNote(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another claim that does not fit this one: its id, the kind of conflict, and why, in words."""

    id: str
    kind: str
    note: str


class MatchedClaim(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim that speaks of the person's status, for or against, with the reason why it is here.

    Attributes
    ----------
    applies_to
        The group that the claim itself speaks of; `direction` is the claim's own, for that group.
    side
        Where it stands for THIS status: "for-lower-response", "for-higher-response", "for-no-difference",
        "for-higher-risk", "for-lower-risk" or "neutral".
    applicable
        False for a study of another indication: named, not counted.
    sample_size, effect
        As text, "unknown" where unknown.
    """

    id: str
    applies_to: str
    direction: str
    statement: str
    technical: str
    certainty: str
    endpoint_kind: str
    population: str
    sources: tuple[SourceCitation, ...]
    side: str
    reason: str
    conflicts_with: tuple[str, ...]
    applicable: bool
    drug: str
    topic: str
    indication: str
    endpoint: str
    sample_size: str
    comparator: str
    control: str
    blinding: str
    effect: str
    predictive: str
    hedge: str
    funding: str
    from_article: bool
    certainty_judged_by: str
    certainty_rule: str
    conflict_notes: tuple[ConflictNote, ...]
    caveats: tuple[str, ...]


class StatusRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cell of the common table: what one claim says of one group, whoever the person is."""

    claim_id: str
    group: str
    label: str
    statement: str
    direction: str
    side: str
    population: str
    endpoint_kind: str
    endpoint: str
    sample_size: str
    effect: str
    certainty: str
    applicable: bool
    citations: tuple[str, ...]


class Response(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of one drug and indication for one status; the conclusion is from the contract's list."""

    drug: str
    indication: str
    indication_label: str
    conclusion: str
    conclusion_text: str
    claims: tuple[MatchedClaim, ...]
    by_status: tuple[StatusRow, ...]
    notes: tuple[str, ...]
