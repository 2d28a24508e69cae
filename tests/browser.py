"""A real Chromium without a window, and pages in it that tell of whatever went wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from playwright.sync_api import Browser, Page, Request, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOCAL = ("file:", "data:", "blob:")


@contextmanager
def start_browser() -> Iterator[Browser]:
    """Start the Chromium of the machine, with an empty profile."""
    chromium = which("chromium")
    assert chromium, "the tests of reports need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def open_page(browser: Browser, path: Path) -> Iterator[Page]:
    """Open a report and wait for its pictures; to the end nothing may go wrong on it."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    wrong: list[str] = []

    def note_request(request: Request) -> None:
        if not request.url.startswith(LOCAL):
            wrong.append(f"asks for {request.url}")

    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on("request", note_request)
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-drawn]")
    yield page
    page.close()
    assert not wrong
