"""Response: sees perturbations that all do the same or nothing, passes distinct ones."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from infocheck.check import by_name
from infocheck.checks.response import AGAINST, BEST, EXACT, MEAN, NOTHING, REPLICATE, SINGLES
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.perturbations.baselines import CORRELATION, ERROR, mean_of_others
from infocheck.perturbations.ceiling import ALL_ROWS, HALF
from infocheck.report.document import _result
from infocheck.result import Result, Status
from infocheck.simulate import mechanistic

GENES = 200


def screen(true, rows=40, controls=400, seed=0, names=None, labels=None):
    """Rows with noise of variance 1 around the responses, shape (k, genes)."""
    rng = np.random.default_rng([seed, 1])  # not the stream that drew the responses
    k, genes = true.shape
    label = np.repeat(np.arange(k + 1), [controls, *[rows] * k])
    values = rng.normal(size=(len(label), genes)) - 5.0
    values += np.concatenate([np.zeros((1, genes)), true])[label]
    names = [f"G{i}" for i in range(genes)] if names is None else names
    labels = names[:k] if labels is None else labels
    obs = pd.DataFrame(index=[f"c{i}" for i in range(len(label))])
    obs["perturbation"] = np.array(["control", *labels], dtype=object)[label]
    var = pd.DataFrame({"is_regulator": np.arange(genes) < 20}, index=names)
    return anndata.AnnData(values, obs=obs, var=var)


def run(adata, **options) -> Result:
    data = Dataset.open(adata, **options)
    return by_name("response").run(data.with_moments(Moments.of(data)), seed=0)


def dense(seed, k=15, size=0.3, common=0.0):
    rng = np.random.default_rng(seed)
    alike, own = rng.normal(size=(1, GENES)), rng.normal(size=(k, GENES))
    return size * (np.sqrt(common) * alike + np.sqrt(1 - common) * own)


@pytest.fixture(scope="module")
def distinct():
    return run(screen(dense(1, common=0.3)))


def score(result, metric, predictor, rows=HALF):
    table = result.tables["scores"].set_index(["metric", "predictor", "scored_against"])
    return table.loc[(metric, predictor, AGAINST[rows]), "score"]


@pytest.mark.parametrize("true", [np.zeros((15, GENES)), dense(2, common=1.0)])
def test_sees_responses_that_leave_nothing_to_gain(true):
    """No response at all, and the same response to every perturbation (seed 2)."""
    result = run(screen(true, seed=2))
    row = result.tables["summary"].iloc[0]
    assert row["difference_low"] <= 0
    assert "within noise" in result.verdict.reason
    assert result.verdict.status is Status.BORDERLINE  # explains; the goal reads the table


def test_passes_responses_of_their_own(distinct):
    row = distinct.tables["summary"].iloc[0]
    assert row["difference_low"] > 0.1
    assert "left for a model to gain" in distinct.verdict.reason
    assert row["ceiling"] > row["mean_baseline"] > 0.2
    assert row["compared"] == "control"


def test_headline_is_what_the_truth_scores():
    """True responses and their mean against differences of all rows; 5 screens, seeds 0 to 4."""
    expected, found = [], []
    for seed in range(5):
        true = dense(seed, common=0.4)
        adata = screen(true, controls=4000, seed=seed)
        row = run(adata).tables["summary"].iloc[0]
        found.append([row["ceiling"], row["mean_baseline"]])
        level = adata.obs["perturbation"].to_numpy()
        control = adata.X[level == "control"].mean(axis=0)
        here = []
        for i in range(len(true)):
            counts = np.arange(GENES) != i
            seen = (adata.X[level == f"G{i}"].mean(axis=0) - control)[counts]
            mean = np.delete(true, i, axis=0).mean(axis=0)[counts]
            here.append([np.corrcoef(p, seen)[0, 1] for p in (true[i][counts], mean)])
        expected.append(np.mean(here, axis=0))
    np.testing.assert_allclose(np.mean(found, axis=0), np.mean(expected, axis=0), atol=0.02)


@pytest.mark.slow
def test_interval_of_the_difference_covers_what_such_studies_have_on_average():
    """95 % nominal; 15 perturbations of one kind, strong and weak; 60 screens, seeds 0 to 59."""
    alike = np.random.default_rng(99).normal(size=(1, GENES))

    def drawn(rng):
        strength = rng.choice([0.1, 0.4], size=(15, 1))
        return strength * (np.sqrt(0.4) * alike + np.sqrt(0.6) * rng.normal(size=(15, GENES)))

    def difference(true):
        own = true - true.mean(axis=1, keepdims=True)
        mean = mean_of_others(own)
        size, shared = own.var(axis=1), (own * mean).mean(axis=1) / mean.std(axis=1)
        return ((np.sqrt(size) - shared) / np.sqrt(size + 1 / 40 + 1 / 400)).mean()

    rng = np.random.default_rng(98)
    truth = np.mean([difference(drawn(rng)) for _ in range(400)])
    rows = [
        run(screen(drawn(np.random.default_rng(seed)), seed=seed)).tables["summary"].iloc[0]
        for seed in range(60)
    ]
    covered = [row["difference_low"] <= truth <= row["difference_high"] for row in rows]
    assert 0.90 <= np.mean(covered) <= 1
    assert np.mean([row["difference"] for row in rows]) == pytest.approx(truth, abs=0.015)


def test_predictors_stand_in_order(distinct):
    best, replicate = (score(distinct, CORRELATION, name) for name in (BEST, REPLICATE))
    mean, exact = (score(distinct, CORRELATION, name) for name in (MEAN, EXACT))
    assert best > replicate > mean > 0
    assert best > exact > mean
    assert score(distinct, CORRELATION, NOTHING) == 0
    assert score(distinct, ERROR, NOTHING) == 1
    assert score(distinct, ERROR, BEST) < score(distinct, ERROR, EXACT) < 1.05
    assert score(distinct, CORRELATION, BEST, ALL_ROWS) == pytest.approx(
        distinct.tables["summary"]["ceiling"].iloc[0]
    )


def test_the_gene_that_is_aimed_at_does_not_count():
    """Knock-downs that move nothing but their own gene leave nothing to predict (seed 3)."""
    true = np.zeros((15, GENES))
    true[np.arange(15), np.arange(15)] = -6.0
    row = run(screen(true, seed=3)).tables["summary"].iloc[0]
    assert row["difference_low"] <= 0
    hidden = run(screen(true, seed=3, labels=[f"unknown {i}a" for i in range(15)]))
    assert hidden.tables["summary"]["difference_low"].iloc[0] > 0.3


def test_combinations_are_held_against_the_sum_of_singles():
    single = dense(4, k=8, size=0.4)
    pairs = [(0, 1), (2, 3), (4, 5), (6, 7)]
    true = np.concatenate([single, [single[i] + single[j] for i, j in pairs]])
    labels = [f"G{i}" for i in range(8)] + [f"G{i}+G{j}" for i, j in pairs]
    table = run(screen(true, labels=labels)).tables["scores"]
    rows = table[(table["predictor"] == SINGLES) & (table["metric"] == CORRELATION)]
    assert rows["perturbations"].tolist() == [4]
    assert rows["score"].iloc[0] > 0.7


def test_rows_that_are_added_bring_the_ceiling_nearer(distinct):
    table = distinct.tables["cells"]
    assert table["times_the_rows"].tolist() == [1, 2, 4]
    assert table["ceiling"].is_monotonic_increasing
    assert table["ceiling"].iloc[0] == distinct.tables["summary"]["ceiling"].iloc[0]


def test_without_a_control_the_mean_is_no_change():
    adata = screen(dense(5))
    adata = adata[adata.obs["perturbation"] != "control"].copy()
    result = run(adata)
    assert result.tables["summary"]["compared"].iloc[0] == "all other rows"
    assert result.tables["summary"]["mean_baseline"].iloc[0] == 0
    assert score(result, ERROR, MEAN) == score(result, ERROR, NOTHING) == 1
    assert "without a control" in result.verdict.reason


@pytest.mark.parametrize(
    ("adata", "said"),
    [
        (screen(dense(6, k=4)), "4 of 4 perturbations"),
        (screen(dense(6), rows=1), "0 of 15 perturbations"),
        (
            screen(
                dense(6)[:, :8], names=[f"G{i}" for i in range(8)], labels=list("abcdefghijklmno")
            ),
            "8 genes",
        ),
    ],
)
def test_what_cannot_be_judged_is_not_assessed(adata, said):
    verdict = run(adata).verdict
    assert verdict.status is Status.NOT_ASSESSED
    assert said in verdict.reason
    assert "Bring" in verdict.reason


def test_few_rows_and_small_panels_are_no_crash():
    for rows in (2, 3, 5):
        result = run(screen(dense(7), rows=rows, controls=12))
        assert result.verdict.status is Status.BORDERLINE
    small = run(screen(dense(8)[:, :30]))
    assert small.verdict.status is Status.BORDERLINE
    assert set(small.tables["scores"]["metric"]) == {CORRELATION, ERROR}
    assert set(small.figures()) == {"perturbations", "metrics"}


def test_a_saved_result_is_judged_and_drawn_again(distinct):
    from infocheck.report.document import _check

    check = by_name("response")
    again = _result("response", _check(distinct), seed=0)
    assert check.judge(again.tables).reason == distinct.verdict.reason
    for name, chart in check.plot(again.tables).items():
        assert chart.title == distinct.figures()[name].title
        assert chart.svg(name)


def test_no_number_is_no_pass(distinct):
    tables = {name: table.copy() for name, table in distinct.tables.items()}
    tables["summary"]["difference_low"] = None
    assert by_name("response").judge(tables).status is Status.ERROR


def test_knocked_out_regulators_of_a_mechanism_respond_in_their_own_ways():
    """24 knock-outs of a simulated network, and the same with knock-downs of nothing (seed 1)."""
    options = {
        "n_obs": 1500, "n_genes": 150, "n_regulators": 24, "perturbations": 24,
        "bystanders": 30, "donors": 1, "batches": 1, "condition": None, "seed": 1,
    }  # fmt: skip
    hit = run(mechanistic(**options)).tables["summary"].iloc[0]
    missed = run(mechanistic(**options, knockdown=0.0)).tables["summary"].iloc[0]
    assert hit["difference_low"] > 0
    assert missed["difference_low"] <= 0
