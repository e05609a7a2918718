"""Options of the form, which `pgx annotate` and `pgx report` share."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgx.errors import UsageError

if TYPE_CHECKING:
    from pgx.render.form import Form
    from pgx.report import Run, SampleReport

_FORM = "How it looks"
_HANDOUT_ENDINGS = (".html", ".pdf", ".txt")


class Format(StrEnum):
    """Output formats."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    TSV = "tsv"
    HTML = "html"
    PDF = "pdf"
    FHIR = "fhir"
    VCF = "vcf"


FormatOption = Annotated[
    Format | None, typer.Option("-f", "--format", help="text unless -o has another ending.")
]
OutputOption = Annotated[
    str,
    typer.Option(
        "-o", "--output", help="A file (its ending names the format), a folder for one file a sample, or -."
    ),
]
MetaOption = Annotated[
    Path | None,
    typer.Option(
        "--report-meta",
        metavar="FILE",
        help="Stated facts by sample for the header (TOML or JSON).",
        rich_help_panel=_FORM,
    ),
]
SealedOption = Annotated[
    bool, typer.Option("--sealed", help="html and pdf: the result behind a cover.", rich_help_panel=_FORM)
]
LangOption = Annotated[
    str, typer.Option("--lang", help="Language of text, html and pdf: en, de.", rich_help_panel=_FORM)
]
HandoutOption = Annotated[
    Path | None,
    typer.Option(
        "--handout",
        metavar="FILE",
        help="Also write one page for the patient (.html .pdf .txt).",
        rich_help_panel=_FORM,
    ),
]


FullOption = Annotated[
    bool,
    typer.Option("--full", help="text: with tables and appendix.", rich_help_panel=_FORM),
]


def make_form(
    name: str, *, meta: Path | None, sealed: bool, full: bool, lang: str, handout: Path | None
) -> Form:
    """Return the form of a report in the format `name`, once the options fit it.

    Raises
    ------
    UsageError
        An option that the format cannot honour, or a language that does not ship.
    """
    from pgx.render.form import Form, check_language, read_meta
    from pgx.render.formats import READABLE

    if sealed and name not in {"html", "pdf"}:
        raise UsageError("only html and pdf can be sealed", where="--sealed", cure="Add -f html or -f pdf")
    if full and name != "text":
        raise UsageError(f"{name} is always full", where="--full", cure="Leave it out, or choose -f text")
    if name not in READABLE and handout is None and (lang != "en" or meta is not None):
        raise UsageError(
            f"{name} has neither a language nor a header",
            where="--lang, --report-meta",
            cure="Leave them out, or choose text, html or pdf",
        )
    if handout is not None and handout.suffix.lower() not in _HANDOUT_ENDINGS:
        raise UsageError(
            "the ending names no format",
            where=f"--handout {handout}",
            cure=f"Use one of {', '.join(_HANDOUT_ENDINGS)}",
        )
    return Form(language=check_language(lang), sealed=sealed, full=full, meta=read_meta(meta) if meta else {})


def with_handout(
    run: Run, samples: Iterable[SampleReport], handout: Path | None, form: Form
) -> Iterable[SampleReport]:
    """Write the hand-out of the one sample where it is asked for, and pass the samples on.

    Raises
    ------
    UsageError
        There are several samples.
    """
    if handout is None:
        return samples
    from pgx.files import write
    from pgx.render.handout import render

    reports = list(samples)
    if len(reports) != 1:
        raise UsageError("a hand-out is for one person", where="--handout", cure="Name one sample with -s")
    write([render(run, reports[0], form, handout.suffix.lower())], str(handout))
    return reports
