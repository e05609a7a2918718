"""The door in: damaged, odd and misleading files. Nothing may crash or be misread in silence."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
from dataclasses import replace
from pathlib import Path

import pysam
import pytest
from vcf_builder import POSITIONS, site, vcf_text, write_vcf

from pgx.errors import FormatError, InputError, NotFoundError
from pgx.genome import find_assembly, sites_on
from pgx.options import Options
from pgx.single import annotate
from pgx.vcf import read as read_room
from pgx.vcf import read_sites
from pgx.vcf.bed import callable_sites
from pgx.vcf.records import text_slices

HET = [site("rs429358", gt="0/1:99", format="GT:GQ"), site("rs7412", gt="0/0:99", format="GT:GQ")]
FAR = [f"chr19\t{position}\t.\tA\tG\t50\tPASS\t.\tGT\t0/1" for position in range(1_000_000, 1_400_000, 40)]


def answers(path, **options):
    return [
        (sample.sample, sample.genotype.diplotype, frozenset(flag.code for flag in sample.flags))
        for sample in annotate(str(path), Options(**options)).samples
    ]


def refusal(path, **options):
    with pytest.raises(InputError) as caught:
        list(annotate(str(path), Options(**options)).samples)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz"])
def test_line_ends_of_windows(tmp_path, name):
    path = write_vcf(tmp_path / name, records=HET, newline="\r\n")
    assert answers(path) == [("S1", "e3/e4", frozenset())]


def test_no_line_end_at_the_end(tmp_path):
    path = tmp_path / "a.vcf"
    path.write_text(vcf_text(records=HET, neighbours=False).rstrip("\n"))
    assert answers(path) == [("S1", "e3/e4", frozenset())]


def test_blank_line_at_the_end(tmp_path):
    path = tmp_path / "a.vcf"
    path.write_text(vcf_text(records=HET, neighbours=False) + "\n")
    assert "damaged" in refusal(path)


def test_a_line_of_two_million_characters(tmp_path):
    long = site("rs429358", gt="0/1:99", format="GT:GQ", info="X=" + "A" * 2_000_000)
    path = write_vcf(tmp_path / "a.vcf", records=[long, HET[1]])
    assert answers(path) == [("S1", "e3/e4", frozenset())]


@pytest.mark.parametrize("where", ["##note=M\xfcller", "sample"])
def test_a_header_that_is_not_utf8(tmp_path, where):
    text = vcf_text(records=HET, samples=["S\xe9"] if where == "sample" else ["S1"])
    if where != "sample":
        text = text.replace("##commandline", f"{where}\n##commandline", 1)
    path = tmp_path / "a.vcf"
    path.write_bytes(text.replace("π", "pi").encode("latin1"))
    assert "UTF-8" in refusal(path)


def test_a_record_of_ours_that_is_not_utf8(tmp_path):
    path = tmp_path / "a.vcf"
    text = vcf_text(records=[site("rs429358", gt="0/1", id="rs429358;\xe9")]).replace("π", "pi")
    path.write_bytes(text.encode("latin1"))
    assert "position 44908684" in refusal(path)


def test_sample_names_twice(tmp_path):
    path = write_vcf(
        tmp_path / "a.vcf", text=vcf_text(records=HET, samples=["A", "B"]).replace("\tA\tB\n", "\tA\tA\n")
    )
    assert "header" in refusal(path)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "empty"),
        (b"\x00" * 200, "not a VCF"),
        (b"hello\n", "not a VCF"),
        (b"##fileformat=VCFv4.2\n", "no line of column names"),
        (b"PK\x03\x04 a zip", "not a VCF"),
        (gzip.compress(b"hello\n", mtime=0), "not a VCF"),
    ],
)
def test_what_is_no_vcf(tmp_path, content, part):
    path = tmp_path / "a.vcf"
    path.write_bytes(content)
    assert part in refusal(path)


def test_sites_only_missing_and_folder(tmp_path):
    assert "no samples" in refusal(write_vcf(tmp_path / "a.vcf", samples=[]))
    with pytest.raises(NotFoundError):
        read_sites(str(tmp_path / "none.vcf"))
    assert "folder" in refusal(tmp_path)


def test_too_few_columns(tmp_path):
    text = vcf_text(records=HET, neighbours=False).replace("GT:GQ\t0/1:99", "GT:GQ")
    path = tmp_path / "a.vcf"
    path.write_text(text)
    assert "has 9 columns where the header has 10" in refusal(path)


@pytest.mark.parametrize("compression", ["bgzip", "gzip"])
def test_truncated(tmp_path, compression):
    path = write_vcf(tmp_path / "a.vcf.gz", records=[*FAR, *HET], compression=compression)
    whole = path.read_bytes()
    for share in (0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(len(whole) * share)])
        assert any(word in refusal(path) for word in ("truncated", "damaged"))


def test_truncated_bcf(tmp_path):
    path = write_vcf(tmp_path / "a.bcf", records=[*FAR, *HET])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert any(word in refusal(path) for word in ("truncated", "damaged"))


@pytest.mark.parametrize("kind", ["vcf", "vcf.gz", "bcf", "gzipped bcf"])
def test_damaged_bytes_end_in_an_answer_or_one_error(tmp_path, kind):
    generator = random.Random(kind)  # noqa: S311
    path = write_vcf(tmp_path / f"a.{kind.split()[-1]}", records=HET)
    whole = path.read_bytes()
    if kind == "gzipped bcf":
        whole = gzip.decompress(whole)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(generator.randint(1, 5)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        path.write_bytes(gzip.compress(bytes(damaged)) if kind == "gzipped bcf" else bytes(damaged))
        with contextlib.suppress(InputError):
            answers(path)


@pytest.mark.parametrize(("name", "index"), [("a.vcf.gz", "tbi"), ("a.vcf.gz", "csi"), ("a.bcf", "csi")])
def test_index_is_used_and_a_stale_one_is_not(tmp_path, name, index):
    path = write_vcf(tmp_path / name, records=HET, index=index)
    assert read_sites(str(path)).facts.access == "index"
    assert answers(path) == [("S1", "e3/e4", frozenset())]
    os.utime(f"{path}.{index}", (1, 1))
    facts = read_sites(str(path)).facts
    assert (facts.access, facts.stale_index) == ("scan", True)
    assert answers(path) == [("S1", "e3/e4", frozenset({"stale-index"}))]


@pytest.mark.parametrize("apart", [0, 1])
def test_an_index_of_the_same_time_as_its_file_is_used(tmp_path, apart):
    """File systems that keep whole seconds give both the same time; a nanosecond earlier is stale."""
    path = write_vcf(tmp_path / "a.vcf.gz", records=HET, index="tbi")
    os.utime(path, ns=(10**18, 10**18))
    os.utime(f"{path}.tbi", ns=(10**18, 10**18 - apart))
    facts = read_sites(str(path)).facts
    assert (facts.access, facts.stale_index) == (("scan", True) if apart else ("index", False))


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [
        (-1, 0, True),
        (-1, 1, True),
        (-2, 0, True),
        (-2, -1, False),
        (0, 1, False),
        (-1, -1, False),
        (0, 0, False),
    ],
)
@pytest.mark.parametrize("rsid", ["rs429358", "rs7412"])
def test_regions_to_call_are_half_open_and_count_from_0(tmp_path, rsid, start, end, inside):
    """`start` and `end` are relative to the 1-based position of the site."""
    sites = sites_on(find_assembly("GRCh38"))
    position = POSITIONS["GRCh38"][rsid]
    path = tmp_path / "regions.bed"
    path.write_text(f"chr19\t{position + start}\t{position + end}\n")
    assert (rsid in callable_sites(path, sites, ["chr19"])) is inside
    assert not callable_sites(path, sites, ["chr1"])


def test_a_fresh_index_beside_a_stale_one_is_used(tmp_path):
    path = write_vcf(tmp_path / "a.vcf.gz", records=HET, index="tbi")
    (tmp_path / "a.vcf.gz.csi").write_bytes(b"old")
    os.utime(tmp_path / "a.vcf.gz.csi", (1, 1))
    assert read_sites(str(path)).facts.access == "index"


def test_index_of_a_file_with_other_contig_names(tmp_path):
    path = write_vcf(tmp_path / "a.vcf.gz", records=HET)
    other = write_vcf(tmp_path / "b.vcf.gz", records=HET, contig="19", index="tbi")
    (tmp_path / "a.vcf.gz.tbi").write_bytes((other.parent / "b.vcf.gz.tbi").read_bytes())
    assert answers(path) == [("S1", "e3/e4", frozenset({"stale-index"}))]
    assert answers(path, absent_sites="reference") == [("S1", "e3/e4", frozenset({"stale-index"}))]


def test_index_of_a_longer_file(tmp_path):
    path = write_vcf(tmp_path / "a.vcf.gz", records=HET)
    write_vcf(tmp_path / "b.vcf.gz", records=[*FAR, *HET], index="tbi")
    (tmp_path / "a.vcf.gz.tbi").write_bytes((tmp_path / "b.vcf.gz.tbi").read_bytes())
    assert answers(path) == [("S1", "e3/e4", frozenset({"stale-index"}))]


@pytest.mark.parametrize("kind", ["tbi", "csi"])
def test_damaged_index(tmp_path, kind):
    """htslib crashes on some damaged indexes, so none of them may reach it."""
    path = write_vcf(tmp_path / "a.vcf.gz", records=[*FAR, *HET], index=kind)
    index = tmp_path / f"a.vcf.gz.{kind}"
    whole = index.read_bytes()
    generator = random.Random(kind)  # noqa: S311
    damaged = [b"", whole[:30], whole[: len(whole) // 2], gzip.compress(b"no index")]
    for _ in range(40):
        flipped = bytearray(whole)
        flipped[generator.randrange(18, len(whole) - 36)] ^= 1 + generator.randrange(255)
        damaged.append(bytes(flipped))
    for content in damaged:
        index.write_bytes(content)
        assert [diplotype for _, diplotype, _ in answers(path)] == ["e3/e4"]


def test_index_beside_plain_gzip(tmp_path):
    path = write_vcf(tmp_path / "a.vcf.gz", records=HET, index="tbi")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())))
    os.utime(tmp_path / "a.vcf.gz.tbi")
    ((_, diplotype, _),) = answers(path)
    assert diplotype == "e3/e4"


@pytest.mark.parametrize("index", ["", "tbi"])
def test_two_names_of_the_chromosome(tmp_path, index):
    """Records under both names are records of the same site, whatever stands in the header."""
    position = POSITIONS["GRCh38"]["rs429358"]
    second = f"19\t{position}\trs429358\tT\tC\t50\tPASS\t.\tGT:GQ\t1/1:99"
    text = vcf_text(records=HET).replace(
        "##contig=<ID=chr1,", "##contig=<ID=19,length=58617616>\n##contig=<ID=chr1,"
    )
    path = write_vcf(tmp_path / "a.vcf.gz", text=text + second + "\n", index=index)
    ((_, diplotype, flags),) = answers(path)
    assert diplotype is None
    assert "conflicting-records" in flags


@pytest.mark.parametrize("index", ["", "tbi"])
def test_header_without_contigs(tmp_path, index):
    path = write_vcf(tmp_path / "a.vcf.gz", records=HET, contig_lines=False, index=index)
    assert answers(path) == [("S1", "e3/e4", frozenset())]


@pytest.mark.parametrize("how", ["plain", "indexed"])
@pytest.mark.parametrize("declared", ["", "Integer", "String"])
def test_blocks_reach_as_far_as_they_say_whatever_the_header_declares(tmp_path, how, declared):
    block = site("rs429358", ref="A", alt="<NON_REF>", gt="0/0:30:90", format="GT:DP:GQ", info="END=44908900")
    text = vcf_text(records=[replace(block, before=84)])
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("##INFO=<ID=END,")]
    if declared:
        lines.insert(1, f'##INFO=<ID=END,Number=1,Type={declared},Description="End">\n')
    path = tmp_path / "a.vcf"
    path.write_text("".join(lines))
    if how == "indexed":
        path = Path(pysam.tabix_index(str(path), preset="vcf", force=True))
    assert answers(path) == [("S1", "e3/e3", frozenset())]


def test_a_record_that_reaches_from_one_window_to_the_next_is_there_once(tmp_path):
    start = POSITIONS["GRCh38"]["rs429358"] - 10
    end = POSITIONS["T2T-CHM13"]["rs7412"] + 10
    block = f"chr19\t{start}\t.\tG\t<NON_REF>\t.\t.\tEND={end}\tGT:GQ\t0/0:60"
    path = write_vcf(tmp_path / "a.vcf.gz", records=[block], index="tbi", neighbours=False)
    assert len(read_sites(str(path)).records) == 1
    assert answers(path) == [("S1", None, frozenset({"untrusted-block"}))]  # millions of bases are no block


def test_records_are_plain_text_and_keep_their_order(tmp_path):
    content = read_sites(str(write_vcf(tmp_path / "a.vcf", records=HET)))
    assert [record.identifiers for record in content.records] == [("rs429358",), ("rs7412",)]
    assert content.records[0].samples == ("0/1:99",)
    assert content.samples == ("S1",)
    assert content.facts.header_digest.startswith("sha256:")


@pytest.mark.parametrize("index", ["", "tbi"])
def test_case_of_the_contig_name_does_not_matter(tmp_path, index):
    text = vcf_text(records=HET).replace("chr19", "CHR19")
    assert answers(write_vcf(tmp_path / "a.vcf.gz", text=text, index=index)) == [("S1", "e3/e4", frozenset())]


_USUAL = ("0/1:7:3,4:x", "1|0:.:.:.", "./.", "0:12:1:abc", ".", "0/0:007:1,2,3:.", "2:1", "0/1/1:5:9,8,7")
_ODD = (*_USUAL, "0/0:007:1,2,3:", "0/1:5:,:a,b", "0/1::3:x", "1/1:3:.:", "1/1:99999999999:1,.:.")


def _of_many(path, columns, *, names=None, form="GT:DP:AD:XX", info="."):
    """Write a file with these sample columns at both sites, and return it."""
    names = names or [f"S{number}" for number in range(len(columns[0]))]
    declared = [
        f'##FORMAT=<ID={name},Number={count},Type={kind},Description="{name}">'
        for name, count, kind in (
            ("GT", 1, "String"),
            ("DP", 1, "Integer"),
            ("AD", "R", "Integer"),
            ("XX", 1, "String"),
        )
    ]
    head = ["##fileformat=VCFv4.2", "##contig=<ID=chr19,length=58617616>", *declared]
    line = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names]
    rows = [
        "\t".join(["chr19", str(place), ".", *letters, "50", "PASS", info, form, *own])
        for place, letters, own in zip((44908684, 44908822), ("TC", "CT"), columns, strict=True)
    ]
    path.write_text("\n".join([*head, "\t".join(line), *rows]) + "\n")
    return path


@pytest.mark.parametrize("layout", [{"assembly": "GRCh37"}, {"assembly": "GRCh38"}])
@pytest.mark.parametrize("ending", ["vcf.gz", "bcf"])
def test_an_index_over_long_records(tmp_path, monkeypatch, ending, layout):
    """Where long records end is remembered: the windows of all assemblies lead past them again and again."""
    filler = [
        f"chr19\t{place}\t.\tA\tG\t50\tPASS\t.\tGT\t0/1" for place in range(44_905_000, 45_420_000, 700)
    ]
    path = write_vcf(tmp_path / f"a.{ending}", records=[*HET, *filler], index="csi", **layout)
    usual = read_sites(str(path))
    assert (usual.facts.access, len(usual.records)) == ("index", 2)
    monkeypatch.setattr("pgx.vcf.index._LONG_RECORD", 0)
    again = read_sites(str(path))
    assert again.facts == usual.facts
    assert [record.fixed for record in again.records] == [record.fixed for record in usual.records]


@pytest.mark.parametrize("count", [8, 9, 11, 12, 40, 401])
@pytest.mark.parametrize("kind", ["vcf", "bcf"])
@pytest.mark.parametrize("drawn", [_USUAL[:2], _USUAL, _ODD])
def test_slices_of_a_record_say_what_the_whole_says(tmp_path, monkeypatch, kind, count, drawn):
    dice = random.Random(count)  # noqa: S311 - test data
    columns = [[dice.choice(drawn) for _ in range(count)] for _ in range(2)]
    path = _of_many(tmp_path / "a.vcf", columns)
    if kind == "bcf":
        path = tmp_path / "a.bcf"
        with (
            pysam.VariantFile(str(tmp_path / "a.vcf")) as text,
            pysam.VariantFile(str(path), "wb", header=text.header) as binary,
        ):
            for record in text:
                binary.write(record)
    whole = read_sites(str(path))
    monkeypatch.setattr("pgx.vcf.records._LINE_FROM", 8)
    monkeypatch.setattr("pgx.vcf.records._SLICE", 4)
    cut = read_sites(str(path))
    assert cut.facts == whole.facts
    assert cut.header == whole.header
    for one, other in zip(cut.records, whole.records, strict=True):
        assert tuple(one.samples) == tuple(other.samples)
        assert (one.fixed, one.position, one.end) == (other.fixed, other.position, other.end)


@pytest.mark.parametrize(
    ("column", "told"),
    [("0/1:a:1,2:x", (("DP", "line 8"),)), ("0/1:3:1,b:x", (("AD", "line 8"),)), ("5000000000/1:1:1:x", ())],
)
def test_slices_with_what_htslib_refuses_or_misreads(tmp_path, monkeypatch, column, told):
    columns = [["0/1:007:1,2:x"] * 9, ["0/0:08:1,2:x"] * 9]
    columns[0][6] = column
    path = _of_many(tmp_path / "a.vcf", columns)
    whole = read_sites(str(path))
    monkeypatch.setattr("pgx.vcf.records._LINE_FROM", 8)
    monkeypatch.setattr("pgx.vcf.records._SLICE", 4)
    cut = read_sites(str(path))
    assert cut.facts == whole.facts
    assert cut.facts.read_as_text == told
    assert [tuple(record.samples) for record in cut.records] == [
        tuple(record.samples) for record in whole.records
    ]


def test_slices_name_the_sample_of_a_fault(tmp_path, monkeypatch):
    columns = [["0/1:1:1:x"] * 9, ["0/0:1:1:x"] * 9]
    columns[1][7] = "0/x:1:1:x"
    monkeypatch.setattr("pgx.vcf.records._LINE_FROM", 8)
    monkeypatch.setattr("pgx.vcf.records._SLICE", 4)
    path = _of_many(tmp_path / "a.vcf", columns)
    with pytest.raises(InputError, match=r"line 9 holds what is no genotype .* of the sample 'S7'"):
        read_sites(str(path))


def test_what_cannot_be_sliced_is_read_whole(tmp_path, monkeypatch):
    columns = [["0/1:1:1:x"] * 9] * 2
    wide = _of_many(tmp_path / "wide.vcf", columns, info="X=" + "A" * 100_000)
    blank = _of_many(tmp_path / "blank.vcf", columns, names=[f"S {number}" for number in range(9)])
    plain = _of_many(tmp_path / "plain.vcf", columns)
    whole = [read_sites(str(path)) for path in (wide, blank, plain)]
    monkeypatch.setattr("pgx.vcf.records._LINE_FROM", 8)
    monkeypatch.setattr("pgx.vcf.records._SLICE", 4)
    for path, one in zip((wide, blank, plain), whole, strict=True):
        assert read_sites(str(path)).facts == one.facts
        assert [tuple(record.samples) for record in read_sites(str(path)).records] == [
            tuple(record.samples) for record in one.records
        ]


class TestHeadersAlike:
    """Of files whose headers differ in the samples only, the rest of the header is looked at once."""

    def test_what_is_remembered_does_not_show(self, tmp_path):
        paths = [write_vcf(tmp_path / f"{name}.vcf", samples=[name]) for name in ("A", "B", "A b", "Ä")]
        apart = []
        for path in paths:
            read_room._known.clear()
            apart.append(read_sites(str(path)))
        assert [read_sites(str(path)) for path in (*paths, *paths)] == [*apart, *apart]
        assert len({content.facts.header_digest for content in apart}) == len(paths)
        assert len(read_room._known) == 1

    def test_a_broken_line_of_samples_is_still_refused(self, tmp_path):
        sound = write_vcf(tmp_path / "a.vcf", records=[], samples=["A"])
        read_sites(str(sound))
        broken = tmp_path / "b.vcf"
        broken.write_text(sound.read_text().replace("FORMAT\tA", "FORMAT\tA\tA"))
        read_room._known.clear()
        with pytest.raises(FormatError) as first:
            read_sites(str(broken))
        read_sites(str(sound))
        with pytest.raises(FormatError) as second:
            read_sites(str(broken))
        assert str(first.value) == str(second.value)

    def test_what_is_remembered_is_bounded(self, tmp_path, monkeypatch):
        monkeypatch.setattr(read_room, "_MOST_KNOWN", 2)
        read_room._known.clear()
        for number in range(5):
            path = write_vcf(tmp_path / "a.vcf", samples=["A"])
            path.write_text(path.read_text().replace("##contig", f"##made={number}\n##contig", 1))
            assert read_sites(str(path)).samples == ("A",)
            assert len(read_room._known) <= 2


@pytest.mark.parametrize("count", [4, 5, 7, 8])
@pytest.mark.parametrize("there", [0, 1, 3, 4, 5, 6, 7, 8, 9])
@pytest.mark.parametrize("widths", [(1,), (1, 40), (90, 1, 1, 1, 1)])
def test_slices_of_a_line(count, there, widths):
    """All columns come back, each slice is full, and a line with another number of columns is left whole."""
    columns = [str(number % 10) * widths[number % len(widths)] for number in range(there)]
    fixed = [f"f{number}" for number in range(9)]
    line = "\t".join([*fixed, *columns]).encode()
    slices = text_slices(line, count, 4)
    if there != count:
        assert slices is None
        return
    found = [one.decode().split("\t") for one in slices]
    assert all(one[:9] == fixed and len(one) == 9 + 4 for one in found)
    assert [column for one in found for column in one[9:]][:count] == columns
