"""A table with one row a sample, safe to open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pgx.errors import printable
from pgx.genome.sites import rsids
from pgx.observe import SiteState
from pgx.report import Run, SampleReport, SiteReport

COLUMNS = (
    "sample",
    "input",
    "assembly",
    *rsids(),
    "diplotype",
    "diplotype_probability",
    "e4_status",
    "e4_copies",
    "e4_carrier_probability",
    "phase",
    "conclusion",
    "flags",
)
#: A spreadsheet runs a cell that starts with one of these.
_FORMULA_STARTS = ("=", "+", "-", "@")


def stream(run: Run, samples: Iterable[SampleReport]) -> Iterator[str]:
    """Yield the header line and one line a sample."""
    yield "\t".join(COLUMNS) + "\n"
    for report in samples:
        yield "\t".join(row(run, report)) + "\n"


def row(run: Run, report: SampleReport) -> tuple[str, ...]:
    """Return the cells of one sample, in the order of `COLUMNS`. Empty means not determined."""
    genotype = report.genotype
    copies = genotype.e4_copies_posterior
    first, second = (site_cell(site) for site in report.sites)
    return (
        safe_cell(report.sample),
        safe_cell(run.input.path),
        run.input.assembly,
        first,
        second,
        genotype.diplotype or "",
        f"{genotype.diplotype_probability:.10g}",
        genotype.e4_status,
        "" if genotype.e4_copies is None else str(genotype.e4_copies),
        f"{copies['1'] + copies['2']:.10g}",
        genotype.phase,
        ";".join(dict.fromkeys(response.conclusion for response in report.response)),
        ";".join(dict.fromkeys(flag.code for flag in report.flags)),
    )


def site_cell(site: SiteReport) -> str:
    """Return "T/C", "T|C", or the state; a letter that was assumed says so."""
    if site.alleles is None:
        return site.state
    letters = ("|" if site.phased else "/").join(site.alleles)
    return f"{letters} (assumed)" if site.state == SiteState.ASSUMED_REFERENCE else letters


def safe_cell(text: str) -> str:
    """Return a name from a file as a cell that no spreadsheet runs: printable, formulas quoted."""
    clean = printable(text, limit=1000)
    return f"'{clean}" if len(clean) > 1 and clean.startswith(_FORMULA_STARTS) else clean
