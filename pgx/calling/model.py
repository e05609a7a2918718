"""What a call is: types of the calling room."""

from __future__ import annotations

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

    `population` is a name of reference/frequencies.toml, or "flat"; an answer of at least `min_probability`
    counts as determined; `allele_error_rate` is that of a genotype without a quality; `stray_share` is that
    of `pgx.calling.likelihood.phred_likelihood`, 1 where the likelihoods speak of a population: the caution
    that a single answer asks for would make every haplotype but the usual one too rare.
    """

    population: str
    min_probability: float
    allele_error_rate: float
    stray_share: float | None = None


class CalculationRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """posterior is proportional to prior x both likelihoods x phase_factor; likelihoods by rsID."""

    diplotype: str
    prior: float
    likelihood: dict[str, float]
    phase_factor: float
    posterior: float


class PopulationResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The call under another population's haplotype frequencies."""

    diplotype: str | None
    e4_status: E4Status
    diplotype_probability: float


class GenotypeReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The call of one sample. Field names are those of the JSON.

    `diplotype` is "e3/e4", lower number first, or None when not determined; `best_diplotype` and its
    `diplotype_probability` are there in any case. `diplotype_posterior` and `calculation` have all ten,
    `e4_copies_posterior` "0", "1" and "2". `assumed`: a site was taken for reference at the user's word.
    `not_determined_because` has the most telling reason first. `source` is what the call rests on: "file",
    "reads", "file+reads" or "stated".
    """

    gene: str
    diplotype: str | None
    best_diplotype: str
    diplotype_probability: float
    diplotype_posterior: dict[str, float]
    by_population: dict[str, PopulationResult]
    e4_status: E4Status
    e4_copies: int | None
    e4_copies_posterior: dict[str, float]
    phase: PhaseState
    assumed: bool
    not_determined_because: tuple[Reason, ...]
    calculation: tuple[CalculationRow, ...]
    source: str = "file"


class DiplotypeCall(GenotypeReport, frozen=True, kw_only=True):
    """A call as it is reported, and the findings that become flags."""

    findings: tuple[Finding, ...]
