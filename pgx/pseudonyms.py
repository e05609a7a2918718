"""Names of people replaced by keyed digests (HMAC-SHA256); genotypes stay, and identify a person, too."""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from pgx.errors import InputError, UsageError
from pgx.files import read_limited
from pgx.genome import AssemblyEvidence, AssemblyEvidenceKind
from pgx.options import Parameters
from pgx.report import Run, SampleReport

_ENDING = re.compile(r"(\.[A-Za-z0-9]{1,5}){1,2}\Z")
_TOKEN = re.compile(r"[^\s;,=:|/&]+")
#: Numbers and rsIDs stay, whatever somebody called a sample.
_NEVER_A_NAME = re.compile(r"[-+.0-9eE]*\Z|rs[0-9]+\Z")
_QUOTED = re.compile(r"(samples?(?: are called)? )'([^']*)'")
#: Lines of a VCF header that describe fields; all others may name people, files or commands.
_FIELDS = ("##fileformat=", "##FILTER=", "##INFO=", "##FORMAT=", "##contig=", "##ALT=")

FactsT = TypeVar("FactsT", bound=Any)


class Pseudonyms:
    """What makes the pseudonyms of one key; its `digest` tells keys apart, and does not tell the key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.digest = self._digest("key", "")

    def _digest(self, kind: str, text: str) -> str:
        data = f"{kind}\0{text}".encode(errors="surrogateescape")
        # 80 bits, so that among a million names no two are likely to meet
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()[:20]

    def name(self, sample: str) -> str:
        """Return the pseudonym of a sample."""
        return f"P{self._digest('sample', sample)}"

    def path(self, path: str) -> str:
        """Return the pseudonym of a file, without its folders; nothing but the ending is left."""
        ending = _ENDING.search(path)
        return f"file-{self._digest('path', path)}{ending[0] if ending else ''}"

    def message(self, text: str) -> str:
        """Return a message of an error without the name of a sample that it quotes."""
        return _QUOTED.sub(lambda found: f"{found[1]}'{self.name(found[2])}'", text)

    def record(self, line: str, samples: Collection[str]) -> str:
        """Return a record without the names that stand in its ID and in the values of its INFO."""
        fields = line.split("\t")
        if len(fields) > 2:
            fields[2] = self.words(fields[2], samples)
        if len(fields) > 7:
            entries = (entry.partition("=") for entry in fields[7].split(";"))
            fields[7] = ";".join(key + mark + self.words(value, samples) for key, mark, value in entries)
        return "\t".join(fields)

    def words(self, text: str, samples: Collection[str]) -> str:
        """Return a text in which the words that are names of samples have their pseudonyms."""

        def hidden(found: re.Match[str]) -> str:
            word = found[0]
            return self.name(word) if word in samples and not _NEVER_A_NAME.match(word) else word

        return _TOKEN.sub(hidden, text)

    def report(self, report: SampleReport, samples: Collection[str]) -> SampleReport:
        """Return a report under its pseudonym; `samples` are the names that its records may hold."""
        sites, flags = [], []
        for site in report.sites:
            lines = (self.record(line, samples) for line in (site.record or "").split("\n"))
            sites.append(replace(site, record="\n".join(lines) or None))
        for flag in report.flags:
            values = {key: self.message(value) for key, value in flag.values.items()}
            flags.append(replace(flag, message=self.message(flag.message), values=values))
        return replace(report, sample=self.name(report.sample), sites=tuple(sites), flags=tuple(flags))

    def parameters(self, stated: Parameters) -> Parameters:
        """Return the stated options without the names of their files."""
        files = ((name, getattr(stated, name)) for name in ("callable", "reads", "reference"))
        hidden = {name: self.path(str(path)) for name, path in files if path}
        return replace(stated, evidence=tuple(self.path(str(folder)) for folder in stated.evidence), **hidden)

    def facts(self, facts: FactsT) -> FactsT:
        """Return the facts of an input (`path`, `header_digest`) without its name."""
        digest = self._digest("header", facts.header_digest)  # that of the file is a name, too
        return replace(facts, path=self.path(facts.path), header_digest=f"hmac-sha256:{digest}")

    def clues(self, evidence: tuple[AssemblyEvidence, ...]) -> tuple[AssemblyEvidence, ...]:
        """Return what an assembly was recognised by, without the folders of a reference."""
        lines, folders = AssemblyEvidenceKind.REFERENCE_LINE, re.compile(r"[/\\\\]")
        named = ((clue, folders.split(clue.detail)[-1]) for clue in evidence)
        return tuple(replace(clue, detail=name) if clue.kind is lines else clue for clue, name in named)

    def run(self, run: Run) -> Run:
        """Return what the samples of a stored result share, without the names of files."""
        clues = self.clues(run.input.assembly_evidence)
        facts = replace(self.facts(run.input), digest=None, assembly_evidence=clues)
        return replace(run, input=facts, parameters=self.parameters(run.parameters))

    def header(self, lines: Iterable[str]) -> list[str]:
        """Return those lines of a VCF header that cannot name a person."""
        return [line for line in lines if line.startswith(_FIELDS)]


def pseudonyms(key_file: Path) -> Pseudonyms:
    """Return what makes the pseudonyms of a key file; one that cannot be a key is an error."""
    try:
        return _made(key_file, key_file.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        what = f"the key cannot be read ({getattr(error, 'strerror', None) or error})"
        raise InputError(what, where=str(key_file), cure="Check --pseudonymise") from error


@functools.lru_cache(maxsize=8)
def _made(key_file: Path, _modified: int) -> Pseudonyms:
    key = read_limited(key_file, 1).strip()
    if len(key) < 16:
        cure = f"Make one: head -c 32 /dev/urandom > {key_file}"
        raise UsageError("the key has fewer than 16 bytes", where=str(key_file), cure=cure)
    return Pseudonyms(key)
