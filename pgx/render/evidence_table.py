"""The summary of findings as a page of its own; it loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_STYLE = """
body{font:1rem/1.45 system-ui,sans-serif;margin:1.5rem;color:#111;background:#fff}
table{border-collapse:collapse;font-size:.85rem}
caption{text-align:left;font-weight:600;margin:0 0 .5rem}
th,td{border:1px solid #777;padding:.35rem .5rem;text-align:left;vertical-align:top}
thead th{background:#eee}
.scroll{overflow-x:auto}
"""
_PAGE = """<!DOCTYPE html>
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


def page(table: Sequence[Sequence[str]], words: Mapping[str, str], *, footer: str) -> str:
    """Return the table as HTML; the first row holds the names of the columns, `words` their headings."""
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table[1:])
    return _PAGE.format(
        title=escape(words["title"]),
        style=_STYLE,
        note=escape(words["note"]),
        heads="".join(f'<th scope="col">{escape(words[name])}</th>' for name in table[0]),
        rows="".join(f"<tr>{row}</tr>\n" for row in rows),
        footer=escape(footer),
    )
