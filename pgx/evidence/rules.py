"""The rules and phrases that are data, and the one rule that is code: from claims to a conclusion.

`reference/evidence/tables/rules.toml` and `reference/wording/en.evidence.toml` hold the data. The rule:

1. No status: "indeterminate-genotype". No claim that applies: "no-evidence".
2. Claims that point to different sides: "conflicting", whatever their number or kind.
3. One side: it is a direction only with enough independent, controlled studies with a clinical endpoint
   (for a risk: or a label that states it). Fewer: "insufficient".
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from pgx import reference
from pgx.calling import E4Status
from pgx.evidence.schema import (
    Claim,
    Control,
    Direction,
    Document,
    EndpointKind,
    Group,
    Hedge,
    Identity,
    Level,
    Seen,
    SourceKind,
    Topic,
)
from pgx.reference import Facts, Provenance

RULES_FILE = "evidence/tables/rules.toml"
PHRASES_FILE = "wording/en.evidence.toml"


class ConclusionRule(Facts, frozen=True, kw_only=True):
    """What a direction needs before it may be called one."""

    min_studies: int
    controls: tuple[Control, ...]
    endpoints: tuple[EndpointKind, ...]
    identities: tuple[Identity, ...]
    not_seen: tuple[Seen, ...]
    min_labels_for_risk: int
    label_kinds: tuple[SourceKind, ...]


class DirectionRule(Facts, frozen=True, kw_only=True):
    """The side a direction stands on for its own group, and for the group it is compared with."""

    side: str
    mirror: str
    mirrored_direction: Direction
    conclusion: str = ""


class StatusRule(Facts, frozen=True, kw_only=True):
    """The groups of claims that speak of a person with this status."""

    groups: tuple[Group, ...]


class NoteRule(Facts, frozen=True, kw_only=True):
    """When a note of the phrases is printed; an empty list means always."""

    key: str
    statuses: tuple[E4Status, ...] = ()
    diplotypes: tuple[str, ...] = ()
    indications: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    conclusions: tuple[str, ...] = ()
    only_without_indication: bool = False


class CertaintyRule(Facts, frozen=True, kw_only=True):
    """How a level of certainty was reached, and the highest one that the rule allows."""

    text: str
    at_most: Level


class Tier(Facts, frozen=True, kw_only=True):
    """A tier that the article gives to a section, with what it says there."""

    text: str
    rows: tuple[str, ...] = ()


class LintRule(Facts, frozen=True, kw_only=True):
    """Limits and words for the checks of a curator's work."""

    years: tuple[int, int]
    result_topics: tuple[Topic, ...]
    hedge_words: dict[Hedge, tuple[str, ...]]
    forbidden_phrases: tuple[str, ...]


class Rules(Facts, frozen=True, kw_only=True):
    """All of `rules.toml`."""

    provenance: Provenance
    conclusion: ConclusionRule
    genotype_topics: tuple[Topic, ...]
    context_topics: tuple[Topic, ...]
    minor_age_years: float
    oldest_age_years: float
    directions: dict[Direction, DirectionRule]
    status: dict[E4Status, StatusRule]
    notes: tuple[NoteRule, ...]
    certainty: dict[str, CertaintyRule]
    tiers: dict[str, Tier]
    lint: LintRule


class Phrases(Facts, frozen=True, kw_only=True):
    """All of `en.evidence.toml`: every sentence that a reader sees, but the claims themselves."""

    provenance: Provenance
    conclusions: dict[str, str]
    notes: dict[str, str]
    reasons: dict[str, str]
    context: dict[str, str]
    citation: dict[str, str]
    seen: dict[Seen, str]
    statuses: dict[E4Status, str]
    groups: dict[Group, str]
    directions: dict[Direction, str]
    topics: dict[Topic, str]
    levels: dict[Level, str]
    sides: dict[str, str]
    conflicts: dict[str, str]


@functools.cache
def rules() -> Rules:
    """Return the rules; see `pgx.reference.load` for what is raised."""
    return reference.load(RULES_FILE, Rules)


@functools.cache
def phrases() -> Phrases:
    """Return the phrases; see `pgx.reference.load` for what is raised."""
    return reference.load(PHRASES_FILE, Phrases)


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


def conclude(rules: Rules, sources: Mapping[str, Document], voices: Sequence[Voice]) -> Conclusion:
    """Return the conclusion from the claims that apply to a person whose status is known."""
    if not voices:
        return Conclusion.NO_EVIDENCE
    table = rules.directions
    pointing = [voice for voice in voices if voice.direction in table and table[voice.direction].conclusion]
    live = [voice for voice in pointing if not voice.claim.superseded_by]
    outcomes = {table[voice.direction].conclusion for voice in live}
    if len(outcomes) > 1:
        return Conclusion.CONFLICTING
    if not outcomes:
        return Conclusion.INSUFFICIENT
    outcome = Conclusion(outcomes.pop())
    return (
        outcome
        if _enough(rules, sources, outcome, [voice.claim for voice in live])
        else Conclusion.INSUFFICIENT
    )


def _enough(
    rules: Rules, sources: Mapping[str, Document], outcome: Conclusion, claims: Sequence[Claim]
) -> bool:
    rule = rules.conclusion
    if outcome in {Conclusion.INCREASED_RISK, Conclusion.DECREASED_RISK}:
        labels = {
            source.data_set or source.key
            for claim in claims
            for source in _known_sources(rules, sources, claim)
            if source.kind in rule.label_kinds
        }
        if len(labels) >= rule.min_labels_for_risk:
            return True
    return len(countable_studies(rules, sources, claims)) >= rule.min_studies


def countable_studies(
    rules: Rules, sources: Mapping[str, Document], claims: Sequence[Claim]
) -> frozenset[str]:
    """Return the independent data sets behind those claims that are controlled, clinical and were seen."""
    rule = rules.conclusion
    return frozenset(
        source.data_set or source.key
        for claim in claims
        if claim.control in rule.controls and claim.endpoint_kind in rule.endpoints
        for source in _known_sources(rules, sources, claim)
        if source.kind not in rule.label_kinds
    )


def _known_sources(rules: Rules, sources: Mapping[str, Document], claim: Claim) -> list[Document]:
    rule = rules.conclusion
    documents = [sources[key] for key in claim.sources]
    return [item for item in documents if item.identity in rule.identities and item.seen not in rule.not_seen]
