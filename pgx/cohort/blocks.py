"""Several files that hold blocks of one chromosome of the same people: their records are joined by sample.

Files belong together when they list the same samples in the same order, more than one, under the same
options and assembly, and no two of them have a record at the same site. (If two have, the samples came
twice; that is not joined.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from pgx.cohort.model import Failure, Job, Summary, text_digest
from pgx.cohort.state import State
from pgx.cohort.work import failure_of, recipe, result_of_content
from pgx.errors import PgxError
from pgx.vcf import VcfContent, read_sites

_JOINT = " + "


class _Joined(Struct):
    """What became of a set: under which key it is stored, or why it is not joined; neither: not one set."""

    key: str = ""
    failure: Failure | None = None


def join_blocks(state: State, jobs: Sequence[Job], *, arrays_from: int) -> None:
    """Store a joined result for each set of block files, and note which inputs it stands for."""
    known = state.summaries()
    groups: defaultdict[tuple[str, ...], list[Job]] = defaultdict(list)
    for job in jobs:
        result = known.get(job.key)
        if result is not None and result.failure is None and result.samples > 1:
            groups[result.name_digest, result.recipe, result.assembly].append(job)
    joined: dict[str, str] = {}
    failures = []
    for group in groups.values():
        if len(group) > 1:
            found = _join(state, group, known, arrays_from=arrays_from)
            joined |= {job.key: found.key for job in group if found.key}
            failures += [found.failure] if found.failure else []
    state.set_joined(joined, failures)


def _join(state: State, group: Sequence[Job], known: dict[str, Summary], *, arrays_from: int) -> _Joined:
    key = text_digest("blocks", *(job.key for job in group))
    own = recipe(group[0].options)
    fingerprint = "; ".join(known[job.key].fingerprint for job in group)
    before = known.get(key)
    if before is not None and (before.fingerprint, before.recipe, before.failure) == (fingerprint, own, None):
        return _Joined(key=key) if before.samples else _Joined()
    path = _JOINT.join(job.path for job in group)
    try:
        content = _content([read_sites(job.path) for job in group])
        if content is None:
            return _Joined()
        result = result_of_content(group[0], content, arrays_from=arrays_from)
    except PgxError as error:
        found = failure_of(path, error)
        return _Joined(failure=replace(found, error=f"blocks of the same samples do not fit: {found.error}"))
    state.store([replace(result, key=key, path=path, fingerprint=fingerprint, recipe=own)])
    return _Joined(key=key)


def _content(contents: Sequence[VcfContent]) -> VcfContent | None:
    """Return the content of all files as one, or None where two of them speak of the same site."""
    spans: list[tuple[int, int]] = []
    for content in contents:
        for record in content.records:
            if any(record.position <= end and start <= record.end for start, end in spans):
                return None
        spans += [(record.position, record.end) for record in content.records]
    with_records = [content for content in contents if content.records]
    first = with_records[0] if with_records else contents[0]
    sizes = [content.facts.size for content in contents]
    return replace(
        first,
        facts=replace(
            first.facts,
            path=_JOINT.join(content.facts.path for content in contents),
            size=None if None in sizes else sum(size for size in sizes if size is not None),
            stale_index=any(content.facts.stale_index for content in contents),
            unsorted=any(content.facts.unsorted for content in contents),
        ),
        records=tuple(record for content in contents for record in content.records),
        contigs=tuple(dict.fromkeys(name for content in contents for name in content.contigs)),
    )
