"""A published rule of sequencing depth, met from the power of an edge.

    python reports/design/rule.py [--out FOLDER]

With a fixed total of UMIs, few cells can be sequenced deeply or many thinly. Zhang, Ntranos
and Tse (2020) recommend about one UMI per cell and gene. Here the same question is put to the
power to find an edge: by formula, by search over the package's functions, and by
simulated counts. Then the cells of a donor: how soon more of them stop helping. Writes
``rule.csv``, ``rule.md`` and ``rule.png``. About a minute; the seed is below.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import norm, t

from infocheck.plotting import C1, C2, C3, INK, LINE, MUTED
from infocheck.stats.edge_power import attenuated, power, power_at_fdr
from infocheck.stats.sequencing import effective_rows, reliability

SEED = 21
RUNS = 6_000  # error of a simulated power at most .0065
CHUNK = 2_000_000
CV2 = (0.284, 1.0, 3.0)  # of the true rate; .284 is a sd of .5 of the natural logarithm
TIMES = np.geomspace(1 / 8, 8, 13)  # mean counts, over the mean of the derived rule; and one
ICCS = (0.05, 0.1, 0.3)


@dataclass(frozen=True)
class Case:
    """One pair of genes, simulated over all depths of one budget."""

    name: str
    cv2: float
    effect: float
    level: float
    ratio: float = 1.0  # mean of the second gene over that of the first

    @property
    def budget(self) -> float:
        """Cells × mean counts for a power of about .7 at the best depth."""
        return float(np.exp(brentq(lambda x: self._best_power(np.exp(x)) - 0.7, 2.0, 12.0)))

    def _best_power(self, budget: float) -> float:
        means = np.geomspace(0.05, 20, 400) / self.cv2
        return self.forecast(means, budget).max()

    def forecast(self, mean: np.ndarray, budget: float) -> np.ndarray:
        """Power at that geometric mean of both genes' counts."""
        first, second = mean / np.sqrt(self.ratio), mean * np.sqrt(self.ratio)
        rels = reliability(first, self.cv2), reliability(second, self.cv2)
        return power(attenuated(self.effect, *rels), budget / mean, self.level)


CASES = (
    *(Case("weak edge", cv2, 0.3, 0.05) for cv2 in CV2),
    *(Case("strong edge", cv2, 0.8, 1e-5) for cv2 in CV2),
    Case("weak edge, means 1 : 16", 1.0, 0.3, 0.05, 16.0),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    depth = pd.DataFrame([row for case in CASES for row in depths(rng, case)])
    depth.round(6).to_csv(out / "rule.csv", index=False)
    (out / "rule.md").write_text(page(rng, depth), "utf-8")
    picture(depth).savefig(out / "rule.png", dpi=130)


# Simulated counts ---------------------------------------------------------------------------


def depths(rng: np.random.Generator, case: Case) -> Iterator[dict[str, object]]:
    """Forecast and measured power of a case over depths of one budget."""
    budget = case.budget
    for mean in np.unique(np.append(TIMES / case.cv2, 1.0).round(9)):
        cells = round(budget / mean)
        found = np.zeros(2)
        for runs in chunks(cells):
            found += measured(rng, case, runs, cells, mean)
        yield {
            **asdict(case),
            "budget": budget,
            "mean": mean,
            "cells": cells,
            "forecast": float(case.forecast(np.array(mean), cells * mean)),
            "counts": found[0] / RUNS,
            "log1p": found[1] / RUNS,
        }


def chunks(cells: int) -> Iterator[int]:
    most = max(CHUNK // cells, 1)
    for done in range(0, RUNS, most):
        yield min(most, RUNS - done)


def measured(
    rng: np.random.Generator, case: Case, runs: int, cells: int, mean: float
) -> np.ndarray:
    """In how many runs a t test finds the edge, in counts and in their logarithm.

    Rates are lognormal with the case's CV² and correlate by its effect; counts are
    Poisson around them.
    """
    variance = np.log1p(case.cv2)
    rho = np.log1p(case.effect * case.cv2) / variance  # of the logarithms
    a = rng.standard_normal((runs, cells))
    b = rho * a + np.sqrt(1 - rho**2) * rng.standard_normal((runs, cells))
    means = mean / np.sqrt(case.ratio), mean * np.sqrt(case.ratio)
    counts = [
        rng.poisson(m * np.exp(np.sqrt(variance) * v - variance / 2)).astype(float)
        for m, v in zip(means, (a, b), strict=True)
    ]
    return np.array(
        [rejected(*values, case.level) for values in (counts, [np.log1p(c) for c in counts])]
    )


def rejected(x: np.ndarray, y: np.ndarray, level: float) -> int:
    n = x.shape[1]
    x, y = (v - v.mean(axis=1, keepdims=True) for v in (x, y))
    bottom = np.einsum("ij,ij->i", x, x) * np.einsum("ij,ij->i", y, y)
    top = np.einsum("ij,ij->i", x, y)
    r = np.divide(top, np.sqrt(bottom), out=np.zeros(len(x)), where=bottom > 0)
    bound = t.isf(level / 2, n - 2)
    return int((np.abs(r) > bound / np.sqrt(n - 2 + bound**2)).sum())


def best_mean(rng: np.random.Generator, part: pd.DataFrame, column: str) -> np.ndarray:
    """Mean with the highest measured power, and its 95 % interval (binomial bootstrap).

    A parabola in the logarithm of the mean through what is within a factor of 3 of the
    highest point.
    """
    x, seen = np.log(part["mean"].to_numpy()), part[column].to_numpy()
    near = np.abs(x - x[seen.argmax()]) < np.log(3)

    def top(values: np.ndarray) -> float:
        square, slope, _ = np.polyfit(x[near], values[near], 2)
        return float(np.exp(-slope / (2 * square)))

    drawn = [top(rng.binomial(RUNS, seen) / RUNS) for _ in range(500)]
    return np.array([top(seen), *np.quantile(drawn, (0.025, 0.975))])


# Formula and search -------------------------------------------------------------------------


def searched(case: Case, budget: float) -> float:
    """Best mean by the package's functions."""
    means = np.geomspace(0.02, 50, 20_000) / case.cv2
    # The distance from chance in standard errors, which has no ceiling as power has.
    first, second = means / np.sqrt(case.ratio), means * np.sqrt(case.ratio)
    seen = attenuated(case.effect, reliability(first, case.cv2), reliability(second, case.cv2))
    return float(means[np.argmax(np.maximum(budget / means - 3, 0) * np.arctanh(seen) ** 2)])


def extra_umis(cv2: float) -> float:
    """UMIs that one count per cell and gene needs for the power of the best depth."""
    return 0.25 * cv2 / float(reliability(1.0, cv2)) ** 2


def best_with_cost(cv2: float, cell: float) -> float:
    """Best mean where a cell costs as much as ``cell`` counts of the gene, by search."""
    means = np.geomspace(0.02, 100, 200_000) / cv2
    return float(means[np.argmax(reliability(means, cv2) ** 2 / (cell + means))])


def panel_power(cv2_medians: np.ndarray, cv2_budget: float) -> np.ndarray:
    """Power over a panel of genes of many abundances, at an FDR of .1.

    Means spread by a sd of 1.2 of their logarithm, 2 % of pairs are edges with a true
    correlation of .5. Medians and budget are in counts of the median gene, times CV²:
    nothing else depends on the CV².
    """
    spread = np.exp(1.2 * norm.ppf((np.arange(9) + 0.5) / 9))
    rel = reliability(cv2_medians[:, None] * spread, 1.0)
    effects = attenuated(0.5, rel[:, :, None], rel[:, None, :]).reshape(len(rel), -1)
    return power_at_fdr(effects, np.ones(81), cv2_budget / cv2_medians, 0.02, 0.1)[0]


# Page ---------------------------------------------------------------------------------------


def page(rng: np.random.Generator, depth: pd.DataFrame) -> str:
    lines = [
        "# A published rule of sequencing depth, met from the power of an edge",
        "",
        "`python reports/design/rule.py`: seed in the script; all simulated points in `rule.csv`.",
        "",
        "Zhang, Ntranos and Tse (2020, Nature Communications 11:774): with a fixed total of reads, "
        "sequence about one UMI per cell and gene, and spend the rest on cells. Their aim is to "
        "estimate distributions of genes. Here the aim is to find an edge.",
        "",
        "![power over depth, best depth over CV², effective cells](rule.png)",
        "",
        "## By formula",
        "",
        "With B UMIs of a gene in all, μ per cell, there are n = B/μ cells. Let c be the squared "
        "coefficient of variation of the true rate between cells (biology, not counting); then "
        "the reliability is x/(1+x) with x = cμ. A weak edge is found by "
        "n·(ρ·reliability)², so what counts is x/(1+x)², which is largest at x = 1:",
        "",
        "**the best mean count is 1/CV², where half of the variance is counting noise.** For two "
        "genes x/(1+x) · y/(1+y) / sqrt(xy) is largest where xy = 1: the geometric mean "
        "of CV²·μ of both genes is one, and **their reliabilities sum to one**. Both rules are "
        "the same for CV² = 1.",
        "",
        "| CV² of the true rate | best μ, weak edge | by search: ρ = .1 | ρ = .3 | ρ = .6 | ρ = .9 "
        "| reliability at one UMI | UMIs needed at μ = 1, relative to the best |",
        "|---|---|---|---|---|---|---|---|",
        *(_formula_line(cv2) for cv2 in (0.1, *CV2, 10.0)),
        "",
        "Strong edges move the best depth up, to 1.5/CV² at ρ = .9. A cell that costs as much as k "
        "counts of the gene does so as well: μ = (1 + sqrt(1 + 8·CV²·k)) / (2·CV²), for CV² = 1 "
        + ", ".join(
            f"{_with_cost(k):.1f} at k = {k:g} (search {best_with_cost(1.0, k):.1f})"
            for k in (0.5, 2.0, 10.0)
        )
        + ".",
        "",
        "## In simulated counts",
        "",
        f"Lognormal rates, Poisson counts, {RUNS:,} runs a depth (error at most .0065), 13 depths "
        "a line from 1/8 to 8 times the formula, and one UMI; t tests of the Pearson "
        "correlation. The budget gives a forecast power of .7 at the best depth. *Best* is the top "
        "of a parabola through the measured power, with a 95 % interval.",
        "",
        "| edge | ρ, level | CV² | formula | search | best, counts | best, log1p | power of "
        "counts: best | at 1/CV² | at one UMI | of log1p: best | at 1/CV² | at one UMI | forecast "
        "at 1/CV² | largest difference of forecast and counts |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        *(_measured_line(rng, part) for _, part in depth.groupby(["name", "cv2"], sort=False)),
        "",
        *_measured_words(depth),
        "",
        "## A panel of genes at a false discovery rate",
        "",
        "Genes differ in abundance (sd of the logarithm 1.2), 2 % of pairs are edges with ρ = .5, "
        "false discovery rate .1; search over `power_at_fdr`. Budget (cells × mean) and depth are "
        "those of the median gene, times CV².",
        "",
        "| CV² · budget | best CV² · median count | power there | power at a median of one UMI: "
        + " | ".join(f"CV² {cv2:g}" for cv2 in CV2)
        + " |",
        "|---|---|---|---|---|---|",
        *(_panel_line(budget) for budget in (30, 100, 300, 1000, 3000)),
        "",
        "With a small budget only abundant pairs can be found at all, and many thin cells serve "
        "them; with a large one the rest comes within reach, and deeper sequencing pays.",
        "",
        "## Cells of a donor",
        "",
        "`effective_rows`: independent observations for an edge between two genes with the same "
        "intraclass correlation by donor, as measured (the biological one times reliability).",
        "",
        "| ICC | 10 donors: 100 cells each | 1,000 | 10,000 | ever more | cells of a donor at half "
        "of that |",
        "|---|---|---|---|---|---|",
        *(_donor_line(icc) for icc in (0.02, *ICCS)),
        "",
        "| 20,000 cells in all | " + " | ".join(f"{d} donors" for d in SPLITS) + " |",
        "|---|" + "---|" * len(SPLITS),
        *(_split_line(icc) for icc in (0.02, *ICCS)),
        "",
        "With 1/ICC² cells a donor is at half of what it can give, and the next cell counts as a "
        "quarter of an independent one. The same cells are worth more the more donors they come "
        "from: nearly in proportion at an ICC of .1 and above, and still "
        f"{_gain_of_donors(0.02):.1f} times as much from 100 as from 5 donors at .02.",
        "",
    ]
    return "\n".join(lines)


SPLITS = (5, 10, 20, 50, 100)


def _gain_of_donors(icc: float) -> float:
    few, many = (float(effective_rows(d, 20_000 / d, icc, icc)) for d in (5, 100))
    return many / few


def _with_cost(cell: float) -> float:
    return (1 + np.sqrt(1 + 8 * cell)) / 2


def _formula_line(cv2: float) -> str:
    found = [searched(Case("", cv2, rho, 0.05), 20_000 / cv2) for rho in (0.1, 0.3, 0.6, 0.9)]
    values = " | ".join(f"{v:.2f}" for v in found)
    return (
        f"| {cv2:g} | {1 / cv2:.2f} | {values} | {float(reliability(1.0, cv2)):.2f} | "
        f"{extra_umis(cv2):.2f} |"
    )


def _measured_line(rng: np.random.Generator, part: pd.DataFrame) -> str:
    first = part.iloc[0]
    case = Case(first["name"], first["cv2"], first["effect"], first["level"], first["ratio"])
    best = {column: best_mean(rng, part, column) for column in ("counts", "log1p")}
    one, rule = (part.loc[(part["mean"] - mean).abs().idxmin()] for mean in (1, 1 / case.cv2))
    gap = (part["forecast"] - part["counts"]).abs().max()
    spans = [f"{v:.2f} ({low:.2f}–{high:.2f})" for v, low, high in best.values()]
    return (
        f"| {case.name} | {case.effect:g}, {case.level:g} | {case.cv2:g} | {1 / case.cv2:.2f} | "
        f"{searched(case, first['budget']):.2f} | {spans[0]} | {spans[1]} | "
        f"{part['counts'].max():.2f} | {rule['counts']:.2f} | {one['counts']:.2f} | "
        f"{part['log1p'].max():.2f} | {rule['log1p']:.2f} | {one['log1p']:.2f} | "
        f"{rule['forecast']:.2f} | {gap:.2f} |"
    )


def _measured_words(depth: pd.DataFrame) -> list[str]:
    lost = {
        (column, rule): max(
            part[column].max() - part.loc[(part["mean"] - at).abs().idxmin(), column]
            for (_, cv2), part in depth.groupby(["name", "cv2"])
            for at in [1.0 if rule == "one" else 1 / cv2]
        )
        for column in ("counts", "log1p")
        for rule in ("one", "derived")
    }
    above = depth.groupby("cv2").apply(
        lambda part: (part["forecast"] - part["counts"]).max(), include_groups=False
    )
    return [
        f"At 1/CV² up to {lost['counts', 'derived']:.3f} of power is lost against the best depth "
        f"that was measured ({lost['log1p', 'derived']:.3f} on log1p counts); at one UMI up to "
        f"{lost['counts', 'one']:.2f} ({lost['log1p', 'one']:.2f}). On log1p counts weak edges "
        "want up to half more depth, strong ones of CV² 1 and above a little less.",
        "",
        "**The depth is right, the power is not quite:** rates are lognormal here, and "
        "correlations of such skewed values spread more than those of normal ones, from which "
        "the closed form comes. It promises up to "
        + ", ".join(f"{value:.2f} too much at CV² {cv2:g}" for cv2, value in above.items())
        + ", most for strong edges. On log1p counts strong edges are found less often still: small "
        "counts lose more of the correlation there than their reliability says. For skewed genes "
        "read the power as an upper end.",
    ]


def _panel_line(budget: float) -> str:
    medians = np.geomspace(0.02, 50, 600)
    found = panel_power(medians, budget)
    at_one = panel_power(np.array(CV2), budget)  # a median of one UMI, times CV²
    return (
        f"| {budget:,.0f} | {medians[found.argmax()]:.2f} | {found.max():.2f} | "
        + " | ".join(f"{v:.2f}" for v in at_one)
        + " |"
    )


def _donor_line(icc: float) -> str:
    sizes = [float(effective_rows(10, cells, icc, icc)) for cells in (100, 1000, 10_000)]
    most = 10 / icc**2
    values = " | ".join(f"{v:,.0f}" for v in (*sizes, most, 1 / icc**2))
    return f"| {icc:g} | {values} |"


def _split_line(icc: float) -> str:
    sizes = [float(effective_rows(d, 20_000 / d, icc, icc)) for d in SPLITS]
    return f"| ICC {icc:g} | " + " | ".join(f"{v:,.0f}" for v in sizes) + " |"


# Picture ------------------------------------------------------------------------------------


def picture(depth: pd.DataFrame):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.5, 4.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _draw_power(left, depth)
    _draw_best(middle)
    _draw_donors(right)
    for axes in (left, middle, right):
        axes.set_xscale("log")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
    return figure


def _draw_power(axes, depth: pd.DataFrame) -> None:
    for cv2, colour in zip(CV2, (C1, C2, C3), strict=True):
        part = depth[(depth["name"] == "weak edge") & (depth["cv2"] == cv2)]
        case = Case("weak edge", cv2, 0.3, 0.05)
        means = np.geomspace(part["mean"].min(), part["mean"].max(), 200)
        axes.plot(means, case.forecast(means, part["budget"].iloc[0]), color=colour, linewidth=2)
        axes.plot(part["mean"], part["counts"], "o", color=colour, markersize=5)
        axes.plot(1 / cv2, 0.72, marker="v", color=colour, markersize=8)
        axes.text(1 / cv2, 0.74, f"CV² {cv2:g}", color=INK, ha="center", va="bottom", fontsize=10)
    axes.axvline(1, color=MUTED, linestyle=(0, (5, 4)), linewidth=1.2)
    axes.set(xlabel="mean UMIs per cell and gene", ylabel="power, ρ = 0.3", ylim=(0, 0.82))
    axes.set_title("Same UMIs in all: best at 1/CV² (▾)", fontsize=11, loc="left")
    axes.text(1.05, 0.03, "one UMI", color=MUTED, fontsize=9)


def _draw_best(axes) -> None:
    cv2 = np.geomspace(0.1, 10, 25)
    for rho, colour in ((0.1, C1), (0.6, C2), (0.9, C3)):
        best = [searched(Case("", c, rho, 0.05), 20_000 / c) for c in cv2]
        axes.plot(cv2, best, color=colour, linewidth=2, label=f"ρ = {rho:g}")
    axes.plot(cv2, 1 / cv2, color=INK, linestyle=(0, (1, 2)), linewidth=1.4, label="1/CV²")
    axes.axhline(1, color=MUTED, linestyle=(0, (5, 4)), linewidth=1.2)
    axes.text(0.1, 1.08, "one UMI", color=MUTED, fontsize=9)
    axes.set_yscale("log")
    axes.set(xlabel="CV² of the true rate", ylabel="best mean UMIs per cell and gene")
    axes.set_title("The two rules cross at CV² = 1", fontsize=11, loc="left")
    axes.legend(frameon=False, fontsize=10)


def _draw_donors(axes) -> None:
    cells = np.geomspace(10, 30_000, 200)
    for icc, colour in zip(ICCS, (C1, C2, C3), strict=True):
        axes.plot(cells, effective_rows(1, cells, icc, icc), color=colour, linewidth=2)
        axes.plot(1 / icc**2, 0.5 / icc**2, "o", color=colour)
        axes.text(34_000, effective_rows(1, 30_000, icc, icc), f"ICC {icc:g}", color=INK,
                  va="center", fontsize=10)  # fmt: skip
    axes.plot(cells, cells, color=MUTED, linestyle=(0, (5, 4)), linewidth=1.2)
    axes.text(700, 900, "every cell counts", color=MUTED, fontsize=9, ha="right")
    axes.set_yscale("log")
    axes.set(xlabel="cells of a donor", ylabel="independent observations", ylim=(5, 1500))
    axes.set_title("A donor gives half of its limit at 1/ICC² cells (●)", fontsize=11, loc="left")


if __name__ == "__main__":
    main()
