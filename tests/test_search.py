"""A search, a pass, an index and standard input give one report, and what is not sorted is not searched."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import re
import zlib
from collections import Counter
from itertools import pairwise
from pathlib import Path

import msgspec
import pysam
import pytest
from sorted_files import KINDS, SITES, bgzip, body, header, line, made, position, reaching, sites
from truth_tables import _options as options_of
from truth_tables import all_cases, tables
from vcf_builder import write_vcf

from pgx.errors import PgxError
from pgx.genome import CHROMOSOMES, contig_names
from pgx.options import Options
from pgx.single import annotate
from pgx.vcf import bgzf, read, scan, search
from pgx.vcf import open as open_
from pgx.vcf.read import opened, read_sites

CASES = list(all_cases())
#: Of the input; and where a record stands, which is a line in a pass and a position else.
_OF_THE_WAY = ("path", "size", "modified", "access")
_PLACE = re.compile(r"line \d+|the record at \S+:\d+")
SEEDS = 1000 // len(KINDS) + 1


@pytest.fixture
def small(monkeypatch):
    """Let the smallest file be searched, and by halves down to a few lines."""
    monkeypatch.setattr(read, "LEAST", 0)
    monkeypatch.setattr(search, "_NEAR", 200)
    monkeypatch.setattr(search, "_END", 64)
    monkeypatch.setattr(bgzf, "_ALONE", 1)
    monkeypatch.setattr(bgzf, "_PIECE", 5000)


@contextlib.contextmanager
def standard_input(path: Path):
    """Put a file at the standard input of this process."""
    kept, file = os.dup(0), os.open(path, os.O_RDONLY)
    os.dup2(file, 0)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(file)


def _without_name(message: str) -> str:
    """Return the message of an error without the name of the input in front of it."""
    return _PLACE.sub("", message.partition(": ")[2])


def told(source: str | Path, options: Options) -> tuple[str, object]:
    """Return how a file was read, and its report without that, or its error."""
    try:
        report = annotate(str(source), options)
    except PgxError as error:
        return "error", _without_name(str(error))
    found = {"samples": list(report.samples), "run": msgspec.to_builtins(report.run)}
    access = found["run"]["input"]["access"]
    for key in _OF_THE_WAY:
        del found["run"]["input"][key]
    del found["run"]["created"]
    return access, msgspec.json.decode(_PLACE.sub("", msgspec.json.encode(found).decode()))


def by_pass(path: Path, options: Options) -> tuple[str, object]:
    """Return what a pass over a file tells."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read, "LEAST", 1 << 60)
        return told(path, options)


def by_stream(path: Path, options: Options) -> tuple[str, object]:
    """Return what a file tells at standard input."""
    with standard_input(path):
        return told("-", options)


def by_index(path: Path, options: Options) -> tuple[str, object]:
    """Return what a packed file tells with an index."""
    pysam.tabix_index(str(path), preset="vcf", force=True)
    try:
        return told(path, options)
    finally:
        Path(f"{path}.tbi").unlink()


def packings(text: bytes, seed: int) -> list[tuple[str, bytes]]:
    """Return a text plain, and packed into blocks of 60 bytes to 64 KB, with a cut at a site."""
    size = (60, 333, 4096, 0xFF00, 1 << 16)[seed % 5]
    found = text.find(b"\nchr19\t%d\t" % SITES["rs429358"]) + 1
    cuts = (found,) if found and seed % 2 else ()
    return [("a.vcf", text), ("a.vcf.gz", bgzip(text, size, cuts))]


def check_kind(kind: str, seeds: range, folder: Path) -> Counter[str]:
    """Compare all ways for files of a kind; return how often which was taken."""
    must, _ = KINDS[kind]
    taken: Counter[str] = Counter()
    options = Options(neighbours="auto")
    for seed in seeds:
        text, ends = made(kind, seed)
        for name, data in packings(text, seed)[:: 1 if seed % 3 else -1]:
            path = folder / name
            path.write_bytes(data)
            access, found = told(path, options)
            where = f"{kind}, seed {seed}, {name}, {ends}"
            assert found == by_pass(path, options)[1], where
            if seed % 4 == 0:
                assert found == by_stream(path, options)[1], where
            if access == "search" and name.endswith(".gz") and seed % 3 == 0:
                assert ("index", found) == by_index(path, options), where
            taken[access] += 1
            whole = ends in {"as it is", "CRLF", "no last line end"}
            if must is not None and whole:
                assert (access == "search") == must, where
    return taken


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind, tmp_path, small):
    check_kind(kind, range(1), tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_files(kind, tmp_path, small):
    check_kind(kind, range(1, SEEDS), tmp_path)


@pytest.mark.parametrize("table", tables())
def test_truth_tables(table, tmp_path, small):
    searched = 0
    for case in CASES:
        if case.table != table:
            continue
        for assembly in case.assemblies:
            options = options_of(case, tmp_path, assembly)
            text = case.content(assembly)
            plain = write_vcf(tmp_path / "a.vcf", text=text)
            access, found = told(plain, options)
            searched += access == "search"
            assert found == by_pass(plain, options)[1], f"{case.case} on {assembly}"
            assert found == by_stream(plain, options)[1], f"{case.case} on {assembly}, stream"
            packed = tmp_path / "b.vcf.gz"
            packed.write_bytes(bgzip(text.encode(), 60 + len(text) % 700))
            assert found == told(packed, options)[1], f"{case.case} on {assembly}, packed"
            if case.can_be_indexed:
                indexed = write_vcf(tmp_path / "c.vcf.gz", text=text, index="tbi")
                access, by_index = told(indexed, options)
                assert access in {"index", "error"}
                assert found == by_index, f"{case.case} on {assembly}, indexed"
    assert searched, "the table must have files that are searched"


def large(dice: random.Random, *, lines: int = 70_000, **layout: object) -> bytes:
    """Return a sorted file that is large enough to be searched, with both sites."""
    rows: list[str] = []
    for number in range(1, 23):
        contig = f"chr{number}"
        places = sorted(dice.randint(1, 58_000_000) for _ in range(lines // 22))
        own = [line(contig, place, info=f"NOTE={place % 997}x{'y' * 20}") for place in places]
        rows += sorted([*own, *sites(dice)], key=position) if number == 19 else own
    return ("\n".join([*header(dice, **layout), *rows]) + "\n").encode()


@pytest.fixture(scope="module")
def text() -> bytes:
    """Return the text of a large file."""
    found = large(random.Random(5))  # noqa: S311 - test data
    assert len(found) > read.LEAST
    return found


def save(path: Path, data: bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(data)
    return path


def same(path: Path, **options: object) -> str:
    """Check that a file tells the same in a pass, and return how it was read."""
    given = Options(**options)
    access, found = told(path, given)
    assert found == by_pass(path, given)[1]
    return access


def test_a_search_reads_a_small_part_of_a_large_file(tmp_path, text, monkeypatch):
    counts = []
    at = open_.FileBytes.at
    monkeypatch.setattr(
        open_.FileBytes, "at", lambda self, place, count: (counts.append(count), at(self, place, count))[1]
    )
    path = save(tmp_path / "a.vcf", text)
    content = read_sites(str(path))
    assert content.facts.access == "search"
    assert [record.position for record in content.records] == sorted(SITES.values())
    few = sum(counts)
    longer = large(random.Random(6), lines=300_000)  # noqa: S311 - test data
    counts.clear()
    assert read_sites(str(save(tmp_path / "b.vcf", longer))).facts.access == "search"
    assert len(longer) > 4 * len(text)
    assert sum(counts) < 2 * few


def test_a_small_file_is_read_as_a_whole(tmp_path, text):
    head, _, rows = text.partition(b"chr19\t")
    end = rows.index(b"chr20\t")
    small = head[: head.index(b"\nchr1\t") + 1] + b"chr19\t" + rows[:end]
    assert len(small) < read.LEAST
    assert same(save(tmp_path / "a.vcf", small)) == "scan"


@pytest.mark.parametrize("size", [300, 0xFF00])
def test_a_packed_file_is_searched(tmp_path, text, monkeypatch, size):
    monkeypatch.setattr(read, "LEAST", 200_000)
    path = save(tmp_path / "a.vcf.gz", bgzip(text, size))
    assert same(path) == "search"
    assert same(path, neighbours="always") == "search"


def test_joined_files_are_not_searched(tmp_path, text):
    """Small parts behind a large file, in front of it, and in the middle of a chromosome that is probed."""
    head, rows = text[: text.index(b"\nchr1\t") + 1], text[text.index(b"\nchr1\t") + 1 :]
    part = "\n".join(body(random.Random(3))).encode() + b"\n"  # noqa: S311 - test data
    for number, joined in enumerate((rows + part, part + rows, rows + rows)):
        assert same(save(tmp_path / f"{number}.vcf", head + joined)) == "scan"


def test_what_reaches_a_site_of_any_assembly_is_kept(tmp_path, small):
    found: Counter[str] = Counter()
    for seed in range(60):
        data = reaching(random.Random(seed))  # noqa: S311 - test data
        path = save(tmp_path / "a.vcf", bgzip(data, (60, 333, 4096)[seed % 3]) if seed % 2 else data)
        told_by_search = read_sites(str(path))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(read, "LEAST", 1 << 60)
            told_by_pass = read_sites(str(path))
        assert told_by_search.records == told_by_pass.records, f"seed {seed}"
        found[told_by_search.facts.access] += 1
    assert found["search"] > 40


@pytest.mark.parametrize("share", [0.03, 0.2, 1])
@pytest.mark.parametrize("is_in_front", [True, False])
def test_a_chromosome_twice_side_by_side_is_not_searched(tmp_path, text, share, is_in_front):
    """As in a file joined by chromosome from one of substitutions and one of insertions and deletions."""
    lines = text.splitlines(keepends=True)
    ours = [number for number, row in enumerate(lines) if row.startswith(b"chr19\t")]
    dice = random.Random(str(share))  # noqa: S311 - test data
    more = sorted(dice.sample(range(1, 58_000_000), int(share * len(ours))))
    run = [line("chr19", place, "AT", "A").encode() + b"\n" for place in more]
    place = ours[0] if is_in_front else ours[-1] + 1
    path = save(tmp_path / "a.vcf", b"".join([*lines[:place], *run, *lines[place:]]))
    assert same(path) == "scan"


def test_a_second_name_may_hide_in_the_order_of_letters(tmp_path, text):
    """No contig is declared, all ascend from 1 to chr9, and no probe meets the short run of 19."""
    lines = [row for row in text.splitlines(keepends=True) if not row.startswith(b"##contig")]
    head = [row for row in lines if row.startswith(b"#")]
    rows = sorted((row for row in lines if not row.startswith(b"#")), key=lambda row: row.partition(b"\t")[0])
    more = [row for number, row in enumerate(rows) if not number % 8 or row.split(b"\t", 3)[3][:1] in b"TC"]
    named = b"".join([*head, *(row.removeprefix(b"chr") for row in more), *rows])
    assert same(save(tmp_path / "a.vcf", b"".join([*head, *rows]))) == "search"
    assert same(save(tmp_path / "b.vcf", named)) == "scan"


def test_an_end_of_thousands_of_digits_is_read(tmp_path):
    rows = [line("chr19", 100, info=f"END={'9' * 5000}"), *sites(random.Random(1))]  # noqa: S311 - test data
    head = header(random.Random(1), end=True)  # noqa: S311 - test data
    assert same(save(tmp_path / "a.vcf", ("\n".join([*head, *rows]) + "\n").encode())) in {"scan", "error"}


def test_a_site_that_is_absent_is_proven_by_a_pass(tmp_path, text):
    gone = re.sub(rb"chr19\t%d\t[^\n]*\n" % SITES["rs7412"], b"", text)
    assert same(save(tmp_path / "a.vcf", gone)) == "scan"


def test_two_names_in_the_header_are_not_searched(tmp_path, text):
    named = text.replace(b"##FORMAT", b"##contig=<ID=19>\n##FORMAT", 1)
    assert same(save(tmp_path / "a.vcf", named)) == "scan"


def test_a_header_that_tells_no_assembly_is_not_searched(tmp_path, text):
    bare = re.sub(rb"##reference[^\n]*\n|,length=\d+", b"", text)
    assert same(save(tmp_path / "a.vcf", bare)) == "scan"


@pytest.mark.parametrize("far", [100_000, 5_000_000, 44_000_000])
def test_a_block_from_afar_is_met(tmp_path, far):
    made_of = large(random.Random(8), end=True)  # noqa: S311 - test data
    start = SITES["rs429358"] - far
    block = line("chr19", start, "A", "<NON_REF>", info=f"END={start + far + 1000}", gt="0/0").encode()
    lines = made_of.split(b"\n")
    number = next(
        n for n, row in enumerate(lines) if row.startswith(b"chr19\t") and position(row.decode()) > start
    )
    path = save(tmp_path / "a.vcf", b"\n".join([*lines[:number], block, *lines[number:]]))
    assert same(path) == "search"
    assert start in [record.position for record in read_sites(str(path)).records]


@pytest.mark.parametrize("share", [0.3, 0.6])
@pytest.mark.parametrize(("before", "letters"), [(0, ("T", "C")), (3, ("ACGAT", "A"))])
def test_a_record_of_a_site_that_is_not_where_it_belongs_is_met(tmp_path, share, before, letters):
    """It lies in the text that is only looked through, and contradicts that at the site."""
    lines = large(random.Random(8), end=True).split(b"\n")  # noqa: S311 - test data
    ours = [n for n, row in enumerate(lines) if row.startswith(b"chr19\t")]
    site = next(n for n in ours if position(lines[n].decode()) == SITES["rs429358"])
    number = ours[0] + int(share * (site - ours[0]))
    stray = line("chr19", SITES["rs429358"] - before, *letters, gt="1/1").encode()
    path = save(tmp_path / "a.vcf", b"\n".join([*lines[:number], stray, *lines[number:]]))
    assert same(path) == "scan"
    assert read_sites(str(path)).facts.unsorted


def test_damage_is_told_as_in_a_pass(tmp_path, text, monkeypatch):
    monkeypatch.setattr(read, "LEAST", 200_000)
    packed = bgzip(text, 0xFF00)
    harmed = bytearray(packed)
    harmed[len(packed) // 48 : len(packed) // 48 + 200_000 : 40_000] = b"#####"
    for number, data in enumerate((bytes(harmed), packed[:-28], packed[:-5000])):
        assert same(save(tmp_path / f"{number}.vcf.gz", data)) == "error"
    assert same(save(tmp_path / "a.vcf", text[:-60])) == "error"


def test_lines_of_twenty_megabytes(tmp_path, text):
    lines = text.split(b"\n")
    number = next(n for n, row in enumerate(lines) if row.startswith(b"chr19\t"))
    huge = line("chr19", position(lines[number].decode()), info="NOTE=" + "x" * 20_000_000).encode()
    path = save(tmp_path / "a.vcf", b"\n".join([*lines[:number], huge, *lines[number:]]))
    assert same(path, max_record=30.0) == "search"
    assert told(path, Options())[0] == "error", "a probe has met it"


def test_our_name_far_from_its_place_is_seen_by_a_pass_only(tmp_path, text):
    """As with an index; docs/reading.md says so."""
    lines = text.split(b"\n")
    number = next(n for n, row in enumerate(lines) if row.startswith(b"chr5\t")) + 999
    lines[number] = lines[number].replace(b"\t.\t", b"\trs429358\t", 1)
    path = save(tmp_path / "a.vcf", b"\n".join(lines))
    assert told(path, Options())[0] == "search"
    assert by_pass(path, Options())[1] != told(path, Options())[1]
    assert told(path, Options(access="scan")) == by_pass(path, Options())


def test_a_pass_can_be_asked_for(tmp_path, text, run_pgx, monkeypatch):
    monkeypatch.setattr(read, "LEAST", 200_000)
    path = save(tmp_path / "a.vcf.gz", bgzip(text, 0xFF00))
    forced = Options(access="scan", neighbours="always")
    assert told(path, Options())[0] == "search"
    assert told(path, forced) == by_pass(path, Options(neighbours="always"))
    pysam.tabix_index(str(path), preset="vcf")
    assert [told(path, options)[0] for options in (Options(), forced)] == ["index", "scan"]
    for command in (["annotate", "-f", "json"], ["inspect", "-f", "json"]):
        done = run_pgx(*command, "--access", "scan", path)
        assert done.exit_code == 0, done.stderr
        assert '"access": "scan"' in done.stdout
    run_pgx("cohort", path, "-o", tmp_path / "out", "--access", "scan", "--reports", "json", "--jobs", 1)
    (report,) = (tmp_path / "out" / "reports").glob("*.json")
    assert '"access": "scan"' in report.read_text()


def test_a_cohort_searches_too(tmp_path, text, run_pgx, monkeypatch):
    runs = save(tmp_path / "runs", b"")  # a file, since a child process does the work
    run = search.Search.run

    def counted(self, *rest):
        found = run(self, *rest)
        with runs.open("a") as file:
            file.write("x")
        return found

    monkeypatch.setattr(search.Search, "run", counted)
    path = save(tmp_path / "a.vcf", text)
    rows = []
    for name in ("one", "two"):
        done = run_pgx("cohort", path, "-o", tmp_path / name, "--jobs", 1)
        assert done.exit_code == 0, done.stderr
        rows.append((tmp_path / name / "samples.tsv").read_text())
        monkeypatch.setattr(read, "LEAST", 1 << 60)
    assert rows[0] == rows[1]
    assert runs.read_text() == "x"


def test_a_stale_index_leads_to_a_search(tmp_path, text, monkeypatch):
    monkeypatch.setattr(read, "LEAST", 200_000)
    path = save(tmp_path / "a.vcf.gz", bgzip(text, 0xFF00))
    pysam.tabix_index(str(path), preset="vcf", force=True)
    assert told(path, Options())[0] == "index"
    os.utime(f"{path}.tbi", (1, 1))
    assert same(path) == "search"
    assert read_sites(str(path)).facts.stale_index


@pytest.mark.parametrize("packed", [False, True])
def test_every_record_of_a_window_is_read(tmp_path, small, monkeypatch, packed):
    """Where positions repeat, the first of them may be the line before the one that a probe shows."""
    monkeypatch.setattr(search, "_LOOK_BACK", 0)
    dice = random.Random(11)  # noqa: S311 - test data
    places = sorted(dice.choices(range(44_000_000, 44_001_600), k=8000))
    rows = [line("chr19", place) for place in [*places, *SITES.values()]]
    data = ("\n".join([*header(dice), *rows]) + "\n").encode()
    path = save(tmp_path / "a.vcf", bgzip(data, 500) if packed else data)
    for start in range(44_000_000, 44_001_600, 23):
        with opened(str(path)) as door:
            blocks = (bgzf.Blocks if packed else bgzf.PlainBlocks)(door.raw)
            sites = [*SITES.values()]
            found = search.Search(blocks, door.header, door.label, door.limits, sites=sites, around=False)
            fed: list[bytes] = []
            monkeypatch.setattr(found.scan, "feed", fed.append)
            with contextlib.suppress(search.NotProvenError):  # the scan keeps no row, since it is fed nothing
                found.run([(start - 1, start + 20)])
        lines = b"".join(fed).decode().splitlines()
        wanted = [place for place in places if start <= place <= start + 20]
        assert [position(row) for row in lines if start <= position(row) <= start + 20] == wanted
        assert len(lines) < len(rows) / 2


_STRANGE = (
    *("chr1", "7", "22", "X", "chrM", "CHR19", "chr19", "19", "NC_000019.10", "cm000681.2", "chr019"),
    *(
        "Chromosome_19",
        "GL000219.1",
        "HLA-A*01:19",
        "chr19_KI270866v1_alt",
        "NC_000007.14",
        "chrUn_KI270519v1",
        "",
    ),
)
_IDS = (
    *(".", "rs1", "rs74125", "RS7412", "rs429358", "rs5;Rs7412", "rs7412;rs5", "1:7412:A:G", "rs5;x7412"),
    "dbsnp|rs7412",
)


def by_line(rows: list[str], first: int) -> tuple[list[tuple[str, bytes]], list[str], bool]:
    """Return what a pass must keep, the names that it must tell, and whether it must say unsorted."""
    kept, names, unsorted = [], [], False
    last, before, seen = 0, "", set()
    for number, row in enumerate(rows, start=first):
        contig, place, name, ref, _, _, _, info = row.split("\t")[:8]
        if contig != before:
            unsorted = unsorted or (scan.is_wanted(contig) and contig in seen)
            last = 0
        before = contig
        if contig not in seen and (scan.is_wanted(contig) or scan.looks_wanted(contig)):
            names.append(contig)
        seen.add(contig)
        covers = False
        if scan.is_wanted(contig):
            unsorted, last = unsorted or int(place) < last, int(place)
            end = max(int(place) + len(ref) - 1, *map(int, re.findall(r"END=(\d+)", info)), 0)
            covers = any(int(place) <= site <= end for site in scan.places()[:-1])
        if covers or {"rs429358", "rs7412"} & set(name.lower().split(";")):
            kept.append((f"line {number}", row.encode()))
    return kept, names, unsorted


def test_a_pass_keeps_what_one_line_after_the_other_shows(tmp_path):
    """Whatever contigs are called, however they are mixed, and wherever the text is cut into pieces."""
    found: Counter[str] = Counter()
    for seed in range(400):
        dice = random.Random(seed)  # noqa: S311 - test data
        contigs = dice.sample(_STRANGE[: dice.choice((8, 18))], dice.randint(1, 8))
        rows = []
        for contig in contigs * dice.randint(1, 2):
            near = dice.choice(scan.places()[:-1])
            starts = [
                dice.choice((dice.randint(1, 50_000_000), near + dice.randint(-40, 3)))
                for _ in range(dice.randint(1, 9))
            ]
            for start in sorted(starts) if dice.random() < 0.8 else starts:
                info = dice.choice((".", ".", f"END={start + dice.randint(0, 9_000_000)}", f"END=0{near}"))
                ref = "A" * dice.choice((1, 1, 30))
                name = dice.choice(_IDS) if dice.random() < 0.3 else "rs3"
                rows.append(line(contig, start, ref, name=name, info=info))
        head = header(dice)
        text = ("\n".join([*head, *rows]) + "\n").encode()
        with opened(str(save(tmp_path / "a.vcf", text))) as door:
            whole = b"".join(door.rest)
            size = dice.choice((7, 60, 400, 1 << 20))
            passed = scan.scan_of(door.header, "a.vcf", door.limits)
            kept = passed.run(whole[at : at + size] for at in range(0, len(whole), size))
        wanted, names, unsorted = by_line(rows, len(head) + 1)
        assert [(row.place, row.data) for row in kept] == wanted, seed
        assert (passed.names, passed.unsorted) == (names, unsorted), seed
        found.update(kept=len(kept), unsorted=unsorted, names=len(names))
    assert min(found.values()) > 100


def test_no_name_of_chromosome_19_is_passed_over(tmp_path):
    """Whatever stands around it: lines are told apart by the first and the last of them in order."""
    strange = ("chr019", "Homo_sapiens_chr_19", "NC_19.1", "x_cm000681", "NC_000019.10")
    others = (*CHROMOSOMES, *(f"chr{name}" for name in CHROMOSOMES), "GL000220.1", "chr190", "chr1_19")
    rows = "".join(f"{row}\n" for row in header(random.Random(1)))  # noqa: S311 - test data
    with opened(str(save(tmp_path / "a.vcf", f"{rows}{line('chr1', 1)}\n".encode()))) as door:
        for name in (*contig_names(), *strange, *others):
            for around in (("chr1", "chr2"), ("chr19_", "chr19-"), ("A", "x"), ("chr1", "chr1"), ("9", "")):
                passed = scan.scan_of(door.header, "a.vcf", door.limits)
                lines = [line(contig, 5) for contig in (around[0], name, around[1])]
                passed.feed("".join(f"{row}\n" for row in lines).encode())
                assert (name in passed.names) == (scan.is_wanted(name) or scan.looks_wanted(name)), name
                assert name in others or name in passed.names or name == "NC_19.1"


def test_every_end_behind_a_place_is_found():
    for place in (10, 96, 1234, 44_908_684, 99_999_999):
        for end in {place, place + 1, place * 2, place * 10, place * 1234}:
            assert scan._ends_from(place).search(b"AC=1;END=%d;AN=2" % end), (place, end)
            assert scan._ends_from(place).search(b"END=00%d" % end), (place, end)
        for end in {place - 1, place // 10, place // 2}:
            assert not scan._ends_from(place).search(b"END=%d" % end), (place, end)


def test_zlib_reads_the_same_where_isal_is_missing(tmp_path, text, monkeypatch):
    pytest.importorskip("isal")
    some = text[:300_000].rpartition(b"\n")[0] + b"\n"
    packed, plain = bgzip(some, 0xFF00), gzip.compress(some)
    cut = some.rindex(b"\n", 0, 50_000) + 1
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    body_of = packer.compress(some[:cut]) + packer.flush(zlib.Z_FULL_FLUSH)  # all of it, but for the end
    shorter = packed[:16] + (len(body_of) + 17).to_bytes(2, "little") + body_of + bgzip(some[cut:], 0xFF00)
    sound = [packed, plain, plain + b"\0\0", plain + gzip.compress(b"")]
    harmed = [packed + b"\0\0", packed[:-28], packed[:-1], plain[:-1], shorter, packed[:-28] + plain]
    for data in (packed, plain):
        harmed += [data[:at] + bytes([data[at] ^ 5]) + data[at + 1 :] for at in (40, 9000, len(data) - 40)]
    paths = [save(tmp_path / f"{number}.vcf.gz", data) for number, data in enumerate([*sound, *harmed])]
    with_isal = [told(path, Options()) for path in paths]

    monkeypatch.setattr(bgzf, "zlib", zlib)
    monkeypatch.setattr(bgzf, "BROKEN", (zlib.error,))
    assert [told(path, Options()) for path in paths] == with_isal
    assert [access for access, _ in with_isal] == [*["scan"] * len(sound), *["error"] * len(harmed)]


def one_by_one(data: bytes) -> bytes | None:
    """Return the bytes in blocks, each inflated by itself; None where one is damaged."""
    place, parts = 0, []
    while place < len(data):
        end = place + bgzf.block_size(data, place)
        if end == place:
            return None
        try:
            parts.append(bgzf.unpacked(data[place:end], "a"))
        except PgxError:
            return None
        place = end
    return b"".join(parts)


def test_blocks_that_are_inflated_together_are_as_strict_as_one_by_one(tmp_path, text):
    """A block that holds two members, or more than 64 KB, is damage, and so is any bit that is turned."""
    blocks = [bgzip(text[at : at + 1000], 1000)[:-28] for at in range(0, 3000, 1000)]
    more = gzip.compress(b"x")
    two = blocks[0][:16] + (len(blocks[0]) + len(more) - 1).to_bytes(2, "little") + blocks[0][18:] + more
    bomb = gzip.compress(bytes(10_000_000))
    size = (len(bomb) + 8 - 1).to_bytes(2, "little")
    bomb = bomb[:3] + b"\4" + bomb[4:10] + b"\6\0BC\2\0" + size + bomb[10:]
    whole = b"".join(blocks)
    turned = [whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in range(18, len(whole), 7)]
    damage = 0
    for data in (whole, two, two + whole, bomb, whole + bomb, *turned):
        with opened(str(save(tmp_path / "a.vcf.gz", bgzip(text[:5000], 5000)))) as door:
            door.raw.pieces = lambda data=data: iter([data + bgzip(b"", 1)])
            try:
                found = b"".join(bgzf.inflated(door.raw, "BGZF"))
            except PgxError:
                found = None
        assert found == one_by_one(data)
        damage += found is None
    assert damage > 50


def test_a_block_is_found_from_anywhere_and_read_about_once(tmp_path, monkeypatch):
    """Also where blocks are as large as they can be, and where what looks like one is none."""
    dice = random.Random(4)  # noqa: S311 - test data
    rough = dice.randbytes(150_000)
    smooth = b"".join(b"chr1\t%d\n" % place for place in range(20_000))
    data = bgzip(rough + smooth + bgzip(smooth, 300)[:90_000] + rough, 60_000)
    starts, place = [], 0
    while size := bgzf.block_size(data, place):
        starts.append(place)
        place += size
    with open_.local_bytes(open_.look(str(save(tmp_path / "a.gz", data)))) as raw:
        blocks = bgzf.Blocks(raw)
        for place in range(0, len(data), 2003):
            assert blocks.near(place) == next((start for start in starts if start >= place), None)
        counts = []
        at = raw.at
        monkeypatch.setattr(raw, "at", lambda offset, count: counts.append(count) or at(offset, count))
        found, place = [], 0
        while (block := blocks.load(place))[1] != place:
            assert blocks.head(place) == block[0][: 1 << 12]
            found.append(block[0])
            place = block[1]
    assert b"".join(found) == b"".join(
        bgzf.unpacked(data[a:b], "a") for a, b in pairwise([*starts, len(data)])
    )
    assert sum(counts) < 2.5 * len(data)

    hidden = bgzip(rough[:20_000] + bgzip(b"x", 1) + rough[50_000:80_000], 60_000)
    assert hidden.count(hidden[:4]) == 4, "two that are none in one that cannot be packed"
    with open_.local_bytes(open_.look(str(save(tmp_path / "b.gz", hidden)))) as raw:
        assert bgzf.Blocks(raw).near(0) == 0


def test_a_long_record_of_a_bcf_is_looked_at_once(tmp_path, monkeypatch):
    names = [f"S{number}" for number in range(3000)]
    head = header(random.Random(1))  # noqa: S311 - test data
    head[-1] = "\t".join([*head[-1].split("\t")[:9], *names])
    rows = [row.rpartition("\t")[0] + "\t0/0:60" * len(names) for row in sites(random.Random(1))]  # noqa: S311
    plain = save(tmp_path / "a.vcf", ("\n".join([*head, *rows * 20]) + "\n").encode())
    with (
        pysam.VariantFile(str(plain)) as source,
        pysam.VariantFile(str(tmp_path / "a.bcf"), "wb", header=source.header) as to,
    ):
        for record in source:
            to.write(record)
    looked: list[int] = []
    places = scan._named_places
    monkeypatch.setattr(scan, "_named_places", lambda data: looked.append(len(data)) or places(data))
    with opened(str(tmp_path / "a.bcf")) as door:
        whole = b"".join(door.rest)
        found = scan.scan_of(door.header, "a.bcf", door.limits).run(
            whole[at : at + 99] for at in range(0, len(whole), 99)
        )
    assert len(found) == 40
    assert sum(looked) < 3 * len(whole)
