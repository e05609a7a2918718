"""FHIR R4: a Bundle by the profiles of HL7 Genomics Reporting 3.0.0. Codes are in reference/fhir.toml.

Identifiers are digests of sample, input and role. There is no medication recommendation, and nobody is made
up: patient, specimen, order and laboratory are there where the sender states them (--report-meta).
"""

from __future__ import annotations

import base64
import functools
import json
import re
import uuid
from html import escape
from typing import Any

from pgx.errors import printable
from pgx.evidence import MatchedClaim, Response, SourceCitation
from pgx.genome import SiteDefinition, definitions
from pgx.observe import SiteReport, SiteState
from pgx.reference import Facts, Provenance, load
from pgx.render import pages
from pgx.render.form import LONG, Citations, Form, Kind, PatientMeta
from pgx.render.medicine import claim_block, concluded, grouped, side_words
from pgx.render.narrative import narrate
from pgx.render.sureness import flag_message, read_sentence, told_chance
from pgx.report import Run, SampleReport
from pgx.wording import greek

Json = dict[str, Any]

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:pgx:fhir")
#: What FHIR takes as a date or a moment: a year, a month, a day, or a time with its zone.
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?)?)?")
_NO_CALL = frozenset({SiteState.ABSENT, SiteState.NO_CALL, SiteState.PARTIAL_CALL})


class _FhirFile(Facts, frozen=True, kw_only=True):
    provenance: Provenance
    evidence_level_system: str
    direction_system: str
    certainty_system: str
    identifier_system: str
    gene: str
    transcript: str
    hgvs_assembly: str
    systems: dict[str, str]
    profiles: dict[str, str]
    codes: dict[str, str]
    substances: dict[str, str]
    extensions: dict[str, str]


@functools.cache
def _facts() -> _FhirFile:
    return load("fhir.toml", _FhirFile)


def render(run: Run, report: SampleReport, form: Form | None = None) -> bytes:
    """Return the Bundle of one sample as JSON."""
    return (json.dumps(bundle(run, report, form), ensure_ascii=False, indent=2) + "\n").encode()


def bundle(run: Run, report: SampleReport, form: Form | None = None) -> Json:
    """Return the Bundle of one sample: the report first, then what it refers to."""
    maker = _Maker(run, report, form or Form())
    results = maker.observations()
    entries = [maker.diagnostic_report(results), *maker.stated.values(), *results]
    return {
        "resourceType": "Bundle",
        "id": maker.id_of("bundle"),
        **({"meta": {"security": maker.security}} if maker.security else {}),
        "type": "collection",
        "timestamp": run.created,
        "entry": [{"fullUrl": f"urn:uuid:{item['id']}", "resource": item} for item in entries],
    }


def _coding(text: str) -> Json:
    system, code, display = text.split("|")
    return {"system": _facts().systems[system], "code": code, "display": display}


def _concept(key: str, text: str | None = None) -> Json:
    concept: Json = {"coding": [_coding(_facts().codes[key])]}
    return concept | {"text": text} if text else concept


def _component(key: str, **value: Any) -> Json:
    return {"code": _concept(key), **value}


class _Maker:
    """Makes the resources of one sample."""

    def __init__(self, run: Run, report: SampleReport, form: Form) -> None:
        self.run, self.report, self.form, self.words = run, report, form, form.words
        self.meta = form.meta.get(report.sample) or PatientMeta()
        self.genotype = report.genotype
        name = printable(report.sample)
        self.identifier = {"system": _facts().identifier_system, "value": name}
        self.subject: Json = {"identifier": self.identifier, "display": name}
        self.security = [_coding(_facts().codes["restricted"])] if report.patient.minor else []
        self.stated = self._stated()
        self.mark = self.words.say("result", "assumed_mark") if self.genotype.assumed else ""

    def id_of(self, role: str) -> str:
        """Return the identifier of a resource by its role."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.run.input.header_digest}\0{self.report.sample}\0{role}"))

    def _resource(self, kind: str, role: str, **content: Any) -> Json:
        profile = {"profile": [_facts().profiles[role]]} if role in _facts().profiles else {}
        security = {"security": self.security} if self.security else {}
        meta = {"meta": profile | security} if profile or security else {}
        return {"resourceType": kind, "id": self.id_of(role), **meta, **content}

    def _stated(self) -> dict[str, Json]:
        """Return what the sender states of the person, the sample, the order and the laboratory, by role."""
        meta, found = self.meta, {}
        if meta.name or meta.birth_date:
            name = {"name": [{"text": printable(meta.name)}]} if meta.name else {}
            born = {"birthDate": meta.birth_date} if meta.birth_date else {}
            found["patient"] = self._resource(
                "Patient", "patient", identifier=[self.identifier], **name, **born
            )
            self.subject = {**_reference(found["patient"]), **self.subject}
        if meta.specimen or meta.specimen_date:
            kind = {"type": {"text": printable(meta.specimen)}} if meta.specimen else {}
            taken = {"collection": {"collectedDateTime": self._taken()}} if self._taken() else {}
            found["specimen"] = self._resource("Specimen", "specimen", subject=self.subject, **kind, **taken)
        if meta.order_id or meta.requester or meta.reason:
            order = {"identifier": [{"value": printable(meta.order_id)}]} if meta.order_id else {}
            asked = {"requester": {"display": printable(meta.requester)}} if meta.requester else {}
            reason = {"reasonCode": [{"text": printable(meta.reason)}]} if meta.reason else {}
            facts = {"status": "unknown", "intent": "order", "code": {"text": self.genotype.gene}}
            found["order"] = self._resource(
                "ServiceRequest", "order", subject=self.subject, **facts, **order, **asked, **reason
            )
        if meta.laboratory:
            contact = [{"system": "other", "value": printable(meta.contact)}] if meta.contact else []
            telecom = {"telecom": contact} if contact else {}
            found["laboratory"] = self._resource(
                "Organization", "laboratory", name=printable(meta.laboratory), **telecom
            )
        return found

    def _taken(self) -> str | None:
        """Return the date of the specimen where one is stated that FHIR can hold."""
        stated = self.meta.specimen_date or ""
        return stated if _DATE.fullmatch(stated) else None

    def _of_whom(self) -> Json:
        """Return what every result states: whose it is, and from when, as far as that is known."""
        found: Json = {"subject": self.subject}
        if taken := self._taken():
            return found | {"effectiveDateTime": taken}
        unknown = {"url": _facts().extensions["absent"], "valueCode": "unknown"}
        return found | {"_effectiveDateTime": {"extension": [unknown]}}

    def _observation(self, profile: str, role: str, **content: Any) -> Json:
        method = f"pgx {self.run.tool.version}, reference data {self.run.reference.release}"
        if self.meta.platform:
            method = f"{printable(self.meta.platform)}; {method}"
        made = self._resource(
            "Observation",
            role,
            status="preliminary",
            category=[_concept("laboratory"), _concept("genetics")],
            code=_concept(profile),
            **self._of_whom(),
            issued=self.run.created,
            **content,
            method={"text": method},
        )
        made["meta"] = {"profile": [_facts().profiles[profile]], **made.get("meta", {})}
        if "specimen" in self.stated:
            made["specimen"] = _reference(self.stated["specimen"])
        if "laboratory" in self.stated:
            made["performer"] = [_reference(self.stated["laboratory"])]
        return made

    def _gene(self) -> Json:
        concept = {
            "coding": [
                {"system": _facts().systems["hgnc"], "code": _facts().gene, "display": self.genotype.gene}
            ]
        }
        return _component("gene", valueCodeableConcept=concept)

    def observations(self) -> list[Json]:
        """Return variants, phase, haplotypes, genotype and implications, in this order."""
        variants = [
            self._variant(site, facts) for site, facts in zip(self.report.sites, definitions(), strict=True)
        ]
        haplotypes = self._haplotypes(variants)
        genotype = self._genotype(haplotypes or variants)
        return [*variants, *self._phase(variants), *haplotypes, genotype, *self._implications(genotype)]

    def _variant(self, site: SiteReport, facts: SiteDefinition) -> Json:
        key, text = self._assessment(site, facts)
        note = f"{site.rsid}: {self.words.say('state', site.state)}{text}"
        place = {"value": site.position}
        components = [
            self._gene(),
            *self._assembly(),
            *self._identity(site, facts),
            _component("place", valueRange={"low": place, "high": place}),
            _component("coordinates", valueCodeableConcept=_concept("one-based")),
            *self._copies(site, facts),
            _component("conclusion", valueString=note),
        ]
        return self._observation(
            "variant",
            site.rsid,
            valueCodeableConcept=_concept(key, text.strip() or None),
            component=components,
        )

    def _assessment(self, site: SiteReport, facts: SiteDefinition) -> tuple[str, str]:
        """Return the code for present, absent, no call or indeterminate, and the mark of an assumption."""
        mark = self.words.say("result", "assumed_mark") if site.state == SiteState.ASSUMED_REFERENCE else ""
        letters = site.alleles or (site.seen if site.state == SiteState.PARTIAL_CALL else ())
        if facts.alt in letters:
            return "present", mark
        if site.alleles is not None and site.basis is not None:
            return "absent", mark
        return ("no-call" if site.state in _NO_CALL else "indeterminate"), mark

    def _assembly(self) -> list[Json]:
        name = self.run.input.assembly
        concept = _concept(name) if name in _facts().codes else {"text": name}
        return [_component("assembly", valueCodeableConcept=concept)]

    def _identity(self, site: SiteReport, facts: SiteDefinition) -> list[Json]:
        systems = _facts().systems
        named = [
            {"system": systems["clinvar"], "code": facts.clinvar},
            {"system": systems["dbsnp"], "code": facts.rsid},
        ]
        spelled = {"system": systems["hgvs"], "code": f"{_facts().transcript}:{facts.hgvs_c}"}
        found = [
            _component("variation", valueCodeableConcept={"coding": named}),
            _component("coding-hgvs", valueCodeableConcept={"coding": [spelled]}),
        ]
        if self.run.input.assembly == _facts().hgvs_assembly:
            genomic = {"coding": [{"system": systems["hgvs"], "code": facts.hgvs_g}]}
            found.append(_component("genomic-hgvs", valueCodeableConcept=genomic))
        if site.ref and site.alt:
            found += [_component("ref", valueString=site.ref), _component("alt", valueString=site.alt)]
        return found

    def _copies(self, site: SiteReport, facts: SiteDefinition) -> list[Json]:
        """Return allelic state and reads of the ALT allele, where the record states them for it."""
        if site.alleles is None or facts.alt not in site.alleles:
            return []
        state = "homozygous" if site.alleles[0] == site.alleles[1] else "heterozygous"
        found = [_component("allelic-state", valueCodeableConcept=_concept(state))]
        columns = (site.record or "").split("\n")[0].split("\t")
        is_plain = len(columns) > 4 and columns[3] == facts.ref and columns[4] == facts.alt
        if is_plain and site.allele_depths is not None and len(site.allele_depths) == 2:
            reads = {
                "value": site.allele_depths[1],
                "unit": "reads",
                "system": _facts().systems["ucum"],
                "code": "1",
            }
            found.append(_component("allele-reads", valueQuantity=reads))
        return found

    def _phase(self, variants: list[Json]) -> list[Json]:
        """Return how the two variants lie to each other, where both are heterozygous."""
        pairs = [site.alleles for site in self.report.sites]
        alts = [facts.alt for facts in definitions()]
        if any(pair is None or pair[0] == pair[1] for pair in pairs):
            return []
        key = "phase-unknown"
        if self.genotype.phase == "phased":
            places = [pair.index(alt) for pair, alt in zip(pairs, alts, strict=True) if pair and alt in pair]
            if len(places) == 2:
                key = "cis" if places[0] == places[1] else "trans"
        return [
            self._observation(
                "sequence-phase-relationship",
                "phase",
                valueCodeableConcept=_concept(key),
                derivedFrom=[_reference(item) for item in variants],
            )
        ]

    def _haplotypes(self, variants: list[Json]) -> list[Json]:
        if self.genotype.diplotype is None:
            return []
        return [
            self._observation(
                "haplotype",
                f"haplotype-{number}",
                valueCodeableConcept={"text": f"{self.genotype.gene} {greek(name)}{self.mark}"},
                derivedFrom=[_reference(item) for item in variants],
                component=[self._gene()],
            )
            for number, name in enumerate(self.genotype.diplotype.split("/"), start=1)
        ]

    def _genotype(self, sources: list[Json]) -> Json:
        status = self._status()
        if self.genotype.diplotype is not None:
            value: Json = {"text": f"{self.genotype.gene} {greek(self.genotype.diplotype)}{self.mark}"}
        else:
            value = _concept("indeterminate", self.words.say("result", "undetermined_short") + self.mark)
        return self._observation(
            "genotype",
            "genotype",
            valueCodeableConcept=value,
            derivedFrom=[_reference(item) for item in sources],
            component=[self._gene(), _component("conclusion", valueString=status)],
            **self._beside(),
        )

    def _beside(self) -> Json:
        """Return what aligned reads hold, as a note."""
        told = []
        if self.report.reads is not None:
            told.append(read_sentence(self.report, self.report.reads, self.words))
        return {"note": [{"text": text} for text in told]} if told else {}

    def _status(self) -> str:
        status = self.words.say("status", self.genotype.e4_status)
        line = self.words.say("result", "status_line", status=status + self.mark)
        if self.genotype.e4_status == "indeterminate":
            return f"{line} {self.words.say('result', 'not_non_carrier')}"
        return line

    def _implications(self, genotype: Json) -> list[Json]:
        """Return one implication a use, with the conclusion, and one a claim that it rests on."""
        made = []
        for number, response in enumerate(self.report.response):
            level = {
                "coding": [{"system": _facts().evidence_level_system, "code": response.conclusion}],
                "text": concluded(response, self.words),
            }
            made.append(
                self._observation(
                    "therapeutic-implication",
                    f"response-{number}",
                    derivedFrom=[_reference(genotype)],
                    note=[{"text": text} for text in response.notes],
                    component=[
                        *_treatment(response),
                        _component("significance", valueCodeableConcept=_concept("unknown-significance")),
                        _component("evidence-level", valueCodeableConcept=level),
                        _component("conclusion", valueString=response.conclusion_text),
                    ],
                )
            )
            made += [
                self._claim(claim, response, number, genotype)
                for claims in grouped(response)
                for claim in claims
            ]
        return made

    def _claim(self, claim: MatchedClaim, response: Response, number: int, genotype: Json) -> Json:
        """Return a claim with its direction, its certainty and its citations."""
        facts, said = _facts(), claim_block(claim, self.words, Citations(), details=True)
        side = side_words(claim, self.words)
        direction = {"coding": [{"system": facts.direction_system, "code": claim.side}], "text": side}
        sure = self.words.say("level", claim.certainty)
        certainty = {"coding": [{"system": facts.certainty_system, "code": claim.certainty}], "text": sure}
        url = facts.extensions["artifact"]
        return self._observation(
            "therapeutic-implication",
            f"response-{number}-{claim.id}",
            extension=[{"url": url, "valueRelatedArtifact": _artifact(source)} for source in claim.sources],
            derivedFrom=[_reference(genotype)],
            note=[{"text": said.note}] if said.note else [{"text": claim.reason}],
            component=[
                *_treatment(response),
                _component("implication", valueCodeableConcept=direction),
                _component("evidence-level", valueCodeableConcept=certainty),
                _component("conclusion", valueString=claim.statement),
            ],
        )

    def diagnostic_report(self, results: list[Json]) -> Json:
        """Return the report that holds the observations together; its status is preliminary."""
        is_open, flags = self.genotype.diplotype is None, self.report.flags
        told = [flag_message(flag, self.words, is_open=is_open) for flag in flags if flag.severity != "info"]
        made = self._resource(
            "DiagnosticReport",
            "genomic-report",
            text=self._narrative(),
            status="preliminary",
            category=[_concept("genetics")],
            code=_concept("genomic-report"),
            **self._of_whom(),
            issued=self.run.created,
            result=[_reference(item) for item in results],
            conclusion=" ".join(dict.fromkeys([*self._conclusion(), *told])),
            presentedForm=[self._presented()],
        )
        for role, key in (("specimen", "specimen"), ("order", "basedOn"), ("laboratory", "performer")):
            if role in self.stated:
                made[key] = [_reference(self.stated[role])]
        if self.meta.reviewed_by:
            made["resultsInterpreter"] = [{"display": printable(self.meta.reviewed_by)}]
        return made

    def _narrative(self) -> Json:
        """Return the summary as XHTML; it withholds what the readable formats withhold."""
        told = narrate(self.run, self.report, self.form, full=False)
        parts = [f"<h1>{escape(told.title)}</h1>"]
        for section in told.sections:
            parts.append(f"<h2>{escape(section.title)}</h2>")
            parts += [
                f"<p>{escape(f'{block.note}: {block.text}' if block.kind is Kind.FACT else block.text)}</p>"
                for block in section.blocks
            ]
        body = "".join(parts)
        return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{body}</div>'}

    def _presented(self) -> Json:
        """Return the HTML report as an attachment."""
        page = pages.as_html(self.run, self.report, self.form).encode()
        return {
            "contentType": "text/html",
            "data": base64.b64encode(page).decode(),
            "title": narrate(self.run, self.report, self.form, full=False).title,
        }

    def _conclusion(self) -> list[str]:
        said = [self._status()]
        if self.genotype.diplotype is not None:
            probability = told_chance(self.words, self.genotype.diplotype_probability, self.report)
            name = f"{self.genotype.gene} {greek(self.genotype.diplotype)}{self.mark}"
            said.append(self.words.say("picture", "posterior_text", name=name, probability=probability))
        return [*said, self.words.say("limits", "no_diagnosis")]


def _treatment(response: Response) -> list[Json]:
    """Return the components that name drug and use."""
    medicine: Json = {"text": response.drug}
    if response.drug in _facts().substances:
        medicine["coding"] = [_coding(_facts().substances[response.drug])]
    return [
        _component("medication", valueCodeableConcept=medicine),
        _component("condition", valueCodeableConcept={"text": response.indication_label}),
    ]


def _artifact(source: SourceCitation) -> Json:
    """Return a source as a citation, with its address where it has one."""
    cited = {"type": "citation", "citation": printable(source.citation, LONG)}
    return cited | {"url": source.url} if source.url else cited


def _reference(resource: Json) -> Json:
    return {"reference": f"urn:uuid:{resource['id']}"}
