"""The FORMAT fields of many sample columns at once, read where they stand in the line of their record.

A field is loaded as words of eight bytes, the last of which ends where the field ends; what a word holds
of the field before is shifted out. A word of digits becomes a number with three multiplications.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pgx.vcf import Columns

Words = npt.NDArray[np.uint64]
Whole = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

_WIDTH = 8
_TAB, _COLON, _COMMA = b"\t:,"
_ZEROS = np.uint64(0x3030303030303030)
#: Added to a byte it sets the highest bit, unless the byte is at most 9.
_ABOVE_NINE, _HIGHEST = np.uint64(0x7676767676767676), np.uint64(0x8080808080808080)
#: Neighbours are joined in three steps: pairs of digits, fours, eight (factor, bits between, what is kept).
_STEPS = tuple(
    (np.uint64(factor), np.uint64(bits), np.uint64(kept))
    for factor, bits, kept in (
        (10, 8, 0x00FF00FF00FF00FF),
        (100, 16, 0x0000FFFF0000FFFF),
        (10_000, 32, 0x00000000FFFFFFFF),
    )
)


def edges_of(columns: Columns) -> Places:
    """Return where columns start in their line, shape (n + 1,); the tab that ends one is before the next."""
    if columns.edges is None:
        samples = np.frombuffer(columns.line, dtype=np.uint8)[columns.first - 1 :]
        columns.edges = (np.flatnonzero(samples == _TAB) + columns.first).data
    return np.frombuffer(columns.edges, dtype=np.intp)


def between(columns: Columns, start: int, stop: int) -> bytes:
    """Return the columns from `start` to before `stop`, joined by tabs."""
    edges = edges_of(columns)
    return columns.line[edges[start] : edges[stop] - 1]


class Fields:
    """The fields of those columns of a piece that have all fields of the record, and numbers in some.

    Attributes
    ----------
    rows
        These columns, counted from the first of the piece, shape (n,).
    """

    def __init__(self, columns: Columns, form: Sequence[str], piece: range, sizes: dict[str, int]) -> None:
        """`sizes`: how many numbers of one to eight digits stand in each field that is read as numbers."""
        edges = edges_of(columns)
        first, last = edges[piece.start], edges[piece.stop]
        self._form = tuple(form)
        self._line = columns.line
        letters = np.frombuffer(self._line, dtype=np.uint8)
        self._words = np.ndarray((len(letters) - _WIDTH + 1,), dtype="<u8", buffer=letters, strides=(1,))
        near = letters[first - 1 : last]
        marks = np.flatnonzero((near == _TAB) | (near == _COLON) | (near == _COMMA))
        kinds = near[marks]
        self._marks = marks + (first - 1)
        self.rows, self._borders = self._shape(kinds, len(piece))
        self._keep(self._fitting(sizes))
        self._numbers: dict[str, list[Whole]] = {}
        valid = np.ones(len(self.rows), dtype=bool)
        for key, size in sizes.items():
            self._numbers[key] = [self._number(key, place, valid) for place in range(size)]
        if not valid.all():
            self._keep(valid)
            self._numbers = {key: [v[valid] for v in values] for key, values in self._numbers.items()}

    def _shape(self, kinds: npt.NDArray[np.uint8], count: int) -> tuple[Places, list[Places]]:
        """Return which columns have all fields, and which marks stand before, between and behind these."""
        outer = np.flatnonzero(kinds != _COMMA)
        tabs = np.flatnonzero(kinds[outer] == _TAB)
        wanted = len(self._form)
        rows = np.flatnonzero(tabs[1:] - tabs[:-1] == wanted)
        before = tabs[:-1] if len(rows) == count else tabs[rows]
        return rows, [outer[before + place] for place in range(wanted + 1)]

    def _fitting(self, sizes: dict[str, int]) -> Flags:
        """Say which columns have as many numbers in each field as they should."""
        fits = np.ones(len(self.rows), dtype=bool)
        for key, size in sizes.items():
            before, behind = self._around(key)
            fits &= behind - before == size
        return fits

    def _keep(self, wanted: Flags) -> None:
        if not wanted.all():
            self.rows = self.rows[wanted]
            self._borders = [border[wanted] for border in self._borders]

    def _around(self, key: str) -> tuple[Places, Places]:
        place = self._form.index(key)
        return self._borders[place], self._borders[place + 1]

    def _number(self, key: str, place: int, valid: Flags) -> Whole:
        """Return one number of a field, and note in `valid` where it is none."""
        before = self._around(key)[0] + place
        end = self._marks[before + 1]
        length = end - self._marks[before] - 1
        words = self._word(end, length, _ZEROS, at_end=True)
        valid &= (length > 0) & (length <= _WIDTH) & ((((words + _ABOVE_NINE) | words) & _HIGHEST) == 0)
        for factor, bits, kept in _STEPS:
            words = (words * factor + (words >> bits)) & kept
        return words.view(np.int64)

    def _word(self, end: Places, length: Places, flip: np.uint64, *, at_end: bool) -> Words:
        """Return the last eight bytes before `end`, of which only `length` are kept; the others are zero."""
        # Half and half: a shift by all 64 bits is undefined.
        half = ((_WIDTH - np.clip(length, 0, _WIDTH)) * (_WIDTH // 2)).astype(np.uint64)
        words = ((self._words[np.maximum(end - _WIDTH, 0)] ^ flip) >> half) >> half
        return (words << half) << half if at_end else words

    def numbers(self, key: str) -> list[Whole]:
        """Return the numbers of a field, one array of shape (n,) for each."""
        return self._numbers[key]

    def words(self, key: str) -> list[Words]:
        """Return the text of a field as words: equal texts have equal words, different texts do not."""
        before, behind = self._around(key)
        end = self._marks[behind]
        length = end - self._marks[before] - 1
        parts = range(0, int(length.max(initial=0)), _WIDTH)
        return [self._word(end - part, length - part, np.uint64(0), at_end=False) for part in parts]

    def text(self, key: str, place: int) -> bytes:
        """Return a field of the column `rows[place]`."""
        before, behind = self._around(key)
        return self._line[self._marks[before[place]] + 1 : self._marks[behind[place]]]
