"""What the calibration shows: the requirements, the tables and the picture of docs/calibration.md."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from calibration import HARD_QUALITY, MAIN_ERROR, SEED, THRESHOLD, Plan, Results
from calibration_styles import WITH_BAR
from score import EDGES, Reliability, Tally
from tables import DOCS, fill, machine, markdown, percent, share, svg, today, upper_bound

MOST_WRONG = 0.01
_FEW = 100
LEAST_WARNED = 0.9
KINDS = ("diplotype", "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A requirement, whether it holds, and the figures."""

    name: str
    holds: bool
    figures: str


def _counts(group: Tally, kind: str) -> tuple[int, int, int]:
    """Return determined, wrong, and wrong with the flag prior-dependent."""
    return (
        getattr(group, kind),
        getattr(group, f"{kind}_wrong"),
        getattr(group, f"{kind}_wrong_warned"),
    )


def _sum(groups: Iterable[Tally]) -> Tally:
    total = Tally()
    for group in groups:
        total.add(group)
    return total


def matched_sums(results: Results) -> dict[tuple[float, int], Tally]:
    """Return the counts by base error and depth, all populations together, each under its own prior."""
    sums: dict[tuple[float, int], Tally] = {}
    for (error, depth, _), group in results.matched.items():
        sums.setdefault((error, depth), Tally()).add(group)
    return sums


def broken(results: Results, kind: str) -> list[tuple[tuple[str, str, int], Tally]]:
    """Return the cells with a prior of another population in which more than 1 % of the answers are wrong."""
    return [
        (key, group)
        for key, group in results.crossed.items()
        if (counts := _counts(group, kind))[1] > MOST_WRONG * counts[0]
    ]


def checks(results: Results) -> list[Check]:
    """Return the requirements with what was found."""
    found = []
    for kind in KINDS:
        sums = matched_sums(results)
        key, worst = max(sums.items(), key=lambda item: _ratio(*_counts(item[1], kind)[:2]))
        determined, wrong, _ = _counts(worst, kind)
        found.append(
            Check(
                name=f"matched prior: at most 1 % of the determined answers wrong at every depth ({kind})",
                holds=not any(_is_above(*_counts(group, kind)[:2]) for group in sums.values()),
                figures=f"worst: {wrong} of {determined} ({share(wrong, determined)} %) at depth {key[1]},"
                f" base error {key[0]:g}",
            )
        )
    for kind in KINDS:
        cells = broken(results, kind)
        _, wrong, warned = _counts(_sum(group for _, group in cells), kind)
        text = f"{len(cells)} such groups: {warned} of {wrong} wrong flagged ({share(warned, wrong)} %)"
        if cells:
            depth, wrong_there, warned_there = _least_warned_depth(cells, kind)
            text += f"; least at depth {depth}: {warned_there} of {wrong_there}"
        found.append(
            Check(
                name=f"prior of another population: where more than 1 % are wrong, nine in ten of them carry"
                f" the flag prior-dependent ({kind})",
                holds=warned >= LEAST_WARNED * wrong,
                figures=text,
            )
        )
    hard, best = results.shallow[0], results.shallow[-1]
    found.append(
        Check(
            name=f"depth 4: no more errors than hard genotypes at GQ >= {HARD_QUALITY}, more ε4 statuses",
            holds=best.wrong <= hard.wrong and best.determined > hard.determined,
            figures=f"{best.name}: {best.determined} of {best.people} determined"
            f" ({share(best.determined, best.people)} %), {best.wrong} wrong; {hard.name}: {hard.determined}"
            f" ({share(hard.determined, hard.people)} %), {hard.wrong} wrong",
        )
    )
    return found


def style_checks(results: Results) -> list[Check]:
    """Return the requirements on the styles: without a disturbance, and with a little of another person.

    Where few are determined, what was added up stands for what was drawn.
    """
    found = []
    for disturbance in ("none", "contamination 3 %"):
        for kind in KINDS:
            counted = {
                (style, depth): _counts(group, kind)[:2]
                for (style, name, depth), group in results.styles.items()
                if style in WITH_BAR and name == disturbance
            } | {
                (style, depth): shares[kind]
                for (style, name, depth), shares in results.enumerated.items()
                if name == disturbance
            }
            (style, depth), (determined, wrong) = max(counted.items(), key=lambda item: _ratio(*item[1]))
            how = (
                "enumerated"
                if (style, disturbance, depth) in results.enumerated
                else f"{wrong} of {determined}"
            )
            found.append(
                Check(
                    name=f"records of {', '.join(WITH_BAR)}, disturbance {disturbance}: at most 1 % of the"
                    f" determined answers wrong at every depth ({kind})",
                    holds=not any(_is_above(*counts) for counts in counted.values()),
                    figures=f"worst: {style}, depth {depth}: {100 * _ratio(determined, wrong):.3g} % ({how})",
                )
            )
    return found


def fill_styles(results: Results, outcome: Sequence[Check]) -> None:
    """Write what was found of the styles of records into docs/calibration.md."""
    parts = {
        "styles-run": f"Made on {today()} by `python benchmarks/calibration.py --styles`; seed {SEED}.",
        "styles-requirements": _requirements(outcome),
        "styles": _style_table(results),
        "styles-enumerated": _enumerated_table(results),
        "phases": _phase_table(results),
    }
    for mark, text in parts.items():
        fill("calibration.md", mark, text)


def _requirements(outcome: Sequence[Check]) -> str:
    return markdown(
        ("requirement", "holds", "figures"),
        [(c.name, "yes" if c.holds else "**no**", c.figures) for c in outcome],
        numbers=False,
    )


def _least_warned_depth(
    cells: Sequence[tuple[tuple[str, str, int], Tally]], kind: str
) -> tuple[int, int, int]:
    """Return the depth at which the smallest share of the wrong answers is flagged, with both counts."""
    by_depth: dict[int, Tally] = {}
    for (_, _, depth), group in cells:
        by_depth.setdefault(depth, Tally()).add(group)
    counted = [(depth, *_counts(group, kind)[1:]) for depth, group in by_depth.items()]
    return min(counted, key=lambda item: _ratio(item[1], item[2]))


def _is_above(determined: float, wrong: float) -> bool:
    """Return whether more than `MOST_WRONG` are wrong: of few that were drawn, by more than chance makes.

    Few are above where the lower end of their exact 95 % interval is: one of 22 is no 5 %. What was added up
    (shares below 1) is as it is.
    """
    if not 1 <= determined < _FEW:
        return _ratio(determined, wrong) > MOST_WRONG
    return 1 - upper_bound(int(determined - wrong), int(determined), 0.975) > MOST_WRONG


def _ratio(total: float, part: float) -> float:
    return part / total if total else 0.0


def summary(outcome: Sequence[Check]) -> str:
    """Return the requirements as lines."""
    return "\n".join(f"{'holds' if c.holds else 'FAILS'}: {c.name}\n       {c.figures}" for c in outcome)


def fill_document(results: Results, outcome: Sequence[Check], plan: Plan) -> None:
    """Write the tables into docs/calibration.md and the picture beside it."""
    parts = {
        "run": f"Made on {today()} by `python benchmarks/calibration.py` ({machine()}; seed {SEED}).",
        "requirements": _requirements(outcome),
        "matched": _matched_table(results),
        "reliability": _reliability_table(results.reliability),
        "crossed": _crossed_table(results, plan),
        "unwarned": _unwarned_table(results),
        "disturbed": _disturbed_table(results),
        "diplotypes": _diplotype_table(results),
        "shallow": _shallow_table(results),
    }
    for mark, text in parts.items():
        fill("calibration.md", mark, text)
    (DOCS / "calibration.svg").write_text(picture(results.reliability), "utf-8")


def _cells(group: Tally, kind: str) -> tuple[str, str, str]:
    """Return determined %, wrong % of these, and the upper 95 % bound of that."""
    determined, wrong, _ = _counts(group, kind)
    bound = percent(upper_bound(wrong, determined)) if determined else "-"
    return share(determined, group.people), share(wrong, determined), bound


def _matched_table(results: Results) -> str:
    columns = [f"{kind}: {c}" for kind in KINDS for c in ("determined %", "wrong %", "bound %", "flagged %")]
    rows = [
        (
            f"{error:g}, {depth}",
            group.people,
            *_cells(group, "diplotype"),
            share(group.diplotype_warned, group.diplotype),
            *_cells(group, "status"),
            share(group.status_warned, group.status),
        )
        for (error, depth), group in sorted(matched_sums(results).items())
    ]
    return markdown(("base error, depth", "people", *columns), rows)


def _reliability_table(found: Reliability) -> str:
    rows = []
    low = 0.0
    for edge, people, wrong, stated in zip(EDGES, found.people, found.wrong, found.stated, strict=True):
        if people:
            bound = percent(upper_bound(wrong, people))
            rows.append(
                (
                    f"{100 * low:g} to {100 * edge:g}",
                    people,
                    share(stated, people),
                    share(wrong, people),
                    bound,
                )
            )
        low = edge
    header = ("stated error, %", "people", "mean stated error, %", "observed error, %", "upper bound, %")
    return markdown(header, rows)


def _crossed_table(results: Results, plan: Plan) -> str:
    rows = []
    for prior in plan.priors:
        groups = [(key, group) for key, group in results.crossed.items() if key[1] == prior]
        cells: list[object] = [prior]
        for kind in KINDS:
            determined, wrong, warned = _counts(_sum(group for _, group in groups), kind)
            (population, _, depth), worst = max(groups, key=lambda item: _ratio(*_counts(item[1], kind)[:2]))
            worst_determined, worst_wrong, worst_warned = _counts(worst, kind)
            cells += [
                share(wrong, determined),
                share(warned, wrong),
                (
                    f"{share(worst_wrong, worst_determined)} ({population}, depth {depth};"
                    f" {worst_warned} of {worst_wrong} flagged)"
                ),
            ]
        rows.append(cells)
    columns = ("wrong %", "of these flagged %", "worst group: wrong %")
    return markdown(("prior", *(f"{kind}: {column}" for kind in KINDS for column in columns)), rows)


def _unwarned_table(results: Results) -> str:
    """List every group in which more than 1 % are wrong and fewer than nine in ten of these are flagged."""
    rows = []
    for kind in KINDS:
        for (population, prior, depth), group in sorted(broken(results, kind)):
            determined, wrong, warned = _counts(group, kind)
            if warned < LEAST_WARNED * wrong:
                rows.append((f"{kind}, {population} under {prior}, depth {depth}", determined, wrong, warned))
    if not rows:
        return "There is none."
    return markdown(("group", "determined", "wrong", "of these flagged"), rows)


def _disturbed_table(results: Results) -> str:
    rows = [
        (f"{name}, depth {depth}", *_cells(group, "diplotype"), *_cells(group, "status"),
         share(group.status_wrong_warned, group.status_wrong))
        for (name, depth), group in results.disturbed.items()
    ]  # fmt: skip
    columns = [f"{kind}: {c}" for kind in KINDS for c in ("determined %", "wrong %", "bound %")]
    return markdown(("disturbance", *columns, "wrong statuses flagged prior-dependent, %"), rows)


def _diplotype_table(results: Results) -> str:
    rows = [
        (f"{name.replace('e', 'ε')}, depth {depth}", *_cells(group, "diplotype"), *_cells(group, "status"),
         share(group.warned, group.people))
        for (name, depth), group in sorted(results.by_diplotype.items())
    ]  # fmt: skip
    columns = [f"{kind}: {c}" for kind in KINDS for c in ("determined %", "wrong %", "bound %")]
    return markdown(("true diplotype", *columns, "flagged prior-dependent, %"), rows)


def _shallow_table(results: Results) -> str:
    rows = [
        (row.name, share(row.determined, row.people), row.wrong, share(row.wrong, row.determined),
         percent(upper_bound(row.wrong, row.determined)))
        for row in results.shallow
    ]  # fmt: skip
    return markdown(("answers by", "status determined %", "wrong", "wrong %", "bound %"), rows)


def _style_table(results: Results) -> str:
    rows = [
        (f"{style}, {disturbance}, depth {depth}", *_cells(group, "diplotype"), *_cells(group, "status"),
         share(group.warned, group.people))
        for (style, disturbance, depth), group in results.styles.items()
    ]  # fmt: skip
    columns = [f"{kind}: {c}" for kind in KINDS for c in ("determined %", "wrong %", "bound %")]
    return markdown(("style, disturbance, depth", *columns, "with a warning %"), rows)


def _enumerated_table(results: Results) -> str:
    rows = [
        (f"{style}, {disturbance}, depth {depth}",
         *(text for kind in KINDS for text in _enumerated_cells(*shares[kind])))
        for (style, disturbance, depth), shares in results.enumerated.items()
    ]  # fmt: skip
    columns = [f"{kind}: {c}" for kind in KINDS for c in ("determined %", "wrong %")]
    return markdown(("style, disturbance, depth", *columns), rows)


def _enumerated_cells(determined: float, wrong: float) -> tuple[str, str]:
    return f"{100 * determined:.3g}", f"{100 * _ratio(determined, wrong):.3g}" if determined else "-"


def _phase_table(results: Results) -> str:
    rows = [
        (f"{population}, {100 * switches:g} % switched", *(f"{100 * part:.3g}" for part in parts))
        for population, switches, *parts in results.phases
    ]
    return markdown(("population, switches", "diplotype determined %", "wrong %", "with a warning %"), rows)


_SIZE, _LEFT, _TOP, _LOWEST = 420, 70, 24, -5.0


def picture(found: Reliability) -> str:
    """Return the reliability of the most probable diplotype as SVG: observed over stated error."""
    marks, spots = [], []
    for people, wrong, stated in zip(found.people, found.wrong, found.stated, strict=True):
        if not people:
            continue
        x = _place(stated / people)
        high = _SIZE + _TOP - _place(upper_bound(wrong, people, 0.975))
        low = _SIZE + _TOP - _place(1 - upper_bound(people - wrong, people, 0.975) if wrong else 0.0)
        marks.append(f'<line x1="{x + _LEFT:.1f}" x2="{x + _LEFT:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
        if wrong:
            y = _SIZE + _TOP - _place(wrong / people)
            spots.append(f'<circle cx="{x + _LEFT:.1f}" cy="{y:.1f}" r="4"/>')
    grid, labels = [], []
    for power in range(int(_LOWEST), 1):
        at = _place(10.0**power)
        x, y = _LEFT + at, _SIZE + _TOP - at
        grid += [
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_SIZE + _TOP}"/>',
            f'<line x1="{_LEFT}" x2="{_LEFT + _SIZE}" y1="{y:.1f}" y2="{y:.1f}"/>',
        ]
        text = f"{100 * 10.0**power:g} %"
        labels += [
            f'<text x="{x:.1f}" y="{_SIZE + _TOP + 18}" text-anchor="middle">{text}</text>',
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>',
        ]
    width, height = _LEFT + _SIZE + 30, _SIZE + _TOP + 48
    body = f"""<g stroke="#dddddd">{"".join(grid)}</g>
<line x1="{_LEFT}" y1="{_SIZE + _TOP}" x2="{_LEFT + _SIZE}" y2="{_TOP}" stroke="#666666" \
stroke-dasharray="4 3"/>
<g stroke="#0b4f8a" stroke-width="2">{"".join(marks)}</g>
<g fill="#0b4f8a">{"".join(spots)}</g>
<g fill="#222222">{"".join(labels)}
<text x="{_LEFT + _SIZE / 2:.0f}" y="{height - 8}" text-anchor="middle">stated error</text>
<text transform="translate(16 {_TOP + _SIZE / 2:.0f}) rotate(-90)" text-anchor="middle">observed \
error</text></g>"""
    about = (
        "Both axes logarithmic. Points on the diagonal: the stated probability is right."
        " Bars: exact 95 % intervals. The numbers are in the reliability table of the calibration page."
    )
    title = "Observed error of the most probable diplotype over the error that pgx states"
    return svg((width, height), title, about, body)


def _place(error: float) -> float:
    """Return the distance from the origin for an error probability; what is too small sits on the edge."""
    power = math.log10(error) if error > 10**_LOWEST else _LOWEST
    return _SIZE * (1 - power / _LOWEST)


__all__ = ["MAIN_ERROR", "THRESHOLD", "Check", "checks", "fill_document", "picture", "summary"]
