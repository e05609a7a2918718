"""One record, one sample: which letters it shows, whether they may be used, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from pgx.observe.genotype import Genotype, GenotypeTextError, number, read_genotype
from pgx.observe.letters import Letter, Other, covers_with_bases, is_unseen, letters_of
from pgx.observe.model import (
    MISSING,
    EvidenceKind,
    Finding,
    GenotypeEvidence,
    ObserveOptions,
    Phase,
    SiteRecord,
    SiteState,
)
from pgx.observe.quality import depth, genotype_evidence, imputation_score, is_imputed, stated_quality
from pgx.sites import Site, letters
from pgx.thresholds import threshold

_PASSED = frozenset({"", MISSING, "PASS"})


class Reading(Struct, frozen=True, kw_only=True):
    """What one sample shows in one record.

    Attributes
    ----------
    spelled
        The letter of each allele of the record, REF first; empty where it cannot be known.
    problem
        The state that forbids its use, or None.
    shown
        Two letters in the order of the genotype, None for a "."; empty where there is no genotype.
    """

    record: SiteRecord
    fields: Mapping[str, str]
    spelled: tuple[Letter, ...]
    problem: SiteState | None
    shown: tuple[Letter | None, ...]
    phase: Phase | None
    evidence: GenotypeEvidence | None
    depth: int | None
    quality: float | None
    filter: str | None
    findings: tuple[Finding, ...]

    @property
    def known(self) -> tuple[str, ...]:
        """Return the letters of the two that define haplotypes, as shown."""
        return tuple(letter for letter in self.shown if isinstance(letter, str) and letter in letters())

    @property
    def variants(self) -> bool:
        """Say whether the record names an ALT in letters."""
        return any(allele[0] != "<" for allele in self.record.alternates)


def read(
    record: SiteRecord, sample: int, site: Site, options: ObserveOptions, *, gl_is_phred: bool, block: bool
) -> Reading:
    """Read one sample of one record at `site`. A block is read as reference over its whole length."""
    fields = record.fields(sample)
    spelled = _spelled(record, site)
    findings: list[Finding] = []
    problem: SiteState | None = None
    genotype = Genotype(indices=(), phase=None)
    try:
        genotype = read_genotype(record, fields)
    except GenotypeTextError:
        problem = SiteState.UNSUPPORTED
        findings.append(Finding(code="invalid-genotype", values={"rsid": site.rsid}))
    shown: tuple[Letter | None, ...] = tuple(None if i is None else spelled[i] for i in genotype.indices)
    if block and not shown and "GT" not in fields and problem is None and spelled:
        shown = (spelled[0], spelled[0])
    problem = problem or _ploidy_problem(shown, site, findings)
    evidence = None
    if problem is None and spelled:
        copies = _copies(shown)
        evidence = genotype_evidence(
            record, fields, spelled, letters(), copies=copies, gl_is_phred=gl_is_phred
        )
        evidence = _weaker_evidence(evidence, record, fields, shown, block=block)
    filters = _filters(record, fields)
    quality, reads = stated_quality(fields), depth(record, fields, block=block)
    if filters is not None and problem is None:
        findings.append(Finding(code="filtered-site", values={"rsid": site.rsid, "filter": filters}))
        problem = None if options.keep_filtered else SiteState.FILTERED
    if problem is None:
        problem = _no_call(shown, evidence, reads, site) or _low_quality(quality, reads, evidence, options)
    findings += _imputation_findings(record, evidence, site)
    return Reading(
        record=record,
        fields=fields,
        spelled=spelled,
        problem=problem,
        shown=shown,
        phase=genotype.phase,
        evidence=evidence,
        depth=reads,
        quality=quality,
        filter=filters,
        findings=tuple(findings),
    )


def _spelled(record: SiteRecord, site: Site) -> tuple[Letter, ...]:
    """Return the letter of each allele; in a block beyond its first base the assembly's own."""
    if covers_with_bases(record, site.position):
        return letters_of(record, site.position)
    if site.ref is None:
        return ()
    return (site.ref, *(_beyond(allele) for allele in record.alternates))


def _beyond(allele: str) -> Other:
    """Return what an allele shows at a base that lies beyond REF."""
    if is_unseen(allele):
        return Other.UNSEEN
    return Other.DELETED if allele.upper().startswith("<DEL") else Other.STRUCTURAL


def _ploidy_problem(
    shown: tuple[Letter | None, ...], site: Site, findings: list[Finding]
) -> SiteState | None:
    called = [letter for letter in shown if letter is not None]
    if len(shown) in {0, 2} or not called:
        return None
    code = "haploid-call" if len(shown) == 1 else "polyploid-call"
    findings.append(Finding(code=code, values={"rsid": site.rsid}))
    return SiteState.UNSUPPORTED


def _copies(shown: tuple[Letter | None, ...]) -> int | None:
    counted = letters()
    if len(shown) != 2 or not all(letter in counted for letter in shown):
        return None
    return sum(letter == counted[1] for letter in shown)


def _weaker_evidence(
    evidence: GenotypeEvidence | None,
    record: SiteRecord,
    fields: Mapping[str, str],
    shown: tuple[Letter | None, ...],
    *,
    block: bool,
) -> GenotypeEvidence | None:
    """Replace a bare genotype by what else the record says of a homozygous one: QUAL of a block, or depth."""
    if evidence is None or evidence.kind is not EvidenceKind.GT or evidence.copies == 1 or not shown:
        return evidence
    if block and record.quality is not None:
        return GenotypeEvidence(kind=EvidenceKind.GQ, values=(record.quality,), copies=evidence.copies)
    reads = depth(record, fields, block=block)
    if reads is None:
        return evidence
    kind = EvidenceKind.DEPTH if block else EvidenceKind.GT
    return GenotypeEvidence(kind=kind, values=(float(reads),), copies=evidence.copies)


def _filters(record: SiteRecord, fields: Mapping[str, str]) -> str | None:
    sample_filter = fields.get("FT", MISSING)
    names = list(record.filters)
    if sample_filter not in _PASSED:
        names.append(f"FT={sample_filter}")
    return ";".join(names) if names else None


def _no_call(
    shown: tuple[Letter | None, ...], evidence: GenotypeEvidence | None, reads: int | None, site: Site
) -> SiteState | None:
    if all(letter is None for letter in shown):
        posterior = evidence is not None and evidence.imputed
        likelihood_only = evidence is not None and not shown
        return None if posterior or likelihood_only else SiteState.NO_CALL
    reference = len(shown) == 2 and shown[0] == shown[1] and (site.ref is None or shown[0] == site.ref)
    if reference and evidence is not None and _is_empty(evidence, reads):
        return SiteState.NO_CALL
    return None


def _is_empty(evidence: GenotypeEvidence, reads: int | None) -> bool:
    """Say whether a homozygous reference genotype rests on nothing: no reads, or flat likelihoods."""
    if evidence.kind in {EvidenceKind.PL, EvidenceKind.GL}:
        return len(set(evidence.values)) == 1
    if evidence.kind in {EvidenceKind.GQ, EvidenceKind.DEPTH} and evidence.values[0] == 0:
        return True
    return reads == 0 and not evidence.imputed


def _low_quality(
    quality: float | None, reads: int | None, evidence: GenotypeEvidence | None, options: ObserveOptions
) -> SiteState | None:
    if quality is None and evidence is not None and evidence.kind is EvidenceKind.PL:
        known = sorted(value for value in evidence.values if value is not None)
        quality = known[1] - known[0]
    if options.min_gq > 0 and (quality is None or quality < options.min_gq):
        return SiteState.LOW_QUALITY
    if options.min_dp > 0 and (reads is None or reads < options.min_dp):
        return SiteState.LOW_QUALITY
    return None


def _imputation_findings(
    record: SiteRecord, evidence: GenotypeEvidence | None, site: Site
) -> tuple[Finding, ...]:
    if evidence is None or not is_imputed(record):
        return ()
    found = [Finding(code="imputed", values={"rsid": site.rsid})]
    score = imputation_score(record)
    if score is not None and score < threshold("low_imputation_quality") and "TYPED" not in record.info:
        found.append(
            Finding(code="low-imputation-quality", values={"rsid": site.rsid, "score": f"{score:g}"})
        )
    return tuple(found)


def phase_set(fields: Mapping[str, str]) -> str | None:
    """Return PS as read, or None."""
    text = fields.get("PS", MISSING)
    return None if text in {"", MISSING} else text


def allele_depths(fields: Mapping[str, str]) -> tuple[int, ...] | None:
    """Return AD as read, or None unless every value is a number."""
    values = [number(text) for text in fields.get("AD", "").split(",")]
    whole = [int(value) for value in values if value is not None]
    return tuple(whole) if whole and len(whole) == len(values) else None
