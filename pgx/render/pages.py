"""The pages of a report: one self-contained HTML file, and PDF by typst, from the same narrative.

HTML is put together here, since a library of templates takes longer to start than a whole report.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from itertools import groupby
from operator import attrgetter
from typing import Any

from msgspec import structs

from pgx.errors import UsageError, printable
from pgx.render.form import TEMPLATES, Block, Form, Kind, Narrative, Section, asset, csp_hash
from pgx.render.narrative import OPEN_SECTIONS, narrate
from pgx.render.summary import is_withheld
from pgx.render.svg import draw
from pgx.report import Run, SampleReport
from pgx.wording import Wording

Json = dict[str, Any]
_CAPTION_IS_SHOWN_ALREADY = frozenset({"map", "chromosomes"})  # above the table


def _opened(
    run: Run, report: SampleReport, form: Form, handout: Narrative | None
) -> tuple[Narrative, dict[str, list[Section]], bool, str, str]:
    """Return what is told, its sections by place, whether they are sealed, and the foot of page and leaf."""
    leaf = form.words.say("form", "every_page", sample=printable(report.sample), date=run.created[:10])
    found: dict[str, list[Section]] = {"before": [], "summary": [], "behind": []}
    if handout is not None:
        return handout, found | {"summary": list(handout.sections)}, False, "", leaf
    told = narrate(run, report, form)
    for part in told.sections:
        place = "before" if part.key in OPEN_SECTIONS else "summary" if part.summary else "behind"
        found[place].append(part)
    footer = form.words.say("form", "made", version=run.tool.version)
    return told, found, form.sealed and not is_withheld(run, report), footer, leaf


def fragment(run: Run, report: SampleReport) -> str:
    """Return the summary of one page as a piece of HTML without a style of its own, for a notebook."""
    told = narrate(run, report, full=False, alone=True)
    parts = [f"<h3>{escape(told.title)}</h3>"]
    for title, blocks in (("", told.head), *((part.title, part.blocks) for part in told.sections)):
        parts += [f"<h4>{escape(title)}</h4>"] if title else []
        for kind, group in groupby(blocks, attrgetter("kind")):
            if kind is Kind.FACT:
                parts.append(f"<p>{' · '.join(escape(block.labelled) for block in group)}</p>")
            elif kind is Kind.BULLET:
                items = "".join(f"<li>{escape(block.full_text)}</li>" for block in group)
                parts.append(f"<ul>{items}</ul>")
            else:
                mark = "strong" if kind is Kind.ALERT else "span"
                parts += [f"<p><{mark}>{escape(block.full_text)}</{mark}></p>" for block in group]
    return "\n".join(parts)


def as_html(
    run: Run, report: SampleReport, form: Form | None = None, handout: Narrative | None = None
) -> str:
    """Return the report of one sample, or its hand-out, as an HTML page."""
    form = form or Form()
    say = form.words.say
    told, parts, sealed, footer, leaf = _opened(run, report, form, handout)
    picture = functools.partial(draw, run=run, report=report, words=form.words)
    sheet, digest = asset("report.css")
    # The foot of each leaf is escaped: any character could mean something to CSS.
    spelled = "".join(c if c.isalnum() and c.isascii() else f"\\{ord(c):x} " for c in leaf)
    box, number = "font:8pt system-ui,sans-serif", 'content:counter(page) " / " counter(pages)'
    ours = f'@page{{@bottom-left{{content:"{spelled}";{box}}}@bottom-right{{{number};{box}}}}}'
    rest = _sections(parts["summary"], picture) + "\n"
    if behind := parts["behind"]:
        links = "".join(f'<li><a href="#{part.key}">{escape(part.title)}</a></li>' for part in behind)
        contents = escape(say("form", "contents"))
        rest += f'<nav class="behind" aria-labelledby="h-nav"><h2 id="h-nav">{contents}</h2><ul>{links}</ul>'
        rest += "</nav>\n" + _sections(behind, picture)
    if sealed:
        title, why, opens = (escape(say("form", key)) for key in ("sealed_title", "sealed", "sealed_open"))
        cover = f'<h2>{title}</h2><p>{why}</p>\n<details class="seal"><summary>{opens}</summary>'
        rest = f'{cover}<div class="sealed">{rest}</div></details>\n'
    skips = handout is None and not sealed and not is_withheld(run, report)
    page = asset("report.html")[0].rstrip()
    return page.format(
        language=form.language,
        document_title=escape(f"{told.title}, {run.created[:10]}"),
        title=escape(told.title),
        style=sheet,
        style_hash=digest,
        page_style=ours,
        page_style_hash=csp_hash(ours),
        kind=' class="handout"' if handout is not None else "",
        skip=f'<a class="skip" href="#result">{escape(say("form", "skip"))}</a>\n' if skips else "",
        head=_facts(told.head),
        before=_sections(parts["before"], picture),
        rest=rest,
        footer=escape(footer),
    )


def _sections(sections: Iterable[Section], picture: Callable[[str], tuple[str, str]]) -> str:
    parts = []
    for part in sections:
        key, title, told = part.key, escape(part.title), _blocks(part.blocks, picture)
        head = f'<section id="{key}" aria-labelledby="h-{key}"><h2 id="h-{key}">{title}</h2>'
        if part.folded:
            head = f'<details class="part" id="{key}"><summary><h2>{title}</h2></summary>'
        parts.append(f"{head}\n{told}</{'details' if part.folded else 'section'}>\n")
    return "".join(parts)


def _blocks(blocks: Iterable[Block], picture: Callable[[str], tuple[str, str]]) -> str:
    parts = []
    for kind, group in groupby(blocks, attrgetter("kind")):
        if kind in {Kind.BULLET, Kind.DETAIL}:
            detail = ' class="detail"' if kind is Kind.DETAIL else ""
            parts.append(f"<ul{detail}>")
            for block in group:
                number = f' id="ref-{block.number}"' if block.number else ""
                note = f'<span class="note">{escape(block.note)}</span>' if block.note else ""
                parts.append(f"<li{number}>{_marked(block)}{note}</li>\n")
            parts.append("</ul>\n")
        elif kind is Kind.FACT:
            parts.append(f"{_facts(group)}\n")
        else:
            parts += [_block(block, picture) for block in group]
    return "".join(parts)


def _block(block: Block, picture: Callable[[str], tuple[str, str]]) -> str:
    if block.kind is Kind.SIDES:
        sides = "".join(f"<div>{_blocks(side, picture)}</div>" for side in block.sides)
        return f'<div class="sides">{sides}</div>\n'
    if block.kind is Kind.PICTURE:
        return f"<figure><figcaption>{escape(block.text)}</figcaption>{picture(block.name)[0]}</figure>\n"
    if block.kind is Kind.TABLE:
        return _table(block)
    if block.kind is Kind.SUBHEADING:
        return f"<h3>{escape(block.text)}</h3>\n"
    if block.kind is Kind.ROOM:
        return '<div class="room"></div>\n'
    loud = ' class="alert"' if block.kind is Kind.ALERT else ""
    return f"<p{loud}>{_marked(block)}</p>\n"


def _facts(blocks: Iterable[Block]) -> str:
    told = "<div><dt>{}</dt><dd><bdi>{}</bdi></dd></div>\n".format
    found = (told(escape(block.note), escape(block.text)) for block in blocks)
    return f'<dl class="facts">{"".join(found)}</dl>'


def _marked(block: Block) -> str:
    text = escape(block.text)
    if block.link:
        front, linked, rest = map(escape, block.text.partition(block.linked))
        text = f'{front}<a href="{escape(block.link)}" rel="noreferrer">{linked}</a>{rest}'
    marks = "".join(f'<a href="#ref-{number}">[{number}]</a>' for number in block.marks)
    return f"{text} {marks}" if marks else text


def _table(block: Block) -> str:
    """Return a table; a wide one says its roles, since its cells are blocks on a narrow screen."""
    heads = [escape(cell) for cell in block.rows[0]]
    wide = len(heads) > 4
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


def check_typst() -> None:
    """Check that typst is there; UsageError where it is not."""
    if importlib.util.find_spec("typst") is None:
        cure = "Install it: pip install typst"
        raise UsageError("pdf needs typst, which is not installed", where="-f pdf", cure=cure)


@functools.cache
def _compiler(*, own: bool) -> Any:
    """Return a compiler that keeps its fonts between reports: typst's own, or those of the system, too."""
    import typst  # noqa: PLC0415 - the extra

    return typst.Compiler(str(TEMPLATES / "report.typ"), root=str(TEMPLATES), ignore_system_fonts=own)


def as_pdf(
    run: Run, report: SampleReport, form: Form | None = None, handout: Narrative | None = None
) -> bytes:
    """Return the report of one sample, or its hand-out, as PDF/UA-1; UsageError without typst."""
    check_typst()
    form = form or Form()
    say = form.words.say
    told, parts, sealed, footer, leaf = _opened(run, report, form, handout)

    def plain(block: Block) -> Json:
        known = structs.asdict(block)
        known["sides"] = [[plain(item) for item in side] for side in block.sides]
        known["shown"] = block.name not in _CAPTION_IS_SHOWN_ALREADY
        if block.kind is Kind.PICTURE:
            svg, known["alt"] = draw(block.name, run, report, form.words)
            style = f"<style>{asset('picture.css')[0]}</style>"
            known["svg"] = svg.replace("<title", style + "<title", 1)
        return known

    placed = {}
    for place, sections in parts.items():
        known = ((part.key, part.title, list(map(plain, part.blocks))) for part in sections)
        placed[place] = [{"key": key, "title": title, "blocks": blocks} for key, title, blocks in known]
    moment = datetime.fromisoformat(run.created)
    whole = {
        "sealed": {"title": say("form", "sealed_title"), "text": say("form", "sealed")} if sealed else None,
        "size": 10 if handout is None else 12,  # of letters, in points; what a patient reads is larger
        "footer": footer,
        **placed,
        "title": told.title,
        "head": list(map(plain, told.head)),
        "date": moment.timetuple()[:6],
        "language": form.language,
        "document_title": f"{told.title}, {run.created[:10]}",
        "page": say("form", "page", page="{page}", pages="{pages}"),
        "every_page": leaf,
    }
    return _set(whole, int(moment.timestamp()), form.words)


def _set(whole: Json, moment: int, words: Wording) -> bytes:
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
            text = "".join(re.findall(r'the text `"(.+?)"` could not be displayed', str(error)))
            found = set(re.sub(r"\\u\{([0-9a-f]+)\}", lambda hit: chr(int(hit[1], 16)), text)) - lacking
            if not found:
                raise
            if own:
                own = False
                continue
            tries += 1
            if tries == 8:  # the next letters are told only when these are gone: all that may lack one
                ours = "".join(said for topic in words.topics.values() for said in topic.values())
                letters = set(json.dumps(whole, ensure_ascii=False)).difference(ours)
                found = {letter for letter in letters if ord(letter) > 0x24F}  # the last Latin one
            lacking |= found
        else:
            return made
