"""The evidence as tables and documents for other programs, and as text for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from msgspec import to_builtins

from pgx.evidence.cite import cite
from pgx.evidence.load import EvidenceBase
from pgx.evidence.match import effect_text, sample_size_text
from pgx.evidence.schema import Claim, Group

COLUMNS = (
    "id",
    "gene",
    "group",
    "drug",
    "topic",
    "indication",
    "population",
    "direction",
    "statement",
    "technical",
    "effect",
    "sample_size",
    "endpoint",
    "endpoint_kind",
    "comparator",
    "control",
    "blinding",
    "species",
    "predictive",
    "hedge",
    "certainty",
    "certainty_rule",
    "certainty_judged_by",
    "article_section",
    "article_lines",
    "article_rows",
    "markers",
    "tier",
    "sources",
    "seen",
    "funding",
    "caveats",
    "conflicts_with",
    "superseded_by",
    "reviewed_by",
    "reviewed_on",
    "file",
)


def as_tsv(base: EvidenceBase, claims: Sequence[Claim]) -> str:
    """Return a table, a claim a line; lists are joined with `; `."""
    lines = ["\t".join(COLUMNS)]
    lines += ["\t".join(" ".join(cell.split()) for cell in _cells(base, claim)) for claim in claims]
    return "\n".join(lines) + "\n"


def _cells(base: EvidenceBase, claim: Claim) -> list[str]:
    citations = cite(base, claim)
    article = claim.article
    values = {
        **{key: str(value) for key, value in to_builtins(claim).items() if isinstance(value, str)},
        "effect": _join(effect_text(effect) for effect in claim.effects),
        "sample_size": sample_size_text(claim),
        "certainty": claim.certainty.level.value,
        "certainty_rule": claim.certainty.rule,
        "certainty_judged_by": claim.certainty.judged_by,
        "article_section": _join((article.section, article.heading)) if article else "",
        "article_lines": _join(map(str, article.lines)) if article else "",
        "article_rows": _join(article.rows) if article else "",
        "markers": _join(map(str, article.markers)) if article else "",
        "tier": article.tier if article else "",
        "sources": _join(item.citation for item in citations),
        "seen": _join(item.seen for item in citations),
        "caveats": _join(claim.caveats),
        "conflicts_with": _join(f"{item.id} ({item.kind.value})" for item in claim.conflicts_with),
        "superseded_by": _join(claim.superseded_by),
        "reviewed_by": claim.reviewed.by,
        "reviewed_on": claim.reviewed.on.isoformat(),
        "file": base.origins[claim.id],
    }
    return [values[column] for column in COLUMNS]


def as_json(base: EvidenceBase, claims: Sequence[Claim]) -> str:
    """Return a document with the claims, the sources they rest on, and the digests of what was loaded."""
    keys = dict.fromkeys(key for claim in claims for key in claim.sources)
    document = {
        "files": [{"name": name, "digest": digest} for name, digest in base.digests],
        "claims": [{**to_builtins(claim), "file": base.origins[claim.id]} for claim in claims],
        "sources": [to_builtins(base.sources[key]) for key in keys],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_text(base: EvidenceBase, claim: Claim) -> str:
    """Return one claim with everything that is known of it, its conflicts and its sources, for people."""
    return "\n".join(_lines(base, claim)) + "\n"


def _lines(base: EvidenceBase, claim: Claim) -> Iterator[str]:
    words = base.phrases
    yield claim.id
    yield f"  {claim.statement}"
    yield f"  {claim.technical}"
    yield ""
    who = "" if claim.group is Group.ANY else f", {words.groups[claim.group]}"
    use = base.indications[claim.indication].label
    yield f"  about        {claim.drug}; {words.topics[claim.topic]}; {use}{who}"
    yield f"  direction    {words.directions[claim.direction]} (hedge: {claim.hedge.value})"
    yield f"  population   {claim.population}"
    yield f"  treatment    {claim.intervention}, compared with: {claim.comparator}"
    yield f"  design       control {claim.control.value}, blinding {claim.blinding.value}"
    yield f"  species      {claim.species.value}"
    yield f"  size         {sample_size_text(claim)}"
    yield f"  endpoint     {claim.endpoint} ({claim.endpoint_kind.value}), {claim.predictive.value}"
    for effect in claim.effects:
        yield f"  effect       {effect_text(effect)}"
    rule = base.rules.certainty[claim.certainty.rule].text
    level = words.levels[claim.certainty.level]
    yield f"  certainty    {level}, judged by {claim.certainty.judged_by}: {rule}"
    yield f"  funding      {claim.funding}"
    if article := claim.article:
        place = _join((article.section, article.heading))
        numbers = ", ".join(map(str, article.lines))
        yield f"  article      {place}; line {numbers}; rows {', '.join(article.rows)}"
        yield f"  tier         {base.rules.tiers[article.tier].text}"
    for caveat in claim.caveats:
        yield f"  caveat       {caveat}"
    for conflict in claim.conflicts_with:
        yield f"  conflict     {conflict.id} ({words.conflicts[conflict.kind]}): {conflict.note}"
    if claim.superseded_by:
        yield f"  superseded   by {', '.join(claim.superseded_by)}"
    for citation in cite(base, claim):
        yield f"  source       {citation.citation}"
        yield f"               {base.sources[citation.key].how}"
    yield f"  reviewed     by {claim.reviewed.by} on {claim.reviewed.on.isoformat()}"
    yield f"  file         {base.origins[claim.id]}"


def _join(items: Iterable[str]) -> str:
    return "; ".join(item for item in items if item)
