"""The third pass: sums are those of the rows, for any cutting into blocks and any workers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infocheck.calibration import Linear, Setting, Steps, hidden_factors, knockoffs_of, linear
from infocheck.dataset import Dataset
from infocheck.engine import Engine
from infocheck.knockoff_pass import RegulatorScale, knockoff_pass
from infocheck.moments import Moments
from infocheck.simulate import simulate
from infocheck.stats.knockoffs import keyed_normal

SEED = 11


def opened(adata, engine=None):
    data = Dataset.open(adata, engine=engine)
    return data.with_moments(Moments.of(data))


@pytest.fixture(scope="module")
def data():
    return opened(simulate(500, n_genes=120, n_regulators=15, donors=8, seed=1))


@pytest.fixture(scope="module")
def material(data):
    """Knockoffs, and targets of three kinds."""
    p = data.panel.p
    gram = data.moments.total().correlation()[:, :p]
    first = linear(data, gram, np.full(30, 0.4), np.random.default_rng(2))
    hidden = replace(first, hidden=hidden_factors(data)[0])
    kinds = {"linear": first, "steps": Steps(first.planted), "hidden": hidden}
    return knockoffs_of(gram, 0.1), kinds, data.panel.targets


@pytest.fixture(scope="module")
def sums(data, material):
    return knockoff_pass(data, *material, SEED)


def test_sums_are_those_of_the_rows(data, material, sums):
    """All correlations against numpy's on rows in memory; to 1e-10."""
    knockoffs, kinds, _ = material
    values, rows = data.moments.sample.values, data.moments.sample.rows
    assert len(rows) == data.n
    p = data.panel.p
    z = RegulatorScale.of(data).standardise(values)
    assert np.abs(z.mean(axis=0)).max() < 1e-9
    assert z.std(axis=0) == pytest.approx(np.ones(p))
    copies = knockoffs.draw(z, keyed_normal((SEED, 0), 0, data.n, p))
    noise = keyed_normal((SEED, 1), 0, data.n, 30)
    made = {name: kind.values(z, rows, noise) for name, kind in kinds.items()}
    made["real"] = values[:, data.panel.targets]
    for name, y in made.items():
        expected = np.corrcoef(np.hstack([z, copies, y]), rowvar=False)
        found = sums.products(name)
        assert np.abs(found.gram - expected[: 2 * p, : 2 * p]).max() < 1e-10
        assert np.abs(found.cross - expected[: 2 * p, 2 * p :]).max() < 1e-10
        assert found.rows == data.n


def test_steps_of_single_regulators_are_summed_by_halves(data, sums):
    values = data.moments.sample.values
    z = RegulatorScale.of(data).standardise(values)
    side = data.splits.half[0]
    for half in (0, 1):
        rows = side == half
        assert sums.halves[half].n == sums.steps[half].n == rows.sum()
        expected = z[rows].T @ (z[rows] > 0)
        assert np.abs(sums.steps[half].cross[: data.panel.p] - expected).max() < 1e-9


@pytest.mark.parametrize("rows", [7, 64, 100_000])
def test_blocks_of_any_size_give_the_same(data, material, sums, rows):
    whole = data.matrix

    def blocks():
        for start in range(0, data.n_obs, rows):
            yield start, next(whole.blocks())[1][start : start + rows]

    cut = replace(data, matrix=_Cut(blocks))
    again = knockoff_pass(cut, *material, SEED)
    for name in (*material[1], "real"):
        assert np.abs(again.products(name).cross - sums.products(name).cross).max() < 1e-10


class _Cut:
    def __init__(self, blocks):
        self.blocks = blocks


def test_workers_change_nothing(data, material, sums):
    again = knockoff_pass(replace(data, engine=Engine(3)), *material, SEED)
    one = knockoff_pass(replace(data, engine=Engine(1)), *material, SEED)
    for name in (*material[1], "real"):
        assert np.array_equal(again.targets[name].cross, one.targets[name].cross)


def test_another_seed_is_another_draw(data, material, sums):
    other = knockoff_pass(data, *material, SEED + 1).products("real").cross
    p = data.panel.p
    assert np.abs(other[:p] - sums.products("real").cross[:p]).max() < 1e-12
    assert np.abs(other[p:] - sums.products("real").cross[p:]).max() > 0.01


def test_a_hidden_factor_takes_the_place_of_other_variance(data, material):
    """Targets keep a variance near 1 and correlate with the factor as real ones do."""
    kind = material[1]["hidden"]
    assert isinstance(kind, Linear)
    rng = np.random.default_rng(3)
    rows = data.moments.sample.rows
    z = RegulatorScale.of(data).standardise(data.moments.sample.values)
    y = np.mean([kind.values(z, rows, rng.standard_normal((data.n, 30))) for _ in range(300)], 0)
    share = kind.hidden.strength[kind.like]
    part = kind.hidden.part(z, rows, kind.like)
    regulated = np.sqrt(1 - share) * kind.planted.linear_values(z, np.zeros((data.n, 30)))
    assert np.abs(y - part - regulated).max() < 0.4  # 300 draws of the noise: sd .06


def test_a_setting_holds_every_kind(data):
    setting = Setting.of(data, np.random.default_rng(4))
    assert list(setting.kinds)[:2] == ["linear", "step functions"]
    assert any(name in ("linear, batch", "linear, donor") for name in setting.kinds)
    assert set(setting.sums.targets) == {*setting.kinds, "real"}
    for kind in setting.kinds.values():
        assert kind.truth.shape == (data.panel.p, len(setting.replicate))
