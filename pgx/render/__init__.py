"""The registry of output formats: one row each. What makes a format is imported when it is asked for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pgx.errors import UsageError

if TYPE_CHECKING:
    from pgx.render.form import Form
    from pgx.report import Document, Run, SampleReport

    Stream = Callable[[Run, Iterable[SampleReport], Form | None], Iterator[str]]
    Page = Callable[[Run, SampleReport, Form | None], bytes]

_INDENT = 2
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
_LONGEST = 40
_DIGITS = 10


def _text(run: Run, samples: Iterable[SampleReport], form: Form | None) -> Iterator[str]:
    from pgx.render import text

    return text.stream(run, samples, form)


def json_document(run: Run, samples: Iterable[SampleReport], form: Form | None = None) -> Iterator[str]:
    """Yield one JSON document with all samples, piece by piece, so that a large input fits in memory."""
    from pgx.report import Document

    head, _, tail = _indented(Document.of(run, ())).rpartition("[]")
    yield head + "["
    margin = "\n" + " " * _INDENT * 2  # no text of JSON holds a line end as it is
    separator = ""
    for report in samples:
        yield separator + margin + _indented(report).replace("\n", margin)
        separator = ","
    yield ("" if not separator else "\n" + " " * _INDENT) + "]" + tail + "\n"


def _indented(value: Document | SampleReport) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=_INDENT).decode()


def json_lines(run: Run, samples: Iterable[SampleReport], form: Form | None = None) -> Iterator[str]:
    """Yield one complete JSON document a line, one sample each."""
    import msgspec

    from pgx.report import Document

    for report in samples:
        yield msgspec.json.encode(Document.of(run, (report,))).decode() + "\n"


def _tsv(run: Run, samples: Iterable[SampleReport], form: Form | None) -> Iterator[str]:
    from pgx.render import tsv

    return tsv.stream(run, samples)


def _html(run: Run, report: SampleReport, form: Form | None) -> bytes:
    from pgx.render import pages

    return pages.as_html(run, report, form).encode()


def _pdf(run: Run, report: SampleReport, form: Form | None) -> bytes:
    from pgx.render import pages

    return pages.as_pdf(run, report, form)


def _fhir(run: Run, report: SampleReport, form: Form | None) -> bytes:
    from pgx.render import fhir

    return fhir.render(run, report, form)


class Format(StrEnum):
    """The formats of a report.

    Attributes
    ----------
    endings
        Endings of file names that ask for the format; files of a folder have the first.
    is_readable
        Laid out for people; the form (language, seal) concerns these only.
    stream
        What makes it, where one output holds many samples.
    page
        What makes it, where one file holds one sample. A format with neither is made from the records of the
        input, by `pgx.vcf.write`.
    """

    endings: tuple[str, ...]
    is_readable: bool
    stream: Stream | None
    page: Page | None

    def __new__(
        cls,
        name: str,
        endings: tuple[str, ...] = (),
        is_readable: bool = False,
        stream: Stream | None = None,
        page: Page | None = None,
    ) -> Format:
        """Make a row."""
        row = str.__new__(cls, name)
        row._value_ = name
        row.endings, row.is_readable, row.stream, row.page = endings, is_readable, stream, page
        return row

    TEXT = "text", (".txt",), True, _text
    JSON = "json", (".json",), False, json_document
    JSONL = "jsonl", (".jsonl",), False, json_lines
    TSV = "tsv", (".tsv",), False, _tsv
    HTML = "html", (".html",), True, None, _html
    PDF = "pdf", (".pdf",), True, None, _pdf
    FHIR = "fhir", (".fhir.json",), False, None, _fhir
    VCF = "vcf", (".vcf", ".vcf.gz", ".bcf"), False

    def one(self, run: Run, report: SampleReport, form: Form | None = None) -> bytes:
        """Return the file of one sample, in any format but vcf."""
        if self.page is not None:
            return self.page(run, report, form)
        assert self.stream is not None  # noqa: S101 - only vcf has neither
        return "".join(self.stream(run, [report], form)).encode()

    def check_installed(self) -> None:
        """Check that what the format needs is there.

        Raises
        ------
        UsageError
            It is not.
        """
        if self is Format.PDF:
            from pgx.render import pages

            pages.check_typst()


def format_of_name(name: str) -> Format:
    """Return the format that the ending of a file name asks for; of two that fit, the longer counts.

    Raises
    ------
    UsageError
        It asks for none.
    """
    rows: list[tuple[int, Any]] = [
        (len(ending), row) for row in Format for ending in row.endings if name.lower().endswith(ending)
    ]
    if not rows:
        known = ", ".join(ending for row in Format for ending in row.endings)
        raise UsageError(
            "the ending of the output names no format", where=name, cure=f"Give -f, or one of {known}"
        )
    found: Format = max(rows)[1]
    return found


def plain_stem(sample: str) -> str:
    """Return what a file name keeps of the name of a sample: letters, digits, `.`, `_` and `-`.

    What Windows takes for a device, whatever follows its first dot, is given another beginning.
    """
    stem = _UNSAFE.sub("_", sample)[:_LONGEST].strip("._-")
    return f"sample_{stem}" if _DEVICE.match(stem) else stem


def file_stem(sample: str) -> str:
    """Return a harmless file name for a sample, without an ending.

    Letters, digits, `.`, `_` and `-` are kept, and a digest of the whole name follows, so that two names
    that look alike, or differ in case only, never share a file.
    """
    digest = hashlib.sha256(sample.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    kept = plain_stem(sample)
    return f"{kept}.{digest}" if kept else f"sample.{digest}"
