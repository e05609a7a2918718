"""Load the evidence: every file of `reference/evidence/`, the sources, and files of the user's own."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import tomli
from msgspec.structs import replace

from pgx import reference
from pgx.errors import ReferenceDataError
from pgx.evidence import compiled
from pgx.evidence.base import EvidenceBase, dangling, sha256
from pgx.evidence.compiled import Compiled
from pgx.evidence.model import Claim, EvidenceFile, NamedGroup, Source
from pgx.evidence.rules import RULES_FILE, WORDING_FILE, rules, wording

EVIDENCE_DIR = "evidence"
SOURCES_FILE = "sources.toml"
_ITEM_TABLES = ("claims", "sources")

ModelT = TypeVar("ModelT")


@dataclass(slots=True)
class _Loader:
    """Collects files; a repeated id, key, name or code is an error that names both files."""

    items: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            kind: {} for kind in ("claims", "sources", "drugs", "indications", "populations", "origins")
        }
    )
    names: list[NamedGroup] = field(default_factory=list)
    retired: set[str] = field(default_factory=set)
    digests: list[tuple[str, str]] = field(default_factory=list)

    def add_file(self, path: Path, name: str) -> None:
        content = read_bytes(path)
        self.digests.append((name, sha256(content)))
        self.add_content(path, name, content)

    def add_content(self, path: Path, name: str, content: bytes) -> None:
        """Add the items of one TOML file that has been read; errors name `path`."""
        data = _parse(path, content)
        defaults = _table(data.pop("defaults", {}), "defaults", path)
        tables = {kind: _rows(data.pop(kind, []), kind, path) for kind in _ITEM_TABLES}
        header = _validate(EvidenceFile, data, path, "")
        for drug in header.drugs:
            self._put("drugs", drug.name, drug, path)
        for code, indication in header.indications.items():
            self._put("indications", code, indication, path)
        for code, population in header.populations.items():
            self._put("populations", code, population, path)
        self.names.extend(header.names)
        self.retired.update(header.retired)
        for raw in tables["sources"]:
            source = _validate(Source, raw, path, _label("source", raw.get("key")))
            self._put("sources", source.key, source, path)
        for raw in tables["claims"]:
            claim = _validate(Claim, {**defaults, **raw}, path, _label("claim", raw.get("id")))
            self._put("claims", claim.id, claim, path)
            self.items["origins"][claim.id] = name

    def add_compiled(self, copy: Compiled) -> None:
        """Add the items of the compiled copy, which were checked when it was made."""
        self.items |= {
            "claims": {item.id: item for item in copy.claims},
            "sources": {item.key: item for item in copy.sources},
            "drugs": {item.name: item for item in copy.drugs},
            "indications": dict(copy.indications),
            "populations": dict(copy.populations),
            "origins": dict(copy.origins),
        }
        self.names.extend(copy.names)
        self.retired.update(copy.retired)

    def mirror_conflicts(self, shipped: frozenset[str]) -> None:
        """Let a shipped claim name the user's claim that contradicts it, as if its own file did."""
        claims: dict[str, Claim] = self.items["claims"]
        for name in [name for name in claims if name not in shipped]:
            for conflict in claims[name].conflicts_with:
                other = claims.get(conflict.id)
                if conflict.id in shipped and other is not None:
                    back = replace(conflict, id=name)
                    claims[other.id] = replace(other, conflicts_with=(*other.conflicts_with, back))

    def _put(self, kind: str, key: str, value: object, path: Path) -> None:
        if key in self.items[kind]:
            raise ReferenceDataError(
                f"{kind}: {key!r} is defined twice",
                where=str(path),
                cure="Give each its own name; ids are never reused",
            )
        self.items[kind][key] = value

    def finish(self) -> EvidenceBase:
        return EvidenceBase(
            **self.items,
            names=tuple(self.names),
            retired=frozenset(self.retired),
            digests=tuple(self.digests),
            rules=rules(),
            wording=wording(),
        )


def load(extra: Sequence[Path] = ()) -> EvidenceBase:
    """Load the evidence that ships, and further files of the user's own.

    Parameters
    ----------
    extra
        TOML files, or folders whose `*.toml` files are read in the order of their names.

    Returns
    -------
    EvidenceBase
        Kept, and given again for the same files.

    Raises
    ------
    ReferenceDataError
        A file cannot be read, does not fit the schema, or refers to something that no file defines.
    """
    paths = tuple(item for path in extra for item in files_of(path))
    return _load_once(tuple((path, _stamp(path)) for path in paths)) if paths else _load_shipped()


@functools.cache
def _load_shipped() -> EvidenceBase:
    return _load(())


@functools.lru_cache(maxsize=8)
def _load_once(stamped: tuple[tuple[Path, tuple[int, int]], ...]) -> EvidenceBase:
    """Load a set of files once for all inputs of a run; a file that has changed since is another set."""
    return _load(tuple(path for path, _ in stamped))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return status.st_mtime_ns, status.st_size


def _load(extra: tuple[Path, ...], *, use_copy: bool = True) -> EvidenceBase:
    loader = _Loader()
    shipped = _add_shipped(loader, use_copy=use_copy)
    for path in extra:
        loader.add_file(path, f"{path.parent.name}/{path.name}" if path.parent.name else path.name)
    loader.mirror_conflicts(shipped)
    loaded = loader.finish()
    check_references(loaded)
    return loaded


def _add_shipped(loader: _Loader, *, use_copy: bool) -> frozenset[str]:
    """Read what ships, from the compiled copy where that is current; return the ids of its claims."""
    folder = reference.root()
    paths = [folder / SOURCES_FILE, *sorted((folder / EVIDENCE_DIR).glob("*.toml"))]
    contents = {path.relative_to(folder).as_posix(): (path, read_bytes(path)) for path in paths}
    files = [(name, sha256(content)) for name, (_, content) in contents.items()]
    plain = [(name, sha256(read_bytes(folder / name))) for name in (RULES_FILE, WORDING_FILE)]
    loader.digests.extend([*plain, *files])
    copy = compiled.read(folder, files) if use_copy else None
    if copy is not None:
        loader.add_compiled(copy)
    else:
        for name, (path, content) in contents.items():
            loader.add_content(path, name, content)
    return frozenset(loader.items["claims"])


def is_current() -> bool:
    """Say whether the compiled copy holds what the TOML files hold."""
    path = reference.root() / compiled.COMPILED_FILE
    return path.is_file() and read_bytes(path) == compile_shipped().encode()


def compile_shipped() -> str:
    """Return what `evidence/compiled.json` has to hold, read from the TOML files.

    Raises
    ------
    ReferenceDataError
        A TOML file is invalid.
    """
    base = _load((), use_copy=False)
    return compiled.text(base, [item for item in base.digests if item[0] not in {RULES_FILE, WORDING_FILE}])


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the evidence files that a path of `--evidence` stands for.

    Raises
    ------
    ReferenceDataError
        There is no such file or folder, or the folder holds no TOML file.
    """
    if path.is_dir():
        found = tuple(sorted(item for item in path.glob("*.toml") if item.is_file()))
        if not found:
            raise ReferenceDataError(
                "the folder holds no .toml file", where=str(path), cure="Name a folder or file with evidence"
            )
        return found
    if not path.exists():
        raise ReferenceDataError("no such file or folder", where=str(path), cure="Check the path")
    return (path,)


def check_references(base: EvidenceBase) -> None:
    """Raise on the first name that nothing defines, since matching would go wrong on it."""
    for where, name in _undefined(base):
        raise ReferenceDataError(
            f"{name!r} is not defined", where=where, cure="Define it or correct the name"
        )
    for drug in base.subjects():
        if drug.default_indication is None:
            raise ReferenceDataError(
                "default_indication is missing",
                where=f"drug {drug.name}",
                cure="A subject needs its usual use",
            )
    for claim, problem in dangling(base):
        raise ReferenceDataError(
            f"claim {claim.id}: {problem}", where=base.origins[claim.id], cure="Define it or correct the name"
        )


def _undefined(base: EvidenceBase) -> Iterator[tuple[str, str]]:
    """Yield (where, name) for every undefined name outside the claims."""
    uses, groups = base.indications, base.populations
    links: list[tuple[str, Iterable[str], Mapping[str, object]]] = [
        *((f"names {item.group}", item.claims, base.claims) for item in base.names),
        *((f"indication {code}", item.within, uses) for code, item in uses.items()),
        *((f"population {code}", item.within, groups) for code, item in groups.items()),
        *((f"source {key}", item.succeeded_by, base.sources) for key, item in base.sources.items()),
        *((f"source {key}", item.population_codes, groups) for key, item in base.sources.items()),
        *((f"drug {key}", filter(None, [item.default_indication]), uses) for key, item in base.drugs.items()),
    ]
    yield from ((where, name) for where, names, table in links for name in names if name not in table)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, or raise `ReferenceDataError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ReferenceDataError:
    return ReferenceDataError(
        f"cannot be read ({error.strerror})", where=str(path), cure="Check the path and its permissions"
    )


def _parse(path: Path, content: bytes) -> dict[str, Any]:
    try:
        return tomli.loads(content.decode("utf-8"))
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReferenceDataError(
            f"is not valid TOML: {error}", where=str(path), cure="Correct the file"
        ) from error


def _table(value: object, key: str, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ReferenceDataError(f"{key}: must be a table", where=str(path), cure=f"Write [{key}]")
    return value


def _rows(value: object, key: str, path: Path) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ReferenceDataError(f"{key}: must be a list of tables", where=str(path), cure=f"Write [[{key}]]")
    return value


def _label(kind: str, name: object) -> str:
    return f"{kind} {name if isinstance(name, str) else 'without a name'}: "


def _validate(model: type[ModelT], data: object, path: Path, label: str) -> ModelT:
    try:
        return msgspec.convert(data, model)
    except msgspec.ValidationError as error:
        raise ReferenceDataError(
            f"{label}{reference.describe(error)}", where=str(path), cure="Correct the file"
        ) from error
