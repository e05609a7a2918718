"""Several sources of one person: what each says, if they can be of one person, and what they say together.

Each source is called alone, as `pgx annotate` does. Together they count as independent measurements, which a
VCF and the reads that it was made from are not: these belong into one source, with --reads.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pgx.calling import E4_COPIES, E4Status, diplotype_names, diplotype_prior
from pgx.calling.posterior import by_copies
from pgx.errors import SampleError, UsageError, printable
from pgx.options import Options
from pgx.reference import threshold
from pgx.render.sureness import rests_on_assumption
from pgx.report import SCHEMA_VERSION, Run, SampleReport, relative_likelihoods
from pgx.single import annotate
from pgx.wording import greek, percent, wording

_LEAST = 1e-300
_WIDTH = 80


class Said(Struct, frozen=True, kw_only=True):
    """What one source says; `assumed`: on a genotype without a stated quality, or the like.

    `likelihood` is of the ten diplotypes, in the order of `pgx.calling.diplotype_names`, the highest being 1.
    """

    source: str
    sample: str
    kind: str
    assembly: str
    letters: dict[str, str]
    diplotype: str | None
    diplotype_probability: float
    e4_status: str
    flags: tuple[str, ...]
    assumed: bool
    likelihood: tuple[float, ...]


class Pair(Struct, frozen=True, kw_only=True):
    """Two sources (their 0-based numbers).

    What both show is `same_ratio` times as likely of one person as of two people drawn from the population;
    `same_probability` is that they are of one person, if that was as likely as not before.
    """

    first: int
    second: int
    same_ratio: float
    same_probability: float

    @property
    def is_apart(self) -> bool:
        """Return whether the sources are of different people."""
        return self.same_probability < threshold("same_person_probability")


class Joint(Struct, frozen=True, kw_only=True):
    """What all sources say together, if they are of one person."""

    diplotype: str | None
    diplotype_probability: float
    diplotype_posterior: dict[str, float]
    e4_status: str


class Verified(Struct, frozen=True, kw_only=True):
    """All of it; `joint` is None where two sources contradict each other."""

    schema_version: str
    population: str
    min_probability: float
    sources: tuple[Said, ...]
    pairs: tuple[Pair, ...]
    joint: Joint | None


def verify(sources: Sequence[str], options: Options) -> Verified:
    """Call each source (file, URL, or a genotype as "e3/e4" or "T/C,C/C") alone, then compare and join them.

    `options.samples` names the person in files that hold several. Errors are those of `pgx.single.annotate`.
    """
    if len(sources) < 2:
        raise UsageError("needs two sources or more", where="pgx verify", cure="Give the other one, too")
    said = tuple(_said(source, options) for source in sources)
    prior = diplotype_prior(options.population)
    pairs = tuple(
        _pair(first, second, said, prior) for first, second in itertools.combinations(range(len(said)), 2)
    )
    sure = options.min_probability
    contradict = any(pair.is_apart for pair in pairs)
    return Verified(
        schema_version=SCHEMA_VERSION,
        population=options.population,
        min_probability=sure,
        sources=said,
        pairs=pairs,
        joint=None if contradict else _joint(said, prior, sure),
    )


def _said(source: str, options: Options) -> Said:
    run, report = _report(source, options)
    genotype = report.genotype
    return Said(
        source=source if run.input.kind != "stated" else printable(source, 60),
        sample=report.sample,
        kind=run.input.kind,
        assembly=run.input.assembly,
        letters={
            site.rsid: ("|" if site.phased else "/").join(site.alleles)
            if site.alleles and site.basis is not None
            else str(site.state)
            for site in report.sites
        },
        diplotype=genotype.diplotype,
        diplotype_probability=genotype.diplotype_probability,
        e4_status=genotype.e4_status,
        flags=tuple(flag.code for flag in report.flags),
        assumed=rests_on_assumption(report),
        likelihood=relative_likelihoods(report),
    )


def _report(source: str, options: Options) -> tuple[Run, SampleReport]:
    """Return the report of the one person of a source; of a file with several, the one that is named."""
    if not Path(source).exists() and "://" not in source:
        try:
            made = annotate(None, replace(options, genotype=source, samples=()))
            return made.run, next(iter(made.samples))
        except UsageError:
            pass  # no genotype: then it is a file that is not there
    try:
        made = annotate(source, options)
    except SampleError:
        made = annotate(source, replace(options, samples=()))  # its one sample may have another name
    reports = list(itertools.islice(made.samples, 2))
    if len(reports) != 1:
        raise UsageError("holds several people", where=source, cure="Name the one that is meant: -s NAME")
    return made.run, reports[0]


def _pair(first: int, second: int, said: Sequence[Said], prior: Sequence[float]) -> Pair:
    one, other = said[first].likelihood, said[second].likelihood
    same = sum(p * a * b for p, a, b in zip(prior, one, other, strict=True))
    apart = math.prod(sum(p * a for p, a in zip(prior, each, strict=True)) for each in (one, other))
    ratio = max(same, _LEAST) / max(apart, _LEAST)
    return Pair(first=first, second=second, same_ratio=ratio, same_probability=ratio / (1 + ratio))


def _joint(said: Sequence[Said], prior: Sequence[float], sure: float) -> Joint:
    weights = [p * math.prod(each.likelihood[place] for each in said) for place, p in enumerate(prior)]
    total = sum(weights) or _LEAST
    posterior = dict(zip(diplotype_names(), (weight / total for weight in weights), strict=True))
    best = max(posterior, key=posterior.__getitem__)
    copies = by_copies(tuple(posterior.values()))
    otherwise = E4Status.CARRIER if copies[1] + copies[2] >= sure else E4Status.INDETERMINATE
    status = next((name for name, number in E4_COPIES.items() if copies[number] >= sure), otherwise)
    return Joint(
        diplotype=best if posterior[best] >= sure else None,
        diplotype_probability=posterior[best],
        diplotype_posterior=posterior,
        e4_status=str(status),
    )


def as_text(found: Verified) -> str:
    """Return it as text at 80 columns, ending with a newline."""
    say = wording().say
    lines = [say("verify", "sources"), *map(_source_line, itertools.count(1), found.sources)]
    lines += ["", say("verify", "pairs"), *map(_pair_line, found.pairs), ""]
    if found.joint is None:
        lines.append(say("verify", "contradict"))
    else:
        joint = found.joint
        told = _told(joint.diplotype, joint.diplotype_probability, joint.e4_status)
        assumed = all(each.assumed for each in found.sources)
        lines.append(say("verify", "joint_assumed" if assumed else "joint", **told))
    lines += ["", say("verify", "limit", population=found.population)]
    return "\n".join(_wrapped(line) for line in lines) + "\n"


def _wrapped(line: str) -> str:
    margin = "     " if line.startswith(" ") else ""
    return textwrap.fill(line, _WIDTH, subsequent_indent=margin, break_on_hyphens=False)


def _told(diplotype: str | None, probability: float, status: str) -> dict[str, str]:
    say = wording().say
    result = greek(diplotype) if diplotype else say("verify", "open")
    return {"result": result, "probability": percent(probability), "status": say("status", status)}


def _source_line(number: int, each: Said) -> str:
    letters = ", ".join(f"{rsid} {text}" for rsid, text in each.letters.items())
    told = _told(each.diplotype, each.diplotype_probability, each.e4_status)
    whose = {"source": printable(each.source, 1000), "sample": printable(each.sample), "kind": each.kind}
    key = "source_assumed" if each.assumed else "source" if each.diplotype else "source_open"
    return wording().say("verify", key, number=number, letters=letters, **whose, **told)


def _pair_line(pair: Pair) -> str:
    apart = pair.is_apart
    ratio = 1 / pair.same_ratio if apart else pair.same_ratio
    return wording().say(
        "verify",
        "apart" if apart else "together",
        first=pair.first + 1,
        second=pair.second + 1,
        ratio=f"{ratio:.3g}",
        probability=percent(1 - pair.same_probability if apart else pair.same_probability),
    )
