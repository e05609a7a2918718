"""The drug's other claims, and the warnings that come to the front."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable

import pytest
from evidence_builder import claim
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins

from pgx.errors import UsageError
from pgx.evidence import EvidenceBase, PatientContext, context, load


def test_every_topic_of_the_rules_is_there(base: EvidenceBase) -> None:
    report = context(base, PatientContext())
    assert list(dict.fromkeys(item.topic for item in report.items)) == [
        topic.value for topic in base.rules.context_topics
    ]
    assert report.warnings == ()
    assert report.minor is False


@pytest.mark.parametrize(
    "patient", [PatientContext(), PatientContext(taking=("lithium",)), PatientContext(age=3)]
)
def test_it_is_never_an_interaction_check(base: EvidenceBase, patient: PatientContext) -> None:
    notes = context(base, patient).notes
    assert any(
        "no interaction check" in note and "does not mean that something is safe" in note for note in notes
    )


def test_unknown_names_are_listed_and_not_guessed_at(base: EvidenceBase) -> None:
    report = context(
        base, PatientContext(taking=("lithum", "venlafaxin", " ", "aspirin"), history=("epilepsie",))
    )
    assert report.unrecognised == ("lithum", "venlafaxin", "aspirin", "epilepsie")
    assert report.warnings == ()
    assert (
        "Not recognised, and therefore not looked at: lithum, venlafaxin, aspirin, epilepsie." in report.notes
    )


def test_warnings_come_first_with_their_reasons(base: EvidenceBase) -> None:
    report = context(base, PatientContext(taking=("Lithium", "venlafaxine"), history=("RENAL-FAILURE",)))
    count = len(report.warnings)
    assert report.items[:count] == report.warnings
    assert not any(item.highlighted for item in report.items[count:])
    reasons = {item.id: item.reason for item in report.warnings}
    assert (
        reasons["contraindication-kidney-failure"] == "named in the history: RENAL-FAILURE (kidney failure)"
    )
    assert reasons["interactions-poorly-studied"] == (
        "named among the medicines taken: Lithium (lithium); "
        "named among the medicines taken: venlafaxine (antidepressants)"
    )


def test_a_use_leaves_the_effect_in_other_uses_out_but_not_their_side_effects(base: EvidenceBase) -> None:
    report = context(base, PatientContext(indication="tbi"))
    assert {item.indication for item in report.items if item.topic == "efficacy"} == {
        "traumatic-brain-injury"
    }
    assert "stroke-review-more-side-effects" in {item.id for item in report.items}
    assert "label-dose-dementia" not in {item.id for item in report.items}
    assert any("other uses is left out" in note for note in report.notes)


def test_a_wider_use_gives_its_dosing(base: EvidenceBase) -> None:
    ids = {item.id for item in context(base, PatientContext(indication="AD")).items}
    assert "label-dose-dementia" in ids
    assert "label-dose-stroke" not in ids


def test_a_use_without_evidence_says_so(base: EvidenceBase) -> None:
    report = context(base, PatientContext(indication="parkinson"))
    assert not [item for item in report.items if item.topic == "efficacy"]
    assert any("No claim on the effect of the drug in people with this use" in note for note in report.notes)


def test_animals_and_other_products_stay_out(base: EvidenceBase) -> None:
    for item in context(base, PatientContext()).items:
        claim = base.claims[item.id]
        assert claim.drug == "Cerebrolysin"
        assert claim.species.value not in {"rat", "mouse"}
        assert "animals" not in base.populations[claim.population_code].within


def test_the_label_stands_apart_from_the_article(base: EvidenceBase) -> None:
    labels = 0
    for item in context(base, PatientContext()).items:
        kinds = {base.sources[source.key].kind.value for source in item.sources}
        assert item.id.startswith("label-") is (kinds == {"label"}), item.id
        if kinds == {"label"}:
            labels += 1
            assert re.search(r"\b[Ll]abels?\b", item.statement), item.id
            assert item.tier == "Not in the article."
    assert labels >= 10


def test_the_tier_goes_with_the_item(base: EvidenceBase) -> None:
    items = {item.id: item for item in context(base, PatientContext()).items}
    assert "limited clinical studies of low quality" in items["autism-43-children"].tier


def test_a_review_that_was_replaced_names_its_successor_and_comes_after(base: EvidenceBase) -> None:
    report = context(base, PatientContext(indication="stroke"))
    order = [item.id for item in report.items if item.topic == "efficacy"]
    replaced = {item.id: item.superseded_by for item in report.items if item.superseded_by}
    assert replaced["stroke-review-no-benefit"] == ("stroke-review-2020-death",)
    assert order.index("stroke-review-2020-death") < order.index("stroke-review-no-benefit")


def test_versions_of_one_review_are_one_warning(base: EvidenceBase) -> None:
    report = context(base, PatientContext(indication="stroke"))
    of_review = [
        item.id for item in report.items if "cochrane-stroke" in item.data_sets and item.topic == "safety"
    ]
    assert len(of_review) > 2
    first, second = report.warnings
    assert first.id == "stroke-review-2020-serious-side-effects"
    assert first.result_seen == "source"
    # and both halves are there
    assert second.direction == "tolerated"
    assert "cochrane-stroke" not in second.data_sets


@pytest.mark.parametrize("age", [-1, -0.001, 131, 1e9, math.inf, -math.inf, math.nan])
def test_an_impossible_age_is_refused(base: EvidenceBase, age: float) -> None:
    with pytest.raises(UsageError, match="the age cannot be one"):
        context(base, PatientContext(age=age))


@settings(deadline=None)
@given(age=st.floats(min_value=0, max_value=130))
def test_minor_means_below_eighteen(age: float) -> None:
    base = load()
    report = context(base, PatientContext(age=age))
    assert report.minor is (age < 18)
    assert ("label-under-18" in {item.id for item in report.warnings}) is report.minor
    assert any("against testing minors for APOE" in note for note in report.notes) is report.minor


@settings(deadline=None)
@given(names=st.lists(st.text(max_size=12), max_size=4))
def test_any_names_are_taken(names: list[str]) -> None:
    report = context(load(), PatientContext(taking=tuple(names), history=tuple(names)))
    assert set(report.unrecognised) <= {name.strip() for name in names}


def test_an_unknown_use_is_refused(base: EvidenceBase) -> None:
    with pytest.raises(UsageError, match="not known"):
        context(base, PatientContext(indication="boredom"))


def test_reports_are_plain_values(base: EvidenceBase) -> None:
    report = context(base, PatientContext(taking=("lithium",)))
    assert json.loads(json.dumps(to_builtins(report)))["minor"] is False


def test_no_name_is_in_two_groups_of_its_kind(base: EvidenceBase) -> None:
    for kind in ("taking", "history"):
        names = [name for group in base.names if group.kind == kind for name in group.names]
        assert len(names) == len(set(names))
        assert all(name == " ".join(name.casefold().split()) for name in names)


def test_own_drugs_bring_their_advice(load_evidence: Callable[..., EvidenceBase]) -> None:
    advice = {"topic": "advice", "gene": "none", "group": "any", "compared_with": [], "by_status": {}}
    own = load_evidence(claim(**advice))
    assert {item.drug for item in context(own, PatientContext()).items} == {"Cerebrolysin", "Testumab"}
    assert {item.drug for item in context(own, PatientContext(), drug="testumab").items} == {"Testumab"}
    assert {item.drug for item in context(own, PatientContext(), drug="Leqembi").items} == {"Lecanemab"}
