"""Where a report goes: standard output, a file that appears whole or not at all, or a folder of files."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from pgx.errors import UsageError
from pgx.files import STANDARD_OUTPUT, cannot_write, write
from pgx.render.registry import Format, file_stem, format_of_name

if TYPE_CHECKING:
    from pgx.render.form import Form
    from pgx.report import Run, SampleReport

INDEX = "index.tsv"


def format_for(output: str, asked: Format | None) -> Format:
    """Return the format that is asked for, else that of the ending of the output; of standard output, text.

    Raises
    ------
    UsageError
        The ending of the output names no format.
    """
    if asked is not None:
        return asked
    return Format.TEXT if output == STANDARD_OUTPUT else format_of_name(output)


def refuse_overwriting(inputs: Iterable[str | Path | None], outputs: Iterable[str | Path | None]) -> None:
    """Refuse an output that is an input, the index of one, or another output.

    Raises
    ------
    UsageError
        It would be lost.
    """
    read = [f"{name}{suffix}" for name in inputs if name is not None for suffix in ("", ".tbi", ".csi")]
    taken = [path for name in read if (path := Path(name)).exists()]
    written = [Path(name) for name in outputs if name is not None and str(name) != STANDARD_OUTPUT]
    for number, path in enumerate(written):
        if any(path.exists() and path.samefile(other) for other in taken if not other.is_dir()):
            raise UsageError(
                "is an input, and would be lost", where=str(path), cure="Give another name after -o"
            )
        if any(path.resolve() == other.resolve() for other in written[:number]):
            raise UsageError("is named for two outputs", where=str(path), cure="Give each its own name")


def write_reports(name: Format, run: Run, samples: Iterable[SampleReport], output: str, form: Form) -> None:
    """Write samples in a format (any but vcf) to `output`: a file, "-", or a folder.

    Raises
    ------
    UsageError
        Several samples in a format that holds one, and `output` is no folder.
    OutputError
        The output cannot be written.
    """
    if name.stream is not None:
        write(name.stream(run, samples, form), output)
        return
    name.check_installed()
    if _is_folder(output):
        _write_folder(name, run, samples, Path(output), form)
        return
    rest = iter(samples)
    first = list(islice(rest, 2))
    if len(first) > 1:
        raise UsageError(
            "this format holds one sample, and the input has several",
            where=output,
            cure="Name one with -s, or give a folder: -o FOLDER/",
        )
    write((name.one(run, report, form) for report in chain(first, rest)), output)


def _is_folder(output: str) -> bool:
    if output == STANDARD_OUTPUT:
        return False
    path = Path(output)
    return output.endswith("/") or path.is_dir() or not (path.suffix or path.exists())


def _write_folder(kind: Format, run: Run, samples: Iterable[SampleReport], folder: Path, form: Form) -> None:
    """Write one file a sample, and an index that says which is whose."""
    from pgx.render.tsv import safe_cell

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    rows = ["file\tsample\n"]
    for report in samples:
        name = file_stem(report.sample) + kind.endings[0]
        write([kind.one(run, report, form)], folder / name)
        rows.append(f"{name}\t{safe_cell(report.sample)}\n")
    write(rows, folder / INDEX)
