"""The table of `--manifest`: a row an input or a sample; one that cannot be used costs none beside it."""

from __future__ import annotations

import csv
import datetime
import functools
import io
import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from pgx.calling import population_name
from pgx.cohort.jobs import Failure, Job, estimating, group_of, options_text, provisional
from pgx.errors import NotFoundError, PgxError, UsageError, printable
from pgx.files import read_limited
from pgx.genome import AUTO, find_assembly
from pgx.options import Declared, Options, declared
from pgx.reference import limit
from pgx.render.form import PatientMeta
from pgx.render.tsv import COLUMNS, cell_text
from pgx.single import check_options

#: Columns that choose an input and its options.
_ROW_OPTIONS = tuple(item for item in declared(Options) if item.option.row)
OPTION_COLUMNS = ("path", "sample", *(item.name for item in _ROW_OPTIONS))
#: Of these, the columns that the tables have where a manifest has them; the others they always have.
CARRIED_OPTIONS = tuple(item.name for item in _ROW_OPTIONS if item.name not in COLUMNS)
#: Columns of known results and of kin. They are compared with calls, so no page for sharing may show them.
KNOWN_RESULT, KNOWN_METHOD = "known_apoe", "known_method"
KINSHIP = ("family", "father", "mother")
COMPARED = frozenset({KNOWN_RESULT, KNOWN_METHOD, *KINSHIP})
#: What is stated of one person: it divides a page only where that is asked for.
OF_A_PERSON = COMPARED | {item.name for item in _ROW_OPTIONS if not item.option.is_of("cohort")}
#: Options of the whole run by name: a column of that name would look as if it did something.
_RUN_OPTIONS = {
    name: item.flag
    for item in declared(Options)
    if not item.option.row and item.option.is_of("cohort")
    for name in (item.name, item.key)
}
#: Columns that go to the head of a report.
REPORT_COLUMNS = PatientMeta.__struct_fields__
#: Of these, what tells of a person or of their request: it stays out of the tables and the page.
PERSONAL_COLUMNS = frozenset(REPORT_COLUMNS) - {"specimen", "platform", "laboratory"}
STANDARD_INPUT = "-"
_NOTHING = {"", "-", ".", "?", "-9", "na", "n/a", "#n/a", "nan", "none", "null", "missing", "unknown"}
_TABLE = "Write a table (tabs or commas) whose first line names its columns, `path` among them"
_CORRECT = "Correct the manifest"
_NO_FAMILY = "names a person as their own parent, or one person as both parents, so its family is left out"


class _RowError(Exception):
    """Why a row cannot be used."""


def jobs_of(manifest: Path, options: Options) -> tuple[list[Job], tuple[str, ...], list[str]]:
    """Return the inputs of a manifest in order, the names of the columns that are carried through, and notes.

    Rows of one input with the same options make one job. A note is of parents that cannot be: who they are
    changes no result, so that the row belongs to no family, and keeps its own. A table that cannot be
    read as a whole is a `UsageError` or `InputError`.
    """
    (_, columns), *rows = _read(manifest)
    if "path" not in columns:
        raise UsageError("has no column `path`", where=str(manifest), cure=_TABLE)
    own_columns = tuple(name for name in columns if name not in {*OPTION_COLUMNS, *PERSONAL_COLUMNS})
    carried = tuple(name for name in columns if name in {*own_columns, *CARRIED_OPTIONS})
    _check_names([*columns, *carried_names(carried)], set(carried), manifest)
    growing: dict[tuple[str, Options], _Growing] = {}
    lines: dict[tuple[str, str], int] = {}
    found: list[_Growing | Job] = []
    notes: list[str] = []
    for number, cells in rows:
        row = dict(itertools.zip_longest(columns, cells[: len(columns)], fillvalue=""))
        sample = row.get("sample", "")
        path = _beside(row["path"], manifest) if row["path"] else f"{manifest}:{number}"
        if row.get("reads"):
            row["reads"] = _beside(row["reads"], manifest)
        try:
            own, stated = _own_options(row, cells[len(columns) :], options), _stated(row)
            _check_new(lines, place_of(path), sample, number)
            key = place_of(path), own
            if key not in growing:
                growing[key] = _Growing(path, own)
                found.append(growing[key])
            growing[key].add(number, row, own_columns, stated)
            if not are_parents(sample, *(parent_in(row.get(name, "")) for name in KINSHIP[1:])):
                notes.append(f"{printable(str(manifest))}: line {number} {_NO_FAMILY}. {_CORRECT}")
        except _RowError as error:
            failure = Failure(input=path, error=f"line {number} of the manifest: {error}", cure=_CORRECT)
            samples = (sample,) if sample else ()
            found.append(Job(path=path, options=replace(options, samples=samples), failure=failure))
    jobs = [item if isinstance(item, Job) else item.job() for item in found]
    return jobs, carried_names(carried), notes


def _check_new(lines: dict[tuple[str, str], int], place: str, sample: str, number: int) -> None:
    if (before := lines.setdefault((place, sample), number)) != number:
        what = f"sample '{sample}' of this input" if sample else "this input"
        raise _RowError(f"line {before} has {what} already")


def _check_names(names: list[str], carried: set[str], manifest: Path) -> None:
    """Refuse two columns of one name, in the manifest or in the tables, and options of the whole run."""
    for name in filter(_RUN_OPTIONS.get, names):
        what = f"has the column '{name}', which is an option of the whole run"
        cure = f"Give {_RUN_OPTIONS[name]} on the command line, or call the column something else"
        raise UsageError(what, where=str(manifest), cure=cure)
    for name in names:  # those of the manifest, and those of the tables: a carried one is in both
        if names.count(name) > (2 if name in carried and name not in COLUMNS else 1):
            raise UsageError(f"names the column '{name}' twice", where=str(manifest), cure=_TABLE)


def carried_names(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that carried columns have in the tables: none takes the name of a column of pgx."""
    return tuple(f"manifest_{name}" if name in COLUMNS else name for name in columns)


def option_cell(options: Options, name: str) -> str:
    """Return an option of `CARRIED_OPTIONS` as a cell: what a sample was reported under."""
    value = getattr(options, name)
    return ",".join(value) if isinstance(value, tuple) else cell_text(value)


class _Growing(Struct):
    """A job whose rows are still coming in."""

    path: str
    options: Options
    carried: dict[str, dict[str, str]] = {}
    meta: dict[str, PatientMeta] = {}
    chosen: dict[str, None] = {}
    lines: dict[str, int] = {}

    def add(self, number: int, row: dict[str, str], own: tuple[str, ...], meta: PatientMeta | None) -> None:
        """Take in a row: `own` are the columns that go with its sample, `meta` is the patient."""
        name = row.get("sample", "")
        self.lines[name] = number
        self.carried[name] = dict(zip(carried_names(own), map(row.__getitem__, own), strict=True))
        self.chosen |= {item.name: None for item in _ROW_OPTIONS if row.get(item.name)}
        if meta is not None:
            self.meta[name] = meta

    def job(self) -> Job:
        """Return the job; of a row without a sample all samples of the input."""
        own = replace(self.options, samples=() if "" in self.lines else tuple(self.lines))
        return Job(**asdict(self) | {"options": own, "chosen": tuple(self.chosen)})


def _read(path: Path) -> list[tuple[int, list[str]]]:
    """Return the header and the rows with their line numbers, cells stripped, empty lines left out."""
    try:
        text = read_limited(path, int(limit("max_table"))).decode("utf-8-sig")
        head = text.lstrip().partition("\n")[0]
        is_csv = "," in head and "\t" not in head  # as spreadsheets save it
        tabs: dict[str, Any] = {} if is_csv else {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
        reader = csv.reader(io.StringIO(text, newline=""), **tabs)
        lines = [(reader.line_num, [_unquoted(cell.strip()) for cell in row]) for row in reader]
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise NotFoundError(what, where=str(path), cure="Check the path") from error
    except UnicodeDecodeError as error:
        raise UsageError("is not a table of text in UTF-8", where=str(path), cure=_TABLE) from error
    except csv.Error as error:
        raise UsageError(f"cannot be read as a table ({error})", where=str(path), cure=_TABLE) from error
    lines = [line for line in lines if any(line[1])]
    for _, cells in lines:
        while not cells[-1]:  # spreadsheets like to leave tabs at the end
            cells.pop()
    if not lines:
        raise UsageError("is empty", where=str(path), cure=_TABLE)
    if "" in lines[0][1]:
        raise UsageError(f"column {lines[0][1].index('') + 1} has no name", where=str(path), cure=_TABLE)
    return lines


def template() -> str:
    """Return a sample sheet to fill in: all columns that mean something, and a row as an example."""
    columns = [*OPTION_COLUMNS, *KINSHIP, KNOWN_RESULT, KNOWN_METHOD, *REPORT_COLUMNS]
    example = {"path": "data/NA12878.vcf.gz", "sample": "NA12878", "population": "EUR"}
    return "\t".join(columns) + "\n" + "\t".join(example.get(name, "") for name in columns) + "\n"


def _unquoted(cell: str) -> str:
    """Return a cell without the quotes that some programs put around text; others are letters like any."""
    if len(cell) < 2 or not (cell.startswith('"') and cell.endswith('"')):
        return cell
    return cell[1:-1].replace('""', '"').strip()


def _beside(path: str, manifest: Path) -> str:
    """Return a path of the manifest: relative ones are relative to the working folder, else to the table."""
    if "://" in path or Path(path).is_absolute() or exists(path):
        return path
    beside = str(manifest.parent / path)
    return beside if exists(beside) else path


def exists(path: str, *, file: bool = False) -> bool:
    """Return whether there is such a file or, unless `file`, such a folder. A name that cannot be is none."""
    try:
        return Path(path).is_file() or (not file and Path(path).is_dir())
    except (OSError, ValueError):
        return False


def place_of(path: str) -> str:
    """Return what is the same for two spellings of a path. Links stay: each is an input of its own."""
    return path if "://" in path else os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links


def _own_options(row: Mapping[str, str], more: list[str], options: Options) -> Options:
    if more:
        raise _RowError("has more cells than there are columns")
    if not row["path"]:
        raise _RowError("has no path")
    if "\0" in row["path"]:
        raise _RowError("has a path with a NUL byte")
    if row["path"] == STANDARD_INPUT:
        raise _RowError("names standard input, which a cohort cannot read")
    changes = {item.name: _value(item, row[item.name]) for item in _ROW_OPTIONS if row.get(item.name)}
    if group_of(options) is not None and "population" in changes:
        cell = population_name(str(changes.pop("population")))
        options = estimating(options, cell if group_of(estimating(options, cell)) == cell else "")
    own = replace(options, **changes)
    try:
        check(own)
    except PgxError as error:
        raise _RowError(error.what) from error
    return own


def says_nothing(cell: str) -> bool:
    """Return whether a cell is empty, as tables write it."""
    return cell.strip().lower() in _NOTHING


def parent_in(cell: str) -> str:
    """Return the name of a parent, "" for nobody."""
    return "" if says_nothing(cell) or cell.strip() == "0" else cell.strip()  # 0 as pedigrees write it


def are_parents(sample: str, father: str, mother: str) -> bool:
    """Return whether two people may be the parents of a third; all are names of samples, "" for nobody."""
    named = [name for name in (sample, father, mother) if name]
    return len(set(named)) == len(named)


def _value(item: Declared, cell: str) -> object:
    if item.many:
        return tuple(part.strip() for part in cell.split(",") if part.strip())
    kind = next((part for part in get_args(item.type) if part is not type(None)), item.type)
    if kind is Path:
        return Path(cell)
    try:
        value = msgspec.convert(cell, kind, strict=False)
    except msgspec.ValidationError:
        value = None
    if value is None or (item.limits is not None and not item.limits.hold(value)):
        kind_in_words = f"a number {item.limits}" if item.limits is not None else "a value that it can have"
        raise _RowError(f"{item.name} is not {kind_in_words}")  # without the value: it may tell of a person
    return value


@functools.lru_cache(maxsize=4096)
def check(options: Options) -> None:
    """Refuse a value or name (`UsageError`) or evidence (`ReferenceDataError`) before anything is read."""
    try:
        options_text(options)
    except UnicodeEncodeError as error:
        raise UsageError("an option is not text in UTF-8", cure="Give names and paths in UTF-8") from error
    if options.assembly != AUTO:
        find_assembly(options.assembly)
    check_options(provisional(options))


def _stated(row: Mapping[str, str]) -> PatientMeta | None:
    fields = {name: row[name] for name in REPORT_COLUMNS if row.get(name)}
    if not fields:
        return None
    stated = msgspec.convert(fields, PatientMeta)
    try:
        _ = stated.born
    except ValueError as error:
        raise _RowError("has a birth_date that is no date; write 1950-01-31") from error
    return stated


EVERYBODY = ""  #: Stands for every sample of an input in what a manifest says.
MINOR = "minor"  #: The flag of a minor.


def is_flagged_minor(flags: str | None) -> bool:
    """Return whether the flags of a sample, joined by ";", have the one of a minor."""
    return MINOR in (flags or "").split(";")


def meta_of(job: Job, sample: str) -> PatientMeta | None:
    """Return what the manifest states of a sample of an input: its own row goes before that of the input."""
    return job.meta.get(sample, job.meta.get(EVERYBODY))


def born_of(job: Job, sample: str) -> datetime.date | None:
    """Return the birth date that the manifest states of a sample."""
    return None if (meta := meta_of(job, sample)) is None else meta.born


def has_birth_dates(job: Job) -> bool:
    """Return whether the manifest states a birth date of anybody in an input."""
    return any(meta.birth_date is not None for meta in job.meta.values())


def unclear_person(job: Job, samples: int) -> Failure | None:
    """Refuse a row that states facts of one person for an input that holds several."""
    stated = job.meta.get(EVERYBODY) if samples > 1 else None
    fields = sorted(name for name in PERSONAL_COLUMNS if getattr(stated, name, None) is not None)
    if not fields:
        return None
    what = f"holds {samples} samples, and its row in the manifest has a {fields[0]} without a sample"
    return Failure(input=job.path, error=what, cure="Name the sample in the column `sample`")
