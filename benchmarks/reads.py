"""How often reads settle a diplotype, and how often they are wrong, on people whose haplotypes are known.

    python -m benchmarks.reads [--people 400] [--jobs 2] [--seed 1]

People are drawn by the global haplotype frequencies, contaminating people too, `--people` a row. Each
person's reads are simulated (tests/reads/simulate.py) and called as `pgx annotate sample.bam` does, short
of writing the file. A row counts the people whose diplotype is determined at 0.99, and those of them that
are wrong; double heterozygotes have rows of their own, in which "settled" is odds above 100 for the right
phase from the reads alone.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pgx.calling import default_population, diplotype_name, diplotype_prior, diplotypes, haplotype_frequencies
from pgx.genome import find_assembly, haplotypes, sites_on
from pgx.reads import pile_up
from pgx.reads.observe import joint_likelihood
from tests.reads.simulate import LONG, SHORT, SHORT_100, Library, plain_reads, simulate

LIBRARIES = {
    "2x150": SHORT,
    "2x150 damage 5 %": replace(SHORT, damage=0.05),
    "2x150 contamination 5 %": replace(SHORT, contamination=0.05),
    "2x150 both": replace(SHORT, damage=0.05, contamination=0.05),
    "2x100": SHORT_100,
    "long": LONG,
}
DEPTHS = (1, 2, 4, 8, 15, 30, 40)
_NAMES = [diplotype_name(pair) for pair in diplotypes()]
_BINS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0001)
Outcome = tuple[
    str, float, str, str, float, bool
]  # library, depth, truth, call, its posterior, phase settled


def draw(dice: random.Random) -> str:
    names = [haplotype.name for haplotype in haplotypes()]
    pair = dice.choices(names, weights=haplotype_frequencies(default_population()), k=2)
    return "/".join(sorted(pair))


def outcome(task: tuple[str, Library, str, str, int]) -> Outcome:
    name, library, truth, other, seed = task
    positions = [site.position for site in sites_on(find_assembly("GRCh38"))]
    pile = pile_up(plain_reads(simulate(truth, library, seed, other)), positions, {})
    joint = joint_likelihood(pile.templates, pile.tally, default_population())
    weights = [p * q for p, q in zip(joint.likelihood, diplotype_prior(default_population()), strict=True)]
    best = max(range(len(weights)), key=weights.__getitem__)
    chances = dict(zip(_NAMES, joint.likelihood, strict=True))
    other = {"e2/e4": "e1/e3", "e1/e3": "e2/e4"}.get(truth, truth)
    settled = chances[truth] > 100 * chances[other]
    return name, library.depth, truth, _NAMES[best], weights[best] / sum(weights), settled


def tasks(
    people: int, seed: int, libraries: list[str], depths: tuple[int, ...] = DEPTHS
) -> Iterator[tuple[str, Library, str, str, int]]:
    dice = random.Random(seed)
    for name in libraries:
        for depth in depths:
            for _ in range(people):
                library = replace(LIBRARIES[name], depth=depth)
                yield name, library, draw(dice), draw(dice), dice.randrange(1 << 40)
    for name in libraries:
        for truth in ("e2/e4", "e1/e3"):
            for _ in range(people):
                yield f"{name}, {truth}", LIBRARIES[name], truth, draw(dice), dice.randrange(1 << 40)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--library", action="append", choices=list(LIBRARIES))
    parser.add_argument("--heterozygotes", action="store_true", help="double heterozygotes at 30x alone")
    options = parser.parse_args()
    libraries = options.library or list(LIBRARIES)
    wanted = tasks(options.people, options.seed, libraries, () if options.heterozygotes else DEPTHS)
    with ProcessPoolExecutor(options.jobs) as pool:
        results = list(pool.map(outcome, wanted, chunksize=20))
    groups: dict[tuple[str, float], list[Outcome]] = {}
    for item in results:
        groups.setdefault((item[0], item[1]), []).append(item)
    print(f"{'library':32} depth  people  determined  wrong  settled")
    for (name, depth), items in groups.items():
        known = [item for item in items if item[4] >= 0.99]
        wrong = sum(item[2] != item[3] for item in known)
        settled = f"{sum(item[5] for item in items) / len(items):.1%}" if "," in name else ""
        print(f"{name:32} {depth:5g} {len(items):7} {len(known) / len(items):10.1%} {wrong:6}  {settled}")
    print(f"\n{'library':32} determined  wrong  share")
    for name in libraries:
        known = [item for item in results if item[0] == name and item[4] >= 0.99]
        wrong = sum(item[2] != item[3] for item in known)
        print(f"{name:32} {len(known):10} {wrong:6} {wrong / max(1, len(known)):.2%}")
    print("\nposterior         people  mean posterior  right")
    drawn = [item for item in results if item[0] in libraries]
    for low, high in itertools.pairwise(_BINS):
        items = [item for item in drawn if low <= item[4] < high]
        if items:
            mean = sum(item[4] for item in items) / len(items)
            right = sum(item[2] == item[3] for item in items) / len(items)
            print(f"{low:.3f} to {min(high, 1):.3f}    {len(items):6} {mean:14.4f} {right:8.4f}")


if __name__ == "__main__":
    main()
