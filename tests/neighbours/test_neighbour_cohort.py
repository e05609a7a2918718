"""Neighbours in a cohort: columns, both roads, stored reports, and alarms that tell a person from a plate."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from made_up import people
from test_neighbour_reports import samples, site_copies, vcf, written

from pgx.cohort import plan_inputs, run_cohort
from pgx.options import CohortOptions, Options

COLUMNS = ("neighbours_diplotype", "neighbours_probability", "neighbours_markers", "neighbours_agree")


@pytest.fixture(scope="module")
def crowd():
    return people(30, seed=21)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "samples.tsv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


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
        assert row["neighbours_diplotype"] == around["diplotype"]
        assert float(row["neighbours_probability"]) == pytest.approx(
            around["diplotype_probability"], rel=1e-9
        )
        assert row["neighbours_markers"] == "80"
        assert row["neighbours_agree"] == ("yes" if around["agrees"] else "no")
        assert ("neighbours-disagree" in row["flags"].split(";")) == (not around["agrees"])


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
    flipped = written(tmp_path / "flip.vcf", vcf(crowd, sites=[(2 - a, b) for a, b in shown]))
    assert list(alarms(run(flipped, tmp_path / "flip", "always"))) == ["neighbours_strand"]
