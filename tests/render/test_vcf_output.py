"""VCF output: what bcftools reads back, the input's own records and header, samples without records."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from render_states import SAMPLES

EIGHT = SAMPLES / "eight-people.GRCh38.vcf.gz"


def bcftools(*arguments):
    if shutil.which("bcftools") is None:
        pytest.skip("bcftools is not installed")
    done = subprocess.run(["bcftools", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "[W::" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("ending", [".vcf", ".vcf.gz", ".bcf"])
def test_bcftools_reads_it_and_the_answers_are_those_of_tsv(ending, run_pgx, tmp_path):
    made = tmp_path / f"out{ending}"
    assert run_pgx("annotate", EIGHT, "-o", made).exit_code == 0
    wanted = {}
    head, *rows = [line.split("\t") for line in run_pgx("annotate", EIGHT, "-f", "tsv").stdout.splitlines()]
    for row in rows:
        cells = dict(zip(head, row, strict=True))
        wanted[cells["sample"]] = (cells["diplotype"] or ".", cells["e4_status"], cells["e4_copies"] or ".")
    asked = "[%SAMPLE %PGX_DT %PGX_ST %PGX_E4\n]"
    found = {
        name: tuple(rest)
        for name, *rest in (line.split() for line in bcftools("query", "-f", asked, made).splitlines())
    }
    assert found == wanted


@pytest.mark.parametrize("ending", [".vcf.gz", ".bcf"])
def test_packed_output_has_an_index(ending, run_pgx, tmp_path):
    made = tmp_path / f"out{ending}"
    run_pgx("annotate", EIGHT, "--all-records", "-o", made)
    at_site = bcftools("view", "-H", "-r", "19:44908684", made).splitlines()
    assert len(at_site) == 1


def test_all_records_keeps_every_record_and_the_header(run_pgx, tmp_path):
    made = tmp_path / "out.vcf.gz"
    run_pgx("annotate", EIGHT, "--all-records", "-o", made)
    columns = "%CHROM %POS %ID %REF %ALT %QUAL %FILTER %INFO[ %GT]\n"
    assert bcftools("query", "-f", columns, made) == bcftools("query", "-f", columns, EIGHT)
    before = [line for line in bcftools("view", "-h", EIGHT).splitlines() if "bcftools_" not in line]
    after = bcftools("view", "-h", made).splitlines()
    assert [line for line in before if line not in after] == []


def test_without_it_there_are_only_the_sites(run_pgx):
    lines = run_pgx("annotate", EIGHT, "-f", "vcf").stdout.splitlines()
    assert [line.split("\t")[1] for line in lines if not line.startswith("#")] == ["44908684", "44908822"]


def test_a_subset_has_its_columns_and_no_counts_of_others(run_pgx):
    lines = run_pgx("annotate", EIGHT, "-s", "NA19146", "-s", "HG00096", "-f", "vcf").stdout.splitlines()
    head = next(line for line in lines if line.startswith("#CHROM"))
    assert head.split("\t")[9:] == ["NA19146", "HG00096"]
    for line in lines:
        if not line.startswith("#"):
            assert len(line.split("\t")) == 11
            assert "AC=" not in line


def test_a_sample_without_records_stands_in_the_header(run_pgx):
    source = SAMPLES / "absent-sites.GRCh38.vcf"
    lines = run_pgx("annotate", source, "-f", "vcf").stdout.splitlines()
    own = [line for line in lines if line.startswith("##pgx_sample=")]
    assert len(own) == 1
    assert "Diplotype=.," in own[0]
    assert "Status=indeterminate" in own[0]
    assumed = run_pgx("annotate", source, "-f", "vcf", "--absent-sites", "reference").stdout
    assert "Assumed=1" in assumed


def test_annotating_twice_leaves_one_answer(run_pgx, tmp_path):
    first, second = tmp_path / "a.vcf", tmp_path / "b.vcf"
    run_pgx("annotate", EIGHT, "-o", first)
    run_pgx("annotate", first, "-o", second)
    assert first.read_text().count("PGX_DT") == second.read_text().count("PGX_DT")
    bcftools("view", second)


def test_standard_input_is_refused_with_a_cure(run_pgx):
    refused = run_pgx("annotate", "-", "-f", "vcf", input=(SAMPLES / "NA18526.e3-e4.GRCh38.vcf").read_bytes())
    assert refused.exit_code == 2
    assert "Save the input" in refused.stderr


def test_a_place_that_cannot_be_written_leaves_nothing(run_pgx, tmp_path):
    failed = run_pgx("annotate", EIGHT, "-o", tmp_path / "missing" / "out.vcf.gz")
    assert failed.exit_code == 3
    assert list(tmp_path.iterdir()) == []
