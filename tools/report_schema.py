"""Write pgx/report.schema.json, the JSON Schema (2020-12) of `pgx annotate -f json` and of one line of jsonl.

python tools/report_schema.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from pgx import report

SCHEMA_FILE = Path(report.__file__).with_name("report.schema.json")


def schema() -> dict[str, Any]:
    """Return the schema."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"pgx report {report.SCHEMA_VERSION}",
    }
    return head | msgspec.json.schema(report.Document)


def schema_text() -> str:
    """Return the schema as it is shipped."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
