"""The caller against a slow twin that is written out haplotype by haplotype, and its stated rules."""

from __future__ import annotations

import itertools
import math

import pytest

from pgx.calling import CallOptions, default_population, diplotype_prior, haplotype_frequencies, populations
from pgx.calling.call import call
from pgx.calling.likelihood import dosage_probabilities, genotype_likelihood
from pgx.errors import UsageError
from pgx.genome import haplotypes
from pgx.observe import EvidenceKind, GenotypeEvidence, Observation, Phase, PhaseSource, SiteState

SITES = (("rs429358", 44908684), ("rs7412", 44908822))
FLAT = (1 / 3, 1 / 3, 1 / 3)
ERROR = 5e-5


def seen(index, evidence=None, *, alleles=None, phase=None, state=SiteState.CALLED):
    rsid, position = SITES[index]
    return Observation(
        rsid=rsid,
        contig="chr19",
        position=position,
        ref="TC"[index],
        alt="CT"[index],
        state=state if evidence is not None else SiteState.ABSENT,
        alleles=alleles,
        evidence=evidence,
        phase=phase,
    )


def pl(*values):
    return GenotypeEvidence(kind=EvidenceKind.PL, values=values)


def options(**given):
    return CallOptions(
        **({"population": "global", "min_probability": 0.99, "allele_error_rate": ERROR} | given)
    )


def twin(first, second, population):
    """Return the posterior by adding up all sixteen ordered pairs of haplotypes."""
    frequency = dict(zip([h.name for h in haplotypes()], haplotype_frequencies(population), strict=True))
    total = {}
    for one, other in itertools.product(haplotypes(), repeat=2):
        copies = [(one.letters[site] + other.letters[site]).count("C") for site in (0, 1)]
        weight = frequency[one.name] * frequency[other.name] * first[copies[0]] * second[copies[1]]
        name = "/".join(sorted([one.name, other.name]))
        total[name] = total.get(name, 0) + weight
    whole = sum(total.values())
    return {name: weight / whole for name, weight in total.items()}


@pytest.mark.parametrize("population", ["global", "AFR", "YRI", "memory-clinic", "flat"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((0, 30, 300), (300, 30, 0)),
        ((20, 0, 25), (14, 0, 9)),
        ((90, 40, 0), (30, 0, 40)),
        ((0, 0, 0), (3, 0, 9)),
    ],
)
def test_posterior_is_that_of_the_twin(population, first, second):
    result = call((seen(0, pl(*first)), seen(1, pl(*second))), options(population=population))
    # What speaks against the homozygotes of a heterozygote counts at three quarters (stray reads).
    shares = [0.75 if values[1] == 0 else 1 for values in (first, second)]
    likelihoods = [
        [10 ** (-share * value / 10) for value in values]
        for share, values in zip(shares, (first, second), strict=True)
    ]
    assert result.diplotype_posterior == pytest.approx(twin(*likelihoods, population), rel=1e-9)
    copies = [0.0, 0.0, 0.0]
    for name, probability in result.diplotype_posterior.items():
        copies[name.count("e4")] += probability
    assert list(result.e4_copies_posterior.values()) == pytest.approx(copies)


@pytest.mark.parametrize("kind", [EvidenceKind.DEPTH, EvidenceKind.GT])
def test_frequencies_do_not_overrule_a_genotype_without_quality(kind):
    values = (5.0,) if kind is EvidenceKind.DEPTH else ()
    rate = {} if kind is EvidenceKind.DEPTH else {"allele_error_rate": 0.2}
    both = [GenotypeEvidence(kind=kind, values=values, copies=copies) for copies in (2, 0)]
    result = call((seen(0, both[0]), seen(1, both[1])), options(**rate))
    assert result.best_diplotype in {"e2/e4", "e3/e4"}, "e1/e1 is called: of two rare haplotypes"
    assert result.diplotype is None
    assert result.e4_copies is None


def test_no_data_gives_the_prior_and_no_answer():
    result = call((seen(0), seen(1)), options())
    assert list(result.diplotype_posterior.values()) == pytest.approx(list(diplotype_prior("global")))
    assert (result.diplotype, result.e4_status.value) == (None, "indeterminate")


def test_frequencies_of_every_population_sum_to_one():
    for name in [*(population.name for population in populations()), "flat"]:
        assert math.fsum(haplotype_frequencies(name)) == pytest.approx(1)
        assert math.fsum(diplotype_prior(name)) == pytest.approx(1)
        assert min(haplotype_frequencies(name)) > 0, "a zero count is not a zero frequency"
    assert default_population() == "global"


def test_stated_figures_of_the_unphased_double_heterozygote():
    strong = pl(3000, 0, 3000)
    shown = {}
    for name in ("global", "AFR", "YRI", "flat"):
        result = call((seen(0, strong), seen(1, strong)), options(population=name))
        shown[name] = round(result.diplotype_posterior["e2/e4"], 3)
    assert shown == {"global": 0.998, "AFR": 0.983, "YRI": 0.885, "flat": 0.5}


def test_unknown_population_is_a_usage_error():
    with pytest.raises(UsageError, match="population"):
        haplotype_frequencies("Atlantis")


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (GenotypeEvidence(kind=EvidenceKind.PL, values=(0.0, 10.0, 20.0)), (1, 0.1, 0.01)),
        (GenotypeEvidence(kind=EvidenceKind.GL, values=(-4.0, 0.0, -8.0)), (1e-3, 1, 1e-6)),
        (GenotypeEvidence(kind=EvidenceKind.PL, values=(40.0, 0.0, 80.0)), (1e-3, 1, 1e-6)),
        (GenotypeEvidence(kind=EvidenceKind.PL, values=(1.0, 0.0, 2.0)), (10**-0.075, 1, 10**-0.15)),
        (GenotypeEvidence(kind=EvidenceKind.READS, values=(40.0, 0.0, 80.0)), (1e-4, 1, 1e-8)),
        (GenotypeEvidence(kind=EvidenceKind.PL, values=(40.0, 4.0, 0.0)), (1e-4, 10**-0.4, 1)),
        (GenotypeEvidence(kind=EvidenceKind.GP, values=(0.25, 0.5, 0.25)), (0.5, 1, 0.5)),
        (GenotypeEvidence(kind=EvidenceKind.DS, values=(1.0,)), (0.5, 1, 0.5)),
        (GenotypeEvidence(kind=EvidenceKind.GQ, values=(0.0,), copies=1), (1, 1, 1)),
        (GenotypeEvidence(kind=EvidenceKind.GQ, values=(0.0,), copies=0), (1, 1, 1)),
        (GenotypeEvidence(kind=EvidenceKind.ASSUMED, copies=2), (0, 0, 1)),
        (None, (1, 1, 1)),
    ],
)
def test_likelihood_of_each_kind(evidence, expected):
    assert genotype_likelihood(evidence, FLAT, ERROR) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("quality", [1, 3, 10, 20, 60])
@pytest.mark.parametrize("copies", [0, 1, 2])
def test_quality_is_the_probability_of_any_other_genotype(quality, copies):
    evidence = GenotypeEvidence(kind=EvidenceKind.GQ, values=(float(quality),), copies=copies)
    likelihood = genotype_likelihood(evidence, FLAT, ERROR)
    wrong = (sum(likelihood) - likelihood[copies]) / sum(likelihood)
    assert wrong == pytest.approx(min(10 ** (-quality / 10), 2 / 3), rel=1e-6)
    if copies != 1:
        near, far = likelihood[1], likelihood[2 - copies]
        assert far == pytest.approx(near**2), "two alleles away is two errors"


@pytest.mark.parametrize("copies", [0, 1, 2])
def test_a_genotype_of_few_reads_is_less_sure_than_one_of_many(copies):
    def doubt(reads):
        limit = GenotypeEvidence(kind=EvidenceKind.DEPTH, values=(float(reads),), copies=copies)
        evidence = GenotypeEvidence(kind=EvidenceKind.GT, copies=copies, limits=(limit,))
        likelihood = genotype_likelihood(evidence, FLAT, ERROR)
        return sum(likelihood) - likelihood[copies]

    # Of two reads a heterozygote shows one each; of four it may rest on one that is an error.
    doubts = [doubt(reads) for reads in ((1, 4, 10, 30) if copies == 1 else (1, 2, 4, 8, 30))]
    assert doubts == sorted(doubts, reverse=True)
    assert doubts[0] > 0.4


def test_dosage_is_never_rounded():
    for dose in (0.0, 0.51, 1.0, 1.49, 2.0):
        chances = dosage_probabilities(dose)
        assert sum(chances) == pytest.approx(1)
        assert chances[1] + 2 * chances[2] == pytest.approx(dose)
    assert max(dosage_probabilities(1.0)) == 0.5


def phased(order_1, order_2, *, sets=("", ""), quality=None, source=PhaseSource.STATISTICAL):
    strong = pl(3000, 0, 3000)
    return tuple(
        seen(
            index,
            strong,
            alleles=tuple(order),
            phase=Phase(phase_set=sets[index], source=source, quality=quality),
        )
        for index, order in enumerate((order_1, order_2))
    )


@pytest.mark.parametrize("population", ["global", "YRI", "AFR", "flat"])
@pytest.mark.parametrize("threshold", [0.51, 0.99])
@pytest.mark.parametrize("source", list(PhaseSource))
def test_cis_without_a_stated_phase_quality_is_never_determined(population, threshold, source):
    given = options(population=population, min_probability=threshold)
    result = call(phased("TC", "CT", source=source), given)
    assert result.diplotype is None
    assert result.e4_copies is None
    if threshold == 0.99:
        assert result.e4_status.value == "indeterminate"
    assert {"rare-haplotype", "ambiguous-phase"} <= {finding.code for finding in result.findings}


def test_cis_with_a_strong_phase_quality_is_determined():
    result = call(phased("TC", "CT", quality=60.0), options())
    assert (result.diplotype, result.e4_status.value) == ("e1/e3", "non-carrier")
    assert "rare-haplotype" in {finding.code for finding in result.findings}


@pytest.mark.parametrize("population", [population.name for population in populations()])
def test_rare_haplotype_from_genotypes_alone_is_never_determined(population):
    bare = [GenotypeEvidence(kind=EvidenceKind.GT, copies=copies) for copies in range(3)]
    for first, second, status in ((2, 1, "carrier"), (1, 0, "indeterminate"), (2, 0, "indeterminate")):
        shown = (
            seen(0, bare[first], alleles=tuple("T" * (2 - first) + "C" * first)),
            seen(1, bare[second], alleles=tuple("C" * second + "T" * (2 - second))),
        )
        result = call(shown, options(population=population))
        assert result.diplotype is None
        assert result.e4_status.value == status
        assert "rare-haplotype" in {finding.code for finding in result.findings}


def test_reasons_tell_why():
    assert [reason.value for reason in call((seen(0), seen(1)), options()).not_determined_because] == [
        "site-unused"
    ]
    doubt = call((seen(0, pl(3, 0, 3)), seen(1, pl(300, 30, 0))), options())
    assert [reason.value for reason in doubt.not_determined_because] == ["low-certainty"]
    sure = call((seen(0, pl(0, 300, 3000)), seen(1, pl(3000, 300, 0))), options())
    assert sure.not_determined_because == ()
