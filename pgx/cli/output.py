"""Where a report goes: standard output, a file that appears whole or not at all, or a folder of files."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pgx.cli.options import FormOptions, refuse
from pgx.errors import printable
from pgx.files import STANDARD_OUTPUT, cannot_write, write
from pgx.render import Format, file_stem, format_of_name

if TYPE_CHECKING:
    from pgx.cohort import Progress
    from pgx.options import Options
    from pgx.render.form import Form
    from pgx.report import Run, SampleReport

    Samples = Iterable[SampleReport]


def format_for(form: FormOptions) -> Format:
    """Return the format that is asked for, else that of the ending of the output (text for "-").

    An ending that names none is a `UsageError`, and so is a terminal that would get bytes that are no text.
    """
    kind = form.format or (Format.TEXT if form.output == STANDARD_OUTPUT else format_of_name(form.output))
    is_binary = kind is Format.PDF or (kind is Format.VCF and form.output.lower().endswith((".gz", ".bcf")))
    what = f"{kind} is binary, and would garble the terminal"
    refuse(is_binary and _is_terminal(form.output), what, "-o", "Give a file: -o FILE")
    return kind


def _is_terminal(output: str) -> bool:
    if output == STANDARD_OUTPUT:
        return sys.stdout.isatty()
    with contextlib.suppress(OSError):
        if Path(output).is_char_device():
            with os.fdopen(os.open(output, os.O_WRONLY | os.O_NOCTTY), "wb", buffering=0) as device:
                return device.isatty()
    return False


def refuse_names(options: Options, meta: Path | None) -> None:
    """Refuse stated facts beside pseudonyms: they say who somebody is, and are kept by the name."""
    what, cure = "states who somebody is, beside --pseudonymise", "Leave one out; --age says who is a minor"
    refuse(meta is not None and options.pseudonymise is not None, what, "--report-meta", cure)


def say_written(*outputs: str | Path | None) -> None:
    """Name on a terminal what was written; a log needs no such lines."""
    for output in outputs if sys.stderr.isatty() else ():
        if output is not None and str(output) != STANDARD_OUTPUT:
            typer.echo(f"written: {printable(str(output), 1000)}", err=True)


def refuse_overwriting(inputs: Iterable[str | Path | None], outputs: Iterable[str | Path | None]) -> None:
    """Refuse an output that is an input, the index of one, or another output: it would be lost."""
    read = [f"{name}{suffix}" for name in inputs if name is not None for suffix in ("", ".tbi", ".csi")]
    taken = [path for name in read if (path := Path(name)).exists()]
    written = [Path(name) for name in outputs if name is not None and str(name) != STANDARD_OUTPUT]
    for number, path in enumerate(written):
        lost = any(path.exists() and path.samefile(other) for other in taken if not other.is_dir())
        refuse(lost, "is an input, and would be lost", str(path), "Give another name after -o")
        twice = any(path.resolve() == other.resolve() for other in written[:number])
        refuse(twice, "is named for two outputs", str(path), "Give each its own name")


def write_reports(name: Format, run: Run, samples: Samples, output: str, form: Form) -> None:
    """Write samples in a format (any but vcf) to `output`: a file, "-", or a folder.

    Several samples in a format that holds one are a `UsageError`, if `output` is no folder.
    """
    if name.stream is not None:
        write(name.stream(run, samples, form), output)
        return
    name.check_installed()
    path = Path(output)
    is_folder = output.endswith("/") or path.is_dir() or not (path.suffix or path.exists())
    if is_folder and output != STANDARD_OUTPUT:  # a file a sample, and an index that says which is whose
        from pgx.render.tsv import safe_cell

        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        rows = ["file\tsample\n"]
        for report in samples:
            file = file_stem(report.sample) + name.endings[0]
            write([name.one(run, report, form)], path / file)
            rows.append(f"{file}\t{safe_cell(report.sample)}\n")
        write(rows, path / "index.tsv")
        return
    reports = list(islice(samples, 2))
    what = "this format holds one sample, and the input has several"
    refuse(len(reports) > 1, what, output, "Name one with -s, or give a folder: -o FOLDER/")
    write((name.one(run, report, form) for report in reports), output)


def layout_for(name: Format, form: FormOptions) -> Form:
    """Return the layout of a report; an option that the format cannot honour is a `UsageError`."""
    from pgx.render.form import Form, check_language, read_meta

    unsealed = form.sealed and name not in {Format.HTML, Format.PDF}
    refuse(unsealed, "only html and pdf can be sealed", "--sealed", "Add -f html or -f pdf")
    always = form.full and name is not Format.TEXT
    refuse(always, f"{name} is always full", "--full", "Leave it out, or choose -f text")
    plain = form.lang == "en" and (form.report_meta is None or name is Format.FHIR)
    what = f"{name} has neither a language nor a header"
    cure = "Leave them out, or choose text, html, pdf or fhir"
    refuse(not (name.is_readable or form.handout or plain), what, "--lang, --report-meta", cure)
    if form.handout is not None:
        unknown, cure = (
            form.handout.suffix.lower() not in {".html", ".pdf", ".txt"},
            "Use one of .html, .pdf, .txt",
        )
        refuse(unknown, "the ending names no format", f"--handout {form.handout}", cure)
    language = check_language(form.lang)
    meta = read_meta(form.report_meta) if form.report_meta else {}
    return Form(language=language, sealed=form.sealed, full=form.full, meta=meta)


def with_handout(run: Run, samples: Samples, form: FormOptions, layout: Form) -> Samples:
    """Write the hand-out of the one sample where it is asked for, and pass the samples on."""
    if form.handout is None:
        return samples
    from pgx.render import handout

    reports = list(samples)
    refuse(len(reports) != 1, "a hand-out is for one person", "--handout", "Name one sample with -s")
    write([handout(run, reports[0], layout, form.handout.suffix.lower())], form.handout)
    return reports


_LOG_EVERY = 10.0  # seconds


@contextlib.contextmanager
def shown() -> Iterator[Callable[[Progress], None]]:
    """Show how far a cohort is; a context, so that the terminal is left as it was."""
    # A log has no statuses, since it is kept, and the counts of a small cohort tell of people.
    start = last = time.monotonic()
    bar = live = None
    if sys.stderr.isatty():
        from rich import progress as bars
        from rich.console import Console, Group
        from rich.live import Live
        from rich.text import Text

        words = bars.TextColumn("inputs,"), bars.TimeRemainingColumn(), bars.TextColumn("left")
        bar = bars.Progress(bars.BarColumn(), bars.MofNCompleteColumn(), *words)
        bar.add_task("", total=None)
        live = Live(bar, console=Console(stderr=True), transient=False)
        live.start()

    def tell(progress: Progress) -> None:
        nonlocal last
        now, done = time.monotonic(), progress.kept + progress.done
        rate = progress.done / max(now - start, 1e-9)
        note = f"{rate:.0f} inputs/s, {progress.samples} samples, {progress.kept} done before"
        note += f", {progress.failed} failed"
        if live is not None and bar is not None:
            bar.update(bar.task_ids[0], total=progress.total, completed=done)
            counts = ", ".join(f"{status} {number}" for status, number in sorted(progress.statuses.items()))
            live.update(Group(bar, Text(progress.waiting or note), Text(counts)))
        elif progress.waiting:
            typer.echo(progress.waiting, err=True)
        elif now - last > _LOG_EVERY:
            last, left = now, (progress.total - done) / rate if rate else 0
            typer.echo(f"{done} of {progress.total} inputs, {note}, about {left:.0f} s left", err=True)

    try:
        yield tell
    finally:
        if live is not None:
            live.stop()
