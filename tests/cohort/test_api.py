"""pgx for pandas users: reports, frames, and the example of the documentation."""

from __future__ import annotations

import re
import subprocess
import sys

import pandas as pd
import pytest
from vcf_builder import write_vcf

import pgx
from cohort.conftest import records
from pgx.api import DTYPES
from pgx.cohort import CohortOptions, plan_inputs, run_cohort
from pgx.errors import FormatError, NotFoundError
from pgx.single import Options


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
        "import sys; from pgx.cli import app\n"
        f"app(['annotate', {str(path)!r}, '-f', 'tsv'], standalone_mode=False)\n"
        "print([m for m in ('pandas', 'numpy', 'pyarrow', 'dask', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_the_example_of_the_documentation_runs(repository, tmp_path, monkeypatch):
    """Run the Python blocks of docs/cohort.md one after the other, as a notebook would."""
    page = (repository / "docs" / "cohort.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 3
    monkeypatch.chdir(repository)
    scope: dict[str, object] = {"FOLDER": tmp_path / "results"}
    for block in blocks:
        exec(compile(block, "docs/cohort.md", "exec"), scope)  # noqa: S102 - our own page
