"""Several sources of one person: what each says, if they can be of one person, and what they say together.

They count as independent; a VCF and the reads that it was made from are not: one source, with --reads.
"""

from __future__ import annotations

import contextlib
import filecmp
import functools
import itertools
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from pgx.calling import E4_COPIES, CallOptions, diplotype_names, diplotype_prior
from pgx.calling.posterior import by_copies, is_determined, status_of
from pgx.errors import SampleError, UsageError, printable
from pgx.observe import SiteState
from pgx.options import Options
from pgx.reference import threshold
from pgx.render.sureness import rests_on_assumption
from pgx.report import SCHEMA_VERSION, relative_likelihoods
from pgx.single import Prepared, understood
from pgx.wording import greek, percent, wording

if TYPE_CHECKING:
    from pgx.neighbours.estimate import Known

_LEAST = 1e-300
_SURE = 10_000  # times: more is no better known than the model, and no percentage says more, either


class Said(Struct, frozen=True, kw_only=True):
    """What one source says; `assumed`: on a genotype without a stated quality, or the like.

    `likelihood` is of the ten diplotypes, in the order of `pgx.calling.diplotype_names`, the highest being 1;
    `markers` are positions around the sites that can be compared with those of another source. `same_as`: the
    0-based number of the source that is the same file, or has the same content; this one then does not count.
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
    markers: int
    same_as: int | None = None


class Pair(Struct, frozen=True):
    """Two sources (their 0-based numbers).

    What both show is `same_ratio` times as likely of one person as of two people drawn from the population;
    `same_probability` is that they are of one person, if that was as likely as not before. `markers`: the
    positions around the sites that both state, and that were compared, too.
    """

    first: int
    second: int
    markers: int
    same_ratio: float
    same_probability: float

    @property
    def is_apart(self) -> bool:
        """Return whether the sources are of different people."""
        return self.same_probability < threshold("same_person_probability")


class Joint(Struct, frozen=True):
    """What all sources say together, if they are of one person."""

    diplotype: str | None
    diplotype_probability: float
    diplotype_posterior: dict[str, float]
    e4_status: str


class Verified(Struct, frozen=True):
    """All of it; `joint` is None where two sources contradict each other."""

    schema_version: str
    population: str
    min_probability: float
    sources: tuple[Said, ...]
    pairs: tuple[Pair, ...]
    joint: Joint | None


def verify(sources: Sequence[str], options: Options) -> Verified:
    """Call each source (file, URL, or a genotype as "e3/e4" or "T/C,C/C") alone, then compare and join them.

    `options.samples` names the person in files that hold several. A file that is given again, by whatever
    name, is no second measurement: it counts once. Errors are those of `pgx.single.annotate`.
    """
    if len(sources) < 2:
        raise UsageError("needs two sources or more", where="pgx verify", cure="Give the other one, too")
    again = [  # the first of the sources before each that is the same file or a copy of it
        next((earlier for earlier in range(number) if _is_same(sources[earlier], source)), None)
        for number, source in enumerate(sources)
    ]
    read = [_person(source, options) for source in sources]
    around = [_around(ready) for ready in read]
    said = tuple(map(_said, sources, read, around, again))
    counted = [number for number, earlier in enumerate(again) if earlier is None]
    prior = diplotype_prior(options.population)
    pairs = tuple(_pair(*two, said, around, prior) for two in itertools.combinations(counted, 2))
    contradict = any(pair.is_apart for pair in pairs)
    joint = None if contradict else _joint([said[number] for number in counted], prior, read[0].rules)
    return Verified(SCHEMA_VERSION, options.population, options.min_probability, said, pairs, joint)


def _is_same(one: str, other: str) -> bool:
    """Return whether two sources are one file, or files of the same bytes. Nobody is asked for a URL twice.

    A genotype that is stated twice is not: two laboratories may have found the same.
    """
    if "://" in one:
        return one == other
    with contextlib.suppress(OSError, ValueError):  # no file, or one that says so when it is read
        first, second = Path(one), Path(other)
        if first.is_file() and second.is_file():
            return first.samefile(second) or filecmp.cmp(first, second, shallow=False)
    return False


def _said(source: str, ready: Prepared, around: _Around, same_as: int | None) -> Said:
    run, report = ready.run, ready.report(ready.columns[0], ready.names[0])
    genotype = report.genotype
    return Said(
        source=source if run.input.kind != "stated" else printable(source, 60),
        sample=report.sample,
        kind=run.input.kind,
        assembly=run.input.assembly,
        letters={site.rsid: (site.basis and site.genotype) or str(site.state) for site in report.sites},
        diplotype=genotype.diplotype,
        diplotype_probability=genotype.diplotype_probability,
        e4_status=genotype.e4_status,
        flags=tuple(flag.code for flag in report.flags),
        assumed=rests_on_assumption(report),
        likelihood=relative_likelihoods(report),
        markers=_count(around),
        same_as=same_as,
    )


def _person(source: str, options: Options) -> Prepared:
    """Read the one person of a source; of a file with several, the one that is named."""
    if not Path(source).exists() and "://" not in source:
        try:
            return understood(None, replace(options, genotype=source, samples=()))
        except UsageError:
            pass  # no genotype: then it is a file that is not there
    try:
        ready = understood(source, options)
    except SampleError:
        ready = understood(source, replace(options, samples=()))  # its one sample may have another name
        if len(ready.columns) != 1:
            raise
    if len(ready.columns) != 1:
        raise UsageError("holds several people", where=source, cure="Name the one that is meant: -s NAME")
    return ready


#: What a source shows at each marker of the panel; empty where it shows nothing that could be compared.
_Around = tuple["Known", ...]


def _around(ready: Prepared) -> _Around:
    reader = ready.around.reader if ready.around else None
    if reader is None or any(pile.misplaced for pile in ready.records):
        return ()
    from pgx.neighbours.estimate import lowest_fit, neighbours_say  # noqa: PLC0415 - only with neighbours

    found = reader.genotypes(ready.columns[0])
    count = _count(found)
    return found if count and neighbours_say(found).fit >= lowest_fit(count) else ()


def _count(*around: _Around) -> int:
    """Return at how many markers all of these show something."""
    return sum(all(one is not None for one in seen) for seen in zip(*around, strict=False))


def _pair(
    first: int, second: int, said: Sequence[Said], around: Sequence[_Around], prior: Sequence[float]
) -> Pair:
    def log_chance(*numbers: int) -> float:
        """Return the logarithm of the probability of all that these show, if they are of one person."""
        expected, fit = prior, 0.0  # by the neighbours: the diplotypes, and the logarithm of all these
        if known := [around[number] for number in numbers if around[number]]:
            from pgx.neighbours.estimate import neighbours_say  # noqa: PLC0415 - only with neighbours

            saying = neighbours_say(*known)
            expected, fit = saying.posterior, saying.fit
        shown = zip(expected, *(said[number].likelihood for number in numbers), strict=True)
        return fit + math.log(max(sum(map(math.prod, shown)), _LEAST))

    ratio = log_chance(first, second) - log_chance(first) - log_chance(second)
    ratio = math.exp(min(max(ratio, -690.0), 690.0))  # of a logarithm that can be turned back
    markers = _count(around[first], around[second])
    return Pair(first, second, markers, same_ratio=ratio, same_probability=ratio / (1 + ratio))


def _joint(said: Sequence[Said], prior: Sequence[float], rules: CallOptions) -> Joint:
    """Return what all say, by the rules of a call.

    The sources, not the prior, must prove an answer; a half call may show a carrier, and no number of copies.
    """
    posterior = _posterior(said, prior)
    exact = _posterior([each for each in said if SiteState.PARTIAL_CALL not in each.letters.values()], prior)
    status = status_of(by_copies(posterior), by_copies(exact), by_copies(prior), rules)
    best = max(range(len(prior)), key=posterior.__getitem__)
    determined = is_determined(exact[best], prior[best], rules) and status in E4_COPIES
    chances = dict(zip(diplotype_names(), posterior, strict=True))
    return Joint(diplotype_names()[best] if determined else None, posterior[best], chances, str(status))


def _posterior(said: Sequence[Said], prior: Sequence[float]) -> tuple[float, ...]:
    weights = [p * math.prod(each.likelihood[place] for each in said) for place, p in enumerate(prior)]
    return tuple(weight / (sum(weights) or _LEAST) for weight in weights)


def as_text(found: Verified) -> str:
    """Return it as text at 80 columns, ending with a newline."""
    say = wording().say
    lines = [say("verify", "sources"), *map(_source_line, itertools.count(1), found.sources)]
    lines.append("")
    if found.pairs:
        lines += [say("verify", "pairs"), *map(_pair_line, found.pairs), ""]
    if (joint := found.joint) is None:
        lines.append(say("verify", "contradict"))
    else:
        told = _told(joint.diplotype, joint.diplotype_probability, joint.e4_status)
        assumed = all(each.assumed or len(set(each.likelihood)) == 1 for each in found.sources)
        lines.append(say("verify", "joint_assumed" if assumed else "joint", **told))
    limit = "limit_around" if any(each.markers for each in found.sources) else "limit"
    lines += ["", say("verify", limit, population=found.population)]
    fill = functools.partial(textwrap.fill, width=80, break_on_hyphens=False)
    wrapped = (fill(line, subsequent_indent="     " if line.startswith(" ") else "") for line in lines)
    return "\n".join(wrapped) + "\n"


def _told(diplotype: str | None, probability: float, status: str) -> dict[str, str]:
    say = wording().say
    result = greek(diplotype) if diplotype else say("verify", "open")
    return {"result": result, "probability": percent(probability), "status": say("status", status)}


def _source_line(number: int, each: Said) -> str:
    letters = ", ".join(f"{rsid} {text}" for rsid, text in each.letters.items())
    told = _told(each.diplotype, each.diplotype_probability, each.e4_status)
    whose = {"source": printable(each.source, 1000), "sample": printable(each.sample), "kind": each.kind}
    if each.same_as is not None:
        return wording().say("verify", "source_again", number=number, first=each.same_as + 1, **whose)
    key = "source_assumed" if each.assumed else "source" if each.diplotype else "source_open"
    return wording().say("verify", key, number=number, letters=letters, **whose, **told)


def _pair_line(pair: Pair) -> str:
    say, apart = functools.partial(wording().say, "verify"), pair.is_apart
    numbers = {"first": pair.first + 1, "second": pair.second + 1}
    if math.isclose(pair.same_ratio, 1, rel_tol=1e-9):  # nothing was compared: one at least is silent
        return say("no_telling", **numbers)
    ratio = 1 / pair.same_ratio if apart else pair.same_ratio
    times = f"{float(f'{ratio:.3g}'):,g}" if ratio < _SURE else f"more than {_SURE:,}"
    chance = percent(1 - pair.same_probability if apart else pair.same_probability)
    line = say("apart" if apart else "together", **numbers, ratio=times, probability=chance)
    return f"{line} {say('around', count=pair.markers)}" if pair.markers else line
