"""pgx for those who work in Python with pandas: reports one by one, and tables.

    reports = pgx.annotate("cohort.vcf.gz", population="EUR")
    frame = pgx.to_frame(reports)
    frame = pgx.read_cohort("results/")

pandas is imported by the functions that return a table, not by `import pgx`.
"""

from __future__ import annotations

import difflib
import inspect
import os
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from pgx.errors import FormatError, UsageError, printable
from pgx.files import write
from pgx.options import Options, declared
from pgx.render import Format, format_of_name
from pgx.render.form import Form, check_language
from pgx.render.tsv import COLUMNS, Cell, Row, cell_text, kinds, row_of
from pgx.report import Document, Run, SampleReport
from pgx.single import annotate as _annotate

if TYPE_CHECKING:
    import pandas as pd

#: The pandas type of each column; a column of a manifest that is not here is `string`.
DTYPES = {name: {str: "string", float: "float64", int: "Int8"}[kind] for name, kind in kinds(Row).items()}
_WORDS: dict[type[msgspec.inspect.Type], str] = {
    msgspec.inspect.StrType: "text",
    msgspec.inspect.BoolType: "True or False",
    msgspec.inspect.IntType: "a whole number",
    msgspec.inspect.FloatType: "a number",
    msgspec.inspect.CustomType: "a path",  # as text or pathlib.Path
    msgspec.inspect.NoneType: "None",
}
PathLike = str | os.PathLike[str]


class Report(Struct, frozen=True, kw_only=True):
    """The report of one sample, and the `run` (input, options, versions) that it shares with others."""

    run: Run
    report: SampleReport

    @property
    def sample(self) -> str:
        """Return the name of the sample."""
        return self.report.sample

    @property
    def diplotype(self) -> str | None:
        """Return "e3/e4", or None where it is not determined."""
        return self.report.genotype.diplotype

    @property
    def e4_status(self) -> str:
        """Return the e4 status: non-carrier, heterozygous, homozygous, carrier or indeterminate."""
        return self.report.genotype.e4_status

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of the sample: dicts, lists, text, numbers, None."""
        plain: dict[str, Any] = msgspec.to_builtins(self.document())
        return plain

    def document(self) -> Document:
        """Return what `pgx.render` takes: the run with this sample."""
        return Document.of(self.run, (self.report,))

    def to_text(self, *, full: bool = False, language: str = "en") -> str:
        """Return the report as text; `full` has its tables and appendix, too."""
        return self._made(Format.TEXT, language, full=full).decode()

    def to_html(self, *, language: str = "en", sealed: bool = False) -> str:
        """Return the report as a page of its own; `sealed` puts the result behind a cover."""
        return self._made(Format.HTML, language, sealed=sealed).decode()

    def to_pdf(self, *, language: str = "en", sealed: bool = False) -> bytes:
        """Return the report as a PDF; without the extra `pdf` it is a `pgx.errors.UsageError`."""
        return self._made(Format.PDF, language, sealed=sealed)

    def save(self, path: PathLike) -> None:
        """Write the report in the format that the ending of `path` names, whole or not at all.

        The endings are .txt .json .jsonl .tsv .html .pdf and .fhir.json; another is a
        `pgx.errors.UsageError`.
        """
        kind = format_of_name(os.fspath(path))
        if kind is Format.VCF:
            what = "a report does not hold the records of the input"
            cure = "Use pgx annotate -o, or another ending"
            raise UsageError(what, where=os.fspath(path), cure=cure)
        write([self._made(kind)], Path(path))

    def _made(self, kind: Format, language: str = "en", *, full: bool = False, sealed: bool = False) -> bytes:
        form = Form(language=check_language(language), full=full, sealed=sealed)
        kind.check_installed()
        return kind.one(self.run, self.report, form)

    def __repr__(self) -> str:
        """Return one short line; it holds no more than the table of samples does."""
        withheld = self.report.patient.minor and not self.run.parameters.reveal_minor
        shown = "withheld" if withheld else f"{self.diplotype or 'open'}, {self.e4_status}"
        return f"<Report {printable(self.sample, 60)}: {shown}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the summary of one page."""
        from pgx.render.pages import fragment  # noqa: PLC0415

        return fragment(self.run, self.report)


class Keywords(TypedDict, total=False):
    """The options of `annotate` for type checkers; what they mean stands in `pgx.options.Options`."""

    samples: str | Sequence[str]
    assembly: str
    absent_sites: Literal["unknown", "reference"]
    callable_bed: PathLike | None
    keep_filtered: bool
    min_gq: float
    min_dp: int
    min_probability: float | None
    population: str | None
    genotype_error_rate: float | None
    neighbours: Literal["auto", "always", "off"]
    reads: PathLike | None
    reference: PathLike | None
    genotype: str | None
    method: str | None
    access: Literal["auto", "scan"]
    evidence: PathLike | Sequence[PathLike]
    indication: str | None
    drug: str | None
    taking: str | Sequence[str]
    history: str | Sequence[str]
    age: float | None
    reveal_minor: bool
    max_header: float | None
    max_record: float | None
    max_index: float | None
    max_contigs: int | None
    timeout: float | None
    max_redirects: int | None
    pseudonymise: PathLike | None
    digest: bool


def annotate(path: PathLike | None = None, **options: Unpack[Keywords]) -> Iterator[Report]:
    """Annotate an input, or a stated genotype; yield a report a sample, one at a time.

    Parameters
    ----------
    path
        A file (VCF, gVCF, BCF, BAM, CRAM, consumer text), or a URL; None with `genotype`.
    **options
        By name, see below. `samples`, `taking`, `history` and `evidence` take a list, a tuple, or one item
        alone: `samples="AB"` is the sample AB. Where a path is wanted, text will do. Nothing else is
        converted: `min_gq="20"` is an error. None stands for a default that reference data state.

    Raises
    ------
    pgx.errors.PgxError
        The input or an option is wrong; raised by the call itself, not by the iteration.
    TypeError
        There is no such option.
    """
    found = _annotate(None if path is None else str(path), _strict_options(options))
    return (Report(run=found.run, report=report) for report in found.samples)


def _document() -> None:
    """Give `annotate` the signature and the documentation that the declarations of the options say."""
    hints, items, make = get_type_hints(Keywords), declared(Options), inspect.Parameter
    given = [make("path", make.POSITIONAL_OR_KEYWORD, default=None, annotation=PathLike | None)]
    for item in items:
        default, hint = None if item.is_factory else item.default, hints[item.name]
        given.append(make(item.name, make.KEYWORD_ONLY, default=default, annotation=hint))
    signature = inspect.Signature(given, return_annotation=Iterator[Report])
    annotate.__signature__ = signature  # type: ignore[attr-defined]
    lines = [f"    {item.name}\n        {item.option.help}\n" for item in items]
    annotate.__doc__ = f"{annotate.__doc__}\n    Options\n    -------\n{''.join(lines)}    "


_document()


def _strict_options(given: Mapping[str, object]) -> Options:
    """Return the options with the types that they must have."""
    known = {item.name: item for item in declared(Options)}
    converted: dict[str, Any] = {}
    for name, value in given.items():
        if (item := known.get(name)) is None:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f". Did you mean '{near[0]}'?" if near else ""
            raise TypeError(f"annotate() has no option '{name}'{meant}")
        if value is None and item.is_factory:
            continue
        wanted = item.type | None if item.is_factory else item.type
        kind = msgspec.inspect.type_info(wanted)
        try:
            converted[name] = msgspec.convert(_built_in(value, kind), wanted, dec_hook=_path)
        except msgspec.ValidationError as error:
            what, cure = f"cannot be {reprlib.repr(value)}", f"Give {_in_words(kind)}"
            raise UsageError(what, where=name, cure=cure) from error
    return Options(**converted)


def _built_in(value: object, kind: msgspec.inspect.Type) -> object:
    """Return a number of numpy as one of Python, and one item alone as a tuple where several may be given."""
    if isinstance(kind, msgspec.inspect.VarTupleType):
        if isinstance(value, str | os.PathLike):
            return (value,)
        if not isinstance(value, list | tuple):  # a set has no order
            raise msgspec.ValidationError
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def _path(wanted: type, value: object) -> Path:
    """Return a path, the one type of an option that msgspec does not make itself."""
    if wanted is not Path or not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise TypeError
    return Path(value)


def _in_words(kind: msgspec.inspect.Type) -> str:
    """Return what an option of this type takes."""
    match kind:
        case msgspec.inspect.VarTupleType(item_type=item):
            return f"{_in_words(item)}, or a list of such"
        case msgspec.inspect.LiteralType(values=values):
            return " or ".join(map(repr, values))
        case msgspec.inspect.UnionType(types=types):
            return " or ".join(_in_words(part) for part in types)
        case _:
            return _WORDS[type(kind)]


def to_frame(reports: Iterable[Report]) -> pd.DataFrame:
    """Return a table with a row a report: the columns of samples.tsv, with the types of `DTYPES`."""
    import pandas as pd  # noqa: PLC0415 - half a second that other functions need not pay

    def as_printed(cell: Cell) -> Cell:  # a number with the digits that samples.tsv has
        return float(cell_text(cell)) if isinstance(cell, float) else cell

    rows = [list(map(as_printed, astuple(row_of(item.run, item.report)))) for item in reports]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(DTYPES)


def read_cohort(folder: str | Path) -> pd.DataFrame:
    """Return the samples of a folder that `pgx cohort` wrote, with the types of `DTYPES`.

    A folder that is none, or whose run is not finished, is a `pgx.errors.FormatError`; tables without what is
    stored beside them are taken as they are.
    """
    import pandas as pd  # noqa: PLC0415

    from pgx.cohort.store import State  # noqa: PLC0415

    path = Path(folder) / "samples.parquet"
    if not path.is_file():
        cure = "Give the folder that pgx cohort wrote"
        raise FormatError("holds no finished cohort", where=str(folder), cure=cure)
    if State.is_in(Path(folder)):
        with State(Path(folder), create=False) as state:
            state.check_finished()
    frame = pd.read_parquet(path)
    return frame.astype({name: DTYPES.get(str(name), "string") for name in frame.columns})
