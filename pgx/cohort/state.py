"""The state of a cohort: one SQLite file in its folder, written by one process, never torn by a kill.

    meta    one value a name
    plan    the inputs of the last run in order, with what the manifest says of them
    result  what became of each input: done or failed, and what it was made from
    sample  one row a sample of a small input: its facts for the tables, and its report
    block   thousands of samples of a large input: their facts as Arrow, their columns as in the file
    part    pieces that many reports share, by digest

A report is kept without the pieces that it shares with others (the statements of the evidence).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from pgx.cohort.model import Failure, Job, Plan, Result, Summary
from pgx.errors import FormatError, OutputError
from pgx.render.form import PatientMeta
from pgx.single import Options

FILE_NAME = "cohort.sqlite"
_VERSION = "2"
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE plan (
    position INTEGER PRIMARY KEY, key TEXT NOT NULL, path TEXT NOT NULL, options TEXT NOT NULL,
    carried TEXT NOT NULL, meta TEXT NOT NULL
);
CREATE TABLE result (
    key TEXT PRIMARY KEY, path TEXT NOT NULL, recipe TEXT NOT NULL, fingerprint TEXT NOT NULL,
    digest TEXT NOT NULL, failure TEXT NOT NULL, run BLOB NOT NULL, samples INTEGER NOT NULL,
    assembly TEXT NOT NULL, name_digest TEXT NOT NULL, statuses TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE sample (
    key TEXT NOT NULL, ordinal INTEGER NOT NULL, name TEXT NOT NULL,
    facts BLOB NOT NULL, report BLOB NOT NULL,
    PRIMARY KEY (key, ordinal)
);
CREATE INDEX sample_name ON sample (name);
CREATE TABLE block (
    key TEXT NOT NULL, ordinal INTEGER NOT NULL, facts BLOB NOT NULL, texts BLOB NOT NULL,
    PRIMARY KEY (key, ordinal)
);
CREATE TABLE part (digest TEXT PRIMARY KEY, json BLOB NOT NULL) WITHOUT ROWID;
"""


class PlannedRow(Struct, frozen=True, kw_only=True):
    """A line of the table `plan`."""

    position: int
    key: str
    job: Job


class State:
    """The open state of a cohort folder: one run holds it at a time; several may read one that is at rest.

    `create` False: only to read what is there.

    Raises
    ------
    OutputError
        The folder cannot be written, is full, or another run works in it.
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        self.path = folder / FILE_NAME
        if not create and not self.path.is_file():
            raise FormatError(
                "is no folder of a cohort", where=str(folder), cure="Give the folder that pgx cohort wrote"
            )
        try:
            if create:
                folder.mkdir(parents=True, exist_ok=True)
                self._base = sqlite3.connect(self.path, timeout=0.5, isolation_level=None)
            else:
                # "rw" undoes what a killed run left half done; where nothing can be written there is nothing
                mode = "rw" if os.access(folder, os.W_OK) else "ro"
                address = f"{self.path.resolve().as_uri()}?mode={mode}"
                self._base = sqlite3.connect(address, timeout=5, isolation_level=None, uri=True)
        except OSError as error:
            raise OutputError(
                f"cannot be written ({error.strerror})", where=str(folder), cure="Check its permissions"
            ) from error
        except sqlite3.Error as error:
            raise self._error(error) from error
        try:
            if create:
                self._take()
            self._check_version()
        except sqlite3.Error as error:
            self._base.close()
            raise self._error(error) from error

    def _take(self) -> None:
        base = self._base
        base.execute("PRAGMA locking_mode = EXCLUSIVE")
        base.execute("PRAGMA synchronous = FULL")  # a power cut must not tear the file
        base.execute("PRAGMA cache_size = -65536")
        base.execute("BEGIN EXCLUSIVE")
        try:
            known = base.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
            if known is None:
                for statement in _SCHEMA.split(";"):
                    base.execute(statement)
                base.execute("INSERT INTO meta VALUES ('version', ?)", (_VERSION,))
        finally:
            base.execute("COMMIT")

    def _check_version(self) -> None:
        row = self._base.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
        if row != (_VERSION,):
            self._base.close()
            raise FormatError(
                "was written by another version of pgx", where=str(self.path), cure="Give another folder"
            )

    def _error(self, error: sqlite3.Error) -> OutputError:
        text = str(error)
        if "locked" in text:
            what, cure = "another run works in this folder", "Wait for it, or give another folder"
        elif "full" in text or "disk I/O" in text:
            what, cure = "the disk is full", "Make room and give the same command again: it goes on from here"
        elif "not a database" in text or "malformed" in text or "no such table" in text:
            what, cure = f"is damaged ({text})", "Remove it, or give another folder"
        else:
            what, cure = f"cannot be written ({text})", "Check the folder and its permissions"
        return OutputError(what, where=str(self.path), cure=cure)

    def _run(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._base.execute(statement, values)
        except sqlite3.Error as error:
            raise self._error(error) from error

    @staticmethod
    def file_of(folder: Path) -> Path:
        """Return the state file of a cohort folder."""
        return folder / FILE_NAME

    def close(self) -> None:
        """Let go of the folder."""
        self._base.close()

    def __enter__(self) -> State:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def meta(self, name: str) -> str | None:
        """Return the value called `name`."""
        row = self._run("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_plan(self, plan: Plan, positions: Iterable[int], meta: Mapping[str, str]) -> None:
        """Replace the plan: the jobs at these positions of `plan`."""
        rows = [_plan_row(index, plan.jobs[index]) for index in positions]
        self.set_rows(rows, {**meta, "carried": _json(plan.carried)})

    def set_rows(self, rows: Iterable[tuple[object, ...]], meta: Mapping[str, str]) -> None:
        """Replace the plan by these rows, as `plan_rows` gives them."""
        self._run("BEGIN")
        self._run("DELETE FROM plan")
        try:
            self._base.executemany("INSERT INTO plan VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._base.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._error(error) from error

    def set_meta(self, values: Mapping[str, str]) -> None:
        """Note values by name."""
        for item in values.items():
            self._run("INSERT OR REPLACE INTO meta VALUES (?, ?)", item)

    def plan(self) -> Iterator[PlannedRow]:
        """Yield the plan in order."""
        for position, key, path, options, carried, meta in self.plan_rows():
            yield PlannedRow(
                position=int(str(position)),
                key=str(key),
                job=Job(
                    path=str(path),
                    options=msgspec.json.decode(str(options), type=Options, dec_hook=lambda kind, v: kind(v)),
                    carried=msgspec.json.decode(str(carried)),
                    meta=msgspec.json.decode(str(meta), type=dict[str, PatientMeta]),
                ),
            )

    def plan_rows(self) -> list[tuple[object, ...]]:
        """Return the plan in order as it is stored; the first value of a row is its position."""
        return list(self._run("SELECT * FROM plan ORDER BY position"))

    def carried(self) -> tuple[str, ...]:
        """Return the carried columns of the manifest."""
        return tuple(msgspec.json.decode(self.meta("carried") or "[]"))

    def joined(self) -> dict[str, str]:
        """Return under which key each input was stored that was joined with others."""
        return msgspec.json.decode(self.meta("joined") or "{}", type=dict[str, str])

    def join_failures(self) -> list[Failure]:
        """Return why inputs that belong together could not be joined."""
        return msgspec.json.decode(self.meta("join_failures") or "[]", type=list[Failure])

    def set_joined(self, joined: Mapping[str, str], failures: Sequence[Failure]) -> None:
        """Note which inputs were joined, and which could not be."""
        self.set_meta({"joined": _json(joined), "join_failures": _json(failures)})

    def summaries(self) -> dict[str, Summary]:
        """Return what is known of each input, without its samples."""
        cursor = self._run(
            "SELECT key, path, recipe, fingerprint, digest, failure, samples, assembly, name_digest,"
            " statuses FROM result"
        )
        return {
            row[0]: Summary(
                key=row[0],
                path=row[1],
                recipe=row[2],
                fingerprint=row[3],
                digest=row[4],
                failure=msgspec.json.decode(row[5], type=Failure | None),
                samples=row[6],
                assembly=row[7],
                name_digest=row[8],
                statuses=msgspec.json.decode(row[9]),
            )
            for row in cursor
        }

    def store(self, results: Iterable[Result]) -> None:
        """Write results in one transaction: after a kill each is there as a whole or not at all."""
        self._run("BEGIN")
        try:
            for result in results:
                self._put(result)
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            self._base.rollback()
            raise self._error(error) from error

    def _put(self, result: Result) -> None:
        base = self._base
        for table in ("sample", "block"):
            base.execute(f"DELETE FROM {table} WHERE key = ?", (result.key,))  # noqa: S608 - two fixed names
        base.execute(
            "INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                result.key,
                result.path,
                result.recipe,
                result.fingerprint,
                result.digest,
                _json(result.failure),
                result.run,
                result.samples,
                result.assembly,
                result.name_digest,
                _json(result.statuses),
            ),
        )
        base.executemany(
            "INSERT INTO sample VALUES (?, ?, ?, ?, ?)",
            (
                (result.key, ordinal, row.name, row.facts, row.report)
                for ordinal, row in enumerate(result.rows)
            ),
        )
        base.executemany(
            "INSERT INTO block VALUES (?, ?, ?, ?)",
            ((result.key, ordinal, block.facts, block.texts) for ordinal, block in enumerate(result.blocks)),
        )
        base.executemany("INSERT OR IGNORE INTO part VALUES (?, ?)", result.parts.items())

    def run_of(self, key: str) -> bytes:
        """Return what the samples of an input share, as JSON."""
        row = self._run("SELECT run FROM result WHERE key = ?", (key,)).fetchone()
        return b"" if row is None else bytes(row[0])

    def facts(self, key: str) -> list[bytes]:
        """Return the facts of all samples of a small input, in order."""
        query = "SELECT facts FROM sample WHERE key = ? ORDER BY ordinal"
        return [row[0] for row in self._run(query, (key,))]

    def has_blocks(self, key: str) -> bool:
        """Say whether an input is stored as blocks."""
        return self._run("SELECT 1 FROM block WHERE key = ?", (key,)).fetchone() is not None

    def block_facts(self, key: str) -> Iterator[bytes]:
        """Yield the facts of a large input, block by block."""
        for row in self._run("SELECT facts FROM block WHERE key = ? ORDER BY ordinal", (key,)):
            yield row[0]

    def block_texts(self, key: str) -> Iterator[bytes]:
        """Yield the sample columns of a large input, block by block."""
        for row in self._run("SELECT texts FROM block WHERE key = ? ORDER BY ordinal", (key,)):
            yield row[0]

    def reports(self, key: str, name: str | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield name and report (as stored) of the samples of a small input, or of the one called `name`."""
        query = "SELECT name, report FROM sample WHERE key = ?"
        if name is None:
            yield from self._run(query + " ORDER BY ordinal", (key,))
        else:
            yield from self._run(query + " AND name = ? ORDER BY ordinal", (key, name))

    def part(self, digest: str) -> bytes:
        """Return a shared part."""
        row = self._run("SELECT json FROM part WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            raise FormatError("is damaged: a part of a report is missing", where=str(self.path))
        return bytes(row[0])

    def take_over(self, other: Path) -> None:
        """Copy all results of the state file `other` into this one."""
        try:
            self._base.execute("ATTACH DATABASE ? AS other", (str(other),))
            self._base.execute("BEGIN")
            for table in ("result", "sample", "block", "part"):
                self._base.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM other.{table}")  # noqa: S608
            self._base.execute("COMMIT")
            self._base.execute("DETACH DATABASE other")
        except sqlite3.Error as error:
            raise self._error(error) from error


def _plan_row(position: int, job: Job) -> tuple[object, ...]:
    options = msgspec.json.encode(job.options, enc_hook=str).decode()
    return position, job.key, job.path, options, _json(job.carried), _json(job.meta)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
