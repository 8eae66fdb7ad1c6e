"""Decoys: as well measured as regulators, nobody else's part, best matched."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from infocheck import decoys as module
from infocheck.dataset import Dataset
from infocheck.decoys import nearest
from infocheck.simulate import simulate


def test_decoys_resemble_their_regulators_and_are_nobody_else():
    data = Dataset.open(simulate(600, 360, 30, bystanders=150, seed=0), seed=3)
    decoys, names = data.decoys, data.names
    judged = set(names(decoys.targets))
    for draw in decoys.draws:
        chosen = names(draw)
        assert len(set(chosen)) == len(decoys.regulators) == 30
        assert not judged & set(chosen)
        assert not any(name.startswith("TF") for name in chosen)
    level = np.log(data.scan.mean[data.panel.genes])
    gap = np.abs(level[decoys.regulators] - level[decoys.draws]).mean()
    random = np.abs(level[decoys.regulators] - level[30 : 30 + decoys.draws.size].reshape(3, -1))
    assert gap < random.mean() / 2


def test_matching_is_the_best_assignment():
    place = np.random.default_rng(1).normal(size=(9, 2))
    genes, pool = np.arange(4), np.arange(4, 9)
    found = nearest(place, genes, pool)

    def cost(chosen):
        return ((place[genes] - place[list(chosen)]) ** 2).sum()

    assert cost(found) == pytest.approx(min(cost(c) for c in permutations(pool, 4)))


def test_few_other_genes_leave_fewer_targets():
    data = Dataset.open(simulate(200, 120, 30))
    assert len(data.decoys.targets) == 60
    assert data.decoys.draws.shape == (3, 30)


def test_more_regulators_than_are_compared_are_drawn_at_random(monkeypatch):
    monkeypatch.setattr(module, "MAX_MATCHED", 8)
    data = Dataset.open(simulate(200, 200, 30))
    assert data.decoys.draws.shape == (3, 8)
    assert data.decoys.needed == 48
    assert len(np.unique(data.decoys.regulators)) == 8
    assert (data.decoys.regulators < 30).all()


def test_too_few_other_genes_give_no_decoys_and_leave_the_panel_alone():
    data = Dataset.open(simulate(200, 100, 40))
    assert data.decoys.draws.size == 0
    assert (data.decoys.needed, data.decoys.others) == (80, 60)
    assert len(data.panel.genes) == 100


def test_decoys_beside_many_targets_join_the_panel():
    data = Dataset.open(simulate(200, 600, 20), targets=10)
    genes = data.panel.genes
    assert len(np.unique(genes)) == len(genes)
    assert set(data.decoys.draws.ravel()) <= set(range(len(genes)))
    assert len(genes) > 20 + 150
