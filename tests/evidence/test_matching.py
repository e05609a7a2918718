"""What is said to a person of each status, why, and in which order."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from evidence_builder import claim
from msgspec import to_builtins

from pgx.calling import E4Status
from pgx.errors import UsageError
from pgx.evidence import EvidenceBase, Response, Subject, respond

LoadEvidence = Callable[..., EvidenceBase]
CARRIERS = (E4Status.HETEROZYGOUS, E4Status.HOMOZYGOUS, E4Status.CARRIER)
KNOWN = (*CARRIERS, E4Status.NON_CARRIER)


def answer(
    base: EvidenceBase, status: E4Status, diplotype: str | None = None, use: str | None = None
) -> Response:
    return respond(base, Subject(status=status, diplotype=diplotype), indication=use)[0]


@pytest.mark.parametrize("status", CARRIERS)
def test_carriers_hear_first_that_they_may_respond_less(base: EvidenceBase, status: E4Status) -> None:
    first, second, third, *_ = answer(base, status).claims
    assert "may respond less" in first.statement
    assert "three times as likely" in second.statement
    assert (first.side, second.side, third.side) == (
        "for-lower-response",
        "for-lower-response",
        "for-higher-response",
    )
    assert third.endpoint_kind == "biomarker"


def test_non_carriers_hear_the_hedged_sentence_first(base: EvidenceBase) -> None:
    first, second, third, *_ = answer(base, E4Status.NON_CARRIER).claims
    assert "may respond less" in first.statement
    assert "could not be found" in second.statement
    assert (first.side, second.side) == ("for-higher-response", "for-higher-response")
    assert third.side == "for-lower-response"


@pytest.mark.parametrize("status", KNOWN)
def test_both_sides_stand_beside_each_other_and_nothing_settles_it(
    base: EvidenceBase, status: E4Status
) -> None:
    told = answer(base, status)
    sides = [item.side for item in told.claims if item.applicable]
    assert {"for-lower-response", "for-higher-response"} <= set(sides)
    changes = sum(one != other for one, other in itertools.pairwise(sides))
    assert changes == len(set(sides)) - 1, "claims of one side stand together"
    assert told.conclusion == "conflicting"
    assert "cannot guide treatment" in told.conclusion_text


@pytest.mark.parametrize("status", KNOWN)
@pytest.mark.parametrize("use", ["stroke", "traumatic-brain-injury", "healthy-use"])
def test_other_uses_have_no_evidence_and_name_what_was_not_counted(
    base: EvidenceBase, status: E4Status, use: str
) -> None:
    told = answer(base, status, use=use)
    assert told.conclusion == "no-evidence"
    assert told.claims
    for item in told.claims:
        assert not item.applicable
        assert item.reason.startswith("Not counted: it was seen in ")
    assert base.phrases.notes["silence"] in told.notes


def test_reasons_say_who_is_meant(base: EvidenceBase) -> None:
    by_id = {item.id: item.reason for item in answer(base, E4Status.HETEROZYGOUS).claims}
    assert by_id["apoe-ad-article-carriers-may-respond-less"] == (
        "It speaks of ε4 carriers, and this result is: one copy of ε4."
    )
    assert by_id["apoe-ad-noncarriers-three-times"] == (
        "It compares people without ε4 with ε4 carriers; this result is: one copy of ε4."
    )


@pytest.mark.parametrize("use", [None, "stroke", "mci"])
def test_indeterminate_gets_the_common_table_and_nothing_else(base: EvidenceBase, use: str | None) -> None:
    told = answer(base, E4Status.INDETERMINATE, use=use)
    assert (told.conclusion, told.claims) == ("indeterminate-genotype", ())
    assert told.by_status == answer(base, E4Status.NON_CARRIER, use=use).by_status
    assert base.phrases.notes["indeterminate"] in told.notes
    assert base.phrases.notes["prognosis"] not in told.notes


def test_the_common_table_says_both_groups_of_every_claim_with_a_direction(base: EvidenceBase) -> None:
    rows = answer(base, E4Status.CARRIER).by_status
    cells = {(row.claim_id, row.group): row for row in rows}
    assert len(cells) == len(rows) == 10
    for claim_id in {row.claim_id for row in rows}:
        carrier, other = cells[claim_id, "carrier"], cells[claim_id, "non-carrier"]
        assert {carrier.side, other.side} == {"for-lower-response", "for-higher-response"}
        assert carrier.citations == other.citations != ()
    assert [row.applicable for row in rows] == [True] * 6 + [False] * 4
    assert cells["apoe-ad-noncarriers-three-times", "carrier"].direction == "decreased-response"


@pytest.mark.parametrize(
    ("key", "statuses"),
    [
        ("homozygous", {E4Status.HOMOZYGOUS}),
        ("copies_unknown", {E4Status.CARRIER}),
        ("non_carrier", {E4Status.NON_CARRIER}),
        ("carrier_meaning", set(CARRIERS)),
        ("indeterminate", {E4Status.INDETERMINATE}),
        ("prognosis", set(KNOWN)),
        ("guideline", set(E4Status)),
        ("no_recommendation", set(E4Status)),
        ("e2_e4", set()),
        ("silence", set()),
    ],
)
def test_each_note_goes_with_its_status(base: EvidenceBase, key: str, statuses: set[E4Status]) -> None:
    text = base.phrases.notes[key].format(drug="Cerebrolysin", indication="Alzheimer's disease")
    assert {status for status in E4Status if text in answer(base, status, "e3/e4").notes} == statuses


def test_e2_e4_is_a_carrier_with_a_note(base: EvidenceBase) -> None:
    plain = answer(base, E4Status.HETEROZYGOUS, "e3/e4")
    noted = answer(base, E4Status.HETEROZYGOUS, "e2/e4")
    assert plain.claims == noted.claims
    assert set(noted.notes) - set(plain.notes) == {base.phrases.notes["e2_e4"]}


def test_the_guideline_note_gives_its_date(base: EvidenceBase) -> None:
    (note,) = [text for text in answer(base, E4Status.CARRIER).notes if text.startswith("Guidelines")]
    assert "June 2025" in note
    assert "DPWG this could not be confirmed" in note


def test_unknown_is_said_not_left_out(base: EvidenceBase) -> None:
    item = next(
        item for item in answer(base, E4Status.CARRIER).claims if item.id == "apoe-ad-noncarriers-three-times"
    )
    assert (item.sample_size, item.comparator, item.control, item.blinding) == ("unknown",) * 4
    assert "interval: unknown" in item.effect
    assert (item.certainty, item.predictive) == ("not-gradable", "unclear")
    assert "risk ratio or an odds ratio" in item.technical


def test_an_unknown_use_is_refused(base: EvidenceBase) -> None:
    with pytest.raises(UsageError, match="not known"):
        answer(base, E4Status.CARRIER, use="hangover")


def test_no_dose_and_no_recommendation_by_genotype(base: EvidenceBase) -> None:
    for item in base.claims.values():
        if item.gene == "APOE":
            told = {"response-by-genotype", "risk-by-genotype", "background", "advice", "regulatory"}
            assert item.topic.value in told, item.id
            assert not re.search(r"\d\s?m[gL]\b", item.statement), item.id


def _leaf_types(value: object) -> set[type]:
    if isinstance(value, dict):
        return {kind for item in value.values() for kind in _leaf_types(item)}
    if isinstance(value, tuple):
        return {kind for item in value for kind in _leaf_types(item)}
    return {type(value)}


@pytest.mark.parametrize("status", list(E4Status))
def test_answers_are_plain_values(base: EvidenceBase, status: E4Status) -> None:
    told = answer(base, status)
    assert _leaf_types(to_builtins(told)) <= {str, bool, type(None)}
    assert told == answer(base, status)


def test_own_evidence_on_another_drug_changes_nothing_here(
    load_evidence: LoadEvidence, base: EvidenceBase
) -> None:
    own = load_evidence(claim())
    assert answer(own, E4Status.CARRIER) == answer(base, E4Status.CARRIER)
