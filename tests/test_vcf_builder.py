"""The builder of test files makes what it says: another reader (htslib) sees the records as given."""

from __future__ import annotations

import gzip

import pysam
import pytest
from vcf_builder import CONTIGS, POSITIONS, block, site, vcf_text, write_vcf

BOTH = [site("rs429358", gt="0|1:99", format="GT:GQ"), site("rs7412", gt="0|0:98", format="GT:GQ")]


def at_sites(path, assembly="GRCh38", contig="chr19"):
    """Return the genotypes at both sites, read from start to end."""
    if path.name.endswith(".gz") and path.read_bytes()[12:14] != b"BC":  # htslib cannot rewind plain gzip
        plain = path.with_name("unpacked.vcf")
        plain.write_bytes(gzip.decompress(path.read_bytes()))
        path = plain
    wanted = {position: rsid for rsid, position in POSITIONS[assembly].items()}
    with pysam.VariantFile(str(path)) as vcf:
        return {
            wanted[record.pos]: [sample["GT"] for sample in record.samples.values()]
            for record in vcf
            if record.chrom == contig and record.pos in wanted
        }


@pytest.mark.parametrize(
    ("assembly", "contig"), [(name, alias) for name in CONTIGS for alias in CONTIGS[name]]
)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.vcf", {}),
        ("a.vcf.gz", {"index": "tbi"}),
        ("a.vcf.gz", {"index": "csi"}),
        ("a.vcf.gz", {"compression": "gzip"}),
        ("a.bcf", {"index": "csi"}),
    ],
)
def test_every_kind_assembly_and_contig_name(tmp_path, assembly, contig, name, options):
    path = write_vcf(tmp_path / name, records=BOTH, assembly=assembly, contig=contig, **options)
    assert at_sites(path, assembly, contig) == {"rs429358": [(0, 1)], "rs7412": [(0, 0)]}
    if "index" in options:
        position = POSITIONS[assembly]["rs7412"]
        with pysam.VariantFile(str(path)) as vcf:
            found = [record.pos for record in vcf.fetch(contig, position - 1, position)]
        assert found == [position]


def test_neighbours_share_positions_on_other_chromosomes_only(tmp_path):
    path = write_vcf(tmp_path / "a.vcf")
    with pysam.VariantFile(str(path)) as vcf:
        records = list(vcf)
    ours = set(POSITIONS["GRCh38"].values())
    assert {record.chrom for record in records if record.pos in ours} == {"chr1", "chr20"}
    assert not [r for r in records if r.chrom == "chr19" and any(r.start < p <= r.stop for p in ours)]
    assert any(len(record.alts) > 1 for record in records)
    assert any("PASS" not in record.filter and list(record.filter) for record in records)


def test_a_block_covers_its_sites_and_no_neighbour_stands_inside(tmp_path):
    path = write_vcf(tmp_path / "a.g.vcf", records=[block()])
    with pysam.VariantFile(str(path)) as vcf:
        inside = [r for r in vcf if r.chrom == "chr19" and 44908600 < r.pos <= 44908833 and r.pos >= 44908675]
    assert [(record.pos, record.stop) for record in inside] == [(44908675, 44908833)]


def test_what_the_header_tells_can_be_chosen():
    told = vcf_text(assembly_tag="GRCh38", reference="file:///a/hg38.fa")
    assert "##contig=<ID=chr19,length=58617616,assembly=GRCh38>" in told
    assert "##reference=file:///a/hg38.fa" in told
    silent = vcf_text(contig_lengths=False)
    assert "##contig=<ID=chr19>" in silent
    assert "length=" not in silent
    assert "##contig" not in vcf_text(contig_lines=False)
    assert "##FORMAT" not in vcf_text(declare=False)


def test_order_and_raw_lines():
    raw = "{chrom}\t{rs7412}\t.\tC\t*\t.\tPASS\t.\tGT\t0/1"
    records = [raw, site("rs429358")]
    places = {
        order: [
            line.split("\t")[1]
            for line in vcf_text(records=records, order=order, neighbours=False).splitlines()[-2:]
        ]
        for order in ("sorted", "given", "reversed")
    }
    assert places == {
        "sorted": ["44908684", "44908822"],
        "given": ["44908822", "44908684"],
        "reversed": ["44908822", "44908684"],
    }


def test_samples_get_one_column_each_or_the_same(tmp_path):
    records = [site("rs429358", gt=["0/0", "0/1", "1/1"]), site("rs7412", gt="0/1")]
    path = write_vcf(tmp_path / "a.vcf", samples=["A", "B", "C"], records=records)
    assert at_sites(path) == {"rs429358": [(0, 0), (0, 1), (1, 1)], "rs7412": [(0, 1)] * 3}
    with pytest.raises(ValueError, match="2 sample columns for 3 samples"):
        vcf_text(samples=["A", "B", "C"], records=[site("rs7412", gt=["0/0", "0/1"])])


def test_an_impossible_index_is_refused(tmp_path):
    for name, options in [("a.vcf", {"index": "tbi"}), ("a.vcf.gz", {"index": "tbi", "compression": "gzip"})]:
        with pytest.raises(ValueError, match="cannot have"):
            write_vcf(tmp_path / name, **options)


def test_bytes_of_text_files(tmp_path):
    assert b"\r\n" in write_vcf(tmp_path / "a.vcf", newline="\r\n").read_bytes()
    assert write_vcf(tmp_path / "b.vcf", text="no VCF").read_bytes() == b"no VCF"
    assert write_vcf(tmp_path / "c.vcf.gz").read_bytes()[12:14] == b"BC"
    assert write_vcf(tmp_path / "d.vcf.gz", compression="gzip").read_bytes()[12:14] != b"BC"
