"""What ships: complete, symmetric, honest about its sources, and readable aloud."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
from claims_schema import SCHEMA_FILE, schema_text

from pgx import reference
from pgx.calling import E4Status
from pgx.evidence import EvidenceBase, PatientContext, Subject, context, respond
from pgx.evidence.lint import lint
from pgx.evidence.load import dangling
from pgx.evidence.schema import (
    ConflictKind,
    Direction,
    Group,
    Identity,
    Level,
    Seen,
    Topic,
)

HERE = Path(__file__).parent
SHARED_SOURCES = HERE.parents[2] / "shared" / "evidence" / "sources.tsv"


def test_nothing_to_correct(base: EvidenceBase) -> None:
    assert [str(problem) for problem in lint(base)] == []
    assert list(dangling(base)) == []


def test_the_conflicts_of_the_article_are_all_there_in_both_directions(base: EvidenceBase) -> None:
    with (HERE / "conflicts_truth.tsv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert rows
    for row in rows:
        for one, other in ((row["one"], row["other"]), (row["other"], row["one"])):
            kinds = {item.id: item.kind.value for item in base.claims[one].conflicts_with}
            assert kinds.get(other) == row["kind"], (one, other)


def test_all_conflicts_are_symmetric_with_the_same_note(base: EvidenceBase) -> None:
    pairs = {
        (claim.id, item.id, item.kind, item.note)
        for claim in base.claims.values()
        for item in claim.conflicts_with
    }
    assert pairs
    assert pairs == {(other, one, kind, note) for one, other, kind, note in pairs}
    assert {kind for _, _, kind, _ in pairs} == set(ConflictKind)


def test_every_word_that_can_be_used_can_be_said(base: EvidenceBase) -> None:
    words = base.phrases
    assert set(words.directions) == set(Direction)
    assert set(words.topics) == set(Topic)
    assert set(words.levels) == set(Level)
    assert set(words.groups) == set(Group)
    assert set(words.statuses) == set(E4Status)
    assert set(words.seen) == set(Seen)
    assert set(words.conflicts) == set(ConflictKind)
    assert {rule.key for rule in base.rules.notes} == set(words.notes)
    sides = {side for rule in base.rules.directions.values() for side in (rule.side, rule.mirror)}
    assert sides | {"neutral"} == set(words.sides)
    assert set(base.rules.status) == set(E4Status)


def test_every_marker_has_exactly_one_source_entry(base: EvidenceBase) -> None:
    markers = [marker for source in base.sources.values() for marker in source.markers]
    assert sorted(markers) == list(range(1, 57))


def test_only_known_sources_keep_bibliographic_details_from_memory_out(base: EvidenceBase) -> None:
    for source in base.sources.values():
        if source.identity is Identity.NOT_FOUND:
            assert (source.title, source.authors, source.doi, source.pmid) == ("", "", "", ""), source.key
        if source.identity in {Identity.VERIFIED, Identity.INFERRED}:
            assert source.title, source.key
            assert source.seen is not Seen.ONLY_THROUGH_ARTICLE, source.key


def test_sources_agree_with_the_search_that_found_them(base: EvidenceBase) -> None:
    if not SHARED_SOURCES.is_file():
        pytest.skip("the list of the search is not at hand")
    with SHARED_SOURCES.open(encoding="utf-8", newline="") as handle:
        found = {row["key"]: row for row in csv.DictReader(handle, delimiter="\t")}
    for key, row in found.items():
        status = row["status"]
        source = base.sources.get(key)
        if "unverified" in status or status.startswith("NOT-FOUND"):
            # from memory, or not found: nothing may be printed of it
            assert source is None or not (source.title or source.authors or source.doi or source.pmid), key
            continue
        assert source is not None, key
        # a later look-up may add an identifier, never change one
        assert source.pmid == row["pmid"] or not row["pmid"], key
        assert source.doi == row["doi"] or not row["doi"], key
        wanted = {"VERIFIED": "verified", "INFERRED": "inferred", "CANDIDATE": "candidate"}
        assert source.identity.value == wanted[re.match(r"[A-Z]+", status).group()], key  # type: ignore[union-attr]


def test_numbers_of_the_sources_are_those_that_were_found(base: EvidenceBase) -> None:
    assert base.sources["alvarez2016"].doi == "10.1093/ijnp/pyw024"
    assert base.sources["relatives2020"].pmid == "33205928"
    assert base.claims["apoe-relatives-carriers-did-worse"].sample_size == 72
    assert base.claims["apoe-mci-carriers-responded-more"].sample_size == 110
    assert base.claims["apoe-ad-noncarriers-three-times"].sample_size == "unknown"
    (effect,) = base.claims["apoe-ad-noncarriers-three-times"].effects
    assert (effect.value, effect.unit, effect.interval) == (3, "times", "unknown")


def test_the_tier_of_a_section_travels_with_its_claims(base: EvidenceBase) -> None:
    for claim in base.claims.values():
        if claim.article and "Clinical Research" in claim.article.section:
            assert claim.article.tier in {"limited-clinical", "background", "safety-advice"}, claim.id
        if claim.article and "Animal Research" in claim.article.section:
            assert claim.article.tier == "animal", claim.id


def test_side_effects_have_no_figures(base: EvidenceBase) -> None:
    for claim in base.claims.values():
        if claim.id.startswith("side-effect"):
            assert not re.search(r"\d|%|one in|per cent", claim.statement), claim.id
            assert all(effect.value == "unknown" for effect in claim.effects), claim.id


def test_the_schema_for_editors_is_current() -> None:
    shipped = (reference.root() / SCHEMA_FILE).read_text(encoding="utf-8")
    assert shipped == schema_text(), "run: python tools/claims_schema.py"


def test_every_file_names_the_schema(repository: Path) -> None:
    files = [
        *(repository / "reference" / "evidence").glob("*.toml"),
        *(repository / "examples" / "evidence").glob("*.toml"),
    ]
    for path in [*files, repository / "reference" / "sources.toml"]:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("#:schema "), path
        assert (path.parent / first.removeprefix("#:schema ")).resolve() == (
            repository / "reference" / SCHEMA_FILE
        ), path


_PROMISES = re.compile(
    r"\b(you|your|we recommend|should (?:be given|take|start|stop) Cerebrolysin|"
    r"will (?:not )?(?:respond|help|work)|safe to|proven|proves|cures?|guarantees?|"
    r"(?:probability|chance) of (?:a )?response)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("status", list(E4Status))
def test_read_aloud(base: EvidenceBase, status: E4Status) -> None:
    spoken: list[str] = []
    for use in (None, *base.indications):
        for answer in respond(base, Subject(status=status, diplotype="e2/e4"), indication=use):
            spoken += [answer.conclusion_text, *answer.notes]
            spoken += [text for item in answer.claims for text in (item.statement, item.reason)]
            spoken += [row.statement for row in answer.by_status]
        report = context(base, PatientContext(indication=use, age=80))
        spoken += [text for item in report.items for text in (item.statement, item.reason)] + list(
            report.notes
        )
    for text in dict.fromkeys(spoken):
        assert "{" not in text, text
        assert text[-1] in ".!" or text[0].islower(), text
        assert not _PROMISES.search(text), text


def test_a_share_of_people_is_never_a_share_of_one_person(base: EvidenceBase) -> None:
    for status in E4Status:
        for answer in respond(base, Subject(status=status)):
            for text in (answer.conclusion_text, *answer.notes, *(row.statement for row in answer.by_status)):
                assert "%" not in text


def test_loading_needs_no_table_library() -> None:
    code = (
        "import sys, pgx.evidence; pgx.evidence.load(); "
        "print({'pandas', 'numpy', 'typer'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
