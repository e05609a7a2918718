"""Measure how long `pgx annotate` takes, whole process, beside `bcftools query` on the same file.

    python benchmarks/bench_single.py             prints a table
    python benchmarks/bench_single.py --write     fills docs/performance.md with it as well
    python benchmarks/bench_single.py --quick     the indexed single sample only, few rounds

The two programs take turns (A B A B), so that a busy machine is busy for both. Exit code 1 when the
requirement on the indexed single sample does not hold: four times bcftools at most, or 0.25 s if more.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tables import arguments, fill, markdown, origin

SINGLE_RECORDS = 44_000
SCAN_RECORDS = 2_000_000
PANEL = 2_504
MOST_TIMES = 4.0
OR_SECONDS = 0.25
REGIONS = "chr19:44908684,chr19:44908822"
#: As where pgx is installed: its modules are compiled once, not at every start.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
QUERY = "[%SAMPLE %POS %REF %ALT %TGT %PL\n]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a program: seconds on the clock and of the processor, and peak memory in MB."""

    seconds: float
    work: float
    memory: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A file, the function of `made.py` with arguments that makes it (None: it is there), and the readers."""

    name: str
    file: str
    make: tuple[str, tuple[int, ...]] | None
    form: str
    rounds: int
    scan: bool = False

    def commands(self, path: Path) -> tuple[list[str], list[str]]:
        """Return the command of pgx and that of bcftools."""
        where = ["-t", REGIONS] if self.scan else ["-r", REGIONS]
        ours = [sys.executable, "-m", "pgx", "annotate", str(path), "-f", self.form]
        return ours, ["bcftools", "query", *where, "-f", QUERY, str(path)]


CASES = (
    Case(
        name="one sample, 44,000 records, bgzip and tbi",
        file="single.vcf.gz",
        make=("variants", (SINGLE_RECORDS,)),
        form="text",
        rounds=15,
    ),
    Case(
        name="the same, JSON",
        file="single.vcf.gz",
        make=None,
        form="json",
        rounds=15,
    ),
    Case(
        name="gVCF, 400,000 blocks, bgzip and tbi",
        file="blocks.g.vcf.gz",
        make=("blocks", (400_000,)),
        form="json",
        rounds=7,
    ),
    Case(
        name=f"{PANEL:,} samples, 40 records, bgzip and tbi, TSV",
        file="panel.vcf.gz",
        make=("panel", (40, PANEL)),
        form="tsv",
        rounds=5,
    ),
    Case(
        name="one sample, 2,000,000 records, plain, no index",
        file="scan.vcf",
        make=("variants", (SCAN_RECORDS,)),
        form="json",
        rounds=3,
        scan=True,
    ),
)


def measure(command: Sequence[str]) -> Run:
    """Run a command and measure its whole process.

    Raises
    ------
    RuntimeError
        It failed.
    """
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=_ENVIRONMENT)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return Run(seconds=seconds, work=used.ru_utime + used.ru_stime, memory=used.ru_maxrss / 1024)


def make(case: Case, path: Path) -> None:
    """Make the file of a case in a process of its own.

    The peak memory of a process counts that of its parent from before the start, so this one stays small.
    """
    if case.make is None:
        return
    function, arguments = case.make
    plain = str(path).removesuffix(".gz")
    command = (
        f"import made; from pathlib import Path; file = made.{function}(Path({plain!r}), *{arguments!r})"
    )
    if path.suffix == ".gz":
        command += "; made.packed(file)"
    subprocess.run([sys.executable, "-c", command], check=True, cwd=Path(__file__).resolve().parent)


def compare(case: Case, path: Path, rounds: int) -> tuple[list[Run], list[Run]]:
    """Run both programs in turn, after one run of each that is not counted."""
    commands = case.commands(path)
    runs: tuple[list[Run], list[Run]] = ([], [])
    for number in range(rounds + 1):
        for command, kept in zip(commands, runs, strict=True):
            run = measure(command)
            if number:
                kept.append(run)
    return runs


def row(case: Case, ours: Sequence[Run], theirs: Sequence[Run]) -> list[str]:
    """Return a line of the table."""
    mine, other = (statistics.median(run.seconds for run in runs) for runs in (ours, theirs))
    ratio = statistics.median(one.seconds / two.seconds for one, two in zip(ours, theirs, strict=True))
    memory = [f"{max(run.memory for run in runs):.0f}" for runs in (ours, theirs)]
    least = min(run.seconds for run in ours)
    work = statistics.median(run.work for run in ours)
    times = [f"{seconds:.3f}" for seconds in (mine, other, least, work)]
    return [case.name, *times, f"{ratio:.1f}", *memory, str(len(ours))]


def main() -> int:
    """Make the files, measure, print."""
    asked = arguments(__doc__)
    if shutil.which("bcftools") is None:
        print("bcftools is not installed: nothing to compare with", file=sys.stderr)
        return 0
    rows = []
    with tempfile.TemporaryDirectory(prefix="pgx-bench-") as name:
        for case in CASES[:1] if asked.quick else CASES:
            path = Path(name) / case.file
            make(case, path)
            ours, theirs = compare(case, path, 3 if asked.quick else case.rounds)
            rows.append(row(case, ours, theirs))
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    header = (
        "case",
        "pgx s",
        "bcftools s",
        "pgx least s",
        "pgx CPU s",
        "ratio",
        "pgx MB",
        "bcftools MB",
        "rounds",
    )
    table = markdown(header, rows)
    print(table)
    mine, other = float(rows[0][1]), float(rows[0][2])
    holds = mine <= max(MOST_TIMES * other, OR_SECONDS)
    verdict = (
        f"Required of the first line: at most {MOST_TIMES:g} times bcftools or {OR_SECONDS:g} s, whichever is"
        f" more. Measured: {mine:.3f} s. {'It holds.' if holds else '**It does not hold.**'}"
    )
    print(verdict)
    if asked.write:
        line = (
            f"{origin('bcftools')}"
            " Seconds are medians of whole processes, `least` the shortest run, CPU time of the processor,"
            " `ratio` the median of the paired ratios, MB the peak of the resident memory."
        )
        fill("performance.md", "single", f"{line}\n\n{table}\n\n{verdict}", asked.docs)
    return 0 if holds or asked.quick else 1


if __name__ == "__main__":
    sys.exit(main())
