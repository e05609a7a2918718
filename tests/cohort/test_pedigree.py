"""Families: contradictions, phase settled by parents, and what is told of them where."""

from __future__ import annotations

import csv
import itertools
import json
import subprocess
import sys

import pytest
from vcf_builder import write_vcf

from cohort.conftest import records
from pgx.calling import copies_at, diplotype_names, diplotype_prior
from pgx.cohort import CohortOptions, plan_inputs, run_cohort
from pgx.cohort.known import Person
from pgx.cohort.pedigree import Child, families, read_ped
from pgx.errors import UsageError
from pgx.options import Options

NAMES = diplotype_names()
CALLS = {"e3/e3": ("0/0", "0/0"), "e4/e4": ("1/1", "0/0"), "e2/e2": ("0/0", "1/1"), "both": ("0/1", "0/1")}


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return {row["sample"]: row for row in csv.DictReader(handle, delimiter="\t")}


def person(name, *allowed, prior=None):
    """Return a person whose data allow these diplotypes and no other."""
    prior = prior or (0.1,) * 10
    likelihood = tuple(float(each in allowed) for each in NAMES)
    total = sum(p * value for p, value in zip(prior, likelihood, strict=True))
    return Person(
        sample=name,
        input=name,
        cells={},
        diplotype=allowed[0] if len(allowed) == 1 else None,
        e4_status="",
        population="global",
        min_probability=0.99,
        prior=prior,
        likelihood=likelihood,
        posterior=tuple(p * value / total for p, value in zip(prior, likelihood, strict=True)),
    )


def test_every_trio_of_sure_diplotypes_follows_mendel():
    for father, mother, child in itertools.product(NAMES, repeat=3):
        one, other = father.split("/"), mother.split("/")
        possible = {"/".join(sorted(pair)) for pair in itertools.product(one, other)}
        trio = [person("F", father), person("M", mother), person("C", child)]
        found = families([Child(family="", sample="C", father="F", mother="M")], trio)
        verdict = "consistent" if child in possible else "contradiction"
        assert [item.verdict for item in found] == ["", "", verdict]
        assert (found[2].joint is None) == (child not in possible)


@pytest.mark.parametrize("role", ["father", "mother"])
def test_every_pair_of_parent_and_child_shares_a_haplotype(role):
    for parent, child in itertools.product(NAMES, repeat=2):
        line = Child(family="", sample="C", **({"father": "", "mother": ""} | {role: "P"}))
        found = families([line], [person("P", parent), person("C", child)])
        shared = set(parent.split("/")) & set(child.split("/"))
        assert found[-1].verdict == ("consistent" if shared else "contradiction")


def test_the_joint_posterior_is_that_of_summing_over_all_families():
    prior = tuple(weight / 55 for weight in range(1, 11))
    father = person("F", "e1/e3", "e2/e4", prior=prior)
    mother = person("M", "e3/e4", "e2/e3", prior=prior)
    child = person("C", "e1/e3", "e2/e4", "e3/e3", prior=prior)
    found = families([Child(family="", sample="C", father="F", mother="M")], [father, mother, child])
    sums = dict.fromkeys(NAMES, 0.0)
    for one, other in itertools.product(NAMES, repeat=2):
        weight = prior[NAMES.index(one)] * prior[NAMES.index(other)]
        weight *= father.likelihood[NAMES.index(one)] * mother.likelihood[NAMES.index(other)]
        for pair in itertools.product(one.split("/"), other.split("/")):
            name = "/".join(sorted(pair))
            sums[name] += weight / 4 * child.likelihood[NAMES.index(name)]
    total = sum(sums.values())
    assert found[2].joint == pytest.approx([value / total for value in sums.values()])


def test_who_of_several_is_looked_at_first():
    people = [person("F", "e3/e3"), person("M", "e3/e4"), person("A", "e3/e4"), person("B", "e2/e2")]
    lines = [Child(family="1", sample=name, father="F", mother="M") for name in "AB"]
    found = {item.person.sample: item for item in families(lines, people)}
    assert found["A"].verdict == "consistent"
    assert found["B"].explanation == ("B",)
    assert found["A"].joint is None  # nothing is concluded from a family that cannot be


def cohort(tmp_path, *arguments):
    people = {"F": "e4/e4", "M": "e2/e2", "C": "both", "D": "e3/e3"}
    for name, call in people.items():
        write_vcf(tmp_path / f"{name}.vcf", records=records(*CALLS[call]), samples=[name])
    (tmp_path / "f.ped").write_text("# made\n1 C F M 1 0\n1\tD\tF\tM\t2\t0\n1 F 0 0 1 0\n")
    files = [str(tmp_path / f"{name}.vcf") for name in people]
    command = [sys.executable, "-m", "pgx", "cohort", *files, "-o", str(tmp_path / "out")]
    subprocess.run([*command, "--ped", str(tmp_path / "f.ped"), *arguments], check=True, capture_output=True)
    return tmp_path / "out"


def test_a_pedigree_beside_calls_that_stay(tmp_path):
    folder = cohort(tmp_path)
    found = rows_of(folder / "families.tsv")
    assert {name: row["verdict"] for name, row in found.items()} == {
        "F": "",
        "M": "",
        "C": "consistent",
        "D": "contradiction",
    }
    assert found["D"]["note"] == "not consistent with being this person's child"
    assert "families" in {
        alarm["code"] for alarm in json.loads((folder / "summary.json").read_text())["alarms"]
    }
    assert rows_of(folder / "samples.tsv")["C"]["diplotype"] == found["C"]["diplotype"]


def test_a_child_that_both_pedigrees_name_counts_once(tmp_path):
    people = {"F": "e4/e4", "M": "e2/e2", "C": "both"}
    for name, call in people.items():
        write_vcf(tmp_path / f"{name}.vcf", records=records(*CALLS[call]), samples=[name])
    lines = ["path\tfamily\tfather\tmother", "F.vcf\t\t\t", "M.vcf\t\t\t", "C.vcf\t1\tF\tM"]
    (tmp_path / "m.tsv").write_text("\n".join(lines) + "\n")
    for pedigree in ([], [("1", "C", "F", "M")]):
        plan = plan_inputs([], tmp_path / "m.tsv", Options(), pedigree=pedigree)
        run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1))
        assert len((tmp_path / "out" / "families.tsv").read_text().splitlines()) == 4
    plan = plan_inputs([], tmp_path / "m.tsv", Options(), pedigree=pedigree)
    for number in (1, 2):
        options = CohortOptions(jobs=1, shard=(number, 2))
        assert run_cohort(plan, tmp_path / f"s{number}", options).alarms.count("families_unread") == 0


def test_parents_settle_the_phase(tmp_path):
    people = {"F": "e4/e4", "M": "e2/e2", "C": "both"}
    lines = ["path\tfamily\tfather\tmother"]
    for name, call in people.items():
        write_vcf(tmp_path / f"{name}.vcf", records=records(*CALLS[call]), samples=[name])
        lines.append(f"{name}.vcf\t1\t{'F' if name == 'C' else ''}\t{'M' if name == 'C' else ''}")
    (tmp_path / "m.tsv").write_text("\n".join(lines) + "\n")
    plan = plan_inputs([], tmp_path / "m.tsv", Options(min_probability=0.99999))
    run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1))
    child = rows_of(tmp_path / "out" / "families.tsv")["C"]
    assert (child["diplotype"], child["joint_diplotype"]) == ("", "e2/e4")


def settled(population):
    """Return the share of unphased e2/e4 children of whom unphased parents leave no e1/e3."""
    prior, looks = diplotype_prior(population), list(zip(copies_at(0), copies_at(1), strict=True))
    alike = {
        look: [name for name, other in zip(NAMES, looks, strict=True) if other == look] for look in looks
    }
    whole = alone = 0.0
    for father, mother in itertools.product(range(10), repeat=2):
        pairs = itertools.product(NAMES[father].split("/"), NAMES[mother].split("/"))
        weight = prior[father] * prior[mother] * sum(sorted(pair) == ["e2", "e4"] for pair in pairs) / 4
        family = [
            person("F", *alike[looks[father]]),
            person("M", *alike[looks[mother]]),
            person("C", "e1/e3", "e2/e4"),
        ]
        if weight:
            joint = families([Child(family="", sample="C", father="F", mother="M")], family)[2].joint
            whole += weight
            alone += weight * (joint[NAMES.index("e1/e3")] == 0)
    return alone / whole


@pytest.mark.parametrize(("population", "share"), [("global", 0.814), ("EUR", 0.820), ("AFR", 0.739)])
def test_parents_settle_four_of_five_without_any_prior(population, share):
    assert settled(population) == pytest.approx(share, abs=0.001)


def test_a_shared_page_tells_nothing_of_families(tmp_path):
    folder = cohort(tmp_path, "--min-cell", "5")
    summary = json.loads((folder / "summary.json").read_text())
    assert "families" not in summary
    assert "families" not in {alarm["code"] for alarm in summary["alarms"]}


def test_a_pedigree_of_strangers_says_so(tmp_path):
    folder = cohort(tmp_path)
    (tmp_path / "f.ped").write_text("1 c F M 1 0\n1 D f m 1 0\n")
    plan = plan_inputs([str(tmp_path / "C.vcf")], None, Options(), pedigree=[("1", "c", "F", "M")])
    outcome = run_cohort(plan, folder, CohortOptions(jobs=1))
    assert outcome.alarms == ("families_unread",)
    assert not (folder / "families.tsv").exists()


def test_nobody_is_their_own_parent(tmp_path):
    lines = ["path\tsample\tfather\tmother", "C.vcf\tC\tC\tM", "C.vcf\tC\tM\tM", "C.vcf\t\tC\tM"]
    for name in "CM":
        write_vcf(tmp_path / f"{name}.vcf", records=records(*CALLS["both"]), samples=[name])
    for line, notes in zip(lines[1:], (1, 1, 0), strict=True):
        (tmp_path / "m.tsv").write_text(f"{lines[0]}\n{line}\nM.vcf\tM\t\t\n")
        plan = plan_inputs([], tmp_path / "m.tsv", Options())
        outcome = run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1))
        assert (outcome.failed, outcome.samples) == (0, 2), "who the parents are changes no result"
        assert len(plan.notes) == notes
        assert all(": line 2 names a person as their own parent, or" in note for note in plan.notes)
        assert not (tmp_path / "out" / "families.tsv").exists()


@pytest.mark.parametrize("nobody", ["0", "NA", ".", "-", "-9", "Unknown", "?"])
def test_founders_of_a_manifest_name_nobody(tmp_path, nobody):
    lines = ["path\tsample\tfather\tmother", "C.vcf\tC\tF\tM"]
    lines += [f"{name}.vcf\t{name}\t{nobody}\t{nobody}" for name in "FM"]
    for name, call in zip("FMC", ("e4/e4", "e2/e2", "both"), strict=True):
        write_vcf(tmp_path / f"{name}.vcf", records=records(*CALLS[call]), samples=[name])
    (tmp_path / "m.tsv").write_text("\n".join(lines) + "\n")
    plan = plan_inputs([], tmp_path / "m.tsv", Options())
    outcome = run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1))
    assert (outcome.failed, outcome.samples) == (0, 3)
    assert len(rows_of(tmp_path / "out" / "families.tsv")) == 3
    families = json.loads((tmp_path / "out" / "summary.json").read_text())["families"]
    assert (families["stated"], families["children"]) == (1, 1)
    (tmp_path / "f.ped").write_text(f"1 C F M\n1 F {nobody} {nobody}\n")
    assert read_ped(tmp_path / "f.ped") == (Child(family="1", sample="C", father="F", mother="M"),)


@pytest.mark.parametrize("text", ["1 C F\n", "1 C F M 1 0\n2 C F M 1 0\n", "1 C C M 1 0\n", "1 C M M 1 0\n"])
def test_a_pedigree_that_cannot_be_used_is_refused(tmp_path, text):
    (tmp_path / "f.ped").write_text(text)
    with pytest.raises(UsageError, match="line"):
        read_ped(tmp_path / "f.ped")
