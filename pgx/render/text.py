"""Plain text at 80 columns: for the terminal without tables and appendix, in full on request."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from pgx.render.blocks import CAPTION, Block, Kind, Narrative, Section, flattened, paragraph
from pgx.render.form import Form
from pgx.render.narrative import narrate
from pgx.report import Run, SampleReport

WIDTH = 80
_LEFT_OUT = frozenset({"appendix", "sources"})
_BETWEEN_SAMPLES = "\n" + "=" * WIDTH + "\n\n"
_INDENTS = {Kind.BULLET: ("  - ", "    "), Kind.DETAIL: ("", "  "), Kind.TABLE: ("  ", "    ")}


def stream(run: Run, samples: Iterable[SampleReport], form: Form | None = None) -> Iterator[str]:
    """Yield the reports of the samples, a ruled line between them."""
    for number, report in enumerate(samples):
        yield (_BETWEEN_SAMPLES if number else "") + render(run, report, form)


def render(run: Run, report: SampleReport, form: Form | None = None) -> str:
    """Return the report of one sample, ending with a newline."""
    form = form or Form()
    narrative = narrate(run, report, form)
    return layout(narrative if form.full else shortened(narrative, form))


def shortened(narrative: Narrative, form: Form) -> Narrative:
    """Return a narrative for a terminal: no tables, no appendix, only the references still cited."""
    kept = [_without_pictures(section) for section in narrative.sections if section.key not in _LEFT_OUT]
    cited = {mark for section in kept for block in flattened(section.blocks) for mark in block.marks}
    sections = []
    for section in narrative.sections:
        if section.key == "appendix":
            blocks: tuple[Block, ...] = (paragraph(form.words.say("form", "shortened")),)
        elif section.key == "sources":
            blocks = tuple(block for block in section.blocks if block.number in cited)
        else:
            blocks = _without_pictures(section).blocks
        if blocks:
            sections.append(replace(section, blocks=blocks))
    return replace(narrative, sections=tuple(sections))


def _without_pictures(section: Section) -> Section:
    blocks = flattened(section.blocks)
    return replace(
        section,
        blocks=tuple(block for block in blocks if block.kind is not Kind.TABLE and block.name != CAPTION),
    )


def layout(narrative: Narrative) -> str:
    """Lay out a narrative at `WIDTH` columns."""
    parts = [f"{narrative.title}\n{'=' * len(narrative.title)}", _joined(narrative.head)]
    parts += [
        f"{section.title}\n{'-' * len(section.title)}\n{_joined(section.blocks)}"
        for section in narrative.sections
    ]
    return "\n\n".join(parts) + "\n"


def _joined(blocks: Iterable[Block]) -> str:
    """Join blocks: an empty line before a change of kind, none inside a list. Pictures have their tables."""
    lines: list[str] = []
    previous: Kind | None = None
    for block in flattened(blocks):
        if block.kind is Kind.PICTURE:
            continue
        if previous is not None and _is_apart(previous, block.kind):
            lines.append("")
        lines.append(_table(block) if block.kind is Kind.TABLE else _wrapped(block))
        previous = block.kind
    return "\n".join(lines)


def _is_apart(previous: Kind, current: Kind) -> bool:
    return previous is not Kind.SUBHEADING and (current is not previous or current is Kind.TABLE)


def _wrapped(block: Block) -> str:
    first, rest = _INDENTS.get(block.kind, ("", ""))
    text = _filled(block.full_text, first, rest)
    return f"{text}\n{_filled(block.note, rest, rest)}" if block.note else text


def _filled(text: str, first: str, rest: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _table(block: Block) -> str:
    """Set a narrow table in columns; a wide one cell by cell, each with its heading."""
    heads, *rows = block.rows
    widths = [max(len(row[column]) for row in block.rows) for column in range(len(heads))]
    lines = [_filled(f"{block.text}:", "", "")]
    if sum(widths) + 2 * len(widths) <= WIDTH:
        for row in block.rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            lines.append(("  " + "  ".join(cells)).rstrip())
        return "\n".join(lines)
    for row in rows:
        first, *others = zip(heads, row, strict=True)
        lines.append(_filled(f"{first[0]} {first[1]}", "  ", "    "))
        lines += [_filled(f"{head}: {cell}", "    ", "      ") for head, cell in others]
    return "\n".join(lines)
