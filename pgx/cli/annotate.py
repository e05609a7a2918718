"""`pgx annotate`: one input, all its samples or some, one format; `pgx inspect` and `pgx verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from msgspec import Struct

from pgx.cli.options import FormOptions, Only
from pgx.errors import UsageError
from pgx.options import BOUND_NAMES, INPUT, Option, Options
from pgx.render import Format

if TYPE_CHECKING:
    from pgx.report import Run, SampleReport

FoundT = TypeVar("FoundT")
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
    from pgx.cli import output
    from pgx.cli.options import say_unknown
    from pgx.report import mark_minors
    from pgx.single import annotate as run

    name = output.format_for(form)
    if form.all_records and name is not Format.VCF:
        raise UsageError("only vcf has records", where="--all-records", cure="Add -f vcf, or leave it out")
    output.refuse_names(options, form.report_meta)
    if name is Format.VCF:
        from pgx.vcf.write import check_readable_twice

        if source is None or options.genotype is not None:
            raise _not_a_vcf()
        check_readable_twice(source)
    given = (source, options.callable_bed, options.reads, options.reference, form.report_meta)
    output.refuse_overwriting(given, (form.output, form.handout))
    layout = output.layout_for(name, form)
    result = run(source, options)
    if options.taking or options.history:
        say_unknown(options)
    undetermined: list[str] = []
    samples = mark_minors(result.samples, layout.birth_dates, created=result.run.created)
    reports = output.with_handout(result.run, _watched(samples, undetermined), form, layout)
    if name is Format.VCF:
        _write_vcf(source or "", result.run, reports, options, form)
    else:
        output.write_reports(name, result.run, reports, form.output, layout)
    output.say_written(form.output, form.handout)
    if strict and undetermined:
        raise typer.Exit(_INDETERMINATE_UNDER_STRICT)


def _not_a_vcf() -> UsageError:
    return UsageError("only a VCF is written as VCF", where="-f vcf", cure="Give another format")


def _write_vcf(
    source: str, run: Run, reports: Iterable[SampleReport], options: Options, form: FormOptions
) -> None:
    """Write the records of the input with what was called of its samples."""
    from pgx.pseudonyms import pseudonyms
    from pgx.vcf import Bounds
    from pgx.vcf.write import write_vcf

    if run.input.kind not in _VCF_KINDS:
        raise _not_a_vcf()
    hide = pseudonyms(options.pseudonymise) if options.pseudonymise else None
    bounds, all_records = Bounds.of(options), form.all_records
    write_vcf(source, run, tuple(reports), form.output, all_records=all_records, bounds=bounds, hide=hide)


def _watched(reports: Iterable[SampleReport], undetermined: list[str]) -> Iterator[SampleReport]:
    """Pass reports on and note the samples whose status is indeterminate."""
    for report in reports:
        if report.genotype.e4_status == "indeterminate":
            undetermined.append(report.sample)
        yield report


class ShownOptions(Struct, frozen=True, kw_only=True):
    """How what was found is shown."""

    format: Annotated[
        Literal["text", "json"], Option("Format of what is shown.", INPUT, flags=("-f", "--format"))
    ] = "text"
    output: Annotated[str, Option("File, or - for standard output.", INPUT, "FILE", ("-o", "--output"))] = "-"


def _show(
    found: FoundT, as_text: Callable[[FoundT], str], sources: Sequence[str], form: ShownOptions
) -> None:
    """Write what was found as text or JSON, over none of its sources."""
    import msgspec

    from pgx.cli.output import refuse_overwriting, say_written
    from pgx.files import write

    text = as_text(found)
    if form.format == "json":
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
    refuse_overwriting(sources, (form.output,))
    write([text], form.output)
    say_written(form.output)


def inspect(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="A VCF, gVCF or BCF, a URL, or - for stdin; BAM, CRAM or consumer text."
        ),
    ],
    options: Annotated[Options, Only(("samples", "assembly", "reference", *BOUND_NAMES))],
    form: ShownOptions,
) -> None:
    """Show what a file is, what it says at each site, and what a call would need."""
    from pgx.inspect import inspect as look
    from pgx.inspect.told import as_text
    from pgx.vcf import Bounds

    found = look(source, options.samples, options.assembly, Bounds.of(options), options.reference)
    _show(found, as_text, (source,), form)


_OF_CALLS = ("samples", "assembly", "population", "min_probability", "genotype_error_rate")


def verify(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Files of one person, or stated genotypes (e3/e4)."),
    ],
    options: Annotated[Options, Only((*_OF_CALLS, "reads", "reference", *BOUND_NAMES))],
    form: ShownOptions,
) -> None:
    """Compare several sources of one person: VCF, reads, consumer text, a laboratory's letter."""
    from pgx.verify import as_text
    from pgx.verify import verify as compare

    _show(compare(sources, options), as_text, sources, form)
