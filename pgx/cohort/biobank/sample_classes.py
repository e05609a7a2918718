"""One site of an input with many samples: classes of samples that the scalar code treats alike, and arrays.

The scalar code looks at some fields of a sample column only through questions with few answers (is the
depth zero, is the quality below the limit, is the genotype far from the most likely one). Samples with equal
answers and equal other fields are one class: the scalar code reads one of them. What it uses as numbers (PL,
DP, GQ) becomes arrays. A column that is unusual in any way is its own class, text by text.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from pgx.calling import genotype_prior
from pgx.calling.likelihood import genotype_likelihood, imputed_probabilities, phred_likelihood
from pgx.cohort.biobank.format_parser import Fields, between, edges_of
from pgx.cohort.tables import arrow
from pgx.cohort.tables.arrow import Codes, compact, first_of, joined_codes
from pgx.genome import letters
from pgx.neighbours.estimate import MarkerReader
from pgx.observe import EvidenceKind, Observation, ReadContext, SiteRecord
from pgx.observe.alleles import Letter, Other, letters_of
from pgx.observe.evidence_fields import is_from_imputation, read_weights
from pgx.observe.fields import READ_FIELDS
from pgx.observe.site import observe
from pgx.reference import threshold
from pgx.single import Prepared
from pgx.vcf import Columns

Floats = npt.NDArray[np.float64]
#: Samples that are read at a time: what is worked on stays in the cache of the processor.
_PIECE = 1 << 15
#: Beyond this, the likelihood is zero in floating point, whatever share of PL counts.
_PL_CAP = 6600
_NUMBERS = ("DP", "GQ")
#: AD counts only by what it says of the genotypes, where DP is stated.
_NO_TEXT = frozenset({"AD", "PL", *_NUMBERS})
#: Fields that take precedence over PL or GQ, or change what PL is about.
_OVERRULING = frozenset({"GQX", "LGT", "LPL", "LAA", "LA", "LAD", "LEN"})


class SiteArrays(Struct, frozen=True):
    """A site of all samples."""

    codes: Codes  # the class of each sample
    numeric: npt.NDArray[np.bool_]  # whether PL and what depends on it were read as numbers, shape (n,)
    likelihoods: Floats  # shape (3, n), scaled to a maximum of 1; 1 where not numeric
    depth: Floats  # as stated, like `quality`; NaN where not numeric or not stated
    quality: Floats
    chances: Floats | None = None  # probabilities that contain a prior, see `arrays.SiteLikelihoods`


def _read_arrays(place: int, ready: Prepared) -> SiteArrays:
    """Read the site at `place` so far as that goes without the scalar code: classes and numbers."""
    pile, count = ready.records[place], len(ready.columns)
    records = (*pile.bases, *pile.blocks, *pile.lengths)
    if pile.faults or not records or any(other.misplaced for other in ready.records):
        return _empty(count)
    if len(records) == 1 and pile.bases and _is_plain(records[0]):
        copies = _copies(letters_of(records[0], pile.site.position))
        places = _classes(copies)
        if places is not None:
            return _plain(records[0], places, copies, ready)
    return replace(_empty(count), codes=text_codes(records, ready))


def columns_of(record: SiteRecord, ready: Prepared) -> Columns:
    """Return the columns of the samples that are done in one line."""
    samples = record.samples
    if not isinstance(ready.columns, range):  # not all of the input
        samples = [samples[column] for column in ready.columns]
    return samples if isinstance(samples, Columns) else Columns.of(record.fixed, samples)


def _empty(count: int) -> SiteArrays:
    unknown = np.full(count, np.nan)
    codes, numeric = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=bool)
    return SiteArrays(codes, numeric, np.ones((3, count)), unknown, unknown.copy())


def _is_plain(record: SiteRecord) -> bool:
    """Return whether genotypes come with PL and what else is stated is not more telling."""
    keys = set(record.format)
    return (
        "GT" in keys
        and "PL" in keys
        and not keys & (_OVERRULING | READ_FIELDS)
        and not ("AD" in keys and "DP" not in keys)
        and not is_from_imputation(record)
        and len(keys) == len(record.format)
    )


def _copies(spelled: Sequence[Letter]) -> list[int | None]:
    """Return for each allele which of the two letters it shows (see `evidence_fields`), or None."""
    counted = letters()
    missing = [letter for letter in counted if letter not in spelled]
    stand_in = counted.index(missing[0]) if len(missing) == 1 else None
    return [
        counted.index(letter)
        if isinstance(letter, str) and letter in counted
        else (stand_in if letter is Other.UNSEEN else None)
        for letter in spelled
    ]


def _classes(copies: Sequence[int | None]) -> list[list[int]] | None:
    """Return the places in PL that show 0, 1 and 2 copies; None unless all three have one."""
    places: list[list[int]] = [[], [], []]
    for high, high_copies in enumerate(copies):
        for low, low_copies in enumerate(copies[: high + 1]):
            if high_copies is not None and low_copies is not None:
                places[high_copies + low_copies].append(high * (high + 1) // 2 + low)
    return places if all(places) else None


def _plain(
    record: SiteRecord, places: Sequence[Sequence[int]], copies: Sequence[int | None], ready: Prepared
) -> SiteArrays:
    """Read the only record of a site piece by piece; `places`: see `_classes`, `copies`: see `_copies`."""
    columns = columns_of(record, ready)
    result = _empty(len(columns))
    sizes = {key: 1 for key in _NUMBERS if key in record.format}
    sizes["PL"] = len(copies) * (len(copies) + 1) // 2
    if "AD" in record.format:
        sizes["AD"] = len(copies)
    known: dict[_Key, int] = {}
    plain, mixed = _from_phred(ready.rules.stray_share)
    for start in range(0, len(columns), _PIECE):
        piece = range(start, min(start + _PIECE, len(columns)))
        fields = Fields(columns, record.format, piece, sizes)
        numbers = fields.numbers
        phred = _above_least([np.minimum.reduce([numbers["PL"][one] for one in group]) for group in places])
        rows = fields.rows + start
        result.numeric[rows] = True
        for number in range(3):
            away = np.minimum(phred[number], _PL_CAP)
            result.likelihoods[number][rows] = np.where(phred[1] == 0, mixed[away], plain[away])
        for key, values in zip(_NUMBERS, (result.depth, result.quality), strict=True):
            if key in sizes:
                values[rows] = numbers[key][0]
        reads = []  # by letter
        if "AD" in sizes:
            shown = list(zip(numbers["AD"], copies, strict=True))
            reads = [np.add.reduce([of for of, copy in shown if copy == letter]) for letter in range(2)]
        codes, keys = _usual_classes(fields, phred, reads, ready.context)
        result.codes[rows] = _numbered(keys, known)[codes]
        odd = np.flatnonzero(~result.numeric[piece.start : piece.stop]) + start
        result.codes[odd] = _numbered([between(columns, row, row + 1) for row in odd.tolist()], known)
    return result


@functools.cache
def _from_phred(stray_share: float | None) -> tuple[Floats, Floats]:
    """Return the likelihood by PL: beside a homozygote, and beside a heterozygote."""
    away = [float(value) for value in range(_PL_CAP + 1)]
    plain = np.array([phred_likelihood((0, 1, value))[2] for value in away])
    return plain, np.array([phred_likelihood((value, 0, value), stray_share)[2] for value in away])


#: What tells a class from others: the text of a column, or the texts of some fields and answers.
_Key = bytes | tuple[int | bytes, ...]


def _numbered(keys: Iterable[Hashable], known: dict[Any, int]) -> Codes:
    """Return the number of each key; a new one gets the next."""
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)


def _above_least(phred: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    least = np.minimum.reduce(phred)
    return [one - least for one in phred]


def _usual_classes(
    fields: Fields, phred: Sequence[Codes], reads: Sequence[Codes], context: ReadContext
) -> tuple[Codes, list[_Key]]:
    """Return the class of each sample of a piece, and what tells these classes from others."""
    codes = answers = _answers(fields, phred, reads, context)
    texts = [key for key in fields.form if key not in _NO_TEXT]
    for key in texts:
        for words in fields.words(key):
            found = arrow.codes(words)
            codes = arrow.codes(codes * (int(found.max(initial=0)) + 1) + found)
    codes = compact(codes)
    keys: list[_Key] = [
        (int(answers[row]), *(fields.text(key, row) for key in texts)) for row in first_of(codes).tolist()
    ]
    return codes, keys


def _answers(fields: Fields, phred: Sequence[Codes], reads: Sequence[Codes], context: ReadContext) -> Codes:
    """Return all answers that the scalar code depends on, a bit each."""
    limit = threshold("contradiction_phred")
    questions = [sum(phred) == 0]
    distances = [phred]
    if reads:  # as `observe.evidence_fields.reads_phred`, in the same order of operations
        weighed = [reads[0] * one + reads[1] * other for one, other in read_weights()]
        distances.append(_above_least(weighed))
    for away in distances:
        questions += [one >= limit for one in away] + [one == 0 for one in away]
    if reads:
        questions.append(reads[0] + reads[1] == 0)
    for key, least in zip(_NUMBERS, (context.min_dp, context.min_gq), strict=True):
        if key in fields.form:
            values = fields.numbers[key][0]
            questions += [values == 0, values < least]
    if context.min_gq > 0 and "GQ" not in fields.form:
        questions.append(np.sort(np.stack(phred), axis=0)[1] < context.min_gq)
    joined = np.zeros(len(fields.rows), dtype=np.int64)
    for answer in questions:
        joined = joined * 2 + answer
    return joined


def read_site(place: int, ready: Prepared) -> SiteArrays:
    """Read the site at `place`, and let the scalar code observe one sample of each class of it.

    What is returned has codes of what was observed, and all that is known of likelihoods, depth and quality.
    """
    site = _read_arrays(place, ready)
    rules, firsts = ready.rules, first_of(site.codes).tolist()
    classes, chances = _empty(len(firsts)), np.full((3, len(firsts)), np.nan)
    known: dict[bytes, int] = {}
    doubted = any(pile.misplaced for pile in ready.records)  # then no site can be seen without the others
    piles = ready.records if doubted else ready.records[place : place + 1]
    for number, row in enumerate(firsts):
        seen = observe(piles, ready.columns[row], ready.context)[place if doubted else 0]
        evidence = seen.evidence
        classes.codes[number] = known.setdefault(without_numbers(seen), len(known))
        classes.depth[number] = np.nan if seen.depth is None else seen.depth
        classes.quality[number] = np.nan if seen.genotype_quality is None else seen.genotype_quality
        if evidence is None:
            continue
        classes.numeric[number] = site.numeric[row] and evidence.kind is EvidenceKind.PL
        if evidence.kind in {EvidenceKind.GP, EvidenceKind.DS}:  # they contain a prior
            chances[:, number] = imputed_probabilities(evidence)
        else:
            classes.likelihoods[:, number] = genotype_likelihood(
                evidence, genotype_prior(rules.population, place), rules.allele_error_rate, rules.stray_share
            )
    rows = np.flatnonzero(~classes.numeric[site.codes])
    site.likelihoods[:, rows] = classes.likelihoods[:, site.codes[rows]]
    for values, own in ((site.depth, classes.depth), (site.quality, classes.quality)):
        rows = np.flatnonzero(np.isnan(values))  # not read from the columns as numbers
        values[rows] = own[site.codes[rows]]
    return replace(
        site,
        codes=compact(classes.codes[site.codes]),
        chances=None if np.isnan(chances).all() else chances[:, site.codes],
    )


def without_numbers(seen: Observation) -> bytes:
    """Return what tells an observation from others, but for likelihoods, depth and quality."""
    evidence = None if seen.evidence is None else replace(seen.evidence, values=(), limits=())
    bare = replace(
        seen, evidence=evidence, depth=None, allele_depths=None, genotype_quality=None, record=None
    )
    return msgspec.msgpack.encode(bare)


def text_codes(records: Iterable[SiteRecord], ready: Prepared) -> Codes:
    """Return the classes of samples whose columns are the same in all of at least one record."""
    lines = [columns_of(record, ready) for record in records]
    return joined_codes([arrow.line_codes(line.line, edges_of(line)) for line in lines])


def neighbour_codes(reader: MarkerReader, ready: Prepared) -> Codes:
    """Return the classes of samples that show the same at every marker."""
    parts: list[Codes] = [np.zeros(len(ready.columns), dtype=np.int64)]
    for number, records in enumerate(reader.over):
        if records:
            codes = text_codes(records, ready)
            shown = [reader.read(number, ready.columns[row]) for row in first_of(codes).tolist()]
            parts.append(_numbered(shown, {})[codes])
    return joined_codes(parts)
