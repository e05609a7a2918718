"""Regions that a user states to be callable (--callable): a BED file, plain or compressed."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from pgx.errors import FormatError, InputError, NotFoundError, printable
from pgx.genome import Site
from pgx.vcf.bgzf import GZIP_MAGIC

_LONGEST = 1 << 20  # characters of a line
#: Words of GATK CallableLoci and of the labels that the manual of mosdepth proposes for --quantize.
_NOT_CALLABLE = (
    "REF_N", "NO_COVERAGE", "LOW_COVERAGE", "EXCESSIVE_COVERAGE", "HIGH_COVERAGE", "POOR_MAPPING_QUALITY"
)  # fmt: skip
_DEPTHS: dict[str, float | None] = {"": None, ".": None, "CALLABLE": None, **dict.fromkeys(_NOT_CALLABLE, 0)}
_NUMBER = re.compile(r"\d{1,9}(?:\.\d*)?(?:[eE]\+?\d)?", re.ASCII)


def callable_sites(path: Path, sites: Sequence[Site], contigs: Collection[str]) -> dict[str, float | None]:
    """Return the rsIDs of the sites in a callable region of a BED file, with their depth or None.

    `contigs` are the names of the chromosome. The fourth column may say nothing (callable), a word of GATK
    CallableLoci (only CALLABLE counts), or the depth (as mosdepth writes it); all else is an `InputError`,
    as is a file that cannot be read. Of several lines over a site the one that says least counts.
    """
    names = {name.lower() for name in contigs}
    said: dict[str, list[float | None]] = {}
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        columns = line.split("\t") if "\t" in line else line.split()
        try:
            start, end = int(columns[1]), int(columns[2])
        except (IndexError, ValueError) as error:
            cure = "Give contig, start and end, tab-separated"
            raise FormatError(f"line {number} is no BED region", where=str(path), cure=cure) from error
        if not 0 <= start <= end:
            what = f"line {number} has its end before its start"
            raise FormatError(what, where=str(path), cure="Correct the BED file")
        word = columns[3].strip() if len(columns) > 3 else ""
        if word not in _DEPTHS and not _NUMBER.fullmatch(word):
            held = f"line {number} has '{printable(word, 40)}' as its fourth column"
            what = f"{held}, which is neither a word of CallableLoci (as CALLABLE) nor a depth"
            cure = "Give a BED file of three columns with the callable regions only (cut -f 1-3)"
            raise FormatError(what, where=str(path), cure=cure)
        if columns[0].lower() in names:
            depth = _DEPTHS[word] if word in _DEPTHS else float(word)
            for site in sites:
                if start < site.position <= end:
                    said.setdefault(site.rsid, []).append(depth)
    found = {rsid: [depth for depth in depths if depth is not None] for rsid, depths in said.items()}
    return {rsid: min(depths, default=None) for rsid, depths in found.items() if min(depths, default=1) > 0}


def _lines(path: Path) -> Iterator[str]:
    where, cure = str(path), "Check the path after --callable"
    try:
        with path.open("rb") as handle:
            compressed = handle.read(2) == GZIP_MAGIC
        with gzip.open(path, "rt", encoding="utf-8") if compressed else path.open(encoding="utf-8") as lines:
            while line := lines.readline(_LONGEST):
                if len(line) == _LONGEST:
                    what = "has a line of more than a million characters"
                    raise FormatError(what, where=where, cure="Give a BED file after --callable")
                yield line
    except FileNotFoundError as error:
        raise NotFoundError("no such file", where=where, cure=cure) from error
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        raise FormatError("is damaged, or no BED file", where=where, cure="Copy it again") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot be read ({reason})", where=where, cure=cure) from error
