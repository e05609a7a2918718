"""Where a report goes: standard output, or a file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from pgx.errors import OutputError, UsageError

STANDARD_OUTPUT = "-"
#: File endings by format; the first that fits decides.
ENDINGS = {".txt": "text", ".json": "json", ".jsonl": "jsonl", ".tsv": "tsv"}


def format_for(output: str, asked: str | None) -> str:
    """Return the format: the one asked for, else by the ending of the output, else text.

    Raises
    ------
    UsageError
        The ending of the output names no format.
    """
    if asked is not None:
        return asked
    if output == STANDARD_OUTPUT:
        return "text"
    for ending, name in ENDINGS.items():
        if output.lower().endswith(ending):
            return name
    raise UsageError(
        "the ending of the output names no format",
        where=output,
        cure=f"Give -f, or one of {', '.join(ENDINGS)}",
    )


def write(chunks: Iterable[str], output: str) -> None:
    """Write text to `output` ("-" for standard output).

    A file is written beside its place under a temporary name and moved there when it is complete, so a
    failed run leaves an earlier file as it was.

    Raises
    ------
    OutputError
        The output cannot be written.
    """
    if output == STANDARD_OUTPUT:
        for chunk in chunks:
            sys.stdout.write(chunk)
        sys.stdout.flush()
        return
    with _replacing(Path(output)) as handle:
        for chunk in chunks:
            _put(handle, chunk, output)


def _put(handle: TextIO, chunk: str, output: str) -> None:
    try:
        handle.write(chunk)
    except OSError as error:
        raise _cannot_write(output, error) from error


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    if path.exists() and not path.is_file():
        # A pipe or a device is written as it is: there is nothing to put in its place.
        if path.is_dir():
            raise OutputError("is a folder", where=str(path), cure="Give a file name after -o")
        with path.open("w", encoding="utf-8", newline="") as handle:
            yield handle
        return
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise _cannot_write(str(path), error) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as handle:
            yield handle
            try:
                handle.flush()
                os.fsync(handle.fileno())
            except OSError as error:
                raise _cannot_write(str(path), error) from error
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cannot_write(output: str, error: OSError) -> OutputError:
    return OutputError(
        f"cannot be written ({error.strerror})",
        where=output,
        cure="Check the folder, its permissions and space",
    )
