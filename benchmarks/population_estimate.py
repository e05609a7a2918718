"""Frequencies that a cohort estimates from itself, at 1000 Genomes thinned to 4x: how good they are.

    python benchmarks/population_estimate.py            a minute; prints the tables of docs/cohort.md
    python benchmarks/population_estimate.py --quick    seconds
    python benchmarks/population_estimate.py --time     also half a million people, with and without

Reads are drawn from the true genotypes of the 2,504 people (Poisson depth, base errors of 0.1 and 1 %), PL
comes from the reads, and the log loss is that of the true diplotype among ten, called as pgx calls it.
Nobody's own reads count in the frequencies that they are scored under. A further table draws the people, too,
from the frequencies that ship: what a group of this size can show at all. Needs ../shared/data; the same seed
gives the same numbers. Exit code 1 when a requirement does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import itertools
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgx.calling import (
    copies_at,
    diplotype_names,
    diplotype_prior,
    diplotypes,
    estimation,
    haplotype_frequencies,
)
from pgx.calling.likelihood import phred_likelihood
from pgx.cohort.summary.statistics import wilson
from pgx.genome import haplotypes
from pgx.reference import threshold

TRUTH = Path(__file__).resolve().parents[2] / "shared/data/truth/1kgp3_apoe_truth.tsv"
SEED, DEPTH, ERRORS, FOLDS = 20261126, 4.0, (0.001, 0.01), 10
GROUPS = ("AFR", "AMR", "EAS", "EUR", "SAS")
#: Populations far from the mean, on which a prior that is too heavy shows.
FAR = ("LWK", "PEL", "KHV", "GIH")
SHIPPED = (*GROUPS, "global", "flat")
SIZES, WEIGHTS = (10, 20, 30, 50, 100), (2.0, 5.0, 10.0, 20.0, 40.0)
MOST_EXCESS = 0.03  # nats above the group's own shipped population
FRESH = 200_000  # people drawn from shipped frequencies on whom an expected difference is measured
Floats = NDArray[np.float64]


class People(NamedTuple):
    """The people of 1000 Genomes: index of the true diplotype, population and superpopulation."""

    true: NDArray[np.int64]
    population: NDArray[np.str_]
    group: NDArray[np.str_]

    def of(self, name: str) -> NDArray[np.intp]:
        """Return who belongs to a population or superpopulation."""
        return np.flatnonzero((self.population == name) | (self.group == name))


class Reads(NamedTuple):
    """Likelihoods of the ten diplotypes, shape (n, 10): as calls take them, and as an estimate does."""

    call: Floats
    plain: Floats

    def of(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Reads:
        """Return the same of some people."""
        return Reads(self.call[rows], self.plain[rows])


def people() -> People:
    """Return everybody."""
    with TRUTH.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    names = diplotype_names()
    return People(
        np.array([names.index(row["diplotype_phased"]) for row in rows]),
        np.array([row["pop"] for row in rows]),
        np.array([row["super_pop"] for row in rows]),
    )


def drawn(
    true: NDArray[np.int64],
    error: float,
    dice: np.random.Generator,
    depth: float = DEPTH,
    others: tuple[float, NDArray[np.int64] | None] = (0.0, None),
) -> Reads:
    """Return what whole PL of drawn reads say; `others`: a share of the reads, and the people they are of."""
    found = Reads(np.ones((len(true), len(diplotypes()))), np.ones((len(true), len(diplotypes()))))
    shares = np.array([error, 0.5, 1 - error])
    share, people_of_these = others
    for site in (0, 1):
        copies = np.array(copies_at(site))
        reads = dice.poisson(depth, len(true))
        chance = shares[copies[true]]
        if people_of_these is not None:
            chance = (1 - share) * chance + share * shares[copies[people_of_these]]
        seen = dice.binomial(reads, chance)
        phred = np.rint(
            -10 * np.stack([seen * np.log10(p) + (reads - seen) * np.log10(1 - p) for p in shares])
        )
        phred -= phred.min(axis=0)
        different, places = np.unique(phred, axis=1, return_inverse=True)
        for place, stray_share in enumerate((None, 1.0)):
            given = np.array([phred_likelihood(three, stray_share) for three in different.T.tolist()])
            found[place][:] *= given[places.ravel()][:, copies]
    return found


def shares_of(frequencies: Sequence[float]) -> Floats:
    """Return the Hardy-Weinberg probabilities of the ten diplotypes."""
    known = {item.name: share for item, share in zip(haplotypes(), frequencies, strict=True)}
    return np.array([known[a.name] * known[b.name] * (1 if a == b else 2) for a, b in diplotypes()])


def losses(likelihoods: Floats, prior: Floats, true: NDArray[np.int64]) -> Floats:
    """Return the log loss of each person, in nats."""
    weights = likelihoods * prior
    return -np.log(weights[np.arange(len(true)), true] / weights.sum(axis=1))


def estimated(reads: Reads) -> estimation.Estimate:
    """Return what pgx estimates of people, one by one."""
    return estimation.estimate(reads.plain, np.ones(len(reads.plain), dtype=np.int64))


def held_out(reads: Reads, true: NDArray[np.int64], dice: np.random.Generator) -> Floats:
    """Return the log loss of each person of a group under the frequencies of the other folds."""
    fold = dice.permutation(len(true)) % FOLDS
    found = np.empty(len(true))
    for number in range(FOLDS):
        own = fold == number
        prior = shares_of(estimated(reads.of(~own)).frequencies)
        found[own] = losses(reads.call[own], prior, true[own])
    return found


def by_prior(everybody: People, draws: int) -> dict[str, dict[str, Floats]]:
    """Return the log loss of each person of a group, mean of the draws, under estimate and shipped ones."""
    found: dict[str, dict[str, Floats]] = {}
    dice = np.random.default_rng(SEED)
    for number in range(draws):
        reads = drawn(everybody.true, ERRORS[number % len(ERRORS)], dice)
        for group in GROUPS:
            rows = everybody.of(group)
            own, true, sums = reads.of(rows), everybody.true[rows], found.setdefault(group, {})
            sums["estimate"] = sums.get("estimate", 0) + held_out(own, true, dice) / draws
            for name in SHIPPED:
                loss = losses(own.call, np.array(diplotype_prior(name)), true)
                sums[name] = sums.get(name, 0) + loss / draws
    return found


def expected(
    everybody: People, draws: int, fresh: int = FRESH, *, cautious: bool = True
) -> dict[str, dict[str, float]]:
    """Return what is expected above the true frequencies: of an estimate by each group, and of shipped ones.

    People are drawn from a group's shipped frequencies, as many for the estimate as nine folds have; the log
    loss is that of others, called as pgx does, or without its caution.
    """
    dice, found = np.random.default_rng(SEED), {}
    for group in GROUPS:
        truth = np.array(diplotype_prior(group)) / sum(diplotype_prior(group))
        size, others = len(everybody.of(group)) * (FOLDS - 1) // FOLDS, dice.choice(10, fresh, p=truth)
        sums = dict.fromkeys(("estimate", *SHIPPED), 0.0)
        for error in ERRORS:
            reads = drawn(others, error, dice)
            calls = reads.call if cautious else reads.plain
            least = losses(calls, truth, others)
            tried = [(name, np.array(diplotype_prior(name)), 1) for name in SHIPPED]
            for _ in range(draws):
                some = drawn(dice.choice(10, size, p=truth), error, dice)
                tried.append(("estimate", shares_of(estimated(some).frequencies), draws))
            for name, prior, times in tried:
                sums[name] += float((losses(calls, prior, others) - least).mean()) / times / len(ERRORS)
        found[group] = sums
    return found


@contextlib.contextmanager
def prior_of(weight: float, centre: Sequence[float] | None = None) -> Iterator[None]:
    """Estimate with another weight of the prior, and around other frequencies than `global`."""
    shipped = estimation._prior
    own = shipped()
    given = own.centre if centre is None else np.array(centre)
    estimation._prior = lambda: type(own)(given, weight, own.rare, own.rare_weight)  # type: ignore[assignment]
    try:
        yield
    finally:
        estimation._prior = shipped


def by_size(
    everybody: People, draws: int, sizes: Sequence[int], weights: Sequence[float]
) -> dict[tuple[float, int], list[Floats]]:
    """Return the excess over the own shipped population for each weight and size: by group, of all draws."""
    found: dict[tuple[float, int], list[Floats]] = {}
    for value in weights:
        for size in sizes:
            dice = np.random.default_rng(SEED + size)  # the same people and reads for every weight
            rows = []
            for name in (*GROUPS, *FAR):
                own, excess = everybody.of(name), np.empty(draws)
                if size > 0.8 * len(own):
                    continue
                prior = np.array(diplotype_prior(name))
                for number in range(draws):
                    reads = drawn(everybody.true, ERRORS[number % len(ERRORS)], dice)
                    order = dice.permutation(own)
                    some, rest = order[:size], order[size:]
                    with prior_of(value):
                        new = shares_of(estimated(reads.of(some)).frequencies)
                    true, calls = everybody.true[rest], reads.call[rest]
                    excess[number] = (losses(calls, new, true) - losses(calls, prior, true)).mean()
                rows.append(excess)
            found[value, size] = rows
    return found


def by_centre(everybody: People, draws: int, size: int) -> dict[tuple[str, float], float]:
    """Return the mean excess of groups of one cohort, whose prior is `global` or all groups together.

    The groups are the populations of a superpopulation, `size` people of each.
    """
    found: dict[tuple[str, float], list[float]] = {}
    dice = np.random.default_rng(SEED)
    for number in range(draws):
        reads = drawn(everybody.true, ERRORS[number % len(ERRORS)], dice)
        for group in GROUPS:
            names = sorted(set(everybody.population[everybody.of(group)].tolist()))
            orders = {name: dice.permutation(everybody.of(name)) for name in names}
            some = np.concatenate([order[:size] for order in orders.values()])
            pooled = estimated(reads.of(some)).frequencies
            for name, order in orders.items():
                true, calls = everybody.true[order[size:]], reads.call[order[size:]]
                least = losses(calls, np.array(diplotype_prior(name)), true)
                for centre, value in itertools.product(("global", "pooled"), (*WEIGHTS, 2 * WEIGHTS[-1])):
                    with prior_of(value, pooled if centre == "pooled" else None):
                        new = shares_of(estimated(reads.of(order[:size])).frequencies)
                    excess = float((losses(calls, new, true) - least).mean())
                    found.setdefault((centre, value), []).append(excess)
    return {key: statistics.fmean(values) for key, values in found.items()}


def covered(draws: int, size: int) -> dict[str, float]:
    """Return how often 95 % intervals hold the truth; people are drawn from shipped populations."""
    dice = np.random.default_rng(SEED)
    inside: dict[str, list[bool]] = {}
    for number in range(draws):
        truth = haplotype_frequencies(GROUPS[number % len(GROUPS)])
        true = dice.choice(len(diplotypes()), size, p=shares_of(truth))
        found = estimated(drawn(true, ERRORS[number % len(ERRORS)], dice))
        for item, share, wanted, worth in zip(
            haplotypes(), found.frequencies, truth, found.worth, strict=True
        ):
            low, high = wilson(share * worth, worth)
            inside.setdefault(item.name, []).append(low <= wanted <= high)
    return {name: statistics.fmean(values) for name, values in inside.items()}


def shifts(everybody: People, draws: int, depth: float, share: float) -> dict[str, tuple[float, float]]:
    """Return the least and the greatest of the groups' mean estimates over what was counted of them.

    `share` of the reads are of another person of the group.
    """
    dice = np.random.default_rng(SEED)
    ratios = np.empty((draws, len(GROUPS), len(haplotypes())))
    for number in range(draws):
        for place, group in enumerate(GROUPS):
            true = everybody.true[everybody.of(group)]
            others = (share, dice.permutation(true))
            found = estimated(drawn(true, ERRORS[number % len(ERRORS)], dice, depth, others)).frequencies
            ratios[number, place] = np.array(found) / np.array(haplotype_frequencies(group))
    means = ratios.mean(axis=0)
    return {
        item.name: (float(m.min()), float(m.max())) for item, m in zip(haplotypes(), means.T, strict=True)
    }


def seconds(rounds: int) -> None:
    """Print processor and clock time of half a million people, with and without an estimate."""
    from bench_cohort import biobank  # noqa: PLC0415 - needs bcftools

    with tempfile.TemporaryDirectory(prefix="pgx-bench-") as name:
        path, _ = biobank(Path(name), 500_000)
        for population in ("global", "estimate"):
            clock, work = [], []
            for number in range(rounds):
                command = [sys.executable, "-m", "pgx", "cohort", str(path), "--population", population]
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                took = _timed([*command, "-o", f"{name}/{population}{number}"])
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                clock.append(took)
                work.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            print(
                f"500,000 people, {population}: {statistics.median(clock):.2f} s,"
                f" {statistics.median(work):.2f} s of processor time (medians of {rounds})"
            )


def _timed(command: Sequence[str]) -> float:
    import time  # noqa: PLC0415

    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def _log_losses(everybody: People, *, quick: bool) -> bool:
    """Print log losses, and what can be expected of them; return whether they are what is wanted."""
    held = True
    names = ("estimate", *SHIPPED)
    print(f"Log loss in nats, held out by person ({FOLDS} folds), mean depth {DEPTH:g}")
    print("| group | people | " + " | ".join(names) + " |")
    measured = by_prior(everybody, 4 if quick else 40)
    for group, found in measured.items():
        print(
            f"| {group} | {len(found[group])} | " + " | ".join(f"{found[n].mean():.4f}" for n in names) + " |"
        )
    print("The same above the own one that ships, with its standard error (people drawn anew)")
    for group, found in measured.items():
        cells = [_difference(found[name] - found[group]) for name in names]
        print(f"| {group} | " + " | ".join(cells) + " |")
        held &= float((found["estimate"] - found[group]).mean()) <= MOST_EXCESS
    print("Expected above the true frequencies, were people drawn from what ships for their group")
    for group, sums in expected(everybody, 10 if quick else 200).items():
        print(f"| {group} | " + " | ".join(f"{sums[name]:+.5f}" for name in names) + " |")
        found, wrong = measured[group], [name for name in SHIPPED if name != group]
        # calls are cautious beyond their likelihoods: a wrong prior may be better than the truth itself
        held &= all(sums[name] > sums["estimate"] or sums[name] < 0 for name in wrong)
        for name in (name for name in wrong if found[name].mean() <= found["estimate"].mean()):
            gap = found["estimate"] - found[name]
            print(f"  {group}: {name} is not above the estimate, which is {_difference(gap)} above it")
            held &= sums[name] < 0 or float(gap.mean()) <= 2 * _error(gap)
    print("The same, were likelihoods not discounted for a few reads of another person")
    for group, sums in expected(everybody, 10 if quick else 200, cautious=False).items():
        print(f"| {group} | " + " | ".join(f"{sums[name]:+.5f}" for name in names) + " |")
    return held


def _error(values: Floats) -> float:
    return float(values.std(ddof=1)) / len(values) ** 0.5


def _difference(values: Floats) -> str:
    return f"{values.mean():+.4f} ({_error(values):.4f})"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--time", action="store_true")
    asked = options.parse_args()
    if not TRUTH.exists():
        print(f"there is no {TRUTH.name}: nothing to measure against")
        return 0
    everybody = people()
    held = _log_losses(everybody, quick=asked.quick)
    draws, sizes, weights = (6, SIZES[3:4], WEIGHTS[2:3]) if asked.quick else (200, SIZES, WEIGHTS)
    print(
        "Excess by size of the group: mean, and that which one draw in ten exceeds in the worst of all groups"
    )
    print("| weight of the prior | " + " | ".join(map(str, sizes)) + " |")
    table = by_size(everybody, draws, sizes, weights)
    for value in weights:
        cells = [table[value, size] for size in sizes]
        print(
            f"| {value:g} | "
            + " | ".join(
                f"{np.concatenate(rows).mean():.3f}, {max(np.quantile(row, 0.9) for row in rows):.3f}"
                for rows in cells
            )
            + " |"
        )
    print("Groups of 50 in one cohort, mean excess by centre and weight of the prior")
    for (centre, value), excess in by_centre(everybody, 2 if asked.quick else 40, 50).items():
        print(f"{centre}, {value:g}: {excess:.4f}")
    least, chosen = int(threshold("estimate_min_people")), threshold("estimate_prior_weight")
    held &= asked.quick or max(np.quantile(row, 0.9) for row in table[chosen, least]) <= MOST_EXCESS
    for size in (least, 200):
        shares = covered(100 if asked.quick else 1000, size)
        print(f"95 % intervals that hold the truth, {size} people: {shares}")
    print("Estimate over what was counted, least and greatest of the groups")
    for depth, share in ((DEPTH, 0.0), (DEPTH, 0.01), (DEPTH, 0.03), (10.0, 0.03), (20.0, 0.03)):
        found = shifts(everybody, 4 if asked.quick else 100, depth, share)
        shown = "; ".join(
            f"{name} {low:.3f} to {high:.3f}" for name, (low, high) in found.items() if name != "e1"
        )
        print(f"depth {depth:g}, {share:.0%} of the reads of another person: {shown}")
    if asked.time:
        seconds(5)
    print("all requirements hold" if held else "A REQUIREMENT DOES NOT HOLD")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
