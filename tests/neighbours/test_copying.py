"""The copying model against the same model written out plainly, and what may not change its answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pgx.neighbours.copying import CopyingModel, misread, shipped
from pgx.neighbours.panel import markers, settings

MIDDLE = 5000


def plain_pairs(alleles, counts, positions, emissions):
    """Return pairs and log likelihood: all classes one by one, in double precision, without any shortcut."""
    shares = counts.sum(axis=1) / counts.sum()
    rate, delta = settings().jump_rate.value, settings().label_error.value
    totals = counts.sum(axis=0) + np.where(counts.sum(axis=0) == 0, settings().unseen_copies.value, 0)
    labels = (1 - delta) * counts / counts.sum(axis=1)[:, None] + delta * totals / totals.sum()
    prior = np.outer(shares, shares)
    joint = np.ones_like(prior)
    left = [number for number in range(len(positions)) if positions[number] < MIDDLE]
    right = [number for number in range(len(positions)) if positions[number] >= MIDDLE][::-1]
    for order in (left, right):
        if not order:
            continue
        walk = prior.copy()
        for step, number in enumerate(order):
            if step:
                walk = move(walk, shares, rate * abs(positions[number] - positions[order[step - 1]]))
            both = alleles[:, number][:, None] + alleles[:, number][None, :]
            walk = walk * emissions[number][both]
        joint = joint * move(walk, shares, rate * abs(positions[order[-1]] - MIDDLE)) / prior
    joint = joint * prior
    found = labels.T @ joint @ labels
    return found / found.sum(), math.log(found.sum())


def move(walk, shares, distance):
    """Return the joint after each haplotype stayed or jumped, as a product of two transition matrices."""
    jump = 1 - math.exp(-distance)
    step = (1 - jump) * np.eye(len(shares)) + jump * np.tile(shares, (len(shares), 1))
    return step.T @ walk @ step


def a_panel(seed, classes=12, length=9):
    rng = np.random.default_rng(seed)
    alleles = np.unique(rng.integers(0, 2, (classes, length)).astype(np.uint8), axis=0)
    counts = rng.integers(0, 9, (len(alleles), 4))
    counts[:, 0] = 0
    counts[:, 2] += 2
    positions = np.sort(rng.choice(np.arange(1, 10000, 7), length, replace=False))
    return alleles, counts, positions


def some_genotypes(seed, length):
    rng = np.random.default_rng(seed + 1000)
    rows = np.vstack([misread(), np.ones(3)])
    emissions = rows[rng.integers(0, 4, length)]
    emissions[0] = rng.random(3)  # a likelihood that is no genotype
    return emissions


@pytest.mark.parametrize("seed", range(12))
def test_the_model_is_the_plain_one(seed: int):
    alleles, counts, positions = a_panel(seed)
    emissions = some_genotypes(seed, len(positions))
    pairs, fit = CopyingModel(alleles, counts, positions, MIDDLE).pairs(emissions)
    expected, likelihood = plain_pairs(alleles, counts, positions, emissions)
    np.testing.assert_allclose(pairs, expected, rtol=2e-4, atol=1e-9)
    assert fit == pytest.approx(likelihood, abs=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
def test_markers_on_one_side_only(side: str):
    alleles, counts, positions = a_panel(3)
    positions = positions % 4000 + (0 if side == "left" else 5500)
    positions = np.sort(positions)
    emissions = some_genotypes(3, len(positions))
    pairs, _ = CopyingModel(alleles, counts, positions, MIDDLE).pairs(emissions)
    np.testing.assert_allclose(
        pairs, plain_pairs(alleles, counts, positions, emissions)[0], rtol=2e-4, atol=1e-9
    )


def test_an_unknown_marker_is_as_good_as_none():
    alleles, counts, positions = a_panel(5)
    emissions = some_genotypes(5, len(positions))
    emissions[4] = 1
    kept = np.arange(len(positions)) != 4
    merged, number = np.unique(alleles[:, kept], axis=0, return_inverse=True)
    together = np.zeros((len(merged), 4), int)
    np.add.at(together, number.ravel(), counts)
    whole, fit = CopyingModel(alleles, counts, positions, MIDDLE).pairs(emissions)
    less, other = CopyingModel(merged, together, positions[kept], MIDDLE).pairs(emissions[kept])
    np.testing.assert_allclose(whole, less, rtol=1e-2, atol=1e-4)  # labels of merged classes are mixed
    assert fit == pytest.approx(other, abs=1e-3)


def test_the_order_of_classes_does_not_matter():
    alleles, counts, positions = a_panel(6)
    emissions = some_genotypes(6, len(positions))
    order = np.random.default_rng(0).permutation(len(alleles))
    one, _ = CopyingModel(alleles, counts, positions, MIDDLE).pairs(emissions)
    other, _ = CopyingModel(alleles[order], counts[order], positions, MIDDLE).pairs(emissions)
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-9)


def test_without_markers_the_panel_alone_speaks():
    pairs, fit = shipped(()).pairs(np.ones((0, 3)))
    assert fit == 0
    assert pairs.sum() == pytest.approx(1)
    np.testing.assert_allclose(pairs, np.outer(pairs.sum(axis=1), pairs.sum(axis=0)))


def test_misreading_keeps_probabilities():
    table = misread()
    np.testing.assert_allclose(table.sum(axis=0), 1)
    assert table[0, 1] == pytest.approx(table[2, 1])
    assert table[1, 1] >= table[0, 0] == table[2, 2] > 0.99


def test_what_the_model_says_is_a_probability_for_every_marker_known():
    rows = np.vstack([misread(), np.ones(3)])
    rng = np.random.default_rng(2)
    model = shipped(tuple(range(len(markers()))))
    for _ in range(5):
        pairs, fit = model.pairs(rows[rng.integers(0, 4, len(markers()))])  # unlike anybody
        assert np.isfinite(fit)
        assert pairs.sum() == pytest.approx(1, abs=1e-6)
        assert (pairs >= 0).all()
