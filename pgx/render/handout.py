"""One page for the patient in plain words: an output of its own, and never more than the report can say."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from pgx.errors import printable
from pgx.render import text
from pgx.render.blocks import Block, Kind, Narrative, Section, paragraph
from pgx.render.form import Form
from pgx.render.medicine import undirected
from pgx.render.narrative import is_withheld
from pgx.render.sureness import caveats, has_answer
from pgx.report import Run, SampleReport
from pgx.wording import Wording

_TOPIC = "handout"
_SAID_OF = frozenset({"conflicting", "insufficient", "no-evidence", "indeterminate-genotype"})


def render(run: Run, report: SampleReport, form: Form, ending: str) -> bytes:
    """Return the hand-out of one sample as the ending asks: ".html", ".pdf" or ".txt"."""
    told = handout(run, report, form)
    if ending == ".html":
        return _html(told, run, form).encode()
    if ending == ".pdf":
        return _pdf(told, run, form)
    return text.layout(told).encode()


def handout(run: Run, report: SampleReport, form: Form) -> Narrative:
    """Return the hand-out in words: at most 300, in short sentences."""
    words = form.words
    say = words.say
    withheld = is_withheld(run, report)
    nothing_to_check = not withheld and not has_answer(report)
    parts: dict[str, Iterable[str]] = {
        "what": ("what_1", "what_2", "what_3"),
        "found": _found(report, withheld=withheld),
        "alzheimer": ("alzheimer_1", "alzheimer_2"),
        "family": ("family_1", "family_2"),
        "next": ("next_1", "next_3") if nothing_to_check else ("next_1", "next_2", "next_3"),
    }
    sections = [
        Section(key=key, title=say(_TOPIC, key), blocks=(paragraph(" ".join(say(_TOPIC, k) for k in keys)),))
        for key, keys in parts.items()
    ]
    if not withheld and (told := caveats(report, words)):
        found = next(index for index, section in enumerate(sections) if section.key == "found")
        blocks = (*sections[found].blocks, paragraph(" ".join(told)))
        sections[found] = replace(sections[found], blocks=blocks)
    drug = ", ".join(dict.fromkeys(response.drug for response in report.response))
    medicine = Section(
        key="medicine",
        title=say(_TOPIC, "medicine", drug=drug),
        blocks=tuple(_medicine(report, words, withheld=withheld)),
    )
    sections.insert(2, medicine)
    meta = form.meta.get(report.sample)
    name = (meta.name if meta else None) or report.sample
    head = [paragraph(say(_TOPIC, "for", sample=printable(name)))]
    if mark := say("form", "experimental"):
        head.insert(0, Block(Kind.ALERT, mark))
    return Narrative(title=say(_TOPIC, "title"), head=tuple(head), sections=tuple(sections))


def _found(report: SampleReport, *, withheld: bool) -> tuple[str, ...]:
    if withheld:
        return ("withheld",)
    assumed = ("assumed",) if report.genotype.assumed else ()
    return (report.genotype.e4_status, *assumed)


def _medicine(report: SampleReport, words: Wording, *, withheld: bool) -> Iterable[Block]:
    said = []
    for response in report.response:
        key = response.conclusion if response.conclusion in _SAID_OF else "other"
        if withheld:  # a conclusion depends on the result
            key = "indeterminate-genotype"
        said.append(words.say(_TOPIC, key, drug=response.drug))
    named = {item.drug for item in report.context if item.topic == "contraindication" and item.highlighted}
    said += [words.say(_TOPIC, "contraindicated", drug=drug) for drug in sorted(named)]
    if drug := undirected(report, withheld=withheld):
        said.append(words.say(_TOPIC, "not_needed", drug=drug))
    yield paragraph(" ".join([*dict.fromkeys(said), words.say(_TOPIC, "no_change")]))


def _html(told: Narrative, run: Run, form: Form) -> str:
    from pgx.render.html import environment, page, style  # noqa: PLC0415 - jinja2 is for html only

    sheet, digest = style()
    from markupsafe import Markup  # noqa: PLC0415

    template = environment().get_template("report.html.j2")
    return template.render(
        **page(form),
        title=told.title,
        document_title=told.title,
        head=told.head,
        before=told.sections,
        after=(),
        sealed=False,
        open=False,
        style=Markup(sheet),  # noqa: S704 - our own style sheet
        style_hash=digest,
        picture=str,
        footer=form.words.say("form", "made", version=run.tool.version),
    )


def _pdf(told: Narrative, run: Run, form: Form) -> bytes:
    from pgx.render import pdf  # noqa: PLC0415 - typst is an extra

    pdf.check_installed()
    return pdf.sheet(told, run, form)
