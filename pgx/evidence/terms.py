"""The words that an evidence file may use where it has to choose: topics, directions, kinds, levels."""

from __future__ import annotations

from enum import StrEnum


class Group(StrEnum):
    """The genotype group that a claim speaks of."""

    ANY = "any"
    CARRIER = "carrier"
    NON_CARRIER = "non-carrier"
    ONE_COPY = "one-copy"
    TWO_COPIES = "two-copies"


class Topic(StrEnum):
    """What a claim is about."""

    RESPONSE = "response-by-genotype"
    RISK = "risk-by-genotype"
    EFFICACY = "efficacy"
    SAFETY = "safety"
    CONTRAINDICATION = "contraindication"
    INTERACTION = "interaction"
    DOSING = "dosing"
    MECHANISM = "mechanism"
    COMPOSITION = "composition"
    REGULATORY = "regulatory"
    RELATED_PRODUCT = "related-product"
    ADVICE = "advice"
    EVIDENCE_QUALITY = "evidence-quality"
    BACKGROUND = "background"


class Direction(StrEnum):
    """Which way a claim points, for the group that it names."""

    INCREASED_RESPONSE = "increased-response"
    DECREASED_RESPONSE = "decreased-response"
    NO_DIFFERENCE = "no-difference"
    INCREASED_RISK = "increased-risk"
    DECREASED_RISK = "decreased-risk"
    ASSOCIATION = "association"
    NOT_REPORTED = "not-reported"
    BENEFIT = "benefit"
    NO_BENEFIT = "no-benefit"
    UNCERTAIN = "uncertain"
    HARM = "harm"
    TOLERATED = "tolerated"
    CAUTION = "caution"
    AVOID = "avoid"
    CONTRAINDICATED = "contraindicated"
    IN_USE = "in-use"
    NOT_APPROVED = "not-approved"
    DESCRIPTIVE = "descriptive"


class EndpointKind(StrEnum):
    """What kind of thing was measured."""

    CLINICAL = "clinical"
    BIOMARKER = "biomarker"
    ANIMAL = "animal"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


class Control(StrEnum):
    """What the treated people were compared with."""

    PLACEBO = "placebo"
    ACTIVE = "active"
    USUAL_CARE = "usual-care"
    MIXED = "mixed"
    NONE = "none"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


class Blinding(StrEnum):
    """Who knew which treatment was given."""

    DOUBLE_BLIND = "double-blind"
    OPEN = "open"
    MIXED = "mixed"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


class Predictive(StrEnum):
    """Whether a genotype claim tells drug response from the course of the illness itself."""

    PREDICTIVE = "predictive"
    PROGNOSTIC = "prognostic"
    UNCLEAR = "unclear"
    NOT_APPLICABLE = "not-applicable"


class Species(StrEnum):
    """In whom a claim was observed."""

    HUMAN = "human"
    RAT = "rat"
    MOUSE = "mouse"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


class Hedge(StrEnum):
    """How firmly something is worded, weakest first."""

    UNKNOWN = "unknown"
    MAY = "may"
    SUGGESTS = "suggests"
    SHOWS = "shows"
    STATES = "states"

    @property
    def rank(self) -> int:
        """Return 0 (unknown) to 4 (flatly stated)."""
        return list(Hedge).index(self)


class ConflictKind(StrEnum):
    """Why two claims do not fit together."""

    CONTRADICTION = "contradiction"
    ENDPOINT = "endpoint"
    POPULATION = "population"
    SPECIES = "species"
    SCOPE = "scope"


class Level(StrEnum):
    """How certain a claim is held to be."""

    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"
    VERY_LOW = "very-low"
    NOT_GRADABLE = "not-gradable"
    NOT_RATED = "not-rated"


class Identity(StrEnum):
    """Whether it is known which publication a source is."""

    VERIFIED = "verified"
    INFERRED = "inferred"
    CANDIDATE = "candidate"
    NOT_FOUND = "not-found"


class Seen(StrEnum):
    """What a curator had of a source when writing."""

    FULL_TEXT = "full-text"
    ABSTRACT = "abstract"
    EXCERPT = "excerpt"
    RECORD = "record"
    ONLY_THROUGH_ARTICLE = "only-through-article"


class SourceKind(StrEnum):
    """What kind of document a source is."""

    STUDY = "study"
    REVIEW = "review"
    LABEL = "label"
    ARTICLE = "article"
    GUIDELINE = "guideline"
    NEWS = "news"
    UNKNOWN = "unknown"
