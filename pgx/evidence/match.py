"""Match a person's status to the claims that speak of it; no probability for a person follows.

A claim matches directly when it speaks of a group that the person is in, and by contrast when it compares
its group with one that the person is in. A claim on another indication is named, never counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from pgx.calling import E4Status
from pgx.evidence.cite import SourceCitation, cite
from pgx.evidence.load import EvidenceBase
from pgx.evidence.rules import Conclusion, Voice, conclude
from pgx.evidence.schema import Claim, Direction, Drug, Effect, Group


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
    """One cell of the common table: what one claim says of one group, whatever this person's status."""

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
    """What is known about one drug and indication for one status; `conclusion` is a `Conclusion`."""

    drug: str
    indication: str
    indication_label: str
    conclusion: str
    conclusion_text: str
    claims: tuple[MatchedClaim, ...]
    by_status: tuple[StatusRow, ...]
    notes: tuple[str, ...]


class _Match(Struct, frozen=True, kw_only=True):
    claim: Claim
    order: int
    contrast: bool
    direction: Direction
    side: str
    applicable: bool


def respond(base: EvidenceBase, subject: Subject, *, indication: str | None = None) -> tuple[Response, ...]:
    """Return a response for every drug of the base; without `indication` for the drug's usual one.

    Parameters
    ----------
    base
        What `load` returned.
    subject
        Status and diplotype.
    indication
        A code of the vocabulary or one of its names.

    Raises
    ------
    UsageError
        The indication is not known.
    """
    code = base.indication(indication) if indication is not None else None
    return tuple(
        _respond(base, subject, drug, code or drug.default_indication or "any", asked=code is not None)
        for drug in base.subjects()
    )


def _respond(base: EvidenceBase, subject: Subject, drug: Drug, code: str, *, asked: bool) -> Response:
    claims = base.genotype_claims(drug.name)
    label = base.indications[code].label
    if subject.status is E4Status.INDETERMINATE:
        conclusion, matches = Conclusion.INDETERMINATE, []
    else:
        matches = _matches(base, subject, claims, code)
        voices = [Voice(claim=item.claim, direction=item.direction) for item in matches if item.applicable]
        conclusion = conclude(base.rules, base.sources, voices)
    return Response(
        drug=drug.name,
        indication=code,
        indication_label=label,
        conclusion=conclusion.value,
        conclusion_text=base.phrases.conclusions[conclusion].format(drug=drug.name, indication=label),
        claims=tuple(_matched(base, subject, item, label) for item in matches),
        by_status=_table(base, claims, code),
        notes=_notes(base, subject, drug, code, conclusion, asked=asked),
    )


def _matches(base: EvidenceBase, subject: Subject, claims: Sequence[Claim], code: str) -> list[_Match]:
    found = [
        match
        for order, claim in enumerate(claims)
        if (match := _match(base, subject.status, claim, order, applicable=claim.indication == code))
        is not None
    ]
    first = next(
        (item for item in found if item.claim.article and not item.contrast and item.side != "neutral"), None
    )
    lead = first.side if first else None
    return sorted(
        found,
        key=lambda item: (
            not item.applicable,
            item.side == "neutral",
            item.side != lead,
            item.contrast,
            item.order,
        ),
    )


def _match(
    base: EvidenceBase, status: E4Status, claim: Claim, order: int, *, applicable: bool
) -> _Match | None:
    groups = base.rules.status[status].groups
    contrast = claim.group not in groups
    if contrast and not any(group in groups for group in claim.compared_with):
        return None
    direction, side = _side(base, claim.direction, contrast=contrast)
    if not applicable and side == "neutral":
        return None
    return _Match(
        claim=claim, order=order, contrast=contrast, direction=direction, side=side, applicable=applicable
    )


def _side(base: EvidenceBase, direction: Direction, *, contrast: bool) -> tuple[Direction, str]:
    rule = base.rules.directions.get(direction)
    if rule is None:
        return direction, "neutral"
    return (rule.mirrored_direction, rule.mirror) if contrast else (direction, rule.side)


def _matched(base: EvidenceBase, subject: Subject, match: _Match, asked_label: str) -> MatchedClaim:
    claim = match.claim
    return MatchedClaim(
        id=claim.id,
        applies_to=claim.group.value,
        direction=claim.direction.value,
        statement=claim.statement,
        technical=claim.technical,
        certainty=claim.certainty.level.value,
        endpoint_kind=claim.endpoint_kind.value,
        population=claim.population,
        sources=cite(base, claim),
        side=match.side,
        reason=_reason(base, subject, match, asked_label),
        conflicts_with=tuple(item.id for item in claim.conflicts_with),
        applicable=match.applicable,
        drug=claim.drug,
        topic=claim.topic.value,
        indication=claim.indication,
        endpoint=claim.endpoint,
        sample_size=sample_size_text(claim),
        comparator=claim.comparator,
        control=claim.control.value,
        blinding=claim.blinding.value,
        effect="; ".join(effect_text(effect) for effect in claim.effects),
        predictive=claim.predictive.value,
        hedge=claim.hedge.value,
        funding=claim.funding,
        from_article=claim.article is not None,
        certainty_judged_by=claim.certainty.judged_by,
        certainty_rule=base.rules.certainty[claim.certainty.rule].text,
        conflict_notes=conflict_notes(claim),
        caveats=claim.caveats,
    )


def _reason(base: EvidenceBase, subject: Subject, match: _Match, asked_label: str) -> str:
    words = base.phrases
    status = words.statuses[subject.status]
    group = words.groups[match.claim.group]
    if match.contrast:
        seen = base.rules.status[subject.status].groups
        other = next(item for item in match.claim.compared_with if item in seen)
        reason = words.reasons["contrast"].format(group=group, other=words.groups[other], status=status)
    elif match.claim.group is Group.ANY:
        reason = words.reasons["any"].format(status=status)
    else:
        reason = words.reasons["direct"].format(group=group, status=status)
    if not match.applicable:
        population = base.populations[match.claim.population_code].label
        apart = words.reasons["other_population"].format(population=population, indication=asked_label)
        return f"{apart} {reason}"
    return reason


def _table(base: EvidenceBase, claims: Sequence[Claim], code: str) -> tuple[StatusRow, ...]:
    """Return the common table: first the claims on this indication, then the others, marked as such."""
    ordered = sorted(claims, key=lambda claim: claim.indication != code)
    return tuple(
        _cell(base, claim, group, statement, applicable=claim.indication == code)
        for claim in ordered
        for group, statement in claim.by_status.items()
    )


def _cell(base: EvidenceBase, claim: Claim, group: Group, statement: str, *, applicable: bool) -> StatusRow:
    direction, side = _side(base, claim.direction, contrast=group != claim.group)
    return StatusRow(
        claim_id=claim.id,
        group=group.value,
        label=base.phrases.groups[group],
        statement=statement,
        direction=direction.value,
        side=side,
        population=claim.population,
        endpoint_kind=claim.endpoint_kind.value,
        endpoint=claim.endpoint,
        sample_size=sample_size_text(claim),
        effect="; ".join(effect_text(effect) for effect in claim.effects),
        certainty=claim.certainty.level.value,
        applicable=applicable,
        citations=tuple(item.citation for item in cite(base, claim)),
    )


def _notes(
    base: EvidenceBase, subject: Subject, drug: Drug, code: str, conclusion: Conclusion, *, asked: bool
) -> tuple[str, ...]:
    label = base.indications[code].label
    notes = tuple(
        base.phrases.notes[rule.key].format(drug=drug.name, indication=label)
        for rule in base.rules.notes
        if (not rule.statuses or subject.status in rule.statuses)
        and (not rule.diplotypes or subject.diplotype in rule.diplotypes)
        and (not rule.indications or code in rule.indications)
        and (not rule.drugs or drug.name in rule.drugs)
        and (not rule.conclusions or conclusion in rule.conclusions)
        and not (rule.only_without_indication and asked)
    )
    return (*notes, drug.note) if drug.note else notes


def conflict_notes(claim: Claim) -> tuple[ConflictNote, ...]:
    """Return the conflicts of a claim as plain values."""
    return tuple(
        ConflictNote(id=item.id, kind=item.kind.value, note=item.note) for item in claim.conflicts_with
    )


def sample_size_text(claim: Claim) -> str:
    """Return `197 patients`, or `unknown`."""
    return f"{claim.sample_size} {claim.sample_unit}".strip()


def effect_text(effect: Effect) -> str:
    """Return `measure: value unit (interval)`, with `unknown` spelled out."""
    if effect.measure == effect.value == effect.interval:
        return effect.measure
    value = f"{effect.value} {effect.unit}".strip()
    return f"{effect.measure}: {value} (interval: {effect.interval})"
