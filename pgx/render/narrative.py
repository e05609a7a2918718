"""What a report says, in order, as headed paragraphs. Every readable format lays out these same sentences.

The sentences come from reference/wording/ and from the evidence; which of them are said is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

from msgspec import Struct

from pgx.calling import E4_COPIES, E4Status
from pgx.errors import printable
from pgx.evidence import ContextItem, MatchedClaim, Response, SourceCitation
from pgx.observe import DETERMINED_STATES, SiteState
from pgx.render.citations import Citations
from pgx.render.selection import shown_context
from pgx.render.technical import technical_lines
from pgx.report import Run, SampleReport, SiteReport, general_limits
from pgx.sites import counted_haplotype
from pgx.wording import Wording, greek, percent, wording


class Kind(Enum):
    """How a piece of text stands on the page."""

    PARAGRAPH = "paragraph"
    BULLET = "bullet"
    SUBHEADING = "subheading"
    ALERT = "alert"
    DETAIL = "detail"


class Block(Struct, frozen=True):
    """A piece of text."""

    kind: Kind
    text: str


class Section(Struct, frozen=True, kw_only=True):
    """A headed part of the report; `key` is stable and language-free."""

    key: str
    title: str
    blocks: tuple[Block, ...]


class Narrative(Struct, frozen=True, kw_only=True):
    """A whole report in words: the lines above the first heading, then the sections."""

    head: tuple[Block, ...]
    sections: tuple[Section, ...]


def narrate(run: Run, report: SampleReport, words: Wording | None = None) -> Narrative:
    """Put the report of one sample into words."""
    return _Narrator(run, report, words or wording()).narrative()


def is_withheld(run: Run, report: SampleReport) -> bool:
    """Say whether readable formats must not show the result: a minor, and no --reveal-minor."""
    return report.patient.minor and not run.parameters.reveal_minor


def _capitalised(text: str) -> str:
    """Return `text` as the start of a sentence; a haplotype keeps its small ε."""
    return text if text.startswith("ε") else text[0].upper() + text[1:]


def _paragraph(text: str) -> Block:
    return Block(Kind.PARAGRAPH, text)


def _bullet(text: str) -> Block:
    return Block(Kind.BULLET, text)


class _Narrator:
    """Chooses the sentences for one sample."""

    def __init__(self, run: Run, report: SampleReport, words: Wording) -> None:
        self.run, self.report, self.words = run, report, words
        self.genotype = report.genotype
        self.status = E4Status(report.genotype.e4_status)
        self.citations = Citations()
        self.withheld = is_withheld(run, report)

    def narrative(self) -> Narrative:
        """Return the parts in the order of the report."""
        parts = [self._result(), self._medicine()]
        if not self.withheld:
            parts.append(self._sure())
        parts += [self._next(), self._limits(), self._context(), self._sources(), self._technical()]
        return Narrative(head=tuple(self._head()), sections=tuple(part for part in parts if part.blocks))

    def _section(self, key: str, blocks: Iterable[Block], **values: object) -> Section:
        return Section(key=key, title=self.words.say("heading", key, **values), blocks=tuple(blocks))

    @property
    def drug(self) -> str:
        """Return the drugs of the report, joined."""
        return ", ".join(dict.fromkeys(response.drug for response in self.report.response))

    def _head(self) -> Iterable[Block]:
        say = self.words.say
        yield Block(Kind.SUBHEADING, say("heading", "title", drug=self.drug))
        yield Block(Kind.DETAIL, say("heading", "sample", sample=printable(self.report.sample)))
        path = printable(self.run.input.path)
        yield Block(Kind.DETAIL, say("heading", "input", path=path, assembly=self.run.input.assembly))
        if self.genotype.assumed and not self.withheld:
            assumed = [site.rsid for site in self.report.sites if site.state == SiteState.ASSUMED_REFERENCE]
            yield Block(Kind.ALERT, say("result", "assumed", sites=" and ".join(assumed)))
        yield _paragraph(say("sharing", "one"))
        yield _paragraph(say("sharing", "two"))

    def _result(self) -> Section:
        return self._section("result", self._withheld_result() if self.withheld else self._open_result())

    def _withheld_result(self) -> Iterable[Block]:
        yield Block(Kind.ALERT, self.words.say("result", "withheld"))

    def _open_result(self) -> Iterable[Block]:
        say, status = self.words.say, self.words.say("status", self.status)
        mark = say("result", "assumed_mark") if self.genotype.assumed else ""
        undetermined = self.status is E4Status.INDETERMINATE
        if self.genotype.diplotype is not None:
            name = greek(self.genotype.diplotype) + mark
            key = "diplotype_only" if undetermined else "determined"
            yield Block(Kind.ALERT, say("result", key, diplotype=name, status=status))
        elif not undetermined:
            yield Block(Kind.ALERT, say("result", "status_only", status=status + mark))
        elif all(site.basis is None for site in self.report.sites):
            yield Block(Kind.ALERT, say("result", "no_information"))
            yield _paragraph(say("result", "undetermined"))
        else:
            yield Block(Kind.ALERT, say("result", "undetermined"))
        for reason in self.genotype.not_determined_because:
            yield _paragraph(self._reason(reason))
        if undetermined:
            blind = all(site.basis is None for site in self.report.sites)
            yield _paragraph(say("result", "nothing_known" if blind else "not_non_carrier"))

    def _reason(self, reason: str) -> str:
        unused = [site for site in self.report.sites if site.basis is None]
        if reason == "half-call":
            unused = [site for site in self.report.sites if site.state == SiteState.PARTIAL_CALL]
            return self.words.say("reason", reason, sites=" and ".join(site.rsid for site in unused))
        listed = [f"{site.rsid} ({self.words.say('state', site.state)})" for site in unused]
        return self.words.say("reason", reason, sites=" and ".join(listed))

    def _medicine(self) -> Section:
        return self._section("medicine", self._medicine_blocks())

    def _medicine_blocks(self) -> Iterable[Block]:
        yield from self._warnings()
        for response in self.report.response:
            if len(self.report.response) > 1:
                yield Block(Kind.SUBHEADING, f"{response.drug}, {response.indication_label}")
            if self.withheld:
                yield from self._common_table(response)
                continue
            yield from self._matched(response) if response.claims else self._unmatched(response)
            yield Block(Kind.SUBHEADING, self.words.say("heading", "notes"))
            yield from (_bullet(note) for note in response.notes)

    def _warnings(self) -> Iterable[Block]:
        """Put what the patient context calls up in front; without such a context there is nothing to say."""
        given = self.run.parameters
        if not (given.taking or given.history or given.age is not None or self.report.patient.warnings):
            return
        items = [item for item in self.report.context if item.id in self.report.patient.warnings]
        if items:
            yield Block(Kind.SUBHEADING, self.words.say("heading", "warnings"))
            yield from (self._item(item) for item in items)
        yield from (_paragraph(note) for note in self.report.patient.notes)

    def _matched(self, response: Response) -> Iterable[Block]:
        """Put what is said of this status first, then what points the other way, then the conclusion."""
        counted = [claim for claim in response.claims if claim.applicable]
        sided = [claim for claim in counted if claim.side != "neutral"]
        lead = sided[0].side if sided else ""
        groups = (
            ("said", [claim for claim in sided if claim.side == lead]),
            ("against", [claim for claim in sided if claim.side != lead]),
            ("also", [claim for claim in counted if claim.side == "neutral"]),
            ("other_indications", [claim for claim in response.claims if not claim.applicable]),
        )
        for key, claims in groups:
            if claims:
                heading = self.words.say("heading", key, indication=response.indication_label)
                yield Block(Kind.SUBHEADING, heading)
                yield from (_bullet(self._claim(claim)) for claim in claims)
        conclusion = self.words.say("conclusion", response.conclusion)
        yield Block(Kind.ALERT, self.words.say("heading", "conclusion", conclusion=conclusion))
        yield _paragraph(response.conclusion_text)

    def _claim(self, claim: MatchedClaim) -> str:
        return self._with_sources(claim.statement, claim.sources, claim.certainty)

    def _with_sources(self, statement: str, sources: Sequence[SourceCitation], certainty: str) -> str:
        marks = self.citations.marks(sources)
        sure = self.words.say("certainty", certainty) if self.words.has("certainty", certainty) else ""
        return " ".join(part for part in (statement, f"({sure})" if sure else "", marks) if part)

    def _unmatched(self, response: Response) -> Iterable[Block]:
        yield _paragraph(response.conclusion_text)
        yield from self._common_table(response)

    def _common_table(self, response: Response) -> Iterable[Block]:
        """Give what is said of each group, whoever this person is."""
        yield _paragraph(self.words.say("heading", "by_status"))
        for label in dict.fromkeys(row.label for row in response.by_status):
            yield Block(Kind.SUBHEADING, f"{_capitalised(label)}:")
            yield from (_bullet(row.statement) for row in response.by_status if row.label == label)

    def _item(self, item: ContextItem) -> Block:
        return _bullet(self._with_sources(item.statement, item.sources, item.certainty))

    def _sure(self) -> Section:
        return self._section("sure", self._sure_blocks())

    def _sure_blocks(self) -> Iterable[Block]:
        say, genotype = self.words.say, self.genotype
        for site in self.report.sites:
            yield _bullet(self._site_sentence(site))
        if any(site.basis is not None for site in self.report.sites):
            yield from self._probabilities()
            yield _paragraph(say("sure", "conditional"))
        if genotype.assumed:
            yield _paragraph(say("sure", "conditional_assumed"))
        told = {"absent-site", "assumed-reference", "no-call", "partial-call", "low-quality", "minor"}
        for flag in self.report.flags:
            if flag.severity != "info" and flag.code not in told:
                yield _bullet(flag.message)

    def _site_sentence(self, site: SiteReport) -> str:
        say = self.words.say
        if site.state == SiteState.PARTIAL_CALL and site.seen:
            return say("sure", "site_partial", rsid=site.rsid, allele=site.seen[0])
        if site.basis is None:
            return say("sure", "site_unused", rsid=site.rsid, state=say("state", site.state))
        alleles = (
            ("|" if site.phased else "/").join(site.alleles) if site.alleles else say("technical", "unknown")
        )
        basis = say("basis", site.basis, quality=f"{site.genotype_quality or 0:g}", depth=site.depth)
        assumed = say("result", "assumed_mark") if site.state == SiteState.ASSUMED_REFERENCE else ""
        return say("sure", "site_called", rsid=site.rsid, alleles=alleles, basis=basis, assumed=assumed)

    def _probabilities(self) -> Iterable[Block]:
        say, genotype = self.words.say, self.genotype
        ranked = sorted(genotype.diplotype_posterior.items(), key=lambda item: -item[1])
        best = greek(genotype.best_diplotype)
        chance = percent(genotype.diplotype_probability)
        if genotype.diplotype is not None:
            yield _paragraph(say("sure", "diplotype", diplotype=best, probability=chance))
        else:
            threshold = percent(self.run.parameters.min_probability)
            yield _paragraph(
                say("sure", "best_not_enough", diplotype=best, probability=chance, threshold=threshold)
            )
        if self.status is not E4Status.INDETERMINATE:
            status = say("status", self.status)
            chance = percent(self._status_probability())
            yield _paragraph(say("sure", "status", status=_capitalised(status), probability=chance))
        name, probability = ranked[1]
        if probability >= 1e-4:
            copies = name.split("/").count(counted_haplotype())
            status = say("status", next(status for status, count in E4_COPIES.items() if count == copies))
            yield _paragraph(
                say("sure", "second", diplotype=greek(name), probability=percent(probability), status=status)
            )

    def _status_probability(self) -> float:
        copies = self.genotype.e4_copies_posterior
        if self.genotype.e4_copies is not None:
            return copies[str(self.genotype.e4_copies)]
        return copies["1"] + copies["2"]

    def _next(self) -> Section:
        say, report = self.words.say, self.report
        blocks: list[Block] = []
        if not self.withheld:
            blocks += [
                _bullet(say("next", site.state, rsid=site.rsid))
                for site in report.sites
                if site.state not in DETERMINED_STATES
            ]
            reasons = self.genotype.not_determined_because
            blocks += [_bullet(say("next", reason)) for reason in reasons if self.words.has("next", reason)]
            if report.has_flag("imputed"):
                blocks.append(_bullet(say("next", "confirm_imputed")))
        blocks += [_bullet(say("next", key)) for key in ("no_need", "counselling", "confirm")]
        return self._section("next", blocks)

    def _limits(self) -> Section:
        limits = general_limits(self.words) if self.withheld else self.report.limitations
        return self._section("limits", [_bullet(limit) for limit in limits])

    def _context(self) -> Section:
        items, hidden = shown_context(self.report)
        blocks: list[Block] = []
        for topic in dict.fromkeys(item.topic for item in items):
            blocks.append(Block(Kind.SUBHEADING, self.words.say("topic", topic)))
            blocks += [self._item(item) for item in items if item.topic == topic]
        if hidden:
            blocks.append(_paragraph(self.words.say("context", "more", count=hidden)))
        blocks += [_paragraph(note) for note in self.report.patient.notes if items]
        return self._section("context", blocks, drug=self.drug)

    def _sources(self) -> Section:
        return self._section("sources", [Block(Kind.DETAIL, line) for line in self.citations.lines()])

    def _technical(self) -> Section:
        lines = technical_lines(self.run, self.report, self.words, withheld=self.withheld)
        return self._section("technical", [Block(Kind.DETAIL, line) for line in lines])
