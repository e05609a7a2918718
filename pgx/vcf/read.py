"""Read the records at the two sites, by index where there is one, else by a pass over the whole input."""

from __future__ import annotations

import functools
import hashlib
import math
import re
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import overload

import pysam
from msgspec import Struct
from msgspec.structs import replace

from pgx.errors import FormatError
from pgx.genome.assemblies import HeaderFacts, contig_names
from pgx.genome.sites import definitions, positions, rsids
from pgx.observe import SiteRecord
from pgx.vcf.index import PYSAM_ERRORS, fetch, guarded, is_whole, leads_on, leads_to_first
from pgx.vcf.open import Source, look, reading
from pgx.vcf.remote import check_scan_allowed, reachable

_REFERENCE_KEYS = frozenset({"reference", "assembly"})
_DECLARING = frozenset(
    {"fileformat", "FORMAT", "INFO", "FILTER", "ALT", "contig", "SAMPLE", "PEDIGREE", "META"}
)
_SURROGATES = "surrogateescape"
_FIXED = 9
#: From how many samples on the columns are kept as one line.
_LINE_FROM = 10_000


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


class InputFacts(Struct, frozen=True, kw_only=True):
    """What a report says of its input.

    Attributes
    ----------
    size
        Bytes, or None for a stream.
    header_digest
        `sha256:` over the header as htslib prints it.
    access
        "index" or "scan".
    """

    path: str
    size: int | None
    modified: str | None
    kind: str
    compression: str
    index: str | None
    header_digest: str
    access: str
    stale_index: bool
    unsorted: bool


class VcfContent(Struct, frozen=True, kw_only=True):
    """All that pgx needs of an input.

    Attributes
    ----------
    contigs
        The names under which chromosome 19 appears in this input.
    records
        Records over a site of any assembly, and records that carry a site's rsID, in file order.
    gl_is_phred
        The header declares GL as an integer: Complete Genomics writes negative Phred values there.
    """

    facts: InputFacts
    header: HeaderFacts
    samples: tuple[str, ...]
    contigs: tuple[str, ...]
    records: tuple[SiteRecord, ...]
    gl_is_phred: bool


def read_sites(path: str) -> VcfContent:
    """Read what the input says at the sites, on every assembly.

    Raises
    ------
    InputError
        Missing, empty, unreadable, not a VCF or BCF, truncated, or without samples.
    """
    with reachable(look(path)) as source:
        try:
            return _read(path, source)
        except _IndexMisfitError:  # as good as a stale one: the second pass reads the whole input
            check_scan_allowed(source)
            return _read(path, replace(source, index_is_stale=True))


class _IndexMisfitError(Exception):
    """The index is not that of this file."""


def _read(path: str, source: Source) -> VcfContent:
    if source.usable_index is not None and not is_whole(source.usable_index):
        raise _IndexMisfitError
    with reading(source, index=source.usable_index) as handle:
        digest, header, samples, gl_is_phred = _header(handle.header, source)
        indexed = source.usable_index is not None and handle.index is not None
        if not indexed:
            check_scan_allowed(source)
        elif not leads_to_first(handle):
            raise _IndexMisfitError
        found, unsorted = _by_index(handle, source) if indexed else _by_scan(handle, source)
        if indexed and not found and not leads_on(handle, source):
            raise _IndexMisfitError
        facts = InputFacts(
            path=source.name or path,
            size=source.size,
            modified=source.modified,
            kind=handle.format,
            compression=handle.compression,
            index=source.index_name or source.index,
            header_digest=digest,
            access="index" if indexed else "scan",
            stale_index=source.index_is_stale,
            unsorted=unsorted,
        )
    records = tuple(found)
    named = [name for name, _, _ in header.contigs]
    shown = [record.contig for record in records if _is_wanted(record.contig)]
    return VcfContent(
        facts=facts,
        header=header,
        samples=samples,
        contigs=tuple(dict.fromkeys([*named, *shown])),
        records=records,
        gl_is_phred=gl_is_phred,
    )


def _is_wanted(name: str) -> bool:
    return name.lower() in {known.lower() for known in contig_names()}


def _header(header: pysam.VariantHeader, source: Source) -> tuple[str, HeaderFacts, tuple[str, ...], bool]:
    """Return digest, facts on the assembly, sample names, and whether GL is declared as an integer."""
    try:
        text = str(header)
        digest = hashlib.sha256(text.encode()).hexdigest()
        phred = "GL" in header.formats and header.formats["GL"].type == "Integer"
        return f"sha256:{digest}", _header_facts(header), _sample_names(text), phred
    except UnicodeDecodeError as error:
        raise FormatError(
            "has a header that is not UTF-8 text",
            where=source.label,
            cure="Convert it, for example with iconv -f latin1 -t utf-8",
        ) from error
    except PYSAM_ERRORS as error:
        raise FormatError("has a broken header", where=source.label, cure="Write it again") from error


def _sample_names(header: str) -> tuple[str, ...]:
    """Return the names in the last line of a header; pysam makes them one by one, in twice the time."""
    return tuple(header.rstrip("\n").rpartition("\n")[2].split("\t")[9:])


def _header_facts(header: pysam.VariantHeader) -> HeaderFacts:
    contigs = []
    for name in map(str, header.contigs):
        if _is_wanted(name):
            contig = header.contigs[name]
            tags = dict(contig.header_record.items()) if contig.header_record is not None else {}
            contigs.append((name, contig.length or None, _unquoted(tags.get("assembly"))))
    references = [
        _unquoted(record.value) or ""
        for record in header.records
        if record.key in _REFERENCE_KEYS and record.value
    ]
    return HeaderFacts(
        contigs=tuple(contigs),
        references=tuple(references),
        fields=frozenset(map(str, header.formats)),
        history=tuple(str(record).strip() for record in header.records if record.key not in _DECLARING),
    )


def _unquoted(value: str | None) -> str | None:
    return value.strip('"') if value is not None else None


def _by_index(handle: pysam.VariantFile, source: Source) -> tuple[list[SiteRecord], bool]:
    """Fetch the records around the sites of each assembly; a record that reaches two windows is kept once."""
    found: list[SiteRecord] = []
    for contig in filter(_is_wanted, map(str, handle.header.contigs)):
        before = 0
        for start, stop in _windows():
            for record in guarded(fetch(handle, contig, start, stop), source):
                if record.start >= before:
                    found += _relevant(record, source, wanted=True)
            before = stop
    return found, False


@functools.cache
def _windows() -> tuple[tuple[int, int], ...]:
    """Return what is fetched on each assembly, 0-based and half-open, ascending.

    The margin is for our rsIDs in a record that stands a little aside.
    """
    margin = 1000
    return tuple(
        sorted((min(places) - 1 - margin, max(places) + margin) for places in zip(*_places(), strict=True))
    )


def _places() -> list[list[int]]:
    """Return the positions of each site, in the same order of assemblies."""
    names = definitions()[0].positions
    return [[definition.positions[name] for name in names] for definition in definitions()]


def _by_scan(handle: pysam.VariantFile, source: Source) -> tuple[list[SiteRecord], bool]:
    """Pass over all records: those over a site, and those that carry its rsID wherever they stand.

    A whole genome passes through this loop, so what most records need is done here, without a call.
    """
    wanted: dict[int, bool] = {}
    found: list[SiteRecord] = []
    unsorted = False
    seen_contigs: set[int] = set()
    last_contig = last_start = -1
    places = (*positions(), sys.maxsize + 1)
    is_ours = _identifier().search
    try:
        for record in guarded(handle, source):
            contig, start = record.rid, record.start
            if contig != last_contig:
                unsorted = unsorted or contig in seen_contigs
                seen_contigs.add(contig)
                wanted.setdefault(contig, _is_wanted(record.chrom))
                last_contig = contig
            elif start < last_start:
                unsorted = True
            last_start = start
            near = wanted[contig] and places[bisect_right(places, start)] <= _reach(record)
            if near or ((name := record.id) is not None and is_ours(name)):
                found += _relevant(record, source, wanted=wanted[contig])
    except UnicodeDecodeError as error:
        raise FormatError(
            f"holds text that is not UTF-8, near position {last_start + 1}",
            where=source.label,
            cure="Convert it, for example with iconv -f latin1 -t utf-8",
        ) from error
    return found, unsorted


def _relevant(record: pysam.VariantRecord, source: Source, *, wanted: bool) -> tuple[SiteRecord, ...]:
    """Return the record in plain text if it covers a site on some assembly or carries our rsID, else nothing.

    `wanted` says whether it lies on chromosome 19.
    """
    places = (*positions(), sys.maxsize + 1)
    try:
        near = wanted and places[bisect_right(places, record.start)] <= _reach(record)
        if not near and not _identifier().search(record.id or ""):
            return ()
        plain = plain_record(record)
    except PYSAM_ERRORS as error:
        raise FormatError(
            f"the record at position {record.pos} cannot be read as text",
            where=source.label,
            cure="Check it with bcftools view, and write it again",
        ) from error
    named = {token.lower() for token in plain.identifiers}
    covers = near and any(plain.position <= place <= plain.end for place in places)
    return (plain,) if covers or named & {rsid.lower() for rsid in rsids()} else ()


def _reach(record: pysam.VariantRecord) -> int:
    """Return the last base that a record may cover, 1-based; with FORMAT/LEN that is not known yet."""
    return record.stop if "LEN" not in record.format else sys.maxsize


@functools.cache
def _identifier() -> re.Pattern[str]:
    return re.compile("|".join(re.escape(rsid) for rsid in rsids()), re.IGNORECASE)


def plain_record(record: pysam.VariantRecord) -> SiteRecord:
    """Copy a record into plain text. htslib prints the columns; what it read is not interpreted twice."""
    fixed, samples = _split(str(record), len(record.samples))
    reference, alternates = fixed[3], fixed[4]
    form = tuple(fixed[8].split(":")) if len(fixed) > 8 else ()
    position = record.pos
    return SiteRecord(
        contig=fixed[0],
        position=position,
        end=max(record.stop, position + len(reference) - 1, position + _longest(form, samples) - 1),
        identifiers=() if fixed[2] == "." else tuple(fixed[2].split(";")),
        reference=reference,
        alternates=() if alternates == "." else tuple(alternates.split(",")),
        quality=_number(fixed[5]),
        filters=() if fixed[6] in {".", "PASS", ""} else tuple(fixed[6].split(";")),
        info=_info(fixed[7]),
        format=form,
        samples=samples,
        fixed="\t".join(fixed),
    )


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
