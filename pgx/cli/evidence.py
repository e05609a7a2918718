"""`pgx evidence`: browse, check and export the evidence base.

Imports within functions keep `pgx --help` fast.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgx import files
from pgx.errors import ReferenceDataError, UsageError, printable

if TYPE_CHECKING:
    from pgx.evidence import EvidenceBase
    from pgx.evidence.schema import Claim

app = typer.Typer(
    name="evidence",
    help="Browse, check and export the evidence that reports draw on.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class ExportFormat(StrEnum):
    """Formats of `export`."""

    TSV = "tsv"
    JSON = "json"


Extra = Annotated[
    list[Path] | None,
    typer.Option("--evidence", metavar="PATH", help="A further evidence file or folder; may be repeated."),
]
TopicFilter = Annotated[str | None, typer.Option("--topic", metavar="NAME", help="Only this topic.")]
DrugFilter = Annotated[str | None, typer.Option("--drug", metavar="NAME", help="Only this product.")]
GeneFilter = Annotated[str | None, typer.Option("--gene", metavar="NAME", help="Only claims on this gene.")]
UseFilter = Annotated[str | None, typer.Option("--indication", metavar="NAME", help="Only this use.")]
MarkerFilter = Annotated[
    int | None,
    typer.Option("--marker", metavar="N", min=1, help="Only claims with this marker of the article."),
]


@app.command("list")
def list_claims(
    topic: TopicFilter = None,
    drug: DrugFilter = None,
    gene: GeneFilter = None,
    indication: UseFilter = None,
    marker: MarkerFilter = None,
    evidence: Extra = None,
) -> None:
    """List claims: id, topic, use, certainty, and the plain statement."""
    base = _load(evidence)
    for claim in _select(base, topic=topic, drug=drug, gene=gene, indication=indication, marker=marker):
        words = base.phrases
        use = base.indications[claim.indication].label
        level = words.levels[claim.certainty.level]
        typer.echo(f"{claim.id}\n    {words.topics[claim.topic]}; {claim.drug}; {use}; certainty: {level}")
        typer.echo(f"    {claim.statement}")


@app.command()
def show(
    claim_id: Annotated[str, typer.Argument(metavar="ID", help="The id of a claim, as `list` prints it.")],
    evidence: Extra = None,
) -> None:
    """Show one claim with everything that is known of it, its conflicts and its sources."""
    from pgx.evidence.export import as_text

    base = _load(evidence)
    if claim_id not in base.claims:
        cure = _closest(claim_id, base) or "See pgx evidence list"
        raise UsageError(
            f"there is no claim {printable(claim_id, 80)!r}", where="pgx evidence show", cure=cure
        )
    typer.echo(as_text(base, base.claims[claim_id]), nl=False)


@app.command()
def check(
    path: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Your own evidence files or folders.")
    ] = None,
) -> None:
    """Check the shipped evidence, and your own beside it; exit 4 when something is wrong."""
    from pgx.evidence.lint import lint

    base = _load(path)
    problems = lint(base)
    for problem in problems:
        typer.echo(str(problem))
    typer.echo(f"claims: {len(base.claims)}, sources: {len(base.sources)}, files: {len(base.digests)}")
    if problems:
        raise ReferenceDataError(
            f"{len(problems)} problem(s) in the evidence",
            where="pgx evidence check",
            cure="See the list above",
        )


@app.command()
def export(
    output_format: Annotated[
        ExportFormat, typer.Option("-f", "--format", help="tsv or json.")
    ] = ExportFormat.TSV,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="A file instead of stdout; - is stdout."),
    ] = None,
    topic: TopicFilter = None,
    drug: DrugFilter = None,
    gene: GeneFilter = None,
    indication: UseFilter = None,
    marker: MarkerFilter = None,
    evidence: Extra = None,
) -> None:
    """Export claims with their sources as a table or a document."""
    from pgx.evidence.export import as_json, as_tsv

    base = _load(evidence)
    claims = _select(base, topic=topic, drug=drug, gene=gene, indication=indication, marker=marker)
    text = (as_json if output_format is ExportFormat.JSON else as_tsv)(base, claims)
    files.write((text,), files.STANDARD_OUTPUT if output is None or str(output) == "-" else output)


def _load(extra: list[Path] | None) -> EvidenceBase:
    from pgx.evidence import load

    return load(tuple(extra or ()))


def _select(
    base: EvidenceBase,
    *,
    topic: str | None,
    drug: str | None,
    gene: str | None,
    indication: str | None,
    marker: int | None,
) -> list[Claim]:
    from pgx.evidence.schema import Topic

    topic = _known("--topic", topic, [item.value for item in Topic])
    drug = _known("--drug", drug, list(base.drugs))
    gene = _known("--gene", gene, sorted({claim.gene for claim in base.claims.values()}))
    code = base.indication(indication) if indication is not None else None
    return [
        claim
        for claim in base.claims.values()
        if topic in {None, claim.topic.value}
        and drug in {None, claim.drug}
        and gene in {None, claim.gene}
        and code in {None, claim.indication}
        and (marker is None or (claim.article is not None and marker in claim.article.markers))
    ]


def _known(option: str, value: str | None, names: list[str]) -> str | None:
    """Return the name as the base spells it, or raise with the names there are."""
    if value is None:
        return None
    for name in names:
        if name.casefold() == value.casefold():
            return name
    raise UsageError(
        f"{printable(value, 60)!r} is not known", where=option, cure=f"Use one of: {', '.join(names)}"
    )


def _closest(claim_id: str, base: EvidenceBase) -> str:
    import difflib

    near = difflib.get_close_matches(claim_id, base.claims, n=3)
    return f"Did you mean {', '.join(near)}?" if near else ""
