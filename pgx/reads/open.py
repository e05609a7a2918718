"""The door for aligned reads: what a BAM or CRAM is, whether it may be used, and its reads over the sites."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pysam
from msgspec import Struct

from pgx import genome
from pgx.errors import FormatError, InputError, NotFoundError
from pgx.genome import AssemblyDecision, HeaderFacts, sites_on
from pgx.reads import Pile, Read, facts, pile_up
from pgx.reference import file_time, sha256

# htslib would print warnings on stderr that name neither the input nor a cure.
pysam.set_verbosity(0)

#: Flags of reads that are not used, and why.
_UNUSED = {1024: "duplicate", 256: "secondary", 2048: "supplementary", 512: "quality-check", 4: "unmapped"}
_GIVE_READS = "Give a .bam or .cram file of reads that were aligned to a human assembly"
_PYSAM_ERRORS = (OSError, ValueError, RuntimeError, UnicodeDecodeError)


class ReadsContent(Struct, frozen=True, kw_only=True):
    """All that pgx needs of a file of aligned reads."""

    path: str
    size: int  # bytes
    modified: str | None
    kind: str  # "bam" or "cram"
    header_digest: str
    access: str  # "index" or "scan"
    index: str | None
    stale_index: bool
    decision: AssemblyDecision
    contig: str
    samples: tuple[str, ...]  # by SM, in the order of the header; the name of the file without read groups
    piles: Mapping[str, Pile]  # by sample


def read_reads(path: str, *, reference: Path | None = None, assembly: str = "auto") -> ReadsContent:
    """Read the reads over the sites; nothing is fetched over the network.

    `reference`: FASTA with index that a CRAM was made with. What lacks one, or a usable index, or cannot be
    read, or holds reads that cannot answer (RNA, bisulfite-converted, of a tumour) is an `InputError`.
    """
    state = _state(path)
    # htslib is left no server to ask for a reference: older versions have one of their own
    places = [place for place in re.split(r"(?<![/:]):(?!//)", os.environ.get("REF_PATH", "")) if place]
    os.environ["REF_PATH"] = ":".join(place for place in places if "//" not in place) or os.devnull
    with _opened(path, reference) as handle:
        kind = handle.format.lower()
        header = handle.header.to_dict()
        decision, contig = _decided(header, assembly, path)
        index, stale = _index(path, kind, state)
        groups = _groups(header, path)
        _check_header(header, path)
        positions = [site.position for site in sites_on(decision.assembly)]
        is_large = state.st_size > facts().scan_limit.value
        if index is None and is_large:
            needs = f"a {kind.upper()} of this size needs an index"
            what = "its index is older than the file" if stale else needs
            raise FormatError(what, where=path, cure=f"Make one: samtools index {path}")
        with _silence() if kind == "cram" else contextlib.nullcontext():
            reads, dropped = _collected(handle, contig, positions, groups, path, indexed=index is not None)
            if index and not (reads or dropped or is_large):
                index = None  # it may be that of another file: that there is nothing must be seen
                reads, dropped = _collected(handle, contig, positions, groups, path, indexed=False)
    samples = tuple(dict.fromkeys(groups.values()))
    piles = {name: pile_up(reads[name], positions, dropped[name]) for name in samples}
    for name, pile in piles.items():
        _check_pile(pile, f"{path} ({name})" if len(samples) > 1 else path)
    return ReadsContent(
        path=path,
        size=state.st_size,
        modified=file_time(state.st_mtime),
        kind=kind,
        header_digest=sha256(str(handle.header).encode()),
        access="index" if index is not None else "scan",
        index=index,
        stale_index=stale,
        decision=decision,
        contig=contig,
        samples=samples,
        piles=piles,
    )


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep htslib from naming a lost reference on stderr, whatever its verbosity: the error here does."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _state(path: str) -> os.stat_result:
    if "://" in path or path == "-":
        raise FormatError("reads are read from files only", where=path, cure="Copy the file, with its index")
    try:
        state = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError("no such file", where=path, cure="Check the path") from error
    except (OSError, ValueError) as error:
        raise InputError("cannot be read", where=path, cure="Check the path and its permissions") from error
    if not os.access(path, os.R_OK):
        raise InputError("cannot be read (permission denied)", where=path, cure="Check its permissions")
    if stat.S_ISREG(state.st_mode) and state.st_size == 0:
        raise FormatError("is empty", where=path, cure="Copy it again")
    return state


@contextlib.contextmanager
def _opened(path: str, reference: Path | None) -> Iterator[pysam.AlignmentFile]:
    if reference is not None and not reference.is_file():
        where = f"--reference {reference}"
        raise NotFoundError("no such file", where=where, cure="Give the FASTA of the CRAM")
    if reference is not None and not Path(f"{reference}.fai").is_file():  # htslib would write one beside it
        cure = f"Make one: samtools faidx {reference}"
        raise InputError("the reference has no index", where=str(reference), cure=cure)
    fasta = None if reference is None else str(reference)
    try:
        handle = pysam.AlignmentFile(path, reference_filename=fasta, check_sq=False)
    except _PYSAM_ERRORS as error:
        if "truncated" in str(error).lower() or "eof marker" in str(error).lower():
            raise FormatError("is truncated", where=path, cure="Copy it again") from error
        raise FormatError("is not a BAM or CRAM, or is damaged", where=path, cure=_GIVE_READS) from error
    try:
        if handle.format not in {"BAM", "CRAM"}:
            cure = "Convert it: samtools view -b -o OUT.bam"
            raise FormatError(f"is {handle.format}, not BAM or CRAM", where=path, cure=cure)
        if handle.is_cram:  # ends with the empty container of its version (2.1 on); pysam does not ask
            with Path(path).open("rb") as file:
                version = tuple(file.read(6)[4:])
                size = 38 if version >= (3, 0) else 30
                file.seek(-min(os.fstat(file.fileno()).st_size, size), os.SEEK_END)
                if version >= (2, 1) and not file.read()[8:].startswith(b"\x0f\xe0EOF"):
                    raise FormatError("is truncated", where=path, cure="Copy it again")
        yield handle
    finally:
        with contextlib.suppress(OSError):
            handle.close()


def _decided(header: dict[str, object], assembly: str, path: str) -> tuple[AssemblyDecision, str]:
    wanted = {name.lower() for name in genome.contig_names()}
    lines = [line for line in _lines(header, "SQ") if line.get("SN", "").lower() in wanted]
    if not lines:
        what = "holds no reads on chromosome 19 (its header does not name it)"
        raise FormatError(what, where=path, cure=_GIVE_READS)
    contigs = tuple((line["SN"], int(line["LN"]), line.get("AS")) for line in lines)
    evidence = list(genome.header_evidence(HeaderFacts(contigs=contigs, references=())))
    for line in lines:
        evidence += genome.digest_evidence(line["SN"], line.get("M5"))
    decision = genome.decide(assembly, evidence, (), where=path)
    fitting = (name for name, length, _ in contigs if length == decision.assembly.length)
    return decision, next(fitting, contigs[0][0])


def _lines(header: Mapping[str, object], kind: str) -> list[dict[str, str]]:
    found = header.get(kind)
    lines = found if isinstance(found, list) else []
    return [{key: str(value) for key, value in line.items()} for line in lines]


def _index(path: str, kind: str, state: os.stat_result) -> tuple[str | None, bool]:
    stem, suffixes = str(Path(path).with_suffix("")), (".bai", ".csi") if kind == "bam" else (".crai",)
    places = [Path(base + suffix) for suffix in suffixes for base in (path, stem)]
    present = [place for place in places if place.is_file() and os.access(place, os.R_OK)]
    fresh = [place for place in present if place.stat().st_mtime_ns >= state.st_mtime_ns]
    return (str(fresh[0]) if fresh else None), bool(present) and not fresh


def _groups(header: Mapping[str, object], path: str) -> dict[str, str]:
    """Return the sample of each read group; that of reads without any is under ""."""
    stem = re.sub(r"\.(bam|cram)$", "", Path(path).name, flags=re.IGNORECASE)
    groups = {line.get("ID", ""): line.get("SM") or stem for line in _lines(header, "RG")}
    names = set(groups.values())
    if len(names) <= 1:
        groups[""] = next(iter(names), stem)
    return groups


def _check_header(header: Mapping[str, object], path: str) -> None:
    known = facts().programs
    for line in _lines(header, "PG"):
        command = line.get("CL", "")
        program = Path(command.split(" ")[0]).name if command else ""
        texts = [text.lower() for text in (line.get("PN", ""), line.get("ID", ""), program)]
        named = {token for text in texts for token in (text, *re.split(r"[^a-z0-9_-]+", text))}
        bisulfite = "bisulfite", known.bisulfite, known.bisulfite_options
        for kind, names, options in (bisulfite, ("rna", known.rna, known.rna_options)):
            if named & set(names) or any(option in command.lower() for option in options):
                _refuse(kind, path, line.get("PN") or line.get("ID") or command)
    for line in _lines(header, "RG"):
        assay = f"{line.get('DS', '')} {line.get('LB', '')}".lower()
        for kind, names in (("bisulfite", known.bisulfite_assays), ("rna", known.rna_assays)):
            if any(name in assay for name in names):
                _refuse(kind, path, assay.strip())
        said = " ".join(line.get(key, "") for key in ("SM", "DS", "LB", "ID"))
        words = said.lower()
        if any(word in words for word in known.tumour) or re.search(known.tumour_barcode, words):
            _refuse("tumour", path, said.strip())


#: What is said of each kind, with what gave it away, and of which reads to give instead.
_REFUSALS = {
    "rna": "RNA reads ({}): both copies of a gene are not read equally often, and one may be missing",
    "bisulfite": "bisulfite- or enzyme-converted reads ({}): a C is read as T, and both sites are C or T",
    "tumour": "reads of a tumour ({}), which may have lost or gained a copy of the gene",
}
_DNA = {"rna": "DNA", "bisulfite": "DNA that was not converted", "tumour": "blood, saliva or normal tissue"}


def _refuse(kind: str, path: str, found: str) -> None:
    what = f"holds {_REFUSALS[kind].format(found[:60])}"
    raise FormatError(what, where=path, cure=f"Give reads of {_DNA[kind]}")


def _check_pile(pile: Pile, where: str) -> None:
    if pile.spliced:
        _refuse("rna", where, f"{pile.spliced} with a gap as introns make it")
    tally, known = pile.tally, facts()
    kinds = zip(tally.damaged, tally.exposed, strict=True)
    share = max((damaged / exposed for damaged, exposed in kinds if exposed >= 50), default=0.0)
    if share >= known.damage_refused.value:
        _refuse("bisulfite", where, f"{share:.0%} of C are read as T")
    wrong = tally.wrong / max(tally.compared, 1)
    if tally.compared >= 100 and wrong > known.unlike_reference.value:
        what = f"{wrong:.0%} of the bases around the sites are not those of APOE"
        cure = "Check which assembly the reads were aligned to, and give it with --assembly"
        raise FormatError(what, where=where, cure=cure)


def _collected(
    handle: pysam.AlignmentFile,
    contig: str,
    positions: list[int],
    groups: Mapping[str, str],
    path: str,
    *,
    indexed: bool,
) -> tuple[defaultdict[str, list[Read]], defaultdict[str, Counter[str]]]:
    """Return the reads of each sample that lie on the known stretch, and what was left out, by reason."""
    first = positions[0] - 1 + facts().sequence.first
    last = first + len(facts().sequence.letters)
    reads: defaultdict[str, list[Read]] = defaultdict(list)
    dropped: defaultdict[str, Counter[str]] = defaultdict(Counter)
    try:
        for segment in _segments(handle, contig, first, last, indexed=indexed):
            group = str(segment.get_tag("RG")) if groups and segment.has_tag("RG") else ""
            sample = groups.get(group, groups.get("", ""))
            unused = [why for bit, why in _UNUSED.items() if segment.flag & bit] if sample else ["read-group"]
            if not unused and segment.query_sequence is not None and segment.cigartuples:
                reads[sample].append(_plain(segment))
            else:
                dropped[sample][(*unused, "unmapped")[0]] += 1
    except _PYSAM_ERRORS as error:
        if not handle.is_cram:
            cure = "Copy it again, and index it again"
            raise FormatError("is damaged or truncated", where=path, cure=cure) from error
        # A CRAM without its reference is "truncated" to pysam.
        line = next(line for line in _lines(handle.header.to_dict(), "SQ") if line.get("SN") == contig)
        digest = f", M5 {line['M5']}" if "M5" in line else ""
        origin = f", {line['UR']}" if "UR" in line else ""
        what = f"cannot be decoded without the sequence it was made with ({contig}{digest}{origin})"
        cure = "Give that FASTA with --reference (no server is asked); if given, copy the file again"
        raise InputError(what, where=path, cure=cure) from error
    return reads, dropped


def _segments(
    handle: pysam.AlignmentFile, contig: str, first: int, last: int, *, indexed: bool
) -> Iterator[pysam.AlignedSegment]:
    """Yield the reads that reach into [first, last), 0-based: by index, or by passing over the whole file."""
    if indexed:
        yield from handle.fetch(contig, first, last)
        return
    ordered = handle.header.to_dict().get("HD", {}).get("SO") == "coordinate"
    wanted = handle.get_tid(contig)
    before, found = (0, 0), False
    for segment in handle.fetch(until_eof=True, multiple_iterators=True):  # from the start in any case
        place = (segment.reference_id, segment.reference_start)
        if place[0] < 0:  # reads without a place come last
            continue
        ordered, before = ordered and place >= before, place
        if place >= (wanted, last):
            if ordered and found:  # of two files that were joined, the second may hold the stretch
                return
        elif place[0] == wanted and not segment.is_unmapped and (segment.reference_end or 0) > first:
            found = True
            yield segment


def _plain(segment: pysam.AlignedSegment) -> Read:
    qualities = segment.query_qualities
    return Read(
        segment.query_name or "",
        segment.is_reverse,
        bool(segment.is_read2),
        segment.mapping_quality,
        segment.reference_start,
        tuple((int(operation), int(length)) for operation, length in segment.cigartuples or ()),
        segment.query_sequence or "",
        bytes(qualities) if qualities is not None else None,
    )
