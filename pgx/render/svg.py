"""The four pictures as SVG. The smallest letters can be read on a screen of 320 pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from pgx.render.medicine import evidence_marks, side_words
from pgx.render.sureness import assumed_mark, bars, chromosomes, names_text, read_rows, told_chance
from pgx.report import Run, SampleReport
from pgx.wording import Wording, greek, percent

_WIDTH = 350
_SITE_X, _READ_X = (95, 185), (36, 104)
_BAR_X, _BAR_WIDTH = 66, 150
_MAP_X = {-1: 66, 0: 122, 1: 178}
_BIGGEST, _SMALLEST = 12.0, 6.0


class _Canvas:
    """Collects shapes, whose classes a page or a PDF colours; all text is escaped here."""

    def __init__(self, name: str, title: str) -> None:
        self.name, self.title = escape(name), escape(title)
        self.shapes: list[str] = []

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        place = f'x="{x:g}" y="{y:g}" class="t {kind}" text-anchor="{anchor}"'
        self.shapes.append(f"<text {place}>{escape(words)}</text>")

    def rect(self, box: tuple[float, float, float, float], kind: str, radius: float = 0) -> None:
        x, y, width, height = box
        size = f'width="{width:g}" height="{height:g}" rx="{radius:g}"'
        self.shapes.append(f'<rect x="{x:g}" y="{y:g}" {size} class="{kind}"/>')

    def line(self, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
        ends = f'x1="{start[0]:g}" y1="{start[1]:g}" x2="{end[0]:g}" y2="{end[1]:g}"'
        self.shapes.append(f'<line {ends} class="{kind}"/>')

    def bar(self, box: tuple[float, float, float, float], share: float) -> None:
        x, y, width, height = box
        self.rect(box, "track")
        if share > 0:
            self.rect((x, y, max(1.0, width * share), height), "bar")

    def svg(self, height: float, description: str) -> tuple[str, str]:
        name = self.name
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH} {height:g}" '
            f'aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{self.title}</title>'
            f'<desc id="{name}-d">{escape(description)}</desc>{"".join(self.shapes)}</svg>'
        ), description


def draw(name: str, run: Run, report: SampleReport, words: Wording) -> tuple[str, str]:
    """Return the picture called `name` as SVG, and its description in words."""
    if name in {"chromosomes", "reads"}:
        canvas = _Canvas(name, words.say("picture", name))
        places, y = (_SITE_X, 16) if name == "chromosomes" else (_READ_X, 13)
        for x, site in zip(places, report.sites, strict=True):
            canvas.text(x, y, site.rsid, "small", "middle")
        return (_chromosomes if name == "chromosomes" else _reads)(canvas, report, words)
    return _posterior(run, report, words) if name == "posterior" else _map(name, report, words)


def _facts(report: SampleReport, shown: Iterable[str]) -> dict[str, str]:
    """Return the sites, and what is shown of each, for a sentence."""
    (first_site, second_site), (first, second) = (site.rsid for site in report.sites), shown
    return {"first_site": first_site, "first": first, "second_site": second_site, "second": second}


def _chromosomes(canvas: _Canvas, report: SampleReport, words: Wording) -> tuple[str, str]:
    said = []
    for row, one in enumerate(chromosomes(report)):
        y, name = 48 + 62 * row, names_text(one.names, report, words)
        facts = _facts(report, one.cells(words))
        said.append(words.say("picture", "chromosomes_text", number=row + 1, name=name, **facts))
        canvas.text(8, y + 5, str(row + 1))
        canvas.rect((28, y - 6, 212, 12), "strand", 6)
        for x, letter, assumed in zip(_SITE_X, one.letters, one.assumed, strict=True):
            kind = "open" if letter is None else "letter-c" if letter == "C" else "letter-t"
            canvas.rect((x - 17, y - 17, 34, 34), f"{kind} dashed" if assumed else kind, 4)
            canvas.text(x, y + 6, letter or "?", f"big on-{kind}", "middle")
            if assumed and letter is not None:
                canvas.text(x, y + 31, assumed_mark(assumed, words).strip(), "small", "middle")
        canvas.text(250, y + 5, name if one.names else words.say("picture", "unknown"), "strong")
    return canvas.svg(142, " ".join(said))


def _reads(canvas: _Canvas, report: SampleReport, words: Wording) -> tuple[str, str]:
    """Draw the templates over the two sites, a row for those that show the same."""
    shown = read_rows(report)
    most = max(row.count for row in shown)
    said, y = [], 34.0
    for row in shown:
        facts = _facts(report, (letter or words.say("picture", "not_covered") for letter in row.letters))
        said.append(words.say("picture", "reads_text", name=row.told(words), count=row.count, **facts))
        there = [(x, letter) for x, letter in zip(_READ_X, row.letters, strict=True) if letter is not None]
        begin, end = there[0][0], there[-1][0]
        canvas.rect((begin - 20, y - 4, end - begin + 40, 8), "strand", 4)
        for x, letter in there:
            kind = "letter-c" if letter == "C" else "letter-t"
            canvas.rect((x - 10, y - 10, 20, 20), kind, 3)
            canvas.text(x, y + 5, letter, f"on-{kind}", "middle")
        canvas.text(134, y + 5, greek(row.name or ""), "strong")
        canvas.bar((162, y - 8, 130, 16), row.count / most)
        canvas.text(300, y + 5, str(row.count))
        y += 28
    return canvas.svg(y - 10, " ".join(said))


def _posterior(run: Run, report: SampleReport, words: Wording) -> tuple[str, str]:
    canvas = _Canvas("posterior", words.say("picture", "posterior"))
    needed = run.parameters.min_probability
    said, y = [], 28.0
    for number, (name, chance) in enumerate(bars(report, words)):
        if number == len(report.genotype.e4_copies_posterior):  # diplotypes stand apart
            y += 10
        canvas.text(_BAR_X - 6, y + 12, name, "", "end")
        canvas.bar((_BAR_X, y, _BAR_WIDTH, 16), chance)
        canvas.text(_BAR_X + _BAR_WIDTH + 8, y + 12, told_chance(words, chance, report, short=True))
        told = told_chance(words, chance, report)
        said.append(words.say("picture", "posterior_text", name=name, probability=told))
        y += 22
    x = _BAR_X + _BAR_WIDTH * needed
    canvas.line((x, 18), (x, y), "threshold")
    canvas.text(x + 3, 13, words.say("picture", "threshold", threshold=percent(needed)), "small", "end")
    return canvas.svg(y + 4, " ".join(said))


def _map(name: str, report: SampleReport, words: Wording) -> tuple[str, str]:
    response = report.response[int(name.rpartition("-")[2])]
    rows = {row.claim_id: row for row in response.by_status if row.group == "carrier"}
    unknown = words.say("picture", "size_unknown")
    canvas = _Canvas(name, words.say("picture", "map"))
    canvas.text(_MAP_X[-1], 14, words.say("picture", "map_less"), "small", "middle")
    canvas.text(_MAP_X[1], 14, words.say("picture", "map_more"), "small", "middle")
    said, y, counted = [], 40.0, True
    for mark in evidence_marks(response):
        if counted and not mark.counted:
            canvas.text(32, y, words.say("picture", "map_other"), "small")
            y += 22
        counted = mark.counted
        row = rows[mark.claims[0]]
        level = words.say("level", row.certainty)
        canvas.text(8, y + 5, mark.letter, "strong")
        canvas.line((32, y), (212, y), "rule")
        canvas.line((_MAP_X[0], y - 16), (_MAP_X[0], y + 16), "threshold")
        x, size, kind = _MAP_X[mark.side], _BIGGEST, "mark" if mark.counted else "mark-other"
        if mark.people is None:
            kind = "mark-unknown"
        else:  # the area grows with the number of people, within what can be drawn
            size = min(_BIGGEST, max(_SMALLEST, math.sqrt(mark.people)))
        if mark.indirect:
            canvas.rect((x - size, y - size, 2 * size, 2 * size), kind)
        else:
            canvas.shapes.append(f'<circle cx="{x:g}" cy="{y:g}" r="{size:.4g}" class="{kind}"/>')
        if mark.people is None:
            canvas.text(x, y + 5, "?", "", "middle")
        beside = [unknown if mark.people is None else f"n {mark.people}", level]
        beside += [words.say("picture", "map_indirect")] if mark.indirect else []
        for line, text in enumerate(beside):
            canvas.text(222, y - 2 + 14 * line, text, "small")
        of = unknown if mark.people is None else row.sample_size
        facts = {"letter": mark.letter, "direction": side_words(row, words), "size": of, "certainty": level}
        said.append(words.say("picture", "map_row", **facts))
        y += 22 + 14 * (len(beside) - 1)
    return canvas.svg(y - 10, " ".join(said))
