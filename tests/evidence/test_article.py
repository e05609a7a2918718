"""The proof that nothing of the article is missing, and that the proof can fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import article_coverage as coverage
import pytest
from article_coverage import Entry
from evidence_builder import claim
from msgspec.structs import replace

from pgx import reference
from pgx.errors import ReferenceDataError
from pgx.evidence import EvidenceBase


def test_everything_is_covered(base: EvidenceBase) -> None:
    found = coverage.check(base, coverage.read())
    assert found.problems == ()
    assert (found.rows, found.markers) == ((92, 92), (56, 56))
    assert found.numbers[0] == found.numbers[1] > 50


def test_every_number_of_the_article_is_covered(base: EvidenceBase, article: str) -> None:
    found = coverage.check(base, coverage.read(), article)
    assert found.problems == ()
    assert found.numbers == (62, 62)


def test_only_page_furniture_and_headings_are_metadata() -> None:
    rows = [
        entry.item for entry in coverage.read() if entry.kind == "row" and entry.covered_by == ("metadata",)
    ]
    assert rows == ["C001", "C002", "C003", "C088"]
    lines = {
        entry.line
        for entry in coverage.read()
        if entry.kind == "number" and entry.covered_by == ("metadata",)
    }
    assert lines == {1, 3, 41, 49, 61, 67, 198, 199}


Change = Callable[[list[Entry]], list[Entry]]


def _without(kind: str, item: str) -> Change:
    return lambda entries: [entry for entry in entries if (entry.kind, entry.item) != (kind, item)]


def _changed(kind: str, item: str, /, **changes: object) -> Change:
    return lambda entries: [
        replace(entry, **changes) if (entry.kind, entry.item) == (kind, item) else entry for entry in entries
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_without("row", "C024"), "row C024: not in the table"),
        (_without("marker", "52"), "marker 52: not in the table"),
        (_changed("row", "C024", covered_by=("metadata",)), "row C024: is metadata without a reason"),
        (_changed("row", "C024", covered_by=("stroke-may-help",)), "does not name the row"),
        (_changed("row", "C024", covered_by=("no-such-claim",)), "is not a claim from the article"),
        (_changed("row", "C024", covered_by=("label-under-18",)), "is not a claim from the article"),
        (_changed("row", "C024", item="C093"), "row C093: not in the article"),
        (_changed("marker", "52", covered_by=("stroke-may-help",)), "does not name the marker"),
        (_changed("number", "1,501", covered_by=("stroke-may-help",)), "does not hold the number"),
        (_changed("number", "1,501", kind="colour"), "is of no known kind"),
        (lambda entries: [*entries, entries[0]], "row C001: twice in the table"),
    ],
)
def test_a_gap_is_found(base: EvidenceBase, change: Change, words: str) -> None:
    problems = coverage.check(base, change(list(coverage.read()))).problems
    assert any(words in problem for problem in problems), problems


@pytest.mark.parametrize("item", ["1,501", "rs7412-C", "three", "62.8%"])
def test_a_number_left_out_is_found_with_the_article(base: EvidenceBase, article: str, item: str) -> None:
    entries = [entry for entry in coverage.read() if (entry.kind, entry.item) != ("number", item)]
    problems = coverage.check(base, entries, article).problems
    assert any(problem.startswith(f"number {item}:") for problem in problems)


def test_numbers_are_read_with_their_names_and_without_markers() -> None:
    text = "A trial [16] of 1,501 people (62.8%), a 10-day course.\nP21 is three times rs7412-C [3, 20]."
    assert list(coverage.numbers_in(text)) == [
        (1, "1,501"),
        (1, "62.8%"),
        (1, "10-day"),
        (2, "P21"),
        (2, "three"),
        (2, "rs7412-C"),
    ]


def test_a_table_of_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "coverage.tsv"
    path.write_text("kind\titem\n", encoding="utf-8")
    with pytest.raises(ReferenceDataError, match="has other columns"):
        coverage.read(path)
    with pytest.raises(ReferenceDataError, match="cannot be read"):
        coverage.read(tmp_path / "absent.tsv")


def test_no_words_are_copied_from_the_article(base: EvidenceBase, article: str) -> None:
    assert list(coverage.copied(base, article)) == []
    known = coverage.runs(article)
    for name in ("wording/en.evidence.toml", "evidence/tables/rules.toml", "sources.toml"):
        text = (reference.root() / name).read_text(encoding="utf-8")
        assert not coverage.runs(text) & known, name


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("It may be that one two three four five six seven eight.", 1),
        ("It may be that One, two; three -- four FIVE six seven eight nine.", 2),
        ("It may be that one two three four five six seven and eight.", 0),
    ],
)
def test_eight_words_in_a_row_are_a_copy(
    load_evidence: Callable[..., EvidenceBase], statement: str, found: int
) -> None:
    base = load_evidence(claim(statement=statement))
    assert len(list(coverage.copied(base, "Zero one two three four five six seven\neight nine."))) == found


def test_the_tool_says_what_is_covered(
    article: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "article.txt").write_text(article, encoding="utf-8")
    assert coverage.main([str(tmp_path / "article.txt")]) == 0
    assert "numbers: 62 of 62 covered" in capsys.readouterr().out
    (tmp_path / "article.txt").write_text(article.replace("1,501", "1,502"), encoding="utf-8")
    assert coverage.main([str(tmp_path / "article.txt")]) == 4
    assert "number 1,502: 1 time(s)" in capsys.readouterr().out


def test_the_tool_passes_without_the_article(capsys: pytest.CaptureFixture[str]) -> None:
    assert coverage.main([]) == 0
    assert capsys.readouterr().out.startswith("rows: 92 of 92 covered\nmarkers: 56 of 56 covered\n")
