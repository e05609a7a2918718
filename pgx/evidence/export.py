"""The evidence as tables and documents for other programs, as text for people, and in summary like GRADE."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from msgspec import Struct, to_builtins
from msgspec.structs import astuple

from pgx.evidence import schema
from pgx.evidence.cite import cite
from pgx.evidence.load import EvidenceBase
from pgx.evidence.match import effect_text, sample_size_text
from pgx.evidence.rules import body_certainty, is_indirect, points
from pgx.evidence.schema import Claim, Group, Level, Topic
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
    return as_table([[*COLUMNS], *(_cells(base, claim) for claim in claims)])


def as_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as TSV; blanks of every kind within a cell become one blank."""
    return "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows)


def as_document(value: object) -> str:
    """Return JSON as it is exported."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _cells(base: EvidenceBase, claim: Claim) -> list[str]:
    citations, article = cite(base, claim), claim.article
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
    files = [{"name": name, "digest": digest} for name, digest in base.digests]
    rows = [{**to_builtins(claim), "file": base.origins[claim.id]} for claim in claims]
    sources = [to_builtins(base.sources[key]) for key in keys]
    return as_document({"files": files, "claims": rows, "sources": sources})


def as_text(base: EvidenceBase, claim: Claim) -> str:
    """Return one claim with everything that is known of it, its conflicts and its sources, for people."""
    words, article, certainty = base.phrases, claim.article, claim.certainty
    who = "" if claim.group is Group.ANY else f", {words.groups[claim.group]}"
    use, rule = base.indications[claim.indication].label, base.rules.certainty[certainty.rule].text
    rows = [
        ("about", f"{claim.drug}; {words.topics[claim.topic]}; {use}{who}"),
        ("direction", f"{words.directions[claim.direction]} (hedge: {claim.hedge.value})"),
        ("population", claim.population),
        ("treatment", f"{claim.intervention}, compared with: {claim.comparator}"),
        ("design", f"control {claim.control.value}, blinding {claim.blinding.value}"),
        ("species", claim.species.value),
        ("size", sample_size_text(claim)),
        ("endpoint", f"{claim.endpoint} ({claim.endpoint_kind.value}), {claim.predictive.value}"),
        *(("effect", effect_text(effect)) for effect in claim.effects),
        ("certainty", f"{words.levels[certainty.level]}, judged by {certainty.judged_by}: {rule}"),
        ("funding", claim.funding),
    ]
    if article:
        place = _join((article.section, article.heading))
        numbers = ", ".join(map(str, article.lines))
        rows.append(("article", f"{place}; line {numbers}; rows {', '.join(article.rows)}"))
        rows.append(("tier", base.rules.tiers[article.tier].text))
    rows += [("caveat", caveat) for caveat in claim.caveats]
    for item in claim.conflicts_with:
        rows.append(("conflict", f"{item.id} ({words.conflicts[item.kind]}): {item.note}"))
    if claim.superseded_by:
        rows.append(("superseded", f"by {', '.join(claim.superseded_by)}"))
    for citation in cite(base, claim):
        rows += [("source", citation.citation), ("", base.sources[citation.key].how)]
    reviewed = f"by {claim.reviewed.by} on {claim.reviewed.on.isoformat()}"
    rows += [("reviewed", reviewed), ("file", base.origins[claim.id])]
    head = f"{claim.id}\n  {claim.statement}\n  {claim.technical}\n\n"
    return head + "".join(f"  {label:<12} {text}\n" for label, text in rows)


def _join(items: Iterable[str]) -> str:
    return "; ".join(item for item in items if item)


def conflict_graph(base: EvidenceBase, claims: Sequence[Claim]) -> dict[str, list[dict[str, Any]]]:
    """Return the claims that are at odds with another, and one edge for each pair of them."""
    chosen = {claim.id for claim in claims}
    edges: dict[tuple[str, str], dict[str, Any]] = {}
    for claim in claims:
        for item in (item for item in claim.conflicts_with if item.id in chosen):
            first, second = sorted((claim.id, item.id))
            kinds = {"kind": item.kind.value, "also": [kind.value for kind in item.also], "note": item.note}
            edges[first, second] = {"source": first, "target": second, **kinds}
    shown = ("id", "statement", "drug", "topic", "indication", "direction")
    nodes = [
        {name: to_builtins(getattr(claim, name)) for name in shown}
        | {"certainty": claim.certainty.level.value, "data_sets": list(base.data_sets(claim))}
        for claim in claims
        if claim.id in itertools.chain(*edges)
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


def as_statements(base: EvidenceBase, claims: Sequence[Claim]) -> dict[str, Any]:
    """Return the claims by genotype as statements on one proposition for each drug, use and topic.

    A claim whose result was not seen, or that points to no side, is "neutral" and has no strength.
    """
    profile = (
        "Statements in the manner of GA4GH VA-Spec and SEPIO, as a profile of pgx's own; unofficial, not "
        "validated against any release of those specifications."
    )
    chosen = [claim for claim in claims if claim.topic in base.rules.genotype_topics]
    chosen = [claim for claim in chosen if base.drugs[claim.drug].role == "subject"]
    return {"profile": profile, "statements": [_statement(base, claim) for claim in chosen]}


def _statement(base: EvidenceBase, claim: Claim) -> dict[str, Any]:
    predicate, supporting = _PROPOSITIONS[claim.topic]
    rule, level = base.rules.directions.get(claim.direction), claim.certainty.level
    carriers = claim.group is not Group.NON_CARRIER
    side = (rule.side if carriers else rule.mirror) if rule and points(base.rules, claim) else ""
    is_neutral = not side or level is Level.NOT_GRADABLE
    direction = "neutral" if is_neutral else "supports" if side == supporting else "disputes"
    compared = [item.value for item in claim.compared_with]
    documents = [(item.citation, item.url, item.seen) for item in cite(base, claim)]
    items = [{"type": "Document", "title": it[0], "url": it[1], "seen": it[2]} for it in documents]
    line = {"type": "EvidenceLine", "dataSets": list(base.data_sets(claim)), "hasEvidenceItems": items}
    return {
        "id": f"pgx:{claim.id}",
        "type": "Statement",
        "proposition": {
            "type": "VariantTherapeuticProposition",
            "subjectVariant": _e4_haplotype(),
            "predicate": predicate,
            "subjectGroup": claim.group.value if carriers else "carrier",
            "comparisonGroups": compared if carriers else [claim.group.value],
            "objectTherapeutic": {"type": "Drug", "name": claim.drug},
            "conditionQualifier": {"name": base.indications[claim.indication].label},
        },
        "direction": direction,
        "strength": None if is_neutral or level is Level.NOT_RATED else level.value,
        "indirect": is_indirect(base.rules, claim),
        "description": claim.statement,
        "hasEvidenceLines": [line],
        "caveats": list(claim.caveats),
    }


def _e4_haplotype() -> dict[str, Any]:
    """Return ε4 as a haplotype of two VRS alleles: its letter at each site, 0-based between residues."""
    letters = next(item.letters for item in haplotypes() if item.name == counted_haplotype())
    members = []
    for site, letter in zip(definitions(), letters, strict=True):
        sequence = {"type": "SequenceReference", "id": site.hgvs_g.partition(":")[0]}
        ends = {"start": site.positions["GRCh38"] - 1, "end": site.positions["GRCh38"]}
        location = {"type": "SequenceLocation", "sequenceReference": sequence, **ends}
        state = {"type": "LiteralSequenceExpression", "sequence": letter}
        members.append({"type": "Allele", "id": site.vrs[letter], "location": location, "state": state})
    return {"type": "Haplotype", "name": f"APOE {counted_haplotype()}", "members": members}


_TOPICS = (Topic.RESPONSE, Topic.RISK, Topic.EFFICACY, Topic.SAFETY)


class Finding(Struct, frozen=True, kw_only=True):
    """One row of the summary for a drug, use and question, in the manner of GRADE; its cells are text."""

    drug: str
    indication: str
    question: str
    studies: int  # independent data sets: versions of one review, or papers on the same people, are one
    people: str
    risk_of_bias: str
    inconsistency: str
    indirectness: str
    imprecision: str
    funding: str
    certainty: str  # a `Level`, the lowest of the body
    reasons: str
    clinpgx: str  # what it says of the drug and APOE; empty where the question is not the genotype
    cpic: str
    claims: tuple[str, ...]


def findings(base: EvidenceBase, claims: Sequence[Claim]) -> tuple[Finding, ...]:
    """Return a row for each drug, use and question that the claims speak of, in the order of the base."""
    groups: dict[tuple[str, str, Topic], list[Claim]] = {}
    for claim in claims:
        if claim.topic in _TOPICS and not claim.superseded_by:
            groups.setdefault((claim.drug, claim.indication, claim.topic), []).append(claim)
    uses, drugs = list(base.indications), list(base.drugs)
    ordered = sorted(groups, key=lambda key: (drugs.index(key[0]), uses.index(key[1]), _TOPICS.index(key[2])))
    return tuple(_finding(base, key, groups[key]) for key in ordered)


def _finding(base: EvidenceBase, key: tuple[str, str, Topic], body: Sequence[Claim]) -> Finding:
    drug, use, topic = key
    words = base.phrases.summary
    searched = any(drug in rule.drugs for rule in base.rules.notes if rule.key == "guideline")
    curated = words["not_curated" if searched else "not_searched"]
    known = curated if topic in base.rules.genotype_topics else ""
    level = body_certainty(body)
    kinds = {claim.id: {base.sources[source].kind for source in claim.sources} for claim in body}
    studies = [claim for claim in body if kinds[claim.id] != {schema.SourceKind.LABEL}]
    numeric = tuple("-0123456789")  # how an interval begins that is stated
    exact = [claim for claim in body if any(item.interval.startswith(numeric) for item in claim.effects)]
    indirect = sum(is_indirect(base.rules, claim) for claim in body)
    reasons = dict.fromkeys(base.rules.certainty[claim.certainty.rule].text for claim in body)
    lowered = Counter(reason for claim in body for reason in claim.certainty.lowered)
    less = [words["lowered"].format(reason=item.value, count=count) for item, count in lowered.items()]
    ids = {claim.id for claim in body}
    known_conflicts = [(claim.id, item) for claim in body for item in claim.conflicts_with if item.id in ids]
    pairs = {(frozenset((own, item.id)), item.kind) for own, item in known_conflicts}
    at_odds = Counter(kind for _, kind in pairs)
    odds = [f"{base.phrases.conflicts[it]}: {at_odds[it]}" for it in schema.ConflictKind if at_odds[it]]
    return Finding(
        drug=drug,
        indication=base.indications[use].label,
        question=base.phrases.topics[topic],
        studies=len({name for claim in studies for name in base.data_sets(claim)}),
        people="; ".join(dict.fromkeys(map(sample_size_text, body))),
        risk_of_bias=words["bias"].format(
            total=len(body),
            controlled=sum(claim.control in base.rules.conclusion.controls for claim in body),
            blinded=sum(claim.blinding is schema.Blinding.DOUBLE_BLIND for claim in body),
            unseen=sum(not base.is_seen(claim) for claim in body),
        ),
        inconsistency="; ".join(odds) or words["consistent"],
        indirectness=words["indirect"].format(count=indirect) if indirect else words["direct"],
        imprecision=words["precise"].format(count=len(exact), total=len(body)),
        funding="; ".join(dict.fromkeys(claim.funding for claim in body)),
        certainty=level.value if level else "",
        reasons=" ".join([*reasons, *less]),
        clinpgx=known,
        cpic=known,
        claims=tuple(claim.id for claim in body),
    )


def as_rows(rows: Sequence[Finding]) -> list[list[str]]:
    """Return the summary as text, its heading first; lists are joined with `; `."""
    cells = map(astuple, rows)
    text = [["; ".join(cell) if isinstance(cell, tuple) else str(cell) for cell in row] for row in cells]
    return [list(Finding.__struct_fields__), *text]
