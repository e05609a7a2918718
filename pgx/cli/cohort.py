"""`pgx cohort` and `pgx merge`: many inputs into one folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgx.cli.result import (
    AbsentSites,
    AbsentSitesOption,
    AssemblyOption,
    CallableOption,
    ErrorRateOption,
    EvidenceOption,
    IndicationOption,
    KeepFilteredOption,
    MinDpOption,
    MinGqOption,
    MinProbabilityOption,
    PopulationOption,
    RevealMinorOption,
)
from pgx.errors import UsageError, printable

if TYPE_CHECKING:
    from pgx.cohort import Outcome, PageOptions

_SOME_FAILED = 5
_WHERE = "Where it runs"
_PAGE = "What it shows"
_LISTED = 10


class EngineName(StrEnum):
    """Where work is done."""

    LOCAL = "local"
    DASK = "dask"


class ReportFormat(StrEnum):
    """Formats of single reports."""

    HTML = "html"
    PDF = "pdf"
    JSON = "json"
    FHIR = "fhir"


OutputFolder = Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write.")]
ByOption = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        metavar="COLUMN",
        help="Divide the page by a manifest column, or by population, assembly, folder ...",
        rich_help_panel=_PAGE,
    ),
]
SampleTableOption = Annotated[
    bool, typer.Option("--sample-table", help="List samples on the page, up to 1,000.", rich_help_panel=_PAGE)
]
MinCellOption = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="Hide counts below N and all single samples, for sharing.",
        rich_help_panel=_PAGE,
    ),
]
ReportsOption = Annotated[
    ReportFormat | None, typer.Option(help="Also write a report a sample.", rich_help_panel=_PAGE)
]
ReportsForOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Only for the samples named in FILE, one a line.", rich_help_panel=_PAGE
    ),
]


def cohort(
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="INPUT...", help="Files, folders (searched), or globs.")
    ] = None,
    output: OutputFolder = ...,  # type: ignore[assignment]
    manifest: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="A tab-separated table with a column path.")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Compare files by SHA-256, too.")] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first input that fails.")
    ] = False,
    engine: Annotated[
        EngineName, typer.Option(help="Processes here, or Dask.", rich_help_panel=_WHERE)
    ] = EngineName.LOCAL,
    jobs: Annotated[
        int | None,
        typer.Option("-j", "--jobs", min=1, help="[default: all processors]", rich_help_panel=_WHERE),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler.", rich_help_panel=_WHERE)
    ] = None,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Do one slice; join with pgx merge.", rich_help_panel=_WHERE)
    ] = "1/1",
    reports: ReportsOption = None,
    reports_for: ReportsForOption = None,
    by: ByOption = None,
    sample_table: SampleTableOption = False,
    min_cell: MinCellOption = 0,
    assembly: AssemblyOption = "auto",
    absent_sites: AbsentSitesOption = AbsentSites.UNKNOWN,
    callable_bed: CallableOption = None,
    keep_filtered: KeepFilteredOption = False,
    min_gq: MinGqOption = 0,
    min_dp: MinDpOption = 0,
    min_probability: MinProbabilityOption = None,
    population: PopulationOption = None,
    genotype_error_rate: ErrorRateOption = None,
    evidence: EvidenceOption = None,
    indication: IndicationOption = None,
    reveal_minor: RevealMinorOption = False,
) -> None:
    """Annotate many inputs, lose none, and say what the cohort looks like.

    The same command goes on where a run stopped. Exit code 5: some inputs failed, all others are written.
    """
    from pgx.cohort import CohortOptions, plan_inputs, run_cohort
    from pgx.single import Options

    options = Options(
        assembly=assembly,
        absent_sites=absent_sites.value,
        callable_bed=callable_bed,
        keep_filtered=keep_filtered,
        min_gq=min_gq,
        min_dp=min_dp,
        min_probability=min_probability,
        population=population,
        genotype_error_rate=genotype_error_rate,
        evidence=tuple(evidence or ()),
        indication=indication,
        reveal_minor=reveal_minor,
    )
    page = _page(by, sample_table=sample_table, min_cell=min_cell)
    _check_reports(reports, reports_for)
    _refuse_overwriting(output, manifest, reports_for)
    cohort_options = CohortOptions(
        engine=engine.value,
        jobs=jobs,
        scheduler=scheduler,
        shard=_shard(shard),
        verify=verify,
        fail_fast=fail_fast,
        page=page,
    )
    plan = plan_inputs(inputs or [], manifest, options)
    from pgx.cli.progress import Shown

    with Shown() as shown:
        outcome = run_cohort(plan, output, cohort_options, tell=shown.tell)
    _finish(outcome, output, reports, reports_for)


def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of slices.")],
    output: OutputFolder = ...,  # type: ignore[assignment]
    reports: ReportsOption = None,
    reports_for: ReportsForOption = None,
    by: ByOption = None,
    sample_table: SampleTableOption = False,
    min_cell: MinCellOption = 0,
) -> None:
    """Join the slices of a cohort (pgx cohort --shard) into one folder."""
    from pgx.cohort import merge as merge_folders

    page = _page(by, sample_table=sample_table, min_cell=min_cell)
    _check_reports(reports, reports_for)
    outcome = merge_folders(folders, output, page)
    _finish(outcome, output, reports, reports_for)


def _refuse_overwriting(output: Path, *inputs: Path | None) -> None:
    from pgx.cli.output import refuse_overwriting
    from pgx.cohort import OUTPUTS

    refuse_overwriting(inputs, [output / name for name in OUTPUTS])


def _page(by: list[str] | None, *, sample_table: bool, min_cell: int) -> PageOptions:
    from pgx.cohort import PageOptions

    if sample_table and min_cell:
        raise UsageError(
            "a page for sharing lists no samples", where="--sample-table", cure="Leave it or --min-cell out"
        )
    if min_cell == 1 or (min_cell and {"input", "folder"} & set(by or ())):
        raise UsageError(
            "hides nothing" if min_cell == 1 else "a page for sharing names no files",
            where=f"--min-cell {min_cell}",
            cure="Give 2 or more" if min_cell == 1 else "Leave --by input and --by folder out",
        )
    return PageOptions(by=tuple(by or ()), sample_table=sample_table, min_cell=min_cell)


def _check_reports(reports: ReportFormat | None, reports_for: Path | None) -> None:
    """Refuse reports that cannot be written, before hours are spent."""
    if reports is not None:
        from pgx.cohort import check_reports

        check_reports(reports.value, reports_for)
    elif reports_for is not None:
        raise UsageError(
            "needs a format", where="--reports-for", cure="Add --reports html, pdf, json or fhir"
        )


def _shard(text: str) -> tuple[int, int]:
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise UsageError("is not I/N with 1 <= I <= N", where=f"--shard {text}", cure="E.g. --shard 2/8")
    return int(number), int(of)


def _finish(outcome: Outcome, folder: Path, reports: ReportFormat | None, reports_for: Path | None) -> None:
    """Say what became of the run, write the reports that were asked for, and end with the exit code."""
    from pgx.wording import wording

    for path in outcome.passed_over:
        typer.echo(
            f"passed over: {printable(path, limit=1000)} has no record near the sites,"
            " and another input of the same samples has",
            err=True,
        )
    if outcome.duplicated:
        names = ", ".join(map(printable, outcome.duplicates[:_LISTED]))
        more = " ..." if len(outcome.duplicates) > _LISTED else ""
        typer.echo(f"warning: {outcome.duplicated} samples came more than once: {names}{more}", err=True)
    for code in outcome.alarms:  # without the numbers of the page: a log is kept
        typer.echo(f"warning: {wording().say('cohort', f'shared_{code}')} See index.html", err=True)
    typer.echo(
        f"{outcome.samples} samples from {outcome.inputs} inputs in {folder}"
        f" ({outcome.kept} were done before, {outcome.failed} failures)",
        err=True,
    )
    if outcome.failed:
        typer.echo(f"What failed, and what to do: {folder / 'failures.tsv'}", err=True)
    if reports is not None:
        from pgx.cohort import write_reports

        written = write_reports(folder, reports.value, reports_for)
        typer.echo(f"{written} reports in {folder / 'reports'}", err=True)
    elif (folder / "reports").is_dir():
        typer.echo(
            f"warning: {folder / 'reports'} is from an earlier run; --reports makes it again", err=True
        )
    if outcome.failed:
        raise typer.Exit(_SOME_FAILED)
