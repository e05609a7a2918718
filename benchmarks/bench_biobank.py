"""Half a million people in PLINK 1, PLINK 2 and BGEN: pgx cohort with its tables, beside plink2 reading them.

Makes its own files in a temporary folder; needs plink2, and pgenlib and bgen. Prints a table; fails nothing.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PEOPLE = 500_000
FREQUENCIES = (0.15, 0.08)  # of C at rs429358, and of T at rs7412
GOALS = {"pgen": 3.0, "bed": 6.0, "bgen": 8.0}
READING = {"bed": ["--bfile", "b"], "pgen": ["--pfile", "p"], "bgen": ["--bgen", "g.bgen", "ref-last"]}
FILES = {"bed": "b.bed", "pgen": "p.pgen", "bgen": "g.bgen"}


def made(folder: Path) -> None:
    """Write people drawn independently at both sites as bed, and let plink2 make the others of it."""
    dice = np.random.default_rng(1)
    body = b"\x6c\x1b\x01"
    for frequency in FREQUENCIES:
        codes = np.array([3, 2, 0])[dice.binomial(2, frequency, PEOPLE)].reshape(-1, 4)
        body += (codes * np.array([1, 4, 16, 64])).sum(axis=1).astype(np.uint8).tobytes()
    (folder / "b.bed").write_bytes(body)
    (folder / "b.bim").write_text("19 rs429358 0 45411941 C T\n19 rs7412 0 45412079 T C\n")
    (folder / "b.fam").write_text("".join(f"F{n} ID{n:07d} 0 0 0 -9\n" for n in range(PEOPLE)))
    plink2(folder, "--bfile", "b", "--make-pgen", "--out", "p")
    plink2(folder, "--bfile", "b", "--export", "bgen-1.2", "bits=8", "--out", "g")


def plink2(folder: Path, *arguments: str) -> None:
    subprocess.run(["plink2", *arguments, "--silent"], check=True, cwd=folder, capture_output=True)


def main() -> None:
    if shutil.which("plink2") is None:
        print("plink2 is not installed")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made(folder)
        print(f"{PEOPLE:,} people   pgx cohort, tables written   plink2 --freq   goal")
        for kind, file in FILES.items():
            start = time.perf_counter()
            command = [sys.executable, "-m", "pgx", "cohort", file, "-o", f"out-{kind}"]
            subprocess.run(command, check=True, cwd=folder, capture_output=True)
            ours = time.perf_counter() - start
            start = time.perf_counter()
            more = ["--sample", "g.sample"] if kind == "bgen" else []
            plink2(folder, *READING[kind], *more, "--freq", "--out", f"x-{kind}")
            theirs = time.perf_counter() - start
            print(f"{kind:14} {ours:12.2f} s {theirs:24.2f} s {GOALS[kind]:10.0f} s")
        print(f"peak memory of any: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
