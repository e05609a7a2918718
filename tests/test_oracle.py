"""bcftools as an oracle: it prints the letters at both sites, and pgx must have read the same."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from truth_tables import Case, all_cases
from vcf_builder import LETTERS, POSITIONS, RSIDS, write_vcf

from pgx.options import Options
from pgx.single import annotate

pytestmark = pytest.mark.skipif(shutil.which("bcftools") is None, reason="bcftools is not installed")

NAMES = {"19", "chr19", "NC_000019.9", "NC_000019.10", "CM000681.1", "CM000681.2"}
NORMALISED = {"as it is": [], "split": ["norm", "-m", "-any"], "atoms": ["norm", "--atomize"]}


def is_plain(case: Case) -> bool:
    """Say whether a row has one genotype of sequence alleles at each site: bcftools prints its letters."""
    cells = (case.rs429358_is, case.rs7412_is)
    return (
        all(re.fullmatch(r"called:[TC][/|][TC]", cell) for cell in cells)
        and " && " not in case.rs429358 + case.rs7412
        and not ({"duplicate-records", "spanning-deletion"} & case.flag_codes)
        and "LGT" not in case.rs429358
        and "<" not in case.rs429358
        and case.table != "assembly.tsv"
        and not re.match(r"(pl|gt|plain|pq)-[tc]{2}-|c\d\d$", case.case)  # the same letters as other rows
        and "declare=no" not in case.layout  # bcftools cannot write what is not declared
    )


#: bcftools refuses a value that its declaration does not allow.
CASES = [
    case
    for case in all_cases()
    if case.error == "-" and is_plain(case) and "malformed-field" not in case.flag_codes
]


def bcftools(*arguments: object, given: bytes | None = None) -> bytes:
    done = subprocess.run(["bcftools", *map(str, arguments)], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def letters_by_bcftools(vcf: bytes, assembly: str) -> dict[str, dict[str, list[str]]]:
    """Return, by rsID and sample, the sorted letters at the site.

    A sample's letters are the reference letter unless a line shows an ALT on one of its chromosomes.
    """
    text = bcftools("query", "-f", r"%CHROM\t%POS\t%REF[\t%SAMPLE=%TGT]\n", "-", given=vcf).decode()
    found: dict[str, dict[str, list[list[str]]]] = {rsid: defaultdict(list) for rsid in RSIDS}
    for line in text.splitlines():
        chrom, start, reference, *genotypes = line.split("\t")
        for rsid in RSIDS:
            offset = POSITIONS[assembly][rsid] - int(start)
            if chrom not in NAMES or not 0 <= offset < len(reference):
                continue
            for cell in genotypes:
                name, _, genotype = cell.partition("=")
                alleles = re.split(r"[/|]", genotype)
                if all(len(allele) == len(reference) for allele in alleles):
                    shown = [allele[offset].upper() for allele in alleles]
                    found[rsid][name].append([x for x in shown if x != reference[offset].upper()])
                    found[rsid].setdefault(f"{name} REF", [[reference[offset].upper()]])
    joined: dict[str, dict[str, list[str]]] = {rsid: {} for rsid in RSIDS}
    for rsid, samples in found.items():
        for name, lines in samples.items():
            if name.endswith(" REF"):
                continue
            alternates = [letter for line in lines for letter in line]
            reference = samples[f"{name} REF"][0][0]
            joined[rsid][name] = sorted(alternates + [reference] * (2 - len(alternates)))
    return joined


def letters_by_pgx(path: Path, **options: object) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {rsid: {} for rsid in RSIDS}
    for report in annotate(str(path), Options(**options)).samples:
        for site in report.sites:
            if site.alleles is not None and site.state == "called":
                found[site.rsid][report.sample] = sorted(site.alleles)
    return found


def test_there_are_rows_enough():
    assert len(CASES) > 120


@pytest.mark.parametrize("how", NORMALISED)
@pytest.mark.parametrize("part", range(8))
def test_generated_files(tmp_path, how, part):
    for case in CASES[part::8]:
        if how == "atoms" and "T>T" in case.rs429358:
            continue  # bcftools 1.16 does not finish on an insertion of 5,000 bases
        assembly = case.assemblies[-1]
        path = write_vcf(tmp_path / "row.vcf", text=case.content(assembly))
        vcf = path.read_bytes()
        if NORMALISED[how]:
            vcf = bcftools(*NORMALISED[how], "-", given=vcf)
            path.write_bytes(vcf)
        theirs = letters_by_bcftools(vcf, assembly)
        ours = letters_by_pgx(path, keep_filtered=True)
        for rsid in RSIDS:
            assert ours[rsid].items() <= theirs[rsid].items(), f"{case.table} {case.case} {rsid} {how}"
        if how != "atoms":
            assert all("S1" in ours[rsid] for rsid in RSIDS), f"{case.table} {case.case} {how}"


@pytest.mark.parametrize("how", NORMALISED)
@pytest.mark.parametrize(
    ("name", "assembly"),
    [
        ("1000genomes/apoe.vcf.gz", "GRCh37"),
        ("1000genomes_unphased/derived.1kgp3_peddy.GRCh37.vcf.gz", "GRCh37"),
        ("1000genomes_unphased/derived.1kgp3_peddy.GRCh38.vcf.gz", "GRCh38"),
    ],
)
def test_real_files(shared_data, tmp_path, name, assembly, how):
    source = shared_data / name
    vcf = bcftools(*NORMALISED[how], source) if NORMALISED[how] else bcftools("view", source)
    path = tmp_path / "normalised.vcf"
    path.write_bytes(vcf)
    theirs = letters_by_bcftools(vcf, assembly)
    ours = letters_by_pgx(path)
    assert ours == theirs
    assert ours == letters_by_pgx(source)
    assert len(ours["rs429358"]) == 2504


def test_the_letters_of_the_oracle_are_ours():
    assert set(LETTERS["rs429358"]) == set(LETTERS["rs7412"]) == {"T", "C"}
