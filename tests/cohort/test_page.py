"""What the page says: right numbers, alarms where they belong, nothing small when it is shared."""

from __future__ import annotations

import json
import math
import re
import sys
import tomllib
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from vcf_builder import site, write_vcf

from cohort.conftest import records
from pgx.cohort import CohortOptions, plan_inputs, run_cohort, summary
from pgx.cohort.summary import alarms
from pgx.cohort.summary.statistics import Cells, hardy_weinberg, wilson
from pgx.options import Options, PageOptions
from pgx.render import form

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).resolve().parents[2] / "build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"


def exact_by_enumeration(first, het, second):
    """Return the same P by counting, in whole numbers."""
    total, minor = first + het + second, 2 * first + het
    ways = {
        h: math.factorial(total)
        // (
            math.factorial((minor - h) // 2)
            * math.factorial(h)
            * math.factorial(total - h - (minor - h) // 2)
        )
        * 2**h
        for h in range(minor % 2, minor + 1, 2)
        if (minor - h) // 2 >= 0 and total - h - (minor - h) // 2 >= 0
    }
    return sum(way for way in ways.values() if way <= ways[het]) / sum(ways.values())


@pytest.mark.parametrize(
    "counts", [(1, 8, 20), (0, 3, 40), (5, 0, 30), (10, 20, 10), (20, 8, 1), (0, 0, 7), (7, 1, 0)]
)
def test_hardy_weinberg_against_whole_numbers(counts):
    assert hardy_weinberg(*counts) == pytest.approx(exact_by_enumeration(*counts), rel=1e-9)


def test_hardy_weinberg_of_a_biobank_is_quick_and_sane():
    assert hardy_weinberg(11250, 127500, 361250) > 0.9
    assert hardy_weinberg(20000, 110000, 370000) < 1e-100


def test_wilson():
    # Newcombe 1998 (Statistics in Medicine 17:857), table I: 81/263 and 15/148
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20)[0] == 0.0
    assert wilson(20, 20)[1] == 1.0
    assert wilson(0, 0) == (0.0, 1.0)


def cohort(tmp_path, people, *, page=None, options=None):
    """Run a cohort of (pair, batch) people, a file each, and return its folder."""
    rows = ["path\tbatch\n"]
    for number, (pair, batch) in enumerate(people):
        name = f"p{number:03}.vcf"
        made = records(*pair) if None not in pair else [
            site(rsid, gt=f"{gt}:30:90:0,90,900", format="GT:DP:GQ:PL")
            for rsid, gt in zip(("rs429358", "rs7412"), pair, strict=True) if gt is not None
        ]  # fmt: skip
        write_vcf(tmp_path / name, records=made, samples=[f"P{number:03}"], neighbours=False)
        rows.append(f"{name}\t{batch}\n")
    (tmp_path / "m.tsv").write_text("".join(rows))
    plan = plan_inputs([], tmp_path / "m.tsv", options or Options())
    run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1, page=page or PageOptions()))
    return tmp_path / "out"


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def codes(folder):
    return [alarm["code"] for alarm in summary_of(folder)["alarms"]]


E33, E34, E44, E23 = ("0/0", "0/0"), ("0/1", "0/0"), ("1/1", "0/0"), ("0/0", "0/1")
USUAL = [
    (E33, "b1"),
    (E34, "b1"),
    (E33, "b2"),
    (E23, "b2"),
    (E33, "b1"),
    (E33, "b2"),
    (E34, "b2"),
    (E33, "b1"),
]


def test_counts_and_strata(tmp_path):
    found = summary_of(cohort(tmp_path, USUAL))
    assert found["samples"] == 8
    by_name = {row["name"]: row for row in found["diplotypes"]}
    assert [by_name[name]["count"] for name in ("e3/e3", "e3/e4", "e2/e3", "e4/e4")] == [5, 2, 1, 0]
    assert by_name["e3/e4"]["share"] == 0.25
    assert sum(row["expected"] for row in found["diplotypes"]) == pytest.approx(1, abs=1e-4)
    assert [row["count"] for row in found["haplotypes"]] == [0, 1, 13, 2]
    (stratum,) = found["strata"]
    assert [(value["value"], value["samples"]) for value in stratum["values"]] == [("b1", 4), ("b2", 4)]
    assert found["sites"][0]["genotypes"] == {"T/T": 6, "T/C": 2, "C/C": 0}
    assert found["sites"][1]["genotypes"] == {"T/T": 0, "T/C": 1, "C/C": 7}
    assert codes(tmp_path / "out") == []


def test_assumed_letters_are_not_observed_genotypes(tmp_path):
    folder = cohort(tmp_path, [((None, "0/0"), "a")] * 30, options=Options(absent_sites="reference"))
    found = summary_of(folder)
    assert sum(found["sites"][0]["genotypes"].values()) == 0
    assert found["sites"][0]["hardy_weinberg_p"] is None
    assert {"all_the_same", "assumed_reference"} <= set(codes(folder))


def test_everybody_the_same_is_an_alarm(tmp_path):
    assert "all_the_same" in codes(cohort(tmp_path, [(E33, "b")] * 25))


def test_too_much_e4_is_an_alarm(tmp_path):
    folder = cohort(tmp_path, [(E44, "b"), (E34, "b")] * 15)
    assert "frequency" in codes(folder)
    page = (folder / "index.html").read_text()
    assert "The assembly, the strand or the population may be wrong" in page


def test_a_site_missing_in_one_batch_is_an_alarm(tmp_path):
    folder = cohort(tmp_path, USUAL * 2 + [((None, "0/0"), "b3")] * 6)
    (alarm,) = [a for a in summary_of(folder)["alarms"] if a["code"] == "batch"]
    assert "rs429358" in alarm["message"]
    assert "batch = b3" in alarm["message"]


def test_much_e1_is_an_alarm(tmp_path):
    assert "rare" in codes(cohort(tmp_path, [*USUAL, (("0/1", "1/1"), "b1"), (("1/1", "0/1"), "b1")]))


def test_hardy_weinberg_is_an_alarm(tmp_path):
    assert "hardy_weinberg" in codes(cohort(tmp_path, [(E44, "b1")] * 15 + [(E33, "b2")] * 15))


def test_undetermined_samples_come_with_what_settles_them(tmp_path):
    page = (cohort(tmp_path, [*USUAL, ((None, "0/0"), "b1")]) / "index.html").read_text()
    assert "an all-sites file, or typing of the site that could not be read" in page
    row = re.search(r'<tr><th scope="row">P008</th>.*?</tr>', page).group(0)
    assert "rs429358: no record in the file" in row
    assert "not determined" in row


def test_no_site_means_no_most_probable_diplotype(tmp_path):
    folder = cohort(tmp_path, [*USUAL, ((None, None), "b1")])
    (found,) = summary_of(folder)["undetermined"]
    assert (found["best"], found["diplotype_probability"]) == (None, None)
    assert found["states"] == ["absent", "absent"]
    probability = summary_of(folder)["distributions"][-1]
    assert probability["unstated"] == 1
    assert sum(item["count"] for item in probability["bins"]) == len(USUAL)
    row = re.search(r'<tr><th scope="row">P008</th>.*?</tr>', (folder / "index.html").read_text()).group(0)
    assert "ε3/ε3" not in row
    assert "%" not in row


def test_what_has_another_reading_is_listed(tmp_path):
    folder = cohort(tmp_path, [*USUAL, (("0/1", "0/1"), "b1")])
    found = summary_of(folder)
    assert found["undetermined"] == []
    assert [(item["sample"], item["best"]) for item in found["ambiguous"]] == [("P008", "e2/e4")]
    assert "the letters fit another diplotype too" in (folder / "index.html").read_text()


def test_no_code_of_the_program_is_shown(tmp_path):
    odd = [(None, "0/0"), ("0/1", "0/1"), (None, None)]
    page = (cohort(tmp_path, [*USUAL, *((pair, "b1") for pair in odd)]) / "index.html").read_text()
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    for code in ("site-unused", "absent-site", "ambiguous-phase", "one-site-inference", "prior-dependent"):
        assert code not in text
    assert not re.search(r"<t[dh][^>]*>(heterozygous|homozygous|indeterminate|non-carrier)</t", page)


def test_words_for_every_reason_flag_and_alarm():
    from pgx.calling import Reason
    from pgx.reference import root
    from pgx.wording import wording

    topics = wording().topics
    assert set(topics["cohort_reason"]) == {reason.value for reason in Reason}
    assert {key for key in topics["cohort"] if key.startswith("cure_")} == {f"cure_{r.value}" for r in Reason}
    assert set(topics["flag_name"]) == set(tomllib.loads((root() / "flags.toml").read_text())["severity"])
    named = {key.removeprefix("alarm_") for key in topics["cohort"] if key.startswith("alarm_")}
    assert named == {key.removeprefix("shared_") for key in topics["cohort"] if key.startswith("shared_")}
    source = Path(alarms.__file__).read_text()
    assert all(f'"{code}"' in source or code in {"absent", "assumed_reference"} for code in named)


def test_shares_are_rounded_and_never_to_nothing_or_all():
    from pgx.wording import rounded_percent

    shares = {0: "0 %", 1: "100 %", 0.0004: "0.04 %", 2 / 3: "66.7 %", 0.9995: "99.95 %", 0.999999: "99.99 %"}
    assert {share: rounded_percent(share) for share in shares} == shares
    assert rounded_percent(1e-9) == "less than 0.001 %"


def test_each_population_expects_its_own(tmp_path):
    from pgx.calling import haplotype_frequencies

    rows = ["path\tpopulation\n"]
    for number in range(12):
        write_vcf(
            tmp_path / f"p{number}.vcf", records=records(*E33), samples=[f"P{number}"], neighbours=False
        )
        rows.append(f"p{number}.vcf\t{'eas' if number < 4 else 'EUR'}\n")
    (tmp_path / "m.tsv").write_text("".join(rows))
    run_cohort(plan_inputs([], tmp_path / "m.tsv", Options()), tmp_path / "out", CohortOptions(jobs=1))
    found = summary_of(tmp_path / "out")
    assert found["population"] == {"name": "mixed", "label": "East Asian; European"}
    expected = [
        (4 * eas + 8 * eur) / 12
        for eas, eur in zip(haplotype_frequencies("EAS"), haplotype_frequencies("EUR"), strict=True)
    ]
    assert [row["expected"] for row in found["haplotypes"]] == pytest.approx(expected, rel=1e-5)
    assert sum(row["expected"] for row in found["diplotypes"]) == pytest.approx(1, rel=1e-5)
    (stratum,) = found["strata"]
    assert [(item["value"], item["samples"]) for item in stratum["values"]] == [("EAS", 4), ("EUR", 8)]


def test_folders_and_files_are_batches(tmp_path):
    for number in range(8):
        folder = tmp_path / "in" / ("run1" if number < 4 else "run2")
        folder.mkdir(parents=True, exist_ok=True)
        write_vcf(folder / f"{number}.vcf", records=records(*E33), samples=[f"P{number}"], neighbours=False)
    run_cohort(plan_inputs([str(tmp_path / "in")], None, Options()), tmp_path / "a", CohortOptions(jobs=1))
    (stratum,) = summary_of(tmp_path / "a")["strata"]
    assert stratum["column"] == "folder"
    assert [(item["value"], item["samples"]) for item in stratum["values"]] == [("run1", 4), ("run2", 4)]
    for plate in ("x", "y"):
        names = [f"{plate}{number}" for number in range(6)]
        write_vcf(tmp_path / f"{plate}.vcf", samples=names, neighbours=False)
    inputs = [str(tmp_path / "x.vcf"), str(tmp_path / "y.vcf")]
    run_cohort(plan_inputs(inputs, None, Options()), tmp_path / "b", CohortOptions(jobs=1))
    (stratum,) = summary_of(tmp_path / "b")["strata"]
    assert stratum["column"] == "input"
    assert [item["samples"] for item in stratum["values"]] == [6, 6]


def test_a_column_in_which_everybody_differs_divides_nothing(tmp_path):
    people = [(pair, f"id{number}") for number, (pair, _) in enumerate(USUAL)]
    assert summary_of(cohort(tmp_path, people))["strata"] == []


def test_a_region_stated_to_be_callable_is_no_observed_genotype(tmp_path):
    (tmp_path / "c.bed").write_text("chr19\t0\t58617616\n")
    folder = cohort(tmp_path, [((None, "0/0"), "a")] * 5, options=Options(callable_bed=tmp_path / "c.bed"))
    site = summary_of(folder)["sites"][0]
    assert sum(site["genotypes"].values()) == 0
    assert site["missing"]["count"] == 0
    assert site["hardy_weinberg_p"] is None


def test_a_name_that_comes_again_is_compared_with_the_first(tmp_path):
    people = {"a": ("X", E34), "b": ("Y", E34), "c": ("X", E34), "d": ("X", ("0/0", "0/0")), "e": ("Z", E34)}
    for name, (sample, pair) in people.items():
        write_vcf(tmp_path / f"{name}.vcf", records=records(*pair), samples=[sample], neighbours=False)
    run_cohort(plan_inputs([str(tmp_path)], None, Options()), tmp_path / "out", CohortOptions(jobs=1))
    found = summary_of(tmp_path / "out")["duplicates"]
    assert found["count"] == 2
    assert [
        (item["sample"], *(Path(path).stem for path in item["inputs"]), item["same_genotypes"])
        for item in found["listed"]
    ] == [("X", "a", "c", True), ("X", "a", "d", False)]


def test_the_duplicates_tell_nothing_of_a_minor(tmp_path):
    rows = ["path\tage\n"]
    for name, age in (("a", "9"), ("b", "")):
        write_vcf(tmp_path / f"{name}.vcf", records=records(*E34), samples=["KID"], neighbours=False)
        rows.append(f"{name}.vcf\t{age}\n")
    (tmp_path / "m.tsv").write_text("".join(rows))
    run_cohort(plan_inputs([], tmp_path / "m.tsv", Options()), tmp_path / "out", CohortOptions(jobs=1))
    (found,) = summary_of(tmp_path / "out")["duplicates"]["listed"]
    assert found["same_genotypes"] is None
    assert "same genotypes" not in (tmp_path / "out" / "index.html").read_text()


def test_a_batch_far_from_the_others_is_an_alarm(tmp_path):
    people = [(E33, "b1"), (E34, "b1"), (E33, "b1")] * 10 + [(E44, "b2")] * 25
    assert "stratum_frequency" in codes(cohort(tmp_path, people))


@pytest.mark.parametrize("people", [20, 51, 333, 4999])  # none exactly on the limit
@pytest.mark.parametrize("expected", [Fraction(1, 10), Fraction(137, 1000), Fraction(1, 2)])
def test_an_alarm_is_raised_from_the_stated_number_of_standard_errors_on(people, expected):
    """Over 2n haplotypes the variance of a share p is p (1 - p) / 2n; compared in fractions, no root."""
    limit = Fraction(alarms.alarm_limits().frequency_z)

    def is_far(copies):
        distance = Fraction(copies, 2 * people) - expected
        return distance**2 > limit**2 * expected * (1 - expected) / (2 * people)

    found = {
        alarms._is_far(copies, people, float(expected)) == is_far(copies) for copies in range(2 * people)
    }
    assert found == {True}
    assert {is_far(copies) for copies in range(2 * people)} == {True, False}
    assert not alarms._is_far(2 * 19, 19, 0.1), "too few people to judge"


@pytest.mark.parametrize(
    ("sizes", "least", "shown"),
    [
        ({"a": 3, "b": 4, "c": 3}, 0, "abc"),
        (
            {"a": 2, "b": 5, "c": 4},
            0,
            "b",
        ),  # two people alone would be left over: the smallest group goes too
        ({"a": 1, "b": 1, "c": 4}, 0, ""),
        ({"a": 2, "b": 1, "c": 4, "d": 3}, 0, "cd"),  # three people are left over
        ({"a": 20, "b": 19, "c": 21}, 5, "ac"),
        ({"a": 8, "b": 7, "c": 40}, 2, "ac"),
    ],
)
def test_groups_are_shown_from_their_limit_on(sizes, least, shown):
    assert summary._shown_groups(sizes, Cells(least)) == set(shown)


@pytest.mark.parametrize(("samples", "is_shown"), [(19, False), (20, True)])
def test_a_shared_cohort_is_counted_from_its_limit_on(samples, is_shown):
    assert (Cells(5).of(samples).count(samples) is not None) == is_shown
    assert Cells(5).count(4) is None
    assert Cells(5).count(5) == 5


def test_an_unknown_column_is_refused_before_anything_is_done(tmp_path, run_pgx):
    cohort(tmp_path, USUAL)
    arguments = ("cohort", "--manifest", tmp_path / "m.tsv", "-o", tmp_path / "new", "--jobs", 1)
    refused = run_pgx(*arguments, "--by", "plate")
    assert refused.exit_code == 2
    columns = "batch, population, assembly, indication, folder, input"
    assert refused.stderr == f"error: --by plate: no such column. There are: {columns}\n"
    assert not (tmp_path / "new").exists()
    assert run_pgx(*arguments, "--by", "batch").exit_code == 0
    assert [item["column"] for item in summary_of(tmp_path / "new")["strata"]] == ["batch"]
    refused = run_pgx("merge", tmp_path / "new", "-o", tmp_path / "merged", "--by", "plate")
    assert refused.exit_code == 2
    assert "no such column" in refused.stderr


def test_the_page_needs_nothing_from_outside(tmp_path):
    folder = cohort(tmp_path, USUAL, page=PageOptions(sample_table=True))
    page = (folder / "index.html").read_text()
    assert "default-src 'none'" in page
    linked = set(re.findall(r"(?:src|href)=\"(?!#)([^\"]*)", page))
    assert linked == {path.name for path in folder.iterdir()} - {"index.html", "cohort.sqlite"}
    assert page.count("<script>") == 1
    plain = (cohort(tmp_path, USUAL) / "index.html").read_text()
    assert "<script" not in plain
    levels = [int(level) for level in re.findall(r"<h([1-6])", plain)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_names_are_escaped(tmp_path):
    write_vcf(tmp_path / "a.vcf", samples=["<script>alert(1)</script>"], neighbours=False)
    plan = plan_inputs([str(tmp_path / "a.vcf")], None, Options())
    run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1, page=PageOptions(sample_table=True)))
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_no_sample_at_all(tmp_path):
    (tmp_path / "a.vcf").write_text("nothing")
    plan = plan_inputs([str(tmp_path / "a.vcf")], None, Options())
    outcome = run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1))
    assert (outcome.samples, outcome.failed) == (0, 1)
    assert (tmp_path / "out" / "samples.tsv").read_text().count("\n") == 1


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed (apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(
            executable_path=str(CHROMIUM), args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def shown(tmp_path):
    people = [*USUAL, ((None, "0/0"), "b1"), (("0/1", "0/1"), "b2")]
    return cohort(tmp_path, people, page=PageOptions(sample_table=True)) / "index.html"


@pytest.mark.parametrize("width", [320, 1280])
def test_no_sideways_scroll(browser, shown, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(shown.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, shown, scheme):
    if not AXE.exists():
        pytest.skip("axe-core is not in build/npm (npm install --prefix build/npm axe-core)")
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(shown.as_uri())
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("axe.run()")
    assert [(item["id"], [node["html"] for node in item["nodes"]][:3]) for item in found["violations"]] == []
    context.close()


class TestCompiledTemplates:
    @pytest.fixture
    def load(self, tmp_path, monkeypatch):
        """Return what loads the template of this folder as a new process would."""
        monkeypatch.setattr(form, "TEMPLATES", tmp_path)
        monkeypatch.setattr(sys, "dont_write_bytecode", False)

        def render(text):
            (tmp_path / "a.j2").write_text(text)
            form.environment.cache_clear()
            return form.environment().get_template("a.j2").render(a="<")

        yield render
        form.environment.cache_clear()

    def test_they_are_kept_and_made_anew_when_they_change(self, load, tmp_path, monkeypatch):
        assert load("{{ a }}!") == "&lt;!"
        assert len(list((tmp_path / "__pycache__").iterdir())) == 1
        with monkeypatch.context() as patch:
            patch.setattr("jinja2.Environment._parse", None)  # compiling would end in an error
            assert load("{{ a }}!") == "&lt;!"
        assert load("{{ a }}?") == "&lt;?"

    def test_nothing_is_written_where_python_may_not_either(self, load, tmp_path, monkeypatch):
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        assert load("{{ a }}") == "&lt;"
        assert not (tmp_path / "__pycache__").exists()

    def test_a_folder_that_cannot_be_written_costs_nothing_else(self, load, monkeypatch):
        def refused(*_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("jinja2.FileSystemBytecodeCache.dump_bytecode", refused)
        assert load("{{ a }}") == "&lt;"
