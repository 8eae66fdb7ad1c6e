"""Variance components of all genes by REML, and by lme4 and statsmodels gene by gene.

    python benchmarks/variance_components.py [--rows 20000] [--genes 2000]

Two random factors, batch and donor, crossed; each gene has shares of its own. Ours includes the
pass over the matrix (float64, in memory) that sums products of the design and the genes; the
smallest time of three runs counts. lme4, where R has it, and MixedLM (Powell's method, both
factors as variance components of one group) fit a few genes on the same rows, each on as many
threads as its libraries like; reading the rows into R is not counted. Prints seconds, seconds per
gene and their ratios, how far the fractions are from ours, and the memory that ours needs on top.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from infocheck.engine import Engine
from infocheck.stats.variance import Normal
from infocheck.stats.variance_components import Absorbed, Components, moments, reml

RUNS = 3
BATCHES, DONORS = 8, 12
ROWS = 500  # of a block: it stays in cache between shift, product and square
R = """
suppressMessages(library(lme4))
folder <- commandArgs(TRUE)[1]
rows <- read.csv(file.path(folder, "rows.csv"))
rows$batch <- factor(rows$batch)
rows$donor <- factor(rows$donor)
genes <- grep("^gene", names(rows), value = TRUE)
for (gene in genes) {
  formula <- as.formula(paste(gene, "~ 1 + (1 | batch) + (1 | donor)"))
  seconds <- system.time(model <- lmer(formula, rows, REML = TRUE))[["elapsed"]]
  parts <- VarCorr(model)
  cat(seconds, parts$batch[1, 1], parts$donor[1, 1], sigma(model)^2, "\\n")
}
"""


def drawn(n: int, genes: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Level codes (n, 2) and genes (n, genes) with a mean and shares of their own."""
    codes = np.column_stack([rng.integers(BATCHES, size=n), rng.integers(DONORS, size=n)])
    shares = rng.dirichlet([0.5, 0.5, 2], size=genes).T
    y = rng.normal(size=(n, genes))
    y *= np.sqrt(shares[2])
    for code, share, levels in zip(codes.T, shares, (BATCHES, DONORS), strict=False):
        y += (np.sqrt(share) * rng.normal(size=(levels, genes)))[code]
    y += rng.uniform(0, 3, size=genes)
    return codes, y


def summed(codes: np.ndarray, y: np.ndarray, engine: Engine) -> Normal:
    """Centred products of design and genes in one pass over the rows, blocks on the workers.

    Genes are summed by pair of batch and donor, where each row has one entry.
    """
    n, genes = y.shape
    pair = codes[:, 0] * DONORS + codes[:, 1]
    shift = y[:ROWS].mean(axis=0)
    starts = np.arange(0, n, ROWS)

    def part(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total, squares = np.zeros((BATCHES * DONORS, genes)), np.zeros(genes)
        for start in chosen:
            rows = slice(start, start + ROWS)
            values = y[rows] - shift
            one = np.ones(len(values))
            indicator = sp.csr_matrix(
                (one, (pair[rows], np.arange(len(values)))), (BATCHES * DONORS, len(values))
            )
            total += indicator @ values
            squares += np.einsum("ij,ij->j", values, values)
        return total, squares

    parts = engine.map(part, np.array_split(starts, engine.workers))
    total, squares = (sum(p) for p in zip(*parts, strict=True))
    batch, donor = np.divmod(np.arange(BATCHES * DONORS), DONORS)
    levels = np.hstack([np.eye(BATCHES)[batch], np.eye(DONORS)[donor]])
    size = np.bincount(pair, minlength=len(levels)).astype(float)
    x, whole = levels.T @ size, total.sum(axis=0)
    return Normal(
        n,
        (levels.T * size) @ levels - np.outer(x, x) / n,
        levels.T @ total - np.outer(x, whole) / n,
        squares - whole**2 / n,
    )


FACTORS = {"batch": np.arange(BATCHES), "donor": np.arange(BATCHES, BATCHES + DONORS)}


def ours(codes: np.ndarray, y: np.ndarray, engine: Engine) -> tuple[list[float], Components, ...]:
    """Seconds of the pass, of REML and of moments; both results."""
    clock = [time.perf_counter()]
    normal = summed(codes, y, engine)
    clock.append(time.perf_counter())
    absorbed = Absorbed.of(normal, FACTORS)
    by_reml = reml(absorbed, engine.map)
    clock.append(time.perf_counter())
    by_moments = moments(Absorbed.of(normal, FACTORS))
    clock.append(time.perf_counter())
    return list(np.diff(clock)), by_reml, by_moments


def by_lme4(codes: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Seconds of each gene and components (3, genes); None where R has no lme4."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        header = ",".join(["batch", "donor", *(f"gene{k}" for k in range(y.shape[1]))])
        rows = np.column_stack([codes, y])
        np.savetxt(folder / "rows.csv", rows, "%.15g", ",", header=header, comments="")
        (folder / "fit.R").write_text(R, encoding="utf-8")
        command = ["Rscript", str(folder / "fit.R"), name]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        return None
    found = np.array([line.split() for line in ran.stdout.splitlines()], dtype=float)
    return found[:, 0], found[:, 1:].T


def by_statsmodels(codes: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of each gene and components (3, genes)."""
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    names = ["batch", "donor"]
    columns = [
        [[f"{n}{k}" for k in range(c.max() + 1)]] for n, c in zip(names, codes.T, strict=True)
    ]
    matrices = [[np.eye(c.max() + 1)[c]] for c in codes.T]
    seconds, components = [], []
    for gene in y.T:
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = MixedLM(
                gene,
                np.ones((len(gene), 1)),
                np.zeros(len(gene)),
                exog_vc=VCSpec(names, columns, matrices),
            )
            fit = model.fit(reml=True, method="powell")
        seconds.append(time.perf_counter() - start)
        components.append([*fit.vcomp, fit.scale])
    return np.array(seconds), np.array(components).T


def megabytes(codes: np.ndarray, y: np.ndarray, engine: Engine) -> float:
    """Peak of what ours allocates over the data, in a run that is not timed."""
    tracemalloc.start()
    ours(codes, y, engine)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def compared(
    name: str, found: tuple[np.ndarray, np.ndarray], fractions: np.ndarray, per_gene: float
) -> None:
    seconds, components = found
    difference = np.abs(components / components.sum(axis=0) - fractions[:, : len(seconds)])
    print(f"{name:22s}{seconds.mean():10.3f} s per gene on {len(seconds)} genes", end="")
    print(f" (median {np.median(seconds):.3f}): {seconds.mean() / per_gene:,.0f} × ours; ", end="")
    print(f"fractions differ by {difference.max():.5f} at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--genes", type=int, default=2_000)
    parser.add_argument("--lme4", type=int, default=20, help="genes for lme4")
    parser.add_argument("--statsmodels", type=int, default=2, help="genes for MixedLM")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    codes, y = drawn(options.rows, options.genes, np.random.default_rng(0))
    engine = Engine(options.jobs)
    with engine.running():
        runs = [ours(codes, y, engine) for _ in range(RUNS)]
        peak = megabytes(codes, y, engine)
    clock, by_reml, by_moments = min(runs, key=lambda run: sum(run[0]))
    print(f"{options.rows:,} rows × {options.genes:,} genes, {BATCHES} batches × {DONORS} donors")
    print(f"{options.jobs} threads; our peak memory over the data: {peak:.0f} MB ", end="")
    print(f"(matrix {y.nbytes / 2**20:.0f} MB)")
    for name, value in zip(("sums, one pass", "REML", "moments"), clock, strict=True):
        print(f"{name:22s}{value:10.3f} s for all genes")
    total = clock[0] + clock[1]
    print(f"{'sums and REML':22s}{total:10.3f} s, {1e6 * total / options.genes:.0f} µs per gene")
    print(f"REML: {(~by_reml.converged).sum()} genes not converged, ", end="")
    print(f"at most {by_reml.iterations.max()} steps, {by_reml.iterations.mean():.1f} on average")
    fractions = by_reml.fractions()
    difference = np.abs(by_moments.fractions() - fractions).max(axis=0)
    print(
        f"moments beside REML: fractions differ by {np.median(difference):.4f} in the median, ",
        end="",
    )
    print(f"95 % of genes by less than {np.quantile(difference, 0.95):.4f}")
    per_gene = total / options.genes
    if options.lme4:
        found = by_lme4(codes, y[:, : options.lme4])
        if found is None:
            print("lme4: not here")
        else:
            compared("lme4", found, fractions, per_gene)
    if options.statsmodels:
        found = by_statsmodels(codes, y[:, : options.statsmodels])
        compared("statsmodels, Powell", found, fractions, per_gene)


if __name__ == "__main__":
    main()
