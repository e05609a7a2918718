"""Several files that hold blocks of one chromosome of the same people: their records are joined by sample.

Names alone do not make people the same: pairs of tumour and normal, families and plates repeat them. So files
are joined only when all of this holds: the same samples in the same order; under the same options, for the
same of these samples, and in one assembly; each with records, in regions that lie apart; nothing in the
manifest that differs for a sample; and, unless the user says so (--join-blocks), many samples and regions of
more than one position.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pgx.cohort.model import JOINT, Failure, Job, Known, Result, text_digest
from pgx.cohort.people import EVERYBODY, meta_of
from pgx.cohort.rules import least_to_join
from pgx.cohort.state import State
from pgx.cohort.work import failure_by, fingerprint, recipe, result_of_content
from pgx.errors import FormatError
from pgx.genome.assemblies import contig_names
from pgx.vcf import VcfContent, extents, read_sites

_AT_ONCE = 200  # small results that are stored together
_CHANGED = FormatError("changed since it was read", cure="Run the cohort (or its slices) again")
_DISAGREES = Failure(
    input="",
    error="cannot be joined: the manifest says different things of a sample",
    cure="Give the rows of a sample the same cells, or leave --join-blocks out",
)


class Joining(Struct, kw_only=True):
    """What became of sets of inputs with the same samples.

    Attributes
    ----------
    joined
        Under which key each input is stored that was joined.
    apart
        Sets that are no blocks, by key, and what they were when that was found out.
    unasked
        Sets that look like blocks but are not joined without the user's word.
    """

    joined: dict[str, str] = {}
    apart: dict[str, str] = {}
    unasked: list[str] = []
    failures: list[Failure] = []


def join_blocks(state: State, jobs: Sequence[Job], *, asked: bool, arrays_from: int) -> None:
    """Store a joined result for each set of block files, and note which inputs it stands for."""
    known = state.known()
    before = state.meta("joining", Joining) or Joining()
    groups: defaultdict[object, list[Job]] = defaultdict(list)
    for job in jobs:
        result = known.get(job.key)
        if result is not None and result.failure is None and result.samples > 1:
            groups[result.name_digest, result.recipe, result.assembly, job.without].append(job)
    found = Joining()
    results: list[Result] = []
    for group in groups.values():
        if len(group) > 1:
            made = _decide(found, _Set(group, known), before, asked=asked, arrays_from=arrays_from)
            results += [] if made is None else [made]
        if len(results) >= _AT_ONCE or any(result.blocks for result in results):
            state.store(results)
            results.clear()
    state.store(results)
    state.set_meta(joining=found)


class _Set:
    """Inputs with the same samples, options and assembly."""

    def __init__(self, jobs: Sequence[Job], known: Mapping[str, Known]) -> None:
        self.jobs = jobs
        self.known = [known[job.key] for job in jobs]
        self.key = text_digest("blocks", *(job.key for job in jobs))
        #: Size, time and, where they are known, digests of all files.
        self.fingerprint = "; ".join(f"{item.fingerprint} {item.digest}" for item in self.known)
        self.path = JOINT.join(job.path for job in jobs)
        self.recipe = recipe(jobs[0].options)
        stored = known.get(self.key)
        self.is_stored = stored is not None and (stored.fingerprint, stored.recipe) == (
            self.fingerprint,
            self.recipe,
        )

    def agrees(self) -> bool:
        """Say whether the manifest says nothing of a sample that differs from input to input."""
        samples = {name for job in self.jobs for name in (*job.carried, *job.meta)} | {EVERYBODY}
        for sample in samples:
            cells: dict[str, str] = {}
            for job in self.jobs:
                for column, text in _stated(job, sample):
                    if cells.setdefault(column, text) != text:
                        return False
        return True

    def regions(self) -> str:
        """Say how the inputs lie: "apart", "points" or "mixed".

        Apart: each in a region of its own. Points: so too, but some with records at one position only.
        """
        taken: list[dict[str, tuple[int, int]]] = []
        kind = "apart"
        for job in self.jobs:
            own = {_chromosome(name): span for name, span in extents(job.path).items()}
            if not own or any(_overlap(own, other) for other in taken):
                return "mixed"
            if all(first == last for first, last in own.values()):
                kind = "points"
            taken.append(own)
        return kind

    def joined(self, arrays_from: int) -> Result:
        """Return the result of all inputs as one."""
        contents = [read_sites(job.path) for job in self.jobs]
        unchanged = all(
            item.fingerprint == fingerprint(job.path) and content.samples == contents[0].samples
            for job, item, content in zip(self.jobs, self.known, contents, strict=True)
        )
        if not unchanged:
            raise _CHANGED
        result = result_of_content(self.jobs[0], _together(contents, self.path), arrays_from=arrays_from)
        named = replace(result, key=self.key, path=self.path, recipe=self.recipe)
        return replace(named, fingerprint=self.fingerprint)


def _decide(found: Joining, files: _Set, before: Joining, *, asked: bool, arrays_from: int) -> Result | None:
    """Note in `found` what becomes of a set; return its joined result where it is new."""
    if not files.agrees():
        if asked:
            found.failures.append(replace(_DISAGREES, input=files.path))
        return None
    if before.apart.get(files.key) == files.fingerprint:
        found.apart[files.key] = files.fingerprint
        return None
    made = None
    try:
        regions = "apart" if asked and files.is_stored else files.regions()
        if regions == "mixed":
            found.apart[files.key] = files.fingerprint
            return None
        if not asked and (regions == "points" or files.known[0].samples < least_to_join()):
            found.unasked.append(files.path)
            return None
        if not files.is_stored:
            made = files.joined(arrays_from)
    except Exception as error:  # noqa: BLE001 - a set that cannot be joined must not end a run that is done
        failure = failure_by(replace(files.jobs[0], path=files.path), error)
        what = f"blocks of the same samples could not be joined: {failure.error}"
        found.failures.append(replace(failure, error=what))
        return None
    found.joined.update((job.key, files.key) for job in files.jobs)
    return made


def _stated(job: Job, sample: str) -> Iterator[tuple[str, str]]:
    """Yield what the manifest says of a sample of an input: column and text."""
    cells = job.carried.get(sample, job.carried.get(EVERYBODY, {}))
    yield from ((name, text) for name, text in cells.items() if text)
    meta = meta_of(job, sample)
    for name in () if meta is None else meta.__struct_fields__:
        text = getattr(meta, name)
        if text is not None:
            yield f"report {name}", text


def _chromosome(contig: str) -> str:
    """Return what is the same for the spellings of a contig."""
    low = contig.lower()
    return "19" if low in {name.lower() for name in contig_names()} else low.removeprefix("chr")


def _overlap(one: Mapping[str, tuple[int, int]], other: Mapping[str, tuple[int, int]]) -> bool:
    shared = one.keys() & other.keys()
    return any(one[name][0] <= other[name][1] and other[name][0] <= one[name][1] for name in shared)


def _together(contents: Sequence[VcfContent], path: str) -> VcfContent:
    with_records = [content for content in contents if content.records]
    first = with_records[0] if with_records else contents[0]
    sizes = [content.facts.size for content in contents]
    return replace(
        first,
        facts=replace(
            first.facts,
            path=path,
            size=None if None in sizes else sum(size for size in sizes if size is not None),
            stale_index=any(content.facts.stale_index for content in contents),
            unsorted=any(content.facts.unsorted for content in contents),
        ),
        records=tuple(record for content in contents for record in content.records),
        contigs=tuple(dict.fromkeys(name for content in contents for name in content.contigs)),
    )
