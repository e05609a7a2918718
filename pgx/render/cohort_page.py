"""The page of a cohort, and its custom content for MultiQC, from the object of summary.json.

One file, no network; what it links lies beside it. The only script is that of --sample-table.
"""

from __future__ import annotations

import functools
import operator
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec import Struct

from pgx.calling import Reason
from pgx.genome import rsids
from pgx.render.cohort_table import STATUSES, SampleTable, table_columns, table_data, word
from pgx.render.form import asset, environment
from pgx.wording import Wording, greek, percent, rounded_percent, wording

if TYPE_CHECKING:
    from jinja2 import Template

Object = Mapping[str, Any]
_SITE_REASONS = (Reason.SITE_UNUSED.value, Reason.HALF_CALL.value)
_ENDS = ("low", "high")
_USED = frozenset({"called", "reference-block", "callable-region"})
_BAR = 160  # pixels that 100 % take
_DOTS = 84
_COLORS = ("#c3d4e3", "#5b93c0", "#123a5e", "#8a6d9e", "#d08a5c")  # of MultiQC, in the order of the statuses


class Made(Struct, frozen=True, kw_only=True):
    """When and how a page was made."""

    when: str
    command: str  # "" where it is not told
    options: Sequence[tuple[str, Sequence[str]]]  # not as by default: flag, values (several if inputs differ)
    inputs: Sequence[str]  # the first of them
    files: Sequence[str]  # that the page links


def template() -> Template:
    """Return the layout of the page; to compile it takes longer than to fill it in."""
    return environment().get_template("cohort.html.j2")


def page(summary: Object, made: Made, table: SampleTable | None = None) -> str:
    """Return index.html."""
    from markupsafe import Markup  # noqa: PLC0415 - belongs to jinja2, which costs time to import

    style, style_hash = asset("cohort.css")
    script, script_hash = asset("cohort.js")
    words = wording()
    columns = [] if table is None else table_columns(words, table)
    agreement: dict[tuple[str, str], Counter[str]] = {}  # people by verdict, for each method and result
    for row in summary.get("known", {}).get("table", ()):
        agreement.setdefault((row["method"], row["known"]), Counter())[row["verdict"]] += row["count"]
    return template().render(
        lang=words.language,
        s=summary,
        made=made,
        table=table,
        columns=columns,
        table_data=Markup(table_data(words, table, columns)) if table else "",  # noqa: S704 - no "<" is in it
        say=functools.partial(words.say, "cohort"),
        word=functools.partial(word, words),
        greek=greek,
        link=quote,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script) if table else "",  # noqa: S704 - our own file
        style_hash=style_hash,
        script_hash=script_hash if table else "",
        agreement=list(agreement.items()),
        verdicts=("agrees", "differs", "open", "not-understood"),
        number=_number,
        least=_sum_text,
        percent=_percent,
        exact=percent,
        interval=_interval,
        headline=_headline(summary),
        carriers=_carriers,
        why=functools.partial(_why, words),
        settles=lambda reasons: "; ".join(dict.fromkeys(words.say("cohort", f"cure_{r}") for r in reasons)),
        groups=_by_reasons,
        of_sites=lambda reasons: bool(set(reasons).intersection(_SITE_REASONS)),
        bars=_bars,
        stack=_stack,
        dots=_dots(summary),
        tests=_tests_text(words, summary),
        told=functools.partial(_told, summary),
        bins=_bins,
        bar_width=_BAR,
        dots_width=_DOTS,
    )


def _number(count: int | None) -> str:
    """Return a count as text: thin spaces between thousands, "hidden" where it was left out."""
    if count is None:
        return wording().say("cohort", "hidden")
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _sum_text(found: Object) -> str:
    """Return a sum as text; where hidden counts are missing in it, it says so."""
    text = _number(found["count"])
    return wording().say("cohort", "about", count=text) if found["has_hidden"] else text


def _percent(share: float | None) -> str:
    return "–" if share is None else rounded_percent(share)


def _interval(row: Object) -> str:
    return "–" if row["share"] is None else f"{_percent(row['low'])} – {_percent(row['high'])}"


def _sum(counts: Sequence[int | None]) -> Object:
    """Return a sum of counts, and whether hidden ones are missing in it."""
    return {"count": sum(count or 0 for count in counts), "has_hidden": None in counts}


def _carriers(statuses: Sequence[Object]) -> Object:
    """Return carriers, and their share of the samples with a determined status where none is hidden."""
    counts = {row["name"]: row["count"] for row in statuses}
    carriers = _sum([counts.get(name, 0) for name in ("heterozygous", "homozygous", "carrier")])
    known = _sum([carriers["count"], counts.get("non-carrier", 0)])
    whole = known["count"] if not (carriers["has_hidden"] or known["has_hidden"]) else 0
    return {**carriers, "share": carriers["count"] / whole if whole else None}


def _headline(summary: Object) -> Object:
    """Return the numbers at the head of the page."""
    determined, samples = _sum([row["count"] for row in summary["diplotypes"]]), summary["samples"]
    share = determined["count"] / samples if samples and not determined["has_hidden"] else None
    return {
        "determined": determined,
        "share": None if share is None else min(1.0, share),
        "carriers": _carriers(summary["statuses"]),
        "indeterminate": next(r for r in summary["statuses"] if r["name"] == "indeterminate"),
    }


def _why(words: Wording, sample: Object) -> str:
    """Return why a sample is not determined: which site could not be read, or what else is the matter."""
    states = zip(rsids(), sample["states"], strict=True)
    unread = [f"{rsid}: {word(words, 'state', state)}" for rsid, state in states if state not in _USED]
    found: list[str] = []
    for reason in sample["reasons"]:
        at_sites = unread if reason in _SITE_REASONS else []
        found += at_sites or [words.say("cohort_reason", reason)]
    return "; ".join(dict.fromkeys(found))


def _by_reasons(samples: Sequence[Object]) -> list[tuple[list[str], list[Object]]]:
    """Return samples by why they are not determined, the largest group first: one advice is for all of it."""
    reasons = operator.itemgetter("reasons")
    found = [(why, list(some)) for why, some in groupby(sorted(samples, key=reasons), key=reasons)]
    return sorted(found, key=lambda group: -len(group[1]))


def _bars(rows: Sequence[Object], *, expected: bool = False) -> list[Object]:
    """Return rows with the lengths of their bars, whiskers and marks in pixels; the track is 100 %."""
    found: list[Object] = []
    for row in rows:
        seen = row["share"] is not None
        reach = [round(_BAR * row[key], 1) for key in _ENDS] if expected and seen else None
        mark = round(_BAR * row["expected"], 1) if expected else None
        bar = round(_BAR * row["share"], 1) if seen else None
        found.append({**row, "bar": bar, "reach": reach, "mark": mark})
    return found


def _stack(statuses: Sequence[Object]) -> Iterator[Object]:
    """Yield the parts of a bar of 100 %, all wide enough to be seen; hidden counts leave a gap."""
    parts = [row for row in statuses if row["share"]]
    wide = [max(0.004, row["share"]) for row in parts]
    scale = 1 / max(1.0, sum(wide))
    for place, (row, width) in enumerate(zip(parts, wide, strict=True)):
        x = round(1000 * (scale * sum(wide[:place])), 1)
        yield {**row, "x": x, "width": round(1000 * scale * width, 1)}


def _dots(summary: Object) -> Object:
    """Return the dot plot of haplotypes: the axis of each, and the groups with where their marks stand."""
    reach = {row["name"]: row for row in summary["expected_range"]}
    everybody = {"column": None, "value": None, "haplotypes": summary["haplotypes"]}
    rows = [everybody, *({**v, "column": s["column"]} for s in summary["strata"] for v in s["values"])]
    axes = {}
    for name in ("e2", "e3", "e4"):
        shares = [row["share"] or 0.0 for group in rows for row in group["haplotypes"] if row["name"] == name]
        axes[name] = min(1.0, max(1, -(-1.2 * max(*shares, reach[name]["high"]) // 0.1)) * 0.1)

    def cell(row: Object) -> Object:
        places = [row["expected"], *(reach[row["name"]][key] for key in _ENDS)]
        places += [row[key] for key in ("share", "low", "high")] if row["share"] is not None else []
        mark, low, high, *seen = (round(_DOTS * min(1.0, share / axes[row["name"]]), 1) for share in places)
        dot = seen[0] if seen else None
        return {**row, "mark": mark, "band": [low, high], "dot": dot, "whisker": seen[1:]}

    groups = []
    for group in rows:
        total = _sum([row["count"] for row in group["haplotypes"]])
        cells = [cell(row) for row in group["haplotypes"] if row["name"] in axes]
        groups.append({"column": group["column"], "value": group["value"], "total": total, "cells": cells})
    return {"axes": axes, "groups": groups}


def _tests_text(words: Wording, summary: Object) -> str:
    """Return how many tests were made, and which hold after correction for their number."""
    tests, say = summary["tests"], functools.partial(words.say, "cohort")
    if not tests["made"]:
        return say("tests_none")
    names = []
    for row in tests["hold"]:
        who = f"{row['column']} = {row['value'] or '-'}" if row["column"] else say("everybody")
        names.append(say("everybody_at", rsid=row["rsid"], who=who))
    rate = f"{100 * tests['false_discovery_rate']:g} %"
    held = say("tests_hold" if names else "tests_hold_none", count=len(names), names=", ".join(names))
    return f"{say('tests_made', made=tests['made'], rate=rate)} {held}"


def _told(summary: Object, kind: str) -> list[Object]:
    """Return the distributions that are "shown", stated "nowhere", or "hidden" altogether."""
    counts = [(item, [part["count"] for part in item["bins"]]) for item in summary["distributions"]]
    kinds = (("shown" if any(some) else "hidden" if None in some else "nowhere") for _, some in counts)
    return [item for (item, _), found in zip(counts, kinds, strict=True) if found == kind]


def _bins(distribution: Object) -> list[Object]:
    """Return the bins of a distribution as rows: label, count, share; the last of whole numbers is named."""
    bins, whole = distribution["bins"], distribution["name"].startswith("depth")
    total = sum(item["count"] or 0 for item in bins)
    rows = []
    for item, following in zip_longest(bins, bins[1:]):
        low, label = item["from"], f"≥ {item['from']:g}"
        if following and not whole:
            label = f"{low:g} – < {following['from']:g}"
        elif following:
            label = f"{low:g}" if following["from"] == low + 1 else f"{low:g} – {following['from'] - 1:g}"
        share = item["count"] / total if item["count"] is not None and total else None
        rows.append({"name": label, "count": item["count"], "share": share})
    return _bars(rows)


def multiqc(summary: Object) -> dict[str, Any]:
    """Return custom content for MultiQC: a bar graph of statuses, for everybody and by group."""
    words = wording()
    groups = {"cohort": _bar_parts(summary)}
    for stratum in summary["strata"]:
        for value in stratum["values"]:
            groups[_inert(f"{stratum['column']} = {value['value'] or '-'}")] = _bar_parts(value)
    failed, say = summary["inputs"]["failed"], functools.partial(words.say, "cohort")
    unread = [f"{site['rsid']} {_number(site['missing']['count'])}" for site in summary["sites"]]
    told = {"samples": _number(summary["samples"]), "unread": "; ".join(unread)}
    told["failed"] = "" if failed is None else say("multiqc_failed", count=failed)
    switch = {"cpswitch_counts_label": say("count"), "cpswitch_c_active": False}
    colors = {name: (f"short_{name}", color) for name, color in zip(STATUSES, _COLORS, strict=True)}
    if any("hidden" in parts for parts in groups.values()):
        colors["hidden"] = ("hidden", "#dddddd")
    return {
        "id": "pgx_apoe",
        "section_name": "APOE (pgx)",
        "description": say("multiqc", **told),
        "plot_type": "bargraph",
        "pconfig": {"id": "pgx_apoe_status", "title": "pgx: APOE ε4 status", "ylab": say("count"), **switch},
        "categories": {name: {"name": say(key), "color": color} for name, (key, color) in colors.items()},
        "data": groups,
    }


def _bar_parts(group: Object) -> dict[str, int]:
    """Return the parts of a bar for MultiQC, which draws shares of their sum: what is hidden is one, too."""
    parts = {row["name"]: row["count"] for row in group["statuses"]}
    shown = {name: count for name, count in parts.items() if count is not None}
    left = (group["samples"] or 0) - sum(shown.values())
    return shown | ({"hidden": left} if len(shown) < len(parts) and left > 0 else {})


def _inert(name: str) -> str:
    """Return a name for MultiQC, which takes it for HTML; all else stays: names must be the same there."""
    return name.replace("<", "&lt;")


def multiqc_samples(cells: Mapping[str, Sequence[Any]], *, results: bool) -> dict[str, Any]:
    """Return rows of samples for the general statistics of MultiQC: quality, and results if asked for."""
    words = wording()
    heads: dict[str, dict[str, object]] = {
        "probability": {"title": "APOE P", "max": 1, "min": 0, "format": "{:,.4f}", "scale": "RdYlGn"}
    }
    for key, unit, scale in (("depth", "reads", "Blues"), ("quality", "GQ", "Greens")):
        known = {"min": 0, "format": "{:,.0f}", "scale": scale}
        heads |= {
            f"{key}_{n}": {"title": f"{rsid} {unit}", **known} for n, rsid in enumerate(rsids(), start=1)
        }
    measured = list(heads)[1:]
    heads |= {"diplotype": {"title": "APOE", "scale": False}, "status": {"title": "APOE ε4", "scale": False}}
    data: dict[str, dict[str, object]] = {}
    for place, name in enumerate(cells["sample"]):
        row = {key: cells[key][place] for key in measured}
        if cells["best"][place] is not None:  # else it is that of a population
            row["probability"] = cells["diplotype_probability"][place]
        status, diplotype = cells["e4_status"][place], cells["diplotype"][place]
        if results and status is not None:  # None of a minor
            row["status"] = words.say("cohort", f"short_{status}")
            row["diplotype"] = greek(diplotype) if diplotype else words.say("cohort", "short_indeterminate")
        data.setdefault(_inert(name), {key: cell for key, cell in row.items() if cell is not None})
    used = {key for row in data.values() for key in row}
    named = {"probability": "diplotype_probability"}
    told = {key: words.say("cohort", named.get(key, key)) for key in heads if key in used}
    headers = {key: {"namespace": "pgx", "description": text, **heads[key]} for key, text in told.items()}
    return {"id": "pgx_apoe_samples", "plot_type": "generalstats", "headers": headers, "data": data}
