"""Match a person's status to the claims that speak of it; no probability for a person follows.

A claim matches directly when it speaks of a group that the person is in, and by contrast when it compares
its group with one that the person is in. A claim on another indication is named, never counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import TypeVar

from msgspec import Struct

from pgx.calling import E4Status
from pgx.evidence.cite import SourceCitation, cite
from pgx.evidence.load import EvidenceBase
from pgx.evidence.rules import NEUTRAL, Conclusion, Verdict, Voice, conclude, is_indirect, points
from pgx.evidence.schema import Claim, Direction, Drug, Effect, Group

StructT = TypeVar("StructT", bound=Struct)
_CARRIERS = frozenset({Group.CARRIER, Group.ONE_COPY, Group.TWO_COPIES})


class Subject(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom the evidence is matched for: an e4 status, and the diplotype (`e2/e4`) where determined."""

    status: E4Status
    diplotype: str | None = None


class ConflictNote(Struct, frozen=True, forbid_unknown_fields=True):
    """Another claim that does not fit this one: its id, the kind of conflict, and why, in words."""

    id: str
    kind: str
    note: str


class MatchedClaim(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim that speaks of the person's status, for or against, with the reason why it is here.

    `applies_to`, `direction`: of the claim itself. `side`: where it stands for THIS status:
    "for-lower-response", "for-higher-response", "for-no-difference", "for-higher-risk", "for-lower-risk" or
    "neutral". `applicable`: False for a study of another indication: named, not counted. `data_sets`: claims
    that share one are not independent. `indirect`: it measured something else than what happens to people,
    such as a biomarker. `tier`: what the article says of the section that it stands in, short, or empty.
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
    data_sets: tuple[str, ...] = ()
    indirect: bool = False
    interaction: str = ""
    explanation: str = ""
    tier: str = ""
    result_seen: str = "source"
    superseded_by: tuple[str, ...] = ()


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
    data_sets: tuple[str, ...] = ()
    indirect: bool = False
    explanation: str = ""


class Response(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known about one drug and indication for one status.

    `conclusion`, `also`: `Conclusion`s, the answer and what is true beside it. `certainty`: the lowest of the
    claims behind it, or None. `searched_on`, `next_review`: ISO dates of the last and the next search of the
    literature, or None. `risk`: what a conclusion on a risk is about, or empty.
    """

    drug: str
    indication: str
    indication_label: str
    conclusion: str
    also: tuple[str, ...] = ()
    certainty: str | None = None
    conclusion_text: str
    searched_on: str | None = None
    next_review: str | None = None
    risk: str = ""
    claims: tuple[MatchedClaim, ...]
    by_status: tuple[StatusRow, ...]
    notes: tuple[str, ...]


def respond(
    base: EvidenceBase, subject: Subject, *, indication: str | None = None, drug: str | None = None
) -> tuple[Response, ...]:
    """Return a response for `drug`, or one of its names; without it, for every drug that is always reported.

    `indication`: a code of the vocabulary or one of its names; the usual one of each drug if not given.
    Raises `UsageError` where the indication or the drug is not known.
    """
    code = base.indication(indication) if indication is not None else None
    return tuple(
        _respond(base, subject, item, code or item.default_indication or "any", asked=code is not None)
        for item in base.reported(drug)
    )


def _respond(base: EvidenceBase, subject: Subject, drug: Drug, code: str, *, asked: bool) -> Response:
    topics, label = base.rules.genotype_topics, base.indications[code].label
    claims = [it for it in base.claims.values() if it.drug == drug.name and it.topic in topics]
    if subject.status is E4Status.INDETERMINATE:
        verdict, matches = Verdict(conclusion=Conclusion.INDETERMINATE), []
    else:
        matches = [it for claim in claims if (it := _match(base, subject.status, claim, code)) is not None]
        lead = next((it.side for it in matches if it.claim.article and it.side != NEUTRAL), None)
        # Those on this use come first, then those with the article's side.
        matches.sort(key=lambda it: (not it.applicable, it.side == NEUTRAL, it.side != lead))
        verdict = conclude(base.rules, base.sources, [item for item in matches if item.applicable])
    sentences = [base.phrases.conclusions[item] for item in (verdict.conclusion, *verdict.also)]
    return Response(
        drug=drug.name,
        indication=code,
        indication_label=label,
        conclusion=verdict.conclusion.value,
        also=tuple(item.value for item in verdict.also),
        certainty=verdict.certainty.value if verdict.certainty else None,
        conclusion_text=" ".join(sentences).format(
            drug=drug.name, indication=label, risk=drug.risk or base.phrases.citation["unnamed_risk"]
        ),
        risk=drug.risk,
        searched_on=drug.searched_on.isoformat() if drug.searched_on else None,
        next_review=drug.next_review.isoformat() if drug.next_review else None,
        claims=tuple(_matched(base, subject.status, item, label) for item in matches),
        by_status=tuple(_table(base, claims, code)),
        notes=tuple(_notes(base, subject, drug, code, verdict.conclusion, matches, asked=asked)),
    )


def _match(base: EvidenceBase, status: E4Status, claim: Claim, code: str) -> Voice | None:
    groups = base.rules.status[status].groups
    contrast = claim.group not in groups
    if contrast and not any(group in groups for group in claim.compared_with):
        return None
    direction, side = _side(base, claim, contrast=contrast)
    others = (claim.group,) if contrast else claim.compared_with
    within = status is not E4Status.NON_CARRIER and bool(others) and _CARRIERS.issuperset(others)
    side, applicable = NEUTRAL if within else side, claim.indication == code
    if not applicable and side == NEUTRAL:
        return None
    return Voice(claim, direction, within, contrast, side, applicable)


def _side(base: EvidenceBase, claim: Claim, *, contrast: bool) -> tuple[Direction, str]:
    """Return direction and side of a claim, seen from its own group or from one it is compared with."""
    rule = base.rules.directions.get(claim.direction)
    if rule is None:
        return claim.direction, NEUTRAL
    direction, side = (rule.mirrored_direction, rule.mirror) if contrast else (claim.direction, rule.side)
    return direction, side if points(base.rules, claim) else NEUTRAL


def stated(base: EvidenceBase, claim: Claim, kind: type[StructT], **more: object) -> StructT:
    """Return a record with what a claim states in fields of the same names, kinds as text, and `more`."""
    known = more | {
        "certainty": claim.certainty.level.value,
        "data_sets": base.data_sets(claim),
        "sample_size": sample_size_text(claim),
        "effect": "; ".join(map(effect_text, claim.effects)),
        "indirect": is_indirect(base.rules, claim),
        "conflicts_with": tuple(item.id for item in claim.conflicts_with),
        "conflict_notes": tuple(ConflictNote(it.id, it.kind.value, it.note) for it in claim.conflicts_with),
    }
    for name in Claim.__struct_fields__:
        value = getattr(claim, name)
        known.setdefault(name, value.value if isinstance(value, Enum) else value)
    return kind(**{name: known[name] for name in kind.__struct_fields__ if name in known})


def _matched(base: EvidenceBase, status: E4Status, match: Voice, asked_label: str) -> MatchedClaim:
    words, claim, interaction = base.phrases, match.claim, ""
    if test := claim.interaction:
        compared = words.tests[test.test].format(arms=" / ".join(test.arms))
        interaction = f"{compared}: {test.result} (p {test.p})"
    kind, other = "any" if claim.group is Group.ANY else "direct", ""
    if match.contrast:
        seen = base.rules.status[status].groups
        kind, other = "contrast", words.groups[next(item for item in claim.compared_with if item in seen)]
    group, said = words.groups[claim.group], words.statuses[status]
    reason = words.reasons[kind].format(group=group, other=other, status=said)
    if not match.applicable:
        population = base.populations[claim.population_code].label
        apart = words.reasons["other_population"].format(population=population, indication=asked_label)
        reason = f"{apart} {reason}"
    return stated(
        base,
        claim,
        MatchedClaim,
        applies_to=claim.group.value,
        sources=cite(base, claim),
        side=match.side,
        reason=reason,
        applicable=match.applicable,
        from_article=claim.article is not None,
        certainty_judged_by=claim.certainty.judged_by,
        certainty_rule=base.rules.certainty[claim.certainty.rule].text,
        interaction=interaction,
        tier=base.rules.tiers[claim.article.tier].short if claim.article else "",
    )


def _table(base: EvidenceBase, claims: Sequence[Claim], code: str) -> Iterator[StatusRow]:
    """Yield the common table: first the claims on this indication, then the others, marked as such."""
    for claim in sorted(claims, key=lambda claim: claim.indication != code):
        for group, statement in claim.by_status.items():
            direction, side = _side(base, claim, contrast=group != claim.group)
            yield stated(
                base,
                claim,
                StatusRow,
                claim_id=claim.id,
                group=group.value,
                label=base.phrases.groups[group],
                statement=statement,
                direction=direction.value,
                side=side,
                applicable=claim.indication == code,
                citations=tuple(item.citation for item in cite(base, claim)),
            )


def _notes(
    base: EvidenceBase,
    subject: Subject,
    drug: Drug,
    code: str,
    conclusion: Conclusion,
    matches: Sequence[Voice],
    *,
    asked: bool,
) -> Iterator[str]:
    counted = {item.claim.id for item in matches if item.applicable}
    for rule in base.rules.notes:
        if (
            (not rule.statuses or subject.status in rule.statuses)
            and (not rule.diplotypes or subject.diplotype in rule.diplotypes)
            and (not rule.indications or code in rule.indications)
            and (not rule.drugs or drug.name in rule.drugs)
            and (not rule.conclusions or conclusion in rule.conclusions)
            and (not rule.claims or not counted.isdisjoint(rule.claims))
            and not (rule.only_without_indication and asked)
        ):
            values = {"drug": drug.name, "indication": base.indications[code].label}
            yield base.phrases.notes[rule.key].format(**values)
    if drug.note:
        yield drug.note


def sample_size_text(claim: Claim) -> str:
    """Return `197 patients`, or `unknown`."""
    return f"{claim.sample_size} {claim.sample_unit}".strip()


def effect_text(effect: Effect) -> str:
    """Return `measure: value unit (interval)`, with `unknown` spelled out."""
    if effect.measure == effect.value == effect.interval:
        return effect.measure
    return f"{effect.measure}: {f'{effect.value} {effect.unit}'.strip()} (interval: {effect.interval})"
