"""Do correlations have the signs of a list of edges? Random lists with the same degrees."""

from __future__ import annotations

import numpy as np

from infocheck.stats.regulons import repeated

# Rounds in which draws that cannot be used are drawn again.
_ROUNDS = 30


def sign_statistics(
    positive: np.ndarray, sign: np.ndarray, weight: np.ndarray | None = None
) -> np.ndarray:
    """Shares of positive correlations among activations and repressions, and what follows.

    Parameters
    ----------
    positive
        Is the correlation of an edge positive? Shape (..., E).
    sign
        Annotated mode, 1 or -1, shape (E,).
    weight
        How often an edge counts, shape (..., E); once by default.

    Returns
    -------
    numpy.ndarray
        Share of positive correlations among activations, among repressions, their
        difference, and share of edges whose sign is the annotated one, shape (..., 4). NaN
        where there is no edge of that mode.
    """
    weight = np.ones_like(positive, dtype=float) if weight is None else weight
    up, down = weight * (sign > 0), weight * (sign < 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        n_up, n_down = up.sum(axis=-1), down.sum(axis=-1)
        hit_up, hit_down = (positive * up).sum(axis=-1), (positive * down).sum(axis=-1)
        shares = hit_up / n_up, hit_down / n_down
        match = (hit_up + n_down - hit_down) / (n_up + n_down)
    return np.stack([*shares, shares[0] - shares[1], match], axis=-1)


def rewired(
    regulator: np.ndarray,
    target: np.ndarray,
    sign: np.ndarray,
    own: np.ndarray,
    draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Targets of random networks in which every gene keeps its edges of either mode.

    Targets are permuted among the edges of one mode; pairs of a gene with itself and pairs
    that are there already are permuted again, together with some others.

    Parameters
    ----------
    regulator, target, sign
        Of every edge, shape (E,).
    own
        Column of each regulator, shape (k,).
    draws
        Random networks.

    Returns
    -------
    numpy.ndarray
        Columns of the targets, -1 where no permitted one was found, shape (draws, E).

    Notes
    -----
    The configuration model with its few forbidden pairs exchanged (Maslov & Sneppen 2002 for
    the null); not exactly uniform where the network is dense.
    """
    g = int(max(target.max(), own.max())) + 1
    mode = (sign > 0).astype(np.int64)
    drawn = np.tile(target, (draws, 1))

    def wrong(some: np.ndarray) -> np.ndarray:
        return (drawn[some] == own[regulator]) | repeated(drawn[some], regulator, g)

    unsettled = np.arange(draws)
    moving = np.ones(drawn.shape, dtype=bool)
    for _ in range(_ROUNDS):
        # Targets of the moving edges of one mode are permuted, in every network.
        draw, edge = np.nonzero(moving)
        order = np.lexsort((mode[edge], draw))
        mixed = np.lexsort((rng.random(len(edge)), mode[edge], draw))
        drawn[unsettled[draw[order]], edge[order]] = drawn[unsettled[draw[mixed]], edge[mixed]]
        bad = wrong(unsettled)
        still = bad.any(axis=1)
        unsettled, bad = unsettled[still], bad[still]
        if not len(unsettled):
            return drawn
        # The bad ones move again, among about twice as many others.
        moving = bad | (rng.random(bad.shape) < 2 * bad.mean(axis=1, keepdims=True))
    drawn[unsettled] = np.where(bad, -1, drawn[unsettled])
    return drawn


def signs_without_each(positive: np.ndarray, sign: np.ndarray, regulator: np.ndarray) -> np.ndarray:
    """:func:`sign_statistics` of all edges, then without those of each regulator.

    Returns
    -------
    numpy.ndarray
        Shape (1 + regulators, 4).
    """
    code = np.unique(regulator, return_inverse=True)[1]
    parts = [
        np.bincount(code, weight)
        for weight in (
            sign > 0,
            sign < 0,
            (sign > 0) & positive,
            (sign < 0) & positive,
        )
    ]
    n_up, n_down, hit_up, hit_down = (np.append(s.sum(), s.sum() - s) for s in parts)
    with np.errstate(invalid="ignore", divide="ignore"):
        up, down = hit_up / n_up, hit_down / n_down
        match = (hit_up + n_down - hit_down) / (n_up + n_down)
    return np.stack([up, down, up - down, match], axis=-1)
