"""Inputs that say nothing of people of whom another input says something: passed over, and only these."""

from __future__ import annotations

import json

import pytest
from vcf_builder import site, write_vcf

from cohort.conftest import rows_of, run
from pgx.cohort import one_report, run_cohort

NAMES = [f"{row}{column:02}" for row in "AB" for column in range(1, 11)]


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file with both sites, or with neither."""

    def one(name, *, speaks, samples=NAMES, **layout):
        records = [site("rs429358", gt="0/1:60", format="GT:GQ"), site("rs7412", gt="0/0:60", format="GT:GQ")]
        elsewhere = ["chr20\t5\t.\tA\tG\t.\tPASS\t.\tGT\t" + "\t".join(["0/1"] * len(samples))]
        layout = {"neighbours": False, **layout}
        return write_vcf(
            tmp_path / f"{name}.vcf", records=records if speaks else elsewhere, samples=samples, **layout
        )

    return one


def test_a_silent_input_of_the_same_people_is_passed_over(write, tmp_path, run_pgx):
    silent, speaking, more = write("a", speaks=False), write("b", speaks=True), write("c", speaks=False)
    out = tmp_path / "out"
    for kept in (0, 3):
        done = run_pgx("cohort", silent, speaking, more, "-o", out, "--jobs", 1)
        assert done.exit_code == 0
        lines = [line for line in done.stderr.splitlines() if line.startswith("passed over: ")]
        assert [line.split(" has no record near the sites")[0] for line in lines] == [
            f"passed over: {path}" for path in (silent, more)
        ]
        assert f"20 samples from 3 inputs in {out} ({kept} were done before, 0 failures)" in done.stderr
        assert "came more than once" not in done.stderr
    rows = rows_of(out / "samples.tsv")
    assert [row["sample"] for row in rows] == NAMES
    assert {(row["input"], row["diplotype"]) for row in rows} == {(str(speaking), "e3/e4")}
    assert one_report(out, "A03").run.input.path == str(speaking)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["passed_over"] == [str(silent), str(more)]
    assert (summary["samples"], summary["inputs"]["total"], summary["failures"]) == (20, 3, [])
    page = (out / "index.html").read_text()
    listed = page.partition("Inputs that were passed over")[2].partition("</ul>")[0]
    assert [listed.count(str(path)) for path in (silent, speaking, more)] == [1, 0, 1]


def test_it_counts_again_when_the_other_input_is_gone(write, tmp_path):
    silent, speaking = write("a", speaks=False), write("b", speaks=True)
    assert run([silent, speaking], tmp_path / "out").passed_over == (str(silent),)
    outcome = run([silent], tmp_path / "out")
    assert (outcome.samples, outcome.passed_over, outcome.kept) == (20, (), 1)
    assert {row["rs429358"] for row in rows_of(tmp_path / "out" / "samples.tsv")} == {"absent"}


def test_nobody_is_lost_where_every_input_is_silent(write, tmp_path):
    outcome = run([write("a", speaks=False), write("b", speaks=False)], tmp_path / "out")
    assert (outcome.samples, outcome.passed_over, outcome.duplicated) == (40, (), 20)


def test_no_input_that_speaks_is_passed_over(write, tmp_path):
    outcome = run([write("a", speaks=True), write("b", speaks=True)], tmp_path / "out")
    assert (outcome.samples, outcome.passed_over) == (40, ())


@pytest.mark.parametrize(
    "layout",
    [
        {"samples": NAMES[::-1]},
        {"samples": [*NAMES, "C01"]},
        {"assembly": "GRCh37", "contig": "chr19"},
    ],
    ids=["order", "one more", "assembly"],
)
def test_who_may_be_other_people_is_kept(layout, write, tmp_path):
    outcome = run([write("a", speaks=False, **layout), write("b", speaks=True)], tmp_path / "out")
    assert outcome.passed_over == ()
    assert outcome.samples == 20 + len(layout.get("samples", NAMES))


@pytest.mark.parametrize(("count", "is_passed_over"), [(19, False), (20, True)])
def test_few_equal_names_do_not_make_equal_people(count, is_passed_over, write, tmp_path):
    """Two pairs of tumour and normal have the same names, and are other people."""
    paths = [write(name, speaks=name == "b", samples=NAMES[:count]) for name in ("a", "b")]
    outcome = run(paths, tmp_path / "out")
    assert outcome.passed_over == ((str(paths[0]),) if is_passed_over else ())
    assert outcome.duplicated == (0 if is_passed_over else count)


@pytest.mark.parametrize(
    ("first", "second", "is_passed_over"),
    [("", "x", True), ("x", "x", True), ("y", "x", False), ("y", "", False)],
)
def test_what_the_manifest_tells_apart_is_kept(first, second, is_passed_over, write, tmp_path):
    write("a", speaks=False)
    write("b", speaks=True)
    (tmp_path / "m.tsv").write_text(f"path\tbatch\na.vcf\t{first}\nb.vcf\t{second}\n")
    outcome = run([], tmp_path / "out", manifest=tmp_path / "m.tsv")
    assert bool(outcome.passed_over) == is_passed_over
    assert outcome.samples == (20 if is_passed_over else 40)


def test_slices_that_were_done_apart_are_passed_over_when_merged(write, tmp_path):
    from pgx.cohort import CohortOptions, PageOptions, plan_inputs
    from pgx.cohort.run import merge
    from pgx.options import Options

    paths = [str(write("a", speaks=False)), str(write("b", speaks=True))]
    plan = plan_inputs(paths, None, Options())
    folders = [tmp_path / "one", tmp_path / "two"]
    for number, folder in enumerate(folders, 1):
        outcome = run_cohort(plan, folder, CohortOptions(jobs=1, shard=(number, 2)))
        assert (outcome.samples, outcome.passed_over) == (20, ())
    outcome = merge(folders, tmp_path / "out", PageOptions())
    assert (outcome.samples, outcome.passed_over) == (20, (paths[0],))
