"""Time and size of one rendered report after the first, by format. Prints a table; fails nothing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from pgx.options import Options
from pgx.render import fhir, json_document, pages, text, tsv
from pgx.single import annotate

SAMPLE = Path(__file__).resolve().parent.parent / "sample_vcfs" / "NA18526.e3-e4.GRCh38.vcf"
ROUNDS = 40
#: What the project promises: milliseconds and bytes.
LIMITS = {"html": (5.0, 60_000), "pdf": (40.0, None)}


def main() -> None:
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
    print(f"{'format':8}{'first ms':>10}{'median ms':>11}{'bytes':>9}  promise")
    for name, render in formats.items():
        first, size = timed(render)
        times = [timed(render)[0] for _ in range(ROUNDS)]
        print(f"{name:8}{first:10.2f}{statistics.median(times):11.2f}{size:9}  {promise(name)}")


def timed(render: Callable[[], bytes]) -> tuple[float, int]:
    start = time.perf_counter()
    size = len(render())
    return 1000 * (time.perf_counter() - start), size


def promise(name: str) -> str:
    if name not in LIMITS:
        return ""
    milliseconds, size = LIMITS[name]
    return f"<= {milliseconds:g} ms" + (f", <= {size} bytes" if size else "")


if __name__ == "__main__":
    main()
