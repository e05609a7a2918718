"""The genotype and phase of one sample in one record: FORMAT text in, allele indices out."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping

from msgspec import Struct

from pgx.observe.model import MISSING, Phase, PhaseSource, SiteRecord

_PLOIDY = 2
_INDEX_DIGITS = 9  # longer ones are no index of anything, and some readers cut them


class Genotype(Struct, frozen=True, kw_only=True):
    """A genotype as the record writes it.

    Attributes
    ----------
    indices
        Allele indices (0 is REF) in the order of the text, None for "."; empty when there is no genotype.
    phase
        None when unphased.
    """

    indices: tuple[int | None, ...]
    phase: Phase | None

    @property
    def is_missing(self) -> bool:
        """Return whether nothing was called: no genotype, ".", or "./."."""
        return all(index is None for index in self.indices)

    @property
    def is_diploid(self) -> bool:
        """Return whether the genotype has two alleles, called or not."""
        return len(self.indices) == _PLOIDY


class GenotypeTextError(ValueError):
    """The GT field is no genotype, or names an allele that the record does not have."""


def read_genotype(record: SiteRecord, fields: Mapping[str, str]) -> Genotype:
    """Read GT (or LGT) and the phase of one sample.

    Raises
    ------
    GenotypeTextError
        Not a genotype, or an allele index beyond the record's alleles.
    """
    indices, separated = _indices(record, fields)
    phased_as_written = len(indices) == _PLOIDY and separated == {"|"}
    if phased_as_written:
        return Genotype(indices=indices, phase=_written_phase(fields))
    ordered = _physical_order(indices, fields)
    if ordered is not None:
        return ordered
    return Genotype(indices=indices, phase=None)


def _indices(record: SiteRecord, fields: Mapping[str, str]) -> tuple[tuple[int | None, ...], frozenset[str]]:
    key = "GT" if "GT" in fields or "LGT" not in fields else "LGT"
    text = fields.get(key, MISSING)
    if text in {"", MISSING}:
        return (), frozenset()
    written, separators = _written(text)
    known = range(len(record.alternates) + 1) if key == "GT" else local_alleles(record, fields) or (0,)
    if any(index is not None and index >= len(known) for index in written):
        raise GenotypeTextError(text)
    return tuple([None if index is None else known[index] for index in written]), separators


@functools.lru_cache(maxsize=4096)
def _written(text: str) -> tuple[tuple[int | None, ...], frozenset[str]]:
    """Return the indices and the separators of a genotype as it is written."""
    body = text[1:] if text[0] in "/|" else text
    tokens = re.split(r"[/|]", body)
    if not all(token == MISSING or _is_index(token) for token in tokens):
        raise GenotypeTextError(text)
    # VCF 4.4: a leading "/" says that the first allele is not phased with the others.
    separators = frozenset(re.findall(r"[/|]", body)) | ({"/"} if text[0] == "/" else set())
    return tuple(None if token == MISSING else int(token) for token in tokens), separators


def _is_index(token: str) -> bool:
    return token.isascii() and token.isdecimal() and len(token) <= _INDEX_DIGITS


def local_alleles(record: SiteRecord, fields: Mapping[str, str]) -> tuple[int, ...] | None:
    """Return the global index of each local allele (REF is local 0), or None without local alleles.

    Sources: VCF 4.5, LAA, which leaves REF out; Hail, sparse variant data, LA, which counts it. A list that
    names an allele that the record does not have, or LA without REF in front, is unusable (None).
    """
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


def _written_phase(fields: Mapping[str, str]) -> Phase:
    """Return the phase of a GT with "|"; VCF 4.4 may name a set for each allele (PSL)."""
    keys = (key for key in ("PS", "PSL", "PID") if set(fields.get(key, MISSING)) - set(".,"))
    key = next(keys, None)
    return Phase(
        phase_set="" if key is None else f"{key} {fields[key]}",
        source=PhaseSource.STATISTICAL if key is None else PhaseSource.READ_BACKED,
        quality=number(fields.get("PQ")),
    )


def _physical_order(indices: tuple[int | None, ...], fields: Mapping[str, str]) -> Genotype | None:
    """Return the genotype in the order of GATK's PGT with PID, or of HP, where they phase an unphased GT."""
    if len(indices) != _PLOIDY or None in indices or indices[0] == indices[1]:
        return None
    order: tuple[int | None, ...]
    quality = number(fields.get("PQ"))
    pgt, pid = fields.get("PGT", MISSING), fields.get("PID", MISSING)
    if pid not in {"", MISSING} and pgt in {"0|1", "1|0"} and 0 in indices:
        # PGT speaks of REF and one ALT; with two ALT alleles it does not say which of them it means.
        other = max(index for index in indices if index is not None)
        order = (0, other) if pgt == "0|1" else (other, 0)
        phase = Phase(phase_set=f"PID {pid}", source=PhaseSource.READ_BACKED, quality=quality)
        return Genotype(indices=order, phase=phase)
    match = re.fullmatch(r"(\d+)-([12]),(\d+)-([12])", fields.get("HP", ""))
    if match and match[1] == match[3] and match[2] != match[4]:
        order = indices if match[2] == "1" else indices[::-1]
        phase = Phase(phase_set=f"HP {match[1]}", source=PhaseSource.READ_BACKED, quality=quality)
        return Genotype(indices=order, phase=phase)
    return None
