"""The linear core: log expression is a weighted sum of regulators, at once and without noise.

Fast enough for power curves; its switches each break one thing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from infocheck.simulate import observe
from infocheck.simulate.observe import BLOCK, BLOCK_CORRELATION, correlate, normal
from infocheck.source import SIMULATED

# Standard deviation of every gene's log expression; with it the reliability at a
# mean of m counts is .284 m / (1 + .284 m), up to the variation of cell size.
LOG_SD = 0.5
# Share of each gene's latent variance that cell types take when there are several.
CELL_TYPE_SHARE = 0.2


def simulate(
    n_obs: int = 1200,
    n_genes: int = 400,
    n_regulators: int = 40,
    *,
    donors: int = 8,
    batches: int = 4,
    cell_types: int = 1,
    depth: float = 8000.0,
    r2: float = 0.5,
    parents: float = 2.0,
    donor_share: float = 0.05,
    batch_share: float = 0.05,
    hidden_share: float = 0.0,
    coupling: float = 1.0,
    duplicates: int = 0,
    bystanders: int = 0,
    condition: str | None = "balanced",
    constant_genes: int = 0,
    seed: int = 0,
) -> anndata.AnnData:
    """Simulate counts of cells whose network is known.

    Each gene has a latent log expression of mean 0 and variance 1. A part of it
    varies from cell to cell: regulators are standard normal, in blocks of five
    with correlation 0.3, and a target is ``sqrt(r2)`` times the standardised sum
    of its regulators, with random signs and weights, plus ``sqrt(1 - r2)`` times
    noise of its own. Donor, batch, cell type and a hidden factor take fixed shares
    of the variance beside that part. Counts are Poisson around
    ``size * depth * share of the gene * exp(0.5 * latent)``.

    Parameters
    ----------
    n_obs, n_genes, n_regulators
        Cells, genes, and how many of the genes are regulators (the first ones).
        All other genes, except bystanders and constant ones, are targets.
    donors, batches
        Independent units and runs. Cells are spread evenly over the donors, and
        donor ``d`` lies in batch ``d mod batches``: with as many donors as batches
        the two cannot be told apart.
    cell_types
        With more than one, types take 20 % of each gene's latent variance, and
        correlate genes that do not regulate each other.
    depth
        Expected counts per cell. *Defect: shallow* at ``depth=50``: most of the
        variance is sampling noise, and regulators are not measured.
    r2
        Share of a target's cell-to-cell latent variance that its regulators explain.
        *Defect: no network* at ``r2=0``: nothing can be predicted.
    parents
        Mean number of regulators of a target, at least 1 (1 + Poisson).
    donor_share
        Share of each gene's latent variance between donors, independent of the
        network. *Defect: pseudo-replication* when large with few donors: cells
        look many and are few independent observations.
    batch_share
        The same between batches. *Defect: batch effect* when large.
    hidden_share
        Share due to one unrecorded factor of the cells with random sign on every
        gene, regulator and target alike. *Defect: hidden factor* when above 0:
        all genes correlate by plus or minus this much without regulation.
    coupling
        Correlation of a regulator's mRNA with its activity, which is what targets
        follow. *Defect: lost coupling* when below 1: mRNA is a poor proxy.
    duplicates
        How many of the regulators, the last ones, have the latent expression of the
        first ones and targets of their own none. *Defect: confusable regulators*.
    bystanders
        How many genes lie outside the network: they follow no regulator. Without
        them every gene matched as a decoy is a sibling of the targets.
    condition
        ``"balanced"``: every donor gives cells of both conditions. ``"aliased"``:
        whole batches are one condition (*defect: aliased contrast*: condition and
        batch cannot be told apart). None: no condition. The label moves no gene.
    constant_genes
        How many of the genes, the last ones, have no counts at all. *Defect:
        constant genes*, which must be dropped and not divided by.
    seed
        The same seed and arguments give the same data.

    Returns
    -------
    anndata.AnnData
        ``X``: cells × genes, counts as float32 in CSR. ``obs``: ``donor``,
        ``batch``, ``condition``, ``cell_type`` (when asked for). ``var``:
        ``is_regulator`` and ``true_reliability``, the share of variance of the
        depth-normalised counts that is not Poisson noise, from the simulated rates;
        0 for constant genes. ``uns["network"]``: ``source``, ``target``, ``sign``,
        empty when ``r2`` is 0. ``uns["infocheck_simulation"]``: the
        arguments.

    Raises
    ------
    ValueError
        When an argument is out of range, in one sentence.

    Notes
    -----
    Not a realistic cell. Effects are linear on the log scale and instantaneous;
    regulators are not regulated; there is no bursting, ambient RNA, doublet,
    pseudotime or protein. A donor's or batch's shift of a regulator does not reach
    its targets. Shares are those of a random effect: ``k`` levels show on average
    ``(k - 1) / k`` of it. Cell sizes are known to the simulation, whereas a method
    estimates them from totals, in which a few abundant genes weigh most. Without
    ``bystanders`` genes matched as decoys are siblings of the targets. That a method
    finds this network says that it can, not that it will in tissue.

    Examples
    --------
    >>> sound = simulate(seed=1)
    >>> shallow = simulate(depth=50, seed=1)
    """
    arguments = dict(locals())
    _refuse(**arguments)
    rng = np.random.default_rng(seed)
    genes = observe.gene_names(n_genes, n_regulators)
    obs, levels = observe.labels(rng, n_obs, donors, batches, cell_types, condition)
    targets = n_genes - n_regulators - bystanders - constant_genes
    weights = _weights(rng, targets, n_regulators - duplicates, parents)
    shares = {
        "donor": donor_share,
        "batch": batch_share,
        "cell_type": CELL_TYPE_SHARE if cell_types > 1 else 0.0,
    }
    model = _Model(
        weights=_standardised(weights),
        r2=r2,
        coupling=coupling,
        duplicates=duplicates,
        abundance=depth * observe.abundance(rng, n_genes, constant_genes),
        effects=[
            (
                codes,
                math.sqrt(shares[name]) * normal(rng, (codes.max() + 1, n_genes)),
            )
            for name, codes in levels.items()
            if shares[name] > 0
        ],
        hidden=math.sqrt(hidden_share) * rng.choice([-1.0, 1.0], n_genes).astype(np.float32),
        own=1.0 - hidden_share - sum(shares.values()),
    )
    size = observe.sizes(rng, n_obs)
    counts, reliability = observe.poisson_counts(
        rng, lambda rows: _rate(_latent(rng, model, rows), model.abundance), size, n_genes
    )
    return anndata.AnnData(
        counts,
        obs=obs,
        var=pd.DataFrame(
            {"is_regulator": np.arange(n_genes) < n_regulators, "true_reliability": reliability},
            index=genes,
        ),
        uns={
            "network": _edges(weights if r2 > 0 else weights[:, :0], genes, n_regulators),
            # h5ad has no None inside a dictionary that every version can read.
            SIMULATED: {**arguments, "condition": condition or "none"},
        },
    )


def demo() -> anndata.AnnData:
    """The data of ``infocheck report --demo``: sound, with donors and batches.

    2,400 cells of 12 donors in 4 batches, 400 genes of which 30 are regulators, and
    a network that explains 70 % of every target's variation from cell to cell.
    """
    return simulate(2400, n_regulators=30, donors=12, r2=0.7, parents=3, seed=0)


@dataclass(frozen=True)
class _Model:
    """What a block of cells is drawn from.

    ``weights`` (regulators × targets; no row for ``duplicates``) give sums of
    variance 1; ``coupling`` is that of mRNA and activity; ``effects`` are
    pairs of level codes (cells) and shifts (levels × genes); ``own`` is the share
    of latent variance left to the cell-to-cell part; ``abundance`` (genes) the
    expected counts of a cell of size 1.
    """

    weights: sparse.csr_array
    r2: float
    coupling: float
    duplicates: int
    abundance: np.ndarray
    effects: list[tuple[np.ndarray, np.ndarray]]
    hidden: np.ndarray
    own: float


def _refuse(
    *,
    n_obs,
    n_genes,
    n_regulators,
    donors,
    batches,
    cell_types,
    depth,
    r2,
    parents,
    donor_share,
    batch_share,
    hidden_share,
    coupling,
    duplicates,
    bystanders,
    condition,
    constant_genes,
    seed,
) -> None:
    """Raise ValueError for the first argument that makes no sense."""
    shares = (donor_share, batch_share, hidden_share)
    taken = sum(shares) + (CELL_TYPE_SHARE if cell_types > 1 else 0.0)
    with_types = f" (cell types take {CELL_TYPE_SHARE})" if cell_types > 1 else ""
    observe.refuse(
        [
            *observe.gene_rules(n_genes, n_regulators, duplicates, bystanders, constant_genes),
            (0 <= coupling <= 1, "coupling must lie between 0 and 1."),
            *observe.cell_rules(n_obs, donors, batches, cell_types, depth, condition, seed),
            (0 <= r2 <= 1, "r2 must lie between 0 and 1."),
            (1 <= parents < math.inf, "parents must be at least 1."),
            (
                all(share >= 0 for share in shares) and taken < 1,
                f"The shares must not be negative and must sum to less than 1{with_types}.",
            ),
        ]
    )


def _weights(
    rng: np.random.Generator, targets: int, regulators: int, parents: float
) -> sparse.csc_array:
    """Weights of the network, regulators × targets, ±(0.5 to 1.5) where there is an edge."""
    rows, columns = observe.random_parents(rng, targets, regulators, parents)
    values = rng.choice([-1.0, 1.0], len(rows)) * rng.uniform(0.5, 1.5, len(rows))
    return sparse.csc_array((values, (rows, columns)), shape=(regulators, targets))


def _standardised(weights: sparse.csc_array) -> sparse.csr_array:
    """Weights whose sums over the correlated regulators have variance 1."""
    block = np.arange(weights.shape[0]) // BLOCK
    members = sparse.csr_array((np.ones(len(block)), (block, np.arange(len(block)))))
    together = (members @ weights).power(2).sum(axis=0)
    alone = weights.power(2).sum(axis=0)
    variance = BLOCK_CORRELATION * together + (1 - BLOCK_CORRELATION) * alone
    return (weights @ sparse.diags_array(1 / np.sqrt(variance))).tocsr().astype(np.float32)


def _edges(weights: sparse.csc_array, genes: list[str], n_regulators: int) -> pd.DataFrame:
    edges = weights.tocoo()
    names = np.array(genes, dtype=object)
    return observe.network_table(
        names[edges.coords[0]], names[n_regulators + edges.coords[1]], edges.data
    )


def _latent(rng: np.random.Generator, model: _Model, rows: slice) -> np.ndarray:
    """Latent log expression, cells × genes, mean 0 and variance 1 for every gene."""
    parents, targets = model.weights.shape
    p = parents + model.duplicates
    latent = normal(rng, (rows.stop - rows.start, len(model.hidden)))
    regulators, of_targets = latent[:, :p], latent[:, p : p + targets]
    correlate(rng, regulators)
    activity = _activity(rng, regulators[:, :parents], model.coupling)
    of_targets *= math.sqrt(1 - model.r2)
    of_targets += math.sqrt(model.r2) * (activity @ model.weights)
    latent *= math.sqrt(model.own)
    for codes, shifts in model.effects:
        latent += shifts[codes[rows]]
    if model.hidden.any():
        latent += normal(rng, (len(latent), 1)) * model.hidden
    latent[:, parents:p] = latent[:, : model.duplicates]
    return latent


def _activity(rng: np.random.Generator, mrna: np.ndarray, coupling: float) -> np.ndarray:
    """What targets follow: as variable and as correlated as the mRNA, and coupled to it."""
    if coupling == 1:
        return mrna
    other = normal(rng, mrna.shape)
    correlate(rng, other)
    return coupling * mrna + math.sqrt(1 - coupling**2) * other


def _rate(latent: np.ndarray, abundance: np.ndarray) -> np.ndarray:
    """Expected counts of a cell of size 1; the mean over cells is the abundance."""
    return abundance * np.exp(LOG_SD * latent - LOG_SD**2 / 2)
