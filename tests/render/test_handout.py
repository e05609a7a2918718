"""The hand-out: short, plain, never inside the report, and never more than the report can say."""

from __future__ import annotations

import io
import re

import pytest
import readability
from pypdf import PdfReader
from render_states import SAMPLES, STATES

from pgx.render import html
from pgx.render.blocks import sentences
from pgx.render.form import Form, languages
from pgx.render.handout import handout
from pgx.wording import wording

GRADE_OF_A_TWELVE_YEAR_OLD = 7
FINDINGS = ("non-carrier", "heterozygous", "homozygous", "carrier", "indeterminate")


def plain(told):
    return " ".join(sentences(told))


@pytest.mark.parametrize("state", STATES)
def test_it_is_short_and_plain(one, state):
    told = handout(*one(state), Form())
    assert len(plain(told).split()) <= 300
    text = " ".join(block.text for part in told.sections for block in part.blocks)
    spoken = re.sub(r"ε(\d)", r"e \1", text)
    measures = readability.getmeasures("\n".join(re.split(r"(?<=[.?!])\s+", spoken)), lang="en")
    assert measures["readability grades"]["Kincaid"] <= GRADE_OF_A_TWELVE_YEAR_OLD
    assert measures["readability grades"]["FleschReadingEase"] >= 70


@pytest.mark.parametrize("state", STATES)
def test_it_says_this_finding_and_no_other(one, state):
    run, report = one(state)
    words = wording()
    said = plain(handout(run, report, Form()))
    withheld = report.patient.minor
    for key in FINDINGS:
        is_this = key == report.genotype.e4_status and not withheld
        assert (words.say("handout", key) in said) is is_this, key
    assert ("(assumed)" in said) is report.genotype.assumed
    assert "ε3/ε4" not in said


def test_it_is_not_part_of_the_report(one):
    page = html.render(*one("heterozygous"))
    assert wording().say("handout", "title") not in page


@pytest.mark.parametrize("ending", ["html", "pdf", "txt"])
def test_it_is_written_beside_the_report(ending, run_pgx, tmp_path):
    file = tmp_path / f"sheet.{ending}"
    result = run_pgx("annotate", SAMPLES / "NA18526.e3-e4.GRCh38.vcf", "--handout", file)
    assert result.exit_code == 0
    assert "Result at a glance" in result.stdout
    if ending == "pdf":
        pages = PdfReader(io.BytesIO(file.read_bytes())).pages
        assert len(pages) == 1
        assert "One copy of ε4 was found" in pages[0].extract_text()
    else:
        assert "One copy of ε4 was found" in file.read_text()


def test_it_is_for_one_person(run_pgx, tmp_path):
    file = tmp_path / "sheet.txt"
    refused = run_pgx("annotate", SAMPLES / "eight-people.GRCh38.vcf.gz", "--handout", file)
    assert refused.exit_code == 2
    assert not file.exists()
    assert run_pgx("annotate", SAMPLES / "NA18526.e3-e4.GRCh38.vcf", "--handout", "x.doc").exit_code == 2


@pytest.mark.parametrize("language", [name for name in languages() if name != "en"])
def test_a_language_asks_for_the_same_values(language):
    """Sentences of a language exist in English too, and are filled with the same values."""
    import tomllib

    from pgx.reference import root

    english = wording("en").topics
    own = tomllib.loads((root() / "wording" / f"{language}.toml").read_text(encoding="utf-8"))["topic"]

    def holes(sentence):
        return sorted(re.findall(r"\{(\w+)\}", sentence))

    for topic, table in own.items():
        if topic == "number":
            continue
        for key, sentence in table.items():
            assert key in english[topic], f"{topic}.{key}"
            assert holes(sentence) == holes(english[topic][key]), f"{topic}.{key}"
    reports = (
        "section",
        "share",
        "result",
        "status",
        "family",
        "next",
        "limits",
        "handout",
        "glance",
        "caveat",
        "sure",
    )
    for topic in reports:
        missing = set(english[topic]) - set(own[topic]) - {"undetermined_short", "status_line"}
        assert missing == set(), topic


@pytest.mark.parametrize("state", STATES)
def test_german_is_marked_and_keeps_the_result(one, state):
    run, report = one(state)
    from pgx.render import pdf, text

    form = Form(language="de")
    said = text.render(run, report, form)
    assert "experimentell, nicht klinisch geprüft" in said
    page = html.render(run, report, form)
    assert '<html lang="de">' in page
    for leaf in PdfReader(io.BytesIO(pdf.render(run, report, form))).pages:
        assert "experimentell" in leaf.extract_text()
    if report.genotype.assumed:
        assert "assumed)" in said
