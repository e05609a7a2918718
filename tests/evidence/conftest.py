"""Fixtures for the evidence tests: the shipped base, and a writer of small evidence files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from evidence_builder import evidence_toml

from pgx.evidence import EvidenceBase, load

HERE = Path(__file__).parent
ARTICLE = HERE.parents[2] / "shared" / "article" / "cerebrolysin_article.txt"

WriteEvidence = Callable[..., Path]
LoadEvidence = Callable[..., EvidenceBase]


@pytest.fixture(scope="session")
def base() -> EvidenceBase:
    """Return the evidence that ships."""
    return load()


@pytest.fixture
def write_evidence(tmp_path: Path) -> WriteEvidence:
    """Return a function that writes an evidence file and returns its path."""

    def write(*claims: Mapping[str, Any], name: str = "mine.toml", **options: Any) -> Path:
        path = tmp_path / name
        path.write_text(evidence_toml(*claims, **options), encoding="utf-8")
        return path

    return write


@pytest.fixture
def load_evidence(write_evidence: WriteEvidence) -> LoadEvidence:
    """Return a function that writes claims and loads them beside the shipped evidence."""

    def run(*claims: Mapping[str, Any], **options: Any) -> EvidenceBase:
        return load((write_evidence(*claims, **options),))

    return run


@pytest.fixture(scope="session")
def article() -> str:
    """Return the text of the article, or skip."""
    if not ARTICLE.is_file():
        pytest.skip("the article is not at hand")
    return ARTICLE.read_text(encoding="utf-8")
