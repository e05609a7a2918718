"""Pseudonyms: no name of a sample or a file in any output, and everything else as without them."""

from __future__ import annotations

import gzip
import json
import re

import pytest
from vcf_builder import site, write_vcf

from pgx.observe.sample_record import header_says, without_names
from pgx.pseudonyms import Pseudonyms, pseudonyms

#: Names that no output holds by chance; one looks like a number, one has a character for shells and pages.
NAMES = ["Quixote-Alonso", "Panza & Sancho", "700612345"]
FOLDER = "mancha-family"
RECORDS = [
    site("rs429358", gt=["0/0", "0/1", "1/1"], info="SOURCE=Quixote-Alonso,x;AC=3"),
    site("rs7412", gt=["0/0", "0/0", "0/0"], id="Quixote-Alonso"),
]
FORMATS = ["text", "json", "jsonl", "tsv", "html", "fhir", "vcf"]


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"a key of more than sixteen bytes")
    path.chmod(0o600)
    return path


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / FOLDER
    folder.mkdir()
    return write_vcf(
        folder / "Dulcinea.vcf",
        samples=NAMES,
        records=RECORDS,
        extra_header=["##SAMPLE=<ID=Quixote-Alonso>", "##commandline=call Dulcinea.bam"],
    )


def assert_nameless(text, *, but=()):
    for name in {*NAMES, "Quixote", "Panza", "Sancho", "Dulcinea", FOLDER} - {*but}:
        assert name not in text, name


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_holds_a_name(name, source, key, run_pgx):
    sample = ["-s", NAMES[1]] if name in {"html", "fhir"} else []
    outcome = run_pgx("annotate", source, "-f", name, "--pseudonymise", key, *sample)
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert_nameless(outcome.stdout)
    assert pseudonyms(key).name(NAMES[1]) in outcome.stdout


@pytest.mark.parametrize("ending", [".vcf.gz", ".pdf"])
def test_no_packed_format_holds_a_name(ending, source, key, run_pgx, tmp_path):
    made = tmp_path / f"made{ending}"
    outcome = run_pgx("annotate", source, "-s", NAMES[1], "-o", made, "--pseudonymise", key)
    assert outcome.exit_code == 0, outcome.stderr
    if ending == ".vcf.gz":
        text = gzip.decompress(made.read_bytes()).decode()
    else:
        pypdf = pytest.importorskip("pypdf")
        reader = pypdf.PdfReader(made)
        text = "".join(page.extract_text() for page in reader.pages) + str(reader.metadata)
    assert_nameless(re.sub(r"\s", "", text) if ending == ".pdf" else text)


def test_all_records_of_a_vcf(source, key, run_pgx):
    arguments = ("annotate", source, "-f", "vcf", "--all-records")
    hidden = run_pgx(*arguments, "--pseudonymise", key).stdout
    plain = run_pgx(*arguments).stdout
    assert "Dulcinea.bam" in plain
    assert_nameless(hidden)
    rows = [[line.split("\t") for line in text.splitlines() if line[:2] != "##"] for text in (plain, hidden)]
    assert len(rows[0]) == len(rows[1])
    for before, after in zip(*rows, strict=True):
        if before[0] == "#CHROM":
            assert after[9:] == [pseudonyms(key).name(name) for name in NAMES]
        else:
            assert [*after[:2], *after[3:7], *after[8:]] == [*before[:2], *before[3:7], *before[8:]]
            assert "AC=3" not in before[7] or "AC=3" in after[7]


def test_the_answers_are_those_without(source, key, run_pgx, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    plain, hidden = (
        json.loads(run_pgx("annotate", source, "-f", "json", *more).stdout)["samples"]
        for more in ([], ["--pseudonymise", key])
    )
    for before, after in zip(plain, hidden, strict=True):
        assert after["sample"] == pseudonyms(key).name(before["sample"])
        assert {**after, "sample": "", "sites": [], "flags": []} == {
            **before, "sample": "", "sites": [], "flags": []
        }  # fmt: skip
        assert [row["alleles"] for row in after["sites"]] == [row["alleles"] for row in before["sites"]]


def test_a_sample_is_chosen_by_its_own_name(source, key, run_pgx):
    outcome = run_pgx("annotate", source, "-f", "tsv", "-s", NAMES[2], "-s", NAMES[0], "--pseudonymise", key)
    hide = pseudonyms(key)
    found = [line.split("\t")[0] for line in outcome.stdout.splitlines()[1:]]
    assert found == [hide.name(NAMES[2]), hide.name(NAMES[0])]
    missing = run_pgx("annotate", source, "-s", "Quixote-Alonzo", "--pseudonymise", key)
    assert missing.exit_code == 3
    assert "Quixote" not in missing.stderr.replace(str(source), "")


def test_errors_of_reading_quote_no_name(tmp_path, key, run_pgx):
    path = tmp_path / "twice.vcf"
    write_vcf(path, samples=["A", "B"])
    path.write_text(path.read_text().replace("\tA\tB\n", "\tQuixote\tQuixote\n"))
    assert "Quixote" in run_pgx("annotate", path).stderr
    outcome = run_pgx("annotate", path, "--pseudonymise", key)
    assert outcome.exit_code == 3
    assert_nameless(outcome.stderr)
    assert run_pgx("cohort", path, "-o", tmp_path / "out", "--pseudonymise", key).exit_code == 5
    assert_nameless((tmp_path / "out" / "failures.tsv").read_text())


@pytest.mark.parametrize("arrays", [False, True])
def test_no_file_of_a_cohort_holds_a_name(arrays, source, key, run_pgx, tmp_path, monkeypatch):
    if arrays:
        from pgx.cohort import worker

        monkeypatch.setattr(worker, "ARRAYS_FROM", 1)
        monkeypatch.setattr("pgx.cohort.run.ARRAYS_FROM", 1)
    out, table, wanted = tmp_path / "out", tmp_path / "m.tsv", tmp_path / "wanted"
    table.write_text(
        f"path\tsample\tage\tsubject\tbatch\n{source}\t{NAMES[0]}\t71\t{NAMES[0]}\tb1\n"
        f"{source}\t{NAMES[1]}\t9\t\tb2\n{source}\tnobody of Dulcinea\t\t\tb3\n"
        f"{tmp_path / FOLDER}/Sancho.vcf\t\t\t\tb4\n{source}\t{NAMES[1]}\t10\t\tb5\n"
    )
    wanted.write_text(f"{NAMES[0]}\n")
    more = ["--sample-table", "--reports", "html", "--reports-for", wanted, "--jobs", 1]
    arguments = ("cohort", "--manifest", table, "-o", out, "--pseudonymise", key, *more)
    outcome = run_pgx(*arguments)
    assert outcome.exit_code == 5, outcome.stderr
    assert_nameless(outcome.stderr)
    paths = [path for path in out.rglob("*") if path.is_file()]
    assert {"samples.tsv", "failures.tsv", "cohort.sqlite", "index.html"} <= {path.name for path in paths}
    for path in paths:
        assert_nameless(path.name)
        assert_nameless(path.read_bytes().decode("latin-1"))
    rows = [line.split("\t") for line in (out / "samples.tsv").read_text().splitlines()]
    hide = pseudonyms(key)
    batch, subject = rows[0].index("batch"), rows[0].index("subject")
    assert [(row[0], row[batch]) for row in rows[1:]] == [
        (hide.name(NAMES[0]), "b1"),
        (hide.name(NAMES[1]), "b2"),
    ]
    assert rows[1][subject] == hide.name(NAMES[0])
    assert [path.name.split(".")[0] for path in (out / "reports").glob("*.html")] == [hide.name(NAMES[0])]
    assert "(0 were done before" not in run_pgx(*arguments).stderr
    again = run_pgx("report", out, "--sample", hide.name(NAMES[0]))
    assert again.exit_code == 0, again.stderr
    assert_nameless(again.stdout)


def test_another_key_does_everything_again(source, key, run_pgx, tmp_path):
    arguments = ("cohort", source, "-o", tmp_path / "out", "--pseudonymise", key)
    assert run_pgx(*arguments).exit_code == 0
    before = (tmp_path / "out" / "samples.tsv").read_text()
    key.write_bytes(b"another key, as long as the first")
    assert run_pgx(*arguments).exit_code == 0
    after = (tmp_path / "out" / "samples.tsv").read_text()
    assert not set(re.findall("P[0-9a-f]{20}", before)) & set(re.findall("P[0-9a-f]{20}", after))


def test_a_manifest_that_says_who_somebody_is(source, key, run_pgx, tmp_path):
    (tmp_path / "m.tsv").write_text(f"path\tsample\tname\n{source}\t{NAMES[0]}\tAlonso Quixano\n")
    outcome = run_pgx(
        "cohort", "--manifest", tmp_path / "m.tsv", "-o", tmp_path / "out", "--pseudonymise", key
    )
    assert outcome.exit_code == 2
    assert "name and order_id" in outcome.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["text", "json", "html"])
def test_a_stored_result_and_a_folder(name, source, key, run_pgx, tmp_path):
    stored = tmp_path / "Dulcinea.json"
    assert run_pgx("annotate", source, "-o", stored).exit_code == 0
    assert run_pgx("cohort", source, "-o", tmp_path / "folder").exit_code == 0
    for place in (stored, tmp_path / "folder"):
        outcome = run_pgx("report", place, "-s", NAMES[0], "-f", name, "--pseudonymise", key)
        assert outcome.exit_code == 0, outcome.stderr
        assert_nameless(outcome.stdout)
        assert pseudonyms(key).name(NAMES[0]) in outcome.stdout


def test_what_contradicts_a_pseudonym_is_refused(source, key, run_pgx, tmp_path):
    (tmp_path / "meta.toml").write_text(f'[sample."{NAMES[0]}"]\nname = "Alonso Quixano"\n')
    for more in (["--digest"], ["--report-meta", tmp_path / "meta.toml"]):
        outcome = run_pgx("annotate", source, "-s", NAMES[0], "--pseudonymise", key, *more)
        assert outcome.exit_code == 2
        assert outcome.stderr.count("\n") == 1


class TestTheKey:
    def test_short_or_missing(self, source, run_pgx, tmp_path):
        (tmp_path / "short").write_text("secret\n")
        (tmp_path / "short").chmod(0o600)
        for name, code, words in (("short", 2, "fewer than 16 bytes"), ("none", 3, "cannot be read")):
            outcome = run_pgx("annotate", source, "--pseudonymise", tmp_path / name)
            assert outcome.exit_code == code
            assert words in outcome.stderr
            assert outcome.stderr.count("\n") == 1
            assert outcome.stdout == ""
        assert "secret" not in outcome.stderr

    def test_that_others_can_read_is_said(self, source, key, run_pgx):
        key.chmod(0o644)
        outcome = run_pgx("annotate", source, "-f", "tsv", "--pseudonymise", key)
        assert outcome.exit_code == 0
        assert outcome.stderr == f"warning: others can read the key: chmod 600 {key}\n"

    def test_the_digest_is_hmac_sha256(self):
        """By the standard library on its own: whoever has the key can make the list of names again."""
        import hashlib
        import hmac

        wanted = hmac.new(b"k" * 32, b"sample\0A", hashlib.sha256).hexdigest()
        assert Pseudonyms(b"k" * 32).name("A") == f"P{wanted[:20]}"
        assert Pseudonyms(b"k" * 32).name("A") != Pseudonyms(b"l" * 32).name("A")


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        (
            "19\t1\tBOB\tT\tC\t.\t.\tBY=BOB,x;BOB=1;N=1\tGT\t0/1",
            "19\t1\tP\tT\tC\t.\t.\tBY=P,x;BOB=1;N=1\tGT\t0/1",
        ),
        ("19\t1\trs429358;BOB\tT\tC\t.\t.\t.\tGT\tBOB", "19\t1\trs429358;P\tT\tC\t.\t.\t.\tGT\tBOB"),
        ("19\t1\t.\tT\tC", "19\t1\t.\tT\tC"),
    ],
)
def test_what_of_a_record_is_a_name(record, wanted):
    """Keys, numbers and rsIDs stay, also where a sample is called so; genotypes are no names."""
    hide = Pseudonyms(b"k" * 32)
    found = hide.record(record, frozenset({"BOB", "1", "rs429358", "N"}))
    assert found == wanted.replace("P\t", hide.name("BOB") + "\t").replace("=P,", f"={hide.name('BOB')},")


@pytest.mark.parametrize(
    ("line", "means_something"),
    [
        ("##bcftools_mergeCommand=merge -o /x/BOB.vcf -0 a.vcf BOB.vcf", True),
        ("##bcftools_mergeCommand=merge BOB.vcf --missing-to-ref", True),
        ("##c=plugin setGT BOB -- -t . -n 0", True),
        ("##liftoverCommand=BOB.vcf", True),
        ("##c=merge BOB.vcf", False),
    ],
)
def test_of_a_header_only_the_meaning_is_kept(line, means_something):
    kept = without_names([line])
    assert bool(kept) is means_something
    assert "BOB" not in " ".join(kept)
    for meaning in ("absence-stated", "lifted"):
        assert header_says(kept, meaning) is header_says([line], meaning)


def test_the_folder_of_a_reference_names_nobody(tmp_path, key, run_pgx):
    path = write_vcf(tmp_path / "a.vcf", contig_lengths=False)
    text = path.read_text().replace("\n", "\n##reference=file:///home/Quixote/GRCh38.fa\n", 1)
    path.write_text(text)
    plain, hidden = (
        json.loads(run_pgx("annotate", path, "-f", "json", *more).stdout)["input"]["assembly_evidence"]
        for more in ([], ["--pseudonymise", key])
    )
    assert "Quixote" in json.dumps(plain)
    assert "Quixote" not in json.dumps(hidden)
    assert "GRCh38.fa" in json.dumps(hidden)
