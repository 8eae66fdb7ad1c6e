"""Time and memory of the check of perturbations, and of pertpy's distance test on the same cells.

    python benchmarks/energy_distance.py screen.h5ad --write programmes   # or: genes
    python benchmarks/energy_distance.py screen.h5ad             # this package
    python benchmarks/energy_distance.py screen.h5ad --pertpy    # in an environment with pertpy

Each prints seconds and the largest resident size. pertpy gets its usual preparation (totals,
log1p, 50 principal components by scanpy, timed apart) and tests each perturbation against the
control with as many permutations; ``--naive`` is that test on scikit-learn's distances, for
where pertpy is not installed, and ``--only K`` times the first K perturbations alone.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np

CELLS, PERTURBATIONS, GENES, CONTROLS = 20_000, 100, 2_000, 2_000
DRAWS = 999


def screen(path: Path, kind: str) -> None:
    """Half of the perturbations act: they lower their own gene and move others.

    These are one of eight programmes of 200 genes, shifted by a third of its standard
    deviation, or fifty genes, raised by half.
    """
    import anndata as ad
    import pandas as pd
    import scipy.sparse as sp

    rng = np.random.default_rng(0)
    names = np.array([f"G{i}" for i in range(GENES)], dtype=object)
    level = np.r_[np.full(CONTROLS, -1), np.arange(CELLS - CONTROLS) % PERTURBATIONS]
    mean = rng.lognormal(-0.5, 1.0, GENES)
    programmes = rng.normal(size=(8, GENES)) * (rng.random((8, GENES)) < 0.1)
    blocks = []
    for part in np.array_split(np.arange(CELLS), 20):
        factor = 0.3 * rng.normal(size=(len(part), 8))
        own = np.ones((len(part), GENES))
        for i, one in enumerate(level[part]):
            if one >= 0 and one % 2 == 0:
                own[i, one] = 0.2
                if kind == "programmes":
                    factor[i, one // 2 % 8] += 0.1
                else:
                    own[i, (200 + 7 * one + np.arange(50)) % GENES] *= 1.5
        rate = mean * own * np.exp(factor @ programmes) * rng.lognormal(0, 0.3, (len(part), 1))
        blocks.append(sp.csr_matrix(rng.poisson(rate).astype(np.float32)))
    label = np.where(level < 0, "control", names[np.maximum(level, 0)])
    obs = pd.DataFrame({"perturbation": label.astype(str)}, index=[f"c{i}" for i in range(CELLS)])
    var = pd.DataFrame({"is_regulator": np.arange(GENES) < 150}, index=names)
    ad.AnnData(sp.vstack(blocks).tocsr(), obs=obs, var=var).write_h5ad(path)


def ours(path: Path) -> None:
    from infocheck.checks.perturbation import Perturbation
    from infocheck.dataset import Dataset
    from infocheck.engine import Engine
    from infocheck.moments import Moments

    engine = Engine()
    with engine.running():
        start = time.perf_counter()
        data = Dataset.open(path, engine=engine)
        data = data.with_moments(Moments.of(data))
        before = time.perf_counter() - start
        result = Perturbation().run(data, seed=0)
    table = result.tables["perturbations"]
    report("two passes over the rows, for all checks", before)
    report(f"whole check, {int(table['responds'].sum())} of {len(table)} respond", result.seconds)


def prepared(path: Path):
    import anndata as ad
    import scanpy as sc

    start = time.perf_counter()
    adata = ad.read_h5ad(path)
    sc.pp.normalize_total(adata)
    sc.pp.log1p(adata)
    sc.pp.pca(adata, n_comps=50)
    report("totals, log1p, principal components", time.perf_counter() - start)
    return adata


def theirs(path: Path, only: int | None) -> None:
    import pertpy

    adata = first(prepared(path), only)
    start = time.perf_counter()
    test = pertpy.tools.DistanceTest(
        "edistance", n_perms=DRAWS, obsm_key="X_pca", alpha=0.05, correction="fdr_bh"
    )
    table = test(adata, groupby="perturbation", contrast="control")
    found = int(table["significant_adj"].sum())
    report(f"pertpy {pertpy.__version__}, {found} of {len(table) - 1} respond", start=start)


def naive(path: Path, only: int | None) -> None:
    """Distances of all pairs once, then sums over them for every shuffle of labels."""
    from sklearn.metrics import pairwise_distances

    adata = first(prepared(path), only)
    label = adata.obs["perturbation"].to_numpy(str)
    rng, start = np.random.default_rng(0), time.perf_counter()
    for name in np.unique(label[label != "control"]):
        rows = np.flatnonzero((label == name) | (label == "control"))
        distance = pairwise_distances(adata.obsm["X_pca"][rows], metric="sqeuclidean")
        treated = label[rows] == name
        values = []
        for draw in range(DRAWS + 1):
            x = treated if draw == 0 else rng.permutation(treated)
            n, r = x.sum(), (~x).sum()
            inside = distance[np.ix_(x, x)].sum() / (n * (n - 1))
            outside = distance[np.ix_(~x, ~x)].sum() / (r * (r - 1))
            values.append(2 * distance[np.ix_(x, ~x)].mean() - inside - outside)
    report("all pairs by scikit-learn", start=start)


def first(adata, only: int | None):
    if only is None:
        return adata
    names = sorted(set(adata.obs["perturbation"]) - {"control"})[:only]
    return adata[adata.obs["perturbation"].isin([*names, "control"])].copy()


def report(what: str, seconds: float = 0.0, start: float | None = None) -> None:
    seconds = seconds if start is None else time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what:55} {seconds:8.1f} s   {memory:6.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--write", choices=("programmes", "genes"))
    parser.add_argument("--pertpy", action="store_true")
    parser.add_argument("--naive", action="store_true")
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    if options.write:
        screen(options.file, options.write)
    elif options.pertpy:
        theirs(options.file, options.only)
    elif options.naive:
        naive(options.file, options.only)
    else:
        ours(options.file)


if __name__ == "__main__":
    main()
