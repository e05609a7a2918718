"""What is installed is complete: the wheel carries reference data and type marker, and runs by itself."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pgx


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory):
    """Build a wheel with the tools of this environment, without fetching anything."""
    for tool in ("build", "hatchling"):
        if importlib.util.find_spec(tool) is None:
            pytest.skip(f"{tool} is not installed, so no wheel can be built here")
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(repository),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Install the wheel, and only it, into a folder of its own."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("pip is not installed, so the wheel cannot be installed here")
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run(
        [*command, "--target", str(folder), str(wheel)], capture_output=True, text=True, check=True
    )
    return folder


def run_installed(installed, cwd, *arguments):
    """Run Python with the installed copy in front of everything, in a folder that is not the tree."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_wheel_holds_all_reference_data_and_the_type_marker(wheel, repository):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    reference = repository / "reference"
    expected = {
        f"pgx/_reference/{path.relative_to(reference).as_posix()}"
        for path in reference.rglob("*")
        if path.is_file()
    }
    assert expected
    assert expected <= names
    assert "pgx/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "sample_vcfs/", "benchmarks/", "docs/"))]


def test_the_wheel_holds_all_modules(wheel, repository):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("pgx/") and name.endswith(".py")}
    assert names == {path.relative_to(repository).as_posix() for path in (repository / "pgx").rglob("*.py")}


def test_installed_it_tells_its_version_from_any_folder(installed, tmp_path):
    done = run_installed(installed, tmp_path, "-m", "pgx", "--version")
    assert done.returncode == 0, done.stderr
    assert pgx.__version__ in done.stdout


def test_installed_it_reads_its_own_reference_data(installed, tmp_path):
    code = "import pgx.reference as r; print(r.root()); print(r.release()); print(r.digest())"
    done = run_installed(installed, tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    root, release, digest = done.stdout.splitlines()
    assert root == str(installed / "pgx" / "_reference")
    from pgx import reference

    assert (release, digest) == (reference.release(), reference.digest())


def test_the_report_of_the_readme_is_a_real_one(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    shown = readme.split("<!-- report -->\n```text\n")[1].split("\n```\n<!-- /report -->")[0]
    golden = (repository / "tests" / "golden" / "heterozygous.txt").read_text(encoding="utf-8")
    assert golden.startswith(shown)
