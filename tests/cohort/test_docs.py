"""What docs/cohort.md shows for a cluster does what it says: its code is taken from the page and run."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from cohort.conftest import assert_same_tables, write_good

_STAND_IN = """
from distributed import LocalCluster


class SLURMCluster(LocalCluster):
    def __init__(self, *, queue, cores, processes, memory, walltime, scheduler_options):
        super().__init__(
            n_workers=0,
            threads_per_worker=cores // processes,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs=scheduler_options,
        )

    def scale(self, n=None, *, jobs=None):
        return super().scale(min(n if jobs is None else jobs, 2))
"""


def blocks(repository, language):
    """Return the code of the section on SLURM."""
    page = (repository / "docs" / "cohort.md").read_text(encoding="utf-8")
    section = page.partition("### SLURM")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def environment(repository, tmp_path):
    """Return an environment with `pgx` on its path, for a folder with nine inputs in vcfs/."""
    (tmp_path / "vcfs").mkdir()
    for number in range(8):
        write_good(tmp_path / "vcfs" / f"f{number}.vcf", number)
    (tmp_path / "vcfs" / "bad.vcf").write_text("Dear colleague")
    commands = tmp_path / "commands"
    commands.mkdir()
    (commands / "pgx").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pgx "$@"\n')
    (commands / "pgx").chmod(0o755)
    paths = {"PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": f"{repository}:{commands}"}
    environment = {**os.environ, **paths}
    whole = ["pgx", "cohort", "vcfs/", "-o", "whole", "--jobs", "1"]
    assert subprocess.run(whole, cwd=tmp_path, env=environment, check=False).returncode == 5
    return environment


def test_the_job_array(repository, environment, tmp_path):
    array, merge = blocks(repository, "bash")
    assert "#SBATCH --array=1-20" in array
    for index in range(1, 4):
        numbers = {"TASK_ID": index, "TASK_COUNT": 3}
        own = {f"SLURM_ARRAY_{name}": str(value) for name, value in numbers.items()}
        done = subprocess.run(
            ["bash", "-c", array],
            cwd=tmp_path,
            env={**environment, **own, "SLURM_CPUS_PER_TASK": "1"},
            check=False,
        )
        assert done.returncode in {0, 5}
    subprocess.run(["bash", "-c", merge], cwd=tmp_path, env=environment, check=False)
    assert_same_tables(tmp_path / "whole", tmp_path / "results")


def test_a_dask_cluster_of_jobs(repository, environment, tmp_path):
    pytest.importorskip("distributed", reason="dask and distributed are not installed")
    (tmp_path / "commands" / "dask_jobqueue.py").write_text(_STAND_IN)
    (code,) = blocks(repository, "python")
    main = "".join(f"    {line}" for line in code.splitlines(keepends=True))
    (tmp_path / "job.py").write_text(f'if __name__ == "__main__":\n{main}')
    done = subprocess.run(
        [sys.executable, "job.py"],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert_same_tables(tmp_path / "whole", tmp_path / "results")
