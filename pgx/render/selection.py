"""Which statements on the drug a readable report shows: topics of reference/report.toml, this use only."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from pgx.evidence import ContextItem
from pgx.reference import Facts, Provenance, load
from pgx.report import SampleReport

_BY_USE = "efficacy"
_NO_ADVICE = frozenset(
    {"conflicting", "insufficient", "no-evidence", "no-difference", "indeterminate-genotype"}
)


class _ReportFile(Facts, frozen=True, kw_only=True):
    context_topics: tuple[str, ...]
    without_advice: tuple[str, ...]
    provenance: Provenance


@functools.cache
def _file() -> _ReportFile:
    return load("report.toml", _ReportFile)


def context_topics() -> tuple[str, ...]:
    """Return the topics in their order."""
    return _file().context_topics


def is_searched(drug: str) -> bool:
    """Say whether guidelines on a drug were searched, and none was found."""
    return drug in _file().without_advice


def undirected(report: SampleReport, *, withheld: bool = False) -> str:
    """Return the drugs on which the evidence gives nobody different advice, joined.

    Where the result is withheld the conclusions are not looked at, since they depend on it.
    """
    found = dict.fromkeys(item.drug for item in report.response if is_searched(item.drug))
    for item in report.response:
        if not withheld and item.conclusion not in _NO_ADVICE:
            found.pop(item.drug, None)
    return ", ".join(found)


def shown_context(report: SampleReport) -> tuple[tuple[ContextItem, ...], int]:
    """Return the statements to show, without those in front already, and how many are not shown."""
    uses = {response.indication for response in report.response}
    rest = [item for item in report.context if item.id not in report.patient.warnings]
    shown = [item for topic in context_topics() for item in rest if _belongs(item, topic, uses)]
    return tuple(shown), len(rest) - len(shown)


def _belongs(item: ContextItem, topic: str, uses: Sequence[str] | set[str]) -> bool:
    return item.topic == topic and (topic != _BY_USE or item.indication in uses)
