"""What changed between two releases of the evidence: claims and sources that came, went or changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pgx import reference
from pgx.errors import ReferenceDataError

_KINDS = (("claims", "id"), ("sources", "key"))
#: Of no meaning for what is said.
_IGNORED = frozenset({"file"})

Items = dict[str, dict[str, Mapping[str, Any]]]


def read_release(path: Path) -> Items:
    """Read the claims and sources of a release: a document of `pgx evidence export -f json`, or a folder.

    A folder may be a `reference/` of any release; nothing but TOML is asked of its files, so that an old one
    is read though its schema was another.

    Raises
    ------
    ReferenceDataError
        It cannot be read, or holds no claims.
    """
    items: Items = {kind: {} for kind, _ in _KINDS}
    for tables in _tables(path):
        defaults = tables.get("defaults", {})
        for kind, name in _KINDS:
            for raw in tables.get(kind, []):
                whole = {**defaults, **raw} if kind == "claims" else raw
                items[kind][str(whole.get(name))] = json.loads(json.dumps(whole, default=str))
    if not items["claims"]:
        raise ReferenceDataError(
            "holds no claims", where=str(path), cure="Name a reference folder or an export in JSON"
        )
    return items


def _tables(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_dir():
        for file in sorted(path.rglob("*.toml")):
            yield reference.parse(file, reference.read_bytes(file))
        return
    try:
        document = json.loads(reference.read_bytes(path))
    except ValueError as error:
        raise ReferenceDataError(
            f"is not JSON: {error}", where=str(path), cure="Name a folder or an export in JSON"
        ) from error
    if not isinstance(document, dict):
        raise ReferenceDataError("is no export", where=str(path), cure="Name a folder or an export in JSON")
    yield document


def differences(old: Items, new: Items) -> Iterator[str]:
    """Yield one line for each claim or source that came or went, and one for each field that changed."""
    for kind, _ in _KINDS:
        before, after = old[kind], new[kind]
        label = kind.removesuffix("s")
        yield from (f"- {label} {name}" for name in before if name not in after)
        yield from (f"+ {label} {name}" for name in after if name not in before)
        for name in before:
            if name in after:
                yield from (f"~ {label} {name}: {line}" for line in _changes(before[name], after[name]))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys((*before, *after)):
        if key in _IGNORED or before.get(key) == after.get(key):
            continue
        if key == "conflicts_with":
            yield from _conflicts(before.get(key) or [], after.get(key) or [])
        else:
            yield f"{key}: {_short(before.get(key))} -> {_short(after.get(key))}"


def _conflicts(before: list[Any], after: list[Any]) -> Iterator[str]:
    one = {item["id"]: item.get("kind") for item in before}
    two = {item["id"]: item.get("kind") for item in after}
    for name in dict.fromkeys((*one, *two)):
        if one.get(name) != two.get(name):
            yield f"conflicts_with {name}: {_short(one.get(name))} -> {_short(two.get(name))}"


def _short(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
