"""Measure `pgx annotate` on a whole genome without an index, beside `bcftools query` with and without one.

    python benchmarks/bench_search.py             prints a table
    python benchmarks/bench_search.py --write     fills docs/performance.md with it as well
    python benchmarks/bench_search.py --rounds N  how often each command is run (7)

The commands take turns, so that a busy machine is busy for all. Files: 450,000 and 4,500,000 records, bgzip,
whose header declares END or not (where it does, all of chromosome 19 in front of the sites is read), and the
larger one without rs7412, which must be read as a whole.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench_single import QUERY, REGIONS, Run, measure
from tables import fill, machine, markdown, today

_MAKE = """
import made, sys
from pathlib import Path
import pysam
records, folder = int(sys.argv[1]), Path(sys.argv[2])
whole = made.variants(folder / "whole.vcf", records)
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
SMALL, LARGE = 450_000, 4_500_000


def commands(folder: Path) -> dict[str, list[str]]:
    """Return what is measured, by the name in the table."""
    small, large = folder / str(SMALL), folder / str(LARGE)
    query = ["bcftools", "query", "-f", QUERY]

    def pgx(path: Path) -> list[str]:
        return [sys.executable, "-m", "pgx", "annotate", str(path), "-f", "json"]

    return {
        "bcftools query -r, 4,500,000 records, csi": [*query, "-r", REGIONS, str(large / "indexed.vcf.gz")],
        "bcftools query -t, 4,500,000 records": [*query, "-t", REGIONS, str(large / "bare.vcf.gz")],
        "pgx, 4,500,000 records, csi": pgx(large / "indexed.vcf.gz"),
        "pgx, 450,000 records, no index": pgx(small / "bare.vcf.gz"),
        "pgx, 4,500,000 records, no index": pgx(large / "bare.vcf.gz"),
        "pgx, 450,000 records, no index, END declared": pgx(small / "whole.vcf.gz"),
        "pgx, 4,500,000 records, no index, END declared": pgx(large / "whole.vcf.gz"),
        "pgx, 4,500,000 records, no index, rs7412 absent": pgx(large / "absent.vcf.gz"),
    }


def ratio(ours: list[Run], theirs: list[Run]) -> float:
    """Return the median of the ratios of runs in the same round."""
    return statistics.median(one.seconds / two.seconds for one, two in zip(ours, theirs, strict=True))


def main() -> int:
    """Make the files, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="fill docs/performance.md")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    if shutil.which("bcftools") is None:
        print("bcftools is not installed: nothing to compare with", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory(prefix="pgx-bench-") as name:
        for records in (SMALL, LARGE):
            folder = Path(name) / str(records)
            folder.mkdir()
            here = Path(__file__).resolve().parent
            subprocess.run([sys.executable, "-c", _MAKE, str(records), str(folder)], check=True, cwd=here)
        asked = commands(Path(name))
        runs: dict[str, list[Run]] = {case: [] for case in asked}
        for number in range(arguments.rounds + 1):
            for case, command in asked.items():
                run = measure(command)
                if number:  # the first fills the cache
                    runs[case].append(run)
    indexed, passed = list(runs.values())[:2]
    rows = [
        [
            case,
            f"{statistics.median(run.seconds for run in found):.3f}",
            f"{min(run.seconds for run in found):.3f}",
            f"{statistics.median(run.work for run in found):.3f}",
            f"{ratio(found, indexed):.2f}",
            f"{1 / ratio(found, passed):.1f}",
            f"{max(run.memory for run in found):.0f}",
        ]
        for case, found in runs.items()
    ]
    table = markdown(("case", "s", "least s", "CPU s", "times -r", "faster than -t", "MB"), rows)
    growth = [
        ratio(runs[f"pgx, {LARGE:,} records, {kind}"], runs[f"pgx, {SMALL:,} records, {kind}"])
        for kind in ("no index", "no index, END declared")
    ]
    told = (
        f"From {SMALL:,} to {LARGE:,} records without an index the time grows to {growth[0]:.2f} of itself,"
        f" and to {growth[1]:.2f} where the header declares END."
    )
    print(table, told, sep="\n")
    if arguments.write:
        line = (
            f"`python benchmarks/bench_search.py --write --rounds {arguments.rounds}` on {today()};"
            f" {machine()}, load {os.getloadavg()[0]:.1f}. Seconds are medians of whole processes in turns,"
            " `times -r` and `faster than -t` medians of the ratios to the first two lines in one round."
        )
        fill("performance.md", "search", f"{line}\n\n{table}\n\n{told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
