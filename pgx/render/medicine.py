"""The parts on the medicine: what it means, and the evidence for and against, study by study."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pgx.evidence import ContextItem, MatchedClaim, Response, SourceCitation
from pgx.evidence.match import StatusRow
from pgx.render.blocks import Block, Kind, bullet, caption, paragraph, subheading
from pgx.render.citations import Citations
from pgx.render.pictures import evidence_marks
from pgx.render.selection import is_searched
from pgx.render.words import capitalised
from pgx.report import Run, SampleReport
from pgx.wording import Wording


def cited(
    statement: str, sources: Sequence[SourceCitation], certainty: str, words: Wording, cite: Citations
) -> Block:
    """Return a statement of the evidence as a list item, with its certainty and its references."""
    sure = words.say("certainty", certainty) if words.has("certainty", certainty) else ""
    text = f"{statement} ({sure})" if sure else statement
    return Block(Kind.BULLET, text, marks=cite.marks(sources), quoted=True)


def medicine_blocks(
    run: Run, report: SampleReport, words: Wording, cite: Citations, *, withheld: bool
) -> Iterable[Block]:
    """Say what the result means for the medicine: the leading statement, the other side, the conclusion."""
    yield from _warnings(run, report, words, cite)
    for response in report.response:
        if len(report.response) > 1:
            yield subheading(f"{response.drug}, {response.indication_label}", quoted=True)
        if withheld:
            yield paragraph(words.say("medicine", "withheld"))
        else:
            yield from _meaning(response, words, cite)
        if is_searched(response.drug):
            yield paragraph(words.say("medicine", "guideline", drug=response.drug))
        if not withheld:
            yield subheading(words.say("heading", "notes"))
            yield from (bullet(note, quoted=True) for note in response.notes)


def _warnings(run: Run, report: SampleReport, words: Wording, cite: Citations) -> Iterable[Block]:
    """Put what the patient context calls up in front; without such a context there is nothing to say."""
    given = run.parameters
    if not (given.taking or given.history or given.age is not None or report.patient.warnings):
        return
    items = [item for item in report.context if item.id in report.patient.warnings]
    if items:
        yield subheading(words.say("heading", "warnings"))
        yield from (item_block(item, words, cite) for item in items)
    yield from (paragraph(note, quoted=True) for note in report.patient.notes)


def item_block(item: ContextItem, words: Wording, cite: Citations) -> Block:
    """Return a statement on the drug that is not about the genotype."""
    return cited(item.statement, item.sources, item.certainty, words, cite)


def _meaning(response: Response, words: Wording, cite: Citations) -> Iterable[Block]:
    lead, against, _, _ = grouped(response)
    for key, claims in (("lead", lead[:1]), ("against", against[:1])):
        if claims:
            yield subheading(words.say("medicine", key))
            yield from (claim_block(claim, words, cite) for claim in claims)
    if response.claims:
        conclusion = words.say("conclusion", response.conclusion)
        yield Block(Kind.ALERT, words.say("heading", "conclusion", conclusion=conclusion))
    yield paragraph(response.conclusion_text, quoted=True)
    if response.claims:
        yield paragraph(words.say("medicine", "see_evidence"))


def claim_block(claim: MatchedClaim, words: Wording, cite: Citations, *, details: bool = False) -> Block:
    """Return a claim as a list item; with `details`, how the study was made stands below it."""
    block = cited(claim.statement, claim.sources, claim.certainty, words, cite)
    if not details:
        return block
    note = words.say(
        "evidence",
        "details",
        control=claim.control,
        blinding=claim.blinding,
        funding=claim.funding,
        rule=claim.certainty_rule,
    )
    return Block(Kind.BULLET, block.text, marks=block.marks, note=note, quoted=True)


def grouped(response: Response) -> tuple[list[MatchedClaim], ...]:
    """Return the claims of the leading side, of the other side, without a side, and of other people."""
    counted = [claim for claim in response.claims if claim.applicable]
    sided = [claim for claim in counted if claim.side != "neutral"]
    lead = sided[0].side if sided else ""
    return (
        [claim for claim in sided if claim.side == lead],
        [claim for claim in sided if claim.side != lead],
        [claim for claim in counted if claim.side == "neutral"],
        [claim for claim in response.claims if not claim.applicable],
    )


def evidence_blocks(
    report: SampleReport, words: Wording, cite: Citations, *, withheld: bool
) -> Iterable[Block]:
    """Show the map of the findings and its table, then the claims on both sides of the question."""
    for number, response in enumerate(report.response):
        if len(report.response) > 1:
            yield subheading(f"{response.drug}, {response.indication_label}", quoted=True)
        if not response.by_status:
            yield paragraph(words.say("evidence", "none"))
            continue
        if evidence_marks(response):
            yield Block(Kind.PICTURE, words.say("picture", "map"), name=f"map-{number}")
            yield caption(words.say("picture", "map_text"))
            yield _map_table(response, words, cite)
        is_general = withheld or not response.claims
        yield from _common_table(response, words) if is_general else _matched(response, words, cite)
        yield paragraph(words.say("evidence", "certainty_note"))
        if is_searched(response.drug):
            yield paragraph(words.say("evidence", "reading"))


def _map_table(response: Response, words: Wording, cite: Citations) -> Block:
    heads = ("letter", "finding", "direction", "population", "endpoint", "size", "effect", "certainty")
    rows = {row.claim_id: row for row in response.by_status if row.group == "carrier"}
    table = [tuple(words.say("table", head) for head in heads)]
    table += [_map_row(mark.letter, rows[mark.claim_id], words, cite) for mark in evidence_marks(response)]
    return Block(Kind.TABLE, words.say("picture", "map"), rows=tuple(table), name="map", quoted=True)


def _map_row(letter: str, row: StatusRow, words: Wording, cite: Citations) -> tuple[str, ...]:
    marks = "".join(f"[{number}]" for number in cite.marks_of(row.citations))
    apart = "" if row.applicable else f" {words.say('table', 'not_counted')}"
    return (
        letter,
        f"{row.statement} {marks}",
        words.say("side", row.side) + apart,
        row.population,
        row.endpoint,
        row.sample_size,
        row.effect,
        words.say("level", row.certainty),
    )


def _matched(response: Response, words: Wording, cite: Citations) -> Iterable[Block]:
    lead, against, also, others = grouped(response)

    def column(key: str, claims: Sequence[MatchedClaim]) -> tuple[Block, ...]:
        heading = subheading(words.say("heading", key, indication=response.indication_label))
        return (heading, *(claim_block(claim, words, cite, details=True) for claim in claims))

    if lead and against:
        yield Block(Kind.SIDES, sides=(column("said", lead), column("against", against)))
    elif lead:
        yield from column("said", lead)
    for key, claims in (("also", also), ("other_indications", others)):
        if claims:
            yield from column(key, claims)


def _common_table(response: Response, words: Wording) -> Iterable[Block]:
    """Give what is said of each group, whoever this person is."""
    yield paragraph(words.say("evidence", "general"))
    labels = dict.fromkeys(row.label for row in response.by_status)
    yield Block(
        Kind.SIDES,
        sides=tuple(
            (
                subheading(f"{capitalised(label)}:", quoted=True),
                *(bullet(row.statement, quoted=True) for row in response.by_status if row.label == label),
            )
            for label in labels
        ),
    )
