"""Count what pgx and bcftools read of one person's file of 4,500,000 records, on disk and behind a URL.

    python benchmarks/bench_bytes.py             prints two tables
    python benchmarks/bench_bytes.py --write     fills docs/performance.md with them as well
    python benchmarks/bench_bytes.py --quick     a file of 45,000 records

On disk strace counts the calls (read, pread64) and what they return; behind a URL a server on the loopback
address counts requests and the bytes that it could send before the reader had enough.
"""

from __future__ import annotations

import contextlib
import http.server
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pysam
from bench_curve import Command, make_records, pgx, query
from tables import arguments, fill, markdown, origin

RECORDS, QUICK_RECORDS = 4_500_000, 45_000
_CALL = re.compile(r"(\d+) +(?:p?readv?(?:64)?)\(\d+<([^>]*)>")
_RESULT = re.compile(r"\) += (\d+)$")
_PIECE = 1 << 16


@dataclass(kw_only=True)
class Count:
    """How often something was asked for, and the bytes that came, by the name of the file."""

    asked: Counter[str] = field(default_factory=Counter)
    came: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, count: int) -> None:
        """Count one request, and the bytes that came."""
        self.asked[name] += 1
        self.came[name] += count

    def cells(self, path: Path) -> list[str]:
        """Return requests and bytes of a file, its share in percent, and the same of its index."""
        index = [name for name in self.asked if name.startswith(f"{path.name}.")]
        data = self.came[path.name]
        return [
            f"{self.asked[path.name]:,}",
            f"{data / 1000:,.0f}",
            f"{100 * data / path.stat().st_size:.3g}",
            f"{sum(self.asked[name] for name in index):,}",
            f"{sum(self.came[name] for name in index) / 1000:,.0f}",
        ]


def make(folder: Path, records: int) -> dict[str, Path]:
    """Make the person in every kind of file; a name tells what is there beside the records."""
    tabix = make_records(folder, records)
    found = {"VCF.gz, tbi": tabix, "VCF.gz, no index": folder / "bare.vcf.gz"}
    csi = folder / "csi.vcf.gz"
    csi.hardlink_to(tabix)
    pysam.tabix_index(str(csi), preset="vcf", csi=True)
    found["VCF.gz, csi"] = csi
    binary = folder / "person.bcf"
    subprocess.run(["bcftools", "view", "-Ob", "-o", binary, tabix], check=True)
    subprocess.run(["bcftools", "index", binary], check=True)
    found["BCF, csi"] = binary
    plain = folder / "plain.vcf"
    with pysam.BGZFile(str(tabix)) as source, plain.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    found["VCF, no index"] = plain
    found["VCF.gz, no index, rs7412 absent"] = folder / "absent.vcf.gz"
    return found


def traced(command: Sequence[str], path: Path) -> Count:
    """Run a command, with `path` as standard input, and count what it reads of it and of its index."""
    with tempfile.TemporaryDirectory(prefix="pgx-bench-") as name, path.open("rb") as file:
        log = Path(name) / "log"
        calls = "trace=read,pread64,readv,preadv"
        strace = ["strace", "-f", "-y", "-qq", "-s", "0", "-e", calls, "-o", str(log), *command]
        subprocess.run(strace, check=True, stdin=file, stdout=subprocess.DEVNULL)
        return counted(log.read_text("utf-8", "replace").splitlines(), path.parent)


def counted(lines: Sequence[str], folder: Path) -> Count:
    """Count the calls that read files of a folder; one that another thread interrupts stands in two lines."""
    found, waiting = Count(), {}
    for line in lines:
        begun, ended = _CALL.match(line), _RESULT.search(line)
        process = line.partition(" ")[0]
        if begun:
            waiting[process] = Path(begun[2])
        if ended and (read := waiting.pop(process, None)) and read.parent == folder:
            found.add(read.name, int(ended[1]))
    return found


class Server(http.server.BaseHTTPRequestHandler):
    """Serves the files of a folder, whole or in ranges, and counts."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Keep little on the way, so that a reader who hangs up is not counted as one who read on."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PIECE)
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_HEAD(self) -> None:
        """Answer with the head only."""
        self.do_GET()

    def do_GET(self) -> None:
        """Answer with the range that is asked for."""
        path = self.server.folder / Path(self.path).name
        if not path.is_file():
            return self.send_error(404)
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        last = min(int(asked[2]) if asked and asked[2] else size, size - 1)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", self.date_time_string(path.stat().st_mtime))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        sent = 0
        if self.command == "GET":
            with path.open("rb") as file, contextlib.suppress(OSError):
                file.seek(first)
                while part := file.read(min(_PIECE, last + 1 - first - sent)):
                    self.wfile.write(part)
                    sent += len(part)
        self.server.count.add(path.name, sent)
        return None


@contextlib.contextmanager
def served(folder: Path) -> Iterator[http.server.ThreadingHTTPServer]:
    """Serve a folder on the loopback address; `count` says what was asked for since it was set."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.daemon_threads = True
        server.folder, server.count = folder, Count()
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def asked_of(server: http.server.ThreadingHTTPServer, command: Command, folder: Path) -> Count:
    """Run a command and return what it asked of the server; bcftools leaves an index in `folder`."""
    server.count = Count()
    with tempfile.TemporaryDirectory(dir=folder) as name:
        subprocess.run(command, check=True, cwd=name, stdout=subprocess.DEVNULL)
    return server.count


def on_disk(files: dict[str, Path]) -> str:
    """Return the table of what is read of files on disk."""
    rows = []
    for kind, path in files.items():
        where = "-t" if "no index" in kind else "-r"
        rows += _rows(kind, path, traced(pgx("annotate", str(path)), path), traced(query(where, path), path))
    path = files["VCF.gz, tbi"]
    counts = traced(pgx("annotate", "-"), path), traced(query("-t", Path("-")), path)
    rows += _rows("VCF.gz at standard input", path, *counts)
    return markdown(["file", "", "calls", "kB", "% of the file", "calls, index", "kB, index"], rows)


def behind_a_url(files: dict[str, Path], folder: Path) -> str:
    """Return the table of what is asked of a server."""
    rows = []
    with served(folder) as server:
        for kind, path in files.items():
            if "no index" in kind:
                continue
            url = f"http://127.0.0.1:{server.server_address[1]}/{path.name}"
            commands = pgx("annotate", url), ["bcftools", "query", *query("-r", path)[2:-1], url]
            rows += _rows(kind, path, *(asked_of(server, command, folder) for command in commands))
    return markdown(["file", "", "requests", "kB", "% of the file", "requests, index", "kB, index"], rows)


def _rows(kind: str, path: Path, ours: Count, theirs: Count) -> list[list[str]]:
    named = f"{kind} ({path.stat().st_size / 1e6:.1f} MB)"
    return [[named, "pgx", *ours.cells(path)], ["", "bcftools", *theirs.cells(path)]]


def main() -> int:
    """Make the files, count, print."""
    asked = arguments(__doc__)
    if missing := [name for name in ("bcftools", "strace") if shutil.which(name) is None]:
        print(f"{missing[0]} is not installed: nothing is counted", file=sys.stderr)
        return 0
    records = QUICK_RECORDS if asked.quick else RECORDS
    with tempfile.TemporaryDirectory(prefix="pgx-bench-") as name:
        folder = Path(name).resolve()
        files = make(folder, records)
        disk, url = on_disk(files), behind_a_url(files, folder)
    print(disk, url, sep="\n\n")
    if asked.write:
        head = f"{origin('bcftools', 'strace')} One person, {records:,} records."
        fill("performance.md", "bytes", f"{head}\n\n{disk}", asked.docs)
        fill("performance.md", "remote", f"{head}\n\n{url}", asked.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
