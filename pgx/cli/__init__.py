"""The command line: options, wiring, exit codes. The only user of typer, and the only room that prints.

Everything heavy is imported inside the commands, so that `pgx --help` and a single sample stay fast.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pgx import __version__
from pgx.cli.annotate import annotate
from pgx.cli.cohort import cohort, merge
from pgx.cli.evidence import app as evidence_app
from pgx.cli.inspect import inspect
from pgx.cli.report import report
from pgx.errors import PgxError

_INTERRUPTED = 130


class _Group(TyperGroup):
    """Commands whose errors are one line on stderr and the exit code of the error."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; see `pgx.errors` for the exit codes."""
        try:
            return super().invoke(ctx)
        except PgxError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            raise typer.Exit(_INTERRUPTED) from None


app = typer.Typer(
    cls=_Group,
    name="pgx",
    help="APOE diplotype and ε4 status from a VCF, with the published evidence on Cerebrolysin.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # a traceback must not show a genotype
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(annotate)
app.command()(cohort)
app.command()(merge)
app.command()(report)
app.command()(inspect)
app.add_typer(evidence_app, name="evidence")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pgx {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; a reader that goes away (a closed pipe) ends it quietly."""
    try:
        app()
    except BrokenPipeError:
        # Python flushes standard output once more at exit; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
