"""Read the records at the two sites, by index where there is one, else by a search, else by a pass."""

from __future__ import annotations

import contextlib
import functools
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pgx.errors import FormatError, printable
from pgx.genome import CHROMOSOMES, HeaderFacts, find_assembly, header_evidence, rsids, sites_on
from pgx.observe import SiteRecord
from pgx.reference import file_time, sha256
from pgx.vcf import scan
from pgx.vcf.bgzf import Blocks, PlainBlocks, compression, damaged, inflated
from pgx.vcf.header import Header, read_header
from pgx.vcf.index import Index, IndexedRecords, IndexMisfitError, unpacked_index
from pgx.vcf.open import Bounds, Raw, Source, beyond, is_url, local_bytes, look
from pgx.vcf.records import PYSAM_ERRORS, Decoder, decoder_of, plain_record

_REFERENCE_KEYS = frozenset({"reference", "assembly"})
_DECLARING = {"fileformat", "FORMAT", "INFO", "FILTER", "ALT", "contig", "SAMPLE", "PEDIGREE", "META"}
LEAST = 4_000_000  # bytes of a file that is searched: a pass over less is cheap, and joined parts could hide
#: What the lines of headers say before that of the samples: as htslib prints them, and the facts.
_known: dict[bytes, tuple[str, HeaderFacts, bool]] = {}
_MOST_KNOWN, _LONGEST_KNOWN = 64, 1 << 20
_END_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


class InputFacts(Struct, frozen=True, kw_only=True):
    """What a report says of its input."""

    path: str
    kind: str
    size: int | None = None  # bytes; None for a stream
    modified: str | None = None
    compression: str = "NONE"
    index: str | None = None
    header_digest: str = ""  # `sha256:` over the header as htslib prints it
    access: str = "scan"  # or "index", "search"
    stale_index: bool = False
    unsorted: bool = False
    read_as_text: tuple[tuple[str, str], ...] = ()  # fields with values of no declared type; the first place

    @classmethod
    def of_file(cls, path: str, kind: str, header: bytes, **known: Any) -> InputFacts:
        """Return the facts of a file that is no VCF; `header` is what it has in place of one."""
        state = Path(path).stat()
        size, modified, digest = state.st_size, file_time(state.st_mtime), sha256(header)
        return cls(path=path, kind=kind, size=size, modified=modified, header_digest=digest, **known)


class VcfContent(Struct, frozen=True, kw_only=True):
    """All that pgx needs of an input."""

    facts: InputFacts
    header: HeaderFacts
    samples: tuple[str, ...]
    contigs: tuple[str, ...]  # the names of chromosome 19 in this input
    records: tuple[SiteRecord, ...]  # over a site of any assembly, or with the rsID of one, in file order
    gl_is_phred: bool = False  # GL is declared as an integer: Complete Genomics writes negative Phred values


#: Returns the records at the positions of the panel around the sites, in file order.
Neighbours = Callable[[], tuple[SiteRecord, ...]]


class Selection(Struct, frozen=True, kw_only=True):
    """The records of an input that may matter, and how they were found."""

    rows: list[scan.Row]
    access: str  # "index", "search" or "scan"
    unsorted: bool = False
    names: tuple[str, ...] = ()  # those of chromosome 19 that an index or the records have
    is_misfit: bool = False  # the index was not used, because it is not that of this file
    around: Sequence[scan.Row] = ()  # the sites, if they were wanted and met in passing

    @classmethod
    def of(cls, access: str, rows: list[scan.Row], done: scan.Scan) -> Selection:
        """Return what a pass or a search has kept."""
        around = done.around.sorted() if done.around is not None else ()
        return cls(rows=rows, access=access, unsorted=done.unsorted, names=tuple(done.names), around=around)


class Input:
    """An input whose header has been read; `index` returns the bytes of its index, or None."""

    def __init__(self, source: Source, raw: Raw, limits: Bounds, index: Callable[[], bytes | None]) -> None:
        self.source, self.label = source, source.label
        self.raw, self.limits = raw, limits
        self.packed = compression(raw)
        self._index = index
        pieces = inflated(raw, self.packed)
        self.header, self.rest = read_header(pieces, self.label, limits, packed=self.packed != "NONE")
        self.decoder = decoder_of(self.header, self.label)

    @functools.cached_property
    def header_facts(self) -> tuple[str, HeaderFacts, bool]:
        """Return digest, facts on the assembly, and whether GL is declared as an integer."""
        # In a cohort headers differ in their samples only, so what the other lines say is looked at once.
        lines, names = self.header.parts()
        before = _known.get(lines) if names else None
        if before is not None:
            if not self.decoder.is_proven:
                self.decoder.header  # noqa: B018 - opened for its errors
            text, facts, phred = before
            return sha256(f"{text}{names}".encode()), facts, phred
        text, facts, phred = _looked_at(self.decoder)
        if names and text.endswith(names) and len(lines) < _LONGEST_KNOWN:
            if len(_known) >= _MOST_KNOWN:
                _known.clear()
            _known[lines] = text.removesuffix(names), facts, phred
        return sha256(text.encode()), facts, phred

    def select(self, *, around: bool = False) -> Selection:
        """Return the records that may matter, in order; where all are met, those `around` the sites, too.

        A damaged input, one beyond a limit, or one behind a URL without an index is a `FormatError`.
        """
        if self.limits.access == "scan":
            return self._by_pass(around=around)
        is_misfit = False
        try:
            if found := self._by_index(scan.windows(scan.NEAR)):
                return found
        except IndexMisfitError:
            is_misfit = True
        if self.source.name:
            what = "the index beside it cannot be read, or is that of another file"
            cure = "Index it again (tabix -p vcf), and see that it is bgzipped"
            raise FormatError(what, where=self.label, cure=cure)
        found = self._by_search(around=around) or self._by_pass(around=around)
        return replace(found, is_misfit=is_misfit)

    def _by_pass(self, *, around: bool) -> Selection:
        done = scan.scan_of(self.header, self.label, self.limits, around=around)
        return Selection.of("scan", done.run(self.rest), done)

    def around(self) -> list[scan.Row]:
        """Return the records around the sites, by index; none where that does not lead there."""
        with contextlib.suppress(IndexMisfitError):
            if found := self._by_index(scan.windows(scan.AROUND), all_of_them=True):
                return found.rows
        return []

    def _by_index(self, where: Sequence[tuple[int, int]], *, all_of_them: bool = False) -> Selection | None:
        packed = self._index() if self.packed == "BGZF" else None
        if packed is None:
            return None
        if not self._has_end():
            raise damaged(self.label, "is truncated: the block that ends a bgzip file is missing")
        most = self.limits.bytes("max_index")
        data = unpacked_index(packed, most) if len(packed) <= most else None
        if data is None:
            raise beyond("max_index", "its index", self.label, self.limits)
        del packed
        index = Index(data, self.header.contigs, int(self.limits.value("max_contigs")))
        rows = scan.Rows(self.header, self.label, self.limits)
        found = IndexedRecords(index, Blocks(self.raw), self.header, rows.most).regions(where)
        for offset, record in found:
            if all_of_them:
                if scan.is_around(rows.start(record)):  # as in a pass: not what only reaches into a window
                    rows.keep_if_it_fits(offset, record)
            else:
                columns = record.split(b"\t", 3) if self.header.kind == "VCF" else []
                is_named = len(columns) < 4 or scan.identifier().search(columns[2])
                if is_named or _may_cover(record, scan.places()):
                    rows.keep(offset, record)
        return Selection(rows=rows.sorted(), access="index", names=tuple(index.names.values()))

    def _by_search(self, *, around: bool) -> Selection | None:
        """Return what a search finds; None where the input must be read as a whole."""
        if self.header.kind != "VCF" or self.packed == "GZIP" or (self.raw.size or 0) < LEAST:
            return None
        if self.packed == "BGZF" and not self._has_end():
            return None
        from pgx.vcf.search import NotProvenError, Search  # noqa: PLC0415 - most need none

        named = {clue.assembly for clue in header_evidence(self.header_facts[1])}
        if len(named) != 1:
            return None
        sites = [site.position for site in sites_on(find_assembly(named.pop()))]
        reach = scan.AROUND if around else scan.NEAR
        blocks = PlainBlocks(self.raw) if self.packed == "NONE" else Blocks(self.raw)
        search = Search(blocks, self.header, self.label, self.limits, sites=sites, around=around)
        try:
            rows = search.run(scan.windows(reach))
        except NotProvenError:
            return None
        return Selection.of("search", rows, search.scan)

    def _has_end(self) -> bool:
        size = len(_END_BLOCK)
        return self.raw.at((self.raw.size or 0) - size, size) == _END_BLOCK


@contextlib.contextmanager
def opened(path: str, limits: Bounds | None = None) -> Iterator[Input]:
    """Open an input, and read its header; what has none, or changes meanwhile, is an `InputError`."""
    bounds = limits or Bounds()
    if is_url(path):
        from pgx.vcf.remote import remote_bytes  # noqa: PLC0415 - files on disk need no network

        with remote_bytes(path, bounds) as (source, raw, index):
            yield Input(source, raw, bounds, index)
            raw.check_unchanged()
        return
    source = look(path)

    def local_index() -> bytes | None:
        if source.index is None or source.index_is_stale:
            return None
        with contextlib.suppress(OSError), Path(source.index).open("rb") as handle:
            return handle.read(bounds.bytes("max_index") + 1)
        return b""  # as good as a broken one

    with local_bytes(source) as raw:
        yield Input(source, raw, bounds, local_index)
        raw.check_unchanged()


def read_sites(path: str, limits: Bounds | None = None) -> VcfContent:
    """Read what the input says at the sites, on every assembly; what is damaged is an `InputError`."""
    return read_with_neighbours(path, limits, around=False)[0]


def read_with_neighbours(
    path: str, limits: Bounds | None = None, *, around: bool = True
) -> tuple[VcfContent, Neighbours]:
    """Read as `read_sites`, and return what reads the records `around`; a pass keeps these if wanted."""
    with opened(path, limits) as door:
        chosen = door.select(around=around)
        ours, records = {rsid.lower() for rsid in rsids()}, []
        for record in door.decoder.records(chosen.rows):
            covers = any(record.position <= at <= record.end for at in scan.places())
            named = not ours.isdisjoint(map(str.lower, record.identifiers))
            if named or (covers and scan.is_wanted(record.contig)):
                records.append(record)
        digest, header, gl_is_phred = door.header_facts
    source = door.source
    met = filter(scan.is_wanted, (*chosen.names, *(record.contig for record in records)))
    contigs = tuple(dict.fromkeys([*(name for name, _, _ in header.contigs), *met]))
    others = () if contigs else (*door.header.contigs.values(), *chosen.names)
    for name in filter(scan.looks_wanted, others):
        what = f"seems to call chromosome 19 '{printable(name, 60)}', a name that pgx does not know"
        cure = "Rename it to chr19 or 19 with bcftools annotate --rename-chrs"
        raise FormatError(what, where=door.label, cure=cure)
    content = VcfContent(
        facts=InputFacts(
            path=source.name or path,
            size=source.size,
            modified=source.modified,
            kind=door.header.kind,
            compression=door.packed,
            index=source.index,
            header_digest=digest,
            access=chosen.access,
            stale_index=source.index_is_stale or chosen.is_misfit,
            unsorted=chosen.unsorted,
            read_as_text=tuple(door.decoder.relaxed.items()),
        ),
        header=header,
        samples=door.header.samples,
        contigs=contigs,
        records=tuple(records),
        gl_is_phred=gl_is_phred,
    )

    def neighbours() -> tuple[SiteRecord, ...]:
        if chosen.access != "index":
            return tuple(_decoded(door.header, door.label, chosen.around))
        with opened(path, limits) as again:  # only where somebody asks
            return tuple(_decoded(again.header, again.label, again.around()))

    return content, neighbours


def _looked_at(decoder: Decoder) -> tuple[str, HeaderFacts, bool]:
    header = decoder.header
    try:
        phred = "GL" in header.formats and header.formats["GL"].type == "Integer"
        contigs = []
        for name in filter(scan.is_wanted, map(str, header.contigs)):
            contig = header.contigs[name]
            tags = dict(contig.header_record.items()) if contig.header_record is not None else {}
            assembly = tags.get("assembly")
            contigs.append((name, contig.length or None, assembly and assembly.strip('"')))
        lengths = tuple(
            (name, chromosome, header.contigs[name].length or 0)
            for chromosome in CHROMOSOMES
            for name in (chromosome, f"chr{chromosome}")
            if name in header.contigs and not scan.is_wanted(name) and header.contigs[name].length
        )
        records = [(record.key, record.value or "", str(record).strip()) for record in header.records]
        facts = HeaderFacts(
            contigs=tuple(contigs),
            references=tuple(text.strip('"') for key, text, _ in records if text and key in _REFERENCE_KEYS),
            fields=frozenset(map(str, header.formats)),
            # how the file came about; Picard tells it in INFO lines
            history=tuple(
                line
                for key, _, line in records
                if key not in _DECLARING or (key == "INFO" and "liftover" in line.lower())
            ),
            lengths=lengths,
        )
        rest = decoder.source.samples[len(header.samples) :]  # of very many, htslib is shown some
        return "\t".join([str(header).removesuffix("\n"), *rest]) + "\n", facts, phred
    except PYSAM_ERRORS as error:
        raise FormatError("has a broken header", where=decoder.label, cure="Write it again") from error


@functools.cache
def marker_places() -> tuple[int, ...]:
    """Return the 1-based positions of the panel on all assemblies, ascending, and one beyond all others."""
    from pgx.neighbours.panel import markers  # noqa: PLC0415 - most inputs are read without a panel

    return (*sorted(place for marker in markers() for place in marker.positions.values()), sys.maxsize)


def _decoded(header: Header, label: str, rows: Sequence[scan.Row]) -> Iterator[SiteRecord]:
    """Yield records over positions of the panel; what cannot be read never keeps a report from being made."""
    left = [row for row in rows if header.kind == "BCF" or _may_cover(row.data, marker_places())]
    while left:
        done = 0
        try:
            for _, record in Decoder(header, label).lines(left):
                done += 1
                try:
                    plain = plain_record(record)
                except PYSAM_ERRORS:
                    continue
                place = marker_places()[bisect_left(marker_places(), plain.position)]
                if scan.is_wanted(plain.contig) and place <= plain.end:
                    yield plain
        except FormatError:
            done += 1  # the one that htslib cannot read
        left = left[done:]


def _may_cover(line: bytes, known: Sequence[int]) -> bool:
    """Return whether the record in a line may cover one of these places, as of `marker_places`."""
    position = int(line.split(b"\t", 2)[1])
    place = known[bisect_left(known, position)]
    return place != sys.maxsize and scan.may_reach(line, 0, len(line), position, place)
