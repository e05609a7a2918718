"""Exchanges of people and plates that explain who differs: from a known result, or from the neighbours.

A suggestion, never a finding. The file of this module names people; it is no part of a page that is shared.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import asdict, astuple, replace

from pgx.calling import diplotype_names, diplotypes
from pgx.cohort.jobs import alarm_limits, page_limits
from pgx.cohort.known import VERDICTS, Compared, agreement, exposed_share, people
from pgx.cohort.manifest import COMPARED, EVERYBODY, KNOWN_METHOD, KNOWN_RESULT
from pgx.cohort.results import Source, names_of
from pgx.cohort.store import State
from pgx.genome import rsids
from pgx.neighbours.estimate import shows
from pgx.render.tsv import safe_cell, write_rows

#: What a statement is held against, beside `KNOWN_RESULT`.
NEIGHBOURS = "neighbours"
#: What `stated_by_neighbours` needs of the tables.
OPINION = (
    "sample", "input", *rsids(), "diplotype",
    "neighbours_diplotype", "neighbours_probability", "neighbours_agree",
)  # fmt: skip
Numbers = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


class Exchange(Struct, frozen=True, kw_only=True):
    """People whose results fit when they change places.

    Attributes
    ----------
    kind
        "pair", or what happened to groups: "exchanged", "reversed", "shifted by one", "rotated by 8".
    before, after
        Who differs as listed, and who would after the exchange.
    chance
        That people drawn from the cohort at random would fit so well; of one pair or one arrangement.
    alternatives
        Other people who differ and would fit as well as the second of a pair.
    by
        "known_apoe", or "neighbours" where these contradict what was read at the sites.
    """

    kind: str
    first: str
    second: str
    people: int
    before: int
    after: int
    chance: float
    alternatives: int = 0
    by: str


class Stated(Struct, frozen=True, kw_only=True):
    """What is stated of n people, beside what their data say of each of the k different statements.

    Attributes
    ----------
    by
        What is beside each other: a column of swaps.tsv.
    columns
        Plates, batches and the like: a value a person, "" for none, in the order of the manifest.
    own
        The statement about each person, shape (n,); -1 for none.
    agrees, differs
        Whether a person's data are sure of it, or of the contrary, shape (n, k).
    shares
        Of how many of the people each statement would be right, shape (k,).
    """

    by: str
    names: Sequence[str]
    columns: Mapping[str, Sequence[str]]
    own: Numbers
    agrees: Flags
    differs: Flags
    shares: npt.NDArray[np.float64]


def stated_results(compared: Sequence[Compared]) -> Stated:
    """Return the known results that were understood; of others only the data are there."""
    meanings = list(dict.fromkeys(item.meant for item in compared if item.meant is not None))
    verdicts = np.array([[item.person.speaks(meant) for meant in meanings] for item in compared])
    verdicts = verdicts.reshape(len(compared), len(meanings))
    columns = dict.fromkeys(name for item in compared for name in item.person.cells)
    return Stated(
        by=KNOWN_RESULT,
        names=[item.person.sample for item in compared],
        columns={
            name: [item.person.cells.get(name, "") for item in compared]
            for name in columns
            if name not in {KNOWN_RESULT, KNOWN_METHOD}
        },
        own=np.array([-1 if item.meant is None else meanings.index(item.meant) for item in compared]),
        agrees=verdicts == "agrees",
        differs=verdicts == "differs",
        shares=np.array(
            [np.mean([item.person.probability(meant) for item in compared]) for meant in meanings]
        ),
    )


def with_whole_plates(
    state: State, shown: Iterable[Source], compared: Sequence[Compared]
) -> Sequence[Compared]:
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
    named = frozenset(
        whose[1] for whose, own in cells.items() if whose not in known and not wanted.isdisjoint(own)
    )
    others = (
        Compared(person=person, meant=None, verdict="open", by="sites")
        for person in people(state, shown, (), named)
        if (person.input, person.sample) not in known
    )
    order = {whose: place for place, whose in enumerate(cells)}
    return sorted(
        [*compared, *others], key=lambda item: order.get((item.person.input, item.person.sample), len(order))
    )


def stated_by_neighbours(rows: Mapping[str, Sequence[Any]], least: float) -> Stated:
    """Return the letters at the sites as statements, and as data what the variants around these say.

    Parameters
    ----------
    rows
        Columns of the tables: `OPINION`, and those of the manifest.
    least
        The probability from which neighbours are sure.
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
    fits = np.array([_fitting(cells) for cells in numbers], dtype=bool).reshape(-1, len(names)).T[best]
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


def _fitting(letters: Iterable[Any]) -> list[bool]:
    """Return which of the ten diplotypes show these letters at the sites."""
    pairs = [tuple(cell.replace("|", "/").split("/")) for cell in letters]
    return [shows(pair, pairs) for pair in diplotypes()]


def explained(
    state: State,
    shown: Iterable[Source],
    compared: Sequence[Compared] | None,
    around: Mapping[str, Sequence[Any]],
) -> list[Exchange] | None:
    """Return what explains results that differ, and neighbours that contradict; None where nobody asks."""
    found: list[Exchange] = []
    if any(item.verdict == "differs" for item in compared or ()):
        found += exchanges(stated_results(with_whole_plates(state, shown, compared or ())))
    if around:
        least = max(source.job.options.min_probability for source in shown)
        found += exchanges(stated_by_neighbours(_in_order_of_manifest(around, shown), least))
    return found if around or compared is not None else None


def _in_order_of_manifest(rows: Mapping[str, Sequence[Any]], shown: Iterable[Source]) -> dict[str, list[Any]]:
    """Return the same rows as the manifest has them; whom it does not name comes last."""
    order: dict[tuple[str, str], int] = {}
    for source in shown:
        for name in source.job.carried:
            order.setdefault((safe_cell(source.path), safe_cell(name)), len(order))
    keys = [order.get(pair, len(order)) for pair in zip(rows["input"], rows["sample"], strict=True)]
    places = sorted(range(len(keys)), key=keys.__getitem__)
    return {name: [cells[place] for place in places] for name, cells in rows.items()}


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
    found = [
        Exchange(
            by=stated.by,
            kind="pair",
            first=stated.names[differing[one]],
            second=stated.names[differing[other]],
            people=2,
            before=2,
            after=0,
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
    wanted = [
        value
        for value, count in Counter(values[differing].tolist()).items()
        if value
        and sizes[value] >= limit.swap_min_people
        and count >= limit.neighbours_plate_share * sizes[value]
    ]
    if len(wanted) > page_limits().max_strata:  # so many plates did not change places two by two
        return
    tried = [*_arrangements({value: np.flatnonzero(values == value) for value in wanted})]
    times = Counter(attempt.rare for attempt in tried)
    for attempt in tried:
        known = stated.own[attempt.listed] >= 0
        listed, moved = attempt.listed[known], attempt.moved[known]
        statements = stated.own[listed]
        before = int(differing[listed].sum())
        after = int(stated.differs[moved, statements].sum())
        fit = stated.agrees[moved, statements]
        chance = float(np.prod(stated.shares[statements[fit]]))
        # the usual arrangements and the rare ones share what chance may do, however many there are of each
        likely = chance * times[attempt.rare] * len(times)
        if after <= limit.swap_left_share * before and likely <= limit.swap_chance:
            yield (
                Exchange(
                    by=stated.by,
                    kind=attempt.kind,
                    first=f"{column} = {attempt.first}",
                    second=f"{column} = {attempt.second}" if attempt.second else "",
                    people=len(listed),
                    before=before,
                    after=after,
                    chance=chance,
                ),
                listed,
            )


class _Arrangement(Struct, frozen=True, kw_only=True):
    """People of one group or two as listed, and in the order of a mistake that happens."""

    kind: str
    first: str
    second: str = ""
    listed: Numbers
    moved: Numbers
    rare: bool = False


def _arrangements(plates: Mapping[str, Numbers]) -> Iterator[_Arrangement]:
    for name, own in plates.items():
        yield _Arrangement(kind="reversed", first=name, listed=own, moved=own[::-1])
        yield _Arrangement(kind="shifted by one", first=name, listed=own[1:], moved=own[:-1])
        yield _Arrangement(kind="shifted by one", first=name, listed=own[:-1], moved=own[1:])
        for by in range(2, len(own) - 1) if len(own) <= alarm_limits().swap_plate_wells else ():
            kind = f"rotated by {by if 2 * by <= len(own) else by - len(own)}"
            yield _Arrangement(kind=kind, first=name, listed=own, moved=np.roll(own, by), rare=True)
    for (one, first), (other, second) in itertools.combinations(plates.items(), 2):
        if len(first) == len(second):
            listed, moved = np.concatenate([first, second]), np.concatenate([second, first])
            yield _Arrangement(kind="exchanged", first=one, second=other, listed=listed, moved=moved)


def known_counts(compared: Sequence[Compared], swaps: Sequence[Exchange]) -> dict[str, object]:
    """Return what summary.json says of known results; nothing where there are none."""
    if not compared:
        return {}
    verdicts = Counter(item.verdict for item in compared)
    return {
        "known": {
            "compared": len(compared) - verdicts["not-understood"],
            **{verdict.replace("-", "_"): verdicts[verdict] for verdict in VERDICTS},
            "exchanges": sum(item.by == KNOWN_RESULT for item in swaps),
            "exposed": exposed_share(compared[0].person.population),
            "table": agreement(compared),
        }
    }


def exchange_counts(swaps: Sequence[Exchange]) -> dict[str, object]:
    """Return what summary.json says of exchanges: the first of them, and how many neighbours point to."""
    shown = (
        replace(item, first=safe_cell(item.first), second=safe_cell(item.second))
        for item in swaps[: page_limits().max_listed]
    )
    return {
        "neighbour_exchanges": sum(item.by == NEIGHBOURS for item in swaps),
        "exchanges": list(map(asdict, shown)),
    }


def write_exchanges(found: Iterable[Exchange], path: Path) -> None:
    """Write swaps.tsv: a row an exchange that would explain who differs."""
    write_rows(path, Exchange.__struct_fields__, map(astuple, found))
