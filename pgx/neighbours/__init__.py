"""What the variants around the sites say: an estimate beside the call, as a report holds it.

`estimate` makes it with the copying model of `copying` on the reference panel of `panel`.
"""

from __future__ import annotations

from msgspec import Struct

from pgx.calling import DiplotypeCall
from pgx.observe import EvidenceKind, Observation


class NeighbourReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An estimate from the variants around the sites: never a call, and never part of one.

    Attributes
    ----------
    panel
        The panel that the estimate rests on.
    mode
        "strict": a position without a record is unknown.
    markers_known, markers_used
        Positions of the panel that the input states a genotype for, and those that the estimate uses.
    markers_panel
        How many positions the panel has.
    sites_used
        rsIDs of the sites whose own data went into the estimate; none for a second opinion.
    fit
        Natural logarithm of the probability of the neighbours under the panel.
    lowest_fit
        The fit below which somebody is unlike the panel, for this number of known positions.
    unlike_panel
        The fit is so low that no estimate is given: what follows is then None.
    diplotype, diplotype_probability
        The most probable diplotype, whatever its probability.
    neighbours_alone
        The posterior without anything that was read at the sites; None where that is `diplotype_posterior`.
    agrees
        Whether the neighbours allow the genotypes that were read at the sites; None where none was.
    read_probability
        What the neighbours give to these genotypes; None where none was read.
    phase_posterior
        Of the two diplotypes that look the same where both sites are heterozygous; None elsewhere.
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
