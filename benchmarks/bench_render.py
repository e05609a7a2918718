"""Time and size of one rendered report, the first of a process and later ones, by format.

    python benchmarks/bench_render.py             prints a table
    python benchmarks/bench_render.py --write     fills docs/performance.md with it as well
    python benchmarks/bench_render.py --quick     one process, two reports

Libraries and templates are loaded when the first is made; modules are imported before. Exit code 1 when a
promise is broken.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tables import arguments, fill, markdown, origin

FOLDER = Path(__file__).resolve().parent
SAMPLE = FOLDER.parent / "sample_vcfs" / "NA18526.e3-e4.GRCh38.vcf"
ROUNDS, PROCESSES = 40, 7
_ENDLESS = float("inf")
#: What the project promises: milliseconds of the first and of later ones, and bytes.
PROMISED = {
    "text": (_ENDLESS, 3.0, _ENDLESS),
    "json": (_ENDLESS, 3.0, _ENDLESS),
    "html": (12.0, 4.0, 80_000),
    "pdf": (_ENDLESS, 40.0, _ENDLESS),
}


def once(rounds: int) -> dict[str, tuple[float, float, float]]:
    """Return for each format the milliseconds of the first report and of later ones, and the bytes."""
    from pgx.options import Options  # noqa: PLC0415 - not in the process that waits for this one
    from pgx.render import fhir, json_document, pages, text, tsv  # noqa: PLC0415
    from pgx.single import annotate  # noqa: PLC0415

    made = annotate(str(SAMPLE), Options())
    run, report = made.run, next(iter(made.samples))
    formats: dict[str, Callable[[], bytes]] = {
        "text": lambda: text.render(run, report).encode(),
        "json": lambda: "".join(json_document(run, [report])).encode(),
        "tsv": lambda: "".join(tsv.stream(run, [report])).encode(),
        "html": lambda: pages.as_html(run, report).encode(),
        "pdf": lambda: pages.as_pdf(run, report),
        "fhir": lambda: fhir.render(run, report),
    }
    found = {}
    for name, render in formats.items():
        times = []
        for _ in range(rounds + 1):
            start = time.perf_counter()
            size = len(render())
            times.append(1000 * (time.perf_counter() - start))
        found[name] = times[0], statistics.median(times[1:]), size
    return found


def main() -> int:
    """Measure in several processes, print, and say whether the promises are kept."""
    asked = arguments(__doc__)
    rounds, processes = (1, 1) if asked.quick else (ROUNDS, PROCESSES)
    code = f"import bench_render, json; print(json.dumps(bench_render.once({rounds})))"
    command = [sys.executable, "-c", code]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True, cwd=FOLDER).stdout)
        for _ in range(processes)
    ]
    rows, broken = [], False
    for name in runs[0]:
        values = [statistics.median(column) for column in zip(*(run[name] for run in runs), strict=True)]
        limits = PROMISED.get(name, (_ENDLESS,) * 3)
        broken |= any(value > limit for value, limit in zip(values, limits, strict=True))
        cells = [
            text + ("" if limit == _ENDLESS else f" (at most {limit:,.0f})")
            for text, limit in zip(
                [f"{values[0]:.2f}", f"{values[1]:.2f}", f"{values[2]:,.0f}"], limits, strict=True
            )
        ]
        rows.append([name, *cells])
    table = markdown(("format", "first, ms", "later, ms", "bytes"), rows)
    verdict = "**Not every promise is kept.**" if broken else "Every promise is kept."
    print(table, verdict, sep="\n\n")
    if asked.write:
        head = f"{origin()} Medians of {processes} processes; `later` of {rounds} reports in each."
        fill("performance.md", "render", f"{head}\n\n{table}\n\n{verdict}", asked.docs)
    return int(broken and not asked.quick)


if __name__ == "__main__":
    sys.exit(main())
