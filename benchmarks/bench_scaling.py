"""Measure what a sample of each kind of input costs `pgx cohort`, and compute what a million of them would.

    python benchmarks/bench_scaling.py             prints the table
    python benchmarks/bench_scaling.py --write     fills docs/scaling.md with it as well
    python benchmarks/bench_scaling.py --quick     small inputs

Each kind is run in two sizes with one job, in turns. The seconds of the processor that the larger one takes
more, over the samples that it has more, are the cost of a sample; what is left of the smaller one is the
start. What needs a program or library that is not there (plink2, pgenlib, bgen, distributed) is left out.
"""

from __future__ import annotations

import functools
import importlib.util
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench_bytes import Count, served
from bench_curve import make_files, make_records, make_samples, pgx, turns
from tables import arguments, fill, markdown, origin

SECONDS = 25.0  # what the turns of one kind may take
_PLINK2 = {
    "PGEN": ("pgenlib", ["--make-pgen"], "people.pgen"),
    "bed": ("pgenlib", ["--make-bed"], "people.bed"),
    "BGEN, 8 bits": ("bgen", ["--export", "bgen-1.2", "bits=8"], "people.bgen"),
}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of input, two sizes, and what makes one and returns the words of pgx but for the output."""

    name: str
    sizes: tuple[int, int]
    make: Callable[[Path, int], list[str]]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Processor seconds of the start and of a sample, bytes written for a sample, peak memory in MB."""

    start: float
    sample: float
    written: float
    memory: float

    def core_hours(self, samples: float = 1e6) -> float:
        """Return the core-hours of so many samples in one run."""
        return (self.start + samples * self.sample) / 3600


def cohort(*inputs: str | Path) -> list[str]:
    return ["cohort", *map(str, inputs), "--jobs", "1"]


def of_many(folder: Path, sizes: tuple[int, int]) -> list[Kind]:
    """Return the formats that hold all samples in one file; all are made from the same VCF."""

    @functools.cache
    def people(size: int) -> Path:
        own = folder / f"people-{size}"
        own.mkdir()
        return make_samples(own, size)

    def bcf(own: Path, size: int) -> list[str]:
        subprocess.run(["bcftools", "view", "-Ob", "-o", own / "people.bcf", people(size)], check=True)
        subprocess.run(["bcftools", "index", own / "people.bcf"], check=True)
        return cohort(own / "people.bcf")

    def plink2(own: Path, size: int, *, words: Sequence[str], file: str) -> list[str]:
        command = ["plink2", "--vcf", people(size), "--double-id", *words, "--out", own / "people"]
        subprocess.run(command, check=True, capture_output=True)
        return cohort(own / file, "--assembly", "GRCh38")

    makers: dict[str, Callable[[Path, int], list[str]]] = {
        "VCF.gz": lambda _, size: cohort(people(size)),
        "BCF": bcf,
    }
    for name, (library, words, file) in _PLINK2.items():
        if shutil.which("plink2") and importlib.util.find_spec(library):
            makers[name] = functools.partial(plink2, words=words, file=file)
    return [Kind(name=f"one file of all, {name}", sizes=sizes, make=maker) for name, maker in makers.items()]


def of_one(whole: Path, base: str, *, quick: bool) -> list[Kind]:
    """Return the kinds with a file for each sample; the whole genome goes under many names."""

    def links(file: Path, own: Path, size: int) -> list[str]:
        for number in range(size):
            for beside in file.parent.glob(f"{file.name}*"):
                (own / f"f{number:03}-{beside.name}").hardlink_to(beside)
        return cohort(own)

    def urls(own: Path, size: int) -> list[str]:
        rows = [f"{base}/{number}/{whole.name}\n" for number in range(size)]
        (own / "people.tsv").write_text("path\n" + "".join(rows))
        return cohort("--manifest", own / "people.tsv")

    def slices(own: Path, size: int) -> list[str]:
        many = make_files(own, size)
        for number in "12":
            words = [*cohort(many), "--shard", f"{number}/2", "-o", str(own / number)]
            subprocess.run(pgx(*words), check=True, capture_output=True)
        return ["merge", str(own / "1"), str(own / "2")]

    def listed(own: Path, size: int) -> list[str]:
        first = next(make_files(own, 1).iterdir())
        rows = [f"{first.name[:5]}{number}.vcf.gz" for number in range(size)]
        for name in rows:
            (own / name).hardlink_to(first)
        (own / "people.tsv").write_text("\n".join(["path", *(str(own / name) for name in rows)]) + "\n")
        return [*cohort("--manifest", own / "people.tsv"), "--shard", f"1/{size}"]

    genomes, small, list_ = ((2, 4), (4, 8), (2, 9)) if quick else ((4, 24), (200, 1_000), (1, 20_000))
    bare, absent = (whole.with_name(f"{name}.vcf.gz") for name in ("bare", "absent"))
    by_dask = Kind(
        name="the same with `--engine dask`",
        sizes=small,
        make=lambda own, size: [*cohort(make_files(own, size)), "--engine", "dask"],
    )
    return [
        Kind(
            name="a file each, 40 records, no index",
            sizes=small,
            make=lambda own, size: cohort(make_files(own, size)),
        ),
        *([by_dask] if importlib.util.find_spec("distributed") else []),
        Kind(name="a file each, whole genome, index", sizes=genomes, make=functools.partial(links, whole)),
        Kind(name="a file each, whole genome, no index", sizes=genomes, make=functools.partial(links, bare)),
        Kind(
            name="a file each, whole genome, no index, a site absent",
            sizes=(1, 2) if quick else (2, 6),
            make=functools.partial(links, absent),
        ),
        Kind(name="a file each, whole genome, behind a URL", sizes=genomes, make=urls),
        Kind(name="an input of the list that another slice does", sizes=list_, make=listed),
        Kind(name="`pgx merge` of two slices, a file each", sizes=small, make=slices),
    ]


def cost(kind: Kind, folder: Path, seconds: float) -> Cost:
    """Make both sizes of a kind, run them in turns, and return what a sample costs."""
    out = folder / "out"
    commands = {}
    for size in kind.sizes:
        own = folder / str(size)
        own.mkdir()
        commands[str(size)] = pgx(*kind.make(own, size), "-o", str(out))
    found = turns(commands, out, seconds)
    less, more = (statistics.median(run.work for run in runs) for runs in found.values())
    large = written(out)
    shutil.rmtree(out)
    subprocess.run(commands[str(kind.sizes[0])], check=True, capture_output=True)
    step = kind.sizes[1] - kind.sizes[0]
    sample = (more - less) / step
    return Cost(
        start=less - kind.sizes[0] * sample,
        sample=sample,
        written=(large - written(out)) / step,
        memory=max(run.memory for runs in found.values() for run in runs),
    )


def written(out: Path) -> int:
    """Return the bytes of all files of a folder."""
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def row(name: str, found: Cost) -> list[str]:
    """Return a line of the table."""
    return [
        name,
        f"{found.start:.2f}",
        f"{1000 * found.sample:.3g}",
        f"{found.core_hours():.3g}",
        f"{found.written / 1000:.3g}",
        f"{found.memory:.0f}",
    ]


def asked(count: Count, index: str) -> str:
    """Say what a file behind a URL costs in requests and bytes; its index is asked for once."""
    files = count.asked[index]
    requests, size = sum(count.asked.values()) / files, sum(count.came.values()) / files
    return (
        f"Behind a URL a whole genome took {requests:.1f} requests and {size / 1e6:.2f} MB: a million of them"
        f" {requests:.1f} million requests and {size / 1e6:.2f} TB that leave the store."
    )


def main() -> int:
    """Make the inputs, measure, print."""
    options = arguments(__doc__)
    if shutil.which("bcftools") is None:
        print("bcftools is not installed: BCF cannot be made", file=sys.stderr)
        return 0
    quick = options.quick
    rows = []
    with tempfile.TemporaryDirectory(prefix="pgx-bench-") as name:
        folder = Path(name)
        (folder / "whole").mkdir()
        whole = make_records(folder / "whole", 45_000 if quick else 4_500_000)
        with served(whole.parent) as server:
            kinds = [
                *of_many(folder, (20, 200) if quick else (50_000, 500_000)),
                *of_one(whole, f"http://127.0.0.1:{server.server_address[1]}", quick=quick),
            ]
            for number, kind in enumerate(kinds):
                own = folder / str(number)
                own.mkdir()
                rows.append(row(kind.name, cost(kind, own, 0 if quick else SECONDS)))
                print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
                shutil.rmtree(own)
        told = asked(server.count, f"{whole.name}.tbi")
    head = ("input", "start, s", "a sample, ms", "core-hours a million", "written, GB a million", "peak MB")
    table = markdown(head, rows)
    print(table, told, sep="\n\n")
    if options.write:
        line = (
            f"{origin('bcftools')} Seconds are those of the processor, medians of runs of two sizes in turns:"
            " what a sample more costs, and the rest, which each run costs once."
        )
        fill("scaling.md", "cost", f"{line}\n\n{table}\n\n{told}", options.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
