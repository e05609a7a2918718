"""The report object as JSON, and back. What is written can be read again without loss."""

from __future__ import annotations

from typing import Any

import msgspec

from pgx.calling import E4Status, Reason
from pgx.calling.populations import diplotype_name, diplotypes
from pgx.errors import FormatError
from pgx.genome.sites import rsids
from pgx.observe import EvidenceKind, SiteState
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
        document = msgspec.json.decode(text, type=Document)
    except msgspec.ValidationError as error:
        raise FormatError(f"is not a report of pgx: {describe(error)}", where=where, cure=cure) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError("is not JSON", where=where, cure=cure) from error
    if not document.samples:
        raise FormatError("holds no sample", where=where, cure=cure)
    for report in document.samples:
        fault = _fault(report)
        if fault:
            raise FormatError(f"is not a report of pgx: {fault}", where=where, cure=cure)
    return document


def _fault(report: SampleReport) -> str:
    """Return what a well-formed sample cannot be, or nothing."""
    genotype = report.genotype
    names = {diplotype_name(pair) for pair in diplotypes()}
    checks = (
        (genotype.e4_status in set(E4Status), "genotype.e4_status"),
        (set(genotype.diplotype_posterior) == names, "genotype.diplotype_posterior"),
        (genotype.best_diplotype in names, "genotype.best_diplotype"),
        (genotype.diplotype is None or genotype.diplotype in names, "genotype.diplotype"),
        (set(genotype.e4_copies_posterior) == {"0", "1", "2"}, "genotype.e4_copies_posterior"),
        (set(genotype.not_determined_because) <= set(Reason), "genotype.not_determined_because"),
        (tuple(site.rsid for site in report.sites) == rsids(), "sites"),
        (all(site.state in set(SiteState) for site in report.sites), "sites.state"),
        (all(site.basis is None or site.basis in set(EvidenceKind) for site in report.sites), "sites.basis"),
        (all(flag.severity in {"info", "warning", "critical"} for flag in report.flags), "flags.severity"),
    )
    return next((f"{key} has a value that it cannot have" for holds, key in checks if not holds), "")
