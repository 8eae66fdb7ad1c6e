"""What the grid of times could say of rates at best, and which grid would say more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import thresholds
from infocheck.evidence.half_lives import MRNA_HOURS, PROTEIN_HOURS, SPECIES
from infocheck.stats import rate_information as information
from infocheck.stats.relaxation import keep
from infocheck.stats.resampling import finite_quantile
from infocheck.time_courses.courses import Course
from infocheck.time_courses.layout import Layout

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Half-lives of the curve: from this part of the step to so many lengths of the grid.
SHORTEST, LONGEST, POINTS = 1 / 20, 20.0, 61
# A rate known to such a factor is not known at all.
UNKNOWN = 1e6
# Half-lives in steps, where the unit of time is unknown.
_STEPS = (0.5, 1.0, 2.0, 5.0)


def half_lives(data: Dataset, layout: Layout, step: float) -> pd.DataFrame:
    """Half-lives to judge the grid by, in the unit of the data's own time.

    Columns ``mrna``, ``protein`` (NaN where protein is not judged) and ``source``.
    """
    if not math.isfinite(layout.hours):
        rows = [(steps * step, math.nan, f"{steps:g} steps") for steps in _STEPS]
        return pd.DataFrame(rows, columns=["mrna", "protein", "source"])
    given = data.evidence.half_lives
    if given is None:
        rows = [(MRNA_HOURS, PROTEIN_HOURS, f"median in {SPECIES}")]
    else:
        regulators = data.panel.genes[: data.panel.p]
        rows = []
        for q, words in ((0.25, "lower quartile"), (0.5, "median"), (0.75, "upper quartile")):
            both = (finite_quantile(x[regulators], q) for x in (given.mrna, given.protein))
            rows.append((*both, f"{words} of regulators in {given.name}"))
    table = pd.DataFrame(rows, columns=["mrna", "protein", "source"])
    table[["mrna", "protein"]] /= layout.hours
    return table[table["mrna"].notna()]


def bounds(found: Course, lives: pd.DataFrame, noise: float) -> pd.DataFrame:
    """The Cramér-Rao interval of each rate on this grid, and on the best even grid.

    Decay of mRNA from mRNA alone, decay of protein from protein that is measured in the same
    samples with the same relative noise.
    """
    times = found.times - found.times[0]
    rows = []
    for samples, words in _replicates(found):
        for life in lives.itertuples():
            alone = information.information(times, samples, noise, life.mrna)
            factors = {"mRNA decay": (life.mrna, information.log_rate_errors(alone)[0])}
            if math.isfinite(life.protein):
                both = information.information(times, samples, noise, life.mrna, life.protein)
                factors["protein decay"] = (life.protein, information.log_rate_errors(both)[1])
            for parameter, (value, error) in factors.items():
                factor = float(information.fold(error))
                finite = factor <= UNKNOWN
                rows.append(
                    {
                        "parameter": parameter,
                        "samples": words,
                        "half_life": value,
                        "half_life_low": value / factor if finite else math.nan,
                        "half_life_high": value * factor if finite else math.nan,
                        "factor": factor if finite else math.nan,
                        "identifiable": bool(factor <= thresholds.RATE_FOLD),
                        "step_over_half_life": found.typical_step / value,
                        "share_kept_between_samples": float(keep(value, found.typical_step)),
                        "source": life.source,
                    }
                )
    return pd.DataFrame(rows)


def curve(found: Course, noise: float) -> pd.DataFrame:
    """The factor for the decay of mRNA over half-lives, with all samples."""
    times = found.times - found.times[0]
    lives = np.geomspace(SHORTEST * np.diff(times).min(), LONGEST * times[-1], POINTS)
    factor = information.mrna_fold(times, found.samples, noise, lives)
    one = information.mrna_fold(times, np.minimum(found.samples, 1), noise, lives)
    factor, one = (np.where(x <= UNKNOWN, x, np.nan) for x in (factor, one))
    return pd.DataFrame({"half_life": lives, "factor": factor, "factor_of_one_sample": one})


def resolved_range(table: pd.DataFrame, column: str) -> tuple[float, float]:
    """Shortest and longest half-life of a curve within the convention; NaN for none."""
    inside = table[column].to_numpy(float) <= thresholds.RATE_FOLD
    if not inside.any():
        return math.nan, math.nan
    lives = table["half_life"].to_numpy(float)[inside]
    return float(lives[0]), float(lives[-1])


def best_grid(found: Course, lives: pd.DataFrame, noise: float) -> pd.DataFrame:
    """For each half-life the length of an even grid of as many times that bounds it best."""
    samples = float(np.mean(found.samples))
    rows = []
    for life in lives.itertuples():
        length, factor = information.best_duration(len(found.times), samples, noise, life.mrna)
        now = information.mrna_fold(
            found.times - found.times[0], found.samples, noise, np.array([life.mrna])
        )[0]
        rows.append(
            {
                "mrna_half_life": life.mrna,
                "times": len(found.times),
                "step_now": found.typical_step,
                "factor_now": now if now <= UNKNOWN else math.nan,
                "best_step": length / (len(found.times) - 1),
                "best_length": length,
                "factor_at_best": factor if factor <= UNKNOWN else math.nan,
                "source": life.source,
            }
        )
    return pd.DataFrame(rows)


def _replicates(found: Course) -> list[tuple[np.ndarray, str]]:
    if not found.followed or len(found.series_times) == 1:
        return [(found.samples, f"all {found.what}")]
    return [
        (found.samples, "all series, if they respond alike"),
        (np.minimum(found.samples, 1), "one series"),
    ]
