"""The pages in reports/design: rows measured again, and what the curves must hold there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from infocheck import Dataset
from infocheck.checks.reliability import Reliability
from infocheck.moments import Moments

FOLDER = Path(__file__).parents[1] / "reports" / "design"


def script(name: str):
    spec = importlib.util.spec_from_file_location(f"design_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def depth():
    return script("depth")


@pytest.fixture(scope="module")
def rows():
    return script("rows")


def source(shared: Path, name: str) -> Path:
    path = shared / "data" / f"{name}.h5ad"
    if not path.exists():
        pytest.skip(f"{name} is not here")
    return path


def same(found: pd.DataFrame, name: str, table: str) -> None:
    saved = pd.read_csv(FOLDER / table)
    saved = saved[saved["data"] == name].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), saved[found.columns], check_dtype=False, atol=1e-3, rtol=0
    )


@pytest.mark.shared
@pytest.mark.parametrize("name", ["cardamom_Trees100", "kang_pbmc_ifnb_donors"])
def test_depth_is_measured_as_the_table_says(shared, depth, name):
    found, _ = depth.of(source(shared, name))
    same(found, name, "depth.csv")


@pytest.mark.shared
@pytest.mark.parametrize("name", ["yeast_segregants_yeung2011", "dream4_10_net1_timeseries"])
def test_rows_are_measured_as_the_table_says(shared, rows, name):
    found = rows.of(source(shared, name), regulators=70)
    same(found, name, "rows.csv")


@pytest.mark.shared
def test_reliability_of_the_script_is_that_of_the_check(shared, depth):
    data = Dataset.open(source(shared, "kang_pbmc_ifnb_donors"))
    data = data.with_moments(Moments.of(data))
    check = Reliability().measure(data, None)["regulators"]["reliability"].to_numpy()
    script = depth.reliability(data)[data.panel.genes[data.panel.expressed]]
    assert script == pytest.approx(check, abs=1e-12)


def test_the_forecast_of_depth_holds(depth):
    """One thinned copy and the mean of eight, over data sets and depths."""
    found = pd.read_csv(FOLDER / "depth.csv")
    found = found[(found["set"] == depth.REGULATORS) & (found["genes"] >= depth.FEWEST_REGULATORS)]
    found = found[found["data"] != depth.TOGETHER]
    assert found["data"].nunique() >= 5
    assert found["error_one"].median() <= depth.NEED
    assert found["error_mean"].median() <= depth.NEED
    assert depth.held(found).mean() >= 0.8


def test_the_forecast_of_rows_holds(rows):
    found = rows.counted(pd.read_csv(FOLDER / "rows.csv"))
    assert found["data"].nunique() >= 12
    assert found["size"].median() <= rows.NEED
    assert found["inside"].mean() >= 0.9


def test_the_page_of_depth_is_made_from_its_table(depth):
    found = pd.read_csv(FOLDER / "depth.csv")
    assert (FOLDER / "depth.md").read_text("utf-8") == depth.page(found)


def test_the_page_of_rows_is_made_from_its_tables(rows):
    found, seen = (pd.read_csv(FOLDER / f"{name}.csv") for name in ("rows", "rows_detected"))
    text = (FOLDER / "rows.md").read_text("utf-8")
    assert text.startswith(rows.page(found, seen, {}).rstrip())
