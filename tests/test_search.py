"""A search, a pass, an index and standard input give the same report, and what is not sorted is not searched."""

from __future__ import annotations

import contextlib
import os
import random
import re
from collections import Counter
from pathlib import Path

import msgspec
import pysam
import pytest
from sorted_files import KINDS, SITES, bgzip, body, header, line, made, position
from truth_tables import all_cases
from vcf_builder import write_vcf

from pgx.errors import PgxError
from pgx.options import Options
from pgx.single import annotate
from pgx.vcf import search

CASES = list(all_cases())
#: Of the input; and where a record stands, which is a line in a pass and a position else.
_OF_THE_WAY = ("path", "size", "modified", "access")
_PLACE = re.compile(r"line \d+|the record at \S+:\d+")
SEEDS = 1000 // len(KINDS) + 1


@pytest.fixture
def small(monkeypatch):
    """Let the smallest file be searched, and by halves down to a few lines."""
    monkeypatch.setattr(search, "LEAST", 0)
    monkeypatch.setattr(search, "_NEAR", 200)
    monkeypatch.setattr(search, "_END", 64)


@contextlib.contextmanager
def standard_input(path: Path):
    """Put a file at the standard input of this process."""
    kept, file = os.dup(0), os.open(path, os.O_RDONLY)
    os.dup2(file, 0)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(file)


def told(source: str | Path, options: Options, label: str = "") -> tuple[str, object]:
    """Return how a file was read, and its report without that, or its error."""
    try:
        report = annotate(str(source), options)
    except PgxError as error:
        return "error", _PLACE.sub("", str(error).replace(label or str(source), "FILE"))
    found = {"samples": list(report.samples), "run": msgspec.to_builtins(report.run)}
    access = found["run"]["input"]["access"]
    for key in _OF_THE_WAY:
        del found["run"]["input"][key]
    del found["run"]["created"]
    return access, msgspec.json.decode(_PLACE.sub("", msgspec.json.encode(found).decode()))


def by_pass(path: Path, options: Options) -> tuple[str, object]:
    """Return what a pass over a file tells."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "LEAST", 1 << 60)
        return told(path, options)


def by_stream(path: Path, options: Options) -> tuple[str, object]:
    """Return what a file tells at standard input."""
    with standard_input(path):
        return told("-", options, "standard input")


def packings(text: bytes, seed: int) -> list[tuple[str, bytes]]:
    """Return a text plain, and packed into blocks of one size from 60 bytes to 64 KB, with a cut at a site."""
    size = (60, 333, 4096, 0xFF00, 1 << 16)[seed % 5]
    found = text.find(b"\nchr19\t%d\t" % SITES["rs429358"]) + 1
    cuts = (found,) if found and seed % 2 else ()
    return [("a.vcf", text), ("a.vcf.gz", bgzip(text, size, cuts))]


def check_kind(kind: str, seeds: range, folder: Path) -> Counter[str]:
    """Compare all ways for files of a kind; return how often which was taken."""
    must, _ = KINDS[kind]
    taken: Counter[str] = Counter()
    options = Options(neighbours="auto")
    for seed in seeds:
        text, ends = made(kind, seed)
        for name, data in packings(text, seed)[:: 1 if seed % 3 else -1]:
            path = folder / name
            path.write_bytes(data)
            access, found = told(path, options)
            where = f"{kind}, seed {seed}, {name}, {ends}"
            assert found == by_pass(path, options)[1], where
            if seed % 4 == 0:
                assert found == by_stream(path, options)[1], where
            taken[access] += 1
            whole = ends in {"as it is", "CRLF", "no last line end"}
            if must is not None and whole:
                assert (access == "search") == must, where
    return taken


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind, tmp_path, small):
    check_kind(kind, range(3), tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_files(kind, tmp_path, small):
    check_kind(kind, range(3, SEEDS + 3), tmp_path)
