"""The tables of the panel: what they must hold, and what happens where a row is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgx import reference
from pgx.errors import ReferenceDataError
from pgx.genome import definitions
from pgx.neighbours import panel as tables
from pgx.neighbours.panel import MARKERS, centre, markers, panel, settings


def test_the_markers_follow_the_rule():
    rule = settings().rule
    found = markers()
    places = [marker.positions["GRCh37"] for marker in found]
    assert len(found) == rule.markers == 80
    assert places == sorted(set(places))
    assert all(abs(place - centre("GRCh37")) <= rule.window for place in places)
    assert all({marker.ref, marker.alt} not in ({"A", "T"}, {"C", "G"}) for marker in found)
    assert all(len(marker.ref) == len(marker.alt) == 1 and marker.ref != marker.alt for marker in found)


def test_no_marker_is_a_site():
    sites = {site.rsid for site in definitions()}
    assert not sites & {marker.rsid for marker in markers()}


@pytest.mark.parametrize("assembly", ["GRCh38", "NCBI36"])
def test_the_assemblies_differ_by_one_distance(assembly: str):
    site = definitions()[0].positions
    distances = {marker.positions[assembly] - marker.positions["GRCh37"] for marker in markers()}
    assert distances == {site[assembly] - site["GRCh37"]}


def test_a_well_known_neighbour_stands_where_dbsnp_has_it():
    known = {marker.rsid: marker for marker in markers()}
    tag = known["rs769449"]
    assert (tag.ref, tag.alt, tag.positions["GRCh37"], tag.positions["GRCh38"]) == (
        "G",
        "A",
        45410002,
        44906745,
    )


def test_no_class_shows_a_single_person():
    found = panel()
    assert len(set(found.alleles)) == len(found.alleles) == len(found.counts)
    assert min(sum(row) for row in found.counts) >= settings().rule.min_copies == 2
    assert all(len(digits) == len(found.markers) for digits in found.alleles)


def test_the_classes_tell_the_haplotypes_apart():
    """Nearly all copies stand in classes that carry one APOE haplotype: else nothing could be estimated."""
    pure = sum(max(row) for row in panel().counts)
    assert pure > 0.97 * sum(map(sum, panel().counts))


def test_the_licence_of_the_source_goes_with_the_panel():
    text = (reference.root() / "neighbours.LICENSE").read_text("utf-8")
    assert text.startswith("MIT License")
    assert "neighbours.LICENSE" in settings().licence


@pytest.mark.parametrize(
    ("row", "damage"),
    [("rs769449\tG", "rs769449"), ("rs769449\tG\tA\tx\t1\t2", "rs769449")],
)
def test_a_broken_marker_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, damage: str):
    (tmp_path / MARKERS).write_text(f"rsid\tref\talt\tGRCh37\tGRCh38\tNCBI36\n{row}\n", "utf-8")
    monkeypatch.setattr(tables, "root", lambda: tmp_path)
    with pytest.raises(ReferenceDataError, match=damage):
        tables.markers.__wrapped__()


@pytest.mark.parametrize("digits", ["01", "2" * 80, "0" * 81])
def test_a_broken_class_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: str):
    (tmp_path / tables.CLASSES).write_text(f"e1\te2\te3\te4\talleles\n0\t7\t0\t2\t{digits}\n", "utf-8")
    monkeypatch.setattr(tables, "root", lambda: tmp_path)
    with pytest.raises(ReferenceDataError, match="begins with '0'"):
        tables.panel.__wrapped__()
