"""Cohorts of generated files: good ones with a known answer, bad ones in ten ways."""

from __future__ import annotations

import csv
import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from vcf_builder import site, vcf_text, write_vcf

#: How many files the large cases have; the numbers in docs/cohort.md are from 2000.
FILES = int(os.environ.get("PGX_COHORT_FILES", "150"))
BAD = max(10, FILES // 50)
TABLES = (
    "samples.tsv", "samples.parquet", "failures.tsv", "summary.json", "index.html", "pgx_mqc.json",
    "pgx_samples_mqc.json",
)  # fmt: skip
GENOTYPES = {
    ("0/0", "0/0"): "e3/e3",
    ("0/1", "0/0"): "e3/e4",
    ("0/0", "0/1"): "e2/e3",
    ("1/1", "0/0"): "e4/e4",
    ("0/0", "1/1"): "e2/e2",
}
LIKELIHOODS = {"0/0": "0,90,900", "0/1": "300,0,300", "1/1": "900,90,0"}


def records(first: str, second: str):
    """Return records of both sites with sure genotypes."""
    return [
        site(rsid, gt=f"{gt}:30:90:{LIKELIHOODS[gt]}", format="GT:DP:GQ:PL")
        for rsid, gt in zip(("rs429358", "rs7412"), (first, second), strict=True)
    ]


def write_good(path: Path, number: int) -> str:
    """Write a good file and return its diplotype."""
    (first, second), diplotype = list(GENOTYPES.items())[number % len(GENOTYPES)]
    write_vcf(
        path,
        records=records(first, second),
        samples=[f"P{number:05}"],
        neighbours=number % 7 == 0,
        assembly="GRCh37" if number % 3 == 0 else "GRCh38",
        contig="19" if number % 3 == 0 else "chr19",
    )
    return diplotype


def bad_bytes(kind: int) -> tuple[str, bytes]:  # noqa: PLR0911 - ten ways to be bad
    """Return the ending and the content of a bad file; `kind` is 0 to 9."""
    good = vcf_text(records=records("0/1", "0/0"))
    match kind:
        case 0:
            return ".vcf", b""
        case 1:
            return ".vcf", b"Dear colleague,\nplease find the genotypes attached.\n"
        case 2:
            packed = gzip.compress(good.encode() * 3, mtime=0)
            return ".vcf.gz", packed[: len(packed) // 2]
        case 3:
            return ".vcf", vcf_text(
                records=["{chrom}\t{rs429358}\t.\tT\tC\t.\t.\t."], samples=[], neighbours=False
            ).encode()
        case 4:
            return ".bcf", b'{"genotypes": []}'
        case 5:
            return ".vcf", "".join(
                line for line in good.splitlines(True) if not line.startswith("#CHROM")
            ).encode()
        case 6:
            return ".vcf", vcf_text(contig_lengths=False, neighbours=False).encode()
        case 7:
            return ".vcf", vcf_text(records=records("0/1", "0/0"), assembly_tag="GRCh37").encode()
        case 8:
            return ".vcf.gz", gzip.compress(b"no VCF either", mtime=0)
        case _:
            return ".vcf", good.replace("\t44908684\t", "\tnowhere\t").replace(
                "\trs429358\t", "\tx\t"
            ).encode()


@pytest.fixture(scope="session")
def many(tmp_path_factory):
    """Return a folder of FILES files of which BAD are bad, and the diplotype by sample name."""
    folder = tmp_path_factory.mktemp("many")
    truth = {}
    for number in range(FILES - BAD):
        suffix = ".vcf.gz" if number % 5 == 0 else ".vcf"
        truth[f"P{number:05}"] = write_good(folder / f"f{number:05}{suffix}", number)
    for number in range(BAD):
        ending, data = bad_bytes(number % 10)
        (folder / f"bad{number:03}{ending}").write_bytes(data)
    return folder, truth


@pytest.fixture(scope="session")
def unbroken(many, tmp_path_factory):
    """Return the folder of an unbroken run in one process over `many`."""
    from pgx.cohort import CohortOptions, plan_inputs, run_cohort
    from pgx.options import Options

    out = tmp_path_factory.mktemp("unbroken")
    run_cohort(plan_inputs([str(many[0])], None, Options()), out, CohortOptions(jobs=1))
    return out


def assert_same_tables(one: Path, other: Path) -> None:
    """Compare all tables byte by byte, but for what a page says of the run that made it."""
    for name in TABLES:
        assert bare(one / name) == bare(other / name), name


def bare(path: Path) -> bytes:
    """Return the bytes of a table; of a page without time and command."""
    return re.sub(rb'<dl class="made".*?</dl>', b"", path.read_bytes(), flags=re.DOTALL)


def rows_of(path):
    """Return the rows of a table of the cohort folder as dictionaries."""
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))


def run(inputs, out, *, manifest=None, options=None, **cohort):
    """Run a cohort in this process and return its outcome."""
    from pgx.cohort import CohortOptions, plan_inputs, run_cohort
    from pgx.options import Options

    plan = plan_inputs([str(item) for item in inputs], manifest, options or Options())
    return run_cohort(plan, out, CohortOptions(**{"jobs": 1, **cohort}))


def command(repository, *arguments):
    """Start pgx as a process of its own session."""
    return subprocess.Popen(
        [sys.executable, "-m", "pgx", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
