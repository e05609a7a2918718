"""Measure the page of a cohort of 100,000 made people as an analyst uses it, in Chromium.

    python benchmarks/bench_page.py             prints a table
    python benchmarks/bench_page.py --write     fills docs/cohort.md with it as well
    python benchmarks/bench_page.py --pictures  takes pictures for the documents
    python benchmarks/bench_page.py --quick     2,000 people

One VCF with PL from reads; a manifest with populations, sites and batches; in batch b07 one site in twenty is
not read. Needs Debian's chromium and playwright. Exit code 1 when a step takes more than a second.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from bench_cohort import columns
from playwright.sync_api import Page, sync_playwright
from tables import arguments, fill, markdown, origin

from pgx.calling import haplotype_frequencies

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu"]
LONGEST = 1.0  # seconds
PLACES = (("Leiden", "EUR"), ("Lyon", "EUR"), ("Lagos", "AFR"), ("Osaka", "EAS"), ("Lima", "AMR"))
BATCHES = 20
BAD_BATCH = "b07"
SEARCHES = ("e4/e4", "homozygous", "EUR", "P0999", "Lagos e4/e4")
SHOTS = (
    ("cohort-desktop", 1600, 1000, "#main", ""),
    ("cohort-groups", 1600, 1000, "#statuses", ""),
    ("cohort-table", 1600, 1000, "#table", "e4/e4"),
    ("cohort-phone", 390, 844, "#statuses", ""),
)


def make(folder: Path, people: int) -> Path:
    """Write a VCF and its manifest, and return the manifest."""
    rng = np.random.default_rng(17)
    place = rng.integers(len(PLACES), size=people)
    texts = [np.empty(people, dtype=object) for _ in "12"]
    for number, (_, population) in enumerate(PLACES):
        own = np.flatnonzero(place == number)
        frequencies = haplotype_frequencies(population)
        for text, frequency in zip(texts, (frequencies[3], frequencies[1]), strict=True):
            text[own] = columns(rng, len(own), frequency)
    batch = [f"b{1 + number * BATCHES // people:02}" for number in range(people)]
    lost = (np.array(batch) == BAD_BATCH) & (rng.random(people) < 0.05)
    texts[0][lost] = "./.:.:.:.:."
    names = [f"P{number:06}" for number in range(1, people + 1)]
    head = ["##fileformat=VCFv4.2", "##contig=<ID=chr19,length=58617616>"]
    kinds = {"GT": (1, "String"), "AD": ("R", "Integer"), "DP": (1, "Integer"), "GQ": (1, "Integer")}
    head += [
        f'##FORMAT=<ID={key},Number={number},Type={kind},Description="made">'
        for key, (number, kind) in {**kinds, "PL": ("G", "Integer")}.items()
    ]
    head.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names]))
    sites = (("44908684", "rs429358", "T", "C"), ("44908822", "rs7412", "C", "T"))
    rows = [
        "\t".join(["chr19", *site, ".", "PASS", ".", "GT:AD:DP:GQ:PL", *text])
        for site, text in zip(sites, texts, strict=True)
    ]
    (folder / "people.vcf").write_text("\n".join([*head, *rows]) + "\n")
    lines = ["path\tsample\tpopulation\tsite\tbatch"]
    lines += [
        f"people.vcf\t{name}\t{PLACES[number][1]}\t{PLACES[number][0]}\t{group}"
        for name, number, group in zip(names, place, batch, strict=True)
    ]
    manifest = folder / "people.tsv"
    manifest.write_text("\n".join(lines) + "\n")
    return manifest


def run(manifest: Path, output: Path, *more: str) -> float:
    """Run the cohort and return the seconds that it took."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "pgx", "cohort", "--manifest", str(manifest), "-o", str(output), *more]
    subprocess.run(command, check=True, capture_output=True, cwd=manifest.parent)
    return time.perf_counter() - started


def timed(page: Page, step: str) -> float:
    """Return the seconds until a step of the script is done and what it drew is laid out."""
    code = f"() => {{ const t = performance.now(); {step}; body.offsetHeight; return performance.now() - t }}"
    return float(page.evaluate(code)) / 1000


def walk(page: Page, address: str) -> dict[str, float]:
    """Do what an analyst does, and return the seconds of each step."""
    started = time.perf_counter()
    page.goto(address)
    steps = {"open the page": time.perf_counter() - started}
    for text in SEARCHES:
        steps[f"search {text}"] = timed(page, f"search.value = {text!r}; select()")
    steps["show all again"] = timed(page, "search.value = ''; select()")
    steps["sort by name"] = timed(page, "sort(-1)")
    steps["sort by probability"] = timed(page, "sort(1)")
    steps["go to the last page"] = timed(page, "buttons[3][0].click()")
    return steps


def main() -> int:
    """Measure, print a table, and return the exit code."""
    asked = arguments(__doc__, "--pictures")
    if not Path(CHROMIUM).exists():
        print("chromium is not installed: nothing to measure in", file=sys.stderr)
        return 0
    people = 2_000 if asked.quick else 100_000
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as play:
        folder = Path(temporary)
        manifest = make(folder, people)
        plain = run(manifest, folder / "plain")
        listed = run(manifest, folder / "out", "--sample-table")
        path = folder / "out" / "index.html"
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        steps = walk(page, path.as_uri())
        for name, width, height, place, search in SHOTS if asked.pictures else ():
            page.set_viewport_size({"width": width, "height": height})
            page.goto(path.as_uri())
            page.evaluate(f"search.value = {search!r}; select()")
            page.evaluate(f"document.querySelector('{place}').scrollIntoView()")
            page.screenshot(path=asked.docs / "screenshots" / f"{name}.png")
        browser.close()
        size = path.stat().st_size / 1e6
    rows = [("pgx cohort", plain), ("pgx cohort --sample-table", listed), *steps.items()]
    table = markdown(("step", "seconds"), [(name, f"{seconds:.2f}") for name, seconds in rows])
    told = (
        f"{people:,} made people (five sites, twenty batches, four populations);"
        f" index.html has {size:.1f} MB."
    )
    print(told, table, sep="\n\n")
    if asked.write:
        fill("cohort.md", "page", f"{told} {origin()}\n\n{table}", asked.docs)
    return int(max(steps.values()) > LONGEST and not asked.quick)


if __name__ == "__main__":
    sys.exit(main())
