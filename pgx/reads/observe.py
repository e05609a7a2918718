"""From templates to observations: how likely they are under each diplotype, and what a VCF says beside them.

The likelihood of a diplotype, genotype and phase at once, is the product over templates of the mean over its
two haplotypes, with errors of bases and of mapping, ends of two molecules joined, C damaged to T, and reads
of another person. The last two are integrated over; damage is estimated from the bases away from the sites.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, combinations_with_replacement
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from pgx import observe
from pgx.calling import copies_at, default_population, diplotype_prior, diplotypes
from pgx.genome import Haplotype, Site, haplotypes, letters, sites_on
from pgx.observe import Finding, Observation, ReadSummary, SiteState, site_finding
from pgx.reads import Base, Pile, Tally, Template, change_kind, facts
from pgx.reads.open import ReadsContent

_MOST_PHRED = 99.0
_PHASE_SET = "reads"
#: Where the distribution of a rate is looked at, in standard deviations, and the weights (Gauss-Hermite).
_NODES = ((-1.7320508, 1 / 6), (0.0, 2 / 3), (1.7320508, 1 / 6))
_ENOUGH = 0.004  # a rate that is known as well as this (standard deviation) is not integrated over
_QUANTILES = (-1.645, 1.645)  # of the 90 % interval, in standard deviations


class Share(NamedTuple):
    """A share of C read as T, or of the reads of another person: expected, with its 90 % interval."""

    share: float
    low: float
    high: float


class Joint(Struct, frozen=True, kw_only=True):
    """Likelihoods in the order of `diplotypes`, the highest 1; damage of the worst kind, other mismatches."""

    likelihood: tuple[float, ...]
    damage: Share
    mismatches: float
    contamination: Share


def joint_likelihood(templates: Sequence[Template], tally: Tally, population: str) -> Joint:
    """Return the likelihood of the ten diplotypes; `population`: of another person in the reads."""
    rates = [_Rate(damaged, exposed) for damaged, exposed in zip(tally.damaged, tally.exposed, strict=True)]
    error = (tally.wrong + 0.5) / (tally.compared + 1000)
    prior = diplotype_prior(population)
    grouped = Counter((template.bases, template.mapping_quality) for template in templates)
    known = facts().contamination
    terms: list[tuple[float, float, list[float]]] = []  # share, weight, log likelihoods
    sure = all(rate.deviation < _ENOUGH for rate in rates)
    for node, weight in ((0.0, 1.0),) if sure else _NODES:
        damage = [rate.at(node) for rate in rates]
        own = [(number, _of_diplotypes(*seen, damage, error)) for seen, number in grouped.items()]
        for share, chance in zip(known.shares, known.weights, strict=True):
            terms.append((share, weight * chance, _with_share(own, share, prior)))
    top = max(max(logs) for _, _, logs in terms)
    sums = [0.0] * len(prior)
    by_share = dict.fromkeys(known.shares, 0.0)
    for share, weight, logs in terms:
        values = [weight * math.exp(value - top) for value in logs]
        sums = [before + value for before, value in zip(sums, values, strict=True)]
        by_share[share] += sum(value * p for value, p in zip(values, prior, strict=True))
    most, (low, high), total = max(sums), _QUANTILES, sum(by_share.values())
    runs = list(zip(by_share, accumulate(weight / total for weight in by_share.values()), strict=True))
    contamination = Share(
        sum(share * weight for share, weight in by_share.items()) / total,
        next((share for share, run in runs if run >= 0.05), 0.0),
        next((share for share, run in runs if run >= 0.95), max(by_share)),
    )
    worst = max(rates, key=lambda rate: rate.at(low))
    return Joint(
        likelihood=tuple(value / most for value in sums),
        damage=Share(worst.mean, worst.at(low), max(rate.at(high) for rate in rates)),
        mismatches=tally.wrong / tally.compared if tally.compared else 0.0,
        contamination=contamination,
    )


def site_likelihood(joint: Sequence[float], copies: Sequence[int]) -> tuple[float, ...]:
    """Return the likelihood of 0, 1 and 2 copies at a site: the mean over diplotypes, scaled."""
    sums, numbers = [0.0, 0.0, 0.0], Counter(copies)
    for value, count in zip(joint, copies, strict=True):
        sums[count] += value
    means = [total / numbers[count] for count, total in enumerate(sums)]
    return tuple(mean / max(means) for mean in means)


class _Rate:
    """A share of damaged bases, and how well it is known: a beta distribution, taken as lognormal."""

    def __init__(self, damaged: int, exposed: int) -> None:
        weight, prior = facts().damage_prior_weight.value, facts().damage_prior.value
        alpha = damaged + weight * prior
        beta = exposed - damaged + weight * (1 - prior)
        self.mean = alpha / (alpha + beta)
        self.deviation = math.sqrt(alpha * beta / (alpha + beta + 1)) / (alpha + beta)

    def at(self, node: float) -> float:
        wide = math.sqrt(math.log1p((self.deviation / self.mean) ** 2))
        return min(self.mean * math.exp(node * wide - wide * wide / 2), 0.95)


def _of_base(base: Base | None, site: int, damage: Sequence[float], error: float) -> list[float]:
    if base is None:
        return [1.0] * len(haplotypes())
    thymine, cytosine = letters()
    wrong = max(10 ** (-base.quality / 10), error)
    rate = damage[change_kind(guanine=base.reverse, second=base.second)]
    as_t = wrong + (1 - wrong) * rate  # a C that is read as T
    is_t = base.letter == thymine
    chance = {thymine: 1 - wrong if is_t else wrong, cytosine: as_t if is_t else 1 - as_t}
    return [chance[haplotype.letters[site]] for haplotype in haplotypes()]


def _of_diplotypes(
    bases: tuple[Base | None, Base | None], mapping: int, damage: Sequence[float], error: float
) -> list[float]:
    first, second = (_of_base(base, site, damage, error) for site, base in enumerate(bases))
    whole = [one * other for one, other in zip(first, second, strict=True)]
    lost = 10 ** (-mapping / 10)  # the template lies elsewhere, and then shows any letters
    anything = 0.5 ** sum(base is not None for base in bases)
    chimera = facts().chimera_rate.value
    found = []
    for one, other in combinations_with_replacement(range(len(whole)), 2):
        straight = (whole[one] + whole[other]) / 2
        crossed = (first[one] + first[other]) * (second[one] + second[other]) / 4
        found.append((1 - lost) * ((1 - chimera) * straight + chimera * crossed) + lost * anything)
    return found


def _with_share(own: Sequence[tuple[int, list[float]]], share: float, prior: Sequence[float]) -> list[float]:
    """Return the log likelihood of each diplotype where `share` of the reads are one other person's."""
    places = range(len(prior))
    if share == 0:
        return [math.fsum(number * math.log(values[index]) for number, values in own) for index in places]
    rest, log = 1 - share, math.log
    totals: list[float] = []
    for index in places:
        logs = [
            sum([number * log(rest * values[index] + share * values[other]) for number, values in own])
            for other in places
        ]
        top = max(logs)
        totals.append(top + log(sum(p * math.exp(value - top) for p, value in zip(prior, logs, strict=True))))
    return totals


class ReadEvidence:
    """What the reads of one sample say: observations, and the summary that the report shows."""

    def __init__(self, pile: Pile, sites: Sequence[Site], contig: str, path: str) -> None:
        self.joint = joint_likelihood(pile.templates, pile.tally, default_population())
        pairs = [template.bases for template in pile.templates]
        shown = [[base.letter for pair in pairs if (base := pair[index])] for index in range(len(sites))]
        seen = (self._observation(index, site, shown[index], contig) for index, site in enumerate(sites))
        self.observations = self.with_phase(tuple(seen))
        together = [one.letter + two.letter for one, two in pairs if one and two]
        self.summary = ReadSummary(
            path=path,
            depth={site.rsid: len(found) for site, found in zip(sites, shown, strict=True)},
            letters={site.rsid: _counted(found) for site, found in zip(sites, shown, strict=True)},
            templates_both=len(together),
            haplotypes=_counted(together),
            reads=pile.reads,
            dropped=dict(sorted(pile.dropped.items())),
            contamination=self.joint.contamination,
            damage=self.joint.damage,
            mismatches=self.joint.mismatches,
            decided=tuple(site.rsid for index, site in enumerate(sites) if self.decides(index)),
        )

    def decides(self, site: int) -> bool:
        """Return whether the reads make the letters of a site much more likely than any others."""
        quality = self.observations[site].genotype_quality
        return quality is not None and quality >= facts().deciding_quality.value

    @property
    def phase_quality(self) -> float:
        """Return how sure the reads are of the phase of two heterozygous sites, Phred-scaled; 0 where not."""
        return _gap([value for value, _ in self._double_heterozygotes()])

    def _double_heterozygotes(self) -> list[tuple[float, tuple[Haplotype, Haplotype]]]:
        rows = zip(self.joint.likelihood, diplotypes(), copies_at(0), copies_at(1), strict=True)
        return [(value, pair) for value, pair, one, two in rows if one == two == 1]

    def _observation(self, index: int, site: Site, shown: Sequence[str], contig: str) -> Observation:
        rsid, place, ref, alt, none = site.rsid, site.position, site.ref, site.alt, SiteState.NO_READS
        base = Observation(rsid=rsid, contig=contig, position=place, ref=ref, alt=alt, state=none)
        if not shown:
            return replace(base, depth=0, findings=(site_finding("no-reads", site),))
        chances = site_likelihood(self.joint.likelihood, copies_at(index))
        quality = _gap(chances)
        copies = chances.index(max(chances))
        counted = letters()[1]
        other = next(letter for letter in site.letters if letter != counted)
        first, second = sorted([counted] * copies + [other] * (2 - copies), key=site.letters.index)
        known = quality >= facts().letters_quality.value
        values = tuple(min(_MOST_PHRED, -10 * math.log10(p)) if p > 0 else _MOST_PHRED for p in chances)
        return replace(
            base,
            state=SiteState.CALLED,
            depth=len(shown),
            alleles=(first, second) if known else None,
            seen=tuple(dict.fromkeys((first, second))) if known else (),
            evidence=observe.GenotypeEvidence(kind=observe.EvidenceKind.READS, values=values),
            allele_depths=tuple(shown.count(letter) for letter in site.letters),
            genotype_quality=round(quality, 1),
            joint=self.joint.likelihood,
        )

    def with_phase(self, observations: tuple[Observation, ...]) -> tuple[Observation, ...]:
        """Put the letters of two heterozygous sites in the order that the templates hold them together."""
        first, second = observations
        quality = self.phase_quality
        if not (first.is_heterozygous and second.is_heterozygous) or quality < facts().letters_quality.value:
            return observations
        _, best = max(self._double_heterozygotes(), key=lambda item: item[0])
        together = any(haplotype.letters == (letters()[0], letters()[0]) for haplotype in best)
        source = observe.PhaseSource.READ_BACKED
        phase = observe.Phase(phase_set=_PHASE_SET, source=source, quality=round(quality, 1))
        pairs = (first, letters()), (second, letters() if together else letters()[::-1])
        return tuple(replace(seen, alleles=pair, phase=phase, phase_set=_PHASE_SET) for seen, pair in pairs)

    def findings(self) -> tuple[Finding, ...]:
        """Return what the reads show of damage and of another person."""
        known, joint = facts(), self.joint
        damage = "damage", joint.damage, max(known.damage_reported.value, 3 * joint.mismatches)
        others = "contamination", joint.contamination, known.contamination_reported.value
        found = [(code, item) for code, item, least in (damage, others) if item.low >= least]
        return tuple(Finding(code=code, values={"share": f"{item.share:.0%}"}) for code, item in found)


def _counted(shown: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(shown).items()))


def _gap(chances: Sequence[float]) -> float:
    """Return by how much the most likely one is ahead of the next, Phred-scaled, 99 at most."""
    first, second = sorted(chances, reverse=True)[:2]
    return _MOST_PHRED if second <= 0 else min(_MOST_PHRED, 10 * math.log10(first / second))


def settle(
    content: ReadsContent, name: str, file: tuple[Observation, ...] | None
) -> tuple[tuple[Observation, ...], tuple[Finding, ...], str, ReadSummary | None]:
    """Return observations to call from, findings, source and summary, of reads and of a VCF beside them."""
    if name not in content.piles and file is not None:
        return file, (), "file", None
    pile = content.piles[name]
    evidence = ReadEvidence(pile, sites_on(content.decision.assembly), content.contig, content.path)
    if file is None:
        return evidence.observations, evidence.findings(), "reads", evidence.summary
    evidence.observations = tuple(  # the reads may lie on another assembly than the file
        replace(seen, contig=said.contig, position=said.position, ref=said.ref, alt=said.alt)
        for said, seen in zip(file, evidence.observations, strict=True)
    )
    chosen, decided, contradictions = _beside_file(file, evidence)
    source = "file" if chosen == file else "file+reads"
    return chosen, (*contradictions, *evidence.findings()), source, replace(evidence.summary, decided=decided)


def _beside_file(
    file: tuple[Observation, ...], reads: ReadEvidence
) -> tuple[tuple[Observation, ...], tuple[str, ...], tuple[Finding, ...]]:
    """Return the observations to call from, the rsIDs that the reads decided, and the contradictions."""
    # The likelihoods of both are never multiplied: they are mostly of the same reads.
    own = reads.observations
    decided = list(map(reads.decides, range(len(own))))
    known_phase = reads.phase_quality >= facts().letters_quality.value
    pairs = list(zip(file, own, decided, strict=True))
    findings = [_disagree([said], [seen]) for said, seen, sure in pairs if sure and _differ(said, seen)]
    if _is_phased(file) and _is_phased(own) and not findings:
        pair = [sorted(zip(*(one.alleles or () for one in seen), strict=True)) for seen in (file, own)]
        if pair[0] != pair[1]:  # of haplotypes
            findings.append(_disagree(file, own))
    rsids = tuple(seen.rsid for _, seen, sure in pairs if sure)
    if all(decided) and (known_phase or not _is_phased(file)):
        return own, rsids, tuple(findings)
    # Part of the answer is the file's: what the reads say of each site is used, not of both together.
    chosen = tuple(replace(seen, joint=None) if sure else said for said, seen, sure in pairs)
    if all(item.is_heterozygous for item in chosen) and (known_phase or not _is_phased(file)):
        chosen = reads.with_phase(chosen)
    elif _is_phased(file):
        chosen = tuple(
            item
            if _differ(said, item)
            else replace(item, alleles=said.alleles, phase=said.phase, phase_set=said.phase_set)
            for said, item in zip(file, chosen, strict=True)
        )
    return chosen, rsids, tuple(findings)


def _is_phased(seen: Sequence[Observation]) -> bool:
    phases = {item.phase.phase_set if item.phase else None for item in seen}
    return all(item.is_heterozygous for item in seen) and len(phases) == 1 and None not in phases


def _differ(said: Observation, seen: Observation) -> bool:
    return bool(said.alleles and seen.alleles) and sorted(said.alleles or ()) != sorted(seen.alleles or ())


def _disagree(file: Sequence[Observation], own: Sequence[Observation]) -> Finding:
    values = {
        name: ", ".join(f"{one.rsid} {('|' if one.phase else '/').join(one.alleles or ())}" for one in seen)
        for name, seen in (("file", file), ("reads", own))
    }
    return Finding(code="reads-disagree", values=values)
