"""What is read, in which order, and how a fault is named: file, claim, key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evidence_builder import SOURCES, claim, source

from pgx import reference
from pgx.errors import ReferenceDataError, UsageError
from pgx.evidence import EvidenceBase, load

WriteEvidence = Callable[..., Path]


def test_the_shipped_base_is_kept(base: EvidenceBase) -> None:
    assert load() is base
    assert load([]) is base


def test_digests_are_those_of_the_files(base: EvidenceBase) -> None:
    names = [name for name, _ in base.digests]
    assert names == list(dict.fromkeys(names))
    wanted = {path.name for path in (reference.root() / "evidence").glob("*.toml")}
    assert {Path(name).name for name in names} >= wanted | {"sources.toml", "rules.toml", "en.evidence.toml"}
    for name, digest in base.digests:
        content = (reference.root() / name).read_bytes()
        assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_own_files_are_recorded_and_leave_the_shipped_base_alone(
    write_evidence: WriteEvidence, base: EvidenceBase
) -> None:
    path = write_evidence(claim())
    own = load((path,))
    assert [name for name, _ in own.digests] == [
        *(name for name, _ in base.digests),
        f"{path.parent.name}/mine.toml",
    ]
    assert set(own.claims) - set(base.claims) == {"test-claim"}
    assert own.origins["test-claim"] == f"{path.parent.name}/mine.toml"
    assert load() is base
    assert own.digest != base.digest


def test_a_folder_is_read_in_the_order_of_names(write_evidence: WriteEvidence) -> None:
    last = write_evidence(claim(id="last"), name="b.toml", more="")
    write_evidence(name="a.toml", sources=SOURCES)
    last.write_text(
        last.read_text(encoding="utf-8").split("[[drugs]]")[0]
        + "[[claims]]"
        + last.read_text(encoding="utf-8").split("[[claims]]")[1],
        encoding="utf-8",
    )
    (last.parent / "notes.txt").write_text("not evidence", encoding="utf-8")
    assert [Path(name).name for name, _ in load((last.parent,)).digests][-2:] == ["a.toml", "b.toml"]


def test_a_file_that_changed_is_read_again(write_evidence: WriteEvidence) -> None:
    assert "first" in load((write_evidence(claim(id="first")),)).claims
    assert "another-one" in load((write_evidence(claim(id="another-one")),)).claims


def test_windows_line_ends_are_read(write_evidence: WriteEvidence) -> None:
    path = write_evidence(claim())
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert "test-claim" in load((path,)).claims


def test_defaults_hold_unless_a_claim_says_otherwise(write_evidence: WriteEvidence) -> None:
    path = write_evidence(claim(funding=None), claim(id="other", funding="a foundation"))
    path.write_text(
        path.read_text(encoding="utf-8") + '\n[defaults]\nfunding = "a company"\n', encoding="utf-8"
    )
    claims = load((path,)).claims
    assert (claims["test-claim"].funding, claims["other"].funding) == ("a company", "a foundation")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": "red"}, ("claim test-claim", "colour")),
        ({"funding": None}, ("claim test-claim", "funding")),
        ({"topic": "gossip"}, ("claim test-claim", "topic")),
        ({"direction": "better"}, ("claim test-claim", "direction")),
        ({"sample_size": 0}, ("claim test-claim", "sample_size")),
        ({"sample_size": "many"}, ("claim test-claim", "sample_size")),
        ({"effects": []}, ("claim test-claim", "effects")),
        ({"effects": [{"measure": "x", "value": 2}]}, ("claim test-claim", "effects.0.interval")),
        ({"sources": []}, ("claim test-claim", "sources")),
        ({"sources": ["nobody1999"]}, ("claim test-claim", "sources", "nobody1999")),
        ({"id": "Has Blanks"}, ("claim Has Blanks", "id")),
        ({"id": None}, ("claim without a name", "id")),
        (
            {"conflicts_with": [{"id": "nothing", "kind": "scope", "note": "x"}]},
            ("claim test-claim", "conflicts_with"),
        ),
        (
            {"conflicts_with": [{"id": "test-claim", "kind": "mood", "note": "x"}]},
            ("claim test-claim", "kind"),
        ),
        ({"superseded_by": ["nothing"]}, ("claim test-claim", "superseded_by")),
        ({"drug": "Nosuchdrug"}, ("claim test-claim", "drug", "Nosuchdrug")),
        ({"indication": "boredom"}, ("claim test-claim", "indication", "boredom")),
        ({"population_code": "martians"}, ("claim test-claim", "population_code", "martians")),
        (
            {"certainty": {"level": "low", "judged_by": "x", "rule": "none"}},
            ("claim test-claim", "certainty.rule"),
        ),
        ({"reviewed": {"by": "x", "on": "soon"}}, ("claim test-claim", "reviewed.on")),
    ],
)
def test_a_fault_names_file_claim_and_key(
    write_evidence: WriteEvidence, changes: dict[str, Any], words: tuple[str, ...]
) -> None:
    path = write_evidence(claim(**changes))
    with pytest.raises(ReferenceDataError) as caught:
        load((path,))
    for word in (path.name, *words):
        assert word in str(caught.value)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


def test_ids_and_keys_are_never_reused(write_evidence: WriteEvidence, base: EvidenceBase) -> None:
    taken = next(iter(base.claims))
    with pytest.raises(ReferenceDataError, match=f"'{taken}' is defined twice"):
        load((write_evidence(claim(id=taken)),))
    with pytest.raises(ReferenceDataError, match="'alvarez2016' is defined twice"):
        load((write_evidence(claim(), sources=(*SOURCES, source("alvarez2016"))),))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("this is not toml", "is not valid TOML"),
        ("claims = 3\n", "claims: must be a list of tables"),
        ("defaults = []\n", "defaults: must be a table"),
        ("", "provenance"),
        ('[provenance]\norigin = "x"\ndate = 2026-01-01\n[surprise]\n', "surprise"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReferenceDataError, match=words) as caught:
        load((path,))
    assert caught.value.where == str(path)


def test_no_utf8_no_file_no_folder(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(ReferenceDataError, match="not valid TOML"):
        load((tmp_path / "latin.toml",))
    with pytest.raises(ReferenceDataError, match="no such file or folder"):
        load((tmp_path / "absent",))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReferenceDataError, match=r"no \.toml file"):
        load((tmp_path / "empty",))


def test_a_subject_needs_its_usual_use(tmp_path: Path) -> None:
    path = tmp_path / "drug.toml"
    header = '[provenance]\norigin = "x"\ndate = 2026-01-01\n'
    path.write_text(f'{header}[[drugs]]\nname = "Testumab"\nrole = "subject"\n', encoding="utf-8")
    with pytest.raises(ReferenceDataError, match="default_indication is missing"):
        load((path,))


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("stroke", "stroke"),
        ("Alzheimer's disease", "alzheimers-disease"),
        ("Alzheimer\N{RIGHT SINGLE QUOTATION MARK}s disease", "alzheimers-disease"),
        ("ALZHEIMERS-DISEASE", "alzheimers-disease"),
        ("AD", "alzheimers-disease"),
        (" tbi ", "traumatic-brain-injury"),
        ("MCI", "mild-cognitive-impairment"),
    ],
)
def test_a_use_is_known_by_its_names(base: EvidenceBase, written: str, code: str) -> None:
    assert base.indication(written) == code


@pytest.mark.parametrize("written", ["", "migraine", "strok", "stroke\x1b[31m"])
def test_an_unknown_use_is_refused_with_the_list(base: EvidenceBase, written: str) -> None:
    with pytest.raises(UsageError) as caught:
        base.indication(written)
    close = written.startswith("strok")
    assert ("Did you mean stroke?" if close else "alzheimers-disease") in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_no_two_uses_share_a_name(base: EvidenceBase) -> None:
    for code, entry in base.indications.items():
        for name in (code, entry.label, *entry.names):
            assert base.indication(name) == code, name
