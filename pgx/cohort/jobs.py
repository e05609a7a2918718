"""What a cohort is made of: inputs with their options, in order, and what became of each."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pgx.calling import ESTIMATE, default_population, population_name
from pgx.observe import SiteRecord
from pgx.options import Options
from pgx.reference import FactFile, Facts, load
from pgx.render.form import PatientMeta
from pgx.report import AppendixItem, ReferenceData, Run
from pgx.vcf import VcfContent

#: Biobank files by the ending of the one that is named: what they are, and the endings of what lies beside.
GENOTYPE_FILES = {
    ".bed": ("plink", (".bim", ".fam")),
    ".pgen": ("pgen", (".pvar", ".pvar.zst", ".bim", ".psam", ".fam")),
    ".bgen": ("bgen", (".sample",)),
}
_MAGIC = {"plink": (0, b"\x6c\x1b\x01"), "pgen": (0, b"\x6c\x1b"), "bgen": (16, b"bgen")}

#: What a manifest says of most inputs; one object for all of them, which nobody changes.
NOTHING: Mapping[str, Any] = {}


def genotype_file_kind(path: str) -> str | None:
    """Return "plink", "pgen" or "bgen" for a file that is one by its name and first bytes, else None."""
    kind, _ = GENOTYPE_FILES.get(Path(path).suffix.lower(), (None, ()))
    if kind is None or "://" in path:
        return None
    start, magic = _MAGIC[kind]
    try:
        with Path(path).open("rb") as handle:
            beginning = handle.read(start + len(magic))
    except (OSError, ValueError):
        return None
    return kind if beginning[start:] == magic else None


class Failure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an input, or one `sample` of it, gave no result: a row of failures.tsv."""

    input: str
    error: str
    cure: str
    sample: str = ""


class Named(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One input, and what the manifest says of it: by sample name, of which "" stands for every sample."""

    path: str
    carried: Mapping[str, Mapping[str, str]] = msgspec.field(default_factory=dict)  # further columns
    meta: Mapping[str, PatientMeta] = msgspec.field(default_factory=dict)  # for the head of a report
    without: tuple[str, ...] = ()  # of whom other rows of the manifest speak; not done here
    chosen: tuple[str, ...] = ()  # names of the options that its rows of the manifest state
    failure: Failure | None = None  # known before anything is read: of the file, or of its row
    source: str = ""  # what is read, where `path` is a pseudonym; it is never stored
    lines: Mapping[str, int] = msgspec.field(default_factory=dict)  # of the manifest, 1-based


class Job(Named, frozen=True, kw_only=True, omit_defaults=True):
    """One input with the options that hold for it."""

    options: Options

    def with_line(self, error: str, sample: str = "") -> str:
        """Return what is wrong with the input or a sample of it, with the line of the manifest."""
        if not self.lines or self.failure is not None:  # of a row that cannot be used it is there
            return error
        own = [self.lines[sample]] if sample in self.lines else self.lines.values()
        first, last = min(own), max(own)
        where = f"line {first}" if first == last else f"lines {first} to {last}"
        return f"{where} of the manifest: {error}"

    @property
    def place(self) -> str:
        """Return where the input is."""
        return self.source or self.path

    @property
    def key(self) -> str:
        """Return what this input is stored under: path and options, not what only goes with them."""
        known = () if self.failure is None else (self.failure.error,)
        return text_digest(self.path, options_text(self.options), *self.without, *known)


class Plan(Struct, frozen=True, kw_only=True):
    """All inputs in order, and what goes with them."""

    jobs: tuple[Job, ...]
    carried: tuple[str, ...] = ()  # names of columns
    notes: tuple[str, ...] = ()  # a line for each file passed over
    pedigree: tuple[tuple[str, str, str, str], ...] = ()  # family, person, father and mother of --ped

    @property
    def digest(self) -> str:
        """Return what tells this list of inputs, and what goes with them, from another."""
        keys = (job.key for job in self.jobs)
        stated = (msgspec.json.encode((job.carried, job.meta)).decode() for job in self.jobs)
        return text_digest(*self.carried, *keys, *stated, *map("\t".join, self.pedigree))


class StoredSample(Struct, frozen=True, kw_only=True):
    """One sample: its facts (a JSON list) and its report (JSON, shared parts replaced by digests)."""

    name: str
    facts: bytes
    report: bytes


class StoredBlock(Struct, frozen=True, kw_only=True):
    """Samples of a large input: facts as an Arrow stream, and the sample columns of its records."""

    facts: bytes
    texts: bytes


class Known(Struct, frozen=True, kw_only=True):
    """What became of one input, without its samples: `samples` were done, `statuses` by e4 status."""

    key: str
    path: str
    recipe: str  # digest of options, reference data and program
    fingerprint: str  # size and time of the file and of its index
    digest: str = ""  # SHA-256 of the file where --verify asked for it
    failure: Failure | None = None
    problems: tuple[Failure, ...] = ()  # samples that are asked for and that the input does not have
    samples: int = 0
    has_records: bool = True  # near the sites
    is_copy_number: bool = False  # a file of copy numbers or ploidy, in which nobody is counted
    assembly: str = ""
    name_digest: str = ""  # of the names of all samples of the input, in order
    statuses: Mapping[str, int] = msgspec.field(default_factory=dict)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Return all that could not be done of the input."""
        return self.problems if self.failure is None else (self.failure,)


class Result(Known, frozen=True, kw_only=True):
    """What became of one input, and what is kept of it."""

    run: bytes = b""  # the JSON of `StoredInput`
    rows: tuple[StoredSample, ...] = ()  # of a small input
    blocks: tuple[StoredBlock, ...] = ()  # of thousands of samples each, of a large one
    parts: Mapping[str, bytes] = msgspec.field(default_factory=dict)  # what many reports share, by digest


class StoredInput(Struct, frozen=True, kw_only=True):
    """What is kept of an input that was read, so that its results can be made again without it."""

    run: Run  # without its reference data and appendix; `with_shared` makes it whole
    shared: tuple[str, ...]  # digest of these, a part of the state: the runs of many inputs share them
    # of the samples that were done; those of a large input are in its blocks; None where it cannot be kept
    content: VcfContent | None
    around: tuple[SiteRecord, ...] | None = None  # records around the sites; None where they were not read
    reads: msgspec.Raw = msgspec.Raw(b"null")  # those of `pgx.inputs.Input`
    beside: bool = False  # as there


class Slice(Struct, frozen=True, kw_only=True):
    """Which part of which plan a folder holds: slice `number` of `of`, 1-based."""

    number: int
    of: int
    plan_digest: str
    plan_size: int
    conditions: str  # digest of all that results of the whole plan depend on but the inputs


def estimating(options: Options, group: str = "") -> Options:
    """Return options for people whose population is still to be estimated, with others of their group."""
    return replace(options, population=f"{ESTIMATE}:{group}" if group else ESTIMATE)


def group_of(options: Options) -> str | None:
    """Return the group whose population is still to be estimated; "" for no group, None for none of this."""
    name, _, group = options.population.partition(":")
    return group if population_name(name) == ESTIMATE else None


def provisional(options: Options) -> Options:
    """Return options under which an input can be read whose population is still to be estimated."""
    return options if group_of(options) is None else replace(options, population=default_population())


@functools.lru_cache(maxsize=4096)
def options_text(options: Options) -> str:
    """Return options as text, the same for equal ones (0 and 0.0 are)."""
    text = msgspec.json.encode(options, enc_hook=str)
    same = msgspec.json.decode(text, type=Options, dec_hook=lambda kind, value: kind(value))
    return msgspec.json.encode(same, enc_hook=str).decode()


def text_digest(*texts: str) -> str:
    """Return a short digest of some texts."""
    total = hashlib.sha256()
    for text in texts:
        total.update(f"{len(text)}:{text}".encode(errors="surrogateescape"))
    return total.hexdigest()[:32]


class _Same(Struct, eq=False):
    """A value that equals only itself: what is shared are the same objects, and comparing them is slow."""

    value: object

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


def shared_part(*values: object) -> tuple[str, bytes]:
    """Return what many reports or runs share (the same objects in each) as JSON, and its digest first."""
    return _shared_part(*map(_Same, values))


@functools.lru_cache(maxsize=256)
def _shared_part(*values: _Same) -> tuple[str, bytes]:
    data = msgspec.json.encode(values[0].value if len(values) == 1 else [same.value for same in values])
    return hashlib.sha256(data).hexdigest()[:32], data


def without_shared(run: Run) -> tuple[Run, tuple[str, bytes]]:
    """Return a run as `StoredInput` has it, and what it shares as `shared_part` has it."""
    nothing = ReferenceData(release="", digest="", evidence=())
    return replace(run, reference=nothing, appendix=()), shared_part(run.reference, run.appendix)


def with_shared(run: Run, part: bytes) -> Run:
    """Return the whole run that `without_shared` took apart."""
    reference, appendix = _run_part(part)
    return replace(run, reference=reference, appendix=appendix)


@functools.lru_cache(maxsize=16)
def _run_part(data: bytes) -> tuple[ReferenceData, tuple[AppendixItem, ...]]:
    return msgspec.json.decode(data, type=tuple[ReferenceData, tuple[AppendixItem, ...]])


class Alarms(Facts, frozen=True, kw_only=True):
    """Limits of alarms; the file says what each number means."""

    min_samples: int
    frequency_z: float
    hardy_weinberg_p: float
    batch_missing_share: float
    other_missing_share: float
    batch_min_samples: int
    absent_share: float
    neighbours_min_samples: int
    neighbours_plate_share: float
    neighbours_strand_share: float
    imputed_open_share: float
    rare_excess: float
    swap_min_people: int
    swap_plate_wells: int
    swap_left_share: float
    swap_chance: float
    estimate_margin: float


class Page(Facts, frozen=True, kw_only=True):
    """What fits on the page, and the lower edges of bins."""

    max_strata: int
    max_by: int
    min_group: int
    shared_group_times: int
    max_listed: int
    max_table: int
    static_rows: int
    multiqc_samples: int
    false_discovery_rate: float
    depth_bins: tuple[float, ...]
    quality_bins: tuple[float, ...]
    probability_bins: tuple[float, ...]


class _SamePeople(Facts, frozen=True, kw_only=True):
    min_samples: int


class _CohortFile(FactFile, frozen=True, kw_only=True):
    alarms: Alarms
    page: Page
    same_people: _SamePeople


def alarm_limits() -> Alarms:
    """Return the limits of alarms."""
    return load("cohort.toml", _CohortFile).alarms


def page_limits() -> Page:
    """Return what fits on the page."""
    return load("cohort.toml", _CohortFile).page


def least_group(least: int) -> int:
    """Return how many samples a group must have on a shared page that hides counts below `least`."""
    return page_limits().shared_group_times * least


def least_same_people() -> int:
    """Return the least number of samples whose equal names make two inputs of the same people."""
    return load("cohort.toml", _CohortFile).same_people.min_samples
