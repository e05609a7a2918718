"""The sentences of a language: reference/wording/<language>.toml, one table a topic, filled in by name."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

from msgspec import Struct

from pgx.errors import ReferenceDataError
from pgx.reference import FactFile, load

DEFAULT_LANGUAGE = "en"


class _WordingFile(FactFile, frozen=True, kw_only=True):
    topic: dict[str, dict[str, str]]


class Wording(Struct, frozen=True):
    """All sentences of one language, by topic and key."""

    language: str
    topics: Mapping[str, Mapping[str, str]]

    def say(self, topic: str, key: str, **values: object) -> str:
        """Return the sentence `key` of `topic`, with `values` filled in.

        ReferenceDataError: there is no such sentence, or it asks for a value that is not given.
        """
        try:
            return self.topics[topic][key].format(**values)
        except (KeyError, IndexError, ValueError) as error:
            what = f"the sentence {topic}.{key} is missing or asks for an unknown value ({error})"
            where = f"wording/{self.language}.toml"
            raise ReferenceDataError(what, where=where, cure="Correct the file") from error

    def joined(self, items: Iterable[str]) -> str:
        """Return items as a list in a sentence."""
        return self.say("result", "and").join(items)

    def has(self, topic: str, key: str) -> bool:
        """Return whether there is such a sentence."""
        return key in self.topics.get(topic, {})


@functools.cache
def wording(language: str = DEFAULT_LANGUAGE) -> Wording:
    """Return the sentences of `language`."""
    return Wording(language=language, topics=load(f"wording/{language}.toml", _WordingFile).topic)


def percent(probability: float) -> str:
    """Return a probability as text that never rounds to certainty: "99.8 %", "more than 99.99 %"."""
    share = 100 * probability
    if share > 99.99:
        return "more than 99.99 %"
    if share >= 1:  # cut, so that 98.96 does not read as the threshold of 99
        digits = 2 if share >= 99.9 else 1
        return f"{int(share * 10**digits + 1e-9) / 10**digits:.{digits}f} %"
    return f"{share:.2g} %" if share >= 0.01 else "less than 0.01 %"


def rounded_percent(share: float) -> str:
    """Return a share of counted people as text, rounded: "24.3 %". Only none is 0 %, only all are 100 %."""
    value = 100 * share
    if share in {0, 1}:
        return f"{value:.0f} %"
    if value < 0.1:
        return f"{value:.2g} %" if value >= 0.001 else "less than 0.001 %"
    return f"{min(value, 99.99):.2f} %" if value > 99.9 else f"{value:.1f} %"


def greek(name: str) -> str:
    """Return an ASCII diplotype or haplotype name ("e3/e4") as people write it ("ε3/ε4")."""
    return name.replace("e", "ε")


def capitalised(text: str) -> str:
    """Return `text` as the start of a sentence; a haplotype keeps its small ε."""
    return text if text.startswith("ε") else text[:1].upper() + text[1:]
