"""How a report looks, and the pieces that it is made of: words without layout, the same for each format."""

from __future__ import annotations

import contextlib
import datetime
import functools
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from pgx.errors import InputError, NotFoundError, UsageError, printable
from pgx.evidence import SourceCitation
from pgx.evidence.cite import ADDRESSES
from pgx.files import cleaned, read_limited
from pgx.reference import FactFile, Facts, describe, limit, load, root
from pgx.wording import DEFAULT_LANGUAGE, Wording, wording

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.bccache import Bucket

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
    """How a report is laid out."""

    language: str = DEFAULT_LANGUAGE
    sealed: bool = False  # the result stands behind a cover
    full: bool = False  # of text: everything, not the summary alone
    meta: Mapping[str, PatientMeta] = msgspec.field(default_factory=dict)  # stated facts by sample

    def meta_of(self, sample: str) -> PatientMeta:
        """Return what is stated of a sample, which may be nothing."""
        return self.meta.get(sample) or PatientMeta()

    @property
    def birth_dates(self) -> dict[str, datetime.date]:
        """Return the stated birth dates by sample."""
        return {name: born for name, meta in self.meta.items() if (born := meta.born) is not None}

    @property
    def words(self) -> Wording:
        """Return the sentences of the language."""
        return wording(self.language)


class _Flags(Facts, frozen=True, kw_only=True):
    caveats: tuple[str, ...]
    told_elsewhere: tuple[str, ...]
    told_by_state: tuple[str, ...]


class _ReportFile(FactFile, frozen=True, kw_only=True):
    context_topics: tuple[str, ...]
    without_advice: tuple[str, ...]
    labelled_by_copies: tuple[str, ...]
    labelled_uses: tuple[str, ...]
    flags: _Flags


@functools.cache
def settings() -> _ReportFile:
    """Return what reference/report.toml says of what is shown."""
    return load("report.toml", _ReportFile)


def check_language(name: str) -> str:
    """Return `name`, a language that ships; UsageError where it does not."""
    known = sorted(path.stem for path in (root() / "wording").glob("*.toml") if "." not in path.stem)
    if name not in known:
        raise UsageError("there is no such language", where="--lang", cure=f"Use {', '.join(known)}")
    return name


def read_meta(path: Path) -> dict[str, PatientMeta]:
    """Read stated facts by sample from TOML (`[sample.NAME]`) or JSON (`{"sample": {"NAME": {...}}}`).

    A file that cannot be read, has an unknown key, or a birth date that is none (which withholds results) is
    an `InputError`.
    """
    import tomli  # noqa: PLC0415 - few reports have stated facts

    cure, where = "Check --report-meta", str(path)
    try:
        text = read_limited(path, int(limit("max_facts"))).decode()
        plain = json.loads(text) if path.suffix.lower() == ".json" else tomli.loads(text)
        stated = msgspec.convert(_dates_as_text(cleaned(plain)), _MetaFile).sample
    except FileNotFoundError as error:
        raise NotFoundError("no such file", where=where, cure=cure) from error
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        why = f" ({error.strerror})" if isinstance(error, OSError) else ""
        deep = isinstance(error, RecursionError)
        what = "is nested too deeply" if deep else f"cannot be read as text{why}"
        raise InputError(what, where=where, cure=cure) from error
    except msgspec.ValidationError as error:
        cure = f"The fields of a sample are {', '.join(PatientMeta.__struct_fields__)}"
        raise InputError(describe(error), where=where, cure=cure) from error
    except ValueError as error:
        raise InputError(f"is not valid: {error}", where=where, cure="Give TOML or JSON") from error
    for name, meta in stated.items():
        try:
            _ = meta.born
        except ValueError as error:  # else results of a minor were shown
            what = f"sample {printable(name)}: birth_date is no date"
            raise InputError(what, where=where, cure="Write it as 1950-01-31") from error
    return stated


def _dates_as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _dates_as_text(item) for key, item in value.items()}
    return value.isoformat() if isinstance(value, datetime.date) else value


@functools.cache
def environment() -> Environment:
    """Return the templates: every value is escaped, an unknown name is an error."""
    # What they are compiled to is kept beside them, as Python keeps what it compiles: who can write there can
    # change the program itself.
    import jinja2  # noqa: PLC0415 - costs 30 ms that a single report need not pay

    class Compiled(jinja2.FileSystemBytecodeCache):
        def dump_bytecode(self, bucket: Bucket) -> None:
            if not sys.dont_write_bytecode:
                with contextlib.suppress(OSError):
                    Path(self.directory).mkdir(exist_ok=True)
                    super().dump_bytecode(bucket)

    return jinja2.Environment(
        bytecode_cache=Compiled(str(TEMPLATES / "__pycache__")),
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
    )


@functools.cache
def asset(name: str) -> tuple[str, str]:
    """Return a style sheet or script of templates/, and its hash for the content security policy."""
    return (text := (TEMPLATES / name).read_text(encoding="utf-8")), csp_hash(text)


def csp_hash(text: str) -> str:
    """Return the hash of a style sheet or script as a content security policy names it."""
    import base64  # noqa: PLC0415 - for html only

    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


LONG = 1000  # the longest text from a file that a report prints
#: How a piece stands on the page.
Kind = StrEnum("Kind", "PARAGRAPH BULLET SUBHEADING ALERT DETAIL FACT ROOM TABLE PICTURE SIDES")


class Block(Struct, frozen=True):
    """A piece of a report."""

    kind: Kind
    text: str = ""  # one sentence or more, the caption of a table, or the title of a picture
    marks: tuple[int, ...] = ()  # the numbers of the references that go with it
    note: str = ""  # a smaller second line of a bullet; the label of a fact
    name: str = ""  # which table or picture it is; stable and language-free
    rows: tuple[tuple[str, ...], ...] = ()  # of a table: the headings, then the others, all of one length
    sides: tuple[tuple[Block, ...], ...] = ()  # columns that stand side by side where there is room
    number: int = 0  # of a line of the references
    link: str = ""  # an address
    linked: str = ""  # the part of the text that leads there

    @property
    def full_text(self) -> str:
        """Return the text with its reference marks."""
        marks = "".join(f"[{number}]" for number in self.marks)
        return f"{self.text} {marks}" if marks else self.text

    @property
    def labelled(self) -> str:
        """Return the text, behind its label if it is a fact."""
        return f"{self.note}: {self.text}" if self.kind is Kind.FACT else self.text


class Section(Struct, frozen=True):
    """A headed part of the report; `key` is stable and language-free."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    folded: bool = False  # it may start closed
    summary: bool = False  # it belongs to the page that every readable format opens with


class Narrative(Struct, frozen=True):
    """A whole report in words: title, the lines above the first heading, then the sections."""

    title: str
    head: tuple[Block, ...]
    sections: tuple[Section, ...]


paragraph = functools.partial(Block, Kind.PARAGRAPH)
#: A paragraph that explains a picture and says nothing without it.
caption = functools.partial(Block, Kind.PARAGRAPH, name="caption")
bullet = functools.partial(Block, Kind.BULLET)
subheading = functools.partial(Block, Kind.SUBHEADING)
alert = functools.partial(Block, Kind.ALERT)


def fact(label: str, value: str) -> Block:
    """Return a labelled value; facts that follow each other stand in columns."""
    return Block(Kind.FACT, value, note=label)


def table(text: str, rows: Iterable[Iterable[str]], *, name: str) -> Block:
    """Return a table; the first row holds the headings."""
    return Block(Kind.TABLE, text, rows=tuple(map(tuple, rows)), name=name)


def flattened(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield blocks in reading order, those of `sides` one column after the other."""
    for block in blocks:
        if block.kind is Kind.SIDES:
            yield from (item for side in block.sides for item in flattened(side))
        else:
            yield block


class Citations:
    """The sources that a report has cited so far."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def marks(self, sources: Iterable[SourceCitation | str]) -> tuple[int, ...]:
        """Return the numbers of sources, or of references as they are printed, numbering new ones."""
        lines = (source if isinstance(source, str) else source.citation for source in sources)
        return tuple(dict.fromkeys(self._numbers.setdefault(one, len(self._numbers) + 1) for one in lines))

    def lines(self) -> Iterator[Block]:
        """Yield one line a source, in the order of their numbers, its first identifier linked."""
        for citation, number in self._numbers.items():
            clean, link, linked = _linked(citation)
            yield Block(Kind.DETAIL, f"[{number}] {clean}", number=number, link=link, linked=linked)


@functools.lru_cache(maxsize=1024)
def _linked(citation: str) -> tuple[str, str, str]:
    """Return a reference fit for a page, an address, and the part that leads there; many come again."""
    clean, digits = printable(citation, LONG), {"PMID": r"PMID (\d+)", "NCT": r"(NCT\d{8})"}
    for kind, pattern in {"doi": r"doi:(10\.[^\s()]+[^\s().])", **digits, "ISRCTN": r"(ISRCTN\d{8})"}.items():
        if found := re.search(pattern, clean):
            return clean, ADDRESSES[kind].format(found[1]), found[0]
    return clean, "", ""
