"""Sums and means of groups against loops."""

from __future__ import annotations

import numpy as np

from infocheck.stats.groups import centred, indicator


def test_sums_of_groups_equal_those_of_loops():
    rng = np.random.default_rng(0)
    values, code = rng.normal(size=(30, 4)), rng.integers(3, size=30)
    found = indicator(code, 5) @ values
    for level in range(5):
        np.testing.assert_allclose(found[level], values[code == level].sum(axis=0))
    assert indicator(code).shape == (3, 30)


def test_centred_rows_equal_those_of_loops():
    rng = np.random.default_rng(1)
    values, seen = rng.normal(size=(40, 3)), rng.random((40, 3)) < 0.7
    group = rng.integers(-1, 4, size=40)
    found = centred(values, seen, group)
    for column in range(3):
        for level in range(4):
            here = (group == level) & seen[:, column]
            if here.any():
                expected = values[here, column] - values[here, column].mean()
                np.testing.assert_allclose(found[here, column], expected)
    assert (found[~seen] == 0).all()
    assert (found[group < 0] == 0).all()
    np.testing.assert_allclose(centred(values).mean(axis=0), 0, atol=1e-12)
