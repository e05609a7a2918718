"""What an input is before it is read: path, kind, size, index; and opening it with one clear error."""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator
from pathlib import Path

import pysam
from msgspec import Struct

from pgx.errors import FormatError, InputError, NotFoundError
from pgx.provenance import moment_text
from pgx.vcf.header import HeaderWatch, watch_file, watch_url, watched

STANDARD_INPUT = "-"
_INDEX_SUFFIXES = (".csi", ".tbi")
_NOT_A_VCF = "is not a VCF or BCF"
_GIVE_A_VCF = "Give a .vcf, .vcf.gz or .bcf file with genotypes"

_GZIP_MAGIC = b"\x1f\x8b"
_BGZF_FIELD = b"BC"

# htslib would print warnings on stderr that name neither the input nor a cure.
pysam.set_verbosity(0)


class Source(Struct, frozen=True, kw_only=True):
    """An input as it was named.

    Attributes
    ----------
    size
        Bytes, or None for a stream or a URL.
    modified
        UTC, or None.
    index
        Path of a .csi or .tbi beside it, or None.
    index_is_stale
        The index is older than the data, or does not fit it: it is not used.
    name, index_name
        What reports and messages call a URL and its index: without credentials.
    """

    path: str
    size: int | None = None
    modified: str | None = None
    index: str | None = None
    index_is_stale: bool = False
    name: str = ""
    index_name: str | None = None

    @property
    def label(self) -> str:
        """Return the name for messages."""
        return "standard input" if self.path == STANDARD_INPUT else self.name or self.path

    @property
    def usable_index(self) -> str | None:
        """Return the path of the index unless it is stale."""
        return None if self.index_is_stale else self.index


def is_url(path: str) -> bool:
    """Return whether an input is read over the network."""
    return "://" in path


def look(path: str) -> Source:
    """Look at an input without opening it.

    Raises
    ------
    NotFoundError, FormatError, InputError
        Missing, a folder, empty, or unreadable.
    """
    if path == STANDARD_INPUT or is_url(path):
        return Source(path=path)
    file = Path(path)
    try:
        state = file.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError("no such file", where=path, cure="Check the path") from error
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", where=path, cure="Check the path and its permissions"
        ) from error
    except ValueError as error:
        raise NotFoundError("is not a file name", where=path, cure="Check the path") from error
    if file.is_dir():
        raise FormatError("is a folder", where=path, cure="Give a file; pgx cohort takes folders")
    if not os.access(file, os.R_OK):
        raise InputError("cannot be read (permission denied)", where=path, cure="Check its permissions")
    if not file.is_file():
        return Source(path=path)
    if state.st_size == 0:
        raise FormatError("is empty", where=path, cure=_GIVE_A_VCF)
    beside = [Path(path + suffix) for suffix in _INDEX_SUFFIXES if Path(path + suffix).is_file()]
    fresh = [index for index in beside if index.stat().st_mtime_ns >= state.st_mtime_ns]
    index = next(iter(fresh or beside), None)
    return Source(
        path=path,
        size=state.st_size,
        modified=moment_text(datetime.datetime.fromtimestamp(int(state.st_mtime), datetime.UTC)),
        index=str(index) if index else None,
        index_is_stale=index is not None and not fresh,
    )


def open_source(source: Source, *, index: str | None) -> pysam.VariantFile:
    """Open an input with pysam, with the index file `index` or without any.

    Raises
    ------
    FormatError
        Not a VCF or BCF, damaged, truncated, without samples, or with a NUL byte in its header.
    """
    watch = HeaderWatch()
    try:
        handle = _opened(source, index, watch)
    except (OSError, ValueError, TypeError) as error:  # TypeError: pysam wants a name for its message
        _check_no_nul(watch, source)
        raise _opening_error(source, error) from error
    try:
        _check_no_nul(watch, source)
    except FormatError:
        _close_quietly(handle)
        raise
    if handle.format not in {"VCF", "BCF"}:
        handle.close()
        raise FormatError(_NOT_A_VCF, where=source.label, cure=_GIVE_A_VCF)
    if not len(handle.header.samples):
        handle.close()
        raise FormatError(
            "has no samples (a sites-only file holds nobody's genotype)", where=source.label, cure=_GIVE_A_VCF
        )
    return handle


@contextlib.contextmanager
def reading(source: Source, *, index: str | None) -> Iterator[pysam.VariantFile]:
    """Open an input for the time of a `with` block; see `open_source`.

    Raises
    ------
    FormatError
        Also where the end of a damaged file is noticed only on closing.
    """
    handle = open_source(source, index=index)
    try:
        yield handle
    except BaseException:
        _close_quietly(handle)
        raise
    try:
        handle.close()
    except (OSError, TypeError) as error:  # TypeError: pysam wants a name for its message, a stream has none
        raise FormatError("is damaged or truncated", where=source.label, cure="Copy it again") from error


def _close_quietly(handle: pysam.VariantFile) -> None:
    """Close after an error, which is the message: that closing fails too says no more."""
    with contextlib.suppress(OSError, TypeError):
        handle.close()


def _check_no_nul(watch: HeaderWatch, source: Source) -> None:
    if watch.nul_line is not None:
        raise FormatError(
            f"line {watch.nul_line} of its header holds a NUL byte, and what stands behind it would be lost",
            where=source.label,
            cure="Take it out, for example with tr -d '\\000' on the uncompressed text",
        )


def _opened(source: Source, index: str | None, watch: HeaderWatch) -> pysam.VariantFile:
    if source.path == STANDARD_INPUT:
        return _opened_descriptor(watched(os.dup(0), watch))
    if is_url(source.path):
        watch_url(source.path, watch)
    elif source.size is None:
        return _opened_descriptor(watched(os.open(source.path, os.O_RDONLY), watch))
    else:
        watch_file(source.path, watch)
    if index is not None and not _is_plain_gzip(source):
        # Reading the header, htslib takes an index of this base name from the working directory, whatever
        # was handed over: for a URL let that be the folder of its own index, while it is opened.
        with contextlib.chdir(Path(index).parent) if source.name else contextlib.nullcontext():
            return pysam.VariantFile(source.path, index_filename=index)
    if source.size is None:
        return pysam.VariantFile(source.path)
    # By name, pysam takes up any index beside the file, a damaged one too, and asks for the position in the
    # file, which plain gzip does not have. Not so as a stream.
    return _opened_descriptor(os.open(source.path, os.O_RDONLY))


def _opened_descriptor(descriptor: int) -> pysam.VariantFile:
    """Open a descriptor, of which pysam makes its own copy."""
    try:
        return pysam.VariantFile(descriptor)
    finally:
        os.close(descriptor)


def _is_plain_gzip(source: Source) -> bool:
    """Return whether a file is gzip without the extra field that makes it bgzip."""
    if source.size is None:
        return False
    with Path(source.path).open("rb") as handle:
        start = handle.read(14)
    return start.startswith(_GZIP_MAGIC) and start[12:14] != _BGZF_FIELD


def _opening_error(source: Source, error: Exception) -> InputError:
    text = str(error).lower()
    if "eof marker" in text or "truncated" in text:
        return FormatError("is truncated", where=source.label, cure="Copy or compress it again")
    if isinstance(error, FileNotFoundError):
        return NotFoundError("no such file", where=source.label, cure="Check the path")
    if isinstance(error, PermissionError):
        return InputError(
            "cannot be read (permission denied)", where=source.label, cure="Check its permissions"
        )
    return FormatError(f"{_NOT_A_VCF}, or its header is broken", where=source.label, cure=_GIVE_A_VCF)
