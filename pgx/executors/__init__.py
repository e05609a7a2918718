"""Where work is done: in this process, in processes of this host, on a Dask cluster.

One `submit()` for all of them. Knows nothing of genetics. A function and its argument must be picklable
and found by import. `Dask` is in `pgx.executors.dask`, which few runs need.
"""

from pgx.executors.engine import (
    Engine,
    Processes,
    Serial,
    WorkerDiedError,
    can_fork,
    cpus,
    run_all,
    run_alone,
)

__all__ = [
    "Engine",
    "Processes",
    "Serial",
    "WorkerDiedError",
    "can_fork",
    "cpus",
    "run_all",
    "run_alone",
]
