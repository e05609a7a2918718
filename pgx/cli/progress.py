"""Progress of a cohort on stderr: bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.live import Live
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from pgx.cohort import Progress

_LOG_EVERY = 10.0  # seconds


class Shown:
    """What is shown while a cohort runs; a context, so that the terminal is left as it was.

    Statuses are counted on a terminal only: a log is kept, and the counts of a small cohort tell of people.
    """

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._terminal: _Terminal | None = None

    def __enter__(self) -> Shown:
        if sys.stderr.isatty():
            self._terminal = _Terminal()
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal is not None:
            self._terminal.stop()

    def tell(self, progress: Progress) -> None:
        """Show how far the run is."""
        now = time.monotonic()
        done = progress.kept + progress.done
        rate = progress.done / max(now - self._start, 1e-9)
        if self._terminal is not None:
            self._terminal.show(progress, rate)
        elif progress.waiting:
            typer.echo(progress.waiting, err=True)
        elif now - self._last > _LOG_EVERY:
            self._last = now
            left = (progress.total - done) / rate if rate else 0
            typer.echo(
                f"{done} of {progress.total} inputs, {_note(progress, rate)}, about {left:.0f} s left",
                err=True,
            )


class _Terminal:
    """Three lines: a bar with the time that is left, what was done, and the statuses so far."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("inputs,"),
            TimeRemainingColumn(),
            TextColumn("left"),
        )
        self._bar: Bar = Progress(*columns)
        self._task: TaskID = self._bar.add_task("", total=None)
        self._live: Live = Live(self._bar, console=Console(stderr=True), transient=False)
        self._live.start()

    def show(self, progress: Progress, rate: float) -> None:
        """Show how far the run is; `rate` in inputs a second."""
        from rich.console import Group
        from rich.text import Text

        self._bar.update(self._task, total=progress.total, completed=progress.kept + progress.done)
        lines = [Text(progress.waiting or _note(progress, rate)), Text(_counts(progress.statuses))]
        self._live.update(Group(self._bar, *lines))

    def stop(self) -> None:
        """Leave the last state on the screen."""
        self._live.stop()


def _note(progress: Progress, rate: float) -> str:
    return (
        f"{rate:.0f} inputs/s, {progress.samples} samples,"
        f" {progress.kept} done before, {progress.failed} failed"
    )


def _counts(statuses: Mapping[str, int]) -> str:
    return ", ".join(f"{status} {statuses[status]}" for status in sorted(statuses))
