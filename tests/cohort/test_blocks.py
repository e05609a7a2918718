"""Files that hold blocks of one chromosome of the same people, and files that only look like it."""

from __future__ import annotations

import os

import pytest
from vcf_builder import site, write_vcf

from cohort.conftest import rows_of, run
from pgx.cohort import one_report


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
        blocks = [tmp_path / "block1.vcf", tmp_path / "block2.vcf"]
        outcome = run(blocks, tmp_path / "two", join_blocks=True)
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
    run(two_blocks, out, join_blocks=True)
    with State(out) as state:
        before = {item.recipe for item in state.known().values()}
    monkeypatch.setattr(provenance, "program_version", lambda: "999")
    work._recipe.cache_clear()
    assert run(two_blocks, out, join_blocks=True).kept == 0
    work._recipe.cache_clear()
    with State(out) as state:
        after = [item.recipe for item in state.known().values()]
    assert len(after) == 3
    assert not before & set(after)
    assert one_report(out, "S1").run.tool.version == "999"


def test_blocks_that_do_not_fit_are_a_failure_and_no_row_is_lost(two_blocks, tmp_path, monkeypatch):
    from pgx.cohort import blocks
    from pgx.errors import FormatError

    def refuse(path):
        raise FormatError("is damaged", where=path, cure="Fetch it again")

    monkeypatch.setattr(blocks, "read_sites", refuse)
    outcome = run(two_blocks, tmp_path / "out", join_blocks=True)
    assert (outcome.samples, outcome.failed, outcome.joined) == (8, 1, ())
    (failure,) = rows_of(tmp_path / "out" / "failures.tsv")
    assert failure["input"] == " + ".join(map(str, two_blocks))
    assert "blocks of the same samples could not be joined" in failure["error"]
    monkeypatch.undo()
    assert run(two_blocks, tmp_path / "out", join_blocks=True).samples == 4


def test_few_samples_are_not_joined_unless_it_is_asked_for(tmp_path, run_pgx):
    """Two pairs of tumour and normal: the same names, other people."""
    layout = {"samples": ["NORMAL", "TUMOR"], "neighbours": False}
    one = write_vcf(tmp_path / "one.vcf", records=[site("rs429358", gt="0/1")], **layout)
    two = write_vcf(tmp_path / "two.vcf", records=[site("rs7412", gt="0/1")], **layout)
    done = run_pgx("cohort", one, two, "-o", tmp_path / "out", "--jobs", 1)
    assert done.exit_code == 0
    assert f"warning: {one} + {two} list the same samples and look like blocks" in done.stderr
    assert "--join-blocks" in done.stderr
    rows = rows_of(tmp_path / "out" / "samples.tsv")
    assert [row["diplotype"] for row in rows] == [""] * 4
    asked = run_pgx("cohort", one, two, "-o", tmp_path / "out", "--jobs", 1, "--join-blocks")
    assert f"joined by sample: {one} + {two}" in asked.stderr
    assert len(rows_of(tmp_path / "out" / "samples.tsv")) == 2


@pytest.fixture
def plates(tmp_path):
    """Return a function that writes files of the same 24 names, each with one site and a place beside it."""
    names = [f"{row}{column:02}" for row in "AB" for column in range(1, 13)]

    def write(near=False, beside=True, **places):
        found = []
        for name, (rsid, contig) in places.items():
            records = []
            if rsid is not None:
                records = [site(rsid, gt="0/1")]
                other = {"ref": "A", "alt": "G", "id": "."}
                if beside and rsid == "rs429358":
                    records.insert(0, site(rsid, offset=-100, **other))
                elif beside:
                    records.append(site(rsid, offset=100, **other))
            layout = {"samples": names, "neighbours": near, "contig": contig}
            found.append(write_vcf(tmp_path / f"{name}.vcf", records=records, **layout))
        return found

    return write


def test_many_samples_are_joined_where_their_records_lie_apart(plates, tmp_path):
    blocks = plates(one=("rs429358", "chr19"), two=("rs7412", "19"))
    outcome = run(blocks, tmp_path / "out")
    assert (outcome.samples, len(outcome.joined)) == (24, 1)


@pytest.mark.parametrize("second", [("rs7412", "19"), (None, "chr19")], ids=["other names", "empty"])
def test_a_file_of_other_people_is_not_joined_for_its_contigs_or_for_having_nothing(second, plates, tmp_path):
    near = second[0] is not None
    files = plates(near=near, one=("rs429358", "chr19"), two=second)
    outcome = run(files, tmp_path / "out", join_blocks=True)
    assert (outcome.samples, outcome.joined) == (48, ())


def test_records_at_one_position_are_no_region(plates, tmp_path):
    files = plates(beside=False, one=("rs429358", "chr19"), two=("rs7412", "chr19"))
    outcome = run(files, tmp_path / "out")
    assert (outcome.samples, outcome.joined, len(outcome.unasked)) == (48, (), 1)
    assert run(files, tmp_path / "out", join_blocks=True).samples == 24


def test_a_row_for_one_block_keeps_both_apart(plates, tmp_path):
    """Else the sample would lose what the other block says of it."""
    files = plates(one=("rs429358", "chr19"), two=("rs7412", "chr19"))
    (tmp_path / "m.tsv").write_text("path\tsample\tbirth_date\none.vcf\tA01\t1950-01-01\n")
    outcome = run(files, tmp_path / "out", manifest=tmp_path / "m.tsv")
    assert (outcome.samples, outcome.joined, outcome.duplicated) == (48, (), 24)


def test_what_the_manifest_tells_apart_is_not_joined_by_request(two_blocks, tmp_path):
    rows = ["path\tsample\tbirth_date"]
    for path, born in zip(two_blocks, ("1950-01-01", "2020-01-01"), strict=True):
        rows += [f"{path}\tS0\t{born}", f"{path}\tS1\t"]
    (tmp_path / "m.tsv").write_text("\n".join(rows))
    outcome = run([], tmp_path / "out", manifest=tmp_path / "m.tsv", join_blocks=True)
    assert (outcome.samples, outcome.failed, outcome.joined) == (4, 1, ())
    assert "says different things" in rows_of(tmp_path / "out" / "failures.tsv")[0]["error"]
    minors = ["minor" in row["flags"] for row in rows_of(tmp_path / "out" / "samples.tsv")]
    assert minors == [False, False, True, False]


def test_plates_with_the_same_names_are_not_joined(plates, tmp_path, monkeypatch):
    """Files of different people have records in between each other's, wherever they have them."""
    from pgx.cohort import blocks

    files = plates(near=True, one=("rs429358", "chr19"), two=("rs7412", "chr19"))
    for _ in range(2):
        outcome = run(files, tmp_path / "out")
        assert (outcome.samples, outcome.joined, outcome.duplicated) == (48, (), 24)
        monkeypatch.setattr(blocks, "extents", None)  # what was found out is not asked again


def test_a_manifest_that_tells_samples_apart_keeps_them_apart(plates, tmp_path):
    plates(one=("rs429358", "chr19"), two=("rs7412", "chr19"))
    for second, joined in (("p2", 0), ("p1", 1)):
        (tmp_path / "m.tsv").write_text(f"path\tpatient\none.vcf\tp1\ntwo.vcf\t{second}\n")
        assert len(run([], tmp_path / "out", manifest=tmp_path / "m.tsv").joined) == joined


def test_a_block_that_changes_is_joined_anew_or_not_at_all(two_blocks, tmp_path, monkeypatch):
    from pgx.cohort import blocks

    out = tmp_path / "out"
    run(two_blocks, out, join_blocks=True, verify=True)
    assert rows_of(out / "samples.tsv")[0]["diplotype"] == "e2/e4"
    stamp = two_blocks[0].stat()
    two_blocks[0].write_text(two_blocks[0].read_text().replace("0/1:60", "1/1:60"))
    os.utime(two_blocks[0], ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    run(two_blocks, out, join_blocks=True, verify=True)
    assert rows_of(out / "samples.tsv")[0]["rs429358"] == "C/C"

    read = blocks.read_sites

    def change(path):
        found = read(path)
        os.utime(two_blocks[0], (1, 1))
        return found

    monkeypatch.setattr(blocks, "read_sites", change)
    os.utime(two_blocks[1], (5, 5))
    outcome = run(two_blocks, out, join_blocks=True)
    assert (outcome.failed, outcome.joined) == (1, ())
    assert "changed since it was read" in rows_of(out / "failures.tsv")[0]["error"]


def test_the_same_people_on_two_assemblies_are_no_blocks(tmp_path):
    layout = {"samples": ["A", "B"], "neighbours": False}
    old = write_vcf(
        tmp_path / "old.vcf", records=[site("rs429358")], assembly="GRCh37", contig="19", **layout
    )
    new = write_vcf(tmp_path / "new.vcf", records=[site("rs7412")], **layout)
    outcome = run([old, new], tmp_path / "out")
    assert (outcome.samples, outcome.joined) == (4, ())
    assert outcome.duplicates == ("A", "B")
