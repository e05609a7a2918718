"""Names of people replaced by keyed digests (HMAC-SHA256): the same name and key give the same pseudonym.

Without the key nobody can test whether a pseudonym is that of a name; whoever has it can make the list again.
Only what names somebody is replaced: genotypes stay, and they identify a person, too.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
import re
import stat
from collections.abc import Collection
from pathlib import Path

from msgspec.structs import replace

from pgx.errors import InputError, UsageError
from pgx.files import read_limited
from pgx.report import Run, SampleReport

_SHORTEST = 16  # bytes of a key
_DIGITS = 20  # of a digest: 80 bits, so that among a million names no two are likely to meet
_ENDING = re.compile(r"(\.[A-Za-z0-9]{1,5}){1,2}\Z")
_TOKEN = re.compile(r"[^\s;,=:|/&]+")
_HAS_LETTER = re.compile(r"[^\W\d_]")
#: Lines of a VCF header that describe fields; all others may name people, files or commands.
_FIELDS = ("##fileformat=", "##FILTER=", "##INFO=", "##FORMAT=", "##contig=", "##ALT=")


class Pseudonyms:
    """What makes the pseudonyms of one key.

    Attributes
    ----------
    digest
        Tells keys apart, and does not tell the key.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.digest = self._digest("key", "")

    def _digest(self, kind: str, text: str) -> str:
        data = f"{kind}\0{text}".encode(errors="surrogateescape")
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()[:_DIGITS]

    def name(self, sample: str) -> str:
        """Return the pseudonym of a sample."""
        return f"P{self._digest('sample', sample)}"

    def path(self, path: str) -> str:
        """Return the pseudonym of a file: of its folders, too, nothing but the ending is left."""
        ending = _ENDING.search(path)
        return f"file-{self._digest('path', path)}{ending[0] if ending else ''}"

    def record(self, record: str, samples: Collection[str]) -> str:
        """Return records without the names that stand in their ID and INFO; columns are split by tabs."""

        def hidden(token: re.Match[str]) -> str:
            word = token[0]
            return self.name(word) if word in samples and _HAS_LETTER.search(word) else word

        lines = []
        for line in record.split("\n"):
            fields = line.split("\t")
            for number in (2, 7):
                if number < len(fields):
                    fields[number] = _TOKEN.sub(hidden, fields[number])
            lines.append("\t".join(fields))
        return "\n".join(lines)

    def report(self, report: SampleReport, samples: Collection[str]) -> SampleReport:
        """Return a report under its pseudonym; `samples` are the names that its records may hold."""
        sites = tuple(
            site if site.record is None else replace(site, record=self.record(site.record, samples))
            for site in report.sites
        )
        return replace(report, sample=self.name(report.sample), sites=sites)

    def run(self, run: Run) -> Run:
        """Return a run without the names of its input and of the files of its options."""
        stated = run.parameters
        names = replace(
            stated,
            callable=self.path(stated.callable) if stated.callable else None,
            evidence=tuple(map(self.path, stated.evidence)),
        )
        return replace(run, input=replace(run.input, path=self.path(run.input.path)), parameters=names)

    def header(self, lines: list[str]) -> list[str]:
        """Return the lines of a VCF header, but for the last, that cannot name a person."""
        return [line for line in lines if line.startswith(_FIELDS)]


def pseudonyms(key_file: Path | None) -> Pseudonyms | None:
    """Return what makes the pseudonyms of a key file; None without one.

    Raises
    ------
    InputError, UsageError
        It cannot be read, or is too short to be a key.
    """
    if key_file is None:
        return None
    try:
        state = key_file.stat()
        return _made(key_file, state.st_mtime_ns, state.st_size)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"the key cannot be read ({why})", where=str(key_file), cure="Check --pseudonymise"
        ) from error


@functools.lru_cache(maxsize=8)
def _made(key_file: Path, modified: int, size: int) -> Pseudonyms:
    key = read_limited(key_file, 1).strip()
    if len(key) < _SHORTEST:
        raise UsageError(
            f"the key has fewer than {_SHORTEST} bytes",
            where=str(key_file),
            cure=f"Make one: head -c 32 /dev/urandom > {key_file}",
        )
    return Pseudonyms(key)


def is_open_to_others(key_file: Path) -> bool:
    """Return whether others than its owner may read a key file."""
    return os.name == "posix" and bool(key_file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
