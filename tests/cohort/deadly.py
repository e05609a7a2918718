"""Work that kills its worker, for the test of executors."""

from __future__ import annotations

import os
import signal

POISON = 4


def work(number: int) -> int:
    """Return the square, or die."""
    if number == POISON:
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2
