"""Measure `pgx cohort` beside `bcftools query` on the same files, in one run.

    python benchmarks/bench_cohort.py             prints a table
    python benchmarks/bench_cohort.py --write     fills docs/cohort.md with it as well
    python benchmarks/bench_cohort.py --quick     2,000 samples and 20 files
    python benchmarks/bench_cohort.py --small     only the cases of small files
    python benchmarks/bench_cohort.py --large     only those of the large ones
    PGX_BEFORE=/path/to/pgx python benchmarks/... that release takes its turns at the large ones, too

One file with 500,000 samples (GT:AD:DP:GQ:PL) as VCF.gz and as BCF, tables and page written; 2,000 indexed
files of 44,000 records with two jobs; and 500 and 8,000 small plain files without an index (one person, 40
to 60 records), with two jobs. What `pgx recheck` takes a person of the small files is counted in processor
time, less that of a folder of one: QUAL differs from file to file, and all probabilities change. The two
programs take turns (A B A B), so that a busy machine is busy for both, and the medians are compared. Of each
large file 5,000 samples are drawn and called one by one: the tables must say the same of them. Exit code 1
when a requirement does not hold.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import made
import numpy as np
import pysam
from msgspec.structs import astuple
from tables import arguments, fill, markdown, origin

from pgx.options import Options
from pgx.render.tsv import cell_text, row_of
from pgx.single import prepare
from pgx.vcf import read_sites

REGIONS = ",".join(f"chr19:{position}" for position in made.POSITIONS)
QUERY = "[%SAMPLE\\t%POS\\t%GT\\t%GQ\\n]"
MOST_TIMES = {"vcf.gz": 4.0, "bcf": 6.0, "files": 0.6, "few": 2.0, "many": 1.5}
MOST_MEMORY = 600.0  # MB
#: The program of an earlier release, if one is at hand, and what large inputs may take of its time.
BEFORE, MOST_OF_BEFORE = os.environ.get("PGX_BEFORE", ""), 0.5
DRAWN = 5_000
ROUNDS = 3
_DEPTH = 30
_ERROR = 0.005
_FREQUENCIES = (0.15, 0.075)


def columns(rng: np.random.Generator, count: int, frequency: float) -> list[str]:
    """Return sample columns: reads from a depth of 30, PL from the reads, one sample in 500 without any."""
    copies = rng.binomial(2, frequency, count)
    depth = np.where(rng.random(count) < 0.002, 0, rng.poisson(_DEPTH, count))
    alternate = rng.binomial(depth, np.array([_ERROR, 0.5, 1 - _ERROR])[copies])
    shares = np.array([_ERROR, 0.5, 1 - _ERROR])
    log = np.stack([(depth - alternate) * np.log10(1 - p) + alternate * np.log10(p) for p in shares])
    phred = np.rint(-10 * log).astype(int)
    phred -= phred.min(axis=0)
    best, quality = phred.argmin(axis=0), np.minimum(99, np.sort(phred, axis=0)[1])
    names = ("0/0", "0/1", "1/1")
    return [
        f"{names[b]}:{d - a},{a}:{d}:{q}:{x},{y},{z}" if d else "./.:.:.:.:."
        for b, d, a, q, x, y, z in zip(best, depth, alternate, quality, *phred, strict=True)
    ]


def biobank(folder: Path, count: int) -> tuple[Path, Path]:
    """Write one file with `count` samples as VCF.gz and as BCF, both indexed."""
    rng = np.random.default_rng(count)
    plain = folder / "biobank.vcf"
    with plain.open("w", encoding="ascii") as file:
        file.write(made.header([f"P{number:07}" for number in range(count)]))
        for place, letters, frequency in zip(made.POSITIONS, ("T\tC", "C\tT"), _FREQUENCIES, strict=True):
            fixed = f"chr19\t{place}\t.\t{letters}\t50\tPASS\t.\tGT:AD:DP:GQ:PL"
            file.write("\t".join([fixed, *columns(rng, count, frequency)]) + "\n")
    packed, binary = folder / "biobank.vcf.gz", folder / "biobank.bcf"
    pysam.tabix_compress(str(plain), str(packed), force=True)
    pysam.tabix_index(str(packed), preset="vcf", force=True)
    subprocess.run(["bcftools", "view", "-Ob", "-o", str(binary), str(packed)], check=True)
    subprocess.run(["bcftools", "index", str(binary)], check=True)
    plain.unlink()
    return packed, binary


def many(folder: Path, count: int, records: int) -> Path:
    """Write `count` indexed files of one sample: twenty different ones, copied."""
    folder.mkdir()
    patterns = []
    for number in range(min(20, count)):
        plain = made.variants(folder / f"pattern{number}.vcf", records + number)
        packed = folder / f"f{number:05}.vcf.gz"
        pysam.tabix_compress(str(plain), str(packed), force=True)
        pysam.tabix_index(str(packed), preset="vcf", force=True)
        plain.unlink()
        patterns.append(packed)
    for number in range(len(patterns), count):
        source = patterns[number % len(patterns)]
        target = folder / f"f{number:05}.vcf.gz"
        shutil.copyfile(source, target)
        shutil.copyfile(f"{source}.tbi", f"{target}.tbi")
    return folder


def small(folder: Path, count: int) -> Path:
    """Write `count` plain files of one person: different genotypes and QUAL among the same other records."""
    folder.mkdir()
    rng = np.random.default_rng(count)
    of_site = {
        str(place): columns(rng, count, frequency)
        for place, frequency in zip(made.POSITIONS, _FREQUENCIES, strict=True)
    }
    plain = folder / "pattern"
    patterns = []
    for number in range(20):
        made.variants(plain, 40 + number, near=True)
        patterns.append([line.split("\t") for line in plain.read_text("ascii").splitlines()])
    plain.unlink()
    for number in range(count):
        lines = []
        for cells in patterns[number % len(patterns)]:
            own = of_site.get(cells[1]) if len(cells) > 1 else None
            quality = str(rng.integers(30, 3000))
            line = cells if own is None else [*cells[:5], quality, *cells[6:-1], own[number]]
            lines.append("\t".join(line).replace("P00000", f"P{number:07}") + "\n")
        (folder / f"f{number:06}.vcf").write_text("".join(lines), "ascii")
    return folder


def processor_seconds(*arguments: str | Path) -> float:
    """Return the processor time of a command of pgx and of its workers."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds([sys.executable, "-m", "pgx", *map(str, arguments)])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def seconds(command: Sequence[str] | str) -> float:
    """Return how long a command takes on the clock; its output goes to a file that is thrown away."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        subprocess.run(
            command, stdout=out, stderr=subprocess.PIPE, check=True, shell=isinstance(command, str)
        )
        return time.perf_counter() - start


def compare(*programs: Callable[[], float], rounds: int) -> list[float]:
    """Return the median of each program over `rounds` turns, after one turn that warms the caches."""
    turns = [[program() for program in programs] for _ in range(rounds + 1)]
    return [statistics.median(column) for column in zip(*turns[1:], strict=True)]


def cohort(inputs: Path, out: Path, jobs: int, before: str = "") -> float:
    shutil.rmtree(out, ignore_errors=True)
    program = [before] if before else [sys.executable, "-m", "pgx"]
    return seconds([*program, "cohort", str(inputs), "-o", str(out), "--jobs", str(jobs)])


def peak(path: Path, out: Path) -> float:
    """Return the megabytes of memory of a run, or of its worker where that has more."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "pgx", "cohort", str(path), "-o", str(out), "--jobs", "1"]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise RuntimeError(f"pgx ended with {started.returncode}")
    return used.ru_maxrss / 1024


def differing(path: Path, out: Path, count: int) -> int:
    """Return for how many of `count` drawn samples the table differs from the call of a single sample."""
    ready = prepare(read_sites(str(path)), Options())
    with (out / "samples.tsv").open(encoding="utf-8") as file:
        found = file.read().splitlines()[1:]
    drawn = random.Random(count).sample(range(len(found)), min(count, len(found)))  # noqa: S311 - no secret
    single = (ready.report(ready.columns[place], ready.names[place]) for place in drawn)
    return sum(
        found[place] != "\t".join(map(cell_text, astuple(row_of(ready.run, report))))
        for place, report in zip(drawn, single, strict=True)
    )


Case = tuple[str, float, float, float]


def large_files(folder: Path, samples: int, rounds: int) -> tuple[list[Case], list[str], bool]:
    """Return the cases of one file of many people, what is to be said, and whether all agree."""
    rows, told, held, memory = [], [], True, 0.0
    for path in biobank(folder, samples):
        ending = path.name.partition(".")[2]
        programs = [
            lambda path=path: cohort(path, folder / "out", 1),
            lambda path=path: seconds(["bcftools", "query", "-f", QUERY, str(path)]),
        ]
        if BEFORE:
            programs.append(lambda path=path: cohort(path, folder / "before", 1, BEFORE))
        ours, theirs, *before = compare(*programs, rounds=rounds)
        for other in before:
            share = f"{ours / other:.2f} of the {other:.2f} s of the release before"
            told.append(f"{ending} takes {share} (at most {MOST_OF_BEFORE:g}).")
            held &= rounds == 1 or ours <= MOST_OF_BEFORE * other
        rows.append((f"{samples:,} samples, {ending}", ours, theirs, MOST_TIMES[ending]))
        memory = max(memory, peak(path, folder / "out"))
        wrong = differing(path, folder / "out", DRAWN)
        told.append(
            f"Of {min(DRAWN, samples):,} samples drawn of {ending} {wrong} differ from their single call."
        )
        held &= wrong == 0
    told.append(f"Peak memory of the largest: {memory:.0f} MB (at most {MOST_MEMORY:.0f}).")
    return rows, told, held and memory <= MOST_MEMORY


def small_files(folder: Path, counts: tuple[int, int], rounds: int) -> tuple[list[Case], list[str]]:
    """Return the cases of many small files, and what a recheck takes."""
    rows = []
    for count, most in zip(counts, ("few", "many"), strict=True):
        inputs = small(folder / f"small{count}", count)
        shown = f"xargs -P2 -n1 bcftools query -t {REGIONS} -f '[%SAMPLE %POS %GT %GQ\\n]'"
        shell = f"find {inputs} -name '*.vcf' | {shown}"
        ours, theirs = compare(
            lambda inputs=inputs: cohort(inputs, folder / "out", 2),
            lambda shell=shell: seconds(shell),
            rounds=rounds,
        )
        rows.append((f"{count:,} small files, two jobs", ours, theirs, MOST_TIMES[most]))
    cohort(inputs / "f000000.vcf", folder / "one", 1)
    one, whole = (
        statistics.median(
            processor_seconds("recheck", folder / name, "--population", "EUR", "--jobs", "1")
            for _ in range(rounds)
        )
        for name in ("one", "out")
    )
    each = (whole - one) / counts[1] * 1000
    return rows, [f"`pgx recheck` of the {counts[1]:,} people: {each:.2f} ms of processor time each."]


def main() -> int:
    asked = arguments(__doc__, "--small", "--large")
    samples, files, rounds = (2_000, 20, 1) if asked.quick else (500_000, 2_000, ROUNDS)
    if shutil.which("bcftools") is None:
        print("bcftools is not installed: nothing to measure against")
        return 0
    rows: list[Case] = []
    told: list[str] = []
    held = True
    with tempfile.TemporaryDirectory(prefix="pgx-bench-") as name:
        folder = Path(name)
        if not asked.small:
            rows, told, held = large_files(folder, samples, rounds)
        if not (asked.small or asked.large):
            inputs = many(folder / "many", files, 44_000)
            shell = (
                f"ls {inputs}/*.vcf.gz | xargs -P2 -n1"
                f" bcftools query -r {REGIONS} -f '[%SAMPLE %POS %GT %GQ\\n]'"
            )
            ours, theirs = compare(
                lambda: cohort(inputs, folder / "out", 2), lambda: seconds(shell), rounds=rounds
            )
            what = f"{files:,} indexed files of 44,000 records, two jobs"
            rows.append((what, ours, theirs, MOST_TIMES["files"]))
        if not asked.large:
            more, said = small_files(folder, (10, 20) if asked.quick else (500, 8_000), rounds)
            rows, told = [*rows, *more], [*told, *said]
    holds = [ours <= most * theirs for _, ours, theirs, most in rows]
    held &= all(holds) or asked.quick
    shown = [
        (what, f"{ours:.2f}", f"{theirs:.2f}", f"{ours / theirs:.2f}", f"{most:g}", "yes" if own else "NO")
        for (what, ours, theirs, most), own in zip(rows, holds, strict=True)
    ]
    table = markdown(["", "pgx cohort, s", "bcftools, s", "times", "at most", "holds"], shown)
    print(table, "\n".join(told), sep="\n\n")
    if asked.write and not (asked.small or asked.large):
        head = f"{origin('bcftools')} Medians of {rounds} whole processes that took turns."
        fill("cohort.md", "measured", "\n\n".join([head, table, " ".join(told)]), asked.docs)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
