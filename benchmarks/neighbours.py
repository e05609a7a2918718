"""How good is what the neighbouring variants say? Five folds by person of the 1000 Genomes Project.

    python benchmarks/neighbours.py REGION.vcf.gz PEOPLE.tsv [--masks DIR] [--beagle BEAGLE.jar]

Fills docs/neighbours.md and its picture; half an hour. Whatever is learnt (markers, classes, counts) comes
from the other four folds, so nobody is told from their own haplotypes. REGION and PEOPLE as of
tools/make_neighbour_panel.py; masks are tables of positions with a column GRCh37. The same seed gives the
same numbers. `--quick` tries one person in ten, and fills nothing.
"""

from __future__ import annotations

import argparse
import copy
import csv
import dataclasses
import functools
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from calibration_report import picture
from msgspec.structs import replace
from neighbours_beagle import Beagle
from numpy.typing import NDArray
from score import EDGES, Reliability
from tables import DOCS, fill, machine, markdown, today, upper_bound

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

from make_neighbour_panel import Region, choose_markers, count_classes, read_region

from pgx.calling import copies_at, diplotype_names, diplotypes, double_heterozygotes
from pgx.genome import definitions, haplotypes
from pgx.neighbours import copying, panel
from pgx.neighbours.estimate import allows, folded, lowest_fit
from pgx.reference import threshold

FOLDS = 5
THRESHOLD = 0.99
SEED = 20261126
#: An array and a child of this person say that the site rs7412 of the truth is wrong.
NOT_SCORED = frozenset({"NA19700"})
_RANDOM_SETS = 40
#: Of the people of each fold, one in so many is asked while the numbers of the model are moved.
_MOVED_SHARE = 3
GROUPS = ("all", "EUR", "AFR", "EAS", "SAS", "AMR")
RANDOM = (30, 20, 15, 12, 8, 5, 3)
BARS = {"EUR": 0.994, "AFR": 0.974, "EAS": 0.996, "SAS": 0.965, "AMR": 0.993}
NAMES = list(diplotype_names())
Posterior = NDArray[np.float64]
Masks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fold:
    """A model from some people, and who is asked: markers and people are indices into the region.

    `over` makes the model over some of the markers, by their numbers.
    """

    model: copying.CopyingModel
    markers: list[int]
    over: Callable[[Sequence[int]], copying.CopyingModel]
    people: NDArray[np.intp]
    taught: Masks


@dataclass(frozen=True, slots=True)
class Said:
    """Answers: posterior of ten diplotypes, shape (n, 10), log likelihood and known markers, shape (n,)."""

    posterior: Posterior
    fit: NDArray[np.float64]
    known: NDArray[np.intp]


class Study:
    """The people, the truth, and the folds."""

    def __init__(self, region: Region, share: int) -> None:
        """Divide the people of `region` into folds; one in `share` is asked."""
        self.region = region
        self.asked = np.arange(len(region.names)) % share == 0
        self.asked &= ~np.isin(region.names, list(NOT_SCORED))
        fold = np.random.default_rng(1).integers(0, FOLDS, len(region.names))
        self.folds = [self.fold(fold != number, fold == number) for number in range(FOLDS)]
        self.dosage = region.alleles.sum(axis=2).astype(np.intp)
        names = [haplotype.name for haplotype in haplotypes()]
        table = {tuple(map(names.index, name.split("/"))): place for place, name in enumerate(NAMES)}
        self.truth = np.array([table[tuple(sorted(pair))] for pair in region.labels.tolist()])

    def fold(self, taught: Masks, people: Masks, markers: list[int] | None = None) -> Fold:
        """Teach a model from `taught`, to ask `people`."""
        markers = choose_markers(self.region, taught) if markers is None else markers
        classes, counts = count_classes(self.region, markers, taught)
        places = np.array([self.region.markers[number].positions["GRCh37"] for number in markers], np.intp)
        over = functools.partial(copying.restricted, classes, counts, places, panel.centre("GRCh37"))
        chosen = np.flatnonzero(people & self.asked)
        return Fold(over(range(len(markers))), markers, over, chosen, taught)

    def in_group(self, group: str) -> Masks:
        """Return who of all people belongs to a super-population, or to "all", and is asked."""
        return self.asked & ((self.region.groups == group) | (group == "all"))

    def ask(
        self,
        see: Callable[[Fold, int], NDArray[np.intp]],
        folds: Sequence[Fold] | None = None,
        *,
        shared: bool = False,
    ) -> Said:
        """Ask every person; `see` returns copies of alt at the markers of a fold, -1 where unknown.

        `shared`: many people know the same markers.
        """
        size = len(self.region.names)
        said = Said(np.zeros((size, len(NAMES))), np.zeros(size), np.zeros(size, np.intp))
        by_copies = np.vstack([copying.misread(), np.ones(3)])  # the last row for -1
        for fold in folds or self.folds:
            over = functools.lru_cache(maxsize=256)(fold.over)
            for person in fold.people:
                seen = see(fold, person)
                known = np.flatnonzero(seen >= 0)
                # A model over few markers is cheap to use, and made once where many people share them.
                model, asked = (over(tuple(known)), seen[known]) if shared else (fold.model, seen)
                pairs, said.fit[person] = model.pairs(by_copies[asked])
                said.posterior[person] = folded(pairs.tolist())
                said.known[person] = len(known)
        return said

    def genotypes(self, fold: Fold, person: int) -> NDArray[np.intp]:
        """Return the copies of alt at the markers of a fold."""
        return self.dosage[fold.markers, person].copy()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: r2 of e4 and e2 copies, determined, wrong, log loss, unlike the panel."""

    people: int
    r2_e4: float
    r2_e2: float
    determined: int
    wrong: int
    loss: float
    unlike: int

    @property
    def cells(self) -> tuple[str, ...]:
        """As text."""
        part = 100 * self.determined / self.people
        wrong = 100 * self.wrong / self.determined if self.determined else 0.0
        bound = 100 * upper_bound(self.wrong, self.determined)
        return (
            f"{self.people}",
            f"{self.r2_e4:.3f}",
            f"{self.r2_e2:.3f}",
            f"{part:.1f} %",
            f"{wrong:.2f} % ({self.wrong})",
            f"{bound:.2f} %",
            f"{self.loss:.4f}",
            f"{100 * self.unlike / self.people:.1f} %",
        )


HEADER = (
    "people",
    "r² ε4",
    "r² ε2",
    "determined",
    "wrong of determined",
    "bound",
    "log loss",
    "unlike the panel",
)


def score(study: Study, said: Said, group: str, *, drop_unlike: bool = True) -> Row:
    """Score the people of a group. Whoever is unlike the panel has no estimate, and is not determined."""
    chosen = study.in_group(group)
    posterior, truth = said.posterior[chosen], study.truth[chosen]
    bars = np.array([lowest_fit(max(int(count), 1)) for count in said.known[chosen]])
    unlike = (said.fit[chosen] < bars) & drop_unlike
    best = posterior.argmax(axis=1)
    determined = (posterior.max(axis=1) >= THRESHOLD) & ~unlike
    own = posterior[np.arange(len(truth)), truth]
    return Row(
        people=int(chosen.sum()),
        r2_e4=_r2(posterior, truth, "e4"),
        r2_e2=_r2(posterior, truth, "e2"),
        determined=int(determined.sum()),
        wrong=int((determined & (best != truth)).sum()),
        loss=float(-np.log(np.maximum(own, 1e-12)).mean()),
        unlike=int(unlike.sum()),
    )


def _r2(posterior: Posterior, truth: NDArray[np.intp], haplotype: str) -> float:
    copies = np.array([name.split("/").count(haplotype) for name in NAMES])
    expected, real = posterior @ copies, copies[truth]
    if not expected.std() or not real.std():
        return float("nan")
    return float(np.corrcoef(expected, real)[0, 1] ** 2)


def main_table(study: Study, said: Said, peers: Iterable[tuple[str, Said]]) -> str:
    """All 80 markers known, by super-population, beside other programs."""
    others = list(peers)
    header = ["", *HEADER]
    for name, _ in others:
        header += [f"{name}: r² ε4", "determined", "wrong"]
    rows = []
    for group in GROUPS:
        cells: list[object] = [group, *score(study, said, group).cells]
        for _, other in others:
            row = score(study, other, group, drop_unlike=False)
            cells += [row.cells[1], row.cells[3], row.cells[4]]
        rows.append(cells)
    return markdown(header, rows)


def masks_table(study: Study, masks: Path | None) -> tuple[str, dict[str, Said]]:
    """Fewer markers known: random ones, those of an array, of exomes, of a variants-only genome."""
    told: dict[str, Said] = {}
    rng = np.random.default_rng(SEED)
    for count in RANDOM:
        size = panel.settings().rule.markers
        sets = [np.sort(rng.permutation(size)[:count]) for _ in range(_RANDOM_SETS)]
        told[f"{count} random positions"] = study.ask(functools.partial(_random, study, sets), shared=True)
    if masks is not None:
        for path in sorted(masks.glob("*.tsv")):
            with path.open(encoding="utf-8", newline="") as handle:
                places = {int(row["GRCh37"]) for row in csv.DictReader(handle, delimiter="\t")}
            told[path.stem.replace("_", " ")] = study.ask(functools.partial(_at, study, places), shared=True)
            if "exon" in path.stem:
                told["exome, kits and off-target varied"] = study.ask(
                    functools.partial(_exome, study, rng, places)
                )
    told["variants-only genome, absent = unknown"] = study.ask(functools.partial(_listed, study))
    told["3 % of genotypes random"] = study.ask(functools.partial(_noisy, study, rng))
    rows = [
        [name, f"{said.known[study.asked].mean():.1f}", group, *score(study, said, group).cells]
        for name, said in told.items()
        for group in GROUPS
    ]
    return markdown(["known", "positions", "of", *HEADER], rows), told


def _random(study: Study, sets: Sequence[NDArray[np.intp]], fold: Fold, person: int) -> NDArray[np.intp]:
    """Let a person know one of the random sets of markers."""
    seen = np.full(len(fold.markers), -1)
    kept = sets[person % len(sets)]
    seen[kept] = study.genotypes(fold, person)[kept]
    return seen


def _at(study: Study, places: set[int], fold: Fold, person: int) -> NDArray[np.intp]:
    seen = study.genotypes(fold, person)
    seen[[study.region.markers[number].positions["GRCh37"] not in places for number in fold.markers]] = -1
    return seen


def _exome(
    study: Study, rng: np.random.Generator, places: set[int], fold: Fold, person: int
) -> NDArray[np.intp]:
    """Variants of an exome: targets and up to 300 bases beside them, 5 to 20 % off target, 10 % missed."""
    seen = study.genotypes(fold, person)
    here = np.array([study.region.markers[number].positions["GRCh37"] for number in fold.markers])
    near = np.abs(here[:, None] - np.array(sorted(places))).min(axis=1) <= rng.choice([0, 100, 300])
    kept = (near & (rng.random(len(seen)) < 0.9)) | (rng.random(len(seen)) < rng.uniform(0.05, 0.2))
    seen[~kept | (seen == 0)] = -1
    return seen


def _listed(study: Study, fold: Fold, person: int) -> NDArray[np.intp]:
    seen = study.genotypes(fold, person)
    seen[seen == 0] = -1
    return seen


def _noisy(study: Study, rng: np.random.Generator, fold: Fold, person: int) -> NDArray[np.intp]:
    seen = study.genotypes(fold, person)
    wrong = rng.random(len(seen)) < 0.03
    seen[wrong] = rng.integers(0, 3, int(wrong.sum()))
    return seen


def reliability(study: Study, told: Iterable[Said]) -> tuple[str, Reliability]:
    """Stated against true error of the best diplotype, over all masks together."""
    found = Reliability()
    for said in told:
        best = said.posterior[study.asked]
        stated = 1 - best.max(axis=1)
        wrong = best.argmax(axis=1) != study.truth[study.asked]
        places = np.searchsorted(EDGES, stated, side="left")
        for number in range(len(EDGES)):
            inside = places == number
            found.people[number] += int(inside.sum())
            found.wrong[number] += int((inside & wrong).sum())
            found.stated[number] += float(stated[inside].sum())
    rows = [
        [
            f"to {100 * edge:g} %",
            people,
            f"{100 * stated / people:.3g} %",
            wrong,
            f"{100 * wrong / people:.3g} %",
            f"{100 * upper_bound(wrong, people):.2g} %",
        ]
        for edge, people, wrong, stated in zip(EDGES, found.people, found.wrong, found.stated, strict=True)
        if people
    ]
    return markdown(["stated error", "answers", "on average", "wrong", "true error", "bound"], rows), found


def left_out(study: Study) -> str:
    """Whole super-populations left out of the panel: what the fit test does for them."""
    rows = []
    for missing in (("AFR",), ("AFR", "AMR"), ("EUR",), ("EAS",), ("SAS",), ("AMR",)):
        inside = np.isin(study.region.groups, missing)
        fold = study.fold(~inside, inside)
        said = study.ask(study.genotypes, [fold])
        for group in missing:
            before = score(study, said, group, drop_unlike=False).cells
            after = score(study, said, group).cells
            rows.append(["+".join(missing), group, before[1], before[2], *before[3:6], *after[3:6], after[7]])
    header = ["left out", "asked", "r² ε4", "r² ε2", "determined", "wrong", "bound"]
    return markdown([*header, "with the fit test", "wrong", "bound", "unlike the panel"], rows)


def planted(study: Study, said: Said) -> str:
    """Errors planted into true genotypes, and how many of them the second opinion finds."""
    rng = np.random.default_rng(SEED + 1)
    other = study.truth[rng.permutation(len(study.truth))]
    letters = {name: _letters(place) for place, name in enumerate(NAMES)}
    true = [letters[NAMES[number]] for number in study.truth]
    swapped = [letters[NAMES[number]] for number in other]
    kinds: dict[str, list[Sequence[tuple[str, str]] | None]] = {
        "true genotypes (false alarms)": list(true),
        "genotypes of another person": [b if a != b else None for a, b in zip(true, swapped, strict=True)],
        "rs429358 flipped": [_changed(pair, 0, _flipped) for pair in true],
        "rs7412 flipped": [_changed(pair, 1, _flipped) for pair in true],
        "allele lost at rs429358": [_changed(pair, 0, _lost) for pair in true],
        "allele lost at rs7412": [_changed(pair, 1, _lost) for pair in true],
        "false heterozygote at rs429358": [_changed(pair, 0, _false) for pair in true],
        "false heterozygote at rs7412": [_changed(pair, 1, _false) for pair in true],
    }
    rows = []
    for kind, shown in kinds.items():
        cells: list[object] = [kind]
        for group in GROUPS:
            people = [person for person in np.flatnonzero(study.in_group(group)) if shown[person] is not None]
            alarms = sum(not allows(said.posterior[person].tolist(), shown[person]) for person in people)
            cells.append(f"{alarms} of {len(people)} ({100 * alarms / max(len(people), 1):.1f} %)")
        rows.append(cells)
    return markdown(["planted", *GROUPS], rows)


def _letters(place: int) -> tuple[tuple[str, str], ...]:
    """Return the letters that a diplotype shows at each site, sorted."""
    one, other = diplotypes()[place]
    shown = (tuple(sorted((a, b))) for a, b in zip(one.letters, other.letters, strict=True))
    return tuple((first, second) for first, second in shown)


def _changed(
    pair: Sequence[tuple[str, str]],
    site: int,
    change: Callable[[tuple[str, str], str], tuple[str, str] | None],
) -> Sequence[tuple[str, str]] | None:
    """Change the letters at a site; None where nothing changes."""
    changed = change(pair[site], definitions()[site].ref)
    if changed is None or changed == pair[site]:
        return None
    return [changed if number == site else letters for number, letters in enumerate(pair)]


def _flipped(letters: tuple[str, str], _: str) -> tuple[str, str] | None:
    """Exchange both letters, as an exchange of REF and ALT does; a heterozygote does not show it."""
    other = {"T": "C", "C": "T"}
    return None if letters[0] != letters[1] else (other[letters[0]], other[letters[0]])


def _lost(letters: tuple[str, str], reference: str) -> tuple[str, str] | None:
    """Read a heterozygote as reference."""
    return (reference, reference) if letters[0] != letters[1] else None


def _false(letters: tuple[str, str], _: str) -> tuple[str, str] | None:
    return ("C", "T") if letters[0] == letters[1] else None


def phase(study: Study, said: Said) -> str:
    """Double heterozygotes: how the neighbours divide them over the two diplotypes."""
    pair = [NAMES.index(name) for name in double_heterozygotes()]
    rows = []
    for group in GROUPS:
        people = np.flatnonzero(study.in_group(group) & np.isin(study.truth, pair))
        if not len(people):
            continue
        both = said.posterior[people][:, pair].sum(axis=1)
        own = said.posterior[people, study.truth[people]] / both
        least = np.floor(own.min() * 1e5) / 1e5
        rows.append([group, len(people), int((own > 0.5).sum()), int((own > 0.999).sum()), f"{least:.5f}"])
    return markdown(["of", "double heterozygotes", "right", "with more than 0.999", "least"], rows)


def one_site_known(study: Study, told: dict[str, Said]) -> str:
    """Both files with few positions, once more with rs7412 read in the same file."""
    error = threshold("allele_error_rate")
    rows = []
    for name, said in told.items():
        if "hapmap3" not in name and "23andme" not in name:
            continue
        for site, definition in enumerate(definitions()):
            shown = np.array(copies_at(site))
            distance = np.abs(shown[None, :] - shown[study.truth][:, None])
            weighed = said.posterior * error**distance
            total = weighed.sum(axis=1, keepdims=True)
            known = dataclasses.replace(said, posterior=weighed / np.where(total > 0, total, 1))
            label = f"{name}, {definition.rsid} known"
            rows += [[label, group, *score(study, known, group).cells] for group in GROUPS]
    return markdown(["known", "of", *HEADER], rows)


def sensitivity(study: Study) -> str:
    """Move the numbers of the model."""
    rows = []
    settings = panel.settings()
    moved_study = copy.copy(study)
    moved_study.asked = study.asked & (np.arange(len(study.asked)) % _MOVED_SHARE == 0)
    for name, values in (
        ("jump_rate", (5e-6, 1e-5, 2e-5)),
        ("allele_misread", (0.001, 0.002, 0.005)),
        ("label_error", (0.001, 0.003, 0.005)),
    ):
        for value in values:
            moved = replace(settings, **{name: replace(getattr(settings, name), value=value)})
            copying.settings = lambda moved=moved: moved
            again = [moved_study.fold(fold.taught, ~fold.taught, fold.markers) for fold in study.folds]
            said = moved_study.ask(study.genotypes, again)
            rows.append([name, f"{value:g}", *score(moved_study, said, "all").cells])
    copying.settings = panel.settings
    return markdown(["number", "value", *HEADER], rows)


def requirements(study: Study, said: Said) -> tuple[str, bool]:
    """Compare the bars of the method with what came out."""
    rows = {group: score(study, said, group) for group in GROUPS}
    checks = [
        ("r² of ε4 copies at least .97 over all", rows["all"].r2_e4 >= 0.97, f"{rows['all'].r2_e4:.4f}"),
        ("r² of ε2 copies at least .98 over all", rows["all"].r2_e2 >= 0.98, f"{rows['all'].r2_e2:.4f}"),
        ("log loss at most .035", rows["all"].loss <= 0.035, f"{rows['all'].loss:.4f}"),
    ]
    for group, bar in BARS.items():
        row = rows[group]
        share = row.wrong / row.determined
        checks += [
            (
                f"{group}: r² of ε4 copies at least {bar - 0.01:.3f}",
                row.r2_e4 >= bar - 0.01,
                f"{row.r2_e4:.4f}",
            ),
            (f"{group}: at most 1 % wrong of determined", share <= 0.01, f"{row.wrong} of {row.determined}"),
        ]
    table = markdown(
        ["requirement", "holds", "figure"],
        [[text, "yes" if holds else "NO", figure] for text, holds, figure in checks],
        numbers=False,
    )
    return table, all(holds for _, holds, _ in checks)


def main() -> int:
    """Run the study; 1 when a requirement does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("region", type=Path)
    parser.add_argument("people", type=Path)
    parser.add_argument("--masks", type=Path)
    parser.add_argument("--beagle", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    start = time.monotonic()
    study = Study(read_region(options.region, options.people), 10 if options.quick else 1)
    parts: dict[str, str] = {}

    def made(name: str, text: str) -> None:
        parts[name] = text
        sys.stdout.write(f"== {name} ({time.monotonic() - start:.0f} s)\n{text}\n\n")
        sys.stdout.flush()

    said = study.ask(study.genotypes)
    table, hold = requirements(study, said)
    made("requirements", table)
    peers = []
    if options.beagle:
        program = Beagle(options.beagle, study)
        peers = [("Beagle, default", program.ask(tuned=False)), ("Beagle, tuned", program.ask(tuned=True))]
    made("main", main_table(study, said, peers))
    made("planted", planted(study, said))
    made("phase", phase(study, said))
    masks, told = masks_table(study, options.masks)
    made("masks", masks)
    made("one-site", one_site_known(study, told))
    table, found = reliability(study, [said, *told.values()])
    made("reliability", table)
    made("left-out", left_out(study))
    made("sensitivity", sensitivity(study))
    made("run", f"Made on {today()} by `python benchmarks/neighbours.py` ({machine()}; seed {SEED}).")
    if not options.quick:
        for name, text in parts.items():
            fill("neighbours.md", name, text)
        (DOCS / "neighbours.svg").write_text(picture(found), "utf-8")
    return 0 if hold else 1


if __name__ == "__main__":
    sys.exit(main())
