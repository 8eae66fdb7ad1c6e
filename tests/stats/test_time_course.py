"""Noise from interpolation, and changes beyond it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from infocheck.stats import time_course
from infocheck.stats.false_discovery import adjusted


def test_straight_lines_have_no_noise_and_noise_is_found_on_them():
    rng = np.random.default_rng(0)
    times = [np.array([0, 1, 3, 4, 8, 9.0])] * 200
    lines = [time[:, None] * rng.standard_normal((1, 5)) for time in times]
    assert time_course.interpolation_noise(times, lines).sd.max() < 1e-12
    noisy = [line + 0.3 * rng.standard_normal(line.shape) for line in lines]
    found = time_course.interpolation_noise(times, noisy)
    np.testing.assert_allclose(found.sd, 0.3, rtol=0.1)
    assert found.degrees == pytest.approx(200 * 4 * 2 / 3)


def test_steps_of_noise_alone_stand_at_the_nominal_rate():
    """Uniform p-values: 5 % below .05 (seed 1)."""
    rng = np.random.default_rng(1)
    times = [np.arange(21.0)] * 10
    values = [rng.standard_normal((21, 300)) for _ in times]
    noise = time_course.interpolation_noise(times, values)
    p = np.concatenate([time_course.series_steps(value, noise) for value in values])
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.006)
    assert not (adjusted(p) <= 0.05).mean() > 0.001


def test_a_jump_is_found_where_it_was_planted():
    rng = np.random.default_rng(2)
    value = 0.1 * rng.standard_normal((40, 50))
    value[20:] += 2.0
    noise = time_course.interpolation_noise([np.arange(40.0)], [value])
    found = adjusted(time_course.series_steps(value, noise)) <= 0.05
    assert found[19].all()
    assert np.delete(found, 19, axis=0).mean() < 0.01


def test_changes_of_means_are_those_of_welch():
    rng = np.random.default_rng(3)
    first, second = rng.standard_normal((12, 6)), 2 * rng.standard_normal((30, 6)) + 0.4
    mean = np.stack([first.mean(axis=0), second.mean(axis=0)])
    error = np.stack([x.std(axis=0, ddof=1) / np.sqrt(len(x)) for x in (first, second)])
    p = time_course.mean_steps(mean, error, np.array([11, 29]))
    reference = ttest_ind(first, second, equal_var=False).pvalue
    np.testing.assert_allclose(p[0], reference, rtol=1e-10)


def test_a_common_course_is_taken_out_and_variance_stays():
    rng = np.random.default_rng(5)
    times = [np.arange(10.0)] * 6
    own = rng.standard_normal((6, 10, 400))
    common = 5 * rng.standard_normal((10, 400))
    found = np.stack(time_course.common_removed(times, list(own + common)))
    assert found.var() == pytest.approx(1, abs=0.05)
    uneven = [np.arange(3.0), np.arange(4.0)]
    kept = [np.ones((3, 1)), np.ones((4, 1))]
    assert time_course.common_removed(uneven, kept)[1] is kept[1]
