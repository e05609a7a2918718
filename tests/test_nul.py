"""A NUL byte in a header, behind which htslib reads nothing: no sample may be lost in silence."""

from __future__ import annotations

import errno
import gzip
import os
import random
import re
import threading
import zlib

import pytest
from vcf_builder import site, vcf_text, write_vcf

from pgx.errors import FormatError, InputError
from pgx.vcf import Bounds, read_sites
from pgx.vcf.bgzf import compression, inflated
from pgx.vcf.header import read_header

NAMES = [f"S{number}" for number in range(210)]
HET = [site("rs429358", gt="0/1:99", format="GT:GQ"), site("rs7412", gt="0/0:99", format="GT:GQ")]
TEXT = vcf_text(records=HET, samples=NAMES)
LAST_LINE = TEXT[: TEXT.index("#CHROM")].count("\n") + 1
SPOILED = {
    "a name": (TEXT.replace("\tS3\t", "\tS\0003\t"), LAST_LINE),
    "the last name": (TEXT.replace("\tS209\n", "\tS\000209\n"), LAST_LINE),
    "behind the last name": (TEXT.replace("\tS209\n", "\tS209\0\n"), LAST_LINE),
    "in front of the names": (TEXT.replace("\tFORMAT\tS0", "\tFORMAT\0\tS0"), LAST_LINE),
    "a line in front": (TEXT.replace("##commandline", "##note=a\0b\n##commandline"), 2),
    "the line before the last": (TEXT.replace("#CHROM", "##note=a\0\n#CHROM"), LAST_LINE),
    "behind a blank line": (TEXT.replace("#CHROM", "\n#CHROM").replace("S3\t", "S\0\t"), LAST_LINE + 1),
}
FILES = [("a.vcf", "bgzip"), ("a.vcf.gz", "bgzip"), ("a.vcf.gz", "gzip")]


class Given:
    """An input that comes in the pieces given; see `pgx.vcf.open.Raw`."""

    label, size = "given", None

    def __init__(self, pieces):
        self._head, self._pieces = b"", iter(pieces)

    def at(self, offset, count):
        while len(self._head) < offset + count and (piece := next(self._pieces, b"")):
            self._head += piece
        return self._head[offset : offset + count]

    def pieces(self):
        yield self._head
        yield from self._pieces


def line_of_nul(pieces):
    raw = Given(pieces)
    packed = compression(raw)
    try:
        read_header(inflated(raw, packed), "given", Bounds(), packed=packed != "NONE")
    except FormatError as error:
        found = re.match(r"line (\d+) of its header holds a NUL byte", error.what)
        return int(found[1]) if found else None
    return None


@pytest.mark.parametrize(("text", "line"), SPOILED.values(), ids=SPOILED)
@pytest.mark.parametrize(("name", "compression"), FILES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_it_is_refused_in_one_line(tmp_path, name, compression, text, line, newline):
    path = write_vcf(tmp_path / name, text=text, compression=compression, newline=newline)
    with pytest.raises(FormatError) as caught:
        read_sites(str(path))
    assert str(caught.value).startswith(f"{path}: line {line} of its header holds a NUL byte")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("index", ["tbi", "csi"])
def test_an_index_does_not_hide_it(tmp_path, index):
    path = write_vcf(tmp_path / "a.vcf.gz", text=SPOILED["a name"][0], index=index)
    with pytest.raises(FormatError, match="NUL byte"):
        read_sites(str(path))


@pytest.mark.parametrize("packed", [False, True])
def test_bcf(tmp_path, packed):
    """The text in it ends with a NUL, as it must; one more is one too many."""
    path = write_vcf(tmp_path / "a.bcf", text=TEXT)
    whole = gzip.decompress(path.read_bytes())
    for content, refused in ((whole, False), (whole.replace(b"\tS3\t", b"\tS\0\t", 1), True)):
        path.write_bytes(gzip.compress(content) if packed else content)
        if refused:
            with pytest.raises(FormatError, match="holds a NUL byte"):
                read_sites(str(path))
        else:
            assert read_sites(str(path)).samples == tuple(NAMES)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_standard_input(run_pgx_process, compress):
    outcome = run_pgx_process("annotate", "-", "-f", "tsv", input=compress(SPOILED["a name"][0].encode()))
    assert (outcome.exit_code, outcome.stdout) == (3, "")
    assert outcome.stderr.startswith(f"error: standard input: line {LAST_LINE} of its header holds a NUL")
    assert outcome.stderr.count("\n") == 1
    outcome = run_pgx_process("annotate", "-", "-f", "tsv", input=compress(TEXT.encode()))
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.count("\n") == 1 + len(NAMES)


@pytest.mark.parametrize("spoiled", [False, True])
def test_a_named_pipe(tmp_path, spoiled):
    path = tmp_path / "pipe.vcf"
    os.mkfifo(path)
    content = (SPOILED["a name"][0] if spoiled else TEXT).encode()
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    try:
        if spoiled:
            with pytest.raises(FormatError, match="NUL byte"):
                read_sites(str(path))
        else:
            content = read_sites(str(path))
            assert (content.samples, len(content.records)) == (tuple(NAMES), 2)
    finally:
        writer.join(10)
    assert not writer.is_alive()


def test_a_stream_that_ends_early_is_still_truncated(run_pgx_process):
    far = [f"chr19\t{1000 + number}\t.\tA\tG\t.\t.\t.\tGT\t0/1" for number in range(20_000)]
    whole = gzip.compress(vcf_text(records=far).encode(), mtime=0)
    outcome = run_pgx_process("annotate", "-", input=whole[: len(whole) // 2])
    assert outcome.exit_code == 3
    assert any(word in outcome.stderr for word in ("truncated", "damaged"))
    assert outcome.stderr.count("\n") == 1


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_stream_that_cannot_be_read_on_is_not_taken_for_whole(tmp_path, monkeypatch, compress):
    """Not where it breaks between two lines either, or between two members of gzip."""
    text = TEXT.encode()
    start = text.index(b"#CHROM")
    given = [compress(text[:start]), compress(text[start:])]

    def read(descriptor, size):
        if given:
            return given.pop(0)
        raise OSError(errno.EIO, "broken")

    path = tmp_path / "pipe.vcf"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"",))
    writer.start()
    monkeypatch.setattr(os, "read", read)
    try:
        with pytest.raises(InputError, match="broke off"):
            read_sites(str(path))
    finally:
        writer.join(10)
    assert not given


@pytest.mark.parametrize("code", [*range(1, 9), *range(11, 32), 127, 0x85, 0xA0, 0x2028, 0xFEFF])
def test_other_control_characters_stay_part_of_a_name(tmp_path, code):
    """A carriage return too, where it does not stand at the end of the line."""
    odd = f"S{chr(code)}3"
    for name, kind in FILES:
        text = TEXT.replace("\tS3\t", f"\t{odd}\t")
        path = write_vcf(tmp_path / name, text=text, compression=kind)
        content = read_sites(str(path))
        assert content.samples == (*NAMES[:3], odd, *NAMES[4:])
        assert [len(record.samples) for record in content.records] == [210, 210]


@pytest.mark.parametrize(("name", "compression"), FILES)
def test_line_ends_of_windows_are_no_part_of_a_name(tmp_path, name, compression):
    path = write_vcf(tmp_path / name, text=TEXT, compression=compression, newline="\r\n")
    assert read_sites(str(path)).samples == tuple(NAMES)


def test_a_nul_behind_the_header_is_not_its_business(tmp_path):
    text = TEXT.replace("\trs429358\t", "\trs429358;a\0\t")
    assert line_of_nul([text.encode()]) is None
    assert line_of_nul([b"\0" * 300]) is None
    assert line_of_nul([b"hello\0\n" * 30]) is None


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["plain", "bgzip", "gzip", "bcf"])
def test_pieces_of_any_size_say_the_same(tmp_path, kind, seed):
    dice = random.Random(f"{kind} {seed}")  # noqa: S311
    text, line = dice.choice([*SPOILED.values(), (TEXT, None)])
    if kind == "bcf":
        content = gzip.decompress(write_vcf(tmp_path / "a.bcf", text=TEXT).read_bytes())
        if line is not None:
            content = content.replace(b"\tS3\t", b"\tS\0\t", 1)
            line = LAST_LINE + 1  # htslib has added a line on PASS
        content = gzip.compress(content)
    elif kind == "plain":
        content = text.encode()
    else:
        content = write_vcf(tmp_path / "a.vcf.gz", text=text, compression=kind).read_bytes()
    assert line_of_nul(cut(content, dice)) == line


@pytest.mark.parametrize("seed", range(10))
def test_damaged_input_is_left_to_htslib(seed):
    dice = random.Random(seed)  # noqa: S311
    content = gzip.compress(TEXT.encode(), mtime=0)[:200] + b"\xff" * 50
    with pytest.raises(zlib.error):
        zlib.decompressobj(31).decompress(content)
    assert line_of_nul(cut(content, dice)) is None


def cut(content, dice):
    """Yield `content` in pieces of random sizes."""
    top = dice.choice([1, 3, 40, 5000])
    while content:
        size = dice.randint(1, top)
        yield content[:size]
        content = content[size:]
