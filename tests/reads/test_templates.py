"""Reads to templates: every trap has its row."""

import itertools

import pytest

from pgx.reads import Read, facts, pile_up
from tests.reads.simulate import SITES, haplotype_sequence

FIRST, SECOND = SITES
POSITIONS = (FIRST + 1, SECOND + 1)


def read(name="r", start=FIRST - 10, length=150, *, haplotype="e4", cigar=None, second=False, **other):
    source = haplotype_sequence(haplotype)
    bases = other.pop("bases", source[start : start + length])
    values = {"reverse": False, "mapping_quality": 60, "qualities": bytes([37] * len(bases))} | other
    return Read(
        name, values["reverse"], second, values["mapping_quality"], start,
        tuple(cigar or ((0, length),)), bases, values["qualities"],
    )  # fmt: skip


def shown(pile):
    return ["".join(base.letter if base else "." for base in item.bases) for item in pile.templates]


def changed(text, index, letter):
    return text[:index] + letter + text[index + 1 :]


def test_one_read_over_both_sites_is_one_template():
    pile = pile_up([read(haplotype="e4")], POSITIONS, {})
    assert shown(pile) == ["CC"]
    assert pile.reads == 1


def test_mates_are_joined():
    pair = [
        read(start=FIRST - 100, haplotype="e2"),
        read(start=SECOND - 20, haplotype="e2", second=True, reverse=True),
    ]
    assert shown(pile_up(pair, POSITIONS, {})) == ["TT"]


def test_a_base_seen_by_both_mates_counts_once_at_its_better_quality():
    pair = [read(qualities=bytes([20] * 150)), read(second=True, reverse=True, qualities=bytes([35] * 150))]
    pile = pile_up(pair, POSITIONS, {})
    assert shown(pile) == ["CC"]
    assert {base.quality for base in pile.templates[0].bases} == {35}


def test_mates_that_clash_say_nothing_there():
    pair = [read(haplotype="e4"), read(haplotype="e3", second=True)]
    pile = pile_up(pair, POSITIONS, {})
    assert shown(pile) == [".C"]
    assert pile.dropped == {"clash": 1}


def edited(before, *, insert="", delete=0, after=145):
    """Return a read of 150 or so bases with an insertion or deletion `before` bases from its start."""
    source = haplotype_sequence("e4")[FIRST - 10 :]
    bases = source[:before] + insert + source[before + delete : before + delete + after]
    cigar = [(0, before), (1, len(insert)) if insert else (2, delete), (0, after)]
    return read(bases=bases, cigar=cigar)


E4 = haplotype_sequence("e4")[FIRST - 10 : FIRST + 140]


@pytest.mark.parametrize(
    ("case", "expected", "dropped"),
    [
        (read(mapping_quality=9), [], {"mapping-quality": 1}),
        (read(mapping_quality=0), [], {"mapping-quality": 1}),
        (read(mapping_quality=255), ["CC"], {}),
        (read(qualities=None), ["CC"], {}),
        (read(qualities=bytes([255] * 150)), ["CC"], {}),
        (read(qualities=bytes([2] * 150)), [], {"base-quality": 2}),
        (read(qualities=bytes([10] * 150)), ["CC"], {}),
        (read(mapping_quality=10), ["CC"], {}),
        (read(bases=changed(E4, 10, "N")), [".C"], {}),
        (read(bases=changed(E4, 10, "A")), [".C"], {}),
        # Clipped: the first site was not aligned.
        (read(start=FIRST + 5, bases=E4, cigar=[(4, 15), (0, 135)]), [".C"], {}),
        (read(cigar=[(5, 20), (0, 150)]), ["CC"], {}),
        # Near a site an insertion or deletion may have moved it; farther off it has not.
        (edited(8, insert="A"), [".C"], {"indel": 1}),
        (edited(13, delete=1), [".C"], {"indel": 1}),
        (edited(60, delete=3), ["CC"], {}),
        (edited(60, insert="GG"), ["CC"], {}),
        # Deleted: not seen.
        (edited(10, delete=1), [".C"], {}),
    ],
)
def test_traps(case, expected, dropped):
    pile = pile_up([case], POSITIONS, {})
    assert shown(pile) == expected
    assert pile.dropped == dropped


def test_other_letters_are_counted():
    pile = pile_up(
        [read(bases=changed(haplotype_sequence("e4")[FIRST - 10 : FIRST + 140], 10, "G"))], POSITIONS, {}
    )
    assert pile.others == [1, 0]


def test_introns_are_counted():
    assert pile_up([read(cigar=[(0, 5), (3, 40), (0, 145)])], POSITIONS, {}).spliced == 1


def test_damage_is_told_by_orientation():
    """C>T of a forward read and G>A of a reverse read are one kind, G>A of a forward read another."""
    start = FIRST - 100
    source = haplotype_sequence("e3")[start : start + 90]

    def worn(old, new, **other):
        return read(start=start, length=90, bases=source.replace(old, new, 1), **other)

    kinds = [
        (worn("C", "T"), 0),
        (worn("G", "A", reverse=True), 0),
        (worn("G", "A"), 1),
        (worn("C", "T", reverse=True), 1),
        (worn("C", "T", second=True), 2),
        (worn("G", "A", second=True), 3),
    ]
    for case, kind in kinds:
        tally = pile_up([case], POSITIONS, {}).tally
        assert tally.damaged == [int(number == kind) for number in range(4)]
        assert sum(tally.exposed[0:4]) == source.count("C") + source.count("G")
        assert tally.wrong == 0
        assert tally.compared == 90


def test_other_mismatches_are_no_damage():
    start = FIRST - 100
    source = haplotype_sequence("e3")[start : start + 90]
    tally = pile_up([read(start=start, length=90, bases=source.replace("C", "A", 1))], POSITIONS, {}).tally
    assert (sum(tally.damaged), tally.wrong) == (0, 1)


def test_the_sites_and_the_persons_own_variants_are_no_damage():
    """Half of all reads show a C>T at one place: the person has it; the sites are told apart by letters."""
    place = FIRST - 40
    own = changed(haplotype_sequence("e1"), place, "T" if haplotype_sequence("e1")[place] == "C" else "A")
    start = FIRST - 100
    plain = [read(f"a{n}", start=start, haplotype="e4") for n in range(10)]
    varied = [read(f"b{n}", start=start, bases=own[start : start + 150]) for n in range(10)]
    tally = pile_up([*plain, *varied], POSITIONS, {}).tally
    assert sum(tally.damaged) == 0
    assert tally.wrong == 0


def test_poor_bases_are_not_compared():
    start = FIRST - 100
    source = haplotype_sequence("e3")[start : start + 90]
    spot = source.index("C")
    poor = bytes([2 if index == spot else 37 for index in range(90)])
    tally = pile_up(
        [read(start=start, length=90, bases=changed(source, spot, "T"), qualities=poor)], POSITIONS, {}
    ).tally
    assert sum(tally.damaged) == 0
    assert tally.compared == 89


def test_what_lies_beyond_the_stretch_is_not_compared():
    beyond = FIRST + facts().sequence.first - 50
    tally = pile_up([read(start=beyond, length=100)], POSITIONS, {}).tally
    assert tally.compared == 50


def test_the_sequence_is_apoe():
    """Its translation, the two codons at their places, and letters of public VCF files (GRCh37)."""
    known = facts().sequence
    start = 388 + known.first  # of c.
    assert (start, len(known.letters)) == (237, 440)
    table = dict(
        zip(
            itertools.product("TCAG", repeat=3),
            "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG",
            strict=True,
        )
    )
    frame = known.letters[(1 - start) % 3 :]
    protein = "".join(table[tuple(frame[at : at + 3])] for at in range(0, len(frame) - 2, 3))
    first = (start + (1 - start) % 3 + 2) // 3
    assert first == 80
    assert protein.startswith(
        "ALMDETMKELKAYKSELEEQLTPVAEETRARLSKELQAAQARLGADMEDVCGRLVQYRGEVQAMLGQSTEELRVRLASHLRKLRKR"
    )
    assert (protein[130 - first], protein[176 - first]) == ("C", "R")
    assert "*" not in protein
    letters = {
        45411947: "C",
        45411965: "G",
        45412006: "G",
        45412040: "C",
        45412079: "C",
        45412125: "G",
        45412128: "TCA",
    }
    for position, shown in letters.items():
        offset = position - 45411941 - known.first
        assert known.letters[offset : offset + len(shown)] == shown
