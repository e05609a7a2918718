#!/usr/bin/env python3
"""Cut the 1000 Genomes files of this folder from the genotypes that peddy carries.

    python sample_vcfs/make_samples.py SOURCE [TARGET]

SOURCE is a folder with `derived.1kgp3_peddy.GRCh37.vcf.gz` and `derived.1kgp3_peddy.GRCh38.vcf.gz`: the
unphased genotypes of 2,504 people at 85 sites of chromosome 19, re-encoded as VCF from the site files of
peddy 0.4.8 (MIT, see LICENSE.peddy). TARGET is the folder to write to, by default this one.

What is cut stands in `manifest.tsv`: every file whose origin begins with `1000 Genomes` is written anew,
with the samples that its rows name, in their order, and all sites. A name that ends in `.gz` is
compressed with bgzip and indexed. The records are not changed; of the header only the traces of earlier
commands are dropped. Two runs give the same VCF text. The other files of the folder are written by hand
and stay as they are.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from pathlib import Path

import pysam

HERE = Path(__file__).resolve().parent
FIXED_COLUMNS = 9


def wanted_files(manifest: Path) -> dict[str, tuple[str, list[str]]]:
    """Return the file names to cut, each with its assembly and its samples in the order of the manifest."""
    files: dict[str, tuple[str, list[str]]] = {}
    with manifest.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle, delimiter="\t"):
            if row["origin"].startswith("1000 Genomes"):
                files.setdefault(row["file"], (row["assembly"], []))[1].append(row["sample"])
    return files


def cut(source: Path, samples: list[str]) -> str:
    """Return the VCF text of `source` with the columns of `samples` only.

    Raises
    ------
    SystemExit
        The source lacks a sample.
    """
    lines: list[str] = []
    columns: list[int] = []
    with gzip.open(source, "rt", encoding="utf-8") as handle:
        for line in handle:
            if line.startswith("##"):
                if not line.startswith("##bcftools_"):
                    lines.append(line)
                continue
            fields = line.rstrip("\n").split("\t")
            if line.startswith("#CHROM"):
                missing = [name for name in samples if name not in fields]
                if missing:
                    raise SystemExit(f"{source}: no sample {', '.join(missing)}")
                columns = [*range(FIXED_COLUMNS), *(fields.index(name) for name in samples)]
            lines.append("\t".join(fields[column] for column in columns) + "\n")
    return "".join(lines)


def write(text: str, target: Path) -> None:
    """Write `text` to `target`; compressed and indexed where its name ends in `.gz`."""
    if target.suffix != ".gz":
        target.write_text(text, encoding="utf-8", newline="\n")
        return
    plain = target.with_suffix("")
    plain.write_text(text, encoding="utf-8", newline="\n")
    pysam.tabix_compress(str(plain), str(target), force=True)
    pysam.tabix_index(str(target), preset="vcf", force=True)
    plain.unlink()


def main() -> int:
    """Cut every 1000 Genomes file that the manifest names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="folder of the derived.1kgp3_peddy files")
    parser.add_argument(
        "target", type=Path, nargs="?", default=HERE, help="folder to write to (default: here)"
    )
    options = parser.parse_args()
    for name, (assembly, samples) in wanted_files(HERE / "manifest.tsv").items():
        source = options.source / f"derived.1kgp3_peddy.{assembly}.vcf.gz"
        write(cut(source, samples), options.target / name)
        sys.stderr.write(f"{name}: {', '.join(samples)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
