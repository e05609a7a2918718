"""Records as htslib parses and prints them, in plain text that the corridor can keep and hand on.

Those around the sites, at the positions of the panel, are read when somebody asks what neighbours say: one
that cannot be read says nothing, and must never keep a report from being made.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
import sys
import tempfile
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import overload

import pysam
from msgspec import Struct
from msgspec.structs import replace

from pgx.errors import FormatError, printable
from pgx.observe import SiteRecord
from pgx.vcf.header import Header
from pgx.vcf.open import COPY_AGAIN, Bounds
from pgx.vcf.scan import Row, Rows, is_wanted, may_reach, whole_lines

_SURROGATES = "surrogateescape"
_FIXED = 9
_LONGEST_POSITION = 10  # digits
#: From how many samples on the columns are kept as one line.
_LINE_FROM = 10_000
#: What pysam raises on damaged input; ValueError includes text that is not UTF-8.
PYSAM_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    AssertionError,
    KeyError,
    OverflowError,
    NotImplementedError,
)

# htslib would print warnings on stderr that name neither the input nor a cure.
pysam.set_verbosity(0)


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


class Decoder:
    """htslib over a header and records that are held in memory.

    Attributes
    ----------
    header
        As pysam has it.
    relaxed
        Fields whose values are not of the type declared, with the place of the first; htslib would refuse the
        record, so that it is made to take them for text.
    """

    def __init__(self, header: Header, label: str) -> None:
        self._source = header
        self._data = header.data
        self.is_text = header.kind == "VCF"
        self._samples = header.samples
        self.label = label
        self.relaxed: dict[str, str] = {}
        with self._open([]) as handle:
            self.header = handle.header

    @contextlib.contextmanager
    def _open(self, rows: Sequence[Row]) -> Iterator[pysam.VariantFile]:
        end = b"\n" if self.is_text else b""
        descriptor = _in_memory([self._data, *(row.data + end for row in rows)])
        try:
            handle = pysam.VariantFile(descriptor)  # which makes a copy of the descriptor
        except PYSAM_ERRORS as error:
            raise FormatError(
                "has a broken header",
                where=self.label,
                cure="Write it again; bcftools view -h names what is wrong",
            ) from error
        finally:
            os.close(descriptor)
        with contextlib.closing(handle):
            yield handle

    def lines(self, rows: Sequence[Row]) -> Iterator[tuple[Row, pysam.VariantRecord]]:
        """Yield records with what htslib makes of each.

        Raises
        ------
        FormatError
            htslib cannot read one.
        """
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
                    self._relax(rows[done], error)

    def stream(self, pieces: Iterable[bytes], limits: Bounds) -> Iterator[pysam.VariantRecord]:
        """Yield all records of an input; `pieces` is what follows its header.

        Raises
        ------
        FormatError
            The input is damaged, or htslib cannot read a record.
        """
        rows = Rows(self._source, self.label, limits)
        if self.is_text:
            pieces = whole_lines(pieces, rows, lambda: "beyond the header")
            if self._source.trailing_tab:
                pieces = (piece.replace(b"\t\n", b"\n").replace(b"\t\r\n", b"\n") for piece in pieces)
        faults: list[BaseException] = []
        reading, writing = os.pipe()
        pump = threading.Thread(target=_pump, args=(chain([self._data], pieces), writing, faults))
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
                raise FormatError(
                    f"the record after record {count} cannot be read: the file is damaged or truncated",
                    where=self.label,
                    cure="Check it with bcftools view, and copy or write it again",
                ) from error
        finally:
            pump.join()
        if faults:
            raise faults[0]

    def _relax(self, row: Row, error: Exception) -> None:
        """Take the field that htslib stumbles over for text from now on, or name what cannot be read."""
        fault = find_fault(self._data, row.data, self._samples) if self.is_text else None
        if fault is None:
            raise FormatError(
                f"{row.place} cannot be read: the file is damaged",
                where=self.label,
                cure=f"Look at it with bcftools view. {COPY_AGAIN}",
            ) from error
        pattern = re.compile(
            rb"^##%s=<(.*?ID=%s,.*?)Type=(?:Integer|Float|Flag|Character)"
            % (fault.kind, re.escape(fault.field)),
            re.MULTILINE,
        )
        text, count = pattern.subn(rb"##%s=<\1Type=String" % fault.kind, self._data)
        text = re.sub(
            rb"^(##%s=<.*?ID=%s,.*?)Number=[^,>]*" % (fault.kind, re.escape(fault.field)),
            rb"\1Number=.",
            text,
            flags=re.MULTILINE,
        )
        name = fault.field.decode(errors="replace")
        if not count or name in self.relaxed:
            raise FormatError(
                f"{row.place} holds {fault.held} in the field {printable(name, 40)}{fault.where}",
                where=self.label,
                cure="Correct the value, or the program that writes it",
            ) from error
        self.relaxed[name] = row.place
        self._data = text


def _pump(pieces: Iterable[bytes], target: int, faults: list[BaseException]) -> None:
    """Write `pieces` to a pipe; what is wrong with them goes into `faults`."""
    try:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(target, view) :]
    except BrokenPipeError:
        pass  # nobody reads on
    except Exception as error:  # noqa: BLE001 - it is raised by who reads
        faults.append(error)
    finally:
        os.close(target)


def _in_memory(parts: Sequence[bytes]) -> int:
    """Return a descriptor from which `parts` can be read."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pgx")
    else:  # macOS
        with tempfile.TemporaryFile() as handle:
            descriptor = os.dup(handle.fileno())
    for part in parts:
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


class Fault(Struct, frozen=True, kw_only=True):
    """A value that htslib refuses: in INFO or FORMAT, in which field, what it is, and of whom."""

    kind: bytes
    field: bytes
    held: str
    where: str = ""


_DECLARED = re.compile(rb"^##(INFO|FORMAT)=<.*?ID=([^,>]+),.*?Type=(\w+)", re.MULTILINE)
_VALUES = {
    b"Integer": (re.compile(rb"(?:[-+]?\d+|\.)(?:,(?:[-+]?\d+|\.))*"), "text that is no whole number"),
    b"Float": (
        re.compile(
            rb"(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?nan|[-+]?inf(?:inity)?|\.)"
            rb"(?:,(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?nan|[-+]?inf(?:inity)?|\.))*",
            re.IGNORECASE,
        ),
        "text that is no number",
    ),
}
_GENOTYPE = re.compile(rb"[/|]?(?:\d{1,9}|\.)(?:[/|](?:\d{1,9}|\.))*")


def find_fault(header: bytes, line: bytes, samples: Sequence[str]) -> Fault | None:
    """Return the first value of a line that does not fit its declaration, if one is to be found."""
    declared = {(kind, name): of for kind, name, of in _DECLARED.findall(header)}
    columns = line.split(b"\t")
    keys = columns[8].split(b":") if len(columns) > 8 else []
    for column, name in zip(columns[_FIXED:], samples, strict=False):
        for key, value in zip(keys, column.split(b":"), strict=False):
            pattern, held = _VALUES.get(declared.get((b"FORMAT", key), b""), (None, ""))
            if key == b"GT":
                pattern, held = _GENOTYPE, "what is no genotype of allele numbers (as 0/1)"
            if pattern and value and not pattern.fullmatch(value):
                return Fault(
                    kind=b"FORMAT", field=key, held=held, where=f" of the sample '{printable(name, 60)}'"
                )
    for entry in columns[7].split(b";") if len(columns) > 7 else []:
        key, _, value = entry.partition(b"=")
        pattern, held = _VALUES.get(declared.get((b"INFO", key), b""), (None, ""))
        if pattern and value and not pattern.fullmatch(value):
            return Fault(kind=b"INFO", field=key, held=held)
    return None


def plain_record(record: pysam.VariantRecord) -> SiteRecord:
    """Copy a record into plain text. htslib prints the columns; what it read is not interpreted twice."""
    fixed, samples = _split(str(record), len(record.samples))
    reference, alternates = fixed[3], fixed[4]
    form = tuple(fixed[8].split(":")) if len(fixed) > 8 else ()
    position = record.pos
    info = _info(fixed[7])
    ends = (
        record.stop,
        position + len(reference) - 1,
        position + _longest(form, samples) - 1,
        _stated_end(info),
    )
    return SiteRecord(
        contig=fixed[0],
        position=position,
        end=max(ends),
        identifiers=() if fixed[2] == "." else tuple(fixed[2].split(";")),
        reference=reference,
        alternates=() if alternates == "." else tuple(alternates.split(",")),
        quality=_number(fixed[5]),
        filters=() if fixed[6] in {".", "PASS", ""} else tuple(fixed[6].split(";")),
        info=info,
        format=form,
        samples=samples,
        fixed="\t".join(fixed),
    )


_HUGE_ALLELE = re.compile(rb"(?:^|[/|])\d{10}")


def with_huge_alleles(record: SiteRecord, line: bytes) -> SiteRecord:
    """Put back, from its `line`, allele numbers of ten digits and more: htslib reads them modulo 2^32."""
    columns = line.split(b"\t", _FIXED)
    if len(columns) <= _FIXED or not re.search(rb"\d{10}", columns[_FIXED]):
        return record
    raw = columns[_FIXED].split(b"\t")
    if record.format[:1] != ("GT",) or not any(
        _HUGE_ALLELE.search(column.split(b":", 1)[0]) for column in raw
    ):
        return record
    samples = [
        ":".join([written.partition(b":")[0].decode(), *printed.split(":")[1:]])
        if _HUGE_ALLELE.search(written.partition(b":")[0])
        else printed
        for printed, written in zip(record.samples, raw, strict=True)
    ]
    kept = Columns.of(record.fixed, samples) if len(samples) >= _LINE_FROM else tuple(samples)
    return replace(record, samples=kept)


def _split(text: str, count: int) -> tuple[list[str], Sequence[str]]:
    """Return the fixed columns of a line, and its `count` sample columns."""
    if count < _LINE_FROM:
        columns = text.rstrip("\n").split("\t")
        return columns[:_FIXED], tuple(columns[_FIXED:])
    line, first = text.encode(), 0
    for _ in range(_FIXED):
        first = line.index(b"\t", first) + 1
    return line[: first - 1].decode().split("\t"), Columns(line, first, count)


def _longest(form: tuple[str, ...], samples: Sequence[str]) -> int:
    """Return the largest FORMAT/LEN of a reference block (VCF 4.5), 0 without one."""
    if "LEN" not in form:
        return 0
    column = form.index("LEN")
    values = (sample.split(":")[column : column + 1] for sample in samples)
    return max((int(value[0]) for value in values if value and value[0].isdecimal()), default=0)


def _stated_end(info: Mapping[str, str]) -> int:
    """Return END as it is written: htslib passes over it where the header does not declare a number."""
    text = info.get("END", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_POSITION else 0


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _info(text: str) -> Mapping[str, str]:
    if text == ".":
        return {}
    pairs = (entry.partition("=") for entry in text.split(";") if entry)
    return {key: value for key, _, value in pairs}


@functools.cache
def marker_places() -> tuple[int, ...]:
    """Return the 1-based positions of the panel on all assemblies, ascending, and one beyond all others."""
    from pgx.neighbours.panel import markers  # noqa: PLC0415 - most inputs are read without a panel

    return (*sorted(place for marker in markers() for place in marker.positions.values()), sys.maxsize)


def decoded(header: Header, label: str, rows: Sequence[Row]) -> Iterator[SiteRecord]:
    """Yield the records that cover a position of the panel and can be read."""
    left = [row for row in rows if header.kind == "BCF" or _may_cover(row.data)]
    while left:
        done = 0
        try:
            for _, record in Decoder(header, label).lines(left):
                done += 1
                try:
                    plain = plain_record(record)
                except PYSAM_ERRORS:
                    continue
                if is_wanted(plain.contig) and _covers(plain):
                    yield plain
        except FormatError:
            done += 1  # the one that htslib cannot read
        left = left[done:]


def _may_cover(line: bytes) -> bool:
    columns = line.split(b"\t", 2)
    if len(columns) < 3 or not columns[1].isdigit():
        return False
    position = int(columns[1])
    place = marker_places()[bisect_left(marker_places(), position)]
    return place != sys.maxsize and may_reach(line, 0, len(line), position, place)


def _covers(record: SiteRecord) -> bool:
    return marker_places()[bisect_left(marker_places(), record.position)] <= record.end
