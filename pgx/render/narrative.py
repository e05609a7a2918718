"""What a report says, in order. Every readable format lays out these same sentences.

The sentences come from reference/wording/ and from the evidence; which of them are said is decided here and
in the modules `medicine`, `sureness` and `technical`, one for each group of sections.
"""

from __future__ import annotations

from collections.abc import Iterable

from pgx.calling import E4Status
from pgx.errors import printable
from pgx.evidence import Response
from pgx.observe import DETERMINED_STATES, SiteState
from pgx.render.blocks import Block, Citations, Kind, Narrative, Section, bullet, paragraph
from pgx.render.form import Form, PatientMeta
from pgx.render.medicine import (
    appendix_blocks,
    conclusion_words,
    evidence_blocks,
    labelled_by_copies,
    medicine_blocks,
    undirected,
)
from pgx.render.sureness import (
    assumed_mark,
    caveats,
    distrusted_phase,
    has_answer,
    status_probability,
    sure_blocks,
)
from pgx.render.technical import technical_lines
from pgx.report import Run, SampleReport
from pgx.wording import Wording, capitalised, chance, greek

_GENERAL_LIMITS = ("two_sites", "no_diagnosis", "identity", "transfusion")
_FOLDED = frozenset({"appendix", "technical"})
#: Sections that come before the seal; everything behind it may give the status away.
OPEN_SECTIONS = frozenset({"sharing"})


def narrate(run: Run, report: SampleReport, form: Form | None = None) -> Narrative:
    """Return the report of one sample in words."""
    return _Narrator(run, report, form or Form()).narrative()


def is_withheld(run: Run, report: SampleReport) -> bool:
    """Return whether readable formats must not show the result: a minor, and no --reveal-minor."""
    return report.patient.minor and not run.parameters.reveal_minor


def contraindicated(report: SampleReport, words: Wording) -> Iterable[str]:
    """Yield a line for each contraindication that something named for this person brings up."""
    for item in report.context:
        if item.id in report.patient.warnings and item.topic == "contraindication":
            yield words.say(
                "glance", "contraindicated", reason=capitalised(item.reason), statement=item.statement
            )


def drugs(report: SampleReport) -> str:
    """Return the drugs of the report, joined."""
    return ", ".join(dict.fromkeys(response.drug for response in report.response))


class _Narrator:
    """Chooses the sentences for one sample."""

    def __init__(self, run: Run, report: SampleReport, form: Form) -> None:
        self.run, self.report, self.form = run, report, form
        self.words: Wording = form.words
        self.genotype = report.genotype
        self.status = E4Status(report.genotype.e4_status)
        self.citations = Citations()
        self.withheld = is_withheld(run, report)

    def narrative(self) -> Narrative:
        """Return the twelve parts in the order of the report; the first is the head."""
        cite, words, withheld = self.citations, self.words, self.withheld
        parts = {
            "sharing": self._sharing(),
            "result": self._withheld_result() if withheld else self._result(),
            "medicine": medicine_blocks(self.run, self.report, words, cite, withheld=withheld),
            "sure": () if withheld else sure_blocks(self.run, self.report, words),
            "evidence": evidence_blocks(self.run, self.report, words, cite, withheld=withheld),
            "next": self._next(),
            "family": family_blocks(self.report, words, withheld=withheld),
            "limits": self._limits(),
            "appendix": appendix_blocks(self.run, self.report, words, cite),
            "technical": technical_lines(self.run, self.report, words, withheld=withheld),
        }
        sections = [self._section(key, tuple(blocks)) for key, blocks in parts.items()]
        sections.append(self._section("sources", tuple(cite.lines())))
        title = words.say("heading", "title", drug=drugs(self.report))
        return Narrative(
            title=title, head=tuple(self._head()), sections=tuple(part for part in sections if part.blocks)
        )

    def _section(self, key: str, blocks: tuple[Block, ...]) -> Section:
        title = self.words.say("section", key, drug=drugs(self.report))
        return Section(key=key, title=title, blocks=blocks, folded=key in _FOLDED)

    def _head(self) -> Iterable[Block]:
        say = self.words.say
        for key in ("experimental", "english_parts"):
            if text := say("form", key):
                yield Block(Kind.ALERT, text, name="experimental")
        yield Block(Kind.DETAIL, say("heading", "sample", sample=printable(self.report.sample)))
        path = printable(self.run.input.path)
        key = "stated" if self.run.input.kind == "stated" else "input"
        yield Block(Kind.DETAIL, say("heading", key, path=path, assembly=self.run.input.assembly))
        if self.run.parameters.reads is not None:
            yield Block(Kind.DETAIL, say("heading", "reads", path=printable(str(self.run.parameters.reads))))
        meta = self.form.meta.get(self.report.sample)
        if meta is not None:
            yield from self._stated(meta)
        if self.genotype.assumed and not self.withheld and not self.form.sealed:
            yield self._assumption()

    def _stated(self, meta: PatientMeta) -> Iterable[Block]:
        say = self.words.say
        for key in PatientMeta.__struct_fields__:
            value = getattr(meta, key)
            if value is not None:
                label = say("meta", key)
                yield Block(Kind.DETAIL, say("meta", "line", label=label, value=printable(str(value))))
        yield Block(Kind.DETAIL, say("form", "no_identity"))

    def _assumption(self) -> Block:
        assumed = [site.rsid for site in self.report.sites if site.state == SiteState.ASSUMED_REFERENCE]
        joint = self.words.say("result", "and")
        return Block(Kind.ALERT, self.words.say("result", "assumed", sites=joint.join(assumed)))

    def _sharing(self) -> Iterable[Block]:
        """Yield two lines: what kind of information this is, and who need not know it."""
        say = self.words.say
        yield bullet(f"{say('share', 'alzheimer')} {say('share', 'counselling')}")
        drug = undirected(self.report, withheld=self.withheld)
        no_need = f" {say('share', 'no_need', drug=drug)}" if drug else ""
        yield bullet(say("share", "not_to_know") + no_need)

    def _withheld_result(self) -> Iterable[Block]:
        yield Block(Kind.ALERT, self.words.say("result", "withheld"))

    def _result(self) -> Iterable[Block]:
        """Yield the result at a glance, in few words."""
        say = self.words.say
        if self.genotype.assumed and self.form.sealed:
            yield self._assumption()
        yield Block(Kind.ALERT, self._answer())
        undetermined = self.status is E4Status.INDETERMINATE
        blind = all(site.basis is None for site in self.report.sites)
        if blind and self.genotype.diplotype is None and undetermined:
            yield paragraph(say("result", "undetermined"))
        for reason in self.genotype.not_determined_because:
            yield paragraph(self._reason(reason))
        if undetermined:
            yield paragraph(say("result", "nothing_known" if blind else "not_non_carrier"))
        else:
            yield paragraph(self._sureness())
        if told := caveats(self.report, self.words):
            yield paragraph(" ".join(told))
        yield from (paragraph(self._use(response)) for response in self.report.response)
        yield from (Block(Kind.ALERT, line) for line in contraindicated(self.report, self.words))

    def _sureness(self) -> str:
        mark = assumed_mark(self.report, self.words)
        sure = chance(self.words, status_probability(self.report)) + mark
        if self.genotype.diplotype is None:
            return self.words.say("glance", "sure_status", probability=sure)
        return self.words.say(
            "glance",
            "sure",
            diplotype=greek(self.genotype.diplotype),
            diplotype_probability=chance(self.words, self.genotype.diplotype_probability) + mark,
            probability=sure,
        )

    def _answer(self) -> str:
        say, status = self.words.say, self.words.say("status", self.status)
        mark = assumed_mark(self.report, self.words)
        undetermined = self.status is E4Status.INDETERMINATE
        if self.genotype.diplotype is not None:
            key = "diplotype_only" if undetermined else "determined"
            return say("result", key, diplotype=greek(self.genotype.diplotype) + mark, status=status)
        if not undetermined:
            return say("result", "status_only", status=status + mark)
        blind = all(site.basis is None for site in self.report.sites)
        return say("result", "no_information" if blind else "undetermined")

    def _use(self, response: Response) -> str:
        known = {"drug": response.drug, "indication": response.indication_label}
        if self.words.has("glance", response.conclusion):
            return self.words.say("glance", response.conclusion, **known)
        weak = response.conclusion in {"conflicting", "insufficient"}
        conclusion = conclusion_words(response, self.words)
        if self.words.has("certainty", response.certainty or ""):
            sure = self.words.say("certainty", response.certainty or "")
        else:  # labels are not graded, and results of before state no certainty
            sure = self.words.say("certainty", "not-rated")
        key = "medicine" if weak else "direction"
        line = self.words.say("glance", key, conclusion=conclusion, certainty=sure, **known)
        return f"{line} {self.words.say('glance', 'no_guide')}" if weak else line

    def _reason(self, reason: str) -> str:
        if reason == "phase" and (spelled := distrusted_phase(self.report)):
            return self.words.say("reason", "phase_distrusted", diplotype=greek(spelled))
        joint = self.words.say("result", "and")
        unused = [site for site in self.report.sites if site.basis is None]
        if reason == "half-call":
            unused = [site for site in self.report.sites if site.state == SiteState.PARTIAL_CALL]
            return self.words.say("reason", reason, sites=joint.join(site.rsid for site in unused))
        listed = [f"{site.rsid} ({self.words.say('state', site.state)})" for site in unused]
        return self.words.say("reason", reason, sites=joint.join(listed))

    def _next(self) -> Iterable[Block]:
        say, report = self.words.say, self.report
        if not self.withheld:
            for site in report.sites:
                if site.state not in DETERMINED_STATES:
                    own = f"{site.state}-{self.run.input.kind}"
                    key = own if self.words.has("next", own) else site.state
                    yield bullet(say("next", key, rsid=site.rsid))
            yield from (bullet(say("next", key)) for key in self._causes() if self.words.has("next", key))
            if report.has_flag("imputed"):
                yield bullet(say("next", "confirm_imputed"))
        if labelled := labelled_by_copies(report):
            yield bullet(say("next", "anti_amyloid", drugs=say("result", "and").join(labelled)))
        yield bullet(say("next", "counselling"))
        if self.withheld or has_answer(report):
            yield bullet(say("next", "confirm"))

    def _causes(self) -> Iterable[str]:
        """Yield what a next step can mend: reasons, and flags that call for one even beside an answer."""
        causes: dict[str, None] = dict.fromkeys(self.genotype.not_determined_because)
        if self.report.has_flag("ambiguous-phase"):
            causes.setdefault("phase")
        if self.report.has_flag("rare-haplotype"):
            causes.setdefault("rare-haplotype")
        distrusted = distrusted_phase(self.report) is not None
        return ("phase_distrusted" if key == "phase" and distrusted else key for key in causes)

    def _limits(self) -> Iterable[Block]:
        """Yield what holds for every report, then what holds for this one; the same as its `limitations`."""
        say, report = self.words.say, self.report
        yield from (bullet(say("limits", key)) for key in _GENERAL_LIMITS)
        if self.withheld:
            return
        if report.has_flag("ambiguous-phase"):
            yield bullet(say("limits", "phase_limit"))
        if any(site.basis == "GT" for site in report.sites):
            rate = f"{self.run.parameters.genotype_error_rate:g}"
            yield bullet(say("limits", "error_rate", rate=rate))
        yield bullet(say("limits", "population", population=self.run.parameters.population))


def family_blocks(report: SampleReport, words: Wording, *, withheld: bool) -> Iterable[Block]:
    """Yield what each relative may carry, by Mendel and no further; if withheld, what holds for all."""
    yield bullet(words.say("family", "general"))
    if not withheld:
        yield bullet(words.say("family", report.genotype.e4_status))
        if report.genotype.assumed:
            yield bullet(words.say("family", "assumed"))
    yield bullet(words.say("family", "no_duty"))
    if drug := undirected(report, withheld=withheld):
        yield bullet(words.say("family", "no_test", drug=drug))
