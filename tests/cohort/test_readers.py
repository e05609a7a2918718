"""Inputs that kill or stall their reader: one row of failures.tsv each, whatever the number of processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures.process import BrokenProcessPool

import pytest
from vcf_builder import write_vcf

from cohort import deadly
from cohort.conftest import rows_of, write_good
from pgx.cohort import run as run_room
from pgx.cohort.plan import plan_inputs
from pgx.cohort.run import run_cohort
from pgx.executors import Processes, can_fork
from pgx.options import CohortOptions, Options

needs_fork = pytest.mark.skipif(not can_fork(), reason="this system does not fork")


def done(tmp_path, *, jobs, stall=600.0):
    plan = plan_inputs([str(tmp_path / "in")], None, Options())
    outcome = run_cohort(plan, tmp_path / "out", CohortOptions(jobs=jobs, stall=stall))
    return outcome, rows_of(tmp_path / "out" / "failures.tsv")


@pytest.fixture
def inputs(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(4):
        write_good(folder / f"f{number}.vcf", number)
    return folder


@needs_fork
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_reader_that_dies(inputs, tmp_path, monkeypatch, jobs):
    write_good(inputs / "poison.vcf", 5)
    monkeypatch.setattr(run_room, "work", deadly.annotate_or_die)
    for _ in range(2):  # and again when the run goes on
        outcome, failures = done(tmp_path, jobs=jobs)
        assert (outcome.samples, outcome.failed) == (4, 1)
        assert [row["input"].endswith("poison.vcf") for row in failures] == [True]
        assert "died" in failures[0]["error"]


@needs_fork
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_reader_that_stalls(inputs, tmp_path, jobs):
    """Somebody has the pipe open for writing, and writes a header only."""
    os.mkfifo(inputs / "pipe.vcf")
    writer = os.open(inputs / "pipe.vcf", os.O_RDWR)
    try:
        os.write(writer, b"##fileformat=VCFv4.2\n")
        before = time.monotonic()
        plan = plan_inputs([str(file) for file in sorted(inputs.iterdir())], None, Options())
        outcome = run_cohort(plan, tmp_path / "out", CohortOptions(jobs=jobs, stall=3))
        assert time.monotonic() - before < 120
    finally:
        os.close(writer)
    assert (outcome.samples, outcome.failed) == (4, 1)
    (failure,) = rows_of(tmp_path / "out" / "failures.tsv")
    assert failure["input"].endswith("pipe.vcf")
    assert "--stall" in failure["cure"]


@needs_fork
class TestForks:
    @pytest.fixture
    def engine(self):
        engine = Processes(1, fork=True)
        yield engine
        engine.close()

    def test_a_result_and_an_error_come_back(self, engine):
        assert engine.submit(sorted, [2, 1]).result() == [1, 2]
        with pytest.raises(ZeroDivisionError):
            engine.submit(divmod_by_zero, 1).result()

    def test_a_death_is_one(self, engine):
        with pytest.raises(BrokenProcessPool):
            engine.submit(end_at_once, signal.SIGKILL).result()
        engine.renew()
        assert engine.submit(sorted, [2, 1]).result() == [1, 2]

    def test_it_is_another_process_that_has_what_this_one_imported(self, engine):
        number, method = engine.submit(process_of, None).result()
        assert number != os.getpid()
        assert method == "fork"


def divmod_by_zero(number):
    return divmod(number, 0)


def end_at_once(by):
    os.kill(os.getpid(), by)


def process_of(_):
    return os.getpid(), type(multiprocessing.current_process()).__name__.removesuffix("Process").lower()


@needs_fork
def test_a_slow_reader_that_goes_on_is_left_alone(tmp_path):
    """The clock is set back by each byte that comes."""
    path = tmp_path / "pipe.vcf"
    os.mkfifo(path)
    whole = write_vcf(tmp_path / "a.vcf").read_bytes()

    def write():
        with path.open("wb", buffering=0) as out:
            for number in range(0, len(whole), len(whole) // 5):
                out.write(whole[number : number + len(whole) // 5])
                time.sleep(1)

    threading.Thread(target=write, daemon=True).start()
    outcome = run_cohort(
        plan_inputs([str(path)], None, Options()), tmp_path / "out", CohortOptions(jobs=1, stall=4)
    )
    assert (outcome.samples, outcome.failed) == (1, 0)
