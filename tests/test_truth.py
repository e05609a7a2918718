"""Every row of tests/truth/ gives what a curator says it must, and nothing that can happen lacks a row."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from truth_tables import ALL_PAIRS, ALL_PHASED, Case, all_cases, expected, letters_pair, load, outcome, tables

from pgx.observe import SiteState
from pgx.report import severities

CASES = list(all_cases())
#: Set by what the user says of the person or by the file system, not by what stands in a file.
NOT_OF_A_FILE = {"minor", "stale-index"}
#: Flags of inputs that are no VCF, or of what is asked for beside one, and the tests of each.
ELSEWHERE = {
    "reads": {"no-reads", "reads-disagree", "contamination", "damage", "stated-genotype"},
    "consumer": {"consumer-array"},
    "neighbours": {"neighbours-estimate", "neighbours-disagree"},
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.table.removesuffix('.tsv')}:{case.case}")
def test_row(case: Case, tmp_path):
    wanted = expected(case)
    packings = (False, True) if case.can_be_indexed else (False,)
    for assembly, indexed in itertools.product(case.assemblies, packings):
        found = outcome(case, tmp_path, assembly=assembly, indexed=indexed)
        where = f"{case.case} ({case.about}) on {assembly}, {'indexed' if indexed else 'plain'}"
        if case.error != "-":
            assert case.error in found.get("error", ""), f"{where}: {found}"
        else:
            assert {key: found.get(key) for key in wanted} == wanted, f"{where}: {found}"


def test_case_names_are_unique_in_a_table():
    for name in tables():
        names = [case.case for case in load(name)]
        assert len(set(names)) == len(names), name


def test_every_flag_has_a_row():
    shown = frozenset().union(*(case.flag_codes for case in CASES))
    assert shown <= set(severities())
    assert set(severities()) - NOT_OF_A_FILE - shown == set().union(*ELSEWHERE.values())
    for folder, codes in ELSEWHERE.items():
        tests = "".join(path.read_text() for path in (Path(__file__).parent / folder).glob("test_*.py"))
        assert not [code for code in codes if f'"{code}"' not in tests]


def test_every_site_state_has_a_row():
    shown = {cell.partition(":")[0] for case in CASES for cell in (case.rs429358_is, case.rs7412_is)}
    assert shown - {"-"} == {state.value for state in SiteState} - {"no-reads"}  # of reads, not of a VCF


@pytest.mark.parametrize("prefix", ["gq-", "pl-", "gt-"])
def test_each_of_the_nine_unphased_pairs_has_a_row(prefix):
    rows = [case for case in load("unphased.tsv") if case.case.startswith(prefix)]
    assert {(letters_pair(case.rs429358_is), letters_pair(case.rs7412_is)) for case in rows} == ALL_PAIRS


@pytest.mark.parametrize("prefix", ["plain-", "ps-", "pq-"])
def test_each_of_the_sixteen_phased_pairs_has_a_row(prefix):
    rows = [case for case in load("phased.tsv") if case.case.startswith(prefix)]
    pairs = {
        (case.rs429358_is.removeprefix("called:"), case.rs7412_is.removeprefix("called:")) for case in rows
    }
    assert pairs == ALL_PHASED


def test_every_peer_mistake_and_case_has_a_row():
    names = {case.case for case in load("peers.tsv")}
    assert {f"m{number:02}" for number in range(1, 28)} <= {name[:3] for name in names}
    assert {f"c{number:02}" for number in range(1, 31)} <= names


def test_an_unknown_column_is_an_error(tmp_path, monkeypatch):
    text = "case\tabout\tlayout\tcolour\n"
    (tmp_path / "odd.tsv").write_text(text)
    monkeypatch.setattr("truth_tables.FOLDER", tmp_path)
    with pytest.raises(ValueError, match="columns"):
        load("odd.tsv")
