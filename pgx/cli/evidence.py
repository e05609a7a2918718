"""`pgx evidence`: browse, check and export the evidence base.

Imports within functions keep `pgx --help` fast.
"""

from __future__ import annotations

import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgx import files, reference
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
    HTML = "html"
    GRAPHML = "graphml"


class Content(StrEnum):
    """What `export` exports."""

    CLAIMS = "claims"
    SUMMARY = "summary"
    CONFLICTS = "conflicts"
    STATEMENTS = "statements"


_FORMATS = {
    Content.CLAIMS: (ExportFormat.TSV, ExportFormat.JSON),
    Content.SUMMARY: (ExportFormat.TSV, ExportFormat.JSON, ExportFormat.HTML),
    Content.CONFLICTS: (ExportFormat.JSON, ExportFormat.GRAPHML),
    Content.STATEMENTS: (ExportFormat.JSON,),
}


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
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help="Judge the age on this day, e.g. 2027-12-01 (today)."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 4 where a search is overdue, too.")] = False,
) -> None:
    """Check the shipped evidence, and your own beside it; exit 4 when something is wrong."""
    from pgx.evidence.lint import lint, overdue

    day = _day(as_of)
    base = _load(path)
    problems = [str(problem) for problem in lint(base)]
    late = overdue(base, day)
    for problem in problems:
        typer.echo(problem)
    for line in late:
        typer.echo(f"warning: {line}", err=True)
    typer.echo(f"claims: {len(base.claims)}, sources: {len(base.sources)}, files: {len(base.digests)}")
    if problems or (late and strict):
        what = f"{len(problems)} problem(s) in the evidence" if problems else "a search is overdue"
        raise ReferenceDataError(what, where="pgx evidence check", cure="See the list above")


def _day(text: str | None) -> datetime.date:
    if text is None:
        return datetime.date.fromisoformat(reference.now()[:10])
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{printable(text, 40)!r} is no date", where="--as-of", cure="Write it as 2027-12-01"
        ) from error


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A reference folder, or an export in JSON.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The same of a later release.")],
) -> None:
    """Show which claims and sources came, went or changed between two releases."""
    from pgx.evidence.export import differences, read_release

    for line in differences(read_release(old), read_release(new)):
        typer.echo(line)


@app.command()
def export(
    output_format: Annotated[
        ExportFormat | None,
        typer.Option("-f", "--format", help="The first that the content has if not given."),
    ] = None,
    what: Annotated[
        Content,
        typer.Option(
            "--what",
            help="claims (tsv, json); summary of findings (tsv, json, html); conflicts (json, graphml); "
            "statements (json).",
        ),
    ] = Content.CLAIMS,
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
    """Export claims with their sources, the summary of findings, the conflict graph, or statements."""
    form = output_format or _FORMATS[what][0]
    if form not in _FORMATS[what]:
        known = ", ".join(_FORMATS[what])
        raise UsageError(f"{what} has no format {form}", where="-f", cure=f"Use one of: {known}")
    base = _load(evidence)
    claims = _select(base, topic=topic, drug=drug, gene=gene, indication=indication, marker=marker)
    text = _exported(base, claims, what, form)
    files.write((text,), files.STANDARD_OUTPUT if output is None or str(output) == "-" else output)


def _exported(base: EvidenceBase, claims: list[Claim], what: Content, form: ExportFormat) -> str:
    from msgspec import to_builtins

    from pgx.evidence import export as made

    if what is Content.CLAIMS:
        return (made.as_json if form is ExportFormat.JSON else made.as_tsv)(base, claims)
    if what is Content.STATEMENTS:
        return made.as_document(made.as_statements(base, claims))
    if what is Content.CONFLICTS:
        graph = made.conflict_graph(base, claims)
        return made.as_graphml(graph) if form is ExportFormat.GRAPHML else made.as_document(graph)
    from pgx.evidence.grade import as_rows, findings
    from pgx.render.pages import table_page

    rows = findings(base, claims)
    if form is ExportFormat.JSON:
        return made.as_document({"findings": to_builtins(rows)})
    if form is ExportFormat.HTML:
        footer = f"pgx {reference.program_version()}, reference data {reference.release()}"
        return table_page(as_rows(rows), base.phrases.summary, footer=footer)
    return made.as_table(as_rows(rows))


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
