"""Unspliced targets against a regulator's mRNA: what the older transcripts hide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.stats import disattenuation
from infocheck.stats.reliability import thinned_halves
from infocheck.stats.resampling import jackknife_error, some
from infocheck.stats.squared_correlations import squared_correlations

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Genes that are read of both layers at most.
REGULATORS, TARGETS = 300, 500
# Regulators, targets and groups of rows below which nothing is compared: conventions.
MIN_REGULATORS, MIN_TARGETS, MIN_GROUPS = 3, 10, 4
_TABLE = ["statistic", "estimate", "low", "high", "regulators", "targets", "observations"]
_STATISTICS = ("unspliced targets", "spliced targets", "gain", "ratio")


def gain(data: Dataset, rng: np.random.Generator) -> pd.DataFrame:
    """How much better regulators go with unspliced than with spliced transcripts of targets.

    The mean over pairs of regulator and target of the squared correlation, from spliced
    transcripts of the regulator and either layer of the target, corrected for the counting
    noise of both, which is larger for unspliced ones. Each pair counts in proportion to the
    reliabilities of both sides. The totals of both layers are regressed out.

    Parameters
    ----------
    data
        With moments and, in ``evidence``, two layers of counts.
    rng
        Chooses at most 300 regulators and 500 targets, and deals counts to halves.

    Returns
    -------
    pandas.DataFrame
        ``statistic``: ``unspliced targets`` and ``spliced targets`` (mean squared
        correlations), ``gain`` (their difference) and ``ratio`` (NaN where the spliced one
        is not told from 0); ``estimate`` with ``low`` and ``high`` (jackknife over groups of
        rows and over targets, added as variances); ``regulators``, ``targets``,
        ``observations``. Empty without the layers, or where too little can be read.

    Notes
    -----
    No evidence of the coupling of mRNA and activity: the correlation of a regulator's mRNA
    with the unspliced transcripts of a target is the product of that coupling and of how
    closely the target follows the activity. Unspliced transcripts are younger, which raises
    the second factor alone; the first is the same for both layers and cancels in their ratio.

    Idea: Xue et al. (2023). It speaks of which layer of the *targets* a network should be
    inferred from, and holds for changes faster than the half-life of mRNA. Ambient RNA,
    priming inside transcripts and the nuclear share of a cell put noise into unspliced counts
    that no thinning sees.
    """
    layers = data.evidence.splicing
    if layers is None:
        return pd.DataFrame(columns=_TABLE)
    sample, panel = data.moments.sample, data.panel
    targets = panel.targets if len(panel.targets) else panel.sampled
    regulators = some(panel.p, REGULATORS, rng)
    targets = targets[some(len(targets), TARGETS, rng)]
    rows = np.flatnonzero(data.kept)[sample.rows]
    total = np.stack(layers.totals(rows))
    both = layers.of(rows, panel.genes[np.concatenate([regulators, targets])])
    seen = total.sum(axis=0) > 0
    if not all(_counts(part) for part in (*both, total)) or not seen.any():
        return pd.DataFrame(columns=_TABLE)
    group = data.splits.group[sample.rows[seen]]
    size = total.sum(axis=0)[seen]
    size = size / np.median(size)
    basis = np.linalg.qr(np.column_stack([np.ones(len(size)), *np.log1p(total[:, seen])]))[0]

    def halves(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pair = thinned_halves(np.rint(counts[seen]).astype(np.int64), size, rng)
        return tuple(half - basis @ (basis.T @ half) for half in pair)

    p = len(regulators)
    spliced, unspliced = both
    mrna = halves(spliced[:, :p])
    young, old = halves(unspliced[:, p:]), halves(spliced[:, p:])
    varies = [np.all([h.std(axis=0) > 1e-9 for h in pair], axis=0) for pair in (mrna, young, old)]
    good, read = varies[0], varies[1] & varies[2]
    few = good.sum() < MIN_REGULATORS or read.sum() < MIN_TARGETS
    if few or len(np.unique(group)) < MIN_GROUPS:
        return pd.DataFrame(columns=_TABLE)
    apart = regulators[good][:, None] != targets[read]
    mrna = tuple(half[:, good] for half in mrna)
    parts = [
        squared_correlations(mrna, tuple(h[:, read] for h in pair), group, apart)
        for pair in (young, old)
    ]
    return _table(parts, int(good.sum()), len(size))


def _counts(values: np.ndarray) -> bool:
    return bool((values >= 0).all() and (values == np.rint(values)).all())


def _table(parts: list[tuple[np.ndarray, np.ndarray]], regulators: int, rows: int) -> pd.DataFrame:
    """Ratios of sums over targets, with errors from rows and from targets."""
    many, groups = parts[0][0].shape[1], len(parts[0][0]) - 1

    def statistics(sums: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            u, s = (top / bottom for top, bottom in sums)
            return np.stack([u, s, u - s, u / s], axis=-1)

    by_rows = statistics([(a.sum(axis=1), b.sum(axis=1)) for a, b in parts])
    by_target = statistics([tuple(x[0].sum() - x[0] for x in pair) for pair in parts])
    estimate = by_rows[0]
    error = np.hypot(jackknife_error(by_rows[1:]), jackknife_error(by_target))
    signal = np.stack([b.sum(axis=1) for _, b in parts], axis=-1)
    if not (signal[0] > disattenuation.READABLE * jackknife_error(signal[1:])).all():
        return pd.DataFrame(columns=_TABLE)
    if not estimate[1] > disattenuation.READABLE * error[1]:
        estimate, error = (np.append(x[:3], np.nan) for x in (estimate, error))
    half = disattenuation.half_width(error, groups)
    return pd.DataFrame(
        {
            "statistic": _STATISTICS,
            "estimate": estimate,
            "low": estimate - half,
            "high": estimate + half,
            "regulators": regulators,
            "targets": many,
            "observations": rows,
        }
    )[_TABLE]
