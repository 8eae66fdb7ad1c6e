"""Rankings of edges against scikit-learn, statsmodels and counting by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from statsmodels.stats.multitest import multipletests

from infocheck.stats.ranking import Ranked, average_precision, normalised_precision


@pytest.fixture(params=["distinct", "tied"])
def scored(request):
    rng = np.random.default_rng(4)
    truth = rng.random((30, 40)) < 0.1
    scores = rng.normal(size=truth.shape) + truth
    if request.param == "tied":
        scores = np.round(scores)
    return scores, truth


def test_area_equals_scikit_learn(scored):
    scores, truth = scored
    truth[0] = False
    by_row = average_precision(scores, truth)
    assert np.isnan(by_row[0])
    for row in np.flatnonzero(truth.any(axis=1)):
        expected = average_precision_score(truth[row], scores[row])
        assert by_row[row] == pytest.approx(expected, abs=1e-12)
    whole = average_precision_score(truth.ravel(), scores.ravel())
    assert average_precision(scores.ravel(), truth.ravel()) == pytest.approx(whole)
    assert Ranked.of(scores, truth).average_precision() == pytest.approx(whole, abs=1e-12)


def test_guessing_is_zero_and_a_perfect_ranking_is_one():
    truth = np.arange(200) < 20
    assert normalised_precision(np.zeros(200), truth) == pytest.approx(0)
    assert normalised_precision(truth.astype(float), truth) == pytest.approx(1)
    assert np.isnan(normalised_precision(np.zeros(3), np.ones(3, dtype=bool)))
    assert np.isnan(Ranked.of(np.zeros(3), np.zeros(3, dtype=bool)).average_precision())


@pytest.mark.parametrize("fdp", [0.1, 0.3, 0.6])
def test_the_cut_is_the_lowest_threshold_that_keeps_few_false(scored, fdp):
    scores, truth = scored
    passing = [t for t in np.unique(scores) if 1 - truth[scores >= t].mean() <= fdp + 1e-12]
    threshold, found, true = Ranked.of(scores, truth).cut(fdp)
    if not passing:
        assert (threshold, found, true) == (np.inf, 0, 0)
        return
    assert threshold == min(passing)
    assert found == (scores >= threshold).sum()
    assert true == truth[scores >= threshold].sum()


def test_precision_of_the_top_is_the_mean_over_orders_of_ties(scored):
    scores, truth = scored
    rng = np.random.default_rng(5)
    for k in (1, 17, 300, truth.size):
        shuffled = []
        for _ in range(400):
            order = np.lexsort((rng.random(truth.size), -scores.ravel()))
            shuffled.append(truth.ravel()[order[:k]].mean())
        found = Ranked.of(scores, truth).precision_of_top(k)
        assert found == pytest.approx(np.mean(shuffled), abs=4.5 * np.std(shuffled) / 20 + 1e-12)


def test_benjamini_hochberg_equals_statsmodels():
    rng = np.random.default_rng(6)
    truth = rng.random(500) < 0.2
    p = rng.random(500) ** np.where(truth, 6, 1)
    ranked = Ranked.of(-p, truth)
    for fdr in (0.01, 0.1, 0.3):
        rejected = multipletests(p, fdr, method="fdr_bh")[0]
        found, true = ranked.benjamini_hochberg(p[ranked.order], fdr)
        assert found == rejected.sum()
        assert true == (rejected & truth).sum()
    assert ranked.benjamini_hochberg(np.ones(500), 0.1) == (0, 0)
