"""One site of an input with many samples: classes of samples that the scalar code treats alike, and arrays.

Samples with equal other fields and equal answers to what the scalar code asks of a field (is the depth zero)
are one class, of which it reads one; PL, DP and GQ become arrays. An unusual column is its own class.
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
_PIECE = 1 << 15  # samples that are read at a time: what is worked on stays in the cache of the processor
_PL_CAP = 6600  # beyond this, the likelihood is zero in floating point, whatever share of PL counts
_NUMBERS = ("DP", "GQ")
_NO_TEXT = frozenset({"AD", "PL", *_NUMBERS})  # AD counts only by what it says of genotypes, beside DP
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
    pile, count = ready.records[place], len(ready.columns)
    records = (*pile.bases, *pile.blocks, *pile.lengths)
    if pile.faults or not records or any(other.misplaced for other in ready.records):
        return _empty(count)
    keys = set(records[0].format)  # nothing may be more telling than PL
    is_usual = {"GT", "PL"} <= keys and not keys & (_OVERRULING | READ_FIELDS) and len(records) == 1
    is_usual &= ("AD" not in keys or "DP" in keys) and len(keys) == len(records[0].format)
    if is_usual and pile.bases and not is_from_imputation(records[0]):
        spelled = letters_of(records[0], pile.site.position)
        shows: dict[Letter, int] = {letter: number for number, letter in enumerate(letters())}
        missing = [number for letter, number in shows.items() if letter not in spelled]
        if len(missing) == 1:
            shows[Other.UNSEEN] = missing[0]
        copies = list(map(shows.get, spelled))  # which of the two letters an allele shows, or None
        places: list[list[int]] = [[], [], []]  # in PL, that show 0, 1 and 2 copies
        for high, high_copies in enumerate(copies):
            for low, low_copies in enumerate(copies[: high + 1]):
                if high_copies is not None and low_copies is not None:
                    places[high_copies + low_copies].append(high * (high + 1) // 2 + low)
        if all(places):
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


def _plain(
    record: SiteRecord, places: Sequence[Sequence[int]], copies: Sequence[int | None], ready: Prepared
) -> SiteArrays:
    # `places` in PL show 0, 1 and 2 copies
    columns = columns_of(record, ready)
    result = _empty(len(columns))
    every = {"DP": 1, "GQ": 1, "PL": len(copies) * (len(copies) + 1) // 2, "AD": len(copies)}
    sizes = {key: size for key, size in every.items() if key in record.format}
    known: dict[bytes | tuple[int | bytes, ...], int] = {}
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


def _numbered(keys: Iterable[Hashable], known: dict[Any, int]) -> Codes:
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)


def _above_least(phred: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    least = np.minimum.reduce(phred)
    return [one - least for one in phred]


def _usual_classes(
    fields: Fields, phred: Sequence[Codes], reads: Sequence[Codes], context: ReadContext
) -> tuple[Codes, list[tuple[int | bytes, ...]]]:
    limit = threshold("contradiction_phred")
    questions = [sum(phred) == 0]  # all that the scalar code depends on
    distances = [phred]
    if reads:  # as `observe.evidence_fields.reads_phred`, in the same order of operations
        distances.append(_above_least([reads[0] * one + reads[1] * other for one, other in read_weights()]))
        questions.append(reads[0] + reads[1] == 0)
    for away in distances:
        questions += [one >= limit for one in away] + [one == 0 for one in away]
    for key, least in zip(_NUMBERS, (context.min_dp, context.min_gq), strict=True):
        if key in fields.form:
            values = fields.numbers[key][0]
            questions += [values == 0, values < least]
    if context.min_gq > 0 and "GQ" not in fields.form:
        questions.append(np.sort(np.stack(phred), axis=0)[1] < context.min_gq)
    answers = np.zeros(len(fields.rows), dtype=np.int64)  # a bit each
    for answer in questions:
        answers = answers * 2 + answer
    codes = answers
    texts = [key for key in fields.form if key not in _NO_TEXT]
    for key in texts:
        for words in fields.words(key):
            found = arrow.codes(words)
            codes = arrow.codes(codes * (int(found.max(initial=0)) + 1) + found)
    codes = compact(codes)
    rows = first_of(codes).tolist()
    return codes, [(int(answers[row]), *(fields.text(key, row) for key in texts)) for row in rows]


def read_site(place: int, ready: Prepared) -> SiteArrays:
    """Read the site at `place`, and let the scalar code observe one sample of each class of it."""
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
            given = genotype_prior(rules.population, place), rules.allele_error_rate, rules.stray_share
            classes.likelihoods[:, number] = genotype_likelihood(evidence, *given)
    rows = np.flatnonzero(~classes.numeric[site.codes])
    site.likelihoods[:, rows] = classes.likelihoods[:, site.codes[rows]]
    for values, own in ((site.depth, classes.depth), (site.quality, classes.quality)):
        rows = np.flatnonzero(np.isnan(values))  # not read from the columns as numbers
        values[rows] = own[site.codes[rows]]
    known_chances = None if np.isnan(chances).all() else chances[:, site.codes]
    return replace(site, codes=compact(classes.codes[site.codes]), chances=known_chances)


def without_numbers(seen: Observation) -> bytes:
    """Return what tells an observation from others, but for likelihoods, depth and quality."""
    evidence = None if seen.evidence is None else replace(seen.evidence, values=(), limits=())
    bare = dict.fromkeys(("depth", "allele_depths", "genotype_quality", "record"))
    return msgspec.msgpack.encode(replace(seen, evidence=evidence, **bare))


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
