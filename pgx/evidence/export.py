"""The evidence as tables and documents for other programs, and as text for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from msgspec import to_builtins

from pgx import reference
from pgx.errors import ReferenceDataError
from pgx.evidence.cite import cite
from pgx.evidence.load import EvidenceBase
from pgx.evidence.match import effect_text, sample_size_text
from pgx.evidence.rules import is_indirect, points
from pgx.evidence.schema import Claim, Group, Level
from pgx.genome import counted_haplotype, definitions, haplotypes

COLUMNS = (
    "id", "gene", "group", "drug", "topic", "indication", "population", "direction", "statement", "technical",
    "effect", "sample_size", "endpoint", "endpoint_kind", "comparator", "control", "blinding", "species",
    "predictive", "hedge", "certainty", "certainty_rule", "certainty_judged_by", "article_section",
    "article_lines", "article_rows", "markers", "tier", "sources", "seen", "funding", "caveats",
    "conflicts_with", "superseded_by", "reviewed_by", "reviewed_on", "file",
)  # fmt: skip


def as_tsv(base: EvidenceBase, claims: Sequence[Claim]) -> str:
    """Return a table, a claim a line; lists are joined with `; `."""
    return as_table([list(COLUMNS), *(_cells(base, claim) for claim in claims)])


def as_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as TSV; blanks of every kind within a cell become one blank."""
    return "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows)


def as_document(value: object) -> str:
    """Return JSON as it is exported."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


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
    return as_document(document)


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


def conflict_graph(base: EvidenceBase, claims: Sequence[Claim]) -> dict[str, list[dict[str, Any]]]:
    """Return the claims that are at odds with another, and one edge for each pair of them."""
    chosen = {claim.id for claim in claims}
    edges: dict[tuple[str, str], dict[str, Any]] = {}
    for claim in claims:
        for item in claim.conflicts_with:
            first, second = sorted((claim.id, item.id))
            if item.id in chosen:
                also = [kind.value for kind in item.also]
                kinds = {"kind": item.kind.value, "also": also, "note": item.note}
                edges[first, second] = {"source": first, "target": second, **kinds}
    named = {name for pair in edges for name in pair}
    shown = ("id", "statement", "drug", "topic", "indication", "direction")
    nodes = [
        {name: to_builtins(getattr(claim, name)) for name in shown}
        | {"certainty": claim.certainty.level.value, "data_sets": list(base.data_sets(claim))}
        for claim in claims
        if claim.id in named
    ]
    return {"nodes": nodes, "edges": [edges[pair] for pair in sorted(edges)]}


def as_graphml(graph: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return a conflict graph as GraphML, undirected; lists are joined with `; `."""
    root = Element("graphml", xmlns="http://graphml.graphdrawing.org/xmlns")
    names = {"node": ("nodes", ("id",)), "edge": ("edges", ("source", "target"))}
    for kind, (key, ends) in names.items():
        for field in dict.fromkeys(name for item in graph[key] for name in item if name not in ends):
            named = {"id": f"{kind}-{field}", "for": kind, "attr.name": field, "attr.type": "string"}
            SubElement(root, "key", named)
    body = SubElement(root, "graph", edgedefault="undirected")
    for kind, (key, ends) in names.items():
        for item in graph[key]:
            made = SubElement(body, kind, {name: str(item[name]) for name in ends})
            for field, value in item.items():
                if field not in ends:
                    text = "; ".join(value) if isinstance(value, list) else str(value)
                    SubElement(made, "data", key=f"{kind}-{field}").text = text
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


#: A proposition on what carriers do against non-carriers, and the side of a claim that supports it.
_PROPOSITIONS = {
    "response-by-genotype": ("respond-less-than", "for-lower-response"),
    "risk-by-genotype": ("have-a-higher-risk-than", "for-higher-risk"),
}
_PROFILE = (
    "Statements in the manner of GA4GH VA-Spec and SEPIO, as a profile of pgx's own; unofficial, not "
    "validated against any release of those specifications."
)


def as_statements(base: EvidenceBase, claims: Sequence[Claim]) -> dict[str, Any]:
    """Return the claims by genotype as statements on one proposition for each drug, use and topic.

    A claim whose result was not seen, or that points to no side, is "neutral" and has no strength.
    """
    chosen = [
        claim
        for claim in claims
        if claim.topic in base.rules.genotype_topics and base.drugs[claim.drug].role == "subject"
    ]
    return {"profile": _PROFILE, "statements": [_statement(base, claim) for claim in chosen]}


def _statement(base: EvidenceBase, claim: Claim) -> dict[str, Any]:
    predicate, supporting = _PROPOSITIONS[claim.topic]
    rule = base.rules.directions.get(claim.direction)
    carriers = claim.group is not Group.NON_CARRIER
    side = (rule.side if carriers else rule.mirror) if rule and points(base.rules, claim) else ""
    graded = claim.certainty.level not in {Level.NOT_GRADABLE, Level.NOT_RATED}
    is_label = claim.certainty.level is Level.NOT_RATED
    direction = (
        "neutral"
        if not side or not (graded or is_label)
        else "supports"
        if side == supporting
        else "disputes"
    )
    return {
        "id": f"pgx:{claim.id}",
        "type": "Statement",
        "proposition": {
            "type": "VariantTherapeuticProposition",
            "subjectVariant": _e4_haplotype(),
            "predicate": predicate,
            "subjectGroup": claim.group.value if carriers else "carrier",
            "comparisonGroups": [item.value for item in claim.compared_with]
            if carriers
            else [claim.group.value],
            "objectTherapeutic": {"type": "Drug", "name": claim.drug},
            "conditionQualifier": {"name": base.indications[claim.indication].label},
        },
        "direction": direction,
        "strength": claim.certainty.level.value if graded and direction != "neutral" else None,
        "indirect": is_indirect(base.rules, claim),
        "description": claim.statement,
        "hasEvidenceLines": [
            {
                "type": "EvidenceLine",
                "dataSets": list(base.data_sets(claim)),
                "hasEvidenceItems": [
                    {"type": "Document", "title": item.citation, "url": item.url, "seen": item.seen}
                    for item in cite(base, claim)
                ],
            }
        ],
        "caveats": list(claim.caveats),
    }


def _e4_haplotype() -> dict[str, Any]:
    """Return ε4 as a haplotype of two VRS alleles: its letter at each site, 0-based between residues."""
    letters = next(item.letters for item in haplotypes() if item.name == counted_haplotype())
    return {
        "type": "Haplotype",
        "name": f"APOE {counted_haplotype()}",
        "members": [
            {
                "type": "Allele",
                "id": site.vrs[letter],
                "location": {
                    "type": "SequenceLocation",
                    "sequenceReference": {"type": "SequenceReference", "id": site.hgvs_g.partition(":")[0]},
                    "start": site.positions["GRCh38"] - 1,
                    "end": site.positions["GRCh38"],
                },
                "state": {"type": "LiteralSequenceExpression", "sequence": letter},
            }
            for site, letter in zip(definitions(), letters, strict=True)
        ],
    }


_KINDS = (("claims", "id"), ("sources", "key"))
#: Of no meaning for what is said.
_IGNORED = frozenset({"file"})

Items = dict[str, dict[str, Mapping[str, Any]]]


def read_release(path: Path) -> Items:
    """Read the claims and sources of a release: a document of `pgx evidence export -f json`, or a folder.

    A folder may be a `reference/` of any release; nothing but TOML is asked of its files, so that an old one
    is read though its schema was another.

    Raises
    ------
    ReferenceDataError
        It cannot be read, or holds no claims.
    """
    items: Items = {kind: {} for kind, _ in _KINDS}
    for tables in _tables(path):
        defaults = tables.get("defaults", {})
        for kind, name in _KINDS:
            rows = tables.get(kind)
            for raw in rows if isinstance(rows, list) else ():  # another file may have a table of that name
                whole = {**defaults, **raw} if kind == "claims" else raw
                items[kind][str(whole.get(name))] = json.loads(json.dumps(whole, default=str))
    if not items["claims"]:
        raise ReferenceDataError(
            "holds no claims", where=str(path), cure="Name a reference folder or an export in JSON"
        )
    return items


def _tables(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_dir():
        for file in sorted(path.rglob("*.toml")):
            yield reference.parse(file, reference.read_bytes(file))
        return
    try:
        document = json.loads(reference.read_bytes(path))
    except ValueError as error:
        raise ReferenceDataError(
            f"is not JSON: {error}", where=str(path), cure="Name a folder or an export in JSON"
        ) from error
    if not isinstance(document, dict):
        raise ReferenceDataError("is no export", where=str(path), cure="Name a folder or an export in JSON")
    yield document


def differences(old: Items, new: Items) -> Iterator[str]:
    """Yield one line for each claim or source that came or went, and one for each field that changed."""
    for kind, _ in _KINDS:
        before, after = old[kind], new[kind]
        label = kind.removesuffix("s")
        yield from (f"- {label} {name}" for name in before if name not in after)
        yield from (f"+ {label} {name}" for name in after if name not in before)
        for name in before:
            if name in after:
                yield from (f"~ {label} {name}: {line}" for line in _changes(before[name], after[name]))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys((*before, *after)):
        if key in _IGNORED or before.get(key) == after.get(key):
            continue
        if key == "conflicts_with":
            yield from _conflicts(before.get(key) or [], after.get(key) or [])
        else:
            yield f"{key}: {_short(before.get(key))} -> {_short(after.get(key))}"


def _conflicts(before: list[Any], after: list[Any]) -> Iterator[str]:
    one = {item["id"]: item.get("kind") for item in before}
    two = {item["id"]: item.get("kind") for item in after}
    for name in dict.fromkeys((*one, *two)):
        if one.get(name) != two.get(name):
            yield f"conflicts_with {name}: {_short(one.get(name))} -> {_short(two.get(name))}"


def _short(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
