"""Workers of a Dask cluster: one of our own on this host, or one at an address."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pkgutil
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from pgx.errors import InputError, UsageError
from pgx.executors.engine import ATTEMPTS, ArgumentT, ResultT, WorkerDiedError, cpus

_INSTALL = "Install it beside pgx: pip install dask distributed"
#: Errors alone are no news: each comes back as the outcome of a piece of work.
_SILENT = 50
#: A worker that died is started again; where that takes longer than this, Dask would give it up for good.
_KEEP_WORKERS = {"distributed.deploy.lost-worker-timeout": "1000 days"}
_CLOSE_WITHIN = 30.0  # seconds
_FIRST_NOTICE, _LAST_NOTICE = 5.0, 600.0  # seconds between notices that no worker is there


class _NotOfCancelled(logging.Filter):
    """Leaves out that nobody asked what became of a piece that was cancelled: that is its meaning."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is news."""
        from distributed.client import FutureCancelledError  # noqa: PLC0415

        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, FutureCancelledError | asyncio.CancelledError)


class Dask:
    """Workers of a Dask cluster: one of our own on this host, or one at an address."""

    _closing = False

    def __init__(self, *, jobs: int | None = None, scheduler: str | None = None) -> None:
        try:
            from dask import config  # noqa: PLC0415
            from distributed import Client, LocalCluster  # noqa: PLC0415
        except ImportError as error:
            raise UsageError("Dask is not installed", where="--engine dask", cure=_INSTALL) from error
        self._cluster: Any = None
        self._client: Any = None
        self._settings = contextlib.ExitStack()
        if scheduler is None:
            self._settings.enter_context(config.set(_KEEP_WORKERS))
            self._cluster = LocalCluster(
                n_workers=jobs or cpus(),
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",  # with None it would want port 8787, page or not
                silence_logs=_SILENT,
                scheduler_kwargs={"dashboard": False, "allowed_failures": ATTEMPTS - 1},
            )
        self._where = scheduler or "the Dask cluster"
        logger = logging.getLogger("asyncio")
        if not any(isinstance(known, _NotOfCancelled) for known in logger.filters):
            logger.addFilter(_NotOfCancelled())
        self._pause = _FIRST_NOTICE
        self._next_notice = time.monotonic() + self._pause
        self._probes: dict[str, Any] = {}
        self._proven: set[str] = set()
        try:
            self._client = Client(scheduler or self._cluster, timeout="30s", set_as_default=False)
        except (OSError, ValueError) as error:
            raise UsageError(
                "no Dask scheduler answers", where=self._where, cure="Check the address"
            ) from error

    @property
    def width(self) -> int:
        """Return the threads of all workers, at least one."""
        return max(1, self._threads())

    def _threads(self) -> int:
        with contextlib.suppress(OSError, ValueError):  # while the scheduler is out of reach
            return sum(int(threads) for threads in self._client.nthreads().values())
        return 0

    def submit(self, function: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> Future[ResultT]:
        """Hand it to the cluster, which starts it again elsewhere if its worker dies."""
        future: Future[ResultT] = Future()
        module = function.__module__
        if module in self._proven:
            self._send(function, argument, future)
            return future
        try:
            probe = self._probe(module)
        except Exception as error:  # noqa: BLE001 - of many kinds where the client has been closed
            future.set_exception(self._lost(error))
        else:
            probe.add_done_callback(lambda done: self._send_if_proven(done, function, argument, future))
        return future

    def _probe(self, module: str) -> Any:
        """Return the import of `module` by some worker.

        A worker that is sent what it cannot import closes, and takes its job along. So only what a worker
        was seen to import is sent.
        """
        probe = self._probes.get(module)  # once: another thread removes it
        if probe is None:
            name = f"{module}:__name__"
            probe = self._probes[module] = self._client.submit(pkgutil.resolve_name, name, pure=False)
        return probe

    def _send_if_proven(
        self,
        probe: Any,
        function: Callable[[ArgumentT], ResultT],
        argument: ArgumentT,
        future: Future[ResultT],
    ) -> None:
        from distributed import KilledWorker  # noqa: PLC0415

        try:
            self._proven.add(self._result_of(probe))
        except ImportError as error:
            future.set_exception(self._without_program(error))
        except KilledWorker as error:
            future.set_exception(WorkerDiedError(str(error)))
        except BaseException as error:  # noqa: BLE001 - a future that never ends would be worse
            future.set_exception(self._lost(error))
        else:
            self._send(function, argument, future)
        self._probes.pop(function.__module__, None)  # kept, it would be done again when its worker dies

    def _send(
        self, function: Callable[[ArgumentT], ResultT], argument: ArgumentT, future: Future[ResultT]
    ) -> None:
        try:
            remote = self._client.submit(function, argument, pure=False)
        except Exception as error:  # noqa: BLE001 - as above
            future.set_exception(self._lost(error))
        else:
            remote.add_done_callback(lambda done: self._hand_over(done, future))

    def _hand_over(self, remote: Any, future: Future[ResultT]) -> None:
        from distributed import KilledWorker  # noqa: PLC0415

        try:
            future.set_result(self._result_of(remote))
        except KilledWorker as error:
            future.set_exception(WorkerDiedError(str(error)))
        except BaseException as error:  # noqa: BLE001 - as above
            future.set_exception(self._lost(error) if remote.cancelled() else error)

    def _result_of(self, remote: Any) -> Any:
        """Return the result of a piece, unless nobody wants it any more.

        It lies on a worker. Where that is gone for good, Dask would wait for it, and Python for this thread.
        """
        patience = 2.0
        while not self._closing:
            try:
                return remote.result(timeout=patience)
            except TimeoutError:
                if remote.status == "error":  # it is what the work raised
                    raise
                patience *= 2
        raise asyncio.CancelledError

    def _without_program(self, error: ImportError) -> InputError:
        return InputError(
            f"a worker cannot run this program: {error}",
            where=self._where,
            cure="Install the same version of pgx for the Python of the workers",
        )

    def _lost(self, error: BaseException) -> InputError:
        return InputError(
            f"the Dask scheduler is lost ({type(error).__name__})",
            where=self._where,
            cure="What was done is kept; give the same command again",
        )

    def attend(self) -> str:
        """Return a notice while no worker is there, less and less often; else ""."""
        now = time.monotonic()
        if now < self._next_notice:
            return ""
        self._pause = min(2 * self._pause, _LAST_NOTICE)
        self._next_notice = now + self._pause
        if self._threads():
            return ""
        return f"{self._where}: there is no worker; the work waits for one"

    def renew(self) -> None:
        """Do nothing: the cluster replaces its own workers."""

    def close(self) -> None:
        """Leave the cluster, and stop it where it is ours."""
        self._closing = True
        # Whoever asks for a result at this very moment asks a loop that stops: no news either.
        warnings.filterwarnings("ignore", message="coroutine 'Future._result' was never awaited")
        for one in (self._client, self._cluster):
            if one is not None:
                with contextlib.suppress(OSError, TimeoutError):
                    one.close(timeout=_CLOSE_WITHIN)
        self._settings.close()
