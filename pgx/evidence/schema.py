"""What an evidence file may hold: its words and its strict models.

"unknown" is a value that a curator writes; a key that is missing is an error. Keys that are the same for
many claims of a file may stand once in its `[defaults]`.
"""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pgx.reference import Facts, Provenance

UNKNOWN = "unknown"


class Group(StrEnum):
    """The genotype group that a claim speaks of."""

    ANY, CARRIER, NON_CARRIER, ONE_COPY = "any", "carrier", "non-carrier", "one-copy"
    TWO_COPIES = "two-copies"


class Topic(StrEnum):
    """What a claim is about."""

    RESPONSE, RISK, EFFICACY, SAFETY = "response-by-genotype", "risk-by-genotype", "efficacy", "safety"
    CONTRAINDICATION, INTERACTION, DOSING = "contraindication", "interaction", "dosing"
    MECHANISM, COMPOSITION, REGULATORY = "mechanism", "composition", "regulatory"
    RELATED_PRODUCT, ADVICE, EVIDENCE_QUALITY = "related-product", "advice", "evidence-quality"
    BACKGROUND = "background"


class Direction(StrEnum):
    """Which way a claim points, for the group that it names."""

    INCREASED_RESPONSE, DECREASED_RESPONSE = "increased-response", "decreased-response"
    NO_DIFFERENCE, INCREASED_RISK, DECREASED_RISK = "no-difference", "increased-risk", "decreased-risk"
    ASSOCIATION, NOT_REPORTED, BENEFIT = "association", "not-reported", "benefit"
    NO_BENEFIT, UNCERTAIN, HARM, TOLERATED = "no-benefit", "uncertain", "harm", "tolerated"
    CAUTION, AVOID, CONTRAINDICATED, IN_USE = "caution", "avoid", "contraindicated", "in-use"
    NOT_APPROVED, DESCRIPTIVE = "not-approved", "descriptive"


class EndpointKind(StrEnum):
    """What kind of thing was measured."""

    CLINICAL, BIOMARKER, ANIMAL, UNKNOWN = "clinical", "biomarker", "animal", "unknown"
    NOT_APPLICABLE = "not-applicable"


class Control(StrEnum):
    """What the treated people were compared with."""

    PLACEBO, ACTIVE, USUAL_CARE, MIXED, NONE = "placebo", "active", "usual-care", "mixed", "none"
    UNKNOWN, NOT_APPLICABLE = "unknown", "not-applicable"


class Blinding(StrEnum):
    """Who knew which treatment was given."""

    DOUBLE_BLIND, OPEN, MIXED, UNKNOWN = "double-blind", "open", "mixed", "unknown"
    NOT_APPLICABLE = "not-applicable"


class Predictive(StrEnum):
    """Whether a genotype claim tells drug response from the course of the illness itself."""

    PREDICTIVE, PROGNOSTIC, UNCLEAR = "predictive", "prognostic", "unclear"
    NOT_APPLICABLE = "not-applicable"


class Species(StrEnum):
    """In whom a claim was observed."""

    HUMAN, RAT, MOUSE, UNKNOWN, NOT_APPLICABLE = "human", "rat", "mouse", "unknown", "not-applicable"


class Hedge(StrEnum):
    """How firmly something is worded, weakest first."""

    UNKNOWN, MAY, SUGGESTS, SHOWS, STATES = "unknown", "may", "suggests", "shows", "states"

    @property
    def rank(self) -> int:
        """Return 0 (unknown) to 4 (flatly stated)."""
        return list(Hedge).index(self)


class ConflictKind(StrEnum):
    """Why two claims do not fit together."""

    CONTRADICTION, ENDPOINT, POPULATION, SPECIES = "contradiction", "endpoint", "population", "species"
    SCOPE = "scope"


class Level(StrEnum):
    """How certain a claim is held to be."""

    HIGH, MODERATE, LOW, VERY_LOW, NOT_GRADABLE = "high", "moderate", "low", "very-low", "not-gradable"
    NOT_RATED = "not-rated"


class Identity(StrEnum):
    """Whether it is known which publication a source is."""

    VERIFIED, INFERRED, CANDIDATE, NOT_FOUND = "verified", "inferred", "candidate", "not-found"


class Seen(StrEnum):
    """How much of a source the curator had at hand."""

    FULL_TEXT, ABSTRACT, EXCERPT, RECORD = "full-text", "abstract", "excerpt", "record"
    ONLY_THROUGH_ARTICLE = "only-through-article"


class ResultSeen(StrEnum):
    """Where the result that a claim reports was read."""

    SOURCE, SECOND_HAND, NOT_SEEN = "source", "second-hand", "not-seen"


class Downgrade(StrEnum):
    """Why a claim is rated below what its design allows; the domains of GRADE."""

    RISK_OF_BIAS, INCONSISTENCY, INDIRECTNESS = "risk-of-bias", "inconsistency", "indirectness"
    IMPRECISION, PUBLICATION_BIAS = "imprecision", "publication-bias"


class SourceKind(StrEnum):
    """What kind of document a source is."""

    STUDY, REVIEW, LABEL, ARTICLE, GUIDELINE = "study", "review", "label", "article", "guideline"
    NEWS, WEB_PAGE, UNKNOWN = "news", "web-page", "unknown"


Slug = Annotated[str, Meta(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=80)]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+$", max_length=80)]
Text = Annotated[str, Meta(min_length=1)]
Row = Annotated[str, Meta(pattern=r"^C\d{3}$")]
Marker = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=1)]
Registry = Annotated[str, Meta(pattern=r"^(NCT\d{8}|ISRCTN\d{8}|EudraCT \d{4}-\d{6}-\d{2})$")]


class Effect(Facts, frozen=True, kw_only=True):
    """One measured effect; a number has a unit, and what is not known says so."""

    measure: Text
    value: float | int | Text
    unit: str = ""
    interval: Text


class Certainty(Facts, frozen=True, kw_only=True):
    """A level, who assigned it, by which rule of `tables/rules.toml`, and what lowered it from there."""

    level: Level
    judged_by: Text
    rule: Slug
    lowered: tuple[Downgrade, ...] = ()


class Interaction(Facts, frozen=True, kw_only=True):
    """What makes a claim predictive: treatment and control compared by genotype.

    `test`: "interaction", of treatment by genotype, or "within-genotype": the drug against its control within
    each genotype group. `result`: what it showed, in words. `p`: the P value as printed, or "unknown".
    """

    test: Literal["interaction", "within-genotype"]
    result: Text
    p: Text
    arms: Annotated[tuple[Text, ...], Meta(min_length=2)]


class Article(Facts, frozen=True, kw_only=True):
    """The place in the article: section, heading, lines, rows of its inventory, markers, tier."""

    section: Text
    heading: str = ""
    lines: tuple[int, ...]
    rows: tuple[Row, ...]
    markers: tuple[Marker, ...] = ()
    tier: Slug


class Review(Facts, frozen=True, kw_only=True):
    """Who reviewed a claim last, and when."""

    by: Text
    on: datetime.date


class Conflict(Facts, frozen=True, kw_only=True):
    """Another claim that this one is at odds with, and why; `also`: further kinds that hold."""

    id: Slug
    kind: ConflictKind
    also: tuple[ConflictKind, ...] = ()
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
    interaction: Interaction | None = None
    direction: Direction
    effects: Annotated[tuple[Effect, ...], Meta(min_length=1)]
    statement: Text
    technical: Text
    explanation: str = ""
    result_seen: ResultSeen = ResultSeen.SOURCE
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


class Document(Facts, frozen=True, kw_only=True):
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
    registry: tuple[Registry, ...] = ()
    short: str = ""
    no_identifier: str = ""
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
    """A product. Only a `subject` gets a response by genotype; products are never pooled.

    `names`: further ones that `--drug` understands. `on_request`: only reported where it is asked for by
    name. `searched_on`, `next_review`: when the literature was last searched for it, and is due again.
    `risk`: what its claims on risk are about, for a sentence: "ARIA".
    """

    name: Text
    role: Literal["subject", "related-product", "comparison"]
    names: tuple[Text, ...] = ()
    default_indication: Slug | None = None
    on_request: bool = False
    searched_on: datetime.date | None = None
    next_review: datetime.date | None = None
    risk: str = ""
    note: str = ""


class Indication(Facts, frozen=True, kw_only=True):
    """What somebody is treated for, with the names that a user may write."""

    label: Text
    names: tuple[Text, ...] = ()
    within: tuple[Slug, ...] = ()
    paediatric: bool = False


class StudyPopulation(Facts, frozen=True, kw_only=True):
    """A group of people, and the wider ones that hold it (for the check against widening)."""

    label: Text
    within: tuple[Slug, ...] = ()


class NamedGroup(Facts, frozen=True, kw_only=True):
    """Names that a user may write for a medicine or a condition, and the claims that these trigger."""

    kind: Literal["taking", "history", "minor"]
    group: Text
    names: tuple[Text, ...]
    claims: Annotated[tuple[Slug, ...], Meta(min_length=1)]


class EvidenceFile(Facts, frozen=True, kw_only=True):
    """An evidence file without its claims and sources, which are validated one by one."""

    provenance: Provenance
    drugs: tuple[Drug, ...] = ()
    indications: dict[Slug, Indication] = msgspec.field(default_factory=dict)
    populations: dict[Slug, StudyPopulation] = msgspec.field(default_factory=dict)
    names: tuple[NamedGroup, ...] = ()
    retired: tuple[Slug, ...] = ()
