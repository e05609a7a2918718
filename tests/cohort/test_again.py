"""Facts made again from what is kept, the short way, are those of the whole reports."""

from __future__ import annotations

import random
import re

import msgspec
import pytest
import truth_tables
from msgspec.structs import replace
from vcf_builder import site, write_vcf

from cohort.test_biobank import FORMATS, NEVER, RARE_FORMATS, random_column
from pgx.cohort import again
from pgx.cohort.jobs import Job, Known, Result
from pgx.cohort.tables.table import FACTS
from pgx.cohort.worker import decode_input, recipe, result_of_content
from pgx.errors import PgxError
from pgx.observe import SiteState
from pgx.observe.site import observe
from pgx.options import Options
from pgx.vcf import read_sites

CASES = list(truth_tables.all_cases())


@pytest.fixture(autouse=True)
def nothing_kept():
    again._by_class.clear()
    again._by_records.clear()
    again._by_sites.clear()
    again._shapes.clear()


def kept_of(path, options, under=None):
    """Return what is kept of an input that was run with `options`, to be annotated under others."""
    job = Job(path=str(path), options=options)
    result = result_of_content(job, read_sites(str(path)), arrays_from=NEVER)
    known = Known(**{name: getattr(result, name) for name in Known.__struct_fields__})
    return again.Kept(
        job=replace(job, options=under or options),
        key="",
        known=known,
        recipe=recipe(under or options),
        run=result.run,
        facts=tuple(row.facts for row in result.rows),
    )


def assert_as_by_reports(kept):
    """Compare both ways; return how many samples went the short one."""
    short, whole = again.facts_again(kept), again.remade(kept)
    if not isinstance(whole, Result) or not kept.known.samples:
        assert not short
        return 0
    for one, other in zip(short or (), whole.rows, strict=bool(short)):
        left, right = (dict(zip(FACTS, msgspec.json.decode(row), strict=True)) for row in (one, other.facts))
        assert left == right
    return len(short or ())


@pytest.mark.slow
def test_every_row_of_the_truth_tables(tmp_path):
    """All in one process, so that what was kept of one is there for the next."""
    compared = 0
    for number, case in enumerate(CASES):
        for assembly in case.assemblies:
            path = write_vcf(tmp_path / f"{number}.{assembly}.vcf", text=case.content(assembly))
            options = replace(truth_tables._options(case, tmp_path, assembly), neighbours="off")
            try:
                kept = kept_of(path, options)
            except PgxError:
                continue
            for under in (options, replace(options, population="AFR"), replace(options, min_gq=30.0)):
                own = replace(kept, job=replace(kept.job, options=under), recipe=recipe(under))
                compared += assert_as_by_reports(own)
                compared += assert_as_by_reports(own)  # now from what was kept
    assert compared > 4 * len(CASES)


def of_one(path, rng, number, qualities):
    form = rng.choice([*FORMATS, "GT:AD:DP:GQ:PL", *RARE_FORMATS])
    rows = [
        site(rsid, gt=random_column(rng, form.split(":")), format=form, qual=rng.choice(qualities))
        for rsid in ("rs429358", "rs7412")
    ]
    return write_vcf(path, records=rows, samples=[f"S{number}"])


@pytest.mark.parametrize(
    "under", [{"population": "EUR"}, {"min_gq": 20.0, "min_dp": 5}, {"population": "flat"}]
)
def test_random_people(tmp_path, under):
    rng = random.Random(str(under))  # noqa: S311 - test data
    compared = 0
    for number in range(300):
        path = of_one(tmp_path / "a.vcf", rng, number, ("3", "50", "900", "."))
        options = Options(neighbours="off", min_probability=rng.choice((0.9, 0.99)))
        kept = kept_of(path, options, replace(options, **under))
        compared += assert_as_by_reports(kept)
    assert compared == 300
    assert len(again._by_class) < 200, "people share classes"


@pytest.mark.parametrize(
    ("form", "column", "shared", "remembered"),
    [("GT:PL", "0/1:30,0,40", True, 1), ("GT", "0/1", False, 2), ("GT:PL", "0/1:.", False, 0)],
)
def test_a_quality_counts_where_nothing_says_more(tmp_path, form, column, shared, remembered):
    """The same letters with another QUAL are the same facts only where QUAL has no say."""
    found = []
    for number, quality in enumerate(("900", "12")):
        rows = [site(rsid, gt=column, format=form, qual=quality) for rsid in ("rs429358", "rs7412")]
        path = write_vcf(tmp_path / f"{number}.vcf", records=rows, samples=[f"S{number}"])
        kept = kept_of(path, Options(neighbours="off"))
        assert_as_by_reports(kept)
        (facts,) = again.facts_again(kept)
        found.append(dict(zip(FACTS, msgspec.json.decode(facts), strict=True)))
    one, other = ({**row, "sample": "", "input": ""} for row in found)
    assert (one == other) == shared
    assert [row["sample"] for row in found] == ["S0", "S1"]
    assert len(again._by_records) == 2 * remembered, "each site by itself"


def facts_under(path, info):
    """Return the facts of a person whose records have this INFO, made the short way."""
    rows = [
        site(rsid, gt="0/1:12,14:26:99:300,0,300", format="GT:AD:DP:GQ:PL", info=info)
        for rsid in ("rs429358", "rs7412")
    ]
    kept = kept_of(write_vcf(path, records=rows, samples=["A"]), Options(neighbours="off"))
    assert assert_as_by_reports(kept) == 1
    (facts,) = again.facts_again(kept)
    return facts


@pytest.mark.parametrize(
    "infos",
    [("DB", "IMP"), ("DP=26", "DP=8"), ("FOO=8", "DP=8"), ("MQ=60", "MQ=0"), ("DP4=6,6,7,7", "DP4=9,9,0,0")],
)
def test_info_that_counts_tells_people_apart(tmp_path, infos):
    one, other = (facts_under(tmp_path / "a.vcf", text) for text in infos)
    assert one != other


def test_info_that_nothing_asks_for_does_not(tmp_path, repository):
    told = {facts_under(tmp_path / "a.vcf", f"DP=26;{name}=7") for name in sorted(again.UNREAD_INFO)}
    assert len(told) == 1
    assert len(again._by_records) == 2
    for path in (repository / "pgx" / "observe").glob("*.py"):
        named = {*re.findall(r"""["'](\w+)["']""", path.read_text(encoding="utf-8"))}
        asked = named & again.UNREAD_INFO
        assert asked <= {"AF"}, f"{path} asks for {asked}"


def test_a_share_in_info_is_that_of_a_population(tmp_path):
    """The AF of INFO is no share of reads, so that it may be left out."""
    told = {facts_under(tmp_path / "a.vcf", f"DP=26;AF={share}") for share in ("0.01", "0.5", "0.99")}
    again._by_records.clear()
    again._by_sites.clear()
    told.add(facts_under(tmp_path / "a.vcf", "DP=26"))
    assert len(told) == 1


def test_what_other_populations_would_change_is_no_matter_of_class(tmp_path):
    """From sure to less sure, one class: somewhere the answer begins to depend on the population."""
    flags = []
    for phred in range(60, 12, -1):
        column = f"0/0:0,{phred},600"
        rows = [site(rsid, gt=column, format="GT:PL") for rsid in ("rs429358", "rs7412")]
        kept = kept_of(write_vcf(tmp_path / "a.vcf", records=rows), Options(neighbours="off"))
        assert assert_as_by_reports(kept) == 1
        (facts,) = again.facts_again(kept)
        flags.append(dict(zip(FACTS, msgspec.json.decode(facts), strict=True))["flags"])
    assert "prior-dependent" not in flags[0]
    assert any("prior-dependent" in item for item in flags)


def test_what_is_kept_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(again, "_MOST", 3)
    for number in range(20):
        column = f"0/0:{number + 20},0:{number + 20}:60:0,60,{600 + number}"
        rows = [site(rsid, gt=column, format="GT:AD:DP:GQ:PL") for rsid in ("rs429358", "rs7412")]
        path = write_vcf(tmp_path / "a.vcf", records=rows, samples=["A"])
        assert assert_as_by_reports(kept_of(path, Options(neighbours="off"))) == 1
        assert len(again._by_records) <= 3


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_same_letters_with_another_answer_are_another_class(tmp_path, order):
    """PL may lean to another genotype than GT, so little that they do not contradict each other."""
    columns = ("1/1:3000,300,0", "1/1:300,0,19")
    options = Options(neighbours="off", min_probability=0.6)
    answers = []
    for number in order:
        rows = [
            site("rs429358", gt=columns[number], format="GT:PL"),
            site("rs7412", gt="0/0:0,300,3000", format="GT:PL"),
        ]
        kept = kept_of(write_vcf(tmp_path / "a.vcf", records=rows, samples=["A"]), options)
        assert assert_as_by_reports(kept) == 1
        (facts,) = again.facts_again(kept)
        answers.append(dict(zip(FACTS, msgspec.json.decode(facts), strict=True))["diplotype"])
    assert sorted(answers) == ["e3/e4", "e4/e4"]
    assert len(again._by_class) == 2, "both answers are sure, so it is the class that parts them"


@pytest.mark.parametrize("rsid", ["rs429358", "rs7412"])
def test_an_rsid_in_the_wrong_place_is_a_matter_of_both_sites(tmp_path, rsid):
    """So neither site may be looked at by itself."""
    rows = [site(name, gt="1/1:3000,300,0", format="GT:PL") for name in ("rs429358", "rs7412")]
    place = 1 if rsid == "rs429358" else 2  # in order of position
    rows.insert(place, site(rsid, gt="1/1:3000,300,0", format="GT:PL", offset=40))
    kept = kept_of(write_vcf(tmp_path / "a.vcf", records=rows, samples=["A"]), Options(neighbours="off"))
    assert assert_as_by_reports(kept) == 1
    stored = decode_input(kept.run)
    person = again._Again(kept, stored, stored.content)
    seen = [person._seen(number, 0).observation for number in range(2)]
    together = observe(person._shape.ready.records, 0, person._shape.ready.context)
    assert seen == [replace(one, record=None) for one in together]
    assert {one.state for one in seen} == {SiteState.UNSUPPORTED}
