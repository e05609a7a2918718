"""status x indication x context -> conclusion, claims and warnings: complete over the enumerations."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from pgx.calling import E4Status
from pgx.errors import UsageError
from pgx.evidence import Conclusion, EvidenceBase, PatientContext, Subject, context, respond
from pgx.evidence.rules import Voice, conclude

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Expected:
    conclusion: str
    also: tuple[str, ...]
    certainty: str | None
    counted: tuple[str, ...]
    named: tuple[str, ...]


def _ids(cell: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (cell or "").split(";")))


def _rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def _response_rows() -> list[tuple[E4Status, str, Expected]]:
    return [
        (E4Status(status), use, _expected(row))
        for row in _rows("response_truth.tsv")
        for status in row["status"].split(",")
        for use in row["indication"].split(",")
    ]


def _expected(row: dict[str, str]) -> Expected:
    return Expected(
        row["conclusion"],
        _ids(row["also"]),
        row["certainty"] or None,
        _ids(row["counted"]),
        _ids(row["named"]),
    )


RESPONSES = {(status, use): expected for status, use, expected in _response_rows()}
CONTEXTS = [
    (row["kind"], row["given"], _ids(row["warnings"]), row["minor"] == "yes")
    for row in _rows("context_truth.tsv")
]


def _patient(kind: str, given: str, use: str) -> PatientContext:
    return PatientContext(
        taking=(given,) if kind == "taking" else (),
        history=(given,) if kind == "history" else (),
        age=float(given) if kind == "age" else None,
        indication=use,
    )


def test_the_response_table_is_complete_and_says_each_thing_once(base: EvidenceBase) -> None:
    counts = Counter((status, use) for status, use, _ in _response_rows())
    assert set(counts) == set(itertools.product(E4Status, base.indications))
    assert max(counts.values()) == 1


def test_the_context_table_has_every_use_and_every_group_of_names(base: EvidenceBase) -> None:
    assert {given for kind, given, *_ in CONTEXTS if kind == "indication"} == set(base.indications)
    given = {(kind, " ".join(name.casefold().replace("-", " ").split())) for kind, name, *_ in CONTEXTS}
    for group in base.names:
        if group.kind != "minor":
            assert any((group.kind, name.replace("-", " ")) in given for name in group.names), group.group


@pytest.mark.parametrize("status", list(E4Status))
def test_response_for_every_use(base: EvidenceBase, status: E4Status) -> None:
    for use in base.indications:
        (answer,) = respond(base, Subject(status=status), indication=use)
        expected = RESPONSES[status, use]
        counted = tuple(item.id for item in answer.claims if item.applicable)
        named = tuple(item.id for item in answer.claims if not item.applicable)
        assert (answer.drug, answer.indication) == ("Cerebrolysin", use)
        assert Expected(answer.conclusion, answer.also, answer.certainty, counted, named) == expected, use


@pytest.mark.parametrize("status", list(E4Status))
def test_without_a_use_the_answer_is_that_of_alzheimers_disease(base: EvidenceBase, status: E4Status) -> None:
    (bare,) = respond(base, Subject(status=status))
    (named,) = respond(base, Subject(status=status), indication="alzheimers-disease")
    assert (bare.indication, bare.conclusion, bare.claims) == (
        named.indication,
        named.conclusion,
        named.claims,
    )
    line = base.phrases.notes["ad_only"].format(drug="Cerebrolysin", indication="")
    assert line in bare.notes
    assert line not in named.notes


@pytest.mark.parametrize(("kind", "given", "warnings", "minor"), CONTEXTS)
def test_every_use_and_context(
    base: EvidenceBase, kind: str, given: str, warnings: tuple[str, ...], minor: bool
) -> None:
    by_use = {name: (ids, young) for k, name, ids, young in CONTEXTS if k == "indication"}
    uses = [given] if kind == "indication" else list(base.indications)
    for use in uses:
        report = context(base, _patient(kind, given, use))
        of_use, young = by_use[use]
        assert {item.id for item in report.warnings} == {*warnings, *of_use}, use
        assert report.minor is (minor or young), use


ONE, TWO = "52 of 479", "46 of 141"


@pytest.mark.parametrize(
    ("status", "conclusion", "counted"),
    [
        (E4Status.NON_CARRIER, "decreased-risk", {"lecanemab-aria-by-copies", "lecanemab-boxed-warning"}),
        (E4Status.HETEROZYGOUS, "increased-risk", {"lecanemab-aria-by-copies"}),
        (E4Status.CARRIER, "increased-risk", {"lecanemab-aria-by-copies"}),
        (E4Status.HOMOZYGOUS, "increased-risk", {"lecanemab-aria-by-copies", "lecanemab-boxed-warning"}),
        (E4Status.INDETERMINATE, "indeterminate-genotype", set()),
    ],
)
def test_the_risk_of_the_second_drug_is_graded(
    base: EvidenceBase, status: E4Status, conclusion: str, counted: set[str]
) -> None:
    (answer,) = respond(base, Subject(status=status), drug="lecanemab")
    assert (answer.drug, answer.conclusion, answer.also) == ("Lecanemab", conclusion, ())
    assert {item.id for item in answer.claims if item.side != "neutral"} == counted
    assert answer.certainty == ("moderate" if counted else None)
    # whoever asks sees all three groups, with the counts of the table and placebo beside
    shown = " ".join(row.statement for row in answer.by_status)
    for figure in (ONE, TWO, "15 of 278", "10.9%", "32.6%", "5.4%", "0.3%", "1.9%", "3.8%"):
        assert figure in shown
    if counted:
        assert any("One copy is not no risk" in note for note in answer.notes)


@pytest.mark.parametrize("name", ["donanemab", "Kisunla", "DONANEMAB-azbt"])
def test_a_drug_is_found_by_its_names_and_only_shown_where_asked_for(base: EvidenceBase, name: str) -> None:
    (asked,) = respond(base, Subject(status=E4Status.HOMOZYGOUS), drug=name)
    assert asked.drug == "Donanemab"
    assert [item.drug for item in respond(base, Subject(status=E4Status.HOMOZYGOUS))] == ["Cerebrolysin"]
    advice = {item.id for item in context(base, PatientContext(), drug=name).items}
    assert "donanemab-test-before-treatment" in advice
    assert {item.drug for item in context(base, PatientContext()).items} == {"Cerebrolysin"}


def test_an_unknown_drug_is_one_line(base: EvidenceBase) -> None:
    with pytest.raises(UsageError, match="cerebrolysin, lecanemab, donanemab"):
        respond(base, Subject(status=E4Status.CARRIER), drug="aducanumab")


def test_both_statuses_open_with_the_same_pair(base: EvidenceBase) -> None:
    """One source, one framing: the hedged sentence, then its figure with what is known of it."""
    for status in set(E4Status) - {E4Status.INDETERMINATE}:
        (answer,) = respond(base, Subject(status=status), indication="ad")
        first, second, third = answer.claims[:3]
        assert (first.id, second.id) == (
            "apoe-ad-article-carriers-may-respond-less",
            "apoe-ad-noncarriers-three-times",
        )
        assert first.data_sets == second.data_sets == ("ref52",)
        assert "which could not be found" in second.statement
        assert second.explanation
        assert third.indirect
        assert third.side not in {first.side, "neutral"}


def test_no_three_where_fifty_two_is_not_matched(base: EvidenceBase) -> None:
    for use in set(base.indications) - {"alzheimers-disease"}:
        for status in E4Status:
            (answer,) = respond(base, Subject(status=status), indication=use)
            spoken = [answer.conclusion_text, *answer.notes]
            spoken += [item.statement for item in answer.claims if item.applicable]
            assert not any("three times" in text.casefold() for text in spoken), use


def test_what_the_rule_would_say_of_donepezil(base: EvidenceBase) -> None:
    """No worked "no difference": pooled trials are one data set, and an open study points the other way."""
    claims = [item for item in base.claims.values() if item.drug == "Donepezil"]
    voices = [Voice(claim=item, direction=item.direction) for item in claims]
    verdict = conclude(base.rules, base.sources, voices)
    assert (verdict.conclusion, verdict.also) == (Conclusion.CONFLICTING, (Conclusion.INSUFFICIENT,))
    alone = [item for item in voices if item.claim.id == "donepezil-response-and-e4"]
    assert conclude(base.rules, base.sources, alone).conclusion is Conclusion.INSUFFICIENT
