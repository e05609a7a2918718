"""What must not change an answer, and what must not make it more certain."""

from __future__ import annotations

import itertools
import os
import string
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vcf_builder import CONTIGS, site, vcf_text, write_vcf

from pgx.calling import E4_COPIES, CallOptions, populations
from pgx.calling.call import call
from pgx.observe import EvidenceKind, GenotypeEvidence, Observation, Phase, PhaseSource, SiteState
from pgx.options import Options
from pgx.single import annotate

settings.register_profile(
    "pgx",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("pgx")

RSIDS = ("rs429358", "rs7412")
REFS = {"rs429358": "T", "rs7412": "C"}
ALTS = {"rs429358": "C", "rs7412": "T"}
POPULATIONS = [population.name for population in populations()] + ["flat"]

genotypes = st.sampled_from(
    ["0/0", "0/1", "1/1", "1/0", "0|1", "1|0", "0|0", "1|1", "./.", "./1", "0/.", "1", "."]
)
qualities = st.sampled_from(["", ":0", ":3", ":13", ":30", ":99", ":."])
names = st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=12)


@st.composite
def people(draw, most=4):
    """Return samples by name: for each the raw columns of both sites, with GT:GQ."""
    chosen = draw(st.lists(names, min_size=1, max_size=most, unique=True))
    return {
        name: tuple((gt := draw(genotypes)) + (draw(qualities) if gt != "." else "") for _ in RSIDS)
        for name in chosen
    }


def rows(samples, **more):
    return [
        site(rsid, gt=[columns[index] for columns in samples.values()], format="GT:GQ", **more)
        for index, rsid in enumerate(RSIDS)
    ]


def answers(name="a.vcf", *, index="", options=None, **layout):
    """Return what is said of each sample, without what only repeats the file."""
    with TemporaryDirectory() as folder:
        path = write_vcf(Path(folder) / name, index=index, **layout)
        found = {}
        for report in annotate(str(path), Options(**(options or {}))).samples:
            found[report.sample] = (
                tuple((s.state, s.alleles, s.seen, s.genotype_quality, s.filter) for s in report.sites),
                report.genotype.diplotype,
                report.genotype.e4_status,
                report.genotype.diplotype_posterior,
                report.genotype.phase,
                frozenset((flag.code, flag.severity) for flag in report.flags),
            )
        return found


@given(people(), st.randoms(use_true_random=False))
def test_sample_order_changes_nothing(samples, random):
    mixed = list(samples.items())
    random.shuffle(mixed)
    turned = dict(mixed)
    assert answers(records=rows(samples), samples=list(samples)) == answers(
        records=rows(turned), samples=list(turned)
    )


@given(people(), st.booleans(), st.sampled_from(["sorted", "given"]))
def test_irrelevant_records_change_nothing(samples, neighbours, order):
    plain = answers(records=rows(samples), samples=list(samples), neighbours=False)
    found = answers(records=rows(samples), samples=list(samples), neighbours=neighbours, order=order)
    assert {name: seen[:5] for name, seen in found.items()} == {
        name: seen[:5] for name, seen in plain.items()
    }
    assert all(seen[5] - plain[name][5] <= {("unsorted", "info")} for name, seen in found.items())


@given(people())
def test_assembly_and_contig_name_change_nothing(samples):
    found = [
        answers(records=rows(samples), samples=list(samples), assembly=assembly, contig=contig)
        for assembly in ("NCBI36", "GRCh37", "GRCh38")
        for contig in CONTIGS[assembly]
    ]
    assert all(one == found[0] for one in found)


@given(people())
def test_packing_and_index_change_nothing(samples):
    layout = {"records": rows(samples), "samples": list(samples)}
    plain = answers(**layout)
    assert answers("a.vcf.gz", **layout) == plain
    assert answers("a.vcf.gz", compression="gzip", **layout) == plain
    assert answers("a.vcf.gz", index="tbi", **layout) == plain
    assert answers("a.vcf.gz", index="csi", **layout) == plain


@given(people())
def test_bcf_changes_nothing(samples):
    layout = {"records": rows(samples), "samples": list(samples)}
    plain = answers(**layout)
    assert answers("a.bcf", **layout) == plain
    assert answers("a.bcf", index="csi", **layout) == plain


def spelled(rsid, gt, quality, how):
    """Return the records of one diploid genotype in another spelling."""
    ref, alt = REFS[rsid], ALTS[rsid]
    none = gt.replace("1", "0")
    more, changes = {
        "plain": ({}, gt),
        "padded": ({"ref": f"{ref}GC", "alt": f"{alt}GC"}, gt),
        "padded in front": ({"ref": f"A{ref}", "alt": f"A{alt}", "offset": -1}, gt),
        "merged": ({"alt": f"G,{alt}"}, gt.replace("1", "2")),
        "lower case": ({"ref": ref.lower(), "alt": alt.lower()}, gt),
        "split": ({}, gt),
    }[how]
    found = [site(rsid, gt=f"{changes}:{quality}", format="GT:GQ", **more)]
    if how == "split":
        found.append(site(rsid, gt=f"{none}:{quality}", format="GT:GQ", alt="G"))
    return found


@given(
    st.tuples(*[st.sampled_from(["0/0", "0/1", "1/1", "0|1", "1|0"]) for _ in RSIDS]),
    st.sampled_from([3, 13, 30, 99]),
    st.sampled_from(["padded", "padded in front", "merged", "lower case", "split"]),
    st.sampled_from(["padded", "merged", "split", "plain"]),
)
def test_representation_changes_nothing(pair, quality, first, second):
    def file(ways):
        made = [spelled(rsid, gt, quality, how) for rsid, gt, how in zip(RSIDS, pair, ways, strict=True)]
        return [row for records in made for row in records]

    plain = answers(records=file(("plain", "plain")), neighbours=False)
    assert answers(records=file((first, second)), neighbours=False) == plain


@given(people())
def test_swapping_both_phases_changes_no_answer(samples):
    def turned(column):
        gt, colon, rest = column.partition(":")
        return ("|".join(reversed(gt.split("|"))) if "|" in gt else gt) + colon + rest

    other = {name: tuple(map(turned, columns)) for name, columns in samples.items()}
    one = answers(records=rows(samples), samples=list(samples))
    two = answers(records=rows(other), samples=list(other))
    assert {name: seen[1:5] for name, seen in one.items()} == {name: seen[1:5] for name, seen in two.items()}


# From here on the caller alone: quicker, and with any numbers.

phred = st.integers(0, 400)


def stated(kind, values, copies=None):
    return GenotypeEvidence(kind=kind, values=tuple(map(float, values)), copies=copies)


def evidence():
    """Return any statement of quality that the observer can hand over, or none."""
    three = st.lists(phred, min_size=3, max_size=3)
    shares = st.lists(st.integers(1, 1000), min_size=3, max_size=3)
    copies = st.integers(0, 2)
    return st.one_of(
        st.none(),
        three.map(lambda values: stated(EvidenceKind.PL, values)),
        shares.map(lambda values: stated(EvidenceKind.GP, [value / sum(values) for value in values])),
        st.integers(0, 200).map(lambda dose: stated(EvidenceKind.DS, [dose / 100])),
        st.tuples(phred, copies).map(lambda pair: stated(EvidenceKind.GQ, pair[:1], pair[1])),
        st.tuples(st.integers(0, 60), st.sampled_from([0, 2])).map(
            lambda pair: stated(EvidenceKind.DEPTH, pair[:1], pair[1])
        ),
        st.sampled_from("TC").map(lambda letter: GenotypeEvidence(kind=EvidenceKind.PARTIAL, seen=letter)),
        copies.map(lambda number: stated(EvidenceKind.GT, [], number)),
    )


def observation(index, item, *, alleles=None, phase=None):
    state = SiteState.CALLED if item is not None else SiteState.ABSENT
    if item is not None and item.kind is EvidenceKind.PARTIAL:
        state = SiteState.PARTIAL_CALL
    return Observation(
        rsid=RSIDS[index],
        contig="chr19",
        position=index + 1,
        ref="TC"[index],
        alt="CT"[index],
        state=state,
        alleles=alleles,
        evidence=item,
        phase=phase,
    )


def called(first, second, population="global", threshold=0.99, error=5e-5):
    options = CallOptions(population=population, min_probability=threshold, allele_error_rate=error)
    return call((observation(0, first), observation(1, second)), options)


thresholds = st.floats(0.5, 1, exclude_min=True, exclude_max=True)


@given(evidence(), evidence(), st.sampled_from(POPULATIONS), thresholds)
@settings(max_examples=300)
def test_posteriors_sum_to_one_and_answers_reach_the_threshold(first, second, population, threshold):
    result = called(first, second, population, threshold)
    assert sum(result.diplotype_posterior.values()) == pytest.approx(1)
    assert sum(result.e4_copies_posterior.values()) == pytest.approx(1)
    assert min(result.diplotype_posterior.values()) >= 0
    assert result.diplotype_probability == pytest.approx(max(result.diplotype_posterior.values()))
    if result.diplotype is not None:
        assert result.diplotype_posterior[result.diplotype] >= threshold
        assert result.e4_status in E4_COPIES, "a determined diplotype has a number of copies"
    if result.e4_status.value == "carrier":
        assert result.e4_copies_posterior["1"] + result.e4_copies_posterior["2"] >= threshold
    elif result.e4_copies is not None and not any(e and e.seen for e in (first, second)):
        assert result.e4_copies_posterior[str(result.e4_copies)] >= threshold


@given(st.sampled_from(POPULATIONS), thresholds)
@settings(max_examples=60)
def test_a_prior_alone_never_determines(population, threshold):
    nothing = [
        None,
        GenotypeEvidence(kind=EvidenceKind.PL, values=(0.0, 0.0, 0.0)),
        GenotypeEvidence(kind=EvidenceKind.GL, values=(-1.0, -1.0, -1.0)),
        GenotypeEvidence(kind=EvidenceKind.GQ, values=(0.0,), copies=0),
        GenotypeEvidence(kind=EvidenceKind.DEPTH, values=(0.0,), copies=0),
    ]
    for first, second in itertools.product(nothing, repeat=2):
        result = called(first, second, population, threshold)
        assert (result.diplotype, result.e4_status.value) == (None, "indeterminate")


@given(evidence(), st.sampled_from([0, 1]), st.sampled_from(POPULATIONS), thresholds)
@settings(max_examples=300)
def test_one_weak_site_never_determines_more_than_it_says(item, index, population, threshold):
    """With one site the odds of any determined answer were raised at least tenfold by that site."""
    pair = (item, None) if index == 0 else (None, item)
    result = called(*pair, population, threshold)
    prior = called(None, None, population, threshold)
    if result.diplotype is not None:
        after, before = result.diplotype_probability, prior.diplotype_posterior[result.diplotype]
        assert after * (1 - before) >= 10 * (1 - after) * before * (1 - 1e-9)


@given(
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(1, 300),
    st.integers(0, 300),
    st.sampled_from(POPULATIONS),
)
@settings(max_examples=300)
def test_less_quality_is_less_certainty(first, second, quality, less, population):
    """With a lower GQ at both sites, the genotype as read is no more probable than before.

    (One site alone may rise: where the other site contradicts it, doubt in the other helps it.)
    """

    def read(value):
        pair = [
            GenotypeEvidence(kind=EvidenceKind.GQ, values=(float(value),), copies=c) for c in (first, second)
        ]
        result = called(*pair, population)
        return sum(
            probability
            for name, probability in result.diplotype_posterior.items()
            if tuple(map(sum, zip(*(COPIES[h] for h in name.split("/")), strict=True))) == (first, second)
        )

    assert read(min(less, quality)) <= read(quality) + 1e-9


COPIES = {"e1": (1, 0), "e2": (0, 0), "e3": (0, 1), "e4": (1, 1)}


@given(st.integers(0, 2), st.integers(0, 2), st.integers(10, 400), st.sampled_from(POPULATIONS))
@settings(max_examples=200)
def test_dropping_a_site_never_determines_what_both_left_open(first, second, quality, population):
    pair = [
        GenotypeEvidence(kind=EvidenceKind.GQ, values=(float(quality),), copies=c) for c in (first, second)
    ]
    whole = called(*pair, population)
    for partial in (called(pair[0], None, population), called(None, pair[1], population)):
        if partial.e4_copies is not None and "rare-haplotype" not in {f.code for f in whole.findings}:
            assert whole.e4_copies in {partial.e4_copies, None} or whole.e4_status.value == "indeterminate"
        if whole.diplotype is not None and partial.diplotype is not None:
            rare = any("e1" in name for name in (whole.diplotype, partial.diplotype))
            assert rare or partial.diplotype == whole.diplotype


@given(
    st.sampled_from(["TC", "CT"]),
    st.sampled_from(["TC", "CT"]),
    st.one_of(st.none(), st.floats(0, 80)),
    st.sampled_from(list(PhaseSource)),
    st.sampled_from(POPULATIONS),
)
@settings(max_examples=200)
def test_phase_never_hides_what_is_possible(first, second, quality, source, population):
    """Without phase the double heterozygote keeps both readings; phase moves weight by its error only."""
    strong = GenotypeEvidence(kind=EvidenceKind.PL, values=(900.0, 0.0, 900.0))
    phase = Phase(phase_set="PS 1", source=source, quality=quality)
    options = CallOptions(population=population, min_probability=0.99, allele_error_rate=5e-5)
    phased = call(
        tuple(observation(i, strong, alleles=tuple(o), phase=phase) for i, o in enumerate((first, second))),
        options,
    )
    bare = called(strong, strong, population)
    said, other = ("e1/e3", "e2/e4") if first != second else ("e2/e4", "e1/e3")
    assert phased.diplotype_posterior[said] >= bare.diplotype_posterior[said] - 1e-9
    assert phased.diplotype_posterior[other] > 0
    if quality is not None and quality < 3:
        assert phased.diplotype_posterior[said] <= bare.diplotype_posterior[said] * 2


@given(people(most=2), st.sampled_from(RSIDS))
def test_missing_never_raises_a_status(samples, rsid):
    """A site that is dropped, or written as ./., says no more than one that is there."""
    index = RSIDS.index(rsid)
    full = answers(records=rows(samples), samples=list(samples))
    kept = [row for row in rows(samples) if row.rsid != rsid]
    hidden = {
        name: tuple("./." if i == index else column for i, column in enumerate(columns))
        for name, columns in samples.items()
    }
    for less in (
        answers(records=kept, samples=list(samples)),
        answers(records=rows(hidden), samples=list(samples)),
    ):
        for name, seen in less.items():
            other = RSIDS[1 - index]
            if full[name][0][1 - index][0] not in {"called", "partial-call"}:
                assert seen[2] == "indeterminate", f"{other} says nothing, {rsid} is missing"
                assert seen[1] is None


def test_no_record_and_no_call_say_the_same():
    empty = answers(records=[])
    hidden = answers(records=[site(rsid, gt="./.") for rsid in RSIDS])
    assert empty["S1"][1:5] == hidden["S1"][1:5]
    assert empty["S1"][2] == "indeterminate"


def test_the_builder_makes_what_the_properties_need():
    assert "rs429358" in vcf_text(records=[site("rs429358")])
