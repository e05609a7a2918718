"""Program, reference data and input: versions, digests, and the one clock."""

from __future__ import annotations

import datetime
import os

from pgx import __version__
from pgx.errors import UsageError


def program_version() -> str:
    """Return the version of pgx."""
    return __version__


def now() -> str:
    """Return the time in UTC as `2026-11-23T20:11:00Z`; SOURCE_DATE_EPOCH, where set, replaces the clock.

    Raises
    ------
    UsageError
        SOURCE_DATE_EPOCH is not a whole number of seconds.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        moment = (
            datetime.datetime.now(datetime.UTC)
            if epoch is None
            else datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
        )
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            "is not a number of seconds since 1970", where="SOURCE_DATE_EPOCH", cure="Unset or correct it"
        ) from error
    return moment_text(moment)


def moment_text(moment: datetime.datetime) -> str:
    """Return `moment` as UTC text, to the second."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
