"""Do columns and their knockoffs look alike when some of them trade places?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors

from infocheck.stats.standard import standardised


@dataclass(frozen=True)
class Exchangeability:
    """How well rows can be told from rows with swapped columns.

    Attributes
    ----------
    statistic
        Share of nearest neighbours that lie on the row's own side, in [0, 1].
    expected
        Its mean under exchangeability: one half.
    p_value
        Of the one-sided test, in [1 / (flips + 1), 1].
    """

    statistic: float
    expected: float
    p_value: float


def exchangeability(
    x: np.ndarray,
    knockoffs: np.ndarray,
    rng: np.random.Generator,
    *,
    neighbours: int = 20,
    flips: int = 200,
) -> Exchangeability:
    """Test that knockoffs can trade places with their columns, by nearest neighbours.

    A random half of the columns is swapped in a copy of ``[x, knockoffs]``; original and
    copy are the two sides. If the columns are exchangeable with their knockoffs, each pair
    of an original row and its copy is as likely the other way round. So the sides of every
    pair are flipped by chance, the neighbours remain, and p is the share of flips with a
    statistic at least as large.

    Parameters
    ----------
    x, knockoffs
        Rows and their knockoffs, shape (n, p) each, at least two rows; finite.
    rng
        Chooses the columns to swap and the flips.
    neighbours
        Of each row, itself and its own copy left out; at most 2n - 2 are used.
    flips
        Number of flips, at least 1.

    Returns
    -------
    Exchangeability
        The p-value is valid for any number of rows, any distribution of the columns and
        any number of neighbours, given independent rows.

    Raises
    ------
    ValueError
        When shapes differ, or for fewer than two rows.

    Notes
    -----
    Its power is low for mild misfit (a wrong shape of the tails, a few wrong correlations
    among many columns), and falls with the number of columns. A small p-value
    shows that the knockoffs are wrong; a large one does not show that they are right, and
    says nothing about causes that were not measured. Exploratory: whether a selector keeps
    its rate is shown by simulated targets. With all columns swapped it would see nothing of
    knockoffs that ignore the rows, since ``[x, x̃]`` and ``[x̃, x]`` then have one
    distribution. Source: Romano, Sesia and Candès (2020), tests of knockoffs by neighbours;
    the flips are a permutation test within pairs.
    """
    swapped = np.zeros(x.shape[1], dtype=bool)
    swapped[rng.permutation(x.shape[1])[: (x.shape[1] + 1) // 2]] = True
    return swap_test(x, knockoffs, swapped, rng, neighbours=neighbours, flips=flips)


def swap_test(
    x: np.ndarray,
    knockoffs: np.ndarray,
    swapped: np.ndarray,
    rng: np.random.Generator,
    *,
    neighbours: int,
    flips: int,
) -> Exchangeability:
    """The same for a given choice of columns, a boolean array of shape (p,)."""
    if x.shape != knockoffs.shape or len(x) < 2:
        raise ValueError("x and knockoffs must have the same shape and at least two rows")
    trade = np.where(swapped, knockoffs, x), np.where(swapped, x, knockoffs)
    # Scaled over both sides: which row of a pair is the original leaves no trace.
    rows = standardised(np.vstack([np.hstack([x, knockoffs]), np.hstack(trade)]))
    n = len(x)
    nearest = _nearest(rows, min(neighbours, 2 * n - 2))
    form = _pairs(nearest)
    sides = np.ones((n, flips + 1))
    sides[:, 1:] = rng.choice([-1.0, 1.0], (n, flips))
    agreement = np.einsum("ij,ij->j", sides, form @ sides) / nearest.nnz
    # Sums of whole numbers over one number: ties are exact.
    p_value = (1 + (agreement[1:] >= agreement[0]).sum()) / (flips + 1)
    return Exchangeability(float((1 + agreement[0]) / 2), 0.5, float(p_value))


def _nearest(rows: np.ndarray, neighbours: int) -> sp.csr_array:
    """Neighbours of each row but itself and its copy n rows further, 0/1, shape (2n, 2n)."""
    count = len(rows)
    search = NearestNeighbors(n_neighbors=neighbours + 2, algorithm="brute").fit(rows)
    found = search.kneighbors(rows, return_distance=False)
    own = np.arange(count)[:, None]
    allowed = found % (count // 2) != own % (count // 2)
    # Where many rows coincide, a row need not be among its own nearest.
    allowed &= np.cumsum(allowed, axis=1) <= neighbours
    rank = np.flatnonzero(allowed)
    entries = (np.ones(len(rank)), (rank // found.shape[1], found.ravel()[rank]))
    return sp.csr_array(entries, shape=(count, count))


def _pairs(nearest: sp.csr_array) -> sp.csr_array:
    """Neighbours on the same side less those on the other, pairs × pairs.

    With a sign s for the side of each pair's first row, ``s' A s`` counts neighbours on
    the own side less those on the other one.
    """
    n = nearest.shape[0] // 2
    first, second = slice(0, n), slice(n, 2 * n)
    alike = nearest[first, first] + nearest[second, second]
    return sp.csr_array(alike - nearest[first, second] - nearest[second, first])
