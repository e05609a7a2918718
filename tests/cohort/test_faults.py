"""Disks, folders, files and runs in each other's way: one clear line each, and nothing lost."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest
from vcf_builder import site, write_vcf

from cohort.conftest import TABLES, assert_same_tables, command, records, rows_of, run, write_good
from pgx.cohort import CohortOptions, one_report, plan_inputs, run_cohort
from pgx.cohort.store import State
from pgx.errors import FormatError, InputError, OutputError, UsageError
from pgx.options import Options

HOLD = """
import sys
from pathlib import Path
from pgx.cohort.store import State
State(Path(sys.argv[1]))
print('held', flush=True)
sys.stdin.read()
"""


def test_a_file_that_vanishes_is_a_failure_of_its_own(tmp_path):
    inputs = tmp_path / "in"
    inputs.mkdir()
    for number in range(5):
        write_good(inputs / f"f{number}.vcf", number)
    plan = plan_inputs([str(inputs)], None, Options())
    (inputs / "f3.vcf").unlink()
    outcome = run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1))
    assert (outcome.samples, outcome.failed) == (4, 1)
    (failure,) = rows_of(tmp_path / "out" / "failures.tsv")
    assert failure["input"].endswith("f3.vcf")
    assert "no such file" in failure["error"]


def test_two_runs_in_one_folder(tmp_path, run_pgx):
    path = tmp_path / "a.vcf"
    write_vcf(path, records=records("0/1", "0/0"))
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLD,
            str(tmp_path / "out"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        outcome = run_pgx("cohort", path, "-o", tmp_path / "out")
    finally:
        holder.communicate()
    assert outcome.exit_code == 3
    assert outcome.stderr.startswith("error: ")
    assert "another run works in this folder" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert run_pgx("cohort", path, "-o", tmp_path / "out").exit_code == 0


def test_several_may_read_a_cohort_at_rest(unbroken, run_pgx, tmp_path):
    from pgx.cohort.store import State

    with State(unbroken, create=False), State(unbroken, create=False):
        assert run_pgx("report", unbroken, "--sample", "P00003", "-f", "tsv").exit_code == 0
        assert one_report(unbroken, "P00004").report.sample == "P00004"
    (tmp_path / "cohort.sqlite").write_bytes(b"")
    refused = run_pgx("report", tmp_path, "--sample", "P00003")
    assert refused.exit_code == 3
    assert "is damaged" in refused.stderr


def test_a_run_keeps_readers_out(tmp_path, run_pgx):
    write_good(tmp_path / "a.vcf", 0)
    run([tmp_path / "a.vcf"], tmp_path / "out")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "out")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        refused = run_pgx("report", tmp_path / "out", "--sample", "P00000")
    finally:
        holder.communicate()
    assert refused.exit_code == 3
    assert "another run works in this folder" in refused.stderr


@pytest.fixture
def small_disk(tmp_path):
    """Return a function that makes a disk of so many kilobytes, read-only or not."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.skip("a disk can be mounted by root only")
        return folder

    yield mount
    subprocess.run(["umount", folder], capture_output=True, check=False)


def test_a_disk_that_fills_up(many, unbroken, small_disk, repository):
    folder = small_disk("size=400k") / "out"
    full = command(repository, "cohort", many[0], "-o", folder, "--jobs", 1)
    _, errors = full.communicate(timeout=60)
    assert full.returncode == 3
    assert errors.decode().count("\n") == 1
    assert "the disk is full. Make room and give the same command again" in errors.decode()
    assert not (folder / "samples.tsv").exists()
    subprocess.run(["mount", "-o", "remount,size=100m", folder.parent], check=True)
    done = command(repository, "cohort", many[0], "-o", folder, "--jobs", 1)
    done.communicate(timeout=60)
    assert done.returncode == 5
    assert_same_tables(unbroken, folder)


def test_a_disk_that_is_read_only(small_disk, tmp_path, run_pgx):
    write_good(tmp_path / "a.vcf", 0)
    folder = small_disk("ro")
    for out in (folder, folder / "out"):
        outcome = run_pgx("cohort", tmp_path / "a.vcf", "-o", out, "--jobs", 1)
        assert outcome.exit_code == 3
        assert outcome.stderr.startswith(f"error: {out}")
        assert outcome.stderr.count("\n") == 1
        assert "permissions" in outcome.stderr


def test_a_folder_that_cannot_be_written(tmp_path, run_pgx):
    path = tmp_path / "a.vcf"
    write_vcf(path, records=records("0/1", "0/0"))
    (tmp_path / "file").write_text("in the way")
    outcome = run_pgx("cohort", path, "-o", tmp_path / "file" / "out")
    assert outcome.exit_code == 3
    assert "cannot be written" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_a_full_disk_loses_nothing(many, unbroken, tmp_path, repository):
    resource = pytest.importorskip("resource", reason="limits of file sizes are a matter of Unix")
    limit = 300_000

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    done = subprocess.run(
        [sys.executable, "-m", "pgx", "cohort", str(many[0]), "-o", str(tmp_path), "--jobs", "1"],
        env={**os.environ, "PYTHONPATH": str(repository)},
        preexec_fn=full,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "samples.tsv").exists()
    run([many[0]], tmp_path)
    assert_same_tables(unbroken, tmp_path)
    assert not list(tmp_path.glob(".*.part"))


def test_fail_fast_stops_at_the_first(tmp_path):
    write_good(tmp_path / "a.vcf", 0)
    (tmp_path / "b.vcf").write_text("nothing")
    with pytest.raises(InputError, match=r"b\.vcf"):
        run([tmp_path / "a.vcf", tmp_path / "b.vcf"], tmp_path / "out", fail_fast=True)
    (tmp_path / "m.tsv").write_text("path\tsample\na.vcf\tP00000\na.vcf\tnobody\n")
    for _ in range(2):  # what was kept counts like what is new
        with pytest.raises(InputError, match="no sample 'nobody'"):
            run([], tmp_path / "out", manifest=tmp_path / "m.tsv", fail_fast=True)


def test_nothing_found_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    write_good(tmp_path / "a.vcf", 0)
    outcome = run([tmp_path / "empty", str(tmp_path / "*.bcf"), tmp_path / "a.vcf"], tmp_path / "out")
    assert (outcome.samples, outcome.failed) == (1, 2)
    errors = [row["error"] for row in rows_of(tmp_path / "out" / "failures.tsv")]
    assert errors == ["holds no VCF, BCF, BAM, CRAM, PLINK or BGEN", "matches no file"]
    with pytest.raises(UsageError, match="no input"):
        plan_inputs([], None, Options())


def test_nothing_of_others_is_written_over(tmp_path, run_pgx):
    write_good(tmp_path / "a.vcf", 0)
    (tmp_path / "samples.tsv").write_text("path\na.vcf\n")
    refused = run_pgx("cohort", "--manifest", tmp_path / "samples.tsv", "-o", tmp_path)
    assert refused.exit_code == 2
    assert (tmp_path / "samples.tsv").read_text() == "path\na.vcf\n"
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("mine")
    refused = run_pgx("cohort", tmp_path / "a.vcf", "-o", tmp_path / "site")
    assert refused.exit_code == 2
    assert "index.html" in refused.stderr
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["index.html"]


def test_a_report_takes_the_place_of_nothing_in_its_folder(tmp_path, run_pgx):
    write_good(tmp_path / "a.vcf", 0)
    out = tmp_path / "out"
    run([tmp_path / "a.vcf"], out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for name in ("cohort.sqlite", "samples.tsv", "index.html"):
        refused = run_pgx("report", out, "--sample", "P00000", "-f", "json", "-o", out / name)
        assert refused.exit_code == 2
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_database_of_others_is_not_used(tmp_path):
    write_good(tmp_path / "a.vcf", 0)
    (tmp_path / "out").mkdir()
    with sqlite3.connect(tmp_path / "out" / "cohort.sqlite") as base:
        base.execute("CREATE TABLE patients (name TEXT)")
    base.close()
    before = (tmp_path / "out" / "cohort.sqlite").read_bytes()
    with pytest.raises(OutputError, match="not a database of a cohort"):
        run([tmp_path / "a.vcf"], tmp_path / "out")
    assert (tmp_path / "out" / "cohort.sqlite").read_bytes() == before


def test_odd_names_of_files_end_no_cohort(tmp_path, run_pgx):
    write_good(tmp_path / "a.vcf", 0)
    odd = os.fsencode(tmp_path / "in") + b"/b\xff.vcf"
    (tmp_path / "in").mkdir()
    shutil.copy(os.fsencode(tmp_path / "a.vcf"), odd)
    long = tmp_path / ("x" * 300 + ".vcf")
    (tmp_path / "m.tsv").write_text(f"path\n{long}\n")
    arguments = ("--manifest", tmp_path / "m.tsv", "-o", tmp_path / "out", "--jobs", 1)
    done = run_pgx("cohort", tmp_path / "a.vcf", tmp_path / "in", long, *arguments)
    assert done.exit_code == 5
    assert len(rows_of(tmp_path / "out" / "samples.tsv")) == 1
    errors = [row["error"] for row in rows_of(tmp_path / "out" / "failures.tsv")]
    assert errors[0] == "has a name that is not UTF-8"
    assert len(errors) == 2


def test_folders_are_searched_through_links(tmp_path):
    (tmp_path / "real").mkdir()
    write_good(tmp_path / "real" / "a.vcf", 0)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "circle").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "another").symlink_to(tmp_path / "real")  # made later, but first by name
    assert run([tmp_path / "in"], tmp_path / "out").samples == 1
    assert rows_of(tmp_path / "out" / "samples.tsv")[0]["input"] == str(tmp_path / "in" / "another" / "a.vcf")


def test_tables_that_are_out_of_date_are_refused(tmp_path, monkeypatch):
    import pgx
    from pgx.cohort.tables import finalise
    from pgx.errors import FormatError

    write_good(tmp_path / "a.vcf", 0)
    run([tmp_path / "a.vcf"], tmp_path / "out")
    assert len(pgx.read_cohort(tmp_path / "out")) == 1

    def stop(*_):
        raise KeyboardInterrupt

    before = {name: (tmp_path / "out" / name).read_bytes() for name in TABLES}
    write_good(tmp_path / "b.vcf", 1)
    monkeypatch.setattr(finalise, "write_failures", stop)
    with pytest.raises(KeyboardInterrupt):
        run([tmp_path / "a.vcf", tmp_path / "b.vcf"], tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in TABLES} == before, "no mix of two runs"
    with pytest.raises(FormatError, match="not finished"):
        pgx.read_cohort(tmp_path / "out")
    with pytest.raises(FormatError, match="not finished"):
        one_report(tmp_path / "out", "P00000")
    monkeypatch.undo()
    run([tmp_path / "a.vcf", tmp_path / "b.vcf"], tmp_path / "out")
    assert len(pgx.read_cohort(tmp_path / "out")) == 2


def test_a_damaged_state_file_is_named(tmp_path):
    write_good(tmp_path / "a.vcf", 0)
    out = tmp_path / "out"
    out.mkdir()
    (out / "cohort.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(OutputError, match="damaged"):
        run([tmp_path / "a.vcf"], out)


_STORED = ("meta value", "plan job", "result known", "result run", "sample facts", "sample report")
_STORED += ("block facts", "block texts", "part json")


@pytest.mark.parametrize("where", _STORED)
def test_a_bit_that_fell_over_in_the_state_is_found(tmp_path, where):
    """A genotype that SQLite holds for sound is never another one in a report or a table."""
    pairs = [("0/1", "0/0")] * 230
    columns = [[f"{pair[site]}:99" for pair in pairs] for site in range(2)]
    write_vcf(
        tmp_path / "many.vcf",
        records=[
            site(rsid, gt=column, format="GT:GQ")
            for rsid, column in zip(("rs429358", "rs7412"), columns, strict=True)
        ],
        samples=[f"M{number}" for number in range(230)],
    )
    write_good(tmp_path / "one.vcf", 1)
    run([tmp_path / "many.vcf", tmp_path / "one.vcf"], tmp_path / "out")
    table, column = where.split()
    base = sqlite3.connect(tmp_path / "out" / "cohort.sqlite")
    rows = base.execute(f"SELECT {column} FROM {table}").fetchall()  # noqa: S608 - nine fixed names
    bad = bytearray(next(data for (data,) in rows if isinstance(data, bytes)))
    bad[len(bad) // 2] ^= 1
    first = f"SELECT {column} FROM {table} WHERE typeof({column}) = 'blob' LIMIT 1"  # noqa: S608
    base.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ({first})", (bytes(bad),))  # noqa: S608
    base.commit()
    base.close()

    def use():
        from pgx.cohort.results import reports

        with State(tmp_path / "out") as state:
            for name in ("slice", "carried", "pedigree", "finished", "page"):
                state.meta(name, object)
            assert list(reports(state))
        run([tmp_path / "many.vcf", tmp_path / "one.vcf"], tmp_path / "out")

    with pytest.raises(FormatError, match=f"its table {table} has another checksum"):
        use()
