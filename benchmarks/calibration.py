"""How honest are the probabilities of a call? Simulated people, reads and PL, through pgx's own caller.

    python benchmarks/calibration.py           some ten minutes; fills docs/calibration.md and its picture
    python benchmarks/calibration.py --quick   seconds; prints the checks only
    python benchmarks/calibration.py --styles  the styles of records only, and their part of the page

The same seed gives the same numbers. Exit code 1 when a requirement does not hold.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from asked import Asker, hard_call, phred_pair
from calibration_styles import STYLES, WITH_BAR, expected_errors, phase_errors, reply
from score import NAMES, Reliability, Scored, Tally, names_of, score, score_rows, tally
from simulate import Conditions, Ints, draw_people, draw_reads, people_of

from pgx.genome import counted_haplotype

SEED = 20261123
THRESHOLD = 0.99
POPULATIONS = ("global", "AFR", "AMR", "EAS", "EUR", "SAS", "YRI", "memory-clinic")
PRIORS = (*POPULATIONS, "flat")
MAIN_ERROR = 0.01
DISTURBANCES = (
    ("none", {}),
    ("dropout 1 %", {"dropout": 0.01}),
    ("dropout 5 %", {"dropout": 0.05}),
    ("contamination 2 %", {"contamination": 0.02}),
    ("contamination 5 %", {"contamination": 0.05}),
)
#: How the reads of a style are disturbed; the last two only where there is no bar to meet.
STYLE_DISTURBANCES = (
    ("none", {}),
    ("contamination 3 %", {"contamination": 0.03}),
    ("dropout 5 %", {"dropout": 0.05}),
    ("allelic bias 0.4", {"bias": 0.4}),
)
_OPEN_ENDED = ("PL", "GT:AD:DP")
#: Up to this mean depth few kinds of reads occur, and few answers are determined: more people cost little.
FEW_READS = 4
#: Thresholds that are tried, in order, at depth 4.
RAISED = (0.99, 0.993, 0.995, 0.997, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 0.99995, 0.99999)
HARD_QUALITY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is simulated: people in each cell (few reads, many reads), mean depths, base errors."""

    shallow_people: int
    size: int
    depths: tuple[int, ...]
    side_size: int
    side_errors: tuple[float, ...]
    disturbed_size: int
    side_depths: tuple[int, ...]
    diplotype_size: int
    diplotype_depths: tuple[int, ...]
    shallow_size: int
    priors: tuple[str, ...]
    populations: tuple[str, ...]
    style_size: int
    style_depths: tuple[int, ...]
    style_populations: tuple[str, ...]
    enumerated_depths: tuple[int, ...]


FULL = Plan(
    shallow_people=50_000,
    size=3_000,
    depths=(1, 2, 3, 4, 6, 8, 10, 15, 20, 30),
    side_size=2_000,
    side_errors=(0.001, 0.05),
    disturbed_size=6_000,
    side_depths=(1, 2, 4, 8, 15, 30),
    diplotype_size=2_000,
    diplotype_depths=(4, 10, 30),
    shallow_size=40_000,
    priors=PRIORS,
    populations=POPULATIONS,
    style_size=300,
    style_depths=(2, 4, 8, 15, 30),
    style_populations=("global", "AFR", "memory-clinic"),
    enumerated_depths=(2, 3, 4),
)
QUICK = Plan(
    shallow_people=5_000,
    size=500,
    depths=(1, 4, 15),
    side_size=500,
    side_errors=(0.05,),
    disturbed_size=300,
    side_depths=(4,),
    diplotype_size=60,
    diplotype_depths=(10,),
    shallow_size=4_000,
    priors=("global", "AFR", "YRI", "flat"),
    populations=("global", "AFR", "YRI"),
    style_size=60,
    style_depths=(15,),
    style_populations=("global",),
    enumerated_depths=(2,),
)


@dataclass(slots=True)
class Results:
    """All counts.

    `matched` by (base error, depth, population); `crossed` by (population, prior, depth);
    `styles` by (style, disturbance, depth), and `enumerated`, where few are determined: by kind the shares
    of people that are determined, and that are wrong; `phases`: see `phase_errors`.
    """

    matched: dict[tuple[float, int, str], Tally] = field(default_factory=dict)
    crossed: dict[tuple[str, str, int], Tally] = field(default_factory=dict)
    disturbed: dict[tuple[str, int], Tally] = field(default_factory=dict)
    by_diplotype: dict[tuple[str, int], Tally] = field(default_factory=dict)
    reliability: Reliability = field(default_factory=Reliability)
    shallow: list[ShallowRow] = field(default_factory=list)
    styles: dict[tuple[str, str, int], Tally] = field(default_factory=dict)
    enumerated: dict[tuple[str, str, int], dict[str, tuple[float, float]]] = field(default_factory=dict)
    phases: list[tuple[str, float, float, float, float]] = field(default_factory=list)

    def add(self, other: Results) -> None:
        """Take over the results of another part."""
        for mine, theirs in (
            (self.matched, other.matched),
            (self.crossed, other.crossed),
            (self.disturbed, other.disturbed),
            (self.by_diplotype, other.by_diplotype),
            (self.styles, other.styles),
            (self.enumerated, other.enumerated),
        ):
            mine.update(theirs)
        self.reliability.join(other.reliability)
        self.shallow += other.shallow
        self.phases += other.phases


@dataclass(frozen=True, slots=True, kw_only=True)
class ShallowRow:
    """One way to answer at depth 4: a threshold of pgx, or hard genotypes."""

    name: str
    people: int
    determined: int
    wrong: int


_Work = tuple[Callable[..., None], tuple[object, ...]]


def run(plan: Plan, workers: int = 1) -> Results:
    """Run all experiments of a plan, some at a time."""
    jobs: list[_Work] = [(_shallow, ())]
    jobs += [(_populations, (depth,)) for depth in sorted(plan.depths, reverse=True)]
    jobs += [(_side_error, (error, depth)) for error in plan.side_errors for depth in plan.side_depths]
    jobs += [(_disturbance, (name, what)) for name, what in DISTURBANCES]
    jobs += [(_diplotypes, (depth,)) for depth in plan.diplotype_depths]
    return _run_all(plan, [*jobs, *_style_jobs()], workers)


def run_styles(plan: Plan, workers: int = 1) -> Results:
    """Run the experiments on styles of records only."""
    return _run_all(plan, _style_jobs(), workers)


def _style_jobs() -> list[_Work]:
    enumerated = [
        (_enumerated, (style, name)) for style in WITH_BAR for name in ("none", "contamination 3 %")
    ]
    return [*enumerated, *((_style, (style,)) for style in STYLES), (_phases, ())]


def _run_all(plan: Plan, jobs: list[_Work], workers: int) -> Results:
    results = Results()
    if workers == 1:
        for work, arguments in jobs:
            results.add(_part(work, plan, arguments))
        return results
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        parts = [pool.submit(_part, work, plan, arguments) for work, arguments in jobs]
        for part in parts:
            results.add(part.result())
    return results


def _part(work: Callable[..., None], plan: Plan, arguments: tuple[object, ...]) -> Results:
    part = Results()
    begin = time.process_time()
    work(plan, part, *arguments)
    seconds = time.process_time() - begin
    print(f"{work.__name__.strip('_')} {arguments}: {seconds:.0f} s", file=sys.stderr, flush=True)
    return part


def _dice(*key: object) -> np.random.Generator:
    """Return random numbers of their own for each cell, so that cells do not depend on each other."""
    return np.random.default_rng([SEED, *"/".join(map(str, key)).encode()])


def _cell(population: str, size: int, how: Conditions) -> tuple[Ints, Ints]:
    """Return the people of a cell and their reads."""
    dice = _dice(population, size, how)
    people = draw_people(dice, population, size)
    return people, draw_reads(dice, people, draw_people(dice, population, size), how)


def _ask(people: Ints, reads: Ints, error: float, prior: str) -> Scored:
    asker = Asker()
    ask = functools.partial(asker.ask, population=prior, min_probability=THRESHOLD)
    return score(people, reads, error, ask)


def _populations(plan: Plan, results: Results, depth: int) -> None:
    """Take every population under its own prior, and under each other."""
    for population in plan.populations:
        size = plan.shallow_people if depth <= FEW_READS else plan.size
        people, reads = _cell(population, size, Conditions(depth=depth, error=MAIN_ERROR))
        for prior in plan.priors:
            group = _ask(people, reads, MAIN_ERROR, prior)
            if prior == population:
                results.matched[MAIN_ERROR, depth, population] = tally(group)
                results.reliability.add(group)
            else:
                results.crossed[population, prior, depth] = tally(group)


def _side_error(plan: Plan, results: Results, error: float, depth: int) -> None:
    size = plan.side_size * (10 if depth <= FEW_READS else 1)  # few are determined
    for population in plan.populations:
        people, reads = _cell(population, size, Conditions(depth=depth, error=error))
        group = _ask(people, reads, error, population)
        results.matched[error, depth, population] = tally(group)
        results.reliability.add(group)


def _disturbance(plan: Plan, results: Results, name: str, what: dict[str, float]) -> None:
    """Disturb the reads in ways that the likelihood does not know of: global population, its own prior."""
    for depth in plan.side_depths:
        how = Conditions(depth=depth, error=MAIN_ERROR, **what)
        people, reads = _cell("global", plan.disturbed_size, how)
        results.disturbed[name, depth] = tally(_ask(people, reads, MAIN_ERROR, "global"))


def _style(plan: Plan, results: Results, style: str) -> None:
    """Write the reads as records of a style, and let pgx read them: populations under their own prior."""
    for name, what in STYLE_DISTURBANCES:
        if name in {"dropout 5 %", "allelic bias 0.4"} and style not in _OPEN_ENDED:
            continue
        if name != "none" and style not in WITH_BAR:
            continue
        for depth in plan.style_depths:
            how = Conditions(depth=depth, error=MAIN_ERROR, **what)
            size = plan.style_size * (10 if depth <= FEW_READS else 1)
            for population in plan.style_populations:
                people, reads = _cell(population, size, how)
                ask = functools.partial(reply, style, population=population, min_probability=THRESHOLD)
                counts = results.styles.setdefault((style, name, depth), Tally())
                counts.add(tally(score_rows(people, reads, ask)))


def _enumerated(plan: Plan, results: Results, style: str, name: str) -> None:
    """Add up what few reads make, since too few are determined for a draw to tell: all populations alike."""
    for depth in plan.enumerated_depths:
        how = Conditions(depth=depth, error=MAIN_ERROR, **dict(STYLE_DISTURBANCES)[name])
        found = [expected_errors(style, item, how, THRESHOLD) for item in plan.style_populations]
        results.enumerated[style, name, depth] = {
            kind: (
                sum(one[kind][0] for one in found) / len(found),
                sum(one[kind][1] for one in found) / len(found),
            )
            for kind in found[0]
        }


def _phases(plan: Plan, results: Results) -> None:
    """Take both sites heterozygous in one phase set, and switches that nobody stated."""
    for population in plan.style_populations:
        results.phases += phase_errors(population, THRESHOLD)


def _diplotypes(plan: Plan, results: Results, depth: int) -> None:
    """Take the same number of people of every diplotype, the rare ones too, under the global prior."""
    how = Conditions(depth=depth, error=MAIN_ERROR)
    for first in range(len(NAMES)):
        for second in range(first, len(NAMES)):
            people = people_of(first, second, plan.diplotype_size)
            reads = draw_reads(_dice("diplotype", first, second, depth), people, people, how)
            group = _ask(people, reads, MAIN_ERROR, "global")
            results.by_diplotype[str(names_of(people)[0]), depth] = tally(group)


def _shallow(plan: Plan, results: Results) -> None:
    """At depth 4: raise the threshold until pgx makes no more errors than hard genotypes at GQ 20."""
    people, reads = _cell("global", plan.shallow_size, Conditions(depth=4, error=MAIN_ERROR))
    copies = (people == NAMES.index(counted_haplotype())).sum(axis=1)
    rows, places = np.unique(reads, axis=0, return_inverse=True)
    pairs = [phred_pair(row, MAIN_ERROR) for row in rows.tolist()]
    expected = {"non-carrier": {0}, "heterozygous": {1}, "homozygous": {2}, "carrier": {1, 2}}

    def count(name: str, said: Iterable[str | None]) -> ShallowRow:
        answers = np.array([value or "" for value in said], dtype=object)[places.reshape(-1)]
        right = sum(
            ((answers == status) & np.isin(copies, list(fits))).sum() for status, fits in expected.items()
        )
        determined = int((answers != "").sum())
        return ShallowRow(name=name, people=len(people), determined=determined, wrong=determined - int(right))

    hard = count(
        f"hard genotypes, GQ >= {HARD_QUALITY}", [hard_call(*pair, HARD_QUALITY)[1] for pair in pairs]
    )
    results.shallow = [hard]
    asker = Asker()
    for threshold in RAISED:
        said = [asker.ask(*pair, "global", threshold).status for pair in pairs]
        results.shallow.append(count(f"pgx, threshold {threshold:g}", said))
        if results.shallow[-1].wrong <= hard.wrong:
            break


def main() -> int:
    """Run, print, and fill the document."""
    from calibration_report import (  # noqa: PLC0415 - it imports this module
        checks,
        fill_document,
        fill_styles,
        style_checks,
        summary,
    )

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small plan; no document is written")
    parser.add_argument("--jobs", type=int, default=1, help="processes; the numbers do not depend on it")
    parser.add_argument("--styles", action="store_true", help="the styles of records only")
    arguments = parser.parse_args()
    if arguments.styles:
        results = run_styles(FULL, arguments.jobs)
        found = style_checks(results)
        print(summary(found))
        fill_styles(results, found)
        return 0 if all(check.holds for check in found) else 1
    results = run(QUICK if arguments.quick else FULL, arguments.jobs)
    outcome = checks(results)
    print(summary(outcome))
    of_styles = style_checks(results)
    print(summary(of_styles))
    if not arguments.quick:
        fill_document(results, outcome, FULL)
        fill_styles(results, of_styles)
    return 0 if all(check.holds for check in (*outcome, *of_styles)) else 1


if __name__ == "__main__":
    sys.exit(main())
