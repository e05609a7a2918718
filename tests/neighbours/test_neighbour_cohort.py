"""Neighbours in a cohort: columns, both roads, stored reports, and alarms that tell a person from a plate."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from made_up import people
from test_neighbour_reports import samples, site_copies, vcf, written

from pgx.cohort import plan_inputs, run_cohort, swaps
from pgx.options import CohortOptions, Options, PageOptions

COLUMNS = ("neighbours_diplotype", "neighbours_probability", "neighbours_markers", "neighbours_agree")


@pytest.fixture(scope="module")
def crowd():
    return people(30, seed=21)


def rows(folder: Path) -> list[dict[str, str]]:
    """Return the rows of samples.tsv: none of the thirty people may be lost, whatever their cells hold."""
    with (folder / "samples.tsv").open(newline="", encoding="utf-8") as handle:
        found = list(csv.DictReader(handle, delimiter="\t"))
    assert [row["sample"] for row in found] == [f"P{number}" for number in range(30)]
    return found


def alarms(folder: Path) -> dict[str, str]:
    """Return the alarms about neighbours."""
    found = json.loads((folder / "summary.json").read_text("utf-8"))["alarms"]
    return {item["code"]: item["message"] for item in found if item["code"].startswith("neighbours")}


def run(path: Path, folder: Path, mode: str, arrays_from: int | None = None) -> Path:
    plan = plan_inputs([str(path)], None, Options(neighbours=mode))
    run_cohort(plan, folder, CohortOptions(jobs=1, arrays_from=arrays_from))
    return folder


def test_off_unless_asked_for(run_pgx, tmp_path, crowd):
    path = written(tmp_path / "a.vcf", vcf(crowd))
    assert run_pgx("cohort", path, "-o", tmp_path / "off", "--jobs", "1").exit_code == 0
    assert all(row[name] == "" for row in rows(tmp_path / "off") for name in COLUMNS)
    asked = run_pgx("cohort", path, "-o", tmp_path / "on", "--jobs", "1", "--neighbours", "auto")
    assert asked.exit_code == 0
    assert all(row["neighbours_markers"] == "80" for row in rows(tmp_path / "on"))


def test_the_columns_are_those_of_the_report(run_pgx, tmp_path, crowd):
    path = written(tmp_path / "a.vcf", vcf(crowd, sites=[site_copies(person) for person in crowd]))
    found = rows(run(path, tmp_path / "out", "always"))
    for row, sample in zip(found, samples(run_pgx, path, "--neighbours", "always"), strict=True):
        around = sample["neighbours"]
        assert row["neighbours_markers"] == "80"
        assert ("neighbours-disagree" in row["flags"].split(";")) == (around["agrees"] is False)
        if around["unlike_panel"]:
            assert {row[name] for name in COLUMNS if name != "neighbours_markers"} == {""}
            continue
        assert row["neighbours_diplotype"] == around["diplotype"]
        chance = around["diplotype_probability"]
        assert float(row["neighbours_probability"]) == pytest.approx(chance, rel=1e-9)
        assert row["neighbours_agree"] == ("yes" if around["agrees"] else "no")


@pytest.mark.parametrize("mode", ["auto", "always"])
def test_arrays_give_what_single_samples_give(run_pgx, tmp_path, crowd, mode: str):
    """Thirty people, every third of whom lacks both sites: tables are the same, and so are stored reports."""
    shown = [site_copies(person) for person in crowd]
    text = vcf(crowd, sites=shown[1:] + shown[:1])
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith(("chr19\t44908684\t", "chr19\t44908822\t")):
            cells = line.split("\t")
            lines[number] = "\t".join(
                [*cells[:9], *("./.:." if n % 3 == 0 else cell for n, cell in enumerate(cells[9:]))]
            )
    path = written(tmp_path / "a.vcf", "\n".join(lines) + "\n")
    one = run(path, tmp_path / "one", mode, arrays_from=1000)
    many = run(path, tmp_path / "many", mode, arrays_from=1)
    assert (one / "samples.tsv").read_bytes() == (many / "samples.tsv").read_bytes()
    assert any(row["neighbours_diplotype"] for row in rows(one))
    for name in ("P0", "P1"):
        single, block = (
            json.loads(run_pgx("report", folder, "--sample", name, "-f", "json").stdout)["samples"][0]
            for folder in (one, many)
        )
        assert single == block
        assert single["neighbours"] is not None or mode == "auto"


def test_an_alarm_tells_a_person_from_a_plate_and_from_a_strand(tmp_path, crowd):
    shown = [site_copies(person) for person in crowd]
    right = written(tmp_path / "right.vcf", vcf(crowd, sites=shown))
    assert alarms(run(right, tmp_path / "right", "always")) == {}
    other = next(n for n, copies in enumerate(shown) if copies != shown[0])
    swapped = [*shown]
    swapped[0], swapped[other] = shown[other], shown[0]
    two = written(tmp_path / "two.vcf", vcf(crowd, sites=swapped))
    assert list(alarms(run(two, tmp_path / "two", "always"))) == ["neighbours_people"]
    plate = written(tmp_path / "plate.vcf", vcf(crowd, sites=shown[1:] + shown[:1]))
    assert list(alarms(run(plate, tmp_path / "plate", "always"))) == ["neighbours_plate"]
    flipped = written(tmp_path / "flip.vcf", vcf(crowd, sites=[(2 - a, 2 - b) for a, b in shown]))
    assert list(alarms(run(flipped, tmp_path / "flip", "always"))) == ["neighbours_strand"]


PLATES = people(72, seed=31)


def plates(tmp_path, move, *, known=False, **options):
    """Run three plates of 24 people, a file each, after `move` has changed the order of the site genotypes.

    With `known` these are results of a letter, and the files lack the sites.
    """
    shown = [PLATES[place] for place in move(list(range(72)))]
    lines = ["path\tsample\tplate" + "\tknown_apoe" * known]
    for number in range(3):
        own = slice(24 * number, 24 * number + 24)
        sites = None if known else [site_copies(person) for person in shown[own]]
        path = written(tmp_path / f"{number}.vcf", vcf(PLATES[own], sites=sites))
        for place, person in enumerate(shown[own]):
            lines.append(f"{path}\tP{place}\tp{number}" + f"\t{person.diplotype}" * known)
    (tmp_path / "m.tsv").write_text("\n".join(lines) + "\n")
    plan = plan_inputs([], tmp_path / "m.tsv", Options(neighbours="always"))
    outcome = run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1, **options))
    return tmp_path / "out", outcome


def exchanges(folder: Path) -> list[dict[str, str]]:
    with (folder / "swaps.tsv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def two_people(order):
    """Exchange the first person of the first plate with one who has another diplotype, of the second."""
    other = next(n for n in range(24, 48) if site_copies(PLATES[n]) != site_copies(PLATES[order[0]]))
    order[0], order[other] = order[other], order[0]
    return order


MOVES = {
    "exchanged": (lambda order: order[24:48] + order[:24] + order[48:], "plate = p0", "plate = p1"),
    "reversed": (lambda order: order[:24][::-1] + order[24:], "plate = p0", ""),
    "shifted by one": (lambda order: [*order[:24], order[47], *order[24:47], *order[48:]], "plate = p1", ""),
    "rotated by 8": (lambda order: order[:48] + order[64:] + order[48:64], "plate = p2", ""),
}


@pytest.mark.parametrize("known", [False, True], ids=["by neighbours", "by known results"])
@pytest.mark.parametrize("kind", MOVES)
def test_a_plate_that_changed_places_is_found(tmp_path, kind, known):
    move, first, second = MOVES[kind]
    folder, _ = plates(tmp_path, move, known=known)
    found = [row for row in exchanges(folder) if row["kind"] != "pair"]
    assert [(row["kind"], row["first"], row["second"]) for row in found] == [(kind, first, second)]
    assert found[0]["by"] == ("known_apoe" if known else "neighbours")
    assert int(found[0]["before"]) > 5 * int(found[0]["after"])


@pytest.mark.parametrize("known", [False, True], ids=["by neighbours", "by known results"])
def test_two_people_who_changed_places_are_found(tmp_path, known):
    folder, outcome = plates(tmp_path, two_people, known=known)
    pairs = exchanges(folder)
    assert [row["kind"] for row in pairs] == ["pair"]
    assert pairs[0]["first"] == "P0"
    page = (folder / "index.html").read_text()
    assert f"<td>P0, {pairs[0]['second']}</td>" in page
    assert ("the data differ" in page) == known
    codes = set(outcome.alarms)
    assert ("known" in codes) == known
    assert ("neighbours_people" in codes) == (not known)
    message = next(iter(alarms(folder).values()), "")
    assert known or "would explain some: 1 (swaps.tsv)" in message
    if known:
        with (folder / "known.tsv").open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
        assert {row["by"] for row in rows if row["verdict"] != "open"} == {"neighbours"}
        assert {row["diplotype"] for row in rows} == {""}, "an estimate is no call"
        assert [row["verdict"] for row in rows].count("differs") == 2


@pytest.mark.parametrize("arrays_from", [1, 1000])
def test_who_is_in_place_is_in_no_exchange(tmp_path, arrays_from):
    folder, outcome = plates(tmp_path, lambda order: order, arrays_from=arrays_from)
    assert not (folder / "swaps.tsv").exists()
    assert not {code for code in outcome.alarms if code.startswith("neighbours")}


def test_a_shared_page_tells_nothing_of_exchanges(tmp_path):
    folder, _ = plates(tmp_path, two_people, page=PageOptions(min_cell=5))
    assert exchanges(folder), "for those who may see it"
    summary, page = json.loads((folder / "summary.json").read_text()), (folder / "index.html").read_text()
    assert not {"neighbour_exchanges", "exchanges", "known"} & set(summary)
    assert not any(word in page for word in ("swaps.tsv", "Known results", "P0"))


def test_whom_neighbours_contradict_and_nobody_called_is_no_exchange():
    rows = {
        "sample": ["A"], "input": ["a.vcf"], "rs429358": ["T/C"], "rs7412": ["C/T"], "diplotype": [None],
        "neighbours_agree": ["no"], "neighbours_diplotype": ["e3/e3"], "neighbours_probability": [0.999],
    }  # fmt: skip
    assert swaps.exchanges(swaps.stated_by_neighbours(rows, 0.99)) == []
