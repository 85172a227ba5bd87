"""Pages in a real browser: a headless Chromium, in a thread of its own.

Playwright's synchronous interface does not work where an event loop runs, and tests of clusters
may leave one in the main thread: so everything here happens in another thread.
"""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Browser:
    """A Chromium that visits files."""

    def __init__(self, path):
        self._thread = ThreadPoolExecutor(1)
        self._thread.submit(self._start, path).result(timeout=120)

    def _start(self, path):
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        arguments = ["--no-sandbox", "--disable-gpu"]
        self._chromium = self._playwright.chromium.launch(executable_path=path, args=arguments)

    def visit(self, file, look, *, width=1180, **context):
        """Open a file and hand the page to ``look(page)``.

        Returns what it returns, what the console said, and which addresses were asked for.
        """
        return self._thread.submit(self._visit, file, look, width, context).result(timeout=120)

    def _visit(self, file, look, width, context):
        said, asked = [], []
        view = self._chromium.new_context(viewport={"width": width, "height": 800}, **context)
        try:
            page = view.new_page()
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(file.as_uri())
            return look(page), said, asked
        finally:
            view.close()

    def close(self):
        """End the browser and its thread."""
        self._thread.submit(self._stop).result(timeout=120)
        self._thread.shutdown()

    def _stop(self):
        self._chromium.close()
        self._playwright.stop()


@contextmanager
def chromium():
    """A browser; the test is skipped where there is none, and fails where CI must have one."""
    path = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if path is None and os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail("No Chromium is installed, and CI must run these tests: apt install chromium.")
    if path is None:
        pytest.skip("no Chromium is installed")
    browser = Browser(path)
    try:
        yield browser
    finally:
        browser.close()
