"""What must hold on real files of real tools. Skipped where the larger test data is not there."""

from __future__ import annotations

import csv
import functools
from pathlib import Path

import pytest

from pgx.errors import PgxError
from pgx.options import Options
from pgx.single import annotate

UNPHASED = "1000genomes_unphased/derived.1kgp3_peddy.{}.vcf.gz"


@functools.cache
def reports(path: Path, **options):
    return {sample.sample: sample for sample in annotate(str(path), Options(**options)).samples}


def flags(sample):
    return {flag.code for flag in sample.flags}


@pytest.fixture(scope="module")
def truth(request):
    folder = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "truth"
    if not folder.is_dir():
        pytest.skip("the larger test data (../shared/data) is not on this machine")
    with (folder / "1kgp3_apoe_truth.tsv").open(encoding="utf-8") as handle:
        rows = csv.DictReader((line for line in handle if not line.startswith("#")), delimiter="\t")
        return {row["sample"]: row["diplotype_phased"] for row in rows}


def test_phased_1000_genomes(shared_data, truth):
    found = reports(shared_data / "1000genomes" / "apoe.vcf.gz")
    assert len(found) == 2504
    wrong = {
        name: report.genotype.diplotype
        for name, report in found.items()
        if report.genotype.diplotype != truth[name]
    }
    assert wrong == {"NA19146": None}
    person = found["NA19146"]
    assert person.genotype.e4_status == "carrier"
    assert "rare-haplotype" in flags(person)


@pytest.mark.parametrize("assembly", ["GRCh37", "GRCh38"])
def test_unphased_1000_genomes(shared_data, truth, assembly):
    phased = reports(shared_data / "1000genomes" / "apoe.vcf.gz")
    found = reports(shared_data / UNPHASED.format(assembly))
    assert {name: report.genotype.e4_status for name, report in found.items()} == {
        name: report.genotype.e4_status for name, report in phased.items()
    }
    double = [
        report
        for report in found.values()
        if all(site.alleles is not None and site.alleles[0] != site.alleles[1] for site in report.sites)
    ]
    assert len(double) == 65
    assert {report.genotype.diplotype for report in double} == {"e2/e4"}
    assert all("ambiguous-phase" in flags(report) for report in double)


@pytest.mark.parametrize("name", ["S1.haplotypecaller.vcf.gz", "S1.haplotypecaller.filtered.phased.vcf.gz"])
def test_exome_without_a_record_at_either_site(shared_data, run_pgx, name):
    path = shared_data / "exome_HG00284" / name
    (report,) = reports(path).values()
    assert report.genotype.e4_status == "indeterminate"
    assert report.genotype.diplotype is None
    assert "absent-site" in flags(report)
    text = run_pgx("annotate", path).stdout
    start = " ".join(text[: text.lower().index("what it means")].split())
    assert "cannot answer" in start


@pytest.mark.parametrize("name", ["HG00403A.vcf.gz", "HG00403A.chr19_APOE_100kb.vcf"])
def test_complete_genomics(shared_data, name):
    (report,) = reports(shared_data / "complete_genomics" / name).values()
    first, second = report.sites
    assert (sorted(first.alleles), second.state) == (["C", "T"], "absent")
    assert report.genotype.e4_status == "heterozygous"
    assert report.genotype.diplotype is None
    assert {"absent-site", "one-site-inference"} <= flags(report)


def test_gvcf_block_without_coverage(shared_data):
    (report,) = reports(shared_data / "gvcf_NA12878" / "NA12878.chr19_APOE_100kb.g.vcf").values()
    assert [site.state for site in report.sites] == ["no-call", "no-call"]
    assert report.genotype.e4_status == "indeterminate"
    assert "no-call" in flags(report)


def test_single_samples(shared_data):
    for path in sorted((shared_data / "single_samples").glob("*.vcf")):
        (report,) = reports(path).values()
        spelled = path.name.split(".")[1].replace("-", "/")
        wanted = {spelled, None} if "variants_only" in path.name else {spelled}
        if "e1" in spelled:
            wanted = {None}
        assert report.genotype.diplotype in wanted, path.name
        if "variants_only" in path.name and report.genotype.diplotype is None and "e1" not in spelled:
            assert "absent-site" in flags(report), path.name


@pytest.mark.parametrize("assembly", ["auto", "GRCh38"])
def test_bad_input_gives_an_answer_or_one_error(shared_data, assembly):
    paths = [path for path in sorted((shared_data / "bad_input").rglob("*")) if path.is_file()]
    assert len(paths) >= 997
    errors, read = [], 0
    for path in paths:
        try:
            found = list(annotate(str(path), Options(assembly=assembly)).samples)
        except PgxError as error:
            errors.append(error)
            continue
        read += 1
        for report in found:
            assert report.genotype.diplotype is None, path
            assert report.genotype.e4_status == "indeterminate", path
    assert read
    assert {error.exit_code for error in errors} == {3}
    assert not any("\n" in str(error) for error in errors)


def test_many_samples_are_called_fast_enough_to_be_cached(shared_data):
    """The posterior depends on few distinct observations: as many answers are computed, not one a person."""
    from pgx.calling.posterior import answers

    answers.cache_clear()
    list(annotate(str(shared_data / "1000genomes" / "apoe.vcf.gz"), Options()).samples)
    assert answers.cache_info().misses < 1000
