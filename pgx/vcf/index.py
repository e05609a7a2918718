"""Where an index (.tbi or .csi) says that records stand, and the proof in the data that it is right.

htslib dies on some sound indexes, and follows one of another file to nowhere, so none reaches it. The data
has to bear an index out, else it is an `IndexMisfitError`: its last place is where the file ends; places over
the chromosome lead to records of the stretch named; from a known record in front of a region one arrives
exactly at its place. Places are virtual offsets: of a BGZF block, times 2^16, plus that in it, unpacked.
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

from pgx.errors import FormatError
from pgx.vcf.bgzf import Blocks, unpacked_blocks
from pgx.vcf.header import Header
from pgx.vcf.scan import is_wanted

_SAMPLES = 3  # places of a chromosome that are tried
_TILES = 40  # contigs of a file whose first records are tried where chromosome 19 has none
_CHUNKS = 500_000  # of one contig; chromosome 1 in bins of 2^14 bases has some 20,000
_STEPS = 500_000  # records that are passed over on the way to a region
_RECORD_HEAD = struct.Struct("<IIii")
#: Contig and position of a line; and so many bytes show them, unless a name is very long.
_PLACE = re.compile(rb"([^\t\n]+)\t(\d{1,12})\t")
_SHOWS_PLACE = 1 << 10
#: Bytes of a record from which on it is remembered where it ends, so that it is not inflated again.
_LONG_RECORD = 1 << 16


class IndexMisfitError(Exception):
    """The index is broken, or is not that of this file."""


class Index:
    """An index, of `data` without compression, of at most `most` contigs; else an `IndexMisfitError`."""

    def __init__(self, data: bytearray, names: dict[int, str], most: int) -> None:
        self._known: dict[int, tuple[dict[int, int], int, int]] = {}
        try:
            self._read(data, names, most)
        except (IndexError, struct.error, ValueError, OverflowError) as error:
            raise IndexMisfitError from error

    def _read(self, data: bytearray, names: dict[int, str], most: int) -> None:
        text: list[str] | None
        self._is_tbi = data.startswith(b"TBI\1")
        if self._is_tbi:
            self.shift, self.depth = 14, 5  # its linear index has an entry for 2^14 bases
            (count,) = struct.unpack_from("<i", data, 4)
            text, start = _names(data, 8)
        elif data.startswith(b"CSI\1"):
            self.shift, self.depth, extra = struct.unpack_from("<iii", data, 4)
            start = 16 + extra
            text = _names(data[:start], 16)[0] if extra >= 28 else None
            (count,) = struct.unpack_from("<i", data, start)
            start += 4
        else:
            raise IndexMisfitError
        if not (0 <= self.depth <= 9 and 0 < self.shift < 40 and 0 <= count <= most):
            raise IndexMisfitError
        self.names = dict(enumerate(text)) if text is not None else names  # that of a BCF does not name them
        whole = memoryview(data)[start : start + (len(data) - start) // 4 * 4]
        self.numbers: Sequence[int] = whole.cast("I")
        if sys.byteorder == "big":
            self.numbers = array("I", whole.tobytes())
            self.numbers.byteswap()
        self._head = 2 if self._is_tbi else 4  # numbers of a bin in front of its chunks; the last counts them
        self.most = ((1 << 3 * (self.depth + 1)) - 1) // 7  # bins are below it; one beyond has totals
        numbers, head, linear = self.numbers, self._head, self._is_tbi
        place = 0
        self._starts: list[int] = []  # of each contig; a number that leads out of the index is an IndexError
        for _ in range(count):
            self._starts.append(place)
            bins, place = numbers[place], place + head  # to the number of chunks of the first bin
            for _ in range(bins):
                place += head + 4 * numbers[place]
            place += 1 - head
            if linear:
                place += 1 + 2 * numbers[place]
        if place > len(numbers):
            raise IndexMisfitError

    def _contig(self, contig: int) -> tuple[dict[int, int], int, int]:
        # places in `numbers` of its bins by number (without totals) and of its linear index, whose entries
        if contig in self._known:
            return self._known[contig]
        numbers, bins = self.numbers, {}
        count, place = numbers[self._starts[contig]], self._starts[contig] + 1
        if count > _CHUNKS:
            raise IndexMisfitError
        for _ in range(count):
            if numbers[place] < self.most:
                bins[numbers[place]] = place
            place += self._head + 4 * numbers[place + self._head - 1]
        linear = (place + 1, numbers[place]) if self._is_tbi else (0, 0)
        self._known[contig] = bins, *linear
        return self._known[contig]

    def __len__(self) -> int:
        return len(self._starts)

    def wanted(self) -> list[int]:
        """Return the contigs that are chromosome 19 by name, and of which records are known."""
        named = [number for number, name in self.names.items() if number < len(self) and is_wanted(name)]
        return [number for number in named if self._contig(number)[0]]

    def chunks(self, contig: int) -> Iterator[tuple[int, int, int]]:
        """Yield the start and the end of each chunk, as virtual offsets, and its bin."""
        left, numbers = _CHUNKS, self.numbers
        for number, place in self._contig(contig)[0].items():
            first = place + self._head
            left -= numbers[first - 1]
            if left < 0:
                raise IndexMisfitError
            for at in range(first, first + 4 * numbers[first - 1], 4):
                yield numbers[at] | numbers[at + 1] << 32, numbers[at + 2] | numbers[at + 3] << 32, number

    def first_place(self, contig: int, start: int) -> int:
        """Return an offset before which no record reaches the 0-based `start`; 0 where the index has none."""
        bins, first, count = self._contig(contig)
        numbers = self.numbers
        if self._is_tbi:
            places = range(first + 2 * min(start >> self.shift, count - 1), first - 1, -2)
            offsets = (numbers[place] | numbers[place + 1] << 32 for place in places)
            return next(filter(None, offsets), 0)
        number = ((1 << 3 * self.depth) - 1) // 7 + (start >> self.shift)
        while number and number not in bins:  # as htslib does: to the left, then up
            parent = (number - 1) >> 3
            number = number - 1 if number > (parent << 3) + 1 else parent
        place = bins.get(number, -1) + 1
        return numbers[place] | numbers[place + 1] << 32 if place else 0

    def stretch(self, number: int) -> tuple[int, int]:
        """Return the bases of a bin, 0-based and half-open."""
        level, first = 0, 0
        while number >= (beyond := first + (1 << 3 * level)):
            level, first = level + 1, beyond
        size = 1 << self.shift + 3 * (self.depth - level)
        return (number - first) * size, (number - first + 1) * size


def _names(data: bytearray, place: int) -> tuple[list[str], int]:
    """Return the names of the contigs, and where the bins start in a .tbi."""
    kind, size = struct.unpack_from("<i20xi", data, place)
    place += 28
    if kind & 0xFFFF != 2 or not 0 <= size <= len(data) - place:
        raise IndexMisfitError
    names = data[place : place + size].split(b"\0")[:-1]
    return [name.decode(errors="replace") for name in names], place + size


def unpacked_index(packed: bytes, most: int) -> bytearray | None:
    """Return an index without compression, None beyond `most` bytes; `IndexMisfitError` if damaged."""
    data = bytearray()
    try:
        for block in unpacked_blocks(packed, "index"):
            data += block
            if len(data) > most:
                return None
    except FormatError as error:
        raise IndexMisfitError from error
    return data


class _Cursor:
    """A place in the records of a BGZF file; where none is, or no record starts, is an `IndexMisfitError`."""

    def __init__(self, blocks: Blocks, header: Header, offset: int, most: int) -> None:
        self._blocks, self._most = blocks, most
        self._binary = header.kind == "BCF"
        self.go_to(offset)

    def go_to(self, offset: int) -> None:
        self._block, self._inside = offset >> 16, offset & 0xFFFF
        if self._block > (self._blocks.raw.size or 0):
            raise IndexMisfitError
        self._data, self._next = self._blocks.load(self._block)
        if self._inside > len(self._data):
            raise IndexMisfitError

    @property
    def offset(self) -> int:
        """Return the virtual offset of what comes next: never the end of a block, but that of the file."""
        while self._inside == len(self._data) and self._next != self._block:
            self._block, self._inside = self._next, 0
            self._data, self._next = self._blocks.load(self._block)
        return self._block << 16 | self._inside

    @property
    def is_at_end(self) -> bool:
        return self.offset >> 16 == self._next

    def skip(self, count: int) -> bytes:
        parts = []
        while count > 0 and not self.is_at_end:
            parts.append(self._data[self._inside : self._inside + count])
            self._inside += len(parts[-1])
            count -= len(parts[-1])
        return b"".join(parts)

    def record(self) -> tuple[str | int, int, bytes] | None:
        """Return contig (its number in a BCF), 0-based start and bytes of the next record; None at end."""
        if self.is_at_end:
            return None
        if self._binary:
            head = self.skip(_RECORD_HEAD.size)
            if len(head) < _RECORD_HEAD.size:
                raise IndexMisfitError
            shared, own, number, start = _RECORD_HEAD.unpack(head)
            size = 8 + shared + own
            data = head + self.skip(size - len(head)) if shared >= 24 and size <= self._most else b""
            if len(data) < size:
                raise IndexMisfitError
            return number, start, data
        parts, found = [], 0
        while not self.is_at_end:
            end = self._data.find(b"\n", self._inside)
            parts.append(self._data[self._inside : end if end >= 0 else None])
            found += len(parts[-1])
            self._inside += len(parts[-1]) + (end >= 0)
            if end >= 0:
                break
            if found > self._most:
                raise IndexMisfitError
        line = b"".join(parts)
        return *_place(line), line

    def place(self) -> tuple[str | int, int] | None:
        if self._binary:
            head = self.skip(_RECORD_HEAD.size)
            return _RECORD_HEAD.unpack(head)[2:] if len(head) == _RECORD_HEAD.size else None
        head = self.skip(_SHOWS_PLACE)
        return _place(head) if head.count(b"\t") > 1 else None


def _place(line: bytes) -> tuple[str, int]:
    found = _PLACE.match(line)
    if found is None or found[1].startswith(b"#"):
        raise IndexMisfitError
    return found[1].decode(errors="replace"), int(found[2]) - 1


class IndexedRecords:
    """The records that an index leads to, each region proven; `most` bytes a record may have."""

    def __init__(self, index: Index, blocks: Blocks, header: Header, most: int) -> None:
        self._index, self._blocks, self._header, self._most = index, blocks, header, most
        self._long: dict[int, tuple[str | int, int, int]] = {}

    def regions(self, windows: Sequence[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
        """Yield the records in `windows` (0-based, half-open, ascending), once, and their virtual offsets.

        An index that does not belong to the data is an `IndexMisfitError`.
        """
        last = 0  # the last place of the index has to be the end of the file
        for number in reversed(range(len(self._index))):
            end = max((end for _, end, _ in self._index.chunks(number)), default=0)
            if end > last and self._cursor(end).is_at_end:
                break
            last = max(last, end)
        else:
            if last or not self._behind_header().is_at_end:
                raise IndexMisfitError
        if not (ours := self._index.wanted()):
            self._check_that_none_is_there()
        for number in ours:
            yield from self._of_contig(number, windows)

    def _is(self, contig: str | int, number: int) -> bool:
        return contig == (number if self._header.kind == "BCF" else self._index.names[number])

    def _cursor(self, offset: int) -> _Cursor:
        try:
            return _Cursor(self._blocks, self._header, offset, self._most)
        except FormatError as error:
            raise IndexMisfitError from error

    def _of_contig(self, number: int, windows: Sequence[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
        chunks = sorted(self._index.chunks(number))
        for place in range(0, len(chunks), max(len(chunks) // _SAMPLES, 1)):
            self._check_chunk(number, *chunks[place])
        starts = [start for start, _, _ in chunks]
        done = -1
        for start, stop in windows:
            place = max(self._index.first_place(number, start), starts[0])
            known = bisect_left(starts, place)
            if known:
                before: int | None = starts[known - 1]
            else:  # where the last record stands that is known on any contig
                every = map(self._index.chunks, range(len(self._index)))
                before = max((at for some in every for at, _, _ in some if at < place), default=None)
            cursor = self._behind_header() if before is None else self._cursor(before)
            wanted = self._cursor(place).offset  # must be the start of a record, past some before `stop` only
            for _ in range(_STEPS):
                if cursor.offset >= wanted:
                    break
                record = self._record(cursor, again=True)
                if record is None or (self._is(record[0], number) and record[1] >= stop):
                    raise IndexMisfitError
            if cursor.offset != wanted:
                raise IndexMisfitError
            for _ in range(_STEPS):
                offset = cursor.offset
                record = self._record(cursor, again=offset <= done)
                if record is None or not self._is(record[0], number) or record[1] >= stop:
                    break
                if offset > done:
                    done = offset
                    yield offset, record[2]
            else:
                raise IndexMisfitError

    def _record(self, cursor: _Cursor, *, again: bool) -> tuple[str | int, int, bytes] | None:
        """Return the next record; if `again`, one that is long and was met before without its bytes."""
        offset = cursor.offset
        if again and offset in self._long:
            contig, start, end = self._long[offset]
            cursor.go_to(end)
            return contig, start, b""
        record = cursor.record()
        if record is not None and len(record[2]) > _LONG_RECORD:
            self._long[offset] = *record[:2], cursor.offset
        return record

    def _behind_header(self) -> _Cursor:
        cursor = self._cursor(0)
        cursor.skip(self._header.size)
        return cursor

    def _check_chunk(self, number: int, start: int, _: int, bin_number: int) -> None:
        cursor = self._cursor(start)
        found = cursor.place() or self._cursor(start).record()
        first, last = self._index.stretch(bin_number)
        if found is None or not self._is(found[0], number) or not first <= found[1] < last:
            raise IndexMisfitError

    def _check_that_none_is_there(self) -> None:
        """Check that the other contigs follow upon each other without a gap, from the header to the end."""
        every = ((number, list(self._index.chunks(number))) for number in range(len(self._index)))
        found = ((min(some), max(end for _, end, _ in some), number) for number, some in every if some)
        tiles = sorted((first[0], end, number, first[2]) for first, end, number in found)
        if tiles and self._behind_header().offset != self._cursor(tiles[0][0]).offset:
            raise IndexMisfitError
        for (_, end, _, _), (start, _, _, _) in pairwise(tiles):
            if end != start and self._cursor(end).offset != self._cursor(start).offset:
                raise IndexMisfitError
        for start, end, number, bin_number in tiles[:: max(len(tiles) // _TILES, 1)]:
            self._check_chunk(number, start, end, bin_number)
