"""Other programs as oracles: bcftools for the genotype at each site, WhatsHap for the phase."""

import shutil
import subprocess
import sys
from dataclasses import replace

import pysam
import pytest

from pgx.genome import find_assembly, sites_on
from pgx.reads.observe import ReadEvidence
from pgx.reads.open import read_reads
from tests.reads.simulate import LONG, SHORT, SHORT_100, header_of, simulate, write_reads

POSITIONS = (44908684, 44908822)
PEOPLE = [
    (name, library, seed)
    for seed, (name, library) in enumerate(
        [
            *((name, SHORT) for name in ("e3/e3", "e3/e4", "e2/e3", "e4/e4", "e2/e4", "e2/e2")),
            *((name, replace(SHORT, depth=10)) for name in ("e3/e3", "e3/e4", "e2/e4", "e2/e3")),
            *((name, SHORT_100) for name in ("e2/e4", "e1/e3")),
            *((name, LONG) for name in ("e2/e4", "e3/e4")),
        ]
    )
]


def evidence(path):
    content = read_reads(str(path))
    sites = sites_on(find_assembly("GRCh38"))
    return ReadEvidence(content.piles["S1"], sites, content.contig, str(path))


def run(*command):
    return subprocess.run([str(item) for item in command], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(shutil.which("bcftools") is None, reason="bcftools is not installed")
@pytest.mark.parametrize(("name", "library", "seed"), PEOPLE)
def test_genotypes_are_those_of_bcftools(tmp_path, genome, name, library, seed):
    fasta, _ = genome
    path = write_reads(tmp_path / "s.bam", simulate(name, library, seed), header_of("GRCh38"))
    piled = tmp_path / "piled.bcf"
    run(
        "bcftools",
        "mpileup",
        "-f",
        fasta,
        "-r",
        "chr19:44908684,chr19:44908822",
        "-a",
        "AD",
        "-Ou",
        "-o",
        piled,
        path,
    )
    called = run("bcftools", "call", "-m", "-f", "GQ", piled)
    lines = [line.split("\t") for line in called.splitlines() if not line.startswith("#")]
    theirs = {}
    for line in lines:
        fields = dict(zip(line[8].split(":"), line[9].split(":"), strict=False))
        letters = [line[3], *line[4].split(",")]
        alone = (
            line[4] == "." and sum(int(count) for count in fields["AD"].split(",")) >= 10
        )  # has no GQ there
        if (alone or float(fields.get("GQ", 0)) >= 20) and "." not in fields["GT"]:
            theirs[int(line[1])] = sorted(letters[int(i)] for i in fields["GT"].replace("|", "/").split("/"))
    ours = {
        seen.position: sorted(seen.alleles)
        for seen in evidence(path).observations
        if seen.alleles is not None and seen.genotype_quality >= 20
    }
    both = ours.keys() & theirs.keys()
    assert both or library.depth < 30
    assert {place: ours[place] for place in both} == {place: theirs[place] for place in both}


def whatshap():
    try:
        import whatshap  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.mark.skipif(not whatshap(), reason="whatshap is not installed")
@pytest.mark.parametrize("library", [SHORT, SHORT_100, LONG], ids=["2x150", "2x100", "long"])
@pytest.mark.parametrize("name", ["e2/e4", "e1/e3"])
def test_phase_is_that_of_whatshap(tmp_path, genome, name, library):
    fasta, _ = genome
    path = write_reads(tmp_path / "s.bam", simulate(name, library, 11), header_of("GRCh38"))
    vcf, phased = tmp_path / "in.vcf", tmp_path / "out.vcf"
    rows = "".join(
        f"chr19\t{place}\t.\t{ref}\t{alt}\t.\tPASS\t.\tGT\t0/1\n"
        for place, ref, alt in zip(POSITIONS, "TC", "CT", strict=True)
    )
    vcf.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=chr19,length=58617616>\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n" + rows
    )
    run(
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "whatshap",
        "phase",
        "--reference",
        fasta,
        "-o",
        phased,
        vcf,
        path,
    )
    with pysam.VariantFile(str(phased)) as handle:
        records = list(handle)
    assert all(record.samples["S1"].phased for record in records)
    theirs = sorted(zip(*(record.samples["S1"].alleles for record in records), strict=True))
    ours = evidence(path).observations
    assert all(seen.phase for seen in ours)
    assert sorted(zip(*(seen.alleles for seen in ours), strict=True)) == theirs
