"""One input from start to finish: read, observe, call, match, report; a SampleReport a sample."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from pgx import evidence, reference
from pgx import report as reports
from pgx.calling import CallOptions, DiplotypeCall, E4Status, Reason, estimated, haplotype_frequencies
from pgx.calling.call import call
from pgx.calling.posterior import diplotype_likelihoods, site_data
from pgx.errors import FormatError, InputError, UsageError
from pgx.evidence import ContextReport, EvidenceBase, PatientContext, Response, Subject
from pgx.genome import Assembly, AssemblyDecision, assemblies, sites_on
from pgx.inputs import CONSUMER, STATED, Input, assembly_of, columns_of, error_rate_of, hiding, read_input
from pgx.neighbours import NeighbourReport, is_needed
from pgx.observe import Finding, Observation, ReadContext, SiteRecord, SiteRecords
from pgx.observe.sample_record import header_says
from pgx.observe.site import SMALL_VARIANTS, input_kind, observe, records_at
from pgx.options import Options, Parameters, check_limits, stated
from pgx.report import InputReport, LoadedFile, ReferenceData, Run, SampleReport
from pgx.vcf import Neighbours, VcfContent

if TYPE_CHECKING:
    from pgx.neighbours.estimate import MarkerReader


class Annotation(Struct, frozen=True, kw_only=True):
    """An annotated input: what its samples share, and an iterator over their reports in order."""

    run: Run
    samples: Iterator[SampleReport]


class Around(Struct, frozen=True, dict=True):
    """The neighbours of all samples of an input; they are read when the first sample needs them."""

    read: Neighbours  # returns the records around the sites
    contigs: Sequence[str]
    assembly: str
    context: ReadContext
    allele_error_rate: float
    always: bool  # not only where a site is missing, weak or assumed

    def say(self, seen: tuple[Observation, ...], made: DiplotypeCall, column: int) -> NeighbourReport | None:
        """Return what the neighbours say beside the call of one sample (its 0-based column)."""
        asked = self.always or is_needed(seen, made)
        if not asked or Reason.COORDINATES in made.not_determined_because or self.reader is None:
            return None
        from pgx.neighbours.estimate import opinion  # noqa: PLC0415 - a well-called sample does without

        return opinion(self.reader.genotypes(column), seen, made)

    @property
    def records_read(self) -> tuple[SiteRecord, ...] | None:
        """Return the records around the sites, if a sample needed them."""
        reader = self.__dict__.get("reader")
        return None if reader is None else tuple(reader.records)

    @functools.cached_property
    def reader(self) -> MarkerReader | None:
        """What reads the markers; None where the panel has no positions on the assembly, or without numpy."""
        from pgx.neighbours.estimate import MarkerReader, can_compute, has_positions  # noqa: PLC0415

        if not has_positions(self.assembly) or not (self.always or can_compute()):
            return None
        if not can_compute():
            cure = "Install it: python -m pip install numpy"
            raise UsageError("needs numpy, which cannot be imported", where="--neighbours always", cure=cure)
        try:
            records = self.read()
        except InputError:  # the sites have been read; what lies around them must not end the report
            if self.always:
                raise
            return None
        return MarkerReader(records, self.contigs, self.assembly, self.context, self.allele_error_rate)


class Prepared(Struct, frozen=True, kw_only=True):
    """An input that was read and understood; `report` makes the report of any one of its samples."""

    run: Run
    source: Input
    columns: Sequence[int]  # 0-based, of the samples to report, in order
    names: Sequence[str]  # of the same
    records: tuple[SiteRecords, ...]  # at each site
    context: ReadContext
    rules: CallOptions
    respond: Callable[[E4Status, str | None], tuple[Response, ...]]
    surroundings: ContextReport
    findings: tuple[Finding, ...]  # of the whole input
    around: Around | None  # None where nobody asks for the variants around the sites

    def likelihoods(self, column: int, name: str) -> tuple[float, ...]:
        """Return the likelihood of each of the ten diplotypes for the sample in the 0-based `column`."""
        settled = self.source.settle(name, observe(self.records, column, self.context))
        return diplotype_likelihoods(site_data(settled.observations), self.rules)

    def report(self, column: int, name: str) -> SampleReport:
        """Return the report of the sample in the 0-based `column`."""
        settled = self.source.settle(name, observe(self.records, column, self.context))
        result = call(settled.observations, self.rules)
        if settled.source != result.source:
            result = replace(result, source=settled.source)
        report = reports.assemble(
            name,
            settled.observations,
            result,
            self.respond(result.e4_status, result.diplotype),
            self.surroundings,
            self.run.parameters,
            input_findings=(*settled.findings, *self.findings),
            neighbours=self.around.say(settled.observations, result, column) if self.around else None,
        )
        return report if settled.reads is None else replace(report, reads=settled.reads)


def annotate(path: str | None, options: Options) -> Annotation:
    """Annotate the input `path` ("-" for standard input), or None for a stated genotype.

    Reading and all checks are done, and errors raised, before this returns; the reports are made one by one.
    """
    ready = understood(path, options)
    return Annotation(run=ready.run, samples=map(ready.report, ready.columns, ready.names))


def understood(path: str | None, options: Options) -> Prepared:
    """Read an input and all that its samples share; arguments and errors as of `annotate`."""
    check_options(options)
    source, neighbours = read_input(path, options)
    if options.pseudonymise is not None:
        options = replace(options, samples=tuple(map(hiding(options).name, options.samples)))
    return prepare(source, options, neighbours)


def check_options(options: Options) -> None:
    """Refuse a value that cannot be, an unknown name, or invalid evidence, before anything is read."""
    _parameters(options)  # which reads the key of --pseudonymise, too
    if estimated(options.population) is not None:
        cure = "Name one of pgx list populations"
        raise UsageError("is the name that pgx gives to an estimate", where="--population", cure=cure)
    if options.pseudonymise is not None and options.digest:
        cure = "Leave it or --pseudonymise out"
        raise UsageError("would tell which file it is", where="--digest", cure=cure)
    evidence.load(options.evidence).reported(options.drug)


def prepare(source: Input | VcfContent, options: Options, neighbours: Neighbours | None = None) -> Prepared:
    """Decide on the assembly of an input, sort its records by site, and look up what all samples share."""
    source = Input(content=source) if isinstance(source, VcfContent) else source
    content, decision = source.content, assembly_of(source, options.assembly)
    parameters = _parameters(options, content.facts.kind)
    base = evidence.load(options.evidence)
    columns = columns_of(content, options.samples)
    patient = PatientContext(options.taking, options.history, options.age, options.indication)
    context = _read_context(content, decision, options)
    error = parameters.genotype_error_rate
    records = _records(content, decision.assembly)
    around = None  # then nothing is said of the variants around the sites
    if neighbours is not None and options.neighbours != "off":
        always, assembly = options.neighbours == "always", decision.assembly.name
        around = Around(neighbours, content.contigs, assembly, context, error, always)
    kind = input_kind(content.facts.kind, content.header.fields, records)
    run = _run(content, decision, parameters, base, kind=kind, digest=options.digest)
    if options.pseudonymise is not None:
        clues = hiding(options).clues(decision.evidence)
        run = replace(run, input=replace(run.input, assembly_evidence=clues))
    return Prepared(
        run=run,
        source=source,
        columns=columns,
        names=[content.samples[column] for column in columns] if options.samples else content.samples,
        records=records,
        context=context,
        rules=CallOptions(parameters.population, parameters.min_probability, error),
        respond=functools.partial(_respond, base, options.indication, options.drug),
        surroundings=_surroundings(base, patient, drug=options.drug),
        findings=_input_findings(content, options),
        around=around,
    )


def is_copy_number(content: VcfContent) -> bool:
    """Return whether an input holds copy numbers or ploidy, on whatever assembly."""
    if SMALL_VARIANTS.intersection(content.header.fields):
        return False
    sites = [site for assembly in assemblies() for site in _records(content, assembly)]
    return input_kind(content.facts.kind, content.header.fields, sites) == "copy-number"


def _records(content: VcfContent, assembly: Assembly) -> tuple[SiteRecords, ...]:
    return tuple(records_at(content.records, site, content.contigs) for site in sites_on(assembly))


def _parameters(options: Options, kind: str = "") -> Parameters:
    said = _stated(options, kind)
    return said if options.pseudonymise is None else hiding(options).parameters(said)


@functools.lru_cache(maxsize=1024)
def _stated(options: Options, kind: str) -> Parameters:
    check_limits(options)
    haplotype_frequencies(options.population)  # an unknown name is an error before anything is read
    if options.genotype_error_rate is None:
        options = replace(options, genotype_error_rate=error_rate_of(kind))
    return stated(options)


def _run(
    content: VcfContent,
    decision: AssemblyDecision,
    parameters: Parameters,
    base: EvidenceBase,
    *,
    kind: str,
    digest: bool,
) -> Run:
    facts, file_digest = content.facts, None
    loaded = tuple(LoadedFile(name=name, digest=value) for name, value in base.digests)
    if digest:
        if not Path(facts.path).is_file():
            what, cure = "--digest needs a file, not a stream", "Leave --digest out"
            raise FormatError(what, where=facts.path, cure=cure)
        with Path(facts.path).open("rb") as handle:
            file_digest = f"sha256:{hashlib.file_digest(handle, 'sha256').hexdigest()}"
    return Run(
        schema_version=reports.SCHEMA_VERSION,
        tool=reports.Tool(name="pgx", version=reference.program_version()),
        reference=ReferenceData(release=reference.release(), digest=reference.digest(), evidence=loaded),
        created=reference.now(),
        input=InputReport(
            **{key: getattr(facts, key) for key in ("path", "size", "modified", "header_digest", "access")},
            kind=kind,
            digest=file_digest,
            assembly=decision.assembly.name,
            assembly_evidence=decision.evidence,
        ),
        parameters=parameters,
        appendix=_appendix(base, parameters.drug),
    )


def _read_context(content: VcfContent, decision: AssemblyDecision, options: Options) -> ReadContext:
    regions: Mapping[str, float | None] = {}
    if options.callable_bed is not None:
        names = {*content.contigs, *decision.assembly.contigs}
        from pgx.vcf.bed import callable_sites  # noqa: PLC0415 - few have such a file

        regions = callable_sites(options.callable_bed, sites_on(decision.assembly), names)
    return ReadContext(
        contig=(*content.contigs, *decision.assembly.contigs)[0],
        gl_is_phred=content.gl_is_phred,
        absence_is_stated=header_says(content.header.history, "absence-stated"),
        is_lifted=header_says(content.header.history, "lifted"),
        assume_reference=options.absent_sites == "reference",
        callable_sites=regions,
        keep_filtered=options.keep_filtered,
        min_gq=options.min_gq,
        min_dp=options.min_dp,
    )


_appendix = functools.lru_cache(maxsize=16)(reports.appendix)
_surroundings = functools.lru_cache(maxsize=256)(evidence.context)


@functools.lru_cache(maxsize=1024)
def _respond(
    base: EvidenceBase, indication: str | None, drug: str | None, status: E4Status, diplotype: str | None
) -> tuple[Response, ...]:
    subject = Subject(status=status, diplotype=diplotype)
    return evidence.respond(base, subject, indication=indication, drug=drug)


def _input_findings(content: VcfContent, options: Options) -> tuple[Finding, ...]:
    facts, method = content.facts, {"method": options.method or "not stated"}
    known = (
        (
            facts.kind == STATED,
            Finding(code="stated-genotype", values=method),
        ),
        (facts.kind == CONSUMER, Finding(code="consumer-array")),
        (facts.stale_index, Finding(code="stale-index")),
        (facts.unsorted, Finding(code="unsorted")),
    )
    found = [finding for holds, finding in known if holds]
    malformed = ({"field": field, "place": place} for field, place in facts.read_as_text)
    return (*found, *(Finding(code="malformed-field", values=values) for values in malformed))
