"""Did a perturbation move anything but its own gene? Energy distance, shuffled within strata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.arms import PARTS
from infocheck.perturbations.cells import COMPONENTS, Cells
from infocheck.perturbations.deltas import Deltas
from infocheck.result import INFINITY
from infocheck.stats import energy
from infocheck.stats.energy import Contrast
from infocheck.stats.false_discovery import adjusted

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

DRAWS, MORE_DRAWS = 999, 9999
# With fewer rows a perturbation has none in one of the four parts.
LEAST_ROWS = PARTS
# Fewer donors in either group cannot be shuffled to a p-value of 5 % (4 against 4: 1 in 70).
LEAST_DONORS = 4
# Fewer cells of a guide that targets nothing are not held against the other such guides.
LEAST_GUIDE_CELLS = 20
FDR = 0.05
# Of the test that cells are asked for.
LEVEL = 0.05


@dataclass(frozen=True)
class Rows:
    """What is compared for one perturbation.

    Attributes
    ----------
    scores, treated, stratum
        Shapes (n, d), (n,), (n,).
    unit
        ``cells`` or ``donors``.
    note
        Why nothing can be compared; empty otherwise.
    """

    scores: np.ndarray
    treated: np.ndarray
    stratum: np.ndarray
    unit: str = "cells"
    note: str = ""


@dataclass(frozen=True)
class Responses:
    """The response of each perturbation, in the order of ``Deltas.names``.

    Attributes
    ----------
    contrast
        What was found over all genes, or None where it cannot be assessed.
    leading
        The same on the leading components alone.
    p, q
        Of the permutation test, NaN where it cannot be assessed, shape (k,).
    unit
        What was shuffled.
    note
        Why it cannot be assessed, in words.
    """

    contrast: tuple[Contrast | None, ...]
    leading: tuple[Contrast | None, ...]
    p: np.ndarray
    q: np.ndarray
    unit: tuple[str, ...]
    note: tuple[str, ...]

    @property
    def responds(self) -> np.ndarray:
        """Which respond at an FDR of 5 %, boolean; False also where it is not assessed."""
        return np.nan_to_num(self.q, nan=1.0) <= FDR

    def of(self, field: str, *, leading: bool = False) -> np.ndarray:
        """One number of every contrast, NaN without one."""
        contrasts = self.leading if leading else self.contrast
        found = (np.nan if c is None else getattr(c, field) for c in contrasts)
        return np.array(list(found), dtype=float)

    def table(self) -> pd.DataFrame:
        """Columns of the table of perturbations."""
        known = np.isfinite(self.q)
        return pd.DataFrame(
            {
                "distance": self.of("distance"),
                "distance_low": self.of("low"),
                "distance_high": self.of("high"),
                "response_p_value": self.p,
                "response_q_value": self.q,
                "responds": np.where(known, self.responds.astype(object), None),
            }
        )


def responses(data: Dataset, deltas: Deltas, cells: Cells, rng: np.random.Generator) -> Responses:
    """Test every perturbation.

    The distance is taken over all genes and on the leading components, and whichever stands out
    more counts, also in every shuffle. Rows are shuffled within batch, donor, condition and
    time, as far as these can be held constant; where the perturbation is the same for all rows
    of a donor, donors are.
    """
    donor = _donors_apart(data, cells)
    k = len(deltas.names)
    compared = [_rows(deltas, cells, donor, i) for i in range(k)]
    streams = rng.spawn(2 * k)

    def tested(i: int, draws: int, stream: np.random.Generator) -> Tested:
        rows = compared[i]
        if rows.note:
            return None, None, np.nan
        return _tested(rows, draws, stream)

    results = data.engine.map(lambda i: tested(i, DRAWS, streams[i]), range(k))
    whole, leading = ([found[side] for found in results] for side in (0, 1))
    p = np.array([found[2] for found in results])
    # Where few respond, no p-value of so few shuffles survives the correction for many tests.
    smallest = 1 / (DRAWS + 1)
    short = np.flatnonzero((p <= smallest) & (adjusted(p) > FDR))
    again = data.engine.map(lambda i: tested(i, MORE_DRAWS, streams[k + i]), short.tolist())
    for i, better in zip(short, again, strict=True):
        p[i] = better[2]
    notes = tuple(
        rows.note or ("" if c is not None else "no row to compare with")
        for rows, c in zip(compared, whole, strict=True)
    )
    units = tuple(rows.unit for rows in compared)
    return Responses(tuple(whole), tuple(leading), p, adjusted(p), units, notes)


Tested = tuple[Contrast | None, Contrast | None, float]


def _tested(rows: Rows, draws: int, rng: np.random.Generator) -> Tested:
    """Energy distance over all genes and on the leading components, and one p-value for both."""
    args = rows.treated, rows.stratum
    width = min(COMPONENTS, rows.scores.shape[1])
    whole = energy.contrast(rows.scores, *args)
    leading = energy.contrast(rows.scores[:, :width], *args)
    if whole is None or leading is None:
        return None, None, np.nan
    widths = (width, rows.scores.shape[1])
    null = energy.null_distances(rows.scores, *args, draws, rng, widths)
    observed = np.array([leading.distance, whole.distance])
    return whole, leading, energy.p_value(observed, null)


def _rows(deltas: Deltas, cells: Cells, donor: np.ndarray | None, i: int) -> Rows:
    chosen = cells.compared(i)
    treated = cells.level[chosen] == i
    stratum = cells.stratum[chosen]
    nothing = np.empty((0, 0)), np.empty(0, bool), np.empty(0, int)
    if treated.sum() < LEAST_ROWS:
        return Rows(*nothing, note=f"fewer than {LEAST_ROWS} rows")
    if not np.isfinite(deltas.delta[i]).all():
        return Rows(*nothing, note="no row to compare with")
    scores = cells.without(chosen, i, deltas.targets[i])
    if donor is None or not _between(donor[cells.rows[chosen]], treated):
        return Rows(scores, treated, stratum)
    # Rows of one donor are no replicates of a difference between donors.
    means, of = _means(scores, donor[cells.rows[chosen]], treated)
    if min(of.sum(), (~of).sum()) < LEAST_DONORS:
        return Rows(
            *nothing,
            unit="donors",
            note=f"the same within donors: {of.sum()} against {(~of).sum()}, "
            f"{LEAST_DONORS} against {LEAST_DONORS} are needed",
        )
    return Rows(means, of, np.zeros(len(of), dtype=np.int64), unit="donors")


def _donors_apart(data: Dataset, cells: Cells) -> np.ndarray | None:
    """Donor of each row where donors could not be held constant, else None."""
    role = data.roles.get("donor")
    if role is None or "donor" not in data.arms.aliased:
        return None
    return role.with_singletons()


def _between(donor: np.ndarray, treated: np.ndarray) -> bool:
    """Are most treated rows from donors without a row to compare with?"""
    return not np.isin(donor[treated], donor[~treated]).mean() >= 0.5


def _means(
    scores: np.ndarray, donor: np.ndarray, treated: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each donor and group, and whether it is treated."""
    code, group = np.unique(2 * donor + treated, return_inverse=True)
    sums = np.zeros((len(code), scores.shape[1]))
    np.add.at(sums, group, scores)
    return sums / np.bincount(group)[:, None], code % 2 == 1


def calibration(data: Dataset, cells: Cells, rng: np.random.Generator) -> pd.DataFrame | None:
    """Each guide that targets nothing against the others: none should respond.

    Columns: guide, cells, distance and its interval, response_p_value; None without two such
    guides of 20 cells. With sound guides p-values are spread evenly between 0 and 1.
    """
    guides = data.evidence.guides
    if guides is None or guides.guide is None or data.arms.control is None:
        return None
    rows = np.flatnonzero(cells.reference)
    codes = guides.guide.codes[cells.rows[rows]]
    names, counts = np.unique(codes[codes >= 0], return_counts=True)
    names, counts = names[counts >= LEAST_GUIDE_CELLS], counts[counts >= LEAST_GUIDE_CELLS]
    if len(names) < 2:
        return None
    known = rows[np.isin(codes, names)]
    codes = guides.guide.codes[cells.rows[known]]
    table = []
    for name, count, stream in zip(names, counts, rng.spawn(len(names)), strict=True):
        scores = cells.scores[known].astype(float)
        found, _, p = _tested(Rows(scores, codes == name, cells.stratum[known]), DRAWS, stream)
        if found is not None:
            table.append(
                {
                    "guide": guides.guide.levels[name],
                    "cells": int(count),
                    "distance": found.distance,
                    "distance_low": found.low,
                    "distance_high": found.high,
                    "response_p_value": p,
                }
            )
    return pd.DataFrame(table) if len(table) > 1 else None


def cells_needed(
    deltas: Deltas, found: Responses, halved: np.ndarray | None = None
) -> pd.DataFrame:
    """Cells per perturbation for 80 % power, with the controls there are.

    Columns: perturbation, cells, ``cells_for_response`` with its interval (from the interval
    of the distance: more cells for a smaller one), and ``cells_for_halving`` of the perturbed
    gene. At a level of .05 of one test; ``infinity`` where no number is enough.
    """
    cells = np.array([c is not None for c in found.contrast])
    cells &= np.array([unit == "cells" for unit in found.unit])
    sides = [_needed(found, leading) for leading in (True, False)]
    # NaN where it was not assessed, in both.
    best = [np.minimum(a, b) for a, b in zip(*sides, strict=True)]
    estimate, low, high = (np.where(cells, column, np.nan) for column in best)
    table = pd.DataFrame(
        {
            "perturbation": deltas.names,
            "cells": deltas.rows.astype(int),
            "cells_for_response": _plain(estimate),
            "cells_for_response_low": _plain(low),
            "cells_for_response_high": _plain(high),
        }
    )
    if halved is not None:
        table["cells_for_halving"] = _plain(halved)
    return table


def _needed(found: Responses, leading: bool) -> list[np.ndarray]:
    """Cells for one of the two distances, for its estimate and both ends of its interval.

    At half of the level, since either distance may show the response.
    """

    def of(field: str) -> np.ndarray:
        return found.of(field, leading=leading)

    squared, along = of("squared"), of("along")
    half = (of("high") - of("distance")) / 2

    def needed(size: np.ndarray) -> np.ndarray:
        # δ'Σδ goes with the square of δ.
        some = np.where(size > 0, size, 1.0)
        scale = np.where(squared > 0, some / np.where(squared > 0, squared, 1.0), 0.0)
        args = some, of("trace"), of("trace_squared"), along * scale
        many = energy.cells_needed(*args, of("reference_rows"), LEVEL / 2)
        return np.where(size > 0, many, np.where(np.isfinite(size), np.inf, np.nan))

    return [needed(size) for size in (squared, squared + half, squared - half)]


def _plain(numbers: np.ndarray) -> np.ndarray:
    """Infinite numbers as the word that a document has for them."""
    if not np.isinf(numbers).any():
        return numbers
    return np.array([INFINITY if np.isinf(x) else x for x in numbers], dtype=object)
