"""The four pictures as SVG: chromosomes, reads, probabilities, evidence map.

Colours are classes that a page or a PDF sets. Widths are chosen so that the smallest
letters stay readable on a screen of 320 pixels.
"""

from __future__ import annotations

import math
from html import escape

from pgx.render.medicine import Mark, evidence_marks, side_words
from pgx.render.sureness import (
    Chromosome,
    bar_name,
    bars,
    chromosomes,
    letter_text,
    names_text,
    read_name,
    read_rows,
    short_chance,
    told_chance,
)
from pgx.report import Run, SampleReport
from pgx.wording import Wording, greek, percent

_WIDTH = 350
_SITE_X = (95, 185)
_BAR_X, _BAR_WIDTH = 66, 150
_MAP_X = {-1: 66, 0: 122, 1: 178}
_BIGGEST, _SMALLEST = 12.0, 6.0


class _Canvas:
    """Collects shapes; all text is escaped here."""

    def __init__(self, name: str, title: str, description: str) -> None:
        self.name, self.title, self.description = name, title, description
        self.shapes: list[str] = []

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        self.shapes.append(
            f'<text x="{x:g}" y="{y:g}" class="t {kind}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def rect(self, box: tuple[float, float, float, float], kind: str, radius: float = 0) -> None:
        x, y, width, height = box
        self.shapes.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" '
            f'class="{kind}"/>'
        )

    def line(self, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
        self.shapes.append(
            f'<line x1="{start[0]:g}" y1="{start[1]:g}" x2="{end[0]:g}" y2="{end[1]:g}" class="{kind}"/>'
        )

    def circle(self, x: float, y: float, radius: float, kind: str) -> None:
        self.shapes.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:.4g}" class="{kind}"/>')

    def svg(self, height: float) -> str:
        name, shapes = escape(self.name), "".join(self.shapes)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH} {height:g}" '
            f'aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{escape(self.title)}</title>'
            f'<desc id="{name}-d">{escape(self.description)}</desc>{shapes}</svg>'
        )


def draw(name: str, run: Run, report: SampleReport, words: Wording) -> tuple[str, str]:
    """Return the picture called `name` as SVG, and its description in words."""
    if name == "chromosomes":
        return _chromosomes(report, words)
    if name == "reads":
        return _reads(report, words)
    if name == "posterior":
        return _posterior(run, report, words)
    return _map(name, report, words)


def _chromosomes(report: SampleReport, words: Wording) -> tuple[str, str]:
    drawn = chromosomes(report)
    names = [site.rsid for site in report.sites]
    lines = [_described(number, one, report, words) for number, one in enumerate(drawn.pair, start=1)]
    description = " ".join(lines)
    canvas = _Canvas("chromosomes", words.say("picture", "chromosomes"), description)
    for x, rsid in zip(_SITE_X, names, strict=True):
        canvas.text(x, 16, rsid, "small", "middle")
    for row, one in enumerate(drawn.pair):
        y = 48 + 62 * row
        canvas.text(8, y + 5, str(row + 1))
        canvas.rect((28, y - 6, 212, 12), "strand", 6)
        for x, letter, assumed in zip(_SITE_X, one.letters, drawn.assumed, strict=True):
            _letter(canvas, x, y, letter, assumed=assumed, words=words)
        canvas.text(250, y + 5, _short(names_text(one.names, report, words), one, words), "strong")
    return canvas.svg(142), description


def _short(text: str, one: Chromosome, words: Wording) -> str:
    return text if one.names else words.say("picture", "unknown")


def _letter(
    canvas: _Canvas, x: float, y: float, letter: str | None, *, assumed: bool, words: Wording
) -> None:
    kind = "open" if letter is None else "letter-c" if letter == "C" else "letter-t"
    canvas.rect((x - 17, y - 17, 34, 34), f"{kind} dashed" if assumed else kind, 4)
    canvas.text(x, y + 6, letter or "?", f"big on-{kind}", "middle")
    if assumed and letter is not None:
        canvas.text(x, y + 31, words.say("result", "assumed_mark").strip(), "small", "middle")


def _described(number: int, one: Chromosome, report: SampleReport, words: Wording) -> str:
    drawn = chromosomes(report)
    first, second = (
        letter_text(letter, assumed=assumed, words=words)
        for letter, assumed in zip(one.letters, drawn.assumed, strict=True)
    )
    return words.say(
        "picture",
        "chromosomes_text",
        number=number,
        first_site=report.sites[0].rsid,
        first=first,
        second_site=report.sites[1].rsid,
        second=second,
        name=names_text(one.names, report, words),
    )


def _reads(report: SampleReport, words: Wording) -> tuple[str, str]:
    """Draw the templates over the two sites, a row for those that show the same."""
    shown = read_rows(report)
    first, second = (site.rsid for site in report.sites)
    unknown = words.say("picture", "not_covered")
    said = [
        words.say(
            "picture",
            "reads_text",
            first_site=first,
            first=row.letters[0] or unknown,
            second_site=second,
            second=row.letters[1] or unknown,
            name=read_name(row, words),
            count=row.count,
        )
        for row in shown
    ]
    canvas = _Canvas("reads", words.say("picture", "reads"), " ".join(said))
    places = (36, 104)
    for x, rsid in zip(places, (first, second), strict=True):
        canvas.text(x, 13, rsid, "small", "middle")
    most = max(row.count for row in shown)
    y = 34.0
    for row in shown:
        there = [x for x, letter in zip(places, row.letters, strict=True) if letter is not None]
        canvas.rect((there[0] - 20, y - 4, there[-1] - there[0] + 40, 8), "strand", 4)
        for x, letter in zip(places, row.letters, strict=True):
            if letter is not None:
                kind = "letter-c" if letter == "C" else "letter-t"
                canvas.rect((x - 10, y - 10, 20, 20), kind, 3)
                canvas.text(x, y + 5, letter, f"on-{kind}", "middle")
        canvas.text(134, y + 5, greek(row.name) if row.name else "", "strong")
        canvas.rect((162, y - 8, 130, 16), "track")
        if row.count:
            canvas.rect((162, y - 8, max(1.0, 130 * row.count / most), 16), "bar")
        canvas.text(300, y + 5, str(row.count))
        y += 28
    return canvas.svg(y - 10), canvas.description


def _posterior(run: Run, report: SampleReport, words: Wording) -> tuple[str, str]:
    shown = bars(report)
    said = [
        words.say(
            "picture",
            "posterior_text",
            name=bar_name(bar, words),
            probability=told_chance(words, bar.probability, report),
        )
        for bar in shown
    ]
    canvas = _Canvas("posterior", words.say("picture", "posterior"), " ".join(said))
    needed = run.parameters.min_probability
    x = _BAR_X + _BAR_WIDTH * needed
    y = 28.0
    for before, bar in zip((None, *shown), shown, strict=False):
        if before is not None and (before.diplotype is None) != (bar.diplotype is None):
            y += 10
        canvas.text(_BAR_X - 6, y + 12, bar_name(bar, words), "", "end")
        canvas.rect((_BAR_X, y, _BAR_WIDTH, 16), "track")
        if bar.probability > 0:
            canvas.rect((_BAR_X, y, max(1.0, _BAR_WIDTH * bar.probability), 16), "bar")
        canvas.text(_BAR_X + _BAR_WIDTH + 8, y + 12, short_chance(words, bar.probability, report))
        y += 22
    canvas.line((x, 18), (x, y), "threshold")
    threshold = words.say("picture", "threshold", threshold=percent(needed))
    canvas.text(x + 3, 13, threshold, "small", "end")
    return canvas.svg(y + 4), " ".join(said)


def _map(name: str, report: SampleReport, words: Wording) -> tuple[str, str]:
    response = report.response[int(name.rpartition("-")[2])]
    marks = evidence_marks(response)
    rows = {row.claim_id: row for row in response.by_status if row.group == "carrier"}
    unknown = words.say("picture", "size_unknown")
    said = []
    canvas = _Canvas(name, words.say("picture", "map"), "")
    canvas.text(_MAP_X[-1], 14, words.say("picture", "map_less"), "small", "middle")
    canvas.text(_MAP_X[1], 14, words.say("picture", "map_more"), "small", "middle")
    y = 40.0
    for before, mark in zip((None, *marks), marks, strict=False):
        if not mark.counted and (before is None or before.counted):
            canvas.text(32, y, words.say("picture", "map_other"), "small")
            y += 22
        row = rows[mark.claims[0]]
        size = unknown if mark.people is None else row.sample_size
        level = words.say("level", row.certainty)
        canvas.text(8, y + 5, mark.letter, "strong")
        canvas.line((32, y), (212, y), "rule")
        canvas.line((_MAP_X[0], y - 16), (_MAP_X[0], y + 16), "threshold")
        _mark(canvas, mark, y)
        beside = [unknown if mark.people is None else f"n {mark.people}", level]
        beside += [words.say("picture", "map_indirect")] if mark.indirect else []
        for line, text in enumerate(beside):
            canvas.text(222, y - 2 + 14 * line, text, "small")
        side = side_words(row, words)
        facts = {"letter": mark.letter, "direction": side, "size": size, "certainty": level}
        said.append(words.say("picture", "map_row", **facts))
        y += 22 + 14 * (len(beside) - 1)
    canvas.description = " ".join(said)
    return canvas.svg(y - 10), canvas.description


def _mark(canvas: _Canvas, mark: Mark, y: float) -> None:
    x = _MAP_X[mark.side]
    size = _BIGGEST if mark.people is None else _radius(mark.people)
    kind = "mark-unknown" if mark.people is None else "mark" if mark.counted else "mark-other"
    if mark.indirect:
        canvas.rect((x - size, y - size, 2 * size, 2 * size), kind)
    else:
        canvas.circle(x, y, size, kind)
    if mark.people is None:
        canvas.text(x, y + 5, "?", "", "middle")


def _radius(people: int) -> float:
    """Let the area grow with the number of people, within what can be drawn."""
    return min(_BIGGEST, max(_SMALLEST, math.sqrt(people)))
