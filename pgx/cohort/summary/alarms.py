"""Alarms in words: what in a cohort looks like a mistake with files rather than like people."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from pgx.calling import E4_COPIES
from pgx.cohort.estimate import is_implausible
from pgx.cohort.jobs import alarm_limits
from pgx.cohort.summary.statistics import rounded
from pgx.genome import counted_haplotype, rare_haplotypes
from pgx.wording import greek, rounded_percent, wording

Object = Mapping[str, Any]
_Alarm = dict[str, str]


def alarms(summary: Object) -> list[_Alarm]:
    """Return the alarms of a summary, "code" and sentence ("message") each, the most telling first."""
    checks = (
        *(_known, _of_all, _estimates, _strata_frequency, _absent, _uncertain_heterozygotes),
        *(_imputed_open, _batches, _of_names_and_files, _neighbours, _hardy_weinberg),
    )
    return [alarm for check in checks for alarm in check(summary)]


def shared_alarms(summary: Object) -> list[_Alarm]:
    """Return alarms for a shared page: one sentence a code, from the counts as that page shows them."""
    codes = dict.fromkeys(alarm["code"] for alarm in alarms(_without_hidden(summary)))
    return [{"code": code, "message": wording().say("cohort", f"shared_{code}")} for code in codes]


def _without_hidden(value: Any) -> Any:
    """Return a summary with 0 for what is hidden; a test that could not be made stays None."""
    if isinstance(value, dict):
        kept = {"hardy_weinberg_p", "hardy_weinberg_corrected"}
        return {key: item if key in kept else _without_hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_hidden(item) for item in value]
    return 0 if value is None else value


def _known(summary: Object) -> Iterator[_Alarm]:
    """Say how many known results are contradicted; a page that is shared has no such counts."""
    found = summary.get("known")
    if found and found["differs"]:
        shown = {name: found[name] for name in ("differs", "compared", "exchanges")}
        yield _say("known", **shown, exposed=rounded_percent(found["exposed"]))
    kin = summary.get("families")
    if kin and kin["contradictions"]:
        yield _say("families", count=kin["contradictions"], children=kin["children"])
    if kin and not kin["children"] and summary["shard"] == "1/1":  # a slice parts families
        yield _say("families_unread", stated=kin["stated"])
    if found and found["not_understood"]:
        yield _say("known_unread", count=found["not_understood"])


def _say(code: str, **values: object) -> _Alarm:
    return {"code": code, "message": wording().say("cohort", f"alarm_{code}", **values)}


def _groups(summary: Object) -> Iterator[tuple[str, Object]]:
    yield wording().say("cohort", "everybody"), summary
    for stratum in summary["strata"]:
        for value in stratum["values"]:
            yield _who(stratum, value), value


def _who(stratum: Object, value: Object) -> str:
    return f"{stratum['column']} = {value['value'] or '-'}"


def _of_all(summary: Object) -> Iterator[_Alarm]:
    total = sum(row["count"] for row in summary["diplotypes"])
    commonest = max(summary["diplotypes"], key=lambda row: row["count"])
    if total >= alarm_limits().min_samples and commonest["count"] == total:
        yield _say("all_the_same", count=total, diplotype=greek(commonest["name"]))
    if summary["estimates"]:  # what is expected comes from these people: only who is determined can differ
        return
    row = _counted(summary)
    if _is_far(row["count"], total, row["expected"]):
        shares = {"observed": rounded_percent(row["share"]), "expected": rounded_percent(row["expected"])}
        yield _say("frequency", **shares, population=summary["population"]["label"])


def _estimates(summary: Object) -> Iterator[_Alarm]:
    for group in summary["estimates"]:
        if not (far := [row for row in group["haplotypes"] if is_implausible(row)]):
            continue
        row = max(far, key=lambda r: max(r["share"] - r["shipped"][1], r["shipped"][0] - r["share"]))
        commonest = max(group["haplotypes"], key=lambda item: float(item["shipped"][1]))
        is_reference = commonest in far and commonest["share"] > commonest["shipped"][1]
        say = functools.partial(wording().say, "cohort")
        yield _say(
            "estimate",
            who=f"population = {group['group']}" if group["group"] else say("everybody"),
            haplotype=greek(row["name"]),
            share=rounded_percent(row["share"]),
            low=rounded_percent(row["shipped"][0]),
            high=rounded_percent(row["shipped"][1]),
            cause=say("estimate_reference" if is_reference else "estimate_letters"),
        )


def _strata_frequency(summary: Object) -> Iterator[_Alarm]:
    """Look at e4 in each stratum against all others, by the statuses that stand for a number of copies."""
    # Populations differ in it by nature, so strata of the column `population` are left out, and of other
    # groups the others are taken with what the populations alone would make of the difference.
    everybody = _counted(summary)["expected"]
    for stratum in summary["strata"]:
        if stratum["column"] == "population":
            continue
        copies = []  # of e4, and people, of those whose number of copies is determined
        for value in stratum["values"]:
            counts = {row["name"]: row["count"] for row in value["statuses"]}
            pairs = [(number, counts.get(status, 0)) for status, number in E4_COPIES.items()]
            copies.append((sum(each * count for each, count in pairs), sum(count for _, count in pairs)))
        for value, (own, people) in zip(stratum["values"], copies, strict=True):
            rest = sum(number for _, number in copies) - people
            others = (sum(number for number, _ in copies) - own) / (2 * rest) if rest else 0.0
            expected = _counted(value)["expected"]
            others += (expected - everybody) * (1 + people / rest) if rest else 0.0
            if rest >= alarm_limits().min_samples and _is_far(own, people, rounded(others)):
                who, observed = _who(stratum, value), rounded_percent(own / (2 * people))
                yield _say("stratum_frequency", who=who, observed=observed, others=rounded_percent(others))


def _counted(summary: Object) -> Object:
    found: Object = next(item for item in summary["haplotypes"] if item["name"] == counted_haplotype())
    return found


def _is_far(copies: int, people: int, expected: float) -> bool:
    """Return whether the share of a haplotype is far from what is expected, in standard errors."""
    if people < alarm_limits().min_samples or not 0 < expected < 1:
        return False
    error = math.sqrt(expected * (1 - expected) / (2 * people))
    return abs(copies / (2 * people) - expected) > alarm_limits().frequency_z * error


def _absent(summary: Object) -> Iterator[_Alarm]:
    samples = summary["samples"]
    if samples < alarm_limits().min_samples:
        return
    for site in summary["sites"]:
        states = {row["name"]: row["count"] for row in site["states"]}
        for state in ("absent", "assumed-reference"):
            count = states.get(state, 0)
            if count >= alarm_limits().absent_share * samples:
                share = rounded_percent(count / samples)
                yield _say(state.replace("-", "_"), rsid=site["rsid"], share=share)


def _uncertain_heterozygotes(summary: Object) -> Iterator[_Alarm]:
    """Compare who stays open for want of certainty with who is determined: dosages part them by genotype."""
    for site in summary["certainty"]:
        groups = [(site[f"{kind}_heterozygous"], site[kind]) for kind in ("open", "determined")]
        people = sum(number for _, number in groups)
        if people < alarm_limits().min_samples or not all(number for _, number in groups):
            continue
        shares = [part / number for part, number in groups]
        pooled = sum(part for part, _ in groups) / people
        error = math.sqrt(pooled * (1 - pooled) * sum(1 / number for _, number in groups))
        if shares[0] - shares[1] > alarm_limits().frequency_z * error:
            told = dict(zip(("open", "determined"), map(rounded_percent, shares), strict=True))
            yield _say("uncertain_heterozygotes", rsid=site["rsid"], **told)


def _imputed_open(summary: Object) -> Iterator[_Alarm]:
    counts = {row["name"]: row["count"] for row in summary["flags"]}
    imputed, left_open = counts.get("imputed", 0), counts.get("low-certainty", 0)
    share = alarm_limits().imputed_open_share
    if imputed >= alarm_limits().min_samples and share * imputed <= left_open <= imputed:
        part = rounded_percent(left_open / imputed)
        yield _say("imputed_open", imputed=imputed, open=left_open, share=part)


def _batches(summary: Object) -> Iterator[_Alarm]:
    limits = alarm_limits()
    for column, value in ((item["column"], value) for item in summary["strata"] for value in item["values"]):
        for site, everywhere in zip(value["sites"], summary["sites"], strict=True):
            missing, total = site["missing"]["count"], site["samples"]
            rest = everywhere["samples"] - total
            elsewhere = (everywhere["missing"]["count"] - missing) / rest if rest else 1.0
            is_missing = missing >= limits.batch_missing_share * total
            if total >= limits.batch_min_samples and is_missing and elsewhere <= limits.other_missing_share:
                shares = {"share": rounded_percent(missing / total), "elsewhere": rounded_percent(elsewhere)}
                name = value["value"] or "-"
                yield _say("batch", rsid=site["rsid"], column=column, value=name, **shares)


def _neighbours(summary: Object) -> Iterator[_Alarm]:
    """Tell single people from a batch: of a group, neighbours contradict many genotypes, or most."""
    # Of people who change places by chance about half happen to have what they are given. Exchanged letters
    # are wrong in all homozygotes, three in four of the people: so most points to these, and many to a plate.
    limits = alarm_limits()
    whole, exchanges = summary["neighbours"], summary.get("neighbour_exchanges", 0)
    blamed = False
    for who, group in _groups(summary):
        count, asked = group["neighbours"]["disagree"]["count"], group["neighbours"]["asked"]
        if asked < limits.neighbours_min_samples or count < limits.neighbours_plate_share * asked:
            continue
        blamed = True
        code = "neighbours_strand" if count >= limits.neighbours_strand_share * asked else "neighbours_plate"
        yield _say(code, who=who, count=count, asked=asked, exchanges=exchanges)
    if whole["disagree"]["count"] and not blamed:
        counts = {"count": whole["disagree"]["count"], "asked": whole["asked"]}
        yield _say("neighbours_people", **counts, exchanges=exchanges)


def _of_names_and_files(summary: Object) -> Iterator[_Alarm]:
    if summary["duplicates"]["count"]:
        same = sum(bool(item["same_genotypes"]) for item in summary["duplicates"]["listed"])
        yield _say("twice", count=summary["duplicates"]["count"], same=same)
    flagged = next((row["count"] for row in summary["flags"] if row["name"] == "rare-haplotype"), 0)
    expected = sum(row["expected"] for row in summary["haplotypes"] if row["name"] in rare_haplotypes())
    likely = 2 * summary["samples"] * expected
    if flagged >= 2 and flagged > alarm_limits().rare_excess * likely:
        yield _say("rare", count=flagged, expected=f"{likely:.2g}")
    if len(summary["assemblies"]) > 1:
        names = ", ".join(f"{row['name']} ({row['count']})" for row in summary["assemblies"])
        yield _say("assemblies", names=names)


def _hardy_weinberg(summary: Object) -> Iterator[_Alarm]:
    for who, group in _groups(summary):
        for site in group["sites"]:
            p = site["hardy_weinberg_p"]
            if p is not None and p < alarm_limits().hardy_weinberg_p:
                yield _say("hardy_weinberg", rsid=site["rsid"], who=who, p=f"{p:.1e}")
