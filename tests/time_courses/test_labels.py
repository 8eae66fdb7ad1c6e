"""Labels of time are read as numbers with a unit, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck.time_courses import labels


@pytest.mark.parametrize(
    ("column", "levels", "value", "unit"),
    [
        ("time", ("0", "50.0", "1e2"), (0, 50, 100), ""),
        ("time_h", ("0.0", "12.0"), (0, 12), "hours"),
        ("time (min)", ("0", "8"), (0, 8), "minutes"),
        ("Days", ("3", "7"), (3, 7), "days"),
        ("timepoint", ("0h", "6h", "12 hrs"), (0, 6, 12), "hours"),
        ("timepoint", ("day 0", "day_3", "D10"), (0, 3, 10), "days"),
        ("time", ("0", "30min", "90 min"), (0, 30, 90), "minutes"),
        ("time", ("30min", "2h", "1d"), (0.5, 2, 24), "hours"),
        ("time", ("t0", "t=1.5", "T 3"), (0, 1.5, 3), ""),
        ("time", ("-2", "+4"), (-2, 4), ""),
        ("time_m", ("1", "2"), (1, 2), ""),
        ("stage", ("E7.5 late", "d2_induced", "MEF"), (np.nan,) * 3, ""),
        ("time", ("1", "2h"), (1, np.nan), ""),
    ],
)
def test_labels_are_read(column, levels, value, unit):
    found = labels.read(column, levels)
    np.testing.assert_allclose(found.value, value)
    assert found.unit == unit
    assert np.isfinite(found.hours) == bool(unit)


def test_hours_of_a_unit():
    assert labels.read("days", ("1", "2")).hours == 24
    assert labels.read("time", ("5 min", "10 min")).hours == pytest.approx(1 / 60)


@pytest.mark.parametrize(
    ("column", "inferred"),
    [
        ("pseudotime", True),
        ("dpt_pseudotime", True),
        ("PseudoTime1", True),
        ("latent_time", True),
        ("dpt", True),
        ("time", False),
        ("adpt_time", False),
    ],
)
def test_pseudotime_is_known_by_its_name(column, inferred):
    assert labels.is_pseudotime(column) is inferred
