"""Half a million people in PLINK 1, PLINK 2 and BGEN: pgx cohort with its tables, beside plink2 reading them.

    python benchmarks/bench_biobank.py             prints a table
    python benchmarks/bench_biobank.py --write     fills docs/inputs.md with it as well
    python benchmarks/bench_biobank.py --quick     200 people

The two take turns. Needs plink2, pgenlib and bgen.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from bench_curve import median, pgx, ratio, turns
from tables import arguments, fill, markdown, origin

PEOPLE, QUICK_PEOPLE = 500_000, 200
FREQUENCIES = (0.15, 0.08)  # of C at rs429358, and of T at rs7412
GOALS = {"PGEN": 3.0, "bed": 6.0, "BGEN, 8 bits": 8.0}
FILES = {"PGEN": "p.pgen", "bed": "b.bed", "BGEN, 8 bits": "g.bgen"}
READING = {
    "PGEN": ["--pfile", "p"],
    "bed": ["--bfile", "b"],
    "BGEN, 8 bits": ["--bgen", "g.bgen", "ref-last"],
}


def made(folder: Path, people: int) -> None:
    """Write people drawn independently at both sites as bed, and let plink2 make the others of it."""
    dice = np.random.default_rng(1)
    body = b"\x6c\x1b\x01"
    for frequency in FREQUENCIES:
        codes = np.array([3, 2, 0])[dice.binomial(2, frequency, people)].reshape(-1, 4)
        body += (codes * np.array([1, 4, 16, 64])).sum(axis=1).astype(np.uint8).tobytes()
    (folder / "b.bed").write_bytes(body)
    (folder / "b.bim").write_text("19 rs429358 0 45411941 C T\n19 rs7412 0 45412079 T C\n")
    (folder / "b.fam").write_text("".join(f"F{n} ID{n:07d} 0 0 0 -9\n" for n in range(people)))
    for words in (["--make-pgen", "--out", "p"], ["--export", "bgen-1.2", "bits=8", "--out", "g"]):
        command = ["plink2", "--bfile", "b", *words]
        subprocess.run(command, check=True, cwd=folder, capture_output=True)


def main() -> int:
    """Make the files, measure, print; 1 when a goal is missed."""
    asked = arguments(__doc__)
    if shutil.which("plink2") is None:
        print("plink2 is not installed: nothing to compare with", file=sys.stderr)
        return 0
    people = QUICK_PEOPLE if asked.quick else PEOPLE
    rows, missed, memory = [], False, 0.0
    with tempfile.TemporaryDirectory(prefix="pgx-bench-") as name:
        folder = Path(name)
        made(folder, people)
        for kind, file in FILES.items():
            more = ["--sample", str(folder / "g.sample")] if file == "g.bgen" else []
            source, *words = READING[kind][1:]
            commands = {
                "pgx": pgx("cohort", str(folder / file), "-o", str(folder / "out")),
                "plink2": ["plink2", READING[kind][0], str(folder / source), *words, *more, "--freq", "--out",
                           str(folder / "x")],
            }  # fmt: skip
            found = turns(commands, folder / "out", 0 if asked.quick else 15)
            seconds = median(found["pgx"])
            missed |= seconds > GOALS[kind] and not asked.quick
            memory = max(memory, *(run.memory for run in found["pgx"]))
            cells = [f"{seconds:.2f} s", f"{median(found['plink2']):.2f} s", ratio(found, "pgx", "plink2")]
            rows.append([kind, *cells, f"{GOALS[kind]:g} s"])
    table = markdown(("", "`pgx cohort`", "`plink2 --freq`", "ratio", "wanted at most"), rows)
    told = f"The time goes into tables and page, not into reading; the peak of memory is {memory:.0f} MB."
    print(table, told, sep="\n\n")
    if asked.write:
        fill(
            "inputs.md", "biobank", f"{people:,} people. {origin('plink2')}\n\n{table}\n\n{told}", asked.docs
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
