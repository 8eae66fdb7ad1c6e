"""How much more does each regulator say about each target than its knockoff?

A statistic W compares regulator and knockoff so that exchanging the two changes the sign of W and
nothing else: that is all the knockoff filter needs. All of them come from products of columns, for
all targets at once; rows are never needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh

from infocheck.stats.lasso import coefficients, entry_scores

# Shares of variance that the predictors may explain, among which the penalty is chosen.
SHARES = np.array([0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97])
# The ridge penalty where neither it nor the rows are known.
PENALTY = 0.5
# The lasso penalty for coefficients is this share of sqrt(2 log(2p) / n), the one that keeps
# out all predictors of a target that depends on none: prediction does best at about half of it.
UNIVERSAL = 0.5
# At most so many of [X, X̃] carry coefficients in the lasso of a target: bounds time.
MOST = 100
# Variance that counts as none once confounders are taken out of a column.
_LEAST = 1e-8
# Differences up to this are rounding: a regulator and its knockoff say the same.
_ROUNDING = 1e-13


@dataclass(frozen=True)
class Products:
    """Correlations of p regulators, their p knockoffs and m targets.

    Attributes
    ----------
    gram
        Of ``[X, X̃]`` with itself, shape (2p, 2p).
    cross
        Of ``[X, X̃]`` with the targets, shape (2p, m).
    own
        For each target its position among the regulators, or -1; None if no target is a
        regulator. A regulator and its knockoff are no predictors of themselves: W is NaN.
    rows
        Independent observations behind the correlations; only penalties ask for them.
    """

    gram: np.ndarray
    cross: np.ndarray
    own: np.ndarray | None = None
    rows: float | None = None

    @classmethod
    def given(
        cls,
        gram: np.ndarray,
        cross: np.ndarray,
        confounders: int = 0,
        *,
        variance: np.ndarray | float = 1.0,
        own: np.ndarray | None = None,
        rows: float | None = None,
    ) -> Products:
        """Correlations from covariances, given confounders C.

        Parameters
        ----------
        gram
            Covariances of ``[X, X̃, C]``, shape (2p + c, 2p + c): C comes last.
        cross
            Covariances of ``[X, X̃, C]`` with the targets, shape (2p + c, m).
        confounders
            How many c there are; 0 only scales.
        variance
            Of the targets, shape (m,), divisor as in ``cross``.
        own, rows
            As the attributes. ``rows`` is lowered by c.

        Notes
        -----
        C is partialled out of regulators, knockoffs and targets. That alone does not make
        the filter valid: the knockoffs themselves must be knockoffs given C. Knockoffs of
        the residuals of X on C, added to what C predicts of X, are: it is the joint
        construction for ``[X, C]`` in which every confounder is its own knockoff
        (``s = 0`` for C). Both are needed. A column that is nothing but confounders, or
        constant, correlates with nothing and gets ``W = 0``.

        Misleads when C is measured with error or is a proxy of the true confounder: what
        it leaves behind is taken for regulation.
        """
        predictors = len(gram) - confounders
        inner, outer = gram[:predictors, :predictors], cross[:predictors]
        spread = np.broadcast_to(np.asarray(variance, dtype=float), cross.shape[1:])
        before, spread_before = np.diag(inner), spread
        if confounders:
            # Confounders are scaled, so that none is lost beside one of larger units.
            unit = _inverse_root(np.diag(gram)[predictors:], 0.0)
            link = unit[:, None] * np.hstack([gram[predictors:, :predictors], cross[predictors:]])
            between = unit[:, None] * gram[predictors:, predictors:] * unit
            slope = np.linalg.lstsq(between, link, rcond=_LEAST)[0]
            taken = link[:, :predictors].T @ slope
            inner, outer = inner - taken[:, :predictors], outer - taken[:, predictors:]
            spread = spread - np.einsum("ij,ij->j", link[:, predictors:], slope[:, predictors:])
            rows = None if rows is None else rows - confounders
        scale = _inverse_root(np.diag(inner), before)
        inner = inner * scale * scale[:, None]
        inner[np.diag_indices(predictors)] = 1.0
        return cls(inner, scale[:, None] * outer * _inverse_root(spread, spread_before), own, rows)

    @property
    def barred(self) -> np.ndarray | None:
        """Columns of ``[X, X̃]`` that are no predictors of each target, shape (m, 2), or None."""
        if self.own is None or (np.asarray(self.own) < 0).all():
            return None
        own = np.asarray(self.own)
        return np.column_stack([own, np.where(own >= 0, own + len(self.gram) // 2, -1)])

    def difference(self, size: np.ndarray) -> np.ndarray:
        """Regulator minus knockoff of scores (2p, m), with NaN for a target itself."""
        p = len(size) // 2
        w = size[:p] - size[p:]
        w[np.abs(w) <= _ROUNDING] = 0.0
        return self.open(w)

    def open(self, w: np.ndarray) -> np.ndarray:
        """W with NaN for a target itself."""
        if self.barred is not None:
            inside = np.flatnonzero(self.barred[:, 0] >= 0)
            w[self.barred[inside, 0], inside] = np.nan
        return w


def _inverse_root(variance: np.ndarray, before: np.ndarray | float) -> np.ndarray:
    """One over the standard deviation; 0 where next to nothing is left of the variance."""
    kept = variance > _LEAST * before
    return np.divide(
        1.0, np.sqrt(np.where(kept, variance, 1.0)), where=kept, out=np.zeros(len(kept))
    )


def marginal(products: Products) -> np.ndarray:
    """Difference of absolute correlations, ``|r| - |r̃|``, shape (p, m), in [-1, 1].

    Misleads with correlated regulators in one way only: its power goes to neighbours of
    the true regulator, which valid knockoffs resemble as well.
    """
    return products.difference(np.abs(products.cross))


def ridge(products: Products, penalty: float | None = None) -> np.ndarray:
    """Difference of absolute coefficients of one ridge regression on ``[X, X̃]``, shape (p, m).

    Parameters
    ----------
    penalty
        Added to the diagonal of the correlations, one for all targets. By default that of
        the most probable share h of variance that all predictors together explain
        (:func:`ridge_penalty`); without ``rows`` it is ``PENALTY``.

    Notes
    -----
    One factorisation serves all targets; where Gram matrices differ between targets, pass
    the penalty of one of them, which spares an eigendecomposition each. A penalty of its
    own for every target would predict better, but the pool would then compare
    coefficients on different scales, and fewer pairs are found.
    """
    if penalty is None:
        penalty = PENALTY if products.rows is None else ridge_penalty(products)
    ridged = products.gram + penalty * np.eye(len(products.gram))
    factor = cho_factor(ridged, lower=True, overwrite_a=True, check_finite=False)
    b = cho_solve(factor, products.cross, check_finite=False)
    inside, barred = _barred(products)
    if len(inside):
        need = np.unique(barred)
        unit = np.zeros((len(products.gram), len(need)))
        unit[need, np.arange(len(need))] = 1.0
        column = cho_solve(factor, unit, check_finite=False)[:, np.searchsorted(need, barred)]
        b[:, inside] = _without(b[:, inside], column, barred)
    return products.difference(np.abs(b))


def _barred(products: Products) -> tuple[np.ndarray, np.ndarray]:
    """Targets that are regulators, and their two columns, shape (k, 2)."""
    barred = products.barred
    if barred is None:
        return np.empty(0, dtype=int), np.empty((0, 2), dtype=int)
    inside = np.flatnonzero(barred[:, 0] >= 0)
    return inside, barred[inside]


def _without(b: np.ndarray, column: np.ndarray, barred: np.ndarray) -> np.ndarray:
    """Coefficients of k targets once two predictors each are dropped.

    ``column`` (2p, k, 2) are those columns of the inverse; taking predictors S out of a
    ridge is ``b - A[:, S] A[S, S]⁻¹ b[S]``.
    """
    k = np.arange(len(barred))
    pivot = column[barred[:, :, None], k[:, None, None], np.arange(2)]
    taken = np.linalg.solve(pivot, b[barred, k[:, None]][:, :, None])[:, :, 0]
    return b - np.einsum("iks,ks->ik", column, taken)


def ridge_penalty(products: Products) -> float:
    """Ridge penalty of the most probable share of variance that ``[X, X̃]`` explains.

    The penalty is ``(1 - h) / h · trace / rows`` at the share h, of ``SHARES``, with the
    highest restricted likelihood of a random-effects model, summed over the targets. All
    shares are tried with one eigendecomposition. The likelihood sees eigenvalues and
    squared projections of the targets on eigenvectors, which exchanging a regulator with
    its knockoff leaves as they are. Unlike cross-validation by formula it does not fail
    with about as many rows as predictors. Targets that are regulators take no part:
    their predictors are others. If all are, it is ``PENALTY``.

    Raises
    ------
    ValueError
        If the number of rows is not known.
    """
    if products.rows is None:
        raise ValueError("a ridge penalty by likelihood needs the number of rows")
    values, vectors = eigh(products.gram, check_finite=False, driver="evd")
    rank = min(len(values), int(products.rows) - 1)  # what lies beyond can only be rounding
    seen = np.flatnonzero(values > _LEAST * values[-1])[-rank:]
    values, vectors = values[seen], vectors[:, seen]
    cross = np.delete(products.cross, _barred(products)[0], axis=1)
    if not cross.shape[1]:
        return PENALTY
    explained = np.square(vectors.T @ cross) / values[:, None]
    rest = np.maximum(1.0 - explained.sum(axis=0), _LEAST)
    return _most_probable(values, explained, rest, products.rows)


def _most_probable(
    values: np.ndarray, explained: np.ndarray, rest: np.ndarray, rows: float
) -> float:
    """The penalty, from shares of each target along each direction (k, m) and beyond them."""
    degrees = rows - 1.0
    h = SHARES[:, None]
    variance = h * values * rows / values.sum() + 1 - h
    unexplained = (1 / variance) @ explained + rest / (1 - h)
    constant = np.log(variance).sum(axis=1) + (degrees - len(values)) * np.log1p(-SHARES)
    likelihood = -len(rest) * constant - degrees * np.log(unexplained).sum(axis=1)
    best = SHARES[np.argmax(likelihood)]
    return float((1 - best) / best * values.sum() / rows)


def lasso(products: Products) -> np.ndarray:
    """Signed maximum of the penalties at which regulator and knockoff enter the lasso path.

    ``max(Z, Z̃) · sign(Z - Z̃)`` with Z the penalty at entry on ``[X, X̃]``, 0 for what does
    not enter before the path is stopped (:func:`infocheck.stats.lasso.entry_scores`).
    Shape (p, m), in [-1, 1]. The stop depends on the path alone, which exchanging a
    regulator with its knockoff does not change. Pairs that never enter get 0: they can
    be no discoveries and stand for no false ones.
    """
    entry = np.maximum(entry_scores(products.gram, products.cross, products.barred), 0.0)
    p = len(entry) // 2
    regulator, knockoff = entry[:p], entry[p:]
    return products.open(np.maximum(regulator, knockoff) * np.sign(regulator - knockoff))


def coefficient(products: Products, penalty: float | None = None) -> np.ndarray:
    """Difference of absolute lasso coefficients, ``|b| - |b̃|``, at one penalty, shape (p, m).

    Parameters
    ----------
    penalty
        λ on the scale of correlations. By default ``UNIVERSAL · sqrt(2 log(2p) / rows)``,
        which asks nothing of the data.

    Raises
    ------
    ValueError
        If neither the penalty nor the number of rows is known.

    Notes
    -----
    Finds more than :func:`lasso` among correlated regulators: what enters a path early is
    often a regulator, or knockoff, that correlates with several true ones; its coefficient
    shrinks once they are in, its entry stays.
    """
    if penalty is None:
        if products.rows is None:
            raise ValueError("lasso coefficients need a penalty or the number of rows")
        penalty = UNIVERSAL * np.sqrt(2 * np.log(len(products.gram)) / products.rows)
    b = coefficients(products.gram, products.cross, penalty, products.barred, most=MOST)
    return products.difference(np.abs(b))


STATISTICS: dict[str, Callable[[Products], np.ndarray]] = {
    "marginal": marginal,
    "ridge": ridge,
    "lasso": lasso,
    "coefficient": coefficient,
}
