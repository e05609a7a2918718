"""A page for sharing: no small count can be seen or worked out, and nothing of single samples is left."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vcf_builder import write_vcf

from cohort.conftest import records
from cohort.test_page import E33, E34, E44, USUAL, cohort, summary_of
from pgx.calling import haplotype_frequencies
from pgx.cohort import CohortOptions, plan_inputs, run_cohort
from pgx.cohort.summary.statistics import Cells
from pgx.options import Options, PageOptions

SHARED = PageOptions(min_cell=5)
FILES = ("summary.json", "index.html", "pgx_mqc.json")


@pytest.fixture(autouse=True)
def _one_moment(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796000000")  # 2026


def texts(folder):
    return {name: (folder / name).read_text() for name in FILES}


def counts(value):
    """Yield every count of a summary."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in {"count", "samples", "unstated", "total", "failed", "joined"} and isinstance(item, int):
                yield item
            elif key == "genotypes":
                yield from (number for number in item.values() if number is not None)
            else:
                yield from counts(item)
    elif isinstance(value, list):
        for item in value:
            yield from counts(item)


def test_small_counts_and_single_samples_are_left_out(tmp_path):
    people = USUAL * 8 + [(E44, "b1"), ((None, "0/0"), "rare clinic")]
    folder = cohort(tmp_path, people, page=SHARED)
    found = summary_of(folder)
    assert not (folder / "pgx_samples_mqc.json").exists()
    for text in texts(folder).values():
        assert not re.search(r"P0\d\d|\.vcf|rare clinic", text)
    for key in ("undetermined", "ambiguous", "failures", "joined", "passed_over"):
        assert found[key] == []
    shown = list(counts(found))
    assert len(shown) > 30
    assert [number for number in shown if number % 5] == []
    (stratum,) = found["strata"]
    assert [item["value"] for item in stratum["values"]] == ["b1"], "nor is it the rest of all others"
    assert stratum["left_out"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([(E44, "b1")], [(E44, "b1")] * 2),
        ([(E44, "b1"), (E44, "b2"), (E44, "b2")], [(E44, "b1"), (E44, "b1"), (E44, "b2")]),
        ([((None, "0/0"), "b1")], [((None, "0/0"), "b1")] * 2),
        ([(("0/1", "1/1"), "b1")], [(("0/1", "1/1"), "b1")] * 2),
    ],
    ids=["homozygous", "homozygous in a batch", "unread", "rare"],
)
def test_cohorts_that_differ_in_small_counts_look_the_same(one, other, tmp_path):
    """Nobody can tell from the files whether one or two people are the exception."""
    usual = [(E33, "b1"), (E33, "b2")] * 20 + [(E34, "b1"), (E34, "b2")] * 10
    found = []
    for name, more in (("one", one), ("other", other)):
        (tmp_path / name).mkdir()
        found.append(texts(cohort(tmp_path / name, [*usual, *more], page=SHARED)))
    assert found[0] == found[1]


def test_nothing_follows_from_what_is_expected(tmp_path):
    """The mean of the frequencies of several populations would tell how many people each has."""
    rows = ["path\tpopulation\tbatch\n"]
    for number in range(60):
        path = tmp_path / f"p{number}.vcf"
        write_vcf(path, records=records(*E33), samples=[f"P{number}"], neighbours=False)
        population = "AFR" if number < 2 else "EAS" if number == 2 else "EUR"
        rows.append(f"{path}\t{population}\tb{number % 2}\n")
    (tmp_path / "m.tsv").write_text("".join(rows))
    plan = plan_inputs([], tmp_path / "m.tsv", Options())
    run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1, page=SHARED))
    found = summary_of(tmp_path / "out")
    assert found["population"] == {"name": "EUR", "label": "European"}
    expected = haplotype_frequencies("EUR")
    assert [row["expected"] for row in found["haplotypes"]] == pytest.approx(expected, rel=1e-5)
    assert not any(re.search("African|East Asian|AFR|EAS", text) for text in texts(tmp_path / "out").values())


def test_of_a_very_small_cohort_nothing_is_counted(tmp_path):
    """Of 12 people the sums of what is shown would leave one solution only."""
    people = [(E33, "b1")] * 5 + [(E34, "b1")] * 5 + [(E44, "b2"), ((None, None), "b2")]
    folder = cohort(tmp_path, people, page=SHARED)
    assert list(counts(summary_of(folder))) == []
    assert "hidden" in (folder / "index.html").read_text()


def test_groups_of_one_or_two_are_shown_nowhere(tmp_path):
    """A folder or a column that names a person would say what that person is."""
    people = USUAL + [(E44, "Ann Smith")] * 2
    folder = cohort(tmp_path, people)
    (stratum,) = summary_of(folder)["strata"]
    # one more group is left out: what is left out must not be what the total less all others is
    assert [item["value"] for item in stratum["values"]] == ["b2"]
    assert stratum["left_out"]
    assert "Ann Smith" not in (folder / "index.html").read_text()


@pytest.mark.parametrize(
    "options", [("--min-cell", 1), ("--min-cell", 5, "--by", "input"), ("--min-cell", 5, "--by", "folder")]
)
def test_what_would_hide_nothing_is_refused(options, tmp_path, run_pgx):
    write_vcf(tmp_path / "a.vcf", neighbours=False)
    refused = run_pgx("cohort", tmp_path / "a.vcf", "-o", tmp_path / "out", *options)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: --min-cell")


def test_an_alarm_is_told_without_numbers(tmp_path):
    people = [((None, "0/0"), "a"), (E33, "b")] * 30
    folder = cohort(tmp_path, people, options=Options(absent_sites="reference"), page=SHARED)
    alarms = summary_of(folder)["alarms"]
    assert {"all_the_same", "assumed_reference"} <= {alarm["code"] for alarm in alarms}
    for alarm in alarms:
        assert alarm["message"] in (folder / "index.html").read_text()
        assert not re.search(r"\d{2}|rs\d", alarm["message"])


@given(st.integers(0, 10**6), st.integers(2, 50))
def test_a_count_is_hidden_or_rounded(number, least):
    shown = Cells(least).count(number)
    if number < least:
        assert shown is None
    else:
        assert shown % least == 0
        assert abs(shown - number) <= least / 2 or shown == least


@given(st.lists(st.integers(0, 300), min_size=3, max_size=3))
def test_nothing_is_hidden_without_a_limit(numbers):
    cells = Cells()
    assert [cells.count(number) for number in numbers] == numbers
    rows = cells.rows(dict(zip("abc", numbers, strict=True)))
    assert [row["count"] for row in rows] == sorted(numbers, reverse=True)


def test_shares_come_from_the_rounded_counts():
    row = Cells(5).row("a", 52, 103)
    assert (row["count"], row["share"]) == (50, pytest.approx(50 / 105, rel=1e-5))
    assert Cells(5).row("a", 3, 103) == {"name": "a", "count": None, "share": None, "low": None, "high": None}
    assert Cells(5).hardy_weinberg((52, 20, 3)) is None
    assert Cells(5).hardy_weinberg((52, 21, 8)) == Cells().hardy_weinberg((50, 20, 10))


def test_an_alarm_does_not_tell_whether_anybody_differs(tmp_path):
    found = []
    for name, more in (("same", []), ("one", [(E34, "b1")])):
        (tmp_path / name).mkdir()
        found.append(texts(cohort(tmp_path / name, [(E33, "b1")] * (60 - len(more)) + more, page=SHARED)))
    assert found[0] == found[1]
    assert "all_the_same" in found[0]["summary.json"]


def test_a_page_for_sharing_lists_nobody(tmp_path, run_pgx):
    refused = run_pgx("cohort", tmp_path, "-o", tmp_path / "out", "--min-cell", 5, "--sample-table")
    assert refused.exit_code == 2


def test_hidden_counts_take_their_room_in_the_bars_of_multiqc(tmp_path):
    """MultiQC draws shares: without it, nobody would seem to be not determined."""
    people = [(E33, "b1")] * 21 + [((None, None), "b1")] * 4 + [(E33, "b2")] * 30
    folder = cohort(tmp_path, people, page=SHARED)
    content = json.loads((folder / "pgx_mqc.json").read_text())
    assert content["data"]["batch = b1"] == {"non-carrier": 20, "hidden": 5}
    assert list(content["categories"])[-1] == "hidden"
    (tmp_path / "plain").mkdir()
    plain = json.loads((cohort(tmp_path / "plain", people) / "pgx_mqc.json").read_text())
    assert "hidden" not in plain["categories"]


def test_the_log_of_a_page_for_sharing_names_nobody(tmp_path, run_pgx):
    for name in ("a", "b"):
        write_vcf(tmp_path / f"{name}.vcf", records=records(*E33), samples=["Ann"], neighbours=False)
    done = run_pgx("cohort", tmp_path, "-o", tmp_path / "out", "--min-cell", "5")
    assert "some samples came more than once. See samples.tsv" in done.stderr
    assert "Ann" not in done.stderr
    assert "Ann" in run_pgx("cohort", tmp_path, "-o", tmp_path / "out").stderr
