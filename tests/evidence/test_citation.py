"""Only verified or inferred sources are printed; the rest is the article and its marker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
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
        citation="Eng, web article, undated; its reference 52, which could not be found",
        doi=None,
        pmid=None,
        certainty_of_identity="through-article",
        seen="only-through-article",
        short="Eng, web article, undated; its reference 52, which could not be found",
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


def test_markers_that_were_not_found_share_their_words(base: EvidenceBase) -> None:
    first, second, known, *rest = cited(base, "stroke-may-help")
    assert first.short == (
        "Eng, web article, undated; its references 14, 15, 17, 18 and 19, which could not be found"
    )
    assert first.citation == "Eng, web article, undated; its reference 14, which could not be found"
    assert (known.key, known.short) == ("cars2016", "CARS 2016, abstract only, inferred")
    assert [item.short for item in (second, *rest)] == [""] * 4


def test_a_claim_without_a_marker(load_evidence: LoadEvidence) -> None:
    place = {"section": "x", "lines": [1], "rows": ["C001"], "markers": [], "tier": "clinical"}
    base = load_evidence(claim(sources=["unseen"], article=place))
    (citation,) = cited(base, "test-claim")
    assert (citation.citation, citation.marker) == ("Eng, web article, undated, without a reference", None)


@pytest.mark.parametrize(
    ("changes", "url", "short"),
    [
        ({"doi": "10.1/x", "pmid": "7"}, "https://doi.org/10.1/x", "Title of s, abstract only"),
        (
            {"pmid": "7", "authors": "Doe JP, Roe R", "year": 2020},
            "https://pubmed.ncbi.nlm.nih.gov/7/",
            "Doe 2020, abstract only",
        ),
        (
            {"registry": ["NCT00868283"]},
            "https://clinicaltrials.gov/study/NCT00868283",
            "Title of s, abstract only",
        ),
        (
            {"registry": ["ISRCTN87656744"]},
            "https://www.isrctn.com/ISRCTN87656744",
            "Title of s, abstract only",
        ),
        ({"short": "CARS"}, None, "CARS, abstract only"),
        ({"doi": "10.1/x", "identity": "candidate"}, None, "source not identified"),
    ],
)
def test_a_source_is_linked_and_named_in_a_few_words(
    load_evidence: LoadEvidence, changes: dict[str, Any], url: str | None, short: str
) -> None:
    base = load_evidence(claim(sources=["s"]), sources=(*SOURCES, source("s", **changes)))
    (citation,) = cited(base, "test-claim")
    assert (citation.url, citation.short) == (url, short)


def test_authors_who_were_not_seen(base: EvidenceBase) -> None:
    (citation,) = cited(base, "rivastigmine-response-and-e4")
    assert citation.citation.startswith("Authors not seen (2006). ")


def test_no_candidate_is_ever_printed(base: EvidenceBase) -> None:
    known = {item.title for item in base.sources.values() if item.identity.value in {"verified", "inferred"}}
    hidden = [
        item
        for item in base.sources.values()
        if item.identity.value in {"candidate", "not-found"} and item.title not in known
    ]
    assert any(item.title for item in hidden)
    lines = [citation for item in base.claims.values() for citation in cite(base, item)]
    for citation in lines:
        assert "\n" not in citation.citation
        for item in hidden:
            assert not item.title or item.title not in citation.citation
        if citation.certainty_of_identity == "through-article":
            assert citation.citation.startswith("Eng, web article, undated")
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
