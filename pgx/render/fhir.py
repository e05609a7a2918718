"""FHIR R4: a Bundle by the profiles of HL7 Genomics Reporting 3.0.0. Codes are in reference/fhir.toml.

Identifiers are digests of sample, input and role: the same report has the same ones. There is no
medication recommendation, and no patient is made up: the subject is the name that the VCF gives.
"""

from __future__ import annotations

import functools
import json
import uuid
from typing import Any

from pgx.errors import printable
from pgx.genome.sites import SiteDefinition, definitions
from pgx.observe import SiteState
from pgx.reference import Facts, Provenance, load
from pgx.render.blocks import LONG, Citations
from pgx.render.medicine import claim_block, concluded, grouped
from pgx.report import Run, SampleReport, SiteReport
from pgx.wording import Wording, greek, percent, wording

Json = dict[str, Any]

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:pgx:fhir")
_NO_CALL = frozenset({SiteState.ABSENT, SiteState.NO_CALL, SiteState.PARTIAL_CALL})


class _FhirFile(Facts, frozen=True, kw_only=True):
    provenance: Provenance
    evidence_level_system: str
    identifier_system: str
    gene: str
    transcript: str
    hgvs_assembly: str
    systems: dict[str, str]
    profiles: dict[str, str]
    codes: dict[str, str]
    substances: dict[str, str]


@functools.cache
def _facts() -> _FhirFile:
    return load("fhir.toml", _FhirFile)


def render(run: Run, report: SampleReport) -> bytes:
    """Return the Bundle of one sample as JSON."""
    return (json.dumps(bundle(run, report), ensure_ascii=False, indent=2) + "\n").encode()


def bundle(run: Run, report: SampleReport) -> Json:
    """Return the Bundle of one sample: the report first, then what it refers to."""
    maker = _Maker(run, report, wording())
    results = maker.observations()
    entries = [maker.diagnostic_report(results), *results]
    return {
        "resourceType": "Bundle",
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

    def __init__(self, run: Run, report: SampleReport, words: Wording) -> None:
        self.run, self.report, self.words = run, report, words
        self.genotype = report.genotype
        name = printable(report.sample)
        self.subject = {
            "identifier": {"system": _facts().identifier_system, "value": name},
            "display": name,
        }
        self.mark = words.say("result", "assumed_mark") if self.genotype.assumed else ""

    def _id(self, role: str) -> str:
        return str(uuid.uuid5(_NAMESPACE, f"{self.run.input.header_digest}\0{self.report.sample}\0{role}"))

    def _observation(self, profile: str, role: str, **content: Any) -> Json:
        method = f"pgx {self.run.tool.version}, reference data {self.run.reference.release}"
        return {
            "resourceType": "Observation",
            "id": self._id(role),
            "meta": {"profile": [_facts().profiles[profile]]},
            "status": "preliminary",
            "category": [_concept("laboratory"), _concept("genetics")],
            "code": _concept(profile),
            "subject": self.subject,
            "issued": self.run.created,
            **content,
            "method": {"text": method},
        }

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
        )

    def _status(self) -> str:
        status = self.words.say("status", self.genotype.e4_status)
        line = self.words.say("result", "status_line", status=status + self.mark)
        if self.genotype.e4_status == "indeterminate":
            return f"{line} {self.words.say('result', 'not_non_carrier')}"
        return line

    def _implications(self, genotype: Json) -> list[Json]:
        made = []
        for number, response in enumerate(self.report.response):
            medicine: Json = {"text": response.drug}
            if response.drug in _facts().substances:
                medicine["coding"] = [_coding(_facts().substances[response.drug])]
            level = {
                "coding": [{"system": _facts().evidence_level_system, "code": response.conclusion}],
                "text": concluded(response, self.words),
            }
            uncited = Citations()
            notes = [
                claim_block(claim, self.words, uncited).text
                for claims in grouped(response)
                for claim in claims
            ]
            made.append(
                self._observation(
                    "therapeutic-implication",
                    f"response-{number}",
                    derivedFrom=[_reference(genotype)],
                    note=[{"text": text} for text in (*notes, *response.notes)],
                    component=[
                        _component("medication", valueCodeableConcept=medicine),
                        _component("condition", valueCodeableConcept={"text": response.indication_label}),
                        _component("significance", valueCodeableConcept=_concept("unknown-significance")),
                        _component("evidence-level", valueCodeableConcept=level),
                        _component("conclusion", valueString=response.conclusion_text),
                    ],
                )
            )
        return made

    def diagnostic_report(self, results: list[Json]) -> Json:
        """Return the report that holds the observations together; its status is preliminary."""
        flags = [printable(flag.message, LONG) for flag in self.report.flags if flag.severity != "info"]
        return {
            "resourceType": "DiagnosticReport",
            "id": self._id("report"),
            "meta": {"profile": [_facts().profiles["genomic-report"]]},
            "status": "preliminary",
            "category": [_concept("genetics")],
            "code": _concept("genomic-report"),
            "subject": self.subject,
            "issued": self.run.created,
            "result": [_reference(item) for item in results],
            "conclusion": " ".join([*self._conclusion(), *flags]),
        }

    def _conclusion(self) -> list[str]:
        said = [self._status()]
        if self.genotype.diplotype is not None:
            probability = percent(self.genotype.diplotype_probability)
            name = greek(self.genotype.diplotype) + self.mark
            said.append(self.words.say("sure", "diplotype", diplotype=name, probability=probability))
        return [*said, self.words.say("limits", "no_diagnosis")]


def _reference(resource: Json) -> Json:
    return {"reference": f"urn:uuid:{resource['id']}"}
