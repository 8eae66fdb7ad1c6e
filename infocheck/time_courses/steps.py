"""The grid of times, and between which of them genes change beyond noise."""

from __future__ import annotations

import numpy as np
import pandas as pd

from infocheck.stats.resampling import share_interval
from infocheck.time_courses.courses import Course
from infocheck.time_courses.layout import Layout

# A transition tells something when at least this share of genes changes over it (convention).
INFORMATIVE = 0.05


def table(found: Course) -> pd.DataFrame:
    """One row a step of the grid: how many genes change over it, and in how many transitions."""
    changed = found.changed
    rows = []
    for step in range(len(found.times) - 1):
        here = changed[found.step == step]
        if not len(here):
            continue
        share = float(here.mean())
        low, high = share_interval(share, max(here.shape[1], 1))
        rows.append(
            {
                "from_time": found.times[step],
                "to_time": found.times[step + 1],
                "samples": int(min(found.samples[step : step + 2])),
                "share_of_genes_changed": share,
                "share_of_genes_changed_low": low,
                "share_of_genes_changed_high": high,
                "transitions": len(here),
                "informative_transitions": int((here.mean(axis=1) >= INFORMATIVE).sum()),
            }
        )
    return pd.DataFrame(rows)


def grid(found: Course, layout: Layout) -> dict[str, object]:
    """The grid in one row."""
    changed = found.changed
    steps = np.diff(found.times)
    series = len(found.series_times) if found.followed else 0
    noise, of = found.relative_noise()
    return {
        "kind": layout.kind,
        "column": layout.column,
        "unit": layout.unit_words,
        "unit_told_by": layout.unit_source or "nothing",
        "times": len(found.times),
        "first": float(found.times[0]),
        "last": float(found.times[-1]),
        "typical_step": found.typical_step,
        "shortest_step": float(steps.min()),
        "longest_step": float(steps.max()),
        "series": series,
        "told_apart_by": layout.by or "nothing: other samples at every time",
        "samples_per_time": float(np.median(found.samples)),
        "samples_are": found.what,
        "transitions": len(changed),
        "informative_transitions": int((changed.mean(axis=1) >= INFORMATIVE).sum()),
        "share_of_genes_that_change": float(changed.any(axis=0).mean()),
        "noise_over_range": noise,
        "noise_of": of,
    }
