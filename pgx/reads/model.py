"""The types of the room, and the numbers it rests on (reference/reads.toml)."""

from __future__ import annotations

import functools

from msgspec import Struct

from pgx.reference import Facts, Provenance, load


class _Value(Facts, frozen=True, kw_only=True):
    value: float
    basis: str


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
    bisulfite: tuple[str, ...]
    bisulfite_options: tuple[str, ...]
    tumour: tuple[str, ...]
    basis: str


class ReadFacts(Facts, frozen=True, kw_only=True):
    """The file reads.toml."""

    provenance: Provenance
    sequence: _Sequence
    min_base_quality: _Value
    unstated_base_quality: _Value
    max_base_quality: _Value
    min_mapping_quality: _Value
    unstated_mapping_quality: _Value
    max_mapping_quality: _Value
    indel_margin: _Value
    chimera_rate: _Value
    contamination: _Contamination
    contamination_reported: _Value
    damage_prior: _Value
    damage_prior_weight: _Value
    damage_reported: _Value
    damage_refused: _Value
    unlike_reference: _Value
    letters_quality: _Value
    deciding_quality: _Value
    scan_limit: _Value
    programs: Programs


@functools.cache
def facts() -> ReadFacts:
    """Return the numbers and names of reference/reads.toml."""
    return load("reads.toml", ReadFacts)


class Read(Struct, frozen=True):
    """One aligned read, in plain values.

    Attributes
    ----------
    start
        0-based position of its first aligned base.
    cigar
        Pairs of operation (as SAM numbers them) and length.
    bases
        As stored, on the plus strand.
    qualities
        Phred-scaled, a byte a base; None where the file has none.
    """

    name: str
    reverse: bool
    second: bool
    mapping_quality: int
    start: int
    cigar: tuple[tuple[int, int], ...]
    bases: str
    qualities: bytes | None


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
    """Bases of the reads against the known sequence, away from the sites.

    Attributes
    ----------
    damaged, exposed
        By kind of change and of read (`change_kind`): bases that show it, and bases that could.
    wrong, compared
        All other mismatches, and the bases compared for them.
    """

    damaged: list[int]
    exposed: list[int]
    wrong: int = 0
    compared: int = 0


class Pile(Struct, kw_only=True):
    """What the reads of one sample show.

    Attributes
    ----------
    templates
        Those that show a letter at a site at least.
    reads
        Reads that were used, over the whole stretch.
    dropped
        What was not used, by reason: "duplicate", "clash", "indel", "base-quality" ...
    others
        By site, bases that are neither of the two letters.
    spliced
        Reads with a gap as introns make it.
    """

    templates: list[Template]
    tally: Tally
    reads: int = 0
    dropped: dict[str, int]
    others: list[int]
    spliced: int = 0


#: Damage shows as C>T in the orientation of the read, or as G>A (its mate, or the far end of the molecule);
#: the first and the second read of a pair may differ. A C of the plus strand may turn C>T in a forward read.
KINDS = 4


def change_kind(*, guanine: bool, second: bool) -> int:
    """Return the index (0 to 3) of a kind of damage: G>A rather than C>T, in a second read."""
    return 2 * second + guanine
