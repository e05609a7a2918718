"""Small evidence files about a made-up drug, Testumab, written for one test each."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

_DEFAULTS: dict[str, Any] = {
    "gene": "APOE",
    "group": "carrier",
    "compared_with": ["non-carrier"],
    "drug": "Testumab",
    "topic": "response-by-genotype",
    "indication": "stroke",
    "population": "people with acute stroke",
    "population_code": "stroke",
    "intervention": "Testumab",
    "comparator": "placebo",
    "comparison_group": "people without e4",
    "control": "placebo",
    "blinding": "double-blind",
    "species": "human",
    "sample_size": 50,
    "sample_unit": "patients",
    "endpoint": "recovery",
    "endpoint_kind": "clinical",
    "predictive": "unclear",
    "direction": "decreased-response",
    "effects": [{"measure": "unknown", "value": "unknown", "interval": "unknown"}],
    "hedge": "may",
    "source_hedge": "shows",
    "statement": "Carriers may respond less to Testumab.",
    "technical": "Made up for a test.",
    "by_status": {"carrier": "May respond less.", "non-carrier": "May respond more."},
    "certainty": {"level": "very-low", "judged_by": "test", "rule": "very-low-study"},
    "funding": "unknown",
    "caveats": [],
    "reviewed": {"by": "test", "on": "@2026-01-02"},
}


def toml_value(value: Any) -> str:
    """Return a value as TOML; a string that starts with @ is a bare date."""
    if isinstance(value, str) and value.startswith("@"):
        return value[1:]
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f'"{key}" = {toml_value(item)}' for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def claim(**changes: Any) -> dict[str, Any]:
    """Return a valid made-up claim with `changes`; a change to None takes the key out."""
    merged = {"id": "test-claim", "sources": ["trial_a"], **copy.deepcopy(_DEFAULTS), **changes}
    return {key: value for key, value in merged.items() if value is not None}


def source(key: str, **changes: Any) -> dict[str, Any]:
    """Return a verified made-up study."""
    base = {
        "key": key,
        "kind": "study",
        "identity": "verified",
        "seen": "abstract",
        "how": "made up",
        "no_identifier": "made up",
    }
    merged = {**base, "title": f"Title of {key}", "population_codes": ["stroke"], **changes}
    return {name: value for name, value in merged.items() if value is not None}


SOURCES = (
    source("trial_a"),
    source("trial_b"),
    source("trial_c"),
    source("trial_b_again", data_set="trial_b"),
    source("label_x", kind="label"),
    source("inferred_unseen", identity="inferred", seen="only-through-article"),
    source("candidate_seen", identity="candidate"),
    source(
        "unseen", kind="unknown", identity="not-found", seen="only-through-article", population_codes=None
    ),
)


def evidence_toml(
    *claims: Mapping[str, Any], sources: tuple[Mapping[str, Any], ...] = SOURCES, more: str = ""
) -> str:
    """Return the text of an evidence file with one new drug, Testumab."""
    lines = [
        more,
        '[provenance]\norigin = "test"\ndate = 2026-01-02',
        '[[drugs]]\nname = "Testumab"\nrole = "subject"\ndefault_indication = "stroke"',
    ]
    lines += [
        f"[[{table}]]\n" + "\n".join(f"{key} = {toml_value(value)}" for key, value in item.items())
        for table, items in (("sources", sources), ("claims", claims))
        for item in items
    ]
    return "\n\n".join(lines) + "\n"
