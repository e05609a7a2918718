"""`--population estimate`: likelihoods of a cohort's own people, group by group, and frequencies from them.

A run that estimates reads its inputs twice: first only for the likelihoods, of which each input keeps the
classes of people that are alike; then, under the frequencies that these give, for everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from pgx.calling import Estimated, haplotype_frequencies, populations
from pgx.calling.estimation import estimate, read_at_both
from pgx.cohort.jobs import Failure, Job, Known, alarm_limits, estimating, group_of
from pgx.cohort.store import State
from pgx.cohort.tables import arrow
from pgx.cohort.tables.arrow import first_of
from pgx.errors import UsageError, printable
from pgx.reference import threshold

_DIPLOTYPES = 10
_MANY = 1 << 18  # classes that are kept before equal ones are joined
_OTHERS = "Give these people a population that ships in a run of their own, or join groups"


class Classes(Struct, frozen=True):
    """Classes of people with the same data: likelihoods of the ten diplotypes, shape (k, 10), and people."""

    likelihoods: npt.NDArray[np.float32]
    people: npt.NDArray[np.int64]

    def packed(self) -> bytes:
        """Return this as bytes."""
        return self.people.astype("<i8").tobytes() + self.likelihoods.astype("<f4").tobytes()


def classes_of(likelihoods: npt.NDArray[np.float64]) -> Classes:
    """Return the classes of people by their likelihoods in any scale, shape (n, 10)."""
    most = likelihoods.max(axis=1, keepdims=True)
    scaled = np.where(most > 0, likelihoods / np.where(most > 0, most, 1), 1).astype(np.float32)
    return _joined([Classes(scaled, np.ones(len(scaled), dtype=np.int64))])


def _unpacked(data: bytes) -> Classes:
    count = len(data) // (8 + 4 * _DIPLOTYPES)
    people = np.frombuffer(data, dtype="<i8", count=count)
    return Classes(np.frombuffer(data, dtype="<f4", offset=8 * count).reshape(count, _DIPLOTYPES), people)


def _joined(parts: Sequence[Classes]) -> Classes:
    rows = np.concatenate([np.empty((0, _DIPLOTYPES), np.float32), *(part.likelihoods for part in parts)])
    people = np.concatenate([np.empty(0, np.int64), *(part.people for part in parts)])
    edges = np.arange(len(rows) + 1, dtype=np.int64) * rows.itemsize * _DIPLOTYPES
    codes = arrow.line_codes(rows.tobytes(), edges)
    firsts = first_of(codes)
    return Classes(rows[firsts], np.bincount(codes, people, len(firsts)).astype(np.int64))


def _all_joined(parts: Iterable[bytes]) -> Classes:
    """Return the classes of all inputs; memory holds some more than the different ones."""
    waiting: list[Classes] = []
    size = 0
    for data in parts:
        waiting.append(_unpacked(data))
        size += len(waiting[-1].people)
        if size > max(_MANY, 2 * len(waiting[0].people)):
            waiting = [_joined(waiting)]
            size = len(waiting[0].people)
    return _joined(waiting)


class Group(Struct, frozen=True, kw_only=True):
    """A group of the manifest, and what was estimated of it."""

    group: str  # "" for people without one
    samples: int
    people: int  # samples whose data say something
    read: int  # samples of whom both sites were read
    frequencies: tuple[float, ...] = ()  # as in `pgx.calling.estimation.Estimate`; empty for too few people
    worth: tuple[float, ...] = ()  # as these

    @property
    def population(self) -> str:
        """Return the name of its population."""
        return Estimated(people=self.people, group=self.group, frequencies=self.frequencies).name


def estimate_groups(state: State, jobs: Sequence[Job], known: Mapping[str, Known]) -> list[Group]:
    """Return the groups and their frequencies; `UsageError` if everybody wants some and no group is large."""
    groups = []
    for name in sorted({own for job in jobs if (own := group_of(job.options)) is not None}):
        keys = dict.fromkeys(job.key for job in jobs if group_of(job.options) == name)
        stored = (state.run_of(key) for key in keys if key in known and known[key].samples)
        found = _all_joined(stored)
        rows = found.likelihoods.astype(np.float64)
        said = np.ptp(rows, axis=1) > 0
        some = (found.people, found.people[said], found.people[read_at_both(rows)])
        samples, people, read = (int(each.sum()) for each in some)
        group = Group(group=name, samples=samples, people=people, read=read)
        if read >= threshold("estimate_min_people"):
            result = estimate(rows[said], found.people[said])
            group = replace(group, frequencies=result.frequencies, worth=result.worth)
        groups.append(group)
    everybody = all(group_of(job.options) is not None for job in jobs if job.failure is None)
    if everybody and any(item.samples for item in groups) and not any(item.frequencies for item in groups):
        most = max(groups, key=lambda item: item.read)
        raise UsageError(_too_few(most), where="--population estimate", cure="Name a population that ships")
    return groups


def _too_few(group: Group) -> str:
    who = f"in the group '{printable(group.group)}'" if group.group else "among those without a group"
    least = round(threshold("estimate_min_people"))
    return f"both sites were read in {group.read} people {who}, and {least} are needed for an estimate"


def settled(job: Job, known: Known | None, groups: Mapping[str, Group]) -> Job:
    """Return a job under the frequencies of its group; it fails if it did, or if its group is too small."""
    name = group_of(job.options)
    if name is None or job.failure is not None:
        return job
    if known is not None and known.failure is not None:
        return replace(job, failure=known.failure)
    group = groups[name]
    if group.frequencies:
        return replace(job, options=replace(job.options, population=group.population))
    return replace(job, failure=Failure(input=job.path, error=_too_few(group), cure=_OTHERS))


def first_reading(jobs: Iterable[Job], groups: Sequence[Group]) -> set[str]:
    """Return the keys under which the first reading of these jobs, which are `settled`, is stored."""
    names = {item.population: item.group for item in groups if item.frequencies}
    return {
        replace(job, options=estimating(job.options, group), failure=None).key
        for job in jobs
        if (group := names.get(job.options.population, group_of(job.options))) is not None
    }


def nearest(frequencies: Sequence[float]) -> tuple[str, float]:
    """Return the population that ships with the nearest frequencies, and half the sum of the differences."""
    shipped = {item.name: haplotype_frequencies(item.name) for item in populations()}
    pairs = {name: zip(frequencies, own, strict=True) for name, own in shipped.items()}
    far = ((name, sum(abs(one - other) for one, other in both) / 2) for name, both in pairs.items())
    return min(far, key=lambda item: item[1])


def shipped_ranges(level: str | None = None) -> list[tuple[float, float]]:
    """Return the least and the greatest frequency of each haplotype among the populations (of a level)."""
    rows = [haplotype_frequencies(item.name) for item in populations() if level in {None, item.level}]
    return [(min(column), max(column)) for column in zip(*rows, strict=True)]


def is_implausible(row: Mapping[str, Any]) -> bool:
    """Return whether the whole interval of a haplotype is beyond all populations that ship, and a margin."""
    (low, high), margin = row["shipped"], alarm_limits().estimate_margin
    return bool(row["share"] and (row["low"] > high + margin or row["high"] < low - margin))
