"""What an estimate says: on people made up from the panel, with one site known, and beside a call."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_up import people
from msgspec.structs import replace

from pgx.calling import CallOptions, diplotype_names, diplotypes
from pgx.calling.call import call
from pgx.genome import definitions
from pgx.neighbours import estimate
from pgx.neighbours.estimate import allows, known, lowest_fit, neighbours_say, opinion
from pgx.neighbours.panel import markers, settings
from pgx.observe import EvidenceKind, GenotypeEvidence, Observation, SiteState

NAMES = list(diplotype_names())
OPTIONS = CallOptions(population="global", min_probability=0.99, allele_error_rate=5e-5)


def observed(site: int, letters: str | None, kind: EvidenceKind = EvidenceKind.GQ) -> Observation:
    """Return a site as read with GQ 60, or without a record."""
    definition = definitions()[site]
    seen = Observation(
        rsid=definition.rsid,
        contig="19",
        position=definition.positions["GRCh37"],
        ref=definition.ref,
        alt=definition.alt,
        state=SiteState.ABSENT if letters is None else SiteState.CALLED,
    )
    if letters is None:
        return seen
    evidence = GenotypeEvidence(
        kind=kind, values=(60.0,) if kind is EvidenceKind.GQ else (), copies=letters.count("C")
    )
    return replace(seen, alleles=(letters[0], letters[1]), evidence=evidence)


def told(genotypes, first: str | None, second: str | None, **kinds: EvidenceKind):
    """Return what the neighbours say beside two sites."""
    observations = (observed(0, first, **kinds), observed(1, second, **kinds))
    return opinion(genotypes, observations, call(observations, OPTIONS))


def letters_of(diplotype: str) -> tuple[str, str]:
    """Return the letters that a diplotype shows at both sites, sorted."""
    pair = diplotypes()[NAMES.index(diplotype)]
    one, other = zip(*(haplotype.letters for haplotype in pair), strict=True)
    return "".join(sorted(one)), "".join(sorted(other))


@pytest.fixture(scope="module")
def crowd():
    return people(160, seed=7)


@pytest.fixture(scope="module")
def posteriors(crowd):
    return np.array([neighbours_say(person.copies).posterior for person in crowd])


def test_a_diplotype_has_both_orders_of_its_haplotypes():
    pairs = [[0.01 * (4 * row + column) for column in range(4)] for row in range(4)]
    found = dict(zip(NAMES, estimate.folded(pairs), strict=True))
    assert found["e1/e1"] == pairs[0][0]
    assert found["e3/e4"] == pytest.approx(pairs[2][3] + pairs[3][2])
    assert sum(found.values()) == pytest.approx(sum(map(sum, pairs)))


def test_people_made_up_from_the_panel_are_told_rightly(crowd, posteriors):
    truth = np.array([NAMES.index(person.diplotype) for person in crowd])
    best, chance = posteriors.argmax(axis=1), posteriors.max(axis=1)
    determined = chance >= 0.99
    assert determined.mean() > 0.9
    assert ((best != truth) & determined).sum() <= 0.01 * determined.sum()
    for haplotype in ("e4", "e2"):
        copies = np.array([name.split("/").count(haplotype) for name in NAMES])
        assert np.corrcoef(posteriors @ copies, copies[truth])[0, 1] ** 2 > 0.95
    assert -np.log(posteriors[np.arange(len(truth)), truth]).mean() < 0.08


@pytest.mark.parametrize("markers_known", [5, 12, 30])
def test_stated_errors_are_those_that_happen(crowd, markers_known: int):
    """The sum of stated errors is, within chance, the number of errors, however few neighbours are known."""
    kept = set(np.random.default_rng(markers_known).permutation(len(markers()))[:markers_known].tolist())
    stated, wrong = 0.0, 0
    for person in crowd:
        seen = tuple(copies if place in kept else None for place, copies in enumerate(person.copies))
        posterior = neighbours_say(seen).posterior
        stated += 1 - max(posterior)
        wrong += NAMES[int(np.argmax(posterior))] != person.diplotype
    assert abs(stated - wrong) < 4 * math.sqrt(stated + 1)


def test_the_fit_bar_keeps_nearly_all_of_them(crowd):
    below = sum(neighbours_say(person.copies).fit < lowest_fit(len(person.copies)) for person in crowd)
    assert below <= 4


def test_somebody_unlike_the_panel_gets_no_estimate():
    rng = np.random.default_rng(1)
    genotypes = tuple(rng.integers(0, 3, len(markers())).tolist())
    found = told(genotypes, None, None)
    assert found.unlike_panel
    assert found.fit < lowest_fit(len(markers()))
    assert found.diplotype is found.diplotype_probability is found.diplotype_posterior is None
    assert found.e4_copies_posterior is found.agrees is found.phase_posterior is None


def test_no_neighbour_no_report():
    assert told((None,) * len(markers()), None, None) is None


def test_an_estimate_is_a_probability_and_names_what_it_used(crowd):
    found = told(crowd[0].copies, None, None)
    assert sum(found.diplotype_posterior.values()) == pytest.approx(1)
    assert sum(found.e4_copies_posterior.values()) == pytest.approx(1)
    assert found.diplotype_probability == max(found.diplotype_posterior.values())
    assert found.diplotype_posterior[found.diplotype] == found.diplotype_probability
    assert (found.markers_known, found.markers_used, found.mode) == (80, 80, "strict")
    assert found.sites_used == ()
    assert found.agrees is None


def test_the_site_that_was_read_counts(crowd):
    """A person with few neighbours and rs429358 read as C/C carries two copies of e4, or of e1."""
    few = tuple(copies if place < 6 else None for place, copies in enumerate(crowd[0].copies))
    found = told(few, "CC", None)
    assert found.sites_used == ("rs429358",)
    assert found.diplotype == "e4/e4"
    assert found.diplotype_posterior["e3/e3"] < 1e-6
    alone = told(few, None, None)
    assert alone.diplotype_posterior["e4/e4"] < found.diplotype_posterior["e4/e4"]


def test_an_assumed_site_is_no_data(crowd):
    """With --absent-sites reference both sites read T/T and C/C; an e4 carrier must still be told."""
    carrier = next(person for person in crowd if person.diplotype == "e3/e4")
    found = told(carrier.copies, "TT", "CC", kind=EvidenceKind.ASSUMED)
    assert found.sites_used == ()
    assert found.diplotype == "e3/e4"
    assert found.agrees is False


def test_a_second_opinion_leaves_both_sites_out(crowd):
    person = next(person for person in crowd if person.diplotype == "e3/e3")
    found = told(person.copies, "CT", "CC")
    assert found.sites_used == ()
    assert found.diplotype == "e3/e3"
    assert found.agrees is False
    assert told(person.copies, "TT", "CC").agrees is True


def test_true_genotypes_are_allowed_and_others_mostly_not(crowd, posteriors):
    alarms = missed = swaps = 0
    for number, person in enumerate(crowd):
        other = crowd[number - 1]
        said = posteriors[number].tolist()
        alarms += not allows(said, [tuple(letters) for letters in letters_of(person.diplotype)])
        if letters_of(other.diplotype) != letters_of(person.diplotype):
            swaps += 1
            missed += allows(said, [tuple(letters) for letters in letters_of(other.diplotype)])
    assert alarms <= 4
    assert missed < 0.1 * swaps


def test_a_rare_genotype_is_no_disagreement_by_itself():
    """Without informative neighbours e2/e2 is improbable as ever, and no reason to warn."""
    one = next(place for place, marker in enumerate(markers()) if marker.rsid == "rs6859")
    posterior = neighbours_say(
        tuple(1 if place == one else None for place in range(len(markers())))
    ).posterior
    assert posterior[NAMES.index("e2/e2")] < settings().disagree_below.value
    assert allows(posterior, [("T", "T"), ("T", "T")])


def test_phase_of_a_double_heterozygote(crowd):
    person = next(person for person in crowd if person.diplotype == "e2/e4")
    found = told(person.copies, "CT", "CT")
    assert set(found.phase_posterior) == {"e1/e3", "e2/e4"}
    assert sum(found.phase_posterior.values()) == pytest.approx(1)
    assert found.phase_posterior["e2/e4"] > 0.99
    assert told(person.copies, "CT", "CC").phase_posterior is None


@pytest.mark.parametrize(
    ("likelihood", "expected"),
    [
        ((1.0, 1e-5, 1e-9), 0),
        ((1e-4, 1.0, 1e-4), 1),
        ((1.0, 0.01, 1e-9), (1.0, 0.01, 1e-9)),
        ((1.0, 1.0, 1.0), None),
    ],
)
def test_a_likelihood_is_a_genotype_where_it_is_sure(likelihood, expected):
    assert known(likelihood) == expected


def test_an_uncertain_neighbour_lies_between_known_and_unknown(crowd):
    """A likelihood that says little must say less than the genotype, and more than nothing."""
    person = next(person for person in crowd if person.diplotype == "e3/e4")
    tag = next(place for place, marker in enumerate(markers()) if marker.rsid == "rs769449")
    only = [None] * len(markers())
    chances = []
    for said in (1, (0.1, 1.0, 0.1), None):
        only[tag] = said
        only[0] = person.copies[0]
        chances.append(neighbours_say(tuple(only)).posterior[NAMES.index("e3/e4")])
    assert chances[0] > chances[1] > chances[2]


def test_equal_genotypes_are_computed_once(crowd, monkeypatch: pytest.MonkeyPatch):
    neighbours_say.cache_clear()
    for _ in range(3):
        told(crowd[1].copies, None, None)
        told(crowd[1].copies, "TT", None)
    assert neighbours_say.cache_info().misses == 1


def test_the_room_needs_no_arrays_until_an_estimate_runs():
    import subprocess
    import sys

    script = (
        "import sys, pgx.neighbours.estimate, pgx.neighbours.panel as p; p.markers(); p.panel();"
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    assert estimate.STRICT == "strict"
