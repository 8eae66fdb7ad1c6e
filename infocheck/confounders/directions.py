"""The leading directions of the data, and what recorded factors have to do with them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import plotting, thresholds
from infocheck.confounders.factors import DEPTH
from infocheck.confounders.words import words
from infocheck.plotting import Chart
from infocheck.stats.parallel_analysis import beyond_chance, overlap
from infocheck.stats.principal_regression import (
    Leading,
    Shuffle,
    explained,
    numeric_null,
    p_values,
    regression,
)
from infocheck.stats.resampling import some
from infocheck.stats.standard import standardised
from infocheck.stats.variance import adjusted

if TYPE_CHECKING:
    from infocheck.confounders.factors import Factors
    from infocheck.dataset import Dataset

# Leading components that are looked at, and rows that they come from at most.
COMPONENTS, ROWS = 50, 2000
# Matrices of random signs for each round of parallel analysis.
FLIPS = 5
# Permutations, and how many different ones there must be for a p-value.
DRAWS, MIN_ARRANGEMENTS = 499, 20
# A component follows nothing recorded when all factors together explain less of it than
# this (convention), and none of them significantly.
FOLLOWS, LEVEL = 0.10, 0.05
# Components in the chart, at most, and genes named at each end of one.
SHOWN, GENES = 12, 3
RECORDED, WEAKLY, NOTHING = "recorded", "weakly", "nothing"
_TOGETHER = "together"


def of(data: Dataset, factors: Factors | None, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Principal components of the panel against recorded factors, on the row sample.

    Parameters
    ----------
    data
        With moments.
    factors
        Recorded factors, or None.
    rng
        Draws rows, signs and permutations.

    Returns
    -------
    dict
        ``directions``, one row for each component (those beyond chance, and at least ten):
        ``component``, ``variance_share``, ``eigenvalue`` and ``chance``, what it must exceed,
        ``beyond_chance``, ``overlap`` (squared, of the direction with the true one, under the
        spiked model), ``joint_r2`` (adjusted, of all factors together), the ``factor`` that
        explains most and its ``factor_r2``, ``p_value`` (smallest over factors times their
        number), ``follows`` (recorded, weakly, nothing), ``genes_high`` and ``genes_low``.

        ``direction_factors``, component × factor: adjusted ``r2`` and its ``p_value``.

        ``principal_regression``, one row a factor: the share ``pcr`` of the variance of the
        leading components that it explains (adjusted), ``null_mean``, ``null_low`` and
        ``null_high`` (95 %) when ``permuted`` units swap labels, the ``excess`` over the mean,
        ``p_value``, and a ``note`` where it could not be assessed.

        ``direction_summary``, one row: ``beyond_chance``, how many of them follow each of
        ``recorded``, ``weakly``, ``nothing``, and shares of the variance.

    Notes
    -----
    Misleads where an unrecorded factor is nested in a recorded one: the direction then
    follows the recorded one. A direction that follows nothing recorded may be regulation as
    well as a batch that nobody wrote down. Donors enter the null as units where they are
    labelled; without labels the p-values are too small.
    """
    sample = data.moments.sample
    chosen = some(len(sample.rows), ROWS, rng)
    rows, values = sample.rows[chosen], sample.values[chosen]
    leading = Leading.of(values, COMPONENTS, int(rng.integers(2**31)))
    standard = standardised(values)
    chance, number = beyond_chance(standard, leading.scores, leading.eigenvalues, FLIPS, rng)
    found = [] if factors is None else _assessed(data, factors, rows, leading, rng)
    joint = np.full(len(chance), np.nan)
    if factors is not None and found:
        joint = explained(leading.scores, factors.basis(rows))
    shown = slice(0, max(number, min(10, len(chance))))
    table = _directions(data, leading, chance, number, found, joint, len(rows))[shown]
    return {
        "directions": table,
        "direction_factors": _matrix(found, shown),
        "principal_regression": pd.DataFrame([one.record for one in found], columns=_COLUMNS),
        "direction_summary": _summary(table, number, len(rows), leading),
    }


_COLUMNS = (
    "factor",
    "column",
    "levels",
    "pcr",
    "null_mean",
    "null_low",
    "null_high",
    "excess",
    "p_value",
    "permuted",
    "note",
)


@dataclass(frozen=True)
class _Factor:
    """One factor against all components: adjusted R², p-values (k,), and its table row."""

    name: str
    r2: np.ndarray
    p: np.ndarray
    record: dict[str, object]


def _assessed(
    data: Dataset, factors: Factors, rows: np.ndarray, leading: Leading, rng: np.random.Generator
) -> list[_Factor]:
    """Every factor that varies over these rows."""
    found = []
    for name, draw in zip(factors.columns, rng.spawn(len(factors.columns)), strict=True):
        basis = factors.basis(rows, name)
        if basis.shape[1]:
            found.append(_one(data, name, basis, rows, leading, draw))
    return found


def _one(
    data: Dataset,
    name: str,
    basis: np.ndarray,
    rows: np.ndarray,
    leading: Leading,
    rng: np.random.Generator,
) -> _Factor:
    scores, rank = leading.scores, basis.shape[1]
    r2 = explained(scores, basis)
    scheme = _scheme(data, name, rows)
    note, null = scheme.note, None
    if not np.isfinite(r2).all():
        note = "It has as many levels as there are rows. Bring more rows for each level."
    if not note and scheme.shuffle is not None:
        null = scheme.shuffle.null(scores, DRAWS, rng)
    elif not note:
        null = numeric_null(basis, scores, scheme.block, DRAWS, rng)
    pcr = float(regression(r2, leading.eigenvalues))
    record = {
        "factor": name,
        "column": _column(data, name),
        "levels": math.nan if scheme.shuffle is None else rank + 1,
        "pcr": pcr,
        "permuted": scheme.words,
        "note": note,
        **dict.fromkeys(("null_mean", "null_low", "null_high", "excess", "p_value"), math.nan),
    }
    if few := 0 < data.labelled_donors < thresholds.MIN_DONORS:
        # Samples of so few donors may be swapped, but the study would be repeated with others.
        record["note"] = (
            f"{data.labelled_donors} donors are too few for a share of the whole. Bring at least "
            f"{thresholds.MIN_DONORS}."
        )
    if null is None:
        return _Factor(name, r2, np.full(len(r2), np.nan), record)
    null = adjusted(null, len(rows), rank)
    single = p_values(r2, null)
    if few:
        return _Factor(name, r2, single, record)
    by_chance = regression(null, leading.eigenvalues)
    record["null_mean"] = float(by_chance.mean())
    record["null_low"], record["null_high"] = map(float, np.quantile(by_chance, [0.025, 0.975]))
    record["excess"] = pcr - record["null_mean"]
    record["p_value"] = float(p_values(np.array(pcr), by_chance))
    return _Factor(name, r2, single, record)


def _column(data: Dataset, name: str) -> str:
    if name in data.roles:
        return data.roles[name].column
    return "log row total" if name == DEPTH else name


@dataclass(frozen=True)
class _Scheme:
    """What may be permuted: labelled units, or single values (no shuffle) within blocks."""

    shuffle: Shuffle | None
    words: str
    note: str = ""
    block: np.ndarray | None = None


def _scheme(data: Dataset, name: str, rows: np.ndarray) -> _Scheme:
    cluster, what = _clusters(data, rows)
    if name not in data.roles:
        words = "rows" if cluster is None else f"rows within {what}"
        return _Scheme(None, words, block=cluster)
    level = data.roles[name].complete()[rows]
    if name == "donor" or cluster is None:
        return _Scheme(Shuffle.rows(level), "rows")
    inside = len(np.unique(np.stack([cluster, level]), axis=1).T)
    units = len(np.unique(cluster))
    if inside > units:
        words, shuffle, note = f"samples within {what}", Shuffle.within(level, cluster), ""
    else:
        words, shuffle, note = what, Shuffle.across(level, cluster), ""
        least = thresholds.MIN_DONORS
        if units < least:
            note = (
                f"{units} {what} are too few to tell it from a difference between {what}. "
                f"Bring at least {least}."
            )
    if not note and shuffle.log_arrangements < math.log(MIN_ARRANGEMENTS) - 1e-9:
        note = (
            f"Labels of {words} can be swapped in fewer than {MIN_ARRANGEMENTS} ways. "
            f"Bring more {what}."
        )
    return _Scheme(shuffle, words, note)


def _clusters(data: Dataset, rows: np.ndarray) -> tuple[np.ndarray | None, str]:
    """Which rows belong together: donors, else blocks of a time series, else None."""
    if "donor" in data.roles:
        codes = data.roles["donor"].with_singletons()[rows]
        return np.unique(codes, return_inverse=True)[1], "donors"
    if data.splits.kind == "blocks":
        return np.unique(data.splits.unit[rows], return_inverse=True)[1], "blocks of time"
    return None, "rows"


def _directions(
    data: Dataset,
    leading: Leading,
    chance: np.ndarray,
    number: int,
    found: list[_Factor],
    joint: np.ndarray,
    n: int,
) -> pd.DataFrame:
    k = len(chance)
    r2 = np.stack([one.r2 for one in found]) if found else np.empty((0, k))
    p = np.stack([one.p for one in found]) if found else np.empty((0, k))
    names = np.array([one.name for one in found], dtype=object)
    best = np.nan_to_num(r2, nan=-np.inf).argmax(axis=0) if found else np.zeros(k, int)
    assessed = np.isfinite(p).any(axis=0) if found else np.zeros(k, bool)
    smallest = np.full(k, np.nan)
    if assessed.any():
        count = np.isfinite(p).sum(axis=0)
        smallest = np.minimum(np.nanmin(p, axis=0) * count, 1.0)
    left = leading.total - leading.eigenvalues[:number].sum()
    noise = max(left / max(leading.total - number, 1.0), 1e-12)
    high, low = _ends(data, leading.loadings)
    return pd.DataFrame(
        {
            "component": np.arange(1, k + 1),
            "variance_share": leading.eigenvalues / max(leading.total, 1.0),
            "eigenvalue": leading.eigenvalues,
            "chance": chance,
            "beyond_chance": np.arange(k) < number,
            "overlap": overlap(leading.eigenvalues / noise, leading.total / n),
            "joint_r2": joint,
            "factor": names[best] if found else [""] * k,
            "factor_r2": r2[best, np.arange(k)] if found else np.full(k, np.nan),
            "p_value": smallest,
            "follows": _follows(joint, smallest),
            "genes_high": high,
            "genes_low": low,
        }
    )


def _follows(joint: np.ndarray, p: np.ndarray) -> list[str]:
    """Words for each component; where no factor is recorded it follows nothing recorded."""
    explained_ = np.nan_to_num(joint, nan=0.0) >= FOLLOWS
    significant = np.nan_to_num(p, nan=1.0) < LEVEL
    return [
        RECORDED if much else WEAKLY if some else NOTHING
        for much, some in zip(explained_, significant, strict=True)
    ]


def _ends(data: Dataset, loadings: np.ndarray) -> tuple[list[str], list[str]]:
    """Names of the strongest genes at both ends of every component."""
    order = np.argsort(loadings, axis=0)
    count = min(GENES, len(order) // 2)

    def named(positions: np.ndarray) -> str:
        return ", ".join(map(str, data.names(positions)))

    high = [named(column[::-1][:count]) for column in order.T]
    return high, [named(column[:count]) for column in order.T]


def _matrix(found: list[_Factor], shown: slice) -> pd.DataFrame:
    records = [
        {"component": k + 1, "factor": one.name, "r2": one.r2[k], "p_value": one.p[k]}
        for one in found
        for k in range(len(one.r2))[shown]
    ]
    return pd.DataFrame(records, columns=["component", "factor", "r2", "p_value"])


def _summary(table: pd.DataFrame, number: int, rows: int, leading: Leading) -> pd.DataFrame:
    beyond = table[table["beyond_chance"]]
    nothing = beyond[beyond["follows"] == NOTHING]
    row = {
        "beyond_chance": number,
        **{state: int((beyond["follows"] == state).sum()) for state in _STATES},
        "at_least": number == len(leading.eigenvalues) and number == COMPONENTS,
        "variance_share": float(beyond["variance_share"].sum()),
        "nothing_share": float(nothing["variance_share"].sum()),
        "rows": rows,
        "genes": int(leading.total),
    }
    return pd.DataFrame([row])


_STATES = (RECORDED, WEAKLY, NOTHING)


def finding(tables: Mapping[str, pd.DataFrame]) -> str:
    """One sentence: how many directions, and how many of them follow nothing recorded."""
    row = tables["direction_summary"].iloc[0]
    number, most = int(row["beyond_chance"]), "at least " if row["at_least"] else ""
    if not number:
        return "No direction of the data is beyond chance: genes hardly vary together."
    many = "s" * (number > 1)
    if not len(tables["principal_regression"]):
        count = f"{most}{number}".capitalize()
        return f"{count} direction{many} beyond chance; nothing is recorded to explain them."
    nothing, weakly = int(row[NOTHING]), int(row[WEAKLY])
    if nothing:
        verb = "follows" if nothing == 1 else "follow"
        some = f", and {weakly} a recorded factor only weakly" if weakly else ""
        start = f"{nothing} of {most}{number} direction{many} beyond chance {verb}"
        return f"{start} nothing recorded{some}."
    some = f", {weakly} of them only weakly" if weakly else ""
    if number == 1:
        return f"The one direction beyond chance follows a recorded factor{some and ', weakly'}."
    start = "Both" if number == 2 else f"All {most}{number}"
    return f"{start} directions beyond chance follow recorded factors{some}."


def charts(tables: Mapping[str, pd.DataFrame]) -> dict[str, Chart]:
    """Heat map of components × factors, and each factor's share against chance."""
    found = {}
    if len(tables.get("direction_factors", ())):
        found["directions"] = _heat_map(tables)
    regressed = tables.get("principal_regression")
    if regressed is not None and regressed["p_value"].notna().any():
        found["principal_regression"] = _against_chance(regressed)
    return found


def _heat_map(tables: Mapping[str, pd.DataFrame]) -> Chart:
    directions = tables["directions"]
    beyond = directions[directions["beyond_chance"].astype(bool)]
    shown = (beyond if len(beyond) else directions).head(SHOWN)
    cells = tables["direction_factors"].astype({"r2": float})
    cells = cells[cells["component"].isin(shown["component"])]
    names = list(dict.fromkeys(cells["factor"]))
    at = {number: y for y, number in enumerate(shown["component"][::-1])}
    rows = list(shown[::-1].astype({"joint_r2": float}).itertuples())

    def draw(axes, width: float) -> None:
        narrow = width <= plotting.NARROW
        for one in cells.itertuples():
            _cell(axes, names.index(one.factor), at[one.component], one.r2)
        for row in rows:
            _cell(axes, len(names) + 0.3, at[row.component], row.joint_r2)
            if row.follows == NOTHING:
                plotting.frame(axes, len(names) + 0.3, at[row.component])
        labels = [words(name) for name in names]
        labels = [label.replace(" ", "\n") if narrow else label for label in labels]
        size = 10 if narrow else 12
        places = [*range(len(names)), len(names) + 0.3]
        axes.set_xticks(places, [*labels, _TOGETHER], fontsize=size)
        axes.set_yticks(range(len(rows)), [_label(row, narrow) for row in rows], fontsize=size)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.set(xlim=(-0.5, len(names) + 0.85), ylim=(-0.55, len(rows) - 0.45))
        for side in axes.spines.values():
            side.set_visible(False)

    more = len(beyond) - len(shown)
    return Chart(
        title=finding(tables),
        caption="Adjusted R² of each leading component on each recorded factor, in per cent, and "
        f"on all together; fuller is more. Framed: less than {FOLLOWS:.0%} together, and no "
        "factor significant. On the left the component's share of the variance and the genes "
        "that mark its two ends"
        + (f"; {more} more components beyond chance are in the table." if more > 0 else "."),
        draw=draw,
        height=1.0 + 0.42 * len(rows),
    )


def _cell(axes, x: float, y: float, r2: float) -> None:
    if not np.isfinite(r2):
        return
    plotting.tile(axes, x, y, float(np.clip(r2, 0.0, 1.0)))
    text = f"{100 * max(r2, 0.0):.0f}"
    axes.text(x, y, text, ha="center", va="center", fontsize=11, color=plotting.INK)


def _label(row, narrow: bool) -> str:
    share = f"{row.component}  {row.variance_share:.1%}"
    if narrow:
        return share
    ends = [_short(str(end).split(", ")[0]) for end in (row.genes_low, row.genes_high)]
    return f"{' – '.join(end for end in ends if end)}   {share}"


def _short(gene: str) -> str:
    return gene if len(gene) <= 15 else f"{gene[:14]}…"


def _against_chance(table: pd.DataFrame) -> Chart:
    numbers = ["pcr", "null_mean", "null_low", "null_high", "excess", "p_value"]
    known = table.astype(dict.fromkeys(numbers, float)).dropna(subset=["p_value"])
    known = known.sort_values("excess")
    largest = known.iloc[-1]
    known_rows = list(known.itertuples())

    def draw(axes, width: float) -> None:
        for y, row in enumerate(known_rows):
            plotting.whisker(axes, y, row.null_mean, row.null_low, row.null_high, "c3")
            plotting.strip(axes, y, [row.pcr], "c1", marker="D")
        axes.set_yticks(range(len(known_rows)), [words(row.factor) for row in known_rows])
        axes.set_ylim(-0.6, len(known_rows) - 0.4)
        axes.xaxis.set_major_formatter(plotting.percent())
        axes.set_xlabel("Share of the leading components")

    return Chart(
        title=f"{words(largest['factor']).capitalize()} explains {largest['pcr']:z.1%} of the "
        f"variance of the leading components, {100 * largest['excess']:z.1f} points more than "
        f"when labels of {largest['permuted']} are permuted (p = {largest['p_value']:.2g}).",
        caption="Diamonds: adjusted share of the variance of the leading components that each "
        "factor explains. Grey: the same when its labels are permuted, mean and 95%, over "
        + "; ".join(f"{row.permuted} for {words(row.factor)}" for row in known_rows[::-1])
        + ". Where rows of one donor were permuted as if independent, p is too small.",
        draw=draw,
        height=1.2 + 0.5 * len(known),
    )
