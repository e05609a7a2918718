"""One record, one sample: which letters it shows, whether they may be used, and how sure it is."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from pgx import observe
from pgx.genome import Site
from pgx.observe import Fields, Finding, GenotypeEvidence, ReadContext, SiteRecord, SiteState, site_finding
from pgx.observe import alleles as spelling
from pgx.observe.alleles import Letter, Other, Shown
from pgx.observe.evidence_fields import FieldReader, imputation_score, phred_by_copies, stated_quality
from pgx.observe.fields import Genotype, GenotypeTextError, depth, read_genotype
from pgx.reference import FactFile, Facts, load, threshold


class _ReferenceFilter(Facts, frozen=True, kw_only=True):
    name: str
    caller: str
    meaning: str


class _HeaderLine(Facts, frozen=True, kw_only=True):
    meaning: Literal["absence-stated", "lifted"]
    pattern: str
    tool: str
    address: str


class _FilterFile(FactFile, frozen=True, kw_only=True):
    reference_filter: tuple[_ReferenceFilter, ...]
    header_line: tuple[_HeaderLine, ...]


@functools.cache
def _reference_filters() -> frozenset[str]:
    """Return the FILTER names that say "found to be reference", not "failed", in lower case."""
    return frozenset(item.name.lower() for item in load("filters.toml", _FilterFile).reference_filter)


def header_says(history: Iterable[str], meaning: str) -> bool:
    """Return whether a line of a header (`HeaderFacts.history`) has a meaning of reference/filters.toml."""
    return any(pattern.search(line) for line in history for pattern in _patterns(meaning))


@functools.cache
def _patterns(*meanings: str) -> tuple[re.Pattern[str], ...]:
    known = load("filters.toml", _FilterFile).header_line
    return tuple(re.compile(item.pattern, re.IGNORECASE) for item in known if item.meaning in meanings)


def without_names(history: Iterable[str]) -> tuple[str, ...]:
    """Return of lines of a header only the words that have a meaning, no names of files."""
    kept = []
    for line in history:
        for pattern in _patterns("absence-stated", "lifted"):
            if found := pattern.search(line):
                words, blank = found[0].split(), " " if found[0][0].isspace() else ""
                shorter = ([*words[:head], *words[head:][-tail:]] for head in (1, 2) for tail in (1, 2))
                masked = ["x" if set(word) & set("./") else word for word in words]
                texts = (blank + " ".join(some) for some in (*shorter, masked, words))
                kept.append(next(text for text in texts if pattern.search(text)))
    return tuple(kept)


class Reading(Struct, frozen=True):
    """What one sample shows in one record."""

    record: SiteRecord
    fields: Fields
    spelled: tuple[Letter, ...]  # the letter of each allele of the record, REF first
    problem: SiteState | None  # the state that forbids its use
    shown: Shown  # two letters in the order of the genotype, None for a "."; empty without a genotype
    phase: observe.Phase | None
    evidence: GenotypeEvidence | None
    depth: int | None
    quality: float | None
    filter: str | None
    findings: tuple[Finding, ...]


def read(record: SiteRecord, sample: int, site: Site, context: ReadContext, *, block: bool) -> Reading:
    """Read one sample of one record at `site`. A block is read as reference over its whole length."""
    fields = record.fields(sample)
    spelled = _spelled(record, site)
    findings: list[Finding] = []
    problem, genotype = _genotype(record, fields, site, findings)
    shown: Shown = tuple(None if i is None else spelled[i] for i in genotype.indices)
    if block and problem is None and not {"GT", "LGT"} & fields.keys():
        shown = (spelled[0], spelled[0])
    is_ours = len(shown) == 2 and all(letter in site.counted for letter in shown)
    copies, is_phred = shown.count(site.counted[1]) if is_ours else None, context.gl_is_phred
    given = (record, fields, spelled, site.counted)
    stated = FieldReader(*given, copies=copies, gl_is_phred=is_phred, block=block)
    evidence = stated.evidence() if problem is None else None
    filters = _filters(record, fields, genotype)
    quality, reads = stated_quality(fields), depth(record, fields, block=block)
    if filters is not None and problem is None:
        findings.append(site_finding("filtered-site", site, filter=filters))
        problem = None if context.keep_filtered else SiteState.FILTERED
    if problem is None and _is_stated_absence(genotype, evidence, fields, context):
        problem = SiteState.ABSENT
    if problem is None and _is_no_call(fields, shown, evidence, reads):
        problem = SiteState.NO_CALL
    if problem is None and evidence is not None and stated.contradicts(evidence):
        problem = SiteState.UNSUPPORTED
        findings.append(site_finding("contradicting-quality", site))
    problem = problem or _low_quality(quality, reads, evidence, context)
    if evidence is not None and evidence.imputed:
        findings.append(site_finding("imputed", site))
        score = imputation_score(record)
        if score is not None and score < threshold("low_imputation_quality"):
            findings.append(site_finding("low-imputation-quality", site, score=f"{score:g}"))
    said = (problem, shown, genotype.phase, evidence, reads, quality, filters)
    return Reading(record, fields, spelled, *said, tuple(findings))


def _genotype(
    record: SiteRecord, fields: Fields, site: Site, findings: list[Finding]
) -> tuple[SiteState | None, Genotype]:
    """Return the genotype, with UNSUPPORTED (and a finding) where it cannot be one of chromosome 19."""
    try:
        genotype = read_genotype(record, fields)
    except GenotypeTextError:
        findings.append(site_finding("invalid-genotype", site))
        return SiteState.UNSUPPORTED, Genotype(indices=(), phase=None)
    if len(genotype.indices) == 2 or all(index is None for index in genotype.indices):
        return None, genotype
    code = "haploid-call" if len(genotype.indices) == 1 else "polyploid-call"
    findings.append(site_finding(code, site))
    return SiteState.UNSUPPORTED, genotype


def _spelled(record: SiteRecord, site: Site) -> tuple[Letter, ...]:
    """Return the letter of each allele, REF first; in a block beyond its first base the assembly's own."""
    if spelling.covers_with_bases(record, site.position):
        return spelling.letters_of(record, site.position)
    spelled: list[Letter] = [site.ref or Other.UNKNOWN]
    for allele in record.alternates:
        deleted = Other.DELETED if spelling.is_deleted(allele) else Other.STRUCTURAL
        spelled.append(Other.UNSEEN if spelling.is_unseen(allele) else deleted)
    return tuple(spelled)


def _is_stated_absence(
    genotype: Genotype, evidence: GenotypeEvidence | None, fields: Fields, context: ReadContext
) -> bool:
    if not context.absence_is_stated or evidence is None or set(genotype.indices) != {0}:
        return False
    said = {key for key, text in fields.items() if set(text) - set(".,")}
    return evidence.kind is observe.EvidenceKind.GT and not said & spelling.MEASURED_FIELDS


def _filters(record: SiteRecord, fields: Fields, genotype: Genotype) -> str | None:
    # Some callers write "found to be reference" as a filter; beside 0/0 or no genotype that is none.
    passed = _reference_filters() if set(genotype.indices) <= {0, None} else frozenset()
    names = [name for name in record.filters if name.lower() not in passed]
    of_sample = fields.get("FT", observe.MISSING)
    if of_sample not in {"", observe.MISSING, "PASS"} and of_sample.lower() not in passed:
        names.append(f"FT={of_sample}")
    return ";".join(names) or None


def _is_no_call(fields: Fields, shown: Shown, evidence: GenotypeEvidence | None, reads: int | None) -> bool:
    # Without GT in FORMAT, likelihoods stand for themselves; of an imputation GP or DS do so always.
    if all(letter is None for letter in shown):
        return evidence is None or not (evidence.imputed or "GT" not in fields)
    if evidence is None:  # a half call, or an allele that is none of ours
        return Other.DELETED not in shown and (reads == 0 or stated_quality(fields) == 0)
    # A genotype rests on nothing without reads, or where its likelihoods are all the same.
    if evidence.kind in {observe.EvidenceKind.PL, observe.EvidenceKind.GL}:
        return len(set(evidence.values)) == 1 or (reads == 0 and len(set(shown)) == 1)
    if evidence.kind in {observe.EvidenceKind.GQ, observe.EvidenceKind.DEPTH} and evidence.values[0] == 0:
        return True
    return reads == 0 and not evidence.imputed


def _low_quality(
    quality: float | None, reads: int | None, evidence: GenotypeEvidence | None, context: ReadContext
) -> SiteState | None:
    """Return LOW_QUALITY below a limit of the user, or for an imputed genotype without probabilities."""
    if evidence is not None and evidence.kind is observe.EvidenceKind.GT and evidence.imputed:
        return SiteState.LOW_QUALITY
    if quality is None and evidence is not None and evidence.kind in {"PL", "GL", "AD"}:
        # Where no genotype quality is stated, --min-gq goes by the distance of the two best.
        quality = sorted(phred_by_copies(evidence) or (0.0, 0.0))[1]
    too_doubtful = context.min_gq > 0 and (quality is None or quality < context.min_gq)
    too_few = context.min_dp > 0 and (reads is None or reads < context.min_dp)
    return SiteState.LOW_QUALITY if too_doubtful or too_few else None
