"""The door for text files of consumer tests: a row at a site becomes a record as a VCF would hold it."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import IO, cast

from msgspec.structs import asdict

from pgx.errors import FormatError
from pgx.genome import HeaderFacts, assemblies, contig_names, definitions, letters, rsids
from pgx.observe import SiteRecord
from pgx.reference import FactFile, Facts, Number, load
from pgx.vcf import InputFacts, VcfContent
from pgx.vcf.records import site_record

_BEGINNING = 1 << 16
_MOST_BYTES = 1 << 28  # such files hold some 25 MB; more is no such file
_DAMAGED = (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError)  # what unpacking may raise
_CURE = "Give the raw data file as the company hands it out (.txt, .csv, .zip or .gz)"
_START = r"""^"?(?P<id>[A-Za-z][\w.:/-]*)"?(?P<between>\t|,|;|[ ]+)
        "?(?P<chromosome>(chr)?\d{1,2}|X|Y|XY|M|MT|PAR)"?(?P=between)
        "?(?P<position>\d+)"?(?P=between)"""
_LETTERS = r""""?(?P<first>[ACGTDI0-]{1,2})"?(?:(?P=between)"?(?P<second>[ACGTDI0-])"?)?[\s,;]*$"""
_ROW = re.compile(_START + _LETTERS, re.VERBOSE | re.IGNORECASE)
#: A row with anything for letters: at our sites it must not be passed over.
_ODD_ROW = re.compile(_START + r"(?P<first>.*)(?P<second>)$", re.VERBOSE | re.IGNORECASE)
_MISSING = frozenset("0-N?")


class _Company(Facts, frozen=True, kw_only=True):
    name: str
    phrases: tuple[str, ...]


class _ConsumerFile(FactFile, frozen=True, kw_only=True):
    allele_error_rate: Number
    company: tuple[_Company, ...]


class Row(SiteRecord, frozen=True, kw_only=True):
    """A row as a record; `text` is the row as the file has it."""

    text: str

    def line(self, sample: int) -> str:  # noqa: ARG002 - a file holds one person
        """Return the row."""
        return self.text


def letter_row(contig: str, position: int, name: str, two: Sequence[str], called: str, text: str = "") -> Row:
    """Return the record of a genotype without a quality; `two` are its REF and ALT, `position` is 1-based."""
    fixed = (contig, str(position), name, *two, ".", ".", ".", "GT")
    return Row(**asdict(site_record(fixed, (called,), position, position)), text=text)


def allele_error_rate() -> float:
    """Return the probability that one allele of a consumer test is wrong."""
    return load("consumer.toml", _ConsumerFile).allele_error_rate.value


def is_consumer_text(beginning: bytes) -> bool:
    """Return whether an input that begins so (uncompressed) is a text file of a consumer test."""
    lines = beginning.decode("utf-8", errors="replace").lstrip("\ufeff").splitlines()
    is_cut = len(beginning) >= _BEGINNING and not beginning.endswith(b"\n")
    for line in lines[:-1] if is_cut else lines:
        if line.startswith(("##fileformat", "#CHROM")):
            return False
        if not _is_above(line):
            return _ROW.match(line) is not None
    return False


def unpacked_beginning(path: str) -> bytes:
    """Return how a file begins, uncompressed; nothing where it cannot be read."""
    try:
        with _opened(path) as handle:
            return handle.read(_BEGINNING)
    except _DAMAGED:
        return b""


def read_consumer_text(path: str) -> VcfContent:
    """Read the rows at the sites, on every assembly, and those that carry the rsID of one."""
    try:
        with _opened(path) as handle:
            content = handle.read(_MOST_BYTES + 1)
    except _DAMAGED as error:
        raise FormatError("is damaged", where=path, cure=_CURE) from error
    if len(content) > _MOST_BYTES:
        raise FormatError("is too large for a file of a consumer test", where=path, cure=_CURE)
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    comments = _comments(content)
    lines = (line.lstrip("# ") for line in comments.splitlines())
    references = tuple(line for line in lines if any(known.is_named_in(line) for known in assemblies()))
    words = (*rsids(), *(str(place) for known in definitions() for place in known.positions.values()))
    starts: set[int] = set()  # of the lines that hold one
    for word in words:
        at = -1
        while (at := content.find(word.encode(), at + 1)) >= 0:
            starts.add(content.rfind(b"\n", 0, at) + 1)
    rows = []
    for start in sorted(starts):
        end = content.find(b"\n", start)
        line = content[start : end if end >= 0 else None].decode("utf-8", errors="replace")
        if (row := _record(line.lstrip("\ufeff"), path)) is not None:
            rows.append(row)
    # A no-call is left out where another row at the same position has letters: some are read twice.
    called, kept = {row.position for row in rows if row.samples[0] != "./."}, []
    for row in rows:
        if row.samples[0] != "./." or row.position not in called:
            called.add(row.position)
            kept.append(row)
    return VcfContent(
        facts=InputFacts.of_file(path, "consumer-text", comments.encode()),
        header=HeaderFacts(references=references),
        samples=(Path(path).name.split(".")[0],),
        contigs=tuple(dict.fromkeys(row.contig for row in rows if row.contig in contig_names())) or ("19",),
        records=tuple(kept),
    )


def company(path: str) -> str | None:
    """Return whose layout a file has, where it says so."""
    text = _comments(unpacked_beginning(path)).lower()
    known = load("consumer.toml", _ConsumerFile).company
    return next((one.name for one in known if any(phrase in text for phrase in one.phrases)), None)


def _opened(path: str) -> IO[bytes]:
    with Path(path).open("rb") as handle:
        magic = handle.read(4)
    if magic.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if magic == b"PK\x03\x04":
        archive = zipfile.ZipFile(path)
        members = [item for item in archive.infolist() if not item.is_dir() and item.filename[:2] != "__"]
        if len(members) != 1 or members[0].file_size > _MOST_BYTES:
            raise FormatError("is an archive of more than one file, or of a huge one", where=path, cure=_CURE)
        return archive.open(members[0])
    return Path(path).open("rb")


def _comments(content: bytes) -> str:
    lines = (line.decode("utf-8", errors="replace") for line in io.BytesIO(content[:_BEGINNING]))
    return "\n".join(takewhile(_is_above, (line.lstrip("\ufeff").rstrip("\n") for line in lines)))


def _is_above(line: str) -> bool:
    words = line.replace('"', "").strip().lower()
    is_comment = not line.strip() or line.startswith("#")
    return is_comment or words.startswith("rsid") or re.search(r"\bchr.*\bpos", words) is not None


def _record(line: str, path: str) -> Row | None:
    """Return a row as a record, or None where it is none of ours; one of our rsIDs alone is an error."""
    match = _ROW.match(line) or _ODD_ROW.match(line)
    if match is None:
        name = re.split(r"[\s,;]", line.replace('"', ""))[0].lower()
        if name in rsids():
            raise FormatError(f"has a row of {name} that cannot be read", where=path, cure=_CURE)
        return None
    name, chromosome, place = match["id"], match["chromosome"], int(match["position"])
    site = next((known for known in definitions() if place in known.positions.values()), None)
    at_site = site is not None and chromosome in contig_names()
    if not at_site and name.lower() not in rsids():
        return None
    shown = re.sub(r"""[\s"/|,;]+""", "", match["first"] + (match["second"] or "")).upper()
    *two, genotype = _spelled(shown, site.ref if at_site and site is not None else None)
    return letter_row(chromosome, place, name, two, genotype, line.strip())


def _spelled(shown: str, reference: str | None) -> tuple[str, str, str]:
    # REF, ALT and GT for the letters of a row; A and G alone are of the other strand, I and D none of ours
    first = reference or letters()[0]
    other = next(letter for letter in letters() if letter != first)
    if set(shown) <= _MISSING:
        return first, other, "./."
    if set(shown) <= {"A", "G"}:
        first, other = "A", "G"
    indices = {first: "0", other: "1"}
    if not set(shown) <= {*indices, *_MISSING}:
        return first, "N", "1/1"
    return first, other, "/".join(indices.get(letter, ".") for letter in shown)
