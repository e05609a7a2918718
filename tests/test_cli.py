"""The command line as a user meets it: formats, outputs, pipes, errors and exit codes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Annotated, ClassVar, get_args, get_origin

import msgspec
import pytest
import typer
from msgspec import Struct
from vcf_builder import site, write_vcf

from pgx.cli.annotate import ShownOptions
from pgx.cli.cohort import ReportsOptions
from pgx.cli.evidence import Selection
from pgx.cli.main import _COMMANDS
from pgx.cli.options import FormOptions
from pgx.options import (
    CohortOptions,
    Limits,
    Option,
    Options,
    PageOptions,
    Parameters,
    Rechecked,
    declared,
    parameters_of,
    stated,
)
from pgx.reference import threshold

CARRIER = "NA18526.e3-e4.GRCh38.vcf"
MANY = "eight-people.GRCh38.vcf.gz"


def one_line_error(outcome, exit_code=3):
    assert outcome.exit_code == exit_code
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("error: ")
    assert outcome.stderr.count("\n") == 1
    assert "Traceback" not in outcome.stderr
    return outcome.stderr


def test_version(run_pgx):
    outcome = run_pgx("--version")
    assert outcome.exit_code == 0
    assert outcome.stdout.startswith("pgx ")


@pytest.mark.parametrize("command", [[], ["annotate"], ["evidence"], ["evidence", "list"]])
def test_help_names_every_command(run_pgx, command):
    outcome = run_pgx(*command, "--help")
    assert outcome.exit_code == 0
    assert "Usage" in outcome.stdout


READING = "Reading the input"


def _is_plain(kind):
    """Return whether a parameter of a command is an option of its own: no class of them, no context."""
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return not (isinstance(kind, type) and issubclass(kind, (Struct, typer.Context)))


class _Grown(Struct, frozen=True, kw_only=True):
    """Options of which one was added when there were results already."""

    first: Annotated[int, Option("First.", READING)] = 1
    later: Annotated[str, Option("Later.", READING, before="old")] = "new"


class TestDeclaredOptions:
    """The command line, the JSON and the help say what `pgx.options` declares, and nothing else does."""

    GIVEN: ClassVar = {
        "assembly": ("GRCh38", "GRCh38"),
        "absent_sites": ("reference", "reference"),
        "keep_filtered": (None, True),
        "min_gq": ("7", 7.0),
        "min_dp": ("3", 3),
        "min_probability": ("0.97", 0.97),
        "population": ("EUR", "EUR"),
        "genotype_error_rate": ("0.001", 0.001),
        "indication": ("stroke", "stroke"),
        "taking": ("lithium, donepezil", ["lithium", "donepezil"]),
        "history": ("epilepsy", ["epilepsy"]),
        "age": ("71", 71.0),
        "reveal_minor": (None, True),
        "drug": ("lecanemab", "lecanemab"),
        "neighbours": ("always", "always"),
    }

    #: These ask for an input of another kind; tests/reads reaches them.
    OF_READS: ClassVar = {"reads", "reference", "genotype", "method"}

    def test_each_option_alone_reaches_the_result(self, run_pgx, sample_vcfs, repository, tmp_path):
        bed, folder = tmp_path / "x.bed", repository / "examples" / "evidence"
        bed.write_text("chr19\t1\t2\n")
        cases = self.GIVEN | {"callable": (bed, str(bed)), "evidence": (folder, [str(folder)])}
        plain = json.loads(run_pgx("annotate", sample_vcfs / CARRIER, "-f", "json").stdout)["parameters"]
        usual = Options(genotype_error_rate=threshold("allele_error_rate"))  # of a VCF
        assert plain == json.loads(msgspec.json.encode(stated(usual)))
        assert set(plain) == set(cases) | self.OF_READS
        for item in declared(Options):
            if not item.option.stated or item.key in self.OF_READS:
                continue
            value, expected = cases[item.key]
            given = [item.flag] if value is None else [item.flag, value]
            outcome = run_pgx("annotate", sample_vcfs / CARRIER, "-f", "json", *given)
            assert outcome.exit_code == 0, outcome.stderr
            found = json.loads(outcome.stdout)["parameters"]
            assert found[item.key] == expected != plain[item.key]
            assert found | {item.key: None} == plain | {item.key: None}

    @pytest.mark.parametrize("command", ["annotate", "cohort"])
    def test_the_help_has_each_option_with_its_default(self, run_pgx, command):
        text = " ".join(run_pgx(command, "--help").stdout.split())
        for item in declared(Options):
            if not item.option.is_of(command):
                assert f" {item.flag} " not in text
                continue
            assert f" {item.flag} " in text
            assert item.option.help.rstrip(".") in text
            assert f" {item.option.panel}: " in text
            default = item.default() if item.is_factory else item.default
            if default not in {None, False, ()}:
                assert f"[default: {default}]" in text

    def test_a_default_that_is_a_fact_is_written_nowhere_else(self):
        for item in declared(Options):
            if item.is_factory:
                assert str(item.default()) not in item.option.help

    def test_the_file_describes_each_option_and_no_other(self, repository):
        """A name that is misspelled in reference/options.toml would leave an option without its flag."""
        table = tomllib.loads((repository / "reference" / "options.toml").read_text("utf-8"))["option"]
        classes = (Options, PageOptions, CohortOptions, FormOptions, ReportsOptions, ShownOptions, Selection)
        names = {kind.__name__: set(kind.__struct_fields__) for kind in classes}
        names["CohortOptions"] -= {"arrays_from", "page"}  # for Python only
        for title in table.keys() - names:
            command, _, inner = title.partition(" ")
            module, name = import_module(_COMMANDS[command]), inner or command
            given = signature(getattr(module, f"{name}_", None) or getattr(module, name), eval_str=True)
            names[title] = {name for name, item in given.parameters.items() if _is_plain(item.annotation)}
        assert {title: set(entries) for title, entries in table.items()} == names
        assert {*Rechecked.__struct_fields__} == {item.name for item in declared(Rechecked)}

    def test_an_option_that_came_later_has_a_value_in_older_results(self):
        """`before` of an option is what a result was made with that does not state it yet."""
        kind = parameters_of(_Grown)
        assert msgspec.json.decode(b'{"first": 2}', type=kind).later == "old"
        with pytest.raises(msgspec.ValidationError, match="first"):
            msgspec.json.decode(b"{}", type=kind)

    def test_results_of_version_0_1_lack_six_options(self):
        usual = json.loads(msgspec.json.encode(stated(Options(genotype_error_rate=0.001))))
        later = dict.fromkeys(["drug", "reads", "reference", "genotype", "method"]) | {"neighbours": "off"}
        old = msgspec.json.encode({key: value for key, value in usual.items() if key not in later})
        read = msgspec.json.decode(old, type=Parameters)
        assert {key: getattr(read, key) for key in later} == later

    def test_a_command_may_have_a_default_of_its_own(self, run_pgx):
        for command, default in (("annotate", "auto"), ("cohort", "off")):
            text = " ".join(run_pgx(command, "--help").stdout.split())
            assert re.search(r"--neighbours [^-]*\[default: (\w+)\]", text)[1] == default

    @pytest.mark.parametrize(
        ("arguments", "line"),
        [
            (["serve", "--port", "65536"], "--port: the value is out of range. Give a number of at least 0"),
            (["evidence", "list", "--marker", "0"], "--marker: the value is out of range"),
            (["report", "x.json", "--max-result", "0"], "--max-result: the value is out of range"),
            (["recheck", ".", "--jobs", "0"], "--jobs: the value is out of range"),
        ],
    )
    def test_an_option_of_one_command_has_limits_too(self, run_pgx, arguments, line):
        assert line in one_line_error(run_pgx(*arguments), exit_code=2)

    @pytest.mark.parametrize(
        ("limits", "value", "holds"),
        [
            (Limits(above=0.5, below=1), 0.5, False),
            (Limits(above=0.5, below=1), 0.51, True),
            (Limits(above=0.5, below=1), 1, False),
            (Limits(least=0), 0, True),
            (Limits(least=0), -1e-9, False),
            (Limits(least=0), math.nan, False),
            (Limits(below=1), math.nan, False),
        ],
    )
    def test_limits(self, limits, value, holds):
        assert limits.hold(value) is holds

    @pytest.mark.parametrize(
        ("arguments", "option"),
        [
            (["--jobs", "0"], "--jobs"),
            (["--min-cell", "-1"], "--min-cell"),
            (["--shard", "3/2"], "--shard"),
            (["--min-dp", "-1"], "--min-dp"),
        ],
    )
    def test_a_cohort_refuses_what_is_out_of_its_limits(
        self, run_pgx, sample_vcfs, tmp_path, arguments, option
    ):
        outcome = run_pgx("cohort", sample_vcfs / CARRIER, "-o", tmp_path / "out", *arguments)
        assert option in one_line_error(outcome, exit_code=2)
        assert not (tmp_path / "out").exists()


class TestNames:
    """`pgx list`, completion, and what was probably meant."""

    @pytest.mark.parametrize(
        ("kind", "first", "rows"),
        [
            ("populations", "global", 30),
            ("indications", None, 5),
            ("medicines", None, 50),
            ("histories", None, 10),
            ("formats", "text", 8),
            ("exit-codes", "0", 10),
        ],
    )
    def test_list(self, run_pgx, kind, first, rows):
        outcome = run_pgx("list", kind)
        lines = outcome.stdout.splitlines()
        assert outcome.exit_code == 0
        assert len(lines) >= rows
        assert first is None or lines[0].split()[0].startswith(first)
        assert all(len(line.split()) > 1 for line in lines)

    def test_what_is_listed_is_taken(self, run_pgx, sample_vcfs):
        for kind, flag in (("populations", "--population"), ("indications", "--indication")):
            for line in run_pgx("list", kind).stdout.splitlines():
                name, meaning = line.split(maxsplit=1)
                outcome = run_pgx("annotate", sample_vcfs / CARRIER, "-f", "tsv", flag, name)
                of_cohorts = meaning.startswith("pgx cohort only")
                assert (outcome.exit_code, outcome.stderr) == (0, "") or (
                    of_cohorts and outcome.exit_code == 2
                )
                assert of_cohorts == (name == "estimate")
        for kind, flag in (("medicines", "--taking"), ("histories", "--history")):
            names = [line.split("  ")[0] for line in run_pgx("list", kind).stdout.splitlines()]
            given = [name for name in names if "," not in name]
            outcome = run_pgx("annotate", sample_vcfs / CARRIER, "-f", "tsv", flag, ",".join(given))
            assert (outcome.exit_code, outcome.stderr) == (0, "")

    def test_every_exit_code_is_listed(self, run_pgx):
        from pgx.errors import PgxError

        def codes(kind):
            return {kind.exit_code}.union(*(codes(child) for child in kind.__subclasses__()))

        listed = {int(line.split()[0]) for line in run_pgx("list", "exit-codes").stdout.splitlines()}
        assert {0, 1, 2, 3, 4, 5, 6, 129, 130, 143} == listed
        assert codes(PgxError) <= listed

    @pytest.mark.parametrize(
        ("arguments", "code", "meant"),
        [
            (["-s", "na18526"], 3, "Did you mean NA18526?"),
            (["--population", "EURO"], 2, "Did you mean EUR?"),
            (["--population", "Atlantis"], 2, "Use one of global, AFR"),
            (["--indication", "strok"], 2, "Did you mean stroke?"),
            (["--populaton", "EUR"], 2, "--population"),
        ],
    )
    def test_what_was_probably_meant(self, run_pgx, sample_vcfs, arguments, code, meant):
        outcome = run_pgx("annotate", sample_vcfs / CARRIER, *arguments)
        assert outcome.exit_code == code
        assert meant in outcome.stderr

    def test_a_sample_of_a_stored_result(self, run_pgx, sample_vcfs, tmp_path):
        assert run_pgx("annotate", sample_vcfs / MANY, "-o", tmp_path / "x.json").exit_code == 0
        message = one_line_error(run_pgx("report", tmp_path / "x.json", "-s", "na19146"))
        assert "Did you mean NA19146?" in message

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("anotate", "Did you mean annotate?"),
            ("sample.vcf", "Did you mean pgx annotate sample.vcf?"),
            ("folder/sample", "Did you mean pgx annotate folder/sample?"),
            ("frobnicate", "See pgx --help"),
        ],
    )
    def test_what_is_no_command(self, run_pgx, name, meant):
        assert meant in one_line_error(run_pgx(name), exit_code=2)

    def test_names_that_nothing_is_known_of_are_said(self, run_pgx, sample_vcfs):
        given = ["--taking", "litium, sertraline, frobnicate", "--history", "epilepsi"]
        outcome = run_pgx("annotate", sample_vcfs / CARRIER, "-f", "tsv", *given)
        assert outcome.exit_code == 0
        assert outcome.stderr.splitlines() == [
            "warning: --taking: 'litium' is not known. Did you mean lithium?",
            "warning: --taking: 'frobnicate' is not known. See pgx list medicines",
            "warning: --history: 'epilepsi' is not known. Did you mean epilepsy or epileptic?",
        ]

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            ("annotate x.vcf --population E", {"EUR", "EAS", "ESN"}),
            ("annotate x.vcf --indication str", {"stroke"}),
            (
                "annotate x.vcf --taking donepezil,lithium",
                {"donepezil,lithium", "donepezil,lithium carbonate"},
            ),
            ("annotate x.vcf --absent-sites r", {"reference"}),
            ("annotate x.vcf --format js", {"json", "jsonl"}),
            ("list exit", {"exit-codes"}),
            ("anno", {"annotate"}),
        ],
    )
    def test_completion(self, sample_vcfs, words, found):
        """What a shell gets that asks for what the last word may become."""
        asking = {
            "_PGX_COMPLETE": "complete_bash",
            "COMP_WORDS": f"pgx {words}",
            "COMP_CWORD": str(len(words.split())),
            "PYTHONPATH": str(sample_vcfs.parent),
        }
        code = "import sys; from pgx.cli.main import main; sys.argv = ['pgx']; main()"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=False, text=True, env=os.environ | asking
        )
        lines = done.stdout.splitlines()
        assert found <= set(lines), done.stderr
        assert all(line.startswith(words.split()[-1]) for line in lines)


def test_a_damaged_installation_is_one_line(repository, tmp_path):
    for name in ("pgx", "reference"):
        shutil.copytree(repository / name, tmp_path / name, ignore=shutil.ignore_patterns("toml.cache"))
    (tmp_path / "reference" / "options.toml").write_text("[option")
    run = [sys.executable, "-m", "pgx", "--version"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
    assert done.stderr.startswith("error: ")
    assert "options.toml: is not valid TOML" in done.stderr


class TestInputErrors:
    def test_missing_file(self, run_pgx, tmp_path):
        assert "no such file" in one_line_error(run_pgx("annotate", tmp_path / "nothing.vcf"))

    def test_empty_file(self, run_pgx, tmp_path):
        (tmp_path / "empty.vcf").touch()
        assert "is empty" in one_line_error(run_pgx("annotate", tmp_path / "empty.vcf"))
        for command in ("annotate", "inspect"):
            for name in ("empty.bam", "empty.CRAM"):
                (tmp_path / name).touch()
                line = one_line_error(run_pgx(command, tmp_path / name))
                assert "is empty" in line
                assert "vcf" not in line.replace(str(tmp_path), "").lower()

    def test_folder(self, run_pgx, tmp_path):
        assert "is a folder" in one_line_error(run_pgx("annotate", tmp_path))

    @pytest.mark.parametrize(
        "content", [b"hello\nworld\n", b"\x89PNG\r\n\x1a\n" + bytes(100), b">chr19\nACGT\n"]
    )
    def test_not_a_vcf(self, run_pgx, tmp_path, content):
        path = tmp_path / "picture.vcf"
        path.write_bytes(content)
        assert "is not a VCF or BCF" in one_line_error(run_pgx("annotate", path))

    def test_reads_as_text(self, run_pgx, tmp_path):
        (tmp_path / "a.sam").write_text("@HD\tVN:1.6\n")
        line = one_line_error(run_pgx("annotate", tmp_path / "a.sam"))
        assert "is SAM, not BAM or CRAM" in line
        assert "samtools view -b" in line

    def test_gzip_of_something_else(self, run_pgx, tmp_path):
        path = tmp_path / "x.vcf.gz"
        path.write_bytes(gzip.compress(b"hello\n" * 100))
        assert "is not a VCF or BCF" in one_line_error(run_pgx("annotate", path))

    def test_sites_only(self, run_pgx, tmp_path):
        path = tmp_path / "sites.vcf"
        path.write_text(
            "##fileformat=VCFv4.2\n##contig=<ID=19,length=58617616>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
            "19\t44908684\trs429358\tT\tC\t.\t.\t.\n"
        )
        assert "has no samples" in one_line_error(run_pgx("annotate", path))

    def test_unknown_sample_names_those_that_there_are(self, run_pgx, sample_vcfs):
        message = one_line_error(run_pgx("annotate", sample_vcfs / CARRIER, "-s", "nobody"))
        assert "no sample 'nobody'" in message
        assert "NA18526" in message

    def test_truncated_bgzip(self, run_pgx, sample_vcfs, tmp_path):
        whole = (sample_vcfs / MANY).read_bytes()
        path = tmp_path / "half.vcf.gz"
        path.write_bytes(whole[: len(whole) // 2])
        one_line_error(run_pgx("annotate", path))

    def test_unreadable_callable_bed(self, run_pgx, sample_vcfs, tmp_path):
        message = one_line_error(
            run_pgx("annotate", sample_vcfs / CARRIER, "--callable", tmp_path / "nothing.bed")
        )
        assert "--callable" in message

    def test_escape_sequences_of_a_name_do_not_reach_the_terminal(self, run_pgx, tmp_path):
        message = one_line_error(run_pgx("annotate", tmp_path / "a\x1b[31mb.vcf"))
        assert "\x1b" not in message


class TestUsage:
    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("--min-probability", "0.5"),
            ("--min-probability", "1"),
            ("--genotype-error-rate", "0"),
            ("--min-gq", "-1"),
            ("--min-dp", "-1"),
            ("--population", "Atlantis"),
            ("--assembly", "hg99"),
            ("--age", "-3"),
            ("--indication", "boredom"),
        ],
    )
    def test_a_bad_value_is_named(self, run_pgx, sample_vcfs, option, value):
        message = one_line_error(run_pgx("annotate", sample_vcfs / CARRIER, option, value), exit_code=2)
        assert option in message or value in message

    def test_unknown_output_ending(self, run_pgx, sample_vcfs, tmp_path):
        one_line_error(run_pgx("annotate", sample_vcfs / CARRIER, "-o", tmp_path / "x.docx"), exit_code=2)
        assert list(tmp_path.iterdir()) == []

    def test_unknown_option_keeps_the_form_of_the_command_line_library(self, run_pgx, sample_vcfs):
        assert run_pgx("annotate", sample_vcfs / CARRIER, "--nonsense").exit_code == 2


class TestAssembly:
    def test_option_against_the_header(self, run_pgx, sample_vcfs):
        message = one_line_error(run_pgx("annotate", sample_vcfs / CARRIER, "--assembly", "GRCh37"))
        assert "GRCh37" in message
        assert "GRCh38" in message

    def test_unknown_names_the_option(self, run_pgx, tmp_path):
        path = write_vcf(tmp_path / "x.vcf", contig_lines=False)
        assert "--assembly" in one_line_error(run_pgx("annotate", path))


class TestOutput:
    def test_tsv_columns_and_rows(self, run_pgx, sample_vcfs):
        outcome = run_pgx("annotate", sample_vcfs / MANY, "-f", "tsv")
        rows = list(csv.DictReader(io.StringIO(outcome.stdout), delimiter="\t"))
        assert list(rows[0]) == [
            *("sample", "input", "assembly", "rs429358", "rs7412", "diplotype", "diplotype_probability"),
            *("e4_status", "e4_copies", "e4_carrier_probability", "phase", "conclusion", "flags"),
            *("population", "source", "neighbours_diplotype", "neighbours_probability"),
            *("neighbours_markers", "neighbours_agree", "report"),
        ]
        assert len(rows) == 8
        rare = next(row for row in rows if row["sample"] == "NA19146")
        assert (rare["diplotype"], rare["e4_status"], rare["e4_copies"]) == ("", "carrier", "")

    def test_samples_in_the_order_asked_for(self, run_pgx, sample_vcfs):
        outcome = run_pgx("annotate", sample_vcfs / MANY, "-f", "tsv", "-s", "NA19146", "-s", "HG00096")
        assert [line.split("\t")[0] for line in outcome.stdout.splitlines()[1:]] == ["NA19146", "HG00096"]

    def test_jsonl_is_a_whole_document_a_line(self, run_pgx, sample_vcfs):
        outcome = run_pgx("annotate", sample_vcfs / MANY, "-f", "jsonl")
        documents = [json.loads(line) for line in outcome.stdout.splitlines()]
        assert len(documents) == 8
        assert all(len(document["samples"]) == 1 and "reference" in document for document in documents)

    @pytest.mark.parametrize("ending", ["txt", "json", "jsonl", "tsv"])
    def test_the_ending_decides_and_the_file_equals_stdout(
        self, run_pgx, sample_vcfs, tmp_path, ending, monkeypatch
    ):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
        path = tmp_path / f"report.{ending}"
        form = {"txt": "text"}.get(ending, ending)
        assert run_pgx("annotate", sample_vcfs / MANY, "-o", path).exit_code == 0
        assert path.read_text(encoding="utf-8") == run_pgx("annotate", sample_vcfs / MANY, "-f", form).stdout

    def test_a_failed_run_leaves_an_earlier_file(self, run_pgx, tmp_path):
        path = tmp_path / "report.json"
        path.write_text("earlier")
        one_line_error(run_pgx("annotate", tmp_path / "nothing.vcf", "-o", path))
        assert path.read_text() == "earlier"
        assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]

    def test_a_folder_that_is_not_there(self, run_pgx, sample_vcfs, tmp_path):
        assert "cannot be written" in one_line_error(
            run_pgx("annotate", sample_vcfs / CARRIER, "-o", tmp_path / "no" / "report.json")
        )

    def test_strict_exits_6_for_an_indeterminate_status(self, run_pgx, sample_vcfs):
        assert run_pgx("annotate", sample_vcfs / "absent-sites.GRCh38.vcf", "--strict").exit_code == 6
        assert run_pgx("annotate", sample_vcfs / "absent-sites.GRCh38.vcf").exit_code == 0
        assert run_pgx("annotate", sample_vcfs / CARRIER, "--strict").exit_code == 0

    def test_two_runs_give_the_same_bytes(self, run_pgx, sample_vcfs, monkeypatch):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        first, second = (run_pgx("annotate", sample_vcfs / MANY, "-f", "json").stdout for _ in range(2))
        assert first == second
        assert json.loads(first)["created"] == "2023-11-14T22:13:20Z"


class TestNothingIsLost:
    """An output never takes the place of an input, an index or another output."""

    @pytest.mark.parametrize("command", ["annotate", "inspect"])
    @pytest.mark.parametrize("name", [MANY, f"{MANY}.tbi"])
    def test_an_output_that_is_an_input(self, run_pgx, sample_vcfs, tmp_path, command, name):
        for file in (MANY, f"{MANY}.tbi"):
            (tmp_path / file).write_bytes((sample_vcfs / file).read_bytes())
        before = (tmp_path / name).read_bytes()
        message = one_line_error(
            run_pgx(command, tmp_path / MANY, "-f", "json", "-o", tmp_path / name), exit_code=2
        )
        assert "would be lost" in message
        assert (tmp_path / name).read_bytes() == before

    def test_an_annotated_copy_in_place_of_the_vcf(self, run_pgx, sample_vcfs, tmp_path):
        path = tmp_path / "own.vcf"
        path.write_bytes((sample_vcfs / CARRIER).read_bytes())
        one_line_error(run_pgx("annotate", path, "-o", path), exit_code=2)
        assert path.read_bytes() == (sample_vcfs / CARRIER).read_bytes()

    def test_one_name_for_two_outputs(self, run_pgx, sample_vcfs, tmp_path):
        both = tmp_path / "x.txt"
        one_line_error(run_pgx("annotate", sample_vcfs / CARRIER, "-o", both, "--handout", both), exit_code=2)
        assert not both.exists()


class TestBirthDate:
    @pytest.mark.parametrize(("born", "withheld"), [("2018-01-31", True), ("1950-01-31", False)])
    def test_a_stated_birth_date_counts_like_an_age(
        self, run_pgx, sample_vcfs, tmp_path, monkeypatch, born, withheld
    ):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")  # 2026
        meta = tmp_path / "meta.toml"
        meta.write_text(f"[sample.NA18526]\nbirth_date = {born}\n")
        outcome = run_pgx("annotate", sample_vcfs / CARRIER, "--report-meta", meta)
        assert ("ε3/ε4" not in outcome.stdout) is withheld
        assert ("withheld" in outcome.stdout) is withheld

    def test_what_is_no_date_is_refused(self, run_pgx, sample_vcfs, tmp_path):
        meta = tmp_path / "meta.toml"
        meta.write_text('[sample.NA18526]\nbirth_date = "spring 2018"\n')
        assert "birth_date" in one_line_error(
            run_pgx("annotate", sample_vcfs / CARRIER, "--report-meta", meta)
        )


class TestStoredResult:
    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("genotype", "e4_status"), "banana"),
            (("genotype", "diplotype_posterior"), {}),
            (("genotype", "best_diplotype"), "e5/e5"),
            (("sites",), []),
        ],
    )
    def test_a_value_that_cannot_be_is_refused(self, run_pgx, sample_vcfs, tmp_path, path, value):
        plain = json.loads(run_pgx("annotate", sample_vcfs / CARRIER, "-f", "json").stdout)
        place = plain["samples"][0]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        stored = tmp_path / "result.json"
        stored.write_text(json.dumps(plain))
        assert path[-1] in one_line_error(run_pgx("report", stored, "-f", "html"))

    def test_a_result_without_samples_is_refused(self, run_pgx, sample_vcfs, tmp_path):
        plain = json.loads(run_pgx("annotate", sample_vcfs / CARRIER, "-f", "json").stdout)
        stored = tmp_path / "result.json"
        stored.write_text(json.dumps(plain | {"samples": []}))
        one_line_error(run_pgx("report", stored, "-o", tmp_path / "x.html"))
        assert not (tmp_path / "x.html").exists()


class TestPipes:
    def test_standard_input_of_every_packing(self, run_pgx_process, sample_vcfs, tmp_path):
        expected = None
        for kind in (".vcf", ".vcf.gz", ".bcf"):
            path = write_vcf(
                tmp_path / f"x{kind}", records=[site("rs429358", gt="0/1"), site("rs7412", gt="0/0")]
            )
            outcome = run_pgx_process("annotate", "-", "-f", "tsv", input=Path(path).read_bytes())
            assert outcome.exit_code == 0, outcome.stderr
            expected = expected or outcome.stdout
            assert outcome.stdout == expected
        assert "e3/e4" in expected

    def test_nothing_on_standard_input(self, run_pgx_process):
        outcome = run_pgx_process("annotate", "-", input=b"")
        assert outcome.exit_code == 3
        assert outcome.stderr.startswith("error: standard input")

    def test_a_reader_that_goes_away_is_no_error(self, sample_vcfs):
        command = f"{sys.executable} -m pgx annotate {sample_vcfs / MANY} -f text | head -1"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            capture_output=True,
            check=False,
            text=True,
            env={**os.environ, "PYTHONPATH": str(sample_vcfs.parent)},
        )
        assert done.returncode == 0
        assert done.stdout.startswith("HG00096: APOE")
        assert done.stdout.count("\n") == 1
        assert done.stderr == ""


def test_a_traceback_shows_no_local_variables():
    """An unforeseen error prints a traceback; values of variables (genotypes) must not be in it."""
    from pgx.cli.main import app

    assert app.pretty_exceptions_show_locals is False
