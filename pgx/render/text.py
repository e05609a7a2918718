"""Plain text at 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from pgx.render.narrative import Block, Kind, Narrative, narrate
from pgx.report import Run, SampleReport

WIDTH = 80
_BETWEEN_SAMPLES = "\n" + "=" * WIDTH + "\n\n"
_INDENTS = {
    Kind.PARAGRAPH: ("", ""),
    Kind.ALERT: ("", ""),
    Kind.SUBHEADING: ("", ""),
    Kind.BULLET: ("  - ", "    "),
    Kind.DETAIL: ("", "  "),
}


def stream(run: Run, samples: Iterable[SampleReport]) -> Iterator[str]:
    """Yield the reports of the samples, a ruled line between them."""
    for number, report in enumerate(samples):
        yield (_BETWEEN_SAMPLES if number else "") + render(run, report)


def render(run: Run, report: SampleReport) -> str:
    """Return the report of one sample, ending with a newline."""
    return layout(narrate(run, report))


def layout(narrative: Narrative) -> str:
    """Lay out a narrative at `WIDTH` columns."""
    title, *head = narrative.head
    parts = [f"{title.text}\n{'=' * len(title.text)}", _joined(head)]
    parts += [
        f"{section.title}\n{'-' * len(section.title)}\n{_joined(section.blocks)}"
        for section in narrative.sections
    ]
    return "\n\n".join(parts) + "\n"


def _joined(blocks: Iterable[Block]) -> str:
    """Join blocks: an empty line before a change of kind, none inside a list."""
    lines: list[str] = []
    previous: Kind | None = None
    for block in blocks:
        if previous is not None and _is_apart(previous, block.kind):
            lines.append("")
        lines.append(_wrapped(block))
        previous = block.kind
    return "\n".join(lines)


def _is_apart(previous: Kind, current: Kind) -> bool:
    if previous is Kind.SUBHEADING:
        return False
    return current is not previous


def _wrapped(block: Block) -> str:
    first, rest = _INDENTS[block.kind]
    return textwrap.fill(
        block.text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )
