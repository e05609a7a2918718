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
from pgx.calling import CallOptions, DiplotypeCall, E4Status, Reason, call, estimated, haplotype_frequencies
from pgx.calling.posterior import diplotype_likelihoods, site_data
from pgx.errors import FormatError, InputError, UsageError
from pgx.evidence import ContextReport, EvidenceBase, PatientContext, Response, Subject
from pgx.genome import AssemblyDecision, assemblies, sites_on
from pgx.inputs import (
    CONSUMER,
    STATED,
    Input,
    assembly_of,
    columns_of,
    error_rate_of,
    hiding,
    read_input,
)
from pgx.neighbours import NeighbourReport, is_needed
from pgx.observe import (
    Finding,
    Observation,
    ReadContext,
    SiteRecord,
    SiteRecords,
    input_kind,
    observe,
    records_at,
)
from pgx.observe.sample_record import header_says
from pgx.options import Options, Parameters, check_limits, stated
from pgx.report import (
    SCHEMA_VERSION,
    AppendixItem,
    InputReport,
    LoadedFile,
    ReferenceData,
    Run,
    SampleReport,
    Tool,
    appendix,
    assemble,
)
from pgx.vcf import Neighbours, VcfContent

if TYPE_CHECKING:
    from pgx.neighbours.estimate import MarkerReader


class Annotation(Struct, frozen=True, kw_only=True):
    """An annotated input: what its samples share, and an iterator over their reports in order."""

    run: Run
    samples: Iterator[SampleReport]


class Around:
    """The neighbours of all samples of an input; they are read when the first sample needs them.

    Parameters
    ----------
    read
        Returns the records around the sites.
    always
        Not only where a site is missing, weak or assumed.
    """

    def __init__(
        self,
        read: Neighbours,
        contigs: Sequence[str],
        assembly: str,
        context: ReadContext,
        rules: CallOptions,
        *,
        always: bool,
    ) -> None:
        self._read = read
        self._contigs = contigs
        self._assembly = assembly
        self._context = context
        self._error = rules.allele_error_rate
        self._always = always

    def say(
        self, observations: tuple[Observation, ...], result: DiplotypeCall, column: int
    ) -> NeighbourReport | None:
        """Return what the neighbours say beside the call of one sample (its 0-based column)."""
        if not (self._always or is_needed(observations, result)):
            return None
        if Reason.COORDINATES in result.not_determined_because or self.reader is None:
            return None
        from pgx.neighbours.estimate import opinion  # noqa: PLC0415 - a well-called sample does without

        return opinion(self.reader.genotypes(column), observations, result)

    @property
    def records_read(self) -> tuple[SiteRecord, ...] | None:
        """Return the records around the sites, if a sample needed them."""
        reader = self.__dict__.get("reader")
        return None if reader is None else tuple(reader.records)

    @functools.cached_property
    def reader(self) -> MarkerReader | None:
        """What reads the markers; None where the panel has no positions on the assembly, or without numpy."""
        from pgx.neighbours.estimate import MarkerReader, can_compute, has_positions  # noqa: PLC0415

        if not has_positions(self._assembly):
            return None
        if not can_compute():
            if self._always:
                raise UsageError(
                    "needs numpy, which cannot be imported",
                    where="--neighbours always",
                    cure="Install it: python -m pip install numpy",
                )
            return None
        try:
            records = self._read()
        except InputError:  # the sites have been read; what lies around them must not end the report
            if self._always:
                raise
            return None
        return MarkerReader(records, self._contigs, self._assembly, self._context, self._error)


class Prepared(Struct, frozen=True, kw_only=True):
    """An input that was read and understood; `report` makes the report of any one of its samples.

    Attributes
    ----------
    columns, names
        The 0-based column and the name of each sample to report, in order.
    records
        The records at each site, in report order.
    findings
        What holds for the whole input.
    around
        What the variants around the sites say; None where nobody asks, or there is no panel for the assembly.
    """

    run: Run
    source: Input
    columns: Sequence[int]
    names: Sequence[str]
    records: tuple[SiteRecords, ...]
    context: ReadContext
    rules: CallOptions
    respond: Callable[[E4Status, str | None], tuple[Response, ...]]
    surroundings: ContextReport
    findings: tuple[Finding, ...]
    around: Around | None

    def likelihoods(self, column: int, name: str) -> tuple[float, ...]:
        """Return the likelihood of each of the ten diplotypes for the sample in the 0-based `column`."""
        settled = self.source.settle(name, observe(self.records, column, self.context))
        return diplotype_likelihoods(site_data(settled.observations), self.rules)

    def report(self, column: int, name: str) -> SampleReport:
        """Return the report of the sample in the 0-based `column`."""
        settled = self.source.settle(name, observe(self.records, column, self.context))
        observations = settled.observations
        result = call(observations, self.rules)
        if settled.source != result.source:
            result = replace(result, source=settled.source)
        report = assemble(
            name,
            observations,
            result,
            self.respond(result.e4_status, result.diplotype),
            self.surroundings,
            self.run.parameters,
            input_findings=(*settled.findings, *self.findings),
            neighbours=self.around.say(observations, result, column) if self.around else None,
        )
        return report if settled.reads is None else replace(report, reads=settled.reads)


def annotate(path: str | None, options: Options) -> Annotation:
    """Annotate the input `path` ("-" for standard input), or None for a stated genotype.

    Reading and all checks are done before this returns; the reports are made one by one.

    Raises
    ------
    UsageError, InputError, ReferenceDataError
        See the exit codes of `pgx.errors`.
    """
    check_options(options)
    source, neighbours = read_input(path, options)
    if options.pseudonymise is not None:
        options = replace(options, samples=tuple(map(hiding(options).name, options.samples)))
    ready = prepare(source, options, neighbours)
    return Annotation(run=ready.run, samples=map(ready.report, ready.columns, ready.names))


def check_options(options: Options) -> None:
    """Check the options, and load the evidence, before anything is read.

    Raises
    ------
    UsageError, ReferenceDataError
        A value that cannot be, an unknown name, or evidence that is invalid.
    """
    _parameters(options)
    if estimated(options.population) is not None:
        raise UsageError(
            "is the name that pgx gives to an estimate",
            where="--population",
            cure="Name one of pgx list populations",
        )
    if options.pseudonymise is not None:
        hiding(options)
        if options.digest:
            raise UsageError(
                "would tell which file it is", where="--digest", cure="Leave it or --pseudonymise out"
            )
    evidence.load(options.evidence).reported(options.drug)


def prepare(source: Input | VcfContent, options: Options, neighbours: Neighbours | None = None) -> Prepared:
    """Decide on the assembly of an input, sort its records by site, and look up what all samples share.

    `neighbours` reads the records around the sites; without it nothing is said of them.

    Raises
    ------
    UsageError, InputError, ReferenceDataError
        See the exit codes of `pgx.errors`.
    """
    if isinstance(source, VcfContent):
        source = Input(content=source)
    content, decision = source.content, assembly_of(source, options.assembly)
    parameters = _parameters(options, content.facts.kind)
    base = evidence.load(options.evidence)
    columns = columns_of(content, options.samples)
    patient = PatientContext(
        taking=options.taking, history=options.history, age=options.age, indication=options.indication
    )
    context = _read_context(content, decision, options)
    rules = CallOptions(
        population=parameters.population,
        min_probability=parameters.min_probability,
        allele_error_rate=parameters.genotype_error_rate,
    )
    records = tuple(
        records_at(content.records, site, content.contigs) for site in sites_on(decision.assembly)
    )
    kind = input_kind(content.facts.kind, content.header.fields, records)
    around = None
    if neighbours is not None and options.neighbours != "off":
        names = content.contigs, decision.assembly.name
        around = Around(neighbours, *names, context, rules, always=options.neighbours == "always")
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
        rules=rules,
        respond=functools.partial(_respond, _Loaded(base), options.indication, options.drug),
        surroundings=_surroundings(_Loaded(base), patient, options.drug),
        findings=_input_findings(content, options),
        around=around,
    )


def is_copy_number(content: VcfContent) -> bool:
    """Return whether an input holds copy numbers or ploidy, on whatever assembly."""
    sites = [
        records_at(content.records, site, content.contigs)
        for assembly in assemblies()
        for site in sites_on(assembly)
    ]
    return input_kind(content.facts.kind, content.header.fields, sites) == "copy-number"


def _parameters(options: Options, kind: str = "") -> Parameters:
    check_limits(options)
    haplotype_frequencies(options.population)  # an unknown name is an error before anything is read
    if options.genotype_error_rate is None:
        options = replace(options, genotype_error_rate=error_rate_of(kind))
    said = stated(options)
    return said if options.pseudonymise is None else hiding(options).parameters(said)


def _run(
    content: VcfContent,
    decision: AssemblyDecision,
    parameters: Parameters,
    base: EvidenceBase,
    *,
    kind: str,
    digest: bool,
) -> Run:
    facts = content.facts
    return Run(
        schema_version=SCHEMA_VERSION,
        tool=Tool(name="pgx", version=reference.program_version()),
        reference=ReferenceData(
            release=reference.release(),
            digest=reference.digest(),
            evidence=tuple(LoadedFile(name=name, digest=value) for name, value in base.digests),
        ),
        created=reference.now(),
        input=InputReport(
            path=facts.path,
            size=facts.size,
            modified=facts.modified,
            kind=kind,
            header_digest=facts.header_digest,
            digest=_file_digest(facts.path) if digest else None,
            assembly=decision.assembly.name,
            assembly_evidence=decision.evidence,
            access=facts.access,
        ),
        parameters=parameters,
        appendix=_appendix(_Loaded(base), parameters.drug),
    )


def _file_digest(path: str) -> str:
    if not Path(path).is_file():
        raise FormatError("--digest needs a file, not a stream", where=path, cure="Leave --digest out")
    with Path(path).open("rb") as handle:
        return f"sha256:{hashlib.file_digest(handle, 'sha256').hexdigest()}"


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


class _Loaded:
    """An evidence base that can be a key of a cache: two are equal when all their files are."""

    __slots__ = ("base",)

    def __init__(self, base: EvidenceBase) -> None:
        self.base = base

    def __hash__(self) -> int:
        return hash(self.base.digests)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Loaded) and self.base.digests == other.base.digests


@functools.lru_cache(maxsize=1024)
def _respond(
    loaded: _Loaded, indication: str | None, drug: str | None, status: E4Status, diplotype: str | None
) -> tuple[Response, ...]:
    subject = Subject(status=status, diplotype=diplotype)
    return evidence.respond(loaded.base, subject, indication=indication, drug=drug)


@functools.lru_cache(maxsize=16)
def _appendix(loaded: _Loaded, drug: str | None) -> tuple[AppendixItem, ...]:
    return appendix(loaded.base, drug)


@functools.lru_cache(maxsize=256)
def _surroundings(loaded: _Loaded, patient: PatientContext, drug: str | None) -> ContextReport:
    return evidence.context(loaded.base, patient, drug=drug)


def _input_findings(content: VcfContent, options: Options) -> tuple[Finding, ...]:
    facts = content.facts
    found = []
    if facts.kind == STATED:
        found.append(Finding(code="stated-genotype", values={"method": options.method or "not stated"}))
    if facts.kind == CONSUMER:
        found.append(Finding(code="consumer-array"))
    if facts.stale_index:
        found.append(Finding(code="stale-index"))
    if facts.unsorted:
        found.append(Finding(code="unsorted"))
    found += [
        Finding(code="malformed-field", values={"field": field, "place": place})
        for field, place in facts.read_as_text
    ]
    return tuple(found)
