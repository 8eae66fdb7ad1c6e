"""Arms: what is compared with what, and which rows replicate which."""

from __future__ import annotations

import numpy as np
import pandas as pd

from infocheck import arms
from infocheck.roles import assign


def drawn(obs: dict[str, list], control: str | None = None):
    frame = pd.DataFrame({k: list(map(str, v)) for k, v in obs.items()})
    roles, _ = assign(frame, {}, control)
    return arms.draw(roles, np.random.default_rng(1)), roles


def screen(n: int = 240, batches: int = 2) -> dict[str, list]:
    i = np.arange(n)
    return {
        "perturbation": np.array(["control", "A", "B"])[i % 3],
        "batch": i // 3 % batches,
    }


def test_parts_hold_rows_of_every_perturbation_and_batch_evenly():
    found, _ = drawn(screen())
    assert found.held == ("batch",)
    assert found.unit == "cells"
    for level in range(3):
        for stratum in range(2):
            inside = (found.level == level) & (found.stratum[found.block] == stratum)
            counts = np.bincount(found.part[found.block[inside]], minlength=4)
            assert counts.max() - counts.min() <= 1


def test_a_batch_that_is_the_perturbation_cannot_be_held_constant():
    obs = screen()
    obs["batch"] = np.where(obs["perturbation"] == "control", "old", "new")
    found, _ = drawn(obs)
    assert found.aliased == ("batch",)
    assert found.n_strata == 1


def test_donors_are_dealt_whole_where_there_are_enough():
    obs = screen()
    obs["donor"] = np.arange(240) // 3 % 8
    del obs["batch"]
    found, roles = drawn(obs)
    assert found.unit == "donors"
    donor = roles["donor"].codes
    parts = [set(found.part[found.block[donor == d]]) for d in range(8)]
    assert all(len(part) == 1 for part in parts)


def test_few_controls_are_no_reference():
    obs = {"perturbation": ["none", *(f"G{i}" for i in range(30))]}
    found, _ = drawn(obs)
    assert found.control is None


def test_no_perturbation_has_no_arms():
    assert arms.draw({}, np.random.default_rng(0)) is None
