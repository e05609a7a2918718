"""An input with very many samples: all of them at once, as arrays.

Samples are put into classes (`siteread`); the posterior is computed for all (`posterior`); samples of one
class with one answer have the same cells, so the scalar code writes those once, for one sample of them. A
full report is made on demand, by the scalar code, from the sample's columns as they stand in the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace

from pgx.calling.likelihood import UNINFORMATIVE, genotype_likelihood
from pgx.calling.populations import genotype_prior
from pgx.calling.posterior import PhaseEvidence, phase_evidence
from pgx.cohort import arrow
from pgx.cohort.fields import between
from pgx.cohort.posterior import STATUSES, Likelihoods, answers, differs_elsewhere
from pgx.cohort.siteread import Floats, SiteArrays, columns_of, compact, first_of, read_arrays
from pgx.cohort.state import Result, StoredBlock
from pgx.cohort.table import FACTS, fact_table, fact_type, facts_of, to_bytes
from pgx.errors import FormatError
from pgx.observe import EvidenceKind, SitePile, observe
from pgx.render.tsv import safe_cell
from pgx.report import Run, SampleReport
from pgx.single import Options, Prepared, prepare
from pgx.vcf import VcfContent

_BLOCK = 50_000
_FORMULA = re.compile("^[=+@-]", re.MULTILINE)
Rows = npt.NDArray[np.intp]


class StoredInput(Struct, frozen=True, kw_only=True):
    """What is kept of a large input beside its blocks: the run, and the content without sample columns."""

    run: Run
    content: VcfContent


class _Found(Struct):
    """What becomes of all samples: a class each, and numbers."""

    classes: npt.NDArray[np.int64]
    probability: Floats
    carrier: Floats


def annotate_arrays(result: Result, content: VcfContent, ready: Prepared) -> Result:
    """Return `result` with the facts and columns of all samples."""
    names = [name for _, name in ready.columns]
    columns = [column for column, _ in ready.columns]
    some = None if columns == list(range(len(content.samples))) else columns
    doubted = any(pile.misplaced for pile in ready.piles)

    def read(pile: SitePile) -> SiteArrays:
        return read_arrays(pile, doubted, some, len(names), ready.context.options)

    with ThreadPoolExecutor(max_workers=len(ready.piles)) as both:  # Arrow and numpy let go of the lock
        sites = list(both.map(read, ready.piles))
    found = _answers(sites, columns, ready)
    table = _facts(found, sites, columns, names, ready)
    bare = replace(
        content, samples=(), records=tuple(replace(record, samples=()) for record in content.records)
    )
    return replace(
        result,
        run=msgspec.json.encode(StoredInput(run=ready.run, content=bare)),
        blocks=tuple(_blocks(table, content, names, some)),
    )


def _answers(sites: Sequence[SiteArrays], columns: Sequence[int], ready: Prepared) -> _Found:
    """Let the scalar code observe one sample of each class, and compute the posteriors of all."""
    first, second = sites
    pairs = compact(first.codes * (int(second.codes.max(initial=0)) + 1) + second.codes)
    classes = [_observe_class(row, sites, columns, ready) for row in first_of(pairs).tolist()]
    found = _Found(pairs << 8, np.full(len(pairs), np.nan), np.full(len(pairs), np.nan))
    kinds = list(dict.fromkeys(item.kind for item in classes if item is not None))
    by_class = np.array([-1 if item is None else kinds.index(item.kind) for item in classes])
    for number, kind in enumerate(kinds):
        rows = np.flatnonzero((by_class == number)[pairs])
        values = [_likelihoods(site, place, classes, pairs[rows], rows) for place, site in enumerate(sites)]
        exact = values
        if kind.half_called:
            halves = [
                np.array([item is not None and item.half[place] for item in classes])[pairs[rows]]
                for place in (0, 1)
            ]
            exact = [np.where(half, 1.0, both) for half, both in zip(halves, values, strict=True)]
        given = Likelihoods(
            first=values[0],
            second=values[1],
            exact_first=exact[0],
            exact_second=exact[1],
            half_called=kind.half_called,
            unstated=kind.unstated,
            phase=kind.phase,
        )
        _answer_kind(found, rows, given, ready)
    found.classes = compact(found.classes)
    return found


class _Kind(Struct, frozen=True):
    """What the posterior of a class depends on beside likelihoods."""

    half_called: bool
    unstated: bool
    phase: PhaseEvidence | None


class _Class(Struct, frozen=True):
    """A class of samples with likelihoods in the arrays.

    Attributes
    ----------
    constant
        For each site the likelihoods of all samples of the class, or None where the arrays have them.
    half
        For each site whether only one allele is known.
    """

    kind: _Kind
    constant: tuple[tuple[float, float, float] | None, ...]
    half: tuple[bool, ...]


def _observe_class(
    row: int, sites: Sequence[SiteArrays], columns: Sequence[int], ready: Prepared
) -> _Class | None:
    """Observe one sample of a class; None where no likelihood of the arrays is used: all are alike then."""
    observations = observe(ready.piles, columns[row], ready.context)
    evidence = [seen.evidence for seen in observations]
    used = [
        bool(site.numeric[row]) and item is not None and item.kind is EvidenceKind.PL
        for site, item in zip(sites, evidence, strict=True)
    ]
    if not any(used):
        return None
    half = tuple(item is not None and item.seen is not None for item in evidence)
    rules = ready.rules
    return _Class(
        kind=_Kind(
            half_called=any(half),
            unstated=any(item is not None and item.kind is EvidenceKind.GT for item in evidence),
            phase=phase_evidence(observations),
        ),
        constant=tuple(
            None
            if in_arrays
            else genotype_likelihood(item, genotype_prior(rules.population, place), rules.allele_error_rate)
            for place, (item, in_arrays) in enumerate(zip(evidence, used, strict=True))
        ),
        half=half,
    )


def _likelihoods(
    site: SiteArrays,
    place: int,
    classes: Sequence[_Class | None],
    pairs: npt.NDArray[np.int64],
    rows: Rows,
) -> Floats:
    """Return the likelihoods of some samples at one site, shape (3, n)."""
    values = site.likelihoods[:, rows]
    constants = [None if item is None else item.constant[place] for item in classes]
    fixed = np.array([item is not None for item in constants])[pairs]
    if fixed.any():
        table = np.array([UNINFORMATIVE if item is None else item for item in constants]).T
        values[:, fixed] = table[:, pairs[fixed]]
    return values


def _answer_kind(found: _Found, rows: Rows, given: Likelihoods, ready: Prepared) -> None:
    answer = answers(given, ready.rules)
    prior_dependent = differs_elsewhere(given, answer, ready.rules)
    found.probability[rows] = answer.probability
    found.carrier[rows] = answer.carrier_probability
    kind = ((answer.best * len(STATUSES) + answer.status) * 2 + answer.determined) * 2 + prior_dependent
    found.classes[rows] += kind


def _facts(
    found: _Found,
    sites: Sequence[SiteArrays],
    columns: Sequence[int],
    names: Sequence[str],
    ready: Prepared,
) -> pa.Table:
    """Return the fact table: the cells of a class from one report, the numbers from the arrays."""
    rows = [
        facts_of(ready.run, ready.report(columns[row], names[row]))
        for row in first_of(found.classes).tolist()
    ]
    classes = fact_table(rows)
    numbers = {
        "diplotype_probability": found.probability,
        "e4_carrier_probability": found.carrier,
        "depth_1": sites[0].depth,
        "depth_2": sites[1].depth,
        "quality_1": sites[0].quality,
        "quality_2": sites[1].quality,
    }
    places = arrow.numbers(found.classes, pa.int64())
    filled = []
    for name in FACTS:
        column = classes.column(name)
        if name == "sample":
            filled.append(arrow.texts(_cells(names)).cast(pa.string()))
        elif name in numbers:
            by_class = np.array([row[FACTS.index(name)] for row in rows], dtype=np.float64)
            own = numbers[name]
            if np.isnan(own).any():
                own = np.where(np.isnan(own), by_class[found.classes], own)
            filled.append(arrow.numbers(own, fact_type(name)))
        else:
            filled.append(column.combine_chunks().take(places))
    return pa.table(filled, names=list(FACTS))


def _cells(names: Sequence[str]) -> Sequence[str]:
    joined = "".join(names)
    if joined.isascii() and joined.isprintable() and not _FORMULA.search("\n".join(names)):
        return names
    return [safe_cell(name) for name in names]


def _blocks(
    table: pa.Table, content: VcfContent, names: Sequence[str], some: Sequence[int] | None
) -> list[StoredBlock]:
    lines = [columns_of(record, some) for record in content.records]
    blocks = []
    for start in range(0, len(names), _BLOCK):
        stop = min(start + _BLOCK, len(names))
        texts = ["\n".join(names[start:stop]).encode(errors="surrogateescape")]
        texts += [between(line, start, stop).replace(b"\t", b"\n") for line in lines]
        data = b"\0".join(texts)
        packed = pa.compress(data, codec="zstd", asbytes=True)
        blocks.append(
            StoredBlock(
                facts=to_bytes(table.slice(start, _BLOCK)), texts=len(data).to_bytes(8, "little") + packed
            )
        )
    return blocks


def unpack_texts(data: bytes) -> list[list[str]]:
    """Return the names of a block's samples and, record by record, their columns."""
    size = int.from_bytes(data[:8], "little")
    text = pa.decompress(data[8:], decompressed_size=size, codec="zstd", asbytes=True)
    return [part.split("\n") for part in text.decode("utf-8", errors="surrogateescape").split("\0")]


def report_of(
    stored: StoredInput, options: Options, name: str, texts: Sequence[str]
) -> tuple[Run, SampleReport]:
    """Make the report of one sample from its columns, record by record.

    Raises
    ------
    FormatError
        The evidence or reference data is another one than when the cohort was run.
    """
    # Twice: what a record says of all its samples together must not be taken for this one's.
    records = tuple(
        replace(record, samples=(text, text))
        for record, text in zip(stored.content.records, texts, strict=True)
    )
    content = replace(stored.content, samples=(name, ""), records=records)
    ready = prepare(content, replace(options, samples=(), digest=False))
    if ready.run.reference != stored.run.reference or ready.run.tool != stored.run.tool:
        raise FormatError(
            "was made with other reference data or another version of pgx",
            where=stored.run.input.path,
            cure="Run pgx cohort again",
        )
    return stored.run, ready.report(0, name)
