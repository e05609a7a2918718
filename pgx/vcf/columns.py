"""The sample columns of a record with very many samples, kept as the line they stand in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

_SURROGATES = "surrogateescape"


class Columns(Sequence[str]):
    """Sample columns of which a text is made only when it is looked at.

    Attributes
    ----------
    line
        UTF-8: the fixed columns, then the sample columns, separated by tabs, and one byte more.
    first
        Where the first sample column starts in `line`.
    edges
        Where each of n columns starts in `line`, and its end, shape (n + 1,); None until somebody who can
        find these fast has set it. Until then all columns are split when one is looked at.
    """

    __slots__ = ("_count", "_texts", "edges", "first", "line")

    def __init__(self, line: bytes, first: int, count: int) -> None:
        """Keep a line with `count` sample columns, at least one."""
        self.line = line
        self.first = first
        self.edges: memoryview | None = None
        self._count = count
        self._texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, fixed: str, samples: Sequence[str]) -> Columns:
        """Join columns to a line."""
        line = "\t".join([fixed, *samples]) + "\n"
        first = len(fixed.encode(errors=_SURROGATES)) + 1
        return cls(line.encode(errors=_SURROGATES), first, len(samples))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        return iter(self._split())

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if self.edges is None or isinstance(place, slice):
            return self._split()[place]
        number = range(self._count)[place]
        text = self.line[self.edges[number] : self.edges[number + 1] - 1]
        return text.decode(errors=_SURROGATES)

    def _split(self) -> tuple[str, ...]:
        if not self._texts:
            text = self.line[self.first : -1].decode(errors=_SURROGATES)
            self._texts = tuple(text.split("\t"))
        return self._texts
