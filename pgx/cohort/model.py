"""What a cohort is made of: inputs with their options, in order, and what became of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from pgx.render.form import PatientMeta
from pgx.single import Options


class Failure(Struct, frozen=True, kw_only=True):
    """Why an input gave no result: a row of failures.tsv."""

    input: str
    error: str
    cure: str


class Job(Struct, frozen=True, kw_only=True):
    """One input with the options that hold for it.

    Attributes
    ----------
    carried
        Further columns of the manifest by sample name; "" stands for every sample of the input.
    meta
        What the manifest states for the head of a report, by sample name; "" as above.
    failure
        Known before anything is read: there is no such file, or its row cannot be used.
    """

    path: str
    options: Options
    carried: Mapping[str, Mapping[str, str]] = msgspec.field(default_factory=dict)
    meta: Mapping[str, PatientMeta] = msgspec.field(default_factory=dict)
    failure: Failure | None = None

    @property
    def key(self) -> str:
        """Return what this input is stored under: path and options, not what only goes with them."""
        known = () if self.failure is None else (self.failure.error,)
        return text_digest(self.path, msgspec.json.encode(self.options, enc_hook=str).decode(), *known)


class Plan(Struct, frozen=True, kw_only=True):
    """All inputs in order, and the names of the carried columns."""

    jobs: tuple[Job, ...]
    carried: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Return what tells this list of inputs from another."""
        return text_digest(*self.carried, *(job.key for job in self.jobs))


class StoredSample(Struct, frozen=True, kw_only=True):
    """One sample: its facts (a JSON list) and its report (JSON, shared parts replaced by digests)."""

    name: str
    facts: bytes
    report: bytes


class StoredBlock(Struct, frozen=True, kw_only=True):
    """Samples of a large input: facts as an Arrow stream, and the sample columns of its records."""

    facts: bytes
    texts: bytes


class Result(Struct, frozen=True, kw_only=True):
    """What became of one input.

    Attributes
    ----------
    recipe
        Digest of options, reference data and program.
    fingerprint
        Size and time of the file and of its index.
    digest
        SHA-256 of the file where --verify asked for it, else "".
    run
        JSON of what its samples share; of a large input also its records without their sample columns.
    samples
        How many it holds.
    assembly
        The one that it was read in; "" of a failure.
    name_digest
        Of the names of all its samples, in order.
    statuses
        Samples by e4 status.
    """

    key: str
    path: str
    recipe: str
    fingerprint: str
    digest: str = ""
    failure: Failure | None = None
    run: bytes = b""
    samples: int = 0
    assembly: str = ""
    name_digest: str = ""
    statuses: Mapping[str, int] = msgspec.field(default_factory=dict)
    rows: tuple[StoredSample, ...] = ()
    blocks: tuple[StoredBlock, ...] = ()
    parts: Mapping[str, bytes] = msgspec.field(default_factory=dict)


class Summary(Struct, frozen=True, kw_only=True):
    """A line of the table `result`."""

    key: str
    path: str
    recipe: str
    fingerprint: str
    digest: str
    failure: Failure | None
    samples: int
    assembly: str
    name_digest: str
    statuses: Mapping[str, int]


def text_digest(*texts: str) -> str:
    """Return a short digest of some texts."""
    total = hashlib.sha256()
    for text in texts:
        total.update(f"{len(text)}:{text}".encode(errors="surrogateescape"))
    return total.hexdigest()[:32]
