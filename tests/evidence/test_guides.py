"""Columns of guides beside expression: how many there are, and how clear the call is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from infocheck.evidence import guides
from infocheck.roles import assign

GENES = np.array(["JUN", "FOS", "MYC"])


def found(**columns):
    obs = pd.DataFrame({"perturbation": ["JUN", "control"] * 3, **columns})
    roles, _ = assign(obs, {}, None)
    return guides.find(obs, GENES, roles["perturbation"], None)[0]


@pytest.mark.parametrize(
    ("top", "total"),
    [("grna_umi_max", "grna_umi_total"), ("max_guide_umis", "total_guide_umis")],
)
def test_share_of_the_most_frequent_guide(top, total):
    one = found(**{top: [9, 5, 0, 3, 8, 1], total: [10, 5, 0, 6, 10, 4]})
    np.testing.assert_allclose(one.purity, [0.9, 1.0, np.nan, 0.5, 0.8, 0.25])
    kept = one.keep(np.array([True, False, False, True, False, False]))
    np.testing.assert_allclose(kept.purity, [0.9, 0.5])


def test_number_of_guides():
    one = found(n_guides=[1, 1, 2, 3, 1, 0])
    np.testing.assert_array_equal(one.number, [1, 1, 2, 3, 1, 0])
    np.testing.assert_array_equal(one.keep(np.arange(6) == 2).number, [2])


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"grna_umi_max": [1] * 6},
        {"grna_umi_max": [3] * 6, "grna_umi_total": [2] * 6},
        {"n_guides": ["a"] * 6, "grna_umi_max": [-1] * 6, "grna_umi_total": [2] * 6},
    ],
)
def test_columns_that_say_something_else_are_left_alone(columns):
    one = found(**columns)
    assert one.purity is None
    assert one.number is None
