"""Take the pictures of reports in the documentation: `python docs/screenshots.py`.

It needs Chromium. Unlike those of `pictures.py` they depend on its version and on fonts, and so
nothing checks them.
"""

import io
import subprocess
import sys
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

DOCS = Path(__file__).parent
PARAMCTL = str(Path(sys.executable).with_name("paramctl"))
MODEL, CHANGED, NAME = "gpt.safetensors", "tuned.safetensors", "blocks.1.mlp.1.weight"
WIDTH, HEIGHT, HEAD = 1280, 1010, 420  # pixels; the head is above the first picture only
COLORS = 128  # which make a picture a third as large


def run(*arguments: str, folder: str) -> None:
    """Run the program on files of the folder."""
    subprocess.run([PARAMCTL, *arguments, "-q"], check=True, cwd=folder)  # noqa: S603 (our own)


def take(
    browser: Browser, path: Path, picture: Path, scheme: Literal["light", "dark"], place: str
) -> None:
    """Take a picture of a page from a place on it, with a parameter chosen."""
    height = HEIGHT + (HEAD if place == "header" else 0)
    page = browser.new_page(viewport={"width": WIDTH, "height": height}, color_scheme=scheme)
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-drawn]")
    page.locator("#search").fill(NAME)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.locator("#search").fill("blocks.1")
    page.locator("h1").click()
    page.evaluate(f"document.querySelector('{place}').scrollIntoView({{behavior: 'instant'}})")
    with Image.open(io.BytesIO(page.screenshot(animations="disabled"))) as image:
        image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(picture, optimize=True)
    page.close()


def main() -> None:
    """Make two models and their pages, and take the pictures."""
    spec = str(DOCS.parent / "sample_models" / "gpt.yaml")
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        run("init", spec, "-s", "normal(std=0.02)", "--seed", "0", "-o", MODEL, folder=folder)
        run("set", MODEL, f"{NAME} *= 1.5", "-o", CHANGED, folder=folder)
        run("report", MODEL, "-o", "one.html", folder=folder)
        run("report", CHANGED, "--against", MODEL, "-o", "two.html", folder=folder)
        browser = playwright.chromium.launch(
            executable_path=which("chromium"), args=["--no-sandbox"]
        )
        take(browser, Path(folder, "one.html"), DOCS / "report.png", "light", "header")
        take(browser, Path(folder, "two.html"), DOCS / "report_dark.png", "dark", "#parameters")
        browser.close()


if __name__ == "__main__":
    main()
