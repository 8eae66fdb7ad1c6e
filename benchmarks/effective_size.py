"""Do intervals of a correlation cover when cells come from few donors?

    python benchmarks/effective_size.py [--runs 2000]

Every line simulates pairs of genes (one pair a run, seed 1) over cells of donors: a
naive interval takes every cell as independent, the other one the effective
size from estimated intraclass correlations. The correlation is 0, or .3 between
donors and between cells of a donor alike, or .3 between cells of a donor alone. Then the
interval of the check ``sample_size`` is held against the true size of the median pair.
"""

from __future__ import annotations

import argparse
import math

import anndata as ad
import numpy as np
import pandas as pd

from infocheck.check import by_name
from infocheck.dataset import Dataset
from infocheck.engine import Engine
from infocheck.moments import Moments
from infocheck.stats.clustering import (
    effective_size,
    intraclass_correlation,
)
from infocheck.stats.resampling import fisher_interval

DONORS = (8, 12, 20, 40, 100)
CELLS = 50
ICCS = ((0.05, 0.05), (0.1, 0.1), (0.05, 0.2), (0.3, 0.3), (0.5, 0.1))
KINDS = {"none": (0.0, 0.0), ".3 donors and cells": (0.3, 0.3), ".3 cells only": (0.0, 0.3)}


def simulated(
    rng: np.random.Generator,
    runs: int,
    donors: int,
    cells: int,
    icc: tuple[float, float],
    correlation: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Two genes in every run, shapes (donors, cells, runs), variance 1.

    ``correlation`` is that of the donors' effects and that of cells within donors.
    """
    parts = []
    for share, r, shape in (
        (np.array(icc), correlation[0], (donors, 1, runs)),
        (1 - np.array(icc), correlation[1], (donors, cells, runs)),
    ):
        first = rng.standard_normal(shape)
        second = r * first + math.sqrt(1 - r * r) * rng.standard_normal(shape)
        parts.append((math.sqrt(share[0]) * first, math.sqrt(share[1]) * second))
    (between_x, between_y), (x, y) = parts
    return x + between_x, y + between_y


def estimates(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlation and effective size of every run, as the package computes them."""
    donors, cells, runs = x.shape
    n = np.full(donors, float(cells))
    icc = [intraclass_correlation(n, v.sum(axis=1), np.square(v).sum(axis=(0, 1))) for v in (x, y)]
    size = effective_size(n, 1.0, np.maximum(icc[0], 0) * np.maximum(icc[1], 0))[0]
    flat = [v.reshape(-1, runs) - v.mean(axis=(0, 1)) for v in (x, y)]
    products = [(a * b).sum(axis=0) for a, b in ((flat[0], flat[1]), flat[:1] * 2, flat[1:] * 2)]
    return products[0] / np.sqrt(products[1] * products[2]), size


def coverage(
    rng: np.random.Generator,
    runs: int,
    donors: int,
    icc: tuple[float, float],
    correlation: tuple[float, float],
    cells: int = CELLS,
) -> tuple[float, float, float, float]:
    """Coverage of the naive and the clustered interval, median size, and what r shows."""
    chunk = max(1, 4_000_000 // (donors * cells))
    parts = []
    for start in range(0, runs, chunk):
        part = min(chunk, runs - start)
        parts.append(estimates(*simulated(rng, part, donors, cells, icc, correlation)))
    r, size = (np.concatenate(column) for column in zip(*parts, strict=True))
    between, within = correlation
    truth = between * math.sqrt(icc[0] * icc[1]) + within * math.sqrt((1 - icc[0]) * (1 - icc[1]))

    def covered(n) -> float:
        low, high = fisher_interval(r, n)
        return float(((low <= truth) & (truth <= high)).mean())

    seen = 3 + 1 / np.var(np.arctanh(r))
    return covered(float(donors * cells)), covered(size), float(np.median(size)), float(seen)


def clustered(rng: np.random.Generator, icc: np.ndarray, donors: int, shared: float) -> ad.AnnData:
    """Cells of donors, a third of the genes regulators; donor effects share 5 factors."""
    g = len(icc)
    loading = rng.standard_normal((5, g))
    loading /= np.sqrt((loading**2).sum(axis=0))
    effect = math.sqrt(shared) * rng.standard_normal((donors, 5)) @ loading
    effect += math.sqrt(1 - shared) * rng.standard_normal((donors, g))
    donor = np.repeat(np.arange(donors), CELLS)
    values = np.sqrt(icc) * effect[donor]
    values += np.sqrt(1 - icc) * rng.standard_normal((len(donor), g))
    adata = ad.AnnData(values + 8)
    adata.obs["donor"] = pd.Categorical([f"d{d}" for d in donor])
    adata.var["is_regulator"] = np.arange(g) < g // 3
    return adata


def of_the_check(runs: int) -> None:
    """Coverage of the interval that the check reports for the median pair."""
    print(f"\ninterval of the check sample_size, {runs} data sets of 90 genes")
    print("donors  mean ICC  donor effects  truth  estimate  covered  high / low")
    for donors in (4, 8, 20):
        for mean in (0.05, 0.2):
            for shared in (0.0, 0.8):
                rng = np.random.default_rng(2)
                icc = np.clip(rng.gamma(2, mean / 2, 90), 0, 0.8)
                n = np.full(donors, float(CELLS))
                truth = float(np.median(effective_size(n, icc[:30], icc[30:])))
                verdicts = [verdict(clustered(rng, icc, donors, shared)) for _ in range(runs)]
                inside = np.mean([v.low <= truth <= v.high for v in verdicts])
                estimate = np.median([v.estimate for v in verdicts])
                width = np.median([v.high / v.low for v in verdicts])
                kind = "related" if shared else "unrelated"
                print(
                    f"{donors:6d}  {mean:8.2f}  {kind:13}  {truth:5.0f}  {estimate:8.0f}"
                    f"  {inside:7.0%}  {width:10.1f}",
                    flush=True,
                )


def verdict(adata: ad.AnnData):
    """Verdict of the check on one data set."""
    engine = Engine(1)
    with engine.running():
        data = Dataset.open(adata, engine=engine)
        return by_name("sample_size").run(data.with_moments(Moments.of(data)), seed=0).verdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--data-sets", type=int, default=100)
    options = parser.parse_args()
    runs = options.runs
    rng = np.random.default_rng(1)
    print(f"{runs} runs, {CELLS} cells a donor; 95% intervals")
    print(f"{'correlation':20} donors  ICC x  ICC y    rows  naive  clustered  size  seen")
    for kind, correlation in KINDS.items():
        for donors in DONORS:
            for icc in ICCS if kind == "none" else ICCS[1::3]:
                naive, clustered, size, seen = coverage(rng, runs, donors, icc, correlation)
                print(
                    f"{kind:20} {donors:6d}  {icc[0]:5.2f}  {icc[1]:5.2f}  {donors * CELLS:6,d}"
                    f"  {naive:5.1%}  {clustered:9.1%}  {size:4.0f}  {seen:4.0f}",
                    flush=True,
                )
    print("size: median effective size; seen: 3 + 1 / variance of atanh(r) over the runs")
    of_the_check(options.data_sets)


if __name__ == "__main__":
    main()
