"""The page of a cohort, and its custom content for MultiQC, from the object of summary.json.

One file, no network; the only script filters the rows of --sample-table, which can be read without it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from pgx.calling import Reason
from pgx.genome import rsids
from pgx.render.form import asset, environment
from pgx.wording import Wording, greek, percent, rounded_percent, wording

Object = Mapping[str, Any]
_SITE_REASONS = (Reason.SITE_UNUSED.value, Reason.HALF_CALL.value)
_USED = frozenset({"called", "reference-block", "callable-region"})
_BAR = 160  # pixels that the greatest share of a table takes


def page(summary: Object) -> str:
    """Return index.html. Plots are drawn in the rows of the tables that hold their numbers."""
    from markupsafe import Markup  # noqa: PLC0415 - belongs to jinja2, which costs time to import

    style, style_hash = asset("cohort.css")
    script, script_hash = asset("cohort.js")
    words = wording()
    with_script = bool(summary["rows"])
    return (
        environment()
        .get_template("cohort.html.j2")
        .render(
            lang=words.language,
            s=summary,
            say=functools.partial(words.say, "cohort"),
            word=functools.partial(_word, words),
            greek=greek,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script) if with_script else "",  # noqa: S704 - our own file
            style_hash=style_hash,
            script_hash=script_hash if with_script else "",
            number=_number,
            least=_sum_text,
            percent=_percent,
            exact=percent,
            interval=_interval,
            headline=_headline(summary),
            carriers=_carriers,
            why=functools.partial(_why, words),
            settles=functools.partial(_settles, words),
            bars=_bars,
            listed_row=functools.partial(_listed_row, words),
            bins=_bins,
            bar_width=_BAR,
        )
    )


def _word(words: Wording, topic: str, key: str) -> str:
    """Return the words for a code; a code without words stands for itself."""
    return words.topics.get(topic, {}).get(key, key)


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
    determined = _sum([row["count"] for row in summary["diplotypes"]])
    samples = summary["samples"]
    share = determined["count"] / samples if samples and not determined["has_hidden"] else None
    return {
        "determined": determined,
        "share": None if share is None else min(1.0, share),
        "carriers": _carriers(summary["statuses"]),
        "indeterminate": next(r for r in summary["statuses"] if r["name"] == "indeterminate"),
    }


def _why(words: Wording, sample: Object) -> str:
    """Return why a sample is not determined: which site could not be read, or what else is the matter."""
    found = []
    for reason in sample["reasons"]:
        if reason in _SITE_REASONS:
            unread = [
                f"{rsid}: {_word(words, 'state', state)}"
                for rsid, state in zip(rsids(), sample["states"], strict=True)
                if state not in _USED
            ]
            found += unread or [words.say("cohort_reason", reason)]
        else:
            found.append(words.say("cohort_reason", reason))
    return "; ".join(dict.fromkeys(found))


def _settles(words: Wording, reasons: Sequence[str]) -> str:
    """Return what would settle a sample."""
    return "; ".join(dict.fromkeys(words.say("cohort", f"cure_{reason}") for reason in reasons))


def _listed_row(words: Wording, row: Object) -> list[str]:
    """Return the cells of a sample in the table of all; of a minor only name, input and flag are there."""
    status, flags, diplotype = row["e4_status"], row["flags"] or "", row["diplotype"]
    nothing = words.say("cohort", "short_indeterminate" if status else "withheld")
    return [
        str(row["sample"]),
        greek(diplotype) if diplotype else nothing,
        percent(row["diplotype_probability"]) if diplotype else "",
        words.say("cohort", f"short_{status}") if status else nothing,
        *(_word(words, "state", row[rsid] or "") for rsid in rsids()),
        "; ".join(_word(words, "flag_name", code) for code in flags.split(";") if code),
        str(row["input"]),
    ]


def _bars(rows: Sequence[Object], *, expected: bool = False) -> list[Object]:
    """Return rows with the lengths of their bars, whiskers and marks in pixels."""
    keys = ("share", "high", "expected") if expected else ("share",)
    top = max([row[key] or 0.0 for row in rows for key in keys if row["share"] is not None] + [0.01])
    scale = _BAR / top
    return [
        dict(row)
        | {
            "bar": None if row["share"] is None else round(scale * row["share"], 1),
            "reach": [round(scale * row[key], 1) for key in ("low", "high")]
            if expected and row["share"] is not None
            else None,
            "mark": round(scale * min(row["expected"], top), 1) if expected else None,
        }
        for row in rows
    ]


def _bins(distribution: Object) -> list[Object]:
    """Return the bins of a distribution as rows: label, count, share."""
    bins = distribution["bins"]
    total = sum(item["count"] or 0 for item in bins)
    rows = []
    for index, item in enumerate(bins):
        high = bins[index + 1]["from"] if index + 1 < len(bins) else None
        label = _bin_label(item["from"], high, whole=distribution["name"].startswith("depth"))
        share = item["count"] / total if item["count"] is not None and total else None
        rows.append({"name": label, "count": item["count"], "share": share})
    return _bars(rows)


def _bin_label(low: float, high: float | None, *, whole: bool) -> str:
    """Return what a bin holds, from `low` to below `high`; of whole numbers the last one is named."""
    if high is None:
        return f"≥ {low:g}"
    if not whole:
        return f"{low:g} – < {high:g}"
    return f"{low:g}" if high == low + 1 else f"{low:g} – {high - 1:g}"


def multiqc(summary: Object) -> dict[str, Any]:
    """Return custom content for MultiQC: statuses and sites of the cohort, no single samples."""
    row = {item["name"]: item["count"] for item in summary["statuses"]}
    row |= {f"{site['rsid']} missing": site["missing"]["count"] for site in summary["sites"]}
    row |= {"failed inputs": summary["inputs"]["failed"]}
    return {
        "id": "pgx_apoe",
        "section_name": "APOE (pgx)",
        "description": f"ε4 statuses of {_number(summary['samples'])} samples.",
        "plot_type": "table",
        "pconfig": {"id": "pgx_apoe_table", "title": "pgx: APOE ε4 status", "namespace": "pgx"},
        "data": {"cohort": {name: count for name, count in row.items() if count is not None}},
    }
