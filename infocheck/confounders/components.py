"""Variance components of every gene: fixed and random factors in one model, from sums alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.confounders.factors import Factors
from infocheck.stats.resampling import finite_quantile, jackknife_error, t_interval
from infocheck.stats.variance import Normal
from infocheck.stats.variance_components import Absorbed, Components, moments, reml

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Genes by which the interval of the median is found: each takes a fit for every group of rows.
INTERVAL_GENES = 200
FIXED, RESIDUAL = "fixed part", "residual"
UPPER = 0.9


def of(data: Dataset, factors: Factors) -> dict[str, pd.DataFrame]:
    """Tables ``components`` (median gene) and ``component_genes``; empty without a random factor.

    Restricted maximum likelihood for all genes, moments beside it. The fixed part is shown
    as one: what it holds beside the random factors. Medians stand with 95 % jackknife
    intervals; shares of single genes with their standard errors, from the information of the
    likelihood, which are poor near 0 and with few levels.
    """
    random = {name: factors.columns[name] for name in factors.random}
    if not random:
        return {}
    fixed = factors.of_names(*(name for name in factors.columns if name not in random))
    normal = factors.normal()
    # Also without the largest group of rows, as the interval needs.
    if normal.n - factors.n.max() - 1 - normal.rank(fixed) <= 0:
        return {}
    absorbed = Absorbed.of(normal, random, fixed)
    fitted = reml(absorbed, mapped=data.engine.map)
    names = [*random, RESIDUAL, *([FIXED] if len(fixed) else [])]
    shares, plain = (_shares(found, len(fixed)) for found in (fitted, moments(absorbed)))
    errors = _errors(data, factors, random, fixed)
    groups = len(factors.n)
    terms = " + ".join(name for name in factors.columns if name not in random)
    records = []
    for name, share, moment, error in zip(names, shares, plain, errors, strict=True):
        middle = finite_quantile(share)
        low, high = t_interval(middle, error, groups, (0.0, 1.0))
        records.append(
            {
                "component": name,
                "kind": "random" if name in random else "fixed" if name == FIXED else "residual",
                "terms": terms if name == FIXED else name,
                "levels": _levels(factors, name),
                "share": middle,
                "share_low": low,
                "share_high": high,
                "share_tenth": finite_quantile(share, UPPER),
                "share_moments": finite_quantile(moment),
                "genes": int(np.isfinite(share).sum()),
                "converged": int(fitted.converged.sum()),
            }
        )
    panel = np.arange(len(data.panel.genes))
    genes = {"gene": data.names(panel), "is_regulator": panel < data.panel.p}
    genes |= dict(zip(names, shares, strict=True))
    # The fixed part is taken as given: it scales the shares of all that is random.
    left = 1 - shares[-1] if len(fixed) else 1.0
    for name, error in zip([*random, RESIDUAL], fitted.fraction_errors, strict=True):
        genes[f"{name}_error"] = error * left
    return {"components": pd.DataFrame(records), "component_genes": pd.DataFrame(genes)}


def _shares(found: Components, fixed: int) -> np.ndarray:
    return found.fractions(fixed=bool(fixed))


def _errors(
    data: Dataset, factors: Factors, random: dict[str, np.ndarray], fixed: np.ndarray
) -> np.ndarray:
    """Jackknife errors of the medians, over groups of rows, by some of the genes."""
    count = factors.y.shape[1]
    chosen = np.unique(np.linspace(0, count - 1, min(count, INTERVAL_GENES)).astype(int))

    def without(group: int) -> np.ndarray:
        normal = factors.normal(group)
        some = Normal(normal.n, normal.xx, normal.xy[:, chosen], normal.yy[chosen])
        found = _shares(reml(Absorbed.of(some, random, fixed)), len(fixed))
        return np.array([finite_quantile(share) for share in found])

    return jackknife_error(np.stack(data.engine.map(without, range(len(factors.n)))))


def _levels(factors: Factors, name: str) -> float:
    """Levels that occur."""
    if name not in factors.columns:
        return float("nan")
    return float((factors.x.sum(axis=0)[factors.columns[name]] > 0).sum())
