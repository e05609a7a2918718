"""The folder reports/: a file a sample, for all or for some, and an index that says which is whose."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from pathlib import Path
from typing import TYPE_CHECKING

from pgx.cohort.jobs import text_digest
from pgx.cohort.results import StoredSampleReport, reports
from pgx.cohort.store import State
from pgx.errors import NotFoundError, SampleError
from pgx.files import cannot_write, replacing, write_text
from pgx.render.form import Form
from pgx.render.registry import Format, file_stem
from pgx.render.tsv import safe_cell

if TYPE_CHECKING:
    from pgx.pseudonyms import Pseudonyms

FOLDER = "reports"
INDEX = "index.tsv"
_LISTED = 5
#: A name that `_stem` makes: what a killed run left is in no index.
_OURS = re.compile(r"\.[0-9a-f]{16}(\.\d+)?\.(html|pdf|json|fhir\.json)$")


def write_reports(
    folder: Path, form: str, wanted_file: Path | None = None, *, hide: Pseudonyms | None = None
) -> int:
    """Write a report (html, pdf, json or fhir) a sample into reports/, and return how many.

    `hide` gives the names of `wanted_file` those that the cohort has.
    Reports of an earlier run that are not made again are removed: they may say what no longer holds.

    Raises
    ------
    SampleError
        `wanted_file` names a sample that the cohort does not have; the others are written.
    OutputError
        They cannot be written.
    """
    wanted = None if wanted_file is None else _names(wanted_file)
    if wanted is not None and hide is not None:
        wanted = frozenset(map(hide.name, wanted))
    seen = _write(folder, form, wanted)
    missing = sorted((wanted or frozenset()) - {sample for sample, _ in seen})
    if missing:
        more = f" and {len(missing) - _LISTED} others" if len(missing) > _LISTED else ""
        names = ", ".join(f"'{name}'" for name in missing[:_LISTED])
        raise SampleError(f"no sample {names}{more}", where=str(wanted_file), cure="See samples.tsv")
    return len(seen)


def renew_reports(folder: Path) -> int:
    """Write the reports of the last `write_reports` anew, if there are any, and return how many."""
    with State(folder, create=False) as state:
        last = state.meta("reports", tuple[str, tuple[str, ...] | None])
    if last is None or not (folder / FOLDER / INDEX).is_file():
        return 0
    form, names = last
    return len(_write(folder, form, None if names is None else frozenset(names)))


def _write(folder: Path, form: str, wanted: frozenset[str] | None) -> list[tuple[str, str]]:
    """Write the reports of all samples, or of those `wanted`, and return the samples and their inputs."""
    render, ending = _renderer(form)
    target = folder / FOLDER
    try:
        target.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(target, error) from error
    rows: dict[str, tuple[str, str]] = {}
    with State(folder, create=False) as state:
        for item in reports(state, wanted):
            sample, path = item.report.sample, item.run.input.path
            name = _free_name(_stem(sample, path), ending, rows)
            with replacing(target / name) as temporary:
                temporary.write_bytes(render(item))
            rows[name] = sample, path
    lines = ("\t".join((name, *map(safe_cell, of))) for name, of in rows.items())
    write_text(target / INDEX, "".join(f"{line}\n" for line in ("file\tsample\tinput", *lines)))
    with State(folder) as state:  # so that they can be renewed
        state.set_meta(reports=(form, None if wanted is None else sorted(wanted)))
    for left in target.iterdir():
        if _OURS.search(left.name) and left.name not in rows:
            left.unlink(missing_ok=True)
    return list(rows.values())


def files_by_sample(folder: Path) -> dict[tuple[str, str], str]:
    """Return the path of each report below the folder, by sample and input as tables have them."""
    try:
        lines = (folder / FOLDER / INDEX).read_text(encoding="utf-8").splitlines()[1:]
    except (OSError, UnicodeDecodeError):
        return {}
    rows = [line.split("\t") for line in lines]
    return {(row[1], row[2]): f"{FOLDER}/{row[0]}" for row in rows if len(row) == 3}


def check_reports(form: str, wanted_file: Path | None = None) -> None:
    """Check that reports can be written, before hours are spent.

    Raises
    ------
    UsageError, InputError
        What the format needs is not installed, or the file of names cannot be read.
    """
    _renderer(form)
    if wanted_file is not None:
        _names(wanted_file)


def _stem(sample: str, source: str) -> str:
    """Return a name with a digest of sample and input: a sample may come in two files."""
    kept, _, digest = file_stem(sample).rpartition(".")
    return f"{kept}.{digest}{text_digest(source)[:6]}"


def _free_name(stem: str, ending: str, taken: Container[str]) -> str:
    """Return a name that is not taken: one input may have been annotated under several options."""
    number = 1
    name = stem + ending
    while name in taken:
        number += 1
        name = f"{stem}.{number}{ending}"
    return name


def _names(path: Path) -> frozenset[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(
            "cannot be read", where=str(path), cure="Give a text file, a name a line"
        ) from error
    return frozenset(line.strip() for line in text.splitlines() if line.strip())


def _renderer(name: str) -> tuple[Callable[[StoredSampleReport], bytes], str]:
    form = Format(name)
    form.check_installed()

    def render(item: StoredSampleReport) -> bytes:
        meta = {} if item.meta is None else {item.report.sample: item.meta}
        return form.one(item.run, item.report, Form(meta=meta))

    return render, form.endings[0]
