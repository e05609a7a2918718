"""The commands of pgx, and how the process ends; all that is heavy is imported inside the commands."""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from pgx import __version__
from pgx.cli.options import GIVEN, Command, command
from pgx.errors import InputError, OutputError, PgxError, UsageError, did_you_mean
from pgx.files import discard, forget_standard_output

#: The commands in the order of the help, and the module of each: building one takes time, so that only the
#: one that is asked for is built.
_COMMANDS = {
    "annotate": "pgx.cli.annotate", "cohort": "pgx.cli.cohort", "merge": "pgx.cli.cohort",
    "recheck": "pgx.cli.cohort", "report": "pgx.cli.annotate", "inspect": "pgx.cli.annotate",
    "verify": "pgx.cli.annotate", "evidence": "pgx.cli.evidence", "list": "pgx.cli.options",
    "serve": "pgx.cli.annotate",
}  # fmt: skip
#: Faults of a stream; an `OSError` without a file name and with another number is a bug.
_OF_A_STREAM = frozenset({errno.ENOSPC, errno.EBADF, errno.EIO, errno.EFBIG, errno.EDQUOT})
#: Seconds in which the main thread must notice a signal, and end, before the process ends without it.
_TO_NOTICE, _TO_END = 2.0, 45.0


class EndedError(KeyboardInterrupt):
    """A signal that ends the process: like Ctrl-C, with another exit code."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader has what it wanted
        forget_standard_output()
        raise typer.Exit(0) from None
    except KeyboardInterrupt as error:
        raise typer.Exit(getattr(error, "exit_code", 128 + signal.SIGINT)) from None
    except PgxError as error:
        _tell(error)
    except OSError as error:
        if error.filename is not None:
            where, cure = os.fsdecode(error.filename), "Check the path and its permissions"
            _tell(InputError(f"cannot be used ({error.strerror})", where=where, cure=cure))
        if error.errno not in _OF_A_STREAM:
            raise
        forget_standard_output()
        said = f"cannot be written ({error.strerror})"
        _tell(OutputError(said, where="the output", cure="Check its space, or give -o"))


def _tell(error: PgxError) -> None:
    with contextlib.suppress(OSError):
        typer.echo(f"error: {error}", err=True)
    raise typer.Exit(error.exit_code) from None


class _Group(TyperGroup):
    """Commands whose errors are one line on stderr and the exit code of the error."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Read the options; --help and --version print here."""
        given = tuple(extra["args"] if "args" in extra else args[1])  # before they are used up
        with _in_one_line():
            context = super().make_context(*args, **extra)
            context.meta[GIVEN] = given
            return context

    def invoke(self, ctx: Any) -> Any:
        """Run a command; see `pgx list exit-codes`."""
        with _in_one_line():
            try:
                return super().invoke(ctx)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()  # here, where a fault still has a line and an exit code

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; a file in its place is one that somebody wants annotated."""
        name = args[0] if args else ""
        if name and name not in self.commands and not name.startswith("-"):
            hint = did_you_mean(name, self.commands)
            if os.path.exists(name) or "." in name or "/" in name:  # noqa: PTH110 - no name is too long for it
                hint = f"Did you mean pgx annotate {name}?"
            raise UsageError("there is no such command", where=name, cure=hint or "See pgx --help")
        return super().resolve_command(ctx, args)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pgx {__version__}")
        raise typer.Exit


_VERSION = typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")


def _options(version: Annotated[bool, _VERSION] = False) -> None:
    pass


def build(commands: Iterable[str] = _COMMANDS) -> typer.Typer:
    """Return the command line with these commands."""
    line = typer.Typer(
        cls=_Group,
        name="pgx",
        help="APOE diplotype and ε4 status from a VCF, with the published evidence on Cerebrolysin.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,  # a traceback must not show a genotype
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    line.callback()(_options)
    for name in commands:
        module = importlib.import_module(_COMMANDS[name])
        if name == "evidence":
            line.add_typer(module.app, name=name)
        else:
            function = getattr(module, f"{name}_", None) or getattr(module, name)
            line.command(name, cls=Command)(command(name, function))
    return line


def __getattr__(name: str) -> Any:
    """Return `app`, the whole command line, built when it is first asked for."""
    if name != "app":
        raise AttributeError(name)
    return globals().setdefault("app", build())


def main() -> None:
    """Run the command line as a process."""
    wanted = sys.argv[1:2]
    try:
        for number in range(3):  # a standard stream that is closed keeps its number, which no file gets
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDONLY if number < 2 else os.O_WRONLY)
        sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the process
        sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        _end_on_signals()
        line = build(wanted if set(wanted) & set(_COMMANDS) else _COMMANDS)
        gc.freeze()  # what was imported is no garbage; from here on it is looked for, seldom
        gc.set_threshold(50_000)  # new objects: more than one sample makes
        gc.enable()
        if wanted == ["cohort"]:
            from pgx.executors import keep_freed_memory

            keep_freed_memory()
        line()
    except KeyboardInterrupt as error:  # while it was being built
        sys.exit(getattr(error, "exit_code", 128 + signal.SIGINT))
    except SystemExit as end:
        if _is_alone() and isinstance(end.code, int | None):
            _leave(end.code or 0)
        raise


def _is_alone() -> bool:
    if "distributed" in sys.modules:
        return False
    pools = sys.modules.get("multiprocessing")
    others = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    return all(thread.daemon for thread in others) and not (pools and pools.active_children())


def _leave(code: int) -> NoReturn:  # the memory is not taken apart: that takes longer than one sample does
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # Python itself would end with 120
            code = code or 120
    os._exit(code)


def _end_on_signals() -> None:
    # Let SIGTERM and SIGHUP end the process as Ctrl-C does: what is half written is removed. A handler of
    # Python waits while a library reads, and may leave a lock that another thread waits for. So a thread
    # hears the signals, too, and ends the process where the main one does not.
    noticed = threading.Event()

    def handle(number: int, _: object) -> None:
        noticed.set()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise EndedError(number)

    known = (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP", "SIGINT"))
    heard = [number for number in known if number and signal.getsignal(number) != signal.SIG_IGN]
    for number in heard:  # what nohup or a shell in the background has had ignored stays ignored
        signal.signal(number, handle)
    receiving, sending = os.pipe()
    os.set_blocking(sending, False)
    signal.set_wakeup_fd(sending, warn_on_full_buffer=False)

    def watch() -> None:
        number = -1
        while number not in heard:
            (number,) = os.read(receiving, 1)
        if noticed.wait(_TO_NOTICE):
            time.sleep(_TO_END)
        discard()
        os._exit(128 + number)

    threading.Thread(target=watch, name="signals", daemon=True).start()
