"""The types of the room, the numbers it rests on (reference/reads.toml), and templates made of reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, product

from msgspec import Struct

from pgx.genome import letters
from pgx.reference import FactFile, Facts, Number, load


class _Sequence(Facts, frozen=True, kw_only=True):
    first: int
    letters: str
    basis: str


class _Contamination(Facts, frozen=True, kw_only=True):
    shares: tuple[float, ...]
    weights: tuple[float, ...]
    basis: str


class Programs(Facts, frozen=True, kw_only=True):
    """Words of a header that give away RNA, bisulfite or tumour reads; lower case."""

    rna: tuple[str, ...]
    rna_options: tuple[str, ...]
    rna_assays: tuple[str, ...]
    bisulfite: tuple[str, ...]
    bisulfite_options: tuple[str, ...]
    bisulfite_assays: tuple[str, ...]
    tumour: tuple[str, ...]
    tumour_barcode: str
    basis: str


class ReadFacts(FactFile, frozen=True, kw_only=True):
    """The file reads.toml."""

    sequence: _Sequence
    min_base_quality: Number
    unstated_base_quality: Number
    max_base_quality: Number
    min_mapping_quality: Number
    unstated_mapping_quality: Number
    max_mapping_quality: Number
    indel_margin: Number
    chimera_rate: Number
    contamination: _Contamination
    contamination_reported: Number
    damage_prior: Number
    damage_prior_weight: Number
    damage_reported: Number
    damage_refused: Number
    unlike_reference: Number
    letters_quality: Number
    deciding_quality: Number
    scan_limit: Number
    programs: Programs


def facts() -> ReadFacts:
    """Return the numbers and names of reference/reads.toml."""
    return load("reads.toml", ReadFacts)


class Read(Struct, frozen=True):
    """One aligned read, in plain values."""

    name: str
    reverse: bool
    second: bool
    mapping_quality: int
    start: int  # 0-based position of its first aligned base
    cigar: tuple[tuple[int, int], ...]  # operation (as SAM numbers them) and length
    bases: str  # as stored, on the plus strand
    qualities: bytes | None  # Phred-scaled, a byte a base; None where the file has none


class Base(Struct, frozen=True):
    """The letter that a template shows at a site; `quality` is Phred-scaled, within the limits set."""

    letter: str
    quality: int
    reverse: bool
    second: bool


class Template(Struct, frozen=True):
    """A molecule, seen by one read or by a pair: its base at each site, None where it shows none."""

    bases: tuple[Base | None, Base | None]
    mapping_quality: int


class Tally(Struct):
    """Bases of the reads against the known sequence, away from the sites."""

    damaged: list[int]  # by kind of change and of read (`change_kind`), bases that show it
    exposed: list[int]  # and bases that could
    wrong: int = 0  # all other mismatches
    compared: int = 0  # and the bases compared for them


class Pile(Struct, kw_only=True):
    """What the reads of one sample show."""

    templates: list[Template]  # those that show a letter at a site at least
    tally: Tally
    reads: int = 0  # those that were used, over the whole stretch
    dropped: dict[str, int]  # what was not, by reason: "duplicate", "clash", "indel", "base-quality" ...
    others: list[int]  # by site, bases that are neither of the two letters
    spliced: int = 0  # reads with a gap as introns make it


#: Damage shows as C>T in the orientation of the read, or as G>A (its mate, or the far end of the molecule);
#: the first and the second read of a pair may differ. A C of the plus strand may turn C>T in a forward read.
KINDS = 4


def change_kind(*, guanine: bool, second: bool) -> int:
    """Return the index (0 to 3) of a kind of damage: G>A rather than C>T, in a second read."""
    return 2 * second + guanine


_MATCH = frozenset({0, 7, 8})
_INSERTION, _DELETION, _SKIP, _SOFT_CLIP = 1, 2, 3, 4
_NO_QUALITY = 255


def pile_up(reads: Iterable[Read], positions: Sequence[int], left_out: Mapping[str, int]) -> Pile:
    """Join reads to templates, and compare them with the known sequence; `positions` are 1-based."""
    comparison, dropped = _Comparison(positions), Counter(left_out)
    pile = Pile(templates=[], tally=Tally([0] * KINDS, [0] * KINDS), dropped=dropped, others=[0, 0])
    mates: dict[str, list[tuple[list[Base | None], int]]] = {}
    for read in reads:
        quality = _quality(read.mapping_quality, "mapping")
        if quality is None:
            dropped["mapping-quality"] += 1
            continue
        pile.reads += 1
        pile.spliced += any(operation == _SKIP for operation, _ in read.cigar)
        blocks = _blocks(read)
        comparison.add(read, blocks)
        shown = [_base_at(read, blocks, position - 1, site, pile) for site, position in enumerate(positions)]
        if any(shown):
            mates.setdefault(read.name, []).append((shown, quality))
    pile.templates = [template for group in mates.values() if (template := _joined(group, dropped))]
    pile.tally = comparison.tally()
    return pile


def _quality(stated: int, kind: str) -> int | None:
    """Return the "base" or "mapping" quality to reckon with, None where it is too low to be used."""
    known = facts()
    if stated == _NO_QUALITY:
        return int(getattr(known, f"unstated_{kind}_quality").value)
    if stated < getattr(known, f"min_{kind}_quality").value:
        return None
    return min(stated, int(getattr(known, f"max_{kind}_quality").value))


def _blocks(read: Read) -> list[tuple[int, int, int]]:
    """Return the aligned stretches: 0-based start on the chromosome, start in the read, length."""
    found, place, index = [], read.start, 0
    for operation, length in read.cigar:
        if operation in _MATCH:
            found.append((place, index, length))
            place += length
            index += length
        elif operation in {_INSERTION, _SOFT_CLIP}:
            index += length
        elif operation in {_DELETION, _SKIP}:
            place += length
    return found


def _base_at(read: Read, blocks: list[tuple[int, int, int]], at: int, site: int, pile: Pile) -> Base | None:
    margin = int(facts().indel_margin.value)
    for number, (start, index, length) in enumerate(blocks):
        before, after = at - start, start + length - 1 - at
        if before < 0 or after < 0:
            continue
        if (number > 0 and before < margin) or (number < len(blocks) - 1 and after < margin):
            pile.dropped["indel"] += 1
            return None
        offset = index + before
        letter = read.bases[offset].upper()
        quality = _quality(read.qualities[offset] if read.qualities else _NO_QUALITY, "base")
        if quality is not None and letter in letters():
            return Base(letter, quality, read.reverse, read.second)
        if quality is None:
            pile.dropped["base-quality"] += 1
        else:
            pile.others[site] += 1
        break
    return None


def _joined(group: list[tuple[list[Base | None], int]], dropped: Counter[str]) -> Template | None:
    """Join the reads of one molecule: a base seen twice counts once, one seen differently not at all."""
    bases: list[Base | None] = []
    for site in range(2):
        seen = [base for shown, _ in group if (base := shown[site])]
        if len({base.letter for base in seen}) > 1:
            dropped["clash"] += 1
            bases.append(None)
        else:
            bases.append(max(seen, key=lambda base: base.quality, default=None))
    least = min(quality for _, quality in group)
    return Template((bases[0], bases[1]), least) if any(bases) else None


class _Comparison:
    """Counts how often the stretch was seen and what differed, by kind of read and offset."""

    def __init__(self, positions: Sequence[int]) -> None:
        self.letters = facts().sequence.letters
        self.first = positions[0] - 1 + facts().sequence.first  # 0-based place of the first letter
        self.away = frozenset(position - 1 - self.first for position in positions)
        self.steps = {kind: [0] * (len(self.letters) + 1) for kind in range(4)}
        self.changes: defaultdict[tuple[int, int], Counter[str]] = defaultdict(Counter)

    def add(self, read: Read, blocks: Sequence[tuple[int, int, int]]) -> None:
        """Count a read; `blocks` have 0-based starts in reference and read, and a length, each."""
        kind = 2 * read.second + read.reverse
        steps = self.steps[kind]
        least = int(facts().min_base_quality.value)
        for start, index, length in blocks:
            begin, end = max(start - self.first, 0), min(start + length - self.first, len(self.letters))
            if begin >= end:
                continue
            spot = index + begin + self.first - start
            shown, expected = read.bases[spot : spot + end - begin].upper(), self.letters[begin:end]
            steps[begin] += 1
            steps[end] -= 1
            poor: set[int] = set()
            qualities = read.qualities[spot : spot + end - begin] if read.qualities else b""
            if qualities and min(qualities) < least:
                poor = {number for number, quality in enumerate(qualities) if quality < least}
            if "N" in shown:
                poor |= {number for number, letter in enumerate(shown) if letter == "N"}
            for number in poor:
                steps[begin + number] -= 1
                steps[begin + number + 1] += 1
            if shown != expected:
                for number, (letter, other) in enumerate(zip(shown, expected, strict=True)):
                    if letter != other and number not in poor:
                        self.changes[kind, begin + number][letter] += 1

    def tally(self) -> Tally:
        """Return the sums, without the sites and the positions at which the person differs."""
        depths = {kind: list(accumulate(steps)) for kind, steps in self.steps.items()}
        by_place: Counter[int] = Counter()
        for (_, offset), seen in self.changes.items():
            by_place[offset] += seen.total()
        total = sum(map(sum, depths.values()))
        # where it differs as often as this, the person does: variants are no errors
        limit = max(0.2, 4 * by_place.total() / max(1, total))
        left_out = self.away | {
            offset
            for offset, hits in by_place.items()
            if hits >= max(2, limit * sum(depth[offset] for depth in depths.values()))
        }
        result = Tally([0] * KINDS, [0] * KINDS)
        for (kind, depth), (offset, expected) in product(depths.items(), enumerate(self.letters)):
            if not depth[offset] or offset in left_out:
                continue
            second, reverse = divmod(kind, 2)
            seen = self.changes.get((kind, offset), Counter[str]())
            damaged = seen[{"C": "T", "G": "A"}.get(expected, "")]
            if expected in "CG":
                sort = change_kind(guanine=(expected == "G") != bool(reverse), second=bool(second))
                result.damaged[sort] += damaged
                result.exposed[sort] += depth[offset]
            result.wrong += seen.total() - damaged
            result.compared += depth[offset]
        return result
