"""`pgx evidence`: browse, check and export the evidence base."""

from __future__ import annotations

import datetime
import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from msgspec import Struct, to_builtins

from pgx import files, reference
from pgx.cli.options import Only, command, refuse
from pgx.errors import ReferenceDataError, UsageError, printable

if TYPE_CHECKING:
    from pgx.evidence import EvidenceBase
    from pgx.evidence.schema import Claim

_HELP = "Browse, check and export the evidence that reports draw on."
app = typer.Typer(name="evidence", help=_HELP, no_args_is_help=True, rich_markup_mode=None)
_FORMATS = {  # of what `export` exports
    "claims": ("tsv", "json"),
    "summary": ("tsv", "json", "html"),
    "conflicts": ("json", "graphml"),
    "statements": ("json",),
}


class Selection(Struct, frozen=True, kw_only=True):
    """Which claims are meant: those that all that is given fits."""

    topic: str | None = None
    drug: str | None = None
    gene: str | None = None
    indication: str | None = None
    marker: int | None = None
    evidence: tuple[Path, ...] = ()


def list_(which: Selection) -> None:
    """List claims: id, topic, use, certainty, and the plain statement."""
    base = _load(which.evidence)
    words = base.phrases
    for claim in _select(base, which):
        use, level = base.indications[claim.indication].label, words.levels[claim.certainty.level]
        typer.echo(f"{claim.id}\n    {words.topics[claim.topic]}; {claim.drug}; {use}; certainty: {level}")
        typer.echo(f"    {claim.statement}")


def show(claim_id: str, which: Annotated[Selection, Only(("evidence",))]) -> None:
    """Show one claim with everything that is known of it, its conflicts and its sources."""
    from pgx.evidence.export import as_text

    base = _load(which.evidence)
    near = ", ".join(difflib.get_close_matches(claim_id, base.claims, n=3))
    what, cure = f"there is no claim {printable(claim_id, 80)!r}", f"Did you mean {near}?"
    refuse(claim_id not in base.claims, what, "pgx evidence show", cure if near else "See pgx evidence list")
    typer.echo(as_text(base, base.claims[claim_id]), nl=False)


def check(path: list[Path] | None = None, as_of: str | None = None, strict: bool = False) -> None:
    """Check the shipped evidence, and your own beside it; exit 4 when something is wrong."""
    from pgx.evidence.lint import lint, overdue

    try:
        day = datetime.date.fromisoformat(reference.now()[:10] if as_of is None else as_of)
    except ValueError as error:
        what = f"{printable(as_of or '', 40)!r} is no date"
        raise UsageError(what, where="--as-of", cure="Write it as 2027-12-01") from error
    base = _load(tuple(path or ()))
    problems, late = list(map(str, lint(base))), overdue(base, day)
    for problem in problems:
        typer.echo(problem)
    for line in late:
        typer.echo(f"warning: {line}", err=True)
    typer.echo(f"claims: {len(base.claims)}, sources: {len(base.sources)}, files: {len(base.digests)}")
    if problems or (late and strict):
        what = f"{len(problems)} problem(s) in the evidence" if problems else "a search is overdue"
        raise ReferenceDataError(what, where="pgx evidence check", cure="See the list above")


def diff(old: Path, new: Path) -> None:
    """Show which claims and sources came, went or changed between two releases."""
    from pgx.evidence.lint import differences, read_release

    for line in differences(read_release(old), read_release(new)):
        typer.echo(line)


def export(
    output_format: Literal["tsv", "json", "html", "graphml"] | None = None,
    what: Literal["claims", "summary", "conflicts", "statements"] = "claims",
    output: str | None = None,
    *,
    which: Selection,
) -> None:
    """Export claims with their sources, the summary of findings, the conflict graph, or statements."""
    from pgx.evidence import export as made

    form, known = output_format or _FORMATS[what][0], ", ".join(_FORMATS[what])
    refuse(form not in _FORMATS[what], f"{what} has no format {form}", "-f", f"Use one of: {known}")
    base = _load(which.evidence)
    claims = _select(base, which)
    if what == "claims":
        text = (made.as_json if form == "json" else made.as_tsv)(base, claims)
    elif what == "statements":
        text = made.as_document(made.as_statements(base, claims))
    elif what == "conflicts":
        text = (made.as_graphml if form == "graphml" else made.as_document)(made.conflict_graph(base, claims))
    elif form == "json":
        text = made.as_document({"findings": to_builtins(made.findings(base, claims))})
    elif form == "html":
        from pgx.render.pages import table_page

        footer = f"pgx {reference.program_version()}, reference data {reference.release()}"
        text = table_page(made.as_rows(made.findings(base, claims)), base.phrases.summary, footer=footer)
    else:
        text = made.as_table(made.as_rows(made.findings(base, claims)))
    files.write((text,), output or files.STANDARD_OUTPUT)


def _load(further: tuple[Path, ...]) -> EvidenceBase:
    from pgx.evidence import load  # `pgx --help` does without

    return load(further)


def _select(base: EvidenceBase, which: Selection) -> list[Claim]:
    from pgx.evidence.schema import Topic

    topic = _known("--topic", which.topic, [item.value for item in Topic])
    drug = _known("--drug", which.drug, list(base.drugs))
    gene = _known("--gene", which.gene, sorted({claim.gene for claim in base.claims.values()}))
    code = base.indication(which.indication) if which.indication is not None else None
    wanted, found = (topic, drug, gene, code), []
    for claim in base.claims.values():
        stated = (claim.topic.value, claim.drug, claim.gene, claim.indication)
        markers = claim.article.markers if claim.article is not None else ()
        if all(one in {None, other} for one, other in zip(wanted, stated, strict=True)):
            found += [claim] if which.marker is None or which.marker in markers else []
    return found


def _known(option: str, value: str | None, names: list[str]) -> str | None:
    """Return the name as the base spells it, or raise with the names there are."""
    if value is None:
        return None
    known = {name.casefold(): name for name in reversed(names)}
    what, cure = f"{printable(value, 60)!r} is not known", f"Use one of: {', '.join(names)}"
    refuse(value.casefold() not in known, what, option, cure)
    return known[value.casefold()]


for _function in (list_, show, check, diff, export):
    _name = _function.__name__.rstrip("_")
    app.command(_name)(command(f"evidence {_name}", _function))
