"""Records at the markers in, genotypes out: place and alleles, strand, blocks, filters, what is unknown."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pgx.neighbours.estimate import MarkerReader, has_positions
from pgx.neighbours.panel import Marker, markers
from pgx.observe import ReadContext, SiteRecord

ERROR = 5e-5
COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}
TAG = next(number for number, marker in enumerate(markers()) if marker.rsid == "rs769449")


def record(
    marker: Marker,
    *samples: str,
    assembly: str = "GRCh37",
    ref: str | None = None,
    alt: str | None = None,
    keys: str = "GT",
    filters: tuple[str, ...] = (),
    info: dict[str, str] | None = None,
    end: int | None = None,
) -> SiteRecord:
    """Return a record at a marker."""
    position = marker.positions[assembly]
    reference = ref or marker.ref
    alternates = tuple((marker.alt if alt is None else alt).split(",")) if alt != "." else ()
    fixed = [
        "19",
        str(position),
        ".",
        reference,
        ",".join(alternates) or ".",
        ".",
        ";".join(filters) or ".",
        ".",
        keys,
    ]
    return SiteRecord(
        contig="19",
        position=position,
        end=end or position + len(reference) - 1,
        identifiers=(),
        reference=reference,
        alternates=alternates,
        quality=None,
        filters=filters,
        info=info or {},
        format=tuple(keys.split(":")),
        samples=samples,
        fixed="\t".join(fixed),
    )


def genotypes(records: Iterable[SiteRecord], assembly: str = "GRCh37", column: int = 0, **options: object):
    """Return what the reader makes of records."""
    context = ReadContext(contig="19", **options)
    return MarkerReader(tuple(records), ("19",), assembly, context, ERROR).genotypes(column)


def at_tag(*records: SiteRecord, **options: object):
    """Return what is known at rs769449 (G>A)."""
    return genotypes(records, **options)[TAG]


@pytest.mark.parametrize("assembly", ["GRCh37", "GRCh38", "NCBI36"])
def test_every_marker_is_read_on_each_assembly(assembly: str):
    cells = ("0/0", "0/1", "1|1")
    records = [record(marker, cells[n % 3], assembly=assembly) for n, marker in enumerate(markers())]
    assert genotypes(records, assembly) == tuple(n % 3 for n in range(len(markers())))


def test_never_across_builds():
    records = [record(marker, "0/1", assembly="GRCh38") for marker in markers()]
    assert set(genotypes(records, "GRCh37")) == {None}
    assert not has_positions("T2T-CHM13")


def test_a_position_without_a_record_is_unknown_whatever_is_assumed_of_the_sites():
    absent = genotypes([], assume_reference=True, callable_sites={"rs769449": 30.0})
    assert set(absent) == {None}


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({"ref": "G", "alt": "A"}, 1),
        ({"ref": "A", "alt": "G"}, 1),  # exchanged
        ({"ref": "G", "alt": "C"}, None),  # another variant at the same place
        ({"ref": "G", "alt": "A,C"}, 1),  # one of several, and it is ours that was called
        ({"ref": "G", "alt": "C,A"}, None),
        ({"ref": "GC", "alt": "G"}, None),  # a deletion that starts here says nothing of the base
    ],
)
def test_alleles_decide(shown: dict[str, str], expected: int | None):
    assert at_tag(record(markers()[TAG], "0/1", **shown)) == expected


def test_a_homozygote_counts_copies_of_alt_whatever_is_ref():
    marker = markers()[TAG]
    assert at_tag(record(marker, "0/0", ref="A", alt="G")) == 2
    assert at_tag(record(marker, "1/1", ref="A", alt="G")) == 0
    assert at_tag(record(marker, "0/0", alt=".")) == 0


def test_a_reference_block_is_reference():
    marker = markers()[TAG]
    start = record(marker, "0/0:60", alt="<NON_REF>", keys="GT:GQ", info={"END": "1"})
    before = SiteRecord(
        **{name: getattr(start, name) for name in SiteRecord.__struct_fields__}
        | {"position": start.position - 50, "end": start.position + 50, "reference": "C"}
    )
    assert at_tag(before) == 0


@pytest.mark.parametrize(
    ("cell", "keys", "more", "expected"),
    [
        ("./.", "GT", {}, None),
        ("0/.", "GT", {}, None),
        ("1", "GT", {}, None),
        ("0/1", "GT", {"filters": ("LowQual",)}, None),
        ("0/1:3", "GT:GQ", {}, "soft"),
        ("0/1:99", "GT:GQ", {}, 1),
        ("0/1:200,0,200", "GT:PL", {}, 1),
        ("0/0:0,6,60", "GT:PL", {}, "soft"),
        ("0/1:0.01,0.98,0.01", "GT:GP", {"info": {"IMP": ""}}, None),
        ("0/1:1", "GT:DS", {"info": {"DR2": "0.99"}}, None),
    ],
)
def test_quality_decides(cell: str, keys: str, more: dict[str, object], expected: object):
    found = at_tag(record(markers()[TAG], cell, keys=keys, **more))
    if expected == "soft":
        assert isinstance(found, tuple)
        assert max(found) == 1
    else:
        assert found == expected


def test_limits_of_the_user_hold_here_too():
    shown = record(markers()[TAG], "0/1:35:9", keys="GT:GQ:DP")
    assert at_tag(shown) == 1
    assert at_tag(shown, min_gq=40) is None
    assert at_tag(shown, min_dp=10) is None
    filtered = record(markers()[TAG], "0/1", filters=("LowQual",))
    assert at_tag(filtered, keep_filtered=True) == 1


def test_records_that_contradict_each_other_are_unknown():
    marker = markers()[TAG]
    assert at_tag(record(marker, "0/1"), record(marker, "0/0")) is None
    assert at_tag(record(marker, "0/1"), record(marker, "0/1")) == 1


def on_minus(marker: Marker, cell: str) -> SiteRecord:
    """Return a record on the reverse strand."""
    return record(marker, cell, ref=COMPLEMENT[marker.ref], alt=COMPLEMENT[marker.alt])


def test_the_reverse_strand_is_turned_round_altogether():
    cells = ("0/0", "0/1", "1/1")
    records = [on_minus(marker, cells[n % 3]) for n, marker in enumerate(markers())]
    assert genotypes(records) == tuple(n % 3 for n in range(len(markers())))


def test_one_record_on_the_plus_strand_keeps_all_others_from_being_turned_round():
    records = [on_minus(marker, "0/1") for marker in markers()[1:]]
    found = genotypes([record(markers()[0], "0/1"), *records])
    assert found[0] == 1
    assert set(found[1:]) == {None}


def test_each_sample_has_its_own_genotypes():
    records = [record(marker, "0/0", "1/1", "0/1", "0/1") for marker in markers()[:5]]
    reader = MarkerReader(records, ("19",), "GRCh37", ReadContext(contig="19"), ERROR)
    assert [reader.genotypes(column)[:5] for column in range(4)] == [(0,) * 5, (2,) * 5, (1,) * 5, (1,) * 5]


def test_another_chromosome_is_no_neighbour():
    shown = record(markers()[TAG], "0/1")
    other = SiteRecord(
        **{name: getattr(shown, name) for name in SiteRecord.__struct_fields__} | {"contig": "18"}
    )
    assert at_tag(other) is None
