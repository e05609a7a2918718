"""What an estimate from the neighbours costs one person, in processor time beside the reading of the sites.

    python benchmarks/bench_neighbours.py             prints a line
    python benchmarks/bench_neighbours.py --write     fills docs/neighbours.md with it as well
    python benchmarks/bench_neighbours.py --quick     one process

A made person with all positions of the panel and both sites, with reads and likelihoods; a new process for
each measurement, numpy imported before.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pysam
from tables import arguments, fill, origin

from pgx.genome import assemblies, definitions
from pgx.neighbours.panel import panel

TIMES = 9
ASSEMBLY = "GRCh37"
_HEADER = """##fileformat=VCFv4.2
##contig=<ID=19,length={length}>
##FILTER=<ID=PASS,Description="All filters passed">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Reads by allele">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Reads">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Quality">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="Likelihoods">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tMADE
"""
_FIELDS = ("0/0:30,0:30:90:0,90,900", "0/1:15,15:30:99:450,0,450", "1/1:0,30:30:90:900,90,0")
_PROBE = """
import json, sys, time, numpy
from pgx.options import Options
from pgx.single import annotate

def cost(mode):
    start = time.process_time()
    (report,) = annotate(sys.argv[1], Options(neighbours=mode)).samples
    assert mode == "off" or report.neighbours.markers_used == int(sys.argv[2])
    return (time.process_time() - start) * 1000

cost("off")  # what any sample needs
print(json.dumps([cost("off"), cost("always"), cost("always")]))
"""


def made(folder: Path) -> Path:
    """Write a person whose two haplotypes are the two most frequent classes of the panel."""
    source = panel()
    common = sorted(range(len(source.counts)), key=lambda number: -sum(source.counts[number]))[:2]
    rows = [
        (marker.positions[ASSEMBLY], marker, sum(int(source.alleles[one][number]) for one in common))
        for number, marker in enumerate(source.markers)
    ]
    rows += [(site.positions[ASSEMBLY], site, 0) for site in definitions()]
    length = next(item.length for item in assemblies() if item.name == ASSEMBLY)
    path = folder / "made.vcf"
    path.write_text(
        _HEADER.format(length=length)
        + "".join(
            f"19\t{position}\t{of.rsid}\t{of.ref}\t{of.alt}\t50\tPASS\t.\tGT:AD:DP:GQ:PL\t{_FIELDS[copies]}\n"
            for position, of, copies in sorted(rows, key=lambda row: row[0])
        )
    )
    return Path(pysam.tabix_index(str(path), preset="vcf"))


def main() -> None:
    """Measure, print, and fill the document if asked to."""
    asked = arguments(__doc__)
    times = 1 if asked.quick else TIMES
    with tempfile.TemporaryDirectory() as folder:
        path = made(Path(folder))
        command = [sys.executable, "-c", _PROBE, str(path), str(len(panel().markers))]
        rows = [
            json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(times)
        ]
    off, first, later = (statistics.median(column) for column in zip(*rows, strict=True))
    told = (
        f"With {len(panel().markers)} positions known, with their reads and likelihoods, the first person of"
        f" a process costs {first - off:.0f} ms of processor time beside the reading of the sites (their"
        f" records are read and the model is planned), the next {later - off:.0f} ms (median of {times})."
    )
    print(told)
    if asked.write:
        fill("neighbours.md", "cost", f"{told}\n\n{origin()}", asked.docs)


if __name__ == "__main__":
    main()
