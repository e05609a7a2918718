"""Results known before beside those that were called, which stay as they are; its files are never shared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pgx.calling import diplotype_names, diplotype_prior
from pgx.cohort.manifest import EVERYBODY, KNOWN_METHOD, KNOWN_RESULT, says_nothing
from pgx.cohort.results import Source, reports_of
from pgx.cohort.store import State
from pgx.genome import counted_haplotype
from pgx.neighbours.estimate import without_neighbours
from pgx.reference import threshold
from pgx.render.tsv import safe_cell, write_rows
from pgx.report import Run, SampleReport, relative_likelihoods

VERDICTS = ("agrees", "differs", "open", "not-understood")
_PAIR = re.compile(r"(?:apoe\W*)?(?:apo)?e?([1-4])\W*e?([1-4])")


def _odds(probability: float, never: float = 1e-300) -> float:
    return max(probability, never) / max(1 - probability, never)


class Person(Struct, frozen=True, kw_only=True):
    """One sample of the cohort; probabilities are of the ten diplotypes, in order of `diplotype_names`."""

    sample: str
    input: str
    cells: Mapping[str, str]  # what the manifest states
    diplotype: str | None
    e4_status: str
    population: str
    min_probability: float
    prior: tuple[float, ...]
    likelihood: tuple[float, ...]
    posterior: tuple[float, ...]
    around: tuple[float, ...] | None = None  # posterior by the variants around; None where nobody asked

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
    """A person with a known result."""

    person: Person  # as "sites" or "neighbours" have it, see `by`
    meant: frozenset[int] | None  # places of the diplotypes that it allows; None if not understood
    verdict: str
    by: str  # what the verdict rests on: "sites", or "neighbours" where these leave it open


def meant_by(text: str) -> frozenset[int] | None:
    """Return the places of the diplotypes that a result allows: "e3/e4", "34", or 0, 1, 2 copies of e4."""
    plain, names = text.strip().lower().replace("\u03b5", "e"), diplotype_names()
    if plain in {"0", "1", "2"}:
        copies = [name.split("/").count(counted_haplotype()) for name in names]
        return frozenset(place for place, number in enumerate(copies) if number == int(plain))
    found = _PAIR.fullmatch(plain)
    return found and frozenset({names.index("/".join(f"e{number}" for number in sorted(found.groups())))})


def exposed_share(population: str) -> float:
    """Return the share of exchanges of two people at random that show, as their diplotypes differ."""
    return 1 - sum(share * share for share in diplotype_prior(population))


def people(
    state: State, shown: Iterable[Source], columns: Sequence[str], named: frozenset[str] = frozenset()
) -> Iterator[Person]:
    """Yield who is `named` or has a cell in `columns`, in order of inputs, then in that of the manifest."""
    for source in shown:
        carried = source.job.carried
        stated = {name for name, cells in carried.items() if any(map(cells.get, columns))} | named
        if not stated:
            continue
        wanted = None
        if EVERYBODY not in stated:
            small = {name for name, _ in state.samples(source.key)}
            wanted = frozenset(stated & small if small else stated)
        order = {name: place for place, name in enumerate(carried)}
        found = []
        for run, report in reports_of(state, source, wanted):
            own = carried.get(report.sample, carried.get(EVERYBODY, {}))
            if report.sample in named or any(map(own.get, columns)):
                found.append(_person(run, report, source.path, own))
        yield from sorted(found, key=lambda person: order.get(person.sample, len(order)))


def _person(run: Run, report: SampleReport, path: str, cells: Mapping[str, str]) -> Person:
    genotype = report.genotype
    around = report.neighbours.diplotype_posterior if report.neighbours else None
    return Person(
        sample=report.sample,
        input=path,
        cells=cells,
        diplotype=genotype.diplotype,
        e4_status=genotype.e4_status,
        population=run.parameters.population or "",
        min_probability=run.parameters.min_probability,
        prior=tuple(row.prior for row in genotype.calculation),
        likelihood=relative_likelihoods(report),
        posterior=tuple(genotype.diplotype_posterior[name] for name in diplotype_names()),
        around=None if around is None else tuple(around[name] for name in diplotype_names()),
    )


def compare(found: Iterable[Person]) -> list[Compared]:
    """Return everybody who has a known result with the verdict on it."""
    compared = []
    for person in found:
        if says_nothing(stated := person.cells.get(KNOWN_RESULT, "")):
            continue
        meant = meant_by(stated)
        verdict = "not-understood" if meant is None else person.speaks(meant)
        own = Compared(person=person, meant=meant, verdict=verdict, by="sites")
        if meant is not None and verdict == "open" and person.around:
            before = without_neighbours()
            ratios = tuple(one / other for one, other in zip(person.around, before, strict=True))
            other = replace(person, prior=before, likelihood=ratios, posterior=person.around)
            if (told := other.speaks(meant)) != "open":
                own = Compared(person=other, meant=meant, verdict=told, by="neighbours")
        compared.append(own)
    return compared


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
        rows.append((*stated, *called, highest, known, item.by))
    write_rows(path, (*columns, "best_diplotype", "best_probability", "known_probability", "by"), rows)


def agreement(compared: Iterable[Compared]) -> list[dict[str, str | int]]:
    """Return the table of agreement: method, known result, called diplotype, verdict, people."""
    counts: Counter[tuple[str, ...]] = Counter()
    for item in compared:
        known = "?"  # what is not understood stays out of tables of counts
        if item.meant is not None:  # in one spelling
            copies = f"{item.person.cells[KNOWN_RESULT].strip()} x {counted_haplotype()}"
            known = diplotype_names()[min(item.meant)] if len(item.meant) == 1 else copies
        method = safe_cell(item.person.cells.get(KNOWN_METHOD, ""))
        counts[method, known, item.person.diplotype or "not determined", item.verdict] += 1
    names = ("method", "known", "called", "verdict")
    return [dict(zip(names, key, strict=True)) | {"count": count} for key, count in sorted(counts.items())]
