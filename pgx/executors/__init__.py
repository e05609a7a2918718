"""Where work is done: in this process, in processes of this host, on a Dask cluster, in jobs of SLURM.

One `submit()` for all of them. Knows nothing of genetics. A function and its argument must be picklable
and found by import. What needs Dask is imported when it is used.
"""

from pgx.executors.dask_engine import Dask
from pgx.executors.engine import Engine, WorkerDiedError, run_all, run_alone
from pgx.executors.local import Processes, Serial, cpus
from pgx.executors.slurm import Slurm
from pgx.executors.slurm_settings import read_settings

__all__ = [
    "Dask",
    "Engine",
    "Processes",
    "Serial",
    "Slurm",
    "WorkerDiedError",
    "cpus",
    "read_settings",
    "run_all",
    "run_alone",
]
