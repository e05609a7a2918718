"""Ctrl-C and a terminal: what a person at the keyboard sees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from cohort.conftest import assert_same_tables


def environment(repository):
    return {**os.environ, "PYTHONPATH": str(repository), "TERM": "xterm", "COLUMNS": "120"}


def test_an_interrupt_ends_quietly_and_keeps_what_is_done(many, unbroken, tmp_path, repository):
    command = [sys.executable, "-m", "pgx", "cohort", str(many[0]), "-o", str(tmp_path), "--jobs", "2"]
    started = subprocess.Popen(
        command, env=environment(repository), stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "cohort.sqlite").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    os.killpg(started.pid, signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    assert b"Traceback" not in errors
    assert started.returncode in {130, 5}, errors
    done = subprocess.run(command, env=environment(repository), capture_output=True, check=False)
    assert done.returncode == 5
    assert_same_tables(unbroken, tmp_path)


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_gives_nothing_does_not_hold_up_an_interrupt(tmp_path, repository, jobs, number):
    names = [str(tmp_path / f"{name}.vcf") for name in "ab"]
    for name in names:
        os.mkfifo(name)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "pgx", "cohort", *names, "-o", str(out), "--jobs", jobs]
    started = subprocess.Popen(command, env=environment(repository), stderr=subprocess.PIPE)
    writers = []
    try:
        # to open one waits until a worker reads
        writers.extend(os.open(name, os.O_WRONLY) for name in names[: int(jobs)])
        started.send_signal(number)
        _, errors = started.communicate(timeout=30)
        assert b"Traceback" not in errors
        assert started.returncode == 128 + number
        for writer in writers:
            with pytest.raises(BrokenPipeError):  # nobody reads any more
                os.write(writer, b"#")
    finally:
        for writer in writers:
            os.close(writer)
        started.kill()
        started.wait()


def test_a_terminal_sees_progress(many, tmp_path, repository):
    pty = pytest.importorskip("pty", reason="terminals are a matter of Unix")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "pgx", "cohort", str(many[0]), "-o", str(tmp_path), "--jobs", "1"]
    started = subprocess.Popen(command, env=environment(repository), stdout=subprocess.PIPE, stderr=follower)
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    output, _ = started.communicate(timeout=60)
    os.close(leader)
    assert output == b""
    assert b"inputs/s" in shown
    assert b"failed" in shown
    assert b"heterozygous" in shown, "statuses are counted while the run goes on"


def test_a_log_counts_no_statuses(many, tmp_path, capsys, monkeypatch):
    """A log is kept, and the counts of a small cohort tell of people."""
    from pgx.cli import output as progress
    from pgx.cohort import Progress

    monkeypatch.setattr(progress, "_LOG_EVERY", 0.0)
    with progress.shown() as tell:
        tell(Progress(total=9, kept=1, done=2, failed=1, samples=5, statuses={"homozygous": 5}))
    line = capsys.readouterr().err
    assert line.startswith("3 of 9 inputs, ")
    assert "5 samples, 1 done before, 1 failed, about" in line
    assert "homozygous" not in line
