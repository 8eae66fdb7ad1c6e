"""Are the labels of perturbations enough for any question about them?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.arms import MIN_CONTROLS
from infocheck.perturbations.deltas import Deltas
from infocheck.perturbations.energy import LEAST_ROWS
from infocheck.stats.responses import association

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Fewer guides cannot be told from what one of them does beside its target.
LEAST_GUIDES = 2
# A row of which the most frequent guide has less than this share may hold two (convention).
CLEAN = 0.5
_NAMED = 5


@dataclass(frozen=True)
class Counts:
    """Guides and the rows that each has.

    Attributes
    ----------
    control
        Guides among control rows; NaN without a column of guides or a control.
    per_target
        Guides of each perturbation, empty without a column of guides.
    rows
        Rows of each guide, empty without a column of guides.
    """

    control: float
    per_target: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, data: Dataset) -> Counts:
        guides, role, arms = data.evidence.guides, data.roles["perturbation"], data.arms
        if guides is None or guides.guide is None:
            return cls(np.nan, np.empty(0), np.empty(0))
        known = guides.guide.codes >= 0
        pairs = np.unique(np.column_stack([arms.level[known], guides.guide.codes[known]]), axis=0)
        per_level = np.bincount(pairs[:, 0], minlength=role.n_levels + 1)[: role.n_levels]
        control = role.control
        at = role.levels.index(control) if control is not None else None
        others = np.delete(per_level, [] if at is None else [at])
        rows = np.bincount(guides.guide.codes[known], minlength=guides.guide.n_levels)
        return cls(np.nan if at is None else float(per_level[at]), others, rows)


def audit(data: Dataset, deltas: Deltas, calibration: pd.DataFrame | None) -> pd.DataFrame:
    """What the labels say, and whether it is enough.

    Columns: ``item``; ``found`` in words; ``enough``: yes, no, or None where nothing is asked
    for or nothing is known; ``what_to_do`` where it is not enough.
    """
    counts = Counts.of(data)
    rows = [
        *_control(data),
        *_guides(counts),
        *_calibrated(calibration),
        *_rows(deltas),
        *_multiplets(data, deltas),
        *_balance(data),
        *_compared(deltas),
        *_matched(deltas),
    ]
    return pd.DataFrame(rows, columns=["item", "found", "enough", "what_to_do"])


Row = tuple[str, str, bool | None, str]


def _row(item: str, found: str, enough: bool | None, what_to_do: str) -> Row:
    return item, found, enough, what_to_do if enough is False else ""


def _control(data: Dataset) -> list[Row]:
    role, arms = data.roles["perturbation"], data.arms
    if role.control is None:
        return [
            _row(
                "control",
                "none labelled: each perturbation is compared with all others",
                False,
                "Name it with --control, or add cells without a perturbation.",
            )
        ]
    rows = int((arms.level == role.levels.index(role.control)).sum())
    found = f"{role.control}: {rows:,} rows"
    if arms.control is None:
        found += ", too few: each perturbation is compared with all others"
    do = f"Add control rows; at least {MIN_CONTROLS} are needed."
    return [_row("control", found, arms.control is not None, do)]


def _guides(counts: Counts) -> list[Row]:
    if not len(counts.rows):
        return [
            _row(
                "guides",
                "unknown: no column says which guide a row has",
                None,
                "",
            )
        ]
    rows = []
    if np.isfinite(counts.control):
        rows.append(
            _row(
                "control guides",
                f"{counts.control:.0f}",
                counts.control >= LEAST_GUIDES,
                f"Use at least {LEAST_GUIDES} guides that target nothing: held against each other "
                "they show what happens by chance.",
            )
        )
    if len(counts.per_target):
        rows.append(
            _row(
                "guides per perturbation",
                _spread(counts.per_target),
                bool(np.median(counts.per_target) >= LEAST_GUIDES),
                f"Use at least {LEAST_GUIDES} guides per gene: one cannot be told from what it "
                "does beside its target.",
            )
        )
    return [*rows, _row("rows per guide", _spread(counts.rows), None, "")]


def _calibrated(table: pd.DataFrame | None) -> list[Row]:
    if table is None:
        return []
    found, sound = calibrated(table)
    return [
        _row(
            "control guides against each other",
            f"{found} of {len(table)} differ from the others (p ≤ .05)",
            sound,
            "Look for guides that do act, and for batches of guides.",
        )
    ]


def calibrated(table: pd.DataFrame) -> tuple[int, bool]:
    """Control guides that look as if they acted, and whether so many are likely by chance.

    One in twenty does by chance; more than chance gives in 99 % of studies is no calibration.
    """
    from scipy.stats import binom

    found = int((table["response_p_value"].astype(float) <= 0.05).sum())
    return found, bool(binom.sf(found - 1, len(table), 0.05) >= 0.01)


def _rows(deltas: Deltas) -> list[Row]:
    few = deltas.rows < LEAST_ROWS
    return [
        _row(
            "rows per perturbation",
            _spread(deltas.rows),
            not few.any(),
            f"{few.sum()} have fewer than {LEAST_ROWS} and cannot be split into halves: add "
            "replicates.",
        )
    ]


def _multiplets(data: Dataset, deltas: Deltas) -> list[Row]:
    guides, rows = data.evidence.guides, []
    several = np.array([len(parts) > 1 for parts in deltas.parts])
    if several.any():
        share = deltas.rows[several].sum() / deltas.rows.sum()
        rows.append(
            _row(
                "labels of several genes",
                f"{several.sum()} of {len(several)}, {share:.0%} of perturbed rows",
                None,
                "",
            )
        )
    if guides is not None and guides.number is not None:
        number = guides.number[np.isfinite(guides.number)]
        rows.append(_row("rows with several guides", f"{(number > 1).mean():.0%}", None, ""))
    if guides is not None and guides.purity is not None:
        purity = guides.purity[np.isfinite(guides.purity)]
        if len(purity):
            unclear = (purity < CLEAN).mean()
            rows.append(
                _row(
                    "share of guide molecules of the most frequent guide",
                    f"median {np.median(purity):.0%}; below {CLEAN:.0%} in {unclear:.0%} of rows",
                    bool(np.median(purity) >= CLEAN),
                    "Leave out rows in which several guides were read.",
                )
            )
    return rows


def _balance(data: Dataset) -> list[Row]:
    """How far each other label says which perturbation a row has."""
    arms, rows = data.arms, []
    for name in (*arms.held, *arms.aliased):
        role = data.roles[name]
        table = np.zeros((arms.level.max() + 1, role.n_levels + 1))
        np.add.at(table, (arms.level, role.complete()), 1)
        held = name in arms.held
        v = association(table)
        said = "held constant" if held else "not held constant: too few rows could be compared"
        rows.append(
            _row(
                f"perturbation and {name.replace('_', ' ')}",
                f"{said}; Cramér's V {v:.2f}",
                held,
                f"Give every {name.replace('_', ' ')} its own controls.",
            )
        )
    return rows


def _compared(deltas: Deltas) -> list[Row]:
    alone = ~np.isfinite(deltas.delta).all(axis=1)
    if not alone.any():
        return []
    return [
        _row(
            "perturbations without a row to compare with",
            f"{alone.sum()}: {_listed(deltas.names[alone])}",
            False,
            "Add controls in the same batch, donor, condition and time.",
        )
    ]


def _matched(deltas: Deltas) -> list[Row]:
    missing = np.array([not len(aimed) for aimed in deltas.targets])
    found = f"{len(missing) - missing.sum()} of {len(missing)}"
    if missing.any():
        found += f"; not {_listed(deltas.names[missing])}"
    return [
        _row(
            "perturbed genes that are measured",
            found,
            None if not missing.all() else False,
            "Name perturbations as the genes are named; a treatment has none.",
        )
    ]


def _listed(names: np.ndarray) -> str:
    rest = len(names) - _NAMED
    return ", ".join(map(str, names[:_NAMED])) + (f" and {rest} more" if rest > 0 else "")


def _spread(numbers: np.ndarray) -> str:
    return f"median {np.median(numbers):,.0f}, smallest {numbers.min():,.0f}"
