"""The commands on one input or one stored result: annotate, inspect, verify, report; and `pgx serve`."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from msgspec import Struct

from pgx.cli import output
from pgx.cli.options import FormOptions, Only, refuse, say_unknown
from pgx.errors import FormatError, InputError, NotFoundError, UsageError, no_such_sample
from pgx.files import STANDARD_OUTPUT, limited, read_limited, write
from pgx.options import BOUND_NAMES, Options
from pgx.reference import limit
from pgx.render import Format

if TYPE_CHECKING:
    from pgx.report import Document, SampleReport


def annotate(source: str | None = None, *, options: Options, form: FormOptions, strict: bool = False) -> None:
    """Annotate one input and report on its samples."""
    from pgx.report import mark_minors
    from pgx.single import annotate as run

    name = output.format_for(form)
    lost = form.all_records and name is not Format.VCF
    refuse(lost, "only vcf has records", "--all-records", "Add -f vcf, or leave it out")
    output.refuse_names(options, form.report_meta)
    not_a_vcf = UsageError("only a VCF is written as VCF", where="-f vcf", cure="Give another format")
    if name is Format.VCF:
        from pgx.vcf.write import check_readable_twice

        if source is None or options.genotype is not None:
            raise not_a_vcf
        check_readable_twice(source)
    given = (source, options.callable_bed, options.reads, options.reference, form.report_meta)
    output.refuse_overwriting(given, (form.output, form.handout))
    layout = output.layout_for(name, form)
    result = run(source, options)
    if options.taking or options.history:
        say_unknown(options)
    statuses: set[str] = set()

    def watched() -> Iterator[SampleReport]:
        for report in mark_minors(result.samples, layout.birth_dates, created=result.run.created):
            statuses.add(report.genotype.e4_status)
            yield report

    reports = output.with_handout(result.run, watched(), form, layout)
    if name is Format.VCF:
        from pgx.pseudonyms import pseudonyms
        from pgx.vcf import Bounds
        from pgx.vcf.write import write_vcf

        if result.run.input.kind not in {"vcf", "gvcf", "bcf", "copy-number"}:
            raise not_a_vcf
        hide = pseudonyms(options.pseudonymise) if options.pseudonymise else None
        told, every, bounds = tuple(reports), form.all_records, Bounds.of(options)
        write_vcf(source or "", result.run, told, form.output, all_records=every, bounds=bounds, hide=hide)
    else:
        output.write_reports(name, result.run, reports, form.output, layout)
    output.say_written(form.output, form.handout)
    if strict and "indeterminate" in statuses:
        raise typer.Exit(6)


class ShownOptions(Struct, frozen=True, kw_only=True):
    """How what was found is shown."""

    format: Literal["text", "json"] = "text"
    output: str = STANDARD_OUTPUT


def _show(found: Struct, text: str, sources: Sequence[str], form: ShownOptions) -> None:
    import msgspec

    if form.format == "json":
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
    output.refuse_overwriting(sources, (form.output,))
    write([text], form.output)
    output.say_written(form.output)


def inspect(
    source: str,
    options: Annotated[Options, Only(("samples", "assembly", "reference", "access", *BOUND_NAMES))],
    form: ShownOptions,
) -> None:
    """Show what a file is, what it says at each site, and what a call would need."""
    from pgx.inspect import inspect as look
    from pgx.inspect.told import as_text
    from pgx.vcf import Bounds

    found = look(source, options.samples, options.assembly, Bounds.of(options), options.reference)
    _show(found, as_text(found), (source,), form)


_OF_CALLS = ("samples", "assembly", "population", "min_probability", "genotype_error_rate", "reads")


def verify(
    sources: list[str],
    options: Annotated[Options, Only((*_OF_CALLS, "reference", "access", *BOUND_NAMES))],
    form: ShownOptions,
) -> None:
    """Compare several sources of one person: VCF, reads, consumer text, a laboratory's letter."""
    from pgx.verify import as_text
    from pgx.verify import verify as compare

    found = compare(sources, options)
    _show(found, as_text(found), sources, form)


def report(
    source: str,
    options: Annotated[Options, Only(("samples", "pseudonymise"))],
    form: FormOptions,
    input_: str | None = None,
    max_result: int | None = None,
) -> None:
    """Report again from a stored result."""
    from msgspec.structs import replace

    from pgx.report import Document, mark_minors

    name = output.format_for(form)
    refuse(
        name is Format.VCF,
        "a stored result does not hold the records of the input",
        "-f vcf",
        "Use pgx annotate",
    )
    taken, is_folder = [source, form.report_meta], Path(source).is_dir()
    if is_folder:
        from pgx.cohort import OUTPUTS, STATE

        taken += [Path(source) / name for name in (*OUTPUTS, STATE)]
    output.refuse_overwriting(taken, (form.output, form.handout))
    output.refuse_names(options, form.report_meta)
    layout = output.layout_for(name, form)
    if is_folder:
        from pgx.cohort import one_report

        refuse(
            len(options.samples) != 1, "is a folder", source, "Name one sample of the cohort with --sample"
        )
        found = one_report(Path(source), options.samples[0], input_)
        stored = Document.of(found.run, (found.report,))
        if found.meta is not None and options.pseudonymise is None:  # --report-meta goes before the manifest
            layout = replace(layout, meta={options.samples[0]: found.meta, **layout.meta})
    else:
        refuse(input_ is not None, "is for a cohort folder", "--input", "Leave it out")
        stored = _read_result(source, max_result or int(limit("max_table")))
    by_name = {item.sample: item for item in stored.samples}
    for missing in (sample for sample in options.samples if sample not in by_name):
        raise no_such_sample(missing, list(by_name), where=source, holder="The result")
    wanted = [by_name[sample] for sample in dict.fromkeys(options.samples)] or stored.samples
    chosen = tuple(mark_minors(wanted, layout.birth_dates, created=stored.created))
    if options.pseudonymise is not None:
        from pgx.pseudonyms import pseudonyms

        hide, names = pseudonyms(options.pseudonymise), frozenset(by_name)
        chosen = tuple(hide.report(item, names) for item in chosen)
        stored = Document.of(hide.run(stored), chosen)
    reports = output.with_handout(stored, chosen, form, layout)
    output.write_reports(name, stored, reports, form.output, layout)
    output.say_written(form.output, form.handout)


def _read_result(source: str, largest: int) -> Document:
    """Read a stored result of up to `largest` MB: one document, or one a line if all are of the same run."""
    from pgx.report import Document, from_json

    try:
        if source == "-":
            refuse(sys.stdin.isatty(), "is a terminal", "standard input", "Give a file, or pipe a result in")
        data = limited(sys.stdin.buffer, largest) if source == "-" else read_limited(Path(source), largest)
    except (FileNotFoundError, ValueError) as error:
        raise NotFoundError("no such file", where=source, cure="Check the path") from error
    except IsADirectoryError as error:
        raise UsageError("is a folder", where=source, cure="Give a .json or .jsonl file") from error
    except OSError as error:
        cure = "Give --max-result" if error.errno == errno.EFBIG else "Check the path and its permissions"
        raise InputError(f"cannot be read ({error.strerror})", where=source, cure=cure) from error
    lines = [line for line in data.splitlines() if line.strip()]
    if len(lines) < 2 or not lines[0].rstrip().endswith(b"}"):
        return from_json(data, where=source)
    documents = [from_json(line, where=source) for line in lines]
    run = Document.of(documents[0], ())
    if any(Document.of(document, ()) != run for document in documents):
        raise FormatError("holds results of several inputs", where=source, cure="Part it by input first")
    return Document.of(run, tuple(item for document in documents for item in document.samples))


def serve(port: int = 0, no_browser: bool = False) -> None:
    """Make reports on a page in the browser, without a terminal.

    The page is on this computer only (127.0.0.1), and files stay here. Its address, with the token that
    opens it, is printed. Ctrl-C ends it.
    """
    from pgx.serve import serve as run

    run(port, browser=not no_browser, tell=typer.echo, warn=lambda line: typer.echo(line, err=True))
