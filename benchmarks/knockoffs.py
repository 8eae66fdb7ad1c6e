"""s of Gaussian knockoffs by infocheck and by knockpy, on the same correlations in one run.

    python benchmarks/knockoffs.py [--regulators 334] [--large 1000] [--rows 500] [--threads 2]

The correlations are those of a few modules of unequal strength in so many rows, shrunk by .1.
Both sides use the same number of BLAS threads and their defaults, which for knockpy means a
looser end: the objective that each one reaches stands beside its time. Three runs in turn, the
smallest time counts. Then the larger problem and the steps that follow, by infocheck alone.
Without knockpy (pip install knockpy, a source build) only the times of infocheck are printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import warnings
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from infocheck.stats.knockoffs import (
    Gaussian,
    Sums,
    equicorrelated,
    keyed_normal,
    max_entropy,
    min_variance,
)

RUNS = 3
# Ours, the name of the method in knockpy, and what the method minimises.
METHODS = {
    "equicorrelated": (equicorrelated, "equicorrelated", None),
    "MVR": (min_variance, "mvr", lambda values, s: (1 / values).sum() + (1 / s).sum()),
    "ME": (max_entropy, "maxent", lambda values, s: -np.log(values).sum() - np.log(s).sum()),
}


def correlations(regulators: int, rows: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    strength = np.geomspace(0.1, 1, regulators)
    x = rng.normal(size=(rows, 20)) @ rng.normal(size=(20, regulators)) * strength
    x += rng.normal(size=x.shape)
    return 0.9 * np.corrcoef(x, rowvar=False) + 0.1 * np.eye(regulators)


def peer(sigma: np.ndarray, method: str) -> np.ndarray:
    import knockpy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.diag(knockpy.smatrix.compute_smatrix(sigma, method=method))


def fastest(run: Callable[[], object], runs: int = RUNS) -> float:
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


def side_by_side(sigma: np.ndarray) -> None:
    for name, (method, theirs, objective) in METHODS.items():
        times, values = {}, {}
        sides = {
            "infocheck": lambda method=method: method(sigma),
            "knockpy": lambda theirs=theirs: peer(sigma, theirs),
        }
        for _ in range(RUNS):
            for side, run in sides.items():
                times[side] = min(times.get(side, np.inf), fastest(run, 1))
        for side, run in sides.items():
            s = run()
            spectrum = np.linalg.eigvalsh(2 * sigma - np.diag(s))
            values[side] = objective(spectrum, s) if objective else s.sum()
        print(
            f"{name:16s}infocheck {times['infocheck']:6.3f} s  knockpy {times['knockpy']:6.3f} s  "
            f"ratio {times['knockpy'] / times['infocheck']:6.1f}  "
            f"{'objective' if objective else 'sum of s'} {values['infocheck']:.5f}, "
            f"{values['knockpy']:.5f}"
        )


def alone(sigma: np.ndarray, rows: int) -> None:
    p = len(sigma)
    for name, (method, _, _) in METHODS.items():
        print(f"{name:28s}{fastest(lambda method=method: method(sigma)):8.3f} s")
    s = min_variance(sigma)
    print(f"{'model from s':28s}{fastest(lambda: Gaussian.of(sigma, s)):8.3f} s")
    model = Gaussian.of(sigma, s)
    z, noise, extra = (keyed_normal(seed, 0, rows, p) for seed in range(3))
    print(f"{f'noise of {rows} rows':28s}{fastest(lambda: keyed_normal(0, 0, rows, p)):8.3f} s")
    print(f"{f'knockoffs of {rows} rows':28s}{fastest(lambda: model.draw(z, noise)):8.3f} s")
    sums = Sums.of(z, model.draw(z, noise), extra)
    print(f"{'left out: all at once':28s}{fastest(lambda: model.left_out(sums)):8.3f} s")
    left = model.left_out(sums)
    print(f"{'left out: marginal, all':28s}{fastest(left.marginal):8.3f} s")
    print(f"{'left out: Gram of one':28s}{fastest(lambda: left.gram(p // 2)):8.4f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--regulators", type=int, default=334)
    parser.add_argument("--large", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with threadpool_limits(options.threads):
        print(f"{options.regulators} regulators, {options.threads} threads")
        sigma = correlations(options.regulators, options.rows)
        if importlib.util.find_spec("knockpy"):
            side_by_side(sigma)
        else:
            print("knockpy is not installed: nothing to compare with")
            alone(sigma, options.rows)
        print(f"{options.large} regulators")
        alone(correlations(options.large, options.rows), options.rows)


if __name__ == "__main__":
    main()
