"""Which of two genes leads in time: asymmetry of lagged correlations, against unrelated genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.errors import NotAssessed
from infocheck.stats import time_order
from infocheck.time_courses.courses import Course

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

FEWEST_SERIES, FEWEST_TRANSITIONS = 3, 20
MOST_REGULATORS = 200
# Evenly spaced samples differ by no more than this part of the median step.
_UNEVEN = 0.05


def table(data: Dataset, found: Course, rng: np.random.Generator) -> pd.DataFrame:
    """Share of pairs of regulator and target of which one leads, beyond chance.

    Raises
    ------
    NotAssessed
        Cells at different times are different cells, or series are too few and too short.
    """
    if not found.followed:
        raise NotAssessed(
            "Cells at different times are different cells, so which gene of a pair leads cannot "
            "be seen. Bring series in which the same culture or animal is sampled again."
        )
    steps = np.concatenate([np.diff(time) for time in found.series_times])
    series = len(found.series_values)
    if series < FEWEST_SERIES and len(steps) < FEWEST_TRANSITIONS:
        raise NotAssessed(
            f"{series} series with {len(steps)} steps are too few to see which gene leads. Bring "
            f"{FEWEST_SERIES} series or {FEWEST_TRANSITIONS} steps."
        )
    p, panel = found.p, data.panel
    chosen = np.unique(np.linspace(0, p - 1, min(p, MOST_REGULATORS)).astype(int))
    targets = panel.half_targets
    pairs = chosen[:, None] != targets
    leaders = [value[:, chosen] for value in found.series_values]
    followers = [value[:, targets] for value in found.series_values]
    result = time_order.order(leaders, followers, pairs, rng)
    row = {
        "statistic": "share_of_pairs_in_which_one_leads",
        "estimate": result.share,
        "low": result.low,
        "high": result.high,
        "unrelated": float(result.unrelated.mean()),
        "unrelated_95": result.chance,
        "beyond_chance": result.beyond_chance,
        "regulator_leads": result.first_leads,
        "pairs": int(pairs.sum()),
        "transitions": len(steps),
        "series": series,
        "even_steps": bool(np.ptp(steps) <= _UNEVEN * np.median(steps)),
    }
    return pd.DataFrame([row])
