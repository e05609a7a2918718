"""What pgx answers to the cases on which other programs were run; fills docs/comparison.md.

    python benchmarks/compare.py            prints the table
    python benchmarks/compare.py --write    fills the document

Every case is built anew by the builder of the tests and goes through the command line. The answers of the
others are stored in peers.tsv. Exit code 1 when an answer of pgx is none of those that the case allows.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tables import fill, markdown, today

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "tests"))

from vcf_builder import Row, block, site, write_vcf  # noqa: E402 - from the tests beside us

#: Flags that explain an answer; the others are not shown in the table.
_TELLING = {
    "absent-site", "no-call", "partial-call", "filtered-site", "ambiguous-phase", "rare-haplotype",
    "haploid-call", "reverse-strand", "unexpected-allele", "swapped-alleles", "one-site-inference",
}  # fmt: skip
_LIKELIHOODS = {"0/0": "0,99,990", "0/1": "990,0,990", "1/1": "990,99,0"}
REFUSED = "refused"
RunPgx = Callable[[Sequence[str]], tuple[int, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case: its records, and the answers that are right (diplotype or None, status), or `REFUSED`."""

    name: str
    records: Sequence[Row]
    right: Sequence[tuple[str | None, str] | str]
    layout: dict[str, str] | None = None
    options: Sequence[str] = ()


def _typed(first: str, second: str, **more: str) -> list[Row]:
    """Return records at both sites as callers write them, with quality and likelihoods."""
    return [_one("rs429358", first, **more), _one("rs7412", second, **more)]


def _one(rsid: str, genotype: str, **more: str) -> Row:
    plain = "/".join(sorted(genotype.replace("|", "/").split("/")))
    if plain not in _LIKELIHOODS:
        return site(rsid, gt=genotype, **more)
    return site(rsid, gt=f"{genotype}:99:{_LIKELIHOODS[plain]}", format="GT:GQ:PL", **more)


def _unsure(status: str = "indeterminate") -> list[tuple[str | None, str]]:
    return [(None, status)]


_NON, _HET, _HOM, _SOME = "non-carrier", "heterozygous", "homozygous", "carrier"
_E4_HET = site("rs429358", alt="C,<NON_REF>", gt="0/1:99:420,0,451,465,493,958", format="GT:GQ:PL")
CASES = (
    Case(name="0/0 0/0", records=_typed("0/0", "0/0"), right=[("e3/e3", _NON)]),
    Case(name="0/0 0/1", records=_typed("0/0", "0/1"), right=[("e2/e3", _NON)]),
    Case(name="0/0 1/1", records=_typed("0/0", "1/1"), right=[("e2/e2", _NON)]),
    Case(name="0/1 0/0", records=_typed("0/1", "0/0"), right=[("e3/e4", _HET)]),
    Case(name="0/1 0/1", records=_typed("0/1", "0/1"), right=[("e2/e4", _HET)]),
    Case(name="0/1 1/1", records=_typed("0/1", "1/1"), right=[("e1/e2", _NON)]),
    Case(name="1/1 0/0", records=_typed("1/1", "0/0"), right=[("e4/e4", _HOM)]),
    Case(name="1/1 0/1", records=_typed("1/1", "0/1"), right=[("e1/e4", _HET)]),
    Case(name="1/1 1/1", records=_typed("1/1", "1/1"), right=[("e1/e1", _NON)]),
    Case(name="0|1 0|1", records=_typed("0|1", "0|1"), right=[("e1/e3", _NON), *_unsure()]),
    Case(name="0|1 1|0", records=_typed("0|1", "1|0"), right=[("e2/e4", _HET)]),
    Case(name="0|1 0/1 (mixed)", records=_typed("0|1", "0/1"), right=[("e2/e4", _HET), *_unsure()]),
    Case(
        name="0|1 PS1, 1|0 PS2",
        records=[
            site("rs429358", gt="0|1:1", format="GT:PS"),
            site("rs7412", gt="1|0:2", format="GT:PS"),
        ],
        right=[("e2/e4", _HET), *_unsure()],
    ),
    Case(name="het, rs7412 absent", records=[_one("rs429358", "0/1")], right=[*_unsure(), *_unsure(_HET)]),
    Case(
        name="1/1, rs7412 ./.",
        records=[_one("rs429358", "1/1"), site("rs7412", gt="./.")],
        right=[*_unsure(), *_unsure(_SOME), *_unsure(_HOM), ("e4/e4", _HOM)],
    ),
    Case(name="no rows at all", records=[], right=_unsure()),
    Case(name="./1 0/0", records=_typed("./1", "0/0"), right=[*_unsure(), *_unsure(_SOME)]),
    Case(name="0/. 0/0", records=_typed("0/.", "0/0"), right=_unsure()),
    Case(name="LowQual 0/1", records=_typed("0/1", "0/0", filter="LowQual"), right=_unsure()),
    Case(
        name="T>G het", records=[site("rs429358", alt="G", gt="0/1"), _one("rs7412", "0/0")], right=_unsure()
    ),
    Case(
        name="multi-allelic 0/2 (G,C)",
        records=[
            site("rs429358", alt="G,C", gt="0/2:99:990,1200,1400,0,1100,990", format="GT:GQ:PL"),
            _one("rs7412", "0/0"),
        ],
        right=[("e3/e4", _HET)],
    ),
    Case(
        name="REF/ALT swapped ε4/ε4",
        records=[
            site("rs429358", ref="C", alt="T", gt="0/0:99:0,99,990", format="GT:GQ:PL"),
            site("rs7412", ref="T", alt="C", gt="1/1:99:990,99,0", format="GT:GQ:PL"),
        ],
        right=[("e4/e4", _HOM), *_unsure()],
    ),
    Case(
        name="strand-flipped ε3/ε4",
        records=[site("rs429358", ref="A", alt="G", gt="0/1"), site("rs7412", ref="G", alt="A", gt="0/0")],
        right=_unsure(),
    ),
    Case(name="haploid 1, 0", records=[site("rs429358", gt="1"), site("rs7412", gt="0")], right=_unsure()),
    Case(
        name="contig NC_000019.10",
        records=_typed("0/1", "0/0"),
        layout={"contig": "NC_000019.10"},
        right=[("e3/e4", _HET)],
    ),
    Case(name="gVCF block covers both", records=[block()], right=[("e3/e3", _NON)]),
    Case(name="gVCF, ε4 het + block", records=[_E4_HET, block(over=["rs7412"])], right=[("e3/e4", _HET)]),
    Case(
        name='ALT "." rows 0/0',
        records=[site(rsid, alt=".", gt="0/0:40:99", format="GT:DP:GQ") for rsid in ("rs429358", "rs7412")],
        right=[("e3/e3", _NON)],
    ),
    Case(
        name="GRCh37 ε4/ε4 read as GRCh38",
        records=_typed("1/1", "0/0"),
        layout={"assembly": "GRCh37"},
        options=["--assembly", "GRCh38"],
        right=[REFUSED],
    ),
)


def run_process(arguments: Sequence[str]) -> tuple[int, str]:
    """Run pgx as a process of its own; return exit code and standard output."""
    command = [sys.executable, "-m", "pgx", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=FOLDER.parent)
    return done.returncode, done.stdout


def answer(case: Case, folder: Path, run: RunPgx) -> tuple[tuple[str | None, str] | str, str]:
    """Return the answer of pgx to a case, and how the table shows it."""
    path = write_vcf(folder / "case.vcf", records=case.records, **(case.layout or {}))
    code, output = run(["annotate", str(path), "-f", "json", *case.options])
    if code == 3:
        return REFUSED, "refused, exit 3"
    if code != 0:
        raise RuntimeError(f"{case.name}: pgx ended with {code}")
    sample = json.loads(output)["samples"][0]
    diplotype, status = sample["genotype"]["diplotype"], sample["genotype"]["e4_status"]
    flags = [flag["code"] for flag in sample["flags"] if flag["code"] in _TELLING]
    named = diplotype.replace("e", "ε") if diplotype else "not determined"
    said = "" if status == "indeterminate" else f", {status}"
    why = ", ".join(dict.fromkeys(flags))
    return (diplotype, status), f"{named}{said}" + (f" ({why})" if why else "")


def table(run: RunPgx = run_process) -> tuple[str, list[str]]:
    """Return the table, and the names of the cases that pgx answers wrongly."""
    with (FOLDER / "peers.tsv").open(encoding="utf-8", newline="") as handle:
        rows = list(
            csv.DictReader(
                (line for line in handle if not line.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE
            )
        )
    cases = {case.name: case for case in CASES}
    if set(cases) != {row["case"] for row in rows}:
        raise ValueError(f"peers.tsv and CASES differ: {set(cases) ^ {row['case'] for row in rows}}")
    wrong, lines = [], []
    with tempfile.TemporaryDirectory(prefix="pgx-compare-") as folder:
        for row in rows:
            found, shown = answer(cases[row["case"]], Path(folder), run)
            if found not in cases[row["case"]].right:
                wrong.append(row["case"])
                shown = f"**{shown}**"
            cells = [row["case"], row["truth"], shown, *(row[name] for name in list(row)[2:])]
            lines.append([cell.replace("|", "\\|") for cell in cells])
    return markdown(
        ("case (rs429358, rs7412)", "truth", "pgx", *list(rows[0])[2:]), lines, numbers=False
    ), wrong


def main() -> int:
    """Print the table, and fill the document if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="fill docs/comparison.md")
    arguments = parser.parse_args()
    text, wrong = table()
    print(text)
    for name in wrong:
        print(f"WRONG: {name}", file=sys.stderr)
    if arguments.write:
        fill(
            "comparison.md",
            "table",
            f"The column pgx: `python benchmarks/compare.py --write`, {today()}.\n\n{text}",
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
