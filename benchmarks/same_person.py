"""Can `pgx verify` tell two people apart, and does it leave one person together? 1000 Genomes, five folds.

    python benchmarks/same_person.py [--share N] [--region VCF --people TSV --masks DIR]

Prints the table of docs/inputs.md in some minutes; `--share 10` asks one person in ten. Two people are drawn
from one super-population and one fold, whose haplotypes the panel does not hold. One person is read twice,
with so many genotypes replaced by another in one of the readings. The same seed gives the same numbers.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from neighbours import SEED, Fold, Study
from numpy.typing import NDArray

from pgx.calling import copies_at, diplotype_prior
from pgx.neighbours import copying
from pgx.neighbours.estimate import folded, lowest_fit
from pgx.reference import threshold

DATA = Path(__file__).resolve().parents[2] / "shared/data"
ERRORS = (0.0, 0.01, 0.03)  # of genotypes, in the second reading of one person
GROUPS = ("EUR", "AFR", "EAS", "SAS", "AMR")
Seen = NDArray[np.intp]
Vector = NDArray[np.float64]


class Compared:
    """The model of a fold over some markers."""

    def __init__(self, fold: Fold, known: Seen) -> None:
        """Restrict a fold to markers, by their numbers in it; none for the sites alone."""
        self.fold, self.known = fold, known
        self.model = fold.over(tuple(known)) if len(known) else None

    def _before(self, *readings: Seen) -> tuple[Vector, float]:
        if self.model is None:
            return np.array(diplotype_prior("global")), 0.0
        pairs, fit = self.model.pairs(np.prod([copying.misread()[seen] for seen in readings], axis=0))
        return np.array(folded(pairs.tolist())), fit

    def same(self, one: tuple[Seen, Vector], other: tuple[Seen, Vector]) -> float | None:
        """Return the probability that two readings are of one person; None where one is unlike the panel."""
        parts = [self._before(seen) for seen, _ in (one, other)]
        if self.model is not None and any(fit < lowest_fit(len(self.known)) for _, fit in parts):
            return None
        before, fit = self._before(one[0], other[0])
        ratio = fit + math.log(float((before * one[1] * other[1]).sum()))
        for (own, alone), (_, shown) in zip(parts, (one, other), strict=True):
            ratio -= alone + math.log(float((own * shown).sum()))
        return 1 / (1 + math.exp(-max(min(ratio, 600), -600)))


def at_sites(diplotype: int) -> Vector:
    """Return the likelihoods of a genotype that was read without phase."""
    same = [np.array(copies_at(site)) == copies_at(site)[diplotype] for site in (0, 1)]
    return np.where(same[0] & same[1], 1.0, 1e-6)


def trials(
    study: Study, keep: dict[str, Seen] | None, count: int, dice: np.random.Generator
) -> Iterator[tuple[str, str, float | None]]:
    """Yield group, what was compared, and the probability that it is of one person.

    `keep`: positions of the mask, None for all; of these at most `count` of each fold are kept.
    """
    for fold in study.folds:
        places = np.array([study.region.markers[n].positions["GRCh37"] for n in fold.markers])
        known = np.flatnonzero(np.isin(places, keep["GRCh37"])) if keep else np.arange(len(places))
        known = np.sort(dice.choice(known, min(count, len(known)), replace=False))
        compared = Compared(fold, known)
        for person in fold.people:
            group = study.region.groups[person]
            others = fold.people[(study.region.groups[fold.people] == group) & (fold.people != person)]
            own, site = study.genotypes(fold, person)[known], at_sites(study.truth[person])
            other = dice.choice(others)
            theirs = study.genotypes(fold, other)[known], at_sites(study.truth[other])
            yield group, "two", compared.same((own, site), theirs)
            for error in ERRORS:
                wrong = dice.random(len(known)) < error
                again = np.where(wrong, (own + dice.integers(1, 3, len(known))) % 3, own)
                yield group, f"one, {error:.0%}", compared.same((own, site), (again, site))


def main() -> None:
    """Print the table."""
    from make_neighbour_panel import read_region  # noqa: PLC0415 - `neighbours` says where it is

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--share", type=int, default=1)
    parser.add_argument("--region", type=Path, default=DATA / "1000genomes_region/region.vcf.gz")
    parser.add_argument("--people", type=Path, default=DATA / "truth/1kgp3_apoe_truth.tsv")
    parser.add_argument("--masks", type=Path, default=DATA / "masks")
    asked = parser.parse_args()
    study = Study(read_region(asked.region, asked.people), asked.share)
    with (asked.masks / "array_23andme_v2_v3.tsv").open(encoding="utf-8") as lines:
        array = {"GRCh37": np.array([int(row["GRCh37"]) for row in csv.DictReader(lines, delimiter="\t")])}
    limit = threshold("same_person_probability")
    kinds = ("two", *(f"one, {error:.0%}" for error in ERRORS))
    print("| positions around the sites | " + " | ".join(kinds) + " | two, worst group | unlike the panel |")
    for name, keep, count in (
        ("none", None, 0),
        ("3", None, 3),
        ("12", None, 12),
        ("array", array, 80),
        ("80", None, 80),
    ):
        found = list(trials(study, keep, count, np.random.default_rng(SEED)))
        cells = []
        for kind in kinds:
            apart = [same < limit for _, what, same in found if what == kind and same is not None]
            cells.append(f"{100 * np.mean(apart):.1f} % ({len(apart)})")
        by_group = [
            np.mean(
                [same < limit for g, what, same in found if (g, what) == (group, "two") and same is not None]
            )
            for group in GROUPS
        ]
        unlike = np.mean([same is None for _, _, same in found])
        worst = f"{GROUPS[int(np.argmin(by_group))]} {100 * min(by_group):.1f} %"
        print(f"| {name} | " + " | ".join(cells) + f" | {worst} | {100 * unlike:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
