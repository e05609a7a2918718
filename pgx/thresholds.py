"""The numbers of reference/calling.toml."""

from __future__ import annotations

import functools

from pgx.reference import Facts, Provenance, load


class _Value(Facts, frozen=True, kw_only=True):
    value: float
    basis: str


class _ThresholdFile(Facts, frozen=True, kw_only=True):
    provenance: Provenance
    min_probability: _Value
    min_bayes_factor: _Value
    allele_error_rate: _Value
    switch_error_read_backed: _Value
    switch_error_statistical: _Value
    base_error_rate: _Value
    posterior_floor: _Value
    low_imputation_quality: _Value
    contradiction_phred: _Value


@functools.cache
def _file() -> _ThresholdFile:
    return load("calling.toml", _ThresholdFile)


def threshold(name: str) -> float:
    """Return the number called `name`; the file says what it rests on."""
    entry: _Value = getattr(_file(), name)
    return entry.value
