"""The hazard table of docs/reliability.md: each row names tests, and those are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from pgx.options import BOUND_NAMES, CohortOptions, Options, declared

ROOT = Path(__file__).resolve().parents[1]

PAGE = (ROOT / "docs" / "reliability.md").read_text()
ROWS = [line for line in PAGE[PAGE.index("## Hazards") :].splitlines() if line.startswith("| ")][1:]


def names_in(path):
    """Return the tests of a file, as pytest names them, without parameters."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return found


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_the_tests_of_a_hazard_are_there(row):
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert len(cells) == 5, row
    assert cells[2] in {"critical", "serious", "minor"}
    tests = re.findall(r"`(tests/[^`]+)`", cells[4])
    assert tests, row
    for test in tests:
        file, _, name = test.partition("::")
        assert name in names_in(ROOT / file), test


def test_there_are_rows():
    assert len(ROWS) >= 15


def test_every_bound_is_on_the_page():
    flags = {item.flag for item in declared(Options) if item.name in BOUND_NAMES}
    flags |= {item.flag for item in declared(CohortOptions) if item.name == "stall"}
    assert len(flags) == len(BOUND_NAMES) + 1
    assert all(f"`{flag} " in PAGE for flag in flags)


def test_the_classes_of_the_torture_are_those_of_the_table():
    text = (ROOT / "tools" / "torture.py").read_text()
    classes = re.findall(r'^    "([^"]+)": ', text[text.index("CLASSES") :], re.MULTILINE)
    table = PAGE[PAGE.index("<!-- torture -->") : PAGE.index("<!-- /torture -->")]
    assert classes
    assert re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)[1:] == [*classes, "all"]
