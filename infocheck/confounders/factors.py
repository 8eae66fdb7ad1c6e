"""Recorded factors of the rows, and the normal equations of all genes on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from infocheck.formula import DEPTH
from infocheck.stats.variance import Normal

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Roles that are looked at as factors, in the order in which they are shown.
FACTORS = ("batch", "donor", "cell_type", "condition", "cell_cycle")
# Those whose variance is nobody's question.
NUISANCE = ("batch", "donor")
# A variance between fewer levels than this is hardly an estimate (convention).
RANDOM_LEVELS = 5


@dataclass(frozen=True)
class Factors:
    """Normal equations of all panel genes on all recorded factors, by jackknife group.

    Additive over rows: sums of a subset of groups are those of their rows alone.

    Attributes
    ----------
    design
        Indicators of the levels of each factor (the last one of each holds rows without a
        label) and the values of numeric covariates, sparse, shape (n, k).
    n
        Rows by group, shape (groups,).
    x, xx
        Sums of the design columns (groups, k) and of their products (groups, k, k).
    xy, y, yy
        Products of design columns and genes (groups, k, g), sums and sums of squares of the
        genes (groups, g); genes are shifted as in the moments.
    columns
        Design columns of each factor by name; ``depth`` is the log size factor.
    random
        Factors whose levels are a sample of many: at least five of them, unless a formula
        says otherwise.
    """

    design: sp.csr_matrix
    n: np.ndarray
    x: np.ndarray
    xx: np.ndarray
    xy: np.ndarray
    y: np.ndarray
    yy: np.ndarray
    columns: dict[str, np.ndarray]
    random: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Dataset) -> Factors | None:
        """From the moments of a data set; None where nothing is recorded."""
        roles = {name: data.roles[name] for name in FACTORS if name in data.roles}
        moments = data.moments
        blocks, products, columns, start = [], [], {}, 0
        for name, role in roles.items():
            levels = role.n_levels + 1
            one = np.ones(data.n)
            entries = (one, (np.arange(data.n), role.complete()))
            blocks.append(sp.csr_matrix(entries, (data.n, levels)))
            products.append(moments.levels[name].total)
            columns[name] = np.arange(start, start + levels)
            start += levels
        if moments.depth is not None and data.depth is not None:
            blocks.append(sp.csr_matrix(data.depth[:, None]))
            products.append(moments.depth.products[:, None, :])
            columns[DEPTH] = np.array([start])
        if not columns:
            return None
        design = sp.hstack(blocks, format="csr")
        random = tuple(name for name in roles if roles[name].n_levels >= RANDOM_LEVELS)
        return cls._of(data, design, np.concatenate(products, axis=1), columns, random)

    @classmethod
    def stated(cls, data: Dataset) -> Factors | None:
        """Those of the formula that the user gave; None where none was given."""
        design, products = data.design, data.moments.design
        if design is None or products is None:
            return None
        return cls._of(data, design.matrix, products, dict(design.columns), design.random)

    @classmethod
    def _of(
        cls,
        data: Dataset,
        design: sp.csr_matrix,
        products: np.ndarray,
        columns: dict[str, np.ndarray],
        random: tuple[str, ...],
    ) -> Factors:
        groups = data.moments.groups
        parts = [design[data.splits.group == g] for g in range(data.splits.n_groups)]
        return cls(
            design=design,
            n=groups.n,
            x=np.stack([np.asarray(part.sum(axis=0)).ravel() for part in parts]),
            xx=np.stack([(part.T @ part).toarray() for part in parts]),
            xy=products,
            y=groups.total,
            yy=groups.squares,
            columns=columns,
            random=random,
        )

    def of_names(self, *names: str) -> np.ndarray:
        """Design columns of those of these factors that are recorded."""
        chosen = [self.columns[name] for name in names if name in self.columns]
        return np.concatenate(chosen) if chosen else np.empty(0, np.int64)

    def normal(self, without: int | None = None) -> Normal:
        """Centred normal equations of all rows, or of all but one group."""

        def total(parts: np.ndarray) -> np.ndarray:
            whole = parts.sum(axis=0)
            return whole if without is None else whole - parts[without]

        n, x, y = float(total(self.n)), total(self.x), total(self.y)
        raw = total(self.yy)
        yy = raw - y * y / n
        yy = np.where(yy > 1e-12 * raw, yy, 0.0)  # rounding of a constant gene
        return Normal(
            n, total(self.xx) - np.outer(x, x) / n, total(self.xy) - np.outer(x, y) / n, yy
        )

    def basis(self, rows: np.ndarray, *names: str) -> np.ndarray:
        """Orthonormal centred columns that span these factors on some rows, shape (rows, f).

        All factors where none is named; no columns where they do not vary.
        """
        chosen = self.of_names(*(names or self.columns))
        columns = self.design[rows][:, chosen].toarray()
        left, values, _ = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
        return left[:, values > 1e-9 * max(values.max(initial=0.0), 1e-300)]
