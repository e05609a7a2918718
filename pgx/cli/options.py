"""Commands whose options are made from their declarations (`pgx.options`), their help, and `pgx list`."""

from __future__ import annotations

import contextlib
import inspect
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import typer
from msgspec import Struct
from typer.core import TyperCommand

from pgx.errors import UsageError, did_you_mean, printable
from pgx.options import Declared, Options, declared, descriptions, meanings
from pgx.render import Format


def refuse(wrong: object, what: str, where: str, cure: str) -> None:
    """Raise a `UsageError` where something is wrong."""
    if wrong:
        raise UsageError(what, where=where, cure=cure)


GIVEN = "pgx.given"  # under this name a context holds the arguments as they were given


class Only(NamedTuple):
    """Annotates a class of options of which a command takes these alone."""

    names: tuple[str, ...]


class FormOptions(Struct, frozen=True, kw_only=True):
    """How a report looks and where it goes: what `pgx annotate` and `pgx report` share."""

    format: Format | None = None
    output: str = "-"
    report_meta: Path | None = None
    sealed: bool = False
    full: bool = False
    lang: str = "en"
    handout: Path | None = None
    all_records: bool = False


class Command(TyperCommand):
    """A command whose help has its options in panels, and defaults that are read when the help is shown."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section a panel."""
        panels: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        for parameter in self.get_params(ctx):
            if callable(parameter.default):
                parameter.default = parameter.default()
            if (record := parameter.get_help_record(ctx)) is not None:
                argument = parameter.param_type_name == "argument"
                title = "Arguments" if argument else getattr(parameter, "rich_help_panel", None) or "Options"
                panels.setdefault(title, []).append(record)
        for title, rows in panels.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def command(name: str, function: Callable[..., None]) -> Callable[..., None]:
    """Return `function` as the command `name`, its parameters as reference/options.toml describes them.

    Of a class of options it gets an instance; those that another command alone has keep their defaults.
    """
    signature = inspect.signature(function, eval_str=True)
    own = descriptions(name)
    groups: dict[str, tuple[type[Struct], list[Declared]]] = {}
    single: list[Declared] = []
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        kind = parameter.annotation
        kind, *only = get_args(kind) if get_origin(kind) is Annotated else (kind,)
        if isinstance(kind, type) and issubclass(kind, Struct):
            items = [item for item in declared(kind) if item.option.is_of(name)]
            groups[parameter.name] = kind, [item for item in items if not only or item.name in only[0].names]
            parameters += (_parameter(item, name) for item in groups[parameter.name][1])
        elif parameter.name in own:
            single.append(Declared(parameter.name, "", kind, own[parameter.name], parameter.default))
            parameters.append(_parameter(single[-1], name))
        else:  # the context
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    def run(**given: Any) -> None:
        for item in single:
            item.check(given[item.name])
        for parameter, (kind, items) in groups.items():
            values = {item.name: given.pop(item.name) for item in items}
            given[parameter] = _options(kind, items, values)
        function(**given)

    run.__name__, run.__doc__ = name, function.__doc__
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _parameter(item: Declared, command_name: str) -> inspect.Parameter:
    option, kind, words = item.option, item.type, item.option.help
    default = option.elsewhere.get(command_name, item.default)
    if option.comma or item.type == tuple[int, int]:
        kind, default = str | None, None
    elif item.many:
        words = f"{words.rstrip('. ')}; may be repeated."
        kind, default = list[get_args(item.type)[0]] | None, None  # type: ignore[misc]
    known: dict[str, Any] = {"help": words, "metavar": option.metavar or None}
    if option.argument:
        info = typer.Argument(**known, show_default=False)
    else:
        known |= {"rich_help_panel": option.panel or None}
        names = (lambda incomplete: going_on(option.names, incomplete)) if option.names else None
        made = default if item.is_factory else None
        info = typer.Option(*item.flags, **known, default_factory=made, autocompletion=names)
    default = inspect.Parameter.empty if item.is_factory else default
    sort = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(item.name, sort, default=default, annotation=Annotated[kind, info])


def _options(kind: type[Struct], items: list[Declared], values: Mapping[str, Any]) -> Struct:
    given = {}
    for item in items:
        if (value := values[item.name]) is None:
            continue
        if item.option.comma:
            value = [part.strip() for part in value.split(",") if part.strip()]
        elif item.type == tuple[int, int]:
            number, _, of = value.partition("/")
            right = number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)
            refuse(not right, "is not I/N with 1 <= I <= N", f"--shard {value}", "E.g. --shard 2/8")
            value = int(number), int(of)
        item.check(value)
        given[item.name] = tuple(value) if item.many else value
    made = kind(**given)
    if isinstance(made, Options) and made.pseudonymise is not None and os.name == "posix":
        with contextlib.suppress(OSError, ValueError):
            if made.pseudonymise.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
                key = printable(str(made.pseudonymise), 500)
                typer.echo(f"warning: others can read the key: chmod 600 {key}", err=True)
    return made


def list_(
    kind: Literal["populations", "indications", "medicines", "histories", "formats", "exit-codes"],
) -> None:
    """List the names that an option takes, one a line, and what each means."""
    rows = [(name, printable(meaning)) for name, meaning in _listed(kind)]
    width = max(len(name) for name, _ in rows)
    for name, meaning in rows:
        typer.echo(f"{name:{width}}  {meaning}".rstrip())


def _listed(kind: str) -> Iterator[tuple[str, str]]:
    from pgx.calling import populations
    from pgx.evidence import load

    if kind == "populations":
        yield from ((item.name, item.label) for item in populations())
    elif kind == "indications":
        for code, use in load().indications.items():
            also = ", ".join(name for name in use.names if name != use.label)
            yield code, use.label + (f" (also: {also})" if also else "")
    elif kind in _OF_A_PERSON:
        names = (item for item in load().names if item.kind == _OF_A_PERSON[kind])
        yield from sorted({name: item.group for item in names for name in item.names}.items())
    elif kind == "formats":
        for form in Format:
            holds = "one sample a file" if form.page is not None else "any number of samples"
            yield form.value, f"{' '.join(form.endings)}: {holds}"
    yield from meanings(kind).items()


_OF_A_PERSON = {"medicines": "taking", "histories": "history"}  # names of `pgx list`, kinds of the evidence


def going_on(kind: str, incomplete: str) -> Iterable[str]:
    """Return the names of a kind that begin as the last of some names with commas does."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name, _ in _listed(kind) if name.startswith(last.lstrip())]


def say_unknown(options: Options) -> None:
    """Name on stderr the medicines and illnesses that the evidence does not know: nothing is said of them."""
    from pgx.evidence.load import load, normalise

    base = load(options.evidence)
    for names, kind in _OF_A_PERSON.items():
        known = {normalise(name): name for item in base.names if item.kind == kind for name in item.names}
        for name in getattr(options, kind):
            if normalise(name) not in known:
                hint = did_you_mean(name, known.values()) or f"See pgx list {names}"
                typer.echo(f"warning: --{kind}: '{printable(name, 60)}' is not known. {hint}", err=True)
