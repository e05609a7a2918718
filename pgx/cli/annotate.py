"""`pgx annotate`: one input, all its samples or some, one format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgx.cli.form import (
    Format,
    FormatOption,
    FullOption,
    HandoutOption,
    LangOption,
    MetaOption,
    OutputOption,
    SealedOption,
    make_form,
    with_handout,
)
from pgx.errors import UsageError

if TYPE_CHECKING:
    from pgx.report import SampleReport

_INDETERMINATE_UNDER_STRICT = 6
_RESULT = "Options that change the result"
_PERSON = "Who it is for"


class AbsentSites(StrEnum):
    """What a site without a record counts as."""

    UNKNOWN = "unknown"
    REFERENCE = "reference"


def annotate(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A VCF, gVCF or BCF (.vcf .vcf.gz .bcf), or - for stdin.")
    ],
    sample: Annotated[
        list[str] | None, typer.Option("-s", "--sample", help="Report this sample only; may be repeated.")
    ] = None,
    format_: FormatOption = None,
    output: OutputOption = "-",
    strict: Annotated[bool, typer.Option(help="Exit 6 if a status is indeterminate.")] = False,
    digest: Annotated[bool, typer.Option(help="Record a SHA-256 of the whole input.")] = False,
    assembly: Annotated[
        str, typer.Option(help="auto, GRCh37, GRCh38, NCBI36 or T2T-CHM13.", rich_help_panel=_RESULT)
    ] = "auto",
    absent_sites: Annotated[
        AbsentSites,
        typer.Option(help="What a site without a record counts as.", rich_help_panel=_RESULT),
    ] = AbsentSites.UNKNOWN,
    callable_bed: Annotated[
        Path | None,
        typer.Option(
            "--callable",
            metavar="BED",
            help="Regions in which a site without a record counts as reference.",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    keep_filtered: Annotated[
        bool,
        typer.Option("--keep-filtered", help="Use records that failed a filter.", rich_help_panel=_RESULT),
    ] = False,
    min_gq: Annotated[
        float, typer.Option(help="Do not use a site below this genotype quality.", rich_help_panel=_RESULT)
    ] = 0,
    min_dp: Annotated[
        int, typer.Option(help="Do not use a site with fewer reads.", rich_help_panel=_RESULT)
    ] = 0,
    min_probability: Annotated[
        float | None,
        typer.Option(
            help="From when an answer counts as determined. [default: 0.99]", rich_help_panel=_RESULT
        ),
    ] = None,
    population: Annotated[
        str | None,
        typer.Option(help="Whose haplotype frequencies, or flat. [default: global]", rich_help_panel=_RESULT),
    ] = None,
    genotype_error_rate: Annotated[
        float | None,
        typer.Option(
            help="Error of one allele where no quality is stated. [default: 5e-5]", rich_help_panel=_RESULT
        ),
    ] = None,
    evidence: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="A folder with further evidence.", rich_help_panel=_RESULT),
    ] = None,
    indication: Annotated[
        str | None, typer.Option(help="What the drug is for, e.g. stroke.", rich_help_panel=_PERSON)
    ] = None,
    taking: Annotated[
        str, typer.Option(metavar="NAMES", help="Medicines, comma-separated.", rich_help_panel=_PERSON)
    ] = "",
    history: Annotated[
        str, typer.Option(metavar="NAMES", help="Illnesses, comma-separated.", rich_help_panel=_PERSON)
    ] = "",
    age: Annotated[float | None, typer.Option(help="In years.", rich_help_panel=_PERSON)] = None,
    reveal_minor: Annotated[
        bool,
        typer.Option("--reveal-minor", help="Show a minor's result all the same.", rich_help_panel=_PERSON),
    ] = False,
    report_meta: MetaOption = None,
    sealed: SealedOption = False,
    full: FullOption = False,
    lang: LangOption = "en",
    handout: HandoutOption = None,
    all_records: Annotated[
        bool,
        typer.Option(
            "--all-records",
            help="vcf: the whole input, not only the two sites.",
            rich_help_panel="How it looks",
        ),
    ] = False,
) -> None:
    """Annotate one input and report on its samples."""
    from pgx.cli.output import format_for, refuse_overwriting, write_reports
    from pgx.report import mark_minors
    from pgx.single import Options
    from pgx.single import annotate as run

    name = format_for(output, format_)
    if all_records and name != Format.VCF:
        raise UsageError("only vcf has records", where="--all-records", cure="Add -f vcf, or leave it out")
    if name == Format.VCF:
        from pgx.vcf.write import check_readable_twice

        check_readable_twice(source)
    refuse_overwriting((source, callable_bed, report_meta), (output, handout))
    form = make_form(name, meta=report_meta, sealed=sealed, full=full, lang=lang, handout=handout)
    result = run(
        source,
        Options(
            samples=tuple(sample or ()),
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
            taking=_names(taking),
            history=_names(history),
            age=age,
            reveal_minor=reveal_minor,
            digest=digest,
        ),
    )
    undetermined: list[str] = []
    samples = mark_minors(result.samples, form.birth_dates, created=result.run.created)
    reports = with_handout(result.run, _watched(samples, undetermined), handout, form)
    if name == Format.VCF:
        from pgx.vcf.write import write_vcf

        write_vcf(source, result.run, tuple(reports), output, all_records=all_records)
    else:
        write_reports(name, result.run, reports, output, form)
    if strict and undetermined:
        raise typer.Exit(_INDETERMINATE_UNDER_STRICT)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _watched(reports: Iterable[SampleReport], undetermined: list[str]) -> Iterator[SampleReport]:
    """Pass reports on and note the samples whose status is indeterminate."""
    for report in reports:
        if report.genotype.e4_status == "indeterminate":
            undetermined.append(report.sample)
        yield report
