"""Every state that a report can be in: a sample file and the options that bring it about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pgx.render.form import Block, Narrative, flattened

SAMPLES = Path(__file__).resolve().parents[2] / "sample_vcfs"

#: Name of the state: file and command-line options.
STATES = {
    "non-carrier": ["NA12878.e3-e3.GRCh38.vcf"],
    "heterozygous": ["NA18526.e3-e4.GRCh38.vcf"],
    "homozygous": ["HG00136.e4-e4.GRCh37.vcf"],
    "ambiguous-phase": ["HG00150.e2-e4.GRCh38.vcf"],
    "ambiguous-phase-AFR": ["HG00150.e2-e4.GRCh38.vcf", "--population", "AFR"],
    "partial": ["half-call.GRCh37.vcf"],
    "carrier-half-call": ["half-call-carrier.GRCh37.vcf"],
    "carrier-rare-haplotype": ["NA19146.rare.GRCh38.vcf"],
    "absent": ["absent-sites.GRCh38.vcf"],
    "one-site": ["one-site.GRCh37.vcf"],
    "assumed-reference": ["absent-sites.GRCh38.vcf", "--absent-sites", "reference"],
    "minor-withheld": ["NA18526.e3-e4.GRCh38.vcf", "--age", "12"],
}
#: States whose ε4 status is not determined.
UNDETERMINED = {"ambiguous-phase-AFR", "partial", "absent"}


def sentences(narrative: Narrative) -> Iterator[str]:
    """Yield every piece of text that a readable format must show, in order."""
    yield narrative.title
    parts: list[Block] = [*narrative.head]
    yield from _texts(parts)
    for section in narrative.sections:
        yield section.title
        yield from _texts(section.blocks)


def _texts(blocks: Iterable[Block]) -> Iterator[str]:
    for block in flattened(blocks):
        yield block.text
        if block.note:
            yield block.note
        for row in block.rows:
            yield from row
