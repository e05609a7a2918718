"""One record, one sample: which letters it shows, whether they may be used, and how sure it is."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from pgx.genome.sites import Site, letters
from pgx.observe.alleles import Letter, Other, covers_with_bases, is_unseen, letters_of
from pgx.observe.evidence_fields import (
    contradicts,
    depth,
    genotype_evidence,
    imputation_score,
    is_imputed,
    phred_gap,
    reads_contradict,
    stated_quality,
)
from pgx.observe.genotype import Genotype, GenotypeTextError, number, read_genotype
from pgx.observe.model import (
    MISSING,
    EvidenceKind,
    Finding,
    GenotypeEvidence,
    Phase,
    ReadContext,
    SiteRecord,
    SiteState,
)
from pgx.reference import Facts, Provenance, load, threshold

_PASSED = frozenset({"", MISSING, "PASS"})


class _ReferenceFilter(Facts, frozen=True, kw_only=True):
    name: str
    caller: str
    meaning: str


class _FilterFile(Facts, frozen=True, kw_only=True):
    provenance: Provenance
    reference_filter: tuple[_ReferenceFilter, ...]


@functools.cache
def reference_filters() -> frozenset[str]:
    """Return the FILTER names that say "found to be reference", not "failed"."""
    return frozenset(item.name for item in load("filters.toml", _FilterFile).reference_filter)


class Reading(Struct, frozen=True, kw_only=True):
    """What one sample shows in one record.

    Attributes
    ----------
    spelled
        The letter of each allele of the record, REF first.
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
    def variants(self) -> bool:
        """Return whether the record names an ALT in letters."""
        return any(not allele.startswith("<") for allele in self.record.alternates)


def read(record: SiteRecord, sample: int, site: Site, context: ReadContext, *, block: bool) -> Reading:
    """Read one sample of one record at `site`. A block is read as reference over its whole length."""
    fields = record.fields(sample)
    spelled = _spelled(record, site)
    findings: list[Finding] = []
    problem, genotype = _genotype(record, fields, site, findings)
    shown: tuple[Letter | None, ...] = tuple(None if i is None else spelled[i] for i in genotype.indices)
    if block and problem is None and "GT" not in fields:
        shown = (spelled[0], spelled[0])
    evidence = None
    if problem is None:
        evidence = genotype_evidence(
            record, fields, spelled, letters(), copies=_copies(shown), gl_is_phred=context.gl_is_phred
        )
        evidence = _weaker_evidence(evidence, record, fields, block=block)
    filters = _filters(record, fields, genotype)
    quality, reads = stated_quality(fields), depth(record, fields, block=block)
    if filters is not None and problem is None:
        findings.append(Finding(code="filtered-site", values={"rsid": site.rsid, "filter": filters}))
        problem = None if context.keep_filtered else SiteState.FILTERED
    if problem is None and _is_no_call(fields, shown, evidence, reads):
        problem = SiteState.NO_CALL
    if (
        problem is None
        and evidence is not None
        and (contradicts(evidence) or reads_contradict(evidence, fields, spelled, letters()))
    ):
        problem = SiteState.UNSUPPORTED
        findings.append(Finding(code="contradicting-quality", values={"rsid": site.rsid}))
    problem = problem or _low_quality(record, quality, reads, evidence, context)
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


def _genotype(
    record: SiteRecord, fields: Mapping[str, str], site: Site, findings: list[Finding]
) -> tuple[SiteState | None, Genotype]:
    """Return the genotype, with UNSUPPORTED (and a finding) where it cannot be one of chromosome 19."""
    try:
        genotype = read_genotype(record, fields)
    except GenotypeTextError:
        findings.append(Finding(code="invalid-genotype", values={"rsid": site.rsid}))
        return SiteState.UNSUPPORTED, Genotype(indices=(), phase=None)
    if genotype.is_missing or genotype.is_diploid:
        return None, genotype
    code = "haploid-call" if len(genotype.indices) == 1 else "polyploid-call"
    findings.append(Finding(code=code, values={"rsid": site.rsid}))
    return SiteState.UNSUPPORTED, genotype


def _spelled(record: SiteRecord, site: Site) -> tuple[Letter, ...]:
    """Return the letter of each allele, REF first; in a block beyond its first base the assembly's own."""
    if covers_with_bases(record, site.position):
        return letters_of(record, site.position)
    return (site.ref or Other.UNKNOWN, *(_beyond(allele) for allele in record.alternates))


def _beyond(allele: str) -> Other:
    """Return what an allele shows at a base that lies beyond REF."""
    if is_unseen(allele):
        return Other.UNSEEN
    return Other.DELETED if allele.upper().startswith("<DEL") else Other.STRUCTURAL


def _copies(shown: tuple[Letter | None, ...]) -> int | None:
    counted = letters()
    if len(shown) != 2 or not all(letter in counted for letter in shown):
        return None
    return sum(letter == counted[1] for letter in shown)


def _weaker_evidence(
    evidence: GenotypeEvidence | None, record: SiteRecord, fields: Mapping[str, str], *, block: bool
) -> GenotypeEvidence | None:
    """Limit a bare genotype by what else the record says: QUAL of a block, or the number of reads."""
    if evidence is None or evidence.kind is not EvidenceKind.GT:
        return evidence
    homozygous_block = block and evidence.copies != 1
    own_quality = record.quality if len(record.samples) == 1 else None  # QUAL speaks of all samples together
    if homozygous_block and own_quality is not None and own_quality >= 0:
        return GenotypeEvidence(kind=EvidenceKind.GQ, values=(own_quality,), copies=evidence.copies)
    reads = depth(record, fields, block=block)
    if reads is None:
        return evidence
    kind = EvidenceKind.DEPTH if homozygous_block else EvidenceKind.GT
    return replace(evidence, kind=kind, values=(float(reads),))


def _filters(record: SiteRecord, fields: Mapping[str, str], genotype: Genotype) -> str | None:
    """Return the filters that were not passed, at the site and at the sample (FT).

    Some callers write "found to be reference" as a filter; beside 0/0 or no genotype that is none.
    """
    is_reference = set(genotype.indices) <= {0, None}
    names = [name for name in record.filters if not (is_reference and name in reference_filters())]
    sample_filter = fields.get("FT", MISSING)
    if sample_filter not in _PASSED:
        names.append(f"FT={sample_filter}")
    return ";".join(names) if names else None


def _is_no_call(
    fields: Mapping[str, str],
    shown: tuple[Letter | None, ...],
    evidence: GenotypeEvidence | None,
    reads: int | None,
) -> bool:
    """Return whether nothing was called: no genotype, or one that rests on nothing.

    Without GT in FORMAT, likelihoods stand for themselves; of an imputation GP or DS do so always.
    """
    if all(letter is None for letter in shown):
        return evidence is None or not (evidence.imputed or "GT" not in fields)
    if evidence is None:  # a half call, or an allele that is none of ours
        return Other.DELETED not in shown and (reads == 0 or stated_quality(fields) == 0)
    return _is_empty(evidence, shown, reads)


def _is_empty(evidence: GenotypeEvidence, shown: tuple[Letter | None, ...], reads: int | None) -> bool:
    """Return whether a genotype rests on nothing: no reads, or likelihoods that are all the same."""
    if evidence.kind in {EvidenceKind.PL, EvidenceKind.GL}:
        return len(set(evidence.values)) == 1 or (reads == 0 and len(set(shown)) == 1)
    if evidence.kind in {EvidenceKind.GQ, EvidenceKind.DEPTH} and evidence.values[0] == 0:
        return True
    return reads == 0 and not evidence.imputed


def _low_quality(
    record: SiteRecord,
    quality: float | None,
    reads: int | None,
    evidence: GenotypeEvidence | None,
    context: ReadContext,
) -> SiteState | None:
    """Return LOW_QUALITY below a limit of the user, or for an imputed genotype without probabilities."""
    if evidence is not None and evidence.kind is EvidenceKind.GT and is_imputed(record):
        return SiteState.LOW_QUALITY
    if quality is None and evidence is not None:
        quality = phred_gap(evidence)
    if context.min_gq > 0 and (quality is None or quality < context.min_gq):
        return SiteState.LOW_QUALITY
    if context.min_dp > 0 and (reads is None or reads < context.min_dp):
        return SiteState.LOW_QUALITY
    return None


def _imputation_findings(
    record: SiteRecord, evidence: GenotypeEvidence | None, site: Site
) -> tuple[Finding, ...]:
    if evidence is None or not is_imputed(record):
        return ()
    found = [Finding(code="imputed", values={"rsid": site.rsid})]
    score = imputation_score(record)
    if score is not None and score < threshold("low_imputation_quality"):
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
