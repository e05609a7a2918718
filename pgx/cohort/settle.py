"""What the scalar code says of each class of a site, put into the arrays of its samples.

Two classes of which the scalar code says the same, but for numbers that the arrays hold, become one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec.structs import replace

from pgx.calling import CallOptions
from pgx.calling.frequencies import genotype_prior
from pgx.calling.likelihood import genotype_likelihood, imputed_probabilities
from pgx.cohort.siteread import Codes, Floats, SiteArrays, compact, first_of
from pgx.observe import EvidenceKind, Observation, observe
from pgx.single import Prepared

_CONTAINS_PRIOR = frozenset({EvidenceKind.GP, EvidenceKind.DS})


class _Classes:
    """What the scalar code says of each class of a site, in arrays: there may be as many as samples."""

    def __init__(self, count: int) -> None:
        self.merged = np.zeros(count, dtype=np.int64)
        self.by_class = np.zeros(count, dtype=bool)
        self.likelihoods = np.ones((3, count))
        self.chances = np.full((3, count), np.nan)
        self.depth = np.full(count, np.nan)
        self.quality = np.full(count, np.nan)
        self._known: dict[bytes, int] = {}

    def note(self, number: int, seen: Observation, place: int, rules: CallOptions, *, numeric: bool) -> None:
        """Take down an observation; `numeric`: PL was read as numbers, if it is PL that counts."""
        evidence = seen.evidence
        self.merged[number] = self._known.setdefault(_without_numbers(seen), len(self._known))
        self.by_class[number] = not (numeric and evidence is not None and evidence.kind is EvidenceKind.PL)
        self.depth[number] = np.nan if seen.depth is None else seen.depth
        self.quality[number] = np.nan if seen.genotype_quality is None else seen.genotype_quality
        if evidence is None:
            return
        if evidence.kind in _CONTAINS_PRIOR:
            self.chances[:, number] = imputed_probabilities(evidence)
        else:
            marginal = genotype_prior(rules.population, place)
            self.likelihoods[:, number] = genotype_likelihood(evidence, marginal, rules.allele_error_rate)


def settle(site: SiteArrays, place: int, columns: Sequence[int], ready: Prepared) -> SiteArrays:
    """Let the scalar code observe one sample of each class of the site at `place`.

    Returns
    -------
    SiteArrays
        With codes of what was observed, and with all that is known of likelihoods, depth and quality.
    """
    firsts = first_of(site.codes).tolist()
    classes = _Classes(len(firsts))
    for number, row in enumerate(firsts):
        seen = _observed(columns[row], place, ready)
        classes.note(number, seen, place, ready.rules, numeric=bool(site.numeric[row]))
    rows = np.flatnonzero(classes.by_class[site.codes])
    for values, own in zip(site.likelihoods, classes.likelihoods, strict=True):
        values[rows] = own[site.codes[rows]]
    _fill(site.depth, classes.depth, site.codes)
    _fill(site.quality, classes.quality, site.codes)
    has_chances = not np.isnan(classes.chances).all()
    return replace(
        site,
        codes=compact(classes.merged[site.codes]),
        chances=classes.chances[:, site.codes] if has_chances else None,
    )


def _observed(column: int, place: int, ready: Prepared) -> Observation:
    if any(pile.misplaced for pile in ready.records):  # then no site can be seen without the others
        return observe(ready.records, column, ready.context)[place]
    return observe((ready.records[place],), column, ready.context)[0]


def _without_numbers(seen: Observation) -> bytes:
    """Return what tells an observation from others, but for likelihoods, depth and quality."""
    evidence = seen.evidence
    bare = replace(
        seen,
        evidence=None if evidence is None else replace(evidence, values=(), limits=()),
        depth=None,
        allele_depths=None,
        genotype_quality=None,
        record=None,
    )
    return msgspec.msgpack.encode(bare)


def _fill(values: Floats, by_class: Floats, codes: Codes) -> None:
    """Put in what each class states where the numbers were not read from the columns."""
    rows = np.flatnonzero(np.isnan(values))
    values[rows] = by_class[codes[rows]]
