"""The neighbours of an input with very many samples: classes of samples that show the same at every marker.

A record's columns are coded text by text, the scalar code reads one sample of each text, and samples that
are alike at all markers are one class: what their neighbours say is computed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from pgx.cohort.biobank.format_parser import edges_of
from pgx.cohort.biobank.sample_classes import columns_of
from pgx.cohort.tables import arrow
from pgx.cohort.tables.arrow import Codes, first_of, joined_codes
from pgx.neighbours.estimate import Known
from pgx.neighbours.markers import MarkerReader
from pgx.observe import SiteRecord


def text_codes(records: Iterable[SiteRecord], some: Sequence[int] | None) -> Codes:
    """Return the classes of samples whose columns are the same in all of at least one record."""
    lines = [columns_of(record, some) for record in records]
    return joined_codes([arrow.line_codes(line.line, edges_of(line)) for line in lines])


def neighbour_codes(reader: MarkerReader, columns: Sequence[int], some: Sequence[int] | None) -> Codes:
    """Return the classes of samples that show the same at every marker.

    `columns` are the 0-based ones of the samples; `some` is None where these are all of the input.
    """
    parts: list[Codes] = [np.zeros(len(columns), dtype=np.int64)]
    for number, records in enumerate(reader.over):
        if not records:
            continue
        codes = text_codes(records, some)
        shown: dict[Known, int] = {}
        by_text = [
            shown.setdefault(reader.read(number, columns[row]), len(shown))
            for row in first_of(codes).tolist()
        ]
        parts.append(np.array(by_text, dtype=np.int64)[codes])
    return joined_codes(parts)
