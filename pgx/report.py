"""The one report object, of which every format is a projection; field names are those of the JSON."""

from __future__ import annotations

import datetime
import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pgx import evidence
from pgx.calling import DiplotypeCall, GenotypeReport, diplotype_names, estimated
from pgx.errors import FormatError, printable
from pgx.evidence import ContextItem, ContextReport, EvidenceBase, Response, SourceCitation
from pgx.evidence.cite import cite
from pgx.evidence.context import appendix_kind
from pgx.files import cleaned
from pgx.genome import AssemblyEvidence, rsids
from pgx.neighbours import NeighbourReport, is_needed
from pgx.observe import EvidenceKind, Finding, Observation, ReadSummary, SiteReport
from pgx.options import Parameters
from pgx.reference import FactFile, describe, load
from pgx.wording import Wording, greek, percent, wording

SCHEMA_VERSION = "1.0"


class Tool(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The program."""

    name: str
    version: str


class LoadedFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of evidence that was loaded, with its digest."""

    name: str
    digest: str


class ReferenceData(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The release and digest of reference/, and of each evidence file in use."""

    release: str
    digest: str
    evidence: tuple[LoadedFile, ...]


class InputReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input: `size` in bytes (None for a stream), `access` "index", "search" or "scan".

    `kind` is "vcf", "gvcf", "bcf", "copy-number" ...; "VCF" and "BCF" in results of version 0.1.
    """

    path: str
    size: int | None
    modified: str | None
    kind: str
    header_digest: str
    digest: str | None
    assembly: str
    assembly_evidence: tuple[AssemblyEvidence, ...]
    access: str


class Flag(Struct, frozen=True, forbid_unknown_fields=True):
    """Something the reader must know: severity "info", "warning" or "critical"; `values` fill its words."""

    code: str
    severity: str
    message: str
    values: dict[str, str] = {}


class PatientReport(Struct, frozen=True, forbid_unknown_fields=True):
    """What the patient context (--taking, --history, --age) brought up.

    `warnings` are ids of the items of `context` that stand in front because of it; nothing was looked up for
    the names that are `unrecognised`; `contraindications` are those of the drug, whoever the person is.
    """

    warnings: tuple[str, ...]
    unrecognised: tuple[str, ...]
    notes: tuple[str, ...]
    minor: bool
    contraindications: tuple[str, ...] = ()


class SampleReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is said of one sample. `neighbours` is an estimate, and no part of the genotype."""

    sample: str
    genotype: GenotypeReport
    sites: tuple[SiteReport, ...]
    flags: tuple[Flag, ...]
    response: tuple[Response, ...]
    context: tuple[ContextItem, ...]
    patient: PatientReport
    limitations: tuple[str, ...]
    neighbours: NeighbourReport | None = None
    reads: ReadSummary | None = None

    def __repr__(self) -> str:
        """Return the name alone: what is shown by accident holds no genotype."""
        return f"<SampleReport {printable(self.sample, 60)}>"

    def has_flag(self, code: str) -> bool:
        """Return whether a flag of this code is set."""
        return any(flag.code == code for flag in self.flags)


class AppendixItem(Struct, frozen=True, forbid_unknown_fields=True):
    """A statement for the appendix; `kind` is one of `_APPENDIX_KINDS`."""

    id: str
    kind: str
    drug: str
    statement: str
    certainty: str
    sources: tuple[SourceCitation, ...]


class Run(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all samples of one input share."""

    schema_version: str
    tool: Tool
    reference: ReferenceData
    created: str
    input: InputReport
    parameters: Parameters
    appendix: tuple[AppendixItem, ...] = ()

    def __repr__(self) -> str:
        made = f"pgx {self.tool.version}, data {self.reference.release}"
        return f"<{type(self).__name__} of {printable(self.input.path)}, {self.input.assembly}, {made}>"


class Document(Run, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run with some or all of its samples: one JSON document."""

    samples: tuple[SampleReport, ...]

    @classmethod
    def of(cls, run: Run, samples: tuple[SampleReport, ...]) -> Document:
        """Return the document of a run with these samples."""
        return cls(**{name: getattr(run, name) for name in Run.__struct_fields__}, samples=samples)


_APPENDIX_KINDS = ("mechanism", "composition", "background", "comparison", "animal", "related-product")
_SEVERITIES = ("critical", "warning", "info")


class _FlagFile(FactFile, frozen=True, kw_only=True):
    severity: dict[str, str]


def severities() -> dict[str, str]:
    """Return the severity of every flag code."""
    return load("flags.toml", _FlagFile).severity


def assemble(
    sample: str,
    observations: tuple[Observation, ...],
    call: DiplotypeCall,
    response: tuple[Response, ...],
    context: ContextReport,
    parameters: Parameters,
    *,
    input_findings: Sequence[Finding] = (),
    neighbours: NeighbourReport | None = None,
) -> SampleReport:
    """Build the report of one sample; `input_findings` are those of the whole input."""
    words = wording()
    findings = [*(note for seen in observations for note in seen.findings), *call.findings, *input_findings]
    if neighbours is not None:
        findings += _neighbour_findings(neighbours, observations, call)
    if context.minor:
        findings.append(Finding(code="minor"))
    told = tuple(item.id for item in context.warnings), context.unrecognised, context.notes
    population, rate = parameters.population, f"{parameters.genotype_error_rate:g}"
    limits = (
        (any(note.code == "ambiguous-phase" for note in call.findings), "phase_limit"),
        (any(seen.basis is EvidenceKind.GT for seen in observations), "error_rate"),
        (True, "population"),
        (estimated(population) is not None, "estimated"),
    )
    say = functools.partial(words.say, "limits", rate=rate, population=population)
    return SampleReport(
        sample=sample,
        genotype=msgspec.convert(call, GenotypeReport, from_attributes=True),
        sites=tuple(_site(seen, words) for seen in observations),
        flags=_flags(findings, words),
        response=response,
        context=context.items,
        patient=PatientReport(*told, context.minor, context.contraindications),
        limitations=(*general_limits(words), *(say(key) for holds, key in limits if holds)),
        neighbours=neighbours,
    )


def _neighbour_findings(
    found: NeighbourReport, observations: tuple[Observation, ...], call: DiplotypeCall
) -> list[Finding]:
    """Return what the neighbours give reason to tell; what they expect is in the values, for machines."""
    values = {"markers": str(found.markers_used), "expected": found.diplotype or ""}
    values["expected_probability"] = str(found.diplotype_probability or 0.0)
    findings = []
    if found.diplotype is not None and is_needed(observations, call):
        findings.append(Finding(code="neighbours-estimate", values=values))
    if found.agrees is False:
        sites = [seen.rsid for seen in observations if seen.alleles is not None]
        more = {"rsid": ", ".join(sites), "read_probability": str(found.read_probability or 0.0)}
        findings.append(Finding(code="neighbours-disagree", values=values | more))
    return findings


def _site(seen: Observation, words: Wording) -> SiteReport:
    notes = tuple(_message(finding, words) for finding in unique(seen.findings))
    return msgspec.convert(replace(seen, notes=notes), SiteReport, from_attributes=True)


def unique(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings without repeats, in their order."""
    kept: list[Finding] = []
    for finding in findings:
        kept += [finding] if finding not in kept else []
    return kept


def _flags(findings: Iterable[Finding], words: Wording) -> tuple[Flag, ...]:
    """Return the flags without repeats, the gravest first, else in the order in which they arose."""
    flags = []
    for finding in unique(findings):
        severity = "info" if finding.critical is False else severities()[finding.code]
        flags.append(Flag(finding.code, severity, _message(finding, words), dict(finding.values)))
    return tuple(sorted(flags, key=lambda flag: _SEVERITIES.index(flag.severity)))


def _message(finding: Finding, words: Wording) -> str:
    key = f"{finding.code}-info" if finding.critical is False else finding.code
    return words.say("flag", key, **{name: readable(name, value) for name, value in finding.values.items()})


def readable(name: str, value: str) -> str:
    """Return a value of a flag as sentences have it: probabilities as percentages, haplotypes with ε."""
    if name.endswith("probability"):
        return percent(float(value))
    return greek(value) if name in {"best", "other", "diplotype"} else value


def general_limits(words: Wording) -> tuple[str, ...]:
    """Return the limits that hold for every report and give nothing of a result away."""
    return tuple(words.say("limits", key) for key in ("two_sites", "no_diagnosis", "identity", "transfusion"))


def relative_likelihoods(report: SampleReport) -> tuple[float, ...]:
    """Return how well each of the ten diplotypes explains the data, the best being 1, without any prior."""
    found = [row.phase_factor * math.prod(row.likelihood.values()) for row in report.genotype.calculation]
    highest = max(found, default=0.0) or 1.0
    return tuple(value / highest for value in found)


def appendix(base: EvidenceBase, drug: str | None = None) -> tuple[AppendixItem, ...]:
    """Return what else is known of the drugs reported and of other products; the same for all samples."""
    reported = base.reported(drug)
    others = {item.name for item in base.subjects()} - {item.name for item in reported}
    if all(item.on_request for item in reported):  # products beside the usual drug are of no concern then
        others = set(base.drugs) - {item.name for item in reported}
    found = []
    for claim in base.claims.values():
        if claim.drug not in others and (kind := appendix_kind(base, claim)):
            said = (claim.drug, claim.statement, claim.certainty.level.value, cite(base, claim))
            found.append(AppendixItem(claim.id, kind, *said))
    return tuple(sorted(found, key=lambda item: _APPENDIX_KINDS.index(item.kind)))


def mark_minors(
    reports: Iterable[SampleReport], birth_dates: Mapping[str, datetime.date], *, created: str
) -> Iterator[SampleReport]:
    """Yield reports, those of people under age on the day `created` (as `Run.created`) marked as such."""
    for report in reports:
        born = birth_dates.get(report.sample)
        if born is not None and not report.patient.minor and is_minor(born, created=created):
            flags = (*_flags([Finding(code="minor")], wording()), *report.flags)
            yield replace(report, flags=flags, patient=replace(report.patient, minor=True))
        else:
            yield report


def is_minor(born: datetime.date, *, created: str) -> bool:
    """Return whether somebody born on that day was under age at the time of a run (`Run.created`)."""
    today = datetime.date.fromisoformat(created[:10])
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return years < evidence.load().rules.minor_age_years


#: Whatever of UTF-8 or of an escape may stand for a character that `cleaned` takes out.
_SUSPICIOUS = re.compile(
    rb"[\x7f]|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]|\\[ubfr]"
)
#: Names and records stay: they are compared, and every format guards itself.
_AS_THEY_ARE = frozenset({"sample", "path", "record"})


class _Envelope(msgspec.Struct):
    schema_version: str = ""  # must be right before anything else is read


def from_json(text: str | bytes, *, where: str) -> Document:
    """Read a stored report; what is none, or of another schema version, is a `FormatError`."""
    refused = functools.partial(FormatError, where=where, cure="Annotate the input again")
    try:
        version = msgspec.json.decode(text, type=_Envelope).schema_version
        if version != SCHEMA_VERSION:
            raise refused(f"has the schema version '{version}'; this program reads {SCHEMA_VERSION}")
        if _SUSPICIOUS.search(text if isinstance(text, bytes) else text.encode()) is None:
            document = msgspec.json.decode(text, type=Document)
        else:
            plain = cleaned(msgspec.json.decode(text), but=_AS_THEY_ARE)
            document = msgspec.convert(plain, Document)
    except msgspec.ValidationError as error:
        raise refused(f"is not a report of pgx: {describe(error)}") from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise refused("is not JSON") from error
    except RecursionError as error:
        raise refused("is nested too deeply") from error
    if not document.samples:
        raise refused("holds no sample")
    for report in document.samples:
        genotype, names = report.genotype, diplotype_names()
        checks = (
            (set(genotype.diplotype_posterior) == set(names), "genotype.diplotype_posterior"),
            (genotype.best_diplotype in names, "genotype.best_diplotype"),
            (genotype.diplotype is None or genotype.diplotype in names, "genotype.diplotype"),
            (set(genotype.e4_copies_posterior) == {"0", "1", "2"}, "genotype.e4_copies_posterior"),
            (tuple(site.rsid for site in report.sites) == rsids(), "sites"),
            (all(flag.severity in _SEVERITIES for flag in report.flags), "flags.severity"),
        )
        for key in (key for holds, key in checks if not holds):
            raise refused(f"is not a report of pgx: {key} has a value that it cannot have")
    return document
