"""What a report says, in order: sentences of reference/wording/ and of the evidence, for each format."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping

from msgspec import structs

from pgx.calling import double_heterozygotes
from pgx.errors import printable
from pgx.neighbours import NeighbourReport
from pgx.observe import SiteReport
from pgx.render import sureness
from pgx.render.form import Block, Citations, Form, Kind, Narrative, Section, bullet, paragraph, subheading
from pgx.render.medicine import appendix_blocks, drugs, evidence_blocks, medicine_blocks, undirected
from pgx.render.summary import Summary, is_estimate, is_withheld, name_from, said_with_source, sites_read
from pgx.report import Run, SampleReport, general_limits
from pgx.wording import Wording, greek, percent

OPEN_SECTIONS = frozenset({"sharing"})  # before the seal; everything behind it may give the status away
_TELLING = frozenset({"genotype", "records", "record-letters"})  # options and evidence that give it away


def narrate(
    run: Run, report: SampleReport, form: Form | None = None, *, full: bool = True, alone: bool = False
) -> Narrative:
    """Return the report of one sample in words; without `full` the summary, `alone` if nothing follows it."""
    form = form or Form()
    words, cite = form.words, Citations()
    summary = Summary(run, report, form, cite, alone=alone, signed=full)
    parts = {**summary.parts()}
    opening = len(parts)
    if full:
        withheld = summary.withheld
        around = None if withheld else report.neighbours
        meaning = medicine_blocks(report, words, withheld=withheld)
        lines = _technical(run, report, words, withheld=withheld)
        parts |= {
            "neighbours": _neighbours(run, report, around, words) if around else (),
            "sure": () if withheld else sureness.sure_blocks(run, report, words),
            "evidence": itertools.chain(meaning, evidence_blocks(report, words, cite, withheld=withheld)),
            "around": _basis(around, words) if around else (),
            "family": _family(report, words, withheld=withheld),
            "talk": _talk(report, words, cite, withheld=withheld),
            "limits": map(bullet, general_limits(words) if withheld else report.limitations),
            "appendix": appendix_blocks(run, report, words, cite),
            "technical": (Block(Kind.DETAIL, line) for line in lines),
            "sources": cite.lines(),
        }
    sections = []
    for place, (key, found) in enumerate(parts.items()):
        if blocks := tuple(found):
            title, folded = words.say("section", key, drug=drugs(report)), key in {"appendix", "technical"}
            sections.append(Section(key, title, blocks, folded=folded, summary=place < opening))
    title = words.say("heading", "title", drug=drugs(report), sample=printable(report.sample))
    return Narrative(title, tuple(summary.head()), tuple(sections))


def one_line(run: Run, report: SampleReport, form: Form) -> str:
    """Return the result of one sample as one line."""
    return Summary(run, report, form, Citations(), alone=True, signed=False).line()


def _neighbours(run: Run, report: SampleReport, found: NeighbourReport, words: Wording) -> Iterator[Block]:
    say, sites = functools.partial(words.say, "neighbours"), sites_read(report, words)
    if found.agrees is False:
        told = say("disagrees", sites=sites, probability=percent(found.read_probability or 0.0))
        best, sure = _most_probable(found.neighbours_alone or found.diplotype_posterior)
        named = say("expects", diplotype=greek(best), probability=percent(sure))
        yield Block(Kind.ALERT, f"{told} {say('expects_open') if sure < name_from() else named}")
    if found.diplotype is None or found.diplotype_probability is None:
        yield paragraph(say("unlike", used=found.markers_used))
    elif is_estimate(report):
        probability, needed, least = found.diplotype_probability, run.parameters.min_probability, name_from()
        counted = {"used": found.markers_used, "all": found.markers_panel}
        if probability < least:  # nothing is named
            estimate = [say("open", least=percent(least), **counted)]
        else:
            chance = {"diplotype": greek(found.diplotype), "probability": percent(probability)}
            key = "estimate_with" if found.sites_used else "estimate"
            estimate = [say(key, sites=words.joined(found.sites_used), **chance, **counted)]
            estimate += [say("below", threshold=percent(needed))] if probability < needed else []
        copies, sure = _most_probable(found.e4_copies_posterior)
        known = say("copies", copies=copies, probability=percent(sure))
        yield paragraph(" ".join((*estimate, say("copies_open") if sure < least else known)))
        yield paragraph(say("lead"))
    if found.agrees:
        yield paragraph(say("agrees", sites=sites))


def _basis(found: NeighbourReport, words: Wording) -> Iterator[Block]:
    say = functools.partial(words.say, "neighbours")
    if found.phase_posterior is not None:
        best, sure = _most_probable(found.phase_posterior)
        other = next(name for name in double_heterozygotes() if name != best)
        chance = percent(min(sure, 0.999))  # it hangs on a haplotype that the panel hardly knows
        yield bullet(say("phase", best=greek(best), other=greek(other), probability=chance))
    yield bullet(say("basis", panel=found.panel, fit=f"{found.fit:.1f}", bar=f"{found.lowest_fit:.1f}"))
    yield bullet(say("limits"))


def _most_probable(posterior: Mapping[str, float] | None) -> tuple[str, float]:
    return max((posterior or {"": 0.0}).items(), key=lambda item: item[1])


def _talk(report: SampleReport, words: Wording, cite: Citations, *, withheld: bool) -> Iterator[Block]:
    say = words.say
    yield subheading(say("counsel", "minute"))
    yield said_with_source("no_oracle", words, cite)
    if not withheld:
        yield bullet(say("counsel", f"found_{report.genotype.e4_status}"))
    risks = ", ".join(dict.fromkeys(response.risk for response in report.response if response.risk))
    yield bullet(say("counsel", "medicine_risk" if risks else "medicine", drug=drugs(report), risk=risks))
    yield bullet(say("counsel", "no_hurry"))
    yield subheading(say("counsel", "around"))
    yield from (said_with_source(key, words, cite) for key in ("postpone", "support", "insurance", "minors"))


def _family(report: SampleReport, words: Wording, *, withheld: bool) -> Iterator[Block]:
    """Yield what each relative may carry, by Mendel and no further; if withheld, what holds for all."""
    say, status = words.say, report.genotype.e4_status
    yield bullet(say("family", "general"))
    if not withheld and words.has("family", f"{status}_child"):
        kin = ("parent", "sibling", "child")
        rows = tuple((say("family", one), say("family", f"{status}_{one}")) for one in kin)
        heads = (say("family", "relative"), say("family", "may_carry"))
        yield Block(Kind.TABLE, say("family", "table"), rows=(heads, *rows), name="family")
    elif not withheld:
        yield bullet(say("family", status))
    if not withheld and report.genotype.assumed:
        yield bullet(say("family", "assumed"))
    yield bullet(say("family", "no_duty"))
    if drug := undirected(report, withheld=withheld):
        yield bullet(say("family", "no_test", drug=drug))


def _technical(run: Run, report: SampleReport, words: Wording, *, withheld: bool) -> Iterator[str]:
    """Yield the lines, without anything of the genotype where the result is withheld."""
    if not withheld:
        for site in report.sites:
            yield from _site_lines(site, words)
        yield from _calculation_lines(report, words)
        for flag in report.flags:
            told = sureness.flag_message(flag, words, is_open=report.genotype.diplotype is None)
            severity = words.say("severity", flag.severity)
            yield words.say("technical", "flag", severity=severity, message=told, code=flag.code)
    say, given, used = functools.partial(words.say, "technical"), run.input, run.reference
    size = say("stream") if given.size is None else say("bytes", count=given.size)
    read = {"access": given.access, "header": given.header_digest}
    yield say("input", path=printable(given.path), size=size, **read)
    clues = [clue for clue in given.assembly_evidence if not (withheld and clue.kind in _TELLING)]
    evidence = "; ".join(f"{clue.kind}: {printable(clue.detail)}" for clue in clues)
    yield say("assembly", assembly=given.assembly, evidence=evidence)
    options = []
    for name, value in structs.asdict(run.parameters).items():
        if value not in (None, (), False) and not (withheld and name in _TELLING):
            joined = ",".join(value) if isinstance(value, tuple) else value
            text = f"{joined:g}" if isinstance(joined, float) else str(joined)
            options.append(f"{name.replace('_', '-')} {printable(text)}")
    yield say("options", options=", ".join(options))
    yield say("program", version=run.tool.version, release=used.release, digest=used.digest)
    files = [f"{printable(file.name)} {file.digest.partition(':')[2][:12]}" for file in used.evidence]
    yield say("evidence_files", list=", ".join(files))
    yield say("created", created=run.created)


def _site_lines(site: SiteReport, words: Wording) -> Iterator[str]:
    say = functools.partial(words.say, "technical")
    unknown, state = say("unknown"), words.say("state", site.state)
    place = {"contig": printable(site.contig), "position": site.position}
    spelled = {"ref": site.ref or unknown, "alt": site.alt or unknown}
    yield say("site", rsid=site.rsid, **place, **spelled, state=state)
    if site.record is not None:
        quality = unknown if site.genotype_quality is None else f"{site.genotype_quality:g}"
        known = {"depth": unknown if site.depth is None else site.depth, "quality": quality}
        for name, text in (("filter", site.filter), ("phase_set", site.phase_set)):
            known[name] = printable(text) if text else unknown
        yield say("measured", **known)
        for line in site.record.split("\n"):
            yield say("record", record=printable(line.replace("\t", " "), 300))


def _calculation_lines(report: SampleReport, words: Wording) -> Iterator[str]:
    genotype = report.genotype
    yield words.say("technical", "phase", phase=genotype.phase)
    if all(site.basis is None for site in report.sites):
        return
    rows = genotype.calculation
    for rsid in (site.rsid for site in report.sites if site.basis is not None):
        if excluded := [greek(row.diplotype) for row in rows if row.likelihood[rsid] <= sureness.EXCLUDING]:
            yield words.say("technical", "excluded", rsid=rsid, list=", ".join(excluded))
    if unlikely := [greek(row.diplotype) for row in rows if row.phase_factor <= sureness.EXCLUDING]:
        yield words.say("technical", "excluded_by_phase", list=", ".join(unlikely))
    if report.has_flag("prior-dependent"):
        others = []
        for name, other in genotype.by_population.items():
            if (other.diplotype, other.e4_status) != (genotype.diplotype, genotype.e4_status):
                key = "population" if other.diplotype else "population_open"
                chance = sureness.told_chance(words, other.diplotype_probability, report)
                status = words.say("status", other.e4_status).partition(" (")[0]
                known = {"diplotype": greek(other.diplotype or ""), "probability": chance, "status": status}
                others.append(f"{name}: {words.say('technical', key, **known)}")
        yield words.say("technical", "populations", list="; ".join(others))


def handout(run: Run, report: SampleReport, form: Form) -> Narrative:
    """Return one page for the patient, at most 300 plain words, which never says more than the report can."""
    say = functools.partial(form.words.say, "handout")
    withheld = is_withheld(run, report)
    status = "withheld" if withheld else report.genotype.e4_status
    check = ("next_2",) if not withheld and sureness.has_answer(report) else ()
    parts: dict[str, Iterable[str]] = {
        "what": map(say, ("what_1", "what_2", "what_3")),
        "found": map(say, ("withheld",)) if withheld else _found(report, form.words),
        "medicine": dict.fromkeys(_on_medicine(report, form.words, withheld=withheld)),
        "alzheimer": map(say, (f"alzheimer_{status}", "alzheimer_2")),
        "family": map(say, (f"family_{status}", "family_2")),
        "next": map(say, ("next_1", *check, "next_3")),
    }
    named = drugs(report)
    sections = [Section(k, say(k, drug=named), (paragraph(" ".join(told)),)) for k, told in parts.items()]
    sections.append(Section("notes", say("notes"), (Block(Kind.ROOM),)))
    meta, of_meta = form.meta_of(report.sample), functools.partial(form.words.say, "meta")
    stated = [(say("for"), meta.name or report.sample), (say("date"), run.created[:10])]
    stated += [(of_meta(key), getattr(meta, key) or of_meta("blank")) for key in ("laboratory", "contact")]
    head = tuple(Block(Kind.FACT, printable(text), note=label) for label, text in stated)
    return Narrative(say("title_withheld" if withheld else "title"), head, tuple(sections))


def _found(report: SampleReport, words: Wording) -> Iterator[str]:
    say = functools.partial(words.say, "handout")
    yield say(report.genotype.e4_status)
    if report.genotype.assumed:
        yield say("assumed")
    if sureness.unstated_sites(report):
        yield say("no_quality")
    for code in sureness.caveat_codes(report):
        plain = words.has("handout", f"caveat_{code}")
        yield say(f"caveat_{code}") if plain else words.say("caveat", code)
    if report.genotype.diplotype == "e2/e2":
        yield say("lipids")
    if report.patient.minor:
        yield say("minor")


def _on_medicine(report: SampleReport, words: Wording, *, withheld: bool) -> Iterator[str]:
    say = functools.partial(words.say, "handout")
    for response in report.response:
        key = "indeterminate-genotype" if withheld else response.conclusion  # which depends on the result
        yield say(key if words.has("handout", key) else "other", drug=response.drug)
    named = {item.drug for item in report.context if item.topic == "contraindication" and item.highlighted}
    yield from (say("contraindicated", drug=drug) for drug in sorted(named))
    if drug := undirected(report, withheld=withheld):
        yield say("not_needed", drug=drug)
    yield say("no_change")
