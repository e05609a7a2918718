"""The registry of output formats: one row each. What makes a format is imported when it is asked for."""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from pgx.errors import UsageError

if TYPE_CHECKING:
    from pgx.render.form import Form
    from pgx.report import Document, Run, SampleReport


def _late(module: str, name: str, *given: Any) -> Any:
    """Call a function of this package, which is imported for it."""
    return getattr(importlib.import_module(f"pgx.render.{module}"), name)(*given)


def json_document(run: Run, samples: Iterable[SampleReport], form: Form | None = None) -> Iterator[str]:
    """Yield one JSON document with all samples, piece by piece, so that a large input fits in memory."""
    import msgspec

    from pgx.report import Document

    def indented(value: Document | SampleReport) -> str:
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()

    head, _, tail = indented(Document.of(run, ())).rpartition("[]")
    yield head + "["
    separator = ""
    for report in samples:
        yield f"{separator}\n{indented(report)}".replace("\n", "\n    ")  # no text of JSON holds a line end
        separator = ","
    yield ("\n  ]" if separator else "]") + tail + "\n"


def json_lines(run: Run, samples: Iterable[SampleReport], form: Form | None = None) -> Iterator[str]:
    """Yield one complete JSON document a line, one sample each."""
    import msgspec

    from pgx.report import Document

    for report in samples:
        yield msgspec.json.encode(Document.of(run, (report,))).decode() + "\n"


class Format(StrEnum):
    """The formats of a report. One without `stream` and `page` is made of records, by `pgx.vcf.write`."""

    endings: tuple[str, ...]  # of file names that ask for it; files of a folder have the first
    is_readable: bool  # laid out for people; the form (language, seal) concerns these only
    stream: Callable[..., Iterator[str]] | None  # what makes it, where one output holds many samples
    page: Callable[..., str | bytes] | None  # what makes it, where one file holds one sample

    def __new__(cls, name: str, *given: Any) -> Format:
        """Make a row; what is given stands in the order of the fields above."""
        row = str.__new__(cls, name)
        row._value_, (row.endings, row.is_readable, row.stream, row.page) = name, given
        return row

    TEXT = "text", (".txt",), True, partial(_late, "text", "stream"), None
    JSON = "json", (".json",), False, json_document, None
    JSONL = "jsonl", (".jsonl",), False, json_lines, None
    TSV = "tsv", (".tsv",), False, partial(_late, "tsv", "stream"), None
    HTML = "html", (".html",), True, None, partial(_late, "pages", "as_html")
    PDF = "pdf", (".pdf",), True, None, partial(_late, "pages", "as_pdf")
    FHIR = "fhir", (".fhir.json",), False, None, partial(_late, "fhir", "render")
    VCF = "vcf", (".vcf", ".vcf.gz", ".bcf"), False, None, None

    def one(self, run: Run, report: SampleReport, form: Form | None = None) -> bytes:
        """Return the file of one sample, in any format but vcf."""
        if self.stream is not None:
            return "".join(self.stream(run, [report], form)).encode()
        assert self.page is not None  # noqa: S101 - only vcf has neither
        made = self.page(run, report, form)
        return made if isinstance(made, bytes) else made.encode()

    def check_installed(self) -> None:
        """Check that what the format needs is there; UsageError where it is not."""
        if self is Format.PDF:
            from pgx.render import pages

            pages.check_typst()


def handout(run: Run, report: SampleReport, form: Form, ending: str) -> bytes:
    """Return the hand-out of one sample as the ending asks: ".html", ".pdf" or ".txt"."""
    from pgx.render import narrative, pages, text

    told = narrative.handout(run, report, form)
    if ending == ".pdf":
        return pages.as_pdf(run, report, form, told)
    return (text.layout(told) if ending == ".txt" else pages.as_html(run, report, form, told)).encode()


def format_of_name(name: str) -> Format:
    """Return the format that the ending of a file name asks for, the longer of two; UsageError for none."""
    rows = {ending: row for row in Format for ending in row.endings}
    if found := [ending for ending in rows if name.lower().endswith(ending)]:
        return rows[max(found, key=len)]
    cure = f"Give -f, or one of {', '.join(rows)}"
    raise UsageError("the ending of the output names no format", where=name, cure=cure)


def plain_stem(sample: str) -> str:
    """Return what a file name keeps of a sample's: letters, digits and ._-, and nothing that is a device."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", sample)[:40].strip("._-")
    device = re.match(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", stem, re.IGNORECASE)
    return f"sample_{stem}" if device else stem


def file_stem(sample: str) -> str:
    """Return a harmless file name, without ending; by its digest names that differ in case share no file."""
    digest = hashlib.sha256(sample.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{plain_stem(sample) or 'sample'}.{digest}"
