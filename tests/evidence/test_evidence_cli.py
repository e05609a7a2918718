"""`pgx evidence list | show | check | export`, in process."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from evidence_builder import claim
from typer.testing import CliRunner, Result

from pgx.cli.evidence import app
from pgx.errors import PgxError
from pgx.evidence import EvidenceBase

WriteEvidence = Callable[..., Path]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(item) for item in arguments])


def error(*arguments: object) -> PgxError:
    found = run(*arguments).exception
    assert isinstance(found, PgxError), found
    return found


def test_list_gives_every_claim(base: EvidenceBase) -> None:
    done = run("list")
    assert done.exit_code == 0
    ids = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert ids == list(base.claims)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ["--marker", "52"],
            {"apoe-ad-article-carriers-may-respond-less", "apoe-ad-noncarriers-three-times"},
        ),
        (["--topic", "interaction", "--marker", "48"], {"interaction-lithium"}),
        (["--drug", "n-pep-12"], {"npep12-memory"}),
        (["--gene", "apoe", "--indication", "mci"], {"apoe-mci-carriers-responded-more"}),
        (["--marker", "57"], set()),
    ],
)
def test_filters(options: list[str], expected: set[str]) -> None:
    done = run("list", *options)
    assert {line for line in done.stdout.splitlines() if not line.startswith(" ")} == expected


@pytest.mark.parametrize(
    ("options", "where", "exit_code"),
    [
        (["list", "--topic", "gossip"], "--topic", 2),
        (["list", "--drug", "aspirin"], "--drug", 2),
        (["list", "--gene", "BRCA1"], "--gene", 2),
        (["export", "--indication", "boredom"], "--indication", 2),
        (["list", "--evidence", "no-such-folder"], "no-such-folder", 4),
    ],
)
def test_wrong_use_is_one_line_with_a_cure(options: list[str], where: str, exit_code: int) -> None:
    found = error(*options)
    assert (found.where, found.exit_code) == (where, exit_code)
    assert found.cure
    assert "\n" not in str(found)


def test_show_has_everything() -> None:
    text = run("show", "apoe-ad-noncarriers-three-times").stdout
    for part in (
        "Eng, web article, undated; its reference 52, which could not be found",
        "line 174",
        "rows C082",
        "measured something else",
        "cannot be graded",
        "unknown",
    ):
        assert part in text


def test_show_knows_a_slip_of_the_pen() -> None:
    assert (
        "Did you mean apoe-ad-noncarriers-three-times" in error("show", "apoe-ad-noncarrier-three-times").cure
    )
    assert "pgx evidence list" in error("show", "zzz").cure


@pytest.mark.parametrize(
    "claim_id", ["stroke-review-no-benefit", "healthy-elderly-single-dose", "label-under-18"]
)
def test_show_works_for_all_kinds(base: EvidenceBase, claim_id: str) -> None:
    text = run("show", claim_id).stdout
    assert base.claims[claim_id].statement in text
    for item in base.claims[claim_id].conflicts_with:
        assert item.id in text


def test_check_passes_on_what_ships() -> None:
    done = run("check")
    assert done.exit_code == 0
    assert re.fullmatch(r"claims: \d+, sources: \d+, files: \d+\n", done.stdout)


def test_check_passes_on_the_worked_example(repository: Path) -> None:
    assert run("check", repository / "examples" / "evidence").exit_code == 0


def test_check_names_what_is_wrong_in_an_own_file(write_evidence: WriteEvidence) -> None:
    path = write_evidence(claim(statement="Carriers respond less."))
    done = run("check", path)
    assert isinstance(done.exception, PgxError)
    assert done.exception.exit_code == 4
    assert f"{path.parent.name}/mine.toml: claim test-claim: statement: says none of the words" in done.stdout


def test_export_tsv_is_a_rectangular_table(base: EvidenceBase) -> None:
    rows = list(
        csv.reader(io.StringIO(run("export", "-f", "tsv").stdout), delimiter="\t", quoting=csv.QUOTE_NONE)
    )
    assert {len(row) for row in rows} == {len(rows[0])}
    assert [row[0] for row in rows[1:]] == list(base.claims)
    assert all(all(cell for cell in row[:14]) for row in rows[1:])


def test_export_json_keeps_everything(base: EvidenceBase, tmp_path: Path) -> None:
    out = tmp_path / "evidence.json"
    assert run("export", "-f", "json", "-o", out).exit_code == 0
    document = json.loads(out.read_text(encoding="utf-8"))
    assert [item["id"] for item in document["claims"]] == list(base.claims)
    keys = {item["key"] for item in document["sources"]}
    assert {key for item in document["claims"] for key in item["sources"]} == keys
    assert document["files"][0].keys() == {"name", "digest"}
    assert [path.name for path in tmp_path.iterdir()] == ["evidence.json"]


def test_export_to_nowhere_leaves_nothing(tmp_path: Path) -> None:
    found = error("export", "-o", tmp_path / "absent" / "x.tsv")
    assert found.exit_code == 3


def test_own_evidence_can_be_browsed(repository: Path) -> None:
    done = run("list", "--evidence", repository / "examples" / "evidence", "--drug", "Examplamab")
    assert "examplamab-trial-carriers-less" in done.stdout
