"""What both cores share: labels, blocks of regulators, random parents, depth and counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy import sparse

# Spread of mean expression between genes and of size between cells, on the log scale.
GENE_SPREAD = 1.0
SIZE_SPREAD = 0.3
# Regulators come in blocks that share a factor, so that rivals of a true parent exist.
BLOCK = 5
BLOCK_CORRELATION = 0.3
# Values held as a dense block at a time.
BLOCK_VALUES = 1_000_000

CONDITIONS = ("balanced", "aliased", None)

Rules = list[tuple[bool, str]]


class ArgumentError(ValueError):
    """An argument of a simulation is out of range."""


def refuse(rules: Rules) -> None:
    """Raise ArgumentError with the sentence of the first rule that does not hold."""
    for holds, sentence in rules:
        if not holds:
            raise ArgumentError(sentence)


def gene_rules(
    n_genes: int, n_regulators: int, duplicates: int, bystanders: int, constant_genes: int
) -> Rules:
    """What numbers of genes must fulfil in both cores."""
    return [
        (n_regulators >= 3, "n_regulators must be at least 3."),
        (min(constant_genes, bystanders) >= 0, "constant_genes and bystanders must be 0 or more."),
        (
            n_genes > n_regulators + bystanders + constant_genes,
            "n_genes must exceed n_regulators + bystanders + constant_genes, "
            "so that a target remains.",
        ),
        (
            0 <= duplicates <= n_regulators / 2,
            "duplicates must be at most half of n_regulators, and not negative.",
        ),
    ]


def cell_rules(
    n_obs: int,
    donors: int,
    batches: int,
    cell_types: int,
    depth: float,
    condition: str | None,
    seed: int,
) -> Rules:
    """What cells and their labels must fulfil in both cores."""
    return [
        (min(donors, batches, cell_types) >= 1, "donors, batches, cell_types must be at least 1."),
        (batches <= donors, "batches must not exceed donors, since a donor lies in one batch."),
        (n_obs >= 2 * donors, "n_obs must be at least two cells for each donor."),
        (0 < depth < math.inf, "depth must be a positive number of counts per cell."),
        (condition in CONDITIONS, 'condition must be "balanced", "aliased" or None.'),
        (
            condition != "aliased" or batches >= 2,
            "An aliased condition needs at least 2 batches.",
        ),
        (seed >= 0, "seed must not be negative."),
    ]


def gene_names(n_genes: int, n_regulators: int) -> list[str]:
    """Regulators first: TF001, TF002, ..., then G0001, G0002, ..."""
    names = [f"TF{i:03d}" for i in range(1, n_regulators + 1)]
    return names + [f"G{i:04d}" for i in range(1, n_genes - n_regulators + 1)]


def labels(
    rng: np.random.Generator,
    n_obs: int,
    donors: int,
    batches: int,
    cell_types: int,
    condition: str | None,
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Labels of the cells, and the level codes of those that move genes."""
    order = rng.permutation(n_obs)
    donor = order % donors
    levels = {"donor": donor, "batch": donor % batches}
    obs = {
        "donor": category(donor, [f"donor_{i:02d}" for i in range(1, donors + 1)]),
        "batch": category(levels["batch"], [f"batch_{i}" for i in range(1, batches + 1)]),
    }
    if condition is not None:
        # Balanced: every second cell of a donor, so that each gives both conditions.
        code = levels["batch"] % 2 if condition == "aliased" else order // donors % 2
        obs["condition"] = category(code, ["control", "treated"])
    if cell_types > 1:
        levels["cell_type"] = rng.integers(cell_types, size=n_obs)
        names = [f"type_{i}" for i in range(1, cell_types + 1)]
        obs["cell_type"] = category(levels["cell_type"], names)
    width = len(str(n_obs))
    return pd.DataFrame(obs, index=[f"cell_{i:0{width}d}" for i in range(1, n_obs + 1)]), levels


def category(codes: np.ndarray, names: list[str]) -> pd.Categorical:
    """Labels by code; levels that no cell has are left out."""
    return pd.Categorical.from_codes(codes, names).remove_unused_categories()


def abundance(rng: np.random.Generator, n_genes: int, constant_genes: int) -> np.ndarray:
    """Expected share of each gene in the counts; constant genes have none."""
    share = np.exp(GENE_SPREAD * rng.standard_normal(n_genes))
    share[n_genes - constant_genes :] = 0
    return share / share.sum()


def sizes(rng: np.random.Generator, n_obs: int) -> np.ndarray:
    """Sizes of cells, lognormal with mean 1."""
    return np.exp(rng.normal(-(SIZE_SPREAD**2) / 2, SIZE_SPREAD, n_obs))


def random_parents(
    rng: np.random.Generator, targets: int, regulators: int, parents: float
) -> tuple[np.ndarray, np.ndarray]:
    """Regulator and target of every edge; a target has 1 + Poisson(parents - 1) regulators."""
    number = np.minimum(1 + rng.poisson(parents - 1, targets), regulators)
    sources = np.concatenate([rng.choice(regulators, k, replace=False) for k in number])
    return sources, np.repeat(np.arange(targets), number)


def network_table(source: np.ndarray, target: np.ndarray, sign: np.ndarray) -> pd.DataFrame:
    """The true network: names of regulator and target, and +1 or -1."""
    return pd.DataFrame({"source": source, "target": target, "sign": np.sign(sign).astype(np.int8)})


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal draws in single precision."""
    return rng.standard_normal(shape, dtype=np.float32)


def correlate(rng: np.random.Generator, regulators: np.ndarray) -> None:
    """Give the regulators (columns) of a block a common factor, in place."""
    block = np.arange(regulators.shape[1]) // BLOCK
    factors = normal(rng, (len(regulators), block[-1] + 1))
    regulators *= math.sqrt(1 - BLOCK_CORRELATION)
    regulators += math.sqrt(BLOCK_CORRELATION) * factors[:, block]


def poisson_counts(
    rng: np.random.Generator,
    rate: Callable[[slice], np.ndarray],
    size: np.ndarray,
    n_genes: int,
) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Counts and true reliability, a block of cells at a time to bound memory.

    ``rate(rows)`` gives the expected counts (cells × genes) of cells of size 1.
    """
    n_obs = len(size)
    blocks, total, squares, noise = [], *np.zeros((3, n_genes))
    for rows in row_blocks(n_obs, n_genes):
        expected = rate(rows)
        total += expected.sum(axis=0)
        squares += np.square(expected).sum(axis=0)
        # A Poisson count divided by the size has variance rate / size.
        noise += (1 / size[rows]) @ expected
        counts = rng.poisson(expected * size[rows, None])
        blocks.append(sparse.csr_matrix(counts.astype(np.float32)))
    signal = squares / n_obs - np.square(total / n_obs)
    variance = signal + noise / n_obs
    reliability = np.divide(signal, variance, out=np.zeros(n_genes), where=variance > 0)
    return sparse.vstack(blocks, format="csr"), reliability


def row_blocks(n_obs: int, n_columns: int) -> Iterator[slice]:
    """Slices of rows that hold at most ``BLOCK_VALUES`` values each."""
    step = max(1, BLOCK_VALUES // n_columns)
    for start in range(0, n_obs, step):
        yield slice(start, min(start + step, n_obs))
