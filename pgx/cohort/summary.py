"""What the cohort looks like: the JSON object of summary.json, from counts. Its page shows nothing else.

No clock: a run that was resumed or done in slices gives the same bytes as one without a break.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import to_builtins

from pgx import provenance, reference
from pgx.calling import E4Status, default_population, diplotype_prior, haplotype_frequencies, populations
from pgx.calling.populations import diplotype_name, diplotypes
from pgx.cohort.alarms import alarms
from pgx.cohort.hiding import hidden
from pgx.cohort.plan import Failure
from pgx.cohort.rules import page_limits
from pgx.cohort.statistics import hardy_weinberg, wilson
from pgx.cohort.tally import Tally
from pgx.observe import DETERMINED_STATES
from pgx.sites import counted_haplotype, haplotypes, letters, rsids

if TYPE_CHECKING:
    from pgx.cohort.outputs import PageOptions

Object = dict[str, Any]
SCHEMA_VERSION = "1.0"
#: Name of the stratum that is everybody.
ALL = ""
_STATES = dict(zip(rsids(), ("state_1", "state_2"), strict=True))


def summarise(
    tally: Tally, failures: Sequence[Failure], *, inputs: int, shard: str, page: PageOptions
) -> Object:
    """Return the summary of a cohort; see docs/cohort.md for its keys."""
    population = page.population or default_population()
    limit = page_limits().max_listed
    found: Object = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "pgx", "version": provenance.program_version()},
        "reference": {"release": reference.release(), "digest": reference.digest()},
        "population": {"name": population, "label": _label(population)},
        "shard": shard,
        "inputs": {"total": inputs, "failed": len(failures)},
        "samples": tally.samples,
        "statuses": _shares(tally.count("e4_status"), [status.value for status in E4Status]),
        "diplotypes": _diplotypes(tally, population),
        "haplotypes": _haplotypes(tally, population),
        "conclusions": _shares(tally.count("conclusion")),
        "assemblies": _shares(tally.count("assembly")),
        "flags": _flags(tally),
        "reasons": _reasons(tally),
        "sites": [_site(tally, rsid) for rsid in rsids()],
        "strata": [_stratum(tally, name) for name in tally.dividing],
        "distributions": _distributions(tally),
        "undetermined": [to_builtins(item) for item in tally.open[:limit]],
        "duplicates": {
            "count": tally.duplicated,
            "listed": [to_builtins(item) for item in tally.duplicates[:limit]],
        },
        "failures": [to_builtins(item) for item in failures[:limit]],
        "rows": tally.rows,
        "min_cell": page.min_cell,
    }
    found["alarms"] = alarms(found, same_twice=sum(item.same_genotypes for item in tally.duplicates))
    return hidden(found, page.min_cell) if page.min_cell else found


def _label(population: str) -> str:
    return next((item.label for item in populations() if item.name == population), population)


def _shares(counts: Counter[tuple[str, ...]], order: Sequence[str] = ()) -> list[Object]:
    """Return counts with share and interval: in the order that is given, else the most frequent first."""
    total = sum(counts.values())
    flat = {name: number for (name,), number in counts.items()}
    names = order or sorted(flat, key=lambda name: (-flat[name], name))
    return [_share(name, flat.get(name, 0), total) for name in names]


def _share(name: str, count: int, total: int) -> Object:
    low, high = wilson(count, total)
    return {
        "name": name,
        "count": count,
        "share": _round(count / total) if total else None,
        "low": _round(low),
        "high": _round(high),
    }


def _round(value: float) -> float:
    return float(f"{value:.6g}")


def _diplotypes(tally: Tally, population: str) -> list[Object]:
    """Return the determined diplotypes as shares of all determined, beside what the population expects."""
    counts = {name: number for (name,), number in tally.count("diplotype").items() if name}
    total = sum(counts.values())
    expected = diplotype_prior(population)
    return [
        {**_share(name, counts.get(name, 0), total), "expected": _round(share)}
        for name, share in zip(map(diplotype_name, diplotypes()), expected, strict=True)
    ]


def _haplotypes(tally: Tally, population: str) -> list[Object]:
    counts: Counter[str] = Counter()
    for (diplotype,), number in tally.count("diplotype").items():
        for name in diplotype.split("/") if diplotype else ():
            counts[name] += number
    total = sum(counts.values())
    expected = haplotype_frequencies(population)
    return [
        {**_share(item.name, counts[item.name], total), "expected": _round(share)}
        for item, share in zip(haplotypes(), expected, strict=True)
    ]


def _flags(tally: Tally) -> list[Object]:
    counts: Counter[tuple[str, ...]] = Counter()
    for (text,), number in tally.count("flags").items():
        for code in text.split(";") if text else ():
            counts[code,] += number
    return [
        _share(name, number, tally.samples)
        for (name,), number in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def _reasons(tally: Tally) -> list[Object]:
    counts: Counter[str] = Counter()
    for (text,), number in tally.count("reasons").items():
        for code in text.split(";") if text else ():
            counts[code] += number
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [_share(name, number, tally.samples) for name, number in ordered]


def _site(tally: Tally, rsid: str) -> Object:
    states = tally.count(_STATES[rsid])
    return {
        "rsid": rsid,
        "states": _shares(states),
        **_genotypes(tally.count(rsid, _STATES[rsid])),
    }


def _genotypes(counts: Counter[tuple[str, ...]]) -> Object:
    """Return what was observed at a site: genotypes, allele frequency, Hardy-Weinberg, and what is missing.

    `counts` by cell and state. Letters that were assumed are not observed.
    """
    low, high = letters()[0], letters()[1]
    observed = [0, 0, 0]
    for (cell, state), number in counts.items():
        alleles = cell.replace("|", "/").split("/")
        if state in DETERMINED_STATES and len(cell) == 3 and set(alleles) <= {low, high}:
            observed[alleles.count(high)] += number
    total, known = sum(counts.values()), sum(observed)
    frequency = _share(high, observed[1] + 2 * observed[2], 2 * known)
    return {
        "samples": total,
        "genotypes": {
            f"{low}/{low}": observed[0],
            f"{low}/{high}": observed[1],
            f"{high}/{high}": observed[2],
        },
        "allele": frequency,
        "missing": _share("missing", total - known, total),
        "hardy_weinberg_p": _round(hardy_weinberg(*observed)) if known else None,
    }


def _stratum(tally: Tally, name: str) -> Object:
    """Return statuses and sites by the values of one dividing column."""
    statuses = tally.count(name, "e4_status")
    sites = {rsid: tally.count(name, rsid, _STATES[rsid]) for rsid in rsids()}
    values = sorted({value for value, _ in statuses})
    return {
        "column": name,
        "values": [
            {
                "value": value,
                "samples": sum(number for (own, _), number in statuses.items() if own == value),
                "statuses": _shares(_of(statuses, value), [status.value for status in E4Status]),
                "sites": [{"rsid": rsid, **_genotypes(_of(counts, value))} for rsid, counts in sites.items()],
            }
            for value in values
        ],
    }


def _of(counts: Mapping[tuple[str, ...], int], value: str) -> Counter[tuple[str, ...]]:
    return Counter(
        {
            rest: number
            for (own, *others), number in counts.items()
            if own == value
            for rest in [tuple(others)]
        }
    )


def _distributions(tally: Tally) -> list[Object]:
    limits = page_limits()
    edges = {
        "depth_1": limits.depth_bins,
        "depth_2": limits.depth_bins,
        "quality_1": limits.quality_bins,
        "quality_2": limits.quality_bins,
        "diplotype_probability": limits.probability_bins,
    }
    return [
        {
            "name": name,
            "bins": [
                {"from": edge, "count": int(count)}
                for edge, count in zip(bins, tally.bins.get(name, np.zeros(len(bins))), strict=True)
            ],
            "unstated": tally.unstated[name],
        }
        for name, bins in edges.items()
    ]


def e4_of(haplotype_rows: Sequence[Object]) -> Object:
    """Return the row of the counted haplotype."""
    return next(row for row in haplotype_rows if row["name"] == counted_haplotype())
