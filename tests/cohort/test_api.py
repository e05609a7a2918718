"""pgx for pandas users: reports, frames, and the example of the documentation."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pandas as pd
import pytest
from vcf_builder import write_vcf

import pgx
from cohort.conftest import records
from pgx.api import DTYPES, Keywords
from pgx.calling import default_population
from pgx.cohort import CohortOptions, plan_inputs, run_cohort
from pgx.errors import FormatError, NotFoundError, ReferenceDataError, UsageError
from pgx.genome import rsids
from pgx.options import Options, declared
from pgx.reference import threshold
from pgx.render import tsv as row


def test_reports_come_one_by_one(sample_vcfs):
    reports = pgx.annotate(sample_vcfs / "eight-people.GRCh38.vcf.gz", population="EUR")
    first = next(reports)
    assert first.run.parameters.population == "EUR"
    assert first.to_dict()["samples"][0]["sample"] == first.sample
    assert len(list(reports)) == 7
    assert first.document().samples[0].sample == first.sample


def test_errors_come_with_the_call():
    with pytest.raises(NotFoundError):
        pgx.annotate("nowhere.vcf")
    with pytest.raises(TypeError):
        pgx.annotate("nowhere.vcf", colour="red")


@pytest.fixture
def two_people(tmp_path):
    """Return a file of the samples A, B and AB."""
    return write_vcf(tmp_path / "a.vcf", records=records("0/1", "0/0"), samples=["A", "B", "AB"])


@pytest.mark.parametrize(
    ("given", "names"),
    [("AB", ["AB"]), (["B", "A"], ["B", "A"]), (("AB",), ["AB"]), ([], ["A", "B", "AB"])],
)
def test_a_text_is_one_sample_and_a_list_is_several(two_people, given, names):
    assert [report.sample for report in pgx.annotate(two_people, samples=given)] == names


def test_what_is_given_reaches_the_parameters(two_people, tmp_path):
    bed = tmp_path / "x.bed"
    bed.write_text("chr19\t0\t58617616\n")
    report = next(
        pgx.annotate(
            two_people,
            callable_bed=str(bed),
            taking="donepezil",
            history=["epilepsy"],
            min_gq=np.float64(20),
            min_dp=np.int64(3),
            age=71,
        )
    )
    parameters = report.run.parameters
    assert (parameters.callable, parameters.taking, parameters.history) == (
        str(bed),
        ("donepezil",),
        ("epilepsy",),
    )
    assert (parameters.min_gq, parameters.min_dp, parameters.age) == (20.0, 3, 71.0)
    assert report.to_dict()["parameters"]["min_dp"] == 3


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_of_evidence_is_named_by_text_or_path(two_people, repository, kind, many):
    folder = kind(repository / "reference" / "evidence")
    with pytest.raises(ReferenceDataError, match="evidence"):  # each of its claims is there already
        pgx.annotate(two_people, evidence=[folder] if many else folder)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("samples", 5, "samples: cannot be 5. Give text, or a list of such"),
        ("samples", ["A", 5], "samples: cannot be ['A', 5]. Give text, or a list of such"),
        ("samples", {"A", "B"}, "Give text, or a list of such"),
        ("samples", None, "samples: cannot be None. "),
        ("samples", b"AB", "samples: cannot be b'AB'. "),
        ("assembly", 38, "assembly: cannot be 38. Give text"),
        ("absent_sites", "Reference", "absent_sites: cannot be 'Reference'. Give 'reference' or 'unknown'"),
        ("callable_bed", 5, "callable_bed: cannot be 5. Give a path or None"),
        ("callable_bed", "", "callable_bed: cannot be ''. Give a path or None"),
        ("callable_bed", ["x.bed"], "callable_bed: cannot be ['x.bed']. "),
        ("keep_filtered", "no", "keep_filtered: cannot be 'no'. Give True or False"),
        ("min_gq", "20", "min_gq: cannot be '20'. Give a number"),
        ("min_gq", True, "min_gq: cannot be True. "),
        ("min_gq", float("nan"), "--min-gq: the value is out of range. Give a number of at least 0"),
        ("min_dp", 2.5, "min_dp: cannot be 2.5. Give a whole number"),
        ("min_probability", "0.9", "min_probability: cannot be '0.9'. Give a number or None"),
        ("population", 5, "population: cannot be 5. Give text or None"),
        ("evidence", "", "evidence: cannot be ''. Give a path, or a list of such"),
        ("evidence", [5], "evidence: cannot be [5]. "),
        ("history", pd.DataFrame({"a": [1, 2]}), "history: cannot be "),
        ("age", "70", "age: cannot be '70'. Give a number or None"),
        ("age", 10**400, "age: cannot be "),
        ("digest", 1, "digest: cannot be 1. "),
    ],
)
def test_a_value_that_an_option_does_not_take_is_refused_by_the_call(two_people, option, value, words):
    with pytest.raises(UsageError) as caught:
        pgx.annotate(two_people, **{option: value})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_every_option_can_say_what_it_takes(two_people):
    for name in Options.__struct_fields__:
        with pytest.raises(UsageError, match=f"^{name}: cannot be <object .*>. Give [a-zA-Z']"):
            pgx.annotate(two_people, **{name: object()})


def _keyword(item):
    """Return what type checkers must be told of an option."""
    text = str | os.PathLike[str]
    if item.many:
        single = text if get_args(item.type)[0] is Path else str
        return single | Sequence[single]
    if item.type == Path | None:
        return text | None
    return item.type | None if item.is_factory else item.type


def test_type_checkers_know_every_option():
    """Add a line to `pgx.api.Keywords` for an option that is new."""
    assert get_type_hints(Keywords) == {item.name: _keyword(item) for item in declared(Options)}


def test_help_and_editors_know_every_option():
    parameters = inspect.signature(pgx.annotate).parameters
    assert list(parameters) == ["path", *Options.__struct_fields__]
    assert parameters["min_dp"].default == 0
    for item in declared(Options):
        assert f"\n    {item.name}\n        {item.option.help}\n" in pgx.annotate.__doc__


def test_a_keyword_that_is_nearly_one_is_named():
    with pytest.raises(TypeError, match="Did you mean 'population'"):
        pgx.annotate("nowhere.vcf", populaton="EUR")


def test_none_stands_for_a_default_of_the_reference_data(two_people):
    report = next(pgx.annotate(two_people, min_probability=None, population=None))
    assert report.run.parameters.min_probability == threshold("min_probability")
    assert report.run.parameters.population == default_population()


class TestReport:
    """What a notebook does with a report."""

    @pytest.fixture
    def report(self, two_people):
        return next(pgx.annotate(two_people, samples="A"))

    def test_names_are_found(self):
        assert {"annotate", "read_cohort", "to_frame"} <= set(dir(pgx))

    def test_it_is_shown_in_one_line(self, report, tmp_path):
        assert repr(report) == f"<Report A: {report.diplotype or 'open'}, {report.e4_status}>"
        strange = write_vcf(tmp_path / "b.vcf", samples=["a\u202e" + "b" * 500], neighbours=False)
        shown = repr(next(pgx.annotate(strange)))
        assert len(shown) < 120
        assert "\u202e" not in shown

    def test_a_minor_is_not_shown(self, two_people):
        child = next(pgx.annotate(two_people, samples="A", age=9))
        assert repr(child) == "<Report A: withheld>"
        assert "ε3/ε4" not in child._repr_html_()
        shown = next(pgx.annotate(two_people, samples="A", age=9, reveal_minor=True))
        assert "heterozygous" in repr(shown)

    def test_a_notebook_gets_the_short_report(self, two_people, tmp_path):
        strange = write_vcf(tmp_path / "b.vcf", samples=["<script>"], neighbours=False)
        shown = next(pgx.annotate(strange))._repr_html_()
        assert "&lt;script&gt;" in shown
        assert "<script" not in shown

    def test_a_notebook_gets_the_summary_as_html(self, two_people):
        shown = next(pgx.annotate(two_people, samples="A"))._repr_html_()
        assert "<strong>APOE ε3/ε4: one copy of ε4 (ε4 carrier).</strong>" in shown
        assert "<p>Sample: A · Date of issue:" in shown
        assert "<ul><li>" in shown

    def test_no_other_object_shows_a_genotype_by_accident(self, report):
        for thing in (report.run, report.report, report.document()):
            assert len(repr(thing)) < 400
            assert "e3" not in repr(thing)

    @pytest.mark.parametrize("ending", [".txt", ".json", ".jsonl", ".tsv", ".html", ".fhir.json", ".pdf"])
    def test_a_saved_report_is_that_of_the_command(self, two_people, ending, tmp_path, run_pgx, monkeypatch):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
        report = next(pgx.annotate(two_people, samples="A"))
        report.save(tmp_path / f"made{ending}")
        wanted = tmp_path / f"wanted{ending}"
        assert run_pgx("annotate", two_people, "-s", "A", "-o", wanted).exit_code == 0
        made = (tmp_path / f"made{ending}").read_bytes()
        if ending == ".pdf":  # two runs of its maker differ in an ID
            assert made[:5] == wanted.read_bytes()[:5] == b"%PDF-"
            assert report.to_pdf()[:5] == b"%PDF-"
            return
        assert made == wanted.read_bytes()
        methods = {".txt": report.to_text, ".html": report.to_html}
        if ending in methods:
            assert methods[ending]().encode() == made

    def test_options_of_the_layout(self, report):
        assert len(report.to_text(full=True)) > len(report.to_text())
        assert report.to_html(sealed=True) != report.to_html()

    @pytest.mark.parametrize("name", ["b.vcf", "b.docx", "b"])
    def test_an_ending_that_no_report_has(self, report, tmp_path, name):
        with pytest.raises(UsageError):
            report.save(tmp_path / name)
        assert not (tmp_path / name).exists()


def test_both_frames_are_the_same(tmp_path):
    for name, pair in (("a", ("0/1", "0/0")), ("b", ("0/0", "0/1"))):
        write_vcf(tmp_path / f"{name}.vcf", records=records(*pair), samples=[name.upper()])
    (tmp_path / "m.tsv").write_text("path\tbatch\na.vcf\tx\nb.vcf\t\n")
    plan = plan_inputs([], tmp_path / "m.tsv", Options())
    run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1))
    read = pgx.read_cohort(tmp_path / "out")
    assert list(read["batch"]) == ["x", ""]
    made = pgx.to_frame(report for name in ("a", "b") for report in pgx.annotate(tmp_path / f"{name}.vcf"))
    pd.testing.assert_frame_equal(read.drop(columns="batch"), made)
    assert [str(kind) for kind in made.dtypes] == [DTYPES[name] for name in made.columns]


def test_the_numbers_of_a_frame_are_those_of_the_json(tmp_path):
    pairs = {"E33": ("0/0", "0/0"), "E34": ("0/1", "0/0"), "E44": ("1/1", "0/0"), "E24": ("0/1", "0/1")}
    for name, pair in pairs.items():
        write_vcf(tmp_path / f"{name}.vcf", records=records(*pair), samples=[name])
    made = [report for name in pairs for report in pgx.annotate(tmp_path / f"{name}.vcf")]
    frame = pgx.to_frame(made).set_index("sample")
    for report in made:
        (document,) = report.to_dict()["samples"]
        genotype, row = document["genotype"], frame.loc[document["sample"]]
        copies = genotype["e4_copies_posterior"]
        assert row["e4_carrier_probability"] == pytest.approx(1 - copies["0"], abs=1e-9)
        assert row["diplotype_probability"] == pytest.approx(genotype["diplotype_probability"], abs=1e-9)
        assert (row["e4_copies"], row["diplotype"]) == (genotype["e4_copies"], genotype["diplotype"])
    assert frame.loc["E44", "e4_carrier_probability"] > 0.99
    assert set(frame["population"]) == {made[0].to_dict()["parameters"]["population"]}
    assert frame["e4_copies"].tolist() == [0, 1, 2, 1]


def test_every_table_names_the_population_that_a_sample_was_called_under(tmp_path):
    for name in ("a", "b", "c"):
        write_vcf(tmp_path / f"{name}.vcf", records=records("0/1", "0/0"), samples=[name.upper()])
    (tmp_path / "m.tsv").write_text("path\tpopulation\na.vcf\teas\nb.vcf\t\nc.vcf\tflat\n")
    run_cohort(
        plan_inputs([], tmp_path / "m.tsv", Options(population="AFR")), tmp_path / "out", CohortOptions()
    )
    wanted = ["EAS", "AFR", "flat"]
    head, *lines = (tmp_path / "out" / "samples.tsv").read_text().splitlines()
    place = head.split("\t").index("population")
    assert [line.split("\t")[place] for line in lines] == wanted
    assert list(pgx.read_cohort(tmp_path / "out")["population"]) == wanted
    assert list(pgx.to_frame(pgx.annotate(tmp_path / "a.vcf", population="eas"))["population"]) == ["EAS"]


def test_the_row_has_a_column_for_each_site():
    assert row.COLUMNS[3:5] == rsids()
    assert row.kinds(row.Row)["e4_copies"] is int


def test_an_empty_frame_has_its_types():
    assert {str(kind) for kind in pgx.to_frame([]).dtypes} == {"string", "float64", "Int8"}


def test_no_cohort_is_named(tmp_path):
    with pytest.raises(FormatError, match="no finished cohort"):
        pgx.read_cohort(tmp_path)


def test_import_pgx_stays_light():
    code = "import pgx, sys; pgx.annotate; print([m for m in ('pandas', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_annotate_of_one_file_needs_no_table_library(sample_vcfs):
    path = sample_vcfs / "NA12878.e3-e3.GRCh38.vcf"
    code = (
        "import sys; from pgx.cli.main import app\n"
        f"app(['annotate', {str(path)!r}, '-f', 'tsv'], standalone_mode=False)\n"
        "print([m for m in ('pandas', 'numpy', 'pyarrow', 'dask', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_the_example_of_the_documentation_runs(repository, tmp_path, monkeypatch):
    """Run the Python blocks of docs/cohort.md one after the other, as a notebook would."""
    page = (repository / "docs" / "cohort.md").read_text(encoding="utf-8").partition("## In Python")[2]
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 3
    monkeypatch.chdir(repository)
    scope: dict[str, object] = {"FOLDER": tmp_path / "results"}
    for block in blocks:
        exec(compile(block, "docs/cohort.md", "exec"), scope)  # noqa: S102 - our own page
