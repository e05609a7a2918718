"""The page of a cohort, and its custom content for MultiQC, from the object of summary.json.

One file, no network; the only script filters the rows of --sample-table, which can be read without it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pgx.render.html import TEMPLATES, environment
from pgx.wording import greek, percent, wording

Object = Mapping[str, Any]
_PLOTTED = 10


def page(summary: Object) -> str:
    """Return index.html. Plots are drawn by macros of the template, each beside its numbers."""
    from markupsafe import Markup  # noqa: PLC0415 - belongs to jinja2, which costs time to import

    style, style_hash = _asset("cohort.css")
    script, script_hash = _asset("cohort.js")
    words = wording()
    return (
        environment()
        .get_template("cohort.html.j2")
        .render(
            lang=words.language,
            s=summary,
            say=functools.partial(words.say, "cohort"),
            word=functools.partial(_word, words.topics),
            greek=greek,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script) if summary["rows"] else "",  # noqa: S704 - our own file
            style_hash=style_hash,
            script_hash=script_hash if summary["rows"] else "",
            number=_number,
            percent=_percent,
            total=_total,
            cures=_cures(summary, words.topics["cohort"]),
            status_known=_known(summary),
            scale=_scale,
            label=_bin_label,
        )
    )


def _asset(name: str) -> tuple[str, str]:
    """Return a file of templates/ and its hash for the content security policy."""
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return text, f"sha256-{digest}"


def _word(topics: Mapping[str, Mapping[str, str]], topic: str, key: str) -> str:
    return topics.get(topic, {}).get(key, key)


def _number(count: int | None) -> str:
    """Return a count as text: thin spaces between thousands, "hidden" where it was left out."""
    if count is None:
        return wording().say("cohort", "hidden")
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return "0 %" if share == 0 else "100 %" if share == 1 else percent(share)


def _total(rows: Sequence[Object]) -> int | None:
    """Return the sum of the counts of rows; None where one is hidden."""
    counts = [row["count"] for row in rows]
    return None if None in counts else sum(counts)


def _known(summary: Object) -> Object:
    """Return carriers and samples with a determined status, for the headline."""
    counts = {row["name"]: row["count"] for row in summary["statuses"]}
    carriers = [counts.get(name, 0) for name in ("heterozygous", "homozygous", "carrier")]
    known = [*carriers, counts.get("non-carrier", 0)]
    if None in known:
        return {"carriers": None, "known": None, "share": None}
    return {
        "carriers": sum(carriers),
        "known": sum(known),
        "share": sum(carriers) / sum(known) if sum(known) else None,
    }


def _cures(summary: Object, words: Mapping[str, str]) -> str:
    found = [words.get(f"cure_{row['name']}", row["name"]) for row in summary["reasons"]]
    return "; ".join(found)


def _scale(rows: Sequence[Object], *keys: str) -> float:
    """Return the greatest share of rows, at least one hundredth, for the length of bars."""
    return max([row[key] or 0.0 for row in rows for key in keys] + [0.01])


def _bin_label(bins: Sequence[Object], index: int) -> str:
    low = f"{bins[index]['from']:g}"
    return f"≥ {low}" if index + 1 == len(bins) else f"{low} – {bins[index + 1]['from']:g}"


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
        "data": {"cohort": row},
    }
