"""The rules and phrases that are data, and the one rule that is code: from claims to a conclusion.

`reference/evidence/tables/rules.toml` and `reference/wording/en.evidence.toml` hold the data. The rule:

1. No status: "indeterminate-genotype". No claim that applies: "no-evidence".
2. A claim points to a side unless it is prognostic (a main effect of the genotype says how people fare, not
   how they respond), superseded, or compares carriers with carriers.
3. Clinical claims are compared with clinical ones: if they point to different sides, "conflicting". A
   biomarker is indirect. It stands against a clinical claim ("conflicting") only while fewer than two
   controlled clinical studies agree with each other.
4. A direction needs enough independent, controlled, clinical studies that were seen and compare treatment
   by genotype (`Interaction`); a risk may rest on one such study or on a label. Fewer: "insufficient".
5. "conflicting" is also "insufficient" where no side alone would be enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from pgx.calling import E4Status
from pgx.evidence import schema
from pgx.evidence.schema import Claim, Direction, Document, Group, Level, Topic
from pgx.reference import Facts, Provenance

RULES_FILE = "evidence/tables/rules.toml"
PHRASES_FILE = "wording/en.evidence.toml"
NEUTRAL = "neutral"


class ConclusionRule(Facts, frozen=True, kw_only=True):
    """What a direction needs before it may be called one."""

    min_studies: int
    controls: tuple[schema.Control, ...]
    endpoints: tuple[schema.EndpointKind, ...]
    identities: tuple[schema.Identity, ...]
    not_seen: tuple[schema.Seen, ...]
    min_labels_for_risk: int
    min_studies_for_risk: int
    label_kinds: tuple[schema.SourceKind, ...]


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
    claims: tuple[str, ...] = ()
    only_without_indication: bool = False


class CertaintyRule(Facts, frozen=True, kw_only=True):
    """The level that a kind of evidence starts from; what lowers it is named in the claim."""

    text: str
    at_most: Level


class Tier(Facts, frozen=True, kw_only=True):
    """A tier that the article gives to a section, with what it says there; `short` stands beside a claim."""

    text: str
    short: str = ""
    rows: tuple[str, ...] = ()


class LintRule(Facts, frozen=True, kw_only=True):
    """Limits and words for the checks of a curator's work."""

    years: tuple[int, int]
    result_topics: tuple[Topic, ...]
    hedge_words: dict[schema.Hedge, tuple[str, ...]]
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
    seen: dict[schema.Seen, str]
    statuses: dict[E4Status, str]
    groups: dict[Group, str]
    directions: dict[Direction, str]
    topics: dict[Topic, str]
    levels: dict[Level, str]
    sides: dict[str, str]
    conflicts: dict[str, str]
    tests: dict[str, str]
    summary: dict[str, str]


class Conclusion(StrEnum):
    """What can be said of a drug and indication for a status."""

    CONFLICTING, INSUFFICIENT, DECREASED_RESPONSE = "conflicting", "insufficient", "decreased-response"
    INCREASED_RESPONSE, NO_DIFFERENCE = "increased-response", "no-difference"
    INCREASED_RISK, DECREASED_RISK, NO_EVIDENCE = "increased-risk", "decreased-risk", "no-evidence"
    INDETERMINATE = "indeterminate-genotype"


class Voice(Struct, frozen=True):
    """A claim that applies, with the direction and the side that it has for this person's status.

    `within_carriers`: it compares people with one copy and with two, so it has no side for carriers as such.
    `contrast`: the person is in the group it compares with. `applicable`: it is on the indication asked for.
    """

    claim: Claim
    direction: Direction
    within_carriers: bool = False
    contrast: bool = False
    side: str = NEUTRAL
    applicable: bool = True


class Verdict(Struct, frozen=True, kw_only=True):
    """A conclusion, what is true beside it, and the lowest certainty of the body it rests on."""

    conclusion: Conclusion
    also: tuple[Conclusion, ...] = ()
    certainty: Level | None = None


_GRADES = (Level.HIGH, Level.MODERATE, Level.LOW, Level.VERY_LOW)
_RISKS = frozenset({Conclusion.INCREASED_RISK, Conclusion.DECREASED_RISK})


def lowered(level: Level, steps: int) -> Level:
    """Return a grade `steps` lower, at least very low; what is no grade stays as it is."""
    return _GRADES[min(_GRADES.index(level) + steps, len(_GRADES) - 1)] if level in _GRADES else level


def body_certainty(claims: Sequence[Claim]) -> Level | None:
    """Return the lowest grade of a body of claims; one that cannot be graded makes the others very low."""
    levels = {claim.certainty.level for claim in claims} - {Level.NOT_RATED}
    if levels == {Level.NOT_GRADABLE}:
        return Level.NOT_GRADABLE
    if Level.NOT_GRADABLE in levels:
        return Level.VERY_LOW
    return max(levels, key=_GRADES.index) if levels else (Level.NOT_RATED if claims else None)


def is_indirect(rules: Rules, claim: Claim) -> bool:
    """Return whether a claim measured something else than what happens to people, such as a biomarker."""
    return claim.endpoint_kind not in rules.conclusion.endpoints


def points(rules: Rules, claim: Claim) -> bool:
    """Return whether a claim speaks for a side at all, whatever the person's status."""
    return (
        claim.direction in rules.directions
        and claim.predictive is not schema.Predictive.PROGNOSTIC
        and not claim.superseded_by
    )


def conclude(rules: Rules, sources: Mapping[str, Document], voices: Sequence[Voice]) -> Verdict:
    """Return the verdict on the claims that apply to a person whose status is known."""
    if not voices:
        return Verdict(conclusion=Conclusion.NO_EVIDENCE)
    live = [voice for voice in voices if points(rules, voice.claim) and not voice.within_carriers]
    certainty = body_certainty([voice.claim for voice in (live or voices)])
    direct, indirect = dict[Conclusion, list[Claim]](), set[Conclusion]()
    for voice in live:
        outcome = Conclusion(rules.directions[voice.direction].conclusion)
        if is_indirect(rules, voice.claim):
            indirect.add(outcome)
        else:
            direct.setdefault(outcome, []).append(voice.claim)
    firm = [outcome for outcome, claims in direct.items() if _enough(rules, sources, outcome, claims)]
    if len(direct) == 1:
        (claims,) = direct.values()
        agreeing = len(countable_studies(rules, sources, claims)) >= rules.conclusion.min_studies
        disagree = bool(indirect - set(direct)) and not (firm or agreeing)
    else:
        disagree = len(direct) > 1 or len(indirect) > 1
    if disagree:
        also = () if firm else (Conclusion.INSUFFICIENT,)
        return Verdict(conclusion=Conclusion.CONFLICTING, also=also, certainty=certainty)
    return Verdict(conclusion=firm[0] if firm else Conclusion.INSUFFICIENT, certainty=certainty)


def _enough(
    rules: Rules, sources: Mapping[str, Document], outcome: Conclusion, claims: Sequence[Claim]
) -> bool:
    rule = rules.conclusion
    wanted = rule.min_studies
    if outcome in _RISKS:
        if len(_data_sets(rule, sources, claims, labels=True)) >= rule.min_labels_for_risk:
            return True
        wanted = rule.min_studies_for_risk
    kind = schema.Predictive.PREDICTIVE
    predictive = [item for item in claims if item.predictive is kind and item.interaction]
    return len(countable_studies(rules, sources, predictive)) >= wanted


def countable_studies(
    rules: Rules, sources: Mapping[str, Document], claims: Sequence[Claim]
) -> frozenset[str]:
    """Return the independent data sets behind those claims that are controlled, clinical and were seen."""
    rule = rules.conclusion
    seen = [claim for claim in claims if claim.result_seen is schema.ResultSeen.SOURCE]
    counted = [it for it in seen if it.control in rule.controls and it.endpoint_kind in rule.endpoints]
    return _data_sets(rule, sources, counted, labels=False)


def _data_sets(
    rule: ConclusionRule, sources: Mapping[str, Document], claims: Sequence[Claim], *, labels: bool
) -> frozenset[str]:
    """Return the independent data sets of the labels, or of all else, that are known and were seen."""
    return frozenset(
        item.data_set or item.key
        for item in (sources[key] for claim in claims for key in claim.sources)
        if (item.kind in rule.label_kinds) is labels
        and item.identity in rule.identities
        and item.seen not in rule.not_seen
    )
