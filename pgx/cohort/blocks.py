"""Several files that hold blocks of one chromosome of the same people: their records are joined by sample.

Files belong together when they list the same samples in the same order, more than one, under the same
options, and no two of them have a record at the same site. (If two have, the samples came twice; that is
not joined.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from pgx.cohort.plan import Job, text_digest
from pgx.cohort.state import State, Summary
from pgx.cohort.work import failed_by, result_of_content
from pgx.errors import PgxError
from pgx.vcf import VcfContent, read_sites


def join_blocks(state: State, jobs: Sequence[Job], *, arrays_from: int) -> None:
    """Store a joined result for each set of block files, and note which inputs it stands for."""
    known = state.summaries()
    groups: defaultdict[tuple[str, str], list[Job]] = defaultdict(list)
    for job in jobs:
        result = known.get(job.key)
        if result is not None and result.failure is None and result.samples > 1:
            # The recipe holds the options, but not what else the inputs share.
            groups[result.name_digest, result.recipe].append(job)
    joined: dict[str, str] = {}
    for group in groups.values():
        if len(group) > 1:
            joined |= _join(state, group, known, arrays_from=arrays_from)
    state.set_meta({"joined": msgspec.json.encode(joined).decode()})


def _join(
    state: State, group: Sequence[Job], known: dict[str, Summary], *, arrays_from: int
) -> dict[str, str]:
    key = text_digest("blocks", *(job.key for job in group))
    fingerprint = "; ".join(known[job.key].fingerprint for job in group)
    names = {job.key: key for job in group}
    before = known.get(key)
    if before is not None and before.fingerprint == fingerprint and before.failure is None:
        return names if before.samples else {}
    first = group[0]
    try:
        contents = [read_sites(job.path) for job in group]
        content = _joined(contents)
        if content is None:
            return {}
        result = result_of_content(first, content, arrays_from=arrays_from)
    except PgxError as error:
        state.store([replace(failed_by(first, error), key=key)])
        return {}
    state.store([replace(result, key=key, fingerprint=fingerprint, recipe=known[first.key].recipe)])
    return names


def _joined(contents: Sequence[VcfContent]) -> VcfContent | None:
    """Return the content of all files as one, or None where two of them speak of the same site."""
    spans: list[tuple[int, int]] = []
    for content in contents:
        for record in content.records:
            if any(record.position <= end and start <= record.end for start, end in spans):
                return None
        spans += [(record.position, record.end) for record in content.records]
    with_records = [content for content in contents if content.records]
    first = with_records[0] if with_records else contents[0]
    return replace(
        first,
        records=tuple(record for content in contents for record in content.records),
        contigs=tuple(dict.fromkeys(name for content in contents for name in content.contigs)),
    )
