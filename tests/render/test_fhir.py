"""The FHIR Bundle against fhir.resources and against the profiles of Genomics Reporting 3.0.0.

data/genomics_reporting.json holds cardinalities, patterns and types of the six profiles, extracted from the
package hl7.fhir.uv.genomics-reporting 3.0.0 (CC0-1.0). fhir.resources accepts a wrong status, a wrong code or
a reference to nothing, so the checks here are our own.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from render_states import STATES, UNDETERMINED

from pgx.render import fhir, pages
from pgx.render.form import Form, PatientMeta

PROFILES = json.loads((Path(__file__).parent / "data" / "genomics_reporting.json").read_text())["profiles"]
#: Required bindings, by value set. The answer list LL1971-2 is LOINC's, the others are HL7's.
CODES = {
    "observation-status": {"registered", "preliminary", "final", "amended", "corrected", "cancelled"},
    "diagnostic-report-status": {"registered", "partial", "preliminary", "final", "amended", "corrected"},
    "LL1971-2": {"LA9633-4", "LA9634-2", "LA18198-4", "LA11884-6"},
    "sequence-phase-relationship-vs": {"Cis", "Trans", "Indeterminate", "Unknown"},
}


def contains(value, pattern):
    """Say whether `value` has all of a FHIR pattern."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            contains(value.get(key), part) for key, part in pattern.items()
        )
    if isinstance(pattern, list):
        return isinstance(value, list) and all(
            any(contains(item, part) for item in value) for part in pattern
        )
    return value == pattern


def values(resource, name):
    if name.endswith("[x]"):
        stem = name[:-3]
        found = [resource[key] for key in resource if re.fullmatch(stem + "[A-Z].*", key)]
    else:
        found = [resource[name]] if name in resource else []
    return [item for one in found for item in (one if isinstance(one, list) else [one])]


def count_fits(count, element):
    return count >= element["min"] and (element["max"] == "*" or count <= int(element["max"]))


def problems(resource):
    """Yield what a resource has against the profile that it names; people and laboratories have none."""
    if "profile" not in resource.get("meta", {}):
        if resource["resourceType"] not in {"Patient", "Specimen", "ServiceRequest", "Organization"}:
            yield "no profile"
        return
    profile = PROFILES[resource["meta"]["profile"][0]]
    if profile["type"] != resource["resourceType"]:
        yield "type"
    slices = {}
    for element in profile["elements"]:
        parts = element["id"].split(".")[1:]
        if len(parts) == 1 and ":" not in parts[0]:
            yield from _check(resource, parts[0], element)
        elif len(parts) == 1 and parts[0].startswith("value[x]:"):
            found = values(resource, parts[0].partition(":")[2])
            yield from _check_binding(found, element) if "required" in element else ()
        elif ":" in (parts[0] if parts else ""):
            slices.setdefault(parts[0], []).append((parts[1:], element))
    for name, elements in slices.items():
        yield from _check_slice(resource, name, elements)


def _check(resource, name, element):
    found = values(resource, name)
    if not count_fits(len(found), element):
        yield f"{element['id']}: {len(found)} of {element['min']}..{element['max']}"
    if "pattern" in element and not all(contains(value, element["pattern"]) for value in found):
        yield f"{element['id']}: not the pattern"
    if "types" in element:
        kinds = [key[len(name) - 3 :] for key in resource if re.fullmatch(name[:-3] + "[A-Z].*", key)]
        allowed = {kind[0].upper() + kind[1:] for kind in element["types"]}
        if set(kinds) - allowed:
            yield f"{element['id']}: type {kinds}"
    if "required" in element:
        yield from _check_binding(found, element)


def _check_binding(found, element):
    name = re.split(r"[/|]", element["required"].split("|")[0])[-1]
    if name not in CODES:
        return
    for value in found:
        codes = {value} if isinstance(value, str) else {item["code"] for item in value.get("coding", [])}
        if not codes <= CODES[name] or not codes:
            yield f"{element['id']}: {codes} not in {name}"


def _check_slice(resource, name, elements):
    base = name.split(":")[0]
    discriminator = next(
        (e for path, e in elements if path in (["code"], ["coding"]) and "pattern" in e), None
    )
    own = next((e for path, e in elements if not path), None)
    if discriminator is None or own is None:
        return
    key = discriminator["id"].split(".")[-1]
    chosen = [
        item
        for item in values(resource, base)
        if contains(
            item.get(key) if key == "code" else {"coding": item.get("coding", [])},
            discriminator["pattern"] if key == "code" else {"coding": [discriminator["pattern"]]},
        )
    ]
    if not count_fits(len(chosen), own):
        yield f"{own['id']}: {len(chosen)} of {own['min']}..{own['max']}"
    for path, element in elements:
        if len(path) == 1 and path[0] not in ("code", "coding"):
            for item in chosen:
                yield from _check(item, path[0], element)


def all_problems(bundle):
    entries = bundle["entry"]
    urls = [entry["fullUrl"] for entry in entries]
    if len(set(urls)) != len(urls):
        yield "two entries with one address"
    for entry in entries:
        resource = entry["resource"]
        if entry["fullUrl"] != f"urn:uuid:{resource['id']}":
            yield "address and id differ"
        yield from problems(resource)
        for reference in re.findall(r'"reference": "([^"]+)"', json.dumps(resource)):
            if reference not in urls:
                yield f"{resource['id']}: refers to nothing"


@pytest.mark.parametrize("state", STATES)
def test_bundle_is_valid(one, state):
    from fhir.resources.R4B.bundle import Bundle

    made = fhir.bundle(*one(state))
    assert list(all_problems(made)) == []
    Bundle.model_validate(copy.deepcopy(made))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: b["entry"][0]["resource"].update(status="done"),
        lambda b: b["entry"][1]["resource"]["code"]["coding"][0].update(code="1-8"),
        lambda b: b["entry"][1]["resource"]["category"].pop(),
        lambda b: b["entry"][1]["resource"]["valueCodeableConcept"]["coding"][0].update(code="LA1-1"),
        lambda b: b["entry"][0]["resource"]["result"][0].update(reference="urn:uuid:nowhere"),
        lambda b: b["entry"][3]["resource"].pop("valueCodeableConcept"),
        lambda b: b["entry"][-1]["resource"].pop("derivedFrom"),
        lambda b: b["entry"][1]["resource"]["component"].extend(
            [part for part in b["entry"][1]["resource"]["component"] if "valueRange" in part]
        ),
        lambda b: b["entry"].append(b["entry"][1]),
    ],
)
def test_the_checker_sees_what_is_wrong(one, spoil):
    made = copy.deepcopy(fhir.bundle(*one("heterozygous")))
    spoil(made)
    assert list(all_problems(made))


@pytest.mark.parametrize("state", STATES)
def test_there_is_no_recommendation_and_no_final_status(one, state):
    resources = [entry["resource"] for entry in fhir.bundle(*one(state))["entry"]]
    assert {item["resourceType"] for item in resources} == {"DiagnosticReport", "Observation"}
    assert [item for item in resources if "recommended-action" in json.dumps(item)] == []
    assert {item["status"] for item in resources} == {"preliminary"}


def _by_code(bundle, code):
    found = [entry["resource"] for entry in bundle["entry"]]
    coded = [item for item in found if item["resourceType"] in {"DiagnosticReport", "Observation"}]
    return [item for item in coded if item["code"]["coding"][0]["code"] == code]


@pytest.mark.parametrize(
    ("state", "codes"),
    [
        ("non-carrier", ["LA9634-2", "LA9634-2"]),
        ("heterozygous", ["LA9633-4", "LA9634-2"]),
        ("absent", ["LA18198-4", "LA18198-4"]),
        ("one-site", ["LA9634-2", "LA18198-4"]),
        ("carrier-half-call", ["LA9633-4", "LA9634-2"]),
    ],
)
def test_variants_say_present_absent_or_no_call(one, state, codes):
    variants = _by_code(fhir.bundle(*one(state)), "69548-6")
    assert [item["valueCodeableConcept"]["coding"][0]["code"] for item in variants] == codes


@pytest.mark.parametrize("state", sorted(UNDETERMINED))
def test_undetermined_has_no_haplotypes(one, state):
    bundle = fhir.bundle(*one(state))
    assert _by_code(bundle, "84414-2") == []
    genotype = _by_code(bundle, "84413-4")[0]
    assert "ε3" not in json.dumps(genotype, ensure_ascii=False)


def test_positions_follow_the_assembly(one):
    for state, position, code in (
        ("heterozygous", 44908684, "LA26806-2"),
        ("homozygous", 45411941, "LA14029-5"),
    ):
        variant = _by_code(fhir.bundle(*one(state)), "69548-6")[0]
        words = json.dumps(variant)
        assert f'"low": {{"value": {position}}}' in words
        assert code in words
        assert ("g.44908684" in words) is (code == "LA26806-2")


META = PatientMeta(
    name="P-7",
    birth_date="1950-01-31",
    specimen="Blood",
    specimen_date="2026-11-02",
    reason="Before treatment",
    platform="Genome, 30x",
    order_id="L-1",
    laboratory="Lab A",
    contact="tel. 1",
    requester="Dr B",
    reviewed_by="Dr C",
)


def _stated(one, state="heterozygous", meta=META):
    run, report = one(state)
    return fhir.bundle(run, report, Form(meta={report.sample: meta}))


def test_people_and_laboratory_are_those_that_are_stated(one):
    """Every fact of --report-meta stands in its resource, and every result refers to these."""
    from fhir.resources.R4B.bundle import Bundle

    made = _stated(one)
    assert list(all_problems(made)) == []
    Bundle.model_validate(copy.deepcopy(made))
    found = {entry["resource"]["resourceType"]: entry["resource"] for entry in made["entry"]}
    patient, specimen, order, laboratory, report = (
        found[kind] for kind in ("Patient", "Specimen", "ServiceRequest", "Organization", "DiagnosticReport")
    )
    assert (patient["name"], patient["birthDate"]) == ([{"text": "P-7"}], "1950-01-31")
    assert (specimen["type"]["text"], specimen["collection"]["collectedDateTime"]) == ("Blood", "2026-11-02")
    assert (order["identifier"][0]["value"], order["requester"]["display"]) == ("L-1", "Dr B")
    assert order["reasonCode"] == [{"text": "Before treatment"}]
    assert (laboratory["name"], laboratory["telecom"][0]["value"]) == ("Lab A", "tel. 1")
    assert report["resultsInterpreter"] == [{"display": "Dr C"}]

    def to(resource):
        return {"reference": f"urn:uuid:{resource['id']}"}

    assert (report["performer"], report["basedOn"]) == ([to(laboratory)], [to(order)])
    results = [
        entry["resource"] for entry in made["entry"] if entry["resource"]["resourceType"] == "Observation"
    ]
    for result in (report, *results):
        assert result["subject"]["reference"] == to(patient)["reference"]
        assert result["effectiveDateTime"] == "2026-11-02"
        assert result["performer"] == [to(laboratory)]
    assert all(result["specimen"] == to(specimen) for result in results)
    assert all(result["method"]["text"].startswith("Genome, 30x; pgx ") for result in results)


def test_nothing_that_was_not_stated_is_there(one):
    made = fhir.bundle(*one("heterozygous"))
    for resource in (entry["resource"] for entry in made["entry"]):
        assert not {"performer", "specimen", "basedOn", "effectiveDateTime"} & set(resource)
        assert resource["_effectiveDateTime"]["extension"][0]["valueCode"] == "unknown"
        assert "reference" not in resource["subject"]
    odd = _stated(one, meta=PatientMeta(specimen_date="last week", laboratory="Lab A"))
    assert "last week" not in json.dumps(odd)


def test_the_report_carries_its_page_and_a_narrative(one):
    run, report = one("heterozygous")
    (made,) = _by_code(fhir.bundle(run, report), "51969-4")
    (page,) = made["presentedForm"]
    assert base64.b64decode(page["data"]).decode() == pages.as_html(run, report)
    assert page["contentType"] == "text/html"
    root = ElementTree.fromstring(made["text"]["div"])  # noqa: S314 - our own output
    assert root.tag == "{http://www.w3.org/1999/xhtml}div"
    assert "one copy of ε4" in "".join(root.itertext())


@pytest.mark.parametrize("state", STATES)
def test_a_minor_has_a_security_label_and_nobody_else(one, state):
    run, report = one(state)
    made = fhir.bundle(run, report)
    marked = [entry["resource"].get("meta", {}).get("security") for entry in made["entry"]]
    label = {
        "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
        "code": "R",
        "display": "restricted",
    }
    assert marked == [[label] if report.patient.minor else None] * len(marked)
    assert made.get("meta") == ({"security": [label]} if report.patient.minor else None)
    if report.patient.minor:
        (whole,) = _by_code(made, "51969-4")
        shown = whole["text"]["div"] + base64.b64decode(whole["presentedForm"][0]["data"]).decode()
        assert "one copy of ε4 (ε4 carrier)" not in shown
        assert "withheld" in shown
