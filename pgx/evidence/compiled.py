"""The shipped evidence as one JSON file, so that a report need not parse TOML.

It is only a copy: it names the digest of every TOML file that it was made from, and when one of them has
changed it is not used. `pgx evidence compile` writes it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from pgx.evidence.base import EvidenceBase
from pgx.evidence.model import Claim, Drug, Indication, NamedGroup, Population, Source
from pgx.reference import Facts

COMPILED_FILE = "evidence/compiled.json"


class Compiled(Facts, frozen=True, kw_only=True):
    """All items of the shipped files, defaults filled in, and what they were read from."""

    files: tuple[tuple[str, str], ...]
    claims: tuple[Claim, ...]
    sources: tuple[Source, ...]
    drugs: tuple[Drug, ...]
    indications: dict[str, Indication]
    populations: dict[str, Population]
    names: tuple[NamedGroup, ...]
    retired: tuple[str, ...]
    origins: dict[str, str]


def read(folder: Path, digests: Sequence[tuple[str, str]]) -> Compiled | None:
    """Return the copy if it is one of exactly these files; else None, and the TOML files count."""
    try:
        copy = msgspec.json.decode((folder / COMPILED_FILE).read_bytes(), type=Compiled)
    except (OSError, msgspec.DecodeError):
        return None
    return copy if copy.files == tuple(digests) else None


def text(base: EvidenceBase, files: Sequence[tuple[str, str]]) -> str:
    """Return the copy as it is shipped."""
    copy = Compiled(
        files=tuple(files),
        claims=tuple(base.claims.values()),
        sources=tuple(base.sources.values()),
        drugs=tuple(base.drugs.values()),
        indications=dict(base.indications),
        populations=dict(base.populations),
        names=base.names,
        retired=tuple(sorted(base.retired)),
        origins=dict(base.origins),
    )
    return msgspec.json.encode(copy).decode() + "\n"
