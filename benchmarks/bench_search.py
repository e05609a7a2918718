"""Measure `pgx annotate` on a whole genome of one person, beside `bcftools query` and `zcat`.

    python benchmarks/bench_search.py             prints a table
    python benchmarks/bench_search.py --write     fills docs/performance.md with it as well
    python benchmarks/bench_search.py --quick     small files

The commands take turns, so that a busy machine is busy for all. Files: 450,000 and 4,500,000 records, bgzip,
whose header declares END or not (where it does, all of chromosome 19 in front of the sites is read); the
larger one without rs7412, which must be read as a whole; the same without INFO (72 bytes a record instead of
224, which spares bcftools most of its work), and as plain gzip; and a gVCF of 1,500,000 blocks on
chromosome 19 alone. The start of Python with the two libraries that every call needs is the floor.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench_single import QUERY, REGIONS, Run, measure
from tables import arguments, fill, markdown, origin

_MAKE = """
import made, sys
from pathlib import Path
import pysam
records, folder, short = int(sys.argv[1]), Path(sys.argv[2]), bool(int(sys.argv[3]))
whole = made.variants(folder / "whole.vcf", records, short=short)
site = f"chr19\\t{made.POSITIONS[1]}\\t".encode()
names = ("bare.vcf", "absent.vcf")
bare, absent = ((folder / name).open("wb") for name in names)
with whole.open("rb") as source, bare, absent:
    for line in source:
        if b"<ID=END," not in line:
            bare.write(line)
            if not line.startswith(site):
                absent.write(line)
for name in ("whole", "bare", "absent"):
    pysam.tabix_compress(str(folder / f"{name}.vcf"), str(folder / f"{name}.vcf.gz"), force=True)
    (folder / f"{name}.vcf").unlink()
(folder / "indexed.vcf.gz").hardlink_to(folder / "bare.vcf.gz")
pysam.tabix_index(str(folder / "indexed.vcf.gz"), preset="vcf", csi=True)
"""
_MAKE_BLOCKS = """
import made, sys
from pathlib import Path
made.packed(made.blocks(Path(sys.argv[1]), int(sys.argv[2]), "chr19")).with_name("blocks.vcf.gz.tbi").unlink()
"""
SMALL, LARGE, BLOCKS = 450_000, 4_500_000, 1_500_000
QUICKER = 100  # times, with --quick
ROUNDS = 7
INDEXED, PASSED = "bcftools query -r, csi", "bcftools query -t"


def make(folder: Path, divided: int) -> None:
    """Make the files with fewer records, each set in a process of its own.

    The peak memory of a child counts that of its parent, so this one stays small.
    """
    here = Path(__file__).resolve().parent
    for name, records, short in (("small", SMALL, 0), ("large", LARGE, 0), ("short", LARGE, 1)):
        (folder / name).mkdir()
        arguments = [str(records // divided), str(folder / name), str(short)]
        subprocess.run([sys.executable, "-c", _MAKE, *arguments], check=True, cwd=here)
    command = [sys.executable, "-c", _MAKE_BLOCKS, str(folder / "blocks.vcf"), str(BLOCKS // divided)]
    subprocess.run(command, check=True, cwd=here)
    with (folder / "plain.vcf.gz").open("wb") as target:
        unpacked = subprocess.Popen(["zcat", folder / "large" / "absent.vcf.gz"], stdout=subprocess.PIPE)
        subprocess.run(["gzip", "-c"], stdin=unpacked.stdout, stdout=target, check=True)
        unpacked.communicate()


def commands(folder: Path) -> dict[str, tuple[list[str], str, str]]:
    """Return what is measured by the name in the table, and the two lines with which it is compared."""
    small, large, short = (folder / name for name in ("small", "large", "short"))
    query = ["bcftools", "query", "-f", QUERY]

    def pgx(path: Path) -> list[str]:
        return [sys.executable, "-m", "pgx", "annotate", str(path), "-f", "json"]

    asked = {
        "import typer, pysam": [sys.executable, "-c", "import typer, pysam"],
        INDEXED: [*query, "-r", REGIONS, str(large / "indexed.vcf.gz")],
        PASSED: [*query, "-t", REGIONS, str(large / "bare.vcf.gz")],
        "pgx, csi": pgx(large / "indexed.vcf.gz"),
        "pgx, 450,000 records, no index": pgx(small / "bare.vcf.gz"),
        "pgx, no index": pgx(large / "bare.vcf.gz"),
        "pgx, 450,000 records, no index, END declared": pgx(small / "whole.vcf.gz"),
        "pgx, no index, END declared": pgx(large / "whole.vcf.gz"),
        "pgx, no index, rs7412 absent": pgx(large / "absent.vcf.gz"),
        "zcat of plain gzip": ["zcat", str(folder / "plain.vcf.gz")],
        "pgx, plain gzip, rs7412 absent": pgx(folder / "plain.vcf.gz"),
        f"{PASSED}, records without INFO": [*query, "-t", REGIONS, str(short / "bare.vcf.gz")],
        "pgx, no index, rs7412 absent, records without INFO": pgx(short / "absent.vcf.gz"),
        f"{PASSED}, gVCF": [*query, "-t", REGIONS, str(folder / "blocks.vcf.gz")],
        "pgx, no index, gVCF": pgx(folder / "blocks.vcf.gz"),
    }
    others = {kind: f"{PASSED}, {kind}" for kind in ("records without INFO", "gVCF")}
    return {
        case: (command, INDEXED, next((other for kind, other in others.items() if kind in case), PASSED))
        for case, command in asked.items()
    }


def ratio(ours: list[Run], theirs: list[Run]) -> float:
    """Return the median of the ratios of runs in the same round."""
    return statistics.median(one.seconds / two.seconds for one, two in zip(ours, theirs, strict=True))


def main() -> int:
    """Make the files, measure, print."""
    options = arguments(__doc__)
    rounds = 1 if options.quick else ROUNDS
    if shutil.which("bcftools") is None:
        print("bcftools is not installed: nothing to compare with", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory(prefix="pgx-bench-") as name:
        make(Path(name), QUICKER if options.quick else 1)
        asked = commands(Path(name))
        runs: dict[str, list[Run]] = {case: [] for case in asked}
        for number in range(rounds + 1):
            for case, (command, _, _) in asked.items():
                run = measure(command)
                if number:  # the first fills the cache
                    runs[case].append(run)
    rows = [
        [
            case,
            f"{statistics.median(run.seconds for run in runs[case]):.3f}",
            f"{min(run.seconds for run in runs[case]):.3f}",
            f"{statistics.median(run.work for run in runs[case]):.3f}",
            f"{ratio(runs[case], runs[indexed]):.2f}",
            f"{1 / ratio(runs[case], runs[passed]):.1f}",
            f"{max(run.memory for run in runs[case]):.0f}",
        ]
        for case, (_, indexed, passed) in asked.items()
    ]
    table = markdown(("case", "s", "least s", "CPU s", "times -r", "faster than -t", "MB"), rows)
    growth = [
        ratio(runs[f"pgx, {kind}"], runs[f"pgx, {SMALL:,} records, {kind}"])
        for kind in ("no index", "no index, END declared")
    ]
    gzip = ratio(runs["pgx, plain gzip, rs7412 absent"], runs["zcat of plain gzip"])
    told = (
        f"From {SMALL:,} to {LARGE:,} records without an index the time grows to {growth[0]:.2f} of itself,"
        f" and to {growth[1]:.2f} where the header declares END. Plain gzip is read in"
        f" {gzip:.2f} of the time of zcat."
    )
    print(table, told, sep="\n")
    if options.write:
        line = (
            f"{origin('bcftools')} {LARGE:,} records unless said otherwise; {rounds} turns;"
            " the gVCF has 1,500,000 blocks on chromosome 19, and nothing else."
            " Seconds are medians of whole processes in turns, `times -r` and `faster than -t` medians of the"
            " ratios to bcftools on the same records in one round."
        )
        fill("performance.md", "search", f"{line}\n\n{table}\n\n{told}", options.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
