"""Perturbation screens: which effects on a target a number of cells shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from infocheck.planning import model
from infocheck.planning.model import Plan
from infocheck.planning.system import UMIS, System
from infocheck.stats import guide_power

# Slices of the level of targets and, inside each, of their variation.
LEVELS, SPREADS = 9, 3
CELLS = (10, 25, 50, 100, 200, 400, 800, 1600)
FEWEST_GUIDES = 2
FEWEST_CONTROLS = 100
POWER = 0.8
# Quartiles of expression that stand in the table of cells that are needed.
QUARTILES = {"lower quartile": 0.25, "median": 0.5, "upper quartile": 0.75}


@dataclass(frozen=True, kw_only=True)
class Screen:
    """A screen of perturbations.

    Attributes
    ----------
    perturbations, guides
        Perturbed genes, and guides of each.
    cells
        Cells per perturbation that are compared.
    controls
        Cells with guides that target nothing; None: for each number of cells that times
        the root of the number of perturbations, which shares them best.
    fold_changes
        Mean of a target in perturbed cells over that in controls.
    """

    perturbations: int
    guides: int
    cells: tuple[int, ...]
    controls: int | None
    fold_changes: tuple[float, ...]

    @classmethod
    def of(
        cls,
        *,
        perturbations: int,
        guides: int,
        cells: object,
        controls: int | None,
        fold_changes: float | Sequence[float],
        system: System,
    ) -> Screen:
        """Checked; ValueError says in a sentence what makes no sense."""
        if system.kind != UMIS:
            raise ValueError(f"a screen needs counts of molecules in cells, not {system.assay}")
        if perturbations < 1:
            raise ValueError("perturbations must be at least 1")
        if guides < FEWEST_GUIDES:
            raise ValueError(
                f"{guides} guide per perturbation cannot be told from its off-target effects; "
                f"at least {FEWEST_GUIDES} are needed"
            )
        if controls is not None and controls < 1:
            raise ValueError("controls must be at least 1 cell")
        changes = fold_changes if isinstance(fold_changes, Iterable) else (fold_changes,)
        changes = tuple(float(change) for change in changes)
        if not changes or not all(math.isfinite(x) and 0 <= x <= 100 and x != 1 for x in changes):
            raise ValueError("a fold change is a number from 0 to 100 and not 1")
        given = CELLS if cells is None else model.axis(cells, "cells_per_perturbation")
        return cls(
            perturbations=int(perturbations),
            guides=int(guides),
            cells=tuple(given),
            controls=controls,
            fold_changes=changes,
        )

    def control_cells(self, cells: np.ndarray) -> np.ndarray:
        """Control cells beside that many cells per perturbation."""
        if self.controls is not None:
            return np.full(np.shape(cells), float(self.controls))
        shared = np.ceil(np.sqrt(self.perturbations) * np.asarray(cells, dtype=float))
        return np.maximum(shared, FEWEST_CONTROLS)


def tables(
    screen: Screen, values: Mapping[str, float], plan: Plan, counts: float
) -> dict[str, pd.DataFrame]:
    """Power over cells per perturbation, and cells that typical targets need."""
    mean, dispersion = _targets(values, counts)
    cells = np.array(screen.cells, dtype=float)
    controls = screen.control_cells(cells)
    rows = []
    for change in screen.fold_changes:
        passed = guide_power.pass_probability(
            mean, dispersion, change, cells[:, None], controls[:, None]
        )
        for i, number in enumerate(cells):
            level, power = _at_fdr(mean, dispersion, change, number, controls[i], passed[i], plan)
            testable = passed[i].mean()
            rows.append(
                {
                    "fold_change": change,
                    "cells_per_perturbation": int(number),
                    "control_cells": int(controls[i]),
                    "all_cells": int(screen.perturbations * number + controls[i]),
                    "power": float((power * passed[i]).mean()),
                    "power_if_testable": float((power * passed[i]).sum() / passed[i].sum())
                    if passed[i].sum() > 0
                    else math.nan,
                    "testable_share": float(testable),
                    "level": level,
                }
            )
    return {
        "perturbation": pd.DataFrame(rows),
        "guides": _needed(screen, values, plan, counts),
    }


def _targets(values: Mapping[str, float], counts: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean counts and dispersion of targets that stand for equal shares of all."""
    level = ndtri((np.arange(LEVELS) + 0.5) / LEVELS) * values["target_log_share_sd"]
    around = ndtri((np.arange(SPREADS) + 0.5) / SPREADS) * values["target_log_cv2_sd"]
    mean = counts * np.exp(values["target_log_share"] + level)
    log_cv2 = values["target_log_cv2"] + values["target_log_cv2_slope"] * level
    dispersion = np.exp(log_cv2[:, None] + around)
    return np.repeat(mean, SPREADS), dispersion.ravel()


def _at_fdr(
    mean: np.ndarray,
    dispersion: np.ndarray,
    change: float,
    cells: float,
    controls: float,
    passed: np.ndarray,
    plan: Plan,
) -> tuple[float, np.ndarray]:
    """Level at which the false discovery rate holds among tested genes, and power there.

    The level falls until power over level is what the rate asks for; that ratio rises
    as the level falls, so halving finds it.
    """
    ratio = (1 - plan.share) * (1 - plan.fdr) / (plan.share * plan.fdr)
    weight = passed / max(passed.sum(), 1e-300)

    def power(level: float) -> np.ndarray:
        return guide_power.power(mean, dispersion, change, cells, controls, level, "both")

    if ratio <= 1:
        return 1.0, np.ones_like(mean)
    low, high = -30.0, 0.0  # of the decimal logarithm
    if weight @ power(10**low) < ratio * 10**low:
        return 0.0, np.zeros_like(mean)
    for _ in range(60):
        middle = (low + high) / 2
        if weight @ power(10**middle) >= ratio * 10**middle:
            low = middle
        else:
            high = middle
    return 10**low, power(10**low)


def _needed(screen: Screen, values: Mapping[str, float], plan: Plan, counts: float) -> pd.DataFrame:
    """Cells per perturbation with 80 % power for typical targets, one after the other.

    At the level of Bonferroni over the targets of one perturbation: the strictest use.
    """
    level = plan.fdr / plan.targets
    rows = []
    for change in screen.fold_changes:
        for name, quartile in QUARTILES.items():
            step = float(ndtri(quartile)) * values["target_log_share_sd"]
            mean = counts * math.exp(values["target_log_share"] + step)
            cv2 = math.exp(values["target_log_cv2"] + values["target_log_cv2_slope"] * step)
            needed = _fewest(screen, mean, cv2, change, level)
            guides = max(screen.guides, FEWEST_GUIDES)
            controls = float(screen.control_cells(np.array([needed]))[0]) if needed else math.nan
            per_guide = needed / guides if needed else math.nan
            rows.append(
                {
                    "fold_change": change,
                    "target": name,
                    "mean_umis": mean,
                    "cells_per_perturbation": needed or math.nan,
                    "guides": guides,
                    "cells_per_guide": per_guide,
                    "control_cells": controls,
                    "control_guides": max(FEWEST_GUIDES, math.ceil(controls / per_guide))
                    if needed
                    else math.nan,
                    "level": level,
                }
            )
    return pd.DataFrame(rows)


def _fewest(screen: Screen, mean: float, cv2: float, change: float, level: float) -> int | None:
    """Fewest cells that are enough and that hold counts of the gene; None: beyond a million."""

    def enough(cells: float) -> bool:
        controls = float(screen.control_cells(np.array([cells]))[0])
        found = guide_power.power(mean, cv2, change, cells, controls, level, "both")
        seen = guide_power.pass_probability(mean, cv2, change, cells, controls)
        return float(found * seen) >= POWER

    low, high = 0, 1_000_000
    if not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def assumptions(screen: Screen) -> list[str]:
    """What the section on perturbations rests on."""
    return [
        f"Every one of {screen.perturbations:,} perturbations works in all its cells and moves a "
        "direct target by the fold change; guides that fail need as many more cells.",
        "Cells of a perturbation are independent, also within a guide, and their counts are "
        "negative binomial with the variation of the system.",
        "One perturbation at a time shows the targets of the perturbed genes alone, direct and "
        "indirect ones together.",
    ]
