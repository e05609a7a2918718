"""Inputs behind URLs: ranges only, a private index, one clear line where that is impossible."""

from __future__ import annotations

import contextlib
import errno
import functools
import http.server
import io
import json
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pysam
import pytest
from truth_tables import expected, load, outcome, tables
from vcf_builder import site, vcf_text, write_vcf

from pgx.errors import FormatError, InputError, NotFoundError
from pgx.vcf import Bounds, read_sites
from pgx.vcf import remote as remote_room
from pgx.vcf.remote import public_name

NGINX = shutil.which("nginx")
needs_nginx = pytest.mark.skipif(
    NGINX is None, reason="nginx is not installed: no server with ranges to test on"
)
E4 = [site("rs429358", gt="1/1:99", format="GT:GQ"), site("rs7412", gt="0/0:99", format="GT:GQ")]
E2 = [site("rs429358", gt="0/0:99", format="GT:GQ"), site("rs7412", gt="1/1:99", format="GT:GQ")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def nginx(folder: Path, state: Path) -> Iterator[int]:
    """Serve `folder` with nginx on a free port of the loopback address; its files stay in `state`."""
    port = free_port()
    state.mkdir()
    paths = " ".join(f"{name}_temp_path {state}/{name};" for name in ("proxy", "fastcgi", "uwsgi", "scgi"))
    (state / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {state}/pid; error_log {state}/error.log;\n"
        "events { worker_connections 64; }\n"
        f"http {{ access_log {state}/access.log; client_body_temp_path {state}/body; {paths}\n"
        f"  server {{ listen 127.0.0.1:{port}; root {folder}; location /secret {{ return 403; }} }} }}\n"
    )
    server = subprocess.Popen(
        [str(NGINX), "-e", f"{state}/error.log", "-c", f"{state}/nginx.conf"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            if server.poll() is not None:
                pytest.fail((state / "error.log").read_text())
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
                break
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(10)


@contextlib.contextmanager
def server_without_ranges(folder: Path) -> Iterator[int]:
    """Serve `folder` as `python -m http.server` does: the whole file, whatever was asked for."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(10)


def large(path: Path, records) -> Path:
    """Write a file that is longer than what a server sends ahead (some hundred kB), indexed."""
    dice = random.Random(7)  # noqa: S311 - filler
    filler = [
        f"{{chrom}}\t{40_000_000 + 90 * number}\t.\tA\tG\t{dice.random() * 1e6:.6f}\t.\t.\tGT\t0/1"
        for number in range(40_000)
    ]
    return write_vcf(path, records=[*filler, *records], index="tbi")


@pytest.fixture(scope="module")
def site_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    for name, records in {"one": E4, "two": E2}.items():
        (folder / name).mkdir()
        large(folder / name / "same.vcf.gz", records)
    write_vcf(folder / "one" / "binary.bcf", records=E4, index="csi")
    write_vcf(folder / "one" / "csi.vcf.gz", records=E4, index="csi")
    write_vcf(folder / "one" / "unindexed.vcf.gz", records=E4)
    (folder / "one" / "reads.bam").write_bytes((folder / "one" / "unindexed.vcf.gz").read_bytes())
    write_vcf(folder / "one" / "plain.vcf", records=E4)
    write_vcf(folder / "one" / "broken.vcf.gz", records=E4)
    (folder / "one" / "broken.vcf.gz.tbi").write_bytes(b"no index at all")
    write_vcf(folder / "one" / "foreign.vcf.gz", records=E4, index="tbi")
    write_vcf(folder / "other.vcf.gz", records=E4, index="tbi", assembly="GRCh37", contig="NC_000019.9")
    shutil.copy(folder / "other.vcf.gz.tbi", folder / "one" / "foreign.vcf.gz.tbi")
    spoiled = vcf_text(records=E4, samples=["S1", "S2", "S3"]).replace("\tS2\t", "\tS\0\t")
    write_vcf(folder / "one" / "nul.vcf.gz", text=spoiled, index="tbi")
    (folder / "one" / "empty.vcf.gz").write_bytes(b"")
    (folder / "bucket").mkdir()
    for suffix in ("", ".tbi"):
        shutil.copy(folder / "one" / f"same.vcf.gz{suffix}", folder / "bucket" / f"key.vcf.gz{suffix}")
    return folder


@pytest.fixture(scope="module")
def served(site_folder, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    if NGINX is None:
        pytest.skip("nginx is not installed: no server with ranges to test on")
    state = tmp_path_factory.mktemp("nginx") / "state"
    with nginx(site_folder, state) as port:
        yield f"http://127.0.0.1:{port}", state / "access.log"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """Work in an empty folder, with temporary files in another empty one."""
    work, temporary = tmp_path / "work", tmp_path / "temporary"
    work.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    return tmp_path


def left_behind(elsewhere: Path) -> list[str]:
    return sorted(str(path.relative_to(elsewhere)) for path in elsewhere.rglob("*") if path.is_file())


def genotypes(url: str) -> list[str]:
    content = read_sites(url)
    named = [record for record in content.records if record.identifiers]
    return [record.samples[0].split(":")[0] for record in sorted(named, key=lambda r: r.position)]


@pytest.mark.parametrize("name", tables())
def test_every_row_of_the_truth_tables_over_the_network(name, served, site_folder, elsewhere):
    url, _ = served
    for case in load(name):
        if case.can_be_indexed:  # without an index nothing is read over the network
            wanted = expected(case)
            found = outcome(case, site_folder, assembly=case.assemblies[0], indexed=True, url=url)
            if case.error != "-":
                assert case.error in found.get("error", ""), f"{case.case}: {found}"
            else:
                assert {key: found.get(key) for key in wanted} == wanted, f"{case.case}: {found}"


def test_two_files_of_the_same_name_are_not_mixed_up(served, elsewhere):
    base, _ = served
    for _ in range(2):
        assert genotypes(f"{base}/one/same.vcf.gz") == ["1/1", "0/0"]
        assert genotypes(f"{base}/two/same.vcf.gz") == ["0/0", "1/1"]
    assert left_behind(elsewhere) == []


def test_an_index_in_the_working_directory_is_not_taken_for_that_of_a_url(served, elsewhere):
    base, _ = served
    foreign = elsewhere / "foreign.vcf.gz"
    write_vcf(foreign, records=E2, index="tbi", assembly="GRCh37", contig="NC_000019.9")
    shutil.copy(f"{foreign}.tbi", elsewhere / "work" / "same.vcf.gz.tbi")
    before = left_behind(elsewhere)
    content = read_sites(f"{base}/one/same.vcf.gz")
    assert [name for name, _, _ in content.header.contigs] == ["chr19"], "no contig of the foreign index"
    assert content.facts.access == "index"
    assert genotypes(f"{base}/one/same.vcf.gz") == ["1/1", "0/0"]
    assert left_behind(elsewhere) == before
    assert Path.cwd() == elsewhere / "work"


def test_the_answer_is_that_of_the_file_on_disk(served, site_folder, run_pgx, elsewhere):
    base, _ = served
    there = json.loads(run_pgx("annotate", f"{base}/one/same.vcf.gz", "-f", "json").stdout)
    here = json.loads(run_pgx("annotate", site_folder / "one" / "same.vcf.gz", "-f", "json").stdout)
    assert there["samples"] == here["samples"]
    assert there["samples"][0]["genotype"]["diplotype"] == "e4/e4"
    assert there["input"]["access"] == "index"
    assert there["input"]["header_digest"] == here["input"]["header_digest"]
    assert there["input"]["path"] == f"{base}/one/same.vcf.gz"
    assert left_behind(elsewhere) == []


def test_only_parts_of_a_large_file_are_asked_for(served, elsewhere, site_folder):
    base, log = served
    log.write_text("")
    read_sites(f"{base}/one/same.vcf.gz")
    lines = log.read_text().splitlines()
    assert any('" 206 ' in line for line in lines if "GET /one/same.vcf.gz HTTP" in line)
    assert sum('GET /one/same.vcf.gz.tbi HTTP/1.1" 200' in line for line in lines) == 1, "fetched once"


@pytest.mark.parametrize("name", ["binary.bcf", "csi.vcf.gz"])
def test_other_indexes(served, elsewhere, name):
    base, _ = served
    assert genotypes(f"{base}/one/{name}") == ["1/1", "0/0"]
    assert left_behind(elsewhere) == []


def test_an_index_may_be_named(served, elsewhere, site_folder):
    base, _ = served
    address = f"{base}/bucket/key.vcf.gz"
    (site_folder / "other-name.tbi").write_bytes((site_folder / "bucket/key.vcf.gz.tbi").read_bytes())
    assert genotypes(f"{address}##idx##{base}/other-name.tbi") == ["1/1", "0/0"]
    assert genotypes(f"{address}##idx##{site_folder / 'other-name.tbi'}") == ["1/1", "0/0"]


def test_a_query_stays_behind_the_name_of_the_index_and_out_of_the_report(served, elsewhere):
    base, _ = served
    content = read_sites(f"{base}/one/same.vcf.gz?signature=SECRET")
    assert content.facts.path == f"{base}/one/same.vcf.gz"
    assert content.facts.index == f"{base}/one/same.vcf.gz.tbi"


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("one/unindexed.vcf.gz", NotFoundError, "no index"),
        ("one/plain.vcf", NotFoundError, "no index"),
        ("one/reads.bam", NotFoundError, "holds reads, which are not read over the network"),
        ("one/missing.vcf.gz", NotFoundError, "no such file"),
        ("one/broken.vcf.gz", FormatError, "index beside it cannot be read"),
        ("one/foreign.vcf.gz", FormatError, "that of another file"),
        ("one/nul.vcf.gz", FormatError, "NUL byte"),
        ("one/empty.vcf.gz", FormatError, "empty"),
        ("secret/a.vcf.gz", InputError, "refuses"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_a_cure(served, elsewhere, run_pgx, path, error, words):
    base, _ = served
    with pytest.raises(error, match=words):
        read_sites(f"{base}/{path}")
    outcome = run_pgx("annotate", f"{base}/{path}")
    assert outcome.exit_code == 3
    assert outcome.stdout == ""
    assert outcome.stderr.startswith(f"error: {base}/{path}: ")
    assert outcome.stderr.count("\n") == 1
    assert left_behind(elsewhere) == []


def test_a_server_without_ranges_is_named_as_such(site_folder, elsewhere, run_pgx_process):
    with server_without_ranges(site_folder) as port:
        outcome = run_pgx_process(
            "annotate",
            f"http://127.0.0.1:{port}/one/same.vcf.gz",
            cwd=elsewhere / "work",
            env={"TMPDIR": str(elsewhere / "temporary")},
        )
    assert outcome.exit_code == 3
    assert outcome.stdout == ""
    assert "range requests" in outcome.stderr
    assert "Download the file" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert left_behind(elsewhere) == []


def test_a_server_that_is_not_there(elsewhere):
    with pytest.raises(InputError, match="cannot be reached"):
        read_sites(f"http://127.0.0.1:{free_port()}/a.vcf.gz")


def test_a_missing_libcurl_is_named(monkeypatch):
    def no_protocol(*_):
        raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))

    class Signed(remote_room._Signed):
        def _ask(self, offset, count):
            written = io.BytesIO()
            monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written))
            remote_room._serve("s3://bucket/a.vcf.gz")
            raise remote_room._NotThereError(written.getvalue().split()[0].decode())

    monkeypatch.setattr(pysam, "HFile", no_protocol)
    monkeypatch.setattr(remote_room, "_Signed", Signed)
    with pytest.raises(InputError, match=r"libcurl is missing\. Install libcurl"):
        read_sites("s3://bucket/a.vcf.gz")


def test_the_process_of_s3_hands_out_ranges(tmp_path):
    path, content = tmp_path / "a.vcf.gz", bytes(range(100))
    path.write_bytes(content)
    with contextlib.ExitStack() as stack:
        ranges = remote_room._Signed(str(path), "a", Bounds(), stack)
        assert ranges.get(10, 5) == (content[10:15], 100, "")
        assert ranges.whole(100) == content
        assert ranges.whole(9) == content[:10]


def test_a_process_of_s3_that_stalls_is_ended(tmp_path, monkeypatch):
    stalls = tmp_path / "stalls"
    stalls.write_text("#!/bin/sh\nexec sleep 60\n")
    stalls.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(stalls))
    start = time.monotonic()
    with pytest.raises(InputError, match="next to nothing"), contextlib.ExitStack() as stack:
        remote_room._Signed("s3://bucket/a.vcf.gz", "a", Bounds(timeout=0.2), stack).whole(9)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a.vcf.gz", "file:///a.vcf.gz", "nonsense://x"])
def test_other_kinds_of_url_are_refused(url):
    with pytest.raises(InputError, match="kind of URL"):
        read_sites(url)


def test_credentials_are_not_repeated():
    url = "https://user:password@host:8080/a/b.vcf.gz?token=1#x"
    assert public_name(url) == "https://host:8080/a/b.vcf.gz"
    assert public_name(f"{url}##idx##https://user:password@host/i.tbi") == "https://host:8080/a/b.vcf.gz"


def test_s3_in_path_style_through_a_plain_server(served, elsewhere, run_pgx_process):
    """The s3 scheme of htslib against loopback; nginx does not check the signature."""
    base, _ = served
    outcome = run_pgx_process(
        "annotate",
        "s3+http://bucket/key.vcf.gz",
        "-f",
        "tsv",
        cwd=elsewhere / "work",
        env={
            "HTS_S3_HOST": base.removeprefix("http://"),
            "HTS_S3_ADDRESS_STYLE": "path",
            "AWS_ACCESS_KEY_ID": "made-up",
            "AWS_SECRET_ACCESS_KEY": "made-up",
        },
    )
    assert outcome.exit_code == 0, outcome.stderr
    assert "e4/e4" in outcome.stdout
    assert left_behind(elsewhere) == []


def test_a_file_on_disk_needs_no_network(monkeypatch, tmp_path):
    def forbidden(*_):
        raise AssertionError("a file on disk was looked for on the network")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(pysam, "HFile", forbidden)
    assert genotypes(str(write_vcf(tmp_path / "a.vcf.gz", records=E4, index="tbi"))) == ["1/1", "0/0"]


def test_the_builder_makes_a_file_longer_than_a_server_sends_ahead(site_folder):
    assert (site_folder / "one" / "same.vcf.gz").stat().st_size > 400_000
    assert len(vcf_text(records=E4)) < 10_000


def test_inspecting_a_url(served, elsewhere, run_pgx):
    base, _ = served
    outcome = run_pgx("inspect", f"{base}/one/same.vcf.gz?signature=SECRET")
    assert outcome.exit_code == 0, outcome.stderr
    assert f"Index: {base}/one/same.vcf.gz.tbi" in outcome.stdout
    assert "rs429358 at chr19:44908684: C/C (called)" in outcome.stdout
    assert "SECRET" not in outcome.stdout
    assert left_behind(elsewhere) == []


class Slow(http.server.BaseHTTPRequestHandler):
    """Serves a file in ranges, and then misbehaves as its server is told to."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def do_GET(self):  # noqa: PLR0911, PLR0912
        how, name = self.server.how, self.path.rpartition("/")[2].partition("?")[0]
        file = self.server.folder / name
        is_index = name.endswith((".tbi", ".csi"))
        self.server.asked.append((name, self.headers.get("Authorization")))
        if how == "redirects":
            return self.redirect(f"/{len(self.server.asked)}/{name}")
        if how == "redirects once" and not self.path.startswith("/x/"):
            return self.redirect(f"http://localhost:{self.server.server_address[1]}/x/{name}")
        if how == "redirects to a file":
            return self.redirect("file:///etc/passwd")
        if how == "stalls" or (how == "stalls at the index" and is_index):
            self.server.stop.wait(60)
            return None
        if how == "drips its head":
            with contextlib.suppress(OSError):
                while not self.server.stop.wait(0.05):
                    self.wfile.write(b"H")
            return None
        if not file.is_file():
            return self.send_error(404)
        data = file.read_bytes()
        if is_index and how == "index without end":
            return self.without_end()
        first, last, code = 0, len(data) - 1, 200
        wanted = self.headers.get("Range")
        if wanted:
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last, code = int(start), min(int(end), len(data) - 1), 206
        self.server.parts += 1
        if how == "another file from the second part on" and not is_index and self.server.parts > 2:
            data = bytes(len(data) + 1)
        self.send_response(code)
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("ETag", f'"{len(data)}"')
        if wanted:
            size = "*" if how == "states no size" else len(data)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        body = data[first : last + 1]
        if how == "cuts off":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return None
        if how == "drips":
            with contextlib.suppress(OSError):
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    if self.server.stop.wait(0.05):
                        break
            return None
        self.wfile.write(body)
        return None

    def redirect(self, place):
        self.send_response(302)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def without_end(self):
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while not self.server.stop.is_set():
                self.wfile.write(bytes(1 << 16))


@contextlib.contextmanager
def slow_server(folder: Path, how: str):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        server.daemon_threads = True
        server.folder, server.how, server.stop = folder, how, threading.Event()
        server.asked, server.parts = [], 0
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server, f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.stop.set()
            server.shutdown()
            thread.join(10)


MISBEHAVIOUR = {
    "stalls": ("next to nothing for 1 seconds", "--timeout"),
    "stalls at the index": ("next to nothing for 1 seconds", "--timeout"),
    "drips its head": ("next to nothing for 1 seconds", "--timeout"),
    "drips": ("next to nothing for 1 seconds", "--timeout"),
    "cuts off": ("cut off", "download"),
    "redirects": ("redirects more than 3 times", "--max-redirects"),
    "redirects to a file": ("redirects to what is no web address", "Check"),
    "states no size": ("does not say how large the file is", "Download"),
    "index without end": ("its index goes beyond the limit of 1 MB", "--max-index"),
    "another file from the second part on": ("changed while it was read", "Try again"),
}
HURRY = Bounds(timeout=1, max_redirects=3, max_index=1)


class TestServersThatMisbehave:
    @pytest.mark.parametrize(("how", "words"), MISBEHAVIOUR.items(), ids=MISBEHAVIOUR)
    def test_it_is_one_clear_error_in_time(self, site_folder, how, words):
        before = time.monotonic()
        with slow_server(site_folder / "one", how) as (_, base), pytest.raises(InputError) as caught:
            read_sites(f"{base}/same.vcf.gz", HURRY)
        assert time.monotonic() - before < 30, "on a machine that does other things, too"
        message = str(caught.value)
        assert "\n" not in message
        assert all(word.lower() in message.lower() for word in words)

    def test_a_server_that_behaves(self, site_folder):
        with slow_server(site_folder / "one", "") as (_, base):
            assert genotypes(f"{base}/same.vcf.gz") == ["1/1", "0/0"]

    def test_credentials_stay_with_their_host(self, site_folder):
        with slow_server(site_folder / "one", "redirects once") as (server, base):
            url = base.replace("http://", "http://user:secret@")
            assert genotypes(f"{url}/same.vcf.gz") == ["1/1", "0/0"]
            by_place = {}
            for number, (_, authorization) in enumerate(server.asked):
                by_place.setdefault(number % 2, set()).add(authorization)
        assert by_place == {0: {"Basic dXNlcjpzZWNyZXQ="}, 1: {None}}, "the first server only"

    def test_the_command_line_ends_with_one_line(self, site_folder, run_pgx_process):
        with slow_server(site_folder / "one", "stalls") as (_, base):
            for command in ("annotate", "inspect"):
                outcome = run_pgx_process(command, f"{base}/same.vcf.gz?key=SECRET", "--timeout", "1")
                assert (outcome.exit_code, outcome.stdout) == (3, "")
                assert outcome.stderr.count("\n") == 1
                assert "SECRET" not in outcome.stderr

    @pytest.mark.parametrize(
        "url", ["http://[", "http://", "https://host:port/a.vcf.gz", "http://a b/c.vcf.gz"]
    )
    def test_what_is_no_url(self, url):
        with pytest.raises(InputError, match="URL"):
            read_sites(url)
