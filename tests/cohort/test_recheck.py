"""`pgx recheck`: what it says would change is what a run from the inputs does change, and nothing is read."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from vcf_builder import site, write_vcf

from pgx.cohort import again
from pgx.cohort import recheck as room
from pgx.cohort.plan import plan_inputs
from pgx.cohort.recheck import WHY, recheck
from pgx.cohort.run import run_cohort
from pgx.cohort.store import State, summed
from pgx.cohort.tables import table
from pgx.cohort.tables.reports import CHANGED
from pgx.cohort.tables.table import sentence_digests
from pgx.errors import FormatError, OutputError, UsageError
from pgx.options import CohortOptions, Options, PageOptions, Rechecked
from pgx.reads.observe import joint_likelihood
from pgx.render.tsv import COLUMNS, cell_text
from tests.reads.simulate import Library, header_of, simulate, write_reads

from .conftest import records, rows_of
from .conftest import run as run_in_process

STORED = Rechecked()

FORMATS = ("0/1:4:12:20,0,40", "0/0:2:6:0,6,60", "0/0:30:90:0,90,900", "1/1:9:27:270,27,0", "./.:.:.:.")


def run(inputs, out, *, options=None, **cohort):
    """Run a cohort with the default of the command line, which reads no neighbours."""
    return run_in_process(inputs, out, options=options or Options(neighbours="off"), **cohort)


def many(path, count, number=0):
    """Write a file of many people, of whom some are read weakly."""
    people = range(number, number + count)
    columns = [[FORMATS[(person * step) % 5] for person in people] for step in (1, 3)]
    return write_vcf(
        path,
        records=[
            site(rsid, gt=column, format="GT:DP:GQ:PL")
            for rsid, column in zip(("rs429358", "rs7412"), columns, strict=True)
        ],
        samples=[f"M{person:04}" for person in people],
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder of small files, one of many people, one without quality, one of filtered sites, a bad one."""
    folder = tmp_path_factory.mktemp("inputs")
    for number, pair in enumerate((("0/1", "0/0"), ("0/0", "1/1"), ("0/1", "0/1"))):
        write_vcf(folder / f"s{number}.vcf.gz", records=records(*pair), samples=[f"S{number}"])
    bare = [site("rs429358", gt="0/1", format="GT"), site("rs7412", gt="0/1", format="GT")]
    write_vcf(folder / "bare.vcf", records=bare, samples=["BARE"])
    failed = [site(rsid, gt="0/1:99", format="GT:GQ", filter="LowQual") for rsid in ("rs429358", "rs7412")]
    write_vcf(folder / "failed.vcf", records=failed, samples=["FAILED"])
    write_vcf(folder / "none.vcf", records=[], samples=["NONE"])
    for name, depth in (("e3/e4", 30), ("e2/e4", 4)):
        pieces = simulate(name, Library(depth=depth), 3)
        write_reads(folder / f"{name[:2]}.bam", pieces, header_of("GRCh38", groups={"lane": f"R{depth}"}))
    many(folder / "many.vcf.gz", 230)
    many(folder / "few.vcf", 7, number=500)
    (folder / "bad.vcf").write_text("no VCF")
    return folder


@pytest.fixture
def made(inputs, tmp_path):
    """Return a cohort folder of `inputs`; these are gone when it is rechecked."""
    moved = tmp_path / "moved"
    shutil.copytree(inputs, moved)
    run([moved], tmp_path / "out")
    moved.rename(tmp_path / "elsewhere")
    return tmp_path / "out"


def lines_of(folder, options=STORED, *, write=False, jobs=None):
    """Return the table of changes as dictionaries, and what `recheck` returns."""
    told: list[dict[str, str]] = []

    def tell(cells):
        told.append(dict(zip(CHANGED, map(cell_text, cells), strict=True)))

    found = recheck(folder, options, write=write, tell=tell, jobs=jobs)
    return told, found


def recomputed(tmp_path, **options):
    """Return the folder of a run from the inputs with other options."""
    (tmp_path / "elsewhere").rename(tmp_path / "moved")
    run([tmp_path / "moved"], tmp_path / "again", options=Options(neighbours="off", **options))
    return tmp_path / "again"


CHANGES = [
    {"population": "AFR"},
    {"population": "flat", "min_probability": 0.6},
    {"min_probability": 0.99999},
    {"min_gq": 20.0},
    {"min_dp": 5},
    {"keep_filtered": True},
    {"absent_sites": "reference"},
    {"genotype_error_rate": 0.01},
    {"drug": "lecanemab"},
    {"indication": "stroke"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_it_is_what_a_run_from_the_inputs_gives(made, tmp_path, change):
    before = {(row["sample"], Path(row["input"]).name): row for row in rows_of(made / "samples.tsv")}
    said, found = lines_of(made, Rechecked(**change))
    assert rows_of(made / "samples.tsv") == list(before.values()), "nothing is written"
    assert lines_of(made, Rechecked(**change), write=True)[0] == said, "with whole reports, the same is told"
    again = recomputed(tmp_path, **change)
    assert (made / "samples.tsv").read_bytes() == (again / "samples.tsv").read_bytes()
    assert (made / "failures.tsv").read_bytes() == (again / "failures.tsv").read_bytes()
    columns = {name for names in WHY.values() for name in names if name in COLUMNS}
    differing = {
        key
        for row in rows_of(again / "samples.tsv")
        for key in [(row["sample"], Path(row["input"]).name)]
        if any(row[name] != before[key][name] for name in columns)
    }
    told = {(row["sample"], Path(row["input"]).name) for row in said}
    assert differing <= told
    assert {
        (row["sample"], Path(row["input"]).name) for row in said if row["why"] not in {"evidence", "wording"}
    } <= (differing), "what is told of a genotype, probability or flag is in the tables"
    assert differing or change == {"indication": "stroke"} or "drug" in change
    assert found.results == len(before)
    assert found.changed == len(said)
    assert not found.unread


def test_side_by_side_the_same_is_said_in_the_same_order(made, monkeypatch):
    alone, _ = lines_of(made, Rechecked(population="AFR"))
    monkeypatch.setattr(room, "_ALONE", 1)
    monkeypatch.setattr(room, "_BATCH", 2)
    together, _ = lines_of(made, Rechecked(population="AFR"), jobs=2)
    assert together == alone


def test_a_filter_is_taken_back(inputs, tmp_path):
    run([inputs / "few.vcf"], tmp_path / "out", options=Options(neighbours="off", min_gq=20.0))
    run([inputs / "few.vcf"], tmp_path / "again")
    lines_of(tmp_path / "out", Rechecked(min_gq=0.0), write=True)
    assert rows_of(tmp_path / "out" / "samples.tsv") == rows_of(tmp_path / "again" / "samples.tsv")


@pytest.mark.parametrize("arrays_from", [1, None])
def test_small_probabilities_differ_as_the_tables_print_them(tmp_path, arrays_from):
    sure = [site(rsid, gt="0/0:30:99:0,300,3000", format="GT:DP:GQ:PL") for rsid in ("rs429358", "rs7412")]
    path = write_vcf(tmp_path / "a.vcf", records=sure, samples=["A"])
    run([path], tmp_path / "out", arrays_from=arrays_from)
    said, _ = lines_of(tmp_path / "out", Rechecked(population="AFR"))
    run([path], tmp_path / "again", options=Options(neighbours="off", population="AFR"))
    (was,), (now,) = (rows_of(tmp_path / name / "samples.tsv") for name in ("out", "again"))
    assert was["e4_carrier_probability"] != now["e4_carrier_probability"]
    assert [row["why"] for row in said] == ["probability"]


def test_reads_are_weighed_anew(inputs, tmp_path, monkeypatch):
    manifest = tmp_path / "m.tsv"
    manifest.write_text(
        f"path\treads\n{tmp_path / 'beside.vcf'}\t{inputs / 'e2.bam'}\n{inputs / 'e3.bam'}\t\n"
    )
    write_vcf(tmp_path / "beside.vcf", records=records("0/1", "0/1"), samples=["R4"])
    run([], tmp_path / "out", manifest=manifest)
    run([], tmp_path / "again", manifest=manifest, options=Options(neighbours="off", min_gq=95.0))
    lines_of(tmp_path / "out", Rechecked(min_gq=95.0), write=True)
    assert rows_of(tmp_path / "out" / "samples.tsv") == rows_of(tmp_path / "again" / "samples.tsv")
    aged(tmp_path / "out", sample="R4")
    monkeypatch.setattr("pgx.reads.observe.joint_likelihood", lambda *given: joint_likelihood([], *given[1:]))
    said, _ = lines_of(tmp_path / "out")
    why = {row["sample"]: row["why"].split(",")[0] for row in said}
    assert why == {"R30": "genotype"}, "by another model of reads; beside a VCF they settle nothing here"


def test_nothing_has_changed(made):
    said, found = lines_of(made)
    assert (said, found.changed, dict(found.why)) == ([], 0, {})
    _, found = lines_of(made, write=True)
    assert found.outcome.samples == found.results


def test_no_input_is_read(made, monkeypatch):
    def never(*_, **__):
        raise AssertionError("an input was read")

    monkeypatch.setattr("pgx.inputs.read_sites", never)
    _, found = lines_of(made, Rechecked(population="AFR"))
    assert found.changed


def aged(folder, sample="S0", **changes):
    """Make every stored result one of an older release, and change what is stored of one person."""
    base = sqlite3.connect(folder / "cohort.sqlite")
    for key, known in base.execute("SELECT key, known FROM result").fetchall():
        older = json.dumps(json.loads(known[:-4]) | {"recipe": "older"}).encode()
        data = summed(older, "result", key, "known")
        base.execute("UPDATE result SET known = ? WHERE key = ?", (data, key))
    row = base.execute("SELECT key, ordinal, facts, report FROM sample WHERE name = ?", (sample,)).fetchone()
    key, number, facts, report = row
    now = {"facts": facts[:-4], "report": report[:-4]}
    for column, (old, new) in changes.items():
        assert old in now[column]
        now[column] = now[column].replace(old, new)
    values = [summed(data, "sample", key, number, sample, column) for column, data in now.items()]
    base.execute("UPDATE sample SET facts = ?, report = ? WHERE name = ?", (*values, sample))
    base.commit()
    base.close()


def test_an_older_release_that_gave_the_same(made):
    aged(made)
    said, found = lines_of(made)
    assert (said, found.results > 0) == ([], True)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"facts": (b'"e3/e4"', b'"e2/e3"')}, "genotype"),
        ({"facts": (b'"heterozygous"', b'"carrier"')}, "genotype"),
        ({"facts": (b'"conflicting"', b'"insufficient"')}, "evidence"),
        ({"facts": (b'"]', b'0"]')}, "wording"),  # the digest of sentences comes last
    ],
)
def test_why(made, changes, why):
    aged(made, **changes)
    said, _ = lines_of(made)
    assert [(row["sample"], row["why"]) for row in said] == [("S0", why)]


def facts_of(folder, name):
    """Return what is stored of a person as JSON."""
    base = sqlite3.connect(folder / "cohort.sqlite")
    (facts,) = base.execute("SELECT facts FROM sample WHERE name = ?", (name,)).fetchone()
    base.close()
    return facts[:-4]


def printed(value):
    return repr(value).encode()


@pytest.mark.parametrize(("factor", "why"), [(1 - 1e-13, []), (1 - 1e-8, ["probability"])])
def test_a_number_that_prints_the_same_is_the_same(made, factor, why):
    """The order in which a release adds numbers up must not name a person."""
    stored = dict(zip(table.FACTS, json.loads(facts_of(made, "M0502")), strict=True))
    chance = stored["diplotype_probability"]
    assert printed(chance) != printed(chance * factor)
    aged(made, sample="M0502", facts=(printed(chance), printed(chance * factor)))
    said, found = lines_of(made)
    assert [row["why"] for row in said] == why
    assert found.changed == len(why)


@pytest.mark.parametrize(("factor", "differs"), [(1 - 1e-13, False), (1 - 1e-8, True)])
def test_a_number_of_a_block_that_prints_the_same_is_the_same(made, factor, differs):
    (row,) = [json.loads(facts_of(made, "M0502"))]
    other = [cell * factor if isinstance(cell, float) else cell for cell in row]
    one, two = (table.fact_table([cells]) for cells in (row, other))
    assert table.any_differs(one, two, WHY["probability"]).tolist() == [differs]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [(b'"e3/e4"', b'"e2/e3"', "genotype"), (b'"conflicting"', b'"insufficient"', "evidence")],
)
def test_other_words_are_not_told_of_who_is_told_of_more(made, old, new, why):
    facts = facts_of(made, "S0")
    aged(made, facts=(facts, facts.replace(old, new).replace(b'"]', b'0"]')))
    said, _ = lines_of(made)
    assert [row["why"] for row in said] == [why]


@pytest.mark.parametrize("arrays_from", [1, None])
def test_other_words_go_with_nothing_else(tmp_path, arrays_from):
    """Each is told of the words only where nothing weightier differs, in a large input, too."""
    columns = ["0/0:30:99:0,300,3000", "0/0:12:36:0,36,400", "0/1:30:99:300,0,300"]
    records = [site(rsid, gt=columns, format="GT:DP:GQ:PL") for rsid in ("rs429358", "rs7412")]
    path = write_vcf(tmp_path / "a.vcf", records=records, samples=["SURE", "WEAK", "BOTH"])
    run([path], tmp_path / "out", arrays_from=arrays_from)
    said, found = lines_of(tmp_path / "out", Rechecked(min_probability=0.9999))
    told = {row["sample"]: row["why"] for row in said}
    assert told["SURE"] == "wording"
    assert "genotype" in told["WEAK"]
    assert [name for name, why in told.items() if "wording" in why.split(",")] == [
        name for name, why in told.items() if why == "wording"
    ]
    assert found.why["wording"] == [*told.values()].count("wording")


@pytest.mark.parametrize("arrays_from", [1, None])
@pytest.mark.parametrize(("age", "column"), [(None, "0/0:30:99:0,300,3000"), (9, "0/1:4:12:20,0,40")])
def test_a_minor_is_flagged_once_and_with_nothing_else(tmp_path, arrays_from, age, column):
    """Also who has no flag, and who has it already."""
    records = [site(rsid, gt=column, format="GT:DP:GQ:PL") for rsid in ("rs429358", "rs7412")]
    path = write_vcf(tmp_path / "a.vcf", records=records, samples=["CHILD"])
    (tmp_path / "m.tsv").write_text(f"path\tsample\tbirth_date\n{path}\tCHILD\t2020-05-05\n")
    options = Options(neighbours="off", age=age)
    run([], tmp_path / "out", manifest=tmp_path / "m.tsv", options=options, arrays_from=arrays_from)
    (row,) = rows_of(tmp_path / "out" / "samples.tsv")
    assert row["flags"].split(";").count("minor") == 1
    assert (row["flags"] == "minor") == (age is None)
    said, _ = lines_of(tmp_path / "out", Rechecked(population="AFR"))
    (told,) = said
    assert told["flags_was"] == row["flags"]
    assert told["flags_is"].split(";").count("minor") == 1
    assert (told["flags_is"] == "minor") == (age is None)


def test_what_is_no_folder_of_a_cohort_is_one_line_with_a_cure(tmp_path, run_pgx):
    """Above all the report, or the reports, of pgx annotate."""
    path = write_vcf(tmp_path / "a.vcf", records=records("0/1", "0/0"), samples=["A"])
    assert run_pgx("annotate", path, "-o", tmp_path / "a.json").exit_code == 0
    run([path], tmp_path / "out")
    for folder in ("reports", "empty", "out/reports"):
        (tmp_path / folder).mkdir()
    shutil.copy(tmp_path / "a.json", tmp_path / "reports" / "a.json")
    cures = {
        **dict.fromkeys(("a.json", "reports"), "Annotate the input again, or give the inputs to pgx cohort"),
        **dict.fromkeys(("out/samples.tsv", "out/reports"), f"Give that folder: {tmp_path / 'out'}"),
        **dict.fromkeys(("empty", "absent"), "Give the folder that pgx cohort wrote"),
    }
    for given, cure in cures.items():
        done = run_pgx("recheck", tmp_path / given)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (3, "", 1)
        assert cure in done.stderr, given


@pytest.mark.parametrize("code", ["", "no-call", "gone"])
def test_other_words(made, monkeypatch, code):
    people = {row["sample"]: row for row in rows_of(made / "samples.tsv")}
    concerned = {name for name, row in people.items() if not code or code in row["flags"].split(";")}
    assert len(concerned) == {"": len(people), "gone": 0}.get(code, len(concerned))
    assert concerned or code == "gone"
    aged(made)
    other = {**sentence_digests(), code: "other"}
    monkeypatch.setattr(table, "sentence_digests", lambda: other)
    table._worded.cache_clear()
    again._by_class.clear()
    again._by_records.clear()
    again._by_sites.clear()
    again._shapes.clear()
    said, _ = lines_of(made)
    table._worded.cache_clear()
    again._by_class.clear()
    again._by_records.clear()
    again._by_sites.clear()
    again._shapes.clear()
    assert {row["why"] for row in said} == ({"wording"} if concerned else set())
    assert {row["sample"] for row in said} == concerned


def test_other_evidence(made, repository):
    said, found = lines_of(
        made, Rechecked(evidence=(repository / "examples" / "evidence",), drug="Examplamab")
    )
    assert found.why["evidence"] == found.changed == found.results
    assert len(said) == found.results


def test_write_keeps_a_list_and_forgets_who_leaves(made, tmp_path):
    _, first = lines_of(made, Rechecked(min_probability=0.99999), write=True)
    _, second = lines_of(made, Rechecked(min_probability=0.99), write=True)
    listed = rows_of(made / "changed.tsv")
    assert len(listed) == first.changed + second.changed > 0
    assert any(Path(row["input"]).name == "s0.vcf.gz" or row["sample"].startswith("M") for row in listed)
    (tmp_path / "elsewhere").rename(tmp_path / "moved")
    (tmp_path / "moved" / "many.vcf.gz").unlink()
    run([tmp_path / "moved"], made)
    left = rows_of(made / "changed.tsv")
    assert left == [row for row in listed if Path(row["input"]).name != "many.vcf.gz"]


def test_what_cannot_be_written_leaves_all_as_it_was(made, monkeypatch):
    before = {path.name: path.read_bytes() for path in made.iterdir() if path.is_file()}

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(room._Work, "close", full)
    with pytest.raises(OutputError):
        lines_of(made, Rechecked(population="AFR"), write=True)
    assert {p.name: p.read_bytes() for p in made.iterdir() if p.name != "cohort.sqlite"} == {
        name: data for name, data in before.items() if name != "cohort.sqlite"
    }
    monkeypatch.undo()
    assert lines_of(made)[1].changed == 0


def test_a_run_killed_after_results_were_renewed_goes_on(made, monkeypatch):
    told, _ = lines_of(made, Rechecked(population="AFR"))

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(room, "finish", killed)
        with pytest.raises(KeyboardInterrupt):
            lines_of(made, Rechecked(population="AFR"), write=True)
    assert not (made / "changed.tsv").exists()
    _, found = lines_of(made, write=True)
    assert found.changed == 0
    listed = [{name: row[name] for name in CHANGED} for row in rows_of(made / "changed.tsv")]
    assert listed == told, "who changed before the kill is not forgotten"
    assert {row["population"] for row in rows_of(made / "samples.tsv")} == {"AFR"}


def test_the_page_for_sharing_stays_one(inputs, tmp_path):
    page = PageOptions(min_cell=5, by=("assembly",))
    run([inputs], tmp_path / "out", page=page)
    before = (tmp_path / "out" / "index.html").read_text()
    assert "M0001" not in before
    lines_of(tmp_path / "out", Rechecked(min_probability=0.9999), write=True)
    with State(tmp_path / "out", create=False) as state:
        assert state.meta("page", PageOptions) == page
    assert "M0001" not in (tmp_path / "out" / "index.html").read_text()


def test_one_sample_of_several_keeps_nothing_of_the_others(tmp_path):
    path = many(tmp_path / "few.vcf", 5)
    manifest = tmp_path / "m.tsv"
    manifest.write_text(f"path\tsample\n{path}\tM0002\n")
    run([], tmp_path / "out", manifest=manifest)
    assert b"M0003" not in (tmp_path / "out" / "cohort.sqlite").read_bytes()
    _, found = lines_of(tmp_path / "out", Rechecked(min_probability=0.9))
    assert not found.unread
    lines_of(tmp_path / "out", Rechecked(population="flat"), write=True)
    run([], tmp_path / "again", manifest=manifest, options=Options(neighbours="off", population="flat"))
    one, other = (rows_of(tmp_path / name / "samples.tsv") for name in ("out", "again"))
    assert one == other


def test_neighbours_that_were_not_read(tmp_path):
    path = write_vcf(tmp_path / "a.vcf", records=records("0/1", "0/0"))
    run([path], tmp_path / "out", options=Options(neighbours="auto"))
    said, found = lines_of(tmp_path / "out", Rechecked(min_gq=95.0))
    assert [item.error for item in found.unread] == ["needs its neighbours, which were not read"]
    assert said == []
    with pytest.raises(FormatError, match=r"a\.vcf must be read again"):
        lines_of(tmp_path / "out", Rechecked(min_gq=95.0), write=True)
    assert lines_of(tmp_path / "out")[1].changed == 0


def test_refusals(made, tmp_path, inputs):
    with pytest.raises(FormatError, match="is no folder of a cohort"):
        lines_of(tmp_path)
    with pytest.raises(UsageError, match="Atlantis"):
        lines_of(made, Rechecked(population="Atlantis"))
    manifest = tmp_path / "m.tsv"
    manifest.write_text(f"path\tpopulation\n{inputs / 's0.vcf.gz'}\tAFR\n")
    run([], tmp_path / "by", manifest=manifest)
    assert lines_of(tmp_path / "by", Rechecked(population="EUR"))[1].changed == 0, "the manifest decides"
    assert lines_of(tmp_path / "by", Rechecked(drug="lecanemab"))[1].changed == 1
    run([inputs / "s0.vcf.gz", inputs / "s1.vcf.gz"], tmp_path / "slice", shard=(1, 2))
    with pytest.raises(UsageError, match="is a slice"):
        lines_of(tmp_path / "slice", Rechecked(population="EUR"), write=True)
    with State(made) as state:
        state.set_meta(finished=False)
    with pytest.raises(FormatError, match="is not finished"):
        lines_of(made)


def test_the_command(made, run_pgx, inputs):
    done = run_pgx("recheck", made, "--population", "AFR", "-f", "tsv")
    assert (done.exit_code, done.stdout.splitlines()[0].split("\t")) == (0, list(CHANGED))
    assert "results would change" in done.stderr
    told = json.loads(run_pgx("recheck", made, "--population", "AFR", "-f", "json").stdout)
    assert told["changed"] == len(told["changes"]) == len(done.stdout.splitlines()) - 1
    assert isinstance(told["changes"][0]["diplotype_probability_is"], float)
    done = run_pgx("recheck", made, "--population", "AFR")
    assert done.stdout.startswith(f"{told['changed']} of {told['results']} results would change (")
    assert (done.exit_code, len(done.stdout.splitlines()), done.stderr) == (0, 1, "")
    done = run_pgx("recheck", made, "--population", "AFR", "--write")
    assert done.exit_code == 0
    assert "changed.tsv" in done.stderr
    assert run_pgx("recheck", inputs).exit_code == 3
    assert run_pgx("recheck", made, "--min-probability", "2").exit_code == 2


def test_reports_are_renewed(made, run_pgx, inputs):
    run_pgx("recheck", made, "--population", "EUR", "--write")
    assert not (made / "reports").exists()
    run_pgx("cohort", inputs, "-o", made, "--reports", "json", "--jobs", 1)
    done = run_pgx("recheck", made, "--population", "AFR", "--write")
    assert f"{len(rows_of(made / 'samples.tsv'))} reports are renewed" in done.stderr
    assert {row["report"] for row in rows_of(made / "samples.tsv")} == {
        f"reports/{path.name}" for path in (made / "reports").glob("*.json")
    }
    page = (made / "index.html").read_text()
    assert "pgx recheck" in page
    assert 'href="changed.tsv"' in page
    listed = rows_of(made / "changed.tsv")
    assert listed
    for row in listed:
        assert json.loads((made / row["report"]).read_text())["samples"][0]["sample"] == row["sample"]
    reports = [json.loads(path.read_text()) for path in (made / "reports").glob("*.json")]
    assert len(reports) == len(rows_of(made / "samples.tsv"))
    assert {item["parameters"]["population"] for item in reports} == {"AFR"}


def test_a_plan_without_inputs_is_no_fault(tmp_path):
    plan = plan_inputs([str(tmp_path / "absent.vcf")], None, Options(neighbours="off"))
    run_cohort(plan, tmp_path / "out", CohortOptions())
    assert lines_of(tmp_path / "out", write=True)[1].results == 0


def test_a_cohort_that_estimated_its_own_frequencies_keeps_them(tmp_path):
    path = many(tmp_path / "many.vcf.gz", 230)
    run([path], tmp_path / "out", options=Options(neighbours="off", population="estimate"))
    populations = {row["population"] for row in rows_of(tmp_path / "out" / "samples.tsv")}
    assert lines_of(tmp_path / "out")[1].changed == 0
    assert lines_of(tmp_path / "out", Rechecked(min_probability=0.9999), write=True)[1].changed
    assert {row["population"] for row in rows_of(tmp_path / "out" / "samples.tsv")} == populations
    with pytest.raises(UsageError, match="estimate"):
        lines_of(tmp_path / "out", Rechecked(population="estimate"))


def test_no_estimate_stays_of_people_who_are_under_another_population(tmp_path):
    """Else the page says that it was used, and no frequency can be far from what is expected."""
    records = [
        site("rs429358", gt=["1/1:30:90:900,90,0"] * 60, format="GT:DP:GQ:PL"),
        site("rs7412", gt=["0/0:30:90:0,90,900"] * 60, format="GT:DP:GQ:PL"),
    ]
    write_vcf(tmp_path / "many.vcf", records=records, samples=[f"M{number:02}" for number in range(60)])
    run([tmp_path / "many.vcf"], tmp_path / "out", options=Options(neighbours="off", population="estimate"))
    lines_of(tmp_path / "out", Rechecked(population="EUR"), write=True)
    run([tmp_path / "many.vcf"], tmp_path / "again", options=Options(neighbours="off", population="EUR"))
    for name in ("samples.tsv", "summary.json", "pgx_mqc.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name
    alarms = json.loads((tmp_path / "out" / "summary.json").read_text())["alarms"]
    assert "frequency" in {alarm["code"] for alarm in alarms}


def test_groups_of_too_few_for_an_estimate_are_rechecked_too(tmp_path):
    for group, number in (("north", 60), ("south", 3)):
        column = ["0/1:30:90:300,0,300"] * number
        records = [site(rsid, gt=column, format="GT:DP:GQ:PL") for rsid in ("rs429358", "rs7412")]
        names = [f"{group}{person}" for person in range(number)]
        write_vcf(tmp_path / f"{group}.vcf", records=records, samples=names)
    (tmp_path / "m.tsv").write_text("path\tpopulation\nnorth.vcf\tnorth\nsouth.vcf\tsouth\n")
    options = Options(neighbours="off", population="estimate")
    run([], tmp_path / "out", manifest=tmp_path / "m.tsv", options=options)
    before = json.loads((tmp_path / "out" / "summary.json").read_text())["estimates"]
    assert [item["group"] for item in before] == ["north", "south"]
    lines_of(tmp_path / "out", Rechecked(min_probability=0.9999), write=True)
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["estimates"] == before


@pytest.mark.parametrize("arrays_from", [1, None])
def test_a_minor_is_flagged_as_in_the_table(tmp_path, monkeypatch, arrays_from):
    """Who writes letters from the list must see who is a minor, and who is none any more."""
    born = {"CHILD": "2015-05-05", "GROWN": "2008-07-01", "ADULT": "1960-01-01"}
    columns = ["0/1:4:12:20,0,40"] * len(born)
    records = [site(rsid, gt=columns, format="GT:DP:GQ:PL") for rsid in ("rs429358", "rs7412")]
    path = write_vcf(tmp_path / "a.vcf", records=records, samples=list(born))
    rows = [f"{path}\t{name}\t{day}\n" for name, day in born.items()]
    (tmp_path / "m.tsv").write_text("path\tsample\tbirth_date\n" + "".join(rows))
    for name, moment in (("out", "1780000000"), ("again", "1800000000")):  # May 2026, January 2027
        monkeypatch.setenv("SOURCE_DATE_EPOCH", moment)
        options = Options(neighbours="off", population="EUR" if name == "again" else "global")
        run([], tmp_path / name, manifest=tmp_path / "m.tsv", options=options, arrays_from=arrays_from)
    was, now = (
        {row["sample"]: row["flags"] for row in rows_of(tmp_path / name / "samples.tsv")}
        for name in ("out", "again")
    )
    assert [name for name, flags in was.items() if "minor" in flags] == ["CHILD", "GROWN"]
    said, _ = lines_of(tmp_path / "out", Rechecked(population="EUR"))
    assert {row["sample"]: row["flags_was"] for row in said} == was
    assert {row["sample"]: row["flags_is"] for row in said} == now
    assert [row["sample"] for row in said if "flag" in row["why"].split(",")] == ["GROWN"]
    lines_of(tmp_path / "out", Rechecked(population="EUR"), write=True)
    assert rows_of(tmp_path / "out" / "changed.tsv")[0]["flags_is"] == now["CHILD"]


@pytest.mark.parametrize(
    ("gone", "table"),
    [
        ("sample WHERE name = 'M0502'", "sample"),
        ("result WHERE key = (SELECT key FROM plan WHERE position = 3)", "result"),
        ("plan WHERE position = 3", "plan"),
        ("meta WHERE name = 'page'", "meta"),
    ],
)
def test_rows_that_are_gone_are_missed(made, gone, table):
    """Else a person would be lost without a word, and a page for sharing become one with names."""
    base = sqlite3.connect(made / "cohort.sqlite")
    base.execute(f"DELETE FROM {gone}")  # noqa: S608 - of this test
    base.commit()
    base.close()
    before = (made / "index.html").read_bytes()
    with pytest.raises(FormatError, match=f"rows of its table {table}"):
        lines_of(made, Rechecked(population="AFR"), write=True)
    assert (made / "index.html").read_bytes() == before


def test_a_run_that_was_broken_off_after_a_recheck_is_not_finished(made, tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        lines_of(made, Rechecked(population="AFR"), write=True)
    monkeypatch.setattr("pgx.cohort.run.annotate_missing", killed)
    (tmp_path / "elsewhere").rename(tmp_path / "moved")
    with pytest.raises(KeyboardInterrupt):
        run([tmp_path / "moved"], made, page=PageOptions(min_cell=5))
    with pytest.raises(FormatError, match="not finished"):
        lines_of(made)


@pytest.mark.parametrize("gone", ["sample WHERE name = 'M0502'", "block"])
def test_a_run_that_goes_on_misses_rows_that_are_gone(made, tmp_path, gone):
    base = sqlite3.connect(made / "cohort.sqlite")
    base.execute(f"DELETE FROM {gone}")  # noqa: S608 - of this test
    base.commit()
    base.close()
    (tmp_path / "elsewhere").rename(tmp_path / "moved")
    with pytest.raises(FormatError, match="are missing"):
        run([tmp_path / "moved"], made)
