"""The manifest: options, facts for reports, columns that are carried through, rows that cannot be used."""

from __future__ import annotations

import csv
import json
import re

import pytest
from vcf_builder import site, write_vcf

from cohort.conftest import records
from pgx.cohort import CohortOptions, PageOptions, one_report, plan_inputs, run_cohort
from pgx.cohort.manifest import PERSONAL_COLUMNS, REPORT_COLUMNS, jobs_of
from pgx.errors import NotFoundError, UsageError
from pgx.options import Options, declared


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))


def run(tmp_path, text, inputs=(), **options):
    (tmp_path / "m.tsv").write_text(text)
    plan = plan_inputs([str(item) for item in inputs], tmp_path / "m.tsv", Options())
    return run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1, **options))


@pytest.fixture
def two(tmp_path):
    """Return a file with the samples A (e3/e3) and B (e3/e4)."""
    return write_vcf(
        tmp_path / "two.vcf",
        samples=["A", "B"],
        records=[site("rs429358", gt=["0/0", "0/1"]), site("rs7412")],
        neighbours=False,
    )


def test_a_bad_row_costs_no_other(tmp_path, two):
    outcome = run(
        tmp_path,
        "path\tsample\tage\ttaking\tbatch\n"
        "two.vcf\tA\t\t\tx\n"
        "two.vcf\tB\told\t\tx\n"
        "two.vcf\tB\t200\t\tx\n"
        "two.vcf\tB\tnan\t\tx\n"
        "\tB\t\t\tx\n"
        "two.vcf\tB\t\t\tx\textra\n"
        "two.vcf\tB\t70\t\tx\n",
    )
    assert [row["sample"] for row in rows_of(tmp_path / "out" / "samples.tsv")] == ["A", "B"]
    assert outcome.failed == 5
    failures = rows_of(tmp_path / "out" / "failures.tsv")
    age = "age is not a number of at least 0 and below 150"
    assert [row["error"].removeprefix("line ") for row in failures] == [
        f"3 of the manifest: {age}",
        f"4 of the manifest: {age}",
        f"5 of the manifest: {age}",
        "6 of the manifest: has no path",
        "7 of the manifest: has more cells than there are columns",
    ]
    assert failures[3]["input"].endswith("m.tsv:6")
    assert all(row["cure"] for row in failures)


def test_a_row_that_comes_again_is_named(tmp_path, two):
    run(tmp_path, "path\tsample\tbatch\ntwo.vcf\tA\tx\ntwo.vcf\tB\tx\ntwo.vcf\tA\ty\n")
    assert [row["batch"] for row in rows_of(tmp_path / "out" / "samples.tsv")] == ["x", "x"]
    (failure,) = rows_of(tmp_path / "out" / "failures.tsv")
    assert failure["error"] == "line 4 of the manifest: line 2 has sample 'A' of this input already"


def test_of_an_input_that_is_named_twice_the_manifest_says_more(tmp_path, two):
    other = write_vcf(tmp_path / "other.vcf", samples=["C"], neighbours=False)
    outcome = run(tmp_path, "path\tbatch\ntwo.vcf\tb1\n", inputs=[two, other, tmp_path / "." / "other.vcf"])
    assert (outcome.samples, outcome.duplicated) == (3, 0)
    found = [(row["sample"], row["batch"]) for row in rows_of(tmp_path / "out" / "samples.tsv")]
    assert found == [("C", ""), ("A", "b1"), ("B", "b1")]


def test_a_part_of_an_input_does_not_stand_for_it(tmp_path, two):
    outcome = run(tmp_path, "path\tsample\tbatch\ntwo.vcf\tA\tx\n", inputs=[two])
    assert (outcome.samples, outcome.duplicated) == (2, 0)
    found = [(row["sample"], row["batch"]) for row in rows_of(tmp_path / "out" / "samples.tsv")]
    assert found == [("B", ""), ("A", "x")]


def test_a_row_that_cannot_be_used_still_speaks_for_its_sample(tmp_path, two):
    """A birth date that cannot be read might be that of a minor."""
    outcome = run(tmp_path, "path\tsample\tbirth_date\ntwo.vcf\tB\t1.2.2020\n", inputs=[two])
    assert [row["sample"] for row in rows_of(tmp_path / "out" / "samples.tsv")] == ["A"]
    assert outcome.failed == 1
    assert run(tmp_path, "path\tbirth_date\n./two.vcf\t1.2.2020\n", inputs=[two]).samples == 0


def test_a_row_of_a_sample_goes_before_the_row_of_its_input(tmp_path, two):
    text = "path\tsample\tpopulation\n./two.vcf\t\tEUR\ntwo.vcf\tA\tAFR\n"
    outcome = run(tmp_path, text)
    assert (outcome.samples, outcome.duplicated) == (2, 0)
    assert one_report(tmp_path / "out", "A").run.parameters.population == "AFR"
    assert one_report(tmp_path / "out", "B").run.parameters.population == "EUR"


def test_a_sample_that_is_not_there_costs_no_other(tmp_path, two):
    outcome = run(tmp_path, "path\tsample\ntwo.vcf\tA\ntwo.vcf\tnobody\ntwo.vcf\tnor me\n")
    assert [row["sample"] for row in rows_of(tmp_path / "out" / "samples.tsv")] == ["A"]
    assert outcome.failed == 2
    errors = [row["error"] for row in rows_of(tmp_path / "out" / "failures.tsv")]
    assert errors == [
        "line 3 of the manifest: no sample 'nobody'",
        "line 4 of the manifest: no sample 'nor me'",
    ]
    assert run(tmp_path, "path\tsample\ntwo.vcf\tnobody\ntwo.vcf\tnor me\n").failed == 2


def test_quotes_are_letters_but_around_a_whole_cell(tmp_path, two):
    text = (
        '"path"\t"sample"\tnote\tbirth_date\n'
        'two.vcf\tA\t"5 cm lesion\t1950-02-03\n'
        '"two.vcf"\t"B"\t"said ""no"""\t"2015-06-07"\n'
    )
    assert run(tmp_path, text).failed == 0
    rows = rows_of(tmp_path / "out" / "samples.tsv")
    assert [(row["sample"], row["note"]) for row in rows] == [("A", '"5 cm lesion'), ("B", 'said "no"')]
    assert ["minor" in row["flags"] for row in rows] == [False, True]


def test_a_sample_stands_in_one_row_whatever_its_options(tmp_path, two):
    """Else a minor would have a second row without an age."""
    text = "path\tsample\tage\ntwo.vcf\tA\t3\n./two.vcf\tA\t\ntwo.vcf\t\t40\n"
    outcome = run(tmp_path, text)
    assert outcome.failed == 1
    rows = rows_of(tmp_path / "out" / "samples.tsv")
    assert [(row["sample"], "minor" in row["flags"]) for row in rows] == [("A", True), ("B", False)]


def test_a_path_that_cannot_be(tmp_path, two, run_pgx):
    assert run(tmp_path, "path\na\0b.vcf\ntwo.vcf\n").failed == 1
    refused = run_pgx("cohort", two, "-o", tmp_path / "new", "--indication", "\udcff")
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    assert run_pgx("report", tmp_path / "out", "--sample", "\udcff").exit_code == 3


def test_standard_input_is_no_input_of_a_cohort(tmp_path, two):
    assert run(tmp_path, "path\n-\n", inputs=["-", two]).failed == 2


def test_options_are_checked_before_anything_is_read(tmp_path, two, run_pgx):
    arguments = ("cohort", two, "-o", tmp_path / "new")
    for more, code in ((("--assembly", "GRCh99"), 2), (("--callable", tmp_path / "no.bed"), 3)):
        refused = run_pgx(*arguments, *more)
        assert refused.exit_code == code
        assert refused.stderr.count("\n") == 1
        assert not (tmp_path / "new").exists()
    assert run_pgx(*arguments, "--population", "FLAT").exit_code == 0


def test_names_that_look_alike_in_a_table_are_different_people(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796000000")  # 2026
    write_vcf(tmp_path / "a.vcf", samples=["=x", "'=x", "y"], neighbours=False)
    cells = (("=x", "2018-01-01", "b1"), ("'=x", "1960-01-01", "b2"), ("y", "", "b3"))
    lines = ["\t".join(("a.vcf", *row)) for row in cells]
    text = "\n".join(["path\tsample\tbirth_date\tbatch", *lines])
    for arrays_from in (1, 100):
        run(tmp_path, text, arrays_from=arrays_from)
        rows = rows_of(tmp_path / "out" / "samples.tsv")
        assert [row["batch"] for row in rows] == ["b1", "b2", "b3"]
        assert ["minor" in row["flags"] for row in rows] == [True, False, False]
        (tmp_path / "out" / "cohort.sqlite").unlink()
        for path in (tmp_path / "out").iterdir():
            path.unlink()


def test_table_and_report_agree_on_who_is_a_minor(tmp_path, two, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796000000")  # 2026
    one = write_vcf(tmp_path / "one.vcf", samples=["C"], neighbours=False)
    run(tmp_path, f"path\tsample\tbirth_date\n{one}\t\t2018-01-01\n{one}\tC\t1960-01-01\n")
    (row,) = rows_of(tmp_path / "out" / "samples.tsv")
    assert "minor" not in row["flags"]
    assert not one_report(tmp_path / "out", "C").report.patient.minor


def test_a_column_with_a_name_of_pgx_is_carried_under_another(tmp_path, two):
    text = "path\tdiplotype\tflags\treasons\tbest\tstate_1\ninput\ntwo.vcf\te9/e9\tf\tr\tb\ts\n"
    run(tmp_path, text.replace("\ninput", "\tinput") + "")
    row = rows_of(tmp_path / "out" / "samples.tsv")[0]
    assert row["diplotype"] == "e3/e3"
    assert row["manifest_diplotype"] == "e9/e9"
    assert row["manifest_flags"] == "f"
    assert (row["reasons"], row["best"], row["state_1"]) == ("r", "b", "s")
    assert row["input"].endswith("two.vcf")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "is empty"),
        ("sample\tbatch\nA\tb\n", "no column `path`"),
        ("path\tx\tx\n", "names the column 'x' twice"),
        ("path\tflags\tmanifest_flags\n", "names the column 'manifest_flags' twice"),
        ("path\t\tx\na\tb\tc\n", "column 2 has no name"),
        ("path\tname\tname\n", "names the column 'name' twice"),
        ("path\tmin_dp\n", "the column 'min_dp', which is an option of the whole run. Give --min-dp"),
        ("path\tcallable\n", "the column 'callable', which is an option of the whole run. Give --callable"),
        ("path\treveal_minor\n", "an option of the whole run. Give --reveal-minor"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(text, error, tmp_path):
    (tmp_path / "m.tsv").write_text(text)
    with pytest.raises(UsageError, match=error):
        jobs_of(tmp_path / "m.tsv", Options())


def test_no_table_at_all(tmp_path):
    with pytest.raises(NotFoundError):
        jobs_of(tmp_path / "m.tsv", Options())
    (tmp_path / "m.tsv").write_bytes(b"path\n\xff\xfe\n")
    with pytest.raises(UsageError, match="UTF-8"):
        jobs_of(tmp_path / "m.tsv", Options())


def test_tables_of_spreadsheets(tmp_path, two):
    """A mark at the start, empty cells and lines at the end, blanks around names."""
    text = "\ufeffpath\t batch \t\t\n\n two.vcf\tb1\t\t\n\t\t\t\n"
    assert run(tmp_path, text).failed == 0
    assert [row["batch"] for row in rows_of(tmp_path / "out" / "samples.tsv")] == ["b1", "b1"]


REPORTED = (
    "path\tsample\tname\tbirth_date\tplatform\tlaboratory\n"
    "two.vcf\tA\tAnn Smith\t1950-02-03\tWGS 30x\tLab 1\n"
    "two.vcf\tB\tBen <b>Jones</b>\t2015-06-07\tarray\tLab 2\n"
)


def test_facts_for_reports(tmp_path, two, run_pgx, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796000000")  # 2026
    (tmp_path / "m.tsv").write_text(REPORTED)
    out = tmp_path / "out"
    done = run_pgx("cohort", "--manifest", tmp_path / "m.tsv", "-o", out, "--reports", "html", "--jobs", 1)
    assert done.exit_code == 0, done.stderr
    pages = {
        row["sample"]: (out / "reports" / row["file"]).read_text()
        for row in rows_of(out / "reports/index.tsv")
    }
    assert "Ann Smith" in pages["A"]
    assert "WGS 30x" in pages["A"]
    assert "Ben &lt;b&gt;Jones&lt;/b&gt;" in pages["B"]
    assert "Ann" not in pages["B"]
    again = run_pgx("report", out, "--sample", "A", "-f", "html", "-o", tmp_path / "a.html")
    assert again.exit_code == 0
    assert (tmp_path / "a.html").read_text() == pages["A"]
    (tmp_path / "meta.toml").write_text('[sample.A]\nname = "A. Smith"\n')
    text = run_pgx("report", out, "--sample", "A", "--report-meta", tmp_path / "meta.toml").stdout
    assert "A. Smith" in text
    assert "Ann" not in text


def test_a_birth_date_withholds_the_result_of_a_minor(tmp_path, two, monkeypatch, run_pgx):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796000000")  # 2026
    from pgx.cohort import PageOptions

    run(tmp_path, REPORTED, page=PageOptions(sample_table=True))
    rows = {row["sample"]: row for row in rows_of(tmp_path / "out" / "samples.tsv")}
    assert "minor" in rows["B"]["flags"].split(";")
    assert "minor" not in rows["A"]["flags"]
    page = (tmp_path / "out" / "index.html").read_text()
    shown = {name: re.search(rf'<th scope="row">{name}</th>(.*?)</tr>', page).group(1) for name in "AB"}
    assert "ε3/ε3" in shown["A"]
    assert shown["B"].count("withheld") == 2
    assert "ε" not in shown["B"]
    for_script = json.loads(re.search(r'id="t-data">(.*?)</script>', page).group(1))
    place = for_script["names"].index("B")
    told = {column["labels"][column["codes"][place]] for column in for_script["columns"]}
    assert told <= {"withheld", "", "a minor", rows["B"]["input"]}
    assert one_report(tmp_path / "out", "B").report.patient.minor
    text = run_pgx("report", tmp_path / "out", "--sample", "B").stdout
    assert "withheld" in text
    assert "ε3/ε4" not in text


def test_the_birth_date_of_a_minor_in_a_large_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796000000")  # 2026
    names = [f"S{number}" for number in range(30)]
    write_vcf(tmp_path / "big.vcf", samples=names, records=records("0/1", "0/0"), neighbours=False)
    rows = [f"big.vcf\t{name}\t{'2015-01-01' if name == 'S7' else ''}\t{name[-1]}\n" for name in names]
    run(tmp_path, "path\tsample\tbirth_date\tbatch\n" + "".join(rows), arrays_from=10)
    found = rows_of(tmp_path / "out" / "samples.tsv")
    assert [row["sample"] for row in found if "minor" in row["flags"]] == ["S7"]
    assert [row["batch"] for row in found] == [name[-1] for name in names]
    assert one_report(tmp_path / "out", "S7").report.patient.minor
    assert not one_report(tmp_path / "out", "S8").report.patient.minor


def test_facts_of_one_person_are_not_put_on_several(tmp_path, two):
    for text, kept in (
        ("path\tname\ntwo.vcf\tAnn\n", 0),
        ("path\tbirth_date\ntwo.vcf\t2015-01-01\n", 0),
        ("path\tplatform\ntwo.vcf\tWGS\n", 2),
    ):
        assert run(tmp_path, text).samples == kept
    run(tmp_path, "path\tname\ntwo.vcf\tAnn\n")  # what was done without a name is not kept for it
    (failure,) = rows_of(tmp_path / "out" / "failures.tsv")
    wrong = "holds 2 samples, and its row in the manifest has a name without a sample"
    assert failure["error"] == f"line 2 of the manifest: {wrong}"


def test_what_tells_of_a_person_stays_out_of_tables_and_page(tmp_path, two):
    values = {name: f"secret {name}" for name in PERSONAL_COLUMNS} | {"birth_date": "1950-02-03"}
    values |= {"specimen_date": "2026-01-02"}
    rest = [name for name in REPORT_COLUMNS if name not in PERSONAL_COLUMNS]
    names = [*PERSONAL_COLUMNS, *rest]
    cells = [*(values[name] for name in PERSONAL_COLUMNS), *rest]
    run(tmp_path, "\t".join(["path", "sample", *names]) + "\n" + "\t".join(["two.vcf", "A", *cells]) + "\n")
    for name in ("samples.tsv", "summary.json", "index.html", "failures.tsv"):
        text = (tmp_path / "out" / name).read_text()
        assert "secret" not in text
        assert "1950-02-03" not in text
    assert list(rows_of(tmp_path / "out" / "samples.tsv")[0])[-3:] == rest


def test_a_birth_date_that_is_none_is_a_failure(tmp_path, two):
    run(tmp_path, "path\tsample\tbirth_date\ntwo.vcf\tA\t3.2.1950\ntwo.vcf\tB\t1950-02-03\n")
    assert [row["sample"] for row in rows_of(tmp_path / "out" / "samples.tsv")] == ["B"]
    (failure,) = rows_of(tmp_path / "out" / "failures.tsv")
    assert failure["error"] == "line 2 of the manifest: has a birth_date that is no date; write 1950-01-31"


def test_every_option_is_a_column_or_refused(tmp_path):
    for item in declared(Options):
        (tmp_path / "m.tsv").write_text(f"path\t{item.name}\n")
        if item.option.row:
            carried = () if item.name in {"assembly", "population"} else (item.name,)  # which all tables have
            assert jobs_of(tmp_path / "m.tsv", Options()) == ([], carried, [])
        elif item.option.is_of("cohort"):
            with pytest.raises(UsageError, match=f"Give {item.flag} on"):
                jobs_of(tmp_path / "m.tsv", Options())


def test_each_option_of_a_row_reaches_its_result(tmp_path, two):
    given = {
        "assembly": ("GRCh38", "GRCh38"),
        "population": ("AFR", "AFR"),
        "indication": ("mild cognitive impairment", "mild cognitive impairment"),
        "drug": ("lecanemab", "lecanemab"),
        "taking": ("lithium, donepezil", ("lithium", "donepezil")),
        "history": ("epilepsy", ("epilepsy",)),
        "age": ("71.5", 71.5),
    }
    # Reads of a row are tried in tests/reads, with reads.
    assert {*given, "reads"} == {item.name for item in declared(Options) if item.option.row}
    cells = "\t".join(cell for cell, _ in given.values())
    run(tmp_path, "\t".join(["path", "sample", *given]) + f"\ntwo.vcf\tA\t{cells}\ntwo.vcf\tB\n")
    stated = one_report(tmp_path / "out", "A").run.parameters
    assert {name: getattr(stated, name) for name in given} == {
        name: value for name, (_, value) in given.items()
    }
    assert one_report(tmp_path / "out", "B").run.parameters.age is None


def test_options_of_rows_are_columns_of_all_tables(tmp_path, two):
    import pyarrow.parquet as pq

    import pgx

    other = write_vcf(tmp_path / "other.vcf", samples=["C"], records=[site("rs429358"), site("rs7412")])
    (tmp_path / "m.tsv").write_text(
        "path\tsample\tage\tbatch\ttaking\tindication\thistory\n"
        "two.vcf\tA\t71.50\tx\tlithium, sertraline\tstroke\tepilepsy\n"
        "two.vcf\tB\t\ty\t\t\t\n"
    )
    plan = plan_inputs([str(other)], tmp_path / "m.tsv", Options(indication="dementia"))
    run_cohort(plan, tmp_path / "out", CohortOptions(jobs=1))
    rows = rows_of(tmp_path / "out" / "samples.tsv")
    names = ["age", "batch", "taking", "indication", "history"]
    assert list(rows[0])[-5:] == names, "in the order of the manifest, after pgx's own"
    expected = {
        "A": ["71.5", "x", "lithium,sertraline", "stroke", "epilepsy"],
        "B": ["", "y", "", "dementia", ""],
        "C": ["", "", "", "dementia", ""],
    }
    assert {row["sample"]: [row[name] for name in names] for row in rows} == expected
    parquet = pq.read_table(tmp_path / "out" / "samples.parquet").to_pylist()
    assert {row["sample"]: [row[name] for name in names] for row in parquet} == expected
    frame = pgx.read_cohort(tmp_path / "out")
    assert {row["sample"]: [row[name] for name in names] for _, row in frame.iterrows()} == expected
    divided = json.loads((tmp_path / "out" / "summary.json").read_text())["strata"]
    assert [item["column"] for item in divided if item["column"] in names] == ["batch", "indication"]


def test_the_age_divides_the_page_only_where_that_is_asked_for(tmp_path, two):
    text = "path\tsample\tage\ntwo.vcf\tA\t71\ntwo.vcf\tB\t60\n"
    for asked, columns in ((), []), (("age",), ["age"]):
        run(tmp_path, text, page=PageOptions(by=asked))
        divided = json.loads((tmp_path / "out" / "summary.json").read_text())["strata"]
        assert [item["column"] for item in divided] == columns


def test_a_template_is_a_manifest(run_pgx, tmp_path):
    outcome = run_pgx("cohort", "--template")
    assert outcome.exit_code == 0
    head, example, end = outcome.stdout.split("\n")
    assert end == ""
    assert {"path", "sample", "population", "birth_date", "reads"} <= set(head.split("\t"))
    assert len(head.split("\t")) == len(example.split("\t"))
    sheet = tmp_path / "m.tsv"
    sheet.write_text(outcome.stdout)
    listed = run_pgx("cohort", "--manifest", sheet, "--dry-run").stdout.splitlines()
    assert listed == [
        "path\tsamples\tproblem",
        "data/NA12878.vcf.gz\tNA12878\tline 2 of the manifest: no such file",
    ]


def test_a_dry_run_writes_nothing(run_pgx, tmp_path):
    source = write_vcf(tmp_path / "a.vcf")
    before = sorted(tmp_path.rglob("*"))
    outcome = run_pgx("cohort", source, tmp_path / "none.vcf", "-o", tmp_path / "out", "--dry-run")
    assert outcome.exit_code == 0
    assert [line.split("\t")[2] for line in outcome.stdout.splitlines()[1:]] == ["", "no such file"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_to_write_is_asked_for(run_pgx, tmp_path):
    outcome = run_pgx("cohort", write_vcf(tmp_path / "a.vcf"))
    assert outcome.exit_code == 2
    assert "-o DIR" in outcome.stderr


@pytest.mark.parametrize("text", ['path,sample,note\n{},S1,"a, b"\n', "path\tsample\tnote\n{}\tS1\ta, b\n"])
def test_tables_with_commas_are_read_as_spreadsheets_save_them(run_pgx, tmp_path, text):
    source = write_vcf(tmp_path / "a.vcf")
    sheet = tmp_path / "m.csv"
    sheet.write_text(text.format(source))
    assert run_pgx("cohort", "--manifest", sheet, "-o", tmp_path / "out").exit_code == 0
    head, row = (tmp_path / "out" / "samples.tsv").read_text().splitlines()
    assert dict(zip(head.split("\t"), row.split("\t"), strict=True))["note"] == "a, b"


def test_where_nothing_could_be_read_the_first_reasons_are_told(run_pgx, tmp_path):
    outcome = run_pgx("cohort", *(tmp_path / f"{n}.vcf" for n in range(5)), "-o", tmp_path / "out")
    assert outcome.exit_code == 5
    assert outcome.stderr.count("failed: ") == 3
    assert "no such file" in outcome.stderr
