"""One site of an input with many samples: classes of samples that the scalar code treats alike, and arrays.

The scalar code looks at some fields of a sample column only through questions with few answers (is the
depth zero, is the quality below the limit, is the genotype far from the most likely one). Samples with equal
answers and equal other fields are one class: the scalar code reads one of them. What it uses as numbers (PL,
DP, GQ) becomes arrays. A column that is unusual in any way is its own class, text by text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pgx.cohort import arrow
from pgx.observe import ObserveOptions, SitePile, SiteRecord
from pgx.observe.letters import Letter, Other, letters_of
from pgx.observe.quality import is_imputed
from pgx.sites import letters
from pgx.thresholds import threshold

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
_NUMBER = "[0-9]{1,9}"
_COLON, _COMMA, _ZERO = b":,0"
_SHORT = 16
#: Beyond this, 10 ** (-PL / 10) is zero in floating point.
_PL_CAP = 3300
_FROM_PL = np.array([10 ** (-float(value) / 10) for value in range(_PL_CAP + 1)])
#: AD is for show where DP is stated.
_IGNORED = frozenset({"AD"})
#: Fields that take precedence over PL or GQ, or change what PL is about.
_OVERRULING = frozenset({"GQX", "LGT", "LPL", "LAA", "LEN"})


class SiteArrays(Struct, frozen=True):
    """A site of all samples.

    Attributes
    ----------
    codes
        The class of each sample.
    numeric
        Whether the likelihoods of a sample are in `likelihoods`, shape (n,).
    likelihoods
        Shape (3, n), scaled to a maximum of 1; 1 where not numeric.
    depth, quality
        As stated; NaN where not numeric or not stated.
    """

    codes: Codes
    numeric: npt.NDArray[np.bool_]
    likelihoods: Floats
    depth: Floats
    quality: Floats


def read_arrays(
    pile: SitePile, doubted: bool, columns: Sequence[int] | None, count: int, options: ObserveOptions
) -> SiteArrays:
    """Read a site for all samples (`columns` None) or for some 0-based columns; `count` is their number.

    `doubted`: the coordinates of the input cannot be trusted, so the site is not read.
    """
    records = (*pile.bases, *pile.blocks, *pile.lengths)
    if doubted or pile.faults or not records:
        return _empty(count)
    texts = [chosen(record, columns) for record in records]
    if len(records) == 1 and pile.bases and _is_plain(records[0]):
        return _plain(records[0], pile.site.position, texts[0], options)
    joined = texts[0] if len(texts) == 1 else ["\n".join(parts) for parts in zip(*texts, strict=True)]
    empty = _empty(count)
    return SiteArrays(_text_codes(joined, 0), empty.numeric, empty.likelihoods, empty.depth, empty.quality)


def first_of(codes: Codes) -> npt.NDArray[np.intp]:
    """Return where each class of `compact` codes occurs first."""
    found = np.zeros(int(codes.max(initial=-1)) + 1, dtype=np.intp)
    found[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return found


def chosen(record: SiteRecord, columns: Sequence[int] | None) -> Sequence[str]:
    """Return the sample columns of a record: all, or these 0-based ones."""
    return record.samples if columns is None else [record.samples[column] for column in columns]


def _empty(count: int) -> SiteArrays:
    unknown = np.full(count, np.nan)
    return SiteArrays(
        np.zeros(count, dtype=np.int64),
        np.zeros(count, dtype=bool),
        np.ones((3, count)),
        unknown,
        unknown.copy(),
    )


def _is_plain(record: SiteRecord) -> bool:
    """Say whether genotypes come with PL and what else is stated is not more telling."""
    keys = set(record.format)
    return (
        "GT" in keys
        and "PL" in keys
        and not keys & _OVERRULING
        and not ("AD" in keys and "DP" not in keys)
        and not is_imputed(record)
        and len(keys) == len(record.format)
    )


def _text_codes(texts: Sequence[str], first: int) -> Codes:
    """Give each distinct text a code, from `first` on."""
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(text, first + len(numbers)) for text in texts]
    return np.array(found, dtype=np.int64)


def compact(codes: Codes) -> Codes:
    """Return the same classes numbered from 0 without gaps, in the order of their codes."""
    if len(codes) and codes.max() < max(4 * len(codes), 1 << 16):
        present = np.bincount(codes) > 0
        return np.asarray((np.cumsum(present) - 1)[codes])
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _classes(spelled: Sequence[Letter]) -> list[list[int]] | None:
    """Return the places in PL that show 0, 1 and 2 copies (see `observe.quality`); None unless all do."""
    counted = letters()
    missing = [letter for letter in counted if letter not in spelled]
    stand_in = counted.index(missing[0]) if len(missing) == 1 else None
    copies = [
        counted.index(letter)
        if isinstance(letter, str) and letter in counted
        else (stand_in if letter is Other.UNSEEN else None)
        for letter in spelled
    ]
    places: list[list[int]] = [[], [], []]
    for high, high_copies in enumerate(copies):
        for low, low_copies in enumerate(copies[: high + 1]):
            if high_copies is not None and low_copies is not None:
                places[high_copies + low_copies].append(high * (high + 1) // 2 + low)
    return places if all(places) else None


def _plain(record: SiteRecord, position: int, texts: Sequence[str], options: ObserveOptions) -> SiteArrays:
    count = len(texts)
    places = _classes(letters_of(record, position))
    raw = arrow.texts(texts)
    result = _empty(count)
    codes = result.codes
    if places is None:
        codes[:] = _text_codes(texts, 0)
        return result
    alleles = len(record.alternates) + 1
    likelihoods = alleles * (alleles + 1) // 2
    usual = pc.match_substring_regex(raw, _pattern(record, likelihoods))
    is_usual = arrow.values(usual, np.bool_)
    rows = np.flatnonzero(is_usual)
    top = 0
    if len(rows):
        given = raw if len(rows) == count else raw.filter(usual)
        keys = _Fields(record, given)
        values = keys.likelihoods(likelihoods)
        phred = np.stack([values[place].min(axis=0) for place in places])
        phred -= phred.min(axis=0)
        codes[rows] = _class_codes(keys, phred, options)
        top = int(codes[rows].max()) + 1
        result.numeric[rows] = True
        result.likelihoods[:, rows] = _FROM_PL[np.minimum(phred, _PL_CAP)]
        result.depth[rows] = keys.number("DP")
        result.quality[rows] = keys.number("GQ")
    odd = np.flatnonzero(np.logical_not(is_usual))
    codes[odd] = _text_codes([texts[row] for row in odd.tolist()], top)
    return result


def _pattern(record: SiteRecord, likelihoods: int) -> str:
    numbers = {"DP": _NUMBER, "GQ": _NUMBER, "PL": ",".join([_NUMBER] * likelihoods)}
    return "^" + ":".join(numbers.get(key, "[^:]*") for key in record.format) + "$"


class _Fields:
    """The FORMAT fields of usual sample columns, read where they stand in one buffer of bytes.

    Every column has all fields, so the k-th colon of a column ends its k-th field.
    """

    def __init__(self, record: SiteRecord, texts: pa.Array) -> None:
        self.format = record.format
        self.count = len(texts)
        self._bytes = np.frombuffer(texts.buffers()[2], dtype=np.uint8)
        offsets = np.frombuffer(texts.buffers()[1], dtype=np.int64)[
            texts.offset : texts.offset + self.count + 1
        ]
        first, last = offsets[0], offsets[-1]
        colons = (np.flatnonzero(self._bytes[first:last] == _COLON) + first).reshape(self.count, -1)
        self._starts = [offsets[:-1], *(colons[:, i] + 1 for i in range(colons.shape[1]))]
        self._ends = [*(colons[:, i] for i in range(colons.shape[1])), offsets[1:]]

    def _span(self, key: str) -> tuple[Codes, Codes]:
        place = self.format.index(key)
        return self._starts[place], self._ends[place]

    def _read(self, start: Codes, end: Codes) -> Codes:
        """Return fields of digits as numbers."""
        length = end - start
        found = np.zeros(self.count, dtype=np.int64)
        last = len(self._bytes) - 1
        for place in range(int(length.max(initial=0))):
            digit = self._bytes[np.minimum(start + place, last)].astype(np.int64) - _ZERO
            found = np.where(place < length, found * 10 + digit, found)
        return found

    def number(self, key: str) -> Floats:
        """Return DP or GQ; NaN where the record does not have it."""
        if key not in self.format:
            return np.full(self.count, np.nan)
        return self._read(*self._span(key)).astype(np.float64)

    def likelihoods(self, width: int) -> Codes:
        """Return PL, shape (width, n)."""
        start, end = self._span("PL")
        commas = np.flatnonzero(self._bytes == _COMMA)
        first = np.searchsorted(commas, start)
        inner = [commas[first + place] for place in range(width - 1)]
        starts = [start, *(comma + 1 for comma in inner)]
        return np.stack([self._read(one, other) for one, other in zip(starts, [*inner, end], strict=True)])

    def other_codes(self) -> list[tuple[Codes, int]]:
        """Return codes of the texts of every field that is not read as a number, and how many there are."""
        found = []
        for key in self.format:
            if key not in {"DP", "GQ", "PL", *_IGNORED}:
                codes = self._text_codes(*self._span(key))
                found.append((codes, int(codes.max(initial=0)) + 1))
        return found

    def _text_codes(self, start: Codes, end: Codes) -> Codes:
        """Give each distinct text a code, byte by byte: genotypes are short."""
        length = end - start
        longest = int(length.max(initial=0))
        if longest <= _SHORT:
            found = compact(length)
            last = len(self._bytes) - 1
            for place in range(longest):
                letter = self._bytes[np.minimum(start + place, last)]
                found = compact(found * 256 + np.where(place < length, letter, 0))
            return found
        data = self._bytes.tobytes()
        texts = [data[a:b].decode() for a, b in zip(start.tolist(), end.tolist(), strict=True)]
        return _text_codes(texts, 0)


def _class_codes(keys: _Fields, phred: Codes, options: ObserveOptions) -> Codes:
    """Join all answers that the scalar code depends on into one number, numbered without gaps."""
    second = np.sort(phred, axis=0)[1] if options.min_gq > 0 and "GQ" not in keys.format else None
    questions = [(phred == 0).all(axis=0), *(phred >= threshold("contradiction_phred"))]
    for key, least in (("DP", options.min_dp), ("GQ", options.min_gq)):
        values = keys.number(key)
        questions += [values == 0, values < least]
    if second is not None:
        questions.append(second < options.min_gq)
    joined = np.zeros(keys.count, dtype=np.int64)
    for codes, width in keys.other_codes():
        joined = compact(joined * width + codes)
    for answer in questions:
        if answer.any():
            joined = joined * 2 + answer
    return compact(joined)
