"""Where reference/ is, and the one way in which its files are read; versions, and the one clock.

Every fact that is not code is in a TOML file there, read into a strict model: an unknown key is an error, not
a comment. An installed package holds them a second time as JSON (`hatch_build.py`), read ten times faster.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import os
import re
import time
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pgx import __version__
from pgx.errors import ReferenceDataError, UsageError

COPY_FILE = "toml.cache"
#: What the help says, and may be improved without a result that changes: no part of the digest.
OPTIONS_FILE = "options.toml"


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen record in which an unknown key, a missing one, or a value of another kind is an error."""


class Provenance(Facts, frozen=True, kw_only=True):
    """Where the facts of a file come from."""

    origin: str
    date: datetime.date
    note: str = ""


class FactFile(Facts, frozen=True, kw_only=True):
    """A file of reference/."""

    provenance: Provenance


class _Manifest(FactFile, frozen=True, kw_only=True):
    release: str


ModelT = TypeVar("ModelT")


@functools.cache
def root() -> Path:
    """Return the folder of the reference data: inside the installed package, else beside it in the tree."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "_reference", package.parent / "reference"):
        if (candidate / "manifest.toml").is_file():
            return candidate
    what, cure = "the reference data of pgx is missing", "Install pgx again"
    raise ReferenceDataError(what, where=str(package), cure=cure)


class _Copy(Facts, frozen=True, kw_only=True):
    digest: str  # of the TOML file
    data: msgspec.Raw  # its tables, written at build time


@functools.cache
def _copies(folder: Path) -> dict[str, _Copy]:
    try:
        return msgspec.json.decode((folder / COPY_FILE).read_bytes(), type=dict[str, _Copy])
    except (OSError, msgspec.DecodeError):
        return {}


def sha256(content: bytes) -> str:
    """Return `sha256:` and the digest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, or raise `ReferenceDataError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        what, cure = f"cannot be read ({error.strerror})", "Check the path and its permissions"
        raise ReferenceDataError(what, where=str(path), cure=cure) from error


def parse(path: Path, content: bytes, digest: str | None = None) -> dict[str, Any]:
    """Return the tables of a TOML file: from the copy where it holds exactly this content, else parsed.

    `digest` is that of the content, where it is known already. No TOML is a `ReferenceDataError`.
    """
    folder = root()
    name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else ""
    copy = _copies(folder).get(name)
    if copy is not None and copy.digest == (digest or sha256(content)):
        plain: dict[str, Any] = msgspec.json.decode(copy.data)
        return plain
    import tomli  # noqa: PLC0415 - slow to import and seldom needed

    try:
        return tomli.loads(content.decode())
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, a number of thousands of digits
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        what = f"is not valid TOML: {why}"
        raise ReferenceDataError(what, where=str(path), cure="Correct the file") from error


def read_model(path: Path, model: type[ModelT]) -> ModelT:
    """Read one TOML file into `model`; what does not fit is a `ReferenceDataError` with file and key."""
    return convert(path, parse(path, read_bytes(path)), model)


def convert(path: Path, plain: object, model: type[ModelT], *, label: str = "") -> ModelT:
    """Return plain values as `model`; an error names `path` and, after `label`, the key."""
    try:
        return msgspec.convert(plain, model)
    except msgspec.ValidationError as error:
        what = f"{label}{describe(error)}"
        raise ReferenceDataError(what, where=str(path), cure="Correct the file") from error


def describe(error: msgspec.ValidationError) -> str:
    """Return the fault of a validation error as `key: message`; a key in a list is `claims.0.id`."""
    message, _, path = str(error).partition(" - at `$")
    key = re.sub(r"\[(\d+|\.\.\.)\]", r".\1", path.rstrip("`")).lstrip(".")
    named = re.fullmatch(r"Object (missing required|contains unknown) field `(.+)`", message)
    if named:
        key = f"{key}.{named[2]}".lstrip(".")
        message = "is missing" if named[1].startswith("missing") else "is no known key"
    return f"{key}: {message}" if key else message


@functools.cache
def _loaded(name: str, model: Any) -> Any:
    return read_model(root() / name, model)


def load(name: str, model: type[ModelT]) -> ModelT:
    """Return the file `name` of reference/ (relative, with `/`) as `model`, read once; see `read_model`."""
    found: ModelT = _loaded(name, model)  # type: ignore[arg-type] # a class is hashable
    return found


def release() -> str:
    """Return the release number of the reference data."""
    return load("manifest.toml", _Manifest).release


@functools.cache
def digest() -> str:
    """Return `sha256:` and the digest over names and contents of what results need of reference/."""
    total = hashlib.sha256()
    base = root()
    for path in sorted(base.rglob("*"), key=lambda item: item.relative_to(base).as_posix()):
        if path.suffix in {".toml", ".tsv", ".json"} and path.name != OPTIONS_FILE and path.is_file():
            content = path.read_bytes()
            total.update(f"{path.relative_to(base).as_posix()}\0{len(content)}\0".encode() + content)
    return f"sha256:{total.hexdigest()}"


class Number(Facts, frozen=True, kw_only=True):
    """A number of reference/, and what it rests on."""

    value: float
    basis: str


def _numbers(title: str, names: str) -> type[msgspec.Struct]:
    fields = [(name, Number) for name in names.split()]
    return msgspec.defstruct(title, fields, bases=(FactFile,), frozen=True, kw_only=True)


_ThresholdFile = _numbers(
    "_ThresholdFile",
    """min_probability min_bayes_factor allele_error_rate switch_error_read_backed switch_error_statistical
    base_error_rate posterior_floor stray_read_share low_imputation_quality contradiction_phred hidden_reads
    unseen_error_rate longest_block longest_lifted_block lifted_block_rest same_person_probability
    estimate_prior_weight estimate_rare_weight estimate_min_people""",
)
_LimitsFile = _numbers(
    "_LimitsFile",
    """max_header max_record max_sample max_contigs max_index timeout min_progress max_redirects stall
    max_facts max_table max_upload max_page_samples max_page_results""",
)


def threshold(name: str) -> float:
    """Return the number called `name` of reference/calling.toml, which says what it rests on."""
    return float(getattr(load("calling.toml", _ThresholdFile), name).value)


def limit(name: str) -> float:
    """Return the bound called `name` of reference/limits.toml, which states its unit."""
    return float(getattr(load("limits.toml", _LimitsFile), name).value)


def program_version() -> str:
    """Return the version of pgx."""
    return __version__


def now() -> str:
    """Return the time in UTC as `2026-11-23T20:11:00Z`; SOURCE_DATE_EPOCH, where set, replaces the clock."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        return _moment_text(time.time() if epoch is None else int(epoch))
    except (ValueError, OverflowError, OSError) as error:
        what, cure = "is not a number of seconds since 1970", "Unset or correct it"
        raise UsageError(what, where="SOURCE_DATE_EPOCH", cure=cure) from error


def file_time(seconds: float) -> str | None:
    """Return a time of the file system as text; None where it lies outside the years 1 to 9999."""
    try:
        return _moment_text(seconds)
    except (ValueError, OverflowError, OSError):
        return None


def _moment_text(seconds: float) -> str:
    return f"{datetime.datetime.fromtimestamp(int(seconds), datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
