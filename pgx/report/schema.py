"""The JSON Schema of a stored report, made from the types; report.schema.json beside it is shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from pgx.report.model import SCHEMA_VERSION, Document

SCHEMA_FILE = Path(__file__).with_name("report.schema.json")


def schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12) of `pgx annotate -f json` and of one line of jsonl."""
    made = msgspec.json.schema(Document)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"pgx report {SCHEMA_VERSION}",
    }
    return head | made


def as_text() -> str:
    """Return the schema as the file that is shipped."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def write() -> None:
    """Write the shipped file anew: `python -c "from pgx.report.schema import write; write()"`."""
    SCHEMA_FILE.write_text(as_text(), encoding="utf-8")
