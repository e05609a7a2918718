"""What an input is, what it says at each site, and what a call would still need, with the command for it.

Nothing is decided here: a contradiction is shown, not raised. Field names are those of the JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec.structs import replace

from pgx.errors import AssemblyError, printable
from pgx.genome import (
    AUTO,
    Assembly,
    AssemblyDecision,
    AssemblyEvidence,
    assemblies,
    decide,
    header_evidence,
    sites_on,
)
from pgx.inputs import CONSUMER, READS, Input, assembly_of, columns_of, kind_of, read_other
from pgx.inspect.told import (
    FileFacts,
    InspectedAssembly,
    InspectedNeighbours,
    InspectedSample,
    InspectedSite,
    Inspection,
    Need,
    file_needs,
    sample_needs,
)
from pgx.neighbours.estimate import MarkerReader, has_positions
from pgx.neighbours.panel import worth
from pgx.observe import (
    Observation,
    ReadContext,
    SiteRecord,
    SiteRecords,
    input_kind,
    observe,
    record_evidence,
    records_at,
)
from pgx.observe.sample_record import header_says
from pgx.reference import threshold
from pgx.report import SCHEMA_VERSION, unique
from pgx.vcf import Bounds, Neighbours, VcfContent, read_with_neighbours
from pgx.wording import wording

SHOWN_SAMPLES = 3
SHOWN_NAMES = 5
_SHOWN_RECORDS = 3
_COLUMN = 28
_COMPRESSIONS = {"OWN": "own", "NONE": "plain", "GZIP": "gzip", "BGZF": "bgzip"}


def inspect(
    path: str,
    samples: Sequence[str] = (),
    assembly: str = AUTO,
    bounds: Bounds | None = None,
    reference: Path | None = None,
) -> Inspection:
    """Look at the input `path` ("-" for standard input).

    Parameters
    ----------
    samples
        Whose sites to show; the first few of the file unless given.
    assembly
        A name, or "auto".
    bounds
        What the input may take; those of reference/ unless given.
    reference
        The FASTA of a CRAM.

    Raises
    ------
    UsageError, InputError
        `assembly` is no assembly, the input cannot be read, or has no such sample. An unknown or
        contradicted assembly is no error here, but for aligned reads, which lie nowhere without one.
    """
    kind = kind_of(path)
    if kind == READS:
        return _of_reads(read_other(path, kind, assembly=assembly, reference=reference), samples)
    if kind == CONSUMER:
        content, neighbours = read_other(path, kind).content, None
    else:
        content, neighbours = read_with_neighbours(path, bounds)
    columns = _columns(content, samples)
    clues = (*header_evidence(content.header), *record_evidence(content.records, content.contigs))
    decision, problem = _decision(content, assembly)
    on = [decision.assembly] if decision else _candidates(content, clues)
    at_sites = [
        (place, [records_at(content.records, site, content.contigs) for site in sites_on(place)])
        for place in on
    ]
    facts = _facts(content, [records for _, group in at_sites for records in group])
    seen = _seen(content, at_sites, columns)
    around = _neighbours(content, neighbours, decision.assembly, columns) if decision and neighbours else {}
    decided = [(name, found[0][1]) for name, found in seen] if decision else []
    named = InspectedAssembly(
        name=decision.assembly.name if decision else None,
        problem=problem,
        evidence=decision.evidence if decision else clues,
    )
    shown = (
        InspectedSample(
            sample=name,
            neighbours=around.get(name),
            sites=tuple(_site(item, place) for place, group in found for item in group),
        )
        for name, found in seen
    )
    needs = (*file_needs(facts, on, decided=decision is not None), *sample_needs(facts, decided))
    return _inspection(content, facts, named, shown, needs)


def _seen(
    content: VcfContent,
    at_sites: Sequence[tuple[Assembly, list[SiteRecords]]],
    columns: Sequence[tuple[int, str]],
) -> list[tuple[str, list[tuple[Assembly, tuple[Observation, ...]]]]]:
    """Return what each sample shows at the sites, on each assembly that may be the one."""
    context = ReadContext(
        contig="",
        gl_is_phred=content.gl_is_phred,
        absence_is_stated=header_says(content.header.history, "absence-stated"),
        is_lifted=header_says(content.header.history, "lifted"),
    )
    return [
        (name, [(place, observe(group, column, context)) for place, group in at_sites])
        for column, name in columns
    ]


def _inspection(
    content: VcfContent,
    facts: FileFacts,
    assembly: InspectedAssembly,
    samples: Iterable[InspectedSample],
    needs: tuple[Need, ...],
) -> Inspection:
    return Inspection(
        schema_version=SCHEMA_VERSION,
        file=facts,
        assembly=assembly,
        sample_count=len(content.samples),
        sample_names=content.samples[:SHOWN_NAMES],
        samples=tuple(samples),
        needs=needs,
    )


def _of_reads(source: Input, wanted: Sequence[str]) -> Inspection:
    """Return what a file of aligned reads is, and what its reads say."""
    content, decision = source.content, assembly_of(source, AUTO)
    place, facts = decision.assembly, _facts(content, ())
    seen = [(name, source.settle(name, ())) for _, name in _columns(content, wanted)]
    shown = []
    for name, settled in seen:
        first, *others = settled.observations  # what holds for both sites is told at the first
        told = (replace(first, findings=(*first.findings, *settled.findings)), *others)
        sites = tuple(_site(item, place) for item in told)
        shown.append(InspectedSample(sample=name, sites=sites, reads=settled.reads))
    looked_at = [(name, settled.observations) for name, settled in seen]
    needs = (*file_needs(facts, [place], decided=True), *sample_needs(facts, looked_at))
    named = InspectedAssembly(name=place.name, problem=None, evidence=decision.evidence)
    return _inspection(content, facts, named, shown, needs)


def _columns(content: VcfContent, wanted: Sequence[str]) -> list[tuple[int, str]]:
    columns = columns_of(content, wanted)
    return [(column, content.samples[column]) for column in (columns if wanted else columns[:SHOWN_SAMPLES])]


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


def _neighbours(
    content: VcfContent, read: Neighbours, assembly: Assembly, columns: Sequence[tuple[int, str]]
) -> dict[str, InspectedNeighbours]:
    """Return what is known around the sites by sample; nothing on an assembly that the panel has not."""
    if not has_positions(assembly.name):
        return {}
    context = ReadContext(contig="", gl_is_phred=content.gl_is_phred)
    error = threshold("allele_error_rate")
    reader = MarkerReader(read(), content.contigs, assembly.name, context, error)
    found = {}
    for column, name in columns:
        genotypes = reader.genotypes(column)
        count = sum(one is not None for one in genotypes)
        value = worth(count)
        found[name] = InspectedNeighbours(
            known=count,
            positions=len(genotypes),
            r2_e4=value.r2_e4 if value else None,
            determined=value.determined if value else None,
        )
    return found


def _covers(record: SiteRecord, content: VcfContent, assembly: Assembly) -> bool:
    return record.contig in content.contigs and any(
        record.position <= site.position <= record.end for site in sites_on(assembly)
    )


def _facts(content: VcfContent, at_sites: Sequence[SiteRecords]) -> FileFacts:
    facts = content.facts
    return FileFacts(
        path=facts.path,
        kind=input_kind(facts.kind, content.header.fields, at_sites),
        container=facts.kind,
        reference_blocks=any(records.blocks for records in at_sites),
        compression=_COMPRESSIONS.get(facts.compression, facts.compression.lower()),
        size=facts.size,
        modified=facts.modified,
        index=facts.index,
        index_is_stale=facts.stale_index,
        access=facts.access,
        unsorted=facts.unsorted,
        malformed_fields=tuple(
            wording().say("flag", "malformed-field", field=field, place=place)
            for field, place in facts.read_as_text
        ),
    )


def _site(seen: Observation, assembly: Assembly) -> InspectedSite:
    lines = seen.record.split("\n") if seen.record else []
    return InspectedSite(
        rsid=seen.rsid,
        assembly=assembly.name,
        contig=seen.contig or None,
        position=seen.position,
        state=seen.state,
        alleles=seen.alleles,
        phased=seen.phased,
        basis=seen.basis,
        depth=seen.depth,
        genotype_quality=seen.genotype_quality,
        filter=seen.filter,
        records=tuple(_shortened(line) for line in lines[:_SHOWN_RECORDS]),
        notes=tuple(
            wording().say("flag", f"{note.code}-info" if note.critical is False else note.code, **note.values)
            for note in unique(seen.findings)
        ),
    )


def _shortened(line: str) -> str:
    """Return a raw line with long columns cut, fit for a terminal, columns separated by a space."""
    return " ".join(printable(column, _COLUMN) for column in line.split("\t"))
