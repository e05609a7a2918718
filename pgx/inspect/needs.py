"""What a call would still need, with the command for it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from msgspec import Struct

from pgx.calling import CallOptions, E4Status, Reason, call, default_population
from pgx.genome import Assembly, assemblies
from pgx.inputs import CONSUMER
from pgx.observe import Observation, SiteState
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
        "index" or "scan": how the sites were found this time.
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
    reasons, sites = _open_reasons(observations)
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


def _open_reasons(observations: tuple[Observation, ...]) -> tuple[tuple[Reason, ...], str]:
    """Return why a call with the usual options would leave something open, and the sites that are weak."""
    result = call(
        observations,
        CallOptions(
            population=default_population(),
            min_probability=threshold("min_probability"),
            allele_error_rate=threshold("allele_error_rate"),
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
