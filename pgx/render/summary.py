"""The page that every readable format opens with: the answer, what limits it, the medicine, what to do next.

It fits one printed page, and nothing on it is said again behind it.

What a counsellor says is here, too: a minute of talk, what belongs before and after it, and what relatives
may carry. Which sentence rests on which source is in reference/counsel.toml.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from pgx.calling import E4Status
from pgx.errors import printable
from pgx.evidence import ContextItem, Response
from pgx.observe import DETERMINED_STATES, SiteState
from pgx.reference import Facts, Provenance, load
from pgx.render.form import (
    Block,
    Citations,
    Form,
    Kind,
    PatientMeta,
    bullet,
    fact,
    paragraph,
    subheading,
)
from pgx.render.medicine import (
    claim_block,
    conclusion_words,
    grouped,
    item_block,
    label_advice,
    labelled_by_copies,
    overdue,
    undirected,
)
from pgx.render.sureness import (
    assumed_mark,
    caveat_codes,
    caveats,
    distrusted_phase,
    has_answer,
    rests_on_assumption,
    status_probability,
    told_chance,
    unstated_sites,
    weak_sites,
)
from pgx.report import Run, SampleReport
from pgx.wording import Wording, capitalised, greek, rounded_percent

_CONTRAINDICATION = "contraindication"
_WEAK = frozenset({"conflicting", "insufficient"})
#: Stated facts that tell who this is and when, above the result; the others stand below the summary.
_WHO = ("name", "birth_date", "specimen", "specimen_date", "laboratory")
_TO_FILL_IN = ("reviewed_by", "signature")


def is_withheld(run: Run, report: SampleReport) -> bool:
    """Return whether readable formats must not show the result: a minor, and no --reveal-minor."""
    return report.patient.minor and not run.parameters.reveal_minor


class Summary:
    """Chooses the sentences of the summary for one sample."""

    def __init__(
        self,
        run: Run,
        report: SampleReport,
        form: Form,
        cite: Citations,
        *,
        alone: bool = False,
        signed: bool = False,
    ) -> None:
        self.run, self.report, self.form, self.cite, self.signed = run, report, form, cite, signed
        self.alone = alone  # no evidence stands behind it, so what was said of each side is told here
        self.words: Wording = form.words
        self.genotype = report.genotype
        self.status = E4Status(report.genotype.e4_status)
        self.withheld = is_withheld(run, report)
        self.meta = form.meta.get(report.sample) or PatientMeta()

    def head(self) -> Iterable[Block]:
        """Yield who and when."""
        say = self.words.say
        yield fact(say("meta", "sample"), printable(self.report.sample))
        if self.run.input.kind == "stated":
            yield paragraph(say("heading", "stated"))
        yield from self._stated(_WHO)
        yield fact(say("meta", "issued"), self.run.created[:10])

    def sharing(self) -> Iterable[Block]:
        """Yield what kind of information this is, before anything of it is seen."""
        yield paragraph(self.words.say("share", "line"))

    def parts(self) -> dict[str, Iterable[Block]]:
        """Return the parts in their order; all of them stand behind a seal."""
        return {
            "result": self._withheld_result() if self.withheld else self._result(),
            "medicine": self._medicine(),
            "first": self._first(),
            "next": self._next(),
            "issue": self._issue(),
        }

    def _stated(self, keys: Iterable[str]) -> Iterable[Block]:
        for key in keys:
            if (value := getattr(self.meta, key)) is not None:
                yield fact(self.words.say("meta", key), printable(str(value)))

    def _withheld_result(self) -> Iterable[Block]:
        yield Block(Kind.ALERT, self.words.say("result", "withheld"))

    def _result(self) -> Iterable[Block]:
        """Yield the answer, and at once what it rests on and what limits it."""
        say = self.words.say
        yield Block(Kind.ALERT, self._answer())
        assumed = [site.rsid for site in self.report.sites if site.state == SiteState.ASSUMED_REFERENCE]
        for key, sites in (("assumed", assumed), ("no_quality", unstated_sites(self.report))):
            if sites:
                yield Block(Kind.ALERT, say("result", key, sites=self._joined(sites)))
        yield from self._contraindicated()
        undetermined = self.status is E4Status.INDETERMINATE
        blind = all(site.basis is None for site in self.report.sites)
        told = [self._reason(reason) for reason in self.genotype.not_determined_because]
        told.append(
            say("result", "nothing_known" if blind else "not_non_carrier")
            if undetermined
            else self._sureness()
        )
        yield paragraph(" ".join(told))
        if around := self._around():
            yield paragraph(around)
        if limits := caveats(self.report, self.words):
            yield paragraph(" ".join(limits))

    def _around(self) -> str | None:
        """Return what the variants around the sites suggest, in one sentence."""
        if self.report.neighbours is None:
            return None
        from pgx.render.neighbours import neighbour_sentence  # noqa: PLC0415 - few reports have an estimate

        return neighbour_sentence(self.report, self.report.neighbours, self.words)

    def _contraindicated(self) -> Iterable[Block]:
        """Yield what speaks against the drug because of something that was named, one alert a reason."""
        by_reason: dict[str, list[ContextItem]] = {}
        for item in self._named(contra=True):
            by_reason.setdefault(item.reason, []).append(item)
        for reason, items in by_reason.items():
            statements = " ".join(item.statement for item in items)
            text = self.words.say(
                "glance", "contraindicated", reason=capitalised(reason), statements=statements
            )
            marks = self.cite.marks(source for item in items for source in item.sources)
            yield Block(Kind.ALERT, text, marks=marks)

    def _joined(self, sites: Iterable[str]) -> str:
        return self.words.say("result", "and").join(sites)

    def _sureness(self) -> str:
        if rests_on_assumption(self.report):
            return self.words.say("glance", "sure_assumed")
        key = "sure_status" if self.genotype.diplotype is None else "sure"
        return self.words.say("glance", key, probability=self._probability())

    def _answer(self) -> str:
        """Return the answer in one sentence."""
        say, status = self.words.say, self.words.say("status", self.status)
        mark = assumed_mark(self.genotype.assumed, self.words)
        undetermined = self.status is E4Status.INDETERMINATE
        if self.genotype.diplotype is not None:
            key = "diplotype_only" if undetermined else "determined"
            return say("result", key, diplotype=greek(self.genotype.diplotype) + mark, status=status)
        if not undetermined:
            return say("result", "status_only", status=status + mark)
        blind = all(site.basis is None for site in self.report.sites)
        return say("result", "no_information" if blind else "undetermined")

    def line(self) -> str:
        """Return answer, certainty and limits as one line, for a list of many samples."""
        say, name = self.words.say, printable(self.report.sample)
        if self.withheld:
            return f"{name}: {say('result', 'withheld_short')}"
        mark = assumed_mark(self.genotype.assumed, self.words)
        told = [say("result", "undetermined_short") if self.genotype.diplotype is None else ""]
        if self.genotype.diplotype is not None:
            told = [f"{self.genotype.gene} {greek(self.genotype.diplotype)}{mark}"]
        if self.status is E4Status.INDETERMINATE:
            told += [say("cohort_reason", reason) for reason in self.genotype.not_determined_because]
        else:
            told += [say("status", self.status), self._probability()]
        told += [say("flag_name", code) for code in caveat_codes(self.report)]
        return f"{name}: {'; '.join(dict.fromkeys(told))}"

    def _probability(self) -> str:
        sure = (
            status_probability(self.report)
            if self.genotype.diplotype is None
            else self.genotype.diplotype_probability
        )
        return told_chance(self.words, sure, self.report)

    def _reason(self, reason: str) -> str:
        if reason == "phase" and (spelled := distrusted_phase(self.report)):
            return self.words.say("reason", "phase_distrusted", diplotype=greek(spelled))
        if reason == "low-certainty":
            return self.words.say("reason", reason, sites=self._joined(weak_sites(self.report)))
        unused = [site for site in self.report.sites if site.basis is None]
        if reason == "half-call":
            unused = [site for site in self.report.sites if site.state == SiteState.PARTIAL_CALL]
            return self.words.say("reason", reason, sites=self._joined(site.rsid for site in unused))
        listed = [f"{site.rsid} ({self.words.say('state', site.state)})" for site in unused]
        return self.words.say("reason", reason, sites=self._joined(listed))

    def _medicine(self) -> Iterable[Block]:
        """Yield one sentence a use, then what holds for all: three sentences where there is one use."""
        if self.withheld:
            yield paragraph(self.words.say("medicine", "withheld"))
        else:
            yield paragraph(" ".join(self._meaning()))
            if self.alone:
                yield from (paragraph(text) for text in self._said())
        for response in self.report.response:
            if line := overdue(self.run, response, self.words):
                yield Block(Kind.ALERT, line)
            yield from self._labelled(response)
        named = " ".join(item.reason for item in self._named(contra=True))
        groups = [group for group in self.report.patient.contraindications if f"({group})" not in named]
        if groups:
            drug = ", ".join(dict.fromkeys(response.drug for response in self.report.response))
            yield paragraph(self.words.say("medicine", "not_given", drug=drug, groups="; ".join(groups)))

    def _said(self) -> Iterable[str]:
        """Yield what is said for this status, and right after it what points the other way."""
        group = "non-carrier" if self.status is E4Status.NON_CARRIER else "carrier"
        for response in self.report.response:
            lead, against, *_ = grouped(response)
            said = {row.claim_id: row.statement for row in response.by_status if row.group == group}
            told = [
                said[claim.id] + (f" {self.words.say('glance', 'no_figure')}" if claim.explanation else "")
                for claim in (*lead, *against)
                if claim.id in said
            ]
            if lead and against:
                yield self.words.say("glance", "said", statements=" ".join(dict.fromkeys(told)))

    def _labelled(self, response: Response) -> Iterable[Block]:
        """Yield the figures of a drug whose label uses the number of copies, and what the label asks for."""
        asked = label_advice(self.report, response)
        if asked and not self.withheld:
            yield from (claim_block(claim, self.words, self.cite) for claim in grouped(response)[0][:1])
        yield from (item_block(item, self.words, self.cite) for item in asked)

    def _meaning(self) -> Iterable[str]:
        told = [self._use(response) for response in self.report.response]
        if any(response.conclusion in _WEAK for response in self.report.response):
            told.append(self.words.say("glance", "no_guide"))
        if drug := undirected(self.report):
            told.append(self.words.say("glance", "no_need", drug=drug))
        return told

    def _use(self, response: Response) -> str:
        known = {"drug": response.drug, "indication": response.indication_label}
        for key in (f"{response.conclusion}_{response.indication}", response.conclusion):
            if self.words.has("glance", key):
                return self.words.say("glance", key, **known)
        level = response.certainty or "not-stated"  # by results of before
        sure = self.words.say("certainty", level)
        key = "medicine" if response.conclusion in _WEAK else "direction"
        conclusion = conclusion_words(response, self.words)
        return self.words.say("glance", key, conclusion=conclusion, certainty=sure, **known)

    def _named(self, *, contra: bool) -> list[ContextItem]:
        """Return what this person's history and medicines bring up: contraindications, or all else."""
        items = [item for item in self.report.context if item.id in self.report.patient.warnings]
        return [item for item in items if (item.topic == _CONTRAINDICATION) is contra]

    def _first(self) -> Iterable[Block]:
        given = self.run.parameters
        patient = self.report.patient
        if not (given.taking or given.history or given.age is not None or patient.warnings):
            return
        contra = self._named(contra=True) if self.withheld else []
        for item in (*contra, *self._named(contra=False)):
            yield Block(Kind.BULLET, item.statement, marks=self.cite.marks(item.sources))
        yield from (paragraph(note) for note in patient.notes)

    def _next(self) -> Iterable[Block]:
        say, report = self.words.say, self.report
        if not self.withheld:
            states = dict.fromkeys(site.state for site in report.sites if site.state not in DETERMINED_STATES)
            for state in states:
                named = ", ".join(site.rsid for site in report.sites if site.state == state)
                own = f"{state}-{self.run.input.kind}"
                yield bullet(say("next", own if self.words.has("next", own) else state, rsid=named))
            causes = [key for key in self._causes() if self.words.has("next", key)]
            weak = self._joined(weak_sites(report))
            yield from (bullet(say("next", key, sites=weak)) for key in causes)
            if report.has_flag("imputed"):
                yield bullet(say("next", "confirm_imputed"))
        if labelled := labelled_by_copies(report):
            yield bullet(say("next", "anti_amyloid", drugs=say("result", "and").join(labelled)))
        none = not self.withheld and self.status is E4Status.NON_CARRIER
        yield said_with_source("counselling_none" if none else "counselling", self.words, self.cite)
        if not self.withheld and self.genotype.diplotype == "e2/e2":
            yield said_with_source("lipids", self.words, self.cite)
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

    def _issue(self) -> Iterable[Block]:
        """Yield what a laboratory's report states of itself, and the fields that are filled in by hand."""
        say = self.words.say
        file = printable(self.run.input.path.replace("\\", "/").rpartition("/")[2])
        yield fact(say("meta", "file"), f"{file} ({self.run.input.assembly})")
        if not self.withheld:
            yield fact(say("meta", "read"), self._letters())
            if frequency := self._frequency():
                yield fact(
                    say("meta", "frequency", diplotype=greek(self.genotype.diplotype or "")), frequency
                )
        rest = [key for key in PatientMeta.__struct_fields__ if key not in {*_WHO, *_TO_FILL_IN}]
        yield from self._stated(rest)
        if self.meta.reviewed_by or self.signed:  # nobody signs in a terminal
            yield fact(say("meta", "reviewed_by"), printable(self.meta.reviewed_by or say("meta", "blank")))
            yield fact(say("meta", "signature"), say("meta", "blank"))
        made = {"version": self.run.tool.version, "release": self.run.reference.release}
        yield paragraph(say("issue", "method", **made))

    def _letters(self) -> str:
        told = []
        for site in self.report.sites:
            letters = ("|" if site.phased else "/").join(site.alleles) if site.alleles else ""
            shown = letters if letters and site.basis is not None else self.words.say("state", site.state)
            if letters and site.state == SiteState.ASSUMED_REFERENCE:
                shown += self.words.say("result", "assumed_mark")
            told.append(f"{site.rsid} {shown}")
        return ", ".join(told)

    def _frequency(self) -> str:
        """Return how common the diplotype is in the population that the call used; nothing where none was."""
        population = self.run.parameters.population
        rows = [row for row in self.genotype.calculation if row.diplotype == self.genotype.diplotype]
        if not rows or population == "flat":
            return ""
        return self.words.say(
            "issue", "frequency", share=rounded_percent(rows[0].prior), population=population
        )


_BEFORE_AND_AFTER = ("postpone", "support", "insurance", "minors")
_RELATIVES = ("parent", "sibling", "child")


class _CounselFile(Facts, frozen=True, kw_only=True):
    provenance: Provenance
    sources: dict[str, str]
    rests_on: dict[str, tuple[str, ...]]


@functools.cache
def _counsel_file() -> _CounselFile:
    return load("counsel.toml", _CounselFile)


def said_with_source(key: str, words: Wording, cite: Citations) -> Block:
    """Return a sentence of the topic `counsel` as a list item with its references."""
    file = _counsel_file()
    marks = cite.marks(file.sources[source] for source in file.rests_on[key])
    return Block(Kind.BULLET, words.say("counsel", key), marks=marks)


def talk_blocks(report: SampleReport, words: Wording, cite: Citations, *, withheld: bool) -> Iterable[Block]:
    """Yield talking points of one minute, and what belongs before and after the talk."""
    yield subheading(words.say("counsel", "minute"))
    yield said_with_source("no_oracle", words, cite)
    if not withheld:
        yield bullet(words.say("counsel", f"found_{report.genotype.e4_status}"))
    drugs = ", ".join(dict.fromkeys(response.drug for response in report.response))
    risks = ", ".join(dict.fromkeys(response.risk for response in report.response if response.risk))
    yield bullet(words.say("counsel", "medicine_risk" if risks else "medicine", drug=drugs, risk=risks))
    yield bullet(words.say("counsel", "no_hurry"))
    yield subheading(words.say("counsel", "around"))
    yield from (said_with_source(key, words, cite) for key in _BEFORE_AND_AFTER)


def family_blocks(report: SampleReport, words: Wording, *, drug: str, withheld: bool) -> Iterable[Block]:
    """Yield what each relative may carry, by Mendel and no further; if withheld, what holds for all.

    `drug` names the drugs for whose sake no relative needs a test, if any.
    """
    say = words.say
    yield bullet(say("family", "general"))
    status = report.genotype.e4_status
    if not withheld and words.has("family", f"{status}_child"):
        rows = [(say("family", "relative"), say("family", "may_carry"))]
        rows += [(say("family", kin), say("family", f"{status}_{kin}")) for kin in _RELATIVES]
        yield Block(Kind.TABLE, say("family", "table"), rows=tuple(rows), name="family")
    elif not withheld:
        yield bullet(say("family", status))
    if not withheld and report.genotype.assumed:
        yield bullet(say("family", "assumed"))
    yield bullet(say("family", "no_duty"))
    if drug:
        yield bullet(say("family", "no_test", drug=drug))
