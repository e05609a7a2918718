"""Where work is done: in this process, in processes of this host, or on a Dask cluster: one `submit()`.

Knows nothing of genetics. A function and its argument must be picklable and found by import.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

from pgx.errors import UsageError

ArgumentT = TypeVar("ArgumentT")
ResultT = TypeVar("ResultT")
#: How often a piece of work is given to a new worker after one has died over it.
_ATTEMPTS = 3
_INSTALL = "Install the extra: pip install 'pgx[cluster]'"


class WorkerDiedError(Exception):
    """A worker process died over one piece of work, each time it was tried."""


class Engine(Protocol):
    """Something that does work."""

    @property
    def width(self) -> int:
        """Return how many pieces of work are done at the same time."""

    def submit(self, function: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> Future[ResultT]:
        """Start `function(argument)`."""

    def renew(self) -> None:
        """Replace what has died, so that work can be submitted again."""

    def close(self) -> None:
        """Stop the workers."""


class Serial:
    """Do everything here, one after the other."""

    width = 1

    def submit(self, function: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> Future[ResultT]:
        """Do it now."""
        future: Future[ResultT] = Future()
        try:
            future.set_result(function(argument))
        except Exception as error:  # noqa: BLE001 - a future hands on whatever the work raised
            future.set_exception(error)
        return future

    def renew(self) -> None:
        """Nothing can die but this process."""

    def close(self) -> None:
        """Nothing is left running."""


class Processes:
    """Processes of this host, started afresh (spawn), so that no lock or handle is inherited."""

    def __init__(self, jobs: int) -> None:
        self.width = jobs
        self._pool: Executor = self._start()

    def _start(self) -> Executor:
        return ProcessPoolExecutor(max_workers=self.width, mp_context=get_context("spawn"))

    def submit(self, function: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> Future[ResultT]:
        """Hand it to a process."""
        with _interrupts_left_out():  # submitting is what starts a process
            return self._pool.submit(function, argument)

    def renew(self) -> None:
        """Start new processes: after one has died, the pool takes nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._start()

    def close(self) -> None:
        """Stop the processes without waiting for work that has not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _interrupts_left_out() -> Iterator[None]:
    """Let processes that start here ignore Ctrl-C: the main process hears it, and stops them itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.default_int_handler)


class Dask:
    """Workers of a Dask cluster: one of our own on this host, one at an address, or jobs of SLURM."""

    def __init__(
        self,
        *,
        jobs: int | None = None,
        scheduler: str | None = None,
        slurm: Mapping[str, str] | None = None,
    ) -> None:
        try:
            from distributed import Client, LocalCluster  # noqa: PLC0415
        except ImportError as error:
            raise UsageError("Dask is not installed", where="--engine dask", cure=_INSTALL) from error
        self._cluster: Any = None
        if scheduler is not None:
            target: Any = scheduler
        elif slurm is not None:
            target = self._cluster = _slurm_cluster(slurm)
        else:
            target = self._cluster = LocalCluster(
                n_workers=jobs or cpus(),
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=50,
            )
        try:
            self._client: Any = Client(target, timeout="30s", set_as_default=False)
        except OSError as error:
            raise UsageError(
                "no Dask scheduler answers", where=str(scheduler), cure="Check the address"
            ) from error

    @property
    def client(self) -> Any:
        """Return the client of `distributed`."""
        return self._client

    @property
    def width(self) -> int:
        """Return the threads of all workers, at least one."""
        return max(1, sum(int(threads) for threads in self._client.nthreads().values()))

    def submit(self, function: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> Future[ResultT]:
        """Hand it to the cluster, which starts it again elsewhere if its worker dies."""
        remote = self._client.submit(function, argument, pure=False, retries=_ATTEMPTS)
        future: Future[ResultT] = Future()
        remote.add_done_callback(lambda done: _hand_over(done, future))
        return future

    def renew(self) -> None:
        """Do nothing: the cluster replaces its own workers."""

    def close(self) -> None:
        """Leave the cluster, and stop it where it is ours."""
        with contextlib.suppress(OSError, TimeoutError):
            self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _hand_over(remote: Any, future: Future[ResultT]) -> None:
    error = remote.exception()
    if error is not None:
        future.set_exception(error if isinstance(error, Exception) else RuntimeError(str(error)))
    else:
        future.set_result(remote.result())


def _slurm_cluster(settings: Mapping[str, str]) -> Any:
    try:
        from dask_jobqueue import SLURMCluster  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("dask-jobqueue is not installed", where="--slurm", cure=_INSTALL) from error
    numbers = {"cores", "processes"}
    wanted = dict(settings)
    jobs = wanted.pop("jobs", "1")
    values: dict[str, Any] = {"cores": 1, "memory": "4GB"}
    try:
        values |= {key: int(value) if key in numbers else value for key, value in wanted.items()}
        cluster = SLURMCluster(**values)
        cluster.scale(jobs=int(jobs))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"dask-jobqueue does not take this: {error}", where="--slurm", cure="See its documentation"
        ) from error
    return cluster


def cpus() -> int:
    """Return the processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def run_all(
    engine: Engine, function: Callable[[ArgumentT], ResultT], arguments: Iterable[ArgumentT]
) -> Iterator[tuple[ArgumentT, ResultT | Exception]]:
    """Yield each argument with its result, or with what the work raised, as they get done.

    Only a few pieces are under way at a time, so neither arguments nor results pile up. When a process dies,
    all that was under way is done again, one piece at a time, so that the one that kills its
    worker is found; after three deaths it comes back with `WorkerDiedError`.
    """
    waiting = iter(arguments)
    running: dict[Future[ResultT], ArgumentT] = {}
    suspects: list[ArgumentT] = []
    finished = False
    while running or suspects or not finished:
        while not finished and len(running) < 2 * engine.width:
            argument = next(waiting, None)
            if argument is None:
                finished = True
                break
            running[engine.submit(function, argument)] = argument
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            argument = running.pop(future)
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                suspects.append(argument)
            elif error is not None:
                yield argument, error if isinstance(error, Exception) else WorkerDiedError(str(error))
            else:
                yield argument, future.result()
        if suspects:
            suspects += running.values()
            running.clear()
            engine.renew()
            yield from _one_by_one(engine, function, suspects)
            suspects.clear()


def _one_by_one(
    engine: Engine, function: Callable[[ArgumentT], ResultT], arguments: Iterable[ArgumentT]
) -> Iterator[tuple[ArgumentT, ResultT | Exception]]:
    for argument in arguments:
        outcome: ResultT | Exception = WorkerDiedError("the worker died")
        for _ in range(_ATTEMPTS):
            try:
                outcome = engine.submit(function, argument).result()
                break
            except BrokenProcessPool:
                engine.renew()
            except Exception as error:  # noqa: BLE001 - handed on as the result of this piece
                outcome = error
                break
        yield argument, outcome
