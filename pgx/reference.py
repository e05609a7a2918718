"""Where reference/ is, and the one way in which its files are read.

Every fact that is not code (positions, alleles, frequencies, thresholds, claims, sentences) is a TOML
file there. It is read into a strict model: an unknown key is an error, not a comment.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import re
from pathlib import Path
from typing import TypeVar

import msgspec
import tomli

from pgx.errors import ReferenceDataError

_DIGESTED_SUFFIXES = frozenset({".toml", ".tsv", ".json"})


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen record in which an unknown key, a missing one, or a value of another kind is an error."""


class Provenance(Facts, frozen=True, kw_only=True):
    """Where the facts of a file come from."""

    origin: str
    date: datetime.date
    note: str = ""


class _Manifest(Facts, frozen=True, kw_only=True):
    provenance: Provenance
    release: str


ModelT = TypeVar("ModelT")


@functools.cache
def root() -> Path:
    """Return the folder of the reference data: inside the installed package, else beside it in the tree.

    Raises
    ------
    ReferenceDataError
        Neither place holds a manifest.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "_reference", package.parent / "reference"):
        if (candidate / "manifest.toml").is_file():
            return candidate
    raise ReferenceDataError(
        "the reference data of pgx is missing", where=str(package), cure="Install pgx again"
    )


def read_model(path: Path, model: type[ModelT]) -> ModelT:
    """Read one TOML file into `model`.

    Raises
    ------
    ReferenceDataError
        The file cannot be read, is not TOML, or does not fit the model. The line names file and key.
    """
    try:
        with path.open("rb") as handle:
            plain = tomli.load(handle)
        return msgspec.convert(plain, model)
    except OSError as error:
        raise ReferenceDataError(
            f"cannot be read ({error.strerror})", where=str(path), cure="Check the path and its permissions"
        ) from error
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReferenceDataError(
            f"is not valid TOML: {error}", where=str(path), cure="Correct the file"
        ) from error
    except msgspec.ValidationError as error:
        raise ReferenceDataError(describe(error), where=str(path), cure="Correct the file") from error


def describe(error: msgspec.ValidationError) -> str:
    """Return the fault of a validation error as `key: message`; a key in a list is `claims.0.id`."""
    message, _, path = str(error).partition(" - at `$")
    key = re.sub(r"\[(\d+|\.\.\.)\]", r".\1", path.rstrip("`")).lstrip(".")
    named = re.fullmatch(r"Object (missing required|contains unknown) field `(.+)`", message)
    if named:
        key = f"{key}.{named[2]}".lstrip(".")
        message = "is missing" if named[1].startswith("missing") else "is no known key"
    return f"{key}: {message}" if key else message


def load(name: str, model: type[ModelT]) -> ModelT:
    """Read the file `name` of reference/ (relative, with `/`) into `model`; see `read_model`."""
    return read_model(root() / name, model)


@functools.cache
def release() -> str:
    """Return the release number of the reference data."""
    return load("manifest.toml", _Manifest).release


@functools.cache
def digest() -> str:
    """Return `sha256:` and the digest over names and contents of all data files of reference/."""
    total = hashlib.sha256()
    base = root()
    for path in sorted(base.rglob("*"), key=lambda item: item.relative_to(base).as_posix()):
        if path.suffix in _DIGESTED_SUFFIXES and path.is_file():
            content = path.read_bytes()
            total.update(f"{path.relative_to(base).as_posix()}\0{len(content)}\0".encode())
            total.update(content)
    return f"sha256:{total.hexdigest()}"


class _Value(Facts, frozen=True, kw_only=True):
    value: float
    basis: str


class _ThresholdFile(Facts, frozen=True, kw_only=True):
    provenance: Provenance
    min_probability: _Value
    min_bayes_factor: _Value
    allele_error_rate: _Value
    switch_error_read_backed: _Value
    switch_error_statistical: _Value
    base_error_rate: _Value
    posterior_floor: _Value
    low_imputation_quality: _Value
    contradiction_phred: _Value


@functools.cache
def _thresholds() -> _ThresholdFile:
    return load("calling.toml", _ThresholdFile)


def threshold(name: str) -> float:
    """Return the number called `name`; the file says what it rests on."""
    entry: _Value = getattr(_thresholds(), name)
    return entry.value
