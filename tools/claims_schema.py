"""Write reference/evidence/claims.schema.json, the JSON Schema of an evidence file, for editors of curators.

python tools/claims_schema.py
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from pgx import reference
from pgx.evidence.schema import Claim, Document, EvidenceFile

SCHEMA_FILE = "evidence/claims.schema.json"
# A claim's other keys may come from [defaults], so an editor must not ask for them in every claim.
_ALWAYS = ["id", "statement"]


def file_schema() -> dict[str, Any]:
    """Return the schema of a whole file: header, defaults, claims and sources."""
    _, definitions = msgspec.json.schema_components(
        [EvidenceFile, Claim, Document], ref_template="#/$defs/{name}"
    )
    claim = definitions["Claim"]
    claim["required"] = _ALWAYS
    defaults = {key: value for key, value in claim["properties"].items() if key not in _ALWAYS}
    whole = definitions.pop("EvidenceFile")
    whole["properties"] |= {
        "defaults": {
            "type": "object",
            "description": "What holds for every claim of the file that does not say otherwise.",
            "properties": defaults,
            "additionalProperties": False,
        },
        "claims": {"type": "array", "items": {"$ref": "#/$defs/Claim"}},
        "sources": {"type": "array", "items": {"$ref": "#/$defs/Document"}},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pgx evidence file",
        **whole,
        "$defs": definitions,
    }


def schema_text() -> str:
    """Return the schema as it is shipped."""
    return json.dumps(file_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (reference.root() / SCHEMA_FILE).write_text(schema_text(), encoding="utf-8")
