"""How a cohort is run and shown."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from pgx.cohort.worker import ARRAYS_FROM


class PageOptions(Struct, frozen=True, kw_only=True):
    """What the page shows; nothing here changes the tables.

    Attributes
    ----------
    by
        Columns that divide the cohort; empty for all with few enough values.
    sample_table
        List samples, too.
    min_cell
        Counts below it are hidden, and everything about single samples is left out; 0 for no limit.
    """

    by: tuple[str, ...] = ()
    sample_table: bool = False
    min_cell: int = 0


class CohortOptions(Struct, frozen=True, kw_only=True):
    """How a cohort is run.

    Attributes
    ----------
    jobs
        Processes; None for all processors.
    scheduler
        Address of a Dask scheduler.
    shard
        (I, N): do the I-th of N slices of the inputs, 1-based.
    verify
        Compare files by their digests, too.
    arrays_from
        From how many samples on an input is read as arrays.
    """

    engine: Literal["local", "dask"] = "local"
    jobs: int | None = None
    scheduler: str | None = None
    shard: tuple[int, int] = (1, 1)
    verify: bool = False
    fail_fast: bool = False
    arrays_from: int = ARRAYS_FROM
    page: PageOptions = PageOptions()
