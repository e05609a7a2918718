"""PDF by typst, tagged and reproducible, from the same narrative. typst is the extra `pdf`, imported on use.

Everything is handed over as JSON and set as plain text; the layout is templates/report.typ.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pgx.errors import UsageError
from pgx.render.blocks import Block, Kind, Narrative, Section
from pgx.render.form import TEMPLATES, Form
from pgx.render.html import printed_on_every_page
from pgx.render.narrative import OPEN_SECTIONS, narrate
from pgx.render.summary import is_withheld
from pgx.render.svg import draw
from pgx.report import Run, SampleReport

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


def check_installed() -> None:
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


@functools.cache
def _compiler() -> Any:
    """Return a compiler that keeps its fonts between reports; only typst's own fonts, for the same bytes."""
    import typst  # noqa: PLC0415 - the extra

    layout = TEMPLATES / "report.typ"
    return typst.Compiler(str(layout), root=str(TEMPLATES), ignore_system_fonts=True)


def render(run: Run, report: SampleReport, form: Form | None = None) -> bytes:
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
    made: bytes = _compiler().compile(
        format="pdf",
        sys_inputs={"data": json.dumps(whole)},
        timestamp=int(moment.timestamp()),
        pdf_standards="ua-1",
    )
    return made


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
