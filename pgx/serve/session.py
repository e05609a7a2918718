"""What a page may ask for: files are taken in, annotated in a process of their own, and forgotten."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from pgx.errors import InputError, UsageError, printable
from pgx.executors import Processes
from pgx.files import cannot_write
from pgx.options import CohortOptions, Options
from pgx.reference import limit
from pgx.render import Format, file_stem, handout
from pgx.render.form import Form
from pgx.report import Document

UPLOADED = "uploaded"
PATIENCE = 60  # seconds in which a request must go on, and the one that follows an upload must come
COHORT_FILES = (
    "index.html", "samples.tsv", "samples.parquet", "failures.tsv", "summary.json", "pgx_mqc.json",
    "pgx_samples_mqc.json",
)  # fmt: skip
HANDOUT = "handout"
_INDEX_ENDINGS = (".tbi", ".csi", ".bai", ".crai", ".fai", ".gzi")
_REFERENCE_ENDINGS = (".fa", ".fasta", ".fa.gz", ".fasta.gz", ".fna", ".fna.gz")


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the page sends: the numbers of uploaded files, and options as `pgx annotate` has them."""

    files: tuple[str, ...]
    indication: str = ""
    drug: str = ""
    population: str = ""
    assembly: str = "auto"
    taking: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    age: float | None = None

    def options(self) -> Options:
        """Return them as options."""
        stated = {name: value for name, value in asdict(self).items() if value not in ("", None)}
        del stated["files"]
        return Options(**stated)


class Upload(Struct, frozen=True, kw_only=True):
    """A file that was taken in: its name as sent, perhaps below folders, where it lies, and its bytes."""

    name: str
    path: Path
    size: int


class Made(Struct, frozen=True, kw_only=True):
    """A result: the reports of one input, or the files of a cohort."""

    document: Document | None = None
    files: dict[str, bytes] = {}

    def lines(self) -> list[dict[str, str]]:
        """Return the samples of one input in order: the name of their files, and the answer in one line."""
        from pgx.render.narrative import one_line  # noqa: PLC0415 - where a result is shown

        if (run := self.document) is None:
            return []
        return [{"stem": file_stem(it.sample), "text": one_line(run, it, Form())} for it in run.samples]

    def file(self, name: str) -> bytes | None:
        """Return a file of a cohort, or a sample's: STEM.html .pdf .json .txt .handout.html .handout.pdf."""
        if name in self.files or self.document is None:
            return self.files.get(name)
        for report in self.document.samples:
            before, stem, ending = name.partition(file_stem(report.sample))
            if before or not stem:
                continue
            if ending in {f".{HANDOUT}.html", f".{HANDOUT}.pdf"}:
                return handout(self.document, report, Form(), ending.removeprefix(f".{HANDOUT}"))
            for kind in (Format.HTML, Format.PDF, Format.JSON, Format.TEXT):
                if kind.endings[0] == ending:
                    return kind.one(self.document, report, Form())
        return None


class Work(Struct, frozen=True):
    """What a process is to do: relative names of files in `folder`, and the name that the input came with."""

    folder: str
    inputs: tuple[str, ...]
    options: Options
    name: str


def annotated(work: Work) -> bytes:
    """Annotate one input in its folder; return the document as JSON. It is named as it was when it came."""
    from pgx.single import annotate  # noqa: PLC0415 - in the process that works

    os.chdir(work.folder)
    made = annotate(work.inputs[0], work.options)
    most = int(limit("max_page_samples"))
    samples = tuple(itertools.islice(made.samples, most + 1))
    if len(samples) > most:
        raise UsageError(f"has more than {most} samples", where=work.inputs[0], cure="Use pgx cohort for it")
    run = replace(made.run, input=replace(made.run.input, path=work.name, modified=UPLOADED))
    return msgspec.json.encode(Document.of(run, samples))


def gathered(work: Work) -> dict[str, bytes]:
    """Annotate many inputs in their folder as a cohort; return the files that a person reads."""
    from pgx.cohort import plan_inputs, run_cohort  # noqa: PLC0415

    os.chdir(work.folder)
    plan = plan_inputs(list(work.inputs), None, replace(work.options, neighbours="off"))
    output, how = Path("cohort of uploaded files"), CohortOptions(jobs=1)
    run_cohort(plan, output, replace(how, page=replace(how.page, sample_table=True)))
    return {name: (output / name).read_bytes() for name in COHORT_FILES if (output / name).exists()}


class Session:
    """All that a server holds, below one private folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._worker = folder, Processes(1)
        self._lock, self._working = threading.Lock(), threading.Lock()
        self._taken = self._coming = 0
        self._last_came = time.monotonic()
        self._uploads: dict[str, Upload] = {}
        self._made: dict[str, Made] = {}

    def take(self, name: str, size: int, body: BinaryIO) -> str:
        """Store `size` bytes as a file called `name`, or raise InputError; return the number it goes by."""
        shown, largest = _base(name), int(limit("max_upload") * 10**6)
        with self._lock:
            if self._taken + size > largest:
                what = f"is too large: all files together may have {largest // 10**6:,} MB"
                raise InputError(what, where=shown, cure="Use pgx annotate in a terminal")
            self._taken += size
            self._coming += 1
        number = secrets.token_hex(8)
        path, left, is_whole = self._folder / number, size, False
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                while left and (piece := body.read(min(left, 1 << 20))):
                    file.write(piece)
                    left -= len(piece)
            is_whole = not left
        except OSError as error:
            raise cannot_write(Path(shown), error) from error
        finally:
            upload = Upload(name=name, path=path, size=size)
            with self._lock:
                self._coming -= 1
                self._last_came = time.monotonic()
                if is_whole:
                    self._uploads[number] = upload
            if not is_whole:
                self._remove(upload)
        if not is_whole:
            raise InputError("came in part only", where=shown, cure="Choose it again")
        return number

    def forget_unused(self, after: float = PATIENCE) -> None:
        """Remove what was uploaded where nothing has come for `after` seconds: its page was left."""
        with self._lock:
            if self._coming or time.monotonic() - self._last_came < after:
                return
            unused = [*self._uploads.values()]
            self._uploads.clear()
        self._remove(*unused)

    def _remove(self, *files: Upload) -> None:
        for file in files:
            file.path.unlink(missing_ok=True)
        with self._lock:
            self._taken -= sum(file.size for file in files)

    def make(self, asked: Asked) -> tuple[str, Made]:
        """Annotate uploaded files, remove them, and return the result with the number it goes by.

        What `pgx annotate` raises names the files as they came; a file that has gone is an InputError, for
        without it the others might give another answer.
        """
        wanted = dict.fromkeys(asked.files)
        with self._lock:
            files = [self._uploads.pop(number) for number in wanted if number in self._uploads]
        place = self._folder / secrets.token_hex(8)
        try:
            if len(files) < len(wanted):
                raise InputError("not all files are held any longer", cure="Make the report again")
            place.mkdir(mode=0o700)
            made = self._worked(_laid_out(files, place, asked.options()))
        finally:
            shutil.rmtree(place, ignore_errors=True)
            self._remove(*files)
        number = secrets.token_hex(8)
        with self._lock:
            self._made[number] = made
            while len(self._made) > limit("max_page_results"):
                self._made.pop(next(iter(self._made)))
        return number, made

    def _worked(self, work: Work) -> Made:
        function: Callable[[Work], Any] = annotated if len(work.inputs) == 1 else gathered
        with self._working:
            try:
                found = self._worker.submit(function, work).result()
            except BrokenExecutor:  # a library died of the file; the server goes on
                self._worker.renew()
                what = "could not be read: the reader ended"
                raise InputError(what, where=work.name, cure="Check the file") from None
        if isinstance(found, dict):
            return Made(files=found)
        return Made(document=msgspec.json.decode(found, type=Document))

    def made(self, number: str) -> Made | None:
        """Return a result that is still held."""
        with self._lock:
            return self._made.get(number)

    def close(self) -> None:
        """Stop the process that works, whatever signal ended the server."""
        with contextlib.suppress(KeyboardInterrupt):
            self._worker.close()


def _base(name: str) -> str:
    return printable(re.split(r"[/\\]", name)[-1]) or "file"


def _laid_out(files: list[Upload], place: Path, options: Options) -> Work:
    """Move files into a folder under harmless names, and tell which is what; UsageError for no input.

    No folder holds a file and a folder of one name: then it is a UsageError, and nothing is moved.
    """
    names: dict[str, str] = {}  # a harmless name for each file, and what messages call it
    folders: set[str] = set()
    for file in files:
        parts = [part for part in file.name.split("/") if part][-5:]  # the innermost folders
        clean = (re.sub(r"[^A-Za-z0-9._-]+", "_", part)[-200:].lstrip(".-") or "_" for part in parts)
        name = "/".join(clean) or "_"
        while name in names:
            name = f"{len(names)}.{name.replace('/', '.')}"
        names[name] = _base(file.name)
        folders |= {str(folder) for folder in PurePosixPath(name).parents}
        if both := sorted(folders & names.keys()):
            what = "is the name of a file and of a folder among what was chosen"
            raise UsageError(what, where=both[0], cure="Rename one of them")
    for file, name in zip(files, names, strict=True):
        (place / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.path.rename(place / name)
    for name in names:  # the order in which files came says nothing of their age
        moment = time.time() - (0 if name.endswith(_INDEX_ENDINGS) else 10)
        os.utime(place / name, (moment, moment))
    inputs = [name for name in names if not name.lower().endswith(_INDEX_ENDINGS)]
    reference = next((name for name in inputs if name.lower().endswith(_REFERENCE_ENDINGS)), None)
    inputs = [name for name in inputs if name != reference]
    if not inputs:
        raise UsageError("no input was given", cure="Choose a VCF, BAM, CRAM or the file of a consumer test")
    reads = [name for name in inputs if name.lower().endswith((".bam", ".cram"))]
    beside = reads[0] if len(inputs) == 2 and len(reads) == 1 else None
    inputs = [name for name in inputs if name != beside]
    paths = {"reads": beside and Path(beside), "reference": reference and Path(reference)}
    return Work(str(place), tuple(inputs), replace(options, **paths), names[inputs[0]])
