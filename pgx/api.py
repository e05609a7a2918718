"""pgx for those who work in Python with pandas: reports one by one, and tables.

    reports = pgx.annotate("cohort.vcf.gz", population="EUR")
    frame = pgx.to_frame(reports)
    frame = pgx.read_cohort("results/")

pandas is imported by the functions that return a table, not by `import pgx`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from pgx.errors import FormatError
from pgx.render.tsv import COLUMNS, site_cell
from pgx.report import Document, Run, SampleReport
from pgx.single import Options
from pgx.single import annotate as _annotate

if TYPE_CHECKING:
    import pandas as pd

#: The pandas type of each column; a column of a manifest that is not here is `string`.
DTYPES = {
    "diplotype_probability": "float64",
    "e4_copies": "Int8",
    "e4_carrier_probability": "float64",
} | {
    name: "string"
    for name in COLUMNS
    if name not in {"diplotype_probability", "e4_copies", "e4_carrier_probability"}
}
_PARQUET = "samples.parquet"


class Report(Struct, frozen=True, kw_only=True):
    """The report of one sample, with what it shares with the other samples of its input.

    Attributes
    ----------
    run
        Input, options, versions.
    report
        Everything that is said of the sample; see `pgx.report.SampleReport`.
    """

    run: Run
    report: SampleReport

    @property
    def sample(self) -> str:
        """Return the name of the sample."""
        return self.report.sample

    @property
    def diplotype(self) -> str | None:
        """Return "e3/e4", or None where it is not determined."""
        return self.report.genotype.diplotype

    @property
    def e4_status(self) -> str:
        """Return the e4 status: non-carrier, heterozygous, homozygous, carrier or indeterminate."""
        return self.report.genotype.e4_status

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of the sample: dicts, lists, text, numbers, None."""
        from pgx.report import to_dict  # noqa: PLC0415

        return to_dict(self.run, (self.report,))

    def document(self) -> Document:
        """Return what `pgx.render` takes: the run with this sample."""
        return Document.of(self.run, (self.report,))


def annotate(path: str | Path, **options: Any) -> Iterator[Report]:
    """Annotate a VCF, gVCF or BCF; yield a report a sample, one at a time.

    Parameters
    ----------
    path
        A file, or a URL.
    **options
        What `pgx.single.Options` takes, by name: `samples`, `assembly`, `absent_sites`, `population`,
        `min_probability` and so on, as the options of the command line.

    Raises
    ------
    pgx.errors.PgxError
        The input or an option is wrong; raised by the call itself, not by the iteration.
    TypeError
        There is no such option.
    """
    found = _annotate(str(path), Options(**options))
    return (Report(run=found.run, report=report) for report in found.samples)


def to_frame(reports: Iterable[Report]) -> pd.DataFrame:
    """Return a table with a row a report: the columns of samples.tsv, with the types of `DTYPES`."""
    import pandas as pd  # noqa: PLC0415 - half a second that other functions need not pay

    rows = [_cells(item) for item in reports]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(DTYPES)


def _cells(item: Report) -> list[object]:
    genotype = item.report.genotype
    copies = genotype.e4_copies_posterior
    return [
        item.sample,
        item.run.input.path,
        item.run.input.assembly,
        *(site_cell(site) for site in item.report.sites),
        genotype.diplotype,
        float(f"{genotype.diplotype_probability:.10g}"),
        genotype.e4_status,
        genotype.e4_copies,
        float(f"{copies['1'] + copies['2']:.10g}"),
        genotype.phase,
        ";".join(dict.fromkeys(response.conclusion for response in item.report.response)),
        ";".join(dict.fromkeys(flag.code for flag in item.report.flags)),
    ]


def read_cohort(folder: str | Path) -> pd.DataFrame:
    """Return the samples of a folder that `pgx cohort` wrote, with the types of `DTYPES`.

    Raises
    ------
    pgx.errors.FormatError
        It is no such folder, or its run is not finished.
    """
    import pandas as pd  # noqa: PLC0415

    path = Path(folder) / _PARQUET
    if not path.is_file():
        raise FormatError(
            "holds no finished cohort", where=str(folder), cure="Give the folder that pgx cohort wrote"
        )
    _check_finished(Path(folder))
    frame = pd.read_parquet(path)
    return frame.astype({name: DTYPES.get(str(name), "string") for name in frame.columns})


def _check_finished(folder: Path) -> None:
    """Refuse tables that are older than what is stored beside them; tables alone are taken as they are."""
    from pgx.cohort.state import State  # noqa: PLC0415

    if not State.is_in(folder):
        return
    with State(folder, create=False) as state:
        if not state.meta("finished", bool):
            raise FormatError(
                "its run is not finished", where=str(folder), cure="Give the command of the run again"
            )
