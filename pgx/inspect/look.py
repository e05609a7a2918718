"""Read an input and lay open what stands there. A contradiction is shown, not raised."""

from __future__ import annotations

from collections.abc import Sequence

from pgx.errors import AssemblyError, SampleError, printable
from pgx.genome.assemblies import (
    AUTO,
    Assembly,
    AssemblyDecision,
    AssemblyEvidence,
    assemblies,
    decide,
    header_evidence,
)
from pgx.genome.sites import sites_on
from pgx.inspect.model import AssemblyLook, Clue, FileFacts, Inspection, SampleLook, SiteLook
from pgx.inspect.needs import file_needs, sample_needs
from pgx.observe import (
    Finding,
    Observation,
    ObserveOptions,
    ReadContext,
    SitePile,
    SiteRecord,
    observe,
    pile_up,
    record_evidence,
)
from pgx.report import SCHEMA_VERSION
from pgx.vcf import VcfContent, read_sites
from pgx.wording import wording

SHOWN_SAMPLES = 3
SHOWN_NAMES = 5
_SHOWN_RECORDS = 3
_COLUMN = 28
_COMPRESSIONS = {"NONE": "plain", "GZIP": "gzip", "BGZF": "bgzip"}


def inspect(path: str, samples: Sequence[str] = (), assembly: str = AUTO) -> Inspection:
    """Look at the input `path` ("-" for standard input).

    Parameters
    ----------
    samples
        Whose sites to show; the first few of the file unless given.
    assembly
        A name, or "auto".

    Raises
    ------
    UsageError, InputError
        `assembly` is no assembly, the input cannot be read, or has no such sample. An unknown or
        contradicted assembly is no error here.
    """
    content = read_sites(path)
    columns = _columns(content, samples)
    clues = (*header_evidence(content.header), *record_evidence(content.records, content.contigs))
    decision, problem = _decision(content, assembly)
    on = [decision.assembly] if decision else _candidates(content, clues)
    piles = [
        (place, [pile_up(content.records, site, content.contigs) for site in sites_on(place)]) for place in on
    ]
    facts = _facts(content, [pile for _, group in piles for pile in group])
    context = ReadContext(options=ObserveOptions(), gl_is_phred=content.gl_is_phred)
    seen = [
        (name, [(place, observe(group, column, context)) for place, group in piles])
        for column, name in columns
    ]
    people = [(name, found[0][1]) for name, found in seen] if decision else []
    return Inspection(
        schema_version=SCHEMA_VERSION,
        file=facts,
        assembly=AssemblyLook(
            name=decision.assembly.name if decision else None,
            problem=problem,
            evidence=tuple(
                Clue(kind=item.kind.value, assembly=item.assembly, detail=item.detail)
                for item in (decision.evidence if decision else clues)
            ),
        ),
        sample_count=len(content.samples),
        sample_names=content.samples[:SHOWN_NAMES],
        samples=tuple(
            SampleLook(
                sample=name,
                sites=tuple(_site(item, place) for place, group in found for item in group),
            )
            for name, found in seen
        ),
        needs=(*file_needs(facts, on, decided=decision is not None), *sample_needs(facts, people)),
    )


def _columns(content: VcfContent, wanted: Sequence[str]) -> list[tuple[int, str]]:
    column = {name: index for index, name in enumerate(content.samples)}
    unknown = [name for name in wanted if name not in column]
    if unknown:
        shown = ", ".join(content.samples[:SHOWN_NAMES])
        more = " ..." if len(content.samples) > SHOWN_NAMES else ""
        raise SampleError(
            f"no sample '{unknown[0]}'", where=content.facts.path, cure=f"The file has: {shown}{more}"
        )
    names = list(dict.fromkeys(wanted)) or content.samples[:SHOWN_SAMPLES]
    return [(column[name], name) for name in names]


def _decision(content: VcfContent, assembly: str) -> tuple[AssemblyDecision | None, str | None]:
    """Return the assembly, or what stands against deciding on one."""
    header = header_evidence(content.header)
    records = record_evidence(content.records, content.contigs)
    try:
        return decide(assembly, header, records, where=content.facts.path), None
    except AssemblyError as error:
        return None, error.what


def _candidates(content: VcfContent, clues: Sequence[AssemblyEvidence]) -> list[Assembly]:
    """Return the assemblies that something speaks for, or on which a record covers a site."""
    named = {clue.assembly for clue in clues}
    return [
        assembly
        for assembly in assemblies()
        if assembly.name in named or any(_covers(record, content, assembly) for record in content.records)
    ]


def _covers(record: SiteRecord, content: VcfContent, assembly: Assembly) -> bool:
    return record.contig in content.contigs and any(
        record.position <= site.position <= record.end for site in sites_on(assembly)
    )


def _facts(content: VcfContent, piles: Sequence[SitePile]) -> FileFacts:
    facts = content.facts
    return FileFacts(
        path=facts.path,
        kind=facts.kind,
        reference_blocks=any(pile.blocks for pile in piles),
        compression=_COMPRESSIONS.get(facts.compression, facts.compression.lower()),
        size=facts.size,
        modified=facts.modified,
        index=facts.index,
        index_is_stale=facts.stale_index,
        access=facts.access,
        unsorted=facts.unsorted,
    )


def _site(seen: Observation, assembly: Assembly) -> SiteLook:
    lines = seen.record.split("\n") if seen.record else []
    return SiteLook(
        rsid=seen.rsid,
        assembly=assembly.name,
        contig=seen.contig,
        position=seen.position,
        state=seen.state.value,
        alleles=seen.alleles,
        phased=seen.phase is not None,
        basis=seen.evidence.kind.value if seen.evidence else None,
        depth=seen.depth,
        genotype_quality=seen.genotype_quality,
        filter=seen.filter,
        records=tuple(_shortened(line) for line in lines[:_SHOWN_RECORDS]),
        notes=tuple(
            wording().say("flag", f"{note.code}-info" if note.critical is False else note.code, **note.values)
            for note in _unique(seen.findings)
        ),
    )


def _unique(findings: Sequence[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for finding in findings:
        if finding not in kept:
            kept.append(finding)
    return kept


def _shortened(line: str) -> str:
    """Return a raw line with long columns cut, fit for a terminal, columns separated by a space."""
    return " ".join(printable(column, _COLUMN) for column in line.split("\t"))
