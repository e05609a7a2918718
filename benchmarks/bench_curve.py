"""Measure what pgx costs over records, samples and files, beside bcftools and PyPGx on the same files.

    python benchmarks/bench_curve.py             prints three tables
    python benchmarks/bench_curve.py --write     fills docs/performance.md and draws docs/cost.svg as well
    python benchmarks/bench_curve.py --quick     small files only

Whole processes that take turns. PyPGx is looked for on the path, or is what the variable PYPGX names; without
it its column is empty. Exit code 1 when pgx and PyPGx do not say the same of the same person.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path

import made
import pysam
from bench_single import QUERY, REGIONS, Run, measure
from tables import arguments, fill, markdown, origin, svg

PYPGX = shutil.which(os.environ.get("PYPGX", "pypgx")) or ""
LEAST_TIMES = 20.0  # the time of PyPGx over that of pgx, one person
PATTERNS = 20  # different files among many
SECONDS = 20.0  # what the turns of one size may take; one turn is always taken
MOST_TURNS = 5
#: What PyPGx calls our haplotypes.
_NAMES = {"Reference": "e3", "E2": "e2", "E4": "e4", "E3": "e1"}
_SITES = tuple(f"chr19\t{place}\t" for place in made.POSITIONS)
_TRANS = dict(zip(_SITES, ("0|1", "1|0"), strict=True))
_COLUMNS = {
    "0|0": "0|0:30,0:30:90:0,90,900",
    "0|1": "0|1:15,15:30:99:480,0,480",
    "1|0": "1|0:15,15:30:99:480,0,480",
}
_PEOPLE = (("0|1", "0|0"), ("0|0", "0|0"), ("0|0", "0|1"), ("0|1", "1|0"))  # e3/e4, e3/e3, e2/e3, e2/e4
Command = list[str]
Runs = dict[str, list[Run]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A line of the picture: the command for what was made, and a folder to write into; the largest size."""

    label: str
    command: Callable[[Path, Path], Command]
    most: float = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What grows, over which sizes, who is measured, and which ratios (ours, theirs) the table shows."""

    name: str
    title: str
    sizes: tuple[int, ...]
    make: Callable[[Path, int], Path]
    series: tuple[Series, ...]
    ratios: tuple[tuple[str, str], ...]


def pgx(*words: str) -> Command:
    return [sys.executable, "-m", "pgx", *words]


def query(where: str, path: Path) -> Command:
    return ["bcftools", "query", where, REGIONS, "-f", QUERY, str(path)]


def pypgx(path: Path, out: Path) -> Command:
    """Return the command of PyPGx; its pipeline needs no bundle where all genotypes are phased."""
    more = ["--assembly", "GRCh38", "--do-not-plot-allele-fraction"]
    return [PYPGX, "run-ngs-pipeline", "APOE", str(out), "--variants", str(path), *more]


def called(path: Path, records: int, genotypes: Sequence[str], *, near: bool = False) -> Iterator[str]:
    """Yield the lines of one phased person with these genotypes, well covered, at both sites."""
    made.variants(path, records, near=near)
    ours = dict(zip(_SITES, genotypes, strict=True))
    with path.open() as file:
        for line in file:
            if line.startswith("#"):
                yield line
            elif genotype := ours.get(line[:15]):
                yield f"{line.rpartition(chr(9))[0]}\t{_COLUMNS[genotype]}\n"
            else:
                yield line.replace("/", "|")
    path.unlink()


def make_records(folder: Path, records: int) -> Path:
    """Make one person, e3/e4, three times: indexed, without an index, and without rs7412."""
    person, absent = folder / "person.vcf", folder / "absent.vcf"
    with person.open("w") as whole, absent.open("w") as part:
        for line in called(folder / "plain.vcf", records, _PEOPLE[0]):
            whole.write(line)
            if not line.startswith(_SITES[1]):
                part.write(line)
    made.packed(absent)
    (folder / "absent.vcf.gz.tbi").unlink()
    (folder / "bare.vcf.gz").hardlink_to(made.packed(person))
    return folder / "person.vcf.gz"


def make_samples(folder: Path, samples: int) -> Path:
    """Make a file of many phased people, in whom both letters never stand on one chromosome."""
    unphased, path = folder / "unphased.vcf", folder / "people.vcf"
    with made.variants(unphased, 0, samples, near=True).open() as source, path.open("w") as target:
        for line in source:
            own = line if line.startswith("#") else line.replace("0/1", _TRANS[line[:15]]).replace("/", "|")
            target.write(own)
    unphased.unlink()
    return made.packed(path)


def make_files(folder: Path, files: int) -> Path:
    """Make a folder of small files without an index, and indexed ones of the same people for PyPGx."""
    many, indexed = folder / "many", folder / "indexed"
    many.mkdir()
    indexed.mkdir()
    patterns = [
        "".join(called(folder / "plain.vcf", 40 + number, _PEOPLE[number % len(_PEOPLE)], near=True))
        for number in range(PATTERNS)
    ]
    for number in range(files):
        text = patterns[number % PATTERNS].replace("P00000", f"P{number:05}")
        with pysam.BGZFile(str(many / f"f{number:05}.vcf.gz"), "wb") as file:
            file.write(text.encode())
        if number < 10:
            (indexed / f"f{number:05}.vcf").write_text(text)
            made.packed(indexed / f"f{number:05}.vcf")
    return many


def _xargs(path: Path, _: Path) -> Command:
    one = f"bcftools query -t {REGIONS} -f '{QUERY}'".replace("\n", "\\n")
    return ["sh", "-c", f"find '{path}' -name '*.vcf.gz' -print0 | xargs -0 -P {os.cpu_count()} -n 1 {one}"]


def _each(path: Path, out: Path) -> Command:
    """Return the command of PyPGx for each of the files, one after the other."""
    files = sorted((path.parent / "indexed").glob("*.vcf.gz"))[: len(list(path.iterdir()))]
    calls = [" ".join(pypgx(file, out / file.stem)) for file in files]
    return ["sh", "-ce", "\n".join([f"mkdir {out}", *calls])]


def _cohort(path: Path, out: Path) -> Command:
    return pgx("cohort", str(path), "-o", str(out))


AXES = (
    Axis(
        name="records",
        title="Records of one person's file",
        sizes=(4_500, 45_000, 450_000, 4_500_000),
        make=make_records,
        series=(
            Series(label="pgx, index", command=lambda path, _: pgx("annotate", str(path))),
            Series(
                label="pgx, no index", command=lambda path, _: pgx("annotate", f"{path.parent}/bare.vcf.gz")
            ),
            Series(
                label="pgx, rs7412 absent",
                command=lambda path, _: pgx("annotate", f"{path.parent}/absent.vcf.gz"),
            ),
            Series(label="bcftools -r", command=lambda path, _: query("-r", path)),
            Series(label="bcftools -t", command=lambda path, _: query("-t", path.parent / "bare.vcf.gz")),
            Series(label="PyPGx", command=pypgx),
        ),
        ratios=(
            ("pgx, index", "bcftools -r"),
            ("bcftools -t", "pgx, no index"),
            ("bcftools -t", "pgx, rs7412 absent"),
            ("PyPGx", "pgx, index"),
        ),
    ),
    Axis(
        name="samples",
        title="Samples in one file",
        sizes=(1, 10, 100, 1_000, 10_000, 100_000, 500_000),
        make=make_samples,
        series=(
            Series(label="pgx cohort", command=_cohort),
            Series(
                label="pgx annotate",
                command=lambda path, _: pgx("annotate", str(path), "-f", "tsv"),
                most=10_000,
            ),
            Series(label="bcftools", command=lambda path, _: ["bcftools", "query", "-f", QUERY, str(path)]),
            Series(label="PyPGx", command=pypgx, most=100),
        ),
        ratios=(("pgx cohort", "bcftools"), ("pgx annotate", "bcftools"), ("PyPGx", "pgx annotate")),
    ),
    Axis(
        name="files",
        title="Small files of one person each",
        sizes=(1, 10, 100, 1_000, 8_000),
        make=make_files,
        series=(
            Series(label="pgx cohort", command=_cohort),
            Series(label="bcftools", command=_xargs),
            Series(label="PyPGx", command=_each, most=10),
        ),
        ratios=(("pgx cohort", "bcftools"), ("PyPGx", "pgx cohort")),
    ),
)


def turns(commands: dict[str, Command], out: Path, seconds: float = SECONDS) -> Runs:
    """Run the commands in turns; `out` is what they write, and is removed before each run.

    The first turn warms the caches and counts only where it alone takes longer than all turns may.
    """

    def once(command: Command) -> Run:
        shutil.rmtree(out, ignore_errors=True)
        return measure(command)

    first = {label: [once(command)] for label, command in commands.items()}
    taken = sum(runs[0].seconds for runs in first.values())
    count = min(MOST_TURNS, int(seconds / taken))
    found: Runs = {label: [] for label in commands}
    for _ in range(count):
        for label, command in commands.items():
            found[label].append(once(command))
    return found if count else first


def median(runs: Sequence[Run]) -> float:
    return statistics.median(run.seconds for run in runs)


def ratio(found: Runs, ours: str, theirs: str) -> str:
    """Return the median of the ratios of a turn, or nothing where one of both was not measured."""
    pairs = zip(found.get(ours, ()), found.get(theirs, ()), strict=False)
    ratios = [one.seconds / other.seconds for one, other in pairs]
    if not ratios:
        return ""
    middle = statistics.median(ratios)
    return f"{middle:,.0f}" if middle >= 100 else f"{middle:.3g}"


def curve(axis: Axis, *, quick: bool) -> dict[int, Runs]:
    """Make what is measured and measure it, size by size."""
    found = {}
    for size in axis.sizes[:2] if quick else axis.sizes:
        with tempfile.TemporaryDirectory(prefix="pgx-bench-") as name:
            path = axis.make(Path(name), size)
            out = Path(name) / "out"
            commands = {
                one.label: one.command(path, out)
                for one in axis.series
                if size <= one.most
                if one.label != "PyPGx" or (PYPGX and not (quick and found))
            }
            found[size] = turns(commands, out, 0 if quick else SECONDS)
            if axis.name == "records" and "PyPGx" in commands:
                agree(path, commands["PyPGx"], out)
        print(axis.name, f"{size:,}", {label: f"{median(runs):.3f}" for label, runs in found[size].items()},
              file=sys.stderr, flush=True)  # fmt: skip
    return found


def agree(path: Path, command: Command, out: Path) -> None:
    """Stop unless pgx and PyPGx say the same of a person."""
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run(command, check=True, capture_output=True)
    shown = [command[0], "print-data", str(out / "results.zip")]
    line = subprocess.run(shown, check=True, capture_output=True, text=True).stdout.splitlines()[1]
    theirs = "/".join(sorted(_NAMES[name] for name in line.split("\t")[1].split("/")))
    done = subprocess.run(pgx("annotate", str(path), "-f", "tsv"), check=True, capture_output=True, text=True)
    head, row = (text.split("\t") for text in done.stdout.splitlines())
    ours = dict(zip(head, row, strict=True))["diplotype"]
    if ours != theirs:
        sys.exit(f"pgx says {ours}, PyPGx {theirs} of the same person")


def table(axis: Axis, found: dict[int, Runs]) -> str:
    """Return seconds and ratios by size, a line for each program and pair."""
    lines: list[list[object]] = [
        [label, *(f"{median(runs[label]):.3f} s" if label in runs else "" for runs in found.values())]
        for label in (one.label for one in axis.series)
    ]
    lines += [
        [f"{ours} / {theirs}", *(ratio(runs, ours, theirs) for runs in found.values())]
        for ours, theirs in axis.ratios
    ]
    lines.append(["turns", *(len(next(iter(runs.values()))) for runs in found.values())])
    return markdown([axis.name, *(f"{size:,}" for size in found)], lines)


WIDTH, HEIGHT, LEFT, RIGHT, TOP, GAP = 760, 240, 64, 150, 34, 78
_INK = {"pgx": "#0b4f8a", "bcftools": "#8a3b00", "PyPGx": "#3d3d3d"}
_DASHES = ("", "7 3", "2 3")


def picture(curves: dict[str, dict[int, Runs]]) -> str:
    """Return the curves as SVG: seconds over size, both logarithmic, a panel for each axis."""
    panels = [
        _panel(axis, curves[axis.name], TOP + number * (HEIGHT + GAP))
        for number, axis in enumerate(axis for axis in AXES if axis.name in curves)
    ]
    about = (
        "Three panels: seconds of a whole process over the records of one person's file, over the samples in"
        " one file, and over the number of small files. All axes are logarithmic. Each line has its name at"
        " its end; pgx has circles, bcftools squares, PyPGx triangles. The numbers are in the tables above."
    )
    size = WIDTH, TOP + len(panels) * (HEIGHT + GAP)
    return svg(
        size, "What pgx, bcftools and PyPGx cost over records, samples and files", about, "\n".join(panels)
    )


def _panel(axis: Axis, found: dict[int, Runs], top: float) -> str:
    sizes = list(found)
    lines = {
        one.label: [(size, median(found[size][one.label])) for size in sizes if one.label in found[size]]
        for one in axis.series
    }
    lines = {label: points for label, points in lines.items() if points}
    seconds = [value for points in lines.values() for _, value in points]
    low, high = int(log10(min(seconds)) // 1), int(-(-log10(max(seconds)) // 1))
    start, end = log10(sizes[0]), log10(sizes[-1])
    width = WIDTH - LEFT - RIGHT

    def x_of(size: float) -> float:
        return LEFT + width * (log10(size) - start) / ((end - start) or 1)

    def y_of(value: float) -> float:
        return top + HEIGHT * (high - log10(value)) / (high - low)

    grid = [_line(x_of(size), top, x_of(size), top + HEIGHT) for size in sizes]
    grid += [
        _line(LEFT, y_of(10.0**power), LEFT + width, y_of(10.0**power)) for power in range(low, high + 1)
    ]
    texts = [_text(x_of(size), top + HEIGHT + 18, f"{size:,}", "middle") for size in sizes]
    texts += [
        _text(LEFT - 6, y_of(10.0**power) + 4, f"{10.0**power:g} s", "end") for power in range(low, high + 1)
    ]
    texts.append(_text(LEFT + width / 2, top + HEIGHT + 36, axis.title, "middle"))
    drawn, ends = [], []
    for label, points in lines.items():
        program = label.partition(" ")[0].rstrip(",")
        kind = [name for name in lines if name.startswith(program)].index(label)
        places = [(x_of(size), y_of(value)) for size, value in points]
        ends.append([places[-1][1], places[-1][0], label, _INK[program]])
        drawn.append(
            f'<g stroke="{_INK[program]}" stroke-width="2" fill="{"#ffffff" if kind else _INK[program]}">'
            f'<polyline fill="none" stroke-dasharray="{_DASHES[kind]}"'
            f' points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>'
            + "".join(_mark(program, x, y) for x, y in places)
            + "</g>"
        )
    names = _beside(ends)
    labels = f'<g fill="#222222">{"".join(texts)}</g>'
    return "\n".join([f'<g stroke="#dddddd">{"".join(grid)}</g>', *drawn, labels, names])


def _beside(ends: list[list]) -> str:
    """Name each line at its end; names that would touch are moved apart."""
    names, last = [], {}
    for y, x, label, ink in sorted(ends):
        place = max(y, last.get(x, -100.0) + 14)
        last[x] = place
        names.append(f'<text x="{x + 10:.1f}" y="{place + 4:.1f}" fill="{ink}">{label}</text>')
    return "".join(names)


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _mark(program: str, x: float, y: float) -> str:
    """Return a circle for pgx, a square for bcftools, a triangle for PyPGx."""
    if program == "pgx":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    corners = [(-4, -4), (4, -4), (4, 4), (-4, 4)] if program == "bcftools" else [(0, -5), (5, 4), (-5, 4)]
    return f'<polygon points="{" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)}"/>'


def verdict(found: dict[int, Runs]) -> str:
    """Say whether one person takes PyPGx as many times as long as is required, in the largest file."""
    times = ratio(list(found.values())[-1], "PyPGx", "pgx, index")
    if not times:
        return "PyPGx was not there to be measured."
    holds = float(times) >= LEAST_TIMES
    return (
        f"Required of one person: PyPGx takes at least {LEAST_TIMES:g} times as long. Measured: {times}"
        f" times. {'It holds.' if holds else '**It does not hold.**'} Both said the same diplotype each time."
    )


def main() -> int:
    """Measure, print, and fill the document if asked to."""
    asked = arguments(__doc__)
    if shutil.which("bcftools") is None:
        print("bcftools is not installed: nothing to compare with", file=sys.stderr)
        return 0
    curves = {axis.name: curve(axis, quick=asked.quick) for axis in AXES}
    parts = [f"{axis.title}:\n\n{table(axis, curves[axis.name])}" for axis in AXES]
    parts.insert(1, verdict(curves["records"]))
    print(*parts, sep="\n\n")
    if asked.write:
        programs = ["bcftools", PYPGX] if PYPGX else ["bcftools"]
        head = (
            f"{origin(*programs)} Seconds are medians of whole processes that took turns, as many as the last"
            " line says, and ratios the medians of those of a turn."
        )
        fill("performance.md", "curve", "\n\n".join([head, *parts]), asked.docs)
        (asked.docs / "cost.svg").write_text(picture(curves), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
