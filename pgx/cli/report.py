"""`pgx report`: a stored result again, byte for byte as `pgx annotate` writes it; and `pgx serve`."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgx.cli.options import FormOptions, Only
from pgx.errors import FormatError, InputError, NotFoundError, UsageError, no_such_sample
from pgx.files import limited, read_limited
from pgx.options import INPUT, Options
from pgx.reference import limit
from pgx.render import Format

if TYPE_CHECKING:
    from pgx.render.form import Form
    from pgx.report import Document, SampleReport

_STANDARD_INPUT = "-"


def report(
    source: Annotated[
        str,
        typer.Argument(metavar="RESULT", help="A stored result (.json, .jsonl), a cohort folder, or -."),
    ],
    options: Annotated[Options, Only(("samples", "pseudonymise"))],
    form: FormOptions,
    input_: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="PATH",
            help="Input of a cohort folder (see samples.tsv).",
            rich_help_panel=INPUT,
        ),
    ] = None,
    max_result: Annotated[
        int | None,
        typer.Option(min=1, metavar="MB", help="Largest stored result to read.", rich_help_panel=INPUT),
    ] = None,
) -> None:
    """Report again from a stored result."""
    from pgx.cli.output import (
        format_for,
        layout_for,
        refuse_names,
        refuse_overwriting,
        say_written,
        with_handout,
        write_reports,
    )
    from pgx.report import Document, mark_minors

    name = format_for(form)
    if name is Format.VCF:
        raise UsageError(
            "a stored result does not hold the records of the input", where="-f vcf", cure="Use pgx annotate"
        )
    refuse_overwriting((source, form.report_meta, *_files_of(source)), (form.output, form.handout))
    refuse_names(options, form.report_meta)
    layout = layout_for(name, form)
    if Path(source).is_dir():
        stored, layout = _of_cohort(source, options, input_, layout)
    elif input_ is not None:
        raise UsageError("is for a cohort folder", where="--input", cure="Leave it out")
    else:
        stored = read_result(source, max_result)
    chosen = choose(stored, options.samples, where=source)
    chosen = tuple(mark_minors(chosen, layout.birth_dates, created=stored.created))
    if options.pseudonymise is not None:
        from pgx.pseudonyms import pseudonyms

        hide, names = pseudonyms(options.pseudonymise), frozenset(item.sample for item in stored.samples)
        chosen = tuple(hide.report(item, names) for item in chosen)
        stored = Document.of(hide.run(stored), chosen)
    write_reports(name, stored, with_handout(stored, chosen, form, layout), form.output, layout)
    say_written(form.output, form.handout)


def _files_of(source: str) -> list[Path]:
    """Return the files of a cohort folder: a report must not take the place of one."""
    if not Path(source).is_dir():
        return []
    from pgx.cohort import OUTPUTS, STATE

    return [Path(source) / name for name in (*OUTPUTS, STATE)]


def _of_cohort(folder: str, options: Options, input_: str | None, layout: Form) -> tuple[Document, Form]:
    """Return the report of one sample of a folder that `pgx cohort` wrote, and the layout with its header.

    What --report-meta says of the sample goes before what the manifest of the cohort said.
    """
    from msgspec.structs import replace

    from pgx.cohort import one_report
    from pgx.report import Document

    samples = options.samples
    if len(samples) != 1:
        raise UsageError("is a folder", where=folder, cure="Name one sample of the cohort with --sample")
    found = one_report(Path(folder), samples[0], input_)
    if found.meta is not None and options.pseudonymise is None:
        layout = replace(layout, meta={samples[0]: found.meta, **layout.meta})
    return Document.of(found.run, (found.report,)), layout


def read_result(source: str, largest: int | None = None) -> Document:
    """Read a stored result: one document, or one a line if all are of the same run.

    Raises
    ------
    InputError
        It cannot be read, or is no result of pgx.
    """
    from pgx.report import Document, from_json

    data = _bytes(source, largest or int(limit("max_table")))
    lines = [line for line in data.splitlines() if line.strip()]
    if len(lines) < 2 or not lines[0].rstrip().endswith(b"}"):
        return from_json(data, where=source)
    documents = [from_json(line, where=source) for line in lines]
    first = documents[0]
    samples: list[SampleReport] = []
    for document in documents:
        if Document.of(document, ()) != Document.of(first, ()):
            raise FormatError("holds results of several inputs", where=source, cure="Part it by input first")
        samples += document.samples
    return Document.of(first, tuple(samples))


def _bytes(source: str, largest: int) -> bytes:
    """Return the content of a file or of standard input, if it has no more than `largest` MB."""
    try:
        if source != _STANDARD_INPUT:
            return read_limited(Path(source), largest)
        if sys.stdin.isatty():
            raise UsageError("is a terminal", where="standard input", cure="Give a file, or pipe a result in")
        return limited(sys.stdin.buffer, largest)
    except (FileNotFoundError, ValueError) as error:
        raise NotFoundError("no such file", where=source, cure="Check the path") from error
    except IsADirectoryError as error:
        raise UsageError("is a folder", where=source, cure="Give a .json or .jsonl file") from error
    except OSError as error:
        cure = "Give --max-result" if error.errno == errno.EFBIG else "Check the path and its permissions"
        raise InputError(f"cannot be read ({error.strerror})", where=source, cure=cure) from error


def choose(stored: Document, wanted: tuple[str, ...], *, where: str) -> tuple[SampleReport, ...]:
    """Return the samples that are wanted, in that order; all if none is named.

    Raises
    ------
    SampleError
        The result does not have one of them.
    """
    if not wanted:
        return stored.samples
    by_name = {item.sample: item for item in stored.samples}
    for name in wanted:
        if name not in by_name:
            raise no_such_sample(name, list(by_name), where=where, holder="The result")
    return tuple(by_name[name] for name in dict.fromkeys(wanted))


def serve(
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port to use; any free one if 0.")
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open the page in a browser.")
    ] = False,
) -> None:
    """Make reports on a page in the browser, without a terminal.

    The page is on this computer only (127.0.0.1), and files stay here. Its address, with the token that
    opens it, is printed. Ctrl-C ends it.
    """
    from pgx.serve import serve as run

    def tell(url: str) -> None:
        typer.echo(url)
        sys.stdout.flush()

    run(port, browser=not no_browser, tell=tell, warn=lambda line: typer.echo(line, err=True))
