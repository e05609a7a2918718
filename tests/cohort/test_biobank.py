"""The road of arrays gives what the scalar road gives, sample by sample."""

from __future__ import annotations

import random
from itertools import product

import pytest
import truth_tables
from vcf_builder import block, site, write_vcf

from pgx.cohort.biobank import StoredInput, report_of, sample_classes, unpack_texts
from pgx.cohort.jobs import Job
from pgx.cohort.tables import table
from pgx.cohort.worker import result_of_content
from pgx.errors import PgxError
from pgx.options import Options
from pgx.single import prepare
from pgx.vcf import read_sites

NEVER = 10**9
CASES = list(truth_tables.all_cases())


def rounded(value):
    return float(f"{value:.10g}") if isinstance(value, float) else value


def facts(path, options, arrays_from):
    """Return all fact rows of an input."""
    import msgspec

    found = result_of_content(
        Job(path=str(path), options=options), read_sites(str(path)), arrays_from=arrays_from
    )
    if arrays_from == NEVER:
        return [msgspec.json.decode(row.facts) for row in found.rows]
    tables = [table.from_bytes(item.facts) for item in found.blocks]
    return [list(row) for one in tables for row in zip(*(c.to_pylist() for c in one.columns), strict=True)]


def assert_same(path, options):
    one = [[rounded(cell) for cell in row] for row in facts(path, options, NEVER)]
    other = [[rounded(cell) for cell in row] for row in facts(path, options, 1)]
    for left, right in zip(one, other, strict=True):
        assert dict(zip(table.FACTS, right, strict=True)) == dict(zip(table.FACTS, left, strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.table.removesuffix('.tsv')}:{case.case}")
def test_every_row_of_the_truth_tables(case, tmp_path):
    assembly = case.assemblies[-1]
    path = write_vcf(tmp_path / "a.vcf", text=case.content(assembly))
    options = truth_tables._options(case, tmp_path, assembly)
    try:
        prepare(read_sites(str(path)), options)
    except PgxError:
        for least in (NEVER, 1):  # both roads refuse what the table says is an error
            with pytest.raises(PgxError):
                facts(path, options, least)
        return
    assert_same(path, options)


_RARE_FIELDS = {
    "RO": ["0", "12", "30", "."],
    "AO": ["0", "3", "14", "."],
    "RD": ["0", "12", "30", "."],
    "VAF": ["0", "0.05", "0.5", "1", "."],
    "HDS": ["0,0", "0,1", "1,1", "0.5,0.5", "."],
    "LA": ["0,1", "0", "1", "."],
    "GQX": ["3", "18", "35", "99", "."],
    "RGQ": ["0", "12", "60", "."],
    "LEN": ["1", "500", "."],
    "PGT": ["0|1", "1|0", "."],
    "PID": ["44908684_T_C", "44908684_T_C", "44908822_C_T", "."],
    "HP": ["44908684-1,44908684-2", "44908684-2,44908684-1", "."],
    "LAA": ["1", "1", "1", ".", ""],
    "LPL": ["0,30,300", "60,0,70", "200,40,0", "0", "."],
}


def random_column(rng, keys):
    depth = rng.choice([0, 1, 4, 12, 30, 45])
    gt = rng.choice(["0/0", "0/0", "0/1", "1/1", "0|1", "1|0", "./.", "./1", "0", ".", "1/0"])
    likelihoods = [0, rng.choice([0, 3, 20, 25, 40, 99, 900]), rng.choice([0, 30, 200, 5000])]
    if gt not in {"0/0", "./."} or rng.random() < 0.1:
        rng.shuffle(likelihoods)
    values = {
        "GT": gt,
        "AD": f"{depth},{rng.choice([0, 2, 9])}",
        "DP": rng.choice([str(depth)] * 9 + ["."]),
        "GQ": rng.choice([str(rng.choice([0, 5, 20, 40, 99]))] * 9 + ["."]),
        "PL": rng.choice([",".join(map(str, likelihoods))] * 12 + [".", "0,.,9", "1,2"]),
        "PS": rng.choice(["7", "8", "."]),
        "PQ": rng.choice(["40", "3", "."]),
        "FT": rng.choice(["PASS", "PASS", "PASS", "LowGQ", "."]),
        "GP": rng.choice(["0.9,0.1,0", "0,0.999,0.001", "0,0,1", "."]),
        "DS": rng.choice(["0", "0.98", "2", "."]),
    }
    values |= {  # drawn only where they are asked for, and after the others
        key: rng.choice(choices) for key, choices in _RARE_FIELDS.items() if key in keys
    }
    fields = [values[key] for key in keys]
    if rng.random() < 0.03:
        fields = fields[: rng.randrange(1, len(fields))] if len(fields) > 1 else fields
    return ":".join(fields)


FORMATS = [
    "GT",
    "GT:GQ",
    "GT:AD:DP:GQ:PL",
    "GT:PL",
    "GT:DP:PL:PS",
    "GT:AD:DP:GQ:PL:FT",
    "GT:PL:PS:PQ",
    "GT:AD:PL",
    "GT:DS:GP",
    "GT:PL:GP",
    "GT:AD:DP:GQ",
]
RARE_FORMATS = [
    "GT:GQ:GQX:DP:PL",
    "GT:GQX:PL",
    "GT:DP:RGQ",
    "GT:DP:RGQ:PL",
    "GT:LAA:LPL",
    "GT:LAA:LPL:PL",
    "GT:DP:GQ:PL:LEN",
    "GT:DP:PL:PGT:PID",
    "GT:GQ:PL:HP",
    "GT:DP:RO:AO",
    "GT:DP:RO:AO:PL",
    "GT:DP:RD:AD:GQ",
    "GT:AD:DP:PL:DS",
    "GT:DP:VAF:PL",
    "GT:HDS:DS",
    "GT:LA:DP:PL",
]
OPTIONS = [
    Options(),
    Options(min_gq=20, min_dp=5),
    Options(population="AFR", keep_filtered=True),
    Options(population="flat", min_probability=0.9),
    Options(population="YRI", min_probability=0.999, absent_sites="reference"),
    Options(population="memory-clinic", genotype_error_rate=0.01, min_gq=1),
]


@pytest.mark.parametrize(
    ("form", "options"),
    [*product(FORMATS, OPTIONS), *product(RARE_FORMATS, OPTIONS[:2])],
    ids=lambda value: value if isinstance(value, str) else str(OPTIONS.index(value)),
)
def test_columns_of_every_kind(form, options, tmp_path):
    rng = random.Random(f"{form} {OPTIONS.index(options)}")  # noqa: S311 - no secret
    names = [f"S{number}" for number in range(150)]
    other = rng.choice(FORMATS)
    records = [
        site("rs429358", gt=[random_column(rng, form.split(":")) for _ in names], format=form, alt="C"),
        site("rs7412", gt=[random_column(rng, other.split(":")) for _ in names], format=other),
    ]
    path = write_vcf(tmp_path / "a.vcf", records=records, samples=names)
    assert_same(path, options)


@pytest.mark.parametrize(
    "form", ["LGT:LAA:LPL", "GT:LAA:LPL", "GT:LAA:LPL:PL", "LGT:LAA:PL", "LGT:LAA:DP:GQ"]
)
def test_local_alleles(form, tmp_path):
    """The counted letter is the second ALT: what is local to a sample decides what its numbers mean."""
    rng = random.Random(form)  # noqa: S311 - no secret
    columns = []
    for _ in range(120):
        local = rng.choice(["1", "2", "1,2", "."])
        size = {"1,2": 6, ".": 1}.get(local, 3)
        numbers = [0, *(rng.choice([3, 20, 60, 300]) for _ in range(5))]
        values = {
            "GT": rng.choice(["0/0", "0/2", "2/2", "0/1"]),
            "LGT": rng.choice(["0/0", "0/1", "1/1"]) if local != "." else "0/0",
            "LAA": local,
            "LPL": ",".join(map(str, rng.sample(numbers, size))),
            "PL": ",".join(map(str, rng.sample(numbers, 6))),
            "DP": str(rng.choice([3, 30])),
            "GQ": str(rng.choice([10, 99])),
        }
        columns.append(":".join(values[key] for key in form.split(":")))
    path = write_vcf(
        tmp_path / "a.vcf",
        records=[
            site("rs429358", alt="G,C", gt=columns, format=form),
            site("rs7412", gt="0/1:200,0,200", format="GT:PL"),
        ],
        samples=[f"S{number}" for number in range(120)],
    )
    for options in (Options(), Options(min_gq=25)):
        assert_same(path, options)


@pytest.mark.parametrize(
    "records",
    [
        [],
        [site("rs429358", gt="0/1:30:99:200,0,200", format="GT:DP:GQ:PL")],
        [site("rs7412", gt="0/1:200,0,200", format="GT:PL", id="rs429358")],
        [site("rs429358", ref="C", alt="T", gt="0/1:200,0,200", format="GT:PL"), site("rs7412")],
        [site("rs429358", ref="A", alt="G", gt="0/1:200,0,200", format="GT:PL"), site("rs7412")],
        [
            site("rs429358", alt="C,<NON_REF>", gt="0/1:200,0,200,210,220,400", format="GT:PL"),
            block(over=["rs7412"]),
        ],
        [site("rs429358", alt="G,C", gt="0/2:200,210,400,0,190,200", format="GT:PL"), site("rs7412")],
        [site("rs429358", alt="G", gt="0/0:0,90,900", format="GT:PL"), site("rs7412")],
        [site("rs429358", gt="0/1:200,0,200", format="GT:PL"), site("rs429358", gt="0/1"), site("rs7412")],
        [site("rs429358", gt="0/1:200,0,200", format="GT:PL", filter="q10"), site("rs7412")],
        [site("rs429358", gt="0/1:99:200,0,200", format="GT:GQX:PL"), site("rs7412")],
        [
            site("rs429358", gt="0|1:0.1,0.9,0:200,0,200", format="GT:GP:PL", info="DR2=0.7;IMP"),
            site("rs7412", gt="0|0:0.99,0.01,0", format="GT:GP", info="DR2=0.9;IMP"),
        ],
    ],
)  # fmt: skip
def test_records_of_every_kind(records, tmp_path):
    path = write_vcf(tmp_path / "a.vcf", records=records, samples=["A", "B", "C"], neighbours=False)
    assert_same(path, Options())


@pytest.mark.parametrize(
    "name", ["1000genomes/apoe.vcf.gz", "1000genomes_unphased/derived.1kgp3_peddy.GRCh38.vcf.gz"]
)
@pytest.mark.parametrize("options", OPTIONS[:3], ids=range(3))
def test_1000_genomes(name, options, shared_data):
    assert_same(shared_data / name, options)


def test_a_report_on_demand_is_the_report_of_the_scalar_road(tmp_path):
    import msgspec

    rng = random.Random(5)  # noqa: S311 - no secret
    names = [f"S {number}" for number in range(300)]
    form = "GT:AD:DP:GQ:PL"
    path = write_vcf(
        tmp_path / "a.vcf.gz",
        records=[
            site(rsid, gt=[random_column(rng, form.split(":")) for _ in names], format=form)
            for rsid in ("rs429358", "rs7412")
        ],
        samples=names,
    )
    content = read_sites(str(path))
    options = Options(population="EUR")
    found = result_of_content(Job(path=str(path), options=options), content, arrays_from=1)
    stored = msgspec.json.decode(found.run, type=StoredInput)
    stored_names, *columns = unpack_texts(found.blocks[0].texts)
    ready = prepare(content, options)
    assert stored_names == names
    for place in range(0, 300, 7):
        _, report = report_of(stored, options, names[place], [texts[place] for texts in columns])
        assert report == ready.report(place, names[place])


def test_the_samples_that_are_asked_for(tmp_path):
    names = [f"S{number}" for number in range(50)]
    gts = ["0/1:200,0,200" if number % 3 else "0/0:0,99,900" for number in range(50)]
    path = write_vcf(
        tmp_path / "a.vcf",
        records=[site("rs429358", gt=gts, format="GT:PL"), site("rs7412", gt=gts, format="GT:PL")],
        samples=names,
    )
    options = Options(samples=("S40", "S3", "S1"))
    assert_same(path, options)
    assert [row[0] for row in facts(path, options, 1)] == ["S40", "S3", "S1"]


@pytest.mark.parametrize("info", [".", "DR2=0.9;IMP", "R2=0.9;TYPED"])
@pytest.mark.parametrize("options", OPTIONS, ids=range(len(OPTIONS)))
def test_probabilities_beside_likelihoods(options, info, tmp_path):
    rng = random.Random(f"{info} {OPTIONS.index(options)}")  # noqa: S311 - no secret
    names = [f"S{number}" for number in range(300)]
    chances = ["0.9,0.1,0", "0.5,0.5,0", "0.02,0.9,0.08", "0,0.06,0.94", "0.55,0.4,0.05", "."]
    one = [f"{rng.choice(['0/0', '0/1', '1/1'])}:{rng.choice(chances)}" for _ in names]
    other = [f"0/1:{rng.choice([3, 20, 60])},0,{rng.choice([5, 25, 90])}" for _ in names]
    records = [
        site("rs429358", gt=one, format="GT:GP", info=info),
        site("rs7412", gt=other, format="GT:PL"),
    ]
    path = write_vcf(tmp_path / "a.vcf", records=records, samples=names)
    assert_same(path, options)


@pytest.mark.parametrize("form", FORMATS)
def test_the_size_of_a_piece_does_not_show(form, monkeypatch, tmp_path):
    rng = random.Random(form)  # noqa: S311 - no secret
    records = [
        site(rsid, gt=[random_column(rng, form.split(":")) for _ in range(100)], format=form)
        for rsid in ("rs429358", "rs7412")
    ]
    path = write_vcf(tmp_path / "a.vcf", records=records, samples=[f"S{number}" for number in range(100)])
    monkeypatch.setattr(sample_classes, "_PIECE", 7)
    assert_same(path, Options(min_gq=3))


@pytest.mark.parametrize("name", ["=1+1", "-", "@", "x" * 1200, "é", "a b", "\x7f"])
def test_names_are_safe_cells_on_both_roads(name, tmp_path):
    path = write_vcf(tmp_path / "a.vcf", records=[site("rs429358", gt=["0/1", "0/0"])], samples=["A", name])
    assert_same(path, Options())
