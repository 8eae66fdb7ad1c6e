"""Cross-validated ridge of all targets: from sums by fold, and by scikit-learn on rows.

    python benchmarks/ridge.py [--rows 4000] [--regulators 300] [--targets 1000]

The peer is ``RidgeCV`` with a penalty per target by leave-one-out, in each of five folds, the
fastest nested cross-validation there is in scikit-learn. Both on one thread, three runs in
turn; the smallest time counts. Prints seconds, the ratio and how far the R² differ.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.linear_model import RidgeCV
from threadpoolctl import threadpool_limits

from infocheck.stats.ridge import PENALTIES, cross_validated
from infocheck.stats.sums import CrossSums

RUNS = 3


def ours(z: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    p = z.shape[1]
    rows = np.hstack([z, y])
    folds = [CrossSums.of(rows[fold == k], p) for k in range(5)]
    return cross_validated(folds, np.arange(p, rows.shape[1])).r2


def peer(z: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    residual = total = 0.0
    for k in range(5):
        train = fold != k
        mean, sd = z[train].mean(axis=0), z[train].std(axis=0)
        standard = (z - mean) / sd
        model = RidgeCV(alphas=PENALTIES * train.sum(), alpha_per_target=True)
        model.fit(standard[train], y[train])
        residual += ((y[~train] - model.predict(standard[~train])) ** 2).sum(axis=0)
        total += ((y[~train] - y[train].mean(axis=0)) ** 2).sum(axis=0)
    return 1 - residual / total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--regulators", type=int, default=300)
    parser.add_argument("--targets", type=int, default=1000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    z = rng.normal(size=(options.rows, options.regulators))
    weights = rng.normal(size=(options.regulators, options.targets))
    weights *= rng.random(weights.shape) < 3 / options.regulators
    y = z @ weights + 2 * rng.normal(size=(options.rows, options.targets))
    fold = np.arange(options.rows) % 5
    seconds: dict[str, list[float]] = {"infocheck": [], "scikit-learn": []}
    r2 = {}
    with threadpool_limits(1):
        for _ in range(RUNS):
            for name, function in (("infocheck", ours), ("scikit-learn", peer)):
                start = time.perf_counter()
                r2[name] = function(z, y, fold)
                seconds[name].append(time.perf_counter() - start)
    fastest = {name: min(values) for name, values in seconds.items()}
    for name, value in fastest.items():
        print(f"{name:14s}{value:8.2f} s   mean R² {r2[name].mean():.4f}")
    difference = np.abs(r2["infocheck"] - r2["scikit-learn"]).max()
    print(f"ratio {fastest['scikit-learn'] / fastest['infocheck']:.1f}; ", end="")
    print(f"largest difference of R² {difference:.4f}")


if __name__ == "__main__":
    main()
