"""The sample table of a cohort's page: its columns, and what is found in them under which words."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from pgx.calling import E4Status, populations
from pgx.genome import rsids
from pgx.wording import Wording, greek, percent

STATUSES = tuple(status.value for status in E4Status)
_WITHHELD = "\0"  # the result of a minor


class SampleTable(Struct, frozen=True, kw_only=True):
    """What is listed of samples: cells by column, and the columns of the manifest among them by heading."""

    cells: Mapping[str, Sequence[Any]]
    more: Mapping[str, str]
    samples: int
    static_rows: int


class Column(Struct, frozen=True, kw_only=True):
    """A column of the sample table: a code a row, and of each code a label, and what is found under it."""

    name: str
    labels: Sequence[str]
    codes: Sequence[int]
    keys: Sequence[Sequence[str]]
    loose: bool = True  # parts of a label are found, too; else only what a key begins with
    values: Sequence[float | None] | None = None  # of a column of numbers; labels are in their order


def _column(
    name: str,
    cells: Sequence[Any],
    label: Callable[[Any], str] = lambda cell: str(cell or ""),
    keys: Callable[[Any], Iterable[str]] | None = None,
    order: Callable[[Any], Any] | None = None,
    *,
    loose: bool = True,
) -> Column:
    # cells that are shown alike have one code, and codes are in the order of the cells
    def natural(cell: Any) -> str:  # P2 before P10, as people sort
        return re.sub(r"\d+", lambda found: found.group().zfill(12), str(cell or "").lower())

    def plain(text: str) -> str:  # as it is searched in: small letters, e4 for ε4, / for |
        return text.lower().replace("ε", "e").replace("|", "/")

    distinct = sorted(set(cells), key=order or natural)
    codes = {cell: place for place, cell in enumerate(distinct)}
    found = ([label(cell), *(keys(cell) if keys else ())] for cell in distinct)
    return Column(
        name=name,
        labels=list(map(label, distinct)),
        codes=[codes[cell] for cell in cells],
        keys=[sorted({plain(key) for key in some if key}) for some in found],
        loose=loose,
    )


def _chances(name: str, diplotypes: Sequence[str | None], chances: Sequence[float | None]) -> Column:
    """Return the column of the probabilities; what is shown alike counts as the least of them."""
    shown = [None if pair is None else chance for pair, chance in zip(diplotypes, chances, strict=True)]
    texts = ["" if chance is None else percent(chance) for chance in shown]
    least: dict[str, float] = {"": -1.0}
    for text, chance in zip(texts, shown, strict=True):
        if chance is not None:
            least[text] = min(chance, least.get(text, 1.0))
    column = _column(name, texts, order=least.__getitem__)
    return msgspec.structs.replace(column, values=[least[text] if text else None for text in column.labels])


def table_columns(words: Wording, table: SampleTable) -> list[Column]:
    """Return the columns of the sample table after the names; of a minor only names and flag are there."""
    cells, say = table.cells, functools.partial(words.say, "cohort")
    minors = [status is None for status in cells["e4_status"]]
    labels = {item.name: item.label for item in populations()}
    shorts = {_WITHHELD: say("withheld")} | {name: say(f"short_{name}") for name in STATUSES}
    order = [*shorts].index
    finds: dict[str, list[str]] = {_WITHHELD: []}
    finds |= {name: [name, *say(f"find_{name}").split(";")] for name in STATUSES}

    def shown(name: str) -> list[Any]:
        return [_WITHHELD if minor else cell for cell, minor in zip(cells[name], minors, strict=True)]

    def diplotype(cell: str | None) -> str:
        nothing = say("withheld" if cell else "short_indeterminate")
        return nothing if cell in {None, _WITHHELD} else greek(str(cell))

    def diplotype_keys(cell: str | None) -> list[str]:
        if cell in {None, _WITHHELD}:
            return [] if cell else say("find_indeterminate").split(";")
        one, other = str(cell).split("/")
        both = f"{one}/{other}", f"{other}/{one}"
        return [*both, *(text.replace("e", "") for text in both)]

    def state(cell: str | None) -> str:
        return word(words, "state", cell or "")

    def flags(cell: str | None) -> dict[str, str]:
        return {code: word(words, "flag_name", code) for code in (cell or "").split(";") if code}

    return [
        _column(say("diplotype"), shown("diplotype"), diplotype, diplotype_keys, loose=False),
        _chances(say("probability"), cells["diplotype"], cells["diplotype_probability"]),
        _column(say("status"), shown("e4_status"), shorts.__getitem__, finds.__getitem__, order, loose=False),
        *(_column(rsid, cells[rsid], state, lambda cell: [cell or ""]) for rsid in rsids()),
        _column(
            say("flags"),
            cells["flags"],
            lambda cell: "; ".join(flags(cell).values()),
            lambda cell: [*flags(cell), *flags(cell).values()],
        ),
        _column(say("population"), cells["population"], keys=lambda cell: [labels.get(cell, "")]),
        *(_column(name, cells[column]) for column, name in table.more.items()),
        _column(say("input"), cells["input"]),
    ]


def table_data(words: Wording, table: SampleTable, columns: Sequence[Column]) -> str:
    """Return the rows for the script, as JSON that no tag can end."""
    reports = table.cells["report"]
    data = {
        "samples": table.samples,
        "names": table.cells["sample"],
        "reports": [path and quote(path) for path in reports] if any(reports) else None,
        "columns": columns,
        "words": {key: text for key, text in words.topics["cohort"].items() if key.startswith("table_")},
    }
    return msgspec.json.encode(data).decode().replace("<", r"\u003c")


def word(words: Wording, topic: str, key: str) -> str:
    """Return the words for a code; a code without words stands for itself."""
    return words.topics.get(topic, {}).get(key, key)
