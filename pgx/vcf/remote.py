"""Inputs behind a URL: read in ranges, with an index that is fetched into a private temporary folder.

htslib itself saves a remote index in the working directory under its base name, and takes a file that
lies there for the index of any URL with that base name. So the index is fetched here and handed over, and
a URL is opened with the private folder as the working directory of the process (see `pgx.vcf.open`):
threads of one process should not read URLs side by side.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pysam
from msgspec.structs import replace

from pgx.errors import FormatError, InputError, NotFoundError
from pgx.vcf.open import Source, is_url

SCHEMES = frozenset({"http", "https", "s3", "s3+http", "s3+https"})
#: Between a URL and the place of its index, as htslib has it.
INDEX_MARK = "##idx##"
_PIECE = 1 << 20
_TAIL = 28  # bytes of the end-of-file block of BGZF: the least that a BGZF file or BCF ends with
_GET_LIBCURL = "Install libcurl and the certificates of the system (Debian: libcurl4 and ca-certificates)"


def public_name(url: str) -> str:
    """Return a URL for messages and reports: without user, password, and the query that may sign it."""
    address = url.partition(INDEX_MARK)[0]
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


@contextlib.contextmanager
def reachable(source: Source) -> Iterator[Source]:
    """Yield `source` as it can be opened. A file on disk is yielded as it is.

    For a URL the index is fetched into a private folder that is removed afterwards; nothing is written
    anywhere else.

    Raises
    ------
    InputError
        The URL cannot be reached, has no index, or its server does not deliver ranges.
    """
    if not is_url(source.path):
        yield source
        return
    address, _, stated = source.path.partition(INDEX_MARK)
    name = public_name(source.path)
    _check_scheme(address, name)
    try:
        _check_ranges(address, name)
        with tempfile.TemporaryDirectory(prefix="pgx-index-") as folder:
            index, index_name = _fetch_index(address, stated, Path(folder), name)
            yield replace(source, path=address, name=name, index=index, index_name=index_name)
    except OSError as error:
        raise _as_input_error(error, name) from error


def check_scan_allowed(source: Source) -> None:
    """Refuse to read a whole input over the network because its index cannot be read.

    Raises
    ------
    FormatError
        `source` is behind a URL.
    """
    if source.name:
        raise FormatError(
            "the index beside it cannot be read, or is that of another file",
            where=source.name,
            cure="Index it again (tabix -p vcf), and see that it is bgzipped",
        )


def _check_scheme(address: str, name: str) -> None:
    scheme = urlsplit(address).scheme.lower()
    if scheme not in SCHEMES:
        raise InputError(
            f"is a kind of URL that pgx does not read ({scheme}:)",
            where=name,
            cure="Use http, https or s3, or download the file and its index",
        )


def _check_ranges(address: str, name: str) -> None:
    """Read the end of the file: a server without ranges cannot deliver it alone."""
    try:
        with pysam.HFile(address, "rb") as remote:
            if len(remote.read(_TAIL)) < _TAIL:
                raise FormatError(
                    "is empty, or too short for a VCF or BCF", where=name, cure="Check the address"
                )
            remote.seek(-_TAIL, 2)
            remote.read(_TAIL)
    except OSError as error:
        if error.errno == errno.ESPIPE:
            raise InputError(
                "the server does not deliver parts of a file (range requests), so the index is of no use",
                where=name,
                cure="Download the file and its index, or serve them with ranges",
            ) from error
        raise


def _fetch_index(address: str, stated: str, folder: Path, name: str) -> tuple[str, str]:
    """Return the local path of the index, and the name under which a report mentions it."""
    base = Path(urlsplit(address).path).name
    if stated and not is_url(stated):
        local = folder / f"{base}{_suffix(stated)}"
        shutil.copyfile(stated, local)
        return str(local), stated
    for candidate in [stated] if stated else _index_addresses(address):
        local = folder / f"{base}{_suffix(urlsplit(candidate).path)}"
        try:
            _download(candidate, local)
        except FileNotFoundError:
            continue
        except PermissionError:  # a store that does not let strangers list it says so of missing objects too
            continue
        return str(local), public_name(candidate)
    raise NotFoundError(
        "has no index beside it (.tbi or .csi), and without one pgx does not read over the network",
        where=name,
        cure=f"Index it (bgzip, tabix -p vcf), name the index as URL{INDEX_MARK}INDEX, or download the file",
    )


def _suffix(name: str) -> str:
    return ".csi" if name.endswith(".csi") else ".tbi"


def _index_addresses(address: str) -> list[str]:
    """Return the addresses of an index, the usual one first; a query belongs behind the name."""
    parts = urlsplit(address)
    suffixes = (".csi",) if parts.path.endswith(".bcf") else (".tbi", ".csi")
    return [urlunsplit(parts._replace(path=parts.path + suffix)) for suffix in suffixes]


def _download(address: str, target: Path) -> None:
    with pysam.HFile(address, "rb") as remote, target.open("wb") as local:
        while piece := remote.read(_PIECE):
            local.write(piece)


def _as_input_error(error: OSError, name: str) -> InputError:
    if error.errno == errno.EPROTONOSUPPORT:
        return InputError(
            "cannot be read over the network: libcurl is missing", where=name, cure=_GET_LIBCURL
        )
    if isinstance(error, FileNotFoundError):
        return NotFoundError("no such file on the server", where=name, cure="Check the address")
    if isinstance(error, PermissionError):
        return InputError(
            "the server refuses it (permission denied)", where=name, cure="Check the address and credentials"
        )
    return InputError(
        "cannot be reached, or the connection broke",
        where=name,
        cure="Check the address and the network, or download the file and its index",
    )
