"""The records around the sites, at the positions of the panel: read when somebody asks what neighbours say.

A neighbour that cannot be read says nothing; it must never keep a report from being made.
"""

from __future__ import annotations

import functools
import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from pgx.errors import FormatError
from pgx.observe import SiteRecord
from pgx.vcf.header import Header
from pgx.vcf.records import PYSAM_ERRORS, Decoder, plain_record
from pgx.vcf.scan import Row, is_wanted, may_reach


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
