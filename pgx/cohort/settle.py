"""What the scalar code says of each class of a site, put into the arrays of its samples.

Two classes of which the scalar code says the same, but for numbers that the arrays hold, become one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec.structs import replace

from pgx.calling.likelihood import UNINFORMATIVE, genotype_likelihood, imputed_probabilities
from pgx.calling.populations import genotype_prior
from pgx.cohort.siteread import Floats, SiteArrays, compact, first_of
from pgx.observe import EvidenceKind, GenotypeEvidence, Observation, observe
from pgx.single import Prepared

_CONTAINS_PRIOR = frozenset({EvidenceKind.GP, EvidenceKind.DS})
_NAN = float("nan")
_NO_CHANCES = (_NAN, _NAN, _NAN)


def settle(site: SiteArrays, place: int, columns: Sequence[int], ready: Prepared) -> SiteArrays:
    """Let the scalar code observe one sample of each class of the site at `place`.

    Returns
    -------
    SiteArrays
        With codes of what was observed, and with all that is known of likelihoods, depth and quality.
    """
    firsts = first_of(site.codes).tolist()
    seen = [_observed(columns[row], place, ready) for row in firsts]
    evidence = [item.evidence for item in seen]
    known: dict[bytes, int] = {}
    merged = np.array([known.setdefault(_without_numbers(item), len(known)) for item in seen], dtype=np.int64)
    from_text = np.array(
        [
            not (site.numeric[row] and item is not None and item.kind is EvidenceKind.PL)
            for row, item in zip(firsts, evidence, strict=True)
        ]
    )
    rows = np.flatnonzero(from_text[site.codes])
    own = site.codes[rows]
    likelihoods = np.array([_likelihood(item, place, ready) for item in evidence])
    for copies in range(3):
        site.likelihoods[copies][rows] = likelihoods[own, copies]
    _fill(site.depth, site, [item.depth for item in seen])
    _fill(site.quality, site, [item.genotype_quality for item in seen])
    chances = None
    if any(item is not None and item.kind in _CONTAINS_PRIOR for item in evidence):
        chances = np.array([_chances(item) for item in evidence]).T[:, site.codes]
    return replace(site, codes=compact(merged[site.codes]), chances=chances)


def _observed(column: int, place: int, ready: Prepared) -> Observation:
    if any(pile.misplaced for pile in ready.piles):  # then no site can be seen without the others
        return observe(ready.piles, column, ready.context)[place]
    return observe((ready.piles[place],), column, ready.context)[0]


def _without_numbers(seen: Observation) -> bytes:
    """Return what tells an observation from others, but for likelihoods, depth and quality."""
    evidence = seen.evidence
    bare = replace(
        seen,
        evidence=None if evidence is None else replace(evidence, values=()),
        depth=None,
        allele_depths=None,
        genotype_quality=None,
        record=None,
    )
    return msgspec.msgpack.encode(bare)


def _likelihood(evidence: GenotypeEvidence | None, place: int, ready: Prepared) -> tuple[float, float, float]:
    """Return the likelihood of a class; of one with a prior in it, see `_chances`."""
    if evidence is None or evidence.kind in _CONTAINS_PRIOR:
        return UNINFORMATIVE
    rules = ready.rules
    return genotype_likelihood(evidence, genotype_prior(rules.population, place), rules.allele_error_rate)


def _chances(evidence: GenotypeEvidence | None) -> Sequence[float]:
    if evidence is None or evidence.kind not in _CONTAINS_PRIOR:
        return _NO_CHANCES
    return imputed_probabilities(evidence)


def _fill(values: Floats, site: SiteArrays, stated: Sequence[float | None]) -> None:
    """Put in what each class states where the numbers were not read from the columns."""
    by_class = np.array([_NAN if value is None else value for value in stated], dtype=np.float64)
    rows = np.flatnonzero(np.isnan(values))
    values[rows] = by_class[site.codes[rows]]
