"""Does the upper bound hold where its assumptions are true, and where targets have one parent?

    python reports/signal/assumptions.py [--networks 36]

Regulators are normal with shared factors, 20 to 400 rows; targets have linear parents and nothing
hidden, and their explained variance is drawn from a beta distribution. Seeds count from 1,000.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from infocheck.checks.power import EACH, POOLED, REPLICATES, TARGETS, Power
from infocheck.stats import ranking, spike_in
from infocheck.stats.heritability import heritability
from infocheck.stats.partial import Shrunken, shrinkage_weight
from infocheck.stats.sums import CrossSums

NETWORK_TARGETS = 150
_weights = spike_in.random_weights


def one_parent(p: int, m: int, rng: np.random.Generator) -> np.ndarray:
    """Weights of m targets, each with a single parent."""
    weights = np.zeros((p, m))
    weights[rng.integers(0, p, m), np.arange(m)] = 1.0
    return weights


def network(seed: int, kind: str) -> dict:
    """How far the bound lies above what one simulated network realises."""
    rng = np.random.default_rng(seed)
    n, p, factors = (int(rng.choice(c)) for c in ([20, 60, 150, 400], [10, 40, 90], [1, 3]))
    shared = rng.normal(size=(n, factors)) @ rng.normal(size=(factors, p))
    sums = CrossSums.of(
        shared * rng.choice([0, 0.5, 1.0]) + rng.normal(size=(n, p)), p, fourth=True
    )
    gram = sums.correlation()
    model = Shrunken.of(gram, shrinkage_weight(sums))
    regulators = spike_in.Regulators.of(gram, n)
    mean, spread = float(rng.choice([0.02, 0.1, 0.3, 0.6])), float(rng.choice([0.5, 2, 50]))
    r2 = rng.beta(mean * spread, (1 - mean) * spread, NETWORK_TARGETS)
    spike_in.random_weights = one_parent if kind == "one parent" else _weights
    made = regulators.targets(r2, rng)
    spike_in.random_weights = _weights

    explained = heritability(gram, made.r, n)
    draws = np.random.default_rng(seed).spawn(REPLICATES)
    found = [
        spike_in.replicate(
            regulators, model, d.choice(explained.grid, TARGETS, p=explained.prior), d
        )
        for d in draws
    ]
    high = Power()._table(found).groupby("edges")["high"].max()
    scores = spike_in.panel_scores(gram, model, made.r)
    scores["consensus"] = np.mean([rankdata(s).reshape(s.shape) for s in scores.values()], axis=0)
    reached = {k: ranking.pooled_and_per_regulator(s, made.parent) for k, s in scores.items()}
    consensus = reached.pop("consensus")
    line = {"kind": kind}
    for position, edges in enumerate((POOLED, EACH)):
        best = max(value[position] for value in reached.values())
        line[f"consensus, {edges}"] = high[edges] - consensus[position]
        line[f"best method, {edges}"] = high[edges] - best
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=36)
    count = parser.parse_args().networks
    for kind in ("few parents", "one parent"):
        lines = pd.DataFrame([network(1000 + i, kind) for i in range(count)])
        for name, slack in lines.drop(columns="kind").items():
            held = int((slack >= -1e-9).sum())
            print(
                f"{kind}: {name}: within in {held} of {count}; "
                f"median distance {slack.median():.2f}, least {slack.min():.2f}"
            )


if __name__ == "__main__":
    main()
