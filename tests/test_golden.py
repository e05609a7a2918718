"""Text reports word for word. `PGX_UPDATE_GOLDEN=1 pytest tests/test_golden.py` writes them anew."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"
WIDTH = 80
LINES = 40
WORDS_BEFORE_THE_RESULT = 45

#: Name of the golden file: sample file and options. One for each thing that a report can have to say.
CASES = {
    "non-carrier": ["NA12878.e3-e3.GRCh38.vcf"],
    "heterozygous": ["NA18526.e3-e4.GRCh38.vcf"],
    "homozygous": ["HG00136.e4-e4.GRCh37.vcf"],
    "ambiguous-phase": ["HG00150.e2-e4.GRCh38.vcf"],
    "ambiguous-phase-AFR": ["HG00150.e2-e4.GRCh38.vcf", "--population", "AFR"],
    "carrier-rare-haplotype": ["NA19146.rare.GRCh38.vcf"],
    "carrier-half-call": ["half-call-carrier.GRCh37.vcf"],
    "absent": ["absent-sites.GRCh38.vcf"],
    "assumed-reference": ["absent-sites.GRCh38.vcf", "--absent-sites", "reference"],
    "one-site": ["one-site.GRCh37.vcf"],
    "filtered": ["filtered-site.GRCh37.vcf"],
    "gvcf-block": ["gvcf-block.GRCh38.g.vcf"],
    "gvcf-no-coverage": ["gvcf-no-coverage.GRCh38.g.vcf"],
    "phased-trans": ["phased-trans.GRCh38.vcf"],
    "phased-cis": ["phased-cis.GRCh38.vcf"],
    "phased-cis-pq60": ["phased-cis-pq60.GRCh38.vcf"],
    "stroke": ["NA18526.e3-e4.GRCh38.vcf", "--indication", "stroke"],
    "patient-context": ["NA18526.e3-e4.GRCh38.vcf", "--taking", "lithium,aspirin", "--history", "epilepsy"],
    "minor-withheld": ["NA18526.e3-e4.GRCh38.vcf", "--age", "12"],
    "minor-revealed": ["NA18526.e3-e4.GRCh38.vcf", "--age", "12", "--reveal-minor"],
    "many": ["eight-people.GRCh38.vcf.gz"],
    "heterozygous-full": ["NA18526.e3-e4.GRCh38.vcf", "--full"],
    "ambiguous-phase-AFR-full": ["HG00150.e2-e4.GRCh38.vcf", "--population", "AFR", "--full"],
    "minor-withheld-full": ["NA18526.e3-e4.GRCh38.vcf", "--age", "12", "--full"],
}
#: Those of one sample in the short form.
SHORT = [name for name in CASES if "--full" not in CASES[name] and name != "many"]


def stable(text: str) -> str:
    """Blank out what every edit of the reference data changes: digests, and the lines that wrap them."""
    text = re.sub(r"sha256:[0-9a-f]{64}", "sha256:<digest>", text)
    return re.sub(r"Evidence files \(SHA-256.*?(?=Made )", "Evidence files <list>\n", text, flags=re.DOTALL)


@pytest.fixture
def report(run_pgx, sample_vcfs, monkeypatch):
    monkeypatch.chdir(sample_vcfs)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")

    def make(arguments):
        result = run_pgx("annotate", *arguments)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    return make


@pytest.mark.parametrize("name", CASES)
def test_text_report(name, report):
    text = stable(report(CASES[name]))
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("PGX_UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert golden.is_file(), "no golden file; see the module's first line"
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in CASES if name != "many"])
def test_lines_fit_a_terminal(name, report):
    long = [line for line in report(CASES[name]).splitlines() if len(line) > WIDTH and " " in line.strip()]
    assert long == []


@pytest.mark.parametrize("name", SHORT)
def test_the_short_form_is_short_and_the_result_comes_early(name, report):
    lines = report(CASES[name]).splitlines()
    assert len(lines) <= LINES
    before = lines[: lines.index("Result at a glance")]
    assert len(" ".join(before).split()) <= WORDS_BEFORE_THE_RESULT


def test_of_several_people_each_has_one_line(report):
    lines = report(CASES["many"]).splitlines()
    assert [line.partition(":")[0] for line in lines[:8]] == [
        "HG00096",
        "HG00097",
        "HG00102",
        "HG01816",
        "HG00155",
        "HG00284",
        "NA19146",
        "NA12878",
    ]
    assert all("ε" in line for line in lines[:8])
    assert len(lines) == 10


@pytest.mark.parametrize("name", [name for name in CASES if name.endswith("-full")])
def test_no_statement_of_the_evidence_stands_twice(name, report):
    options = [part for part in CASES[name] if part != "--full"]
    sample = json.loads(report([*options, "-f", "json"]))["samples"][0]
    said = [claim["statement"] for response in sample["response"] for claim in response["claims"]]
    said += [item["statement"] for item in sample["context"]]
    text = " ".join(report(CASES[name]).split())
    assert said
    assert {statement: count for statement in said if (count := text.count(statement)) > 1} == {}
    assert text.count("cannot guide treatment") <= 1


def test_a_probability_stands_in_the_summary_and_in_its_table_only(report):
    text = report(["gvcf-block.GRCh38.g.vcf", "--full"])
    figure = "more than 99.99 %"
    assert text.index(f"How sure: {figure}") < text.index("How sure the call is")
    assert [line.split("  ")[1] for line in text.splitlines() if line.endswith(f"  {figure}")] == [
        "no ε4",
        "ε3/ε3",
    ]
    assert text.count(figure) == 3


def test_every_golden_file_has_a_case():
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CASES)


def test_a_withheld_report_gives_nothing_away(report, sample_vcfs, tmp_path):
    """A minor's report is the same whatever the result, but for the name, the file and its digests."""
    lines = (sample_vcfs / CASES["heterozygous"][0]).read_text().splitlines(keepends=True)
    header = [line for line in lines if line.startswith("#")]
    empty = tmp_path / "no-records.vcf"
    empty.write_text("".join(header))

    def anonymous(file):
        text = "".join(report([file, "--age", "12", "--full"]).split())
        return re.sub(r"sha256:\w{64}|[\w./-]*\.vcf|NA\d+|\d+bytes|=====+", "", text)

    texts = {anonymous(file) for file in ("NA18526.e3-e4.GRCh38.vcf", "NA12878.e3-e3.GRCh38.vcf", empty)}
    assert len(texts) == 1


def test_assumption_stands_in_the_first_lines(report):
    lines = report(CASES["assumed-reference"]).splitlines()
    start = lines.index("Result at a glance")
    assert "(assumed)" in lines[start + 1]
    assert "ASSUMED, NOT READ" in lines[start + 2]
    assert "%" not in " ".join(lines[start : start + 7])


def test_a_file_without_the_sites_says_at_once_that_it_cannot_answer(report):
    lines = report(CASES["absent"]).splitlines()
    assert "cannot answer" in lines[lines.index("Result at a glance") + 1]


@pytest.mark.parametrize("name", ["heterozygous", "homozygous", "non-carrier"])
def test_the_short_form_has_both_sides_with_the_figure_beside_the_hedge(name):
    told = " ".join((GOLDEN / f"{name}.txt").read_text(encoding="utf-8").split())
    hedged = told.index("ε4 carriers may respond less than people without ε4.")
    figure = told.index("people without ε4 were three times as likely to respond as ε4 carriers.")
    against = told.index("BDNF in the blood rose")
    assert hedged < figure < against
    assert told[hedged:figure].count(".") == 1, "nothing stands between the two"
