"""Halves, folds and groups keep units whole and depend on the seed alone."""

from __future__ import annotations

import numpy as np

from infocheck.roles import Role
from infocheck.splits import ROW_SAMPLE, draw


def donors(n, levels, missing=0):
    codes = np.arange(n) % levels
    codes[:missing] = -1
    return Role("donor", False, codes, tuple(f"d{i}" for i in range(levels)))


def rng():
    return np.random.default_rng(0)


def test_six_donors_stay_whole_everywhere():
    splits = draw(300, {"donor": donors(300, 6)}, rng())
    assert splits.kind == "donors"
    for division in (splits.group, splits.fold, *splits.half):
        for donor in range(6):
            assert len(np.unique(division[np.arange(300) % 6 == donor])) == 1


def test_fewer_donors_are_split_by_cells():
    splits = draw(300, {"donor": donors(300, 5)}, rng())
    assert splits.kind == "cells"
    assert [int(half.sum()) for half in splits.half] == [150] * 3


def test_rows_without_a_donor_are_units_of_their_own():
    splits = draw(100, {"donor": donors(100, 8, missing=40)}, rng())
    assert len(np.unique(splits.unit)) == 48


def test_time_series_stay_in_blocks():
    time = Role("time", True, np.arange(200) % 50, tuple(map(str, range(50))), is_series=True)
    splits = draw(200, {"time": time}, rng())
    assert splits.kind == "blocks"
    changes = [(np.diff(half.astype(int)) != 0).sum() for half in splits.half]
    assert max(changes) < 20


def test_groups_are_as_many_as_units_allow():
    assert draw(9, {}, rng()).n_groups == 9
    assert draw(500, {}, rng()).n_groups == 20
    assert draw(500, {"donor": donors(500, 8)}, rng()).n_groups == 8


def test_many_levels_make_fewer_groups():
    assert draw(3000, {"donor": donors(3000, 500)}, rng()).n_groups == 8
    assert draw(9000, {"donor": donors(9000, 3000)}, rng()).n_groups == 5


def test_patterns_hold_all_three_halves():
    splits = draw(64, {}, rng())
    for split in range(3):
        assert np.array_equal(splits.pattern >> split & 1, splits.half[split])


def test_row_sample_is_capped_sorted_and_unique():
    sample = draw(9000, {}, rng()).sample
    assert len(sample) == ROW_SAMPLE
    assert (np.diff(sample) > 0).all()
