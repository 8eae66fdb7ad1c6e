"""Charts as inline SVG: colours by role, ids of their own, labels untouched."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from infocheck import plotting
from infocheck.plotting import Chart

LABEL = '$\\frac{1}$ <b> #1b2026 0.03 id="x" url(#y)'


def draw(axes, width):
    x = np.linspace(0, 1, 50)
    axes.plot(x, x, color=plotting.C1, marker="o", label="first")
    axes.plot(x, x**2, color=plotting.C2, ls="--", rasterized=True)
    axes.text(0.1, 0.9, LABEL, weight="semibold")
    axes.grid(color=plotting.LINE)
    axes.legend()
    axes.set(xlabel="Mean count", ylabel="Reliability")


@pytest.fixture(scope="module")
def chart():
    return Chart(title="A & B rise <together>.", caption="Two lines.", draw=draw)


@pytest.fixture(scope="module")
def svg(chart):
    return chart.svg("check-name")


def test_it_is_well_formed_and_says_what_it_finds(svg):
    root = ET.fromstring(svg.replace("xlink:href", "href"))
    assert root.get("role") == "img"
    assert root[0].tag.endswith("title")
    assert root[0].text == "A & B rise <together>."
    assert root[0].get("id") == root.get("aria-labelledby")
    assert "viewBox" in root.attrib
    assert "width" not in root.attrib


def test_colours_are_roles_of_the_page(svg):
    tags = "".join(re.findall(r"<(?!image)[^>]*>", svg))
    assert {"currentColor", "var(--line)", "var(--c1)", "var(--muted)"} <= set(
        re.findall(r"currentColor|var\(--\w+\)", tags)
    )
    assert set(re.findall(r"#[0-9a-fA-F]{6}\b", tags)) == set()
    assert "<style" not in svg


def test_labels_stay_as_they_are(svg):
    root = ET.fromstring(svg.replace("xlink:href", "href"))
    assert LABEL in {element.text for element in root.iter() if element.text}


def test_ids_are_those_of_the_figure_and_are_found(svg):
    ids = re.findall(r'<[^>]*?\bid="([^"]*)"', svg)
    assert all(name.startswith("check-name-") for name in ids)
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="#|url\(#)([^")]+)', re.sub(r">[^<]*<", "><", svg))
    assert set(used) <= set(ids)


def test_what_is_rasterised_is_inside_the_file(svg):
    assert 'href="data:image/png;base64' in svg


def test_same_chart_same_bytes(chart, svg):
    assert chart.svg("check-name") == svg


def test_the_narrow_twin_has_a_size_of_its_own(chart):
    narrow = chart.svg("check-name-narrow", plotting.NARROW)
    width = float(re.search(r'viewBox="0 0 ([\d.]+) ', narrow)[1])
    assert width == pytest.approx(72 * plotting.NARROW)


def test_powers_of_ten_are_set_and_dollars_in_names_are_not():
    def draw(axes, width):
        axes.plot([1e-3, 1e3], [0, 1])
        axes.set(xscale="log")
        axes.set_yticks([0, 1], ["$\\frac{1}$", "$a$"])

    svg = Chart(title="Ranks.", caption="", draw=draw).svg("ranks")
    assert "mathdefault" not in svg
    assert ">$\\frac{1}$<" in svg
    assert ">$a$<" in svg


@pytest.mark.parametrize("count", [1, 40, 600, 3000])
def test_points_are_seen_in_a_picture_too(count, tmp_path):
    """Strokes of no length would be left out where pixels are drawn."""
    from PIL import Image

    x = np.linspace(0, 5, count)
    chart = Chart(title="t", caption="c", draw=lambda axes, _: plotting.dots(axes, x, x))
    chart.figure().savefig(tmp_path / "dots.png")
    pixels = np.asarray(Image.open(tmp_path / "dots.png").convert("RGB")).astype(int)
    assert (pixels[..., 2] - pixels[..., 0] > 40).sum() >= 8
