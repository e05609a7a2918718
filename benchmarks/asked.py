"""What pgx answers to a pair of PL, through its own caller; and what hard genotypes would have said."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulate import phred

from pgx.calling import CallOptions, E4Status
from pgx.calling.call import call
from pgx.genome import definitions
from pgx.observe import EvidenceKind, GenotypeEvidence, Observation, SiteState
from pgx.reference import threshold

Phred = tuple[int, int, int] | None
_HARD_STATUS = {0: E4Status.NON_CARRIER, 1: E4Status.HETEROZYGOUS, 2: E4Status.HOMOZYGOUS}
# By copies of C at rs429358 and rs7412; both heterozygous is read as e2/e4, as every such table has it.
_HARD_DIPLOTYPES = {
    (0, 2): "e3/e3",
    (0, 1): "e2/e3",
    (0, 0): "e2/e2",
    (1, 2): "e3/e4",
    (1, 1): "e2/e4",
    (1, 0): "e1/e2",
    (2, 2): "e4/e4",
    (2, 1): "e1/e4",
    (2, 0): "e1/e1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The part of a call that is scored; `diplotype` and `status` are None where not determined."""

    diplotype: str | None
    status: str | None
    best: str
    probability: float
    best_copies: int
    copies_probability: float
    warned: bool


@dataclass(slots=True)
class Asker:
    """Asks the caller of pgx and remembers what it said."""

    known: dict[tuple[Phred, Phred, str, float], Reply] = field(default_factory=dict)

    def ask(self, first: Phred, second: Phred, population: str, min_probability: float) -> Reply:
        """Return the reply for one person, with the frequencies of `population` as prior."""
        key = first, second, population, min_probability
        if key not in self.known:
            self.known[key] = _ask(*key)
        return self.known[key]


def _ask(first: Phred, second: Phred, population: str, min_probability: float) -> Reply:
    observations = _observe(0, first), _observe(1, second)
    options = CallOptions(
        population=population,
        min_probability=min_probability,
        allele_error_rate=threshold("allele_error_rate"),
    )
    said = call(observations, options)
    copies = list(said.e4_copies_posterior.values())
    most = copies.index(max(copies))
    return Reply(
        diplotype=said.diplotype,
        status=None if said.e4_status is E4Status.INDETERMINATE else said.e4_status.value,
        best=said.best_diplotype,
        probability=said.diplotype_probability,
        best_copies=most,
        copies_probability=copies[most],
        warned=any(finding.code == "prior-dependent" for finding in said.findings),
    )


def _observe(index: int, values: Phred) -> Observation:
    site = definitions()[index]
    base = {"rsid": site.rsid, "contig": "chr19", "position": 1, "ref": site.ref, "alt": site.alt}
    if values is None:
        return Observation(state=SiteState.NO_CALL, **base)
    copies = values.index(min(values))
    alleles = tuple(sorted("C" * copies + "T" * (2 - copies), key=(site.ref, site.alt).index))
    evidence = GenotypeEvidence(
        kind=EvidenceKind.PL, values=tuple(float(value) for value in values), copies=copies
    )
    return Observation(
        state=SiteState.CALLED,
        alleles=alleles,
        seen=tuple(dict.fromkeys(alleles)),
        evidence=evidence,
        **base,
    )


def hard_call(first: Phred, second: Phred, min_quality: int) -> tuple[str | None, str | None]:
    """Return diplotype and status from hard genotypes at or above a genotype quality.

    The status is taken as generously as the rules of APOE allow: two letters T at rs429358 make a
    non-carrier whatever rs7412 is.
    """
    one, two = (_hard_copies(values, min_quality) for values in (first, second))
    if one is None or two is None:
        return None, E4Status.NON_CARRIER.value if one == 0 else None
    diplotype = _HARD_DIPLOTYPES[one, two]
    return diplotype, _HARD_STATUS[diplotype.split("/").count("e4")].value


def _hard_copies(values: Phred, min_quality: int) -> int | None:
    if values is None or sorted(values)[1] < min_quality:
        return None
    return values.index(min(values))


def phred_pair(row: list[int], error: float) -> tuple[Phred, Phred]:
    """Return the PL of both sites for a row of `simulate.draw_reads`."""
    return phred(row[0], row[1], error), phred(row[2], row[3], error)
