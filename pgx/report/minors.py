"""Birth dates that the sender states: a person under age gets the flag `minor`, as with --age."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from pgx import evidence
from pgx.report.assemble import severities
from pgx.report.model import Flag, SampleReport
from pgx.wording import wording


def mark_minors(
    reports: Iterable[SampleReport], birth_dates: Mapping[str, datetime.date], *, created: str
) -> Iterator[SampleReport]:
    """Yield reports, those of people under age marked as such.

    Parameters
    ----------
    birth_dates
        By sample name; a sample without one is passed on as it is.
    created
        The time of the run as `Run.created` has it; the age is that of this day.
    """
    for report in reports:
        born = birth_dates.get(report.sample)
        if born is None or report.patient.minor or not is_minor(born, created=created):
            yield report
            continue
        flag = Flag(code="minor", severity=severities()["minor"], message=wording().say("flag", "minor"))
        yield replace(report, flags=(flag, *report.flags), patient=replace(report.patient, minor=True))


def is_minor(born: datetime.date, *, created: str) -> bool:
    """Return whether somebody born on that day was under age at the time of a run (`Run.created`)."""
    today = datetime.date.fromisoformat(created[:10])
    return _years(born, today) < evidence.load().rules.minor_age_years


def _years(born: datetime.date, today: datetime.date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
