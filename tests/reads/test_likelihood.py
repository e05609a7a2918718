"""The likelihood of ten diplotypes: by hand, by a second writing of the model, and on simulated people."""

import itertools
import math
import random
from dataclasses import replace

import pytest

from pgx.calling import (
    copies_at,
    default_population,
    diplotype_name,
    diplotype_prior,
    diplotypes,
    haplotype_frequencies,
)
from pgx.genome import haplotypes
from pgx.reads import Base, Tally, Template, facts, pile_up
from pgx.reads.observe import joint_likelihood, site_likelihood
from tests.reads.simulate import LONG, SHORT, SHORT_100, plain_reads, simulate

NAMES = [diplotype_name(pair) for pair in diplotypes()]


def tally(damaged=(0,) * 4, exposed=(100_000,) * 4, wrong=0, compared=400_000):
    return Tally(list(damaged), list(exposed), wrong, compared)


def template(shown, *, quality=37, mapping=60, reverse=False):
    bases = [None if letter == "." else Base(letter, quality, reverse, False) for letter in shown]
    return Template((bases[0], bases[1]), min(mapping, 40))


def joint_of(shown, **other):
    made = [template(text) for text in shown]
    return dict(
        zip(NAMES, joint_likelihood(made, tally(**other), default_population()).likelihood, strict=True)
    )


def posterior(joint):
    weights = [p * q for p, q in zip(joint.likelihood, diplotype_prior(default_population()), strict=True)]
    return dict(zip(NAMES, (weight / sum(weights) for weight in weights), strict=True))


def called(diplotype, library, seed, other="e3/e3"):
    pieces = plain_reads(simulate(diplotype, library, seed, other))
    pile = pile_up(pieces, [44908684, 44908822], {})
    joint = joint_likelihood(pile.templates, pile.tally, default_population())
    chances = posterior(joint)
    best = max(chances, key=chances.get)
    return best, chances[best], joint


def test_no_templates_say_nothing():
    assert set(joint_of([]).values()) == {1.0}


def test_templates_with_both_sites_tell_the_phase():
    cis = joint_of(["TT"] * 4 + ["CC"] * 4)
    trans = joint_of(["TC"] * 4 + ["CT"] * 4)
    assert cis["e2/e4"] == 1.0
    assert cis["e1/e3"] < 1e-6
    assert trans["e1/e3"] == 1.0
    assert trans["e2/e4"] < 1e-6


def test_templates_with_one_site_do_not_tell_the_phase():
    joint = joint_of(["T.", "C.", ".T", ".C"] * 5)
    assert joint["e2/e4"] == pytest.approx(joint["e1/e3"], rel=1e-9)
    assert joint["e2/e4"] > 0.99


def test_one_template_over_both_sites_cannot_settle_phase_alone():
    """It may be made of two molecules: the odds stay within what `chimera_rate` allows."""
    joint = joint_of(["TT"])
    assert joint["e1/e3"] / joint["e2/e4"] > facts().chimera_rate.value / 2


def test_against_a_second_writing_of_the_model():
    """The sum over shares, people and haplotypes, written out without any of the room's short cuts."""
    dice = random.Random(3)
    texts = ["".join(dice.choice("TC.") for _ in range(2)) for _ in range(9)]
    texts = [text for text in texts if text != ".."]
    damage, error = 0.05, (1 + 0.5) / (1000 + 1000)
    exposed = 10_000_000  # so many that the share is known, and not integrated over
    got = joint_of(texts, damaged=[500_000] * 4, exposed=[exposed] * 4, wrong=1, compared=1000)
    chimera, lost = facts().chimera_rate.value, 10 ** (-40 / 10)

    def base(letter, truth):
        wrong = max(10**-3.7, error)
        as_t = wrong + (1 - wrong) * damage
        if truth == "T":
            return 1 - wrong if letter == "T" else wrong
        return as_t if letter == "T" else 1 - as_t

    def chance(text, pair):
        seen = [(site, letter) for site, letter in enumerate(text) if letter != "."]
        straight = sum(math.prod(base(letter, h.letters[site]) for site, letter in seen) for h in pair) / 2
        crossed = math.prod(sum(base(letter, h.letters[site]) for h in pair) / 2 for site, letter in seen)
        return (1 - lost) * ((1 - chimera) * straight + chimera * crossed) + lost * 0.5 ** len(seen)

    shares = facts().contamination
    expected = []
    for pair in diplotypes():
        total = 0.0
        for share, weight in zip(shares.shares, shares.weights, strict=True):
            for prior, other in zip(diplotype_prior(default_population()), diplotypes(), strict=True):
                reads = math.prod((1 - share) * chance(t, pair) + share * chance(t, other) for t in texts)
                total += weight * prior * reads
        expected.append(total)
    for name, value in zip(NAMES, expected, strict=True):
        assert got[name] == pytest.approx(value / max(expected), rel=2e-3)


def test_damage_takes_the_weight_from_t_where_it_can_arise():
    """Beside C, a few T of forward reads are damage; of reverse reads, which show none elsewhere, not."""
    worn = {"damaged": [10_000, 0, 0, 0], "exposed": [100_000] * 4}
    forward = [template("C.")] * 9 + [template("T.")]
    reverse = [template("C.", reverse=True)] * 9 + [template("T.", reverse=True)]
    ratios = []
    for reads in (forward, reverse):
        joint = joint_likelihood(reads, tally(**worn), default_population()).likelihood
        _, one, two = site_likelihood(joint, copies_at(0))
        ratios.append(two / one)
    assert ratios[0] > 5 * ratios[1]


def test_what_the_slice_cannot_show_is_integrated_over():
    """Without any other bases a T beside C may be damage; with many undamaged ones hardly."""
    reads = [template("C.")] * 7 + [template("T.")]
    open_, closed = (
        site_likelihood(joint_likelihood(reads, counts, default_population()).likelihood, copies_at(0))
        for counts in (tally(exposed=[0] * 4, compared=0), tally())
    )
    assert open_[2] / open_[1] > 1.5 * closed[2] / closed[1]


def test_contamination_is_noticed_where_it_shows():
    pure = joint_likelihood([template("TC")] * 60, tally(), default_population())
    mixed = joint_likelihood([template("TC")] * 54 + [template("CC")] * 6, tally(), default_population())
    assert mixed.contamination.low >= 0.01
    assert pure.contamination.low == 0
    assert max(posterior(mixed), key=posterior(mixed).get) == "e3/e3"


def test_poor_qualities_say_less():
    sure = joint_likelihood([template("TC", quality=37)] * 6, tally(), default_population())
    poor = joint_likelihood([template("TC", quality=10)] * 6, tally(), default_population())
    lost = joint_likelihood([template("TC", mapping=10)] * 6, tally(), default_population())
    best = [posterior(joint)["e3/e3"] for joint in (sure, poor, lost)]
    assert best[0] > best[1]
    assert best[0] > best[2]


def test_mismatches_of_the_slice_limit_stated_qualities():
    """Qualities of 40 in a file in which one base in ten differs are not believed."""
    believed, not_believed = (
        site_likelihood(
            joint_likelihood([template("T.", quality=40)] * 5 + [template("C.", quality=40)], counts,
                             default_population()).likelihood,
            copies_at(0),
        )
        for counts in (tally(), tally(wrong=100_000, compared=1_000_000))
    )  # fmt: skip
    assert not_believed[0] > 5 * believed[0]


def test_site_likelihood_is_the_mean_over_diplotypes():
    values = [1.0 if name == "e3/e4" else 0.0 for name in NAMES]
    zero, one, two = site_likelihood(values, copies_at(0))
    assert (zero, one, two) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_every_diplotype_is_found(name):
    best, chance, _ = called(name, replace(SHORT, depth=40), 5)
    assert best == name
    assert chance > 0.5


def test_double_heterozygotes_are_settled():
    """At 30x with pairs of 150 the phase has odds of 100 in most; benchmarks/reads.py counts more people."""
    settled = 0
    for seed in range(60):
        _, _, joint = called("e2/e4" if seed % 2 else "e1/e3", SHORT, seed)
        chances = dict(zip(NAMES, joint.likelihood, strict=True))
        ahead = chances["e2/e4"] / chances["e1/e3"]
        settled += (ahead if seed % 2 else 1 / ahead) > 100
    assert settled >= 58


CONDITIONS = {
    "clean": SHORT,
    "damage": replace(SHORT, damage=0.05),
    "contamination": replace(SHORT, contamination=0.05),
    "2x100": SHORT_100,
    "long": LONG,
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_what_is_determined_is_right(name):
    """Of 84 people at 1 to 40x nobody is determined wrongly."""
    dice = random.Random(name)
    names = [haplotype.name for haplotype in haplotypes()]
    weights = haplotype_frequencies(default_population())
    determined, right, expected = 0, 0, 0.0
    for depth, seed in itertools.product((1, 2, 4, 8, 15, 30, 40), range(12)):
        truth = "/".join(sorted(dice.choices(names, weights, k=2)))
        other = "/".join(sorted(dice.choices(names, weights, k=2)))
        best, chance, _ = called(truth, replace(CONDITIONS[name], depth=depth), seed, other)
        expected += chance
        right += best == truth
        if chance >= 0.99:
            determined += 1
            assert best == truth
    assert determined >= 20
    assert abs(right - expected) < 3 * math.sqrt(84 * 0.15 * 0.85)
