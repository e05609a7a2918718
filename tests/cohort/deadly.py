"""Work that kills its worker, or takes long, for the tests of executors."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from pgx.cohort.store import Result
from pgx.cohort.worker import Batch
from pgx.cohort.worker import work as annotate

POISON = 4


def work(number: int) -> int:
    """Return the square, or die."""
    if number == POISON:
        _die()
    return number**2


def busy(folder: Path) -> int:
    """Leave a file named after this process in `folder`, and then compute for a minute."""
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + 60
    number = 0
    while time.monotonic() < deadline:
        number += 1
    return number


def annotate_or_die(batch: Batch) -> list[Result]:
    """Annotate a batch, or die where an input is named so."""
    if any("poison" in job.path for job in batch.jobs):
        _die()
    return annotate(batch)


def _die() -> None:
    time.sleep(0.2)  # until the worker has been given its next piece, too
    os.kill(os.getpid(), signal.SIGKILL)
