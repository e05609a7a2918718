"""From a file to a report: made-up people in real formats, with and without the sites."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pysam
import pysam.bcftools
import pytest
from made_up import MadeUp, people

from pgx.calling import diplotypes
from pgx.genome import definitions
from pgx.neighbours.panel import markers, settings
from pgx.vcf.read import marker_places
from pgx.vcf.scan import is_around

NAMES = [f"P{number}" for number in range(40)]
CELLS = ("0/0", "0/1", "1/1")
COMPLEMENT = str.maketrans("ACGT", "TGCA")
SHOWN = ("Estimated from neighbouring variants", "Order a direct test before acting on it")


@pytest.fixture(scope="module")
def crowd() -> list[MadeUp]:
    return people(12, seed=3)


def site_copies(person: MadeUp) -> tuple[int, int]:
    """Return the copies of ALT at both sites."""
    one, other = next(pair for pair in diplotypes() if "/".join(h.name for h in pair) == person.diplotype)
    first, second = (
        sum(haplotype.letters[place] == site.alt for haplotype in (one, other))
        for place, site in enumerate(definitions())
    )
    return first, second


def vcf(
    crowd: Sequence[MadeUp],
    *,
    assembly: str = "GRCh38",
    sites: Sequence[Sequence[int | None]] | None = None,
    reverse: bool = False,
    variants_only: bool = False,
) -> str:
    """Return a VCF of these people; `sites` are copies of ALT by person, None for a site without record."""
    rows: list[tuple[int, str, str, list[str]]] = []
    for place, marker in enumerate(markers()):
        cells = [CELLS[person.copies[place]] for person in crowd]
        ref, alt = marker.ref, marker.alt
        if reverse:
            ref, alt = ref.translate(COMPLEMENT), alt.translate(COMPLEMENT)
        if not variants_only or any(cell != "0/0" for cell in cells):
            rows.append((marker.positions[assembly], ref, alt, cells))
    for place, site in enumerate(definitions()):
        shown = [copies[place] for copies in sites] if sites else []
        if shown and None not in shown:
            rows.append(
                (site.positions[assembly], site.ref, site.alt, [CELLS[copies or 0] for copies in shown])
            )
    lines = [
        "##fileformat=VCFv4.2",
        "##contig=<ID=chr19,length=58617616>"
        if assembly == "GRCh38"
        else "##contig=<ID=chr19,length=59128983>",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Quality">',
        "\t".join(
            ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *NAMES[: len(crowd)]]
        ),
    ]
    for position, ref, alt, cells in sorted(rows):
        texts = [f"{cell}:60" for cell in cells]
        lines.append("\t".join(["chr19", str(position), ".", ref, alt, ".", "PASS", ".", "GT:GQ", *texts]))
    return "\n".join(lines) + "\n"


def written(path: Path, text: str) -> Path:
    """Write a VCF in the format of the ending; `.vcf.gz` and `.bcf` get an index."""
    if path.suffix == ".vcf":
        path.write_text(text)
    elif path.name.endswith(".vcf.gz"):
        plain = path.with_suffix("")
        plain.write_text(text)
        pysam.tabix_compress(str(plain), str(path), force=True)
        pysam.tabix_index(str(path), preset="vcf", force=True)
    else:
        plain = path.with_suffix(".vcf")
        plain.write_text(text)
        with (
            pysam.VariantFile(str(plain)) as source,
            pysam.VariantFile(str(path), "wb", header=source.header) as out,
        ):
            for record in source:
                out.write(record)
    return path


def samples(run_pgx, path: Path | str, *options: str, **more: object) -> list[dict]:
    """Return the samples of the JSON."""
    done = run_pgx("annotate", path, "-f", "json", *options, **more)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)["samples"]


@pytest.fixture
def without_sites(tmp_path, crowd):
    return written(tmp_path / "a.vcf", vcf(crowd))


def test_an_estimate_where_both_sites_are_absent(run_pgx, without_sites, crowd):
    found = samples(run_pgx, without_sites)
    right = 0
    for sample, person in zip(found, crowd, strict=True):
        around = sample["neighbours"]
        assert sample["genotype"]["diplotype"] is None
        assert sample["genotype"]["e4_status"] == "indeterminate"
        assert around["mode"] == "strict"
        assert around["markers_known"] == around["markers_used"] == 80
        assert sum(around["diplotype_posterior"].values()) == pytest.approx(1)
        assert [flag["code"] for flag in sample["flags"]].count("neighbours-estimate") == 1
        assert all(answer["conclusion"] == "indeterminate-genotype" for answer in sample["response"])
        right += around["diplotype"] == person.diplotype
    assert right >= len(crowd) - 1


def test_a_well_called_file_is_as_before_and_has_no_estimate(run_pgx, tmp_path, crowd):
    path = written(tmp_path / "a.vcf", vcf(crowd, sites=[site_copies(person) for person in crowd]))
    called = [person for person in crowd if "e1" not in person.diplotype and person.diplotype != "e2/e4"]
    found = samples(run_pgx, path)
    plain = samples(run_pgx, path, "--neighbours", "off")
    for sample, other, person in zip(found, plain, crowd, strict=True):
        if person in called:
            assert sample["neighbours"] is None
        assert {**sample, "neighbours": None} | {"flags": []} == {**other} | {"flags": []}


@pytest.mark.parametrize("mode", ["auto", "always", "off"])
def test_the_genotype_never_depends_on_it(run_pgx, without_sites, mode: str):
    kept = ("genotype", "sites", "response", "context", "patient")
    plain = samples(run_pgx, without_sites, "--neighbours", "off")
    found = samples(run_pgx, without_sites, "--neighbours", mode)
    assert [{key: one[key] for key in kept} for one in found] == [
        {key: one[key] for key in kept} for one in plain
    ]
    assert all((one["neighbours"] is None) == (mode == "off") for one in found)


def test_every_way_in_hands_out_the_same(run_pgx, tmp_path, crowd):
    """Scan, index, BCF with and without index, gzip, and standard input."""
    text = vcf(crowd)
    ways = [
        written(tmp_path / "scan.vcf", text),
        written(tmp_path / "indexed.vcf.gz", text),
        written(tmp_path / "scan.bcf", text),
    ]
    indexed = written(tmp_path / "indexed.bcf", text)
    pysam.bcftools.index(str(indexed))
    packed = tmp_path / "plain.vcf.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    streamed = subprocess.run(
        [sys.executable, "-m", "pgx", "annotate", "-", "-f", "json"],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    expected = [one["neighbours"] for one in json.loads(streamed.stdout)["samples"]]
    assert all(one["markers_known"] == 80 for one in expected)
    for path in (*ways, indexed, packed):
        assert [one["neighbours"] for one in samples(run_pgx, path)] == expected, path.name


def test_assemblies_and_strand_give_the_same(run_pgx, tmp_path, crowd):
    expected = [one["neighbours"] for one in samples(run_pgx, written(tmp_path / "a.vcf", vcf(crowd)))]
    other = written(tmp_path / "b.vcf", vcf(crowd, assembly="GRCh37"))
    assert [one["neighbours"] for one in samples(run_pgx, other)] == expected
    turned = written(tmp_path / "c.vcf", vcf(crowd, reverse=True))
    assert [one["neighbours"] for one in samples(run_pgx, turned)] == expected


def test_absent_is_unknown_whatever_is_assumed_of_the_sites(run_pgx, tmp_path, crowd):
    path = written(tmp_path / "a.vcf", vcf(crowd[:1], variants_only=True))
    for options in ((), ("--absent-sites", "reference")):
        (sample,) = samples(run_pgx, path, *options)
        assert sample["neighbours"]["markers_known"] == sum(copies > 0 for copies in crowd[0].copies)


def test_assumed_sites_are_contradicted(run_pgx, without_sites, crowd):
    """The user assumes e3/e3; whoever carries something else is told."""
    found = samples(run_pgx, without_sites, "--absent-sites", "reference")
    for sample, person in zip(found, crowd, strict=True):
        assert sample["genotype"]["best_diplotype"] == "e3/e3"
        codes = {flag["code"] for flag in sample["flags"]}
        if sample["neighbours"]["diplotype_probability"] > 0.999:
            assert ("neighbours-disagree" in codes) == (sample["neighbours"]["diplotype"] != "e3/e3")
            assert sample["neighbours"]["agrees"] == (person.diplotype == "e3/e3")


def test_swapped_people_are_found_by_a_second_opinion(run_pgx, tmp_path, crowd):
    shown = [site_copies(person) for person in crowd]
    path = written(tmp_path / "a.vcf", vcf(crowd, sites=shown[1:] + shown[:1]))
    found = samples(run_pgx, path, "--neighbours", "always")
    alarms = [any(flag["code"] == "neighbours-disagree" for flag in one["flags"]) for one in found]
    others = [own != other for own, other in zip(shown, shown[1:] + shown[:1], strict=True)]
    assert sum(others) >= 4
    assert sum(alarm and not other for alarm, other in zip(alarms, others, strict=True)) == 0
    assert sum(other and not alarm for alarm, other in zip(alarms, others, strict=True)) <= 1
    name = NAMES[others.index(True)]
    text = run_pgx("annotate", path, "--neighbours", "always", "-s", name, "--full").stdout
    part = shown_part(text, SHOWN[0])
    assert "Second opinion: the neighbouring positions give what was read at rs429358 and rs7412" in part
    assert "the sample may be mixed up" in shown_part(text, "Result at a glance")
    severity = {flag["code"]: flag["severity"] for one in found for flag in one["flags"]}
    assert severity["neighbours-disagree"] == "warning"


def test_readable_formats_say_it_under_their_own_heading(run_pgx, tmp_path, without_sites):
    for ending in ("txt", "html"):
        target = tmp_path / f"report.{ending}"
        full = ["--full"] if ending == "txt" else []
        assert run_pgx("annotate", without_sites, "-s", "P0", *full, "-o", target).exit_code == 0
        shown = " ".join(target.read_text("utf-8").split())
        for sentence in SHOWN:
            assert sentence in shown, ending
    (sample,) = samples(run_pgx, without_sites, "-s", "P0")
    summary = run_pgx("annotate", without_sites, "-s", "P0").stdout
    glance = " ".join(summary.partition("Result at a glance")[2].partition("What it means")[0].split())
    assert "an estimate, no call" in glance
    assert sample["neighbours"]["diplotype"].replace("e", "ε") in glance


def shown_part(text: str, title: str) -> str:
    """Return one section of a text report, short (its lines are indented) or full, on one line."""
    lines = text.splitlines()
    rest = lines[lines.index(title) + 1 :]
    if rest[0].startswith("---"):
        ends = (n - 1 for n, line in enumerate(rest[1:], start=1) if line.startswith("---"))
    else:
        ends = (n for n, line in enumerate(rest) if line and not line.startswith(" "))
    return " ".join(" ".join(rest[: next(ends, len(rest))]).split())


def test_no_readable_format_names_a_diplotype_below_the_limit(run_pgx, tmp_path, crowd):
    """Six positions only: whatever is likeliest is not named, and the sentence says that it is open."""
    few = [line for n, line in enumerate(vcf(crowd[:6]).splitlines()) if n < 5 or n % 14 == 0]
    path = written(tmp_path / "few.vcf", "\n".join(few) + "\n")
    found = samples(run_pgx, path)
    unsure = [one for one in found if one["neighbours"]["diplotype_probability"] < settings().name_from.value]
    assert unsure
    for sample in unsure:
        text = run_pgx("annotate", path, "-s", sample["sample"], "--full").stdout
        for part in (shown_part(text, SHOWN[0]), shown_part(text, "Result at a glance")):
            assert not any(name in part for name in ("ε3/ε3", "ε3/ε4", "ε2/ε3", "ε4/ε4", "ε2/ε2"))
            assert "open" in part


def test_a_minor_gets_no_estimate_to_read(run_pgx, without_sites):
    done = run_pgx("annotate", without_sites, "-s", "P0", "--age", "9")
    assert SHOWN[0] not in done.stdout
    assert "neighbouring variants" not in done.stdout
    shown = run_pgx("annotate", without_sites, "-s", "P0", "--age", "9", "--reveal-minor", "--full").stdout
    assert SHOWN[0] in shown


def test_a_stored_report_says_it_again(run_pgx, tmp_path, without_sites):
    stored, clock = tmp_path / "a.json", {"SOURCE_DATE_EPOCH": "1780000000"}
    run_pgx("annotate", without_sites, "-s", "P0", "-o", stored, env=clock)
    again = run_pgx("report", stored)
    assert again.stdout == run_pgx("annotate", without_sites, "-s", "P0", env=clock).stdout


def test_inspect_says_what_an_estimate_would_be_worth(run_pgx, without_sites, tmp_path, crowd):
    text = run_pgx("inspect", without_sites).stdout
    assert "80 of the panel's 80 positions are known" in " ".join(text.split())
    found = json.loads(run_pgx("inspect", without_sites, "-f", "json").stdout)
    assert found["samples"][0]["neighbours"]["known"] == 80
    nothing = "\n".join(vcf(crowd[:1], sites=[site_copies(crowd[0])]).splitlines()[:5]) + "\n"
    nothing += "chr19\t44908684\trs429358\tT\tC\t.\tPASS\t.\tGT\t0/0\n"
    found = run_pgx("inspect", written(tmp_path / "b.vcf", nothing)).stdout
    assert "nothing to estimate from" in " ".join(found.split())


def test_one_broken_neighbour_does_not_end_a_report(run_pgx, tmp_path, crowd):
    """htslib refuses the record (text where a number is declared): it says nothing, and all others do."""
    lines = vcf(crowd[:1]).splitlines()
    lines[9] = lines[9].replace(":60", ":many;words=1/2")
    lines[12] = lines[12].replace("0/", "x/").replace("1/", "x/")
    (sample,) = samples(run_pgx, written(tmp_path / "a.vcf", "\n".join(lines) + "\n"))
    assert 78 <= sample["neighbours"]["markers_known"] <= 79


def test_every_marker_lies_where_the_door_keeps_records():
    assert all(is_around(place - 1) for place in marker_places()[:-1])
    assert not is_around(min(marker_places()) - 5000)


def test_the_exome_of_an_e4_homozygote_is_not_told_e3(run_pgx, shared_data):
    """A trap: its kit lacks two tagging positions, and what is absent there looks like reference."""
    for path in sorted((shared_data / "exome_HG00284").glob("*.vcf.gz")):
        for options in ((), ("--neighbours", "always"), ("--absent-sites", "reference")):
            done = run_pgx("annotate", path, "--full", *options)
            part = shown_part(done.stdout, SHOWN[0])
            assert "ε3/ε3" not in part
            assert "open" in part
