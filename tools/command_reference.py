"""Write docs/commands.md from the commands and options of pgx themselves; `make docs` runs it."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import typer.main

from pgx.cli.main import app
from pgx.options import meanings

_HEAD = """# Commands and options

Made from the program itself (`make docs`); `pgx COMMAND --help` prints the same.
"""


def write_reference(path: Path) -> None:
    """Write the reference of all commands, their options and the exit codes to `path` (Markdown)."""
    root = typer.main.get_command(app)
    context = root.make_context("pgx", [], resilient_parsing=True)
    parts = [_HEAD, *_commands(root, context, "pgx"), _exit_codes()]
    path.write_text("\n".join(parts), encoding="utf-8")


def _commands(command: Any, context: Any, name: str) -> list[str]:
    """Return a section for each command below `command`."""
    if not hasattr(command, "list_commands"):
        return [_section(command, context, name)]
    parts = []
    for child in command.list_commands(context):
        found = command.get_command(context, child)
        inner = type(context)(found, info_name=child, parent=context)
        parts += _commands(found, inner, f"{name} {child}")
    return parts


def _section(command: Any, context: Any, name: str) -> str:
    usage = command.get_usage(context).removeprefix("Usage: ")
    help_text = inspect.cleandoc(command.help or "").split("\f")[0]
    lines = [f"## {name}", "", help_text, "", "```console", f"$ {usage}", "```", ""]
    panels: dict[str, list[Any]] = {}
    for parameter in command.get_params(context):
        if parameter.param_type_name == "option" and not getattr(parameter, "hidden", False):
            panels.setdefault(getattr(parameter, "rich_help_panel", None) or "Options", []).append(parameter)
    for panel, parameters in panels.items():
        lines += [f"**{panel}**", "", "| option | meaning |", "|---|---|"]
        lines += [_row(parameter, context) for parameter in parameters]
        lines.append("")
    return "\n".join(lines)


def _row(parameter: Any, context: Any) -> str:
    if callable(parameter.default):  # of reference/
        parameter.default = parameter.default()
    names, words = parameter.get_help_record(context) or (", ".join(parameter.opts), "")
    clean = re.sub(r"\s+", " ", words).replace("|", "\\|")
    return f"| `{names.replace('|', chr(92) + '|')}` | {clean} |"


def _exit_codes() -> str:
    rows = [f"| {code} | {meaning} |" for code, meaning in meanings("exit-codes").items()]
    return "\n".join(["## Exit codes", "", "| code | meaning |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    write_reference(Path(sys.argv[1]))
