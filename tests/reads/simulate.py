"""Reads of people whose haplotypes are known, as BAM, as CRAM or in memory.

The stretch around the sites is that of reference/reads.toml; what lies beyond it is drawn at random, once,
and is the same in every assembly. Nothing is aligned: each read is written where it was taken from.
"""

from __future__ import annotations

import functools
import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path

import pysam

from pgx.genome import find_assembly, haplotypes, sites_on
from pgx.reads import Read, facts

FLANK = 12_000
DUPLICATE, REVERSE, SECOND = 1024, 16, 128
_FIRST_SITE = FLANK - facts().sequence.first  # 0-based, in the window
SITES = (_FIRST_SITE, _FIRST_SITE + 138)


@dataclass(frozen=True, kw_only=True)
class Library:
    """How the reads of a person come about; shares are probabilities."""

    depth: float = 30
    length: int = 150
    insert: tuple[float, float] = (400, 80)
    long: bool = False
    damage: float = 0.0
    contamination: float = 0.0
    duplicates: float = 0.08
    clipped: float = 0.03
    indels: float = 1e-4
    misplaced: float = 0.01
    binned: bool = True
    qualities: bool = True


SHORT = Library()
SHORT_100 = Library(length=100, insert=(200, 30))
LONG = Library(long=True, length=8000, indels=0.01, duplicates=0.0)


@functools.cache
def window() -> str:
    """Return the stretch with its flanks, on the plus strand."""
    dice = random.Random(19)
    left, right = ("".join(dice.choices("ACGT", k=FLANK)) for _ in range(2))
    return left + facts().sequence.letters + right


@functools.cache
def haplotype_sequence(name: str) -> str:
    """Return the window with the letters of a haplotype at the two sites."""
    letters = next(haplotype.letters for haplotype in haplotypes() if haplotype.name == name)
    bases = list(window())
    for place, letter in zip(SITES, letters, strict=True):
        bases[place] = letter
    return "".join(bases)


@dataclass
class Piece:
    """One read before it is written: `start` is 0-based in the window."""

    name: str
    flag: int
    start: int
    cigar: list[tuple[int, int]]
    bases: str
    qualities: list[int] | None
    mapping_quality: int = 60
    mate_start: int | None = None
    group: str | None = "lane"
    tags: list[tuple[str, object]] = field(default_factory=list)


def simulate(
    diplotype: str, library: Library, seed: int, other: str = "e3/e3", prefix: str = ""
) -> list[Piece]:
    """Return the reads of a person; `other` is the diplotype of whom contaminates."""
    dice = random.Random(f"{seed} {diplotype} {library}")
    pieces: list[Piece] = []
    near = library.length if library.long else 700
    low, high = FLANK - near, len(window()) - FLANK + near
    bases = 2 * library.length if not library.long else library.length
    expected = library.depth * (high - low) / bases
    for number in range(_poisson(dice, expected)):
        person = other if dice.random() < library.contamination else diplotype
        source = haplotype_sequence(dice.choice(person.split("/")))
        made = _fragment(dice, source, library, f"{prefix}r{number}", low, high)
        pieces += made
        if made and dice.random() < library.duplicates:
            pieces += [
                Piece(**{**vars(piece), "name": piece.name + "d", "flag": piece.flag | DUPLICATE})
                for piece in made
            ]
    return sorted(pieces, key=lambda piece: piece.start)


def _poisson(dice: random.Random, mean: float) -> int:
    return max(0, round(dice.gauss(mean, mean**0.5))) if mean > 50 else _small_poisson(dice, mean)


def _small_poisson(dice: random.Random, mean: float) -> int:
    count, total = 0, dice.expovariate(1.0)
    while total < mean:
        count += 1
        total += dice.expovariate(1.0)
    return count


def _fragment(
    dice: random.Random, source: str, library: Library, name: str, low: int, high: int
) -> list[Piece]:
    mapping = 0 if dice.random() < library.misplaced else 60
    if library.long:
        length = max(500, int(dice.gauss(library.length, library.length / 4)))
        start = dice.randrange(low - length, high)
        flag = REVERSE if dice.random() < 0.5 else 0
        piece = _read(dice, source, library, name, flag, start, length, mapping)
        return [piece] if piece else []
    insert = max(library.length, int(dice.gauss(*library.insert)))
    start = dice.randrange(low, high)
    first_is_forward = dice.random() < 0.5
    flags = (
        1 | 2 | 32 | (64 if first_is_forward else 128),
        1 | 2 | REVERSE | (128 if first_is_forward else 64),
    )
    starts = (start, start + insert - library.length)
    made = []
    for flag, begin, mate in zip(flags, starts, reversed(starts), strict=True):
        piece = _read(dice, source, library, name, flag, begin, library.length, mapping)
        if piece:
            piece.mate_start = mate
            made.append(piece)
    return made if len(made) == 2 else []


def _read(
    dice: random.Random,
    source: str,
    library: Library,
    name: str,
    flag: int,
    start: int,
    length: int,
    mapping: int,
) -> Piece | None:
    if start < 0 or start + length > len(source):
        if not library.long:
            return None
        length = min(start + length, len(source)) - max(start, 0)
        start = max(start, 0)
        if length < 200:
            return None
    bases = list(source[start : start + length])
    if library.damage:
        bare, worn = ("G", "A") if flag & REVERSE else ("C", "T")
        bases = [worn if base == bare and dice.random() < library.damage else base for base in bases]
    qualities = _qualities(dice, length, library)
    _misread(dice, bases, qualities)
    cigar = _with_indels(dice, bases, qualities, library.indels)
    if dice.random() < library.clipped and cigar[-1][0] == 0 and cigar[-1][1] > 60:
        clip = dice.randrange(10, 40)
        bases[-clip:] = dice.choices("ACGT", k=clip)
        cigar[-1] = (0, cigar[-1][1] - clip)
        cigar.append((4, clip))
    return Piece(
        name=name, flag=flag, start=start, cigar=cigar, bases="".join(bases),
        qualities=qualities if library.qualities else None, mapping_quality=mapping,
    )  # fmt: skip


def _qualities(dice: random.Random, length: int, library: Library) -> list[int]:
    if library.long:
        return [20] * length
    best, middle, poor = (37, 25, 11) if library.binned else (40, 28, 14)
    qualities = [best] * length
    for place in dice.sample(range(length), length // 12):
        qualities[place] = middle
    for place in dice.sample(range(length), length // 30):
        qualities[place] = poor
    return qualities


def _misread(dice: random.Random, bases: list[str], qualities: list[int]) -> None:
    """Put in errors as often as the qualities say."""
    place = -1
    highest = 10 ** (-min(qualities) / 10)
    while True:
        place += 1 + int(dice.expovariate(highest))
        if place >= len(bases):
            return
        if dice.random() < 10 ** (-qualities[place] / 10) / highest:
            bases[place] = dice.choice([letter for letter in "ACGT" if letter != bases[place]])


def _with_indels(
    dice: random.Random, bases: list[str], qualities: list[int], rate: float
) -> list[tuple[int, int]]:
    cigar: list[tuple[int, int]] = []
    place = last = 0
    while rate:
        place += 1 + int(dice.expovariate(rate))
        if place >= len(bases) - 5:
            break
        if place - last < 3:
            continue
        cigar.append((0, place - last))
        if dice.random() < 0.5:
            bases.insert(place, dice.choice("ACGT"))
            qualities.insert(place, qualities[place])
            cigar.append((1, 1))
            last = place = place + 1
        else:
            del bases[place], qualities[place]
            cigar.append((2, 1))
            last = place
    cigar.append((0, len(bases) - last))
    return cigar


def plain_reads(pieces: list[Piece], assembly: str = "GRCh38") -> list[Read]:
    """Return the reads as the room hands them on: without duplicates and what does not lie on the stretch."""
    shift = offset(assembly)
    return [
        Read(
            piece.name, bool(piece.flag & REVERSE), bool(piece.flag & SECOND), piece.mapping_quality,
            piece.start + shift, tuple(piece.cigar), piece.bases,
            bytes(piece.qualities) if piece.qualities else None,
        )
        for piece in pieces
        if not piece.flag & DUPLICATE
    ]  # fmt: skip


def offset(assembly: str) -> int:
    """Return what a place in the window must be raised by to be a 0-based place on chromosome 19."""
    return sites_on(find_assembly(assembly))[0].position - 1 - SITES[0]


@functools.cache
def chromosome(assembly: str, base_of_first: str = "T") -> bytes:
    """Return chromosome 19 of the simulated genome: the window, and N elsewhere."""
    known = find_assembly(assembly)
    shift = offset(assembly)
    text = window().encode()
    return b"N" * shift + text + b"N" * (known.length - shift - len(text))


def write_fasta(path: Path, assembly: str, contig: str = "chr19") -> str:
    """Write the simulated chromosome with its index; return its M5."""
    letters = chromosome(assembly)
    with path.open("wb") as handle:
        handle.write(f">{contig}\n".encode())
        handle.write(letters)
        handle.write(b"\n")
    start = len(contig) + 2
    Path(f"{path}.fai").write_text(f"{contig}\t{len(letters)}\t{start}\t{len(letters)}\t{len(letters) + 1}\n")
    return hashlib.md5(letters, usedforsecurity=False).hexdigest()


def header_of(
    assembly: str,
    *,
    contig: str = "chr19",
    m5: str | None = None,
    groups: dict[str, str] | None = None,
    programs: tuple[dict[str, str], ...] = ({"ID": "bwa", "PN": "bwa", "CL": "bwa mem"},),
) -> dict[str, object]:
    """Return a header; `groups` maps read groups to samples."""
    line: dict[str, object] = {"SN": contig, "LN": find_assembly(assembly).length}
    if m5:
        line["M5"] = m5
    header: dict[str, object] = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [line]}
    groups = {"lane": "S1"} if groups is None else groups
    if groups:
        header["RG"] = [{"ID": group, "SM": sample, "LB": "lib"} for group, sample in groups.items()]
    header["PG"] = list(programs)
    return header


def write_reads(
    path: Path,
    pieces: list[Piece],
    header: dict[str, object],
    assembly: str = "GRCh38",
    *,
    fasta: Path | None = None,
    options: tuple[bytes, ...] = (),
    index: bool = True,
    with_md: bool = False,
) -> Path:
    """Write a BAM or CRAM (by the name of `path`), with an index beside it unless asked not to."""
    shift = offset(assembly)
    mode = "wc" if path.suffix == ".cram" else "wb"
    with pysam.AlignmentFile(
        str(path),
        mode,
        header=header,
        reference_filename=str(fasta) if fasta else None,
        format_options=list(options),
    ) as handle:
        for piece in pieces:
            handle.write(_segment(piece, handle.header, shift, with_md))
    if index:
        pysam.index(str(path))
    return path


def _segment(piece: Piece, header: pysam.AlignmentHeader, shift: int, with_md: bool) -> pysam.AlignedSegment:
    segment = pysam.AlignedSegment(header)
    segment.query_name = piece.name
    segment.flag = piece.flag
    segment.reference_id = 0
    segment.reference_start = piece.start + shift
    segment.mapping_quality = piece.mapping_quality
    segment.cigartuples = piece.cigar
    segment.query_sequence = piece.bases
    if piece.qualities is not None:
        segment.query_qualities = pysam.qualitystring_to_array("".join(chr(33 + q) for q in piece.qualities))
    if piece.mate_start is not None:
        segment.next_reference_id = 0
        segment.next_reference_start = piece.mate_start + shift
    if piece.group:
        segment.set_tag("RG", piece.group)
    if with_md:
        segment.set_tag("MD", _md(piece))
    for tag, value in piece.tags:
        segment.set_tag(tag, value)
    return segment


def _md(piece: Piece) -> str:
    """Return the MD tag against the window."""
    parts, run, place, index = [], 0, piece.start, 0
    for operation, length in piece.cigar:
        if operation == 0:
            for _ in range(length):
                if piece.bases[index] == window()[place]:
                    run += 1
                else:
                    parts.append(f"{run}{window()[place]}")
                    run = 0
                place += 1
                index += 1
        elif operation == 2:
            parts.append(f"{run}^{window()[place : place + length]}")
            run = 0
            place += length
        else:
            index += length
    return "".join([*parts, str(run)])
