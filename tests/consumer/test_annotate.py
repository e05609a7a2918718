"""A consumer file from start to finish, alone and in a cohort."""

import json
import subprocess
import sys

import pytest

from pgx.consumer import allele_error_rate
from pgx.inputs import kind_of
from pgx.options import Options
from pgx.reference import threshold
from pgx.single import annotate
from tests.consumer.test_consumer import GRCH37, both, text, written


def report(path, **options):
    made = annotate(path, Options(**options))
    return made.run, next(iter(made.samples))


@pytest.mark.parametrize(
    ("first", "second", "diplotype", "status"),
    [
        ("TT", "CC", "e3/e3", "non-carrier"),
        ("CT", "CC", "e3/e4", "heterozygous"),
        ("TT", "CT", "e2/e3", "non-carrier"),
        ("CC", "CC", "e4/e4", "homozygous"),
        ("CC", "TT", None, "indeterminate"),  # spells e1/e1, which an unstated quality never supports
    ],
)
def test_a_file_with_both_sites(tmp_path, first, second, diplotype, status):
    run, found = report(written(tmp_path, text("23andMe", both(first, second))))
    assert (found.genotype.diplotype, found.genotype.e4_status) == (diplotype, status)
    assert run.input.kind == "consumer-text"
    assert run.parameters.genotype_error_rate == allele_error_rate()
    flags = {flag.code: flag for flag in found.flags}
    assert flags["consumer-array"].severity == "warning"
    assert "accredited" in flags["consumer-array"].message
    assert "Bayes" not in flags["consumer-array"].message


@pytest.mark.parametrize("rate", [0.01, threshold("allele_error_rate")])
def test_the_users_error_rate_goes_before(tmp_path, rate):
    """Also where it is the one that other files have without being asked."""
    run, _ = report(written(tmp_path, text("23andMe", both("TT", "CC"))), genotype_error_rate=rate)
    assert run.parameters.genotype_error_rate == rate
    assert run.parameters.genotype_error_rate != allele_error_rate()


def test_a_missing_site_is_named(tmp_path):
    path = written(tmp_path, text("AncestryDNA", both("TT", "CC")[1:]))
    _, found = report(path)
    assert found.genotype.diplotype is None
    assert [site.state for site in found.sites] == ["absent", "called"]
    shown = subprocess.run(
        [sys.executable, "-m", "pgx", "inspect", path, "-f", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    needs = json.loads(shown.stdout)["needs"]
    assert [(need["code"], need["what"].split(":")[0]) for need in needs] == [("absent-consumer", "rs429358")]


def test_kinds_of_input(tmp_path):
    assert kind_of(written(tmp_path, text("MyHeritage", both("TT", "CC")))) == "consumer-text"
    assert kind_of(written(tmp_path, "##fileformat=VCFv4.2\n", "a.vcf")) == "vcf"
    assert kind_of(written(tmp_path, "nothing\n", "b.txt")) == "vcf"
    assert kind_of("-") == "vcf"


def test_in_a_cohort(tmp_path):
    good = written(tmp_path, text("23andMe", both("CT", "CC")), "one.txt")
    lacking = written(tmp_path, text("23andMe", [("rs1", "19", GRCH37["rs7412"], "CC")]), "two.txt")
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "pgx", "cohort", good, lacking, "-o", str(out), "-j", "1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 5}, done.stderr
    lines = [line.split("\t") for line in (out / "samples.tsv").read_text().splitlines()]
    row = dict(zip(lines[0], lines[1], strict=True))
    assert (row["sample"], row["diplotype"], row["source"]) == ("one", "e3/e4", "file")


def test_inspect_reckons_with_the_rate_of_such_files(tmp_path, monkeypatch):
    from pgx.inspect import told

    asked = []
    call = told.call
    monkeypatch.setattr(told, "call", lambda seen, rules: asked.append(rules) or call(seen, rules))
    from pgx.inspect import inspect

    inspect(str(written(tmp_path, text("23andMe", both("TT", "CC")))))
    assert [rules.allele_error_rate for rules in asked] == [allele_error_rate()]
