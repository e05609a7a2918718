"""Try pgx on inputs that were damaged, forged, or made to exhaust it, class by class (`make torture`).

Each try runs in a process of its own. It has survived when that process ended by itself, with an answer or
with one of pgx's own errors, in time and within the memory that is promised; and, where damage can be told
(checksums, indexes), when the answer was that of the sound file. The table names what was tried and what
survived; a try that did not is named with its seed, which makes it again::

    python tools/torture.py --class NAME --seed N --tries 1
"""

from __future__ import annotations

import argparse
import gzip
import http.server
import itertools
import os
import pickle
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pysam
from vcf_builder import site, vcf_text, write_vcf

from pgx.errors import PgxError
from pgx.options import Options
from pgx.single import annotate

SECONDS = 10.0  # of one try; on a machine that does other things, its own processor time
MEMORY_MB = 300  # that a try may add to what this process holds, since a fork begins with that
HET = [site("rs429358", gt="0/1:99", format="GT:GQ"), site("rs7412", gt="0/0:99", format="GT:GQ")]
HOM = [site("rs429358", gt="0/0:99", format="GT:GQ"), site("rs7412", gt="0/0:99", format="GT:GQ")]
KINDS = (("a.vcf.gz", "tbi"), ("b.vcf.gz", "csi"), ("c.bcf", "csi"))
Outcome = object


class Try(NamedTuple):
    """One input: its path, whether damage in it can be told, and options of reading."""

    path: str
    must_be_right: bool
    options: dict[str, object]


def around(count: int = 4000, start: int = 40_000_000, step: int = 2500) -> list[str]:
    """Return records on chromosome 19 from which the sites are far."""
    return [
        f"{{chrom}}\t{start + step * n}\t.\tA\tG\t{n % 90 + 1}\tPASS\t.\tGT:GQ\t0/1:{n % 99}"
        for n in range(count)
    ]


class Stock:
    """Sound files from which the damaged ones are made, and the answer to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, kind in KINDS:
            write_vcf(folder / name, records=[*around(), *HET], index=kind)  # type: ignore[arg-type]
            write_vcf(folder / f"small-{name}", records=HET)
        write_vcf(folder / "small.vcf", records=HET)
        self.answer = answer(Try(str(folder / KINDS[0][0]), True, {}))


def answer(what: Try) -> Outcome:
    """Return the letters at both sites and the diplotype of each sample; or the error, as text."""
    try:
        found = annotate(what.path, Options(**what.options))  # type: ignore[arg-type]
        return tuple(
            (report.genotype.diplotype, tuple(one.alleles for one in report.sites))
            for report in found.samples
        )
    except PgxError as error:
        if "\n" in str(error):
            raise ValueError("an error of several lines") from error
        return str(error)


def flipped(data: bytes, dice: random.Random, *, first: int = 0) -> bytes:
    """Return `data` with a few bytes changed, none before `first`."""
    changed = bytearray(data)
    for _ in range(dice.choice([1, 1, 2, 5, 30])):
        place = (
            dice.randrange(first, len(changed)) if dice.random() < 0.7 else dice.randrange(first, first + 60)
        )
        changed[place % len(changed)] = dice.choice([0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)])
    return bytes(changed)


def packed(path: Path, data: bytes) -> None:
    """Write `data` as bgzip, with sound checksums."""
    path.unlink(missing_ok=True)
    with pysam.BGZFile(str(path), "wb", None) as out:
        out.write(data)


def flips_in_text(stock: Stock, folder: Path, dice: random.Random) -> Try:
    path = folder / "a.vcf"
    path.write_bytes(flipped((stock.folder / "small.vcf").read_bytes(), dice))
    return Try(str(path), False, {})


def flips_in_bgzip(stock: Stock, folder: Path, dice: random.Random) -> Try:
    name, _ = dice.choice(KINDS)
    path = folder / name
    path.write_bytes(flipped((stock.folder / f"small-{name}").read_bytes(), dice))
    return Try(str(path), False, {})


def flips_in_bcf(stock: Stock, folder: Path, dice: random.Random) -> Try:
    path = folder / "a.bcf"
    data = gzip.decompress((stock.folder / "small-c.bcf").read_bytes())
    records = data.index(b"#CHROM") + 60 if dice.random() < 0.8 else 0
    packed(path, flipped(data, dice, first=records))
    return Try(str(path), False, {})


def flips_in_index(kind: int, stock: Stock, folder: Path, dice: random.Random) -> Try:
    name, ending = KINDS[kind]
    os.link(stock.folder / name, folder / name)
    data = gzip.decompress((stock.folder / f"{name}.{ending}").read_bytes())
    packed(folder / f"{name}.{ending}", flipped(data, dice))
    return Try(str(folder / name), True, {})


def cuts(stock: Stock, folder: Path, dice: random.Random) -> Try:
    """Cut the end off a packed file, with its index beside it or not."""
    name, ending = dice.choice(KINDS)
    data = (stock.folder / name).read_bytes()
    (folder / name).write_bytes(data[: dice.randrange(1, len(data))])
    if dice.random() < 0.5:
        shutil.copy(stock.folder / f"{name}.{ending}", folder)
    return Try(str(folder / name), True, {})


def cut_indexes(stock: Stock, folder: Path, dice: random.Random) -> Try:
    name, ending = dice.choice(KINDS)
    os.link(stock.folder / name, folder / name)
    data = (stock.folder / f"{name}.{ending}").read_bytes()
    if dice.random() < 0.5:
        (folder / f"{name}.{ending}").write_bytes(data[: dice.randrange(len(data))])
    else:
        whole = gzip.decompress(data)
        packed(folder / f"{name}.{ending}", whole[: dice.randrange(1, len(whole))])
    return Try(str(folder / name), True, {})


def foreign_indexes(stock: Stock, folder: Path, dice: random.Random) -> Try:
    """Put an index beside a file that belongs to another one, which begins with the same records."""
    name, ending = dice.choice(KINDS)
    os.link(stock.folder / name, folder / name)
    kept = around()[: dice.randrange(1, 4000)]
    more = dice.choice([HET, HOM, HET[:1], [], HET[1:]])
    further = around(dice.randrange(60), 45_000_000, dice.choice([100, 2500]))
    write_vcf(folder / f"other-{name}", records=[*kept, *more, *further], index=ending)  # type: ignore[arg-type]
    (folder / f"other-{name}.{ending}").replace(folder / f"{name}.{ending}")
    return Try(str(folder / name), True, dice.choice([{}, {"absent_sites": "reference"}]))


NASTY = (
    *(
        "",
        ".",
        "-",
        "-1",
        "0",
        "2147483648",
        "4294967297",
        "9" * 40,
        "1e400",
        "nan",
        "-inf",
        "\t",
        "\0",
        "%00",
    ),
    *(
        "0/0/0",
        "0|",
        "/",
        "./.",
        "1/2",
        "٣",
        "𝟎/𝟏",
        "\u202e0/1",
        "A" * 70_000,
        ",,,",
        ";;;",
        ":::::",
        "=",
        "<X>",
    ),
    *(
        "<NON_REF>",
        "*",
        "<DEL>",
        "END=44909999",
        "END=-5",
        "END=99999999999",
        "SVLEN=-9999999",
        "T" * 3000,
        "\x1b[2J",
    ),
)


def hostile_values(stock: Stock, folder: Path, dice: random.Random) -> Try:
    """Write values into columns and fields at the sites that do not belong there."""
    lines = (stock.folder / "small.vcf").read_text().split("\n")
    rows = [number for number, line in enumerate(lines) if line and not line.startswith("#")]
    for _ in range(dice.choice([1, 1, 2, 6])):
        number = dice.choice(rows)
        columns = lines[number].split("\t")
        place = dice.randrange(len(columns))
        parts = columns[place].split(":") if place > 7 else [columns[place]]
        parts[dice.randrange(len(parts))] = dice.choice(NASTY)
        columns[place] = ":".join(parts)
        lines[number] = "\t".join(columns)
    path = folder / "a.vcf"
    path.write_bytes("\n".join(lines).encode(errors="surrogatepass"))
    return Try(str(path), False, {})


def hostile_names(stock: Stock, folder: Path, dice: random.Random) -> Try:
    """Give names to samples, contigs and files that mean something to programs on the way."""
    odd = [
        "../../x",
        "-rf",
        "$(id)",
        "a b",
        "\x1b]0;x\x07",
        "\u202ex",
        "é" * 60,
        "名前",
        "👩‍🔬",
        "CON",
        ".",
        "'\"`<b>",
    ]
    text = vcf_text(records=HET, samples=dice.sample(odd, 3))
    if dice.random() < 0.3:
        text = text.replace(
            "chr19", dice.choice(["chromosome19", "chr19 ", "19\x1b", "NC_000019.99", "x" * 40_000])
        )
    path = folder / f"{dice.choice(odd).replace('/', '_')[:60].strip('.')}x.vcf"
    path.write_text(text)
    return Try(str(path), False, {})


def bombs(stock: Stock, folder: Path, dice: random.Random) -> Try:
    """Unpack to far more than there is, in a header, a line, a block, contigs or an index."""
    head = vcf_text(records=HET)
    bomb, again = dice.choice(
        [
            ("##fileformat=VCFv4.2\n##x=", b"y"),
            ("##fileformat=VCFv4.2\n", b"##x=y\n"),
            ("##fileformat=VCFv4.2\n", b"##contig=<ID=c>\n"),
            (head + "chr1\t1\t", b"A"),
            (head + "chr19\t44908684\t.\tT\tC\t.\t.\t.\tGT:FT\t0/1:", b"x"),
            (head[: head.index("#CHROM")] + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT", b"\tS"),
            ("", b"\0"),
        ]
    )
    path = folder / "a.vcf.gz"
    with gzip.open(path, "wb", 1) if dice.random() < 0.5 else pysam.BGZFile(str(path), "wb", None) as out:
        out.write(bomb.encode())
        for _ in range(200):
            out.write(again * (1_000_000 // len(again)))
    return Try(str(path), False, {})


def other_files(stock: Stock, folder: Path, dice: random.Random) -> Try:
    """Random bytes behind the first bytes of many kinds of files."""
    magic = [
        b"\xfd7zXZ\0",
        b"BZh9",
        b"\x28\xb5\x2f\xfd",
        b"PK\3\4",
        b"CRAM",
        b"BCF\2\2",
        b"\x1f\x8b\x08\x04",
        b"\x6c\x1b\x01",
    ]
    start = dice.choice([*magic, b"##fileformat=VCFv4.2\n", b"#CHROM\tPOS", b"{", b"", b"\xff\xfe#\0#\0"])
    data = start + dice.randbytes(dice.choice([0, 1, 30, 5000]))
    path = folder / "a.vcf"
    path.write_bytes(gzip.compress(data) if dice.random() < 0.3 else data)
    return Try(str(path), False, {})


class _Server(http.server.BaseHTTPRequestHandler):
    """Answers with the file that is asked for, for some bytes, and then does not go on."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        how, file = self.path[1:].split("/", 1)
        data = Path("/" + file).read_bytes() if Path("/" + file).is_file() else b""
        if how == "loop":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
            return
        first, _, last = self.headers.get("Range", "bytes=0-999999999")[6:].partition("-")
        body = data[int(first) : int(last) + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent = {"stall": 0, "half": len(body) // 2, "drip": 0}.get(how, len(body))
        self.wfile.write(body[:sent])
        if how == "half":
            self.close_connection = True
        for byte in body if how == "drip" else b"":
            self.wfile.write(bytes([byte]))
            time.sleep(0.1)
        if how == "stall":
            time.sleep(8)


def slow_servers(stock: Stock, folder: Path, dice: random.Random) -> Try:
    """Read from a server that stalls, drips, cuts off or redirects for ever, or that behaves."""
    how = dice.choice(["stall", "half", "drip", "loop", "good"])
    name = dice.choice(KINDS)[0]
    url = f"http://127.0.0.1:{server_port()}/{how}{stock.folder / name}"
    return Try(url, how == "good", {"timeout": 1.0, "max_redirects": 3})


_port = 0


def server_port() -> int:
    """Start the server once, and return its port."""
    global _port  # noqa: PLW0603
    if not _port:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _port = server.server_address[1]
    return _port


CLASSES: dict[str, Callable[[Stock, Path, random.Random], Try]] = {
    "byte flips in VCF text": flips_in_text,
    "byte flips in bgzip": flips_in_bgzip,
    "byte flips in recompressed BCF": flips_in_bcf,
    "byte flips in recompressed tbi": lambda *given: flips_in_index(0, *given),
    "byte flips in recompressed csi": lambda *given: flips_in_index(1, *given),
    "byte flips in recompressed csi of BCF": lambda *given: flips_in_index(2, *given),
    "cuts": cuts,
    "cuts of indexes": cut_indexes,
    "foreign indexes": foreign_indexes,
    "hostile values": hostile_values,
    "names": hostile_names,
    "other kinds of files": other_files,
    "slow servers": slow_servers,
    "bombs": bombs,
}


def fate(work: Callable[[], Outcome], seconds: float = SECONDS) -> tuple[str, Outcome]:
    """Do `work` in a process of its own; return "" and what it gave, or what became of it."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(reading)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            result = pickle.dumps((began, work()))
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(result)
            status = 0
        except BaseException as error:  # noqa: BLE001 - whatever it is did not become an error of pgx
            os.write(writing, f"!{type(error).__name__}".encode())
        finally:
            os._exit(status)
    os.close(writing)
    data, started = b"", time.monotonic()
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while time.monotonic() - started < 6 * seconds:
            if select.select([pipe], [], [], 1)[0]:
                part = pipe.read(1 << 16)
                if not part:
                    break
                data += part
        else:
            os.kill(child, signal.SIGKILL)
    _, status, used = os.wait4(child, 0)
    if os.WIFSIGNALED(status):
        return f"ended by signal {os.WTERMSIG(status)}", None
    if os.WEXITSTATUS(status):
        return f"a traceback ({data[1:80].decode(errors='replace')})", None
    if used.ru_utime + used.ru_stime > seconds:
        return f"{used.ru_utime + used.ru_stime:.0f} seconds", None
    began, result = pickle.loads(data)  # noqa: S301 - from this program
    if used.ru_maxrss - began > MEMORY_MB * 1024:
        return f"{(used.ru_maxrss - began) // 1024} MB", None
    return "", result


def attempt(name: str, seed: int, stock: Stock) -> str:
    """Make one try of a class; return "" where it has survived, else what happened."""
    folder = Path(tempfile.mkdtemp(dir=stock.folder))
    try:
        what = CLASSES[name](stock, folder, random.Random(f"{name} {seed}"))
        told, found = fate(lambda: answer(what))
        if told or not what.must_be_right or found == stock.answer:
            return told
        if isinstance(found, str) and name in {"cuts", "slow servers"}:
            return ""  # refused
        return f"a wrong answer: {found if isinstance(found, str) else 'other letters'}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def tortured(
    names: list[str], seconds: float, first: int, tries: int | None
) -> Iterator[tuple[str, int, str]]:
    """Yield class, seed and fate of tries, the classes in turn, until the time is up."""
    until = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="pgx-torture-") as folder:
        stock = Stock(Path(folder))
        for seed in itertools.count(first):
            if tries is not None and seed - first >= tries:
                return
            for name in names:
                if seed > first and tries is None and time.monotonic() > until:
                    return
                yield name, seed, attempt(name, seed, stock)


def main(arguments: list[str] | None = None) -> int:
    """Try, print the table, and return 1 where anything did not survive."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--seconds", type=float, default=60, help="how long (default 60; each class at least once)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--tries", type=int, help="tries a class, in place of --seconds")
    parser.add_argument("--class", dest="name", choices=CLASSES, help="this class alone")
    given = parser.parse_args(arguments)
    names = [given.name] if given.name else list(CLASSES)
    tried, lost = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for name, seed, told in tortured(names, given.seconds, given.seed, given.tries):
        tried[name] += 1
        if told:
            lost[name] += 1
            print(f"LOST  {name}, seed {seed}: {told}", flush=True)
    print(f"\n{'class':40} {'tried':>7} {'survived':>9}")
    for name in names:
        print(f"{name:40} {tried[name]:>7} {tried[name] - lost[name]:>9}")
    print(f"{'all':40} {sum(tried.values()):>7} {sum(tried.values()) - sum(lost.values()):>9}")
    return 1 if any(lost.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
