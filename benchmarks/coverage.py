"""Do the 95 % intervals cover, and how often does data without a network pass?

    python benchmarks/coverage.py [--runs 100]

Every line simulates fresh data sets (seeds from 0) of one known population. The
truth of a statistic is its mean over as many other data sets (seeds from 10,000):
what a repeat of the study would give on average.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import anndata as ad
import numpy as np

from infocheck.check import by_name
from infocheck.dataset import Dataset
from infocheck.engine import Engine
from infocheck.moments import Moments
from infocheck.result import Status, Verdict
from infocheck.simulate import simulate


def judged(adata: ad.AnnData, check: str) -> Verdict:
    """The verdict of one check on one data set."""
    engine = Engine(1)
    with engine.running():
        data = Dataset.open(adata, engine=engine)
        data = data.with_moments(Moments.of(data))
        return by_name(check).run(data, seed=0).verdict


def gaussian(seed: int, n: int = 200, p: int = 10, q: int = 150, parents: int = 3) -> ad.AnnData:
    """Targets of three regulators each, of one fixed network; values that are no counts."""
    rng, network = np.random.default_rng(seed), np.random.default_rng(99)
    weights = np.zeros((p, q))
    for target in range(q):
        weights[network.choice(p, parents, replace=False), target] = network.choice(
            [-1, 1], parents
        )
    z = rng.normal(size=(n, p))
    y = z @ weights * np.sqrt(0.6 / parents) + np.sqrt(0.4) * rng.normal(size=(n, q))
    return marked(np.hstack([z, y]), p)


def without_edges(seed: int, n: int, p: int = 120, q: int = 100) -> ad.AnnData:
    """Strongly correlated regulators and independent targets."""
    rng = np.random.default_rng(seed)
    blocks = np.repeat(rng.normal(size=(n, p // 10)), 10, axis=1)
    z = np.sqrt(0.8) * blocks + np.sqrt(0.2) * rng.normal(size=(n, p))
    return marked(np.hstack([z, rng.normal(size=(n, q))]), p)


def marked(x: np.ndarray, p: int) -> ad.AnnData:
    adata = ad.AnnData(x + 8)
    adata.var["is_regulator"] = np.arange(x.shape[1]) < p
    return adata


def counts(seed: int, **options) -> ad.AnnData:
    """Cells of 12 donors."""
    settings = {"n_obs": 600, "n_genes": 150, "n_regulators": 30, "donors": 12, "batches": 4}
    return simulate(seed=seed, **(settings | options))


COVERAGE: dict[str, tuple[str, Callable[[int], ad.AnnData]]] = {
    "stability, 200 rows, no counts": ("stability", gaussian),
    "stability, 12 donors whole": ("stability", lambda s: counts(s, r2=0.7, parents=3)),
    "reliability share, 600 cells": ("reliability", lambda s: counts(s, depth=250)),
    "confounding, 12 donors": ("confounding", lambda s: counts(s, donor_share=0.15)),
}
SIZE = {f"no edges, {n} rows": (lambda s, n=n: without_edges(s, n)) for n in (40, 100, 400)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    print(f"{'interval':34} covered  truth   mean width   ({runs} runs)")
    for name, (check, make) in COVERAGE.items():
        truth = np.mean([judged(make(10_000 + s), check).estimate for s in range(runs)])
        verdicts = [judged(make(s), check) for s in range(runs)]
        covered = np.mean([v.low <= truth <= v.high for v in verdicts])
        width = np.mean([v.high - v.low for v in verdicts])
        print(f"{name:34} {covered:7.0%}  {truth:.3f}  {width:10.3f}", flush=True)
    print(f"\n{'data without a network':34} enough  borderline  limiting")
    for name, make in SIZE.items():
        statuses = [judged(make(s), "stability").status for s in range(runs)]
        shares = [
            np.mean([s is kind for s in statuses])
            for kind in (Status.ENOUGH, Status.BORDERLINE, Status.LIMITING)
        ]
        print(f"{name:34} {shares[0]:6.0%}  {shares[1]:10.0%}  {shares[2]:8.0%}", flush=True)


if __name__ == "__main__":
    main()
