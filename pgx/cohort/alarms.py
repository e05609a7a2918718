"""Alarms in words: what in a cohort looks like a mistake with files rather than like people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pgx.cohort.rules import alarm_limits
from pgx.sites import counted_haplotype, rare_haplotypes
from pgx.wording import percent, wording

Object = Mapping[str, Any]


def alarms(summary: Object, *, same_twice: int) -> list[dict[str, str]]:
    """Return the alarms of a summary, code and sentence each, the most telling first."""
    found = [
        *_all_the_same(summary),
        *_frequency(summary),
        *_absent(summary),
        *_batches(summary),
        *_twice(summary, same_twice),
        *_rare(summary),
        *_assemblies(summary),
        *_hardy_weinberg(summary),
    ]
    return [{"code": code, "message": message} for code, message in found]


def _say(code: str, **values: object) -> tuple[str, str]:
    return code, wording().say("cohort", f"alarm_{code}", **values)


def _determined(summary: Object) -> int:
    return sum(row["count"] for row in summary["diplotypes"])


def _all_the_same(summary: Object) -> Iterator[tuple[str, str]]:
    total = _determined(summary)
    commonest = max(summary["diplotypes"], key=lambda row: row["count"])
    if total >= alarm_limits().min_samples and commonest["count"] == total:
        yield _say("all_the_same", count=total, diplotype=commonest["name"].replace("e", "ε"))


def _frequency(summary: Object) -> Iterator[tuple[str, str]]:
    row = next(item for item in summary["haplotypes"] if item["name"] == counted_haplotype())
    chromosomes = 2 * _determined(summary)
    if chromosomes < 2 * alarm_limits().min_samples:
        return
    expected = row["expected"]
    error = math.sqrt(expected * (1 - expected) / chromosomes)
    if abs(row["share"] - expected) > alarm_limits().frequency_z * error:
        yield _say(
            "frequency",
            observed=percent(row["share"]),
            expected=percent(expected),
            population=summary["population"]["label"],
        )


def _absent(summary: Object) -> Iterator[tuple[str, str]]:
    limits = alarm_limits()
    for site in summary["sites"]:
        states = {row["name"]: row["count"] for row in site["states"]}
        for state in ("absent", "assumed-reference"):
            count = states.get(state, 0)
            if summary["samples"] >= limits.min_samples and count >= limits.absent_share * summary["samples"]:
                yield _say(
                    state.replace("-", "_"), rsid=site["rsid"], share=percent(count / summary["samples"])
                )


def _batches(summary: Object) -> Iterator[tuple[str, str]]:
    limits = alarm_limits()
    for stratum in summary["strata"]:
        for value in stratum["values"]:
            for place, site in enumerate(value["sites"]):
                missing, total = site["missing"]["count"], site["samples"]
                everywhere = summary["sites"][place]
                rest = everywhere["samples"] - total
                elsewhere = (everywhere["missing"]["count"] - missing) / rest if rest else 1.0
                if (
                    total >= limits.batch_min_samples
                    and missing >= limits.batch_missing_share * total
                    and elsewhere <= limits.other_missing_share
                ):
                    yield _say(
                        "batch",
                        rsid=site["rsid"],
                        column=stratum["column"],
                        value=value["value"] or "-",
                        share=percent(missing / total),
                        elsewhere=percent(elsewhere),
                    )


def _twice(summary: Object, same: int) -> Iterator[tuple[str, str]]:
    if summary["duplicates"]["count"]:
        yield _say("twice", count=summary["duplicates"]["count"], same=same)


def _rare(summary: Object) -> Iterator[tuple[str, str]]:
    """Compare samples that carry the rare-haplotype flag with what the population expects."""
    flagged = next((row["count"] for row in summary["flags"] if row["name"] == "rare-haplotype"), 0)
    expected = sum(row["expected"] for row in summary["haplotypes"] if row["name"] in rare_haplotypes())
    likely = 2 * summary["samples"] * expected
    if flagged >= 2 and flagged > alarm_limits().rare_excess * likely:
        yield _say("rare", count=flagged, expected=f"{likely:.2g}")


def _assemblies(summary: Object) -> Iterator[tuple[str, str]]:
    if len(summary["assemblies"]) > 1:
        names = ", ".join(f"{row['name']} ({row['count']})" for row in summary["assemblies"])
        yield _say("assemblies", names=names)


def _hardy_weinberg(summary: Object) -> Iterator[tuple[str, str]]:
    limit = alarm_limits().hardy_weinberg_p
    whole = [(site, wording().say("cohort", "everybody")) for site in summary["sites"]]
    parts = [
        (site, f"{stratum['column']} = {value['value'] or '-'}")
        for stratum in summary["strata"]
        for value in stratum["values"]
        for site in value["sites"]
    ]
    for site, who in [*whole, *parts]:
        p = site["hardy_weinberg_p"]
        if p is not None and p < limit:
            yield _say("hardy_weinberg", rsid=site["rsid"], who=who, p=f"{p:.1e}")
