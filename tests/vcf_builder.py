"""A builder of small VCF, gVCF and BCF files for tests. Awkward unless told otherwise.

Only keywords, so that a test says what it means; only text, so that any record can be written, broken
ones too. Around the records of a test stand neighbours that a sloppy reader trips over: records at the
very positions of our two sites on other chromosomes, a deletion that ends one base before a site, an
insertion one base behind it, several ALT alleles, filters that were not passed, further FORMAT fields,
IDs in mixed case. Contigs have odd names and the header an unusual order. `neighbours=False` leaves the
neighbours out.

    site(rsid, ...)      a record at rs429358 or rs7412; the sample column is given as raw text
    block(...)           a gVCF reference block, by default over both sites
    "raw\\tline"          any other record; `{chrom}`, `{rs429358}` and `{rs7412}` are filled in
    vcf_text(...)        the whole file as text
    write_vcf(path, ...) the same as a file: `.vcf`, `.vcf.gz` (bgzip or plain gzip), `.bcf`, indexed or not

A site for which no record is given is absent. Positions are 1-based, as in the files.

One sample, both sites, in an indexed file of GRCh37 without `chr`::

    write_vcf(
        tmp_path / "a.vcf.gz", index="tbi", assembly="GRCh37", contig="19",
        records=[site("rs429358", gt="0|1:99", format="GT:GQ"), site("rs7412", gt="0|0:99", format="GT:GQ")],
    )

A gVCF with a het site in front of a block, in a file whose header does not tell the assembly::

    write_vcf(
        tmp_path / "b.g.vcf", contig_lengths=False,
        records=[
            site("rs429358", alt="C,<NON_REF>", gt="0/1:99:420,0,451,465,493,958", format="GT:GQ:PL"),
            block(over=["rs7412"], gt="0/0:25:66:22:0,66,990"),
        ],
    )

Three samples, rs7412 absent, a spanning deletion as a raw line, in reverse order::

    write_vcf(
        tmp_path / "c.vcf", samples=["A", "B", "C"], order="reversed",
        records=[
            site("rs429358", gt=["0/0", "0/1", "./."], filter="LowQual"),
            "{chrom}\\t{rs7412}\\t.\\tC\\t*\\t.\\tPASS\\t.\\tGT\\t0/1\\t0/0\\t0/0",
        ],
    )
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pysam

RSIDS = ("rs429358", "rs7412")
LETTERS = {"rs429358": ("T", "C"), "rs7412": ("C", "T")}
POSITIONS = {
    "NCBI36": {"rs429358": 50103781, "rs7412": 50103919},
    "GRCh37": {"rs429358": 45411941, "rs7412": 45412079},
    "GRCh38": {"rs429358": 44908684, "rs7412": 44908822},
    "T2T-CHM13": {"rs429358": 47733380, "rs7412": 47733518},
}
LENGTHS = {  # of the chromosomes 1, 19 and 20
    "NCBI36": (247249719, 63811651, 62435964),
    "GRCh37": (249250621, 59128983, 63025520),
    "GRCh38": (248956422, 58617616, 64444167),
    "T2T-CHM13": (248387328, 61707364, 66210255),
}
# Names of the chromosomes 1, 19 and 20 in one style; the key of a style is its name of chromosome 19.
_PLAIN = {"19": ("1", "19", "20"), "chr19": ("chr1", "chr19", "chr20")}
CONTIGS: dict[str, dict[str, tuple[str, str, str]]] = {
    "NCBI36": _PLAIN | {"NC_000019.8": ("NC_000001.9", "NC_000019.8", "NC_000020.9")},
    "GRCh37": _PLAIN
    | {
        "NC_000019.9": ("NC_000001.10", "NC_000019.9", "NC_000020.10"),
        "CM000681.1": ("CM000663.1", "CM000681.1", "CM000682.1"),
    },
    "GRCh38": _PLAIN
    | {
        "NC_000019.10": ("NC_000001.11", "NC_000019.10", "NC_000020.11"),
        "CM000681.2": ("CM000663.2", "CM000681.2", "CM000682.2"),
    },
    "T2T-CHM13": _PLAIN
    | {
        "NC_060943.1": ("NC_060925.1", "NC_060943.1", "NC_060944.1"),
        "CP068259.2": ("CP068277.2", "CP068259.2", "CP068258.2"),
    },
}

_FORMATS = {
    "GT": ("1", "String"),
    "AD": ("R", "Integer"),
    "DP": ("1", "Integer"),
    "DS": ("A", "Float"),
    "FT": ("1", "String"),
    "GL": ("G", "Float"),
    "GP": ("G", "Float"),
    "GQ": ("1", "Integer"),
    "HDS": ("2", "Float"),
    "MIN_DP": ("1", "Integer"),
    "PGT": ("1", "String"),
    "PID": ("1", "String"),
    "PL": ("G", "Integer"),
    "PQ": ("1", "Integer"),
    "PS": ("1", "Integer"),
    "RGQ": ("1", "Integer"),
    "SB": ("4", "Integer"),
}
_INFOS = {
    "AC": ("A", "Integer"),
    "AF": ("A", "Float"),
    "AN": ("1", "Integer"),
    "DB": ("0", "Flag"),
    "DP": ("1", "Integer"),
    "DR2": ("A", "Float"),
    "END": ("1", "Integer"),
    "IMP": ("0", "Flag"),
    "IMPUTED": ("0", "Flag"),
    "INFO": ("1", "Float"),
    "R2": ("1", "Float"),
    "SVTYPE": ("1", "String"),
    "TYPED": ("0", "Flag"),
}
_FORMAT_COLUMN = 8

Order = Literal["sorted", "given", "reversed"]
Index = Literal["", "tbi", "csi"]
Compression = Literal["bgzip", "gzip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A record in text, but for what the file decides: contig, position and the number of samples.

    `gt` holds the raw sample columns: one for all samples, or one for each. The record begins `before` bases
    in front of the site, and with `end_rsid` it ends `behind` bases after that one. `contig`: 0, 1, 2 for the
    chromosomes 1, 19, 20.
    """

    rsid: str
    ref: str
    alt: str
    id: str
    qual: str
    filter: str
    info: str
    format: str
    gt: tuple[str, ...]
    before: int = 0
    end_rsid: str = ""
    behind: int = 0
    contig: int = 1


def site(
    rsid: str,
    *,
    gt: str | Sequence[str] = "0/0",
    format: str = "GT",
    ref: str | None = None,
    alt: str | None = None,
    id: str | None = None,
    qual: str = "50",
    filter: str = "PASS",
    info: str = ".",
    offset: int = 0,
) -> Row:
    """Return a record at a site.

    Parameters
    ----------
    rsid
        `rs429358` or `rs7412`; it decides the position, and REF, ALT and ID where they are not given.
    gt
        The whole raw sample column, as `format` announces it: one text for every sample, or one for each.
    offset
        Bases to shift the record by; -2 begins two bases in front of the site.
    """
    letters = LETTERS[rsid]
    return Row(
        rsid=rsid,
        ref=letters[0] if ref is None else ref,
        alt=letters[1] if alt is None else alt,
        id=rsid if id is None else id,
        qual=qual,
        filter=filter,
        info=info,
        format=format,
        gt=(gt,) if isinstance(gt, str) else tuple(gt),
        before=-offset,
    )


def block(
    *,
    over: Sequence[str] = RSIDS,
    gt: str | Sequence[str] = "0/0:24:60:20:0,60,900",
    format: str = "GT:DP:GQ:MIN_DP:PL",
    ref: str = "G",
    alt: str = "<NON_REF>",
    filter: str = ".",
    info: str = "",
    before: int = 9,
    behind: int = 11,
) -> Row:
    """Return a gVCF reference block over the sites `over`.

    It begins `before` bases in front of the first site and ends `behind` bases after the last.
    `info` is set in front of END. `ref` is the base at the start of the block, not at a site.
    """
    return Row(
        rsid=over[0],
        end_rsid=over[-1],
        ref=ref,
        alt=alt,
        id=".",
        qual=".",
        filter=filter,
        info=info,
        format=format,
        gt=(gt,) if isinstance(gt, str) else tuple(gt),
        before=before,
        behind=behind,
    )


def _neighbours() -> list[Row]:
    def row(rsid: str, before: int, ref: str, alt: str, gt: str, **more: str | int) -> Row:
        values: dict[str, object] = {
            "id": ".",
            "qual": "99.5",
            "filter": "PASS",
            "info": "DP=60;DB",
            "format": "GT",
        }
        return Row(rsid=rsid, before=before, ref=ref, alt=alt, gt=(gt,), **(values | more))  # type: ignore[arg-type]

    rich = "GT:AD:XQ:DP:GQ:PL"
    return [
        # The positions of our sites on other chromosomes, with the letters of our sites.
        row("rs429358", 0, "T", "C", "1/1", contig=0, id="Rs1000001"),
        row("rs7412", 0, "C", "T", "1/1", contig=2, id="RS1000002;cosv1"),
        row(
            "rs429358",
            20_000,
            "A",
            "C,G",
            "1/2:0,9,8:7.5:17:99:500,210,200,190,0,180",
            format=rich,
            filter="q10;s50",
        ),
        # Deletes the five bases up to the one in front of the site, but not the site.
        row("rs429358", 6, "GGACGT", "G", "0/1:9,8:.:17:99:210,0,190", format=rich, filter="q10"),
        row("rs429358", -1, "G", "GA", "0/0:21,0:1:21:60:0,60,800", format=rich, id="rS1000003"),
        row("rs429358", -57, "A", "G,T", "0|2:8,0,9:.:17:99:190,210,500,0,480,170", format=rich, filter="."),
        row("rs7412", 1, "G", "T", "0/1", qual=".", info=".", filter="q10"),
        row("rs7412", -20_000, "G", "A", "0/1:9,8:.:17:99:210,0,190", format=rich, qual="1.5e+03"),
    ]


def _line(row: Row, *, assembly: str, contig: str, samples: int) -> str:
    positions = POSITIONS[assembly]
    start = positions[row.rsid] - row.before
    info = row.info
    if row.end_rsid:
        end = f"END={positions[row.end_rsid] + row.behind}"
        info = f"{info};{end}" if info else end
    columns = row.gt * samples if len(row.gt) == 1 else row.gt
    if len(columns) != samples:
        raise ValueError(f"{row.rsid}: {len(columns)} sample columns for {samples} samples")
    chrom = CONTIGS[assembly][contig][row.contig]
    fixed = [chrom, str(start), row.id, row.ref, row.alt, row.qual, row.filter, info]
    return "\t".join(fixed + ([row.format, *columns] if samples else []))


def _covered(rows: Sequence[Row | str], assembly: str) -> list[tuple[int, int]]:
    positions = POSITIONS[assembly]
    return [
        (positions[row.rsid] - row.before, positions[row.end_rsid] + row.behind)
        for row in rows
        if isinstance(row, Row) and row.end_rsid
    ]


def _declarations(lines: Sequence[str]) -> list[str]:
    """Return the FORMAT, INFO and FILTER lines for what the records use, the last-used first."""
    formats: dict[str, None] = {}
    infos: dict[str, None] = {}
    filters: dict[str, None] = {}
    symbols: dict[str, None] = {}
    for line in lines:
        fields = line.split("\t")
        fields += ["."] * (_FORMAT_COLUMN + 1 - len(fields))
        symbols.update(
            (alt[1:-1], None) for alt in fields[4].split(",") if alt[:1] == "<" and alt[-1:] == ">"
        )
        filters.update((name, None) for name in fields[6].split(";") if name not in {".", "", "PASS"})
        infos.update((item.partition("=")[0], None) for item in fields[7].split(";") if item not in {".", ""})
        formats.update((key, None) for key in fields[8].split(":") if key not in {".", ""})
    header = [f'##ALT=<ID={name},Description="symbolic, of the builder">' for name in symbols]
    for name in reversed(formats):
        number, kind = _FORMATS.get(name, (".", "String"))
        header.append(
            f'##FORMAT=<ID={name},Number={number},Type={kind},Description="{name}, \\"of\\" the builder">'
        )
    for name in reversed(infos):
        number, kind = _INFOS.get(name, (".", "String"))
        header.append(f'##INFO=<ID={name},Number={number},Type={kind},Description="{name}; a > b, c=d">')
    return header + [f'##FILTER=<ID={name},Description="{name} of the builder">' for name in filters]


def _contig_lines(*, assembly: str, contig: str, lengths: bool, tag: str) -> list[str]:
    lines = []
    odd = ("HLA-A*01:01:01:01", 3503)  # a colon and an asterisk in a name, as in the contigs of GRCh38
    for name, length in [odd, *zip(CONTIGS[assembly][contig], LENGTHS[assembly], strict=True)]:
        more = (f",length={length}" if lengths else "") + (f",assembly={tag}" if tag else "")
        lines.append(f"##contig=<ID={name}{more}>")
    return lines


def vcf_text(
    *,
    records: Sequence[Row | str] = (),
    assembly: str = "GRCh38",
    contig: str = "chr19",
    samples: Sequence[str] = ("S1",),
    neighbours: bool = True,
    order: Order = "sorted",
    fileformat: str = "VCFv4.2",
    contig_lines: bool = True,
    contig_lengths: bool = True,
    assembly_tag: str = "",
    reference: str = "",
    extra_header: Sequence[str] = (),
    declare: bool = True,
) -> str:
    """Return a VCF as text.

    Parameters
    ----------
    records
        What `site` and `block` return, and raw lines. Neighbours inside a block are left out.
    assembly, contig
        The assembly decides positions and lengths; `contig` is its name of chromosome 19, a key of
        `CONTIGS[assembly]`. The other chromosomes are named in the same style.
    samples
        Names in the header; none for a sites-only file.
    order
        `sorted`, `given` (neighbours first, then `records` as they stand), or `reversed`.
    contig_lines, contig_lengths, assembly_tag, reference
        What the header tells of the assembly: contig lines at all, with lengths, with `assembly=`, and the
        value of a `##reference` line.
    extra_header
        Further `##` lines.
    declare
        Whether FORMAT, INFO and FILTER are declared.
    """
    names = CONTIGS[assembly][contig]
    covered = _covered(records, assembly)
    around = [] if not neighbours else _neighbours()
    rows = [
        row
        for row in around
        if row.contig != 1
        or not any(first <= POSITIONS[assembly][row.rsid] - row.before <= last for first, last in covered)
    ]
    lines = [
        _line(row, assembly=assembly, contig=contig, samples=len(samples))
        if isinstance(row, Row)
        else row.replace("{chrom}", contig)
        .replace("{rs429358}", str(POSITIONS[assembly]["rs429358"]))
        .replace("{rs7412}", str(POSITIONS[assembly]["rs7412"]))
        for row in [*rows, *records]
    ]
    if order != "given":

        def place(line: str) -> tuple[int, int]:
            chrom, position = line.split("\t")[:2]
            return names.index(chrom) if chrom in names else len(names), int(position)

        lines.sort(key=place, reverse=order == "reversed")
    header = [f"##fileformat={fileformat}", '##commandline="call --in=a,b > c; π <x>"']
    if contig_lines:
        header += _contig_lines(assembly=assembly, contig=contig, lengths=contig_lengths, tag=assembly_tag)
    header += _declarations(lines) if declare else []
    header += [f"##reference={reference}"] if reference else []
    header += extra_header
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]
    header.append("\t".join([*columns, "FORMAT", *samples] if samples else columns))
    return "\n".join([*header, *lines]) + "\n"


def write_vcf(
    path: Path,
    *,
    records: Sequence[Row | str] = (),
    index: Index = "",
    compression: Compression = "bgzip",
    newline: str = "\n",
    text: str | None = None,
    **layout: object,
) -> Path:
    """Write a file of the kind that the name of `path` asks for, and return `path`.

    Parameters
    ----------
    path
        Its ending decides: `.vcf`, `.vcf.gz`, `.bcf`; anything else is written as text.
    index
        `tbi` or `csi` writes an index beside a bgzipped or BCF file.
    compression
        Of `.vcf.gz`: `bgzip`, or `gzip`, which cannot be indexed.
    newline
        Line ends of text files, such as `"\\r\\n"`.
    text
        The whole content, in place of `records` and `layout`.
    **layout
        What `vcf_text` takes.

    Raises
    ------
    ValueError
        An index of a file that cannot have one.
    """
    content = vcf_text(records=records, **layout) if text is None else text  # type: ignore[arg-type]
    binary = path.name.endswith(".bcf")
    packed = path.name.endswith(".gz")
    if index and (
        not (binary or packed) or (packed and compression == "gzip") or (binary and index == "tbi")
    ):
        raise ValueError(f"{path.name} cannot have a {index} index")
    if packed and compression == "gzip":
        path.write_bytes(gzip.compress(content.replace("\n", newline).encode(), mtime=0))
        return path
    plain = path.with_name(path.name + ".plain") if binary or packed else path
    plain.write_bytes(content.replace("\n", newline).encode())
    if not (binary or packed):
        return path
    if binary:
        with (
            pysam.VariantFile(str(plain)) as source,
            pysam.VariantFile(str(path), "wb", header=source.header) as target,
        ):
            for record in source:
                target.write(record)
    else:
        pysam.tabix_compress(str(plain), str(path), force=True)
    plain.unlink()
    if index:
        pysam.tabix_index(
            str(path), preset="bcf" if binary else "vcf", force=True, csi=index == "csi" or binary
        )
    return path
