"""Make docs/screenshots: the main states of the HTML report on desktop, phone, in the dark and in print.

    .venv/bin/python docs/make_screenshots.py

Needs Debian's chromium. The pictures depend on its fonts, so they are not compared in tests.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from msgspec import Struct
from playwright.sync_api import Browser, sync_playwright

from pgx.render import handout, pages
from pgx.render.form import Form
from pgx.single import Options, annotate

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "sample_vcfs"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


class Shot(Struct, frozen=True):
    """One picture: its name, the sample file, options, the form, and how the page is looked at."""

    name: str
    file: str
    options: Options = Options()
    sealed: bool = False
    handout: bool = False
    width: int = 1000
    height: int = 760
    scheme: str = "light"
    media: str = "screen"
    at: str = ""


CARRIER, ABSENT = "NA18526.e3-e4.GRCh38.vcf", "absent-sites.GRCh38.vcf"
SHOTS = (
    Shot("called-desktop", CARRIER, width=1280, height=800),
    Shot("called-pictures", CARRIER, at="#sure"),
    Shot("called-evidence", CARRIER, at="#evidence"),
    Shot("called-dark", CARRIER, scheme="dark", at="#sure"),
    Shot("called-phone", CARRIER, width=390, height=844),
    Shot("called-print", CARRIER, media="print", width=794, height=1123),
    Shot("ambiguous", "HG00150.e2-e4.GRCh38.vcf", Options(population="AFR"), at="#sure"),
    Shot("not-determined", ABSENT, at="#result"),
    Shot("carrier-without-copies", "half-call-carrier.GRCh37.vcf", at="#sure"),
    Shot("rare-haplotype", "NA19146.rare.GRCh38.vcf", at="#sure"),
    Shot("assumed", ABSENT, Options(absent_sites="reference"), at="#sure"),
    Shot("withheld", CARRIER, Options(age=12), at="#result"),
    Shot("sealed", CARRIER, sealed=True, height=560),
    Shot("handout", CARRIER, handout=True),
)


def page(shot: Shot) -> str:
    """Return the page of a shot."""
    made = annotate(str(SAMPLES / shot.file), shot.options)
    report = next(iter(made.samples))
    form = Form(sealed=shot.sealed)
    if shot.handout:
        return handout(made.run, report, form, ".html").decode()
    return pages.as_html(made.run, report, form).replace(f"{SAMPLES}/", "")


def take(browser: Browser, shot: Shot, folder: Path) -> None:
    """Take one picture."""
    file = folder / f"{shot.name}.html"
    file.write_text(page(shot), encoding="utf-8")
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme="dark" if shot.scheme == "dark" else "light",
    )
    view = context.new_page()
    view.emulate_media(media="print" if shot.media == "print" else "screen")
    view.goto(file.as_uri())
    if shot.at:
        view.locator(shot.at).scroll_into_view_if_needed()
        view.evaluate("place => document.querySelector(place).scrollIntoView()", shot.at)
    view.screenshot(path=HERE / "screenshots" / f"{shot.name}.png")
    context.close()


def take_served(browser: Browser) -> None:
    """Take the page of `pgx serve`, before and after a file was chosen."""
    command = [sys.executable, "-m", "pgx", "serve", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 - our own
        assert server.stdout is not None  # noqa: S101 - asked for
        view = browser.new_page(viewport={"width": 1000, "height": 860})
        view.goto(server.stdout.readline().strip())
        view.screenshot(path=HERE / "screenshots" / "serve-form.png")
        view.set_input_files("#files", str(SAMPLES / CARRIER))
        view.click("#go")
        view.click("#lines button")
        view.frame_locator("#report").locator("h1").wait_for()
        view.evaluate("document.getElementById('result').scrollIntoView()")
        view.screenshot(path=HERE / "screenshots" / "serve-report.png")
        server.terminate()


def main() -> None:
    """Take all pictures."""
    (HERE / "screenshots").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for shot in SHOTS:
            take(browser, shot, Path(folder))
        take_served(browser)
        browser.close()


if __name__ == "__main__":
    main()
