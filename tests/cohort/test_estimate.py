"""Frequencies that a cohort estimates from itself: against brute force, degenerate, resumed, small, wrong."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest
import truth_tables
from typer.testing import CliRunner
from vcf_builder import LETTERS, site, write_vcf

from cohort.conftest import bare
from cohort.test_biobank import NEVER
from pgx.calling import (
    Estimated,
    copies_at,
    diplotype_names,
    diplotype_prior,
    estimated,
    haplotype_frequencies,
)
from pgx.calling.estimation import estimate, read_at_both
from pgx.cli.main import app
from pgx.cohort import CohortOptions, plan_inputs, run, run_cohort
from pgx.cohort.estimate import _all_joined, _unpacked, classes_of
from pgx.cohort.jobs import Job, estimating
from pgx.cohort.results import one_report
from pgx.cohort.worker import result_of_content
from pgx.errors import PgxError, UsageError
from pgx.options import Options, PageOptions
from pgx.reference import threshold
from pgx.render.tsv import COLUMNS
from pgx.report import relative_likelihoods
from pgx.single import annotate
from pgx.vcf import read_sites

NAMES = diplotype_names()
WEIGHT, RARE_WEIGHT = 10.0, 102718.0
GLOBAL = haplotype_frequencies("global")


def log_posterior(frequencies, likelihoods, people):
    """Return the log posterior density by enumeration of ordered pairs of haplotypes, up to a constant."""
    total = RARE_WEIGHT * GLOBAL[0] * np.log(frequencies[0])
    total += RARE_WEIGHT * (1 - GLOBAL[0]) * np.log(1 - frequencies[0])
    for place in (1, 2, 3):  # the common ones share what is left: a Dirichlet density of their shares
        total += WEIGHT * GLOBAL[place] / sum(GLOBAL[1:]) * np.log(frequencies[place] / sum(frequencies[1:]))
    for row, count in zip(likelihoods, people, strict=True):
        chance = 0.0
        for one, other in itertools.product(range(4), repeat=2):
            name = "/".join(f"e{number + 1}" for number in sorted((one, other)))
            chance += frequencies[one] * frequencies[other] * row[NAMES.index(name)]
        total += count * np.log(chance)
    return total


def climbed(likelihoods, people):
    """Return the mode by ever smaller steps from one frequency to another: no EM, no gradient."""
    found, step = np.array([0.01, 0.2, 0.6, 0.19]), 0.1
    best = log_posterior(found, likelihoods, people)
    while step > 1e-9:
        better = False
        for one, other in itertools.permutations(range(4), 2):
            trial = found.copy()
            moved = min(step, found[other] / 2)
            trial[[one, other]] += moved, -moved
            value = log_posterior(trial, likelihoods, people)
            if value > best:
                found, best, better = trial, value, True
        step = step if better else step / 2
    return found


def people_of(frequencies, count, seed, depth=4):
    """Return likelihoods of the ten diplotypes of drawn people, from a few reads at each site."""
    dice = np.random.default_rng(seed)
    pairs = np.sort(dice.choice(4, (count, 2), p=frequencies), axis=1)
    true = np.array([NAMES.index(f"e{one + 1}/e{other + 1}") for one, other in pairs])
    likelihoods = np.ones((count, 10))
    for place in (0, 1):
        copies = np.array(copies_at(place))
        shares = np.array([0.01, 0.5, 0.99])
        reads = dice.poisson(depth, count)
        seen = dice.binomial(reads, shares[copies[true]])
        each = shares ** seen[:, None] * (1 - shares) ** (reads - seen)[:, None]
        likelihoods *= each[:, copies]
    return likelihoods, true


CASES = {
    "like Africans": people_of((0.001, 0.1, 0.63, 0.269), 40, 1),
    "few reads": people_of((0.0, 0.08, 0.77, 0.15), 60, 2, depth=1),
    "much e1": people_of((0.3, 0.2, 0.3, 0.2), 30, 3),
    "one haplotype": people_of((0.0, 0.0, 1.0, 0.0), 30, 4),
    "no data at all": (np.ones((30, 10)), np.zeros(30, dtype=int)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_estimate_is_the_mode_that_brute_force_finds(case):
    likelihoods, _ = CASES[case]
    people = np.ones(len(likelihoods), dtype=np.int64)
    found = estimate(likelihoods, people)
    assert found.frequencies == pytest.approx(climbed(likelihoods, people), abs=2e-5)
    assert sum(found.frequencies) == pytest.approx(1, abs=1e-12)
    assert min(found.frequencies) > 0
    # in any scale, and with equal people as one class
    scaled = estimate(likelihoods * 7, people * 1)
    assert scaled.frequencies == pytest.approx(found.frequencies, abs=1e-9)
    classes = classes_of(likelihoods)
    again = estimate(classes.likelihoods.astype(float), classes.people)
    assert again.frequencies == pytest.approx(found.frequencies, abs=1e-6)


def test_the_prior_is_that_of_the_reference_data():
    assert (threshold("estimate_prior_weight"), threshold("estimate_rare_weight")) == (WEIGHT, RARE_WEIGHT)
    nothing = estimate(np.ones((5, 10)), np.ones(5, dtype=np.int64))
    assert nothing.frequencies == pytest.approx(GLOBAL)


def test_where_few_say_anything_of_a_haplotype_it_still_converges():
    """60 people with both sites among 500,000 of whom rs429358 says nothing: one step in thousands for EM."""
    both, _ = people_of((0.0, 0.1, 0.6, 0.3), 60, 5, depth=20)
    second = np.array([[1.0 if copies == 2 else 1e-9 for copies in copies_at(1)]])
    found = estimate(np.vstack([both, second]), np.array([1] * 60 + [500_000]))
    assert found.steps < 100
    rows, people = np.vstack([both, second]), np.array([1] * 60 + [500_000])
    best = log_posterior(np.array(found.frequencies), rows, people)
    for one, other in itertools.permutations((1, 2, 3), 2):
        trial = np.array(found.frequencies)
        moved = min(trial[other] / 2, 1e-3)
        trial[[one, other]] += moved, -moved
        assert log_posterior(trial, rows, people) < best


def test_the_worth_is_the_curvature_of_the_log_posterior():
    likelihoods, _ = CASES["like Africans"]
    people = np.ones(len(likelihoods), dtype=np.int64)
    found = estimate(likelihoods, people)
    mode = np.array(found.frequencies)
    ways = np.array([[1, 0, -1, 0], [0, 1, -1, 0], [0, 0, -1, 1]])
    sizes = np.array([1e-6, 1e-4, 1e-4])

    def at(*steps):
        return log_posterior(mode + np.array(steps) @ (ways * sizes[:, None]), likelihoods, people)

    curve = np.empty((3, 3))
    for one, other in itertools.product(range(3), repeat=2):
        a, b = np.eye(3)[one], np.eye(3)[other]
        curve[one, other] = -(at(*(a + b)) - at(*(a - b)) - at(*(b - a)) + at(*(-a - b))) / 4
    variance = np.diag(ways.T @ np.linalg.inv(curve / np.outer(sizes, sizes)) @ ways)
    assert found.worth == pytest.approx(mode * (1 - mode) / variance, rel=0.01)
    sure = np.eye(10)[
        np.repeat([NAMES.index("e3/e3"), NAMES.index("e3/e4"), NAMES.index("e4/e4")], (64, 32, 4))
    ]
    counted = estimate(sure, np.ones(100, dtype=np.int64))
    assert counted.worth[3] == pytest.approx(210, rel=0.02), "200 haplotypes read, and the 10 of the prior"


def test_both_sites_are_read_where_both_say_something():
    first, second = (
        [value[copies] for copies in copies_at(place)] for place, value in enumerate([(1, 0.1, 0)] * 2)
    )
    rows = np.array([np.ones(10), first, second, np.multiply(first, second)])
    assert read_at_both(rows).tolist() == [False, False, False, True]
    assert read_at_both(np.eye(10)).all(), "a diplotype without doubt"
    phased = np.where(np.array(NAMES) == "e1/e3", 0.01, np.where(np.array(NAMES) == "e2/e4", 0.99, 0.5))
    assert not read_at_both(phased[None]).any(), "phase is no letter"


def test_a_name_says_all_of_an_estimate():
    for group in ("", "EUR", "a) (b), estimated: e1 0.1, e2 0.2, e3 0.3, e4 0.4", "x\ty\n<b>", "w" * 500):
        made = Estimated(people=503, group=group, frequencies=(2.92e-05, 0.1, 0.7, 0.1999708))
        found = estimated(made.name)
        assert found is not None
        assert found.people == 503
        assert found.frequencies == pytest.approx(made.frequencies, abs=1e-6)
        assert found.group.startswith(group[:1])
        assert len(made.name) < 250
        assert made.name.isprintable()
        assert estimated(found.name) == found, "and stays the same when it is read and written"
        assert haplotype_frequencies(made.name) == found.frequencies
        assert sum(diplotype_prior(made.name)) == pytest.approx(1)
    assert [estimated(name) for name in ("EUR", "estimate", "flat", "")] == [None] * 4


@pytest.mark.parametrize("case", list(truth_tables.all_cases()), ids=lambda case: f"{case.table}:{case.case}")
def test_arrays_give_the_likelihoods_of_single_samples(case, tmp_path):
    assembly = case.assemblies[-1]
    path = write_vcf(tmp_path / "a.vcf", text=case.content(assembly))
    options = estimating(truth_tables._options(case, tmp_path, assembly))
    found = []
    for least in (NEVER, 1):
        try:
            result = result_of_content(
                Job(path=str(path), options=options), read_sites(str(path)), arrays_from=least
            )
        except PgxError as error:
            found.append(type(error))
            continue
        assert not result.rows
        assert not result.blocks
        found.append(_unpacked(result.run) if result.samples else None)
    one, other = found
    if isinstance(one, type) or one is None:
        assert one == other
        return
    assert sorted(map(tuple, one.likelihoods.tolist())) == [
        pytest.approx(row, rel=1e-5, abs=1e-30) for row in sorted(map(tuple, other.likelihoods.tolist()))
    ]
    assert one.people.sum() == other.people.sum()


@pytest.mark.parametrize("least", [NEVER, 1])
@pytest.mark.parametrize(
    ("fields", "plain"),
    [("GT:PL", "60,0,60"), ("GT:GL", "-6,0,-6"), ("GT:AD", "2,2"), ("GT:DP:PL", "9:60,0,60")],
)
def test_an_estimate_takes_likelihoods_as_they_stand(least, fields, plain, tmp_path):
    """What a call discounts for a few reads of another person says nothing of a population."""
    records = [site("rs429358", gt=[f"0/1:{plain}"], format=fields), site("rs7412", gt=["0/0"], format="GT")]
    path = str(write_vcf(tmp_path / "a.vcf", records=records, samples=["S"]))
    job = Job(path=path, options=estimating(Options(neighbours="off")))
    found = _unpacked(result_of_content(job, read_sites(path), arrays_from=least).run)
    called = one_call(path)
    place = [NAMES.index(name) for name in ("e3/e3", "e3/e4")]
    without, own = found.likelihoods[0, place]
    assert own / without == pytest.approx((called[place[1]] / called[place[0]]) ** (1 / 0.75), rel=1e-3)


def one_call(path):
    """Return the likelihoods of the ten diplotypes that the call of a file with one person rests on."""
    (report,) = annotate(path, Options(neighbours="off")).samples
    return relative_likelihoods(report)


def test_classes_of_many_inputs_are_joined():
    likelihoods, _ = CASES["few reads"]
    parts = [classes_of(likelihoods[start : start + 7]).packed() for start in range(0, len(likelihoods), 7)]
    whole, joined = classes_of(likelihoods), _all_joined(parts)
    assert joined.likelihoods.tolist() == whole.likelihoods.tolist()
    assert joined.people.tolist() == whole.people.tolist()
    assert len(_all_joined([]).people) == 0
    assert classes_of(np.zeros((2, 10))).likelihoods.tolist() == [[1.0] * 10], "what cannot be says nothing"


# Whole runs.

GROUPS = {"north": (0.0, 0.08, 0.62, 0.3), "south": (0.0, 0.15, 0.75, 0.1)}


def genotypes(diplotype, evidence):
    """Return the cells of both sites."""
    cells = []
    for place in range(len(LETTERS)):
        counted = copies_at(place)[NAMES.index(diplotype)]
        alternate = counted if place == 0 else 2 - counted
        gt = ("0/0", "0/1", "1/1")[alternate]
        pl = ("0,9,90", "60,0,60", "90,9,0")[alternate]
        cells.append({"PL": f"{gt}:{pl}", "GT": f"{gt}:.", "none": "./.:."}[evidence])
    return cells


def write_cohort(folder, sizes=(("north", 60), ("south", 55), ("", 50)), missing=(), files=1):
    """Write VCFs with all people and a manifest with their groups; return the manifest."""
    dice = np.random.default_rng(9)
    people = []
    for group, count in sizes:
        shares = GROUPS.get(group, (0.0, 0.1, 0.75, 0.15))
        for number in range(count):
            one, other = sorted(dice.choice(4, 2, p=shares) + 1)
            evidence = "none" if group in missing else "GT" if number % 5 == 0 else "PL"
            people.append((f"{group or 'x'}{number}", group, genotypes(f"e{one}/e{other}", evidence)))
    lines = ["path\tsample\tpopulation"]
    for number in range(files):
        own = people[number::files]
        records = [
            site(rsid, gt=[cells[place] for _, _, cells in own], format="GT:PL")
            for place, rsid in enumerate(LETTERS)
        ]
        write_vcf(
            folder / f"c{number}.vcf", records=records, samples=[name for name, _, _ in own], neighbours=False
        )
        lines += [f"c{number}.vcf\t{name}\t{group}" for name, group, _ in own]
    (folder / "m.tsv").write_text("\n".join(lines) + "\n")
    return folder / "m.tsv"


ESTIMATING = Options(population="estimate", neighbours="off")


def run_it(manifest, out, *, jobs=1, page=PageOptions(), options=ESTIMATING, arrays_from=None):  # noqa: B008
    plan = plan_inputs([], manifest, options)
    return run_cohort(plan, out, CohortOptions(jobs=jobs, page=page, arrays_from=arrays_from))


def rows_of(out):
    lines = (out / "samples.tsv").read_text().splitlines()
    return [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]


def summary_of(out):
    return json.loads((out / "summary.json").read_text())


FILES = ("samples.tsv", "samples.parquet", "summary.json", "index.html", "failures.tsv", "pgx_mqc.json")


def contents(out):
    return {name: bare(out / name) for name in FILES}


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    folder = tmp_path_factory.mktemp("usual")
    manifest = write_cohort(folder, files=3)
    run_it(manifest, folder / "out")
    return folder


def test_every_result_says_from_whom_its_frequencies_come(usual):
    names = {row["sample"][0]: row["population"] for row in rows_of(usual / "out")}
    assert {key: re.sub(r", estimated.*", "", name) for key, name in names.items()} == {
        "n": "60 people of this cohort (north)",
        "s": "55 people of this cohort (south)",
        "x": "50 people of this cohort",
    }
    assert list(rows_of(usual / "out")[0]) == list(COLUMNS)
    stored = one_report(usual / "out", "north3")
    assert stored.run.parameters.population == names["n"]
    assert any("one cohort" in text for text in stored.report.limitations)
    prior = {row.diplotype: row.prior for row in stored.report.genotype.calculation}
    assert prior == pytest.approx(dict(zip(NAMES, diplotype_prior(names["n"]), strict=True)))


def test_groups_have_their_own_frequencies_in_summary_and_page(usual):
    found = {item["group"]: item for item in summary_of(usual / "out")["estimates"]}
    assert list(found) == ["", "north", "south"]
    for group, item in found.items():
        likelihoods, people = [], []
        for row in rows_of(usual / "out"):
            if row["sample"].startswith(group or "x"):
                calculation = one_report(usual / "out", row["sample"]).report.genotype.calculation
                likelihoods.append(
                    [
                        line.likelihood["rs429358"] * line.likelihood["rs7412"] * line.phase_factor
                        for line in calculation
                    ]
                )
                people.append(1)
        assert item["people"] == item["read"] == item["samples"] == len(people)
        wanted = climbed(likelihoods, people)
        assert [row["share"] for row in item["haplotypes"]] == pytest.approx(wanted, abs=3e-5)
        assert all(row["low"] < row["share"] < row["high"] for row in item["haplotypes"])
    page = (usual / "out" / "index.html").read_text()
    assert "north (estimated)" in page
    assert "Frequencies that were estimated" in page
    assert found["north"]["nearest"]["name"] in page


def test_jobs_arrays_and_order_of_arrival_change_nothing(usual, tmp_path):
    run_it(usual / "m.tsv", tmp_path / "two", jobs=2)
    assert contents(tmp_path / "two") == contents(usual / "out")
    run_it(usual / "m.tsv", tmp_path / "arrays", arrays_from=1)
    assert [row["population"] for row in rows_of(tmp_path / "arrays")] == [
        row["population"] for row in rows_of(usual / "out")
    ]


@pytest.mark.parametrize("reading", [1, 2])
def test_a_run_that_was_killed_goes_on(reading, usual, tmp_path, monkeypatch):
    """In the first or in the second reading: nothing is done twice, and the bytes are the same."""
    done = []
    whole = run.annotate_missing

    def killed(state, jobs, *rest):
        done.append(len(done) + 1)
        kept = whole(state, jobs[:1] if len(done) == reading else jobs, *rest)
        if len(done) == reading:
            raise KeyboardInterrupt
        return kept

    monkeypatch.setattr(run, "annotate_missing", killed)
    with pytest.raises(KeyboardInterrupt):
        run_it(usual / "m.tsv", tmp_path / "out")
    assert not (tmp_path / "out" / "samples.tsv").exists()
    counts = []
    monkeypatch.setattr(run, "annotate_missing", lambda *given: counts.append(whole(*given)) or counts[-1])
    run_it(usual / "m.tsv", tmp_path / "out")
    assert contents(tmp_path / "out") == contents(usual / "out")
    assert counts == ([1, 0] if reading == 1 else [9, 1])
    run_it(usual / "m.tsv", tmp_path / "out")
    assert counts[2:] == [9, 9], "both readings are kept"


def test_one_more_person_changes_everybodys_frequencies(tmp_path):
    manifest = write_cohort(tmp_path, sizes=[("north", 60)])
    run_it(manifest, tmp_path / "out")
    before = rows_of(tmp_path / "out")
    cells = zip(LETTERS, genotypes("e4/e4", "PL"), strict=True)
    records = [site(rsid, gt=cell, format="GT:PL") for rsid, cell in cells]
    write_vcf(tmp_path / "more.vcf", samples=["more"], records=records, neighbours=False)
    manifest.write_text(manifest.read_text() + "more.vcf\tmore\tnorth\n")
    run_it(manifest, tmp_path / "out")
    after = rows_of(tmp_path / "out")
    assert {row["population"] for row in after}.isdisjoint({row["population"] for row in before})
    assert len(after) == 61
    assert len({row["population"] for row in after}) == 1


def test_a_small_group_is_refused_and_costs_no_other(tmp_path):
    least = int(threshold("estimate_min_people"))
    manifest = write_cohort(tmp_path, sizes=[("north", least), ("south", least - 1)])
    outcome = run_it(manifest, tmp_path / "out")
    assert outcome.failed == 1
    assert outcome.samples == least
    assert (
        f"both sites were read in {least - 1} people in the group 'south'"
        in (tmp_path / "out/failures.tsv").read_text()
    )
    found = {item["group"]: item for item in summary_of(tmp_path / "out")["estimates"]}
    assert found["south"]["haplotypes"] == []
    assert "too few people" in (tmp_path / "out" / "index.html").read_text()


def test_a_group_of_whom_nothing_is_known_is_refused(tmp_path):
    manifest = write_cohort(tmp_path, missing=("south",))
    outcome = run_it(manifest, tmp_path / "out")
    assert outcome.failed == 1
    assert "in 0 people in the group 'south'" in (tmp_path / "out" / "failures.tsv").read_text()
    assert {row["sample"][0] for row in rows_of(tmp_path / "out")} == {"n", "x"}


def test_where_no_group_is_large_enough_nothing_is_written(tmp_path):
    manifest = write_cohort(tmp_path, sizes=[("north", 20), ("south", 10)])
    with pytest.raises(UsageError, match="both sites were read in 20 people in the group 'north'"):
        run_it(manifest, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["cohort.sqlite"]


def test_people_without_data_leave_the_frequencies_as_they_are(tmp_path):
    manifest = write_cohort(tmp_path, sizes=[("north", 60)])
    run_it(manifest, tmp_path / "out")
    (before,) = summary_of(tmp_path / "out")["estimates"]
    none = [site(rsid, gt=["./.:."] * 50, format="GT:PL") for rsid in LETTERS]
    write_vcf(tmp_path / "none.vcf", samples=[f"Q{n}" for n in range(50)], records=none, neighbours=False)
    lines = "".join(f"none.vcf\tQ{n}\tnorth\n" for n in range(50))
    manifest.write_text(manifest.read_text() + lines)
    run_it(manifest, tmp_path / "out")
    (after,) = summary_of(tmp_path / "out")["estimates"]
    assert after["samples"] == 110
    assert after["people"] == 60
    assert after["haplotypes"] == before["haplotypes"]


def test_an_input_that_fails_fails_once(tmp_path):
    manifest = write_cohort(tmp_path, sizes=[("north", 60)])
    (tmp_path / "bad.vcf").write_text("no VCF\n")
    manifest.write_text(manifest.read_text() + "bad.vcf\tB\tnorth\n")
    assert run_it(manifest, tmp_path / "out").failed == 1
    assert len((tmp_path / "out" / "failures.tsv").read_text().splitlines()) == 2


def exchanged(cells):
    """Return the cells of rs429358 with its letters exchanged."""
    swap = {"0/0": "1/1", "1/1": "0/0"}
    made = []
    for cell in cells:
        gt, pl = cell.split(":")
        made.append(f"{swap.get(gt, gt)}:{','.join(reversed(pl.split(',')))}")
    return made


def codes(out):
    return [alarm["code"] for alarm in summary_of(out)["alarms"]]


def test_frequencies_that_no_population_has_raise_an_alarm(tmp_path, usual):
    assert "estimate" not in codes(usual / "out")
    for name, change, cause in (
        ("flip", exchanged, "of the other strand"),
        ("reference", lambda cells: ["0/0:0,9,90"] * len(cells), "taken for the reference"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        both = zip(*(genotypes(f"e3/e{3 + (n % 4 == 0)}", "PL") for n in range(120)), strict=True)
        cells = dict(zip(LETTERS, map(list, both), strict=True))
        cells["rs429358"] = change(cells["rs429358"])
        samples = [f"P{n}" for n in range(120)]
        records = [site(rsid, gt=cells[rsid], format="GT:PL") for rsid in LETTERS]
        write_vcf(folder / "a.vcf", samples=samples, records=records, neighbours=False)
        for out, page in (("out", PageOptions()), ("shared", PageOptions(min_cell=5))):
            plan = plan_inputs([str(folder / "a.vcf")], None, ESTIMATING)
            run_cohort(plan, folder / out, CohortOptions(jobs=1, page=page))
            assert "estimate" in codes(folder / out)
        (alarm,) = (item for item in summary_of(folder / "out")["alarms"] if item["code"] == "estimate")
        assert cause in alarm["message"]


def test_a_page_for_sharing_rounds_estimates_and_leaves_small_groups_out(tmp_path):
    manifest = write_cohort(tmp_path, sizes=[("north", 150), ("south", 120), ("west", 55)])
    page = PageOptions(min_cell=15)
    run_it(manifest, tmp_path / "out", page=page)
    found = summary_of(tmp_path / "out")
    assert [item["group"] for item in found["estimates"]] != []
    texts = [(tmp_path / "out" / name).read_text() for name in ("summary.json", "index.html", "pgx_mqc.json")]
    exact = {row["population"] for row in rows_of(tmp_path / "out")}
    assert len(exact) == 3
    for text in texts:
        assert "west" not in text
        for name in exact:
            assert name not in text
            assert not any(f"{share:.6g}" in text for share in estimated(name).frequencies)
    for item in found["estimates"]:
        assert item["people"] % 15 == item["samples"] % 15 == 0
        known = [row["share"] for row in item["haplotypes"] if row["share"] is not None]
        counts = [estimated(name).people for name in exact if estimated(name).group == item["group"]]
        assert sum(known) == pytest.approx(1, abs=1e-5)
        assert all(share >= 15 / (2 * counts[0] + 30) for share in known), "a count below the limit is hidden"


def test_rows_may_ask_for_an_estimate_beside_others(tmp_path):
    manifest = write_cohort(tmp_path, sizes=[("estimate", 60), ("EUR", 5)])
    run_it(manifest, tmp_path / "out", options=Options(neighbours="off"))
    names = {row["population"].partition(",")[0] for row in rows_of(tmp_path / "out")}
    assert names == {"EUR", "60 people of this cohort"}
    manifest = write_cohort(tmp_path, sizes=[("estimate", 4), ("EUR", 5)])
    outcome = run_it(manifest, tmp_path / "other", options=Options(neighbours="off"))
    assert (outcome.samples, outcome.failed) == (5, 1)


def test_what_cannot_be_estimated_is_refused_in_one_line(tmp_path):
    write_vcf(tmp_path / "a.vcf", records=[site("rs429358", gt="0/1")])
    name = Estimated(people=5, group="", frequencies=(0.1, 0.2, 0.3, 0.4)).name
    path, out = str(tmp_path / "a.vcf"), str(tmp_path / "out")
    for arguments, said in (
        (["annotate", path, "--population", "estimate"], "'estimate' needs a whole cohort"),
        (["annotate", path, "--population", name], "is the name that pgx gives"),
        (["cohort", path, "-o", out, "--population", name], "is the name that pgx gives"),
        (["cohort", path, "-o", out, "--population", "estimate", "--shard", "1/2"], "needs the whole cohort"),
    ):
        found = CliRunner().invoke(app, arguments)
        assert found.exit_code == 2
        assert said in found.output
        assert len(found.output.splitlines()) == 1
        assert not (tmp_path / "out").exists()
