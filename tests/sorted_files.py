"""Files for tests of the search: thirty kinds, sorted or not; plain, or bgzip in blocks of any size."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from itertools import pairwise

from vcf_builder import LENGTHS, POSITIONS

SITES = POSITIONS["GRCh38"]
NAMES = [*map(str, range(1, 23)), "X", "Y"]
_END_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_DIGITS = 9

Lines = list[str]


def bgzip(data: bytes, size: int, cuts: tuple[int, ...] = ()) -> bytes:
    """Pack data into BGZF blocks of `size` bytes; a new block begins at each of `cuts`, too."""
    edges = sorted({*range(0, len(data), size), *cuts, len(data)})
    return b"".join(map(_block, (data[a:b] for a, b in pairwise(edges)))) + _END_BLOCK


def _block(data: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    head = struct.pack("<BBBBIBBHBBHH", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(packed) + 25)
    return head + packed + struct.pack("<II", zlib.crc32(data), len(data))


def header(
    dice: random.Random,
    *,
    end: bool = False,
    names: list[str] = NAMES,
    contigs: bool = True,
    samples: int = 1,
    prefix: str = "chr",
) -> Lines:
    """Return the lines of a header on GRCh38."""
    lengths = dict(zip(("1", "19", "20"), LENGTHS["GRCh38"], strict=True))
    lines = ["##fileformat=VCFv4.2", "##reference=GRCh38"]
    lines += [
        f"##contig=<ID={prefix}{name},length={lengths.get(name, 100_000_000)}>" for name in names if contigs
    ]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="g">']
    lines += ['##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="q">']
    lines += ['##INFO=<ID=NOTE,Number=1,Type=String,Description="n">']
    lines += ['##INFO=<ID=END,Number=1,Type=Integer,Description="e">'] if end else []
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
    return [*lines, "\t".join([*columns, *(f"S{number}" for number in range(samples))])]


def line(
    contig: str,
    position: int,
    ref: str = "A",
    alt: str = "G",
    name: str = ".",
    info: str = ".",
    gt: str = "0/1",
) -> str:
    """Return a record of one sample."""
    return "\t".join([contig, str(position), name, ref, alt, "50", "PASS", info, "GT:GQ", f"{gt}:60"])


def body(dice: random.Random, names: list[str] = NAMES, prefix: str = "chr") -> Lines:
    """Return sorted records over some contigs, both sites among them."""
    records = dice.randint(60, 500)
    found = []
    for name in names:
        count = records // 6 if name == "19" else dice.randint(0, records // 12)
        places = [(dice.randint(1, 58_000_000), line) for _ in range(count)]
        places += [
            (dice.randint(44_890_000, 44_930_000), line) for _ in range(count // 4 if name == "19" else 0)
        ]
        rows = [line(prefix + name, place, gt=dice.choice(("0/1", "1/1"))) for place, _ in places]
        rows += sites(dice, prefix + name) if name == "19" else []
        found += in_order(rows)
    return found


def sites(dice: random.Random, contig: str = "chr19") -> Lines:
    """Return the records at both sites."""
    return [
        line(
            contig,
            SITES["rs429358"],
            "T",
            "C",
            dice.choice((".", "rs429358")),
            gt=dice.choice(("0/0", "0/1")),
        ),
        line(contig, SITES["rs7412"], "C", "T", dice.choice((".", "rs7412")), gt=dice.choice(("0/0", "0/1"))),
    ]


def position(row: str) -> int:
    """Return the position of a record."""
    return int(row.split("\t")[1])


def in_order(rows: Lines) -> Lines:
    """Return records of one contig by position."""
    return sorted(rows, key=position)


def _ours(rows: Lines) -> tuple[Lines, Lines, Lines]:
    """Return the records in front of chromosome 19, on it, and behind it."""
    numbers = [number for number, row in enumerate(rows) if row.split("\t")[0] in {"chr19", "19"}]
    return rows[: numbers[0]], rows[numbers[0] : numbers[-1] + 1], rows[numbers[-1] + 1 :]


def _with(rows: Lines, *more: str) -> Lines:
    before, ours, behind = _ours(rows)
    return [*before, *in_order([*ours, *more]), *behind]


def _is_site(row: str) -> bool:
    return row.startswith("chr19\t") and position(row) in SITES.values()


def _shifted(dice: random.Random) -> tuple[Lines, Lines]:
    rows = body(dice)
    before, ours, behind = _ours(rows)
    by = dice.choice((-1, 1, 503_257, -4096))
    moved = ["\t".join([(c := row.split("\t"))[0], str(max(int(c[1]) + by, 1)), *c[2:]]) for row in ours]
    return header(dice), [*before, *moved, *behind]


def _unsorted_near(dice: random.Random) -> tuple[Lines, Lines]:
    rows = body(dice)
    place = next(number for number, row in enumerate(rows) if _is_site(row)) + dice.randint(-2, 1)
    rows[place], rows[place + 1] = rows[place + 1], rows[place]
    return header(dice), rows


def _moved(dice: random.Random) -> tuple[Lines, Lines]:
    rows = body(dice)
    own = rows.pop(next(number for number, row in enumerate(rows) if _is_site(row)))
    rows.insert(dice.choice((0, len(rows), dice.randrange(len(rows)))), own)
    return header(dice), rows


def _long_block(dice: random.Random, *, declared: bool, far: int) -> tuple[Lines, Lines]:
    start = SITES["rs429358"] - dice.randint(2, far)
    end = SITES["rs429358"] + dice.randint(-1, 300)
    block = line("chr19", start, "A", "<NON_REF>", info=f"END={end}", gt="0/0")
    head = header(dice, end=declared)
    return head, _with(body(dice), block)


def _symbolic(dice: random.Random) -> tuple[Lines, Lines]:
    start = SITES["rs429358"] - dice.randint(2, 3_000_000)
    row = line("chr19", start, "A", "<DEL>", info=f"SVTYPE=DEL;END={start + dice.randint(10, 4_000_000)}")
    return header(dice, end=True), _with(body(dice), row)


def _spelled(dice: random.Random) -> tuple[Lines, Lines]:
    length = dice.randint(2, 40_000)
    row = line("chr19", SITES["rs429358"] - length + dice.randint(0, 2), "A" * length, "A")
    return header(dice), _with(body(dice), row)


def _blocks(dice: random.Random) -> tuple[Lines, Lines]:
    rows, place = [], 40_000_000
    while place < 46_000_000:
        size = dice.randint(1, 60_000)
        rows.append(line("chr19", place, "A", "<NON_REF>", info=f"END={place + size - 1}", gt="0/0"))
        place += size
    before, _, behind = _ours(body(dice))
    return header(dice, end=True), [*before, *rows, *behind]


def _joined(dice: random.Random, *, with_header: bool) -> tuple[Lines, Lines]:
    head, rows, more = header(dice), body(dice), body(dice)
    if dice.random() < 0.5:
        more = [row for row in more if not _is_site(row)]
    return head, [*rows, *(head if with_header else []), *more]


def _two_names(dice: random.Random) -> tuple[Lines, Lines]:
    rows = body(dice)
    before, ours, behind = _ours(rows)
    cut = dice.randrange(len(ours))
    plain = [row.removeprefix("chr") for row in ours[cut:]]
    head = header(dice, contigs=dice.random() < 0.5)
    return head, [*before, *ours[:cut], *plain, *behind]


def _side_by_side(dice: random.Random) -> tuple[Lines, Lines]:
    """Return a file that was joined by chromosome from two, so that chromosome 19 descends once."""
    before, ours, behind = _ours(body(dice))
    _, more, _ = _ours(body(dice))
    return header(dice), [*before, *ours, *more, *behind]


def _names_by_letters(dice: random.Random) -> tuple[Lines, Lines]:
    rows = [body(dice, sorted(NAMES), prefix) for prefix in ("", "chr")]
    return header(dice, contigs=False), [*rows[0], *rows[1]]


def reaching(dice: random.Random) -> bytes:
    """Return a file with records that reach a site of some assembly, most from afar, declared or not."""
    places = [place for on in POSITIONS.values() for place in on.values()]
    rows = [line("chr19", dice.randint(1, 58_000_000)) for _ in range(dice.randint(200, 900))]
    rows += [line("chr19", dice.choice(places) + dice.randint(-3000, 3000)) for _ in range(200)]
    is_spelled = dice.random() < 0.5
    for _ in range(dice.randint(1, 4)):
        place, far = dice.choice(places), int(10 ** dice.uniform(0, 5.2 if is_spelled else 6.3))
        start, length = max(place - far, 1), max(far + dice.randint(-2, 500), 1)
        made_of = (
            ("A", "<NON_REF>", f"END={start + length}"),
            ("A", "G,<DEL>", f"END={start + length}"),
            ("A", "<DEL>", f"SVLEN=-{length}"),
            ("A" * min(length, 200_000), "A", "."),
        )
        ref, alt, info = made_of[-1] if is_spelled else dice.choice(made_of)
        rows.append(line("chr19", start, ref, alt, info=info))
    declared = ("INFO=<ID=END,Number=1,Type=Integer", "INFO=<ID=SVLEN,Number=A,Type=Integer", "ALT=<ID=DEL")
    head = header(dice)
    more = [f'##{text},Description="d">' for text in declared if dice.random() < 0.4]
    return ("\n".join([*head[:-1], *more, head[-1], *in_order([*rows, *sites(dice)])]) + "\n").encode()


def _edge_site(dice: random.Random, *, first: bool) -> tuple[Lines, Lines]:
    _, ours, behind = _ours(body(dice))
    inside = [row for row in ours if (position(row) >= SITES["rs429358"]) == first or _is_site(row)]
    before = body(dice, NAMES[:18])
    return header(dice), [*inside, *behind] if first else [*before, *inside]


def _huge_header(dice: random.Random) -> tuple[Lines, Lines]:
    head = header(dice)
    return [*head[:-1], *(f"##note{number}={'x' * 200}" for number in range(1500)), head[-1]], body(dice)


def _long_line(dice: random.Random) -> tuple[Lines, Lines]:
    place = dice.randint(1, 58_000_000)
    return header(dice), _with(body(dice), line("chr19", place, info="NOTE=" + "x" * 300_000))


def _samples(dice: random.Random) -> tuple[Lines, Lines]:
    return header(dice, samples=3), [f"{row}\t0/0:50\t0/1:40" for row in body(dice)]


def _duplicated(dice: random.Random) -> tuple[Lines, Lines]:
    rows = body(dice)
    return header(dice), [row for row in rows for _ in range(dice.randint(2, 40) if _is_site(row) else 1)]


def _split(dice: random.Random) -> tuple[Lines, Lines]:
    return header(dice), _with(body(dice), line("chr19", SITES["rs429358"], "T", "G", gt="0/0"))


def _crowd(dice: random.Random) -> tuple[Lines, Lines]:
    """Return hundreds of records around the sites, so that what stands near is not near in bytes."""
    places = [SITES["rs429358"] + dice.randint(-1200, 1200) for _ in range(dice.randint(100, 700))]
    return header(dice), _with(body(dice), *(line("chr19", at) for at in places if at not in SITES.values()))


def _absent(dice: random.Random) -> tuple[Lines, Lines]:
    gone = dice.choice((*SITES.values(), 0))
    return header(dice), [
        row for row in body(dice) if not _is_site(row) or position(row) not in {gone, gone or 0}
    ]


def _near_name(dice: random.Random) -> tuple[Lines, Lines]:
    place = SITES["rs429358"] + dice.choice((-999, -5, 900))
    return header(dice), _with(body(dice), line("chr19", place, name=dice.choice(("rs429358", "RS7412"))))


def _order(dice: random.Random, names: list[str], *, contigs: bool) -> tuple[Lines, Lines]:
    return header(dice, names=names, contigs=contigs), body(dice, names)


def _shuffled(dice: random.Random, *, declared: bool) -> tuple[Lines, Lines]:
    names = dice.sample(NAMES, len(NAMES))
    return header(dice, names=names if declared else NAMES), body(dice, names)


def _sorted(dice: random.Random) -> tuple[Lines, Lines]:
    return header(dice), body(dice)


#: Each kind with whether a search must be trusted (True), must not be (False), or may be either way (None).
KINDS: dict[str, tuple[bool | None, Callable[[random.Random], tuple[Lines, Lines]]]] = {
    "sorted": (True, _sorted),
    "without chr": (True, lambda dice: (header(dice, prefix=""), body(dice, prefix=""))),
    "shifted": (None, _shifted),
    "duplicated": (True, _duplicated),
    "split": (True, _split),
    "unsorted near": (None, _unsorted_near),
    "moved far": (False, _moved),
    "reversed": (False, lambda dice: (header(dice), body(dice)[::-1])),
    "long block": (True, lambda dice: _long_block(dice, declared=True, far=30_000_000)),
    "undeclared END": (None, lambda dice: _long_block(dice, declared=False, far=900_000)),
    "symbolic deletion": (True, _symbolic),
    "spelled deletion": (True, _spelled),
    "blocks": (True, _blocks),
    "joined with itself": (False, lambda dice: _joined(dice, with_header=False)),
    "joined with header": (False, lambda dice: _joined(dice, with_header=True)),
    "two names": (None, _two_names),
    "side by side": (False, _side_by_side),
    "two names by letters": (False, _names_by_letters),
    "site first": (True, lambda dice: _edge_site(dice, first=True)),
    "site last": (True, lambda dice: _edge_site(dice, first=False)),
    "huge header": (True, _huge_header),
    "long line": (True, _long_line),
    "samples": (True, _samples),
    "crowd": (True, _crowd),
    "absent": (None, _absent),
    "name near": (True, _near_name),
    "lexicographic": (True, lambda dice: _order(dice, sorted(NAMES), contigs=True)),
    "lexicographic, none declared": (True, lambda dice: _order(dice, sorted(NAMES), contigs=False)),
    "none declared": (True, lambda dice: _order(dice, NAMES, contigs=False)),
    "in an order of its own": (True, lambda dice: _shuffled(dice, declared=True)),
    "in no order": (None, lambda dice: _shuffled(dice, declared=False)),
    "chromosome 19 alone": (True, lambda dice: _order(dice, ["19"], contigs=True)),
}
#: What is done to the text of a file, and whether a search must still be trusted.
ENDS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda text: text,
    "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "no last line end": lambda text: text[:-1],
    "cut off": lambda text: text[:-20],
    "trailing tab": lambda text: text.replace(b":60\n", b":60\t\n"),
}


def made(kind: str, seed: int) -> tuple[bytes, str]:
    """Return a file of a kind as text, and what was done to its lines."""
    dice = random.Random(f"{kind} {seed}")  # noqa: S311 - test data
    head, rows = KINDS[kind][1](dice)
    ends = list(ENDS)[seed % 10] if seed % 10 < len(ENDS) else "as it is"
    return ENDS[ends](("\n".join([*head, *rows]) + "\n").encode()), ends
