"""`pgx verify`: several sources of one person."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from vcf_builder import site, write_vcf

from pgx.calling import diplotype_names, diplotype_prior
from pgx.errors import InputError, SampleError, UsageError
from pgx.options import Options
from pgx.verify import as_text, verify

PL = {0: "0/0:0,90,900", 1: "0/1:450,0,450", 2: "1/1:900,90,0"}
WEAK = {0: "0/0:0,3,30", 1: "0/1:30,0,30", 2: "1/1:30,3,0"}


def vcf(tmp_path, name, first, second, table=PL, **more):
    records = [
        site("rs429358", gt=table[first], format="GT:PL"),
        site("rs7412", gt=table[second], format="GT:PL"),
    ]
    return str(write_vcf(tmp_path / name, records=records, neighbours=False, **more))


def test_two_that_agree_make_one_surer_answer(tmp_path):
    weak = [vcf(tmp_path, f"{n}.vcf", 1, 0, WEAK, samples=[n]) for n in "ab"]
    found = verify([*weak, "e3/e4"], Options())
    alone = found.sources[0]
    assert [each.kind for each in found.sources] == ["vcf", "vcf", "stated"]
    assert found.joint.diplotype == "e3/e4"
    assert found.joint.diplotype_probability > alone.diplotype_probability
    assert sum(found.joint.diplotype_posterior.values()) == pytest.approx(1)


def test_joint_and_pairs_are_bayes_rule(tmp_path):
    found = verify(
        [vcf(tmp_path, "a.vcf", 1, 0, WEAK), vcf(tmp_path, "b.vcf", 1, 1, WEAK)], Options(population="EUR")
    )
    prior = diplotype_prior("EUR")
    one, other = (each.likelihood for each in found.sources)
    same = sum(p * a * b for p, a, b in zip(prior, one, other, strict=True))
    apart = sum(p * a for p, a in zip(prior, one, strict=True)) * sum(
        p * b for p, b in zip(prior, other, strict=True)
    )
    (pair,) = found.pairs
    assert pair.same_ratio == pytest.approx(same / apart)
    assert pair.same_probability == pytest.approx(same / (same + apart))
    posterior = [p * a * b / same for p, a, b in zip(prior, one, other, strict=True)]
    assert found.joint.diplotype_posterior == pytest.approx(
        dict(zip(diplotype_names(), posterior, strict=True))
    )


def test_a_source_alone_is_the_call_of_annotate(tmp_path):
    from pgx.single import annotate

    path = vcf(tmp_path, "a.vcf", 1, 0)
    report = next(iter(annotate(path, Options()).samples))
    said = verify([path, "e3/e4"], Options()).sources[0]
    assert said.diplotype == report.genotype.diplotype
    weights = [p * value for p, value in zip(diplotype_prior("global"), said.likelihood, strict=True)]
    posterior = {name: weight / sum(weights) for name, weight in zip(diplotype_names(), weights, strict=True)}
    assert posterior == pytest.approx(report.genotype.diplotype_posterior, abs=0.002)


def test_what_contradicts_has_no_joint_answer(tmp_path):
    found = verify([vcf(tmp_path, "a.vcf", 0, 0), vcf(tmp_path, "b.vcf", 2, 0)], Options())
    assert found.joint is None
    assert found.pairs[0].same_probability < 0.01
    text = " ".join(as_text(found).split())
    assert "They contradict each other" in text
    assert "Together" not in text


def test_a_source_that_says_nothing_changes_nothing(tmp_path):
    path = vcf(tmp_path, "a.vcf", 1, 0)
    empty = str(write_vcf(tmp_path / "e.vcf", records=[]))
    found = verify([path, empty], Options(assembly="GRCh38"))
    assert found.pairs[0].same_ratio == pytest.approx(1)
    assert found.joint.diplotype == "e3/e4"
    assert found.sources[1].diplotype is None
    text = " ".join(as_text(found).split())
    assert "is not determined" in text.split("2.")[1].split("Can they")[0]
    assert "non-carrier" not in text.split("2.")[1].split("Can they")[0]


def test_no_bare_percentage_without_a_quality():
    found = verify(["e3/e4", "e3/e4"], Options())
    text = as_text(found)
    before_pairs = text.split("Can they")[0]
    assert "%" not in before_pairs
    assert "as sure as what was assumed" in " ".join(before_pairs.split())
    assert "%" not in text.split("Together")[1].split("The sources")[0]


def test_a_silent_source_makes_nothing_surer(tmp_path):
    empty = str(write_vcf(tmp_path / "e.vcf", records=[]))
    found = verify(["e3/e4", empty], Options(assembly="GRCh38"))
    text = " ".join(as_text(found).split())
    assert "1 and 2: nothing that both show could tell one person from two." in text
    assert "as sure as what was assumed" in text.split("Together")[1]
    assert "%" not in text


def test_files_of_several_people_need_a_name(tmp_path):
    records = [
        site("rs429358", gt=["0/1:99", "0/0:99"], format="GT:GQ"),
        site("rs7412", gt="0/0:99", format="GT:GQ"),
    ]
    path = str(write_vcf(tmp_path / "a.vcf", samples=["A", "B"], records=records))
    with pytest.raises(UsageError, match="several people"):
        verify([path, "e3/e4"], Options())
    with pytest.raises(SampleError, match="no sample 'C'"):
        verify([path, "e3/e4"], Options(samples=("C",)))
    found = verify([path, "e3/e4"], Options(samples=("A",)))
    assert [each.sample for each in found.sources] == ["A", "stated"]


def test_errors_are_one_line(tmp_path, run_pgx):
    with pytest.raises(InputError, match="no such file"):
        verify([str(tmp_path / "none.vcf"), "e3/e4"], Options())
    outcome = run_pgx("verify", "e3/e4")
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("error: pgx verify: needs two sources")


def test_the_command(tmp_path, run_pgx):
    path = vcf(tmp_path, "a.vcf", 1, 0)
    text = run_pgx("verify", path, "e3/e4")
    assert text.exit_code == 0
    assert all(len(line) <= 80 or path in line for line in text.stdout.splitlines())
    document = json.loads(run_pgx("verify", path, "e3/e4", "-f", "json").stdout)
    assert document["joint"]["diplotype"] == "e3/e4"
    out = tmp_path / "v.json"
    assert run_pgx("verify", path, "e3/e4", "-f", "json", "-o", out).exit_code == 0
    assert json.loads(out.read_text()) == document


def test_a_prior_alone_is_no_answer(tmp_path):
    nothing = [str(write_vcf(tmp_path / f"{name}.vcf", records=[])) for name in "ab"]
    found = verify(nothing, Options(assembly="GRCh38", min_probability=0.55))
    assert (found.joint.diplotype, found.joint.e4_status) == (None, "indeterminate")
    assert found.joint.diplotype_probability > 0.55


@pytest.mark.parametrize(("first", "status"), [("0/.", "indeterminate"), ("1/.", "carrier")])
def test_half_calls_show_a_carrier_and_no_number_of_copies(tmp_path, first, status):
    halves = []
    for name in "abcdef":
        records = [site("rs429358", gt=first), site("rs7412", gt="0/0")]
        halves.append(str(write_vcf(tmp_path / f"{name}.vcf", records=records, neighbours=False)))
    found = verify(halves, Options())
    assert (found.joint.diplotype, found.joint.e4_status) == (None, status)
    assert verify([*halves, "e3/e4"], Options()).joint.diplotype == "e3/e4"


def copies(tmp_path):
    """Return a file, and what else it may be called: its path, other ways to it, a copy of other age."""
    path = vcf(tmp_path, "a.vcf", 1, 0, WEAK)
    (tmp_path / "b.vcf").symlink_to(path)
    (tmp_path / "c.vcf").hardlink_to(path)
    shutil.copyfile(path, tmp_path / "d.vcf")
    os.utime(tmp_path / "d.vcf", (1, 1))
    return path, [path, f"{tmp_path}/./a.vcf", *(f"{tmp_path}/{name}.vcf" for name in "bcd")]


@pytest.mark.parametrize("which", range(5))
def test_a_file_that_is_given_twice_counts_once(tmp_path, which):
    path, others = copies(tmp_path)
    found = verify([path, others[which]], Options())
    assert [each.same_as for each in found.sources] == [None, 0]
    assert found.pairs == ()
    assert found.joint.diplotype_probability == pytest.approx(found.sources[0].diplotype_probability)
    told = as_text(found)
    assert " ".join(told.split()).count("the same file as 1, or a copy of it; it counts once") == 1
    assert "Can they be of one person?" not in told


def test_beside_others_a_copy_changes_nothing(tmp_path):
    path, others = copies(tmp_path)
    other = vcf(tmp_path, "z.vcf", 1, 1, WEAK)
    once, twice = verify([path, other], Options()), verify([path, other, others[-1]], Options())
    assert twice.joint == once.joint
    assert twice.pairs == once.pairs
    assert [each.same_as for each in twice.sources] == [None, None, 0]


def test_what_is_stated_twice_may_be_two_tests(tmp_path):
    found = verify(["e3/e4", "e3/e4"], Options())
    assert [each.same_as for each in found.sources] == [None, None]
    assert len(found.pairs) == 1


def test_a_copy_is_told_in_json(tmp_path, run_pgx):
    path, others = copies(tmp_path)
    done = run_pgx("verify", path, others[-1], "-f", "json")
    assert done.exit_code == 0
    assert [each["same_as"] for each in json.loads(done.stdout)["sources"]] == [None, 0]
