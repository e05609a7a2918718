"""Build step: write the plain content of reference/*.toml as JSON, which is read some ten times faster.

The copy names the digest of every file that it was made from and counts only for exactly those files
(`pgx.reference.parse`), so an edited file is never hidden by it. It is not committed.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COPY_FILE = "toml.cache"


class ReferenceCopy(BuildHookInterface):  # type: ignore[type-arg]
    """Run for a wheel and for an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Write the copy into the tree and let the wheel take it along, though git ignores it."""
        folder = Path(self.root) / "reference"
        part = folder / f".{COPY_FILE}.{os.getpid()}"
        try:
            part.write_bytes(copy_of(folder))
            part.replace(folder / COPY_FILE)
        except OSError as error:  # a tree that cannot be written to: the TOML files are read instead
            self.app.display_warning(f"no copy of the reference data was made: {error}")
            return
        build_data["artifacts"].append(f"/reference/{COPY_FILE}")


def copy_of(folder: Path) -> bytes:
    """Return the content of the copy: by file name, its digest and its tables; dates in ISO form."""
    entries = {}
    for path in sorted(folder.rglob("*.toml")):
        content = path.read_bytes()
        entries[path.relative_to(folder).as_posix()] = {
            "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
            "data": tomllib.loads(content.decode()),
        }
    text = json.dumps(entries, default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


def _plain(value: object) -> str:
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")
