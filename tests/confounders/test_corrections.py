"""Corrections: planted batches and hidden factors leave, the network stays until too much goes."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from infocheck.confounders import corrections
from infocheck.confounders.corrections import COMPONENTS, KNOWN, NONE, SUBSET, WITHIN
from infocheck.confounders.factors import Factors
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.plotting import NARROW, WIDE
from infocheck.simulate import simulate

INTERVALS = ("nuisance_left", "reliability", "stab_pc", "stab_c", "specific_r2", "bound")


def opened(adata, **options):
    data = Dataset.open(adata, **options)
    return data.with_moments(Moments.of(data))


def table(adata, seed=0, **options):
    data = opened(adata, **options)
    found = corrections.of(data, Factors.of(data), np.random.default_rng(seed))
    return found["corrections"].set_index("correction", drop=False)


def values(x, regulators, obs=None):
    names = [f"G{i}" for i in range(x.shape[1])]
    obs = pd.DataFrame(index=[f"c{i}" for i in range(len(x))]) if obs is None else obs
    var = pd.DataFrame({"is_regulator": np.arange(x.shape[1]) < regulators}, names)
    return ad.AnnData(x, obs=obs, var=var)


@pytest.fixture(scope="module")
def batches():
    """A batch effect of 30 % on every gene, beside a network with decoys."""
    return simulate(
        800,
        300,
        30,
        bystanders=130,
        donors=12,
        batches=4,
        batch_share=0.3,
        donor_share=0.05,
        r2=0.7,
        parents=3,
        depth=6000,
        cell_types=2,
        seed=1,
    )


@pytest.fixture(scope="module")
def found(batches):
    return table(batches)


def test_regressing_a_labelled_batch_removes_it_and_keeps_the_specific_signal(found):
    before, after = found.iloc[0], found[found["kind"] == KNOWN].iloc[0]
    assert after["correction"] == "Regress batch, donor and depth"
    assert before["nuisance_left"] > 0.1
    assert after["nuisance_left_high"] < 0.01
    assert before["nuisance_left_low"] <= before["nuisance_left"] <= before["nuisance_left_high"]
    assert after["specific_r2_low"] > 0
    assert after["specific_r2"] > before["specific_r2"] - 0.02
    assert after["variance_kept"] == pytest.approx(1 - before["nuisance_left"], abs=0.12)


def test_rows_that_the_labels_allow_and_in_their_order(found):
    kinds = [NONE, KNOWN, WITHIN, WITHIN, KNOWN, SUBSET, *[COMPONENTS] * 4]
    assert list(found["kind"]) == kinds
    assert found["correction"].is_unique
    assert found.iloc[0]["variance_kept"] == pytest.approx(1)
    assert found.iloc[0]["columns_removed"] == 0
    assert list(found["columns_removed"][-4:]) == [1, 5, 10, 20]
    assert found[found["kind"] == SUBSET]["rows"].iloc[0] < 500
    assert found["variance_kept"][-4:].is_monotonic_decreasing


def test_every_estimate_lies_inside_its_interval(found):
    for name in INTERVALS:
        assert (found[f"{name}_low"] <= found[name] + 1e-9).all(), name
        assert (found[name] <= found[f"{name}_high"] + 1e-9).all(), name


def test_centring_within_types_is_regression_on_them(batches, found):
    """By hand: means of cell types taken out of every gene."""
    data = opened(batches)
    sample = data.moments.sample
    frame = pd.DataFrame(sample.values)
    code = data.roles["cell_type"].codes[sample.rows]
    left = frame - frame.groupby(code).transform("mean")
    expected = (left.var(ddof=0) / frame.var(ddof=0)).mean()
    kept = found.loc["Centre within cell types", "variance_kept"]
    assert kept == pytest.approx(expected, abs=1e-9)


@pytest.fixture(scope="module")
def hidden():
    """Five hidden factors on every gene; 30 regulators drive 80 targets, 100 genes are others."""
    rng = np.random.default_rng(2)
    n, p, m, others = 700, 30, 80, 100
    z = rng.standard_normal((n, p))
    y = z[:, rng.integers(p, size=m)] + 0.6 * rng.standard_normal((n, m))
    x = np.hstack([z, y, rng.standard_normal((n, others))])
    factors = rng.standard_normal((n, 5))
    x += 1.5 * factors @ rng.standard_normal((5, x.shape[1]))
    return table(values(x, p))


def test_removing_five_hidden_factors_helps_and_twenty_cost(hidden):
    """Without, decoys predict as well; twenty components take regulators with them."""
    at = hidden["specific_r2"]
    assert at["Remove 5 components"] > at["None"] + 0.05
    assert hidden.loc["Remove 5 components", "specific_r2_low"] > 0
    assert at["Remove 20 components"] < at["Remove 5 components"] - 0.05
    agreement = hidden["stab_pc"]
    assert agreement["Remove 20 components"] < agreement["Remove 5 components"]


def test_removing_five_hidden_factors_restores_the_truth():
    """Correlations of the corrected halves rank true edges above others."""
    rng = np.random.default_rng(3)
    n, p = 600, 20
    z = rng.standard_normal((n, p))
    y = np.repeat(z, 4, axis=1) + rng.standard_normal((n, 4 * p))
    x = np.hstack([z, y]) + 2 * rng.standard_normal((n, 5)) @ rng.standard_normal((5, 5 * p))
    truth = np.repeat(np.eye(p, dtype=bool), 4, axis=1)
    view = corrections._View(None, np.arange(n), x, 0)

    def share(k):
        correction = corrections._Correction("", COMPONENTS, components=k)
        left = corrections.residual(x, view.basis(correction))
        r = np.abs(np.corrcoef(left, rowvar=False)[:p, p:])
        return np.mean(r[truth] > np.quantile(r[~truth], 0.95))

    assert share(5) > share(0) + 0.3
    assert share(20) < share(5) - 0.1


def test_no_labels_leave_component_rows_alone():
    adata = simulate(300, 150, 20, donors=1, batches=1, condition=None, seed=3)
    found = table(adata)
    assert list(found["kind"]) == [NONE, *[COMPONENTS] * 4]
    assert found["nuisance_left"].isna().all()
    assert found["reliability"].notna().all()


def test_values_that_are_no_counts_have_no_reliability(hidden):
    assert hidden["reliability"].isna().all()
    assert hidden["stab_pc"].notna().all()


def test_a_correction_that_removes_everything_leaves_nothing():
    """A matrix of rank 8: ten components are all of it."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((200, 8)) @ rng.standard_normal((8, 90))
    found = table(values(x, 20))
    gone = found.loc[["Remove 10 components", "Remove 20 components"]]
    assert (gone["note"] != "").all()
    assert gone[list(INTERVALS)].isna().all(axis=None)
    assert (gone["variance_kept"] < 1e-6).all()
    assert found.loc["Remove 5 components", "note"] == ""
    assert "components" in corrections.finding(found)
    for width in (WIDE, NARROW):
        corrections.charts({"corrections": found})["corrections"].figure(width)


def test_few_rows():
    rng = np.random.default_rng(5)
    found = table(values(rng.standard_normal((26, 60)), 10))
    assert found.loc["Remove 20 components", "note"] != ""
    assert np.isnan(found.loc["Remove 5 components", "stab_pc"])
    assert np.isfinite(found.loc["Remove 1 component", "stab_pc"])
    assert corrections.finding(found).endswith(".")
    data = opened(values(rng.standard_normal((8, 40)), 10))
    assert corrections.of(data, None, rng) == {}
    assert corrections.charts({}) == {}


@pytest.fixture(scope="module")
def measured_twice():
    """Two independent Poisson counts of the same 1,000 cells in two batches, 120 genes."""
    rng = np.random.default_rng(6)
    n, g = 1000, 120
    batch = np.arange(n) % 2
    mean = np.exp(rng.normal(1.0, 1.2, g))
    latent = rng.standard_normal((n, g)) + batch[:, None] * rng.standard_normal(g)
    rate = mean * np.exp(0.5 * latent) * np.exp(rng.normal(0, 0.3, (n, 1)))
    obs = pd.DataFrame({"batch": batch.astype(str)}, index=[f"c{i}" for i in range(n)])
    return [values(rng.poisson(rate).astype(np.float32), 30, obs) for _ in range(2)]


@pytest.mark.parametrize("kind", [NONE, KNOWN, COMPONENTS])
def test_reliability_by_thinning_is_the_agreement_of_two_measurements(measured_twice, kind):
    """The median over regulators within .05 of what a second measurement shows."""
    first, second = (opened(one) for one in measured_twice)
    data, factors = first, Factors.of(first)
    one = next(c for c in corrections._corrections(data, factors) if c.kind == kind)
    left = []
    for each in (first, second):
        sample = each.moments.sample
        names = each.names(np.arange(len(each.panel.genes)))
        order = np.argsort([int(name[1:]) for name in names])
        view = corrections._View(Factors.of(each), sample.rows, sample.values[:, order], 0)
        left.append(corrections.residual(view.values[:, :30], view.basis(one)))
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(left[0].T, left[1].T, strict=True)]
    found = corrections.of(data, factors, np.random.default_rng(0))["corrections"]
    row = found[found["correction"] == one.name].iloc[0]
    assert row["reliability"] == pytest.approx(np.median(r), abs=0.05)
    assert row["reliability_low"] <= row["reliability"] <= row["reliability_high"]


def test_reliability_of_logarithms_rises_with_depth_below_that_of_counts():
    """The logarithm weighs the noise of low counts more: up to .1 below the simulated truth."""
    found, expected = [], []
    for depth in (1000, 6000):
        adata = simulate(400, 200, 30, donors=1, batches=1, condition=None, depth=depth, seed=6)
        expected.append(adata.var["true_reliability"][adata.var["is_regulator"]].median())
        found.append(table(adata)["reliability"].iloc[0])
    assert np.diff(found).min() > 0.1
    gap = np.array(expected) - found
    assert (gap > -0.05).all()
    assert (gap < 0.15).all()


def test_counts_are_recovered():
    data = opened(simulate(200, 80, 10, seed=7))
    part = corrections._Part.of(data, None, np.arange(200), np.random.default_rng(0), 0)
    counts, _ = part.counts
    raw = next(iter(data.matrix.blocks()))[1]
    raw = raw.toarray() if hasattr(raw, "toarray") else raw
    assert (counts == raw[data.kept][:, data.panel.genes]).all()


def test_the_bound_without_correction_is_that_of_these_correlations():
    """All rows and genes of a small data set: the distribution of the power check."""
    from infocheck.checks.power import POOLED, Power

    data = opened(simulate(150, 90, 20, donors=1, batches=1, condition=None, seed=8))
    row = corrections.of(data, None, np.random.default_rng(0))["corrections"].iloc[0]
    bound = Power().bound(data, np.random.default_rng(1))[0]["bound"]
    best = bound[bound["edges"] == POOLED]["estimate"].max()
    assert row["bound"] == pytest.approx(best, abs=0.12)


def test_the_same_seed_gives_the_same_table_for_any_number_of_workers():
    from infocheck.engine import Engine

    adata = simulate(200, 100, 12, donors=6, batches=2, seed=9)
    one, two = (table(adata, engine=Engine(jobs)) for jobs in (1, 2))
    pd.testing.assert_frame_equal(one, two)


def test_the_finding_and_the_chart_come_from_a_table_that_was_saved(found):
    """JSON makes None of what is no number."""
    back = found.reset_index(drop=True).astype(object)
    back = back.where(back.notna(), None)
    sentence = corrections.finding(back)
    assert sentence == corrections.finding(found)
    assert "regressing batch, donor and depth" in sentence.lower()
    assert "removing 20 components" in sentence
    chart = corrections.charts({"corrections": back})["corrections"]
    assert chart.title == sentence
    for width in (WIDE, NARROW):
        chart.figure(width)
