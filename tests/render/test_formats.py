"""What holds for all formats: the same words, the same bytes from a stored result, nothing that leaks.

Golden files (tests/render/golden) hold every state in every format; `PGX_UPDATE_GOLDEN=1` writes them anew.
Text is held whole in tests/golden. Of the others a golden file holds what differs between states: of JSON
genotype and sites, of HTML the parts with pictures, of FHIR all but the notes (which are the claims), of PDF
the words of its first two pages.
"""

from __future__ import annotations

import io
import json
import os
import re
import unicodedata
from pathlib import Path

import pytest
from msgspec.structs import replace
from pypdf import PdfReader
from render_states import SAMPLES, STATES, UNDETERMINED, sentences

from pgx.errors import UsageError
from pgx.render import Format, fhir, file_stem, format_of_name, json_document, pages, text, tsv
from pgx.render import handout as render_handout
from pgx.render.form import Form, PatientMeta
from pgx.render.medicine import evidence_marks
from pgx.render.narrative import handout, narrate
from pgx.render.summary import is_withheld
from pgx.render.sureness import status_probability
from pgx.report import Flag
from pgx.wording import percent as chance
from pgx.wording import wording

GOLDEN = Path(__file__).parent / "golden"
TAG = re.compile(r"<[^>]+>")


def words_of(page):
    """Return the visible words of a page, without blanks."""
    import html as entities

    body = page[page.index("<body>") :]
    body = re.sub(r"<svg.*?</svg>", "", body, flags=re.DOTALL)
    return squeezed(entities.unescape(TAG.sub("", body)))


def squeezed(words):
    """Drop blanks, and hyphens with them: a PDF breaks lines after one."""
    return re.sub(r"[\s\u00ad\u200b-]+", "", words)


def pdf_words(data):
    return [page.extract_text() for page in PdfReader(io.BytesIO(data)).pages]


def stable(words):
    words = re.sub(r"sha256:[0-9a-f]{64}", "sha256:<digest>", words)
    return words.replace(f"{SAMPLES}/", "")


def check_golden(name, words):
    path = GOLDEN / name
    if os.environ.get("PGX_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(words, encoding="utf-8")
    assert path.is_file(), "no golden file; see the module's first lines"
    assert words == path.read_text(encoding="utf-8")


def html_core(page):
    parts = re.findall(r'<section id="(?:result|sure|family)".*?</section>', page, flags=re.DOTALL)
    return "\n".join(re.sub(r"(</\w+>)(?=<)", r"\1\n", part) for part in parts) + "\n"


def json_core(run, report):
    whole = json.loads("".join(json_document(run, [report])))["samples"][0]
    kept = {key: whole[key] for key in ("sample", "genotype", "sites", "flags", "patient", "limitations")}
    kept["genotype"].pop("by_population")
    kept["conclusions"] = [item["conclusion"] for item in whole["response"]]
    return json.dumps(kept, indent=1, ensure_ascii=False) + "\n"


def fhir_core(run, report):
    bundle = fhir.bundle(run, report)
    for entry in bundle["entry"]:
        entry["resource"].pop("note", None)
        for page in entry["resource"].get("presentedForm", ()):
            page["data"] = "<the HTML report>"
    return json.dumps(bundle, indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("state", STATES)
class TestGolden:
    def test_json(self, one, state):
        check_golden(f"{state}.json", json_core(*one(state)))

    def test_html(self, one, state):
        check_golden(f"{state}.html", html_core(pages.as_html(*one(state))))

    def test_fhir(self, one, state):
        check_golden(f"{state}.fhir.json", stable(fhir_core(*one(state))))

    def test_tsv(self, one, state):
        run, report = one(state)
        check_golden(f"{state}.tsv", stable("".join(tsv.stream(run, [report]))))

    def test_pdf(self, one, state):
        leaves = pdf_words(pages.as_pdf(*one(state)))
        check_golden(f"{state}.pdf.txt", stable("\n".join(leaves[:2]) + "\n"))

    def test_vcf(self, one, state, tmp_path):
        from pgx.vcf.write import write_vcf

        run, report = one(state)
        path = tmp_path / "out.vcf"
        write_vcf(str(SAMPLES / STATES[state][0]), run, [report], str(path))
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if "PGX_" in line or "pgx_sample" in line]
        check_golden(f"{state}.vcf.txt", "\n".join(kept) + "\n")


@pytest.mark.parametrize("state", STATES)
def test_every_sentence_stands_in_text_html_and_pdf(one, state):
    run, report = one(state)
    told = narrate(run, report)
    plain = squeezed(text.render(run, report, Form(full=True)))
    page = words_of(pages.as_html(run, report))
    footer = squeezed(
        f"pgx {run.tool.version}. For genetic counsellors and physicians; not a diagnosis."
        f"{report.sample}, {run.created[:10]}"
    )
    leaves = [squeezed(leaf) for leaf in pdf_words(pages.as_pdf(run, report))]
    printed = "".join(re.sub(re.escape(footer) + r"page\d+of\d+$", "", leaf) for leaf in leaves)
    for sentence in sentences(told):
        wanted = squeezed(sentence)
        if not wanted:
            continue
        assert wanted in page, sentence
        pictured = sentence in {"Evidence map", "How probable each answer is"}
        assert pictured or wanted in plain, sentence
        assert wanted in printed, sentence


def test_pictures_without_a_table_are_only_headings():
    """The two titles that text leaves out are titles of pictures, whose tables text has."""
    words = Form().words
    assert words.say("picture", "map") == "Evidence map"
    assert words.say("picture", "posterior") == "How probable each answer is"


@pytest.mark.parametrize("state", STATES)
def test_result_is_said_at_a_glance(one, state):
    told = narrate(*one(state))
    result = next(part for part in told.sections if part.key == "result")
    assert len(" ".join(block.text for block in result.blocks).split()) <= 120


@pytest.mark.parametrize("state", STATES)
def test_limits_are_those_of_the_report(one, state):
    run, report = one(state)
    told = narrate(run, report)
    limits = [block.text for part in told.sections if part.key == "limits" for block in part.blocks]
    wanted = report.limitations[:4] if is_withheld(run, report) else report.limitations
    assert limits == list(wanted)


@pytest.mark.parametrize("state", sorted(UNDETERMINED))
def test_undetermined_never_reads_as_non_carrier(one, state):
    run, report = one(state)
    assert report.genotype.e4_status == "indeterminate"
    for words in (text.render(run, report), pages.as_html(run, report), json.dumps(fhir.bundle(run, report))):
        assert "not mean that the person carries no" in words
        assert "APOE ε3/ε3: no copy" not in words
    genotype = [
        entry["resource"]
        for entry in fhir.bundle(run, report)["entry"]
        if entry["resource"].get("code", {}).get("coding", [{}])[0].get("code") == "84413-4"
    ]
    assert genotype[0]["valueCodeableConcept"]["coding"][0]["code"] == "LA11884-6"


def test_assumed_letters_say_so_in_every_format(one):
    run, report = one("assumed-reference")
    for words in (
        text.render(run, report),
        pages.as_html(run, report),
        "".join(pdf_words(pages.as_pdf(run, report))),
        json.dumps(fhir.bundle(run, report)),
        "".join(tsv.stream(run, [report])),
    ):
        assert "(assumed)" in words
    assert json.loads("".join(json_document(run, [report])))["samples"][0]["genotype"]["assumed"] is True


def _anonymous(words):
    for pattern in (
        r"sha256[:-][\w+/=]+",
        r"[\w./-]*\.vcf",
        r"NA\d+|HG\d+|MADE-[A-Z-]+",
        r"\d+ bytes",
    ):
        words = re.sub(pattern, "", words)
    return words


def test_a_withheld_page_gives_nothing_away(run_pgx, tmp_path, monkeypatch):
    """Pages of minors with different results are the same but for name, file and digests, pictures too."""
    monkeypatch.chdir(SAMPLES)
    empty = tmp_path / "no-records.vcf"
    header = [
        line
        for line in (SAMPLES / STATES["heterozygous"][0]).read_text().splitlines(keepends=True)
        if line.startswith("#")
    ]
    empty.write_text("".join(header))
    files = (
        "NA18526.e3-e4.GRCh38.vcf",
        "NA12878.e3-e3.GRCh38.vcf",
        "HG00150.e2-e4.GRCh38.vcf",
        empty,
    )
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    pages = {_anonymous(run_pgx("annotate", file, "--age", "12", "-f", "html").stdout) for file in files}
    assert len(pages) == 1
    page = pages.pop()
    assert 'aria-labelledby="chromosomes' not in page
    assert 'aria-labelledby="posterior' not in page


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "tsv", "html", "pdf", "fhir"])
def test_a_stored_result_gives_the_same_bytes(form, run_pgx, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    source = SAMPLES / "NA18526.e3-e4.GRCh38.vcf"
    stored_file, direct, again = tmp_path / "r.json", tmp_path / "a.out", tmp_path / "b.out"
    assert run_pgx("annotate", source, "-o", stored_file).exit_code == 0
    assert run_pgx("annotate", source, "-f", form, "-o", direct).exit_code == 0
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "99999")
    assert run_pgx("report", stored_file, "-f", form, "-o", again).exit_code == 0
    assert direct.read_bytes() == again.read_bytes()
    assert direct.stat().st_size > 0


def test_a_stored_result_of_lines_is_read_too(run_pgx, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    source = SAMPLES / "eight-people.GRCh38.vcf.gz"
    lines = tmp_path / "r.jsonl"
    run_pgx("annotate", source, "-o", lines)
    assert run_pgx("report", lines, "-f", "tsv").stdout == run_pgx("annotate", source, "-f", "tsv").stdout
    one_of_them = run_pgx("report", lines, "-s", "NA19146", "-f", "text").stdout
    assert one_of_them == run_pgx("annotate", source, "-s", "NA19146").stdout
    assert run_pgx("report", lines, "-s", "NOBODY").exit_code == 3
    assert run_pgx("report", lines, "-f", "vcf").exit_code == 2
    assert run_pgx("report", lines, "-f", "html").exit_code == 2


def test_the_schema_is_current_and_holds(one, stored):
    import jsonschema
    from report_schema import SCHEMA_FILE, schema, schema_text

    shipped = SCHEMA_FILE.read_text(encoding="utf-8")
    assert shipped == schema_text(), "run: python tools/report_schema.py"
    validator = jsonschema.Draft202012Validator(schema())
    for state in STATES:
        whole = json.loads("".join(json_document(*[one(state)[0], [one(state)[1]]])))
        validator.validate(whole)
        whole["samples"][0]["genotype"]["surprise"] = 1
        assert not validator.is_valid(whole)


def test_folder_of_pages_has_an_index(run_pgx, tmp_path):
    source = SAMPLES / "eight-people.GRCh38.vcf.gz"
    folder = tmp_path / "pages"
    assert run_pgx("annotate", source, "-f", "html", "-o", f"{folder}/").exit_code == 0
    rows = [line.split("\t") for line in (folder / "index.tsv").read_text().splitlines()[1:]]
    assert [name for _, name in rows][:1] == ["HG00096"]
    assert {file for file, _ in rows} == {path.name for path in folder.glob("*.html")}
    assert len(rows) == 8


HOSTILE = "A&B <i>\"'=../../x\u202e\u0007"


def test_a_hostile_name_is_harmless_everywhere(one):
    run, report = one("heterozygous")
    report = replace(report, sample=HOSTILE)
    run = replace(run, input=replace(run.input, path=f"folder/{HOSTILE}.vcf"))
    page = pages.as_html(run, report)
    assert "<i>" not in page
    assert "A&amp;B &lt;i&gt;" in page
    for words in (page, text.render(run, report), "".join(tsv.stream(run, [report]))):
        assert "\u202e" not in words
        assert "\u0007" not in words
    words = "".join(pdf_words(pages.as_pdf(run, report)))
    assert "<i>" in words
    assert "\u202e" not in words
    assert "\u202e" not in fhir.render(run, report).decode()
    for ending in (".html", ".txt", ".pdf"):
        made = render_handout(run, report, Form(), ending)
        assert b"<i>" not in made or ending == ".txt"
    stem = file_stem(HOSTILE)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", stem)
    assert not stem.startswith((".", "-"))
    assert file_stem("a/b") != file_stem("a\\b")
    assert file_stem("..").startswith("sample.")
    for name in ("CON", "nul", "aux.txt", ".Com1"):  # devices of Windows
        assert file_stem(name).startswith("sample_")
    assert file_stem("CONTROL").startswith("CONTROL.")


@pytest.mark.parametrize("name", ["=cmd()", "+1", "-1", "@x"])
def test_a_spreadsheet_runs_no_name(one, name):
    run, report = one("heterozygous")
    line = "".join(tsv.stream(run, [replace(report, sample=name)])).splitlines()[1]
    assert line.startswith("'")


def test_stated_facts_stand_in_the_header_of_that_sample_alone(run_pgx, tmp_path):
    facts = tmp_path / "meta.toml"
    facts.write_text(
        '[sample.HG00096]\nname = "Pseudonym <7>"\nbirth_date = 1950-01-31\nlaboratory = "Lab A"\n'
    )
    source = SAMPLES / "eight-people.GRCh38.vcf.gz"
    asked = ("-s", "HG00096", "-s", "HG00097", "--full")
    result = run_pgx("annotate", source, "--report-meta", facts, *asked)
    first, second = result.stdout.split("=" * 80)
    assert "Pseudonym <7>" in first
    assert "1950-01-31" in first
    assert "neither laboratory work nor identity was checked" in " ".join(first.split())
    assert "Pseudonym" not in second
    facts.write_text('[sample.HG00096]\nblood_type = "A"\n')
    failed = run_pgx("annotate", source, "--report-meta", facts)
    assert failed.exit_code == 3
    assert "blood_type" in failed.stderr


@pytest.mark.parametrize(
    ("born", "today", "is_minor"),
    [
        ("2008-11-26", "2026-11-25", True),
        ("2008-11-26", "2026-11-26", False),  # the 18th birthday
        ("2008-11-26", "2026-11-27", False),
        ("2008-02-29", "2026-02-28", True),
        ("2008-02-29", "2026-03-01", False),
        ("2008-12-31", "2026-12-30", True),
        ("2009-01-01", "2026-12-31", True),
    ],
)
@pytest.mark.parametrize("command", ["annotate", "report"])
def test_a_birth_date_withholds_until_the_18th_birthday(born, today, is_minor, command, run_pgx, tmp_path):
    import datetime

    now = datetime.datetime.fromisoformat(f"{today}T00:00:00+00:00")
    env = {"SOURCE_DATE_EPOCH": str(int(now.timestamp()))}
    facts, source = tmp_path / "meta.toml", SAMPLES / "NA18526.e3-e4.GRCh38.vcf"
    facts.write_text(f"[sample.NA18526]\nbirth_date = {born}\n")
    if command == "report":
        source, made = tmp_path / "r.json", source
        assert run_pgx("annotate", made, "-o", source, env=env).exit_code == 0
    told = run_pgx(command, source, "--report-meta", facts, env=env).stdout
    assert ("withheld because the person is a minor" in " ".join(told.split())) is is_minor
    assert ("ε3/ε4" in told) is not is_minor


def test_sealed_hides_the_result_until_it_is_opened(one):
    run, report = one("heterozygous")
    page = pages.as_html(run, report, Form(sealed=True))
    before, _, behind = page[page.index("<body>") :].partition('<details class="seal">')
    assert "ε3/ε4" not in before
    assert "ε3/ε4" in behind
    assert "<title>APOE and Cerebrolysin: NA18526, 1970-01-01</title>" in page
    cover = pdf_words(pages.as_pdf(run, report, Form(sealed=True)))[0]
    assert "ε3/ε4" not in cover
    assert "sealed" in cover


def test_sealed_hides_an_assumption_too(one):
    page = pages.as_html(*one("assumed-reference"), Form(sealed=True))
    assert "ASSUMED" not in page[page.index("<body>") : page.index('class="seal"')]
    assert "ASSUMED" in page


def test_options_that_do_not_fit_are_refused(run_pgx, monkeypatch):
    source = SAMPLES / "NA18526.e3-e4.GRCh38.vcf"
    refusals = (
        ["--sealed"],
        ["-f", "json", "--report-meta", "meta.toml"],
        ["--lang", "de"],
        ["--all-records"],
    )
    for options in refusals:
        assert run_pgx("annotate", source, *options).exit_code == 2, options
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused = run_pgx("annotate", source, "-f", "pdf")
    assert refused.exit_code == 2
    assert "pip install typst" in refused.stderr


def test_pdf_is_tagged_and_reproducible(one):
    run, report = one("heterozygous")
    first = pages.as_pdf(run, report)
    assert first == pages.as_pdf(run, report)
    root = PdfReader(io.BytesIO(first)).trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"


def test_a_pdf_is_dated_when_the_result_was_made(one):
    run, report = one("heterozygous")
    run = replace(run, created="2026-03-04T05:06:07Z")
    made = PdfReader(io.BytesIO(pages.as_pdf(run, report))).metadata.creation_date
    assert made.isoformat() == "2026-03-04T05:06:07+00:00"


@pytest.mark.parametrize("code", sorted(set(Form().words.topics["caveat"]) - {"also"}))
def test_what_takes_from_the_weight_of_an_answer_stands_beside_it(one, code):
    run, report = one("heterozygous")
    flag = Flag(code=code, severity="warning", message="")
    sites = [replace(site, filter="LowQual" if code == "filtered-site" else "PASS") for site in report.sites]
    flagged = replace(report, flags=(flag,), sites=tuple(sites))
    words = Form().words
    wanted = words.say("caveat", code, populations="")
    plain = words.topics["handout"].get(f"caveat_{code}", wanted)
    for item in (replace(report, flags=()), flagged):
        told = narrate(run, item)
        glance = " ".join(b.text for part in told.sections if part.key == "result" for b in part.blocks)
        assert (wanted in glance) is (item is flagged)
        assert (plain in " ".join(sentences(handout(run, item, Form())))) is (item is flagged)
    nowhere = replace(one("absent")[1], flags=(flag,), sites=tuple(sites))
    assert plain not in " ".join(sentences(handout(run, nowhere, Form())))


def test_any_other_warning_is_named_beside_an_answer(one):
    run, report = one("heterozygous")
    flags = (Flag(code="spanning-deletion", severity="warning", message=""),)
    told = text.render(run, replace(report, flags=flags))
    assert "Also noted: a deletion over a site." in told
    assert "Also noted" not in text.render(run, replace(report, flags=()))


def test_dependence_on_the_population_says_what_would_change(run_pgx):
    source = SAMPLES / "eight-people.GRCh38.vcf.gz"
    told = " ".join(run_pgx("annotate", source, "-s", "HG00155").stdout.split())
    assert "The letters stay the same, but with the gene frequencies of other populations (AFR" in told


def test_statements_stand_in_front_or_in_the_appendix_and_in_one_of_them(run_pgx, tmp_path):
    stored_file = tmp_path / "r.json"
    source = SAMPLES / "NA18526.e3-e4.GRCh38.vcf"
    assert run_pgx("annotate", source, "--taking", "lithium", "-o", stored_file).exit_code == 0
    (item,) = json.loads(stored_file.read_text())["samples"]
    page = pages.as_html(*_read(stored_file))
    front = words_of("<body>" + page[page.index('id="result"') : page.index('id="sure"')])
    behind = words_of("<body>" + page[page.index('id="appendix"') : page.index('id="technical"')])
    warnings = set(item["patient"]["warnings"])
    assert warnings
    (use,) = {response["indication"] for response in item["response"]}
    topics = {"contraindication", "interaction", "safety", "efficacy", "regulatory"}
    topics |= {"evidence-quality", "advice"}
    for one_of in item["context"]:
        said = squeezed(one_of["statement"])
        shown = one_of["topic"] in topics and (one_of["topic"] != "efficacy" or one_of["indication"] == use)
        assert (said in front) is (one_of["id"] in warnings), one_of["id"]
        assert (said in behind) is (shown and one_of["id"] not in warnings), one_of["id"]


def _read(path):
    from pgx.report import from_json

    document = from_json(path.read_bytes(), where="test")
    return document, document.samples[0]


def test_no_word_of_the_command_line_stands_on_a_clinical_page(one):
    for state in STATES:
        told = narrate(*one(state))
        clinical = [part for part in told.sections if part.key != "technical"]
        words = " ".join(sentences(replace(told, sections=tuple(clinical))))
        assert not re.search(r"(?<!\w)--\w|pgx (?!\d)|\bVCF\b.*--|stdin|stdout", words), state


def test_an_open_answer_shows_no_figure_of_a_population(one):
    """Only what the letters leave possible; the probability of each would be that of a population."""
    for state in ("ambiguous-phase-AFR", "partial", "absent", "one-site", "carrier-half-call"):
        run, report = one(state)
        if report.genotype.diplotype is not None:
            continue
        flags = tuple(flag for flag in report.flags if not flag.code.startswith("neighbours"))
        report = replace(report, neighbours=None, flags=flags)  # an estimate of its own, and named as such
        told = narrate(run, report)
        shown = [part for part in told.sections if part.key in {"result", "sure", "first", "next", "issue"}]
        words = " ".join(sentences(replace(told, sections=tuple(shown))))
        allowed = {chance(run.parameters.min_probability)}
        if report.genotype.e4_status != "indeterminate":
            allowed.add(chance(status_probability(report)))
        assert set(re.findall(r"(?:more than |less than )?[\d.]+ %", words)) <= allowed, state


def test_two_copies_of_e2_have_their_own_next_step(run_pgx, tmp_path):
    source = SAMPLES / "eight-people.GRCh38.vcf.gz"
    for name, wanted in (("HG01816", True), ("HG00102", False)):
        told = " ".join(run_pgx("annotate", source, "-s", name, "--full").stdout.split())
        assert ("type III hyperlipoproteinaemia have ε2/ε2" in told) is wanted
        assert ("Severe hyperlipidemia in apolipoprotein E2 homozygotes" in told) is wanted
        assert "Having no ε4 does not rule Alzheimer's disease out" in told


def test_page_is_small_and_self_contained(one):
    for state in STATES:
        page = pages.as_html(*one(state))
        assert len(page.encode()) <= 80_000
        assert "<script" not in page
        # nothing is loaded; references lead to where they can be read
        assert not re.search(r'src="(?!#)', page)
        registries = r"https://(?:doi\.org|pubmed\.ncbi\.nlm\.nih\.gov|clinicaltrials\.gov|www\.isrctn\.com)/"
        assert not re.search(rf'href="(?!#|{registries})', page)
        assert "default-src 'none'" in page


@pytest.mark.parametrize("state", STATES)
def test_meta_is_no_part_of_what_is_said(one, state):
    """Stated facts change the head only."""
    run, report = one(state)
    form = Form(meta={report.sample: PatientMeta(name="X")})
    assert narrate(run, report, form).sections == narrate(run, report).sections


def test_a_hostile_name_in_a_file_is_harmless_from_end_to_end(run_pgx, tmp_path):
    """From the VCF to every format and file name; nothing is written outside of the folder asked for."""
    lines = (SAMPLES / "NA18526.e3-e4.GRCh38.vcf").read_text().splitlines()
    name = "A&B <i>\"'=../../x\u202e\u0007"
    hostile = [line.replace("NA18526", name) if line.startswith("#CHROM") else line for line in lines]
    source = tmp_path / "in.vcf"
    source.write_text("\n".join(hostile) + "\n", encoding="utf-8")
    folder = tmp_path / "out"
    for form in ("html", "pdf", "fhir"):
        assert run_pgx("annotate", source, "-f", form, "-o", f"{folder}/").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.vcf", "out"]
    names = [path.name for path in folder.iterdir()]
    assert len(names) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", made) for made in names)
    index = (folder / "index.tsv").read_text(encoding="utf-8")
    assert "\u202e" not in index
    assert "\u0007" not in index
    for form in ("text", "json", "jsonl", "tsv", "vcf"):
        made = run_pgx("annotate", source, "-f", form)
        assert made.exit_code == 0
        assert form in {"json", "jsonl", "vcf"} or "\u202e" not in made.stdout
    stored_name = json.loads(run_pgx("annotate", source, "-f", "json").stdout)["samples"][0]["sample"]
    assert stored_name == name


def test_a_withheld_hand_out_gives_nothing_away(one, stored):
    run, minor = one("minor-withheld")
    sheets = set()
    for state in ("non-carrier", "homozygous", "absent", "carrier-half-call"):
        other = replace(one(state)[1], patient=minor.patient, sample="X")
        for text_of in (
            list(sentences(handout(run, other, Form()))),
            list(sentences(narrate(run, other)))[:14],
        ):
            sheets.add((len(text_of) < 14, tuple(text_of)))
    assert len(sheets) == 2


def test_evidence_of_a_users_own_has_its_place_in_every_format(run_pgx, tmp_path, repository):
    """Another drug: an answer and a map of its own, no words that were meant for Cerebrolysin."""
    source = SAMPLES / "HG00136.e4-e4.GRCh37.vcf"
    own = repository / "examples" / "evidence"
    for ending in ("html", "pdf", "fhir.json", "tsv", "json"):
        made = tmp_path / f"out.{ending}"
        assert run_pgx("annotate", source, "--evidence", own, "-o", made).exit_code == 0
    words = " ".join(run_pgx("annotate", source, "--evidence", own).stdout.split())
    assert "Examplamab in Alzheimer's disease: what is known by ε4 status is insufficient" in words
    assert "for the sake of Cerebrolysin." in words
    assert "Guidelines on APOE and Examplamab" not in words
    assert (tmp_path / "out.html").read_text().count('aria-labelledby="map-') == 2


def test_a_drug_on_request_stands_alone_and_says_what_its_label_asks_for(run_pgx, tmp_path):
    source = SAMPLES / "HG00136.e4-e4.GRCh37.vcf"
    page = tmp_path / "out.html"
    assert run_pgx("annotate", source, "--drug", "kisunla", "-o", page).exit_code == 0
    whole = page.read_text(encoding="utf-8")
    assert 'aria-labelledby="map-' not in whole, "no map without findings on a response"
    assert "Cerebrolysin" not in whole.replace("Other drugs, for comparison", "")
    words = " ".join(run_pgx("annotate", source, "--drug", "donanemab", "--full").stdout.split())
    for part in (
        "a higher risk of ARIA-E",
        "58 of 143 with two copies (40.6%)",
        "103 of 452 with one copy (22.8%)",
        "on placebo in 0.8%, 1.9% and 3.4%",
        "People who are not tested can still be treated",
        "the risk across genotypes and what the result implies are to be discussed",
    ):
        assert part in words, part
    # nobody is told here that the status need not be known
    assert "Nobody needs to know" not in words
    assert "No relative needs a test" not in words
    assert "(anti-amyloid)" not in words, "the neutral line is for reports on another drug"
    usual = " ".join(run_pgx("annotate", source).stdout.split())
    assert "US labels of Lecanemab and Donanemab (anti-amyloid) count copies of ε4." in usual
    assert "ARIA" not in usual
    stroke = " ".join(run_pgx("annotate", source, "--indication", "stroke").stdout.split())
    assert "(anti-amyloid)" not in stroke
    failed = run_pgx("annotate", source, "--drug", "aducanumab")
    assert failed.exit_code == 2
    assert "cerebrolysin, lecanemab, donanemab" in failed.stderr


def test_evidence_past_its_review_says_so(run_pgx, tmp_path):
    source = SAMPLES / "NA18526.e3-e4.GRCh38.vcf"
    for epoch, late in ((1_800_000_000, False), (1_900_000_000, True)):  # January 2027, March 2030
        done = run_pgx("annotate", source, "--full", env={"SOURCE_DATE_EPOCH": str(epoch)})
        assert ("was due again on 2027-11-26" in " ".join(done.stdout.split())) is late


def test_what_was_named_and_is_a_reason_not_to_give_it_stands_at_the_top(run_pgx):
    source = SAMPLES / "NA18526.e3-e4.GRCh38.vcf"
    named = run_pgx("annotate", source, "--history", "epilepsy").stdout
    glance = " ".join(named.partition("Result at a glance")[2].partition("What it means")[0].split())
    assert "Named in the history: epilepsy (seizures). There is some evidence" in glance
    assert "should avoid it" in glance
    plain = " ".join(run_pgx("annotate", source).stdout.split())
    assert "Named in the history" not in plain
    assert "Reasons not to give Cerebrolysin, or to take care, by the article or a label: seizures;" in plain


def test_one_mark_for_each_set_of_data(one):
    """Two findings that rest on one source are one mark and share a letter."""
    _, report = one("heterozygous")
    marks = evidence_marks(report.response[0])
    assert [len(mark.claims) for mark in marks] == [2, 1, 1, 1]
    assert [mark.side for mark in marks if mark.counted] == [-1, 1]
    assert [mark.indirect for mark in marks] == [False, True, False, False]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.txt", "text"),
        ("a.fhir.json", "fhir"),
        ("a.JSON", "json"),
        ("fhir.json", "json"),
        ("a.jsonl", "jsonl"),
        ("a.vcf.gz", "vcf"),
        ("a.bcf", "vcf"),
        ("a.tsv", "tsv"),
        ("a.html", "html"),
        ("a.pdf", "pdf"),
    ],
)
def test_the_ending_of_a_name_asks_for_a_format(name, wanted):
    assert format_of_name(name) is Format(wanted)


def test_the_rows_of_the_registry_do_not_overlap():
    endings = [ending for row in Format for ending in row.endings]
    assert len(set(endings)) == len(endings)
    assert [row for row in Format if row.stream is None and row.page is None] == [Format.VCF]
    assert not [row for row in Format if row.stream is not None and row.page is not None]
    with pytest.raises(UsageError, match=r"Give -f, or one of \.txt, .*\.bcf"):
        format_of_name("a.doc")


@pytest.mark.parametrize(
    "name",
    [
        "王伟",
        "Ελένη",
        "Ольга",
        "أحمد",
        "नेहा",
        "เอ",
        "🧬",
        "千代田区霞が関一二三四五六七八九",
    ],
)
def test_a_pdf_takes_every_name(one, name):
    """Its letters stand there, or their numbers and a sentence that says so."""
    run, report = one("heterozygous")
    found = "".join("".join(pdf_words(pages.as_pdf(run, replace(report, sample=name)))).split())
    numbers = [f"[U+{ord(letter):04X}]" for letter in name]
    shown = [letter in found or number in found for letter, number in zip(name, numbers, strict=True)]
    assert all(shown) or unicodedata.normalize("NFKC", name) in unicodedata.normalize("NFKC", found)
    told = "".join(wording().say("form", "numbered").split()) in found
    assert told == any(number in found for number in numbers)
