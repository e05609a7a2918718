"""How far the records of each contig reach: from the first to the last, by index in a few dozen looks."""

from __future__ import annotations

import pysam

from pgx.errors import FormatError
from pgx.vcf.index import PYSAM_ERRORS, fetch, guarded, is_whole
from pgx.vcf.open import Source, look, reading
from pgx.vcf.remote import check_scan_allowed, reachable

#: Bases that are read record by record at the end of a contig; below it an index does not lead anyway.
_WINDOW = 1 << 14


def extents(path: str) -> dict[str, tuple[int, int]]:
    """Return the lowest and the highest POS, both 1-based, of each contig that has records.

    Contigs are named as in the file, and stand in the order of their first record. It is where records
    start that counts, not how far a deletion or a reference block reaches. Sample columns are not decoded,
    so damage in them goes unnoticed.

    Raises
    ------
    InputError
        Missing, empty, unreadable, not a VCF or BCF, truncated, or without samples.
    """
    with reachable(look(path)) as source:
        found = _by_index(source)
        if found is None:
            check_scan_allowed(source)
            found = _by_pass(source)
        return found


def _by_index(source: Source) -> dict[str, tuple[int, int]] | None:
    """Return the extents by index, or None where there is none, or it is not that of this file."""
    if source.usable_index is None or not is_whole(source.usable_index):
        return None
    with reading(source, index=source.usable_index) as handle:
        if handle.index is None:
            return None
        handle.subset_samples([])
        try:
            return _walk(handle)
        except PYSAM_ERRORS:  # of the file, too: the pass will tell
            return None


def _walk(handle: pysam.VariantFile) -> dict[str, tuple[int, int]] | None:
    """Go from the first record of each contig to its last, and from there on to what stands behind it.

    Index and file must agree on what comes first on each contig, and on which contigs there are. Where they
    do not, None: the index is that of another file, or there are records to which an index cannot lead
    (htslib finds none at POS 0 of a BCF, and none beyond 2^31).
    """
    firsts = _firsts(handle)
    found: dict[str, tuple[int, int]] = {}
    handle.reset()
    record = next(handle, None)
    while record is not None:
        contig, start = record.chrom, record.start
        if contig in found or start != firsts.get(contig):
            return None
        found[contig] = (start + 1, _last(handle, contig, start) + 1)
        record = next(handle, None)
    return found if found.keys() == firsts.keys() else None


def _firsts(handle: pysam.VariantFile) -> dict[str, int]:
    """Return the 0-based start of the first record of each contig to which the index leads."""
    records = {contig: next(iter(fetch(handle, contig)), None) for contig in map(str, handle.index)}
    return {contig: record.start for contig, record in records.items() if record is not None}


def _last(handle: pysam.VariantFile, contig: str, low: int) -> int:
    """Return the 0-based start of the last record of a contig, one of whose records starts at `low`.

    The file is left behind that record.
    """
    step = _WINDOW
    while (found := _start_from(handle, contig, low + step)) is not None:
        low = found
        step *= 2
    high = low + step  # here and further on no record starts
    while high - low > _WINDOW:
        middle = (low + high) // 2
        found = _start_from(handle, contig, middle)
        if found is None:
            high = middle
        else:
            low = found
    return max((record.start for record in fetch(handle, contig, max(low, 0))), default=low)


def _start_from(handle: pysam.VariantFile, contig: str, start: int) -> int | None:
    """Return where the first record starts that starts at `start` or later, 0-based, or None."""
    # What is fetched may begin with records that start earlier and reach this far.
    return next((record.start for record in fetch(handle, contig, start) if record.start >= start), None)


def _by_pass(source: Source) -> dict[str, tuple[int, int]]:
    """Return the extents by a pass over all records; their samples are not decoded."""
    lows: dict[int, int] = {}
    highs: dict[int, int] = {}
    names: dict[int, str] = {}
    with reading(source, index=None) as handle:
        handle.subset_samples([])
        try:
            for record in guarded(handle, source):
                contig, position = record.rid, record.pos
                if contig not in names:
                    names[contig] = record.chrom
                    lows[contig] = highs[contig] = position
                elif position > highs[contig]:
                    highs[contig] = position
                elif position < lows[contig]:
                    lows[contig] = position
        except UnicodeDecodeError as error:
            raise FormatError(
                "has a contig whose name is not UTF-8 text",
                where=source.label,
                cure="Convert it, for example with iconv -f latin1 -t utf-8",
            ) from error
    return {name: (lows[contig], highs[contig]) for contig, name in names.items()}
