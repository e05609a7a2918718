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
    """Return where columns start in their line, shape (n + 1,); one byte stands between two."""
    if columns.edges is None:
        line, first = columns.line, columns.first
        tabs = np.flatnonzero(np.frombuffer(line, dtype=np.uint8)[first:] == _TAB)
        columns.edges = np.concatenate([[first], tabs + (first + 1), [len(line)]]).data
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
        is_mark = (near == _TAB) | (near == _COLON) | (near == _COMMA)
        is_mark[-1] = True  # behind the last column of a line there is no tab
        marks = np.flatnonzero(is_mark)
        kinds = near[marks]
        kinds[-1] = _TAB
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
        """Return which columns have as many numbers in each field as they should."""
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
        # Zeros take the place of what is before the number; of no number, and of long ones, no matter what.
        shift = (-8 * length & 63).view(np.uint64)
        words = ((self._words[end - _WIDTH] ^ _ZEROS) >> shift) << shift
        valid &= (length > 0) & (length <= _WIDTH) & ((((words + _ABOVE_NINE) | words) & _HIGHEST) == 0)
        for factor, bits, kept in _STEPS:
            words = (words * factor + (words >> bits)) & kept
        numbers: Whole = words.view(np.int64)
        return numbers

    def numbers(self, key: str) -> list[Whole]:
        """Return the numbers of a field, one array of shape (n,) for each."""
        return self._numbers[key]

    def words(self, key: str) -> list[Words]:
        """Return the text of a field as words: equal texts have equal words, different texts do not."""
        before, behind = self._around(key)
        end = self._marks[behind]
        length = end - self._marks[before] - 1
        return [
            self._word(end - part, length - part) for part in range(0, int(length.max(initial=0)), _WIDTH)
        ]

    def _word(self, end: Places, length: Places) -> Words:
        """Return the last `length` of the eight bytes before `end`, with zeros behind; none if negative."""
        # Half and half: a shift by all 64 bits is undefined.
        half = (4 * (_WIDTH - np.clip(length, 0, _WIDTH))).view(np.uint64)
        return (self._words[np.maximum(end - _WIDTH, 0)] >> half) >> half

    def text(self, key: str, place: int) -> bytes:
        """Return a field of the column `rows[place]`."""
        before, behind = self._around(key)
        return self._line[self._marks[before[place]] + 1 : self._marks[behind[place]]]
