"""The page of a comparison: policy, structure, words, harm in names, themes, phone, no script."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from html.parser import HTMLParser

import fakes
import jsonschema
import pytest

from infocheck.report import comparison_document, comparison_page, comparison_terminal, document
from infocheck.result import Stage

# What levels of a column may be called.
LABELS = (
    "B cells",
    fakes.SCRIPT,
    fakes.CLOSING,
    fakes.IMAGE,
    "../../x",
    "T\x1b[31m cells \u202e\nof two lines",
    "x" * 300,
    "αβ T cells",
)
PROVENANCE = {
    "version": "0.1.0",
    "thresholds_version": "2026.1",
    "command": "infocheck report cells.h5ad --by kind",
    "seed": 1,
    "seconds": 12.5,
    "peak_memory_mb": 300.0,
    "packages": {"numpy": "2.3"},
}
BY = {
    "source": "cells.h5ad",
    "sha256": "ab" * 32,
    "column": "kind",
    "levels": 40,
    "levels_left_out": 10,
    "rows_left_out": 99,
    "rows_unlabelled": 3,
}


def saved(make, rows: int, **stability) -> dict:
    """A document of that many rows, with the numbers of sampling stability changed."""
    found = json.loads(document.dumps(document.to_document(make(regulators=12, genes=20))))
    found["dataset"]["n_obs"] = rows
    for key, value in stability.items():
        if key in ("estimate", "low", "high"):
            found["checks"]["stability"][key] = value
    return found


def held(found: dict, verdict: str, stage: str | None, status: str = "borderline") -> dict:
    """The document with this verdict of every goal and this state of sampling."""
    found = copy.deepcopy(found)
    for goal in found["goals"].values():
        goal |= {"verdict": verdict, "limiting_stage": stage}
    found["stages"]["sampling"]["status"] = status
    found["checks"]["stability"]["status"] = status
    return found


@pytest.fixture
def comparison(make):
    narrow = {"estimate": 0.04, "low": 0.02, "high": 0.06}
    wide = {"estimate": 0.12, "low": -0.05, "high": 0.30}
    high = {"estimate": 0.30, "low": 0.25, "high": 0.35}
    states = [
        (300, narrow, "excluded", "sampling", "limiting"),
        (120, wide, "not_excluded", "sampling", "borderline"),
        (900, high, "supported", None, "enough"),
    ]
    entries = []
    for i, label in enumerate(LABELS):
        rows, numbers, verdict, stage, status = states[i % 3]
        one = held(saved(make, rows + i, **numbers), verdict, stage, status)
        entries.append(comparison_document.entry(label, one))
    entries.append(comparison_document.missing("few", f"4 rows {fakes.IMAGE} are too few.", rows=4))
    found = comparison_document.build(
        entries,
        goal="confident_edges",
        noun=("group", "groups"),
        provenance=PROVENANCE,
        by=BY,
    )
    files = {label: (f"x/{i}.infocheck.html", f"x/{i}.json") for i, label in enumerate(LABELS)}
    return comparison_document.with_files(found, files)


@pytest.fixture
def html(comparison):
    return comparison_page.render(comparison, date="2026-11-22")


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def all(self, *tags: str) -> list[dict]:
        return [attributes for tag, attributes in self.found if tag in tags]


# The document -------------------------------------------------------------------------------


def test_the_document_follows_its_schema(comparison):
    jsonschema.Draft202012Validator(comparison_document.schema()).validate(comparison)
    assert "NaN" not in document.dumps(comparison)


def test_order_by_verdict_then_rows_and_what_is_not_assessed_last(comparison):
    order = [
        (one["goals"]["confident_edges"]["verdict"], -one["rows"])
        for one in comparison["entries"][:-1]
    ]
    ranks = ["supported", "not_excluded", "excluded"]
    assert order == sorted(order, key=lambda pair: (ranks.index(pair[0]), pair[1]))
    assert comparison["entries"][-1]["label"] == "few"


def test_the_sentence_tells_the_finding_and_what_it_leaves_open(comparison):
    assert comparison["sentence"] == (
        "5 of 9 groups could hold a short list of edges (2 supported), though in 3 of them "
        "sampling stability may be below its floor; 3 are excluded, by sampling stability; "
        "1 could not be assessed."
    )


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["excluded"] * 2, "None of 2 data sets could hold gene modules; all are excluded"),
        (["excluded"], "None of 1 data set could hold gene modules; 1 is excluded"),
        (["supported"] * 3, "3 of 3 data sets could hold gene modules (all supported)."),
        (["not_assessed"], "None of 1 data set could hold gene modules; 1 could not be assessed."),
    ],
)
def test_sentences(make, verdicts, expected):
    one = saved(make, 100)
    entries = [
        comparison_document.entry(str(i), held(one, verdict, "sampling"))
        for i, verdict in enumerate(verdicts)
    ]
    noun = ("data set", "data sets")
    found = comparison_document.sentence(entries, "modules", noun)
    assert found.startswith(expected)


def test_causes_are_counted(make):
    one = saved(make, 100)
    stages = ["sampling", "sampling", "sampling", "measurement", "specificity"]
    entries = [
        comparison_document.entry(str(i), held(one, "excluded", stage))
        for i, stage in enumerate(stages)
    ]
    noun = ("group", "groups")
    found = comparison_document.sentence(entries, "whole_network", noun)
    assert found.endswith("all are excluded, mostly by sampling stability (3 of 5).")
    found = comparison_document.sentence(entries[2:], "whole_network", noun)
    assert found.endswith("by measurement (1), sampling stability (1) and specificity (1).")


@pytest.mark.parametrize("power", [0.6, 1.0, 1.7])
def test_rows_needed_are_the_inverse_of_the_curve(power):
    from infocheck.stats.learning import grown

    times = comparison_document.times_needed(0.25, 0.40, power)
    assert times > 1
    assert grown(0.25, times, power) == pytest.approx(0.40, abs=1e-12)
    assert comparison_document.times_needed(0.6, 0.40, power) < 1
    assert comparison_document.times_needed(-0.1, 0.40, power) is None
    assert comparison_document.times_needed(0.25, 0.40, 0.0) is None


def test_agreement_at_a_size_is_read_between_measured_sizes():
    curve = [[25, 0.1], [50, 0.2], [100, 0.4]]
    assert comparison_document.agreement_at(curve, 50) == pytest.approx(0.2)
    assert comparison_document.agreement_at(curve, 100) == 0.4
    assert comparison_document.agreement_at(curve, 50 * 2**0.5) == pytest.approx(0.3)
    assert comparison_document.agreement_at(curve, 20) is None
    assert comparison_document.agreement_at(curve, 101) is None
    assert comparison_document.agreement_at([[50, 0.2]], 50) == 0.2


# The page -----------------------------------------------------------------------------------


def test_the_policy_allows_the_one_script_and_links_lead_to_the_reports(html):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    elements = Elements(html)
    links = [attributes["href"] for attributes in elements.all("a")]
    assert {link for link in links if not link.startswith("#")} == {
        f"x/{i}.infocheck.html" for i in range(len(LABELS))
    }


def test_structure(html):
    elements = Elements(html)
    tags = [tag for tag, _ in elements.found]
    assert tags.count("h1") == 1
    ids = [a["id"] for _, a in elements.found if a.get("id")]
    assert len(ids) == len(set(ids))
    inside = {a["href"][1:] for a in elements.all("a") if a["href"].startswith("#")}
    assert inside <= set(ids)
    assert all(a.get("aria-hidden") or a.get("role") for a in elements.all("svg"))
    assert html.count("<caption") == html.count("<table")
    headings = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1
    assert set(headings[1:]) == {2}
    assert len(html.encode()) < 1_000_000
    main = html.split("<main")[1]
    assert main.index("<h1>") < main.index("<table")


def test_names_that_mean_harm_stay_text(html, comparison):
    elements = Elements(html)
    assert [tag for tag, _ in elements.found].count("script") == 2
    assert "img" not in {tag for tag, _ in elements.found}
    assert not any(name.startswith("on") for _, a in elements.found for name in a)
    for harm in (fakes.SCRIPT, fakes.IMAGE):
        assert harm not in html
        assert any(harm in text for text in elements.text)
    visible = html.split('<script type="application/json"')[0]
    assert "\x1b" not in visible
    assert "\u202e" not in visible
    assert "x" * 100 not in visible
    saved = json.loads(re.search(r'id="data">(.*?)</script>', html, flags=re.S)[1])
    assert saved == comparison


def test_every_state_is_said_in_words_with_its_number(html):
    table = html.split('<table class="goals num">')[1].split("</table>")[0]
    for text in ("Supported", "Not excluded", "Excluded", "Not assessed", "Sampling stability"):
        assert text in table
    assert "0.04 (0.02–0.06)" in table
    assert "floor 0.10" in table
    assert "4 rows" in table
    for text in ("Not excluded is not a pass.", "which is no ranking", "no correction was made"):
        assert text in html
    assert "3 rows without a label in kind are in no group" in html
    assert "Of 40 levels the 30 largest were looked at." in html
    for stage in Stage:
        assert comparison_page.SHORT[stage] in html


def test_size_is_named_when_it_could_explain_the_verdicts(make):
    def words(rows_of_excluded: int, rows_of_other: int) -> str:
        small = held(saved(make, rows_of_excluded), "excluded", "sampling", "limiting")
        large = held(saved(make, rows_of_other), "not_excluded", "specificity")
        entries = [comparison_document.entry(n, d) for n, d in (("a", small), ("b", large))]
        found = comparison_document.build(
            entries, goal="whole_network", noun=("group", "groups"), provenance=PROVENANCE
        )
        return comparison_page.size_words(found)

    assert "size alone could explain these verdicts" in words(50, 500)
    assert "Size alone does not order the verdicts" in words(500, 50)


def test_the_same_comparison_gives_the_same_page(comparison, html):
    assert comparison_page.render(comparison, date="2026-11-22") == html


def test_files_of_many_runs_have_a_page_too(make):
    entries = [comparison_document.entry(f"{i}.json", saved(make, 100 + i)) for i in range(3)]
    found = comparison_document.build(
        entries,
        goal="modules",
        noun=("data set", "data sets"),
        provenance={**PROVENANCE, "command": None},
    )
    html = comparison_page.render(found)
    assert "Input SHA-256" not in html
    assert "3 data sets" in html
    assert "inside, and across" not in html.lower()


def test_the_terminal_obeys_no_name_and_fits_its_width(comparison):
    for width in (None, 40, 60, 100):
        lines = comparison_terminal.lines(comparison, width)
        assert "\x1b" not in "".join(lines)
        assert len(lines) >= len(comparison["entries"])
        if width:
            assert max(map(len, lines)) <= width
    assert len(comparison_terminal.lines(comparison)) == len(comparison["entries"])


def test_the_card_is_light_and_inline(comparison):
    card = comparison_page.card(comparison)
    assert not re.search(r"<(svg|style|script|iframe|img)|class=|aria-", card)
    assert len(card.encode()) < 50_000


# In a browser -------------------------------------------------------------------------------


@pytest.mark.browser
def test_nothing_overflows_and_nothing_is_asked_of_the_network(open_page, html):
    page = open_page(html)
    assert [url for url in page.requests if not url.startswith("file:")] == []
    assert page.problems == []
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(over) <= 0, (width, scheme)
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") in ("light", "dark")


@pytest.mark.browser
def test_it_is_complete_without_script(open_page, html):
    page = open_page(html, java_script_enabled=False)
    for name in ("#answer", "#by-goal", "#by-stage", "#numbers", "#care", "#provenance"):
        assert page.locator(name).is_visible(), name
    assert not page.locator("#theme").is_visible()
