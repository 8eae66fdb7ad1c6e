"""Information: excludes exact recovery where bits are missing, and promises nothing elsewhere."""

from __future__ import annotations

import math
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from infocheck.checks.information import IMPOSSIBLE, Information
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.report.document import plain, records
from infocheck.result import INFINITY, Status
from infocheck.simulate import simulate

PAGE = Path(__file__).parents[2] / "docs" / "checks" / "information.md"
INDEPENDENT = {"donors": 1, "batches": 1, "donor_share": 0, "batch_share": 0}


def run(adata, check=None, **options):
    data = Dataset.open(adata, **options)
    return (check or Information()).run(data.with_moments(Moments.of(data)), seed=0)


@pytest.fixture(scope="module")
def deep():
    return run(simulate(n_obs=2000, depth=20_000, seed=1, **INDEPENDENT))


@pytest.fixture(scope="module")
def shallow():
    return run(simulate(n_obs=1200, depth=50, seed=1, **INDEPENDENT))


@pytest.fixture(scope="module")
def few():
    rows = np.random.default_rng(2).normal(size=(30, 60))
    return run(ad.AnnData(rows), regulators=[str(i) for i in range(30)])


@pytest.mark.parametrize("case", ["shallow", "few"])
def test_sees_missing_bits(case, request):
    verdict = request.getfixturevalue(case).verdict
    assert verdict.status is Status.LIMITING
    assert verdict.high < 1
    assert IMPOSSIBLE in verdict.reason
    assert "exact recovery is impossible under this assumption" in verdict.reason


def test_passes_sound_data_without_calling_them_enough(deep):
    verdict = deep.verdict
    assert verdict.status is Status.BORDERLINE
    assert verdict.low > 1
    assert "not excluded by this bound" in verdict.reason
    assert IMPOSSIBLE not in verdict.reason


def test_nothing_is_ever_called_feasible(deep, shallow, few):
    check = Information()
    said = [check.computed, check.misleads, check.question, type(check).__doc__]
    said.append(PAGE.read_text("utf-8"))
    for result in (deep, shallow, few):
        said.append(result.verdict.reason)
        said += result.tables["grid"]["statement"].tolist()
        said += [text for c in result.figures().values() for text in (c.title, c.caption)]
    assert not any("feasible" in text.lower() for text in said)


def test_headline_by_hand(deep):
    row = deep.tables["summary"].iloc[0]
    reliability = row["median_target_reliability"] * row["mean_regulator_reliability"]
    bits = -0.5 * math.log2(1 - 0.1 * reliability) * row["effective_observations"]
    required = 0.9 * math.log2(math.comb(40, 3)) - 1
    assert row["regulators"] == 40
    assert row["estimate"] == pytest.approx(bits / required)
    assert row["low"] < row["estimate"] < row["high"]


def test_reliability_is_that_of_the_simulation():
    """Against the simulated rates; targets' median and regulators' mean within .03 (seed 3)."""
    adata = simulate(n_obs=1500, depth=3000, seed=3, **INDEPENDENT)
    row = run(adata).tables["summary"].iloc[0]
    truth, regulator = adata.var["true_reliability"], adata.var["is_regulator"]
    assert row["mean_regulator_reliability"] == pytest.approx(truth[regulator].mean(), abs=0.03)
    # 150 of the 360 targets were drawn.
    assert row["median_target_reliability"] == pytest.approx(truth[~regulator].median(), abs=0.06)


def test_interval_covers_the_ratio_at_the_true_reliability():
    """95 % nominal; all 60 targets are drawn, so only the cells are random; seeds 0 to 39."""
    covered = 0
    for seed in range(40):
        adata = simulate(300, 80, 20, depth=2000, seed=seed, **INDEPENDENT)
        row = run(adata).tables["summary"].iloc[0]
        truth, regulator = adata.var["true_reliability"], adata.var["is_regulator"]
        product = truth[~regulator].median() * truth[regulator].mean()
        bits = -0.5 * math.log2(1 - 0.1 * product) * row["effective_observations"]
        covered += row["low"] <= bits / row["bits_required"] <= row["high"]
    assert covered >= 34


def test_values_without_counts_have_no_reliability_and_no_interval(few):
    row, verdict = few.tables["summary"].iloc[0], few.verdict
    assert not row["reliability_known"]
    assert verdict.low == verdict.estimate == verdict.high
    assert "taken as 1" in verdict.reason
    assert "exact under its assumptions" in verdict.reason


def test_grid_holds_every_case_once(deep):
    grid = deep.tables["grid"]
    cases = grid[["regulators_per_target", "true_r2", "recovery"]]
    assert not cases.duplicated().any()
    # One regulator of one cannot be partly right.
    assert len(grid) == 4 * (1 + 2 + 2)
    reference = grid.query("regulators_per_target == 3 and true_r2 == 0.1 and recovery == 'exact'")
    assert reference["ratio"].iloc[0] == pytest.approx(deep.verdict.estimate)
    n = deep.tables["summary"]["effective_observations"].iloc[0]
    ratio, needed = grid["ratio"].astype(float), grid["observations_needed"].astype(float)
    assert (n / needed).to_numpy() == pytest.approx(ratio.to_numpy())


def test_statements_follow_the_ratio(shallow):
    grid = shallow.tables["grid"]
    below = grid["ratio_high"].astype(float) < 1
    assert below.any()
    assert grid.loc[below, "statement"].str.contains("recovery is impossible").all()
    assert (grid.loc[~below, "statement"] == "not excluded by this bound").all()


def test_no_signal_at_all_needs_infinitely_many_observations():
    """Fewer than one count in ten cells: the median target shows no variance beyond noise."""
    counts = np.random.default_rng(5).poisson(0.05, (200, 80)).astype(float)
    counts[:, 0] = 1000  # keeps size factors even
    result = run(ad.AnnData(counts), regulators=[str(i) for i in range(1, 41)])
    row = result.tables["summary"].iloc[0]
    assert row["median_target_reliability"] < 0.05
    assert result.verdict.status is Status.LIMITING
    nothing = Information()._case(40, 200.0, np.zeros(3), 3, 0.1, 0)
    assert nothing["observations_needed"] == INFINITY
    assert nothing["ratio"] == 0


def test_a_choice_among_three_says_nothing():
    rows = np.random.default_rng(6).normal(size=(50, 20))
    verdict = run(ad.AnnData(rows), regulators=["0", "1", "2"]).verdict
    assert verdict.status is Status.NOT_ASSESSED
    assert "Bring a longer list" in verdict.reason


def test_a_target_among_the_candidates_is_none_of_its_own():
    rows = np.random.default_rng(7).normal(size=(50, 20))
    summary = run(ad.AnnData(rows), regulators="all").tables["summary"]
    assert summary["regulators"].iloc[0] == 19


def test_judged_and_drawn_again_from_a_document(deep, shallow, few):
    for result in (deep, shallow, few):
        saved = {
            name: pd.DataFrame.from_records(plain(records(table)))
            for name, table in result.tables.items()
        }
        again = result.check.judge(saved)
        assert (again.status, again.reason) == (result.verdict.status, result.verdict.reason)
        for chart in result.check.plot(saved).values():
            chart.svg("test")


def test_impossible_numbers_are_an_error(deep):
    broken = {"summary": deep.tables["summary"].assign(estimate=math.nan)}
    assert Information().judge(broken).status is Status.ERROR


def test_reference_case_is_a_setting():
    adata = simulate(n_obs=400, n_genes=120, seed=8, **INDEPENDENT)
    usual = run(adata).verdict.estimate
    assert run(adata, Information(assumed_r2=0.4)).verdict.estimate > usual
    assert run(adata, Information(regulators_per_target=5)).verdict.estimate < usual
    assert run(adata, Information(error=0.5)).verdict.estimate > usual
