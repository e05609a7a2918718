"""From a BAM to a report: alone, beside a VCF, and on the command line."""

import json
from dataclasses import replace

import pytest

from pgx.errors import SampleError, UsageError
from pgx.options import Options
from pgx.reads import facts
from pgx.single import annotate
from tests.reads.simulate import SHORT, SITES, header_of, simulate, write_reads

DEEP = {name: simulate(name, SHORT, 3) for name in ("e3/e3", "e3/e4", "e2/e4", "e1/e3", "e4/e4")}
ONE, TWO = 44908684, 44908822


def bam(folder, pieces, name="reads.bam", **other):
    return write_reads(folder / name, pieces, header_of("GRCh38", **other))


def report(path, **options):
    made = annotate(None if path is None else str(path), Options(**options))
    reports = list(made.samples)
    return made.run, reports[0]


def codes(found):
    return {flag.code: flag.severity for flag in found.flags}


def two_sites(folder, first, second, *, more="", fmt="GT", name="file.vcf"):
    """Return a VCF with these sample columns at the two sites; None leaves a record out."""
    lines = [
        "##fileformat=VCFv4.2",
        "##contig=<ID=chr19,length=58617616>",
        *(f'##FORMAT=<ID={key},Number=.,Type=String,Description="">' for key in ("GT", "GQ", "PL", "PS")),
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1",
    ]
    for place, letters, shown in ((ONE, "T\tC", first), (TWO, "C\tT", second)):
        if shown is not None:
            lines.append(f"chr19\t{place}\t.\t{letters}\t.\tPASS\t.\t{fmt}\t{shown}")
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("name", ["e3/e3", "e3/e4", "e2/e4", "e4/e4"])
def test_reads_alone(tmp_path, name):
    run, found = report(bam(tmp_path, DEEP[name]))
    assert (found.genotype.diplotype, found.genotype.source) == (name, "reads")
    assert run.input.kind == "bam"
    assert run.input.access == "index"
    assert run.parameters.reads is None
    assert [site.basis for site in found.sites] == ["reads", "reads"]
    assert [site.depth for site in found.sites] == list(found.reads.depth.values())
    assert sum(found.reads.haplotypes.values()) == found.reads.templates_both
    assert found.reads.decided == ("rs429358", "rs7412")
    assert found.genotype.phase == ("phased" if name == "e2/e4" else "not-needed")
    assert "no-genotype-quality" not in codes(found)


def test_the_calculation_multiplies_to_the_posterior(tmp_path):
    """Prior x both likelihoods x factor, as the JSON says, also where the likelihood is a joint one."""
    _, found = report(bam(tmp_path, DEEP["e2/e4"]))
    rows = found.genotype.calculation
    products = [
        row.prior * row.phase_factor * row.likelihood["rs429358"] * row.likelihood["rs7412"] for row in rows
    ]
    for row, product in zip(rows, products, strict=True):
        assert row.posterior == pytest.approx(product / sum(products), rel=1e-9)


def test_a_rare_phase_by_reads_is_seen(tmp_path):
    """e1/e3: letters as e2/e4 has them, in the other arrangement on every template."""
    _, found = report(bam(tmp_path, DEEP["e1/e3"]))
    assert found.genotype.best_diplotype == "e1/e3"
    assert codes(found)["rare-haplotype"] == "warning"


def over(pieces, *, first, second):
    """Keep the pairs that cover exactly these sites."""
    seen = {}
    for piece in pieces:
        for site, place in enumerate(SITES):
            seen.setdefault(piece.name, set())
            if piece.start - 30 <= place <= piece.start + 180:
                seen[piece.name].add(site)
    wanted = {site for site, keep in enumerate((first, second)) if keep}
    return [piece for piece in pieces if seen[piece.name] <= wanted]


def test_no_reads_at_one_site_is_no_reference(tmp_path):
    _, found = report(bam(tmp_path, over(DEEP["e3/e3"], first=False, second=True)))
    assert [site.state for site in found.sites] == ["no-reads", "called"]
    assert found.sites[0].alleles is None
    assert found.genotype.diplotype is None
    assert found.genotype.not_determined_because[0] == "site-unused"
    assert codes(found)["no-reads"] == "warning"
    assert found.reads.depth["rs429358"] == 0


def test_no_reads_at_all(tmp_path):
    _, found = report(bam(tmp_path, over(DEEP["e3/e3"], first=False, second=False)))
    assert {site.state for site in found.sites} == {"no-reads"}
    assert (found.genotype.diplotype, found.genotype.e4_status) == (None, "indeterminate")


def test_few_reads_name_no_letters(tmp_path):
    _, found = report(bam(tmp_path, simulate("e3/e3", replace(SHORT, depth=2), 8)))
    assert found.genotype.diplotype is None
    for site in found.sites:
        assert (site.alleles is None) == (
            site.genotype_quality is None or site.genotype_quality < facts().letters_quality.value
        )


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_damage_is_flagged(tmp_path, share):
    _, found = report(bam(tmp_path, simulate("e3/e3", replace(SHORT, damage=share), 5)))
    assert codes(found)["damage"] == "warning"
    assert found.reads.damage[1] < share < found.reads.damage[2] * 1.5
    assert found.genotype.diplotype == "e3/e3"


def test_contamination_is_flagged(tmp_path):
    mixed = simulate("e3/e3", replace(SHORT, depth=60, contamination=0.15), 5, "e4/e4")
    _, found = report(bam(tmp_path, mixed))
    assert codes(found)["contamination"] == "warning"
    assert (
        codes(report(bam(tmp_path, DEEP["e3/e3"], "clean.bam"))[1])
        .keys()
        .isdisjoint({"damage", "contamination"})
    )


def test_reads_settle_absent_sites(tmp_path):
    file = two_sites(tmp_path, None, None)
    file.write_text(file.read_text() + "chr19\t40000000\t.\tA\tG\t.\tPASS\t.\tGT\t0/1\n")
    _, found = report(file, reads=bam(tmp_path, DEEP["e3/e4"]))
    assert (found.genotype.diplotype, found.genotype.source) == ("e3/e4", "file+reads")
    assert found.reads.decided == ("rs429358", "rs7412")
    assert "absent-site" not in codes(found)


def test_reads_settle_phase(tmp_path):
    file = two_sites(tmp_path, "0/1:99", "0/1:99", fmt="GT:GQ")
    alone = report(file)[1]
    assert "ambiguous-phase" in codes(alone)
    _, found = report(file, reads=bam(tmp_path, DEEP["e2/e4"]))
    assert found.genotype.phase == "phased"
    assert "ambiguous-phase" not in codes(found)
    assert found.genotype.diplotype == "e2/e4"


def test_few_templates_may_give_the_phase_alone(tmp_path):
    """The letters are the file's; three pairs that hold both sites tell how they lie together."""
    names = [piece.name for piece in DEEP["e2/e4"] if over([piece], first=True, second=True)]
    both = {name for name in names if len(on_sites(DEEP["e2/e4"], name)) == 2}
    pieces = [piece for piece in DEEP["e2/e4"] if piece.name in sorted(both)[:3]]
    file = two_sites(tmp_path, "0/1:99", "0/1:99", fmt="GT:GQ")
    _, found = report(file, reads=bam(tmp_path, pieces))
    assert found.reads.decided == ()
    assert (found.genotype.source, found.genotype.phase) == ("file+reads", "phased")
    assert [site.basis for site in found.sites] == ["GQ", "GQ"]


def on_sites(pieces, name):
    return {
        site
        for site, place in enumerate(SITES)
        for piece in pieces
        if piece.name == name and piece.start <= place < piece.start + 140
    }


def test_a_contradiction_is_critical_and_names_both(tmp_path):
    file = two_sites(tmp_path, "0/0:99", "0/0:99", fmt="GT:GQ")
    _, found = report(file, reads=bam(tmp_path, DEEP["e3/e4"]))
    flag = next(flag for flag in found.flags if flag.code == "reads-disagree")
    assert flag.severity == "critical"
    assert "rs429358 T/T" in flag.message
    assert "rs429358 T/C" in flag.message
    assert found.genotype.diplotype == "e3/e4"


def test_a_phase_that_contradicts_is_critical(tmp_path):
    file = two_sites(tmp_path, "0|1:99:7", "0|1:99:7", fmt="GT:GQ:PS")
    _, found = report(file, reads=bam(tmp_path, DEEP["e2/e4"]))
    flag = next(flag for flag in found.flags if flag.code == "reads-disagree")
    assert "T|C" in flag.message
    assert "C|T" in flag.message


def test_agreement_is_no_contradiction(tmp_path):
    file = two_sites(tmp_path, "0/1:99", "0/0:99", fmt="GT:GQ")
    _, found = report(file, reads=bam(tmp_path, DEEP["e3/e4"]))
    assert "reads-disagree" not in codes(found)


def test_likelihoods_are_never_multiplied(tmp_path):
    """Beside a file the posterior is that of the reads alone, whatever PL the file states."""
    path = bam(tmp_path, DEEP["e3/e4"])
    alone = report(path)[1].genotype.diplotype_posterior
    file = two_sites(tmp_path, "0/1:30,0,20", "0/0:0,5,60", fmt="GT:PL")
    assert report(file, reads=path)[1].genotype.diplotype_posterior == alone


def test_weak_reads_leave_the_file_alone(tmp_path):
    path = bam(tmp_path, simulate("e3/e4", replace(SHORT, depth=1), 2))
    file = two_sites(tmp_path, "0/1:60", "0/0:60", fmt="GT:GQ")
    alone, beside = report(file)[1], report(file, reads=path)[1]
    assert beside.genotype.diplotype_posterior == alone.genotype.diplotype_posterior
    assert beside.genotype.source == "file"
    assert beside.reads is not None


def test_phase_of_the_file_stays_where_reads_show_none(tmp_path):
    single = over(DEEP["e2/e4"], first=True, second=False) + over(DEEP["e2/e4"], first=False, second=True)
    pieces = sorted({(p.name, p.start): p for p in single}.values(), key=lambda piece: piece.start)
    file = two_sites(tmp_path, "0|1:99:7", "1|0:99:7", fmt="GT:GQ:PS")
    _, found = report(file, reads=bam(tmp_path, pieces))
    assert found.reads.templates_both == 0
    assert found.genotype.phase == "phased"
    assert found.reads.decided == ("rs429358", "rs7412")


def test_reads_of_other_people_are_refused(tmp_path):
    file = two_sites(tmp_path, "0/1", "0/0")
    text = (
        file.read_text()
        .replace("\tS1\n", "\tS1\tS2\n")
        .replace("\t0/0\n", "\t0/0\t0/0\n")
        .replace("\t0/1\n", "\t0/1\t0/0\n")
    )
    file.write_text(text)
    with pytest.raises(SampleError, match="none of them"):
        report(file, reads=bam(tmp_path, DEEP["e3/e4"], groups={"lane": "X"}))


def test_one_sample_each_need_not_have_one_name(tmp_path):
    file = two_sites(tmp_path, "0/1", "0/0")
    _, found = report(file, reads=bam(tmp_path, DEEP["e3/e4"], groups={"lane": "other name"}))
    assert found.reads is not None


@pytest.mark.parametrize(
    ("stated", "diplotype", "letters"),
    [
        ("e3/e4", "e3/e4", ("T/C", "C/C")),
        ("ε4/ε3", "e3/e4", ("T/C", "C/C")),
        ("2/4", "e2/e4", ("T/C", "C/T")),
        ("T/C,C/C", "e3/e4", ("T/C", "C/C")),
        ("rs429358=TT, rs7412=CT", "e2/e3", ("T/T", "C/T")),
        ("E4/E4", "e4/e4", ("C/C", "C/C")),
        ("e1/e3", None, None),
    ],
)
def test_a_stated_genotype(stated, diplotype, letters):
    run, found = report(None, genotype=stated, method="TaqMan")
    assert found.genotype.diplotype == diplotype
    assert found.genotype.source == "stated"
    assert (run.input.kind, run.input.size) == ("stated", None)
    assert codes(found)["stated-genotype"] == "warning"
    assert "TaqMan" in next(flag.message for flag in found.flags if flag.code == "stated-genotype")
    assert "no-genotype-quality" not in codes(found)
    assert all(site.record is None for site in found.sites)
    if letters:
        assert tuple("/".join(site.alleles) for site in found.sites) == letters
    if diplotype == "e2/e4":
        assert "ambiguous-phase" in codes(found)
    if diplotype is None:
        assert "rare-haplotype" in codes(found)


@pytest.mark.parametrize(
    "stated", ["rs7412=CC,rs429358=CT", "rs429358:CT;rs7412:CC", "rs7412 C/C, rs429358 C/T"]
)
def test_named_letters_go_where_their_names_say(stated):
    assert report(None, genotype=stated)[1].genotype.diplotype == "e3/e4"


@pytest.mark.parametrize(
    "stated",
    [
        "",
        "e5/e3",
        "e3",
        "A/G,C/C",
        "T/C",
        "e3/e4/e4",
        "rs7412=CC,CT",
        "rs7412=CC,rs7412=CT",
        "rs1=CC,rs7412=CT",
    ],
)
def test_what_is_no_genotype(stated):
    with pytest.raises(UsageError, match="no APOE genotype"):
        report(None, genotype=stated)


def run_cli(*arguments):
    import subprocess
    import sys

    return subprocess.run(
        [sys.executable, "-m", "pgx", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_command_line_refuses_what_does_not_go_together(tmp_path):
    path = bam(tmp_path, DEEP["e3/e3"])
    for arguments, said in (
        ((path, "--reads", path), "beside a VCF"),
        ((path, "--genotype", "e3/e3"), "one of them"),
        ((), "one of them"),
        ((path, "-f", "vcf"), "VCF"),
        (("--genotype", "e3/e3", "-f", "vcf"), "VCF"),
    ):
        found = run_cli("annotate", *arguments)
        assert found.returncode == 2, arguments
        assert said in found.stderr
        assert found.stderr.count("\n") == 1
        assert found.stdout == ""


def test_every_format_of_reads_alone(tmp_path):
    path = bam(tmp_path, DEEP["e2/e4"])
    stored = tmp_path / "r.json"
    assert run_cli("annotate", path, "-o", stored).returncode == 0
    document = json.loads(stored.read_text())
    shown = document["samples"][0]["reads"]
    for name in ("html", "tsv", "fhir", "text", "jsonl"):
        again = run_cli("report", stored, "-f", name)
        assert again.returncode == 0, again.stderr
        assert run_cli("report", stored, "-f", name).stdout == again.stdout
    text = run_cli("report", stored, "-f", "text", "--full").stdout
    assert f"{shown['templates_both']} hold both sites" in " ".join(text.split())
    page = run_cli("report", stored, "-f", "html").stdout
    assert 'aria-labelledby="reads-t reads-d"' in page
    assert len(page.encode()) < 80_000
    for count in shown["haplotypes"].values():
        assert f"<td>{count}</td>" in page
    bundle = json.loads(run_cli("report", stored, "-f", "fhir").stdout)
    notes = [note["text"] for entry in bundle["entry"] for note in entry["resource"].get("note", [])]
    (told,) = [note for note in notes if "hold both sites" in note]
    for count in (*shown["depth"].values(), shown["templates_both"]):
        assert str(count) in told


def test_inspect_says_what_reads_can_answer(tmp_path):
    found = json.loads(
        run_cli("inspect", bam(tmp_path, over(DEEP["e2/e4"], first=False, second=True)), "-f", "json").stdout
    )
    assert found["file"]["kind"] == "bam"
    assert found["samples"][0]["reads"]["depth"]["rs429358"] == 0
    assert "no-reads" in {need["code"] for need in found["needs"]}
    text = run_cli("inspect", bam(tmp_path, DEEP["e2/e4"], "full.bam")).stdout
    assert "hold both sites" in text
    assert "duplicates" in text


def test_reads_in_a_cohort(tmp_path):
    """By folder beside a VCF (passed over), by folder alone, and as a column of the manifest."""
    folder = tmp_path / "in"
    folder.mkdir()
    bam(folder, DEEP["e3/e4"], "one.bam")
    bam(folder, DEEP["e2/e4"], "two.bam")
    two_sites(folder, "0/1:99", "0/0:99", fmt="GT:GQ", name="one.vcf")
    table = tmp_path / "m.tsv"
    table.write_text("path\tsample\treads\nin/one.vcf\tS1\tin/one.bam\n")
    done = run_cli("cohort", folder, "-o", tmp_path / "a", "-j", "1")
    assert done.returncode == 0, done.stderr
    assert "one.bam: passed over" in done.stderr
    assert rows(tmp_path / "a") == [("one.vcf", "e3/e4", "file"), ("two.bam", "e2/e4", "reads")]
    done = run_cli("cohort", folder, "-o", tmp_path / "b", "-j", "1", "--with-reads")
    assert [row[0] for row in rows(tmp_path / "b")] == ["one.bam", "one.vcf", "two.bam"]
    done = run_cli("cohort", "--manifest", table, "-o", tmp_path / "c", "-j", "1")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "c") == [("one.vcf", "e3/e4", "file+reads")]


def rows(folder):
    lines = [line.split("\t") for line in (folder / "samples.tsv").read_text().splitlines()]
    made = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    return [(row["input"].rpartition("/")[2], row["diplotype"], row["source"]) for row in made]
