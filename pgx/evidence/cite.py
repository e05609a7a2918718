"""How a source is named in a report: only what is verified or inferred is printed as a reference.

Everything else is cited as the article and its marker, because that is all that is known.
"""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from pgx.evidence.load import EvidenceBase
from pgx.evidence.schema import Claim, Document, Identity, SourceKind

PRINTABLE = frozenset({Identity.VERIFIED, Identity.INFERRED})
#: Where a reader finds a source, by the kind of its identifier.
ADDRESSES = {
    "doi": "https://doi.org/{}",
    "PMID": "https://pubmed.ncbi.nlm.nih.gov/{}/",
    "NCT": "https://clinicaltrials.gov/study/{}",
    "ISRCTN": "https://www.isrctn.com/{}",
    "EudraCT": "https://www.clinicaltrialsregister.eu/ctr-search/search?query={}",
}


class SourceCitation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source of a claim, ready to print.

    `marker`: the marker numbers of the article that stand for it, as `52` or `3, 20`; None outside the
    article. `certainty_of_identity`: "verified", "inferred" or "through-article". `seen`: "full-text",
    "abstract", "excerpt", "record" or "only-through-article". `short`: a few words that tell at the claim
    what the source is. `url`: where a reader finds it (DOI, PubMed or a trial registry), or None.
    """

    key: str
    marker: str | None
    citation: str
    doi: str | None
    pmid: str | None
    certainty_of_identity: str
    seen: str
    short: str = ""
    url: str | None = None


def cite(base: EvidenceBase, claim: Claim) -> tuple[SourceCitation, ...]:
    """Return the sources of a claim in its own order; those not seen share the `short` words of the first."""
    documents, cited = base.documents(claim), []
    for document in documents:
        citation = _cite(base, claim, document)
        if document.identity not in PRINTABLE:
            alike = [item for item in documents if item.identity is document.identity]
            markers = tuple(marker for item in alike for marker in _markers(claim, item))
            shared = _through_article(base, claim, document, markers) if document is alike[0] else ""
            citation = replace(citation, short=shared)
        cited.append(citation)
    return tuple(cited)


def _cite(base: EvidenceBase, claim: Claim, source: Document) -> SourceCitation:
    markers = _markers(claim, source)
    printed = source.identity in PRINTABLE
    line = short = "" if printed else _through_article(base, claim, source, markers)
    if printed:  # authors, year, title, journal, identifiers, what was seen, how sure
        authors = source.authors or base.phrases.citation["no_authors"]
        parts = [f"{authors} ({source.year})" if source.year else authors, source.title, source.journal]
        parts += [f"doi:{source.doi}"] if source.doi else []
        parts += [f"PMID {source.pmid}"] if source.pmid else []
        line = ". ".join(part.rstrip(".") for part in (*parts, *source.registry) if part)
        remarks = "; ".join(_remarks(base, source, "inferred"))
        line = f"{line} ({remarks})" if remarks else line
        first_author = re.sub(r"( et al\.?| [A-Z]{1,3})+$", "", source.authors.partition(",")[0])
        name = source.short or " ".join(filter(None, (first_author, str(source.year or "")))) or source.title
        short = ", ".join(filter(None, (name, *_remarks(base, source, "inferred_short"))))
    return SourceCitation(
        key=source.key,
        marker=", ".join(map(str, markers)) or None,
        citation=line,
        doi=(source.doi or None) if printed else None,
        pmid=(source.pmid or None) if printed else None,
        certainty_of_identity=source.identity.value if printed else "through-article",
        seen=source.seen.value,
        short=short,
        url=link(source) if printed else None,
    )


def link(source: Document) -> str | None:
    """Return the address of a source: its DOI, its PubMed page, or its registry entry."""
    if source.doi:
        return ADDRESSES["doi"].format(source.doi)
    if source.pmid:
        return ADDRESSES["PMID"].format(source.pmid)
    for entry in source.registry:
        name, _, number = entry.partition(" ")
        kind = next((kind for kind in ("NCT", "ISRCTN") if name.startswith(kind)), "EudraCT")
        return ADDRESSES[kind].format(number if kind == "EudraCT" else name)
    return None


def _remarks(base: EvidenceBase, source: Document, inferred: str) -> list[str]:
    """Return what was seen of a source, and the words `inferred` where its identity is."""
    how = base.phrases.citation[inferred] if source.identity is Identity.INFERRED else ""
    return [remark for remark in (base.phrases.seen[source.seen], how) if remark]


def _markers(claim: Claim, source: Document) -> tuple[int, ...]:
    if claim.article is None:
        return ()
    if source.kind is SourceKind.ARTICLE:
        return claim.article.markers
    return tuple(marker for marker in claim.article.markers if marker in source.markers)


def _through_article(base: EvidenceBase, claim: Claim, source: Document, markers: tuple[int, ...]) -> str:
    words = base.phrases.citation
    if claim.article is None:
        return words["unidentified"]
    if not markers:
        return words["no_marker"]
    found = "not_found" if source.identity is Identity.NOT_FOUND else "not_confirmed"
    *first, last = map(str, markers)
    listed = words["and"].format(first=", ".join(first), last=last) if first else last
    return words["markers" if first else "marker"].format(markers=listed, found=words[found])
