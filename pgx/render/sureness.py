"""How sure the call is: letters, probabilities, the second-best answer and what it would change."""

from __future__ import annotations

from collections.abc import Iterable

from pgx.calling import E4_COPIES, E4Status
from pgx.observe import SiteState
from pgx.render.blocks import Block, Kind, bullet, caption, paragraph
from pgx.render.pictures import Bar, bars, carries_counted, chromosomes
from pgx.render.words import capitalised, chance, flag_message
from pgx.report import Run, SampleReport, SiteReport
from pgx.wording import Wording, greek

_WORTH_SAYING = 1e-4
_TOLD_ELSEWHERE = frozenset(
    {"absent-site", "assumed-reference", "no-call", "partial-call", "low-quality", "minor"}
)


def status_probability(report: SampleReport) -> float:
    """Return the probability of the ε4 status that is reported (not of an indeterminate one)."""
    genotype = report.genotype
    if genotype.e4_copies is not None:
        return genotype.e4_copies_posterior[str(genotype.e4_copies)]
    return genotype.e4_copies_posterior["1"] + genotype.e4_copies_posterior["2"]


def sure_blocks(run: Run, report: SampleReport, words: Wording) -> Iterable[Block]:
    """Show both chromosomes, say what each site says, and show the probabilities."""
    yield Block(Kind.PICTURE, words.say("picture", "chromosomes"), name="chromosomes")
    yield from _chromosome_lines(report, words)
    yield from (bullet(_site_sentence(site, words)) for site in report.sites)
    if any(site.basis is not None for site in report.sites):
        yield from _probabilities(run, report, words)
        yield Block(Kind.PICTURE, words.say("picture", "posterior"), name="posterior")
        yield _bar_table(run, report, words)
        yield paragraph(words.say("sure", "conditional"))
    if report.genotype.assumed:
        yield paragraph(words.say("sure", "conditional_assumed"))
    for flag in report.flags:
        if flag.severity != "info" and flag.code not in _TOLD_ELSEWHERE:
            yield bullet(flag_message(flag, words))


def _chromosome_lines(report: SampleReport, words: Wording) -> Iterable[Block]:
    """Say the picture in a table, and what it cannot show."""
    drawn = chromosomes(report)
    say = words.say
    first, second = report.sites
    rows: list[tuple[str, ...]] = [
        (say("picture", "chromosome"), first.rsid, second.rsid, say("picture", "haplotype"))
    ]
    for number, one in enumerate(drawn.pair, start=1):
        cells = [
            letter_text(letter, assumed=assumed, words=words)
            for letter, assumed in zip(one.letters, drawn.assumed, strict=True)
        ]
        rows.append((str(number), *cells, names_text(one.names, report, words)))
    yield Block(Kind.TABLE, say("picture", "chromosomes"), rows=tuple(rows), name="chromosomes")
    if drawn.both_heterozygous:
        yield caption(say("picture", "both_ways"))
    elif drawn.certain:
        yield caption(say("picture", "arranged"))
    elif any(one.names for one in drawn.pair):
        yield caption(say("picture", "as_read"))


def letter_text(letter: str | None, *, assumed: bool, words: Wording) -> str:
    """Return a letter as a cell: unknown and assumed ones say so."""
    if letter is None:
        return words.say("picture", "unknown")
    return letter + (words.say("result", "assumed_mark") if assumed else "")


def assumed_mark(report: SampleReport, words: Wording) -> str:
    """Return the mark that everything carries that rests on assumed letters; else nothing."""
    return words.say("result", "assumed_mark") if report.genotype.assumed else ""


def names_text(names: tuple[str, ...], report: SampleReport, words: Wording) -> str:
    """Return the haplotypes that a chromosome can be; without certainty they carry a question mark."""
    if not names:
        return words.say("picture", "open_name")
    text = words.say("picture", "or").join(greek(name) for name in names)
    certain = report.genotype.diplotype is not None
    return (text if certain else f"{text} ?") + assumed_mark(report, words)


def _site_sentence(site: SiteReport, words: Wording) -> str:
    say = words.say
    if site.state == SiteState.PARTIAL_CALL and site.seen:
        return say("sure", "site_partial", rsid=site.rsid, allele=site.seen[0])
    if site.basis is None:
        return say("sure", "site_unused", rsid=site.rsid, state=say("state", site.state))
    joint = "|" if site.phased else "/"
    alleles = joint.join(site.alleles) if site.alleles else say("technical", "unknown")
    basis = _basis(site, site.basis, words)
    assumed = say("result", "assumed_mark") if site.state == SiteState.ASSUMED_REFERENCE else ""
    return say("sure", "site_called", rsid=site.rsid, alleles=alleles, basis=basis, assumed=assumed)


def _basis(site: SiteReport, basis: str, words: Wording) -> str:
    if basis == "GQ" and site.genotype_quality is None:  # QUAL stood in for it
        return words.say("basis", "record_quality")
    return words.say("basis", basis, quality=f"{site.genotype_quality or 0:g}", depth=site.depth)


def _probabilities(run: Run, report: SampleReport, words: Wording) -> Iterable[Block]:
    say, genotype = words.say, report.genotype
    mark = assumed_mark(report, words)
    best = greek(genotype.best_diplotype) + mark
    sure = chance(words, genotype.diplotype_probability)
    if genotype.diplotype is not None:
        yield paragraph(say("sure", "diplotype", diplotype=best, probability=sure))
    else:
        threshold = chance(words, run.parameters.min_probability)
        yield paragraph(say("sure", "best_not_enough", diplotype=best, probability=sure, threshold=threshold))
    if genotype.e4_status != E4Status.INDETERMINATE:
        status = capitalised(say("status", genotype.e4_status)) + mark
        sure = chance(words, status_probability(report))
        yield paragraph(say("sure", "status", status=status, probability=sure))
    ranked = sorted(genotype.diplotype_posterior.items(), key=lambda item: -item[1])
    name, probability = ranked[1]
    if probability >= _WORTH_SAYING:
        copies = carries_counted(name)
        status = say("status", next(status for status, count in E4_COPIES.items() if count == copies))
        second = chance(words, probability)
        yield paragraph(say("sure", "second", diplotype=greek(name), probability=second, status=status))


def bar_name(bar: Bar, words: Wording) -> str:
    """Return what a bar stands for."""
    if bar.diplotype is not None:
        return greek(bar.diplotype)
    return words.say("picture", f"copies_{bar.copies}")


def _bar_table(run: Run, report: SampleReport, words: Wording) -> Block:
    rows = [(words.say("picture", "answer"), words.say("picture", "probability"))]
    rows += [(bar_name(bar, words), chance(words, bar.probability)) for bar in bars(report)]
    threshold = chance(words, run.parameters.min_probability)
    caption = words.say("picture", "threshold_text", threshold=threshold)
    return Block(Kind.TABLE, caption, rows=tuple(rows), name="posterior")
