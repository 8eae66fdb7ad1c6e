"""A regulator's mRNA against the activity that the targets of a given regulon show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.moments import sampled_counts
from infocheck.proxies.table import COLUMNS, ESTIMATE
from infocheck.stats import disattenuation, edge_signs, regulons
from infocheck.stats.regulons import Edges
from infocheck.stats.reliability import thinned_halves
from infocheck.stats.resampling import jackknife_error, share_interval, some

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

KEY = "regulon"
# Targets below which an activity is not read: a convention.
MIN_TARGETS = 10
# Random regulons for each regulator, and random networks for signs.
DRAWS, NETWORKS = 99, 99
# Rows that the variance of random activities is taken over.
_ROWS = 500
# Edges of one mode below which signs are not compared.
MIN_MODE = 10
_STATISTICS = (
    "positive among activations",
    "positive among repressions",
    "difference",
    "sign as annotated",
)


def evidence(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`couplings` that hold an estimate, in the common format."""
    found = table[table["coupling"].notna()]
    low = found["coupling_low"].where(
        found["above"].astype(bool), found["coupling_low"].clip(upper=0)
    )
    return found.assign(evidence=KEY, kind=ESTIMATE, coupling_low=low)[list(COLUMNS)].reset_index(
        drop=True
    )


def couplings(data: Dataset, rng: np.random.Generator) -> pd.DataFrame:
    """Every regulator of the regulons with enough measured targets.

    The activity is the sum of its targets' standardised values with their annotated signs
    (an unknown sign counts as activation), without the regulator itself. Counts are dealt
    to two halves: mRNA from one, targets from the other. Size factors and the mean of the
    genes outside the regulon are regressed out, and the mean over random regulons of genes
    alike in mean and variance is taken off.

    Parameters
    ----------
    data
        With moments and, in ``evidence``, regulons.
    rng
        Deals counts and draws random regulons.

    Returns
    -------
    pandas.DataFrame
        ``regulator``; ``targets`` that were used; ``signed``, the share of them with a known
        sign; ``thinned``, were counts dealt to halves (else noise in the mRNA is in the
        coupling); ``coupling`` with ``coupling_low`` and ``coupling_high``, NaN where
        ``reason`` says why; ``correlation`` as it is measured; ``null``, its 95th percentile
        over random regulons, and ``p`` against them, one-sided; ``above``, is p at most .05;
        ``mrna_reliability``, ``activity_reliability``; ``observations``, rows; ``reason``.

    Notes
    -----
    Targets share more than this activity: other regulators of the same targets make the
    coupling too small, and a cell state that moves regulator and regulon but not genes at
    large makes it too large. Regulons are a prior from other cells: a low coupling can mean
    a wrong list. For the estimator see :func:`infocheck.stats.regulons.regulon_coupling`.
    """
    edges, regulators, signed = _edges(data)
    if not len(regulators):
        return pd.DataFrame(columns=_COUPLING_COLUMNS)
    first, second, usable = _halves(data, rng)
    sample = data.moments.sample
    group = data.splits.group[sample.rows]
    bins = np.full(first.shape[1], -1)
    values = sample.values[:, usable]
    bins[usable] = regulons.expression_bins(values.mean(axis=0), values.var(axis=0))
    chosen = regulons.matched_targets(edges, regulators, bins, DRAWS, rng)
    null = regulons.random_regulons(
        first, second, edges, regulators, chosen, some(len(first), _ROWS, rng)
    )
    found = regulons.regulon_coupling(first, second, edges, regulators, group, null)
    weaker = ~(found.mrna_signal >= found.activity_signal)
    reason = np.where(weaker, "its mRNA is not told from noise", "its targets do not move together")
    reason = np.where(np.isfinite(found.estimate), "", reason)
    table = pd.DataFrame(
        {
            "regulator": data.names(regulators),
            "targets": edges.count,
            "signed": signed,
            "thinned": data.is_counts,
            "coupling": found.estimate,
            "coupling_low": found.low,
            "coupling_high": found.high,
            "correlation": null.observed,
            "null": null.limit,
            "p": null.p,
            "above": null.p <= 0.05,
            "mrna_reliability": found.mrna_reliability if data.is_counts else np.nan,
            "activity_reliability": found.activity_reliability,
            "observations": len(sample.rows),
            "reason": reason,
        }
    )
    return table[_COUPLING_COLUMNS]


_COUPLING_COLUMNS = [
    "regulator",
    "targets",
    "signed",
    "thinned",
    "coupling",
    "coupling_low",
    "coupling_high",
    "correlation",
    "null",
    "p",
    "above",
    "mrna_reliability",
    "activity_reliability",
    "observations",
    "reason",
]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """What :func:`couplings` says of all regulators together.

    Returns
    -------
    pandas.DataFrame
        ``statistic`` (``share above random regulons``, ``share with an estimate``),
        ``estimate`` with ``low`` and ``high`` (Wilson, regulators taken as independent),
        ``null`` (.05 for the first: what random regulons give), ``regulators``.
    """
    n = len(table)
    rows = []
    for name, column, null in (
        ("share above random regulons", table["above"], 0.05),
        ("share with an estimate", table["coupling"].notna(), np.nan),
    ):
        share = float(column.mean()) if n else np.nan
        low, high = share_interval(share, n) if n else (np.nan, np.nan)
        rows.append((name, share, low, high, null, n))
    return pd.DataFrame(
        rows, columns=["statistic", "estimate", "low", "high", "null", "regulators"]
    )


def left_out(data: Dataset) -> pd.DataFrame:
    """Regulators of the regulons that are measured, with fewer than 10 measured targets.

    Returns
    -------
    pandas.DataFrame
        ``regulator``, ``targets`` (measured).
    """
    table = _measured(data)
    count = table.groupby("regulator", sort=True).size()
    few = count[count < MIN_TARGETS]
    names = data.names(few.index.to_numpy(dtype=np.int64)) if len(few) else []
    return pd.DataFrame({"regulator": names, "targets": few.to_numpy()})


def signs(data: Dataset, rng: np.random.Generator) -> pd.DataFrame:
    """Do correlations have the signs that the regulons give, activations against repressions?

    Correlations are those of the row sample without size factors and the mean of all genes.
    Activations and repressions can both correlate positively, so their shares are compared
    with each other, and with random networks that keep the edges of every gene and mode.

    Returns
    -------
    pandas.DataFrame
        ``statistic``: ``positive among activations``, ``positive among repressions``,
        ``difference`` and ``sign as annotated``; ``estimate`` with ``low`` and ``high``
        (jackknife over regulators); ``null`` with ``null_low`` and ``null_high`` (median and
        central 95 % of random networks); ``p`` (one-sided: as large, for repressions as
        small, by chance), ``edges``, ``regulators``. Empty with fewer than 10 edges of
        either mode.

    Notes
    -----
    Random networks break up regulons whose targets move together, so p alone can be too
    small where there are few regulators; the interval over regulators is not.
    """
    columns = [
        "statistic",
        "estimate",
        "low",
        "high",
        "null",
        "null_low",
        "null_high",
        "p",
        "edges",
        "regulators",
    ]
    table = _measured(data)
    table = table[table["sign"] != 0]
    sign = table["sign"].to_numpy(np.int64)
    if min((sign > 0).sum(), (sign < 0).sum()) < MIN_MODE:
        return pd.DataFrame(columns=columns)
    own, regulator = np.unique(table["regulator"].to_numpy(), return_inverse=True)
    target = table["target"].to_numpy(np.int64)
    # No gene meets itself, so counting noise needs no halves.
    (values,), _ = _scaled(data, (data.moments.sample.values,))
    values = regulons.without(values.T, values.mean(axis=1)[None])
    positive = values[own] @ values.T > 0
    observed = edge_signs.signs_without_each(positive[regulator, target], sign, regulator)
    drawn = edge_signs.rewired(regulator, target, sign, own, NETWORKS, rng)
    null = edge_signs.sign_statistics(
        positive[regulator, np.maximum(drawn, 0)], sign, (drawn >= 0).astype(float)
    )
    estimate, error = observed[0], jackknife_error(observed[1:])
    half = np.nan_to_num(disattenuation.half_width(error, len(own)), nan=2.0)
    bounds = np.array([[0.0, 1.0], [0.0, 1.0], [-1.0, 1.0], [0.0, 1.0]])
    direction = np.array([1, -1, 1, 1])
    extreme = (direction * null >= direction * estimate - 1e-12).sum(axis=0)
    return pd.DataFrame(
        {
            "statistic": _STATISTICS,
            "estimate": estimate,
            "low": np.maximum(estimate - half, bounds[:, 0]),
            "high": np.minimum(estimate + half, bounds[:, 1]),
            "null": np.median(null, axis=0),
            "null_low": np.quantile(null, 0.025, axis=0),
            "null_high": np.quantile(null, 0.975, axis=0),
            "p": (1 + extreme) / (NETWORKS + 1),
            "edges": [(sign > 0).sum(), (sign < 0).sum(), len(sign), len(sign)],
            "regulators": len(own),
        }
    )[columns]


def _measured(data: Dataset) -> pd.DataFrame:
    """Edges between measured genes, as panel positions, sorted."""
    network = data.evidence.regulons
    if network is None:
        return pd.DataFrame({"regulator": [], "target": [], "sign": []}, dtype=np.int64)
    place = {name: at for at, name in enumerate(data.genes[data.panel.genes])}
    table = network.table[network.table["edge"]]
    table = pd.DataFrame(
        {
            "regulator": table["regulator"].map(place),
            "target": table["target"].map(place),
            "sign": table["sign"],
        }
    ).dropna()
    table = table.astype(np.int64)
    expressed = np.zeros(len(data.panel.genes), dtype=bool)
    expressed[data.panel.expressed] = True
    kept = expressed[table["regulator"]] & (table["regulator"] != table["target"])
    return table[kept].sort_values(["regulator", "target"]).reset_index(drop=True)


def _edges(data: Dataset) -> tuple[Edges, np.ndarray, np.ndarray]:
    """Edges of regulators with enough targets, panel positions of these, share with signs."""
    table = _measured(data)
    enough = table.groupby("regulator")["target"].transform("size") >= MIN_TARGETS
    table = table[enough.to_numpy(bool)]
    own, regulator = np.unique(table["regulator"].to_numpy(np.int64), return_inverse=True)
    sign = table["sign"].to_numpy(np.int64)
    signed = np.bincount(regulator, sign != 0, len(own)) / np.maximum(
        np.bincount(regulator, minlength=len(own)), 1
    )
    edges = Edges(regulator, table["target"].to_numpy(np.int64), np.where(sign < 0, -1, 1))
    return edges, own, signed


def _halves(data: Dataset, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two halves of the sample, centred, scaled by the whole, without size factors.

    Also which genes vary. Values that are no counts come back twice as they are.
    """
    counts = sampled_counts(data)
    if counts is None:
        (values,), usable = _scaled(data, (data.moments.sample.values,))
        return values, values, usable
    (first, second), usable = _scaled(data, thinned_halves(*counts, rng))
    return first, second, usable


def _scaled(
    data: Dataset, parts: tuple[np.ndarray, ...]
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Centred, without size factors, divided by the spread of their mean; which genes vary."""
    rows = data.moments.sample.rows
    covariates = np.ones((len(rows), 1))
    if data.depth is not None:
        covariates = np.column_stack([covariates, data.depth[rows]])
    basis = np.linalg.qr(covariates)[0]
    parts = tuple(part - basis @ (basis.T @ part) for part in parts)
    spread = (sum(parts) / len(parts)).std(axis=0)
    usable = spread > 1e-9
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=usable)
    return tuple((part * scale).astype(np.float32) for part in parts), usable
