"""How a report looks: its templates, and options that never change what is said of a genotype."""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from pgx.errors import InputError, NotFoundError, UsageError, printable
from pgx.files import cleaned, read_limited
from pgx.reference import Facts, describe, limit, root
from pgx.wording import DEFAULT_LANGUAGE, Wording, wording

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


class PatientMeta(Facts, frozen=True, kw_only=True):
    """What the sender states of a sample; every field is optional and none is ever invented."""

    name: str | None = None
    birth_date: str | None = None
    specimen: str | None = None
    specimen_date: str | None = None
    reason: str | None = None
    platform: str | None = None
    order_id: str | None = None
    laboratory: str | None = None
    contact: str | None = None
    requester: str | None = None
    consent: str | None = None
    reviewed_by: str | None = None

    @property
    def born(self) -> datetime.date | None:
        """Return the birth date as a date; ValueError where it is none."""
        return None if self.birth_date is None else datetime.date.fromisoformat(self.birth_date)


class _MetaFile(Facts, frozen=True, kw_only=True):
    sample: dict[str, PatientMeta]


class Form(Struct, frozen=True, kw_only=True):
    """How a report is laid out.

    Attributes
    ----------
    language
        A file of reference/wording/.
    sealed
        The result stands behind a cover.
    full
        Text only: everything, not the summary alone.
    meta
        Stated facts by sample name.
    """

    language: str = DEFAULT_LANGUAGE
    sealed: bool = False
    full: bool = False
    meta: Mapping[str, PatientMeta] = msgspec.field(default_factory=dict)

    @property
    def birth_dates(self) -> dict[str, datetime.date]:
        """Return the stated birth dates by sample."""
        return {name: born for name, meta in self.meta.items() if (born := meta.born) is not None}

    @property
    def words(self) -> Wording:
        """Return the sentences of the language."""
        return wording(self.language)


def languages() -> tuple[str, ...]:
    """Return the languages that ship, by their codes."""
    return tuple(sorted(path.stem for path in (root() / "wording").glob("*.toml") if "." not in path.stem))


def check_language(name: str) -> str:
    """Return `name` if it ships.

    Raises
    ------
    UsageError
        It does not.
    """
    if name not in languages():
        raise UsageError("there is no such language", where="--lang", cure=f"Use {', '.join(languages())}")
    return name


def read_meta(path: Path) -> dict[str, PatientMeta]:
    """Read stated facts by sample from TOML (`[sample.NAME]`) or JSON (`{"sample": {"NAME": {...}}}`).

    Raises
    ------
    InputError
        The file cannot be read, or has an unknown key.
    """
    import tomli  # noqa: PLC0415 - few reports have stated facts

    try:
        text = read_limited(path, int(limit("max_facts"))).decode()
        plain = json.loads(text) if path.suffix.lower() == ".json" else tomli.loads(text)
        stated = msgspec.convert(_dates_as_text(cleaned(plain)), _MetaFile).sample
    except FileNotFoundError as error:
        raise NotFoundError("no such file", where=str(path), cure="Check --report-meta") from error
    except (OSError, UnicodeDecodeError) as error:
        why = f" ({error.strerror})" if isinstance(error, OSError) else ""
        raise InputError(
            f"cannot be read as text{why}", where=str(path), cure="Check --report-meta"
        ) from error
    except RecursionError as error:
        raise InputError("is nested too deeply", where=str(path), cure="Check --report-meta") from error
    except msgspec.ValidationError as error:
        known = ", ".join(PatientMeta.__struct_fields__)
        raise InputError(
            describe(error), where=str(path), cure=f"The fields of a sample are {known}"
        ) from error
    except ValueError as error:
        raise InputError(f"is not valid: {error}", where=str(path), cure="Give TOML or JSON") from error
    for name, meta in stated.items():
        _check_birth_date(name, meta, path)
    return stated


def _check_birth_date(sample: str, meta: PatientMeta, path: Path) -> None:
    """Refuse a birth date that is none: it decides whether a result is withheld."""
    try:
        _ = meta.born
    except ValueError as error:
        raise InputError(
            f"sample {printable(sample)}: birth_date is no date",
            where=str(path),
            cure="Write it as 1950-01-31",
        ) from error


def _dates_as_text(value: Any) -> Any:
    """Return a read file with the dates of TOML as they are written in JSON."""
    if isinstance(value, dict):
        return {key: _dates_as_text(item) for key, item in value.items()}
    return value.isoformat() if isinstance(value, datetime.date) else value


@functools.cache
def environment() -> Environment:
    """Return the templates: every value is escaped, an unknown name is an error."""
    import jinja2  # noqa: PLC0415 - costs 30 ms that text and JSON need not pay

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
    )


@functools.cache
def asset(name: str) -> tuple[str, str]:
    """Return a style sheet or script of templates/, and its hash for the content security policy."""
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    return text, csp_hash(text)


def csp_hash(text: str) -> str:
    """Return the hash of a style sheet or script as a content security policy names it."""
    import base64  # noqa: PLC0415 - for html only

    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
