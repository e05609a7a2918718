"""How a source is named in a report: only what is verified or inferred is printed as a reference.

Everything else is cited as the article and its marker, because that is all that is known.
"""

from __future__ import annotations

from msgspec import Struct

from pgx.evidence.load import EvidenceBase
from pgx.evidence.schema import Claim, Document, Identity, SourceKind

PRINTABLE = frozenset({Identity.VERIFIED, Identity.INFERRED})
THROUGH_ARTICLE = "through-article"


class SourceCitation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source of a claim, ready to print.

    Attributes
    ----------
    marker
        The marker numbers of the article that stand for it, as `52` or `3, 20`; None outside the article.
    citation
        One line.
    certainty_of_identity
        "verified", "inferred" or "through-article".
    seen
        What was seen of it: "full-text", "abstract", "excerpt", "record" or "only-through-article".
    """

    key: str
    marker: str | None
    citation: str
    doi: str | None
    pmid: str | None
    certainty_of_identity: str
    seen: str


def cite(base: EvidenceBase, claim: Claim) -> tuple[SourceCitation, ...]:
    """Return the sources of a claim in its own order."""
    return tuple(_cite(base, claim, base.sources[key]) for key in claim.sources)


def _cite(base: EvidenceBase, claim: Claim, source: Document) -> SourceCitation:
    markers = _markers(claim, source)
    printed = source.identity in PRINTABLE
    return SourceCitation(
        key=source.key,
        marker=", ".join(map(str, markers)) or None,
        citation=reference_line(base, source) if printed else _through_article(base, claim, markers),
        doi=(source.doi or None) if printed else None,
        pmid=(source.pmid or None) if printed else None,
        certainty_of_identity=source.identity.value if printed else THROUGH_ARTICLE,
        seen=source.seen.value,
    )


def _markers(claim: Claim, source: Document) -> tuple[int, ...]:
    if claim.article is None:
        return ()
    if source.kind is SourceKind.ARTICLE:
        return claim.article.markers
    return tuple(marker for marker in claim.article.markers if marker in source.markers)


def _through_article(base: EvidenceBase, claim: Claim, markers: tuple[int, ...]) -> str:
    if claim.article is None:
        return base.phrases.citation["unidentified"]
    key = "marker" if markers else "no_marker"
    return base.phrases.citation[key].format(markers=", ".join(map(str, markers)))


def reference_line(base: EvidenceBase, source: Document) -> str:
    """Return a reference on one line: authors, year, title, journal, identifiers, what was seen, how sure."""
    authors = source.authors or base.phrases.citation["no_authors"]
    head = f"{authors} ({source.year})" if source.year else authors
    parts = [head, source.title, source.journal]
    if source.doi:
        parts.append(f"doi:{source.doi}")
    if source.pmid:
        parts.append(f"PMID {source.pmid}")
    line = ". ".join(part.rstrip(".") for part in parts if part)
    remarks = [base.phrases.seen[source.seen]]
    if source.identity is Identity.INFERRED:
        remarks.append(base.phrases.citation["inferred"])
    return f"{line} ({'; '.join(remark for remark in remarks if remark)})" if any(remarks) else line
