"""The quick copy holds what the TOML files hold, and is only used for exactly those files."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pgx import reference
from pgx.cli.evidence import app
from pgx.evidence import EvidenceBase, loading
from pgx.evidence.compiled import COMPILED_FILE


@pytest.fixture
def own_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of reference/ that a test may change."""
    folder = tmp_path / "reference"
    shutil.copytree(reference.root(), folder)
    monkeypatch.setattr(reference, "root", lambda: folder)
    monkeypatch.setattr(loading, "_load_shipped", functools.cache(lambda: loading._load(())))
    return folder


def _changed(folder: Path) -> Path:
    path = folder / "evidence" / "apoe_response.toml"
    text = path.read_text(encoding="utf-8")
    assert "may respond less to Cerebrolysin" in text
    path.write_text(
        text.replace("may respond less to Cerebrolysin", "may respond a little less to Cerebrolysin")
    )
    return path


def _statement(base: EvidenceBase) -> str:
    return base.claims["apoe-ad-article-carriers-may-respond-less"].statement


def test_the_copy_is_current() -> None:
    assert loading.is_current(), "run: pgx evidence compile"


def test_the_copy_says_what_the_files_say() -> None:
    slow, quick = loading._load((), use_copy=False), loading._load(())
    for name in EvidenceBase.__struct_fields__:
        assert getattr(slow, name) == getattr(quick, name), name
    assert list(slow.claims) == list(quick.claims)


def test_a_changed_file_counts_at_once(own_reference: Path) -> None:
    before = loading.load()
    path = _changed(own_reference)
    loading._load_shipped.cache_clear()
    after = loading.load()
    assert "a little less" in _statement(after)
    assert "a little less" not in _statement(before)
    assert not loading.is_current()
    changed = [
        name for (name, one), (_, other) in zip(before.digests, after.digests, strict=True) if one != other
    ]
    assert changed == [f"evidence/{path.name}"]


@pytest.mark.parametrize("content", [None, "", "{}", "[1", '{"files": 3}'])
def test_a_missing_or_broken_copy_does_no_harm(
    own_reference: Path, base: EvidenceBase, content: str | None
) -> None:
    copy = own_reference / COMPILED_FILE
    copy.unlink()
    if content is not None:
        copy.write_text(content)
    assert loading.load().claims == base.claims


def test_a_new_file_counts_too(own_reference: Path) -> None:
    (own_reference / "evidence" / "zz.toml").write_text('[provenance]\norigin = "x"\ndate = 2026-01-01\n')
    assert loading.load().digests[-1][0] == "evidence/zz.toml"


def test_compile_writes_the_copy_and_the_schema(own_reference: Path) -> None:
    _changed(own_reference)
    stale = CliRunner().invoke(app, ["check"])
    assert "compiled.json is not current" in stale.stdout
    done = CliRunner().invoke(app, ["compile"])
    assert done.exit_code == 0
    assert done.stdout.split() == ["written:", COMPILED_FILE, "written:", "evidence/claims.schema.json"]
    assert loading.is_current()
    assert "a little less" in (own_reference / COMPILED_FILE).read_text(encoding="utf-8")
    assert (
        json.loads((own_reference / COMPILED_FILE).read_text(encoding="utf-8"))["files"][0][0]
        == "sources.toml"
    )
