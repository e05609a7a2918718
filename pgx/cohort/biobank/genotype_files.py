"""The door for PLINK 1 (bed, bim, fam), PLINK 2 (pgen, pvar, psam) and BGEN: sites as a VCF would hold them.

Alleles are told by their letters: which is the first, the minor or the reference one is a matter of programs.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import operator
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pgx.cohort.biobank import format_parser as layout
from pgx.cohort.biobank.format_parser import Variant, genotypes, sites_by_position
from pgx.cohort.jobs import GENOTYPE_FILES
from pgx.errors import FormatError, InputError, NotFoundError, UsageError, printable
from pgx.genome import HeaderFacts, contig_names, rsids
from pgx.observe import SiteRecord
from pgx.vcf import InputFacts, VcfContent

_MISSING = -9
_TOGETHER = "Keep the files of one data set together under one name"


def read_genotype_file(path: str, kind: str) -> VcfContent:
    """Read both sites of all samples; InputError for a file beside it that is missing or does not fit."""
    file = Path(path)
    samples, records = _read_bgen(file) if kind == "bgen" else _read_plink(file, kind)
    names = "\n".join(samples).encode(errors="surrogateescape")
    facts = InputFacts.of_file(path, kind, names, compression="OWN", access="index")
    header, known = HeaderFacts(contigs=(), references=()), contig_names()
    own = tuple(dict.fromkeys(record.contig for record in records if record.contig in known)) or known[:1]
    return VcfContent(facts=facts, header=header, samples=tuple(samples), contigs=own, records=tuple(records))


def _library(name: str, path: Path, newest: str) -> Any:
    try:
        library = importlib.import_module(name)
        operator.attrgetter(newest)(library)
    except (ImportError, AttributeError) as error:
        what, cure = f"needs {name}, which is not installed or too old", f"pip install --upgrade {name}"
        raise UsageError(what, where=str(path), cure=f"Install it: {cure}") from error
    return library


def _read_plink(path: Path, kind: str) -> tuple[list[str], list[SiteRecord]]:
    endings = GENOTYPE_FILES[path.suffix.lower()][1]
    people = {".psam", ".fam"}
    samples = _names(_beside(path, [ending for ending in endings if ending in people]))
    variants, others = _variants(_beside(path, [ending for ending in endings if ending not in people]))
    count = len(others)
    library = _library("pgenlib", path, "PgenReader.read_phased_dosages")
    offsets = None
    if others.max(initial=1) > 1:  # of the first allele of each variant, and one behind the last
        offsets = np.concatenate([[0], np.cumsum(others + 1)]).astype(np.uintp)
    try:
        known = {"variant_ct": count, "allele_idx_offsets": offsets}
        reader = library.PgenReader(str(path).encode(), raw_sample_ct=len(samples), **known)
    except (RuntimeError, OSError, ValueError) as error:
        what = f"does not fit the {len(samples):,} samples and {count:,} variants of the files beside it"
        raise FormatError(what, where=str(path), cure=_TOGETHER) from error
    with contextlib.closing(reader):
        return samples, [_plink_record(reader, variant, len(samples), kind, path) for variant in variants]


def _beside(path: Path, endings: Sequence[str]) -> Path:
    for ending in endings:
        if (found := path.with_suffix(ending)).is_file():
            return found
    raise NotFoundError(f"has no {' or '.join(endings)} beside it", where=str(path), cure=_TOGETHER)


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
    for twice in (name for name, count in Counter(names).items() if count > 1):
        what = f"names the person '{printable(twice)}' twice"
        raise FormatError(what, where=str(table), cure="Give each one a name")
    return names


@contextlib.contextmanager
def _opened(table: Path) -> Iterator[IO[bytes]]:
    try:
        with io.BufferedReader(pa.input_stream(str(table))) as handle:
            yield handle
    except OSError as error:
        what = f"cannot be read ({error.strerror or 'damaged'})"
        raise InputError(what, where=str(table), cure="Copy it again") from error


def _variants(table: Path) -> tuple[list[Variant], npt.NDArray[np.intp]]:
    """Return the variants at or named as a site, and the number of ALT alleles of each one of the table."""
    words = "|".join(map(str, (*sites_by_position(), *rsids()))).encode()
    wanted = re.compile(rb"^[^\n]*(?:\b(?:%s)\b)[^\n]*$" % words, re.MULTILINE)
    columns = [b"CHROM", b"ID", b"CM", b"POS", b"ALT", b"REF"] if table.suffix == ".bim" else []
    found: list[Variant] = []
    counts: list[npt.NDArray[np.intp]] = []
    with _opened(table) as handle:
        while pieces := handle.readlines(1 << 24):
            lines = b"".join(pieces)
            while lines.startswith(b"#"):
                line, _, lines = lines.partition(b"\n")
                if not line.startswith(b"##"):
                    columns = line.lstrip(b"#").split()
            lines += b"" if lines.endswith(b"\n") or not lines else b"\n"
            first = sum(map(len, counts))
            for match in wanted.finditer(lines):
                row = dict(zip(columns, match[0].decode(errors="replace").split(), strict=False))
                contig, position, name = row.get(b"CHROM", ""), row.get(b"POS", ""), row.get(b"ID", "")
                if not position.isdecimal() or not (b"REF" in row and b"ALT" in row):
                    continue
                at, alleles = int(position), (row[b"REF"], *row[b"ALT"].split(","))
                on_site = contig in contig_names() and at in sites_by_position()
                if on_site or any(re.search(rf"\b{rsid}\b", name) for rsid in rsids()):
                    number = first + lines.count(b"\n", 0, match.start())
                    found.append(Variant(number, contig, at, name, alleles))
            counts.append(np.ones(lines.count(b"\n"), np.intp))
            place = columns.index(b"ALT") if b"ALT" in columns else -1
            for number, line in enumerate(lines.splitlines()) if place >= 0 and b"," in lines else ():
                if b"," in line:
                    cells = line.split(None, place + 1)
                    counts[-1][number] += cells[place].count(b",") if len(cells) > place else 0
    return found, np.concatenate(counts) if counts else np.zeros(0, np.intp)


def _plink_record(reader: Any, variant: Variant, count: int, kind: str, path: Path) -> SiteRecord:
    alleles = np.empty(2 * count, np.int32)
    phased = np.zeros(count, np.bool_)
    copies = np.full((count, 2), np.nan)  # of the second allele, on each haplotype
    try:
        if kind == "plink":
            reader.read_alleles(variant.number, alleles)
        else:
            reader.read_alleles_and_phasepresent(variant.number, alleles, phased)
            if len(variant.alleles) == 2:
                reader.read_phased_dosages(variant.number, copies.reshape(-1))
    except (RuntimeError, OSError, ValueError) as error:
        raise FormatError("is damaged", where=str(path), cure="Copy it again") from error
    calls = alleles.reshape(-1, 2)
    calls[np.any(calls < 0, axis=1)] = _MISSING
    phased &= calls[:, 0] != calls[:, 1]  # two equal alleles are all said to be phased
    copies[copies == _MISSING] = np.nan
    reference, alternates, turned = layout.oriented(variant, has_calls=bool(np.any(calls >= 0)))
    form, columns = ["GT"], []
    # The library shares out the dosages that were not stored by haplotype: evenly, or, for a heterozygote of
    # known phase, so that one haplotype has none or all. Those that differ in any other way were stored.
    low, high = copies.min(axis=1), copies.max(axis=1)
    if np.any((low < high) & ~(phased & ((low == 0) | (high == 1)))):
        chances = layout.of_haplotypes(1 - copies if turned else copies)
        form, columns = ["GT", "GP"], [layout.decimals(chances, 4)]
    else:
        dosages = copies.sum(axis=1)
        hard = np.where(calls[:, 0] < 0, np.nan, (calls > 0).sum(axis=1))
        differ = np.abs(dosages - hard) > 1e-6  # not where either is missing
        if np.any(differ | (np.isnan(hard) & ~np.isnan(dosages))):
            form, columns = ["GT", "DS"], [layout.decimals((2 - dosages if turned else dosages)[:, None], 3)]
    if turned:
        calls = np.where(calls < 0, calls, 1 - calls)
    return layout.record_of(variant, reference, alternates, form, [genotypes(calls, phased), *columns])


def _read_bgen(path: Path) -> tuple[list[str], list[SiteRecord]]:
    library = _library("bgen", path, "BgenVar.n_samples")
    has_index = Path(f"{path}.bgi").is_file()
    contigs, places, names = contig_names(), sites_by_position(), rsids()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = library.BgenReader(str(path), delay_parsing=has_index)
            with contextlib.closing(reader):
                inside = [str(name) for name in reader.samples]
                if has_index:
                    keys = itertools.product(contigs, places)
                    found = [item for key in keys for item in reader.fetch(*key, key[1])]
                    for rsid in names:
                        with contextlib.suppress(ValueError, KeyError):
                            found += reader.with_rsid(rsid)
                else:  # all are passed over
                    found = [i for i in reader if (i.chrom in contigs and i.pos in places) or i.rsid in names]
                different = {item.fileoffset: item for item in found}.values()
                records = [_bgen_record(item, _bgen_step(item, path)) for item in different]
    except (ValueError, OSError, RuntimeError, IndexError, OverflowError, MemoryError) as error:
        what = "is damaged, or does not fit its .bgi or .sample"
        raise FormatError(what, where=str(path), cure="Copy them again") from error
    return _unique([("", name) for name in _names_of_bgen(path, inside)], path), records


def _names_of_bgen(path: Path, inside: list[str]) -> list[str]:
    """Return the names of the samples: `inside`, mere numbers without names, or of the .sample beside it."""
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
        what, cure = "names other people than the .bgen beside it", "Keep the files of one data set"
        raise FormatError(what, where=str(beside), cure=cure)
    return inside if has_names else known[1]


def _bgen_step(item: Any, path: Path) -> float:
    # the step in which probabilities are stored: 1 / (2^bits - 1); the bits stand behind the ploidies
    if item.layout == 1:
        return 2.0**-15
    before = 9 + item.n_samples
    with path.open("rb") as handle:
        handle.seek(item.fileoffset)
        for _ in range(3):  # the two names and the chromosome
            handle.seek(int.from_bytes(handle.read(2), "little"), io.SEEK_CUR)
        handle.seek(4, io.SEEK_CUR)
        for _ in range(int.from_bytes(handle.read(2), "little")):
            handle.seek(int.from_bytes(handle.read(4), "little"), io.SEEK_CUR)
        handle.seek(4 if item.compression is None else 8, io.SEEK_CUR)
        packed = handle.read(item.next_variant_offset - handle.tell())
    if item.compression == "zlib":
        packed = zlib.decompressobj().decompress(packed, before + 1)
    elif item.compression == "zstd":
        packed = pa.CompressedInputStream(pa.BufferReader(packed), "zstd").read(before + 1)
    return 1 / ((1 << int(packed[before])) - 1)


def _bgen_record(item: Any, step: float) -> SiteRecord:
    contig = item.chrom.lstrip("0") or item.chrom
    variant = Variant(0, contig, int(item.pos), item.rsid or item.varid, tuple(item.alleles))
    reference, alternates, turned = layout.oriented(variant)
    chances = np.asarray(item.probabilities, np.float64)
    if len(variant.alleles) != 2:
        nobody = np.full((len(chances), 2), _MISSING, np.int32)
        return layout.record_of(variant, reference, alternates, ["GT"], [genotypes(nobody, nobody[:, 0] > 0)])
    phased = bool(item.is_phased)
    if phased:  # of each haplotype; the genotype is their product, and GT has the order
        pairs = chances[:, [1, 3]] > 0.5
    else:
        best = np.nan_to_num(chances).argmax(axis=1)
        pairs = np.stack([best == 2, best >= 1], axis=1)
    chances = layout.widened(chances, step, phased=phased)
    if turned:
        chances, pairs = chances[:, ::-1], ~pairs[:, :: 1 if phased else -1]
    unknown = np.isnan(chances).any(axis=1, keepdims=True)
    calls = np.where(unknown, _MISSING, pairs).astype(np.int32)
    fields = [genotypes(calls, np.full(len(calls), phased)), layout.decimals(chances, 4)]
    return layout.record_of(variant, reference, alternates, ["GT", "GP"], fields)
