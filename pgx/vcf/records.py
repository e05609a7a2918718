"""Records as htslib parses and prints them, in plain text that the corridor can keep and hand on."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import struct
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import overload

import pysam
from msgspec.structs import replace

from pgx.errors import FormatError, printable
from pgx.observe import SiteRecord
from pgx.observe.fields import number
from pgx.vcf.header import Header
from pgx.vcf.open import COPY_AGAIN, Bounds
from pgx.vcf.scan import Row, Rows, whole_lines

_SURROGATES = "surrogateescape"
_FIXED = 9
_LINE_FROM = 10_000  # samples from which on columns are kept as one line, and htslib reads records in slices
_SLICE = 1 << 12  # samples of one: htslib takes longer over half a million names than over their genotypes
_LARGEST_HEAD = 1 << 16  # bytes in front of the samples; with more no record is sliced, as each repeats them
_NOTHING = (b"::", b":\t", b"\t\t")  # fields without a value: what htslib prints depends on other samples
#: What pysam raises on damaged input; ValueError includes text that is not UTF-8.
PYSAM_ERRORS = OSError, ValueError, TypeError, AssertionError, KeyError, OverflowError, NotImplementedError

# htslib would print warnings on stderr that name neither the input nor a cure.
pysam.set_verbosity(0)


class Columns(Sequence[str]):
    """Sample columns, at least one, of which a text is made only when it is looked at.

    `line` is UTF-8: the fixed columns, then from `first` on `count` sample columns, separated by tabs, and
    one byte more. `edges`, if set: where each of n columns starts in it, and its end, shape (n + 1,).
    """

    __slots__ = ("_count", "_texts", "edges", "first", "line")

    def __init__(self, line: bytes, first: int, count: int) -> None:
        self.line, self.first, self._count = line, first, count
        self.edges: memoryview | None = None
        self._texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, fixed: str, samples: Sequence[str]) -> Columns:
        """Join columns to a line."""
        line = ("\t".join([fixed, *samples]) + "\n").encode(errors=_SURROGATES)
        return cls(line, len(fixed.encode(errors=_SURROGATES)) + 1, len(samples))

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
        return self.line[self.edges[number] : self.edges[number + 1] - 1].decode(errors=_SURROGATES)

    def _split(self) -> tuple[str, ...]:
        if not self._texts:
            self._texts = tuple(self.line[self.first : -1].decode(errors=_SURROGATES).split("\t"))
        return self._texts


class Decoder:
    """htslib over a header (`source` is that of the input) and records that are held in memory."""

    def __init__(self, source: Header, label: str) -> None:
        self.source, self.label = source, label
        self.is_text = source.kind == "VCF"
        self.relaxed: dict[str, str] = {}  # fields with values of no declared type, and the first place
        self._shown = source.data  # stands before the records for htslib; there these fields are text
        self.is_proven = False  # htslib has read the header

    @functools.cached_property
    def header(self) -> pysam.VariantHeader:
        """Return the header as pysam has it, whatever has been relaxed since."""
        with self._open([]) as handle:
            return handle.header

    @contextlib.contextmanager
    def _open(self, rows: Sequence[Row]) -> Iterator[pysam.VariantFile]:
        end = b"\n" if self.is_text else b""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("pgx")
        else:  # macOS
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        with os.fdopen(descriptor, "wb", closefd=False) as memory:
            memory.writelines(chain([self._shown], (row.data + end for row in rows)))
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            handle = pysam.VariantFile(descriptor)  # which makes a copy of the descriptor
        except PYSAM_ERRORS as error:
            cure = "Write it again; bcftools view -h names what is wrong"
            raise FormatError("has a broken header", where=self.label, cure=cure) from error
        finally:
            os.close(descriptor)
        self.is_proven = True
        with contextlib.closing(handle):
            yield handle

    def records(self, rows: Sequence[Row]) -> Iterator[SiteRecord]:
        """Yield records in plain text; one that htslib cannot read, or is no UTF-8, is a `FormatError`."""
        for row, record in self.lines(rows):
            with self._named(record):
                plain = plain_record(record)
            yield with_huge_alleles(plain, row.data) if self.is_text else plain

    def lines(self, rows: Sequence[Row], of: Row | None = None) -> Iterator[tuple[Row, pysam.VariantRecord]]:
        """Yield records, or slices `of` one, as htslib has them; what it cannot read is a `FormatError`."""
        done = 0
        while done < len(rows):
            with self._open(rows[done:]) as handle:
                records = iter(handle)
                try:
                    for row in rows[done:]:
                        record = next(records)
                        done += 1
                        yield row, record
                except (*PYSAM_ERRORS, StopIteration) as error:
                    self._relax(of or rows[done], error)

    @contextlib.contextmanager
    def _named(self, record: pysam.VariantRecord) -> Iterator[None]:
        try:
            yield
        except PYSAM_ERRORS as error:
            what = f"the record at position {record.pos} cannot be read as text"
            cure = "See that it is UTF-8; bcftools view shows it"
            raise FormatError(what, where=self.label, cure=cure) from error

    def stream(self, pieces: Iterable[bytes], limits: Bounds) -> Iterator[pysam.VariantRecord]:
        """Yield all records of what follows a header; what htslib cannot read is a `FormatError`."""
        rows = Rows(self.source, self.label, limits)
        if self.is_text:
            pieces = whole_lines(pieces, rows, lambda: "beyond the header")
            if self.source.trailing_tab:
                pieces = (piece.replace(b"\t\n", b"\n").replace(b"\t\r\n", b"\n") for piece in pieces)
        faults: list[BaseException] = []
        reading, writing = os.pipe()

        def write() -> None:
            try:
                with os.fdopen(writing, "wb") as handle:
                    handle.writelines(chain([self._shown], pieces))
            except BrokenPipeError:
                pass  # nobody reads on
            except Exception as error:  # noqa: BLE001 - it is raised by who reads
                faults.append(error)

        pump = threading.Thread(target=write)
        pump.start()
        count = 0
        try:
            try:
                handle = pysam.VariantFile(reading)
            finally:
                os.close(reading)
            with contextlib.closing(handle):
                for record in handle:
                    count += 1
                    yield record
        except PYSAM_ERRORS as error:
            if not faults:
                what = f"the record after record {count} cannot be read: the file is damaged or truncated"
                cure = "Check it with bcftools view, and copy or write it again"
                raise FormatError(what, where=self.label, cure=cure) from error
        finally:
            pump.join()
        if faults:
            raise faults[0]

    def _relax(self, row: Row, error: Exception) -> None:
        """Take the field that htslib stumbles over for text from now on, or name what cannot be read."""
        fault = _fault(self._shown, row.data, self.source.samples) if self.is_text else None
        if fault is None:
            what = f"{row.place} cannot be read: the file is damaged"
            cure = f"Look at it with bcftools view. {COPY_AGAIN}"
            raise FormatError(what, where=self.label, cure=cure) from error
        self.header  # noqa: B018 - kept as it was declared
        kind, field, held = fault
        start, name = rb"(?m)^(##%s=<.*?ID=%s,.*?)" % (kind, re.escape(field)), field.decode(errors="replace")
        types = start + rb"Type=(?:Integer|Float|Flag|Character)"
        text, count = re.subn(types, rb"\1Type=String", self._shown)
        if not count or name in self.relaxed:
            cure = "Correct the value, or the program that writes it"
            raise FormatError(f"{row.place} holds {held}", where=self.label, cure=cure) from error
        self.relaxed[name] = row.place
        self._shown = re.sub(start + rb"Number=[^,>]*", rb"\1Number=.", text)


class SliceDecoder(Decoder):
    """Of very many samples htslib is shown some at a time, under a header with the first ones only."""

    def __init__(self, source: Header, label: str) -> None:
        super().__init__(source, label)
        self._shown = source.with_samples(_SLICE)

    def records(self, rows: Sequence[Row]) -> Iterator[SiteRecord]:
        """Yield records as `Decoder` does; from the first on that is better left whole none is cut."""
        cut = text_slices if self.is_text else binary_slices
        for done, row in enumerate(rows):
            slices = cut(row.data, len(self.source.samples), _SLICE)
            joined = self._joined(row, slices) if slices else None
            if joined is None:
                whole = Decoder(self.source, self.label)
                self.relaxed = whole.relaxed
                yield from islice(whole.records(rows), done, None)
                return
            yield joined

    def _joined(self, row: Row, slices: Sequence[bytes]) -> SiteRecord | None:
        """Return the record cut into `slices`, the last filled up; None where these differ from the whole."""
        rows = [Row(place=row.place, data=data) for data in slices]
        known = -1
        while known != len(self.relaxed):  # a field that htslib refuses is text for all samples
            known = len(self.relaxed)
            parts, is_same, stop = [b""], self.is_text, 0
            for piece, record in self.lines(rows, row):
                with self._named(record):
                    *fixed, samples = str(record).removesuffix("\n").encode().split(b"\t", _FIXED)
                is_same = is_same and piece.data.endswith(samples)
                parts.append(samples)
                stop, position = max(stop, record.stop), record.pos
        if self.is_text and not is_same and any(row.data.find(nothing) >= 0 for nothing in _NOTHING):
            return None
        count = len(self.source.samples)
        again = -count % _SLICE
        parts[-1] = parts[-1][: len(parts[-1]) - again * (len(parts[-1]) - parts[-1].rfind(b"\t"))]
        parts[0] = b"\t".join(fixed)
        columns = Columns(b"\t".join(parts) + b"\n", len(parts[0]) + 1, count)
        plain = site_record(parts[0].decode().split("\t"), columns, position, stop)
        return plain if is_same or not self.is_text else with_huge_alleles(plain, row.data)


def decoder_of(source: Header, label: str) -> Decoder:
    """Return the decoder for the records at the sites of an input."""
    cut = len(source.samples) >= _LINE_FROM and source.has_plain_names
    return (SliceDecoder if cut else Decoder)(source, label)


_NUMBER = rb"(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?nan|[-+]?inf(?:inity)?|\.)"
_BCF_SIZES = {1: 1, 2: 2, 3: 4, 4: 8, 5: 4, 7: 1}
_VALUES = {
    b"Integer": (re.compile(rb"(?:[-+]?\d+|\.)(?:,(?:[-+]?\d+|\.))*"), "text that is no whole number"),
    b"Float": (re.compile(rb"%s(?:,%s)*" % (_NUMBER, _NUMBER), re.IGNORECASE), "text that is no number"),
}
_HUGE_ALLELE = re.compile(rb"(?:^|[/|])\d{10}")
_GENOTYPE = re.compile(rb"[/|]?(?:\d{1,9}|\.)(?:[/|](?:\d{1,9}|\.))*")


def _fault(header: bytes, line: bytes, samples: Sequence[str]) -> tuple[bytes, bytes, str] | None:
    """Return the first value unlike its declaration, if any: INFO or FORMAT, its field, and in words."""
    found = re.findall(rb"(?m)^##(INFO|FORMAT)=<.*?ID=([^,>]+),.*?Type=(\w+)", header)
    declared = {(kind, name): of for kind, name, of in found}
    columns = line.split(b"\t")
    keys = columns[8].split(b":") if len(columns) > 8 else []
    values = (
        (b"FORMAT", key, value, name)
        for column, name in zip(columns[_FIXED:], samples, strict=False)
        for key, value in zip(keys, column.split(b":"), strict=False)
    )
    entries = (entry.partition(b"=") for entry in b"".join(columns[7:8]).split(b";"))
    for kind, key, value, sample in chain(values, ((b"INFO", key, value, "") for key, _, value in entries)):
        pattern, held = _VALUES.get(declared.get((kind, key), b""), (None, ""))
        if kind == b"FORMAT" and key == b"GT":
            pattern, held = _GENOTYPE, "what is no genotype of allele numbers (as 0/1)"
        if pattern and value and not pattern.fullmatch(value):
            where = f" of the sample '{printable(sample, 60)}'" if kind == b"FORMAT" else ""
            return kind, key, f"{held} in the field {printable(key.decode(errors='replace'), 40)}{where}"
    return None


def plain_record(record: pysam.VariantRecord) -> SiteRecord:
    """Copy a record into plain text. htslib prints the columns; what it read is not interpreted twice."""
    text, count = str(record), len(record.samples)
    if count < _LINE_FROM:
        columns = text.rstrip("\n").split("\t")
        return site_record(columns[:_FIXED], tuple(columns[_FIXED:]), record.pos, record.stop)
    line, first = text.encode(), 0
    for _ in range(_FIXED):
        first = line.index(b"\t", first) + 1
    fixed = line[: first - 1].decode().split("\t")
    return site_record(fixed, Columns(line, first, count), record.pos, record.stop)


def site_record(fixed: Sequence[str], samples: Sequence[str], position: int, stop: int) -> SiteRecord:
    """Return the record of split columns, at the 1-based `position`, that ends at `stop` or behind it."""
    form = tuple(fixed[8].split(":")) if len(fixed) > 8 else ()
    pairs = (entry.partition("=") for entry in fixed[7].split(";") if entry)
    info = {key: value for key, _, value in pairs} if fixed[7] != "." else {}
    stated = info.get("END", "")  # htslib passes over it where the header does not declare a number
    if stated.isascii() and stated.isdecimal() and len(stated) <= 10:
        stop = max(stop, int(stated))
    longest = len(fixed[3])
    if "LEN" in form:  # of a reference block (VCF 4.5)
        column = form.index("LEN")
        values = (sample.split(":")[column : column + 1] for sample in samples)
        longest = max(longest, *(int(value[0]) for value in values if value and value[0].isdecimal()), 0)
    return SiteRecord(
        contig=fixed[0],
        position=position,
        end=max(stop, position + longest - 1),
        identifiers=() if fixed[2] == "." else tuple(fixed[2].split(";")),
        reference=fixed[3],
        alternates=() if fixed[4] == "." else tuple(fixed[4].split(",")),
        quality=number(fixed[5]),
        filters=() if fixed[6] in {".", "PASS", ""} else tuple(fixed[6].split(";")),
        info=info,
        format=form,
        samples=samples,
        fixed="\t".join(fixed),
    )


def with_huge_alleles(record: SiteRecord, line: bytes) -> SiteRecord:
    """Put back, from its `line`, allele numbers of ten digits and more: htslib reads them modulo 2^32."""
    columns = line.split(b"\t", _FIXED)
    if record.format[:1] != ("GT",) or len(columns) <= _FIXED or not re.search(rb"\d{10}", columns[_FIXED]):
        return record
    written = (text.partition(b":")[0] for text in columns[_FIXED].split(b"\t"))
    huge = {column: text.decode() for column, text in enumerate(written) if _HUGE_ALLELE.search(text)}
    if not huge:
        return record
    samples = list(record.samples)
    for column, genotype in huge.items():
        samples[column] = genotype + "".join(samples[column].partition(":")[1:])
    kept = Columns.of(record.fixed, samples) if len(samples) >= _LINE_FROM else tuple(samples)
    return replace(record, samples=kept)


def text_slices(line: bytes, count: int, size: int) -> list[bytes] | None:
    """Return a line as lines of `size` samples, the last filled up with its last; None to leave it whole."""
    line = line.removesuffix(b"\r")
    head = b"".join(column + b"\t" for column in line[:_LARGEST_HEAD].split(b"\t", _FIXED)[:_FIXED])
    if not line.startswith(head) or head.count(b"\t") < _FIXED or line.count(b"\t") != _FIXED + count - 1:
        return None
    parts = re.findall(rb"(?:[^\t]*+\t){1,%d}+" % size, line[len(head) :] + b"\t")
    last = parts[-1][parts[-1].rfind(b"\t", 0, -1) + 1 :]
    parts[-1] += last * (-count % size)
    return [head + part[:-1] for part in parts]


def binary_slices(data: bytes, count: int, size: int) -> list[bytes] | None:
    """Return a record of a BCF with `count` samples as `text_slices` returns a line."""
    # the sizes of both parts; behind other numbers, those of fields and samples
    shared, own, numbers = struct.unpack_from("<II20xI", data)
    start = place = 8 + shared
    fields = []
    try:
        for _ in range(numbers >> 24):
            begin = place
            place += 1 + _BCF_SIZES[data[place] & 15]  # the number of the field
            kind, length, place = data[place] & 15, data[place] >> 4, place + 1
            if length == 15:  # the length follows
                end = place + 1 + _BCF_SIZES[data[place] & 15]
                length, place = int.from_bytes(data[place + 1 : end], "little"), end
            width = length * _BCF_SIZES[kind]
            fields.append((data[begin:place], place, width))
            place += width * count
    except (KeyError, IndexError):
        return None
    if place != len(data) or own != place - start or numbers & 0xFFFFFF != count or start > _LARGEST_HEAD:
        return None
    found = []
    for first in range(0, count, size):
        here = min(size, count - first)
        parts = []
        for head, place, width in fields:
            values = data[place + first * width : place + (first + here) * width]
            parts += [head, values, values[len(values) - width :] * (size - here)]
        mine, counts = b"".join(parts), struct.pack("<I", numbers & 0xFF000000 | size)
        sizes = struct.pack("<II", shared, len(mine))
        found.append(b"".join([sizes, data[8:28], counts, data[32:start], mine]))
    return found
