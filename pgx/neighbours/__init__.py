"""What the variants around the sites say: an estimate beside the call, as a report holds it."""

from __future__ import annotations

from msgspec import Struct

from pgx.calling import DiplotypeCall
from pgx.observe import EvidenceKind, Observation


class NeighbourReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An estimate from the variants around the sites: never a call, and never part of one.

    `mode`: "strict", a position without a record is unknown. `markers_known`, `markers_used`: positions of
    the `panel` that the input states a genotype for, and that the estimate uses; `markers_panel`: how many it
    has. `sites_used`: rsIDs of the sites whose own data went into the estimate; none for a second opinion.
    `fit`: natural logarithm of the probability of the neighbours under the panel; below `lowest_fit`, which
    goes by the number of known positions, somebody is unlike the panel and what follows is None. `diplotype`:
    the most probable, whatever its probability. `neighbours_alone`: the posterior without anything that was
    read at the sites; None where that is `diplotype_posterior`. `agrees`: whether the neighbours allow the
    genotypes that were read at the sites, `read_probability`: what they give to these; None where none was
    read. `phase_posterior`: of the two diplotypes that look the same where both sites are heterozygous; else
    None.
    """

    panel: str
    mode: str
    markers_known: int
    markers_used: int
    markers_panel: int
    sites_used: tuple[str, ...]
    fit: float
    lowest_fit: float
    unlike_panel: bool
    diplotype: str | None
    diplotype_probability: float | None
    diplotype_posterior: dict[str, float] | None
    e4_copies_posterior: dict[str, float] | None
    neighbours_alone: dict[str, float] | None
    agrees: bool | None
    read_probability: float | None
    phase_posterior: dict[str, float] | None


def is_needed(observations: tuple[Observation, ...], call: DiplotypeCall) -> bool:
    """Return whether a site is missing, weak or assumed, so that an estimate says something new."""
    return call.diplotype is None or not all(map(is_read, observations))


def is_read(seen: Observation) -> bool:
    """Return whether an observation rests on data, not on an assumption."""
    return seen.evidence is not None and seen.evidence.kind is not EvidenceKind.ASSUMED
