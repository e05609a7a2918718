"""The rules and the wording that are data: thresholds, who matches what, which note goes where, sentences.

`reference/evidence/tables/rules.toml` and `reference/wording/en.evidence.toml`.
"""

from __future__ import annotations

import functools

from pgx import reference
from pgx.calling import E4Status
from pgx.evidence.terms import (
    Control,
    Direction,
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
WORDING_FILE = "wording/en.evidence.toml"


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
    """When a note of the wording file is printed; an empty list means always."""

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

    words_in_a_row: int
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
    markers_of_article: int
    rows_of_article: int
    directions: dict[Direction, DirectionRule]
    status: dict[E4Status, StatusRule]
    notes: tuple[NoteRule, ...]
    certainty: dict[str, CertaintyRule]
    tiers: dict[str, Tier]
    lint: LintRule


class Wording(Facts, frozen=True, kw_only=True):
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
def wording() -> Wording:
    """Return the wording; see `pgx.reference.load` for what is raised."""
    return reference.load(WORDING_FILE, Wording)
