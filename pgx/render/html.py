"""One self-contained HTML file: no script, no network, opens from a disk. jinja2 is imported on first use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from pgx.errors import printable
from pgx.render.blocks import Block, Kind, Narrative
from pgx.render.form import Form, asset, csp_hash, environment
from pgx.render.narrative import OPEN_SECTIONS, narrate
from pgx.render.summary import is_withheld
from pgx.render.svg import draw
from pgx.report import Run, SampleReport


def runs(blocks: Iterable[Block]) -> Iterator[tuple[str, list[Block]]]:
    """Yield blocks of one kind that follow each other, so that list items become one list."""
    for kind, group in groupby(blocks, key=lambda block: block.kind):
        yield kind.value, list(group)


def render(run: Run, report: SampleReport, form: Form | None = None) -> str:
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
