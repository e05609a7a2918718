"""The page that every readable format opens with, of which nothing is said again behind it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

from pgx.calling import E4Status
from pgx.errors import printable
from pgx.evidence import ContextItem, Response
from pgx.neighbours import NeighbourReport
from pgx.observe import DETERMINED_STATES, EvidenceKind, SiteState
from pgx.reference import FactFile, load
from pgx.render import medicine, sureness
from pgx.render.form import Block, Citations, Form, PatientMeta, alert, bullet, fact, paragraph
from pgx.report import Run, SampleReport
from pgx.wording import Wording, capitalised, greek, percent, rounded_percent

_WEAK = frozenset({"conflicting", "insufficient"})
#: Stated facts that tell who this is and when, above the result; the others stand below the summary.
_WHO = ("name", "birth_date", "specimen", "specimen_date", "laboratory")


def is_withheld(run: Run, report: SampleReport) -> bool:
    """Return whether readable formats must not show the result: a minor, and no --reveal-minor."""
    return report.patient.minor and not run.parameters.reveal_minor


def is_estimate(report: SampleReport) -> bool:
    """Return whether the sites leave something open, so that an estimate is more than an opinion."""
    unread = any(site.basis in {None, EvidenceKind.ASSUMED} for site in report.sites)
    return unread or report.genotype.diplotype is None


def sites_read(report: SampleReport, words: Wording) -> str:
    """Return the sites at which both letters are known, joined."""
    return words.joined(site.rsid for site in report.sites if site.alleles is not None)


def name_from() -> float:
    """Return the probability below which neighbours name no diplotype: not calibrated for every ancestry."""
    from pgx.neighbours.panel import settings  # noqa: PLC0415 - few reports have an estimate

    return settings().name_from.value


class Summary:
    """The sentences of the summary for one sample; `alone`: no evidence follows; `signed`: places to sign."""

    def __init__(
        self, run: Run, report: SampleReport, form: Form, cite: Citations, *, alone: bool, signed: bool
    ) -> None:
        self.run, self.report, self.cite, self.alone, self.signed = run, report, cite, alone, signed
        self.withheld, self.meta = is_withheld(run, report), form.meta_of(report.sample)
        self.words, self.say, self.genotype = form.words, form.words.say, report.genotype
        self.status = E4Status(report.genotype.e4_status)
        self.undetermined = self.status is E4Status.INDETERMINATE
        self.blind = all(site.basis is None for site in report.sites)
        self.mark = sureness.assumed_mark(self.genotype.assumed, self.words)

    def head(self) -> Iterator[Block]:
        """Yield who and when."""
        yield fact(self.say("meta", "sample"), printable(self.report.sample))
        if self.run.input.kind == "stated":
            yield paragraph(self.say("heading", "stated"))
        yield from self._stated(_WHO)
        yield fact(self.say("meta", "issued"), self.run.created[:10])

    def parts(self) -> dict[str, Iterable[Block]]:
        """Return the parts in their order: what information this is, then what stands behind a seal."""
        withheld = (alert(self.say("result", "withheld")),)
        return {
            "sharing": (paragraph(self.say("share", "line")),),
            "result": withheld if self.withheld else self._result(),
            "medicine": self._medicine(),
            "first": self._first(),
            "next": self._next(),
            "issue": self._issue(),
        }

    def _stated(self, keys: Iterable[str]) -> Iterator[Block]:
        for key in keys:
            if (value := getattr(self.meta, key)) is not None:
                yield fact(self.say("meta", key), printable(str(value)))

    def _result(self) -> Iterator[Block]:
        """Yield the answer, and at once what it rests on and what limits it."""
        yield alert(self._answer())
        assumed = [site.rsid for site in self.report.sites if site.state == SiteState.ASSUMED_REFERENCE]
        for key, sites in (("assumed", assumed), ("no_quality", sureness.unstated_sites(self.report))):
            if sites:
                yield alert(self.say("result", key, sites=self.words.joined(sites)))
        against = self._named(contra=True)
        for reason in dict.fromkeys(item.reason for item in against):
            items = [item for item in against if item.reason == reason]
            statements = " ".join(item.statement for item in items)
            marks = self.cite.marks(source for item in items for source in item.sources)
            warning = {"reason": capitalised(reason), "statements": statements}
            yield alert(self.say("glance", "contraindicated", **warning), marks)
        told = [self._reason(reason) for reason in self.genotype.not_determined_because]
        if self.undetermined:
            told.append(self.say("result", "nothing_known" if self.blind else "not_non_carrier"))
        elif sureness.rests_on_assumption(self.report):
            told.append(self.say("glance", "sure_assumed"))
        else:
            key = "sure_status" if self.genotype.diplotype is None else "sure"
            told.append(self.say("glance", key, probability=self._probability()))
        yield paragraph(" ".join(told))
        if (found := self.report.neighbours) and (around := self._around(found)):
            yield paragraph(around)
        if limits := sureness.caveats(self.report, self.words):
            yield paragraph(" ".join(limits))

    def _around(self, found: NeighbourReport) -> str:
        say = functools.partial(self.say, "neighbours")
        if found.agrees is False:  # a caveat says it of an answer
            sites = sites_read(self.report, self.words)
            return "" if sureness.has_answer(self.report) else say("glance_disagrees", sites=sites)
        if not is_estimate(self.report):
            return ""
        if found.diplotype is None or found.diplotype_probability is None:
            return say("glance_unlike")
        if found.diplotype_probability < name_from():
            return say("glance_open")
        sure = percent(found.diplotype_probability)
        return say("glance", diplotype=greek(found.diplotype), probability=sure)

    def _answer(self) -> str:
        status = self.say("status", self.status)
        if self.genotype.diplotype is not None:
            named = greek(self.genotype.diplotype) + self.mark
            key = "diplotype_only" if self.undetermined else "determined"
            return self.say("result", key, diplotype=named, status=status)
        if not self.undetermined:
            return self.say("result", "status_only", status=status + self.mark)
        return self.say("result", "no_information" if self.blind else "undetermined")

    def line(self) -> str:
        """Return answer, certainty and limits as one line, for a list of many samples."""
        name = printable(self.report.sample)
        if self.withheld:
            return f"{name}: {self.say('result', 'withheld_short')}"
        named = f"{self.genotype.gene} {greek(self.genotype.diplotype or '')}{self.mark}"
        told = [named if self.genotype.diplotype is not None else self.say("result", "undetermined_short")]
        if self.undetermined:
            told += [self.say("cohort_reason", reason) for reason in self.genotype.not_determined_because]
        else:
            told += [self.say("status", self.status), self._probability()]
        told += [self.say("flag_name", code) for code in sureness.caveat_codes(self.report)]
        return f"{name}: {'; '.join(dict.fromkeys(told))}"

    def _probability(self) -> str:
        is_open = self.genotype.diplotype is None
        sure = sureness.status_probability(self.report) if is_open else self.genotype.diplotype_probability
        return sureness.told_chance(self.words, sure, self.report)

    def _reason(self, reason: str) -> str:
        if reason == "phase" and (spelled := sureness.distrusted_phase(self.report)):
            return self.say("reason", "phase_distrusted", diplotype=greek(spelled))
        if reason == "low-certainty":
            sites = sureness.weak_sites(self.report)
        elif reason == "half-call":
            sites = [site.rsid for site in self.report.sites if site.state == SiteState.PARTIAL_CALL]
        else:
            unused = [site for site in self.report.sites if site.basis is None]
            sites = [f"{site.rsid} ({self.say('state', site.state)})" for site in unused]
        return self.say("reason", reason, sites=self.words.joined(sites))

    def _medicine(self) -> Iterator[Block]:
        if self.withheld:
            yield paragraph(self.say("medicine", "withheld"))
        else:
            told = [self._use(response) for response in self.report.response]
            if any(response.conclusion in _WEAK for response in self.report.response):
                told.append(self.say("glance", "no_guide"))
            if drug := medicine.undirected(self.report):
                told.append(self.say("glance", "no_need", drug=drug))
            yield paragraph(" ".join(told))
            yield from map(paragraph, self._said() if self.alone else ())
        for response in self.report.response:
            searched, review = response.searched_on, response.next_review
            if searched is not None and review is not None and self.run.created[:10] > review:
                yield alert(self.say("evidence", "overdue", searched_on=searched, next_review=review))
            # a drug whose label uses the number of copies: its figures, and what the label asks for
            asked = medicine.label_advice(self.report, response)
            for claim in medicine.grouped(response)[0][:1] if asked and not self.withheld else ():
                yield medicine.claim_block(claim, self.words, self.cite)
            yield from (medicine.item_block(item, self.words, self.cite) for item in asked)
        named, known = " ".join(item.reason for item in self._named(contra=True)), self.report.patient
        if groups := [group for group in known.contraindications if f"({group})" not in named]:
            drug = medicine.drugs(self.report)
            yield paragraph(self.say("medicine", "not_given", drug=drug, groups="; ".join(groups)))

    def _said(self) -> Iterator[str]:
        group = "non-carrier" if self.status is E4Status.NON_CARRIER else "carrier"
        for response in self.report.response:
            lead, against, *_ = medicine.grouped(response)
            said = {row.claim_id: row.statement for row in response.by_status if row.group == group}
            bare = f" {self.say('glance', 'no_figure')}"
            known = [claim for claim in (*lead, *against) if claim.id in said]
            told = dict.fromkeys(said[claim.id] + (bare if claim.explanation else "") for claim in known)
            if lead and against:
                yield self.say("glance", "said", statements=" ".join(told))

    def _use(self, response: Response) -> str:
        known = {"drug": response.drug, "indication": response.indication_label}
        for key in (f"{response.conclusion}_{response.indication}", response.conclusion):
            if self.words.has("glance", key):
                return self.say("glance", key, **known)
        known["certainty"] = self.say("certainty", response.certainty or "not-stated")  # of before
        known["conclusion"] = medicine.conclusion_words(response, self.words)
        return self.say("glance", "medicine" if response.conclusion in _WEAK else "direction", **known)

    def _named(self, *, contra: bool) -> list[ContextItem]:
        """Return what this person's history and medicines bring up: contraindications, or all else."""
        items = [item for item in self.report.context if item.id in self.report.patient.warnings]
        return [item for item in items if (item.topic == "contraindication") is contra]

    def _first(self) -> Iterator[Block]:
        given, patient = self.run.parameters, self.report.patient
        if given.taking or given.history or given.age is not None or patient.warnings:
            contra = self._named(contra=True) if self.withheld else []
            for item in (*contra, *self._named(contra=False)):
                yield bullet(item.statement, self.cite.marks(item.sources))
            yield from map(paragraph, patient.notes)

    def _next(self) -> Iterator[Block]:
        report, joined = self.report, self.words.joined
        if not self.withheld:
            for state in dict.fromkeys(site.state for site in report.sites):
                if state not in DETERMINED_STATES:
                    named = ", ".join(site.rsid for site in report.sites if site.state == state)
                    own = f"{state}-{self.run.input.kind}"
                    yield bullet(self.say("next", own if self.words.has("next", own) else state, rsid=named))
            weak = joined(sureness.weak_sites(report))
            flagged = (cause for flag, cause in sureness.REASON_OF.items() if report.has_flag(flag))
            for cause in dict.fromkeys((*self.genotype.not_determined_because, *flagged)):
                distrusted = cause == "phase" and sureness.distrusted_phase(report) is not None
                key = "phase_distrusted" if distrusted else cause
                if self.words.has("next", key):
                    yield bullet(self.say("next", key, sites=weak))
            if report.has_flag("imputed"):
                yield bullet(self.say("next", "confirm_imputed"))
        if labelled := medicine.labelled_by_copies(report):
            yield bullet(self.say("next", "anti_amyloid", drugs=joined(labelled)))
        none = not self.withheld and self.status is E4Status.NON_CARRIER
        yield said_with_source("counselling_none" if none else "counselling", self.words, self.cite)
        if not self.withheld and self.genotype.diplotype == "e2/e2":
            yield said_with_source("lipids", self.words, self.cite)
        if self.withheld or sureness.has_answer(report):
            yield bullet(self.say("next", "confirm"))

    def _issue(self) -> Iterator[Block]:
        file = printable(self.run.input.path.replace("\\", "/").rpartition("/")[2])
        yield fact(self.say("meta", "file"), f"{file} ({self.run.input.assembly})")
        if not self.withheld:
            told = []
            for site in self.report.sites:
                shown = (site.basis is not None and site.genotype) or self.say("state", site.state)
                assumed = bool(site.genotype) and site.state == SiteState.ASSUMED_REFERENCE
                told.append(f"{site.rsid} {shown}{sureness.assumed_mark(assumed, self.words)}")
            yield fact(self.say("meta", "read"), ", ".join(told))
            population, diplotype = self.run.parameters.population, self.genotype.diplotype
            for row in self.genotype.calculation:
                if row.diplotype == diplotype and population != "flat":  # how common it is in the prior
                    known = {"share": rounded_percent(row.prior), "population": population}
                    label = self.say("meta", "frequency", diplotype=greek(row.diplotype))
                    yield fact(label, self.say("issue", "frequency", **known))
        above = {*_WHO, "reviewed_by"}
        yield from self._stated(key for key in PatientMeta.__struct_fields__ if key not in above)
        if self.meta.reviewed_by or self.signed:  # nobody signs in a terminal
            blank = self.say("meta", "blank")
            yield fact(self.say("meta", "reviewed_by"), printable(self.meta.reviewed_by or blank))
            yield fact(self.say("meta", "signature"), blank)
        made = {"version": self.run.tool.version, "release": self.run.reference.release}
        yield paragraph(self.say("issue", "method", **made))


class _CounselFile(FactFile, frozen=True, kw_only=True):
    sources: dict[str, str]
    rests_on: dict[str, tuple[str, ...]]


def said_with_source(key: str, words: Wording, cite: Citations) -> Block:
    """Return a sentence of the topic `counsel` as a list item with its references."""
    file = load("counsel.toml", _CounselFile)
    marks = cite.marks(file.sources[source] for source in file.rests_on[key])
    return bullet(words.say("counsel", key), marks)
