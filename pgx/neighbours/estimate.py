"""Records of the neighbours in, an estimate out; with a second opinion on what was read at the sites."""

from __future__ import annotations

import functools
import importlib.util
import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations_with_replacement

from msgspec import Struct
from msgspec.structs import replace

from pgx.calling import DiplotypeCall, diplotype_names, diplotypes, double_heterozygotes, shows
from pgx.calling.likelihood import UNINFORMATIVE, genotype_likelihood
from pgx.calling.posterior import by_copies
from pgx.genome import Site
from pgx.neighbours import NeighbourReport, is_needed, is_read
from pgx.neighbours.panel import markers, panel, settings
from pgx.observe import EvidenceKind, Observation, ReadContext, SiteRecord
from pgx.observe.alleles import covers_with_bases, letters_of
from pgx.observe.site import observe, records_at
from pgx.reference import threshold

#: What is known at one marker: the copies of alt, or the likelihood of 0, 1 and 2 of them, or nothing.
Known = int | tuple[float, float, float] | None

STRICT = "strict"


class Saying(Struct, frozen=True, kw_only=True):
    """What neighbours say alone."""

    posterior: tuple[float, ...]  # in the order of `diplotypes`
    fit: float  # as in `NeighbourReport`


def known(likelihood: tuple[float, float, float]) -> Known:
    """Return what a likelihood (scaled to a maximum of 1) amounts to: a genotype, where one is sure."""
    best = likelihood.index(max(likelihood))
    doubt: float = 10 ** (-settings().sure_phred.value / 10)
    if all(value <= doubt for copies, value in enumerate(likelihood) if copies != best):
        return best
    none, one, two = (float(f"{value:.3g}") for value in likelihood)
    return None if none == one == two else (none, one, two)


@functools.lru_cache(maxsize=1 << 14)
def neighbours_say(*sources: tuple[Known, ...]) -> Saying:
    """Return what genotypes at the markers say, as `sources` of one person read them; equal ones once."""
    import numpy as np  # noqa: PLC0415 - numpy is loaded where an estimate runs, and nowhere before

    from pgx.neighbours import copying  # noqa: PLC0415

    at_marker = list(zip(*sources, strict=True))
    present = tuple(number for number, seen in enumerate(at_marker) if any(one is not None for one in seen))
    misread = copying.misread()
    emissions = np.ones((len(present), 3))
    for row, number in enumerate(present):
        for one in at_marker[number]:
            if one is not None:
                emissions[row] *= misread[one] if isinstance(one, int) else np.array(one) @ misread
    pairs, fit = copying.shipped(present).pairs(emissions)
    return Saying(posterior=folded(pairs.tolist()), fit=fit)


def folded(pairs: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return the probability of each diplotype from that of each ordered pair of haplotypes."""
    return tuple(
        pairs[one][other] + (pairs[other][one] if one != other else 0.0)
        for one, other in combinations_with_replacement(range(len(pairs)), 2)
    )


def lowest_fit(count: int) -> float:
    """Return the fit below which a person is unlike the panel, for a number of known markers."""
    return settings().lowest_fit.start + settings().lowest_fit.each * count


def opinion(
    genotypes: tuple[Known, ...], observations: tuple[Observation, ...], call: DiplotypeCall
) -> NeighbourReport | None:
    """Return what the neighbours of one sample say beside its call; None where no neighbour is known."""
    count = sum(one is not None for one in genotypes)
    if not count:
        return None
    saying = neighbours_say(genotypes)
    unlike = saying.fit < lowest_fit(count)
    # A site that is missing or assumed is estimated with what was read at the other one. Where both were
    # read, both are left out: a second opinion.
    used = tuple(seen.rsid for seen in observations if is_read(seen)) if is_needed(observations, call) else ()
    # with the likelihood of what was read at these sites, as the caller has it
    rows = zip(saying.posterior, call.calculation, strict=True)
    weights = [chance * math.prod(row.likelihood[rsid] for rsid in used) for chance, row in rows]
    total = sum(weights)
    posterior = tuple(weight / total for weight in weights) if total else saying.posterior
    names = diplotype_names()
    best = max(range(len(names)), key=posterior.__getitem__)
    letters = [seen.alleles for seen in observations]
    return NeighbourReport(
        panel=settings().panel,
        mode=STRICT,
        markers_known=count,
        markers_used=count,
        markers_panel=len(markers()),
        sites_used=used,
        fit=saying.fit,
        lowest_fit=lowest_fit(count),
        unlike_panel=unlike,
        diplotype=None if unlike else names[best],
        diplotype_probability=None if unlike else posterior[best],
        diplotype_posterior=None if unlike else dict(zip(names, posterior, strict=True)),
        e4_copies_posterior=None if unlike else dict(zip("012", by_copies(posterior), strict=True)),
        neighbours_alone=dict(zip(names, saying.posterior, strict=True)) if used and not unlike else None,
        agrees=None if unlike else allows(saying.posterior, letters),
        read_probability=None if unlike else chance_of(saying.posterior, letters),
        phase_posterior=None if unlike else _phase(names, saying, observations),
    )


def allows(posterior: Sequence[float], letters: Sequence[tuple[str, str] | None]) -> bool | None:
    """Return whether the neighbours allow the letters read at each site, None where none is known."""
    # They do not where these have become improbable *by* the neighbours: a genotype may be rare by itself.
    chance, before = chance_of(posterior, letters), chance_of(without_neighbours(), letters)
    if chance is None or before is None:
        return None
    rare = chance < settings().disagree_below.value
    return not (rare and chance * threshold("min_bayes_factor") <= before)


def chance_of(posterior: Sequence[float], letters: Sequence[tuple[str, str] | None]) -> float | None:
    """Return the probability of the letters read at each site, in any order, None where none is known."""
    if all(pair is None for pair in letters):
        return None
    return sum(p for p, pair in zip(posterior, diplotypes(), strict=True) if shows(pair, letters))


@functools.cache
def without_neighbours() -> tuple[float, ...]:
    """Return the probability of each diplotype in the panel, before any neighbour is looked at."""
    copies = [sum(column) or settings().unseen_copies.value for column in zip(*panel().counts, strict=True)]
    shares = [count / sum(copies) for count in copies]
    return folded([[one * other for other in shares] for one in shares])


def _phase(names: Sequence[str], saying: Saying, seen: tuple[Observation, ...]) -> dict[str, float] | None:
    if not all(site.is_heterozygous for site in seen):
        return None
    chance = dict(zip(names, saying.posterior, strict=True))
    total = sum(chance[name] for name in double_heterozygotes())
    return {name: chance[name] / total for name in double_heterozygotes()} if total else None


_COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}
#: What rests on other variants, on half a genotype or on nothing is no evidence of a neighbour.
_UNUSED = frozenset({EvidenceKind.GP, EvidenceKind.DS, EvidenceKind.PARTIAL, EvidenceKind.ASSUMED})


class MarkerReader:
    """Reads the markers of any sample of an input."""

    def __init__(
        self,
        records: Iterable[SiteRecord],
        contigs: Collection[str],  # the names of chromosome 19
        assembly: str,  # one that the panel has positions for, see `has_positions`
        context: ReadContext,  # as for the sites; a marker without a record stays unknown all the same
        allele_error_rate: float,  # for a genotype that comes without a quality
    ) -> None:
        self._context = replace(context, assume_reference=False, callable_sites={})
        self._error = allele_error_rate
        sites = []
        for marker in markers():
            pair, place = (marker.ref, marker.alt), marker.positions[assembly]
            sites.append(Site(marker.rsid, place, marker.ref, marker.alt, letters=pair, counted=pair))
        places = [site.position for site in sites]
        self.over: list[list[SiteRecord]] = [[] for _ in places]  # over each marker
        kept = []
        for record in records:
            covered = range(bisect_left(places, record.position), bisect_right(places, record.end))
            if covered and record.contig in contigs:
                kept.append(record)
                for number in covered:
                    self.over[number].append(record)
        self.records = tuple(kept)  # those that cover a marker, in file order
        strands = set()  # no marker has A and T, or C and G, so each record shows its own
        for found, site in zip(self.over, sites, strict=True):
            for record in (record for record in found if covers_with_bases(record, site.position)):
                named = {letter for letter in letters_of(record, site.position) if isinstance(letter, str)}
                if named <= set(site.letters):
                    strands.add("plus")
                elif named <= set(_reversed(site).letters):
                    strands.add("minus")
        self.is_reversed = strands == {"minus"}
        if self.is_reversed:
            sites = [_reversed(site) for site in sites]
        self._at = [records_at(found, site, contigs) for found, site in zip(self.over, sites, strict=True)]
        self._seen: list[dict[tuple[str, ...], Known]] = [{} for _ in sites]

    def genotypes(self, column: int) -> tuple[Known, ...]:
        """Return what the sample in the 0-based `column` shows at each marker; equal texts are read once."""
        found: list[Known] = [None] * len(self.over)
        for number, (records, seen) in enumerate(zip(self.over, self._seen, strict=True)):
            if records:
                key = tuple(record.samples[column] for record in records)
                if key not in seen:
                    seen[key] = self.read(number, column)
                found[number] = seen[key]
        return tuple(found)

    def read(self, number: int, column: int) -> Known:
        """Return what one sample shows at the marker `number`, which has records."""
        (seen,) = observe((self._at[number],), column, self._context)
        evidence = seen.evidence
        if evidence is None or evidence.imputed or evidence.kind in _UNUSED:
            return None
        return known(genotype_likelihood(evidence, UNINFORMATIVE, self._error))


def has_positions(assembly: str) -> bool:
    """Return whether the panel has positions on an assembly."""
    return assembly in markers()[0].positions


def can_compute() -> bool:
    """Return whether numpy is there: an estimate needs it, and nothing else of one sample does."""
    return importlib.util.find_spec("numpy") is not None


def _reversed(site: Site) -> Site:
    ref, alt = (_COMPLEMENT[letter] for letter in site.counted)
    return replace(site, ref=ref, alt=alt, letters=(ref, alt), counted=(ref, alt))
