"""Draw the picture of docs/report.md: the middle of the page that its example makes.

    python benchmarks/report_picture.py docs/report.png

Needs playwright and a Chromium on the path.
"""

import doctest
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

DOCUMENT = Path(__file__).parent.parent / "docs" / "report.md"


def found():
    """What the page's first example calls ``found``."""
    names = {}
    for example in doctest.DocTestParser().get_examples(DOCUMENT.read_text(encoding="utf-8")):
        if example.source.startswith("print"):
            return names["found"]
        exec(example.source, names)
    raise ValueError(f"{DOCUMENT} has no example that prints")


def draw(to):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "report.html"
        found().save(page_file)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 800}, color_scheme="light")
        page.goto(page_file.as_uri())
        box = page.locator('section[aria-labelledby="decisions"]').bounding_box()
        clip = {"x": 0, "y": box["y"] - 20, "width": 1000, "height": box["height"] + 40}
        page.screenshot(path=to, clip=clip, full_page=True)
        browser.close()


if __name__ == "__main__":
    draw(sys.argv[1])
