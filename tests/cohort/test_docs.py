"""What the docs show for many machines does what it says: the code is taken from the pages and run."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from vcf_builder import site, write_vcf

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


def blocks(repository, language, page="cohort.md", title="### SLURM"):
    """Return the code of a section."""
    text = (repository / "docs" / page).read_text(encoding="utf-8")
    section = text.partition(f"{title}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found, f"{page} shows no {language} under {title}"
    return found


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


def bash(code, folder, environment, **more):
    """Run code of a page."""
    return subprocess.run(["bash", "-c", code], cwd=folder, env=environment, check=False, timeout=120, **more)


@pytest.fixture
def people(environment, tmp_path):
    """Name the inputs in the manifest of docs/scaling.md, in the folder of `environment`."""
    paths = sorted(f"vcfs/{path.name}" for path in (tmp_path / "vcfs").iterdir())
    (tmp_path / "people.tsv").write_text("\n".join(["path", *paths]) + "\n")
    whole = "rm -r whole; pgx cohort --manifest people.tsv -o whole --jobs 1"
    assert bash(whole, tmp_path, environment).returncode == 5
    return tmp_path


def test_slices_without_a_scheduler(repository, environment, people):
    slices, merge = blocks(repository, "bash", "scaling.md", "## Slices, with nothing between the machines")
    bash(slices, people, environment)
    assert len(list((people / "slices").iterdir())) == 4
    assert bash(merge, people, environment).returncode == 5, "an input failed"
    assert_same_tables(people / "whole", people / "results")


def test_a_dask_cluster_by_hand(repository, environment, people):
    pytest.importorskip("distributed", reason="dask and distributed are not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    own = {**environment, "HEAD": "127.0.0.1"}
    own["PATH"] = f"{own['PATH']}:{Path(sys.executable).parent}"
    shown = [code.replace("8786", port) for code in blocks(repository, "bash", "scaling.md", "## Dask")]
    scheduler, worker, run = shown
    with contextlib.ExitStack() as stack:
        for code in (scheduler, worker):
            process = stack.enter_context(
                subprocess.Popen(
                    ["bash", "-c", f"exec {code}"], cwd=people, env=own, stderr=subprocess.DEVNULL
                )
            )
            stack.callback(process.terminate)
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), 0.1):
                break
            time.sleep(0.1)
        assert bash(run, people, own).returncode == 5
    assert_same_tables(people / "whole", people / "results")


def test_files_in_an_object_store(repository, environment, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(repository / "benchmarks")
    from bench_bytes import served

    (manifest,) = blocks(repository, "text", "scaling.md", "## Files in an object store")
    (run,) = blocks(repository, "bash", "scaling.md", "## Files in an object store")
    store = tmp_path / "store"
    store.mkdir()
    names = re.findall(r"s3://cohort/(.*)", manifest)
    for number, name in enumerate(names):
        write_vcf(store / name, records=[site("rs429358", gt="0/1"), site("rs7412", gt="0/0")], index="tbi",
                  samples=[f"P{number}"])  # fmt: skip
    (tmp_path / "people.tsv").write_text(manifest.replace("s3://", "s3+http://"))  # no certificate here
    with served(store) as server:
        own = {
            **environment,
            "HTS_S3_HOST": f"127.0.0.1:{server.server_address[1]}",
            "HTS_S3_ADDRESS_STYLE": "path",
            "AWS_ACCESS_KEY_ID": "made-up",
            "AWS_SECRET_ACCESS_KEY": "made-up",
        }
        assert bash(run, tmp_path, own).returncode == 0
    rows = (tmp_path / "results" / "samples.tsv").read_text().splitlines()[1:]
    assert len(rows) == len(names)
    assert all("e3/e4" in row for row in rows)
