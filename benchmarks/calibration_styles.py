"""How callers write what they saw: the same simulated reads as records of different styles, read by pgx.

A style turns the reads at a site into the fields of a VCF record; `pgx.observe` reads that record and
`pgx.calling` calls from it, so that the road is that of a file. Genotypes are those with the greatest
likelihood of the reads, as a caller without a prior writes them, unless the style says otherwise.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from asked import Reply
from simulate import Conditions, phred

from pgx.calling import (
    CallOptions,
    E4Status,
    copies_at,
    diplotype_names,
    diplotype_prior,
    double_heterozygotes,
    genotype_prior,
)
from pgx.calling.call import call
from pgx.calling.posterior import e4_copies
from pgx.genome import Site, find_assembly, haplotypes, sites_on
from pgx.observe import Observation, ReadContext, SiteRecord
from pgx.observe.site import observe, records_at
from pgx.reference import threshold

Floats = npt.NDArray[np.float64]
ERROR = 0.01
_CONTIG = "chr19"
_SITES = sites_on(find_assembly("GRCh38"))
_CONTEXT = ReadContext(contig=_CONTIG)
#: Defaults of VarScan: reads with the variant, its share, and the share from which it is homozygous.
_VARSCAN = (2, 0.2, 0.75)
_VARSCAN_ERROR = 0.001
_BIASED_PL, _MOST_GQ = 3, 99


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Reads at a site, and those with the ALT; `dose` by copies of the ALT for an imputation."""

    reads: int
    alternate: int
    place: int
    population: str

    @property
    def likelihoods(self) -> tuple[int, int, int]:
        """Return PL by copies of the ALT."""
        return phred(self.reads, self.alternate, ERROR) or (0, 0, 0)

    @property
    def copies(self) -> int:
        """Return the copies of the ALT with the greatest likelihood."""
        return self.likelihoods.index(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The fields of a record: FORMAT and sample column, QUAL and INFO."""

    form: str
    sample: str
    quality: float | None = None
    info: dict[str, str] = field(default_factory=dict)


def _text(copies: int) -> str:
    return ("0/0", "0/1", "1/1")[copies]


def _pl(seen: Seen, scale: int = 1) -> Written:
    values = ",".join(str(min(scale * value, 9999)) for value in seen.likelihoods)
    return Written(form="GT:PL", sample=f"{_text(seen.copies)}:{values}")


def _ad(seen: Seen) -> Written:
    counts = f"{seen.reads - seen.alternate},{seen.alternate}:{seen.reads}"
    return Written(form="GT:AD:DP", sample=f"{_text(seen.copies)}:{counts}")


def _ro_ao(seen: Seen) -> Written:
    counts = f"{seen.reads}:{seen.reads - seen.alternate}:{seen.alternate}"
    return Written(form="GT:DP:RO:AO", sample=f"{_text(seen.copies)}:{counts}")


def _dp(seen: Seen) -> Written:
    return Written(form="GT:DP", sample=f"{_text(seen.copies)}:{seen.reads}")


def _gt(seen: Seen) -> Written:
    return Written(form="GT", sample=_text(seen.copies))


def _qual(seen: Seen) -> Written:
    """State QUAL, the probability of no ALT among the three genotypes, and the depth in INFO."""
    chances = [10 ** (-value / 10) for value in seen.likelihoods]
    quality = -10 * math.log10(chances[0] / sum(chances))
    return Written(form="GT", sample=_text(seen.copies), quality=quality, info={"DP": str(seen.reads)})


def _varscan(seen: Seen) -> Written:
    """Call by the rules of VarScan, with GQ from a test of the reads against errors or one half."""
    least, share, homozygous = _VARSCAN
    other, reference = seen.alternate, seen.reads - seen.alternate
    frequency = other / seen.reads
    copies = 0 if other < least or frequency < share else (2 if frequency >= homozygous else 1)
    expected = round(seen.reads * _VARSCAN_ERROR) if copies else seen.reads // 2
    quality = min(_fisher(seen.reads, other, expected), 255)
    sample = f"{_text(copies)}:{quality}:{seen.reads}:{seen.reads}:{reference}:{other}:{100 * frequency:.2f}%"
    return Written(form="GT:GQ:SDP:DP:RD:AD:FREQ", sample=sample)


def _fisher(reads: int, other: int, expected: int) -> int:
    """Return the Phred-scaled one-sided chance of so many other reads where `expected` of as many are."""
    both = other + expected
    range_ = (
        range(other, min(reads, both) + 1) if other > expected else range(max(both - reads, 0), other + 1)
    )
    tail = sum(math.comb(reads, k) * math.comb(reads, both - k) for k in range_) / math.comb(2 * reads, both)
    return round(-10 * math.log10(max(tail, 1e-26)))


def _ds(seen: Seen) -> Written:
    """State a dosage from the reads and the frequencies of the population, as an imputation does."""
    prior = genotype_prior(seen.population, seen.place)
    if _SITES[seen.place].alt != "C":
        prior = prior[::-1]
    weights = [p * 10 ** (-value / 10) for p, value in zip(prior, seen.likelihoods, strict=True)]
    dose = (weights[1] + 2 * weights[2]) / sum(weights)
    return Written(form="GT:DS", sample=f"{_text(round(dose))}:{dose:.3f}")


STYLES: dict[str, Callable[[Seen], Written]] = {
    "PL": _pl,
    "GT:AD:DP": _ad,
    "GT:DP": _dp,
    "RO/AO": _ro_ao,
    "VarScan": _varscan,
    "QUAL, DP in INFO": _qual,
    "GT only": _gt,
    "DS only": _ds,
    "over-confident PL (three times)": lambda seen: _pl(seen, _BIASED_PL),
}
#: Styles for which at most 1 % of the determined answers may be wrong, with and without contamination.
WITH_BAR = ("PL", "GT:AD:DP", "GT:DP", "RO/AO", "VarScan", "QUAL, DP in INFO")


def observed(style: str, reads: int, with_c: int, place: int, population: str) -> Observation:
    """Return what pgx reads from the record of a site (0 or 1) in a style."""
    return _observed(style, reads, with_c, place, population if style == "DS only" else "")


@functools.lru_cache(maxsize=100_000)
def _observed(style: str, reads: int, with_c: int, place: int, population: str) -> Observation:
    site = _SITES[place]
    alternate = with_c if site.alt == "C" else reads - with_c
    seen = Seen(reads=reads, alternate=alternate, place=place, population=population)
    written = STYLES[style](seen) if reads else Written(form="GT", sample="./.")
    return observe([records_at([_record(site, written)], site, {_CONTIG})], 0, _CONTEXT)[0]


def _record(site: Site, written: Written) -> SiteRecord:
    return SiteRecord(
        contig=_CONTIG,
        position=site.position,
        end=site.position,
        identifiers=(),
        reference=site.ref or "",
        alternates=(site.alt or "",),
        quality=written.quality,
        filters=(),
        info=written.info,
        format=tuple(written.form.split(":")),
        samples=(written.sample,),
        fixed=f"{_CONTIG}\t{site.position}\t.\t{site.ref}\t{site.alt}\t.\t.\t.\t{written.form}",
    )


def reply(style: str, row: list[int], population: str, min_probability: float) -> Reply:
    """Return the reply for one person, a row of `simulate.draw_reads`."""
    pair = (
        observed(style, row[0], row[1], 0, population),
        observed(style, row[2], row[3], 1, population),
    )
    return reply_of(pair, population, min_probability)


def reply_of(pair: tuple[Observation, ...], population: str, min_probability: float) -> Reply:
    """Return the reply for two observations."""
    options = CallOptions(
        population=population,
        min_probability=min_probability,
        allele_error_rate=threshold("allele_error_rate"),
    )
    said = call(pair, options)
    copies = list(said.e4_copies_posterior.values())
    most = copies.index(max(copies))
    return Reply(
        diplotype=said.diplotype,
        status=None if said.e4_status is E4Status.INDETERMINATE else said.e4_status.value,
        best=said.best_diplotype,
        probability=said.diplotype_probability,
        best_copies=most,
        copies_probability=copies[most],
        warned=any(finding.code == "prior-dependent" for finding in said.findings)
        or any(note.code == "no-genotype-quality" for item in pair for note in item.findings),
    )


#: Reads at a site, in standard deviations of Poisson above the mean, and rows that are too rare to count.
_FAR, _RARE = 6, 1e-8
_FITTING = {
    E4Status.NON_CARRIER.value: {0},
    E4Status.HETEROZYGOUS.value: {1},
    E4Status.HOMOZYGOUS.value: {2},
    E4Status.CARRIER.value: {1, 2},
}


def expected_errors(
    style: str, population: str, how: Conditions, min_probability: float
) -> dict[str, tuple[float, float]]:
    """Return what is determined and what of it is wrong, by kind, as shares of the people of a population.

    Nothing is drawn: all diplotypes, contaminating diplotypes and numbers of reads are added up, but for
    rows of reads rarer than 1e-8. `how` without dropout and bias.
    """
    people, sites = _chances(population, how)
    found = {kind: [0.0, 0.0] for kind in ("diplotype", "status")}
    for (first, one), (second, other) in itertools.product(sites[0].items(), sites[1].items()):
        rows = people * np.einsum("tf,tf,f->t", one, other, people)
        if rows.sum() < _RARE:
            continue
        said = reply(style, [*first, *second], population, min_probability)
        for kind, answer, truths in (
            ("diplotype", said.diplotype, diplotype_names()),
            ("status", said.status, e4_copies()),
        ):
            if answer is not None:
                fitting = _FITTING.get(answer, {answer})
                right = np.array([truth in fitting for truth in truths])
                found[kind][0] += float(rows.sum())
                found[kind][1] += float(rows[~right].sum())
    return {kind: (determined, wrong) for kind, (determined, wrong) in found.items()}


def _chances(population: str, how: Conditions) -> tuple[Floats, list[dict[tuple[int, int], Floats]]]:
    """Return the frequency of each diplotype, and at each site the chance of reads and reads with C.

    A chance has the shape (10, 10): by the person's diplotype, then by that of the contaminating person.
    """
    most = math.ceil(how.depth + _FAR * how.depth**0.5)
    sites = []
    for place in range(2):
        copies = np.array(copies_at(place)) / 2
        share = (1 - how.contamination) * copies[:, None] + how.contamination * copies[None, :]
        share = share * (1 - how.error) + (1 - share) * how.error
        sites.append(
            {
                (reads, with_c): math.exp(-how.depth) * how.depth**reads / math.factorial(reads)
                * math.comb(reads, with_c) * share**with_c * (1 - share) ** (reads - with_c)
                for reads in range(most + 1)
                for with_c in range(reads + 1)
            }
        )  # fmt: skip
    return np.array(diplotype_prior(population)), sites


#: Shares of double heterozygotes whose stated phase is switched.
SWITCHES = (0.001, 0.01, 0.05)


def phase_errors(population: str, min_probability: float) -> list[tuple[str, float, float, float, float]]:
    """Return what read-backed phase with switches does to people who are heterozygous at both sites.

    Nothing is drawn: there are two diplotypes, and each is stated in phase or switched.

    Returns
    -------
    list of (population, share of switches, share determined, share of these wrong, share with a warning)
    """
    names = double_heterozygotes()
    prior = dict(zip(diplotype_names(), diplotype_prior(population), strict=True))
    total = sum(prior[name] for name in names)
    said = {name: reply_of(_phased(name), population, min_probability) for name in names}
    found = []
    for switches in SWITCHES:
        determined = wrong = warned = 0.0
        for truth in names:
            other = next(name for name in names if name != truth)
            for stated, chance in ((truth, 1 - switches), (other, switches)):
                share = prior[truth] / total * chance
                warned += share * said[stated].warned
                if said[stated].diplotype is not None:
                    determined += share
                    wrong += share * (said[stated].diplotype != truth)
        found.append((population, switches, determined, wrong / determined if determined else 0.0, warned))
    return found


def _phased(diplotype: str) -> tuple[Observation, ...]:
    """Return both sites of a double heterozygote in one phase set, with PL of thirty reads."""
    letters = [item.letters for name in diplotype.split("/") for item in haplotypes() if item.name == name]
    observations = []
    for place, site in enumerate(_SITES):
        genotype = "|".join("0" if pair[place] == site.ref else "1" for pair in letters)
        written = Written(form="GT:PL:PS", sample=f"{genotype}:300,0,300:1")
        record = _record(site, written)
        observations.append(observe([records_at([record], site, {_CONTIG})], 0, _CONTEXT)[0])
    return tuple(observations)
