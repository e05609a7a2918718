"""Workers of Dask as jobs of SLURM: submitted, watched, replaced, and cancelled at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pgx.errors import InputError, UsageError
from pgx.executors.dask_engine import SILENT, Dask, Pace
from pgx.executors.engine import ATTEMPTS
from pgx.executors.local import interrupts_left_out
from pgx.executors.slurm_settings import SlurmSettings, configured, read_settings

#: States of a job from which no worker comes any more.
_ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
    "REVOKED", "TIMEOUT",
}  # fmt: skip
_ANSWER_WITHIN = 30  # seconds, for the commands of SLURM
_TRY_IT = "Give account, queue, walltime, cores and memory as your cluster wants them, or fewer jobs"


class Slurm(Dask):
    """Jobs of SLURM, each with workers of a Dask scheduler that runs here."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = read_settings(settings)
        self._logs: Path | None = None
        self._cluster, self._client = None, None
        #: What sbatch said where it refused a job.
        self._refused: list[str] = []
        # squeue may take long where SLURM is busy: asked beside the work, and not too often.
        self._look = Pace(2, 30)
        self._asker = ThreadPoolExecutor(1)
        self._answer: Future[dict[str, tuple[str, str]]] | None = None
        self._seen: dict[str, tuple[str, str]] = {}
        self._silence = ""
        self._joined = False
        self._replaced, self._done_then = 0, 0
        try:
            self._cluster = self._start(self._settings)
            self._submit_missing()
            self._check_taken()
            self._join(self._cluster)
        except BaseException:
            self.close()
            raise
        self._where = "SLURM"

    def _start(self, settings: SlurmSettings) -> Any:
        from dask_jobqueue import SLURMCluster  # noqa: PLC0415

        keywords = dict(settings.keywords)
        if settings.own_logs:
            self._logs = _folder_for_logs()
            if self._logs is not None:
                keywords["log_directory"] = str(self._logs)
            else:
                directives = configured("job-extra-directives", keywords.get("job_extra_directives")) or []
                keywords["job_extra_directives"] = [*directives, "-o /dev/null"]
        try:
            return SLURMCluster(
                job_cls=_job_class(self._refused),
                silence_logs=SILENT,
                scheduler_options=_scheduler_options(),
                **keywords,
            )
        except (OSError, RuntimeError, TypeError, ValueError) as error:
            raise UsageError(f"Dask cannot start: {error}", where="--slurm", cure=_TRY_IT) from error

    @property
    def width(self) -> int:
        """Return the workers that were asked for: work has to be at hand for those that come late."""
        return self._settings.jobs * self._settings.processes

    def attend(self) -> str:
        """Replace jobs that have ended; say what is awaited while no worker is there.

        Raises
        ------
        InputError
            Jobs end without a worker, or again and again without a result.
        """
        workers = {str(worker.name) for worker in list(self._cluster.scheduler.workers.values())}
        self._joined = self._joined or bool(workers)
        if len(workers) == self.width:
            self._look.reset()
            self._speak.reset()
            return ""
        if self._answer is None and self._look.due():
            self._answer = self._asker.submit(_states)
        if self._answer is not None and self._answer.done():
            answer, self._answer = self._answer, None
            try:
                self._seen, self._silence = answer.result(), ""
            except (OSError, subprocess.SubprocessError) as error:
                self._silence = f"squeue does not answer: {_last_line(str(error))}"
            else:
                self._replace(self._ended(self._seen, workers), self._seen, workers)
        return self._waiting() if not workers and self._speak.due() else ""

    def _ended(self, states: Mapping[str, tuple[str, str]], workers: set[str]) -> list[str]:
        """Return the names of jobs that have ended."""
        jobs = dict(self._cluster.workers)
        return [
            name
            for name, job in jobs.items()
            if states.get(str(job.job_id), ("COMPLETED", ""))[0] in _ENDED
            and not any(worker == name or worker.startswith(f"{name}-") for worker in workers)
        ]

    def _replace(self, ended: list[str], states: Mapping[str, tuple[str, str]], workers: set[str]) -> None:
        if self._done > self._done_then:  # jobs that reach their time limit are nothing to count
            self._done_then, self._replaced = self._done, 0
        lost = len(set(self._cluster.worker_spec) - set(self._cluster.workers))  # Dask forgot these itself
        if not ended and not lost:
            return
        left = self._settings.jobs - len(ended) - lost
        enough = not self._joined or self._replaced >= ATTEMPTS * self._settings.jobs
        if enough and not left and not workers:
            raise self._none_left(ended, states)
        if enough:
            return
        self._replaced += len(ended) + lost
        if ended:
            self._cluster.sync(self._cluster.scale_down, ended)
        self._submit_missing()
        self._look.reset()

    def _submit_missing(self) -> None:
        """Submit as many jobs as are missing, and wait until sbatch has taken or refused them."""

        async def settled() -> None:
            await self._cluster

        self._cluster.scale(jobs=self._settings.jobs)
        self._cluster.sync(settled)

    def _check_taken(self) -> None:
        if self._refused:
            raise UsageError(self._refused[0], where="--slurm", cure=_TRY_IT)

    def _none_left(self, ended: list[str], states: Mapping[str, tuple[str, str]]) -> InputError:
        jobs = [str(self._cluster.workers[name].job_id) for name in ended]
        how = sorted({states[job][0] for job in jobs if job in states})
        said = self._refused or [line for job in jobs if (line := self._log_line(job))]
        what = "SLURM jobs ended" if len(jobs) > 1 else "the SLURM job ended"
        what += "" if self._joined else " before a worker could start"
        what += f" ({', '.join(how)})" if how else ""
        return InputError(
            f"{what}: {said[-1]}" if said else what,
            where="--slurm",
            cure="What was done is kept. log_directory=DIR keeps the logs of the jobs",
        )

    def _log_line(self, job: str) -> str:
        folder = self._logs or self._settings.keywords.get("log_directory")
        for path in Path(folder).glob(f"*-{job}.err") if folder else ():
            with contextlib.suppress(OSError):
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
                return _last_line("\n".join(line for line in lines if " - INFO - " not in line))
        return ""

    def _waiting(self) -> str:
        """Return a line on what is awaited, as it was when SLURM was asked last."""
        who = "no worker is left" if self._joined else "no worker has started yet"
        if self._silence:
            return f"{who}; {self._silence}"
        jobs = [self._seen.get(str(job.job_id), ("submitted", "")) for job in self._cluster.workers.values()]
        counts = Counter(
            f"{state.lower()} ({reason})" if state == "PENDING" and reason else state.lower()
            for state, reason in jobs
        )
        return f"{who}; SLURM jobs: {', '.join(f'{count} {kind}' for kind, count in sorted(counts.items()))}"

    def close(self) -> None:
        """Cancel the jobs, and remove their logs."""
        self._closing = True
        with interrupts_left_out():
            if self._cluster is not None:
                self._cancel_all()  # first of all: Dask would ask each worker, and one may not answer
            super().close()
            self._asker.shutdown(wait=False)
            if self._logs is not None:
                shutil.rmtree(self._logs, ignore_errors=True)

    def _cancel_all(self) -> None:
        jobs = [str(job.job_id) for job in list(self._cluster.workers.values()) if job.job_id]
        if jobs:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                _ask("scancel", *jobs)


def _job_class(refused: list[str]) -> Any:
    """Return the job of dask-jobqueue, which notes a refusal instead of raising it where nobody listens."""
    from dask_jobqueue.slurm import SLURMJob  # noqa: PLC0415
    from distributed.deploy.spec import ProcessInterface  # noqa: PLC0415

    class Job(SLURMJob):  # type: ignore[misc]
        job_id_regexp = r"Submitted batch job (?P<job_id>\d+)"  # a site may print more numbers

        async def start(self) -> None:
            try:
                await super().start()
            except (OSError, RuntimeError, ValueError) as error:
                refused.append(_refusal(str(error)))
                await ProcessInterface.start(self)

        async def close(self) -> None:
            await super().close()
            await ProcessInterface.close(self)  # which dask-jobqueue leaves out

        @staticmethod
        async def _call(cmd: list[str], **keywords: Any) -> Any:
            # Ctrl-C is for the main process: it must not reach an sbatch whose job would then be unknown.
            return await SLURMJob._call(cmd, start_new_session=True, **keywords)

    return Job


def _scheduler_options() -> dict[str, Any]:
    """Return what the user's Dask configuration says of the scheduler, and no page for everybody to see."""
    own = {"dashboard": False, "dashboard_address": "127.0.0.1:0", "allowed_failures": ATTEMPTS - 1}
    return own | (configured("scheduler-options") or {})


def _refusal(text: str) -> str:
    said = text.partition("stderr:\n")[2] or text
    lines = [line.strip().removeprefix("sbatch: error: ") for line in said.splitlines()]
    return f"sbatch refuses: {'; '.join(line for line in lines if line)}"


def _folder_for_logs() -> Path | None:
    """Return a new folder that compute nodes see too, as they do homes; None where there is none."""
    parent = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pgx"
    if any(char.isspace() or char == "%" for char in str(parent)):  # sbatch would read more into it
        return None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="slurm-", dir=parent))
    except OSError:
        return None


def _states() -> dict[str, tuple[str, str]]:
    """Return state and reason of each job of this user that SLURM still knows."""
    done = _ask("squeue", "--noheader", "--states=all", f"--user={os.getuid()}", "--format=%i|%T|%r")
    if done.returncode:
        raise OSError(done.stderr)
    rows = [line.split("|", 2) for line in done.stdout.splitlines() if line.count("|") >= 2]
    return {job: (state, "" if reason == "None" else reason) for job, state, reason in rows}


def _ask(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_ANSWER_WITHIN)  # noqa: S603


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
