"""Every output is read back: each sample has its own diplotype, status, letters, phase and depths in it.

Two people stand in one file, and are asked for in the other order. What is expected is written here by hand;
the JSON must say it, and every other format what the JSON says.
"""

from __future__ import annotations

import csv
import html as entities
import io
import json
import re

import pytest
from msgspec import Struct
from pypdf import PdfReader
from vcf_builder import RSIDS, block, site, write_vcf

from pgx.wording import wording

KEYS = "GT:GQ:AD:DP"
PHASED = "GT:GQ:AD:DP:PS:PQ"
STATUSES = ("non-carrier", "heterozygous", "homozygous", "carrier", "indeterminate")
WORDS = wording()


class Person(Struct, frozen=True, kw_only=True):
    """The sample columns at both sites (None: a block), and what follows from them."""

    columns: tuple[str | None, str | None]
    diplotype: str | None
    status: str
    phase: str = "not-needed"
    arrangement: str | None = None  # of the two ALT alleles, where both sites are heterozygous


def person(first, second, diplotype, status, phase="not-needed", arrangement=None):
    return Person(
        columns=(first, second), diplotype=diplotype, status=status, phase=phase, arrangement=arrangement
    )


#: The state: keys of the columns, assembly, options, the people in the order of the file.
STATES = {
    "heterozygous-homozygous": (
        KEYS,
        "GRCh38",
        (),
        {
            "Anna": person("0/1:99:21,13:34", "0/0:99:30,0:30", "e3/e4", "heterozygous"),
            "Bodo": person("1/1:99:0,41:41", "0/0:99:27,1:28", "e4/e4", "homozygous"),
        },
    ),
    "phased-trans-cis": (
        PHASED,
        "GRCh38",
        (),
        {
            "Anna": person(
                "0|1:99:20,11:31:44908684:60",
                "1|0:99:17,25:42:44908684:60",
                "e2/e4",
                "heterozygous",
                "phased",
                "Trans",
            ),
            "Bodo": person(
                "0|1:99:19,12:31:44908684:60",
                "0|1:99:16,24:40:44908684:60",
                "e1/e3",
                "non-carrier",
                "phased",
                "Cis",
            ),
        },
    ),
    "phased-cis-trans-the-other-way": (
        PHASED,
        "GRCh37",
        (),
        {
            "Anna": person(
                "1|0:99:14,22:36:45411941:60",
                "1|0:99:13,29:42:45411941:60",
                "e1/e3",
                "non-carrier",
                "phased",
                "Cis",
            ),
            "Bodo": person(
                "1|0:99:15,23:38:45411941:60",
                "0|1:99:18,26:44:45411941:60",
                "e2/e4",
                "heterozygous",
                "phased",
                "Trans",
            ),
        },
    ),
    "unphased-and-both-e2": (
        KEYS,
        "GRCh37",
        (),
        {
            "Anna": person(
                "0/1:99:18,11:29", "0/1:99:26,13:39", "e2/e4", "heterozygous", "unphased", "Unknown"
            ),
            "Bodo": person("0/0:99:33,0:33", "1/1:99:0,35:35", "e2/e2", "non-carrier"),
        },
    ),
    "unphased-not-determined": (
        KEYS,
        "GRCh38",
        ("--population", "AFR"),
        {
            "Anna": person(
                "0/1:99:18,11:29", "0/1:99:26,13:39", None, "indeterminate", "unphased", "Unknown"
            ),
            "Bodo": person("0/0:99:31,0:31", "0/1:99:12,17:29", "e2/e3", "non-carrier"),
        },
    ),
    "half-calls": (
        KEYS,
        "GRCh38",
        (),
        {
            "Anna": person("./1:99:10,12:22", "0/0:99:29,0:29", None, "carrier"),
            "Bodo": person("0/.:99:20,0:20", "0/0:99:28,0:28", None, "indeterminate"),
        },
    ),
    "no-call-and-e4": (
        KEYS,
        "GRCh38",
        (),
        {
            "Anna": person("./.:.:.:.", "0/0:99:24,0:24", None, "indeterminate"),
            "Bodo": person("0/1:99:15,16:31", "0/0:99:23,0:23", "e3/e4", "heterozygous"),
        },
    ),
    "reference-block": (
        KEYS,
        "GRCh38",
        (),
        {
            "Anna": person("1/1:99:1,32:33", None, "e4/e4", "homozygous"),
            "Bodo": person("0/0:99:34,0:34", None, "e3/e3", "non-carrier"),
        },
    ),
    "e1-and-e3": (  # of high quality, so that even the very rare haplotype is determined
        KEYS,
        "GRCh38",
        (),
        {
            "Anna": person("1/1:99:0,36:36", "0/1:99:14,19:33", "e1/e4", "heterozygous"),
            "Bodo": person("0/0:99:37,0:37", "0/0:99:38,0:38", "e3/e3", "non-carrier"),
        },
    ),
}
ORDER = ("Bodo", "Anna")


def letters(state, name):
    """Return the alleles of both sites as they must be printed; None where they are not both known."""
    found = []
    for rsid, column in zip(RSIDS, STATES[state][3][name].columns, strict=True):
        if column is None:
            found.append("T/T" if rsid == "rs429358" else "C/C")
            continue
        gt = column.split(":")[0]
        pair = ("T", "C") if rsid == "rs429358" else ("C", "T")
        found.append(
            None
            if "." in gt
            else ("|" if "|" in gt else "/").join(pair[int(copy)] for copy in re.split(r"[|/]", gt))
        )
    return found


def depths(state, name):
    """Return (REF reads, ALT reads) of both sites; None where they are not stated."""
    found = []
    for column in STATES[state][3][name].columns:
        stated = "." if column is None else column.split(":")[2]
        found.append(None if stated == "." else tuple(int(count) for count in stated.split(",")))
    return found


class Made:
    """The file of a state and all its outputs, each written once."""

    def __init__(self, state, folder, run_pgx):
        self.state, self.folder, self.run = state, folder, run_pgx
        self.keys, assembly, self.options, self.people = STATES[state]
        columns = list(zip(*(item.columns for item in self.people.values()), strict=True))
        rows = [
            block(over=[rsid], gt="0/0:40:60:35:0,60,900")
            if pair[0] is None
            else site(rsid, gt=pair, format=self.keys)
            for rsid, pair in zip(RSIDS, columns, strict=True)
        ]
        self.source = write_vcf(
            folder / "in.vcf", records=rows, samples=list(self.people), assembly=assembly, contig="chr19"
        )

    def output(self, name, *more, command="annotate"):
        """Return the path of an output, written by `pgx annotate` or, from a stored result, `pgx report`."""
        source, options = self.source, self.options
        path = self.folder / command / "-".join([*more, "x"]).replace("/", "_") / name
        if command == "report":
            source, options = self.output("stored.json"), ()
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            asked = [part for person in ORDER for part in ("-s", person)]
            out = f"{path}/" if "." not in name else path
            done = self.run(command, source, *asked, *options, *more, "-o", out)
            assert done.exit_code == 0, done.stderr
        return path

    def pages(self, form, *more, command="annotate"):
        """Return the file of each sample in a format of one sample, by the index of the folder."""
        folder = self.output(f"pages-{form}", "-f", form, *more, command=command)
        rows = [line.split("\t") for line in (folder / "index.tsv").read_text().splitlines()[1:]]
        assert [name for _, name in rows] == list(ORDER)
        return {name: folder / file for file, name in rows}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    from typer.testing import CliRunner

    from pgx.cli.main import app

    done = {}

    def run(*arguments):
        return CliRunner().invoke(
            app, [str(a) for a in arguments], env={"SOURCE_DATE_EPOCH": "0"}, catch_exceptions=False
        )

    def make(state):
        if state not in done:
            done[state] = Made(state, tmp_path_factory.mktemp("people"), run)
        return done[state]

    return make


@pytest.fixture(scope="module", params=STATES)
def state(request, made):
    return made(request.param)


def truth(made, command="annotate"):
    """Return what the JSON says of each sample, in its order, once that is what is expected."""
    path = made.output("stored.json") if command == "annotate" else made.output("a.json", command=command)
    document = json.loads(path.read_text())
    found = {item["sample"]: item for item in document["samples"]}
    assert list(found) == list(ORDER)
    for name, item in found.items():
        wanted = made.people[name]
        genotype = item["genotype"]
        assert (genotype["diplotype"], genotype["e4_status"]) == (wanted.diplotype, wanted.status), name
        assert genotype["phase"] == wanted.phase, name
        said = [
            one["alleles"] and ("|" if one["phased"] else "/").join(one["alleles"]) for one in item["sites"]
        ]
        assert said == letters(made.state, name)
        stated = [one["allele_depths"] and tuple(one["allele_depths"]) for one in item["sites"]]
        assert stated == depths(made.state, name)
    return found


COMMANDS = pytest.mark.parametrize("command", ["annotate", "report"])


@COMMANDS
def test_json_and_jsonl(state, command):
    wanted = truth(state, command)
    lines = state.output("a.jsonl", command=command).read_text().splitlines()
    assert [json.loads(line)["samples"] for line in lines] == [[wanted[name]] for name in ORDER]


def squeezed(words):
    """Drop blanks, and hyphens with them: a PDF breaks lines after one, text wraps."""
    return re.sub(r"[\s\u00ad\u200b-]+", "", words)


def _pattern(topic, key, **holes):
    """Return a sentence as a pattern, its values named groups."""
    blank = {name: f"\0{name}\0" for name in holes}
    text = re.escape(squeezed(WORDS.say(topic, key, **blank)))
    for name, shape in holes.items():
        text = text.replace(f"\0{name}\0", f"(?P<{name}>{shape})")
    return text


_STATUS_WORDS = {squeezed(WORDS.say("status", key)): key for key in STATUSES}
_STATUS = "|".join(re.escape(words) for words in _STATUS_WORDS)
_RESULTS = (
    _pattern("result", "determined", diplotype=r"ε\d/ε\d", status=_STATUS),
    _pattern("result", "status_only", status=_STATUS),
    _pattern("result", "diplotype_only", diplotype=r"ε\d/ε\d"),
    _pattern("result", "undetermined"),
    _pattern("result", "no_information"),
)


def read_words(words):
    """Read a readable report of one sample: sample, diplotype, status, letters, and in full also phase."""
    text = squeezed(words)
    sample = re.search(r"APOEandCerebrolysin:(\w+?)=*Sample", text)
    found = [match for one in _RESULTS for match in re.finditer(one, text)]
    found = min(found, key=lambda match: match.start()).groupdict()
    name = found.get("diplotype")
    status = found.get("status")
    phase = re.search(r"Phase:(phased|unphased|notneeded)", text)
    said = [re.search(rf"{rsid}:?([TC][/|][TC])", text) for rsid in RSIDS]
    return {
        "sample": sample and sample[1],
        "diplotype": name and name.replace("ε", "e"),
        "status": _STATUS_WORDS[status] if status else "indeterminate",
        "phase": phase and phase[1].replace("notneeded", "not-needed"),
        "letters": [match and match[1] for match in said],
    }


def check_words(made, words, item, *, full):
    read = read_words(words)
    assert read["sample"] == item["sample"]
    assert (read["diplotype"], read["status"]) == (
        item["genotype"]["diplotype"],
        item["genotype"]["e4_status"],
    )
    assert read["letters"] == letters(made.state, item["sample"])
    if not full:
        return
    assert read["phase"] == item["genotype"]["phase"]
    text = squeezed(words)
    for name, other in made.people.items():
        for column in filter(None, other.columns):
            shown = squeezed(f"{made.keys} {column}") in text
            same = column in made.people[item["sample"]].columns
            assert shown is same, (name, column)


def test_text(state):
    wanted = truth(state)
    parts = state.output("a.txt", "--full", command="report").read_text().split("=" * 80)
    assert len(parts) == len(ORDER)
    for name, part in zip(ORDER, parts, strict=True):
        check_words(state, part, wanted[name], full=True)


def test_the_summary_as_text(state):
    wanted = truth(state)
    for name in ORDER:
        done = state.run("annotate", state.source, "-s", name, *state.options)
        check_words(state, done.stdout, wanted[name], full=False)


def test_one_line_a_sample(state):
    wanted = truth(state)
    lines = state.output("a.txt").read_text().splitlines()[: len(ORDER)]
    for name, line in zip(ORDER, lines, strict=True):
        genotype = wanted[name]["genotype"]
        assert line.startswith(f"{name}: ")
        found = re.findall(r"APOE (ε\d/ε\d)", line)
        assert [one.replace("ε", "e") for one in found] == [genotype["diplotype"]] * bool(found)
        assert bool(found) is (genotype["diplotype"] is not None)
        said = [key for key in STATUSES if f"; {WORDS.say('status', key)};" in line]
        assert said == [genotype["e4_status"]] * (genotype["e4_status"] != "indeterminate")


def visible(page):
    return entities.unescape(
        re.sub(r"<[^>]+>", " ", re.sub(r"<(svg|style|script).*?</\1>", "", page, flags=re.DOTALL))
    )


def check_pictures(page, item):
    """The pictures show the letters of each chromosome and its haplotype, and describe the same."""
    picture = re.search(r'<svg[^>]*aria-labelledby="chromosomes-t.*?</svg>', page, flags=re.DOTALL)[0]
    drawn = [entities.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", picture)]
    diplotype = item["genotype"]["diplotype"]
    said = re.findall(r"Chromosome \d: rs429358 (\w+)[^,]*, rs7412 (\w+)[^;]*; haplotype: ([^.]*)\.", picture)
    assert len(said) == 2
    first, second = (
        [text for text in drawn if text in {"T", "C", "?"}][start : start + 2] for start in (0, 2)
    )
    assert [[letter.replace("unknown", "?") for letter in one[:2]] for one in said] == [first, second]
    if diplotype is not None:
        assert [one[2].replace("ε", "e") for one in said] == diplotype.split("/")
        spelled = {"e1": ["C", "T"], "e2": ["T", "T"], "e3": ["T", "C"], "e4": ["C", "C"]}
        assert [first, second] == [spelled[name] for name in diplotype.split("/")]
        assert [text.replace("ε", "e") for text in drawn if re.fullmatch(r"ε\d", text)] == diplotype.split(
            "/"
        )
    bars = re.search(r'<svg[^>]*aria-labelledby="posterior-t.*?</svg>', page, flags=re.DOTALL)
    if bars is not None:
        names = re.findall(r"<text[^>]*>(ε\d/ε\d)</text>", bars[0])
        ranked = sorted(item["genotype"]["diplotype_posterior"].items(), key=lambda one: -one[1])
        assert [name.replace("ε", "e") for name in names] == [name for name, _ in ranked[: len(names)]]


def check_map(page, item):
    """Each set of data has one mark: under its side, in its order, counted or not, with its people."""
    sides = {"for-lower-response": "carriers less", "for-higher-response": "carriers more"}
    sets = {}
    for row in item["response"][0]["by_status"]:
        if row["group"] == "carrier" and row["side"] in {*sides, "for-no-difference"}:
            own = (*(row["data_sets"] or [row["claim_id"]]), row["side"], row["applicable"], row["indirect"])
            sets.setdefault(own, []).append(row)
    picture = re.search(r'<svg[^>]*aria-labelledby="map-0-t.*?</svg>', page, flags=re.DOTALL)[0]
    heads = {words: float(x) for x, words in re.findall(r'<text x="([\d.]+)"[^>]*>(carriers \w+)<', picture)}
    heads["middle"] = (heads["carriers less"] + heads["carriers more"]) / 2
    assert heads["carriers less"] < heads["middle"]
    shape = (
        r'<(?:rect x="([\d.]+)" y="[^"]*" width="([\d.]+)"|circle cx="([\d.]+)")[^>]*'
        r'class="(mark[\w-]*)"'
    )
    marks = [
        (float(x) + float(width) / 2, kind, True) if width else (float(center), kind, False)
        for x, width, center, kind in re.findall(shape, picture)
    ]
    numbers = re.findall(r">(n \d+|size unknown)<", picture)
    assert len(marks) == len(sets) == len(numbers) > 0
    for rows, (x, kind, is_square), number in zip(sets.values(), marks, numbers, strict=True):
        assert x == pytest.approx(heads[sides.get(rows[0]["side"], "middle")]), rows[0]["claim_id"]
        stated = [re.search(r"\d[\d,]*", row["sample_size"]) for row in rows]
        people = [int(found[0].replace(",", "")) for found in stated if found]
        assert number == (f"n {max(people)}" if people else "size unknown")
        assert kind == ("mark-unknown" if not people else "mark" if rows[0]["applicable"] else "mark-other")
        assert is_square is rows[0]["indirect"]


@pytest.mark.parametrize(("command", "sealed"), [("annotate", False), ("report", True)])
def test_html(state, command, sealed):
    wanted = truth(state)
    for name, path in state.pages("html", *(["--sealed"] if sealed else []), command=command).items():
        page = path.read_text()
        check_words(state, visible(page), wanted[name], full=True)
        check_pictures(page, wanted[name])
        check_map(page, wanted[name])
        if sealed:
            cover = visible(page[: page.index('<details class="seal"')])
            assert all(word not in squeezed(cover) for word in _STATUS_WORDS)
            assert not re.search(r"ε\d/ε\d|rs\d+:", squeezed(cover))


@pytest.mark.slow
def test_pdf(state):
    """Every other state is sealed, and from a stored result: reading a PDF takes seconds."""
    sealed = list(STATES).index(state.state) % 2 == 1
    command = "report" if sealed else "annotate"
    wanted = truth(state)
    for name, path in state.pages("pdf", *(["--sealed"] if sealed else []), command=command).items():
        leaves = [leaf.extract_text() for leaf in PdfReader(io.BytesIO(path.read_bytes())).pages]
        footer = re.compile(r"pgx [\d.]+\. For genetic.*$", re.DOTALL)
        bare = [footer.sub("", leaf) for leaf in leaves]
        check_words(state, "\n".join(bare), wanted[name], full=True)


@pytest.mark.slow
def test_handout(state):
    wanted = truth(state)
    for name in ORDER:
        for ending in ("txt", "html", "pdf"):
            path = state.folder / f"{name}.{ending}"
            done = state.run("annotate", state.source, "-s", name, *state.options, "--handout", path)
            assert done.exit_code == 0
            if ending == "pdf":
                words = "".join(leaf.extract_text() for leaf in PdfReader(path).pages)
            else:
                words = path.read_text() if ending == "txt" else visible(path.read_text())
            text = squeezed(words)
            said = [key for key in STATUSES if squeezed(WORDS.say("handout", key)) in text]
            assert said == [wanted[name]["genotype"]["e4_status"]]
            assert re.search(rf"For:?{name}·?Date", text)
            for topic in ("alzheimer", "family"):
                own = WORDS.say("handout", f"{topic}_{wanted[name]['genotype']['e4_status']}")
                assert squeezed(own) in text


def read_table(path):
    return list(csv.DictReader(io.StringIO(path.read_text()), delimiter="\t"))


def check_row(row, item, source):
    """Check a row of a table, its cells as text; what is not determined is empty."""
    genotype = item["genotype"]
    assert row["sample"] == item["sample"]
    assert row["input"] == str(source)
    assert row["diplotype"] == (genotype["diplotype"] or "")
    assert row["e4_status"] == genotype["e4_status"]
    assert row["e4_copies"] == ("" if genotype["e4_copies"] is None else str(genotype["e4_copies"]))
    assert row["phase"] == genotype["phase"]
    assert float(row["diplotype_probability"]) == pytest.approx(genotype["diplotype_probability"], abs=1e-9)
    copies = genotype["e4_copies_posterior"]
    assert float(row["e4_carrier_probability"]) == pytest.approx(1 - copies["0"], abs=1e-9)
    for one in item["sites"]:
        said = one["alleles"] and ("|" if one["phased"] else "/").join(one["alleles"])
        assert row[one["rsid"]] == (said or one["state"])
    assert (
        row["flags"].split(";") == list(dict.fromkeys(flag["code"] for flag in item["flags"]))
        or not row["flags"]
    )


@COMMANDS
def test_tsv(state, command):
    wanted = truth(state)
    rows = read_table(state.output("a.tsv", command=command))
    assert [row["sample"] for row in rows] == list(ORDER)
    for row in rows:
        check_row(row, wanted[row["sample"]], state.source)


def test_the_frame_of_the_library(state):
    import pandas as pd

    import pgx

    wanted = truth(state)
    options = {"population": state.options[1]} if state.options else {}
    frame = pgx.to_frame(pgx.annotate(state.source, samples=ORDER, **options))
    assert list(frame["sample"]) == list(ORDER)
    for row in frame.to_dict("records"):
        cells = {key: "" if pd.isna(value) else str(value) for key, value in row.items()}
        check_row(cells, wanted[row["sample"]], state.source)


def test_the_tables_and_the_page_of_a_cohort(state):
    import pyarrow.parquet

    wanted = truth(state)
    folder = state.folder / "cohort"
    done = state.run(
        "cohort",
        state.source,
        *state.options,
        "-o",
        folder,
        "--jobs",
        1,
        "--sample-table",
        "--reports",
        "json",
    )
    assert done.exit_code == 0, done.stderr
    rows = read_table(folder / "samples.tsv")
    assert {row["sample"] for row in rows} == set(ORDER)
    for row in rows:
        check_row(row, wanted[row["sample"]], state.source)
    for row in pyarrow.parquet.read_table(folder / "samples.parquet").to_pylist():
        cells = {key: "" if value is None else str(value) for key, value in row.items()}
        check_row(cells, wanted[row["sample"]], state.source)
    page = (folder / "index.html").read_text()
    check_counts(folder, page, list(wanted.values()))
    table = page[page.index('<section id="table"') :]
    shown = {}
    for line in re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", table):
        cells = [entities.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in line.split("<td>")]
        shown[cells[0]] = cells
    assert set(shown) == set(ORDER)
    short = {WORDS.say("cohort", f"short_{key}"): key for key in STATUSES}
    for name, cells in shown.items():
        genotype = wanted[name]["genotype"]
        nothing = WORDS.say("cohort", "short_indeterminate")
        assert cells[1].replace("ε", "e") == (genotype["diplotype"] or nothing)
        assert short[cells[3]] == genotype["e4_status"]
        said = [
            (one["alleles"] and ("|" if one["phased"] else "/").join(one["alleles"]))
            or WORDS.say("state", one["state"])
            for one in wanted[name]["sites"]
        ]
        assert cells[4:6] == said
    for path in (folder / "reports").rglob("*.json"):
        (sample,) = json.loads(path.read_text())["samples"]
        assert sample["genotype"] == wanted[sample["sample"]]["genotype"]
        assert sample["sites"] == wanted[sample["sample"]]["sites"]


def check_counts(folder, page, found):
    """Check the numbers at the head of the page, and those for MultiQC, against the samples."""
    from collections import Counter

    statuses = Counter(item["genotype"]["e4_status"] for item in found)
    carriers = sum(statuses[key] for key in ("heterozygous", "homozygous", "carrier"))
    known = len(found) - statuses["indeterminate"]
    determined = sum(item["genotype"]["diplotype"] is not None for item in found)
    heads = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", page))
    shares = dict(re.findall(r'<dt>([^<]*)</dt><dd>[^<]*</dd><dd class="note">([\d.]+) %', page))
    wanted = {"samples": len(found), "determined": determined, "carriers": carriers}
    wanted["indeterminate"] = statuses["indeterminate"]
    for key, count in wanted.items():
        assert heads[WORDS.say("cohort", f"n_{key}")] == str(count), key
    for key, part, whole in (("determined", determined, len(found)), ("carriers", carriers, known)):
        share = shares.get(WORDS.say("cohort", f"n_{key}"))
        assert (share is None) if not whole else float(share) == pytest.approx(100 * part / whole, abs=0.1)
    content = json.loads((folder / "pgx_mqc.json").read_text())
    (row,) = content["data"].values()
    assert {key: row[key] for key in STATUSES} == {key: statuses[key] for key in STATUSES}
    for number, rsid in enumerate(RSIDS):
        unread = sum(item["sites"][number]["alleles"] is None for item in found)
        assert f"{rsid} {unread}" in content["description"]


def _coded(resource, code):
    return [part for part in resource.get("component", []) if part["code"]["coding"][0]["code"] == code]


def _observations(bundle, code):
    found = [entry["resource"] for entry in bundle["entry"]]
    return [item for item in found if item["code"]["coding"][0]["code"] == code]


@COMMANDS
def test_fhir(state, command):
    wanted = truth(state)
    for name, path in state.pages("fhir", command=command).items():
        bundle = json.loads(path.read_text())
        expected = state.people[name]
        assert {entry["resource"]["subject"]["identifier"]["value"] for entry in bundle["entry"]} == {name}
        check_claims(bundle, wanted[name])
        (genotype,) = _observations(bundle, "84413-4")
        said = genotype["valueCodeableConcept"]["text"].replace("ε", "e")
        undetermined = WORDS.say("result", "undetermined_short")
        assert said == (f"APOE {expected.diplotype}" if expected.diplotype else undetermined)
        haplotypes = [item["valueCodeableConcept"]["text"] for item in _observations(bundle, "84414-2")]
        names = expected.diplotype.split("/") if expected.diplotype else []
        assert [text.replace("ε", "e") for text in haplotypes] == [f"APOE {one}" for one in names]
        (status,) = _coded(genotype, "conclusion-string")
        assert status["valueString"].startswith(
            WORDS.say("result", "status_line", status=WORDS.say("status", expected.status))
        )
        phases = [
            item["valueCodeableConcept"]["coding"][0]["code"] for item in _observations(bundle, "82120-7")
        ]
        assert phases == ([expected.arrangement] if expected.arrangement else [])
        check_variants(state, name, _observations(bundle, "69548-6"), wanted[name])


def check_claims(bundle, item):
    """Each claim is an implication of its own: statement, direction, certainty and sources."""
    implications = _observations(bundle, "therapeutic-implication")
    found = {
        _coded(one, "conclusion-string")[0]["valueString"]: one for one in implications if "extension" in one
    }
    claims = [claim for response in item["response"] for claim in response["claims"]]
    shown = [claim for claim in claims if claim["statement"] in found]
    assert len(found) == len(shown) == len(implications) - len(item["response"])
    assert [claim for claim in claims if claim["applicable"] and claim not in shown] == []
    for claim in shown:
        one = found[claim["statement"]]
        (side,) = _coded(one, "therapeutic-implication")
        (level,) = _coded(one, "93044-6")
        assert side["valueCodeableConcept"]["coding"][0]["code"] == claim["side"]
        assert level["valueCodeableConcept"]["coding"][0]["code"] == claim["certainty"]
        cited = [part["valueRelatedArtifact"]["citation"] for part in one["extension"]]
        assert cited == [source["citation"] for source in claim["sources"]]


def check_variants(made, name, variants, item):
    """Check presence, allelic state and reads of the ALT allele at both sites."""
    assert len(variants) == 2
    for variant, one, said, reads in zip(
        variants, item["sites"], letters(made.state, name), depths(made.state, name), strict=True
    ):
        alt = "C" if one["rsid"] == "rs429358" else "T"
        place = _coded(variant, "81254-5")[0]["valueRange"]
        assert place["low"]["value"] == place["high"]["value"] == one["position"]
        answer = variant["valueCodeableConcept"]["coding"][0]["code"]
        stated = _coded(variant, "82121-5")
        zygosity = [part["valueCodeableConcept"]["coding"][0]["code"] for part in _coded(variant, "53034-5")]
        if said is None:
            present = alt in one["seen"]
            assert answer == ("LA9633-4" if present else "LA18198-4")
            assert (stated, zygosity) == ([], [])
        elif alt in said:
            assert answer == "LA9633-4"
            assert [part["valueQuantity"]["value"] for part in stated] == [reads[1]]
            assert zygosity == ["LA6705-3" if said[0] == said[2] else "LA6706-1"]
        else:
            assert answer == "LA9634-2"
            assert (stated, zygosity) == ([], [])


@pytest.mark.parametrize(("ending", "every"), [("vcf", False), ("vcf.gz", True), ("bcf", False)])
def test_vcf(state, ending, every):
    """Each column holds the answer and the record of the sample that the head names above it."""
    import pysam

    wanted = truth(state)
    path = state.output(f"a.{ending}", *(["--all-records"] if every else []))
    seen = set()
    with pysam.VariantFile(str(path)) as handle, pysam.VariantFile(str(state.source)) as source:
        assert list(handle.header.samples) == list(ORDER)
        before = {(one.chrom, one.pos, one.ref, one.alts): one for one in source}
        for record in handle:
            original = before[record.chrom, record.pos, record.ref, record.alts]
            for name in ORDER:
                mine, old = record.samples[name], original.samples[name]
                assert (mine.allele_indices, mine.phased) == (old.allele_indices, old.phased)
                for key in set(original.format) - {"GT"}:
                    assert mine[key] == old[key], key
                if "PGX_ST" not in record.format:
                    continue
                genotype = wanted[name]["genotype"]
                seen.add(record.pos)
                assert mine["PGX_DT"] == (genotype["diplotype"] or ".")
                assert mine["PGX_ST"] == genotype["e4_status"]
                assert mine["PGX_E4"] == genotype["e4_copies"]
                assert mine["PGX_PR"] == pytest.approx(genotype["diplotype_probability"], abs=1e-6)
                assert mine["PGX_AS"] == int(genotype["assumed"])
    assert len(seen) == 2


def test_inspect(state):
    wanted = truth(state)
    asked = [part for name in ORDER for part in ("-s", name)]
    plain = state.run("inspect", state.source, *asked).stdout
    found = json.loads(state.run("inspect", state.source, *asked, "-f", "json").stdout)
    assert [item["sample"] for item in found["samples"]] == list(ORDER)
    for number, name in enumerate(ORDER):
        start = plain.index(f"\n{name}\n")
        end = plain.index(f"\n{ORDER[1]}\n") if number == 0 else plain.index("What a call")
        words = squeezed(plain[start:end])
        for said, one, looked in zip(
            letters(state.state, name), wanted[name]["sites"], found["samples"][number]["sites"], strict=True
        ):
            for key in ("rsid", "position", "state", "alleles", "phased", "depth", "filter", "basis"):
                assert looked[key] == one[key], key
            shown = squeezed(
                f"{said} ({WORDS.say('state', one['state'])})" if said else WORDS.say("state", one["state"])
            )
            assert re.search(rf"{one['rsid']}atchr19:{one['position']}:{re.escape(shown)}", words)
        for column in filter(None, state.people[name].columns):
            assert squeezed(column[:12]) in words
