"""Verdicts: intervals against needs; impossible numbers are errors."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infocheck.result import Status, Verdict

REASON = "{estimate:.2f} ({low:.2f}–{high:.2f}), need {need:.2f}"


def judged(low, estimate, high, *, need=0.2, floor=0.1, at_most=False, **options):
    return Verdict.against(
        estimate=estimate,
        low=low,
        high=high,
        need=need,
        floor=floor,
        at_most=at_most,
        unit="x",
        reason=REASON,
        **options,
    )


@pytest.mark.parametrize(
    ("numbers", "status"),
    [
        ((0.2, 0.3, 0.4), "enough"),
        ((0.19, 0.3, 0.4), "borderline"),
        ((0.0, 0.05, 0.1), "borderline"),
        ((0.0, 0.05, 0.099), "limiting"),
        ((0.05, 0.2, 0.5), "borderline"),
    ],
)
def test_the_whole_interval_decides(numbers, status):
    assert judged(*numbers).status == status


@pytest.mark.parametrize(
    ("numbers", "status"), [((0.1, 0.15, 0.2), "enough"), ((0.1, 0.2, 0.3), "borderline")]
)
def test_at_most(numbers, status):
    assert judged(*numbers, floor=None, at_most=True).status == status


@pytest.mark.parametrize(
    "numbers",
    [
        (math.nan, 0.5, 0.6),
        (None, 0.5, None),
        (0.4, math.nan, 0.6),
        (0.4, 0.5, math.inf),
        (0.6, 0.5, 0.7),
        (0.4, 0.5, 0.45),
    ],
)
def test_impossible_numbers_are_errors(numbers):
    assert judged(*numbers).status is Status.ERROR


def test_out_of_range_is_an_error():
    assert judged(0.5, 0.9, 1.2, possible=(0, 1)).status is Status.ERROR


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=3, max_size=3))
def test_never_a_pass_without_finite_ordered_numbers(numbers):
    low, estimate, high = numbers
    verdict = judged(low, estimate, high)
    if verdict.status is Status.ENOUGH:
        assert all(map(math.isfinite, numbers))
        assert 0.2 <= low <= estimate <= high


def test_without_need_and_floor_it_is_neutral_and_impossible_numbers_are_still_refused():
    def explained(estimate):
        return Verdict.against(
            estimate=estimate, low=0.1, high=0.9, need=None, floor=None, unit="share", reason="."
        )

    assert explained(0.5).status is Status.BORDERLINE
    assert explained(0.5).need is None
    assert explained(float("nan")).status is Status.ERROR
