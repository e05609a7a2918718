"""pgx inspect: what a file is, what stands at the sites, and what a call would still need."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess

import pytest
from vcf_builder import block, site, vcf_text, write_vcf

from pgx.genome import AssemblyEvidenceKind
from pgx.inspect import inspect
from pgx.inspect.told import as_text
from pgx.observe import DETERMINED_STATES, SiteState
from pgx.wording import wording

PLAIN = [site("rs429358", gt="0/1:99", format="GT:GQ"), site("rs7412", gt="0/0:99", format="GT:GQ")]


def codes(found, *, optional=False):
    return [need.code for need in found.needs if need.optional is optional]


def looked(path, **options):
    return inspect(str(path), **options)


def states(found):
    return [site_look.state for site_look in found.samples[0].sites]


@pytest.mark.parametrize(
    ("name", "compression", "index", "said", "need"),
    [
        ("a.vcf", "bgzip", "", "plain", "compression"),
        ("a.vcf.gz", "gzip", "", "gzip", "plain-gzip"),
        ("a.vcf.gz", "bgzip", "", "bgzip", "index"),
        ("a.bcf", "bgzip", "", "bgzip", "index"),
        ("a.vcf.gz", "bgzip", "tbi", "bgzip", None),
        ("a.bcf", "bgzip", "csi", "bgzip", None),
    ],
)
def test_the_kind_of_file(tmp_path, name, compression, index, said, need):
    path = write_vcf(tmp_path / name, records=PLAIN, compression=compression, index=index)
    found = looked(path)
    assert found.file.container == ("BCF" if name.endswith("bcf") else "VCF")
    assert found.file.kind == found.file.container.lower()
    assert found.file.compression == said
    assert found.file.index == (f"{path}.{index}" if index else None)
    assert found.file.access == ("index" if index else "scan")
    assert codes(found) == []
    assert codes(found, optional=True) == ([need] if need else [])
    assert states(found) == ["called", "called"]


def test_the_command_for_an_index_makes_one(tmp_path):
    for tool in ("tabix", "bgzip", "bcftools"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    odd = tmp_path / "it's a $file; with 'quotes'"
    odd.mkdir()
    cases = [("a.vcf.gz", "bgzip"), ("b.vcf", "bgzip"), ("c.vcf.gz", "gzip"), ("d.bcf", "bgzip")]
    for name, compression in cases:
        path = write_vcf(odd / name, records=PLAIN, compression=compression)
        (need,) = [need for need in looked(path).needs if need.optional]
        subprocess.run(need.command, shell=True, check=True, capture_output=True)  # noqa: S602
    made = sorted(item.name for item in odd.iterdir() if item.suffix in {".tbi", ".csi"})
    assert made == ["a.vcf.gz.tbi", "b.vcf.gz.tbi", "c.bgzip.vcf.gz.tbi", "d.bcf.csi"]
    assert looked(odd / "c.bgzip.vcf.gz").file.access == "index"


def test_a_stale_index(tmp_path):
    path = write_vcf(tmp_path / "a.vcf.gz", records=PLAIN, index="tbi")
    os.utime(f"{path}.tbi", (1_000_000_000, 1_000_000_000))
    found = looked(path)
    assert found.file.index_is_stale
    assert found.file.access == "scan"
    (need,) = found.needs
    assert (need.code, need.command) == ("stale-index", f"tabix -f -p vcf {path}")


def test_an_unsorted_file(tmp_path):
    found = looked(write_vcf(tmp_path / "a.vcf", records=PLAIN, order="reversed"))
    assert found.file.unsorted
    assert codes(found, optional=True) == ["sorting"]
    assert states(found) == ["called", "called"]


def test_all_evidence_for_an_assembly_is_shown(tmp_path):
    path = write_vcf(
        tmp_path / "a.vcf", records=PLAIN, assembly="GRCh37", assembly_tag="b37", reference="hg19"
    )
    found = looked(path)
    assert found.assembly.name == "GRCh37"
    assert found.assembly.problem is None
    kinds = {clue.kind for clue in found.assembly.evidence}
    assert {"contig-length", "assembly-tag", "reference-line", "records"} <= kinds


def test_every_kind_of_evidence_has_words():
    for kind in AssemblyEvidenceKind:
        assert wording().has("inspect", f"clue-{kind.value}")


def test_a_contradicted_assembly_is_said_and_not_failed(tmp_path, run_pgx):
    path = write_vcf(tmp_path / "a.vcf", records=PLAIN, assembly="GRCh38", reference="hg19.fa")
    found = looked(path)
    assert found.assembly.name is None
    assert "more than one assembly" in found.assembly.problem
    assert {clue.assembly for clue in found.assembly.evidence} == {"GRCh37", "GRCh38"}
    assert [look.assembly for look in found.samples[0].sites] == ["GRCh37"] * 2 + ["GRCh38"] * 2
    # Our rsIDs would stand at the wrong positions on the other one.
    assert states(found) == ["unsupported", "unsupported", "called", "called"]
    (need,) = [need for need in found.needs if not need.optional]
    assert need.code == "assembly"
    outcome = run_pgx("inspect", path)
    assert outcome.exit_code == 0
    assert "Not decided" in outcome.stdout
    assert run_pgx("annotate", path).exit_code == 3


def test_an_unknown_assembly_is_said_and_the_command_settles_it(tmp_path, run_pgx):
    records = [f"{{chrom}}\t{{{rsid}}}\t.\tN\t<NON_REF>\t.\t.\t.\tGT\t0/0" for rsid in ("rs429358", "rs7412")]
    path = write_vcf(tmp_path / "a.vcf", records=records, contig_lengths=False, neighbours=False)
    found = looked(path)
    assert found.assembly.name is None
    assert "cannot be told" in found.assembly.problem
    (need,) = [need for need in found.needs if not need.optional]
    assert need.command == f"pgx annotate {path} --assembly GRCh38", "a record lies at the site of GRCh38"
    _, *arguments = shlex.split(need.command)
    assert run_pgx(*arguments).exit_code == 0


def test_the_option_decides_and_a_wrong_option_is_said(tmp_path, run_pgx):
    path = write_vcf(tmp_path / "a.vcf", records=PLAIN)
    assert "--assembly says GRCh37" in looked(path, assembly="GRCh37").assembly.problem
    assert looked(path, assembly="hg38").assembly.name == "GRCh38"
    assert run_pgx("inspect", path, "--assembly", "hg99").exit_code == 2


CASES = {
    "absent": [PLAIN[0]],
    "no-call": [PLAIN[0], site("rs7412", gt="./.")],
    "partial-call": [PLAIN[0], site("rs7412", gt="./1")],
    "filtered": [PLAIN[0], site("rs7412", gt="0/1", filter="LowQual")],
    "conflicting": [PLAIN[0], site("rs7412", gt="0/1"), site("rs7412", gt="1/1")],
    "unsupported": [PLAIN[0], site("rs7412", gt="1")],
}


@pytest.mark.parametrize("state", CASES)
def test_what_a_site_needs(tmp_path, state, run_pgx):
    path = write_vcf(tmp_path / "a.vcf.gz", records=CASES[state], index="tbi")
    found = looked(path)
    assert states(found) == ["called", state]
    need = next(need for need in found.needs if need.code == state)
    assert "rs7412" in need.what
    assert need.samples == ("S1",)
    text = run_pgx("inspect", path).stdout
    assert wording().say("state", state) in text
    if need.command is not None:
        assert need.command in text


def test_every_state_that_leaves_a_site_unused_has_a_sentence():
    for state in SiteState:
        assert wording().has("inspect", f"need-{state.value}") is (state not in DETERMINED_STATES)


def test_the_command_for_a_filtered_site_uses_it(tmp_path, run_pgx):
    path = write_vcf(tmp_path / "a.vcf", records=CASES["filtered"])
    command = next(need.command for need in looked(path).needs if need.code == "filtered")
    _, *arguments = shlex.split(command)
    sites = json.loads(run_pgx(*arguments, "-f", "json").stdout)["samples"][0]["sites"]
    assert [entry["state"] for entry in sites] == ["called", "called"]


def test_phase_is_asked_for_where_it_decides(tmp_path):
    cis = [site(rsid, gt="0|1:25", format="GT:PQ") for rsid in ("rs429358", "rs7412")]
    assert "phase" in codes(looked(write_vcf(tmp_path / "a.vcf", records=cis)))


def test_a_block_makes_it_a_gvcf(tmp_path, run_pgx):
    path = write_vcf(tmp_path / "a.g.vcf", records=[block()])
    found = looked(path)
    assert found.file.reference_blocks
    assert states(found) == ["reference-block", "reference-block"]
    assert "gVCF" in run_pgx("inspect", path).stdout


def test_samples_the_first_few_or_those_asked_for(tmp_path, run_pgx):
    names = [f"P{number}" for number in range(12)]
    path = write_vcf(tmp_path / "a.vcf", records=PLAIN, samples=names)
    found = looked(path)
    assert found.sample_count == 12
    assert found.sample_names == ("P0", "P1", "P2", "P3", "P4")
    assert [look.sample for look in found.samples] == ["P0", "P1", "P2"]
    assert [look.sample for look in looked(path, samples=["P9", "P2"]).samples] == ["P9", "P2"]
    outcome = run_pgx("inspect", path, "-s", "nobody")
    assert outcome.exit_code == 3
    assert "no sample 'nobody'" in outcome.stderr


def test_a_need_of_some_samples_names_them(tmp_path, run_pgx):
    records = [PLAIN[0], site("rs7412", gt=["0/0", "./.", "./."])]
    records[0] = site("rs429358", gt=["0/0", "0/0", "0/0"])
    path = write_vcf(tmp_path / "a.vcf", records=records, samples=["A", "B", "C"])
    (need,) = [need for need in looked(path).needs if need.code == "no-call"]
    assert need.samples == ("B", "C")
    assert "(For: B, C)" in re.sub(r"\s+", " ", run_pgx("inspect", path).stdout)


def test_names_of_the_file_reach_no_terminal_raw(tmp_path, run_pgx):
    evil = "\x1b[31mred\x07\u202e"
    text = vcf_text(
        records=[site("rs429358", gt="0/1:x\x1b[2J", format="GT:XX"), PLAIN[1]],
        samples=[evil],
        assembly_tag="GRCh38\x1b[1m",
        reference="hg38\x1b]0;t\x07.fa",
    )
    path = write_vcf(tmp_path / "a.vcf", text=text)
    for arguments in ([], ["-f", "json"]):
        shown = run_pgx("inspect", path, *arguments).stdout
        assert "red" in shown
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", shown)
    assert "\u202e" not in run_pgx("inspect", path).stdout


def test_long_columns_are_shortened(tmp_path, run_pgx):
    records = [site("rs429358", gt="0/1", info="XX=" + "A" * 5000), PLAIN[1]]
    path = write_vcf(tmp_path / "a.vcf", records=records)
    (record,) = looked(path).samples[0].sites[0].records
    assert len(record) < 300
    assert record.endswith("GT 0/1")
    commands = {need.command for need in looked(path).needs}
    for line in run_pgx("inspect", path).stdout.splitlines():
        assert len(line) <= 80 or line.strip() in commands or str(path) in line


def test_json_holds_everything(tmp_path, run_pgx):
    path = write_vcf(tmp_path / "a.vcf", records=PLAIN)
    found = json.loads(run_pgx("inspect", path, "-f", "json").stdout)
    assert set(found) == {
        "schema_version", "file", "assembly", "sample_count", "sample_names", "samples", "needs",
    }  # fmt: skip
    assert found["samples"][0]["sites"][0]["alleles"] == ["T", "C"]


def test_standard_input(tmp_path, run_pgx_process):
    outcome = run_pgx_process("inspect", "-", input=vcf_text(records=[PLAIN[0]]))
    assert outcome.exit_code == 0, outcome.stderr
    assert "pgx annotate FILE --callable REGIONS.bed" in outcome.stdout


def test_what_cannot_be_read_is_an_error(tmp_path, run_pgx):
    outcome = run_pgx("inspect", tmp_path / "nothing.vcf")
    assert (outcome.exit_code, outcome.stdout) == (3, "")
    assert "no such file" in outcome.stderr


def test_on_an_assembly_of_unknown_base_no_region_is_asked_for(tmp_path):
    found = looked(write_vcf(tmp_path / "a.vcf", records=[], assembly="T2T-CHM13"))
    assert found.assembly.name == "T2T-CHM13"
    assert codes(found) == ["absent-unknown-base"] * 2
    assert {need.command for need in found.needs if not need.optional} == {None}


def test_the_command_shows_the_record_where_it_stands(tmp_path):
    if shutil.which("bcftools") is None:
        pytest.skip("bcftools is not installed")
    records = [site("rs429358", gt="0/1", offset=-7), PLAIN[1]]
    path = write_vcf(tmp_path / "a b.vcf", records=records)
    command = next(need.command for need in looked(path).needs if need.code == "unsupported")
    shown = subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout  # noqa: S602
    assert "rs429358" in shown


def test_a_field_with_a_value_of_another_type_is_named(tmp_path):
    records = [site("rs429358", gt="0/1:high", format="GT:GQ"), site("rs7412", gt="0/0:99", format="GT:GQ")]
    found = inspect(str(write_vcf(tmp_path / "a.vcf", records=records)))
    (line,) = found.file.malformed_fields
    assert "GQ" in line
    assert "not of the type" in " ".join(as_text(found).split())


def test_the_text_separates_what_is_needed_from_what_is_faster(tmp_path):
    records = [site("rs429358", gt="0|1:99", format="GT:GQ")]
    lines = as_text(looked(write_vcf(tmp_path / "a.vcf", records=records))).splitlines()
    assert any(line.startswith("  rs429358") and "T|C" in line for line in lines)
    helpful = lines.index("Not needed, but reading is faster with it:")
    assert lines[helpful - 1] == ""
    assert next(n for n, line in enumerate(lines) if line.startswith("  - rs7412")) < helpful
    assert lines[helpful + 1].startswith("  - Compression")
    assert lines.count("Not needed, but reading is faster with it:") == 1
