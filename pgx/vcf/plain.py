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
    columns = str(record).rstrip("\n").split("\t", _FIXED)
    fixed, samples = columns[:_FIXED], _samples(columns)
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


def _samples(columns: Sequence[str]) -> Sequence[str]:
    """Return the sample columns of a record that is split into its fixed columns and the rest."""
    if len(columns) <= _FIXED:
        return ()
    rest = columns[_FIXED]
    if rest.count("\t") + 1 >= _LINE_FROM:
        return Columns("\t".join(columns[:_FIXED]), rest)
    return tuple(rest.split("\t"))


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
