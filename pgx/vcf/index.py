"""Reading by index, and noticing an index that belongs to another file.

Such an index raises no error: it leads to nowhere, and both sites would seem to be absent.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator

import pysam

from pgx.errors import FormatError
from pgx.genome.assemblies import contig_names
from pgx.vcf.open import Source

_MAGIC = frozenset({b"TBI\1", b"CSI\1"})
_PIECE = 1 << 20
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


def is_whole(index: str) -> bool:
    """Return whether an index file is undamaged, by its checksums: htslib crashes on some that are not."""
    try:
        with gzip.open(index, "rb") as content:
            magic = content.read(4)
            while content.read(_PIECE):
                pass
    except (OSError, EOFError, zlib.error):
        return False
    return magic in _MAGIC


def fetch(
    handle: pysam.VariantFile, contig: str, start: int | None = None, stop: int | None = None
) -> Iterable[pysam.VariantRecord]:
    """Return the records of a region, 0-based and half-open; none where the index does not know it."""
    try:
        return handle.fetch(contig, start, stop)
    except ValueError:
        return ()


def guarded(records: Iterable[pysam.VariantRecord], source: Source) -> Iterator[pysam.VariantRecord]:
    """Yield records; turn what htslib raises in the middle of an input into one clear error.

    Raises
    ------
    FormatError
        A record cannot be read.
    """
    count = 0
    try:
        for record in records:
            count += 1
            yield record
    except PYSAM_ERRORS as error:
        raise FormatError(
            f"the record after record {count} cannot be read: the file is damaged or truncated",
            where=source.label,
            cure="Check it with bcftools view, and copy or write it again",
        ) from error


def leads_to_first(handle: pysam.VariantFile) -> bool:
    """Return whether the index leads to the first record of the file."""
    try:
        first = next(iter(handle), None)
        if first is None:
            return True
        wanted = (first.start, first.ref, first.alts)
        found = handle.fetch(first.chrom, first.start, first.start + 1)
        return any((record.start, record.ref, record.alts) == wanted for record in found)
    except PYSAM_ERRORS:
        return False


def leads_on(handle: pysam.VariantFile, source: Source) -> bool:
    """Return whether chromosome 19 and the last contig have records, where the index of a VCF knows them.

    The index of a BCF numbers all contigs of the header, with records or without, and tells nothing here.
    """
    if handle.format == "BCF":
        return True
    try:
        with pysam.TabixFile(source.path, index=source.usable_index) as table:
            names = list(table.contigs)
        ours = {name.lower() for name in contig_names()}
        asked = [name for name in names if name.lower() in ours] + names[-1:]
        return all(next(iter(handle.fetch(name)), None) is not None for name in asked)
    except PYSAM_ERRORS:
        return False
