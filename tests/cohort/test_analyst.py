"""The page as an analyst works with it: groups, tests, links, reports, sample table in Chromium, MultiQC."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from vcf_builder import write_vcf

from cohort.conftest import records, rows_of, write_good
from cohort.test_page import E33, E34, E44, USUAL, browser, cohort, summary_of  # noqa: F401 - a fixture
from pgx.calling import haplotype_frequencies
from pgx.cohort import CohortOptions, plan_inputs, run_cohort
from pgx.cohort.summary.statistics import benjamini_hochberg, wilson
from pgx.cohort.summary.tally import QUALITY, SHOWN
from pgx.cohort.tables import reports as made
from pgx.genome import rsids
from pgx.options import Options, PageOptions
from pgx.render import cohort_page
from pgx.render.cohort_table import SampleTable

MANY = 100_000


def page_of(folder):
    return (folder / "index.html").read_text(encoding="utf-8")


def section(page, key):
    return re.search(rf'<section id="{key}">.*?</section>', page, re.DOTALL).group(0)


# How it was made, and its links


def test_the_page_says_how_it_was_made(tmp_path, run_pgx, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796000000")
    write_vcf(tmp_path / "a.vcf", neighbours=False)
    url = "https://user:secret@127.0.0.1:9/x.vcf?X-Signature=secret"
    out = tmp_path / "out dir"
    run_pgx("cohort", tmp_path / "a.vcf", url, "-o", out, "--population", "EUR", "--min-gq", 20, "--jobs", 1)
    made = re.search(r'<dl class="made".*?</dl>', page_of(out), re.DOTALL).group(0)
    assert "2026-11-30T00:53:20Z" in made
    assert f"pgx cohort {tmp_path / 'a.vcf'}" in made
    assert "secret@" not in made
    assert "Signature" not in made
    assert "<code>--population</code> EUR;" in made
    assert "<code>--min-gq</code> 20;" in made
    assert "--min-dp" not in made
    assert json.loads((out / "summary.json").read_text())["reference"]["release"] in made


@pytest.mark.parametrize("shared", [True, False])
def test_a_page_for_sharing_tells_no_names_of_files(tmp_path, run_pgx, shared):
    lines = ["path\ttaking\n"]
    for number in range(24):
        write_vcf(
            tmp_path / f"Ann{number}.vcf", records=records(*E33), samples=[f"P{number}"], neighbours=False
        )
        lines.append(f"Ann{number}.vcf\tlithium\n")
    (tmp_path / "secret.tsv").write_text("".join(lines))
    more = ("--min-cell", 5) if shared else ()
    done = run_pgx(
        "cohort", "--manifest", tmp_path / "secret.tsv", "-o", tmp_path / "out", "--jobs", 1, *more
    )
    assert done.exit_code == 0, done.stderr
    page = page_of(tmp_path / "out")
    linked = set(re.findall(r'href="(?!#)([^"]*)"', page))
    assert ("secret.tsv" in page) != shared
    assert ("Ann1" in page) != shared
    assert "lithium" not in page
    assert (linked == {"summary.json", "pgx_mqc.json"}) == shared
    assert (tmp_path / "out" / "pgx_samples_mqc.json").exists() != shared


def test_a_pseudonymised_page_does_not_repeat_the_command(tmp_path, run_pgx):
    write_vcf(tmp_path / "Ann.vcf", samples=["Ann"], neighbours=False)
    (tmp_path / "key").write_bytes(b"k" * 40)
    arguments = ("cohort", tmp_path / "Ann.vcf", "-o", tmp_path / "out", "--pseudonymise", tmp_path / "key")
    done = run_pgx(*arguments, "--sample-table", "--jobs", 1)
    assert done.exit_code == 0, done.stderr
    assert "Ann" not in page_of(tmp_path / "out")


def test_no_option_tells_what_is_hidden():
    def told(page, *options):
        return dict(made._options(set(options), page))

    regions, key = Path("/data/Ann.bed"), Path("/data/key")
    plain, shared = PageOptions(), PageOptions(min_cell=5)
    assert told(plain, Options(callable_bed=regions))["--callable"] == ("Ann.bed",)
    assert told(plain, Options(callable_bed=regions, pseudonymise=key))["--callable"] == ("…",)
    assert "--population" in told(plain, Options(population="EUR"), Options(population="AFR"))
    assert "--population" not in told(shared, Options(population="EUR"), Options(population="AFR"))
    assert "--population" not in told(shared, Options(population="EUR"))
    assert told(shared, Options(callable_bed=regions))["--callable"] == ("…",)
    assert told(shared, Options(min_gq=20))["--min-gq"] == ("20",)
    many = told(plain, *(Options(callable_bed=Path(f"{number}.bed")) for number in range(9)))
    assert len(many["--callable"]) == 6


# Groups, shares and tests


def test_bars_are_shares_of_the_whole(tmp_path):
    page = page_of(cohort(tmp_path, USUAL))
    (row,) = re.findall(r'<tr><th scope="row">no copy of ε4.*?</tr>', page)
    assert "75.0 %" in row
    assert f'width="{cohort_page._BAR * 0.75}"' in row


def test_what_is_not_determined_has_a_part_of_every_bar(tmp_path):
    people = USUAL * 2 + [((None, "0/0"), "b1"), ((None, None), "b2")]
    page = page_of(cohort(tmp_path, people))
    rows = re.findall(r'<tr><th scope="row" class="g">(.*?)</th>(.*?)</tr>', section(page, "statuses"))
    assert [name for name, _ in rows] == ["all samples", "b1", "b2"]
    for _, row in rows:
        parts = re.findall(r'class="part s-([\w-]+)" x="([\d.]+)" y="2" width="([\d.]+)"', row)
        assert parts[-1][0] == "indeterminate"
        assert float(parts[-1][1]) + float(parts[-1][2]) == pytest.approx(1000, abs=0.5)
        assert sum(float(width) for _, _, width in parts) == pytest.approx(1000, abs=0.5)
        assert "not determined: " in row
    assert "not determined: 11.1 %" in rows[1][1]


def test_a_small_share_is_seen_and_a_hidden_one_leaves_a_gap():
    rows = [{"name": "non-carrier", "share": 0.99999}, {"name": "indeterminate", "share": 0.00001}]
    first, second = cohort_page._stack(rows)
    assert second["width"] >= 3
    assert first["width"] + second["width"] <= 1000.1
    gap = cohort_page._stack(
        [{"name": "non-carrier", "share": 0.5}, {"name": "indeterminate", "share": None}]
    )
    assert [(part["x"], part["width"]) for part in gap] == [(0, 500)]


def test_haplotypes_by_group_beside_what_ships(tmp_path):
    folder = cohort(tmp_path, USUAL * 3)
    found = summary_of(folder)
    (stratum,) = found["strata"]
    b1 = {row["name"]: row for row in stratum["values"][0]["haplotypes"]}
    assert (b1["e4"]["count"], b1["e3"]["count"]) == (3, 21)
    low, high = wilson(3, 24)
    assert (b1["e4"]["share"], b1["e4"]["low"], b1["e4"]["high"]) == pytest.approx(
        (3 / 24, low, high), rel=1e-5
    )
    names = ["e1", "e2", "e3", "e4"]
    assert b1["e4"]["expected"] == pytest.approx(haplotype_frequencies("global")[names.index("e4")], rel=1e-5)
    shipped = [haplotype_frequencies(name)[3] for name in ("AFR", "AMR", "EAS", "EUR", "SAS")]
    (band,) = [row for row in found["expected_range"] if row["name"] == "e4"]
    assert (band["low"], band["high"]) == pytest.approx((min(shipped), max(shipped)), rel=1e-5)
    plot = section(page_of(folder), "diplotypes")
    assert plot.count('class="dot"') == 9, "three haplotypes of everybody and of two groups"
    assert plot.count('class="band"') == 9


def test_the_difference_of_populations_is_no_alarm(tmp_path):
    """AFR has nearly twice as much e4 as EUR: a site with other people is no batch gone wrong."""
    rng = random.Random(5)  # noqa: S311 - no secret
    lines = ["path\tpopulation\tsite\n"]
    for number in range(600):
        site, population = ("Lagos", "AFR") if number % 2 else ("Lyon", "EUR")
        share = haplotype_frequencies(population)[3]
        copies = sum(rng.random() < share for _ in "ab")
        pair = (("0/0", "0/1", "1/1")[copies], "0/0")
        write_vcf(
            tmp_path / f"{number}.vcf", records=records(*pair), samples=[f"P{number}"], neighbours=False
        )
        lines.append(f"{number}.vcf\t{population}\t{site}\n")
    (tmp_path / "m.tsv").write_text("".join(lines))
    plan = plan_inputs([], tmp_path / "m.tsv", Options())
    run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1))
    assert "stratum_frequency" not in [alarm["code"] for alarm in summary_of(tmp_path / "out")["alarms"]]
    without = "".join(line.replace("\tAFR\t", "\tEUR\t") for line in lines)
    (tmp_path / "m.tsv").write_text(without)
    plan = plan_inputs([], tmp_path / "m.tsv", Options())
    run_cohort(plan, tmp_path / "other", CohortOptions(jobs=1))
    assert "stratum_frequency" in [alarm["code"] for alarm in summary_of(tmp_path / "other")["alarms"]]


def test_benjamini_hochberg():
    # the fifteen P of Benjamini and Hochberg 1995, section 4.2: four hold at 0.05
    found = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
        0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
    ]  # fmt: skip
    corrected = benjamini_hochberg(found)
    assert sum(value <= 0.05 for value in corrected) == 4
    assert corrected[3] == pytest.approx(0.0095 * 15 / 4)
    assert corrected == sorted(corrected)
    shuffled = np.random.default_rng(1).permutation(len(found))
    assert benjamini_hochberg([found[place] for place in shuffled]) == [
        corrected[place] for place in shuffled
    ]
    assert benjamini_hochberg([]) == []


def test_the_page_says_how_many_tests_were_made_and_which_hold(tmp_path):
    folder = cohort(tmp_path, [(E44, "b1")] * 15 + [(E33, "b2")] * 15 + [(E34, "b3")] * 15)
    tests = summary_of(folder)["tests"]
    assert tests["made"] == 8, "two sites, of everybody and of three groups"
    assert [(row["rsid"], row["column"], row["value"]) for row in tests["hold"]] == [
        ("rs429358", "batch", "b3")
    ]
    words = section(page_of(folder), "sites")
    assert "8 Hardy-Weinberg tests were made" in words
    assert "1 hold: rs429358 in batch = b3" in words


def test_a_folder_that_repeats_a_column_is_not_shown_again(tmp_path):
    lines = ["path\tsite\n"]
    for number in range(12):
        folder = tmp_path / ("x", "y")[number % 2]
        folder.mkdir(exist_ok=True)
        write_vcf(folder / f"{number}.vcf", records=records(*E33), samples=[f"P{number}"], neighbours=False)
        lines.append(f"{folder / str(number)}.vcf\t{('Lyon', 'Lima')[number % 2]}\n")
    (tmp_path / "m.tsv").write_text("".join(lines))
    plan = plan_inputs([], tmp_path / "m.tsv", Options())
    run_cohort(plan, tmp_path / "a", CohortOptions(jobs=1))
    found = summary_of(tmp_path / "a")
    assert [item["column"] for item in found["strata"]] == ["site"]
    assert found["repeated"] == [{"column": "folder", "repeats": "site"}]
    assert "The division by folder is the same as that by site" in page_of(tmp_path / "a")
    page = PageOptions(by=("site", "folder"))
    run_cohort(plan, tmp_path / "b", CohortOptions(jobs=1, page=page))
    assert [item["column"] for item in summary_of(tmp_path / "b")["strata"]] == ["site", "folder"]


def test_what_no_file_states_is_one_line(tmp_path):
    for number in range(3):
        name = tmp_path / f"{number}.vcf"
        write_vcf(name, records=["{chrom}\t{rs429358}\t.\tT\tC\t.\tPASS\t.\tGT\t0/1"], samples=[f"P{number}"])
    plan = plan_inputs([str(tmp_path)], None, Options())
    run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1))
    shown = section(page_of(tmp_path / "out"), "distributions")
    assert "No file states: Reads at rs429358, Reads at rs7412, Genotype quality at rs429358," in shown
    assert shown.count("<table") == 1


def test_each_reason_has_one_advice(tmp_path):
    folder = cohort(tmp_path, USUAL + [((None, "0/0"), "b1")] * 9 + [((None, None), "b2")] * 4)
    shown = section(page_of(folder), "undetermined")
    assert len(summary_of(folder)["undetermined"]) == 13
    assert shown.count("What would settle them: an all-sites file") == 1
    assert "A site could not be used (13 listed)" in shown


# Reports


def test_reports_have_the_names_of_samples_and_tables_link_them(tmp_path, run_pgx):
    people = ["NA12878", "na12878", "A/B", "index", "Twice", "Zoë"]
    for number, name in enumerate(people):
        write_vcf(tmp_path / f"{number}.vcf", samples=[name], neighbours=False)
    shutil.copy(tmp_path / "4.vcf", tmp_path / "9.vcf")
    (tmp_path / "only.vcf").write_text((tmp_path / "0.vcf").read_text().replace("NA12878", "Only"))
    out = tmp_path / "out"
    arguments = ("cohort", *sorted(tmp_path.glob("*.vcf")), "-o", out, "--jobs", 1, "--sample-table")
    assert run_pgx(*arguments, "--reports", "html").exit_code == 0
    rows = rows_of(out / "samples.tsv")
    assert len({row["report"].casefold() for row in rows}) == len(rows) == 8
    by_name = {row["sample"]: row["report"] for row in rows}
    for name, stem in (
        ("Only", "Only"),
        ("NA12878", "NA12878"),
        ("A/B", "A_B"),
        ("index", "index"),
        ("Zoë", "Zo"),
    ):
        assert re.fullmatch(rf"reports/{stem}\.[0-9a-f]{{8}}\.html", by_name[name])
    for row in rows:
        assert row["sample"] in (out / row["report"]).read_text()
        assert f'<a href="{row["report"]}">' in page_of(out)
    index = {row["file"]: row["sample"] for row in rows_of(out / "reports" / "index.tsv")}
    assert {f"reports/{file}": sample for file, sample in index.items()} == {
        row["report"]: row["sample"] for row in rows
    }
    import pgx

    assert list(pgx.read_cohort(out)["report"]) == [row["report"] for row in rows]
    assert run_pgx(*arguments).exit_code == 0
    assert {row["report"] for row in rows_of(out / "samples.tsv")} == {""}
    assert "reports/" not in page_of(out)
    assert pgx.read_cohort(out)["report"].isna().all()


def test_a_report_of_a_biobank_file_is_linked_too(tmp_path, run_pgx):
    write_vcf(tmp_path / "a.vcf", samples=[f"S{number}" for number in range(6)], neighbours=False)
    (tmp_path / "wanted").write_text("S4\nS1\nnobody\n")
    more = ("--reports", "json", "--reports-for", tmp_path / "wanted", "--jobs", 1)
    from pgx.cohort import run as running

    before, running.ARRAYS_FROM = running.ARRAYS_FROM, 2
    try:
        done = run_pgx("cohort", tmp_path / "a.vcf", "-o", tmp_path / "out", *more)
    finally:
        running.ARRAYS_FROM = before
    assert "no sample 'nobody'" in done.stderr
    names = [row["report"] for row in rows_of(tmp_path / "out" / "samples.tsv")]
    assert [bool(name) for name in names] == [False, True, False, False, True, False]
    for sample in (1, 4):
        assert re.fullmatch(rf"reports/S{sample}\.[0-9a-f]{{8}}\.json", names[sample])
    assert {f"reports/{path.name}" for path in (tmp_path / "out" / "reports").iterdir()} == {
        *filter(None, names),
        "reports/index.tsv",
    }


def test_a_file_of_the_user_is_not_written_over(tmp_path, run_pgx):
    write_vcf(tmp_path / "a.vcf", samples=["S1"], neighbours=False)
    arguments = ("cohort", tmp_path / "a.vcf", "-o", tmp_path / "out", "--jobs", 1)
    assert run_pgx(*arguments).exit_code == 0
    (tmp_path / "out" / "reports").mkdir()
    (tmp_path / "out" / "reports" / "s1.html").write_text("mine")
    (tmp_path / "out" / "reports" / "index.tsv").write_text("file\tsample\tinput\n../../a.vcf\t\t\n")
    for _ in range(2):
        assert run_pgx(*arguments, "--reports", "html").exit_code == 0
        (row,) = rows_of(tmp_path / "out" / "samples.tsv")
        assert re.fullmatch(r"reports/S1\.[0-9a-f]{8}\.html", row["report"])
    assert (tmp_path / "out" / "reports" / "s1.html").read_text() == "mine"
    assert (tmp_path / "a.vcf").exists()


# The sample table


def made_table(samples, *, path="p.vcf"):
    """Return a table of made samples: EUR and AFR, all diplotypes but e1, some not determined, one minor."""
    kinds = [
        ("e3/e3", "non-carrier", "T/T", "C/C"), ("e3/e4", "heterozygous", "T|C", "C|C"),
        ("e4/e4", "homozygous", "C/C", "C/C"), ("e2/e3", "non-carrier", "T/T", "C/T"),
        (None, "indeterminate", "absent", "C/C"),
    ]  # fmt: skip
    numbers = range(samples)
    chosen = [kinds[number % 5] for number in numbers]
    cells = {
        "sample": [f"P{number + 1}" for number in numbers],
        "diplotype": [kind[0] for kind in chosen],
        "diplotype_probability": [0.5 + number % 100 / 201 for number in numbers],
        "e4_status": [kind[1] for kind in chosen],
        rsids()[0]: [kind[2] for kind in chosen],
        rsids()[1]: [kind[3] for kind in chosen],
        "flags": ["absent-site" if kind[0] is None else "" for kind in chosen],
        "population": [("EUR", "AFR", "EUR")[number % 3] for number in numbers],
        "manifest:site": [f"site {number % 7}" for number in numbers],
        "input": [path] * samples,
        "report": [None if number % 2 else f"reports/P{number + 1}.html" for number in numbers],
    }
    for name in cells.keys() - {"sample", "input", "report"}:
        cells[name][3] = "minor" if name == "flags" else None
    return SampleTable(cells=cells, more={"manifest:site": "site"}, samples=samples, static_rows=20)


@pytest.fixture(scope="module")
def page_with(tmp_path_factory):
    """Return a function that writes a page with a table of so many samples, and its path."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "in").mkdir()
    summary = summary_of(cohort(folder / "in", USUAL))
    made = cohort_page.Made(when="", command="", options=(), inputs=(), files=("samples.tsv",))

    def write(samples, **more):
        path = folder / f"{samples}.html"
        path.write_text(cohort_page.page(summary, made, made_table(samples, **more)), encoding="utf-8")
        return path

    return write


@pytest.fixture
def opened(browser):  # noqa: F811
    """Return a function that opens a page and notes what is wrong with it."""
    problems = []
    pages = []

    def show(path, **options):
        page = browser.new_page(**options)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda asked: problems.append(asked.url) if asked.url != path.as_uri() else None)
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.close()
    assert problems == []


def found(page, text):
    """Search, and return how many samples there are and the names on the page."""
    page.fill("#search", text)
    page.wait_for_timeout(150)
    told = re.sub(r"\s", "", page.text_content("#found"))
    count = int(told.partition("of")[0]) if told[0].isdigit() else 0
    return count, page.locator("#samples tbody th").all_text_contents()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("e4/e4", lambda n: n % 5 == 2),
        ("ε4/ε4", lambda n: n % 5 == 2),
        ("E4/E3", lambda n: n % 5 == 1),
        ("homozygous", lambda n: n % 5 == 2),
        ("hom", lambda n: n % 5 == 2),
        ("carrier", lambda n: n % 5 in {1, 2}),
        ("non-carrier", lambda n: n % 5 in {0, 3} and n != 3),
        ("no ε4", lambda n: n % 5 in {0, 3} and n != 3),
        ("not determined", lambda n: n % 5 == 4),
        ("undetermined", lambda n: n % 5 == 4),
        ("T/C", lambda n: n % 5 == 1),
        ("absent-site", lambda n: n % 5 == 4),
        ("no record", lambda n: n % 5 == 4),
        ("EUR", lambda n: n % 3 != 1 and n != 3),
        ("african", lambda n: n % 3 == 1),
        ("p12", lambda n: str(n + 1).startswith("12")),
        ("african e4/e4 p12", lambda n: n % 3 == 1 and n % 5 == 2 and str(n + 1).startswith("12")),
        ("withheld", lambda n: n == 3),
        ("e9/e9", lambda n: False),
    ],
)  # fmt: skip
def test_the_search_finds_what_users_type(opened, page_with, text, wanted):
    count, names = found(opened(page_with(300)), text)
    assert count == sum(map(wanted, range(300)))
    assert names == [f"P{number + 1}" for number in range(300) if wanted(number)][:100]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("no ε4", lambda n: n % 5 in {0, 3} and n != 3),
        ("two ε4", lambda n: n % 5 == 2),
        ("not determined", lambda n: n % 5 == 4),
        ("not determined african", lambda n: n % 5 == 4 and n % 3 == 1),
        ("african no e4", lambda n: n % 5 in {0, 3} and n != 3 and n % 3 == 1),
        ("non carrier", lambda n: n % 5 in {0, 3} and n != 3),
    ],
)  # fmt: skip
def test_words_of_a_result_are_not_found_apart(opened, page_with, text, wanted):
    """A path with "no" in it, and a diplotype with ε4, are not "no ε4"."""
    path = "/annotated/nobody/two/determined/non/p.vcf"
    count, names = found(opened(page_with(60, path=path)), text)
    assert names == [f"P{number + 1}" for number in range(60) if wanted(number)]
    assert count == len(names)


def chance(number):
    """Return the probability of `made_table`, where there is a diplotype, as far as it is shown."""
    return -1.0 if number % 5 == 4 else int((0.5 + number % 100 / 201) * 1000 + 1e-9)


def test_filters_and_sorting_by_keyboard(opened, page_with):
    page = opened(page_with(300))
    page.get_by_label("Filter: ε4 status").select_option(label="two ε4")
    page.get_by_label("Filter: Probability").fill("> 70 %")
    page.wait_for_timeout(150)
    wanted = [n for n in range(300) if n % 5 == 2 and 0.5 + n % 100 / 201 > 0.7]
    names = page.locator("#samples tbody th").all_text_contents()
    assert names == [f"P{n + 1}" for n in wanted]
    page.get_by_label("Filter: Probability").fill("much")
    page.wait_for_timeout(150)
    assert page.get_by_label("Filter: Probability").get_attribute("aria-invalid") == "true"
    page.get_by_role("button", name="Show all again").click()
    assert page.evaluate("document.activeElement.id") == "search"
    head = page.locator("#samples thead th").first
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    names = page.locator("#samples tbody th").all_text_contents()
    assert names[:12] == [f"P{n}" for n in range(1, 13)], "P2 before P10"
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.locator("#samples tbody th").first.text_content() == "P300"
    assert page.evaluate("document.activeElement.textContent") == "Sample", "the focus stays"
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") is None
    for name, key, empty in (
        ("ε4 status", lambda n: (0, 1, 2, 0, 9)[n % 5], -1),
        ("Probability", chance, -1.0),
    ):
        page.locator("#samples thead").get_by_role("button", name=name).click()
        names = page.locator("#samples tbody th").all_text_contents()
        wanted = sorted(range(300), key=lambda n, key=key, empty=empty: (empty if n == 3 else key(n), n))
        assert names == [f"P{n + 1}" for n in wanted[:100]], name
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # as it was
    page.get_by_role("button", name="Last").focus()
    page.keyboard.press("Enter")
    assert "201 to 300 of 300" in page.text_content("#t-pages")
    assert page.get_by_role("button", name="Next").get_attribute("aria-disabled") == "true"
    assert page.locator("#samples tbody tr").last.get_attribute("aria-rowindex") == "302"
    assert page.locator("#samples").get_attribute("aria-rowcount") == "302"
    page.get_by_label("Rows a page").select_option("50")
    assert page.locator("#samples tbody tr").count() == 50
    assert page.locator('#samples tbody a[href="reports/P1.html"]').count() == 1


def test_without_script_the_first_rows_are_there(browser, page_with):  # noqa: F811
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_with(300).as_uri())
    assert page.locator("#samples tbody tr").count() == 20
    assert "the first 20 of 300 samples" in page.text_content("#t-note")
    assert page.locator("#t-note").is_visible()
    assert page.locator('#t-note a[href="samples.tsv"]').count() == 1
    assert not page.locator("#search").is_visible()
    assert page.locator("#samples tbody tr").nth(3).text_content().count("withheld") == 2
    context.close()


def test_names_in_the_table_are_only_text(opened, page_with):
    odd = "</script><img src=x onerror=alert(1)>"
    page = opened(page_with(40, path=odd))
    assert found(page, "onerror")[0] == 40
    assert page.locator("img").count() == 0


def test_100_000_samples_do_not_freeze_the_page(opened, page_with):
    path = page_with(MANY)
    assert path.stat().st_size < 8 << 20
    page = opened(path)
    assert page.locator("#samples tbody tr").count() == 100
    steps = {
        "draw": "select()",
        "search": "search.value = 'EUR e4/e4'; select()",
        "sort names": "search.value = ''; select(); sort(-1); sort(-1)",
        "last page": "buttons[3][0].click()",
    }
    longest = {
        name: page.evaluate(f"() => {{ const t = performance.now(); {step}; return performance.now() - t }}")
        for name, step in steps.items()
    }
    assert max(longest.values()) < 2000, longest  # milliseconds; some tens on a quiet machine
    assert found(page, "p99999")[1] == ["P99999"]


# MultiQC


def multiqc_command():
    """Return the command of MultiQC, from PATH or PGX_MULTIQC."""
    named = os.environ.get("PGX_MULTIQC") or shutil.which("multiqc")
    if named is None:
        beside = Path(sys.executable).with_name("multiqc")
        named = str(beside) if beside.exists() else None
    if named is None:
        pytest.skip("multiqc is not installed (pip install multiqc, or PGX_MULTIQC=/path/to/multiqc)")
    return named


def test_multiqc_gets_statuses_by_group_and_quality_by_sample(tmp_path):
    folder = cohort(tmp_path, [*USUAL, ((None, None), "b1")])
    content = json.loads((folder / "pgx_mqc.json").read_text())
    assert content["plot_type"] == "bargraph"
    assert content["data"]["cohort"]["heterozygous"] == 2
    assert content["data"]["batch = b1"] == {
        "non-carrier": 3, "heterozygous": 1, "homozygous": 0, "carrier": 0, "indeterminate": 1
    }  # fmt: skip
    assert list(content["categories"]) == list(content["data"]["cohort"])
    samples = json.loads((folder / "pgx_samples_mqc.json").read_text())
    assert len(samples["data"]) == 9
    assert samples["data"]["P000"]["depth_1"] == 30
    assert samples["data"]["P008"] == {}, "the probability of a population is none of a person"
    assert not {"diplotype", "status"} & set(samples["headers"])
    page = PageOptions(sample_table=True)
    samples = json.loads((cohort(tmp_path, USUAL, page=page) / "pgx_samples_mqc.json").read_text())
    assert samples["data"]["P001"]["diplotype"] == "ε3/ε4"


def test_multiqc_gets_no_html_from_names(tmp_path):
    """MultiQC writes names into its page as they are."""
    odd = "<img src=x onerror=alert(1)>"
    folder = cohort(tmp_path, [(people, odd if group == "b1" else group) for people, group in USUAL])
    (name,) = [key for key in json.loads((folder / "pgx_mqc.json").read_text())["data"] if "img" in key]
    assert name == "batch = &lt;img src=x onerror=alert(1)>"
    table = made_table(4)
    cells = {name: [*table.cells.get(name, [1] * 4)] for name in (*QUALITY, *SHOWN)}
    cells["sample"] = [odd, "A&B", "C", "D"]
    samples = cohort_page.multiqc_samples(cells, results=True)["data"]
    assert list(samples) == ["&lt;img src=x onerror=alert(1)>", "A&B", "C", "D"]


def test_a_real_multiqc_shows_both(tmp_path):
    command = multiqc_command()
    page = PageOptions(sample_table=True)
    folder = cohort(tmp_path, [*USUAL, ((None, "0/0"), "b1")], page=page)
    done = subprocess.run(
        [command, folder, "-o", tmp_path / "mqc", "--no-version-check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    data = tmp_path / "mqc" / "multiqc_data"
    bars = rows_of(data / "multiqc_pgx_apoe_status.txt")
    assert {row["Sample"]: row["indeterminate"] for row in bars} == {
        "batch = b1": "1",
        "batch = b2": "0",
        "cohort": "1",
    }
    general = {row.pop("Sample"): row for row in rows_of(data / "multiqc_general_stats.txt")}
    assert len(general) == 9
    assert "ε3/ε4" in general["P001"].values()


def test_a_report_that_cannot_be_made_costs_no_other(tmp_path, run_pgx, monkeypatch):
    rendered = made.Format.one

    def failing(form, run, report, how):
        if report.sample == "P00001":
            raise RuntimeError("T/C")
        return rendered(form, run, report, how)

    monkeypatch.setattr(made.Format, "one", failing)
    for number in range(3):
        write_good(tmp_path / f"{number}.vcf", number)
    done = run_pgx("cohort", tmp_path, "-o", tmp_path / "out", "--reports", "json")
    assert done.exit_code == 5
    (failure,) = rows_of(tmp_path / "out" / "failures.tsv")
    assert failure["error"] == "no report of 'P00001' could be made (RuntimeError)"
    rows = {row["sample"]: row["report"] for row in rows_of(tmp_path / "out" / "samples.tsv")}
    assert rows["P00001"] == ""
    for name in ("P00000", "P00002"):
        assert (tmp_path / "out" / rows[name]).is_file()
    listed = rows_of(tmp_path / "out" / "reports" / "index.tsv")
    assert {row["sample"] for row in listed} == {"P00000", "P00002"}
