"""status x indication x context -> conclusion, claims and warnings: complete over the enumerations."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from pgx.calling import E4Status
from pgx.evidence import EvidenceBase, PatientContext, Subject, context, load, respond

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Expected:
    conclusion: str
    counted: tuple[str, ...]
    named: tuple[str, ...]


def _ids(cell: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (cell or "").split(";")))


def _rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def _response_rows() -> list[tuple[E4Status, str, Expected]]:
    return [
        (E4Status(status), use, Expected(row["conclusion"], _ids(row["counted"]), _ids(row["named"])))
        for row in _rows("response_truth.tsv")
        for status in row["status"].split(",")
        for use in row["indication"].split(",")
    ]


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
        assert Expected(answer.conclusion, counted, named) == expected, use


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


@pytest.mark.parametrize("status", list(E4Status))
@pytest.mark.parametrize(("kind", "given", "warnings", "minor"), CONTEXTS)
def test_every_status_use_and_context(
    base: EvidenceBase, status: E4Status, kind: str, given: str, warnings: tuple[str, ...], minor: bool
) -> None:
    by_use = {name: (ids, young) for k, name, ids, young in CONTEXTS if k == "indication"}
    uses = [given] if kind == "indication" else list(base.indications)
    for use in uses:
        report = context(base, _patient(kind, given, use))
        of_use, young = by_use[use]
        assert {item.id for item in report.warnings} == {*warnings, *of_use}, use
        assert report.minor is (minor or young), use
        # what is said of the genotype does not depend on what else the person takes or has
        (answer,) = respond(base, Subject(status=status), indication=use)
        assert answer.conclusion == RESPONSES[status, use].conclusion


@pytest.mark.parametrize(
    ("status", "conclusion", "matched"),
    [
        (E4Status.NON_CARRIER, "no-evidence", 0),
        (E4Status.HETEROZYGOUS, "no-evidence", 0),
        (E4Status.CARRIER, "no-evidence", 0),
        (E4Status.HOMOZYGOUS, "increased-risk", 1),
        (E4Status.INDETERMINATE, "indeterminate-genotype", 0),
    ],
)
def test_the_worked_example_speaks_of_two_copies_only(
    repository: Path, status: E4Status, conclusion: str, matched: int
) -> None:
    own = load((repository / "examples" / "evidence",))
    cerebrolysin, *others = respond(own, Subject(status=status))
    assert cerebrolysin == respond(load(), Subject(status=status))[0]
    assert [answer.drug for answer in others] == ["Leqembi", "Kisunla"]
    for answer in others:
        assert (answer.conclusion, len(answer.claims)) == (conclusion, matched)
        assert any("accredited APOE test" in note for note in answer.notes)
        assert (base_silence(own) in answer.notes) is (conclusion == "no-evidence")


def base_silence(base: EvidenceBase) -> str:
    return base.phrases.notes["silence"]
