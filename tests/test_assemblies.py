"""Assemblies: what names them, and who wins. End-to-end rows are in tests/truth/assembly.tsv."""

from __future__ import annotations

import pytest
from vcf_builder import CONTIGS, LENGTHS, POSITIONS

from pgx.errors import AssemblyError, UsageError
from pgx.genome import (
    AssemblyEvidence,
    AssemblyEvidenceKind,
    HeaderFacts,
    assemblies,
    contig_names,
    decide,
    definitions,
    find_assembly,
    header_evidence,
    sites_on,
)


def clue(kind, assembly):
    return AssemblyEvidence(kind=kind, assembly=assembly, detail="a detail")


def test_the_table_is_that_of_the_builder():
    assert {assembly.name: assembly.length for assembly in assemblies()} == {
        name: lengths[1] for name, lengths in LENGTHS.items()
    }
    for assembly in assemblies():
        assert set(assembly.contigs) == set(CONTIGS[assembly.name])
        placed = {site.rsid: site.position for site in sites_on(assembly)}
        assert placed == POSITIONS[assembly.name]
        assert placed["rs7412"] - placed["rs429358"] == 138
    assert set(contig_names()) == {name for names in CONTIGS.values() for name in names}
    assert all(set(definition.positions) == set(LENGTHS) for definition in definitions())


@pytest.mark.parametrize(
    ("text", "assembly"),
    [
        ("file:///data/human_g1k_v37.fasta", "GRCh37"),
        ("hs37d5.fa.gz", "GRCh37"),
        ("ucsc.hg19.fasta", "GRCh37"),
        ("GCF_000001405.13", "GRCh37"),
        ("GCA_000001405.14_GRCh37.p13", "GRCh37"),
        ("GCF_000001405.40", "GRCh38"),
        ("GCA_000001405.15_no_alt", "GRCh38"),
        ("GRCh38_full_analysis_set_plus_decoy_hla.fa", "GRCh38"),
        ("hs38DH.fa", "GRCh38"),
        ("Homo_sapiens_assembly38.fasta", "GRCh38"),
        ("b38", "GRCh38"),
        ("NCBI build 36", "NCBI36"),
        ("hg18.fa", "NCBI36"),
        ("chm13v2.0_maskedY.fa", "T2T-CHM13"),
        ("GCA_009914755.4", "T2T-CHM13"),
        ("hs1.fa", "T2T-CHM13"),
        ("hs100.fa", None),
        ("hg190.fa", None),
        ("GCF_000001405.130", None),
        ("reference.fa", None),
        ("hg19ToHg38.over.chain", None),
    ],
)
def test_reference_line(text, assembly):
    found = header_evidence(HeaderFacts(contigs=(), references=(text,)))
    assert [item.assembly for item in found] == ([assembly] if assembly else [])


def test_most_telling_evidence_comes_first():
    facts = HeaderFacts(contigs=(("NC_000019.10", 58617616, "GRCh38"),), references=("GRCh38.fa",))
    assert [item.kind.value for item in header_evidence(facts)] == [
        "contig-length",
        "contig-name",
        "assembly-tag",
        "reference-line",
    ]


def test_header_wins_over_named_records():
    decision = decide(
        "auto",
        [clue(AssemblyEvidenceKind.CONTIG_LENGTH, "GRCh38")],
        [clue(AssemblyEvidenceKind.RECORDS, "GRCh37")],
        where="x",
    )
    assert decision.assembly.name == "GRCh38"
    assert len(decision.evidence) == 2


@pytest.mark.parametrize("requested", ["auto", "GRCh38"])
def test_letters_at_both_sites_of_another_assembly_contradict(requested):
    with pytest.raises(AssemblyError, match="records say GRCh37"):
        decide(
            requested,
            [clue(AssemblyEvidenceKind.CONTIG_LENGTH, "GRCh38")],
            [clue(AssemblyEvidenceKind.RECORD_LETTERS, "GRCh37")],
            where="x",
        )


def test_names_and_synonyms_whatever_the_case():
    assert find_assembly("HG38").name == find_assembly("grch38").name == "GRCh38"
    assert find_assembly("hs1").name == "T2T-CHM13"
    with pytest.raises(UsageError, match="unknown assembly"):
        find_assembly("mm10")


def test_nothing_known_says_what_to_do():
    with pytest.raises(AssemblyError, match="--assembly GRCh37"):
        decide("auto", [], [], where="x")
