"""Slices that were done apart: joined to what an unbroken run gives, or refused."""

from __future__ import annotations

import pytest
from vcf_builder import site, write_vcf

from cohort.conftest import assert_same_tables, records, rows_of, run, write_good
from pgx.cohort.run import merge
from pgx.cohort.store import State
from pgx.errors import UsageError
from pgx.options import PageOptions


def test_slices_are_joined(many, unbroken, tmp_path, run_pgx):
    shards = [tmp_path / f"shard{number}" for number in range(1, 5)]
    for number, shard in enumerate(shards, start=1):
        assert run_pgx("cohort", many[0], "-o", shard, "--jobs", 1, "--shard", f"{number}/4").exit_code == 5
    assert run_pgx("merge", *shards, "-o", tmp_path / "all").exit_code == 5
    assert_same_tables(unbroken, tmp_path / "all")
    refused = run_pgx("merge", *shards[:3], "-o", tmp_path / "some")
    assert refused.exit_code == 2
    assert "slices that were not given" in refused.stderr


def test_slices_of_different_days_do_not_mix(tmp_path, run_pgx):
    """A new file that sorts first moves every other one into another slice."""
    inputs = tmp_path / "in"
    inputs.mkdir()
    shards = [tmp_path / "s1", tmp_path / "s2"]

    def both():
        for number, shard in enumerate(shards, start=1):
            assert (
                run_pgx("cohort", inputs, "-o", shard, "--jobs", 1, "--shard", f"{number}/2").exit_code == 0
            )

    for name in ("b", "c"):
        write_vcf(inputs / f"{name}.vcf", records=records("0/0", "0/0"), samples=[name.upper()])
    both()
    write_vcf(inputs / "a.vcf", records=records("0/1", "0/0"), samples=["A"])
    write_vcf(inputs / "c.vcf", records=records("1/1", "0/0"), samples=["C"])
    both()
    for order in (shards, shards[::-1]):
        assert run_pgx("merge", *order, "-o", tmp_path / "all").exit_code == 0
        found = {row["sample"]: row["diplotype"] for row in rows_of(tmp_path / "all" / "samples.tsv")}
        assert found == {"A": "e3/e4", "B": "e3/e3", "C": "e4/e4"}
    run([inputs], tmp_path / "whole")
    refused = run_pgx("merge", tmp_path / "whole", shards[0], "-o", tmp_path / "other")
    assert refused.exit_code == 2
    assert "another slice has too" in refused.stderr


def test_merging_again_keeps_nobody_who_is_gone(tmp_path, run_pgx):
    names = [f"S{number}" for number in range(220)]
    for count in (220, 2, 3, 1):
        write_vcf(tmp_path / "a.vcf", records=records("0/1", "0/0"), samples=names[:count])
        run_pgx("cohort", tmp_path / "a.vcf", "-o", tmp_path / "s", "--jobs", 1)
        assert run_pgx("merge", tmp_path / "s", "-o", tmp_path / "all").exit_code == 0
        assert [row["sample"] for row in rows_of(tmp_path / "all" / "samples.tsv")] == names[:count]
        assert run_pgx("report", tmp_path / "all", "--sample", "S0", "-f", "tsv").exit_code == 0


@pytest.mark.parametrize("change", ["bed", "manifest", "version", "unfinished"])
def test_slices_made_under_other_conditions_are_refused(change, tmp_path, run_pgx, monkeypatch):
    for name in ("a", "b"):
        write_vcf(tmp_path / f"{name}.vcf", records=[site("rs429358")], samples=[name], neighbours=False)
    (tmp_path / "c.bed").write_text("chr19\t0\t1\n")
    manifest = tmp_path / "m.tsv"
    manifest.write_text("path\tname\na.vcf\tAnn\nb.vcf\tBen\n")
    options = ("--manifest", manifest, "--callable", tmp_path / "c.bed", "--jobs", 1)
    assert run_pgx("cohort", "-o", tmp_path / "s1", *options, "--shard", "1/2").exit_code == 0
    match change:
        case "bed":
            (tmp_path / "c.bed").write_text("chr19\t0\t58617616\n")
        case "manifest":
            manifest.write_text("path\tname\na.vcf\tAnn\nb.vcf\tBob\n")
        case "version":
            from pgx import reference
            from pgx.cohort import worker

            monkeypatch.setattr(reference, "program_version", lambda: "999")
            worker._recipe.cache_clear()
    assert run_pgx("cohort", "-o", tmp_path / "s2", *options, "--shard", "2/2").exit_code == 0
    if change == "unfinished":
        with State(tmp_path / "s2") as state:
            state.set_meta(finished=False)
    refused = run_pgx("merge", tmp_path / "s1", tmp_path / "s2", "-o", tmp_path / "all")
    assert refused.exit_code == 2, refused.stderr
    assert not (tmp_path / "all").exists()
    if change == "version":
        worker._recipe.cache_clear()


def test_merge_refuses_its_own_slice(tmp_path):
    write_good(tmp_path / "a.vcf", 0)
    run([tmp_path / "a.vcf"], tmp_path / "out")
    with pytest.raises(UsageError, match="slice itself"):
        merge([tmp_path / "out"], tmp_path / "out", PageOptions())
