"""The JSON object of summary.json, from counts, without any clock: a resumed run gives the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct, to_builtins
from msgspec.structs import replace

from pgx import calling, reference
from pgx.cohort.estimate import Group, nearest, shipped_ranges
from pgx.cohort.jobs import Failure, least_group, page_limits
from pgx.cohort.summary import alarms, statistics
from pgx.cohort.summary.statistics import Cells, Expected, Object, flat, population_label, rounded
from pgx.cohort.summary.strata import ASSEMBLY, OF_FILES, POPULATION, Dividing
from pgx.cohort.summary.tally import NUMBERS, Tally, bin_edges
from pgx.errors import printable
from pgx.genome import haplotypes, letters, rsids
from pgx.observe import DETERMINED_STATES, SiteState

SCHEMA_VERSION = "1.0"
_STATES = dict(zip(rsids(), ("state_1", "state_2"), strict=True))
_LONGEST = 1000
_AGREE = "neighbours_agree"
_STATUSES = [status.value for status in calling.E4Status]


class Overview(Struct, frozen=True, kw_only=True):
    """What is known of a cohort beside its samples."""

    inputs: int
    failures: Sequence[Failure]
    passed_over: tuple[str, ...]  # nobody of them is counted: no record near the sites, and another input has
    shard: str  # "I/N"
    people: Object = {}  # what is known of single people from elsewhere: no part of a page that is shared
    estimates: Sequence[Group] = ()  # groups whose haplotype frequencies were estimated, or could not be


def summarise(tally: Tally, overview: Overview, *, least: int = 0) -> Object:
    """Return the summary of a cohort (docs/cohort.md has its keys); with `least`, for sharing."""
    if least < 2:
        most = page_limits().max_listed
        failures = [
            {name: printable(text, _LONGEST) for name, text in to_builtins(item).items()}
            for item in overview.failures[:most]
        ]
        singles: Object = {
            "undetermined": to_builtins(tally.open),
            "ambiguous": to_builtins(tally.ambiguous),
            "duplicates": {"count": tally.duplicated, "listed": to_builtins(tally.duplicates)},
            "failures": failures,
            "joined": [],  # of version 1.0
            "passed_over": [printable(path, _LONGEST) for path in overview.passed_over[:most]],
            "certainty": [_certainty(tally, rsid) for rsid in rsids()],
        }
        whole = _counts(tally, overview, Cells()) | singles | overview.people
        return whole | {"min_cell": 0, "min_group": page_limits().min_group, "alarms": alarms.alarms(whole)}
    cells = Cells(least).of(tally.samples)
    shown = _counts(tally, overview, cells)
    shown["inputs"] = {"total": shown["inputs"]["total"], "failed": None, "joined": None}
    for name in ("undetermined", "ambiguous", "failures", "joined", "passed_over", "certainty"):
        shown[name] = []
    repeated: Object = {"count": None, "listed": []}
    shown |= {"duplicates": repeated, "min_cell": least, "min_group": least_group(least)}
    # Counts that are not shown raise their alarm as they would be shown.
    certainty = [
        {name: cells.count(value) if isinstance(value, int) else value for name, value in item.items()}
        for item in (_certainty(tally, rsid) for rsid in rsids())
    ]
    return shown | {"alarms": alarms.shared_alarms(shown | {"certainty": certainty})}


def _counts(tally: Tally, overview: Overview, cells: Cells) -> Object:
    expected = _expected(flat(tally.count(POPULATION)), cells)
    sites = [
        {"rsid": rsid, "states": cells.rows(flat(tally.count(states)))}
        | _genotypes(tally.count(rsid, states), cells)
        for rsid, states in _STATES.items()
    ]
    names, counted = calling.diplotype_names(), flat(tally.count("diplotype"))
    del counted[""]  # not determined
    kept, repeated = _kept(tally)
    strata = [found for item in kept if (found := _strata(tally, item, cells))]
    distributions = []
    for name in NUMBERS:
        edges = bin_edges(name)
        each = zip(edges, tally.bins.get(name, np.zeros(len(edges))), strict=True)
        bins = [{"from": edge, "count": cells.count(int(number))} for edge, number in each]
        distributions.append({"name": name, "bins": bins, "unstated": cells.count(tally.unstated[name])})
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "pgx", "version": reference.program_version()},
        "reference": {"release": reference.release(), "digest": reference.digest()},
        "population": {"name": expected.name, "label": expected.label},
        "shard": overview.shard,
        # `joined` is of version 1.0
        "inputs": {"total": cells.count(overview.inputs), "failed": len(overview.failures), "joined": 0},
        "samples": cells.count(tally.samples),
        "statuses": cells.rows(flat(tally.count("e4_status")), _STATUSES),
        "diplotypes": [
            row | {"expected": rounded(share)}
            for row, share in zip(cells.rows(counted, names), expected.diplotypes, strict=True)
        ],
        "haplotypes": _haplotypes(counted, expected, cells),
        "estimates": _estimates(overview.estimates, cells),
        "expected_range": [
            {"name": item.name, "low": rounded(low), "high": rounded(high)}
            for item, (low, high) in zip(haplotypes(), shipped_ranges("superpopulation"), strict=True)
        ],
        "conclusions": cells.rows(flat(tally.count("conclusion"))),
        "assemblies": cells.rows(flat(tally.count(ASSEMBLY))),
        "flags": cells.rows(statistics.parts(tally.count("flags")), total=tally.samples),
        "reasons": cells.rows(statistics.parts(tally.count("reasons")), total=tally.samples),
        "sites": sites,
        "neighbours": _neighbours(flat(tally.count(_AGREE)), cells),
        "strata": strata,
        "repeated": repeated,
        "tests": _tests(sites, strata),
        "distributions": distributions,
    }


def _certainty(tally: Tally, rsid: str) -> Object:
    """Return who is open for want of certainty and who is determined, and the heterozygotes of both."""
    found = dict.fromkeys(("open", "open_heterozygous", "determined", "determined_heterozygous"), 0)
    for (cell, diplotype, reasons), number in tally.count(rsid, "diplotype", "reasons").items():
        kind = "determined" if diplotype else ""
        if calling.Reason.LOW_CERTAINTY in reasons.split(";"):
            kind = "open"
        if kind:
            read = cell.partition(" ")[0].replace("|", "/").split("/")
            found[kind] += number
            found[f"{kind}_heterozygous"] += number * (len(set(read)) == 2)
    return {"rsid": rsid, **found}


def _expected(populations: Mapping[str, int], cells: Cells) -> Expected:
    """Return what is expected of samples of these populations, so far as their numbers are shown."""
    shown: Counter[str] = Counter()
    for name, number in populations.items():
        found, own, known_as = calling.estimated(name), cells, name
        if found is not None:  # its name is that of a group, and of frequencies as their counts are shown
            own = cells.of(number)
            if cells.least:
                shares = _shown_shares(found.frequencies, found.people, cells)
                shares = shares or list(calling.haplotype_frequencies(calling.default_population()))
                people = cells.count(found.people) or 0
                known_as = replace(found, people=people, frequencies=tuple(shares)).name
        shown[known_as] += own.count(number) or 0
    return statistics.expected_of({name: number for name, number in shown.items() if number})


def _kept(tally: Tally) -> tuple[list[Dividing], list[Object]]:
    """Return the columns that divide the page, and those of files that only repeat another, with which."""
    kept: list[Dividing] = []
    repeated: list[Object] = []
    for item in tally.dividing:
        for other in kept if item.column in OF_FILES and not item.asked else ():
            pairs = tally.count(item.column, other.column)
            if len(pairs) == len({first for first, _ in pairs}) == len({second for _, second in pairs}):
                repeated.append({"column": item.name, "repeats": other.name})
                break
        else:
            kept.append(item)
    return kept, repeated


def _tests(sites: Sequence[Object], strata: Sequence[Object]) -> Object:
    """Return how many Hardy-Weinberg tests were made and which hold after correction; add it to each site."""
    made = [(site, "", "") for site in sites]
    for item in strata:
        made += [(site, item["column"], v["value"]) for v in item["values"] for site in v["sites"]]
    done = [row for row in made if row[0]["hardy_weinberg_p"] is not None]
    corrected = iter(statistics.benjamini_hochberg([site["hardy_weinberg_p"] for site, _, _ in done]))
    rate = page_limits().false_discovery_rate
    hold = []
    for site, column, value in made:
        p = None if site["hardy_weinberg_p"] is None else rounded(next(corrected))
        site["hardy_weinberg_corrected"] = p
        if p is not None and p <= rate:
            hold.append({"rsid": site["rsid"], "column": column, "value": value, "corrected": p})
    return {"made": len(done), "false_discovery_rate": rate, "hold": hold}


def _haplotypes(counts: Mapping[str, int], expected: Expected, cells: Cells) -> list[Object]:
    name_of = calling.diplotype_name
    pairs = [(counts[name_of(pair)], [item.name for item in pair]) for pair in calling.diplotypes()]
    whole = [(number, len(names)) for number, names in pairs]
    return [
        cells.weighted(item.name, [(number, names.count(item.name)) for number, names in pairs], whole)
        | {"expected": rounded(share)}
        for item, share in zip(haplotypes(), expected.haplotypes, strict=True)
    ]


def _shown_shares(shares: Sequence[float], people: int, cells: Cells) -> list[float]:
    """Return estimated frequencies as shown, of rounded counts of haplotypes; [] where all are hidden."""
    if not cells.least:
        return list(shares)
    own = cells.of(people)
    counts = [own.count(round(2 * people * share)) or 0 for share in shares]
    return [count / sum(counts) for count in counts] if any(counts) else []


def _estimates(groups: Sequence[Group], cells: Cells) -> list[Object]:
    if cells.least:
        shown = _shown_groups({item.group: item.people for item in groups}, cells)
        groups = [item for item in groups if item.group in shown and item.frequencies]
    found: list[Object] = []
    for group in groups:
        shares = _shown_shares(group.frequencies, group.people, cells)
        rows = []
        each = zip(haplotypes(), shares, group.worth, shipped_ranges(), strict=False)
        for item, share, worth, shipped in each:  # the interval is of as many haplotypes as it is worth
            size = cells.count(round(worth)) if cells.least else worth
            row: Object = {"name": item.name} | dict.fromkeys(("share", "low", "high"))
            if share and size:
                low, high = statistics.wilson(share * size, size)
                row |= {"share": rounded(share), "low": rounded(low), "high": rounded(high)}
            rows.append(row | {"shipped": [rounded(value) for value in shipped]})
        name, distance = nearest(shares) if shares else (None, None)
        near = {"name": name, "distance": None if distance is None else rounded(distance)}
        counts = {name: cells.count(getattr(group, name)) for name in ("samples", "people", "read")}
        own = {"group": printable(group.group, _LONGEST), **counts, "haplotypes": rows, "nearest": near}
        found.append(own)
    return found


def _neighbours(answers: Mapping[str, int], cells: Cells) -> Object:
    asked = answers["yes"] + answers["no"]
    return {"asked": cells.count(asked), "disagree": cells.row("disagree", answers["no"], asked)}


def _genotypes(counts: Mapping[tuple[str, ...], int], cells: Cells) -> Object:
    # `counts` by cell and state. Letters that were assumed, or stated of a region, are not observed.
    low, high = letters()
    observed = [0, 0, 0]
    for (cell, state), number in counts.items():
        if state in {SiteState.CALLED, SiteState.REFERENCE_BLOCK}:
            observed[cell.replace("|", "/").split("/").count(high)] += number
    total = sum(counts.values())
    is_read = DETERMINED_STATES - {SiteState.ASSUMED_REFERENCE}
    read = sum(number for (_, state), number in counts.items() if state in is_read)
    names = (f"{low}/{low}", f"{low}/{high}", f"{high}/{high}")
    copies, whole = list(zip(observed, (0, 1, 2), strict=True)), [(number, 2) for number in observed]
    return {
        "samples": cells.count(total),
        "genotypes": {name: cells.count(number) for name, number in zip(names, observed, strict=True)},
        "allele": cells.weighted(high, copies, whole),
        "missing": cells.row("missing", total - read, total),
        "hardy_weinberg_p": cells.hardy_weinberg(observed),
    }


def _strata(tally: Tally, dividing: Dividing, cells: Cells) -> Object | None:
    """Return statuses and sites by the values of one column; None where they are all the same."""
    # Of a group too small to be shown not even the name is: of one or two people it would say what they are.
    column = dividing.column
    sizes = flat(tally.count(column))
    if len(sizes) < 2:
        return None
    by_site = {rsid: tally.count(column, rsid, _STATES[rsid]) for rsid in rsids()}
    counted = {name: tally.count(column, name) for name in ("e4_status", "diplotype", POPULATION, _AGREE)}
    rows = []
    for value in sorted(_shown_groups(sizes, cells), key=population_label):
        statuses, diplotypes, populations, answers = (flat(_of(counts, value)) for counts in counted.values())
        row = {
            "value": population_label(value),
            "samples": cells.count(sizes[value]),
            "statuses": cells.rows(statuses, _STATUSES),
            "haplotypes": _haplotypes(diplotypes, _expected(populations, cells), cells),
            "sites": [{"rsid": rsid, **_genotypes(_of(by_site[rsid], value), cells)} for rsid in by_site],
            "neighbours": _neighbours(answers, cells),
        }
        rows.append(row)
    return {"column": dividing.name, "values": rows, "left_out": len(sizes) > len(rows)}


def _shown_groups(sizes: Mapping[str, int], cells: Cells) -> set[str]:
    """Return the groups that are large enough to be shown; what is left out must be a group too."""
    # Else the total less all others would be what one or two people are.
    least = page_limits().min_group
    by_size = sorted(sizes, key=lambda value: (sizes[value], value))
    shown = [v for v in by_size if sizes[v] >= least and cells.of(sizes[v]).count(sizes[v]) is not None]
    left = sum(sizes.values()) - sum(sizes[value] for value in shown)
    return set(shown[1:] if 0 < left < least else shown)


def _of(counts: Mapping[tuple[str, ...], int], value: str) -> Counter[tuple[str, ...]]:
    return Counter({tuple(rest): number for (own, *rest), number in counts.items() if own == value})
