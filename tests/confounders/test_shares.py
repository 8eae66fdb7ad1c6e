"""Shares of variance: planted truth, coverage of the intervals, and what counting noise hides."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from infocheck.confounders import shares
from infocheck.confounders.factors import Factors
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.simulate import simulate
from infocheck.stats.variance import jackknife_interval, unique_and_total

BATCH, DONOR, LATENT = 0.10, 0.15, 0.20


def planted(rng, donors, nested, cells=30, genes=250, batches=4):
    """Rows with batch, donor and a latent factor, and the true ends of both shares by gene.

    Batches are the ones at hand, donors are drawn; half of the latent factor differs
    between donors.
    """
    donor = np.repeat(np.arange(donors), cells)
    n = len(donor)
    batch = (np.arange(donors) % batches)[donor] if nested else rng.integers(batches, size=n)
    effect = np.sqrt(BATCH) * rng.normal(size=(batches, genes))
    loading = rng.normal(size=genes)
    latent = np.sqrt(0.5) * (rng.normal(size=donors)[donor] + rng.normal(size=n))
    y = effect[batch] + np.sqrt(DONOR) * rng.normal(size=(donors, genes))[donor]
    y += np.sqrt(LATENT) * latent[:, None] * loading
    y += np.sqrt(1 - BATCH - DONOR - LATENT) * rng.normal(size=(n, genes))
    weight = np.bincount(batch, minlength=batches) / n
    of_batch = weight @ (effect - weight @ effect) ** 2
    of_donor = (DONOR + 0.5 * LATENT * loading**2) * (1 - 1 / donors)
    rest = 0.5 * LATENT * loading**2 + 1 - BATCH - DONOR - LATENT
    if nested:
        each = donors / batches  # a batch mean holds the mean of so many donors
        between = of_donor / (1 - 1 / donors) * (1 / each - 1 / donors)
        total = of_batch + of_donor + rest
        truth = {
            ("batch", "unique"): 0 * total,
            ("batch", "total"): (of_batch + between) / total,
            ("donor", "unique"): (of_donor - between) / total,
            ("donor", "total"): (of_batch + of_donor) / total,
        }
    else:
        total = of_batch + of_donor + rest
        truth = {("batch", end): of_batch / total for end in shares.ENDS}
        truth |= {("donor", end): of_donor / total for end in shares.ENDS}
    return batch, donor, y, truth


def factors_of(batch, donor, y, groups):
    n, levels = len(y), (batch.max() + 1, donor.max() + 1)
    design = sp.hstack(
        [
            sp.csr_matrix((np.ones(n), (np.arange(n), code)), (n, k))
            for code, k in zip((batch, donor), levels, strict=True)
        ],
        format="csr",
    )
    inside = [groups == g for g in range(groups.max() + 1)]
    parts = [(design[i], y[i]) for i in inside]
    return Factors(
        design=design,
        n=np.array([i.sum() for i in inside], float),
        x=np.stack([np.asarray(x.sum(axis=0)).ravel() for x, _ in parts]),
        xx=np.stack([(x.T @ x).toarray() for x, _ in parts]),
        xy=np.stack([x.T @ v for x, v in parts]),
        y=np.stack([v.sum(axis=0) for _, v in parts]),
        yy=np.stack([(v**2).sum(axis=0) for _, v in parts]),
        columns={"batch": np.arange(levels[0]), "donor": levels[0] + np.arange(levels[1])},
    )


def covered(rng, donors, nested):
    """Which true ends lie inside the intervals of their genes, by factor and end."""
    batch, donor, y, truth = planted(rng, donors, nested)
    groups = (rng.permutation(donors) % min(20, donors))[donor]
    factors = factors_of(batch, donor, y, groups)

    def values(normal):
        return {
            (name, end): v
            for name, pair in unique_and_total(normal, factors.columns).items()
            for end, v in zip(shares.ENDS, pair, strict=True)
        }

    whole = factors.normal()
    found, left_out = values(whole), [values(factors.normal(g)) for g in range(len(factors.n))]
    inside = {}
    for key, value in found.items():
        parts = np.stack([part[key] for part in left_out])
        rank = whole.rank(factors.columns[key[0]])
        low, high = jackknife_interval(value, parts, whole.n, rank)
        claimed = truth[key] >= 0.01
        inside[key] = ((low <= truth[key]) & (truth[key] <= high))[claimed]
    return inside


@pytest.mark.slow
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(("donors", "least"), [(20, 0.93), (40, 0.93), (12, 0.92), (6, 0.78)])
def test_intervals_cover_the_true_share_of_a_gene(donors, least, nested):
    """40 studies of 250 genes each (seed 1); .93 is claimed from 20 donors on."""
    rng = np.random.default_rng(1)
    studies = [covered(rng, donors, nested) for _ in range(40)]
    for key in studies[0]:
        inside = np.concatenate([study[key] for study in studies])
        if len(inside):  # nothing is claimed where the true share is 0
            share = inside.mean()
            assert share >= least, (donors, nested, key, share)


def test_intervals_cover_with_twenty_donors():
    rng = np.random.default_rng(2)
    studies = [covered(rng, 20, nested=False) for _ in range(6)]
    for key in studies[0]:
        assert np.mean(np.concatenate([study[key] for study in studies])) >= 0.93, key


def test_mean_share_of_planted_factors_is_recovered():
    """1,200 genes in each of 12 studies, as the latent factor is one draw in each (seed 3)."""
    rng = np.random.default_rng(3)
    off = []
    for _ in range(12):
        batch, donor, y, truth = planted(rng, 24, False, genes=1200)
        found = unique_and_total(
            (factors := factors_of(batch, donor, y, donor % 20)).normal(), factors.columns
        )
        off.append(
            [
                value.mean() - truth[name, end].mean()
                for name, pair in found.items()
                for end, value in zip(shares.ENDS, pair, strict=True)
            ]
        )
    assert np.abs(np.mean(off, axis=0)).max() < 0.02


def test_tables_hold_both_ends_with_intervals_and_the_share_of_the_signal():
    adata = simulate(1500, 120, 20, batch_share=0.3, donor_share=0.0, depth=150.0, seed=4)
    data = Dataset.open(adata)
    data = data.with_moments(Moments.of(data))
    tables = shares.of(data, Factors.of(data))
    genes, row = tables["genes"], tables["headline"].iloc[0]
    for name in ("batch", "donor", "depth"):
        for end in shares.ENDS:
            low, value, high = (genes[f"{name}_{end}{s}"] for s in ("_low", "", "_high"))
            assert ((low <= value + 1e-12) & (value <= high + 1e-12)).all()
    assert row["low"] < row["estimate"] < row["high"]
    # Few counts per cell: most of the variance is counting noise, which batch cannot hold.
    assert row["of_signal"] > 1.5 * row["estimate"]
    assert row["of_signal_low"] < row["of_signal"] < row["of_signal_high"]
