"""The page of a planned study: policy, structure, words, both themes, phone, script off."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import jsonschema
import pytest

import infocheck as ic
from infocheck.report import study_document, study_page

SMALL = {"donors": "4:40:5", "cells": "50:2000:5", "depth": "1000:50000:3", "draws": 10}
HARM = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def study() -> ic.Study:
    return ic.design(profile="human_pbmc_10x", perturbations=30, batches="1,2", **SMALL)


@pytest.fixture(scope="module")
def html(study) -> str:
    return study.to_html()


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, *tags: str) -> list[dict]:
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture(scope="module")
def elements(html):
    return Elements(html)


def embedded(html: str) -> dict:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html)
    return json.loads(text)


# The document ------------------------------------------------------------------------------


def test_the_schema_is_a_schema_and_the_document_follows_it(study):
    schema = study_document.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(study.to_json())
    jsonschema.Draft202012Validator(schema).validate(document)
    for path, word in ((("optimum", "limited_by"), "luck"), (("system", "kind"), "tea")):
        broken = json.loads(study.to_json())
        broken[path[0]][path[1]] = word
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate(broken)


@pytest.mark.parametrize("name", ["bacteria_microarray", "human_bulk_tissue", "yeast_segregants"])
def test_other_kinds_follow_the_schema_and_have_a_page(name):
    study = ic.design(profile=name, draws=3)
    document = json.loads(study.to_json())
    jsonschema.Draft202012Validator(study_document.schema()).validate(document)
    assert "NaN" not in study.to_json()
    assert document["optimum"]["umis"] is None
    assert (document["optimum"]["depth"] is None) == (not study.system.has_depth)
    assert "UMI" not in study.to_html().split("<main")[1].split('id="glossary"')[0]


def test_the_page_holds_the_document(study, html):
    assert embedded(html) == json.loads(study.to_json())


def test_of_many_designs_the_page_keeps_a_part(monkeypatch):
    monkeypatch.setattr(study_page, "MOST_DESIGNS", 20)
    study = ic.design(profile="human_pbmc_10x", **SMALL)
    html = study.to_html()
    assert len(embedded(html)["tables"]["designs"]) == 20
    assert len(json.loads(study.to_json())["tables"]["designs"]) == 75
    assert "except that this page holds only a part of designs" in html


# The page ----------------------------------------------------------------------------------


def test_the_policy_allows_the_one_script_and_nothing_else(html, elements):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    for _, attributes in elements.found:
        for name in ("src", "href", "xlink:href"):
            assert re.match(r"#|data:image/png|$", attributes.get(name) or "")


def test_structure(html, elements):
    assert html.startswith("<!doctype html>")
    assert [tag for tag, _ in elements.found].count("h1") == 1
    ids = [a["id"] for _, a in elements.found if a.get("id")]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for a in elements.all("a")}
    assert links <= set(ids)
    labelled = [a for a in elements.all("svg") if a.get("role") == "img"]
    assert len(labelled) >= 2 * 6
    assert all(a.get("aria-hidden") or a.get("role") for a in elements.all("svg"))
    assert html.count("<caption") == html.count("<table")
    assert len(elements.found) < 10_000
    assert len(html.encode()) < 1_000_000


def test_every_curve_prints_its_caution_and_the_page_never_says_supported(html):
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", html)
    assert len(captions) == 6
    for caption in captions:
        assert "An upper bound, to compare designs of one system" in caption
    assert "upported" not in re.sub(r"<script.*?</script>|<style.*?</style>", "", html, flags=re.S)


def test_the_answer_stands_first(study, html):
    main = html.split("<main")[1]
    assert f"<h1>{study.headline}</h1>" in main
    assert main.index("<h1>") < main.index("<table") < main.index("<figure")
    assert "An upper bound, not a promise." in main


def test_assumptions_are_numbered_and_sources_are_told(study, html):
    section = html.split('<section id="assumptions">')[1].split("</section>")[0]
    assert section.count("<li>") >= len(study.tables["assumptions"])
    system = html.split('<section id="system">')[1].split("</section>")[0]
    for basis in ("Measured", "Assumed"):
        assert f"<b>{basis}</b>" in system


def test_names_that_mean_harm_stay_text():
    from dataclasses import replace

    from infocheck.planning import system

    one = replace(system.shipped("human_pbmc_10x"), title=HARM, donor="d<i>", notes=(HARM,))
    page = ic.design(profile=one, **SMALL).to_html()
    assert HARM not in page
    assert "<i>" not in page


def test_the_same_study_gives_the_same_page(study, html):
    assert study.to_html() == html


def test_the_card_is_light_and_inline(study):
    card = study._repr_html_()
    assert len(card.encode()) < 50_000
    assert study.headline in card
    assert not re.search(r"<(svg|style|script|iframe)|class=|aria-", card)


# In a browser ------------------------------------------------------------------------------


@pytest.mark.browser
def test_nothing_overflows_and_nothing_is_asked_of_the_network(open_page, html):
    page = open_page(html)
    assert [url for url in page.requests if not url.startswith("file:")] == []
    assert page.problems == []
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert (
                page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                <= 0
            ), (width, scheme)


@pytest.mark.browser
def test_it_is_complete_without_script(open_page, html):
    page = open_page(html, java_script_enabled=False)
    for name in ("#answer", "#curves", "#map", "#sensitivity", "#perturbations", "#system"):
        assert page.locator(name).is_visible(), name
    assert not page.locator("#theme").is_visible()


@pytest.mark.browser
def test_tables_as_csv(open_page, html):
    page = open_page(html)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    with page.expect_download() as waiting:
        page.click("#table-sensitivity button.table")
    with open(waiting.value.path(), encoding="utf-8", newline="") as file:  # noqa: PTH123
        head, *rows = list(csv.reader(io.StringIO(file.read())))
    assert head[:2] == ["assumption", "end"]
    assert len(rows) > 10


def test_it_says_when_the_best_design_stands_at_an_end_of_the_grid():
    cheap = {"cost_donor": 1, "cost_cell": 1000, "cost_read": 0}
    grid = {**SMALL, "donors": "200,400", "cells": "50:400:4", "power": 0.5}
    at_end = ic.design(profile="human_pbmc_10x", **grid, **cheap)
    assert at_end.best["cells"] == 50
    said = " ".join(study_page.remarks(at_end))
    assert "stands at an end of what was compared" in said
    assert "cells per donor (least)" in said
    inside = {"donors": 30, "cells": "10:400:8", "depth": 50_000, "power": 0.6, "draws": 10}
    found = ic.design(profile="human_pbmc_10x", **inside)
    assert 10 < found.best["cells"] < 400
    assert "stands at an end" not in " ".join(study_page.remarks(found))
