"""Only verified or inferred sources are printed; the rest is the article and its marker."""

from __future__ import annotations

from collections.abc import Callable

from evidence_builder import SOURCES, claim, source

from pgx.evidence import EvidenceBase
from pgx.evidence.cite import SourceCitation, cite

LoadEvidence = Callable[..., EvidenceBase]


def cited(base: EvidenceBase, claim_id: str) -> tuple[SourceCitation, ...]:
    return cite(base, base.claims[claim_id])


def test_a_source_that_was_not_found_is_the_articles_marker(base: EvidenceBase) -> None:
    (citation,) = cited(base, "apoe-ad-noncarriers-three-times")
    assert citation == SourceCitation(
        key="ref52",
        marker="52",
        citation="article, marker [52]",
        doi=None,
        pmid=None,
        certainty_of_identity="through-article",
        seen="only-through-article",
    )


def test_a_verified_abstract_says_so(base: EvidenceBase) -> None:
    (citation,) = cited(base, "apoe-ad-bdnf-rises-more-in-carriers")
    assert citation.certainty_of_identity == "verified"
    assert (citation.marker, citation.doi, citation.pmid) == ("53", "10.1093/ijnp/pyw024", "27207906")
    assert citation.citation.startswith(
        "Alvarez XA, Alvarez I, Iglesias O, et al. (2016). Synergistic Increase"
    )
    assert citation.citation.endswith("doi:10.1093/ijnp/pyw024. PMID 27207906 (abstract only)")


def test_an_inferred_source_says_so(base: EvidenceBase) -> None:
    (citation,) = cited(base, "stroke-trial-208-people")
    assert citation.certainty_of_identity == "inferred"
    assert "identity inferred" in citation.citation


def test_a_claim_without_a_marker(base: EvidenceBase) -> None:
    (citation,) = cited(base, "tbi-trial-32-people-memory")
    assert (citation.citation, citation.marker) == ("article, no marker", None)


def test_authors_who_were_not_seen(base: EvidenceBase) -> None:
    (citation,) = cited(base, "rivastigmine-response-and-e4")
    assert citation.citation.startswith("Authors not seen (2006). ")


def test_no_candidate_is_ever_printed(base: EvidenceBase) -> None:
    hidden = [item for item in base.sources.values() if item.identity.value in {"candidate", "not-found"}]
    assert any(item.title for item in hidden)
    lines = [citation for item in base.claims.values() for citation in cite(base, item)]
    for citation in lines:
        assert "\n" not in citation.citation
        for item in hidden:
            assert not item.title or item.title not in citation.citation
        if citation.certainty_of_identity == "through-article":
            assert citation.citation.startswith("article, ")
            assert (citation.doi, citation.pmid) == (None, None)


def test_nothing_is_called_full_text_but_the_article(base: EvidenceBase) -> None:
    assert [item.key for item in base.sources.values() if item.seen.value == "full-text"] == ["article"]


def test_an_own_source_that_is_not_identified_is_not_put_down_to_the_article(
    load_evidence: LoadEvidence,
) -> None:
    base = load_evidence(claim(sources=["unseen", "trial_a"]))
    assert [item.citation for item in cited(base, "test-claim")] == [
        "source not identified",
        "Authors not seen. Title of trial_a (abstract only)",
    ]


def test_full_text_needs_no_remark(load_evidence: LoadEvidence) -> None:
    full = source("trial_f", seen="full-text", authors="Doe J", year=2020)
    base = load_evidence(claim(sources=["trial_f"]), sources=(*SOURCES, full))
    assert cited(base, "test-claim")[0].citation == "Doe J (2020). Title of trial_f"
