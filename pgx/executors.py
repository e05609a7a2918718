"""Where work is done: in processes of this host, or on a Dask cluster. Knows nothing of genetics."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import pkgutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Any, Protocol, TypeVar

from pgx.errors import InputError, PgxError, UsageError

ArgumentT = TypeVar("ArgumentT")
ResultT = TypeVar("ResultT")
#: How often a piece of work is given to a worker before its death is put down to the piece.
ATTEMPTS = 3
_ATTEND_EVERY = 1.0  # seconds
#: What ends a process beside Ctrl-C.
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class WorkerDiedError(Exception):
    """A worker died over one piece of work, each time it was tried."""


class Engine(Protocol):
    """Something that does work."""

    @property
    def width(self) -> int:
        """Return how many pieces of work are done at the same time, once all workers are there."""

    def submit(self, function: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> Future[ResultT]:
        """Start `function(argument)`; both must be picklable, and found by import.

        The future raises `WorkerDiedError` where workers died while they held this piece, `BrokenProcessPool`
        where all that was under way is lost, and `PgxError` where going on is no use.
        """

    def attend(self) -> str:
        """Look after the workers, about every second; return what is awaited; `PgxError` if none is left."""

    def renew(self) -> None:
        """Replace what has died, so that work can be submitted again."""

    def close(self) -> None:
        """Stop the workers."""


def run_all(
    engine: Engine,
    function: Callable[[ArgumentT], ResultT],
    arguments: Iterable[ArgumentT],
    *,
    tell: Callable[[str], None] = lambda _: None,
    meanwhile: Callable[[], None] | None = None,
) -> Iterator[tuple[ArgumentT, ResultT | Exception]]:
    """Yield each argument with its result, or with what the work raised, as they get done.

    Only a few pieces are under way at a time, so neither arguments nor results pile up. A worker that dies
    may hold several pieces, and one of them killed it: they are done again one at a time, nothing beside
    them, and the one over which workers still die comes back with `WorkerDiedError`. `tell` gets a line now
    and then while workers are awaited. `meanwhile` is done once, while the first pieces are under way.
    `PgxError` is raised where the engine cannot go on.
    """
    waiting = iter(arguments)
    running: dict[Future[ResultT], ArgumentT] = {}
    suspects: list[ArgumentT] = []
    while True:
        while len(running) < 2 * engine.width and (more := next(waiting, None)) is not None:
            running[engine.submit(function, more)] = more
        if not running:
            return
        if meanwhile is not None:
            meanwhile()
            meanwhile = None
        done, _ = wait(running, timeout=_ATTEND_EVERY, return_when=FIRST_COMPLETED)
        if line := engine.attend():
            tell(line)
        broken = False
        for future in done:
            argument = running.pop(future)
            outcome = _outcome(future)
            broken = broken or isinstance(outcome, BrokenProcessPool)
            if isinstance(outcome, BrokenProcessPool | WorkerDiedError):
                suspects.append(argument)
            else:
                yield argument, outcome
        if broken:
            suspects += running.values()
            running.clear()
            engine.renew()
        if suspects and not running:  # nothing beside them, so that no innocent dies with a culprit
            for argument in suspects:
                yield argument, run_alone(engine, function, argument, tell=tell)
            suspects.clear()


def run_alone(
    engine: Engine,
    function: Callable[[ArgumentT], ResultT],
    argument: ArgumentT,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> ResultT | Exception:
    """Do one piece of work while no other is under way; return its result or what it raised, as `run_all`."""
    for _ in range(ATTEMPTS):
        future = engine.submit(function, argument)
        while not wait([future], timeout=_ATTEND_EVERY).done:
            if line := engine.attend():
                tell(line)
        outcome = _outcome(future)
        if not isinstance(outcome, BrokenProcessPool):
            return outcome
        engine.renew()
    return WorkerDiedError("the worker died")


def _outcome(future: Future[ResultT]) -> ResultT | Exception:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, PgxError):
        raise error
    return error if isinstance(error, Exception) else WorkerDiedError(str(error))


def keep_freed_memory() -> None:
    """Let glibc keep what is freed for what comes next, for good: by default each new page costs a fault.

    Only for a process that does nothing else: in a notebook the memory would stay taken.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        allocator = ctypes.CDLL(None)
        # when memory is trimmed, what goes past the heap, and how many heaps there are
        for option, value in {-1: (1 << 31) - 1, -3: 1 << 25, -8: 1}.items():
            allocator.mallopt(option, value)


def can_fork() -> bool:
    """Return whether a process may go on as two; on macOS libraries of the system do not bear it."""
    return hasattr(os, "fork") and sys.platform != "darwin"


class Processes:
    """Processes of this host: forks of this one, which have all it has imported, or started afresh (spawn).

    `fork` only where this process has no threads that hold locks and no connections: a fork inherits both.
    """

    def __init__(self, jobs: int, *, fork: bool = False) -> None:
        self.width = jobs
        self._method = "fork" if fork and can_fork() else "spawn"
        self._pool: Executor = self._start()

    def _start(self) -> Executor:
        return ProcessPoolExecutor(self.width, mp_context=get_context(self._method), initializer=_begin)

    def submit(self, function: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> Future[ResultT]:
        """Hand it to a process."""
        fresh = self._method == "spawn"
        with signals_held_back(deaf=fresh), warnings.catch_warnings():  # submitting starts the processes
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: these only compute
            return self._pool.submit(function, argument)

    def attend(self) -> str:
        """Return "": processes start at once, and the pool tells of their death."""
        return ""

    def renew(self) -> None:
        """Start new processes: after one has died, the pool takes nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._start()

    def close(self) -> None:
        """Stop the processes, and with them work that nobody awaits: it may stand still for long."""
        for worker in [*(getattr(self._pool, "_processes", None) or {}).values()]:
            worker.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Begin a process of a pool: Ctrl-C is for the main process, which hears it and stops the others."""
    # It ends when that one does, also where that one is killed: it would wait for its next piece for ever.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in _ENDING:  # of a fork: those of the main process
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)  # of a fork: it would tell the main process of what this one is sent
    if (parent := parent_process()) is not None:  # started by multiprocessing

        def end_with_parent() -> None:
            parent.join()
            os._exit(1)  # at once, in the middle of a piece: nobody will take the result

        threading.Thread(target=end_with_parent, name="end-with-parent", daemon=True).start()


@contextlib.contextmanager
def signals_held_back(*, deaf: bool) -> Iterator[None]:
    """Let signals that end this process wait here, where it starts others: they are handled at the end.

    Raised in the middle they would leave a process that nobody knows, and that this one awaits when it ends.
    `deaf` ignores Ctrl-C, so that what is started afresh does from its first moment on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *_ENDING)}
    for number, handler in before.items():
        if deaf and number == signal.SIGINT:
            signal.signal(number, signal.SIG_IGN)
        elif callable(handler):
            signal.signal(number, lambda number, _: held.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for number in held:
            signal.raise_signal(number)


def cpus() -> int:
    """Return the processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


#: A worker that died is started again; where that takes longer than this, Dask would give it up for good.
_KEEP_WORKERS = {"distributed.deploy.lost-worker-timeout": "1000 days"}
_FIRST_NOTICE, _LAST_NOTICE = 5.0, 600.0  # seconds between notices that no worker is there


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether a record says more than that nobody asked for a piece that was cancelled."""
    from asyncio import CancelledError as Cancelled  # noqa: PLC0415 - takes long, and few runs need it

    from distributed.client import FutureCancelledError  # noqa: PLC0415

    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, FutureCancelledError | Cancelled)


class Dask:
    """Workers of a Dask cluster: one of our own on this host, or one at an address."""

    _closing = False

    def __init__(self, *, jobs: int | None = None, scheduler: str | None = None) -> None:
        try:
            from dask import config  # noqa: PLC0415
            from distributed import Client, KilledWorker, LocalCluster  # noqa: PLC0415
        except ImportError as error:
            cure = "Install it beside pgx: pip install dask distributed"
            raise UsageError("Dask is not installed", where="--engine dask", cure=cure) from error
        self._killed = KilledWorker
        self._cluster: Any = None
        self._client: Any = None
        self._settings = contextlib.ExitStack()
        if scheduler is None:
            self._settings.enter_context(config.set(_KEEP_WORKERS))
            try:
                with signals_held_back(deaf=False):  # half started it can only be closed with a traceback
                    self._cluster = LocalCluster(
                        n_workers=jobs or cpus(),
                        threads_per_worker=1,
                        dashboard_address="127.0.0.1:0",  # with None it would want port 8787, page or not
                        silence_logs=50,  # each error comes back as the outcome of a piece of work
                        scheduler_kwargs={"dashboard": False, "allowed_failures": ATTEMPTS - 1},
                    )
            except KeyboardInterrupt:
                self.close()
                raise
        self._where = scheduler or "the Dask cluster"
        logging.getLogger("asyncio").addFilter(_is_news)
        self._pause = _FIRST_NOTICE
        self._next_notice = time.monotonic() + self._pause
        self._probes: dict[str, Any] = {}
        self._proven: set[str] = set()
        try:
            self._client = Client(scheduler or self._cluster, timeout="30s", set_as_default=False)
        except (OSError, ValueError) as error:
            what = "no Dask scheduler answers"
            raise UsageError(what, where=self._where, cure="Check the address") from error

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
        # A worker that is sent what it cannot import closes, and takes its job along. So only what a worker
        # was seen to import is sent.
        probe = self._probes.get(module)  # once: another thread removes it
        try:
            if probe is None:
                name = f"{module}:__name__"
                probe = self._probes[module] = self._client.submit(pkgutil.resolve_name, name, pure=False)
        except Exception as error:  # noqa: BLE001 - of many kinds where the client has been closed
            future.set_exception(self._lost(error))
        else:
            probe.add_done_callback(lambda done: self._send_if_proven(done, function, argument, future))
        return future

    def _send_if_proven(
        self, probe: Any, function: Callable[[Any], ResultT], argument: Any, future: Future[ResultT]
    ) -> None:
        try:
            self._proven.add(self._result_of(probe))
        except ImportError as error:
            what = f"a worker cannot run this program: {error}"
            cure = "Install the same version of pgx for the Python of the workers"
            future.set_exception(InputError(what, where=self._where, cure=cure))
        except self._killed as error:
            future.set_exception(WorkerDiedError(str(error)))
        except BaseException as error:  # noqa: BLE001 - a future that never ends would be worse
            future.set_exception(self._lost(error))
        else:
            self._send(function, argument, future)
        self._probes.pop(function.__module__, None)  # kept, it would be done again when its worker dies

    def _send(self, function: Callable[[Any], ResultT], argument: Any, future: Future[ResultT]) -> None:
        try:
            remote = self._client.submit(function, argument, pure=False)
        except Exception as error:  # noqa: BLE001 - as above
            future.set_exception(self._lost(error))
        else:
            remote.add_done_callback(lambda done: self._hand_over(done, future))

    def _hand_over(self, remote: Any, future: Future[ResultT]) -> None:
        try:
            future.set_result(self._result_of(remote))
        except self._killed as error:
            future.set_exception(WorkerDiedError(str(error)))
        except BaseException as error:  # noqa: BLE001 - as above
            future.set_exception(self._lost(error) if remote.cancelled() else error)

    def _result_of(self, remote: Any) -> Any:
        """Return the result of a piece, unless nobody wants it any more."""
        # it lies on a worker: where that is gone for good, Dask would wait for it, and Python for this thread
        patience = 2.0
        while not self._closing:
            try:
                return remote.result(timeout=patience)
            except TimeoutError:
                if remote.status == "error":  # it is what the work raised
                    raise
                patience *= 2
        from asyncio import CancelledError as Cancelled  # noqa: PLC0415 - not that of concurrent.futures

        raise Cancelled

    def _lost(self, error: BaseException) -> InputError:
        what = f"the Dask scheduler is lost ({type(error).__name__})"
        return InputError(what, where=self._where, cure="What was done is kept; give the same command again")

    def attend(self) -> str:
        """Return a notice while no worker is there, less and less often; else ""."""
        now = time.monotonic()
        if now < self._next_notice:
            return ""
        self._pause = min(2 * self._pause, _LAST_NOTICE)
        self._next_notice = now + self._pause
        return "" if self._threads() else f"{self._where}: there is no worker; the work waits for one"

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
                    one.close(timeout=30.0)
        self._settings.close()
