"""The commands of pgx, their errors and exit codes.

Everything heavy is imported inside the commands, so that `pgx --help` and a single sample stay fast.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pgx import __version__
from pgx.cli.options import Command, command
from pgx.errors import PgxError

_INTERRUPTED = 130

#: The commands in the order of the help, and the module of each: building one takes time, so that only the
#: one that is asked for is built.
_COMMANDS = {
    "annotate": "pgx.cli.annotate",
    "cohort": "pgx.cli.cohort",
    "merge": "pgx.cli.cohort",
    "report": "pgx.cli.report",
    "inspect": "pgx.cli.inspect",
    "evidence": "pgx.cli.evidence",
}


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


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pgx {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def build(commands: Iterable[str] = _COMMANDS) -> typer.Typer:
    """Return the command line with these commands."""
    line = typer.Typer(
        cls=_Group,
        name="pgx",
        help="APOE diplotype and ε4 status from a VCF, with the published evidence on Cerebrolysin.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,  # a traceback must not show a genotype
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    line.callback()(_options)
    for name in commands:
        module = importlib.import_module(_COMMANDS[name])
        group = getattr(module, "app", None)
        if isinstance(group, typer.Typer):
            line.add_typer(group, name=name)
        else:
            line.command(name, cls=Command)(command(name, getattr(module, name)))
    return line


def __getattr__(name: str) -> Any:
    """Return `app`, the whole command line, built when it is first asked for."""
    if name != "app":
        raise AttributeError(name)
    return globals().setdefault("app", build())


def main() -> None:
    """Run the command line; a reader that goes away (a closed pipe) ends it quietly."""
    asked = sys.argv[1:2]
    try:
        build(asked if set(asked) & set(_COMMANDS) else _COMMANDS)()
    except BrokenPipeError:
        # Python flushes standard output once more at exit; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
