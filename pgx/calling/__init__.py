"""Observations in, a diplotype call with its probability out."""

from pgx.calling.call import call
from pgx.calling.frequencies import (
    ESTIMATE,
    FLAT,
    Estimated,
    copies_at,
    default_population,
    diplotype_names,
    diplotype_prior,
    diplotypes,
    estimated,
    haplotype_frequencies,
    population_name,
    populations,
)
from pgx.calling.model import (
    E4_COPIES,
    CalculationRow,
    CallOptions,
    DiplotypeCall,
    E4Status,
    GenotypeReport,
    PhaseState,
    PopulationResult,
    Reason,
)

__all__ = [
    "E4_COPIES",
    "ESTIMATE",
    "FLAT",
    "CalculationRow",
    "CallOptions",
    "DiplotypeCall",
    "E4Status",
    "Estimated",
    "GenotypeReport",
    "PhaseState",
    "PopulationResult",
    "Reason",
    "call",
    "copies_at",
    "default_population",
    "diplotype_names",
    "diplotype_prior",
    "diplotypes",
    "estimated",
    "haplotype_frequencies",
    "population_name",
    "populations",
]
