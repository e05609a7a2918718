"""How far a run is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from pgx.cohort.model import Known, Result


class Progress(Struct, frozen=True, kw_only=True):
    """How far a run is.

    Attributes
    ----------
    total, kept, done, failed
        Inputs: in all, done before, done now, and of the latter failed.
    samples
        Samples so far.
    statuses
        Of these, by e4 status.
    waiting
        A line on what is awaited while no worker is there, else "".
    """

    total: int
    kept: int
    done: int = 0
    failed: int = 0
    samples: int = 0
    statuses: Mapping[str, int] = msgspec.field(default_factory=dict)
    waiting: str = ""


class Count:
    """The counts of a run while it goes on."""

    def __init__(self, total: int, kept: Sequence[Known]) -> None:
        self._total, self._kept = total, len(kept)
        self._done = self._failed = 0
        self._samples = sum(item.samples for item in kept)
        self._statuses: Counter[str] = Counter()
        for item in kept:
            self._statuses.update(item.statuses)

    def add(self, results: Sequence[Result]) -> None:
        """Count results that came."""
        self._done += len(results)
        for result in results:
            self._failed += bool(result.failures)
            self._samples += result.samples
            self._statuses.update(result.statuses)

    def progress(self, waiting: str = "") -> Progress:
        """Return the counts."""
        return Progress(
            total=self._total,
            kept=self._kept,
            done=self._done,
            failed=self._failed,
            samples=self._samples,
            statuses=dict(self._statuses),
            waiting=waiting,
        )
