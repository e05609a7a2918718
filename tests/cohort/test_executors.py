"""What engines have in common, and a Dask cluster that dies in many ways."""

from __future__ import annotations

import asyncio
import platform
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import closing

import pytest

from cohort import deadly
from cohort.conftest import FILES, assert_same_tables, command
from pgx.cohort import CohortOptions, plan_inputs, run_cohort
from pgx.cohort.store import State
from pgx.errors import InputError
from pgx.executors import Dask, Processes, WorkerDiedError, run_all
from pgx.options import Options


@pytest.mark.slow
def test_dask_names_only_the_culprit(monkeypatch):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    from dask import config

    monkeypatch.setattr("pgx.executors.ATTEMPTS", 1)  # each further one is the start of a worker
    deadline = time.monotonic() + 120

    def tell(line):
        assert time.monotonic() < deadline, line

    # on a busy machine a worker takes longer to come back than Dask waits for it
    with config.set({"distributed.deploy.lost-worker-timeout": "1ms"}):
        engine = Dask(jobs=1)  # so that the worker holds the next piece while it dies over one
        try:
            found = dict(run_all(engine, deadly.work, [deadly.POISON, 1, 2, 3], tell=tell))
        finally:
            engine.close()
        assert config.get("distributed.deploy.lost-worker-timeout") == "1ms", "ours ends with the engine"
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
    assert isinstance(future.exception(0), asyncio.CancelledError)


def test_an_interrupt_waits_until_the_cluster_has_started_and_closes_it(monkeypatch):
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    said = []

    class Cluster:
        def __init__(self, **_):
            signal.raise_signal(signal.SIGINT)  # distributed would close half a cluster with a traceback
            said.append("started")

        def close(self, timeout):
            said.append("closed")

    monkeypatch.setattr(distributed, "LocalCluster", Cluster)
    with pytest.raises(KeyboardInterrupt):
        Dask(jobs=1)
    assert said == ["started", "closed"]


def test_what_was_cancelled_is_no_news(caplog):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    import logging

    from distributed.client import FutureCancelledError

    from pgx.executors import _is_news

    logger = logging.getLogger("asyncio")
    logger.addFilter(_is_news)
    try:
        for error in (FutureCancelledError("x", "y"), asyncio.CancelledError(), ValueError("news")):
            logger.error("Task exception was never retrieved", exc_info=error)
    finally:
        logger.removeFilter(_is_news)
    assert [record.exc_info[0] for record in caplog.records] == [ValueError]


def test_batches_get_smaller_when_workers_join_late(many, unbroken, tmp_path):
    class Late(Processes):
        sizes: tuple[int, ...] = ()

        @property
        def width(self):
            return 1 if len(self.sizes) < 2 else 10

        @width.setter
        def width(self, jobs):
            assert jobs == 1

        def submit(self, function, argument):
            self.sizes += (len(argument.jobs),)
            return super().submit(function, argument)

    engine = Late(1)
    with closing(engine):
        run_cohort(plan_inputs([str(many[0])], None, Options()), tmp_path, CohortOptions(), engine=engine)
    assert engine.sizes[0] == min(200, -(-FILES // 8)), "a batch has 200 files at most"
    assert engine.sizes[-2] == -(-FILES // 80)
    assert_same_tables(unbroken, tmp_path)


def test_an_engine_that_cannot_go_on_ends_the_run_and_keeps_what_is_done(many, tmp_path):
    class Ends(Processes):
        looks = 0

        def attend(self):
            self.looks += 1
            if self.looks > 2 and any(progress.done for progress in told):  # a worker may be slow to start
                raise InputError("no worker is left")
            return f"look {self.looks}" if self.looks < 3 else ""

    told = []
    plan = plan_inputs([str(many[0])], None, Options())
    engine = Ends(1)
    with closing(engine), pytest.raises(InputError, match="no worker is left"):
        run_cohort(plan, tmp_path, CohortOptions(), engine=engine, tell=told.append)
    assert [progress.waiting for progress in told if progress.waiting] == ["look 1", "look 2"]
    with State(tmp_path) as state:
        assert 0 < len(state.known()) < FILES


@pytest.mark.slow
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


class AtOnce:
    """Does the work when it is asked for, and notes it."""

    width = 1

    def __init__(self):
        self.told = []

    def submit(self, function, argument):
        self.told.append(argument)
        future = Future()
        future.set_result(function(argument))
        return future

    def attend(self):
        return ""


def test_what_is_done_meanwhile_is_done_once_behind_the_first_pieces():
    engine = AtOnce()
    found = dict(run_all(engine, abs, [-1, -2, -3, -4], meanwhile=lambda: engine.told.append("meanwhile")))
    assert found == {-1: 1, -2: 2, -3: 3, -4: 4}
    assert engine.told.index("meanwhile") == 2, "twice its width is under way"
    assert engine.told.count("meanwhile") == 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are those of glibc")
def test_freed_memory_is_kept_for_what_comes_next():
    """Each page that was given back to the system costs a fault when it is wanted again."""
    probe = (
        "import resource, sys\n"
        "from pgx.executors import keep_freed_memory\n"
        "if sys.argv[1:]: keep_freed_memory()\n"
        "for _ in range(20): [bytearray(24 << 20) for _ in range(4)]\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)\n"
    )
    faults = [
        int(subprocess.run([sys.executable, "-c", probe, *more], capture_output=True, check=True).stdout)
        for more in ([], ["keep"])
    ]
    assert faults[1] < faults[0] / 4
