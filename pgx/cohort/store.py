"""The state of a cohort: one SQLite file in its folder, written by one process, never torn by a kill.

    meta    one value a name
    plan    the inputs of the last run in order, with what the manifest says of them
    result  what became of each input: done or failed, and what it was made from
    sample  one row a sample of a small input: its facts for the tables, and its report
    block   thousands of samples of a large input: their facts as Arrow, their columns as in the file
    part    pieces that many reports or runs share, by digest
    change  whose result `pgx recheck --write` changed: rows of changed.tsv

Every value has a checksum of itself and of what it belongs to, and is believed only with that: SQLite finds a
page that is no page, not a bit that fell over in a genotype. A report or run is kept without the pieces that
it shares with others. What a run no longer names is taken out and overwritten at its end.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from pgx.cohort.jobs import NOTHING, Job, Known, Named, Result, options_text
from pgx.errors import FormatError, OutputError
from pgx.options import Options

FILE_NAME = "cohort.sqlite"
_VERSION = "5"
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE plan (position INTEGER PRIMARY KEY, key TEXT NOT NULL, options TEXT NOT NULL, job BLOB NOT NULL);
CREATE TABLE result (key TEXT PRIMARY KEY, known BLOB NOT NULL, run BLOB NOT NULL);
CREATE TABLE sample (key TEXT NOT NULL, ordinal INTEGER NOT NULL, name TEXT NOT NULL,
    facts BLOB NOT NULL, report BLOB NOT NULL, PRIMARY KEY (key, ordinal));
CREATE TABLE block (key TEXT NOT NULL, ordinal INTEGER NOT NULL,
    facts BLOB NOT NULL, texts BLOB NOT NULL, PRIMARY KEY (key, ordinal));
CREATE TABLE part (digest TEXT PRIMARY KEY, json BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE change (path TEXT NOT NULL, sample TEXT NOT NULL, cells BLOB NOT NULL);
"""
ANEW = "Remove it, and give the command of the run again"
_SUM = 4  # bytes of a checksum
_OF_RESULTS = ("result", "sample", "block")
_T = TypeVar("_T")


class PlannedRow(Struct, frozen=True, kw_only=True):
    """A line of the table `plan`; `position` is the 0-based place of the input in the whole plan."""

    position: int
    key: str
    job: Job


class State(contextlib.AbstractContextManager["State"]):
    """The open state of a cohort folder: one run holds it at a time; several may read one that is at rest.

    `create` False: only to read what is there.

    Raises
    ------
    OutputError
        The folder cannot be written, is full, or another run works in it.
    FormatError
        It is no folder of a cohort, or was written by another version.
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        self.path = folder / FILE_NAME
        if not create and not State.is_in(folder):
            cure = "Give the folder that pgx cohort wrote"
            raise FormatError("is no folder of a cohort", where=str(folder), cure=cure)
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
            what = f"cannot be written ({error.strerror})"
            raise OutputError(what, where=str(folder), cure="Check its permissions") from error
        except sqlite3.Error as error:
            raise _named(error, self.path) from error
        try:
            if create:
                self._take()
            self._check_version()
        except BaseException as error:  # a signal, too: an open file would leave its journal behind
            self._base.close()
            if isinstance(error, sqlite3.Error):
                raise _named(error, self.path) from error
            raise

    def _take(self) -> None:
        base = self._base
        base.execute("PRAGMA locking_mode = EXCLUSIVE")
        base.execute("PRAGMA synchronous = FULL")  # a power cut must not tear the file
        base.execute("PRAGMA secure_delete = ON")
        base.execute("PRAGMA cache_size = -32768")
        base.execute("BEGIN EXCLUSIVE")
        try:
            tables = {name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if tables and "meta" not in tables:
                raise sqlite3.DatabaseError("file is not a database of a cohort")
            if not tables:
                for statement in _SCHEMA.split(";"):
                    base.execute(statement)
                base.execute("INSERT INTO meta VALUES ('version', ?)", (_VERSION,))
        finally:
            base.execute("COMMIT")

    def _check_version(self) -> None:
        row = self._base.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
        if row != (_VERSION,):
            what = "was written by another version of pgx"
            raise FormatError(what, where=str(self.path), cure="Give another folder")

    def _run(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._base.execute(statement, values)
        except sqlite3.Error as error:
            raise _named(error, self.path) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all that is done inside, or nothing of it."""
        try:
            self._base.execute("BEGIN")
            self._shared: set[str] = set()  # parts that were written in this transaction
            yield self._base
            self._base.execute("COMMIT")
        except BaseException as error:
            self._base.rollback()
            if isinstance(error, sqlite3.Error):
                raise _named(error, self.path) from error
            raise

    @staticmethod
    def is_in(folder: Path) -> bool:
        """Return whether a folder holds a state."""
        return (folder / FILE_NAME).is_file()

    def close(self) -> None:
        """Let go of the folder."""
        self._base.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self, value: object, *whose: object) -> bytes:
        """Return a value that `summed` stored for `whose`; another, or of another, is damage."""
        data = value if isinstance(value, bytes) else b""
        if summed(data[:-_SUM], *whose) != data:
            what = f"is damaged: a value of its table {whose[0]} has another checksum"
            raise FormatError(what, where=str(self.path), cure=ANEW)
        return data[:-_SUM]

    def lacks_rows(self, table: str) -> FormatError:
        """Return the error that says so: a row that is gone has no checksum that could tell."""
        what = f"is damaged: rows of its table {table} are missing"
        return FormatError(what, where=str(self.path), cure=ANEW)

    def meta(self, name: str, kind: type[_T]) -> _T | None:
        """Return the value called `name`; None where there is none."""
        row = self._run("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else msgspec.json.decode(self._opened(row[0], "meta", name), type=kind)

    def set_meta(self, **values: object) -> None:
        """Store values by name."""
        for name, value in values.items():
            data = summed(msgspec.json.encode(value), "meta", name)
            self._run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, data))

    def check_finished(self) -> None:
        """Refuse (FormatError) a folder whose tables are out of date, or whose run was broken off."""
        if not self.meta("finished", bool):
            cure = "Give the command of the run again"
            raise FormatError("its run is not finished", where=str(self.path.parent), cure=cure)

    def set_plan(self, rows: Iterable[PlannedRow], **meta: object) -> None:
        """Replace the plan, and note values by name, in one transaction. The tables are then out of date."""
        with self._transaction() as base:
            base.execute("DELETE FROM plan")
            base.executemany("INSERT INTO plan VALUES (?, ?, ?, ?)", map(_stored, rows))
            self.set_meta(**meta, finished=False, renewed=False)

    def plan(self) -> Iterator[PlannedRow]:
        """Yield the plan in order."""
        for row in self._run("SELECT * FROM plan ORDER BY position"):
            yield self._planned(*row)

    def plan_size(self) -> int:
        """Return how many inputs the plan has."""
        return int(self._run("SELECT count(*) FROM plan").fetchone()[0])

    def _planned(self, position: int, key: str, options: str, job: bytes) -> PlannedRow:
        item = _ITEM.decode(self._opened(job, "plan", position, key, options))
        stated = msgspec.structs.asdict(item)
        stated |= {name: NOTHING for name in ("carried", "meta", "lines") if not stated[name]}
        return PlannedRow(position=position, key=key, job=Job(options=_options(options), **stated))

    def known(self) -> dict[str, Known]:
        """Return what is known of each input, without its samples."""
        return {item.key: item for item in self.results()}

    def results(self) -> Iterator[Known]:
        """Yield what is known of each input that has a result, planned or not, in any order."""
        for key, data in self._run("SELECT key, known FROM result"):
            yield self._known(key, data)

    def _known(self, key: str, data: bytes) -> Known:
        return _KNOWN.decode(self._opened(data, "result", key, "known"))

    def plan_with_results(self) -> Iterator[tuple[PlannedRow, Known | None]]:
        """Yield the plan in order with what is known of each input."""
        query = "SELECT plan.*, known FROM plan LEFT JOIN result ON result.key = plan.key ORDER BY position"
        for *row, data in self._run(query):
            planned = self._planned(*row)
            yield planned, None if data is None else self._known(planned.key, data)

    def known_of_plan(self) -> Iterator[Known | None]:
        """Yield what is known of each input of the plan, in order."""
        query = "SELECT plan.key, known FROM plan LEFT JOIN result ON result.key = plan.key ORDER BY position"
        for key, data in self._run(query):
            yield None if data is None else self._known(key, data)

    def planned_results(self) -> Iterator[tuple[PlannedRow, Known]]:
        """Yield the plan in order with what is known of each input, else FormatError; none of them twice."""
        seen = set()
        for planned, known in self.plan_with_results():
            if known is None:
                raise self.lacks_rows("result")
            if planned.key not in seen:
                seen.add(planned.key)
                yield planned, known

    def store(self, results: Iterable[Result]) -> None:
        """Write results in one transaction: after a kill each is there as a whole or not at all."""
        with self._transaction():
            for result in results:
                self._put(result)

    def renew(self, rows: Sequence[PlannedRow], results: Iterable[Result], last: Callable[[], None]) -> None:
        """Replace the plan, and the results that it names, in one transaction.

        `results` may read what is stored of an input until its new result is taken. `last` is done before
        anything of this holds: where it fails, all stays as it was.
        """
        with self._transaction() as base:
            for result in results:
                self._put(result)
            base.execute("DELETE FROM plan")
            base.executemany("INSERT INTO plan VALUES (?, ?, ?, ?)", map(_stored, rows))
            self.set_meta(renewed=True, finished=False)
            last()

    def add_changes(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Note input and sample, as tables have them, and cells (JSON) of each change, within `renew`."""
        values = ((*whose, summed(cells.encode(), "change", *whose)) for *whose, cells in rows)
        self._base.executemany("INSERT INTO change VALUES (?, ?, ?)", values)

    def changes(self) -> list[tuple[str, str, str]]:
        """Return what `add_changes` noted, in its order."""
        rows = self._run("SELECT * FROM change ORDER BY rowid")
        return [(one, two, self._opened(cells, "change", one, two).decode()) for one, two, cells in rows]

    def set_changes(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Replace what `add_changes` noted."""
        with self._transaction() as base:
            base.execute("DELETE FROM change")
            self.add_changes(rows)

    def _put(self, result: Result) -> None:
        base, key = self._base, result.key
        for table in _OF_RESULTS:
            base.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608 - three fixed names
        stated = {name: getattr(result, name) for name in Known.__struct_fields__}
        whole = _row("result", key, known=msgspec.json.encode(Known(**stated)), run=result.run)
        base.execute("INSERT INTO result VALUES (?, ?, ?)", whole)
        for number, item in enumerate(result.rows):
            row = _row("sample", key, number, item.name, facts=item.facts, report=item.report)
            base.execute("INSERT INTO sample VALUES (?, ?, ?, ?, ?)", row)
        for number, block in enumerate(result.blocks):
            row = _row("block", key, number, facts=block.facts, texts=block.texts)
            base.execute("INSERT INTO block VALUES (?, ?, ?, ?)", row)
        new = result.parts.keys() - self._shared
        parts = [(digest, summed(result.parts[digest], "part", digest)) for digest in new]
        base.executemany("INSERT OR IGNORE INTO part VALUES (?, ?)", parts)
        self._shared |= new

    def plan_keys(self) -> Iterator[str]:
        """Yield what the inputs of the plan are stored under."""
        for (key,) in self._run("SELECT key FROM plan"):
            yield key

    def keep_only(self, keys: Iterable[str], parts_of: Callable[[bytes], Iterable[str]]) -> None:
        """Take out every result but these: nothing stays of who is no longer part of the cohort.

        `parts_of` names the shared parts of a stored report or run; one that nobody shares any more goes too.
        """
        kept = set(keys)
        gone = [(key,) for (key,) in self._run("SELECT key FROM result") if key not in kept]
        if not gone:
            return
        with self._transaction() as base:
            for table in _OF_RESULTS:
                base.executemany(f"DELETE FROM {table} WHERE key = ?", gone)  # noqa: S608 - as above
            used: set[str] = set()
            for key, data in self._run("SELECT key, run FROM result"):
                used.update(parts_of(self._opened(data, "result", key, "run")))
            for *row, data in self._run("SELECT key, ordinal, name, report FROM sample"):
                used.update(parts_of(self._opened(data, "sample", *row, "report")))
            parts = [(digest,) for (digest,) in self._run("SELECT digest FROM part") if digest not in used]
            base.executemany("DELETE FROM part WHERE digest = ?", parts)

    def take_over(self, other: State, keys: Iterable[str]) -> None:
        """Take these results over from another state; what was here under these keys is replaced."""
        self._run("ATTACH DATABASE ? AS other", (str(other.path),))
        chosen = "WHERE key IN (SELECT key FROM wanted)"
        with self._transaction() as base:
            base.execute("CREATE TEMP TABLE wanted (key TEXT PRIMARY KEY)")
            base.executemany("INSERT INTO wanted VALUES (?)", [(key,) for key in keys])
            for table in _OF_RESULTS:
                base.execute(f"DELETE FROM main.{table} {chosen}")  # noqa: S608 - as above
                base.execute(f"INSERT INTO main.{table} SELECT * FROM other.{table} {chosen}")  # noqa: S608
            base.execute("INSERT OR IGNORE INTO main.part SELECT * FROM other.part")
            base.execute("DROP TABLE wanted")
        self._run("DETACH DATABASE other")

    def run_of(self, key: str) -> bytes:
        """Return what the samples of an input share, as JSON."""
        return self.runs((key,)).get(key, b"")

    def runs(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return what the samples of some inputs (hundreds at most) share, by key."""
        query = f"SELECT key, run FROM result WHERE key IN ({','.join('?' * len(keys))})"  # noqa: S608
        return {key: self._opened(data, "result", key, "run") for key, data in self._run(query, keys)}

    def samples(self, key: str) -> list[tuple[str, bytes]]:
        """Return name and facts of all samples of a small input, in order."""
        return self.samples_of((key,)).get(key, [])

    def samples_of(self, keys: Sequence[str]) -> dict[str, list[tuple[str, bytes]]]:
        """Return name and facts of all samples of some inputs (hundreds at most), in order; of small ones."""
        found: dict[str, list[tuple[str, bytes]]] = {}
        where = f"key IN ({','.join('?' * len(keys))}) ORDER BY key, ordinal"
        query = f"SELECT key, ordinal, name, facts FROM sample WHERE {where}"  # noqa: S608 - question marks
        for key, number, name, data in self._run(query, keys):
            facts = self._opened(data, "sample", key, number, name, "facts")
            found.setdefault(key, []).append((name, facts))
        return found

    def has_blocks(self, key: str) -> bool:
        """Return whether an input is stored as blocks."""
        return self._run("SELECT 1 FROM block WHERE key = ?", (key,)).fetchone() is not None

    def blocks(self, key: str, column: Literal["facts", "texts"]) -> Iterator[bytes]:
        """Yield the `facts` or the `texts` (sample columns) of a large input, block by block."""
        query = f"SELECT ordinal, {column} FROM block WHERE key = ? ORDER BY ordinal"  # noqa: S608 - two names
        for number, data in self._run(query, (key,)):
            yield self._opened(data, "block", key, number, column)

    def reports(self, key: str, name: str | None = None) -> Iterator[bytes]:
        """Yield the reports (as stored) of the samples of a small input, or of those called `name`."""
        query = "SELECT ordinal, name, report FROM sample WHERE key = ?1 AND (?2 IS NULL OR name = ?2)"
        for number, whose, data in self._run(query + " ORDER BY ordinal", (key, name)):
            yield self._opened(data, "sample", key, number, whose, "report")

    def part(self, digest: str) -> bytes:
        """Return a shared part."""
        if row := self._run("SELECT json FROM part WHERE digest = ?", (digest,)).fetchone():
            return self._opened(row[0], "part", digest)
        raise self.lacks_rows("part")


def summed(data: bytes, *whose: object) -> bytes:
    """Return a value as it is stored for `whose`: the table first, and what tells its row from others."""
    start = zlib.crc32(msgspec.json.encode(whose))
    return data + zlib.crc32(data, start).to_bytes(_SUM, "big")


def _row(table: str, *whose: object, **values: bytes) -> tuple[object, ...]:
    """Return a row of a table: what tells it from others, and its values, each with a checksum."""
    return (*whose, *(summed(data, table, *whose, name) for name, data in values.items()))


def planned_row(position: int, job: Job) -> PlannedRow:
    """Return the row of a job that is stored under its own key."""
    return PlannedRow(position=position, key=job.key, job=job)


def _named(error: sqlite3.Error, path: Path) -> OutputError:
    text = str(error)
    if "locked" in text:
        what, cure = "another run works in this folder", "Wait for it, or give another folder"
    elif "full" in text or "disk I/O" in text:
        what, cure = "the disk is full", "Make room and give the same command again: it goes on from here"
    elif "not a database" in text or "malformed" in text or "no such table" in text:
        what, cure = f"is damaged ({text})", "Remove it, or give another folder"
    else:
        what, cure = f"cannot be written ({text})", "Check the folder and its permissions"
    return OutputError(what, where=str(path), cure=cure)


_ITEM = msgspec.json.Decoder(Named)
_KNOWN = msgspec.json.Decoder(Known)


def _stored(row: PlannedRow) -> tuple[int, str, str, bytes]:
    """Return a row as it is kept: without the place of an input that has a pseudonym."""
    stated = {name: getattr(row.job, name) for name in Named.__struct_fields__}
    job = msgspec.json.encode(Named(**stated | {"source": ""}))
    options = options_text(row.job.options)
    return row.position, row.key, options, summed(job, "plan", row.position, row.key, options)


@functools.lru_cache(maxsize=4096)
def _options(text: str) -> Options:
    """Return options; equal ones are the same object: there may be as many texts of them as inputs."""
    return msgspec.json.decode(text, type=Options, dec_hook=lambda kind, value: kind(value))
