"""The two sites and the four haplotypes, loaded from reference/."""

from __future__ import annotations

import functools

from msgspec import Struct

from pgx.genome.assemblies import Assembly, assemblies
from pgx.reference import Facts, Provenance, load


class SiteDefinition(Facts, frozen=True, kw_only=True):
    """A site as reference/sites.toml has it: 1-based positions by assembly, plus-strand alleles."""

    rsid: str
    hgvs_c: str
    hgvs_p: str
    hgvs_g: str
    clinvar: str
    ref: str
    alt: str
    vrs: dict[str, str]
    positions: dict[str, int]


class _SiteFile(Facts, frozen=True, kw_only=True):
    provenance: Provenance
    gene: str
    hgnc: str
    transcript: str
    letters: tuple[str, str]
    site: tuple[SiteDefinition, SiteDefinition]


class _Haplotype(Facts, frozen=True, kw_only=True):
    name: str
    letters: tuple[str, str]
    residues: tuple[str, str]


class _HaplotypeFile(Facts, frozen=True, kw_only=True):
    provenance: Provenance
    counted: str
    rare: tuple[str, ...]
    haplotype: tuple[_Haplotype, ...]


class Site(Struct, frozen=True, kw_only=True):
    """A site placed on one assembly.

    position
        1-based.
    ref, alt
        Alleles on the plus strand; None where the base of the assembly is not known (T2T-CHM13).
    letters
        The two letters that tell the haplotypes apart, the assembly's own first where it is known.
    counted
        The same two letters; genotypes are counted in copies of the second, whatever the assembly has.
    """

    rsid: str
    position: int
    ref: str | None
    alt: str | None
    letters: tuple[str, str]
    counted: tuple[str, str]


class Haplotype(Struct, frozen=True, kw_only=True):
    """A haplotype: its name (ASCII, "e4") and its letters in the order of the sites."""

    name: str
    letters: tuple[str, str]


@functools.cache
def _site_file() -> _SiteFile:
    return load("sites.toml", _SiteFile)


@functools.cache
def _haplotype_file() -> _HaplotypeFile:
    return load("haplotypes.toml", _HaplotypeFile)


def gene() -> str:
    """Return the symbol of the gene."""
    return _site_file().gene


def definitions() -> tuple[SiteDefinition, SiteDefinition]:
    """Return the two site definitions, in report order."""
    return _site_file().site


def rsids() -> tuple[str, ...]:
    """Return the rsIDs of the two sites, in report order."""
    return tuple(definition.rsid for definition in definitions())


def letters() -> tuple[str, str]:
    """Return the two letters that occur at both sites; genotypes are counted in copies of the second."""
    return _site_file().letters


@functools.cache
def sites_on(assembly: Assembly) -> tuple[Site, Site]:
    """Return both sites as they lie on `assembly`, in report order."""
    first, second = (_place(definition, assembly) for definition in definitions())
    return first, second


def _place(definition: SiteDefinition, assembly: Assembly) -> Site:
    known = assembly.reference_base_known
    return Site(
        rsid=definition.rsid,
        position=definition.positions[assembly.name],
        ref=definition.ref if known else None,
        alt=definition.alt if known else None,
        letters=(definition.ref, definition.alt) if known else letters(),
        counted=letters(),
    )


@functools.cache
def positions() -> tuple[int, ...]:
    """Return the 1-based positions of both sites on every assembly, ascending."""
    return tuple(
        sorted(
            definition.positions[assembly.name] for definition in definitions() for assembly in assemblies()
        )
    )


@functools.cache
def haplotypes() -> tuple[Haplotype, ...]:
    """Return the four haplotypes, lower number first."""
    return tuple(Haplotype(name=item.name, letters=item.letters) for item in _haplotype_file().haplotype)


def counted_haplotype() -> str:
    """Return the haplotype whose copies make the status ("e4")."""
    return _haplotype_file().counted


def rare_haplotypes() -> tuple[str, ...]:
    """Return the haplotypes that are flagged wherever they are called."""
    return _haplotype_file().rare
