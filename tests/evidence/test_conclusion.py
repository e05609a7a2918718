"""The stated rule, on made-up studies of a made-up drug."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from evidence_builder import claim

from pgx.calling import E4Status
from pgx.evidence import EvidenceBase, Response, Subject, respond

LoadEvidence = Callable[..., EvidenceBase]

A = {"id": "study-a", "sources": ["trial_a"]}
B = {"id": "study-b", "sources": ["trial_b"]}
UP = {"direction": "increased-response"}
SAME = {"direction": "no-difference"}


def answer(base: EvidenceBase, status: E4Status = E4Status.CARRIER, use: str = "stroke") -> Response:
    return next(
        item for item in respond(base, Subject(status=status), indication=use) if item.drug == "Testumab"
    )


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([A], "insufficient"),
        ([A, B], "decreased-response"),
        ([A | UP, B | UP], "increased-response"),
        ([A | SAME, B | SAME], "no-difference"),
        ([A, B | UP], "conflicting"),
        ([A, B | SAME], "conflicting"),
        ([A | {"control": "active"}, B | {"control": "usual-care"}], "decreased-response"),
        ([A, B | {"control": "none", "blinding": "open"}], "insufficient"),
        ([A, B | {"control": "unknown"}], "insufficient"),
        ([A, B | {"control": "mixed"}], "insufficient"),
        ([A, B | {"endpoint_kind": "biomarker"}], "insufficient"),
        ([A, B | {"endpoint_kind": "unknown"}], "insufficient"),
        ([A, B | UP | {"endpoint_kind": "biomarker"}], "conflicting"),
        ([A, A | {"id": "study-a-again"}], "insufficient"),
        ([B, B | {"id": "study-b-again", "sources": ["trial_b_again"]}], "insufficient"),
        ([A, B | {"sources": ["unseen"]}], "insufficient"),
        ([A, B | {"sources": ["inferred_unseen"]}], "insufficient"),
        ([A, B | {"sources": ["candidate_seen"]}], "insufficient"),
        ([A, B | {"indication": "depression"}], "insufficient"),
        ([A | {"indication": "depression"}, B | {"indication": "depression"}], "no-evidence"),
        ([A | {"direction": "association", "by_status": {}}], "insufficient"),
        (
            [A, B, {"id": "old", "sources": ["unseen"], "superseded_by": ["study-a"]} | UP],
            "decreased-response",
        ),
    ],
)
def test_rule(load_evidence: LoadEvidence, claims: list[dict[str, Any]], expected: str) -> None:
    for order in itertools.permutations(claims):
        base = load_evidence(*(claim(**changes) for changes in order))
        assert answer(base).conclusion == expected


def test_one_against_many_is_still_conflicting(load_evidence: LoadEvidence) -> None:
    many = [claim(id=f"study-{number}", sources=["trial_a", "trial_b"]) for number in range(6)]
    assert (
        answer(load_evidence(*many, claim(id="against", sources=["unseen"], **UP))).conclusion
        == "conflicting"
    )


def test_the_other_side_of_a_comparison_is_mirrored(load_evidence: LoadEvidence) -> None:
    base = load_evidence(claim(**A), claim(**B))
    assert answer(base, E4Status.NON_CARRIER).conclusion == "increased-response"
    assert {item.side for item in answer(base, E4Status.NON_CARRIER).claims} == {"for-higher-response"}
    assert {item.direction for item in answer(base, E4Status.NON_CARRIER).claims} == {"decreased-response"}
    assert {item.side for item in answer(base, E4Status.HOMOZYGOUS).claims} == {"for-lower-response"}


def test_without_a_comparison_the_other_group_is_not_spoken_of(load_evidence: LoadEvidence) -> None:
    base = load_evidence(claim(**A, compared_with=[], by_status={"carrier": "May respond less."}))
    assert answer(base, E4Status.NON_CARRIER).conclusion == "no-evidence"


@pytest.mark.parametrize(
    ("group", "speaks_of"),
    [
        ("one-copy", {E4Status.HETEROZYGOUS}),
        ("two-copies", {E4Status.HOMOZYGOUS}),
        ("carrier", {E4Status.HETEROZYGOUS, E4Status.HOMOZYGOUS, E4Status.CARRIER}),
        ("non-carrier", {E4Status.NON_CARRIER}),
    ],
)
def test_copies_not_told_apart_match_no_claim_on_copies(
    load_evidence: LoadEvidence, group: str, speaks_of: set[E4Status]
) -> None:
    base = load_evidence(claim(group=group, compared_with=[], by_status={group: "May respond less."}))
    assert {status for status in E4Status if answer(base, status).claims} == speaks_of


def test_a_risk_needs_its_label_or_two_studies(load_evidence: LoadEvidence) -> None:
    risk = {"topic": "risk-by-genotype", "direction": "increased-risk"}
    assert answer(load_evidence(claim(**A, **risk))).conclusion == "insufficient"
    assert answer(load_evidence(claim(**A, **risk), claim(**B, **risk))).conclusion == "increased-risk"
    labelled = load_evidence(claim(id="warned", sources=["label_x"], **risk))
    assert answer(labelled).conclusion == "increased-risk"
    assert answer(labelled, E4Status.NON_CARRIER).conclusion == "decreased-risk"


def test_a_label_is_no_study_of_response(load_evidence: LoadEvidence) -> None:
    assert (
        answer(load_evidence(claim(**A), claim(id="label", sources=["label_x"]))).conclusion == "insufficient"
    )


def test_another_product_is_never_pooled(load_evidence: LoadEvidence) -> None:
    related = {"drug": "N-PEP-12", "topic": "related-product", "gene": "none", "group": "any"}
    base = load_evidence(claim(**A), claim(**(B | related)))
    assert [item.id for item in answer(base).claims] == ["study-a"]
    assert {item.drug for item in respond(base, Subject(status=E4Status.CARRIER))} == {
        "Cerebrolysin",
        "Testumab",
    }


def test_the_article_alone_never_makes_a_direction(base: EvidenceBase) -> None:
    from pgx.evidence.rules import countable_studies

    claims = [item for item in base.claims.values() if item.article and 52 in item.article.markers]
    assert len(claims) == 2
    assert not countable_studies(base.rules, base.sources, claims)


def test_own_claims_on_cerebrolysin_join_the_others(load_evidence: LoadEvidence) -> None:
    base = load_evidence(claim(**A, drug="Cerebrolysin", indication="mild-cognitive-impairment"))
    (first, _) = respond(base, Subject(status=E4Status.CARRIER), indication="mci")
    assert first.conclusion == "conflicting"
    counted = {item.id: item.side for item in first.claims if item.applicable}
    assert counted == {
        "study-a": "for-lower-response",
        "apoe-mci-carriers-responded-more": "for-higher-response",
    }
