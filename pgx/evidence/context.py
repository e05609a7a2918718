"""The drug's other claims for the report, and the warnings that medicines, history and age trigger.

Names are looked up in a table, never guessed: one that is not in it is listed as not recognised.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from pgx.errors import UsageError
from pgx.evidence.cite import SourceCitation, cite
from pgx.evidence.load import EvidenceBase, normalise
from pgx.evidence.match import ConflictNote, stated
from pgx.evidence.schema import Claim, ResultSeen, Species, Topic

_WARNING_TOPICS = frozenset({Topic.SAFETY, Topic.CONTRAINDICATION, Topic.INTERACTION})
ANIMALS = frozenset({Species.RAT, Species.MOUSE})
ANY_USE = "any"


class PatientContext(Struct, frozen=True, forbid_unknown_fields=True):
    """What the user states about the person: names as written, `age` in years, the use of the drug."""

    taking: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    age: float | None = None
    indication: str | None = None


class ContextItem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One claim on the drug, not on the genotype; `highlighted` when the patient's context triggers it."""

    id: str
    topic: str
    drug: str
    indication: str
    indication_label: str
    population: str
    direction: str
    statement: str
    technical: str
    certainty: str
    hedge: str
    tier: str
    conflicts_with: tuple[str, ...]
    conflict_notes: tuple[ConflictNote, ...]
    superseded_by: tuple[str, ...]
    sources: tuple[SourceCitation, ...]
    highlighted: bool
    reason: str
    tier_short: str = ""
    caveats: tuple[str, ...] = ()
    data_sets: tuple[str, ...] = ()
    result_seen: str = "source"


class ContextReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The drug's other claims for one person.

    `items`: all, in the order of the rules' topics; superseded ones after those in force. `warnings`: those
    that are highlighted, one for each topic and data set: versions of a review are one. `unrecognised`: names
    that the table does not know, as written. `notes`: sentences that always go with it. `minor`: the age is
    below the rules' limit, or the use is a paediatric one. `contraindications`: the groups of names that the
    drug has contraindications on, whoever the person is.
    """

    items: tuple[ContextItem, ...]
    warnings: tuple[ContextItem, ...]
    unrecognised: tuple[str, ...]
    notes: tuple[str, ...]
    minor: bool
    contraindications: tuple[str, ...] = ()


def context(base: EvidenceBase, patient: PatientContext, *, drug: str | None = None) -> ContextReport:
    """Return the drug's other claims, those that the patient's context triggers first.

    Names of `patient` may be written in any case, with hyphens or blanks; `drug` as for `respond`. Raises
    `UsageError` where the indication or the drug is not known, or the age cannot be one.
    """
    drugs = frozenset(item.name for item in base.reported(drug))
    code = base.indication(patient.indication) if patient.indication is not None else None
    age = patient.age
    if age is not None and not (math.isfinite(age) and 0 <= age <= base.rules.oldest_age_years):
        raise UsageError("the age cannot be one", where="--age", cure="Give the age in years")
    minor = age is not None and age < base.rules.minor_age_years
    minor = minor or (code is not None and base.indications[code].paediatric)
    called, unrecognised = _called_up(base, patient)
    if minor:
        reason = base.phrases.context["minor_age"].format(age=f"{base.rules.minor_age_years:g}")
        for group in base.names:
            if group.kind == "minor":
                called |= dict.fromkeys(group.claims, reason)
    of_drug = {claim.id: claim for claim in base.claims.values() if claim.drug in drugs}
    called = {name: reason for name, reason in called.items() if name in of_drug}
    chosen = [it for it in of_drug.values() if it.id in called or _belongs(base, it, code)]
    topics, uses = base.rules.context_topics, list(base.indications)
    chosen.sort(
        key=lambda claim: (
            not _highlighted(claim, called, code),
            topics.index(claim.topic) if claim.topic in topics else len(topics),
            claim.indication != code,
            uses.index(claim.indication),
            bool(claim.superseded_by),
            claim.result_seen is not ResultSeen.SOURCE,
        )
    )
    items = tuple(_item(base, claim, called, code) for claim in chosen)
    against = {name for name, claim in of_drug.items() if claim.topic is Topic.CONTRAINDICATION}
    groups = (group for group in base.names if group.kind == "history")
    return ContextReport(
        items=items,
        warnings=tuple(_independent(item for item in items if item.highlighted)),
        unrecognised=unrecognised,
        notes=tuple(_notes(base, code, unrecognised, items, minor=minor)),
        minor=minor,
        contraindications=tuple(group.group for group in groups if not against.isdisjoint(group.claims)),
    )


def appendix_kind(base: EvidenceBase, claim: Claim) -> str | None:
    """Return under which heading of the appendix a claim stands, or None: it is told elsewhere."""
    role = base.drugs[claim.drug].role
    if claim.topic is Topic.RELATED_PRODUCT or role == "related-product":
        return "related-product"
    if role == "comparison":
        return "comparison"
    if claim.species in ANIMALS:
        return "animal"
    appended = {Topic.MECHANISM, Topic.COMPOSITION, Topic.BACKGROUND}
    return claim.topic.value if claim.topic in appended else None


def _independent(items: Iterable[ContextItem]) -> Iterator[ContextItem]:
    """Leave out what is replaced or only repeats the data set of an earlier item of its topic."""
    seen: set[tuple[str, str]] = set()
    for item in items:
        data = {(item.topic, name) for name in item.data_sets}
        if item.topic not in {Topic.SAFETY, Topic.EFFICACY} or not (item.superseded_by or data <= seen):
            seen |= data
            yield item


def _called_up(base: EvidenceBase, patient: PatientContext) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the reason for every claim that a name triggers, and the names that are not recognised."""
    called: dict[str, str] = {}
    unknown: list[str] = []
    for kind, given in (("taking", patient.taking), ("history", patient.history)):
        for name in (item.strip() for item in given):
            groups = [group for group in base.names if group.kind == kind]
            groups = [group for group in groups if normalise(name) in map(normalise, group.names)]
            if name and not groups:
                unknown.append(name)
            for group in groups:
                reason = base.phrases.context[kind].format(names=name, group=group.group)
                for claim in group.claims:
                    called[claim] = f"{called[claim]}; {reason}" if claim in called else reason
    return called, tuple(dict.fromkeys(unknown))


def _belongs(base: EvidenceBase, claim: Claim, code: str | None) -> bool:
    if claim.topic not in base.rules.context_topics or claim.species in ANIMALS:
        return False
    if code is None or claim.indication in {code, ANY_USE, *base.indications[code].within}:
        return True
    return claim.topic not in {Topic.EFFICACY, Topic.DOSING}


def _highlighted(claim: Claim, called: Mapping[str, str], code: str | None) -> bool:
    about_use = code is not None and code != ANY_USE and claim.indication == code
    return claim.id in called or (about_use and claim.topic in _WARNING_TOPICS)


def _item(base: EvidenceBase, claim: Claim, called: Mapping[str, str], code: str | None) -> ContextItem:
    label = base.indications[claim.indication].label
    general = "use" if code is not None and claim.indication == code else "general"
    tier = base.rules.tiers[claim.article.tier] if claim.article else None
    return stated(
        base,
        claim,
        ContextItem,
        indication_label=label,
        tier=tier.text if tier else base.phrases.context["no_tier"],
        sources=cite(base, claim),
        highlighted=_highlighted(claim, called, code),
        reason=called.get(claim.id) or base.phrases.context[general].format(indication=label),
        tier_short=tier.short if tier else "",
    )


def _notes(
    base: EvidenceBase, code: str | None, unknown: Iterable[str], items: Iterable[ContextItem], *, minor: bool
) -> Iterator[str]:
    words = base.phrases.context
    if minor:
        yield words["minor"].format(age=f"{base.rules.minor_age_years:g}")
    yield words["interaction_check"]
    if names := ", ".join(unknown):
        yield words["unrecognised"].format(names=names)
    if code is not None and code != ANY_USE:
        found = any(item.topic == Topic.EFFICACY and item.indication == code for item in items)
        label = base.indications[code].label
        yield words["other_uses" if found else "nothing_on_use"].format(indication=label)
