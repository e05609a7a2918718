"""What the neighbouring variants say, as a report holds it."""

from __future__ import annotations

from msgspec import Struct


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
    sites_used
        rsIDs of the sites whose own data went into the estimate; none for a second opinion.
    fit
        Natural logarithm of the probability of the neighbours under the panel.
    unlike_panel
        The fit is so low that no estimate is given: what follows is then None.
    diplotype, diplotype_probability
        The most probable diplotype, whatever its probability.
    agrees
        Whether the neighbours allow the genotypes that were read at the sites; None where none was.
    phase_posterior
        Of the two diplotypes that look the same where both sites are heterozygous; None elsewhere.
    """

    panel: str
    mode: str
    markers_known: int
    markers_used: int
    sites_used: tuple[str, ...]
    fit: float
    unlike_panel: bool
    diplotype: str | None
    diplotype_probability: float | None
    diplotype_posterior: dict[str, float] | None
    e4_copies_posterior: dict[str, float] | None
    agrees: bool | None
    phase_posterior: dict[str, float] | None
