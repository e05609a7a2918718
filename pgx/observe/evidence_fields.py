"""How sure a record is of a genotype: which fields count, in which order, and which contradict each other.

1. Likelihoods stand alone: PL (LPL), then GL, GP, DS; of an imputation GP or DS come first.
2. Where there is none, the weakest counts of: GQ (GQX, RGQ), the reads by allele, the number of reads, and
   QUAL where it speaks of this sample: all that is stated limits the first (`GenotypeEvidence.limits`).
3. The genotype alone comes last, with an error rate that is assumed.

A block is never surer than its reads, whatever it states. All is sorted by copies of the counted letter.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Sequence

from pgx.observe import EvidenceKind, Fields, GenotypeEvidence, SiteRecord
from pgx.observe.alleles import Letter, Other
from pgx.observe.fields import depth, local_alleles, number, numbers, reads_by_allele
from pgx.reference import threshold

_TYPED = frozenset({"TYPED", "TYPED_ONLY", "GENOTYPED"})
_SUM_TOLERANCE = 0.05

Values = tuple[float | None, ...]
Stated = tuple[EvidenceKind, Values]
Limits = tuple[GenotypeEvidence, ...]
Join = Callable[[Iterable[float]], float]


def is_from_imputation(record: SiteRecord) -> bool:
    """Return whether an imputation wrote the record: its INFO marks, or GP or DS beside its INFO keys."""
    keys = record.info.keys()
    if keys & {"IMP", "IMPUTED", "DR2"}:  # nothing but an imputation writes these
        return True
    is_scored = keys & {*_TYPED, "R2", "ER2", "AR2", "INFO", "INFO_SCORE"}
    return bool(is_scored) and not {"GP", "DS", "HDS"}.isdisjoint(record.format)


def is_imputed(record: SiteRecord) -> bool:
    """Return whether the genotypes of a record were imputed, and not typed in a file that holds both."""
    return is_from_imputation(record) and not (record.info.keys() & _TYPED)


def imputation_score(record: SiteRecord) -> float | None:
    """Return DR2, R2 or INFO of an imputed record, or None."""
    scores = (number(record.info.get(key)) for key in ("DR2", "R2", "INFO", "INFO_SCORE"))
    return next((score for score in scores if score is not None), None)


class FieldReader:
    """What one sample of one record states of its genotype at the site."""

    def __init__(
        self,
        record: SiteRecord,
        fields: Fields,
        letters: tuple[Letter, ...],  # of each allele at the site, REF first
        counted: tuple[str, str],  # genotypes are sorted by copies of the second
        *,
        copies: int | None,  # of the second letter in the genotype as read; None without a genotype
        gl_is_phred: bool,  # as in `ReadContext`
        block: bool = False,  # whether the record is a reference block
    ) -> None:
        self._record, self._fields, self._block = record, fields, block
        self._letters, self._counted, self._copies = letters, counted, copies
        self._gl_is_phred, self._imputed = gl_is_phred, is_imputed(record)
        # QUAL of several samples speaks of all together.
        self._quality = record.quality if len(record.samples) == 1 else None
        ways = (self._phred_likelihoods, self._log_likelihoods, self._posteriors, self._dosage)
        ordered = (*ways[2:], *ways[:2]) if is_from_imputation(record) else ways
        self._likelihoods = [found for way in ordered if (found := way()) is not None]

    def evidence(self) -> GenotypeEvidence | None:
        """Return what counts, by the order of this module; None without a genotype and a likelihood."""
        if self._likelihoods:
            return self._made(*self._likelihoods[0], limits=self._reads_limit() if self._block else ())
        if self._copies is None:
            return None
        quality = stated_quality(self._fields)
        kinds = [] if quality is None else [self._made(EvidenceKind.GQ, (quality,))]
        kinds += ([] if self._block else self.reads_by_letter()[:1]) or self._reads_limit()
        if not kinds and self._block and self._copies != 1 and (self._quality or 0.0) > 0:
            kinds = [self._made(EvidenceKind.GQ, (self._quality,))]  # QUAL of a block stands for it
        if not kinds or (kinds[0].kind is EvidenceKind.DEPTH and not self._block):
            # Nobody states how sure the genotype is; reads say at least how sure it can be.
            return self._made(EvidenceKind.GT, (), limits=(*kinds[:1], *self._record_quality()))
        first, *others = kinds
        more = () if first.kind is EvidenceKind.GQ else self._record_quality()
        return self._made(first.kind, first.values, limits=(*others, *more))

    def contradicts(self, evidence: GenotypeEvidence) -> bool:
        """Return whether what counts, or the genotype, is contradicted by another field of the record."""
        # The genotype and a rounded dosage are by numbers that make them this much less likely than another
        # genotype; likelihoods and reads by each other where each says that of the other's best.
        limit = threshold("contradiction_phred")
        stated = [GenotypeEvidence(kind=kind, values=values) for kind, values in self._likelihoods]
        if not self._block:
            stated += self.reads_by_letter()
        claims = [] if self._copies is None else [{self._copies}]
        for item in stated:
            if item.kind is EvidenceKind.DS:
                dose = item.values[0] or 0.0
                claims.append({copies for copies in range(3) if abs(dose - copies) <= 0.5})
                if self._copies is not None and abs(dose - self._copies) >= 1:
                    return True
        found = [(item.kind, table) for item in stated if (table := phred_by_copies(item)) is not None]
        # Likelihoods have weighed the reads: these contradict a genotype only together with them.
        weighed = evidence.kind in _WEIGHED
        against = [table for kind, table in found if not (weighed and kind is EvidenceKind.AD)]
        if any(min([table[copies] for copies in claim]) >= limit for claim in claims for table in against):
            return True

        def reject(one: Sequence[float], other: Sequence[float]) -> bool:  # all that are the best of `one`
            return min(away for own, away in zip(one, other, strict=True) if own == 0) >= limit

        pairs = itertools.combinations([table for _, table in found], 2)
        return any(reject(one, other) and reject(other, one) for one, other in pairs)

    def _made(self, kind: EvidenceKind, values: Values, limits: Limits = ()) -> GenotypeEvidence:
        copies, imputed = self._copies, self._imputed
        return GenotypeEvidence(kind=kind, values=values, copies=copies, imputed=imputed, limits=limits)

    def _reads_limit(self) -> Limits:
        reads = depth(self._record, self._fields, block=self._block)
        return () if reads is None else (self._made(EvidenceKind.DEPTH, (float(reads),)),)

    def _record_quality(self) -> Limits:
        """Return QUAL where an ALT is called: the probability that there is none."""
        none = 2 * (self._letters[0] == self._counted[1])  # copies of the letter without any ALT
        is_stated = self._quality is not None and self._quality >= 0 and self._copies != none
        return (self._made(EvidenceKind.QUAL, (self._quality, float(none))),) if is_stated else ()

    def reads_by_letter(self) -> list[GenotypeEvidence]:
        """Return the reads with each of the two letters, as each field or pair of fields states them."""
        found, copies = [], copies_by_allele(self._letters, self._counted)
        for counts, others in reads_by_allele(self._record, self._fields):
            reads = [0.0, 0.0]
            for count, letter in zip(counts, copies, strict=True):
                if letter is not None:
                    reads[letter] += count
            if copies[0] is not None:
                reads[1 - copies[0]] += others
            if sum(reads) > 0:
                found.append(self._made(EvidenceKind.AD, (reads[0], reads[1])))
        return found

    def _phred_likelihoods(self) -> Stated | None:
        letters, values = self._letters, numbers(self._fields.get("PL"))
        local = local_alleles(self._record, self._fields)
        if "PL" not in self._fields and "LPL" in self._fields and local is not None:
            letters, values = tuple(letters[index] for index in local), numbers(self._fields["LPL"])
        if any(value is not None and value < 0 for value in values):
            return None
        return self._sorted(EvidenceKind.PL, values, letters, min)

    def _log_likelihoods(self) -> Stated | None:
        values = numbers(self._fields.get("GL"))  # with a positive value it is no log10, and left out
        if any(value is not None and value > 0 for value in values):
            return None
        if self._gl_is_phred:
            phred = tuple(None if value is None else -value for value in values)
            return self._sorted(EvidenceKind.PL, phred, self._letters, min)
        return self._sorted(EvidenceKind.GL, values, self._letters, max)

    def _posteriors(self) -> Stated | None:
        """Return GP by copies, linear: it is Phred-scaled where that sums to one, and else no GP."""
        values = numbers(self._fields.get("GP"))
        known = [value for value in values if value is not None]
        if not known or len(known) != len(values) or min(known) < 0:
            return None
        if abs(sum(known) - 1) > _SUM_TOLERANCE:
            linear = [10 ** (-value / 10) for value in known]
            if abs(sum(linear) - 1) > 0.2:  # whole Phred numbers of three probabilities
                return None
            known = [value / sum(linear) for value in linear]
        return self._sorted(EvidenceKind.GP, tuple(known), self._letters, sum)

    def _dosage(self) -> Stated | None:
        """Return DS, or the sum of HDS, as the expected copies of the counted letter."""
        values, by_haplotype = numbers(self._fields.get("DS")), numbers(self._fields.get("HDS"))
        if not values and len(by_haplotype) == 2 and None not in by_haplotype:
            values = (sum(value or 0.0 for value in by_haplotype),)
        doses = [value for value in values if value is not None and 0 <= value <= 2]
        if not doses or len(doses) != len(values) or len(doses) != len(self._letters) - 1:
            return None
        by_allele = [2 - sum(doses), *doses]
        if not set(self._letters) <= set(self._counted) or by_allele[0] < -_SUM_TOLERANCE:
            return None
        pairs = zip(by_allele, self._letters, strict=True)
        dose = sum(own for own, letter in pairs if letter == self._counted[1])
        return EvidenceKind.DS, (min(max(dose, 0.0), 2.0),)

    def _sorted(
        self,
        kind: EvidenceKind,
        values: Values,
        letters: tuple[Letter, ...],
        join: Callable[[Iterable[float]], float],
    ) -> Stated | None:
        """Sort values in genotype order by copies of the counted letter; None unless all three are stated."""
        if len(values) != len(letters) * (len(letters) + 1) // 2:
            return None
        classes: tuple[list[float], ...] = ([], [], [])
        for value, copies in zip(values, _copies_by_genotype(letters, self._counted), strict=True):
            if copies is not None and value is not None:
                classes[copies].append(value)
        return (kind, tuple(join(group) for group in classes)) if all(classes) else None


#: Kinds that have weighed the reads already, base by base.
_WEIGHED = frozenset({EvidenceKind.PL, EvidenceKind.GL, EvidenceKind.GP, EvidenceKind.DS})


def phred_by_copies(evidence: GenotypeEvidence) -> tuple[float, ...] | None:
    """Return how far each genotype is from the best, Phred-scaled; None without likelihoods or reads."""
    known = [value for value in evidence.values if value is not None]
    if evidence.kind is EvidenceKind.AD:
        return reads_phred(known[0], known[1])
    if evidence.kind is EvidenceKind.DS:
        known = dosage_probabilities(known[0])
    if evidence.kind not in _WEIGHED or len(known) != 3:
        return None
    if evidence.kind is EvidenceKind.PL:
        best = min(known)
        return tuple([value - best for value in known])
    best = max(known)
    if evidence.kind is EvidenceKind.GL:
        return tuple(10 * (best - value) for value in known)
    return tuple(-10 * math.log10(value / best) if value > 0 else math.inf for value in known)


@functools.cache
def read_weights() -> tuple[tuple[float, float], ...]:
    """Return by 0, 1, 2 copies how a read with either letter speaks against them, Phred-scaled."""
    error = threshold("base_error_rate")
    return tuple((-10 * math.log10(1 - share), -10 * math.log10(share)) for share in (error, 0.5, 1 - error))


def reads_phred(first: float, second: float) -> tuple[float, ...]:
    """Return how far 0, 1, 2 copies are from the best, Phred-scaled, for reads with each of the letters."""
    phred = [first * one + second * other for one, other in read_weights()]
    best = min(phred)
    return tuple([value - best for value in phred])


def dosage_probabilities(dose: float) -> list[float]:
    """Return the probabilities of 0, 1 and 2 copies for an expected number of copies `dose`."""
    share = dose / 2  # of both chromosomes, independently: of all rules with that mean it assumes least
    return [(1 - share) ** 2, 2 * share * (1 - share), share**2]


def stated_quality(fields: Fields) -> float | None:
    """Return the Phred-scaled genotype quality: GQX (Strelka), GQ, or GATK's RGQ; None without one."""
    values = (number(fields.get(key)) for key in ("GQX", "GQ", "RGQ"))
    return next((value for value in values if value is not None and value >= 0), None)


@functools.lru_cache(maxsize=256)
def _copies_by_genotype(letters: tuple[Letter, ...], counted: tuple[str, str]) -> tuple[int | None, ...]:
    # Genotype (j, k), j <= k, stands at k(k+1)/2 + j.
    copies = copies_by_allele(letters, counted)
    return tuple(
        None if low is None or high is None else low + high
        for place, high in enumerate(copies)
        for low in copies[: place + 1]
    )


@functools.lru_cache(maxsize=256)
def copies_by_allele(letters: tuple[Letter, ...], counted: tuple[str, str]) -> tuple[int | None, ...]:
    """Return for each allele which of the two letters it shows (0 or 1; unnamed: a missing one), or None."""
    missing = [letter for letter in counted if letter not in letters]
    known: dict[Letter, int] = {letter: place for place, letter in enumerate(counted)}
    if len(missing) == 1:
        known[Other.UNSEEN] = counted.index(missing[0])
    return tuple(map(known.get, letters))
