"""The limits of reference/cohort.toml."""

from __future__ import annotations

import functools

from pgx.reference import Facts, Provenance, load


class Alarms(Facts, frozen=True, kw_only=True):
    """Limits of alarms; the file says what each number means."""

    min_samples: int
    frequency_z: float
    hardy_weinberg_p: float
    batch_missing_share: float
    other_missing_share: float
    batch_min_samples: int
    absent_share: float
    neighbours_min_samples: int
    neighbours_plate_share: float
    neighbours_strand_share: float
    imputed_open_share: float
    rare_excess: float
    swap_min_people: int
    swap_left_share: float
    swap_chance: float
    estimate_margin: float


class Page(Facts, frozen=True, kw_only=True):
    """What fits on the page, and the lower edges of bins."""

    max_strata: int
    max_by: int
    min_group: int
    shared_group_times: int
    max_listed: int
    max_table: int
    static_rows: int
    multiqc_samples: int
    false_discovery_rate: float
    depth_bins: tuple[float, ...]
    quality_bins: tuple[float, ...]
    probability_bins: tuple[float, ...]


class SamePeople(Facts, frozen=True, kw_only=True):
    """When inputs that list the same samples are of the same people."""

    min_samples: int


class _CohortFile(Facts, frozen=True, kw_only=True):
    provenance: Provenance
    alarms: Alarms
    page: Page
    same_people: SamePeople


@functools.cache
def _file() -> _CohortFile:
    return load("cohort.toml", _CohortFile)


def alarm_limits() -> Alarms:
    """Return the limits of alarms."""
    return _file().alarms


def page_limits() -> Page:
    """Return what fits on the page."""
    return _file().page


def least_group(least: int) -> int:
    """Return how many samples a group must have on a shared page that hides counts below `least`."""
    return page_limits().shared_group_times * least


def least_same_people() -> int:
    """Return the least number of samples whose equal names make two inputs of the same people."""
    return _file().same_people.min_samples
