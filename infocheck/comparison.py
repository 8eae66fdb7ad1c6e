"""What other studies of the same system would find, beside the study as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.alternatives import MEASURED, Alternative, alternatives
from infocheck.independence import effective_interval
from infocheck.stats.edge_power import attenuated, minimum_effect_at_fdr, power_at_fdr
from infocheck.stats.reliability import at_depth
from infocheck.stats.resampling import t_interval, wilson
from infocheck.stats.scenarios import FDP, Draws, Scenario, World, found_by_regulator, run
from infocheck.stats.spike_in import mean_parents

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Simulated networks.
REPLICATES = 6
# Pairs in each, about, and limits to its targets.
PAIRS, FEWEST, MOST = 40_000, 120, 200
# Further targets from which the power of each regulator is read: about so many for each,
# in batches, and no more batches than that.
PER_REGULATOR, BATCH, MOST_BATCHES = 10, 600, 10
# True correlations for which power is given in closed form, and quantiles of reliability
# that stand for all pairs.
EFFECTS = (0.15, 0.3, 0.5)
_PAIRS = (np.arange(15) + 0.5) / 15


def compared(data: Dataset, real: World, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Every alternative, simulated with the same parents and the same noise.

    Returns
    -------
    dict
        Tables ``scenarios`` (each study and method), ``gains`` (against the study as it is),
        ``effects`` (closed form, by strength of an edge), ``nominal`` (what the textbook
        procedure would report) and ``regulators`` (power of the edges of each).
    """
    plans = alternatives(data)
    scenarios = {plan.name: plan.scenario for plan in plans if plan.scenario}
    for scenario in scenarios.values():
        real.model(scenario)  # once, before workers share it

    targets = int(np.clip(PAIRS // data.panel.p, FEWEST, MOST))

    def one(draw: np.random.Generator):
        return run(real, scenarios, Draws.of(real, targets, draw))

    found = data.engine.map(one, rng.spawn(REPLICATES))
    outcomes, nominal = [outcome for outcome, _ in found], [number for _, number in found]
    best = _best_method(outcomes)
    # Of the effective observations, relative to their estimate.
    interval = np.divide(effective_interval(data), real.rows)
    return {
        "scenarios": _scenarios(real, scenarios, interval, outcomes, len(data.panel.targets)),
        "gains": pd.DataFrame([_gain(plan, best, outcomes) for plan in plans[1:]]),
        "effects": _effects(real, scenarios, interval),
        "nominal": _nominal(scenarios, nominal, len(data.panel.targets)),
        "regulators": _by_regulator(data, real, scenarios[MEASURED], rng),
    }


def _best_method(outcomes: list[dict]) -> str:
    """The method that finds most edges as the study is; of equals, the better ranking."""
    methods = [method for name, method in outcomes[0] if name == MEASURED]

    def reached(method: str) -> tuple[float, float]:
        of = [one[MEASURED, method] for one in outcomes]
        return float(np.mean([o.power for o in of])), float(
            np.mean([o.normalised_aupr for o in of])
        )

    return max(methods, key=reached)


def _interval(values: np.ndarray, bounds: tuple[float, float]) -> tuple[float, float, float]:
    """Mean over replicates with its 95 % interval."""
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
    return mean, *t_interval(mean, error, len(values), bounds)


def _named(name: str, values: np.ndarray, bounds: tuple[float, float]) -> dict[str, float]:
    keys = (name, f"{name}_low", f"{name}_high")
    return dict(zip(keys, _interval(values, bounds), strict=True))


def _scenarios(
    real: World, scenarios: dict, interval: np.ndarray, outcomes: list[dict], targets: int
) -> pd.DataFrame:
    records = []
    for name, method in outcomes[0]:
        of = [one[name, method] for one in outcomes]

        def values(key: str, of: list = of) -> np.ndarray:
            return np.array([getattr(o, key) for o in of])

        records.append(
            {
                "study": name,
                "method": method,
                "effective_rows": scenarios[name].rows,
                **_named("power", values("power"), (0.0, 1.0)),
                **_named("discoveries", targets * values("found"), (0.0, np.inf)),
                **_named("aupr_ratio", values("aupr_ratio"), (0.0, np.inf)),
                **_named("normalised_aupr", values("normalised_aupr"), (-1.0, 1.0)),
                **_named("precision_top", values("precision_top"), (0.0, 1.0)),
                **_minimum_effect(real, scenarios[name], interval),
            }
        )
    return pd.DataFrame(records)


def _minimum_effect(real: World, scenario: Scenario, interval: np.ndarray) -> dict[str, float]:
    """Smallest true correlation that a test of correlation finds in four of five pairs.

    Of median reliability, at the level that keeps the false discovery rate, with the
    interval that the effective observations give it. NaN where none is found so often, and
    where something other than the edges makes genes correlate or other evidence is used.
    """
    keys = _ends("minimum_effect")
    if scenario.confounded or scenario.perturbed or scenario.prior:
        return dict.fromkeys(keys, np.nan)
    found, *ends = minimum_effect_at_fdr(
        scenario.rows * np.array([1.0, *interval]),
        _edge_share(real),
        FDP,
        at_depth(np.median(real.reliability), scenario.depth),
        at_depth(np.median(real.target_reliability), scenario.depth),
        scenario.coupling,
    )
    if not np.isfinite(found):
        return dict.fromkeys(keys, np.nan)
    return dict(zip(keys, (found, min(ends), min(max(ends), 1.0)), strict=True))


def _edge_share(real: World) -> float:
    p = len(real.gram)
    return mean_parents(p) / p


def _effects(real: World, scenarios: dict, interval: np.ndarray) -> pd.DataFrame:
    """Power of a test of correlation if every edge were this strong, in closed form.

    Over pairs of regulators and targets of all reliabilities. The interval is that of
    the effective number of observations.
    """
    relative = np.array([1.0, *interval])
    records = []
    for name in [n for n, s in scenarios.items() if not (s.confounded or s.perturbed or s.prior)]:
        scenario = scenarios[name]
        a, b = (
            np.quantile(at_depth(values, scenario.depth), _PAIRS)
            for values in (real.reliability, real.target_reliability)
        )
        for effect in EFFECTS:
            seen = attenuated(effect, *np.broadcast_arrays(a[:, None], b), scenario.coupling)
            power, level = power_at_fdr(
                seen.ravel(), np.ones(seen.size), relative * scenario.rows, _edge_share(real), FDP
            )
            records.append(
                {
                    "study": name,
                    "effect": effect,
                    "power": power[0],
                    "power_low": min(power),
                    "power_high": max(power),
                    "level": level[0],
                    "effective_rows": scenario.rows,
                }
            )
    return pd.DataFrame(records)


def _gain(plan: Alternative, method: str, outcomes: list[dict]) -> dict[str, object]:
    """What a study would find, and how much more than this one, both by one method."""
    record: dict[str, object] = {"study": plan.name, "kind": plan.kind, "method": method}
    if plan.scenario is None:
        nothing = dict.fromkeys((*_ends("now"), *_ends("then"), *_ends("gain")), np.nan)
        return {**record, **nothing, "missing": plan.missing}
    now, then = (
        np.array([one[name, method].power for one in outcomes]) for name in (MEASURED, plan.name)
    )
    return {
        **record,
        **_named("now", now, (0.0, 1.0)),
        **_named("then", then, (0.0, 1.0)),
        **_named("gain", then - now, (-1.0, 1.0)),
        "missing": "",
    }


def _ends(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _nominal(scenarios: dict, nominal: list[dict], targets: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "study": name,
            "nominal_fdr": FDP,
            **_named(
                "discoveries", targets * np.array([o[name].found for o in nominal]), (0, np.inf)
            ),
            **_named("false_share", np.array([o[name].fdp for o in nominal]), (0.0, 1.0)),
        }
        for name in scenarios
    )


def _by_regulator(
    data: Dataset, real: World, scenario: Scenario, rng: np.random.Generator
) -> pd.DataFrame:
    """Power of the edges of each regulator in the study as it is."""
    p = data.panel.p
    batches = int(np.clip(np.ceil(PER_REGULATOR * p / BATCH), 2, MOST_BATCHES))

    def one(draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return found_by_regulator(real, scenario, Draws.of(real, BATCH, draw, evidence=False))

    parts = data.engine.map(one, rng.spawn(batches))
    found, there = (np.sum([part[i] for part in parts], axis=0) for i in (0, 1))
    low, high = wilson(found, there)
    return pd.DataFrame(
        {
            "regulator": data.names(np.arange(p)),
            "power": np.divide(found, there, out=np.full(p, np.nan), where=there > 0),
            "power_low": low,
            "power_high": high,
        }
    )
