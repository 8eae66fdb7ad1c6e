"""How much of the variance of every gene belongs to which recorded factor, from sums alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import thresholds
from infocheck.confounders.factors import DEPTH, NUISANCE, Factors
from infocheck.stats.reliability import closed_form
from infocheck.stats.resampling import finite_quantile
from infocheck.stats.variance import Normal, jackknife_interval, unique_and_total

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Beside the median: the share that the most affected tenth of genes exceeds.
UPPER = 0.9
ENDS = ("unique", "total")


@dataclass(frozen=True)
class _Jackknife:
    """Shares of all genes by key, and the same without each group of rows."""

    found: dict
    left_out: list[dict]
    rank: dict
    n: float

    @classmethod
    def of(
        cls, data: Dataset, factors: Factors, shares: Callable[[Normal], dict], rank: dict
    ) -> _Jackknife:
        whole = factors.normal()
        groups = range(len(factors.n))
        left_out = data.engine.map(lambda g: shares(factors.normal(g)), groups)
        return cls(shares(whole), left_out, rank, whole.n)

    def genes(self, key: Hashable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of every gene: share and its interval."""
        parts = np.stack([part[key] for part in self.left_out])
        return (
            self.found[key],
            *jackknife_interval(self.found[key], parts, self.n, self.rank[key]),
        )

    def summary(
        self, key: Hashable, statistic: Callable[..., float] | None = None
    ) -> tuple[float, float, float]:
        """Of the median gene, or a statistic of (shares, group that is left out or None)."""
        read = statistic or (lambda values, without: finite_quantile(values))
        value = read(self.found[key], None)
        parts = np.array([read(part[key], g) for g, part in enumerate(self.left_out)])
        low, high = jackknife_interval(np.array(value), parts, self.n, self.rank[key])
        return value, float(low), float(high)


def by_factor(data: Dataset, factors: Factors) -> dict[str, pd.DataFrame]:
    """Tables ``factors`` (median gene) and ``genes``: both ends of each share, with intervals."""

    def shares(normal: Normal) -> dict:
        return {
            (name, end): values
            for name, pair in unique_and_total(normal, factors.columns).items()
            for end, values in zip(ENDS, pair, strict=True)
        }

    normal = factors.normal()
    ranks = {name: normal.rank(columns) for name, columns in factors.columns.items()}
    rank = {(name, end): ranks[name] for name in ranks for end in ENDS}
    jackknife = _Jackknife.of(data, factors, shares, rank)
    positions = np.arange(len(data.panel.genes))
    genes = {"gene": data.names(positions), "is_regulator": positions < data.panel.p}
    records = []
    for name in factors.columns:
        role = data.roles.get(name)
        row = {
            "factor": name,
            "column": role.column if role else "log row total" if name == DEPTH else name,
            "levels": role.n_levels if role else float("nan"),
        }
        for end in ENDS:
            row |= _triple(end, jackknife.summary((name, end)))
            genes |= _triple(f"{name}_{end}", jackknife.genes((name, end)))
        row["total_tenth"] = finite_quantile(jackknife.found[name, "total"], UPPER)
        records.append(row)
    return {"factors": pd.DataFrame(records), "genes": pd.DataFrame(genes)}


def of_nuisance(data: Dataset, factors: Factors) -> dict[str, pd.DataFrame]:
    """Tables ``headline`` and ``regulators``: adjusted R² of batch and donor together.

    The headline is that of the median gene, and once more of what repeats beside counting
    noise. Nothing where neither batch nor donor is labelled.
    """
    columns = factors.of_names(*NUISANCE)
    if not len(columns):
        return {}
    rank = {"joint": factors.normal().rank(columns)}
    jackknife = _Jackknife.of(data, factors, lambda n: {"joint": n.adjusted(columns)}, rank)
    row = {
        "statistic": "batch_and_donor_share",
        **dict(zip(("estimate", "low", "high"), jackknife.summary("joint"), strict=True)),
        "tenth": finite_quantile(jackknife.found["joint"], UPPER),
        "factors": " and ".join(name for name in NUISANCE if name in factors.columns),
        "genes": len(jackknife.found["joint"]),
        "groups": len(factors.n),
        **_triple("of_signal", _of_signal(data, jackknife)),
    }
    panel = np.arange(data.panel.p)
    each = [values[panel] for values in jackknife.genes("joint")]
    regulators = {"regulator": data.names(panel), **_triple("batch_and_donor_share", each)}
    return {"headline": pd.DataFrame([row]), "regulators": pd.DataFrame(regulators)}


def _of_signal(data: Dataset, jackknife: _Jackknife) -> tuple[float, float, float]:
    """The median share among readable genes, of the part that is not counting noise."""
    noise = data.moments.technical
    if noise is None:
        return (float("nan"),) * 3
    sums = (noise.n, noise.total, noise.squares, noise.noise)

    def share(values: np.ndarray, without: int | None) -> float:
        n, *parts = (s.sum(axis=0) - (0 if without is None else s[without]) for s in sums)
        reliability = closed_form(n, *parts)
        readable = reliability >= thresholds.READABLE
        return finite_quantile(np.minimum(values[readable] / reliability[readable], 1.0))

    return jackknife.summary("joint", share)


def _triple(name: str, values: Sequence) -> dict[str, object]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
