"""PLINK and BGEN files in a cohort: the answers are those of the VCF that they were made from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from vcf_builder import POSITIONS, site, write_vcf

from pgx.cohort.biobank.format_parser import widened

PLINK2 = shutil.which("plink2")
needs_plink2 = pytest.mark.skipif(PLINK2 is None, reason="plink2 is not installed")
#: Genotypes at both sites: all that two sites can show, one missing, phased ones.
PEOPLE = [
    "0/0 0/0",
    "0/1 0/0",
    "1/1 0/0",
    "0/0 0/1",
    "0/0 1/1",
    "0|1 0|1",
    "0|1 1|0",
    "./. 0/0",
    "0/1 ./.",
    "1|0 0|0",
]
NAMES = [f"P{number}" for number in range(len(PEOPLE))]
SITES = ("rs429358", "rs7412")
LETTERS = {"rs429358": ("T", "C"), "rs7412": ("C", "T")}


def rows(folder):
    lines = (folder / "samples.tsv").read_text().splitlines()
    head = lines[0].split("\t")
    return [dict(zip(head, line.split("\t"), strict=True)) for line in lines[1:]]


def cell(text, *, phased):
    """Return the letters of a site; two that are the same have no order."""
    first, second = text[0], text[-1]
    return "/".join(sorted((first, second))) if len(text) == 3 and (first == second or not phased) else text


def answers(folder, *, phased=True):
    found = []
    for row in rows(folder):
        letters = [cell(row[rsid], phased=phased) for rsid in SITES]
        called = [row["diplotype"], row["e4_status"]] if phased else []
        found.append([row["sample"], *letters, *called])
    return found


@pytest.fixture
def cohort(run_pgx, tmp_path):
    def run(path, *options, code=0):
        out = tmp_path / f"out-{path.name}"
        shutil.rmtree(out, ignore_errors=True)
        outcome = run_pgx("cohort", path, "-o", out, *options)
        assert outcome.exit_code == code, outcome.stderr
        return out

    return run


@pytest.fixture(params=["GRCh37", "GRCh38"])
def vcf(request, tmp_path):
    columns = list(zip(*(person.split() for person in PEOPLE), strict=True))
    records = [site(rsid, gt=list(column)) for rsid, column in zip(SITES, columns, strict=True)]
    return write_vcf(
        tmp_path / "a.vcf",
        assembly=request.param,
        contig="19",
        samples=NAMES,
        records=records,
        neighbours=False,
    )


def plink2(*arguments):
    subprocess.run([PLINK2, *map(str, arguments), "--silent"], check=True, capture_output=True)


def bed(folder, genotypes, alleles=None, assembly="GRCh37", name="b", chromosome="19", rsids=SITES):
    """Write a PLINK 1 file: for each site the copies of A1 by person, None where missing."""
    alleles = alleles or [("C", "T"), ("T", "C")]  # A1, A2
    codes = {2: 0, None: 1, 1: 2, 0: 3}
    body = b"\x6c\x1b\x01"
    for copies in genotypes:
        padded = [*copies, *[2] * (-len(copies) % 4)]
        for start in range(0, len(padded), 4):
            body += bytes(
                [sum(codes[value] << 2 * place for place, value in enumerate(padded[start : start + 4]))]
            )
    path = folder / f"{name}.bed"
    path.write_bytes(body)
    path.with_suffix(".bim").write_text(
        "".join(
            f"{chromosome} {rsid} 0 {POSITIONS[assembly][own]} {first} {second}\n"
            for rsid, own, (first, second) in zip(rsids, SITES, alleles, strict=True)
        )
    )
    count = len(genotypes[0])
    path.with_suffix(".fam").write_text("".join(f"F{n} P{n} 0 0 0 -9\n" for n in range(count)))
    return path


@needs_plink2
class TestAgainstPlink2:
    @pytest.fixture(autouse=True)
    def _library(self):
        pytest.importorskip("pgenlib")

    def test_pgen_is_the_vcf(self, vcf, tmp_path, cohort):
        plink2("--vcf", vcf, "--make-pgen", "--out", tmp_path / "p")
        assert answers(cohort(tmp_path / "p.pgen")) == answers(cohort(vcf))

    def test_packed_variants_and_a_table_that_is_packed(self, vcf, tmp_path, cohort):
        plink2("--vcf", vcf, "--make-pgen", "vzs", "--out", tmp_path / "p")
        assert (tmp_path / "p.pvar.zst").exists()
        assert answers(cohort(tmp_path / "p.pgen")) == answers(cohort(vcf))

    @pytest.mark.parametrize("order", ["", "--maj-ref"])
    def test_bed_has_the_letters_whatever_allele_comes_first(self, vcf, tmp_path, cohort, order):
        more = [order, "force"] if order else []
        plink2("--vcf", vcf, "--make-bed", "--out", tmp_path / "b", *more)
        assert answers(cohort(tmp_path / "b.bed"), phased=False) == answers(cohort(vcf), phased=False)

    @pytest.mark.parametrize("layout", ["bgen-1.2", "bgen-1.3"])
    def test_bgen_has_the_genotypes(self, vcf, tmp_path, cohort, layout):
        pytest.importorskip("bgen")
        plink2("--vcf", vcf, "--make-bed", "--out", tmp_path / "b")
        plink2("--bfile", tmp_path / "b", "--export", layout, "bits=8", "--out", tmp_path / "g")
        assert answers(cohort(tmp_path / "g.bgen"), phased=False) == answers(cohort(vcf), phased=False)

    def test_phase_of_bgen_is_kept(self, tmp_path, cohort):
        pytest.importorskip("bgen")
        records = [site(rsid, gt=["0|1", "0|1", "0|0"]) for rsid in ("rs429358",)]
        records.append(site("rs7412", gt=["0|1", "1|0", "0|0"]))
        path = write_vcf(
            tmp_path / "v.vcf", contig="19", samples=["A", "B", "C"], records=records, neighbours=False
        )
        plink2("--vcf", path, "--make-pgen", "--out", tmp_path / "p")
        plink2("--pfile", tmp_path / "p", "--export", "bgen-1.2", "bits=8", "--out", tmp_path / "g")
        found = rows(cohort(tmp_path / "g.bgen"))
        assert [row["rs429358"] + " " + row["rs7412"] for row in found] == ["T|C C|T", "T|C T|C", "T|T C|C"]
        assert [row["diplotype"] for row in found] == [row["diplotype"] for row in rows(cohort(path))]

    def test_unphased_homozygotes_have_no_order(self, tmp_path, cohort):
        records = [site(rsid, gt=["0/0", "0/1", "1/1"]) for rsid in SITES]
        path = write_vcf(
            tmp_path / "v.vcf", contig="19", samples=list("ABC"), records=records, neighbours=False
        )
        plink2("--vcf", path, "--make-pgen", "--out", tmp_path / "p")
        assert [row["rs7412"] for row in rows(cohort(tmp_path / "p.pgen"))] == ["C/C", "C/T", "T/T"]

    @pytest.mark.parametrize("packed", [False, True])
    def test_variants_of_three_alleles_elsewhere_and_at_a_site(self, tmp_path, cohort, packed):
        lines = [
            f"19\t{place}\tx{place}\tA\t{alt}\t.\t.\t.\tGT\t0/1\t1/1\t0/0"
            for place, alt in ((100, "C,G"), (200, "C"), (60_000_00, "C,G,T"))
        ]
        records = [
            site("rs429358", alt="C,G", gt=["0/1", "1/1", "0/2"]),
            site("rs7412", gt=["0/0", "0/0", "0/0"]),
        ]
        path = write_vcf(
            tmp_path / "v.vcf", contig="19", samples=list("ABC"), records=[*lines, *records], neighbours=False
        )
        plink2("--vcf", path, "--make-pgen", *(["vzs"] if packed else []), "--out", tmp_path / "p")
        found, wanted = (rows(cohort(item)) for item in (tmp_path / "p.pgen", path))
        assert (
            [row["diplotype"] for row in found]
            == [row["diplotype"] for row in wanted]
            == ["e3/e4", "e4/e4", ""]
        )
        assert [row["rs429358"] for row in found] == [row["rs429358"] for row in wanted]

    def test_dosages_go_by_the_rules_of_imputation(self, tmp_path, cohort):
        gts = ["0/0:0.02", "0/1:1.1", "1/1:1.98", "0/0:0.5"]
        records = [site(rsid, gt=gts, format="GT:DS") for rsid in SITES]
        path = write_vcf(
            tmp_path / "v.vcf", contig="19", samples=list("ABCD"), records=records, neighbours=False
        )
        plink2("--vcf", path, "dosage=DS", "--make-pgen", "--out", tmp_path / "p")
        found = rows(cohort(tmp_path / "p.pgen"))
        assert all("imputed" in row["flags"] for row in found)
        assert found[1]["diplotype"] == found[3]["diplotype"] == ""

    def test_dosages_by_haplotype_give_genotype_and_phase(self, tmp_path, cohort):
        people = {  # GT:DS:HDS at both sites, and the answer
            "A": ("0|1:1:0.004,0.996", "0|0:0:0,0", "e3/e4"),
            "B": ("1|0:1.001:0.998,0.003", "0|1:1:0.001,0.999", "e2/e4"),
            "C": ("0|1:1:0.03,0.97", "0|0:0:0,0", ""),  # a dosage of 1, and 94 % of a heterozygote
            "D": ("0/1:1:0.45,0.55", "0|0:0:0,0", ""),
            "E": ("0/1:1.05:.", "0|0:0:0,0", ""),
            "F": ("./.:.:.", "0|0:0:0,0", ""),
            "G": ("0|0:0.006:0.006,0", "0|0:0:0,0", "e3/e3"),
        }
        columns = zip(*(person[:2] for person in people.values()), strict=True)
        records = [
            site(rsid, gt=list(column), format="GT:DS:HDS")
            for rsid, column in zip(SITES, columns, strict=True)
        ]
        path = write_vcf(
            tmp_path / "v.vcf", contig="19", samples=list(people), records=records, neighbours=False
        )
        plink2("--vcf", path, "dosage=HDS", "--make-pgen", "--out", tmp_path / "p")
        found = rows(cohort(tmp_path / "p.pgen"))
        assert {row["sample"]: row["diplotype"] for row in found} == {
            name: answer for name, (*_, answer) in people.items()
        }
        assert (found[1]["rs429358"], found[1]["rs7412"], found[1]["phase"]) == ("C|T", "C|T", "phased")
        assert all("imputed" in row["flags"] for row in found)
        (tmp_path / "first").write_text("rs429358 C\nrs7412 T\n")
        first = ["--ref-allele", "force", tmp_path / "first"]
        plink2("--pfile", tmp_path / "p", *first, "--make-pgen", "--out", tmp_path / "turned")
        assert "rs429358\tC\tT" in (tmp_path / "turned.pvar").read_text()
        assert answers(cohort(tmp_path / "turned.pgen")) == answers(cohort(tmp_path / "p.pgen"))
        plink2("--pfile", tmp_path / "p", "--export", "vcf", "vcf-dosage=HDS", "--out", tmp_path / "back")
        stored = [line.split("\t")[9:] for line in (tmp_path / "back.vcf").read_text().splitlines()[-2:]]
        for row, *told in zip(found, *stored, strict=True):
            for rsid, text in zip(SITES, told, strict=True):
                state, told_gt = row[rsid], text.split(":")[0]
                if "." not in told_gt and told_gt[0] != told_gt[2]:
                    letters = told_gt.replace("0", LETTERS[rsid][0]).replace("1", LETTERS[rsid][1])
                    assert state == letters

    def test_dosages_without_haplotypes_are_not_taken_for_such(self, tmp_path, cohort):
        """The library gives a phased heterozygote haplotypes as far apart as can be: nobody stored these."""
        records = [site(rsid, gt=["0|1:1.02", "0|0:0.01"], format="GT:DS") for rsid in SITES]
        path = write_vcf(
            tmp_path / "v.vcf", contig="19", samples=list("AB"), records=records, neighbours=False
        )
        plink2("--vcf", path, "dosage=DS", "--make-pgen", "--out", tmp_path / "p")
        assert [row["diplotype"] for row in rows(cohort(tmp_path / "p.pgen"))] == ["", ""]


class TestByHand:
    @pytest.fixture(autouse=True)
    def _library(self):
        pytest.importorskip("pgenlib")

    def test_letters_and_missing_genotypes(self, tmp_path, cohort):
        path = bed(tmp_path, [[0, 1, 2, None, 0], [0, 0, 0, 0, 1]])
        found = rows(cohort(path))
        assert [row["diplotype"] for row in found] == ["e3/e3", "e3/e4", "e4/e4", "", "e2/e3"]
        assert found[3]["rs429358"] == "no-call"
        assert found[0]["assembly"] == "GRCh37"

    def test_alleles_in_another_order_are_the_same_letters(self, tmp_path, cohort):
        path = bed(tmp_path, [[2, 1, 0, None, 2], [2, 2, 2, 2, 1]], [("T", "C"), ("C", "T")])
        assert [row["diplotype"] for row in rows(cohort(path))] == ["e3/e3", "e3/e4", "e4/e4", "", "e2/e3"]

    def test_the_other_strand_is_refused(self, tmp_path, cohort):
        path = bed(tmp_path, [[0, 1, 2], [0, 0, 0]], [("G", "A"), ("A", "G")])
        found = rows(cohort(path, "--assembly", "GRCh37"))
        assert all(row["diplotype"] == "" and row["e4_status"] == "indeterminate" for row in found)
        assert all("reverse-strand" in row["flags"] for row in found)

    def test_names_that_come_twice_have_their_family_before_them(self, tmp_path, cohort):
        path = bed(tmp_path, [[0, 1], [0, 0]])
        path.with_suffix(".fam").write_text("F1 A 0 0 0 -9\nF2 A 0 0 0 -9\n")
        assert [row["sample"] for row in rows(cohort(path))] == ["F1_A", "F2_A"]

    @pytest.mark.parametrize(
        ("ending", "content", "words"),
        [
            (".bim", None, "has no .bim beside it"),
            (".fam", None, "has no .fam beside it"),
            (".fam", "".join(f"F1 A{n} 0 0 0 -9\n" for n in range(90)), "does not fit"),
            (".fam", "F1 A 0 0 0 -9\n" * 2, "names the person 'F1_A' twice"),
            (".bim", "19 rs1 0 45411941 C T\n" * 9, "does not fit"),
        ],
    )
    def test_files_that_do_not_fit_are_one_line(self, tmp_path, cohort, ending, content, words):
        path = bed(tmp_path, [[0, 1], [0, 0]])
        beside = path.with_suffix(ending)
        beside.unlink() if content is None else beside.write_text(content)
        failures = (cohort(path, code=5) / "failures.tsv").read_text()
        assert words in failures
        assert "a bug" not in failures

    def test_a_site_at_which_nobody_differs_is_read(self, tmp_path, cohort):
        path = bed(tmp_path, [[0, 0], [0, 1]], [("0", "T"), ("T", "C")])
        assert [(row["rs429358"], row["diplotype"]) for row in rows(cohort(path))] == [
            ("T/T", "e3/e3"),
            ("T/T", "e2/e3"),
        ]
        turned = bed(tmp_path, [[2, 2], [0, 1]], [("T", "0"), ("T", "C")], name="turned")
        assert [row["diplotype"] for row in rows(cohort(turned))] == ["e3/e3", "e2/e3"]

    @pytest.mark.parametrize(("genotypes", "state"), [([None, None], "no-call"), ([0, 1], "unsupported")])
    def test_a_site_without_any_allele_has_no_letters(self, tmp_path, cohort, genotypes, state):
        path = bed(tmp_path, [genotypes, [0, 1]], [("0", "0"), ("T", "C")])
        found = rows(cohort(path))
        assert [row["rs429358"] for row in found] == [state, state]
        assert not any("e4" in row["diplotype"] for row in found)

    def test_a_file_in_sample_order_has_a_cure_that_works(self, tmp_path, cohort):
        path = bed(tmp_path, [[0, 1, 2, 0], [0, 0, 0, 0]])
        path.write_bytes(b"\x6c\x1b\x00" + bytes([0b1111, 0b1110, 0b1100, 0b1111]))  # a byte a person
        failures = (cohort(path, code=5) / "failures.tsv").read_text()
        assert "sample by sample" in failures
        assert "plink2 --bfile OLD --make-bed --out NEW" in failures
        assert "pgx cohort" not in failures
        if PLINK2 is not None:
            plink2("--bfile", path.with_suffix(""), "--make-bed", "--out", tmp_path / "new")
            found = rows(cohort(tmp_path / "new.bed"))
            assert [row["diplotype"] for row in found] == ["e3/e3", "e3/e4", "e4/e4", "e3/e3"]

    def test_our_rsids_on_another_chromosome_put_all_in_doubt(self, tmp_path, cohort):
        path = bed(tmp_path, [[0, 1], [0, 0]], chromosome="20")
        assert "cannot be told" in (cohort(path, code=5) / "failures.tsv").read_text()
        found = rows(cohort(path, "--assembly", "GRCh37"))
        assert {row["rs429358"] for row in found} == {"unsupported"}
        assert all("rsid-mismatch" in row["flags"] for row in found)

    def test_neither_site_is_absence(self, tmp_path, cohort):
        path = bed(tmp_path, [[0, 1], [0, 0]])
        path.with_suffix(".bim").write_text("19 rs1 0 100 C T\n19 rs2 0 200 T C\n")
        found = rows(cohort(path, "--assembly", "GRCh37"))
        assert [row["rs429358"] for row in found] == ["absent", "absent"]
        assert {row["e4_status"] for row in found} == {"indeterminate"}

    def test_a_name_at_another_place_puts_all_in_doubt(self, tmp_path, cohort):
        path = bed(tmp_path, [[0, 1], [0, 0]])
        text = path.with_suffix(".bim").read_text()
        path.with_suffix(".bim").write_text(text.replace("45411941", "45411999"))
        assert {row["e4_status"] for row in rows(cohort(path, "--assembly", "GRCh37"))} == {"indeterminate"}

    def test_annotate_and_inspect_send_to_cohort(self, tmp_path, run_pgx):
        path = bed(tmp_path, [[0, 1], [0, 0]])
        for command in ("annotate", "inspect"):
            outcome = run_pgx(command, path)
            assert outcome.exit_code == 3
            assert "pgx cohort" in outcome.stderr

    def test_a_folder_is_searched_and_a_list_of_regions_is_none(self, tmp_path, cohort):
        folder = tmp_path / "in"
        folder.mkdir()
        bed(folder, [[0, 1], [0, 0]])
        (folder / "regions.bed").write_text("19\t1\t2\n")
        assert len(rows(cohort(folder))) == 2

    def test_a_changed_file_beside_it_is_read_again(self, tmp_path, run_pgx):
        path = bed(tmp_path, [[0, 1], [0, 0]])
        out = tmp_path / "out"
        run_pgx("cohort", path, "-o", out)
        assert "1 were done" in run_pgx("cohort", path, "-o", out).stderr
        path.with_suffix(".fam").write_text("F1 other 0 0 0 -9\nF2 name 0 0 0 -9\n")
        run_pgx("cohort", path, "-o", out)
        assert [row["sample"] for row in rows(out)] == ["other", "name"]


class TestBgenByHand:
    def write(self, path, chances, *, phased=False, index=False, alleles=None, bits=8, packed="zlib"):
        bgen = pytest.importorskip("bgen")
        alleles = alleles or [["T", "C"], ["C", "T"]]
        names = [f"P{number}" for number in range(len(chances[0]))]
        with bgen.BgenWriter(str(path), len(names), names, packed, 2) as writer:
            for rsid, own, values in zip(SITES, alleles, chances, strict=True):
                place = POSITIONS["GRCh37"][rsid]
                writer.add_variant(
                    rsid,
                    rsid,
                    "19",
                    place,
                    own,
                    np.array(values, np.float64),
                    ploidy=2,
                    phased=phased,
                    bit_depth=bits,
                )
        if not index:  # which the writer makes
            Path(f"{path}.bgi").unlink()
        return path

    SURE: ClassVar = [[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [1, 0, 0], [1, 0, 0]]]

    @pytest.mark.parametrize("index", [False, True])
    def test_probabilities(self, tmp_path, cohort, index):
        path = self.write(tmp_path / "g.bgen", self.SURE, index=index)
        assert [row["diplotype"] for row in rows(cohort(path))] == ["e3/e3", "e3/e4", "e4/e4"]

    def test_alleles_in_another_order(self, tmp_path, cohort):
        turned = [[row[::-1] for row in site] for site in self.SURE]
        path = self.write(tmp_path / "g.bgen", turned, alleles=[["C", "T"], ["T", "C"]])
        assert [row["diplotype"] for row in rows(cohort(path))] == ["e3/e3", "e3/e4", "e4/e4"]

    def test_what_is_not_sure_stays_open(self, tmp_path, cohort):
        chances = [[[0.5, 0.5, 0], [0.02, 0.95, 0.03]], [[1, 0, 0], [1, 0, 0]]]
        found = rows(cohort(self.write(tmp_path / "g.bgen", chances)))
        assert [row["diplotype"] for row in found] == ["", ""]

    @pytest.mark.parametrize("packed", ["zlib", "zstd", None])
    @pytest.mark.parametrize(
        ("bits", "phased", "lost"),
        [  # of one site that is stored as certain, in units of 1 / (2^bits - 1), or as a share
            (8, False, 2 / 3 / 255),
            (8, True, 1 / 2 / 255),
            (4, False, 2 / 3 / 15),
            (16, False, 1e-3),  # two times the floor of what a program prints
        ],
    )
    def test_a_stored_certainty_is_as_sure_as_its_bits(self, tmp_path, cohort, bits, phased, lost, packed):
        one = [1, 0, 1, 0] if phased else [1, 0, 0]
        path = self.write(tmp_path / "g.bgen", [[one], [one]], phased=phased, bits=bits, packed=packed)
        (row,) = rows(cohort(path, "--population", "flat"))
        frequencies = {"T": 0.5, "C": 0.5}  # of the letters, under flat haplotype frequencies
        marginal = np.array([frequencies["T"] ** 2, 0.5, 0.25])
        other = np.array([1 - lost, lost, 0.0]) if phased else np.array([1 - lost, lost / 2, lost / 2])
        kept = np.maximum(other, 5e-4) / marginal * marginal
        wanted = (kept[0] / kept.sum()) ** 2
        assert float(row["diplotype_probability"]) == pytest.approx(wanted, abs=2e-4)
        assert row["diplotype"] == ("e3/e3" if bits >= 8 else "")

    @pytest.mark.parametrize(
        ("bits", "units", "probability"),
        [(8, 0, 0.9936), (8, 1, 0.9907), (8, 2, 0.9865), (7, 0, 0.9872), (10, 4, 0.9938)],
    )
    def test_how_sure_what_is_stored_leaves_a_person(self, tmp_path, cohort, bits, units, probability):
        """`units` of the other letter at one site, none at the other; docs/inputs.md has the first four."""
        share = units / (2**bits - 1)
        path = self.write(tmp_path / "g.bgen", [[[1 - share, share, 0]], [[1, 0, 0]]], bits=bits)
        (row,) = rows(cohort(path))
        assert float(row["diplotype_probability"]) == pytest.approx(
            probability, abs=2e-4
        )  # GP has four decimals
        assert (row["diplotype"], "low-certainty" in row["flags"]) == (
            ("e3/e3", False) if probability >= 0.99 else ("", True)
        )

    def test_no_rounding_loses_more_than_is_counted(self):
        """Round as the format says, and compare what was there with what is read."""
        dice = np.random.default_rng(5)
        for count, phased, units in ((3, False, 255), (2, True, 255), (3, False, 15)):
            rest = dice.uniform(0, 1, (20_000, count - 1))
            before = np.column_stack([units - rest.sum(axis=1), rest])
            stored = np.floor(before)
            lacking = np.rint(units - stored.sum(axis=1)).astype(int)
            rank = np.argsort(np.argsort(-(before - stored), axis=1), axis=1)
            stored += rank < lacking[:, None]
            sure = before[stored[:, 0] == units] / units
            if phased:
                read = widened(np.array([[1.0, 0, 1, 0]]), 1 / units, phased=True)[0]
                assert read[0] == pytest.approx(sure[:, 0].mean() ** 2, abs=1e-4)
            else:
                read = widened(np.array([[1.0, 0, 0]]), 1 / units, phased=False)[0]
                assert read[0] <= sure[:, 0].min() + 1e-3 / units
                assert read[0] == pytest.approx(sure[:, 0].min(), abs=0.02 / units)

    @pytest.mark.parametrize(("unsure", "told"), [(12, True), (2, False)])
    def test_the_page_says_why_many_stay_open(self, tmp_path, cohort, unsure, told):
        people = [[0.02, 0.95, 0.03]] * unsure + [[1, 0, 0]] * (100 - unsure)
        out = cohort(self.write(tmp_path / "g.bgen", [people, [[1, 0, 0]] * 100]))
        page = (out / "index.html").read_text()
        assert ("imputation often ends short of that" in page) is told
        assert (f"{unsure} samples ({unsure:.1f} % of them) stay open" in page) is told
        shared = (cohort(tmp_path / "g.bgen", "--min-cell", "5") / "index.html").read_text()
        assert ("Imputation often ends short of what an answer needs" in shared) is told

    def test_names_beside_the_file_must_be_those_inside(self, tmp_path, cohort):
        path = self.write(tmp_path / "g.bgen", self.SURE)
        head = "ID_1 ID_2 missing\n0 0 0\n"
        beside = path.with_suffix(".sample")
        beside.write_text(head + "".join(f"F P{number} 0\n" for number in range(3)))
        assert [row["sample"] for row in rows(cohort(path))] == ["P0", "P1", "P2"]
        for names in (["B0", "B1", "B2"], ["P0", "P1"], ["P1", "P0", "P2"]):
            beside.write_text(head + "".join(f"F {name} 0\n" for name in names))
            failures = (cohort(path, code=5) / "failures.tsv").read_text()
            assert "names other people than the .bgen" in failures

    def test_a_file_without_names_needs_them_beside_it(self, tmp_path, cohort):
        path = self.write(tmp_path / "g.bgen", self.SURE, index=False)
        data = bytearray(path.read_bytes())
        header = int.from_bytes(data[4:8], "little")
        flags = int.from_bytes(data[header : header + 4], "little")
        assert flags >> 31, "the writer puts names inside"
        block = int.from_bytes(data[4 + header : 8 + header], "little")
        data[header : header + 4] = (flags & 0x7FFFFFFF).to_bytes(4, "little")
        del data[4 + header : 4 + header + block]
        data[:4] = (int.from_bytes(data[:4], "little") - block).to_bytes(4, "little")
        path.write_bytes(data)
        assert "has no .sample beside it" in (cohort(path, code=5) / "failures.tsv").read_text()
        names = "".join(f"F P{number} 0\n" for number in range(3))
        path.with_suffix(".sample").write_text(f"ID_1 ID_2 missing\n0 0 0\n{names}")
        assert [row["sample"] for row in rows(cohort(path))] == ["P0", "P1", "P2"]

    def test_damage_is_one_line(self, tmp_path, cohort):
        path = self.write(tmp_path / "g.bgen", self.SURE)
        data = path.read_bytes()
        for number, content in enumerate((data[:-30], data[:60], data[:40] + b"\xff" * 40 + data[80:])):
            path.write_bytes(content)
            failures = (cohort(path, code=5) / "failures.tsv").read_text()
            assert "g.bgen" in failures
            assert "a bug" not in failures, number
