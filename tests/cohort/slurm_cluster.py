"""A SLURM of one node, on the loopback address only, in a private folder; gone when its tests are done."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DAEMONS = ("munged", "slurmctld", "slurmd")
NEEDED = (*DAEMONS, "sbatch", "squeue", "scancel", "scontrol", "sinfo")
#: More processors and memory than a small machine has: what is tested is who gets work, not how fast.
CONFIGURATION = """\
ClusterName=pgxtest
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1
KillWait=3
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=down Nodes={host} MaxTime=INFINITE State=DOWN
"""


def wait_for(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait until `condition` holds, and fail when it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.05)


class SlurmCluster:
    """Commands of the running SLURM. `environment` has what they, and pgx, need to find it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}

    def ask(self, *command: str) -> str:
        """Run a command of SLURM and return what it says."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout

    def queue(self) -> dict[str, str]:
        """Return the state of each job that has not ended."""
        rows = self.ask("squeue", "--noheader", "--format=%i %T").splitlines()
        return dict(row.split() for row in rows)

    def known(self) -> dict[str, dict[str, str]]:
        """Return what SLURM knows of each job, the ended ones too."""
        rows = self.ask("scontrol", "--oneliner", "show", "job").splitlines()
        found = [dict(word.partition("=")[::2] for word in row.split()) for row in rows if "JobId=" in row]
        return {row["JobId"]: row for row in found}

    def cancel(self, *jobs: str) -> None:
        """Cancel jobs."""
        if jobs:
            subprocess.run(
                ["scancel", *jobs], env=self.environment, check=False, capture_output=True, timeout=30
            )

    def wait_until_empty(self) -> None:
        """Wait until no job is left in the queue."""
        wait_for(lambda: not self.queue(), "jobs are left in the queue")


def reason_to_skip() -> str:
    """Return why no SLURM can be started here, or ""."""
    missing = [name for name in NEEDED if shutil.which(name, path=search_path()) is None]
    if missing:
        return f"SLURM is not installed: no {', '.join(missing)}"
    return "" if os.geteuid() == 0 else "only root can start a SLURM"


def search_path() -> str:
    """Return where programs are looked for: daemons are not on everybody's PATH."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


@contextlib.contextmanager
def running_slurm() -> Iterator[SlurmCluster]:
    """Start munged, slurmctld and slurmd; stop them, and whatever they started, in the end."""
    folder = Path(tempfile.mkdtemp(prefix="pgx-slurm-"))  # short: the path of a socket has 107 bytes
    cluster = SlurmCluster(folder)
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        _configure(folder)
        daemons.append(_start(cluster, "munged", "--foreground", "--force", *_munge_files(folder)))
        wait_for((folder / "munge.socket").exists, _told(folder, "munged"))
        daemons.append(_start(cluster, "slurmctld", "-D"))
        daemons.append(_start(cluster, "slurmd", "-D"))
        wait_for(lambda: _idle(cluster), "the node does not come up: " + _told(folder, "slurmd"))
        yield cluster
    finally:
        with contextlib.suppress(subprocess.SubprocessError, pytest.fail.Exception):
            cluster.cancel(*cluster.queue())
            cluster.wait_until_empty()
        for daemon in reversed(daemons):
            daemon.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(10)
            daemon.kill()
            daemon.wait()
        _kill_what_is_left(cluster)
        shutil.rmtree(folder, ignore_errors=True)


def _configure(folder: Path) -> None:
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        ports = [probe.getsockname()[1] for probe in (one, other)]
    host = socket.gethostname().partition(".")[0]
    (folder / "slurm.conf").write_text(CONFIGURATION.format(folder=folder, ports=ports, host=host))
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")  # loaded, but nothing here uses it
    (folder / "munge.key").write_bytes(secrets.token_bytes(1024))
    (folder / "munge.key").chmod(0o400)
    for name in ("state", "spool"):
        (folder / name).mkdir()


def _munge_files(folder: Path) -> list[str]:
    files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    return [f"--{option}={folder}/munge.{name}" for option, name in files.items()]


def _start(cluster: SlurmCluster, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    with (cluster.folder / f"{name}.out").open("wb") as log:
        return subprocess.Popen(
            [str(shutil.which(name, path=search_path())), *arguments],
            env=cluster.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C at pytest must not end them before the jobs
        )


def _told(folder: Path, name: str) -> str:
    return (folder / f"{name}.out").read_text(errors="replace")[-2000:]


def _idle(cluster: SlurmCluster) -> bool:
    try:
        return "idle" in cluster.ask("sinfo", "--noheader", "--partition=debug", "--format=%T")
    except subprocess.CalledProcessError:  # slurmctld does not answer yet
        return False


def _kill_what_is_left(cluster: SlurmCluster) -> None:
    """Kill processes of jobs that outlived their daemons; the path of the configuration tells them."""
    mark = f"SLURM_CONF={cluster.environment['SLURM_CONF']}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(entry.name) != os.getpid() and mark in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
