"""Load the evidence: every file of `reference/evidence/`, the sources, and files of the user's own."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pgx import reference
from pgx.errors import ReferenceDataError, UsageError, did_you_mean, printable
from pgx.evidence.rules import PHRASES_FILE, RULES_FILE, Phrases, Rules, phrases, rules
from pgx.evidence.schema import Claim, Document, Drug, EvidenceFile, Indication, NamedGroup, StudyPopulation
from pgx.files import cleaned, read_limited
from pgx.reference import limit

EVIDENCE_DIR = "evidence"
SOURCES_FILE = "sources.toml"
_KINDS = ("claims", "sources", "drugs", "indications", "populations", "origins", "source_origins")
_ITEM_TABLES = ("claims", "sources")


class EvidenceBase(Struct, frozen=True, kw_only=True, eq=False):  # so it can be a key of a cache
    """All evidence that was loaded, in the order of the files.

    Attributes
    ----------
    claims, sources, drugs, indications, populations
        By id, key, name or code.
    names
        What somebody may take or have, with the claims that this brings to the front.
    retired
        Ids of claims that are gone; none of them may come back as another claim.
    origins, source_origins
        The file that each claim, or source, came from.
    digests
        (file name, `sha256:` and digest) of every file, for the report.
    """

    claims: Mapping[str, Claim]
    sources: Mapping[str, Document]
    drugs: Mapping[str, Drug]
    indications: Mapping[str, Indication]
    populations: Mapping[str, StudyPopulation]
    names: tuple[NamedGroup, ...]
    retired: frozenset[str]
    origins: Mapping[str, str]
    source_origins: Mapping[str, str]
    digests: tuple[tuple[str, str], ...]
    rules: Rules
    phrases: Phrases

    @property
    def digest(self) -> str:
        """Return one digest over all files."""
        return reference.sha256("".join(f"{name}\0{value}\0" for name, value in self.digests).encode())

    def subjects(self) -> tuple[Drug, ...]:
        """Return the drugs that a response by genotype is given for."""
        return tuple(drug for drug in self.drugs.values() if drug.role == "subject")

    def reported(self, name: str | None = None) -> tuple[Drug, ...]:
        """Return the subject of this name, or without a name all that need not be asked for.

        Raises
        ------
        UsageError
            No subject has the name; the line lists those there are.
        """
        if name is None:
            return tuple(drug for drug in self.subjects() if not drug.on_request)
        for drug in self.subjects():
            if normalise(name) in map(normalise, (drug.name, *drug.names)):
                return (drug,)
        subjects = sorted(self.subjects(), key=lambda drug: drug.on_request)
        hint = did_you_mean(name, [word for drug in subjects for word in (drug.name.lower(), *drug.names)])
        known = f"Use one of: {', '.join(drug.name.lower() for drug in subjects)}"
        raise UsageError(f"the drug {printable(name, 60)!r} is not known", where="--drug", cure=hint or known)

    def data_sets(self, claim: Claim) -> tuple[str, ...]:
        """Return the independent data sets that a claim rests on."""
        documents = [self.sources[key] for key in claim.sources]
        return tuple(dict.fromkeys(item.data_set or item.key for item in documents))

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
        known = [word for code, entry in self.indications.items() for word in (code, *entry.names)]
        hint = did_you_mean(name, known) or f"Use one of: {', '.join(sorted(self.indications))}"
        raise UsageError(
            f"the indication {printable(name, 60)!r} is not known",
            where="--indication",
            cure=hint,
        )


def dangling(base: EvidenceBase) -> Iterable[tuple[Claim, str]]:
    """Yield (claim, fault) for every name in a claim that no file defines."""
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


@dataclass(slots=True)
class _Loader:
    """Collects the items of files; a repeated id, key, name or code is an error."""

    items: dict[str, dict[str, Any]] = field(default_factory=lambda: {kind: {} for kind in _KINDS})
    names: list[NamedGroup] = field(default_factory=list)
    retired: set[str] = field(default_factory=set)
    digests: list[tuple[str, str]] = field(default_factory=list)

    def add_file(self, path: Path, name: str, *, own: bool = False) -> None:
        """Add the items of one TOML file; errors name `path`. The text of a user's `own` file is cleaned."""
        content = _read_own(path) if own else reference.read_bytes(path)
        digest = reference.sha256(content)
        self.digests.append((name, digest))
        data = reference.parse(path, content, digest)
        if own:
            data = cleaned(data)
        defaults = _table(data.pop("defaults", {}), "defaults", path)
        tables = {kind: _rows(data.pop(kind, []), kind, path) for kind in _ITEM_TABLES}
        header = reference.convert(path, data, EvidenceFile)
        for drug in header.drugs:
            self._put("drugs", drug.name, drug, path)
        for code, indication in header.indications.items():
            self._put("indications", code, indication, path)
        for code, population in header.populations.items():
            self._put("populations", code, population, path)
        self.names.extend(header.names)
        self.retired.update(header.retired)
        for raw in tables["sources"]:
            document = reference.convert(path, raw, Document, label=_label("source", raw.get("key")))
            self._put("sources", document.key, document, path)
            self.items["source_origins"][document.key] = name
        for raw in tables["claims"]:
            label = _label("claim", raw.get("id"))
            claim = reference.convert(path, {**defaults, **raw}, Claim, label=label)
            self._put("claims", claim.id, claim, path)
            self.items["origins"][claim.id] = name

    def mirror_conflicts(self) -> None:
        """Give every conflict to the other claim too, so that it has to be written once only."""
        claims: dict[str, Claim] = self.items["claims"]
        for name in list(claims):
            for conflict in claims[name].conflicts_with:
                other = claims.get(conflict.id)
                if other is not None and name not in {item.id for item in other.conflicts_with}:
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
        """Return all that was added."""
        return EvidenceBase(
            **self.items,
            names=tuple(self.names),
            retired=frozenset(self.retired),
            digests=tuple(self.digests),
            rules=rules(),
            phrases=phrases(),
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


@contextlib.contextmanager
def _readable(path: Path, cure: str = "Check the path and its permissions") -> Iterator[None]:
    try:
        yield
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise ReferenceDataError(f"cannot be read ({error.strerror})", where=str(path), cure=cure) from error


def _stamp(path: Path) -> tuple[int, int]:
    with _readable(path):
        status = path.stat()
    return status.st_mtime_ns, status.st_size


def _load(extra: tuple[Path, ...]) -> EvidenceBase:
    loader = _Loader()
    folder = reference.root()
    for name in (RULES_FILE, PHRASES_FILE):
        loader.digests.append((name, reference.sha256(reference.read_bytes(folder / name))))
    for path in (folder / SOURCES_FILE, *sorted((folder / EVIDENCE_DIR).glob("*.toml"))):
        loader.add_file(path, path.relative_to(folder).as_posix())
    for path in extra:
        loader.add_file(path, f"{path.parent.name}/{path.name}" if path.parent.name else path.name, own=True)
    loader.mirror_conflicts()
    loaded = loader.finish()
    check_references(loaded)
    return loaded


def _read_own(path: Path) -> bytes:
    with _readable(path, "Check the path, permissions and size"):
        return read_limited(path, int(limit("max_facts")))


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the evidence files that a path of `--evidence` stands for.

    Raises
    ------
    ReferenceDataError
        There is no such file or folder, or the folder holds no TOML file.
    """
    with _readable(path):
        is_folder, is_there = path.is_dir(), path.exists()
    if is_folder:
        found = tuple(sorted(item for item in path.glob("*.toml") if item.is_file()))
        if not found:
            raise ReferenceDataError(
                "the folder holds no .toml file", where=str(path), cure="Name a folder or file with evidence"
            )
        return found
    if not is_there:
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
