"""A regulator's own mRNA against what follows when the regulator itself is perturbed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.moments import sampled_counts
from infocheck.proxies.table import COLUMNS, ESTIMATE
from infocheck.stats.reliability import thinned_halves
from infocheck.stats.response_coupling import response_coupling, response_scores

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

KEY = "perturbation"
# Divisions of the counts of the perturbed genes into halves.
DIVISIONS = 20
# Sampled cells of either arm below which a perturbation says nothing: a convention.
MIN_CELLS = 20
_ESTIMATES = ("coupling", "within", "own_shift", "response_shift")
_TABLE = [
    "regulator",
    "is_regulator",
    "perturbed",
    "controls",
    *(f"{name}{end}" for name in _ESTIMATES for end in ("", "_low", "_high")),
    "mrna_reliability",
    "response_reliability",
    "reason",
]


def evidence(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`responses` that hold an estimate, in the common format.

    The range reaches from the coupling inside the arms, which is that of cells at rest, to the
    one over perturbed and control cells, which a knock-out of both raises; the estimate is the
    one inside the arms. Where that cannot be read the range holds 0.
    """
    found = table[table["coupling"].notna() & table["is_regulator"].astype(bool)]
    inside = found["within"].notna()
    low = np.fmin(found["coupling_low"], found["within_low"].where(inside, 0.0))
    high = np.fmax(found["coupling_high"], found["within_high"].where(inside, 0.0))
    return found.assign(
        evidence=KEY,
        kind=ESTIMATE,
        coupling=found["within"].where(inside, found["coupling"]),
        coupling_low=low,
        coupling_high=high,
        observations=found["perturbed"] + found["controls"],
    )[list(COLUMNS)].reset_index(drop=True)


def responses(data: Dataset, rng: np.random.Generator) -> pd.DataFrame:
    """Every gene that a perturbation is aimed at alone, with enough sampled cells.

    The response of a cell is its sum of genes, without the perturbed one, weighted by the
    differences between perturbed and control cells of other folds. All guides and labels
    aimed at one gene count as one perturbation. The coupling refers to a mixture of
    perturbed and control cells in equal parts: it answers whether own mRNA says how far the
    perturbation went, and is larger than it would be among unperturbed cells wherever the
    perturbation moves mRNA and response alike. ``within`` is the coupling inside the arms:
    among controls, and among perturbed cells that escaped or were hit to a different degree.

    Parameters
    ----------
    data
        With moments and, in ``evidence``, guides.
    rng
        Deals counts and genes to halves.

    Returns
    -------
    pandas.DataFrame
        ``regulator``; ``is_regulator``, is it a candidate; ``perturbed`` and ``controls``,
        sampled cells; ``coupling``, ``within``, ``own_shift`` (own mRNA, perturbed minus
        control, standard deviations) and ``response_shift``, each with ``_low`` and ``_high``
        (jackknife over groups of rows); ``mrna_reliability`` (NaN where values are no counts:
        noise is then in the coupling) and ``response_reliability``; ``reason``, why there is
        no coupling.

    Notes
    -----
    The sign: activity is taken to fall unless own mRNA is raised. See
    :func:`infocheck.stats.response_coupling.response_coupling`.
    """
    arms = _arms(data)
    if arms is None:
        return pd.DataFrame(columns=_TABLE)
    arm, genes = arms
    sample = data.moments.sample
    used = np.flatnonzero(arm >= 0)
    arm, rows = arm[used], sample.rows[used]
    values, depth = sample.values[used], None
    if data.depth is not None:
        depth = data.depth[rows] - data.depth[rows].mean()
    halved = sampled_counts(data, used, genes)
    if halved is None:
        divided = [(values[:, genes],) * 2]
    else:
        divided = [thinned_halves(*halved, rng) for _ in range(DIVISIONS)]
    correct = _Depth(arm, depth)
    values = correct.scaled(correct(values))
    first, second = (np.stack([correct(pair[side]) for pair in divided]) for side in (0, 1))
    found = [
        _one(data, values, (first, second), number, gene, arm, rows, rng)
        for number, gene in enumerate(genes)
    ]
    table = pd.DataFrame(found, columns=_TABLE)
    if halved is None:
        table["mrna_reliability"] = np.nan
    return table


def _arms(data: Dataset) -> tuple[np.ndarray, np.ndarray] | None:
    """Arm of each sampled row (0 control, 1 + number of the gene, -1 neither), and the genes.

    None without perturbations of measured genes that have enough cells.
    """
    role, guides = data.roles.get("perturbation"), data.evidence.guides
    if role is None or guides is None or role.control is None:
        return None
    single = {
        code: guides.targets[level][0]
        for code, level in enumerate(role.levels)
        if len(guides.targets[level]) == 1 and len(guides.parts[level]) == 1
    }
    measured = [np.flatnonzero(data.panel.genes == gene) for gene in dict.fromkeys(single.values())]
    position = {int(data.panel.genes[at[0]]): int(at[0]) for at in measured if len(at)}
    codes = role.codes[data.moments.sample.rows]
    panel = np.full(role.n_levels + 1, -1)
    for code, gene in single.items():
        panel[code] = position.get(gene, -1)
    gene_of = panel[codes]
    control = codes == role.levels.index(role.control)
    genes, count = np.unique(gene_of[gene_of >= 0], return_counts=True)
    genes = genes[count >= MIN_CELLS]
    if control.sum() < MIN_CELLS or not len(genes):
        return None
    number = np.full(len(data.panel.genes) + 1, -1)
    number[genes] = 1 + np.arange(len(genes))
    arm = number[gene_of]
    arm[control] = 0
    return arm, genes


class _Depth:
    """Takes the size factor out of columns.

    Slopes are those inside arms, so that no difference between arms is taken for depth.
    """

    def __init__(self, arm: np.ndarray, depth: np.ndarray | None) -> None:
        levels, self.code = np.unique(arm, return_inverse=True)
        members = (self.code == np.arange(len(levels))[:, None]).astype(float)
        self.members = members / members.sum(axis=1, keepdims=True)
        self.depth = depth

    def inside(self, x: np.ndarray) -> np.ndarray:
        return x - (self.members @ x)[self.code]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        if self.depth is None:
            return x
        own = self.inside(self.depth[:, None])[:, 0]
        return x - np.outer(self.depth, own @ self.inside(x) / max(own @ own, 1e-12))

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """By the spread inside arms; columns without any become 0."""
        spread = self.inside(x).std(axis=0)
        return x * np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)


def _one(
    data: Dataset,
    values: np.ndarray,
    halves: tuple[np.ndarray, np.ndarray],
    number: int,
    gene: int,
    arm: np.ndarray,
    rows: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, object]:
    chosen = np.flatnonzero((arm == 0) | (arm == 1 + number))
    treated = arm[chosen] > 0
    row = dict.fromkeys(_TABLE, np.nan)
    row |= {
        "regulator": data.names(np.array([gene]))[0],
        "is_regulator": bool(data.regulator[data.panel.genes[gene]]),
        "perturbed": int(treated.sum()),
        "controls": int((~treated).sum()),
    }
    group = data.splits.group[rows[chosen]]
    mrna = tuple(half[:, chosen, number] for half in halves)
    others = np.delete(values[chosen], gene, axis=1)
    if not mrna[0][0].std() > 1e-9:
        return row | {"reason": "its mRNA does not vary"}
    try:
        scores = response_scores(others, treated, data.splits.fold[rows[chosen]], rng)
    except ValueError:
        return row | {"reason": "perturbed cells are of one donor or block"}
    found = response_coupling(mrna, scores, treated, group)
    shown = [name for name in _ESTIMATES if found.responds or name.endswith("shift")]
    row |= {
        f"{n}{end}": getattr(found, f"{n}{end}") for n in shown for end in ("", "_low", "_high")
    }
    reason = ""
    if not found.responds:
        reason = "no other gene responds"
    elif not np.isfinite(found.coupling):
        reason = "own mRNA or response cannot be told from noise"
    return row | {
        "mrna_reliability": found.mrna_reliability,
        "response_reliability": found.response_reliability,
        "reason": reason,
    }
