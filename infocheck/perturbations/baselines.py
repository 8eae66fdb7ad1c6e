"""What any model of perturbations must beat: predictions that know nothing of the one asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from infocheck.stats.profiles import correlation, direction, overlap, squared_error

# Names of the metrics.
CORRELATION = "Pearson correlation"
ERROR = "squared error, share of no change"
DIRECTION = "direction of the strongest genes"


def strongest_of(size: int) -> str:
    """Name of the metric that compares lists of so many strongest genes."""
    return f"overlap of the {size} strongest genes"


def mean_of_others(responses: np.ndarray) -> np.ndarray:
    """For each perturbation the mean response to all others, shape (k, g).

    All perturbations count alike, however many rows they have. Learn it from rows that are
    not scored: with a common control the mean holds the noise of that control, as every
    observed response does, and looks like a prediction (Ahlmann-Eltze et al. 2025 for the
    baseline).

    Parameters
    ----------
    responses
        One perturbation a row, shape (k, g); a row that is not finite is left out.
    """
    there = np.isfinite(responses).all(axis=1)
    known = np.where(there[:, None], responses, 0.0)
    others = there.sum() - there
    rest = known.sum(axis=0) - known
    return np.divide(
        rest, others[:, None], out=np.full(responses.shape, np.nan), where=others[:, None] > 0
    )


def sum_of_singles(responses: np.ndarray, parts: Sequence[tuple[str, ...]]) -> np.ndarray:
    """For each combination the sum of the responses to its parts, shape (k, g).

    NaN for a perturbation that is no combination, or of which a part was not seen alone.

    Parameters
    ----------
    responses
        One perturbation a row, shape (k, g).
    parts
        For each perturbation, the names it is made of.
    """
    alone = {names[0]: i for i, names in enumerate(parts) if len(names) == 1}
    found = np.full(responses.shape, np.nan)
    for row, names in enumerate(parts):
        if len(names) > 1 and all(name in alone for name in names):
            found[row] = responses[[alone[name] for name in names]].sum(axis=0)
    return found


def known(error: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Which genes can be put in a list of the strongest: those with a standard error, (k, g)."""
    return counted & np.isfinite(error) & (error > 0)


def scored(
    predicted: np.ndarray,
    observed: np.ndarray,
    error: np.ndarray,
    counted: np.ndarray,
    sizes: tuple[int, ...],
) -> dict[str, np.ndarray]:
    """Scores of predictions, by name of the metric, each of shape (k,); NaN without a prediction.

    Strongest are genes whose change is largest in standard errors. Were it the change itself,
    a list of the noisiest genes would score well without any knowledge.

    Parameters
    ----------
    predicted, observed
        Of rows that have none in common, each in one half a way, shape (ways, k, g). Scores
        are averaged over the ways that have both.
    error
        Standard errors of observed responses up to a factor for each of them, shape (k, g).
    counted
        Which genes count, shape (k, g).
    sizes
        Lengths of the lists of strongest genes.
    """
    listed = known(error, counted)
    scale = np.where(listed, error, 1.0)
    ways = []
    for p, o in zip(predicted, observed, strict=True):
        there = np.isfinite(p).all(axis=1) & np.isfinite(o).all(axis=1)
        p, o = p[there], o[there]
        found = _whole(p, o, counted[there])
        found |= lists(p / scale[there], o / scale[there], listed[there], sizes)
        ways.append({name: _placed(values, there) for name, values in found.items()})
    return {name: _mean([way[name] for way in ways]) for name in ways[0]}


def _whole(p: np.ndarray, o: np.ndarray, counted: np.ndarray) -> dict[str, np.ndarray]:
    nothing = squared_error(np.zeros_like(o), o, counted)
    share = np.full(len(o), np.nan)
    np.divide(squared_error(p, o, counted), nothing, where=nothing > 0, out=share)
    return {CORRELATION: correlation(p, o, counted), ERROR: share}


def lists(
    predicted: np.ndarray, observed: np.ndarray, listed: np.ndarray, sizes: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Overlap of lists of the strongest genes, and directions of the longest list.

    Parameters
    ----------
    predicted, observed
        Changes in standard errors of the observed ones, shape (k, g).
    listed
        Genes that may be in a list, shape (k, g).
    sizes
        Lengths; none gives no score.
    """
    found = {strongest_of(size): overlap(predicted, observed, listed, size) for size in sizes}
    if sizes:
        found[DIRECTION] = direction(predicted, observed, listed, max(sizes))
    return found


def no_change(counted: np.ndarray, sizes: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Scores of predicting the control: what a guess without any knowledge reaches."""
    genes = counted.sum(axis=1)
    found = {CORRELATION: np.zeros(len(genes)), ERROR: np.ones(len(genes))}
    found |= {strongest_of(size): size / genes for size in sizes}
    return found | ({DIRECTION: np.full(len(genes), 0.5)} if sizes else {})


def _placed(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    found = np.full(len(there), np.nan)
    found[there] = values
    return found


def _mean(values: list[np.ndarray]) -> np.ndarray:
    """Over the finite ones."""
    stacked = np.stack(values)
    there = np.isfinite(stacked)
    n = there.sum(axis=0)
    total = np.where(there, stacked, 0.0).sum(axis=0)
    return np.divide(total, n, where=n > 0, out=np.full(n.shape, np.nan))
