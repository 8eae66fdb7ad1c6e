"""What could a network reach at best, and what would more data bring?"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import plotting, thresholds
from infocheck.alternatives import DO, MEASURED, SHIFT, world
from infocheck.check import Check, Tables, require_rows
from infocheck.comparison import EFFECTS, compared
from infocheck.plotting import Chart
from infocheck.result import Verdict
from infocheck.stats.heritability import Heritability, heritability
from infocheck.stats.partial import shrinkage_weight
from infocheck.stats.scenarios import FDP
from infocheck.stats.upper_bound import one_more, simulated

if TYPE_CHECKING:
    from infocheck.dataset import Dataset
    from infocheck.stats.scenarios import World

# Simulated networks, and targets in each.
REPLICATES, TARGETS = 6, 120
# Which pairs are ranked together.
POOLED, EACH = "all edges", "targets of one regulator"
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, kw_only=True)
class Power(Check):
    """What the tested methods reach on simulated targets of the real regulators.

    The targets are as predictable as the real ones and depend on few measured
    regulators, linearly and on nothing else: a ceiling, since every real difficulty
    is left out. Misleads when read as a forecast.
    """

    name = "power"
    title = "Power"
    question = "Which edges could be found at best, and what would more data bring?"
    gate = False
    unit = "normalised AUPR"
    references = (
        "patterson1971",
        "yang2010",
        "schafer2005",
        "efron2004",
        "spearman1904",
        "fisher1921",
        "benjamini1995",
        "wilson1927",
    )
    computed = (
        "How much of a target's variance all regulators explain together is estimated by "
        "restricted maximum likelihood, and its distribution over targets by empirical Bayes. "
        "Targets with explained variance from that distribution and a few "
        "random parents are simulated on the real correlations of the regulators, with as many "
        "observations as there are rows, and their parents are sought with correlation, "
        "shrinkage partial correlation and the lasso. The area under the precision-recall curve "
        "is scaled so that 0 is guessing and 1 is perfect. The bound is the best method's mean "
        f"plus {thresholds.BOUND_MARGIN:.2f}; the interval is where one more simulated network "
        "would fall, and its upper end is what is shown for the goals. "
        "The other studies are simulated in the same way, with the effective number of "
        "observations, the counting noise of each regulator and target (where counts are given), "
        "and the same parents and noise in each, so that a gain is a paired difference. Power is "
        f"the share of true edges found where {FDP:.0%} of what is found is false. Assumed: "
        "(1) targets are linear in one to eight regulators, drawn at random; (2) mRNA follows "
        "activity, unless said otherwise; (3) nothing hidden moves both, unless said otherwise, "
        "and then as the strongest labelled factor does; (4) new donors are like these; (5) "
        f"perturbed regulators are shifted by {SHIFT:g} standard deviations, and only what they "
        "regulate directly responds; (6) "
        "evidence of perturbations and of a prior network is weighed as well as it can be. "
        "Intervals are those of the simulation alone."
    )
    misleads = (
        "A one-sided upper bound, never a forecast: real networks fall far below it, because "
        "variation is shared for other reasons, activity is not mRNA, and regulation is not "
        "linear. Confounding raises it, since it counts as explained variance. It holds for the "
        "tested methods, for edges without direction, and for targets of one to eight regulators "
        "in the proportions of the simulation: networks in which nearly every target has a "
        "single one can exceed it. Gains compare studies of this system with each other; they "
        "are no promise, and they do not add up. Nobody can cut a ranking where exactly "
        f"{FDP:.0%} is false: procedures that claim to are off where edges are indirect, as the "
        "table 'nominal' shows."
    )

    margin: float = thresholds.BOUND_MARGIN

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        require_rows(data, "to estimate how predictable targets are")
        bound, real = self.bound(data, rng)
        return {**bound, **compared(data, real, rng)}

    def bound(self, data: Dataset, rng: np.random.Generator) -> tuple[Tables, World]:
        """Tables of the upper bound, and what other studies are simulated from."""
        panel, correlation = data.panel, data.moments.total().correlation()
        gram = correlation[:, : panel.p]
        # Rows, not the effective number: dependent rows can only lower what is reached.
        explained = heritability(gram, correlation[:, panel.sampled], data.n, panel.own)
        halves = data.moments.half(0, 0) + data.moments.half(0, 1)
        shrinkage = shrinkage_weight(halves)
        found = simulated(
            gram,
            explained,
            data.n,
            shrinkage,
            replicates=REPLICATES,
            targets=TARGETS,
            rng=rng,
            mapped=data.engine.map,
        )
        tables = {"bound": self._table(found), "heritability": _explained(explained, data.n)}
        return tables, world(data, gram, shrinkage, explained.grid, explained.prior)

    def _table(self, found: list[dict[str, tuple[float, float]]]) -> pd.DataFrame:
        records = []
        for position, edges in enumerate((POOLED, EACH)):
            for method in found[0]:
                values = np.array([one[method][position] for one in found])
                estimate, low, high = one_more(values, self.margin)
                records.append(
                    {
                        "method": method,
                        "edges": edges,
                        "estimate": estimate,
                        "low": low,
                        "high": high,
                    }
                )
        return pd.DataFrame(records)

    def judge(self, tables: Tables) -> Verdict:
        best = _best(tables["bound"], POOLED)
        return Verdict.against(
            estimate=best["estimate"],
            low=best["low"],
            high=best["high"],
            need=None,  # a bound is no pass
            floor=None,
            unit=self.unit,
            possible=(-1.0, 1.0),
            reason="If a few measured regulators were all that moved each target, the best of the "
            f"tested methods ({best['method']}) would rank edges with a normalised AUPR of "
            "{estimate:.2f} ({low:.2f}–{high:.2f}; 0 is guessing, 1 is perfect): an upper bound, "
            "never a forecast.",
        )

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        bound = tables["bound"]
        best = _best(bound, POOLED)
        methods = list(dict.fromkeys(bound["method"]))[::-1]
        labels = [f"{m}\n{e}" for m in methods for e in (EACH, POOLED)]
        rows = bound.set_index(["method", "edges"])

        def draw(axes, width: float) -> None:
            for y, (method, edges) in enumerate((m, e) for m in methods for e in (EACH, POOLED)):
                row = rows.loc[(method, edges)]
                colour = "c1" if edges == POOLED else "c2"
                plotting.whisker(axes, y, row["estimate"], row["low"], row["high"], colour)
            axes.set_yticks(range(len(labels)), labels)
            axes.set_ylim(-0.6, len(labels) - 0.4)
            axes.set_xlim(min(0.0, float(bound["low"].min())), 1.0)
            axes.set_xlabel("Normalised AUPR (0 guessing, 1 perfect)")

        return {
            "power": Chart(
                title=f"With everything hidden absent, {best['method']} would reach at most "
                f"{best['high']:.2f} of a perfect ranking.",
                caption="What each method reaches on simulated targets of the real regulators, "
                "with the 95% interval of one more network: over all edges, and over the targets "
                "of one regulator, averaged. An upper bound, never a forecast.",
                draw=draw,
                height=4.4,
            ),
            "studies": _studies_chart(tables["gains"]),
            "effects": _effects_chart(tables["effects"]),
        }


def _studies_chart(gains: pd.DataFrame) -> Chart:
    """Gain or loss of every study that was simulated, largest on top."""
    numbers = gains.astype({"gain": float}).dropna(subset=["gain"]).sort_values("gain")
    best = numbers.iloc[-1]
    worst = numbers.iloc[0]

    def draw(axes, width: float) -> None:
        for y, row in enumerate(numbers.itertuples()):
            colour = "c1" if row.kind == DO else "c2"
            plotting.whisker(axes, y, row.gain, row.gain_low, row.gain_high, colour)
        plotting.across(axes, 0.0, "As measured", dashed=True)
        folded = [textwrap.fill(study, 34 if width > 6 else 22) for study in numbers["study"]]
        axes.set_yticks(range(len(numbers)), folded)
        axes.set_ylim(-0.6, len(numbers) - 0.4)
        axes.xaxis.set_major_formatter(plotting.percent())
        axes.set_xlabel("Edges found, in points more than as measured")

    return Chart(
        title=f"{best['study']} would find most, {100 * best['gain']:+.0f} points beside "
        f"{best['now']:.0%} as measured; worst would be: {_lower(worst['study'])}, "
        f"{100 * worst['gain']:+.0f} points.".replace("-", "−"),
        caption=f"Share of simulated edges that {best['method']} finds where {FDP:.0%} of what is "
        "found is false, against the study as it is, with 95% intervals of the simulation. Blue: "
        "what one can do. Orange: what may be so without anyone seeing it.",
        draw=draw,
        height=1.3 + 0.62 * len(numbers),
    )


def _effects_chart(effects: pd.DataFrame) -> Chart:
    """Power in closed form if all edges were of one strength."""
    table = effects.astype({"power": float})
    studies = list(dict.fromkeys(table["study"]))[:4]  # as measured, and more of the same
    measured = table[table["study"] == MEASURED].set_index("effect")["power"]
    shown = ", ".join(f"{power:.0%} at {effect:g}" for effect, power in measured.items())

    def draw(axes, width: float) -> None:
        labels = []
        for effect in EFFECTS[::-1]:
            for study in studies[::-1]:
                row = table[(table["study"] == study) & (table["effect"] == effect)].iloc[0]
                colour = "c1" if study == MEASURED else "c3"
                plotting.whisker(
                    axes, len(labels), row["power"], row["power_low"], row["power_high"], colour
                )
                labels.append(f"{effect:g}, {_lower(study)}" if width > 6 else f"{effect:g}")
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(-0.6, len(labels) - 0.4)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(plotting.percent())
        axes.set_xlabel("Edges found by a test of correlation, FDR 10%")

    return Chart(
        title=f"Power if every edge were this strong a true correlation: {shown}.",
        caption="In closed form, over pairs of all reliabilities; the interval is that of the "
        "effective number of observations. Assumed: this correlation without counting noise; mRNA "
        "follows activity; no other reason to correlate; exchangeable donors. Blue: as measured; "
        "grey: with more of the same.",
        draw=draw,
        height=1.3 + 0.36 * len(EFFECTS) * len(studies),
    )


def _lower(text: str) -> str:
    return text if text[:2].isupper() or text[1:2].isupper() else text[:1].lower() + text[1:]


def _best(bound: pd.DataFrame, edges: str) -> pd.Series:
    """The row of the method whose upper end is highest."""
    rows = bound[bound["edges"] == edges].reset_index(drop=True)
    ends = pd.to_numeric(rows["high"]).fillna(np.inf)  # an impossible number must not be hidden
    return rows.iloc[int(ends.argmax())]


def _explained(found: Heritability, rows: int) -> pd.DataFrame:
    """How predictable the sampled targets are: mean and quantiles over targets."""
    m = len(found.h2)
    even = np.full(m, 1 / m)
    kinds = {
        "each target alone": (found.h2, even),
        "each target, pooled": (found.pooled, even),
        "distribution over targets": (found.grid, found.prior),
    }
    records = []
    for name, (values, weights) in kinds.items():
        order = np.argsort(values)
        reached = np.searchsorted(np.cumsum(weights[order]), _QUANTILES)
        quantiles = values[order][np.minimum(reached, len(values) - 1)]
        named = {f"quantile_{q:.2f}": v for q, v in zip(_QUANTILES, quantiles, strict=True)}
        mean = float(values @ weights)
        records.append(
            {"explained_variance": name, "mean": mean, **named, "targets": m, "rows": rows}
        )
    return pd.DataFrame(records)
