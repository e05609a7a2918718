"""Fixtures for all tests: where data is, and two ways to run pgx."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run of pgx left: its exit code and both streams as text."""

    exit_code: int
    stdout: str
    stderr: str


RunPgx = Callable[..., Outcome]


def slow_tests() -> set[str]:
    """Return the tests of slow.txt."""
    lines = (Path(__file__).parent / "slow.txt").read_text(encoding="utf-8").splitlines()
    return {line for line in lines if not line.startswith("#")}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of slow.txt."""
    slow = slow_tests()
    for item in items:
        if item.nodeid.partition("[")[0] in slow:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the top folder of the project."""
    return ROOT


@pytest.fixture(scope="session")
def sample_vcfs() -> Path:
    """Return the folder of the sample files."""
    return ROOT / "sample_vcfs"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of the larger real data, which lies beside a working copy, not in it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the larger test data (../shared/data) is not on this machine")
    return folder


@pytest.fixture
def run_pgx() -> RunPgx:
    """Return a function that runs the command line in this process.

    `run_pgx("annotate", path, input=None, env=None)`: arguments are turned into text, `input` (str or bytes)
    is stdin, `env` adds variables. An exception that the command line does not turn into a message is raised.
    """
    from typer.testing import CliRunner

    from pgx.cli.main import app

    def run(*args: object, input: str | bytes | None = None, env: dict[str, str] | None = None) -> Outcome:
        result = CliRunner().invoke(
            app, [str(arg) for arg in args], input=input, env=env, catch_exceptions=False
        )
        return Outcome(exit_code=result.exit_code, stdout=result.stdout, stderr=result.stderr)

    return run


@pytest.fixture
def run_pgx_process(tmp_path: Path) -> RunPgx:
    """Return a function that runs `python -m pgx` as a process of its own.

    `run_pgx_process("annotate", path, input=None, env=None, cwd=None, timeout=60)`; `input` is str or
    bytes, the working directory `tmp_path` unless `cwd` is given.
    """

    def run(
        *args: object,
        input: str | bytes | None = None,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60,
    ) -> Outcome:
        given = input.encode() if isinstance(input, str) else input
        done = subprocess.run(
            [sys.executable, "-m", "pgx", *(str(arg) for arg in args)],
            input=b"" if given is None else given,
            capture_output=True,
            cwd=cwd or tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **(env or {})},
            timeout=timeout,
            check=False,
        )
        return Outcome(
            exit_code=done.returncode,
            stdout=done.stdout.decode("utf-8"),
            stderr=done.stderr.decode("utf-8"),
        )

    return run
