"""FHIR R4: a Bundle by the profiles of HL7 Genomics Reporting 3.0.0. Codes are in reference/fhir.toml.

No medication is recommended, and nobody is made up: who and what is there is stated by the sender.
"""

from __future__ import annotations

import base64
import functools
import itertools
import json
import re
import uuid
from collections.abc import Iterator
from html import escape
from typing import Any

from pgx.errors import printable
from pgx.genome import SiteDefinition, definitions
from pgx.observe import SiteReport, SiteState
from pgx.reference import FactFile, load
from pgx.render import pages
from pgx.render.form import LONG, Citations, Form
from pgx.render.medicine import claim_block, concluded, grouped, side_words
from pgx.render.narrative import narrate
from pgx.render.sureness import assumed_mark, flag_message, read_sentence, told_chance
from pgx.report import Run, SampleReport
from pgx.wording import greek

Json = dict[str, Any]

_DATE = r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?)?)?"  # or moment, as FHIR takes it


class _FhirFile(FactFile, frozen=True, kw_only=True):
    transcript: str
    hgvs_assembly: str
    systems: dict[str, str]
    profiles: dict[str, str]
    codes: dict[str, str]
    substances: dict[str, str]
    extensions: dict[str, str]


def _facts() -> _FhirFile:
    return load("fhir.toml", _FhirFile)


def render(run: Run, report: SampleReport, form: Form | None = None) -> bytes:
    """Return the Bundle of one sample as JSON."""
    return (json.dumps(bundle(run, report, form), ensure_ascii=False, indent=2) + "\n").encode()


def bundle(run: Run, report: SampleReport, form: Form | None = None) -> Json:
    """Return the Bundle of one sample: the report first, then what it refers to."""
    maker = _Maker(run, report, form or Form())
    results = list(maker.observations())
    entries = [maker.diagnostic_report(results), *maker.stated.values(), *results]
    whole = {
        "resourceType": "Bundle",
        "id": maker.id_of("bundle"),
        "meta": {"security": maker.security},
        "type": "collection",
        "timestamp": run.created,
        "entry": [{"fullUrl": f"urn:uuid:{item['id']}", "resource": item} for item in entries],
    }
    return dict(_filled(whole))


def _filled(value: Any) -> Any:
    """Return a piece of JSON without what holds nothing, which FHIR does not allow."""
    if isinstance(value, list):
        return [item for item in map(_filled, value) if item not in (None, {}, [])]
    if isinstance(value, dict):
        kept = ((key, _filled(item)) for key, item in value.items())
        return {key: item for key, item in kept if item not in (None, {}, [])}
    return value


def _stated(text: str | None, key: str = "text") -> Json:
    return {key: printable(text) if text else None}


def _coding(text: str) -> Json:
    system, code, *display = text.split("|")
    return {"system": _facts().systems[system], "code": code} | ({"display": display[0]} if display else {})


def _concept(key: str, text: str | None = None) -> Json:
    return {"coding": [_coding(_facts().codes[key])], "text": text}


def _codes(*codes: str) -> Json:
    return {"coding": [_coding(code) for code in codes]}


def _components(**values: str | Json | None) -> list[Json]:
    """Return one component a value, under the code of its key; none where there is no value."""
    found = []
    for key, value in ((name.replace("_", "-"), value) for name, value in values.items() if value):
        kind = "String" if isinstance(value, str) else "CodeableConcept"
        kind = {"place": "Range", "allele-reads": "Quantity"}.get(key, kind)
        found.append({"code": _concept(key), f"value{kind}": value})
    return found


class _Maker:
    def __init__(self, run: Run, report: SampleReport, form: Form) -> None:
        self.run, self.report, self.form, self.words = run, report, form, form.words
        self.meta, self.genotype = form.meta_of(report.sample), report.genotype
        name = printable(report.sample)
        self.identifier = {"system": _facts().systems["sample"], "value": name}
        self.subject: Json = {"identifier": self.identifier, "display": name}
        self.security = [_coding(_facts().codes["restricted"])] if report.patient.minor else []
        taken = self.meta.specimen_date or ""
        self.taken = taken if re.fullmatch(_DATE, taken) else None
        self.stated = self._stated()
        self.mark = assumed_mark(self.genotype.assumed, self.words)
        self.gene = _codes(f"{_facts().codes['hgnc-gene']}|{self.genotype.gene}")

    def id_of(self, role: str) -> str:
        """Return the identifier of a resource by its role."""
        space = uuid.uuid5(uuid.NAMESPACE_URL, "urn:pgx:fhir")
        return str(uuid.uuid5(space, f"{self.run.input.header_digest}\0{self.report.sample}\0{role}"))

    def _resource(self, kind: str, role: str, profile: str = "", **content: Any) -> Json:
        profiles = _facts().profiles
        stated = [profiles[profile or role]] if profile or role in profiles else []
        meta = {"meta": {"profile": stated, "security": self.security}}
        first = meta if role in profiles or self.security else {}
        return {"resourceType": kind, "id": self.id_of(role), **first, **content, **meta}

    def _stated(self) -> dict[str, Json]:
        """Return what the sender states of the person, the sample, the order and the laboratory, by role."""
        meta, found = self.meta, dict[str, Json]()
        made, known = self._resource, Json()
        if meta.name or meta.birth_date:
            known = {"name": [_stated(meta.name)], "birthDate": meta.birth_date}
            found["patient"] = made("Patient", "patient", identifier=[self.identifier], **known)
            self.subject = {**_references(found["patient"])[0], **self.subject}
        if meta.specimen or meta.specimen_date:
            known = {"type": _stated(meta.specimen), "collection": {"collectedDateTime": self.taken}}
            found["specimen"] = made("Specimen", "specimen", subject=self.subject, **known)
        if meta.order_id or meta.requester or meta.reason:
            known = {"status": "unknown", "intent": "order", "code": {"text": self.genotype.gene}}
            known["identifier"] = [_stated(meta.order_id, "value")]
            known |= {"requester": _stated(meta.requester, "display"), "reasonCode": [_stated(meta.reason)]}
            found["order"] = made("ServiceRequest", "order", subject=self.subject, **known)
        if meta.laboratory:
            contact = [{"system": "other", **_stated(meta.contact, "value")}] if meta.contact else []
            known = {**_stated(meta.laboratory, "name"), "telecom": contact}
            found["laboratory"] = made("Organization", "laboratory", **known)
        return found

    def _result(self, profile: str, *categories: str) -> Json:
        """Return what every result states: what it is, whose, and from when, as far as that is known."""
        unknown = {"url": _facts().extensions["absent"], "valueCode": "unknown"}
        return {
            "status": "preliminary",
            "category": list(map(_concept, categories)),
            "code": _concept(profile),
            "subject": self.subject,
            "effectiveDateTime": self.taken,
            "_effectiveDateTime": {} if self.taken else {"extension": [unknown]},
            "issued": self.run.created,
        }

    def _observation(self, profile: str, role: str, **content: Any) -> Json:
        method = f"pgx {self.run.tool.version}, reference data {self.run.reference.release}"
        if self.meta.platform:
            method = f"{printable(self.meta.platform)}; {method}"
        content = {**self._result(profile, "laboratory", "genetics"), **content, "method": {"text": method}}
        specimen = next(iter(self._named("specimen")), None)
        made = self._resource("Observation", role, profile, **content)
        return made | {"specimen": specimen, "performer": self._named("laboratory")}

    def _named(self, role: str) -> list[Json]:
        return _references(self.stated[role]) if role in self.stated else []

    def observations(self) -> Iterator[Json]:
        """Yield variants, phase, haplotypes, genotype and implications, in this order."""
        variants = list(map(self._variant, self.report.sites, definitions()))
        yield from variants
        rests = _references(*variants)
        if key := self._phase():
            known = {"valueCodeableConcept": _concept(key), "derivedFrom": rests}
            yield self._observation("sequence-phase-relationship", "phase", **known)
        haplotypes, diplotype, reads = [], self.genotype.diplotype, self.report.reads
        for number, name in enumerate(diplotype.split("/") if diplotype else [], start=1):
            known = {"valueCodeableConcept": {"text": self._called(name)}, "derivedFrom": rests}
            known["component"] = _components(gene=self.gene)
            haplotypes.append(self._observation("haplotype", f"haplotype-{number}", **known))
        value: Json = {"text": self._called(diplotype or "")}
        if diplotype is None:
            value = _concept("indeterminate", self.words.say("result", "undetermined_short") + self.mark)
        known = {"valueCodeableConcept": value, "derivedFrom": _references(*(haplotypes or variants))}
        known["component"] = _components(gene=self.gene, conclusion=self._status())
        known["note"] = [{"text": reads and read_sentence(self.report, reads, self.words)}]
        genotype = self._observation("genotype", "genotype", **known)
        yield from (*haplotypes, genotype, *self._implications(genotype))

    def _variant(self, site: SiteReport, facts: SiteDefinition) -> Json:
        mark = assumed_mark(site.state == SiteState.ASSUMED_REFERENCE, self.words)
        assembly = self.run.input.assembly
        place, spelled = {"value": site.position}, site.ref and site.alt
        components = _components(
            gene=self.gene,
            assembly=_concept(assembly) if assembly in _facts().codes else {"text": assembly},
            variation=_codes(f"clinvar|{facts.clinvar}", f"dbsnp|{facts.rsid}"),
            coding_hgvs=_codes(f"hgvs|{_facts().transcript}:{facts.hgvs_c}"),
            genomic_hgvs=_codes(f"hgvs|{facts.hgvs_g}") if assembly == _facts().hgvs_assembly else None,
            ref=site.ref if spelled else None,
            alt=site.alt if spelled else None,
            place={"low": place, "high": place},
            coordinates=_concept("one-based"),
            **_copies(site, facts),
            conclusion=f"{site.rsid}: {self.words.say('state', site.state)}{mark}",
        )
        letters = site.alleles or (site.seen if site.state == SiteState.PARTIAL_CALL else ())
        assessed = "indeterminate"
        if facts.alt in letters:
            assessed = "present"
        elif site.alleles is not None and site.basis is not None:
            assessed = "absent"
        elif site.state in {SiteState.ABSENT, SiteState.NO_CALL, SiteState.PARTIAL_CALL}:
            assessed = "no-call"
        value = _concept(assessed, mark.strip() or None)
        return self._observation("variant", site.rsid, valueCodeableConcept=value, component=components)

    def _phase(self) -> str | None:
        """Return how the two variants lie to each other, where both are heterozygous."""
        pairs = [site.alleles or ("", "") for site in self.report.sites]
        if any(one == other for one, other in pairs):
            return None
        spelled = [(pair, facts.alt) for pair, facts in zip(pairs, definitions(), strict=True)]
        if self.genotype.phase != "phased" or any(alt not in pair for pair, alt in spelled):
            return "phase-unknown"
        return "cis" if len({pair.index(alt) for pair, alt in spelled}) == 1 else "trans"

    def _called(self, name: str) -> str:
        return f"{self.genotype.gene} {greek(name)}{self.mark}"

    def _status(self) -> str:
        status = self.words.say("status", self.genotype.e4_status)
        line = self.words.say("result", "status_line", status=status + self.mark)
        is_open = self.genotype.e4_status == "indeterminate"
        return f"{line} {self.words.say('result', 'not_non_carrier')}" if is_open else line

    def _implications(self, genotype: Json) -> Iterator[Json]:
        """Yield one implication a use, with the conclusion, and one a claim that it rests on."""
        about, words = _references(genotype), self.words
        implied = functools.partial(self._observation, "therapeutic-implication")
        for number, response in enumerate(self.report.response):
            role, drug = f"response-{number}", _facts().substances.get(response.drug)
            treatment: dict[str, Json] = {
                "medication": {"text": response.drug, "coding": [_coding(drug)] if drug else []},
                "condition": {"text": response.indication_label},
            }
            level = _judged("evidence-level", response.conclusion, concluded(response, words))
            known: Json = {"significance": _concept("unknown-significance"), "evidence_level": level}
            components = _components(**treatment, **known, conclusion=response.conclusion_text)
            notes = [{"text": text} for text in response.notes]
            yield implied(role, derivedFrom=about, note=notes, component=components)
            for claim in itertools.chain(*grouped(response)):
                sure = _judged("certainty", claim.certainty, words.say("level", claim.certainty))
                way = _judged("direction", claim.side, side_words(claim, words))
                known = {"implication": way, "evidence_level": sure, "conclusion": claim.statement}
                components = _components(**treatment, **known)
                remark = claim_block(claim, words, Citations(), details=True).note or claim.reason
                cited = ((printable(one.citation, LONG), one.url or None) for one in claim.sources)
                rests = ({"type": "citation", "citation": text, "url": url} for text, url in cited)
                artifact = _facts().extensions["artifact"]
                content = {"extension": [{"url": artifact, "valueRelatedArtifact": one} for one in rests]}
                content |= {"derivedFrom": about, "note": [{"text": remark}], "component": components}
                yield implied(f"{role}-{claim.id}", **content)

    def diagnostic_report(self, results: list[Json]) -> Json:
        """Return the report that holds the observations together; its status is preliminary."""
        conclusion, diplotype, say = [self._status()], self.genotype.diplotype, self.words.say
        if diplotype is not None:
            chance = told_chance(self.words, self.genotype.diplotype_probability, self.report)
            known = {"name": self._called(diplotype), "probability": chance}
            conclusion.append(say("picture", "posterior_text", **known))
        flags = (flag for flag in self.report.flags if flag.severity != "info")
        told = [flag_message(flag, self.words, is_open=diplotype is None) for flag in flags]
        conclusion += [say("limits", "no_diagnosis"), *told]
        summary = narrate(self.run, self.report, self.form, full=False)
        page = base64.b64encode(pages.as_html(self.run, self.report, self.form).encode()).decode()
        body = f"<h1>{escape(summary.title)}</h1>"
        for section in summary.sections:
            lines = (f"<p>{escape(block.labelled)}</p>" for block in section.blocks)
            body += f"<h2>{escape(section.title)}</h2>{''.join(lines)}"
        made = self._resource(
            "DiagnosticReport",
            "genomic-report",
            text={"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{body}</div>'},
            **self._result("genomic-report", "genetics"),
            result=_references(*results),
            conclusion=" ".join(dict.fromkeys(conclusion)),
            presentedForm=[{"contentType": "text/html", "data": page, "title": summary.title}],
        )
        return made | {
            "specimen": self._named("specimen"),
            "basedOn": self._named("order"),
            "performer": self._named("laboratory"),
            "resultsInterpreter": [_stated(self.meta.reviewed_by, "display")],
        }


def _copies(site: SiteReport, facts: SiteDefinition) -> dict[str, Json | None]:
    """Return allelic state and reads of the ALT allele, where the record states them for it."""
    if site.alleles is None or facts.alt not in site.alleles:
        return {}
    columns = (site.record or "").split("\n")[0].split("\t")
    reads, depths = None, site.allele_depths
    if columns[3:5] == [facts.ref, facts.alt] and depths is not None and len(depths) == 2:
        reads = {"value": depths[1], "unit": "reads", "system": _facts().systems["ucum"], "code": "1"}
    state = "homozygous" if site.alleles[0] == site.alleles[1] else "heterozygous"
    return {"allelic_state": _concept(state), "allele_reads": reads}


def _judged(system: str, code: str, text: str) -> Json:
    return {"coding": [{"system": _facts().systems[system], "code": code}], "text": text}


def _references(*resources: Json) -> list[Json]:
    return [{"reference": f"urn:uuid:{resource['id']}"} for resource in resources]
