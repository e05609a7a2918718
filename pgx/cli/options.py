"""Commands whose options are made from their declarations (`pgx.options`), their help, and `pgx list`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

import typer
from msgspec import Struct
from typer.core import TyperCommand

from pgx.errors import did_you_mean, printable
from pgx.options import INPUT, LAYOUT, Declared, Option, Options, check_limits, declared
from pgx.render import Format


class Only(NamedTuple):
    """Annotates a class of options of which a command takes these alone."""

    names: tuple[str, ...]


class FormOptions(Struct, frozen=True, kw_only=True):
    """How a report looks and where it goes: what `pgx annotate` and `pgx report` share."""

    format: Annotated[
        Format | None,
        Option("Format; without it, the ending of -o decides, else text.", INPUT, flags=("-f", "--format")),
    ] = None
    output: Annotated[
        str,
        Option(
            "File, folder for one file a sample, or - for standard output, e.g. -o report.html.",
            INPUT,
            "OUTPUT",
            ("-o", "--output"),
        ),
    ] = "-"
    report_meta: Annotated[
        Path | None, Option("Facts by sample for the head of the report (TOML or JSON).", LAYOUT, "FILE")
    ] = None
    sealed: Annotated[bool, Option("Hide the result behind a cover (html, pdf).", LAYOUT)] = False
    full: Annotated[bool, Option("Print the whole report, with tables and appendix (text).", LAYOUT)] = False
    lang: Annotated[str, Option("Language of text, html and pdf, e.g. en.", LAYOUT, "LANG")] = "en"
    handout: Annotated[
        Path | None, Option("Also write one page for the patient (.html, .pdf or .txt).", LAYOUT, "FILE")
    ] = None
    all_records: Annotated[
        bool,
        Option("Write all records of the input, not only the two sites (vcf).", LAYOUT, commands="annotate"),
    ] = False


class Command(TyperCommand):
    """A command whose help has its options in panels, and defaults that are read when the help is shown."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section a panel."""
        panels: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        for parameter in self.get_params(ctx):
            if callable(parameter.default):
                parameter.default = parameter.default()
            record = parameter.get_help_record(ctx)
            if record is not None:
                argument = parameter.param_type_name == "argument"
                title = "Arguments" if argument else getattr(parameter, "rich_help_panel", None) or "Options"
                panels.setdefault(title, []).append(record)
        for title, rows in panels.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def command(name: str, function: Callable[..., None]) -> Callable[..., None]:
    """Return `function` as the command `name`: each parameter that is a class of options becomes its options.

    The function gets instances of the classes; options that another command alone has keep their defaults.
    """
    signature = inspect.signature(function, eval_str=True)
    groups: dict[str, tuple[type[Struct], list[Declared]]] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        kind, *more = get_args(parameter.annotation) or (parameter.annotation,)
        if isinstance(kind, type) and issubclass(kind, Struct):
            items = [
                item
                for item in declared(kind)
                if not item.option.commands or name in item.option.commands.split()
            ]
            if more:
                items = [item for item in items if item.name in more[0].names]
            groups[parameter.name] = kind, items
            parameters += (_parameter(item, name) for item in items)
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    def run(**given: Any) -> None:
        """Call the command with instances of its classes of options."""
        for parameter, (kind, items) in groups.items():
            values = {item.name: given.pop(item.name) for item in items}
            given[parameter] = _options(kind, items, values)
        function(**given)

    run.__name__, run.__doc__ = name, function.__doc__
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _parameter(item: Declared, command_name: str) -> inspect.Parameter:
    """Return an option as typer wants it: a parameter with a default and an annotation."""
    option = item.option
    kind, words = item.type, option.help
    default = dict(option.elsewhere).get(command_name, item.default)
    if option.comma or option.parse is not None:
        kind, default = str | None, None
    elif item.many:
        words = f"{words.rstrip('. ')}; may be repeated."
        kind, default = list[get_args(item.type)[0]] | None, None  # type: ignore[misc]
    info = typer.Option(
        *item.flags,
        help=words,
        metavar=option.metavar or None,
        rich_help_panel=option.panel,
        default_factory=default if item.is_factory else None,
        autocompletion=_completion(option.names) if option.names else None,
    )
    return inspect.Parameter(
        item.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if item.is_factory else default,
        annotation=Annotated[kind, info],
    )


def _completion(names: str) -> Callable[[str], Iterable[str]]:
    """Return what completes one of the `names` that `pgx list` shows."""

    def complete(incomplete: str) -> Iterable[str]:
        return going_on(names, incomplete)

    return complete


def _options(kind: type[Struct], items: list[Declared], values: Mapping[str, Any]) -> Struct:
    """Return the options of a class from what the command line gave."""
    given = {}
    for item in items:
        value = values[item.name]
        if value is None:
            continue
        if item.option.comma:
            value = [part.strip() for part in value.split(",") if part.strip()]
        elif item.option.parse is not None:
            value = item.option.parse(value)
        given[item.name] = tuple(value) if item.many else value
    made = kind(**given)
    check_limits(made)
    if isinstance(made, Options) and made.pseudonymise is not None:
        _warn_of_open_key(made.pseudonymise)
    return made


def _warn_of_open_key(key: Path) -> None:
    from pgx.pseudonyms import is_open_to_others

    if is_open_to_others(key):
        typer.echo(f"warning: others can read the key: chmod 600 {printable(str(key), 500)}", err=True)


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
    from pgx.calling import ESTIMATE, FLAT, populations

    for item in populations():
        yield item.name, item.label
    yield FLAT, "no population: all haplotypes equally frequent"
    yield (
        ESTIMATE,
        "pgx cohort only: estimated from the people of the cohort, by the manifest column population",
    )


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
    from pgx.render import Format

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
