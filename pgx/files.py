"""The one writer of files: what is written appears whole and on the disk, or not at all (`OutputError`)."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from pgx.errors import OutputError

STANDARD_OUTPUT = "-"
_CURE = "Check the folder, its permissions and space"
_UNCLEAN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_NAME_KEPT = 40  # characters of a name in its temporary name, which must not become too long for a folder
_STAGED: set[Staged] = set()  # files that are being written


def cannot_write(where: str | Path, error: OSError | ValueError, *, cure: str = _CURE) -> OutputError:
    """Return the error that names what cannot be written and why."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return OutputError(f"cannot be written ({reason})", where=str(where), cure=cure)


class Staged:
    """Files of one folder that take their places together when a `with` block ends well, else not at all.

    A file that takes the place of another has its permissions; an `OSError` in the block is an `OutputError`.
    Temporary names in an `exclusive` (locked)
    folder are fixed, so that what a killed run left there is written over.
    """

    def __init__(self, folder: Path, *, exclusive: bool = False) -> None:
        self._folder = folder
        self._token = "" if exclusive else f".{os.urandom(4).hex()}"
        self._pairs: list[tuple[Path, Path]] = []
        _STAGED.add(self)

    def path(self, name: str) -> Path:
        """Return where to write what will be called `name`; files are renamed in the order of these calls."""
        kept = name if not self._token else name[:_NAME_KEPT]
        temporary = self._folder / f".{kept}{self._token}.{len(self._pairs)}.part"
        self._pairs.append((temporary, self._folder / name))
        return temporary

    def __enter__(self) -> Staged:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self._finish()
            elif isinstance(error, OSError):
                where = self._pairs[0][1] if len(self._pairs) == 1 else self._folder
                raise cannot_write(where, error) from error
        finally:
            self.discard()
            _STAGED.discard(self)

    def discard(self) -> None:
        """Remove what was written and has not taken its place."""
        for temporary, _ in self._pairs:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        final = self._folder
        try:
            for temporary, final in self._pairs:
                with temporary.open("rb") as handle:
                    with contextlib.suppress(FileNotFoundError):
                        os.fchmod(handle.fileno(), stat.S_IMODE(final.stat().st_mode))
                    os.fsync(handle.fileno())
            for temporary, final in self._pairs:
                temporary.replace(final)
        except OSError as error:
            raise cannot_write(final, error) from error


def discard() -> None:
    """Remove every file that is half written: for a process that ends without its `with` blocks."""
    for staged in tuple(_STAGED):
        staged.discard()


def read_limited(path: Path, limit: int) -> bytes:
    """Return the content of a file or pipe; more than `limit` MB (10^6 bytes) is an `OSError`."""
    with path.open("rb") as handle:
        return limited(handle, limit)


def limited(handle: IO[bytes], limit: int) -> bytes:
    """Return what is left to read, at most `limit` MB; else as `read_limited`."""
    largest = limit * 10**6
    try:
        size = os.fstat(handle.fileno()).st_size
    except OSError:  # a stream without a descriptor
        size = 0
    content = b"" if size > largest else handle.read(largest + 1)
    if max(size, len(content)) > largest:
        raise OSError(errno.EFBIG, f"larger than {limit:,} MB")
    return content


def cleaned(value: Any, *, but: frozenset[str] = frozenset()) -> Any:
    """Return lists, tables and texts without control characters and marks of direction, but in keys `but`."""
    if isinstance(value, str):
        return _UNCLEAN.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [cleaned(item, but=but) for item in value]
    if isinstance(value, dict):
        return {cleaned(key): item if key in but else cleaned(item, but=but) for key, item in value.items()}
    return value


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which replaces `path` at the end of the block; of a pipe, the path itself.

    An `OSError` in the block is an `OutputError`.
    """
    if not is_replaceable(path):
        try:
            yield path
        except OSError as error:
            raise cannot_write(path, error) from error
        return
    with Staged(path.parent) as staged:
        yield staged.path(path.name)


def is_replaceable(path: Path) -> bool:
    """Return whether `path` is a file or nothing yet, and not where standard output (/dev/stdout) goes."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        raise cannot_write(path, error) from error
    if stat.S_ISDIR(state.st_mode):
        raise OutputError("is a folder", where=str(path), cure="Give a file name after -o")
    with contextlib.suppress(OSError):
        if os.path.samestat(state, os.fstat(1)):
            return False
    return stat.S_ISREG(state.st_mode)


def write(chunks: Iterable[str | bytes], output: str | Path) -> None:
    """Write text (as UTF-8) or bytes to a file, or standard output ("-"): closed, a `BrokenPipeError`."""
    made = (chunk.encode() if isinstance(chunk, str) else chunk for chunk in chunks)
    if output != STANDARD_OUTPUT:
        with replacing(Path(output)) as path, path.open("wb") as handle:
            handle.writelines(made)
        return
    stream: BinaryIO | None = getattr(sys.stdout, "buffer", None)
    if sys.stdout is None or stream is None:  # the program was started with it closed
        raise cannot_write("standard output", OSError(errno.EBADF, os.strerror(errno.EBADF)), cure="Give -o")
    try:
        sys.stdout.flush()
        stream.writelines(made)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        forget_standard_output()
        raise cannot_write("standard output", error, cure="Check its space, or give -o") from error


def forget_standard_output() -> None:
    """Give what is still buffered somewhere to go: Python writes it again at its end, and would complain."""
    with contextlib.suppress(OSError, ValueError):
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) in one go."""
    write((text,), path)
