"""Faults of curation that a schema cannot catch, and what changed between two releases.

Every check yields problems with file, claim and key. Word lists and limits are in `tables/rules.toml`.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from pgx import reference
from pgx.errors import ReferenceDataError
from pgx.evidence import schema
from pgx.evidence.cite import PRINTABLE, link
from pgx.evidence.context import ANIMALS, appendix_kind
from pgx.evidence.load import EvidenceBase
from pgx.evidence.rules import lowered
from pgx.evidence.schema import Claim, Document, Group, Level, ResultSeen, SourceKind, Topic

_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*")
_NUMBER = re.compile(r"(?<![\w.,\-])\d+(?:,\d{3})*(?:\.\d+)?")
# A unit, a percent sign, or a further number of the same list that has one.
_UNIT_AHEAD = re.compile(r"\s?%|\s?[^\W\d_]|,\s\d")
# What a reference line must not hold: a lost volume, a cut title.
_MALFORMED = re.compile(r" :\d|(?<![\w)])\(\d+\):|\.\.\.$|\s{2,}")


class Problem(Struct, frozen=True):
    """One fault: the file, the claim (or source), the key, and what is wrong; one line as text."""

    file: str
    claim: str
    key: str
    message: str
    kind: str = "claim"

    def __str__(self) -> str:
        return f"{self.file}: {self.kind} {self.claim}: {self.key}: {self.message}"


Finding = tuple[str, str]
Check = Callable[[EvidenceBase, Claim], Iterator[Finding]]


def lint(base: EvidenceBase) -> tuple[Problem, ...]:
    """Return all problems of a base."""
    problems = []
    for claim in base.claims.values():
        found = (item for check in CHECKS for item in check(base, claim))
        problems += [Problem(base.origins[claim.id], claim.id, *item) for item in found]
    for key, document in base.sources.items():
        problems += [Problem(base.source_origins[key], key, *it, "source") for it in _reference(document)]
    return tuple(dict.fromkeys(problems))


def overdue(base: EvidenceBase, day: datetime.date) -> tuple[str, ...]:
    """Return a line for each drug whose evidence is due for another search on that day."""
    late = [drug for drug in base.subjects() if drug.next_review is not None and drug.next_review < day]
    return tuple(f"{it.name}: searched on {it.searched_on}, due again on {it.next_review}" for it in late)


def _reference(document: Document) -> Iterator[Finding]:
    if document.identity not in PRINTABLE:
        return
    for field in ("title", "journal", "authors"):
        if _MALFORMED.search(getattr(document, field)):
            yield field, f"is malformed: {getattr(document, field)!r}"
    identified = {SourceKind.STUDY, SourceKind.REVIEW, SourceKind.GUIDELINE}
    if document.kind in identified and not (link(document) or document.no_identifier):
        yield "doi", "has no DOI, PubMed or registry number; say why in no_identifier"
    if document.no_identifier and link(document):
        yield "no_identifier", "an identifier is there"


def _one_sided(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    for conflict in claim.conflicts_with:
        if conflict.id == claim.id:
            yield "conflicts_with", "a claim cannot conflict with itself"
            continue
        others = base.claims[conflict.id].conflicts_with
        if (claim.id, conflict.kind) not in {(item.id, item.kind) for item in others}:
            kind = conflict.kind.value
            yield "conflicts_with", f"{conflict.id} does not name this claim with the kind {kind}"


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
    codes = [source.population_codes for source in base.documents(claim)]
    if not codes or not all(codes):
        return
    stated = [code for group in codes for code in group]
    if _ancestors(base, claim.population_code).isdisjoint(stated):
        wider = f"{claim.population_code} is wider than, or other than, the source's {', '.join(stated)}"
        yield "population_code", wider


def _ancestors(base: EvidenceBase, code: str) -> frozenset[str]:
    found = [code]
    for item in found:  # which grows
        found += [wider for wider in base.populations[item].within if wider not in found]
    return frozenset(found)


def _certainty(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    level, rule = claim.certainty.level, base.rules.certainty[claim.certainty.rule]
    wanted = lowered(rule.at_most, len(claim.certainty.lowered))
    if not base.is_seen(claim) and level not in {Level.NOT_GRADABLE, Level.NOT_RATED}:
        yield "certainty.level", f"{level.value} for a result that was not seen; it cannot be graded"
    elif level is not wanted:
        yield "certainty.level", f"the rule {claim.certainty.rule} gives {wanted.value}, not {level.value}"


def _superseded(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    sources = base.documents(claim)
    if claim.topic not in base.rules.lint.result_topics or not all(item.succeeded_by for item in sources):
        return
    successors = {key for item in sources for key in item.succeeded_by}
    if claim.superseded_by:
        if successors.isdisjoint(key for item in claim.superseded_by for key in base.claims[item].sources):
            yield "superseded_by", "none of the claims named rests on a successor of the source"
        return
    alike = [item for item in base.claims.values() if item.topic is claim.topic]
    if any(successors & {*item.sources} and item.result_seen is ResultSeen.SOURCE for item in alike):
        yield "superseded_by", "its source has a successor; name the claim that rests on it"


def _printed(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    topics = (*base.rules.genotype_topics, *base.rules.context_topics)
    on_subject = claim.topic in topics and base.drugs[claim.drug].role == "subject"
    if not (on_subject or appendix_kind(base, claim)):
        yield "topic", f"no report can print {claim.topic.value} of {claim.drug}"


def _genotype(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    if (claim.predictive is schema.Predictive.PREDICTIVE) != (claim.interaction is not None):
        yield "interaction", "a predictive claim states how treatment was compared by genotype; no other does"
    if claim.topic not in base.rules.genotype_topics:
        return
    if claim.gene == "none":
        yield "gene", "a claim by genotype names the gene"
    if claim.direction not in base.rules.directions:
        return
    if claim.group is Group.ANY:
        yield "group", "a claim with a direction names its group"
    if not claim.compared_with:
        yield "compared_with", "a claim with a direction says which group it compares with"
    elif claim.comparison_group in {"none", "not-applicable"}:
        yield "comparison_group", f"{claim.comparison_group!r} does not go with compared_with"
    told, compared = claim.by_status, (claim.group, *claim.compared_with)
    yield from (("by_status", f"no sentence for {it.value}") for it in compared if it not in told)
    unknown = (group.value for group in told if group not in compared)
    yield from (("by_status", f"{group} is neither the group nor compared with it") for group in unknown)


def _consistent(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
    related = base.drugs[claim.drug].role == "related-product"
    if related != (claim.topic is Topic.RELATED_PRODUCT):
        pair = f"{claim.drug} and the topic {claim.topic.value}"
        yield "topic", f"{pair} do not go together; products are never pooled"
    population = "animals" in _ancestors(base, claim.population_code)
    endpoint = claim.endpoint_kind is schema.EndpointKind.ANIMAL
    if len({claim.species in ANIMALS, endpoint, population}) > 1:
        fault = "species, endpoint_kind and population_code do not agree on whether this is about animals"
        yield "species", fault


def _named(base: EvidenceBase, claim: Claim) -> Iterator[Finding]:
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
    if claim.id in base.retired:
        yield "id", "was used before for another claim; ids are never reused"


CHECKS: tuple[Check, ...] = (
    _one_sided, _numbers, _hedge, _population, _certainty,
    _superseded, _genotype, _consistent, _named, _printed,
)  # fmt: skip


_KINDS = {"claims": "id", "sources": "key"}
Items = dict[str, dict[str, Mapping[str, Any]]]


def read_release(path: Path) -> Items:
    """Read the claims and sources of a release: a document of `pgx evidence export -f json`, or a folder.

    Nothing but TOML is asked of a folder, so that an old one is read though its schema was another. What
    cannot be read, or holds no claims, is a `ReferenceDataError`.
    """
    items: Items = {kind: {} for kind in _KINDS}
    if path.is_dir():
        read = [reference.parse(file, reference.read_bytes(file)) for file in sorted(path.rglob("*.toml"))]
    else:
        cure = "Name a folder or an export in JSON"
        try:
            read = [json.loads(reference.read_bytes(path))]
        except ValueError as error:
            raise ReferenceDataError(f"is not JSON: {error}", where=str(path), cure=cure) from error
        if not isinstance(read[0], dict):
            raise ReferenceDataError("is no export", where=str(path), cure=cure)
    for tables in read:
        defaults = tables.get("defaults", {})
        for kind, name in _KINDS.items():
            rows = tables.get(kind)
            for raw in rows if isinstance(rows, list) else ():  # another file may have a table of that name
                whole = {**defaults, **raw} if kind == "claims" else raw
                items[kind][str(whole.get(name))] = json.loads(json.dumps(whole, default=str))
    if not items["claims"]:
        cure = "Name a reference folder or an export in JSON"
        raise ReferenceDataError("holds no claims", where=str(path), cure=cure)
    return items


def differences(old: Items, new: Items) -> Iterator[str]:
    """Yield one line for each claim or source that came or went, and one for each field that changed."""
    for kind in _KINDS:
        before, after, label = old[kind], new[kind], kind.removesuffix("s")
        yield from (f"- {label} {name}" for name in before if name not in after)
        yield from (f"+ {label} {name}" for name in after if name not in before)
        for name in (name for name in before if name in after):
            yield from (f"~ {label} {name}: {line}" for line in _changes(before[name], after[name]))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], within: str = "") -> Iterator[str]:
    for key in dict.fromkeys((*before, *after)):
        one, two = before.get(key), after.get(key)
        if key == "conflicts_with" and not within:
            one, two = ({item["id"]: item.get("kind") for item in found or []} for found in (one, two))
            yield from _changes(one, two, "conflicts_with ")
        elif one != two and (within or key != "file"):  # the file is of no meaning for what is said
            shown = ("nothing" if it is None else json.dumps(it, ensure_ascii=False) for it in (one, two))
            yield f"{within}{key}: {' -> '.join(shown)}"
