"""Read the records at the two sites, by index where there is one, else by a pass over the whole input."""

from __future__ import annotations

import functools
import hashlib
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping

import pysam
from msgspec import Struct

from pgx.builds import HeaderFacts, contig_names
from pgx.errors import FormatError
from pgx.observe import SiteRecord
from pgx.sites import definitions, positions, rsids
from pgx.vcf.remote import check_scan_allowed, reachable
from pgx.vcf.source import Source, look, reading

_REFERENCE_KEYS = frozenset({"reference", "assembly"})


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
    with reachable(look(path)) as source, reading(source, index=source.usable_index) as handle:
        digest, header, samples, gl_is_phred = _header(handle.header, source)
        indexed = source.usable_index is not None and handle.index is not None
        if not indexed:
            check_scan_allowed(source)
        found, unsorted = _by_index(handle, source) if indexed else _by_scan(handle, source)
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
    return VcfContent(
        facts=facts,
        header=header,
        samples=samples,
        contigs=tuple(
            dict.fromkeys(
                [name for name, _, _ in header.contigs] + [r.contig for r in records if _is_wanted(r.contig)]
            )
        ),
        records=records,
        gl_is_phred=gl_is_phred,
    )


def _is_wanted(name: str) -> bool:
    return name.lower() in {known.lower() for known in contig_names()}


def _header(header: pysam.VariantHeader, source: Source) -> tuple[str, HeaderFacts, tuple[str, ...], bool]:
    """Return digest, facts on the assembly, sample names, and whether GL is declared as an integer."""
    try:
        digest = hashlib.sha256(str(header).encode()).hexdigest()
        phred = "GL" in header.formats and header.formats["GL"].type == "Integer"
        return f"sha256:{digest}", _header_facts(header), tuple(header.samples), phred
    except UnicodeDecodeError as error:
        raise FormatError(
            "has a header that is not UTF-8 text",
            where=source.label,
            cure="Convert it, for example with iconv -f latin1 -t utf-8",
        ) from error


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
    return HeaderFacts(contigs=tuple(contigs), references=tuple(references))


def _unquoted(value: str | None) -> str | None:
    return value.strip('"') if value is not None else None


def _by_index(handle: pysam.VariantFile, source: Source) -> tuple[list[SiteRecord], bool]:
    """Fetch the records around the sites of each assembly; a record that reaches two windows is kept once."""
    found: list[SiteRecord] = []
    for contig in filter(_is_wanted, map(str, handle.header.contigs)):
        before = 0
        for start, stop in _windows():
            for record in _guarded(_fetch(handle, contig, start, stop), source):
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


def _fetch(handle: pysam.VariantFile, contig: str, start: int, stop: int) -> Iterable[pysam.VariantRecord]:
    try:
        return handle.fetch(contig, start, stop)
    except ValueError:  # a contig of the header that the index does not know has no records
        return ()


def _by_scan(handle: pysam.VariantFile, source: Source) -> tuple[list[SiteRecord], bool]:
    """Pass over all records: those over a site, and those that carry its rsID wherever they stand."""
    wanted: dict[int, bool] = {}
    found: list[SiteRecord] = []
    unsorted = False
    seen_contigs: set[int] = set()
    previous = (-1, -1)
    for record in _guarded(handle, source):
        contig, start = record.rid, record.start
        if contig != previous[0]:
            unsorted = unsorted or contig in seen_contigs
            seen_contigs.add(contig)
            if contig not in wanted:
                wanted[contig] = _is_wanted(record.chrom)
        elif start < previous[1]:
            unsorted = True
        previous = (contig, start)
        found += _relevant(record, source, wanted=wanted[contig])
    return found, unsorted


def _relevant(record: pysam.VariantRecord, source: Source, *, wanted: bool) -> tuple[SiteRecord, ...]:
    """Return the record in plain text if it covers a site on some assembly or carries our rsID, else nothing.

    `wanted` says whether it lies on chromosome 19.
    """
    places = positions()
    near = wanted and record.start < places[-1] and _reach(record) >= places[0]
    try:
        name = record.id
        if not near and (name is None or not _identifier().search(name)):
            return ()
        plain = _plain(record)
    except ValueError as error:  # UnicodeDecodeError among them
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


def _guarded(records: Iterable[pysam.VariantRecord], source: Source) -> Iterator[pysam.VariantRecord]:
    """Yield records; turn what htslib raises in the middle of an input into one clear error."""
    count = 0
    try:
        for record in records:
            count += 1
            yield record
    except (OSError, ValueError) as error:
        raise FormatError(
            f"the record after record {count} cannot be read: the file is damaged or truncated",
            where=source.label,
            cure="Check it with bcftools view, and copy or write it again",
        ) from error


def _plain(record: pysam.VariantRecord) -> SiteRecord:
    """Copy a record into plain text. htslib prints the columns; what it read is not interpreted twice."""
    columns = str(record).rstrip("\n").split("\t")
    fixed, samples = columns[:9], tuple(columns[9:])
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


def _longest(form: tuple[str, ...], samples: tuple[str, ...]) -> int:
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
