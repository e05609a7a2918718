"""Load the evidence: every file of `reference/evidence/`, the sources, and files of the user's own."""

from __future__ import annotations

import functools
import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pgx import reference
from pgx.errors import ReferenceDataError, UsageError, printable
from pgx.evidence.model import Claim, Drug, EvidenceFile, Indication, NamedGroup, Population, Source
from pgx.evidence.rules import RULES_FILE, WORDING_FILE, Rules, Wording, rules, wording

EVIDENCE_DIR = "evidence"
SOURCES_FILE = "sources.toml"
_ITEM_TABLES = ("claims", "sources")

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceBase:
    """Everything that was loaded, in the order of the files.

    Attributes
    ----------
    claims, sources, drugs, indications, populations
        By id, key, name or code.
    names
        What somebody may take or have, with the claims that this brings to the front.
    retired
        Ids of claims that are gone; none of them may come back as another claim.
    origins
        The file that each claim came from, by claim id.
    digests
        (file name, `sha256:` and digest) of every file, for the report.
    """

    claims: Mapping[str, Claim]
    sources: Mapping[str, Source]
    drugs: Mapping[str, Drug]
    indications: Mapping[str, Indication]
    populations: Mapping[str, Population]
    names: tuple[NamedGroup, ...]
    retired: frozenset[str]
    origins: Mapping[str, str]
    digests: tuple[tuple[str, str], ...]
    rules: Rules
    wording: Wording

    @property
    def digest(self) -> str:
        """Return one digest over all files."""
        return sha256("".join(f"{name}\0{value}\0" for name, value in self.digests).encode())

    def subjects(self) -> tuple[Drug, ...]:
        """Return the drugs that a response by genotype is given for."""
        return tuple(drug for drug in self.drugs.values() if drug.role == "subject")

    def genotype_claims(self, drug: str) -> tuple[Claim, ...]:
        """Return the claims on response or risk by genotype for one drug, never those on another product."""
        topics = self.rules.genotype_topics
        return tuple(claim for claim in self.claims.values() if claim.drug == drug and claim.topic in topics)

    def indication(self, name: str) -> str:
        """Return the code of an indication from its code or one of its names, in any case of letters.

        Raises
        ------
        UsageError
            The name is not in the table; the line lists the codes.
        """
        wanted = normalise(name)
        for code, entry in self.indications.items():
            if wanted in {normalise(item) for item in (code, entry.label, *entry.names)}:
                return code
        known = ", ".join(sorted(self.indications))
        raise UsageError(
            f"the indication {printable(name, 60)!r} is not known",
            where="--indication",
            cure=f"Use one of: {known}",
        )


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
        data, content = _read(path)
        self.digests.append((name, sha256(content)))
        defaults = _table(data.pop("defaults", {}), "defaults", path)
        tables = {kind: data.pop(kind, []) for kind in _ITEM_TABLES}
        header = _validate(EvidenceFile, data, path, "")
        for drug in header.drugs:
            self._put("drugs", drug.name, drug, path)
        for code, indication in header.indications.items():
            self._put("indications", code, indication, path)
        for code, population in header.populations.items():
            self._put("populations", code, population, path)
        self.names.extend(header.names)
        self.retired.update(header.retired)
        for raw in _rows(tables["sources"], "sources", path):
            source = _validate(Source, raw, path, _label("source", raw.get("key")))
            self._put("sources", source.key, source, path)
        for raw in _rows(tables["claims"], "claims", path):
            claim = _validate(Claim, {**defaults, **raw}, path, _label("claim", raw.get("id")))
            self._put("claims", claim.id, claim, path)
            self.items["origins"][claim.id] = name

    def add_plain(self, path: Path, name: str) -> None:
        self.digests.append((name, sha256(_read_bytes(path))))

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
    return _load_once(tuple((path, _stamp(path)) for path in paths))


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


def _load(extra: tuple[Path, ...]) -> EvidenceBase:
    loader = _Loader()
    base = reference.root()
    loader.add_plain(base / RULES_FILE, RULES_FILE)
    loader.add_plain(base / WORDING_FILE, WORDING_FILE)
    loader.add_file(base / SOURCES_FILE, SOURCES_FILE)
    for path in sorted((base / EVIDENCE_DIR).glob("*.toml")):
        loader.add_file(path, f"{EVIDENCE_DIR}/{path.name}")
    for path in extra:
        loader.add_file(path, f"{path.parent.name}/{path.name}" if path.parent.name else path.name)
    loaded = loader.finish()
    check_references(loaded)
    return loaded


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
        raise ReferenceDataError("no such file or folder", where=str(path), cure="Check --evidence")
    return (path,)


def check_references(base: EvidenceBase) -> None:
    """Raise on the first name in a claim that nothing defines, since matching would go wrong on it."""
    for group in base.names:
        for name in group.claims:
            if name not in base.claims:
                raise ReferenceDataError(
                    f"names {group.group}: claims: {name!r} is not defined",
                    where="names",
                    cure="Correct the name",
                )
    for claim, problem in dangling(base):
        raise ReferenceDataError(
            f"claim {claim.id}: {problem}", where=base.origins[claim.id], cure="Define it or correct the name"
        )


def dangling(base: EvidenceBase) -> Iterable[tuple[Claim, str]]:
    """Yield (claim, what is wrong) for every name in a claim that no file defines."""
    known: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("drug", base.drugs),
        ("indication", base.indications),
        ("population_code", base.populations),
    )
    for claim in base.claims.values():
        for key, table in known:
            if (name := getattr(claim, key)) not in table:
                yield claim, f"{key}: {name!r} is not defined"
        yield from (
            (claim, f"sources: {key!r} is not defined") for key in claim.sources if key not in base.sources
        )
        linked = [("conflicts_with", item.id) for item in claim.conflicts_with]
        linked += [("superseded_by", item) for item in claim.superseded_by]
        yield from (
            (claim, f"{key}: {item!r} is not defined") for key, item in linked if item not in base.claims
        )
        if claim.certainty.rule not in base.rules.certainty:
            yield claim, f"certainty.rule: {claim.certainty.rule!r} is not defined"
        if claim.article and claim.article.tier not in base.rules.tiers:
            yield claim, f"article.tier: {claim.article.tier!r} is not defined"


def normalise(name: str) -> str:
    """Return a name as it is compared: case folded, one plain apostrophe, blanks for hyphens."""
    return " ".join(name.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("-", " ").split())


def sha256(content: bytes) -> str:
    """Return `sha256:` and the digest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ReferenceDataError:
    return ReferenceDataError(
        f"cannot be read ({error.strerror})", where=str(path), cure="Check the path and its permissions"
    )


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    content = _read_bytes(path)
    try:
        return tomllib.loads(content.decode("utf-8")), content
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
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
        return model.model_validate(data)
    except ValidationError as error:
        raise ReferenceDataError(
            f"{label}{reference.describe(error)}", where=str(path), cure="Correct the file"
        ) from error
