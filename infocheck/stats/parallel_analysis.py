"""How many directions does a matrix have beyond those of independent columns?"""

from __future__ import annotations

import math

import numpy as np
from sklearn.utils.extmath import randomized_svd

# A component must exceed the largest of pure noise by this factor (convention): just above
# the edge a direction is mostly noise.
MARGIN = 1.05


def edge(n: float, p: float, variance: float = 1.0) -> float:
    """Largest eigenvalue of a covariance matrix of independent noise, in the limit.

    ``σ²(1 + √(p/n))²`` for n rows and p columns of variance σ² (Marčenko & Pastur 1967).

    Notes
    -----
    Misleads where rows differ in their noise, as cells of different depth do: the true edge
    is higher. :func:`flipped` keeps such differences.
    """
    return variance * (1 + math.sqrt(p / n)) ** 2


def observed(spike: float, gamma: float) -> tuple[float, float]:
    """Sample eigenvalue of a true one, and the squared overlap of its direction with the truth.

    Parameters
    ----------
    spike
        True eigenvalue ℓ, in units of the noise variance.
    gamma
        Columns over rows, p/n.

    Returns
    -------
    eigenvalue, overlap
        ``ℓ(1 + γ/(ℓ-1))`` and ``(1 - γ/(ℓ-1)²) / (1 + γ/(ℓ-1))``; the edge and 0 for spikes
        up to ``1 + √γ``, which cannot be seen (Paul 2007).
    """
    if spike <= 1 + math.sqrt(gamma):
        return edge(1.0, gamma), 0.0
    away = spike - 1
    return spike * (1 + gamma / away), (1 - gamma / away**2) / (1 + gamma / away)


def overlap(eigenvalue: np.ndarray, gamma: float) -> np.ndarray:
    """Squared overlap of sample directions with the true ones, from their eigenvalues.

    :func:`observed` solved for the true eigenvalue; 0 up to the edge.
    """
    value = np.asarray(eigenvalue, dtype=float)
    seen = value > edge(1.0, gamma)
    middle = value + 1 - gamma
    root = np.sqrt(np.maximum(middle**2 - 4 * value, 0.0))
    away = np.where(seen, (middle + root) / 2 - 1, 1.0)
    return np.where(seen, (1 - gamma / away**2) / (1 + gamma / away), 0.0)


def flipped(
    standard: np.ndarray, draws: int, rng: np.random.Generator, count: int = 20
) -> np.ndarray:
    """Largest eigenvalue after every value got a random sign, shape (draws,).

    Signs at random destroy all correlation and keep the size of every value: genes and
    cells stay as noisy as they are. (Permuting each gene over all cells would give every
    cell the mean noise and find directions in counts where cells only differ in depth.)

    Parameters
    ----------
    standard
        Standardised columns, shape (n, g).
    draws
        How many times.
    rng
        Draws signs.
    count
        Components of the randomised decomposition, of which the first is kept.

    Notes
    -----
    Parallel analysis (Horn 1965) with sign flips (Hong, Sheng & Dobriban 2020). Strong
    directions stay in the null as noise, so weak ones beside them are missed; see
    :func:`beyond_chance`.
    """
    single = np.asarray(standard, dtype=np.float32)
    count = min(count, *single.shape)
    largest = np.empty(draws)
    for i in range(draws):
        signs = rng.integers(0, 2, single.shape, dtype=np.int8)
        signs = (2 * signs - 1).astype(np.float32)
        seed = int(rng.integers(2**31))
        _, values, _ = randomized_svd(single * signs, count, n_iter=4, random_state=seed)
        largest[i] = float(values[0]) ** 2 / len(single)
    return largest


def crowding(n: int, p: int, removed: int) -> float:
    """Edge of noise in the dimensions that are left over the edge when spread over all.

    Of n rows, centred, and p columns from which components were removed: what is left has
    ``(n-1-k)/n · (p-k)/p`` of the noise, in as many dimensions; infinite where none is left.
    """
    rows, columns = n - 1 - removed, p - removed
    if min(rows, columns) < 1:
        return math.inf
    edges = (math.sqrt(rows) + math.sqrt(columns)) / (math.sqrt(n) + math.sqrt(p))
    return edges**2 / (rows / n * columns / p)


def beyond_chance(
    standard: np.ndarray,
    scores: np.ndarray,
    eigenvalues: np.ndarray,
    draws: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, int]:
    """What each leading component must exceed, and how many do.

    Components above the largest eigenvalue of ``draws`` matrices of random signs, times 1.05,
    are taken out, and what is left is flipped again, until none of the rest exceeds it:
    signals would else count as noise and hide weaker ones (deflation, Dobriban & Owen 2019).
    What was taken out left fewer dimensions to the noise, whereas signs spread it over all of
    them; :func:`crowding` puts that right.

    Parameters
    ----------
    standard
        Standardised columns, shape (n, g).
    scores, eigenvalues
        Leading components, orthonormal, (n, k), and their eigenvalues (k,), largest first.
    draws
        Matrices of random signs for each round.
    rng
        Draws signs.

    Returns
    -------
    threshold, number
        Shape (k,): of the round in which the component was judged.
    """
    number, most = 0, len(eigenvalues)
    threshold = np.full(most, np.nan)
    while number < most:
        taken = scores[:, :number]
        left = standard - taken @ (taken.T @ standard)
        crowded = MARGIN * crowding(*standard.shape, number)
        chance = crowded * float(flipped(left, draws, rng).max())
        threshold[number:] = chance
        above = int((eigenvalues[number:] > chance).sum())
        if not above:
            break
        number += above
    return threshold, number
