"""The appendix: what else is reported about the drug, how it may work, other products, and a glossary."""

from __future__ import annotations

from collections.abc import Iterable

from pgx.render.blocks import Block, bullet, paragraph, subheading
from pgx.render.citations import Citations
from pgx.render.medicine import cited, item_block
from pgx.render.selection import shown_context
from pgx.report import Run, SampleReport
from pgx.wording import Wording

_GLOSSARY = ("apoe", "haplotype", "diplotype", "carrier", "phase", "posterior", "vcf", "certainty")


def appendix_blocks(run: Run, report: SampleReport, words: Wording, cite: Citations) -> Iterable[Block]:
    """Return the appendix by topic. Nothing in it depends on the genotype."""
    drug = ", ".join(dict.fromkeys(response.drug for response in report.response))
    items, hidden = shown_context(report)
    for topic in dict.fromkeys(item.topic for item in items):
        yield subheading(words.say("topic", topic))
        yield from (item_block(item, words, cite) for item in items if item.topic == topic)
    if hidden:
        yield paragraph(words.say("appendix", "more", count=hidden))
    yield from (paragraph(note, quoted=True) for note in report.patient.notes if items)
    for kind in dict.fromkeys(item.kind for item in run.appendix):
        yield subheading(words.say("appendix", kind, drug=drug))
        for item in run.appendix:
            if item.kind == kind:
                yield cited(item.statement, item.sources, item.certainty, words, cite)
    yield subheading(words.say("appendix", "glossary"))
    yield from (bullet(words.say("glossary", key)) for key in _GLOSSARY)
