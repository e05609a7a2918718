"""What a report says, in order. Every readable format lays out these same sentences.

The sentences come from reference/wording/ and from the evidence; which of them are said is decided here and
in the modules `summary`, `medicine` and `sureness`, one for each group of sections. The technical
part (records, calculation, options, versions, digests) stands at the end of this one.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from pgx.calling import PopulationResult
from pgx.errors import printable
from pgx.observe import SiteReport
from pgx.render.form import Block, Citations, Form, Kind, Narrative, Section, bullet
from pgx.render.medicine import appendix_blocks, drugs, evidence_blocks, medicine_blocks, undirected
from pgx.render.summary import Summary, family_blocks, is_withheld, talk_blocks
from pgx.render.sureness import EXCLUDING, flag_message, sure_blocks, told_chance
from pgx.report import Run, SampleReport, general_limits
from pgx.wording import Wording, greek

_FOLDED = frozenset({"appendix", "technical"})
#: Sections that come before the seal; everything behind it may give the status away.
OPEN_SECTIONS = frozenset({"sharing"})


def narrate(
    run: Run, report: SampleReport, form: Form | None = None, *, full: bool = True, alone: bool = False
) -> Narrative:
    """Return the report of one sample in words; without `full` the summary, `alone` if nothing follows it."""
    form = form or Form()
    words, cite, withheld = form.words, Citations(), is_withheld(run, report)
    summary = Summary(run, report, form, cite, alone=alone, signed=full)
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
        "limits": _limits(report, words, withheld=withheld),
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


def _limits(report: SampleReport, words: Wording, *, withheld: bool) -> Iterable[Block]:
    """Yield what holds for every report, then what holds for this one, unless it is withheld."""
    return map(bullet, general_limits(words) if withheld else report.limitations)


_RECORD_LIMIT = 300
_DIGEST_DIGITS = 12
#: Options that state the genotype itself.
_TELLING = frozenset({"genotype"})
#: Evidence on the assembly that comes from records of the two sites, and so from the genotype.
_FROM_RECORDS = frozenset({"records", "record-letters"})


def technical_lines(run: Run, report: SampleReport, words: Wording, *, withheld: bool) -> Iterable[Block]:
    """Return the lines, without anything of the genotype where the result is withheld."""
    return (Block(Kind.DETAIL, line) for line in _lines(run, report, words, withheld=withheld))


def _lines(run: Run, report: SampleReport, words: Wording, *, withheld: bool) -> Iterable[str]:
    if not withheld:
        for site in report.sites:
            yield from _site_lines(site, words)
        yield from _calculation_lines(report, words)
        is_open = report.genotype.diplotype is None
        for flag in report.flags:
            severity = words.say("severity", flag.severity)
            yield words.say(
                "technical",
                "flag",
                severity=severity,
                message=flag_message(flag, words, is_open=is_open),
                code=flag.code,
            )
    yield from _run_lines(run, words, withheld=withheld)


def _site_lines(site: SiteReport, words: Wording) -> Iterable[str]:
    unknown = words.say("technical", "unknown")
    yield words.say(
        "technical",
        "site",
        rsid=site.rsid,
        contig=printable(site.contig),
        position=site.position,
        ref=site.ref or unknown,
        alt=site.alt or unknown,
        state=words.say("state", site.state),
    )
    if site.record is None:
        return
    yield words.say(
        "technical",
        "measured",
        depth=unknown if site.depth is None else site.depth,
        quality=unknown if site.genotype_quality is None else f"{site.genotype_quality:g}",
        filter=printable(site.filter) if site.filter else unknown,
        phase_set=printable(site.phase_set) if site.phase_set else unknown,
    )
    for line in site.record.split("\n"):
        yield words.say("technical", "record", record=printable(line.replace("\t", " "), _RECORD_LIMIT))


def _calculation_lines(report: SampleReport, words: Wording) -> Iterable[str]:
    genotype = report.genotype
    yield words.say("technical", "phase", phase=genotype.phase)
    if all(site.basis is None for site in report.sites):
        return
    for rsid in [site.rsid for site in report.sites if site.basis is not None]:
        excluded = [row.diplotype for row in genotype.calculation if row.likelihood[rsid] <= EXCLUDING]
        if excluded:
            yield words.say("technical", "excluded", rsid=rsid, list=", ".join(map(greek, excluded)))
    unlikely = [row.diplotype for row in genotype.calculation if row.phase_factor <= EXCLUDING]
    if unlikely:
        yield words.say("technical", "excluded_by_phase", list=", ".join(map(greek, unlikely)))
    if report.has_flag("prior-dependent"):
        answer = (genotype.diplotype, genotype.e4_status)
        others = [
            f"{name}: {_answer(other, report, words)}"
            for name, other in genotype.by_population.items()
            if (other.diplotype, other.e4_status) != answer
        ]
        yield words.say("technical", "populations", list="; ".join(others))


def _answer(result: PopulationResult, report: SampleReport, words: Wording) -> str:
    return words.say(
        "technical",
        "population" if result.diplotype else "population_open",
        diplotype=greek(result.diplotype or ""),
        probability=told_chance(words, result.diplotype_probability, report),
        status=words.say("status", result.e4_status).partition(" (")[0],
    )


def _run_lines(run: Run, words: Wording, *, withheld: bool) -> Iterable[str]:
    size = words.say("technical", "stream")
    if run.input.size is not None:
        size = words.say("technical", "bytes", count=run.input.size)
    yield words.say(
        "technical",
        "input",
        path=printable(run.input.path),
        size=size,
        access=run.input.access,
        header=run.input.header_digest,
    )
    clues = "; ".join(
        f"{clue.kind}: {printable(clue.detail)}"
        for clue in run.input.assembly_evidence
        if not (withheld and clue.kind in _FROM_RECORDS)
    )
    yield words.say("technical", "assembly", assembly=run.input.assembly, evidence=clues)
    yield words.say("technical", "options", options=_options(run, withheld=withheld))
    yield words.say(
        "technical",
        "program",
        version=run.tool.version,
        release=run.reference.release,
        digest=run.reference.digest,
    )
    files = [
        f"{printable(file.name)} {file.digest.partition(':')[2][:_DIGEST_DIGITS]}"
        for file in run.reference.evidence
    ]
    yield words.say("technical", "evidence_files", list=", ".join(files))
    yield words.say("technical", "created", created=run.created)


def _options(run: Run, *, withheld: bool) -> str:
    shown = []
    for name, value in structs.asdict(run.parameters).items():
        if value in (None, (), False) or (withheld and name in _TELLING):
            continue
        text = (
            ",".join(value)
            if isinstance(value, tuple)
            else f"{value:g}"
            if isinstance(value, float)
            else str(value)
        )
        shown.append(f"{name.replace('_', '-')} {printable(text)}")
    return ", ".join(shown)
