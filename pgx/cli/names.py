"""`pgx list`: the names that options take; also for completion, and for names that are not known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Literal

import typer

from pgx.errors import did_you_mean, printable
from pgx.options import Options

Rows = Iterator[tuple[str, str]]


def list_(
    kind: Annotated[
        Literal["populations", "indications", "medicines", "histories", "formats", "exit-codes"],
        typer.Argument(
            metavar="KIND", help="populations, indications, medicines, histories, formats, exit-codes."
        ),
    ],
) -> None:
    """List the names that an option takes, one a line, and what each means."""
    rows = [(name, printable(meaning)) for name, meaning in _KINDS[kind]()]
    width = max(len(name) for name, _ in rows)
    for name, meaning in rows:
        typer.echo(f"{name:{width}}  {meaning}".rstrip())


def _populations() -> Rows:
    from pgx.calling import FLAT, populations

    for item in populations():
        yield item.name, item.label
    yield FLAT, "no population: all haplotypes equally frequent"


def _indications() -> Rows:
    from pgx.evidence import load

    for code, item in load().indications.items():
        also = ", ".join(name for name in item.names if name != item.label)
        yield code, item.label + (f" (also: {also})" if also else "")


def _group(kind: str) -> Rows:
    from pgx.evidence import load

    seen = {name: item.group for item in load().names if item.kind == kind for name in item.names}
    yield from sorted(seen.items())


def _formats() -> Rows:
    from pgx.render.registry import Format

    for item in Format:
        holds = "one sample a file" if item.page is not None else "any number of samples"
        yield item.value, f"{' '.join(item.endings)}: {holds}"


def _exit_codes() -> Rows:
    from pgx.cli.main import EXIT_CODES

    for code, meaning in EXIT_CODES.items():
        yield str(code), meaning


_KINDS: dict[str, Callable[[], Rows]] = {
    "populations": _populations,
    "indications": _indications,
    "medicines": lambda: _group("taking"),
    "histories": lambda: _group("history"),
    "formats": _formats,
    "exit-codes": _exit_codes,
}


def going_on(kind: str, incomplete: str) -> Iterable[str]:
    """Return the names of a kind that begin as the last of some names with commas does."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name, _ in _KINDS[kind]() if name.startswith(last.lstrip())]


def say_unknown(options: Options) -> None:
    """Name on stderr the medicines and illnesses that the evidence does not know: nothing is said of them."""
    from pgx.evidence.load import load, normalise

    base = load(options.evidence)
    for kind, names, given in (
        ("taking", "medicines", options.taking),
        ("history", "histories", options.history),
    ):
        known = {normalise(name): name for item in base.names if item.kind == kind for name in item.names}
        for name in given:
            if normalise(name) not in known:
                hint = did_you_mean(name, known.values()) or f"See pgx list {names}"
                typer.echo(f"warning: --{kind}: '{printable(name, 60)}' is not known. {hint}", err=True)
