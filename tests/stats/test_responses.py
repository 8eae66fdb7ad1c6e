"""Agreement and likeness of responses: against numpy, and against planted truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats.contingency import association as scipy_association

from infocheck.stats.profiles import correlation
from infocheck.stats.resampling import fisher_interval
from infocheck.stats.responses import (
    association,
    ceiling,
    cross_correlation,
    effective_columns,
    effective_number,
    responding_share,
    similarity,
)


def test_correlations_equal_those_of_numpy_over_the_columns_that_count():
    rng = np.random.default_rng(1)
    a, b, kept = rng.normal(size=(5, 40)), rng.normal(size=(5, 40)), rng.random((5, 40)) < 0.8
    paired, crossed = correlation(a, b, kept), cross_correlation(a, b, kept)
    for j in range(5):
        assert paired[j] == pytest.approx(np.corrcoef(a[j, kept[j]], b[j, kept[j]])[0, 1])
        for k in range(5):
            both = kept[j] & kept[k]
            assert crossed[j, k] == pytest.approx(np.corrcoef(a[j, both], b[k, both])[0, 1])


def test_what_cannot_be_correlated_is_unknown():
    a = np.vstack([np.full(6, np.nan), np.ones(6), np.arange(6.0)])
    found = correlation(a, np.arange(18.0).reshape(3, 6), np.ones((3, 6), bool), constant=np.nan)
    np.testing.assert_array_equal(np.isnan(found), [True, True, False])


def screen(rng, truth, rows=40, controls=40):
    """Responses of rows of noise 1: with one set of controls, and in halves of everything."""
    k, g = truth.shape
    shared = rng.normal(size=(controls, g)).mean(axis=0)
    whole = truth + rng.normal(size=(k, g)) / np.sqrt(rows) - shared
    halves = [
        truth
        + rng.normal(size=(k, g)) / np.sqrt(rows / 2)
        - rng.normal(size=(1, g)) / np.sqrt(controls / 2)
        for _ in range(2)
    ]
    return whole, np.array([halves])


def test_shared_controls_make_likeness_and_disjoint_ones_none():
    """No response at all, as many controls as perturbed rows: .5 and 0; seed 2."""
    rng = np.random.default_rng(2)
    whole, halves = screen(rng, np.zeros((30, 2000)))
    off = ~np.eye(30, dtype=bool)
    assert np.corrcoef(whole)[off].mean() == pytest.approx(0.5, abs=0.02)
    raw, corrected = similarity(halves, np.ones((30, 2000), bool))
    assert abs(raw[off].mean()) < 0.03
    assert np.isnan(corrected).all()  # nothing agrees with itself, so nothing is corrected


def test_likeness_is_corrected_for_noise():
    """Three responses, two of which correlate .8; seeds 0 to 39."""
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        base = rng.normal(size=(3, 1500))
        truth = 0.3 * np.array([base[0], 0.8 * base[0] + 0.6 * base[1], base[2]])
        raw, corrected = similarity(screen(rng, truth)[1], np.ones((3, 1500), bool))
        found.append([raw[0, 1], corrected[0, 1], corrected[0, 2]])
    raw, corrected, nothing = np.mean(found, axis=0)
    assert raw < 0.6
    assert corrected == pytest.approx(0.8, abs=0.03)
    assert nothing == pytest.approx(0.0, abs=0.03)


def test_number_of_different_responses():
    """Twelve perturbations of three programmes: three, whatever the noise; seed 3."""
    rng = np.random.default_rng(3)
    programmes = rng.normal(size=(3, 1200))
    truth = 0.5 * programmes[np.arange(12) % 3]
    kept, groups = np.ones((12, 1200), bool), np.arange(1200) % 20
    value, low, high = effective_number(screen(rng, truth)[1], kept, groups)
    assert value == pytest.approx(3.0, abs=0.1)
    assert low <= value <= high
    twelve = effective_number(screen(rng, rng.normal(size=(12, 1200)))[1], kept, groups)[0]
    assert twelve > 11
    exact = np.array([[truth, truth]])
    share = np.linalg.eigvalsh(truth @ truth.T)[-3:]
    share /= share.sum()
    assert effective_number(exact, kept, groups)[0] == pytest.approx(
        np.exp(-(share * np.log(share)).sum())
    )


def test_ceiling_of_halves_is_the_correlation_of_the_whole_with_the_truth():
    rng = np.random.default_rng(4)
    truth = 0.3 * rng.normal(size=(1, 20000))
    noise = rng.normal(size=(2, 1, 20000))
    halves = truth + noise * 0.4
    r = correlation(halves[0], halves[1], np.ones((1, 20000), bool))
    reached = np.corrcoef(truth, halves.mean(axis=0))[0, 1]
    assert ceiling(r)[0] == pytest.approx(reached, abs=0.02)
    assert ceiling(-0.2) == 0


def test_independent_columns_of_correlated_noise():
    """Blocks of 5 equal columns: a fifth of them; equicorrelated: by its eigenvalues; seed 5."""
    rng = np.random.default_rng(5)
    rows = np.repeat(rng.normal(size=(400, 60)), 5, axis=1)
    rows -= rows.mean(axis=0)
    assert effective_columns(rows, 399) == pytest.approx(60, rel=0.05)
    shared = np.sqrt(0.5) * (rng.normal(size=(2000, 50)) + rng.normal(size=(2000, 1)))
    shared -= shared.mean(axis=0)
    values = np.r_[0.5 * 50 + 0.5, np.full(49, 0.5)]
    assert effective_columns(shared, 1999) == pytest.approx(
        values.sum() ** 2 / (values**2).sum(), rel=0.1
    )
    assert np.isnan(effective_columns(rows, 5))


def test_intervals_of_agreement_cover_under_correlated_noise():
    """Halves without a response, blocks of genes that share noise; seed 6."""
    rng = np.random.default_rng(6)
    noise = np.repeat(rng.normal(size=(2, 500, 80)), 4, axis=2)
    r = correlation(*noise, np.ones((500, 320), bool))
    low, high = fisher_interval(r, 80.0)
    assert 0.92 < ((low < 0) & (high > 0)).mean() < 0.975
    low, high = fisher_interval(r, np.nan)
    assert (low == -1).all()
    assert (high == 1).all()


def test_responding_share_is_a_lower_limit():
    """Half of the cells respond: found where they stand apart, less where they do not; seed 7."""
    rng = np.random.default_rng(7)
    hit = rng.random(4000) < 0.5
    controls = rng.normal(size=4000)
    far = responding_share(rng.normal(size=4000) + 6 * hit, controls)
    near = responding_share(rng.normal(size=4000) + 1 * hit, controls)
    assert far[1] < 0.5 < far[2]
    assert 0 < near[0] < 0.3
    assert responding_share(rng.normal(size=4000), controls)[1] == 0.0


def test_association_is_that_of_scipy_less_chance():
    rng = np.random.default_rng(8)
    a = rng.integers(3, size=20000)
    b = np.where(rng.random(20000) < 0.4, a, rng.integers(3, size=20000))
    table = np.zeros((3, 4))
    np.add.at(table, (a, b), 1)  # an empty level takes no part
    assert association(table) == pytest.approx(
        scipy_association(table[:, :3].astype(int)), abs=0.002
    )
    independent = [
        association(rng.multinomial(200, np.full(40, 1 / 40)).reshape(8, 5)) for _ in range(200)
    ]
    assert np.median(independent) < 0.08
    assert association(np.diag([5.0, 9.0, 7.0])) == pytest.approx(1.0)
    assert np.isnan(association(np.array([[3.0, 4.0]])))
