"""An input before it is parsed: what its name stands for, its bounds, and its bytes as they are stored."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from pgx.errors import FormatError, InputError, NotFoundError, UsageError
from pgx.options import BOUND_NAMES, Options
from pgx.reference import file_time, limit

STANDARD_INPUT = "-"
GIVE_A_VCF = "Give a .vcf, .vcf.gz or .bcf file with genotypes"
COPY_AGAIN = "Copy it again, or write it again from its source"


class Bounds(Struct, frozen=True, kw_only=True):
    """Bounds on what an input may make pgx hold or wait for; None stands for the value of reference/."""

    access: str = "auto"  # if "scan", all of it is read, and no index and no order are relied upon
    max_header: float | None = None  # MB (10^6 bytes) without compression, as those of a record and an index
    max_record: float | None = None
    max_contigs: int | None = None  # contig lines in a header
    max_index: float | None = None
    timeout: float | None = None  # seconds to wait for a server to send something
    max_redirects: int | None = None  # for one request

    @classmethod
    def of(cls, options: Options) -> Bounds:
        """Return the bounds that options state."""
        return cls(access=options.access, **{name: getattr(options, name) for name in BOUND_NAMES})

    def value(self, name: str) -> float:
        """Return the bound called `name`, in the unit of reference/limits.toml."""
        own = getattr(self, name, None)
        return limit(name) if own is None else float(own)

    def bytes(self, name: str) -> int:
        """Return the bound called `name`, which is given in MB, in bytes."""
        return int(self.value(name) * 1_000_000)


def beyond(name: str, what: str, label: str, limits: Bounds) -> FormatError:
    """Return the error that an input goes beyond the limit `name`; `what` is the subject, as "its header"."""
    unit = "" if name == "max_contigs" else " MB"
    cure = f"If the file is right, raise the limit with --{name.replace('_', '-')}"
    what = f"{what} goes beyond the limit of {limits.value(name):,.10g}{unit}"
    return FormatError(what, where=label, cure=cure)


class Source(Struct, frozen=True, kw_only=True):
    """An input as it was named."""

    path: str
    size: int | None = None  # bytes; None for a stream or a URL
    modified: str | None = None  # UTC; None as for `size`
    index: str | None = None  # the path of a .csi or .tbi beside it
    index_is_stale: bool = False  # it is older than the data, and is not used
    name: str = ""  # what reports and messages call a URL: without credentials, as is the name of its index

    @property
    def label(self) -> str:
        """Return the name for messages."""
        return "standard input" if self.path == STANDARD_INPUT else self.name or self.path


def is_url(path: str) -> bool:
    """Return whether an input is read over the network."""
    return "://" in path


def look(path: str) -> Source:
    """Look at an unopened input; what cannot be read is an `InputError`, a terminal is a `UsageError`."""
    if path == STANDARD_INPUT:
        try:
            waits = os.isatty(0)
            os.fstat(0)
        except OSError as error:
            raise InputError("is closed", where="standard input", cure="Pipe a VCF into pgx") from error
        if waits:
            cure = "Pipe a VCF into pgx, or give the name of a file"
            raise UsageError("is a terminal", where="standard input", cure=cure)
        return Source(path=path)
    file = Path(path)
    try:
        state = file.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError("no such file", where=path, cure="Check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL byte
        raise _unreadable(path, error) from error
    if stat.S_ISDIR(state.st_mode):
        raise FormatError("is a folder", where=path, cure="Give a file; pgx cohort takes folders")
    if not os.access(file, os.R_OK):
        raise InputError("cannot be read (permission denied)", where=path, cure="Check its permissions")
    if not stat.S_ISREG(state.st_mode):
        return Source(path=path)
    if state.st_size == 0:
        cure = COPY_AGAIN if path.lower().endswith((".bam", ".cram")) else GIVE_A_VCF
        raise FormatError("is empty", where=path, cure=cure)
    beside: list[tuple[str, int]] = []  # and when each was written
    for suffix in (".csi", ".tbi"):
        with contextlib.suppress(OSError):
            found = os.stat(path + suffix)  # noqa: PTH116 - a Path costs more than the call
            if stat.S_ISREG(found.st_mode):
                beside.append((path + suffix, found.st_mtime_ns))
    fresh = [index for index, time in beside if time >= state.st_mtime_ns]
    index = next(iter(fresh or [name for name, _ in beside]), None)
    modified, is_stale = file_time(state.st_mtime), index is not None and not fresh
    return Source(path=path, size=state.st_size, modified=modified, index=index, index_is_stale=is_stale)


def _unreadable(path: str, error: OSError | ValueError) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(f"cannot be read ({reason})", where=path, cure="Check the path and its permissions")


_progress: Callable[[], None] | None = None


@contextlib.contextmanager
def tell_progress_to(told: Callable[[], None]) -> Iterator[None]:
    """Call `told` whenever bytes of an input come, for the time of a `with` block."""
    global _progress  # noqa: PLW0603 - one process reads one input at a time
    before, _progress = _progress, told
    try:
        yield
    finally:
        _progress = before


def came() -> None:
    """Tell that bytes of an input came."""
    if _progress is not None:
        _progress()


class Raw:
    """The bytes of an input, as they are stored."""

    label: str
    size: int | None = None
    steps = 1 << 16, 1 << 20  # bytes of the first piece, and of each of the others

    def at(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from `offset`, fewer only where the input ends."""
        raise NotImplementedError

    def pieces(self) -> Iterator[bytes]:
        """Yield all bytes from the start."""
        offset, (count, others) = 0, self.steps
        while piece := self.at(offset, count):
            yield piece
            offset, count = offset + len(piece), others

    def check_unchanged(self) -> None:
        """Raise `InputError` where the input has changed since it was opened; what is read once cannot."""


class FileBytes(Raw):
    """A file on disk."""

    def __init__(self, descriptor: int, label: str) -> None:
        self.label, self._descriptor = label, descriptor
        self._state = os.fstat(descriptor)
        self.size = self._state.st_size

    def at(self, offset: int, count: int) -> bytes:
        """Return bytes; see `Raw`."""
        came()
        found = b""
        try:
            while more := os.pread(self._descriptor, count - len(found), offset + len(found)):
                found = found + more if found else more
        except OSError as error:
            raise _unreadable(self.label, error) from error
        return found

    def check_unchanged(self) -> None:
        """Compare size and time; see `Raw`."""
        now = os.fstat(self._descriptor)
        if (now.st_size, now.st_mtime_ns) != (self._state.st_size, self._state.st_mtime_ns):
            cure = "Wait until it is written, and try again"
            raise InputError("changed while it was read", where=self.label, cure=cure)


class _StreamBytes(Raw):
    def __init__(self, descriptor: int, label: str) -> None:
        self.label, self._descriptor = label, descriptor
        self._head = b""

    def at(self, offset: int, count: int) -> bytes:
        """Return bytes of the start, which `pieces` yields again; nothing else can be had of a stream."""
        while len(self._head) < offset + count and (piece := self._read()):
            self._head += piece
        return self._head[offset : offset + count]

    def pieces(self) -> Iterator[bytes]:
        head, self._head = self._head, b""
        if head:
            yield head
        while piece := self._read():
            yield piece

    def _read(self) -> bytes:
        came()
        try:
            return os.read(self._descriptor, 1 << 20)
        except OSError as error:
            what = f"broke off ({error.strerror})"
            raise InputError(what, where=self.label, cure="Look at what writes it") from error


@contextlib.contextmanager
def local_bytes(source: Source) -> Iterator[Raw]:
    """Open a file or stream; what cannot be opened is an `InputError`."""
    try:
        is_file = source.path != STANDARD_INPUT
        descriptor = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC) if is_file else os.dup(0)
    except OSError as error:
        raise _unreadable(source.label, error) from error
    try:
        yield (_StreamBytes if source.size is None else FileBytes)(descriptor, source.label)
    finally:
        os.close(descriptor)
