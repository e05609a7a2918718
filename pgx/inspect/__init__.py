"""What an input is, what it says at each site, and what a call would still need; a contradiction is shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from pgx.errors import AssemblyError, printable
from pgx.genome import AUTO, Assembly, AssemblyEvidence, assemblies, decide, header_evidence, sites_on
from pgx.inputs import CONSUMER, READS, Input, assembly_of, columns_of, kind_of, read_other
from pgx.inspect import told
from pgx.neighbours.estimate import MarkerReader, has_positions
from pgx.neighbours.panel import worth
from pgx.observe import Observation, ReadContext, SiteRecords
from pgx.observe.sample_record import header_says
from pgx.observe.site import input_kind, observe, record_evidence, records_at
from pgx.reference import threshold
from pgx.report import SCHEMA_VERSION, unique
from pgx.vcf import Bounds, Neighbours, VcfContent, read_with_neighbours
from pgx.wording import wording

SHOWN_SAMPLES, SHOWN_NAMES, SHOWN_RECORDS = 3, 5, 3
_COMPRESSIONS = {"OWN": "own", "NONE": "plain", "GZIP": "gzip", "BGZF": "bgzip"}


def inspect(
    path: str,
    samples: Sequence[str] = (),
    assembly: str = AUTO,
    bounds: Bounds | None = None,
    reference: Path | None = None,
) -> told.Inspection:
    """Look at the input `path` ("-" for standard input) and the sites of `samples`, else its first few.

    `bounds` is what the input may take; `reference` is the FASTA of a CRAM. An unknown or contradicted
    assembly is no error here, but for aligned reads, which lie nowhere without one. A name of none is a
    `UsageError`; an input that cannot be read, or has no such sample, an `InputError`.
    """
    kind = kind_of(path)
    if kind == READS:
        return _of_reads(read_other(path, kind, assembly=assembly, reference=reference), samples)
    if kind == CONSUMER:
        content, neighbours = read_other(path, kind).content, None
    else:
        content, neighbours = read_with_neighbours(path, bounds)
    columns = _columns(content, samples)
    header, records = header_evidence(content.header), record_evidence(content.records, content.contigs)
    decision = None
    try:
        decision = decide(assembly, header, records, where=content.facts.path)
        named = told.InspectedAssembly(decision.assembly.name, None, decision.evidence)
    except AssemblyError as error:
        named = told.InspectedAssembly(None, error.what, (*header, *records))
    on = [decision.assembly] if decision else _candidates(content, named.evidence)
    found, contigs = content.records, content.contigs
    at_sites = [(place, [records_at(found, site, contigs) for site in sites_on(place)]) for place in on]
    facts = _facts(content, [at for _, group in at_sites for at in group])
    context = ReadContext(
        contig="",
        gl_is_phred=content.gl_is_phred,
        absence_is_stated=header_says(content.header.history, "absence-stated"),
        is_lifted=header_says(content.header.history, "lifted"),
    )
    around = _neighbours(content, neighbours, decision.assembly, columns) if decision and neighbours else {}
    shown, decided = [], []
    for column, name in columns:
        seen = [(place, observe(group, column, context)) for place, group in at_sites]
        sites = tuple(_site(item, place) for place, group in seen for item in group)
        shown.append(told.InspectedSample(sample=name, neighbours=around.get(name), sites=sites))
        decided += [(name, seen[0][1])] if decision else []
    needs = (*told.file_needs(facts, on, decided=decision is not None), *told.sample_needs(facts, decided))
    count, names = len(content.samples), content.samples[:SHOWN_NAMES]
    return told.Inspection(SCHEMA_VERSION, facts, named, count, names, tuple(shown), needs)


def _of_reads(source: Input, wanted: Sequence[str]) -> told.Inspection:
    content, decision = source.content, assembly_of(source, AUTO)
    place, facts = decision.assembly, _facts(content, ())
    shown, looked_at = [], []
    for _, name in _columns(content, wanted):
        settled = source.settle(name, ())
        first, *others = settled.observations  # what holds for both sites is told at the first
        first = replace(first, findings=(*first.findings, *settled.findings))
        sites = tuple(_site(item, place) for item in (first, *others))
        shown.append(told.InspectedSample(sample=name, sites=sites, reads=settled.reads))
        looked_at.append((name, settled.observations))
    needs = (*told.file_needs(facts, [place], decided=True), *told.sample_needs(facts, looked_at))
    named = told.InspectedAssembly(place.name, None, decision.evidence)
    count, names = len(content.samples), content.samples[:SHOWN_NAMES]
    return told.Inspection(SCHEMA_VERSION, facts, named, count, names, tuple(shown), needs)


def _columns(content: VcfContent, wanted: Sequence[str]) -> list[tuple[int, str]]:
    columns = columns_of(content, wanted)
    return [(column, content.samples[column]) for column in (columns if wanted else columns[:SHOWN_SAMPLES])]


def _candidates(content: VcfContent, clues: Sequence[AssemblyEvidence]) -> list[Assembly]:
    """Return the assemblies that something speaks for, or on which a record covers a site."""
    named = {clue.assembly for clue in clues}
    spans = [(item.position, item.end) for item in content.records if item.contig in content.contigs]

    def is_covered(assembly: Assembly) -> bool:
        return any(low <= site.position <= high for low, high in spans for site in sites_on(assembly))

    return [assembly for assembly in assemblies() if assembly.name in named or is_covered(assembly)]


def _neighbours(
    content: VcfContent, read: Neighbours, assembly: Assembly, columns: Sequence[tuple[int, str]]
) -> dict[str, told.InspectedNeighbours]:
    """Return what is known around the sites by sample; nothing on an assembly that the panel has not."""
    if not has_positions(assembly.name):
        return {}
    context = ReadContext(contig="", gl_is_phred=content.gl_is_phred)
    reader = MarkerReader(read(), content.contigs, assembly.name, context, threshold("allele_error_rate"))
    found = {}
    for column, name in columns:
        genotypes = reader.genotypes(column)
        count = sum(one is not None for one in genotypes)
        value = worth(count)
        measured = (value.r2_e4, value.determined) if value else (None, None)
        found[name] = told.InspectedNeighbours(count, len(genotypes), *measured)
    return found


def _facts(content: VcfContent, at_sites: Sequence[SiteRecords]) -> told.FileFacts:
    facts, say = content.facts, wording().say
    same = ("path", "size", "modified", "index", "access", "unsorted")
    malformed = (say("flag", "malformed-field", field=field, place=at) for field, at in facts.read_as_text)
    return told.FileFacts(
        **{name: getattr(facts, name) for name in same},
        kind=input_kind(facts.kind, content.header.fields, at_sites),
        container=facts.kind,
        reference_blocks=any(records.blocks for records in at_sites),
        compression=_COMPRESSIONS.get(facts.compression, facts.compression.lower()),
        index_is_stale=facts.stale_index,
        malformed_fields=tuple(malformed),
    )


def _site(seen: Observation, assembly: Assembly) -> told.InspectedSite:
    lines = seen.record.split("\n") if seen.record else []
    same = ("rsid", "position", "state", "alleles", "phased", "basis", "depth", "genotype_quality", "filter")
    return told.InspectedSite(
        **{name: getattr(seen, name) for name in same},
        assembly=assembly.name,
        contig=seen.contig or None,
        records=tuple(  # long columns are cut, and separated by a space
            " ".join(printable(column, 28) for column in line.split("\t")) for line in lines[:SHOWN_RECORDS]
        ),
        notes=tuple(
            wording().say("flag", f"{note.code}-info" if note.critical is False else note.code, **note.values)
            for note in unique(seen.findings)
        ),
    )
