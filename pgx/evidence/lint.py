"""Faults of curation that a schema cannot catch: one-sided conflicts, lost hedges and the like.

Every check yields problems with file, claim and key. Word lists and limits are in `tables/rules.toml`.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator

from msgspec import Struct

from pgx.evidence.cite import PRINTABLE, link
from pgx.evidence.context import appendix_kind
from pgx.evidence.load import EvidenceBase, dangling
from pgx.evidence.rules import lowered
from pgx.evidence.schema import (
    Claim,
    Direction,
    Document,
    EndpointKind,
    Group,
    Level,
    Predictive,
    ResultSeen,
    Seen,
    SourceKind,
    Species,
    Topic,
)

_ANIMALS = frozenset({Species.RAT, Species.MOUSE})
_DIRECTED = frozenset(
    {
        Direction.INCREASED_RESPONSE,
        Direction.DECREASED_RESPONSE,
        Direction.NO_DIFFERENCE,
        Direction.INCREASED_RISK,
        Direction.DECREASED_RISK,
    }
)
_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*")
_NUMBER = re.compile(r"(?<![\w.,\-])\d+(?:,\d{3})*(?:\.\d+)?")
# A unit, a percent sign, or a further number of the same list that has one.
_UNIT_AHEAD = re.compile(r"\s?%|\s?[^\W\d_]|,\s\d")


# What a reference line must not hold: a lost volume, a cut title.
_MALFORMED = re.compile(r" :\d|(?<![\w)])\(\d+\):|\.\.\.$|\s{2,}")
_IDENTIFIED = frozenset({SourceKind.STUDY, SourceKind.REVIEW, SourceKind.GUIDELINE})
_NO_GROUP = frozenset({"none", "not-applicable"})


class Problem(Struct, frozen=True, kw_only=True):
    """One fault: the file, the claim (or source), the key, and what is wrong."""

    file: str
    claim: str
    key: str
    message: str
    kind: str = "claim"

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.file}: {self.kind} {self.claim}: {self.key}: {self.message}"


Finding = tuple[str, str]
Check = Callable[[EvidenceBase, Claim], Iterator[Finding]]


def lint(base: EvidenceBase) -> tuple[Problem, ...]:
    """Return all problems of a base."""
    problems = [
        Problem(file=base.origins[claim.id], claim=claim.id, key=key, message=message)
        for claim in base.claims.values()
        for check in CHECKS
        for key, message in check(base, claim)
    ]
    for claim, text in dangling(base):
        key, _, message = text.partition(": ")
        problems.append(Problem(file=base.origins[claim.id], claim=claim.id, key=key, message=message))
    problems += [
        Problem(file=base.source_origins[key], claim=key, key=field, message=message, kind="source")
        for key, document in base.sources.items()
        for field, message in _reference(document)
    ]
    return tuple(dict.fromkeys(problems))


def overdue(base: EvidenceBase, day: datetime.date) -> tuple[str, ...]:
    """Return a line for each drug whose evidence is due for another search on that day."""
    return tuple(
        f"{drug.name}: searched on {drug.searched_on}, due again on {drug.next_review}"
        for drug in base.subjects()
        if drug.next_review is not None and drug.next_review < day
    )


def _reference(document: Document) -> Iterator[Finding]:
    """Yield what is wrong with a reference that is printed as such."""
    if document.identity not in PRINTABLE:
        return
    for field in ("title", "journal", "authors"):
        if _MALFORMED.search(getattr(document, field)):
            yield field, f"is malformed: {getattr(document, field)!r}"
    if document.kind in _IDENTIFIED and not (link(document) or document.no_identifier):
        yield "doi", "has no DOI, PubMed or registry number; say why in no_identifier"
    if document.no_identifier and link(document):
        yield "no_identifier", "an identifier is there"


def _one_sided(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    for conflict in claim.conflicts_with:
        other = base.claims.get(conflict.id)
        if conflict.id == claim.id:
            yield "conflicts_with", "a claim cannot conflict with itself"
        elif other and not any(
            item.id == claim.id and item.kind is conflict.kind for item in other.conflicts_with
        ):
            yield (
                "conflicts_with",
                f"{conflict.id} does not name this claim with the kind {conflict.kind.value}",
            )


def _numbers(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    years = base.rules.lint.years
    for effect in claim.effects:
        if (not isinstance(effect.value, str) or effect.value[0].isdigit()) and not effect.unit:
            yield "effects", f"the value {effect.value} has no unit"
    if isinstance(claim.sample_size, int) and not claim.sample_unit:
        yield "sample_size", f"{claim.sample_size} of what? sample_unit is missing"
    for match in _NUMBER.finditer(claim.statement):
        year = match.group().isdigit() and years[0] <= int(match.group()) <= years[1]
        if not year and not _UNIT_AHEAD.match(claim.statement, match.end()):
            yield "statement", f"the number {match.group()} has no unit"


def _hedge(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    if claim.hedge.rank > claim.source_hedge.rank:
        yield "hedge", f"{claim.hedge.value!r} is stronger than the source's {claim.source_hedge.value!r}"
    words = base.rules.lint.hedge_words.get(claim.hedge, ())
    spoken = f" {' '.join(word.casefold() for word in _WORD.findall(claim.statement))} "
    if words and not any(f" {word} " in spoken for word in words):
        yield "statement", f"says none of the words of the hedge {claim.hedge.value!r}: {', '.join(words)}"
    for phrase in base.rules.lint.forbidden_phrases:
        if f" {phrase} " in spoken:
            yield "statement", f"{phrase!r} is a recommendation or a promise"


def _population(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    codes = [base.sources[key].population_codes for key in claim.sources if key in base.sources]
    if not codes or not all(codes):
        return
    wider = _ancestors(base, claim.population_code)
    if not any(code in wider for group in codes for code in group):
        named = ", ".join(code for group in codes for code in group)
        yield "population_code", f"{claim.population_code} is wider than, or other than, the source's {named}"


def _ancestors(base: EvidenceBase, code: str) -> frozenset[str]:
    """Return a population with all wider ones."""
    found: set[str] = set()
    ahead = [code]
    while ahead:
        item = ahead.pop()
        if item not in found:
            found.add(item)
            ahead.extend(base.populations[item].within if item in base.populations else ())
    return frozenset(found)


def _certainty(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    """Hold the level to the one rule: where the kind of evidence starts, less what lowers it."""
    level = claim.certainty.level
    sources = [base.sources[key] for key in claim.sources if key in base.sources]
    unseen = all(source.seen is Seen.ONLY_THROUGH_ARTICLE for source in sources)
    known = claim.result_seen is ResultSeen.SOURCE and not unseen
    if not known and level not in {Level.NOT_GRADABLE, Level.NOT_RATED}:
        yield "certainty.level", f"{level.value} for a result that was not seen; it cannot be graded"
        return
    rule = base.rules.certainty.get(claim.certainty.rule)
    if rule is None:
        return
    wanted = lowered(rule.at_most, len(claim.certainty.lowered))
    if level is not wanted:
        yield "certainty.level", f"the rule {claim.certainty.rule} gives {wanted.value}, not {level.value}"


def _superseded(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    sources = [base.sources[key] for key in claim.sources if key in base.sources]
    if claim.topic not in base.rules.lint.result_topics or not all(item.succeeded_by for item in sources):
        return
    successors = {key for item in sources for key in item.succeeded_by}
    newer = [
        item
        for item in base.claims.values()
        if item.topic is claim.topic
        and successors.intersection(item.sources)
        and item.result_seen is ResultSeen.SOURCE
    ]
    if newer and not claim.superseded_by:
        yield "superseded_by", "its source has a successor; name the claim that rests on it"
    named = {key for item in claim.superseded_by if item in base.claims for key in base.claims[item].sources}
    if claim.superseded_by and not successors & named:
        yield "superseded_by", "none of the claims named rests on a successor of the source"


def _printed(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    if not (
        (claim.topic in base.rules.genotype_topics and base.drugs[claim.drug].role == "subject")
        or (claim.topic in base.rules.context_topics and base.drugs[claim.drug].role == "subject")
        or appendix_kind(base, claim)
    ):
        yield "topic", f"no report can print {claim.topic.value} of {claim.drug}"


def _genotype(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    if (claim.predictive is Predictive.PREDICTIVE) != (claim.interaction is not None):
        yield "interaction", "a predictive claim states how treatment was compared by genotype; no other does"
    if claim.topic not in base.rules.genotype_topics:
        return
    if claim.gene == "none":
        yield "gene", "a claim by genotype names the gene"
    if claim.direction not in _DIRECTED:
        return
    if claim.group is Group.ANY:
        yield "group", "a claim with a direction names its group"
    if not claim.compared_with:
        yield "compared_with", "a claim with a direction says which group it compares with"
    elif claim.comparison_group in _NO_GROUP:
        yield "comparison_group", f"{claim.comparison_group!r} does not go with compared_with"
    for group in (claim.group, *claim.compared_with):
        if group not in claim.by_status:
            yield "by_status", f"no sentence for {group.value}"
    for group in claim.by_status:
        if group not in {claim.group, *claim.compared_with}:
            yield "by_status", f"{group.value} is neither the group nor compared with it"


def _pooled(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    drug = base.drugs.get(claim.drug)
    related = drug is not None and drug.role == "related-product"
    if related != (claim.topic is Topic.RELATED_PRODUCT):
        yield (
            "topic",
            f"{claim.drug} and the topic {claim.topic.value} do not go together; products are never pooled",
        )


def _animals(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    animal_population = "animals" in _ancestors(base, claim.population_code)
    facts = {claim.species in _ANIMALS, claim.endpoint_kind is EndpointKind.ANIMAL, animal_population}
    if len(facts) > 1:
        yield (
            "species",
            "species, endpoint_kind and population_code do not agree on whether this is about animals",
        )


def _untranslated(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    words = base.phrases
    for key, known in (
        ("direction", claim.direction in words.directions),
        ("topic", claim.topic in words.topics),
        ("group", claim.group in words.groups),
        ("certainty.level", claim.certainty.level in words.levels),
        ("conflicts_with", all(item.kind in words.conflicts for item in claim.conflicts_with)),
    ):
        if not known:
            yield key, "has no words in the wording file"


def _retired(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    if claim.id in base.retired:
        yield "id", "was used before for another claim; ids are never reused"


CHECKS: tuple[Check, ...] = (
    _one_sided,
    _numbers,
    _hedge,
    _population,
    _certainty,
    _superseded,
    _genotype,
    _pooled,
    _animals,
    _untranslated,
    _retired,
    _printed,
)
