"""Faults that a reader of every use and status found, each held here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pgx.evidence import load

SAMPLES = Path(__file__).resolve().parents[2] / "sample_vcfs"
OTHER_USES = [code for code in load().indications if code != "alzheimers-disease"]


def told(run_pgx, *arguments):
    outcome = run_pgx("annotate", *arguments)
    assert outcome.exit_code == 0, outcome.stderr
    return " ".join(outcome.stdout.split())


@pytest.mark.parametrize("form", [("--full",), ("-f", "html")])
def test_a_withheld_result_is_not_in_the_options(run_pgx, form):
    text = told(run_pgx, "--genotype", "e2/e4", "--age", "12", *form)
    assert "e2/e4" not in text
    assert "genotype e2/e4" in told(run_pgx, "--genotype", "e2/e4", "--age", "52", *form)


@pytest.mark.parametrize("use", OTHER_USES)
def test_the_figure_is_in_no_other_use(run_pgx, use):
    text = told(run_pgx, "--genotype", "e3/e4", "--indication", use, "--full", "--reveal-minor")
    assert "3 times" not in text
    assert "three times" not in text.casefold()
    assert "3 times" in told(run_pgx, "--genotype", "e3/e4", "--full")


def test_the_figure_of_an_open_result_has_its_explanation(run_pgx):
    text = told(run_pgx, SAMPLES / "absent-sites.GRCh38.vcf", "--full")
    figure = text.index("were three times as likely to respond as ε4 carriers.")
    assert "no figure for a person follows from it" in text[figure : figure + 400]
    assert "not counted: other people" in text


def test_a_risk_says_with_whom_it_is_compared(run_pgx):
    for genotype, words in (
        (
            "e3/e3",
            "a lower risk of ARIA-E (swelling of the brain, seen in images) than with ε4, and a higher one",
        ),
        ("e3/e4", "a higher risk of ARIA-E (swelling of the brain, seen in images) than with fewer copies"),
        ("e4/e4", "a higher risk of ARIA-E (swelling of the brain, seen in images) than with fewer copies"),
    ):
        text = told(run_pgx, "--genotype", genotype, "--drug", "lecanemab", "--full")
        assert words in text
        assert "will help you" not in text


def test_both_statuses_hear_of_the_authors_conclusion(run_pgx):
    for genotype in ("e3/e3", "e3/e4"):
        assert "conclude that both drugs together" in told(run_pgx, "--genotype", genotype, "--full")


def test_no_use_and_any_dementia_are_not_uses_without_a_study(run_pgx):
    for use in ("any", "dementia"):
        assert "no study by ε4 status was found" not in told(
            run_pgx, "--genotype", "e3/e4", "--indication", use
        )


def test_reasons_not_to_give_it_stand_beside_the_age(run_pgx):
    text = told(run_pgx, "--genotype", "e3/e4", "--indication", "autism")
    assert "seizures; kidney failure" in text
    named = told(run_pgx, "--genotype", "e3/e4", "--history", "epilepsy")
    assert "a label: kidney failure;" in named


def test_a_reference_folder_does_not_differ_from_itself(run_pgx):
    folder = SAMPLES.parent / "reference"
    outcome = run_pgx("evidence", "diff", folder, folder)
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert json.loads(run_pgx("evidence", "export", "-f", "json").stdout)["claims"]
