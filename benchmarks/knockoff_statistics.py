"""Knockoff statistics of all targets at once, and by scikit-learn and knockpy target by target.

    python benchmarks/knockoff_statistics.py [--rows 805] [--regulators 334] [--targets 4177]

Regulators come in blocks of correlation .5 and share five latent factors; targets depend on about
four of them each, which explain .3 of their variance. The peers take ``--peer-targets`` targets;
their seconds for all targets are extrapolated in proportion. scikit-learn shares our Gram matrix
and stops its path where ours stops, or after as many steps as ours may hold regulators; knockpy,
where it is installed, works on rows, to the end of the path or with its cross-validated penalty.
Prints seconds, ratios, peak memory, and how many pairs are found at a rate of .1.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import time
from collections.abc import Callable

import numpy as np
from sklearn.linear_model import lars_path_gram, lasso_path
from threadpoolctl import threadpool_limits

from infocheck.stats.knockoff_filter import fdp, q_values, realised
from infocheck.stats.knockoff_statistics import (
    Products,
    coefficient,
    lasso,
    marginal,
    ridge,
    ridge_penalty,
)
from infocheck.stats.lasso import MOST, RIDGE, STOP
from infocheck.stats.standard import standardised

RUNS = 3
BLOCK, FACTORS = 8, 5


def drawn(
    n: int, p: int, m: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standardised ``[X, X̃]``, targets, and which pairs are edges."""
    sigma = 0.5 * (np.arange(p)[:, None] // BLOCK == np.arange(p) // BLOCK) + 0.5 * np.eye(p)
    loadings = 0.4 * rng.normal(size=(p, FACTORS))
    sigma += loadings @ loadings.T
    scale = 1 / np.sqrt(np.diag(sigma))
    sigma *= scale * scale[:, None]
    s = 0.99 * min(1.0, 2 * np.linalg.eigvalsh(sigma)[0])
    drop = np.linalg.solve(sigma, s * np.eye(p))
    x = rng.normal(size=(n, p)) @ np.linalg.cholesky(sigma).T
    noise = np.linalg.cholesky(2 * s * np.eye(p) - s * drop)
    knockoff = x - x @ drop + rng.normal(size=(n, p)) @ noise.T
    truth = rng.random((p, m)) < 4 / p
    signal = standardised(x @ (truth * rng.uniform(0.5, 1.5, (p, m)) * rng.choice([-1, 1], (p, m))))
    y = np.sqrt(0.3) * signal + np.sqrt(0.7) * rng.normal(size=(n, m))
    return standardised(np.hstack([x, knockoff])), standardised(y), truth


def seconds(function: Callable[[], object], runs: int = RUNS) -> tuple[float, object]:
    """Of the fastest of some runs, and the result."""
    fastest, result = np.inf, None
    for _ in range(runs):
        start = time.perf_counter()
        result = function()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest, result


def signed_maximum(entry: np.ndarray) -> np.ndarray:
    p = len(entry) // 2
    return np.maximum(entry[:p], entry[p:]) * np.sign(entry[:p] - entry[p:])


def entries_of_lars(gram: np.ndarray, r: np.ndarray) -> np.ndarray:
    penalty, _, path = lars_path_gram(
        r, gram, n_samples=1, alpha_min=STOP * np.abs(r).max(), method="lasso", max_iter=MOST
    )
    entry = np.zeros(len(r))
    entered = np.flatnonzero(path.any(axis=1))
    entry[entered] = penalty[(path[entered] != 0).argmax(axis=1) - 1]
    return entry


def peers(z: np.ndarray, y: np.ndarray, products: Products) -> dict[str, Callable[[int], object]]:
    """The statistic of one target, by name of the peer."""
    n, p = len(z), z.shape[1] // 2
    ridged = products.gram + RIDGE * np.eye(2 * p)
    unscaled = products.gram * n
    found: dict[str, Callable[[int], object]] = {
        "scikit-learn lars_path_gram": lambda j: signed_maximum(
            entries_of_lars(ridged, products.cross[:, j])
        ),
        "scikit-learn lasso_path": lambda j: lasso_path(
            z, y[:, j], eps=STOP, precompute=unscaled, Xy=products.cross[:, j] * n
        ),
    }
    if importlib.util.find_spec("knockpy"):
        from knockpy.knockoff_stats import LassoStatistic

        def knockpy(j: int, **options: str) -> np.ndarray:
            return LassoStatistic().fit(z[:, :p], z[:, p:], y[:, j], y_dist="gaussian", **options)

        found["knockpy entry"] = lambda j: knockpy(j, zstat="lars_path", antisym="sm")
        found["knockpy coefficient"] = lambda j: knockpy(j, zstat="coef", antisym="cd")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=805)
    parser.add_argument("--regulators", type=int, default=334)
    parser.add_argument("--targets", type=int, default=4177)
    parser.add_argument("--peer-targets", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    n, m = options.rows, options.targets
    z, y, truth = drawn(n, options.regulators, m, np.random.default_rng(0))
    with threadpool_limits(options.threads):
        gemm, cross = seconds(lambda: z.T @ y / n)
        products = Products(z.T @ z / n, cross, rows=n)
        penalty = ridge_penalty(products)
        print(f"plain product [X, X̃]'Y          {gemm:9.3f} s")
        ours = {
            "marginal": lambda: marginal(products),
            "ridge, one penalty": lambda: ridge(products, penalty),
            "ridge, best of the grid": lambda: ridge(products),
            "lasso entry": lambda: lasso(products),
            "lasso coefficient": lambda: coefficient(products),
        }
        taken, statistics = {}, {}
        for name, function in ours.items():
            taken[name], statistics[name] = seconds(function)
            found, true = realised(q_values(statistics[name]), truth, np.array([0.1]))
            print(
                f"{name:32}{taken[name]:9.3f} s   found {found[0]}, false share "
                f"{fdp(found, true)[0]:.3f}, power {true[0] / truth.sum():.3f}"
            )
        filtering, _ = seconds(lambda: q_values(statistics["lasso entry"]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"q-values of all pairs           {filtering:9.3f} s\npeak memory {peak:.0f} MB")
        few = np.linspace(0, m - 1, options.peer_targets).astype(int)
        for name, one in peers(z, y, products).items():
            start = time.perf_counter()
            results = [one(j) for j in few]
            whole = (time.perf_counter() - start) * m / len(few)
            same = "coefficient" if "coefficient" in name else "entry"
            ratio = whole / taken[f"lasso {same}"]
            print(f"{name:32}{whole:9.1f} s   extrapolated from {len(few)} targets; ", end="")
            print(f"{ratio:.0f} times lasso {same}", end="")
            if isinstance(results[0], np.ndarray):
                w = np.column_stack(results)
                agree = np.corrcoef(w.ravel(), statistics[f"lasso {same}"][:, few].ravel())[0, 1]
                print(f", W correlates {agree:.4f}", end="")
            print()


if __name__ == "__main__":
    main()
