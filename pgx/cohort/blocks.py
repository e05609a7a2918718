"""Several files that hold blocks of one chromosome of the same people: their records are joined by sample.

Names alone do not make people the same: pairs of tumour and normal, families and plates repeat them. So files
are joined only when all of this holds: the same samples in the same order; under the same options and
assembly; records in different regions, nowhere in between each other; nothing in the manifest that differs
for a sample; and enough samples that nobody else has all these names, or the user's word (--join-blocks).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from msgspec import Struct
from msgspec.structs import replace

from pgx.cohort.model import JOINT, Failure, Job, Known, text_digest
from pgx.cohort.rules import least_to_join
from pgx.cohort.state import State
from pgx.cohort.work import failure_by, fingerprint, recipe, result_of_content
from pgx.errors import FormatError
from pgx.vcf import VcfContent, extents, read_sites

_CHANGED = FormatError("changed while the run went on", cure="Give the same command again")


class Joining(Struct, frozen=True, kw_only=True):
    """What became of sets of inputs with the same samples.

    Attributes
    ----------
    joined
        Under which key each input is stored that was joined.
    apart
        Sets that are no blocks, by key, and what they were when that was found out.
    unasked
        Sets that look like blocks, of too few samples to be joined without the user's word.
    """

    joined: dict[str, str] = {}
    apart: dict[str, str] = {}
    unasked: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()


def join_blocks(state: State, jobs: Sequence[Job], *, asked: bool, arrays_from: int) -> None:
    """Store a joined result for each set of block files, and note which inputs it stands for."""
    known = state.known()
    before = state.meta("joining", Joining) or Joining()
    groups: defaultdict[tuple[str, ...], list[Job]] = defaultdict(list)
    for job in jobs:
        result = known.get(job.key)
        if result is not None and result.failure is None and result.samples > 1:
            groups[result.name_digest, result.recipe, result.assembly].append(job)
    found = Joining(joined={}, apart={})
    for group in groups.values():
        files = _Set(group, known)
        if len(group) > 1 and (asked or files.agrees()):
            found = _with(found, files, state, before, asked=asked, arrays_from=arrays_from)
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

    def is_large(self) -> bool:
        """Say whether nobody else can be thought to have all these names."""
        return self.known[0].samples >= least_to_join()

    def agrees(self) -> bool:
        """Say whether the manifest says nothing of a sample that differs from input to input."""
        cells: dict[object, str] = {}
        return all(cells.setdefault(place, text) == text for job in self.jobs for place, text in _stated(job))

    def lies_apart(self) -> bool:
        """Say whether each input has a region of its own."""
        regions = [extents(job.path) for job in self.jobs]
        return all(
            one[contig][1] < other[contig][0] or other[contig][1] < one[contig][0]
            for one, other in combinations(regions, 2)
            for contig in one.keys() & other.keys()
        )

    def content(self) -> VcfContent:
        """Return the content of all inputs as one."""
        contents = [read_sites(job.path) for job in self.jobs]
        unchanged = all(
            item.fingerprint == fingerprint(job.path) and content.samples == contents[0].samples
            for job, item, content in zip(self.jobs, self.known, contents, strict=True)
        )
        if not unchanged:
            raise _CHANGED
        return _together(contents, self.path)


def _stated(job: Job) -> Iterable[tuple[object, str]]:
    for sample, cells in job.carried.items():
        yield from (((sample, name), cell) for name, cell in cells.items() if cell)
    for sample, meta in job.meta.items():
        stated = ((name, getattr(meta, name)) for name in meta.__struct_fields__)
        yield from (((sample, name), text) for name, text in stated if text is not None)


def _with(
    found: Joining, files: _Set, state: State, before: Joining, *, asked: bool, arrays_from: int
) -> Joining:
    """Return `found` with what becomes of one more set."""
    may_join = asked or files.is_large()
    own = recipe(files.jobs[0].options)
    stored = state.known().get(files.key)
    holds = stored is not None and (stored.fingerprint, stored.recipe) == (files.fingerprint, own)
    try:
        if before.apart.get(files.key) == files.fingerprint or not (holds or files.lies_apart()):
            return replace(found, apart=found.apart | {files.key: files.fingerprint})
        if not may_join:
            return replace(found, unasked=(*found.unasked, files.path))
        if not holds:
            result = result_of_content(files.jobs[0], files.content(), arrays_from=arrays_from)
            named = replace(result, key=files.key, path=files.path, recipe=own)
            state.store([replace(named, fingerprint=files.fingerprint)])
    except Exception as error:  # noqa: BLE001 - a set that cannot be joined must not end a run that is done
        failure = failure_by(replace(files.jobs[0], path=files.path), error)
        what = f"blocks of the same samples could not be joined: {failure.error}"
        return replace(found, failures=(*found.failures, replace(failure, error=what)))
    return replace(found, joined=found.joined | dict.fromkeys((job.key for job in files.jobs), files.key))


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
