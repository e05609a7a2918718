"""Sample columns in one line, and the numbers and texts in their fields."""

from __future__ import annotations

import random
import re

import pytest

from pgx.cohort.biobank.format_parser import Fields, between, edges_of
from pgx.vcf import Columns

FIXED = "chr19\t44908684\t.\tT\tC\t.\t.\t.\tGT:DP:XX:PL"
FORM = ("GT", "DP", "XX", "PL")
SIZES = {"DP": 1, "PL": 3}
USUAL = re.compile("[^:]*:([0-9]{1,8}):[^:]*:([0-9]{1,8}),([0-9]{1,8}),([0-9]{1,8})")


def random_text(rng):
    number = rng.choice(
        ["0", "7", "30", "99", "12345678", "123456789", "00000001", "", ".", "-4", "1e3", "4/", ":"]
    )
    xx = rng.choice(
        ["", ".", "a", "é", "1,2,3,4", "exactly8", "ninebytes", "a text of more than sixteen bytes"]
    )
    others = [str(rng.randrange(10 ** rng.randrange(1, 10))) for _ in range(rng.choice([3, 3, 3, 2, 4]))]
    text = ":".join(
        [rng.choice(["0/1", "0|1", "./.", "1"]), rng.choice([number, "31"]), xx, ",".join(others)]
    )
    return rng.choice([text, text, text, text + ":", text.rpartition(":")[0], "."])


@pytest.mark.parametrize("piece", [range(400), range(1), range(399, 400), range(17, 230)], ids=str)
def test_fields_are_what_a_regular_expression_finds(piece):
    rng = random.Random(3)  # noqa: S311 - no secret
    texts = [random_text(rng) for _ in range(400)]
    fields = Fields(Columns.of(FIXED, texts), FORM, piece, SIZES)
    found = [(place, match) for place, text in enumerate(texts[piece.start : piece.stop])
             if (match := USUAL.fullmatch(text))]  # fmt: skip
    assert fields.rows.tolist() == [place for place, _ in found]
    numbers = [fields.numbers["DP"][0], *fields.numbers["PL"]]
    assert [values.tolist() for values in numbers] == [
        [int(match[group]) for _, match in found] for group in range(1, 5)
    ]
    words = list(zip(*(values.tolist() for values in fields.words("XX")), strict=True)) or [()] * len(found)
    own = [match[0].split(":")[2].encode() for _, match in found]
    assert [fields.text("XX", place) for place in range(len(found))] == own
    assert len(set(zip(words, own, strict=True))) == len(set(words)) == len(set(own))


def test_columns_are_a_sequence_of_texts():
    texts = ("0/1:3", "", "é:1", "./.")
    for find in (len, edges_of):  # without the edges and with them
        columns = Columns.of(FIXED, texts)
        find(columns)
        assert [columns[place] for place in range(-4, 4)] == [*texts, *texts]
        assert (len(columns), columns[1:3], tuple(columns)) == (4, texts[1:3], texts)
        with pytest.raises(IndexError):
            columns[4]
    assert between(columns, 1, 4) == "\té:1\t./.".encode()
