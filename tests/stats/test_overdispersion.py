"""Variation against level: moments, planted lines, and what must be refused."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck.stats.overdispersion import _error_variance, fit_line, squared_cv


def sums(counts: np.ndarray, size: np.ndarray) -> tuple:
    share = counts / size[:, None]
    noise = (share / size[:, None]).sum(axis=0)
    return len(counts), share.sum(axis=0), (share**2).sum(axis=0), noise


def planted(rng, n: int, genes: int, *, sd: float, slope: float, depth: float = 3000.0):
    """Counts of cells whose genes have a known line of log CV² on log share."""
    level = rng.normal(-9.5, 1.0, genes)
    cv2 = np.exp(-0.5 + slope * (level + 9.5) + sd * rng.standard_normal(genes))
    total = depth * np.exp(rng.normal(0, 0.3, n))
    rate = total[:, None] * np.exp(level) * rng.gamma(1 / cv2, cv2, (n, genes))
    return rng.poisson(rate), total / np.median(total), np.log(depth)


def test_lognormal_rates_have_the_squared_cv_of_their_spread():
    """exp(0.5²) - 1 = 0.284, whatever the mean."""
    rng = np.random.default_rng(1)
    mean = np.array([2.0, 8.0, 30.0])
    rate = mean * np.exp(0.5 * rng.standard_normal((60_000, 3)) - 0.125)
    counts = rng.poisson(rate)
    found, cv2 = squared_cv(*sums(counts, np.ones(60_000)))
    assert found == pytest.approx(mean, rel=0.02)
    assert cv2 == pytest.approx(0.284, abs=0.012)


def test_poisson_counts_have_none_on_average():
    rng = np.random.default_rng(2)
    counts = rng.poisson(0.3, (400, 3000))
    cv2 = squared_cv(*sums(counts, np.ones(400)))[1]
    assert cv2.mean() == pytest.approx(0.0, abs=4 * cv2.std() / np.sqrt(3000))
    assert (cv2 < 0).mean() > 0.3  # and must not be cut off


@pytest.mark.parametrize(("mean", "cv2"), [(0.5, 0.0), (0.5, 1.0), (5.0, 0.3)])
def test_error_of_an_estimate_is_that_of_negative_binomial_counts(mean, cv2):
    rng = np.random.default_rng(3)
    n, repeats = 300, 4000
    rate = mean * rng.gamma(1 / cv2, cv2, (n, repeats)) if cv2 else np.full((n, repeats), mean)
    estimates = squared_cv(*sums(rng.poisson(rate), np.ones(n)))[1]
    assert estimates.var() == pytest.approx(_error_variance(mean, cv2, n), rel=0.3)


@pytest.mark.parametrize("n", [500, 2000])
@pytest.mark.parametrize("sd", [0.15, 1.0])
def test_a_planted_line_comes_back(n, sd):
    rng = np.random.default_rng(4)
    counts, size, depth = planted(rng, n, 1500, sd=sd, slope=-0.3)
    mean, cv2 = squared_cv(*sums(counts, size))
    line = fit_line(mean, cv2, n)
    at = line.intercept + line.slope * (-9.5 + depth - line.centre)
    assert at == pytest.approx(-0.5, abs=0.2)
    assert line.slope == pytest.approx(-0.3, abs=0.15)
    assert line.sd == pytest.approx(sd, abs=0.2)


def test_a_refit_to_nearly_the_same_genes_is_nearly_the_same():
    rng = np.random.default_rng(5)
    counts, size, _ = planted(rng, 800, 600, sd=0.6, slope=-0.2)
    mean, cv2 = squared_cv(*sums(counts, size))
    first = fit_line(mean, cv2, 800)
    again = fit_line(mean, cv2, 800, start=first)
    assert (again.intercept, again.slope, again.sd) == pytest.approx(
        (first.intercept, first.slope, first.sd), abs=0.03
    )


def test_genes_of_one_level_have_no_slope():
    rng = np.random.default_rng(6)
    line = fit_line(np.full(50, 4.0), np.abs(rng.normal(0.3, 0.02, 50)), 1000)
    assert line.slope == 0.0
    assert np.exp(line.intercept) == pytest.approx(0.3, rel=0.1)


def test_fewer_than_five_genes_are_refused():
    with pytest.raises(ValueError, match="at least five genes"):
        fit_line(np.ones(4), np.ones(4), 100)
    with pytest.raises(ValueError, match="at least five genes"):
        fit_line(np.ones(9), np.full(9, np.nan), 100)
