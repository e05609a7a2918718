"""A cohort of dosages alone: the open samples are the heterozygotes, and the cohort must say so."""

from __future__ import annotations

import json

import pytest
from vcf_builder import site, write_vcf

from cohort.conftest import run
from pgx.cohort import PageOptions

NAMES = [f"P{number:03}" for number in range(200)]


@pytest.fixture
def codes(tmp_path):
    """Return a function that runs a cohort of 200 people, 60 of them heterozygous, and returns its alarms."""

    def of(form, heterozygous, homozygous, **options):
        cells = [heterozygous if number % 10 < 3 else homozygous for number in range(len(NAMES))]
        records = [
            site("rs429358", gt=cells, format=form),
            site("rs7412", gt=["0/0:60"] * len(NAMES), format="GT:GQ"),
        ]
        path = write_vcf(tmp_path / "all.vcf", records=records, samples=NAMES)
        run([path], tmp_path / "out", **options)
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        return {alarm["code"]: alarm["message"] for alarm in summary["alarms"]}

    return of


def test_dosages_alone_part_people_by_their_genotype(codes):
    message = codes("GT:DS", "0/1:1", "0/0:0")["uncertain_heterozygotes"]
    assert "100 % of the samples that stay open" in message
    assert "0 % of those that are determined" in message
    assert "DS" in message


def test_a_page_for_sharing_says_it_without_a_number(codes, tmp_path):
    message = codes("GT:DS", "0/1:1", "0/0:0", page=PageOptions(min_cell=5))["uncertain_heterozygotes"]
    assert "Heterozygotes stay open more often" in message
    assert not any(letter.isdigit() for letter in message)
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["certainty"] == []
    assert "uncertain_heterozygotes" not in codes("GT:GQ", "0/1:3", "0/0:3", page=PageOptions(min_cell=5))


@pytest.mark.parametrize(
    ("form", "heterozygous", "homozygous"),
    [
        ("GT:GP", "0/1:0.001,0.998,0.001", "0/0:1,0,0"),
        ("GT:GQ", "0/1:60", "0/0:60"),
        ("GT:GQ", "0/1:3", "0/0:3"),  # nobody is determined: nothing is biased
    ],
)
def test_no_such_alarm_where_certainty_does_not_depend_on_the_genotype(codes, form, heterozygous, homozygous):
    assert "uncertain_heterozygotes" not in codes(form, heterozygous, homozygous)
