"""Which inputs a cohort has, and in which order: files, folders, globs, or the rows of a manifest."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pgx.cohort.manifest import jobs_of
from pgx.cohort.model import Failure, Job, Plan
from pgx.errors import UsageError
from pgx.single import Options, check_options

ENDINGS = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")


def plan_inputs(inputs: Sequence[str], manifest: Path | None, options: Options) -> Plan:
    """Return the plan of a cohort; the rows of the manifest come after the inputs that were named.

    An input that is named twice counts once; of one that the manifest has too, the manifest says more.

    Raises
    ------
    UsageError, InputError, ReferenceDataError
        Nothing was given, an option cannot be, or the manifest cannot be read.
    """
    if not inputs and manifest is None:
        raise UsageError("no input was given", cure="Give files or folders, or --manifest")
    check_options(options)
    named = {_place(item): _job(item, options) for item in _spread(inputs)}
    more, carried = ([], ()) if manifest is None else jobs_of(manifest, options)
    for job in more:
        if job.failure is None and not job.options.samples:
            named.pop(_place(job.path), None)
    return Plan(jobs=(*named.values(), *more), carried=carried)


def _place(found: str | Failure) -> str | Failure:
    """Return what tells one input from another."""
    return found if isinstance(found, Failure) or "://" in found else os.path.abspath(found)  # noqa: PTH100 - links stay


def _job(found: str | Failure, options: Options) -> Job:
    if isinstance(found, Failure):
        return Job(path=found.input, options=options, failure=found)
    return Job(path=found, options=options)


def _spread(inputs: Iterable[str]) -> Iterator[str | Failure]:
    """Yield the files behind each input; what stands for none is a failure of its own."""
    for text in inputs:
        path = Path(text)
        if "://" in text or path.is_file():
            yield text
        elif path.is_dir():
            yield from _in_folder(path)
        elif glob.has_magic(text):
            matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - the pattern may be absolute
            yield from _spread(matches) if matches else [_nothing(text, "matches no file")]
        else:
            yield text  # missing: the reader says so


def _in_folder(folder: Path) -> Iterator[str | Failure]:
    found = sorted(
        str(path)
        for path in folder.rglob("*")
        if path.name.lower().endswith(ENDINGS) and not path.name.startswith(".") and path.is_file()
    )
    yield from found
    if not found:
        yield _nothing(str(folder), "holds no VCF or BCF")


def _nothing(text: str, error: str) -> Failure:
    return Failure(input=text, error=error, cure="Check the path; files end in .vcf, .vcf.gz or .bcf")
