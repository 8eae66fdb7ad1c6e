"""One range for each regulator, from several kinds of evidence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from infocheck.proxies.coupling import FEWEST, combined, inflation, strength
from infocheck.proxies.table import CEILING, COLUMNS, ESTIMATE, no_evidence
from infocheck.result import INFINITY


def rows(*records):
    """Of (regulator, evidence, kind, coupling, low, high)."""
    return pd.DataFrame([(*record, 100.0) for record in records], columns=list(COLUMNS))


def test_ranges_are_joined_and_their_middle_is_inside():
    found = combined(
        rows(
            ("A", "protein", ESTIMATE, 0.5, 0.4, 0.6),
            ("A", "regulon", ESTIMATE, 0.3, 0.1, 0.5),
            ("B", "protein", ESTIMATE, -0.4, -0.6, -0.2),
        ),
        10,
    )
    table = found.regulators.set_index("regulator")
    assert table.loc["A", ["coupling", "coupling_low", "coupling_high"]].tolist() == [0.4, 0.1, 0.6]
    assert table.loc["A", "evidence"] == "protein, regulon"
    assert table.loc["B", "coupling_low"] == -0.6
    assert table["above_ceiling"].isna().all()
    assert (found.summary.assessed, found.summary.regulators) == (2, 10)
    assert not found.is_assessed


def capped(above: int):
    """Twenty regulators with a ceiling, so many of which measure above it; one has none."""
    ceilings = [(f"R{i:02d}", "half_life", CEILING, 0.5, 0.4, 0.6) for i in range(20)]
    measured = [
        (f"R{i:02d}", "protein", ESTIMATE, *((0.8, 0.7, 0.9) if i < above else (0.5, 0.3, 0.9)))
        for i in range(20)
    ]
    others = [
        ("without", "protein", ESTIMATE, 0.5, 0.3, 0.9),
        ("unmeasured", "half_life", CEILING, 0.5, 0.4, 0.6),
    ]
    return combined(rows(*ceilings, *measured, *others), 22)


def test_a_ceiling_cuts_the_upper_end_unless_the_whole_range_is_above_it():
    found = capped(2)
    table = found.regulators.set_index("regulator")
    assert table["coupling_high"].tolist() == [0.9] * 2 + [0.6] * 18 + [0.9]
    assert table["above_ceiling"].tolist() == [True] * 2 + [False] * 18 + [None]
    assert "unmeasured" not in table.index, "a ceiling is no measurement"
    assert found.summary.assessed == 21
    assert len(found.by_evidence) == 42


def test_ceilings_that_often_do_not_hold_cut_nothing():
    table = capped(3).regulators
    assert (table["coupling_high"] == 0.9).all()
    assert table["above_ceiling"].eq(True).sum() == 3


def test_inflation_is_one_over_the_square_and_infinite_where_the_range_holds_0():
    low, high = inflation(np.array([0.5, -0.8, -0.2]), np.array([1.0, -0.4, 0.4]))
    assert low.tolist() == pytest.approx([1.0, 1 / 0.64, 1 / 0.16])
    assert high[:2].tolist() == pytest.approx([4.0, 1 / 0.16])
    assert high[2] == INFINITY
    least, most = strength(np.array([-0.2, -0.8]), np.array([0.4, -0.5]))
    assert least.tolist() == [0.0, 0.5]
    assert most.tolist() == [0.4, 0.8]


def test_the_middle_regulator_carries_the_error_of_the_median():
    """Ranges without width: what is left is the interval of a median (here of 25)."""
    values = np.linspace(-0.2, 0.9, 25)
    table = rows(*((f"R{i:02d}", "protein", ESTIMATE, v, v, v) for i, v in enumerate(values)))
    found = combined(table, 25).summary
    assert found.estimate == pytest.approx(np.median(values))
    # The 8th and the 18th of 25 ordered values hold the median with 95 %: binomial.
    assert (found.low, found.high) == pytest.approx((values[7], values[17]))
    assert found.low < found.estimate < found.high
    assert combined(table, 25).strength[1] == pytest.approx(found.estimate)


def test_evidence_from_the_same_correlations_is_counted_apart():
    table = rows(
        *((f"R{i}", "regulon", ESTIMATE, 0.8, 0.7, 0.9) for i in range(4)),
        ("R0", "protein", ESTIMATE, 0.8, 0.7, 0.9),
    )
    found = combined(table, 4)
    assert found.is_assessed
    assert found.summary.other == 1


def test_nothing_is_known_without_evidence():
    found = combined(no_evidence(), 50)
    assert found.regulators.empty
    assert not found.is_assessed
    assert np.isnan(found.summary.estimate)
    assert found.summary.assessed == 0 < FEWEST


def test_rows_without_numbers_are_left_out():
    found = combined(rows(("A", "protein", ESTIMATE, np.nan, np.nan, np.nan)), 1)
    assert found.regulators.empty
