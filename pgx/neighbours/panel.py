"""The panel as reference/ has it: markers, haplotype classes, and the numbers of the model. No arrays."""

from __future__ import annotations

import functools

from msgspec import Struct

from pgx.errors import ReferenceDataError
from pgx.genome import definitions, haplotypes
from pgx.reference import FactFile, Facts, Number, load, root

MARKERS = "neighbours_markers.tsv"
CLASSES = "neighbours_classes.tsv"


class Rule(Facts, frozen=True, kw_only=True):
    """How markers and classes are chosen; `window` in bases on each side of the centre."""

    window: int
    markers: int
    min_copies: int


class FitBar(Facts, frozen=True, kw_only=True):
    """The lowest fit (natural logarithm): `start`, and `each` for every known marker."""

    start: float
    each: float
    basis: str


class Worth(Facts, frozen=True, kw_only=True):
    """What an estimate was worth in cross-validation with `known` random markers."""

    known: int
    r2_e4: float
    determined: float


class Settings(FactFile, frozen=True, kw_only=True):
    """reference/neighbours.toml; each number is explained there."""

    panel: str
    cite: str
    licence: str
    command: str
    rule: Rule
    jump_rate: Number
    allele_misread: Number
    label_error: Number
    unseen_copies: Number
    sure_phred: Number
    disagree_below: Number
    name_from: Number
    lowest_fit: FitBar
    worth: tuple[Worth, ...]


class Marker(Struct, frozen=True, kw_only=True):
    """A neighbouring variant: plus-strand alleles and its 1-based position by assembly."""

    rsid: str
    ref: str
    alt: str
    positions: dict[str, int]


class Panel(Struct, frozen=True, kw_only=True):
    """m markers in order of position, and k haplotype classes."""

    markers: tuple[Marker, ...]
    alleles: tuple[str, ...]  # for each class a text of m digits, 0 for `ref`, 1 for `alt`
    counts: tuple[tuple[int, ...], ...]  # copies of each haplotype by class, in the order of `haplotypes`


def settings() -> Settings:
    """Return the settings of the panel and its model."""
    return load("neighbours.toml", Settings)


def worth(known: int) -> Worth | None:
    """Return what an estimate from `known` markers is worth at least; None below what was measured."""
    measured = [row for row in settings().worth if row.known <= known]
    return max(measured, key=lambda row: row.known, default=None)


@functools.cache
def markers() -> tuple[Marker, ...]:
    """Return the markers in order of position; raises `ReferenceDataError` for a row that does not fit."""
    found = []
    heading, *rows = _rows(MARKERS)
    for row in rows:
        try:
            rsid, ref, alt, *places = row
            positions = dict(zip(heading[3:], map(int, places), strict=True))
        except ValueError as error:
            raise _broken(MARKERS, row) from error
        found.append(Marker(rsid=rsid, ref=ref, alt=alt, positions=positions))
    return tuple(found)


@functools.cache
def panel() -> Panel:
    """Return the panel; raises `ReferenceDataError` for a row that does not fit."""
    _, *rows = _rows(CLASSES)
    for row in rows:
        *copies, digits = row
        fits = len(copies) == len(haplotypes()) and len(digits) == len(markers())
        if not (fits and set(digits) <= {"0", "1"} and all(text.isdecimal() for text in copies)):
            raise _broken(CLASSES, row)
    alleles, counts = (row[-1] for row in rows), (tuple(map(int, row[:-1])) for row in rows)
    return Panel(markers=markers(), alleles=tuple(alleles), counts=tuple(counts))


def centre(assembly: str) -> int:
    """Return the 1-based position midway between the two sites of an assembly."""
    return sum(site.positions[assembly] for site in definitions()) // len(definitions())


def _rows(name: str) -> list[list[str]]:
    path = root() / name
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise ReferenceDataError(what, where=str(path), cure="Install pgx again") from error
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


def _broken(name: str, row: list[str]) -> ReferenceDataError:
    what = f"the row that begins with '{row[0]}' does not fit"
    return ReferenceDataError(what, where=str(root() / name), cure="Correct the file")
