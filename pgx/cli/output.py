"""Where a report goes: standard output, a file that appears whole or not at all, or a folder of files."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from pgx.errors import UsageError
from pgx.files import STANDARD_OUTPUT, cannot_write, write

if TYPE_CHECKING:
    from pgx.render.form import Form
    from pgx.render.formats import Page
    from pgx.report import Run, SampleReport

#: File endings by format; the first that fits decides.
ENDINGS = {
    ".fhir.json": "fhir",
    ".txt": "text",
    ".json": "json",
    ".jsonl": "jsonl",
    ".tsv": "tsv",
    ".html": "html",
    ".pdf": "pdf",
    ".vcf": "vcf",
    ".vcf.gz": "vcf",
    ".bcf": "vcf",
}
ONE_SAMPLE_FORMATS = frozenset({"html", "pdf", "fhir"})
INDEX = "index.tsv"


def format_for(output: str, asked: str | None) -> str:
    """Return the format: the one asked for, else by the ending of the output, else text.

    Raises
    ------
    UsageError
        The ending of the output names no format.
    """
    if asked is not None:
        return str(asked)
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


def write_reports(name: str, run: Run, samples: Iterable[SampleReport], output: str, form: Form) -> None:
    """Write samples in the format `name` (any but vcf) to `output`: a file, "-", or a folder.

    Raises
    ------
    UsageError
        Several samples in a format that holds one, and `output` is no folder.
    OutputError
        The output cannot be written.
    """
    from pgx.render.formats import page, streams

    if name in ONE_SAMPLE_FORMATS:
        _write_pages(page(name, form), run, samples, output)
    else:
        write(streams(form)[name](run, samples), output)


def _write_pages(page: Page, run: Run, samples: Iterable[SampleReport], output: str) -> None:
    if _is_folder(output):
        _write_folder(page, run, samples, Path(output))
        return
    rest = iter(samples)
    first = list(islice(rest, 2))
    if len(first) > 1:
        raise UsageError(
            "this format holds one sample, and the input has several",
            where=output,
            cure="Name one with -s, or give a folder: -o FOLDER/",
        )
    write((page.render(run, report) for report in chain(first, rest)), output)


def _is_folder(output: str) -> bool:
    if output == STANDARD_OUTPUT:
        return False
    path = Path(output)
    return output.endswith("/") or path.is_dir() or not (path.suffix or path.exists())


def _write_folder(page: Page, run: Run, samples: Iterable[SampleReport], folder: Path) -> None:
    """Write one file a sample, and an index that says which is whose."""
    from pgx.render.filenames import file_stem
    from pgx.render.tsv import safe_cell

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    rows = ["file\tsample\n"]
    for report in samples:
        name = file_stem(report.sample) + page.ending
        write([page.render(run, report)], str(folder / name))
        rows.append(f"{name}\t{safe_cell(report.sample)}\n")
    write(rows, str(folder / INDEX))
