"""How a report looks, which never changes what is said of a genotype, and the pieces that it is made of.

Pieces hold words and no layout: every readable format lays out the same ones.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from pgx.errors import InputError, NotFoundError, UsageError, printable
from pgx.evidence import SourceCitation
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


#: The longest text from a file that a report prints.
LONG = 1000
#: The name of a paragraph that belongs to a picture.
CAPTION = "caption"


class Kind(Enum):
    """How a piece stands on the page."""

    PARAGRAPH = "paragraph"
    BULLET = "bullet"
    SUBHEADING = "subheading"
    ALERT = "alert"
    DETAIL = "detail"
    FACT = "fact"
    ROOM = "room"
    TABLE = "table"
    PICTURE = "picture"
    SIDES = "sides"


class Block(Struct, frozen=True):
    """A piece of a report.

    Attributes
    ----------
    text
        One sentence or more; the caption of a table; the title of a picture.
    marks
        Numbers of the references that go with the text.
    note
        A smaller second line of a bullet; the label of a fact.
    name
        Which table or picture it is; stable and language-free.
    rows
        TABLE only: the heading row, then the others, all of one length.
    sides
        SIDES only: columns of blocks that stand side by side where there is room.
    number
        DETAIL only, in the references: the number of the reference.
    link, linked
        An address, and the part of the text that leads there.
    """

    kind: Kind
    text: str = ""
    marks: tuple[int, ...] = ()
    note: str = ""
    name: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    sides: tuple[tuple[Block, ...], ...] = ()
    number: int = 0
    link: str = ""
    linked: str = ""

    @property
    def full_text(self) -> str:
        """Return the text with its reference marks."""
        marks = "".join(f"[{number}]" for number in self.marks)
        return f"{self.text} {marks}" if marks else self.text


class Section(Struct, frozen=True, kw_only=True):
    """A headed part of the report; `key` is stable and language-free.

    Attributes
    ----------
    folded
        It may start closed.
    summary
        It belongs to the page that every readable format opens with.
    """

    key: str
    title: str
    blocks: tuple[Block, ...]
    folded: bool = False
    summary: bool = False


class Narrative(Struct, frozen=True, kw_only=True):
    """A whole report in words: title, the lines above the first heading, then the sections."""

    title: str
    head: tuple[Block, ...]
    sections: tuple[Section, ...]


def caption(text: str) -> Block:
    """Return a paragraph that explains a picture and says nothing without it."""
    return Block(Kind.PARAGRAPH, text, name=CAPTION)


def paragraph(text: str) -> Block:
    """Return a paragraph."""
    return Block(Kind.PARAGRAPH, text)


def bullet(text: str) -> Block:
    """Return an item of a list."""
    return Block(Kind.BULLET, text)


def fact(label: str, value: str) -> Block:
    """Return a labelled value; facts that follow each other stand in columns."""
    return Block(Kind.FACT, value, note=label)


def subheading(text: str) -> Block:
    """Return a heading within a section."""
    return Block(Kind.SUBHEADING, text)


def flattened(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield blocks in reading order, those of `sides` one column after the other."""
    for block in blocks:
        if block.kind is Kind.SIDES:
            for side in block.sides:
                yield from flattened(side)
        else:
            yield block


class Citations:
    """The sources that a report has cited so far."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def marks(self, sources: Iterable[SourceCitation]) -> tuple[int, ...]:
        """Return the numbers of sources, numbering new ones."""
        return self.marks_of(source.citation for source in sources)

    def marks_of(self, citations: Iterable[str]) -> tuple[int, ...]:
        """Return the numbers of sources that are given as they are printed."""
        numbers = [self._numbers.setdefault(citation, len(self._numbers) + 1) for citation in citations]
        return tuple(dict.fromkeys(numbers))

    def lines(self) -> Iterable[Block]:
        """Return one line a source, in the order of their numbers."""
        return [_reference(number, _clean(citation)) for citation, number in self._numbers.items()]


#: Identifiers as a reference prints them, and the address of each.
_IDENTIFIERS = (
    (re.compile(r"doi:(10\.[^\s()]+[^\s().])"), "https://doi.org/{}"),
    (re.compile(r"PMID (\d+)"), "https://pubmed.ncbi.nlm.nih.gov/{}/"),
    (re.compile(r"(NCT\d{8})"), "https://clinicaltrials.gov/study/{}"),
    (re.compile(r"(ISRCTN\d{8})"), "https://www.isrctn.com/{}"),
)


def _reference(number: int, text: str) -> Block:
    """Return one line of the references, its first identifier linked."""
    line = f"[{number}] {text}"
    for pattern, address in _IDENTIFIERS:
        if found := pattern.search(line):
            link = address.format(found[1])
            return Block(Kind.DETAIL, line, number=number, link=link, linked=found[0])
    return Block(Kind.DETAIL, line, number=number)


@functools.lru_cache(maxsize=1024)
def _clean(citation: str) -> str:
    """Return a reference fit for a page; the same ones come again in every report."""
    return printable(citation, LONG)
