"""Measure the HTML report as a reader meets it: words before the result, where it stands, words in print.

    python tools/measure_report.py report.html ...

Needs Debian's chromium. Prints a line a file and number; docs/reports.md has them.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from pypdf import PdfReader

SCREENS = ((1280, 800), (390, 844))
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
#: The first element that states the answer.
RESULT = "APOE ε"
BEFORE = """answer => {
  const text = document.body.innerText;
  const before = text.slice(0, Math.max(0, text.indexOf(answer, document.title.length)));
  return before.split(/\\s+/).filter(Boolean).length;
}"""
PLACE = """answer => {
  const found = [...document.querySelectorAll('body *')].filter(
    part => !part.children.length && part.textContent.includes(answer) && !part.closest('h1, head, nav'));
  return found.length ? Math.round(found[0].getBoundingClientRect().top + scrollY) : -1;
}"""


def measure(browser: Browser, path: Path) -> dict[str, int]:
    """Return the numbers of one page."""
    found: dict[str, int] = {}
    for width, height in SCREENS:
        view = browser.new_page(viewport={"width": width, "height": height})
        view.goto(path.resolve().as_uri())
        found[f"y of the result at {width} x {height}"] = view.evaluate(PLACE, RESULT)
        if width == SCREENS[0][0]:
            found["words before the result"] = view.evaluate(BEFORE, RESULT)
            found["words in all"] = len(view.inner_text("body").split())
            found["links to sources"] = view.locator("a[href^=http]").count()
            pages = PdfReader(io.BytesIO(view.pdf(prefer_css_page_size=True, format="A4"))).pages
            found["words on the first printed page"] = len(pages[0].extract_text().split())
            found["printed pages"] = len(pages)
        view.close()
    return found


def main() -> None:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name in sys.argv[1:]:
            for what, number in measure(browser, Path(name)).items():
                print(f"{name}\t{what}\t{number}")
        browser.close()


if __name__ == "__main__":
    main()
