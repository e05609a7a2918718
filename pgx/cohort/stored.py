"""Any report of a cohort again, from what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from pgx.cohort.state import State
from pgx.cohort.work import decode_run, shared_parts, unpack
from pgx.errors import SampleError
from pgx.report import Run, SampleReport
from pgx.single import Options


def reports(state: State, wanted: frozenset[str] | None = None) -> Iterator[tuple[Run, SampleReport]]:
    """Yield the reports of the cohort in order: all, or those of the samples called so."""
    known = state.summaries()
    joined = msgspec.json.decode(state.meta("joined") or "{}", type=dict[str, str])
    shown: set[str] = set()
    for planned in state.plan():
        key = joined.get(planned.key, planned.key)
        result = known.get(key)
        if result is None or result.failure is not None or key in shown:
            continue
        shown.add(key)
        yield from _of_input(state, key, wanted)


def _of_input(state: State, key: str, wanted: frozenset[str] | None) -> Iterator[tuple[Run, SampleReport]]:
    data = state.run_of(key)
    names = [None] if wanted is None else sorted(wanted)
    found = False
    for name in names:
        for _, stored in state.reports(key, name):
            found = True
            yield decode_run(data), unpack(stored, map(state.part, shared_parts(stored)))
    if not found and state.has_blocks(key):
        yield from _of_blocks(state, key, data, wanted)


def _of_blocks(
    state: State, key: str, data: bytes, wanted: frozenset[str] | None
) -> Iterator[tuple[Run, SampleReport]]:
    from pgx.cohort.biobank import StoredInput, report_of, unpack_texts  # noqa: PLC0415

    stored = msgspec.json.decode(data, type=StoredInput)
    parameters = stored.run.parameters
    options = Options(
        **{
            name: getattr(parameters, name)
            for name in Options.__struct_fields__
            if name in parameters.__struct_fields__ and name != "evidence"
        },
        callable_bed=Path(parameters.callable) if parameters.callable else None,
        evidence=tuple(Path(item) for item in parameters.evidence),
    )
    for block in state.block_texts(key):
        names, *columns = unpack_texts(block)
        for place, name in enumerate(names):
            if wanted is None or name in wanted:
                yield report_of(stored, options, name, [texts[place] for texts in columns])


def one_report(folder: Path, sample: str) -> tuple[Run, list[SampleReport]]:
    """Return the report of one sample of a cohort folder.

    Raises
    ------
    SampleError
        There is no such sample, or more than one input has it.
    """
    with State(folder, create=False) as state:
        found = list(reports(state, frozenset({sample})))
    if not found:
        raise SampleError(f"no sample '{sample}'", where=str(folder), cure="See samples.tsv")
    if len(found) > 1:
        inputs = ", ".join(run.input.path for run, _ in found[:5])
        raise SampleError(
            f"the sample '{sample}' is in several inputs ({inputs})",
            where=str(folder),
            cure="Annotate the right one with pgx annotate",
        )
    run, report = found[0]
    return run, [report]
