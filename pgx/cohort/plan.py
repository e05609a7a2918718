"""Which inputs a cohort has, and in which order: files, folders, globs, or the rows of a manifest."""

from __future__ import annotations

import glob
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pgx.calling import ESTIMATE, population_name
from pgx.cohort.jobs import NOTHING, Failure, Job, Plan, estimating, genotype_file_kind
from pgx.cohort.manifest import KINSHIP, STANDARD_INPUT, check, exists, jobs_of, place_of
from pgx.errors import NotFoundError, UsageError, printable
from pgx.options import Options

if TYPE_CHECKING:
    from pgx.pseudonyms import Pseudonyms

ENDINGS = (".vcf", ".vcf.gz", ".vcf.bgz", ".gvcf", ".gvcf.gz", ".bcf")
READ_ENDINGS = (".bam", ".cram")
_CHECK = "Check the path; files end in .vcf, .vcf.gz or .bcf"


def plan_inputs(
    inputs: Sequence[str],
    manifest: Path | None,
    options: Options,
    *,
    with_reads: bool = False,
    pedigree: Sequence[tuple[str, str, str, str]] = (),
) -> Plan:
    """Return the plan of a cohort; the rows of the manifest come after the inputs that were named.

    `pedigree` has family, person, father and mother of a PED file, "" for nobody.
    In a folder, reads (BAM, CRAM) beside a VCF of the same name are passed over unless `with_reads`.
    An input that is named twice counts once. Of one that the manifest has too, the rows count: they speak for
    the samples that they name, also where they cannot be used, or for all.
    A `UsageError`, `InputError` or `ReferenceDataError` says that nothing was given, an option cannot be, or
    the manifest cannot be read.
    """
    if not inputs and manifest is None:
        raise UsageError("no input was given", cure="Give files or folders, or --manifest")
    if population_name(options.population) == ESTIMATE:
        options = estimating(options)
    check(options)
    if options.callable_bed is not None and not exists(str(options.callable_bed)):
        raise NotFoundError("no such file", where=str(options.callable_bed), cure="Check --callable")
    found = list(_spread(inputs))
    beside = set() if with_reads else _reads_beside_a_vcf(found, inputs)
    named: dict[str | Failure, Job] = {}
    for item in found:
        if isinstance(item, Failure):
            named[item] = Job(path=item.input, options=options, failure=item)
        elif item not in beside:
            bare = Job(path=item, options=options, carried=NOTHING, meta=NOTHING, lines=NOTHING)
            named[place_of(item)] = bare
    rows, carried, notes = ([], (), []) if manifest is None else jobs_of(manifest, options)
    notes += [
        f"{printable(str(path))}: passed over, a VCF of the same name lies beside it; --with-reads takes it"
        for path in sorted(map(str, beside))
    ]
    jobs = tuple(_apart(named.values(), rows))
    if options.pseudonymise is not None:
        from pgx.pseudonyms import pseudonyms  # noqa: PLC0415 - few ask for it

        hide = pseudonyms(options.pseudonymise)
        jobs = tuple(_hidden(job, hide) for job in jobs)
        to = {name: name and hide.name(name) for row in pedigree for name in row}
        pedigree = [(to[kin], to[who], to[one], to[other]) for kin, who, one, other in pedigree]
    return Plan(jobs=jobs, carried=carried, notes=tuple(notes), pedigree=tuple(pedigree))


def _hidden(job: Job, hide: Pseudonyms) -> Job:
    """Return a job under pseudonyms, unless the manifest says who somebody is; its input is where it was."""
    if any(meta.name or meta.order_id for meta in job.meta.values()):
        what = "states who somebody is, beside --pseudonymise"
        raise UsageError(what, where="--manifest", cure="Leave out the columns name and order_id")
    path = hide.path(job.path)
    failure = job.failure
    if failure is not None:
        said = hide.message(failure.error).replace(job.path, path)
        failure = Failure(input=hide.path(failure.input), error=said, cure=failure.cure)
    return replace(
        job,
        path=path,
        source=job.path,
        options=replace(job.options, samples=tuple(map(hide.name, job.options.samples))),
        without=tuple(map(hide.name, job.without)),
        carried={
            name and hide.name(name): {
                column: hide.name(cell) if cell and (cell == name or column in KINSHIP) else cell
                for column, cell in row.items()
            }
            for name, row in job.carried.items()
        },
        meta={name and hide.name(name): meta for name, meta in job.meta.items()},
        lines={name and hide.name(name): line for name, line in job.lines.items()},
        failure=failure,
    )


def _reads_beside_a_vcf(found: Iterable[str | Failure], named: Iterable[str]) -> set[str | Failure]:
    by_stem: dict[tuple[str, str], list[str]] = defaultdict(list)
    given = {place_of(path) for path in named}
    for path in found:
        if isinstance(path, str) and "://" not in path:
            by_stem[str(Path(path).parent), Path(path).name.split(".")[0]].append(path)
    return {
        path
        for group in by_stem.values()
        for path in group
        if path.lower().endswith(READ_ENDINGS)
        and place_of(path) not in given
        and any(other.lower().endswith(ENDINGS) for other in group)
    }


def _apart(named: Iterable[Job], rows: Sequence[Job]) -> Iterator[Job]:
    """Yield all jobs, so that no sample of an input is done by two: a row goes before what it stands in."""
    whole = {place_of(job.path) for job in rows if not job.options.samples}
    spoken: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for job in rows:
        spoken[place_of(job.path)] |= dict.fromkeys(job.options.samples)
    for job in named:
        if job.failure is not None:
            yield job
        elif place_of(job.path) not in whole:
            yield replace(job, without=tuple(spoken[place_of(job.path)]))
    for job in rows:
        if job.options.samples or job.failure is not None:
            yield job
        else:
            elsewhere = [name for name in spoken[place_of(job.path)] if name not in job.carried]
            yield replace(job, without=tuple(elsewhere))


def _spread(inputs: Iterable[str]) -> Iterator[str | Failure]:
    for text in inputs:
        if "://" in text or exists(text, file=True):
            yield _storable(text)
        elif text == STANDARD_INPUT:
            yield Failure(input=text, error="cannot be standard input", cure="Give a file")
        elif exists(text):
            yield from _in_folder(text)
        elif glob.has_magic(text):
            matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - the pattern may be absolute
            none = Failure(input=printable(text), error="matches no file", cure=_CHECK)
            yield from _spread(matches) if matches else [none]
        else:
            yield _storable(text)  # missing: the reader says so


def _storable(path: str) -> str | Failure:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return Failure(input=printable(path), error="has a name that is not UTF-8", cure="Rename it")
    return path


def _in_folder(folder: str) -> Iterator[str | Failure]:
    """Yield the files below a folder, links followed; a folder that cannot be read is a failure."""
    found: list[str] = []
    unread: list[OSError] = []
    been = set()
    for where, folders, files in os.walk(folder, followlinks=True, onerror=unread.append):
        real = os.path.realpath(where)
        if real in been:  # links in a circle
            folders.clear()
            continue
        been.add(real)
        folders.sort()  # which of two links leads to a folder must not depend on the file system
        for path in (str(Path(where) / name) for name in files if not name.startswith(".")):
            is_known = path.lower().endswith((*ENDINGS, *READ_ENDINGS)) and exists(path, file=True)
            if is_known or genotype_file_kind(path):
                found.append(path)
    yield from map(_storable, sorted(found))
    for error in unread:
        what, name = f"cannot be read ({error.strerror})", printable(str(error.filename))
        yield Failure(input=name, error=what, cure="Check its permissions")
    if not found and not unread:
        what = "holds no VCF, BCF, BAM, CRAM, PLINK or BGEN"
        yield Failure(input=printable(folder), error=what, cure=_CHECK)
