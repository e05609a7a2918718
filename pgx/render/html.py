"""One self-contained HTML file: no script, no network, opens from a disk. jinja2 is imported on first use."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgx.render.blocks import Block, Section
from pgx.render.form import Form
from pgx.render.narrative import OPEN_SECTIONS, is_withheld, narrate
from pgx.render.svg import draw
from pgx.report import Run, SampleReport
from pgx.wording import DEFAULT_LANGUAGE

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


@functools.cache
def environment() -> Environment:
    """Return the templates: every value is escaped, an unknown name is an error."""
    import jinja2  # noqa: PLC0415 - costs 30 ms that text and JSON need not pay

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
    )
    made.globals["runs"] = runs
    return made


@functools.cache
def style() -> tuple[str, str]:
    """Return the style sheet and its hash for the content security policy."""
    text = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return text, f"sha256-{digest}"


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
    sealed = form.sealed and not withheld
    sheet, digest = style()
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            **page(form),
            title=told.title,
            document_title=told.title,
            head=told.head,
            before=_only(told.sections, before=True),
            after=_only(told.sections, before=False),
            sealed=sealed,
            open=not withheld,
            style=_markup(sheet),
            style_hash=digest,
            picture=lambda name: _markup(draw(name, run, report, words)[0]),
            footer=words.say("form", "made", version=run.tool.version),
        )
    )


def page(form: Form) -> dict[str, Any]:
    """Return what every page of a language needs."""
    words = form.words
    foreign = _markup(f' lang="{DEFAULT_LANGUAGE}"') if form.language != DEFAULT_LANGUAGE else ""
    return {
        "language": form.language,
        "quoted": foreign,
        "say": words.say,
        "every_page": words.say("form", "experimental"),
    }


def _only(sections: Iterable[Section], *, before: bool) -> list[Section]:
    return [part for part in sections if (part.key in OPEN_SECTIONS) is before]


def _markup(text: str) -> Any:
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2

    return Markup(text)  # noqa: S704 - our own style sheet and pictures, in which every text is escaped
