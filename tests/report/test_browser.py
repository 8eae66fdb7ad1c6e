"""The page in a browser: themes, widths, script on and off."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import fakes
import pytest

from infocheck.result import INFINITY

pytestmark = pytest.mark.browser

SECTIONS = "#verdict,#chain,#scorecard,#next,#reliability,#proxy,#regulators,#methods,#glossary"


def overflow(page) -> int:
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


def test_no_request_no_error_no_dialog(open_page, html):
    page = open_page(html)
    assert [url for url in page.requests if not url.startswith("file:")] == []
    assert len(page.requests) == 1
    assert page.problems == []


def test_nothing_overflows_in_either_theme(open_page, html):
    page = open_page(html)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert overflow(page) <= 0, (width, scheme)


def test_four_goals_stand_above_the_fold(open_page, html):
    page = open_page(html)
    box = page.locator("#whole_network").bounding_box()
    assert box["y"] + box["height"] <= 900


def test_the_page_is_complete_without_script(open_page, html):
    page = open_page(html, java_script_enabled=False)
    for name in SECTIONS.split(","):
        assert page.locator(name).is_visible(), name
    assert page.locator("#gt tbody tr").count() == 60
    assert not page.locator("#q").is_visible()
    assert not page.locator("#theme").is_visible()


def test_the_theme_can_be_turned(open_page, html):
    page = open_page(html, color_scheme="light")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert page.locator("#theme").get_attribute("aria-pressed") == "true"


def first_names(page, n: int = 3) -> list[str]:
    return page.locator("#gt tbody th").all_inner_texts()[:n]


def test_regulators_sort_and_filter(open_page, large_html):
    page = open_page(large_html)
    assert page.locator("#count").inner_text() == "200 of 1,250 shown"
    assert page.evaluate("document.querySelectorAll('*').length") < 10_000
    header = page.locator("#gt thead th").nth(1)
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    high = [
        float(text.split()[0]) for text in page.locator("#gt td:nth-child(2)").all_inner_texts()
    ]
    assert len(high) == 200
    assert high == sorted(high, reverse=True)
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    page.fill("#q", "gene1234")
    assert first_names(page) == ["GENE1234"]
    assert page.locator("#count").inner_text() == "1 of 1,250 shown, 1 found"
    page.fill("#q", "excluded")
    assert page.locator("#gt tbody tr").count() == 200
    assert page.problems == []


def test_rows_drawn_by_the_script_are_those_of_the_page(open_page, large_html):
    page = open_page(large_html)
    before = page.locator("#gt tbody tr").all_inner_texts()
    page.fill("#q", "x")
    page.fill("#q", "")
    assert page.locator("#gt tbody tr").all_inner_texts() == before


def download(page, selector: str) -> list[list[str]]:
    with page.expect_download() as waiting:
        page.click(selector)
    with open(waiting.value.path(), encoding="utf-8", newline="") as file:  # noqa: PTH123
        return list(csv.reader(io.StringIO(file.read())))


def test_regulators_as_csv(open_page, html):
    page = open_page(html)
    head, *rows = download(page, "#csv")
    assert head[0] == "regulator"
    assert head[-2:] == ["limited_by", "verdict"]
    assert len(rows) == 60
    names = {row[0] for row in rows}
    assert {"'" + fakes.FORMULA, "'+cmd", "'-cmd", "'@SUM(A1)", fakes.IMAGE} <= names


def test_tables_as_csv(open_page, html):
    page = open_page(html)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    head, *rows = download(page, "#reliability-table-genes button.csv")
    assert head[:3] == ["regulator", "mean", "value"]
    assert len(rows) == 90


def test_print_opens_what_is_folded_and_hides_controls(open_page, html):
    page = open_page(html, viewport={"width": 680, "height": 960})
    page.click("#theme")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert not page.locator("#q").is_visible()
    assert page.locator("#gt thead button").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 32, 38)"
    assert page.locator(".goals thead").bounding_box()["x"] >= 0
    assert overflow(page) <= 0


def test_a_link_into_a_folded_part_opens_it(open_page, html):
    page = open_page(html)
    page.evaluate("location.hash = '#how-often'")
    page.wait_for_function("document.querySelector('#how-often').open")


def test_an_infinite_number_is_a_word_and_sorts_above_all_numbers(open_page, make):
    report = make()
    table = report["reliability"].tables["regulators"]
    vif = [INFINITY if i == 5 else float(i % 40 + 1) for i in range(len(table))]
    changed = {"regulators": table.assign(vif=vif)}
    result = replace(report["reliability"], tables=changed)
    page = open_page(make(results={**report.results, "reliability": result}).to_html())
    button = page.locator("#gt thead button", has_text="VIF")
    button.click()
    cells = page.locator("#gt tbody tr:first-child").inner_text()
    assert INFINITY in cells
    assert page.problems == []
