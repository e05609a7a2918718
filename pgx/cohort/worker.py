"""What a worker does: read a batch of inputs, and hand back what is to be stored. No bad one ends another."""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import hashlib
import importlib
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pgx import evidence, reference
from pgx.cohort import jobs
from pgx.cohort.jobs import Failure, Job, Result, StoredInput, StoredSample
from pgx.errors import PgxError, UsageError, printable
from pgx.evidence import ContextItem, Response
from pgx.inputs import Input, read_input
from pgx.observe import SiteRecord
from pgx.options import Options
from pgx.report import SCHEMA_VERSION, SampleReport
from pgx.single import Prepared, is_copy_number, prepare
from pgx.vcf import Neighbours, VcfContent, tell_progress_to

#: An input with at least so many samples is read as arrays.
ARRAYS_FROM = 200
#: So many times fewer where only likelihoods are asked for: 6 ms instead of 20 for a file of 100 samples.
_CHEAPER = 8
_INDEXES = (".csi", ".tbi", ".bai", ".crai", ".bgi")


class Batch(Struct, frozen=True, kw_only=True):
    """Inputs that one worker reads one after the other."""

    jobs: tuple[Job, ...]
    verify: bool = False  # note the digest of each file, too
    arrays_from: int = ARRAYS_FROM
    stall: float = 0  # seconds without a new byte of an input after which its worker ends; 0 for never


class StoredReport(Struct, frozen=True, kw_only=True):
    """A report without the pieces that it shares with others, and their digests."""

    report: SampleReport
    shared: tuple[str, ...]


def work(batch: Batch) -> list[Result]:
    """Annotate the inputs of a batch; whatever goes wrong with one is its result."""

    def import_arrays() -> None:
        with contextlib.suppress(ImportError):  # it is raised again where they are needed
            importlib.import_module("pgx.cohort.tables.table")

    if "pyarrow" not in sys.modules:  # while the first is read
        threading.Thread(target=import_arrays, daemon=True).start()
    with _ends_when_it_stalls(batch.stall):
        return [_result_of(job, batch) for job in batch.jobs]


@contextlib.contextmanager
def _ends_when_it_stalls(seconds: float) -> Iterator[None]:
    # the clock is one of faulthandler: it runs on where a library of C never returns
    if not seconds:
        yield
        return
    last = 0.0
    with Path(os.devnull).open("w") as nowhere:

        def came() -> None:
            nonlocal last
            now = time.monotonic()
            if now - last > seconds / 10:
                last = now
                faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)

        came()
        with tell_progress_to(came):
            try:
                yield
            finally:
                faulthandler.cancel_dump_traceback_later()


def failed(job: Job, failure: Failure) -> Result:
    """Return the result of an input that gave none."""
    made_with, state = recipe(job.options), fingerprint(job.place)
    return Result(key=job.key, path=job.path, recipe=made_with, fingerprint=state, failure=failure)


def recipe(options: Options) -> str:
    """Return the digest of all that a result depends on but the input: options, evidence, program."""
    beside = (options.callable_bed, options.reads, options.reference)
    files = "".join(fingerprint(str(path)) for path in beside if path is not None)
    if options.pseudonymise is not None:
        from pgx.pseudonyms import pseudonyms  # noqa: PLC0415 - few ask for it

        files += pseudonyms(options.pseudonymise).digest
    return _recipe(options, evidence.load(options.evidence).digests, files)


@functools.lru_cache(maxsize=4096)
def _recipe(options: Options, digests: tuple[tuple[str, str], ...], files: str) -> str:
    program = (reference.digest(), reference.program_version(), SCHEMA_VERSION)
    used = (text for pair in digests for text in pair)
    return jobs.text_digest(jobs.options_text(options), *used, files, *program)


def fingerprint(path: str) -> str:
    """Return size and time of a file and of its index; "" of what is no file."""
    found = []
    stem, suffix = os.path.splitext(path)  # noqa: PTH122 - as text: this is done for each of very many files
    beside = jobs.GENOTYPE_FILES.get(suffix.lower(), ("", ()))[1]
    places = {ending: path + ending for ending in ("", *_INDEXES)} | {end: stem + end for end in beside}
    for ending, name in places.items():
        try:
            state = os.stat(name)  # noqa: PTH116 - as above
        except (OSError, ValueError):
            continue
        found.append(f"{ending} {state.st_size} {state.st_mtime_ns}")
    return "; ".join(found)


def file_digest(path: str) -> str:
    """Return the SHA-256 of a file; "" where it cannot be read."""
    try:
        with Path(path).open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


def _result_of(job: Job, batch: Batch) -> Result:
    if job.failure is not None:
        return failed(job, job.failure)
    before = fingerprint(job.place)
    try:
        digest = file_digest(job.place) if batch.verify else ""
        source, neighbours = _read(job)
        found = result_of_content(job, source, neighbours, arrays_from=batch.arrays_from)
        return replace(found, fingerprint=before, digest=digest)
    except Exception as error:  # noqa: BLE001 - a bug met in one input must not lose the others
        return failed(job, failure_by(job, error))


def _read(job: Job) -> tuple[Input | VcfContent, Neighbours | None]:
    kind = jobs.genotype_file_kind(job.place)
    if kind is None:
        return read_input(job.place, job.options)
    from pgx.cohort.biobank.genotype_files import read_genotype_file  # noqa: PLC0415 - few inputs are such

    if job.options.pseudonymise is not None:
        cure = "Convert it to VCF: plink2 --export vcf"
        raise UsageError("cannot be pseudonymised", where=job.place, cure=cure)
    return read_genotype_file(job.place, kind), None


def failure_by(job: Job, error: Exception) -> Failure:
    """Return the failure of an input over which `error` was raised."""
    if not isinstance(error, PgxError):  # a bug is named by its place: its message might hold a genotype
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown place"
        what = f"a bug in pgx: {type(error).__name__} at {place}"
        cure = "Run pgx annotate on this input, and report what it prints"
        return Failure(input=job.path, error=what, cure=cure)
    where = f"{error.where}: " if error.where and error.where != job.place else ""
    said, cure = (text.replace(job.place, job.path) for text in (where + error.what, error.cure))
    return Failure(input=job.path, error=said, cure=cure)


def result_of_content(
    job: Job, source: Input | VcfContent, around: Neighbours | None = None, *, arrays_from: int = ARRAYS_FROM
) -> Result:
    """Annotate the samples of an input that was read; many of them as arrays. Raises `PgxError`."""
    if isinstance(source, VcfContent):
        source = Input(content=source)
    content = source.content
    names = hashlib.sha256("\n".join(content.samples).encode(errors="surrogateescape")).hexdigest()
    there, cure = set(content.samples) if job.options.samples else (), "See the header of the file"
    problems = tuple(  # samples that were asked for and are not there; they cost the others nothing
        Failure(input=job.path, error=f"no sample '{printable(name)}'", cure=cure, sample=name)
        for name in job.options.samples
        if name not in there
    )
    result = Result(
        key=job.key,
        path=job.path,
        recipe=recipe(job.options),
        fingerprint="",  # the caller's, from before it was read
        name_digest=names,
        problems=problems,
        has_records=bool(content.records) or source.reads is not None,
        is_copy_number=is_copy_number(content),
    )
    chosen = _chosen(job, content)
    if chosen is None or result.is_copy_number:
        return result
    only_likelihoods = jobs.group_of(job.options) is not None
    options = replace(jobs.provisional(job.options), samples=chosen)
    ready = prepare(source, options, None if only_likelihoods else around)
    if only_likelihoods:
        ready = replace(ready, rules=replace(ready.rules, stray_share=1.0))
    result = replace(result, samples=len(ready.columns), assembly=ready.run.input.assembly)
    least = arrays_from // _CHEAPER if only_likelihoods else arrays_from
    if len(ready.columns) >= least and source.reads is None:
        from pgx.cohort.biobank import annotate_arrays, observe_arrays  # noqa: PLC0415 - small inputs need none

        return observe_arrays(result, ready) if only_likelihoods else annotate_arrays(result, ready)
    if not only_likelihoods:
        return _with_reports(result, ready)
    import numpy as np  # noqa: PLC0415 - few runs need it here

    from pgx.cohort.estimate import classes_of  # noqa: PLC0415

    rows = [ready.likelihoods(column, name) for column, name in zip(ready.columns, ready.names, strict=True)]
    return replace(result, run=classes_of(np.array(rows).reshape(-1, 10)).packed())


def _chosen(job: Job, content: VcfContent) -> tuple[str, ...] | None:
    """Return the samples to do, () for all of the input; None for no sample at all."""
    if job.options.samples:
        there = set(content.samples)
        return tuple(name for name in job.options.samples if name in there) or None
    others = set(job.without)
    return (tuple(name for name in content.samples if name not in others) or None) if others else ()


def _with_reports(result: Result, ready: Prepared) -> Result:
    from pgx.cohort.tables.table import facts_of  # noqa: PLC0415

    parts: dict[str, bytes] = {}
    rows = []
    statuses: Counter[str] = Counter()
    for column, name in zip(ready.columns, ready.names, strict=True):
        report = ready.report(column, name)
        statuses[report.genotype.e4_status] += 1
        facts = msgspec.json.encode(facts_of(ready.run, report))
        shared = [jobs.shared_part(pieces) for pieces in (report.response, report.context)]
        parts.update(shared)
        bare = replace(report, response=(), context=())
        packed = StoredReport(report=bare, shared=tuple(digest for digest, _ in shared))
        rows.append(StoredSample(name=name, facts=facts, report=msgspec.json.encode(packed)))
    kept = _kept(ready, parts)
    try:
        run = msgspec.json.encode(kept)
    except UnicodeEncodeError:  # what is no UTF-8 is not kept
        run = msgspec.json.encode(replace(kept, content=None, around=None))
    return replace(result, run=run, rows=tuple(rows), parts=parts, statuses=statuses)


def _kept(ready: Prepared, parts: dict[str, bytes]) -> StoredInput:
    """Return what is kept of a small input: nothing of samples that were not done."""
    run, (digest, parts[digest]) = jobs.without_shared(ready.run)
    content, reads = ready.source.content, ready.source.reads
    # Of one sample of several, a second without a name: INFO must not be taken to speak of it alone.
    names, columns = list(ready.names), list(ready.columns)
    if len(names) == 1 and len(content.samples) > 1:
        names, columns = [names[0], ""], [columns[0], columns[0]]

    def chosen(records: Iterable[SiteRecord]) -> tuple[SiteRecord, ...]:
        return tuple(
            replace(one, samples=[one.samples[column] for column in columns] if one.samples else [])
            for one in records
        )

    around = ready.around.records_read if ready.around else None
    header = replace(content.header, contigs=(), references=(), lengths=())
    if reads is not None:  # nothing of those that were not done
        piles = {name: pile for name, pile in reads.piles.items() if name in ready.names}
        reads = replace(reads, samples=tuple(piles), piles=piles)
    return StoredInput(
        run=run,
        shared=(digest,),
        content=replace(content, header=header, samples=tuple(names), records=chosen(content.records)),
        around=None if around is None else chosen(around),
        reads=msgspec.Raw(msgspec.json.encode(reads)),
        beside=ready.source.beside,
    )


def unpack(data: bytes, parts: Iterable[bytes]) -> SampleReport:
    """Return the report that was stored, with its shared parts in the order of `shared`."""
    stored = msgspec.json.decode(data, type=StoredReport)
    response, context = parts
    return replace(
        stored.report,
        response=msgspec.json.decode(response, type=tuple[Response, ...]),
        context=msgspec.json.decode(context, type=tuple[ContextItem, ...]),
    )


class _Sharing(Struct):
    shared: tuple[str, ...] = ()


def shared_parts(data: bytes) -> tuple[str, ...]:
    """Return the digests of the parts that a stored report or run shares; likelihoods share nothing."""
    try:
        return msgspec.json.decode(data, type=_Sharing).shared
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()


def decode_input(data: bytes) -> StoredInput:
    """Return what is kept of an input."""
    return msgspec.json.decode(data, type=StoredInput)
