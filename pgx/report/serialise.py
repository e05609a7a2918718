"""The report object as JSON, and back. What is written can be read again without loss."""

from __future__ import annotations

from typing import Any

import msgspec

from pgx.errors import FormatError
from pgx.reference import describe
from pgx.report.model import SCHEMA_VERSION, Document, Run, SampleReport

JsonObject = dict[str, Any]


class _Envelope(msgspec.Struct):
    """The one key that must be right before anything else is read."""

    schema_version: str = ""


def to_dict(run: Run, samples: tuple[SampleReport, ...]) -> JsonObject:
    """Return the JSON object of the contract: dicts, lists, text, numbers, None."""
    plain: JsonObject = msgspec.to_builtins(Document.of(run, samples))
    return plain


def from_json(text: str | bytes, *, where: str) -> Document:
    """Read a stored report.

    Raises
    ------
    FormatError
        No JSON, another schema version, an unknown or missing key, or a value of the wrong kind.
    """
    cure = "Annotate the input again"
    try:
        version = msgspec.json.decode(text, type=_Envelope).schema_version
        if version != SCHEMA_VERSION:
            raise FormatError(
                f"has the schema version '{version}'; this program reads {SCHEMA_VERSION}",
                where=where,
                cure=cure,
            )
        return msgspec.json.decode(text, type=Document)
    except msgspec.ValidationError as error:
        raise FormatError(f"is not a report of pgx: {describe(error)}", where=where, cure=cure) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError("is not JSON", where=where, cure=cure) from error
