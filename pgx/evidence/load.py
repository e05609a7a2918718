"""Load the evidence: every file of `reference/evidence/`, the sources, and files of the user's own."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pgx import reference
from pgx.errors import ReferenceDataError, UsageError, did_you_mean, printable
from pgx.evidence import schema
from pgx.evidence.rules import PHRASES_FILE, RULES_FILE, Phrases, Rules
from pgx.evidence.schema import Claim, Document, Drug, EvidenceFile, Indication, NamedGroup, StudyPopulation
from pgx.files import cleaned, read_limited
from pgx.reference import limit

#: Tables whose rows are validated one by one: table, model, key, and the attribute that says which file a row
#: came from.
_ROWS = (("sources", Document, "key", "source_origins"), ("claims", Claim, "id", "origins"))


class EvidenceBase(Struct, frozen=True, kw_only=True, eq=False):  # so it can be a key of a cache
    """All evidence that was loaded, in the order of the files, by id, key, name or code.

    `names`: what somebody may take or have, with the claims that this brings to the front. `retired`: ids of
    claims that are gone; none may come back as another claim. `origins`, `source_origins`: the file that each
    claim, or source, came from. `digests`: (file name, `sha256:` and digest) of every file, for the report.
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

        Raises `UsageError` where no subject has the name; the line lists those there are.
        """
        if name is None:
            return tuple(drug for drug in self.subjects() if not drug.on_request)
        for drug in self.subjects():
            if normalise(name) in map(normalise, (drug.name, *drug.names)):
                return (drug,)
        subjects = sorted(self.subjects(), key=lambda drug: drug.on_request)
        words = [word for drug in subjects for word in (drug.name.lower(), *drug.names)]
        raise _unknown("drug", name, words, [drug.name.lower() for drug in subjects])

    def documents(self, claim: Claim) -> list[Document]:
        """Return the sources that a claim rests on, in its order."""
        return [self.sources[key] for key in claim.sources]

    def is_seen(self, claim: Claim) -> bool:
        """Return whether the result of a claim was seen in its source."""
        through = all(item.seen is schema.Seen.ONLY_THROUGH_ARTICLE for item in self.documents(claim))
        return claim.result_seen is schema.ResultSeen.SOURCE and not through

    def data_sets(self, claim: Claim) -> tuple[str, ...]:
        """Return the independent data sets that a claim rests on."""
        return tuple(dict.fromkeys(item.data_set or item.key for item in self.documents(claim)))

    def indication(self, name: str) -> str:
        """Return the code of an indication from its code or one of its names, in any case of letters.

        Raises `UsageError` where the name is not in the table; the line lists the codes.
        """
        wanted = normalise(name)
        for code, entry in self.indications.items():
            if wanted in {normalise(item) for item in (code, entry.label, *entry.names)}:
                return code
        words = [word for code, entry in self.indications.items() for word in (code, *entry.names)]
        raise _unknown("indication", name, words, sorted(self.indications))


def _unknown(kind: str, name: str, words: Iterable[str], listed: Iterable[str]) -> UsageError:
    cure = did_you_mean(name, words) or f"Use one of: {', '.join(listed)}"
    return UsageError(f"the {kind} {printable(name, 60)!r} is not known", where=f"--{kind}", cure=cure)


def dangling(base: EvidenceBase) -> Iterable[tuple[Claim, str]]:
    """Yield (claim, fault) for every name in a claim that no file defines."""
    for claim in base.claims.values():
        links: tuple[tuple[str, Iterable[str], Mapping[str, object]], ...] = (
            ("drug", [claim.drug], base.drugs),
            ("indication", [claim.indication], base.indications),
            ("population_code", [claim.population_code], base.populations),
            ("sources", claim.sources, base.sources),
            ("conflicts_with", [item.id for item in claim.conflicts_with], base.claims),
            ("superseded_by", claim.superseded_by, base.claims),
            ("certainty.rule", [claim.certainty.rule], base.rules.certainty),
            ("article.tier", [claim.article.tier] if claim.article else (), base.rules.tiers),
        )
        for key, names, table in links:
            yield from ((claim, f"{key}: {name!r} is not defined") for name in names if name not in table)


def normalise(name: str) -> str:
    """Return a name as it is compared: case folded, one plain apostrophe, blanks for hyphens."""
    return " ".join(name.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("-", " ").split())


class _Loader:
    """Collects the items of files; a repeated id, key, name or code is an error."""

    def __init__(self) -> None:
        kinds = ("claims", "sources", "drugs", "indications", "populations", "origins", "source_origins")
        self.items: dict[str, dict[str, Any]] = {kind: {} for kind in kinds}
        self.names: list[NamedGroup] = []
        self.retired: set[str] = set()
        self.digests: list[tuple[str, str]] = []

    def add_file(self, path: Path, name: str, *, own: bool = False) -> None:
        """Add the items of one TOML file; errors name `path`. The text of a user's `own` file is cleaned."""
        with _readable(path, "Check the path, permissions and size"):
            content = read_limited(path, int(limit("max_facts"))) if own else reference.read_bytes(path)
        digest = reference.sha256(content)
        self.digests.append((name, digest))
        data = reference.parse(path, content, digest)
        data = cleaned(data) if own else data
        defaults = data.pop("defaults", {})
        if not isinstance(defaults, dict):
            raise _fault("defaults: must be a table", path, "Write [defaults]")
        tables = {kind: data.pop(kind, []) for kind in ("claims", "sources")}
        for kind, rows in tables.items():
            if not isinstance(rows, list) or not all(isinstance(item, dict) for item in rows):
                raise _fault(f"{kind}: must be a list of tables", path, f"Write [[{kind}]]")
        header = reference.convert(path, data, EvidenceFile)
        for drug in header.drugs:
            self._put("drugs", drug.name, drug, path)
        for kind in ("indications", "populations"):
            for code, item in getattr(header, kind).items():
                self._put(kind, code, item, path)
        self.names.extend(header.names)
        self.retired.update(header.retired)
        for kind, model, key, origins in _ROWS:
            for raw in tables[kind]:
                named = raw.get(key) if isinstance(raw.get(key), str) else "without a name"
                label = f"{kind.removesuffix('s')} {named}: "
                whole = {**defaults, **raw} if kind == "claims" else raw
                row = reference.convert(path, whole, model, label=label)
                self._put(kind, getattr(row, key), row, path)
                self.items[origins][getattr(row, key)] = name

    def _put(self, kind: str, key: str, value: object, path: Path) -> None:
        if key in self.items[kind]:
            what, cure = f"{kind}: {key!r} is defined twice", "Give each its own name; ids are never reused"
            raise _fault(what, path, cure)
        self.items[kind][key] = value


def _fault(what: str, path: Path | str, cure: str) -> ReferenceDataError:
    return ReferenceDataError(what, where=str(path), cure=cure)


def load(extra: Sequence[Path] = ()) -> EvidenceBase:
    """Load the evidence that ships, and further files of the user's own; the same files are loaded once.

    `extra`: TOML files, or folders whose `*.toml` files are read in the order of their names. Raises
    `ReferenceDataError` where a file cannot be read, does not fit the schema, or refers to something that no
    file defines.
    """
    stamped = []
    for file in (file for path in extra for file in files_of(path)):
        with _readable(file):
            status = file.stat()
        stamped.append((file, status.st_mtime_ns, status.st_size))
    return _load(tuple(stamped)) if stamped else _shipped()


@functools.cache
def _shipped() -> EvidenceBase:
    return _load(())


@contextlib.contextmanager
def _readable(path: Path, cure: str = "Check the path and its permissions") -> Iterator[None]:
    try:
        yield
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise _fault(f"cannot be read ({error.strerror})", path, cure) from error


@functools.lru_cache(maxsize=8)
def _load(stamped: tuple[tuple[Path, int, int], ...]) -> EvidenceBase:
    """Load a set of files once for all inputs of a run; a file that has changed since is another set."""
    loader = _Loader()
    folder = reference.root()
    for name in (RULES_FILE, PHRASES_FILE):
        loader.digests.append((name, reference.sha256(reference.read_bytes(folder / name))))
    for path in (folder / "sources.toml", *sorted((folder / "evidence").glob("*.toml"))):
        loader.add_file(path, path.relative_to(folder).as_posix())
    for path, *_ in stamped:
        loader.add_file(path, f"{path.parent.name}/{path.name}" if path.parent.name else path.name, own=True)
    claims: dict[str, Claim] = loader.items["claims"]
    for name in list(claims):  # a conflict has to be written once only, and the other claim gets it
        for conflict in claims[name].conflicts_with:
            other = claims.get(conflict.id)
            if other is not None and name not in {item.id for item in other.conflicts_with}:
                back = replace(conflict, id=name)
                claims[other.id] = replace(other, conflicts_with=(*other.conflicts_with, back))
    loaded = EvidenceBase(
        **loader.items,
        names=tuple(loader.names),
        retired=frozenset(loader.retired),
        digests=tuple(loader.digests),
        rules=reference.load(RULES_FILE, Rules),
        phrases=reference.load(PHRASES_FILE, Phrases),
    )
    _check_references(loaded)
    return loaded


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the evidence files that a path of `--evidence` stands for.

    Raises `ReferenceDataError` where there is no such file or folder, or the folder holds no TOML file.
    """
    with _readable(path):
        is_folder, is_there = path.is_dir(), path.exists()
    if not is_there:
        raise _fault("no such file or folder", path, "Check the path")
    if not is_folder:
        return (path,)
    found = tuple(sorted(item for item in path.glob("*.toml") if item.is_file()))
    if not found:
        raise _fault("the folder holds no .toml file", path, "Name a folder or file with evidence")
    return found


def _check_references(base: EvidenceBase) -> None:
    """Raise on the first name that nothing defines, since matching would go wrong on it."""
    uses, groups = base.indications, base.populations
    links: list[tuple[str, Iterable[str | None], Mapping[str, object]]] = [
        *((f"names {item.group}", item.claims, base.claims) for item in base.names),
        *((f"indication {code}", item.within, uses) for code, item in uses.items()),
        *((f"population {code}", item.within, groups) for code, item in groups.items()),
        *((f"source {key}", item.succeeded_by, base.sources) for key, item in base.sources.items()),
        *((f"source {key}", item.population_codes, groups) for key, item in base.sources.items()),
        *((f"drug {key}", filter(None, [item.default_indication]), uses) for key, item in base.drugs.items()),
    ]
    for where, names, table in links:
        for name in (name for name in names if name not in table):
            raise _fault(f"{name!r} is not defined", where, "Define it or correct the name")
    for drug in base.subjects():
        if drug.default_indication is None:
            where, cure = f"drug {drug.name}", "A subject needs its usual use"
            raise _fault("default_indication is missing", where, cure)
    for claim, problem in dangling(base):
        raise _fault(f"claim {claim.id}: {problem}", base.origins[claim.id], "Define it or correct the name")
