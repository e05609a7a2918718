"""Many files: all right rows, every bad input named, and the same bytes however the work was done."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from vcf_builder import block, site, write_vcf

from cohort.conftest import BAD, FILES, TABLES, assert_same_tables, records, write_good
from pgx.cohort import CohortOptions, merge, one_report, plan_inputs, run_cohort
from pgx.cohort.options import PageOptions
from pgx.errors import InputError, OutputError, SampleError, UsageError
from pgx.single import Options

HOLD = """
import sys
from pathlib import Path
from pgx.cohort.state import State
State(Path(sys.argv[1]))
print('held', flush=True)
sys.stdin.read()
"""


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))


def run(inputs, out, *, manifest=None, options=None, **cohort):
    plan = plan_inputs([str(item) for item in inputs], manifest, options or Options())
    return run_cohort(plan, out, CohortOptions(**{"jobs": 1, **cohort}))


def command(repository, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "pgx", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def test_every_good_file_has_its_row_and_every_bad_one_a_cure(many, tmp_path, run_pgx):
    folder, truth = many
    outcome = run_pgx("cohort", folder, "-o", tmp_path / "out", "--jobs", 2)
    assert outcome.exit_code == 5, outcome.stderr
    assert outcome.stdout == ""
    rows = rows_of(tmp_path / "out" / "samples.tsv")
    assert {row["sample"]: row["diplotype"] for row in rows} == truth
    assert len(rows) == FILES - BAD
    failures = rows_of(tmp_path / "out" / "failures.tsv")
    assert len(failures) == BAD
    assert all(row["error"] and row["cure"] and "bug" not in row["error"] for row in failures)
    assert len({row["error"] for row in failures}) >= 6
    assert [row["input"] for row in failures] == sorted(row["input"] for row in failures)


def test_processes_give_the_same_tables(many, unbroken, tmp_path):
    run([many[0]], tmp_path, jobs=2)
    assert_same_tables(unbroken, tmp_path)


def test_the_row_of_a_sample_is_that_of_pgx_annotate(many, unbroken, run_pgx):
    table = (unbroken / "samples.tsv").read_text().splitlines()
    for path in sorted(many[0].glob("f*"))[:20]:
        alone = run_pgx("annotate", path, "-f", "tsv").stdout.splitlines()
        assert alone[0] == table[0]
        assert alone[1] in table


def test_killed_five_times_it_goes_on(many, unbroken, tmp_path, repository):
    rng = random.Random(os.environ.get("PGX_COHORT_SEED", "kill"))  # noqa: S311 - moments, not secrets
    left = []
    for _ in range(5):
        started = command(repository, "cohort", many[0], "-o", tmp_path, "--jobs", 2)
        time.sleep(rng.uniform(0.2, 1.0 + FILES / 400))
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
        left.append(started.returncode)
    last = command(repository, "cohort", many[0], "-o", tmp_path, "--jobs", 2)
    _, errors = last.communicate(timeout=120)
    assert last.returncode == 5, errors
    assert -signal.SIGKILL in left
    assert_same_tables(unbroken, tmp_path)


def test_a_kill_after_half_of_the_work_keeps_that_half(many, unbroken, tmp_path):
    class EnoughError(Exception):
        pass

    def stop(progress):
        if progress.done >= FILES // 2:
            raise EnoughError

    plan = plan_inputs([str(many[0])], None, Options())
    with pytest.raises(EnoughError):
        run_cohort(plan, tmp_path, CohortOptions(jobs=1), tell=stop)
    outcome = run_cohort(plan, tmp_path, CohortOptions(jobs=1))
    assert outcome.kept >= FILES // 3
    assert_same_tables(unbroken, tmp_path)


def test_slices_are_joined(many, unbroken, tmp_path, run_pgx):
    shards = [tmp_path / f"shard{number}" for number in range(1, 5)]
    for number, shard in enumerate(shards, start=1):
        assert run_pgx("cohort", many[0], "-o", shard, "--jobs", 1, "--shard", f"{number}/4").exit_code == 5
    assert run_pgx("merge", *shards, "-o", tmp_path / "all").exit_code == 5
    assert_same_tables(unbroken, tmp_path / "all")
    refused = run_pgx("merge", *shards[:3], "-o", tmp_path / "some")
    assert refused.exit_code == 2
    assert "slices that were not given" in refused.stderr


def test_dask_gives_the_same_tables_even_when_a_worker_dies(many, unbroken, tmp_path):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    from pgx.executors import Dask

    engine = Dask(jobs=2)
    victims = list(engine.client.run(os.getpid).values())
    killed = []

    def tell(progress):
        if progress.done and not killed:
            killed.append(victims[0])
            os.kill(victims[0], signal.SIGKILL)

    plan = plan_inputs([str(many[0])], None, Options())
    try:
        run_cohort(plan, tmp_path, CohortOptions(), tell=tell, engine=engine)
    finally:
        engine.close()
    assert killed
    assert_same_tables(unbroken, tmp_path)


def test_a_process_that_dies_is_replaced_and_the_culprit_named(tmp_path):
    from cohort import deadly
    from pgx.executors import Processes, WorkerDiedError, run_all

    engine = Processes(2)
    try:
        found = dict(run_all(engine, deadly.work, [1, 2, 3, deadly.POISON, 5, 6]))
    finally:
        engine.close()
    assert {key: value for key, value in found.items() if key != deadly.POISON} == {
        1: 1, 2: 4, 3: 9, 5: 25, 6: 36
    }  # fmt: skip
    assert isinstance(found[deadly.POISON], WorkerDiedError)


def test_only_what_changed_is_done_again(tmp_path):
    inputs = tmp_path / "in"
    inputs.mkdir()
    for number in range(6):
        write_good(inputs / f"f{number}.vcf", number)
    out = tmp_path / "out"
    assert run([inputs], out).kept == 0
    assert run([inputs], out).kept == 6
    write_vcf(inputs / "f2.vcf", records=records("1/1", "0/0"), samples=["P00002"])
    assert run([inputs], out).kept == 5
    assert rows_of(out / "samples.tsv")[2]["diplotype"] == "e4/e4"
    assert run([inputs], out, options=Options(min_dp=5)).kept == 0
    os.utime(inputs / "f3.vcf", (1, 1))
    assert run([inputs], out).kept == 5


def test_verify_finds_a_change_that_kept_size_and_time(tmp_path):
    path = tmp_path / "a.vcf"
    write_vcf(path, records=records("0/1", "0/0"))
    stamp = path.stat()
    out = tmp_path / "out"
    run([path], out, verify=True)
    path.write_bytes(
        path.read_bytes().replace(b"0/1:30:90:300,0,300", b"1/1:30:90:900,90,0"[:19].ljust(19, b"0"))
    )
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert path.stat().st_size == stamp.st_size
    assert run([path], out).kept == 1
    assert run([path], out, verify=True).kept == 0


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
    from pgx.cohort.state import State

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


def test_nothing_found_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    write_good(tmp_path / "a.vcf", 0)
    outcome = run([tmp_path / "empty", str(tmp_path / "*.bcf"), tmp_path / "a.vcf"], tmp_path / "out")
    assert (outcome.samples, outcome.failed) == (1, 2)
    errors = [row["error"] for row in rows_of(tmp_path / "out" / "failures.tsv")]
    assert errors == ["holds no VCF or BCF", "matches no file"]
    with pytest.raises(UsageError, match="no input"):
        plan_inputs([], None, Options())


def test_the_manifest_gives_options_and_columns(tmp_path):
    write_vcf(
        tmp_path / "two.vcf",
        samples=["A", "B"],
        records=[site("rs429358", gt=["0/0", "0/1"]), site("rs7412")],
    )
    write_vcf(tmp_path / "one.vcf", samples=["C"], contig_lengths=False, neighbours=False)
    (tmp_path / "m.tsv").write_text(
        "path\tsample\tassembly\tpopulation\tbatch\tsite of care\n"
        "two.vcf\tB\t\tEUR\tb1\t=1+1\n"
        "two.vcf\tA\t\tEUR\tb2\tx\n"
        "one.vcf\t\tGRCh38\t\tb1\ty\n"
        "gone.vcf\t\t\t\tb1\ty\n"
        "two.vcf\tnobody\t\tAFR\tb1\ty\n"
        "one.vcf\t\tGRCh99\t\tb1\ty\n"
    )
    outcome = run([], tmp_path / "out", manifest=tmp_path / "m.tsv")
    rows = rows_of(tmp_path / "out" / "samples.tsv")
    assert [(row["sample"], row["batch"], row["site of care"]) for row in rows] == [
        ("B", "b1", "'=1+1"), ("A", "b2", "x"), ("C", "b1", "y")
    ]  # fmt: skip
    assert outcome.failed == 3
    assert [row["error"] for row in rows_of(tmp_path / "out" / "failures.tsv")] == [
        "no such file", "no sample 'nobody'", "line 7 of the manifest: unknown assembly 'GRCh99'"
    ]  # fmt: skip
    assert one_report(tmp_path / "out", "B").run.parameters.population == "EUR"
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    # everybody has a "site of care" of their own, so it divides nothing
    assert [stratum["column"] for stratum in summary["strata"]] == ["batch", "population"]


def test_a_sample_that_comes_twice_is_named(tmp_path, run_pgx):
    write_good(tmp_path / "a.vcf", 1)
    shutil.copy(tmp_path / "a.vcf", tmp_path / "b.vcf")
    outcome = run_pgx("cohort", tmp_path, "-o", tmp_path / "out")
    assert outcome.exit_code == 0
    assert "came more than once: P00001" in outcome.stderr
    with pytest.raises(SampleError, match=r"comes 2 times .*a\.vcf.*b\.vcf.*--input"):
        one_report(tmp_path / "out", "P00001")
    for name in ("a", "b"):
        which = ("--sample", "P00001", "--input", tmp_path / f"{name}.vcf")
        found = run_pgx("report", tmp_path / "out", *which, "-f", "json")
        assert json.loads(found.stdout)["input"]["path"] == str(tmp_path / f"{name}.vcf")
    refused = run_pgx("report", tmp_path / "out", "--sample", "P00001", "--input", "c.vcf")
    assert refused.exit_code == 3
    assert "no sample 'P00001' from 'c.vcf'" in refused.stderr


def test_blocks_of_one_sample_set_are_joined(tmp_path):
    names = [f"S{number}" for number in range(4)]
    first = [site("rs429358", gt=["0/0", "0/1", "1/1", "0/1"])]
    second = [site("rs7412", gt=["0/1", "0/0", "0/0", "0/1"])]
    layout = {"samples": names, "neighbours": False}
    write_vcf(tmp_path / "block1.vcf", records=first, **layout)
    write_vcf(tmp_path / "block2.vcf", records=second, **layout)
    write_vcf(tmp_path / "whole.vcf", records=[*first, *second], **layout)
    run([tmp_path / "whole.vcf"], tmp_path / "one")
    for _ in range(2):  # joined once more from what is stored
        outcome = run([tmp_path / "block1.vcf", tmp_path / "block2.vcf"], tmp_path / "two")
        assert (outcome.samples, outcome.duplicated) == (4, 0)
    wanted, found = (rows_of(tmp_path / name / "samples.tsv") for name in ("one", "two"))
    assert [row | {"input": ""} for row in found] == [row | {"input": ""} for row in wanted]
    both = [one_report(tmp_path / name, "S2") for name in ("one", "two")]
    assert both[0].report.genotype == both[1].report.genotype
    assert both[1].run.input.path == f"{tmp_path / 'block1.vcf'} + {tmp_path / 'block2.vcf'}"
    assert outcome.joined == (both[1].run.input.path,)
    page = (tmp_path / "two" / "index.html").read_text()
    assert "Inputs that were joined by sample" in page


@pytest.fixture
def two_blocks(tmp_path):
    """Return two files that each have one site of the same four people."""
    layout = {"samples": [f"S{number}" for number in range(4)], "neighbours": False}
    return [
        write_vcf(tmp_path / f"{rsid}.vcf", records=[site(rsid, gt="0/1:60", format="GT:GQ")], **layout)
        for rsid in ("rs429358", "rs7412")
    ]


def test_blocks_are_joined_again_when_the_program_or_its_data_changed(two_blocks, tmp_path, monkeypatch):
    from pgx import provenance
    from pgx.cohort import work
    from pgx.cohort.state import State

    out = tmp_path / "out"
    run(two_blocks, out)
    with State(out) as state:
        before = {item.recipe for item in state.summaries().values()}
    monkeypatch.setattr(provenance, "program_version", lambda: "999")
    work._recipe.cache_clear()
    assert run(two_blocks, out).kept == 0
    work._recipe.cache_clear()
    with State(out) as state:
        after = [item.recipe for item in state.summaries().values()]
    assert len(after) == 3
    assert not before & set(after)
    assert one_report(out, "S1").run.tool.version == "999"


def test_blocks_that_do_not_fit_are_a_failure_and_no_row_is_lost(two_blocks, tmp_path, monkeypatch):
    from pgx.cohort import blocks
    from pgx.errors import FormatError

    def refuse(path):
        raise FormatError("is damaged", where=path, cure="Fetch it again")

    monkeypatch.setattr(blocks, "read_sites", refuse)
    outcome = run(two_blocks, tmp_path / "out")
    assert (outcome.samples, outcome.failed, outcome.joined) == (8, 1, ())
    (failure,) = rows_of(tmp_path / "out" / "failures.tsv")
    assert failure["input"] == " + ".join(map(str, two_blocks))
    assert "blocks of the same samples do not fit" in failure["error"]
    monkeypatch.undo()
    assert run(two_blocks, tmp_path / "out").samples == 4


def test_the_same_people_on_two_assemblies_are_no_blocks(tmp_path):
    layout = {"samples": ["A", "B"], "neighbours": False}
    old = write_vcf(
        tmp_path / "old.vcf", records=[site("rs429358")], assembly="GRCh37", contig="19", **layout
    )
    new = write_vcf(tmp_path / "new.vcf", records=[site("rs7412")], **layout)
    outcome = run([old, new], tmp_path / "out")
    assert (outcome.samples, outcome.joined) == (4, ())
    assert outcome.duplicates == ("A", "B")


def test_progress_counts_statuses_of_what_is_done_and_of_what_was(tmp_path):
    for number in range(10):
        write_good(tmp_path / f"f{number}.vcf", number)
    (tmp_path / "bad.vcf").write_text("nothing")
    many_people = [f"S{number}" for number in range(20)]
    write_vcf(tmp_path / "many.vcf", samples=many_people, records=records("0/1", "0/0"))
    wanted = {"non-carrier": 6, "heterozygous": 22, "homozygous": 2}
    for _ in range(2):
        told = []
        plan = plan_inputs([str(tmp_path)], None, Options())
        options = CohortOptions(jobs=1, arrays_from=15)
        run_cohort(plan, tmp_path / "out", options, tell=told.append)
        assert told[-1].statuses == wanted
        assert (told[-1].samples, told[-1].failed) == (30, 1)
    assert told[-1].kept == 11


def test_reports_again_from_what_is_stored(tmp_path, run_pgx, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    names = [f"S{number}" for number in range(250)]
    path = write_vcf(
        tmp_path / "big.vcf",
        samples=names,
        records=[
            site("rs429358", gt="0/1:30:99:300,0,300", format="GT:DP:GQ:PL"),
            block(over=["rs7412"]),
        ],
    )
    small = write_vcf(tmp_path / "small.vcf", samples=["X"], records=records("0/1", "0/1"))
    out = tmp_path / "out"
    assert run_pgx("cohort", path, small, "-o", out, "--jobs", 1).exit_code == 0
    for source, name in ((path, "S77"), (small, "X")):
        for form in ("json", "text", "html", "tsv"):
            again = run_pgx("report", out, "--sample", name, "-f", form, "-o", tmp_path / f"a.{form}")
            assert again.exit_code == 0, again.stderr
            run_pgx("annotate", source, "-s", name, "-f", form, "-o", tmp_path / f"b.{form}")
            assert (tmp_path / f"a.{form}").read_bytes() == (tmp_path / f"b.{form}").read_bytes()
    assert run_pgx("report", out, "--sample", "nobody").exit_code == 3
    assert run_pgx("report", out).exit_code == 2


def test_reports_for_some(tmp_path, run_pgx):
    for number in range(4):
        write_good(tmp_path / f"f{number}.vcf", number)
    (tmp_path / "wanted.txt").write_text("P00003\nP00001\n")
    arguments = ("cohort", tmp_path, "-o", tmp_path / "out", "--reports", "json")
    assert run_pgx(*arguments, "--reports-for", tmp_path / "wanted.txt").exit_code == 0
    index = rows_of(tmp_path / "out" / "reports" / "index.tsv")
    assert [row["sample"] for row in index] == ["P00001", "P00003"]
    for row in index:
        document = json.loads((tmp_path / "out" / "reports" / row["file"]).read_text())
        assert document["samples"][0]["sample"] == row["sample"]
    assert run_pgx(*arguments).exit_code == 0
    assert len(rows_of(tmp_path / "out" / "reports" / "index.tsv")) == 4
    (tmp_path / "out" / "reports" / "of the user.txt").write_text("stays")
    (tmp_path / "f0.vcf").unlink()
    assert run_pgx(*arguments).exit_code == 0
    left = {path.name for path in (tmp_path / "out" / "reports").iterdir()}
    index = {row["file"] for row in rows_of(tmp_path / "out" / "reports" / "index.tsv")}
    assert len(index) == 3
    assert left == index | {"index.tsv", "of the user.txt"}, "a report of a sample that is gone would mislead"
    assert "is from an earlier run" in run_pgx(*arguments[:-2]).stderr


def test_reports_that_cannot_be_made_are_refused_before_the_run(tmp_path, run_pgx):
    write_good(tmp_path / "a.vcf", 0)
    arguments = ("cohort", tmp_path / "a.vcf", "-o", tmp_path / "out")
    wrong = run_pgx(*arguments, "--reports", "html", "--reports-for", tmp_path / "nowhere.txt")
    assert wrong.exit_code == 3
    assert run_pgx(*arguments, "--reports-for", tmp_path / "nowhere.txt").exit_code == 2
    assert not (tmp_path / "out").exists()
    (tmp_path / "names.txt").write_text("P00000\nnobody\n")
    some = run_pgx(*arguments, "--reports", "json", "--reports-for", tmp_path / "names.txt")
    assert some.exit_code == 3
    assert "no sample 'nobody'" in some.stderr
    assert len(rows_of(tmp_path / "out" / "reports" / "index.tsv")) == 1


def test_a_damaged_state_file_is_named(tmp_path):
    write_good(tmp_path / "a.vcf", 0)
    out = tmp_path / "out"
    out.mkdir()
    (out / "cohort.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(OutputError, match="damaged"):
        run([tmp_path / "a.vcf"], out)


def test_both_tables_hold_the_same(unbroken):
    import pyarrow.parquet as pq

    rows = rows_of(unbroken / "samples.tsv")
    table = pq.read_table(unbroken / "samples.parquet")
    assert table.column_names == list(rows[0])
    for name in table.column_names:
        kind = float if name.endswith("probability") else str
        parquet = ["" if cell is None else kind(cell) for cell in table.column(name).to_pylist()]
        assert parquet == [kind(row[name]) for row in rows]


def test_no_clock_in_the_tables(many, unbroken, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    run([many[0]], tmp_path)
    assert_same_tables(unbroken, tmp_path)


def test_nothing_but_the_documented_files_is_left(unbroken):
    assert {path.name for path in unbroken.iterdir()} == {*TABLES, "cohort.sqlite"}
    with sqlite3.connect(unbroken / "cohort.sqlite") as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_page_options_change_nothing_else(many, unbroken, tmp_path):
    run([many[0]], tmp_path, page=PageOptions(sample_table=True))
    for name in ("samples.tsv", "samples.parquet", "failures.tsv"):
        assert (tmp_path / name).read_bytes() == (unbroken / name).read_bytes()


def test_merge_refuses_its_own_slice(tmp_path):
    write_good(tmp_path / "a.vcf", 0)
    run([tmp_path / "a.vcf"], tmp_path / "out")
    with pytest.raises(UsageError, match="slice itself"):
        merge([tmp_path / "out"], tmp_path / "out", PageOptions())
