"""How much of the variance of every gene belongs to which recorded factor, from sums alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import thresholds
from infocheck.confounders.factors import DEPTH, NUISANCE, Factors
from infocheck.stats.reliability import closed_form
from infocheck.stats.variance import Normal, jackknife_interval, unique_and_total

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Beside the median: the share that the most affected tenth of genes exceeds.
UPPER = 0.9
ENDS = ("unique", "total")
_JOINT = "joint"


def of(data: Dataset, factors: Factors) -> dict[str, pd.DataFrame]:
    """Tables ``factors``, ``genes`` and, where batch or donor is labelled, ``headline``.

    Every share stands beside its 95 % jackknife interval over the groups of rows.
    """
    whole = factors.normal()
    groups = range(len(factors.n))
    found = _shares(factors, whole)
    left_out = data.engine.map(lambda g: _shares(factors, factors.normal(g)), groups)
    size = {key: (whole.n, whole.rank(_columns(factors, key[0]))) for key in found}
    low, high = {}, {}
    for key, values in found.items():
        parts = np.stack([part[key] for part in left_out])
        low[key], high[key] = jackknife_interval(values, parts, *size[key])

    def median(key: tuple[str, str]) -> tuple[float, float, float]:
        parts = np.array([_quantile(part[key]) for part in left_out])
        value = _quantile(found[key])
        return (value, *map(float, jackknife_interval(np.array(value), parts, *size[key])))

    tables = {"factors": _factor_table(data, factors, found, median)}
    tables["genes"] = _gene_table(data, factors, found, low, high)
    joint = (_JOINT, "total")
    if joint in found:
        tables["headline"] = _headline(data, factors, found[joint], left_out, median(joint))
        panel = np.arange(data.panel.p)
        tables["regulators"] = pd.DataFrame(
            {
                "regulator": data.names(panel),
                "batch_and_donor_share": found[joint][panel],
                "batch_and_donor_share_low": low[joint][panel],
                "batch_and_donor_share_high": high[joint][panel],
            }
        )
    return tables


def _columns(factors: Factors, name: str) -> np.ndarray:
    return factors.of_names(*NUISANCE) if name == _JOINT else factors.columns[name]


def _shares(factors: Factors, normal: Normal) -> dict[tuple[str, str], np.ndarray]:
    """Both ends of each factor for every gene, and batch and donor together."""
    found = {
        (name, end): values
        for name, pair in unique_and_total(normal, factors.columns).items()
        for end, values in zip(ENDS, pair, strict=True)
    }
    nuisance = factors.of_names(*NUISANCE)
    if len(nuisance):
        found[_JOINT, "total"] = normal.adjusted(nuisance)
    return found


def _quantile(values: np.ndarray, q: float = 0.5) -> float:
    """Quantile over the genes that vary; NaN when none does."""
    finite = values[np.isfinite(values)]
    return float(np.quantile(finite, q)) if len(finite) else float("nan")


def _factor_table(data: Dataset, factors: Factors, found: dict, median) -> pd.DataFrame:
    records = []
    for name in factors.columns:
        role = data.roles.get(name)
        numeric = name == DEPTH or role is None
        row = {
            "factor": name,
            "column": "log row total" if name == DEPTH else role.column if role else name,
            "levels": float("nan") if numeric else role.n_levels,
        }
        for end in ENDS:
            row[end], row[f"{end}_low"], row[f"{end}_high"] = median((name, end))
        row["total_tenth"] = _quantile(found[name, "total"], UPPER)
        records.append(row)
    return pd.DataFrame(records)


def _gene_table(
    data: Dataset, factors: Factors, found: dict, low: dict, high: dict
) -> pd.DataFrame:
    positions = np.arange(len(data.panel.genes))
    columns = {"gene": data.names(positions), "is_regulator": positions < data.panel.p}
    for name in factors.columns:
        for end in ENDS:
            columns[f"{name}_{end}"] = found[name, end]
            columns[f"{name}_{end}_low"] = low[name, end]
            columns[f"{name}_{end}_high"] = high[name, end]
    return pd.DataFrame(columns)


def _headline(
    data: Dataset,
    factors: Factors,
    joint: np.ndarray,
    left_out: list[dict],
    interval: tuple[float, float, float],
) -> pd.DataFrame:
    """Median share of batch and donor, as measured and of what repeats beside counting noise."""
    value, low, high = interval
    row = {
        "statistic": "batch_and_donor_share",
        "estimate": value,
        "low": low,
        "high": high,
        "tenth": _quantile(joint, UPPER),
        "factors": " and ".join(name for name in NUISANCE if name in factors.columns),
        "genes": len(joint),
        "groups": len(factors.n),
        "of_signal": float("nan"),
        "of_signal_low": float("nan"),
        "of_signal_high": float("nan"),
    }
    noise = data.moments.technical
    if noise is not None:
        sums = (noise.n, noise.total, noise.squares, noise.noise)

        def share(values: np.ndarray, without: int | None = None) -> float:
            n, *parts = (s.sum(axis=0) - (0 if without is None else s[without]) for s in sums)
            reliability = closed_form(n, *parts)
            readable = reliability >= thresholds.READABLE
            return _quantile(np.minimum(values[readable] / reliability[readable], 1.0))

        parts = [share(part[_JOINT, "total"], g) for g, part in enumerate(left_out)]
        value, whole = share(joint), factors.normal()
        rank = whole.rank(_columns(factors, _JOINT))
        low, high = jackknife_interval(np.array(value), np.array(parts), whole.n, rank)
        row |= {"of_signal": value, "of_signal_low": float(low), "of_signal_high": float(high)}
    return pd.DataFrame([row])
