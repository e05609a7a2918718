"""Options that change a result, which `pgx annotate` and `pgx cohort` share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

_RESULT = "Options that change the result"
PERSON = "Who it is for"


class AbsentSites(StrEnum):
    """What a site without a record counts as."""

    UNKNOWN = "unknown"
    REFERENCE = "reference"


AssemblyOption = Annotated[
    str, typer.Option(help="auto, GRCh37, GRCh38, NCBI36 or T2T-CHM13.", rich_help_panel=_RESULT)
]
AbsentSitesOption = Annotated[
    AbsentSites, typer.Option(help="What a site without a record counts as.", rich_help_panel=_RESULT)
]
CallableOption = Annotated[
    Path | None,
    typer.Option(
        "--callable",
        metavar="BED",
        help="Regions in which a site without a record counts as reference.",
        rich_help_panel=_RESULT,
    ),
]
KeepFilteredOption = Annotated[
    bool, typer.Option("--keep-filtered", help="Use records that failed a filter.", rich_help_panel=_RESULT)
]
MinGqOption = Annotated[
    float, typer.Option(help="Do not use a site below this genotype quality.", rich_help_panel=_RESULT)
]
MinDpOption = Annotated[
    int, typer.Option(help="Do not use a site with fewer reads.", rich_help_panel=_RESULT)
]
MinProbabilityOption = Annotated[
    float | None,
    typer.Option(help="From when an answer counts as determined. [default: 0.99]", rich_help_panel=_RESULT),
]
PopulationOption = Annotated[
    str | None,
    typer.Option(help="Whose haplotype frequencies, or flat. [default: global]", rich_help_panel=_RESULT),
]
ErrorRateOption = Annotated[
    float | None,
    typer.Option(
        help="Error of one allele where no quality is stated. [default: 5e-5]", rich_help_panel=_RESULT
    ),
]
EvidenceOption = Annotated[
    list[Path] | None,
    typer.Option(metavar="DIR", help="A folder with further evidence.", rich_help_panel=_RESULT),
]
IndicationOption = Annotated[
    str | None, typer.Option(help="What the drug is for, e.g. stroke.", rich_help_panel=PERSON)
]
RevealMinorOption = Annotated[
    bool, typer.Option("--reveal-minor", help="Show a minor's result all the same.", rich_help_panel=PERSON)
]
