"""Every option of pgx: its name, type and default stand here, all else of it in reference/options.toml.

The command line, the keywords of `pgx.annotate`, the columns of a manifest and `parameters` of the JSON are
made from both. To add one, add a field here and a line there (a test names the line that `pgx.api.Keywords`
lacks). A default that is a fact is a function that reads reference/.
"""

# Without `from __future__ import annotations`: they are read at run time, and texts would have to be parsed.
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Struct, field

from pgx.errors import UsageError
from pgx.reference import OPTIONS_FILE, FactFile, Facts, limit, load, threshold


class Limits(Facts, frozen=True):
    """What a number must be; NaN is within no limits."""

    above: float | None = None
    least: float | None = None
    below: float | None = None

    def hold(self, value: float) -> bool:
        """Return whether `value` is within the limits."""
        is_enough = (self.above is None or value > self.above) and (self.least is None or value >= self.least)
        return is_enough and (self.below is None or value < self.below)

    def __str__(self) -> str:
        """Return them as words that follow "a number"."""
        said = (("above", self.above), ("of at least", self.least), ("below", self.below))
        return " and ".join(f"{word} {limit:g}" for word, limit in said if limit is not None)


class Option(Facts, frozen=True):
    """What is known of an option beside its name, type and default; reference/options.toml explains it."""

    help: str
    panel: str = ""
    metavar: str = ""
    flags: tuple[str, ...] = ()
    argument: bool = False
    commands: str = ""
    limits: Limits | None = None
    row: bool = False
    comma: bool = False
    stated: bool = True
    settled: bool = False
    elsewhere: dict[str, str] = field(default_factory=dict)
    before: Any = None
    later: bool = False
    names: str = ""

    def is_of(self, command: str) -> bool:
        """Return whether a command that takes options of this class has this one."""
        return not self.commands or command in self.commands.split()


class _OptionFile(FactFile, frozen=True, kw_only=True):
    list: dict[str, dict[str, str]]
    option: dict[str, dict[str, Option]]


def descriptions(of: str) -> dict[str, Option]:
    """Return what is known of the options of a class, or of the parameters of a command, by name."""
    return load(OPTIONS_FILE, _OptionFile).option.get(of, {})


def meanings(of: str) -> dict[str, str]:
    """Return the names of a kind that no other file of reference/ has, for `pgx list`."""
    return load(OPTIONS_FILE, _OptionFile).list.get(of, {})


def _read(source: Callable[[str], Any], name: str) -> Any:
    """Return a default that is read from reference/ when it is needed."""
    return field(default_factory=functools.partial(source, name))


def _default_population() -> str:
    from pgx.calling import default_population  # noqa: PLC0415 - the help of other commands does without it

    return default_population()


def _count(name: str) -> int:
    return int(limit(name))


BOUND_NAMES = ("max_header", "max_record", "max_index", "max_contigs", "timeout", "max_redirects")


class Options(Struct, frozen=True, kw_only=True):
    """The options that change a result; those that are stated are the `parameters` of the JSON.

    `samples` are reported in this order; empty for all, in the order of the input. `age` is in years,
    `genotype_error_rate` per allele; where it is None, that of the kind of file is settled on.
    """

    samples: tuple[str, ...] = ()
    assembly: str = "auto"
    absent_sites: Literal["unknown", "reference"] = "unknown"
    callable_bed: Path | None = field(default=None, name="callable")
    keep_filtered: bool = False
    min_gq: float = 0.0
    min_dp: int = 0
    min_probability: float = _read(threshold, "min_probability")
    population: str = field(default_factory=_default_population)
    genotype_error_rate: float | None = None
    neighbours: Literal["auto", "always", "off"] = "auto"
    evidence: tuple[Path, ...] = ()
    indication: str | None = None
    drug: str | None = None
    taking: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    age: float | None = None
    reveal_minor: bool = False
    reads: Path | None = None
    reference: Path | None = None
    genotype: str | None = None
    method: str | None = None
    access: Literal["auto", "scan"] = "auto"
    max_header: float = _read(limit, "max_header")
    max_record: float = _read(limit, "max_record")
    max_index: float = _read(limit, "max_index")
    max_contigs: int = _read(_count, "max_contigs")
    timeout: float = _read(limit, "timeout")
    max_redirects: int = _read(_count, "max_redirects")
    pseudonymise: Path | None = None
    digest: bool = False


class PageOptions(Struct, frozen=True, kw_only=True):
    """What the page of a cohort shows; nothing here changes the tables.

    `by` are the columns that divide the cohort; empty for all with few enough values. Counts below `min_cell`
    are hidden, and everything about single samples is left out; 0 for no limit.
    """

    by: tuple[str, ...] = ()
    sample_table: bool = False
    min_cell: int = 0


class CohortOptions(Struct, frozen=True, kw_only=True):
    """How a cohort is run.

    `shard` is (I, N): do the I-th of N slices of the inputs, 1-based. An input of at least `arrays_from`
    samples is read as arrays; None for the number that was measured.
    """

    with_reads: bool = False
    verify: bool = False
    fail_fast: bool = False
    engine: Literal["local", "dask"] = "local"
    jobs: int | None = None
    stall: float = _read(limit, "stall")
    scheduler: str | None = None
    shard: tuple[int, int] = (1, 1)
    arrays_from: int | None = None
    page: PageOptions = PageOptions()


class Rechecked(Struct, frozen=True, kw_only=True):
    """Options under which stored results are rechecked; what is not given stays as it was.

    A flag can be set, not taken back.
    """

    absent_sites: Literal["unknown", "reference"] | None = None
    callable_bed: Path | None = None
    keep_filtered: bool = False
    min_gq: float | None = None
    min_dp: int | None = None
    min_probability: float | None = None
    population: str | None = None
    genotype_error_rate: float | None = None
    evidence: tuple[Path, ...] = ()
    indication: str | None = None
    drug: str | None = None


class Declared(Struct, frozen=True):
    """An option as the makers of command lines, keywords and columns need it.

    `key` is its name in the JSON, `type` has no metadata, `default` is a function if `is_factory`.
    """

    name: str
    key: str
    type: Any
    option: Option
    default: Any
    is_factory: bool = False

    @property
    def limits(self) -> Limits | None:
        """Return what its number must be."""
        return self.option.limits

    @property
    def flags(self) -> tuple[str, ...]:
        """Return the names on the command line."""
        return self.option.flags or (f"--{self.name.replace('_', '-')}",)

    @property
    def flag(self) -> str:
        """Return the long name on the command line."""
        return self.flags[-1]

    @property
    def many(self) -> bool:
        """Return whether it takes any number of values."""
        return get_origin(self.type) is tuple and get_args(self.type)[-1] is ...

    def check(self, value: Any) -> None:
        """Raise a `UsageError` that names the option and its limits, if a number is beyond them."""
        if self.limits is not None and value is not None and not self.limits.hold(value):
            cure = f"Give a number {self.limits}"
            raise UsageError("the value is out of range", where=self.flag, cure=cure)


@functools.cache
def declared(kind: type[Struct]) -> tuple[Declared, ...]:
    """Return the options of a class in order: the fields that have an `Option`, annotated or in the file."""
    known = descriptions(kind.__name__) or descriptions(Options.__name__)
    found = []
    for item in msgspec.structs.fields(kind):
        plain, *own = get_args(item.type) if get_origin(item.type) is Annotated else (item.type,)
        option = own[0] if own else known.get(item.name)
        if option is not None:
            is_factory = item.default_factory is not msgspec.NODEFAULT
            default = item.default_factory if is_factory else item.default
            found.append(Declared(item.name, item.encode_name, plain, option, default, is_factory))
    return tuple(found)


def check_limits(options: Struct) -> None:
    """Raise a `UsageError` if a number is beyond its limits."""
    for item in declared(type(options)):
        item.check(getattr(options, item.name))


_AS_TEXT: dict[Any, Any] = {Path | None: str | None, tuple[Path, ...]: tuple[str, ...]}


def parameters_of(kind: type[Struct]) -> type[Struct]:
    """Return the class of the options that a result states: with a default only those that came later."""
    fields: list[Any] = []
    for item in declared(kind):
        option = item.option
        if option.stated:
            reported = get_args(item.type)[0] if option.settled else _AS_TEXT.get(item.type, item.type)
            default = (option.before,) if option.later or option.before is not None else ()
            fields.append((item.key, reported, *default))
    return msgspec.defstruct(
        "Parameters", fields, module=__name__, frozen=True, kw_only=True, forbid_unknown_fields=True,
        namespace={"__doc__": "Every option that changes a result."},
    )  # fmt: skip


if TYPE_CHECKING:

    class Parameters(Options, frozen=True, kw_only=True):
        """Options once all are settled."""

        genotype_error_rate: float
else:
    Parameters = parameters_of(Options)


def stated(options: Options) -> Parameters:
    """Return the options as a result states them: every value settled, paths as text."""
    values: dict[str, Any] = {}
    for item in (item for item in declared(Options) if item.option.stated):
        value = getattr(options, item.name)
        value = tuple(map(str, value)) if isinstance(value, tuple) else value
        values[item.key] = str(value) if isinstance(value, os.PathLike) else value
    return Parameters(**values)
