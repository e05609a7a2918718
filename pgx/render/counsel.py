"""What a counsellor says: one minute of talk, before and after it, and what relatives may carry.

Which sentence rests on which source is in reference/report.toml.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from pgx.reference import Facts, Provenance, load
from pgx.render.blocks import Block, Citations, Kind, bullet, subheading
from pgx.report import SampleReport
from pgx.wording import Wording

_BEFORE_AND_AFTER = ("postpone", "support", "insurance", "minors")
_RELATIVES = ("parent", "sibling", "child")


class _CounselFile(Facts, frozen=True, kw_only=True):
    provenance: Provenance
    sources: dict[str, str]
    rests_on: dict[str, tuple[str, ...]]


@functools.cache
def _file() -> _CounselFile:
    return load("counsel.toml", _CounselFile)


def said_with_source(key: str, words: Wording, cite: Citations) -> Block:
    """Return a sentence of the topic `counsel` as a list item with its references."""
    file = _file()
    marks = cite.marks_of(file.sources[source] for source in file.rests_on[key])
    return Block(Kind.BULLET, words.say("counsel", key), marks=marks)


def talk_blocks(report: SampleReport, words: Wording, cite: Citations, *, withheld: bool) -> Iterable[Block]:
    """Yield talking points of one minute, and what belongs before and after the talk."""
    yield subheading(words.say("counsel", "minute"))
    yield said_with_source("no_oracle", words, cite)
    if not withheld:
        yield bullet(words.say("counsel", f"found_{report.genotype.e4_status}"))
    drugs = ", ".join(dict.fromkeys(response.drug for response in report.response))
    risks = ", ".join(dict.fromkeys(response.risk for response in report.response if response.risk))
    yield bullet(words.say("counsel", "medicine_risk" if risks else "medicine", drug=drugs, risk=risks))
    yield bullet(words.say("counsel", "no_hurry"))
    yield subheading(words.say("counsel", "around"))
    yield from (said_with_source(key, words, cite) for key in _BEFORE_AND_AFTER)


def family_blocks(report: SampleReport, words: Wording, *, drug: str, withheld: bool) -> Iterable[Block]:
    """Yield what each relative may carry, by Mendel and no further; if withheld, what holds for all.

    `drug` names the drugs for whose sake no relative needs a test, if any.
    """
    say = words.say
    yield bullet(say("family", "general"))
    status = report.genotype.e4_status
    if not withheld and words.has("family", f"{status}_child"):
        rows = [(say("family", "relative"), say("family", "may_carry"))]
        rows += [(say("family", kin), say("family", f"{status}_{kin}")) for kin in _RELATIVES]
        yield Block(Kind.TABLE, say("family", "table"), rows=tuple(rows), name="family")
    elif not withheld:
        yield bullet(say("family", status))
    if not withheld and report.genotype.assumed:
        yield bullet(say("family", "assumed"))
    yield bullet(say("family", "no_duty"))
    if drug:
        yield bullet(say("family", "no_test", drug=drug))
