"""The HTML report in Chromium: accessible, no sideways scroll, readable in the dark, printable, silent.

Needs Debian's chromium; the accessibility check needs axe-core in build/npm (see .ci/run). What is not there
is skipped with a reason.
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pypdf import PdfReader
from render_states import STATES

from pgx.render import handout, pages
from pgx.render.form import Form, PatientMeta

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).resolve().parents[2] / "build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
PAGES = [*STATES, "sealed", "stated", "handout"]

#: Every fact that can be stated, at some length.
META = PatientMeta(
    name="P-0193",
    birth_date="1950-01-31",
    specimen="Blood, EDTA",
    specimen_date="2026-11-02",
    reason="Before a course of Cerebrolysin",
    platform="Whole genome, 30x",
    order_id="L-2026-118204",
    laboratory="Institute of Human Genetics, Example City",
    contact="+00 000 0000",
    requester="Dr A. Example, memory clinic",
    consent="Signed 2026-11-01",
    reviewed_by="Dr B. Example",
)
STATES_SAMPLES = {"carrier-rare-haplotype": "NA19146", "assumed-reference": "MADE-ABSENT"}

OVERLAPS = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
  const boxes = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
  const frame = svg.getBoundingClientRect(), found = [];
  for (const [i, [name, a]] of boxes.entries()) {
    if (a.left < frame.left - 1 || a.right > frame.right + 1) found.push('cut: ' + name);
    for (const [other, b] of boxes.slice(i + 1))
      if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
        found.push(name + ' over ' + other);
  }
  return found;
})"""

CONTRAST = """() => {
  const parse = c => (c.match(/[\\d.]+/g) || [0, 0, 0]).slice(0, 3).map(Number);
  const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const lum = c => { const [r, g, b] = parse(c).map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b };
  const ratio = (a, b) => { const [x, y] = [lum(a), lum(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05) };
  const paper = getComputedStyle(document.body).backgroundColor;
  return [...document.querySelectorAll('svg rect, svg circle, svg line')].map(shape => {
    const style = getComputedStyle(shape);
    const inks = [style.stroke, style.fill].filter(c => c && c !== 'none');
    return [shape.getAttribute('class'), Math.max(...inks.map(c => ratio(c, paper)))];
  }).filter(([, best]) => best < 3);
}"""

TEXT_ON_SHAPES = """() => {
  const letter = document.querySelector('.on-letter-c'), box = document.querySelector('.letter-c');
  return letter && box ? [getComputedStyle(letter).fill, getComputedStyle(box).fill] : null;
}"""


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed (apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def page_file(one, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")

    def make(name):
        path = folder / f"{name}.html"
        if not path.exists():
            if name == "handout":
                path.write_bytes(handout(*one("heterozygous"), Form(), ".html"))
            else:
                forms = {"sealed": Form(sealed=True), "stated": Form(meta={"NA18526": META})}
                path.write_text(
                    pages.as_html(*one(name if name in STATES else "heterozygous"), forms.get(name))
                )
        return path

    # `one` is a session fixture and this one is of the module; pages are written once.
    return make


@pytest.fixture
def open_page(browser, page_file):
    opened = []

    def make(name, *, width=1000, height=800, scheme="light", bypass=False):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, bypass_csp=bypass
        )
        opened.append(context)
        page = context.new_page()
        page.requests = []
        page.complaints = []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.goto(page_file(name).as_uri())
        return page

    yield make
    for context in opened:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(name, scheme, open_page):
    if not AXE.exists():
        pytest.skip("axe-core is not installed (npm install --prefix build/npm --no-save axe-core)")
    page = open_page(name, scheme=scheme, bypass=True)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", TAGS)
    shown = [(item["id"], [node["html"][:120] for node in item["nodes"][:3]]) for item in found["violations"]]
    assert shown == []
    assert len(found["passes"]) > 10


@pytest.mark.parametrize("name", PAGES)
def test_narrow_screen_has_no_sideways_scroll_and_no_overlaps(name, open_page):
    page = open_page(name, width=320)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.evaluate(OVERLAPS) == []
    wide = open_page(name, width=1200)
    wide.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert wide.evaluate(OVERLAPS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", STATES)
def test_graphics_have_contrast(name, scheme, open_page):
    page = open_page(name, scheme=scheme)
    assert page.evaluate(CONTRAST) == []
    pair = page.evaluate(TEXT_ON_SHAPES)
    assert pair is None or pair[0] != pair[1]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_fetched_and_nothing_complains(name, open_page):
    page = open_page(name)
    assert [url for url in page.requests if not url.startswith("file:")] == []
    assert len(page.requests) == 1
    assert page.complaints == []


def test_the_report_can_be_read_by_keyboard(open_page):
    page = open_page("heterozygous")
    order = []
    for _ in range(60):
        page.keyboard.press("Tab")
        order.append(
            page.evaluate("document.activeElement.getAttribute('href') || document.activeElement.tagName")
        )
    assert order[0] == "#result"
    places = [order.index(target) for target in ("#result", "#ref-1", "#sure", "#technical", "SUMMARY")]
    assert places == sorted(places)


def test_a_seal_opens_by_keyboard_and_not_by_itself(open_page):
    page = open_page("sealed")
    assert not page.locator("#result").is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("#result").is_visible()


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_print_has_the_folded_parts_and_whole_rows(paper, open_page):
    page = open_page("heterozygous")
    pages = [leaf.extract_text() for leaf in PdfReader(io.BytesIO(page.pdf(format=paper))).pages]
    words = "".join("".join(pages).split())
    assert "Evidencefiles(SHA-256" in words
    assert "Glossary" in words
    assert len(pages) <= 14
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 1000})  # what the margins leave of A4
    assert page.evaluate("document.documentElement.scrollWidth") <= 688
    assert page.evaluate("getComputedStyle(document.querySelector('.wide tbody tr')).breakInside") == "avoid"


def test_a_sealed_print_has_a_cover(open_page):
    page = open_page("sealed")
    pages = [leaf.extract_text() for leaf in PdfReader(io.BytesIO(page.pdf(format="A4"))).pages]
    assert "sealed" in pages[0]
    assert "ε4 carrier" not in pages[0]
    assert any("ε4 carrier" in words for words in pages[1:])


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
@pytest.mark.parametrize("name", ["stated", "heterozygous", "assumed-reference", "absent"])
def test_the_result_is_in_the_first_screen(name, width, height, open_page):
    """The whole answer, also below a head of twelve stated facts, and no link before it but the skip link."""
    page = open_page(name, width=width, height=height)
    assert page.evaluate("document.querySelector('#result .alert').getBoundingClientRect().bottom") < height
    before = "a => a.compareDocumentPosition(document.querySelector('#result')) & 4"
    assert page.evaluate(f"[...document.querySelectorAll('a')].filter({before}).length") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stated", "carrier-rare-haplotype", "minor-withheld", "assumed-reference"])
def test_the_summary_is_one_printed_page_that_names_sample_and_date(name, open_page):
    leaves = PdfReader(io.BytesIO(open_page(name).pdf(format="A4", prefer_css_page_size=True))).pages
    words = [" ".join(leaf.extract_text().split()) for leaf in leaves]
    assert "neither laboratory work nor identity was checked" in words[0]
    assert "What biological" not in words[0]
    assert "How sure the call is" not in words[0]
    sample = STATES_SAMPLES.get(name, "NA18526")
    for number, said in enumerate(words, start=1):
        assert f"{sample}, 1970-01-01" in said
        assert f"{number} / {len(words)}" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", ["heterozygous", "absent"])
def test_the_summary_of_a_pdf_is_its_first_page(name, one):
    run, report = one(name)
    leaves = PdfReader(io.BytesIO(pages.as_pdf(run, report, Form(meta={report.sample: META})))).pages
    first, second = (" ".join(leaf.extract_text().split()) for leaf in leaves[:2])
    assert "neither laboratory work nor identity was checked" in first
    assert second.startswith("How sure the call is")
    assert f"{report.sample}, 1970-01-01" in second
    assert f"page 2 of {len(leaves)}" in second
