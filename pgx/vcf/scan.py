"""Pass over the records of an input, mostly not line by line, and keep those that may matter for htslib."""

from __future__ import annotations

import functools
import io
import re
import struct
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby

from msgspec import Struct

from pgx.errors import FormatError
from pgx.genome import contig_names, definitions, positions, rsids
from pgx.vcf.bgzf import damaged
from pgx.vcf.header import Header
from pgx.vcf.open import COPY_AGAIN, Bounds, beyond

_END = re.compile(rb"(?:^|;)END=(\d{1,18})")  # of more digits these show enough, and int() takes no 5,000
_FIXED_TABS = 8  # in front of the first sample column there is one more
_BCF_RECORD = struct.Struct("<IIiii")  # lengths of the shared and sample part, contig, 0-based start, length
_NAMES = 100_000  # contigs that are remembered
_HELD = 2  # of the largest records so many may be held for the sites together
#: Bases on each side of the sites that are read (our rsIDs may stand a little aside), and of neighbours.
NEAR, AROUND = 1000, 31_000


class Row(Struct, frozen=True, kw_only=True):
    """A record as it stands in the input: its bytes, and where they are, for a message."""

    place: str
    data: bytes


@functools.cache
def places() -> tuple[int, ...]:
    """Return the 1-based positions of the sites on all assemblies, ascending, and one beyond all others."""
    return (*positions(), sys.maxsize)


@functools.cache
def windows(reach: int) -> tuple[tuple[int, int], ...]:
    """Return the window around the sites on each assembly, 0-based and half-open, ascending."""
    names = definitions()[0].positions
    assemblies = ([definition.positions[name] for definition in definitions()] for name in names)
    return tuple(sorted((min(found) - 1 - reach, max(found) + reach) for found in assemblies))


@functools.cache
def _edges() -> tuple[int, ...]:
    return tuple(edge for window in windows(AROUND) for edge in window)


def is_around(start: int) -> bool:
    """Return whether a record at the 0-based `start` begins in a window around the sites."""
    return bisect_right(_edges(), start) % 2 == 1


@functools.lru_cache(maxsize=1000)
def is_wanted(name: str) -> bool:
    """Return whether `name` is one of chromosome 19."""
    return name.lower() in map(str.lower, contig_names())


_LOOKS_WANTED = re.compile(
    r"(?:(?:homo[ _]?sapiens|human|hs|hsa|hg\d\d|grch\d\d|b3[78])[ _.:-]*)?"
    r"(?:chromosome|chrom|chr|ch|c)?[ _.:-]*0*19(?:\.0|[ _.-]*(?:grch|hg)\d\d)?"
    r"|.*(?:nc_0*19|cm000681|nc_060943|cp068259)(?:\.\d+)?\W*",
    re.IGNORECASE,
)


def looks_wanted(name: str) -> bool:
    """Return whether `name` may be one of chromosome 19, though no one that is known."""
    return not is_wanted(name) and _LOOKS_WANTED.fullmatch(name.strip()) is not None


@functools.cache
def identifier() -> re.Pattern[bytes]:
    """Return what finds an rsID of ours in an ID, whatever the case."""
    return re.compile(rb"(?:^|;)(?:%s)(?:;|$)" % "|".join(rsids()).encode(), re.IGNORECASE)


@functools.cache
def _digits() -> tuple[bytes, ...]:  # plain bytes are found many times faster than "rs" in any case
    return tuple(rsid[2:].encode() for rsid in rsids())


class Rows:
    """Records in bounds of memory, by number of what is `counted` ("line", "record"), or by place ("")."""

    def __init__(self, header: Header, label: str, limits: Bounds, counted: str = "") -> None:
        self._counted = counted
        self._is_text = header.kind == "VCF"
        self.most = limits.bytes("max_record") + int(len(header.samples) * limits.value("max_sample") * 1000)
        self.label, self.limits = label, limits
        self._kept: dict[int, bytes] = {}
        self._bytes = 0

    def keep(self, number: int, data: bytes) -> None:
        """Keep a record; one that is too long, or all together, is a `FormatError`."""
        if number in self._kept:
            return
        self.check(len(data), self._place(number, data))
        self._kept[number] = data
        self._bytes += len(data)
        if self._bytes > _HELD * self.most:
            raise beyond("max_record", "what stands at the sites", self.label, self.limits)

    def keep_if_it_fits(self, number: int, data: bytes) -> None:
        """Keep a record that no answer depends on; beyond the bounds of memory none is kept any more."""
        if self._bytes + len(data) > _HELD * self.most:
            self._kept.clear()
            self._bytes = sys.maxsize
        else:
            self._kept[number] = data
            self._bytes += len(data)

    def start(self, data: bytes) -> int:
        """Return the 0-based start of a record."""
        return int(data.split(b"\t", 2)[1]) - 1 if self._is_text else int(_BCF_RECORD.unpack_from(data)[3])

    def check(self, size: int, what: str) -> None:
        """Check the size of one record."""
        if size > self.most:
            raise beyond("max_record", what, self.label, self.limits)

    def sorted(self) -> list[Row]:
        """Return what was kept."""
        return [Row(place=self._place(at, data), data=data) for at, data in sorted(self._kept.items())]

    def _place(self, number: int, data: bytes) -> str:
        if self._counted:
            return f"{self._counted} {number}"
        if self._is_text:
            end = data.find(b"\t", data.find(b"\t") + 1)
            return "the record at " + data[:end].replace(b"\t", b":").decode(errors="replace")
        return f"the record at position {self.start(data) + 1}"


def may_reach(text: bytes, start: int, end: int, position: int, place: int) -> bool:
    """Return whether the line `text[start:end]` of a record at `position` may cover `place`, both 1-based."""
    find = text.find
    after_id = find(b"\t", find(b"\t", find(b"\t", start, end) + 1, end) + 1, end)
    after_ref = find(b"\t", after_id + 1, end)
    if position + after_ref - after_id - 2 >= place:
        return True
    tab = after_ref
    for _ in range(3):  # ALT, QUAL, FILTER
        tab = find(b"\t", tab + 1, end)
    after_info = find(b"\t", tab + 1, end)
    info = text[tab + 1 : after_info if after_info >= 0 else end]
    # htslib reads SVLEN and FORMAT/LEN in its own way: with them, it may
    if b"SVLEN=" in info or (b"END=" in info and any(int(stop) >= place for stop in _END.findall(info))):
        return True
    return after_info >= 0 and b"LEN" in text[after_info + 1 : max(find(b"\t", after_info + 1, end), 0)]


@functools.cache
def _maybe_named() -> re.Pattern[bytes]:
    # the end of a line in front of one whose ID has the digits of ours; nearly every ID is "." or one rsID
    ours = b"(?:%s)" % b"|".join(_digits())
    plain = rb"(?:\.|rs(?!%s\t)\d++)\t" % ours
    return re.compile(rb"\n(?=[^\t]*+\t[^\t]*+\t(?!%s)[^\t\n]*?%s)" % (plain, ours))


def _contig(line: bytes) -> bytes:
    return line.partition(b"\t")[0].removesuffix(b"\n")


def _runs(lines: Sequence[bytes]) -> Iterator[tuple[bytes, Sequence[bytes]]]:
    first, last = min(lines), max(lines)
    contig = _contig(first)
    if last.startswith(contig + b"\t"):  # and so do all, which lie between the two
        yield contig, lines
    else:
        yield from ((contig, list(run)) for contig, run in groupby(lines, key=_contig))


def _least(digits: str) -> str:
    """Return the pattern of a number that has as many digits as this one, and is as large or larger."""
    first, rest = digits[:1], digits[1:]
    return first and f"(?:{first}{_least(rest)}|(?!{first})[{first}-9]\\d{{{len(rest)}}})"


@functools.lru_cache
def _ends_from(place: int) -> re.Pattern[bytes]:
    digits = str(place)
    return re.compile(rf"END=0*+(?:{_least(digits)}|[1-9]\d{{{len(digits)}}})".encode())


class Scan:
    """A pass over the records of an input."""

    def __init__(self, header: Header, label: str, limits: Bounds, counted: str, *, around: bool) -> None:
        self.rows = Rows(header, label, limits, counted)
        self.around = Rows(header, label, limits, counted) if around else None  # the sites, if wanted
        self.unsorted = False  # chromosome 19 stands in more than one place, or its records descend
        self.names: list[str] = []  # of chromosome 19 in the records, and what seems to be one
        self._label = label


class TextScan(Scan):
    """A pass over the lines of a VCF."""

    def __init__(
        self, header: Header, label: str, limits: Bounds, counted: str = "line", *, around: bool
    ) -> None:
        super().__init__(header, label, limits, counted, around=around)
        self._tabs = _FIXED_TABS + len(header.samples)
        self._line = header.lines + 1
        self._contig = b""
        self._seen: set[bytes] = set()
        self._is_ours = False
        self._last = 0

    def run(self, pieces: Iterable[bytes]) -> list[Row]:
        """Pass over the text behind a header; an error names the line that cannot be a record."""
        for text in whole_lines(pieces, self.rows, lambda: self._line):
            self.feed(text)
        return self.rows.sorted()

    def feed(self, text: bytes) -> bool:
        """Look at whole lines, and return whether all are on one name of chromosome 19; errors as `run`."""
        lines = io.BytesIO(text).readlines()
        if text.count(b"\t") != len(lines) * self._tabs:
            self._check_columns(lines)
        for start in chain((0,), (found.end() for found in _maybe_named().finditer(text))):
            line = text[start : text.find(b"\n", start)]
            if identifier().search(b"".join(line.split(b"\t", 3)[2:3])):
                self.rows.keep(self._line + text.count(b"\n", 0, start), self._trimmed(line))
        is_one = False
        for contig, run in _runs(lines):
            if contig != self._contig:
                self._contig, name = contig, contig.decode(errors="replace")
                self._is_ours = is_wanted(name)
                if self._is_ours:
                    self.unsorted |= contig in self._seen
                    self._last = 0
                if contig not in self._seen and len(self._seen) < _NAMES:
                    self._seen.add(contig)
                    if self._is_ours or looks_wanted(name):
                        self.names.append(name)
            if self._is_ours:
                is_one = len(run) == len(lines)
                ours = text if is_one else b"".join(run)
                if not self._passes(ours):
                    self._look_at(ours, self._line)
            self._line += len(run)
        return is_one

    def _check_columns(self, lines: Iterable[bytes]) -> None:
        """Find the line that is wrong. One without samples may stand anywhere; htslib allows it, too."""
        for number, line in enumerate((line.removesuffix(b"\n") for line in lines), start=self._line):
            tabs = line.count(b"\t")
            is_trailing = tabs == self._tabs + 1 and line.rstrip(b"\r").endswith(b"\t")
            if tabs in {self._tabs, _FIXED_TABS - 1} or is_trailing:
                continue
            if not tabs and len(line.split()) >= _FIXED_TABS:
                what = f"line {number} is separated by spaces instead of tabs"
                raise FormatError(what, where=self._label, cure="Write tabs between the columns")
            held = f"has {tabs + 1} columns where the header has {self._tabs + 1}"
            held = held if line.strip() else "is empty"
            what = f"line {number} {held}, so the file is damaged or truncated"
            raise FormatError(what, where=self._label, cure=COPY_AGAIN)

    def _passes(self, text: bytes) -> bool:
        """Return whether lines of chromosome 19 ascend, and none can reach a site or stands around one."""
        found = re.findall(rb"\n" + re.escape(self._contig) + rb"\t(\d{1,12})\t", b"\n" + text)
        if len(found) != text.count(b"\n"):
            return False
        positions = list(map(int, found))
        first, last = positions[0], positions[-1]
        place = places()[bisect_left(places(), first)]
        if first < self._last or positions != sorted(positions):
            return False
        if place != sys.maxsize and (
            last + len(text) >= place or _ends_from(place).search(text) or b"LEN" in text
        ):
            return False
        edges = [bisect_right(_edges(), position - 1) for position in (first, last)]
        if self.around is not None and (edges[0] != edges[1] or edges[0] % 2):
            return False
        self._last = last
        return True

    def _look_at(self, text: bytes, number: int) -> None:
        known, start = places(), 0
        while start < len(text):
            tab, end = text.find(b"\t", start), text.find(b"\n", start)
            digits = text[tab + 1 : text.find(b"\t", tab + 1)]
            if not digits.isdigit() or len(digits) > 12:
                what = f"line {number} has no number as its position"
                raise FormatError(what, where=self._label, cure=COPY_AGAIN)
            position = int(digits)
            self.unsorted |= position < self._last
            self._last = position
            place = known[bisect_left(known, position)]
            if place != sys.maxsize and may_reach(text, start, end, position, place):
                self.rows.keep(number, self._trimmed(text[start:end]))
            if self.around is not None and is_around(position - 1):
                self.around.keep_if_it_fits(number, self._trimmed(text[start:end]))
            start = end + 1
            number += 1

    def _trimmed(self, line: bytes) -> bytes:
        """Return a line without what may stand behind its last column."""
        line = line.removesuffix(b"\r")
        return line[:-1] if line.endswith(b"\t") and line.count(b"\t") > self._tabs else line


def whole_lines(pieces: Iterable[bytes], rows: Rows, number: Callable[[], object]) -> Iterator[bytes]:
    """Yield pieces that end where a line does; the last line may lack its end.

    A line longer than a record may be is a `FormatError`; `number` returns that of the first not yet yielded.
    """
    parts: list[bytes] = []
    held = 0
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield b"".join([*parts, memoryview(piece)[:cut]])
            parts, held = [], 0
        if cut < len(piece):
            parts.append(piece[cut:])
            held += len(piece) - cut
            rows.check(held, f"line {number()}")
    if parts:
        yield b"".join([*parts, b"\n"])


class BinaryScan(Scan):
    """A pass over the records of a BCF."""

    def __init__(self, header: Header, label: str, limits: Bounds, *, around: bool) -> None:
        super().__init__(header, label, limits, "record", around=around)
        self.names += header.contigs.values()
        self._ours = frozenset(number for number, name in header.contigs.items() if is_wanted(name))
        self._any_length = b"##FORMAT=<ID=LEN," in header.text

    def run(self, pieces: Iterable[bytes]) -> list[Row]:
        """Pass over the records behind a header; an error names the one that cannot be one."""
        known = places()
        unpack, ours = _BCF_RECORD.unpack_from, self._ours
        parts: list[bytes] = []
        held = wanted = before = 0
        number, contig_before = 1, -1
        seen: set[int] = set()
        for piece in pieces:
            parts.append(piece)
            held += len(piece)
            if held < wanted:  # a long record is looked at once
                continue
            buffer = b"".join(parts)
            named = _named_places(buffer)
            place, size, wanted = 0, held, 0
            while place + 32 <= size:
                shared, own, contig, start, length = unpack(buffer, place)
                end = place + 8 + shared + own
                if shared < 24:
                    raise damaged(self._label, f"is damaged at record {number}")
                if end > size:
                    wanted = end - place
                    self.rows.check(wanted, f"record {number}")
                    break
                if contig in ours:
                    self.unsorted |= start < before if contig == contig_before else contig in seen
                    before = start
                    site = known[bisect_left(known, start + 1)]
                    if site != sys.maxsize and (site <= start + length or self._any_length):
                        self.rows.keep(number, buffer[place:end])
                    if self.around is not None and is_around(start):
                        self.around.keep_if_it_fits(number, buffer[place:end])
                if contig != contig_before:
                    seen.add(contig)
                    contig_before = contig
                while named and named[-1] < end:
                    if named.pop() >= place:
                        self.rows.keep(number, buffer[place:end])
                place = end
                number += 1
            parts, held = [buffer[place:]], size - place
        if held:
            raise damaged(self._label, f"is damaged or truncated at record {number}")
        return self.rows.sorted()


def _named_places(data: bytes) -> list[int]:
    """Return where our rsIDs stand in `data`, the last first."""
    found = []
    for digits in _digits():
        place = -1
        while (place := data.find(digits, place + 1)) >= 0:
            if data[place - 2 : place].lower() == b"rs":
                found.append(place)
    return sorted(found, reverse=True)


def scan_of(header: Header, label: str, limits: Bounds, *, around: bool = False) -> TextScan | BinaryScan:
    """Return the pass for an input with this header; `around`: keep the records around the sites, too."""
    return (TextScan if header.kind == "VCF" else BinaryScan)(header, label, limits, around=around)
