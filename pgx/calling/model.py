"""What a call is: types of the calling room."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from pgx.observe import Finding


class E4Status(StrEnum):
    """The APOE e4 status of a person; `CARRIER` means one or two copies, not told apart."""

    NON_CARRIER = "non-carrier"
    HETEROZYGOUS = "heterozygous"
    HOMOZYGOUS = "homozygous"
    CARRIER = "carrier"
    INDETERMINATE = "indeterminate"


#: Copies of e4 that a status stands for, where it stands for one number.
E4_COPIES = {E4Status.NON_CARRIER: 0, E4Status.HETEROZYGOUS: 1, E4Status.HOMOZYGOUS: 2}


class PhaseState(StrEnum):
    """Whether the two sites are phased with each other, as far as the answer needs it."""

    PHASED = "phased"
    UNPHASED = "unphased"
    NOT_NEEDED = "not-needed"


class Reason(StrEnum):
    """Why a diplotype or status is not determined."""

    SITE_UNUSED = "site-unused"
    HALF_CALL = "half-call"
    PHASE = "phase"
    RARE_HAPLOTYPE = "rare-haplotype"
    LOW_CERTAINTY = "low-certainty"
    COORDINATES = "coordinates"


class CallOptions(Struct, frozen=True, kw_only=True):
    """Options that change a call.

    Attributes
    ----------
    population
        A name of reference/frequencies.toml, or "flat".
    min_probability
        Posterior probability from which an answer counts as determined.
    allele_error_rate
        Probability that one allele is wrong where a genotype comes without a quality.
    """

    population: str
    min_probability: float
    allele_error_rate: float


class DiplotypeRow(Struct, frozen=True, kw_only=True):
    """One line of the calculation: posterior is proportional to the product of the four numbers before it."""

    diplotype: str
    prior: float
    likelihood_first: float
    likelihood_second: float
    phase_factor: float
    posterior: float


class PopulationCall(Struct, frozen=True, kw_only=True):
    """The same call under another population's haplotype frequencies."""

    population: str
    diplotype: str | None
    e4_status: E4Status
    diplotype_probability: float


class DiplotypeCall(Struct, frozen=True, kw_only=True):
    """The call of one sample.

    Attributes
    ----------
    diplotype
        "e3/e4", lower number first; None when not determined.
    best_diplotype, diplotype_probability
        The most probable diplotype and its posterior, also when none is determined.
    posterior
        All ten diplotypes, summing to 1.
    e4_copies
        None unless the status stands for one number.
    e4_copies_posterior
        Probability of 0, 1 and 2 copies.
    calculation
        A row a diplotype, in the order of `posterior`.
    reasons
        Why diplotype or status is not determined; empty when both are.
    """

    diplotype: str | None
    best_diplotype: str
    diplotype_probability: float
    posterior: Mapping[str, float]
    e4_status: E4Status
    e4_copies: int | None
    e4_copies_posterior: tuple[float, float, float]
    phase: PhaseState
    by_population: tuple[PopulationCall, ...]
    calculation: tuple[DiplotypeRow, ...]
    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...]
