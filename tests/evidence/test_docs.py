"""The guide shows the worked example as it is."""

from __future__ import annotations

import re
from pathlib import Path

from pgx.evidence.schema import Claim


def test_every_snippet_of_the_guide_is_in_the_worked_example(repository: Path) -> None:
    guide = (repository / "docs" / "evidence.md").read_text(encoding="utf-8")
    example = (repository / "examples" / "evidence" / "own_evidence.toml").read_text(encoding="utf-8")
    snippets = re.findall(r"```toml\n(.*?)```", guide, flags=re.DOTALL)
    assert len(snippets) >= 6
    for snippet in snippets:
        assert snippet in example, snippet


def test_the_guide_explains_every_field_of_a_claim(repository: Path) -> None:
    guide = (repository / "docs" / "evidence.md").read_text(encoding="utf-8")
    table = guide.split("### What the fields mean")[1].split("###")[0]
    explained = set(re.findall(r"`(\w+)`", table))
    assert set(Claim.__struct_fields__) - explained <= {"id", "sample_unit", "comparison_group"}
