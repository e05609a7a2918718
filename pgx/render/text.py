"""Plain text at 80 columns: the summary, one line a sample where there are several, or everything."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator

from pgx.render.form import Block, Form, Kind, Narrative, flattened
from pgx.render.narrative import OPEN_SECTIONS, narrate, one_line
from pgx.report import Run, SampleReport

WIDTH = 80
_SHORT = 40  # a longer summary loses the empty lines between its parts, and the line below its title
_INDENTS = {Kind.BULLET: ("  - ", "    "), Kind.DETAIL: ("", "  ")}


def stream(run: Run, samples: Iterable[SampleReport], form: Form | None = None) -> Iterator[str]:
    """Yield the reports of the samples: the summary of one, a line each of several, or each in full."""
    form, rest = form or Form(), iter(samples)
    if form.full:
        for number, report in enumerate(rest):
            yield ("\n" + "=" * WIDTH + "\n\n" if number else "") + render(run, report, form)
        return
    first = list(itertools.islice(rest, 2))
    if len(first) == 1:
        yield render(run, first[0], form)
    elif first:
        yield from (f"{one_line(run, report, form)}\n" for report in itertools.chain(first, rest))
        yield f"\n{_filled(form.words.say('form', 'one_line_each'), '', '')}\n"


def render(run: Run, report: SampleReport, form: Form | None = None) -> str:
    """Return the report of one sample, ending with a newline: the summary, or all of it."""
    form = form or Form()
    if form.full:
        return layout(narrate(run, report, form))
    last = _filled(form.words.say("form", "shortened"), "", "")
    told = _short(narrate(run, report, form, full=False, alone=True), last)
    if told.count("\n") <= _SHORT:
        return told
    # Warnings that this person brings go before what the studies say; --full has both.
    return _short(narrate(run, report, form, full=False), last)


def _short(narrative: Narrative, last: str) -> str:
    """Lay out a summary in few lines: headings stand out by what is set in below them."""
    title, head = narrative.title, _joined(narrative.head, marks=False)
    parts = []
    for section in narrative.sections:
        if section.key in OPEN_SECTIONS:
            told = " ".join(block.text for block in section.blocks)
            parts.append(_filled(f"{section.title}: {told}", "", "  "))
        else:
            told = _joined(section.blocks, marks=False, dense=True, margin="  ")
            parts.append(f"{section.title}\n{told}")
    told = "\n\n".join([f"{title}\n{'=' * min(len(title), WIDTH)}\n{head}", *parts, last])
    return f"{told}\n" if told.count("\n") < _SHORT else "\n".join([title, head, *parts, last]) + "\n"


def layout(narrative: Narrative) -> str:
    """Lay out a narrative at `WIDTH` columns."""
    title = f"{narrative.title}\n{'=' * min(len(narrative.title), WIDTH)}"
    parts = [f"{title}\n{_joined(narrative.head)}"]
    for section in narrative.sections:
        told = _joined(section.blocks, dense=section.summary)
        parts.append(f"{section.title}\n{'-' * len(section.title)}\n{told}")
    return "\n\n".join(parts) + "\n"


def _joined(blocks: Iterable[Block], *, marks: bool = True, dense: bool = False, margin: str = "") -> str:
    """Join blocks: an empty line before a change of kind, none inside a list or where it is to be dense."""
    lines: list[str] = []
    previous: Kind | None = None
    for kind, group in itertools.groupby(flattened(blocks), key=lambda block: block.kind):
        if kind is Kind.PICTURE:  # its table stands below it
            continue
        if not dense and previous not in {None, Kind.SUBHEADING}:
            lines.append("")
        first, rest = _INDENTS.get(kind, (margin, margin))
        if kind is Kind.FACT:
            lines.append(_filled(" · ".join(block.labelled for block in group), margin, margin))
        elif kind is Kind.ROOM:
            lines += ["_" * WIDTH] * 4
        elif kind is Kind.TABLE:
            lines.append("\n\n".join(map(_table, group)))
        else:
            for block in group:
                lines.append(_filled(block.full_text if marks else block.text, first, rest))
                lines += [_filled(block.note, rest, rest)] if block.note else []
        previous = kind
    return "\n".join(lines)


def _filled(text: str, first: str, rest: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _table(block: Block) -> str:
    """Set a narrow table in columns; a wide one cell by cell, each with its heading."""
    heads, *rows = block.rows
    widths = [max(len(row[column]) for row in block.rows) for column in range(len(heads))]
    lines = [_filled(f"{block.text}:", "", "")]
    if sum(widths) + 2 * len(widths) <= WIDTH:
        lines += [("  " + "  ".join(map(str.ljust, row, widths))).rstrip() for row in block.rows]
    else:
        for row in rows:
            first, *others = zip(heads, row, strict=True)
            lines.append(_filled(f"{first[0]} {first[1]}", "  ", "    "))
            lines += [_filled(f"{head}: {cell}", "    ", "      ") for head, cell in others]
    return "\n".join(lines)
