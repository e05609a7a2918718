"""Fuzz what reads strangers' bytes: headers, records, evidence files and stored results (`make fuzz`).

Whatever is fed in, a loader ends in a value or in an error of pgx; anything else is a finding, whose input is
kept in build/fuzz/ until it has become a case in tests/test_fuzz.py. With atheris (Linux, where it installs)
the fuzzer is led by coverage; without it hypothesis makes the inputs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

try:
    import atheris

    led = atheris.instrument_imports(include=["pgx"])
except ImportError:
    atheris, led = None, contextlib.nullcontext()
with led:
    from pgx.errors import PgxError
    from pgx.evidence import load
    from pgx.report import from_json
    from pgx.vcf import Bounds
    from pgx.vcf.header import read_header
    from pgx.vcf.read import opened, read_sites

from vcf_builder import site, vcf_text

ROOT = Path(__file__).resolve().parent.parent
FOUND = ROOT / "build" / "fuzz"
HET = [site("rs429358", gt="0/1:99", format="GT:GQ"), site("rs7412", gt="0/0:99", format="GT:GQ")]
TEXT = vcf_text(records=HET, neighbours=False).encode()
_HEADER = TEXT[: TEXT.index(b"\n", TEXT.index(b"#CHROM")) + 1]


def fuzz_header(data: bytes) -> None:
    """Read `data` as the start of an input."""
    read_header(iter([data]), "fuzz", Bounds(), packed=False)


def fuzz_record(data: bytes) -> None:
    """Read `data` as what follows a header."""
    with tempfile.NamedTemporaryFile(suffix=".vcf") as file:
        file.write(_HEADER + data)
        file.flush()
        read_sites(file.name)


def fuzz_input(data: bytes) -> None:
    """Read `data` as a whole input."""
    with tempfile.NamedTemporaryFile(suffix=".bcf") as file:
        file.write(data)
        file.flush()
        with opened(file.name) as door:
            door.select()


def fuzz_evidence(data: bytes) -> None:
    """Load `data` as a file of --evidence."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.toml"
        path.write_bytes(data)
        load((path,))


def fuzz_result(data: bytes) -> None:
    """Load `data` as a stored result."""
    from_json(data, where="fuzz")


def _result() -> bytes:
    from pgx.options import Options
    from pgx.report import to_dict
    from pgx.single import annotate

    with tempfile.NamedTemporaryFile(suffix=".vcf") as file:
        file.write(TEXT)
        file.flush()
        found = annotate(file.name, Options())
        import json

        return json.dumps(to_dict(found.run, tuple(found.samples))).encode()


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "header": (
        fuzz_header,
        lambda: [_HEADER, b"##fileformat=VCFv4.2\n#CHROM\tPOS\n", b"BCF\2\2\4\0\0\0abc\0"],
    ),
    "record": (fuzz_record, lambda: TEXT[len(_HEADER) :].splitlines(keepends=True)),
    "input": (fuzz_input, lambda: [TEXT, b"\x1f\x8b\x08\4" + bytes(30)]),
    "evidence": (
        fuzz_evidence,
        lambda: [file.read_bytes() for file in (ROOT / "examples/evidence").rglob("*.toml")],
    ),
    "result": (fuzz_result, lambda: [_result()]),
}


def try_one(name: str, data: bytes) -> str:
    """Feed `data` to a target; return "" or what it raised that is no error of pgx."""
    try:
        TARGETS[name][0](data)
    except PgxError as error:
        return "" if "\n" not in str(error) else "an error of several lines"
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return f"{type(error).__name__}: {str(error)[:80]}"
    return ""


def _keep(name: str, data: bytes, told: str) -> None:
    FOUND.mkdir(parents=True, exist_ok=True)
    place = FOUND / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
    place.write_bytes(data)
    print(f"FOUND  {name}: {told}; kept as {place}", flush=True)


def by_hypothesis(name: str, seconds: float) -> tuple[int, int]:
    """Fuzz one target with mutated seeds from hypothesis; return how many inputs, and how many findings."""
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis import strategies as st

    seeds = TARGETS[name][1]()
    pieces = sorted({word for data in seeds for word in data.replace(b"\t", b" ").split()[:400]})
    words = st.one_of(
        st.binary(max_size=12),
        st.sampled_from(pieces),
        st.sampled_from(
            [
                b"\0",
                b"\t",
                b"\n",
                b"\r",
                b"\x1b",
                b"9" * 40,
                b"-1",
                b"=",
                b'"',
                b"\xff",
                b"{" * 50,
                b"[" * 3000,
            ]
        ),
    )
    edits = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 40), words), max_size=5)
    until, count, found = time.monotonic() + seconds, 0, 0

    def mutate(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
        for place, length, word in changes:
            at = place % (len(data) + 1)
            data = data[:at] + word + data[at + length :]
        return data

    number = 0
    while time.monotonic() < until:
        number += 1

        @seed(number)
        @settings(max_examples=200, database=None, deadline=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(st.one_of(st.binary(max_size=200), st.builds(mutate, st.sampled_from(seeds), edits)))
        def one(data: bytes) -> None:
            nonlocal count, found
            if time.monotonic() > until:
                return
            count += 1
            told = try_one(name, data)
            if told:
                found += 1
                _keep(name, data, told)

        one()
    return count, found


def by_atheris(name: str, seconds: float) -> tuple[int, int]:
    """Fuzz one target led by coverage, in a process of its own: libFuzzer ends that process."""
    corpus = FOUND / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(TARGETS[name][1]()):
        (corpus / f"seed{number}").write_bytes(data)
    log = FOUND / f"{name}.count"
    child = os.fork()
    if not child:
        count = found = 0

        def one(data: bytes) -> None:
            nonlocal count, found
            count += 1
            told = try_one(name, data)
            if told:
                found += 1
                _keep(name, data, told)
            if count % 10 == 0 or told:
                log.write_text(f"{count} {found}")

        atheris.Setup(["fuzz", str(corpus), f"-max_total_time={int(seconds)}", "-verbosity=0"], one)
        atheris.Fuzz()
    os.waitpid(child, 0)
    count, found = log.read_text().split() if log.is_file() else ("0", "0")
    return int(count), int(found)


def main(arguments: list[str] | None = None) -> int:
    """Fuzz each target for its share of the time; return 1 where there is a finding."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--target", choices=TARGETS)
    given = parser.parse_args(arguments)
    names = [given.target] if given.target else list(TARGETS)
    fuzz = by_hypothesis if atheris is None else by_atheris
    print(f"{'target':12} {'inputs':>9} {'findings':>9}   ({fuzz.__name__.removeprefix('by_')})")
    total = 0
    for name in names:
        count, found = fuzz(name, given.seconds / len(names))
        total += found
        print(f"{name:12} {count:>9} {found:>9}", flush=True)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
