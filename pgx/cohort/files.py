"""Files of a cohort folder appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pgx.errors import OutputError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what was written there takes its place at the end.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


class Staged:
    """Files of a folder that take their places together at the end of a `with`, or not at all.

    Raises
    ------
    OutputError
        One cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[str] = []

    def path(self, name: str) -> Path:
        """Return where to write what will be called `name`."""
        self._names.append(name)
        return self._folder / f".{name}.part"

    def __enter__(self) -> Staged:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        pairs = [(self._folder / f".{name}.part", self._folder / name) for name in self._names]
        try:
            if error is None:
                for written, _ in pairs:
                    _sync(written)
                for written, final in pairs:
                    written.replace(final)
            elif isinstance(error, OSError):
                raise cannot_write(self._folder, error) from error
        except OSError as failed:
            raise cannot_write(self._folder, failed) from failed
        finally:
            for written, _ in pairs:
                with contextlib.suppress(OSError):
                    written.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Return the error that names `path`."""
    return OutputError(
        f"cannot be written ({error.strerror or error})",
        where=str(path),
        cure="Check the folder, its permissions and space, and give the same command again",
    )


def write_text(path: Path, text: str) -> None:
    """Write a text file in one go.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
