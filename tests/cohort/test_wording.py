"""`pgx recheck` tells of everybody whose report would read differently."""

from __future__ import annotations

import pytest
from vcf_builder import site, write_vcf

from pgx import wording as words_of
from pgx.cohort.recheck import recheck
from pgx.cohort.results import reports
from pgx.cohort.store import State
from pgx.cohort.tables import table
from pgx.errors import PgxError
from pgx.options import Options, Rechecked
from pgx.render import narrative, text
from pgx.render.form import Form, flattened
from pgx.single import annotate
from tests.cohort.conftest import run
from tests.cohort.test_recheck import many

#: What a line of the technical details that is not compared begins with.
LEFT_OUT = ("Options:", "Made ", "Evidence files", "Input ")


class Recording(words_of.Wording, frozen=True):
    """Sentences that note which of them are asked for, in `asked`."""

    asked: set

    def say(self, topic, key, **values):
        self.asked.add((topic, key))
        return super().say(topic, key, **values)


def test_whoever_reads_a_sentence_has_its_code(repository, monkeypatch):
    """Else a change of it would be told of others only."""
    known = words_of.wording()
    read = set()
    for path in sorted((repository / "sample_vcfs").glob("*.vcf*")):
        for options in (Options(), Options(neighbours="always", absent_sites="reference")):
            try:
                made = annotate(str(path), options)
                people = [*made.samples]
            except PgxError:
                continue
            recording = Recording(known.language, known.topics, set())
            monkeypatch.setattr("pgx.render.form.wording", lambda _, own=recording: own)
            for report in people[:3]:
                recording.asked.clear()
                for form in (Form(full=True), Form()):
                    text.render(made.run, report, form)
                    narrative.one_line(made.run, report, form)
                needed = {table.code_of(*sentence) for sentence in recording.asked} - {""}
                assert needed <= {*table.codes_of(report)}, path.name
                read |= recording.asked
    assert len(read) > 200
    assert not {topic for topic, _ in read} & table._OF_OTHERS


def read_of(folder):
    """Return what is read in the report of each person, but for what goes with the run alone."""
    with State(folder, create=False) as state:
        return {item.report.sample: lines_of(item) for item in reports(state)}


def lines_of(item):
    told = narrative.narrate(item.run, item.report, Form())
    blocks = [*flattened(told.head), *(block for part in told.sections for block in flattened(part.blocks))]
    lines = [(block.full_text, block.note, block.rows) for block in blocks]
    return [line for line in lines if not line[0].startswith(LEFT_OUT)]


CHANGES = [
    {"population": "AFR"},
    {"min_probability": 0.6},
    {"genotype_error_rate": 0.002},
    {"min_gq": 20.0},
    {"min_dp": 5},
]


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """People who are read well, weakly, or without a quality, and some without a record of a site."""
    folder = tmp_path_factory.mktemp("people")
    many(folder / "many.vcf", 25)
    bare = [site("rs429358", gt=["0/1", "1/1"], format="GT"), site("rs7412", gt=["0/1", "0/0"], format="GT")]
    write_vcf(folder / "bare.vcf", records=bare, samples=["B0", "B1"])
    sure = ["1/1:30:90:900,90,0", "0/0:30:90:0,90,900"]
    write_vcf(
        folder / "one.vcf", records=[site("rs429358", gt=sure, format="GT:DP:GQ:PL")], samples=["O0", "O1"]
    )
    return folder


@pytest.mark.parametrize("arrays_from", [1, None])
def test_whose_report_reads_differently_is_told(people, tmp_path, arrays_from):
    assert_told(people, tmp_path, {"min_probability": 0.9999}, arrays_from)


@pytest.mark.parametrize("arrays_from", [1, None])
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_whose_report_reads_differently_under_any_option(people, tmp_path, change, arrays_from):
    assert_told(people, tmp_path, change, arrays_from)


def assert_told(people, tmp_path, change, arrays_from):
    """Compare whom `recheck` tells of with who would read something else."""
    run([people], tmp_path / "out", options=Options(neighbours="off"), arrays_from=arrays_from)
    options = Options(neighbours="off", **change)
    run([people], tmp_path / "again", options=options, arrays_from=arrays_from)
    told = {}
    recheck(
        tmp_path / "out", Rechecked(**change), write=False, tell=lambda row: told.update({row[1]: row[3]})
    )
    was, now = (read_of(tmp_path / name) for name in ("out", "again"))
    other = {name for name in was if was[name] != now[name]}
    assert other <= told.keys()
    assert other or "min_dp" in change or "min_gq" in change
    with State(tmp_path / "again", create=False) as state:
        open_to_prior = {
            item.report.sample
            for item in reports(state)
            if not table._OF_THE_PRIOR.isdisjoint(table.codes_of(item.report))
        }
    assert {name for name, why in told.items() if why == "wording"} - other <= open_to_prior


@pytest.mark.parametrize(
    ("topic", "key", "whose"),
    [
        ("result", "determined", {"M0002", "M0001", "O1"}),
        ("reason", "site-unused", {"O1"}),
        ("basis", "GT", {"B0", "B1"}),
        ("family", "non-carrier_child", {"O1"}),
    ],
)
def test_a_sentence_that_reads_differently(people, tmp_path, monkeypatch, topic, key, whose):
    """Whoever may read it is told; most sentences may be read by everybody."""
    run([people], tmp_path / "out", options=Options(neighbours="off"))
    with State(tmp_path / "out", create=False) as state:
        made = {item.report.sample: item for item in reports(state)}
    before = {name: table._told(item.run, item.report) for name, item in made.items()}
    known = words_of.wording()
    topics = {**known.topics, topic: {**known.topics[topic], key: "Other words."}}
    monkeypatch.setattr(table, "wording", lambda: words_of.Wording(known.language, topics))
    for cache in (table.sentence_digests, table._worded):
        cache.cache_clear()
    after = {name: table._told(item.run, item.report) for name, item in made.items()}
    monkeypatch.undo()
    for cache in (table.sentence_digests, table._worded):
        cache.cache_clear()
    code = table.code_of(topic, key)
    told = {name for name in before if before[name] != after[name]}
    assert told == {name for name, item in made.items() if not code or code in table.codes_of(item.report)}
    assert whose <= told
