"""Read the truth tables of tests/truth/ and run a row of them end to end.

The columns are explained in tests/truth/README.md. `load` reads a table, `Case.content` makes the file of a
row, `outcome` annotates it and returns what the row can be compared with.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import quote

from vcf_builder import LETTERS, POSITIONS, RSIDS, vcf_text, write_vcf

from pgx.errors import PgxError
from pgx.options import Options
from pgx.single import annotate

FOLDER = Path(__file__).resolve().parent / "truth"
_KEYS = ("at", "chrom", "id", "qual", "filter", "info", "end")
_PLACE = re.compile(r"(?:(?P<assembly>[A-Za-z0-9-]+)\.)?(?P<rsid>rs\d+)(?P<shift>[+-]\d+)?")
_FLAGS_ONLY = {"keep_filtered"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row; every field is a column, `table` is the name of the file."""

    table: str
    case: str
    about: str
    layout: str
    options: str
    rs429358: str
    rs7412: str
    other: str
    rs429358_is: str
    rs7412_is: str
    diplotype: str
    status: str
    phase: str
    flags: str
    error: str

    @property
    def flag_codes(self) -> frozenset[str]:
        """Return the flags that the row expects."""
        return frozenset(self.flags.split()) - {"-"}

    @property
    def assemblies(self) -> tuple[str, ...]:
        """Return the assemblies that the row is run on: the one it names, else the two in use."""
        named = _words(self.layout).get("assembly")
        return (named,) if named else ("GRCh37", "GRCh38")

    @property
    def can_be_indexed(self) -> bool:
        """Say whether the row makes sense with an index."""
        return _words(self.layout).get("index", "yes") != "no"

    def content(self, assembly: str) -> str:
        """Return the file of this row on `assembly`, as text."""
        layout = _words(self.layout)
        contig = layout.get("contig", "19" if assembly == "GRCh37" else "chr19")
        lines = [
            line
            for rsid, cell in [*zip(RSIDS, (self.rs429358, self.rs7412), strict=True), ("", self.other)]
            for line in _lines(cell, rsid, assembly)
        ]
        columns = max([len(line.split("\t")) - 9 for line in lines], default=1)
        lines = [_widened(line, columns) for line in lines]
        text = vcf_text(
            records=lines,
            assembly=assembly,
            contig=contig,
            samples=[f"S{number + 1}" for number in range(columns)],
            neighbours=layout.get("neighbours", "yes") == "yes",
            order=layout.get("order", "sorted"),
            fileformat=layout.get("fileformat", "VCFv4.2"),
            contig_lines=layout.get("contigs", "yes") == "yes",
            contig_lengths=layout.get("lengths", "yes") == "yes",
            assembly_tag=layout.get("tag", ""),
            reference=layout.get("reference", ""),
            declare=layout.get("declare", "yes") == "yes",
        )
        if "contig_length" in layout:
            text = re.sub(rf"(ID={re.escape(contig)},length=)\d+", rf"\g<1>{layout['contig_length']}", text)
        if "header" in layout:
            line = layout["header"].replace("~", " ")
            text = text.replace("#CHROM", f"##{line}\n#CHROM", 1)
        text = text.replace("ID=LEN,Number=.,Type=String", "ID=LEN,Number=1,Type=Integer")
        if "gl" in layout:
            text = text.replace("ID=GL,Number=G,Type=Float", f"ID=GL,Number=.,Type={layout['gl']}")
        return text


def load(name: str) -> list[Case]:
    """Return the rows of one table; an unknown or missing column is an error."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(
            (line for line in handle if not line.startswith("#")),
            delimiter="\t",
            quoting=csv.QUOTE_NONE,
            restkey="<too many cells>",
        )
        expected = [field.name for field in fields(Case) if field.name != "table"]
        if list(reader.fieldnames or ()) != expected:
            raise ValueError(f"{name}: the columns are {reader.fieldnames}, not {expected}")
        cases = []
        for row in reader:
            if None in row.values() or "<too many cells>" in row:
                raise ValueError(f"{name}: row {row['case']} has the wrong number of cells")
            cases.append(Case(table=name, **row))
        return cases


def tables() -> list[str]:
    """Return the names of all tables."""
    return sorted(path.name for path in FOLDER.glob("*.tsv"))


def all_cases() -> Iterator[Case]:
    """Yield the rows of all tables."""
    for name in tables():
        yield from load(name)


def outcome(case: Case, folder: Path, *, assembly: str, indexed: bool, url: str = "") -> dict[str, str]:
    """Annotate the file of a row, below `url` if given; return the cells that its expectation consists of."""
    name = f"{case.case}.{assembly}.vcf" + (".gz" if indexed else "")
    path = write_vcf(folder / name, text=case.content(assembly), index="tbi" if indexed else "")
    try:
        source = f"{url}/{quote(path.name)}" if url else str(path)
        sample = next(iter(annotate(source, _options(case, folder, assembly)).samples))
    except PgxError as error:
        return {"error": f"{error.exit_code} {error}"}
    genotype = sample.genotype
    return {
        "rs429358_is": _cell(sample.sites[0]),
        "rs7412_is": _cell(sample.sites[1]),
        "diplotype": genotype.diplotype or "-",
        "status": genotype.e4_status,
        "phase": genotype.phase,
        "flags": " ".join(sorted({flag.code for flag in sample.flags})) or "-",
    }


def expected(case: Case) -> dict[str, str]:
    """Return the expectation of a row in the shape of `outcome`; an empty cell of `phase` expects nothing."""
    cells = {
        "rs429358_is": case.rs429358_is,
        "rs7412_is": case.rs7412_is,
        "diplotype": case.diplotype,
        "status": case.status,
        "flags": " ".join(sorted(case.flag_codes)) or "-",
    }
    return cells | ({"phase": case.phase} if case.phase != "." else {})


def _cell(site) -> str:
    if site.alleles is None:
        return site.state + (f":{site.seen[0]}" if site.state == "partial-call" else "")
    return f"{site.state}:{('|' if site.phased else '/').join(site.alleles)}"


def _words(text: str) -> dict[str, str]:
    """Return `a=b c d=e` as a dictionary; a bare word has the value "yes"."""
    if text == "-":
        return {}
    pairs = (word.partition("=") for word in text.split())
    return {key: value or "yes" for key, _, value in pairs}


def _options(case: Case, folder: Path, assembly: str) -> Options:
    given: dict[str, object] = {}
    for key, value in _words(case.options).items():
        if key in _FLAGS_ONLY:
            given[key] = True
        elif key == "callable":
            given["callable_bed"] = _bed(value, folder / f"{case.case}.{assembly}.bed", case, assembly)
        elif key in {"population", "assembly", "absent_sites"}:
            given[key] = value
        elif key == "min_dp":
            given[key] = int(value)
        else:
            given[key] = float(value)
    return Options(**given)


def _bed(rsids: str, path: Path, case: Case, assembly: str) -> Path:
    contig = _words(case.layout).get("contig", "19" if assembly == "GRCh37" else "chr19")
    lines = []
    for rsid, _, said in (word.partition(":") for word in rsids.split(",")):
        position = POSITIONS[assembly][rsid]
        lines.append("\t".join([contig, str(position - 1), str(position), *([said] if said else [])]) + "\n")
    path.write_text("track name=callable\n" + "".join(lines))
    return path


def _lines(cell: str, rsid: str, assembly: str) -> Iterator[str]:
    if cell == "-":
        return
    for text in cell.split(" && "):
        words = text.split()
        given = {"at": rsid, "chrom": "{chrom}", "id": rsid or ".", "qual": "50", "filter": "PASS"}
        alleles = ""
        while words and (not alleles or words[0].partition("=")[0] in _KEYS):
            word = words.pop(0)
            key, _, value = word.partition("=")
            if key in _KEYS:
                given[key] = value
            else:
                alleles = word
        reference, _, alternate = alleles.partition(">")
        yield "\t".join(
            [
                given["chrom"],
                str(_place(given["at"], assembly)),
                given["id"],
                reference,
                alternate,
                given["qual"],
                given["filter"],
                _info(given, assembly),
                *words,
            ]
        )


def _info(given: dict[str, str], assembly: str) -> str:
    parts = [given["info"]] if "info" in given else []
    if "end" in given:
        parts.append(f"END={_place(given['end'], assembly)}")
    return ";".join(parts) or "."


def _place(text: str, assembly: str) -> int:
    """Return a 1-based position: of a number, `rs7412`, `rs7412+5`, or `other.rs7412` on the other build."""
    if text.isdecimal():
        return int(text)
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError(f"no place: {text}")
    named = match["assembly"] or assembly
    if named == "other":
        named = "GRCh38" if assembly == "GRCh37" else "GRCh37"
    return POSITIONS[named][match["rsid"]] + int(match["shift"] or 0)


def _widened(line: str, columns: int) -> str:
    cells = line.split("\t")
    given = cells[9:]
    return "\t".join([*cells[:9], *given, *(given[-1:] * (columns - len(given)))])


def letters_pair(text: str) -> str:
    """Return both letters of a cell such as `called:T|C`, sorted, without phase; "" where there are none."""
    letters = text.partition(":")[2].replace("|", "/").split("/")
    return "/".join(sorted(letters)) if len(letters) == 2 else ""


ALL_PAIRS = frozenset((one, other) for one in ("T/T", "C/T", "C/C") for other in ("T/T", "C/T", "C/C"))
ALL_PHASED = frozenset((f"{a}|{b}", f"{c}|{d}") for a in "TC" for b in "TC" for c in "TC" for d in "TC")
assert set(LETTERS) == set(RSIDS)
