"""The one writer of files: whole or not at all, one line where it fails, and nothing left behind."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pgx.errors import OutputError
from pgx.files import Staged, replacing, write, write_text

resource = pytest.importorskip("resource", reason="limits of file sizes are a matter of Unix")

#: One ending for each way of writing in every run of the tests; the others are slow.
ENDINGS = ["txt", "html", "vcf.gz", "bcf"]
ENDINGS += [
    pytest.param(name, marks=pytest.mark.slow) for name in ("json", "jsonl", "tsv", "fhir.json", "vcf")
]
SAMPLE = Path(__file__).resolve().parents[1] / "sample_vcfs" / "NA18526.e3-e4.GRCh38.vcf"


def pgx(*arguments, program=("-m", "pgx"), **options):
    done = subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
        **options,
    )
    return done.returncode, done.stderr


def assert_one_line(done, *words):
    code, errors = done
    assert code == 3, errors
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert all(word in errors for word in words), errors


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_device_that_is_full(ending, tmp_path):
    """A device is written as it is, under whatever name; what fails only on closing is an error too."""
    full = tmp_path / f"full.{ending}"
    full.symlink_to("/dev/full")
    assert_one_line(pgx("annotate", SAMPLE, "-o", full), "No space left", str(full))
    assert full.is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == [full.name]


@pytest.mark.parametrize("form", ["text", "json", "tsv", "vcf", "html"])
def test_standard_output_that_is_full_or_closed(form):
    with Path("/dev/full").open("wb") as full:
        assert_one_line(pgx("annotate", SAMPLE, "-f", form, stdout=full), "standard output", "No space left")
    closed = ["sh", "-c", '"$@" >&-', "sh", sys.executable, "-m", "pgx", "annotate", SAMPLE, "-f", form]
    done = subprocess.run(closed, stderr=subprocess.PIPE, text=True, check=False)
    assert_one_line((done.returncode, done.stderr), "standard output", "Bad file descriptor")


#: The program, under a limit of file sizes from the moment when it opens its output: reading holds what
#: htslib gets in a file of memory, which the limit would hit too.
LIMITED = """
import resource, sys
from pgx import files
from pgx.cli.main import main
opened = files.Staged.path
def path(self, name):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return opened(self, name)
limit = int(sys.argv.pop(1))
files.Staged.path = path
main()
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_disk_that_is_full(ending, tmp_path):
    """A limit of file sizes fails like a full disk; the earlier file and its folder stay as they were."""
    path = tmp_path / f"out.{ending}"
    path.write_text("earlier")
    limit = "64" if ending in {"vcf.gz", "bcf"} else "200"
    done = pgx(limit, "annotate", SAMPLE, "-o", path, program=["-c", LIMITED])
    assert_one_line(done, str(path), "cannot be written")
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_folder_that_may_not_be_written(ending, tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        assert_one_line(pgx("annotate", SAMPLE, "-o", f"/proc/out.{ending}"), f"/proc/out.{ending}")
    else:
        assert_one_line(pgx("annotate", SAMPLE, "-o", folder / f"out.{ending}"), "Permission denied")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_pipe_gets_the_bytes_and_stays_a_pipe(ending, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    pipe, plain = tmp_path / f"pipe.{ending}", tmp_path / f"plain.{ending}"
    os.mkfifo(pipe)
    found = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert pgx("annotate", SAMPLE, "-o", pipe) == (0, "")
    reader.join(30)
    assert pgx("annotate", SAMPLE, "-o", plain) == (0, "")
    assert found == [plain.read_bytes()]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_standard_output_under_another_name_is_not_replaced(tmp_path):
    out, here = tmp_path / "out.txt", tmp_path / "stdout.vcf"
    here.symlink_to("/proc/self/fd/1")
    with out.open("wb") as handle:
        assert pgx("annotate", SAMPLE, "-o", here, stdout=handle) == (0, "")
    assert here.is_symlink()
    assert "PGX_DT" in out.read_text()


@pytest.mark.parametrize("ending", ENDINGS)
def test_permissions_are_those_of_the_umask_or_of_the_earlier_file(ending, tmp_path):
    path = tmp_path / f"out.{ending}"
    for umask, before, wanted in ((0o027, None, 0o640), (0o022, 0o600, 0o600)):
        if before is not None:
            path.chmod(before)
        assert pgx("annotate", SAMPLE, "-o", path, umask=umask) == (0, "")
        assert stat.S_IMODE(path.stat().st_mode) == wanted


class TestTheWriter:
    def test_what_fails_in_the_making_leaves_the_earlier_file(self, tmp_path):
        path = tmp_path / "a"
        path.write_text("earlier")

        def chunks():
            yield "half"
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write(chunks(), path)
        assert path.read_text() == "earlier"
        assert list(tmp_path.iterdir()) == [path]

    def test_text_is_utf8_and_lines_end_as_given(self, tmp_path):
        write(["ε4\r\n", b"\x00"], tmp_path / "a")
        assert (tmp_path / "a").read_bytes() == "ε4\r\n".encode() + b"\x00"
        write_text(tmp_path / "b", "ε4\n")
        assert (tmp_path / "b").read_bytes() == "ε4\n".encode()

    def test_a_folder_and_a_name_that_is_none(self, tmp_path):
        for path in (tmp_path, tmp_path / "a\0b", tmp_path / "no" / "a"):
            with pytest.raises(OutputError), replacing(path):
                pass

    def test_a_name_may_be_as_long_as_the_folder_allows(self, tmp_path):
        write_text(tmp_path / ("x" * 255), "a")
        assert (tmp_path / ("x" * 255)).read_text() == "a"

    def test_staged_files_take_their_places_together(self, tmp_path):
        with Staged(tmp_path) as staged:
            for name in ("a", "b"):
                staged.path(name).write_text(name)
                assert not (tmp_path / name).exists()
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "a", "b": "b"}

    def test_one_that_is_missing_keeps_all_back(self, tmp_path):
        (tmp_path / "a").write_text("earlier")
        staged = Staged(tmp_path)
        staged.path("a").write_text("new")
        staged.path("b")
        with pytest.raises(OutputError, match="b: cannot be written"), staged:
            pass
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "earlier"}

    def test_an_exclusive_folder_has_its_leftovers_written_over(self, tmp_path):
        for _ in range(2):
            staged = Staged(tmp_path, exclusive=True)
            staged.path("a").write_text("from a killed run")
        assert len(list(tmp_path.iterdir())) == 1
        with Staged(tmp_path, exclusive=True) as staged:
            staged.path("a").write_text("whole")
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "whole"}
