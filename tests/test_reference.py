"""The reference data: read strictly, complete, and its arithmetic right."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib

import pytest

from pgx import reference
from pgx.calling import FLAT, E4Status, PhaseState, Reason, haplotype_frequencies, populations
from pgx.errors import ReferenceDataError
from pgx.genome import assemblies, definitions, haplotypes, sites_on
from pgx.observe import EvidenceKind, SiteState
from pgx.reference import _ThresholdFile
from pgx.report import severities
from pgx.wording import percent, wording


def toml_files():
    return sorted(reference.root().rglob("*.toml"))


@pytest.mark.parametrize("path", toml_files(), ids=lambda path: path.name)
def test_every_file_says_where_it_comes_from(path):
    provenance = tomllib.loads(path.read_text(encoding="utf-8"))["provenance"]
    assert provenance["origin"]
    assert provenance["date"].year >= 2026


def test_unknown_key_is_an_error_that_names_file_and_key(tmp_path):
    source = (reference.root() / "calling.toml").read_text(encoding="utf-8")
    path = tmp_path / "calling.toml"
    path.write_text(source + '\n[surprise]\nvalue = 1.0\nbasis = "none"\n', encoding="utf-8")
    with pytest.raises(ReferenceDataError, match=r"calling\.toml.*surprise"):
        reference.read_model(path, _ThresholdFile)


@pytest.mark.parametrize("content", ["a = ", "\xff", ""])
def test_broken_file_is_one_clear_line(tmp_path, content):
    path = tmp_path / "calling.toml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ReferenceDataError) as caught:
        reference.read_model(path, _ThresholdFile)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 4


def test_digest_changes_with_a_fact(tmp_path, monkeypatch):
    before = reference.digest()
    copy = tmp_path / "reference"
    for path in reference.root().rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(reference.root())
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    monkeypatch.setattr(reference, "root", lambda: copy)
    reference.digest.cache_clear()
    try:
        assert reference.digest() == before
        (copy / "options.toml").write_text("")  # no result depends on the words of a help
        reference.digest.cache_clear()
        assert reference.digest() == before
        sites = copy / "sites.toml"
        sites.write_text(sites.read_text(encoding="utf-8").replace("44908684", "44908685"), encoding="utf-8")
        reference.digest.cache_clear()
        assert reference.digest() != before
    finally:
        reference.digest.cache_clear()


def test_sites_lie_138_bases_apart_on_every_assembly():
    for assembly in assemblies():
        first, second = sites_on(assembly)
        assert second.position - first.position == 138


def test_the_reference_base_of_chm13_is_not_claimed():
    chm13 = next(assembly for assembly in assemblies() if assembly.name == "T2T-CHM13")
    assert all(site.ref is None and site.alt is None for site in sites_on(chm13))


def test_hgvs_agrees_with_positions():
    for definition in definitions():
        position = int(re.search(r"g\.(\d+)", definition.hgvs_g)[1])
        assert position == definition.positions["GRCh38"]
        assert definition.hgvs_g.endswith(f"{definition.ref}>{definition.alt}")


def test_haplotypes_are_the_four_pairs_of_letters():
    assert {haplotype.letters for haplotype in haplotypes()} == {(a, b) for a in "TC" for b in "TC"}


@pytest.mark.parametrize("population", populations(), ids=lambda population: population.name)
def test_arithmetic_stands_beside_the_number_and_is_right(population):
    for stated in filter(None, (population.e1, population.e4)):
        assert re.fullmatch(r"[\d\s+*/().-]+", stated.arithmetic)
        assert stated.frequency == pytest.approx(eval(stated.arithmetic), rel=1e-5)  # noqa: S307 - digits only
    assert sum(population.frequencies().values()) == pytest.approx(1)
    assert min(population.frequencies().values()) > 0


def test_a_population_without_e1_takes_the_figure_of_its_superpopulation():
    by_name = {population.name: population for population in populations()}
    for population in populations():
        if population.counts["e1"] or population.level in {"global", "sensitivity"}:
            continue
        parent = by_name.get(population.superpopulation)
        source = parent if parent is not None and parent.counts["e1"] else by_name["global"]
        assert population.e1.frequency == source.e1.frequency


def test_counts_agree_with_the_counted_genotypes(shared_data):
    lines = (shared_data / "truth" / "1kgp3_apoe_frequencies.tsv").read_text().splitlines()
    counted = {}
    for line in lines[2:]:
        if line.startswith("#"):
            break
        _, name, _, *counts = line.split("\t")[:7]
        counted["global" if name == "ALL" else name] = dict(
            zip(("e1", "e2", "e3", "e4"), map(int, counts), strict=True)
        )
    shipped = {p.name: p.counts for p in populations() if p.level != "sensitivity"}
    assert shipped == counted


def test_flat_is_a_quarter_each():
    assert haplotype_frequencies(FLAT) == (0.25,) * 4


class TestWording:
    def test_every_flag_has_a_sentence(self):
        assert all(wording().has("flag", code) for code in severities())

    @pytest.mark.parametrize(
        ("topic", "keys"),
        [
            ("state", SiteState),
            ("status", E4Status),
            ("reason", Reason),
            ("basis", EvidenceKind),
            ("severity", ("info", "warning", "critical")),
        ],
    )
    def test_every_value_has_its_words(self, topic, keys):
        assert [key for key in keys if not wording().has(topic, key)] == []

    def test_what_can_be_missing_has_a_next_step(self):
        open_states = {
            "absent",
            "no-call",
            "partial-call",
            "filtered",
            "low-quality",
            "conflicting",
            "unsupported",
        }
        assert all(wording().has("next", state) for state in open_states)

    def test_a_missing_sentence_names_itself(self):
        with pytest.raises(ReferenceDataError, match=r"flag\.nonsense"):
            wording().say("flag", "nonsense")

    @pytest.mark.parametrize(
        ("probability", "text"),
        [
            (1.0, "more than 99.99 %"),
            (0.99995, "more than 99.99 %"),
            (0.9899999, "98.9 %"),
            (0.99, "99.0 %"),
            (0.99799, "99.7 %"),
            (0.5, "50.0 %"),
            (0.00026, "0.026 %"),
            (0.0, "less than 0.01 %"),
        ],
    )
    def test_percent_never_rounds_up_to_certainty(self, probability, text):
        assert percent(probability) == text


def test_phase_states_of_the_contract():
    assert {state.value for state in PhaseState} == {"phased", "unphased", "not-needed"}


class TestBuildTimeCopy:
    """The copy says what the files say, and only ever stands in for exactly the file it was made from."""

    @pytest.fixture
    def folder(self, tmp_path, monkeypatch, repository):
        """A reference/ of its own with a copy made by the build step."""
        hatch_build = pytest.importorskip("hatch_build", reason="the build backend is not installed")
        target = tmp_path / "reference"
        shutil.copytree(repository / "reference", target)
        (target / reference.COPY_FILE).write_bytes(hatch_build.copy_of(target))
        monkeypatch.setattr(reference, "root", lambda: target)
        return target

    @staticmethod
    def plain(value):
        """Dates as the copy has them."""
        return json.loads(json.dumps(value, default=lambda date: date.isoformat()))

    @pytest.mark.parametrize("name", [path.relative_to(reference.root()).as_posix() for path in toml_files()])
    def test_it_holds_what_the_file_holds(self, folder, name, monkeypatch):
        content = (folder / name).read_bytes()
        monkeypatch.setitem(sys.modules, "tomli", None)  # importing it would fail: the copy must be enough
        assert reference.parse(folder / name, content) == self.plain(tomllib.loads(content.decode()))

    def test_a_changed_file_counts_at_once(self, folder):
        path = folder / "calling.toml"
        path.write_text(path.read_text(encoding="utf-8") + '\n[new]\nvalue = "x"\n', encoding="utf-8")
        assert reference.parse(path, path.read_bytes())["new"] == {"value": "x"}

    def test_a_file_elsewhere_is_never_taken_for_a_shipped_one(self, folder, tmp_path):
        path = tmp_path / "calling.toml"
        path.write_text('own = "yes"\n', encoding="utf-8")
        assert reference.parse(path, path.read_bytes()) == {"own": "yes"}

    @pytest.mark.parametrize("content", [None, b"", b"{}", b"[1", b'{"calling.toml": 3}'])
    def test_a_missing_or_broken_copy_does_no_harm(self, folder, content):
        copy = folder / reference.COPY_FILE
        copy.unlink()
        if content is not None:
            copy.write_bytes(content)
        reference._copies.cache_clear()
        path = folder / "calling.toml"
        assert reference.read_model(path, _ThresholdFile).min_probability.value == 0.99

    def test_it_is_no_part_of_the_digest(self, folder):
        reference.digest.cache_clear()
        with_copy = reference.digest()
        (folder / reference.COPY_FILE).unlink()
        reference.digest.cache_clear()
        assert reference.digest() == with_copy

    def test_one_name_in_both_places(self):
        hatch_build = pytest.importorskip("hatch_build", reason="the build backend is not installed")
        assert hatch_build.COPY_FILE == reference.COPY_FILE


def test_a_time_that_dates_cannot_say_is_left_out():
    assert reference.file_time(1_700_000_000.9) == "2023-11-14T22:13:20Z"
    assert reference.file_time(10**12) is None
    assert reference.file_time(10**30) is None
