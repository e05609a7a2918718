"""Numbered references: a source gets the next number where it is first cited."""

from __future__ import annotations

from collections.abc import Iterable

from pgx.evidence import SourceCitation


class Citations:
    """The sources that a report has cited so far."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def marks(self, sources: Iterable[SourceCitation]) -> str:
        """Return "[1][2]" for sources, numbering new ones."""
        numbers = [self._numbers.setdefault(source.citation, len(self._numbers) + 1) for source in sources]
        return "".join(f"[{number}]" for number in dict.fromkeys(numbers))

    def lines(self) -> Iterable[str]:
        """Return one line a source, in the order of their numbers."""
        return [f"[{number}] {citation}" for citation, number in self._numbers.items()]
