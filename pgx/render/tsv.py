"""The row of a sample for samples.tsv, Parquet and pandas: columns, types, and how cells are made."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from pgx.calling import population_name
from pgx.errors import printable
from pgx.observe import SiteReport, SiteState
from pgx.report import Run, SampleReport

Cell = str | int | float | None


class Row(Struct, frozen=True, kw_only=True):
    """What a table says of a sample, by column; a new one comes last: programs count on places of others."""

    sample: str
    input: str
    assembly: str
    rs429358: str
    rs7412: str
    diplotype: str | None
    diplotype_probability: float
    e4_status: str
    e4_copies: int | None
    e4_carrier_probability: float
    phase: str
    conclusion: str
    flags: str
    population: str
    source: str
    neighbours_diplotype: str | None
    neighbours_probability: float | None
    neighbours_markers: int | None
    neighbours_agree: str | None
    report: str | None


COLUMNS = Row.__struct_fields__


def kinds(row: type[Row]) -> dict[str, type[str | int | float]]:
    """Return the type of the cells of each column: str, int or float."""
    types = {kind | None: kind for kind in (str, int, float)}
    return {field.name: types[field.type | None] for field in msgspec.structs.fields(row)}


def row_of(run: Run, report: SampleReport) -> Row:
    """Return the row of a sample."""
    return Row(**cells_of(run, report))


def cells_of(run: Run, report: SampleReport) -> dict[str, Any]:
    """Return the cells of a sample by column, for `Row` or a row with more columns."""
    genotype, found = report.genotype, report.neighbours
    copies = genotype.e4_copies_posterior
    return {
        "sample": safe_cell(report.sample),
        "input": safe_cell(run.input.path),
        "assembly": run.input.assembly,
        **{site.rsid: site_cell(site) for site in report.sites},
        "diplotype": genotype.diplotype,
        "diplotype_probability": genotype.diplotype_probability,
        "e4_status": genotype.e4_status,
        "e4_copies": genotype.e4_copies,
        "e4_carrier_probability": copies["1"] + copies["2"],
        "phase": genotype.phase,
        "conclusion": ";".join(dict.fromkeys(response.conclusion for response in report.response)),
        "flags": ";".join(dict.fromkeys(flag.code for flag in report.flags)),
        "population": population_name(run.parameters.population),
        "source": genotype.source,
        "neighbours_diplotype": found.diplotype if found else None,
        "neighbours_probability": found.diplotype_probability if found else None,
        "neighbours_markers": found.markers_used if found else None,
        "neighbours_agree": None if found is None or found.agrees is None else ("no", "yes")[found.agrees],
        "report": None,  # of a cohort folder: its tables name the file
    }


def cell_text(cell: Cell) -> str:
    """Return a cell as text: empty for None, numbers with ten digits: the order of a sum never shows."""
    return "" if cell is None else f"{cell:.10g}" if isinstance(cell, float) else str(cell)


def site_cell(site: SiteReport) -> str:
    """Return "T/C", "T|C", or the state; a letter that was assumed is marked."""
    if site.alleles is None:
        return site.state
    return f"{site.genotype} (assumed)" if site.state == SiteState.ASSUMED_REFERENCE else site.genotype


def safe_cell(text: str) -> str:
    """Return a name from a file as a cell that no spreadsheet runs: printable, formulas quoted."""
    clean = printable(text, limit=1000)
    return f"'{clean}" if len(clean) > 1 and clean.startswith(("=", "+", "-", "@")) else clean


def stream(run: Run, samples: Iterable[SampleReport], _form: object = None) -> Iterator[str]:
    """Yield the header line and one line a sample, in any form."""
    yield "\t".join(COLUMNS) + "\n"
    for report in samples:
        yield "\t".join(map(cell_text, astuple(row_of(run, report)))) + "\n"


def write_rows(path: Path, columns: Iterable[str], rows: Iterable[Iterable[Cell]]) -> None:
    """Write a further table of a cohort: names safe for a spreadsheet, numbers as in samples.tsv."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        table = csv.writer(handle, delimiter="\t", lineterminator="\n")
        table.writerow(columns)
        for row in rows:
            table.writerow([safe_cell(cell) if isinstance(cell, str) else cell_text(cell) for cell in row])
