"""Which statements on the drug a readable report shows: topics of reference/report.toml, this use only."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from pgx.evidence import ContextItem
from pgx.reference import Facts, Provenance, load
from pgx.report import SampleReport

_BY_USE = "efficacy"


class _ReportFile(Facts, frozen=True, kw_only=True):
    context_topics: tuple[str, ...]
    provenance: Provenance


@functools.cache
def context_topics() -> tuple[str, ...]:
    """Return the topics in their order."""
    return load("report.toml", _ReportFile).context_topics


def shown_context(report: SampleReport) -> tuple[tuple[ContextItem, ...], int]:
    """Return the statements to show, without those in front already, and how many are not shown."""
    uses = {response.indication for response in report.response}
    rest = [item for item in report.context if item.id not in report.patient.warnings]
    shown = [item for topic in context_topics() for item in rest if _belongs(item, topic, uses)]
    return tuple(shown), len(rest) - len(shown)


def _belongs(item: ContextItem, topic: str, uses: Sequence[str] | set[str]) -> bool:
    return item.topic == topic and (topic != _BY_USE or item.indication in uses)
