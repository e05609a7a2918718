"""JSON: one document, or one complete document a line (jsonl)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from pgx.report import Document, Run, SampleReport

_INDENT = 2


def stream(run: Run, samples: Iterable[SampleReport]) -> Iterator[str]:
    """Yield one JSON document with all samples, piece by piece, so that a large input fits in memory."""
    head, _, tail = _pretty(Document.of(run, ())).rpartition("[]")
    yield head + "["
    separator = "\n"
    margin = " " * _INDENT * 2
    for report in samples:
        yield separator + "\n".join(margin + line for line in _pretty(report).split("\n"))
        separator = ",\n"
    yield ("" if separator == "\n" else "\n" + " " * _INDENT) + "]" + tail + "\n"


def _pretty(value: Document | SampleReport) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=_INDENT).decode()


def stream_lines(run: Run, samples: Iterable[SampleReport]) -> Iterator[str]:
    """Yield one complete document a line, one sample each."""
    for report in samples:
        yield msgspec.json.encode(Document.of(run, (report,))).decode() + "\n"
