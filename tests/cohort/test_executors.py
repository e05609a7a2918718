"""What engines have in common, and the settings of `--slurm`; a real SLURM is in test_slurm.py."""

from __future__ import annotations

import signal
import sys
import threading
import time
from concurrent.futures import Future

import pytest

from cohort import deadly
from cohort.conftest import FILES, assert_same_tables, command
from pgx.cohort import CohortOptions, plan_inputs, run_cohort
from pgx.cohort.state import State
from pgx.errors import InputError
from pgx.executors import Dask, Serial, WorkerDiedError, read_settings, run_all
from pgx.options import Options

HANDLER = """
import signal
from pgx.executors import read_settings
before = signal.getsignal(signal.SIGINT)
read_settings({})
import dask_jobqueue
assert signal.getsignal(signal.SIGINT) is before
"""


@pytest.fixture
def commands_of_slurm(tmp_path, monkeypatch):
    """Put commands on the PATH that look like those of SLURM, and do nothing."""
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    folder = tmp_path / "commands"
    folder.mkdir()
    for name in ("sbatch", "squeue", "scancel"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    before = signal.getsignal(signal.SIGINT)
    yield folder
    assert signal.getsignal(signal.SIGINT) is before


def test_dask_names_only_the_culprit():
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    engine = Dask(jobs=1)  # so that the worker holds the next piece while it dies over one
    try:
        found = dict(run_all(engine, deadly.work, [deadly.POISON, 1, 2, 3]))
    finally:
        engine.close()
    assert isinstance(found.pop(deadly.POISON), WorkerDiedError)
    assert found == {1: 1, 2: 4, 3: 9}


def test_a_result_that_never_comes_does_not_keep_a_closed_engine_alive():
    class Lost:
        """A piece that is done, whose result was on a worker that is gone."""

        status = "finished"
        asked = threading.Event()

        def cancelled(self):
            return False

        def result(self, timeout=3600):
            self.asked.set()
            time.sleep(min(timeout, 0.1))
            raise TimeoutError if timeout < 3600 else AssertionError("would wait for ever")

    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    engine = Dask(jobs=1)
    future = Future()
    waiting = threading.Thread(target=engine._hand_over, args=(Lost(), future))
    waiting.start()
    assert Lost.asked.wait(10)
    assert not future.done()
    engine.close()
    waiting.join(10)
    assert not waiting.is_alive()
    assert isinstance(future.exception(0), TimeoutError)


def test_what_was_cancelled_is_no_news(caplog):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    import asyncio
    import logging

    from distributed.client import FutureCancelledError

    from pgx.executors.dask_engine import _NotOfCancelled

    logger = logging.getLogger("asyncio")
    logger.addFilter(made := _NotOfCancelled())
    try:
        for error in (FutureCancelledError("x", "y"), asyncio.CancelledError(), ValueError("news")):
            logger.error("Task exception was never retrieved", exc_info=error)
    finally:
        logger.removeFilter(made)
    assert [record.exc_info[0] for record in caplog.records] == [ValueError]


def test_batches_get_smaller_when_workers_join_late(many, unbroken, tmp_path):
    class Late(Serial):
        sizes: tuple[int, ...] = ()

        @property
        def width(self):
            return 1 if len(self.sizes) < 2 else 10

        def submit(self, function, argument):
            self.sizes += (len(argument.jobs),)
            return super().submit(function, argument)

    engine = Late()
    run_cohort(plan_inputs([str(many[0])], None, Options()), tmp_path, CohortOptions(), engine=engine)
    assert engine.sizes[0] == min(200, -(-FILES // 8)), "a batch has 200 files at most"
    assert engine.sizes[-2] == -(-FILES // 80)
    assert_same_tables(unbroken, tmp_path)


def test_an_engine_that_cannot_go_on_ends_the_run_and_keeps_what_is_done(many, tmp_path):
    class Ends(Serial):
        looks = 0

        def attend(self):
            self.looks += 1
            if self.looks == 3:
                raise InputError("no worker is left")
            return f"look {self.looks}"

    told = []
    plan = plan_inputs([str(many[0])], None, Options())
    with pytest.raises(InputError, match="no worker is left"):
        run_cohort(plan, tmp_path, CohortOptions(), engine=Ends(), tell=told.append)
    assert [progress.waiting for progress in told if progress.waiting] == ["look 1", "look 2"]
    with State(tmp_path) as state:
        assert 0 < len(state.known()) < FILES


def test_without_slurm_it_is_said_what_is_missing(many, tmp_path, run_pgx_process):
    (tmp_path / "empty").mkdir()
    outcome = run_pgx_process(
        "cohort", many[0], "-o", tmp_path / "out", "--slurm", "jobs=2", env={"PATH": str(tmp_path / "empty")}
    )
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith(
        "error: --slurm: SLURM is not on this machine: sbatch, squeue, scancel not found in PATH. "
    )
    assert outcome.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense=1", "--slurm nonsense: there is no such setting. There are: account, cores, "),
        ("cores=x", "--slurm cores=x: is not a whole number of 1 or more. E.g. cores=4"),
        ("jobs=0", "--slurm jobs=0: is not a whole number of 1 or more. E.g. jobs=4"),
        ("queue=", "--slurm queue=: has no value"),
        ("memory=lots", "--slurm memory=lots: Dask does not take this: Could not interpret 'lots'"),
        ("memory=4", "--slurm memory=4: is too little for the workers of a job. E.g. memory=8GB"),
        ("cores=2,processes=3", "--slurm processes=3: is more than cores=2"),
        ("interface=nothing0", "--slurm interface=nothing0: Dask does not take this: 'nothing0' is not"),
        ("queue=a,queue=b", "--slurm queue: is given twice"),
        ("job_extra_directives=--exclude=n1,n2", "is not KEY=VALUE"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_written(
    commands_of_slurm, many, tmp_path, run_pgx, text, words
):
    outcome = run_pgx("cohort", many[0], "-o", tmp_path / "out", "--slurm", text)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("error: --slurm")
    assert words in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("other", [("--jobs", "2"), ("--scheduler", "tcp://127.0.0.1:1")])
def test_slurm_and_another_place_exclude_each_other(commands_of_slurm, many, tmp_path, run_pgx, other):
    outcome = run_pgx("cohort", many[0], "-o", tmp_path / "out", "--slurm", "queue=a", *other)
    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(f"error: --slurm: says something else than {other[0]}. ")
    assert not (tmp_path / "out").exists()


def test_lists_earlier_names_and_what_is_added(commands_of_slurm, repository):
    settings = read_settings(
        {"jobs": "3", "cores": "2", "job_extra": "--exclusive; --nice=5", "env_extra": "module load x"}
    )
    assert (settings.jobs, settings.processes, settings.own_logs) == (3, 2, True)
    keywords = settings.keywords
    assert keywords["job_extra_directives"] == ["--exclusive", "--nice=5"]
    assert keywords["job_script_prologue"][0].startswith(f'export PYTHONPATH={repository}"')
    assert keywords["job_script_prologue"][-1] == "module load x"
    assert keywords["worker_extra_args"][-2:] == ["--nthreads", "1"]
    assert keywords["python"] == sys.executable


def test_what_the_user_configured_for_dask_holds(commands_of_slurm, tmp_path):
    import dask

    with dask.config.set(
        {
            "jobqueue.slurm.cores": 3,
            "jobqueue.slurm.python": "python3",
            "jobqueue.slurm.log-directory": str(tmp_path / "logs"),
            "jobqueue.slurm.job-script-prologue": ["module load y"],
        }
    ):
        settings = read_settings({"log_directory": str(tmp_path / "logs")})
    assert (settings.processes, settings.own_logs) == (3, False)
    assert "python" not in settings.keywords
    assert settings.keywords["job_script_prologue"][-1] == "module load y"
    assert not any("PYTHONPATH" in line for line in settings.keywords["job_script_prologue"])


def test_ctrl_c_stays_what_it_was(commands_of_slurm, run_python):
    run_python(HANDLER)


@pytest.fixture
def run_python(repository):
    """Return a function that runs Python code in a new process, and fails where that fails."""
    import os
    import subprocess

    def run(code):
        environment = {**os.environ, "PYTHONPATH": str(repository)}
        subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=60)

    return run


def test_a_scheduler_that_runs_already_is_used_and_left_running(many, unbroken, tmp_path, repository):
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
    ) as cluster:
        address = cluster.scheduler_address
        started = command(repository, "cohort", many[0], "-o", tmp_path, "--scheduler", address)
        _, errors = started.communicate(timeout=120)
        assert started.returncode == 5, errors
        assert b"Traceback" not in errors
        done = cluster.scheduler.transition_counter
        assert done > 0, "the work was done elsewhere"
        with distributed.Client(address, set_as_default=False) as client:
            assert len(client.nthreads()) == 2
    assert_same_tables(unbroken, tmp_path)
