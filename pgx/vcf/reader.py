"""Read the records at the two sites, by index where there is one, else by a pass over the whole input."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

import pysam
from msgspec import Struct

from pgx.builds import HeaderFacts, contig_names
from pgx.errors import FormatError
from pgx.observe import SiteRecord
from pgx.sites import positions, rsids
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
        digest = hashlib.sha256(str(handle.header).encode()).hexdigest()
        header = _header_facts(handle.header)
        samples = tuple(handle.header.samples)
        gl_is_phred = "GL" in handle.header.formats and handle.header.formats["GL"].type == "Integer"
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
            header_digest=f"sha256:{digest}",
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
    """Fetch the records over each site of each assembly; a record over two sites is kept once."""
    found: dict[str, SiteRecord] = {}
    for contig in filter(_is_wanted, map(str, handle.header.contigs)):
        for position in positions():
            for record in _guarded(_fetch(handle, contig, position), source):
                site_record = _plain(record)
                if site_record.position <= position <= site_record.end:
                    found.setdefault(site_record.fixed, site_record)
    return list(found.values()), False


def _fetch(handle: pysam.VariantFile, contig: str, position: int) -> Iterable[pysam.VariantRecord]:
    try:
        return handle.fetch(contig, position - 1, position)
    except ValueError:  # a contig of the header that the index does not know has no records
        return ()


def _by_scan(handle: pysam.VariantFile, source: Source) -> tuple[list[SiteRecord], bool]:
    """Pass over all records: those over a site, and those that carry its rsID wherever they stand."""
    wanted: dict[int, bool] = {}
    places = positions()
    first, last = places[0], places[-1]
    identifier = re.compile("|".join(re.escape(rsid) for rsid in rsids()), re.IGNORECASE)
    found: list[SiteRecord] = []
    unsorted = False
    seen_contigs: set[int] = set()
    previous = (-1, -1)
    for record in _guarded(handle, source):
        contig, start = record.rid, record.start
        if contig != previous[0]:
            unsorted = unsorted or contig in seen_contigs
            seen_contigs.add(contig)
            wanted.setdefault(contig, _is_wanted(record.chrom))
        elif start < previous[1]:
            unsorted = True
        previous = (contig, start)
        near = wanted[contig] and start < last and record.stop >= first
        name = record.id
        if not near and (name is None or not identifier.search(name)):
            continue
        site_record = _plain(record)
        named = {token.lower() for token in site_record.identifiers}
        if near and any(site_record.position <= place <= site_record.end for place in places):
            found.append(site_record)
        elif named & {rsid.lower() for rsid in rsids()}:
            found.append(site_record)
    return found, unsorted


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
    fixed, samples = columns[:9], columns[9:]
    reference, alternates = fixed[3], fixed[4]
    position = record.pos
    return SiteRecord(
        contig=fixed[0],
        position=position,
        end=max(record.stop, position + len(reference) - 1),
        identifiers=() if fixed[2] == "." else tuple(fixed[2].split(";")),
        reference=reference,
        alternates=() if alternates == "." else tuple(alternates.split(",")),
        quality=None if fixed[5] == "." else float(fixed[5]),
        filters=() if fixed[6] in {".", "PASS", ""} else tuple(fixed[6].split(";")),
        info=_info(fixed[7]),
        format=tuple(fixed[8].split(":")) if len(fixed) > 8 else (),
        samples=tuple(samples),
        fixed="\t".join(fixed),
    )


def _info(text: str) -> Mapping[str, str]:
    if text == ".":
        return {}
    pairs = (entry.partition("=") for entry in text.split(";") if entry)
    return {key: value for key, _, value in pairs}
