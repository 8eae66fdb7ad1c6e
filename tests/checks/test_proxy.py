"""Proxy: protein is a measurement, a ceiling is none, expression alone is never a pass."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest

from infocheck.check import by_name
from infocheck.checks.information import Information
from infocheck.checks.proxy import Proxy
from infocheck.dataset import Dataset
from infocheck.errors import NotAssessed
from infocheck.moments import Moments
from infocheck.proxies import coupling
from infocheck.report.document import plain, records
from infocheck.result import INFINITY, Stage, Status
from infocheck.simulate import mechanistic, simulate
from infocheck.stats.kinetics import coupling_ceiling

REGULATORS = 20
PLAIN = {"donor_share": 0.0, "batch_share": 0.0, "condition": None}


def cells(protein_hours: float, *, counts: bool = True, seed: int = 1) -> anndata.AnnData:
    """Regulators that fluctuate around a steady state, with the protein of each."""
    adata = mechanistic(
        800,
        120,
        REGULATORS,
        mrna_half_life=9.0,
        protein_half_life=protein_hours,
        signal=0.0,
        regulator_parents=0.0,
        bystanders=40,
        bursts=5,
        depth=30_000,
        seed=seed,
        **PLAIN,
    )
    level = adata.obsm["protein"].astype(float)
    if counts:
        level = np.random.default_rng(seed).poisson(30 * level).astype(float)
    columns = adata.var_names[:REGULATORS]
    adata.obsm["protein"] = pd.DataFrame(level, index=adata.obs_names, columns=columns)
    return adata


def opened(adata, **options):
    data = Dataset.open(adata, **options)
    return data.with_moments(Moments.of(data))


def run(adata, **options):
    return Proxy().run(opened(adata, **options), seed=0)


def lives(adata) -> pd.DataFrame:
    """The half-lives that the cells were simulated with."""
    var = adata.var.dropna(subset=["mrna_half_life", "protein_half_life"])
    return pd.DataFrame(
        {
            "gene": var.index,
            "mrna_half_life": var["mrna_half_life"].to_numpy(),
            "protein_half_life": var["protein_half_life"].to_numpy(),
        }
    )


@pytest.fixture(scope="module")
def fast():
    return cells(3.0)


@pytest.fixture(scope="module")
def slow():
    return cells(180.0)


@pytest.fixture(scope="module")
def alone():
    """Expression and nothing beside it."""
    return run(simulate(200, 80, 10, seed=1))


def test_passes_regulators_whose_protein_follows_at_once(fast):
    result = run(fast)
    assert result.verdict.status is Status.ENOUGH
    truth = coupling_ceiling(9, 3)
    assert result.verdict.low <= truth <= result.verdict.high
    assert result.verdict.estimate == pytest.approx(truth, abs=0.06)
    assert "times the samples" in result.verdict.reason
    assert result.tables["summary"]["assessed"].iloc[0] == REGULATORS


def test_sees_that_slow_protein_uncouples_mrna(slow):
    result = run(slow)
    assert result.verdict.status is Status.BORDERLINE, "there is no floor"
    truth = coupling_ceiling(9, 180)
    assert result.verdict.low <= truth <= result.verdict.high
    assert result.verdict.low < 0.5
    assert result.verdict.estimate < 0.4


@pytest.mark.parametrize("case", ["fast", "slow"])
def test_ranges_hold_the_coupling_of_each_regulator(case, request):
    """Each simulated gene has half-lives of its own, in closed form; at least 18 of 20."""
    adata = request.getfixturevalue(case)
    table = run(adata).tables["regulators"].set_index("regulator")
    own = lives(adata).set_index("gene").loc[table.index]
    truth = coupling_ceiling(own["mrna_half_life"], own["protein_half_life"])
    inside = (table["coupling_low"] <= truth) & (truth <= table["coupling_high"])
    assert inside.sum() >= 18


def test_levels_without_counts_leave_a_wider_range_that_holds_it(fast):
    adata = cells(3.0, counts=False)
    known, unknown = run(fast).verdict, run(adata).verdict
    truth = coupling_ceiling(9, 3)
    assert unknown.low <= truth <= unknown.high
    assert unknown.high > known.high or unknown.high == 1.0


def test_sees_that_expression_alone_cannot_answer(alone):
    assert alone.verdict.status is Status.NOT_ASSESSED
    assert "Bring protein levels" in alone.verdict.reason
    assert "0.40" in alone.verdict.reason
    assert alone.verdict.estimate is None
    assert alone.figures() == {}


def test_the_ceiling_at_median_half_lives_is_context(alone):
    table = alone.tables["ceiling"]
    row = table.set_index("protein_half_life_hours").loc[46.0]
    assert row["ceiling"] == pytest.approx(0.404, abs=1e-3)
    assert row["least_inflation"] == pytest.approx(55 / 9)
    assert row["mrna_half_life_from"] == "mouse fibroblasts"
    assert table["ceiling"].is_monotonic_decreasing


def test_half_lives_alone_are_no_measurement(fast):
    bare = fast.copy()
    del bare.obsm["protein"]
    result = run(bare, half_lives=lives(fast))
    assert result.verdict.status is Status.NOT_ASSESSED
    assert "a ceiling, which is no measurement" in result.verdict.reason
    assert len(result.tables["half_lives"]) == REGULATORS
    assert (result.tables["evidence"]["kind"] == "ceiling").all()
    assert "regulators" not in result.tables


def test_half_lives_cut_the_range_of_protein(slow):
    without, given = run(slow), run(slow, half_lives=lives(slow))
    assert given.verdict.high <= without.verdict.high
    table = given.tables["inflation"].set_index("regulator")
    ceiling = given.tables["half_lives"].set_index("regulator")["ceiling_high"][table.index]
    below = ~table["above_ceiling"].astype(bool)
    assert below.mean() >= 0.9
    assert (table["coupling_high"][below] <= ceiling[below] + 1e-12).all()
    # Half-lives that cannot be: most ranges lie wholly above, and what is measured is kept.
    wrong = run(slow, half_lives=lives(slow).assign(protein_half_life=20_000.0)).verdict
    assert "which does not hold there" in wrong.reason
    assert wrong.estimate == without.verdict.estimate


def test_a_surface_panel_tests_the_proxy_in_general_only(fast):
    adata = fast.copy()
    names = list(adata.var_names[REGULATORS : 2 * REGULATORS])
    adata.obsm["protein"] = adata.obsm["protein"].set_axis(names, axis=1)
    result = run(adata)
    assert result.verdict.status is Status.NOT_ASSESSED
    assert "none of them a regulator" in result.verdict.reason
    assert "in general and not for the regulators" in result.verdict.reason
    assert len(result.tables["proteins"]) == REGULATORS
    assert "normalisation" in result.tables
    assert set(result.figures()) == {"proteins", "normalisation"}


def test_a_few_observations_leave_the_distribution_over_proteins(fast):
    result = run(fast[:6].copy())
    assert result.verdict.status is Status.NOT_ASSESSED
    assert "6 observations are too few" in result.verdict.reason
    assert "with other normalisations" in result.verdict.reason
    assert len(result.tables["proteins"]) == REGULATORS


def test_protein_in_hardly_any_cell_is_said_and_judged_again(fast):
    """Three values of each protein: no correlation is worth a word, and nothing crashes."""
    adata = fast.copy()
    level = adata.obsm["protein"].to_numpy().copy()
    level[3:] = np.nan
    adata.obsm["protein"] = pd.DataFrame(
        level, index=adata.obs_names, columns=adata.var_names[REGULATORS : 2 * REGULATORS]
    )
    result = run(adata)
    assert result.verdict.status is Status.NOT_ASSESSED, result.verdict.reason
    text = json.dumps({name: records(table) for name, table in result.tables.items()})
    saved = {name: pd.DataFrame(rows, dtype=object) for name, rows in json.loads(text).items()}
    with pytest.raises(NotAssessed):
        Proxy().judge(saved)
    Proxy().plot(saved)


def test_ranges_from_the_network_s_own_correlations_are_at_most_borderline(fast):
    tables = dict(run(fast).tables)
    assert Proxy().judge(tables).status is Status.ENOUGH
    tables["summary"] = tables["summary"].assign(other_evidence=REGULATORS // 2 - 1)
    verdict = Proxy().judge(tables)
    assert verdict.status is Status.BORDERLINE
    assert "at most borderline" in verdict.reason


def test_the_need_is_the_lower_end(fast):
    tables = dict(run(fast).tables)
    tables["summary"] = tables["summary"].assign(low=0.49)
    assert Proxy().judge(tables).status is Status.BORDERLINE
    tables["summary"] = tables["summary"].assign(low=0.50)
    assert Proxy().judge(tables).status is Status.ENOUGH
    tables["summary"] = tables["summary"].assign(low=-0.6, estimate=-0.5, high=-0.4)
    assert Proxy().judge(tables).status is Status.BORDERLINE, "never limiting"
    tables["summary"] = tables["summary"].assign(low=np.nan)
    assert Proxy().judge(tables).status is Status.ERROR
    assert Proxy().stage is Stage.PROXY


def test_an_endless_inflation_reads_as_a_sentence(slow):
    tables = dict(run(slow).tables)
    tables["summary"] = tables["summary"].assign(
        low=-0.1, inflation_low=2.5, inflation_high=INFINITY
    )
    assert "at least 2.5 times the samples" in Proxy().judge(tables).reason


@pytest.mark.parametrize("case", ["fast", "slow"])
def test_judged_and_drawn_from_a_saved_table(case, request):
    result = run(request.getfixturevalue(case))
    text = json.dumps({name: records(table) for name, table in result.tables.items()})
    saved = {name: pd.DataFrame(rows, dtype=object) for name, rows in json.loads(text).items()}
    verdict = by_name("proxy").judge(saved)
    assert verdict.status is result.verdict.status
    assert verdict.reason == result.verdict.reason
    assert plain(verdict.low) == pytest.approx(result.verdict.low, rel=1e-5)
    charts = by_name("proxy").plot(saved)
    assert set(charts) == {"coupling", "proteins", "normalisation"}
    for name, chart in charts.items():
        assert chart.svg(name).startswith("<svg")
        assert chart.svg(name, width=4.9)


def test_the_same_numbers_whatever_the_seed_and_in_every_check(fast):
    data = opened(fast)
    first, second = (Proxy().run(data, seed=seed).tables["summary"] for seed in (0, 5))
    pd.testing.assert_frame_equal(first, second)
    assert coupling.of(data).summary.estimate == first["estimate"].iloc[0]


def test_the_information_bound_knows_the_coupling(slow):
    """With ρ² at both ends of the range: closed form, to rounding."""
    data = opened(slow)
    row = Information().run(data, seed=0).tables["summary"].iloc[0]
    bare = slow.copy()
    del bare.obsm["protein"]
    without = Information().run(opened(bare), seed=0)
    plainly = without.tables["summary"].iloc[0]
    least, about, most = coupling.of(data).strength
    assert (row["coupling_low"], row["coupling_high"]) == (least, most)
    kept = plainly["median_target_reliability"] * plainly["mean_regulator_reliability"]

    def bits(r2):
        return -0.5 * np.log2(1 - r2) * plainly["effective_observations"]

    expected = bits(0.1 * kept * about**2) / plainly["bits_required"]
    assert row["estimate"] == pytest.approx(expected, rel=1e-9)
    assert row["low"] < row["estimate"] < row["high"] < plainly["estimate"]
    assert plainly["coupling"] == 1.0
    assert not plainly["coupling_known"]
    assert "mRNA and activity" not in without.verdict.reason
    assert "mRNA and activity" in Information().run(data, seed=0).verdict.reason
