"""Every check of a curator's work can fail, and only for its own reason."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from evidence_builder import SOURCES, claim, source
from msgspec import to_builtins
from msgspec.structs import replace

from pgx.evidence import EvidenceBase, load
from pgx.evidence.lint import _printed, lint, overdue
from pgx.evidence.schema import Topic

LoadEvidence = Callable[..., EvidenceBase]
UNSEEN = {"sources": ["unseen"]}


def keys(base: EvidenceBase) -> list[str]:
    return [problem.key for problem in lint(base) if problem.file.endswith("mine.toml")]


def test_the_made_up_claim_is_clean(load_evidence: LoadEvidence) -> None:
    assert keys(load_evidence(claim())) == []


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        (
            {"effects": [{"measure": "ratio", "value": 2.5, "interval": "unknown"}]},
            "effects",
            "2.5 has no unit",
        ),
        (
            {"effects": [{"measure": "share", "value": "5 to 7", "interval": "unknown"}]},
            "effects",
            "has no unit",
        ),
        ({"sample_unit": ""}, "sample_size", "50 of what?"),
        ({"statement": "Response may be 3."}, "statement", "the number 3 has no unit"),
        ({"statement": "Response may be 1,501."}, "statement", "the number 1,501 has no unit"),
        (
            {"hedge": "states", "statement": "It is less."},
            "hedge",
            "'states' is stronger than the source's 'shows'",
        ),
        (
            {"hedge": "shows", "source_hedge": "unknown", "statement": "A study found less."},
            "hedge",
            "stronger",
        ),
        ({"statement": "Carriers respond less to it."}, "statement", "none of the words of the hedge 'may'"),
        (
            {"hedge": "shows", "statement": "Carriers respond less."},
            "statement",
            "none of the words of the hedge",
        ),
        ({"statement": "You should take it, it may help."}, "statement", "recommendation or a promise"),
        ({"statement": "It may help and will respond."}, "statement", "recommendation or a promise"),
        (
            {"population_code": "patients"},
            "population_code",
            "wider than, or other than, the source's stroke",
        ),
        ({"population_code": "depression"}, "population_code", "wider than, or other than"),
        (
            {"certainty": {"level": "low", "judged_by": "x", "rule": "single-trial"}} | UNSEEN,
            "certainty.level",
            "not seen",
        ),
        (
            {"certainty": {"level": "moderate", "judged_by": "x", "rule": "single-trial"}},
            "certainty.level",
            "gives low, not moderate",
        ),
        (
            {"certainty": {"level": "very-low", "judged_by": "x", "rule": "not-rated"}},
            "certainty.level",
            "gives not-rated, not very-low",
        ),
        (
            {
                "certainty": {
                    "level": "low",
                    "judged_by": "x",
                    "rule": "single-trial",
                    "lowered": ["imprecision"],
                }
            },
            "certainty.level",
            "gives very-low, not low",
        ),
        (
            {
                "certainty": {"level": "low", "judged_by": "x", "rule": "single-trial"},
                "result_seen": "second-hand",
            },
            "certainty.level",
            "was not seen; it cannot be graded",
        ),
        ({"predictive": "predictive"}, "interaction", "states how treatment was compared"),
        (
            {"interaction": {"test": "interaction", "result": "x", "p": "0.2", "arms": ["a", "b"]}},
            "interaction",
            "no other does",
        ),
        (
            {"compared_with": [], "by_status": {"carrier": "May respond less."}},
            "compared_with",
            "which group it compares with",
        ),
        ({"comparison_group": "none"}, "comparison_group", "does not go with compared_with"),
        ({"sources": ["trial_old"]}, "superseded_by", "has a successor"),
        (
            {"sources": ["trial_old"], "superseded_by": ["stroke-may-help"]},
            "superseded_by",
            "none of the claims named",
        ),
        ({"gene": "none"}, "gene", "names the gene"),
        ({"group": "any", "by_status": {"any": "x", "non-carrier": "y"}}, "group", "names its group"),
        ({"by_status": {"carrier": "May respond less."}}, "by_status", "no sentence for non-carrier"),
        (
            {"by_status": {"carrier": "x", "non-carrier": "y", "one-copy": "z"}},
            "by_status",
            "one-copy is neither",
        ),
        ({"drug": "Cortexin", "topic": "efficacy"}, "topic", "never pooled"),
        ({"topic": "related-product"}, "topic", "never pooled"),
        ({"species": "rat"}, "species", "do not agree"),
        ({"endpoint_kind": "animal"}, "species", "do not agree"),
        (
            {"conflicts_with": [{"id": "test-claim", "kind": "scope", "note": "x"}]},
            "conflicts_with",
            "with itself",
        ),
    ],
)
def test_each_fault_is_found(
    load_evidence: LoadEvidence, changes: dict[str, Any], key: str, words: str
) -> None:
    sources = (*SOURCES, source("trial_old", succeeded_by=["trial_a"]))
    base = load_evidence(claim(**changes), claim(id="successor"), sources=sources)
    problems = [item for item in lint(base) if item.claim == "test-claim"]
    assert [item.key for item in problems] == [key], problems
    assert words in problems[0].message
    assert str(problems[0]).startswith(f"{problems[0].file}: claim test-claim: {key}: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"effects": [{"measure": "ratio", "value": 2.5, "unit": "times", "interval": "unknown"}]},
        {"statement": "It may help 3 of 50 people, 10, 30 or 60 mL a day, 62.8% or 5 % of them, since 2017."},
        {"statement": "P21, rs7412-C and N-PEP-12 may be names."},
        {"hedge": "suggests", "statement": "One study suggests less."},
        {"population_code": "ischaemic-stroke"},
        {"sources": ["trial_a", "unseen"], "population_code": "patients"},
        {"sources": ["trial_old"], "superseded_by": ["successor"]},
        {"drug": "Cortexin", "topic": "related-product", "gene": "none", "group": "any", "by_status": {}},
        {"direction": "not-reported", "by_status": {}, "group": "any", "compared_with": []},
    ],
)
def test_what_is_right_is_left_alone(load_evidence: LoadEvidence, changes: dict[str, Any]) -> None:
    sources = (*SOURCES, source("trial_old", succeeded_by=["trial_a"]))
    base = load_evidence(claim(**changes), claim(id="successor"), sources=sources)
    assert keys(base) == []


def test_conflicts_need_the_same_kind_on_both_sides(load_evidence: LoadEvidence) -> None:
    def pair(kind: str) -> EvidenceBase:
        one = claim(id="one", conflicts_with=[{"id": "two", "kind": "scope", "note": "x"}])
        return load_evidence(one, claim(id="two", conflicts_with=[{"id": "one", "kind": kind, "note": "x"}]))

    assert keys(pair("scope")) == []
    assert keys(pair("species")) == ["conflicts_with", "conflicts_with"]


def test_a_shipped_claim_names_the_own_claim_that_contradicts_it(load_evidence: LoadEvidence) -> None:
    shipped = "apoe-ad-noncarriers-three-times"
    conflict = {"id": shipped, "kind": "population", "note": "Other people."}
    base = load_evidence(claim(conflicts_with=[conflict]))
    assert keys(base) == []
    back = to_builtins(base.claims[shipped].conflicts_with[-1])
    assert back == conflict | {"id": "test-claim", "also": []} or back == conflict | {
        "id": "test-claim",
        "also": (),
    }
    assert "test-claim" not in {item.id for item in load().claims[shipped].conflicts_with}


def test_a_retired_id_does_not_come_back(load_evidence: LoadEvidence) -> None:
    base = load_evidence(claim(), more='retired = ["test-claim"]')
    assert keys(base) == ["id"]


def test_a_conflict_is_written_once_and_known_to_both(load_evidence: LoadEvidence) -> None:
    one = claim(id="one", conflicts_with=[{"id": "two", "kind": "scope", "note": "x"}])
    base = load_evidence(one, claim(id="two"))
    assert [(item.id, item.kind.value, item.note) for item in base.claims["two"].conflicts_with] == [
        ("one", "scope", "x")
    ]
    assert keys(base) == []


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"no_identifier": ""}, "doi"),
        ({"kind": "guideline", "no_identifier": ""}, "doi"),
        ({"pmid": "7"}, "no_identifier"),
        ({"journal": "Acta Neurol Belg :501-505"}, "journal"),
        ({"journal": "Neurosci Behav Physiol (4):391-398"}, "journal"),
        ({"title": "Nanodelivery of ..."}, "title"),
    ],
)
def test_faults_of_a_reference_are_found(
    load_evidence: LoadEvidence, changes: dict[str, Any], key: str
) -> None:
    base = load_evidence(claim(sources=["odd"]), sources=(*SOURCES, source("odd", **changes)))
    (problem,) = [item for item in lint(base) if item.claim == "odd"]
    assert problem.key == key
    assert str(problem).startswith(f"{problem.file}: source odd: {key}: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"journal": "Stroke 47(1):151-159"},
        {"journal": "Zh Nevrol Psikhiatr 120(10-2):31-38"},
        {"journal": "Brain Dev 23(Suppl 1):S90-3"},
        {"no_identifier": "", "doi": "10.1/x"},
        {"no_identifier": "", "registry": ["NCT00868283"]},
        {"no_identifier": "", "kind": "label"},
        {"no_identifier": "", "identity": "candidate", "title": "Half a title ..."},
    ],
)
def test_a_sound_reference_is_left_alone(load_evidence: LoadEvidence, changes: dict[str, Any]) -> None:
    base = load_evidence(claim(), sources=(*SOURCES, source("odd", **changes)))
    assert [item for item in lint(base) if item.claim == "odd"] == []


def test_a_claim_that_no_report_can_print_is_found(load_evidence: LoadEvidence) -> None:
    base = load_evidence(claim())
    hidden = replace(base.claims["test-claim"], topic=Topic.EVIDENCE_QUALITY)
    assert not list(_printed(base, hidden))
    rules = replace(base.rules, context_topics=())
    assert [key for key, _ in _printed(replace(base, rules=rules), hidden)] == ["topic"]


def test_evidence_that_is_due_again_is_named(base: EvidenceBase) -> None:
    day = base.drugs["Cerebrolysin"].next_review
    assert day is not None
    assert not [line for line in overdue(base, day) if line.startswith("Cerebrolysin")]
    (line,) = [
        line for line in overdue(base, day + datetime.timedelta(days=1)) if line.startswith("Cerebrolysin")
    ]
    assert str(day) in line
