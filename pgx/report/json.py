"""The report object as JSON, and back, without loss; and its JSON Schema (report.schema.json is shipped)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from pgx.calling import diplotype_names
from pgx.errors import FormatError
from pgx.files import cleaned
from pgx.genome import rsids
from pgx.reference import describe
from pgx.report.model import SCHEMA_VERSION, Document, Run, SampleReport

SCHEMA_FILE = Path(__file__).with_name("report.schema.json")
JsonObject = dict[str, Any]
#: Whatever of UTF-8 or of an escape may stand for a character that `cleaned` takes out.
_SUSPICIOUS = re.compile(
    rb"[\x7f]|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]|\\[ubfr]"
)
_AS_THEY_ARE = frozenset({"sample", "path", "record"})


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
        document = _decoded(text if isinstance(text, bytes) else text.encode())
    except msgspec.ValidationError as error:
        raise FormatError(f"is not a report of pgx: {describe(error)}", where=where, cure=cure) from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise FormatError("is not JSON", where=where, cure=cure) from error
    except RecursionError as error:
        raise FormatError("is nested too deeply", where=where, cure=cure) from error
    if not document.samples:
        raise FormatError("holds no sample", where=where, cure=cure)
    for report in document.samples:
        fault = _fault(report)
        if fault:
            raise FormatError(f"is not a report of pgx: {fault}", where=where, cure=cure)
    return document


def _decoded(text: bytes) -> Document:
    """Return a document; control characters and marks of writing direction in its texts are taken out.

    The names of files and samples, and records, stay: they are compared and looked up, and every format
    guards itself against them.
    """
    if _SUSPICIOUS.search(text) is None:
        return msgspec.json.decode(text, type=Document)
    return msgspec.convert(cleaned(msgspec.json.decode(text), but=_AS_THEY_ARE), Document)


def _fault(report: SampleReport) -> str:
    """Return what a well-formed sample cannot be, or nothing."""
    genotype, names = report.genotype, diplotype_names()
    checks = (
        (set(genotype.diplotype_posterior) == set(names), "genotype.diplotype_posterior"),
        (genotype.best_diplotype in names, "genotype.best_diplotype"),
        (genotype.diplotype is None or genotype.diplotype in names, "genotype.diplotype"),
        (set(genotype.e4_copies_posterior) == {"0", "1", "2"}, "genotype.e4_copies_posterior"),
        (tuple(site.rsid for site in report.sites) == rsids(), "sites"),
        (all(flag.severity in {"info", "warning", "critical"} for flag in report.flags), "flags.severity"),
    )
    return next((f"{key} has a value that it cannot have" for holds, key in checks if not holds), "")


def schema() -> JsonObject:
    """Return the schema (JSON Schema 2020-12) of `pgx annotate -f json` and of one line of jsonl."""
    made = msgspec.json.schema(Document)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"pgx report {SCHEMA_VERSION}",
    }
    return head | made


def schema_text() -> str:
    """Return the schema as the file that is shipped."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def write_schema() -> None:
    """Write the shipped file anew: `python -c "from pgx.report.json import write_schema; write_schema()"`."""
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
