"""A folder as it is delivered: beside the small variants of a person lie copy numbers and ploidy."""

from __future__ import annotations

import json

import pytest
from vcf_builder import site, write_vcf

from cohort.conftest import rows_of
from pgx.inspect import inspect

SEGMENTS = {
    "ploidy": "chr19\t1\t.\tN\t.\t30\tPASS\tEND=58617616\tDC:NDC\t35.4:0.99",
    "cnv": "chr19\t260912\tX:chr19:260912-58607616\tN\t.\t1000\tPASS\tEND=58607616\tGT:SM:CN\t0/0:1:2",
    "gcnv": "chr19\t43000001\tCNV_chr19_43000001_46000000\tA\t.\t9\t.\tEND=46000000\tGT:CN:NP\t0/0:2:740",
}


@pytest.fixture
def folder(tmp_path):
    """Return a folder with one person: small variants, and each file of segments."""
    delivered = tmp_path / "delivered"
    delivered.mkdir()
    calls = [site("rs429358", gt="0/1:60", format="GT:GQ"), site("rs7412", gt="0/0:60", format="GT:GQ")]
    write_vcf(delivered / "P1.vcf.gz", records=calls, samples=["P1"], index="tbi")
    for name, line in SEGMENTS.items():
        write_vcf(delivered / f"P1.{name}.vcf", records=[line], samples=["P1"], neighbours=False)
    return delivered


@pytest.mark.parametrize("options", [[], ["--jobs", 1]])
def test_nobody_is_counted_twice(folder, tmp_path, run_pgx, options):
    out = tmp_path / "out"
    done = run_pgx("cohort", folder, "-o", out, *options)
    assert done.exit_code == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("passed over: ")]
    assert [line.split(" holds ")[0] for line in lines] == [
        f"passed over: {folder / f'P1.{name}.vcf'}" for name in sorted(SEGMENTS)
    ]
    assert "came more than once" not in done.stderr
    assert [(row["sample"], row["diplotype"]) for row in rows_of(out / "samples.tsv")] == [("P1", "e3/e4")]
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["samples"], len(summary["passed_over"]), summary["failures"]) == (1, 3, [])


@pytest.mark.parametrize("name", SEGMENTS)
def test_such_a_file_is_named(folder, name, run_pgx):
    path = folder / f"P1.{name}.vcf"
    assert inspect(str(path)).file.kind == "copy-number"
    assert "copy numbers or ploidy" in run_pgx("inspect", path).stdout
    report = json.loads(run_pgx("annotate", path, "-f", "json").stdout)
    assert report["input"]["kind"] == "copy-number"
    genotype = report["samples"][0]["genotype"]
    assert (genotype["diplotype"], genotype["e4_status"]) == (None, "indeterminate")


def test_segments_beside_calls_in_one_file_leave_it_what_it_is(tmp_path, run_pgx):
    calls = [site("rs429358", gt="0/1:60", format="GT:GQ"), site("rs7412", gt="0/0:60", format="GT:GQ")]
    path = write_vcf(tmp_path / "a.vcf", records=[SEGMENTS["cnv"], *calls], samples=["P1"], neighbours=False)
    report = json.loads(run_pgx("annotate", path, "-f", "json").stdout)
    assert report["input"]["kind"] == "vcf"
    assert report["samples"][0]["genotype"]["diplotype"] == "e3/e4"
