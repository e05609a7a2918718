"""`pgx inspect`: what a file is, what it says at each site, what a call would still need."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class InspectFormat(StrEnum):
    """Output formats."""

    TEXT = "text"
    JSON = "json"


def inspect(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A VCF, gVCF or BCF, a URL, or - for stdin.")
    ],
    sample: Annotated[
        list[str] | None, typer.Option("-s", "--sample", help="Show this sample; may be repeated.")
    ] = None,
    format_: Annotated[
        InspectFormat, typer.Option("-f", "--format", help="How to print it.")
    ] = InspectFormat.TEXT,
    output: Annotated[str, typer.Option("-o", "--output", help="A file, or - for stdout.")] = "-",
    assembly: Annotated[str, typer.Option(help="auto, GRCh37, GRCh38, NCBI36 or T2T-CHM13.")] = "auto",
) -> None:
    """Show what a file is, what it says at each site, and what a call would need."""
    import msgspec

    from pgx.cli.output import refuse_overwriting
    from pgx.files import write
    from pgx.inspect.inspect import inspect as look
    from pgx.inspect.text import as_text

    found = look(source, samples=tuple(sample or ()), assembly=assembly)
    if format_ is InspectFormat.JSON:
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
    else:
        text = as_text(found)
    refuse_overwriting((source,), (output,))
    write([text], output)
