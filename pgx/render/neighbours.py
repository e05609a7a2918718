"""What the variants around the sites say, under its own heading: an estimate, a second opinion, phase.

Imported only for a report that holds an estimate. No diplotype is named below `name_from` of
reference/neighbours.toml: few positions are not calibrated for every ancestry.
"""

from __future__ import annotations

from collections.abc import Iterable

from pgx.calling import double_heterozygotes
from pgx.neighbours import NeighbourReport
from pgx.neighbours.panel import settings
from pgx.observe import EvidenceKind
from pgx.render.form import Block, Kind, bullet, paragraph
from pgx.render.sureness import has_answer
from pgx.report import Run, SampleReport
from pgx.wording import Wording, greek, percent

#: The phase of a double heterozygote hangs on a haplotype that the panel hardly knows: nothing above is said.
_SUREST_PHASE = 0.999


def neighbour_blocks(
    run: Run, report: SampleReport, found: NeighbourReport, words: Wording
) -> Iterable[Block]:
    """Yield what the neighbours suggest, and what it must not be taken for."""
    say = words.say
    if found.agrees is False:
        yield from _opinion(report, found, words)
    if found.diplotype is None or found.diplotype_probability is None:
        yield paragraph(say("neighbours", "unlike", used=found.markers_used))
    elif is_estimate(report):
        yield paragraph(_estimate(run, found, found.diplotype, found.diplotype_probability, words))
        yield paragraph(say("neighbours", "lead"))
    if found.agrees:
        yield from _opinion(report, found, words)


def basis_blocks(found: NeighbourReport, words: Wording) -> Iterable[Block]:
    """Yield what the estimate rests on: phase, panel, fit, and its limits."""
    if found.phase_posterior is not None:
        yield bullet(_phase(found.phase_posterior, words))
    bar = f"{found.lowest_fit:.1f}"
    yield bullet(words.say("neighbours", "basis", panel=found.panel, fit=f"{found.fit:.1f}", bar=bar))
    yield bullet(words.say("neighbours", "limits"))


def neighbour_sentence(report: SampleReport, found: NeighbourReport, words: Wording) -> str | None:
    """Return what the summary says of the neighbours; None where they have nothing to add."""
    if found.agrees is False:
        if has_answer(report):
            return None  # a caveat of the answer says it
        return words.say("neighbours", "glance_disagrees", sites=_sites_read(report, words))
    if not is_estimate(report):
        return None
    if found.diplotype is None or found.diplotype_probability is None:
        return words.say("neighbours", "glance_unlike")
    if found.diplotype_probability < settings().name_from.value:
        return words.say("neighbours", "glance_open")
    probability = percent(found.diplotype_probability)
    return words.say("neighbours", "glance", diplotype=greek(found.diplotype), probability=probability)


def is_estimate(report: SampleReport) -> bool:
    """Return whether the sites leave something open, so that an estimate is more than an opinion."""
    return report.genotype.diplotype is None or not all(
        site.basis not in {None, EvidenceKind.ASSUMED} for site in report.sites
    )


def _estimate(run: Run, found: NeighbourReport, diplotype: str, probability: float, words: Wording) -> str:
    """Return the estimate in a few sentences; nothing is named below the limit."""
    say, least = words.say, settings().name_from.value
    counted = {"used": found.markers_used, "all": found.markers_panel}
    if probability < least:
        told = [say("neighbours", "open", least=percent(least), **counted)]
    else:
        key = "estimate_with" if found.sites_used else "estimate"
        sure = {"diplotype": greek(diplotype), "probability": percent(probability)}
        sites = say("result", "and").join(found.sites_used)
        told = [say("neighbours", key, sites=sites, **sure, **counted)]
        threshold = run.parameters.min_probability
        if probability < threshold:
            told.append(say("neighbours", "below", threshold=percent(threshold)))
    copies = found.e4_copies_posterior or {}
    best = max(copies, key=copies.__getitem__, default="")
    if copies.get(best, 0.0) < least:
        told.append(say("neighbours", "copies_open"))
    else:
        told.append(say("neighbours", "copies", copies=best, probability=percent(copies[best])))
    return " ".join(told)


def _opinion(report: SampleReport, found: NeighbourReport, words: Wording) -> Iterable[Block]:
    sites = _sites_read(report, words)
    if found.agrees:
        yield paragraph(words.say("neighbours", "agrees", sites=sites))
        return
    probability = percent(found.read_probability or 0.0)
    text = words.say("neighbours", "disagrees", sites=sites, probability=probability)
    expected = found.neighbours_alone or found.diplotype_posterior or {}
    best = max(expected, key=expected.__getitem__, default="")
    if expected.get(best, 0.0) < settings().name_from.value:
        text += " " + words.say("neighbours", "expects_open")
    else:
        sure = percent(expected[best])
        text += " " + words.say("neighbours", "expects", diplotype=greek(best), probability=sure)
    yield Block(Kind.ALERT, text)


def _sites_read(report: SampleReport, words: Wording) -> str:
    return words.say("result", "and").join(site.rsid for site in report.sites if site.alleles is not None)


def _phase(posterior: dict[str, float], words: Wording) -> str:
    best = max(posterior, key=posterior.__getitem__)
    other = next(name for name in double_heterozygotes() if name != best)
    probability = percent(min(posterior[best], _SUREST_PHASE))
    return words.say("neighbours", "phase", best=greek(best), other=greek(other), probability=probability)
