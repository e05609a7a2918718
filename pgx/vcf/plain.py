"""One record of htslib, copied into plain text that the corridor can keep and hand to another process."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pysam

from pgx.observe import SiteRecord
from pgx.vcf.columns import Columns

_FIXED = 9
#: From how many samples on the columns are kept as one line.
_LINE_FROM = 10_000


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
