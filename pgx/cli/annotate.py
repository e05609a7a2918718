"""`pgx annotate`: one input, all its samples or some, one format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from pgx.cli.result import (
    PERSON,
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
from pgx.errors import UsageError

if TYPE_CHECKING:
    from pgx.report import SampleReport

_INDETERMINATE_UNDER_STRICT = 6


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
    taking: Annotated[
        str, typer.Option(metavar="NAMES", help="Medicines, comma-separated.", rich_help_panel=PERSON)
    ] = "",
    history: Annotated[
        str, typer.Option(metavar="NAMES", help="Illnesses, comma-separated.", rich_help_panel=PERSON)
    ] = "",
    age: Annotated[float | None, typer.Option(help="In years.", rich_help_panel=PERSON)] = None,
    reveal_minor: RevealMinorOption = False,
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
