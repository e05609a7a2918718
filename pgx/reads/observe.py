"""From templates to observations: what a sample's reads say at each site, and beside what its VCF says."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec.structs import replace

from pgx.calling import copies_at, default_population, diplotypes
from pgx.genome import Site, letters, sites_on
from pgx.observe import (
    EvidenceKind,
    Finding,
    GenotypeEvidence,
    Observation,
    Phase,
    PhaseSource,
    ReadSummary,
    SiteState,
)
from pgx.reads import Base, Pile, facts
from pgx.reads.likelihood import Joint, joint_likelihood, site_likelihood
from pgx.reads.open import ReadsContent

_MOST_PHRED = 99.0
_PHASE_SET = "reads"


class ReadEvidence:
    """What the reads of one sample say: observations, and the summary that the report shows."""

    def __init__(self, pile: Pile, sites: Sequence[Site], contig: str, path: str) -> None:
        self.pile = pile
        self.joint = joint_likelihood(pile.templates, pile.tally, default_population())
        shown = [[template.bases[index] for template in pile.templates] for index in range(len(sites))]
        self.depths = [sum(base is not None for base in bases) for bases in shown]
        self.observations = self.with_phase(
            tuple(self._observation(index, site, shown[index], contig) for index, site in enumerate(sites))
        )
        decided = tuple(site.rsid for index, site in enumerate(sites) if self.decides(index))
        self.summary = replace(_summary(pile, self.joint, sites, self.depths, path), decided=decided)

    def decides(self, site: int) -> bool:
        """Return whether the reads make the letters of a site much more likely than any others."""
        quality = self.observations[site].genotype_quality
        return quality is not None and quality >= facts().deciding_quality.value

    @property
    def phase_quality(self) -> float:
        """Return how sure the reads are of the phase of two heterozygous sites, Phred-scaled; 0 where not."""
        return _gap(_double_heterozygotes(self.joint.likelihood))

    def _observation(self, index: int, site: Site, bases: Sequence[Base | None], contig: str) -> Observation:
        base = Observation(
            rsid=site.rsid,
            contig=contig,
            position=site.position,
            ref=site.ref,
            alt=site.alt,
            state=SiteState.NO_READS,
            depth=self.depths[index],
        )
        if not self.depths[index]:
            return replace(base, findings=(Finding(code="no-reads", values={"rsid": site.rsid}),))
        chances = site_likelihood(self.joint.likelihood, copies_at(index))
        quality = _gap(chances)
        copies = chances.index(max(chances))
        counted = letters()[1]
        other = next(letter for letter in site.letters if letter != counted)
        alleles = tuple(sorted([counted] * copies + [other] * (2 - copies), key=site.letters.index))
        known = quality >= facts().letters_quality.value
        counts = [sum(b is not None and b.letter == letter for b in bases) for letter in site.letters]
        return replace(
            base,
            state=SiteState.CALLED,
            alleles=(alleles[0], alleles[1]) if known else None,
            seen=tuple(dict.fromkeys(alleles)) if known else (),
            evidence=GenotypeEvidence(
                kind=EvidenceKind.READS, values=tuple(_phred(value) for value in chances), copies=None
            ),
            allele_depths=tuple(counts),
            genotype_quality=round(quality, 1),
            joint=self.joint.likelihood,
        )

    def with_phase(self, observations: tuple[Observation, ...]) -> tuple[Observation, ...]:
        """Put the letters of two heterozygous sites in the order that the templates hold them together."""
        first, second = observations
        quality = self.phase_quality
        if not (first.is_heterozygous and second.is_heterozygous) or quality < facts().letters_quality.value:
            return observations
        order = letters() if _is_together(self.joint.likelihood) else letters()[::-1]
        phase = Phase(phase_set=_PHASE_SET, source=PhaseSource.READ_BACKED, quality=round(quality, 1))
        return (
            replace(first, alleles=letters(), phase=phase, phase_set=_PHASE_SET),
            replace(second, alleles=order, phase=phase, phase_set=_PHASE_SET),
        )

    def findings(self) -> tuple[Finding, ...]:
        """Return what the reads show of damage and of another person."""
        known, found = facts(), []
        damage, contamination = self.joint.damage, self.joint.contamination
        if damage.low >= max(known.damage_reported.value, 3 * damage.other_mismatches):
            found.append(Finding(code="damage", values={"share": f"{damage.share:.0%}"}))
        if contamination.low >= known.contamination_reported.value:
            found.append(Finding(code="contamination", values={"share": f"{contamination.share:.0%}"}))
        return tuple(found)


def _phred(value: float) -> float:
    return min(_MOST_PHRED, -10 * math.log10(value)) if value > 0 else _MOST_PHRED


def _gap(chances: Sequence[float]) -> float:
    """Return by how much the most likely one is ahead of the next, Phred-scaled, 99 at most."""
    first, second = sorted(chances, reverse=True)[:2]
    return (
        _MOST_PHRED
        if second <= 0
        else min(_MOST_PHRED, 10 * math.log10(first / second))
        if first > 0
        else 0.0
    )


def _double_heterozygotes(joint: Sequence[float]) -> list[float]:
    return [
        value for value, one, two in zip(joint, copies_at(0), copies_at(1), strict=True) if one == two == 1
    ]


def _is_together(joint: Sequence[float]) -> bool:
    """Return whether the likelier double heterozygote has both first letters on one chromosome."""
    pairs = [
        (value, pair)
        for value, pair, one, two in zip(joint, diplotypes(), copies_at(0), copies_at(1), strict=True)
        if one == two == 1
    ]
    _, best = max(pairs, key=lambda item: item[0])
    return any(haplotype.letters == (letters()[0], letters()[0]) for haplotype in best)


def _summary(
    pile: Pile, joint: Joint, sites: Sequence[Site], depths: Sequence[int], path: str
) -> ReadSummary:
    together: dict[str, int] = {}
    by_site: list[dict[str, int]] = [{}, {}]
    for template in pile.templates:
        for index, base in enumerate(template.bases):
            if base is not None:
                by_site[index][base.letter] = by_site[index].get(base.letter, 0) + 1
        first, second = template.bases
        if first is not None and second is not None:
            shown = first.letter + second.letter
            together[shown] = together.get(shown, 0) + 1
    return ReadSummary(
        path=path,
        depth={site.rsid: depth for site, depth in zip(sites, depths, strict=True)},
        letters={
            site.rsid: dict(sorted(counts.items())) for site, counts in zip(sites, by_site, strict=True)
        },
        templates_both=sum(together.values()),
        haplotypes=dict(sorted(together.items())),
        reads=pile.reads,
        dropped=dict(sorted(pile.dropped.items())),
        contamination=(joint.contamination.share, joint.contamination.low, joint.contamination.high),
        damage=(joint.damage.share, joint.damage.low, joint.damage.high),
        mismatches=joint.damage.other_mismatches,
    )


def settle(
    content: ReadsContent, name: str, file: tuple[Observation, ...] | None
) -> tuple[tuple[Observation, ...], tuple[Finding, ...], str, ReadSummary | None]:
    """Return what to call a sample from: its reads, and what a VCF says of it, where there is one.

    Returns
    -------
    Observations, what else to tell, the source of the call, and the summary of the reads.
    """
    pile = content.piles.get(name)
    if pile is None:
        if file is None:
            raise KeyError(name)
        return file, (), "file", None
    evidence = ReadEvidence(pile, sites_on(content.decision.assembly), content.contig, content.path)
    if file is None:
        return evidence.observations, evidence.findings(), "reads", evidence.summary
    evidence.observations = tuple(
        replace(seen, contig=said.contig, position=said.position, ref=said.ref, alt=said.alt)
        for said, seen in zip(file, evidence.observations, strict=True)
    )  # the reads may lie on another assembly than the file
    chosen, decided, contradictions = beside_file(file, evidence)
    source = "file" if chosen == file else "file+reads"
    return chosen, (*contradictions, *evidence.findings()), source, replace(evidence.summary, decided=decided)


def beside_file(
    file: tuple[Observation, ...], reads: ReadEvidence
) -> tuple[tuple[Observation, ...], tuple[str, ...], tuple[Finding, ...]]:
    """Settle with the reads what a VCF of the same sample leaves open.

    Where the reads decide a site they are used, and the file's statement is only compared; elsewhere the
    file's is kept. The likelihoods of both are never multiplied: they are mostly of the same reads.

    Returns
    -------
    The observations to call from, the rsIDs that the reads decided, and the contradictions.
    """
    own = reads.observations
    decided = [reads.decides(index) for index in range(len(own))]
    known_phase = reads.phase_quality >= facts().letters_quality.value
    pairs = list(zip(file, own, decided, strict=True))
    findings = [_disagreement(said, seen) for said, seen, sure in pairs if sure and _differ(said, seen)]
    if _is_phased(file) and _is_phased(own) and not findings and _order(file) != _order(own):
        findings.append(Finding(code="reads-disagree", values=_spelled(file, own)))
    rsids = tuple(seen.rsid for seen, sure in zip(own, decided, strict=True) if sure)
    if all(decided) and (known_phase or not _is_phased(file)):
        return own, rsids, tuple(findings)
    # Part of the answer is the file's: what the reads say of each site is used, not of both together.
    chosen = tuple(replace(seen, joint=None) if sure else said for said, seen, sure in pairs)
    if all(item.is_heterozygous for item in chosen) and (known_phase or not _is_phased(file)):
        chosen = reads.with_phase(chosen)
    elif _is_phased(file):
        chosen = tuple(
            replace(item, alleles=said.alleles, phase=said.phase, phase_set=said.phase_set)
            if not _differ(said, item)
            else item
            for said, item in zip(file, chosen, strict=True)
        )
    return chosen, rsids, tuple(findings)


def _is_phased(seen: Sequence[Observation]) -> bool:
    """Return whether both sites are heterozygous and phased with each other."""
    first, second = seen
    return (
        first.is_heterozygous
        and second.is_heterozygous
        and first.phase is not None
        and second.phase is not None
        and first.phase.phase_set == second.phase.phase_set
    )


def _order(seen: Sequence[Observation]) -> list[tuple[str, str]]:
    """Return the two haplotypes, as pairs of letters."""
    first, second = seen
    return sorted(zip(first.alleles or (), second.alleles or (), strict=True))


def _differ(said: Observation, seen: Observation) -> bool:
    """Return whether both name two letters, and not the same."""
    return bool(said.alleles and seen.alleles) and sorted(said.alleles or ()) != sorted(seen.alleles or ())


def _disagreement(said: Observation, seen: Observation) -> Finding:
    values = {"file": f"{said.rsid} {_text(said)}", "reads": f"{seen.rsid} {_text(seen)}"}
    return Finding(code="reads-disagree", values=values)


def _text(seen: Observation) -> str:
    return ("|" if seen.phase else "/").join(seen.alleles or ())


def _spelled(file: Sequence[Observation], own: Sequence[Observation]) -> dict[str, str]:
    """Return both phased genotypes in words."""
    return {
        name: ", ".join(f"{item.rsid} {_text(item)}" for item in seen)
        for name, seen in (("file", file), ("reads", own))
    }
