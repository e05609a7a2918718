"""What a report says, in order. Every readable format lays out these same sentences.

The sentences come from reference/wording/ and from the evidence; which of them are said is decided here and
in the modules `summary`, `medicine`, `sureness`, `counsel` and `technical`, one for each group of sections.
"""

from __future__ import annotations

from collections.abc import Iterable

from pgx.errors import printable
from pgx.render.blocks import Block, Citations, Narrative, Section, bullet
from pgx.render.counsel import family_blocks, talk_blocks
from pgx.render.form import Form
from pgx.render.medicine import appendix_blocks, evidence_blocks, medicine_blocks, undirected
from pgx.render.summary import Summary, is_withheld
from pgx.render.sureness import sure_blocks
from pgx.render.technical import technical_lines
from pgx.report import Run, SampleReport
from pgx.wording import Wording

_GENERAL_LIMITS = ("two_sites", "no_diagnosis", "identity", "transfusion")
_FOLDED = frozenset({"appendix", "technical"})
#: Sections that come before the seal; everything behind it may give the status away.
OPEN_SECTIONS = frozenset({"sharing"})


def narrate(
    run: Run, report: SampleReport, form: Form | None = None, *, full: bool = True, alone: bool = False
) -> Narrative:
    """Return the report of one sample in words; without `full` the summary, `alone` if nothing follows it."""
    form = form or Form()
    words, cite, withheld = form.words, Citations(), is_withheld(run, report)
    summary = Summary(run, report, form, cite, alone=alone)
    opening: dict[str, Iterable[Block]] = {"sharing": summary.sharing(), **summary.parts()}
    sections = [_section(key, blocks, report, words, summary=True) for key, blocks in opening.items()]
    if full:
        behind = _behind(run, report, words, cite, withheld=withheld)
        sections += [_section(key, blocks, report, words) for key, blocks in behind.items()]
        sections.append(_section("sources", cite.lines(), report, words))
    return Narrative(
        title=words.say("heading", "title", drug=drugs(report), sample=printable(report.sample)),
        head=tuple(summary.head()),
        sections=tuple(part for part in sections if part.blocks),
    )


def one_line(run: Run, report: SampleReport, form: Form) -> str:
    """Return the result of one sample as one line."""
    return Summary(run, report, form, Citations()).line()


def drugs(report: SampleReport) -> str:
    """Return the drugs of the report, joined."""
    return ", ".join(dict.fromkeys(response.drug for response in report.response))


def _behind(
    run: Run, report: SampleReport, words: Wording, cite: Citations, *, withheld: bool
) -> dict[str, Iterable[Block]]:
    """Return the sections behind the summary, in their order."""
    drug = undirected(report, withheld=withheld)
    neighbours, around = ((), ()) if withheld else _around(run, report, words)
    return {
        "neighbours": neighbours,
        "sure": () if withheld else sure_blocks(run, report, words),
        "evidence": (
            *medicine_blocks(report, words, withheld=withheld),
            *evidence_blocks(report, words, cite, withheld=withheld),
        ),
        "around": around,
        "family": family_blocks(report, words, drug=drug, withheld=withheld),
        "talk": talk_blocks(report, words, cite, withheld=withheld),
        "limits": _limits(run, report, words, withheld=withheld),
        "appendix": appendix_blocks(run, report, words, cite),
        "technical": technical_lines(run, report, words, withheld=withheld),
    }


def _around(run: Run, report: SampleReport, words: Wording) -> tuple[Iterable[Block], Iterable[Block]]:
    """Return an estimate from the neighbours and what it rests on; reports without one do not load it."""
    if report.neighbours is None:
        return (), ()
    from pgx.render.neighbours import basis_blocks, neighbour_blocks  # noqa: PLC0415

    told = neighbour_blocks(run, report, report.neighbours, words)
    return told, basis_blocks(report.neighbours, words)


def _section(
    key: str, blocks: Iterable[Block], report: SampleReport, words: Wording, *, summary: bool = False
) -> Section:
    title = words.say("section", key, drug=drugs(report))
    return Section(key=key, title=title, blocks=tuple(blocks), folded=key in _FOLDED, summary=summary)


def _limits(run: Run, report: SampleReport, words: Wording, *, withheld: bool) -> Iterable[Block]:
    """Yield what holds for every report, then what holds for this one; the same as its `limitations`."""
    say = words.say
    yield from (bullet(say("limits", key)) for key in _GENERAL_LIMITS)
    if withheld:
        return
    if report.has_flag("ambiguous-phase"):
        yield bullet(say("limits", "phase_limit"))
    if any(site.basis == "GT" for site in report.sites):
        rate = f"{run.parameters.genotype_error_rate:g}"
        yield bullet(say("limits", "error_rate", rate=rate))
    yield bullet(say("limits", "population", population=run.parameters.population))
