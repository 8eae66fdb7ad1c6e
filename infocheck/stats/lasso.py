"""When does each regulator enter the lasso path of each target, and with which coefficient?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

# Added to the diagonal of the Gram matrix, so that copies of a regulator do not break the path.
RIDGE = 1e-3
# A path ends at this share of its first penalty, or with this many regulators in it.
STOP, MOST = 0.08, 25
# Targets whose paths are followed together: bounds memory.
_BATCH = 256
_TINY = 1e-12


def entry_scores(
    gram: np.ndarray,
    cross: np.ndarray,
    own: np.ndarray | None = None,
    *,
    stop: float = STOP,
    most: int = MOST,
) -> np.ndarray:
    """Penalty at which each regulator first enters the lasso of each target.

    For a target with correlations r to the regulators the lasso minimises
    ``b'(R + ridge I)b / 2 - b'r + λ|b|₁``. As λ falls from ``max |r|``, b moves along
    straight pieces with a knot where a regulator enters or leaves (Efron et al. 2004);
    the knots are computed exactly, for all targets in step, from the Gram matrix
    alone, so the cost does not grow with the rows.

    Parameters
    ----------
    gram
        Correlations of regulators, shape (p, p).
    cross
        Correlations of regulators with targets, shape (p, m).
    own
        For each target its position among the regulators, or -1. Such a target is
        dropped from its own predictors. Shape (m,), or (m, k) where k columns may stand
        for a target.
    stop, most
        A path ends at this share of its first penalty, in (0, 1), or when so many
        regulators are in it.

    Returns
    -------
    numpy.ndarray
        Shape (p, m). The penalty at entry, above 0 and at most 1, for regulators that
        entered. Those that never did come below all of them, in the order of their
        correlation, with ``|r| - 1`` (at most 0). NaN for a target itself.

    Notes
    -----
    Of two regulators that correlate strongly the one with the larger sampling error can
    enter first and keep the other out. A regulator that leaves and enters again keeps
    its first penalty.
    """
    ridged, own = _prepared(gram, cross, own)
    scores = np.abs(cross) - 1.0
    for batch in _batches(cross):
        entry, _ = _follow(ridged, cross[:, batch].T, own[batch], stop, most)
        scores[:, batch] = np.where(np.isfinite(entry.T), entry.T, scores[:, batch])
    inside, which = np.nonzero(own >= 0)
    scores[own[inside, which], inside] = np.nan
    return scores


def coefficients(
    gram: np.ndarray,
    cross: np.ndarray,
    penalty: np.ndarray | float,
    own: np.ndarray | None = None,
    *,
    most: int = MOST,
) -> np.ndarray:
    """Coefficients of the lasso of each target at one penalty.

    The path of :func:`entry_scores` is followed from its beginning down to the penalty.

    Parameters
    ----------
    penalty
        λ on the scale of correlations, above 0; one number or one a target.
    most
        A path also ends with so many regulators in it: the coefficients are then those
        of the penalty at which the last of them entered, where it is still 0.

    Returns
    -------
    numpy.ndarray
        Shape (p, m), for columns of variance 1; 0 for a target itself.
    """
    ridged, own = _prepared(gram, cross, own)
    least = np.broadcast_to(np.asarray(penalty, dtype=float), cross.shape[1:])
    b = np.empty(cross.shape)
    for batch in _batches(cross):
        _, reached = _follow(ridged, cross[:, batch].T, own[batch], 0.0, most, least[batch])
        b[:, batch] = reached.T
    return b


def _prepared(
    gram: np.ndarray, cross: np.ndarray, own: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The Gram matrix with its ridge, and columns closed to each target, shape (m, k)."""
    m = cross.shape[1]
    own = np.full(m, -1) if own is None else np.asarray(own)
    ridged = np.array(gram, dtype=float)
    ridged[np.diag_indices(len(ridged))] += RIDGE
    return ridged, own.reshape(m, own.shape[1] if own.ndim > 1 else 1)


def _batches(cross: np.ndarray) -> list[slice]:
    return [slice(start, start + _BATCH) for start in range(0, cross.shape[1], _BATCH)]


@dataclass
class _Paths:
    """Paths of several targets, each at the knot it has reached.

    ``target`` (k,) numbers them, ``c`` (k, p) are correlations with the residual,
    ``penalty`` and ``end`` (k,) where the path is and where it ends. ``active`` (k, s)
    are the regulators in it, -1 for an empty slot, with coefficients ``b``;
    ``left`` (k,) is the one that left at the last knot, or -1.
    """

    target: np.ndarray
    c: np.ndarray
    penalty: np.ndarray
    end: np.ndarray
    active: np.ndarray
    b: np.ndarray
    left: np.ndarray
    closed: np.ndarray  # (k, p): may not enter, being the target itself

    def write(self, b: np.ndarray, chosen: np.ndarray) -> None:
        """Put the coefficients of the chosen paths into their rows of b."""
        row, slot = np.nonzero((self.active >= 0) & chosen[:, None])
        b[self.target[row], self.active[row, slot]] = self.b[row, slot]

    def keep(self, chosen: np.ndarray) -> None:
        if chosen.all():
            return
        for name, values in vars(self).items():
            setattr(self, name, values[chosen])


def _follow(
    gram: np.ndarray,
    r: np.ndarray,
    own: np.ndarray,
    stop: float,
    most: int,
    least: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Penalty at first entry, NaN for regulators that never enter, and coefficients at the end.

    Both of shape (m, p). Paths end at the share ``stop`` of their first penalty or at the
    penalty ``least`` if that is higher.
    """
    m, p = r.shape
    entry, b = np.full((m, p), np.nan), np.zeros((m, p))
    closed = np.zeros((m, p), dtype=bool)
    row, which = np.nonzero(own >= 0)
    closed[row, own[row, which]] = True
    size = np.where(closed, 0.0, np.abs(r))
    first, penalty = size.argmax(axis=1), size.max(axis=1)
    entry[np.arange(m), first] = np.where(penalty > 0, penalty, np.nan)
    paths = _Paths(
        target=np.arange(m),
        c=r.copy(),
        penalty=penalty,
        end=np.maximum(stop * penalty, least),
        active=first[:, None],
        b=np.zeros((m, 1)),
        left=np.full(m, -1),
        closed=closed,
    )
    paths.keep(penalty > 0)
    for _ in range(20 * most):  # far more knots than paths have; ties may not go round for ever
        few = (paths.active >= 0).sum(axis=1) < most
        going = few & (paths.penalty > paths.end + _TINY)
        paths.write(b, ~going)
        paths.keep(going)
        if not len(paths.target):
            break
        _to_next_knot(gram, paths, entry)
    paths.write(b, np.full(len(paths.target), True))
    return entry, b


def _to_next_knot(gram: np.ndarray, paths: _Paths, entry: np.ndarray) -> None:
    """Move every path to where a regulator enters or leaves, or to its end."""
    k = np.arange(len(paths.target))
    inside = paths.active >= 0
    slot = np.where(inside, paths.active, 0)
    direction = _direction(gram, paths.c, slot, inside)
    # Few regulators are in a path: a product with the whole matrix would mostly add zeros.
    starts = np.arange(len(k) + 1) * slot.shape[1]
    slope = csr_array((direction.ravel(), slot.ravel(), starts), paths.c.shape) @ gram

    enters = _until_entry(paths, slope, slot, inside)
    candidate = enters.argmin(axis=1)
    leaves = np.full(paths.b.shape, np.inf)
    np.divide(-paths.b, direction, out=leaves, where=inside & (paths.b * direction < 0))
    leaver = leaves.argmin(axis=1)
    choices = [enters[k, candidate], leaves[k, leaver], paths.penalty - paths.end]
    what, step = np.argmin(choices, axis=0), np.min(choices, axis=0)

    paths.b += step[:, None] * direction
    paths.c -= step[:, None] * slope
    paths.penalty = paths.penalty - step
    paths.left = np.full(len(k), -1)
    out = np.flatnonzero(what == 1)
    paths.left[out] = paths.active[out, leaver[out]]
    paths.active[out, leaver[out]] = -1
    paths.b[out, leaver[out]] = 0.0
    _enter(paths, np.flatnonzero(what == 0), candidate, entry)


def _direction(gram: np.ndarray, c: np.ndarray, slot: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Change of the coefficients in the paths as the penalty falls by one."""
    sign = np.sign(np.take_along_axis(c, slot, axis=1)) * inside
    block = gram[slot[:, :, None], slot[:, None, :]]
    block = np.where(inside[:, :, None] & inside[:, None, :], block, np.eye(slot.shape[1]))
    return np.linalg.solve(block, sign[:, :, None])[:, :, 0]


def _until_entry(
    paths: _Paths, slope: np.ndarray, slot: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    """By how much the penalty may fall before each regulator enters, shape (k, p)."""
    k, penalty = np.arange(len(paths.target)), paths.penalty[:, None]
    soonest = np.full(slope.shape, np.inf)
    for side in (1.0, -1.0):
        room, closing = penalty - side * paths.c, 1 - side * slope
        wait = np.full(slope.shape, np.inf)
        np.divide(np.maximum(room, 0.0), closing, out=wait, where=closing > _TINY)
        # Who has just left still touches the bound on the side that it left from.
        gone = np.flatnonzero(paths.left >= 0)
        touching = gone[side * paths.c[gone, paths.left[gone]] > 0]
        wait[touching, paths.left[touching]] = np.inf
        np.minimum(soonest, wait, out=soonest)
    soonest[paths.closed] = np.inf
    row, column = np.nonzero(inside)
    soonest[k[row], slot[row, column]] = np.inf
    return soonest


def _enter(paths: _Paths, row: np.ndarray, candidate: np.ndarray, entry: np.ndarray) -> None:
    """Put the candidates into the paths of these rows."""
    if not len(row):
        return
    if (paths.active[row] >= 0).all(axis=1).any():
        empty = np.full((len(paths.active), 1), -1)
        paths.active = np.hstack([paths.active, empty])
        paths.b = np.hstack([paths.b, np.zeros(empty.shape)])
    free = (paths.active[row] < 0).argmax(axis=1)
    paths.active[row, free] = candidate[row]
    seen = entry[paths.target[row], candidate[row]]
    entry[paths.target[row], candidate[row]] = np.where(np.isnan(seen), paths.penalty[row], seen)
