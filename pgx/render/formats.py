"""The formats by name: streams of many samples, and pages of one sample a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from pgx.errors import UsageError
from pgx.render import json_format, text, tsv
from pgx.render.form import Form
from pgx.report import Run, SampleReport

Stream = Callable[[Run, Iterable[SampleReport]], Iterator[str]]
#: Formats for people; the form (language, seal, stated facts) concerns these only.
READABLE = frozenset({"text", "html", "pdf"})


class Page(Struct, frozen=True, kw_only=True):
    """A format that holds one sample a file: how to make it, and how its files end."""

    render: Callable[[Run, SampleReport], bytes]
    ending: str


def streams(form: Form | None = None) -> dict[str, Stream]:
    """Return every format that holds many samples."""
    return {
        "text": lambda run, samples: text.stream(run, samples, form),
        "json": json_format.stream,
        "jsonl": json_format.stream_lines,
        "tsv": tsv.stream,
    }


def page(name: str, form: Form | None = None) -> Page:
    """Return a format that holds one sample: html, pdf or fhir.

    Raises
    ------
    UsageError
        There is no such format, or what it needs is not installed.
    """
    if name == "html":
        from pgx.render import html  # noqa: PLC0415 - jinja2 is for this format only

        return Page(render=lambda run, report: html.render(run, report, form).encode(), ending=".html")
    if name == "pdf":
        import pgx.render.pdf as pdf  # noqa: PLC0415, PLR0402 - typst is an extra

        pdf.check_installed()
        return Page(render=lambda run, report: pdf.render(run, report, form), ending=".pdf")
    if name == "fhir":
        import pgx.render.fhir as fhir  # noqa: PLC0415, PLR0402 - text and JSON do not need its tables

        return Page(render=fhir.render, ending=".fhir.json")
    raise UsageError(f"there is no format '{name}'", where="-f", cure="See --help")
