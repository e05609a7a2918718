"""A summary fit for sharing: small counts hidden, and nothing left of single samples or files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pgx.sites import counted_haplotype

Object = dict[str, Any]
_SINGLE = ("undetermined", "failures", "rows")
_DERIVED = ("share", "low", "high")


def hidden(summary: Object, least: int) -> Object:
    """Return the summary with counts from 1 to `least` - 1 as None, and what could be worked out from them.

    In each group of counts that add up, a second count is hidden beside a single hidden one. Alarms quote
    counts, so only their codes stay.
    """
    found: Object = _walk(summary, least)
    found |= {name: [] for name in _SINGLE}
    _hide_diplotypes(found, summary, least)
    found["duplicates"] = {"count": None if summary["duplicates"]["count"] else 0, "listed": []}
    found["inputs"] = {"total": _cell(summary["inputs"]["total"], least), "failed": None}
    found["samples"] = _cell(summary["samples"], least)
    found["alarms"] = [{"code": alarm["code"], "message": ""} for alarm in summary["alarms"]]
    return found


def _hide_diplotypes(found: Object, summary: Object, least: int) -> None:
    """Hide diplotypes by e4 copies, as statuses add them up, and haplotypes where a diplotype is hidden."""
    rows = summary.get("diplotypes", [])
    shown: dict[str, Object] = {}
    for copies in range(3):
        group = [row for row in rows if row["name"].split("/").count(counted_haplotype()) == copies]
        shown |= {row["name"]: row for row in _group(group, least)}
    found["diplotypes"] = [shown[row["name"]] for row in rows]
    if any(row["count"] is None for row in found["diplotypes"]):
        nothing = dict.fromkeys(("count", *_DERIVED))
        found["haplotypes"] = [row | nothing for row in found["haplotypes"]]


def _cell(count: int, least: int) -> int | None:
    return None if 0 < count < least else count


def _walk(value: Any, least: int) -> Any:
    if isinstance(value, list):
        if value and all(isinstance(item, dict) and "count" in item for item in value):
            return _group(value, least)
        return [_walk(item, least) for item in value]
    return _walk_object(value, least) if isinstance(value, dict) else value


def _walk_object(value: Object, least: int) -> Object:
    if "genotypes" in value:
        return _site(value, least)
    if "count" in value and "name" in value:
        return _group([value], least)[0]
    if "values" in value:
        return value | {"values": [_stratum(item, least) for item in value["values"]]}
    found = {key: _walk(item, least) for key, item in value.items()}
    if "unstated" in value:
        found["unstated"] = _cell(value["unstated"], least)
    return found


def _stratum(value: Object, least: int) -> Object:
    """Hide a stratum; one too small to be shown keeps its name only."""
    if 0 < value["samples"] < least:
        return {"value": value["value"], "samples": None, "statuses": [], "sites": []}
    return {key: _walk(item, least) for key, item in value.items()}


def _site(value: Object, least: int) -> Object:
    counts = value["genotypes"]
    rows = _group([{"name": name, "count": count} for name, count in counts.items()], least)
    found = {key: _walk(item, least) for key, item in value.items() if key not in {"genotypes", "allele"}}
    found["genotypes"] = {row["name"]: row["count"] for row in rows}
    found["allele"] = dict(value["allele"])
    if any(row["count"] is None for row in rows):
        found["allele"] |= dict.fromkeys(("count", *_DERIVED))
        found["hardy_weinberg_p"] = None
    return found


def _group(rows: Sequence[Object], least: int) -> list[Object]:
    small = [index for index, row in enumerate(rows) if 0 < row["count"] < least]
    if len(small) == 1:
        others = [index for index, row in enumerate(rows) if row["count"] >= least]
        small += sorted(others, key=lambda index: rows[index]["count"])[:1]
    return [
        {
            key: (None if key == "count" or key in _DERIVED else item) if index in small else item
            for key, item in row.items()
        }
        for index, row in enumerate(rows)
    ]
