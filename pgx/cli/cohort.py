"""`pgx cohort` and `pgx merge`: many inputs into one folder."""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from msgspec import Struct
from msgspec.structs import replace

from pgx.cli.options import GIVEN, Only, refuse
from pgx.cli.output import refuse_overwriting, shown
from pgx.errors import SampleError, printable
from pgx.options import CohortOptions, Options, PageOptions, Rechecked

if TYPE_CHECKING:
    from pgx.cohort import Outcome
    from pgx.cohort.results import Asked
    from pgx.render.tsv import Cell

_LISTED = 10
_say = functools.partial(typer.echo, err=True)


class ReportsOptions(Struct, frozen=True, kw_only=True):
    """Which single reports are written beside the tables."""

    reports: Literal["html", "pdf", "json", "fhir"] | None = None
    reports_for: Path | None = None


def cohort(
    context: typer.Context,
    options: Options,
    how: CohortOptions,
    page: PageOptions,
    single: ReportsOptions,
    inputs: list[str] | None = None,
    manifest: Path | None = None,
    output: Path | None = None,
    dry_run: bool = False,
    template: bool = False,
    ped: Path | None = None,
) -> None:
    """Annotate many inputs and summarise them as a cohort.

    Run the same command again to resume a run that stopped. With exit code 5 some inputs failed, and all
    others are written.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # else it starts threads that nothing here uses
    from pgx.cohort import OF_PEOPLE, OUTPUTS, plan_inputs, run_cohort
    from pgx.cohort.pedigree import read_ped

    if template:
        from pgx.cohort.manifest import template as sheet

        typer.echo(sheet(), nl=False)
        return
    refuse(output is None and not dry_run, "no folder to write was given", "-o", "Give one: -o DIR")
    output = output or Path()
    asked = _asked(context, page, single, options.pseudonymise)
    if not dry_run:
        written = [output / name for name in (*OUTPUTS, *OF_PEOPLE)]
        refuse_overwriting((manifest, ped, single.reports_for), written)
    pedigree = () if ped is None else read_ped(ped)
    plan = plan_inputs(inputs or [], manifest, options, with_reads=how.with_reads, pedigree=pedigree)
    for note in plan.notes:
        _say(note)
    if dry_run:
        typer.echo("path\tsamples\tproblem")
        for job in plan.jobs:
            samples = ",".join(job.options.samples) or "all"
            problem = "" if job.failure is None else f"{job.failure.error}. {job.failure.cure}"
            if not problem and "://" not in job.place and not Path(job.place).exists():
                problem = job.with_line("no such file")
            typer.echo("\t".join(printable(text, 1000) for text in (job.path, samples, problem)))
        return
    with shown() as tell:
        outcome = run_cohort(plan, output, replace(how, page=page), asked=asked, tell=tell)
    _finish(outcome, output, page, single)


def merge(
    context: typer.Context, output: Path, folders: list[Path], page: PageOptions, single: ReportsOptions
) -> None:
    """Join the slices of a cohort (pgx cohort --shard) into one folder."""
    from pgx.cohort.run import merge as merge_folders

    asked = _asked(context, page, single)
    _finish(merge_folders(folders, output, page, asked), output, page, single)


def recheck(
    context: typer.Context,
    options: Rechecked,
    folder: Path,
    write: bool = False,
    form: Literal["text", "tsv", "json"] = "text",
    *,
    how: Annotated[CohortOptions, Only(("jobs",))],
) -> None:
    """Tell how many results of a cohort would change now, and why, without reading its inputs again.

    Without options: under this release, its reference data and the same evidence files as they are now.
    """
    from pgx.cohort.recheck import recheck as run
    from pgx.cohort.tables.reports import CHANGED

    listed: list[Sequence[Cell]] = []
    tell = {"text": None, "tsv": _print_cells, "json": listed.append}[form]
    if form == "tsv":
        _print_cells(CHANGED)
    found = run(folder, options, write=write, tell=tell, command=_command(context), jobs=how.jobs)
    for item in found.unread:
        _say(f"must be read again: {printable(item.input, 1000)}: {item.error}")
    if form == "json":
        from msgspec import json

        named = [dict(zip(CHANGED, cells, strict=True)) for cells in listed]
        counts = {name: getattr(found, name) for name in ("results", "changed", "why", "unread")}
        typer.echo(json.format(json.encode({**counts, "written": write, "changes": named}), indent=1))
    else:
        why = ", ".join(f"{count} {name}" for name, count in found.why.items())
        told = f"{found.changed} of {found.results} results {'changed' if write else 'would change'}"
        told += f" ({why})" if why else ""
        told += f"; of {len(found.unread)} inputs it cannot be said" if found.unread else ""
        typer.echo(told, err=form == "tsv")
    if found.outcome is not None:
        also = f", {found.outcome.reports} reports" if found.outcome.reports else ""
        _say(f"{folder}: tables and page{also} are renewed; changed.tsv lists who changed")


def _print_cells(cells: Sequence[Cell]) -> None:
    from pgx.render.tsv import cell_text

    sys.stdout.write("\t".join(map(cell_text, cells)) + "\n")


def _asked(
    context: typer.Context, page: PageOptions, single: ReportsOptions, key: Path | None = None
) -> Asked:
    from pgx.cohort.results import Asked

    if page.min_cell:
        from pgx.cohort.manifest import COMPARED

        shared, either = f"--min-cell {page.min_cell}", "Leave it or --min-cell out"
        refuse(page.sample_table, "a page for sharing lists no samples", "--sample-table", either)
        refuse(page.min_cell == 1, "hides nothing", shared, "Give 2 or more")
        files, cure = {"input", "folder"} & set(page.by), "Leave --by input and --by folder out"
        refuse(files, "a page for sharing names no files", shared, cure)
        told = min(COMPARED.intersection(page.by), default="")
        refuse(told, "a page for sharing shows neither known results nor kin", f"--by {told}", either)
    wanted = None
    if single.reports is not None:
        from pgx.cohort.tables.reports import wanted_reports

        wanted = wanted_reports(single.reports, single.reports_for)
        if key is not None and wanted.names is not None:
            from pgx.pseudonyms import pseudonyms

            wanted = replace(wanted, names=frozenset(map(pseudonyms(key).name, wanted.names)))
    else:
        refuse(single.reports_for, "needs a format", "--reports-for", "Add --reports html, pdf, json or fhir")
    return Asked(command=_command(context), reports=wanted)


def _command(context: typer.Context) -> str:
    return printable(shlex.join(["pgx", *context.meta.get(GIVEN, ())]), 4000)


def _finish(outcome: Outcome, folder: Path, page: PageOptions, single: ReportsOptions) -> None:
    from pgx.wording import wording

    why = "has no record near the sites, and another input of the same samples has"
    for path in outcome.passed_over:
        _say(f"passed over: {printable(path, 1000)} {why}")
    for path in outcome.copy_number:
        _say(f"passed over: {printable(path, 1000)} holds copy numbers or ploidy, no genotypes")
    if outcome.duplicated and page.min_cell:
        _say("warning: some samples came more than once. See samples.tsv")
    elif outcome.duplicated:
        names = ", ".join(map(printable, outcome.duplicates[:_LISTED]))
        more = " ..." if len(outcome.duplicates) > _LISTED else ""
        _say(f"warning: {outcome.duplicated} samples came more than once: {names}{more}")
    for code in outcome.alarms:  # without the numbers of the page: a log is kept
        _say(f"warning: {wording().say('cohort', f'shared_{code}')} See index.html")
    counted = f"({outcome.kept} were done before, {outcome.failed} failures)"
    _say(f"{outcome.samples} samples from {outcome.inputs} inputs in {folder} {counted}")
    if outcome.failed and not outcome.samples:
        rows = (folder / "failures.tsv").read_text(encoding="utf-8").splitlines()[1:4]
        for name, error, cure in (row.split("\t") for row in rows):
            _say(f"failed: {printable(name, 1000)}: {error}. {cure}")
    if outcome.failed:
        _say(f"What failed, and what to do: {folder / 'failures.tsv'}")
    if single.reports is not None:
        _say(f"{outcome.reports} reports in {folder / 'reports'}")
        if missing := outcome.without_report:
            more = f" and {len(missing) - _LISTED} others" if len(missing) > _LISTED else ""
            names = ", ".join(f"'{printable(name)}'" for name in missing[:_LISTED])
            where = str(single.reports_for)
            raise SampleError(f"no sample {names}{more}", where=where, cure="See samples.tsv")
    elif (folder / "reports").is_dir():
        _say(f"warning: {folder / 'reports'} is from an earlier run; --reports makes it again")
    if outcome.failed:
        raise typer.Exit(5)
