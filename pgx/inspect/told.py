"""What an inspection holds (fields as in the JSON), what a call would still need, and the text of both."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pgx.calling import CallOptions, E4Status, Reason, default_population
from pgx.calling.call import call
from pgx.errors import printable
from pgx.genome import Assembly, AssemblyEvidence, assemblies
from pgx.inputs import CONSUMER, error_rate_of
from pgx.observe import DETERMINED_STATES, EvidenceKind, Observation, ReadSummary, SiteState
from pgx.reference import threshold
from pgx.wording import wording

_READ_KINDS = frozenset({"bam", "cram"})
_WIDTH = 80
#: How the first line of a text is set in, and the others.
_ITEM, _BESIDE, _BELOW = ("  - ", "    "), ("  ", "      "), ("    ", "      ")


class FileFacts(Struct, frozen=True, kw_only=True):
    """The input itself: what it is and how the sites were found this time."""

    path: str
    kind: str  # "vcf", "gvcf", "bcf", "copy-number" or one of another input
    container: str
    reference_blocks: bool  # whether a block of a gVCF stands at a site
    compression: str  # "plain", "gzip" (which cannot be indexed), "bgzip" or "own"
    size: int | None  # bytes; None for a stream or a URL
    modified: str | None
    index: str | None
    index_is_stale: bool
    access: str  # "index", "search" or "scan"
    unsorted: bool
    malformed_fields: tuple[str, ...] = ()


class Need(Struct, frozen=True, kw_only=True):
    """Something that a call would still need, or (`optional`) that would make reading easier."""

    code: str  # a state of a site, a reason of a call, or a fact of the file ("index", "assembly" ...)
    optional: bool
    what: str
    command: str | None  # what to type; None where no program can help
    samples: tuple[str, ...] = ()  # those it concerns; none: the whole file


class InspectedAssembly(Struct, frozen=True):
    """The assembly that was found."""

    name: str | None  # None where it is unknown or contradicted
    problem: str | None  # why, then
    evidence: tuple[AssemblyEvidence, ...]


class InspectedSite(Struct, frozen=True, kw_only=True):
    """What stands at one site for one sample, on the assembly on which it was looked up."""

    rsid: str
    assembly: str
    contig: str | None
    position: int  # 1-based
    state: SiteState
    alleles: tuple[str, str] | None
    phased: bool
    basis: EvidenceKind | None  # the field that says how sure the genotype is
    depth: int | None
    genotype_quality: float | None
    filter: str | None
    records: tuple[str, ...]  # raw lines, shortened, with this sample's column only
    notes: tuple[str, ...]


class InspectedNeighbours(Struct, frozen=True):
    """What an estimate is worth, as measured with no more positions; None below the least measured."""

    known: int  # positions around the sites
    positions: int  # those of the panel
    r2_e4: float | None  # squared correlation of the estimated copies of ε4 with the true ones
    determined: float | None  # share of people with a diplotype from 0.99 on


class InspectedSample(Struct, frozen=True, kw_only=True):
    """The sites of one sample, on each assembly that may be the one."""

    sample: str
    sites: tuple[InspectedSite, ...]
    neighbours: InspectedNeighbours | None = None  # where the assembly is decided and the panel has it
    reads: ReadSummary | None = None  # for a BAM or CRAM


class Inspection(Struct, frozen=True):
    """All of it."""

    schema_version: str
    file: FileFacts
    assembly: InspectedAssembly
    sample_count: int
    sample_names: tuple[str, ...]  # the first few
    samples: tuple[InspectedSample, ...]  # those that were looked at
    needs: tuple[Need, ...]


def file_needs(facts: FileFacts, candidates: Sequence[Assembly], *, decided: bool) -> Iterator[Need]:
    """Yield what the file as such lacks: the assembly (needed), an index or an order (faster with it)."""
    file = "FILE" if facts.path == "-" else shlex.quote(facts.path)
    if not decided:
        names = [item.name for item in candidates or assemblies()]
        yield _need("assembly", file=file, first=names[0], names=", ".join(names))
    if facts.path == "-" or facts.kind == CONSUMER:
        return
    index, force = "tabix -p vcf", "tabix -f -p vcf"
    if facts.container == "BCF":
        index, force = "bcftools index", "bcftools index -f"
    code = None if facts.index else "index"
    if facts.kind in _READ_KINDS:
        index = "samtools index"
    elif facts.unsorted:
        code = "sorting"
    elif facts.compression in {"plain", "gzip"}:
        code = {"plain": "compression", "gzip": "plain-gzip"}[facts.compression]
    elif facts.index_is_stale:
        code = "stale-index"
    if code:
        stem = facts.path.removesuffix(".gz").removesuffix(".vcf")
        zipped, new = (shlex.quote(name) for name in (f"{facts.path}.gz", f"{stem}.bgzip.vcf.gz"))
        need = _need(code, optional=True, file=file, index=index, force=force, zipped=zipped, new=new)
        yield replace(need, command=None) if code == "compression" and facts.container == "BCF" else need


def sample_needs(
    facts: FileFacts, looked_at: Sequence[tuple[str, tuple[Observation, ...]]]
) -> tuple[Need, ...]:
    """Return what stands in the way of a call for these samples; the same need of several is told once."""
    found: dict[tuple[str, str], Need] = {}
    for name, observations in looked_at:
        for need in _needs_of(facts, observations):
            earlier = found.get((need.code, need.what), need)
            found[need.code, need.what] = replace(need, samples=(*earlier.samples, name))
    return tuple(found.values())


def _needs_of(facts: FileFacts, observations: tuple[Observation, ...]) -> Iterator[Need]:
    file = "FILE" if facts.path == "-" else shlex.quote(facts.path)
    if facts.kind == "copy-number":
        yield _need("copy-number")
        return
    for seen in observations:
        code = seen.state.value
        if seen.state is SiteState.ABSENT and seen.ref is None:
            code = "absent-unknown-base"
        if facts.kind == CONSUMER and wording().has("inspect", f"need-{code}-consumer"):
            code = f"{code}-consumer"
        if seen.state not in DETERMINED_STATES:
            # an rsID may sit elsewhere than its site
            contig, position = (seen.record or f"chr19\t{seen.position}").split("\t")[:2]
            yield _need(code, file=file, region=shlex.quote(f"{contig}:{position}"), rsid=seen.rsid)
    usual = CallOptions(default_population(), threshold("min_probability"), error_rate_of(facts.kind))
    result = call(observations, usual)
    if result.diplotype is not None and result.e4_status is not E4Status.INDETERMINATE:
        return
    weak = (note.values["sites"] for note in result.findings if note.code == "low-certainty")
    sites = next(weak, ", ".join(seen.rsid for seen in observations))
    for reason in (Reason.PHASE, Reason.RARE_HAPLOTYPE, Reason.LOW_CERTAINTY):  # which no site state explains
        if reason in result.not_determined_because:
            reads = reason is Reason.PHASE and facts.kind in _READ_KINDS
            need = _need("phase-reads" if reads else reason.value, file=file, sites=sites)
            yield replace(need, command=None) if facts.kind == CONSUMER else need


def _need(code: str, *, optional: bool = False, **values: object) -> Need:
    key, words = f"command-{code}", wording()
    command = words.say("inspect", key, **values) if words.has("inspect", key) else None
    return Need(code=code, optional=optional, what=_say(f"need-{code}", **values), command=command)


def as_text(found: Inspection) -> str:
    """Return the text, ending with a newline."""
    told, parts = [], (_file_lines, _assembly_lines, _sample_lines, _need_lines)
    for key, lines in zip(("file", "assembly", "samples", "needs"), parts, strict=True):
        title = _say(f"heading-{key}")
        told.append("\n".join([title, "-" * len(title), *lines(found)]))
    return "\n\n".join(told) + "\n"


def _say(key: str, **values: object) -> str:
    return wording().say("inspect", key, **values)


def _wrapped(text: str, first: str = "", rest: str = "  ") -> str:
    wrapper = textwrap.TextWrapper(_WIDTH, first, rest, break_on_hyphens=False, break_long_words=False)
    return wrapper.fill(text)


def _line(key: str, **values: object) -> str:
    return _wrapped(_say(key, **values))


def _file_lines(found: Inspection) -> Iterator[str]:
    file = found.file
    yield _line("path", path=printable(file.path))
    kind = _say("kind-blocks", kind=file.container) if file.reference_blocks else file.container
    size = _say("no-size") if file.size is None else _say("bytes", count=file.size)
    yield _line("kind", kind=kind, compression=_say(f"compression-{file.compression}"), size=size)
    if file.kind == "copy-number":
        yield _line("copy-number")
    index = "index-none" if file.index is None else "index-stale" if file.index_is_stale else "index"
    yield _line(index, index=printable(file.index or ""))
    yield _line(f"access-{file.access}")
    if file.unsorted:
        yield _line("unsorted")
    yield from (_wrapped(printable(line)) for line in file.malformed_fields)


def _assembly_lines(found: Inspection) -> Iterator[str]:
    assembly = found.assembly
    problem, key = printable(assembly.problem or "", 400), "assembly" if assembly.name else "assembly-open"
    yield _line(key, assembly=assembly.name, problem=problem)
    if not assembly.evidence:
        yield _line("no-clues")
    for clue in assembly.evidence:
        kind, detail = _say(f"clue-{clue.kind}"), printable(clue.detail)
        yield _wrapped(_say("clue", assembly=clue.assembly, kind=kind, detail=detail), *_ITEM)


def _sample_lines(found: Inspection) -> Iterator[str]:
    names = ", ".join(printable(name, 60) for name in found.sample_names)
    more = "" if len(found.sample_names) == found.sample_count else ", ..."
    yield _line("samples", count=found.sample_count, names=names + more)
    for sample in found.samples:
        yield from ("", printable(sample.sample, _WIDTH))
        yield from (_wrapped(line, *_BESIDE) for line in _beside(sample))
        for site in sample.sites:
            place = f"{printable(site.contig, 40)}:{site.position}" if site.contig else str(site.position)
            if found.assembly.name is None:
                place = _say("on-assembly", place=place, assembly=site.assembly)
            letters = ("|" if site.phased else "/").join(site.alleles or ())
            values = {"rsid": site.rsid, "place": place, "state": wording().say("state", site.state)}
            yield _wrapped(_say("site-letters" if letters else "site", **values, letters=letters), *_BESIDE)
            yield from (_wrapped(_say("record", record=record), *_BELOW) for record in site.records)
            yield from (_wrapped(printable(note, 400), *_BELOW) for note in site.notes)


def _beside(sample: InspectedSample) -> Iterator[str]:
    if sample.reads is not None:
        depths = ", ".join(f"{rsid} {depth}" for rsid, depth in sample.reads.depth.items())
        yield _say("reads", depths=depths, both=sample.reads.templates_both)
        if sample.reads.dropped:
            parts = [f"{_say(f'dropped-{reason}')} {count}" for reason, count in sample.reads.dropped.items()]
            yield _say("dropped", list=", ".join(parts))
    if not sample.sites:
        yield _say("no-sites")
    if (around := sample.neighbours) is not None:
        counted = _say("neighbours", known=around.known, positions=around.positions)
        worth = _say("neighbours-few" if around.known else "neighbours-none")
        if around.r2_e4 is not None and around.determined is not None:
            share = f"{100 * around.determined:.0f}"
            worth = _say("neighbours-worth", r2=f"{around.r2_e4:.2f}", determined=share)
        yield f"{counted} {worth}"


def _need_lines(found: Inspection) -> Iterator[str]:
    shown = tuple(sample.sample for sample in found.samples)
    if all(need.optional for need in found.needs):
        yield _line("no-needs")
    for optional in (False, True):
        needs = [need for need in found.needs if need.optional is optional]
        if optional and needs:
            yield from ("", _line("helpful"))
        for need in needs:
            names = ", ".join(printable(name, 60) for name in need.samples)
            is_of_all = not need.samples or need.samples == shown
            what = need.what if is_of_all else _say("for-samples", what=need.what, names=names)
            yield _wrapped(what, *_ITEM)
            if need.command is not None:
                yield f"      {printable(need.command, 400)}"
