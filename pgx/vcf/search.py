"""Find the records at the sites of a sorted VCF without an index, by bisection: some hundred blocks are read.

It is trusted only where the data bear out that the file is sorted, else it is a `NotProvenError`, and the
whole file is read: places over the file, closer at its ends, ascend, and no contig comes in two; all lines
that are read ascend and are whole; one name of chromosome 19 is declared or met; records cover both sites.
Where the header or a line declares what makes a record long (END, SVLEN, LEN, symbolic alleles), all of
chromosome 19 before the sites is looked through. Offsets are virtual, as in an index.
"""

from __future__ import annotations

import functools
import io
import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise
from os.path import commonprefix

from msgspec import Struct

from pgx.errors import FormatError
from pgx.vcf.bgzf import Blocks
from pgx.vcf.header import Header
from pgx.vcf.open import Bounds
from pgx.vcf.scan import NEAR, Row, TextScan, is_wanted, places, windows

_PROBES = 48
_PROBES_OURS = 16  # over chromosome 19
_BEHIND = 10**12  # a position behind all others
_NEAR = 1 << 16  # bytes from which on lines are read instead of halved
_END = 1 << 14  # bytes of the end of the file in which its last lines are looked for, and doubled
#: Bases in front of a site from which on a REF is looked for; a block of so many is not believed either.
_LOOK_BACK = 1_000_000
_LENGTHS = re.compile(rb"^##(?:(?:INFO|FORMAT)=<(?:[^\n]*,)?ID=(?:END|SVLEN|LEN)[,>]|ALT=)", re.MULTILINE)
_ENDS = re.compile(rb"END=(\d{1,18})")
_CHROMOSOME = re.compile(r"(?:chr)?(?:(\d{1,2})|(X)|(Y)|(MT?))", re.IGNORECASE)
Rank = int | str


class NotProvenError(Exception):
    """The file cannot be trusted to be sorted, or a site has no record."""


class Mark(Struct, frozen=True, kw_only=True, order=True):
    """A line of the file."""

    start: int  # the virtual offset from which it can be read again
    is_cut: bool  # there a line goes on that began before, and this is the one behind it
    name: tuple[str, int]  # contig and 1-based position


class Search:
    """A search in one file; `sites` are the 1-based positions of both sites on its assembly."""

    def __init__(
        self, blocks: Blocks, header: Header, label: str, limits: Bounds, *, sites: list[int], around: bool
    ) -> None:
        self.scan = TextScan(header, label, limits, "", around=around)
        self._blocks, self._size = blocks, blocks.raw.size or 0
        self._header, self._sites = header, sites
        self._tabs = 8 + len(header.samples)
        self._far = _LENGTHS.search(header.text) is not None  # records may begin anywhere in front of a site
        self._marks: list[Mark] = []
        self._rank: Callable[[str], Rank | None] = _natural
        self._ours: Rank = 0
        self._near: list[tuple[int, int]] = []
        self._done = 0
        self._before: tuple[Rank, int] | None = None

    def run(self, windows: Sequence[tuple[int, int]]) -> list[Row]:
        """Return the records in `windows` (0-based, half-open) and those before that reach a site.

        A file that must be read as a whole is a `NotProvenError`.
        """
        try:
            self._survey()
            # A file that was joined from parts by chromosome has it twice, side by side: it is probed evenly.
            begin, (_, end) = self._around(0)[0].start >> 16, self._around(_BEHIND)
            for number in range(1, _PROBES_OURS):
                if mark := self._mark(begin + (end - begin) * number // _PROBES_OURS):
                    insort(self._marks, mark)
            edges = (-1, 0), (_BEHIND - 1, _BEHIND)
            stretches = ((max(place - 1 - _LOOK_BACK, 0), place) for place in places()[:-1])
            self._near = sorted([*edges, *windows, *stretches])
            far = [(0, places()[-2])] if self._far else []
            for start, stop in sorted([*self._near, *far]):
                self._read(start + 1, stop)
        except FormatError as error:  # damage: the pass says which
            raise NotProvenError from error
        self._check_order()
        rows = self.scan.rows.sorted()
        covered = (any(_covers(row.data, site) for row in rows) for site in self._sites)
        if self.scan.unsorted or not all(covered):
            raise NotProvenError
        return rows

    def _survey(self) -> None:
        start = self._blocks.offset(self._header.size)
        block = start >> 16
        first = self._first_mark(start, is_cut=False)
        if first is None:
            raise NotProvenError
        self._marks = [first]
        length = self._size - block
        places = {block + length * number // _PROBES for number in range(1, _PROBES)}
        step = length // _PROBES // 4
        while step > _END:
            places |= {block + step, self._size - step}
            step //= 4
        self._marks += [mark for place in sorted(places) if (mark := self._mark(place))]
        named, last = [mark.name for mark in self._marks], self._last_lines(block)
        self._rank, self._ours = self._order(named, last)
        self._check_order()
        first_lines = self._names_of(next(self._lines(start, is_cut=False))[0])
        for names in ([named[-1], last[-1]], last, first_lines):
            if any(self._key(one) > self._key(two) for one, two in pairwise(names)):
                raise NotProvenError

    def _names_of(self, text: bytes) -> list[tuple[str, int]]:
        return [self._name_of(line) for line in text.split(b"\n")[:-1]]

    def _last_lines(self, least: int) -> list[tuple[str, int]]:
        back = _END
        while True:
            place = max(self._size - back, least)
            begin = self._blocks.near(place) if place > least else None
            start, is_cut = (begin << 16, True) if begin is not None else (self._marks[0].start, False)
            if begin is not None or place == least:
                if lines := b"".join(text for text, _ in self._lines(start, is_cut=is_cut)):
                    return self._names_of(lines)
                if place == least:
                    raise NotProvenError
            back *= 2

    def _order(self, *lines: Sequence[tuple[str, int]]) -> tuple[Callable[[str], Rank | None], Rank]:
        """Return what gives contigs their place in the order of the file, and that of chromosome 19."""
        runs = [list(dict.fromkeys(contig for contig, _ in names)) for names in lines]
        declared = [name for name in self._header.contigs.values() if is_wanted(name)]
        ours = list(dict.fromkeys([*declared, *filter(is_wanted, chain(*runs))]))
        if len(ours) > 1:
            raise NotProvenError
        name = ours[0] if ours else ("chr19" if runs[0][0].startswith("chr") else "19")
        numbers = {contig: number for number, contig in enumerate(self._header.contigs.values())}
        rules: list[Callable[[str], Rank | None]] = [numbers.get, _natural]
        # by letters: among names with "chr" no other of ours can hide
        rules.append(lambda contig: contig if contig.startswith("chr") else None)
        for rule in rules:
            rank, ranks = rule(name), [list(map(rule, run)) for run in runs]
            if rank is None or any(None in some for some in ranks):
                continue
            if all(one < two for some in ranks for one, two in pairwise(some)):  # type: ignore[operator]
                return rule, rank
        raise NotProvenError

    def _ends(self, text: bytes) -> Iterator[tuple[str, int]]:
        return map(self._name_of, (text[: text.find(b"\n")], text[text.rfind(b"\n", 0, -1) + 1 : -1]))

    def _key(self, name: tuple[str, int]) -> tuple[Rank, int]:
        rank = self._rank(name[0])
        if rank is None:
            raise NotProvenError
        return rank, name[1]

    def _check_order(self) -> None:
        for one, two in pairwise(mark.name for mark in self._marks):
            same_rank = self._rank(one[0]) == self._rank(two[0])
            if self._key(one) > self._key(two) or (one[0] != two[0] and same_rank):
                raise NotProvenError

    def _lines(self, start: int, *, is_cut: bool) -> Iterator[tuple[bytes, int]]:
        """Yield whole lines from a virtual offset, and the offset behind them."""
        block, inside = start >> 16, start & 0xFFFF
        parts: list[bytes] = []
        held = skipped = 0
        while (found := self._blocks.load(block))[1] != block:
            data, following = found
            if is_cut:
                inside = data.find(b"\n", inside) + 1 or len(data)
                is_cut = inside == len(data) and not data.endswith(b"\n")
                skipped += inside
            end = data.rfind(b"\n", inside) + 1
            if end:
                place = following << 16 if end == len(data) else block << 16 | end
                yield b"".join([*parts, data[inside:end]]), place
                parts, held, inside = [], 0, end
            parts.append(data[inside:])
            held += len(data) - inside
            if max(held, skipped) > self.scan.rows.most:
                raise NotProvenError
            block, inside = following, 0
        if held:
            yield b"".join([*parts, b"\n"]), block << 16

    def _mark(self, place: int) -> Mark | None:
        """Return the first line that begins behind the byte `place`; None at the end of the file."""
        block = self._blocks.near(place)
        if block is None:
            if place + _NEAR < self._size:
                raise NotProvenError
            return None
        _, *lines = self._blocks.head(block).split(b"\n", 2)
        return self._first_mark(block << 16, is_cut=True, line=lines[0] + b"\n" if lines[1:] else b"")

    def _first_mark(self, start: int, *, is_cut: bool, line: bytes = b"") -> Mark | None:
        text = line or next(self._lines(start, is_cut=is_cut), (b"", 0))[0]
        if not text:
            return None
        line = text[: text.find(b"\n")]
        self._far = self._far or _may_be_long(line)
        return Mark(start=start, is_cut=is_cut, name=self._name_of(line))

    def _name_of(self, line: bytes) -> tuple[str, int]:
        contig, _, rest = line[:400].partition(b"\t")
        position = rest.partition(b"\t")[0]
        is_whole = line.count(b"\t") - self._tabs in {0, int(self._header.trailing_tab)}
        is_number = position.isdigit() and len(position) <= 12
        if not (contig and is_whole and is_number) or contig.startswith(b"#"):
            raise NotProvenError
        return contig.decode(errors="replace"), int(position)

    def _around(self, position: int) -> tuple[Mark, int]:
        """Return a mark in front of a 1-based position of chromosome 19, and a byte with all behind it."""
        wanted = (self._ours, position)
        number = bisect_left(self._marks, wanted, key=lambda mark: self._key(mark.name))
        if number == 0:
            return self._marks[0], self._marks[0].start >> 16
        low = self._marks[number - 1]
        high = self._marks[number].start >> 16 if number < len(self._marks) else self._size
        while high - (low.start >> 16) > _NEAR:
            middle = ((low.start >> 16) + high) // 2
            mark = self._mark(middle)
            if mark is None or mark.start >> 16 >= high:
                high = middle
                continue
            insort(self._marks, mark)
            low, high = (mark, high) if self._key(mark.name) < wanted else (low, middle)
        return low, high

    def _read(self, start: int, stop: int) -> None:
        """Read the records of chromosome 19 from `start` to `stop`, 1-based and closed."""
        mark, high = self._around(start)  # all between is read, so that no run hides behind another
        is_new = mark.start >= self._done
        for text, place in self._lines(max(mark.start, self._done), is_cut=mark.is_cut and is_new):
            is_one = self._is_idle(text) or self.scan.feed(text)
            first, last = map(self._key, self._ends(text))
            if not self._far and _may_be_long(text):
                raise NotProvenError
            # lines ascend, and follow upon those read before; on one contig, the scan has looked
            keys = [first, last] if is_one else list(map(self._key, self._names_of(text)))
            if not (self._before or first) <= first or any(one > two for one, two in pairwise(keys)):
                raise NotProvenError
            self._before, self._done = last, place
            if place >> 16 >= high and last > (self._ours, stop):
                return

    def _is_idle(self, text: bytes) -> bool:
        """Return whether lines of chromosome 19 are far from the sites, and as long as their REF."""
        first, last = self._ends(text)
        if not self._key(first)[0] == self._key(last)[0] == self._ours:
            return False
        if any(start < last[1] and first[1] <= stop for start, stop in self._near) or _may_be_long(text):
            return False
        lines = io.BytesIO(text).readlines()
        low, high = min(lines), max(lines)  # in the order of letters, which all lines are between
        contig = first[0].encode() + b"\t"
        if not (low.startswith(contig) and high.startswith(contig)):
            return False
        starts = (contig + digits for digits in _near_starts())
        # a line at a site shows the file to be unsorted
        return not any(low[: len(start)] <= start <= high[: len(start)] for start in starts)


@functools.cache
def _near_starts() -> tuple[bytes, ...]:
    pairs = ([str(start), str(stop)] for start, stop in windows(NEAR))
    return tuple(commonprefix(pair).encode() for pair in pairs)  # noqa: RUF071 - digits, not paths


def _may_be_long(text: bytes) -> bool:
    # A single byte is looked for ten times faster, and few texts have it.
    return (b"<" in text and b"\t<" in text) or b"END=" in text or b"LEN" in text


def _natural(contig: str) -> int | None:
    """Return the number of a chromosome, with X, Y and M behind the others."""
    found = _CHROMOSOME.fullmatch(contig)
    return found and (int(found[1]) if found[1] else 100 + int(found.lastindex or 0))


def _covers(line: bytes, site: int) -> bool:
    columns = line.split(b"\t", 8)
    if not is_wanted(columns[0].decode(errors="replace")):
        return False
    position = int(columns[1])
    return position <= site <= max([position + len(columns[3]) - 1, *map(int, _ENDS.findall(columns[7]))])
