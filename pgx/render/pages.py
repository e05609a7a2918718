"""The pages of a report: one self-contained HTML file, and PDF by typst, from the same narrative.

HTML has no script and no network, and opens from a disk; it is put together here, since a library of
templates takes longer to start than a whole report. PDF is tagged and reproducible; everything is handed over
as JSON and set as plain text by templates/report.typ. typst, an extra, is imported on use.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from itertools import groupby
from typing import Any

from msgspec import Struct, structs

from pgx.errors import UsageError, printable
from pgx.render.form import TEMPLATES, Block, Form, Kind, Narrative, Section, asset, csp_hash
from pgx.render.narrative import OPEN_SECTIONS, narrate
from pgx.render.summary import is_withheld
from pgx.render.svg import draw
from pgx.report import Run, SampleReport
from pgx.wording import Wording

#: Tables whose caption stands above them already.
_CAPTION_IS_SHOWN_ALREADY = frozenset({"map", "chromosomes"})
_NARROW = 4  # columns


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
    parted = _parted(told)
    parts = Parts(
        before=parted["before"],
        summary=parted["summary"],
        behind=parted["behind"],
        sealed=form.sealed and shown,
        skip=shown,
        picture=lambda name: draw(name, run, report, words)[0],
        footer=words.say("form", "made", version=run.tool.version),
    )
    return page(told, run, report, form, parts)


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


_PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '{style_hash}' \
'{page_style_hash}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>{document_title}</title>
<style>{style}</style>
<style>{page_style}</style>
</head>
<body{kind}>
{skip}<header>
<h1><bdi>{title}</bdi></h1>
{head}</header>
<main>
{before}

{rest}</main>
<footer>{footer}</footer>
</body>
</html>"""
Picture = Callable[[str], str]


class Parts(Struct, frozen=True, kw_only=True):
    """What stands where on a page: sections `before` the seal, in the `summary` and `behind` it.

    `picture` returns the SVG of a name; `skip` is a link to the result.
    """

    before: Sequence[Section] = ()
    summary: Sequence[Section]
    behind: Sequence[Section] = ()
    picture: Picture = escape
    footer: str = ""
    kind: str = ""
    sealed: bool = False
    skip: bool = False


def leaf(told: Narrative, run: Run, report: SampleReport, form: Form) -> str:
    """Return a hand-out, a short text without pictures, as an HTML page."""
    return page(told, run, report, form, Parts(summary=told.sections, kind="handout"))


def page(told: Narrative, run: Run, report: SampleReport, form: Form, parts: Parts) -> str:
    """Return a page of a narrative."""
    say = form.words.say
    sheet, digest = asset("report.css")
    ours = _page_style(printed_on_every_page(run, report, form))
    rest = _sections(parts.summary, parts.picture) + "\n"
    if parts.behind:
        links = "".join(f'<li><a href="#{part.key}">{escape(part.title)}</a></li>' for part in parts.behind)
        contents = escape(say("form", "contents"))
        rest += f'<nav class="behind" aria-labelledby="h-nav"><h2 id="h-nav">{contents}</h2><ul>{links}</ul>'
        rest += "</nav>\n"
        rest += _sections(parts.behind, parts.picture)
    if parts.sealed:
        title, why, opens = (escape(say("form", key)) for key in ("sealed_title", "sealed", "sealed_open"))
        rest = (
            f'<h2>{title}</h2><p>{why}</p>\n<details class="seal"><summary>{opens}</summary>'
            f'<div class="sealed">{rest}</div></details>\n'
        )
    to_result = f'<a class="skip" href="#result">{escape(say("form", "skip"))}</a>\n'
    return _PAGE.format(
        language=form.language,
        document_title=escape(f"{told.title}, {run.created[:10]}"),
        title=escape(told.title),
        style=sheet,
        style_hash=digest,
        page_style=ours,
        page_style_hash=csp_hash(ours),
        kind=f' class="{parts.kind}"' if parts.kind else "",
        skip=to_result if parts.skip and not parts.sealed else "",
        head=_facts(told.head),
        before=_sections(parts.before, parts.picture),
        rest=rest,
        footer=escape(parts.footer),
    )


def _sections(sections: Iterable[Section], picture: Picture) -> str:
    return "".join(
        f'<details class="part" id="{part.key}"><summary><h2>{escape(part.title)}</h2></summary>\n'
        f"{_blocks(part.blocks, picture)}</details>\n"
        if part.folded
        else f'<section id="{part.key}" aria-labelledby="h-{part.key}"><h2 id="h-{part.key}">'
        f"{escape(part.title)}</h2>\n{_blocks(part.blocks, picture)}</section>\n"
        for part in sections
    )


def _blocks(blocks: Iterable[Block], picture: Picture) -> str:
    parts = []
    for kind, group in runs(blocks):
        if kind == Kind.BULLET.value:
            parts.append(f"<ul>{''.join(map(_bullet, group))}</ul>\n")
        elif kind == Kind.DETAIL.value:
            parts.append(f'<ul class="detail">{"".join(map(_detail, group))}</ul>\n')
        elif kind == Kind.FACT.value:
            parts.append(f"{_facts(group)}\n")
        else:
            parts += [_block(kind, block, picture) for block in group]
    return "".join(parts)


def _block(kind: str, block: Block, picture: Picture) -> str:
    if kind == Kind.SIDES.value:
        sides = "".join(f"<div>{_blocks(side, picture)}</div>" for side in block.sides)
        return f'<div class="sides">{sides}</div>\n'
    if kind == Kind.PICTURE.value:
        caption = f"<figcaption>{escape(block.text)}</figcaption>"
        return f"<figure>{caption}{picture(block.name)}</figure>\n"
    if kind == Kind.TABLE.value:
        return _table(block)
    if kind == Kind.SUBHEADING.value:
        return f"<h3>{escape(block.text)}</h3>\n"
    if kind == Kind.ROOM.value:
        return '<div class="room"></div>\n'
    loud = ' class="alert"' if kind == Kind.ALERT.value else ""
    return f"<p{loud}>{_marked(block)}</p>\n"


def _facts(blocks: Iterable[Block]) -> str:
    found = (
        f"<div><dt>{escape(block.note)}</dt><dd><bdi>{escape(block.text)}</bdi></dd></div>\n"
        for block in blocks
    )
    return f'<dl class="facts">{"".join(found)}</dl>'


def _bullet(block: Block) -> str:
    note = f'<span class="note">{escape(block.note)}</span>' if block.note else ""
    return f"<li>{_marked(block)}{note}</li>\n"


def _detail(block: Block) -> str:
    number = f' id="ref-{block.number}"' if block.number else ""
    return f"<li{number}>{_marked(block)}</li>\n"


def _marked(block: Block) -> str:
    """Return the text of a block, with its link and the marks of its references."""
    text = escape(block.text)
    if block.link:
        front, linked, rest = map(escape, block.text.partition(block.linked))
        text = f'{front}<a href="{escape(block.link)}" rel="noreferrer">{linked}</a>{rest}'
    marks = "".join(f'<a href="#ref-{number}">[{number}]</a>' for number in block.marks)
    return f"{text} {marks}" if marks else text


def _table(block: Block) -> str:
    """Return a table; a wide one says its roles, since its cells are blocks on a narrow screen."""
    heads = [escape(cell) for cell in block.rows[0]]
    wide = len(heads) > _NARROW
    role = ' role="{}"'.format if wide else "".format
    rows = []
    for row in block.rows[1:]:
        named = [role("cell") + (f' data-head="{head}"' if wide else "") for head in heads]
        cells = (f"<td{name}>{escape(cell)}</td>" for name, cell in zip(named, row, strict=True))
        rows.append(f"<tr{role('row')}>{''.join(cells)}</tr>\n")
    column = role("columnheader")
    head = "".join(f'<th scope="col"{column}>{text}</th>' for text in heads)
    whole = ' class="wide" role="table"' if wide else ""
    hidden = ' class="vh"' if block.name in _CAPTION_IS_SHOWN_ALREADY else ""
    return (
        f"<table{whole}><caption{hidden}>{escape(block.text)}</caption>\n"
        f"<thead{role('rowgroup')}><tr{role('row')}>{head}</tr></thead>\n"
        f"<tbody{role('rowgroup')}>{''.join(rows)}</tbody></table>\n"
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
