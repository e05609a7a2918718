"""The hand-out: short, plain, never inside the report, and never more than the report can say."""

from __future__ import annotations

import io
import re

import pytest
import readability
from pypdf import PdfReader
from render_states import SAMPLES, STATES, sentences

from pgx.render import handout as render
from pgx.render import pages
from pgx.render.form import Form, PatientMeta
from pgx.render.narrative import handout
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
    page = pages.as_html(*one("heterozygous"))
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


def test_copies_and_children_make_a_difference(one):
    """One copy, two copies and none read differently, and only ε4/ε4 says that each child has one."""
    sheets = {
        state: plain(handout(*one(state), Form())) for state in ("non-carrier", "heterozygous", "homozygous")
    }
    assert len({sheet.partition("Alzheimer's disease")[2] for sheet in sheets.values()}) == 3
    assert [state for state, sheet in sheets.items() if "Each child of yours has got one ε4" in sheet] == [
        "homozygous"
    ]
    assert "toss of a coin" in sheets["heterozygous"]


def test_it_has_date_laboratory_contact_and_room(one):
    run, report = one("heterozygous")
    meta = PatientMeta(name="P-7", laboratory="Lab A", contact="tel. 1")
    sheet = handout(run, report, Form(meta={report.sample: meta}))
    assert [(block.note, block.text) for block in sheet.head] == [
        ("For", "P-7"),
        ("Date", "1970-01-01"),
        ("Laboratory", "Lab A"),
        ("Contact", "tel. 1"),
    ]
    assert sheet.sections[-1].key == "notes"
    assert "physicians" not in render(run, report, Form(), ".html").decode()


def test_a_withheld_sheet_does_not_speak_of_your_result(one):
    said = plain(handout(*one("minor-withheld"), Form()))
    assert not re.search(r"your (APOE )?result|check the result", said)


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
def test_on_paper_it_is_one_page_of_12_points_or_more(one, state):
    (page,) = PdfReader(io.BytesIO(render(*one(state), Form(), ".pdf"))).pages
    sizes = set()
    page.extract_text(
        visitor_text=lambda words, cm, tm, font, size: sizes.add(size * abs(tm[3])) if words.strip() else None
    )
    assert min(round(size, 1) for size in sizes) >= 12
