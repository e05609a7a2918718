"""Every sample file has its row in the manifest, and pgx gives the answer that the row expects."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from vcf_builder import write_vcf

FOLDER = Path(__file__).resolve().parent.parent / "sample_vcfs"
STATUSES = {"non-carrier", "heterozygous", "homozygous", "carrier", "indeterminate"}
DIPLOTYPES = {"e2/e2", "e2/e3", "e2/e4", "e3/e3", "e3/e4", "e4/e4"}
CUT = "1000 Genomes"


def read_table(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader((line for line in handle if not line.startswith("#")), delimiter="\t"))


ROWS = read_table(FOLDER / "manifest.tsv")
FILES = list(dict.fromkeys(row["file"] for row in ROWS))


def text_of(path):
    return gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")


def test_every_file_has_a_row_and_every_row_a_file():
    present = {path.name for path in FOLDER.iterdir() if {".vcf", ".bcf"} & set(path.suffixes[-2:])}
    present -= {name for name in present if name.endswith((".tbi", ".csi"))}
    assert present == set(FILES)
    assert len({(row["file"], row["sample"]) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['file']}-{row['sample']}" for row in ROWS])
def test_a_row_is_complete(row):
    assert None not in row, "more cells than columns"
    assert all(value and value.strip() == value for value in row.values())
    assert row["expected_status"] in STATUSES
    assert row["expected_diplotype"] in DIPLOTYPES | {"-", "e1/e3"}
    assert f".{row['assembly']}." in row["file"]
    if row["origin"].startswith(CUT):
        assert row["licence"] == "MIT (LICENSE.peddy)"
        assert (FOLDER / "LICENSE.peddy").is_file()
    else:
        assert row["sample"].startswith("MADE-"), "a hand-written file carries no name of a real person"


def test_each_diplotype_is_there_in_both_assemblies():
    single = {row["file"] for row in ROWS if sum(other["file"] == row["file"] for other in ROWS) == 1}
    for assembly in ("GRCh37", "GRCh38"):
        seen = {
            row["expected_diplotype"]
            for row in ROWS
            if row["file"] in single and row["origin"].startswith(CUT) and row["assembly"] == assembly
        }
        assert seen == DIPLOTYPES | {"-"}


@pytest.mark.parametrize("name", FILES)
def test_pgx_gives_the_expected_answer(name, run_pgx):
    outcome = run_pgx("annotate", FOLDER / name, "-f", "json")
    assert outcome.exit_code == 0, outcome.stderr
    document = json.loads(outcome.stdout)
    rows = [row for row in ROWS if row["file"] == name]
    assert {row["assembly"] for row in rows} == {document["input"]["assembly"]}
    found = [
        (s["sample"], s["genotype"]["diplotype"] or "-", s["genotype"]["e4_status"])
        for s in document["samples"]
    ]
    assert found == [(row["sample"], row["expected_diplotype"], row["expected_status"]) for row in rows]


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.vcf.gz", {"compression": "gzip"}), ("a.vcf.gz", {}), ("a.vcf.gz", {"index": "csi"}), ("a.bcf", {})],
    ids=["gzip", "bgzip", "indexed", "bcf"],
)
def test_how_a_file_is_packed_does_not_change_the_answer(name, options, run_pgx, tmp_path):
    path = write_vcf(tmp_path / name, text=text_of(FOLDER / "eight-people.GRCh38.vcf.gz"), **options)
    outcome = run_pgx("annotate", path, "-f", "json")
    assert outcome.exit_code == 0, outcome.stderr
    found = [s["genotype"]["diplotype"] or "-" for s in json.loads(outcome.stdout)["samples"]]
    assert found == [row["expected_diplotype"] for row in ROWS if row["file"] == "eight-people.GRCh38.vcf.gz"]


@pytest.mark.parametrize("name", FILES)
def test_bcftools_reads_it_without_a_warning(name):
    if shutil.which("bcftools") is None:
        pytest.skip("bcftools is not installed")
    done = subprocess.run(
        ["bcftools", "view", str(FOLDER / name)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    head = [line for line in done.stdout.splitlines() if line.startswith("##contig")]
    assert head
    assert all("length=" in line for line in head)


def test_the_cut_files_can_be_made_again(shared_data, tmp_path):
    source = shared_data / "1000genomes_unphased"
    subprocess.run(
        [sys.executable, str(FOLDER / "make_samples.py"), str(source), str(tmp_path)],
        check=True,
        capture_output=True,
    )
    names = {row["file"] for row in ROWS if row["origin"].startswith(CUT)}
    assert {path.name for path in tmp_path.iterdir() if path.suffix in {".vcf", ".gz"}} == names
    assert {name: text_of(tmp_path / name) for name in names} == {
        name: text_of(FOLDER / name) for name in names
    }


def test_the_expected_diplotypes_are_the_known_ones(shared_data):
    table = read_table(shared_data / "truth" / "1kgp3_apoe_truth.tsv")
    truth = {row["sample"]: row["diplotype_phased"] for row in table}
    cut = [row for row in ROWS if row["origin"].startswith(CUT)]
    undetermined = {row["sample"]: truth[row["sample"]] for row in cut if row["expected_diplotype"] == "-"}
    assert undetermined == {"NA19146": "e1/e4"}
    for row in cut:
        if row["expected_diplotype"] != "-":
            assert truth[row["sample"]] == row["expected_diplotype"], row["sample"]
