"""`pgx annotate`: one input, all its samples or some, one format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from msgspec import Struct

from pgx.cli.options import FormOptions, Only
from pgx.errors import UsageError
from pgx.options import BOUND_NAMES, INPUT, Option, Options
from pgx.render.registry import Format

if TYPE_CHECKING:
    from pgx.report import SampleReport

_INDETERMINATE_UNDER_STRICT = 6
_VCF_KINDS = frozenset({"vcf", "gvcf", "bcf", "copy-number"})


def annotate(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="INPUT",
            help="A VCF, gVCF or BCF (.vcf .vcf.gz .bcf), or - for stdin; a BAM or CRAM; or the text file "
            "of a consumer test.",
            show_default=False,
        ),
    ] = None,
    *,
    options: Options,
    form: FormOptions,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 6 if a status is indeterminate.", rich_help_panel=INPUT)
    ] = False,
) -> None:
    """Annotate one input and report on its samples."""
    from pgx.cli.output import (
        format_for,
        layout_for,
        refuse_names,
        refuse_overwriting,
        say_written,
        with_handout,
        write_reports,
    )
    from pgx.report import mark_minors
    from pgx.single import annotate as run

    name = format_for(form)
    if form.all_records and name is not Format.VCF:
        raise UsageError("only vcf has records", where="--all-records", cure="Add -f vcf, or leave it out")
    refuse_names(options, form.report_meta)
    if name is Format.VCF:
        from pgx.vcf.write import check_readable_twice

        if source is None or options.genotype is not None:
            raise UsageError("only a VCF is written as VCF", where="-f vcf", cure="Give another format")
        check_readable_twice(source)
    given = (source, options.callable_bed, options.reads, options.reference, form.report_meta)
    refuse_overwriting(given, (form.output, form.handout))
    layout = layout_for(name, form)
    result = run(source, options)
    if options.taking or options.history:
        from pgx.cli.options import say_unknown

        say_unknown(options)
    undetermined: list[str] = []
    samples = mark_minors(result.samples, layout.birth_dates, created=result.run.created)
    reports = with_handout(result.run, _watched(samples, undetermined), form, layout)
    if name is Format.VCF:
        from pgx.pseudonyms import pseudonyms
        from pgx.vcf import Bounds
        from pgx.vcf.write import write_vcf

        if result.run.input.kind not in _VCF_KINDS:
            raise UsageError("only a VCF is written as VCF", where="-f vcf", cure="Give another format")
        write_vcf(
            source or "",
            result.run,
            tuple(reports),
            form.output,
            all_records=form.all_records,
            bounds=Bounds.of(options),
            hide=pseudonyms(options.pseudonymise) if options.pseudonymise else None,
        )
    else:
        write_reports(name, result.run, reports, form.output, layout)
    say_written(form.output, form.handout)
    if strict and undetermined:
        raise typer.Exit(_INDETERMINATE_UNDER_STRICT)


def _watched(reports: Iterable[SampleReport], undetermined: list[str]) -> Iterator[SampleReport]:
    """Pass reports on and note the samples whose status is indeterminate."""
    for report in reports:
        if report.genotype.e4_status == "indeterminate":
            undetermined.append(report.sample)
        yield report


class InspectOptions(Struct, frozen=True, kw_only=True):
    """How it is shown."""

    format: Annotated[
        Literal["text", "json"], Option("Format of what is shown.", INPUT, flags=("-f", "--format"))
    ] = "text"
    output: Annotated[str, Option("File, or - for standard output.", INPUT, "FILE", ("-o", "--output"))] = "-"


def inspect(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="A VCF, gVCF or BCF, a URL, or - for stdin; BAM, CRAM or consumer text."
        ),
    ],
    options: Annotated[Options, Only(("samples", "assembly", "reference", *BOUND_NAMES))],
    form: InspectOptions,
) -> None:
    """Show what a file is, what it says at each site, and what a call would need."""
    import msgspec

    from pgx.cli.output import refuse_overwriting, say_written
    from pgx.files import write
    from pgx.inspect import inspect as look
    from pgx.inspect.told import as_text
    from pgx.vcf import Bounds

    found = look(
        source,
        samples=options.samples,
        assembly=options.assembly,
        bounds=Bounds.of(options),
        reference=options.reference,
    )
    if form.format == "json":
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
    else:
        text = as_text(found)
    refuse_overwriting((source,), (form.output,))
    write([text], form.output)
    say_written(form.output)


class VerifyOptions(Struct, frozen=True, kw_only=True):
    """How it is shown."""

    format: Annotated[
        Literal["text", "json"], Option("Format of what is shown.", INPUT, flags=("-f", "--format"))
    ] = "text"
    output: Annotated[str, Option("File, or - for standard output.", INPUT, "FILE", ("-o", "--output"))] = "-"


_COMPARED = (
    "samples",
    "assembly",
    "population",
    "min_probability",
    "genotype_error_rate",
    "reads",
    "reference",
)


def verify(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Files of one person, or stated genotypes (e3/e4)."),
    ],
    options: Annotated[Options, Only((*_COMPARED, *BOUND_NAMES))],
    form: VerifyOptions,
) -> None:
    """Compare several sources of one person: VCF, reads, consumer text, a laboratory's letter."""
    import msgspec

    from pgx.cli.output import refuse_overwriting, say_written
    from pgx.files import write
    from pgx.verify import as_text
    from pgx.verify import verify as compare

    found = compare(sources, options)
    text = as_text(found)
    if form.format == "json":
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
    refuse_overwriting(sources, (form.output,))
    write([text], form.output)
    say_written(form.output)
