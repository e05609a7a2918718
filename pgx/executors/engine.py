"""What an engine is, and how many pieces of work are given to one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol, TypeVar

from pgx.errors import PgxError

ArgumentT = TypeVar("ArgumentT")
ResultT = TypeVar("ResultT")
#: How often a piece of work is given to a worker before its death is put down to the piece.
ATTEMPTS = 3
_ATTEND_EVERY = 1.0  # seconds


class WorkerDiedError(Exception):
    """A worker died over one piece of work, each time it was tried."""


class Engine(Protocol):
    """Something that does work."""

    @property
    def width(self) -> int:
        """Return how many pieces of work are done at the same time, once all workers are there."""

    def submit(self, function: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> Future[ResultT]:
        """Start `function(argument)`.

        The future raises `WorkerDiedError` where workers died while they held this piece, `BrokenProcessPool`
        where all that was under way is lost, and `PgxError` where going on is no use.
        """

    def attend(self) -> str:
        """Look after the workers; return a line on what is awaited, or "". Called about every second.

        Raises
        ------
        PgxError
            No worker is left, and none will come.
        """

    def renew(self) -> None:
        """Replace what has died, so that work can be submitted again."""

    def close(self) -> None:
        """Stop the workers."""


def _say_nothing(_: str) -> None:
    """Take a line that nobody wants to read."""


def run_all(
    engine: Engine,
    function: Callable[[ArgumentT], ResultT],
    arguments: Iterable[ArgumentT],
    *,
    tell: Callable[[str], None] = _say_nothing,
) -> Iterator[tuple[ArgumentT, ResultT | Exception]]:
    """Yield each argument with its result, or with what the work raised, as they get done.

    Only a few pieces are under way at a time, so neither arguments nor results pile up. A worker that dies
    may hold several pieces, and one of them killed it: they are done again one at a time, nothing beside
    them, and the one over which workers still die comes back with `WorkerDiedError`. `tell` gets a line now
    and then while workers are awaited.

    Raises
    ------
    PgxError
        The engine cannot go on.
    """
    waiting = iter(arguments)
    running: dict[Future[ResultT], ArgumentT] = {}
    suspects: list[ArgumentT] = []
    finished = False
    while running or not finished:
        while not finished and len(running) < 2 * engine.width:
            try:
                argument = next(waiting)
            except StopIteration:
                finished = True
                break
            running[engine.submit(function, argument)] = argument
        done, _ = wait(running, timeout=_ATTEND_EVERY, return_when=FIRST_COMPLETED)
        _attend(engine, tell)
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
    tell: Callable[[str], None] = _say_nothing,
) -> ResultT | Exception:
    """Do one piece of work while no other is under way; return its result or what it raised.

    Raises
    ------
    PgxError
        The engine cannot go on.
    """
    for _ in range(ATTEMPTS):
        future = engine.submit(function, argument)
        while not wait([future], timeout=_ATTEND_EVERY).done:
            _attend(engine, tell)
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


def _attend(engine: Engine, tell: Callable[[str], None]) -> None:
    line = engine.attend()
    if line:
        tell(line)
