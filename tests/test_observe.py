"""Letters, genotypes, likelihood order and records of several lines. End-to-end rows are in tests/truth/."""

from __future__ import annotations

import itertools

import pytest

from pgx.genome import find_assembly, sites_on
from pgx.observe import EvidenceKind, ReadContext, SiteRecord
from pgx.observe.alleles import Other, letters_of, variant_keys
from pgx.observe.evidence_fields import FieldReader, imputation_score, is_imputed, stated_quality
from pgx.observe.fields import GenotypeTextError, depth, number, numbers, read_genotype
from pgx.observe.site import observe, records_at

SITE = sites_on(find_assembly("GRCh38"))[0]


def record(alleles="T>C", form="GT", sample="0/1", *, position=SITE.position, info=None, **more):
    reference, _, alternate = alleles.partition(">")
    values = {
        "contig": "chr19",
        "position": position,
        "end": position + len(reference) - 1,
        "identifiers": (),
        "reference": reference,
        "alternates": () if alternate == "." else tuple(alternate.split(",")),
        "quality": None,
        "filters": (),
        "info": info or {},
        "format": tuple(form.split(":")),
        "samples": (sample,),
        "fixed": f"chr19\t{position}\t.\t{reference}\t{alternate}\t.\tPASS\t.\t{form}",
    }
    return SiteRecord(**(values | more))


def seen(*given, **options):
    records = records_at(given, SITE, {"chr19"})
    return observe([records], 0, ReadContext(contig="chr19", **options))[0]


def fields_of(one, *, copies=None):
    letters = letters_of(one, SITE.position)
    return FieldReader(one, one.fields(0), letters, ("T", "C"), copies=copies, gl_is_phred=False)


@pytest.mark.parametrize(
    ("alleles", "shift", "expected"),
    [
        ("T>C", 0, ("T", "C")),
        ("t>c", 0, ("T", "C")),
        ("TGC>CGC", 0, ("T", "C")),
        ("AAT>AAC", -2, ("T", "C")),
        ("TG>T", 0, ("T", "T")),
        ("AT>A", -1, ("T", Other.DELETED)),
        ("ATG>A", -1, ("T", Other.DELETED)),
        ("T>TA", 0, ("T", "T")),
        ("TG>C", 0, ("T", Other.UNCLEAR)),
        ("T>*", 0, ("T", Other.DELETED)),
        ("T><NON_REF>", 0, ("T", Other.UNSEEN)),
        ("T><*>", 0, ("T", Other.UNSEEN)),
        ("T><CNV>", 0, ("T", Other.STRUCTURAL)),
        ("T>T[chr2:123[", 0, ("T", Other.STRUCTURAL)),
        ("T><DEL>", 0, ("T", "T")),
        ("AT><DEL>", -1, ("T", Other.DELETED)),
        ("T>.", 0, ("T",)),
    ],
)
def test_letters_of_alleles(alleles, shift, expected):
    assert letters_of(record(alleles, position=SITE.position + shift), SITE.position) == expected


def test_the_same_variant_however_padded():
    keys = {
        variant_keys(record(a, position=SITE.position + s))
        for a, s in (("T>C", 0), ("TGC>CGC", 0), ("AT>AC", -1))
    }
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("text", "indices", "is_phased"),
    [
        ("0/1", (0, 1), False),
        ("1|0", (1, 0), True),
        ("|0|1", (0, 1), True),
        ("/0|1", (0, 1), False),
        (".", (), False),
        ("./.", (None, None), False),
        ("./1", (None, 1), False),
        ("1", (1,), False),
        ("0/1/1", (0, 1, 1), False),
        ("0/1|1", (0, 1, 1), False),
    ],
)
def test_genotype_text(text, indices, is_phased):
    found = read_genotype(record(), {"GT": text})
    assert (found.indices, found.phase is not None) == (indices, is_phased)


@pytest.mark.parametrize("text", ["0/2", "a/b", "0//1", "-1/0", "0/1.0", "0\\1"])
def test_genotype_text_that_is_none(text):
    with pytest.raises(GenotypeTextError):
        read_genotype(record(), {"GT": text})


@pytest.mark.parametrize("text", ["", ".", "nan", "inf", "-inf", "1e400", "x", "1,2"])
def test_no_number(text):
    assert number(text) is None


def test_numbers_keep_their_gaps():
    assert numbers("1,.,nan,2") == (1, None, None, 2)
    assert numbers(".") == ()


@pytest.mark.parametrize("alternates", list(itertools.permutations(["A", "C", "G"])))
def test_likelihood_order_for_any_order_of_alleles(alternates):
    """Genotype (j, k) stands at k(k+1)/2 + j; the one with one T and one C gets PL 0."""
    alleles = ["T", *alternates]
    pairs = [(low, high) for high in range(4) for low in range(high + 1)]
    values = [0 if {alleles[low], alleles[high]} == {"T", "C"} else 90 for low, high in pairs]
    text = ",".join(map(str, values))
    found = fields_of(record(f"T>{','.join(alternates)}", "PL", text)).evidence()
    assert (found.kind, found.values) == (EvidenceKind.PL, (90, 0, 90))


def test_an_unnamed_allele_stands_in_for_the_letter_that_is_not_named():
    found = fields_of(record("T><NON_REF>", "GT:PL", "0/0:0,60,900"), copies=0).evidence()
    assert found.values == (0, 60, 900)


@pytest.mark.parametrize("alternate", [".", "G"])
def test_no_dosage_is_no_evidence(alternate):
    assert seen(record(f"T>{alternate}", "GT", "0/0")).evidence.kind is EvidenceKind.GT


def test_quality_and_depth_fields():
    assert stated_quality({"GQ": "99", "GQX": "12"}) == 12
    assert stated_quality({"GQ": "-1", "RGQ": "7"}) == 7
    assert stated_quality({"GQ": "."}) is None
    assert depth(record(), {"DP": "30", "MIN_DP": "4"}, block=True) == 4
    assert depth(record(), {"DP": "30", "MIN_DP": "4"}, block=False) == 30
    assert depth(record(info={"MinDP": "9"}), {"DP": "30"}, block=True) == 9
    assert depth(record(), {"AD": "7,5"}, block=False) == 12
    assert depth(record(), {"DP": "-4"}, block=False) is None


@pytest.mark.parametrize(("share", "expected"), [("0.6,0.1", [(6.0, 12.0)]), ("0.6,0.7", [])])
def test_more_reads_with_alt_than_in_all_are_no_reads_by_allele(share, expected):
    one = record("T>C,A", info={"TotalReads": "20", "SupportFraction": share})
    assert [item.values for item in fields_of(one).reads_by_letter()] == expected


def test_a_block_without_its_length_reaches_as_far_as_its_end():
    """Without LEN a block is read by END, where there is one, though its REF does not spell the base."""
    begin, end = SITE.position - 50, SITE.position + 50
    block = record("A><*>", "GT:LEN:GQ", "0/0:.:40", position=begin, info={"END": str(end)}, end=end)
    assert seen(block).state == "reference-block"
    assert seen(record("A><*>", "GT:LEN:GQ", "0/0:.:40", position=begin, end=end)).state == "absent"


@pytest.mark.parametrize(
    ("info", "form", "imputed"),
    [
        ({"IMP": ""}, "GT", True),
        ({"DR2": "0.9"}, "GT", True),
        ({"R2": "0.9"}, "GT", False),
        ({"R2": "0.9"}, "GT:DS", True),
        ({"R2": "0.9", "TYPED": ""}, "GT:DS", False),
        ({}, "GT:GP", False),
    ],
)
def test_what_is_imputed(info, form, imputed):
    assert is_imputed(record(form=form, info=info)) is imputed


def test_imputation_score():
    assert imputation_score(record(info={"R2": "0.5", "DR2": "0.25"})) == 0.25
    assert imputation_score(record(info={"R2": "none"})) is None


@pytest.mark.parametrize(
    ("form", "sample", "expected"),
    [
        ("GT:PL", "0/0:300,0,300", True),
        ("GT:PL", "0/0:19,0,300", False),
        ("GT:GL", "0/0:-3,0,-3", True),
        ("GT:GP", "0/0:0.001,0.998,0.001", True),
        ("GT:GP", "0/0:0.3,0.6,0.1", False),
        ("GT:DS", "0/0:1.4", True),
        ("GT:DS", "0/0:0.9", False),
        ("GT:GQ", "0/0:3", False),
    ],
)
def test_a_genotype_against_its_own_likelihoods(form, sample, expected):
    stated = fields_of(record(form=form, sample=sample), copies=0)
    assert stated.contradicts(stated.evidence()) is expected


def test_of_two_that_agree_the_more_doubtful_counts():
    both = [record(form="GT:GQ", sample=f"0/1:{quality}") for quality in (99, 12)]
    for order in (both, both[::-1]):
        assert seen(*order).evidence.values == (12,)


def test_split_lines_without_genotypes_are_not_summed():
    assert seen(record("T>C", "PL", "300,0,300"), record("T>C,G", "PL", "0,9,9,9,9,9")).state == "called"
    assert seen(record("T>*", "PL", "300,0,300"), record("T>C", "PL", "300,0,300")).state == "conflicting"


def test_raw_lines_hold_the_column_of_one_sample_only():
    one = record(samples=("0/1", "1/1"))
    assert seen(one).record.split("\t")[9:] == ["0/1"]


def test_a_record_of_another_contig_is_not_ours():
    assert seen(record(contig="chr1")).state == "absent"
