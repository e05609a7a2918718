"""One page for the patient in plain words: an output of its own, and never more than the report can say."""

from __future__ import annotations

from collections.abc import Iterable

from pgx.errors import printable
from pgx.render import text
from pgx.render.form import Block, Form, Kind, Narrative, PatientMeta, Section, fact, paragraph
from pgx.render.medicine import drugs, undirected
from pgx.render.summary import is_withheld
from pgx.render.sureness import caveat_codes, has_answer, unstated_sites
from pgx.report import Run, SampleReport
from pgx.wording import Wording

_TOPIC = "handout"
_SAID_OF = frozenset({"conflicting", "insufficient", "no-evidence", "indeterminate-genotype"})


def render(run: Run, report: SampleReport, form: Form, ending: str) -> bytes:
    """Return the hand-out of one sample as the ending asks: ".html", ".pdf" or ".txt"."""
    told = handout(run, report, form)
    if ending == ".txt":
        return text.layout(told).encode()
    from pgx.render import pages  # noqa: PLC0415 - text does without

    if ending == ".pdf":
        pages.check_typst()
        return pages.sheet(told, run, report, form)
    parts = {"kind": _TOPIC, "before": (), "summary": told.sections, "footer": ""}
    return pages.page(told, run, report, form, **parts).encode()


def handout(run: Run, report: SampleReport, form: Form) -> Narrative:
    """Return the hand-out in words: at most 300, in short sentences."""
    words = form.words
    withheld = is_withheld(run, report)
    status = "withheld" if withheld else report.genotype.e4_status
    drug = drugs(report)
    parts: dict[str, Iterable[str]] = {
        "what": _said(words, "what_1", "what_2", "what_3"),
        "found": _found(report, words, withheld=withheld),
        "medicine": _medicine(report, words, withheld=withheld),
        "alzheimer": _said(words, f"alzheimer_{status}", "alzheimer_2"),
        "family": _said(words, f"family_{status}", "family_2"),
        "next": _next(report, words, withheld=withheld),
    }
    sections = [
        Section(key=key, title=words.say(_TOPIC, key, drug=drug), blocks=(paragraph(" ".join(told)),))
        for key, told in parts.items()
    ]
    sections.append(Section(key="notes", title=words.say(_TOPIC, "notes"), blocks=(Block(Kind.ROOM),)))
    title = words.say(_TOPIC, "title_withheld" if withheld else "title")
    return Narrative(title=title, head=tuple(_head(run, report, form)), sections=tuple(sections))


def _head(run: Run, report: SampleReport, form: Form) -> Iterable[Block]:
    say = form.words.say
    meta = form.meta.get(report.sample) or PatientMeta()
    yield fact(say(_TOPIC, "for"), printable(meta.name or report.sample))
    yield fact(say(_TOPIC, "date"), run.created[:10])
    for key in ("laboratory", "contact"):
        yield fact(say("meta", key), printable(getattr(meta, key) or say("meta", "blank")))


def _said(words: Wording, *keys: str) -> list[str]:
    return [words.say(_TOPIC, key) for key in keys]


def _found(report: SampleReport, words: Wording, *, withheld: bool) -> Iterable[str]:
    if withheld:
        return _said(words, "withheld")
    told = _said(words, report.genotype.e4_status)
    if report.genotype.assumed:
        told += _said(words, "assumed")
    if unstated_sites(report):
        told += _said(words, "no_quality")
    for code in caveat_codes(report):
        plain = words.has(_TOPIC, f"caveat_{code}")
        told.append(words.say(_TOPIC, f"caveat_{code}") if plain else words.say("caveat", code))
    if report.genotype.diplotype == "e2/e2":
        told += _said(words, "lipids")
    if report.patient.minor:
        told += _said(words, "minor")
    return told


def _medicine(report: SampleReport, words: Wording, *, withheld: bool) -> Iterable[str]:
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
    return [*dict.fromkeys(said), words.say(_TOPIC, "no_change")]


def _next(report: SampleReport, words: Wording, *, withheld: bool) -> Iterable[str]:
    check = ("next_2",) if not withheld and has_answer(report) else ()
    return _said(words, "next_1", *check, "next_3")
