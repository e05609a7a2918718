"""Files for the benchmarks, made from nothing: the same bytes on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pysam

POSITIONS = (44908684, 44908822)
_RSIDS = dict(zip(POSITIONS, ("rs429358", "rs7412"), strict=True))
LENGTHS = {f"chr{number}": length for number, length in enumerate(
    (248956422, 242193529, 198295559, 190214555, 181538259, 170805979, 159345973, 145138636, 138394717,
     133797422, 135086622, 133275309, 114364328, 107043718, 101991189, 90338345, 83257441, 80373285, 58617616,
     64444167, 46709983, 50818468), start=1)}  # fmt: skip
_FORMAT = "GT:AD:DP:GQ:PL"
_TAILS = 20_000  # different ends of lines: more than a window of gzip holds, so that none is packed as a copy
_INFO = {
    **dict.fromkeys(("AC", "AF", "MLEAC", "MLEAF"), "A"), "DB": "0",
    **dict.fromkeys(("AN", "BaseQRankSum", "DP", "ExcessHet", "FS", "MQ", "MQRankSum", "QD"), "1"),
    **dict.fromkeys(("ReadPosRankSum", "SOR"), "1"),
}  # fmt: skip
_WHOLE = frozenset({"AC", "AN", "DP", "MLEAC"})


def header(samples: list[str], *, blocks: bool = False) -> str:
    """Return the header of a file on GRCh38."""
    lines = ["##fileformat=VCFv4.2"]
    lines += [f"##contig=<ID={name},length={length}>" for name, length in LENGTHS.items()]
    if blocks:
        lines += ['##ALT=<ID=NON_REF,Description="any other">']
    lines += ['##INFO=<ID=END,Number=1,Type=Integer,Description="end">']
    for name, number in _INFO.items():
        kind = "Flag" if number == "0" else "Integer" if name in _WHOLE else "Float"
        lines.append(f'##INFO=<ID={name},Number={number},Type={kind},Description="{name}">')
    lines += [
        f'##FORMAT=<ID={name},Number={number},Type={kind},Description="{name}">'
        for name, number, kind in (
            ("GT", "1", "String"), ("AD", "R", "Integer"), ("DP", "1", "Integer"), ("GQ", "1", "Integer"),
            ("PL", "G", "Integer"), ("MIN_DP", "1", "Integer"),
        )
    ]  # fmt: skip
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]
    return "\n".join([*lines, "\t".join(columns)]) + "\n"


def _genotype(dice: random.Random, copies: int) -> str:
    quality, reads = dice.randint(20, 99), dice.randint(15, 60)
    alternate = (0, reads // 2, reads)[copies]
    likelihoods = [quality + dice.randint(5, 900)] * 3
    likelihoods[copies] = 0
    likelihoods[1 if copies != 1 else dice.choice((0, 2))] = quality
    genotype = ("0/0", "0/1", "1/1")[copies]
    return f"{genotype}:{reads - alternate},{alternate}:{reads}:{quality}:{','.join(map(str, likelihoods))}"


def _tail(dice: random.Random, copies: int) -> str:
    """Return INFO, FORMAT and the column of one sample as HaplotypeCaller of GATK 4 writes them.

    The fields and how often they are there are those of an exome of GATK 4.2 with dbSNP.
    """
    reads = dice.randint(15, 60)
    other = reads if copies == 2 else reads // 2 + dice.randint(-5, 5)
    quality, likelihood = 99 if copies == 1 else min(99, 3 * reads), 31 * other + dice.randint(0, 99)
    ranks = {name: f"{dice.gauss(0, 1):.3f}" for name in ("BaseQRankSum", "MQRankSum", "ReadPosRankSum")}
    ranks = {} if dice.random() < 0.33 else ranks
    fields = {
        "AC": copies, "AF": f"{copies / 2:.3f}", "AN": 2, "DP": reads, "ExcessHet": "0.0000", "MQ": "60.00",
        "FS": f"{dice.expovariate(1):.3f}", "MLEAC": copies, "MLEAF": f"{copies / 2:.3f}",
        "QD": f"{likelihood / reads:.2f}", "SOR": f"{dice.expovariate(1):.3f}", **ranks,
    }  # fmt: skip
    info = [f"{name}={fields[name]}" if name in fields else name for name in sorted({*fields, "DB"})]
    likelihoods = (likelihood, 0, 31 * (reads - other)) if copies == 1 else (likelihood, 3 * reads, 0)
    sample = f"{reads - other},{other}:{reads}:{quality}:{','.join(map(str, likelihoods))}"
    return f"{likelihood - 14}.06\tPASS\t{';'.join(info)}\t{_FORMAT}\t{('', '0/1', '1/1')[copies]}:{sample}\n"


def _places(records: int) -> Iterator[tuple[str, int]]:
    """Yield sorted places over the genome, our two sites among them."""
    genome = sum(LENGTHS.values())
    for name, length in LENGTHS.items():
        count = max(2, round(records * length / genome))
        step = length // (count + 1)
        places = {step * (number + 1) + (number * 7919) % max(step // 2, 1) for number in range(count)}
        yield from (
            (name, place) for place in sorted(places | (set(POSITIONS) if name == "chr19" else set()))
        )


def variants(path: Path, records: int, samples: int = 1, *, near: bool = False, short: bool = False) -> Path:
    """Write a plain VCF with about `records` variants; `near` keeps all of them close to the sites.

    Records of one sample are as long as those of GATK (220 bytes); `short` ones, and those of several
    samples, have no INFO.
    """
    dice = random.Random(records + samples)  # noqa: S311 - test data
    names = [f"P{number:05}" for number in range(samples)]
    places = (
        [
            ("chr19", place)
            for place in sorted({*range(44_900_000, 44_900_000 + 400 * records, 400), *POSITIONS})
        ]
        if near
        else _places(records)
    )
    tails = [_tail(dice, 1 + (dice.random() < 0.37)) for _ in range(0 if short or samples > 1 else _TAILS)]
    with path.open("w", encoding="ascii") as file:
        file.write(header(names))
        for name, place in places:
            reference, alternate = {POSITIONS[0]: "TC", POSITIONS[1]: "CT"}.get(
                place, dice.choice(("AG", "CT", "GA"))
            )
            identifier = _RSIDS.get(place, f"rs{dice.randint(10**6, 10**9)}") if tails else "."
            tail = dice.choice(tails) if tails else _short(dice, names)
            file.write(f"{name}\t{place}\t{identifier}\t{reference}\t{alternate}\t{tail}")
    return path


def _short(dice: random.Random, names: list[str]) -> str:
    rare = 0.15 if len(names) > 1 else 0.6
    columns = "\t".join(_genotype(dice, (dice.random() < rare) + (dice.random() < rare)) for _ in names)
    return f"{dice.randint(30, 3000)}\tPASS\t.\t{_FORMAT}\t{columns}\n"


def panel(path: Path, records: int, samples: int) -> Path:
    """Write a plain VCF of many samples with `records` variants around the sites."""
    return variants(path, records, samples, near=True)


def blocks(path: Path, records: int, *contigs: str) -> Path:
    """Write a plain gVCF: one block beside the other over all chromosomes, or over some."""
    dice = random.Random(records)  # noqa: S311 - test data
    lengths = {name: length for name, length in LENGTHS.items() if name in (contigs or LENGTHS)}
    genome = sum(lengths.values())
    with path.open("w", encoding="ascii") as file:
        file.write(header(["P00000"], blocks=True))
        for name, length in lengths.items():
            step = length // max(2, round(records * length / genome))
            for start in range(1, length - step, step):
                quality, reads = dice.randint(30, 99), dice.randint(15, 60)
                file.write(
                    f"{name}\t{start}\t.\tG\t<NON_REF>\t.\t.\tEND={start + step - 1}\tGT:DP:GQ:MIN_DP:PL\t"
                    f"0/0:{reads}:{quality}:{reads - 3}:0,{quality},{quality * 15}\n"
                )
    return path


def packed(path: Path) -> Path:
    """Compress a plain VCF with bgzip, index it, remove the plain one, and return the packed one."""
    target = path.with_name(path.name + ".gz")
    pysam.tabix_compress(str(path), str(target), force=True)
    pysam.tabix_index(str(target), preset="vcf", force=True)
    path.unlink()
    return target
