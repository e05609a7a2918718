"""The part on the family: what each relative may carry, by Mendel and no further."""

from __future__ import annotations

from collections.abc import Iterable

from pgx.render.blocks import Block, bullet
from pgx.render.selection import undirected
from pgx.report import SampleReport
from pgx.wording import Wording


def family_blocks(report: SampleReport, words: Wording, *, withheld: bool) -> Iterable[Block]:
    """Say what a result means for relatives; of a withheld one only what holds for everybody."""
    yield bullet(words.say("family", "general"))
    if not withheld:
        yield bullet(words.say("family", report.genotype.e4_status))
        if report.genotype.assumed:
            yield bullet(words.say("family", "assumed"))
    yield bullet(words.say("family", "no_duty"))
    if drug := undirected(report, withheld=withheld):
        yield bullet(words.say("family", "no_test", drug=drug))
