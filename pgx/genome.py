"""Assemblies, the two sites and four haplotypes on them, and how an input shows which assembly it uses."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from pgx.errors import AssemblyError, UsageError
from pgx.reference import FactFile, Facts, load

AUTO = "auto"
CHROMOSOMES = (*map(str, range(1, 23)), "X", "Y")


class Assembly(Facts, frozen=True, kw_only=True):
    """One assembly: names, length (bases) and MD5 of its chromosome 19, and tags by which headers call it."""

    name: str
    synonyms: tuple[str, ...]
    contigs: tuple[str, ...]
    accessions: tuple[str, ...]
    length: int
    chromosomes: tuple[int, ...]  # their lengths, in the order of `CHROMOSOMES`
    reference_base_known: bool
    tags: tuple[str, ...]
    m5: tuple[str, ...] = ()

    def is_named_in(self, text: str) -> bool:
        """Return whether `text` (a header value, a path) calls the assembly by one of its tags."""
        return any(re.search(tag, text, re.IGNORECASE) for tag in self.tags)


class _AssemblyFile(FactFile, frozen=True, kw_only=True):
    assembly: tuple[Assembly, ...]


class AssemblyEvidenceKind(StrEnum):
    """What an assembly was recognised by, the most telling first."""

    CONTIG_LENGTH, CONTIG_DIGEST, CONTIG_NAME = "contig-length", "contig-digest", "contig-name"
    ASSEMBLY_TAG, REFERENCE_LINE, RECORDS = "assembly-tag", "reference-line", "records"
    RECORD_LETTERS, OPTION = "record-letters", "option"


class AssemblyEvidence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One reason to think that an input uses `assembly`. Field names are those of the JSON."""

    kind: AssemblyEvidenceKind
    assembly: str
    detail: str


class HeaderFacts(Struct, frozen=True, kw_only=True):
    """What a header says about its assembly, and how the file came about."""

    #: Names of chromosome 19, with length (bases) and assembly attribute where given.
    contigs: tuple[tuple[str, int | None, str | None], ...] = ()
    references: tuple[str, ...] = ()  # values of ##reference and ##assembly
    fields: frozenset[str] = frozenset()  # IDs declared for FORMAT
    history: tuple[str, ...] = ()  # lines that declare nothing, such as commands
    lengths: tuple[tuple[str, str, int], ...] = ()  # of others, by name there and in `CHROMOSOMES`


class AssemblyDecision(Struct, frozen=True, kw_only=True):
    """The assembly that is used, and all the evidence that was seen for one."""

    assembly: Assembly
    evidence: tuple[AssemblyEvidence, ...]


def assemblies() -> tuple[Assembly, ...]:
    """Return all assemblies of reference/assemblies.toml, in its order."""
    return load("assemblies.toml", _AssemblyFile).assembly


@functools.cache
def contig_names() -> tuple[str, ...]:
    """Return every name of chromosome 19, over all assemblies, without repeats."""
    return tuple(dict.fromkeys(name for assembly in assemblies() for name in assembly.contigs))


@functools.lru_cache(maxsize=64)
def find_assembly(name: str) -> Assembly:
    """Return the assembly called `name` or a synonym, whatever the case; if there is none, a `UsageError`."""
    for assembly in assemblies():
        if name.lower() in {known.lower() for known in (assembly.name, *assembly.synonyms)}:
            return assembly
    known = ", ".join(assembly.name for assembly in assemblies())
    raise UsageError(f"unknown assembly '{name}'", where="--assembly", cure=f"Use {AUTO}, or one of {known}")


@functools.lru_cache(maxsize=64)
def header_evidence(facts: HeaderFacts) -> tuple[AssemblyEvidence, ...]:
    """Return what the header gives away; a value that names two assemblies is no evidence."""
    kinds = AssemblyEvidenceKind
    found: list[AssemblyEvidence] = []
    for name, length, tag in facts.contigs:
        of_length = (known for known in assemblies() if known.length == length)
        found += _clues(kinds.CONTIG_LENGTH, of_length, f"contig {name} has the length {length}")
        of_name = (known for known in assemblies() if name in known.accessions)
        found += _clues(kinds.CONTIG_NAME, of_name, f"contig name {name}")
        found += _named_in(tag or "", kinds.ASSEMBLY_TAG, f"contig {name}, assembly={tag}")
    shown = {item.assembly for item in found}
    for contig, chromosome, length in facts.lengths:  # the first that speaks for another assembly
        place = CHROMOSOMES.index(chromosome)
        new = [known for known in assemblies() if known.chromosomes[place] == length]
        new = [known for known in new if known.name not in shown]
        shown |= {known.name for known in new}
        found += _clues(kinds.CONTIG_LENGTH, new, f"contig {contig} has the length {length}")
    for value in facts.references:
        found += _named_in(value, kinds.REFERENCE_LINE, value)
    return tuple(sorted(found, key=lambda item: list(kinds).index(item.kind)))


def _clues(kind: AssemblyEvidenceKind, of: Iterable[Assembly], detail: str) -> list[AssemblyEvidence]:
    return [AssemblyEvidence(kind=kind, assembly=assembly.name, detail=detail) for assembly in of]


def _named_in(text: str, kind: AssemblyEvidenceKind, detail: str) -> list[AssemblyEvidence]:
    named = [assembly for assembly in assemblies() if assembly.is_named_in(text)]
    return _clues(kind, named, detail) if len(named) == 1 else []


def digest_evidence(name: str, digest: str | None) -> tuple[AssemblyEvidence, ...]:
    """Return what the MD5 of chromosome 19 (M5 of @SQ) gives away; an unknown one is no evidence."""
    known = (assembly for assembly in assemblies() if digest and digest.lower() in assembly.m5)
    return tuple(_clues(AssemblyEvidenceKind.CONTIG_DIGEST, known, f"contig {name} has the M5 {digest}"))


def decide(
    requested: str, header: Sequence[AssemblyEvidence], records: Sequence[AssemblyEvidence], *, where: str
) -> AssemblyDecision:
    """Decide on the assembly of the input `where`; one that is contradicted or unknown is an `AssemblyError`.

    The header decides; records decide where it is silent. `requested` (a name, or "auto") settles a
    header that contradicts itself or is silent, but never overrules one that is clear. Records that spell
    both sites of another assembly contradict either. (Our rsIDs at the positions of another assembly are
    no error here: they forbid the call, and the report says so.)
    """
    if requested == AUTO:
        names, evidence = _names(header or records), [*header, *records]
        if len(names) != 1:
            what = "the assembly cannot be told from the header or the records"
            cure = "Name it with --assembly GRCh37 or --assembly GRCh38"
            if names:
                said = "; ".join(f"{item.assembly}: {item.detail}" for item in header or records)
                what = (
                    f"{'the header names' if header else 'the records name'} more than one assembly ({said})"
                )
                cure = f"Name the right one with --assembly {' or --assembly '.join(names)}"
            raise AssemblyError(what, where=where, cure=cure)
        chosen = find_assembly(names[0])
    else:
        chosen = find_assembly(requested)
        option = _clues(AssemblyEvidenceKind.OPTION, [chosen], f"--assembly {requested}")
        evidence = [*option, *header, *records]
        if header and chosen.name not in _names(header):
            said = f"the header says {header[0].assembly} ({header[0].detail})"
            cure = "Leave --assembly out, or give the file that belongs to it"
            raise AssemblyError(f"--assembly says {chosen.name}, {said}", where=where, cure=cure)
    spelled = [item for item in records if item.kind is AssemblyEvidenceKind.RECORD_LETTERS]
    if spelled and chosen.name not in _names(records):
        subject = evidence[0].detail if requested != AUTO else f"the header ({evidence[0].detail})"
        what = f"{subject} says {chosen.name}, the records say {spelled[0].assembly} ({spelled[0].detail})"
        cure = "Correct the header or the option, or make the file again from its source"
        raise AssemblyError(what, where=where, cure=cure)
    return AssemblyDecision(assembly=chosen, evidence=tuple(evidence))


def _names(evidence: Iterable[AssemblyEvidence]) -> list[str]:
    return list(dict.fromkeys(item.assembly for item in evidence))


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


class _SiteFile(FactFile, frozen=True, kw_only=True):
    gene: str
    hgnc: str
    transcript: str
    letters: tuple[str, str]
    site: tuple[SiteDefinition, SiteDefinition]


class Haplotype(Facts, frozen=True, kw_only=True):
    """A haplotype: its name (ASCII, "e4"), its letters and amino acids in the order of the sites."""

    name: str
    letters: tuple[str, str]
    residues: tuple[str, str]


class _HaplotypeFile(FactFile, frozen=True, kw_only=True):
    counted: str
    rare: tuple[str, ...]
    haplotype: tuple[Haplotype, ...]


class Site(Struct, frozen=True):
    """A site placed on one assembly."""

    rsid: str
    position: int  # 1-based
    ref: str | None  # as `alt` on the plus strand; None where the base is not known (T2T-CHM13)
    alt: str | None
    letters: tuple[str, str]  # they tell the haplotypes apart; the assembly's own first where it is known
    counted: tuple[str, str]  # the same: genotypes are counted in copies of the second on every assembly


def gene() -> str:
    """Return the symbol of the gene."""
    return load("sites.toml", _SiteFile).gene


def definitions() -> tuple[SiteDefinition, SiteDefinition]:
    """Return the two site definitions, in report order."""
    return load("sites.toml", _SiteFile).site


@functools.cache
def rsids() -> tuple[str, ...]:
    """Return the rsIDs of the two sites, in report order."""
    return tuple(definition.rsid for definition in definitions())


def letters() -> tuple[str, str]:
    """Return the two letters that occur at both sites; genotypes are counted in copies of the second."""
    return load("sites.toml", _SiteFile).letters


@functools.cache
def sites_on(assembly: Assembly) -> tuple[Site, Site]:
    """Return both sites as they lie on `assembly`, in report order."""
    sites = []
    for site in definitions():
        ref, alt = (site.ref, site.alt) if assembly.reference_base_known else (None, None)
        pair = (ref, alt) if ref and alt else letters()
        sites.append(Site(site.rsid, site.positions[assembly.name], ref, alt, pair, letters()))
    return sites[0], sites[1]


@functools.cache
def positions() -> tuple[int, ...]:
    """Return the 1-based positions of both sites on every assembly, ascending."""
    return tuple(sorted(site.positions[each.name] for site in definitions() for each in assemblies()))


def haplotypes() -> tuple[Haplotype, ...]:
    """Return the four haplotypes, lower number first."""
    return load("haplotypes.toml", _HaplotypeFile).haplotype


def counted_haplotype() -> str:
    """Return the haplotype whose copies make the status ("e4")."""
    return load("haplotypes.toml", _HaplotypeFile).counted


def rare_haplotypes() -> tuple[str, ...]:
    """Return the haplotypes that are flagged wherever they are called."""
    return load("haplotypes.toml", _HaplotypeFile).rare
