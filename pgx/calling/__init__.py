"""Haplotype frequencies by population, diplotypes under Hardy-Weinberg, and what a call is."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from enum import StrEnum
from itertools import combinations_with_replacement
from typing import Literal

from msgspec import Struct

from pgx.errors import UsageError, did_you_mean, printable
from pgx.genome import Haplotype, haplotypes, letters
from pgx.observe import Finding
from pgx.reference import FactFile, Facts, load

FLAT = "flat"
#: Stands for frequencies that a cohort is to estimate from its own people.
ESTIMATE = "estimate"
Diplotype = tuple[Haplotype, Haplotype]


class Stated(Facts, frozen=True, kw_only=True):
    """A frequency with the arithmetic that gives it."""

    frequency: float
    taken_from: str
    arithmetic: str


class Population(Facts, frozen=True, kw_only=True):
    """One population of reference/frequencies.toml."""

    name: str
    label: str
    level: Literal["global", "superpopulation", "population", "sensitivity"]
    superpopulation: str = ""
    counts: dict[str, int]
    e1: Stated
    e4: Stated | None = None

    def frequencies(self) -> dict[str, float]:
        """Return haplotype frequencies, summing to 1: stated ones stay, counted ones share the rest."""
        stated = {"e1": self.e1.frequency} | ({"e4": self.e4.frequency} if self.e4 else {})
        counted = {name: count for name, count in self.counts.items() if name not in stated}
        rest, total = 1 - sum(stated.values()), sum(counted.values())
        return {name: stated.get(name, rest * count / total) for name, count in self.counts.items()}


class _FrequencyFile(FactFile, frozen=True, kw_only=True):
    default: str
    population: tuple[Population, ...]


def default_population() -> str:
    """Return the name of the population that is used unless another is asked for."""
    return load("frequencies.toml", _FrequencyFile).default


def populations() -> tuple[Population, ...]:
    """Return every population that ships, the default first. `flat` is not one."""
    return load("frequencies.toml", _FrequencyFile).population


class Estimated(Struct, frozen=True, kw_only=True):
    """Frequencies estimated from a cohort; their name says all, so results need no table beside."""

    people: int  # with data that say something
    group: str  # of the manifest, or ""
    frequencies: tuple[float, ...]  # in the order of `pgx.genome.haplotypes`, with six digits, summing to 1

    @property
    def name(self) -> str:
        """Return the name of this population, e.g. in the column `population`."""
        pairs = zip(haplotypes(), self.frequencies, strict=True)
        shares = ", ".join(f"{item.name} {share:.6g}" for item, share in pairs)
        group = printable(self.group, limit=60)
        return f"{self.people} people of this cohort{f' ({group})' * bool(group)}, estimated: {shares}"

    @property
    def short_name(self) -> str:
        """Return what tells it from others of a cohort."""
        return f"{printable(self.group, limit=60) or 'this cohort'} (estimated)"


@functools.lru_cache(maxsize=4096)
def estimated(name: str) -> Estimated | None:
    """Return the population of an estimate by its name; None for every other name."""
    shares = ", ".join(rf"{item.name} ([0-9.e-]+)" for item in haplotypes())
    found = re.fullmatch(rf"(\d+) people of this cohort(?: \((.*)\))?, estimated: {shares}", name)
    if found is None:
        return None
    people, group, *values = found.groups()
    frequencies = tuple(float(value) / sum(map(float, values)) for value in values)
    return Estimated(people=int(people), group=group or "", frequencies=frequencies)


@functools.lru_cache(maxsize=4096)
def population_name(asked: str | None) -> str:
    """Return the name of a population as reference data spells it; None stands for the default."""
    if asked is None:
        return default_population()
    names = [*(known.name for known in populations()), FLAT, ESTIMATE]
    return next((name for name in names if name.lower() == asked.lower()), asked)


@functools.cache
def haplotype_frequencies(population: str) -> tuple[float, ...]:
    """Return the frequencies in the order of `haplotypes`; unknown, or `ESTIMATE`, is a `UsageError`."""
    name = population_name(population)
    known = {item.name: item for item in populations()}
    if name == FLAT:
        return tuple(1 / len(haplotypes()) for _ in haplotypes())
    if name in known:
        frequencies = known[name].frequencies()
        return tuple(frequencies[haplotype.name] for haplotype in haplotypes())
    if (found := estimated(name)) is not None:
        return found.frequencies
    what = f"unknown population '{population}'"
    cure = did_you_mean(population, [*known, FLAT]) or f"Use one of {', '.join([*known, FLAT])}"
    if name == ESTIMATE:
        what = "'estimate' needs a whole cohort"
        cure = "Give --population estimate to pgx cohort, or name a population (pgx list populations)"
    raise UsageError(what, where="--population", cure=cure)


@functools.cache
def diplotypes() -> tuple[Diplotype, ...]:
    """Return the ten diplotypes, lower number first in each."""
    return tuple(combinations_with_replacement(haplotypes(), 2))


def diplotype_name(diplotype: Diplotype) -> str:
    """Return "e3/e4"."""
    return "/".join(haplotype.name for haplotype in diplotype)


def shows(pair: Diplotype, seen: Sequence[tuple[str, str] | None]) -> bool:
    """Return whether a diplotype has the letters that are known at each site, whatever their order."""
    own = (sorted(site) for site in zip(*(haplotype.letters for haplotype in pair), strict=True))
    return all(one is None or sorted(one) == site for one, site in zip(seen, own, strict=True))


@functools.cache
def diplotype_names() -> tuple[str, ...]:
    """Return the names of the ten diplotypes."""
    return tuple(diplotype_name(pair) for pair in diplotypes())


@functools.cache
def copies_at(site: int) -> tuple[int, ...]:
    """Return, for each diplotype, the copies (0 to 2) of the counted letter at site 0 or 1."""
    return tuple(sum(haplotype.letters[site] == letters()[1] for haplotype in pair) for pair in diplotypes())


@functools.cache
def double_heterozygotes() -> tuple[str, ...]:
    """Return the two diplotypes that look the same when both sites are heterozygous and unphased."""
    copies = zip(diplotype_names(), copies_at(0), copies_at(1), strict=True)
    return tuple(name for name, first, second in copies if first == second == 1)


@functools.cache
def diplotype_prior(population: str) -> tuple[float, ...]:
    """Return the Hardy-Weinberg probability of each diplotype in `population`."""
    pairs = combinations_with_replacement(enumerate(haplotype_frequencies(population)), 2)
    return tuple(one * other * (1 if first == second else 2) for (first, one), (second, other) in pairs)


@functools.cache
def genotype_prior(population: str, site: int) -> tuple[float, float, float]:
    """Return the marginal probability of 0, 1 and 2 copies of the counted letter at a site."""
    totals = [0.0, 0.0, 0.0]
    for copies, prior in zip(copies_at(site), diplotype_prior(population), strict=True):
        totals[copies] += prior
    return totals[0], totals[1], totals[2]


class E4Status(StrEnum):
    """The APOE e4 status of a person; `CARRIER` means one or two copies, not told apart."""

    NON_CARRIER, HETEROZYGOUS, HOMOZYGOUS = "non-carrier", "heterozygous", "homozygous"
    CARRIER, INDETERMINATE = "carrier", "indeterminate"


#: Copies of e4 that a status stands for, where it stands for one number.
E4_COPIES = {E4Status.NON_CARRIER: 0, E4Status.HETEROZYGOUS: 1, E4Status.HOMOZYGOUS: 2}


class PhaseState(StrEnum):
    """Whether the two sites are phased with each other, as far as the answer needs it."""

    PHASED, UNPHASED, NOT_NEEDED = "phased", "unphased", "not-needed"


class Reason(StrEnum):
    """Why a diplotype or status is not determined."""

    SITE_UNUSED, HALF_CALL, PHASE = "site-unused", "half-call", "phase"
    RARE_HAPLOTYPE, LOW_CERTAINTY, COORDINATES = "rare-haplotype", "low-certainty", "coordinates"


class CallOptions(Struct, frozen=True):
    """Options that change a call."""

    population: str  # a name of reference/frequencies.toml, or "flat"
    min_probability: float  # an answer of at least that counts as determined
    allele_error_rate: float  # of a genotype without a quality
    #: As in `likelihood.phred_likelihood`; 1 where the likelihoods speak of a population: the caution that a
    #: single answer asks for would make every haplotype but the usual one too rare.
    stray_share: float | None = None


class CalculationRow(Struct, frozen=True, forbid_unknown_fields=True):
    """posterior is proportional to prior x both likelihoods x phase_factor; likelihoods by rsID."""

    diplotype: str
    prior: float
    likelihood: dict[str, float]
    phase_factor: float
    posterior: float


class PopulationResult(Struct, frozen=True, forbid_unknown_fields=True):
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
