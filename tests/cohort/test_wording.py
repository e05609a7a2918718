"""`pgx recheck` tells of everybody whose report would read differently."""

from __future__ import annotations

import functools
import itertools
import re
from types import SimpleNamespace

import msgspec
import pytest
from msgspec.structs import replace
from vcf_builder import site, write_vcf

from pgx import wording as words_of
from pgx.calling import diplotype_names
from pgx.cohort.recheck import WHY, recheck
from pgx.cohort.results import reports
from pgx.cohort.store import State
from pgx.cohort.tables import table
from pgx.errors import PgxError
from pgx.neighbours import NeighbourReport
from pgx.observe import ReadSummary
from pgx.options import Options, Rechecked
from pgx.reference import load
from pgx.render import narrative, text
from pgx.render.form import Form, flattened
from pgx.report import Document
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


#: Of a report, what may be read and is looked at here.
PARTS = ("sites", "flags", "limitations", "genotype", "neighbours", "reads", "patient")
#: What is not compared (records, what they exclude), or never differs without what is: parts of a posterior
#: without its probability, an answer of another population without what it rests on, messages without values.
NEVER_ALONE = re.compile(
    r"record|notes|calculation|by_population|genotype/.*posterior|message|reads/path"
    r"|values/(.*probability|best|others?|population|sites)$"
)


def leaves(value, path=()):
    """Yield the path of every text, number and answer in `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from leaves(item, (*path, key))
    if not isinstance(value, dict | list) and value is not None:
        yield path


def altered(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return {"global": "EUR"}.get(value, f"{value}x")
    return value + 1 if isinstance(value, int) else value * 0.7


def told_of(document):
    report = document.samples[0]
    facts = dict(zip(table.FACTS, table.facts_of(document, report), strict=True))
    return [facts[name] for names in WHY.values() for name in names]


def reports_of_all_kinds(folder):
    """Yield documents: of sure and weak people, of a file and of reads, with neighbours, values of flags."""
    made = [
        ("0/0:30:99:0,300,3000", "GT:DP:GQ:PL", {}),
        ("0/1:30:90:450,0,450", "GT:DP:GQ:PL", {}),
        ("0/1:4:12:20,0,40", "GT:DP:GQ:PL", {}),
        ("0/0", "GT", {"qual": "."}),
        ("0/0:0.1", "GT:DS", {"info": "IMP;R2=0.2"}),
    ]
    reads = ReadSummary(
        path="a.bam",
        depth={"rs429358": 20, "rs7412": 21},
        letters={"rs429358": {"T": 20}, "rs7412": {"C": 21}},
        templates_both=7,
        haplotypes={"TC": 7},
        reads=50,
        dropped={},
        contamination=(0.0, 0.0, 0.1),
        damage=(0.0, 0.0, 0.1),
        mismatches=0.0,
        decided=("rs429358", "rs7412"),
    )
    chances = dict.fromkeys(diplotype_names(), 0.01) | {"e2/e4": 0.91}
    around = NeighbourReport(
        panel="a panel",
        mode="strict",
        markers_known=70,
        markers_used=60,
        markers_panel=80,
        sites_used=("rs7412",),
        fit=-30.0,
        lowest_fit=-70.0,
        unlike_panel=False,
        diplotype="e2/e4",
        diplotype_probability=0.91,
        diplotype_posterior=chances,
        e4_copies_posterior={"0": 0.04, "1": 0.92, "2": 0.04},
        neighbours_alone=None,
        agrees=True,
        read_probability=0.6,
        phase_posterior={"e2/e4": 0.97, "e1/e3": 0.03},
    )
    for number, (column, form, more) in enumerate(made):
        rows = [site(rsid, gt=column, format=form, **more) for rsid in ("rs429358", "rs7412")]
        found = annotate(str(write_vcf(folder / f"{number}.vcf", records=rows)), Options(neighbours="always"))
        (report,) = found.samples
        yield Document.of(replace(found.run, appendix=found.run.appendix[:1]), (report,))
        if not number:
            yield Document.of(found.run, (replace(report, reads=reads, neighbours=around),))
        elif report.genotype.diplotype is None:
            yield Document.of(found.run, (replace(report, neighbours=replace(around, agrees=None)),))


def test_whatever_value_is_read_is_told(tmp_path):
    """Each value of a report is changed by itself: whoever reads the change must be told of it."""
    read, missed = values_of(itertools.islice(reports_of_all_kinds(tmp_path), 1, 2))
    assert not missed
    assert len(read) > 40
    named = {key for path in read for key in path}
    assert named >= {"min_probability", "population", "appendix", "filter", "depth", "limitations", "reads"}
    assert "neighbours" in named


def test_whatever_value_is_read_in_any_report_is_told(tmp_path):
    read, missed = values_of(reports_of_all_kinds(tmp_path))
    assert not missed
    assert "score" in {key for path in read for key in path}


def values_of(documents):
    """Return which values are read and told, and which are read and not told."""
    read, missed = set(), set()
    for document in documents:
        plain = msgspec.json.decode(msgspec.json.encode(document))
        before, facts = lines_of(item_of(document)), told_of(document)
        for path in [path for path in leaves(plain) if is_looked_at(path)]:
            *way, last = path
            part = functools.reduce(lambda inside, key: inside[key], way, plain)
            kept, part[last] = part[last], altered(part[last])
            try:
                other = msgspec.convert(plain, Document)
                if lines_of(item_of(other)) != before:
                    (read if told_of(other) != facts else missed).add(path)
            except (msgspec.ValidationError, LookupError, ValueError, PgxError):
                continue  # nothing that could be
            finally:
                part[last] = kept
    return read, missed


def item_of(document):
    return SimpleNamespace(run=document, report=document.samples[0])


def is_looked_at(path):
    text = "/".join(map(str, path))
    if path[0] == "samples":
        return path[2] in PARTS and not NEVER_ALONE.search(text)
    return path[0] == "appendix" or path[-1] in {"min_probability", "population"}


def test_what_the_prior_names_is_told_with_what_it_rests_on(tmp_path, monkeypatch):
    sure, _, _, weak, *_ = reports_of_all_kinds(tmp_path)
    before = [table._told(one, one.samples[0]) for one in (sure, weak)]
    monkeypatch.setattr(table, "threshold", lambda _: 11.0)
    table._of_the_prior.cache_clear()
    after = [table._told(one, one.samples[0]) for one in (sure, weak)]
    table._of_the_prior.cache_clear()
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


@pytest.mark.parametrize("name", ["report.toml", "counsel.toml"])
def test_what_is_shown_and_its_sources_are_of_every_report(monkeypatch, name):
    table.sentence_digests.cache_clear()
    before = table.sentence_digests()

    def other(asked, model):
        return {**load(asked, model), **({"sources": "other"} if asked == name else {})}

    monkeypatch.setattr(table, "load", other)
    table.sentence_digests.cache_clear()
    after = table.sentence_digests()
    table.sentence_digests.cache_clear()
    assert {code for code in before if before[code] != after[code]} == {""}
