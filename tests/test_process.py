"""How the process ends: streams that fail, signals, terminals, and input without measure."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CARRIER = ROOT / "sample_vcfs" / "NA18526.e3-e4.GRCh38.vcf"
MANY = ROOT / "sample_vcfs" / "eight-people.GRCh38.vcf.gz"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
PGX = [sys.executable, "-m", "pgx"]
#: What prints, by command and format.
PRINTING = [
    ["--help"],
    ["--version"],
    ["annotate", "--help"],
    *(["annotate", MANY, "-f", name] for name in ("text", "json", "jsonl", "tsv", "vcf")),
    *(["annotate", CARRIER, "-f", name] for name in ("html", "fhir")),
    *(["inspect", MANY, "-f", name] for name in ("text", "json")),
    *(["report", "RESULT", "-f", name] for name in ("text", "json", "jsonl", "tsv")),
    ["evidence", "list"],
    ["evidence", "show", "interaction-lithium"],
    *(["evidence", "export", "-f", name] for name in ("tsv", "json")),
    ["list", "medicines"],
    ["list", "exit-codes"],
]
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "result.json"
    subprocess.run([*PGX, "annotate", str(MANY), "-o", str(path)], check=True, env=ENVIRONMENT)
    return path


def command(arguments, result):
    return [*PGX, *(str(result if part == "RESULT" else part) for part in arguments)]


def names(folder):
    return [path.name for path in folder.iterdir()]


def run(line, **streams):
    return subprocess.run(line, stderr=subprocess.PIPE, text=True, check=False, env=ENVIRONMENT, **streams)


def is_one_line(errors):
    return errors.startswith("error: ") and errors.count("\n") == 1


@pytest.mark.parametrize("arguments", PRINTING, ids=lambda value: " ".join(map(str, value))[-40:])
def test_an_output_that_is_lost_is_an_error(arguments, result):
    """A full device and a closed descriptor: one line and exit 3, never exit 0."""
    line = command(arguments, result)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            line, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=ENVIRONMENT
        )
    assert done.returncode == 3, done.stderr
    assert is_one_line(done.stderr)
    assert "No space left" in done.stderr
    closed = ["sh", "-c", '"$@" >&-', "sh", *line]
    done = run(closed)
    assert done.returncode == 3, done.stderr
    assert is_one_line(done.stderr)


@pytest.mark.parametrize("arguments", PRINTING, ids=lambda value: " ".join(map(str, value))[-40:])
def test_a_reader_that_goes_away_is_no_error(arguments, result):
    """`| head -1`, and a reader that reads nothing at all."""
    for reader in ("head -1", "true"):
        line = [
            "bash",
            "-o",
            "pipefail",
            "-c",
            f'"$@" | {reader} > /dev/null',
            "bash",
            *command(arguments, result),
        ]
        done = subprocess.run(line, stderr=subprocess.PIPE, text=True, check=False, env=ENVIRONMENT)
        assert (done.returncode, done.stderr) == (0, "")


def test_errors_without_a_place_to_go_keep_their_exit_code(tmp_path):
    line = ["sh", "-c", '"$@" 2>&-', "sh", *PGX, "annotate", str(tmp_path / "no.vcf")]
    assert subprocess.run(line, check=False, env=ENVIRONMENT).returncode == 3
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*PGX, "annotate", "no.vcf"], stderr=full, check=False, env=ENVIRONMENT)
    assert done.returncode == 3


def test_a_file_does_not_take_the_number_of_a_closed_stream(tmp_path):
    """Else what is printed would be written into it."""
    output = tmp_path / "out.json"
    line = ["sh", "-c", '"$@" 0>&- 1>&- 2>&-', "sh", *PGX, "annotate", str(CARRIER), "-o", str(output)]
    assert subprocess.run(line, check=False, env=ENVIRONMENT).returncode == 0
    assert output.read_text().startswith("{")


class TestSignals:
    """Whatever the process waits for, it ends, and leaves nothing behind."""

    def ended(self, arguments, number, *, feed=None, started=None):
        """Start a command, wait until it waits, send a signal, and return exit code and stderr."""
        process = subprocess.Popen(
            [*PGX, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        )
        try:
            if feed:
                feed()
            wait_until_it_waits(process.pid)
            process.send_signal(number)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
        return process.returncode, errors.decode()

    @pytest.mark.parametrize(("number", "code"), SIGNALS)
    @pytest.mark.parametrize("name", ["annotate", "inspect", "report"])
    def test_a_pipe_that_nobody_writes(self, name, number, code, tmp_path):
        os.mkfifo(tmp_path / "pipe.vcf")
        arguments = [name, tmp_path / "pipe.vcf", "-o", tmp_path / "out.json"]
        assert self.ended(arguments, number) == (code, "")
        assert names(tmp_path) == ["pipe.vcf"]

    @pytest.mark.parametrize(("number", "code"), SIGNALS)
    @pytest.mark.parametrize("name", ["annotate", "inspect", "report"])
    def test_standard_input_that_gives_nothing(self, name, number, code, tmp_path):
        assert self.ended([name, "-", "-o", tmp_path / "out.json"], number) == (code, "")
        assert names(tmp_path) == []

    @pytest.mark.parametrize(("number", "code"), SIGNALS)
    @pytest.mark.parametrize("lines", [3, None], ids=["header", "records"])
    def test_a_pipe_that_falls_silent(self, lines, number, code, tmp_path):
        """A library that reads is not told of signals by Python: the process ends all the same."""
        pipe = tmp_path / "pipe.vcf"
        os.mkfifo(pipe)
        text = "".join(CARRIER.read_text().splitlines(keepends=True)[:lines])
        kept = []

        def feed():
            kept.append(os.open(pipe, os.O_WRONLY))
            os.write(kept[0], text.encode())

        try:
            arguments = ["annotate", pipe, "-o", tmp_path / "out.json"]
            assert self.ended(arguments, number, feed=feed) == (code, "")
        finally:
            os.close(kept[0])
        assert names(tmp_path) == ["pipe.vcf"]

    @pytest.mark.parametrize(("number", "code"), SIGNALS)
    @pytest.mark.parametrize("ending", ["vcf", "json"])
    def test_an_output_that_is_half_written(self, ending, number, code, tmp_path):
        """The writing stops in the middle: no part of a genotype is left."""
        probe = (
            "import sys, time\nimport pgx.files as files\n"
            "class Slow:\n"
            "    def __init__(self, path): self.path = path\n"
            "inner = files.Staged._finish\n"
            "def slow(self):\n    print('writing', flush=True)\n    time.sleep(60)\n    inner(self)\n"
            "files.Staged._finish = slow\n"
            "from pgx.cli.main import main\n"
            f"sys.argv = ['pgx', 'annotate', {str(CARRIER)!r}, '-o', {str(tmp_path / f'out.{ending}')!r}]\n"
            "main()\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", probe], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
        )
        assert process.stdout.readline() == b"writing\n"
        assert names(tmp_path) != []
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (code, b"")
        assert names(tmp_path) == []

    @pytest.mark.parametrize(("number", "code"), SIGNALS)
    def test_a_cohort_keeps_what_is_done_and_nothing_half_done(self, number, code, tmp_path):
        folder, out = tmp_path / "in", tmp_path / "out"
        folder.mkdir()
        for count in range(300):
            shutil.copy(CARRIER, folder / f"{count}.vcf")
        line = [*PGX, "cohort", str(folder), "-o", str(out), "--jobs", "2"]
        process = subprocess.Popen(line, stderr=subprocess.PIPE, env=ENVIRONMENT)
        deadline = time.monotonic() + 60
        while not (out / "cohort.sqlite").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(number)
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
        if process.returncode == 0:
            pytest.skip("this machine was done before the signal came")
        assert (process.returncode, errors) == (code, b"")
        assert {path.name for path in out.iterdir()} <= {"cohort.sqlite"}

    @pytest.mark.parametrize(("number", "code"), SIGNALS)
    def test_while_workers_start(self, number, code, tmp_path):
        """A worker that has just started is known to the pool: else the process would await it for ever."""
        probe = (
            "import os, sys\nfrom multiprocessing.process import BaseProcess\n"
            "start = BaseProcess.start\n"
            "def noisy(self):\n"
            f"    start(self)\n    os.kill(os.getpid(), {int(number)})\n    sum(range(10))\n"
            "BaseProcess.start = noisy\n"
            "from pgx.cli.main import main\n"
            f"sys.argv = ['pgx', 'cohort', {str(CARRIER)!r}, '-o', {str(tmp_path / 'out')!r}, '-j', '1']\n"
            "main()\n"
        )
        line = [sys.executable, "-c", probe]
        done = subprocess.run(line, capture_output=True, check=False, env=ENVIRONMENT, timeout=30)
        assert (done.returncode, done.stderr) == (code, b"")
        assert names(tmp_path / "out") == ["cohort.sqlite"]

    def test_while_the_state_is_opened(self, tmp_path, monkeypatch):
        """What SQLite keeps beside its file while it writes is gone, too."""
        from pgx.cohort.store import State

        def ended(_):
            raise KeyboardInterrupt

        monkeypatch.setattr(State, "_check_version", ended)
        with pytest.raises(KeyboardInterrupt) as kept:
            State(tmp_path)
        assert names(tmp_path) == ["cohort.sqlite"], kept

    @pytest.mark.parametrize(("number", "code"), SIGNALS)
    def test_a_process_that_cannot_end(self, number, code):
        """What a signal raises may leave a lock behind; the process ends all the same, later."""
        probe = (
            "import sys, time\nimport pgx.cli.main as main\nmain._TO_END = 0.5\n"
            "def stuck(*_):\n"
            "    print('works', flush=True)\n"
            "    try:\n        time.sleep(60)\n    finally:\n        time.sleep(60)\n"
            "main.build = lambda _: stuck\n"
            "sys.argv = ['pgx']\nmain.main()\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", probe], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
        )
        assert process.stdout.readline() == b"works\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (code, b"")

    def test_what_nohup_has_had_ignored_stays_ignored(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.vcf")
        line = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *PGX, "annotate", str(tmp_path / "pipe.vcf")]
        process = subprocess.Popen(line, stderr=subprocess.PIPE, env=ENVIRONMENT)
        wait_until_it_waits(process.pid)
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
        process.stderr.close()


def wait_until_it_waits(pid):
    """Wait until a process has started and does nothing: it has slept for half a second."""
    calm, before = 0, -1
    deadline = time.monotonic() + 60
    while calm < 5 and time.monotonic() < deadline:
        time.sleep(0.1)
        cells = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used = int(cells[11]) + int(cells[12])
        calm = calm + 1 if cells[0] == "S" and used == before and used > 5 else 0
        before = used


class TestTerminals:
    """What belongs into a file or a pipe does not wait for, or pour over, a terminal."""

    def on_terminal(self, arguments):
        """Run a command whose three streams are a terminal; return exit code and what it shows."""
        pty = pytest.importorskip("pty", reason="terminals are a matter of Unix")
        leader, follower = pty.openpty()
        started = subprocess.Popen(
            [*PGX, *(os.ttyname(follower) if part == "TERMINAL" else str(part) for part in arguments)],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=ENVIRONMENT,
        )
        os.close(follower)
        shown = b""
        with contextlib.suppress(OSError):
            while piece := os.read(leader, 4096):
                shown += piece
        os.close(leader)
        return started.wait(60), shown.decode().replace("\r\n", "\n")

    @pytest.mark.parametrize("name", ["annotate", "inspect", "report"])
    def test_nobody_types_a_vcf(self, name):
        code, shown = self.on_terminal([name, "-"])
        assert code == 2
        assert is_one_line(shown)
        assert "terminal" in shown

    @pytest.mark.parametrize("more", [["-f", "pdf"], ["-f", "pdf", "-o", "TERMINAL"]])
    def test_bytes_that_are_no_text_are_refused(self, more):
        code, shown = self.on_terminal(["annotate", CARRIER, *more])
        assert code == 2
        assert is_one_line(shown)
        assert "-o FILE" in shown

    def test_a_written_file_is_named_on_a_terminal_only(self, tmp_path, result):
        for number, arguments in enumerate((["annotate", CARRIER], ["report", result], ["inspect", CARRIER])):
            path = tmp_path / f"{number}.json"
            line = [*arguments, "-o", path, *(["-f", "json"] if number == 2 else [])]
            assert self.on_terminal(line) == (0, f"written: {path}\n")
            done = subprocess.run([*PGX, *map(str, line)], capture_output=True, check=True, env=ENVIRONMENT)
            assert done.stderr == b""


class TestNamesOfFiles:
    """Names that the system refuses are one line, for each command and as input and output."""

    LONG = "x" * 300 + ".json"

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (["annotate", LONG], 3),
            (["annotate", CARRIER, "-o", LONG], 3),
            (["annotate", CARRIER, "--callable", LONG], 3),
            (["annotate", CARRIER, "--report-meta", LONG], 3),
            (["annotate", CARRIER, "--evidence", LONG], 4),
            (["annotate", CARRIER, "--handout", "x" * 300 + ".txt"], 3),
            (["annotate", CARRIER, "-o", "x" * 300 + "/", "-f", "html"], 3),
            (["inspect", LONG], 3),
            (["inspect", CARRIER, "-o", LONG], 3),
            (["report", LONG], 3),
            (["report", "RESULT", "-o", LONG], 3),
            (["cohort", CARRIER, "-o", LONG], 3),
            (["cohort", "--manifest", LONG, "-o", "out"], 3),
            (["merge", LONG, "-o", "out"], 3),
            (["evidence", "export", "-o", LONG], 3),
            (["evidence", "check", LONG], 4),
            (["annotate", "http://["], 3),
            (["inspect", "http://["], 3),
        ],
        ids=lambda value: " ".join(str(part)[-12:] for part in value) if isinstance(value, list) else "",
    )
    def test_one_line(self, arguments, code, result, run_pgx, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        outcome = run_pgx(*(result if part == "RESULT" else part for part in arguments))
        assert outcome.exit_code == code, outcome.stderr
        assert is_one_line(outcome.stderr)

    def test_a_time_of_no_calendar(self, run_pgx, tmp_path):
        """A file of a year that dates cannot say is read; its time is left out."""
        path = tmp_path / "a.vcf"
        shutil.copy(CARRIER, path)
        os.utime(path, (0, 10**12))
        if path.stat().st_mtime < 10**11:
            pytest.skip("this file system has no such times")
        for name in ("annotate", "inspect"):
            assert run_pgx(name, path).exit_code == 0
        assert run_pgx("cohort", path, "-o", tmp_path / "out").exit_code == 0


DEEP = 200_000
HOSTILE_JSON = {
    "nested lists": '{"schema_version": "1.0", "x": ' + "[" * DEEP + "]" * DEEP + "}",
    "nested tables": '{"a":' * DEEP + "1" + "}" * DEEP,
    "open brackets": "[" * DEEP,
    "long number": '{"schema_version": "1.0", "created": ' + "9" * 20_000 + "}",
    "large exponent": '{"schema_version": 1e999999}',
    "bytes": "\udcff\udcfe",
}
HOSTILE_TOML = {
    "nested lists": "x = " + "[" * DEEP + "]" * DEEP,
    "nested tables": "x = " + "{a = " * DEEP + "1" + "}" * DEEP,
    "nested keys": "x" + ".x" * DEEP + " = 1",
    "long number": "x = " + "9" * 20_000,
    "bytes": "x = '\udcff'",
}


class TestMeasure:
    """Nesting, numbers and sizes of what strangers send are bounded."""

    @pytest.mark.parametrize("name", HOSTILE_JSON)
    def test_stored_results(self, name, run_pgx, tmp_path):
        path = tmp_path / "x.json"
        path.write_text(HOSTILE_JSON[name], errors="surrogateescape")
        outcome = run_pgx("report", path)
        assert outcome.exit_code == 3
        assert is_one_line(outcome.stderr)

    @pytest.mark.parametrize(("ending", "name"), [
        *(("json", name) for name in HOSTILE_JSON), *(("toml", name) for name in HOSTILE_TOML)
    ])  # fmt: skip
    def test_stated_facts(self, ending, name, run_pgx, tmp_path):
        path = tmp_path / f"x.{ending}"
        text = (HOSTILE_JSON if ending == "json" else HOSTILE_TOML)[name]
        path.write_text(text, errors="surrogateescape")
        outcome = run_pgx("annotate", CARRIER, "--report-meta", path)
        assert outcome.exit_code == 3
        assert is_one_line(outcome.stderr)

    @pytest.mark.parametrize("name", HOSTILE_TOML)
    def test_evidence(self, name, run_pgx, tmp_path):
        path = tmp_path / "x.toml"
        path.write_text(HOSTILE_TOML[name], errors="surrogateescape")
        outcome = run_pgx("annotate", CARRIER, "--evidence", path)
        assert outcome.exit_code == 4
        assert is_one_line(outcome.stderr)

    def test_a_manifest_of_one_endless_cell(self, run_pgx, tmp_path):
        (tmp_path / "m.tsv").write_text("path\n" + "x" * 10**6 + "\n")
        outcome = run_pgx("cohort", "--manifest", tmp_path / "m.tsv", "-o", tmp_path / "out")
        assert outcome.exit_code == 2
        assert is_one_line(outcome.stderr)

    @pytest.mark.parametrize(
        ("arguments", "code", "cure"),
        [
            (["report", "LARGE.json"], 3, "--max-result"),
            (["annotate", CARRIER, "--report-meta", "LARGE.json"], 3, "50 MB"),
            (["annotate", CARRIER, "--evidence", "LARGE.toml"], 4, "50 MB"),
            (["cohort", "--manifest", "LARGE.tsv", "-o", "out"], 3, "1,000 MB"),
        ],
        ids=["result", "meta", "evidence", "manifest"],
    )
    def test_a_file_that_is_too_large_is_not_read_whole(
        self, arguments, code, cure, run_pgx, tmp_path, monkeypatch
    ):
        monkeypatch.chdir(tmp_path)
        for ending in ("json", "toml", "tsv"):
            with Path(f"LARGE.{ending}").open("wb") as handle:
                handle.truncate(10**10)  # a sparse file: it takes no space, and would take all memory
        resource = pytest.importorskip("resource", reason="limits are a matter of Unix")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        outcome = run_pgx(*arguments)
        assert outcome.exit_code == code
        assert is_one_line(outcome.stderr)
        assert cure in outcome.stderr
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 3e5  # KB

    def test_the_limit_of_results_can_be_raised(self, run_pgx, result, tmp_path):
        text = result.read_text()
        large = tmp_path / "large.json"
        limit = 1 + len(text.encode()) // 10**6
        large.write_text(text + " " * (limit * 10**6 + 1 - len(text.encode())))
        assert run_pgx("report", large, "--max-result", limit).exit_code == 3
        assert run_pgx("report", large, "--max-result", limit + 1).exit_code == 0


MARKS = "\x1b[31m\u202e\u2066\x85\u200f\x7f"


class TestText:
    """Control characters and marks of direction are taken out once, where text of strangers enters."""

    def test_of_a_stored_result(self, run_pgx, result, tmp_path):
        import json

        plain = json.loads(result.read_text())
        plain["samples"][0]["limitations"][0] += MARKS
        plain["samples"][0]["response"][0]["claims"][0]["statement"] += MARKS
        stored = tmp_path / "x.json"
        for ascii_only in (True, False):
            stored.write_text(json.dumps(plain, ensure_ascii=ascii_only))
            for name in ("text", "json", "jsonl", "html"):
                sample = ["-s", plain["samples"][0]["sample"]] if name == "html" else []
                outcome = run_pgx("report", stored, "-f", name, *sample)
                assert outcome.exit_code == 0, outcome.stderr
                assert not set(MARKS) & set(outcome.stdout) - set("[31m"), name

    def test_of_evidence(self, run_pgx, repository, tmp_path):
        own = tmp_path / "own.toml"
        (source,) = (repository / "examples" / "evidence").glob("*.toml")
        text = source.read_text()
        escaped = "".join(
            f"\\u{ord(mark):04x}" if ord(mark) < 32 or ord(mark) == 127 else mark for mark in MARKS
        )
        changed = text.replace('statement = "', f'statement = "{escaped}', 1)
        assert changed != text
        own.write_text(changed)
        for arguments in (["evidence", "list", "--evidence", own], ["evidence", "export", "--evidence", own]):
            outcome = run_pgx(*arguments)
            assert outcome.exit_code == 0, outcome.stderr
            assert "\N{REPLACEMENT CHARACTER}[31m" in outcome.stdout
            assert not set(MARKS) & set(outcome.stdout) - set("[31m")

    def test_a_sound_result_comes_back_byte_for_byte(self, run_pgx, result):
        assert run_pgx("report", result, "-f", "json").stdout == result.read_text()

    def test_names_of_samples_stay_what_they_are(self, run_pgx, result, tmp_path):
        """They are looked up; every format guards itself against them."""
        import json

        plain = json.loads(result.read_text())
        plain["samples"][0]["sample"] = "a\u202eb"
        (tmp_path / "x.json").write_text(json.dumps(plain))
        outcome = run_pgx("report", tmp_path / "x.json", "-s", "a\u202eb", "-f", "jsonl")
        assert json.loads(outcome.stdout)["samples"][0]["sample"] == "a\u202eb"


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("pass", "pass"),
        ("thread = threading.Thread(target=done.wait); thread.start()", "done.set(); thread.join()"),
        ("child = subprocess_of(target=time.sleep, args=(60,)); child.start()", "child.kill(); child.join()"),
    ],
)
def test_a_process_ends_at_once_only_where_nothing_is_under_way(begin, end):
    code = f"""
import multiprocessing, threading, time
from pgx.cli import main as line
subprocess_of, done = multiprocessing.get_context("spawn").Process, threading.Event()
if __name__ == "__main__":
    {begin}
    during = line._is_alone()
    {end}
    print(during, line._is_alone())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(begin == "pass"), "True"]


def test_an_interrupt_while_the_program_is_imported_is_silent(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    paths = [str(tmp_path), str(Path(__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, "-m", "pgx", "list", "formats"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
