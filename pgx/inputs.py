"""What an input is, by its content: a VCF, aligned reads, a consumer text file; or a stated genotype."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from pgx import genome
from pgx.errors import FormatError, PgxError, SampleError, UsageError, no_such_sample
from pgx.observe import Finding, Observation, ReadSummary
from pgx.observe.sample_record import without_names
from pgx.observe.site import record_evidence
from pgx.options import Options
from pgx.reference import threshold
from pgx.vcf import Bounds, InputFacts, Neighbours, VcfContent, read_sites, read_with_neighbours

if TYPE_CHECKING:
    from pgx.pseudonyms import Pseudonyms
    from pgx.reads.open import ReadsContent

READS, CONSUMER, STATED, VCF = "reads", "consumer-text", "stated", "vcf"
_BEGINNING = 1 << 16


class Settled(Struct, frozen=True):
    """The observations to call from, and where they come from; see `Input.settle`."""

    observations: tuple[Observation, ...]
    findings: tuple[Finding, ...] = ()
    source: str = "file"
    reads: ReadSummary | None = None


class Input(Struct, frozen=True, kw_only=True):
    """An input that was read: `reads` are itself (then `content` has no records), or `beside` a VCF."""

    content: VcfContent
    decision: genome.AssemblyDecision | None = None  # of aligned reads or a stated genotype: known already
    reads: ReadsContent | None = None
    beside: bool = False

    def settle(self, name: str, file: tuple[Observation, ...]) -> Settled:
        """Return what to call sample `name` from: its observations in the file, its reads, or both."""
        if self.content.facts.kind == STATED:  # without what holds of files only
            kept = [[note for note in seen.findings if note.code != "no-genotype-quality"] for seen in file]
            pairs = zip(file, kept, strict=True)
            stated = (replace(seen, findings=tuple(notes), record=None) for seen, notes in pairs)
            return Settled(tuple(stated), source="stated")
        if self.reads is None:
            return Settled(file)
        from pgx.reads.observe import settle  # noqa: PLC0415 - not on the path of a VCF

        return Settled(*settle(self.reads, name, file if self.beside else None))


def kind_of(path: str) -> str:
    """Return "reads", "consumer-text" or "vcf" by the first bytes; what only cohorts read: `FormatError`."""
    if path == "-" or "://" in path or not Path(path).is_file():
        return VCF
    try:
        with Path(path).open("rb") as handle:
            raw = handle.read(_BEGINNING)
        beginning = zlib.decompressobj(31).decompress(raw, _BEGINNING) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, zlib.error):
        return VCF
    if beginning.startswith((b"BAM\x01", b"CRAM")) or re.match(rb"@(HD|SQ|RG|PG)\t", beginning):
        return READS
    if beginning.startswith((b"##", b"BCF")):
        return VCF
    if beginning.startswith(b"\x6c\x1b\x00"):
        what = "is a PLINK 1 file in the old order, sample by sample"
        raise FormatError(what, where=path, cure="Turn it round: plink2 --bfile OLD --make-bed --out NEW")
    if beginning.startswith(b"\x6c\x1b") or beginning[16:20] == b"bgen":
        cure = "Give it to pgx cohort, with -o FOLDER"
        raise FormatError("is a PLINK or BGEN file of many people", where=path, cure=cure)
    from pgx import consumer  # noqa: PLC0415 - not on the path of a VCF

    if beginning.startswith(b"PK\x03\x04"):
        beginning = consumer.unpacked_beginning(path)
    return CONSUMER if consumer.is_consumer_text(beginning) else VCF


def columns_of(content: VcfContent, wanted: Sequence[str]) -> Sequence[int]:
    """Return the 0-based column of each sample that is wanted, in that order; of all where none is named."""
    if not wanted:
        return range(len(content.samples))
    column = {name: index for index, name in enumerate(content.samples)}
    for name in wanted:
        if name not in column:
            raise no_such_sample(name, content.samples, where=content.facts.path, holder="The file")
    return [column[name] for name in dict.fromkeys(wanted)]


def error_rate_of(kind: str) -> float:
    """Return the error rate of an allele without a stated quality in a kind of input."""
    if kind != CONSUMER:
        return threshold("allele_error_rate")
    from pgx.consumer import allele_error_rate  # noqa: PLC0415 - not on the path of a VCF

    return allele_error_rate()


def hiding(options: Options) -> Pseudonyms:
    """Return what replaces the names, where the options ask for it."""
    from pgx.pseudonyms import pseudonyms  # noqa: PLC0415 - few ask for it

    assert options.pseudonymise is not None  # noqa: S101 - the callers ask first
    return pseudonyms(options.pseudonymise)


def read_input(path: str | None, options: Options) -> tuple[Input, Neighbours | None]:
    """Read the sites, and find what reads the neighbours; --pseudonymise replaces names where they enter."""
    if options.pseudonymise is None:
        return _read(path, options)
    hide = hiding(options)
    try:
        source, neighbours = _read(path, options)
    except PgxError as error:
        raise type(error)(hide.message(error.what), where=error.where, cure=error.cure) from None
    content, reads = source.content, source.reads
    names = frozenset(content.samples)
    facts = hide.facts(content.facts)
    read_as_text = tuple((field, hide.message(place)) for field, place in facts.read_as_text)
    hidden = replace(
        content,
        facts=replace(facts, read_as_text=read_as_text),
        header=replace(content.header, history=without_names(content.header.history)),
        samples=tuple(map(hide.name, content.samples)),
        records=tuple(
            replace(
                record,
                fixed=hide.record(record.fixed, names),
                identifiers=tuple(hide.words(name, names) for name in record.identifiers),
                info={key: hide.words(value, names) for key, value in record.info.items()},
            )
            for record in content.records
        ),
    )
    if reads is not None:
        piles = {hide.name(name): pile for name, pile in reads.piles.items()}
        samples = tuple(map(hide.name, reads.samples))
        reads = replace(reads, path=hide.path(reads.path), samples=samples, piles=piles)
    return replace(source, content=hidden, reads=reads), neighbours


def _read(path: str | None, options: Options) -> tuple[Input, Neighbours | None]:
    if (path is None) == (options.genotype is None):
        raise UsageError("give INPUT or --genotype, one of them", cure="See pgx annotate --help")
    kind = STATED if path is None else kind_of(path)
    if options.reads is not None and kind != VCF:
        cure = "Give the VCF as INPUT, or leave it out"
        raise UsageError("reads go beside a VCF only", where="--reads", cure=cure)
    if path is None:
        assert options.genotype is not None  # noqa: S101 - one of them is there
        name = (*options.samples, STATED)[0]
        return _stated_input(options.genotype, name=name, assembly=options.assembly), None
    if kind != VCF:
        return read_other(path, kind, assembly=options.assembly, reference=options.reference), None
    bounds = Bounds.of(options)
    is_off = options.neighbours == "off"
    content, neighbours = (read_sites(path, bounds), None) if is_off else read_with_neighbours(path, bounds)
    if options.reads is None:
        return Input(content=content), neighbours
    from pgx.reads.open import read_reads  # noqa: PLC0415 - not on the path of a VCF

    found = read_reads(str(options.reads), reference=options.reference)
    if len(content.samples) == len(found.samples) == 1 and content.samples != found.samples:
        piles = {content.samples[0]: found.piles[found.samples[0]]}
        found = replace(found, samples=content.samples, piles=piles)
    elif not set(content.samples) & set(found.samples):
        what = f"has reads of {', '.join(found.samples[:5])}, none of them a sample of the VCF"
        cure = "Give the reads of the same people, with the same sample names (SM)"
        raise SampleError(what, where=str(options.reads), cure=cure)
    return Input(content=content, reads=found, beside=True), neighbours


def read_other(path: str, kind: str, *, assembly: str = genome.AUTO, reference: Path | None = None) -> Input:
    """Read an input that is no VCF: aligned reads, or a consumer text file."""
    if kind == CONSUMER:
        from pgx.consumer import read_consumer_text  # noqa: PLC0415

        return Input(content=read_consumer_text(path))
    from pgx.reads.open import read_reads  # noqa: PLC0415

    found = read_reads(path, reference=reference, assembly=assembly)
    same = ("kind", "size", "modified", "index", "header_digest", "access", "stale_index")
    facts = InputFacts(path=path, compression="OWN", **{name: getattr(found, name) for name in same})
    header, contigs = genome.HeaderFacts(), (found.contig,)
    content = VcfContent(facts=facts, header=header, samples=found.samples, contigs=contigs, records=())
    return Input(content=content, decision=found.decision, reads=found)


def assembly_of(source: Input, assembly: str) -> genome.AssemblyDecision:
    """Return the assembly of an input, where `assembly` is what the user says ("auto" for nothing)."""
    content = source.content
    records = record_evidence(content.records, content.contigs)
    header, where = genome.header_evidence(content.header), content.facts.path
    return source.decision or genome.decide(assembly, header, records, where=where)


def _stated_input(genotype: str, *, name: str, assembly: str) -> Input:
    from pgx.consumer import letter_row  # noqa: PLC0415 - not on the path of a VCF

    known = genome.find_assembly("GRCh38" if assembly == genome.AUTO else assembly)
    contig = known.contigs[0]
    rows = []
    for site, shown in zip(genome.sites_on(known), _stated_letters(genotype), strict=True):
        reference = site.ref or genome.letters()[0]
        other = next(letter for letter in genome.letters() if letter != reference)
        called = shown.replace(reference, "0").replace(other, "1")
        rows.append(letter_row(contig, site.position, site.rsid, (reference, other), called))
    facts, header = InputFacts(path="(stated genotype)", kind=STATED), genome.HeaderFacts()
    content = VcfContent(facts=facts, header=header, samples=(name,), contigs=(contig,), records=tuple(rows))
    return Input(content=content, decision=genome.AssemblyDecision(assembly=known, evidence=()))


def _stated_letters(genotype: str) -> tuple[str, ...]:
    """Return the letters at each site, "T/C" or, where the haplotypes are stated and one is rare, "T|C"."""
    text = genotype.strip().lower().replace("ε", "e").replace(" ", "")
    named = re.fullmatch(r"e?([1-4])[/|]e?([1-4])", text)
    if named:
        by_name = {haplotype.name: haplotype.letters for haplotype in genome.haplotypes()}
        pair = [f"e{number}" for number in named.groups()]
        between = "|" if set(pair) & set(genome.rare_haplotypes()) else "/"
        return tuple(between.join(site) for site in zip(*(by_name[one] for one in pair), strict=True))
    parts = [re.fullmatch(r"(?:(rs\d+)[:=]?)?([tc])/?([tc])", part) for part in re.split("[,;]", text)]
    pairs = [(rsid, part) for rsid, part in zip(genome.rsids(), parts, strict=False) if part]
    shown = {part[1] or rsid: f"{part[2]}/{part[3]}".upper() for rsid, part in pairs}
    if len(parts) != len(genome.rsids()) or set(shown) != set(genome.rsids()):
        cure = f'Give two haplotypes ("e3/e4"), or the letters at {" and ".join(genome.rsids())} ("T/C,C/C")'
        raise UsageError("is no APOE genotype", where="--genotype", cure=cure)
    return tuple(shown[rsid] for rsid in genome.rsids())
