"""`pgx verify` of files with neighbours: who can be one person, by sites and neighbours together."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from made_up import people
from test_neighbour_reports import NAMES, site_copies, vcf, written

from pgx.calling import diplotype_names
from pgx.neighbours import copying
from pgx.neighbours.estimate import neighbours_say
from pgx.options import Options
from pgx.verify import as_text, verify

CROWD = people(30, seed=11)
ALIKE = [person for person in CROWD if person.diplotype == "e3/e3"][:4]


def files(tmp_path, crowd, *, sites=True):
    """Write a file for each of these people."""
    found = []
    for number, person in enumerate(crowd):
        shown = [site_copies(person)] if sites else None
        found.append(str(written(tmp_path / f"{NAMES[number]}.vcf", vcf([person], sites=shown))))
    return found


def test_people_with_the_same_diplotype_are_told_apart(tmp_path):
    found = verify(files(tmp_path, ALIKE), Options())
    assert len({source.diplotype for source in found.sources}) == 1
    assert [source.markers for source in found.sources] == [80] * 4
    assert all(pair.is_apart and pair.markers == 80 for pair in found.pairs)
    assert found.joint is None
    text = " ".join(as_text(found).split())
    assert "compared, too: 80" in text
    assert "siblings" in text
    assert "e+" not in text, "no more digits than the model has"


def test_one_person_in_two_files_stays_one(tmp_path):
    (path,) = files(tmp_path, ALIKE[:1])
    again = tmp_path / "again.vcf"  # other bytes: a copy would count once
    again.write_text(Path(path).read_text("utf-8").replace("#CHROM", "##run=2\n#CHROM"), "utf-8")
    with_neighbours = verify([path, str(again)], Options())
    without = verify([path, str(again)], Options(neighbours="off"))
    assert with_neighbours.pairs[0].same_ratio > 10 * without.pairs[0].same_ratio
    assert without.pairs[0].markers == without.sources[0].markers == 0
    assert with_neighbours.joint == without.joint, "the answer is that of the sites"


def test_the_ratio_is_that_of_the_model(tmp_path):
    one, other = ALIKE[:2]
    (pair,) = verify(files(tmp_path, [one, other]), Options()).pairs
    place = diplotype_names().index("e3/e3")
    by_copies = copying.misread()
    model = copying.shipped(tuple(range(80)))
    rows = [by_copies[list(person.copies)] for person in (one, other)]
    fits = [model.pairs(emissions)[1] for emissions in (*rows, rows[0] * rows[1])]
    log_ratio = fits[2] - fits[0] - fits[1]
    sure = [neighbours_say(person.copies).posterior[place] for person in (one, other)]
    joint = neighbours_say(one.copies, other.copies).posterior[place]
    expected = log_ratio + math.log(joint) - sum(map(math.log, sure))
    assert math.log(pair.same_ratio) == pytest.approx(expected, abs=0.5)


def test_a_file_without_the_sites_is_compared_by_its_neighbours(tmp_path):
    person = next(one for one in CROWD if one.diplotype == "e3/e4")
    (path,) = files(tmp_path, [person], sites=False)
    ratios = {}
    for letter in ("e3/e4", "e3/e3"):
        found = verify([path, letter], Options())
        assert found.sources[0].diplotype is None
        ratios[letter] = found.pairs[0].same_ratio
    assert ratios["e3/e4"] > 2
    assert ratios["e3/e3"] < 0.1


def test_what_is_unlike_the_panel_or_not_shared_is_not_compared(tmp_path):
    strange = [type(ALIKE[0])(copies=(1, 0) * 40, diplotype="e3/e3")]
    path, _ = files(tmp_path, [*strange, ALIKE[0]])
    assert verify([path, path], Options()).sources[0].markers == 0
    assert neighbours_say((1, 0) * 40).fit < -35
    found = verify(["e3/e3", "e3/e4", files(tmp_path, ALIKE[:1])[0]], Options())
    assert [pair.markers for pair in found.pairs] == [0, 0, 0]


def test_two_readings_are_one_reading_with_both_emissions():
    one, other = CROWD[:2]
    known = [None if number % 3 else copies for number, copies in enumerate(one.copies)]
    again = [None if number % 3 == 0 else copies for number, copies in enumerate(one.copies)]
    both = neighbours_say(tuple(known), tuple(again))
    assert both.fit == pytest.approx(neighbours_say(one.copies).fit, abs=1e-3)
    for first, second in itertools.permutations((one, other)):
        assert neighbours_say(first.copies, second.copies).fit < neighbours_say(first.copies).fit
