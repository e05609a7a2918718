"""The columns that divide a cohort on its page: those of the manifest, and a few that pgx knows itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from pgx.calling import population_name
from pgx.cohort.jobs import Job, alarm_limits, page_limits
from pgx.cohort.manifest import CARRIED_OPTIONS, OF_A_PERSON, option_cell
from pgx.errors import UsageError

POPULATION, ASSEMBLY, INPUT = "population", "assembly", "input"
_INDICATION, FOLDER_COLUMN = "plan:indication", "plan:folder"
#: What divides a cohort without a manifest, by the name that --by takes.
_OWN = {one.removeprefix("plan:"): one for one in (POPULATION, ASSEMBLY, _INDICATION, FOLDER_COLUMN, INPUT)}
OF_FILES = frozenset({FOLDER_COLUMN, INPUT})  # they stay out of a page that is shared


class Dividing(Struct, frozen=True, kw_only=True):
    """A column that divides the cohort."""

    name: str  # on the page
    column: str  # in the table of facts
    asked: bool = False  # one that was not is left out where it repeats another


def column_of(name: str) -> str:
    """Return the name of a column of the manifest in the table of facts, where it hides none of pgx."""
    return f"manifest:{name}"


def plan_cells(job: Job, root: str) -> dict[str, str]:
    """Return the cells that come from the plan; folders are named from `root` on."""
    return {
        POPULATION: population_name(job.options.population),
        _INDICATION: job.options.indication or "",
        FOLDER_COLUMN: _folder(job.path)[len(root) :].strip("/") or ".",
    }


def common_folder(jobs: Iterable[Job]) -> str:
    """Return what the folders of all inputs begin with."""
    folders = {_folder(job.path) for job in jobs}
    try:
        return os.path.commonpath(folders)
    except ValueError:  # none, or absolute ones and others
        return ""


def _folder(path: str) -> str:
    return path.rpartition("/")[0] if "://" in path else str(Path(path).parent)


def check_columns(by: Sequence[str], jobs: Sequence[Job], carried: Sequence[str]) -> None:
    """Refuse columns that are not there, or have too many values for a page, by a `UsageError`."""
    most = page_limits().max_by
    for name in by:
        if name not in carried and name not in _OWN:
            known = ", ".join(dict.fromkeys([*carried, *_OWN]))
            raise UsageError("no such column", where=f"--by {name}", cure=f"There are: {known}")
        count = len(_carried_values(jobs, name) if name in carried else _own_values(jobs).get(_OWN[name], ()))
        if count > most:
            what = f"has {count} different values, and at most {most} fit on the page"
            raise UsageError(what, where=f"--by {name}", cure="Name a column with fewer values")


def choose(
    inputs: Sequence[tuple[Job, int, str]], carried: Sequence[str], by: Sequence[str]
) -> tuple[Dividing, ...]:
    """Return the columns that divide the cohort: those asked for, else all with few enough values.

    Of each input that has results come its job, its number of samples and its assembly, "" if unknown.
    """
    if by:
        columns = _OWN | {name: column_of(name) for name in carried}
        return tuple(Dividing(name=name, column=columns[name], asked=True) for name in dict.fromkeys(by))
    jobs = [job for job, _, _ in inputs]
    samples = sum(count for _, count, _ in inputs)
    named = [name for name in carried if name not in OF_A_PERSON]
    values = {column_of(name): _carried_values(jobs, name) for name in named}
    values |= _own_values(jobs) | {ASSEMBLY: {assembly for _, _, assembly in inputs if assembly}}
    names = {column_of(name): name for name in named}
    names |= {column: name for name, column in _OWN.items() if name not in carried}
    least = {INPUT: alarm_limits().batch_min_samples}  # files of one sample are no batches
    return tuple(
        Dividing(name=name, column=column)
        for column, name in names.items()
        if 1 < len(values[column]) <= page_limits().max_strata
        and samples >= least.get(column, 1) * len(values[column])
        and len(values[column]) < samples  # with a value for each sample it divides nothing, and names people
    )


def _carried_values(jobs: Iterable[Job], name: str) -> set[str]:
    found: set[str] = set()
    for job in jobs:
        if name in CARRIED_OPTIONS:
            found.add(option_cell(job.options, name))
        else:
            found.update(cells.get(name, "") for cells in job.carried.values())
        if len(found) > page_limits().max_by:
            return found
    return found


def _own_values(jobs: Sequence[Job]) -> dict[str, set[str]]:
    good = [job for job in jobs if job.failure is None]
    root = common_folder(good)
    cells = [plan_cells(job, root) for job in good]
    found = {column: {row[column] for row in cells} for column in (POPULATION, _INDICATION, FOLDER_COLUMN)}
    return found | {INPUT: {job.path for job in good}}
