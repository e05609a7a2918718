"""The pieces of a readable report. They hold words and no layout: every format lays out the same ones."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from enum import Enum

from msgspec import Struct

from pgx.errors import printable
from pgx.evidence import SourceCitation

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


def sentences(narrative: Narrative) -> Iterator[str]:
    """Yield every piece of text that a readable format must show, in order."""
    yield narrative.title
    parts: list[Block] = [*narrative.head]
    yield from _texts(parts)
    for section in narrative.sections:
        yield section.title
        yield from _texts(section.blocks)


def _texts(blocks: Iterable[Block]) -> Iterator[str]:
    for block in flattened(blocks):
        yield block.text
        if block.note:
            yield block.note
        for row in block.rows:
            yield from row


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
