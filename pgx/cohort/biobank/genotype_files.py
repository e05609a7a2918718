"""The door for PLINK 1 (bed, bim, fam), PLINK 2 (pgen, pvar, psam) and BGEN: sites as a VCF would hold them.

Two variants of a file are looked up by position and name and read for all samples; each becomes a record with
its columns in one line, and goes the way of a VCF with many samples. Alleles are told by their letters: which
of them a file calls the first, the minor or the reference one is a matter of the program that wrote it.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import hashlib
import importlib
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from pgx.cohort.jobs import GENOTYPE_FILES
from pgx.errors import FormatError, InputError, NotFoundError, UsageError, printable
from pgx.genome import HeaderFacts, Site, assemblies, contig_names, rsids, sites_on
from pgx.observe import SiteRecord
from pgx.reference import moment_text
from pgx.vcf import Columns, InputFacts, VcfContent

_INSTALL = {
    "pgenlib": "Install it: pip install pgenlib (the extra [plink])",
    "bgen": "Install it: pip install bgen (the extra [bgen])",
}
_PIECE = 1 << 24
_MISSING = -9
_NO_ALLELE = frozenset({"0", "."})  # a .bim has 0, a .pvar a dot
_HALF = 0.5
Bytes = npt.NDArray[np.uint8]


class _Variant(Struct, frozen=True):
    """A row of a variant file: its 0-based number, contig, 1-based position, name, alleles (REF first)."""

    number: int
    contig: str
    position: int
    name: str
    alleles: tuple[str, ...]


def read_genotype_file(path: str, kind: str) -> VcfContent:
    """Read both sites of all samples.

    Raises
    ------
    InputError
        A file beside it is missing, damaged, or does not fit; the library that reads it is not installed.
    """
    file = Path(path)
    if kind == "bgen":
        samples, records = _read_bgen(file)
    else:
        samples, records = _read_plink(file, kind)
    state = file.stat()
    names = "\n".join(samples).encode(errors="surrogateescape")
    facts = InputFacts(
        path=path,
        size=state.st_size,
        modified=moment_text(datetime.datetime.fromtimestamp(state.st_mtime, datetime.UTC)),
        kind=kind,
        compression="OWN",
        index=None,
        header_digest=f"sha256:{hashlib.sha256(names).hexdigest()}",
        access="index",
        stale_index=False,
        unsorted=False,
    )
    return VcfContent(
        facts=facts,
        header=HeaderFacts(contigs=(), references=()),
        samples=tuple(samples),
        contigs=tuple(dict.fromkeys(record.contig for record in records)) or (contig_names()[0],),
        records=tuple(records),
        gl_is_phred=False,
    )


def _library(name: str, path: Path) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"needs {name}, which is not installed", where=str(path), cure=_INSTALL[name]
        ) from error


@functools.cache
def _sites() -> dict[int, list[Site]]:
    """Return the sites by position on any assembly."""
    found: dict[int, list[Site]] = {}
    for assembly in assemblies():
        for site in sites_on(assembly):
            found.setdefault(site.position, []).append(site)
    return found


# PLINK


def _read_plink(path: Path, kind: str) -> tuple[list[str], list[SiteRecord]]:
    endings = GENOTYPE_FILES[path.suffix.lower()][1]
    samples = _names(_beside(path, [ending for ending in endings if ending in {".psam", ".fam"}]))
    table = _beside(path, [ending for ending in endings if ending not in {".psam", ".fam"}])
    variants, others = _variants(table)
    count = len(others)
    library = _library("pgenlib", path)
    offsets = None
    if others.max(initial=1) > 1:  # of the first allele of each variant, and one behind the last
        offsets = np.concatenate([[0], np.cumsum(others + 1)]).astype(np.uintp)
    try:
        reader = library.PgenReader(
            str(path).encode(), raw_sample_ct=len(samples), variant_ct=count, allele_idx_offsets=offsets
        )
    except (RuntimeError, OSError, ValueError) as error:
        raise FormatError(
            f"does not fit the {len(samples):,} samples and {count:,} variants of the files beside it",
            where=str(path),
            cure="Keep the files of one data set together under one name",
        ) from error
    with contextlib.closing(reader):
        return samples, [_plink_record(reader, variant, len(samples), kind, path) for variant in variants]


def _beside(path: Path, endings: Sequence[str]) -> Path:
    for ending in endings:
        if (found := path.with_suffix(ending)).is_file():
            return found
    raise NotFoundError(
        f"has no {' or '.join(endings)} beside it",
        where=str(path),
        cure="Keep the files of one data set together under one name",
    )


def _names(table: Path) -> list[str]:
    """Return the names of the samples: IID, or FID and IID where one alone is not unique."""
    people: list[tuple[str, str]] = []
    columns = {"FID": 0, "IID": 1}
    with _opened(table) as handle:
        for raw in handle:
            line = raw.decode(errors="surrogateescape").rstrip("\r\n")
            if line.startswith("##") or not line.strip():
                continue
            cells = line.split()
            if line.startswith("#"):
                columns = {name.lstrip("#"): place for place, name in enumerate(cells)}
                continue
            if "IID" not in columns or len(cells) <= columns["IID"]:
                raise FormatError("has a row without a name", where=str(table), cure="Write it again")
            family = cells[columns["FID"]] if "FID" in columns else "0"
            people.append((family, cells[columns["IID"]]))
    return _unique(people, table)


def _unique(people: list[tuple[str, str]], table: Path) -> list[str]:
    counts = Counter(name for _, name in people)
    names = [name if counts[name] == 1 else f"{family}_{name}" for family, name in people]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise FormatError(
            f"names the person '{printable(twice)}' twice", where=str(table), cure="Give each one a name"
        )
    return names


@contextlib.contextmanager
def _opened(table: Path) -> Iterator[IO[bytes]]:
    """Open a table, unpacked if it is a .zst."""
    try:
        if table.suffix == ".zst":
            import pyarrow as pa  # noqa: PLC0415 - of the tables of a cohort anyway

            with pa.CompressedInputStream(pa.OSFile(str(table)), "zstd") as stream:
                yield cast("IO[bytes]", _Lines(stream))
        else:
            with table.open("rb") as handle:
                yield handle
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror or 'damaged'})", where=str(table), cure="Copy it again"
        ) from error


class _Lines:
    """A stream that is read in pieces or line by line."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes."""
        return bytes(self._stream.read(size))

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        while piece := self.read(_PIECE):
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
        if rest:
            yield rest


def _variants(table: Path) -> tuple[list[_Variant], npt.NDArray[np.intp]]:
    """Return the variants at or named as a site, and the number of ALT alleles of each one of the table."""
    wanted = re.compile(
        rb"^[^\n]*(?:\b(?:%s)\b)[^\n]*$"
        % b"|".join([*(str(place).encode() for place in _sites()), *(name.encode() for name in rsids())]),
        re.MULTILINE,
    )
    is_bim = table.suffix == ".bim"
    columns = [b"CHROM", b"ID", b"CM", b"POS", b"ALT", b"REF"] if is_bim else []
    found: list[_Variant] = []
    counts: list[npt.NDArray[np.intp]] = []
    with _opened(table) as handle:
        for whole in _whole_lines(handle):
            lines = whole
            while lines.startswith(b"#"):
                line, _, lines = lines.partition(b"\n")
                if not line.startswith(b"##"):
                    columns = line.lstrip(b"#").split()
            found += _matching(lines, wanted, columns, sum(map(len, counts)))
            counts.append(_alternates(lines, columns))
    return found, np.concatenate(counts) if counts else np.zeros(0, np.intp)


def _whole_lines(handle: IO[bytes]) -> Iterator[bytes]:
    """Yield a table in pieces that end with a line."""
    rest = b""
    while piece := handle.read(_PIECE):
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield rest + piece[:cut]
            rest = piece[cut:]
        else:
            rest += piece
    if rest:
        yield rest + b"\n"


def _alternates(lines: bytes, columns: Sequence[bytes]) -> npt.NDArray[np.intp]:
    """Return the number of ALT alleles of each line."""
    found = np.ones(lines.count(b"\n"), np.intp)
    place = columns.index(b"ALT") if b"ALT" in columns else -1
    for number, line in enumerate(lines.splitlines()) if place >= 0 and b"," in lines else ():
        if b"," in line:
            cells = line.split(None, place + 1)
            found[number] += cells[place].count(b",") if len(cells) > place else 0
    return found


def _matching(
    lines: bytes, wanted: re.Pattern[bytes], columns: list[bytes], before: int
) -> Iterator[_Variant]:
    counted, number = 0, before
    for match in wanted.finditer(lines):
        number += lines.count(b"\n", counted, match.start())
        counted = match.start()
        cells = dict(zip(columns, match[0].decode(errors="replace").split(), strict=False))
        variant = _variant(cells, number)
        if variant is not None:
            yield variant


def _variant(cells: dict[bytes, str], number: int) -> _Variant | None:
    """Return a row if it lies on chromosome 19 at a site, or bears the name of one."""
    chromosome, position, name = cells.get(b"CHROM", ""), cells.get(b"POS", ""), cells.get(b"ID", "")
    if not position.isdecimal() or not (b"REF" in cells and b"ALT" in cells):
        return None
    on_site = chromosome in contig_names() and int(position) in _sites()
    if not on_site and not any(re.search(rf"\b{rsid}\b", name) for rsid in rsids()):
        return None
    return _Variant(number, chromosome, int(position), name, (cells[b"REF"], *cells[b"ALT"].split(",")))


def _plink_record(reader: Any, variant: _Variant, count: int, kind: str, path: Path) -> SiteRecord:
    alleles = np.empty(2 * count, np.int32)
    phased = np.zeros(count, np.bool_)
    dosages = np.full(count, np.nan, np.float32)
    try:
        if kind == "plink":
            reader.read_alleles(variant.number, alleles)
        else:
            reader.read_alleles_and_phasepresent(variant.number, alleles, phased)
            if len(variant.alleles) == 2:
                reader.read_dosages(variant.number, dosages)
    except (RuntimeError, OSError, ValueError) as error:
        raise FormatError("is damaged", where=str(path), cure="Copy it again") from error
    pairs = alleles.reshape(-1, 2)
    missing: npt.NDArray[np.bool_] = np.any(pairs < 0, axis=1)
    calls = np.where(missing[:, None], _MISSING, pairs)
    dosages[dosages == _MISSING] = np.nan
    stated = np.abs(dosages - np.where(missing, np.nan, (pairs > 0).sum(axis=1))) > 1e-6
    stated |= missing & ~np.isnan(dosages)
    reference, alternates, turned = _oriented(variant)
    if turned:
        calls = np.where(calls < 0, calls, 1 - calls)
        dosages = 2 - dosages
    phased &= calls[:, 0] != calls[:, 1]  # two equal alleles are all said to be phased
    text = _genotypes(calls, phased)
    form: tuple[str, ...] = ("GT",)
    if stated.any():
        text = np.hstack([text, _each(":", count), _numbers(dosages, 3)])
        form = ("GT", "DS")
    return _record(variant, reference, alternates, text, form=form, imputed=bool(stated.any()))


def _oriented(variant: _Variant) -> tuple[str, tuple[str, ...], bool]:
    """Return REF, ALT, and whether they were turned round to be those of the genome.

    Only where the two letters are those of the site: others stay as they are, and are judged as in a VCF.
    """
    reference, *others = variant.alleles
    if reference in _NO_ALLELE and len(others) == 1:  # everybody has the allele that a .bim names first
        return others[0], (), True
    for site in _sites().get(variant.position, ()):
        if len(others) == 1 and site.ref is not None and (others[0], reference) == (site.ref, site.alt):
            return site.ref, (reference,), True
    return reference, tuple(item for item in others if item not in _NO_ALLELE), False


def _text(letter: str) -> Bytes:
    return np.frombuffer(letter.encode(), np.uint8)[None, :]


def _genotypes(calls: npt.NDArray[np.int32], phased: npt.NDArray[np.bool_]) -> Bytes:
    """Return GT of n samples, shape (n, 3) of ASCII."""
    dot, zero, slash, bar = b".0/|"
    letters = np.where(calls < 0, dot, zero + np.minimum(calls, 9)).astype(np.uint8)
    return np.stack([letters[:, 0], np.where(phased, bar, slash).astype(np.uint8), letters[:, 1]], axis=1)


def _numbers(values: npt.NDArray[Any], places: int) -> Bytes:
    """Return numbers from 0 to 9 with so many decimals, shape (n, places + 2) of ASCII.

    What is not a number is a dot with blanks, which `_record` takes out.
    """
    unknown = np.isnan(values)
    whole = np.rint(np.where(unknown, 0, values) * 10**places).astype(np.int64)
    digits = [whole // 10**power % 10 + ord("0") for power in range(places, -1, -1)]
    text = np.stack([digits[0], np.full(len(whole), ord(".")), *digits[1:]], axis=1).astype(np.uint8)
    text[unknown] = ord(" ")
    text[unknown, 0] = ord(".")
    return text


def _record(
    variant: _Variant,
    reference: str,
    alternates: tuple[str, ...],
    text: Bytes,
    *,
    form: tuple[str, ...],
    imputed: bool,
) -> SiteRecord:
    info = {"IMP": ""} if imputed else {}
    fixed = "\t".join(
        [
            variant.contig,
            str(variant.position),
            variant.name or ".",
            reference,
            ",".join(alternates) or ".",
            ".",
            ".",
            "IMP" if imputed else ".",
            ":".join(form),
        ]
    )
    tabs = np.full((len(text), 1), ord("\t"), np.uint8)
    tabs[-1:] = ord("\n")
    columns = np.hstack([text, tabs]).tobytes().replace(b" ", b"")
    head = fixed.encode(errors="surrogateescape") + b"\t"
    return SiteRecord(
        contig=variant.contig,
        position=variant.position,
        end=variant.position + len(reference) - 1,
        identifiers=tuple(name for name in variant.name.split(";") if name not in {"", "."}),
        reference=reference,
        alternates=alternates,
        quality=None,
        filters=(),
        info=info,
        format=form,
        samples=Columns(head + columns, len(head), len(text)),
        fixed=fixed,
    )


# BGEN


def _read_bgen(path: Path) -> tuple[list[str], list[SiteRecord]]:
    library = _library("bgen", path)
    has_index = Path(f"{path}.bgi").is_file()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = library.BgenReader(str(path), delay_parsing=has_index)
            with contextlib.closing(reader):
                inside = [str(name) for name in reader.samples]
                found = list(_bgen_variants(reader, has_index=has_index))
                records = [record for item in found if (record := _bgen_record(item)) is not None]
    except (ValueError, OSError, RuntimeError, IndexError, OverflowError, MemoryError) as error:
        raise FormatError(
            "is damaged, or does not fit its .bgi or .sample", where=str(path), cure="Copy them again"
        ) from error
    samples = _names_of_bgen(path, inside)
    return _unique([("", name) for name in samples], path), records


def _names_of_bgen(path: Path, inside: list[str]) -> list[str]:
    """Return the names of the samples: those of the file, or of the .sample beside it, which must agree.

    Without names the library counts the samples in `inside`.
    """
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(8)[4:], "little")
        handle.seek(length)  # of the header, whose last four bytes are its flags
        has_names = bool(int.from_bytes(handle.read(4), "little") >> 31)
    beside = path.with_suffix(".sample")
    if not beside.is_file():
        if has_names:
            return inside
        _beside(path, (".sample",))
    with _opened(beside) as handle:
        rows = [raw.decode(errors="surrogateescape").split() for raw in handle][2:]
    pairs = [(row[0], row[1] if len(row) > 1 else row[0]) for row in rows if row]
    known = ([one for one, _ in pairs], [two for _, two in pairs], [f"{one}_{two}" for one, two in pairs])
    if len(pairs) != len(inside) or (has_names and inside not in known):
        raise FormatError(
            "names other people than the .bgen beside it",
            where=str(beside),
            cure="Keep the files of one data set",
        )
    return inside if has_names else known[1]


def _bgen_variants(reader: Any, *, has_index: bool) -> Iterator[Any]:
    """Yield the variants at or named as a site; without an index all are passed over."""
    seen: set[int] = set()
    if has_index:
        for contig in contig_names():
            for place in _sites():
                for item in reader.fetch(contig, place, place):
                    if item.fileoffset not in seen:
                        seen.add(item.fileoffset)
                        yield item
        for rsid in rsids():
            with contextlib.suppress(ValueError, KeyError):
                named = reader.with_rsid(rsid)
                for item in named if isinstance(named, list) else [named]:
                    if item.fileoffset not in seen:
                        seen.add(item.fileoffset)
                        yield item
        return
    for item in reader:
        if (item.chrom in contig_names() and item.pos in _sites()) or item.rsid in rsids():
            yield item


def _bgen_record(item: Any) -> SiteRecord | None:
    contig = item.chrom.lstrip("0") or item.chrom
    variant = _Variant(0, contig, int(item.pos), item.rsid or item.varid, tuple(item.alleles))
    reference, alternates, turned = _oriented(variant)
    chances = np.asarray(item.probabilities, np.float64)
    if len(variant.alleles) != 2:
        return _record(variant, reference, alternates, _no_calls(len(chances)), form=("GT",), imputed=True)
    phased = bool(item.is_phased)
    if phased:  # of each haplotype; the genotype is their product, and GT has the order
        first, second = chances[:, 1], chances[:, 3]
        both = first * second
        chances = np.stack([1 - first - second + both, first + second - 2 * both, both], axis=1)
    if turned:
        chances = chances[:, ::-1]
    unknown: npt.NDArray[np.bool_] = np.any(np.isnan(chances), axis=1)
    if phased:
        pairs = np.stack([first > _HALF, second > _HALF], axis=1) != turned
    else:
        best = np.where(unknown, 0, np.nan_to_num(chances).argmax(axis=1))
        pairs = np.stack([best == 2, best >= 1], axis=1)
    calls = np.where(unknown[:, None], _MISSING, pairs).astype(np.int32)
    parts = [_genotypes(calls, np.full(len(calls), phased))]
    for place in range(3):
        parts += [_each("," if place else ":", len(calls)), _numbers(chances[:, place], 4)]
    return _record(variant, reference, alternates, np.hstack(parts), form=("GT", "GP"), imputed=True)


def _no_calls(count: int) -> Bytes:
    return np.tile(_text("./."), (count, 1))


def _each(letter: str, count: int) -> Bytes:
    return np.full((count, 1), ord(letter), np.uint8)
