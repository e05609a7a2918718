"""Known results beside called ones: verdicts, exchanges of people and plates, and shared pages."""

from __future__ import annotations

import csv
import itertools
import json
import random

import pytest
from vcf_builder import site, write_vcf

from cohort.conftest import GENOTYPES, records
from pgx.calling import diplotype_names, populations
from pgx.cohort import CohortOptions, PageOptions, plan_inputs, run_cohort
from pgx.cohort.known import exposed_share, meant_by
from pgx.options import Options

LETTERS = {diplotype: pair for pair, diplotype in GENOTYPES.items()}


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def cohort(tmp_path, people, **page):
    """Run a cohort of (name, file's diplotype, known result, plate), and return its folder and outcome."""
    lines = ["path\tsample\tknown_apoe\tknown_method\tplate"]
    for name, diplotype, known, plate in people:
        write_vcf(tmp_path / f"{name}.vcf", records=records(*LETTERS[diplotype]), samples=[name])
        lines.append(f"{name}.vcf\t{name}\t{known}\tTaqMan\t{plate}")
    (tmp_path / "m.tsv").write_text("\n".join(lines) + "\n")
    plan = plan_inputs([], tmp_path / "m.tsv", Options())
    options = CohortOptions(jobs=1, page=PageOptions(**page))
    return tmp_path / "out", run_cohort(plan, tmp_path / "out", options)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("e3/e4", {"e3/e4"}),
        (" E4/E3 ", {"e3/e4"}),
        ("\u03b52/\u03b53", {"e2/e3"}),
        ("34", {"e3/e4"}),
        ("3|3", {"e3/e3"}),
        ("APOE3/4", {"e3/e4"}),
        ("APOE \u03b53/\u03b54", {"e3/e4"}),
        ("apoe-e4/apoe-e4", None),
        ("1", {"e1/e4", "e2/e4", "e3/e4"}),
        ("2", {"e4/e4"}),
        ("e3", None),
        ("3", None),
        ("e3/e5", None),
        ("carrier", None),
        ("-1", None),
    ],
)
def test_what_a_known_result_allows(text, names):
    meant = meant_by(text)
    assert (None if meant is None else {diplotype_names()[place] for place in meant}) == names


def test_no_copies_of_e4_allows_all_others():
    assert {diplotype_names()[place] for place in meant_by("0")} == {
        name for name in diplotype_names() if "e4" not in name
    }


def test_a_pair_whose_results_changed_places_is_found(tmp_path):
    people = [
        ("A", "e3/e3", "e3/e3", ""),
        ("B", "e3/e4", "e2/e3", ""),
        ("C", "e2/e3", "1", ""),
        ("D", "e4/e4", "e4/e4", ""),
        ("E", "e3/e3", "soon", ""),
        ("F", "e3/e3", "NA", ""),
        ("G", "e3/e3", "unknown", ""),
    ]
    folder, outcome = cohort(tmp_path, people)
    assert {row["sample"]: row["verdict"] for row in rows_of(folder / "known.tsv")} == {
        "A": "agrees",
        "B": "differs",
        "C": "differs",
        "D": "agrees",
        "E": "not-understood",
    }
    (pair,) = rows_of(folder / "swaps.tsv")
    assert (pair["kind"], pair["first"], pair["second"], pair["alternatives"]) == ("pair", "B", "C", "0")
    assert {"known", "known_unread"} <= set(outcome.alarms)
    known = json.loads((folder / "summary.json").read_text())["known"]
    assert (known["compared"], known["differs"], known["not_understood"]) == (4, 2, 1)
    called = {row["sample"]: row["diplotype"] for row in rows_of(folder / "samples.tsv")}
    assert called == {name: diplotype for name, diplotype, *_ in people}


def test_names_of_people_are_no_markup_and_no_formulas(tmp_path):
    people = [("=A<b>", "e3/e4", "e2/e3", ""), ("B\x1b[1m", "e2/e3", "e3/e4", "")]
    folder, _ = cohort(tmp_path, people)
    page = (folder / "index.html").read_text()
    assert "<b>" not in page
    assert "\x1b" not in page + (folder / "swaps.tsv").read_text() + (folder / "summary.json").read_text()
    (row,) = rows_of(folder / "swaps.tsv")
    assert row["first"] == "'=A<b>"


def test_one_who_differs_alone_is_in_no_exchange(tmp_path):
    folder, _ = cohort(tmp_path, [("A", "e3/e3", "e3/e4", ""), ("B", "e3/e4", "e3/e4", "")])
    assert rows_of(folder / "swaps.tsv") == []


@pytest.mark.parametrize("order", [1, -1])
def test_a_result_that_fits_another_is_no_exchange_unless_both_fit(tmp_path, order):
    people = [("A", "e3/e3", "e3/e4", ""), ("B", "e3/e4", "e4/e4", "")]
    folder, _ = cohort(tmp_path, people[::order])
    assert [row["verdict"] for row in rows_of(folder / "known.tsv")] == ["differs", "differs"]
    assert rows_of(folder / "swaps.tsv") == []


@pytest.mark.parametrize("kind", ["exchanged", "reversed", "shifted by one"])
def test_a_plate_is_found(tmp_path, kind):
    chance = random.Random(4)  # noqa: S311 - a made cohort
    names = list(LETTERS)
    truth = {plate: [chance.choice(names) for _ in range(12)] for plate in "PQR"}
    known = dict(truth)
    if kind == "exchanged":
        known["P"], known["Q"] = truth["Q"], truth["P"]
    elif kind == "reversed":
        known["P"] = truth["P"][::-1]
    else:
        known["P"] = [*truth["P"][1:], truth["P"][0]]
    people = [
        (f"{plate}{number}", truth[plate][number], known[plate][number], plate)
        for plate, number in itertools.product("PQR", range(12))
    ]
    folder, _ = cohort(tmp_path, people)
    found = rows_of(folder / "swaps.tsv")
    groups = [(row["kind"], row["first"], row["second"]) for row in found if row["kind"] != "pair"]
    assert groups == [(kind, "plate = P", "plate = Q" if kind == "exchanged" else "")]


@pytest.mark.parametrize("kind", ["reversed", "shifted by one", "rotated by 5"])
def test_a_plate_is_found_where_every_third_result_is_unknown(tmp_path, kind):
    """All of the plate keep their places, also who has no known result, or one that nobody understands."""
    chance = random.Random(7)  # noqa: S311 - a made cohort
    truth = [chance.choice(list(LETTERS)) for _ in range(30)]
    by = {"reversed": None, "shifted by one": 1, "rotated by 5": 5}[kind]
    known = truth[::-1] if by is None else truth[by:] + truth[:by]
    people = [(f"P{n:02}", truth[n], ("", "soon")[n % 2] if n % 3 == 0 else known[n], "P") for n in range(30)]
    folder, _ = cohort(tmp_path, [*people, ("Q", "e3/e3", "e3/e3", "Q")])
    (found,) = (row for row in rows_of(folder / "swaps.tsv") if row["kind"] != "pair")
    assert (found["by"], found["first"], found["after"]) == ("known_apoe", "plate = P", "0")
    assert found["kind"] == ("rotated by -5" if by == 5 else kind)
    assert len(rows_of(folder / "known.tsv")) == 26, "of others nothing is known"


def test_a_plate_is_found_among_many_with_an_error_each(tmp_path):
    """Forty plates in one file; in each one result is wrong, and one plate is shifted."""
    chance = random.Random(3)  # noqa: S311 - a made cohort
    names = [name for name in LETTERS if name != "e2/e4"]
    truth = [[chance.choice(names) for _ in range(12)] for _ in range(40)]
    known = [own[:] for own in truth]
    for own in known:
        own[0] = names[(names.index(own[0]) + 1) % len(names)]
    known[7] = [*truth[7][1:], truth[7][0]]
    lines = ["path\tsample\tplate\tknown_apoe"]
    lines += [f"all.vcf\tS{n}\tp{n // 12}\t{result}" for n, result in enumerate(itertools.chain(*known))]
    pairs = [LETTERS[name] for name in itertools.chain(*truth)]
    rows = [
        site(rsid, gt=[f"{pair[place]}:99" for pair in pairs], format="GT:GQ")
        for place, rsid in enumerate(("rs429358", "rs7412"))
    ]
    write_vcf(tmp_path / "all.vcf", samples=[f"S{n}" for n in range(480)], records=rows, neighbours=False)
    (tmp_path / "m.tsv").write_text("\n".join(lines) + "\n")
    run_cohort(plan_inputs([], tmp_path / "m.tsv", Options()), tmp_path / "out", CohortOptions(jobs=1))
    found = [row for row in rows_of(tmp_path / "out" / "swaps.tsv") if row["kind"] != "pair"]
    assert [(row["kind"], row["first"]) for row in found] == [("shifted by one", "plate = p7")]


def test_a_plate_of_people_typed_alike_is_blamed_for_nothing(tmp_path):
    people = [(f"P{number}", "e3/e3", "e3/e3" if number else "e3/e4", "P") for number in range(8)]
    folder, _ = cohort(tmp_path, people)
    assert rows_of(folder / "swaps.tsv") == []


def test_data_that_say_nothing_contradict_nothing(tmp_path):
    write_vcf(tmp_path / "a.vcf", records=[], samples=["A"])
    (tmp_path / "m.tsv").write_text("path\tknown_apoe\na.vcf\te1/e1\n")
    plan = plan_inputs([], tmp_path / "m.tsv", Options())
    outcome = run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1))
    assert [row["verdict"] for row in rows_of(tmp_path / "out" / "known.tsv")] == ["open"]
    assert "known" not in outcome.alarms


def test_a_page_for_sharing_tells_nothing_of_it(tmp_path):
    people = [("A", "e3/e4", "e2/e3", ""), ("B", "e2/e3", "e3/e4", "")]
    folder, outcome = cohort(tmp_path, people, min_cell=5)
    assert "known" not in json.loads((folder / "summary.json").read_text())
    assert not {"known", "known_unread"} & set(outcome.alarms)
    assert "known.tsv" not in (folder / "index.html").read_text()


def many_people(tmp_path):
    """Write a manifest of sixty people in families, with known results, of one file."""
    names = [f"P{number}" for number in range(60)]
    pairs = [LETTERS["e3/e4" if number % 3 == 0 else "e3/e3"] for number in range(60)]
    rows = [
        site(rsid, gt=[f"{pair[place]}:99" for pair in pairs], format="GT:GQ")
        for place, rsid in enumerate(("rs429358", "rs7412"))
    ]
    path = write_vcf(tmp_path / "many.vcf", samples=names, records=rows, neighbours=False)
    lines = ["path\tsample\tsite\tknown_apoe\tknown_method\tfamily\tfather\tmother"]
    for number, name in enumerate(names):
        known = "e3/e4" if number % 2 else "e3/e3"
        method = "TaqMan" if number % 5 else "chip"
        father = f"P{number % 3}" if number > 2 else ""
        lines.append(f"{path}\t{name}\t{'AB'[number % 2]}\t{known}\t{method}\tF{number % 3}\t{father}\t")
    (tmp_path / "m.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path / "m.tsv"


def test_no_division_of_a_page_for_sharing_gives_known_results_or_kin_away(tmp_path, run_pgx):
    manifest, out = many_people(tmp_path), tmp_path / "out"
    assert run_pgx("cohort", "--manifest", manifest, "-o", out, "--min-cell", "5").exit_code == 0
    page, summary = (out / "index.html").read_text(), json.loads((out / "summary.json").read_text())
    assert "By site" in page, "there must be people enough to divide by a column"
    assert [item["column"] for item in summary["strata"]] == ["site"]
    for word in ("known_apoe", "known_method", "By family", "father", "TaqMan"):
        assert word not in page
        assert word not in json.dumps(summary)
    for column in ("known_apoe", "known_method", "family", "father", "mother"):
        refused = run_pgx("cohort", "--manifest", manifest, "-o", out, "--min-cell", "5", "--by", column)
        assert refused.exit_code == 2
        assert "neither known results nor kin" in refused.stderr
        plan = plan_inputs([], manifest, Options())
        run_cohort(plan, out, CohortOptions(jobs=1, page=PageOptions(by=(column,), min_cell=5)))
        assert json.loads((out / "summary.json").read_text())["strata"] == []
    assert run_pgx("cohort", "--manifest", manifest, "-o", out, "--by", "known_apoe").exit_code == 0
    assert "By known_apoe" in (out / "index.html").read_text()


def test_files_of_an_earlier_run_go(tmp_path):
    folder, _ = cohort(tmp_path, [("A", "e3/e4", "e3/e4", "")])
    assert (folder / "known.tsv").is_file()
    run_cohort(plan_inputs([str(tmp_path / "A.vcf")], None, Options()), folder, CohortOptions(jobs=1))
    assert not (folder / "known.tsv").exists()
    assert not (folder / "swaps.tsv").exists()


def test_apoe_shows_little_more_than_half_of_exchanges():
    for population in populations():
        shares = [population.frequencies()[name] for name in ("e1", "e2", "e3", "e4")]
        pairs = [one * other for one in shares for other in shares]
        same = sum(pairs[i] * (pairs[i] if i // 4 == i % 4 else 2 * pairs[i]) for i in range(16))
        assert exposed_share(population.name) == pytest.approx(1 - same)
