"""Which kinds of smoothing, pooling and denoising does the package notice?

    python benchmarks/shared_noise.py FILE.h5ad [FILE.h5ad ...]

Every file is judged as it is, and as altered copies of at most 2,500 of its rows:
means over the k nearest rows, sums of them (counts), a third of these as metacells,
diffusion over a graph of neighbours, and values rebuilt from principal components.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import anndata as ad
import numpy as np

from infocheck.dataset import Dataset
from infocheck.dependence import dependence
from infocheck.engine import Engine
from infocheck.errors import InputError
from infocheck.moments import Moments
from infocheck.stats.shared_noise import nearest

ROWS, TARGETS, COMPONENTS = 2500, 1500, 30


def noticed(values: np.ndarray, names: np.ndarray, regulator: np.ndarray) -> bool:
    """Is anything found in a matrix of these values?"""
    adata = ad.AnnData(np.ascontiguousarray(values, dtype=np.float32))
    adata.var_names = names
    adata.var["is_regulator"] = regulator
    engine = Engine(1)
    with engine.running():
        data = Dataset.open(adata, engine=engine)
        return any(f.found for f in dependence(data.with_moments(Moments.of(data))))


def components(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the leading principal components, and the values rebuilt from them."""
    mean = values.mean(axis=0)
    u, s, v = np.linalg.svd(values - mean, full_matrices=False)
    scores = u[:, :count] * s[:count]
    return scores, scores @ v[:count] + mean


def pools(values: np.ndarray, k: int) -> np.ndarray:
    """Each row and its k - 1 nearest others."""
    scores, _ = components(values, COMPONENTS)
    return np.column_stack([np.arange(len(values)), nearest(scores, k - 1)])


def copies(
    values: np.ndarray, counts: np.ndarray | None, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """Altered copies by name; ``values`` are on the log scale."""
    n = len(values)
    for k in (5, 15, 30):
        pool = pools(values, k)
        some = pool[np.sort(rng.choice(n, n // 3, replace=False))]
        yield f"means of {k} rows, log scale", values[pool].mean(axis=1)
        yield f"metacells of {k} rows, log scale", values[some].mean(axis=1)
        if counts is not None:
            yield f"sums of {k} rows, counts", counts[pool].sum(axis=1)
            yield f"rounded means of {k} rows, counts", np.rint(counts[pool].mean(axis=1))
            yield f"metacells of {k} rows, counts", counts[some].sum(axis=1)
    step = np.zeros((n, n))
    step[np.arange(n)[:, None], pools(values, 10)] = 1
    step += step.T
    step /= step.sum(axis=1, keepdims=True)
    yield "three steps of diffusion", step @ (step @ (step @ values))
    for count in (10, 50):
        _, rebuilt = components(values, count)
        yield f"{count} components", rebuilt
        yield f"{count} components, negatives cut to 0", np.maximum(rebuilt, 0)


def loaded(path: Path, rng: np.random.Generator) -> tuple[ad.AnnData, np.ndarray]:
    """At most 2,500 rows, all regulators and at most 1,500 other genes."""
    adata = ad.read_h5ad(path)
    rows = np.sort(rng.permutation(adata.n_obs)[:ROWS])
    regulator = adata.var["is_regulator"].to_numpy(bool)
    others = rng.permutation(np.flatnonzero(~regulator))[:TARGETS]
    adata = adata[rows, np.union1d(np.flatnonzero(regulator), others)].to_memory()
    x = adata.X.toarray() if hasattr(adata.X, "toarray") else np.asarray(adata.X)
    keep = (x != 0).any(axis=1)
    return adata[keep], x[keep].astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    tally: dict[str, list[bool]] = defaultdict(list)
    for path in parser.parse_args().files:
        rng = np.random.default_rng(0)
        adata, x = loaded(path, rng)
        about = adata.var_names, adata.var["is_regulator"].to_numpy(bool)
        counts = x if x.min() >= 0 and (x == np.rint(x)).all() else None
        values = x
        if x.min() >= 0 and x.max() > 30:
            total = x.sum(axis=1, keepdims=True)
            values = np.log1p(x / total * np.median(total))
        for name, copy in [("as it is", x), *copies(values, counts, rng)]:
            try:
                tally[name].append(noticed(copy, *about))
            except InputError as reason:
                print(f"{path.stem}, {name}: {reason}")
    for name, found in tally.items():
        print(f"{name:40} noticed in {sum(found):2d} of {len(found)}")


if __name__ == "__main__":
    main()
