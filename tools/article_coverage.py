"""Prove that the shipped evidence covers the article it began with, and copies none of its sentences.

    python tools/article_coverage.py [ARTICLE]   check; with the text of the article, numbers and words too

`reference/evidence/coverage.tsv` says for every row of the article's inventory, every marker and every number
where it went: to claims, which must then name the row or marker or hold the number, or to "metadata" with the
reason. With the article at hand its numbers are read again, so that none can be forgotten.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from pgx import reference
from pgx.errors import ReferenceDataError
from pgx.evidence import EvidenceBase, load
from pgx.evidence.schema import Claim

COVERAGE_FILE = "evidence/coverage.tsv"
COLUMNS = ("kind", "item", "line", "covered_by", "reason")
METADATA = "metadata"
# The article numbers its references 1 to 56; its inventory has the rows C001 to C092.
MARKERS = 56
ROWS = 92
# So many words in a row that are the article's own count as copied.
WORDS_IN_A_ROW = 8

_MARKERS = re.compile(r"\[\d+(?:, ?\d+)*\]")
_FIGURE = re.compile(r"\d[\d,]*(?:\.\d+)?")
_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*")
_EDGES = ".,;:()\u2022\u201c\u201d\"'"
_NUMBER_WORDS = frozenset({"single", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"})


class Entry(Struct, frozen=True, kw_only=True):
    """One line of the coverage table; `line` (1-based) is that of the article, None for rows and markers."""

    kind: str
    item: str
    line: int | None
    covered_by: tuple[str, ...]
    reason: str


class Coverage(Struct, frozen=True, kw_only=True):
    """How many of each kind are covered, out of how many, and what is wrong."""

    rows: tuple[int, int]
    markers: tuple[int, int]
    numbers: tuple[int, int]
    problems: tuple[str, ...]


def read(path: Path | None = None) -> tuple[Entry, ...]:
    """Read the coverage table, the shipped one unless `path` is given.

    Raises
    ------
    ReferenceDataError
        The table cannot be read or has other columns.
    """
    path = path or reference.root() / COVERAGE_FILE
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle, delimiter="\t")
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ReferenceDataError(
                    "has other columns than " + ", ".join(COLUMNS),
                    where=str(path),
                    cure="Correct the first line",
                )
            return tuple(
                Entry(
                    kind=row["kind"],
                    item=row["item"],
                    line=int(row["line"]) if row["line"] else None,
                    covered_by=tuple(row["covered_by"].split(";")),
                    reason=row["reason"] or "",
                )
                for row in reader
            )
    except OSError as error:
        raise ReferenceDataError(
            f"cannot be read ({error.strerror})", where=str(path), cure="Check the file"
        ) from error
    except (ValueError, AttributeError, csv.Error) as error:
        raise ReferenceDataError(
            f"is not a coverage table: {error}", where=str(path), cure="Correct it"
        ) from error


def check(base: EvidenceBase, entries: Sequence[Entry], article: str | None = None) -> Coverage:
    """Check the table against the claims, and against the text of the article where it is given."""
    problems: list[str] = []
    rows = {f"C{number:03d}" for number in range(1, ROWS + 1)}
    markers = {str(number) for number in range(1, MARKERS + 1)}
    good: Counter[str] = Counter()
    seen: Counter[tuple[str, str, int | None]] = Counter()
    for entry in entries:
        seen[entry.kind, entry.item, entry.line] += 1
        found = list(_entry_problems(base, entry))
        problems += [f"{entry.kind} {entry.item}: {problem}" for problem in found]
        good[entry.kind] += not found
    for kind, wanted in (("row", rows), ("marker", markers)):
        listed = [entry.item for entry in entries if entry.kind == kind]
        problems += [f"{kind} {item}: not in the table" for item in sorted(wanted - set(listed))]
        problems += [f"{kind} {item}: not in the article" for item in sorted(set(listed) - wanted)]
        problems += [
            f"{kind} {item}: twice in the table" for item, times in Counter(listed).items() if times > 1
        ]
    problems += _claims_not_listed(base, entries)
    total = sum(entry.kind == "number" for entry in entries)
    if article is not None:
        wanted_numbers: Counter[tuple[int | None, str]] = Counter(numbers_in(article))
        listed_numbers: Counter[tuple[int | None, str]] = Counter(
            (entry.line, entry.item) for entry in entries if entry.kind == "number"
        )
        problems += [
            f"number {item}: {times} time(s) in line {line} of the article, not in the table"
            for (line, item), times in (wanted_numbers - listed_numbers).items()
        ]
        problems += [
            f"number {item}: not in line {line} of the article"
            for line, item in listed_numbers - wanted_numbers
        ]
        total = sum(wanted_numbers.values())
    return Coverage(
        rows=(good["row"], len(rows)),
        markers=(good["marker"], len(markers)),
        numbers=(good["number"], total),
        problems=tuple(problems),
    )


def numbers_in(article: str) -> Iterator[tuple[int, str]]:
    """Yield (1-based line, number as written) for every number but the markers in brackets.

    A number within a name (`rs7412-C`, `P21`) is the whole name; number words up to ten count.
    """
    for number, line in enumerate(article.splitlines(), start=1):
        for word in _MARKERS.sub(" ", line).split():
            item = word.strip(_EDGES)
            if any(char.isdigit() for char in item) or item.casefold() in _NUMBER_WORDS:
                yield number, item


def figures(text: str) -> frozenset[str]:
    """Return the figures of a text without thousands separators (`1,501` is `1501`)."""
    return frozenset(item.rstrip(",").replace(",", "") for item in _FIGURE.findall(text))


def _entry_problems(base: EvidenceBase, entry: Entry) -> Iterator[str]:
    if entry.kind not in {"row", "marker", "number"}:
        yield "is of no known kind"
        return
    if entry.covered_by == (METADATA,):
        if not entry.reason:
            yield "is metadata without a reason"
        return
    for name in entry.covered_by:
        claim = base.claims.get(name)
        if claim is None or claim.article is None:
            yield f"{name!r} is not a claim from the article"
        elif entry.kind == "row" and entry.item not in claim.article.rows:
            yield f"the claim {name} does not name the row"
        elif entry.kind == "marker" and int(entry.item) not in claim.article.markers:
            yield f"the claim {name} does not name the marker"
        elif entry.kind == "number" and not _holds(claim, entry.item):
            yield f"the claim {name} does not hold the number"


def _holds(claim: Claim, item: str) -> bool:
    effects = " ".join(f"{effect.measure} {effect.value} {effect.unit}" for effect in claim.effects)
    texts = (claim.statement, claim.technical, claim.population, claim.intervention, str(claim.sample_size))
    text = " ".join((*texts, claim.sample_unit, effects, *claim.by_status.values()))
    if item[0].isdigit():
        return figures(item) <= figures(text)
    return item.casefold().replace("apoe-", "") in text.casefold()


def _claims_not_listed(base: EvidenceBase, entries: Sequence[Entry]) -> list[str]:
    """Return a problem for every row or marker that a claim names and the table does not give to it."""
    table = {(entry.kind, entry.item): entry.covered_by for entry in entries if entry.kind != "number"}
    return [
        f"{kind} {item}: the claim {claim.id} names it, the table does not say so"
        for claim in base.claims.values()
        if claim.article
        for kind, items in (("row", claim.article.rows), ("marker", claim.article.markers))
        for item in map(str, items)
        if claim.id not in table.get((kind, item), ())
    ]


def copied(base: EvidenceBase, article: str) -> Iterator[str]:
    """Yield a problem for every text of a claim that has as many words in a row from the article."""
    known = runs(article)
    for claim in base.claims.values():
        texts = [("statement", claim.statement), ("technical", claim.technical)]
        texts += [("caveats", text) for text in claim.caveats]
        texts += [("by_status", text) for text in claim.by_status.values()]
        texts += [("conflicts_with", item.note) for item in claim.conflicts_with]
        for key, text in texts:
            for run in sorted(runs(text) & known):
                words = " ".join(run)
                yield f"claim {claim.id}: {key}: copies {WORDS_IN_A_ROW} words in a row: {words!r}"


def runs(text: str) -> set[tuple[str, ...]]:
    """Return every run of `WORDS_IN_A_ROW` words of a text, case folded."""
    words = [word.casefold() for word in _WORD.findall(text)]
    return {tuple(words[start : start + WORDS_IN_A_ROW]) for start in range(len(words) - WORDS_IN_A_ROW + 1)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks and return the exit code: 4 where something is wrong, as `pgx evidence check`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("article", nargs="?", type=Path, help="the text of the article")
    options = parser.parse_args(arguments)
    article = options.article.read_text(encoding="utf-8") if options.article else None
    base = load()
    found = check(base, read(), article)
    problems = [*found.problems, *(copied(base, article) if article else ())]
    print(*problems, sep="\n", end="\n" if problems else "")
    for kind, (good, wanted) in (
        ("rows", found.rows),
        ("markers", found.markers),
        ("numbers", found.numbers),
    ):
        print(f"{kind}: {good} of {wanted} covered")
    return 4 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
