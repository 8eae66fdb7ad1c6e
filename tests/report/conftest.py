"""Fixtures: small checks in the place of the shipped ones, and a browser."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from infocheck.report import document

sys.path.insert(0, str(Path(__file__).parent))

import fakes

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(autouse=True)
def _small_checks(monkeypatch):
    monkeypatch.setattr(document, "by_name", fakes.CHECKS.__getitem__)


@pytest.fixture(scope="session")
def make():
    """Build a report; keyword arguments change it."""
    return fakes.report


@pytest.fixture
def report(make):
    return make()


@pytest.fixture(scope="session")
def html(make):
    """The page of the report, rendered once."""
    return make().to_html()


@pytest.fixture(scope="session")
def large_html(make):
    """The page of the largest report that must stay light."""
    return make(regulators=1250, genes=3000, columns=8).to_html()


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium of the system."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture
def open_page(browser, tmp_path):
    """Open HTML in a new browser with an empty profile; closes all of them at the end."""
    contexts = []

    def open_it(html: str, **options):
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(html, encoding="utf-8")
        context = browser.launch_persistent_context(
            tmp_path / f"profile{len(contexts)}",
            executable_path=str(CHROMIUM),
            args=ARGUMENTS,
            **{"viewport": {"width": 1280, "height": 900}, **options},
        )
        contexts.append(context)
        page = context.pages[0] if context.pages else context.new_page()
        page.requests, page.problems = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda line: page.problems.append(line.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("dialog", lambda dialog: (page.problems.append("dialog"), dialog.dismiss()))
        page.goto(file.as_uri())
        return page

    yield open_it
    for context in contexts:
        context.close()
