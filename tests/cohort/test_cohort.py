"""Many files: all right rows, every bad input named, and the same bytes however the work was done."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import time

import pytest
from vcf_builder import block, site, write_vcf

from cohort.conftest import BAD, FILES, TABLES, assert_same_tables, command, records, rows_of, run, write_good
from pgx.cohort import CohortOptions, one_report, plan_inputs, run_cohort
from pgx.errors import SampleError
from pgx.options import Options, PageOptions


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


@pytest.mark.slow
def test_dask_gives_the_same_tables_even_when_a_worker_dies(many, unbroken, tmp_path):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    from pgx.executors import Dask

    engine = Dask(jobs=2)
    victims = list(engine._client.run(os.getpid).values())
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
    assert run([inputs], out).kept == 0, "what a run no longer asks for is taken out of the state"
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
        "line 5 of the manifest: no such file",
        "line 6 of the manifest: no sample 'nobody'",
        "line 7 of the manifest: unknown assembly 'GRCh99'",
    ]
    assert one_report(tmp_path / "out", "B").run.parameters.population == "EUR"
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    # everybody has a "site of care" of their own, so it divides nothing; other groups are too small
    assert [stratum["column"] for stratum in summary["strata"]] == ["batch", "population"]
    assert all(stratum["values"] == [] and stratum["left_out"] for stratum in summary["strata"])


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


def test_who_leaves_a_cohort_leaves_its_state(tmp_path):
    for name in ("Stays", "Leaves"):
        write_vcf(tmp_path / f"{name}.vcf", records=records("0/1", "0/0"), samples=[f"{name}Unique"])
    out = tmp_path / "out"
    run([tmp_path / "Stays.vcf", tmp_path / "Leaves.vcf"], out)
    assert b"LeavesUnique" in (out / "cohort.sqlite").read_bytes()
    run([tmp_path / "Stays.vcf"], out)
    data = (out / "cohort.sqlite").read_bytes()
    assert b"LeavesUnique" not in data
    assert b"StaysUnique" in data


def test_a_report_of_a_large_input_is_made_with_what_its_row_was_made_with(tmp_path, run_pgx):
    names = [f"S{number}" for number in range(210)]
    path = write_vcf(
        tmp_path / "a.vcf", records=[site("rs429358", gt="0/1")], samples=names, neighbours=False
    )
    bed = tmp_path / "c.bed"
    bed.write_text("chr19\t0\t58617616\n")
    assert run_pgx("cohort", path, "-o", tmp_path / "out", "--callable", bed, "--jobs", 1).exit_code == 0
    assert run_pgx("report", tmp_path / "out", "--sample", "S1", "-f", "tsv").exit_code == 0
    bed.write_text("chr19\t0\t1\n")
    refused = run_pgx("report", tmp_path / "out", "--sample", "S1", "-f", "tsv")
    assert refused.exit_code == 3
    assert "other reference data, evidence or BED file" in refused.stderr


def test_a_log_tells_no_genotype(tmp_path, run_pgx):
    for number in range(25):
        path = tmp_path / f"{number}.vcf"
        write_vcf(path, records=records("0/1", "0/0"), samples=[f"P{number}"], neighbours=False)
    done = run_pgx("cohort", tmp_path, "-o", tmp_path / "out", "--jobs", 1)
    assert "warning: All determined diplotypes are the same" in done.stderr
    assert not re.search("ε[1-4]/|e[1-4]/|T/C", done.stderr)


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
            alone = ("annotate", source, "-s", name, "--neighbours", "off")  # which is what a cohort does
            run_pgx(*alone, "-f", form, "-o", tmp_path / f"b.{form}")
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


def test_both_tables_hold_the_same(unbroken):
    import pyarrow.parquet as pq

    rows = rows_of(unbroken / "samples.tsv")
    table = pq.read_table(unbroken / "samples.parquet")
    assert table.column_names == list(rows[0])
    for name in table.column_names:
        kind = float if name.endswith("probability") else str
        parquet = ["" if cell is None else kind(cell) for cell in table.column(name).to_pylist()]
        assert parquet == [kind(row[name]) if row[name] else "" for row in rows]


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
