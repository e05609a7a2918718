"""Which inputs a cohort has, and in which order: files, folders, globs, or the rows of a manifest."""

from __future__ import annotations

import csv
import glob
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pgx.builds import AUTO, find_assembly
from pgx.calling import haplotype_frequencies
from pgx.errors import NotFoundError, PgxError, UsageError
from pgx.single import Options

ENDINGS = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
#: Manifest columns that pgx reads itself; every other one is carried through to the tables.
KNOWN_COLUMNS = (
    "path", "sample", "assembly", "population", "indication", "taking", "history", "age"
)  # fmt: skip
_MANIFEST = "Write a tab-separated table whose first line names its columns, `path` among them"


class Failure(Struct, frozen=True, kw_only=True):
    """Why an input gave no result: a row of failures.tsv."""

    input: str
    error: str
    cure: str


class Job(Struct, frozen=True, kw_only=True):
    """One input with the options that hold for it.

    Attributes
    ----------
    carried
        Further columns of the manifest by sample name; "" stands for every sample of the input.
    failure
        Known before anything is read: there is no such file.
    """

    path: str
    options: Options
    carried: Mapping[str, Mapping[str, str]] = msgspec.field(default_factory=dict)
    failure: Failure | None = None

    @property
    def key(self) -> str:
        """Return what this input is stored under: path and options, not the carried columns."""
        return text_digest(self.path, msgspec.json.encode(self.options, enc_hook=str).decode())


class Plan(Struct, frozen=True, kw_only=True):
    """All inputs in order, and the names of the carried columns."""

    jobs: tuple[Job, ...]
    carried: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Return what tells this list of inputs from another."""
        return text_digest(*self.carried, *(job.key for job in self.jobs))


def text_digest(*texts: str) -> str:
    """Return a short digest of some texts."""
    total = hashlib.sha256()
    for text in texts:
        total.update(f"{len(text)}:{text}".encode(errors="surrogateescape"))
    return total.hexdigest()[:32]


def plan_inputs(inputs: Sequence[str], manifest: Path | None, options: Options) -> Plan:
    """Return the plan of a cohort; the rows of the manifest come after the inputs that were named.

    Raises
    ------
    UsageError, InputError
        Nothing was given, or the manifest cannot be read.
    """
    if not inputs and manifest is None:
        raise UsageError("no input was given", cure="Give files or folders, or --manifest")
    jobs = [_job(path, options) for path in dict.fromkeys(_spread(inputs))]
    carried: tuple[str, ...] = ()
    if manifest is not None:
        more, carried = _from_manifest(manifest, options)
        jobs += more
    return Plan(jobs=tuple({job.key: job for job in reversed(jobs)}.values())[::-1], carried=carried)


def _job(found: str | Failure, options: Options) -> Job:
    if isinstance(found, Failure):
        return Job(path=found.input, options=options, failure=found)
    return Job(path=found, options=options)


def _spread(inputs: Iterable[str]) -> Iterator[str | Failure]:
    """Yield the files behind each input; what stands for none is a failure of its own."""
    for text in inputs:
        path = Path(text)
        if "://" in text or path.is_file():
            yield text
        elif path.is_dir():
            yield from _in_folder(path)
        elif glob.has_magic(text):
            matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - the pattern may be absolute
            yield from _spread(matches) if matches else [_nothing(text, "matches no file")]
        else:
            yield text  # missing: the reader says so


def _in_folder(folder: Path) -> Iterator[str | Failure]:
    found = sorted(
        str(path)
        for path in folder.rglob("*")
        if path.name.lower().endswith(ENDINGS) and not path.name.startswith(".") and path.is_file()
    )
    yield from found
    if not found:
        yield _nothing(str(folder), "holds no VCF or BCF")


def _nothing(text: str, error: str) -> Failure:
    return Failure(input=text, error=error, cure="Check the path; files end in .vcf, .vcf.gz or .bcf")


def _from_manifest(manifest: Path, options: Options) -> tuple[list[Job], tuple[str, ...]]:
    rows = read_table(manifest)
    columns = next(rows)
    if "path" not in columns:
        raise UsageError("has no column `path`", where=str(manifest), cure=_MANIFEST)
    carried = tuple(name for name in columns if name not in KNOWN_COLUMNS)
    grouped: dict[tuple[str, Options], dict[str, Mapping[str, str]]] = {}
    failed: dict[tuple[str, Options], Failure] = {}
    for number, cells in enumerate(rows, start=2):
        row = dict(itertools.zip_longest(columns, cells[: len(columns)], fillvalue=""))
        path = _beside(row["path"], manifest)
        try:
            own = _own_options(row, options)
            failure = None if row["path"] else "has no path"
        except (PgxError, ValueError) as error:
            own, failure = options, getattr(error, "what", "has an age that is no number")
        if failure:
            where = f"{manifest}:{number}" if not row["path"] else path
            failed[where, own] = Failure(
                input=where, error=f"line {number} of the manifest: {failure}", cure="Correct the manifest"
            )
            grouped.setdefault((where, own), {})
            continue
        extra = {name: row[name] for name in carried}
        grouped.setdefault((path, own), {})[row.get("sample", "")] = extra
    jobs = []
    for (path, own), samples in grouped.items():
        names = tuple(samples) if "" not in samples else ()
        jobs.append(
            Job(
                path=path,
                options=replace(own, samples=names),
                carried=samples if carried else {},
                failure=failed.get((path, own)),
            )
        )
    return jobs, carried


def read_table(path: Path) -> Iterator[list[str]]:
    """Yield the header and the rows of a tab-separated table, cells stripped, empty lines left out.

    Raises
    ------
    InputError, UsageError
        It cannot be read, is not UTF-8, is empty, or names a column twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            lines = [[cell.strip() for cell in row] for row in csv.reader(handle, delimiter="\t") if row]
    except OSError as error:
        raise NotFoundError(
            f"cannot be read ({error.strerror})", where=str(path), cure="Check the path"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError("is not a table of text in UTF-8", where=str(path), cure=_MANIFEST) from error
    if not lines or len(set(lines[0])) != len(lines[0]):
        raise UsageError("is empty, or names a column twice", where=str(path), cure=_MANIFEST)
    yield from lines


def _beside(path: str, manifest: Path) -> str:
    """Return a path of the manifest: relative ones are relative to the working folder, else to the table."""
    if "://" in path or Path(path).is_absolute() or Path(path).exists():
        return path
    beside = manifest.parent / path
    return str(beside) if beside.exists() else path


def _own_options(row: Mapping[str, str], options: Options) -> Options:
    changes: dict[str, object] = {
        name: row[name] for name in ("assembly", "population", "indication") if row.get(name)
    }
    changes |= {
        name: tuple(part.strip() for part in row[name].split(",") if part.strip())
        for name in ("taking", "history")
        if row.get(name)
    }
    if row.get("age"):
        changes["age"] = float(row["age"])
    own = replace(options, **changes)
    if own.assembly != AUTO:
        find_assembly(own.assembly)
    if own.population:
        haplotype_frequencies(own.population)
    return own
