"""What other programs get: summary, conflict graph, statements, differences, and the search log."""

from __future__ import annotations

import csv
import datetime
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evidence_builder import claim
from typer.testing import CliRunner, Result

from pgx import reference
from pgx.cli.evidence import app
from pgx.errors import PgxError
from pgx.evidence import EvidenceBase
from pgx.evidence.export import Finding, as_statements, conflict_graph, findings

COLUMNS = Finding.__struct_fields__


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(item) for item in arguments])


def document(*arguments: object) -> Any:
    done = run("export", *arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


class TestSummary:
    def test_a_study_is_a_set_of_data(self, base: EvidenceBase) -> None:
        rows = {
            (row.drug, row.indication, row.question): row
            for row in findings(base, list(base.claims.values()))
        }
        row = rows["Cerebrolysin", "Alzheimer's disease", "Response by genotype"]
        assert len(row.claims) == 5
        assert row.studies == 3, "two claims rest on [52], two on one study of BDNF"
        assert (row.certainty, row.clinpgx, row.cpic) == ("very-low", "not curated", "not curated")
        assert "measured something else" in row.inconsistency
        assert row.risk_of_bias == "2 of 5 findings controlled, 1 double-blind; of 3 the result was not seen"
        stroke = rows["Cerebrolysin", "acute stroke", "Side effects and safety"]
        assert stroke.studies == 2, "versions of one review are one"
        assert "stroke-review-more-side-effects" not in stroke.claims, "what was replaced is left out"
        assert (stroke.clinpgx, stroke.cpic) == ("", "")
        risk = rows["Lecanemab", "Alzheimer's disease", "Risk by genotype"]
        assert (risk.certainty, risk.clinpgx) == ("moderate", "not searched here")

    def test_every_claim_on_a_question_is_in_one_row(self, base: EvidenceBase) -> None:
        told = [name for row in findings(base, list(base.claims.values())) for name in row.claims]
        wanted = {
            item.id
            for item in base.claims.values()
            if item.topic.value in {"response-by-genotype", "risk-by-genotype", "efficacy", "safety"}
            and not item.superseded_by
        }
        assert len(told) == len(set(told))
        assert set(told) == wanted

    def test_the_three_forms_say_the_same(self) -> None:
        rows = document("--what", "summary", "-f", "json")["findings"]
        table = list(
            csv.reader(
                io.StringIO(run("export", "--what", "summary", "-f", "tsv").stdout),
                delimiter="\t",
                quoting=csv.QUOTE_NONE,
            )
        )
        page = run("export", "--what", "summary", "-f", "html").stdout
        assert tuple(table[0]) == COLUMNS
        assert [row[0:3] for row in table[1:]] == [
            [row["drug"], row["indication"], row["question"]] for row in rows
        ]
        assert page.count("<tr>") == len(table)
        for row in table[1:]:
            assert row[COLUMNS.index("reasons")].split()[0] in page
        assert not re.search(r"(?:src|href)=|@import|url\(", page)

    def test_nothing_of_a_claim_becomes_markup(self, load_evidence: Callable[..., EvidenceBase]) -> None:
        from pgx.evidence.export import as_rows
        from pgx.render.pages import table_page

        base = load_evidence(claim(funding="<script>alert(1)</script>"))
        made = table_page(
            as_rows(findings(base, [base.claims["test-claim"]])), base.phrases.summary, footer="<b>"
        )
        assert "<script" not in made
        assert "&lt;script&gt;" in made


class TestConflicts:
    def test_edges_are_the_conflicts_once_each(self, base: EvidenceBase) -> None:
        graph = conflict_graph(base, list(base.claims.values()))
        edges = {(edge["source"], edge["target"]): edge["kind"] for edge in graph["edges"]}
        assert len(edges) == len(graph["edges"])
        assert edges == {
            tuple(sorted((item.id, other.id))): other.kind.value
            for item in base.claims.values()
            for other in item.conflicts_with
        }
        assert {node["id"] for node in graph["nodes"]} == {name for pair in edges for name in pair}

    def test_graphml_holds_the_same(self) -> None:
        graph = document("--what", "conflicts")
        root = ET.fromstring(run("export", "--what", "conflicts", "-f", "graphml").stdout)  # noqa: S314 - our own
        space = {"g": "http://graphml.graphdrawing.org/xmlns"}
        assert [node.get("id") for node in root.iterfind(".//g:node", space)] == [
            node["id"] for node in graph["nodes"]
        ]
        edges = root.findall(".//g:edge", space)
        assert [(edge.get("source"), edge.get("target")) for edge in edges] == [
            (edge["source"], edge["target"]) for edge in graph["edges"]
        ]
        kinds = [edge.findtext("g:data[@key='edge-kind']", namespaces=space) for edge in edges]
        assert kinds == [edge["kind"] for edge in graph["edges"]]

    def test_a_filter_keeps_both_ends(self, base: EvidenceBase) -> None:
        graph = document("--what", "conflicts", "--indication", "stroke")
        uses = {base.claims[node["id"]].indication for node in graph["nodes"]}
        assert uses == {"stroke"}


class TestStatements:
    def statements(self, base: EvidenceBase) -> dict[str, Any]:
        made = as_statements(base, list(base.claims.values()))
        assert "unofficial" in made["profile"]
        return {item["id"].removeprefix("pgx:"): item for item in made["statements"]}

    @pytest.mark.parametrize(
        ("name", "direction", "strength", "indirect"),
        [
            ("apoe-ad-noncarriers-three-times", "neutral", None, False),
            ("apoe-ad-article-carriers-may-respond-less", "neutral", None, False),
            ("apoe-ad-bdnf-rises-more-in-carriers", "disputes", "very-low", True),
            ("apoe-ad-bdnf-with-cognition-in-carriers", "neutral", None, True),
            ("apoe-relatives-carriers-did-worse", "supports", "very-low", False),
            ("apoe-mci-carriers-responded-more", "disputes", "very-low", False),
            ("lecanemab-aria-by-copies", "supports", "moderate", False),
            ("lecanemab-boxed-warning", "supports", None, False),
        ],
    )
    def test_direction_and_strength(
        self, base: EvidenceBase, name: str, direction: str, strength: str | None, indirect: bool
    ) -> None:
        found = self.statements(base)[name]
        assert (found["direction"], found["strength"], found["indirect"]) == (direction, strength, indirect)

    def test_e4_is_a_haplotype_of_two_alleles(self, base: EvidenceBase) -> None:
        variant = self.statements(base)["apoe-ad-noncarriers-three-times"]["proposition"]["subjectVariant"]
        places = [
            (item["location"]["start"], item["location"]["end"], item["state"]["sequence"])
            for item in variant["members"]
        ]
        assert places == [(44908683, 44908684, "C"), (44908821, 44908822, "C")]
        assert all(item["id"].startswith("ga4gh:VA.") for item in variant["members"])


class TestDifferences:
    def exported(self, tmp_path: Path, name: str, change: Callable[[Any], None] | None = None) -> Path:
        content = document("-f", "json")
        if change:
            change(content)
        path = tmp_path / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def test_a_release_does_not_differ_from_itself(self, tmp_path: Path) -> None:
        path = self.exported(tmp_path, "a.json")
        assert run("diff", path, path).stdout == ""
        assert run("diff", reference.root(), reference.root()).stdout == ""

    def test_what_came_went_and_changed(self, tmp_path: Path) -> None:
        def change(content: Any) -> None:
            first, second = content["claims"][:2]
            del content["claims"][0]
            second["certainty"] = {"level": "high"}
            second["conflicts_with"] = [*second["conflicts_with"], {"id": "x", "kind": "scope"}]
            content["claims"].append({**first, "id": "brand-new"})
            content["sources"][0]["pmid"] = "7"

        old = self.exported(tmp_path, "old.json")
        new = self.exported(tmp_path, "new.json", change)
        names = [item["id"] for item in json.loads(old.read_text(encoding="utf-8"))["claims"][:2]]
        source = json.loads(old.read_text(encoding="utf-8"))["sources"][0]["key"]
        lines = run("diff", old, new).stdout.splitlines()
        assert lines[0] == f"- claim {names[0]}"
        assert lines[1] == "+ claim brand-new"
        assert any(line.startswith(f"~ claim {names[1]}: certainty: ") for line in lines)
        assert f'~ claim {names[1]}: conflicts_with x: nothing -> "scope"' in lines
        assert any(
            line.startswith(f"~ source {source}: pmid: ") and line.endswith('-> "7"') for line in lines
        )
        assert len(lines) == 5

    def test_an_old_folder_with_another_schema_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "old.toml").write_text(
            '[defaults]\nodd = "kept"\n[[claims]]\nid = "one"\n[[sources]]\nkey = "s"\n', encoding="utf-8"
        )
        (tmp_path / "new.json").write_text(
            '{"claims": [{"id": "one", "odd": "other"}], "sources": []}', encoding="utf-8"
        )
        lines = run("diff", tmp_path, tmp_path / "new.json").stdout.splitlines()
        assert lines == ['~ claim one: odd: "kept" -> "other"', "- source s"]

    @pytest.mark.parametrize("content", ["[]", "{", "{}", '{"claims": []}'])
    def test_what_is_no_release_is_one_line(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "x.json"
        path.write_text(content, encoding="utf-8")
        found = run("diff", path, path).exception
        assert isinstance(found, PgxError)
        assert (found.exit_code, found.where) == (4, str(path))


class TestAge:
    def test_past_its_review_is_a_warning_and_with_strict_an_error(self, base: EvidenceBase) -> None:
        day = base.drugs["Lecanemab"].next_review
        assert day is not None
        late = day + datetime.timedelta(days=1)
        assert "due again" not in run("check", "--as-of", day).output
        warned = run("check", "--as-of", late)
        assert warned.exit_code == 0
        assert "warning: Lecanemab: searched on 2026-11-26, due again on" in warned.output
        refused = run("check", "--as-of", late, "--strict").exception
        assert isinstance(refused, PgxError)
        assert refused.exit_code == 4
        assert run("check", "--as-of", day, "--strict").exit_code == 0

    def test_no_date_is_one_line(self) -> None:
        found = run("check", "--as-of", "soon").exception
        assert isinstance(found, PgxError)
        assert (found.exit_code, found.where) == (2, "--as-of")


def test_a_format_that_the_content_does_not_have_is_one_line() -> None:
    found = run("export", "--what", "statements", "-f", "html").exception
    assert isinstance(found, PgxError)
    assert (found.exit_code, found.where) == (2, "-f")
    assert "json" in str(found)


def test_the_search_log_can_be_followed(base: EvidenceBase) -> None:
    """Every query with its day and result; the day of a drug's search is that of the log."""
    with (reference.root() / "evidence" / "search_log.tsv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert rows
    known = {"apoe", "children", *(item.lower() for item in base.drugs), *base.indications, *base.sources}
    for row in rows:
        datetime.date.fromisoformat(row["date"])
        assert row["for"] in known, row
        assert all(row[name] for name in ("query", "where", "result")), row
        for key in filter(None, row["found"].split(";")):
            assert key in base.sources, row
    assert sum(row["for"] == "ref52" and row["result"] == "nothing" for row in rows) >= 3
    last = max(row["date"] for row in rows)
    assert {item.searched_on for item in base.subjects()} == {datetime.date.fromisoformat(last)}
