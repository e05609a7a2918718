"""The FORMAT fields of many sample columns at once: read where they stand in a line, and made of arrays."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from pgx.genome import Site, assemblies, sites_on
from pgx.observe import SiteRecord
from pgx.vcf import Columns
from pgx.vcf.records import site_record

Whole = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

_WIDTH = 8
_NO_ALLELE = frozenset({"0", "."})  # a .bim has 0, a .pvar a dot
_TAB, _COLON, _COMMA = b"\t:,"
_ZEROS = np.uint64(0x3030303030303030)
#: Added to a byte it sets the highest bit, unless the byte is at most 9.
_ABOVE_NINE, _HIGHEST = np.uint64(0x7676767676767676), np.uint64(0x8080808080808080)
#: Neighbours are joined in three steps: pairs of digits, fours, eight (factor, bits between, what is kept).
_STEPS = np.array(
    [[10, 8, 0x00FF00FF00FF00FF], [100, 16, 0x0000FFFF0000FFFF], [10_000, 32, 0x00000000FFFFFFFF]], np.uint64
)


def edges_of(columns: Columns) -> Places:
    """Return where columns start in their line, shape (n + 1,); one byte stands between two."""
    if columns.edges is None:
        line, first = columns.line, columns.first
        tabs = np.flatnonzero(np.frombuffer(line, dtype=np.uint8)[first:] == _TAB)
        columns.edges = np.concatenate([[first], tabs + (first + 1), [len(line)]]).data
    return np.frombuffer(columns.edges, dtype=np.intp)


def between(columns: Columns, start: int, stop: int) -> bytes:
    """Return the columns from `start` to before `stop`, joined by tabs."""
    edges = edges_of(columns)
    return columns.line[edges[start] : edges[stop] - 1]


class Fields:
    """The fields of those columns of a piece that have all fields of the record, and numbers in some.

    `form` are their names, and `rows` these columns, counted from the first of the piece, shape (n,).
    `numbers` has the numbers of a field, one array of shape (n,) for each.
    """

    # A field is loaded as words of eight bytes, the last of which ends where the field ends; what a word
    # holds of the field before is shifted out. Digits become a number with three multiplications.

    def __init__(self, columns: Columns, form: Sequence[str], piece: range, sizes: dict[str, int]) -> None:
        """`sizes`: how many numbers of one to eight digits stand in each field that is read as numbers."""
        first, last = edges_of(columns)[[piece.start, piece.stop]]
        self.form = tuple(form)
        self._line = columns.line
        letters = np.frombuffer(self._line, dtype=np.uint8)
        self._words = np.ndarray((len(letters) - _WIDTH + 1,), dtype="<u8", buffer=letters, strides=(1,))
        near = letters[first - 1 : last]
        is_mark = (near == _TAB) | (near == _COLON) | (near == _COMMA)
        is_mark[-1] = True  # behind the last column of a line there is no tab
        marks = np.flatnonzero(is_mark)
        kinds = near[marks]
        kinds[-1] = _TAB
        self._marks = marks + (first - 1)
        # The marks before, between and behind the fields of each column that has all.
        outer = np.flatnonzero(kinds != _COMMA)
        tabs = np.flatnonzero(kinds[outer] == _TAB)
        self.rows = np.flatnonzero(tabs[1:] - tabs[:-1] == len(form))
        before = tabs[self.rows]
        self._borders = [outer[before + place] for place in range(len(form) + 1)]
        fits = np.ones(len(self.rows), dtype=bool)
        for key, size in sizes.items():
            before, behind = self._around(key)
            fits &= behind - before == size
        self._keep(fits)
        valid = np.ones(len(self.rows), dtype=bool)
        self.numbers = {key: [self._number(key, at, valid) for at in range(n)] for key, n in sizes.items()}
        if not valid.all():
            self._keep(valid)
            self.numbers = {key: [v[valid] for v in values] for key, values in self.numbers.items()}

    def _keep(self, wanted: Flags) -> None:
        if not wanted.all():
            self.rows = self.rows[wanted]
            self._borders = [border[wanted] for border in self._borders]

    def _around(self, key: str) -> tuple[Places, Places]:
        place = self.form.index(key)
        return self._borders[place], self._borders[place + 1]

    def _number(self, key: str, place: int, valid: Flags) -> Whole:
        """Return one number of a field, and note in `valid` where it is none."""
        before = self._around(key)[0] + place
        end = self._marks[before + 1]
        length = end - self._marks[before] - 1
        # Zeros take the place of what is before the number; of no number, and of long ones, no matter what.
        shift = (-8 * length & 63).view(np.uint64)
        words = ((self._words[end - _WIDTH] ^ _ZEROS) >> shift) << shift
        valid &= (length > 0) & (length <= _WIDTH) & ((((words + _ABOVE_NINE) | words) & _HIGHEST) == 0)
        for factor, bits, kept in _STEPS:
            words = (words * factor + (words >> bits)) & kept
        numbers: Whole = words.view(np.int64)
        return numbers

    def words(self, key: str) -> list[npt.NDArray[np.uint64]]:
        """Return the text of a field as words of eight bytes, then zeros: equal for equal texts alone."""
        before, behind = self._around(key)
        end = self._marks[behind]
        length = end - self._marks[before] - 1
        words = []
        for part in range(0, int(length.max(initial=0)), _WIDTH):
            # Half and half: a shift by all 64 bits is undefined.
            half = (4 * (_WIDTH - np.clip(length - part, 0, _WIDTH))).view(np.uint64)
            words.append((self._words[np.maximum(end - part - _WIDTH, 0)] >> half) >> half)
        return words

    def text(self, key: str, place: int) -> bytes:
        """Return a field of the column `rows[place]`."""
        before, behind = self._around(key)
        return self._line[self._marks[before[place]] + 1 : self._marks[behind[place]]]


def genotypes(calls: npt.NDArray[np.int32], phased: Flags) -> Bytes:
    """Return GT as ASCII, shape (n, 3), of allele numbers, shape (n, 2), negative where missing."""
    dot, zero, slash, bar = b".0/|"
    text = np.where(calls < 0, dot, zero + np.minimum(calls, 9))
    return np.stack([text[:, 0], np.where(phased, bar, slash), text[:, 1]], axis=1).astype(np.uint8)


def decimals(values: npt.NDArray[np.floating], places: int) -> Bytes:
    """Return numbers from 0 to 9, shape (n, k), as ASCII with commas; NaN is a dot and blanks."""
    unknown = np.isnan(values)
    whole = np.rint(np.where(unknown, 0, values) * 10**places).astype(np.int64)
    text = np.full((*values.shape, places + 3), ord(","), np.uint8)
    text[..., 1] = ord(".")
    for column, power in zip((0, *range(2, places + 2)), range(places, -1, -1), strict=True):
        text[..., column] = ord("0") + whole // 10**power % 10
    text[unknown, 1 : places + 2] = ord(" ")
    text[unknown, 0] = ord(".")
    return text.reshape(len(values), -1)[:, :-1]


@functools.cache
def sites_by_position() -> dict[int, list[Site]]:
    """Return the sites by position on any assembly."""
    found: dict[int, list[Site]] = {}
    for assembly in assemblies():
        for site in sites_on(assembly):
            found.setdefault(site.position, []).append(site)
    return found


class Variant(Struct, frozen=True):
    """A row of a variant file: its 0-based number, contig, 1-based position, name, alleles (REF first)."""

    number: int
    contig: str
    position: int
    name: str
    alleles: tuple[str, ...]


def oriented(variant: Variant, *, has_calls: bool = True) -> tuple[str, tuple[str, ...], bool]:
    """Return REF, ALT, and whether they were turned round: only where the letters are those of the site."""
    reference, *others = variant.alleles
    if set(variant.alleles) <= _NO_ALLELE:  # a .bim names none where nobody has a call
        known = [site.ref for site in sites_by_position().get(variant.position, ()) if site.ref]
        return known[0] if known and not has_calls else "N", (), False
    if reference in _NO_ALLELE and len(others) == 1:  # everybody has the allele that a .bim names first
        return others[0], (), True
    for site in sites_by_position().get(variant.position, ()):
        if len(others) == 1 and site.ref is not None and (others[0], reference) == (site.ref, site.alt):
            return site.ref, (reference,), True
    return reference, tuple(item for item in others if item not in _NO_ALLELE), False


def record_of(
    variant: Variant, reference: str, alternates: Sequence[str], form: Sequence[str], fields: Sequence[Bytes]
) -> SiteRecord:
    """Return a record with the fields `form` of n samples: ASCII, (n, width), blanks to be left out."""
    names = ";".join(name for name in variant.name.split(";") if name not in {"", "."}) or "."
    place = [variant.contig, str(variant.position), names]
    imputed = "IMP" if len(form) > 1 else "."  # probabilities and dosages are of an imputation
    fixed = [*place, reference, ",".join(alternates) or ".", ".", ".", imputed, ":".join(form)]
    head = "\t".join(fixed).encode(errors="surrogateescape") + b"\t"
    colons = np.full((len(fields[0]), 1), ord(":"), np.uint8)
    parts = [part for field in fields for part in (field, colons)]
    parts[-1] = np.full_like(colons, ord("\t"))
    parts[-1][-1:] = ord("\n")
    columns = Columns(head + np.hstack(parts).tobytes().replace(b" ", b""), len(head), len(fields[0]))
    return site_record(fixed, columns, variant.position, variant.position)


def of_haplotypes(copies: Floats) -> Floats:
    """Return the probabilities of 0, 1, 2 copies, (n, 3), from those of one on each haplotype, (n, 2)."""
    first, second = copies.T
    both = first * second
    return np.stack([1 - first - second + both, first + second - 2 * both, both], axis=1)


def widened(chances: Floats, step: float, *, phased: bool) -> Floats:
    """Return the probabilities of 0, 1 and 2 copies, shape (n, 3), that are no surer than they are stored.

    `chances` are as stored: of three genotypes, (n, 3), or, if `phased`, of both letters on each haplotype,
    (n, 4). `step` is what one unit is worth, 1/255 for 8 bits.
    """
    # The rule of BGEN rounds down, and gives the units that lack to the largest remainders. Where a genotype
    # is stored as certain the other two may have had 2/3 of a step together, so each counts as 1/3 at least.
    # Where the letter of a haplotype is, the other may have had 1/2: it counts as 1/4 at least, the mean,
    # as not all four haplotypes lost the most possible.
    if phased:
        return of_haplotypes(np.clip(chances[:, [1, 3]], step / 4, 1 - step / 4))
    least = np.maximum(chances, step / 3)
    least[np.arange(len(least)), np.nan_to_num(chances).argmax(axis=1)] -= least.sum(axis=1) - 1
    return least
