"""The stated rule, on made-up studies of a made-up drug."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evidence_builder import claim
from msgspec.structs import replace

from pgx.calling import E4Status
from pgx.evidence import EvidenceBase, Response, Subject, respond
from pgx.evidence.rules import Voice, body_certainty, conclude
from pgx.evidence.schema import (
    Control,
    EndpointKind,
    Identity,
    Interaction,
    Level,
    Predictive,
    ResultSeen,
    Seen,
)

LoadEvidence = Callable[..., EvidenceBase]

# An interaction test, or the drug against its control by genotype: without one there is no direction.
BY_GENOTYPE = {
    "predictive": "predictive",
    "interaction": {
        "test": "interaction",
        "result": "less in carriers",
        "p": "0.01",
        "arms": ["drug", "placebo"],
    },
}
A = {"id": "study-a", "sources": ["trial_a"], **BY_GENOTYPE}
B = {"id": "study-b", "sources": ["trial_b"], **BY_GENOTYPE}
PROGNOSTIC = {"predictive": "prognostic", "interaction": None}
UNCLEAR = {"predictive": "unclear", "interaction": None}
LAB = {"id": "lab", "sources": ["trial_c"], "endpoint_kind": "biomarker"}
COURSE = {"id": "course", "sources": ["trial_c"], "predictive": "prognostic"}
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
        # the made-up cases of the audit: a main effect of the genotype in placebo-controlled trials
        ([A | UP | PROGNOSTIC, B | UP | PROGNOSTIC], "insufficient"),
        ([A | UNCLEAR, B | UNCLEAR], "insufficient"),
        ([A, B | UNCLEAR], "insufficient"),
        # prognosis stands against nothing
        (
            [A, B, COURSE | UP],
            "decreased-response",
        ),
        # a biomarker never turns two controlled clinical studies that agree, by genotype or not
        (
            [A, B, LAB | UP],
            "decreased-response",
        ),
        (
            [
                A | UNCLEAR,
                B | UNCLEAR,
                LAB | UP,
            ],
            "insufficient",
        ),
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


def test_a_risk_needs_its_label_or_one_study_by_genotype(load_evidence: LoadEvidence) -> None:
    risk = {"topic": "risk-by-genotype", "direction": "increased-risk"}
    assert answer(load_evidence(claim(**(A | risk | UNCLEAR)))).conclusion == "insufficient"
    assert answer(load_evidence(claim(**(A | risk | PROGNOSTIC)))).conclusion == "insufficient"
    assert answer(load_evidence(claim(**A, **risk))).conclusion == "increased-risk"
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


TRUTH = Path(__file__).with_name("conclusion_truth.tsv")
DIMENSIONS: dict[str, list[str]] = {
    "predictive": list(Predictive),
    "interaction": ["yes", "no"],
    "control": list(Control),
    "endpoint": list(EndpointKind),
    "identity": list(Identity),
    "seen": list(Seen),
    "result": list(ResultSeen),
}


def truth() -> list[dict[str, str]]:
    with TRUTH.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def cells(row: dict[str, str], name: str) -> list[str]:
    return DIMENSIONS[name] if row[name] == "*" else row[name].split(",")


def test_the_truth_table_says_each_case_once() -> None:
    counts = Counter(
        case for row in truth() for case in itertools.product(*(cells(row, name) for name in DIMENSIONS))
    )
    assert set(counts) == set(itertools.product(*DIMENSIONS.values()))
    assert max(counts.values()) == 1


@pytest.mark.parametrize("row", truth(), ids=lambda row: "-".join(row[name][:12] for name in DIMENSIONS))
def test_the_rule_over_all_enumerations(load_evidence: LoadEvidence, row: dict[str, str]) -> None:
    base = load_evidence(
        claim(id="one", sources=["trial_a"]),
        claim(id="biomarker", sources=["trial_c"], endpoint_kind="biomarker", **UP),
        claim(id="clinical", sources=["unseen"], **UP),
    )
    made_up = base.claims["one"]
    stated = Interaction(test="interaction", result="less", p="0.01", arms=("drug", "placebo"))
    for predictive, interaction, control, endpoint, identity, seen, result in itertools.product(
        *(cells(row, name) for name in DIMENSIONS)
    ):
        studies = {
            key: replace(base.sources[key], identity=Identity(identity), seen=Seen(seen))
            for key in ("trial_a", "trial_b")
        }
        one = replace(
            made_up,
            predictive=Predictive(predictive),
            interaction=stated if interaction == "yes" else None,
            control=Control(control),
            endpoint_kind=EndpointKind(endpoint),
            result_seen=ResultSeen(result),
        )
        two = replace(one, id="two", sources=("trial_b",))
        for name, claims in (
            ("one", [one]),
            ("one+biomarker", [one, base.claims["biomarker"]]),
            ("two", [one, two]),
            ("two+biomarker", [one, two, base.claims["biomarker"]]),
            ("two+clinical", [one, two, base.claims["clinical"]]),
        ):
            voices = [Voice(claim=item, direction=item.direction) for item in claims]
            verdict = conclude(base.rules, {**base.sources, **studies}, voices)
            assert "+".join((verdict.conclusion, *verdict.also)) == row[name], (name, predictive, control)


@pytest.mark.parametrize(
    ("levels", "lowest"),
    [
        (["low", "moderate"], "low"),
        (["moderate", "very-low", "high"], "very-low"),
        (["not-gradable"], "not-gradable"),
        (["not-gradable", "high"], "very-low"),
        (["not-rated", "moderate"], "moderate"),
        (["not-rated"], "not-rated"),
    ],
)
def test_the_lowest_certainty_of_the_body(base: EvidenceBase, levels: list[str], lowest: str) -> None:
    made_up = base.claims["apoe-ad-noncarriers-three-times"]
    claims = [replace(made_up, certainty=replace(made_up.certainty, level=Level(level))) for level in levels]
    assert body_certainty(claims) == lowest


def test_copies_are_not_compared_within_carriers_for_a_side(load_evidence: LoadEvidence) -> None:
    risk = {"topic": "risk-by-genotype", "direction": "increased-risk"}
    graded = claim(
        id="two-against-one",
        sources=["trial_a"],
        group="two-copies",
        compared_with=["one-copy"],
        by_status={"two-copies": "More.", "one-copy": "Less."},
        **BY_GENOTYPE,
        **risk,
    )
    base = load_evidence(graded, claim(id="carriers", sources=["trial_b"], **BY_GENOTYPE, **risk))
    for status in (E4Status.HETEROZYGOUS, E4Status.HOMOZYGOUS, E4Status.CARRIER):
        assert answer(base, status).conclusion == "increased-risk"
    sides = {item.id: item.side for item in answer(base, E4Status.HETEROZYGOUS).claims}
    assert sides == {"carriers": "for-higher-risk", "two-against-one": "neutral"}
