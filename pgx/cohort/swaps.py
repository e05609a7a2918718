"""Exchanges of people and plates that would explain who differs: suggestions, and never shared."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import asdict

from pgx.calling import diplotype_names, diplotypes, shows
from pgx.cohort.jobs import alarm_limits, page_limits
from pgx.cohort.known import VERDICTS, Compared, agreement, exposed_share, people
from pgx.cohort.manifest import COMPARED, EVERYBODY, KNOWN_METHOD, KNOWN_RESULT
from pgx.cohort.results import Source, names_of
from pgx.cohort.store import State
from pgx.genome import rsids
from pgx.render.tsv import safe_cell

NEIGHBOURS = "neighbours"  #: What a statement is held against, beside `KNOWN_RESULT`.
#: What `stated_by_neighbours` needs of the tables.
OPINION = (
    "sample", "input", *rsids(), "diplotype",
    "neighbours_diplotype", "neighbours_probability", "neighbours_agree",
)  # fmt: skip
_RARE = "rotated"  # a kind of which there are many, and that hardly happens
Numbers = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


class Exchange(Struct, frozen=True, kw_only=True):
    """People whose results fit when they change places."""

    kind: str  # "pair"; of groups "exchanged", "reversed", "shifted by one", "rotated by 8"
    first: str
    second: str
    people: int
    before: int  # who differ as listed
    after: int  # who would differ after the exchange
    chance: float  # that people drawn at random would fit so well; of one pair or one arrangement
    alternatives: int = 0  # others who differ and would fit as well as the second of a pair
    by: str  # "known_apoe", or "neighbours" where these contradict what was read at the sites


class Stated(Struct, frozen=True, kw_only=True):
    """What is stated of n people, beside what their data say of each of the k different statements."""

    by: str
    names: Sequence[str]
    columns: Mapping[str, Sequence[str]]  # plates and the like, as the manifest orders people; "" for none
    own: Numbers  # the statement about each person, shape (n,); -1 for none
    agrees: Flags  # whether a person's data are sure of it, shape (n, k)
    differs: Flags  # or of the contrary
    shares: npt.NDArray[np.float64]  # of the people of whom each would be right, shape (k,)


def stated_results(compared: Sequence[Compared]) -> Stated:
    """Return the known results that were understood; of others only the data are there."""
    meanings = list(dict.fromkeys(item.meant for item in compared if item.meant is not None))
    persons = [item.person for item in compared]
    verdicts = np.array([[person.speaks(meant) for meant in meanings] for person in persons])
    verdicts = verdicts.reshape(len(persons), len(meanings))
    columns = dict.fromkeys(name for person in persons for name in person.cells)
    others = [name for name in columns if name not in {KNOWN_RESULT, KNOWN_METHOD}]
    return Stated(
        by=KNOWN_RESULT,
        names=[person.sample for person in persons],
        columns={name: [person.cells.get(name, "") for person in persons] for name in others},
        own=np.array([-1 if item.meant is None else meanings.index(item.meant) for item in compared]),
        agrees=verdicts == "agrees",
        differs=verdicts == "differs",
        shares=np.array([np.mean([person.probability(each) for person in persons]) for each in meanings]),
    )


def whole_plates(state: State, shown: Iterable[Source], compared: Sequence[Compared]) -> list[Compared]:
    """Return those compared and, in their places, all others of a plate in which somebody differs.

    Of whom no result is known, a place in the order is known all the same, and whose result the data fit.
    """
    cells = {
        (source.path, name): frozenset(own.items())
        for source in shown
        for sample, own in source.job.carried.items()
        for name in ([sample] if sample != EVERYBODY else itertools.chain(*names_of(state, source.key)))
    }
    sizes = Counter(itertools.chain(*cells.values()))
    wanted = {
        pair
        for item in compared
        if item.verdict == "differs"
        for pair in item.person.cells.items()
        if pair[1] and pair[0] not in COMPARED and sizes[pair] <= alarm_limits().swap_plate_wells
    }
    known = {(item.person.input, item.person.sample) for item in compared}
    beside = (whose for whose, own in cells.items() if whose not in known and not wanted.isdisjoint(own))
    others = (
        Compared(person=person, meant=None, verdict="open", by="sites")
        for person in people(state, shown, (), frozenset(name for _, name in beside))
        if (person.input, person.sample) not in known
    )
    order = {whose: place for place, whose in enumerate(cells)}
    everybody = [*compared, *others]
    return sorted(everybody, key=lambda item: order.get((item.person.input, item.person.sample), len(order)))


def stated_by_neighbours(rows: Mapping[str, Sequence[Any]], least: float) -> Stated:
    """Return the letters at the sites as statements, and as data what the variants around these say.

    `rows` are columns: `OPINION`, and those of the manifest. Neighbours are sure from `least` on.
    """
    answers, called = rows["neighbours_agree"], rows["diplotype"]
    # of who is not called the estimate may rest on the sites themselves
    asked = np.array([None not in pair for pair in zip(answers, called, strict=True)], dtype=bool)
    # the different letters that are stated, a number each, and the number of each person's
    letters = list(zip(*(rows[rsid] for rsid in rsids()), strict=True))
    numbers = {cells: k for k, cells in enumerate(dict.fromkeys(itertools.compress(letters, asked)))}
    own = np.where(asked, [numbers.get(cells, -1) for cells in letters], -1)
    # whether these letters fit the likeliest diplotype by the neighbours of each person, (people, letters)
    names = diplotype_names()
    best = np.array([names.index(name or names[0]) for name in rows["neighbours_diplotype"]])
    shown = ([tuple(cell.replace("|", "/").split("/")) for cell in cells] for cells in numbers)
    fits = np.array([[shows(pair, pairs) for pair in diplotypes()] for pairs in shown], dtype=bool)
    fits = fits.reshape(-1, len(names)).T[best]
    sure = asked & (np.array(rows["neighbours_probability"], dtype=np.float64) >= least)
    agrees, differs = fits & sure[:, None], ~fits & sure[:, None]
    # of a person's own letters the table says whether they fit
    differs[asked, own[asked]] = [answer == "no" for answer in itertools.compress(answers, asked)]
    columns = {name: cells for name, cells in rows.items() if name not in OPINION}
    return Stated(
        by=NEIGHBOURS,
        names=rows["sample"],
        columns=columns | {"input": rows["input"]},
        own=own,
        agrees=agrees,
        differs=differs,
        shares=agrees[asked].sum(axis=0) / max(np.count_nonzero(asked), 1),
    )


def explained(
    state: State,
    shown: Iterable[Source],
    compared: Sequence[Compared] | None,
    around: Mapping[str, Sequence[Any]],
) -> list[Exchange] | None:
    """Return what explains results that differ, and neighbours that contradict; None where nobody asks."""
    found: list[Exchange] = []
    if any(item.verdict == "differs" for item in compared or ()):
        found += exchanges(stated_results(whole_plates(state, shown, compared or ())))
    if around:
        order: dict[tuple[str, str], int] = {}  # of the manifest; whom it does not name comes last
        for source in shown:
            for name in source.job.carried:
                order.setdefault((safe_cell(source.path), safe_cell(name)), len(order))
        keys = [order.get(pair, len(order)) for pair in zip(around["input"], around["sample"], strict=True)]
        places = sorted(range(len(keys)), key=keys.__getitem__)
        rows = {name: [cells[place] for place in places] for name, cells in around.items()}
        least = max(source.job.options.min_probability for source in shown)
        found += exchanges(stated_by_neighbours(rows, least))
    return found if around or compared is not None else None


def exchanges(stated: Stated) -> list[Exchange]:
    """Return exchanges of groups and of pairs that explain who differs; nobody of a group is in a pair."""
    if not (stated.own >= 0).any():  # whom neighbours contradict is not called
        return []
    everybody = np.arange(len(stated.names))
    differing = (stated.own >= 0) & stated.differs[everybody, stated.own]
    groups: dict[tuple[str, bytes], Exchange] = {}  # two columns may divide people in the same way
    explained = np.zeros(len(everybody), dtype=bool)
    for column, values in stated.columns.items():
        for found, listed in _groups(stated, column, np.array(values, dtype=object), differing):
            groups.setdefault((found.kind, listed.tobytes()), found)
            explained[listed] = True
    rest = np.flatnonzero(differing & ~explained)
    if len(rest) > page_limits().max_listed:  # so many did not change places two by two
        return list(groups.values())
    return [*groups.values(), *_pairs(stated, rest)]


def _pairs(stated: Stated, differing: Numbers) -> Iterator[Exchange]:
    """Yield each two people who differ and would agree in each other's place, the least likely first."""
    fits = stated.agrees[differing[:, None], stated.own[differing]]
    fits &= fits.T
    times = fits.sum(axis=1) - 1
    chances = stated.shares[stated.own[differing]]
    names = [stated.names[place] for place in differing]
    found = [
        Exchange(
            by=stated.by,
            kind="pair",
            people=2,
            before=2,
            after=0,
            first=names[one],
            second=names[other],
            chance=float(chances[one] * chances[other]),
            alternatives=int(max(times[one], times[other])),
        )
        for one, other in np.argwhere(np.triu(fits, 1)).tolist()
    ]
    yield from sorted(found, key=lambda item: (item.alternatives, item.chance))


def _groups(
    stated: Stated, column: str, values: npt.NDArray[np.object_], differing: Flags
) -> Iterator[tuple[Exchange, Numbers]]:
    """Yield exchanges of the groups (plates, batches) of one column, and the people of each."""
    limit = alarm_limits()
    sizes = Counter(values[stated.own >= 0].tolist())
    differ = Counter(values[differing].tolist())
    large = [value for value in differ if value and sizes[value] >= limit.swap_min_people]
    wanted = [value for value in large if differ[value] >= limit.neighbours_plate_share * sizes[value]]
    if len(wanted) > page_limits().max_strata:  # so many plates did not change places two by two
        return
    tried = [*_arrangements({value: np.flatnonzero(values == value) for value in wanted})]
    times = Counter(kind.startswith(_RARE) for kind, *_ in tried)
    for kind, plates, in_order, as_moved in tried:
        known = stated.own[in_order] >= 0
        listed, moved = in_order[known], as_moved[known]
        statements = stated.own[listed]
        before, after = int(differing[listed].sum()), int(stated.differs[moved, statements].sum())
        chance = float(np.prod(stated.shares[statements[stated.agrees[moved, statements]]]))
        # the usual arrangements and the rare ones share what chance may do, however many there are of each
        likely = chance * times[kind.startswith(_RARE)] * len(times)
        if after <= limit.swap_left_share * before and likely <= limit.swap_chance:
            first, second = (plate and f"{column} = {plate}" for plate in plates)
            counts = {"people": len(listed), "before": before, "after": after}
            own = Exchange(by=stated.by, kind=kind, first=first, second=second, chance=chance, **counts)
            yield own, listed


def _arrangements(plates: Mapping[str, Numbers]) -> Iterator[tuple[str, tuple[str, str], Numbers, Numbers]]:
    """Yield mistakes that happen: kind, one group or two, their people as listed, and as moved."""
    for name, own in plates.items():
        yield "reversed", (name, ""), own, own[::-1]
        yield "shifted by one", (name, ""), own[1:], own[:-1]
        yield "shifted by one", (name, ""), own[:-1], own[1:]
        for by in range(2, len(own) - 1) if len(own) <= alarm_limits().swap_plate_wells else ():
            kind = f"{_RARE} by {by if 2 * by <= len(own) else by - len(own)}"
            yield kind, (name, ""), own, np.roll(own, by)
    for (one, first), (other, second) in itertools.combinations(plates.items(), 2):
        if len(first) == len(second):
            yield "exchanged", (one, other), np.concatenate([first, second]), np.concatenate([second, first])


def counts_of(compared: Sequence[Compared], swaps: Sequence[Exchange]) -> dict[str, object]:
    """Return what summary.json says of known results and exchanges (the first of them), if there are any."""
    found: dict[str, object] = {}
    if compared:
        verdicts = Counter(item.verdict for item in compared)
        found["known"] = {
            "compared": len(compared) - verdicts["not-understood"],
            **{verdict.replace("-", "_"): verdicts[verdict] for verdict in VERDICTS},
            "exchanges": sum(item.by == KNOWN_RESULT for item in swaps),
            "exposed": exposed_share(compared[0].person.population),
            "table": agreement(compared),
        }
    if swaps:
        found["neighbour_exchanges"] = sum(item.by == NEIGHBOURS for item in swaps)
        found["exchanges"] = [
            asdict(item) | {"first": safe_cell(item.first), "second": safe_cell(item.second)}
            for item in swaps[: page_limits().max_listed]
        ]
    return found
