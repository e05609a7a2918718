"""`pgx inspect`: what a file is, what it says at each site, what a call would still need."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from msgspec import Struct

from pgx.cli.options import Only
from pgx.options import BOUND_NAMES, INPUT, Option, Options


class InspectOptions(Struct, frozen=True, kw_only=True):
    """How it is shown."""

    format: Annotated[
        Literal["text", "json"], Option("Format of what is shown.", INPUT, flags=("-f", "--format"))
    ] = "text"
    output: Annotated[str, Option("File, or - for standard output.", INPUT, "FILE", ("-o", "--output"))] = "-"


def inspect(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="A VCF, gVCF or BCF, a URL, or - for stdin; BAM, CRAM or consumer text."
        ),
    ],
    options: Annotated[Options, Only(("samples", "assembly", "reference", *BOUND_NAMES))],
    form: InspectOptions,
) -> None:
    """Show what a file is, what it says at each site, and what a call would need."""
    import msgspec

    from pgx.cli.output import refuse_overwriting, say_written
    from pgx.files import write
    from pgx.inspect.inspect import inspect as look
    from pgx.inspect.text import as_text
    from pgx.vcf import Bounds

    found = look(
        source,
        samples=options.samples,
        assembly=options.assembly,
        bounds=Bounds.of(options),
        reference=options.reference,
    )
    if form.format == "json":
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
    else:
        text = as_text(found)
    refuse_overwriting((source,), (form.output,))
    write([text], form.output)
    say_written(form.output)
