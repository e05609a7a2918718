"""Everything that was loaded, and what can be asked of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from msgspec import Struct

from pgx.errors import UsageError, printable
from pgx.evidence.model import Claim, Drug, Indication, NamedGroup, Population, Source
from pgx.evidence.rules import Rules, Wording


class EvidenceBase(Struct, frozen=True, kw_only=True):
    """Everything that was loaded, in the order of the files.

    Attributes
    ----------
    claims, sources, drugs, indications, populations
        By id, key, name or code.
    names
        What somebody may take or have, with the claims that this brings to the front.
    retired
        Ids of claims that are gone; none of them may come back as another claim.
    origins
        The file that each claim came from, by claim id.
    digests
        (file name, `sha256:` and digest) of every file, for the report.
    """

    claims: Mapping[str, Claim]
    sources: Mapping[str, Source]
    drugs: Mapping[str, Drug]
    indications: Mapping[str, Indication]
    populations: Mapping[str, Population]
    names: tuple[NamedGroup, ...]
    retired: frozenset[str]
    origins: Mapping[str, str]
    digests: tuple[tuple[str, str], ...]
    rules: Rules
    wording: Wording

    @property
    def digest(self) -> str:
        """Return one digest over all files."""
        return sha256("".join(f"{name}\0{value}\0" for name, value in self.digests).encode())

    def subjects(self) -> tuple[Drug, ...]:
        """Return the drugs that a response by genotype is given for."""
        return tuple(drug for drug in self.drugs.values() if drug.role == "subject")

    def genotype_claims(self, drug: str) -> tuple[Claim, ...]:
        """Return the claims on response or risk by genotype for one drug, never those on another product."""
        topics = self.rules.genotype_topics
        return tuple(claim for claim in self.claims.values() if claim.drug == drug and claim.topic in topics)

    def indication(self, name: str) -> str:
        """Return the code of an indication from its code or one of its names, in any case of letters.

        Raises
        ------
        UsageError
            The name is not in the table; the line lists the codes.
        """
        wanted = normalise(name)
        for code, entry in self.indications.items():
            if wanted in {normalise(item) for item in (code, entry.label, *entry.names)}:
                return code
        known = ", ".join(sorted(self.indications))
        raise UsageError(
            f"the indication {printable(name, 60)!r} is not known",
            where="--indication",
            cure=f"Use one of: {known}",
        )


def dangling(base: EvidenceBase) -> Iterable[tuple[Claim, str]]:
    """Yield (claim, what is wrong) for every name in a claim that no file defines."""
    known: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("drug", base.drugs),
        ("indication", base.indications),
        ("population_code", base.populations),
    )
    for claim in base.claims.values():
        for key, table in known:
            if (name := getattr(claim, key)) not in table:
                yield claim, f"{key}: {name!r} is not defined"
        yield from (
            (claim, f"sources: {key!r} is not defined") for key in claim.sources if key not in base.sources
        )
        linked = [("conflicts_with", item.id) for item in claim.conflicts_with]
        linked += [("superseded_by", item) for item in claim.superseded_by]
        yield from (
            (claim, f"{key}: {item!r} is not defined") for key, item in linked if item not in base.claims
        )
        if claim.certainty.rule not in base.rules.certainty:
            yield claim, f"certainty.rule: {claim.certainty.rule!r} is not defined"
        if claim.article and claim.article.tier not in base.rules.tiers:
            yield claim, f"article.tier: {claim.article.tier!r} is not defined"


def normalise(name: str) -> str:
    """Return a name as it is compared: case folded, one plain apostrophe, blanks for hyphens."""
    return " ".join(name.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("-", " ").split())


def sha256(content: bytes) -> str:
    """Return `sha256:` and the digest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
