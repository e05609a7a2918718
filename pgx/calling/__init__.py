"""Observations in, a diplotype call with its probability out."""

from pgx.calling.call import call, rests_on_assumption
from pgx.calling.model import (
    E4_COPIES,
    CallOptions,
    DiplotypeCall,
    DiplotypeRow,
    E4Status,
    PhaseState,
    PopulationCall,
    Reason,
)
from pgx.calling.populations import (
    FLAT,
    copies_at,
    default_population,
    diplotype_prior,
    diplotypes,
    haplotype_frequencies,
    population_name,
    populations,
)

__all__ = [
    "E4_COPIES",
    "FLAT",
    "CallOptions",
    "DiplotypeCall",
    "DiplotypeRow",
    "E4Status",
    "PhaseState",
    "PopulationCall",
    "Reason",
    "call",
    "copies_at",
    "default_population",
    "diplotype_prior",
    "diplotypes",
    "haplotype_frequencies",
    "population_name",
    "populations",
    "rests_on_assumption",
]
