"""What a manifest states of people, for the heads of their reports; a birth date may withhold a result."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from pgx.cohort.manifest import PERSONAL_COLUMNS
from pgx.cohort.model import Failure, Job
from pgx.render.form import PatientMeta
from pgx.render.tsv import safe_cell

_EVERYBODY = ""


def meta_of(job: Job, sample: str) -> PatientMeta | None:
    """Return what the manifest states of a sample of an input."""
    return job.meta.get(sample) or job.meta.get(_EVERYBODY)


def born_of(job: Job, sample: str) -> datetime.date | None:
    """Return the birth date that the manifest states of a sample."""
    meta = meta_of(job, sample)
    return None if meta is None else meta.born


def births_by_cell(job: Job) -> Mapping[str, datetime.date]:
    """Return the birth dates by the cell of the sample in samples.tsv; "" stands for every sample."""
    return {safe_cell(name): meta.born for name, meta in job.meta.items() if meta.born is not None}


def whose_is_unclear(job: Job, samples: int) -> Failure | None:
    """Refuse a row that states facts of one person for an input that holds several."""
    stated = job.meta.get(_EVERYBODY)
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
