"""From where to where the records of a contig stand: by index and by a pass the same."""

from __future__ import annotations

import gzip
import os
import random

import pytest
from vcf_builder import vcf_text, write_vcf

from pgx.errors import FormatError, NotFoundError
from pgx.vcf import extent, extents

KINDS = [("a.vcf.gz", "tbi"), ("a.vcf.gz", "csi"), ("a.bcf", "csi")]
HEADER = (
    "##fileformat=VCFv4.2\n"
    + "".join(f"##contig=<ID={name}>\n" for name in ("chr20", "empty", "HLA-A*01:01", "19", "chr1"))
    + '##INFO=<ID=END,Number=1,Type=Integer,Description="Last base">\n'
    + '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\tS2\n"
)


def record(contig, position, *, ref="A", end=None):
    alt, info = ("G", ".") if end is None else ("<NON_REF>", f"END={end}")
    return f"{contig}\t{position}\t.\t{ref}\t{alt}\t.\t.\t{info}\tGT\t0/1\t0/0\n"


def write(path, records, index=""):
    return write_vcf(path, text=HEADER + "".join(records), index=index)


def by_index(path):
    return extent._by_index(extent.look(str(path)))


def random_records(generator):
    """Return sorted records, and what is to be said of them: the contigs in any order, some of them empty."""
    records, truth = [], {}
    for contig in generator.sample(["chr1", "19", "HLA-A*01:01", "chr20"], generator.randint(1, 4)):
        top = generator.choice([50, 20_000, 3_000_000, 2**29 - 300_000])
        count = generator.choice([1, 2, 30, 300])
        positions = sorted(generator.randint(1, top) for _ in range(count))
        truth[contig] = (positions[0], positions[-1])
        for position in positions:
            kind = generator.random()
            length = generator.choice([1, 1, 5, 40_000]) if kind < 0.2 else 1
            end = position + generator.choice([0, 10, 200_000]) if kind > 0.6 else None
            records.append(record(contig, position, ref="A" * length, end=end))
    return records, truth


@pytest.mark.parametrize("seed", range(25))
def test_index_and_pass_say_the_same_of_every_kind(tmp_path, seed):
    records, truth = random_records(random.Random(seed))  # noqa: S311
    assert extents(str(write(tmp_path / "a.vcf", records))) == truth
    for name, index in KINDS:
        path = write(tmp_path / name, records, index)
        assert by_index(path) == truth
        assert list(extents(str(path)).items()) == list(truth.items())
        (tmp_path / f"{name}.{index}").unlink()
        assert by_index(path) is None
        assert list(extents(str(path)).items()) == list(truth.items())


def test_a_block_or_a_deletion_counts_where_it_starts(tmp_path):
    records = [
        record("19", 10, end=9_000_000),
        record("19", 500, ref="A" * 3000),
        record("19", 700, end=50_000),
        record("chr1", 3),
    ]
    for name, index in KINDS:
        assert by_index(write(tmp_path / name, records, index)) == {"19": (10, 700), "chr1": (3, 3)}


def test_an_index_costs_few_of_many_records(tmp_path, monkeypatch):
    read = []

    def counted(handle, *region):
        for found in fetch(handle, *region):
            read.append(found.start)
            yield found

    fetch = extent.fetch
    monkeypatch.setattr(extent, "fetch", counted)
    monkeypatch.setattr(extent, "_by_pass", lambda source: pytest.fail("needs no pass"))
    records = [record("19", 1000 + 1300 * number) for number in range(44_000)]
    path = write(tmp_path / "a.vcf.gz", records, "tbi")
    assert extents(str(path)) == {"19": (1000, 1000 + 1300 * 43_999)}
    assert 0 < len(read) < 200


@pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz"])
def test_unsorted_files(tmp_path, name):
    records = [record("19", 50), record("chr1", 9), record("19", 7), record("19", 90), record("chr1", 8)]
    assert extents(str(write(tmp_path / name, records))) == {"19": (7, 90), "chr1": (8, 9)}


@pytest.mark.parametrize(("name", "index"), [*KINDS, ("a.vcf", "")])
def test_no_records(tmp_path, name, index):
    assert extents(str(write(tmp_path / name, [], index))) == {}


@pytest.mark.parametrize("index", ["", "tbi"])
def test_contigs_that_the_header_does_not_name(tmp_path, index):
    records = [record("X", 5), record("19", 6), record("Y", 7), record("Y", 8)]
    path = write(tmp_path / "a.vcf.gz", records, index)
    assert list(extents(str(path)).items()) == [("X", (5, 5)), ("19", (6, 6)), ("Y", (7, 8))]
    assert (by_index(path) is not None) == bool(index)


@pytest.mark.parametrize(("name", "index"), KINDS)
def test_records_in_front_of_the_first_base(tmp_path, name, index):
    """VCF has POS 0 for telomeres; htslib does not find it by the index of a BCF."""
    records = [record("19", 0), record("19", 7), record("chr1", 0)]
    assert extents(str(write(tmp_path / name, records, index))) == {"19": (0, 7), "chr1": (0, 0)}


@pytest.mark.parametrize(("name", "index"), KINDS)
@pytest.mark.parametrize(
    "others",
    [
        [record("19", 10)],
        [record("19", 10), record("19", 70)],
        [record("19", 10), record("19", 70), record("chr20", 5), record("chr20", 6), record("chr1", 1)],
        [record("chr1", 10), record("19", 70)],
        [record("19", 11), record("19", 70), record("chr20", 5)],
        [],
    ],
)
def test_the_index_of_another_file_is_not_used(tmp_path, name, index, others):
    """Of a shorter file, a longer one, one with other contigs; and it is as young as can be."""
    (tmp_path / "other").mkdir()
    write(tmp_path / "other" / name, others, index)
    records = [record("19", 10), record("19", 70), record("chr20", 5), record("chr20", 6)]
    path = write(tmp_path / name, records)
    (tmp_path / f"{name}.{index}").write_bytes((tmp_path / "other" / f"{name}.{index}").read_bytes())
    assert extents(str(path)) == {"19": (10, 70), "chr20": (5, 6)}


@pytest.mark.parametrize(("name", "index"), KINDS)
def test_an_index_that_is_old_or_damaged_is_not_used(tmp_path, name, index):
    records = [record("19", 10), record("19", 70), record("chr20", 5)]
    path = write(tmp_path / name, records, index)
    beside = tmp_path / f"{name}.{index}"
    os.utime(beside, (1, 1))
    assert by_index(path) is None
    assert extents(str(path)) == {"19": (10, 70), "chr20": (5, 5)}
    beside.write_bytes(beside.read_bytes()[:40])
    assert by_index(path) is None
    assert extents(str(path)) == {"19": (10, 70), "chr20": (5, 5)}


def test_what_cannot_be_read_is_refused_as_ever(tmp_path):
    with pytest.raises(NotFoundError):
        extents(str(tmp_path / "none.vcf"))
    with pytest.raises(FormatError, match="no samples"):
        extents(str(write_vcf(tmp_path / "a.vcf", samples=[])))
    (tmp_path / "b.vcf").write_text("Dear colleague\n")
    with pytest.raises(FormatError, match="not a VCF"):
        extents(str(tmp_path / "b.vcf"))
    (tmp_path / "c.vcf").write_bytes(
        vcf_text().replace("π", "pi").replace("chr20", "chr\xe9").encode("latin1")
    )
    with pytest.raises(FormatError, match="not UTF-8"):
        extents(str(tmp_path / "c.vcf"))
    (tmp_path / "d.vcf").write_text(HEADER + record("19", 5) + "19\tx\n")
    with pytest.raises(FormatError, match="after record 1"):
        extents(str(tmp_path / "d.vcf"))


@pytest.mark.parametrize(("name", "index"), [*KINDS, ("a.vcf.gz", "")])
def test_truncated(tmp_path, name, index):
    path = write(tmp_path / name, [record("19", 10 + 40 * number) for number in range(20_000)], index)
    whole = path.read_bytes()
    for share in (0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(len(whole) * share)])
        if index:
            os.utime(tmp_path / f"{name}.{index}")
        with pytest.raises(FormatError, match=r"truncated|damaged"):
            extents(str(path))


def test_plain_gzip_with_an_index_beside_it(tmp_path):
    path = write(tmp_path / "a.vcf.gz", [record("19", 10)], "tbi")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())))
    os.utime(tmp_path / "a.vcf.gz.tbi")
    assert extents(str(path)) == {"19": (10, 10)}
