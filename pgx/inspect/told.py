"""What an inspection holds, what a call would still need with the command for it, and the text of both.

Everything from the file is made fit for a terminal, at 80 columns.
"""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from pgx.calling import CallOptions, E4Status, Reason, call, default_population
from pgx.errors import printable
from pgx.genome import Assembly, AssemblyEvidence, assemblies
from pgx.inputs import CONSUMER, error_rate_of
from pgx.observe import EvidenceKind, Observation, ReadSummary, SiteState
from pgx.reference import threshold
from pgx.wording import wording

_STREAM = "-"
#: States that leave a site unused, and what the command for it begins with; {file}, {region} are filled in.
_SITE_COMMANDS = {
    SiteState.ABSENT: "pgx annotate {file} --callable REGIONS.bed",
    SiteState.FILTERED: "pgx annotate {file} --keep-filtered",
    SiteState.CONFLICTING: "bcftools view -H -t {region} {file}",
    SiteState.UNSUPPORTED: "bcftools view -H -t {region} {file}",
    SiteState.NO_CALL: None,
    SiteState.PARTIAL_CALL: None,
    SiteState.LOW_QUALITY: None,
    SiteState.NO_READS: None,
}
_READ_KINDS = frozenset({"bam", "cram"})
_CONSUMER_NEEDS = frozenset({"absent-consumer", "no-call-consumer"})
#: Reasons of an open call that no site state explains.
_REASON_COMMANDS = {
    Reason.PHASE: "whatshap phase -r REFERENCE.fa -o PHASED.vcf {file} READS.bam",
    Reason.RARE_HAPLOTYPE: None,
    Reason.LOW_CERTAINTY: None,
}


class FileFacts(Struct, frozen=True, kw_only=True):
    """The input itself.

    Attributes
    ----------
    kind
        "vcf", "gvcf", "bcf" or "copy-number".
    container
        "VCF" or "BCF".
    reference_blocks
        A reference block of a gVCF stands at a site.
    compression
        "plain", "gzip" (cannot be indexed) or "bgzip".
    size
        Bytes; None for a stream or a URL.
    index
        Path of the index beside it, or None; `index_is_stale` where it is older than the data.
    access
        "index", "search" or "scan": how the sites were found this time.
    """

    path: str
    kind: str
    container: str
    reference_blocks: bool
    compression: str
    size: int | None
    modified: str | None
    index: str | None
    index_is_stale: bool
    access: str
    unsorted: bool
    malformed_fields: tuple[str, ...] = ()


class Need(Struct, frozen=True, kw_only=True):
    """Something that a call would still need, or that would make reading easier.

    Attributes
    ----------
    code
        A state of a site, a reason of a call, or a fact of the file ("index", "assembly" ...).
    optional
        The call can be made without it.
    command
        What to type, or None where no program can help.
    samples
        Whom of the samples shown it concerns; empty for the whole file.
    """

    code: str
    optional: bool
    what: str
    command: str | None
    samples: tuple[str, ...] = ()


class InspectedAssembly(Struct, frozen=True, kw_only=True):
    """The assembly; `name` is None where it is unknown or contradicted, and `problem` then says why."""

    name: str | None
    problem: str | None
    evidence: tuple[AssemblyEvidence, ...]


class InspectedSite(Struct, frozen=True, kw_only=True):
    """What stands at one site for one sample.

    Attributes
    ----------
    assembly
        The one on which the site was looked up; several where it is not decided.
    position
        1-based.
    alleles
        Both letters, or None.
    basis
        The field that says how sure the genotype is (PL, GQ, GT ...), or None.
    records
        The raw lines, shortened, with this sample's column only.
    """

    rsid: str
    assembly: str
    contig: str | None
    position: int
    state: SiteState
    alleles: tuple[str, str] | None
    phased: bool
    basis: EvidenceKind | None
    depth: int | None
    genotype_quality: float | None
    filter: str | None
    records: tuple[str, ...]
    notes: tuple[str, ...]


class InspectedNeighbours(Struct, frozen=True, kw_only=True):
    """How many positions around the sites are known, and what an estimate from as many is worth.

    Attributes
    ----------
    known, positions
        Of this sample, and of the panel.
    r2_e4, determined
        Squared correlation of the estimated copies of ε4 with the true ones, and the share of people with a
        diplotype from 0.99 on, as measured with no more positions than these; None below the least measured.
    """

    known: int
    positions: int
    r2_e4: float | None
    determined: float | None


class InspectedSample(Struct, frozen=True, kw_only=True):
    """The sites of one sample.

    Attributes
    ----------
    neighbours
        Where the assembly is decided and the panel has it.
    reads
        What aligned reads show, where the input is a BAM or CRAM.
    """

    sample: str
    sites: tuple[InspectedSite, ...]
    neighbours: InspectedNeighbours | None = None
    reads: ReadSummary | None = None


class Inspection(Struct, frozen=True, kw_only=True):
    """All of it. `sample_names` are the first few of `sample_count`; `samples` those that were looked at."""

    schema_version: str
    file: FileFacts
    assembly: InspectedAssembly
    sample_count: int
    sample_names: tuple[str, ...]
    samples: tuple[InspectedSample, ...]
    needs: tuple[Need, ...]


def file_needs(facts: FileFacts, candidates: Sequence[Assembly], *, decided: bool) -> Iterable[Need]:
    """Yield what the file as such lacks: the assembly (needed), an index or an order (faster with it)."""
    file = _quoted(facts.path)
    if not decided:
        names = [item.name for item in candidates or assemblies()]
        yield _need(
            "assembly",
            command=f"pgx annotate {file} --assembly {names[0]}",
            names=", ".join(names),
        )
    index = "bcftools index" if facts.container == "BCF" else "tabix -p vcf"
    force = "bcftools index -f" if facts.container == "BCF" else "tabix -f -p vcf"
    if facts.path == _STREAM or facts.kind == CONSUMER:
        return
    if facts.kind in _READ_KINDS:
        if facts.index is None:
            yield _need("index", optional=True, command=f"samtools index {file}")
        return
    if facts.unsorted:
        yield _need("sorting", optional=True, command=f"bcftools sort -O z -o SORTED.vcf.gz {file}")
    elif facts.compression == "plain":
        zipped = _quoted(f"{facts.path}.gz")
        command = f"bgzip -k {file} && {index} {zipped}"
        yield _need("compression", optional=True, command=command if facts.container == "VCF" else None)
    elif facts.compression == "gzip":
        stem = facts.path.removesuffix(".gz")
        new = _quoted(f"{stem.removesuffix('.vcf')}.bgzip.vcf.gz")
        yield _need(
            "plain-gzip", optional=True, command=f"gunzip -c {file} | bgzip > {new} && tabix -p vcf {new}"
        )
    elif facts.index_is_stale:
        yield _need("stale-index", optional=True, command=f"{force} {file}")
    elif facts.index is None:
        yield _need("index", optional=True, command=f"{index} {file}")


def sample_needs(
    facts: FileFacts, looked_at: Sequence[tuple[str, tuple[Observation, ...]]]
) -> tuple[Need, ...]:
    """Return what stands in the way of a call for these samples; the same need of several is told once."""
    found: dict[tuple[str, str], Need] = {}
    for name, observations in looked_at:
        for need in _needs_of(facts, observations):
            key = need.code, need.what
            earlier = found.get(key)
            samples = (*(earlier.samples if earlier else ()), name)
            found[key] = Need(
                code=need.code, optional=False, what=need.what, command=need.command, samples=samples
            )
    return tuple(found.values())


def _needs_of(facts: FileFacts, observations: tuple[Observation, ...]) -> Iterable[Need]:
    file = _quoted(facts.path)
    reasons, sites = _open_reasons(observations, facts.kind)
    if facts.kind == "copy-number":
        yield _need("copy-number", command=None)
        return
    for seen in observations:
        if seen.state not in _SITE_COMMANDS:
            continue
        command, code = _SITE_COMMANDS[seen.state], seen.state.value
        if seen.state is SiteState.ABSENT and seen.ref is None:
            command, code = None, "absent-unknown-base"
        if facts.kind == CONSUMER and f"{code}-consumer" in _CONSUMER_NEEDS:
            command, code = None, f"{code}-consumer"
        yield _need(
            code,
            command=command.format(file=file, region=_region(seen)) if command else None,
            rsid=seen.rsid,
        )
    for reason, command in _REASON_COMMANDS.items():
        if reason in reasons and facts.kind in {CONSUMER, *_READ_KINDS}:
            code = "phase-reads" if reason is Reason.PHASE and facts.kind != CONSUMER else reason.value
            yield _need(code, command=None, sites=sites)
        elif reason in reasons:
            yield _need(reason.value, command=command.format(file=file) if command else None, sites=sites)


def _region(seen: Observation) -> str:
    """Return where the record stands: an rsID may sit elsewhere than its site."""
    contig, position = (seen.record or f"chr19\t{seen.position}").split("\t")[:2]
    return shlex.quote(f"{contig}:{position}")


def _open_reasons(observations: tuple[Observation, ...], kind: str) -> tuple[tuple[Reason, ...], str]:
    """Return why a call with the usual options would leave something open, and the sites that are weak."""
    result = call(
        observations,
        CallOptions(
            population=default_population(),
            min_probability=threshold("min_probability"),
            allele_error_rate=error_rate_of(kind),
        ),
    )
    weak = (note.values["sites"] for note in result.findings if note.code == "low-certainty")
    sites = next(weak, ", ".join(seen.rsid for seen in observations))
    settled = result.diplotype is not None and result.e4_status is not E4Status.INDETERMINATE
    return () if settled else result.not_determined_because, sites


def _need(code: str, *, command: str | None, optional: bool = False, **values: object) -> Need:
    return Need(
        code=code,
        optional=optional,
        what=wording().say("inspect", f"need-{code}", **values),
        command=command,
    )


def _quoted(path: str) -> str:
    return "FILE" if path == _STREAM else shlex.quote(path)


_WIDTH = 80


def as_text(found: Inspection) -> str:
    """Return the text, ending with a newline."""
    parts = [
        _section("file", _file_lines(found)),
        _section("assembly", _assembly_lines(found)),
        _section("samples", _sample_lines(found)),
        _section("needs", _need_lines(found)),
    ]
    return "\n\n".join(parts) + "\n"


def _say(key: str, **values: object) -> str:
    return wording().say("inspect", key, **values)


def _section(key: str, lines: Iterable[str]) -> str:
    title = _say(f"heading-{key}")
    return "\n".join([title, "-" * len(title), *lines])


def _wrapped(text: str, indent: str = "", hang: str = "  ") -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent) + hang,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _file_lines(found: Inspection) -> Iterator[str]:
    file = found.file
    yield _wrapped(_say("path", path=printable(file.path)))
    kind = _say("kind-blocks", kind=file.container) if file.reference_blocks else file.container
    size = _say("bytes", count=file.size) if file.size is not None else _say("no-size")
    yield _wrapped(_say("kind", kind=kind, compression=_say(f"compression-{file.compression}"), size=size))
    if file.kind == "copy-number":
        yield _wrapped(_say("copy-number"))
    if file.index is None:
        yield _wrapped(_say("index-none"))
    else:
        key = "index-stale" if file.index_is_stale else "index"
        yield _wrapped(_say(key, index=printable(file.index)))
    yield _wrapped(_say(f"access-{file.access}"))
    if file.unsorted:
        yield _wrapped(_say("unsorted"))
    yield from (_wrapped(printable(line)) for line in file.malformed_fields)


def _assembly_lines(found: Inspection) -> Iterator[str]:
    assembly = found.assembly
    if assembly.name is not None:
        yield _wrapped(_say("assembly", assembly=assembly.name))
    else:
        yield _wrapped(_say("assembly-open", problem=printable(assembly.problem or "", 400)))
    if not assembly.evidence:
        yield _wrapped(_say("no-clues"))
    for clue in assembly.evidence:
        yield _wrapped(
            _say(
                "clue", assembly=clue.assembly, kind=_say(f"clue-{clue.kind}"), detail=printable(clue.detail)
            ),
            indent="  - ",
            hang="",
        )


def _sample_lines(found: Inspection) -> Iterator[str]:
    names = ", ".join(printable(name, 60) for name in found.sample_names)
    more = "" if len(found.sample_names) == found.sample_count else ", ..."
    yield _wrapped(_say("samples", count=found.sample_count, names=names + more))
    for sample in found.samples:
        yield ""
        yield from _sites(sample, several=found.assembly.name is None)


def _sites(sample: InspectedSample, *, several: bool) -> Iterator[str]:
    yield printable(sample.sample, _WIDTH)
    if sample.reads is not None:
        yield from _reads(sample.reads)
    if not sample.sites:
        yield _wrapped(_say("no-sites"), indent="  ")
    if sample.neighbours is not None:
        yield _wrapped(_neighbours_line(sample.neighbours), indent="  ", hang="    ")
    for site in sample.sites:
        yield _wrapped(_site_line(site, several=several), indent="  ", hang="    ")
        for record in site.records:
            yield _wrapped(_say("record", record=record), indent="    ")
        for note in site.notes:
            yield _wrapped(printable(note, 400), indent="    ")


def _reads(reads: ReadSummary) -> Iterator[str]:
    """Yield what the reads of a sample hold, and what of them was not used."""
    depths = ", ".join(f"{rsid} {depth}" for rsid, depth in reads.depth.items())
    yield _wrapped(_say("reads", depths=depths, both=reads.templates_both), indent="  ", hang="    ")
    if reads.dropped:
        parts = [f"{_say(f'dropped-{reason}')} {count}" for reason, count in reads.dropped.items()]
        yield _wrapped(_say("dropped", list=", ".join(parts)), indent="  ", hang="    ")


def _neighbours_line(around: InspectedNeighbours) -> str:
    counted = _say("neighbours", known=around.known, positions=around.positions)
    if around.r2_e4 is None or around.determined is None:
        return f"{counted} {_say('neighbours-few' if around.known else 'neighbours-none')}"
    worth = _say("neighbours-worth", r2=f"{around.r2_e4:.2f}", determined=f"{100 * around.determined:.0f}")
    return f"{counted} {worth}"


def _site_line(site: InspectedSite, *, several: bool) -> str:
    place = f"{printable(site.contig, 40)}:{site.position}" if site.contig else str(site.position)
    where = _say("on-assembly", place=place, assembly=site.assembly) if several else place
    state = wording().say("state", site.state)
    if site.alleles is None:
        return _say("site", rsid=site.rsid, place=where, state=state)
    letters = ("|" if site.phased else "/").join(site.alleles)
    return _say("site-letters", rsid=site.rsid, place=where, state=state, letters=letters)


def _need_lines(found: Inspection) -> Iterator[str]:
    needed = [need for need in found.needs if not need.optional]
    if not needed:
        yield _wrapped(_say("no-needs"))
    shown = tuple(sample.sample for sample in found.samples)
    for need in needed:
        yield from _need_line(need, shown)
    helpful = [need for need in found.needs if need.optional]
    if helpful:
        yield ""
        yield _wrapped(_say("helpful"))
    for need in helpful:
        yield from _need_line(need, shown)


def _need_line(need: Need, shown: tuple[str, ...]) -> Iterator[str]:
    what = need.what
    if need.samples and need.samples != shown:
        names = ", ".join(printable(name, 60) for name in need.samples)
        what = _say("for-samples", what=what, names=names)
    yield _wrapped(what, indent="  - ", hang="")
    if need.command is not None:
        yield f"      {printable(need.command, 400)}"
