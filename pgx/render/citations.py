"""Numbered references: a source gets the next number where it is first cited."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from pgx.errors import printable
from pgx.evidence import SourceCitation
from pgx.render.blocks import Block, Kind
from pgx.render.words import LONG


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
        return [
            Block(Kind.DETAIL, f"[{number}] {_clean(citation)}", quoted=True, number=number)
            for citation, number in self._numbers.items()
        ]


@functools.lru_cache(maxsize=1024)
def _clean(citation: str) -> str:
    """Return a reference fit for a page; the same ones come again in every report."""
    return printable(citation, LONG)
