"""What a public project has, and that its texts send nobody to a package of another project."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

FOREIGN = re.compile(
    r"(?:pip|pipx|uv|conda|mamba)(?:\s+\w+)*?\s+(?:install|add|inject)\s+(?:-\S+\s+)*['\"]?pgx(?![\w-])"
)
ROOT_FILES = ["*.md", "*.toml", "*.cff", "Makefile", "Dockerfile", ".github/**/*", "packaging/**/*"]
TEXTS = [
    *ROOT_FILES,
    "docs/**/*.md",
    "pgx/**/*.py",
    "reference/**/*.toml",
    "sample_vcfs/*.md",
    "examples/**/*",
]


def texts(repository):
    paths = {path for pattern in TEXTS for path in repository.glob(pattern) if path.is_file()}
    assert len(paths) > 80
    return {path: path.read_text(encoding="utf-8") for path in sorted(paths)}


@pytest.mark.parametrize(
    ("line", "foreign"),
    [
        ("pip install 'pgx[pdf]'", True),
        ("pip install pgx", True),
        ("python -m pip install --upgrade pgx", True),
        ("pipx inject pgx typst", True),
        ("uv tool install pgx", True),
        ("pip install 'pgx-annotator[pdf]'", False),
        ("pip install pgx_annotator-0.2.0-py3-none-any.whl", False),
        ("pip install '.[pdf]'", False),
    ],
)
def test_the_search_knows_an_install_line_of_the_other_project(line, foreign):
    assert bool(FOREIGN.search(line)) is foreign


def test_no_text_installs_the_other_project_of_this_name(repository):
    found = [
        f"{path.relative_to(repository)}: {hit[0]}"
        for path, text in texts(repository).items()
        for hit in FOREIGN.finditer(text)
    ]
    assert found == []


def test_the_distribution_has_a_name_of_its_own(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "pgx-annotator"
    assert project["scripts"] == {"pgx": "pgx.__main__:main"}
    assert project["dynamic"] == ["version"]


def test_the_version_stands_in_one_place(repository):
    import pgx

    version = re.escape(pgx.__version__)
    others = [
        str(path.relative_to(repository))
        for path, text in texts(repository).items()
        if path.name not in {"CHANGELOG.md", "__init__.py"} and re.search(rf"version\W+{version}\b", text)
    ]
    assert others == []


@pytest.mark.parametrize(
    "name",
    [
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CODE_OF_CONDUCT.md",
        "CITATION.cff",
        "LICENSE",
        "CHANGELOG.md",
        "Dockerfile",
    ],
)
def test_a_public_project_has(repository, name):
    assert len((repository / name).read_text(encoding="utf-8")) > 200


def test_what_is_yaml_can_be_read(repository):
    paths = [
        *repository.glob(".github/**/*.yml"),
        repository / ".pre-commit-config.yaml",
        repository / "CITATION.cff",
    ]
    assert len(paths) > 6
    for path in paths:
        assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict), path


def test_a_wrong_call_is_reported_with_what_inspect_says_and_no_names(repository):
    form = yaml.safe_load((repository / ".github/ISSUE_TEMPLATE/wrong-call.yml").read_text(encoding="utf-8"))
    fields = {item["id"]: item for item in form["body"] if "id" in item}
    assert "pgx inspect" in fields["inspect"]["attributes"]["description"]
    assert fields["inspect"]["validations"]["required"]
    assert "names removed" in fields["inspect"]["attributes"]["description"]


def test_the_recipe_needs_what_the_package_needs(repository):
    text = (repository / "packaging/bioconda/meta.yaml").read_text(encoding="utf-8")
    plain = re.sub(r"\{\{.*?\}\}", "x", re.sub(r"\{%.*?%\}", "", text))
    recipe = yaml.safe_load(plain)
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {item.replace(" ", "") for item in recipe["requirements"]["run"]} == {
        *(item.partition(";")[0].replace("isal", "python-isal") for item in project["dependencies"]),
        f"python{project['requires-python']}",
    }


def test_every_page_of_the_docs_is_in_the_index(repository):
    index = (repository / "docs/index.md").read_text(encoding="utf-8").split()
    pages = {path.stem for path in (repository / "docs").glob("*.md")} - {"index"}
    assert pages <= set(index)


def test_every_slow_test_exists(repository):
    lines = (repository / "tests" / "slow.txt").read_text(encoding="utf-8").splitlines()
    names = [line.split("::") for line in lines if not line.startswith("#")]
    assert len(names) > 100
    for file, *rest in names:
        assert f"def {rest[-1]}(" in (repository / file).read_text(encoding="utf-8"), rest
