"""Small ways of saying things that every readable format shares."""

from __future__ import annotations

from pgx.errors import ReferenceDataError, printable
from pgx.report import Flag
from pgx.wording import Wording, greek, percent

LONG = 1000


def chance(words: Wording, probability: float) -> str:
    """Return a probability as the language writes it; see `pgx.wording.percent`."""
    text = percent(probability)
    if not words.has("number", "decimal"):
        return text
    for english, key in ((".", "decimal"), ("more than", "more"), ("less than", "less")):
        text = text.replace(english, words.say("number", key))
    return text


def capitalised(text: str) -> str:
    """Return `text` as the start of a sentence; a haplotype keeps its small ε."""
    return text if text.startswith("ε") else text[:1].upper() + text[1:]


def flag_message(flag: Flag, words: Wording) -> str:
    """Return what a flag says in this language; a flag stored without its values says it in English."""
    mild = f"{flag.code}-info"
    key = mild if flag.severity == "info" and words.has("flag", mild) else flag.code
    values = {name: _readable(words, name, value) for name, value in flag.values.items()}
    try:
        return printable(words.say("flag", key, **values), LONG)
    except ReferenceDataError:
        return printable(flag.message, LONG)


def _readable(words: Wording, name: str, value: str) -> str:
    if name.endswith("probability"):
        return chance(words, float(value))
    return greek(value) if name in {"best", "other", "diplotype"} else value
