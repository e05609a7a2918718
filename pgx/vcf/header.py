"""What the start of an input shows, before htslib sees it: which kind of file it is, and its header."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from itertools import chain

from msgspec import Struct

from pgx.errors import FormatError, printable
from pgx.vcf.bgzf import GZIP_MAGIC
from pgx.vcf.open import COPY_AGAIN, GIVE_A_VCF, Bounds, beyond

_BOM = b"\xef\xbb\xbf"
_BCF_MAGIC = b"BCF\x02"
_BCF_START = 9  # bytes in front of the header: magic (5), and length of the text (4)
_FIXED = (b"#CHROM", b"POS", b"ID", b"REF", b"ALT", b"QUAL", b"FILTER", b"INFO", b"FORMAT")
#: The first line behind the "##" lines; blank lines between them count as such, as they do for htslib.
_AFTER = re.compile(rb"\n(?=#[^#]|[^#\r\n])")
_CONTIG = re.compile(rb"^##contig=<([^\n]*)", re.MULTILINE)
_ID = re.compile(rb"(?:^|,)ID=([^,>\r]+)")
_BLANKS = (b" ", b"\v", b"\f", b"\r")
_WRITE_AGAIN = "Write the header again, for example with bcftools reheader"
_INDEX = re.compile(rb",IDX=(\d{1,18})")


class Header(Struct, frozen=True, kw_only=True):
    """The header of an input."""

    kind: str  # "VCF" or "BCF"
    data: bytes  # to give to htslib in front of records: cleaned of a BOM and of a trailing tab
    samples: tuple[str, ...]
    size: int  # bytes that it takes in the input, without compression
    lines: int  # and lines
    contigs: dict[int, str]  # the names that it declares, by their number in a BCF
    trailing_tab: bool = False  # the line of column names ends with a tab, and so may the records

    @property
    def text(self) -> bytes:
        """Return its lines."""
        return self.data if self.kind == "VCF" else self.data[_BCF_START:].rstrip(b"\0")

    def parts(self) -> tuple[bytes, str]:
        """Return all lines but that of the samples, and this line; "" where htslib may print it otherwise."""
        text = self.text.rstrip(b"\r\n")
        lines, line = text[: text.rfind(b"\n") + 1], text[text.rfind(b"\n") + 1 :]
        usual = self.kind == "VCF" and line.isascii() and self.has_plain_names
        return lines, f"{line.decode()}\n" if usual else ""

    @property
    def has_plain_names(self) -> bool:
        """Return whether no blank is in the names of the samples: of some of these htslib knows better."""
        text = self.text.rstrip(b"\r\n")
        return all(text.find(blank, text.rfind(b"\n")) < 0 for blank in _BLANKS)

    def with_samples(self, count: int) -> bytes:
        """Return `data` with the first `count` samples only; there are more."""
        text = self.text
        end = text.rstrip(b"\r\n").rfind(b"\n")
        for _ in range(len(_FIXED) + count):
            end = text.index(b"\t", end + 1)
        text = text[:end] + b"\n"
        if self.kind == "VCF":
            return text
        return self.data[: _BCF_START - 4] + (len(text) + 1).to_bytes(4, "little") + text + b"\0"


def read_header(
    pieces: Iterator[bytes], label: str, limits: Bounds, *, packed: bool
) -> tuple[Header, Iterator[bytes]]:
    """Return the header of an input, which was `packed` or not, and what follows; or a `FormatError`."""
    head, least = b"", 1 << 12  # bytes by which the kind of a file is told
    while len(head) < least and (piece := next(pieces, b"")):
        head += piece
    check_kind(head[:least], label, inside_gzip=packed)
    read = _bcf_header if head.startswith(_BCF_MAGIC) else _vcf_header
    header, head = read(head, pieces, label, limits)
    return header, chain([head[header.size :]], pieces)


def _bcf_header(head: bytes, pieces: Iterator[bytes], label: str, limits: Bounds) -> tuple[Header, bytes]:
    """Return the header, and all that was read to have it."""
    size = _BCF_START + int.from_bytes(head[_BCF_START - 4 : _BCF_START], "little")
    if size > limits.bytes("max_header"):
        raise beyond("max_header", "its header", label, limits)
    parts, have = [head], len(head)
    while have < size and (piece := next(pieces, b"")):
        parts.append(piece)
        have += len(piece)
    head = b"".join(parts)
    if len(head) < size:
        raise FormatError("is truncated in its header", where=label, cure=COPY_AGAIN)
    text = head[_BCF_START:size].rstrip(b"\0")
    (names, contigs), lines = _checked(text, label, limits), text.count(b"\n") + 1
    return Header(kind="BCF", data=head[:size], samples=names, size=size, lines=lines, contigs=contigs), head


def _vcf_header(head: bytes, pieces: Iterator[bytes], label: str, limits: Bounds) -> tuple[Header, bytes]:
    """Return the header as `_bcf_header` does; pieces are looked at once, but for broken lines."""
    most = limits.bytes("max_header")
    parts: list[bytes] = []
    done, text, piece = 0, head, head
    while True:
        found = _AFTER.search(text)
        end = text.find(b"\n", found.end()) if found else -1
        if end >= 0 or not piece:
            break
        if done + len(text) > most:
            raise beyond("max_header", "its header", label, limits)
        if piece := next(pieces, b""):
            cut = found.start() if found else max(text.rfind(b"\n"), 0)
            parts.append(text[:cut])
            done += cut
            text = text[cut:] + piece
    text = b"".join([*parts, text])
    start = done + found.end() if found else text.rstrip(b"\r\n").rfind(b"\n") + 1
    end = done + end if end >= 0 else len(text)
    if end > most:
        raise beyond("max_header", "its header", label, limits)
    size = min(end + 1, len(text))
    data = text[:size]
    _check_last_line(data[start:].rstrip(b"\r\n"), data[:start].count(b"\n") + 1, label, data)
    kept = data.removeprefix(_BOM).rstrip(b"\r\n")
    clean = kept.rstrip(b"\t") + b"\n"
    samples, contigs = _checked(clean, label, limits)
    header = Header(
        kind="VCF",
        data=clean,
        samples=samples,
        size=size,
        lines=data.count(b"\n"),
        contigs=contigs,
        trailing_tab=kept.endswith(b"\t"),
    )
    return header, text


def _check_last_line(line: bytes, number: int, label: str, header: bytes) -> None:
    if b"\n" not in header and b"\r" in header:
        cure = "Convert it: tr '\\r' '\\n' < FILE | pgx annotate -"
        raise FormatError("has line ends of the old Macintosh (CR alone)", where=label, cure=cure)
    if line.startswith(b"#CHROM") and b"\t" not in line and b" " in line:
        what = f"line {number}, which names the columns, is separated by spaces instead of tabs"
        raise FormatError(what, where=label, cure="Write tabs between the columns, in the records too")
    if not line.startswith(b"#CHROM"):
        what = f"has no line of column names (#CHROM ...) at the end of its header, line {number}"
        raise FormatError(what, where=label, cure=_WRITE_AGAIN)


def _checked(text: bytes, label: str, limits: Bounds) -> tuple[tuple[str, ...], dict[int, str]]:
    """Check the lines; return the names of samples, and of contigs by number: IDX, or the order of lines."""
    if (place := text.find(b"\0")) >= 0:
        number = text.count(b"\n", 0, place) + 1
        what = f"line {number} of its header holds a NUL byte, and what stands behind it would be lost"
        cure = "Take it out, for example with tr -d '\\000' on the uncompressed text"
        raise FormatError(what, where=label, cure=cure)
    if text.count(b"\n##contig=<") > limits.value("max_contigs"):
        raise beyond("max_contigs", "the number of contigs in its header", label, limits)
    if b"IDX=" in text and max(map(int, _INDEX.findall(text)), default=0) > limits.value("max_contigs"):
        cure = "Write it again, for example with bcftools view"
        raise FormatError("its header numbers a line beyond all others (IDX)", where=label, cure=cure)
    start = text.rstrip(b"\r\n").rfind(b"\n") + 1
    line = text[start:].rstrip(b"\r\n")
    columns = line.split(b"\t", len(_FIXED))[: len(_FIXED)]
    wrong = next((name for name, column in zip(_FIXED, columns, strict=False) if name != column), None)
    if wrong or len(columns) < len(_FIXED) - 1:
        missing = (wrong or _FIXED[len(columns)]).decode()
        what = f"the line of column names lacks {missing} in its place"
        raise FormatError(what, where=label, cure=_WRITE_AGAIN)
    try:
        text.decode()
        names = tuple(line.decode().split("\t")[len(_FIXED) :])
    except UnicodeDecodeError as error:
        cure = "Convert it, for example with iconv -f latin1 -t utf-8"
        raise FormatError("has a header that is not UTF-8 text", where=label, cure=cure) from error
    if not names:
        what = "has no samples (a sites-only file holds nobody's genotype)"
        raise FormatError(what, where=label, cure=GIVE_A_VCF)
    if not all(map(operator.lt, names, names[1:])) and len(set(names)) < len(names):  # sorted ones differ
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        what = f"two samples are called '{printable(twice, 60)}'"
        raise FormatError(what, where=label, cure="Give each a name of its own (bcftools reheader --samples)")
    if "" in names:
        what = f"the name of sample {names.index('') + 1} is empty"
        raise FormatError(what, where=label, cure="Name it (bcftools reheader --samples)")
    contigs = {}
    for number, match in enumerate(_CONTIG.finditer(text, 0, start)):
        if name := _ID.search(match[1]):
            index = _INDEX.search(match[1])
            contigs[int(index[1]) if index else number] = name[1].decode(errors="replace")
    return names, contigs


_DECOMPRESS = "Decompress it, then give the VCF to pgx: {} FILE | pgx annotate -"
_FROM_READS = "Call variants from it first (for example bcftools mpileup and bcftools call), with both sites"
_FROM_PLINK = "Export it as VCF with plink2 --export vcf bgz, with the reference alleles set (--ref-from-fa)"
_PACKED = (
    (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\x04\x22\x4d\x18", "lz4"),
    (b"LZIP", "lzip"), (b"\x5d\0\0", "lzma"),
)  # fmt: skip
_OTHERS = (
    (b"PK\x05\x06", "an empty zip archive"), (b"BAI\1", "an index (.bai)"), (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"), (b"\xff\xd8\xff", "a picture"), (b"SQLite format 3", "a database"),
    (b"\x89HDF", "an HDF5 file"), (b"PAR1", "a Parquet file"), (b"\xd0\xcf\x11\xe0", "an office document"),
    (b"\x7fELF", "a program"),
)  # fmt: skip
#: First bytes, what they show, and the way out; at offset 0 unless a third value says otherwise.
_MAGIC: tuple[tuple[bytes, str, str, int], ...] = (
    *((magic, f"compressed with {name}", _DECOMPRESS.format(f"{name} -dc"), 0) for magic, name in _PACKED),
    (b"\x1f\x9d", "compressed with compress", _DECOMPRESS.format("zcat"), 0),
    (b"PK\x03\x04", "a zip archive", "Unpack it with unzip, and give the VCF inside to pgx", 0),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it, and give the VCF inside to pgx", 0),
    (b"Rar!", "a rar archive", "Unpack it, and give the VCF inside to pgx", 0),
    (b"ustar", "a tar archive", "Unpack it with tar -xf, and give the VCF inside to pgx", 257),
    (b"BAM\1", "a BAM file of reads", _FROM_READS, 0),
    (b"CRAM", "a CRAM file of reads", _FROM_READS, 0),
    (b"BCF\4", "a BCF of version 1", "Convert it with bcftools 0.1.19, which still reads it", 0),
    (b"TBI\1", "an index (.tbi)", "Give the file that it belongs to", 0),
    (b"CSI\1", "an index (.csi)", "Give the file that it belongs to", 0),
    (b"\x6c\x1b\x01", "a PLINK .bed file", _FROM_PLINK, 0),
    (b"\x6c\x1b\x00", "a PLINK .bed file", _FROM_PLINK, 0),
    (b"\x6c\x1b", "a PLINK 2 .pgen file", _FROM_PLINK, 0),
    (b"bgen", "a BGEN file", "Export it as VCF with plink2 --bgen FILE ref-first --export vcf bgz", 16),
    (b"crypt4gh", "encrypted with Crypt4GH", "Decrypt it with crypt4gh decrypt", 0),
    *((magic, what, GIVE_A_VCF, 0) for magic, what in _OTHERS),
)
_WHOLE = "Give the file, not a stream: whole, with its rows as the company hands them out"
_CONSUMER = (  # a line of column names, or of a genotype, or the name of a service
    rb"(#[^\n]*\n|\s)*[#\" ]*rsid[\", \t]"
    rb"|(#[^\n]*\n)*[\"']?(rs|i)\d+[\"']?[\t ,][\"']?(\d+|X|Y|MT)[\"']?[\t ,][\"']?\d+\b"
    rb"|#[^\n]*(23andme|ancestrydna|myheritage|living ?dna)"
)
#: How the text of other kinds of files begins.
_TEXTS = (
    (rb"\s*<(!doctype\s+html|html|head|body)", "a web page", "Download the file itself, not its page"),
    (rb"\s*<\?xml", "XML", GIVE_A_VCF),
    (rb"\s*[{\[]", "JSON", "Give the VCF; a stored result of pgx goes to pgx report"),
    (_CONSUMER, "the text file of a consumer genotyping service", _WHOLE),
    (rb"@(HD|SQ|RG|PG)\t", "a SAM file of reads", _FROM_READS),
    (rb"@[^\n]*\n[ACGTN]+\s*\n\+", "a FASTQ file of reads", _FROM_READS),
    (rb">", "a FASTA file", GIVE_A_VCF),
    (rb"#(FID|IID)\b", "a PLINK 2 .psam file", _FROM_PLINK),
    (rb"##gff|##gtf", "a list of genome features", GIVE_A_VCF),
    (rb"Hugo_Symbol\t|#version [\d.]+\s*\n", "a MAF table", GIVE_A_VCF),
)
_NO_VCF = "is not a VCF or BCF"


def check_kind(head: bytes, label: str, *, inside_gzip: bool = False) -> None:
    """Refuse by its first bytes (a few kB, unpacked) what is no VCF or BCF; the `FormatError` names it."""
    shown = f"{_NO_VCF}: it is gzip around " if inside_gzip else f"{_NO_VCF}: it is "
    if not head:
        raise FormatError("is empty", where=label, cure=GIVE_A_VCF)
    if inside_gzip and head.startswith(GZIP_MAGIC):
        cure = "Decompress it once: gzip -dc FILE | pgx annotate -"
        raise FormatError("is compressed twice", where=label, cure=cure)
    for magic, what, cure, offset in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            raise FormatError(shown + what, where=label, cure=cure)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[:4] in {b"#\0#\0", b"\0#\0#"}:
        cure = "Convert it: iconv -f utf-16 -t utf-8 FILE > NEW"
        raise FormatError("is text in UTF-16", where=label, cure=cure)
    text = head.removeprefix(_BOM)
    if head.startswith(_BCF_MAGIC) or text.startswith(b"##fileformat=VCF"):
        return
    for pattern, what, cure in _TEXTS:
        if re.match(pattern, text, re.IGNORECASE):
            raise FormatError(shown + what, where=label, cure=cure)
    if re.match(rb"\s*(##|#CHROM)", text):
        cure = "Write ##fileformat=VCFv4.2 as its first line, if it is a VCF"
        raise FormatError("does not begin with a ##fileformat line", where=label, cure=cure)
    if not text.strip(b" \t\r\n\0"):
        raise FormatError(f"{_NO_VCF}: it holds nothing but blanks", where=label, cure=GIVE_A_VCF)
    raise FormatError(_NO_VCF, where=label, cure=GIVE_A_VCF)
