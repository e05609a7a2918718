"""The page of a cohort, and its custom content for MultiQC, from the object of summary.json."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
_USED = frozenset({"called", "reference-block", "callable-region"})
_BAR = 160  # pixels that 100 % take
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

    (style, style_hash), (script, script_hash), words = asset("cohort.css"), asset("cohort.js"), wording()
    columns = [] if table is None else table_columns(words, table)
    told: dict[str, list[Object]] = {"shown": [], "nowhere": [], "hidden": []}  # distributions
    for item in summary["distributions"]:
        counts = [part["count"] for part in item["bins"]]
        told["shown" if any(counts) else "hidden" if None in counts else "nowhere"].append(item)
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
        number=_number,
        percent=lambda share: "–" if share is None else rounded_percent(share),
        exact=percent,
        total=_sum,
        carriers=_carriers,
        why=functools.partial(_why, words),
        settles=lambda reasons: "; ".join(dict.fromkeys(words.say("cohort", f"cure_{r}") for r in reasons)),
        largest_first=lambda groups: sorted(groups, key=lambda group: -len(group[1])),
        site_reasons=_SITE_REASONS,
        stack=_stack,
        dots=_dots(summary),
        length=lambda width, share, top=1: round(width * min(1.0, share / top), 1),
        tests=_tests_text(words, summary),
        told=told,
        bins=_bins,
        bar_width=_BAR,
    )


def _number(count: int | None) -> str:
    """Return a count as text: thin spaces between thousands, "hidden" where it was left out."""
    if count is None:
        return wording().say("cohort", "hidden")
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


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


def _why(words: Wording, sample: Object) -> str:
    states = zip(rsids(), sample["states"], strict=True)
    unread = [f"{rsid}: {word(words, 'state', state)}" for rsid, state in states if state not in _USED]
    at = {reason: unread for reason in _SITE_REASONS if unread}
    found = (at.get(reason) or [words.say("cohort_reason", reason)] for reason in sample["reasons"])
    return "; ".join(dict.fromkeys(itertools.chain.from_iterable(found)))


def _stack(statuses: Sequence[Object]) -> Iterator[Object]:
    """Yield the parts of a bar of 100 %, all wide enough to be seen; hidden counts leave a gap."""
    parts = [row for row in statuses if row["share"]]
    wide = [max(0.004, row["share"]) for row in parts]
    scale = 1 / max(1.0, sum(wide))
    for place, (row, width) in enumerate(zip(parts, wide, strict=True)):
        x = round(1000 * (scale * sum(wide[:place])), 1)
        yield {**row, "x": x, "width": round(1000 * scale * width, 1)}


def _dots(summary: Object) -> dict[str, Any]:
    """Return the dot plot of haplotypes: the ends of their axes, the groups, and what is expected."""
    reach = {row["name"]: row for row in summary["expected_range"]}
    everybody = {"column": None, "value": None, "haplotypes": summary["haplotypes"]}
    rows = [everybody, *({**v, "column": s["column"]} for s in summary["strata"] for v in s["values"])]
    axes = {}
    for name in ("e2", "e3", "e4"):
        shares = [row["share"] or 0.0 for group in rows for row in group["haplotypes"] if row["name"] == name]
        axes[name] = min(1.0, max(1, -(-1.2 * max(*shares, reach[name]["high"]) // 0.1)) * 0.1)
    return {"axes": axes, "groups": rows, "reach": reach}


def _tests_text(words: Wording, summary: Object) -> str:
    """Return how many tests were made, and which hold after correction for their number."""
    tests, say = summary["tests"], functools.partial(words.say, "cohort")
    if not tests["made"]:
        return say("tests_none")
    pairs = ((row["rsid"], row["column"], row["value"] or "-") for row in tests["hold"])
    whos = ((rsid, f"{column} = {value}" if column else say("everybody")) for rsid, column, value in pairs)
    names = [say("everybody_at", rsid=rsid, who=who) for rsid, who in whos]
    rate = f"{100 * tests['false_discovery_rate']:g} %"
    held = say("tests_hold" if names else "tests_hold_none", count=len(names), names=", ".join(names))
    return f"{say('tests_made', made=tests['made'], rate=rate)} {held}"


def _bins(distribution: Object) -> list[dict[str, Any]]:
    """Return the bins of a distribution as rows: name, count, share."""
    bins, whole = distribution["bins"], distribution["name"].startswith("depth")
    total = sum(item["count"] or 0 for item in bins)
    rows = []
    for item, following in itertools.zip_longest(bins, bins[1:]):
        low, label = item["from"], f"≥ {item['from']:g}"
        if following and not whole:
            label = f"{low:g} – < {following['from']:g}"
        elif following:
            label = f"{low:g}" if following["from"] == low + 1 else f"{low:g} – {following['from'] - 1:g}"
        share = item["count"] / total if item["count"] is not None and total else None
        rows.append({"name": label, "count": item["count"], "share": share})
    return rows


def multiqc(summary: Object) -> dict[str, Any]:
    """Return custom content for MultiQC: a bar graph of statuses, for everybody and by group."""
    words = wording()
    groups = {"cohort": _bar_parts(summary)}
    for stratum in summary["strata"]:
        for value in stratum["values"]:
            name = f"{stratum['column']} = {value['value'] or '-'}"
            groups[name.replace("<", "&lt;")] = _bar_parts(value)  # MultiQC takes names for HTML
    failed, say = summary["inputs"]["failed"], functools.partial(words.say, "cohort")
    unread = [f"{site['rsid']} {_number(site['missing']['count'])}" for site in summary["sites"]]
    told = {"samples": _number(summary["samples"]), "unread": "; ".join(unread)}
    told["failed"] = "" if failed is None else say("multiqc_failed", count=failed)
    axis = {"ylab": say("count"), "cpswitch_counts_label": say("count"), "cpswitch_c_active": False}
    colors = {name: (f"short_{name}", color) for name, color in zip(STATUSES, _COLORS, strict=True)}
    if any("hidden" in parts for parts in groups.values()):
        colors["hidden"] = ("hidden", "#dddddd")
    return {
        "id": "pgx_apoe",
        "section_name": "APOE (pgx)",
        "description": say("multiqc", **told),
        "plot_type": "bargraph",
        "pconfig": {"id": "pgx_apoe_status", "title": "pgx: APOE ε4 status", **axis},
        "categories": {name: {"name": say(key), "color": color} for name, (key, color) in colors.items()},
        "data": groups,
    }


def _bar_parts(group: Object) -> dict[str, int]:
    """Return the parts of a bar for MultiQC, which draws shares of their sum: what is hidden is one, too."""
    parts = {row["name"]: row["count"] for row in group["statuses"]}
    shown = {name: count for name, count in parts.items() if count is not None}
    left = (group["samples"] or 0) - sum(shown.values())
    return shown | ({"hidden": left} if len(shown) < len(parts) and left > 0 else {})


def multiqc_samples(cells: Mapping[str, Sequence[Any]], *, results: bool) -> dict[str, Any]:
    """Return rows of samples for the general statistics of MultiQC: quality, and results if asked for."""
    words = wording()
    heads: dict[str, dict[str, object]] = {
        "probability": {"title": "APOE P", "max": 1, "min": 0, "format": "{:,.4f}", "scale": "RdYlGn"}
    }
    for key, unit, scale in (("depth", "reads", "Blues"), ("quality", "GQ", "Greens")):
        known = {"min": 0, "format": "{:,.0f}", "scale": scale}
        named = enumerate(rsids(), start=1)
        heads |= {f"{key}_{n}": {"title": f"{rsid} {unit}", **known} for n, rsid in named}
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
        known = {key: cell for key, cell in row.items() if cell is not None}
        data.setdefault(name.replace("<", "&lt;"), known)  # all else stays: names must be the same there
    used = {key for row in data.values() for key in row}
    aliases = {"probability": "diplotype_probability"}
    told = {key: words.say("cohort", aliases.get(key, key)) for key in heads if key in used}
    headers = {key: {"namespace": "pgx", "description": text, **heads[key]} for key, text in told.items()}
    return {"id": "pgx_apoe_samples", "plot_type": "generalstats", "headers": headers, "data": data}
