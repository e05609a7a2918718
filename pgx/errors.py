"""Every error that pgx raises on purpose, with its exit code. One line each: what, where, and what to do.

Messages name files, samples and options, never a genotype.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Sequence
from typing import ClassVar


def printable(text: str, limit: int = 200) -> str:
    """Return `text` fit for one line of a terminal: no control, format or line-break characters.

    Names come from files of strangers; an escape sequence in a sample name must not reach a terminal.
    """
    hidden, mark = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}, "\N{REPLACEMENT CHARACTER}"
    clean = text
    if not text.isprintable():  # told in C; it counts wide spaces, too
        clean = "".join(mark if unicodedata.category(char) in hidden else char for char in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return "Did you mean NAME?" for the names that are nearly `word`, in any case of letters; else ""."""
    import difflib  # noqa: PLC0415 - only for an error

    known = {name.casefold(): name for name in reversed(tuple(names))}
    near = difflib.get_close_matches(word.casefold(), known, n=3, cutoff=0.7)
    return f"Did you mean {' or '.join(printable(known[name], 60) for name in near)}?" if near else ""


class PgxError(Exception):
    """An error with a cause that the user can do something about.

    `what` is wrong, without a full stop; `where` is the file, sample or option, `cure` an instruction, if
    any.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", cure: str = "") -> None:
        super().__init__(what, where, cure)
        self.what, self.where, self.cure = what, where, cure

    def __str__(self) -> str:
        """Return the one line that the user sees."""
        line = f"{self.where}: {self.what}" if self.where else self.what
        return printable(f"{line}. {self.cure}" if self.cure else line, limit=1000)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with keywords, so that a worker process can hand the error back."""
        return functools.partial(type(self), where=self.where, cure=self.cure), (self.what,)


class UsageError(PgxError):
    """Options that contradict each other, or an option with a value that it cannot have."""

    exit_code = 2


class InputError(PgxError):
    """The input cannot be read or understood."""

    exit_code = 3


class NotFoundError(InputError):
    """There is no such input."""


class FormatError(InputError):
    """The input is not a VCF or BCF, is damaged, or has no samples."""


class SampleError(InputError):
    """The input does not have a requested sample."""


class AssemblyError(InputError):
    """The assembly of the input is unknown, or contradicted."""


class OutputError(InputError):
    """The output cannot be written."""


class ReferenceDataError(PgxError):
    """A file of reference/, or of a user's own evidence, is invalid."""

    exit_code = 4


def no_such_sample(name: str, known: Sequence[str], *, where: str, holder: str) -> SampleError:
    """Return the error of a sample that `holder` ("The file") does not have, with what it may have meant."""
    shown = ", ".join(known[:5]) + (" ..." if len(known) > 5 else "")
    cure = did_you_mean(name, known) or f"{holder} has: {shown}"
    return SampleError(f"no sample '{name}'", where=where, cure=cure)
