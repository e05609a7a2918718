"""The folder reports/: a file a sample, for all or for some, and an index that says which is whose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pgx.cohort.files import cannot_write, replacing, write_text
from pgx.cohort.plan import text_digest
from pgx.cohort.state import State
from pgx.cohort.stored import reports
from pgx.errors import NotFoundError, SampleError
from pgx.render import json_format
from pgx.render.filenames import file_stem
from pgx.render.formats import page
from pgx.render.tsv import safe_cell
from pgx.report import Run, SampleReport

FOLDER = "reports"


def write_reports(folder: Path, form: str, wanted_file: Path | None = None) -> int:
    """Write a report (html, pdf, json or fhir) a sample into reports/, and return how many.

    Raises
    ------
    SampleError
        `wanted_file` names a sample that the cohort does not have; the others are written.
    OutputError
        They cannot be written.
    """
    wanted = None if wanted_file is None else _names(wanted_file)
    render, ending = _renderer(form)
    target = folder / FOLDER
    try:
        target.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(target, error) from error
    rows, seen = ["file\tsample\tinput\n"], set()
    with State(folder, create=False) as state:
        for run, report in reports(state, wanted):
            # The input is part of the digest: a sample may come in two files.
            name = _stem(report.sample, run.input.path) + ending
            with replacing(target / name) as temporary:
                temporary.write_bytes(render(run, report))
            rows.append(f"{name}\t{safe_cell(report.sample)}\t{safe_cell(run.input.path)}\n")
            seen.add(report.sample)
    write_text(target / "index.tsv", "".join(rows))
    missing = sorted((wanted or frozenset()) - seen)
    if missing:
        raise SampleError(f"no sample '{missing[0]}'", where=str(wanted_file), cure="See samples.tsv")
    return len(rows) - 1


def _stem(sample: str, source: str) -> str:
    kept, _, digest = file_stem(sample).rpartition(".")
    return f"{kept}.{digest}{text_digest(source)[:6]}"


def _names(path: Path) -> frozenset[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(
            "cannot be read", where=str(path), cure="Give a text file, a name a line"
        ) from error
    return frozenset(line.strip() for line in text.splitlines() if line.strip())


def _renderer(form: str) -> tuple[Callable[[Run, SampleReport], bytes], str]:
    if form == "json":
        return lambda run, report: "".join(json_format.stream(run, [report])).encode(), ".json"
    made = page(form)
    return made.render, made.ending
