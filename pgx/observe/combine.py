"""Several records at one site, one sample: duplicates, split multi-allelic lines, deletions over it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from pgx.genome.sites import Site, letters
from pgx.observe.letters import Letter, Other, variant_keys
from pgx.observe.model import Finding, Phase
from pgx.observe.reading import Reading


class Combined(Struct, frozen=True, kw_only=True):
    """What the records of a site say together.

    Attributes
    ----------
    primary
        The reading whose quality, depth and evidence stand for the site.
    shown
        Two letters, None for one that was not called; empty where there is no genotype.
    own_evidence
        Whether the evidence of `primary` is about exactly these letters.
    conflict
        Whether the records contradict each other.
    """

    primary: Reading
    shown: tuple[Letter | None, ...]
    phase: Phase | None
    own_evidence: bool
    conflict: bool = False
    findings: tuple[Finding, ...] = ()


def combine(readings: Sequence[Reading], site: Site) -> Combined:
    """Join the readings of all records that spell the site; there is at least one, none has a problem."""
    if len(readings) == 1:
        only = readings[0]
        return Combined(primary=only, shown=only.shown, phase=only.phase, own_evidence=True)
    distinct: list[Reading] = []
    repeated = False
    for reading in readings:
        twin = next((kept for kept in distinct if _same_variant(kept, reading)), None)
        if twin is None:
            distinct.append(reading)
        elif not _agree(twin, reading):
            return _conflict(readings)
        else:
            repeated = True
    findings = (Finding(code="duplicate-records", values={"rsid": site.rsid}),) if repeated else ()
    if len(distinct) == 1:
        only = min(readings, key=_stated)
        return Combined(
            primary=only, shown=only.shown, phase=only.phase, own_evidence=True, findings=findings
        )
    return _merge_split(distinct, findings)


def _stated(reading: Reading) -> float:
    """Order repeated records by stated quality: of two that agree, the more doubtful one counts."""
    return math.inf if reading.quality is None else reading.quality


def _same_variant(one: Reading, other: Reading) -> bool:
    """Say whether two records describe the same variant, or one says "reference" without naming an ALT."""
    if not one.variants or not other.variants:
        return True
    return bool(variant_keys(one.record) & variant_keys(other.record))


def shows_other(reading: Reading, others: Sequence[Reading]) -> bool:
    """Say whether a record shows an ALT that none of the other records is about.

    On split lines the others then say "not my ALT" of a chromosome that need not be reference.
    """
    if any(_same_variant(reading, other) for other in others):
        return False
    return any(letter not in (None, reading.spelled[0]) for letter in reading.shown)


def _agree(one: Reading, other: Reading) -> bool:
    if one.phase and other.phase and one.phase.phase_set == other.phase.phase_set:
        return one.shown == other.shown
    return sorted(map(str, one.shown)) == sorted(map(str, other.shown))


def _conflict(readings: Sequence[Reading]) -> Combined:
    return Combined(primary=readings[0], shown=(), phase=None, own_evidence=False, conflict=True)


def _merge_split(readings: Sequence[Reading], findings: tuple[Finding, ...]) -> Combined:
    """Join the lines of a split multi-allelic site, where 0 means "not this ALT"."""
    if not all(reading.shown for reading in readings):
        return _conflict(readings)  # without a genotype on each line nothing can be summed
    reference = readings[0].spelled[0]
    phases = {reading.phase for reading in readings}
    phase = next(iter(phases)) if len(phases) == 1 else None
    shown = _by_slot(readings, reference) if phase is not None else _by_count(readings, reference)
    if shown is None:
        return _conflict(readings)
    informative = [reading for reading in readings if set(letters()) <= set(reading.spelled)]
    primary = informative[0] if informative else readings[0]
    own = sorted(map(str, primary.shown)) == sorted(map(str, shown))
    return Combined(primary=primary, shown=shown, phase=phase, own_evidence=own, findings=findings)


def _by_count(readings: Sequence[Reading], reference: Letter) -> tuple[Letter | None, ...] | None:
    """Sum the alternate alleles of unphased lines; None where they are more than two."""
    alternates = [letter for reading in readings for letter in _alternates(reading, reference)]
    if len(alternates) > 2:
        return None
    rest = 2 - len(alternates)
    complete = all(None not in reading.shown for reading in readings)
    return (*alternates, *([reference if complete else None] * rest))


def _alternates(reading: Reading, reference: Letter) -> list[Letter]:
    return [letter for letter in reading.shown if letter is not None and letter != reference]


def _by_slot(readings: Sequence[Reading], reference: Letter) -> tuple[Letter | None, ...] | None:
    """Join phased lines chromosome by chromosome; None where two lines put an ALT on the same one."""
    joined: list[Letter | None] = []
    for slot in zip(*(reading.shown for reading in readings), strict=True):
        alternates = [letter for letter in slot if letter is not None and letter != reference]
        if len(alternates) > 1:
            return None
        joined.append(alternates[0] if alternates else (None if None in slot else reference))
    return tuple(joined)


def deleted_copies(readings: Sequence[Reading]) -> int:
    """Return on how many chromosomes the length records say that the base is missing (0, 1 or 2)."""
    return min(2, max((reading.shown.count(Other.DELETED) for reading in readings), default=0))
