"""The door: BAM and CRAM, on every assembly, with every fault that must be one clear line."""

import http.server
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from pgx.errors import AssemblyError, FormatError, InputError, NotFoundError
from pgx.reads import facts
from pgx.reads.open import read_reads
from tests.reads.simulate import SHORT, SITES, chromosome, header_of, simulate, write_fasta, write_reads

PIECES = simulate("e2/e4", replace(SHORT, depth=12), 2)


def bam(folder, header=None, name="sample.bam", pieces=PIECES, **other):
    return write_reads(folder / name, pieces, header or header_of("GRCh38"), **other)


def letters(content, sample="S1"):
    shown = [tuple(b.letter if b else "." for b in item.bases) for item in content.piles[sample].templates]
    return sorted(set(shown))


@pytest.mark.parametrize("assembly", ["GRCh37", "GRCh38", "T2T-CHM13", "NCBI36"])
@pytest.mark.parametrize("contig", ["chr19", "19"])
def test_every_assembly_by_the_length_of_its_chromosome(tmp_path, assembly, contig):
    path = bam(tmp_path, header_of(assembly, contig=contig), assembly=assembly)
    content = read_reads(str(path))
    assert content.decision.assembly.name == assembly
    assert content.contig == contig
    assert (content.kind, content.access, content.samples) == ("bam", "index", ("S1",))
    assert {("T", "."), ("C", "."), (".", "T"), (".", "C")} <= set(letters(content))


def test_assembly_by_m5_where_length_and_name_do_not_tell(tmp_path):
    header = header_of("GRCh38", m5="85f9f4fc152c58cb7913c06d6b98573a")
    header["SQ"][0]["LN"] = 58617616
    content = read_reads(str(bam(tmp_path, header)))
    assert "contig-digest" in {item.kind.value for item in content.decision.evidence}


def test_m5_against_length_is_named(tmp_path):
    header = header_of("GRCh38", m5="1aacd71f30db8e561810913e0b72636d")
    with pytest.raises(AssemblyError, match="more than one assembly"):
        read_reads(str(bam(tmp_path, header)))


def test_unknown_length_asks_for_the_assembly(tmp_path):
    header = header_of("GRCh38")
    header["SQ"][0]["LN"] = 58617617
    path = bam(tmp_path, header)
    with pytest.raises(AssemblyError, match="--assembly"):
        read_reads(str(path))
    assert read_reads(str(path), assembly="GRCh38").decision.assembly.name == "GRCh38"


def test_wrong_assembly_is_noticed_by_the_sequence(tmp_path):
    """Reads that lie seven bases off do not fit the sequence."""
    shifted = [replace_start(piece, 7) for piece in PIECES]
    with pytest.raises(FormatError, match="not those of APOE"):
        read_reads(str(bam(tmp_path, pieces=shifted)))


def replace_start(piece, by):
    moved = replace(piece, start=piece.start + by)
    if moved.mate_start is not None:
        moved.mate_start += by
    return moved


@pytest.mark.parametrize(
    ("bit", "reason"),
    [(1024, "duplicate"), (512, "quality-check"), (256, "secondary"), (2048, "supplementary")],
)
def test_flags_keep_reads_out(tmp_path, bit, reason):
    clean = [piece for piece in PIECES if not piece.flag & 1024]
    on_site = next(piece for piece in clean if piece.start <= SITES[0] < piece.start + 100)
    copies = [replace(on_site, name=f"x{n}", flag=on_site.flag | bit) for n in range(5)]
    pieces = sorted([*clean, *copies], key=lambda piece: piece.start)
    first, second = (
        read_reads(str(bam(tmp_path, name=name, pieces=made))).piles["S1"]
        for name, made in (("a.bam", clean), ("b.bam", pieces))
    )
    assert first.templates == second.templates
    assert second.dropped == first.dropped | {reason: 5}


def test_duplicates_are_counted(tmp_path):
    content = read_reads(str(bam(tmp_path)))
    assert content.piles["S1"].dropped["duplicate"] > 0


def test_samples_by_read_group(tmp_path):
    others = simulate("e3/e3", replace(SHORT, depth=12), 4, prefix="o")
    pieces = [replace(piece, group="one") for piece in PIECES] + [replace(p, group="two") for p in others]
    stray = replace(PIECES[3], name="stray", group=None, flag=0, mate_start=None, start=PIECES[0].start + 400)
    pieces = sorted([*pieces, stray], key=lambda piece: piece.start)
    header = header_of("GRCh38", groups={"one": "A", "two": "B"})
    content = read_reads(str(bam(tmp_path, header, pieces=pieces)))
    assert content.samples == ("A", "B")
    assert ("C", "C") in letters(content, "A")
    assert letters(content, "B") == [(".", "C"), ("T", "."), ("T", "C")]


def test_two_read_groups_of_one_sample_are_one(tmp_path):
    pieces = [replace(piece, group="one" if n % 2 else "two") for n, piece in enumerate(PIECES)]
    content = read_reads(
        str(bam(tmp_path, header_of("GRCh38", groups={"one": "A", "two": "A"}), pieces=pieces))
    )
    assert content.samples == ("A",)
    assert len(content.piles["A"].templates) > 10


def test_without_read_groups_the_sample_is_the_file(tmp_path):
    pieces = [replace(piece, group=None) for piece in PIECES]
    content = read_reads(str(bam(tmp_path, header_of("GRCh38", groups={}), pieces=pieces)))
    assert content.samples == ("sample",)
    assert content.piles["sample"].templates


def test_reads_without_group_count_where_there_is_one_sample(tmp_path):
    pieces = [replace(piece, group=None) for piece in PIECES]
    assert read_reads(str(bam(tmp_path, pieces=pieces))).piles["S1"].templates


def test_without_index_the_file_is_passed_over(tmp_path):
    scanned = read_reads(str(bam(tmp_path, index=False)))
    indexed = read_reads(str(bam(tmp_path, name="other.bam")))
    assert scanned.access == "scan"
    assert scanned.piles["S1"].templates == indexed.piles["S1"].templates


def test_unsorted_file_is_passed_over_to_its_end(tmp_path):
    header = header_of("GRCh38")
    header["HD"]["SO"] = "unsorted"
    content = read_reads(str(bam(tmp_path, header, pieces=PIECES[::-1], index=False)))
    assert len(content.piles["S1"].templates) == len(
        read_reads(str(bam(tmp_path, name="s.bam"))).piles["S1"].templates
    )


def test_a_file_that_says_it_is_sorted_and_is_not_is_passed_over_to_its_end(tmp_path):
    expected = read_reads(str(bam(tmp_path, name="s.bam"))).piles["S1"].templates
    far = replace(PIECES[0], name="far", start=PIECES[-1].start + 3000, mate_start=None, flag=0)
    for pieces in (PIECES[::-1], [far, *PIECES]):  # turned around, and two sorted files joined
        content = read_reads(str(bam(tmp_path, pieces=pieces, index=False)))
        assert len(content.piles["S1"].templates) == len(expected)


@pytest.mark.parametrize("kind", ["bam", "cram"])
def test_an_index_of_another_file_does_not_hide_reads(tmp_path, genome, kind):
    fasta, m5 = genome
    header = header_of("GRCh38", m5=m5)
    made = [
        write_reads(tmp_path / f"{name}.{kind}", pieces, header, fasta=fasta if kind == "cram" else None)
        for name, pieces in (("a", PIECES), ("empty", []))
    ]
    expected = read_reads(str(made[0]), reference=fasta).piles["S1"].templates
    suffix = {"bam": ".bai", "cram": ".crai"}[kind]
    shutil.copy(f"{made[1]}{suffix}", f"{made[0]}{suffix}")
    content = read_reads(str(made[0]), reference=fasta)
    assert (content.access, content.piles["S1"].templates) == ("scan", expected)


def test_an_index_that_cannot_be_read_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("pgx.reads.open.os.access", lambda path, _: not str(path).endswith(".bai"))
    assert read_reads(str(bam(tmp_path))).access == "scan"


def test_truncated_cram(tmp_path, genome):
    fasta, m5 = genome
    options = (b"seqs_per_slice=20", b"slices_per_container=1")
    path = write_reads(tmp_path / "a.cram", PIECES, header_of("GRCh38", m5=m5), fasta=fasta, options=options)
    whole = path.read_bytes()
    for length in (len(whole) // 2, len(whole) - 38, len(whole) - 1):
        path.write_bytes(whole[:length])
        os.utime(f"{path}.crai")
        with pytest.raises(FormatError, match="is truncated"):
            read_reads(str(path), reference=fasta)


def test_stale_index_is_not_used(tmp_path):
    path = bam(tmp_path)
    os.utime(f"{path}.bai", (1, 1))
    content = read_reads(str(path))
    assert (content.access, content.stale_index) == ("scan", True)


def test_huge_file_without_index_is_refused(tmp_path, monkeypatch):
    path = bam(tmp_path, index=False)
    small = structs.replace(facts(), scan_limit=structs.replace(facts().scan_limit, value=10))
    monkeypatch.setattr("pgx.reads.open.facts", lambda: small)
    with pytest.raises(FormatError, match="samtools index"):
        read_reads(str(path))


def test_no_reads_over_the_sites(tmp_path):
    far = [replace(PIECES[0], start=10, mate_start=None, flag=0)]
    content = read_reads(str(bam(tmp_path, pieces=far)))
    assert content.piles["S1"].templates == []


def test_cram_with_its_reference(tmp_path, genome):
    fasta, m5 = genome
    path = bam(tmp_path, header_of("GRCh38", m5=m5), "sample.cram", fasta=fasta)
    from_cram = read_reads(str(path), reference=fasta, assembly="GRCh38")
    from_bam = read_reads(str(bam(tmp_path)))
    assert from_cram.kind == "cram"
    assert from_cram.piles["S1"].templates == from_bam.piles["S1"].templates


needs_samtools = pytest.mark.skipif(shutil.which("samtools") is None, reason="samtools is not installed")


@needs_samtools
def test_cram_with_an_embedded_reference_needs_none(tmp_path, genome):
    fasta, m5 = genome
    path = bam(tmp_path, header_of("GRCh38", m5=m5), "embedded.cram", fasta=fasta, options=(b"embed_ref=1",))
    moved = away(path, genome, tmp_path)
    assert read_reads(str(moved)).piles["S1"].templates


def away(path, genome, folder, server=None):
    """Rewrite the header so that the FASTA is not found where it was made with."""
    fasta, _ = genome
    header = subprocess.run(
        ["samtools", "view", "-H", path], capture_output=True, text=True, check=True
    ).stdout
    text = header.replace(f"UR:{fasta}", f"UR:{server or '/nowhere'}/genome.fa")
    (folder / "header.sam").write_text(text)
    moved = folder / f"moved-{path.name}"
    with moved.open("wb") as handle:
        subprocess.run(["samtools", "reheader", folder / "header.sam", path], stdout=handle, check=True)
    subprocess.run(["samtools", "index", moved], check=True)
    return moved


@needs_samtools
def test_cram_without_its_reference_names_it_and_asks_nobody(tmp_path, genome, monkeypatch):
    fasta, m5 = genome
    asked = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_):
            """Keep quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("REF_PATH", f"{place}/%s")
    path = bam(tmp_path, header_of("GRCh38", m5=m5), "sample.cram", fasta=fasta)
    moved = away(path, genome, tmp_path, place)
    try:
        with pytest.raises(InputError) as caught:
            read_reads(str(moved))
    finally:
        server.shutdown()
        server.server_close()
    assert m5 in str(caught.value)
    assert "--reference" in str(caught.value)
    assert asked == []


def test_a_lost_reference_is_one_line(tmp_path):
    """htslib names it on stderr itself, past its own verbosity."""
    fasta = tmp_path / "genome.fa"
    write_fasta(fasta, "GRCh38")
    path = bam(tmp_path, name="sample.cram", fasta=fasta)
    fasta.unlink()
    shown = subprocess.run(
        [sys.executable, "-m", "pgx", "annotate", path], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 3
    assert shown.stderr.startswith("error: ")
    assert shown.stderr.count("\n") == 1


@needs_samtools
def test_reference_without_index_is_not_given_one(tmp_path, genome):
    fasta = tmp_path / "bare.fa"
    fasta.write_bytes(b">chr19\nACGT\n")
    with pytest.raises(InputError, match="samtools faidx"):
        read_reads(str(bam(tmp_path)), reference=fasta)
    assert not Path(f"{fasta}.fai").exists()


def test_wrong_reference_is_one_line(tmp_path, genome):
    fasta, m5 = genome
    path = bam(tmp_path, header_of("GRCh38", m5=m5), "sample.cram", fasta=fasta)
    wrong = tmp_path / "wrong.fa"
    letters_ = chromosome("GRCh38").replace(b"GCGGAC", b"GCGGAT")
    wrong.write_bytes(b">chr19\n" + letters_ + b"\n")
    shutil.copy(f"{fasta}.fai", f"{wrong}.fai")
    with pytest.raises(InputError, match="made with"):
        read_reads(str(path), reference=wrong)


PROGRAMS = [
    ({"ID": "STAR", "PN": "STAR", "CL": "STAR --runMode alignReads"}, "RNA"),
    ({"ID": "hisat2", "PN": "hisat2"}, "RNA"),
    ({"ID": "minimap2", "PN": "minimap2", "CL": "minimap2 -ax splice ref.fa r.fq"}, "RNA"),
    ({"ID": "Bismark", "CL": '"bismark --bowtie2 x"'}, "converted"),
    ({"ID": "bwa-meth", "PN": "bwa-meth"}, "converted"),
    ({"ID": "DRAGEN", "PN": "DRAGEN", "CL": "dragen --methylation-protocol directional"}, "converted"),
    ({"ID": "DRAGEN", "PN": "DRAGEN", "CL": "dragen --enable-methylation-calling=true"}, "converted"),
    ({"ID": "DRAGEN", "PN": "DRAGEN", "CL": "dragen --enable-rna true --output-format BAM"}, "RNA"),
    ({"ID": "pb", "PN": "pbrun", "CL": "pbrun rna_fq2bam --ref x"}, "RNA"),
    ({"ID": "pb", "PN": "pbrun", "CL": "pbrun fq2bam_meth --ref x"}, "converted"),
]


@pytest.mark.parametrize(("program", "named"), PROGRAMS)
def test_reads_that_cannot_answer_are_refused_by_name(tmp_path, program, named):
    with pytest.raises(FormatError, match=named):
        read_reads(str(bam(tmp_path, header_of("GRCh38", programs=(program,)))))


@pytest.mark.parametrize(
    "program",
    [
        {"ID": "bwa", "PN": "bwa", "CL": "bwa mem ref starfish.fq"},
        {"ID": "minimap2", "CL": "minimap2 -ax sr"},
        {"ID": "DRAGEN", "CL": "dragen --enable-rna false --enable-methylation-calling=false"},
        {"ID": "samtools", "PN": "samtools", "CL": "samtools sort /data/star/x.bam"},
    ],
)
def test_reads_of_dna_are_not_refused(tmp_path, program):
    assert read_reads(str(bam(tmp_path, header_of("GRCh38", programs=(program,))))).piles["S1"].templates


@pytest.mark.parametrize(
    ("key", "text", "named"),
    [("DS", "RNA-Seq of blood", "RNA"), ("LB", "WGBS-lib1", "converted"), ("DS", "EM-seq", "converted")],
)
def test_assays_of_a_read_group_are_refused_by_name(tmp_path, key, text, named):
    header = header_of("GRCh38")
    header["RG"][0][key] = text
    with pytest.raises(FormatError, match=named):
        read_reads(str(bam(tmp_path, header)))


def test_normal_tissue_by_its_barcode_is_not_refused(tmp_path):
    path = bam(tmp_path, header_of("GRCh38", groups={"lane": "TCGA-AB-1234-10A"}))
    assert read_reads(str(path)).piles["TCGA-AB-1234-10A"].templates


@pytest.mark.parametrize(
    "sample",
    ["P1_TUMOR", "tumour-7", "Liver metastasis", "TCGA-AB-1234-01A-11D", "FFPEtumor", "AdenoCarcinoma"],
)
def test_tumours_are_refused(tmp_path, sample):
    with pytest.raises(FormatError, match="tumour"):
        read_reads(str(bam(tmp_path, header_of("GRCh38", groups={"lane": sample}))))


def test_spliced_reads_are_refused(tmp_path):
    spliced = replace(
        PIECES[0], name="n", flag=0, mate_start=None, start=12_100, cigar=[(0, 40), (3, 500), (0, 110)]
    )
    with pytest.raises(FormatError, match="RNA"):
        read_reads(str(bam(tmp_path, pieces=sorted([*PIECES, spliced], key=lambda piece: piece.start))))


def test_converted_reads_are_told_by_their_letters(tmp_path):
    converted = simulate("e3/e3", replace(SHORT, damage=0.95), 1)
    with pytest.raises(FormatError, match="converted"):
        read_reads(str(bam(tmp_path, pieces=converted)))


def test_damaged_reads_are_not_taken_for_converted(tmp_path):
    worn = simulate("e3/e3", replace(SHORT, damage=0.1), 1)
    assert read_reads(str(bam(tmp_path, pieces=worn))).piles["S1"].templates


def test_an_empty_file_is_told_as_such(tmp_path):
    (tmp_path / "a.bam").touch()
    with pytest.raises(FormatError, match="is empty"):
        read_reads(str(tmp_path / "a.bam"))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", FormatError),
        (b"hello\n", FormatError),
        (b"BAM\x01", FormatError),
        (b"CRAM\x03\x00", FormatError),
    ],
)
def test_what_is_no_bam(tmp_path, content, kind):
    path = tmp_path / "x.bam"
    path.write_bytes(content)
    with pytest.raises(kind):
        read_reads(str(path))


def test_truncated_bam(tmp_path):
    path = bam(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    os.utime(f"{path}.bai")
    with pytest.raises(FormatError, match="truncated"):
        read_reads(str(path))


def test_missing_folder_and_url(tmp_path):
    with pytest.raises(NotFoundError):
        read_reads(str(tmp_path / "none.bam"))
    with pytest.raises(FormatError, match="files only"):
        read_reads("https://example.org/a.bam")


def test_no_chromosome_19(tmp_path):
    header = header_of("GRCh38", contig="chr1")
    with pytest.raises(FormatError, match="chromosome 19"):
        read_reads(str(bam(tmp_path, header)))


def test_sam_is_sent_to_be_converted(tmp_path):
    path = tmp_path / "x.sam"
    path.write_text("@HD\tVN:1.6\n@SQ\tSN:chr19\tLN:58617616\n")
    with pytest.raises(FormatError, match="samtools view -b"):
        read_reads(str(path))


def test_md_or_not_is_the_same(tmp_path):
    plain, tagged = (
        read_reads(str(bam(tmp_path, name=f"{md}.bam", with_md=md))).piles["S1"] for md in (False, True)
    )
    assert (plain.templates, plain.tally) == (tagged.templates, tagged.tally)
