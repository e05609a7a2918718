"""The parts on the medicine: what the result means for it, the evidence study by study, and the appendix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from pgx.evidence import ContextItem, MatchedClaim, Response
from pgx.evidence.match import StatusRow
from pgx.render.form import Block, Citations, Kind, bullet, caption, paragraph, settings, subheading, table
from pgx.report import AppendixItem, Run, SampleReport
from pgx.wording import Wording, capitalised

_NO_ADVICE = {"conflicting", "insufficient", "no-evidence", "no-difference", "indeterminate-genotype"}
_SIDES = {"for-lower-response": -1, "for-higher-response": 1, "for-no-difference": 0}
_Row = TypeVar("_Row", MatchedClaim, StatusRow)


def drugs(report: SampleReport) -> str:
    """Return the drugs of the report, joined."""
    return ", ".join(dict.fromkeys(response.drug for response in report.response))


def labelled_by_copies(report: SampleReport) -> tuple[str, ...]:
    """Return the drugs that one neutral line names, because their labels use the number of copies of ε4."""
    named = settings().labelled_by_copies
    asked = any(item.indication in settings().labelled_uses for item in report.response)
    return named if asked and not any(item.drug in named for item in report.response) else ()


def label_advice(report: SampleReport, response: Response) -> list[ContextItem]:
    """Return what the label of a drug asks for that uses the number of copies of ε4."""
    if response.drug not in settings().labelled_by_copies:
        return []
    return [item for item in report.context if item.drug == response.drug and item.topic == "advice"]


def undirected(report: SampleReport, *, withheld: bool = False) -> str:
    """Return the drugs on which the evidence gives nobody other advice; conclusions count unless withheld."""
    advised = {item.drug for item in report.response if not withheld and item.conclusion not in _NO_ADVICE}
    known = dict.fromkeys(item.drug for item in report.response if item.drug in settings().without_advice)
    return ", ".join(drug for drug in known if drug not in advised)


class Mark(Struct, frozen=True, kw_only=True):
    """One set of data on the map, seen from ε4 carriers."""

    letter: str
    claims: tuple[str, ...]  # the ids of the findings that rest on it
    side: int  # -1 less, 0 none, 1 more
    people: int | None
    indirect: bool
    counted: bool


def _cited(
    item: ContextItem | MatchedClaim | AppendixItem,
    words: Wording,
    cite: Citations,
    note: str = "",
    letter: str = "",
) -> Block:
    named = "; ".join(dict.fromkeys(source.short for source in item.sources if source.short))
    sure = words.say("certainty", item.certainty) if words.has("certainty", item.certainty) else ""
    if named:
        sure = words.say("evidence", "judged" if sure else "source", certainty=sure, sources=named)
    text = f"{letter}{item.statement}"
    return bullet(f"{text} ({sure})" if sure else text, cite.marks(item.sources), note)


def _remarks(item: ContextItem | MatchedClaim, words: Wording) -> Iterator[str]:
    tier = item.tier if isinstance(item, MatchedClaim) else item.tier_short
    if tier:
        yield words.say("evidence", "tier", tier=tier)
    if item.superseded_by:
        yield words.say("evidence", "replaced")
    if item.result_seen != "source" and isinstance(item, ContextItem):  # a claim has its rule of certainty
        yield words.say("evidence", item.result_seen)
    yield from item.caveats
    if kinds := dict.fromkeys(note.kind for note in item.conflict_notes):
        said = "; ".join(words.say("conflict", kind) for kind in kinds)
        yield words.say("evidence", "odds", kinds=said)


def medicine_blocks(report: SampleReport, words: Wording, *, withheld: bool) -> Iterator[Block]:
    """Yield what goes with the conclusion of the summary: why it is so, and what to keep in mind."""
    for response in report.response:
        if len(report.response) > 1:
            yield subheading(f"{response.drug}, {response.indication_label}")
        if not withheld:
            if response.conclusion not in _NO_ADVICE:
                yield paragraph(response.conclusion_text)
            yield subheading(words.say("heading", "notes"))
            yield from map(bullet, response.notes)


def item_block(item: ContextItem, words: Wording, cite: Citations) -> Block:
    """Return a statement on the drug that is not about the genotype."""
    return _cited(item, words, cite, " ".join(_remarks(item, words)))


def conclusion_words(response: Response, words: Wording) -> str:
    """Return the conclusion and what is true beside it, joined."""
    told = []
    for key in (response.conclusion, *response.also):
        of = response.risk and words.has("conclusion_of", key)
        told.append(words.say("conclusion_of" if of else "conclusion", key, risk=response.risk))
    return words.joined(told)


def concluded(response: Response, words: Wording) -> str:
    """Return the line with the conclusion, and the lowest certainty of what it rests on."""
    conclusion = conclusion_words(response, words)
    key = "conclusion" if response.certainty is None else "conclusion_sure"
    level = response.certainty and words.say("level", response.certainty)
    return words.say("heading", key, conclusion=conclusion, certainty=level)


def claim_block(
    claim: MatchedClaim, words: Wording, cite: Citations, letter: str = "", *, details: bool = False
) -> Block:
    """Return a claim as a list item; with `details`, how the study was made stands below it."""
    said = [claim.explanation] if claim.explanation else []
    if details:
        how = {"control": claim.control, "blinding": claim.blinding, "funding": claim.funding}
        said.append(words.say("evidence", "details", rule=claim.certainty_rule, **how))
        if claim.interaction:
            said.append(words.say("evidence", "by_genotype", interaction=claim.interaction))
        if claim.indirect:
            said.append(words.say("evidence", "indirect"))
        said += _remarks(claim, words)
    return _cited(claim, words, cite, " ".join(said), letter)


def grouped(response: Response) -> tuple[list[MatchedClaim], ...]:
    """Return the claims of the leading side, of the other side, without a side, and of other people."""
    counted = [claim for claim in response.claims if claim.applicable]
    sided = [claim for claim in counted if claim.side != "neutral"]
    lead = sided[0].side if sided else ""
    return (
        [claim for claim in sided if claim.side == lead],
        [claim for claim in sided if claim.side != lead],
        [claim for claim in counted if claim.side == "neutral"],
        _independent([claim for claim in response.claims if not claim.applicable]),
    )


def _independent(rows: Iterable[_Row]) -> list[_Row]:
    """Keep the first of the rows that rest on one set of data; those that do not say count on their own."""
    kept: dict[object, _Row] = {}
    for number, row in enumerate(rows):
        kept.setdefault(row.data_sets or number, row)
    return list(kept.values())


def evidence_blocks(
    report: SampleReport, words: Wording, cite: Citations, *, withheld: bool
) -> Iterator[Block]:
    """Yield the map of the findings and its table, then the claims on both sides of the question."""
    for number, response in enumerate(report.response):
        if len(report.response) > 1:
            yield subheading(f"{response.drug}, {response.indication_label}")
        if not response.by_status:
            yield paragraph(words.say("evidence", "none"))
            continue
        marks = evidence_marks(response)
        letters = {claim: f"{mark.letter}. " for mark in marks for claim in mark.claims}
        if marks:
            yield Block(Kind.PICTURE, words.say("picture", "map"), name=f"map-{number}")
            yield caption(words.say("picture", "map_text"))
            found = {row.claim_id: row for row in response.by_status if row.group == "carrier"}
            heads = ("letter", "direction", "population", "endpoint", "size", "effect", "certainty")
            lines: list[Sequence[str]] = [[words.say("table", head) for head in heads]]
            # of other people one row is enough
            pairs = ((m.letter, claim) for m in marks for claim in (m.claims if m.counted else m.claims[:1]))
            for letter, row in ((letter, found[claim]) for letter, claim in pairs):
                numbers = "".join(f"[{number}]" for number in cite.marks(row.citations))
                side, sure = side_words(row, words), words.say("level", row.certainty)
                side = side if row.applicable else words.say("table", "not_counted", side=side)
                told = (row.population, row.endpoint, row.sample_size, row.effect)
                lines.append((f"{letter} {numbers}", side, *told, sure))
            yield table(words.say("picture", "map"), lines, name="map")
        if withheld or not response.claims:
            yield from _common_table(response, letters, words)
        else:
            yield from _matched(response, letters, words, cite)
        yield paragraph(words.say("evidence", "certainty_note"))
        if response.searched_on is not None:
            yield paragraph(words.say("evidence", "searched", searched_on=response.searched_on))


def side_words(row: StatusRow | MatchedClaim, words: Wording) -> str:
    """Return which way a finding points, no more firmly than its source allows."""
    if row.indirect:
        return words.say("side_indirect", row.side)
    return words.say("side_ungraded" if row.certainty == "not-gradable" else "side", row.side)


def _matched(
    response: Response, letters: Mapping[str, str], words: Wording, cite: Citations
) -> Iterator[Block]:
    lead, against, also, others = grouped(response)

    def column(key: str, claims: Sequence[MatchedClaim]) -> tuple[Block, ...]:
        heading = subheading(words.say("heading", key, indication=response.indication_label))
        return heading, *(claim_block(c, words, cite, letters.get(c.id, ""), details=True) for c in claims)

    if lead and against:
        yield Block(Kind.SIDES, sides=(column("said", lead), column("against", against)))
    elif lead:
        yield from column("said", lead)
    if also:
        yield from column("also_risk" if response.risk else "also", also)
    if others:
        yield from column("other_indications", others)


def _common_table(response: Response, letters: Mapping[str, str], words: Wording) -> Iterator[Block]:
    """Yield what is said of each group, whoever this person is."""
    yield paragraph(words.say("evidence", "general"))
    columns: dict[str, list[str]] = {}
    for label in dict.fromkeys(row.label for row in response.by_status):
        rows = [row for row in response.by_status if row.label == label]
        shown = [row for row in rows if row.applicable]
        shown += _independent(row for row in rows if not row.applicable)
        told = []
        for row in shown:
            said = letters.get(row.claim_id, "") + " ".join(filter(None, (row.statement, row.explanation)))
            of_others = "" if row.applicable else f"{words.say('evidence', 'other_people')}; "
            told.append(f"{said} ({of_others}{words.say('certainty', row.certainty)})")
        columns[label] = list(dict.fromkeys(told))
    first = next(iter(columns.values()), [])
    shared = [text for text in first if all(text in texts for texts in columns.values())]
    if shared:
        yield subheading(words.say("heading", "said"))
        yield from map(bullet, shared)
    own = ((label, [text for text in texts if text not in shared]) for label, texts in columns.items())
    heads = ((subheading(f"{capitalised(label)}:"), texts) for label, texts in own if texts)
    if sides := tuple((head, *map(bullet, texts)) for head, texts in heads):
        yield Block(Kind.SIDES, sides=sides)


def evidence_marks(response: Response) -> tuple[Mark, ...]:
    """Return one mark for each set of data on the response of ε4 carriers, lettered in their order."""
    sets: dict[tuple[object, ...], list[StatusRow]] = {}
    for row in response.by_status:
        if row.group == "carrier" and row.side in _SIDES:
            own = (row.data_sets or (row.claim_id,), row.side, row.applicable, row.indirect)
            sets.setdefault(own, []).append(row)
    return tuple(
        Mark(
            letter=chr(ord("A") + number),
            claims=tuple(row.claim_id for row in found),
            side=_SIDES[found[0].side],
            people=max((_people(row.sample_size) for row in found), default=0) or None,
            indirect=found[0].indirect,
            counted=found[0].applicable,
        )
        for number, found in enumerate(sets.values())
    )


def _people(text: str) -> int:
    found = re.search(r"\d[\d,]*", text)
    return int(found.group().replace(",", "")) if found else 0


def appendix_blocks(run: Run, report: SampleReport, words: Wording, cite: Citations) -> Iterator[Block]:
    """Yield the appendix: the drug by topic, mechanism, products, glossary. No genotype matters."""
    uses = {response.indication for response in report.response}
    told = {item.id for response in report.response for item in label_advice(report, response)}
    told.update(report.patient.warnings)  # which stand in front
    rest = [item for item in report.context if item.id not in told]
    hidden = len(rest)
    for topic in settings().context_topics:
        items = [item for item in rest if item.topic == topic]
        items = [item for item in items if topic != "efficacy" or item.indication in uses]
        if items:
            yield subheading(words.say("topic", topic))
            yield from (item_block(item, words, cite) for item in items)
        hidden -= len(items)
    if hidden:
        yield paragraph(words.say("appendix", "more", count=hidden))
    yield from map(paragraph, report.patient.notes if hidden < len(rest) else ())
    for kind in dict.fromkeys(item.kind for item in run.appendix):
        yield subheading(words.say("appendix", kind, drug=drugs(report)))
        yield from (_cited(item, words, cite, "") for item in run.appendix if item.kind == kind)
    yield subheading(words.say("appendix", "glossary"))
    yield from map(bullet, words.topics["glossary"].values())
