"""Results known before beside those that were called: who agrees, and which exchanges explain the rest.

Nothing here changes a call. The files of this module name people; they are no part of a page that is shared.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import astuple

from pgx.calling import diplotype_names, diplotype_prior
from pgx.cohort.jobs import alarm_limits, page_limits
from pgx.cohort.manifest import EVERYBODY, KNOWN_METHOD, KNOWN_RESULT
from pgx.cohort.results import Source, reports_of
from pgx.cohort.store import State
from pgx.genome import counted_haplotype
from pgx.reference import threshold
from pgx.render.tsv import safe_cell, write_rows
from pgx.report import SampleReport, relative_likelihoods

KNOWN_FILE, SWAPS_FILE = "known.tsv", "swaps.tsv"
VERDICTS = ("agrees", "differs", "open", "not-understood")
_PAIR = re.compile(r"(?:apo)?e?([1-4])\W*e?([1-4])")
_NEVER = 1e-300


def _odds(probability: float) -> float:
    return max(probability, _NEVER) / max(1 - probability, _NEVER)


class Person(Struct, frozen=True, kw_only=True):
    """One sample of the cohort with what the manifest states of it.

    Attributes
    ----------
    prior, likelihood, posterior
        Of the ten diplotypes, in the order of `diplotype_names`.
    """

    sample: str
    input: str
    cells: Mapping[str, str]
    diplotype: str | None
    e4_status: str
    population: str
    min_probability: float
    prior: tuple[float, ...]
    likelihood: tuple[float, ...]
    posterior: tuple[float, ...]

    @property
    def is_silent(self) -> bool:
        """Return whether the data say nothing, so that the posterior is that of the population."""
        return min(self.likelihood) == max(self.likelihood)

    def probability(self, meant: frozenset[int]) -> float:
        """Return the probability that the diplotype is one of `meant`, places in the list of ten."""
        return sum(self.posterior[place] for place in meant)

    def speaks(self, meant: frozenset[int]) -> str:
        """Return "agrees", "differs" or "open": the posterior must be sure, and the data themselves clear."""
        sure, before = self.probability(meant), sum(self.prior[place] for place in meant)
        raised, least = _odds(sure) / _odds(before), threshold("min_bayes_factor")  # as for a call
        if sure >= self.min_probability and raised >= least:
            return "agrees"
        if sure <= 1 - self.min_probability and raised <= 1 / least:
            return "differs"
        return "open"


class Compared(Struct, frozen=True, kw_only=True):
    """A person with a known result; `meant` holds the diplotypes that it allows, None if not understood."""

    person: Person
    meant: frozenset[int] | None
    verdict: str


class Exchange(Struct, frozen=True, kw_only=True):
    """People whose results fit when they change places.

    Attributes
    ----------
    kind
        "pair", or what happened to groups: "exchanged", "reversed", "shifted by one".
    before, after
        Who differs as listed, and who would after the exchange.
    chance
        That people drawn from the cohort at random would fit so well; of one pair or one arrangement.
    alternatives
        Other people who differ and would fit as well as the second of a pair.
    """

    kind: str
    first: str
    second: str
    people: int
    before: int
    after: int
    chance: float
    alternatives: int


def meant_by(text: str) -> frozenset[int] | None:
    """Return the places of the diplotypes that a result allows: "e3/e4", "34", or 0, 1, 2 copies of e4."""
    plain = text.strip().lower().replace("\u03b5", "e")
    names = diplotype_names()
    if plain in {"0", "1", "2"}:
        copies = [name.split("/").count(counted_haplotype()) for name in names]
        return frozenset(place for place, number in enumerate(copies) if number == int(plain))
    found = _PAIR.fullmatch(plain)
    if found is None:
        return None
    return frozenset({names.index("/".join(f"e{number}" for number in sorted(found.groups())))})


def exposed_share(population: str) -> float:
    """Return the share of exchanges of two people at random that show, as their diplotypes differ."""
    return 1 - sum(share * share for share in diplotype_prior(population))


def people(
    state: State, shown: Iterable[Source], columns: Sequence[str], named: frozenset[str] = frozenset()
) -> Iterator[Person]:
    """Yield in order who is `named`, and of whom the manifest fills one of `columns`; nobody else is read."""
    for source in shown:
        carried = source.job.carried
        stated = {
            name for name, cells in carried.items() if any(cells.get(column) for column in columns)
        } | named
        if not stated:
            continue
        wanted = None
        if EVERYBODY not in stated:
            small = {name for name, _ in state.samples(source.key)}
            wanted = frozenset(stated & small if small else stated)
        for run, report in reports_of(state, source, wanted):
            own = carried.get(report.sample, carried.get(EVERYBODY, {}))
            if report.sample in named or any(own.get(column) for column in columns):
                options = run.parameters
                yield person_of(report, source.path, own, options.population, options.min_probability)


def person_of(
    report: SampleReport, path: str, cells: Mapping[str, str], population: str | None, limit: float
) -> Person:
    """Return a sample with the likelihoods that its report states."""
    genotype = report.genotype
    return Person(
        sample=report.sample,
        input=path,
        cells=cells,
        diplotype=genotype.diplotype,
        e4_status=genotype.e4_status,
        population=population or "",
        min_probability=limit,
        prior=tuple(row.prior for row in genotype.calculation),
        likelihood=relative_likelihoods(report),
        posterior=tuple(genotype.diplotype_posterior[name] for name in diplotype_names()),
    )


def compare(found: Iterable[Person]) -> list[Compared]:
    """Return everybody who has a known result with the verdict on it."""
    compared = []
    for person in found:
        text = person.cells.get(KNOWN_RESULT, "")
        if text:
            meant = meant_by(text)
            verdict = "not-understood" if meant is None else person.speaks(meant)
            compared.append(Compared(person=person, meant=meant, verdict=verdict))
    return compared


def exchanges(compared: Sequence[Compared]) -> list[Exchange]:
    """Return exchanges of groups and of pairs that explain who differs; nobody of a group is in a pair."""
    readable = [item for item in compared if item.meant is not None]
    if not readable:
        return []
    shares = _shares(readable)
    groups, explained = _groups(readable, shares)
    differing = [item for item in readable if item.verdict == "differs" and id(item) not in explained]
    if len(differing) > page_limits().max_listed:  # so many did not change places two by two
        return groups
    return [*groups, *_pairs(differing, shares)]


def _fits(person: Person, item: Compared) -> bool:
    return item.meant is not None and person.speaks(item.meant) == "agrees"


Shares = Mapping[frozenset[int] | None, float]


def _shares(everybody: Sequence[Compared]) -> Shares:
    """Return, for each known result, the share of people of whom it would be right."""
    places = range(len(diplotype_names()))
    means = [sum(item.person.posterior[place] for item in everybody) / len(everybody) for place in places]
    return {meant: sum(means[place] for place in meant or ()) for meant in {item.meant for item in everybody}}


def _pairs(differing: Sequence[Compared], shares: Shares) -> Iterator[Exchange]:
    """Yield each two people who differ and would agree in each other's place, the least likely first."""
    both = [
        (one, other)
        for one, other in itertools.combinations(differing, 2)
        if _fits(one.person, other) and _fits(other.person, one)
    ]
    times = Counter(id(item) for pair in both for item in pair)
    found = [
        Exchange(
            kind="pair",
            first=one.person.sample,
            second=other.person.sample,
            people=2,
            before=2,
            after=0,
            chance=shares[one.meant] * shares[other.meant],
            alternatives=max(times[id(one)], times[id(other)]) - 1,
        )
        for one, other in both
    ]
    yield from sorted(found, key=lambda item: (item.alternatives, item.chance))


def _groups(everybody: Sequence[Compared], shares: Shares) -> tuple[list[Exchange], set[int]]:
    """Return exchanges of whole groups (plates, batches), and who is explained by them."""
    limit = alarm_limits()
    found: list[Exchange] = []
    explained: set[int] = set()
    columns = dict.fromkeys(name for item in everybody for name in item.person.cells)
    for column in (name for name in columns if name not in {KNOWN_RESULT, KNOWN_METHOD}):
        members: defaultdict[str, list[Compared]] = defaultdict(list)
        for item in everybody:
            members[item.person.cells.get(column, "")].append(item)
        members.pop("", None)
        plates = {
            name: own
            for name, own in members.items()
            if len(own) >= limit.swap_min_people and any(item.verdict == "differs" for item in own)
        }
        if len(plates) > page_limits().max_strata:  # so many plates did not change places two by two
            continue
        tried = [
            attempt
            for one, other in [*((name, name) for name in plates), *itertools.combinations(plates, 2)]
            for attempt in _arrangements(column, one, plates[one], other, plates[other])
        ]
        for kind, first, second, listed, moved in tried:
            before = sum(item.verdict == "differs" for item in listed)
            after = sum(
                person.speaks(item.meant or frozenset()) == "differs"
                for person, item in zip(moved, listed, strict=True)
            )
            chance = 1.0
            for person, item in zip(moved, listed, strict=True):
                chance *= shares[item.meant] if _fits(person, item) else 1.0
            if after <= limit.swap_left_share * before and chance * len(tried) <= limit.swap_chance:
                found.append(
                    Exchange(
                        kind=kind,
                        first=first,
                        second=second,
                        people=len(listed),
                        before=before,
                        after=after,
                        chance=chance,
                        alternatives=0,
                    )
                )
                explained |= {id(item) for item in listed}
    return found, explained


_Arrangement = tuple[str, str, str, list[Compared], list[Person]]


def _arrangements(
    column: str, one: str, first: list[Compared], other: str, second: list[Compared]
) -> Iterator[_Arrangement]:
    """Yield what is known of two groups, or of one, and the people in the order of a usual mistake."""
    own = [item.person for item in first]
    here, there = f"{column} = {one}", f"{column} = {other}"
    if one == other:
        yield "reversed", here, "", first, own[::-1]
        yield "shifted by one", here, "", first[1:], own[:-1]
        yield "shifted by one", here, "", first[:-1], own[1:]
    elif len(first) == len(second):
        yield "exchanged", here, there, [*first, *second], [*(item.person for item in second), *own]


def write_known(compared: Iterable[Compared], path: Path) -> None:
    """Write known.tsv: what is known and what is called of each person, and how likely each is."""
    columns = ("sample", "input", KNOWN_RESULT, KNOWN_METHOD, "diplotype", "e4_status", "verdict")
    names = diplotype_names()
    rows = []
    for item in compared:
        person, cells = item.person, item.person.cells
        highest = max(person.posterior)
        called = (person.diplotype, person.e4_status, item.verdict, names[person.posterior.index(highest)])
        stated = (person.sample, person.input, cells.get(KNOWN_RESULT), cells.get(KNOWN_METHOD))
        known = None if item.meant is None else person.probability(item.meant)
        rows.append((*stated, *called, highest, known))
    write_rows(path, (*columns, "best_diplotype", "best_probability", "known_probability"), rows)


def write_exchanges(found: Iterable[Exchange], path: Path) -> None:
    """Write swaps.tsv: a row an exchange that would explain who differs."""
    write_rows(path, Exchange.__struct_fields__, map(astuple, found))


def agreement(compared: Iterable[Compared]) -> list[dict[str, str | int]]:
    """Return the table of agreement: method, known result, called diplotype, verdict, people."""
    counts = Counter(
        (
            safe_cell(item.person.cells.get(KNOWN_METHOD, "")),
            "/".join(_allowed(item)),
            item.person.diplotype or "not determined",
            item.verdict,
        )
        for item in compared
    )
    names = ("method", "known", "called", "verdict")
    return [dict(zip(names, key, strict=True)) | {"count": count} for key, count in sorted(counts.items())]


def _allowed(item: Compared) -> tuple[str, ...]:
    """Return the known result in one spelling; what is not understood stays out of tables of counts."""
    if item.meant is None:
        return ("?",)
    if len(item.meant) == 1:
        return (diplotype_names()[min(item.meant)],)
    return (f"{item.person.cells[KNOWN_RESULT].strip()} x {counted_haplotype()}",)
