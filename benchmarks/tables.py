"""Markdown tables, numbers and marked parts of the documents that the benchmarks fill in."""

from __future__ import annotations

import argparse
import datetime
import math
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: bool = True) -> str:
    """Return a Markdown table; with `numbers` every column but the first is right-aligned."""
    lines = [
        "| " + " | ".join(header) + " |",
        "|" + "|".join("---:" if numbers and column else "---" for column in range(len(header))) + "|",
    ]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def fill(name: str, mark: str, text: str, folder: Path = DOCS) -> None:
    """Put `text` between the lines `<!-- mark -->` and `<!-- /mark -->` of docs/`name`."""
    path = folder / name
    before, begin, rest = path.read_text("utf-8").partition(f"<!-- {mark} -->\n")
    _, end, after = rest.partition(f"<!-- /{mark} -->\n")
    if not begin or not end:
        raise ValueError(f"{path} has no part marked {mark}")
    path.write_text(f"{before}{begin}{text.rstrip()}\n{end}{after}", "utf-8")


def arguments(about: str | None, *switches: str) -> argparse.Namespace:
    """Read what every bench takes, `quick` and `write` (into the documents of `docs`), and own switches."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="fill the documents")
    parser.add_argument("--quick", action="store_true", help="in small: see that it works, measure nothing")
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder of the documents")
    for switch in switches:
        parser.add_argument(switch, action="store_true")
    return parser.parse_args()


def origin(*programs: str) -> str:
    """Return which script made a table, when, where, and beside which versions of `programs`."""
    versions = []
    for program in programs:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        version = next(word for word in said.split() if re.match(r"v?\d", word))
        versions.append(f"{Path(program).name} {version}")
    return (
        f"`python benchmarks/{Path(sys.argv[0]).name} --write` on {today()}; "
        + ", ".join([machine(), f"load {os.getloadavg()[0]:.1f}", *versions])
        + "."
    )


def svg(size: tuple[int, int], title: str, about: str, body: str) -> str:
    """Return a picture on white ground, so that it reads on any page; `about` is its description."""
    width, height = size
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" \
font-family="sans-serif" font-size="12">
<title>{title}</title>
<desc>{about}</desc>
<rect width="{width}" height="{height}" fill="#ffffff"/>
{body}
</svg>
"""


def machine() -> str:
    """Return the machine in words: cores and interpreter; no host name."""
    system = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}"


def today() -> str:
    """Return the date (UTC)."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def upper_bound(wrong: int, total: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided upper bound (Clopper and Pearson) of a share `wrong` / `total`.

    It is the p at which seeing `wrong` or fewer has the probability 1 - `confidence`.
    """
    if total == 0 or wrong >= total:
        return 1.0
    low, high = wrong / total, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(wrong, total, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def lower_bound(wrong: int, total: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided lower bound (Clopper and Pearson) of a share `wrong` / `total`."""
    return 1 - upper_bound(total - wrong, total, confidence)


def _at_most(count: int, total: int, share: float) -> float:
    """Return the binomial probability of `count` or fewer out of `total`."""
    if count > total / 2:  # the shorter tail is the more exact one, and the faster
        return 1 - _at_most(total - count - 1, total, 1 - share) if count < total else 1.0
    if share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    term = total * math.log1p(-share)
    odds = math.log(share) - math.log1p(-share)
    terms = [term]
    for number in range(count):
        term += math.log((total - number) / (number + 1)) + odds
        terms.append(term)
    top = max(terms)
    return min(1.0, math.exp(top) * math.fsum(math.exp(value - top) for value in terms))


def share(part: float, total: float) -> str:
    """Return a share in percent with three significant digits, "0" for none, "-" of nothing."""
    if not total:
        return "-"
    percent = 100 * part / total
    return "0" if not percent else f"{percent:.3g}"


def percent(value: float) -> str:
    """Return a probability in percent with two significant digits."""
    return f"{100 * value:.2g}"
