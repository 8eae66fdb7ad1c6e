"""The mechanistic core: bursts, Hill regulation, mRNA and protein in time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import anndata
import numpy as np
import pandas as pd

from infocheck.simulate import kinetics, observe
from infocheck.simulate.kinetics import Inputs, Rates
from infocheck.simulate.wiring import Wiring, random_wiring
from infocheck.source import SIMULATED

# Spread of half-lives between genes, on the log scale.
HALF_LIFE_SPREAD = 0.3
# Spread between cell types of the rate of each regulator, on the log scale.
CELL_TYPE_SD = 0.5
# Share of the regulators that the stimulus acts on.
STIMULATED_SHARE = 0.2
# Name of the cells that nothing was done to.
CONTROL = "control"
# Beyond this ratio of half-lives a run takes minutes.
MAX_HALF_LIFE_RATIO = 50.0
# With fewer bursts nearly every gene is silent in every cell.
MIN_BURSTS = 0.01
# Beyond this exponent a Hill function is a step, and single precision is left.
MAX_HILL = 10.0


def mechanistic(
    n_obs: int = 2000,
    n_genes: int = 400,
    n_regulators: int = 30,
    *,
    donors: int = 12,
    batches: int = 4,
    cell_types: int = 1,
    depth: float = 20000.0,
    parents: float = 2.0,
    regulator_parents: float = 0.5,
    strength: float = 0.95,
    hill: float = 3.0,
    repressors: float = 0.5,
    mrna_half_life: float = 9.0,
    protein_half_life: float = 9.0,
    bursts: float = 20.0,
    signal: float = 0.7,
    signal_hours: float = 48.0,
    protein_noise: float = 0.0,
    perturbations: int = 0,
    knockdown: float = 1.0,
    escape: float = 0.0,
    controls: float = 0.2,
    times: Sequence[float] = (),
    stimulus: float = 3.0,
    donor_share: float = 0.05,
    batch_share: float = 0.05,
    hidden_share: float = 0.0,
    duplicates: int = 0,
    bystanders: int = 100,
    condition: str | None = "balanced",
    constant_genes: int = 0,
    seed: int = 0,
) -> anndata.AnnData:
    """Simulate counts and proteins of cells whose network acts through proteins.

    Every cell is an independent trajectory, sampled once. Genes are transcribed in
    bursts of exponential size; the rate of bursts is the product of one Hill function
    for each regulator's protein. mRNA and protein decay exponentially, and protein is
    made in proportion to mRNA. Levels are relative: at the reference every mRNA and
    protein is 1. Counts are Poisson. Equations: ``docs/simulate.md``.

    Parameters
    ----------
    n_obs, n_genes, n_regulators
        Cells, genes, and how many of the genes are regulators (the first ones).
        All other genes, except bystanders and constant ones, are targets.
    donors, batches, depth, condition, constant_genes, seed
        As in the linear core, :func:`infocheck.simulate.simulate`.
    cell_types
        With more than one, the rate of each regulator differs between types by a
        log-normal factor (0.5 on the log scale), and its targets follow.
    parents, regulator_parents
        Mean number of regulators of a target (1 + Poisson, at least 1) and of a
        regulator (Poisson, without itself). Regulators may form cycles; where these are
        strong, edges among regulators are weakened until one steady state is certain.
    strength
        Of the strongest edge, between 0 and 1: the share by which the rate falls from
        an abundant to an absent activator, or from an absent to an abundant repressor.
        An edge has half of it to all. *Defect: no network* at 0.
    hill
        Hill exponent, between 0 (excluded) and 10.
    repressors
        Share of edges that repress.
    mrna_half_life, protein_half_life
        Medians over genes, hours. *Defect: lost coupling* when protein lives much
        longer than mRNA: it averages fluctuations out, and mRNA is a poor proxy.
    bursts
        Mean number of bursts within the mean lifetime of an mRNA, at the reference.
        The variance of a gene's own bursts is one over it. *Defect: bursting* below 1:
        a gene's noise drowns its regulation.
    signal, signal_hours
        Each regulator has an unseen fluctuating input: standard deviation of its log
        rate, and hours after which its correlation with itself is 1/e. Inputs correlate
        (0.3) in blocks of five regulators. 0: bursts are the only source of variation.
    bystanders
        How many genes follow no regulator but unseen inputs of the same kind. Decoys
        are found among them.
    protein_noise
        Standard deviation of measured log protein around the true one.
    perturbations, knockdown, escape, controls
        How many regulators are knocked down, the first ones, each in cells of its own
        since long before sampling; share of transcription that is lost (1: knock-out);
        share of labelled cells in which nothing happens; share of control cells.
        *Defect: ineffective perturbations* with a small knock-down or many escapes.
    times, stimulus
        Hours after a stimulus at which cells are sampled, every cell once; the factor
        of the rate of a fifth of the regulators from then on. At time 0 nothing has
        happened yet. *Defect: sparse sampling* when times miss the response.
    donor_share, batch_share, hidden_share
        Donors, batches and one unrecorded factor of the cells shift log expression
        outside the network, by these shares of its variance (variance of a log-normal
        with the gene's coefficient of variation). *Defects: pseudo-replication, batch
        effect, hidden factor* when large.
    duplicates
        How many regulators, the last ones, are read from the same transcript as the
        first ones: the same mRNA and protein, the same regulators, no targets. They
        are knocked down together. *Defect: confusable regulators*.

    Returns
    -------
    anndata.AnnData
        ``X``: cells × genes, counts as float32 in CSR. ``obs``: ``donor``, ``batch``,
        ``condition``, and when asked for ``cell_type``, ``perturbation`` (name of the
        regulator, or "control"), ``time`` (hours). ``var``: ``is_regulator``,
        ``true_reliability`` as in the linear core, ``mrna_half_life`` and
        ``protein_half_life`` (hours; NaN for genes that are no regulators),
        ``is_stimulated``. ``obsm["protein"]``: a table of cells × regulators, relative to
        the reference. ``uns["network"]``: ``source``,
        ``target``, ``sign``, empty when ``strength`` is 0. ``uns["infocheck_simulation"]``:
        the arguments, and ``core``.

    Raises
    ------
    ValueError
        When an argument is out of range, in one sentence.

    Notes
    -----
    Takes time in proportion to cells × edges × the ratio of the longer to the
    shorter half-life, and 8 bytes for each cell and gene. Not a realistic cell: every
    gene has the same frequency of bursts at the reference; there is no growth, division,
    differentiation, complex, chromatin, splicing, spatial signal, ambient RNA or doublet,
    and only proteins of regulators are followed. Edges can be silent: a regulator far
    from its threshold moves its target little.

    References
    ----------
    Bursts and proteins as a piecewise-deterministic process: Herbach et al. (2017).

    Examples
    --------
    >>> sound = mechanistic(seed=1)
    >>> screen = mechanistic(perturbations=20, seed=1)
    >>> uncoupled = mechanistic(protein_half_life=200, seed=1)
    """
    arguments = dict(locals())
    times = tuple(float(hours) for hours in times)
    _refuse(**{**arguments, "times": times})
    rng = np.random.default_rng(seed)
    genes = observe.gene_names(n_genes, n_regulators)
    obs, levels = observe.labels(rng, n_obs, donors, batches, cell_types, condition)
    layout = _Layout(n_genes, n_regulators, duplicates, bystanders, constant_genes)
    wiring = random_wiring(
        rng,
        layout.targets,
        layout.own,
        parents=parents,
        regulator_parents=regulator_parents,
        strength=strength,
        hill=hill,
        repressors=repressors,
    )
    rates = kinetics.rates(
        rng,
        layout.followed,
        layout.own,
        mrna_half_life=mrna_half_life,
        protein_half_life=protein_half_life,
        spread=HALF_LIFE_SPREAD,
        bursts=bursts,
    )
    share = observe.abundance(rng, n_genes, constant_genes)
    inputs = Inputs(
        rate=np.ones((layout.own, n_obs), dtype=np.float32),
        since=np.zeros(n_obs),
        stimulus=np.ones(layout.own),
        signal=signal,
        signal_hours=signal_hours,
        bystanders=bystanders,
    )
    if cell_types > 1:
        _differ(rng, inputs, levels["cell_type"])
    if perturbations:
        obs["perturbation"] = _perturb(
            rng, inputs, genes[:perturbations], knockdown, escape, controls
        )
    if times:
        obs["time"] = _start(rng, inputs, times, stimulus)
    mrna, protein = _cells(rng, wiring, rates, inputs)
    outside = {"donor": donor_share, "batch": batch_share}
    rate = _rate(rng, mrna, layout, levels, outside, hidden_share, share, depth)
    counts, reliability = observe.poisson_counts(rng, rate.of, observe.sizes(rng, n_obs), n_genes)
    measured = protein[layout.place[:n_regulators]].T
    noise = observe.normal(rng, measured.shape)
    seen = measured * np.exp(protein_noise * noise).astype(np.float32)
    return anndata.AnnData(
        counts,
        obs=obs,
        var=_var(genes, layout, rates, inputs.stimulus if times else None, reliability),
        obsm={"protein": pd.DataFrame(seen, index=obs.index, columns=genes[:n_regulators])},
        uns={
            "network": _edges(wiring, layout, genes),
            # h5ad has no None inside a dictionary that every version can read.
            SIMULATED: {
                **arguments,
                "core": "mechanistic",
                "condition": condition or "none",
                "times": np.array(times),
            },
        },
    )


@dataclass(frozen=True)
class _Layout:
    """Where genes stand in the data, and which of them are followed in time.

    Followed are regulators but twins, targets, bystanders, in this order.
    """

    n_genes: int
    n_regulators: int
    duplicates: int
    bystanders: int
    constant: int

    @property
    def own(self) -> int:
        """Regulators with a trajectory of their own."""
        return self.n_regulators - self.duplicates

    @property
    def targets(self) -> int:
        return self.n_genes - self.n_regulators - self.bystanders - self.constant

    @property
    def followed(self) -> int:
        return self.own + self.targets + self.bystanders

    @property
    def place(self) -> np.ndarray:
        """Trajectory of each gene that is not constant; twins have that of the first ones."""
        return np.r_[0 : self.own, 0 : self.duplicates, self.own : self.followed]


def _refuse(
    *,
    n_obs,
    n_genes,
    n_regulators,
    donors,
    batches,
    cell_types,
    depth,
    parents,
    regulator_parents,
    strength,
    hill,
    repressors,
    mrna_half_life,
    protein_half_life,
    bursts,
    signal,
    signal_hours,
    protein_noise,
    perturbations,
    knockdown,
    escape,
    controls,
    times,
    stimulus,
    donor_share,
    batch_share,
    hidden_share,
    duplicates,
    bystanders,
    condition,
    constant_genes,
    seed,
) -> None:
    """Raise ValueError for the first argument that makes no sense."""
    shares = (donor_share, batch_share, hidden_share)
    observe.refuse(
        [
            *observe.gene_rules(n_genes, n_regulators, duplicates, bystanders, constant_genes),
            *observe.cell_rules(n_obs, donors, batches, cell_types, depth, condition, seed),
            (1 <= parents < math.inf, "parents must be at least 1."),
            (0 <= regulator_parents < math.inf, "regulator_parents must be 0 or more."),
            (0 <= strength < 1, "strength must be at least 0 and less than 1."),
            (0 < hill <= MAX_HILL, f"hill must be above 0 and at most {MAX_HILL:g}."),
            (0 <= repressors <= 1, "repressors must lie between 0 and 1."),
            (
                0 < mrna_half_life < math.inf and 0 < protein_half_life < math.inf,
                "mrna_half_life and protein_half_life must be positive numbers of hours.",
            ),
        ]
    )
    ratio = max(mrna_half_life, protein_half_life) / min(mrna_half_life, protein_half_life)
    labelled = n_obs - _control_cells(n_obs, controls) if 0 < controls < 1 else 0
    observe.refuse(
        [
            (
                ratio <= MAX_HALF_LIFE_RATIO,
                f"mrna_half_life and protein_half_life must not differ more than "
                f"{MAX_HALF_LIFE_RATIO:g}-fold.",
            ),
            (
                MIN_BURSTS <= bursts < math.inf,
                f"bursts must be finite and at least {MIN_BURSTS:g}.",
            ),
            (0 <= signal < math.inf, "signal must be 0 or more."),
            (signal_hours > 0, "signal_hours must be above 0."),
            (0 <= protein_noise < math.inf, "protein_noise must be 0 or more."),
            (
                0 <= perturbations <= n_regulators - duplicates,
                "perturbations must not be negative nor exceed the regulators that are "
                "no duplicates.",
            ),
            (0 <= knockdown <= 1, "knockdown must lie between 0 and 1."),
            (0 <= escape <= 1, "escape must lie between 0 and 1."),
            (0 < controls < 1, "controls must lie between 0 and 1, both excluded."),
            (
                perturbations == 0 or (labelled >= 2 * perturbations and n_obs - labelled >= 2),
                "n_obs must be at least two cells for each perturbation and two controls.",
            ),
            (
                all(0 <= hours < math.inf for hours in times),
                "times must not be negative, and finite.",
            ),
            (
                not times or 2 <= len(set(times)) == len(times) <= n_obs,
                "times must be at least two different ones, and not more than cells.",
            ),
            (0 < stimulus < math.inf, "stimulus must be a positive factor."),
            (
                all(share >= 0 for share in shares) and sum(shares) < 1,
                "The shares must not be negative and must sum to less than 1.",
            ),
        ]
    )


# Before the run -----------------------------------------------------------------------


def _differ(rng: np.random.Generator, inputs: Inputs, types: np.ndarray) -> None:
    """Give every cell type its own rate of each regulator, with mean 1."""
    shifts = observe.normal(rng, (len(inputs.rate), int(types.max()) + 1))
    inputs.rate[:] *= np.exp(CELL_TYPE_SD * shifts - CELL_TYPE_SD**2 / 2)[:, types]


def _perturb(
    rng: np.random.Generator,
    inputs: Inputs,
    names: list[str],
    knockdown: float,
    escape: float,
    controls: float,
) -> pd.Categorical:
    """Knock every named regulator down in cells of its own, and label the cells."""
    cells = len(inputs.since)
    kept = _control_cells(cells, controls)
    order = rng.permutation(cells)
    code = np.where(order < kept, 0, 1 + (order - kept) % len(names))
    hit = (code > 0) & (rng.random(cells) >= escape)
    inputs.rate[code[hit] - 1, np.flatnonzero(hit)] *= 1 - knockdown
    return observe.category(code, [CONTROL, *names])


def _control_cells(cells: int, controls: float) -> int:
    return max(2, round(controls * cells))


def _start(
    rng: np.random.Generator, inputs: Inputs, times: tuple[float, ...], stimulus: float
) -> np.ndarray:
    """Spread the cells evenly over the times, and choose what the stimulus acts on."""
    inputs.since[:] = np.array(times)[rng.permutation(len(inputs.since)) % len(times)]
    number = max(1, round(STIMULATED_SHARE * len(inputs.rate)))
    inputs.stimulus[rng.choice(len(inputs.rate), number, replace=False)] = stimulus
    return inputs.since.copy()


# The run and what follows ---------------------------------------------------------------


def _cells(
    rng: np.random.Generator, wiring: Wiring, rates: Rates, inputs: Inputs
) -> tuple[np.ndarray, np.ndarray]:
    """mRNA and protein of all cells, a block at a time to bound memory."""
    cells = inputs.rate.shape[1]
    width = max(len(wiring.source), len(rates.mrna_decay))
    blocks = []
    for part in observe.row_blocks(cells, width):
        of_part = replace(inputs, rate=inputs.rate[:, part], since=inputs.since[part])
        blocks.append(kinetics.run(rng, wiring, rates, of_part, longest=float(inputs.since.max())))
    mrna, protein = (np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True))
    return mrna, protein


@dataclass(frozen=True)
class _Rate:
    """Expected counts of cells of size 1.

    Attributes
    ----------
    mrna
        Followed genes × cells.
    place
        Trajectory of each gene that is not constant.
    weight
        Expected counts at mRNA level 1, shape (genes,).
    shifts
        Pairs of level codes (cells) and shifts of log expression (levels × followed genes).
    hidden, loading
        An unrecorded factor (cells) and its effect on log expression (followed genes).
    """

    mrna: np.ndarray
    place: np.ndarray
    weight: np.ndarray
    shifts: list[tuple[np.ndarray, np.ndarray]]
    hidden: np.ndarray
    loading: np.ndarray

    def of(self, rows: slice) -> np.ndarray:
        """Cells × genes."""
        shift = self.hidden[rows, None] * self.loading - self.loading**2 / 2
        for codes, shifts in self.shifts:
            shift += shifts[codes[rows]]
        followed = self.mrna[:, rows].T * np.exp(shift)
        rate = np.zeros((len(followed), len(self.weight)))
        rate[:, : len(self.place)] = followed[:, self.place]
        return rate * self.weight


def _rate(
    rng: np.random.Generator,
    mrna: np.ndarray,
    layout: _Layout,
    levels: dict[str, np.ndarray],
    shares: dict[str, float],
    hidden_share: float,
    share: np.ndarray,
    depth: float,
) -> _Rate:
    """Depth, shares of genes in it, and what shifts expression from outside the network."""
    mean = mrna.mean(axis=1, dtype=float)
    variance = mrna.var(axis=1, dtype=float)
    # A gene that burst in no cell has no spread.
    own = np.log1p(np.divide(variance, mean**2, out=np.zeros_like(mean), where=mean > 0))
    total = own / (1 - hidden_share - sum(shares.values()))
    shifts = []
    for name, part in shares.items():
        between = part * total
        drawn = rng.standard_normal((int(levels[name].max()) + 1, layout.followed))
        shifts.append((levels[name], np.sqrt(between) * drawn - between / 2))
    return _Rate(
        mrna=mrna,
        place=layout.place,
        weight=depth * share / (share[: len(layout.place)] @ mean[layout.place]),
        shifts=shifts,
        hidden=rng.standard_normal(mrna.shape[1]),
        loading=np.sqrt(hidden_share * total) * rng.choice([-1.0, 1.0], layout.followed),
    )


def _var(
    genes: list[str],
    layout: _Layout,
    rates: Rates,
    stimulus: np.ndarray | None,
    reliability: np.ndarray,
) -> pd.DataFrame:
    """What is true of each gene; half-lives are NaN where no trajectory was followed."""
    regulators = layout.place[: layout.n_regulators]
    mrna, protein = np.full((2, layout.n_genes), np.nan)
    mrna[: len(layout.place)] = math.log(2) / rates.mrna_decay[layout.place]
    protein[: layout.n_regulators] = math.log(2) / rates.protein_decay[regulators]
    columns = {
        "is_regulator": np.arange(layout.n_genes) < layout.n_regulators,
        "true_reliability": reliability,
        "mrna_half_life": mrna,
        "protein_half_life": protein,
    }
    if stimulus is not None:
        columns["is_stimulated"] = np.zeros(layout.n_genes, dtype=bool)
        columns["is_stimulated"][: layout.n_regulators] = (stimulus != 1)[regulators]
    return pd.DataFrame(columns, index=genes)


def _edges(wiring: Wiring, layout: _Layout, genes: list[str]) -> pd.DataFrame:
    """The true network; a twin has the regulators of the gene whose transcript it shares."""
    names = np.array(genes, dtype=object)
    real = wiring.strength > 0
    # Trajectories to genes: twins stand between regulators and targets.
    shifted = wiring.target + layout.duplicates * (wiring.target >= layout.own)
    twinned = real & (wiring.target < layout.duplicates)
    source = np.concatenate([wiring.source[real], wiring.source[twinned]])
    target = np.concatenate([shifted[real], layout.own + wiring.target[twinned]])
    sign = np.concatenate([wiring.sign[real], wiring.sign[twinned]])
    order = np.argsort(target, kind="stable")
    return observe.network_table(names[source[order]], names[target[order]], sign[order])
