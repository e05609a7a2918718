"""What a manifest states of people, for the heads of their reports; a birth date may withhold a result."""

from __future__ import annotations

import datetime

from pgx.cohort.manifest import PERSONAL_COLUMNS
from pgx.cohort.model import Failure, Job
from pgx.render.form import PatientMeta

#: Stands for every sample of an input in what a manifest says.
EVERYBODY = ""
#: The flag of a minor.
MINOR = "minor"


def is_flagged_minor(flags: str | None) -> bool:
    """Say whether the flags of a sample, joined by ";", have the one of a minor."""
    return MINOR in (flags or "").split(";")


def meta_of(job: Job, sample: str) -> PatientMeta | None:
    """Return what the manifest states of a sample of an input: its own row goes before that of the input."""
    return job.meta.get(sample, job.meta.get(EVERYBODY))


def born_of(job: Job, sample: str) -> datetime.date | None:
    """Return the birth date that the manifest states of a sample."""
    meta = meta_of(job, sample)
    return None if meta is None else meta.born


def has_birth_dates(job: Job) -> bool:
    """Say whether the manifest states a birth date of anybody in an input."""
    return any(meta.birth_date is not None for meta in job.meta.values())


def unclear_person(job: Job, samples: int) -> Failure | None:
    """Refuse a row that states facts of one person for an input that holds several."""
    stated = job.meta.get(EVERYBODY)
    if stated is None or samples < 2:
        return None
    fields = sorted(name for name in PERSONAL_COLUMNS if getattr(stated, name) is not None)
    if not fields:
        return None
    return Failure(
        input=job.path,
        error=f"holds {samples} samples, and its row in the manifest has a {fields[0]} without a sample",
        cure="Name the sample in the column `sample`",
    )
