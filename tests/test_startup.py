"""One sample must stay fast: what is imported for it, and what is not."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from vcf_builder import site, write_vcf

HEAVY = {"pandas", "numpy", "pyarrow", "matplotlib", "jinja2", "dask", "distributed", "scipy", "typst"}
RECORDS = [site("rs429358", gt="0/1:99", format="GT:GQ"), site("rs7412", gt="0/0:99", format="GT:GQ")]
_PROBE = """
import atexit, json, sys

def tell():  # registered, since a quick command ends without going on here
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)

atexit.register(tell)
sys.argv = ["pgx", *sys.argv[1:]]
from pgx.cli.main import main  # which builds only the command that is asked for
main()
"""
#: Modules of pgx that one sample to text may import, packages counted: some of them hold code.
MOST_MODULES = 50
#: And a cohort of one file.
MOST_MODULES_COHORT = 74


def loaded(tmp_path, *arguments):
    """Run the command line in a new process and return its modules and output."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PATH": "", "PYTHONUTF8": "1"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1])), done.stdout


def imported(tmp_path, *arguments):
    """Return the top-level modules that the command line imported, and its output."""
    modules, output = loaded(tmp_path, *arguments)
    return {name.partition(".")[0] for name in modules}, output


def needed_by_typer(tmp_path):
    """Return what typer itself imports: that is not ours to avoid."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys, json, typer; print(json.dumps(list(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "tsv"])
def test_one_sample_imports_nothing_heavy(tmp_path, form):
    path = write_vcf(tmp_path / "a.vcf.gz", records=RECORDS, index="tbi")
    modules, output = imported(tmp_path, "annotate", path, "-f", form)
    assert output
    assert "pysam" in modules, "the probe must see what is imported"
    assert modules & HEAVY - needed_by_typer(tmp_path) == set()


def test_one_sample_imports_few_modules_of_pgx(tmp_path):
    path = write_vcf(tmp_path / "a.vcf.gz", records=RECORDS, index="tbi")
    modules, _ = loaded(tmp_path, "annotate", path)
    ours = sorted(name for name in modules if name.partition(".")[0] == "pgx")
    assert "pgx.observe.site" in ours, "the probe must see what is imported"
    assert len(ours) <= MOST_MODULES, f"{len(ours)} modules: {', '.join(ours)}"


def test_a_cohort_of_one_file_imports_few_modules(tmp_path):
    path = write_vcf(tmp_path / "a.vcf.gz", records=RECORDS, index="tbi")
    modules, _ = loaded(tmp_path, "cohort", path, "-o", tmp_path / "out", "--jobs", 1)
    ours = sorted(name for name in modules if name.partition(".")[0] == "pgx")
    assert "pgx.cohort.store" in ours, "the probe must see what is imported"
    assert len(ours) <= MOST_MODULES_COHORT, f"{len(ours)} modules: {', '.join(ours)}"


#: Packages are as if never installed; a None in sys.modules would be seen by those that look there.
_MISSING = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in NAMES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from pgx.cli.main import main
main()
"""


def without(tmp_path, missing, *arguments):
    """Run the command line where some packages cannot be imported."""
    code = _MISSING.replace("NAMES", repr(missing))
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )


def test_one_sample_needs_no_table_library(tmp_path):
    path = write_vcf(tmp_path / "a.vcf.gz", records=RECORDS, index="tbi")
    for form in ("text", "json", "tsv", "html"):
        done = without(tmp_path, ["pyarrow", "pandas", "numpy"], "annotate", path, "-f", form)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


def test_a_cohort_without_pyarrow_is_one_line_with_the_cure(tmp_path):
    path = write_vcf(tmp_path / "a.vcf.gz", records=RECORDS, index="tbi")
    done = without(tmp_path, ["pyarrow"], "cohort", path, "-o", tmp_path / "out", "--jobs", 1)
    assert (done.returncode, done.stdout) == (2, "")
    words = "cohorts need pyarrow, which cannot be imported. Install it: python -m pip install pyarrow"
    assert done.stderr == f"error: {words}\n"
    assert not (tmp_path / "out").exists()
    assert without(tmp_path, ["pandas"], "cohort", path, "-o", tmp_path / "out", "--jobs", 1).returncode == 0


def test_inspecting_imports_nothing_heavy(tmp_path):
    path = write_vcf(tmp_path / "a.vcf.gz", records=RECORDS, index="tbi")
    modules, _ = imported(tmp_path, "inspect", path)
    assert modules & HEAVY - needed_by_typer(tmp_path) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["annotate", "--help"], ["--version"]])
def test_help_imports_no_reader(tmp_path, arguments):
    modules, output = imported(tmp_path, *arguments)
    assert output
    assert modules & (HEAVY | {"pysam"}) - needed_by_typer(tmp_path) == set()


def test_a_file_on_disk_needs_no_network_library(tmp_path):
    path = write_vcf(tmp_path / "a.vcf.gz", records=RECORDS, index="tbi")
    modules, _ = imported(tmp_path, "annotate", path)
    assert modules & {"http", "ssl", "requests", "socketserver"} == set()


def test_no_byte_is_lost_at_the_quick_end(tmp_path):
    names = [f"P{number}" for number in range(60)]
    path = write_vcf(tmp_path / "many.vcf", samples=names, records=RECORDS)
    arguments = [sys.executable, "-m", "pgx", "annotate", str(path), "-f", "json"]
    environment = {"PATH": "", "PYTHONUTF8": "1", "SOURCE_DATE_EPOCH": "0"}
    piped = subprocess.run(arguments, capture_output=True, check=True, env=environment)
    subprocess.run([*arguments, "-o", str(tmp_path / "a.json")], check=True, env=environment)
    assert len(piped.stdout) > 1_000_000
    assert piped.stdout == (tmp_path / "a.json").read_bytes()
    assert len(json.loads(piped.stdout)["samples"]) == len(names)


def test_what_is_registered_for_the_end_is_done(tmp_path):
    path, left = write_vcf(tmp_path / "a.vcf", records=RECORDS), tmp_path / "left"
    code = (
        f"import atexit, sys; sys.argv = ['pgx', 'annotate', {str(path)!r}, '--strict']\n"
        f"atexit.register(lambda: open({str(left)!r}, 'w').write('done'))\n"
        "from pgx.cli.main import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0
    assert b"APOE" in done.stdout
    assert left.read_text() == "done"


_GARBAGE_PROBE = """
import gc, sys
import pgx.cli.main as line
from pgx.__main__ import main

before, seen, build = gc.get_threshold()[0], [], line.build
line.build = lambda *names: seen.append(gc.isenabled()) or build(*names)
line._leave = sys.exit
sys.argv = ["pgx", sys.argv[1], "--help"]
try:
    main()
except SystemExit:
    later = gc.get_threshold()[0] > before
    print(*seen, gc.isenabled(), gc.get_freeze_count() > 10_000, later, file=sys.stderr)
"""


@pytest.mark.parametrize("command", ["annotate", "cohort"])
def test_garbage_is_looked_for_only_after_the_imports(command):
    arguments = [sys.executable, "-c", _GARBAGE_PROBE, command]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr.split() == ["False", "True", "True", "True"], done.stderr
