"""The pages of a report: one self-contained HTML file, and PDF by typst, from the same narrative.

HTML has no script and no network, and opens from a disk. PDF is tagged and reproducible; everything is handed
over as JSON and set as plain text by templates/report.typ. jinja2 and typst, an extra, are imported on use.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from itertools import groupby
from typing import Any

from msgspec import structs

from pgx.errors import UsageError, printable
from pgx.render.form import TEMPLATES, Block, Form, Kind, Narrative, Section, asset, csp_hash, environment
from pgx.render.narrative import OPEN_SECTIONS, narrate
from pgx.render.summary import is_withheld
from pgx.render.svg import draw
from pgx.report import Run, SampleReport
from pgx.wording import Wording


def runs(blocks: Iterable[Block]) -> Iterator[tuple[str, list[Block]]]:
    """Yield blocks of one kind that follow each other, so that list items become one list."""
    for kind, group in groupby(blocks, key=lambda block: block.kind):
        yield kind.value, list(group)


def _parted(told: Narrative) -> dict[str, list[Section]]:
    """Return the sections before the seal, those of the summary behind it, and all others."""
    found: dict[str, list[Section]] = {"before": [], "summary": [], "behind": []}
    for part in told.sections:
        place = "before" if part.key in OPEN_SECTIONS else "summary" if part.summary else "behind"
        found[place].append(part)
    return found


def as_html(run: Run, report: SampleReport, form: Form | None = None) -> str:
    """Return the report of one sample as an HTML page."""
    form = form or Form()
    words = form.words
    told, shown = narrate(run, report, form), not is_withheld(run, report)
    return page(
        told,
        run,
        report,
        form,
        **_parted(told),
        sealed=form.sealed and shown,
        skip=shown,
        picture=lambda name: _markup(draw(name, run, report, words)[0]),
        footer=words.say("form", "made", version=run.tool.version),
    )


def fragment(run: Run, report: SampleReport) -> str:
    """Return the summary of one page as a piece of HTML without a style of its own, for a notebook."""
    told = narrate(run, report, full=False, alone=True)
    parts = [f"<h3>{escape(told.title)}</h3>"]
    for title, blocks in (("", told.head), *((part.title, part.blocks) for part in told.sections)):
        parts += [f"<h4>{escape(title)}</h4>"] if title else []
        for kind, group in runs(blocks):
            if kind == "fact":
                parts.append(f"<p>{' · '.join(escape(block.labelled) for block in group)}</p>")
            elif kind == "bullet":
                items = "".join(f"<li>{escape(block.full_text)}</li>" for block in group)
                parts.append(f"<ul>{items}</ul>")
            else:
                mark = "strong" if kind == "alert" else "span"
                parts += [f"<p><{mark}>{escape(block.full_text)}</{mark}></p>" for block in group]
    return "\n".join(parts)


def leaf(told: Narrative, run: Run, report: SampleReport, form: Form) -> str:
    """Return a hand-out, a short text without pictures, as an HTML page."""
    return page(told, run, report, form, kind="handout", before=(), summary=told.sections, footer="")


def page(told: Narrative, run: Run, report: SampleReport, form: Form, **parts: Any) -> str:
    """Return a page of a narrative; `parts` says which sections stand where, see report.html.j2."""
    words = form.words
    sheet, digest = asset("report.css")
    ours = _page_style(printed_on_every_page(run, report, form))
    given: dict[str, Any] = {"kind": "", "behind": (), "sealed": False, "skip": False, "picture": str} | parts
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            **given,
            runs=runs,
            language=form.language,
            say=words.say,
            title=told.title,
            document_title=f"{told.title}, {run.created[:10]}",
            head=told.head,
            style=_markup(sheet),
            style_hash=digest,
            page_style=_markup(ours),
            page_style_hash=csp_hash(ours),
        )
    )


def printed_on_every_page(run: Run, report: SampleReport, form: Form) -> str:
    """Return what every printed page bears beside its number: the sample and the date of issue."""
    said = {"sample": printable(report.sample), "date": run.created[:10]}
    return form.words.say("form", "every_page", **said)


def _page_style(words: str) -> str:
    """Return the margin of a printed page; every character that could mean something to CSS is escaped."""
    spelled = "".join(c if c.isalnum() and c.isascii() else f"\\{ord(c):x} " for c in words)
    box = "font:8pt system-ui,sans-serif"
    number = 'content:counter(page) " / " counter(pages)'
    return f'@page{{@bottom-left{{content:"{spelled}";{box}}}@bottom-right{{{number};{box}}}}}'


def _markup(text: str) -> Any:
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2

    return Markup(text)  # noqa: S704 - our own style sheets and pictures, in which every text is escaped


def table_page(table: Sequence[Sequence[str]], words: Mapping[str, str], *, footer: str) -> str:
    """Return the table as HTML; the first row holds the names of the columns, `words` their headings."""
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table[1:])
    return asset("table.html")[0].format(
        title=escape(words["title"]),
        style=asset("table.css")[0],
        note=escape(words["note"]),
        heads="".join(f'<th scope="col">{escape(words[name])}</th>' for name in table[0]),
        rows="".join(f"<tr>{row}</tr>\n" for row in rows),
        footer=escape(footer),
    )


#: Sizes of the letters, in points; what a patient reads is larger.
_SIZE, _SIZE_OF_A_HAND_OUT = 10, 12
_CAPTION_IS_SHOWN_ALREADY = frozenset({"map", "chromosomes"})


def check_typst() -> None:
    """Check that typst is there; UsageError where it is not."""
    if importlib.util.find_spec("typst") is None:
        what, cure = "pdf needs typst, which is not installed", "Install it: pip install typst"
        raise UsageError(what, where="-f pdf", cure=cure)


#: What typst says of letters that no font has; the next letters it says of when these are gone.
_LACKING = re.compile(r'the text `"(.+?)"` could not be displayed')
_ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")
_TRIES = 8
_LATIN = 0x24F  # the last of the Latin letters that typst's own fonts surely have


@functools.cache
def _compiler(*, own: bool) -> Any:
    """Return a compiler that keeps its fonts between reports: typst's own, or those of the system, too."""
    import typst  # noqa: PLC0415 - the extra

    layout = TEMPLATES / "report.typ"
    return typst.Compiler(str(layout), root=str(TEMPLATES), ignore_system_fonts=own)


def as_pdf(run: Run, report: SampleReport, form: Form | None = None) -> bytes:
    """Return the report of one sample as PDF/UA-1."""
    form = form or Form()
    told, say = narrate(run, report, form), form.words.say
    seal = {"title": say("form", "sealed_title"), "text": say("form", "sealed")}
    layout = {
        "sealed": seal if form.sealed and not is_withheld(run, report) else None,
        "size": _SIZE,
        "footer": say("form", "made", version=run.tool.version),
    }
    return _compiled(told, _parted(told), layout, run, report, form)


def sheet(told: Narrative, run: Run, report: SampleReport, form: Form) -> bytes:
    """Return a hand-out, a short text without pictures, as PDF/UA-1."""
    check_typst()
    parts = {"before": [], "summary": list(told.sections), "behind": []}
    layout = {"sealed": None, "size": _SIZE_OF_A_HAND_OUT, "footer": ""}
    return _compiled(told, parts, layout, run, report, form)


def _compiled(
    told: Narrative,
    parts: Mapping[str, list[Section]],
    layout: Mapping[str, Any],
    run: Run,
    report: SampleReport,
    form: Form,
) -> bytes:
    """Return a document, with what every page has."""

    def plain(block: Block) -> dict[str, Any]:
        known = structs.asdict(block) | {"kind": block.kind.value}
        known["sides"] = [[plain(item) for item in side] for side in block.sides]
        known["shown"] = block.name not in _CAPTION_IS_SHOWN_ALREADY
        if block.kind is Kind.PICTURE:
            svg, known["alt"] = draw(block.name, run, report, form.words)
            style = f"<style>{asset('picture.css')[0]}</style>"
            known["svg"] = svg.replace("<title", style + "<title", 1)
        return known

    def laid(part: Section) -> dict[str, Any]:
        return {"key": part.key, "title": part.title, "blocks": list(map(plain, part.blocks))}

    moment = datetime.fromisoformat(run.created)
    whole = {
        **layout,
        **{place: list(map(laid, found)) for place, found in parts.items()},
        "title": told.title,
        "head": list(map(plain, told.head)),
        "date": moment.timetuple()[:6],
        "language": form.language,
        "document_title": f"{told.title}, {run.created[:10]}",
        "page": form.words.say("form", "page", page="{page}", pages="{pages}"),
        "every_page": printed_on_every_page(run, report, form),
    }
    return _set(whole, int(moment.timestamp()), form.words)


def _set(whole: dict[str, Any], moment: int, words: Wording) -> bytes:
    """Return the document, whatever letters a name has.

    With typst's own fonts the same data give the same bytes. A letter that these lack is set in a font of the
    system; where none has it, its number stands for it, and the foot of each page says so.
    """
    import typst  # noqa: PLC0415 - the extra

    own, lacking, tries = True, set[str](), 0
    while True:
        data = whole
        if lacking:
            numbers = {ord(letter): f"[U+{ord(letter):04X}]" for letter in lacking}
            said = f"{whole['footer']} {words.say('form', 'numbered')}".strip()
            data = json.loads(json.dumps(whole | {"footer": said}, ensure_ascii=False).translate(numbers))
        try:
            made: bytes = _compiler(own=own).compile(
                format="pdf", sys_inputs={"data": json.dumps(data)}, timestamp=moment, pdf_standards="ua-1"
            )
        except typst.TypstError as error:
            text = "".join(_LACKING.findall(str(error)))
            found = set(_ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)) - lacking
            if not found:
                raise
            if own:
                own = False
                continue
            tries += 1
            lacking |= found if tries < _TRIES else _beyond_latin(whole, words)
        else:
            return made


def _beyond_latin(whole: dict[str, Any], words: Wording) -> set[str]:
    """Return the letters of a document that are neither Latin nor in any sentence of pgx."""
    ours = {letter for topic in words.topics.values() for text in topic.values() for letter in text}
    return {letter for letter in json.dumps(whole, ensure_ascii=False) if ord(letter) > _LATIN} - ours
