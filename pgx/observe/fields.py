"""What the FORMAT text of one sample says: numbers, genotype and phase, and reads, in all and by allele."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from pgx.observe import MISSING, Fields, Phase, PhaseSource, SiteRecord

_DEPTHS = ("DP", "DPI", "SDP", "FDP")
#: Reads by allele, REF first, as AD and DPR are (Number=R): CLC Genomics Workbench; minos, gramtools and
#: Cortex. A lone value is something else, such as a coverage.
_READS_BESIDE_ALT = ("CLCAD2", "COV")
#: Reads by allele and strand (forward, reverse), REF first: samtools and SomaticSniper, GATK.
_READS_BY_STRAND = ("DP4", "SAC")
#: Reads with REF, and with each ALT: VarScan, freebayes, Torrent Variant Caller, iVar.
_REF_AND_ALT_READS = (("RD", "AD"), ("RO", "AO"), ("FRO", "FAO"), ("REF_DP", "ALT_DP"))
_BASES = "ACGT"
#: Reads by base, the first value of a field each (Strelka); SomaticSniper has all in BCOUNT, in this order.
_READS_OF_BASE = tuple(f"{base}U" for base in _BASES)
#: All reads, and those with each ALT: Platypus, VarDict, samtools before 1.0.
_ALL_AND_ALT_READS = (("NR", "NV"), ("DP", "VD"), ("DP", "DV"))
#: The share of reads with each ALT: VarScan, DeepVariant, Illumina, Mutect2, GATK 3.
_ALT_SHARES = ("FREQ", "VAF", "VF", "AF", "FA")
#: Fields, beside AD, that state reads by allele.
READ_FIELDS = frozenset(
    {"DPR", "ADF", "ADR", "RD", "BCOUNT"}
    | {*_ALT_SHARES, *_READS_BESIDE_ALT, *_READS_BY_STRAND, *_READS_OF_BASE}
    | {key for pair in (*_REF_AND_ALT_READS, *_ALL_AND_ALT_READS) for key in pair}
) - {"AD", "DP"}
#: What states reads by allele, and what of it most callers do not write: looked for in every sample.
_COUNTED = READ_FIELDS | {"AD", "LAD"}
_SELDOM = _COUNTED - {"AD", "DPR"}
#: Reads of each allele, REF first; and those of no allele of the record, where it has no ALT.
Counts = tuple[tuple[float, ...], float]


class Genotype(Struct, frozen=True):
    """A genotype as the record writes it."""

    indices: tuple[int | None, ...]  # of alleles (0: REF) in the order of the text, None for "."
    phase: Phase | None  # None when unphased


class GenotypeTextError(ValueError):
    """The GT field is no genotype, or names an allele that the record does not have."""


def read_genotype(record: SiteRecord, fields: Fields) -> Genotype:
    """Read GT (or LGT) and the phase of one sample; raises `GenotypeTextError`."""
    key = "GT" if "GT" in fields or "LGT" not in fields else "LGT"
    text = fields.get(key, MISSING)
    if text in {"", MISSING}:
        return Genotype(indices=(), phase=None)
    written, separators = _written(text)
    known = range(len(record.alternates) + 1) if key == "GT" else local_alleles(record, fields) or (0,)
    if any(index is not None and index >= len(known) for index in written):
        raise GenotypeTextError(text)
    indices = tuple([None if index is None else known[index] for index in written])
    if len(indices) != 2 or separators != {"|"}:
        return _physical_order(indices, fields) or Genotype(indices=indices, phase=None)
    # VCF 4.4 may name a set for each allele (PSL).
    sets = (key for key in ("PS", "PSL", "PID") if set(fields.get(key, MISSING)) - set(".,"))
    name = next((f"{key} {fields[key]}" for key in sets), "")
    source = PhaseSource.READ_BACKED if name else PhaseSource.STATISTICAL
    return Genotype(indices, Phase(name, source, number(fields.get("PQ"))))


@functools.lru_cache(maxsize=4096)
def _written(text: str) -> tuple[tuple[int | None, ...], frozenset[str]]:
    body = text[1:] if text[0] in "/|" else text
    tokens = re.split(r"[/|]", body)
    if not all(token == MISSING or _is_index(token) for token in tokens):
        raise GenotypeTextError(text)
    # VCF 4.4: a leading "/" says that the first allele is not phased with the others.
    separators = frozenset(re.findall(r"[/|]", body)) | ({"/"} if text[0] == "/" else set())
    return tuple(None if token == MISSING else int(token) for token in tokens), separators


def _is_index(token: str) -> bool:
    # What is longer is no index of anything, and some readers cut it.
    return token.isascii() and token.isdecimal() and len(token) <= 9


def local_alleles(record: SiteRecord, fields: Fields) -> tuple[int, ...] | None:
    """Return the global index of each local allele (REF is local 0); None without a list that is usable."""
    # Sources: VCF 4.5, LAA, which leaves REF out; Hail, sparse variant data, LA, which counts it.
    text = fields.get("LAA", fields.get("LA"))
    if text is None:
        return None
    tokens = [token for token in text.split(",") if token not in {"", MISSING}]
    if not all(_is_index(token) and int(token) <= len(record.alternates) for token in tokens):
        return None
    indices = tuple(map(int, tokens))
    if "LAA" in fields:
        return (0, *indices)
    return indices if indices[:1] == (0,) else None


@functools.lru_cache(maxsize=4096)  # one sample is asked for a field by several rules, and many samples agree
def number(text: str | None) -> float | None:
    """Return a field as a number, or None where it is missing, not a number, or not finite."""
    if text is None or text in {"", MISSING} or not text.isascii():
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@functools.lru_cache(maxsize=4096)
def numbers(text: str | None) -> tuple[float | None, ...]:
    """Return a comma-separated field as numbers; empty where the whole field is missing."""
    if text is None or text in {"", MISSING}:
        return ()
    return tuple(number(token) for token in text.split(","))


def _physical_order(indices: tuple[int | None, ...], fields: Fields) -> Genotype | None:
    """Return the genotype in the order of GATK's PGT with PID, or of HP, where they phase an unphased GT."""
    if len(indices) != 2 or None in indices or indices[0] == indices[1]:
        return None
    order, name = indices, ""
    pgt, pid = fields.get("PGT", MISSING), fields.get("PID", MISSING)
    if pid not in {"", MISSING} and pgt in {"0|1", "1|0"} and 0 in indices:
        # PGT speaks of REF and one ALT; with two ALT alleles it does not say which of them it means.
        other = max(index for index in indices if index is not None)
        order, name = ((0, other) if pgt == "0|1" else (other, 0)), f"PID {pid}"
    elif match := re.fullmatch(r"(\d+)-([12]),\1-(?!\2)[12]", fields.get("HP", "")):
        order, name = (indices if match[2] == "1" else indices[::-1]), f"HP {match[1]}"
    phase = Phase(name, PhaseSource.READ_BACKED, number(fields.get("PQ")))
    return Genotype(order, phase) if name else None


def depth(record: SiteRecord, fields: Fields, *, block: bool) -> int | None:
    """Return the reads at the site: the least of a block (MIN_DP, MinDP), else DP, else reads by allele."""
    # Where the record has one sample, INFO speaks of it too: the fewer reads count, without those of mapping
    # quality 0. A least depth below zero is none.
    if block:
        for key in ("MIN_DP", "MinDP", "MIN"):  # GATK and freebayes, bcftools, freebayes before 1.1
            for value in (number(fields.get(key)), number(record.info.get(key))):
                if value is not None:
                    return max(int(value), 0)
    found = [int(value) for value in _counts(map(number, map(fields.get, _DEPTHS)))]
    if not found and not block:
        found = [round(sum(counts) + others) for counts, others in reads_by_allele(record, fields)]
    if not found and (reads := _counts(numbers(fields.get("AD")))):
        found = [int(sum(reads))]
    found, info = found[:1], record.info if len(record.samples) == 1 else {}
    if info and number(info.get("MQ")) == 0:
        found.append(0)
    elif info:
        by_strand = _counts(numbers(info.get("DP4")))
        stated = _counts(number(info.get(key)) for key in ("DP", "ADP", "TotalReads"))
        stated += [sum(by_strand)] if len(by_strand) == 4 else []
        found += [int(min(stated) * (1 - _unmapped_share(info)) + 0.5)] if stated else []
    return min(found, default=None)


def _counts(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and value >= 0]


def _unmapped_share(info: Mapping[str, str]) -> float:
    share, count, total = (number(info.get(key)) for key in ("MQ0F", "MQ0", "DP"))
    if share is None and count is not None and total:
        share = count / total
    return min(max(share or 0.0, 0.0), 1.0)


def reads_by_allele(record: SiteRecord, fields: Fields) -> Iterator[Counts]:
    """Yield the reads by allele from every field or pair of fields that states them."""
    # A field that stands under the same name for something else has another number of values.
    size = len(record.alternates) + 1
    for counts in _of_sample(record, fields, size):
        known = _counts(counts)
        if len(known) == len(counts) == size:
            # What is not REF has no allele to stand at where there is no ALT.
            yield tuple(known), max((_total(fields) or 0.0) - known[0], 0.0) if size == 1 else 0.0
    if len(record.samples) == 1:
        yield from _of_record(record, size)


def _of_sample(record: SiteRecord, fields: Fields, size: int) -> Iterator[Sequence[float | None]]:
    if _COUNTED.isdisjoint(fields):
        return
    for key in ("AD", "DPR"):  # beside RD, VarScan's AD is that of the ALT alone
        if key in fields and (key == "DPR" or number(fields.get("RD")) is None):
            yield numbers(fields[key])
    yield _rest_of(fields, "DP", "AD")  # VarScan without RD
    if _SELDOM.isdisjoint(fields):
        return
    for key in _READS_BESIDE_ALT if size > 1 else ():
        yield numbers(fields.get(key))
    for key in _READS_BY_STRAND:
        values = numbers(fields.get(key))
        if len(values) == 2 * size > 2:
            yield [_sum(values[place : place + 2]) for place in range(0, 2 * size, 2)]
    yield _of_bases(record, fields)
    strands = numbers(fields.get("ADF")), numbers(fields.get("ADR"))
    if len(strands[0]) == len(strands[1]):
        yield [_sum(pair) for pair in zip(*strands, strict=True)]
    local = local_alleles(record, fields)
    if "LAD" in fields and local is not None:
        given = dict(zip(local, numbers(fields["LAD"]), strict=False))
        yield [given.get(place, 0.0) for place in range(size)]
    for reference, alternate in _REF_AND_ALT_READS:
        # Without an ALT no reads with it need be stated.
        yield [number(fields.get(reference)), *(numbers(fields.get(alternate)) if size > 1 else ())]
    for total, alternate in _ALL_AND_ALT_READS:
        yield _rest_of(fields, total, alternate)
    for key in _ALT_SHARES:
        yield _from_shares(_total(fields), fields.get(key))


def _rest_of(fields: Fields, total: str, alternate: str) -> Sequence[float | None]:
    return _with_rest(next(iter(numbers(fields.get(total))), None), numbers(fields.get(alternate)))


def _of_bases(record: SiteRecord, fields: Fields) -> Sequence[float | None]:
    """Return the reads of each allele of a single-base variant from reads by base; else nothing."""
    alleles = [allele.upper() for allele in (record.reference, *record.alternates)]
    if not all(len(allele) == 1 and allele in _BASES for allele in alleles):
        return ()
    counts = [*numbers(fields.get("BCOUNT"))]
    if len(counts) != len(_BASES):
        counts = [next(iter(numbers(fields.get(key))), None) for key in _READS_OF_BASE]
    return [counts[_BASES.index(allele)] for allele in alleles]


def _total(fields: Fields) -> float | None:
    return next((value for key in _DEPTHS if (value := number(fields.get(key))) is not None), None)


def _of_record(record: SiteRecord, size: int) -> Iterator[Counts]:
    if not record.info:
        return
    kept = 1 - _unmapped_share(record.info)
    strands = _counts(numbers(record.info.get("DP4")))
    if len(strands) == 4 and size <= 2:
        reference, others = kept * sum(strands[:2]), kept * sum(strands[2:])
        yield ((reference,), others) if size == 1 else ((reference, others), 0.0)
    # INFO may have the same fields; a share there is that of a population.
    fields = {key: value for key, value in record.info.items() if key not in _ALT_SHARES}
    for counts in _of_sample(record, fields, size):
        known = [value * kept for value in _counts(counts)]
        if len(known) == len(counts) == size > 1:
            yield tuple(known), 0.0
    stated = number(record.info.get("TotalReads"))
    counts = _from_shares(stated, record.info.get("SupportFraction"))
    if len(counts) == size:
        yield tuple(value for value in counts if value is not None), 0.0


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value or 0.0 for value in known)


def _with_rest(total: float | None, alternates: Sequence[float | None]) -> Sequence[float | None]:
    """Return the reads with REF and with each ALT, of all reads and those with each ALT; else nothing."""
    rest = _sum(alternates)
    if total is None or rest is None or not alternates or rest > total:
        return ()
    return (total - rest, *alternates)


def _from_shares(total: float | None, text: str | None) -> Sequence[float | None]:
    """Return the same from the share of the reads of each ALT (a fraction, or with %)."""
    if total is None or text is None:
        return ()
    shares = []
    for token in text.split(","):
        share = number(token.removesuffix("%"))
        share = share / 100 if share is not None and token.endswith("%") else share
        shares.append(float(round(total * share)) if share is not None and 0 <= share <= 1 else None)
    return _with_rest(total, shares)
