"""The settings of `--slurm`: which there are, what each may be, and what dask-jobqueue is given."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from pgx.errors import UsageError
from pgx.executors.dask_engine import INSTALL

_NUMBERS = {"jobs", "cores", "processes", "job_cpu", "death_timeout"}
_TEXTS = {
    "queue", "account", "memory", "walltime", "interface", "python", "job_name", "job_mem", "shebang",
    "local_directory", "log_directory",
}  # fmt: skip
#: Their items are separated by semicolons: a comma ends a setting.
_LISTS = {"job_extra_directives", "job_script_prologue", "worker_extra_args", "job_directives_skip"}
#: The earlier names of dask-jobqueue, which warns of them.
_RENAMED = {
    "project": "account",
    "env_extra": "job_script_prologue",
    "extra": "worker_extra_args",
    "job_extra": "job_extra_directives",
    "header_skip": "job_directives_skip",
}
_COMMANDS = ("sbatch", "squeue", "scancel")
_LEAST_MEMORY = 100_000_000  # bytes: Python, Dask and a small file
#: A folder of the job's own, removed at its end, for what a worker writes beside its results.
_SCRATCH = (
    'PGX_SCRATCH="$(mktemp -d 2>/dev/null || mktemp -d -p /tmp)"',
    "trap 'rm -rf \"$PGX_SCRATCH\"' EXIT",
)


class SlurmSettings(Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes
    ----------
    jobs
        How many jobs.
    processes
        Worker processes of each, with one piece of work at a time.
    keywords
        The keywords of `dask_jobqueue.slurm.SLURMJob`.
    own_logs
        No folder for logs is given, here or in the user's Dask configuration.
    """

    jobs: int
    processes: int
    keywords: dict[str, Any]
    own_logs: bool


def read_settings(settings: Mapping[str, str]) -> SlurmSettings:
    """Return what the texts of `--slurm` say; nothing is started or written.

    Raises
    ------
    UsageError
        SLURM or dask-jobqueue is not there, or does not know a setting or its value.
    """
    _check_installed()
    given: dict[str, Any] = {}
    for key, text in settings.items():
        name = _RENAMED.get(key, key)
        given[name] = _value(name, text)
    jobs = given.pop("jobs", 1)
    own_logs = configured("log-directory", given.get("log_directory")) is None
    keywords = given | {
        "cores": configured("cores", given.get("cores")) or 1,
        "memory": configured("memory", given.get("memory")) or "4GB",
    }
    # Python uses one core, and threads of one process may not read side by side.
    processes = configured("processes", given.get("processes")) or keywords["cores"]
    keywords |= {"processes": processes} | _surroundings(given)
    _check(keywords)
    return SlurmSettings(jobs=jobs, processes=processes, keywords=keywords, own_logs=own_logs)


def _check_installed() -> None:
    missing = [name for name in _COMMANDS if shutil.which(name) is None]
    if missing:
        raise UsageError(
            f"SLURM is not on this machine: {', '.join(missing)} not found in PATH",
            where="--slurm",
            cure="Run on a machine from which jobs are submitted, or leave --slurm out",
        )
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue  # noqa: F401, PLC0415
    except ImportError as error:
        raise UsageError("dask-jobqueue is not installed", where="--slurm", cure=INSTALL) from error
    if signal.getsignal(signal.SIGINT) is not interrupt:  # its import makes Ctrl-C a quiet success
        signal.signal(signal.SIGINT, interrupt)


def _value(name: str, text: str) -> Any:
    if name in _LISTS:
        return [item.strip() for item in text.split(";") if item.strip()]
    if name in _NUMBERS:
        if not (text.isdecimal() and int(text) > 0):
            raise _wrong(f"{name}={text}", "is not a whole number of 1 or more", f"E.g. {name}=4")
        return int(text)
    if name in _TEXTS and text:
        return text
    if name in _TEXTS:
        raise _wrong(f"{name}=", "has no value", "Give one, or leave it out")
    known = ", ".join(sorted(_NUMBERS | _TEXTS | _LISTS))
    raise _wrong(name, "there is no such setting", f"There are: {known}")


def _wrong(what: str, why: str, cure: str) -> UsageError:
    return UsageError(why, where=f"--slurm {what}", cure=cure)


def configured(name: str, given: Any = None) -> Any:
    """Return what is given, or what the user's Dask configuration says of it (section jobqueue.slurm)."""
    import dask  # noqa: PLC0415
    import dask_jobqueue  # noqa: F401, PLC0415 - brings its own configuration

    return dask.config.get(f"jobqueue.slurm.{name}", None) if given is None else given


def _surroundings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes a worker find this program, and leave nothing behind."""
    before: list[str] = []
    found: dict[str, Any] = {"job_name": given.get("job_name", "pgx")}
    if configured("python", given.get("python")) is None:
        found["python"] = shlex.quote(sys.executable)
        before += _path_of_the_source()
    if configured("local-directory", given.get("local_directory")) is None:
        found["local_directory"] = '"$PGX_SCRATCH"'
        before += _SCRATCH
    prologue = configured("job-script-prologue", given.get("job_script_prologue")) or []
    arguments = configured("worker-extra-args", given.get("worker_extra_args")) or []
    return found | {
        "job_script_prologue": [*before, *prologue],
        "worker_extra_args": ["--no-dashboard", *arguments, "--nthreads", "1"],
    }


def _path_of_the_source() -> list[str]:
    """Return the line that puts a source tree on the path; what is installed is found without."""
    root = Path(__file__).resolve().parents[2]
    if root.name in {"site-packages", "dist-packages"}:
        return []
    return [f'export PYTHONPATH={shlex.quote(str(root))}"${{PYTHONPATH:+:$PYTHONPATH}}"']


def _check(keywords: Mapping[str, Any]) -> None:
    from dask.utils import parse_bytes  # noqa: PLC0415
    from dask_jobqueue.slurm import SLURMJob  # noqa: PLC0415

    cores, processes, memory = keywords["cores"], keywords["processes"], str(keywords["memory"])
    if processes > cores:
        raise _wrong(
            f"processes={processes}", f"is more than cores={cores}", "Give each process a core at least"
        )
    _refusing(parse_bytes, memory, what=f"memory={memory}", cure="E.g. memory=8GB")
    if parse_bytes(memory) < _LEAST_MEMORY * processes:
        raise _wrong(f"memory={memory}", "is too little for the workers of a job", "E.g. memory=8GB")
    _check_interface(keywords.get("interface"))
    trial = {key: value for key, value in keywords.items() if key != "log_directory"}  # it makes the folder
    _refusing(lambda: SLURMJob("tcp://", name="trial", **trial).job_script())


def _check_interface(interface: str | None) -> None:
    from distributed.utils import get_ip_interface  # noqa: PLC0415

    elsewhere = {"host", "interface"} & set(configured("scheduler-options") or {})
    if interface is not None and not elsewhere:
        _refusing(get_ip_interface, interface, what=f"interface={interface}", cure="ip address lists them")


def _refusing(
    call: Callable[..., object], *arguments: object, what: str = "", cure: str = "See its documentation"
) -> None:
    try:
        call(*arguments)
    except (TypeError, ValueError) as error:
        raise _wrong(what, f"Dask does not take this: {error}", cure) from error
