"""Observations, call and evidence in, a SampleReport out. Sentences of flags and limits are chosen here."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from pgx.calling import DiplotypeCall, rests_on_assumption
from pgx.evidence import ContextReport, Response
from pgx.genome.sites import gene
from pgx.observe import EvidenceKind, Finding, Observation
from pgx.options import Parameters
from pgx.reference import Facts, Provenance, load
from pgx.report.model import (
    CalculationRow,
    Flag,
    GenotypeReport,
    PatientReport,
    PopulationResult,
    SampleReport,
    SiteReport,
)
from pgx.wording import Wording, greek, percent, wording

_GENERAL_LIMITS = ("two_sites", "no_diagnosis", "identity", "transfusion")
_WEIGHT = {"critical": 0, "warning": 1, "info": 2}


class _FlagFile(Facts, frozen=True, kw_only=True):
    provenance: Provenance
    severity: dict[str, str]


@functools.cache
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
    contig: str,
    input_findings: Sequence[Finding] = (),
) -> SampleReport:
    """Build the report of one sample.

    `contig` is the name of the chromosome in this input, for sites without a record; `input_findings`
    are those of the whole input.
    """
    words = wording()
    findings = [*(note for seen in observations for note in seen.findings), *call.findings, *input_findings]
    if context.minor:
        findings.append(Finding(code="minor"))
    return SampleReport(
        sample=sample,
        genotype=_genotype(observations, call),
        sites=tuple(_site(seen, contig, words) for seen in observations),
        flags=_flags(findings, words),
        response=response,
        context=context.items,
        patient=PatientReport(
            warnings=tuple(item.id for item in context.warnings),
            unrecognised=context.unrecognised,
            notes=context.notes,
            minor=context.minor,
        ),
        limitations=_limitations(observations, call, parameters, words),
    )


def _genotype(observations: tuple[Observation, ...], call: DiplotypeCall) -> GenotypeReport:
    first, second = (seen.rsid for seen in observations)
    return GenotypeReport(
        gene=gene(),
        diplotype=call.diplotype,
        best_diplotype=call.best_diplotype,
        diplotype_probability=call.diplotype_probability,
        diplotype_posterior=dict(call.posterior),
        by_population={
            other.population: PopulationResult(
                diplotype=other.diplotype,
                e4_status=other.e4_status.value,
                diplotype_probability=other.diplotype_probability,
            )
            for other in call.by_population
        },
        e4_status=call.e4_status.value,
        e4_copies=call.e4_copies,
        e4_copies_posterior={str(copies): p for copies, p in enumerate(call.e4_copies_posterior)},
        phase=call.phase.value,
        assumed=rests_on_assumption(observations),
        not_determined_because=tuple(reason.value for reason in call.reasons),
        calculation=tuple(
            CalculationRow(
                diplotype=row.diplotype,
                prior=row.prior,
                likelihood={first: row.likelihood_first, second: row.likelihood_second},
                phase_factor=row.phase_factor,
                posterior=row.posterior,
            )
            for row in call.calculation
        ),
    )


def _site(seen: Observation, contig: str, words: Wording) -> SiteReport:
    return SiteReport(
        rsid=seen.rsid,
        contig=seen.contig or contig,
        position=seen.position,
        ref=seen.ref,
        alt=seen.alt,
        state=seen.state.value,
        alleles=seen.alleles,
        phased=seen.phase is not None,
        seen=seen.seen,
        basis=seen.evidence.kind.value if seen.evidence else None,
        depth=seen.depth,
        allele_depths=seen.allele_depths,
        genotype_quality=seen.genotype_quality,
        filter=seen.filter,
        phase_set=seen.phase_set,
        record=seen.record,
        notes=tuple(_message(finding, words) for finding in _unique(seen.findings)),
    )


def _unique(findings: Iterable[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for finding in findings:
        if finding not in kept:
            kept.append(finding)
    return kept


def _flags(findings: Iterable[Finding], words: Wording) -> tuple[Flag, ...]:
    """Return the flags without repeats, the gravest first, else in the order in which they arose."""
    flags = [
        Flag(
            code=finding.code,
            severity=_severity(finding),
            message=_message(finding, words),
            values=dict(finding.values),
        )
        for finding in _unique(findings)
    ]
    return tuple(sorted(flags, key=lambda flag: _WEIGHT[flag.severity]))


def _severity(finding: Finding) -> str:
    return "info" if finding.critical is False else severities()[finding.code]


def _message(finding: Finding, words: Wording) -> str:
    key = f"{finding.code}-info" if finding.critical is False else finding.code
    return words.say("flag", key, **{name: _readable(name, value) for name, value in finding.values.items()})


def _readable(name: str, value: str) -> str:
    if name.endswith("probability"):
        return percent(float(value))
    return greek(value) if name in {"best", "other", "diplotype"} else value


def general_limits(words: Wording) -> tuple[str, ...]:
    """Return the limits that hold for every report and give nothing of a result away."""
    return tuple(words.say("limits", key) for key in _GENERAL_LIMITS)


def _limitations(
    observations: tuple[Observation, ...], call: DiplotypeCall, parameters: Parameters, words: Wording
) -> tuple[str, ...]:
    said = [*general_limits(words)]
    if any(finding.code == "ambiguous-phase" for finding in call.findings):
        said.append(words.say("limits", "phase_limit"))
    if any(seen.evidence and seen.evidence.kind is EvidenceKind.GT for seen in observations):
        said.append(words.say("limits", "error_rate", rate=f"{parameters.genotype_error_rate:g}"))
    said.append(words.say("limits", "population", population=parameters.population))
    return tuple(said)
