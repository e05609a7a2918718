"""What an evidence file may hold: the strict schema of claims, sources, drugs, indications and populations.

"unknown" is a value that a curator writes; a key that is missing is an error. Keys that are the same for
many claims of a file may stand once in its `[defaults]`.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pgx.evidence.terms import (
    Blinding,
    ConflictKind,
    Control,
    Direction,
    EndpointKind,
    Group,
    Hedge,
    Identity,
    Level,
    Predictive,
    Seen,
    SourceKind,
    Species,
    Topic,
)
from pgx.reference import Facts, Provenance

UNKNOWN = "unknown"

Slug = Annotated[str, Meta(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=80)]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+$", max_length=80)]
Text = Annotated[str, Meta(min_length=1)]
Row = Annotated[str, Meta(pattern=r"^C\d{3}$")]
Marker = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=1)]


class Effect(Facts, frozen=True, kw_only=True):
    """One measured effect; a number has a unit, and what is not known says so."""

    measure: Text
    value: float | int | Text
    unit: str = ""
    interval: Text


class Certainty(Facts, frozen=True, kw_only=True):
    """A level, who judged it, and by which rule of `tables/rules.toml`."""

    level: Level
    judged_by: Text
    rule: Slug


class Article(Facts, frozen=True, kw_only=True):
    """Where the article says it: section, heading, line, rows of its inventory, markers, tier."""

    section: Text
    heading: str = ""
    lines: tuple[int, ...]
    rows: tuple[Row, ...]
    markers: tuple[Marker, ...] = ()
    tier: Slug


class Review(Facts, frozen=True, kw_only=True):
    """Who looked at a claim last, and when."""

    by: Text
    on: datetime.date


class Conflict(Facts, frozen=True, kw_only=True):
    """Another claim that this one does not fit, and why."""

    id: Slug
    kind: ConflictKind
    note: Text


class Claim(Facts, frozen=True, kw_only=True):
    """One claim, in our own words, traceable to what it rests on."""

    id: Slug
    gene: Literal["APOE", "none"]
    group: Group
    compared_with: tuple[Group, ...]
    drug: Text
    topic: Topic
    indication: Slug
    population: Text
    population_code: Slug
    intervention: Text
    comparator: Text
    comparison_group: Text
    control: Control
    blinding: Blinding
    species: Species
    sample_size: Count | Literal["unknown", "not-applicable"]
    sample_unit: str = ""
    endpoint: Text
    endpoint_kind: EndpointKind
    predictive: Predictive
    direction: Direction
    effects: Annotated[tuple[Effect, ...], Meta(min_length=1)]
    statement: Text
    technical: Text
    by_status: dict[Group, Text] = msgspec.field(default_factory=dict)
    hedge: Hedge
    source_hedge: Hedge
    certainty: Certainty
    article: Article | None = None
    sources: Annotated[tuple[Key, ...], Meta(min_length=1)]
    funding: Text
    caveats: tuple[Text, ...]
    conflicts_with: tuple[Conflict, ...] = ()
    superseded_by: tuple[Slug, ...] = ()
    reviewed: Review


class Source(Facts, frozen=True, kw_only=True):
    """One publication or document: which it is, how that is known, and what of it was seen."""

    key: Key
    kind: SourceKind
    identity: Identity
    seen: Seen
    how: Text
    markers: tuple[Marker, ...] = ()
    candidate_for: tuple[Marker, ...] = ()
    authors: str = ""
    year: int | None = None
    title: str = ""
    journal: str = ""
    pmid: Annotated[str, Meta(pattern=r"^\d*$")] = ""
    doi: Annotated[str, Meta(pattern=r"^(10\.\S+)?$")] = ""
    seen_at: str = ""
    design: str = UNKNOWN
    sample_size: str = UNKNOWN
    population: str = UNKNOWN
    population_codes: tuple[Slug, ...] = ()
    results: str = ""
    apoe: str = ""
    funding: str = UNKNOWN
    data_set: str = ""
    succeeded_by: tuple[Key, ...] = ()


class Drug(Facts, frozen=True, kw_only=True):
    """A product. Only a `subject` gets a response by genotype; products are never pooled."""

    name: Text
    role: Literal["subject", "related-product", "comparison"]
    default_indication: Slug | None = None
    note: str = ""


class Indication(Facts, frozen=True, kw_only=True):
    """What somebody is treated for, with the names that a user may write."""

    label: Text
    names: tuple[Text, ...] = ()
    within: tuple[Slug, ...] = ()
    paediatric: bool = False


class Population(Facts, frozen=True, kw_only=True):
    """A group of people, and the wider ones that hold it (for the check against widening)."""

    label: Text
    within: tuple[Slug, ...] = ()


class NamedGroup(Facts, frozen=True, kw_only=True):
    """Names that a user may write for what somebody takes or has, and the claims these bring to the front."""

    kind: Literal["taking", "history", "minor"]
    group: Text
    names: tuple[Text, ...]
    claims: Annotated[tuple[Slug, ...], Meta(min_length=1)]


class EvidenceFile(Facts, frozen=True, kw_only=True):
    """An evidence file without its claims and sources, which are validated one by one."""

    provenance: Provenance
    drugs: tuple[Drug, ...] = ()
    indications: dict[Slug, Indication] = msgspec.field(default_factory=dict)
    populations: dict[Slug, Population] = msgspec.field(default_factory=dict)
    names: tuple[NamedGroup, ...] = ()
    retired: tuple[Slug, ...] = ()
