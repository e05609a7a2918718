"""The formats by name. A format is a function from a run and its samples to pieces of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pgx.render import json_format, text, tsv
from pgx.report import Run, SampleReport

Stream = Callable[[Run, Iterable[SampleReport]], Iterator[str]]


def streams() -> dict[str, Stream]:
    """Return every format that holds many samples."""
    return {
        "text": text.stream,
        "json": json_format.stream,
        "jsonl": json_format.stream_lines,
        "tsv": tsv.stream,
    }
