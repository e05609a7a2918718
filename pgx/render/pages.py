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


def as_html(run: Run, report: SampleReport, form: Form | None = None) -> str:
    """Return the report of one sample as an HTML page."""
    form = form or Form()
    words = form.words
    told = narrate(run, report, form)
    withheld = is_withheld(run, report)
    return page(
        told,
        run,
        report,
        form,
        before=[part for part in told.sections if part.key in OPEN_SECTIONS],
        summary=[part for part in told.sections if part.summary and part.key not in OPEN_SECTIONS],
        behind=[part for part in told.sections if not part.summary],
        sealed=form.sealed and not withheld,
        skip=not withheld,
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
            texts = [
                escape(f"{block.note}: {block.text}" if kind == Kind.FACT.value else block.full_text)
                for block in group
            ]
            if kind == Kind.FACT.value:
                parts.append(f"<p>{' · '.join(texts)}</p>")
            elif kind == Kind.BULLET.value:
                parts.append(f"<ul>{''.join(f'<li>{text}</li>' for text in texts)}</ul>")
            else:
                mark = "strong" if kind == Kind.ALERT.value else "span"
                parts += [f"<p><{mark}>{text}</{mark}></p>" for text in texts]
    return "\n".join(parts)


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


_TABLE_STYLE = """
body{font:1rem/1.45 system-ui,sans-serif;margin:1.5rem;color:#111;background:#fff}
table{border-collapse:collapse;font-size:.85rem}
caption{text-align:left;font-weight:600;margin:0 0 .5rem}
th,td{border:1px solid #777;padding:.35rem .5rem;text-align:left;vertical-align:top}
thead th{background:#eee}
.scroll{overflow-x:auto}
"""
_TABLE_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{style}</style></head>
<body><main><h1>{title}</h1>
<p>{note}</p>
<div class="scroll" tabindex="0" role="region" aria-label="{title}">
<table><caption>{title}</caption>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}</tbody></table></div></main>
<footer><p>{footer}</p></footer></body></html>
"""


def table_page(table: Sequence[Sequence[str]], words: Mapping[str, str], *, footer: str) -> str:
    """Return the table as HTML; the first row holds the names of the columns, `words` their headings."""
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table[1:])
    return _TABLE_PAGE.format(
        title=escape(words["title"]),
        style=_TABLE_STYLE,
        note=escape(words["note"]),
        heads="".join(f'<th scope="col">{escape(words[name])}</th>' for name in table[0]),
        rows="".join(f"<tr>{row}</tr>\n" for row in rows),
        footer=escape(footer),
    )


#: Colours of the pictures on paper; the pictures themselves name classes only.
_INK = (
    "<style>text{font-family:'Libertinus Serif';font-size:13px;fill:#000}.small{font-size:12px;fill:#333}"
    ".strong,.big{font-weight:700}.big{font-size:18px}.strand,.track{fill:#e6e6e6;stroke:#666}"
    ".letter-t,.open{fill:#fff;stroke:#000;stroke-width:2}.letter-c{fill:#1f4a72;stroke:#000;stroke-width:2}"
    ".open{stroke-dasharray:2 4}.dashed{stroke-dasharray:6 3}.on-letter-c{fill:#fff}"
    ".bar,.mark{fill:#1f4a72;stroke:#000}.mark-other{fill:#fff;stroke:#1f4a72;stroke-width:3}"
    ".mark-unknown{fill:#fff;stroke:#000;stroke-width:1.5;stroke-dasharray:3 3}"
    ".threshold{stroke:#000;stroke-width:1.5;stroke-dasharray:4 3}.rule{stroke:#666}</style>"
)
#: Sizes of the letters, in points; what a patient reads is larger.
_SIZE, _SIZE_OF_A_HAND_OUT = 10, 12
_CAPTION_IS_SHOWN_ALREADY = frozenset({"map", "chromosomes"})


def check_typst() -> None:
    """Check that typst is there.

    Raises
    ------
    UsageError
        It is not.
    """
    if importlib.util.find_spec("typst") is None:
        raise UsageError(
            "pdf needs typst, which is not installed",
            where="-f pdf",
            cure="Install it: pip install typst",
        )


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
    words = form.words
    told = narrate(run, report, form)
    sealed = form.sealed and not is_withheld(run, report)

    def plain(blocks: Iterable[Block]) -> list[dict[str, Any]]:
        return [_plain(block, run, report, form) for block in blocks]

    def laid(sections: Iterable[Section]) -> list[dict[str, Any]]:
        return [{"key": part.key, "title": part.title, "blocks": plain(part.blocks)} for part in sections]

    seal = {"title": words.say("form", "sealed_title"), "text": words.say("form", "sealed")}
    data = {
        "title": told.title,
        "head": plain(told.head),
        "before": laid(part for part in told.sections if part.key in OPEN_SECTIONS),
        "summary": laid(part for part in told.sections if part.summary and part.key not in OPEN_SECTIONS),
        "behind": laid(part for part in told.sections if not part.summary),
        "sealed": seal if sealed else None,
        "size": _SIZE,
        "footer": words.say("form", "made", version=run.tool.version),
    }
    return compiled(data, run, report, form)


def sheet(told: Narrative, run: Run, report: SampleReport, form: Form) -> bytes:
    """Return a hand-out, a short text without pictures, as PDF/UA-1."""
    sections = [
        {"key": part.key, "title": part.title, "blocks": [_words(block) for block in part.blocks]}
        for part in told.sections
    ]
    parts = {"before": [], "summary": sections, "behind": [], "sealed": None}
    head = [_words(block) for block in told.head]
    data = {"title": told.title, "head": head, "size": _SIZE_OF_A_HAND_OUT, "footer": "", **parts}
    return compiled(data, run, report, form)


def compiled(data: dict[str, Any], run: Run, report: SampleReport, form: Form) -> bytes:
    """Return a document of the layout's data, with what every page has."""
    words = form.words
    moment = datetime.fromisoformat(run.created)
    whole = data | {
        "date": [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second],
        "language": form.language,
        "document_title": f"{data['title']}, {run.created[:10]}",
        "page": words.say("form", "page", page="{page}", pages="{pages}"),
        "every_page": printed_on_every_page(run, report, form),
    }
    return _set(whole, int(moment.timestamp()), words)


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


def _plain(block: Block, run: Run, report: SampleReport, form: Form) -> dict[str, Any]:
    plain = _words(block)
    plain["sides"] = [[_plain(item, run, report, form) for item in side] for side in block.sides]
    if block.kind is Kind.PICTURE:
        svg, description = draw(block.name, run, report, form.words)
        plain["svg"] = svg.replace("<title", _INK + "<title", 1)
        plain["alt"] = description
    return plain


def _words(block: Block) -> dict[str, Any]:
    return {
        "kind": block.kind.value,
        "text": block.text,
        "marks": block.marks,
        "note": block.note,
        "number": block.number,
        "link": block.link,
        "linked": block.linked,
        "rows": block.rows,
        "shown": block.name not in _CAPTION_IS_SHOWN_ALREADY,
    }
