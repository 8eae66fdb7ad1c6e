"""The page as text: policy, escaping, structure, words."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import fakes
import pytest

from infocheck import goals, lift
from infocheck.report import digits, document, tables, terminal, views
from infocheck.result import INFINITY, Status, Verdict


class Outline(HTMLParser):
    """Elements of a page in order, as (tag, attributes)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def all(self, *tags: str) -> list[dict]:
        return [attributes for tag, attributes in self.elements if tag in tags]


@pytest.fixture(scope="module")
def outline(html):
    return Outline(html)


def embedded(html: str) -> dict:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html)
    return json.loads(text)


def test_the_generator_stands_in_the_first_thousand_bytes(html):
    assert '<meta name="generator" content="infocheck 0.1.0">' in html.encode()[:1000].decode()


def test_the_policy_allows_the_one_script_and_nothing_else(html):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_nothing_is_loaded_from_elsewhere(outline):
    for _, attributes in outline.elements:
        for name in ("src", "href", "xlink:href", "data", "action"):
            assert re.match(r"#|data:image/png|$", attributes.get(name) or "")
    assert not outline.all("link", "iframe", "object", "embed", "img")


def test_names_that_mean_harm_stay_text(html, outline):
    assert fakes.SCRIPT not in html
    assert "<img" not in html
    assert not [name for _, a in outline.elements for name in a if name.startswith("on")]
    assert len(outline.all("script")) == 3


def test_the_embedded_document_is_the_document(report, html):
    data = embedded(html)
    assert data == json.loads(report.to_json())
    assert html.count('id="data"') == 1


def test_ids_are_unique_and_links_find_them(outline):
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in outline.all("a", "use"):
        target = attributes.get("href") or attributes.get("xlink:href")
        assert target.removeprefix("#") in ids


def test_ids_are_the_keys_of_the_document(report, outline):
    ids = {attributes.get("id") for _, attributes in outline.elements}
    assert set(report.results) | set(report.goals) <= ids


def test_headings_descend_one_level_at_a_time(outline):
    levels = [int(tag[1]) for tag, _ in outline.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_landmarks_and_language(html, outline):
    assert outline.all("html") == [{"lang": "en"}]
    assert len(outline.all("main")) == len(outline.all("nav")) == 1
    assert {"class": "skip", "href": "#verdict"} in outline.all("a")
    assert "<title>1 supported, 5 excluded: demo &lt;i&gt;x.h5ad, infocheck report</title>" in html


def test_every_table_has_a_caption_and_scopes(html, outline):
    assert len(outline.all("table")) == len(outline.all("caption"))
    assert {a.get("scope") for a in outline.all("th")} == {"col", "row"}
    sortable = re.search(r'<table id="gt".*?</thead>', html, flags=re.S)[0]
    assert sortable.count("aria-sort") == sortable.count("<button") == sortable.count("<th ")


def test_every_drawing_is_named_or_hidden(html, outline):
    for attributes in outline.all("svg"):
        named = "aria-label" in attributes or "aria-labelledby" in attributes
        assert attributes.get("aria-hidden") == "true" or (attributes["role"] == "img" and named)
    figures = re.findall(r"<figure.*?</figure>", html, flags=re.S)
    assert figures
    for figure in figures:
        assert "<title id=" in figure
        assert "<figcaption>" in figure


def test_figures_follow_the_theme(html):
    (figure,) = re.findall(r"<figure.*?</figure>", html, flags=re.S)
    assert "var(--c1)" in figure
    assert "currentColor" in figure
    assert not re.findall(r"#[0-9a-f]{6}\b", figure)
    assert "<style" not in figure
    assert "font-family" not in figure
    assert "Need 0.20" in figure


def test_words_of_the_page(html):
    for words in (
        "Not excluded is not a pass.",
        "Gene modules are supported, a short list of edges and the whole network are excluded.",
        "Not computed",
        "No bound: it is not a ranking of edges",
        "Not forecast",
        "Simulated demo data with a known truth.",
        "guessed",
        "named",
        "69% were bad",
        "24% were not bad",
    ):
        assert words in html
    assert "/home" not in html


def test_a_bound_is_shown_in_per_cent_and_never_rounded_down(make):
    report = make()
    best = goals.Bound(value=0.3101, unit="normalised AUPR, all edges", panel=("correlation",))
    bounded = replace(report.goals["whole_network"], at_best=best)
    report = make(goals={**report.goals, "whole_network": bounded})
    row = re.search(r'<tr id="whole_network">.*?</tr>', report.to_html(), flags=re.S)[0]
    assert "At best </span>≤ 32%" in row
    assert "normalised AUPR, all edges" in row
    assert "≤ 32%" in report._repr_html_()
    assert any("at best 32%" in line for line in terminal.lines(report))
    saved = document.to_document(report)["goals"]["whole_network"]["at_best"]
    assert saved == {"value": 0.3101, "unit": best.unit, "panel": ["correlation"]}


def test_an_error_is_not_assessed_and_says_why(html):
    section = re.search(r'<section id="specificity">.*?</section>', html, flags=re.S)[0]
    assert "Not assessed" in section
    assert "FileNotFoundError: cache.npy" in section


def test_references_are_only_those_used(html):
    bibliography = re.search(r'<pre id="bib">(.*?)</pre>', html, flags=re.S)[1]
    assert "schafer2005" in bibliography
    assert "wilson1927" not in bibliography


def test_same_report_same_bytes(make, html):
    assert make().to_html() == html


def test_a_figure_that_crashes_costs_only_itself(make, monkeypatch):
    monkeypatch.setattr(fakes.Reliability, "plot", lambda self, tables: 1 / 0)
    assert 'id="reliability"' in make().to_html()


@pytest.mark.parametrize("goal", ["modules", "edge_direction"])
def test_every_goal_has_its_chain(make, goal):
    html = make(goal=goal).to_html()
    chain = re.search(r'<ol class="chain.*?</ol>', html, flags=re.S)[0]
    assert chain.count("<li") == 6
    assert ("Not needed" in chain) == (goal == "modules")
    assert ("Weakest link" in chain) == (goal != "modules")


def test_a_large_report_stays_light(large_html):
    assert len(large_html.encode()) < 1_000_000
    data = embedded(large_html)
    assert data["provenance"]["shortened_in_page"] == ["reliability.genes"]
    assert len(data["checks"]["reliability"]["tables"]["genes"]) == 200
    assert len(data["checks"]["reliability"]["tables"]["regulators"]) == 1250
    assert "first 200 of 1,250" in large_html


def test_regulators_that_are_cut_are_those_on_the_page(make):
    html = make(regulators=2100).to_html()
    shown = set(re.findall(r'<tr><th scope="row">(GENE\d+)</th>', html.split('id="gt"')[1]))
    rows = embedded(html)["checks"]["stability"]["tables"]["regulators"]
    assert len(rows) == 200
    assert shown <= {row["regulator"] for row in rows}


@pytest.mark.parametrize(
    ("numbers", "unit", "expected"),
    [
        ((0.14, 0.11, 0.17), "agreement", "0.14 (0.11–0.17)"),
        ((0.64, 0.61, 0.68), "share of genes", "64% (61–68%)"),
        ((0.006, 0.0055, 0.0062), "R²", "0.0060 (0.0055–0.0062)"),
        ((0.9531, 0.9530, 0.9532), "agreement", "0.9531 (0.9530–0.9532)"),
        ((0.006, 0.004, 0.009), "share of genes", "0.6% (0.4–0.9%)"),
        ((-0.01, -0.03, 0.02), "R²", "−0.01 (−0.03 to 0.02)"),
        ((1210.0, 880.0, 1630.0), "cells", "1,210 (880–1,630)"),
        ((0.5, None, None), "share", "50%"),
    ],
)
def test_numbers_keep_their_interval(numbers, unit, expected):
    estimate, low, high = numbers
    verdict = Verdict(
        status=Status.ENOUGH, reason="", estimate=estimate, low=low, high=high, unit=unit
    )
    assert digits.with_interval(verdict) == expected


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.0123456, "", "0.012"),
        (0.05, "", "0.05"),
        (0.2, "", "0.20"),
        (2, "z", "2.00"),
        (0.5, "share", "50%"),
        (0.005, "", "0.005"),
        (0.15, "share", "15%"),
        (0.025, "share", "2.5%"),
    ],
)
def test_thresholds_are_round(value, unit, expected):
    assert digits.single(value, unit) == expected


def test_no_number_is_shown_as_zero_that_is_not():
    assert digits.number(0.0004, 2) == "0.0004"
    assert digits.number(3e-9, 2) == "3.0e−09"
    assert digits.number(0.0, 2) == "0.00"
    assert digits.number(float("nan"), 2) == digits.MISSING


def test_intervals_stand_beside_their_estimate(report):
    found = {c.key: c for c in tables.columns(report["reliability"].tables["genes"])}
    assert (found["value"].low, found["value"].high) == ("low", "high")
    assert "low" not in found
    found = {c.key: c for c in tables.columns(report["stability"].tables["regulators"])}
    assert found["agreement"].high == "agreement_high"


def test_the_schema_is_shipped():
    assert document.schema()["properties"]["schema"] == {"const": document.SCHEMA}


def test_a_crash_is_a_missing_link_and_not_a_weak_one(make, report):
    enough = Verdict(status=Status.ENOUGH, reason="Enough.", estimate=1, low=1, high=1, need=0.05)
    predictability = replace(report["predictability"], verdict=enough)
    results = {**report.results, "predictability": predictability}
    verdicts = goals.decide(results, n_obs=8412, role_levels={})
    html = make(results=results, goals=verdicts, stages=goals.stage_states(results)).to_html()
    assert "Missing link" in html
    assert "Weakest link" not in html
    assert "not assessed, because one link is not" in html
    proposals = re.search(r'<section id="next">.*?</section>', html, flags=re.S)[0]
    assert "Evidence other than co-expression" not in proposals


def test_what_only_explains_is_never_shown_as_limiting_a_goal(report):
    """Nor on the scale of needs, whatever its numbers, and below all checks that decide."""
    explained = report["sample_size"]
    short = replace(explained.verdict, status=Status.LIMITING, need=2000.0, floor=2000.0)
    changed = {**report.results, "sample_size": replace(explained, verdict=short)}
    report = replace(report, results=changed)
    assert "sample_size" not in {row["name"] for row in views.also_limiting(report)}
    last = views.scorecard(report)[-1]
    assert last.name == "sample_size"
    assert last.dot is None
    assert last.need == ""
    assert "decides nothing" in last.reason
    section = next(s for s in views.sections(report) if s["name"] == "sample_size")
    assert section["role"] == "explains, does not decide"


def test_an_infinite_number_is_a_word_in_a_column_of_numbers():
    import pandas as pd

    saved = document.records(pd.DataFrame({"gene": ["A", "B", "C"], "vif": [1.5, INFINITY, None]}))
    shown = tables.show("regulators", pd.DataFrame.from_records(saved), 10)
    assert shown.columns[1].numeric
    assert shown.columns[1].label == "VIF"
    assert [cells[1] for cells in shown.rows] == ["1.50", "infinity", "–"]


def test_a_gain_stands_with_its_band_beside_the_remedy(make):
    """Twice the depth: before, after, band; what has no closed form stays not forecast."""
    import pandas as pd

    whole = make()
    low = whole.results["reliability"]
    depth = pd.DataFrame(
        {"depth": [1, 2], "estimate": [0.08, 0.38], "low": [0.05, 0.31], "high": [0.12, 0.46]}
    )
    verdict = replace(low.verdict, status=Status.LIMITING, estimate=0.08, low=0.05, high=0.12)
    results = {
        **whole.results,
        "reliability": replace(low, verdict=verdict, tables={**low.tables, "depth": depth}),
    }
    judged = goals.decide(results, n_obs=8412, role_levels={"donor": 12, "batch": 3})
    page = make(results=results, goals=judged, stages=goals.stage_states(results)).to_html()
    section = page[page.index('id="next"') :].split("</section>")[0]
    assert "<b>8% → 38%</b> (31–46%)" in section
    assert "with twice the UMIs per cell" in section
    assert "from 8%." in section
    # Without a gain the column says so, and the text does not say it again.
    assert "<b>Not forecast</b>" in section
    assert lift.NOT_FORECAST not in section
