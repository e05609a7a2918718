"""How sure a record is of a genotype: PL, GL, GP, DS, GQ or depth, sorted by copies of the counted letter.

Nothing is turned into a probability here; that is the caller's work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from pgx.observe.alleles import Letter, Other
from pgx.observe.genotype import local_alleles, number, numbers
from pgx.observe.model import EvidenceKind, GenotypeEvidence, SiteRecord
from pgx.reference import threshold

_IMPUTATION_FIELDS = frozenset({"GP", "DS", "HDS"})
_IMPUTATION_KEYS = frozenset({"IMP", "IMPUTED", "R2", "DR2", "ER2", "AR2", "INFO", "INFO_SCORE"})
_IMPUTATION_MARKS = frozenset({"IMP", "IMPUTED", "DR2"})  # nothing but an imputation writes these
_TYPED = frozenset({"TYPED", "TYPED_ONLY", "GENOTYPED"})
_IMPUTATION_SCORES = ("DR2", "R2", "INFO", "INFO_SCORE")
_SUM_TOLERANCE = 0.05
_PHRED_SUM_TOLERANCE = 0.2  # whole Phred numbers of three probabilities


def is_from_imputation(record: SiteRecord) -> bool:
    """Return whether an imputation wrote the record: its INFO marks, or GP or DS beside its INFO keys."""
    keys = record.info.keys()
    if keys & _IMPUTATION_MARKS:
        return True
    fields = _IMPUTATION_FIELDS.intersection(record.format)
    return bool(fields) and bool(keys & (_IMPUTATION_KEYS | _TYPED))


def is_imputed(record: SiteRecord) -> bool:
    """Return whether the genotypes of a record were imputed, and not typed in a file that holds both."""
    return is_from_imputation(record) and not (record.info.keys() & _TYPED)


def imputation_score(record: SiteRecord) -> float | None:
    """Return DR2, R2 or INFO of an imputed record, or None."""
    return next(
        (score for key in _IMPUTATION_SCORES if (score := number(record.info.get(key))) is not None), None
    )


def genotype_evidence(
    record: SiteRecord,
    fields: Mapping[str, str],
    letters: Sequence[Letter],
    counted: tuple[str, str],
    *,
    copies: int | None,
    gl_is_phred: bool,
) -> GenotypeEvidence | None:
    """Return the best quality statement of one sample in one record.

    Parameters
    ----------
    letters
        The letter of each allele at the site, REF first.
    counted
        The two letters; genotypes are sorted by copies of the second.
    copies
        Copies of the second letter in the genotype as read, None where there is no genotype.
    gl_is_phred
        GL holds negative Phred values (Complete Genomics declares it as an integer), not log10.

    Returns
    -------
    GenotypeEvidence or None
        PL, GL, GP, DS, GQ or GT, in this order, but GP or DS first where the record is imputed. None
        when there is neither a genotype nor a likelihood.
    """
    reader = _Reader(record, fields, letters, counted, gl_is_phred)
    imputed = is_imputed(record)
    likelihoods = (reader.phred_likelihoods, reader.log_likelihoods)
    posteriors = (reader.posteriors, reader.dosage)
    for read in (*posteriors, *likelihoods) if is_from_imputation(record) else (*likelihoods, *posteriors):
        found = read()
        if found is not None:
            kind, values = found
            return GenotypeEvidence(kind=kind, values=values, copies=copies, imputed=imputed)
    if copies is None:
        return None
    quality = stated_quality(fields)
    if quality is not None:
        return GenotypeEvidence(kind=EvidenceKind.GQ, values=(quality,), copies=copies, imputed=imputed)
    return GenotypeEvidence(kind=EvidenceKind.GT, copies=copies, imputed=imputed)


def stated_quality(fields: Mapping[str, str]) -> float | None:
    """Return the Phred-scaled genotype quality: GQX (Strelka), GQ, or GATK's RGQ; None without one."""
    for key in ("GQX", "GQ", "RGQ"):
        value = number(fields.get(key))
        if value is not None and value >= 0:
            return value
    return None


def depth(record: SiteRecord, fields: Mapping[str, str], *, block: bool) -> int | None:
    """Return the reads at the site: the least of a block (MIN_DP, MinDP), else DP, else the sum of AD."""
    candidates = [fields.get("DP"), fields.get("DPI")]
    if block:
        candidates = [
            fields.get("MIN_DP"),
            fields.get("MinDP"),
            record.info.get("MinDP"),
            record.info.get("MIN_DP"),
            *candidates,
        ]
    for text in candidates:
        value = number(text)
        if value is not None and value >= 0:
            return int(value)
    reads = [value for value in numbers(fields.get("AD")) if value is not None and value >= 0]
    return int(sum(reads)) if reads else None


def phred_gap(evidence: GenotypeEvidence) -> float | None:
    """Return how far the second best genotype is from the best, Phred-scaled; None without PL or GL."""
    scale = {EvidenceKind.PL: 1.0, EvidenceKind.GL: -10.0}.get(evidence.kind)
    if scale is None:
        return None
    ranked = sorted(scale * value for value in evidence.values if value is not None)
    return ranked[1] - ranked[0]


def contradicts(evidence: GenotypeEvidence) -> bool:
    """Return whether the genotype as read is much less likely than another, by the record's own numbers."""
    if evidence.copies is None:
        return False
    limit = threshold("contradiction_phred")
    own = evidence.values[evidence.copies] if len(evidence.values) > evidence.copies else None
    known = [value for value in evidence.values if value is not None]
    match evidence.kind:
        case EvidenceKind.PL if own is not None:
            return own - min(known) >= limit
        case EvidenceKind.GL if own is not None:
            return 10 * (max(known) - own) >= limit
        case EvidenceKind.GP if own is not None:
            return own <= max(known) * 10 ** (-limit / 10)
        case EvidenceKind.DS:
            return abs(known[0] - evidence.copies) > 1
    return False


def reads_contradict(
    evidence: GenotypeEvidence, fields: Mapping[str, str], spelled: Sequence[Letter], counted: tuple[str, str]
) -> bool:
    """Return whether the reads by allele (AD) speak against the genotype, where nothing better speaks for it.

    Likelihoods (PL, GL) have weighed the reads already, base by base; a genotype with a quality or without
    one has not. The rule is that of `contradicts`, with binomial likelihoods of the reads.
    """
    values = numbers(fields.get("AD"))
    if evidence.copies is None or evidence.kind not in {EvidenceKind.GT, EvidenceKind.GQ}:
        return False
    if len(values) != len(spelled) or any(value is None or value < 0 for value in values):
        return False
    reads = [
        sum(value or 0 for value, letter in zip(values, spelled, strict=True) if letter == wanted)
        for wanted in counted
    ]
    error = threshold("base_error_rate")
    shares = (error, 0.5, 1 - error)
    phred = [-10 * (reads[0] * math.log10(1 - share) + reads[1] * math.log10(share)) for share in shares]
    return phred[evidence.copies] - min(phred) >= threshold("contradiction_phred")


class _Reader:
    """The likelihood fields of one sample, read on demand."""

    def __init__(
        self,
        record: SiteRecord,
        fields: Mapping[str, str],
        letters: Sequence[Letter],
        counted: tuple[str, str],
        gl_is_phred: bool,
    ) -> None:
        self._fields = fields
        self._letters = letters
        self._counted = counted
        self._gl_is_phred = gl_is_phred
        self._local = local_alleles(record, fields)

    def phred_likelihoods(self) -> tuple[EvidenceKind, tuple[float | None, ...]] | None:
        """Return PL (or LPL) by copies."""
        if "PL" in self._fields:
            values, letters = numbers(self._fields["PL"]), self._letters
        elif "LPL" in self._fields and self._local is not None:
            values = numbers(self._fields["LPL"])
            letters = [self._letters[index] for index in self._local]
        else:
            return None
        if any(value is not None and value < 0 for value in values):
            return None
        return self._sorted(EvidenceKind.PL, values, letters, min)

    def log_likelihoods(self) -> tuple[EvidenceKind, tuple[float | None, ...]] | None:
        """Return GL by copies; a GL with a positive value is no log10 and is left out."""
        values = numbers(self._fields.get("GL"))
        if not values or any(value is not None and value > 0 for value in values):
            return None
        if self._gl_is_phred:
            return self._sorted(
                EvidenceKind.PL, [None if v is None else -v for v in values], self._letters, min
            )
        return self._sorted(EvidenceKind.GL, values, self._letters, max)

    def posteriors(self) -> tuple[EvidenceKind, tuple[float | None, ...]] | None:
        """Return GP by copies, linear: it is Phred-scaled where that sums to one, and else no GP."""
        values = numbers(self._fields.get("GP"))
        known = [value for value in values if value is not None]
        if not known or len(known) != len(values) or min(known) < 0:
            return None
        if abs(sum(known) - 1) > _SUM_TOLERANCE:
            linear = [10 ** (-value / 10) for value in known]
            if abs(sum(linear) - 1) > _PHRED_SUM_TOLERANCE:
                return None
            known = [value / sum(linear) for value in linear]
        return self._sorted(EvidenceKind.GP, known, self._letters, sum)

    def dosage(self) -> tuple[EvidenceKind, tuple[float | None, ...]] | None:
        """Return DS as the expected copies of the counted letter."""
        values = numbers(self._fields.get("DS"))
        if not values or len(values) != len(self._letters) - 1:
            return None
        if any(value is None or not 0 <= value <= 2 for value in values):
            return None
        doses = [value for value in values if value is not None]
        by_allele = [2 - sum(doses), *doses]
        if not set(self._letters) <= set(self._counted) or by_allele[0] < -_SUM_TOLERANCE:
            return None
        dose = sum(
            d for d, letter in zip(by_allele, self._letters, strict=True) if letter == self._counted[1]
        )
        return EvidenceKind.DS, (min(max(dose, 0.0), 2.0),)

    def _sorted(
        self,
        kind: EvidenceKind,
        values: Sequence[float | None],
        letters: Sequence[Letter],
        join: Callable[[Iterable[float]], float],
    ) -> tuple[EvidenceKind, tuple[float | None, ...]] | None:
        """Sort values in genotype order by copies of the counted letter; None unless all three are stated.

        Genotype (j, k), j <= k, stands at k(k+1)/2 + j. An unnamed allele (<NON_REF>, <*>) stands in
        for a letter that the record does not name.
        """
        if len(values) != len(letters) * (len(letters) + 1) // 2:
            return None
        copies = self._copies_by_allele(letters)
        classes: list[list[float]] = [[], [], []]
        for high, high_copies in enumerate(copies):
            for low, low_copies in enumerate(copies[: high + 1]):
                value = values[high * (high + 1) // 2 + low]
                if high_copies is not None and low_copies is not None and value is not None:
                    classes[low_copies + high_copies].append(value)
        if not all(classes):
            return None
        return kind, tuple(join(group) for group in classes)

    def _copies_by_allele(self, letters: Sequence[Letter]) -> list[int | None]:
        missing = [letter for letter in self._counted if letter not in letters]
        stand_in = self._counted.index(missing[0]) if len(missing) == 1 else None
        return [
            self._counted.index(letter)
            if isinstance(letter, str) and letter in self._counted
            else (stand_in if letter is Other.UNSEEN else None)
            for letter in letters
        ]
