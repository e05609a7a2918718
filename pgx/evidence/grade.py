"""A summary of findings for each drug, use and question, in the manner of GRADE, from the claims themselves.

Every cell follows from fields of the claims; the level is the lowest of the body. No level of a guideline is
borrowed: where a knowledge base has nothing, "not curated" stands there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from pgx.evidence.load import EvidenceBase
from pgx.evidence.match import sample_size_text
from pgx.evidence.rules import body_certainty, is_indirect
from pgx.evidence.schema import Blinding, Claim, ConflictKind, ResultSeen, Seen, SourceKind, Topic

TOPICS = (Topic.RESPONSE, Topic.RISK, Topic.EFFICACY, Topic.SAFETY)


class Finding(Struct, frozen=True, kw_only=True):
    """One row of the table; every field but `claims` and `studies` is text for people.

    Attributes
    ----------
    studies
        Independent data sets: versions of one review, or two papers on the same people, are one; a label
        is none.
    certainty
        A `Level`, the lowest of the body.
    clinpgx, cpic
        What those knowledge bases say of the drug and APOE; empty where the question is not the genotype.
    """

    drug: str
    indication: str
    question: str
    studies: int
    people: str
    risk_of_bias: str
    inconsistency: str
    indirectness: str
    imprecision: str
    funding: str
    certainty: str
    reasons: str
    clinpgx: str
    cpic: str
    claims: tuple[str, ...]


COLUMNS = Finding.__struct_fields__


def findings(base: EvidenceBase, claims: Sequence[Claim]) -> tuple[Finding, ...]:
    """Return a row for each drug, use and question that the claims speak of, in the order of the base."""
    groups: dict[tuple[str, str, Topic], list[Claim]] = {}
    for claim in claims:
        if claim.topic in TOPICS and not claim.superseded_by:
            groups.setdefault((claim.drug, claim.indication, claim.topic), []).append(claim)
    uses, drugs = list(base.indications), list(base.drugs)
    ordered = sorted(groups, key=lambda key: (drugs.index(key[0]), uses.index(key[1]), TOPICS.index(key[2])))
    return tuple(_finding(base, key, groups[key]) for key in ordered)


def _finding(base: EvidenceBase, key: tuple[str, str, Topic], body: Sequence[Claim]) -> Finding:
    drug, use, topic = key
    words = base.phrases.summary
    genotype = topic in base.rules.genotype_topics
    level = body_certainty(body)
    known = words["not_curated" if drug in _searched(base) else "not_searched"]
    return Finding(
        drug=drug,
        indication=base.indications[use].label,
        question=base.phrases.topics[topic],
        studies=len({name for claim in body if not _is_label(base, claim) for name in base.data_sets(claim)}),
        people="; ".join(dict.fromkeys(sample_size_text(claim) for claim in body)),
        risk_of_bias=_bias(base, body),
        inconsistency=_inconsistency(base, body),
        indirectness=_indirectness(base, body),
        imprecision=_imprecision(base, body),
        funding="; ".join(dict.fromkeys(claim.funding for claim in body)),
        certainty=level.value if level else "",
        reasons=_reasons(base, body),
        clinpgx=known if genotype else "",
        cpic=known if genotype else "",
        claims=tuple(claim.id for claim in body),
    )


def _is_label(base: EvidenceBase, claim: Claim) -> bool:
    return all(base.sources[key].kind is SourceKind.LABEL for key in claim.sources)


def _searched(base: EvidenceBase) -> frozenset[str]:
    """Return the drugs that a note says the knowledge bases have nothing on."""
    return frozenset(drug for rule in base.rules.notes if rule.key == "guideline" for drug in rule.drugs)


def _bias(base: EvidenceBase, body: Sequence[Claim]) -> str:
    words = base.phrases.summary
    controlled = sum(claim.control in base.rules.conclusion.controls for claim in body)
    blinded = sum(claim.blinding is Blinding.DOUBLE_BLIND for claim in body)
    unseen = sum(not _is_seen(base, claim) for claim in body)
    return words["bias"].format(total=len(body), controlled=controlled, blinded=blinded, unseen=unseen)


def _is_seen(base: EvidenceBase, claim: Claim) -> bool:
    sources = [base.sources[key] for key in claim.sources]
    found = any(source.seen is not Seen.ONLY_THROUGH_ARTICLE for source in sources)
    return found and claim.result_seen is ResultSeen.SOURCE


def _inconsistency(base: EvidenceBase, body: Sequence[Claim]) -> str:
    ids = {claim.id for claim in body}
    pairs = {
        (frozenset((claim.id, item.id)), item.kind)
        for claim in body
        for item in claim.conflicts_with
        if item.id in ids
    }
    kinds = Counter(kind for _, kind in pairs)
    if not kinds:
        return base.phrases.summary["consistent"]
    return "; ".join(f"{base.phrases.conflicts[kind]}: {kinds[kind]}" for kind in ConflictKind if kinds[kind])


def _indirectness(base: EvidenceBase, body: Sequence[Claim]) -> str:
    words = base.phrases.summary
    other = sum(is_indirect(base.rules, claim) for claim in body)
    return words["indirect"].format(count=other) if other else words["direct"]


def _imprecision(base: EvidenceBase, body: Sequence[Claim]) -> str:
    exact = sum(
        any(effect.interval[:1].isdigit() or effect.interval[:1] == "-" for effect in claim.effects)
        for claim in body
    )
    return base.phrases.summary["precise"].format(count=exact, total=len(body))


def _reasons(base: EvidenceBase, body: Sequence[Claim]) -> str:
    words = base.phrases.summary
    rules = dict.fromkeys(base.rules.certainty[claim.certainty.rule].text for claim in body)
    lowered = Counter(reason for claim in body for reason in claim.certainty.lowered)
    said: Iterable[str] = (
        words["lowered"].format(reason=reason.value, count=n) for reason, n in lowered.items()
    )
    return " ".join((*rules, *said))


def as_rows(rows: Sequence[Finding]) -> list[list[str]]:
    """Return the table as text, its heading first; lists are joined with `; `."""
    table = [list(COLUMNS)]
    for row in rows:
        cells = (getattr(row, column) for column in COLUMNS)
        table.append(["; ".join(cell) if isinstance(cell, tuple) else str(cell) for cell in cells])
    return table
