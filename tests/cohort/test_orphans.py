"""Workers of this host whose main process is killed: they end by themselves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

WORKERS = 2
MAIN = f"""
import sys
from concurrent.futures import wait
from pathlib import Path
from cohort import deadly
from pgx.executors import Processes
if __name__ == "__main__":
    engine = Processes({WORKERS})
    wait([engine.submit(deadly.busy, Path(sys.argv[1])) for _ in range({WORKERS})])
"""


def is_alive(process):
    """Say whether a process runs. One that has ended stays in the table until somebody asks for its code."""
    try:
        import psutil
    except ImportError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, 0)
            return True
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    return False


def wait_until(holds, seconds):
    """Return whether `holds()` became true within some seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def started(tmp_path, repository):
    """Return a main process, and the processes that compute for it."""
    script = tmp_path / "main.py"
    script.write_text(MAIN)
    folder = tmp_path / "workers"
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(repository), str(repository / "tests")])}
    main = subprocess.Popen(
        [sys.executable, str(script), str(folder)], env=environment, stderr=subprocess.DEVNULL
    )
    assert wait_until(lambda: len(list(folder.iterdir())) == WORKERS, 30)
    workers = [int(path.name) for path in folder.iterdir()]
    yield main, workers
    for process in (main.pid, *workers):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    main.wait(10)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_busy_workers_end_with_their_main_process(started, number):
    main, workers = started
    assert main.poll() is None
    assert all(is_alive(worker) for worker in workers)
    main.send_signal(number)
    assert main.wait(10) == -number
    assert wait_until(lambda: not any(is_alive(worker) for worker in workers), 5)
