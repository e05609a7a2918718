"""Workers as jobs of a real SLURM: the same tables, jobs that are refused, killed, late, or never start."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading

import pytest

from cohort import deadly
from cohort.conftest import FILES, assert_same_tables
from cohort.slurm_cluster import reason_to_skip, running_slurm, wait_for
from pgx.cohort import CohortOptions, plan_inputs, run_cohort
from pgx.cohort.state import State
from pgx.errors import InputError
from pgx.executors import Slurm, run_all
from pgx.options import Options

SETTINGS = {"queue": "debug", "cores": "1", "memory": "1GB", "walltime": "00:10:00", "interface": "lo"}


@pytest.fixture(scope="session")
def one_slurm():
    """Return a SLURM for all tests."""
    if importlib.util.find_spec("dask_jobqueue") is None:  # its import would take Ctrl-C from pytest
        pytest.skip("the extra `cluster` is not installed")
    if reason := reason_to_skip():
        pytest.skip(reason)
    with running_slurm() as cluster:
        yield cluster


@pytest.fixture
def slurm(one_slurm, tmp_path, monkeypatch, repository):
    """Return a SLURM without jobs that this process and those that it starts find; work in a folder apart."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("SLURM_CONF", one_slurm.environment["SLURM_CONF"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(repository / "tests"))  # where `deadly` is
    yield one_slurm
    one_slurm.cancel(*one_slurm.queue())
    one_slurm.wait_until_empty()


@pytest.fixture
def pgx_cohort(slurm):
    """Return a function that starts the command line in a process group of its own, as a terminal does."""
    started = []

    def start(folder, out, **settings):
        text = ",".join(f"{key}={value}" for key, value in {**SETTINGS, **settings}.items())
        process = subprocess.Popen(
            [sys.executable, "-m", "pgx", "cohort", str(folder), "-o", str(out), "--slurm", text],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:  # the test has failed; what it says is shown then
            os.killpg(process.pid, signal.SIGABRT)
        sys.stdout.writelines(process.communicate())


def left_behind(tmp_path):
    """Return the files in the working folder, and those kept for the jobs."""
    return [path for name in ("work", "cache") for path in (tmp_path / name).rglob("*") if path.is_file()]


def one_error(process):
    """Wait for the end and return exit code and the only line."""
    output, errors = process.communicate(timeout=60)
    assert output == ""
    assert errors.startswith("error: --slurm"), errors
    assert errors.count("\n") == 1, errors
    return process.returncode, errors


def test_jobs_give_the_same_tables_and_leave_nothing(slurm, pgx_cohort, many, unbroken, tmp_path):
    before = set(slurm.known())
    started = pgx_cohort(many[0], tmp_path / "out", jobs=2)
    output, errors = started.communicate(timeout=60)
    assert started.returncode == 5, errors
    assert output == ""
    assert f"from {FILES} inputs" in errors
    assert_same_tables(unbroken, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in unbroken.iterdir()}
    assert left_behind(tmp_path) == []
    jobs = {job: row for job, row in slurm.known().items() if job not in before}
    assert [row["JobName"] for row in jobs.values()] == ["pgx", "pgx"]
    assert any(row["StartTime"] != "Unknown" and row["BatchHost"] for row in jobs.values())
    slurm.wait_until_empty()


def test_a_job_that_is_cancelled_in_the_middle_loses_nothing(slurm, many, unbroken, tmp_path):
    engine = Slurm({**SETTINGS, "jobs": "2"})
    killed = []
    try:
        engine.client.wait_for_workers(2, timeout=60)

        def tell(progress):
            if progress.done and not killed:
                killed.append(next(iter(slurm.queue())))
                slurm.cancel(*killed)
                wait_for(lambda: len(engine.client.nthreads()) == 1, "the worker lives on")

        plan = plan_inputs([str(many[0])], None, Options())
        run_cohort(plan, tmp_path / "out", CohortOptions(), tell=tell, engine=engine)
    finally:
        engine.close()
    assert killed
    slurm.wait_until_empty()
    assert slurm.known()[killed[0]]["JobState"] == "CANCELLED"
    assert_same_tables(unbroken, tmp_path / "out")


def test_all_jobs_lost_in_the_middle_are_replaced(slurm):
    engine = Slurm({**SETTINGS, "jobs": "2"})
    cancelled = []
    found = {}
    try:
        for number, (square, job) in run_all(engine, deadly.slow, range(16)):
            found[number] = square
            assert job
            if not cancelled:
                cancelled += slurm.queue()
                slurm.cancel(*cancelled)
        assert len(cancelled) == 2
        assert job not in cancelled
    finally:
        engine.close()
    assert found == {number: number**2 for number in range(16)}


def test_only_the_input_that_kills_its_worker_fails(slurm, many, tmp_path):
    class Deadly:
        """Does what a batch with a deadly input would do."""

        def __init__(self, engine):
            self.engine = engine

        def __getattr__(self, name):
            return getattr(self.engine, name)

        def submit(self, function, argument):
            return self.engine.submit(deadly.annotate_or_die, argument)

    (tmp_path / "in").mkdir()
    for path in sorted(many[0].glob("f*.vcf"))[:12]:
        os.link(path, tmp_path / "in" / path.name)
    os.link(many[0] / "f00039.vcf", tmp_path / "in" / "a-poison.vcf")
    engine = Slurm(SETTINGS)  # one worker, so that pieces are of two inputs
    try:
        plan = plan_inputs([str(tmp_path / "in")], None, Options())
        outcome = run_cohort(plan, tmp_path / "out", CohortOptions(), engine=Deadly(engine))
    finally:
        engine.close()
    assert (outcome.samples, outcome.failed) == (12, 1)
    failure = (tmp_path / "out" / "failures.tsv").read_text().splitlines()[1]
    assert "a-poison.vcf\tthe worker died over it" in failure


def test_a_worker_that_comes_late_gets_work(slurm, tmp_path):
    late = "sleep $((2 * (SLURM_JOB_ID % 2)))"
    logs = tmp_path / "logs"
    engine = Slurm({**SETTINGS, "jobs": "2", "job_script_prologue": late, "log_directory": str(logs)})
    try:
        assert engine.width == 2
        found = dict(run_all(engine, deadly.slow, range(20)))
        assert len({job for _, job in found.values()}) == 2
    finally:
        engine.close()
    assert len(list(logs.glob("pgx-*.err"))) == 2, "logs are kept where they were asked for"


def test_a_worker_without_the_program_is_named(slurm, monkeypatch):
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)  # no place for logs is no reason to stop
    engine = Slurm(SETTINGS)
    try:
        with pytest.raises(InputError, match=r"cannot run this program: No module named 'cohort'"):
            dict(run_all(engine, deadly.work, [1]))
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"queue": "nowhere"}, "invalid partition specified: nowhere"),
        ({"memory": "900GB"}, "Memory specification can not be satisfied"),
    ],
)
def test_what_sbatch_refuses_is_one_line(slurm, pgx_cohort, many, tmp_path, settings, words):
    code, line = one_error(pgx_cohort(many[0], tmp_path / "out", **settings))
    assert code == 2
    assert f"sbatch refuses: {words}" in line
    assert not list((tmp_path / "out").glob("*.tsv"))
    assert slurm.queue() == {}
    assert left_behind(tmp_path) == []


def test_a_job_that_ends_at_once_is_told_with_its_last_line(slurm, pgx_cohort, many, tmp_path):
    code, line = one_error(pgx_cohort(many[0], tmp_path / "out", jobs=2, python="/no/python"))
    assert code == 3
    assert "ended before a worker could start (FAILED)" in line
    assert "/no/python: No such file or directory" in line
    assert left_behind(tmp_path) == []


def test_jobs_cancelled_in_the_queue_end_the_run(slurm, pgx_cohort, many, tmp_path):
    started = pgx_cohort(many[0], tmp_path / "out", queue="down", jobs=2)
    wait_for(lambda: len(slurm.queue()) == 2 or started.poll() is not None, "no jobs in the queue")
    slurm.cancel(*slurm.queue())
    code, line = one_error(started)
    assert code == 3
    assert "SLURM jobs ended before a worker could start (CANCELLED)" in line


def test_jobs_that_wait_are_told_and_cancelled_by_ctrl_c(slurm, pgx_cohort, many, tmp_path):
    started = pgx_cohort(many[0], tmp_path / "out", queue="down", jobs=2)
    watch = threading.Timer(60, started.kill)
    watch.start()
    try:
        first = started.stderr.readline()
    finally:
        watch.cancel()
    assert first == "no worker has started yet; SLURM jobs: 2 pending (PartitionDown)\n"
    os.killpg(started.pid, signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 130, errors
    assert_only_progress(errors)
    slurm.wait_until_empty()


def test_ctrl_c_while_jobs_work_keeps_what_is_done(slurm, pgx_cohort, many, tmp_path):
    (tmp_path / "more").mkdir()
    good = sorted(many[0].glob("f*"))
    for number in range(4000):
        os.link(good[number % len(good)], tmp_path / "more" / f"{number}-{good[number % len(good)].name}")
    out = tmp_path / "out"
    started = pgx_cohort(tmp_path / "more", out, jobs=2)
    wait_for(lambda: done_in(out) or started.poll() is not None, "nothing was stored")
    os.killpg(started.pid, signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 130, errors
    assert_only_progress(errors)
    with State(out) as state:
        assert 0 < len(state.known()) < 4000
    slurm.wait_until_empty()
    assert left_behind(tmp_path) == []


def assert_only_progress(errors):
    """Where SLURM takes its time, lines on progress and waiting come before the end; nothing else may."""
    lines = errors.splitlines()
    assert [line for line in lines if " left" not in line and "no worker" not in line] == []


def done_in(out):
    """Say whether a running cohort, which locks its state, has stored a sample."""
    return any(b"P00001" in path.read_bytes() for path in out.glob("cohort.sqlite*"))
