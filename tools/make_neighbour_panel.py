"""Make the panel of haplotypes around APOE (reference/neighbours_*.tsv) from phased genotypes.

    python tools/make_neighbour_panel.py region.vcf.gz people.tsv

`region.vcf.gz` holds phased biallelic records on GRCh37, both sites among them; `people.tsv` has the columns
`sample` and `super_pop`. The rule, with its numbers, stands in reference/neighbours.toml. Nobody's haplotype
gets into the table alone: classes that were seen once are left out.
"""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from pgx import reference
from pgx.genome import definitions, find_assembly, haplotypes
from pgx.neighbours.panel import CLASSES, MARKERS, Marker, centre, settings

_ASSEMBLIES = ("GRCh37", "GRCh38", "NCBI36")
_STRAND_BLIND = ({"A", "T"}, {"C", "G"})
_COUNTED = ("e4", "e2")  # the haplotypes whose r2 ranks a marker


class Region(Struct, frozen=True, kw_only=True):
    """Phased genotypes of n people at s positions.

    Attributes
    ----------
    names
        Of the n people.
    groups
        Super-population of each, shape (n,).
    markers
        All s positions but the two sites.
    alleles
        0 for REF, 1 for ALT, shape (s, n, 2).
    labels
        The number of the haplotype (order of `pgx.genome.haplotypes`) on each chromosome, shape (n, 2).
    """

    names: tuple[str, ...]
    groups: NDArray[np.str_]
    markers: tuple[Marker, ...]
    alleles: NDArray[np.uint8]
    labels: NDArray[np.intp]


def read_region(region: Path, people: Path) -> Region:
    """Read phased genotypes and the super-population of each person."""
    with people.open(encoding="utf-8", newline="") as handle:
        group = {row["sample"]: row["super_pop"] for row in csv.DictReader(handle, delimiter="\t")}
    first = definitions()[0].positions
    offsets = {name: first[name] - first["GRCh37"] for name in _ASSEMBLIES}
    sites = {site.positions["GRCh37"]: site.rsid for site in definitions()}
    markers, alleles, at_site = [], [], {}
    names: tuple[str, ...] = ()
    with gzip.open(region, "rt", encoding="utf-8") as lines:
        for line in lines:
            cells = line.rstrip("\n").split("\t")
            if cells[0] == "#CHROM":
                names = tuple(cells[9:])
            if line.startswith("#"):
                continue
            position, rsid, ref, alt = int(cells[1]), cells[2], cells[3], cells[4]
            phased = np.frombuffer("".join(cells[9:]).encode(), np.uint8).reshape(-1, 3)
            if not (phased[:, 1] == ord("|")).all():
                raise SystemExit(f"{rsid}: a genotype is not phased")
            pair = phased[:, ::2] - ord("0")
            if position in sites:
                at_site[sites[position]] = np.array([ref, alt])[pair]
                continue
            places = {name: position + offset for name, offset in offsets.items()}
            markers.append(Marker(rsid=rsid, ref=ref, alt=alt, positions=places))
            alleles.append(pair)
    letters = np.stack([at_site[site.rsid] for site in definitions()], axis=-1)
    labels = np.zeros(letters.shape[:2], np.intp)
    for number, haplotype in enumerate(haplotypes()):
        labels[(letters == np.array(haplotype.letters)).all(axis=-1)] = number
    return Region(
        names=names,
        groups=np.array([group[name] for name in names]),
        markers=tuple(markers),
        alleles=np.array(alleles),
        labels=labels,
    )


def choose_markers(region: Region, chosen: NDArray[np.bool_]) -> list[int]:
    """Return the positions that the rule takes, as indices in order of position.

    Within the window, no A/T and no C/G; ranked by the sum over super-populations of r2 with e4 and with e2,
    among the `chosen` people, shape (n,).
    """
    rule = settings().rule
    middle = centre("GRCh37")
    candidates = [
        number
        for number, marker in enumerate(region.markers)
        if abs(marker.positions["GRCh37"] - middle) <= rule.window
        and {marker.ref, marker.alt} not in _STRAND_BLIND
    ]
    names = [haplotype.name for haplotype in haplotypes()]
    score = np.zeros(len(candidates))
    for group in np.unique(region.groups):
        people = chosen & (region.groups == group)
        if people.any():
            seen = region.alleles[candidates][:, people].reshape(len(candidates), -1).astype(float)
            for counted in _COUNTED:
                score += _r2(seen, (region.labels[people] == names.index(counted)).ravel().astype(float))
    best = sorted(range(len(candidates)), key=lambda number: -score[number])[: rule.markers]
    return sorted(candidates[number] for number in best)


def _r2(rows: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared correlation of each row with `other`; 0 where one of them does not vary."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    other = other - other.mean()
    spread = (rows**2).sum(axis=1) * (other**2).sum()
    return np.divide((rows @ other) ** 2, spread, out=np.zeros(len(rows)), where=spread > 0)


def count_classes(
    region: Region, markers: list[int], chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Return the haplotype classes seen often enough, shape (k, m), and their counts, shape (k, 4)."""
    seen = region.alleles[markers][:, chosen].reshape(len(markers), -1).T
    classes, number = np.unique(seen, axis=0, return_inverse=True)
    counts = np.zeros((len(classes), len(haplotypes())), np.intp)
    np.add.at(counts, (number.ravel(), region.labels[chosen].ravel()), 1)
    kept = counts.sum(axis=1) >= settings().rule.min_copies
    return classes[kept], counts[kept]


def main(region_path: str, people_path: str) -> None:
    """Write both tables into reference/."""
    region = read_region(Path(region_path), Path(people_path))
    everybody = np.ones(len(region.names), bool)
    markers = choose_markers(region, everybody)
    classes, counts = count_classes(region, markers, everybody)
    order = np.lexsort((*classes.T[::-1], -counts.sum(axis=1)))
    head = "# Made by tools/make_neighbour_panel.py; origin and licence: neighbours.toml.\n"
    rows = ["\t".join(["rsid", "ref", "alt", *_ASSEMBLIES])]
    for number in markers:
        marker = region.markers[number]
        places = [str(marker.positions[find_assembly(name).name]) for name in _ASSEMBLIES]
        rows.append("\t".join([marker.rsid, marker.ref, marker.alt, *places]))
    _write(MARKERS, head + "\n".join(rows) + "\n")
    rows = ["\t".join([*(haplotype.name for haplotype in haplotypes()), "alleles"])]
    rows += ["\t".join([*map(str, counts[k]), "".join(map(str, classes[k]))]) for k in order]
    _write(CLASSES, head + "\n".join(rows) + "\n")
    sys.stderr.write(f"{len(markers)} positions, {len(classes)} classes, {counts.sum()} haplotypes\n")


def _write(name: str, text: str) -> None:
    (reference.root() / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
