"""Records in, genotypes at the markers of the panel out: read as the sites are, unknown where in doubt."""

from __future__ import annotations

import importlib.util
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from pgx.calling.likelihood import UNINFORMATIVE, genotype_likelihood
from pgx.genome import Site
from pgx.neighbours.estimate import Known, known
from pgx.neighbours.panel import Marker, markers
from pgx.observe import EvidenceKind, ReadContext, SiteRecord, SiteRecords, observe, records_at
from pgx.observe.alleles import covers_with_bases, letters_of

_COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}
#: What rests on other variants, on half a genotype or on nothing is no evidence of a neighbour.
_UNUSED = frozenset({EvidenceKind.GP, EvidenceKind.DS, EvidenceKind.PARTIAL, EvidenceKind.ASSUMED})


class MarkerReader:
    """Reads the markers of any sample of an input.

    Parameters
    ----------
    records
        Records of the input; those that cover no marker are passed over.
    contigs
        The names of its chromosome 19.
    assembly
        One that the panel has positions for, see `has_positions`.
    context
        As for the sites. A marker without a record stays unknown all the same, whatever the user assumes
        of the sites.
    allele_error_rate
        For a genotype that comes without a quality.

    Attributes
    ----------
    records
        Those that cover a marker, in file order.
    over
        The records over each marker.
    """

    def __init__(
        self,
        records: Iterable[SiteRecord],
        contigs: Collection[str],
        assembly: str,
        context: ReadContext,
        allele_error_rate: float,
    ) -> None:
        self._context = replace(context, assume_reference=False, callable_sites={})
        self._error = allele_error_rate
        sites = [_site(marker, assembly) for marker in markers()]
        places = [site.position for site in sites]
        self.records = tuple(
            record
            for record in records
            if record.contig in contigs
            and bisect_left(places, record.position) < bisect_right(places, record.end)
        )
        over = _sorted(self.records, places)
        self.is_reversed = _is_reversed(over, sites)
        if self.is_reversed:
            sites = [_reversed(site) for site in sites]
        self._at = [records_at(found, site, contigs) for found, site in zip(over, sites, strict=True)]
        self.over = over
        self._seen: list[dict[tuple[str, ...], Known]] = [{} for _ in sites]

    def genotypes(self, column: int) -> tuple[Known, ...]:
        """Return what the sample in the 0-based `column` shows at each marker of the panel.

        Samples with equal texts are read once.
        """
        found: list[Known] = []
        for records, at, seen in zip(self.over, self._at, self._seen, strict=True):
            if not records:
                found.append(None)
                continue
            key = tuple(record.samples[column] for record in records)
            if key not in seen:
                seen[key] = self._read(at, column)
            found.append(seen[key])
        return tuple(found)

    def read(self, number: int, column: int) -> Known:
        """Return what one sample shows at the marker `number`, which has records."""
        return self._read(self._at[number], column)

    def _read(self, at: SiteRecords, column: int) -> Known:
        (seen,) = observe((at,), column, self._context)
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


def _site(marker: Marker, assembly: str) -> Site:
    pair = (marker.ref, marker.alt)
    return Site(
        rsid=marker.rsid,
        position=marker.positions[assembly],
        ref=marker.ref,
        alt=marker.alt,
        letters=pair,
        counted=pair,
    )


def _sorted(records: Sequence[SiteRecord], places: Sequence[int]) -> list[list[SiteRecord]]:
    """Return the records over each of some ascending positions."""
    over: list[list[SiteRecord]] = [[] for _ in places]
    for record in records:
        for number in range(bisect_left(places, record.position), bisect_right(places, record.end)):
            over[number].append(record)
    return over


def _is_reversed(over: Sequence[Sequence[SiteRecord]], sites: Sequence[Site]) -> bool:
    """Return whether all records that spell the letters of their marker do so on the reverse strand.

    No marker has A and T, or C and G, so each record shows its strand. One on the plus strand is enough
    not to turn any round.
    """
    strands = set()
    for records, site in zip(over, sites, strict=True):
        for record in records:
            if not covers_with_bases(record, site.position):
                continue
            named = {letter for letter in letters_of(record, site.position) if isinstance(letter, str)}
            if named <= set(site.letters):
                strands.add("plus")
            elif named <= set(_reversed(site).letters):
                strands.add("minus")
    return strands == {"minus"}


def _reversed(site: Site) -> Site:
    """Return a site with the letters of the other strand."""
    pair = (_COMPLEMENT[site.counted[0]], _COMPLEMENT[site.counted[1]])
    return replace(site, ref=pair[0], alt=pair[1], letters=pair, counted=pair)
