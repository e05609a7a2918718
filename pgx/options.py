"""Every option of pgx, declared once: name, type, default, limits, help, and where it may be given.

The command line (`pgx.cli.options`), the keywords of `pgx.annotate`, the columns of a manifest and the object
`parameters` of the JSON are made from these classes. To add an option, add one field::

    min_reads: Annotated[int, Limits(least=0), Option("Minimum reads of a site, e.g. 8.", READING, "N")] = 0

That is all for a command: the option stands in its help, in the JSON and in the documentation of the API (a
test names the line of `pgx.api.Keywords` that is missing for type checkers). `row=True` makes it a column of
the manifest, too; `commands` names those that take it, if not all do; `before` is what a stored result was
made with that does not state the option yet. A default that is a fact is a function that reads reference/.
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
from pgx.reference import limit, threshold

INPUT = "Input and output"
READING = "Reading the input"
BOUNDS = "Limits on the input"
CALLING = "Calling"
PERSON = "The person"
LAYOUT = "Layout of the report"
RUN = "Where the work is done"
PAGE = "Cohort page and reports"

#: Of an option that stored results have always stated.
ALWAYS_STATED: Any = ...


class Limits(Struct, frozen=True):
    """What a number must be; NaN is within no limits."""

    above: float | None = None
    least: float | None = None
    below: float | None = None

    def hold(self, value: float) -> bool:
        """Return whether `value` is within the limits."""
        return (
            (self.above is None or value > self.above)
            and (self.least is None or value >= self.least)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        """Return them as words that follow "a number"."""
        said = (("above", self.above), ("of at least", self.least), ("below", self.below))
        return " and ".join(f"{word} {limit:g}" for word, limit in said if limit is not None)


class Option(Struct, frozen=True):
    """What is known of an option beside its name, type and default.

    Attributes
    ----------
    help
        One sentence.
    panel
        The heading of the help under which it stands.
    metavar
        What stands for the value in the help; "" for the default of the command line library.
    flags
        Names on the command line, where they are not made from the name of the field.
    commands
        The only commands that have it, with blanks between them; "" for all that take options of its class.
    row
        Whether a row of a manifest may have a value of its own.
    comma
        Whether the command line takes several values as one text with commas, not as a repeated option.
    stated
        Whether the JSON states it among `parameters`: an option that changes a result.
    elsewhere
        Commands with a default of their own, and that default.
    before
        Its value in stored results that do not state it yet.
    names
        What `pgx list` calls the names that it takes, for completion; "" where it takes others.
    parse
        Makes the value from the text of the command line, where the type does not say how.
    settled
        The type in a result, where it is not the declared one: None is settled once the input is known.
    """

    help: str
    panel: str
    metavar: str = ""
    flags: tuple[str, ...] = ()
    commands: str = ""
    row: bool = False
    comma: bool = False
    stated: bool = True
    elsewhere: tuple[tuple[str, Any], ...] = ()
    before: Any = ALWAYS_STATED
    names: str = ""
    parse: Callable[[str], Any] | None = None
    settled: Any = None

    def is_of(self, command: str) -> bool:
        """Return whether a command that takes options of this class has this one."""
        return not self.commands or command in self.commands.split()


def _default_population() -> str:
    from pgx.calling import default_population  # noqa: PLC0415 - the help of other commands does without it

    return default_population()


def _from_reference(name: str) -> float:
    value: float = field(default_factory=functools.partial(threshold, name))
    return value


BOUND_NAMES = ("max_header", "max_record", "max_index", "max_contigs", "timeout", "max_redirects")


def _bound(name: str) -> float:
    value: float = field(default_factory=functools.partial(limit, name))
    return value


def _count(name: str) -> int:
    return int(limit(name))


class Options(Struct, frozen=True, kw_only=True):
    """The options that change a result; those marked `stated` are the `parameters` of the JSON.

    `samples` are reported in this order; empty for all, in the order of the input. `age` is in years,
    `genotype_error_rate` per allele.
    """

    samples: Annotated[
        tuple[str, ...],
        Option(
            "Sample to report, e.g. NA12878.",
            INPUT, "NAME", ("-s", "--sample"), commands="annotate report inspect verify", stated=False,
        ),
    ] = ()  # fmt: skip
    assembly: Annotated[
        str,
        Option(
            "Genome assembly of the input: auto, GRCh37, GRCh38, NCBI36 or T2T-CHM13.",
            READING, "NAME", row=True,
        ),
    ] = "auto"  # fmt: skip
    absent_sites: Annotated[
        Literal["unknown", "reference"], Option("What a site without a record counts as.", READING)
    ] = "unknown"
    callable_bed: Annotated[
        Path | None,
        Option(
            "BED file of regions in which a site without a record counts as reference.",
            READING, "BED", ("--callable",),
        ),
    ] = field(default=None, name="callable")  # fmt: skip
    keep_filtered: Annotated[bool, Option("Use records that failed a filter.", READING)] = False
    min_gq: Annotated[
        float, Limits(least=0), Option("Minimum genotype quality of a site, e.g. 20.", READING, "Q")
    ] = 0.0
    min_dp: Annotated[int, Limits(least=0), Option("Minimum read depth of a site, e.g. 8.", READING, "N")] = 0
    min_probability: Annotated[
        float, Limits(above=0.5, below=1), Option("Minimum posterior probability for a call.", CALLING, "P")
    ] = _from_reference("min_probability")
    population: Annotated[
        str,
        Option(
            "Population whose haplotype frequencies are the prior: EUR, flat, estimate (cohorts) ...",
            CALLING, "NAME", row=True, names="populations",
        ),
    ] = field(default_factory=_default_population)  # fmt: skip
    genotype_error_rate: Annotated[
        float | None,
        Limits(above=0, below=0.5),
        Option(
            "Error rate of an allele without a stated quality (that of its kind of file, if not given).",
            CALLING, "E", settled=float,
        ),
    ] = None  # fmt: skip
    neighbours: Annotated[
        Literal["auto", "always", "off"],
        Option(
            "Estimate from neighbouring variants: where a site is missing or weak, always, or never.",
            CALLING,
            commands="annotate cohort",
            elsewhere=(("cohort", "off"),),
            before="off",
        ),
    ] = "auto"
    evidence: Annotated[tuple[Path, ...], Option("Folder with further evidence.", CALLING, "DIR")] = ()
    indication: Annotated[
        str | None,
        Option("What the medicine is for, e.g. stroke.", PERSON, "NAME", row=True, names="indications"),
    ] = None
    drug: Annotated[
        str | None,
        Option(
            "Medicine to report on: cerebrolysin (if not given), lecanemab or donanemab.",
            PERSON, "NAME", row=True, before=None,
        ),
    ] = None  # fmt: skip
    taking: Annotated[
        tuple[str, ...],
        Option(
            "Medicines taken, e.g. lithium,sertraline.",
            PERSON,
            "NAMES",
            commands="annotate",
            row=True,
            comma=True,
            names="medicines",
        ),
    ] = ()
    history: Annotated[
        tuple[str, ...],
        Option(
            "Illnesses, now or before, e.g. epilepsy,stroke.",
            PERSON, "NAMES", commands="annotate", row=True, comma=True, names="histories",
        ),
    ] = ()  # fmt: skip
    age: Annotated[
        float | None,
        Limits(least=0, below=150),
        Option("Age in years, e.g. 71.", PERSON, "YEARS", commands="annotate", row=True),
    ] = None
    reveal_minor: Annotated[bool, Option("Also show the result of a minor.", PERSON)] = False
    reads: Annotated[
        Path | None,
        Option(
            "Aligned reads of the same people (BAM or CRAM) beside a VCF.",
            READING, "FILE", commands="annotate verify", row=True, before=None,
        ),
    ] = None  # fmt: skip
    reference: Annotated[
        Path | None, Option("FASTA that a CRAM was made with.", READING, "FASTA", before=None)
    ] = None
    genotype: Annotated[
        str | None,
        Option(
            "Genotype that a laboratory states, instead of INPUT, e.g. e3/e4 or T/C,C/C.",
            READING, "TEXT", commands="annotate", before=None,
        ),
    ] = None  # fmt: skip
    method: Annotated[
        str | None,
        Option(
            "How the stated genotype was found, e.g. TaqMan.",
            READING,
            "TEXT",
            commands="annotate",
            before=None,
        ),
    ] = None
    max_header: Annotated[
        float, Limits(above=0), Option("Largest header to read, in MB.", BOUNDS, "MB", stated=False)
    ] = _bound("max_header")
    max_record: Annotated[
        float, Limits(above=0), Option("Largest record to read, in MB.", BOUNDS, "MB", stated=False)
    ] = _bound("max_record")
    max_index: Annotated[
        float, Limits(above=0), Option("Largest index to read, in MB.", BOUNDS, "MB", stated=False)
    ] = _bound("max_index")
    max_contigs: Annotated[
        int, Limits(least=1), Option("Largest number of contigs in a header.", BOUNDS, "N", stated=False)
    ] = field(default_factory=functools.partial(_count, "max_contigs"))
    timeout: Annotated[
        float,
        Limits(above=0),
        Option("Seconds to wait for a server to send something.", BOUNDS, "SECONDS", stated=False),
    ] = _bound("timeout")
    max_redirects: Annotated[
        int, Limits(least=0), Option("Largest number of redirects to follow.", BOUNDS, "N", stated=False)
    ] = field(default_factory=functools.partial(_count, "max_redirects"))
    pseudonymise: Annotated[
        Path | None,
        Option(
            "Replace names of samples and files by digests made with the key in KEYFILE.",
            INPUT,
            "KEYFILE",
            stated=False,
        ),
    ] = None
    digest: Annotated[
        bool, Option("Record a SHA-256 digest of the whole input.", INPUT, commands="annotate", stated=False)
    ] = False


class PageOptions(Struct, frozen=True, kw_only=True):
    """What the page of a cohort shows; nothing here changes the tables.

    Attributes
    ----------
    by
        Columns that divide the cohort; empty for all with few enough values.
    min_cell
        Counts below it are hidden, and everything about single samples is left out; 0 for no limit.
    """

    by: Annotated[
        tuple[str, ...],
        Option(
            "Divide the page by a manifest column, population, assembly, folder ...",
            PAGE, "COLUMN",
        ),
    ] = ()  # fmt: skip
    sample_table: Annotated[bool, Option("List samples on the page, up to 100,000.", PAGE)] = False
    min_cell: Annotated[
        int,
        Limits(least=0),
        Option(
            "Hide counts below N and all single samples, for sharing, e.g. 5.",
            PAGE,
            "N",
        ),
    ] = 0


def _shard(text: str) -> tuple[int, int]:
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise UsageError("is not I/N with 1 <= I <= N", where=f"--shard {text}", cure="E.g. --shard 2/8")
    return int(number), int(of)


class CohortOptions(Struct, frozen=True, kw_only=True):
    """How a cohort is run.

    Attributes
    ----------
    shard
        (I, N): do the I-th of N slices of the inputs, 1-based.
    arrays_from
        Least number of samples of an input that is read as arrays; None for the measured one.
    """

    with_reads: Annotated[
        bool,
        Option("In a folder, also take BAM and CRAM files beside a VCF of the same name.", INPUT),
    ] = False
    verify: Annotated[bool, Option("When resuming a run, also compare files by SHA-256.", INPUT)] = False
    fail_fast: Annotated[bool, Option("Stop at the first input that fails.", INPUT)] = False
    engine: Annotated[Literal["local", "dask"], Option("Processes of this machine, or Dask.", RUN)] = "local"
    jobs: Annotated[
        int | None,
        Limits(least=1),
        Option("Processes to use (all processors if not given).", RUN, "N", ("-j", "--jobs")),
    ] = None
    stall: Annotated[
        float,
        Limits(above=0),
        Option("Give up on an input after this many seconds without a new byte.", RUN, "SECONDS"),
    ] = _bound("stall")
    scheduler: Annotated[
        str | None, Option("Dask scheduler to use, e.g. tcp://10.0.0.1:8786.", RUN, "ADDRESS")
    ] = None
    shard: Annotated[
        tuple[int, int],
        Option("Process the I-th of N slices; join the slices with pgx merge.", RUN, "I/N", parse=_shard),
    ] = (1, 1)
    arrays_from: int | None = None
    page: PageOptions = PageOptions()


class Declared(Struct, frozen=True):
    """An option as the makers of command lines, keywords and columns need it.

    Attributes
    ----------
    name, key
        The name in Python, and that in the JSON.
    type
        Without its metadata.
    default
        A value, or a function if `is_factory`.
    """

    name: str
    key: str
    type: Any
    option: Option
    limits: Limits | None
    default: Any
    is_factory: bool

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


@functools.cache
def declared(kind: type[Struct]) -> tuple[Declared, ...]:
    """Return the options of a class in order; fields without an `Option` are none."""
    found = []
    for item in msgspec.structs.fields(kind):
        plain, *extra = get_args(item.type) if get_origin(item.type) is Annotated else (item.type,)
        option = next((part for part in extra if isinstance(part, Option)), None)
        if option is None:
            continue
        limits = next((part for part in extra if isinstance(part, Limits)), None)
        factory = item.default_factory is not msgspec.NODEFAULT
        default = item.default_factory if factory else item.default
        found.append(Declared(item.name, item.encode_name, plain, option, limits, default, factory))
    return tuple(found)


def check_limits(options: Struct) -> None:
    """Check that the numbers are within their limits.

    Raises
    ------
    UsageError
        One is not; the error names the option and its limits.
    """
    for item in declared(type(options)):
        value = getattr(options, item.name)
        if item.limits is not None and value is not None and not item.limits.hold(value):
            raise UsageError(
                "the value is out of range", where=item.flag, cure=f"Give a number {item.limits}"
            )


_AS_TEXT: dict[Any, Any] = {Path | None: str | None, tuple[Path, ...]: tuple[str, ...]}


def parameters_of(kind: type[Struct]) -> type[Struct]:
    """Return the class of the options that a result states: with a default only those that came later."""
    fields: list[Any] = []
    for item in declared(kind):
        if item.option.stated:
            reported = item.option.settled or _AS_TEXT.get(item.type, item.type)
            default = () if item.option.before is ALWAYS_STATED else (item.option.before,)
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
    for item in declared(Options):
        if item.option.stated:
            value = getattr(options, item.name)
            if isinstance(value, tuple):
                value = tuple(map(str, value))
            values[item.key] = str(value) if isinstance(value, os.PathLike) else value
    return Parameters(**values)


def _of(name: str) -> Option:
    """Return the declaration of an option of `Options`."""
    return next(item.option for item in declared(Options) if item.name == name)


class Rechecked(Struct, frozen=True, kw_only=True):
    """Options under which stored results are rechecked; what is not given stays as it was.

    A flag can be set, not taken back.
    """

    absent_sites: Annotated[Literal["unknown", "reference"] | None, _of("absent_sites")] = None
    callable_bed: Annotated[Path | None, _of("callable_bed")] = None
    keep_filtered: Annotated[bool, _of("keep_filtered")] = False
    min_gq: Annotated[float | None, _of("min_gq")] = None
    min_dp: Annotated[int | None, _of("min_dp")] = None
    min_probability: Annotated[float | None, _of("min_probability")] = None
    population: Annotated[str | None, _of("population")] = None
    genotype_error_rate: Annotated[float | None, _of("genotype_error_rate")] = None
    evidence: Annotated[tuple[Path, ...], _of("evidence")] = ()
    indication: Annotated[str | None, _of("indication")] = None
    drug: Annotated[str | None, _of("drug")] = None
