"""The benchmarks run, in small, and what they claim holds on the small scale; no test here measures time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pysam
import pytest

np = pytest.importorskip("numpy")
FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _on_the_path():
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def quick():
    import calibration

    return calibration.run(calibration.QUICK)


def test_the_requirements_hold_on_a_small_scale(quick):
    from calibration_report import checks

    outcome = checks(quick)
    assert len(outcome) == 5
    assert [check.name for check in outcome if not check.holds] == []


def test_an_estimate_is_nearly_as_good_as_the_own_population():
    """At 1000 Genomes thinned to 4x, nobody scored under frequencies in which their own reads count."""
    import population_estimate as study

    if not study.TRUTH.exists():
        pytest.skip("needs ../shared/data/truth")
    everybody = study.people()
    measured = study.by_prior(everybody, 4)
    found = {group: {name: loss.mean() for name, loss in own.items()} for group, own in measured.items()}
    assert list(found) == list(study.GROUPS)
    for group, loss in found.items():
        assert loss["estimate"] < loss[group] + 0.01
        assert loss["estimate"] < loss["flat"] - 0.1
    for group, other in (("AFR", "EUR"), ("EUR", "AFR"), ("EAS", "AFR"), ("SAS", "EUR"), ("AMR", "AFR")):
        assert found[group]["estimate"] < found[group][other]
    shares = study.covered(60, 100)
    assert all(shares[name] > 0.85 for name in ("e2", "e3", "e4"))


def test_few_reads_leave_an_estimate_of_a_population_unbiased():
    """Half a million people in one group: what a call discounts for its own sake would show here."""
    import population_estimate as study

    truth = np.array(study.haplotype_frequencies("EUR"))
    shares = study.shares_of(truth)
    dice = np.random.default_rng(1)
    true = dice.choice(len(shares), 200_000, p=shares / shares.sum())
    reads = study.drawn(true, 0.01, dice)
    found = np.array(study.estimated(reads).frequencies)
    assert found[1:] == pytest.approx(truth[1:], rel=0.01)
    discounted = np.array(study.estimated(reads._replace(plain=reads.call)).frequencies)
    assert discounted[1] < 0.97 * truth[1], "or this test shows nothing"


def test_determined_answers_were_scored_at_all(quick):
    deep = quick.matched[0.01, 15, "global"]
    assert deep.diplotype > 0.9 * deep.people
    assert sum(group.status_wrong for group in quick.crossed.values()) > 0, "a wrong prior must show"


def test_stated_and_observed_errors_agree(quick):
    """The observed errors of each class lie within an exact interval around the stated ones, or little below.

    What is stated reckons with a few reads of another person (`stray_read_share`), and in this simulation
    there is nobody else: it may be too cautious by a tenth, and never too sure.
    """
    from tables import lower_bound, upper_bound

    found = quick.reliability
    for people, wrong, stated in zip(found.people, found.wrong, found.stated, strict=True):
        if people:
            low, high = lower_bound(wrong, people, 0.9999), upper_bound(wrong, people, 0.9999)
            assert low <= stated / people <= 1.1 * high


def test_the_same_seed_gives_the_same_people():
    import calibration
    from simulate import Conditions

    one, two = (calibration._cell("AFR", 50, Conditions(depth=5, error=0.01)) for _ in range(2))
    other = calibration._cell("AFR", 50, Conditions(depth=6, error=0.01))
    assert (one[0] == two[0]).all()
    assert (one[1] == two[1]).all()
    assert (one[1] != other[1]).any()


def test_the_picture_is_one_file_without_a_script(quick):
    from calibration_report import picture

    tree = ET.fromstring(picture(quick.reliability))  # noqa: S314 - our own
    names = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert {"title", "desc", "circle"} <= names
    assert not names & {"script", "image"}


@pytest.mark.parametrize(
    ("reads", "with_c", "expected"),
    [
        (1, 0, (0, 3, 20)),  # log10 of 0.5 / 0.99 and of 0.01 / 0.99
        (10, 0, (0, 30, 200)),
        (4, 2, (28, 0, 28)),  # (0.99 * 0.01) ** 2 over 0.5 ** 4
        (10, 10, (200, 30, 0)),
        (200, 0, (0, 255, 255)),
    ],
)
def test_phred_likelihoods_of_reads(reads, with_c, expected):
    from simulate import phred

    assert phred(reads, with_c, 0.01) == expected


def test_no_reads_are_no_call():
    from asked import phred_pair

    assert phred_pair([0, 0, 3, 3], 0.01)[0] is None


def test_reads_follow_the_people():
    from simulate import NAMES_OF_READS, Conditions, draw_reads, people_of

    assert NAMES_OF_READS == ("reads 1", "C 1", "reads 2", "C 2")
    dice = np.random.default_rng(1)
    e4 = people_of(3, 3, 4000)
    reads = draw_reads(dice, e4, e4, Conditions(depth=20, error=0.01))
    assert reads[:, 0].mean() == pytest.approx(20, rel=0.02)
    assert reads[:, 1].sum() / reads[:, 0].sum() == pytest.approx(0.99, abs=0.002)
    mixed = draw_reads(dice, people_of(1, 3, 4000), e4, Conditions(depth=20, error=0.01))
    assert mixed[:, 1].sum() / mixed[:, 0].sum() == pytest.approx(0.5, abs=0.01)


def test_dropout_and_contamination_do_what_they_say():
    from simulate import Conditions, draw_reads, people_of

    dice = np.random.default_rng(2)
    e2, e24, e4 = people_of(1, 1, 4000), people_of(1, 3, 4000), people_of(3, 3, 4000)
    lost = draw_reads(dice, e24, e4, Conditions(depth=50, error=0.001, dropout=0.3))
    alone = ((lost[:, 1] < 3) | (lost[:, 1] > lost[:, 0] - 3)).mean()
    assert alone == pytest.approx(0.3, abs=0.03)
    foreign = draw_reads(dice, e2, e4, Conditions(depth=50, error=0.001, contamination=0.1))
    assert foreign[:, 1].sum() / foreign[:, 0].sum() == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 30, 200), (200, 30, 0), ("e3/e3", "non-carrier")),
        ((30, 0, 30), (200, 30, 0), ("e3/e4", "heterozygous")),
        ((30, 0, 30), (30, 0, 30), ("e2/e4", "heterozygous")),
        ((200, 30, 0), (200, 30, 0), ("e4/e4", "homozygous")),
        ((0, 30, 200), (19, 0, 30), (None, "non-carrier")),
        ((0, 19, 200), (200, 30, 0), (None, None)),
        (None, (200, 30, 0), (None, None)),
    ],
)
def test_hard_genotypes(first, second, expected):
    from asked import hard_call

    assert hard_call(first, second, 20) == expected


@pytest.mark.parametrize(
    ("wrong", "total", "expected"),
    [(0, 10, 0.2589), (1, 10, 0.3942), (5, 10, 0.7776), (0, 299, 0.00997), (10, 10, 1.0), (0, 0, 1.0)],
)
def test_exact_upper_bounds(wrong, total, expected):
    """Values of Clopper and Pearson, one-sided 95 %; 0 of n is 1 - 0.05 ** (1 / n)."""
    from tables import upper_bound

    assert upper_bound(wrong, total) == pytest.approx(expected, abs=5e-5)


def test_bounds_of_large_counts_stay_finite():
    from tables import lower_bound, upper_bound

    assert 0.5 < upper_bound(500_000, 1_000_000) < 0.501
    assert 0.499 < lower_bound(500_000, 1_000_000) < 0.5
    assert 1 - 1e-4 < lower_bound(999_999, 1_000_000) < 1


def test_made_files_are_the_same_every_time(tmp_path):
    import made

    one, two = (made.variants(tmp_path / name, 300) for name in ("a.vcf", "b.vcf"))
    assert one.read_bytes() == two.read_bytes()
    packed = made.packed(one)
    with pysam.VariantFile(str(packed)) as file:
        found = [record.pos for record in file.fetch("chr19", made.POSITIONS[0] - 1, made.POSITIONS[1])]
    assert set(made.POSITIONS) <= set(found)
    assert two.read_text().count("\n") > 300


def test_made_blocks_cover_both_sites(tmp_path, run_pgx):
    import json

    import made

    path = made.packed(made.blocks(tmp_path / "a.g.vcf", 5000))
    report = json.loads(run_pgx("annotate", path, "-f", "json").stdout)
    assert [site["state"] for site in report["samples"][0]["sites"]] == ["reference-block"] * 2


def test_the_calibration_can_be_called_from_the_command_line():
    done = subprocess.run(
        [sys.executable, str(FOLDER / "calibration.py"), "--help"], capture_output=True, text=True, check=True
    )
    assert "--quick" in done.stdout


def test_no_answer_of_the_comparison_is_wrong_and_the_document_is_current(run_pgx):
    from compare import table

    def run(arguments):
        outcome = run_pgx(*arguments)
        return outcome.exit_code, outcome.stdout

    text, wrong = table(run)
    assert wrong == []
    assert text in (FOLDER.parent / "docs" / "comparison.md").read_text("utf-8")


def test_calls_are_counted_by_file_also_where_a_thread_interrupts():
    from bench_bytes import counted

    log = """\
7 read(3</data/a.vcf.gz>, ""..., 65536) = 65536
7 pread64(3</data/a.vcf.gz>, ""..., 18, 0 <unfinished ...>
8 read(4</data/a.vcf.gz.tbi>, ""..., 4096) = 100
7 <... pread64 resumed>) = 18
8 read(5</usr/lib/other>, ""..., 4096) = 4096
8 read(4</data/a.vcf.gz.tbi>, "", 4096) = 0
8 read(9</data/gone>, 0x7f, 4096) = -1 EAGAIN (Resource temporarily unavailable)
"""
    found = counted(log.splitlines(), Path("/data"))
    assert found.asked == {"a.vcf.gz": 2, "a.vcf.gz.tbi": 2}
    assert found.came == {"a.vcf.gz": 65554, "a.vcf.gz.tbi": 100}


def test_a_server_counts_what_it_is_asked_for(tmp_path):
    from urllib.request import Request, urlopen

    from bench_bytes import served

    (tmp_path / "a.bin").write_bytes(bytes(range(100)))
    with served(tmp_path) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/any/where/a.bin"
        with urlopen(Request(url, headers={"Range": "bytes=10-19"})) as answer:
            assert (answer.status, answer.read()) == (206, bytes(range(10, 20)))
        with urlopen(url) as answer:
            assert (answer.status, len(answer.read())) == (200, 100)
    assert (server.count.asked["a.bin"], server.count.came["a.bin"]) == (2, 110)


def runs(*seconds):
    from bench_single import Run

    return [Run(seconds=value, work=value, memory=1.0) for value in seconds]


def test_a_ratio_is_that_of_a_turn():
    from bench_curve import ratio

    found = {"a": runs(1, 30, 3), "b": runs(2, 10, 1)}
    assert ratio(found, "a", "b") == "3", "the median of 0.5, 3, 3; of medians it would be 1.5"
    assert ratio(found, "a", "PyPGx") == ""


def test_the_curves_are_one_picture_without_a_script_that_colour_alone_does_not_explain():
    from bench_curve import AXES, picture

    curves = {
        axis.name: {
            size: {one.label: runs(0.01 * size**0.5 + number / 1000) for number, one in enumerate(axis.series)
                   if size <= one.most}
            for size in axis.sizes
        }
        for axis in AXES
    }  # fmt: skip
    tree = ET.fromstring(picture(curves))  # noqa: S314 - our own
    tags = [element.tag.rpartition("}")[2] for element in tree.iter()]
    assert tags[1:3] == ["title", "desc"]
    assert not {"script", "image", "style"} & set(tags)
    lines = sum(len(axis.series) for axis in AXES)
    assert tags.count("polyline") == lines
    texts = [element for element in tree.iter() if element.tag.endswith("text")]
    for axis in AXES:
        assert {one.label for one in axis.series} | {axis.title} <= {text.text for text in texts}
    width, height = map(float, tree.get("viewBox").split()[2:])
    places = [(float(text.get("x")), float(text.get("y")), text.text) for text in texts]
    assert all(0 < x < width and 0 < y < height for x, y, _ in places)
    names = {one.label for axis in AXES for one in axis.series}
    ends = [place for place in places if place[2] in names]
    assert not [
        (one, other) for number, one in enumerate(ends) for other in ends[number + 1 :]
        if one[0] == other[0] and abs(one[1] - other[1]) < 13
    ], "names lie upon each other"  # fmt: skip


def test_who_says_something_else_of_the_same_person_ends_the_measurement(tmp_path):
    import bench_curve as curve

    path = curve.make_records(tmp_path, 100)
    program = tmp_path / "pypgx"
    for said, fails in (("Reference/E4", False), ("E3/E4", True)):
        program.write_text(f"#!/bin/sh\nprintf '\\tGenotype\\nP00000\\t{said}\\t\\n'\n")
        program.chmod(0o755)
        if not fails:
            curve.agree(path, [str(program)], tmp_path / "out")
            continue
        with pytest.raises(SystemExit, match="pgx says e3/e4, PyPGx e1/e4"):
            curve.agree(path, [str(program)], tmp_path / "out")


def test_core_hours_of_a_million_are_the_start_and_a_million_samples():
    from bench_scaling import Cost

    found = Cost(start=3600.0, sample=0.0036, written=0.0, memory=0.0)
    assert found.core_hours() == pytest.approx(1 + 1)
    assert found.core_hours(2e6) == pytest.approx(1 + 2)


FILLS = {
    "biobank": [("inputs.md", "biobank")],
    "bytes": [("performance.md", "bytes"), ("performance.md", "remote")],
    "cohort": [("cohort.md", "measured")],
    "curve": [("performance.md", "curve")],
    "neighbours": [("neighbours.md", "cost")],
    "page": [("cohort.md", "page")],
    "render": [("performance.md", "render")],
    "scaling": [("scaling.md", "cost")],
    "search": [("performance.md", "search")],
    "single": [("performance.md", "single")],
}
NEEDED = {
    "biobank": ["plink2"],
    "bytes": ["bcftools", "strace"],
    "cohort": ["bcftools"],
    "curve": ["bcftools"],
    "page": ["chromium"],
    "scaling": ["bcftools"],
    "search": ["bcftools"],
    "single": ["bcftools"],
}


def part(folder, name, mark):
    return (
        (folder / name).read_text("utf-8").partition(f"<!-- {mark} -->")[2].partition(f"<!-- /{mark} -->")[0]
    )


@pytest.mark.parametrize("name", FILLS)
def test_a_bench_works_in_small_and_fills_its_tables(name, tmp_path):
    """What `make bench` runs, in small, into a copy of the documents."""
    for program in NEEDED.get(name, ()):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    docs = FOLDER.parent / "docs"
    for page in docs.glob("*.md"):
        shutil.copy(page, tmp_path)
    for page, mark in FILLS[name]:
        text = (tmp_path / page).read_text("utf-8")
        (tmp_path / page).write_text(text.replace(part(tmp_path, page, mark), "\n"), "utf-8")
    command = [sys.executable, FOLDER / f"bench_{name}.py", "--quick", "--write", "--docs", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for page, mark in FILLS[name]:
        text = part(tmp_path, page, mark)
        assert f"benchmarks/bench_{name}.py" in text
        assert name == "neighbours" or text.count("\n|") > 2, text
        assert "nan" not in text
    if name == "curve":
        ET.parse(tmp_path / "cost.svg")  # noqa: S314


def test_make_bench_runs_every_bench(repository):
    assert {path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py")} == {*FILLS}
    said = subprocess.run(
        ["make", "--dry-run", "bench", "QUICK=1"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    assert all(f"benchmarks/bench_{name}.py" in said for name in FILLS)
