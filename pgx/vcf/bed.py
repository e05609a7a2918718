"""Regions that a user states to be callable (--callable): a BED file, plain or compressed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from pgx.errors import FormatError, InputError, NotFoundError
from pgx.genome.sites import Site

_GZIP_MAGIC = b"\x1f\x8b"


def callable_sites(path: Path, sites: Sequence[Site], contigs: Collection[str]) -> frozenset[str]:
    """Return the rsIDs of the sites that lie in a region of the BED file `path`.

    Regions are 0-based and half-open, as BED has them; `contigs` are the names of the chromosome.

    Raises
    ------
    InputError
        The file is missing, unreadable, or no BED file.
    """
    names = {name.lower() for name in contigs}
    found = set()
    for contig, start, end in _regions(path):
        if contig.lower() in names:
            found |= {site.rsid for site in sites if start < site.position <= end}
    return frozenset(found)


def _regions(path: Path) -> Iterator[tuple[str, int, int]]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        columns = line.split("\t") if "\t" in line else line.split()
        try:
            start, end = int(columns[1]), int(columns[2])
        except (IndexError, ValueError) as error:
            raise FormatError(
                f"line {number} is no BED region",
                where=str(path),
                cure="Give contig, start and end, tab-separated",
            ) from error
        if not 0 <= start <= end:
            raise FormatError(
                f"line {number} has its end before its start", where=str(path), cure="Correct the BED file"
            )
        yield columns[0], start, end


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as handle:
            compressed = handle.read(2) == _GZIP_MAGIC
        with gzip.open(path, "rt", encoding="utf-8") if compressed else path.open(encoding="utf-8") as lines:
            yield from lines
    except FileNotFoundError as error:
        raise NotFoundError(
            "no such file", where=str(path), cure="Check the path after --callable"
        ) from error
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        raise FormatError("is damaged, or no BED file", where=str(path), cure="Copy it again") from error
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", where=str(path), cure="Check the path after --callable"
        ) from error
