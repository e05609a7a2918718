"""Beagle on the same people, folds and positions: the two sites are imputed from the other four folds."""

from __future__ import annotations

import gzip
import itertools
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pgx.calling import diplotype_name, diplotypes
from pgx.genome import definitions, haplotypes

if TYPE_CHECKING:
    from neighbours import Fold, Said, Study

_HEAD = "##fileformat=VCFv4.2\n##contig=<ID=19>\n"
_FORMAT = '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
#: What makes Beagle fit so short a window: the map, fewer ancestors, our misread rate, no estimation of it.
_TUNED = ("ne=4000", "err=0.002", "em=false")
_CENTIMORGAN_PER_MEGABASE = 100.0


class Beagle:
    """Runs the jar; the alleles at the two sites are taken as independent given its probabilities."""

    def __init__(self, jar: Path, study: Study) -> None:
        """Keep the program and the people."""
        self.jar, self.study = jar, study

    def ask(self, *, tuned: bool) -> Said:
        """Return the posterior of ten diplotypes for every person who is asked."""
        from neighbours import Said  # noqa: PLC0415 - each of the two knows the other

        size, names = len(self.study.region.names), len(diplotypes())
        said = Said(np.zeros((size, names)), np.zeros(size), np.ones(size, np.intp))
        for fold in self.study.folds:
            with tempfile.TemporaryDirectory() as folder:
                said.posterior[fold.people] = self._one_fold(fold, Path(folder), tuned=tuned)
        return said

    def _one_fold(self, fold: Fold, folder: Path, *, tuned: bool) -> NDArray[np.float64]:
        self._write(folder / "panel.vcf.gz", fold, np.flatnonzero(fold.taught), sites=True)
        self._write(folder / "asked.vcf.gz", fold, fold.people, sites=False)
        (folder / "map").write_text(
            "".join(
                f"19 . {at / 1e6 * _CENTIMORGAN_PER_MEGABASE:.6f} {at}\n" for at in (45_000_000, 46_000_000)
            )
        )
        command = ["java", "-Xmx1g", "-jar", str(self.jar), "nthreads=1", "seed=1", "gp=true", "ap=true"]
        command += [f"ref={folder}/panel.vcf.gz", f"gt={folder}/asked.vcf.gz", f"out={folder}/out"]
        if tuned:
            command += [f"map={folder}/map", *_TUNED]
        subprocess.run(command, check=True, capture_output=True)
        by_site = list(_alternate_chances(folder / "out.vcf.gz"))
        return np.array([_diplotypes(first, second) for first, second in zip(*by_site, strict=True)])

    def _write(self, path: Path, fold: Fold, people: NDArray[np.intp], *, sites: bool) -> None:
        region = self.study.region
        rows = [
            (
                region.markers[number].positions["GRCh37"],
                region.markers[number].rsid,
                region.markers[number].ref,
                region.markers[number].alt,
                region.alleles[number, people],
            )
            for number in fold.markers
        ]
        if sites:
            letters = np.array([haplotype.letters for haplotype in haplotypes()])
            for place, site in enumerate(definitions()):
                carried = (letters[:, place] == site.alt)[region.labels[people]].astype(int)
                rows.append((site.positions["GRCh37"], site.rsid, site.ref, site.alt, carried))
        between = "|" if sites else "/"
        with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as handle:
            names = "\t".join(region.names[person] for person in people)
            handle.write(f"{_HEAD}{_FORMAT}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{names}\n")
            for at, rsid, ref, alt, alleles in sorted(rows, key=lambda row: row[0]):
                pairs = alleles if sites else np.sort(alleles, axis=1)
                cells = "\t".join(f"{one}{between}{other}" for one, other in pairs.tolist())
                handle.write(f"19\t{at}\t{rsid}\t{ref}\t{alt}\t.\tPASS\t.\tGT\t{cells}\n")


def _alternate_chances(path: Path) -> Iterator[list[tuple[float, float]]]:
    """Yield for each site the probability of ALT on both chromosomes of each person (AP1, AP2)."""
    sites = {site.positions["GRCh37"] for site in definitions()}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            cells = line.rstrip("\n").split("\t")
            if line.startswith("#") or int(cells[1]) not in sites:
                continue
            keys = cells[8].split(":")
            one, other = keys.index("AP1"), keys.index("AP2")
            yield [(float(cell.split(":")[one]), float(cell.split(":")[other])) for cell in cells[9:]]


def _diplotypes(first: tuple[float, float], second: tuple[float, float]) -> Sequence[float]:
    """Return the probability of each diplotype from those of ALT at both sites on both chromosomes."""
    by_chromosome = []
    for one, other in zip(first, second, strict=True):
        chance = []
        for haplotype in haplotypes():
            shown = [a == site.alt for a, site in zip(haplotype.letters, definitions(), strict=True)]
            chance.append((one if shown[0] else 1 - one) * (other if shown[1] else 1 - other))
        by_chromosome.append(chance)
    found = dict.fromkeys((diplotype_name(pair) for pair in diplotypes()), 0.0)
    for (a, one), (b, other) in itertools.product(*(enumerate(chance) for chance in by_chromosome)):
        pair = (haplotypes()[min(a, b)], haplotypes()[max(a, b)])
        found[diplotype_name(pair)] += one * other
    return list(found.values())
